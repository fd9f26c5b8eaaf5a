/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vnode - files as objects: life, operations with their defaults, access.
 *
 * A vnode is a counted handle on a filesystem's node.  The filesystem that
 * keeps its nodes in memory holds a reference of its own for as long as the
 * node has a link, so v_refs reaching 0 always means "gone for good" and
 * nothing ever revives a vnode.
 *
 * Invariants
 *   V1  v_type, v_ops, v_data, v_mount never change.
 *   V2  vop_inactive runs once, after the last reference, in a context that
 *       may sleep.
 *   V3  what a vnode needs (v_needs) goes after it, in a loop, not in a
 *       recursion: such chains are as long as paths are deep.
 *
 * Locking: v_lk as vnode.h says.  Not here: names, paths, open files.
 */
#include <sys/vfs/vnode.h>

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/budget.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/cred.h>
#include <sys/proc/proc.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

#define READ_PAGES	16u		/* looked up at once */

static struct serial vnode_ids;

int
vnode_create(struct mount *mp, enum v_type type, const struct vnode_ops *ops, void *data, struct vnode **out)
{
	struct vnode *vn;

	ASSERT(mp != NULL && ops != NULL);
	vn = kmalloc(sizeof *vn, KM_ZERO | KM_WAIT);
	if (vn == NULL)
		return ENOMEM;
	vn->v_refs = 1;
	vn->v_type = type;
	vn->v_ops = ops;
	vn->v_data = data;
	vn->v_mount = mp;
	mount_hold(mp);
	lk_init(&vn->v_lk, LR_vnode);
	range_lock_init(&vn->v_range);
	vn->v_id = serial_next(&vnode_ids);
	*out = vn;
	return 0;
}

void
vnode_hold(struct vnode *vn)
{
	uint32_t old = atomic_fetch_add_explicit(&vn->v_refs, 1, memory_order_relaxed);

	ASSERT(old != 0);
}

bool
vnode_try_hold(struct vnode *vn)
{
	uint32_t refs = atomic_load_explicit(&vn->v_refs, memory_order_relaxed);

	while (refs != 0) {
		if (atomic_compare_exchange_weak_explicit(&vn->v_refs, &refs, refs + 1, memory_order_acquire,
		    memory_order_relaxed))
			return true;
	}
	return false;
}

void
vnode_drop(struct vnode *vn)
{
	while (vn != NULL) {
		uint32_t old = atomic_fetch_sub_explicit(&vn->v_refs, 1, memory_order_acq_rel);
		struct vnode *next;

		ASSERT(old != 0);
		if (old == (VNODE_WATCHED | 1))
			notify_unused(vn);
		if (old != 1)
			return;
		if (vn->v_ops->vop_inactive != NULL)
			vn->v_ops->vop_inactive(vn);
		if (vn->v_obj != NULL)
			vmobj_drop(vn->v_obj);
		mount_drop(vn->v_mount);
		next = vn->v_needs;		/* V3 */
		kfree(vn);
		vn = next;
	}
}

/* The kernel itself, where no process is about: boot, tests. */
static const struct cred kernel_cred = {
	.cr_refs = 1,
	.cr_cap_perm = UINT64_MAX, .cr_cap_eff = UINT64_MAX, .cr_cap_bnd = UINT64_MAX,
};

const struct cred *
vfs_cred(void)
{
	struct lwp *l = curthread->td_lwp;

	if (l == NULL)
		return &kernel_cred;
	return l->l_vfs_cred != NULL ? l->l_vfs_cred : cred_current();
}

const struct cred *
vfs_act_as(const struct cred *cr)
{
	struct lwp *l = curthread->td_lwp;
	const struct cred *was;

	if (l == NULL)
		return NULL;		/* the kernel itself may do everything */
	was = l->l_vfs_cred;
	l->l_vfs_cred = cr;
	return was;
}

int
vn_access_mode(enum v_type type, uint32_t mode, uint32_t uid, uint32_t gid, uint32_t want,
    const struct cred *cr)
{
	uint32_t bits;

	if (cr->cr_fsuid == uid)
		bits = mode >> 6;
	else if (cred_in_group(cr, gid))
		bits = mode >> 3;
	else
		bits = mode;
	if ((want & ~bits & 7) == 0)
		return 0;
	/* Capabilities: everything, but running a file needs one x at least. */
	if (type == VDIR) {
		if ((want & 2) == 0 && cred_capable(cr, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_capable(cr, CAP_DAC_OVERRIDE) ? 0 : EACCES;
	}
	if (want == 4 && cred_capable(cr, CAP_DAC_READ_SEARCH))
		return 0;
	if (((want & 1) == 0 || (mode & 0111) != 0) && cred_capable(cr, CAP_DAC_OVERRIDE))
		return 0;
	return EACCES;
}

int
vn_getattr(struct vnode *vn, struct vattr *out)
{
	memset(out, 0, sizeof *out);
	if (vn->v_ops->vop_getattr == NULL)
		return EIO;
	return vn->v_ops->vop_getattr(vn, out);
}

int
vn_setattr(struct vnode *vn, const struct vattr *va)
{
	if (vn->v_ops->vop_setattr == NULL)
		return EPERM;
	return vn->v_ops->vop_setattr(vn, va);
}

int
vn_access(struct vnode *vn, uint32_t want, const struct cred *cr)
{
	struct vattr va;
	int error;

	if (vn->v_ops->vop_access != NULL)
		return vn->v_ops->vop_access(vn, want, cr);
	error = vn_getattr(vn, &va);
	if (error != 0)
		return error;
	return vn_access_mode(vn->v_type, va.va_mode, va.va_uid, va.va_gid, want, cr);
}

int
vn_read(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	if (vn->v_type == VDIR)
		return EISDIR;
	if (vn->v_ops->vop_read == NULL)
		return EINVAL;
	return vn->v_ops->vop_read(vn, u, ioflag);
}

int
vn_write(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	if (vn->v_type == VDIR)
		return EISDIR;
	if (vn->v_ops->vop_write == NULL)
		return EINVAL;
	return vn->v_ops->vop_write(vn, u, ioflag);
}

int
vn_read_kernel(struct vnode *vn, void *buf, size_t len, uint64_t off, size_t *done)
{
	struct uio_seg seg;
	struct uio u;
	int error;

	uio_kernel(&u, &seg, buf, len, off, true);
	error = vn_read(vn, &u, 0);
	*done = len - u.u_resid;
	return error;
}

int
vn_readlink(struct vnode *vn, char *buf, size_t size, size_t *len)
{
	if (vn->v_type != VLNK || vn->v_ops->vop_readlink == NULL)
		return EINVAL;
	return vn->v_ops->vop_readlink(vn, buf, size, len);
}

int
vn_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	int error;

	if (dir->v_type != VDIR || dir->v_ops->vop_readdir == NULL)
		return ENOTDIR;
	lk_shared(&dir->v_lk);
	error = dir->v_ops->vop_readdir(dir, cookie, emit, arg);
	lk_release(&dir->v_lk);
	return error;
}

int
vn_open(struct vnode *vn, struct file *fp)
{
	if (vn->v_type == VSOCK)
		return ENXIO;		/* is connected to, not opened */
	if (vn->v_ops->vop_open != NULL)
		return vn->v_ops->vop_open(vn, fp);
	return vn->v_type == VCHR || vn->v_type == VBLK ? dev_open(vn, fp) : 0;
}

int
vn_ioctl(struct vnode *vn, uint32_t cmd, uaddr_t arg)
{
	return vn->v_ops->vop_ioctl == NULL ? ENOTTY : vn->v_ops->vop_ioctl(vn, cmd, arg);
}

uint32_t
vn_poll(struct vnode *vn, struct pollnote *note)
{
	/* POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM: a file never makes anybody wait. */
	return vn->v_ops->vop_poll == NULL ? 0x145u : vn->v_ops->vop_poll(vn, note);
}

int
vn_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len)
{
	return vn->v_ops->vop_allocate == NULL ? EOPNOTSUPP : vn->v_ops->vop_allocate(vn, mode, off, len);
}

int
vn_seal(struct vnode *vn, const uint32_t *add, uint32_t *now)
{
	return vn->v_ops->vop_seal != NULL ? vn->v_ops->vop_seal(vn, add, now) : EINVAL;
}

int
vn_fsync(struct vnode *vn)
{
	return vn->v_ops->vop_fsync == NULL ? 0 : vn->v_ops->vop_fsync(vn);
}

int
vn_seek(struct vnode *vn, uint64_t off, bool data, uint64_t *result)
{
	struct vattr va;
	uint64_t index, at;
	int error;

	error = vn_getattr(vn, &va);
	if (error != 0)
		return error;
	if (off >= va.va_size)
		return ENXIO;
	if (vn->v_ops->vop_seek != NULL)
		return vn->v_ops->vop_seek(vn, off, data, result);
	if (vn->v_obj == NULL || vmobj_is_cache(vn->v_obj)) {
		*result = data ? off : va.va_size;
		return 0;
	}
	index = vmobj_seek(vn->v_obj, off >> PAGE_SHIFT, data);
	if (index == UINT64_MAX || index >= page_round(va.va_size) >> PAGE_SHIFT) {
		if (data)
			return ENXIO;
		*result = va.va_size;
		return 0;
	}
	at = index << PAGE_SHIFT;
	*result = at < off ? off : at;
	return 0;
}

/* File times may lie before 1970: signed, and the part below a second never negative. */
static struct k_timespec
to_timespec(nsec_t t)
{
	const int64_t one = (int64_t)NSEC_PER_SEC;
	struct k_timespec ts = { (int64_t)t / one, (int64_t)t % one };

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += one;
	}
	return ts;
}

void
vattr_to_stat(struct vnode *vn, const struct vattr *va, struct k_stat *out)
{
	static const uint32_t type_mode[] = {
		[VREG] = S_IFREG, [VDIR] = S_IFDIR, [VLNK] = S_IFLNK, [VCHR] = S_IFCHR,
		[VBLK] = S_IFBLK, [VFIFO] = S_IFIFO, [VSOCK] = S_IFSOCK,
	};

	out->st_dev = vn->v_mount->mp_dev;
	out->st_ino = va->va_ino;
	out->st_nlink = va->va_nlink;
	out->st_mode = type_mode[vn->v_type] | (va->va_mode & 07777);
	out->st_uid = va->va_uid;
	out->st_gid = va->va_gid;
	out->st_pad0 = 0;
	out->st_rdev = va->va_rdev;
	out->st_size = (int64_t)va->va_size;
	out->st_blksize = va->va_blksize != 0 ? va->va_blksize : (int64_t)PAGE_BYTES;
	out->st_blocks = (int64_t)va->va_blocks512;
	out->st_atim = to_timespec(va->va_atime);
	out->st_mtim = to_timespec(va->va_mtime);
	out->st_ctim = to_timespec(va->va_ctime);
	out->st_unused[0] = out->st_unused[1] = out->st_unused[2] = 0;
}

/*
 * Reading: a hole is answered with zeros and stays a hole, unless the pages are
 * a cache.  The pages are held, not busy, while user memory is touched, so a
 * fault there may use this very object.
 */
int
vobj_read(struct vmobj *o, struct uio *u)
{
	uint32_t flags = vmobj_is_cache(o) ? 0 : VMOBJ_NOCREATE, n;
	struct page *run[READ_PAGES];
	uint64_t in, left, len, want;
	int error = 0;

	while (error == 0 && u->u_resid > 0 && u->u_off < o->o_bytes) {
		in = u->u_off & PAGE_MASK;
		left = rt_min(u->u_resid, o->o_bytes - u->u_off);
		want = rt_min(in + left, READ_PAGES << PAGE_SHIFT);
		n = (uint32_t)(page_round(want) >> PAGE_SHIFT);
		error = vmobj_pages(o, u->u_off >> PAGE_SHIFT, flags, run, &n);
		if (error == ENOENT) {
			error = uio_zero(rt_min(PAGE_BYTES - in, left), u);
			n = 0;
		}
		for (uint32_t i = 0; error == 0 && i < n; i++, left -= len, in = 0) {
			len = rt_min(PAGE_BYTES - in, left);
			error = uio_move((char *)page_va(run[i]) + in, len, u);
		}
		while (n > 0)
			page_drop(run[--n]);
		lwkt_poll();
	}
	return error;
}

int
vobj_write(struct vmobj *o, struct uio *u)
{
	struct page *pg;
	uint64_t n, in;
	int error;

	while (u->u_resid > 0) {
		in = u->u_off & PAGE_MASK;
		n = rt_min(PAGE_BYTES - in, u->u_resid);
		error = vmobj_page(o, u->u_off >> PAGE_SHIFT, VMOBJ_DIRTY, &pg);
		if (error != 0)
			return error;
		error = uio_move((char *)page_va(pg) + in, n, u);
		page_drop(pg);
		if (error != 0)
			return error;
		lwkt_poll();
	}
	return 0;
}

static int
zero_part(struct vmobj *o, uint64_t from, uint64_t to)
{
	uint32_t how = VMOBJ_NOCREATE | (vmobj_is_cache(o) ? VMOBJ_CHANGE : VMOBJ_DIRTY);
	struct page *pg;
	int error;

	if (from >= to)
		return 0;
	error = vmobj_page(o, from >> PAGE_SHIFT, how, &pg);
	if (error == ENOENT)
		return 0;
	if (error != 0)
		return error;
	memset((char *)page_va(pg) + (from & PAGE_MASK), 0, to - from);
	page_drop(pg);
	return 0;
}

int
vobj_punch(struct vmobj *o, uint64_t off, uint64_t end)
{
	uint64_t first = page_round(off), last = page_trunc(end);
	int error;

	if (first > last)		/* within one page */
		return zero_part(o, off, end);
	error = zero_part(o, off, first);
	if (error == 0)
		error = zero_part(o, last, end);
	if (error == 0 && first < last)
		vmobj_remove(o, first >> PAGE_SHIFT, last >> PAGE_SHIFT);
	return error;
}

void
vobj_lock_size(struct vmobj *o, struct range_lock *rl, struct range *r, uint64_t at)
{
	for (;;) {
		range_lock(rl, r, rt_min(at, o->o_bytes), RANGE_END, true);
		if (r->r_first <= o->o_bytes)
			return;
		range_unlock(rl, r);		/* smaller still meanwhile */
	}
}

void
vobj_lock_write(struct vmobj *o, struct range_lock *rl, struct range *r, uint64_t off, uint64_t len)
{
	uint64_t end = range_end(off, len);

	if (end <= o->o_bytes) {
		range_lock(rl, r, off, end, true);
		if (end <= o->o_bytes)
			return;
		range_unlock(rl, r);		/* truncated meanwhile */
	}
	vobj_lock_size(o, rl, r, off);
}
