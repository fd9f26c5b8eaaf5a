/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of disk.h's module share: which disks and slices there are, and moving their bytes. */
#pragma once
#include <drv/blk.h>
#include <sys/file/disk.h>
#include <sys/lwkt/lock.h>
#include <sys/vfs/range.h>
#include <sys/vm/uio.h>

#define DISK_WAITQS	16u

/* For ever, as its blkdev is. */
struct disk {
	struct blkdev	*d_bd;		/* const */
	struct range_lock d_range;	/* bytes, in whole blocks: who reads or writes them */
	struct lk	d_scan_lk;	/* its tables are being read */
	struct waitq	d_waitq[DISK_WAITQS];	/* who waits for requests, by thread */
};

/* A disk or a slice. */
struct block {
	struct list	bk_link;	/* [disks_lk] unless it was dropped */
	struct disk	*bk_disk;	/* const */
	int32_t		bk_id;		/* const */
	int32_t		bk_of;		/* const: the disk's id; DISK_WHOLE: it is one */
	char		bk_name[DISK_NAME_BYTES];	/* const */
	uint64_t	bk_rdev;	/* const */
	uint32_t	bk_number;	/* const */
	uint64_t	bk_start, bk_bytes;	/* const: in whole blocks of the disk */
	uint32_t	bk_opens;	/* [disks_lk] files */
	bool		bk_dropped;	/* [disks_lk] */
};

/* disk_io.c.  May sleep, not to be interrupted: no request stays behind. */

/* As read(2) and write(2) at u_off, direct: O_DIRECT's rules. */
int	disk_read(struct block *bk, struct uio *u, bool direct);
int	disk_write(struct block *bk, struct uio *u, bool direct);
int	disk_flush(struct disk *d);
/* Whole blocks of the disk to or from a page of the kernel's. */
int	disk_page(struct disk *d, enum bio_op op, uint64_t at, void *page, uint32_t bytes);
