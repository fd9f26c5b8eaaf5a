/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/blk - disks, as drivers offer them.
 *
 * A request is a struct bio (4.4BSD's name; shape ours): whole blocks, and
 * pieces of physical memory that a device can take.  Who asks owns it, and has
 * it back when b_done was called: in thread context, in a critical section, on
 * any CPU, before submit has returned perhaps.
 */
#pragma once
#include <core/rt/list.h>
#include <core/storage/storage.h>
#include <drv/lock.h>
#include <machine/types.h>

#define BIO_SEGS	32u
#define BIO_BYTES_MAX	(BIO_SEGS * 4096u)

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };

struct bio {
	enum bio_op	b_op;
	uint32_t	b_blocks;	/* 0 for FLUSH */
	uint64_t	b_lba;
	uint32_t	b_nseg;
	/* Together b_blocks, each a multiple of 512; they meet at boundaries of 4 KiB pages. */
	struct storage_seg b_seg[BIO_SEGS];
	enum storage_result b_result;	/* out */
	void		(*b_done)(struct bio *b);
	void		*b_up;		/* who asks */
	struct list	b_link;		/* [blk: while it waits for room] */
	uint64_t	b_driver[2];	/* [the driver, while it has it] */
};

struct blkdev;
struct blk_ops {
	/*
	 * Any CPU, in a critical section, several at once.  False: no room; when there may
	 * be again the driver calls blk_room().  May still be called while blk_gone() is:
	 * such a request ends with STORAGE_GONE, too.
	 */
	bool	(*submit)(struct blkdev *bd, struct bio *b);
};
struct blkdev {
	char		bd_name[16];	/* const: "nvme0n1", "sda", "vda" */
	const struct blk_ops *bd_ops;	/* const */
	void		*bd_driver;	/* const: the driver's */
	uint64_t	bd_blocks;	/* const */
	uint32_t	bd_block_bytes;	/* const: 512 to 4096 */
	uint32_t	bd_bytes_max;	/* const: of one request, at least 4096; so is BIO_BYTES_MAX */
	uint32_t	bd_segs_max;	/* const: likewise, at least 1 */
	bool		bd_read_only;	/* const */
	bool		bd_flush;	/* const: writes may be lost before a FLUSH */
	char		bd_model[41], bd_serial[21];	/* const */
	_Atomic bool	bd_gone;	/* [atomic] blk_gone() */

	/* The block layer's; blk_attach() sets them up. */
	struct drv_lock	bd_lock;
	struct list	bd_waiting;	/* [bd_lock] requests, in order of arrival */
	_Atomic uint32_t bd_nwaiting;	/* [bd_lock to change] of them, with the one that is being offered */
	bool		bd_offering;	/* [bd_lock] somebody offers them to the driver */
	bool		bd_again;	/* [bd_lock] there may be room since the last offer */
	_Atomic bool	bd_told;	/* [atomic] the listener knows it */
	struct blkdev	*bd_next;	/* const: attach list */
};

/*
 * At boot or later, from a thread; bd stays for ever.  One of an absurd shape is logged, and has no user.
 * A name may be that of a disk that is gone: what has that one open goes on to get errors.
 */
void	blk_attach(struct blkdev *bd);
void	blk_done(struct bio *b, enum storage_result result);	/* in a critical section */
void	blk_room(struct blkdev *bd);				/* likewise */
/*
 * Nobody will answer any more: each later request ends with STORAGE_GONE, and those
 * that wait for room.  Those that the driver has are ended by the driver.  In a critical section.
 */
void	blk_gone(struct blkdev *bd);
/* How many asked for a number with this prefix before: "sd", "vd", "nvme" or "ram". */
uint32_t blk_number(const char *prefix);
/* "sda" to "sdz", then "sdaa": the n-th with this prefix. */
void	blk_letter(char out[16], const char *prefix, uint32_t n);

/* For those who read and write disks: the kernel above.  Any context that may sleep or not. */
void	blk_submit(struct blkdev *bd, struct bio *b);		/* waits its turn if there is no room */
struct blkdev *blk_first(void);		/* the others by bd_next, the newest first */
/* fn is called once for each disk, those that are there and those to come, in a thread.  At boot, one fn. */
void	blk_listen(void (*fn)(struct blkdev *bd));
/* In a thread, at the machine's end: caches of disks are written; one that takes too long is logged. */
void	blk_flush_all(void);
