/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmpfs_file - contents of regular files.
 *
 * A write puts its bytes into pages of the object first and makes the file
 * longer afterwards, so that a reader or a mapping never sees a length
 * without the bytes, and a write cut short by a bad address leaves the length
 * that its bytes justify.
 *
 * Invariants
 *   F1  td_charged of an object is what it added to tm_pages.
 *   F2  a page is charged when it is filled; it is refused at the limit.
 *
 * Locking: v_range of the file, the bytes concerned: shared to read, exclusive
 * to change; what changes the size, as range.c says.  No page is busy and no
 * token held while user memory is touched, and a page fault takes no range,
 * so the buffer of a read or write may be a mapping of the same file.
 */
#include "tmpfs_int.h"

#include <abi/errno.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/cred.h>
#include <sys/vm/kmem.h>

#define FILE_BYTES_MAX		((uint64_t)INT64_MAX)
#define FALLOC_KEEP_SIZE	1u
#define FALLOC_PUNCH_HOLE	2u

struct tdata {
	struct tmount	*td_mount;	/* const, counted */
	_Atomic uint64_t td_charged;	/* [atomic] */
};

static int
data_fill(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t *n)
{
	struct tdata *td = o->o_arg;

	(void)index;
	(void)pg;
	ASSERT(*n == 1);
	if (!budget_take(&td->td_mount->tm_pages, 1))
		return ENOSPC;
	atomic_fetch_add(&td->td_charged, 1);
	return 0;
}

static void
data_free(struct vmobj *o)
{
	struct tdata *td = o->o_arg;

	budget_give(&td->td_mount->tm_pages, td->td_charged);
	tmount_drop(td->td_mount);
	kfree(td);
}

static const struct vmobj_ops data_ops = { .vo_fill = data_fill, .vo_free = data_free };

int
tfile_object(struct tmount *tm, struct vmobj **out)
{
	struct tdata *td = kmalloc(sizeof *td, KM_ZERO | KM_WAIT);
	int error;

	if (td == NULL)
		return ENOMEM;
	td->td_mount = tm;
	error = vmobj_create(&data_ops, td, 0, out);
	if (error != 0) {
		kfree(td);
		return error;
	}
	atomic_fetch_add(&tm->tm_nodes, 1);
	return 0;
}

/* Pages were given back: the charge becomes what is there. */
static void
recount(struct vmobj *o)
{
	struct tdata *td = o->o_arg;
	uint64_t was, is;

	token_get(&o->o_tok);
	is = o->o_npages;
	was = atomic_exchange(&td->td_charged, is);
	token_release(&o->o_tok);
	if (is <= was)
		budget_give(&td->td_mount->tm_pages, was - is);
	else
		budget_force(&td->td_mount->tm_pages, is - was);
}

int
tfile_read(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	struct tnode *t = vn_tnode(vn);
	struct range r;
	int error;

	if (vn->v_type != VREG)
		return EINVAL;
	range_lock(&vn->v_range, &r, u->u_off, range_end(u->u_off, u->u_resid), false);
	error = vobj_read(vn->v_obj, u);
	range_unlock(&vn->v_range, &r);
	/* As relatime has it, without its rule about a day. */
	if ((ioflag & IO_NOATIME) == 0 && ((int64_t)t->t_atime <= (int64_t)t->t_mtime ||
	    (int64_t)t->t_atime <= (int64_t)t->t_ctime) &&
	    (vn->v_mount->mp_flags & (MS_NOATIME | MS_RDONLY)) == 0)
		tnode_touch(t, VA_ATIME);
	return error;
}

/* Who writes to a set-id program without the right to make one gets a plain file. */
static void
drop_setid(struct tnode *t)
{
	uint32_t kill = t->t_mode & S_ISUID;

	if ((t->t_mode & (S_ISGID | 010)) == (S_ISGID | 010))
		kill |= S_ISGID;
	if (kill == 0 || cred_capable(vfs_cred(), CAP_FSETID))
		return;
	spin_lock(&t->t_spin);
	t->t_mode &= ~kill;
	spin_unlock(&t->t_spin);
}

/* [v_range] */
static int
write_locked(struct vnode *vn, struct uio *u)
{
	struct vmobj *o = vn->v_obj;
	uint64_t before = u->u_resid, cut, len;
	int error, error2;

	if (u->u_off >= FILE_BYTES_MAX)
		return EFBIG;
	len = rt_min(before, FILE_BYTES_MAX - u->u_off);
	error = tseal_write(vn_tnode(vn), u->u_off, &len);
	cut = before - len;
	u->u_resid -= cut;
	if (error == 0)
		error = vobj_write(o, u);
	u->u_resid += cut;
	if (u->u_resid != before) {
		if (u->u_off > o->o_bytes) {
			error2 = vmobj_resize(o, u->u_off);
			if (error == 0)
				error = error2;
		}
		drop_setid(vn_tnode(vn));
		tnode_touch(vn_tnode(vn), VA_MTIME | VA_CTIME);
	}
	return error;
}

int
tfile_write(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	bool append = (ioflag & IO_APPEND) != 0;
	struct range r;
	int error;

	if (vn->v_type != VREG)
		return EINVAL;
	if (u->u_resid == 0)
		return 0;
	vobj_lock_write(vn->v_obj, &vn->v_range, &r, append ? UINT64_MAX : u->u_off, u->u_resid);
	if (append)
		u->u_off = vn->v_obj->o_bytes;
	error = write_locked(vn, u);
	range_unlock(&vn->v_range, &r);
	return error;
}

int
tfile_resize(struct vnode *vn, uint64_t bytes)
{
	struct vmobj *o = vn->v_obj;
	struct range r;
	int error = 0;

	if (bytes > FILE_BYTES_MAX)
		return EFBIG;
	vobj_lock_size(vn->v_obj, &vn->v_range, &r, bytes);
	error = tseal_resize(vn_tnode(vn), bytes);
	if (error == 0 && bytes != o->o_bytes) {
		error = vmobj_resize(o, bytes);
		recount(o);
	}
	range_unlock(&vn->v_range, &r);
	if (error == 0)
		drop_setid(vn_tnode(vn));
	return error;
}

/* All or nothing against the limit: what is missing is counted before the first page is made. */
static int
fill(struct vmobj *o, uint64_t first, uint64_t last)
{
	struct tdata *td = o->o_arg;
	uint64_t missing = 0, used = budget_used(&td->td_mount->tm_pages), at = first;
	uint64_t most = td->td_mount->tm_pages.b_max;
	struct page *pg;
	int error;

	if (last - first > most)
		return ENOSPC;
	while ((at = vmobj_seek(o, at, false)) < last) {
		missing++;
		at++;
	}
	if (used > most || missing > most - used)
		return ENOSPC;
	for (at = first; at < last; at++) {
		error = vmobj_page(o, at, 0, &pg);
		if (error != 0)
			return error;
		page_drop(pg);
		lwkt_poll();
	}
	return 0;
}

int
tfile_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len)
{
	struct vmobj *o = vn->v_obj;
	uint64_t end, none = 0;
	struct range r;
	int error;

	if (vn->v_type != VREG)
		return vn->v_type == VDIR ? EISDIR : ENODEV;
	if ((mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE)) != 0 || mode == FALLOC_PUNCH_HOLE)
		return EOPNOTSUPP;
	if (rt_add_overflows(off, len, &end) || end > FILE_BYTES_MAX)
		return EFBIG;
	if ((mode & FALLOC_PUNCH_HOLE) != 0)
		range_lock(&vn->v_range, &r, off, end, true);
	else
		vobj_lock_size(o, &vn->v_range, &r, off);
	if ((mode & FALLOC_PUNCH_HOLE) != 0)
		error = tseal_write(vn_tnode(vn), 0, &none);
	else
		error = end > o->o_bytes ? tseal_resize(vn_tnode(vn), end) : 0;
	if (error == 0 && (mode & FALLOC_PUNCH_HOLE) != 0) {
		error = vobj_punch(o, off, rt_min(end, page_round(o->o_bytes)));
		if (error == 0)
			recount(o);
	} else if (error == 0) {
		error = fill(o, off >> PAGE_SHIFT, page_round(end) >> PAGE_SHIFT);
		if (error == 0 && (mode & FALLOC_KEEP_SIZE) == 0 && end > o->o_bytes)
			error = vmobj_resize(o, end);
	}
	if (error == 0)
		tnode_touch(vn_tnode(vn), VA_MTIME | VA_CTIME);
	range_unlock(&vn->v_range, &r);
	return error;
}
