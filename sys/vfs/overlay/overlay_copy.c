/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay_copy - copying up.
 *
 * A copy is made in the work directory, with contents, owner, mode and times,
 * and then moved to its place at once: the upper layer never shows half of
 * one.  The directories above come first, from the top.  Two who want the same
 * copy meet at on_lk, and so does who takes the file's name away; for a file
 * that has lost its name the copy gets none.
 *
 * Readers go on with the lower file until the copy is published, and then
 * see the copy; a mapping that was made before stays with the lower file.
 */
#include "overlay_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/kmem.h>

#define COPY_BYTES	65536u

const struct omake overlay_whiteout = { .m_type = VCHR };

/* As the caller, whom new files belong to, but with every right in the layers. */
void
oact_begin(struct oact *a)
{
	const uint64_t setid = 1ull << CAP_FSETID;

	a->a_cred = *vfs_cred();
	a->a_cred.cr_cap_eff |= ~setid;
	a->a_was = vfs_act_as(&a->a_cred);
}

void
oact_end(struct oact *a)
{
	(void)vfs_act_as(a->a_was);
}

int
overlay_make(struct ncp *dir, const char *name, size_t len, const struct omake *m, struct ncp **out)
{
	int error;

	if (m->m_link == NULL && m->m_type != VLNK)
		return name_create(dir, name, len, false, m->m_type, m->m_mode, m->m_rdev, out);
	if (m->m_link != NULL)
		error = name_link(dir, name, len, false, m->m_link);
	else
		error = name_symlink(dir, name, len, false, m->m_target);
	return error != 0 ? error : name_child_below(dir, name, len, out);
}

int
overlay_work_make(struct omount *om, const struct omake *m, char text[OWORK_TEXT], struct ncp **out)
{
	int error;

	do {		/* what an earlier mount left behind stays */
		uint64_t n = atomic_fetch_add_explicit(&om->om_serial, 1, memory_order_relaxed);

		(void)rt_snprintf(text, OWORK_TEXT, "#%llx", (unsigned long long)n);
		error = overlay_make(om->om_work, text, strlen(text), m, out);
		lwkt_poll();
	} while (error == EEXIST);
	return error;
}

int
overlay_work_whiteout(struct omount *om, char text[OWORK_TEXT])
{
	struct ncp *n;
	int error = overlay_work_make(om, &overlay_whiteout, text, &n);

	if (error == 0)
		ncp_drop(n);
	return error;
}

/* At the end of an operation that is done, or has failed for another reason. */
void
overlay_work_remove(struct omount *om, const char *text, bool directory)
{
	struct ncp *n;

	if (directory && name_child_below(om->om_work, text, strlen(text), &n) == 0) {
		(void)overlay_clear(n);
		ncp_drop(n);
	}
	(void)name_remove(om->om_work, text, strlen(text), false, directory);
}

int
overlay_move(struct ncp *from, const char *fname, size_t flen, struct ncp *to, const char *tname, size_t tlen,
    uint32_t flags)
{
	struct lookup *lu = kmalloc(2 * sizeof *lu, KM_ZERO | KM_WAIT);
	int error;

	if (lu == NULL)
		return ENOMEM;
	lu[0].lu_ncp = from;
	memcpy(lu[0].lu_last, fname, flen);
	lu[0].lu_last_len = (uint32_t)flen;
	lu[1].lu_ncp = to;
	memcpy(lu[1].lu_last, tname, tlen);
	lu[1].lu_last_len = (uint32_t)tlen;
	error = name_rename(&lu[0], &lu[1], flags);
	kfree(lu);
	return error;
}

static bool
is_zero(const char *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* What is all zeros becomes a hole. */
static int
copy_data(struct vnode *from, struct vnode *to, uint64_t size)
{
	struct vattr va = { .va_mask = VA_SIZE, .va_size = size };
	char *buf = kmalloc(COPY_BYTES, KM_WAIT);
	struct uio_seg seg;
	struct uio u;
	uint64_t n;
	int error = buf == NULL ? ENOMEM : 0;

	for (uint64_t at = 0; error == 0 && at < size; at += n) {
		n = rt_min(COPY_BYTES, size - at);
		uio_kernel(&u, &seg, buf, n, at, true);
		error = vn_read(from, &u, IO_NOATIME);
		n -= u.u_resid;
		if (error != 0 || n == 0)
			break;			/* shorter than it said */
		if (is_zero(buf, n))
			continue;
		uio_kernel(&u, &seg, buf, n, at, false);
		error = vn_write(to, &u, 0);
		lwkt_poll();
	}
	kfree(buf);
	return error != 0 ? error : vn_setattr(to, &va);
}

/* A copy in the work directory. */
static int
copy_make(struct onode *on, const struct vattr *va, char text[OWORK_TEXT], struct ncp **out)
{
	struct vnode *lower = on->on_lower[0]->n_vnode;
	struct omake m = { .m_type = lower->v_type, .m_mode = 0600, .m_rdev = va->va_rdev };
	struct vattr set = *va;
	char *target = NULL;
	size_t len;
	int error = 0;

	if (m.m_type == VLNK) {
		target = kmalloc(PATH_MAX_ + 1, KM_WAIT);
		error = target == NULL ? ENOMEM : vn_readlink(lower, target, PATH_MAX_, &len);
		if (error == 0)
			target[len] = '\0';
		m.m_target = target;
	}
	if (error == 0)
		error = overlay_work_make(on->on_mount, &m, text, out);
	kfree(target);
	if (error != 0)
		return error;
	if (m.m_type == VREG)
		error = copy_data(lower, (*out)->n_vnode, va->va_size);
	if (error == 0)
		error = overlay_copy_xattrs(lower, (*out)->n_vnode);
	set.va_mask = VA_UID | VA_GID | VA_MODE | VA_ATIME | VA_MTIME;
	if (error == 0)
		error = vn_setattr((*out)->n_vnode, &set);
	if (error != 0) {
		overlay_work_remove(on->on_mount, text, m.m_type == VDIR);
		ncp_drop(*out);
	}
	return error;
}

/* The copy goes to its place, and the directory does not look changed. */
static int
copy_place(struct onode *on, const char *text)
{
	struct ncp *dir;
	struct vattr va;
	int error;

	if (on->on_gone) {
		overlay_work_remove(on->on_mount, text, on->on_vnode->v_type == VDIR);
		return 0;
	}
	dir = on->on_home->on_upper;
	error = vn_getattr(dir->n_vnode, &va);
	if (error == 0)
		error = overlay_move(on->on_mount->om_work, text, strlen(text), dir, on->on_name,
		    on->on_namelen, RENAME_NOREPLACE);
	if (error != 0)
		return error == EEXIST ? ESTALE : error;
	va.va_mask = VA_ATIME | VA_MTIME;
	(void)vn_setattr(dir->n_vnode, &va);
	return 0;
}

/* [on_lk] */
static int
copy_locked(struct onode *on, uint64_t most)
{
	struct vnode *vn = on->on_vnode;
	char text[OWORK_TEXT];
	struct vattr va;
	struct ncp *up;
	int error = vn_getattr(on->on_lower[0]->n_vnode, &va);

	if (error != 0)
		return error;
	va.va_size = rt_min(va.va_size, most);
	error = copy_make(on, &va, text, &up);
	if (error != 0)
		return error;
	onode_key(on, ON_UPPER, up->n_vnode);		/* V3 */
	error = copy_place(on, text);
	if (error != 0) {
		onode_unkey(on, ON_UPPER);
		overlay_work_remove(on->on_mount, text, vn->v_type == VDIR);
		ncp_drop(up);
		return error;
	}
	if (vn->v_type != VDIR && va.va_nlink > 1 && vn_getattr(up->n_vnode, &va) == 0)
		on->on_ino = overlay_ino(on->on_mount, up->n_vnode, va.va_ino);		/* V5 */
	if (up->n_vnode->v_obj != NULL) {
		vmobj_hold(up->n_vnode->v_obj);
		on->on_old_obj = vn->v_obj;
		vn->v_obj = up->n_vnode->v_obj;
	}
	on->on_upper = up;
	if (!on->on_gone)
		onode_pin(on);
	return 0;
}

static int
copy_one(struct onode *on, uint64_t most)
{
	struct oact act;
	int error = 0;

	lk_excl(&on->on_lk);
	if (on->on_upper == NULL) {
		oact_begin(&act);
		error = copy_locked(on, most);
		oact_end(&act);
	}
	lk_release(&on->on_lk);
	return error;
}

int
overlay_copy_up(struct onode *on, uint64_t most)
{
	if (on->on_mount->om_upper == NULL)
		return EROFS;
	while (on->on_upper == NULL) {
		struct onode *top = on;
		int error;

		while (top->on_home != NULL && top->on_home->on_upper == NULL)
			top = top->on_home;
		error = copy_one(top, top == on ? most : UINT64_MAX);
		if (error != 0)
			return error;
	}
	return 0;
}
