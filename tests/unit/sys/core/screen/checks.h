/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is true of every screen, and a drawer that knows only what flush tells
 * it: the invariants of screen.c, for its unit test and its fuzzer, which include
 * screen.c before.
 */
#pragma once

static void
check_invariants(const struct screen *sc)
{
	const struct scr_pen *p = &sc->sc_pen;

	ASSERT(p->p_y < sc->sc_rows && p->p_x < sc->sc_cols);
	ASSERT(!sc->sc_wrap || p->p_x + 1u == sc->sc_cols);
	ASSERT(sc->sc_top < sc->sc_bottom && sc->sc_bottom <= sc->sc_rows);
	ASSERT(!mode(sc, SCR_ORIGIN) || (p->p_y >= sc->sc_top && p->p_y < sc->sc_bottom));
	ASSERT(p->p_fg < 16 && p->p_bg < 16 && p->p_shift < 2 && sc->sc_alternate < 2);
	ASSERT(sc->sc_params <= SCR_PARAMS + 1 && sc->sc_utf_more <= 3);
	ASSERT(sc->sc_utf_more == 0 || sc->sc_state == GROUND);
	ASSERT(sc->sc_string <= SCR_STRING_MAX);
	ASSERT(sc->sc_moved == 0 || (uint32_t)(sc->sc_moved < 0 ? -sc->sc_moved : sc->sc_moved) <
	    sc->sc_moved_bottom - sc->sc_moved_top);
	for (uint32_t page = 0; page < 2; page++) {
		bool used[SCR_ROWS_MAX] = { false };

		for (uint32_t y = 0; y < sc->sc_rows; y++) {
			uint32_t at = sc->sc_page[page].pg_row[y];

			ASSERT(at < sc->sc_rows && !used[at]);
			used[at] = true;
		}
	}
	for (uint32_t y = 0; y < sc->sc_rows; y++) {
		const struct scr_range *r = &sc->sc_dirty[y];

		ASSERT(r->r_end == 0 || (r->r_from < r->r_end && r->r_end <= sc->sc_cols));
	}
}

static void
check_cells(const struct screen *sc)
{
	const struct scr_cell *c = sc->sc_page[0].pg_cells;

	for (size_t i = 0; i < screen_cells(sc->sc_rows, sc->sc_cols); i++) {
		ASSERT(c[i].ch >= ' ' && c[i].ch <= 0x10ffff && !takes_no_cell(c[i].ch));
		ASSERT(c[i].ch != 0x7f && (c[i].ch < 0xd800 || c[i].ch > 0xdfff));
		ASSERT(c[i].fg < 16 && c[i].bg < 16);
	}
}

#define VIEW_ROWS	30u
#define VIEW_COLS	90u

/* What a display shows: cells, and where the cursor's picture is. */
struct view {
	struct scr_cell	v_cell[VIEW_ROWS][VIEW_COLS];
	bool		v_cursor[VIEW_ROWS][VIEW_COLS];
	uint32_t	v_drawn;		/* cells */
	uint32_t	v_scrolls;
};

static void
view_draw(void *arg, uint32_t y, uint32_t x, const struct scr_cell *cells, uint32_t n,
    int32_t cursor)
{
	struct view *v = arg;

	ASSERT(y < VIEW_ROWS && x + n <= VIEW_COLS && n > 0);
	v->v_drawn += n;
	for (uint32_t i = 0; i < n; i++) {
		v->v_cell[y][x + i] = cells[i];
		v->v_cursor[y][x + i] = cursor == (int32_t)(x + i);
	}
}

static void
view_move(struct view *v, uint32_t to, uint32_t from)
{
	memcpy(v->v_cell[to], v->v_cell[from], sizeof(v->v_cell[to]));
	memcpy(v->v_cursor[to], v->v_cursor[from], sizeof(v->v_cursor[to]));
}

static void
view_scroll(void *arg, uint32_t top, uint32_t bottom, int32_t lines)
{
	struct view *v = arg;
	uint32_t by = (uint32_t)(lines < 0 ? -lines : lines);

	ASSERT(top < bottom && bottom <= VIEW_ROWS && by > 0 && by < bottom - top);
	v->v_scrolls++;
	if (lines > 0)
		for (uint32_t y = top; y + by < bottom; y++)
			view_move(v, y, y + by);
	else
		for (uint32_t y = bottom; y-- > top + by;)
			view_move(v, y, y - by);
}

/* After a flush the view has the screen's cells and one cursor, where it belongs, or none. */
static void
view_check(struct view *v, struct screen *sc, bool scrolls)
{
	const struct scr_drawer d = { view_draw, scrolls ? view_scroll : NULL, v };

	screen_flush(sc, &d);
	for (uint32_t y = 0; y < sc->sc_rows; y++) {
		ASSERT(memcmp(v->v_cell[y], row(sc, y), sc->sc_cols * sizeof(**v->v_cell)) == 0);
		for (uint32_t x = 0; x < sc->sc_cols; x++)
			ASSERT(v->v_cursor[y][x] == (mode(sc, SCR_CURSOR) && y == sc->sc_pen.p_y &&
			    x == sc->sc_pen.p_x));
	}
}
