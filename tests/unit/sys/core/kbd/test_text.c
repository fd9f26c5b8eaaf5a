/* SPDX-License-Identifier: BSD-2-Clause */
/* test_text - what a terminal gets for each key, against tables written out; and auto-repeat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../../../../sys/core/kbd/text.c"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define SECOND_NS	1000000000ull
#define RANDOM_EVENTS	200000

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	print_error("%s:%d: %s\n", file, line, what);
	abort();
}

/* Usage, character, with Shift. */
static const struct {
	uint8_t	usage;
	char	c, shifted;
} us[] = {
	{ 0x04, 'a', 'A' }, { 0x05, 'b', 'B' }, { 0x06, 'c', 'C' }, { 0x07, 'd', 'D' },
	{ 0x08, 'e', 'E' }, { 0x09, 'f', 'F' }, { 0x0a, 'g', 'G' }, { 0x0b, 'h', 'H' },
	{ 0x0c, 'i', 'I' }, { 0x0d, 'j', 'J' }, { 0x0e, 'k', 'K' }, { 0x0f, 'l', 'L' },
	{ 0x10, 'm', 'M' }, { 0x11, 'n', 'N' }, { 0x12, 'o', 'O' }, { 0x13, 'p', 'P' },
	{ 0x14, 'q', 'Q' }, { 0x15, 'r', 'R' }, { 0x16, 's', 'S' }, { 0x17, 't', 'T' },
	{ 0x18, 'u', 'U' }, { 0x19, 'v', 'V' }, { 0x1a, 'w', 'W' }, { 0x1b, 'x', 'X' },
	{ 0x1c, 'y', 'Y' }, { 0x1d, 'z', 'Z' },
	{ 0x1e, '1', '!' }, { 0x1f, '2', '@' }, { 0x20, '3', '#' }, { 0x21, '4', '$' },
	{ 0x22, '5', '%' }, { 0x23, '6', '^' }, { 0x24, '7', '&' }, { 0x25, '8', '*' },
	{ 0x26, '9', '(' }, { 0x27, '0', ')' },
	{ 0x28, 13, 13 }, { 0x29, 27, 27 }, { 0x2a, 127, 127 }, { 0x2c, ' ', ' ' },
	{ 0x2d, '-', '_' }, { 0x2e, '=', '+' }, { 0x2f, '[', '{' }, { 0x30, ']', '}' },
	{ 0x31, '\\', '|' }, { 0x32, '\\', '|' }, { 0x33, ';', ':' }, { 0x34, '\'', '"' },
	{ 0x35, '`', '~' }, { 0x36, ',', '<' }, { 0x37, '.', '>' }, { 0x38, '/', '?' },
	{ 0x64, '<', '>' },
	{ 0x54, '/', '/' }, { 0x55, '*', '*' }, { 0x56, '-', '-' }, { 0x57, '+', '+' },
	{ 0x58, 13, 13 },
};

/* Of terminfo's entry for linux. */
static const struct {
	uint8_t	usage;
	const char *bytes;
} named[] = {
	{ 0x3a, "\33[[A" }, { 0x3b, "\33[[B" }, { 0x3c, "\33[[C" }, { 0x3d, "\33[[D" },
	{ 0x3e, "\33[[E" }, { 0x3f, "\33[17~" }, { 0x40, "\33[18~" }, { 0x41, "\33[19~" },
	{ 0x42, "\33[20~" }, { 0x43, "\33[21~" }, { 0x44, "\33[23~" }, { 0x45, "\33[24~" },
	{ 0x48, "\33[P" }, { 0x49, "\33[2~" }, { 0x4a, "\33[1~" }, { 0x4b, "\33[5~" },
	{ 0x4c, "\33[3~" }, { 0x4d, "\33[4~" }, { 0x4e, "\33[6~" }, { 0x4f, "\33[C" },
	{ 0x50, "\33[D" }, { 0x51, "\33[B" }, { 0x52, "\33[A" }, { 0x2b, "\t" },
};

/* The keypad with Num Lock and without. */
static const struct {
	uint8_t	usage;
	char	digit;
	const char *bytes;
} pad[] = {
	{ 0x59, '1', "\33[4~" }, { 0x5a, '2', "\33[B" }, { 0x5b, '3', "\33[6~" },
	{ 0x5c, '4', "\33[D" }, { 0x5d, '5', "\33[G" }, { 0x5e, '6', "\33[C" },
	{ 0x5f, '7', "\33[1~" }, { 0x60, '8', "\33[A" }, { 0x61, '9', "\33[5~" },
	{ 0x62, '0', "\33[2~" }, { 0x63, '.', "\33[3~" },
};

static struct text t;
static struct text_bytes out;

static enum text_what
move(uint8_t key, enum key_act act)
{
	return text_key(&t, (struct key_event){ key, act }, &out);
}

static void
hold(uint8_t key)
{
	assert_int_equal(move(key, KEY_PRESSED), TEXT_NOTHING);
}

static void
let_go(uint8_t key)
{
	assert_int_equal(move(key, KEY_RELEASED), TEXT_NOTHING);
}

static void
expect_bytes(uint8_t key, const char *bytes, size_t n)
{
	static const enum key_act acts[] = { KEY_PRESSED, KEY_REPEATED };

	for (size_t i = 0; i < COUNT(acts); i++) {
		assert_int_equal(move(key, acts[i]), TEXT_BYTES);
		assert_int_equal(out.tb_len, n);
		assert_memory_equal(out.tb_byte, bytes, n);
	}
	let_go(key);
}

static void expect_char(uint8_t key, char c) { expect_bytes(key, &c, 1); }
static void expect_text(uint8_t key, const char *s) { expect_bytes(key, s, strlen(s)); }

static int
fresh(void **state)
{
	(void)state;
	t = (struct text){ 0 };
	return 0;
}

static void
printable_keys_are_those_of_the_us_layout(void **state)
{
	static const uint8_t shift[] = { 0xe1, 0xe5 };

	(void)state;
	for (size_t i = 0; i < COUNT(us); i++)
		expect_char(us[i].usage, us[i].c);
	for (size_t s = 0; s < COUNT(shift); s++) {
		hold(shift[s]);
		for (size_t i = 0; i < COUNT(us); i++)
			expect_char(us[i].usage, us[i].shifted);
		let_go(shift[s]);
	}
	expect_char(KEY_A, 'a');
}

static void
one_shift_of_two_is_enough(void **state)
{
	(void)state;
	hold(KEY_LSHIFT);
	hold(KEY_RSHIFT);
	let_go(KEY_LSHIFT);
	expect_char(KEY_A, 'A');
	let_go(KEY_RSHIFT);
	expect_char(KEY_A, 'a');
}

static void
caps_lock_is_for_letters(void **state)
{
	(void)state;
	assert_int_equal(move(KEY_CAPS_LOCK, KEY_PRESSED), TEXT_LEDS);
	let_go(KEY_CAPS_LOCK);
	assert_int_equal(t.tx_leds, KEY_LED_CAPS);
	for (size_t i = 0; i < COUNT(us); i++)
		expect_char(us[i].usage, us[i].usage <= 0x1d ? us[i].shifted : us[i].c);
	hold(KEY_LSHIFT);
	for (size_t i = 0; i < COUNT(us); i++)
		expect_char(us[i].usage, us[i].usage <= 0x1d ? us[i].c : us[i].shifted);
}

static void
locks_toggle_when_pressed_and_not_when_repeated(void **state)
{
	static const uint8_t lock[][2] = {
		{ 0x53, KEY_LED_NUM }, { 0x39, KEY_LED_CAPS }, { 0x47, KEY_LED_SCROLL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lock); i++) {
		assert_int_equal(move(lock[i][0], KEY_PRESSED), TEXT_LEDS);
		assert_int_equal(t.tx_leds, lock[i][1]);
		assert_int_equal(move(lock[i][0], KEY_REPEATED), TEXT_NOTHING);
		let_go(lock[i][0]);
		assert_int_equal(t.tx_leds, lock[i][1]);
		assert_int_equal(move(lock[i][0], KEY_PRESSED), TEXT_LEDS);
		assert_int_equal(t.tx_leds, 0);
	}
}

static void
ctrl_makes_control_characters(void **state)
{
	static const uint8_t ctrl[] = { 0xe0, 0xe4 };
	static const struct { uint8_t usage; char c, shifted; } other[] = {
		{ 0x2c, 0, 0 }, { 0x1f, 0, 0 }, { 0x20, 27, '#' }, { 0x21, 28, '$' },
		{ 0x22, 29, '%' }, { 0x23, 30, 30 }, { 0x24, 31, '&' }, { 0x25, 127, '*' },
		{ 0x2d, 31, 31 }, { 0x2f, 27, 27 }, { 0x30, 29, 29 }, { 0x31, 28, 28 },
		{ 0x35, 0, 30 }, { 0x38, 31, 127 }, { 0x2a, 8, 8 }, { 0x28, 13, 13 },
		{ 0x29, 27, 27 }, { 0x1e, '1', '!' }, { 0x27, '0', ')' }, { 0x36, ',', '<' },
	};

	(void)state;
	for (size_t k = 0; k < COUNT(ctrl); k++) {
		hold(ctrl[k]);
		for (uint8_t i = 0; i < 26; i++)
			expect_char(0x04 + i, (char)(i + 1));
		for (size_t i = 0; i < COUNT(other); i++)
			expect_char(other[i].usage, other[i].c);
		expect_char(KEY_TAB, '\t');
		hold(KEY_LSHIFT);
		for (uint8_t i = 0; i < 26; i++)
			expect_char(0x04 + i, (char)(i + 1));
		for (size_t i = 0; i < COUNT(other); i++)
			expect_char(other[i].usage, other[i].shifted);
		let_go(KEY_LSHIFT);
		let_go(ctrl[k]);
	}
}

static void
alt_puts_escape_before(void **state)
{
	static const uint8_t alt[] = { 0xe2, 0xe6 };
	char buf[8] = "\33";

	(void)state;
	for (size_t k = 0; k < COUNT(alt); k++) {
		hold(alt[k]);
		for (size_t i = 0; i < COUNT(us); i++)
			expect_bytes(us[i].usage, (const char[]){ 27, us[i].c }, 2);
		for (size_t i = 0; i < COUNT(named); i++) {
			strcpy(buf + 1, named[i].bytes);
			expect_text(named[i].usage, buf);
		}
		hold(KEY_LCTRL);
		expect_bytes(KEY_SPACE, "\33\0", 2);
		let_go(KEY_LCTRL);
		let_go(alt[k]);
	}
}

static void
named_keys_are_those_of_terminfo(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(named); i++)
		expect_text(named[i].usage, named[i].bytes);
	hold(KEY_LSHIFT);
	expect_text(KEY_TAB, "\33\t");
}

static void
cursor_keys_have_an_application_mode(void **state)
{
	(void)state;
	t.tx_app_cursor = true;
	expect_text(KEY_UP, "\33OA");
	expect_text(KEY_DOWN, "\33OB");
	expect_text(KEY_RIGHT, "\33OC");
	expect_text(KEY_LEFT, "\33OD");
	expect_text(KEY_KP_8, "\33OA");
	expect_text(KEY_HOME, "\33[1~");
	expect_text(KEY_F1, "\33[[A");
}

static void
num_lock_is_for_the_keypad(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pad); i++)
		expect_text(pad[i].usage, pad[i].bytes);
	assert_int_equal(move(KEY_NUM_LOCK, KEY_PRESSED), TEXT_LEDS);
	for (size_t i = 0; i < COUNT(pad); i++)
		expect_char(pad[i].usage, pad[i].digit);
	for (size_t i = 0; i < COUNT(named); i++)
		expect_text(named[i].usage, named[i].bytes);
}

static void
other_keys_say_nothing(void **state)
{
	(void)state;
	for (unsigned int key = 0; key <= UINT8_MAX; key++) {
		bool known = lock_of((uint8_t)key) != 0;

		for (size_t i = 0; i < COUNT(us); i++)
			known = known || us[i].usage == key;
		for (size_t i = 0; i < COUNT(named); i++)
			known = known || named[i].usage == key;
		for (size_t i = 0; i < COUNT(pad); i++)
			known = known || pad[i].usage == key;
		assert_int_equal(move((uint8_t)key, KEY_PRESSED) != TEXT_NOTHING, known);
		let_go((uint8_t)key);
	}
}

static void
ctrl_alt_del_is_told_once(void **state)
{
	static const uint8_t del[] = { KEY_DELETE, KEY_KP_DOT };

	(void)state;
	hold(KEY_RCTRL);
	expect_text(KEY_DELETE, "\33[3~");
	hold(KEY_LALT);
	for (size_t i = 0; i < COUNT(del); i++) {
		assert_int_equal(move(del[i], KEY_PRESSED), TEXT_CTRL_ALT_DEL);
		assert_int_equal(move(del[i], KEY_REPEATED), TEXT_NOTHING);
		let_go(del[i]);
	}
	let_go(KEY_RCTRL);
	expect_text(KEY_DELETE, "\33\33[3~");
	hold(KEY_RCTRL);
	assert_int_equal(move(KEY_NUM_LOCK, KEY_PRESSED), TEXT_LEDS);
	expect_text(KEY_KP_DOT, "\33.");
}

static void
shift_with_page_keys_scrolls(void **state)
{
	(void)state;
	hold(KEY_RSHIFT);
	assert_int_equal(move(KEY_PAGE_UP, KEY_PRESSED), TEXT_SCROLL_UP);
	assert_int_equal(move(KEY_PAGE_UP, KEY_REPEATED), TEXT_SCROLL_UP);
	assert_int_equal(move(KEY_PAGE_DOWN, KEY_PRESSED), TEXT_SCROLL_DOWN);
	assert_int_equal(move(KEY_KP_9, KEY_PRESSED), TEXT_SCROLL_UP);
	assert_int_equal(move(KEY_KP_3, KEY_PRESSED), TEXT_SCROLL_DOWN);
}

static void
all_keys_up_means_modifiers_but_not_locks(void **state)
{
	(void)state;
	t.tx_leds = KEY_LED_CAPS;
	for (uint8_t key = KEY_LCTRL; key <= KEY_RGUI; key++)
		hold(key);
	assert_int_equal(t.tx_modifiers, 0xff);
	let_go(KEY_NONE);
	assert_int_equal(t.tx_modifiers, 0);
	expect_char(KEY_A, 'A');
}

static void
any_events_stay_within_bounds(void **state)
{
	uint64_t rng = 1;

	(void)state;
	for (int i = 0; i < RANDOM_EVENTS; i++) {
		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		t.tx_app_cursor = (rng >> 60 & 1) != 0;
		out.tb_len = 0xff;
		if (move((uint8_t)(rng >> 33), (enum key_act)((rng >> 45) % 3)) == TEXT_BYTES)
			assert_in_range(out.tb_len, 1, TEXT_BYTES_MAX);
		assert_in_range(t.tx_leds, 0, 7);
	}
}

/* -------------------------------------------------------------- repeating -- */

static struct text_repeat r;

static void
at(uint64_t ns, uint8_t key, enum key_act act)
{
	text_repeat_key(&r, (struct key_event){ key, act }, ns);
}

static void
expect_repeat(uint64_t ns, uint8_t key)
{
	struct key_event ev = { 0 };

	assert_false(text_repeat_due(&r, ns - 1, &ev));
	assert_int_equal(r.tr_due_ns, ns);
	assert_true(text_repeat_due(&r, ns, &ev));
	assert_int_equal(ev.ke_key, key);
	assert_int_equal(ev.ke_act, KEY_REPEATED);
	assert_false(text_repeat_due(&r, ns, &ev));
}

static void
expect_no_repeat(void)
{
	struct key_event ev;

	assert_int_equal(r.tr_due_ns, TEXT_REPEAT_NEVER);
	assert_false(text_repeat_due(&r, UINT64_MAX, &ev));
}

static void
a_held_key_repeats_after_a_while_thirty_times_a_second(void **state)
{
	struct key_event ev;
	int n = 0;

	(void)state;
	text_repeat_init(&r);
	expect_no_repeat();
	at(1000, KEY_A, KEY_PRESSED);
	expect_repeat(1000 + 250000000, KEY_A);
	expect_repeat(1000 + 250000000 + 33333333, KEY_A);
	at(300000000, KEY_A, KEY_REPEATED);		/* what comes out may go in */
	expect_repeat(1000 + 250000000 + 2 * 33333333, KEY_A);
	at(400000000, KEY_A, KEY_RELEASED);
	expect_no_repeat();

	at(0, KEY_A, KEY_PRESSED);
	for (uint64_t ns = 0; ns < SECOND_NS + 250000000; ns += 1000000)
		n += text_repeat_due(&r, ns, &ev);
	assert_int_equal(n, 30);
}

static void
the_last_key_repeats(void **state)
{
	(void)state;
	text_repeat_init(&r);
	at(0, KEY_A, KEY_PRESSED);
	at(100, KEY_B, KEY_PRESSED);
	at(200, KEY_A, KEY_RELEASED);
	expect_repeat(100 + 250000000, KEY_B);
	at(300000000, KEY_LSHIFT, KEY_PRESSED);
	expect_no_repeat();
	at(0, KEY_A, KEY_PRESSED);
	at(1, KEY_NONE, KEY_RELEASED);
	expect_no_repeat();
}

static void
modifiers_and_locks_do_not_repeat(void **state)
{
	(void)state;
	text_repeat_init(&r);
	for (unsigned int key = 1; key <= UINT8_MAX; key++) {
		bool lock = key == 0x53 || key == 0x39 || key == 0x47;
		bool silent = lock || (key >= 0xe0 && key <= 0xe7);

		at(0, (uint8_t)key, KEY_PRESSED);
		assert_int_equal(r.tr_due_ns == TEXT_REPEAT_NEVER, silent);
	}
}

/* A machine that stood still heard as little of the release as of the time. */
static void
a_late_caller_asks_twice_for_one_repeat(void **state)
{
	struct key_event ev;

	(void)state;
	text_repeat_init(&r);
	at(0, KEY_A, KEY_PRESSED);
	assert_true(text_repeat_due(&r, 250000000 + 4999999, &ev));
	assert_false(text_repeat_due(&r, 5 * SECOND_NS, &ev));
	assert_true(text_repeat_due(&r, 6 * SECOND_NS, &ev));	/* late again: it is held, all the same */
	assert_false(text_repeat_due(&r, 7 * SECOND_NS, &ev));
	expect_repeat(7 * SECOND_NS + 33333333, KEY_A);
	assert_false(text_repeat_due(&r, 8 * SECOND_NS, &ev));
	at(8 * SECOND_NS, KEY_A, KEY_RELEASED);
	expect_no_repeat();
	at(8 * SECOND_NS, KEY_B, KEY_PRESSED);
	assert_false(text_repeat_due(&r, 9 * SECOND_NS, &ev));
}

static void
the_end_of_time_is_not_passed(void **state)
{
	struct key_event ev;

	(void)state;
	text_repeat_init(&r);
	at(UINT64_MAX - 5, KEY_A, KEY_PRESSED);
	expect_no_repeat();
	at(UINT64_MAX - 250000005, KEY_A, KEY_PRESSED);
	assert_true(text_repeat_due(&r, UINT64_MAX - 5, &ev));
	expect_no_repeat();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(printable_keys_are_those_of_the_us_layout, fresh),
		cmocka_unit_test_setup(one_shift_of_two_is_enough, fresh),
		cmocka_unit_test_setup(caps_lock_is_for_letters, fresh),
		cmocka_unit_test_setup(locks_toggle_when_pressed_and_not_when_repeated, fresh),
		cmocka_unit_test_setup(ctrl_makes_control_characters, fresh),
		cmocka_unit_test_setup(alt_puts_escape_before, fresh),
		cmocka_unit_test_setup(named_keys_are_those_of_terminfo, fresh),
		cmocka_unit_test_setup(cursor_keys_have_an_application_mode, fresh),
		cmocka_unit_test_setup(num_lock_is_for_the_keypad, fresh),
		cmocka_unit_test_setup(other_keys_say_nothing, fresh),
		cmocka_unit_test_setup(ctrl_alt_del_is_told_once, fresh),
		cmocka_unit_test_setup(shift_with_page_keys_scrolls, fresh),
		cmocka_unit_test_setup(all_keys_up_means_modifiers_but_not_locks, fresh),
		cmocka_unit_test_setup(any_events_stay_within_bounds, fresh),
		cmocka_unit_test(a_held_key_repeats_after_a_while_thirty_times_a_second),
		cmocka_unit_test(the_last_key_repeats),
		cmocka_unit_test(modifiers_and_locks_do_not_repeat),
		cmocka_unit_test(a_late_caller_asks_twice_for_one_repeat),
		cmocka_unit_test(the_end_of_time_is_not_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
