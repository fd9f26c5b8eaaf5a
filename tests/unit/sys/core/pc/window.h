/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window - physical memory for tests: bytes at a base, and nothing else.
 *
 * What was mapped is a copy just as long, freed when the next is asked for.
 * Who includes this has malloc() and free().
 */
#pragma once
#include <core/pc/mem.h>

struct window {
	const uint8_t	*w_bytes;
	uint64_t	w_base, w_len;
	uint8_t		*w_last;
};

static const void *
window_map(void *arg, uint64_t pa, uint64_t len)
{
	struct window *w = arg;

	free(w->w_last);
	w->w_last = NULL;
	if (pa < w->w_base || pa - w->w_base > w->w_len || len > w->w_len - (pa - w->w_base))
		return NULL;
	w->w_last = malloc(len > 0 ? len : 1);
	return memcpy(w->w_last, w->w_bytes + (pa - w->w_base), len);
}
