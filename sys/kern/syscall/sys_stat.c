/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_stat - system calls about what files are: attributes, permissions,
 * times, sizes, and the names in a directory.
 */
#include "path.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <abi/signal.h>
#include <abi/statfs.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/time/time.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

#define STAT_FLAGS	(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | 0x6000u)
#define LIMIT_FSIZE	1
#define FALLOC_FL_PUNCH_HOLE	2u
#define DIRENTS_MAX	32768u
#define TIME_SEC_MAX	9200000000ll

static int
ncp_stat(struct ncp *n, struct k_stat *st)
{
	struct vattr va;
	int error = vn_getattr(n->n_vnode, &va);

	if (error == 0)
		vattr_to_stat(n->n_vnode, &va, st);
	return error;
}

static int
stat_at(int dirfd, uaddr_t path, uint32_t flags, struct k_stat *st)
{
	uint32_t look = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW;
	struct path_arg pa;
	struct lookup lu;
	int error;

	if ((flags & AT_EMPTY_PATH) != 0)
		look |= LOOK_EMPTY;
	error = path_begin(&pa, dirfd, path);
	if (error != 0)
		return error;
	if (pa.pa_text[0] == '\0' && pa.pa_file != NULL && (flags & AT_EMPTY_PATH) != 0) {
		error = file_stat(pa.pa_file, st);
	} else if (pa.pa_text[0] == '\0' && (flags & AT_EMPTY_PATH) == 0) {
		error = ENOENT;
	} else {
		error = name_lookup(pa.pa_start, pa.pa_text, look, &lu);
		if (error == 0) {
			error = ncp_stat(lu.lu_ncp, st);
			lookup_done(&lu);
		}
	}
	path_end(&pa);
	return error;
}

int
sys_newfstatat(struct sysmsg *m, int dirfd, uaddr_t path, uaddr_t ust, uint32_t flags)
{
	struct k_stat st;
	int error;

	(void)m;
	if ((flags & ~STAT_FLAGS) != 0)
		return EINVAL;
	error = stat_at(dirfd, path, flags, &st);
	return error != 0 ? error : copyout(ust, &st, sizeof st);
}

int
sys_stat(struct sysmsg *m, uaddr_t path, uaddr_t st)
{
	return sys_newfstatat(m, AT_FDCWD, path, st, 0);
}

int
sys_lstat(struct sysmsg *m, uaddr_t path, uaddr_t st)
{
	return sys_newfstatat(m, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int
sys_fstat(struct sysmsg *m, int fd, uaddr_t ust)
{
	struct k_stat st;
	struct file *fp;
	int error = fd_get(fd, &fp);

	(void)m;
	if (error != 0)
		return error;
	error = file_stat(fp, &st);
	file_drop(fp);
	return error != 0 ? error : copyout(ust, &st, sizeof st);
}

static struct k_statx_timestamp
statx_time(struct k_timespec ts)
{
	return (struct k_statx_timestamp){ .tv_sec = ts.tv_sec, .tv_nsec = (uint32_t)ts.tv_nsec };
}

static uint32_t
dev_major(uint64_t dev)
{
	return (uint32_t)(dev >> 8) & 0xfff;
}

static uint32_t
dev_minor(uint64_t dev)
{
	return (uint32_t)((dev & 0xff) | (dev >> 12 & ~0xffull));
}

int
sys_statx(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t flags, uint32_t mask, uaddr_t buf)
{
	struct k_statx x;
	struct k_stat st;
	int error;

	(void)m;
	if ((flags & ~(STAT_FLAGS | 0x6000u)) != 0 || (flags & 0x6000u) == 0x6000u ||
	    (mask & 0x80000000u) != 0)
		return EINVAL;
	error = stat_at(dirfd, path, flags, &st);
	if (error != 0)
		return error;
	memset(&x, 0, sizeof x);
	x.stx_mask = STATX_BASIC_STATS;
	x.stx_blksize = (uint32_t)st.st_blksize;
	x.stx_nlink = (uint32_t)st.st_nlink;
	x.stx_uid = st.st_uid;
	x.stx_gid = st.st_gid;
	x.stx_mode = (uint16_t)st.st_mode;
	x.stx_ino = st.st_ino;
	x.stx_size = (uint64_t)st.st_size;
	x.stx_blocks = (uint64_t)st.st_blocks;
	x.stx_atime = statx_time(st.st_atim);
	x.stx_ctime = statx_time(st.st_ctim);
	x.stx_mtime = statx_time(st.st_mtim);
	x.stx_rdev_major = dev_major(st.st_rdev);
	x.stx_rdev_minor = dev_minor(st.st_rdev);
	x.stx_dev_major = dev_major(st.st_dev);
	x.stx_dev_minor = dev_minor(st.st_dev);
	return copyout(buf, &x, sizeof x);
}

/* access() asks for the real user, with the capabilities that a program of that user would have. */
static int
real_cred(struct cred **out)
{
	const struct cred *cur = cred_current();
	struct cred *cr = cred_copy(cur);

	if (cr == NULL)
		return ENOMEM;
	cr->cr_fsuid = cur->cr_uid;
	cr->cr_fsgid = cur->cr_gid;
	cr->cr_cap_eff = cur->cr_uid == 0 ? cur->cr_cap_perm : 0;
	*out = cr;
	return 0;
}

static int
access_at(int dirfd, uaddr_t path, uint32_t mode, uint32_t flags)
{
	uint32_t look = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW;
	struct cred *cr;
	struct ncp *n;
	int error;

	if ((mode & ~7u) != 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return EINVAL;
	if ((flags & AT_EMPTY_PATH) != 0)
		look |= LOOK_EMPTY;
	error = path_lookup(dirfd, path, look, &n);
	if (error != 0)
		return error;
	if ((flags & AT_EACCESS) != 0)
		cr = cred_hold(cred_current());
	else
		error = real_cred(&cr);
	if (error != 0) {
		ncp_drop(n);
		return error;
	}
	if ((mode & 1) != 0 && n->n_vnode->v_type == VREG && (n->n_mount->mp_flags & MS_NOEXEC) != 0)
		error = EACCES;
	else if (mode != 0)
		error = vn_access(n->n_vnode, mode, cr);
	if (error == 0 && (mode & 2) != 0)
		error = name_access(n, 2, cr);
	cred_drop(cr);
	ncp_drop(n);
	return error;
}

int
sys_access(struct sysmsg *m, uaddr_t path, uint32_t mode)
{
	(void)m;
	return access_at(AT_FDCWD, path, mode, 0);
}

int
sys_faccessat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t mode)
{
	(void)m;
	return access_at(dirfd, path, mode, 0);
}

int
sys_faccessat2(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t mode, uint32_t flags)
{
	(void)m;
	return access_at(dirfd, path, mode, flags);
}

static int
setattr_at(int dirfd, uaddr_t path, uint32_t look, struct vattr *va)
{
	struct ncp *n;
	int error = path_lookup(dirfd, path, look, &n);

	if (error != 0)
		return error;
	/* A link has no mode of its own. */
	error = n->n_vnode->v_type == VLNK && (va->va_mask & VA_MODE) != 0 ? EOPNOTSUPP : name_setattr(n, va);
	ncp_drop(n);
	return error;
}

/* The same for an open file; one without a name (a pipe) has nothing that could be set. */
static int
setattr_fd(int fd, struct vattr *va)
{
	struct file *fp;
	int error = fd_get(fd, &fp);

	if (error != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (fp->f_ncp != NULL)
		error = name_setattr(fp->f_ncp, va);
	file_drop(fp);
	return error;
}

int
sys_fchmodat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t mode)
{
	struct vattr va = { .va_mask = VA_MODE, .va_mode = mode & 07777 };

	(void)m;
	return setattr_at(dirfd, path, LOOK_FOLLOW, &va);
}

int
sys_fchmodat2(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t mode, uint32_t flags)
{
	struct vattr va = { .va_mask = VA_MODE, .va_mode = mode & 07777 };

	(void)m;
	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return EINVAL;
	return setattr_at(dirfd, path, ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW) |
	    ((flags & AT_EMPTY_PATH) != 0 ? LOOK_EMPTY : 0), &va);
}

int
sys_chmod(struct sysmsg *m, uaddr_t path, uint32_t mode)
{
	return sys_fchmodat(m, AT_FDCWD, path, mode);
}

int
sys_fchmod(struct sysmsg *m, int fd, uint32_t mode)
{
	struct vattr va = { .va_mask = VA_MODE, .va_mode = mode & 07777 };

	(void)m;
	return setattr_fd(fd, &va);
}

/* -1 leaves the one or the other as it is. */
static struct vattr
owner_attr(uint32_t uid, uint32_t gid)
{
	struct vattr va = { .va_uid = uid, .va_gid = gid };

	va.va_mask = (uid != UINT32_MAX ? VA_UID : 0) | (gid != UINT32_MAX ? VA_GID : 0);
	return va;
}

int
sys_fchownat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t uid, uint32_t gid, uint32_t flags)
{
	struct vattr va = owner_attr(uid, gid);

	(void)m;
	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return EINVAL;
	return setattr_at(dirfd, path, ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW) |
	    ((flags & AT_EMPTY_PATH) != 0 ? LOOK_EMPTY : 0), &va);
}

int
sys_chown(struct sysmsg *m, uaddr_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(m, AT_FDCWD, path, uid, gid, 0);
}

int
sys_lchown(struct sysmsg *m, uaddr_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(m, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int
sys_fchown(struct sysmsg *m, int fd, uint32_t uid, uint32_t gid)
{
	struct vattr va = owner_attr(uid, gid);

	(void)m;
	return setattr_fd(fd, &va);
}

static int
time_value(int64_t sec, int64_t nsec, nsec_t *out)
{
	if (nsec < 0 || nsec >= (int64_t)NSEC_PER_SEC)
		return EINVAL;
	/* Kept as signed nanoseconds: before 1678 or after 2261 becomes the nearest second that is not. */
	if (sec < -TIME_SEC_MAX)
		sec = -TIME_SEC_MAX;
	if (sec > TIME_SEC_MAX)
		sec = TIME_SEC_MAX;
	*out = (nsec_t)(sec * (int64_t)NSEC_PER_SEC + nsec);
	return 0;
}

/* ts NULL: both now. */
static int
times_attr(const struct k_timespec *ts, struct vattr *va)
{
	nsec_t now = time_wall();
	int error = 0;

	memset(va, 0, sizeof *va);
	va->va_mask = VA_ATIME | VA_MTIME | VA_TIME_NOW;
	va->va_atime = va->va_mtime = now;
	if (ts == NULL)
		return 0;
	if (ts[0].tv_nsec == UTIME_OMIT)
		va->va_mask &= ~VA_ATIME;
	else if (ts[0].tv_nsec != UTIME_NOW)
		error = time_value(ts[0].tv_sec, ts[0].tv_nsec, &va->va_atime);
	if (error != 0)
		return error;
	if (ts[1].tv_nsec == UTIME_OMIT)
		va->va_mask &= ~VA_MTIME;
	else if (ts[1].tv_nsec != UTIME_NOW)
		error = time_value(ts[1].tv_sec, ts[1].tv_nsec, &va->va_mtime);
	/* Only "both now" is free to everybody who may write. */
	if (ts[0].tv_nsec != UTIME_NOW || ts[1].tv_nsec != UTIME_NOW)
		va->va_mask &= ~VA_TIME_NOW;
	return error;
}

static int
set_times(int dirfd, uaddr_t path, uint32_t look, const struct k_timespec *ts)
{
	struct vattr va;
	int error = times_attr(ts, &va);

	if (error != 0)
		return error;
	if ((va.va_mask & (VA_ATIME | VA_MTIME)) == 0)
		return 0;
	return path == 0 ? setattr_fd(dirfd, &va) : setattr_at(dirfd, path, look, &va);
}

int
sys_utimensat(struct sysmsg *m, int dirfd, uaddr_t path, uaddr_t uts, uint32_t flags)
{
	struct k_timespec ts[2];
	int error;

	(void)m;
	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0 || (path == 0 && flags != 0))
		return EINVAL;
	if (path == 0 && dirfd == AT_FDCWD)
		return EFAULT;
	if (uts != 0 && (error = copyin(ts, uts, sizeof ts)) != 0)
		return error;
	return set_times(dirfd, path, ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW) |
	    ((flags & AT_EMPTY_PATH) != 0 ? LOOK_EMPTY : 0), uts != 0 ? ts : NULL);
}

int
sys_futimesat(struct sysmsg *m, int dirfd, uaddr_t path, uaddr_t utv)
{
	struct k_timeval tv[2];
	struct k_timespec ts[2];
	int error;

	(void)m;
	if (path == 0 && dirfd == AT_FDCWD)
		return EFAULT;
	if (utv == 0)
		return set_times(dirfd, path, LOOK_FOLLOW, NULL);
	error = copyin(tv, utv, sizeof tv);
	if (error != 0)
		return error;
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return EINVAL;
		ts[i] = (struct k_timespec){ tv[i].tv_sec, tv[i].tv_usec * 1000 };
	}
	return set_times(dirfd, path, LOOK_FOLLOW, ts);
}

int
sys_utimes(struct sysmsg *m, uaddr_t path, uaddr_t tv)
{
	return path == 0 ? EFAULT : sys_futimesat(m, AT_FDCWD, path, tv);
}

int
sys_utime(struct sysmsg *m, uaddr_t path, uaddr_t utimes)
{
	int64_t t[2];
	struct k_timespec ts[2] = { { 0, 0 }, { 0, 0 } };
	int error;

	(void)m;
	if (path == 0)
		return EFAULT;
	if (utimes == 0)
		return set_times(AT_FDCWD, path, LOOK_FOLLOW, NULL);
	error = copyin(t, utimes, sizeof t);
	if (error != 0)
		return error;
	ts[0].tv_sec = t[0];
	ts[1].tv_sec = t[1];
	return set_times(AT_FDCWD, path, LOOK_FOLLOW, ts);
}

int
sys_truncate(struct sysmsg *m, uaddr_t path, int64_t len)
{
	struct vattr va = { .va_mask = VA_SIZE, .va_size = (uint64_t)len };
	struct ncp *n;
	int error;

	(void)m;
	if (len < 0)
		return EINVAL;
	error = path_lookup(AT_FDCWD, path, LOOK_FOLLOW, &n);
	if (error != 0)
		return error;
	if (n->n_vnode->v_type == VDIR)
		error = EISDIR;
	else if (n->n_vnode->v_type != VREG)
		error = EINVAL;
	else
		error = name_access(n, 2, cred_current());
	if (error == 0 && atomic_load(&n->n_vnode->v_execs) != 0)
		error = ETXTBSY;
	if (error == 0 && va.va_size > curproc->p_rlimit[LIMIT_FSIZE][0]) {
		file_signal(SIGXFSZ);
		error = EFBIG;
	}
	if (error == 0)
		error = vn_setattr(n->n_vnode, &va);
	if (error == 0)
		notify_name(n, IN_MODIFY);
	ncp_drop(n);
	return error;
}

int
sys_ftruncate(struct sysmsg *m, int fd, int64_t len)
{
	struct file *fp;
	int error;

	(void)m;
	if (len < 0)
		return EINVAL;
	error = fd_get(fd, &fp);
	if (error != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else
		error = fp->f_ops->fo_truncate == NULL ? EINVAL : fp->f_ops->fo_truncate(fp, (uint64_t)len);
	file_drop(fp);
	return error;
}

/* RLIMIT_FSIZE forbids room beyond it, unless the file is as large already. */
static int
may_allocate(struct vnode *vn, uint32_t mode, uint64_t end)
{
	struct vattr va;
	int error;

	if ((mode & FALLOC_FL_PUNCH_HOLE) != 0 || end <= curproc->p_rlimit[LIMIT_FSIZE][0])
		return 0;
	error = vn_getattr(vn, &va);
	if (error != 0 || end <= va.va_size)
		return error;
	file_signal(SIGXFSZ);
	return EFBIG;
}

int
sys_fallocate(struct sysmsg *m, int fd, uint32_t mode, int64_t off, int64_t len)
{
	struct file *fp;
	int error;

	(void)m;
	if (off < 0 || len <= 0)
		return EINVAL;
	error = fd_get(fd, &fp);
	if (error != 0)
		return error;
	if (!file_can_write(fp))
		error = EBADF;
	else if (file_is_pipe(fp))
		error = ESPIPE;
	else if (fp->f_vnode == NULL)
		error = ENODEV;
	else if (len > INT64_MAX - off)
		error = EFBIG;
	else
		error = may_allocate(fp->f_vnode, mode, (uint64_t)off + (uint64_t)len);
	if (error == 0)
		error = vn_allocate(fp->f_vnode, mode, (uint64_t)off, (uint64_t)len);
	if (error == 0)
		file_notify(fp, IN_MODIFY);
	file_drop(fp);
	return error;
}

/* Records for one getdents call; `old` puts the type into the last byte of a record. */
struct dirents {
	uint8_t		*buf;
	size_t		size, used;
	uint64_t	next;
	bool		old, too_small;
};

static bool
emit(void *arg, const char *name, size_t len, uint64_t ino, enum v_type type, uint64_t next)
{
	static const uint8_t dt[] = { DT_UNKNOWN, DT_REG, DT_DIR, DT_LNK, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK };
	struct dirents *d = arg;
	size_t head = d->old ? offsetof(struct k_dirent, d_name) : offsetof(struct k_dirent64, d_name);
	size_t reclen = (head + len + 1 + (d->old ? 1 : 0) + 7) & ~(size_t)7;
	uint8_t *at = d->buf + d->used;
	uint16_t reclen16 = (uint16_t)reclen;

	if (reclen > d->size - d->used) {
		d->too_small = d->used == 0;
		return false;
	}
	memset(at, 0, reclen);
	memcpy(at, &ino, 8);
	memcpy(at + 8, &next, 8);
	memcpy(at + 16, &reclen16, 2);
	if (d->old)
		at[reclen - 1] = dt[type];
	else
		at[offsetof(struct k_dirent64, d_type)] = dt[type];
	memcpy(at + head, name, len);
	d->used += reclen;
	d->next = next;
	return true;
}

static int
getdents(struct sysmsg *m, int fd, uaddr_t buf, uint32_t count, bool old)
{
	struct dirents d = { .old = old, .size = rt_min(count, DIRENTS_MAX) };
	struct file *fp;
	int error = fd_get(fd, &fp);

	if (error != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (fp->f_vnode == NULL || fp->f_vnode->v_type != VDIR)
		error = ENOTDIR;
	else if (!file_can_read(fp))
		error = EBADF;
	else if ((int32_t)count < 0)
		error = EINVAL;
	else if ((d.buf = kmalloc(rt_max(d.size, 1), KM_WAIT)) == NULL)
		error = ENOMEM;
	if (error == 0) {
		lk_excl(&fp->f_lk);
		d.next = fp->f_off;
		error = vn_readdir(fp->f_vnode, fp->f_off, emit, &d);
		if (error == 0 && d.too_small)
			error = EINVAL;
		if (error == 0)
			error = copyout(buf, d.buf, d.used);
		if (error == 0)
			fp->f_off = d.next;
		lk_release(&fp->f_lk);
		file_notify(fp, IN_ACCESS);
		m->sm_result = (int64_t)d.used;
	}
	kfree(d.buf);
	file_drop(fp);
	return error;
}

int
sys_getdents64(struct sysmsg *m, int fd, uaddr_t buf, uint32_t count)
{
	return getdents(m, fd, buf, count, false);
}

int
sys_getdents(struct sysmsg *m, int fd, uaddr_t buf, uint32_t count)
{
	return getdents(m, fd, buf, count, true);
}
