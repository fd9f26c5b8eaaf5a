/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fb - pixels, in all depths and at both scales, by a font of three glyphs.
 *
 * The buffer has guards on all sides: around it, and between the lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/rt/fmt.c"
#include "../../../../../sys/core/screen/fb.c"
#include "../../../../../sys/core/screen/screen.c"

#define WIDTH	90u
#define HEIGHT	70u		/* 11 columns and 4 rows, and some pixels more */
#define GUARD	64u
#define PAD	7u		/* bytes between lines */
#define UNTOUCHED 0xa5

static jmp_buf failed;
static bool expecting;

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	if (expecting)
		longjmp(failed, 1);
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* Glyphs: a box that is not symmetric, '?' and U+FFFD. */
static const uint8_t bits[3 * FONT_HEIGHT] = {
	0xff, 0x81, 0x80, 0x80, 0xc0, 0x80, 0x80, 0x80,
	0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x01,
	0x3c, 0x42, 0x02, 0x0c, 0x10, 0x00, 0x10,
	[32] = 0x55, 0xaa,
};
static const struct font_map map[] = {
	{ ' ', 1 }, { '?', 1 }, { 'A', 0 }, { 0xfffd, 2 }, { 0xfffe, 1 },
};
static const struct font font = { .fn_glyphs = 3, .fn_chars = 5, .fn_bits = bits, .fn_map = map };

static const struct fb_mode modes[] = {
	{ .m_depth = 2, .m_field = { { 11, 5 }, { 5, 6 }, { 0, 5 } } },
	{ .m_depth = 2, .m_field = { { 10, 5 }, { 5, 5 }, { 0, 5 } } },
	{ .m_depth = 3, .m_field = { { 16, 8 }, { 8, 8 }, { 0, 8 } } },
	{ .m_depth = 3, .m_field = { { 0, 8 }, { 8, 8 }, { 16, 8 } } },
	{ .m_depth = 4, .m_field = { { 16, 8 }, { 8, 8 }, { 0, 8 } } },
	{ .m_depth = 4, .m_field = { { 20, 10 }, { 10, 10 }, { 0, 10 } } },
	{ .m_depth = 4, .m_field = { { 0, 8 }, { 8, 8 }, { 16, 8 } } },
};
#define MODES	(sizeof(modes) / sizeof(modes[0]))

static uint8_t *memory;
static size_t memory_bytes;
static struct fb fb;

static struct fb_mode
mode_of(size_t i, uint32_t width, uint32_t height)
{
	struct fb_mode m = modes[i];

	m.m_width = width;
	m.m_height = height;
	m.m_pitch = width * m.m_depth + PAD;
	m.m_bytes = (size_t)m.m_pitch * height;
	free(memory);
	memory_bytes = m.m_bytes + 2 * GUARD;
	memory = malloc(memory_bytes);
	assert_non_null(memory);
	memset(memory, UNTOUCHED, memory_bytes);
	m.m_pixels = memory + GUARD;
	return m;
}

static void
begin(size_t i, uint32_t width, uint32_t height)
{
	struct fb_mode m = mode_of(i, width, height);

	assert_true(fb_init(&fb, &m, &font));
}

static uint32_t
pixel_at(uint32_t x, uint32_t y)
{
	const uint8_t *p = memory + GUARD + y * fb.fb_mode.m_pitch + x * fb.fb_mode.m_depth;
	uint32_t v = 0;

	for (uint32_t i = 0; i < fb.fb_mode.m_depth; i++)
		v |= (uint32_t)p[i] << 8 * i;
	return v;
}

static void
guards_are_whole(void)
{
	uint32_t line = fb.fb_mode.m_width * fb.fb_mode.m_depth;

	for (size_t i = 0; i < memory_bytes; i++) {
		size_t in = i - GUARD;

		if (i < GUARD || in >= fb.fb_mode.m_bytes || in % fb.fb_mode.m_pitch >= line)
			assert_int_equal(memory[i], UNTOUCHED);
	}
}

/* The cell's pixels by a second, slow way. */
static void
want_cell(uint32_t row, uint32_t col, const uint8_t *glyph, uint32_t fg, uint32_t bg,
    bool underline)
{
	uint32_t s = fb.fb_scale;

	for (uint32_t y = 0; y < FONT_HEIGHT * s; y++)
		for (uint32_t x = 0; x < FONT_WIDTH * s; x++) {
			bool on = (glyph[y / s] << x / s & 0x80) != 0 || (underline && y / s == 14);

			assert_int_equal(pixel_at(col * 8 * s + x, row * 16 * s + y),
			    fb.fb_colour[on ? fg : bg]);
		}
}

/* ---------------------------------------------------------------- tests -- */

static void
a_glyph_is_found_or_replaced(void **state)
{
	const struct font no_fffd = { 3, 3, bits, map }, none = { 3, 0, bits, map };
	const struct font only_a = { 3, 1, bits + 16, map + 2 };

	(void)state;
	assert_ptr_equal(font_glyph(&font, 'A'), bits);
	assert_ptr_equal(font_glyph(&font, ' '), bits + 16);
	assert_ptr_equal(font_glyph(&font, 0xfffe), bits + 16);
	assert_ptr_equal(font_glyph(&font, 'B'), bits + 32);
	assert_ptr_equal(font_glyph(&font, 0x10041), bits + 32);
	assert_ptr_equal(font_glyph(&font, UINT32_MAX), bits + 32);
	assert_ptr_equal(font_glyph(&no_fffd, 'B'), bits + 16);
	assert_ptr_equal(font_glyph(&only_a, 'B'), bits + 16);
	assert_ptr_equal(font_glyph(&none, 'A'), bits);
}

static void
colours_have_their_place_in_the_pixel(void **state)
{
	static const uint32_t white[MODES] = {
		0xffff, 0x7fff, 0xffffff, 0xffffff, 0xffffff, 0x3fffffff, 0xffffff,
	};
	static const uint32_t red[MODES] = {
		0xa800, 0x5400, 0xaa0000, 0x0000aa, 0xaa0000, 0x2aa00000, 0x0000aa,
	};

	(void)state;
	for (size_t i = 0; i < MODES; i++) {
		begin(i, WIDTH, HEIGHT);
		assert_int_equal(fb.fb_colour[0], 0);
		assert_int_equal(fb.fb_colour[15], white[i]);
		assert_int_equal(fb.fb_colour[1], red[i]);
	}
}

static void
cells_are_drawn_and_nothing_else(void **state)
{
	struct scr_cell c[3] = { { 'A', 7, 0, 0 }, { '?', 1, 4, 0 }, { 'x', 2, 3, 0 } };

	(void)state;
	for (size_t i = 0; i < MODES; i++)
		for (uint32_t scale = 1; scale <= 2; scale++) {
			begin(i, WIDTH * scale, scale == 1 ? HEIGHT : HIGH_MODE + 10);
			assert_int_equal(fb.fb_scale, scale);
			assert_int_equal(fb.fb_cols, 11);
			assert_int_equal(fb.fb_rows, scale == 1 ? 4 : 50);
			fb_clear(&fb);
			assert_int_equal(pixel_at(WIDTH * scale - 1, fb.fb_mode.m_height - 1), 0);
			fb_draw(&fb, 1, 8, c, 3, -1);
			want_cell(1, 8, bits, 7, 0, false);
			want_cell(1, 9, bits + 16, 1, 4, false);
			want_cell(1, 10, bits + 32, 2, 3, false);
			want_cell(1, 7, bits + 16 + 7, 0, 0, false);
			want_cell(0, 8, bits + 16 + 7, 0, 0, false);
			want_cell(2, 8, bits + 16 + 7, 0, 0, false);
			assert_int_equal(pixel_at(88 * scale, 16 * scale), 0);
			fb_draw(&fb, fb.fb_rows - 1, 0, c, 1, 0);
			want_cell(fb.fb_rows - 1, 0, bits, 0, 7, false);
			guards_are_whole();
		}
}

static void
attributes_change_the_look(void **state)
{
	static const struct { uint16_t attr; uint32_t fg, bg; bool cursor, underline; } t[] = {
		{ 0, 2, 4, false, false }, { SCR_BOLD, 10, 4, false, false },
		{ SCR_FAINT, 8, 4, false, false },
		{ SCR_REVERSE, 4, 2, false, false },
		{ SCR_BOLD | SCR_REVERSE, 4, 10, false, false },
		{ SCR_UNDERLINE, 2, 4, false, true }, { SCR_CONCEAL, 4, 4, false, false },
		{ SCR_CONCEAL | SCR_REVERSE, 2, 2, false, false },
		{ SCR_BLINK, 2, 4, false, false },
		{ 0, 4, 2, true, false }, { SCR_REVERSE | SCR_UNDERLINE, 2, 4, true, true },
	};

	(void)state;
	begin(4, WIDTH, HEIGHT);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct scr_cell c = { 'A', 2, 4, t[i].attr };

		fb_draw(&fb, 3, 5, &c, 1, t[i].cursor ? 5 : 4);
		want_cell(3, 5, bits, t[i].fg, t[i].bg, t[i].underline);
	}
	guards_are_whole();
}

static void
long_rows_are_drawn_in_pieces(void **state)
{
	struct scr_cell c[SCR_COLS_MAX];

	(void)state;
	for (uint32_t i = 0; i < SCR_COLS_MAX; i++)
		c[i] = (struct scr_cell){ i % 3 == 0 ? 'A' : '?', i % 16, i / 16 % 16, 0 };
	begin(2, SCR_COLS_MAX * 8 + 100, 32);
	assert_int_equal(fb.fb_cols, SCR_COLS_MAX);
	fb_draw(&fb, 1, 0, c, SCR_COLS_MAX, 33);
	for (uint32_t i = 0; i < SCR_COLS_MAX; i++) {
		uint32_t fg = i % 16, bg = i / 16 % 16;

		want_cell(1, i, i % 3 == 0 ? bits : bits + 16, i == 33 ? bg : fg,
		    i == 33 ? fg : bg, false);
	}
	guards_are_whole();
}

/* Each row has the colour of its number; row r then shows what was in from[r]. */
static void
scroll_and_want(uint32_t top, uint32_t bottom, int32_t lines, const uint32_t from[4])
{
	for (size_t i = 0; i < MODES; i++) {
		begin(i, WIDTH, HEIGHT);
		fb_clear(&fb);
		for (uint32_t y = 0; y < 4; y++) {
			struct scr_cell c = { 'A', 15, (uint8_t)(y + 1), 0 };

			for (uint32_t x = 0; x < 11; x++)
				fb_draw(&fb, y, x, &c, 1, -1);
		}
		fb_scroll(&fb, top, bottom, lines);
		for (uint32_t y = 0; y < 4; y++)
			for (uint32_t x = 0; x < 11; x++)
				want_cell(y, x, bits, 15, from[y] + 1, false);
		assert_int_equal(pixel_at(WIDTH - 1, 20), 0);
		guards_are_whole();
	}
}

static void
rows_move_up_and_down(void **state)
{
	(void)state;
	scroll_and_want(0, 4, 1, (const uint32_t[]){ 1, 2, 3, 3 });
	scroll_and_want(0, 4, 3, (const uint32_t[]){ 3, 1, 2, 3 });
	scroll_and_want(0, 4, -1, (const uint32_t[]){ 0, 0, 1, 2 });
	scroll_and_want(1, 3, 1, (const uint32_t[]){ 0, 2, 2, 3 });
	scroll_and_want(1, 4, -2, (const uint32_t[]){ 0, 1, 2, 1 });
}

static bool
refused(struct fb_mode m)
{
	struct fb f;

	return !fb_init(&f, &m, &font);
}

static void
absurd_modes_are_refused(void **state)
{
	struct fb_mode good = mode_of(4, WIDTH, HEIGHT), m;

	(void)state;
	assert_false(refused(good));
#define REFUSED(change)	do { m = good; change; assert_true(refused(m)); } while (0)
	REFUSED(m.m_pixels = NULL);
	REFUSED(m.m_bytes--);
	REFUSED(m.m_pitch = WIDTH * 4 - 1);
	REFUSED(m.m_pitch = UINT32_MAX);
	REFUSED(m.m_pitch = 0x10000000; m.m_height = 16);
	REFUSED(m.m_height++);
	REFUSED(m.m_height = FONT_HEIGHT - 1);
	REFUSED(m.m_height = 0);
	REFUSED(m.m_height = UINT32_MAX; m.m_bytes = SIZE_MAX);
	REFUSED(m.m_width = FONT_WIDTH - 1);
	REFUSED(m.m_width = 0x40000001; m.m_bytes = SIZE_MAX);
	REFUSED(m.m_width = FB_SIDE_MAX + 1; m.m_pitch = UINT32_MAX; m.m_bytes = SIZE_MAX);
	REFUSED(m.m_depth = 1);
	REFUSED(m.m_depth = 5);
	REFUSED(m.m_depth = 0);
	REFUSED(m.m_depth = 2);			/* the fields are for 4 */
	REFUSED(m.m_field[0].f_bits = 0);
	REFUSED(m.m_field[0].f_bits = 17);
	REFUSED(m.m_field[0].f_bits = 255);
	REFUSED(m.m_field[0].f_pos = 25);
	REFUSED(m.m_field[0].f_pos = 255);
	REFUSED(m.m_field[0].f_pos = 15);	/* green's */
}

static void
calls_that_reach_outside_are_stopped(void **state)
{
	static const struct scr_cell c[12];

	(void)state;
	begin(4, WIDTH, HEIGHT);
	for (volatile int i = 0; i < 9; i++) {
		expecting = true;
		if (setjmp(failed) == 0) {
			switch (i) {
			case 0: fb_draw(&fb, 4, 0, c, 1, -1); break;
			case 1: fb_draw(&fb, 0, 11, c, 1, -1); break;
			case 2: fb_draw(&fb, 0, 0, c, 12, -1); break;
			case 3: fb_draw(&fb, 0, UINT32_MAX, c, 2, -1); break;
			case 4: fb_scroll(&fb, 0, 5, 1); break;
			case 5: fb_scroll(&fb, 0, 4, 4); break;
			case 6: fb_scroll(&fb, 2, 2, 1); break;
			case 7: fb_scroll(&fb, 0, 4, INT32_MIN); break;
			case 8: fb_scroll(&fb, 0, 4, 0); break;
			}
			expecting = false;
			fail_msg("call %d was not stopped", i);
		}
		expecting = false;
	}
	for (size_t i = 0; i < memory_bytes; i++)
		assert_int_equal(memory[i], UNTOUCHED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_glyph_is_found_or_replaced),
		cmocka_unit_test(colours_have_their_place_in_the_pixel),
		cmocka_unit_test(cells_are_drawn_and_nothing_else),
		cmocka_unit_test(attributes_change_the_look),
		cmocka_unit_test(long_rows_are_drawn_in_pieces),
		cmocka_unit_test(rows_move_up_and_down),
		cmocka_unit_test(absurd_modes_are_refused),
		cmocka_unit_test(calls_that_reach_outside_are_stopped),
	};
	int status = cmocka_run_group_tests(tests, NULL, NULL);

	free(memory);
	return status;
}
