/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vnode_file - open files that are vnodes: regular files, directories, and
 * devices that kept these operations.
 *
 * The vnode does the work; here are the rules of a description: append,
 * position, the file size limit.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/vfs/notify.h>

#define LIMIT_FSIZE	1	/* RLIMIT_FSIZE's index in p_rlimit */

static int
vf_read(struct file *fp, struct uio *u)
{
	uint32_t ioflag = (atomic_load(&fp->f_flags) & O_NONBLOCK) != 0 ? IO_NONBLOCK : 0;

	if (fp->f_vnode->v_type == VDIR)
		return EISDIR;
	if (u->u_off > INT64_MAX || u->u_resid > INT64_MAX - u->u_off)
		return EINVAL;
	return vn_read(fp->f_vnode, u, ioflag);
}

/*
 * May this write begin, and how far may it go?  *cut gets the bytes beyond
 * the limit, which the caller takes off and puts back.
 */
static int
vf_size_limit(struct file *fp, struct uio *u, bool append, uint64_t *cut)
{
	uint64_t limit = rt_min(curlwp != NULL ? curproc->p_rlimit[LIMIT_FSIZE][0] : UINT64_MAX, INT64_MAX);
	uint64_t off = u->u_off;
	struct vattr va;
	int error;

	*cut = 0;
	if (append && limit < INT64_MAX) {
		if ((error = vn_getattr(fp->f_vnode, &va)) != 0)
			return error;
		off = va.va_size;
	}
	if (u->u_resid == 0)
		return 0;
	if (off >= limit) {
		if (limit < INT64_MAX)
			file_signal(SIGXFSZ);
		return EFBIG;
	}
	if (u->u_resid > limit - off)
		*cut = u->u_resid - (limit - off);
	return 0;
}

static int
vf_write(struct file *fp, struct uio *u)
{
	uint32_t flags = atomic_load(&fp->f_flags);
	bool append = (flags & O_APPEND) != 0 || u->u_append;
	uint32_t ioflag = (append ? IO_APPEND : 0) | ((flags & O_NONBLOCK) != 0 ? IO_NONBLOCK : 0);
	uint64_t cut;
	int error;

	if (fp->f_vnode->v_type == VDIR)
		return EBADF;
	if (u->u_off > INT64_MAX || u->u_resid > INT64_MAX - u->u_off)
		return EINVAL;
	if (fp->f_vnode->v_type != VREG)
		return vn_write(fp->f_vnode, u, ioflag);
	if ((error = vf_size_limit(fp, u, (ioflag & IO_APPEND) != 0, &cut)) != 0)
		return error;
	u->u_resid -= cut;
	error = vn_write(fp->f_vnode, u, ioflag);
	u->u_resid += cut;
	return error;
}

static uint32_t
vf_poll(struct file *fp, struct pollnote *note)
{
	return vn_poll(fp->f_vnode, note);
}

static int
vf_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct vnode *vn = fp->f_vnode;
	struct vattr va;
	uint64_t off;
	int32_t left;
	int error;

	(void)result;
	if (vn->v_type == VREG && cmd == FIONREAD) {
		if ((error = vn_getattr(vn, &va)) != 0)
			return error;
		lk_excl(&fp->f_lk);
		off = fp->f_off;
		lk_release(&fp->f_lk);
		left = (int32_t)(va.va_size - off);
		return copyout(arg, &left, sizeof(left));
	}
	return vn_ioctl(vn, cmd, arg);
}

static int
vf_seek(struct file *fp, int64_t off, int whence, uint64_t *result)
{
	struct vnode *vn = fp->f_vnode;
	uint64_t base = 0, to;
	struct vattr va;
	int error;

	if (vn->v_type == VCHR) {		/* devices keep no position */
		fp->f_off = *result = 0;
		return 0;
	}
	if (whence == SEEK_CUR)
		base = fp->f_off;
	if (whence >= SEEK_END) {
		if ((error = vn_getattr(vn, &va)) != 0)
			return error;
		base = va.va_size;
	}
	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (off < 0)
			return ENXIO;
		if ((error = vn_seek(vn, (uint64_t)off, whence == SEEK_DATA, &to)) != 0)
			return error;
	} else if (__builtin_add_overflow((int64_t)base, off, (int64_t *)&to)) {
		return EINVAL;
	}
	if ((int64_t)to < 0)
		return EINVAL;
	fp->f_off = *result = to;
	return 0;
}

static int
vf_truncate(struct file *fp, uint64_t size)
{
	struct vattr va = { .va_mask = VA_SIZE, .va_size = size };
	int error;

	if (fp->f_vnode->v_type != VREG || !file_can_write(fp) || size > INT64_MAX)
		return EINVAL;
	if (curlwp != NULL && size > curproc->p_rlimit[LIMIT_FSIZE][0]) {
		file_signal(SIGXFSZ);
		return EFBIG;
	}
	error = vn_setattr(fp->f_vnode, &va);
	if (error == 0)
		notify_name(fp->f_ncp, IN_MODIFY);
	return error;
}

static int
vf_mmap(struct file *fp, struct vmobj **obj, uint64_t *off)
{
	(void)off;
	if (fp->f_vnode->v_type != VREG || fp->f_vnode->v_obj == NULL)
		return ENODEV;
	*obj = fp->f_vnode->v_obj;
	return 0;
}

const struct file_ops vnode_file_ops = {
	.fo_read = vf_read,
	.fo_write = vf_write,
	.fo_poll = vf_poll,
	.fo_ioctl = vf_ioctl,
	.fo_seek = vf_seek,
	.fo_truncate = vf_truncate,
	.fo_mmap = vf_mmap,
};
