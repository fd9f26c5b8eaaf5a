/* SPDX-License-Identifier: BSD-2-Clause */
/* gpt - the GUID partition table: UEFI specification 2.10, chapter 5. */
#pragma once
#include <core/disk/slice.h>

#define GPT_ENTRIES_MAX	1024u			/* used entries behind are counted as lost */
#define GPT_ARRAY_BYTES_MAX (1024u * 4096u)	/* a longer array is refused */
#define GPT_WRITE_ENTRIES 128u			/* of the tables that gpt_write() makes */

/*
 * Adds the slices of the primary table, or of the backup at the last block if
 * the primary one is not good.  False, and the list as it was: neither is.
 */
bool	gpt_read(const struct dsk *d, struct dsk_work *w, struct slice_list *l,
	    struct gpt_info *info);

/* The bytes [*lo, *hi) that a new table may give away.  False: the disk is too small. */
bool	gpt_area(const struct dsk *d, uint64_t *lo, uint64_t *hi);
/*
 * Writes both copies and a protective MBR for n slices, of which place, type,
 * id, name and index are used.
 */
enum dsk_result gpt_write(const struct dsk *d, struct dsk_work *w, const struct dsk_guid *id,
    const struct slice *s, uint32_t n);
