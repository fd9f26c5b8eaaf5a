/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/fs - a tree of files behind a driver: requests, after FUSE's example.
 *
 * A node is a small integer of the driver's, given by a lookup or a creation
 * and good until as many lookups are forgotten, though the file may lose its
 * name by a request that says so (fr_victim).  Names are single components.
 * Data lies in runs of physical memory.  A request is filled in by who asks,
 * given to fd_ops->ask(), and either answered at once (0) or later
 * (FS_LATER), by fr_done in thread context and a critical section.  It stays
 * where it is until then.  fr_error is a Linux error number, and what else is
 * "out" counts only if it is 0.
 */
#pragma once
#include <machine/types.h>

enum fs_op {
	FS_LOOKUP,		/* fr_node, fr_name: fr_found, fr_attr */
	FS_FORGET,		/* fr_node; fr_off: so many lookups */
	FS_GETATTR,		/* fr_node: fr_attr */
	FS_SETATTR,		/* fr_node, fr_mask, fr_attr: fr_attr */
	FS_OPEN,		/* fr_node, fr_flags FSF_READ|WRITE: may it be? */
	FS_READ,		/* fr_node, fr_off, fr_seg: fr_count; less than asked: the end */
	FS_WRITE,		/* fr_node, fr_off, fr_seg: fr_count, fr_attr; FSF_APPEND: at the end */
	FS_FSYNC,		/* fr_node */
	FS_READDIR,		/* fr_node, fr_off cookie, one fr_seg: fr_count bytes of struct k_dirent64 */
	FS_READLINK,		/* fr_node, one fr_seg: fr_count */
	FS_CREATE,		/* fr_node, fr_name or NULL, fr_attr type, mode, owner: fr_found, fr_attr */
	FS_SYMLINK,		/* fr_node, fr_name, fr_name2 text, fr_attr owner: fr_found, fr_attr */
	FS_LINK,		/* fr_moved file; fr_node, fr_name: fr_attr of the file */
	FS_UNLINK,		/* fr_node, fr_name; fr_victim */
	FS_RMDIR,		/* the same */
	FS_RENAME,		/* fr_node, fr_name to fr_dir2, fr_name2; fr_moved, fr_victim; fr_mask */
	FS_STATFS,		/* fr_node: fr_statfs */
	FS_ALLOCATE,		/* fr_node, fr_mask FALLOC_*, fr_off, fr_attr size: so many bytes; fr_attr */
	FS_SEEK,		/* fr_node, fr_off, fr_mask 0 data, 1 a hole: fr_count where that is */
	FS_GETXATTR,		/* fr_node, fr_name, one fr_seg or none: fr_count its length */
	FS_SETXATTR,		/* fr_node, fr_name, one fr_seg or none, fr_mask XATTR_*; FSF_REMOVE */
	FS_LISTXATTR,		/* fr_node, one fr_seg or none: fr_count the length of all names */
};
#define FSF_READ	(1u << 0)	/* fr_flags */
#define FSF_WRITE	(1u << 1)
#define FSF_APPEND	(1u << 2)
#define FSF_NOLINK	(1u << 3)	/* what has no name shall never have one */
#define FSF_REMOVE	(1u << 4)	/* there shall be no such attribute */

#define FSA_MODE	(1u << 0)	/* fr_mask of FS_SETATTR */
#define FSA_UID		(1u << 1)
#define FSA_GID		(1u << 2)
#define FSA_SIZE	(1u << 3)
#define FSA_ATIME	(1u << 4)
#define FSA_MTIME	(1u << 5)

struct fs_attr {
	uint32_t	fa_mode;	/* type and permissions */
	uint32_t	fa_nlink, fa_uid, fa_gid;
	uint64_t	fa_ino, fa_size, fa_blocks512, fa_rdev;
	int64_t		fa_atime, fa_mtime, fa_ctime, fa_btime;	/* ns since 1970 */
	uint32_t	fa_blksize, fa_pad;
};
struct fs_statfs {
	uint64_t	fs_bsize, fs_blocks, fs_bfree, fs_bavail, fs_files, fs_ffree, fs_namelen;
};
#define FS_SEGS		16
struct fs_req {
	uint32_t	fr_op;		/* enum fs_op */
	int32_t		fr_error;	/* out */
	uint32_t	fr_flags, fr_mask;
	uint64_t	fr_node, fr_dir2;
	uint64_t	fr_moved, fr_victim;	/* 0: none */
	uint64_t	fr_found;	/* out */
	const char	*fr_name, *fr_name2;
	uint64_t	fr_off, fr_count;
	uint32_t	fr_nseg, fr_pad;
	struct { paddr_t pa; uint64_t len; } fr_seg[FS_SEGS];
	struct fs_attr	fr_attr;
	struct fs_statfs fr_statfs;
	/* Set by who asks, read by the driver when it answers late. */
	void		(*fr_done)(struct fs_req *r);
	_Atomic bool	fr_answered;	/* [atomic] of who asks */
};

#define FS_LATER	(-1)
struct fsdev;
struct fs_dev_ops {
	int	(*ask)(struct fsdev *fd, struct fs_req *r);	/* 0 or FS_LATER; any thread that may sleep */
};
struct fsdev {
	const char	*fd_name;	/* const: what a mount names as its source */
	const struct fs_dev_ops *fd_ops;	/* const */
	uint64_t	fd_root;	/* const: node of the root */
	const char	*fd_where;	/* const: where it wants to be mounted; "": nowhere */
	bool		fd_ro;		/* const: changes are refused */
	bool		fd_overlay;	/* const: wants to be below an overlay, which is what shows */
	struct fsdev	*fd_next;	/* const after boot: attach list */
};
void	fsdev_attach(struct fsdev *fd);			/* driver, at boot */
struct fsdev *fsdev_find(const char *name);		/* NULL: none */
struct fsdev *fsdev_first(void);
