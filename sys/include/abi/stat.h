/* SPDX-License-Identifier: BSD-2-Clause */
/* struct stat and file modes of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

struct k_timespec { int64_t tv_sec, tv_nsec; };
struct k_timeval { int64_t tv_sec, tv_usec; };

struct k_stat {
	uint64_t	st_dev, st_ino, st_nlink;
	uint32_t	st_mode, st_uid, st_gid, st_pad0;
	uint64_t	st_rdev;
	int64_t		st_size, st_blksize, st_blocks;
	struct k_timespec st_atim, st_mtim, st_ctim;
	int64_t		st_unused[3];
};
_Static_assert(sizeof(struct k_stat) == 144, "struct stat is 144 bytes");

#define S_IFMT		0170000u
#define S_IFSOCK	0140000u
#define S_IFLNK		0120000u
#define S_IFREG		0100000u
#define S_IFBLK		0060000u
#define S_IFDIR		0040000u
#define S_IFCHR		0020000u
#define S_IFIFO		0010000u
#define S_ISUID		04000u
#define S_ISGID		02000u
#define S_ISVTX		01000u

struct k_statx_timestamp { int64_t tv_sec; uint32_t tv_nsec; int32_t pad; };
struct k_statx {
	uint32_t	stx_mask, stx_blksize;
	uint64_t	stx_attributes;
	uint32_t	stx_nlink, stx_uid, stx_gid;
	uint16_t	stx_mode, pad0;
	uint64_t	stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct k_statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t	stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	uint64_t	stx_mnt_id;
	uint64_t	stx_spare[13];
};
_Static_assert(sizeof(struct k_statx) == 256, "struct statx is 256 bytes");
#define STATX_BASIC_STATS	0x7ffu
#define STATX_BTIME		0x800u
#define STATX_MNT_ID		0x1000u

#define UTIME_NOW	0x3fffffff
#define UTIME_OMIT	0x3ffffffe
