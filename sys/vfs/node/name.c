/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name - from a path to a name.
 *
 * One loop takes a path component by component through the cache; a symbolic
 * link puts its text in front of what is left of the path.  The walk holds
 * one name at a time and no lock between components, so nothing is promised
 * about the path as a whole, only that each step was true when it was made.
 *
 * Invariants
 *   P1  w_at is held, positive, and not covered by a mount.
 *   P2  ".." never leaves the walk's root, and from the root of a mount goes
 *       on from the covered name.
 *   P3  at most SYMLINKS_MAX links are followed for one path.
 *   P4  in a jail a walk begins and ends below the jail's top, or leads
 *       nowhere.  What lies between does not matter: a directory that was
 *       passed in, or moved away under our feet, is no way out.
 *   P5  a restricted walk (LOOK_BENEATH, LOOK_IN_ROOT) that goes up fails with
 *       EAGAIN if any name changed its place since it began: P2 alone would
 *       lead it past its root if what it stands in was moved out.
 *
 * Locking: v_lk shared of one directory during a lookup that missed the
 * cache.  Not here: changing directories (nameop.c), opening (open.c).
 */
#include "node_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/proc.h>
#include <sys/time/time.h>
#include <sys/vm/kmem.h>

#define PATH_TRIES	64

struct walk {
	struct ncp	*w_at;
	struct ncp	*w_root;	/* held; NULL: not yet needed, which spares CPUs a line they all would write */
	const char	*w_p;		/* the rest of the path */
	char		*w_buf;		/* kmalloc'ed: holds w_p once a link was followed */
	uint32_t	w_links;
	uint32_t	w_flags;	/* LOOK_* */
	uint32_t	w_mark;		/* P5 */
};
#define LOOK_SCOPED	(LOOK_BENEATH | LOOK_IN_ROOT)

bool
name_is_dots(const char *name, size_t len)
{
	return len == 0 || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

/* What others change too counts for a while; but where something is mounted, it stays. */
static bool
is_current(struct ncp *n)
{
	return (n->n_mount->mp_ops->fs_flags & FS_EXPIRES) == 0 || n->n_covered != NULL ||
	    time_now() < atomic_load_explicit(&n->n_until, memory_order_relaxed);
}

/* A name that the cache has and that counts; else NULL. */
static struct ncp *
child_cached(struct ncp *dir, const char *name, size_t len)
{
	struct ncp *n = ncache_find(dir, name, len);

	if (n == NULL || is_current(n))
		return n;
	ncp_drop(n);
	return NULL;
}

/* The filesystem says `vn` (NULL: nothing).  A cached name that says so too counts again, held; others go. */
static struct ncp *
child_confirm(struct ncp *dir, const char *name, size_t len, struct vnode *vn)
{
	struct ncp *n = ncache_find(dir, name, len);

	if (n == NULL || n->n_vnode == vn)
		return n;
	ncache_replaced(n);
	ncp_drop(n);
	return NULL;
}

/* Ask the filesystem and remember the answer. */
static int
child_fill(struct ncp *dir, const char *name, size_t len, struct ncp **out)
{
	struct vnode *dvn = dir->n_vnode, *vn = NULL;
	uint32_t flags = dir->n_mount->mp_ops->fs_flags;
	bool cache = (flags & FS_NOCACHE) == 0;
	int error;

	if (ncp_is_deleted(dir))
		return ENOENT;
	if (dvn->v_ops->vop_lookup == NULL)
		return ENOTDIR;
	error = dvn->v_ops->vop_lookup(dvn, name, len, &vn);
	/* Where names come and go by themselves none can be made: there is no "not yet". */
	if (error != 0 && (error != ENOENT || !cache))
		return error;
	error = 0;
	*out = (flags & FS_EXPIRES) != 0 ? child_confirm(dir, name, len, vn) : NULL;
	if (*out == NULL) {
		error = ncp_create(dir, dir->n_mount, name, len, vn, out);
		if (error == 0 && cache)
			*out = ncache_insert(*out);
	}
	if (vn != NULL)
		vnode_drop(vn);
	if (error == 0 && (flags & FS_EXPIRES) != 0)
		atomic_store_explicit(&(*out)->n_until, time_now() + NAME_VALID_NS, memory_order_relaxed);
	return error;
}

int
child_locked(struct ncp *dir, const char *name, size_t len, struct ncp **out)
{
	if (len > NAME_MAX_)
		return ENAMETOOLONG;
	*out = child_cached(dir, name, len);
	return *out != NULL ? 0 : child_fill(dir, name, len, out);
}

int
name_child_below(struct ncp *dir, const char *name, size_t len, struct ncp **out)
{
	struct vnode *dvn = dir->n_vnode;
	struct ncp *real = ncp_real(dir), *n;
	int error = 0;

	if (len > NAME_MAX_)
		return ENAMETOOLONG;
	n = child_cached(real, name, len);
	if (n == NULL) {
		lk_shared(&dvn->v_lk);
		error = child_locked(real, name, len, &n);
		lk_release(&dvn->v_lk);
		if (error != 0)
			return error;
	}
	if (n->n_vnode == NULL) {
		ncp_drop(n);
		return ENOENT;
	}
	*out = n;
	if (real != dir) {
		error = ncp_wrap(dir, dir->n_mount, name, len, n, out);
		ncp_drop(n);
	}
	return error;
}

int
name_child(struct ncp *dir, const char *name, size_t len, struct ncp **out)
{
	int error = name_child_below(dir, name, len, out);

	if (error == 0)
		*out = ncp_cross(*out);
	return error;
}

static struct ncp *
walk_root(struct walk *w)
{
	if (w->w_root == NULL)
		fsctx_get(fsctx_current(), NULL, &w->w_root);
	return w->w_root;
}

/* Takes over the reference on `n`. */
static int
go_to(struct walk *w, struct ncp *n)
{
	if ((w->w_flags & LOOK_NO_XDEV) != 0 && n->n_mount != w->w_at->n_mount) {
		ncp_drop(n);
		return EXDEV;
	}
	ncp_drop(w->w_at);
	w->w_at = n;
	return 0;
}

static int
step_up(struct walk *w)
{
	struct ncp *up;
	int error;

	if (w->w_at == walk_root(w))
		return (w->w_flags & LOOK_BENEATH) != 0 ? EXDEV : 0;
	up = ncp_parent(w->w_at);
	if (up == NULL)
		return 0;		/* the top of everything, or of a mount that is gone */
	error = go_to(w, ncp_cross(up));
	if (error == 0 && (w->w_flags & LOOK_SCOPED) != 0 && !ncache_no_rename_since(w->w_mark))
		error = EAGAIN;
	return error;
}

static int
step_root(struct walk *w)
{
	if ((w->w_flags & LOOK_BENEATH) != 0)
		return EXDEV;
	ncp_hold(walk_root(w));
	return go_to(w, w->w_root);
}

/* The link's text goes in front of the rest. */
static int
splice_link(struct walk *w, struct vnode *link)
{
	size_t len, rest = strlen(w->w_p);
	char *buf;
	int error;

	buf = kmalloc(PATH_MAX_ + rest + 2, KM_WAIT);
	if (buf == NULL)
		return ENOMEM;
	error = vn_readlink(link, buf, PATH_MAX_, &len);
	if (error == 0 && len == 0)
		error = ENOENT;
	if (error != 0) {
		kfree(buf);
		return error;
	}
	memcpy(buf + len, w->w_p, rest + 1);
	kfree(w->w_buf);
	w->w_buf = buf;
	w->w_p = buf;
	return buf[0] == '/' ? step_root(w) : 0;
}

int
name_jump(struct ncp *link, uint32_t flags, struct ncp **out)
{
	struct vnode *vn = link->n_vnode;
	int error;

	if ((flags & (LOOK_NO_MAGIC | LOOK_NO_LINKS)) != 0)
		return ELOOP;
	error = vn->v_ops->vop_jump(vn, out);
	if (error != 0)
		return error;
	*out = ncp_cross(*out);
	if ((flags & LOOK_SCOPED) == 0)
		return 0;
	ncp_drop(*out);
	return EXDEV;
}

static int
follow(struct walk *w, struct ncp *link)
{
	struct vnode *vn = link->n_vnode;
	struct ncp *to;
	int error;

	if (++w->w_links > SYMLINKS_MAX || (w->w_flags & LOOK_NO_LINKS) != 0)
		return ELOOP;
	if (vn->v_ops->vop_jump == NULL)
		return splice_link(w, vn);
	error = name_jump(link, w->w_flags, &to);
	return error == 0 ? go_to(w, to) : error;
}

static int
search_access(struct ncp *dir)
{
	if (dir->n_vnode->v_type != VDIR)
		return ENOTDIR;
	return vn_access(dir->n_vnode, 1, vfs_cred());
}

static bool
is_cached(struct ncp *dir, const char *name, size_t len)
{
	struct ncp *n = ncache_find(ncp_real(dir), name, len);

	ncp_drop(n);
	return n != NULL;
}

/* One component of `len` bytes at w_p, which already points past it. */
static int
step(struct walk *w, const char *name, size_t len, bool through)
{
	struct ncp *n;
	int error;

	error = search_access(w->w_at);
	if (error != 0)
		return error;
	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return step_up(w);
	if ((w->w_flags & LOOK_CACHED) != 0 && !is_cached(w->w_at, name, len))
		return EAGAIN;
	error = name_child_below(w->w_at, name, len, &n);
	if (error != 0)
		return error;
	n = ncp_cross(n);
	if (n->n_vnode->v_type == VLNK && through) {
		error = follow(w, n);
		ncp_drop(n);
		return error;
	}
	return go_to(w, n);
}

/* w_p stays at the slash after the component, so that a link's text can be put before it. */
static int
walk_path(struct walk *w, uint32_t flags, struct lookup *out)
{
	int error;

	for (;;) {
		const char *name, *next;
		size_t len = 0;
		bool last;

		while (*w->w_p == '/')
			w->w_p++;
		name = w->w_p;
		while (name[len] != '\0' && name[len] != '/')
			len++;
		if (len == 0 && (flags & LOOK_PARENT) == 0)
			return 0;
		w->w_p += len;
		for (next = w->w_p; *next == '/'; next++)
			;
		last = *next == '\0';
		out->lu_trailing = *w->w_p == '/';
		if (last && (flags & LOOK_PARENT) != 0) {
			if (len > NAME_MAX_)
				return ENAMETOOLONG;
			memcpy(out->lu_last, name, len);
			out->lu_last[len] = '\0';
			out->lu_last_len = (uint32_t)len;
			return search_access(w->w_at);
		}
		error = step(w, name, len, !last || out->lu_trailing || (flags & LOOK_FOLLOW) != 0);
		if (error != 0)
			return error;
	}
}

void
fsctx_get(struct fsctx *fc, struct ncp **cwd, struct ncp **root)
{
	spin_lock(&fc->fc_spin);
	if (cwd != NULL) {
		*cwd = fc->fc_cwd;
		ncp_hold(*cwd);
	}
	if (root != NULL) {
		*root = fc->fc_root;
		ncp_hold(*root);
	}
	spin_unlock(&fc->fc_spin);
}

/* P4.  What is no directory and has no place, such as an unlinked file, is nobody's. */
static bool
is_inside(const struct fsctx *fc, struct ncp *n)
{
	struct ncp *top = fc->fc_top, *up;

	if (top == NULL || (n->n_vnode->v_type != VDIR && ncp_is_deleted(n)))
		return true;
	ncp_hold(n);
	while (n != top && (up = ncp_parent(n)) != NULL) {
		ncp_drop(n);
		n = ncp_cross(up);
	}
	ncp_drop(n);
	return n == top;
}

/* Where the walk begins: w_at, and w_root if it is not the process's. */
static int
walk_begin(struct walk *w, struct fsctx *fc, struct ncp *root, struct ncp *start)
{
	bool from_top = w->w_p[0] == '/';

	if (from_top && (w->w_flags & LOOK_BENEATH) != 0)
		return EXDEV;
	if (root != NULL) {
		ncp_hold(root);
		w->w_root = root;
	}
	if (from_top && (w->w_flags & LOOK_LINK) != 0) {
		ncp_hold(start);
		w->w_at = start;
		return step_root(w);
	}
	if (from_top && root != NULL)
		start = root;
	if (from_top && root == NULL) {
		fsctx_get(fc, NULL, &w->w_at);
	} else if (start == NULL) {
		fsctx_get(fc, &w->w_at, NULL);
	} else {
		ncp_hold(start);
		w->w_at = start;
	}
	return 0;
}

int
name_lookup_in(struct ncp *root, struct ncp *start, const char *path, uint32_t flags, struct lookup *out)
{
	struct walk w = { .w_p = path, .w_flags = flags, .w_mark = ncache_rename_mark() };
	struct fsctx *fc = fsctx_current();
	int error;

	out->lu_ncp = NULL;
	out->lu_last[0] = '\0';
	out->lu_last_len = 0;
	out->lu_trailing = false;
	if (path[0] == '\0' && (flags & LOOK_EMPTY) == 0)
		return ENOENT;
	error = walk_begin(&w, fc, root, start);
	if (error == 0 && !is_inside(fc, w.w_at))
		error = ENOENT;
	if (error == 0 && path[0] != '\0')
		error = walk_path(&w, flags, out);
	if (error == 0 && (flags & LOOK_PARENT) == 0 && (out->lu_trailing || (flags & LOOK_DIR) != 0) &&
	    w.w_at->n_vnode->v_type != VDIR)
		error = ENOTDIR;
	if (error == 0 && !is_inside(fc, w.w_at))
		error = ENOENT;
	ncp_drop(w.w_root);
	kfree(w.w_buf);
	if (error != 0) {
		ncp_drop(w.w_at);
		return error;
	}
	out->lu_ncp = w.w_at;
	return 0;
}

int
name_lookup(struct ncp *start, const char *path, uint32_t flags, struct lookup *out)
{
	return name_lookup_in(NULL, start, path, flags, out);
}

void
lookup_done(struct lookup *lu)
{
	if (lu->lu_ncp != NULL)
		ncp_drop(lu->lu_ncp);
	lu->lu_ncp = NULL;
}

/* One try at the text of a name, built from its end.  `start` gets where it begins. */
static int
path_once(struct ncp *n, struct ncp *root, char *buf, size_t size, size_t *start, bool *unreachable)
{
	char *text = kmalloc(PATH_MAX_ + 1, KM_WAIT);
	size_t at = size - 1, len;
	int error = 0;

	if (text == NULL)
		return ENOMEM;
	buf[at] = '\0';
	*unreachable = false;
	ncp_hold(n);
	while (n != root) {
		struct ncp *up;

		/* The root of a mount shows the covered name's text. */
		n = ncp_uncross(n);
		up = ncp_parent(n);
		if (up == NULL) {
			*unreachable = true;
			break;
		}
		len = ncp_text(n, text);
		if (len + 1 > at) {
			error = ENAMETOOLONG;
			ncp_drop(up);
			break;
		}
		at -= len;
		memcpy(buf + at, text, len);
		buf[--at] = '/';
		ncp_drop(n);
		n = ncp_cross(up);
	}
	if (error == 0 && at == size - 1)
		buf[--at] = '/';
	ncp_drop(n);
	kfree(text);
	*start = at;
	return error;
}

int
name_path(struct ncp *n, struct ncp *root, char *buf, size_t size, bool *unreachable)
{
	size_t start = 0;
	uint32_t mark;
	int error;

	if (size < 2)
		return ENAMETOOLONG;
	/* A rename in the middle may have mixed two places: try again, but not for ever. */
	for (int i = 0; i < PATH_TRIES; i++) {
		mark = ncache_rename_mark();
		error = path_once(n, root, buf, size, &start, unreachable);
		if (error != 0)
			return error;
		if (ncache_no_rename_since(mark))
			break;
	}
	memmove(buf, buf + start, size - start);
	return 0;
}
