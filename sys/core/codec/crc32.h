/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32 - the check sum of gzip, PNG and Ethernet (reflected polynomial 0xedb88320). */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct crc32_table {
	uint32_t t[8][256];
};
void	 crc32_init(struct crc32_table *tab);
/* Start with 0; feed the result back in to go on. */
uint32_t crc32_update(const struct crc32_table *tab, uint32_t crc, const void *data, size_t len);
