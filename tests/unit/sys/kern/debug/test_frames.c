/* SPDX-License-Identifier: BSD-2-Clause */
/* test_frames - a walk ends with the stack, whatever lies on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../../../sys/kern/debug/frames.c"

#define WORDS	16u

/* Frames at words 2, 6 and 10; the last one's caller is nobody. */
static uint64_t stack[WORDS];

static uint64_t
at(uint32_t word)
{
	return (uint64_t)&stack[word];
}

static int
before(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WORDS; i++)
		stack[i] = 0xdead;
	stack[2] = at(6);
	stack[3] = 0x101;
	stack[6] = at(10);
	stack[7] = 0x102;
	stack[10] = 0;
	stack[11] = 0x103;
	return 0;
}

/* How many frames from word `from` on, in the words [low, high). */
static uint32_t
walk(uint32_t from, uint32_t low, uint32_t high, uint32_t max)
{
	uint64_t pc[4] = { 0 };
	uint32_t n = frames_walk(at(from), at(low), at(high), pc, max);

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pc[i], i < n ? 0x100 + from / 4 + 1 + i : 0);
	return n;
}

static void
callers_come_innermost_first(void **state)
{
	(void)state;
	assert_int_equal(walk(2, 0, WORDS, 4), 3);
	assert_int_equal(walk(6, 0, WORDS, 4), 2);
	assert_int_equal(walk(2, 0, WORDS, 2), 2);
}

static void
nothing_outside_the_stack_is_read(void **state)
{
	(void)state;
	assert_int_equal(walk(2, 3, WORDS, 4), 0);
	assert_int_equal(walk(6, 0, 7, 4), 0);		/* half a frame */
	assert_int_equal(walk(2, 0, 11, 4), 2);
	assert_int_equal(walk(2, 0, 2, 4), 0);
	stack[6] = at(WORDS) + 1024;
	assert_int_equal(walk(2, 0, WORDS, 4), 2);
}

static void
a_damaged_frame_ends_it(void **state)
{
	(void)state;
	stack[6] = at(2);		/* a circle */
	assert_int_equal(walk(2, 0, WORDS, 4), 2);
	stack[6] = at(6);
	assert_int_equal(walk(2, 0, WORDS, 4), 2);
	stack[6] = at(10) + 1;
	assert_int_equal(walk(2, 0, WORDS, 4), 2);
	stack[7] = 0;			/* no return address */
	assert_int_equal(walk(2, 0, WORDS, 4), 1);
	assert_int_equal(frames_walk(UINT64_MAX - 7, 0, UINT64_MAX, stack, 4), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(callers_come_innermost_first, before),
		cmocka_unit_test_setup(nothing_outside_the_stack_is_read, before),
		cmocka_unit_test_setup(a_damaged_frame_ends_it, before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
