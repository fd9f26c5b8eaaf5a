/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_screen - what programs send, and the screen that they must get.
 *
 * The table's expectations were worked out by hand from console_codes(4) and
 * the VT100's manual.
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
#include "../../../../../sys/core/screen/screen.c"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

#include "checks.h"

#define ROWS	4u
#define COLS	8u
#define RUNS	3000

static struct screen sc;
/* And one to see that it is not touched. */
static struct scr_cell cells[2 * SCR_ROWS_MAX * SCR_COLS_MAX + 1];
static char answers[256];
static uint64_t rng;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

static void
take_answer(void *arg, const char *text, size_t len)
{
	assert_ptr_equal(arg, answers);
	strncat(answers, text, len);
}

static void
begin(uint32_t rows, uint32_t cols)
{
	answers[0] = '\0';
	memset(cells, 0xa5, (screen_cells(rows, cols) + 1) * sizeof(cells[0]));
	screen_init(&sc, cells, rows, cols, take_answer, answers);
	check_invariants(&sc);
}

static void
feed(const char *text)
{
	for (size_t i = 0; i < strlen(text); i++) {
		screen_write(&sc, text + i, 1);
		check_invariants(&sc);
	}
}

/* The rows as text: without blanks at the end, with a bar there; other than ASCII is {hex}. */
static const char *
shown(void)
{
	static char text[SCR_ROWS_MAX * SCR_COLS_MAX];
	size_t n = 0;

	for (uint32_t y = 0; y < sc.sc_rows; y++) {
		const struct scr_cell *c = row(&sc, y);
		uint32_t end = sc.sc_cols;

		while (end > 0 && c[end - 1].ch == ' ')
			end--;
		for (uint32_t x = 0; x < end; x++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    c[x].ch < 0x7f ? "%c" : "{%x}", c[x].ch);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "|");
	}
	return text;
}

/* ---------------------------------------------------------------- scenarios -- */

#define E	"\033"
#define C	"\033["
#define FULL	"aaa\r\nbbb\r\nccc\r\nddd"	/* the cursor is at 3, 3 */

static const struct {
	const char	*name, *input, *lines;
	uint32_t	y, x;
} scenarios[] = {
	{ "plain text", "ab\r\ncd", "ab|cd|||", 1, 2 },
	{ "a line feed keeps the column", "ab\ncd", "ab|  cd|||", 1, 4 },
	{ "VT and FF are line feeds", "a\vb\fc", "a| b|  c||", 2, 3 },
	{ "other controls and DEL do nothing", "a\a\001\x7f" "b", "ab||||", 0, 2 },
	{ "backspace stops at the edge", "ab\b\b\bX", "Xb||||", 0, 1 },
	{ "a tab", "a\tb", "a      b||||", 0, 7 },
	/* the last column */
	{ "the last column waits", "12345678", "12345678||||", 0, 7 },
	{ "and the next character wraps", "123456789", "12345678|9|||", 1, 1 },
	{ "a return calls it off", "12345678\rX", "X2345678||||", 0, 1 },
	{ "a backspace calls it off and moves", "12345678\bX", "123456X8||||", 0, 7 },
	{ "a line feed calls it off", "12345678\nX", "12345678|       X|||", 1, 7 },
	{ "a colour does not", "12345678" C "31mX", "12345678|X|||", 1, 1 },
	{ "a movement that goes nowhere does", "12345678" C "CX", "1234567X||||", 0, 7 },
	{ "erasing does", "12345678" C "KX", "1234567X||||", 0, 7 },
	{ "a tab does not", "12345678\tX", "12345678|X|||", 1, 1 },
	{ "without wrapping the last column is overwritten",
	    C "?7l123456789A", "1234567A||||", 0, 7 },
	{ "switching wrapping off calls it off", "12345678" C "?7l9", "12345679||||", 0, 7 },
	{ "wrapping at the bottom scrolls", C "4;1H123456789", "||12345678|9|", 3, 1 },
	/* movement */
	{ "position", C "2;3HX" C "HY" C "3fZ", "Y|  X|Z||", 2, 1 },
	{ "position beyond the edges", C "99;99HX" C "0;0HY", "Y|||       X|", 0, 1 },
	{ "up, down, right, left",
	    C "3;3H" C "AA" C "2BB" C "2CC" C "3DD", "|  A||   BD C|", 3, 5 },
	{ "moves stop at the edges", C "99B" C "99CX" C "99A" C "99DY", "Y|||       X|", 0, 1 },
	{ "next and previous line", "abc" C "2EX" C "FY", "abc|Y|X||", 1, 1 },
	{ "column and row",
	    C "3GX" C "3dY" C "6`Z" C "2aW" C "eV", "  X||   Y Z W|       V|", 3, 7 },
	{ "parameters saturate", C "99999999999999999999;4294967297HX", "|||       X|", 3, 7 },
	/* erasing */
	{ "erase to the end of the line", "abcdef" C "3D" C "K", "abc||||", 0, 3 },
	{ "erase from its beginning", "abcdef" C "3D" C "1K", "    ef||||", 0, 3 },
	{ "erase all of it", "abcdef" C "3D" C "2K", "||||", 0, 3 },
	{ "erase to the end of the screen", FULL C "2;2H" C "J", "aaa|b|||", 1, 1 },
	{ "erase from its beginning", FULL C "2;2H" C "1J", "|  b|ccc|ddd|", 1, 1 },
	{ "erase all of it", FULL C "2J", "||||", 3, 3 },
	{ "erase all and what scrolled out", FULL C "3J", "||||", 3, 3 },
	{ "erase with a number nobody knows", FULL C "4J" C "3K", "aaa|bbb|ccc|ddd|", 3, 3 },
	{ "erase characters", "abcdef\r" C "C" C "3XY", "aY  ef||||", 0, 2 },
	{ "erase more characters than there are", "abcdef\r" C "C" C "65535X", "a||||", 0, 1 },
	/* editing */
	{ "insert characters", "abcdefgh\r" C "C" C "2@", "a  bcdef||||", 0, 1 },
	{ "insert too many", "abcdefgh\r" C "C" C "99@", "a||||", 0, 1 },
	{ "delete characters", "abcdefgh\r" C "C" C "2P", "adefgh||||", 0, 1 },
	{ "delete too many", "abcdefgh\r" C "C" C "99P", "a||||", 0, 1 },
	{ "insert mode", "abc\r" C "4hXY" C "4lZ", "XYZbc||||", 0, 3 },
	{ "insert lines", FULL C "2;2H" C "2L", "aaa|||bbb|", 1, 1 },
	{ "delete lines", FULL C "2;2H" C "2M", "aaa|ddd|||", 1, 1 },
	{ "delete all lines", FULL C "H" C "4M", "||||", 0, 0 },
	{ "insert more lines than there are", FULL C "2;2H" C "99L", "aaa||||", 1, 1 },
	{ "scroll up and down", FULL C "S", "bbb|ccc|ddd||", 3, 3 },
	{ "scroll down", FULL C "2T", "||aaa|bbb|", 3, 3 },
	/* the region */
	{ "a region sends the cursor home", FULL C "2;3r", "aaa|bbb|ccc|ddd|", 0, 0 },
	{ "only the region scrolls", FULL C "2;3r" C "3H\nX", "aaa|ccc|X|ddd|", 2, 1 },
	{ "only the region scrolls down", FULL C "2;3r" C "2H" E "MX", "aaa|X|bbb|ddd|", 1, 1 },
	{ "below it nothing scrolls", FULL C "1;2r" C "4H\nX", "aaa|bbb|ccc|Xdd|", 3, 1 },
	{ "above it nothing scrolls", FULL C "3;4r" C "H" E "MX", "Xaa|bbb|ccc|ddd|", 0, 1 },
	{ "lines are not inserted outside of it",
	    FULL C "1;2r" C "4H" C "L", "aaa|bbb|ccc|ddd|", 3, 0 },
	{ "lines are inserted inside of it", FULL C "1;3r" C "2H" C "L", "aaa||bbb|ddd|", 1, 0 },
	{ "a region of one row is none", FULL C "2;2r\nX", "bbb|ccc|ddd|   X|", 3, 4 },
	{ "nor is one upside down or too long",
	    FULL C "3;2r" C "1;5r\nX", "bbb|ccc|ddd|   X|", 3, 4 },
	{ "rows of the region",
	    C "2;3r" C "?6hX" C "9;9HY" C "1dZ" C "9AW", "|X      W|       Y||", 1, 7 },
	{ "the end of origin mode goes home", C "2;3r" C "?6h" C "?6lX", "X||||", 0, 1 },
	{ "index, next line, reverse index", "a" E "Db" E "Ec" E "Md", "a| d|c||", 1, 2 },
	/* saving */
	{ "save and restore", "ab" E "7" C "3;3Hc" E "8d", "abd||  c||", 0, 3 },
	{ "save and restore by CSI", "ab" C "s" C "3;3Hc" C "ud", "abd||  c||", 0, 3 },
	{ "restore without save goes home", "ab" E "8c", "cb||||", 0, 1 },
	{ "charsets are saved, too", E "(0" E "7" E "(Bq" E "8q", "{2500}||||", 0, 1 },
	/* pages */
	{ "the second page is empty", FULL C "?1049h" "X", "|||   X|", 3, 4 },
	{ "and goes", FULL C "?1049h" C "HX" C "?1049lY", "aaa|bbb|ccc|dddY|", 3, 4 },
	{ "its saved cursor is its own",
	    "ab" C "?1049h" C "3;3H" E "7" C "?1049lX", "abX||||", 0, 3 },
	{ "47 leaves the cursor", "ab" C "?47h" C "3;3HX" C "?47lY", "ab||   Y||", 2, 4 },
	{ "twice is once",
	    "ab" C "?1049h" C "2;2H" C "?1049hX" C "?1049l" C "?1049lY", "abY||||", 0, 3 },
	{ "a reset shows the first page", "ab" C "?1049h" C "2;2HX" E "c", "||||", 0, 0 },
	/* tabs */
	{ "set a tab", C "3G" E "H\ra\tb\tc", "a b    c||||", 0, 7 },
	{ "clear one tab", C "3G" E "H" C "g\ra\tb", "a      b||||", 0, 7 },
	{ "clear all tabs", C "3G" E "H" C "3g\ra\tb", "a      b||||", 0, 7 },
	/* modes */
	{ "new line mode", C "20ha\nb" C "20l\nc", "a|b| c||", 2, 2 },
	/* charsets */
	{ "line drawing by G0", E "(0lqk" E "(Bq", "{250c}{2500}{2510}q||||", 0, 4 },
	{ "line drawing by G1", E ")0x\016x\017x", "x{2502}x||||", 0, 3 },
	{ "arrows of Linux's line drawing",
	    E "(0+,-.0/A", "{2192}{2190}{2191}{2193}{2588}/A||||", 0, 7 },
	{ "Unicode is not redrawn", E "(0\xc3\xa9_", "{e9}||||", 0, 2 },
	/* UTF-8 */
	{ "two, three, four bytes",
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "{e9}{20ac}{1f600}||||", 0, 3 },
	{ "a byte alone", "a\x80\xbf\xff" "b", "a{fffd}{fffd}{fffd}b||||", 0, 5 },
	{ "a character broken off is one", "\xe2\x82X\xf0\x9f\x98Y", "{fffd}X{fffd}Y||||", 0, 4 },
	{ "broken off by a control", "\xe2\x82\rX", "X||||", 0, 1 },
	{ "broken off by a sequence", "\xe2\x82" C "2CX", "{fffd}  X||||", 0, 4 },
	{ "overlong ones", "\xc0\xaf\xe0\x80\x80", "{fffd}{fffd}{fffd}{fffd}{fffd}||||", 0, 5 },
	{ "bytes that begin nothing",
	    "\xf5\x80" "a\xc1\xfe", "{fffd}{fffd}a{fffd}{fffd}||||", 0, 5 },
	{ "surrogates", "\xed\xa0\x80", "{fffd}{fffd}{fffd}||||", 0, 3 },
	{ "beyond the last", "\xf4\x90\x80\x80", "{fffd}{fffd}{fffd}{fffd}||||", 0, 4 },
	{ "the last, and the last before surrogates",
	    "\xf4\x8f\xbf\xbf\xed\x9f\xbf", "{10ffff}{d7ff}||||", 0, 2 },
	{ "combining marks and C1 have no cell", "e\xcc\x81" "f\xc2\x9bg", "efg||||", 0, 3 },
	{ "wide ones have one", "\xe4\xb8\x80z", "{4e00}z||||", 0, 2 },
	/* the parser */
	{ "controls in a sequence", "ab" C "\b2\rDX", "Xb||||", 0, 1 },
	{ "a sequence cut by another", "ab" C "2" C "DX", "aX||||", 0, 2 },
	{ "a sequence called off", "ab" C "2\030DX", "abDX||||", 0, 4 },
	{ "private ones are not the plain ones",
	    "ab" C ">1D" C "?1J" C "=D" C "1!D" C "1:2DX", "abX||||", 0, 3 },
	{ "more parameters than are kept",
	    C "1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18HX", " X||||", 0, 2 },
	{ "unknown ones", C "5y" C "zA" E "#8B" E "%GC" E "kD", "ABCD||||", 0, 4 },
	{ "a title", "a" E "]0;title\ab" E "]2;more" E "\\c", "abc||||", 0, 3 },
	{ "an empty command", "a" E "]\ab", "ab||||", 0, 2 },
	{ "a palette", "a" E "]P1aabbcCb" E "]Rc", "abc||||", 0, 3 },
	{ "a broken palette", "a" E "]P1zb", "ab||||", 0, 2 },
	{ "strings",
	    "a" E "Pq\a\n#" E "\\b" E "_x" E "\\" E "^y" E "\\" E "Xz" E "\\c", "abc||||", 0, 3 },
	{ "a string called off", "a" E "_x\032b", "ab||||", 0, 2 },
	{ "a reset", "ab" C "2;3r" C "?6h" C "4h" E "(0" E "c" "XY\rq", "qY||||", 0, 1 },
};

static void
programs_get_the_screen_that_they_expect(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		begin(ROWS, COLS);
		feed(scenarios[i].input);
		if (strcmp(shown(), scenarios[i].lines) == 0 && sc.sc_pen.p_y == scenarios[i].y &&
		    sc.sc_pen.p_x == scenarios[i].x)
			continue;
		print_error("%s\n  want %s %u %u\n  have %s %u %u\n", scenarios[i].name,
		    scenarios[i].lines, scenarios[i].y, scenarios[i].x,
		    shown(), sc.sc_pen.p_y, sc.sc_pen.p_x);
		fail();
	}
}

/* ------------------------------------------------------- colours and attributes -- */

static void
want_cell(uint32_t y, uint32_t x, uint32_t ch, uint8_t fg, uint8_t bg, uint16_t attr)
{
	struct scr_cell c = row(&sc, y)[x];

	assert_int_equal(c.ch, ch);
	assert_int_equal(c.fg, fg);
	assert_int_equal(c.bg, bg);
	assert_int_equal(c.attr, attr);
}

static void
renditions_are_kept_in_cells(void **state)
{
	static const struct {
		const char	*codes;
		uint8_t		fg, bg;
		uint16_t	attr;
	} t[] = {
		{ "", 7, 0, 0 }, { "1", 7, 0, SCR_BOLD }, { "2", 7, 0, SCR_FAINT },
		{ "4", 7, 0, SCR_UNDERLINE },
		{ "5", 7, 0, SCR_BLINK }, { "7", 7, 0, SCR_REVERSE }, { "8", 7, 0, SCR_CONCEAL },
		{ "21", 7, 0, SCR_UNDERLINE }, { "3;9;10;23;26;29;50;99;108;65535", 7, 0, 0 },
		{ "1;2;4;5;7;8;22;25", 7, 0, SCR_UNDERLINE | SCR_REVERSE | SCR_CONCEAL },
		{ "1;4;5;7;8;24;27;28", 7, 0, SCR_BOLD | SCR_BLINK },
		{ "31;42", 1, 2, 0 }, { "96;107", 14, 15, 0 }, { "1;31;42;0", 7, 0, 0 },
		{ "31;42;", 7, 0, 0 },
		{ "31;42;39", 7, 2, 0 }, { "31;42;49", 1, 0, 0 },
		{ "38;5;9;48;5;12;1", 9, 12, SCR_BOLD }, { "38;5;196", 1, 0, 0 },
		{ "48;5;231", 7, 15, 0 },
		{ "38;5;232", 0, 0, 0 }, { "38;5;255", 15, 0, 0 }, { "38;5;240", 8, 0, 0 },
		{ "38;5;256;4", 7, 0, SCR_UNDERLINE },
		{ "38;2;255;255;80;48;2;0;0;160", 11, 4, 0 },
		{ "38;2;256;0;0;4", 7, 0, SCR_UNDERLINE },
		{ "38", 7, 0, 0 }, { "38;5", 7, 0, 0 }, { "38;2;1;1", 7, 0, 0 },
		{ "1;38;9;4", 7, 0, SCR_BOLD },
		{ "0;0;0;0;0;0;0;0;0;0;0;0;0;0;38;5;1", 7, 0, 0 },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		begin(ROWS, COLS);
		snprintf(text, sizeof(text), C "%smx", t[i].codes);
		feed(text);
		want_cell(0, 0, 'x', t[i].fg, t[i].bg, t[i].attr);
	}
}

static void
blanks_have_the_background_only(void **state)
{
	(void)state;
	begin(ROWS, COLS);
	feed(C "31;44;1;4;7ma" C "K");
	want_cell(0, 0, 'a', 1, 4, SCR_BOLD | SCR_UNDERLINE | SCR_REVERSE);
	want_cell(0, 1, ' ', 7, 4, 0);
	feed(C "4;1H\n");
	want_cell(3, 7, ' ', 7, 4, 0);
	want_cell(2, 0, ' ', 7, 0, 0);
}

static void
a_reversed_screen_is_reversed_everywhere(void **state)
{
	(void)state;
	begin(ROWS, COLS);
	feed("a" C "7mb" C "?5h");
	want_cell(0, 0, 'a', 7, 0, SCR_REVERSE);
	want_cell(0, 1, 'b', 7, 0, 0);
	want_cell(3, 7, ' ', 7, 0, SCR_REVERSE);
	feed("c" C "0md" C "2K" C "?5h");
	want_cell(0, 2, ' ', 7, 0, SCR_REVERSE);
	feed(C "?1049h" C "?5l" C "?1049l");
	want_cell(0, 2, ' ', 7, 0, 0);
	want_cell(3, 7, ' ', 7, 0, 0);
}

/* ------------------------------------------------------------------ answers -- */

static void
questions_are_answered(void **state)
{
	static const struct { const char *ask, *answer; } t[] = {
		{ C "5n", C "0n" }, { C "3;5H" C "6n", C "3;5R" }, { "12345678" C "6n", C "1;8R" },
		{ C "2;4r" C "?6h" C "2;3H" C "6n", C "2;3R" }, { C "c", C "?6c" },
		{ C "0c", C "?6c" },
		{ C "?0c" C "?1c" C ">c" C "1c" C "7n" C "?6n" C "n", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		begin(ROWS, COLS);
		feed(t[i].ask);
		assert_string_equal(answers, t[i].answer);
	}
	screen_init(&sc, cells, ROWS, COLS, NULL, NULL);
	feed(C "c" C "6nx");
	assert_string_equal(shown(), "x||||");
}

static void
modes_for_the_keyboard_are_told(void **state)
{
	(void)state;
	begin(ROWS, COLS);
	assert_int_equal(sc.sc_modes, SCR_WRAP | SCR_CURSOR);
	feed(C "?1;25h" E "=" C "?25l" C "4;20h");
	assert_int_equal(sc.sc_modes,
	    SCR_WRAP | SCR_APP_KEYS | SCR_APP_PAD | SCR_INSERT | SCR_NEWLINE);
	feed(E ">" C "?1l" C "20l");
	assert_int_equal(sc.sc_modes, SCR_WRAP | SCR_INSERT);
}

static void
a_string_without_end_ends(void **state)
{
	(void)state;
	begin(ROWS, COLS);
	feed(E "_");
	for (uint32_t i = 0; i < SCR_STRING_MAX; i++)
		screen_write(&sc, "y", 1);
	feed("x");
	assert_string_equal(shown(), "x||||");
}

static void
screens_of_any_size_work(void **state)
{
	static const uint32_t size[][2] = {
		{ 1, 1 }, { 1, 400 }, { 200, 1 }, { 200, 400 }, { 2, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		begin(size[i][0], size[i][1]);
		feed(C "999;999Hx" C "6n\ty\nz" C "5L" C "5M" C "9@" C "9P" C "9S" E "M");
		feed(C "?1049h" C "1J");
		check_cells(&sc);
		assert_non_null(strstr(answers, "R"));
		assert_int_equal(cells[2 * size[i][0] * size[i][1]].ch, 0xa5a5a5a5);
	}
}

/* -------------------------------------------------------------------- flush -- */

static struct view view;

static void
flush_draws_little(void **state)
{
	(void)state;
	begin(24, 80);
	memset(&view, 0, sizeof(view));
	view_check(&view, &sc, true);
	assert_int_equal(view.v_drawn, 24 * 80);
	view.v_drawn = 0;
	view_check(&view, &sc, true);
	assert_int_equal(view.v_drawn, 0);
	feed("ab");
	view_check(&view, &sc, true);
	assert_int_equal(view.v_drawn, 3);		/* and the cursor */
	view.v_drawn = 0;
	feed(C "24;1Hxyz\n\n");
	view_check(&view, &sc, true);
	assert_int_equal(view.v_scrolls, 1);
	assert_int_equal(view.v_drawn, 2 * 80 + 3);	/* the new rows and the text */
}

static void
a_hidden_cursor_is_not_drawn(void **state)
{
	(void)state;
	begin(24, 80);
	memset(&view, 0, sizeof(view));
	feed("ab" C "?25l");
	view_check(&view, &sc, true);
	feed(C "?25h");
	view_check(&view, &sc, true);
	feed(C "?25l" C "5;5H");
	view.v_drawn = 0;
	view_check(&view, &sc, true);
	assert_int_equal(view.v_drawn, 1);
}

/* ---------------------------------------------------------------- random bytes -- */

/* A piece of what programs might send, cut anywhere by chance. */
static size_t
random_piece(char *b, size_t size)
{
	static const char finals[] = "ABCDEFGHJKLMPSTX@`defghlmnrsuacq";
	static const char modes[][8] = {
		"?1h", "?5h", "?5l", "?6h", "?6l", "?7h", "?7l", "?25h", "?25l",
		"?1049h", "?1049l", "?47h", "?1047l", "4h", "4l", "20h",
	};
	static const char escapes[] = "cDEHM78=>(0)B]P^_X\\#%";

	char final = finals[rnd(sizeof(finals) - 1)];
	int n;

	switch (rnd(9)) {
	case 0:
	case 1:
		n = snprintf(b, size, C "%u;%u%c", rnd(28), rnd(70), final);
		break;
	case 2:
		n = snprintf(b, size, C "%s", modes[rnd(16)]);
		break;
	case 3:
		n = snprintf(b, size, C "%u%c", rnd(4), final);
		break;
	case 4:
		n = snprintf(b, size, E "%c", escapes[rnd(sizeof(escapes) - 1)]);
		break;
	case 5:
	case 6:
		n = snprintf(b, size, "%c", "\n\n\r\b\t\016\017\033"[rnd(8)]);
		break;
	case 7:
		b[0] = (char)rnd(256);
		n = 1;
		break;
	default:
		n = snprintf(b, size, "%.*s", (int)rnd(16), "text \xc3\xa9\xe2\x82\xac and more");
	}
	return (size_t)n;
}

static void
random_bytes_keep_the_invariants_and_the_view(void **state)
{
	char b[64];

	(void)state;
	for (uint32_t seed = 1; seed <= RUNS; seed++) {
		bool scrolls;

		rng = seed * 7919;
		begin(1 + rnd(VIEW_ROWS), 1 + rnd(VIEW_COLS));
		scrolls = rnd(4) != 0;
		memset(&view, 0, sizeof(view));
		for (uint32_t i = 0; i < 60; i++) {
			screen_write(&sc, b, random_piece(b, sizeof(b)));
			check_invariants(&sc);
			if (rnd(6) == 0)
				view_check(&view, &sc, scrolls);
		}
		view_check(&view, &sc, scrolls);
		check_cells(&sc);
	}
}

static void
it_does_not_matter_how_bytes_are_cut(void **state)
{
	static char whole[SCR_ROWS_MAX * SCR_COLS_MAX];
	char b[4096];

	(void)state;
	for (uint32_t seed = 1; seed <= RUNS / 10; seed++) {
		size_t n = 0;

		rng = seed * 104729;
		while (n < sizeof(b) - 64)
			n += random_piece(b + n, 64);
		begin(24, 80);
		screen_write(&sc, b, n);
		strcpy(whole, shown());
		begin(24, 80);
		for (size_t i = 0, k; i < n; i += k) {
			k = 1 + rnd(3);
			k = k < n - i ? k : n - i;
			screen_write(&sc, b + i, k);
		}
		assert_string_equal(shown(), whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_get_the_screen_that_they_expect),
		cmocka_unit_test(renditions_are_kept_in_cells),
		cmocka_unit_test(blanks_have_the_background_only),
		cmocka_unit_test(a_reversed_screen_is_reversed_everywhere),
		cmocka_unit_test(questions_are_answered),
		cmocka_unit_test(modes_for_the_keyboard_are_told),
		cmocka_unit_test(a_string_without_end_ends),
		cmocka_unit_test(screens_of_any_size_work),
		cmocka_unit_test(flush_draws_little),
		cmocka_unit_test(a_hidden_cursor_is_not_drawn),
		cmocka_unit_test(random_bytes_keep_the_invariants_and_the_view),
		cmocka_unit_test(it_does_not_matter_how_bytes_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
