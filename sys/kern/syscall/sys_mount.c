/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_mount - system calls about filesystems as a whole. */
#include "path.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <abi/statfs.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/disk.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>

#define FSTYPE_MAX	64u
#define SWAP_FLAGS	0x7ffffu
#define PROPAGATION	(MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED)

static int
statfs_out(struct mount *mp, uaddr_t buf)
{
	struct statfs_info i = { .bsize = PAGE_BYTES, .namelen = 255 };
	struct k_statfs s;
	uint32_t fl = mp->mp_flags;
	int error = mp->mp_ops->fs_statfs == NULL ? 0 : mp->mp_ops->fs_statfs(mp, &i);

	if (error != 0)
		return error;
	memset(&s, 0, sizeof s);
	s.f_type = (int64_t)i.type;
	s.f_bsize = s.f_frsize = (int64_t)i.bsize;
	s.f_blocks = i.blocks;
	s.f_bfree = i.bfree;
	s.f_bavail = i.bavail;
	s.f_files = i.files;
	s.f_ffree = i.ffree;
	s.f_fsid[0] = (int32_t)mp->mp_dev;
	s.f_namelen = (int64_t)i.namelen;
	/* ST_RDONLY .. ST_SYNCHRONOUS and ST_NOATIME have the numbers of MS_*; ST_RELATIME has not. */
	s.f_flags = (int64_t)(ST_VALID | (fl & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC |
	    MS_SYNCHRONOUS | MS_NOATIME | MS_NODIRATIME)) | ((fl & (MS_NOATIME | MS_STRICTATIME)) == 0 ?
	    4096u : 0));
	return copyout(buf, &s, sizeof s);
}

int
sys_statfs(struct sysmsg *m, uaddr_t path, uaddr_t buf)
{
	struct ncp *n;
	int error = path_lookup(AT_FDCWD, path, LOOK_FOLLOW, &n);

	(void)m;
	if (error != 0)
		return error;
	error = statfs_out(n->n_mount, buf);
	ncp_drop(n);
	return error;
}

int
sys_fstatfs(struct sysmsg *m, int fd, uaddr_t buf)
{
	struct k_statfs s;
	struct file *fp;
	int error = fd_get(fd, &fp);

	(void)m;
	if (error != 0)
		return error;
	/* What is in no filesystem of ours shows as in one of Linux's that nobody can mount. */
	memset(&s, 0, sizeof s);
	s.f_type = file_is_pipe(fp) ? PIPEFS_MAGIC : ANON_INODE_FS_MAGIC;
	s.f_bsize = s.f_frsize = PAGE_BYTES;
	s.f_namelen = 255;
	error = fp->f_vnode != NULL ? statfs_out(fp->f_vnode->v_mount, buf) : copyout(buf, &s, sizeof s);
	file_drop(fp);
	return error;
}

struct mount_args {
	char	fstype[FSTYPE_MAX];
	char	source[PATH_MAX_];
	char	data[PATH_MAX_];
};

static int
mount_copyin(struct mount_args *a, uaddr_t source, uaddr_t fstype, uaddr_t data)
{
	int error = 0;

	a->fstype[0] = a->data[0] = '\0';
	strlcpy(a->source, "none", sizeof a->source);
	if (fstype != 0)
		error = copyinstr(a->fstype, fstype, sizeof a->fstype, NULL);
	if (error == 0 && source != 0)
		error = copyinstr(a->source, source, sizeof a->source, NULL);
	if (error == 0 && data != 0)
		error = copyinstr(a->data, data, sizeof a->data, NULL);
	return error == ENAMETOOLONG ? EINVAL : error;
}

/* The source is a place in the tree, not a device. */
static int
mount_from(const struct mount_args *a, struct ncp *on, uint32_t flags)
{
	struct lookup lu;
	int error = name_lookup(NULL, a->source, LOOK_FOLLOW, &lu);

	if (error != 0)
		return error;
	error = (flags & MS_BIND) != 0 ? vfs_bind(lu.lu_ncp, on, flags) : vfs_move(lu.lu_ncp, on);
	lookup_done(&lu);
	return error;
}

static int
do_mount(struct mount_args *a, struct ncp *on, uint32_t flags)
{
	if ((flags & MS_REMOUNT) != 0)
		return (flags & MS_BIND) != 0 && on != on->n_mount->mp_ncp ? EINVAL : vfs_remount(on, flags);
	/* With one view of the tree nothing is ever propagated: every mount is private. */
	if ((flags & PROPAGATION) != 0)
		return (flags & MS_SHARED) != 0 || on != on->n_mount->mp_ncp ? EINVAL : 0;
	if ((flags & (MS_BIND | MS_MOVE)) != 0)
		return mount_from(a, on, flags);
	if (a->fstype[0] == '\0')
		return EINVAL;
	return vfs_mount(a->fstype, a->source, on, flags, a->data);
}

int
sys_mount(struct sysmsg *m, uaddr_t source, uaddr_t target, uaddr_t fstype, uint64_t flags, uaddr_t data)
{
	struct mount_args *a;
	struct ncp *on;
	int error;

	(void)m;
	if ((flags & MS_MGC_MASK) == MS_MGC_VALUE)
		flags &= ~(uint64_t)MS_MGC_MASK;
	a = kmalloc(sizeof *a, KM_WAIT);
	if (a == NULL)
		return ENOMEM;
	error = mount_copyin(a, source, fstype, data);
	if (error == 0)
		error = path_lookup(AT_FDCWD, target, LOOK_FOLLOW, &on);
	if (error == 0) {
		error = cred_capable(cred_current(), CAP_SYS_ADMIN) ? do_mount(a, on, (uint32_t)flags) :
		    EPERM;
		ncp_drop(on);
	}
	kfree(a);
	return error;
}

int
sys_umount2(struct sysmsg *m, uaddr_t target, uint32_t flags)
{
	struct ncp *n;
	int error;

	(void)m;
	if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) != 0)
		return EINVAL;
	error = path_lookup(AT_FDCWD, target, (flags & UMOUNT_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW, &n);
	if (error != 0)
		return error;
	error = cred_capable(cred_current(), CAP_SYS_ADMIN) ? vfs_unmount(n, flags) : EPERM;
	ncp_drop(n);
	return error;
}

/* Processes whose root or working directory was the old root follow to the new one. */
struct move { struct ncp *from, *to; };

/* fc is the caller's reference, or NULL. */
static void
move_place(struct fsctx *fc, const struct move *mv)
{
	uint32_t moved = 0;

	if (fc == NULL)
		return;
	spin_lock(&fc->fc_spin);
	if (fc->fc_root == mv->from) {
		fc->fc_root = mv->to;
		moved++;
	}
	if (fc->fc_cwd == mv->from) {
		fc->fc_cwd = mv->to;
		moved++;
	}
	for (uint32_t i = 0; i < moved; i++)
		ncp_hold(mv->to);
	spin_unlock(&fc->fc_spin);
	for (uint32_t i = 0; i < moved; i++)
		ncp_drop(mv->from);
	fsctx_drop(fc);
}

static int
move_one(struct proc *p, void *arg)
{
	struct fsctx *fc;

	move_place(fsctx_of(p, 0), arg);
	for (uint32_t i = 0; (fc = fsctx_own_of(p, i)) != NULL; i++)
		move_place(fc, arg);
	return 0;
}

int
sys_pivot_root(struct sysmsg *m, uaddr_t new_root, uaddr_t put_old)
{
	struct ncp *to, *old, *from;
	int error;

	(void)m;
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EPERM;
	error = path_lookup(AT_FDCWD, new_root, LOOK_FOLLOW | LOOK_DIR, &to);
	if (error != 0)
		return error;
	error = path_lookup(AT_FDCWD, put_old, LOOK_FOLLOW | LOOK_DIR, &old);
	if (error == 0) {
		error = vfs_pivot(to, old, &from);
		if (error == 0) {
			(void)proc_foreach_any(move_one, &(struct move){ from, to });
			ncp_drop(from);
		}
		ncp_drop(old);
	}
	ncp_drop(to);
	return error;
}

/* There is no swap: a file that exists is none of our swap areas. */
static int
no_swap(uaddr_t path)
{
	struct ncp *n;
	int error;

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EPERM;
	error = path_lookup(AT_FDCWD, path, LOOK_FOLLOW, &n);
	if (error != 0)
		return error;
	ncp_drop(n);
	return EINVAL;
}

int
sys_swapon(struct sysmsg *m, uaddr_t path, uint32_t flags)
{
	(void)m;
	return (flags & ~SWAP_FLAGS) != 0 ? EINVAL : no_swap(path);
}

int
sys_swapoff(struct sysmsg *m, uaddr_t path)
{
	(void)m;
	return no_swap(path);
}

int
sys_sync(struct sysmsg *m)
{
	(void)m;
	vmobj_clean_all();
	disk_sync();
	return 0;
}

static int
sync_fd(int fd, bool whole)
{
	struct file *fp;
	int error = fd_get(fd, &fp);

	if (error != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (!whole && fp->f_ops->fo_sync != NULL)
		error = fp->f_ops->fo_sync(fp);
	else if (fp->f_vnode == NULL || (!whole && (fp->f_vnode->v_type != VREG &&
	    fp->f_vnode->v_type != VDIR)))
		error = whole ? 0 : EINVAL;
	else if (whole)
		vmobj_clean_all();
	else
		error = vn_fsync(fp->f_vnode);
	file_drop(fp);
	return error;
}

int
sys_syncfs(struct sysmsg *m, int fd)
{
	(void)m;
	return sync_fd(fd, true);
}

int
sys_fsync(struct sysmsg *m, int fd)
{
	(void)m;
	return sync_fd(fd, false);
}

int
sys_fdatasync(struct sysmsg *m, int fd)
{
	(void)m;
	return sync_fd(fd, false);
}
