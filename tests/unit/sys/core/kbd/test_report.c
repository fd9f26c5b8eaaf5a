/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report - boot protocol reports: what changed, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../../../../sys/core/kbd/report.c"

#define RANDOM_REPORTS	200000

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	print_error("%s:%d: %s\n", file, line, what);
	abort();
}

static struct report r;
static struct key_event ev[REPORT_EVENTS];
static size_t nev;

static void
input(uint8_t modifiers, uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t e, uint8_t f)
{
	uint8_t data[REPORT_BYTES] = { modifiers, 0x55, a, b, c, d, e, f };

	assert_true(report_input(&r, data, sizeof data, ev, &nev));
}

static void
expect(size_t i, uint8_t key, enum key_act act)
{
	assert_in_range(i, 0, nev - 1);
	assert_int_equal(ev[i].ke_key, key);
	assert_int_equal(ev[i].ke_act, act);
}

static void
events_are_the_difference_to_the_last_report(void **state)
{
	(void)state;
	report_init(&r);
	input(0, KEY_A, 0, 0, 0, 0, 0);
	assert_int_equal(nev, 1);
	expect(0, KEY_A, KEY_PRESSED);
	input(0, KEY_A, 0, 0, 0, 0, 0);
	assert_int_equal(nev, 0);
	input(0, KEY_B, KEY_A, 0, 0, 0, 0);		/* in another place, but the same key */
	assert_int_equal(nev, 1);
	expect(0, KEY_B, KEY_PRESSED);
	input(0, 0, 0, KEY_C, 0, 0, KEY_B);
	assert_int_equal(nev, 2);
	expect(0, KEY_A, KEY_RELEASED);
	expect(1, KEY_C, KEY_PRESSED);
	input(0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(nev, 2);
	expect(0, KEY_B, KEY_RELEASED);
	expect(1, KEY_C, KEY_RELEASED);
}

static void
keys_are_pressed_in_the_order_of_the_report(void **state)
{
	(void)state;
	report_init(&r);
	input(0, KEY_C, KEY_A, KEY_Z, KEY_B, 0, 0);
	assert_int_equal(nev, 4);
	expect(0, KEY_C, KEY_PRESSED);
	expect(1, KEY_A, KEY_PRESSED);
	expect(2, KEY_Z, KEY_PRESSED);
	expect(3, KEY_B, KEY_PRESSED);
}

static void
modifiers_are_pressed_before_the_keys_of_their_report(void **state)
{
	(void)state;
	report_init(&r);
	for (uint8_t i = 0; i < MODIFIERS; i++) {
		input((uint8_t)(1u << i), KEY_A, 0, 0, 0, 0, 0);
		assert_int_equal(nev, 2);
		expect(0, KEY_LCTRL + i, KEY_PRESSED);
		expect(1, KEY_A, KEY_PRESSED);
		input(0, 0, 0, 0, 0, 0, 0);
		assert_int_equal(nev, 2);
		expect(0, KEY_A, KEY_RELEASED);
		expect(1, KEY_LCTRL + i, KEY_RELEASED);
	}
}

static void
all_keys_may_change_at_once(void **state)
{
	(void)state;
	report_init(&r);
	input(0xff, KEY_A, KEY_B, KEY_C, KEY_D, KEY_E, KEY_F);
	assert_int_equal(nev, 14);
	input(0, KEY_G, KEY_H, KEY_I, KEY_J, KEY_K, KEY_L);
	assert_int_equal(nev, 20);
	input(0xff, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff);	/* of no page; still released */
	assert_int_equal(nev, 20);
	input(0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(nev, 14);
}

static void
too_many_keys_leave_keys_as_they_were_but_not_modifiers(void **state)
{
	(void)state;
	for (uint8_t error = 1; error <= 3; error++) {
		report_init(&r);
		input(0x01, KEY_A, KEY_B, 0, 0, 0, 0);
		input(0x02, error, error, error, error, error, error);
		assert_int_equal(nev, 2);
		expect(0, KEY_LCTRL, KEY_RELEASED);
		expect(1, KEY_LSHIFT, KEY_PRESSED);
		input(0x02, KEY_C, 0, 0, 0, 0, error);	/* one is enough */
		assert_int_equal(nev, 0);
		input(0, KEY_B, 0, 0, 0, 0, 0);
		assert_int_equal(nev, 2);
		expect(0, KEY_A, KEY_RELEASED);
		expect(1, KEY_LSHIFT, KEY_RELEASED);
	}
}

static void
a_key_that_is_listed_twice_is_one_key(void **state)
{
	(void)state;
	report_init(&r);
	input(0, KEY_A, KEY_A, 0, 0, 0, KEY_A);
	assert_int_equal(nev, 1);
	input(0, 0, KEY_A, 0, 0, 0, 0);
	assert_int_equal(nev, 0);
	input(0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(nev, 1);
	expect(0, KEY_A, KEY_RELEASED);
}

static void
a_modifier_has_its_bit_and_nothing_else(void **state)
{
	(void)state;
	report_init(&r);
	input(0, KEY_LSHIFT, KEY_RGUI, 0, 0, 0, 0);
	assert_int_equal(nev, 0);
}

static void
short_reports_are_refused_and_long_ones_cut(void **state)
{
	uint8_t data[2 * REPORT_BYTES];
	struct report before;

	(void)state;
	report_init(&r);
	input(0x02, KEY_A, 0, 0, 0, 0, 0);
	before = r;
	for (size_t len = 0; len < REPORT_BYTES; len++) {
		uint8_t *copy = malloc(len + 1);	/* so that a sanitizer sees its end */

		memset(copy, KEY_B, len);
		nev = 99;
		assert_false(report_input(&r, copy, len, ev, &nev));
		assert_int_equal(nev, 99);
		assert_memory_equal(&r, &before, sizeof r);
		free(copy);
	}
	memset(data, 0, REPORT_BYTES);
	memset(data + REPORT_BYTES, KEY_B, REPORT_BYTES);
	assert_true(report_input(&r, data, sizeof data, ev, &nev));
	assert_int_equal(nev, 2);
}

static size_t
count(const struct key_set *ks)
{
	size_t n = 0;

	for (size_t i = 0; i < 4; i++)
		n += (size_t)__builtin_popcountll(ks->ks_bits[i]);
	return n;
}

static void
any_reports_make_events_that_fit_together(void **state)
{
	struct key_set down = { { 0 } };
	uint64_t rng = 1;

	(void)state;
	report_init(&r);
	for (int i = 0; i < RANDOM_REPORTS; i++) {
		uint8_t b[REPORT_BYTES];
		bool all_up = i % 64 == 63;

		for (size_t j = 0; j < sizeof b; j++) {
			rng = rng * 6364136223846793005ull + 1442695040888963407ull;
			b[j] = all_up ? 0 : (uint8_t)(rng >> 33) >> (i % 5);
		}
		assert_true(report_input(&r, b, sizeof b, ev, &nev));
		for (size_t j = 0; j < nev; j++) {
			assert_int_equal(key_set_has(&down, ev[j].ke_key),
			    ev[j].ke_act == KEY_RELEASED);
			if (ev[j].ke_act == KEY_RELEASED)
				key_set_del(&down, ev[j].ke_key);
			else
				key_set_add(&down, ev[j].ke_key);
		}
		assert_memory_equal(&down, &r.rp_down, sizeof down);
		assert_false(key_set_has(&down, KEY_NONE));
		assert_in_range(count(&down), 0, all_up ? 0 : MODIFIERS + REPORT_KEYS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_the_difference_to_the_last_report),
		cmocka_unit_test(keys_are_pressed_in_the_order_of_the_report),
		cmocka_unit_test(modifiers_are_pressed_before_the_keys_of_their_report),
		cmocka_unit_test(all_keys_may_change_at_once),
		cmocka_unit_test(too_many_keys_leave_keys_as_they_were_but_not_modifiers),
		cmocka_unit_test(a_key_that_is_listed_twice_is_one_key),
		cmocka_unit_test(a_modifier_has_its_bit_and_nothing_else),
		cmocka_unit_test(short_reports_are_refused_and_long_ones_cut),
		cmocka_unit_test(any_reports_make_events_that_fit_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
