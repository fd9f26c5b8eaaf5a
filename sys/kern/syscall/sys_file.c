/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_file - system calls on open files: moving bytes, positions,
 * descriptors, fcntl, locks.
 *
 * Reading and writing share one shape: find the file, describe the user's
 * memory, let the file move bytes.  Bytes that were moved win over the error
 * that ended the moving (Linux's partial-result rule): io_result().
 */
#include "iov.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/async.h>
#include <sys/file/file.h>
#include <sys/file/lockf.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define COPY_BYTES	65536u		/* bounce buffer of sendfile and copy_file_range */

#define RWF_HIPRI	0x01u
#define RWF_DSYNC	0x02u
#define RWF_SYNC	0x04u
#define RWF_NOWAIT	0x08u
#define RWF_APPEND	0x10u

#define F_OFD_GETLK	36
#define F_OFD_SETLK	37
#define F_OFD_SETLKW	38
#define SETFL_MASK	(O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

#define CLOSE_RANGE_UNSHARE	2u
#define CLOSE_RANGE_CLOEXEC	4u

typedef int (*io_fn)(struct file *fp, struct uio *u);

static int
io_result(struct sysmsg *m, uint64_t wanted, const struct uio *u, int error)
{
	if (error != 0 && u->u_resid == wanted)
		return error;
	m->sm_result = (int64_t)(wanted - u->u_resid);
	return 0;
}

static int
io_one(struct sysmsg *m, int fd, uaddr_t buf, size_t count, int64_t off, bool to_user, io_fn fn)
{
	uint64_t len = rt_min(count, IO_MAX);
	struct uio_seg seg = { .base = buf, .len = len };
	struct uio u = { .u_seg = &seg, .u_nseg = 1, .u_to_user = to_user, .u_off = (uint64_t)off, .u_resid = len };
	struct file *fp;
	int error;

	if (off < 0)
		return EINVAL;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if ((to_user ? file_can_read(fp) : file_can_write(fp)) && !range_possible(buf, count))
		error = EFAULT;
	else
		error = fn(fp, &u);
	if (u.u_resid < len)
		file_notify(fp, to_user ? IN_ACCESS : IN_MODIFY);
	file_drop(fp);
	return io_result(m, len, &u, error);
}

int
sys_read(struct sysmsg *m, int fd, uaddr_t buf, size_t count)
{
	return io_one(m, fd, buf, count, 0, true, file_read);
}

int
sys_write(struct sysmsg *m, int fd, uaddr_t buf, size_t count)
{
	return io_one(m, fd, buf, count, 0, false, file_write);
}

int
sys_pread64(struct sysmsg *m, int fd, uaddr_t buf, size_t count, int64_t off)
{
	return io_one(m, fd, buf, count, off, true, file_pread);
}

int
sys_pwrite64(struct sysmsg *m, int fd, uaddr_t buf, size_t count, int64_t off)
{
	return io_one(m, fd, buf, count, off, false, file_pwrite);
}

static int
io_vector(struct sysmsg *m, int fd, uaddr_t iov, int n, int64_t off, bool to_user, bool append, io_fn fn)
{
	struct uio_seg few[IOV_STACK], *seg;
	struct uio u = { .u_to_user = to_user, .u_append = append, .u_off = (uint64_t)off };
	struct file *fp;
	uint64_t total;
	int error;

	if (off < 0)
		return EINVAL;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if ((error = iov_copyin(iov, n, few, &seg, &total)) != 0) {
		file_drop(fp);
		return error;
	}
	u.u_seg = seg;
	u.u_nseg = (uint32_t)n;
	u.u_resid = total;
	error = fn(fp, &u);
	if (u.u_resid < total)
		file_notify(fp, to_user ? IN_ACCESS : IN_MODIFY);
	file_drop(fp);
	if (seg != few)
		kfree(seg);
	return io_result(m, total, &u, error);
}

int
sys_readv(struct sysmsg *m, int fd, uaddr_t iov, int iovcnt)
{
	return io_vector(m, fd, iov, iovcnt, 0, true, false, file_read);
}

int
sys_writev(struct sysmsg *m, int fd, uaddr_t iov, int iovcnt)
{
	return io_vector(m, fd, iov, iovcnt, 0, false, false, file_write);
}

int
sys_preadv(struct sysmsg *m, int fd, uaddr_t iov, int iovcnt, uint64_t off_lo, uint64_t off_hi)
{
	(void)off_hi;		/* 64-bit callers pass all of it in off_lo */
	return io_vector(m, fd, iov, iovcnt, (int64_t)off_lo, true, false, file_pread);
}

int
sys_pwritev(struct sysmsg *m, int fd, uaddr_t iov, int iovcnt, uint64_t off_lo, uint64_t off_hi)
{
	(void)off_hi;
	return io_vector(m, fd, iov, iovcnt, (int64_t)off_lo, false, false, file_pwrite);
}

/* The hints about priority and durability ask for nothing that memory files do not give. */
static int
rwf_check(uint32_t flags)
{
	return (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND)) != 0 ? EOPNOTSUPP : 0;
}

int
sys_preadv2(struct sysmsg *m, int fd, uaddr_t iov, int iovcnt, uint64_t off_lo, uint64_t off_hi, uint32_t flags)
{
	int error = rwf_check(flags);

	(void)off_hi;
	if (error != 0)
		return error;
	if (off_lo == UINT64_MAX)
		return io_vector(m, fd, iov, iovcnt, 0, true, false, file_read);
	return io_vector(m, fd, iov, iovcnt, (int64_t)off_lo, true, false, file_pread);
}

int
sys_pwritev2(struct sysmsg *m, int fd, uaddr_t iov, int iovcnt, uint64_t off_lo, uint64_t off_hi, uint32_t flags)
{
	bool append = (flags & RWF_APPEND) != 0;
	int error = rwf_check(flags);

	(void)off_hi;
	if (error != 0)
		return error;
	if (off_lo == UINT64_MAX)
		return io_vector(m, fd, iov, iovcnt, 0, false, append, file_write);
	return io_vector(m, fd, iov, iovcnt, (int64_t)off_lo, false, append, file_pwrite);
}

int
sys_lseek(struct sysmsg *m, int fd, int64_t off, int whence)
{
	struct file *fp;
	uint64_t to;
	int error;

	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	error = file_seek(fp, off, whence, &to);
	file_drop(fp);
	if (error == 0)
		m->sm_result = (int64_t)to;
	return error;
}

int
sys_close(struct sysmsg *m, int fd)
{
	(void)m;
	return fd_close(fd);
}

int
sys_close_range(struct sysmsg *m, uint32_t first, uint32_t last, uint32_t flags)
{
	int error;

	(void)m;
	if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0)
		return EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) != 0 && (error = fdtable_unshare()) != 0)
		return error;
	return fd_close_range(first, last, (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

int
sys_dup(struct sysmsg *m, int fd)
{
	int out, error = fd_dup(fd, 0, false, &out);

	if (error == 0)
		m->sm_result = out;
	return error;
}

static int
dup_onto(struct sysmsg *m, int oldfd, int newfd, bool cloexec)
{
	struct file *fp;
	int error;

	if ((error = fd_get(oldfd, &fp)) != 0)
		return error;
	if ((error = fd_set(newfd, fp, cloexec)) != 0)
		return error;
	m->sm_result = newfd;
	return 0;
}

int
sys_dup2(struct sysmsg *m, int oldfd, int newfd)
{
	struct file *fp;
	int error;

	if (oldfd != newfd)
		return dup_onto(m, oldfd, newfd, false);
	if ((error = fd_get(oldfd, &fp)) != 0)
		return error;
	file_drop(fp);
	m->sm_result = newfd;
	return 0;
}

int
sys_dup3(struct sysmsg *m, int oldfd, int newfd, uint32_t flags)
{
	if ((flags & ~O_CLOEXEC) != 0 || oldfd == newfd)
		return EINVAL;
	return dup_onto(m, oldfd, newfd, (flags & O_CLOEXEC) != 0);
}

int
sys_pipe2(struct sysmsg *m, uaddr_t fds, uint32_t flags)
{
	bool cloexec = (flags & O_CLOEXEC) != 0;
	struct file *rd, *wr;
	int fd[2], error;

	(void)m;
	if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0)
		return EINVAL;
	if ((error = pipe_create(flags, &rd, &wr)) != 0)
		return error;
	if ((error = fd_install(rd, cloexec, 0, &fd[0])) != 0) {
		file_drop(wr);
		return error;
	}
	if ((error = fd_install(wr, cloexec, 0, &fd[1])) != 0) {
		fd_close(fd[0]);
		return error;
	}
	if ((error = copyout(fds, fd, sizeof(fd))) != 0) {
		fd_close(fd[0]);
		fd_close(fd[1]);
	}
	return error;
}

int
sys_pipe(struct sysmsg *m, uaddr_t fds)
{
	return sys_pipe2(m, fds, 0);
}

/* Another thread may have closed fd before the lock was there: then nobody would ever take it away. */
static int
fcntl_lock_stays(int fd, struct file *fp, struct k_flock *l)
{
	struct file *now = NULL;

	if (fd_get(fd, &now) == 0)
		file_drop(now);
	if (now == fp)
		return 0;
	l->l_type = F_UNLCK;
	(void)lockf_fcntl(fp, F_SETLK, l);
	return EBADF;
}

static int
fcntl_lock(int fd, struct file *fp, int cmd, uaddr_t arg)
{
	struct k_flock l;
	int error;

	if ((error = copyin(&l, arg, sizeof(l))) != 0)
		return error;
	if ((error = lockf_fcntl(fp, cmd, &l)) != 0)
		return error;
	if ((cmd == F_SETLK || cmd == F_SETLKW) && l.l_type != F_UNLCK)
		return fcntl_lock_stays(fd, fp, &l);
	return cmd == F_GETLK || cmd == F_OFD_GETLK ? copyout(arg, &l, sizeof(l)) : 0;
}

static int
fcntl_owner(struct sysmsg *m, struct file *fp, uint32_t cmd, uint64_t arg)
{
	struct k_f_owner_ex ex;
	int error;

	switch (cmd) {
	case F_SETOWN:
		return async_set_owner_nr(fp, (int32_t)arg);
	case F_SETSIG:
		return arg > NSIG ? EINVAL : async_set_signal(fp, (int)arg);
	case F_GETSIG:
		m->sm_result = async_signal(fp);
		return 0;
	case F_SETOWN_EX:
		if ((error = copyin(&ex, arg, sizeof(ex))) != 0)
			return error;
		if (ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP)
			return EINVAL;
		return async_set_owner(fp, ex.type, ex.pid);
	}
	if (cmd == F_GETOWN) {
		m->sm_result = async_owner_nr(fp);
		return 0;
	}
	async_owner(fp, &ex.type, &ex.pid);
	return copyout(arg, &ex, sizeof(ex));
}

static int
fcntl_setfl(int fd, struct file *fp, uint32_t want)
{
	uint32_t old = atomic_load(&fp->f_flags);
	int error = 0;

	if (((want ^ old) & O_ASYNC) != 0 && fp->f_ops->fo_async != NULL)
		error = async_switch(fp, fd, (want & O_ASYNC) != 0);
	if (error != 0)
		return error;
	while (!atomic_compare_exchange_weak(&fp->f_flags, &old, (old & ~SETFL_MASK) | (want & SETFL_MASK)))
		;
	return 0;
}

static int
add_seals(struct file *fp, uint32_t seals)
{
	uint32_t now;

	if (!file_can_write(fp))
		return EPERM;
	if ((seals & ~F_SEAL_ALL) != 0)
		return EINVAL;
	return fp->f_vnode != NULL ? vn_seal(fp->f_vnode, &seals, &now) : EINVAL;
}

/* The commands that need the file. */
static int
fcntl_file(struct sysmsg *m, int fd, struct file *fp, uint32_t cmd, uint64_t arg)
{
	uint32_t size, flags = atomic_load(&fp->f_flags);
	int error;

	if (cmd == F_GETFL) {
		m->sm_result = (flags & O_PATH) != 0 ? flags & ~O_ACCMODE : flags;
		return 0;
	}
	if ((flags & O_PATH) != 0)
		return EBADF;
	switch (cmd) {
	case F_SETFL:
		return fcntl_setfl(fd, fp, (uint32_t)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fcntl_lock(fd, fp, (int)cmd, arg);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return fcntl_owner(m, fp, cmd, arg);
	case F_ADD_SEALS:
		return add_seals(fp, (uint32_t)arg);
	case F_GET_SEALS:
		error = fp->f_vnode != NULL ? vn_seal(fp->f_vnode, NULL, &size) : EINVAL;
		break;
	case F_SETPIPE_SZ:
		error = pipe_set_size(fp, arg, &size);
		break;
	case F_GETPIPE_SZ:
		error = pipe_size(fp, &size);
		break;
	default:
		return EINVAL;
	}
	if (error == 0)
		m->sm_result = size;
	return error;
}

int
sys_fcntl(struct sysmsg *m, int fd, uint32_t cmd, uint64_t arg)
{
	struct file *fp;
	int error, out;
	bool on;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if ((error = fd_dup(fd, (int)arg, cmd == F_DUPFD_CLOEXEC, &out)) == 0)
			m->sm_result = out;
		return error;
	case F_GETFD:
		if ((error = fd_cloexec_get(fd, &on)) == 0)
			m->sm_result = on ? FD_CLOEXEC : 0;
		return error;
	case F_SETFD:
		return fd_cloexec_set(fd, (arg & FD_CLOEXEC) != 0);
	}
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	error = fcntl_file(m, fd, fp, cmd, arg);
	file_drop(fp);
	return error;
}

int
sys_flock(struct sysmsg *m, int fd, uint32_t op)
{
	struct file *fp;
	int error;

	(void)m;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	error = (atomic_load(&fp->f_flags) & O_PATH) != 0 ? EBADF : lockf_flock(fp, op);
	file_drop(fp);
	return error;
}

/*
 * Copy up to len bytes from `in` to `out`.  A position of NULL means the
 * file's own.  What was read and could not be written is read again by the
 * next call: the input is a regular file and its position moves by what was written.
 */
static int
copy_bytes(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t len, uint64_t *done)
{
	uint8_t *buf = kmalloc(COPY_BYTES, KM_WAIT);
	uint64_t from, got, put;
	int error = 0;

	*done = 0;
	if (buf == NULL)
		return ENOMEM;
	if (in_pos == NULL)
		error = file_seek(in, 0, SEEK_CUR, &from);
	else
		from = *in_pos;
	while (error == 0 && *done < len) {
		struct uio_seg seg;
		struct uio u;

		uio_kernel(&u, &seg, buf, rt_min(len - *done, COPY_BYTES), from, true);
		got = u.u_resid;
		error = file_pread(in, &u);
		got -= u.u_resid;
		if (got == 0)
			break;
		uio_kernel(&u, &seg, buf, got, out_pos != NULL ? *out_pos : 0, false);
		error = out_pos != NULL ? file_pwrite(out, &u) : file_write(out, &u);
		put = got - u.u_resid;
		from += put;
		*done += put;
		if (out_pos != NULL)
			*out_pos += put;
		if (put < got)
			break;
	}
	kfree(buf);
	if (in_pos != NULL)
		*in_pos = from;
	else if (*done > 0)
		(void)file_seek(in, (int64_t)from, SEEK_SET, &got);
	return *done > 0 ? 0 : error;
}

static bool
is_regular(const struct file *fp)
{
	return fp->f_vnode != NULL && fp->f_vnode->v_type == VREG && fp->f_ops->fo_seek != NULL;
}

/* A position given by pointer: NULL stays "the file's own". */
static int
pos_copyin(uaddr_t from, uint64_t *pos, uint64_t **out)
{
	int error;

	*out = NULL;
	if (from == 0)
		return 0;
	if ((error = copyin(pos, from, sizeof(*pos))) != 0)
		return error;
	if ((int64_t)*pos < 0)
		return EINVAL;
	*out = pos;
	return 0;
}

static int
copy_between(struct sysmsg *m, struct file *in, uaddr_t in_off, struct file *out, uaddr_t out_off, size_t len)
{
	uint64_t in_pos, out_pos, *in_at, *out_at, done;
	int error;

	if (!file_can_read(in) || !file_can_write(out))
		return EBADF;
	if ((error = pos_copyin(in_off, &in_pos, &in_at)) != 0 || (error = pos_copyin(out_off, &out_pos, &out_at)) != 0)
		return error;
	if ((error = copy_bytes(in, in_at, out, out_at, rt_min(len, IO_MAX), &done)) != 0)
		return error;
	if (done > 0) {
		file_notify(in, IN_ACCESS);
		file_notify(out, IN_MODIFY);
	}
	m->sm_result = (int64_t)done;
	if (in_off != 0 && (error = copyout(in_off, &in_pos, sizeof(in_pos))) != 0)
		return error;
	return out_off != 0 ? copyout(out_off, &out_pos, sizeof(out_pos)) : 0;
}

int
sys_sendfile(struct sysmsg *m, int out_fd, int in_fd, uaddr_t off, size_t count)
{
	struct file *in, *out;
	int error;

	if ((error = fd_get(in_fd, &in)) != 0)
		return error;
	if ((error = fd_get(out_fd, &out)) != 0) {
		file_drop(in);
		return error;
	}
	if (!file_can_read(in) || !file_can_write(out))
		error = EBADF;
	else if ((int64_t)count < 0 || in->f_ops->fo_seek == NULL || in->f_vnode->v_type == VDIR ||
	    (atomic_load(&out->f_flags) & O_APPEND) != 0)
		error = EINVAL;
	else
		error = copy_between(m, in, off, out, 0, count);
	file_drop(out);
	file_drop(in);
	return error;
}

/* Would the copy read what it writes?  Needs both positions; without one it is the file's own. */
static bool
copy_overlaps(struct file *in, uaddr_t in_off, struct file *out, uaddr_t out_off, uint64_t len)
{
	uint64_t a = 0, b = 0;

	if (in->f_vnode != out->f_vnode)
		return false;
	if (in_off != 0 ? copyin(&a, in_off, sizeof(a)) != 0 : file_seek(in, 0, SEEK_CUR, &a) != 0)
		return false;
	if (out_off != 0 ? copyin(&b, out_off, sizeof(b)) != 0 : file_seek(out, 0, SEEK_CUR, &b) != 0)
		return false;
	return a < b + len && b < a + len;
}

int
sys_copy_file_range(struct sysmsg *m, int in_fd, uaddr_t in_off, int out_fd, uaddr_t out_off, size_t len, uint32_t flags)
{
	struct file *in, *out;
	int error;

	if ((error = fd_get_io(in_fd, &in)) != 0)
		return error;
	if ((error = fd_get_io(out_fd, &out)) != 0) {
		file_drop(in);
		return error;
	}
	len = rt_min(len, IO_MAX);
	if (flags != 0)
		error = EINVAL;
	else if ((in->f_vnode != NULL && in->f_vnode->v_type == VDIR) || (out->f_vnode != NULL && out->f_vnode->v_type == VDIR))
		error = EISDIR;
	else if (!is_regular(in) || !is_regular(out))
		error = EINVAL;
	else if (!file_can_read(in) || !file_can_write(out) || (atomic_load(&out->f_flags) & O_APPEND) != 0)
		error = EBADF;
	else if (in->f_vnode->v_mount != out->f_vnode->v_mount)
		error = EXDEV;
	else if (copy_overlaps(in, in_off, out, out_off, len))
		error = EINVAL;
	else
		error = copy_between(m, in, in_off, out, out_off, len);
	file_drop(out);
	file_drop(in);
	return error;
}

/* --------------------------------------------------- splice, tee, vmsplice -- */

/* A pipe has no position. */
static int
splice_pos(struct file *fp, uaddr_t from, uint64_t *pos, uint64_t **out)
{
	*out = NULL;
	if (from != 0 && file_is_pipe(fp))
		return ESPIPE;
	if (from != 0 && fp->f_ops->fo_seek == NULL)
		return EINVAL;
	return pos_copyin(from, pos, out);
}

static int
splice_files(struct sysmsg *m, struct file *in, uaddr_t in_off, struct file *out, uaddr_t out_off,
    size_t len, uint32_t flags)
{
	uint64_t in_pos, out_pos, *in_at, *out_at, done;
	int error;

	if ((error = splice_pos(in, in_off, &in_pos, &in_at)) != 0)
		return error;
	if ((error = splice_pos(out, out_off, &out_pos, &out_at)) != 0)
		return error;
	if (!file_can_read(in) || !file_can_write(out))
		return EBADF;
	error = file_splice(in, in_at, out, out_at, rt_min(len, IO_MAX), (flags & SPLICE_F_NONBLOCK) != 0, &done);
	if (error != 0 && done == 0)
		return error;
	if (done > 0) {
		file_notify(out, IN_MODIFY);
		file_notify(in, IN_ACCESS);
	}
	m->sm_result = (int64_t)done;
	if (in_at != NULL && (error = copyout(in_off, &in_pos, sizeof(in_pos))) != 0)
		return error;
	return out_at != NULL ? copyout(out_off, &out_pos, sizeof(out_pos)) : 0;
}

/* Two descriptors, both held. */
static int
fd_get_two(int a, struct file **fa, int b, struct file **fb)
{
	int error = fd_get_io(a, fa);

	if (error == 0 && (error = fd_get_io(b, fb)) != 0)
		file_drop(*fa);
	return error;
}

int
sys_splice(struct sysmsg *m, int in_fd, uaddr_t off_in, int out_fd, uaddr_t off_out, size_t len, uint32_t flags)
{
	struct file *in, *out;
	int error;

	if (len == 0)
		return 0;
	if ((flags & ~SPLICE_F_ALL) != 0)
		return EINVAL;
	if ((error = fd_get_two(in_fd, &in, out_fd, &out)) != 0)
		return error;
	error = splice_files(m, in, off_in, out, off_out, len, flags);
	file_drop(out);
	file_drop(in);
	return error;
}

int
sys_tee(struct sysmsg *m, int in_fd, int out_fd, size_t len, uint32_t flags)
{
	struct file *in, *out;
	uint64_t done = 0;
	int error;

	if ((flags & ~SPLICE_F_ALL) != 0)
		return EINVAL;
	if (len == 0)
		return 0;
	if ((error = fd_get_two(in_fd, &in, out_fd, &out)) != 0)
		return error;
	if (!file_can_read(in) || !file_can_write(out))
		error = EBADF;
	else
		error = file_tee(in, out, rt_min(len, IO_MAX), (flags & SPLICE_F_NONBLOCK) != 0, &done);
	file_drop(out);
	file_drop(in);
	m->sm_result = (int64_t)done;
	return done > 0 ? 0 : error;
}

int
sys_vmsplice(struct sysmsg *m, int fd, uaddr_t iov, uint32_t nsegs, uint32_t flags)
{
	struct uio_seg few[IOV_STACK], *seg;
	struct uio u = { .u_off = 0 };
	struct file *fp;
	uint64_t total;
	int error;

	if ((flags & ~SPLICE_F_ALL) != 0)
		return EINVAL;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	u.u_to_user = !file_can_write(fp);
	if (u.u_to_user && !file_can_read(fp))
		error = EBADF;
	else
		error = iov_copyin(iov, (int)rt_min(nsegs, INT32_MAX), few, &seg, &total);
	if (error != 0) {
		file_drop(fp);
		return error;
	}
	u.u_seg = seg;
	u.u_nseg = nsegs;
	u.u_resid = total;
	error = total == 0 ? 0 : file_vmsplice(fp, &u, (flags & SPLICE_F_NONBLOCK) != 0);
	file_drop(fp);
	if (seg != few)
		kfree(seg);
	return io_result(m, total, &u, error);
}

/* Advice about caching: files are in memory already, so checking is all there is to do. */
int
sys_fadvise64(struct sysmsg *m, int fd, int64_t off, int64_t len, int advice)
{
	struct file *fp;
	int error;

	(void)m, (void)off;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (file_is_pipe(fp))
		error = ESPIPE;
	else if (len < 0 || advice < 0 || advice > 5)
		error = EINVAL;
	file_drop(fp);
	return error;
}

int
sys_readahead(struct sysmsg *m, int fd, int64_t off, size_t count)
{
	struct file *fp;
	int error;

	(void)m, (void)off, (void)count;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if (!file_can_read(fp))
		error = EBADF;
	else if (!is_regular(fp))
		error = EINVAL;
	file_drop(fp);
	return error;
}

int
sys_sync_file_range(struct sysmsg *m, int fd, int64_t off, int64_t len, uint32_t flags)
{
	struct file *fp;
	int error;

	(void)m;
	if ((flags & ~7u) != 0 || off < 0 || len < 0 || off + (uint64_t)len > INT64_MAX)
		return EINVAL;
	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (fp->f_vnode == NULL || (fp->f_vnode->v_type != VREG && fp->f_vnode->v_type != VDIR))
		error = ESPIPE;
	file_drop(fp);
	return error;
}
