/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ctx - contexts, word by word, in both sizes; intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/usb/ctx.c"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint32_t input[33 * 64 / 4 + 1];
static const struct xh_place place = { .pl_port = 5, .pl_speed = XHCI_HIGH };

static uint32_t
word(uint32_t stride, uint32_t context, uint32_t n)
{
	return input[context * stride / 4 + n];
}

/* All words but those that were looked at are 0, and what lies behind is as it was. */
static void
check_words(uint32_t stride, const uint32_t (*want)[3], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(word(stride, want[i][0], want[i][1]), want[i][2]);
		input[want[i][0] * stride / 4 + want[i][1]] = 0;
	}
	for (uint32_t i = 0; i < 33 * stride / 4; i++)
		assert_int_equal(input[i], 0);
	assert_int_equal(input[33 * stride / 4], 0xa5a5a5a5);
}

static void
contexts_are_laid_out_as_the_controller_reads_them(void **state)
{
	static const uint32_t on_address[][3] = {
		{ 0, 1, 3 }, { 1, 0, 3u << 20 | 1u << 27 }, { 1, 1, 5u << 16 },
		{ 2, 1, 3u << 1 | 4u << 3 | 64u << 16 }, { 2, 2, 0x89abcd01 }, { 2, 3, 0x12 },
		{ 2, 4, 8 },
	};
	static const uint32_t on_evaluate[][3] = {
		{ 0, 1, 2 }, { 2, 1, 3u << 1 | 4u << 3 | 16u << 16 }, { 2, 4, 8 },
	};
	static const uint32_t on_configure[][3] = {
		{ 0, 1, 1 | 1u << 7 }, { 1, 0, 3u << 20 | 7u << 27 }, { 1, 1, 5u << 16 },
		{ 8, 0, 6u << 16 }, { 8, 1, 3u << 1 | 7u << 3 | 8u << 16 }, { 8, 2, 0x1001 },
		{ 8, 4, 8u << 16 | 8 },
	};
	const struct xh_endpoint ep = { .ep_dci = 7, .ep_interval = 6, .ep_packet = 8,
	    .ep_ring = 0x1001 };

	(void)state;
	for (uint32_t stride = 32; stride <= 64; stride += 32) {
		memset(input, 0xa5, sizeof(input));
		xh_ctx_address(input, stride, &place, 64, 0x1289abcd01);
		check_words(stride, on_address, 7);
		memset(input, 0xa5, sizeof(input));
		xh_ctx_evaluate(input, stride, 16);
		check_words(stride, on_evaluate, 3);
		memset(input, 0xa5, sizeof(input));
		xh_ctx_configure(input, stride, &place, &ep);
		check_words(stride, on_configure, 7);
		assert_int_equal(xh_input_bytes(stride), 33 * stride);
		assert_int_equal(xh_device_bytes(stride), 32 * stride);
	}
}

static void
intervals_are_powers_of_two_of_125_us_and_not_longer_than_asked(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 256; i++) {
		uint32_t us = 125u << xh_interval(XHCI_FULL, (uint8_t)i);

		assert_true(us <= i * 1000 && us * 2 > i * 1000);
		assert_int_equal(125u << xh_interval(XHCI_LOW, (uint8_t)i), us);
	}
	assert_int_equal(xh_interval(XHCI_FULL, 0), 3);
	assert_int_equal(xh_interval(XHCI_FULL, 255), 10);
	for (uint8_t speed = XHCI_HIGH; speed <= XHCI_SPEED_MAX; speed++) {
		assert_int_equal(xh_interval(speed, 0), 0);
		assert_int_equal(xh_interval(speed, 1), 0);
		assert_int_equal(xh_interval(speed, 4), 3);
		assert_int_equal(xh_interval(speed, 16), 15);
		assert_int_equal(xh_interval(speed, 255), 15);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts_are_laid_out_as_the_controller_reads_them),
		cmocka_unit_test(intervals_are_powers_of_two_of_125_us_and_not_longer_than_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
