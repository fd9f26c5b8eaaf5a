/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_bootinfo - what loaders leave, whole, cut off, and made to hurt.
 *
 * Each test writes a structure into ram[], which is at RAM, and reads it.
 * Random maps are compared with what a table of pages says, and the same map
 * must come out of both protocols.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <core/pc/bootinfo.c>

#include "window.h"

#define RAM		0x200000ull
#define PAGES		600u		/* of random maps */
#define ROUNDS		3000u
#define NONE		(-1)

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

struct claim {
	uint64_t	base, len;
	uint32_t	type, zero;
};

static uint8_t ram[131072];
static struct window window = { ram, RAM, sizeof ram, NULL };
static const struct pc_mem mem = { window_map, &window };
static struct bootinfo bi;
static uint32_t used;
static uint64_t rng = 1;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

static void
put(uint32_t at, uint64_t v, uint32_t bytes)
{
	assert_true(at + bytes <= sizeof ram);
	memcpy(ram + at, &v, bytes);
}

static int
fresh(void **state)
{
	(void)state;
	memset(ram, 0xa5, sizeof ram);
	window.w_len = sizeof ram;
	put(0, 8, 4);
	put(4, 0, 4);
	used = 8;
	return 0;
}

static int
done(void **state)
{
	(void)state;
	free(window.w_last);
	window.w_last = NULL;
	return 0;
}

/* The next tag, and where its body begins. */
static uint32_t
tag(uint32_t type, const void *body, uint32_t n)
{
	uint32_t at = used;

	put(at, type, 4);
	put(at + 4, 8 + n, 4);
	if (body != NULL)
		memcpy(ram + at + 8, body, n);
	used = (at + 8 + n + 7) & ~7u;
	put(0, used, 4);
	return at + 8;
}

static void
map_tag(const struct claim *c, uint32_t n)
{
	uint32_t at = tag(6, NULL, 8 + n * (uint32_t)sizeof *c);

	put(at, sizeof *c, 4);
	put(at + 4, 0, 4);
	memcpy(ram + at + 8, c, n * sizeof *c);
}

static bool
multiboot2(void)
{
	tag(0, NULL, 0);
	return bootinfo_multiboot2(&bi, &mem, RAM);
}

/* The structure is at the start, its modules at 0x100, texts from 0x400, the map at 0x4000. */
static void
pvh(uint32_t version, const struct claim *c, uint32_t n)
{
	memset(ram, 0, 0x4000);
	put(0, PVH_MAGIC, 4);
	put(4, version, 4);
	if (n > 0)
		memcpy(ram + 0x4000, c, n * sizeof *c);
	put(40, RAM + 0x4000, 8);
	put(48, n, 4);
}

static void
range_is(uint32_t i, uint64_t base, uint64_t end, enum bi_kind kind)
{
	assert_true(i < bi.bi_nmap);
	assert_int_equal(bi.bi_map[i].br_base, base);
	assert_int_equal(range_end(&bi.bi_map[i]), end);
	assert_int_equal(bi.bi_map[i].br_kind, kind);
}

/* --------------------------------------------------------- multiboot2 -- */

static void
all_that_a_loader_says_is_found(void **state)
{
	static const struct claim map[] = { { 0, 0x9fc00, 1, 0 }, { 0x100000, 0x700000, 1, 0 } };
	static const uint8_t colour[] = { 16, 8, 8, 8, 0, 8 };
	uint32_t at;

	(void)state;
	tag(1, "root=/dev/x -v", 15);
	tag(2, "a loader", 9);
	at = tag(3, "........initrd one", 19);
	put(at, 0x300000, 4);
	put(at + 4, 0x300123, 4);
	tag(21, "\0\0\0\1", 4);
	tag(999, "who knows", 9);
	map_tag(map, 2);
	at = tag(8, NULL, 30);
	put(at, 0xfd000000, 8);
	put(at + 8, 4096, 4);
	put(at + 12, 1024, 4);
	put(at + 16, 768, 4);
	put(at + 20, 0x0120, 4);		/* 32 bits, RGB */
	memcpy(ram + at + 24, colour, sizeof colour);
	tag(15, "RSD PTR 0123456789abcdefghijklmnopqr", 36);
	tag(14, "RSD PTR old.........", 20);
	assert_true(multiboot2());

	assert_int_equal(bi.bi_flags, 0);
	assert_string_equal(bi.bi_cmdline, "root=/dev/x -v");
	assert_string_equal(bi.bi_loader, "a loader");
	assert_int_equal(bi.bi_nmods, 1);
	assert_int_equal(bi.bi_mods[0].bm_pa, 0x300000);
	assert_int_equal(bi.bi_mods[0].bm_len, 0x123);
	assert_string_equal(bi.bi_mods[0].bm_text, "initrd one");
	assert_int_equal(bi.bi_nmap, 2);
	range_is(0, 0, 0x9f000, BI_RAM);
	range_is(1, 0x100000, 0x800000, BI_RAM);
	assert_int_equal(bi.bi_map_end, 1ull << 52);
	assert_int_equal(bi.bi_fb.fb_kind, BI_FB_RGB);
	assert_int_equal(bi.bi_fb.fb_pa, 0xfd000000);
	assert_int_equal(bi.bi_fb.fb_height, 768);
	assert_int_equal(bi.bi_fb.fb_red_pos, 16);
	assert_int_equal(bi.bi_fb.fb_blue_size, 8);
	assert_int_equal(bi.bi_rsdp_len, 36);
	assert_memory_equal(bi.bi_rsdp, "RSD PTR 0123456789abcdefghijklmnopqr", 36);
}

/* Cut anywhere: no step outside, and whoever reads it is told. */
static void
a_cut_structure_is_odd_or_refused(void **state)
{
	static const struct claim map[] = { { 0x100000, 0x700000, 1, 0 } };
	uint32_t whole;

	(void)state;
	tag(1, "root=/dev/x -v", 15);
	tag(3, "........initrd one", 19);
	map_tag(map, 1);
	assert_true(multiboot2());
	whole = used;
	for (uint32_t n = 0; n < whole; n++) {
		put(0, n, 4);			/* it says so itself */
		assert_true(bootinfo_multiboot2(&bi, &mem, RAM) == (n >= 16));
		assert_true(n < 16 || (bi.bi_flags & BI_INFO_ODD) != 0);
		put(0, whole, 4);
		window.w_len = n;		/* or memory ends there */
		assert_false(bootinfo_multiboot2(&bi, &mem, RAM));
		window.w_len = sizeof ram;
	}
	put(0, 0xffffffff, 4);
	assert_false(bootinfo_multiboot2(&bi, &mem, RAM));
	assert_false(bootinfo_multiboot2(&bi, &mem, UINT64_MAX - 3));
}

static void
tags_of_any_size_do_not_loop_or_leave(void **state)
{
	static const uint32_t sizes[] = {
		0, 1, 7, 8, 9, 15, 16, 24, 31, 37, 1000, 0x7fffffff, 0xffffffff
	};

	(void)state;
	for (uint32_t type = 1; type < 24; type++)
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			fresh(NULL);
			tag(type, NULL, 64);
			put(12, sizes[i], 4);
			tag(0, NULL, 0);
			assert_true(bootinfo_multiboot2(&bi, &mem, RAM));
			if (sizes[i] < 8 || sizes[i] > 1000)
				assert_true((bi.bi_flags & BI_INFO_ODD) != 0);
		}
}

static void
tags_too_short_for_what_they_are_say_nothing(void **state)
{
	(void)state;
	for (uint32_t type = 1; type < MB2_TAGS; type++)
		for (uint32_t n = 8; n < mb2_least[type]; n++) {
			fresh(NULL);
			memset(ram + used, 0, 256);
			tag(type, NULL, n - 8);
			assert_true(multiboot2());
			assert_int_equal(bi.bi_flags, BI_INFO_ODD);
			assert_int_equal(bi.bi_nmods + bi.bi_nmap + bi.bi_rsdp_len, 0);
		}
}

static void
a_module_that_ends_before_it_begins_is_none(void **state)
{
	uint32_t at = tag(3, "........m", 10);

	(void)state;
	put(at, 0x3000, 4);
	put(at + 4, 0x2fff, 4);
	assert_true(multiboot2());
	assert_int_equal(bi.bi_flags, BI_INFO_ODD);
	assert_int_equal(bi.bi_nmods, 0);
	put(at + 4, 0x3000, 4);			/* an empty file is one */
	assert_true(bootinfo_multiboot2(&bi, &mem, RAM));
	assert_int_equal(bi.bi_flags, 0);
	assert_int_equal(bi.bi_nmods, 1);
}

static void
long_texts_and_many_modules_are_cut_and_told(void **state)
{
	static char words[5000];

	(void)state;
	memset(words, 'w', sizeof words - 1);
	tag(1, words, 4097);			/* no NUL */
	tag(2, words, 100);
	for (uint32_t i = 0; i < BI_MODS_MAX + 1; i++) {
		uint32_t at = tag(3, words, i == 0 ? sizeof words : 16);

		put(at, 0x1000 * i, 4);
		put(at + 4, 0x1000 * i + i, 4);
	}
	assert_true(multiboot2());
	assert_int_equal(bi.bi_flags, BI_CMDLINE_CUT | BI_TEXT_CUT | BI_MODS_CUT | BI_INFO_ODD);
	assert_int_equal(strlen(bi.bi_cmdline), 4095);
	assert_int_equal(strlen(bi.bi_loader), 63);
	assert_int_equal(bi.bi_nmods, BI_MODS_MAX);
	assert_int_equal(strlen(bi.bi_mods[0].bm_text), 127);
	assert_int_equal(bi.bi_mods[7].bm_len, 7);
}

static void
a_line_that_just_fits_is_whole(void **state)
{
	static char words[4097];

	(void)state;
	memset(words, 'w', 4095);
	for (uint32_t more = 0; more < 2; more++) {
		fresh(NULL);
		tag(1, words, 4096 + more);
		assert_true(multiboot2());
		assert_int_equal(bi.bi_flags, more == 0 ? 0 : BI_CMDLINE_CUT);
		assert_int_equal(strlen(bi.bi_cmdline), 4095);
		words[4095] = 'w';
	}
}

static void
fb_tag(uint64_t pa, uint32_t pitch, uint32_t width, uint32_t height, uint32_t bpp_kind)
{
	static const uint8_t colour[] = { 16, 8, 8, 8, 0, 8 };
	uint32_t at;

	fresh(NULL);
	at = tag(8, NULL, 30);
	put(at, pa, 8);
	put(at + 8, pitch, 4);
	put(at + 12, width, 4);
	put(at + 16, height, 4);
	put(at + 20, bpp_kind, 4);
	memcpy(ram + at + 24, colour, sizeof colour);
	assert_true(multiboot2());
}

static void
a_framebuffer_that_makes_no_sense_is_none(void **state)
{
	static const struct { uint64_t pa; uint32_t pitch, width, height, bpp_kind; } bad[] = {
		{ 0xfd000000, 4095, 1024, 768, 0x120 },		/* lines overlap */
		{ 0xfd000000, 4096, 0, 768, 0x120 },
		{ 0xfd000000, 4096, 1024, 0, 0x120 },
		{ 0xfd000000, 4096, 1024, 768, 0x100 },
		{ 0xfd000000, 4096, 1024, 768, 0x110 },		/* red is outside of the pixel */
		{ 0xfd000000, 4096, 1024, 768, 0x1ff },
		{ 0xfd000000, 4096, 1024, 768, 0x008 },		/* palette */
		{ 0xfd000000, 4096, 1024, 768, 0x320 },
		{ 1ull << 52, 4096, 1024, 768, 0x120 },
		{ (1ull << 52) - 4096, 4096, 1024, 768, 0x120 },
		{ 0, 0xffffffff, 0xffffffff, 0xffffffff, 0x120 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fb_tag(bad[i].pa, bad[i].pitch, bad[i].width, bad[i].height, bad[i].bpp_kind);
		assert_int_equal(bi.bi_fb.fb_kind, BI_FB_NONE);
		assert_int_equal(bi.bi_flags, BI_INFO_ODD);
	}
	fb_tag(0xb8000, 160, 80, 25, 0x210);
	assert_int_equal(bi.bi_fb.fb_kind, BI_FB_TEXT);
	assert_int_equal(bi.bi_flags, 0);
}

static void
efi_tag(uint32_t type, uint64_t base, uint64_t pages)
{
	uint32_t at = tag(17, NULL, 8 + 48);

	memset(ram + at, 0, 8 + 48);
	put(at, 48, 4);
	put(at + 8, type, 4);
	put(at + 16, base, 8);
	put(at + 32, pages, 8);
}

static void
the_best_map_counts(void **state)
{
	static const struct claim map[] = { { 0x100000, 0x100000, 1, 0 } };
	uint32_t at;

	(void)state;
	at = tag(4, NULL, 8);
	put(at, 640, 4);
	put(at + 4, 0xffffffff, 4);
	assert_true(multiboot2());
	assert_int_equal(bi.bi_nmap, 2);
	range_is(0, 0, 640 << 10, BI_RAM);
	range_is(1, 1 << 20, (1ull << 42) - 4096 + (1 << 20), BI_RAM);	/* 1 KiB less */

	used -= 8;				/* the end goes */
	efi_tag(7, 0x300000, 3);
	assert_true(multiboot2());
	assert_int_equal(bi.bi_nmap, 1);
	range_is(0, 0x300000, 0x303000, BI_RAM);

	used -= 8;
	map_tag(map, 1);
	assert_true(multiboot2());
	assert_int_equal(bi.bi_nmap, 1);
	range_is(0, 0x100000, 0x200000, BI_RAM);

	put(used - 8 - 32, 19, 4);		/* entries too small to be any */
	assert_true(bootinfo_multiboot2(&bi, &mem, RAM));
	range_is(0, 0x300000, 0x303000, BI_RAM);
	assert_int_equal(bi.bi_flags, BI_INFO_ODD);
}

static void
efi_kinds_and_page_counts_are_understood(void **state)
{
	static const enum bi_kind want[16] = {
		BI_RESERVED, BI_RAM, BI_RAM, BI_RAM, BI_RAM, BI_RESERVED, BI_RESERVED, BI_RAM,
		BI_BAD, BI_ACPI, BI_NVS, BI_RESERVED, BI_RESERVED, BI_RESERVED, BI_RESERVED,
		BI_RESERVED,
	};

	(void)state;
	for (uint32_t type = 0; type < 16; type++) {
		fresh(NULL);
		efi_tag(type, 0x300000, 3);
		assert_true(multiboot2());
		assert_int_equal(bi.bi_nmap, 1);
		range_is(0, 0x300000, 0x303000, want[type]);
	}
	fresh(NULL);
	efi_tag(7, 0x300000, 1ull << 52 | 1);	/* in bytes it would be one page */
	assert_true(multiboot2());
	assert_int_equal(bi.bi_nmap, 0);
	assert_int_equal(bi.bi_flags, BI_MAP_ODD);
}

/* ---------------------------------------------------------------- PVH -- */

static void
pvh_says_the_same(void **state)
{
	static const struct claim map[] = { { 0, 0x9fc00, 1, 0 }, { 0x9fc00, 0x400, 2, 0 } };

	(void)state;
	pvh(1, map, 2);
	put(12, 2, 4);
	put(16, RAM + 0x100, 8);
	put(24, RAM + 0x400, 8);
	put(32, RAM + sizeof ram - 20, 8);	/* the old half only */
	put(0x100, 0x300000, 8);
	put(0x108, 0x123, 8);
	put(0x110, RAM + 0x500, 8);
	put(0x120, UINT64_MAX, 8);		/* wraps */
	put(0x128, 2, 8);
	strcpy((char *)ram + 0x400, "root=/dev/x -v");
	strcpy((char *)ram + 0x500, "initrd one");
	memcpy(ram + sizeof ram - 20, "RSD PTR old.........", 20);
	assert_true(bootinfo_pvh(&bi, &mem, RAM));

	assert_int_equal(bi.bi_flags, BI_INFO_ODD);
	assert_string_equal(bi.bi_cmdline, "root=/dev/x -v");
	assert_int_equal(bi.bi_nmods, 1);
	assert_int_equal(bi.bi_mods[0].bm_pa, 0x300000);
	assert_int_equal(bi.bi_mods[0].bm_len, 0x123);
	assert_string_equal(bi.bi_mods[0].bm_text, "initrd one");
	assert_int_equal(bi.bi_nmap, 2);
	range_is(0, 0, 0x9f000, BI_RAM);
	range_is(1, 0x9f000, 0xa0000, BI_RESERVED);
	assert_int_equal(bi.bi_rsdp_len, 20);
	assert_memory_equal(bi.bi_rsdp, "RSD PTR old.........", 20);

	put(4, 0, 4);				/* version 0 has no map, whatever is there */
	assert_true(bootinfo_pvh(&bi, &mem, RAM));
	assert_int_equal(bi.bi_nmap, 0);
	window.w_len = 40;
	assert_true(bootinfo_pvh(&bi, &mem, RAM));
	put(4, 1, 4);
	assert_false(bootinfo_pvh(&bi, &mem, RAM));
	put(0, 0, 4);
	assert_false(bootinfo_pvh(&bi, &mem, RAM));
	window.w_len = 39;
	assert_false(bootinfo_pvh(&bi, &mem, RAM));
}

static void
pvh_pointers_to_nowhere_are_odd(void **state)
{
	(void)state;
	for (uint32_t at = 16; at <= 40; at += 8) {
		static const uint64_t nowhere[] = {
			1, RAM + sizeof ram - 1, UINT64_MAX, UINT64_MAX - 31
		};

		for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
			pvh(1, NULL, 0);
			put(12, at == 16 ? 0xffffffff : 0, 4);
			put(48, at == 40 ? 1 : 0, 4);
			put(at, nowhere[i], 8);
			ram[sizeof ram - 1] = 'x';
			assert_true(bootinfo_pvh(&bi, &mem, RAM));
			assert_true((bi.bi_flags & BI_INFO_ODD) != 0);
			assert_int_equal(bi.bi_nmods + bi.bi_nmap + bi.bi_rsdp_len, 0);
		}
	}
	pvh(1, NULL, 0);
	put(48, 0xffffffff, 4);
	assert_true(bootinfo_pvh(&bi, &mem, RAM));
	assert_int_equal(bi.bi_flags, BI_INFO_ODD);
}

static void
pvh_lines_are_cut_and_told(void **state)
{
	(void)state;
	pvh(1, NULL, 0);
	put(24, RAM + 0x400, 8);
	memset(ram + 0x400, 'w', 4096);
	assert_true(bootinfo_pvh(&bi, &mem, RAM));
	assert_int_equal(bi.bi_flags, BI_CMDLINE_CUT);
	assert_int_equal(strlen(bi.bi_cmdline), 4095);
	ram[0x400 + 4095] = 0;
	assert_true(bootinfo_pvh(&bi, &mem, RAM));
	assert_int_equal(bi.bi_flags, 0);
	assert_int_equal(strlen(bi.bi_cmdline), 4095);
}

/* --------------------------------------------------------------- maps -- */

static void
map_of(const struct claim *c, uint32_t n)
{
	pvh(1, c, n);
	assert_true(bootinfo_pvh(&bi, &mem, RAM));
}

static void
odd_ranges_are_told_and_never_ram(void **state)
{
	static const struct claim odd[] = {
		{ 0x1000, 0, 1, 0 }, { 0x1234, 0, 2, 0 }, { UINT64_MAX - 0xfff, 0x2000, 1, 0 },
		{ UINT64_MAX, UINT64_MAX, 1, 0 }, { 1ull << 52, 0x1000, 1, 0 },
		{ 1ull << 52, 0x1000, 2, 0 },
	};
	static const struct claim wraps[] = { { 0, 0x10000, 1, 0 }, { 0x8800, UINT64_MAX, 2, 0 } };
	static const struct claim small[] = { { 0x1001, 0x1ffe, 1, 0 }, { 0x5001, 1, 3, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		map_of(&odd[i], 1);
		assert_int_equal(bi.bi_nmap, 0);
		assert_int_equal(bi.bi_flags, BI_MAP_ODD);
	}
	map_of(wraps, 2);
	assert_int_equal(bi.bi_nmap, 2);
	range_is(0, 0, 0x8000, BI_RAM);
	range_is(1, 0x8000, 1ull << 52, BI_RESERVED);
	map_of(small, 2);			/* no whole page; a whole page for a byte */
	assert_int_equal(bi.bi_flags, 0);
	assert_int_equal(bi.bi_nmap, 1);
	range_is(0, 0x5000, 0x6000, BI_ACPI);
}

static void
all_kinds_are_told_apart(void **state)
{
	static const struct claim all[] = {
		{ 0x7000, 0x1000, 77, 0 }, { 0x6000, 0x1000, 0, 0 }, { 0x5000, 0x1000, 5, 0 },
		{ 0x4000, 0x1000, 4, 0 }, { 0x3000, 0x1000, 3, 0 }, { 0x2000, 0x1000, 2, 0 },
		{ 0x1000, 0x1000, 1, 0 },
	};

	(void)state;
	map_of(all, 7);
	assert_int_equal(bi.bi_nmap, 6);
	range_is(0, 0x1000, 0x2000, BI_RAM);
	range_is(1, 0x2000, 0x3000, BI_RESERVED);
	range_is(2, 0x3000, 0x4000, BI_ACPI);
	range_is(3, 0x4000, 0x5000, BI_NVS);
	range_is(4, 0x5000, 0x6000, BI_BAD);
	range_is(5, 0x6000, 0x8000, BI_RESERVED);
}

static void
a_list_too_long_is_no_map(void **state)
{
	static struct claim c[CLAIMS_MAX + 1];

	(void)state;
	for (uint32_t i = 0; i <= CLAIMS_MAX; i++)
		c[i] = (struct claim){ 0x1000ull * i, 0x1000, 1, 0 };
	for (uint32_t more = 0; more < 2; more++) {
		map_of(c, CLAIMS_MAX + more);
		assert_int_equal(bi.bi_nmap, 1 - more);
		assert_int_equal(bi.bi_flags, more == 0 ? 0 : BI_INFO_ODD);
		fresh(NULL);
		map_tag(c, CLAIMS_MAX + more);
		assert_true(multiboot2());
		assert_int_equal(bi.bi_nmap, 1 - more);
		assert_int_equal(bi.bi_flags, more == 0 ? 0 : BI_INFO_ODD);
	}
}

/* A full map forgets its top, in whatever order the ranges come. */
static void
a_map_too_large_ends_early(void **state)
{
	static struct claim c[BI_MAP_MAX + 2];

	(void)state;
	for (uint32_t up = 0; up < 2; up++) {
		for (uint32_t i = 0; i < BI_MAP_MAX + 1; i++)
			c[i] = (struct claim){
				(up ? i : BI_MAP_MAX - i) * 0x2000ull, 0x1000, 1, 0
			};
		map_of(c, BI_MAP_MAX);
		assert_int_equal(bi.bi_flags, 0);
		assert_int_equal(bi.bi_nmap, BI_MAP_MAX);
		map_of(c, BI_MAP_MAX + 1);
		assert_int_equal(bi.bi_flags, BI_MAP_CUT);
		assert_int_equal(bi.bi_nmap, BI_MAP_MAX);
		assert_int_equal(bi.bi_map_end, BI_MAP_MAX * 0x2000);
		range_is(BI_MAP_MAX - 1, BI_MAP_MAX * 0x2000 - 0x2000,
		    BI_MAP_MAX * 0x2000 - 0x1000, BI_RAM);
		c[BI_MAP_MAX + 1] = (struct claim){ 0, 1ull << 40, 2, 0 };
		map_of(c, BI_MAP_MAX + 2);
		assert_int_equal(bi.bi_nmap, 1);
		range_is(0, 0, BI_MAP_MAX * 0x2000, BI_RESERVED);
	}
}

static void
oracle(int8_t *page, const struct claim *c)
{
	enum bi_kind kind = e820_kind(c->type);
	uint64_t end = c->base + c->len;

	for (uint64_t i = 0; i < PAGES && c->len > 0; i++) {
		bool whole = c->base <= i * PAGE && (i + 1) * PAGE <= end;
		bool some = c->base < (i + 1) * PAGE && i * PAGE < end;

		if ((kind == BI_RAM ? whole : some) && page[i] < (int)kind)
			page[i] = (int8_t)kind;
	}
}

static void
map_is(const int8_t *page)
{
	uint32_t i = 0;

	for (uint32_t k = 1; k < bi.bi_nmap; k++) {
		uint64_t before = range_end(&bi.bi_map[k - 1]);

		assert_true(before < bi.bi_map[k].br_base || (before == bi.bi_map[k].br_base &&
		    bi.bi_map[k - 1].br_kind != bi.bi_map[k].br_kind));
	}
	for (uint64_t pa = 0; pa < PAGES * PAGE; pa += PAGE) {
		int kind = NONE;

		while (i < bi.bi_nmap && range_end(&bi.bi_map[i]) <= pa)
			i++;
		if (i < bi.bi_nmap && bi.bi_map[i].br_base <= pa)
			kind = (int)bi.bi_map[i].br_kind;
		assert_int_equal(kind, pa < bi.bi_map_end ? page[pa / PAGE] : NONE);
	}
	assert_true(bi.bi_nmap == 0 || range_end(&bi.bi_map[bi.bi_nmap - 1]) <= PAGES * PAGE);
	assert_true((bi.bi_map_end == 1ull << 52) == ((bi.bi_flags & BI_MAP_CUT) == 0));
}

static void
random_maps_are_what_a_table_of_pages_says(void **state)
{
	static struct claim c[600];
	static struct bootinfo first;
	int8_t page[PAGES];
	uint32_t cut = 0;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		bool dense = round % 10 == 0;
		uint32_t n = 1 + rnd(dense ? 600 : 30), longest = dense ? 2 : 1 + rnd(200);

		memset(page, NONE, sizeof page);
		for (uint32_t i = 0; i < n; i++) {
			c[i].base = rnd((PAGES - 200) * (uint32_t)PAGE);
			c[i].len = rnd(longest * (uint32_t)PAGE);
			if (rnd(2) == 0) {
				c[i].base &= -PAGE;
				c[i].len = (c[i].len + PAGE - 1) & -PAGE;
			}
			c[i].type = rnd(7);
			oracle(page, &c[i]);
		}
		map_of(c, n);
		map_is(page);
		cut += (bi.bi_flags & BI_MAP_CUT) != 0;
		first = bi;
		fresh(NULL);
		map_tag(c, n);
		assert_true(multiboot2());
		assert_int_equal(bi.bi_nmap, first.bi_nmap);
		assert_memory_equal(bi.bi_map, first.bi_map, bi.bi_nmap * sizeof bi.bi_map[0]);
	}
	assert_true(cut > 10 && cut < ROUNDS / 2);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, fresh, done)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(all_that_a_loader_says_is_found), T(a_cut_structure_is_odd_or_refused),
		T(tags_of_any_size_do_not_loop_or_leave),
		T(tags_too_short_for_what_they_are_say_nothing),
		T(a_module_that_ends_before_it_begins_is_none),
		T(long_texts_and_many_modules_are_cut_and_told),
		T(a_line_that_just_fits_is_whole), T(a_framebuffer_that_makes_no_sense_is_none),
		T(the_best_map_counts), T(efi_kinds_and_page_counts_are_understood),
		T(pvh_says_the_same), T(pvh_pointers_to_nowhere_are_odd),
		T(pvh_lines_are_cut_and_told),
		T(odd_ranges_are_told_and_never_ram), T(all_kinds_are_told_apart),
		T(a_list_too_long_is_no_map), T(a_map_too_large_ends_early),
		T(random_maps_are_what_a_table_of_pages_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
