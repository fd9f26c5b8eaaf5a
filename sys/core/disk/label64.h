/* SPDX-License-Identifier: BSD-2-Clause */
/* label64 - DragonFly BSD's 64-bit disk label: disklabel64(5). */
#pragma once
#include <core/disk/slice.h>

#define LABEL64_PARTITIONS 16u

/* The type of a GPT's slice that has such a label: 3d48ce54-1d16-11dc-8696-01301bb8a9f5. */
extern const struct dsk_guid label64_type;

/*
 * Adds the partitions of the label at the beginning of [start, start + bytes),
 * which is inside the disk and in whole blocks.  Not TABLE_OK: nothing is added.
 */
enum table_state label64_read(const struct dsk *d, struct dsk_work *w, uint64_t start,
    uint64_t bytes, uint32_t parent, struct slice_list *l);

/* The bytes [*lo, *hi) of the disk that a new label there may give away.  False: too small. */
bool	label64_area(uint64_t start, uint64_t bytes, uint64_t *lo, uint64_t *hi);
/*
 * Writes a label for n slices, of which place, fstype, type, id and index are
 * used.  The bytes before and behind the label stay as they are.
 */
enum dsk_result label64_write(const struct dsk *d, struct dsk_work *w, uint64_t start,
    uint64_t bytes, const struct dsk_guid *id, const struct slice *s, uint32_t n);
