/* SPDX-License-Identifier: BSD-2-Clause */
/* getdents(2), getdents64(2) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

/* Packed: what follows the members that have a size is the name. */
struct __attribute__((packed)) k_dirent64 {
	uint64_t	d_ino;
	int64_t		d_off;
	uint16_t	d_reclen;
	uint8_t		d_type;
	char		d_name[];	/* with NUL; records are multiples of 8 */
};
/* The older record: the type is in its last byte. */
struct __attribute__((packed)) k_dirent {
	uint64_t	d_ino;
	uint64_t	d_off;
	uint16_t	d_reclen;
	char		d_name[];
};

#define DT_UNKNOWN	0
#define DT_FIFO		1
#define DT_CHR		2
#define DT_DIR		4
#define DT_BLK		6
#define DT_REG		8
#define DT_LNK		10
#define DT_SOCK		12
