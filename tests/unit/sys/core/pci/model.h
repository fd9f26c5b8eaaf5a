/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model - a configuration space with a few functions, for tests.
 *
 * Bytes are what a test writes into them, but for BARs, of which only the bits in
 * m_bar can be changed, and only while the function answers no address.
 */
#pragma once
#include <core/pci/pci.h>
#include <string.h>

#define MODEL_FUNCTIONS	64u

struct model_function {
	uint32_t	m_bdf;
	uint8_t		m_space[4096];
	uint32_t	m_bar[PCI_BARS];
};

struct model {
	struct model_function f[MODEL_FUNCTIONS];
	uint32_t	functions;
	uint64_t	reads, writes;
};
static struct model model;

static struct model_function *
model_at(uint32_t bdf)
{
	for (uint32_t i = 0; i < model.functions; i++)
		if (model.f[i].m_bdf == bdf)
			return &model.f[i];
	return NULL;
}

static uint32_t
model_get(const struct model_function *f, uint32_t off, uint32_t bytes)
{
	uint32_t v = 0;

	memcpy(&v, f->m_space + off, bytes);
	return v;
}

static void
model_put(struct model_function *f, uint32_t off, uint32_t bytes, uint32_t v)
{
	memcpy(f->m_space + off, &v, bytes);
}

static void
model_check(uint32_t bdf, uint32_t off, uint32_t bytes)
{
	assert_true(bdf < 65536);
	assert_true(bytes == 1 || bytes == 2 || bytes == 4);
	assert_true(off % bytes == 0 && off + bytes <= 4096);
}

static uint32_t
model_read(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes)
{
	struct model_function *f = model_at(bdf);

	(void)arg;
	model_check(bdf, off, bytes);
	model.reads++;
	return f == NULL ? UINT32_MAX >> (32 - 8 * bytes) : model_get(f, off, bytes);
}

static void
model_write(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes, uint32_t v)
{
	struct model_function *f = model_at(bdf);

	(void)arg;
	model_check(bdf, off, bytes);
	model.writes++;
	if (f == NULL)
		return;
	if (off >= 0x10 && off < 0x10 + 4 * ((f->m_space[0x0e] & 127) == 1 ? 2 : PCI_BARS)) {
		uint32_t mask = f->m_bar[(off - 0x10) / 4];

		assert_int_equal(bytes, 4);
		assert_int_equal(model_get(f, 4, 2) & 3, 0);
		v = (v & mask) | (model_get(f, off, 4) & ~mask);
	}
	assert_false(off < 8 && off + bytes > 6);	/* the status */
	model_put(f, off, bytes, v);
}

static const struct pci_cfg model_cfg = { model_read, model_write, NULL };

static struct model_function *
model_add(uint32_t bdf, uint32_t header)
{
	struct model_function *f = &model.f[model.functions++];

	assert_true(model.functions <= MODEL_FUNCTIONS);
	memset(f, 0, sizeof *f);
	f->m_bdf = bdf;
	model_put(f, 0, 4, 0x12348086);
	model_put(f, 0x0e, 1, header);
	return f;
}

/* A BAR of `bytes` at `address`; `flags` are its lowest bits. */
static void
model_bar(struct model_function *f, uint32_t i, uint32_t flags, uint64_t bytes, uint64_t address)
{
	f->m_bar[i] = (uint32_t)-bytes & ((flags & 1) != 0 ? ~3u : ~15u);
	model_put(f, 0x10 + 4 * i, 4, (uint32_t)address | flags);
	if ((flags & 7) == 4) {
		f->m_bar[i + 1] = (uint32_t)(-bytes >> 32);
		model_put(f, 0x14 + 4 * i, 4, (uint32_t)(address >> 32));
	}
}

/* A capability at `at`; 0 ends the list. */
static void
model_cap(struct model_function *f, uint32_t at, uint8_t id, uint32_t next)
{
	if (f->m_space[0x34] == 0)
		f->m_space[0x34] = (uint8_t)at;
	f->m_space[6] |= 0x10;
	f->m_space[at] = id;
	f->m_space[at + 1] = (uint8_t)next;
}
