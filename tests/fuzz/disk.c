/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk - tables of disks with anything at all in them, under right sums.
 *
 * A good disk is made: a GPT with two slices, a label in the second, and, if
 * the input says so, a label on the whole disk in place of all that.  Each four
 * bytes of the input then change one byte of one table, and the sums are made
 * right again, so that it is not they that refuse.  Whatever is read must be
 * inside the disk and apart from the rest; what fits a new table must be the
 * same when it is written and read again.
 */
/* Most of the time goes there, and none of it is worth following. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#include "../../sys/core/codec/crc32.c"
#pragma clang attribute pop
#include "../../sys/core/disk/gpt.c"
#include "../../sys/core/disk/label64.c"
#include "../../sys/core/disk/slice.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Of the C library, which this world does not know. */
_Noreturn void abort(void);
int	dprintf(int fd, const char *fmt, ...);

#define BYTES		(4u << 20)
#define MIB		(1u << 20)
#define LABEL_AT	(MIB + MIB / 2)		/* a slice with a label */
#define LABEL_BYTES	(2 * MIB)
#define EDGE		32768u
#define SLICES		64u
#define PATCHES		256u

enum { AT_MBR, AT_HEADER, AT_ARRAY, AT_BACKUP, AT_BACKUP_ARRAY, AT_LABEL, AT_DISK_LABEL, AT_COUNT };

static uint8_t store[BYTES];
static struct dsk dsk;
static struct dsk_work work;
static struct slice found[SLICES], again[SLICES];

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	dprintf(2, "%s:%d: %s\n", file, line, what);
	abort();
}

static bool
disk_read(void *arg, uint64_t lba, uint32_t nblocks, void *buf)
{
	ASSERT(arg == &dsk && nblocks > 0 && nblocks * dsk.d_block_bytes <= DSK_BUF_BYTES);
	ASSERT(lba < dsk.d_blocks && nblocks <= dsk.d_blocks - lba);
	memcpy(buf, store + lba * dsk.d_block_bytes, nblocks * dsk.d_block_bytes);
	return true;
}

static bool
disk_write(void *arg, uint64_t lba, uint32_t nblocks, const void *buf)
{
	ASSERT(arg == &dsk && lba < dsk.d_blocks && nblocks <= dsk.d_blocks - lba);
	memcpy(store + lba * dsk.d_block_bytes, buf, nblocks * dsk.d_block_bytes);
	return true;
}

static void
make(bool whole)
{
	static const struct dsk_guid id = { { 1 } };
	struct slice s[2] = {
		{ .sl_start = MIB, .sl_bytes = MIB / 4, .sl_type = id, .sl_name = "one" },
		{ .sl_start = LABEL_AT, .sl_bytes = LABEL_BYTES, .sl_index = 1,
		    .sl_type = label64_type },
	};
	struct slice part[2] = {
		{ .sl_start = 2 * MIB, .sl_bytes = MIB / 2, .sl_fstype = 7, .sl_id = id },
		{ .sl_start = 2 * MIB + MIB / 2, .sl_bytes = MIB / 2, .sl_index = 4 },
	};
	enum dsk_result r;

	/* All that is ever written. */
	memset(store, 0, EDGE);
	memset(store + LABEL_AT, 0, EDGE);
	memset(store + BYTES - EDGE, 0, EDGE);
	if (whole) {
		r = label64_write(&dsk, &work, 0, BYTES, &id, part, 2);
		ASSERT(r == DSK_OK);
		return;
	}
	r = gpt_write(&dsk, &work, &id, s, 2);
	ASSERT(r == DSK_OK);
	r = label64_write(&dsk, &work, LABEL_AT, LABEL_BYTES, &id, part, 2);
	ASSERT(r == DSK_OK);
}

static uint8_t *
area(uint32_t which)
{
	uint64_t backup = BYTES - dsk.d_block_bytes;

	switch (which) {
	case AT_HEADER:		return store + dsk.d_block_bytes;
	case AT_ARRAY:		return store + 2 * dsk.d_block_bytes;
	case AT_BACKUP:		return store + backup;
	case AT_BACKUP_ARRAY:	return store + backup - WRITE_ARRAY_BYTES;
	case AT_LABEL:		return store + LABEL_AT;
	default:		return store;
	}
}

static void
seal_gpt(uint8_t *at)
{
	struct gpt_header *h = (void *)at;
	uint64_t n = array_bytes(h), lba = h->gh_array_lba;

	if (n <= BYTES && lba <= (BYTES - n) / dsk.d_block_bytes)
		h->gh_array_crc =
		    crc32_update(&work.w_crc, 0, store + lba * dsk.d_block_bytes, n);
	h->gh_crc = 0;
	if (h->gh_bytes <= dsk.d_block_bytes)
		h->gh_crc = crc32_update(&work.w_crc, 0, h, h->gh_bytes);
}

static void
seal_label(uint8_t *at)
{
	struct label64 *lb = (void *)at;

	if (lb->lb_partitions <= LABEL64_PARTITIONS)
		lb->lb_crc = label_sum(&work, lb);
}

/* The sums last: none of these tables is part of another. */
static void
spoil(const uint8_t *data, size_t len, bool whole)
{
	for (uint32_t n = 0; n < PATCHES && len >= 4; n++, data += 4, len -= 4) {
		uint32_t off = data[1] | (data[2] & 7u) << 8;

		if (data[0] % AT_COUNT == AT_HEADER || data[0] % AT_COUNT == AT_BACKUP)
			off %= HEADER_BYTES;
		area(data[0] % AT_COUNT)[off] = data[3];
	}
	crc32_init(&work.w_crc);
	if (whole) {
		seal_label(area(AT_DISK_LABEL));
		return;
	}
	seal_label(area(AT_LABEL));
	seal_gpt(area(AT_HEADER));
	seal_gpt(area(AT_BACKUP));
}

/* The oracle knows nothing of tables: each slice is in the disk or its parent, and alone there. */
static void
judge(const struct slice_list *l)
{
	ASSERT(l->l_n <= l->l_max);
	for (uint32_t i = 0; i < l->l_n; i++) {
		const struct slice *s = &found[i];
		uint64_t lo = dsk.d_block_bytes, hi = BYTES;

		if (s->sl_parent != SLICE_NO_PARENT) {
			ASSERT(s->sl_parent < i);
			ASSERT(found[s->sl_parent].sl_parent == SLICE_NO_PARENT);
			lo += found[s->sl_parent].sl_start;
			hi = found[s->sl_parent].sl_start + found[s->sl_parent].sl_bytes;
		}
		ASSERT(s->sl_bytes > 0 && s->sl_start >= lo && s->sl_start < hi);
		ASSERT(s->sl_bytes <= hi - s->sl_start);
		ASSERT((s->sl_start | s->sl_bytes) % dsk.d_block_bytes == 0);
		ASSERT(strnlen(s->sl_name, SLICE_NAME_BYTES) < SLICE_NAME_BYTES);
		for (uint32_t k = 0; k < i; k++) {
			const struct slice *x = &found[k];

			if (x->sl_parent != s->sl_parent)
				continue;
			ASSERT(x->sl_index != s->sl_index);
			ASSERT(x->sl_start >= s->sl_start + s->sl_bytes ||
			    s->sl_start >= x->sl_start + x->sl_bytes);
		}
	}
}

static void
write_again(uint32_t n)
{
	static const struct dsk_guid id;
	struct slice_list l = { .l_at = again, .l_max = SLICES };
	struct gpt_info info;
	enum dsk_result r = gpt_write(&dsk, &work, &id, found, n);

	ASSERT(r == DSK_OK || r == DSK_BAD_SLICE);
	if (r != DSK_OK)
		return;
	ASSERT(gpt_read(&dsk, &work, &l, &info));
	ASSERT(info.gi_primary == TABLE_OK && info.gi_backup == TABLE_OK && !info.gi_differ);
	ASSERT(l.l_n == n && l.l_lost == 0);
	for (uint32_t i = 0; i < n; i++) {
		ASSERT(again[i].sl_start == found[i].sl_start);
		ASSERT(again[i].sl_bytes == found[i].sl_bytes);
		ASSERT(again[i].sl_index == found[i].sl_index);
		ASSERT(strcmp(again[i].sl_name, found[i].sl_name) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice_list l = { .l_at = found };
	struct dsk_info info;
	uint32_t n = 0;
	bool whole;

	if (len < 2)
		return 0;
	whole = (data[0] & 4) != 0;
	dsk = (struct dsk){ .d_block_bytes = 512u << (data[0] & 3), .d_read = disk_read,
	    .d_write = disk_write, .d_arg = &dsk };
	dsk.d_blocks = BYTES / dsk.d_block_bytes;
	l.l_max = data[1] % (SLICES + 1);
	make(whole);
	spoil(data + 2, len - 2, whole);
	dsk_scan(&dsk, &work, &l, &info);
	judge(&l);
	while (n < l.l_n && found[n].sl_kind == SLICE_GPT)
		n++;
	write_again(n);
	return 0;
}
