/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devpts - the directory of the terminals that ptys have made.
 *
 * Its entries are the ptys whose master is open, so there is nothing to
 * create or remove and no name is cached.  A vnode holds the terminal it
 * stands for; owner and mode live with the pty.
 */
#include "pty_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/vfs/name.h>

#define DEVPTS_MAGIC	0x1cd1u
#define ROOT_INO	1u
#define FIRST_INO	3u		/* /dev/pts/0 */

static const struct vnode_ops devpts_ops;
static nsec_t devpts_time;		/* const after boot */

static int
devpts_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	uint32_t index = 0;
	struct pty *p;
	int error;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	if (len == 0 || len > 3 || (len > 1 && name[0] == '0'))
		return ENOENT;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return ENOENT;
		index = index * 10 + (uint32_t)(name[i] - '0');
	}
	if ((p = pty_find(index)) == NULL)
		return ENOENT;
	if ((error = vnode_create(dir->v_mount, VCHR, &devpts_ops, p, out)) != 0) {
		tty_drop(p->p_tty);
		return error;
	}
	(*out)->v_rdev = MKDEV(PTY_MAJOR, index);
	return 0;
}

static int
devpts_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	struct pty *p;
	char name[8];
	int len;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	if (cookie == 0 && !emit(arg, ".", 1, ROOT_INO, VDIR, 1))
		return 0;
	if (cookie <= 1 && !emit(arg, "..", 2, ROOT_INO, VDIR, 2))
		return 0;
	for (uint64_t i = rt_max(cookie, 2) - 2; i < PTY_MAX; i++) {
		if ((p = pty_find((uint32_t)i)) == NULL)
			continue;
		tty_drop(p->p_tty);
		len = rt_snprintf(name, sizeof(name), "%u", (uint32_t)i);
		if (!emit(arg, name, (size_t)len, i + FIRST_INO, VCHR, i + 3))
			break;
	}
	return 0;
}

static int
devpts_getattr(struct vnode *vn, struct vattr *va)
{
	const struct pty *p = vn->v_data;

	memset(va, 0, sizeof(*va));
	va->va_blksize = 1024;
	if (p == NULL) {
		va->va_mode = 0755;
		va->va_nlink = 2;
		va->va_ino = ROOT_INO;
		va->va_atime = va->va_mtime = va->va_ctime = va->va_btime = devpts_time;
		return 0;
	}
	va->va_mode = p->p_mode;
	va->va_uid = p->p_uid;
	va->va_gid = p->p_gid;
	va->va_nlink = 1;
	va->va_ino = p->p_index + FIRST_INO;
	va->va_rdev = vn->v_rdev;
	va->va_atime = va->va_mtime = va->va_ctime = va->va_btime = p->p_time;
	return 0;
}

static int
devpts_setattr(struct vnode *vn, const struct vattr *va)
{
	struct pty *p = vn->v_data;

	if (p == NULL)
		return EPERM;
	if ((va->va_mask & VA_MODE) != 0)
		p->p_mode = va->va_mode & 07777;
	if ((va->va_mask & VA_UID) != 0)
		p->p_uid = va->va_uid;
	if ((va->va_mask & VA_GID) != 0)
		p->p_gid = va->va_gid;
	return 0;
}

static int
devpts_open(struct vnode *vn, struct file *fp)
{
	struct pty *p = vn->v_data;

	return p == NULL ? 0 : tty_open(p->p_tty, fp, true);
}

static void
devpts_inactive(struct vnode *vn)
{
	struct pty *p = vn->v_data;

	if (p != NULL)
		tty_drop(p->p_tty);
}

static const struct vnode_ops devpts_ops = {
	.vop_lookup = devpts_lookup,
	.vop_readdir = devpts_readdir,
	.vop_getattr = devpts_getattr,
	.vop_setattr = devpts_setattr,
	.vop_open = devpts_open,
	.vop_inactive = devpts_inactive,
};

static int
devpts_mount(struct mount *mp, const char *source, const char *options)
{
	(void)source;
	(void)options;
	return vnode_create(mp, VDIR, &devpts_ops, NULL, &mp->mp_root);
}

static int
devpts_statfs(struct mount *mp, struct statfs_info *out)
{
	(void)mp;
	*out = (struct statfs_info){ .type = DEVPTS_MAGIC, .bsize = PAGE_BYTES, .namelen = 255 };
	return 0;
}

static const struct fs_ops devpts_fs = {
	.fs_name = "devpts",
	.fs_flags = FS_NOCACHE | FS_NODEV,
	.fs_mount = devpts_mount,
	.fs_statfs = devpts_statfs,
};

int
devpts_init(void)
{
	struct lookup lu;
	int error;

	devpts_time = time_wall();
	fs_register(&devpts_fs);
	if ((error = name_lookup(vfs_root(), "/dev/pts", LOOK_FOLLOW | LOOK_DIR, &lu)) != 0)
		return error;
	error = vfs_mount("devpts", "devpts", lu.lu_ncp, 0, "");
	lookup_done(&lu);
	return error;
}
