/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_scan - PS/2 scan codes, against the table in Microsoft's "Keyboard Scan
 * Code Specification"; and all kinds of keyboard against each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../../../../sys/core/kbd/scan.c"
#include "../../../../../sys/core/kbd/report.c"
#include "../../../../../sys/core/kbd/text.c"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define RANDOM_BYTES	200000
#define WALKS		200
#define WALK_STEPS	400
#define TYPED_MAX	8192

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	print_error("%s:%d: %s\n", file, line, what);
	abort();
}

/* Usage, set 1, set 2; E0 in the upper byte.  Pause is not a single code. */
static const struct code {
	uint8_t		usage;
	uint16_t	code[2];
} code[] = {
	{ 0x04, { 0x1e, 0x1c } }, { 0x05, { 0x30, 0x32 } }, { 0x06, { 0x2e, 0x21 } },
	{ 0x07, { 0x20, 0x23 } }, { 0x08, { 0x12, 0x24 } }, { 0x09, { 0x21, 0x2b } },
	{ 0x0a, { 0x22, 0x34 } }, { 0x0b, { 0x23, 0x33 } }, { 0x0c, { 0x17, 0x43 } },
	{ 0x0d, { 0x24, 0x3b } }, { 0x0e, { 0x25, 0x42 } }, { 0x0f, { 0x26, 0x4b } },
	{ 0x10, { 0x32, 0x3a } }, { 0x11, { 0x31, 0x31 } }, { 0x12, { 0x18, 0x44 } },
	{ 0x13, { 0x19, 0x4d } }, { 0x14, { 0x10, 0x15 } }, { 0x15, { 0x13, 0x2d } },
	{ 0x16, { 0x1f, 0x1b } }, { 0x17, { 0x14, 0x2c } }, { 0x18, { 0x16, 0x3c } },
	{ 0x19, { 0x2f, 0x2a } }, { 0x1a, { 0x11, 0x1d } }, { 0x1b, { 0x2d, 0x22 } },
	{ 0x1c, { 0x15, 0x35 } }, { 0x1d, { 0x2c, 0x1a } }, { 0x1e, { 0x02, 0x16 } },
	{ 0x1f, { 0x03, 0x1e } }, { 0x20, { 0x04, 0x26 } }, { 0x21, { 0x05, 0x25 } },
	{ 0x22, { 0x06, 0x2e } }, { 0x23, { 0x07, 0x36 } }, { 0x24, { 0x08, 0x3d } },
	{ 0x25, { 0x09, 0x3e } }, { 0x26, { 0x0a, 0x46 } }, { 0x27, { 0x0b, 0x45 } },
	{ 0x28, { 0x1c, 0x5a } }, { 0x29, { 0x01, 0x76 } }, { 0x2a, { 0x0e, 0x66 } },
	{ 0x2b, { 0x0f, 0x0d } }, { 0x2c, { 0x39, 0x29 } }, { 0x2d, { 0x0c, 0x4e } },
	{ 0x2e, { 0x0d, 0x55 } }, { 0x2f, { 0x1a, 0x54 } }, { 0x30, { 0x1b, 0x5b } },
	{ 0x31, { 0x2b, 0x5d } }, { 0x33, { 0x27, 0x4c } }, { 0x34, { 0x28, 0x52 } },
	{ 0x35, { 0x29, 0x0e } }, { 0x36, { 0x33, 0x41 } }, { 0x37, { 0x34, 0x49 } },
	{ 0x38, { 0x35, 0x4a } }, { 0x39, { 0x3a, 0x58 } }, { 0x3a, { 0x3b, 0x05 } },
	{ 0x3b, { 0x3c, 0x06 } }, { 0x3c, { 0x3d, 0x04 } }, { 0x3d, { 0x3e, 0x0c } },
	{ 0x3e, { 0x3f, 0x03 } }, { 0x3f, { 0x40, 0x0b } }, { 0x40, { 0x41, 0x83 } },
	{ 0x41, { 0x42, 0x0a } }, { 0x42, { 0x43, 0x01 } }, { 0x43, { 0x44, 0x09 } },
	{ 0x44, { 0x57, 0x78 } }, { 0x45, { 0x58, 0x07 } }, { 0x46, { 0xe037, 0xe07c } },
	{ 0x47, { 0x46, 0x7e } }, { 0x49, { 0xe052, 0xe070 } }, { 0x4a, { 0xe047, 0xe06c } },
	{ 0x4b, { 0xe049, 0xe07d } }, { 0x4c, { 0xe053, 0xe071 } }, { 0x4d, { 0xe04f, 0xe069 } },
	{ 0x4e, { 0xe051, 0xe07a } }, { 0x4f, { 0xe04d, 0xe074 } }, { 0x50, { 0xe04b, 0xe06b } },
	{ 0x51, { 0xe050, 0xe072 } }, { 0x52, { 0xe048, 0xe075 } }, { 0x53, { 0x45, 0x77 } },
	{ 0x54, { 0xe035, 0xe04a } }, { 0x55, { 0x37, 0x7c } }, { 0x56, { 0x4a, 0x7b } },
	{ 0x57, { 0x4e, 0x79 } }, { 0x58, { 0xe01c, 0xe05a } }, { 0x59, { 0x4f, 0x69 } },
	{ 0x5a, { 0x50, 0x72 } }, { 0x5b, { 0x51, 0x7a } }, { 0x5c, { 0x4b, 0x6b } },
	{ 0x5d, { 0x4c, 0x73 } }, { 0x5e, { 0x4d, 0x74 } }, { 0x5f, { 0x47, 0x6c } },
	{ 0x60, { 0x48, 0x75 } }, { 0x61, { 0x49, 0x7d } }, { 0x62, { 0x52, 0x70 } },
	{ 0x63, { 0x53, 0x71 } }, { 0x64, { 0x56, 0x61 } }, { 0x65, { 0xe05d, 0xe02f } },
	{ 0x66, { 0xe05e, 0xe037 } }, { 0x67, { 0x59, 0x0f } }, { 0x68, { 0x64, 0x08 } },
	{ 0x69, { 0x65, 0x10 } }, { 0x6a, { 0x66, 0x18 } }, { 0x6b, { 0x67, 0x20 } },
	{ 0x6c, { 0x68, 0x28 } }, { 0x6d, { 0x69, 0x30 } }, { 0x6e, { 0x6a, 0x38 } },
	{ 0x6f, { 0x6b, 0x40 } }, { 0x70, { 0x6c, 0x48 } }, { 0x71, { 0x6d, 0x50 } },
	{ 0x72, { 0x6e, 0x57 } }, { 0x73, { 0x76, 0x5f } }, { 0x7f, { 0xe020, 0xe023 } },
	{ 0x80, { 0xe030, 0xe032 } }, { 0x81, { 0xe02e, 0xe021 } }, { 0x85, { 0x7e, 0x6d } },
	{ 0x87, { 0x73, 0x51 } }, { 0x88, { 0x70, 0x13 } }, { 0x89, { 0x7d, 0x6a } },
	{ 0x8a, { 0x79, 0x64 } }, { 0x8b, { 0x7b, 0x67 } }, { 0x8c, { 0x5c, 0x27 } },
	{ 0xe0, { 0x1d, 0x14 } }, { 0xe1, { 0x2a, 0x12 } }, { 0xe2, { 0x38, 0x11 } },
	{ 0xe3, { 0xe05b, 0xe01f } }, { 0xe4, { 0xe01d, 0xe014 } }, { 0xe5, { 0x36, 0x59 } },
	{ 0xe6, { 0xe038, 0xe011 } }, { 0xe7, { 0xe05c, 0xe027 } },
};

static const uint8_t pause1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
static const uint8_t pause2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };

static uint64_t rng;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

/* The bytes of a key's code. */
static size_t
encode(enum scan_set set, uint16_t c, bool release, uint8_t *out)
{
	size_t n = 0;

	if (c >> 8 != 0)
		out[n++] = (uint8_t)(c >> 8);
	if (release && set == SCAN_SET2)
		out[n++] = 0xf0;
	out[n++] = (uint8_t)((c & 0xff) | (release && set == SCAN_SET1 ? 0x80 : 0));
	return n;
}

/* Only the last byte of these says something; what it says. */
static enum scan_what
feed(struct scan *s, const uint8_t *b, size_t n, struct key_event *ev)
{
	for (; n > 1; b++, n--)
		assert_int_equal(scan_byte(s, *b, ev), SCAN_NOTHING);
	return scan_byte(s, *b, ev);
}

static void
expect(struct scan *s, const uint8_t *b, size_t n, uint8_t usage, enum key_act act)
{
	struct key_event ev = { 0 };

	assert_int_equal(feed(s, b, n, &ev), SCAN_KEY);
	assert_int_equal(ev.ke_key, usage);
	assert_int_equal(ev.ke_act, act);
}
#define EXPECT(s, usage, act, ...) \
	expect(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof (uint8_t[]){ __VA_ARGS__ }, usage, act)

static void
expect_silence(struct scan *s, const uint8_t *b, size_t n)
{
	struct key_event ev;

	assert_int_equal(feed(s, b, n, &ev), SCAN_NOTHING);
}
#define EXPECT_SILENCE(s, ...) \
	expect_silence(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof (uint8_t[]){ __VA_ARGS__ })

static enum scan_what
one(struct scan *s, uint8_t byte)
{
	struct key_event ev;

	return scan_byte(s, byte, &ev);
}

static void
every_code_is_its_key(void **state)
{
	struct scan s;
	uint8_t b[4];

	(void)state;
	for (enum scan_set set = SCAN_SET1; set <= SCAN_SET2; set++)
		for (size_t i = 0; i < COUNT(code); i++) {
			uint16_t c = code[i].code[set];
			/* In set 1 a second release of these would be an answer. */
			bool both = set == SCAN_SET1 && (c == 0x2a || c == 0x7d || c == 0x7e);

			scan_init(&s, set);
			expect(&s, b, encode(set, c, false, b), code[i].usage, KEY_PRESSED);
			expect(&s, b, encode(set, c, false, b), code[i].usage, KEY_REPEATED);
			expect(&s, b, encode(set, c, true, b), code[i].usage, KEY_RELEASED);
			if (!both)
				expect_silence(&s, b, encode(set, c, true, b));
		}
}

static bool
in_table(enum scan_set set, uint16_t c)
{
	if (c == (set == SCAN_SET1 ? 0x54 : 0x84) || c == (set == SCAN_SET1 ? 0xe046 : 0xe07e))
		return true;		/* SysRq, Break */
	for (size_t i = 0; i < COUNT(code); i++)
		if (code[i].code[set] == c)
			return true;
	return false;
}

static void
no_other_code_is_a_key(void **state)
{
	static const uint16_t prefix[] = { 0, 0xe000 };
	struct key_event ev;
	struct scan s;
	uint8_t b[4];

	(void)state;
	for (enum scan_set set = SCAN_SET1; set <= SCAN_SET2; set++)
		for (size_t p = 0; p < COUNT(prefix); p++)
			for (uint16_t c = 1; c < (set == SCAN_SET1 ? 0x80 : 0xff); c++) {
				size_t n = encode(set, prefix[p] | c, false, b);

				scan_init(&s, set);
				assert_int_equal(feed(&s, b, n, &ev) == SCAN_KEY,
				    in_table(set, prefix[p] | c));
			}
}

static void
pause_is_pressed_and_released_at_once(void **state)
{
	struct scan s;

	(void)state;
	scan_init(&s, SCAN_SET1);
	expect(&s, pause1, 3, KEY_PAUSE, KEY_PRESSED);
	expect(&s, pause1 + 3, 3, KEY_PAUSE, KEY_RELEASED);
	EXPECT(&s, KEY_LCTRL, KEY_PRESSED, 0x1d);
	EXPECT(&s, KEY_PAUSE, KEY_PRESSED, 0xe0, 0x46);
	EXPECT(&s, KEY_PAUSE, KEY_RELEASED, 0xe0, 0xc6);

	scan_init(&s, SCAN_SET2);
	expect(&s, pause2, 3, KEY_PAUSE, KEY_PRESSED);
	expect(&s, pause2 + 3, 5, KEY_PAUSE, KEY_RELEASED);
	EXPECT(&s, KEY_PAUSE, KEY_PRESSED, 0xe0, 0x7e);
	EXPECT(&s, KEY_PAUSE, KEY_RELEASED, 0xe0, 0xf0, 0x7e);
	EXPECT_SILENCE(&s, 0xe1, 0x14, 0x1c);		/* not Pause, and not A */
	EXPECT_SILENCE(&s, 0xe1, 0x1c);
	EXPECT(&s, KEY_A, KEY_PRESSED, 0x1c);
}

static void
shifts_that_the_keyboard_makes_up_are_not_pressed(void **state)
{
	struct scan s;

	(void)state;
	scan_init(&s, SCAN_SET1);
	EXPECT_SILENCE(&s, 0xe0, 0x2a);
	EXPECT(&s, KEY_PRINT, KEY_PRESSED, 0xe0, 0x37);
	EXPECT(&s, KEY_PRINT, KEY_RELEASED, 0xe0, 0xb7);
	EXPECT_SILENCE(&s, 0xe0, 0xaa);
	EXPECT(&s, KEY_PRINT, KEY_PRESSED, 0x54);
	EXPECT(&s, KEY_PRINT, KEY_RELEASED, 0xd4);
	EXPECT(&s, KEY_LSHIFT, KEY_PRESSED, 0x2a);
	EXPECT_SILENCE(&s, 0xe0, 0xaa);
	EXPECT(&s, KEY_UP, KEY_PRESSED, 0xe0, 0x48);
	EXPECT(&s, KEY_UP, KEY_RELEASED, 0xe0, 0xc8);
	EXPECT_SILENCE(&s, 0xe0, 0x2a);
	EXPECT(&s, KEY_LSHIFT, KEY_RELEASED, 0xaa);

	scan_init(&s, SCAN_SET2);
	EXPECT_SILENCE(&s, 0xe0, 0x12);
	EXPECT(&s, KEY_PRINT, KEY_PRESSED, 0xe0, 0x7c);
	EXPECT(&s, KEY_PRINT, KEY_RELEASED, 0xe0, 0xf0, 0x7c);
	EXPECT_SILENCE(&s, 0xe0, 0xf0, 0x12);
	EXPECT_SILENCE(&s, 0xe0, 0x59);
	EXPECT(&s, KEY_PRINT, KEY_PRESSED, 0x84);
	EXPECT(&s, KEY_PRINT, KEY_RELEASED, 0xf0, 0x84);
}

static void
answers_are_not_keys(void **state)
{
	struct key_event ev = { KEY_A, KEY_PRESSED };
	struct scan s;

	(void)state;
	for (enum scan_set set = SCAN_SET1; set <= SCAN_SET2; set++) {
		scan_init(&s, set);
		assert_int_equal(one(&s, 0xfa), SCAN_ACK);
		assert_int_equal(one(&s, 0xfe), SCAN_RESEND);
		assert_int_equal(one(&s, 0xfc), SCAN_BAT_FAILED);
		assert_int_equal(one(&s, 0xfd), SCAN_BAT_FAILED);
		assert_int_equal(scan_byte(&s, 0xaa, &ev), SCAN_BAT_OK);
		assert_int_equal(ev.ke_key, KEY_NONE);
		assert_int_equal(ev.ke_act, KEY_RELEASED);
	}
}

static void
an_answer_amid_a_code_leaves_the_code_whole(void **state)
{
	struct scan s;

	(void)state;
	scan_init(&s, SCAN_SET1);
	EXPECT_SILENCE(&s, 0xe0);
	assert_int_equal(one(&s, 0xfa), SCAN_ACK);
	EXPECT(&s, KEY_LEFT, KEY_PRESSED, 0x4b);
	scan_init(&s, SCAN_SET2);
	EXPECT(&s, KEY_LEFT, KEY_PRESSED, 0xe0, 0x6b);
	EXPECT_SILENCE(&s, 0xe0, 0xf0);
	assert_int_equal(one(&s, 0xfe), SCAN_RESEND);
	EXPECT(&s, KEY_LEFT, KEY_RELEASED, 0x6b);
}

static void
releases_in_set_1_that_look_like_answers_are_releases(void **state)
{
	struct scan s;

	(void)state;
	scan_init(&s, SCAN_SET1);
	EXPECT(&s, KEY_LSHIFT, KEY_PRESSED, 0x2a);
	EXPECT(&s, KEY_LSHIFT, KEY_RELEASED, 0xaa);
	assert_int_equal(one(&s, 0xaa), SCAN_BAT_OK);
	EXPECT(&s, KEY_INTL3, KEY_PRESSED, 0x7d);
	EXPECT(&s, KEY_INTL3, KEY_RELEASED, 0xfd);
	EXPECT(&s, KEY_KP_COMMA, KEY_PRESSED, 0x7e);
	EXPECT(&s, KEY_KP_COMMA, KEY_RELEASED, 0xfe);
	assert_int_equal(one(&s, 0xfe), SCAN_RESEND);
}

static void
lost_codes_release_all_keys(void **state)
{
	static const uint8_t lost[] = { 0x00, 0xff };
	struct scan s;

	(void)state;
	for (size_t i = 0; i < COUNT(lost); i++) {
		scan_init(&s, SCAN_SET1);
		EXPECT(&s, KEY_LSHIFT, KEY_PRESSED, 0x2a);
		EXPECT(&s, KEY_A, KEY_PRESSED, 0x1e);
		EXPECT(&s, KEY_NONE, KEY_RELEASED, lost[i]);
		EXPECT_SILENCE(&s, 0x9e);			/* late: it is up already */
		EXPECT(&s, KEY_A, KEY_PRESSED, 0x1e);

		scan_init(&s, SCAN_SET2);
		EXPECT(&s, KEY_LEFT, KEY_PRESSED, 0xe0, 0x6b);
		EXPECT(&s, KEY_NONE, KEY_RELEASED, 0xe0, 0xf0, lost[i]);
		EXPECT(&s, KEY_KP_4, KEY_PRESSED, 0x6b);	/* no prefix is left over */
		EXPECT(&s, KEY_LEFT, KEY_PRESSED, 0xf0, 0xe0, 0x6b);	/* a release broke off */
	}
}

static void
lamps_are_in_the_order_of_command_ed(void **state)
{
	(void)state;
	assert_int_equal(scan_leds(0), 0);
	assert_int_equal(scan_leds(KEY_LED_SCROLL), 1);
	assert_int_equal(scan_leds(KEY_LED_NUM), 2);
	assert_int_equal(scan_leds(KEY_LED_CAPS), 4);
	assert_int_equal(scan_leds(0xff), 7);
}

/* Beside a scan: what its events say is down. */
static void
follow(struct key_set *down, const struct scan *s, struct key_event ev)
{
	if (ev.ke_key == KEY_NONE) {
		assert_int_equal(ev.ke_act, KEY_RELEASED);
		*down = (struct key_set){ { 0 } };
	} else if (ev.ke_act == KEY_RELEASED) {
		assert_true(key_set_has(down, ev.ke_key));
		key_set_del(down, ev.ke_key);
	} else {
		assert_int_equal(key_set_has(down, ev.ke_key), ev.ke_act == KEY_REPEATED);
		key_set_add(down, ev.ke_key);
	}
	assert_memory_equal(down, &s->sc_down, sizeof *down);
}

static void
any_bytes_make_events_that_fit_together(void **state)
{
	struct key_set down, none = { { 0 } };
	struct key_event ev;
	struct scan s;

	(void)state;
	for (enum scan_set set = SCAN_SET1; set <= SCAN_SET2; set++) {
		rng = 1 + set;
		down = none;
		scan_init(&s, set);
		for (int i = 0; i < RANDOM_BYTES; i++) {
			uint32_t r = rnd(300);
			uint8_t byte = r < 256 ? (uint8_t)r : r < 280 ? 0xe0 : 0xf0;
			enum scan_what what = scan_byte(&s, byte, &ev);

			if (what == SCAN_KEY || what == SCAN_BAT_OK || what == SCAN_BAT_FAILED)
				follow(&down, &s, ev);
			assert_true(s.sc_state <= AFTER_E1_1D);
			assert_true(set == SCAN_SET2 || !s.sc_release);
		}
		assert_int_equal(scan_byte(&s, 0x00, &ev), SCAN_KEY);
		follow(&down, &s, ev);
		assert_memory_equal(&s.sc_down, &none, sizeof none);
	}
}

/* ------------------------------------------------------- three keyboards -- */

/* What was typed on one keyboard. */
struct typed {
	struct scan	scan;
	struct report	report;
	struct text	text;
	size_t		n;
	uint8_t		b[TYPED_MAX];
};
enum { USB = 2, KEYBOARDS };
static struct typed typed[KEYBOARDS];

static void
type(struct typed *t, struct key_event ev)
{
	struct text_bytes out;
	enum text_what what = text_key(&t->text, ev, &out);

	assert_true(t->n + 1 + sizeof out.tb_byte <= sizeof t->b);
	t->b[t->n++] = (uint8_t)what;
	if (what == TEXT_NOTHING) {
		t->n--;
	} else if (what == TEXT_BYTES) {
		memcpy(t->b + t->n, out.tb_byte, out.tb_len);
		t->n += out.tb_len;
	}
}

static void
type_bytes(struct typed *t, const uint8_t *b, size_t n)
{
	struct key_event ev;

	for (; n > 0; b++, n--)
		if (scan_byte(&t->scan, *b, &ev) == SCAN_KEY)
			type(t, ev);
}

static void
type_ps2(struct typed *t, enum scan_set set, const struct code *c, bool release)
{
	static const uint16_t made_up[] = { 0xe02a, 0xe012 };
	uint8_t b[4];

	type_bytes(t, b, encode(set, c->code[set], release, b));
	if (c->code[set] >> 8 != 0 && rnd(2) == 0)
		type_bytes(t, b, encode(set, made_up[set], rnd(2) == 0, b));
}

static void
type_usb(struct typed *t, const struct key_set *down)
{
	struct key_event ev[REPORT_EVENTS];
	uint8_t b[REPORT_BYTES] = { 0 };
	size_t n = 2;

	for (uint8_t u = KEY_A; u < KEY_LCTRL; u++)
		if (key_set_has(down, u))
			b[n++] = u;
	for (uint8_t i = 0; i < 8; i++)
		b[0] |= (uint8_t)(key_set_has(down, KEY_LCTRL + i) << i);
	assert_true(report_input(&t->report, b, sizeof b, ev, &n));
	assert_true(n <= 1);
	if (n == 1)
		type(t, ev[0]);
}

static void
new_keyboards(void)
{
	memset(typed, 0, sizeof typed);
	scan_init(&typed[SCAN_SET1].scan, SCAN_SET1);
	scan_init(&typed[SCAN_SET2].scan, SCAN_SET2);
	report_init(&typed[USB].report);
}

static void
same_on_all(void)
{
	for (int i = 1; i < KEYBOARDS; i++) {
		assert_int_equal(typed[i].n, typed[0].n);
		assert_memory_equal(typed[i].b, typed[0].b, typed[0].n);
	}
}

static void
move(struct key_set *down, const struct code *c)
{
	bool release = key_set_has(down, c->usage);

	if (release)
		key_set_del(down, c->usage);
	else
		key_set_add(down, c->usage);
	type_ps2(&typed[SCAN_SET1], SCAN_SET1, c, release);
	type_ps2(&typed[SCAN_SET2], SCAN_SET2, c, release);
	type_usb(&typed[USB], down);
}

static const struct code *
find(uint8_t usage)
{
	for (size_t i = 0; i < COUNT(code); i++)
		if (code[i].usage == usage)
			return &code[i];
	fail();
	return NULL;
}

static void
a_sentence_is_the_same_on_all_keyboards(void **state)
{
	static const char said[] = "Hello, World!\r";
	static const struct { uint8_t usage; bool shift; } key[] = {
		{ 0x0b, true }, { 0x08, false }, { 0x0f, false }, { 0x0f, false }, { 0x12, false },
		{ 0x36, false }, { 0x2c, false }, { 0x1a, true }, { 0x12, false }, { 0x15, false },
		{ 0x0f, false }, { 0x07, false }, { 0x1e, true }, { 0x28, false },
	};
	struct key_set down = { { 0 } };

	(void)state;
	rng = 7;
	new_keyboards();
	for (size_t i = 0; i < COUNT(key); i++) {
		if (key[i].shift)
			move(&down, find(0xe5));
		move(&down, find(key[i].usage));
		move(&down, find(key[i].usage));
		if (key[i].shift)
			move(&down, find(0xe5));
	}
	same_on_all();
	assert_int_equal(typed[0].n, 2 * COUNT(key));
	for (size_t i = 0; i < COUNT(key); i++) {
		assert_int_equal(typed[0].b[2 * i], TEXT_BYTES);
		assert_int_equal(typed[0].b[2 * i + 1], said[i]);
	}
}

static void
any_keys_are_the_same_on_all_keyboards(void **state)
{
	(void)state;
	for (rng = 1; rng <= WALKS; ) {
		uint64_t seed = rng;
		struct key_set down = { { 0 } };
		uint32_t keys = 0;

		new_keyboards();
		for (int i = 0; i < WALK_STEPS; i++) {
			const struct code *c = &code[rnd(COUNT(code))];
			bool plain_key = c->usage < KEY_LCTRL;

			if (plain_key && !key_set_has(&down, c->usage) && keys == REPORT_KEYS)
				continue;
			if (plain_key)
				keys += key_set_has(&down, c->usage) ? -1u : 1u;
			move(&down, c);
		}
		for (size_t i = 0; i < COUNT(code); i++)
			if (key_set_has(&down, code[i].usage))
				move(&down, &code[i]);
		same_on_all();
		for (int i = 0; i < KEYBOARDS; i++)
			assert_int_equal(typed[i].text.tx_modifiers, 0);
		rng = seed + 1;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_is_its_key),
		cmocka_unit_test(no_other_code_is_a_key),
		cmocka_unit_test(pause_is_pressed_and_released_at_once),
		cmocka_unit_test(shifts_that_the_keyboard_makes_up_are_not_pressed),
		cmocka_unit_test(answers_are_not_keys),
		cmocka_unit_test(an_answer_amid_a_code_leaves_the_code_whole),
		cmocka_unit_test(releases_in_set_1_that_look_like_answers_are_releases),
		cmocka_unit_test(lost_codes_release_all_keys),
		cmocka_unit_test(lamps_are_in_the_order_of_command_ed),
		cmocka_unit_test(any_bytes_make_events_that_fit_together),
		cmocka_unit_test(a_sentence_is_the_same_on_all_keyboards),
		cmocka_unit_test(any_keys_are_the_same_on_all_keyboards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
