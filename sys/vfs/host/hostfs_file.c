/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfs_file - contents.
 *
 * Pages are a cache of what the driver has.  A write goes to the driver at
 * once and exactly as it is, and then into those pages that are there; so a
 * full disk is told to who writes, and somebody else who appends to the same
 * file loses nothing.  Only stores through shared mappings make pages that
 * the driver has to be told of later: at msync and fsync, when memory is
 * short, and before the pages go.
 *
 * Invariants
 *   F1  a page that is not dirty has what the driver answered last, or a
 *       write of ours since.
 *   F2  write-back and writes exclude each other, or an older page would go out
 *       over a newer write: who writes back has the whole range.
 *   F3  o_bytes changes under the range from the smaller size on, and is then
 *       h_attr.fa_size.
 *
 * Locking: h_range, as range.c says, for as long as the driver needs; so
 * those who want other bytes of the file need not wait for it.
 *
 * A fault fills pages and takes no range, so the buffer of a read or write may
 * be a mapping of the same file: a write tells the driver first and the pages
 * second, whichever of the two a fill came between it has the new bytes.
 */
#include "hostfs_int.h"

#include <abi/errno.h>
#include <abi/stat.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/cred.h>
#include <sys/vm/kmem.h>

#define STEP_BYTES	65536u
#define FILE_BYTES_MAX	((uint64_t)INT64_MAX)
#define INDEX_MAX	(FILE_BYTES_MAX >> PAGE_SHIFT)
#define FALLOC_ZEROES	0x12u		/* punch a hole, zero a range */
#define FALLOC_MOVES	0x28u		/* take a range out, put one in */

/* --------------------------------------------------------------- object -- */

static int
hobj_fill(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t *n)
{
	struct hnode *h = o->o_arg;
	struct fs_req r = { .fr_op = FS_READ, .fr_node = h->h_id, .fr_off = index << PAGE_SHIFT };
	uint64_t got, filled;
	int error;

	_Static_assert(VMOBJ_FILL_MAX <= FS_SEGS, "one request for what is filled at once");
	for (; r.fr_nseg < *n; r.fr_nseg++) {
		r.fr_seg[r.fr_nseg].pa = page_pa(pg[r.fr_nseg]);
		r.fr_seg[r.fr_nseg].len = PAGE_BYTES;
	}
	error = hreq_ask(h->h_mount, &r);
	if (error != 0)
		return error;
	/* After less than all comes the end, or something that only who asks for it shall hear of. */
	got = rt_min(r.fr_count, (uint64_t)*n << PAGE_SHIFT);
	filled = rt_max(page_round(got), PAGE_BYTES);
	*n = (uint32_t)(filled >> PAGE_SHIFT);
	memset((char *)page_va(pg[*n - 1]) + PAGE_BYTES - (filled - got), 0, filled - got);
	return 0;
}

static int
hobj_write(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t n)
{
	struct hnode *h = o->o_arg;
	struct fs_req r = { .fr_op = FS_WRITE, .fr_node = h->h_id, .fr_off = index << PAGE_SHIFT };
	uint64_t size = o->o_bytes, want = 0;
	int error;

	_Static_assert(VMOBJ_WRITE_MAX <= FS_SEGS, "one request for what is written at once");
	for (uint32_t i = 0; i < n && r.fr_off + want < size; i++) {
		r.fr_seg[i].pa = page_pa(pg[i]);
		r.fr_seg[i].len = rt_min(PAGE_BYTES, size - r.fr_off - want);
		want += r.fr_seg[i].len;
		r.fr_nseg = i + 1;
	}
	if (want == 0)
		return 0;		/* beyond the end: nobody's */
	hnode_change(h);
	error = hreq_ask(h->h_mount, &r);
	if (error == 0 && r.fr_count != want)
		error = EIO;
	hnode_changed(h, error == 0 ? &r.fr_attr : NULL, false);
	return error;
}

static int
hobj_clean(struct vmobj *o, bool try)
{
	struct hnode *h = o->o_arg;
	struct range r;
	int error;

	if (!try)
		range_lock(&h->h_range, &r, 0, RANGE_END, true);
	else if (!range_try(&h->h_range, &r, 0, RANGE_END, true))
		return EAGAIN;
	error = vmobj_flush(o);
	range_unlock(&h->h_range, &r);
	return error;
}

static void
hobj_free(struct vmobj *o)
{
	struct hnode *h = o->o_arg;

	spin_lock(&h->h_mount->hm_spin);
	if (h->h_obj == o)
		h->h_obj = NULL;
	spin_unlock(&h->h_mount->hm_spin);
	hnode_drop(h);
}

static const struct vmobj_ops hobj_ops = {
	.vo_fill = hobj_fill, .vo_free = hobj_free, .vo_write = hobj_write, .vo_clean = hobj_clean,
};

/* The object that the node has, held, or `fresh` as its own from now on, or NULL. */
static struct vmobj *
object_now(struct hnode *h, struct vmobj *fresh)
{
	struct vmobj *o;

	spin_lock(&h->h_mount->hm_spin);
	o = h->h_obj;
	if (o == NULL || !vmobj_try_hold(o))
		o = fresh;
	if (o != NULL)
		h->h_obj = o;
	spin_unlock(&h->h_mount->hm_spin);
	return o;
}

int
hfile_object(struct hnode *h, struct vmobj **out)
{
	struct vmobj *fresh;
	int error;

	*out = object_now(h, NULL);
	if (*out != NULL)
		return 0;
	error = vmobj_create(&hobj_ops, h, h->h_attr.fa_size, &fresh);
	if (error != 0)
		return error;
	hnode_hold(h);
	*out = object_now(h, fresh);
	if (*out != fresh)
		vmobj_drop(fresh);
	return 0;
}

void
hfile_outdated(struct hnode *h)
{
	struct vmobj *o = object_now(h, NULL);
	struct range r;

	if (o == NULL)
		return;
	range_lock(&h->h_range, &r, 0, RANGE_END, true);
	(void)vmobj_flush(o);		/* what fails is lost: the file is another now */
	(void)vmobj_resize(o, h->h_attr.fa_size);
	vmobj_remove(o, 0, INDEX_MAX);
	range_unlock(&h->h_range, &r);
	vmobj_drop(o);
}

/* -------------------------------------------------------------- reading -- */

int
hfile_read(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	struct hnode *h = vn_hnode(vn);
	struct range r;
	int error;

	(void)ioflag;
	if (vn->v_type != VREG)
		return EINVAL;
	error = hnode_refresh(h);
	if (error != 0)
		return error;
	range_lock(&h->h_range, &r, u->u_off, range_end(u->u_off, u->u_resid), false);
	error = vobj_read(vn->v_obj, u);
	range_unlock(&h->h_range, &r);
	return error;
}

/* -------------------------------------------------------------- writing -- */

/* Who writes to a set-id program without the right to make one gets a plain file. */
static void
drop_setid(struct hnode *h)
{
	struct fs_req r = { .fr_op = FS_SETATTR, .fr_node = h->h_id, .fr_mask = FSA_MODE };
	uint32_t mode = h->h_attr.fa_mode, kill = mode & S_ISUID;
	int error;

	if ((mode & (S_ISGID | 010)) == (S_ISGID | 010))
		kill |= S_ISGID;
	if (kill == 0 || cred_capable(vfs_cred(), CAP_FSETID))
		return;
	r.fr_attr.fa_mode = mode & ~kill;
	hnode_change(h);
	error = hreq_ask(h->h_mount, &r);
	hnode_changed(h, error == 0 ? &r.fr_attr : NULL, false);
}

/* The driver has these bytes: so have the pages that are there.  F2 */
static int
update_pages(struct vmobj *o, uint64_t off, const char *buf, uint64_t len)
{
	struct page *pg;
	uint64_t n, in;
	int error;

	for (; len > 0; off += n, buf += n, len -= n) {
		in = off & PAGE_MASK;
		n = rt_min(PAGE_BYTES - in, len);
		error = vmobj_page(o, off >> PAGE_SHIFT, VMOBJ_NOCREATE | VMOBJ_CHANGE, &pg);
		if (error == ENOENT)
			continue;
		if (error != 0)
			return error;
		memcpy((char *)page_va(pg) + in, buf, n);
		page_drop(pg);
	}
	return 0;
}

/* The size is `bytes` now.  What a mapping wrote beyond the old end shall not come to light.  [h_range] */
static int
set_size(struct vmobj *o, uint64_t bytes)
{
	uint64_t end = o->o_bytes, in = end & PAGE_MASK;
	struct page *pg;

	if (bytes > end && in != 0 &&
	    vmobj_page(o, end >> PAGE_SHIFT, VMOBJ_NOCREATE | VMOBJ_CHANGE, &pg) == 0) {
		memset((char *)page_va(pg) + in, 0, PAGE_BYTES - in);
		page_drop(pg);
	}
	return vmobj_resize(o, bytes);
}

struct step {
	struct vnode	*vn;
	char		*buf;
	uint64_t	off;		/* where; of an append, then where it was */
	bool		append;
	bool		tail;		/* the range goes on for ever: the size is ours */
};

/* The first `len` bytes of buf go to the driver, then into the pages; *done of them did.  [h_range] */
static int
write_step(struct step *s, uint64_t len, uint64_t *done)
{
	struct hnode *h = vn_hnode(s->vn);
	struct vmobj *o = s->vn->v_obj;
	struct fs_req r = { .fr_op = FS_WRITE, .fr_node = h->h_id, .fr_off = s->off };
	uint64_t expect;
	int error;

	if (s->append)
		r.fr_flags = FSF_APPEND;
	hreq_buffer(&r, s->buf, len);
	hnode_change(h);
	error = hreq_ask(h->h_mount, &r);
	hnode_changed(h, error == 0 ? &r.fr_attr : NULL, s->tail);
	if (error != 0)
		return error;
	*done = rt_min(r.fr_count, len);
	if (s->append)
		s->off = r.fr_attr.fa_size - rt_min(*done, r.fr_attr.fa_size);
	expect = rt_max(o->o_bytes, s->off + *done);
	if (s->tail)
		error = set_size(o, r.fr_attr.fa_size);
	if (error == 0)
		error = update_pages(o, s->off, s->buf, *done);
	if (s->tail && (r.fr_attr.fa_size != expect || (s->append && s->off + *done != expect)))
		vmobj_remove(o, 0, INDEX_MAX);		/* somebody else wrote, too */
	s->off += *done;
	return error == 0 && *done < len ? EAGAIN : error;
}

int
hfile_write(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	struct hnode *h = vn_hnode(vn);
	struct step s = { .vn = vn, .append = (ioflag & IO_APPEND) != 0 };
	uint64_t before = u->u_resid, resid, want, done;
	struct range r;
	int error = 0, copy_error = 0;

	if (vn->v_type != VREG)
		return EINVAL;
	if (before == 0)
		return 0;
	if (!s.append && u->u_off >= FILE_BYTES_MAX)
		return EFBIG;
	s.buf = kmalloc(rt_min(before, STEP_BYTES), KM_WAIT);
	if (s.buf == NULL)
		return ENOMEM;
	vobj_lock_write(vn->v_obj, &h->h_range, &r, s.append ? UINT64_MAX : u->u_off, before);
	s.tail = r.r_end == RANGE_END;
	while (u->u_resid > 0 && error == 0 && copy_error == 0) {
		resid = u->u_resid;
		s.off = u->u_off;
		want = rt_min(resid, STEP_BYTES);
		if (!s.append)
			want = rt_min(want, FILE_BYTES_MAX - s.off);
		copy_error = want == 0 ? EFBIG : uio_move(s.buf, want, u);
		done = 0;
		if (resid > u->u_resid)
			error = write_step(&s, resid - u->u_resid, &done);
		u->u_resid = resid - done;		/* what did not leave was not taken */
		u->u_off = s.off;
		lwkt_poll();
	}
	if (u->u_resid != before)
		drop_setid(h);
	range_unlock(&h->h_range, &r);
	kfree(s.buf);
	if (error == EAGAIN)
		error = 0;		/* less than all: the next call hears why */
	return error != 0 ? error : copy_error;
}

int
hfile_resize(struct vnode *vn, uint64_t bytes)
{
	struct hnode *h = vn_hnode(vn);
	struct fs_req q = { .fr_op = FS_SETATTR, .fr_node = h->h_id, .fr_mask = FSA_SIZE };
	struct range r;
	int error;

	if (bytes > FILE_BYTES_MAX)
		return EFBIG;
	q.fr_attr.fa_size = bytes;
	vobj_lock_size(vn->v_obj, &h->h_range, &r, bytes);
	hnode_change(h);
	error = hreq_ask(h->h_mount, &q);
	hnode_changed(h, error == 0 ? &q.fr_attr : NULL, true);
	if (error == 0) {
		error = set_size(vn->v_obj, q.fr_attr.fa_size);
		drop_setid(h);
	}
	range_unlock(&h->h_range, &r);
	return error;
}

/* What mappings wrote goes first, as the driver looks at what it has. */
int
hfile_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len)
{
	struct hnode *h = vn_hnode(vn);
	struct vmobj *o = vn->v_obj;
	struct fs_req q = { .fr_op = FS_ALLOCATE, .fr_node = h->h_id, .fr_mask = mode, .fr_off = off };
	uint64_t end = range_end(off, len);
	struct range r;
	int error;

	if (vn->v_type != VREG)
		return vn->v_type == VDIR ? EISDIR : ENODEV;
	if (end > FILE_BYTES_MAX)
		return EFBIG;
	q.fr_attr.fa_size = len;
	range_lock(&h->h_range, &r, 0, RANGE_END, true);
	error = vmobj_flush(o);
	if (error == 0) {
		hnode_change(h);
		error = hreq_ask(h->h_mount, &q);
		hnode_changed(h, error == 0 ? &q.fr_attr : NULL, true);
	}
	if (error == 0) {
		error = set_size(o, q.fr_attr.fa_size);
		if ((mode & FALLOC_MOVES) != 0)
			vmobj_remove(o, off >> PAGE_SHIFT, INDEX_MAX);
		else if ((mode & FALLOC_ZEROES) != 0 && error == 0)
			error = vobj_punch(o, off, end);
		drop_setid(h);
	}
	range_unlock(&h->h_range, &r);
	return error;
}

int
hfile_seek(struct vnode *vn, uint64_t off, bool data, uint64_t *result)
{
	struct hnode *h = vn_hnode(vn);
	struct fs_req q = { .fr_op = FS_SEEK, .fr_node = h->h_id, .fr_mask = !data, .fr_off = off };
	int error;

	if (vn->v_type != VREG)
		return EINVAL;
	error = hobj_clean(vn->v_obj, false);
	if (error == 0)
		error = hreq_ask(h->h_mount, &q);
	if (error == 0)
		*result = q.fr_count;
	return error;
}

int
hfile_fsync(struct vnode *vn)
{
	struct hnode *h = vn_hnode(vn);
	struct fs_req r = { .fr_op = FS_FSYNC, .fr_node = h->h_id };
	int error = 0;

	if (vn->v_obj != NULL)
		error = hobj_clean(vn->v_obj, false);
	return error != 0 ? error : hreq_ask(h->h_mount, &r);
}
