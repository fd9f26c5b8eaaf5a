/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen - a text terminal as programs expect from TERM=linux: bytes in,
 * cells out.
 *
 * Specification: ECMA-48 for the sequences, the VT100 for what the last
 * column does, console_codes(4) for the choice of sequences and their details;
 * and the second page of ?47, ?1047 and ?1049, which Linux's console lacks.
 *
 * Every character takes one cell.  Combining marks are dropped.  Wide
 * characters of East Asia keep their number but have one cell like all others.
 *
 * Pure: keyboards, bells, blinking and pixels are the caller's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCR_ROWS_MAX	200u
#define SCR_COLS_MAX	400u
#define SCR_PARAMS	16u		/* of a sequence; more are dropped */
#define SCR_STRING_MAX	65536u		/* bytes of a command string; then it is taken for ended */

enum {
	SCR_BOLD = 1 << 0, SCR_FAINT = 1 << 1, SCR_UNDERLINE = 1 << 2, SCR_BLINK = 1 << 3,
	SCR_REVERSE = 1 << 4, SCR_CONCEAL = 1 << 5,
};

struct scr_cell {
	uint32_t	ch;		/* Unicode, never a control */
	uint8_t		fg, bg;		/* indices of scr_palette */
	uint16_t	attr;		/* SCR_BOLD and so on */
};
_Static_assert(sizeof(struct scr_cell) == 8, "two cells in 16 bytes");

/* Red, green and blue of the VGA's colours, in ANSI's order. */
extern const uint8_t scr_palette[16][3];

enum {
	SCR_APP_KEYS = 1 << 0,		/* ?1: cursor keys send SS3 sequences */
	SCR_APP_PAD = 1 << 1,		/* ESC =: so do those of the keypad */
	SCR_NEWLINE = 1 << 2,		/* 20: LF also returns, and Return sends both */
	SCR_INSERT = 1 << 3,		/* 4 */
	SCR_REVERSED = 1 << 4,		/* ?5: SCR_REVERSE is turned round in all cells */
	SCR_ORIGIN = 1 << 5,		/* ?6: rows count from the region's top */
	SCR_WRAP = 1 << 6,		/* ?7 */
	SCR_CURSOR = 1 << 7,		/* ?25: the cursor is visible */
};

/* What ESC 7 saves. */
struct scr_pen {
	uint16_t	p_y, p_x;
	uint16_t	p_attr;
	uint8_t		p_fg, p_bg;
	bool		p_drawing[2];	/* G0, G1: line drawing instead of ASCII */
	uint8_t		p_shift;	/* which of them is in use */
};

struct scr_page {
	struct scr_cell	*pg_cells;			/* rows * cols */
	uint16_t	pg_row[SCR_ROWS_MAX];		/* where in pg_cells each row is */
	struct scr_pen	pg_saved;
};

struct scr_range { uint16_t r_from, r_end; };		/* columns; r_end is 0: none */

struct screen {
	uint32_t	sc_rows, sc_cols;		/* const */
	void		(*sc_answer)(void *arg, const char *text, size_t len);	/* const */
	void		*sc_arg;			/* const */
	struct scr_page	sc_page[2];
	uint32_t	sc_alternate;			/* index of the page on the screen */
	uint32_t	sc_modes;			/* SCR_APP_KEYS and so on */
	struct scr_pen	sc_pen;
	bool		sc_wrap;			/* the next character begins a new line */
	uint32_t	sc_top, sc_bottom;		/* rows [top, bottom) scroll */
	bool		sc_tab[SCR_COLS_MAX];

	uint8_t		sc_state;			/* of the parser */
	uint8_t		sc_mid;				/* first intermediate byte, or ? */
	uint8_t		sc_params;
	uint16_t	sc_param[SCR_PARAMS];
	uint32_t	sc_string;			/* bytes of the command string so far */
	uint8_t		sc_utf_more, sc_utf_low, sc_utf_high;	/* bytes to come, bounds */
	uint32_t	sc_utf_ch;

	struct scr_range sc_dirty[SCR_ROWS_MAX];
	uint32_t	sc_moved_top, sc_moved_bottom;	/* rows that moved up since */
	int32_t		sc_moved;			/* the last flush, by so many lines */
	bool		sc_shown;			/* the drawer's cursor is at: */
	uint32_t	sc_shown_y, sc_shown_x;
};

/*
 * Where flush draws.  `draw` is given cells of one row from column `col` on
 * and the cursor's column, -1 if it is not in this row; that column may lie outside of
 * the cells.  `scroll` moves what is shown in rows [top, bottom) up by `lines`
 * (down if negative; never 0, never all of them); it may leave anything in the rows that become
 * free.  NULL: the rows are drawn again.
 */
struct scr_drawer {
	void	(*draw)(void *arg, uint32_t row, uint32_t col, const struct scr_cell *cells,
		    uint32_t n, int32_t cursor);
	void	(*scroll)(void *arg, uint32_t top, uint32_t bottom, int32_t lines);
	void	*arg;
};

/* How many cells screen_init() needs: two pages. */
static inline size_t screen_cells(uint32_t rows, uint32_t cols) { return (size_t)rows * cols * 2; }

/*
 * The cells stay the caller's and must live as long as the screen.  `answer` gets what
 * the terminal itself would type, during screen_write(); it may be NULL.  All is dirty.
 */
void	screen_init(struct screen *sc, struct scr_cell *cells, uint32_t rows, uint32_t cols,
	    void (*answer)(void *arg, const char *text, size_t len), void *arg);
/* Bytes from programs, cut anywhere: sequences and characters may go on in the next call. */
void	screen_write(struct screen *sc, const void *bytes, size_t len);
/* Bring the drawer up to date with as little as is known to have changed. */
void	screen_flush(struct screen *sc, const struct scr_drawer *d);
