/* SPDX-License-Identifier: BSD-2-Clause */
/* statfs(2) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

struct k_statfs {
	int64_t		f_type, f_bsize;
	uint64_t	f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	int32_t		f_fsid[2];
	int64_t		f_namelen, f_frsize, f_flags, f_spare[4];
};
_Static_assert(sizeof(struct k_statfs) == 120, "struct statfs is 120 bytes");

#define ST_VALID	0x20
#define TMPFS_MAGIC	0x01021994
#define PIPEFS_MAGIC	0x50495045
#define ANON_INODE_FS_MAGIC	0x09041934
#define PROC_SUPER_MAGIC	0x9fa0
#define SYSFS_MAGIC	0x62656572
#define RAMFS_MAGIC	0x858458f6u
#define OVERLAYFS_MAGIC	0x794c7630
