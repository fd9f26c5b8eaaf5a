/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk - raw disks and their slices, as files in /dev.
 *
 * Names: the disk's own ("sda", "nvme0n1").  Entry n of a GPT is NAMEn, or
 * NAMEpn if the disk's name ends in a digit: "sda2", "nvme0n1p2".  Partition x
 * of a disklabel64 is that of what it divides with the letter behind it:
 * "sda2a"; a label on the whole disk is as if in slice 0: "sda0a".
 *
 * Numbers: sdX has major 8, its GPT's slices up to 15 the minors behind it;
 * ramN major 1; everything else is in major 259, in order of appearance.
 */
#pragma once
#include <machine/types.h>

#define DISK_NAME_BYTES	32u

/* kmain, once /dev is there.  Waits, not for ever, until the disks that are there have been looked at. */
void	disk_init(void);
void	disk_settle(void);		/* waits likewise for those that came since */
void	disk_sync(void);		/* what was written is to last, on all disks */

/* For /proc and /sys: what has number id. */
struct disk_info {
	char		di_name[DISK_NAME_BYTES];
	char		di_disk[DISK_NAME_BYTES];	/* it is part of this one; a disk: itself */
	char		di_model[41], di_serial[21];
	uint64_t	di_rdev, di_start, di_bytes;
	uint32_t	di_block_bytes;
	uint32_t	di_number;	/* of a slice, one of its own on the disk; 0: a disk */
	bool		di_read_only;
};
bool	disk_info(int32_t id, struct disk_info *out);	/* false: it is gone */
#define DISK_ANY	(-1)		/* disks and slices */
#define DISK_WHOLE	0		/* disks */
/* The smallest id from `from` on of those kinds, or of slices of disk `of`; -1: none. */
int32_t	disk_next(int32_t of, int32_t from);
