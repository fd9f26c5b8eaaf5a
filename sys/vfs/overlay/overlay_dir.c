/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay_dir - names of an overlay: finding, making, taking away, moving.
 *
 * The caller holds v_lk of the overlay's directories, exclusively for
 * changes, so between the steps of one change nobody looks.  Each change
 * does first what can fail and hides nothing, and then one move in the upper
 * layer that makes it true.
 *
 * Invariants
 *   D1  a name that is not shown and that a lower layer has is covered by a
 *       whiteout, or by what stands in the upper layer.
 *   D2  an upper directory that stands where a lower one shows through, but
 *       shall not, is opaque before it stands there.
 */
#include "overlay_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/vfs/notify.h>

bool
overlay_is_whiteout(const struct ncp *n)
{
	return n->n_vnode->v_type == VCHR && n->n_vnode->v_rdev == 0;
}

static void
layers_drop(struct olayers *l)
{
	if (l->l_upper != NULL)
		ncp_drop(l->l_upper);
	for (uint32_t i = 0; i < l->l_nlower; i++)
		ncp_drop(l->l_lower[i]);
}

static bool
is_opaque(struct ncp *dir)
{
	struct ncp *mark;
	bool opaque;

	if (name_child_below(dir, OVERLAY_OPAQUE, OVERLAY_OPAQUE_LEN, &mark) != 0)
		return false;
	opaque = overlay_is_whiteout(mark);
	ncp_drop(mark);
	return opaque;
}

/*
 * The name in one more layer, from the top.  ENOENT: this and all below have
 * nothing for us; 0 with *more false: nothing below counts.
 */
static int
layer_add(struct olayers *l, struct ncp *dir, const char *name, size_t len, bool upper, bool below,
    bool *more)
{
	bool first = l->l_upper == NULL && l->l_nlower == 0;
	struct ncp *n;
	int error = name_child_below(dir, name, len, &n);

	if (error != 0)
		return error == ENOENT ? 0 : error;
	*more = below && n->n_vnode->v_type == VDIR && !is_opaque(n);
	if (overlay_is_whiteout(n) || (!first && n->n_vnode->v_type != VDIR))
		ncp_drop(n);
	else if (upper)
		l->l_upper = n;
	else
		l->l_lower[l->l_nlower++] = n;
	return 0;
}

static int
layers_find(struct onode *dir, const char *name, size_t len, struct olayers *l)
{
	struct ncp *up = dir->on_upper;
	bool more = true;
	int error = 0;

	l->l_upper = NULL;
	l->l_nlower = 0;
	if (up != NULL)
		error = layer_add(l, up, name, len, true, dir->on_nlower > 0, &more);
	for (uint32_t i = 0; error == 0 && more && i < dir->on_nlower; i++)
		error = layer_add(l, dir->on_lower[i], name, len, false, i + 1 < dir->on_nlower, &more);
	if (error == 0 && l->l_upper == NULL && l->l_nlower == 0)
		error = ENOENT;
	else if (error != 0)
		layers_drop(l);
	return error;
}

int
overlay_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct olayers l;
	int error;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	error = layers_find(vn_onode(dir), name, len, &l);
	if (error != 0)
		return error;
	error = onode_get(dir->v_mount, vn_onode(dir), name, len, &l, out);
	layers_drop(&l);
	return error;
}

/* Would the lower layers show this name? */
static int
lower_has(struct onode *dir, const char *name, size_t len, bool *has)
{
	struct olayers l = { 0 };
	bool more = true;
	int error = 0;

	for (uint32_t i = 0; error == 0 && more && l.l_nlower == 0 && i < dir->on_nlower; i++)
		error = layer_add(&l, dir->on_lower[i], name, len, false, false, &more);
	*has = l.l_nlower > 0;
	layers_drop(&l);
	return error;
}

enum there { T_NOTHING, T_WHITEOUT, T_FILE, T_DIR };

static int
upper_has(struct onode *dir, const char *name, size_t len, enum there *is)
{
	struct ncp *n;
	int error = name_child_below(dir->on_upper, name, len, &n);

	*is = T_NOTHING;
	if (error != 0)
		return error == ENOENT ? 0 : error;
	if (overlay_is_whiteout(n))
		*is = T_WHITEOUT;
	else
		*is = n->n_vnode->v_type == VDIR ? T_DIR : T_FILE;
	ncp_drop(n);
	return 0;
}

static bool
is_reserved(const char *name, size_t len)
{
	return len == OVERLAY_OPAQUE_LEN && memcmp(name, OVERLAY_OPAQUE, len) == 0;
}

static int
set_opaque(struct ncp *dir)
{
	int error = name_create(dir, OVERLAY_OPAQUE, OVERLAY_OPAQUE_LEN, false, VCHR, 0, 0, NULL);

	return error == EEXIST ? 0 : error;
}

/* What the filesystem would have given a file that is made in `dir` itself. */
static int
inherit(struct ncp *dir, struct vnode *vn)
{
	struct vattr d, va;
	int error = vn_getattr(dir->n_vnode, &d);

	if (error != 0 || (d.va_mode & S_ISGID) == 0)
		return error;
	error = vn_getattr(vn, &va);
	va.va_mask = VA_GID | (vn->v_type == VDIR ? VA_MODE : 0);
	va.va_gid = d.va_gid;
	va.va_mode |= S_ISGID;
	return error != 0 ? error : vn_setattr(vn, &va);
}

/* Over a whiteout: made apart, so that failing leaves the whiteout. */
static int
make_over(struct onode *d, const char *name, size_t len, const struct omake *m, struct ncp **out)
{
	struct omount *om = d->on_mount;
	bool dir = m->m_link == NULL && m->m_type == VDIR;
	char text[OWORK_TEXT];
	int error = overlay_work_make(om, m, text, out);

	if (error != 0)
		return error;
	if (m->m_link == NULL)
		error = inherit(d->on_upper, (*out)->n_vnode);
	if (error == 0 && dir)
		error = set_opaque(*out);		/* D2 */
	if (error == 0)
		error = overlay_move(om->om_work, text, strlen(text), d->on_upper, name, len,
		    dir ? RENAME_EXCHANGE : 0);
	if (error != 0 || dir)
		overlay_work_remove(om, text, error != 0 && dir);
	if (error != 0)
		ncp_drop(*out);
	return error;
}

/* What stands for nothing so far gets its file.  *out: its name in the upper layer. */
static int
make(struct onode *d, const char *name, size_t len, const struct omake *m, struct ncp **out)
{
	struct oact act;
	enum there is;
	int error;

	if (is_reserved(name, len))
		return EPERM;
	error = overlay_copy_up(d, UINT64_MAX);
	if (error != 0)
		return error;
	oact_begin(&act);
	error = upper_has(d, name, len, &is);
	if (error == 0)
		error = is == T_WHITEOUT ? make_over(d, name, len, m, out) :
		    overlay_make(d->on_upper, name, len, m, out);
	oact_end(&act);
	return error;
}

static int
make_node(struct vnode *dir, const char *name, size_t len, const struct omake *m, struct vnode **out)
{
	struct olayers l = { 0 };
	int error = make(vn_onode(dir), name, len, m, &l.l_upper);

	if (error != 0)
		return error;
	error = onode_get(dir->v_mount, vn_onode(dir), name, len, &l, out);
	layers_drop(&l);
	return error;
}

/* A file without a name; `linkable` is what vop_create has as the length. */
static int
make_nameless(struct vnode *dir, size_t linkable, uint32_t mode, struct vnode **out)
{
	struct onode *d = vn_onode(dir);
	struct olayers l = { 0 };
	struct vnode *real, *up;
	struct oact act;
	int error = overlay_copy_up(d, UINT64_MAX);

	if (error != 0)
		return error;
	real = d->on_upper->n_vnode;
	if (real->v_ops->vop_create == NULL)
		return EOPNOTSUPP;
	oact_begin(&act);
	lk_excl(&real->v_lk);
	error = real->v_ops->vop_create(real, NULL, linkable, VREG, mode, 0, vfs_cred(), &up);
	lk_release(&real->v_lk);
	if (error == 0) {
		error = name_orphan_in(d->on_upper, up, "#", &l.l_upper);
		vnode_drop(up);
	}
	if (error == 0) {
		error = onode_get(dir->v_mount, d, "#", 1, &l, out);
		layers_drop(&l);
	}
	oact_end(&act);
	return error;
}

int
overlay_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode,
    uint64_t rdev, const struct cred *cr, struct vnode **out)
{
	struct omake m = { .m_type = type, .m_mode = mode, .m_rdev = rdev };

	(void)cr;
	if (name == NULL)
		return make_nameless(dir, len, mode, out);
	if (type == VCHR && rdev == 0)
		return EPERM;			/* that would be a whiteout */
	return make_node(dir, name, len, &m, out);
}

int
overlay_symlink(struct vnode *dir, const char *name, size_t len, const char *target, const struct cred *cr,
    struct vnode **out)
{
	struct omake m = { .m_type = VLNK, .m_target = target };

	(void)cr;
	return make_node(dir, name, len, &m, out);
}

int
overlay_link(struct vnode *dir, const char *name, size_t len, struct vnode *target)
{
	struct onode *t = vn_onode(target);
	struct omake m = { 0 };
	struct ncp *n;
	int error = overlay_copy_up(t, UINT64_MAX);

	if (error != 0)
		return error;
	m.m_link = t->on_upper;
	error = make(vn_onode(dir), name, len, &m, &n);
	if (error == 0)
		ncp_drop(n);
	return error;
}

/* Nobody finds it any more where the lower layer has it, if that is the name.  [v_lk of d] */
static void
leave_place(struct onode *on, struct onode *d, const char *name, size_t len)
{
	if (on->on_home == d && on->on_namelen == len && memcmp(on->on_name, name, len) == 0)
		onode_unkey(on, ON_LOWER);
}

/* The name went.  [on_lk, v_lk of d] */
static void
lose_name(struct onode *on, struct onode *d, const char *name, size_t len)
{
	struct vattr va;

	leave_place(on, d, name, len);
	if (on->on_upper == NULL) {
		on->on_gone = true;
		notify_unlinked(on->on_vnode, true);
	} else if (vn_getattr(on->on_upper->n_vnode, &va) != 0 || va.va_nlink == 0) {
		onode_unpin(on);
	}
}

/* A whiteout takes the place of what the upper layer has there. */
static int
cover(struct onode *d, const char *name, size_t len, enum there is)
{
	struct omount *om = d->on_mount;
	char text[OWORK_TEXT];
	int error;

	if (is == T_NOTHING)
		return name_create(d->on_upper, name, len, false, VCHR, 0, 0, NULL);
	error = overlay_work_whiteout(om, text);
	if (error != 0)
		return error;
	error = overlay_move(om->om_work, text, strlen(text), d->on_upper, name, len,
	    is == T_DIR ? RENAME_EXCHANGE : 0);
	if (error != 0 || is == T_DIR)
		overlay_work_remove(om, text, error == 0);
	return error;
}

/* An upper directory that shows nothing goes, with what in it stands for nothing. */
static int
remove_dir(struct ncp *dir, const char *name, size_t len)
{
	struct ncp *n;
	int error = name_child_below(dir, name, len, &n);

	if (error != 0)
		return error;
	error = overlay_clear(n);
	ncp_drop(n);
	return error != 0 ? error : name_remove(dir, name, len, false, true);
}

/* D1 */
static int
take_name(struct onode *d, const char *name, size_t len)
{
	enum there is;
	bool lower;
	int error = upper_has(d, name, len, &is);

	if (error == 0)
		error = lower_has(d, name, len, &lower);
	if (error != 0)
		return error;
	if (lower)
		return cover(d, name, len, is);
	if (is == T_DIR)
		return remove_dir(d->on_upper, name, len);
	return is == T_FILE ? name_remove(d->on_upper, name, len, false, false) : ESTALE;
}

int
overlay_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	struct onode *d = vn_onode(dir), *v = vn_onode(victim);
	struct oact act;
	int error = overlay_copy_up(d, UINT64_MAX);

	if (error != 0)
		return error;
	lk_excl(&v->on_lk);
	oact_begin(&act);
	error = take_name(d, name, len);
	if (error == 0)
		lose_name(v, d, name, len);
	oact_end(&act);
	lk_release(&v->on_lk);
	return error;
}

int
overlay_rmdir(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	int error = overlay_is_empty(victim);

	return error != 0 ? error : overlay_unlink(dir, name, len, victim);
}

struct move {
	struct onode	*m_from, *m_to, *m_on, *m_victim;	/* m_victim: or NULL */
	const char	*m_fname, *m_tname;
	size_t		m_flen, m_tlen;
	enum there	m_is;		/* at the new place, in the upper layer */
	bool		m_lower;	/* the lower layers have the old name */
};

static int
swap(const struct move *m)
{
	return overlay_move(m->m_from->on_upper, m->m_fname, m->m_flen, m->m_to->on_upper, m->m_tname,
	    m->m_tlen, RENAME_EXCHANGE);
}

/*
 * What moves changes places with a whiteout, or with what it replaces, which
 * is then taken away from the old place.
 */
static int
move_by_swap(struct move *m)
{
	int error = 0;

	if (m->m_is == T_NOTHING)
		error = cover(m->m_to, m->m_tname, m->m_tlen, T_NOTHING);
	if (error == 0)
		error = swap(m);
	if (error != 0 || (m->m_lower && (m->m_is == T_NOTHING || m->m_is == T_WHITEOUT)))
		return error;
	if (m->m_lower)
		error = cover(m->m_from, m->m_fname, m->m_flen, m->m_is);
	else if (m->m_is == T_DIR)
		error = remove_dir(m->m_from->on_upper, m->m_fname, m->m_flen);
	else
		error = name_remove(m->m_from->on_upper, m->m_fname, m->m_flen, false, false);
	if (error != 0)
		(void)swap(m);
	return error;
}

static int
move_locked(struct move *m)
{
	bool dir = m->m_on->on_vnode->v_type == VDIR;
	int error = upper_has(m->m_to, m->m_tname, m->m_tlen, &m->m_is);

	if (error == 0)
		error = lower_has(m->m_from, m->m_fname, m->m_flen, &m->m_lower);
	if (error == 0 && dir && m->m_to->on_nlower > 0)
		error = set_opaque(m->m_on->on_upper);		/* D2 */
	if (error != 0)
		return error;
	if (m->m_lower || (dir && m->m_is != T_NOTHING))
		return move_by_swap(m);
	return overlay_move(m->m_from->on_upper, m->m_fname, m->m_flen, m->m_to->on_upper, m->m_tname,
	    m->m_tlen, 0);
}

static int
exchange_locked(struct move *m)
{
	int error = 0;

	if (m->m_on->on_vnode->v_type == VDIR && m->m_to->on_nlower > 0)
		error = set_opaque(m->m_on->on_upper);
	if (error == 0 && m->m_victim->on_vnode->v_type == VDIR && m->m_from->on_nlower > 0)
		error = set_opaque(m->m_victim->on_upper);
	return error != 0 ? error : swap(m);
}

static int
move_prepare(struct move *m, bool exchange)
{
	struct onode *v = m->m_victim;
	int error = 0;

	if (is_reserved(m->m_tname, m->m_tlen))
		return EPERM;
	if (m->m_on->on_vnode->v_type == VDIR && m->m_on->on_nlower > 0)
		return EXDEV;
	if (exchange && v->on_vnode->v_type == VDIR && v->on_nlower > 0)
		return EXDEV;
	if (!exchange && v != NULL && v->on_vnode->v_type == VDIR)
		error = overlay_is_empty(v->on_vnode);
	if (error == 0)
		error = overlay_copy_up(m->m_from, UINT64_MAX);
	if (error == 0)
		error = overlay_copy_up(m->m_to, UINT64_MAX);
	if (error == 0)
		error = overlay_copy_up(m->m_on, UINT64_MAX);
	if (error == 0 && exchange)
		error = overlay_copy_up(v, UINT64_MAX);
	return error;
}

int
overlay_rename(struct vnode *from, const char *fname, size_t flen, struct vnode *vn, struct vnode *to,
    const char *tname, size_t tlen, struct vnode *to_victim, uint32_t flags)
{
	struct move m = { .m_from = vn_onode(from), .m_to = vn_onode(to), .m_on = vn_onode(vn),
	    .m_victim = to_victim != NULL ? vn_onode(to_victim) : NULL,
	    .m_fname = fname, .m_flen = flen, .m_tname = tname, .m_tlen = tlen };
	bool exchange = (flags & RENAME_EXCHANGE) != 0;
	struct oact act;
	int error = (flags & RENAME_WHITEOUT) != 0 ? EINVAL : move_prepare(&m, exchange);

	if (error != 0)
		return error;
	if (m.m_victim != NULL)
		lk_excl(&m.m_victim->on_lk);
	oact_begin(&act);
	error = exchange ? exchange_locked(&m) : move_locked(&m);
	if (error == 0) {
		leave_place(m.m_on, m.m_from, fname, flen);
		if (exchange)
			leave_place(m.m_victim, m.m_to, tname, tlen);
		else if (m.m_victim != NULL)
			lose_name(m.m_victim, m.m_to, tname, tlen);
	}
	oact_end(&act);
	if (m.m_victim != NULL)
		lk_release(&m.m_victim->on_lk);
	return error;
}
