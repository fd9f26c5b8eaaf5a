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
