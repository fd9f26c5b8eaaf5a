/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slice - a disk, and the pieces that the tables on it divide it into.
 *
 * All places and sizes of slices are in bytes from the disk's beginning, all
 * multiples of its blocks.  What a table says is foreign input: an entry that
 * lies is left out and counted, the others are given.
 */
#pragma once
#include <core/codec/crc32.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DSK_BUF_BYTES	4096u

/*
 * d_block_bytes is a power of two, 512 to 4096, and the disk's bytes fit 63
 * bits; the driver has seen to that.  The callbacks are asked for blocks
 * inside the disk only, for DSK_BUF_BYTES at most, and say whether it worked.
 * d_write may be NULL where nothing is written.
 */
struct dsk {
	uint64_t	d_blocks;
	uint32_t	d_block_bytes;
	bool		(*d_read)(void *arg, uint64_t lba, uint32_t nblocks, void *buf);
	bool		(*d_write)(void *arg, uint64_t lba, uint32_t nblocks, const void *buf);
	void		*d_arg;
};

/* Memory for those who read and write tables.  Nothing is kept in it between calls. */
struct dsk_work {
	struct crc32_table w_crc;
	_Alignas(8) uint8_t w_buf[DSK_BUF_BYTES];
};

/* As on disk: the first three of its five fields are little-endian. */
struct dsk_guid {
	uint8_t		g_bytes[16];
};

#define SLICE_NAME_BYTES	112u	/* 36 units of UTF-16 as UTF-8, and NUL */
#define SLICE_NO_PARENT		UINT32_MAX

enum slice_kind { SLICE_GPT, SLICE_LABEL64 };

struct slice {
	uint64_t	sl_start, sl_bytes;
	enum slice_kind	sl_kind;		/* of the table that names it */
	uint32_t	sl_parent;		/* place in the list of what it is in, or none */
	uint32_t	sl_index;		/* in its table; a label's 0 is the letter a */
	uint8_t		sl_fstype;		/* a label's; 0 in a GPT */
	struct dsk_guid	sl_type, sl_id;
	char		sl_name[SLICE_NAME_BYTES];	/* UTF-8, no control characters */
};

/* The caller gives l_at and l_max and the rest zeroed.  Behind l_n: how many were left out. */
struct slice_list {
	struct slice	*l_at;
	uint32_t	l_max, l_n;
	uint32_t	l_reversed;		/* ends before it begins, or beyond 64 bits */
	uint32_t	l_outside;		/* of what its table may give away */
	uint32_t	l_unaligned;		/* not in whole blocks */
	uint32_t	l_overlap;		/* with an entry before it in the same table */
	uint32_t	l_lost;			/* the list is full, or the table too long */
};

enum table_state {
	TABLE_OK,
	TABLE_ABSENT,		/* no signature, or no room for a table */
	TABLE_UNREADABLE,	/* the disk failed */
	TABLE_BAD_FIELDS,	/* contradicts itself or the disk */
	TABLE_BAD_SUM,
};

/* What came of writing a table.  Only DSK_IO may have changed the disk. */
enum dsk_result {
	DSK_OK,
	DSK_NO_ROOM,		/* the disk or slice is too small for a table */
	DSK_BAD_SLICE,		/* outside, unaligned, empty, overlapping, or two with an index */
	DSK_BAD_NAME,		/* not UTF-8, with control characters, or too long */
	DSK_IO,			/* a read or write failed */
};

struct gpt_info {
	bool		gi_mbr;			/* there is a protective MBR */
	bool		gi_differ;		/* both copies are good and do not say the same */
	enum table_state gi_primary, gi_backup;
	struct dsk_guid	gi_disk;
};

struct dsk_info {
	struct gpt_info	di_gpt;
	enum table_state di_label;		/* of the disk: read only without a GPT */
	uint32_t	di_labels_bad;		/* slices of its type without a good label */
};

/*
 * All slices of a disk: those of its GPT, and behind them the partitions of
 * the disk labels in these; without a GPT, those of a label on the whole disk.
 * No two slices with the same parent overlap, and each is inside its parent.
 */
void	dsk_scan(const struct dsk *d, struct dsk_work *w, struct slice_list *l,
	    struct dsk_info *info);

/* For the readers and writers of tables. */

/* Adds one whose place has been checked unless an entry behind `from` overlaps it. */
void	slice_add(struct slice_list *l, uint32_t from, const struct slice *s);
/* Not empty, aligned, in [lo, hi), without overlap, indexes below index_max and all different? */
bool	slices_fit(const struct slice *s, uint32_t n, uint64_t lo, uint64_t hi, uint32_t index_max,
	    uint32_t align_bytes);

static inline uint64_t dsk_bytes(const struct dsk *d) { return d->d_blocks * d->d_block_bytes; }
