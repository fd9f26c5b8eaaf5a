/* SPDX-License-Identifier: BSD-2-Clause */
/* test_word - arguments are found by their whole name, one after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../../../sys/core/rt/word.c"

static void
words_are_found_in_their_order(void **state)
{
	const char *words = "xa=0 a=1 ab=2  a a=3", *value;
	size_t len;

	(void)state;
	assert_true(rt_word(&words, "a", &value, &len) && len == 1 && *value == '1');
	assert_true(rt_word(&words, "a", &value, &len) && len == 0);
	assert_true(rt_word(&words, "a", &value, &len) && len == 1 && *value == '3');
	assert_false(rt_word(&words, "a", &value, &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_found_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
