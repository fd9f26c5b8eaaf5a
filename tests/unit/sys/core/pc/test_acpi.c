/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_acpi - firmware's tables, good, broken, and made to hurt.
 *
 * Tables are made in ram[], which is at RAM, one behind the other; firmware()
 * makes the root of those that were linked and reads all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <core/pc/acpi.c>

#include "window.h"

#define RAM		0xe0000ull
#define LINKS_MAX	400u

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint8_t ram[131072], rsdp[36];
static struct window window = { ram, RAM, sizeof ram, NULL };
static const struct pc_mem mem = { window_map, &window };
static struct acpi a;
static uint32_t used, nlinks;
static uint64_t links[LINKS_MAX];

static int
fresh(void **state)
{
	(void)state;
	memset(ram, 0, sizeof ram);
	used = nlinks = 0;
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

static void
put(uint32_t at, uint64_t v, uint32_t bytes)
{
	assert_true(at + bytes <= sizeof ram);
	memcpy(ram + at, &v, bytes);
}

/* Makes n bytes at p add up, by the one at `sum`. */
static void
seal(uint8_t *p, uint32_t n, uint32_t sum)
{
	p[sum] = 0;
	for (uint32_t i = 0; i < n; i++)
		if (i != sum)
			p[sum] -= p[i];
}

/* A table of `body` behind its header; what is changed in it later needs reseal(). */
static uint32_t
make(const char *sig, const void *body, uint32_t n)
{
	uint32_t at = used;

	memcpy(ram + at, sig, 4);
	put(at + 4, HEADER + n, 4);
	ram[at + 8] = 6;
	if (body != NULL)
		memcpy(ram + at + HEADER, body, n);
	used += HEADER + n + 5;		/* nothing is aligned */
	seal(ram + at, HEADER + n, 9);
	return at;
}

static void reseal(uint32_t at) { seal(ram + at, pc_u32(ram + at + 4), 9); }

static uint32_t
link_to(uint32_t at)
{
	assert_true(nlinks < LINKS_MAX);
	links[nlinks++] = RAM + at;
	return at;
}

static void
make_rsdp(uint64_t rsdt, uint64_t xsdt)
{
	memset(rsdp, 0, sizeof rsdp);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	memcpy(rsdp + 16, &rsdt, 4);
	rsdp[20] = 36;
	memcpy(rsdp + 24, &xsdt, 8);
	seal(rsdp, 20, 8);
	seal(rsdp, 36, 32);
}

static uint32_t
make_root(uint32_t each)
{
	uint32_t at = make(each == 8 ? "XSDT" : "RSDT", NULL, nlinks * each);

	for (uint32_t i = 0; i < nlinks; i++)
		put(at + HEADER + i * each, links[i], each);
	reseal(at);
	return at;
}

static void
firmware(void)
{
	make_rsdp(0, RAM + make_root(8));
	assert_true(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
}

/* The MADT of these entries. */
static void
madt(const uint8_t *entries, uint32_t n)
{
	uint32_t at;

	fresh(NULL);
	at = link_to(make("APIC", NULL, 8 + n));
	put(at + 36, 0xfee00000, 4);
	put(at + 40, 1, 4);
	memcpy(ram + at + 44, entries, n);
	reseal(at);
	firmware();
}

/* ---------------------------------------------------------------- root -- */

static void
a_pointer_that_is_wrong_is_refused(void **state)
{
	uint32_t rsdt = make_root(4);

	(void)state;
	make_rsdp(RAM + rsdt, RAM + make_root(8));
	assert_true(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
	assert_int_equal(a.a_flags, 0);
	for (uint32_t n = 0; n < 20; n++)
		assert_false(acpi_scan(&a, &mem, rsdp, n));
	for (uint32_t i = 0; i < 20; i++) {
		rsdp[i] ^= 1;
		assert_false(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
		rsdp[i] ^= 1;
	}
	make_rsdp(0, 0);
	assert_false(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
	make_rsdp(0xffffffff, UINT64_MAX);
	assert_false(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
	assert_int_equal(a.a_bad_tables, 2);
}

/* Each root has a table that the other has not. */
static void
the_old_root_counts_only_without_a_good_new_one(void **state)
{
	uint32_t rsdt, xsdt, len = 0;

	(void)state;
	link_to(make("APIC", "\0\0\xe0\xfe\0\0\0", 8));
	rsdt = make_root(4);
	links[0] = RAM + make("MCFG", "\0\0\0\0\0\0\0", 8);
	xsdt = make_root(8);
	for (uint32_t how = 0; how < 6; how++) {
		make_rsdp(RAM + rsdt, RAM + xsdt);
		len = sizeof rsdp;
		switch (how) {
		case 1: len = 20; break;
		case 2: rsdp[33] ^= 1; break;			/* the second half's sum */
		case 3: rsdp[15] = 0; seal(rsdp, 20, 8); break;	/* ACPI 1.0 */
		case 4: rsdp[20] = 35; seal(rsdp, 36, 32); break;
		case 5: ram[xsdt + 10] ^= 1; break;		/* the root's sum */
		}
		assert_true(acpi_scan(&a, &mem, rsdp, len));
		assert_int_equal(a.a_flags, how == 0 ? ACPI_MCFG : ACPI_FROM_RSDT | ACPI_MADT);
		assert_int_equal(a.a_bad_tables, how == 5);
	}
	make_rsdp(RAM + xsdt, RAM + rsdt);			/* the one for the other */
	assert_false(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
}

static void
tables_that_point_at_roots_do_not_loop(void **state)
{
	uint32_t fadt, xsdt;

	(void)state;
	fadt = link_to(make("FACP", NULL, FADT_BYTES - HEADER));
	put(fadt + 140, RAM + fadt, 8);		/* the FADT as its own DSDT */
	reseal(fadt);
	link_to(used);				/* where the root will be */
	link_to(fadt);
	xsdt = make_root(8);
	make_rsdp(0, RAM + xsdt);
	assert_true(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
	assert_int_equal(a.a_flags, ACPI_FADT);
	assert_int_equal(a.a_bad_tables, 1);
}

static void
tables_that_cannot_be_are_counted_and_passed_over(void **state)
{
	uint32_t bad_sum, endless, outside;

	(void)state;
	bad_sum = link_to(make("APIC", NULL, 8));
	ram[bad_sum + 36] ^= 1;
	endless = link_to(make("APIC", NULL, 8));
	put(endless + 4, TABLE_MAX + 1, 4);
	link_to(make("APIC", NULL, 7));
	outside = link_to(make("APIC", NULL, 8));
	put(outside + 4, sizeof ram, 4);
	link_to(sizeof ram - 35);		/* half a header */
	links[nlinks++] = 0;
	links[nlinks++] = UINT64_MAX - 3;
	link_to(make("APIC", NULL, 8));		/* at last a good one; */
	link_to(bad_sum);			/* then nobody looks any more */
	firmware();
	assert_int_equal(a.a_bad_tables, 7);
	assert_int_equal(a.a_flags, ACPI_MADT);
}

static void
a_table_of_16_MiB_is_the_largest(void **state)
{
	uint8_t *big = calloc(1, sizeof ram + TABLE_MAX + 1);

	(void)state;
	link_to(make("APIC", NULL, 8));
	links[0] = RAM + sizeof ram;
	make_rsdp(0, RAM + make_root(8));
	memcpy(big, ram, sizeof ram);
	for (uint32_t more = 0; more < 2; more++) {
		uint32_t len = TABLE_MAX + more;

		memcpy(big + sizeof ram, "APIC", 4);
		memcpy(big + sizeof ram + 4, &len, 4);
		seal(big + sizeof ram, len, 9);
		window.w_bytes = big;
		window.w_len = sizeof ram + len;
		assert_true(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
		window.w_bytes = ram;
		window.w_len = sizeof ram;
		assert_int_equal(a.a_bad_tables, more);
		assert_int_equal(a.a_flags, more == 0 ? ACPI_MADT : 0);
	}
	free(big);
}

static void
too_many_tables_are_told(void **state)
{
	uint32_t madt_at = make("APIC", NULL, 8);

	(void)state;
	for (uint32_t i = 0; i < TABLES_MAX; i++)
		link_to(make("OEM0", NULL, 0));
	link_to(madt_at);
	firmware();
	assert_int_equal(a.a_lost, 1);
	assert_int_equal(a.a_flags, 0);
}

/* ---------------------------------------------------------------- MADT -- */

static void
processors_and_controllers_are_listed(void **state)
{
	static const uint8_t entries[] = {
		0, 8, 1, 0, 1, 0, 0, 0,				/* enabled */
		0, 8, 2, 2, 0, 0, 0, 0,				/* neither */
		0, 8, 3, 4, 2, 0, 0, 0,				/* could be */
		0, 8, 4, 255, 1, 0, 0, 0,			/* no APIC has this */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0,
		9, 16, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0,	/* the third again */
		9, 16, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 3, 0, 0, 0,
		1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,
		2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0,
		2, 10, 0, 8, 8, 0, 0, 0, 0x02, 0,		/* reserved polarity */
		3, 8, 0x0d, 0, 30, 0, 0, 0,
		4, 6, 255, 5, 0, 1,
		4, 6, 3, 0, 0, 2,				/* LINT2 */
		10, 12, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0,
		99, 3, 0,
		5, 12, 0, 0, 0, 0, 0, 0xff, 1, 0, 0, 0,
	};

	(void)state;
	madt(entries, sizeof entries);
	assert_int_equal(a.a_flags, ACPI_MADT | ACPI_PCAT);
	assert_int_equal(a.a_bad_entries, 2);
	assert_int_equal(a.a_ncpus, 3);
	assert_int_equal(a.a_cpus[0].ac_uid, 1);
	assert_true(a.a_cpus[0].ac_enabled);
	assert_int_equal(a.a_cpus[1].ac_apic_id, 4);
	assert_false(a.a_cpus[1].ac_enabled);
	assert_int_equal(a.a_cpus[2].ac_apic_id, 256);
	assert_int_equal(a.a_cpus[2].ac_uid, 9);
	assert_int_equal(a.a_nioapics, 1);
	assert_int_equal(a.a_ioapics[0].ai_id, 7);
	assert_int_equal(a.a_ioapics[0].ai_pa, 0xfec00000);
	assert_int_equal(a.a_ioapics[0].ai_gsi_base, 24);
	assert_int_equal(a.a_noverrides, 2);
	assert_int_equal(a.a_overrides[0].ao_gsi, 2);
	assert_int_equal(a.a_overrides[0].ao_polarity, ACPI_AS_BUS);
	assert_int_equal(a.a_overrides[1].ao_source, 9);
	assert_int_equal(a.a_overrides[1].ao_polarity, ACPI_LOW);
	assert_int_equal(a.a_overrides[1].ao_trigger, ACPI_LEVEL);
	assert_int_equal(a.a_nnmis, 3);
	assert_false(a.a_nmis[0].an_is_local);
	assert_int_equal(a.a_nmis[0].an_gsi, 30);
	assert_int_equal(a.a_nmis[0].an_polarity, ACPI_HIGH);
	assert_int_equal(a.a_nmis[0].an_trigger, ACPI_LEVEL);
	assert_int_equal(a.a_nmis[1].an_uid, ACPI_UID_ALL);
	assert_int_equal(a.a_nmis[1].an_lint, 1);
	assert_int_equal(a.a_nmis[1].an_trigger, ACPI_EDGE);
	assert_int_equal(a.a_nmis[2].an_uid, 9);
	assert_int_equal(a.a_lapic_pa, 0x1ff000000);
}

static void
entries_of_no_length_or_too_long_end_the_list(void **state)
{
	static const uint8_t lengths[] = { 0, 1, 17, 255 };
	uint8_t entries[32] = {
		0, 8, 1, 1, 1, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 2, 1, 0, 0, 0
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof lengths; i++) {
		entries[9] = lengths[i];
		entries[10] = 7;
		madt(entries, 24);
		assert_int_equal(a.a_ncpus, 1);
		assert_int_equal(a.a_bad_entries, 1);
	}
	entries[9] = 8;
	madt(entries, 24);
	assert_int_equal(a.a_ncpus, 2);
	madt(entries, 9);			/* half an entry */
	assert_int_equal(a.a_bad_entries, 1);
	for (uint8_t type = 0; type < MADT_KINDS; type++) {
		entries[8] = type;		/* too short; the next one is found */
		for (entries[9] = 2; entries[9] < madt_least[type]; entries[9]++) {
			memcpy(entries + 8 + entries[9], "\0\10\2\2\1\0\0", 8);
			madt(entries, 16u + entries[9]);
			assert_int_equal(a.a_bad_entries, 1);
			assert_int_equal(a.a_ncpus, 2);
		}
	}
}

static void
what_does_not_fit_is_counted(void **state)
{
	static uint8_t entries[300 * 28];
	static uint8_t segments[8 + 16 * (ACPI_MCFG_MAX + 1)];

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		uint8_t *e = entries + 28 * i;

		e[0] = MADT_X2APIC, e[1] = 16;
		e[4] = (uint8_t)i, e[5] = (uint8_t)(i >> 8), e[8] = 1;
		e[16] = MADT_IOAPIC, e[17] = 12;
	}
	madt(entries, sizeof entries);
	assert_int_equal(a.a_ncpus, ACPI_CPUS_MAX);
	assert_int_equal(a.a_nioapics, ACPI_IOAPICS_MAX);
	assert_int_equal(a.a_lost, 600 - ACPI_CPUS_MAX - ACPI_IOAPICS_MAX);
	memset(entries, 0, sizeof entries);
	for (uint32_t i = 0; i < 300; i++) {
		entries[18 * i] = MADT_OVERRIDE, entries[18 * i + 1] = 10;
		entries[18 * i + 10] = MADT_NMI, entries[18 * i + 11] = 8;
	}
	madt(entries, 300 * 18);
	assert_int_equal(a.a_noverrides, ACPI_OVERRIDES_MAX);
	assert_int_equal(a.a_nnmis, ACPI_NMIS_MAX);
	assert_int_equal(a.a_lost, 600 - ACPI_OVERRIDES_MAX - ACPI_NMIS_MAX);
	for (uint32_t i = 0; i <= ACPI_MCFG_MAX; i++)
		segments[8 + 16 * i + 3] = 0xe0;
	fresh(NULL);
	link_to(make("MCFG", segments, sizeof segments));
	firmware();
	assert_int_equal(a.a_nmcfg, ACPI_MCFG_MAX);
	assert_int_equal(a.a_lost, 1);
}

/* ---------------------------------------------------------- MCFG, HPET -- */

static void
segments_and_the_hpet_are_found(void **state)
{
	static const uint8_t segments[8 + 16 * 5 + 15] = {
		[8 + 3] = 0xe0, [8 + 8] = 1, [8 + 10] = 2, [8 + 11] = 255,
		[24 + 3] = 0xe0, [24 + 10] = 3, [24 + 11] = 2,	/* buses from 3 to 2 */
		[40 + 11] = 9,					/* nowhere */
		[56 + 7] = 0xff, [56 + 11] = 9,			/* beyond all memory */
		[72 + 2] = 0x08, [72 + 11] = 9,			/* not at a whole MiB */
	};
	uint32_t hpet;

	(void)state;
	link_to(make("MCFG", segments, sizeof segments));
	hpet = link_to(make("HPET", NULL, 20));
	put(hpet + 40, ACPI_IO, 1);
	put(hpet + 44, 0xfed00000, 8);
	reseal(hpet);
	firmware();
	assert_int_equal(a.a_flags, ACPI_MCFG);
	assert_int_equal(a.a_bad_entries, 6);
	assert_int_equal(a.a_nmcfg, 1);
	assert_int_equal(a.a_mcfg[0].am_pa, 0xe0000000);
	assert_int_equal(a.a_mcfg[0].am_segment, 1);
	assert_int_equal(a.a_mcfg[0].am_bus_first, 2);
	assert_int_equal(a.a_mcfg[0].am_bus_last, 255);
	put(hpet + 40, ACPI_MEMORY, 1);
	put(hpet + 53, 0x1234, 2);
	reseal(hpet);
	assert_true(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
	assert_int_equal(a.a_flags, ACPI_MCFG | ACPI_HPET);
	assert_int_equal(a.a_hpet_pa, 0xfed00000);
	assert_int_equal(a.a_hpet_min_tick, 0x1234);
}

/* ---------------------------------------------------------------- FADT -- */

static uint32_t
make_fadt(uint32_t bytes, uint32_t dsdt)
{
	uint32_t at = link_to(make("FACP", NULL, bytes - HEADER));

	put(at + 40, RAM + dsdt, 4);
	put(at + 46, 9, 2);
	put(at + 48, 0xb2, 4);
	put(at + 52, 0xa0, 1);
	put(at + 64, 0x604, 4);
	put(at + 76, 0x608, 4);
	put(at + 91, 4, 1);
	put(at + 108, 0x32, 1);
	put(at + 112, 1 << 8 | 1 << 10, 4);
	reseal(at);
	return at;
}

static void
an_old_fadt_has_what_it_has(void **state)
{
	uint32_t at;

	(void)state;
	at = make_fadt(116, make("DSDT", NULL, 0));
	ram[at + 8] = 1;
	reseal(at);
	firmware();
	assert_int_equal(a.a_flags, ACPI_FADT | ACPI_TIMER_32);
	assert_int_equal(a.a_bad_tables, 0);
	assert_int_equal(a.a_boot_arch, ACPI_BOOT_LEGACY | ACPI_BOOT_8042);
	assert_int_equal(a.a_sci, 9);
	assert_int_equal(a.a_smi_cmd, 0xb2);
	assert_int_equal(a.a_acpi_enable, 0xa0);
	assert_int_equal(a.a_century, 0x32);
	assert_int_equal(a.a_pm1a_control.ar_addr, 0x604);
	assert_int_equal(a.a_pm1a_control.ar_space, ACPI_IO);
	assert_int_equal(a.a_pm1b_control.ar_addr, 0);
	assert_int_equal(a.a_pm_timer.ar_addr, 0x608);
	assert_int_equal(a.a_reset.ar_addr, 0);
	put(at + 91, 0, 1);			/* no timer, so where it is does not matter */
	put(at + 112, 0, 4);
	reseal(at);
	assert_true(acpi_scan(&a, &mem, rsdp, sizeof rsdp));
	assert_int_equal(a.a_pm_timer.ar_addr, 0);
	assert_int_equal(a.a_flags, ACPI_FADT);
}

static void
a_new_fadt_prefers_what_is_new(void **state)
{
	uint32_t at;

	(void)state;
	at = make_fadt(FADT_BYTES, 0);
	put(at + 109, ACPI_BOOT_NO_VGA | ACPI_BOOT_NO_MSI, 2);
	put(at + 112, 1 << 20 | 1 << 10, 4);
	put(at + 116, ACPI_IO, 1);
	put(at + 120, 0xcf9, 8);
	put(at + 128, 6, 1);
	put(at + 140, RAM + make("DSDT", "\x08_S5_\x12\x05\x02\x0a\x05\x00", 11), 8);
	put(at + 172, ACPI_MEMORY, 1);
	put(at + 176, 0x1fe000004, 8);
	put(at + 188, 0xb004, 8);
	put(at + 184, ACPI_IO, 1);
	put(at + 212, 0xb008, 8);
	put(at + 208, ACPI_IO, 1);
	put(at + 244, ACPI_MEMORY, 1);
	put(at + 248, 0xfed80000, 8);
	reseal(at);
	firmware();
	assert_int_equal(a.a_flags, ACPI_FADT | ACPI_HW_REDUCED | ACPI_S5);
	assert_int_equal(a.a_bad_tables, 0);
	assert_int_equal(a.a_boot_arch, ACPI_BOOT_NO_VGA | ACPI_BOOT_NO_MSI);
	assert_int_equal(a.a_pm1a_control.ar_addr, 0x1fe000004);
	assert_int_equal(a.a_pm1a_control.ar_space, ACPI_MEMORY);
	assert_int_equal(a.a_pm1b_control.ar_addr, 0xb004);
	assert_int_equal(a.a_pm_timer.ar_addr, 0xb008);
	assert_int_equal(a.a_reset.ar_addr, 0xcf9);
	assert_int_equal(a.a_reset_value, 6);
	assert_int_equal(a.a_sleep_control.ar_addr, 0xfed80000);
}

/* ----------------------------------------------------------------- _S5 -- */

static const struct {
	const char	*aml;
	uint32_t	n;
	bool		good;
	uint8_t		s5_a, s5_b;
} packages[] = {
#define AML(s)	s, sizeof s - 1
	{ AML("\x08_S5_\x12\x06\x02\x0a\x05\x0a\x07"), true, 5, 7 },
	{ AML("\x08\\_S5_\x12\x06\x02\x0a\x05\x0a\x07"), true, 5, 7 },
	{ AML("\x08_S5_\x12\x06\x04\x00\x00\x00\x00"), true, 0, 0 },
	{ AML("\x08_S5_\x12\x06\x04\x01\x00\x00\x00"), true, 1, 0 },
	{ AML("\x08_S5_\x12\x08\x02\x0b\x05\x00\x0b\x06\x00"), true, 5, 6 },
	{ AML("\x08_S5_\x12\x08\x02\x0c\x05\x00\x00\x00\x01"), true, 5, 1 },
	{ AML("\x08_S5_\x12\x0c\x02\x0e\x05\0\0\0\0\0\0\0\x01"), true, 5, 1 },
	{ AML("\x08_S5_\x12\x05\x01\x0b\x05\x07"), true, 5, 7 },
	{ AML("\x08_S5_\x12\x47\x00\x02\x0a\x05\x0a\x07"), true, 5, 7 },
	{ AML("\x08_S5_\x12\x88\x00\x00\x02\x0a\x05\x0a\x07"), true, 5, 7 },
	{ AML("\x08_S5_\x12\xc9\x00\x00\x00\x02\x0a\x05\x0a\x07"), true, 5, 7 },
	{ AML("\x08_S5_\x12\x43\x01\x02\x0a\x05\x0a\x07\0\0\0\0\0\0\0\0\0\0\0\0"), true, 5, 7 },
	{ AML("x_S5_\x08_S5_\x08_S5_\x12\x06\x02\x0a\x05\x0a\x07"), true, 5, 7 },
	{ AML("_S5_\x12\x06\x02\x0a\x05\x0a\x07"), false, 0, 0 },	/* no NameOp */
	{ AML("x_S5_\x12\x06\x02\x0a\x05\x0a\x07"), false, 0, 0 },
	{ AML("x\\_S5_\x12\x06\x02\x0a\x05\x0a\x07"), false, 0, 0 },
	{ AML("\\_S5_\x12\x06\x02\x0a\x05\x0a\x07"), false, 0, 0 },
	{ AML("\x08_S5_\x13\x06\x02\x0a\x05\x0a\x07"), false, 0, 0 },	/* no package */
	{ AML("\x08_S5_\x12\x07\x02\x0a\x05\x0a\x07"), false, 0, 0 },	/* longer than the table */
	{ AML("\x08_S5_\x12\x05\x02\x0a\x05\x0a\x07"), false, 0, 0 },	/* ends in a number */
	{ AML("\x08_S5_\x12\x04\x02\x0a\x05\x0a\x07"), false, 0, 0 },	/* ends before it */
	{ AML("\x08_S5_\x12\x00\x02\x0a\x05\x0a\x07"), false, 0, 0 },
	{ AML("\x08_S5_\x12\x01\x02\x0a\x05\x0a\x07"), false, 0, 0 },
	{ AML("\x08_S5_\x12\xcf\xff\xff\xff\x02\x0a\x05\x0a\x07"), false, 0, 0 },
	{ AML("\x08_S5_\x12\x06\x00\x0a\x05\x0a\x07"), false, 0, 0 },	/* no elements */
	{ AML("\x08_S5_\x12\x06\x02\x0a\x08\x0a\x07"), false, 0, 0 },	/* three bits there are */
	{ AML("\x08_S5_\x12\x06\x02\x0a\x05\x0a\x08"), false, 0, 0 },
	{ AML("\x08_S5_\x12\x06\x02\xff\x05\x0a\x07"), false, 0, 0 },	/* not an integer of ours */
	{ AML("\x08_S5_\x12"), false, 0, 0 },
	{ AML("\x08_S5_\x12\xc0"), false, 0, 0 },
	{ AML("\x08_S5_"), false, 0, 0 },
	{ AML("\x08_S5"), false, 0, 0 },
};

static void
the_numbers_for_power_off_are_found_in_every_spelling(void **state)
{
	(void)state;
	for (uint32_t where = 0; where < 2; where++)
		for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
			uint32_t aml;

			fresh(NULL);
			aml = make(where == 0 ? "DSDT" : "SSDT", packages[i].aml, packages[i].n);
			if (where == 0)
				make_fadt(244, aml);
			else
				link_to(aml);
			firmware();
			assert_int_equal(a.a_bad_tables, 0);
			assert_int_equal((a.a_flags & ACPI_S5) != 0, packages[i].good);
			assert_int_equal(a.a_s5_a, packages[i].s5_a);
			assert_int_equal(a.a_s5_b, packages[i].s5_b);
		}
}

/* In a table cut anywhere nothing behind its end counts, be it ever so right. */
static void
a_cut_package_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof packages / sizeof packages[0] && packages[i].good; i++)
		for (uint32_t n = 0; n < packages[i].n; n++) {
			uint32_t at;

			fresh(NULL);
			at = link_to(make("SSDT", packages[i].aml, packages[i].n));
			put(at + 4, HEADER + n, 4);
			reseal(at);
			firmware();
			assert_int_equal(a.a_flags, 0);
			assert_int_equal(a.a_bad_tables, 0);
		}
}

#define T(f)	cmocka_unit_test_setup_teardown(f, fresh, done)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_pointer_that_is_wrong_is_refused),
		T(the_old_root_counts_only_without_a_good_new_one),
		T(tables_that_point_at_roots_do_not_loop),
		T(tables_that_cannot_be_are_counted_and_passed_over),
		T(a_table_of_16_MiB_is_the_largest), T(too_many_tables_are_told),
		T(processors_and_controllers_are_listed),
		T(entries_of_no_length_or_too_long_end_the_list), T(what_does_not_fit_is_counted),
		T(segments_and_the_hpet_are_found), T(an_old_fadt_has_what_it_has),
		T(a_new_fadt_prefers_what_is_new),
		T(the_numbers_for_power_off_are_found_in_every_spelling), T(a_cut_package_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
