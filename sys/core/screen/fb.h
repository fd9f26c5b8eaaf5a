/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fb - a screen's cells as pixels of a linear framebuffer.
 *
 * Any true-colour mode: 2, 3 or 4 bytes a pixel, little-endian, with a field each
 * for red, green and blue.  Glyphs are 8 by 16 pixels, twice that on high modes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scr_cell;

#define FONT_WIDTH	8u
#define FONT_HEIGHT	16u	/* and bytes of a glyph: one a line, leftmost pixel highest */

struct font_map { uint16_t ch, glyph; };

struct font {
	uint32_t		fn_glyphs, fn_chars;
	const uint8_t		*fn_bits;	/* glyphs * FONT_HEIGHT */
	const struct font_map	*fn_map;	/* chars, by rising code point; glyph < glyphs */
};

extern const struct font font_console;		/* made by scripts/gen/mkfont.sh */

/* A character's glyph; else U+FFFD's, else that of '?', else the first. */
const uint8_t *font_glyph(const struct font *font, uint32_t ch);

#define FB_SIDE_MAX	16384u		/* pixels */

struct fb_field { uint8_t f_pos, f_bits; };	/* lowest bit in the pixel, width */

/* What a boot loader tells of the framebuffer.  It is believed only after fb_init(). */
struct fb_mode {
	void		*m_pixels;
	size_t		m_bytes;		/* that may be written there */
	uint32_t	m_pitch;		/* bytes from a line to the next */
	uint32_t	m_width, m_height;	/* pixels */
	uint32_t	m_depth;		/* bytes of a pixel */
	struct fb_field	m_field[3];		/* red, green, blue */
};

struct fb {
	struct fb_mode	fb_mode;
	const struct font *fb_font;
	uint32_t	fb_scale;		/* 1 or 2 */
	uint32_t	fb_rows, fb_cols;	/* of cells; a screen can have that many */
	uint32_t	fb_colour[16];		/* pixels of scr_palette */
};

/* False: a mode that cannot be drawn into, or is smaller than a cell. */
bool	fb_init(struct fb *fb, const struct fb_mode *mode, const struct font *font);
/* All pixels black. */
void	fb_clear(const struct fb *fb);
/* n cells of a row from column `col` on; the cursor is a block in its column, if among them. */
void	fb_draw(const struct fb *fb, uint32_t row, uint32_t col, const struct scr_cell *cells,
	    uint32_t n, int32_t cursor);
/*
 * Pixels of rows [top, bottom) go up by `lines` (down if negative; neither 0 nor all); the
 * rows that become free keep what they had.  This reads the framebuffer, which is slow
 * where it is a card's: then draw the rows again instead.
 */
void	fb_scroll(const struct fb *fb, uint32_t top, uint32_t bottom, int32_t lines);
