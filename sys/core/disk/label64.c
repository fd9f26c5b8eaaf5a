/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * label64 - a slice divided into sixteen partitions, a to p.
 *
 * The label begins with its slice.  Its first 512 bytes are nobody's, so it
 * does not matter how large a block is; all its numbers are bytes, counted
 * from the beginning of the slice.  The sum goes from the magic number to the
 * last partition that the label says it has.
 *
 * It gives away what is from lb_pbase to before lb_pstop: never itself.  No
 * letter is special.  A partition c that stands for the whole slice, as in
 * older labels, begins at 0 and is left out as lying outside; and what
 * overlaps a partition before it is left out as everywhere (slice.c).
 *
 * The second copy that lb_abase can point to is neither read nor made.
 */
#include <core/disk/label64.h>
#include <core/rt/rt.h>

#define LABEL64_MAGIC	0xc4464c59u
#define ALIGN_BYTES	4096u			/* of what is written, counted on the disk */
#define BOOT_BYTES	32768u			/* between the label and the first partition */
#define FIRST_ALIGN	(1u << 20)		/* of the first partition, counted on the disk */

struct partition64 {
	uint64_t	pa_start, pa_bytes;
	uint8_t		pa_fstype, pa_unused[15];
	struct dsk_guid	pa_type, pa_id;
};

struct label64 {
	uint8_t		lb_reserved0[512];
	uint32_t	lb_magic, lb_crc, lb_align, lb_partitions;
	struct dsk_guid	lb_id;
	uint64_t	lb_total, lb_bbase, lb_pbase, lb_pstop, lb_abase;
	uint8_t		lb_packname[64], lb_reserved[64];
	struct partition64 lb_partition[LABEL64_PARTITIONS];
};
_Static_assert(offsetof(struct label64, lb_partition) == 712, "disk format");
_Static_assert(sizeof(struct label64) == 1736, "disk format");
_Static_assert(sizeof(struct label64) <= DSK_BUF_BYTES, "read in one piece");

const struct dsk_guid label64_type = { {
	0x54, 0xce, 0x48, 0x3d, 0x16, 0x1d, 0xdc, 0x11,
	0x86, 0x96, 0x01, 0x30, 0x1b, 0xb8, 0xa9, 0xf5
} };

static uint32_t
label_blocks(const struct dsk *d)
{
	return (sizeof(struct label64) + d->d_block_bytes - 1) / d->d_block_bytes;
}

/* The sum of a label whose lb_partitions is in bounds. */
static uint32_t
label_sum(struct dsk_work *w, const struct label64 *lb)
{
	static const uint8_t zero[4];
	size_t behind = offsetof(struct label64, lb_align);
	size_t end = offsetof(struct label64, lb_partition) +
	    lb->lb_partitions * sizeof lb->lb_partition[0];
	uint32_t crc;

	crc32_init(&w->w_crc);
	crc = crc32_update(&w->w_crc, 0, &lb->lb_magic, sizeof lb->lb_magic);
	crc = crc32_update(&w->w_crc, crc, zero, sizeof zero);
	return crc32_update(&w->w_crc, crc, (const uint8_t *)lb + behind, end - behind);
}

enum table_state
label64_read(const struct dsk *d, struct dsk_work *w, uint64_t start, uint64_t bytes,
    uint32_t parent, struct slice_list *l)
{
	const struct label64 *lb = (const void *)w->w_buf;
	uint32_t blocks = label_blocks(d), from = l->l_n;
	uint64_t lo, hi, end;

	ASSERT((start | bytes) % d->d_block_bytes == 0);
	if (bytes < (uint64_t)blocks * d->d_block_bytes)
		return TABLE_ABSENT;
	if (!d->d_read(d->d_arg, start / d->d_block_bytes, blocks, w->w_buf))
		return TABLE_UNREADABLE;
	if (lb->lb_magic != LABEL64_MAGIC)
		return TABLE_ABSENT;
	if (lb->lb_partitions > LABEL64_PARTITIONS)
		return TABLE_BAD_FIELDS;
	if (label_sum(w, lb) != lb->lb_crc)
		return TABLE_BAD_SUM;
	lo = rt_max(lb->lb_pbase, sizeof *lb);
	hi = rt_min(rt_min(lb->lb_pstop, lb->lb_total), bytes);

	for (uint32_t i = 0; i < lb->lb_partitions; i++) {
		const struct partition64 *p = &lb->lb_partition[i];

		if (p->pa_bytes == 0)
			continue;
		if (rt_add_overflows(p->pa_start, p->pa_bytes, &end)) {
			l->l_reversed++;
		} else if (p->pa_start < lo || end > hi) {
			l->l_outside++;
		} else if ((p->pa_start | p->pa_bytes) % d->d_block_bytes != 0) {
			l->l_unaligned++;
		} else {
			slice_add(l, from, &(struct slice){
				.sl_start = start + p->pa_start, .sl_bytes = p->pa_bytes,
				.sl_kind = SLICE_LABEL64, .sl_parent = parent,
				.sl_index = i, .sl_fstype = p->pa_fstype,
				.sl_type = p->pa_type, .sl_id = p->pa_id,
			});
		}
	}
	return TABLE_OK;
}

bool
label64_area(uint64_t start, uint64_t bytes, uint64_t *lo, uint64_t *hi)
{
	uint64_t boot = start + ALIGN_BYTES + BOOT_BYTES;
	uint64_t first = (boot + FIRST_ALIGN - 1) & ~(uint64_t)(FIRST_ALIGN - 1);
	uint64_t stop = (start + bytes) & ~(uint64_t)(ALIGN_BYTES - 1);

	if (first >= stop)
		return false;
	*lo = first;
	*hi = stop;
	return true;
}

enum dsk_result
label64_write(const struct dsk *d, struct dsk_work *w, uint64_t start, uint64_t bytes,
    const struct dsk_guid *id, const struct slice *s, uint32_t n)
{
	struct label64 *lb = (void *)w->w_buf;
	uint64_t lo, hi;

	ASSERT((start | bytes) % d->d_block_bytes == 0);
	if (!label64_area(start, bytes, &lo, &hi))
		return DSK_NO_ROOM;
	if (!slices_fit(s, n, lo, hi, LABEL64_PARTITIONS, ALIGN_BYTES))
		return DSK_BAD_SLICE;
	if (!d->d_read(d->d_arg, start / d->d_block_bytes, label_blocks(d), w->w_buf))
		return DSK_IO;

	memset(&lb->lb_magic, 0, sizeof *lb - offsetof(struct label64, lb_magic));
	lb->lb_magic = LABEL64_MAGIC;
	lb->lb_align = ALIGN_BYTES;
	lb->lb_partitions = LABEL64_PARTITIONS;
	lb->lb_id = *id;
	lb->lb_total = bytes;
	lb->lb_bbase = ALIGN_BYTES;
	lb->lb_pbase = lo - start;
	lb->lb_pstop = hi - start;
	for (uint32_t i = 0; i < n; i++) {
		lb->lb_partition[s[i].sl_index] = (struct partition64){
			.pa_start = s[i].sl_start - start, .pa_bytes = s[i].sl_bytes,
			.pa_fstype = s[i].sl_fstype, .pa_type = s[i].sl_type, .pa_id = s[i].sl_id,
		};
	}
	lb->lb_crc = label_sum(w, lb);
	if (!d->d_write(d->d_arg, start / d->d_block_bytes, label_blocks(d), w->w_buf))
		return DSK_IO;
	return DSK_OK;
}
