/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage - what the cores of the disk controllers share.
 *
 * Wire formats are little-endian, as our machines are.
 */
#pragma once
#include <core/pci/dma.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "devices see our structures");

/* How a command ended. */
enum storage_result {
	STORAGE_OK,
	STORAGE_RETRY,		/* not its own fault: the caller may ask again, not for ever */
	STORAGE_MEDIUM,		/* it failed for good, the blocks or what holds them */
	STORAGE_GONE,		/* there is nobody who could answer */
	STORAGE_REFUSED,	/* the device does not do this */
};

/* A piece of a transfer's data. */
struct storage_seg {
	uint64_t	pa;
	uint64_t	bytes;
};

/*
 * A device's text of n bytes: printable, without blanks around it.  out: n + 1 bytes.
 * swap is 1 where the bytes of each word are exchanged (ATA), and 0.
 */
static inline void
storage_text(char *out, const uint8_t *in, size_t n, unsigned swap)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = in[i ^ swap];

		if (c == '\0')
			c = ' ';
		if (c != ' ' || len > 0)
			out[len++] = c > '~' || c < ' ' ? '?' : (char)c;
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

/* A number inside a page that need not be aligned. */
static inline uint64_t
storage_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}
