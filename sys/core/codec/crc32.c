/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crc32 - eight bytes at a time.
 *
 * t[0] is the table of one byte; t[k] is what a byte contributes when k more
 * bytes follow it, so eight look-ups replace eight dependent steps.  The
 * table belongs to the caller: there is no state here.
 */
#include <core/codec/crc32.h>
#include <core/rt/rt.h>

void
crc32_init(struct crc32_table *tab)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ ((c & 1) != 0 ? 0xedb88320u : 0);
		tab->t[0][i] = c;
	}
	for (int k = 1; k < 8; k++) {
		for (uint32_t i = 0; i < 256; i++)
			tab->t[k][i] = tab->t[k - 1][i] >> 8 ^ tab->t[0][tab->t[k - 1][i] & 0xff];
	}
}

uint32_t
crc32_update(const struct crc32_table *tab, uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		uint32_t lo, hi;

		memcpy(&lo, p, 4);
		memcpy(&hi, p + 4, 4);
		lo ^= crc;
		crc = tab->t[7][lo & 0xff] ^ tab->t[6][lo >> 8 & 0xff] ^
		    tab->t[5][lo >> 16 & 0xff] ^ tab->t[4][lo >> 24] ^
		    tab->t[3][hi & 0xff] ^ tab->t[2][hi >> 8 & 0xff] ^
		    tab->t[1][hi >> 16 & 0xff] ^ tab->t[0][hi >> 24];
	}
	while (len-- > 0)
		crc = crc >> 8 ^ tab->t[0][(crc ^ *p++) & 0xff];
	return ~crc;
}
