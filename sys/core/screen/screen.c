/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen - bytes become cells.
 *
 * Three layers.  The parser (at the end of this file) cuts bytes into
 * characters, controls and sequences; the actions in the middle change cells, pen
 * and modes; and all of them change cells through blank(), edit() and
 * scroll(), which keep the notes for flush.
 *
 * Rows are found through a table, so scrolling moves table entries, not
 * cells.  For the drawer each row has one range of dirty columns, and there is
 * one note of a scroll: rows [moved_top, moved_bottom) went up by `moved`.  A
 * cell that is not dirty is shown where it was before that scroll.  Dirty
 * ranges travel with their rows; a scroll of other rows than the noted ones
 * gives the old note up and makes its rows dirty.
 *
 * Invariants
 *   S1  y < rows, x < cols; sc_wrap only in the last column
 *   S2  top < bottom <= rows; with SCR_ORIGIN, top <= y < bottom
 *   S3  pg_row is a permutation of the row numbers
 *   S4  a dirty range is empty or from < end <= cols
 *   S5  moved is smaller than the number of rows that it is about
 *
 * Locking: none, the caller's.
 * Not here: sizes that change, scrollback, C1 controls, sounds of the bell,
 * palettes other than the VGA's (ESC ] P is read and forgotten).
 */
#include <core/rt/rt.h>
#include <core/screen/screen.h>

#define REPLACEMENT	0xfffdu
#define FG		7u
#define BG		0u
#define TAB		8u
#define PALETTE_DIGITS	7u	/* of ESC ] P */

const uint8_t scr_palette[16][3] = {
	{ 0, 0, 0 }, { 170, 0, 0 }, { 0, 170, 0 }, { 170, 85, 0 },
	{ 0, 0, 170 }, { 170, 0, 170 }, { 0, 170, 170 }, { 170, 170, 170 },
	{ 85, 85, 85 }, { 255, 85, 85 }, { 85, 255, 85 }, { 255, 255, 85 },
	{ 85, 85, 255 }, { 255, 85, 255 }, { 85, 255, 255 }, { 255, 255, 255 },
};

enum state { GROUND, ESCAPE, SEQUENCE, IGNORE, OSC, OSC_STRING, PALETTE, STRING };

static inline bool mode(const struct screen *sc, uint32_t m) { return (sc->sc_modes & m) != 0; }

/* --------------------------------------------------------------- cells -- */

static struct scr_cell *
row(const struct screen *sc, uint32_t y)
{
	const struct scr_page *pg = &sc->sc_page[sc->sc_alternate];

	ASSERT(y < sc->sc_rows);
	return pg->pg_cells + (size_t)pg->pg_row[y] * sc->sc_cols;
}

static void
dirty(struct screen *sc, uint32_t y, uint32_t from, uint32_t end)
{
	struct scr_range *r = &sc->sc_dirty[y];

	ASSERT(from < end && end <= sc->sc_cols);
	r->r_from = (uint16_t)(r->r_end == 0 ? from : rt_min(r->r_from, from));
	r->r_end = (uint16_t)rt_max(r->r_end, end);
}

static void
dirty_rows(struct screen *sc, uint32_t from, uint32_t end)
{
	for (uint32_t y = from; y < end; y++)
		dirty(sc, y, 0, sc->sc_cols);
}

/* A cell of the present colours and attributes. */
static struct scr_cell
inked(const struct screen *sc, uint32_t ch)
{
	const struct scr_pen *p = &sc->sc_pen;

	return (struct scr_cell){ .ch = ch, .fg = p->p_fg, .bg = p->p_bg,
	    .attr = (uint16_t)(p->p_attr ^ (mode(sc, SCR_REVERSED) ? SCR_REVERSE : 0)) };
}

/* Blanks have the present background and nothing else. */
static void
blank(struct screen *sc, uint32_t y, uint32_t from, uint32_t end)
{
	struct scr_cell *cells = row(sc, y), b = inked(sc, ' ');

	ASSERT(from <= end && end <= sc->sc_cols);
	if (from == end)
		return;
	b.fg = FG;
	b.attr = mode(sc, SCR_REVERSED) ? SCR_REVERSE : 0;
	for (uint32_t x = from; x < end; x++)
		cells[x] = b;
	dirty(sc, y, from, end);
}

static void
blank_rows(struct screen *sc, uint32_t from, uint32_t end)
{
	for (uint32_t y = from; y < end; y++)
		blank(sc, y, 0, sc->sc_cols);
}

/* Make room for n cells at the cursor, or close the gap of n cells there. */
static void
edit(struct screen *sc, uint32_t n, bool insert)
{
	uint32_t y = sc->sc_pen.p_y, x = sc->sc_pen.p_x, stay;
	struct scr_cell *at = row(sc, y) + x;

	n = (uint32_t)rt_min(n, sc->sc_cols - x);
	stay = sc->sc_cols - x - n;
	memmove(insert ? at + n : at, insert ? at : at + n, stay * sizeof(*at));
	blank(sc, y, insert ? x : x + stay, insert ? x + n : sc->sc_cols);
	dirty(sc, y, x, sc->sc_cols);
}

/* Keep what flush must know of a scroll; the rows are not yet moved. */
static void
note_scroll(struct screen *sc, uint32_t top, uint32_t bottom, int32_t lines)
{
	int32_t height = (int32_t)(bottom - top);

	if (sc->sc_shown && sc->sc_shown_y >= top && sc->sc_shown_y < bottom) {
		dirty(sc, sc->sc_shown_y, sc->sc_shown_x, sc->sc_shown_x + 1);
		sc->sc_shown = false;	/* its picture moves with the row */
	}
	if (sc->sc_moved != 0 && (sc->sc_moved_top != top || sc->sc_moved_bottom != bottom)) {
		dirty_rows(sc, sc->sc_moved_top, sc->sc_moved_bottom);
		sc->sc_moved = 0;
	}
	sc->sc_moved_top = top;
	sc->sc_moved_bottom = bottom;
	sc->sc_moved += lines;
	if (sc->sc_moved <= -height || sc->sc_moved >= height)
		sc->sc_moved = 0;	/* nothing old is left, so all these rows are dirty */
}

/* Rows [top, bottom) go up by lines, or down if negative; the free ones are blank. */
static void
scroll(struct screen *sc, uint32_t top, uint32_t bottom, int32_t lines)
{
	uint16_t *at = sc->sc_page[sc->sc_alternate].pg_row, old[SCR_ROWS_MAX];
	uint32_t height = bottom - top, n, first;
	struct scr_range was[SCR_ROWS_MAX];

	ASSERT(top < bottom && bottom <= sc->sc_rows);
	n = (uint32_t)rt_min((uint64_t)(lines < 0 ? -lines : lines), height);
	note_scroll(sc, top, bottom, lines < 0 ? -(int32_t)n : (int32_t)n);
	memcpy(old, at + top, height * sizeof(*old));
	memcpy(was, sc->sc_dirty + top, height * sizeof(*was));
	first = lines < 0 ? height - n : n;
	for (uint32_t i = 0; i < height; i++) {
		at[top + i] = old[(first + i) % height];
		sc->sc_dirty[top + i] = was[(first + i) % height];
	}
	if (lines < 0)
		blank_rows(sc, top, top + n);
	else
		blank_rows(sc, bottom - n, bottom);
}

/* -------------------------------------------------------------- cursor -- */

/* To row y and column x of the screen, or as near as the screen or the region allows. */
static void
go(struct screen *sc, int32_t y, int32_t x)
{
	int32_t top = mode(sc, SCR_ORIGIN) ? (int32_t)sc->sc_top : 0;
	int32_t bottom = (int32_t)(mode(sc, SCR_ORIGIN) ? sc->sc_bottom : sc->sc_rows);
	int32_t right = (int32_t)sc->sc_cols - 1;

	y = y < bottom ? y : bottom - 1;
	x = x < right ? x : right;
	sc->sc_pen.p_y = (uint16_t)(y > top ? y : top);
	sc->sc_pen.p_x = (uint16_t)(x > 0 ? x : 0);
	sc->sc_wrap = false;
}

/* The same with a row as programs count it. */
static void
go_given(struct screen *sc, int32_t y, int32_t x)
{
	go(sc, y + (mode(sc, SCR_ORIGIN) ? (int32_t)sc->sc_top : 0), x);
}

static void
line_feed(struct screen *sc)
{
	sc->sc_wrap = false;
	if (sc->sc_pen.p_y + 1u == sc->sc_bottom)
		scroll(sc, sc->sc_top, sc->sc_bottom, 1);
	else if (sc->sc_pen.p_y + 1u < sc->sc_rows)
		sc->sc_pen.p_y++;
}

static void
reverse_line_feed(struct screen *sc)
{
	sc->sc_wrap = false;
	if (sc->sc_pen.p_y == sc->sc_top)
		scroll(sc, sc->sc_top, sc->sc_bottom, -1);
	else if (sc->sc_pen.p_y > 0)
		sc->sc_pen.p_y--;
}

static void
carriage_return(struct screen *sc)
{
	sc->sc_pen.p_x = 0;
	sc->sc_wrap = false;
}

/* The wrap that waits is not called off by a tab that cannot go anywhere. */
static void
tab(struct screen *sc)
{
	struct scr_pen *p = &sc->sc_pen;

	while (p->p_x + 1u < sc->sc_cols)
		if (sc->sc_tab[++p->p_x])
			break;
}

static void
save(struct screen *sc)
{
	sc->sc_page[sc->sc_alternate].pg_saved = sc->sc_pen;
}

static void
restore(struct screen *sc)
{
	sc->sc_pen = sc->sc_page[sc->sc_alternate].pg_saved;
	go(sc, sc->sc_pen.p_y, sc->sc_pen.p_x);
}

/* ------------------------------------------------------------ characters -- */

/* The VT100's line drawing, with the arrows and the block of Linux's. */
static uint32_t
line_drawing(uint32_t ch)
{
	/* From + to 0, and from _ to ~. */
	static const uint16_t arrows[] = { 0x2192, 0x2190, 0x2191, 0x2193, '/', 0x2588 };
	static const uint16_t lines[] = {
		' ', 0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0xb0,
		0xb1, 0x2424, 0x240b, 0x2518, 0x2510, 0x250c, 0x2514, 0x253c,
		0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524, 0x2534,
		0x252c, 0x2502, 0x2264, 0x2265, 0x3c0, 0x2260, 0xa3, 0xb7,
	};
	_Static_assert(sizeof(lines) / sizeof(lines[0]) == '~' - '_' + 1, "a character each");

	if (ch >= '+' && ch <= '0')
		return arrows[ch - '+'];
	return ch >= '_' && ch <= '~' ? lines[ch - '_'] : ch;
}

/* C1 controls, combining marks, and what only directs how others look. */
static bool
takes_no_cell(uint32_t ch)
{
	static const struct { uint32_t from, to; } none[] = {
		{ 0x80, 0x9f }, { 0xad, 0xad }, { 0x300, 0x36f }, { 0x483, 0x489 },
		{ 0x591, 0x5bd },
		{ 0x610, 0x61a }, { 0x64b, 0x65f }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x20d0, 0x20ff },
		{ 0x302a, 0x302f }, { 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
		{ 0xfeff, 0xfeff }, { 0xe0000, 0xe01ef },
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]) && ch >= none[i].from; i++)
		if (ch <= none[i].to)
			return true;
	return false;
}

static void
print(struct screen *sc, uint32_t ch)
{
	struct scr_pen *p = &sc->sc_pen;

	if (takes_no_cell(ch))
		return;
	if (p->p_drawing[p->p_shift])
		ch = line_drawing(ch);
	if (sc->sc_wrap) {
		carriage_return(sc);
		line_feed(sc);
	}
	if (mode(sc, SCR_INSERT))
		edit(sc, 1, true);
	row(sc, p->p_y)[p->p_x] = inked(sc, ch);
	dirty(sc, p->p_y, p->p_x, p->p_x + 1u);
	if (p->p_x + 1u < sc->sc_cols)
		p->p_x++;
	else
		sc->sc_wrap = mode(sc, SCR_WRAP);
}

/* -------------------------------------------------------- pages and modes -- */

static void
show_page(struct screen *sc, uint32_t page)
{
	if (page == sc->sc_alternate)
		return;
	sc->sc_alternate = page;
	if (page == 1)
		blank_rows(sc, 0, sc->sc_rows);
	dirty_rows(sc, 0, sc->sc_rows);
}

/* ?1049: the first page's cursor is kept while the second is shown. */
static void
show_page_and_save(struct screen *sc, uint32_t page)
{
	if (page == sc->sc_alternate)
		return;
	if (page == 1)
		save(sc);
	show_page(sc, page);
	if (page == 0)
		restore(sc);
}

static void
set_mode(struct screen *sc, uint32_t m, bool on)
{
	sc->sc_modes = on ? sc->sc_modes | m : sc->sc_modes & ~m;
}

static void
reverse_screen(struct screen *sc, bool on)
{
	struct scr_cell *cells = sc->sc_page[0].pg_cells;	/* and those of page 1 follow */

	if (mode(sc, SCR_REVERSED) == on)
		return;
	set_mode(sc, SCR_REVERSED, on);
	for (size_t i = 0; i < screen_cells(sc->sc_rows, sc->sc_cols); i++)
		cells[i].attr ^= SCR_REVERSE;
	dirty_rows(sc, 0, sc->sc_rows);
}

static void
set_private(struct screen *sc, uint32_t number, bool on)
{
	switch (number) {
	case 1: set_mode(sc, SCR_APP_KEYS, on); break;
	case 5: reverse_screen(sc, on); break;
	case 6:
		set_mode(sc, SCR_ORIGIN, on);
		go_given(sc, 0, 0);
		break;
	case 7:
		set_mode(sc, SCR_WRAP, on);
		sc->sc_wrap = sc->sc_wrap && on;
		break;
	case 25: set_mode(sc, SCR_CURSOR, on); break;
	case 47:
	case 1047: show_page(sc, on); break;
	case 1049: show_page_and_save(sc, on); break;
	}
}

static void
set_modes(struct screen *sc, bool on)
{
	for (uint32_t i = 0; i < sc->sc_params; i++) {
		if (sc->sc_mid == '?')
			set_private(sc, sc->sc_param[i], on);
		else if (sc->sc_param[i] == 4)
			set_mode(sc, SCR_INSERT, on);
		else if (sc->sc_param[i] == 20)
			set_mode(sc, SCR_NEWLINE, on);
	}
}

static void
reset(struct screen *sc)
{
	memset(&sc->sc_pen, 0, sizeof(sc->sc_pen));
	sc->sc_pen.p_fg = FG;
	sc->sc_pen.p_bg = BG;
	sc->sc_modes = SCR_WRAP | SCR_CURSOR;
	sc->sc_wrap = false;
	sc->sc_top = 0;
	sc->sc_bottom = sc->sc_rows;
	for (uint32_t x = 0; x < SCR_COLS_MAX; x++)
		sc->sc_tab[x] = x % TAB == 0;
	for (uint32_t page = 2; page-- > 0;) {
		sc->sc_alternate = page;
		save(sc);
		blank_rows(sc, 0, sc->sc_rows);
	}
}

/* -------------------------------------------------------------- sequences -- */

/* A parameter; missing ones and 0 are `other`. */
static uint32_t
param(const struct screen *sc, uint32_t i, uint32_t other)
{
	return i < sc->sc_params && sc->sc_param[i] != 0 ? sc->sc_param[i] : other;
}

static uint8_t
nearest(const uint8_t rgb[3])
{
	uint32_t best = UINT32_MAX;
	uint8_t found = 0;

	for (uint8_t i = 0; i < 16; i++) {
		uint32_t far = 0;

		for (uint32_t k = 0; k < 3; k++) {
			int32_t d = rgb[k] - scr_palette[i][k];

			far += (uint32_t)(d * d);
		}
		if (far < best) {
			best = far;
			found = i;
		}
	}
	return found;
}

/* One of xterm's 256: the 16, a cube of 6 * 6 * 6, and greys. */
static uint8_t
of_256(uint32_t n)
{
	static const uint8_t step[] = { 0, 95, 135, 175, 215, 255 };
	uint8_t grey = (uint8_t)(8 + (n - 232) * 10);

	if (n < 16)
		return (uint8_t)n;
	if (n < 232) {
		n -= 16;
		return nearest((const uint8_t[]){ step[n / 36], step[n / 6 % 6], step[n % 6] });
	}
	return nearest((const uint8_t[]){ grey, grey, grey });
}

/*
 * 38 or 48 at parameter i, with its colour: returns the last parameter used.
 * A colour that does not exist changes nothing.
 */
static uint32_t
colour(const struct screen *sc, uint32_t i, uint8_t *out)
{
	const uint16_t *p = sc->sc_param + i;
	uint32_t left = sc->sc_params - i - 1;

	if (left >= 2 && p[1] == 5) {
		if (p[2] < 256)
			*out = of_256(p[2]);
		return i + 2;
	}
	if (left >= 4 && p[1] == 2) {
		if (p[2] < 256 && p[3] < 256 && p[4] < 256)
			*out = nearest((const uint8_t[]){
			    (uint8_t)p[2], (uint8_t)p[3], (uint8_t)p[4] });
		return i + 4;
	}
	return i + left;
}

static void
rendition(struct scr_pen *p, uint32_t n)
{
	static const uint16_t on[] = {
		[1] = SCR_BOLD, [2] = SCR_FAINT, [4] = SCR_UNDERLINE, [5] = SCR_BLINK,
		[7] = SCR_REVERSE, [8] = SCR_CONCEAL, [21] = SCR_UNDERLINE,
	};
	static const uint16_t off[] = {
		[22] = SCR_BOLD | SCR_FAINT, [24] = SCR_UNDERLINE, [25] = SCR_BLINK,
		[27] = SCR_REVERSE, [28] = SCR_CONCEAL,
	};

	if (n == 0) {
		p->p_attr = 0;
		p->p_fg = FG;
		p->p_bg = BG;
	} else if (n <= 21) {
		p->p_attr |= on[n];
	} else if (n <= 28) {
		p->p_attr &= (uint16_t)~off[n];
	} else if (n >= 30 && n <= 37) {
		p->p_fg = (uint8_t)(n - 30);
	} else if (n == 39) {
		p->p_fg = FG;
	} else if (n >= 40 && n <= 47) {
		p->p_bg = (uint8_t)(n - 40);
	} else if (n == 49) {
		p->p_bg = BG;
	} else if (n >= 90 && n <= 97) {
		p->p_fg = (uint8_t)(n - 90 + 8);
	} else if (n >= 100 && n <= 107) {
		p->p_bg = (uint8_t)(n - 100 + 8);
	}
}

static void
renditions(struct screen *sc)
{
	for (uint32_t i = 0; i < sc->sc_params; i++) {
		if (sc->sc_param[i] == 38)
			i = colour(sc, i, &sc->sc_pen.p_fg);
		else if (sc->sc_param[i] == 48)
			i = colour(sc, i, &sc->sc_pen.p_bg);
		else
			rendition(&sc->sc_pen, sc->sc_param[i]);
	}
}

static void
erase_display(struct screen *sc)
{
	uint32_t y = sc->sc_pen.p_y, x = sc->sc_pen.p_x;

	switch (sc->sc_param[0]) {
	case 0:
		blank(sc, y, x, sc->sc_cols);
		blank_rows(sc, y + 1, sc->sc_rows);
		break;
	case 1:
		blank_rows(sc, 0, y);
		blank(sc, y, 0, x + 1);
		break;
	case 2:
	case 3:
		blank_rows(sc, 0, sc->sc_rows);
		break;
	}
	sc->sc_wrap = false;
}

static void
erase_line(struct screen *sc)
{
	uint32_t y = sc->sc_pen.p_y, x = sc->sc_pen.p_x;

	switch (sc->sc_param[0]) {
	case 0: blank(sc, y, x, sc->sc_cols); break;
	case 1: blank(sc, y, 0, x + 1); break;
	case 2: blank(sc, y, 0, sc->sc_cols); break;
	}
	sc->sc_wrap = false;
}

/* Insert lines at the cursor, or delete (lines > 0) them; outside of the region nothing happens. */
static void
edit_lines(struct screen *sc, int32_t lines)
{
	uint32_t y = sc->sc_pen.p_y;

	if (y >= sc->sc_top && y < sc->sc_bottom)
		scroll(sc, y, sc->sc_bottom, lines);
	sc->sc_wrap = false;
}

static void
set_region(struct screen *sc)
{
	uint32_t top = param(sc, 0, 1), bottom = param(sc, 1, sc->sc_rows);

	if (top >= bottom || bottom > sc->sc_rows)
		return;
	sc->sc_top = top - 1;
	sc->sc_bottom = bottom;
	go_given(sc, 0, 0);
}

static void
answer(struct screen *sc, const char *text)
{
	if (sc->sc_answer != NULL)
		sc->sc_answer(sc->sc_arg, text, strlen(text));
}

static void
report(struct screen *sc)
{
	uint32_t y = sc->sc_pen.p_y - (mode(sc, SCR_ORIGIN) ? sc->sc_top : 0);
	char text[32];

	if (sc->sc_param[0] == 5) {
		answer(sc, "\033[0n");
	} else if (sc->sc_param[0] == 6) {
		(void)rt_snprintf(text, sizeof(text), "\033[%u;%uR", y + 1, sc->sc_pen.p_x + 1u);
		answer(sc, text);
	}
}

static void
clear_tabs(struct screen *sc)
{
	if (sc->sc_param[0] == 0)
		sc->sc_tab[sc->sc_pen.p_x] = false;
	else if (sc->sc_param[0] == 3)
		memset(sc->sc_tab, 0, sizeof(sc->sc_tab));
}

/* Sequences that move the cursor.  True: c was one. */
static bool
movement(struct screen *sc, uint8_t c)
{
	int32_t y = sc->sc_pen.p_y, x = sc->sc_pen.p_x, n = (int32_t)param(sc, 0, 1);

	switch (c) {
	case 'A': go(sc, y - n, x); break;
	case 'B':
	case 'e': go(sc, y + n, x); break;
	case 'C':
	case 'a': go(sc, y, x + n); break;
	case 'D': go(sc, y, x - n); break;
	case 'E': go(sc, y + n, 0); break;
	case 'F': go(sc, y - n, 0); break;
	case 'G':
	case '`': go(sc, y, n - 1); break;
	case 'd': go_given(sc, n - 1, x); break;
	case 'H':
	case 'f': go_given(sc, n - 1, (int32_t)param(sc, 1, 1) - 1); break;
	case 's': save(sc); break;
	case 'u': restore(sc); break;
	default: return false;
	}
	return true;
}

static void
sequence(struct screen *sc, uint8_t c)
{
	int32_t n = (int32_t)param(sc, 0, 1);
	uint32_t x = sc->sc_pen.p_x;

	if (c == 'h' || c == 'l') {
		set_modes(sc, c == 'h');
		return;
	}
	if (sc->sc_mid != 0 || movement(sc, c))
		return;
	switch (c) {
	case '@':
	case 'P':
		edit(sc, (uint32_t)n, c == '@');
		sc->sc_wrap = false;
		break;
	case 'J': erase_display(sc); break;
	case 'K': erase_line(sc); break;
	case 'L': edit_lines(sc, -n); break;
	case 'M': edit_lines(sc, n); break;
	case 'S': scroll(sc, sc->sc_top, sc->sc_bottom, n); break;
	case 'T': scroll(sc, sc->sc_top, sc->sc_bottom, -n); break;
	case 'X':
		blank(sc, sc->sc_pen.p_y, x, (uint32_t)rt_min(x + (uint32_t)n, sc->sc_cols));
		sc->sc_wrap = false;
		break;
	case 'c':
		if (sc->sc_param[0] == 0)
			answer(sc, "\033[?6c");		/* a VT102 */
		break;
	case 'g': clear_tabs(sc); break;
	case 'm': renditions(sc); break;
	case 'n': report(sc); break;
	case 'r': set_region(sc); break;
	}
}

/* ----------------------------------------------------------------- parser -- */

static void
escape(struct screen *sc, uint8_t c)
{
	sc->sc_state = GROUND;
	if (sc->sc_mid == '(' || sc->sc_mid == ')')
		sc->sc_pen.p_drawing[sc->sc_mid == ')'] = c == '0';
	if (sc->sc_mid != 0)
		return;
	switch (c) {
	case '[':
		sc->sc_state = SEQUENCE;
		sc->sc_params = 1;
		memset(sc->sc_param, 0, sizeof(sc->sc_param));
		break;
	case ']': sc->sc_state = OSC; break;
	case 'P':
	case 'X':
	case '^':
	case '_': sc->sc_state = STRING; break;
	case '7': save(sc); break;
	case '8': restore(sc); break;
	case '=':
	case '>': set_mode(sc, SCR_APP_PAD, c == '='); break;
	case 'D': line_feed(sc); break;
	case 'E':
		carriage_return(sc);
		line_feed(sc);
		break;
	case 'H': sc->sc_tab[sc->sc_pen.p_x] = true; break;
	case 'M': reverse_line_feed(sc); break;
	case 'c': reset(sc); break;
	}
}

/* A byte of CSI.  What is not understood makes the whole sequence be ignored. */
static void
sequence_byte(struct screen *sc, uint8_t c)
{
	uint32_t i = sc->sc_params - 1u;

	if (c >= '0' && c <= '9') {
		if (i < SCR_PARAMS)
			sc->sc_param[i] = (uint16_t)rt_min(sc->sc_param[i] * 10u + c - '0',
			    UINT16_MAX);
	} else if (c == ';') {
		if (i < SCR_PARAMS)
			sc->sc_params++;
	} else if (c == '?' && i == 0 && sc->sc_param[0] == 0) {
		sc->sc_mid = c;
	} else if (c < '@') {
		sc->sc_state = IGNORE;
	} else {
		sc->sc_state = GROUND;
		sc->sc_params = (uint8_t)rt_min(sc->sc_params, SCR_PARAMS);
		if (c < 0x7f)
			sequence(sc, c);
	}
}

/* Controls work in the middle of sequences, too. */
static void
control(struct screen *sc, uint8_t c)
{
	switch (c) {
	case '\b': go(sc, sc->sc_pen.p_y, sc->sc_pen.p_x - 1); break;
	case '\t': tab(sc); break;
	case '\n':
	case '\v':
	case '\f':
		line_feed(sc);
		if (mode(sc, SCR_NEWLINE))
			carriage_return(sc);
		break;
	case '\r': carriage_return(sc); break;
	case 0x0e:
	case 0x0f: sc->sc_pen.p_shift = c == 0x0e; break;
	}
}

/* A byte of a command string, of which nothing is kept. */
static void
string_byte(struct screen *sc, uint8_t c)
{
	bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

	if (sc->sc_state == OSC) {
		sc->sc_state = OSC_STRING;
		if (c == 'P')
			sc->sc_state = PALETTE;
		else if (c == 'R' || c == '\a')
			sc->sc_state = GROUND;
		return;
	}
	sc->sc_string++;
	if (sc->sc_state == PALETTE && (!hex || sc->sc_string == PALETTE_DIGITS))
		sc->sc_state = GROUND;
	if (sc->sc_state == OSC_STRING && c == '\a')
		sc->sc_state = GROUND;
	if (sc->sc_string == SCR_STRING_MAX)
		sc->sc_state = GROUND;
}

/* The first byte of a character beyond ASCII: how many follow, and what the next may be. */
static void
utf_begin(struct screen *sc, uint8_t c)
{
	sc->sc_utf_low = 0x80;
	sc->sc_utf_high = 0xbf;
	if (c >= 0xc2 && c <= 0xdf) {
		sc->sc_utf_more = 1;
		sc->sc_utf_ch = c & 0x1f;
	} else if (c >= 0xe0 && c <= 0xef) {
		sc->sc_utf_more = 2;
		sc->sc_utf_ch = c & 0x0f;
		if (c == 0xe0)
			sc->sc_utf_low = 0xa0;		/* overlong */
		else if (c == 0xed)
			sc->sc_utf_high = 0x9f;		/* surrogates */
	} else if (c >= 0xf0 && c <= 0xf4) {
		sc->sc_utf_more = 3;
		sc->sc_utf_ch = c & 0x07;
		if (c == 0xf0)
			sc->sc_utf_low = 0x90;		/* overlong */
		else if (c == 0xf4)
			sc->sc_utf_high = 0x8f;		/* beyond U+10FFFF */
	} else {
		print(sc, REPLACEMENT);
	}
}

/* One of the others.  False: the character broke off before c. */
static bool
utf_next(struct screen *sc, uint8_t c)
{
	if (c < sc->sc_utf_low || c > sc->sc_utf_high) {
		sc->sc_utf_more = 0;
		print(sc, REPLACEMENT);
		return false;
	}
	sc->sc_utf_low = 0x80;
	sc->sc_utf_high = 0xbf;
	sc->sc_utf_ch = sc->sc_utf_ch << 6 | (c & 0x3f);
	if (--sc->sc_utf_more == 0)
		print(sc, sc->sc_utf_ch);
	return true;
}

static void
byte(struct screen *sc, uint8_t c)
{
	if (sc->sc_utf_more > 0 && utf_next(sc, c))
		return;
	if (c == 0x1b) {
		sc->sc_state = ESCAPE;
		sc->sc_mid = 0;
		sc->sc_string = 0;
	} else if (c == 0x18 || c == 0x1a) {
		sc->sc_state = GROUND;
	} else if (sc->sc_state >= OSC) {
		string_byte(sc, c);
	} else if (c < 0x20) {
		control(sc, c);
	} else if (c == 0x7f) {
		return;
	} else if (sc->sc_state == ESCAPE) {
		if (c >= 0x30)
			escape(sc, c);
		else if (sc->sc_mid == 0)
			sc->sc_mid = c;
	} else if (sc->sc_state == SEQUENCE) {
		sequence_byte(sc, c);
	} else if (sc->sc_state == IGNORE) {
		if (c >= '@')
			sc->sc_state = GROUND;
	} else if (c < 0x80) {
		print(sc, c);
	} else {
		utf_begin(sc, c);
	}
}

/* ------------------------------------------------------------------ calls -- */

void
screen_write(struct screen *sc, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		byte(sc, b[i]);
}

void
screen_flush(struct screen *sc, const struct scr_drawer *d)
{
	uint32_t y = sc->sc_pen.p_y, x = sc->sc_pen.p_x;
	bool visible = mode(sc, SCR_CURSOR);
	bool stays = sc->sc_shown && visible && sc->sc_shown_y == y && sc->sc_shown_x == x;

	if (sc->sc_moved != 0 && d->scroll != NULL)
		d->scroll(d->arg, sc->sc_moved_top, sc->sc_moved_bottom, sc->sc_moved);
	else if (sc->sc_moved != 0)
		dirty_rows(sc, sc->sc_moved_top, sc->sc_moved_bottom);
	sc->sc_moved = 0;
	if (sc->sc_shown && !stays)
		dirty(sc, sc->sc_shown_y, sc->sc_shown_x, sc->sc_shown_x + 1);
	if (visible && !stays)
		dirty(sc, y, x, x + 1);
	sc->sc_shown = visible;
	sc->sc_shown_y = y;
	sc->sc_shown_x = x;
	for (uint32_t i = 0; i < sc->sc_rows; i++) {
		struct scr_range *r = &sc->sc_dirty[i];

		if (r->r_end > 0)
			d->draw(d->arg, i, r->r_from, row(sc, i) + r->r_from, r->r_end - r->r_from,
			    visible && i == y ? (int32_t)x : -1);
		r->r_from = r->r_end = 0;
	}
}

void
screen_init(struct screen *sc, struct scr_cell *cells, uint32_t rows, uint32_t cols,
    void (*reply)(void *arg, const char *text, size_t len), void *arg)
{
	ASSERT(rows > 0 && rows <= SCR_ROWS_MAX);
	ASSERT(cols > 0 && cols <= SCR_COLS_MAX);
	memset(sc, 0, sizeof(*sc));
	sc->sc_rows = rows;
	sc->sc_cols = cols;
	sc->sc_answer = reply;
	sc->sc_arg = arg;
	for (uint32_t page = 0; page < 2; page++) {
		sc->sc_page[page].pg_cells = cells + page * (size_t)rows * cols;
		for (uint32_t y = 0; y < rows; y++)
			sc->sc_page[page].pg_row[y] = (uint16_t)y;
	}
	reset(sc);
}
