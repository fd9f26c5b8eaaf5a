/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slice - what both tables share, and the scan of a disk.
 *
 * Of two entries of a table that overlap, nobody can tell which one lies.
 * The one that comes first in the table is given and the other left out, so
 * that the answer depends on nothing but the disk.
 *
 * Invariants
 *   S1  slices of one table do not overlap: slice_add() is the only way in.
 *   S2  a label's slices are inside its slice: the reader of labels counts
 *       from there.  Labels are looked for in slices of a GPT only, so the
 *       depth is two at most, whatever the disk says.
 *
 * Locking: none, all state is the caller's.
 */
#include <core/disk/slice.h>
#include <core/disk/gpt.h>
#include <core/disk/label64.h>
#include <core/rt/rt.h>

static bool
overlap(const struct slice *a, const struct slice *b)
{
	return a->sl_start < b->sl_start + b->sl_bytes && b->sl_start < a->sl_start + a->sl_bytes;
}

void
slice_add(struct slice_list *l, uint32_t from, const struct slice *s)
{
	ASSERT(s->sl_bytes > 0);
	for (uint32_t i = from; i < l->l_n; i++) {
		if (overlap(&l->l_at[i], s)) {
			l->l_overlap++;
			return;
		}
	}
	if (l->l_n == l->l_max) {
		l->l_lost++;
		return;
	}
	l->l_at[l->l_n++] = *s;
}

bool
slices_fit(const struct slice *s, uint32_t n, uint64_t lo, uint64_t hi, uint32_t index_max,
    uint32_t align_bytes)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t end;

		if (s[i].sl_bytes == 0 || s[i].sl_index >= index_max)
			return false;
		if ((s[i].sl_start | s[i].sl_bytes) % align_bytes != 0)
			return false;
		if (rt_add_overflows(s[i].sl_start, s[i].sl_bytes, &end))
			return false;
		if (s[i].sl_start < lo || end > hi)
			return false;
		for (uint32_t k = 0; k < i; k++) {
			if (s[k].sl_index == s[i].sl_index || overlap(&s[k], &s[i]))
				return false;
		}
	}
	return true;
}

void
dsk_scan(const struct dsk *d, struct dsk_work *w, struct slice_list *l, struct dsk_info *info)
{
	uint32_t from = l->l_n, to;

	ASSERT(d->d_block_bytes >= 512 && d->d_block_bytes <= DSK_BUF_BYTES);
	ASSERT(d->d_blocks <= INT64_MAX / d->d_block_bytes);
	info->di_label = TABLE_ABSENT;
	info->di_labels_bad = 0;
	if (!gpt_read(d, w, l, &info->di_gpt)) {
		info->di_label = label64_read(d, w, 0, dsk_bytes(d), SLICE_NO_PARENT, l);
		return;
	}
	to = l->l_n;
	for (uint32_t i = from; i < to; i++) {
		const struct slice *s = &l->l_at[i];

		if (memcmp(&s->sl_type, &label64_type, sizeof s->sl_type) == 0 &&
		    label64_read(d, w, s->sl_start, s->sl_bytes, i, l) != TABLE_OK)
			info->di_labels_bad++;
	}
}
