/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem - physical memory for pure code: read only, little-endian, any alignment.
 *
 * m_map gives `len` bytes at `pa` to read, or NULL when they cannot be read.
 * What it gave is good until it is called again, so one window is enough.
 */
#pragma once
#include <core/rt/rt.h>

struct pc_mem {
	const void	*(*m_map)(void *arg, uint64_t pa, uint64_t len);
	void		*m_arg;
};

static inline const uint8_t *
pc_map(const struct pc_mem *m, uint64_t pa, uint64_t len)
{
	uint64_t end;

	return rt_add_overflows(pa, len, &end) ? NULL : m->m_map(m->m_arg, pa, len);
}

static inline uint16_t
pc_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t
pc_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t
pc_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}
