/* SPDX-License-Identifier: BSD-2-Clause */
/* test_caps - registers as QEMU's controller has them, and ones that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/usb/caps.c"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

#define BYTES	0x4000u
static uint32_t regs[BYTES / 4];
static uint32_t reads;

static uint32_t
reg_read(void *arg, uint32_t offset)
{
	(void)arg;
	assert_true(offset % 4 == 0 && offset < BYTES);
	reads++;
	return regs[offset / 4];
}
static struct xh_regs rg = { reg_read, NULL, BYTES };

static void
begin(void)
{
	memset(regs, 0, sizeof(regs));
	regs[0] = 0x01000040;			/* version 1.0, operational registers at 0x40 */
	regs[XHCI_HCSPARAMS1 / 4] = 8u << 24 | 16u << 8 | 64;
	regs[XHCI_HCSPARAMS2 / 4] = 1u << 21 | 2u << 27;
	regs[XHCI_HCCPARAMS1 / 4] = 0x20u / 4 << 16 | XHCI_HCC_AC64;
	regs[XHCI_DBOFF / 4] = 0x2000;
	regs[XHCI_RTSOFF / 4] = 0x1000;
	regs[0x20 / 4] = 0x02000402;		/* USB 2: ports 5 to 8 */
	regs[0x28 / 4] = 4u << 8 | 5;
	regs[0x30 / 4] = 0x03000002;		/* USB 3: ports 1 to 4 */
	regs[0x38 / 4] = 4u << 8 | 1;
	reads = 0;
}

static void
a_controller_is_understood(void **state)
{
	struct xh_caps xc;

	(void)state;
	begin();
	assert_true(xh_caps_read(&rg, &xc));
	assert_true(xc.xc_op == 0x40 && xc.xc_run == 0x1000 && xc.xc_doorbell == 0x2000);
	assert_true(xc.xc_slots == 64 && xc.xc_ports == 8 && xc.xc_64);
	assert_int_equal(xc.xc_scratchpads, 34);
	assert_int_equal(xc.xc_stride, 32);
	assert_int_equal(xc.xc_legacy, 0);
	for (uint32_t port = 0; port <= XH_PORTS_MAX; port++)
		assert_int_equal(xc.xc_usb[port], port == 0 || port > 8 ? 0 : port < 5 ? 3 : 2);
	regs[0x30 / 4] |= 4u << 8;
	regs[0x40 / 4] = XHCI_EXT_LEGACY | XHCI_LEGACY_BIOS;
	regs[XHCI_HCCPARAMS1 / 4] |= XHCI_HCC_CSZ;
	assert_true(xh_caps_read(&rg, &xc));
	assert_int_equal(xc.xc_legacy, 0x40);
	assert_int_equal(xc.xc_stride, 64);
}

/* Each register in turn is what no controller has. */
static void
what_lies_outside_is_refused(void **state)
{
	static const struct { uint32_t reg, value; } bad[] = {
		{ XHCI_CAPLENGTH, 0x0100001c }, { XHCI_CAPLENGTH, 0x01000042 },
		{ XHCI_HCSPARAMS1, 8u << 24 }, { XHCI_HCSPARAMS1, 64 },
		{ XHCI_HCSPARAMS1, UINT32_MAX },
		{ XHCI_RTSOFF, BYTES }, { XHCI_RTSOFF, BYTES - 0x20 }, { XHCI_RTSOFF, UINT32_MAX },
		{ XHCI_DBOFF, BYTES - 64 * 4 }, { XHCI_DBOFF, UINT32_MAX },
	};
	struct xh_regs small = rg;
	struct xh_caps xc;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		regs[bad[i].reg / 4] = bad[i].value;
		assert_false(xh_caps_read(&rg, &xc));
	}
	begin();
	for (small.rg_bytes = 0; small.rg_bytes < BYTES; small.rg_bytes += 4)
		assert_int_equal(xh_caps_read(&small, &xc), small.rg_bytes >= 0x2000 + 65 * 4);
	memset(regs, 0xff, sizeof(regs));
	assert_false(xh_caps_read(&rg, &xc));
}

static void
ports_that_are_not_there_are_claimed_by_nobody(void **state)
{
	struct xh_caps xc;

	(void)state;
	begin();
	regs[0x28 / 4] = 255u << 8 | 5;
	regs[0x38 / 4] = 4u << 8 | 0;
	assert_true(xh_caps_read(&rg, &xc));
	for (uint32_t port = 0; port <= XH_PORTS_MAX; port++)
		assert_int_equal(xc.xc_usb[port], port >= 5 && port <= 8 ? 2 : 0);
	begin();
	regs[0x20 / 4] = 0x04000402;		/* of a revision to come */
	assert_true(xh_caps_read(&rg, &xc));
	assert_true(xc.xc_usb[5] == 0 && xc.xc_usb[1] == 3);
}

/* The list leads out of the registers, or goes on as long as they do. */
static void
the_list_ends(void **state)
{
	struct xh_caps xc;

	(void)state;
	begin();
	for (uint32_t at = 0x40; at < BYTES; at += 4)
		regs[at / 4] = 0x100 | XHCI_EXT_LEGACY;
	regs[0x1000 / 4] = 0x1ff;
	regs[0x30 / 4] |= 4u << 8;
	assert_true(xh_caps_read(&rg, &xc));
	assert_true(xc.xc_legacy != 0 && xc.xc_legacy <= BYTES - 8);
	assert_true(reads < BYTES / 4 + 10);
	regs[XHCI_HCCPARAMS1 / 4] = 0xffff0000;
	assert_true(xh_caps_read(&rg, &xc));
	assert_int_equal(xc.xc_legacy, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_controller_is_understood),
		cmocka_unit_test(what_lies_outside_is_refused),
		cmocka_unit_test(ports_that_are_not_there_are_claimed_by_nobody),
		cmocka_unit_test(the_list_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
