/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pci - a configuration space of our own, first as a machine has it, then as a
 * hostile device would, then random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../../../../../sys/core/pci/pci.c"
#include "model.h"

#define MIB	(1ull << 20)
#define GIB	(1ull << 30)

static uint64_t rng;

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

static uint32_t found[8192], found_count;

static void
note(void *arg, const struct pci_function *f)
{
	(void)arg;
	assert_true(found_count < 8192);
	found[found_count++] = f->pf_bdf;
}

static void
enumerate(uint8_t root)
{
	uint32_t n;

	found_count = 0;
	n = pci_enumerate(&model_cfg, root, note, NULL);
	assert_int_equal(n, found_count);
}

static void
begin(void)
{
	memset(&model, 0, sizeof model);
}

static void
bridge(uint32_t bdf, uint8_t secondary)
{
	model_put(model_add(bdf, 1), 0x19, 1, secondary);
}

static struct pci_function
identify(const struct model_function *m)
{
	struct pci_function f;

	assert_true(pci_identify(&model_cfg, m->m_bdf, &f));
	return f;
}

static void
functions_are_found_through_bridges(void **state)
{
	static const uint32_t want[] = {
		PCI_BDF(0, 0, 0), PCI_BDF(0, 1, 0), PCI_BDF(0, 2, 0), PCI_BDF(0, 2, 5),
		PCI_BDF(0, 3, 0), PCI_BDF(1, 0, 0), PCI_BDF(1, 31, 0), PCI_BDF(7, 4, 0),
	};

	(void)state;
	begin();
	model_add(want[0], 0);
	bridge(want[1], 1);
	model_add(want[2], 0x80);
	model_add(want[3], 0);
	model_add(want[4], 0);
	model_add(PCI_BDF(0, 3, 1), 0);		/* not seen: function 0 says that it is alone */
	model_add(PCI_BDF(0, 4, 3), 0x80);	/* nor this: there is no function 0 */
	model_add(want[5], 0);
	bridge(want[6], 7);
	model_add(want[7], 0);
	model_add(PCI_BDF(9, 0, 0), 0);		/* behind nothing */
	enumerate(0);
	assert_int_equal(found_count, sizeof want / sizeof want[0]);
	assert_memory_equal(found, want, sizeof want);
	enumerate(9);
	assert_int_equal(found_count, 1);
}

static void
bridges_cannot_loop(void **state)
{
	(void)state;
	begin();
	bridge(PCI_BDF(0, 0, 0), 0);	/* not set up, or to itself */
	bridge(PCI_BDF(0, 1, 0), 1);
	bridge(PCI_BDF(0, 2, 0), 1);	/* two to one bus */
	bridge(PCI_BDF(1, 0, 0), 1);
	bridge(PCI_BDF(1, 1, 0), 2);
	bridge(PCI_BDF(2, 0, 0), 1);
	bridge(PCI_BDF(2, 1, 0), 255);
	bridge(PCI_BDF(255, 31, 0), 0);
	enumerate(0);
	assert_int_equal(found_count, 8);
	assert_true(model.reads < 4 * 32 * 2 + 8 * 16);
}

static void
what_a_function_is(void **state)
{
	struct model_function *m;
	struct pci_function f;

	(void)state;
	begin();
	m = model_add(PCI_BDF(3, 4, 5), 0x81);
	model_put(m, 0x08, 4, 0x01080255);
	model_put(m, 0x19, 1, 9);
	model_put(m, 0x3c, 1, 11);
	model_put(m, 0x3d, 1, 2);
	f = identify(m);
	assert_int_equal(f.pf_bdf, 0x325);
	assert_int_equal(f.pf_vendor, 0x8086);
	assert_int_equal(f.pf_device, 0x1234);
	assert_int_equal(f.pf_class, 0x010802);
	assert_int_equal(f.pf_revision, 0x55);
	assert_int_equal(f.pf_header, 1);
	assert_int_equal(f.pf_bus, 9);
	assert_int_equal(f.pf_line, 11);
	assert_int_equal(f.pf_pin, 2);
	model_put(m, 0x3d, 1, 5);
	assert_int_equal(identify(m).pf_pin, 0);
	assert_false(pci_identify(&model_cfg, PCI_BDF(3, 4, 4), &f));
}

static void
is_bar(const struct pci_bar *b, enum pci_bar_kind kind, bool prefetchable, uint64_t bytes,
    uint64_t address)
{
	assert_int_equal(b->pb_kind, kind);
	assert_int_equal(b->pb_prefetchable, prefetchable);
	assert_int_equal(b->pb_bytes, bytes);
	assert_int_equal(b->pb_address, address);
}

static void
bars_are_sized_and_put_back(void **state)
{
	uint8_t before[4096];
	struct pci_function f;
	struct pci_bar bar[PCI_BARS];
	struct model_function *m;

	(void)state;
	begin();
	m = model_add(0, 0);
	model_put(m, 4, 2, 0x0407);
	model_bar(m, 0, 0, 4096, 0xfebf1000);
	model_bar(m, 1, 1, 64, 0xc040);
	m->m_bar[1] &= 0xffff;			/* a port's upper half may be missing */
	model_bar(m, 2, 0xc, 16 * GIB, 0x800000000ull);
	model_bar(m, 4, 8, 2 * GIB, 0x80000000u);
	model_bar(m, 5, 0, 16, 0);
	memcpy(before, m->m_space, sizeof before);
	f = identify(m);
	pci_bars(&model_cfg, &f, bar);
	assert_memory_equal(before, m->m_space, sizeof before);
	is_bar(&bar[0], PCI_BAR_MEM32, false, 4096, 0xfebf1000);
	is_bar(&bar[1], PCI_BAR_IO, false, 64, 0xc040);
	is_bar(&bar[2], PCI_BAR_MEM64, true, 16 * GIB, 0x800000000ull);
	is_bar(&bar[3], PCI_BAR_NONE, false, 0, 0);
	is_bar(&bar[4], PCI_BAR_MEM32, true, 2 * GIB, 0x80000000u);
	is_bar(&bar[5], PCI_BAR_MEM32, false, 16, 0);
	m->m_space[0x0e] = 1;			/* a bridge has two of them */
	f = identify(m);
	pci_bars(&model_cfg, &f, bar);
	assert_int_equal(bar[1].pb_kind, PCI_BAR_IO);
	assert_int_equal(bar[2].pb_kind, PCI_BAR_NONE);
	assert_memory_equal(before + 0x10, m->m_space + 0x10, 24);
}

static void
odd_bars_are_none(void **state)
{
	static const struct { uint32_t value, mask, high; } odd[] = {
		{ 0, 0, 0 },			/* not there */
		{ 1, 0, 0 },
		{ 0x10, 0xffff0ff0, 0 },	/* holes */
		{ 0, 0x0ffff000, 0 },		/* cannot hold all addresses */
		{ 0x800, 0xffffe000, 0 },	/* an address that does not fit the size */
		{ 1, 0xff00ff00, 0 },
		{ 6, 0xfffff000, 0xffffffff },	/* a kind that is none */
		{ 4, 0xfffff000, 0 },		/* 64 bits of which half is missing */
		{ 4, 0xfffff000, 0xfffffff0 },
		{ 4, 0, 0 },
	};
	struct pci_function f;
	struct pci_bar bar[PCI_BARS];
	struct model_function *m;

	(void)state;
	begin();
	m = model_add(0, 0);
	f = identify(m);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		memset(m->m_bar, 0, sizeof m->m_bar);
		model_put(m, 0x10, 4, odd[i].value);
		m->m_bar[0] = odd[i].mask;
		m->m_bar[1] = odd[i].value == 4 ? odd[i].high : 0;
		pci_bars(&model_cfg, &f, bar);
		for (uint32_t k = 0; k < PCI_BARS; k++)
			is_bar(&bar[k], PCI_BAR_NONE, false, 0, 0);
	}
	model_put(m, 0x10, 4, 0);
	model_bar(m, 5, 0, 4096, 0);
	model_put(m, 0x24, 4, 4);		/* 64 bits in the last one */
	pci_bars(&model_cfg, &f, bar);
	assert_int_equal(bar[5].pb_kind, PCI_BAR_NONE);
}

/* --------------------------------------------------------- assignment -- */

static void
bars_without_an_address_get_one(void **state)
{
	struct pci_window w[] = {
		{ true, false, 0xc000, 0x1000 }, { false, false, 0xfe000000u, 16 * MIB },
		{ false, true, 0x800000000ull, 64 * GIB },
	};
	struct pci_function f;
	struct pci_bar bar[PCI_BARS], again[PCI_BARS];
	struct model_function *m;

	(void)state;
	begin();
	m = model_add(0, 0);
	model_put(m, 4, 2, 3);
	model_bar(m, 0, 0, 4096, 0xfe000000u);	/* firmware gave it that one */
	model_bar(m, 1, 1, 64, 0);
	model_bar(m, 2, 0xc, 32 * GIB, 0);
	model_bar(m, 4, 0, 4096, 0);
	model_bar(m, 5, 0, 1 * MIB, 0);
	f = identify(m);
	pci_bars(&model_cfg, &f, bar);
	pci_reserve(w, 3, bar);
	assert_true(pci_assign(&model_cfg, &f, bar, w, 3));
	assert_int_equal(model_get(m, 4, 2), 3);
	is_bar(&bar[0], PCI_BAR_MEM32, false, 4096, 0xfe000000u);
	is_bar(&bar[1], PCI_BAR_IO, false, 64, 0xc000);
	is_bar(&bar[2], PCI_BAR_MEM64, true, 32 * GIB, 0x800000000ull);
	is_bar(&bar[4], PCI_BAR_MEM32, false, 4096, 0xfe200000u);
	is_bar(&bar[5], PCI_BAR_MEM32, false, 1 * MIB, 0xfe100000u);
	pci_bars(&model_cfg, &f, again);
	assert_memory_equal(bar, again, sizeof bar);
}

static void
what_does_not_fit_stays_without(void **state)
{
	static const struct {
		struct pci_window w;
		uint32_t	flags;
		uint64_t	bytes, want;
	} t[] = {
		{ { false, false, 0xfe000000u, 4096 }, 0, 4096, 0xfe000000u },
		{ { false, false, 0xfe000000u, 4095 }, 0, 4096, 0 },
		{ { false, false, 0xfe000800u, 4096 }, 0, 4096, 0 },
		{ { false, false, 0xfe000800u, 8192 }, 0, 4096, 0xfe001000u },
		{ { false, false, 4 * GIB, GIB }, 0, 4096, 0 },			/* 32 bits */
		{ { false, false, 4 * GIB, GIB }, 4, 4096, 4 * GIB },
		{ { false, false, 4 * GIB - 4096, 8192 }, 0, 4096, 4 * GIB - 4096 },
		{ { false, false, 4 * GIB - 4096, 8192 }, 0, 8192, 0 },
		{ { false, false, 0, 8192 }, 0, 4096, 4096 },			/* 0 means none */
		{ { false, true, 0xfe000000u, 4096 }, 0, 4096, 0 },	/* reading has effects */
		{ { false, true, 0xfe000000u, 4096 }, 8, 4096, 0xfe000000u },
		{ { true, false, 0xc000, 4096 }, 0, 4096, 0 },
		{ { false, false, 0xc000, 4096 }, 1, 64, 0 },
		{ { true, false, 0xffc0, 4096 }, 1, 64, 0xffc0 },
		{ { true, false, 0xffc1, 4096 }, 1, 64, 0 },	/* there are 65536 ports */
		{ { false, false, 0xfe000000u, 0 }, 0, 16, 0 },
		{ { false, false, UINT64_MAX - 4096, 4096 }, 4, 4096, 0 },
		{ { false, false, UINT64_MAX - 4096, 4096 }, 4, 2048, UINT64_MAX - 4095 },
	};
	struct pci_function f;
	struct pci_bar bar[PCI_BARS];

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct pci_window w = t[i].w;
		struct model_function *m;

		begin();
		m = model_add(0, 0);
		model_bar(m, 0, t[i].flags, t[i].bytes, 0);
		f = identify(m);
		pci_bars(&model_cfg, &f, bar);
		assert_int_equal(pci_assign(&model_cfg, &f, bar, &w, 1), t[i].want != 0);
		assert_int_equal(bar[0].pb_address, t[i].want);
	}
}

static bool
overlap(const struct pci_bar *a, const struct pci_bar *b)
{
	return (a->pb_kind == PCI_BAR_IO) == (b->pb_kind == PCI_BAR_IO) && a->pb_address != 0 &&
	    b->pb_address != 0 &&
	    a->pb_address - b->pb_address < b->pb_bytes;
}

static void
a_random_bar(struct model_function *m, uint32_t *i)
{
	static const uint8_t kinds[] = { 0, 1, 4, 8, 0xc };
	uint32_t flags = kinds[rnd(*i < 5 ? 5 : 2)];
	uint64_t bytes = 1ull << ((flags & 1) != 0 ? 2 + rnd(9) : 4 + rnd(20));
	uint64_t at = ((flags & 1) != 0 ? 0xc000 : 0xe0000000ull) + bytes * rnd(16);

	model_bar(m, *i, flags, bytes, rnd(2) == 0 ? 0 : at & -bytes);
	*i += (flags & 4) != 0 ? 2 : 1;
}

static void
nothing_is_given_twice(void **state)
{
	static struct pci_bar bar[8][PCI_BARS];
	uint32_t given = 0;

	(void)state;
	for (rng = 1; given < 20000; ) {
		struct pci_window w[] = {
			{ true, false, 0xc000 + rnd(99), 0x3000 },
			{ false, false, 0xe0000000u + rnd(9999), 128 * MIB },
		};
		uint64_t fixed[8][PCI_BARS];
		struct pci_function f[8];

		begin();
		for (uint32_t k = 0; k < 8; k++) {
			struct model_function *m = model_add(k, 0);

			for (uint32_t i = 0; i < PCI_BARS; )
				a_random_bar(m, &i);
			f[k] = identify(m);
			pci_bars(&model_cfg, &f[k], bar[k]);
			pci_reserve(w, 2, bar[k]);
			for (uint32_t i = 0; i < PCI_BARS; i++)
				fixed[k][i] = bar[k][i].pb_address;
		}
		for (uint32_t k = 0; k < 8; k++)
			(void)pci_assign(&model_cfg, &f[k], bar[k], w, 2);
		for (uint32_t a = 0; a < 8 * PCI_BARS; a++) {
			const struct pci_bar *x = &bar[0][0] + a;

			if (x->pb_bytes != 0)
				assert_int_equal(x->pb_address % x->pb_bytes, 0);
			if ((&fixed[0][0])[a] != 0 || x->pb_address == 0)
				continue;
			given++;
			for (uint32_t b = 0; b < 8 * PCI_BARS; b++)
				assert_false(a != b && (overlap(x, &bar[0][0] + b) ||
				    overlap(&bar[0][0] + b, x)));
		}
	}
}

/* ------------------------------------------------------------- bridges -- */

static void
what_a_bridge_lets_through(void **state)
{
	static const struct {
		uint32_t	memory, prefetch, high_first, high_last;
		uint64_t	first[2], bytes[2];
	} t[] = {
		{ 0, 0, 0, 0, { 0, 0 }, { 0, 0 } },			/* as after a reset */
		{ 0x0000fff0, 0x0000fff0, 0, 0, { 0, 0 }, { 0, 0 } },	/* shut */
		{ 0xfeb0fea0, 0x0000fff0, 0, 0, { 0xfea00000, 0 }, { 2 * MIB, 0 } },
		{ 0xfea0fea0, 0xfe9ffe80, 9, 9, { 0xfea00000, 0xfe800000 }, { MIB, 2 * MIB } },
		{ 0xfff0fff0, 0xfff1fff1, 0, 0, { 0xfff00000, 0xfff00000 }, { MIB, MIB } },
		{ 0, 0x00110001, 8, 8, { 0, 8 * 4 * GIB }, { 0, 2 * MIB } },
		{ 0, 0x00110001, 8, 9, { 0, 8 * 4 * GIB }, { 0, 4 * GIB + 2 * MIB } },
		{ 0, 0x00110001, 9, 8, { 0, 0 }, { 0, 0 } },
		{ 0, 0xfff1fff1, UINT32_MAX, UINT32_MAX, { 0, 0 }, { 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct pci_window w[PCI_BRIDGE_WINDOWS];
		struct model_function *m;
		struct pci_function f;

		begin();
		m = model_add(0, 1);
		model_put(m, 0x19, 2, 0x0903);
		model_put(m, 0x20, 4, t[i].memory);
		model_put(m, 0x24, 4, t[i].prefetch);
		model_put(m, 0x28, 4, t[i].high_first);
		model_put(m, 0x2c, 4, t[i].high_last);
		f = identify(m);
		assert_int_equal(f.pf_bus, 3);
		assert_int_equal(f.pf_bus_last, 9);
		pci_bridge(&model_cfg, &f, w);
		for (size_t k = 0; k < PCI_BRIDGE_WINDOWS; k++) {
			assert_int_equal(w[k].pw_base, t[i].first[k]);
			assert_int_equal(w[k].pw_bytes, t[i].bytes[k]);
			assert_int_equal(w[k].pw_prefetchable, k == 1 && t[i].bytes[k] != 0);
		}
		assert_int_equal(model.writes, 0);
	}
}

/* A bridge gets a quarter of what is free, of a size that its registers can name. */
static void
bridges_are_opened(void **state)
{
	static const struct { uint64_t base, bytes, at, got; } t[] = {
		{ 0xe0000000, 256 * MIB, 0xe0000000, 16 * MIB },
		{ 0xe0000000, 33 * MIB, 0xe0000000, 8 * MIB },
		{ 0xe0100000, 33 * MIB, 0xe0800000, 8 * MIB },
		{ 0xe0000000, 4 * MIB, 0xe0000000, MIB },
		{ 0xe0000000, 4 * MIB - 1, 0, 0 },
		{ 4 * GIB, GIB, 0, 0 },
		{ 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct pci_window from = { false, false, t[i].base, t[i].bytes };
		struct pci_window w[PCI_BRIDGE_WINDOWS];
		struct pci_function f;

		begin();
		f = identify(model_add(0, 1));
		assert_int_equal(pci_bridge_open(&model_cfg, &f, &from, w), t[i].got != 0);
		if (t[i].got == 0) {
			assert_int_equal(from.pw_bytes, t[i].bytes);
			assert_int_equal(model.writes, 0);
			continue;
		}
		assert_int_equal(w[0].pw_base, t[i].at);
		assert_int_equal(w[0].pw_bytes, t[i].got);
		assert_int_equal(w[1].pw_bytes, 0);
		assert_int_equal(model_get(model_at(0), 0x24, 4), 0xfff0);
		assert_int_equal(from.pw_base, t[i].at + t[i].got);
		assert_int_equal(from.pw_base + from.pw_bytes, t[i].base + t[i].bytes);
	}
}

static void
addresses_that_cannot_be_are_dropped(void **state)
{
	static const struct pci_window w[] = {
		{ false, false, 0xfea00000u, 2 * MIB }, { false, true, 0, 0 }, { false, true, 8 * GIB, GIB },
	};
	static const struct { enum pci_bar_kind kind; uint64_t at, bytes; bool inside, shared; } t[] = {
		{ PCI_BAR_MEM32, 0xfea00000u, 2 * MIB, true, true },
		{ PCI_BAR_MEM32, 0xfeb00000u, MIB, true, false },
		{ PCI_BAR_MEM32, 0xfea00000u, MIB, true, true },
		{ PCI_BAR_MEM32, 0xfea01000u, 4096, true, true },
		{ PCI_BAR_MEM32, 0xfea02000u, 4096, true, false },
		{ PCI_BAR_MEM32, 0xfe800000u, 4 * MIB, false, true },
		{ PCI_BAR_MEM32, 0xfec00000u, 4096, false, false },
		{ PCI_BAR_MEM64, 8 * GIB, GIB, true, false },
		{ PCI_BAR_MEM64, 8 * GIB, 4 * GIB, false, false },
		{ PCI_BAR_MEM64, 1ull << 63, 1ull << 63, false, false },
		{ PCI_BAR_IO, 0xc000, 4096, true, false },
		{ PCI_BAR_NONE, 0, 0, true, false },
	};
	const struct pci_bar other[PCI_BARS] = {
		{ PCI_BAR_IO, false, 0xc000, 64 }, { PCI_BAR_MEM32, false, 0, 4096 },
		{ PCI_BAR_MEM32, false, 0xfea01000u, 4096 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct pci_bar bar[PCI_BARS] = { [5] = { t[i].kind, false, t[i].at, t[i].bytes } };

		pci_drop_shared(bar, other);
		assert_int_equal(bar[5].pb_address, t[i].shared ? 0 : t[i].at);
		bar[5].pb_address = t[i].at;
		pci_drop_outside(bar, w, 3);
		assert_int_equal(bar[5].pb_address, t[i].inside ? t[i].at : 0);
		pci_drop_outside(bar, w, 0);
		assert_int_equal(bar[5].pb_address, t[i].kind == PCI_BAR_IO ? t[i].at : 0);
	}
}

/* ------------------------------------------------------- capabilities -- */

static void
capabilities_are_walked_once(void **state)
{
	uint32_t at[PCI_CAPS_MAX];
	struct pci_function f;
	struct model_function *m;

	(void)state;
	begin();
	m = model_add(0, 0);
	f = identify(m);
	assert_int_equal(pci_caps(&model_cfg, &f, 9, at, PCI_CAPS_MAX), 0);
	model_cap(m, 0x40, 9, 0x52);		/* the lowest bits do not count */
	model_cap(m, 0x50, 5, 0xfc);
	model_cap(m, 0xfc, 9, 0x40);		/* and round again */
	assert_int_equal(pci_caps(&model_cfg, &f, 9, at, PCI_CAPS_MAX), 2);
	assert_int_equal(at[0], 0x40);
	assert_int_equal(at[1], 0xfc);
	assert_int_equal(pci_caps(&model_cfg, &f, 9, at, 1), 1);
	assert_int_equal(pci_caps(&model_cfg, &f, 7, at, PCI_CAPS_MAX), 0);
	m->m_space[0x41] = 0x3c;		/* into the header */
	assert_int_equal(pci_caps(&model_cfg, &f, 9, at, PCI_CAPS_MAX), 1);
	m->m_space[6] = 0;
	assert_int_equal(pci_caps(&model_cfg, &f, 9, at, PCI_CAPS_MAX), 0);
	m->m_space[6] = 0x10;
	for (uint32_t off = 0x40; off < 0x100; off += 4)
		model_cap(m, off, 9, off + 4);
	assert_int_equal(pci_caps(&model_cfg, &f, 9, at, PCI_CAPS_MAX), PCI_CAPS_MAX);
}

static void
extended_capabilities_are_walked_once(void **state)
{
	static uint32_t at[PCI_EXT_CAPS_MAX];
	struct model_function *m;

	(void)state;
	begin();
	m = model_add(7, 0);
	assert_int_equal(pci_ext_caps(&model_cfg, 7, 1, at, PCI_EXT_CAPS_MAX), 0);
	assert_int_equal(pci_ext_caps(&model_cfg, 8, 0xffff, at, PCI_EXT_CAPS_MAX), 0);
	model_put(m, 0x100, 4, 0xffc10001);
	model_put(m, 0xffc, 4, 0x14010002);
	model_put(m, 0x140, 4, 0x10010001);
	assert_int_equal(pci_ext_caps(&model_cfg, 7, 1, at, PCI_EXT_CAPS_MAX), 2);
	assert_int_equal(at[1], 0x140);
	assert_int_equal(pci_ext_caps(&model_cfg, 7, 2, at, PCI_EXT_CAPS_MAX), 1);
	assert_int_equal(at[0], 0xffc);
	model_put(m, 0x100, 4, 0x0fc10001);
	assert_int_equal(pci_ext_caps(&model_cfg, 7, 1, at, PCI_EXT_CAPS_MAX), 1);
	for (uint32_t off = 0x100; off < 0x1000; off += 4)
		model_put(m, off, 4, (off + 4) << 20 | 3);
	assert_int_equal(pci_ext_caps(&model_cfg, 7, 3, at, PCI_EXT_CAPS_MAX), PCI_EXT_CAPS_MAX);
}

static void
messages_name_a_cpu_and_a_vector(void **state)
{
	struct pci_message m;
	uint32_t word[PCI_MSIX_ENTRY_WORDS];

	(void)state;
	assert_true(pci_message(3, 0x41, &m));
	assert_int_equal(m.pm_address, 0xfee03000u);
	assert_int_equal(m.pm_data, 0x41);
	pci_msix_entry(&m, word);
	assert_memory_equal(word, ((uint32_t[]){ 0xfee03000u, 0, 0x41, 0 }), sizeof word);
	pci_msix_entry(NULL, word);
	assert_int_equal(word[3], 1);
	assert_true(pci_message(254, 255, &m));
	assert_false(pci_message(255, 0x41, &m));
	assert_false(pci_message(0, 15, &m));
	assert_false(pci_message(0, 256, &m));
}

static void
msi_is_set(void **state)
{
	static const struct { uint32_t control, data, end; } t[] = {
		{ 0x000, 8, 10 }, { 0x080, 12, 14 }, { 0x100, 8, 20 }, { 0x18a, 12, 24 },
	};
	struct pci_message msg;
	struct pci_msi msi;

	(void)state;
	assert_true(pci_message(1, 0x30, &msg));
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		uint32_t at = (256 - t[i].end) & ~3u;
		struct pci_function f;
		struct model_function *m;

		begin();
		m = model_add(0, 0);
		f = identify(m);
		assert_false(pci_msi(&model_cfg, &f, &msi));
		model_cap(m, at, PCI_CAP_MSI, 0);
		model_put(m, at + 2, 2, t[i].control | 0x70);
		assert_true(pci_msi(&model_cfg, &f, &msi));
		assert_int_equal(msi.pi_messages, i == 3 ? 32 : 1);
		pci_msi_set(&model_cfg, 0, &msi, &msg);
		assert_int_equal(model_get(m, at + 2, 2), t[i].control | 1);
		assert_int_equal(model_get(m, at + 4, 4), 0xfee01000u);
		assert_int_equal(model_get(m, at + t[i].data, 2), 0x30);
		pci_msi_set(&model_cfg, 0, &msi, NULL);
		assert_int_equal(model_get(m, at + 2, 2), t[i].control & ~1u);
		model_put(m, at + 2, 2, 0xc);		/* 64 messages: there is no such number */
		assert_false(pci_msi(&model_cfg, &f, &msi));
		m->m_space[0x34] = 0;
		model_cap(m, at + 4, PCI_CAP_MSI, 0);	/* over the end */
		model_put(m, at + 6, 2, t[i].control);
		assert_false(pci_msi(&model_cfg, &f, &msi));
	}
}

static void
msix_is_inside_its_bars(void **state)
{
	static const struct { uint32_t entries, table, pending; bool ok; } t[] = {
		{ 64, 0x0000, 0x0400, true }, { 64, 0x0c00, 0x0ff8, true }, 
		{ 64, 0x0c08, 0, false },
		{ 65, 0x0000, 0x0ff8, false }, { 65, 0x0000, 0x0ff0, true }, { 1, 0x0ff0, 0, true },
		{ 1, 0x1000, 0, false }, { 1, 0xfffffff8u, 0, false }, { 1, 0, 0xfffffff8u, false },
		{ 2048, 0, 0, false }, { 2048, 2, 2, true }, { 1, 1, 0, false }, { 1, 0, 1, false },
		{ 1, 3, 0, false }, { 1, 5, 0, false }, { 1, 6, 0, false }, { 1, 7, 0, false },
		{ 1, 0, 7, false },
	};
	struct pci_function f;
	struct pci_bar bar[PCI_BARS];
	struct pci_msix msix;
	struct model_function *m;

	(void)state;
	begin();
	m = model_add(0, 0);
	model_bar(m, 0, 0, 4096, 0xfe000000u);
	model_bar(m, 1, 1, 4096, 0xc000);
	model_bar(m, 2, 4, 65536, 0x800000000ull);
	f = identify(m);
	pci_bars(&model_cfg, &f, bar);
	assert_false(pci_msix(&model_cfg, &f, bar, &msix));
	model_cap(m, 0x60, PCI_CAP_MSIX, 0);
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		model_put(m, 0x62, 2, (t[i].entries - 1) | 0x4000);
		model_put(m, 0x64, 4, t[i].table);
		model_put(m, 0x68, 4, t[i].pending);
		assert_int_equal(pci_msix(&model_cfg, &f, bar, &msix), t[i].ok);
		assert_int_equal(msix.px_entries, t[i].entries);
	}
	pci_msix_enable(&model_cfg, 0, &msix, true);
	assert_int_equal(model_get(m, 0x62, 2), 0x8000);
	pci_msix_enable(&model_cfg, 0, &msix, false);
	assert_int_equal(model_get(m, 0x62, 2), 0);
	m->m_space[0x34] = 0;
	model_cap(m, 0xf8, PCI_CAP_MSIX, 0);
	assert_false(pci_msix(&model_cfg, &f, bar, &msix));
}

/* Any bytes at all: bounded, and nothing left behind. */
static void
random_spaces_end(void **state)
{
	static uint32_t at[PCI_EXT_CAPS_MAX];
	struct pci_bar bar[PCI_BARS];
	struct pci_msix msix;
	struct pci_msi msi;

	(void)state;
	for (uint32_t seed = 0; seed < 300; seed++) {
		rng = seed;
		begin();
		for (uint32_t i = 0; i < MODEL_FUNCTIONS; i++) {
			struct model_function *m = model_add(i < 8 ? i : rnd(256 * 8),
			    rnd(2) | 0x80);

			for (uint32_t k = 0; k < 4096; k++)
				m->m_space[k] = k < 0x10 && k != 6 ? m->m_space[k] :
				    (uint8_t)rnd(256);
			m->m_space[0x19] &= 7;
			for (uint32_t k = 0; k < PCI_BARS; k++)
				m->m_bar[k] = rnd(2) == 0 ? 0 : -(1u << rnd(32));
		}
		enumerate(0);
		assert_true(found_count >= 8 && found_count <= MODEL_FUNCTIONS);
		assert_true(model.reads < 8 * 32 * 9 + MODEL_FUNCTIONS * 10);
		model.reads = 0;
		for (uint32_t i = 0; i < found_count; i++) {
			struct model_function before = *model_at(found[i]);
			struct pci_function f = identify(&before);

			pci_bars(&model_cfg, &f, bar);
			(void)pci_caps(&model_cfg, &f, (uint8_t)rnd(256), at, PCI_CAPS_MAX);
			(void)pci_ext_caps(&model_cfg, found[i], (uint16_t)rnd(65536), at,
			    PCI_EXT_CAPS_MAX);
			(void)pci_msi(&model_cfg, &f, &msi);
			(void)pci_msix(&model_cfg, &f, bar, &msix);
			assert_memory_equal(&before, model_at(found[i]), sizeof before);
		}
		assert_true(model.reads < found_count * (4 * 64 * 2 + 960 + 64));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_found_through_bridges),
		cmocka_unit_test(bridges_cannot_loop),
		cmocka_unit_test(what_a_function_is),
		cmocka_unit_test(bars_are_sized_and_put_back),
		cmocka_unit_test(odd_bars_are_none),
		cmocka_unit_test(bars_without_an_address_get_one),
		cmocka_unit_test(what_does_not_fit_stays_without),
		cmocka_unit_test(nothing_is_given_twice),
		cmocka_unit_test(what_a_bridge_lets_through),
		cmocka_unit_test(bridges_are_opened),
		cmocka_unit_test(addresses_that_cannot_be_are_dropped),
		cmocka_unit_test(capabilities_are_walked_once),
		cmocka_unit_test(extended_capabilities_are_walked_once),
		cmocka_unit_test(messages_name_a_cpu_and_a_vector),
		cmocka_unit_test(msi_is_set),
		cmocka_unit_test(msix_is_inside_its_bars),
		cmocka_unit_test(random_spaces_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
