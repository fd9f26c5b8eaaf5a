/* SPDX-License-Identifier: BSD-2-Clause */
/* open(2), fcntl(2) and the *at calls of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>
#define O_ACCMODE	00000003u
#define O_RDONLY	00000000u
#define O_WRONLY	00000001u
#define O_RDWR		00000002u
#define O_CREAT		00000100u
#define O_EXCL		00000200u
#define O_NOCTTY	00000400u
#define O_TRUNC		00001000u
#define O_APPEND	00002000u
#define O_NONBLOCK	00004000u
#define O_DSYNC		00010000u
#define O_ASYNC		00020000u
#define O_DIRECT	00040000u
#define O_LARGEFILE	00100000u
#define O_DIRECTORY	00200000u
#define O_NOFOLLOW	00400000u
#define O_NOATIME	01000000u
#define O_CLOEXEC	02000000u
#define O_SYNC		04010000u
#define O_PATH		010000000u
#define O_TMPFILE	020200000u

#define AT_FDCWD		(-100)
#define AT_SYMLINK_NOFOLLOW	0x100u
#define AT_EACCESS		0x200u
#define AT_REMOVEDIR		0x200u
#define AT_SYMLINK_FOLLOW	0x400u
#define AT_NO_AUTOMOUNT		0x800u
#define AT_EMPTY_PATH		0x1000u

#define F_DUPFD		0
#define F_GETFD		1
#define F_SETFD		2
#define F_GETFL		3
#define F_SETFL		4
#define F_GETLK		5
#define F_SETLK		6
#define F_SETLKW	7
#define F_SETOWN	8
#define F_GETOWN	9
#define F_SETSIG	10
#define F_GETSIG	11
#define F_SETOWN_EX	15
#define F_GETOWN_EX	16
#define F_OWNER_TID	0
#define F_OWNER_PID	1
#define F_OWNER_PGRP	2
struct k_f_owner_ex { int32_t type, pid; };
#define F_DUPFD_CLOEXEC	1030
#define F_SETPIPE_SZ	1031
#define F_GETPIPE_SZ	1032
#define F_ADD_SEALS	1033
#define F_GET_SEALS	1034
#define F_SEAL_SEAL	0x01u
#define F_SEAL_SHRINK	0x02u
#define F_SEAL_GROW	0x04u
#define F_SEAL_WRITE	0x08u
#define F_SEAL_FUTURE_WRITE 0x10u
#define F_SEAL_EXEC	0x20u
#define F_SEAL_ALL	0x3fu
#define FD_CLOEXEC	1

#define MFD_CLOEXEC		0x01u
#define MFD_ALLOW_SEALING	0x02u
#define MFD_HUGETLB		0x04u
#define MFD_NOEXEC_SEAL		0x08u
#define MFD_EXEC		0x10u

#define RENAME_NOREPLACE	1u
#define RENAME_EXCHANGE		2u
#define RENAME_WHITEOUT		4u

#define SPLICE_F_NONBLOCK	2u
#define SPLICE_F_ALL		15u	/* with MOVE, MORE and GIFT, which ask for nothing that matters here */

/* struct open_how of openat2 */
struct k_open_how { uint64_t flags, mode, resolve; };
#define RESOLVE_NO_XDEV		1u
#define RESOLVE_NO_MAGICLINKS	2u
#define RESOLVE_NO_SYMLINKS	4u
#define RESOLVE_BENEATH		8u
#define RESOLVE_IN_ROOT		16u
#define RESOLVE_CACHED		32u
