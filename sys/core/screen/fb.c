/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fb - glyphs become pixels.
 *
 * Memory of a display is slow to write in small pieces and slower to read.  So
 * cells are drawn a few at a time: each line of their pixels is composed in a
 * small buffer, which is then copied as one piece (twice at scale 2).
 *
 * fb_init() is the only judge of the mode, which comes from outside.  After it,
 *   F1  height lines of width * depth bytes, pitch apart, are inside bytes
 *   F2  rows * FONT_HEIGHT * scale <= height, cols * FONT_WIDTH * scale <= width
 * so that what is inside the cells is inside the buffer.
 *
 * Blinking is not drawn.  Locking: none, the caller's.
 */
#include <core/rt/rt.h>
#include <core/screen/fb.h>
#include <core/screen/screen.h>

#define CHUNK_CELLS	32u
#define CHUNK_BYTES	(CHUNK_CELLS * FONT_WIDTH * 2 * 4) /* at scale 2 and depth 4 */
#define HIGH_MODE	1600u			/* lines from which on the scale is 2 */
#define BRIGHT		8u			/* what this adds to a colour's number */

/* A cell as it looks. */
struct look {
	const uint8_t	*bits;
	uint32_t	fg, bg;		/* pixels */
	bool		underline;
};

static const uint8_t *
find_glyph(const struct font *font, uint32_t ch)
{
	uint32_t low = 0, high = font->fn_chars;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (font->fn_map[mid].ch == ch)
			return font->fn_bits + (size_t)font->fn_map[mid].glyph * FONT_HEIGHT;
		if (font->fn_map[mid].ch < ch)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const uint8_t *
font_glyph(const struct font *font, uint32_t ch)
{
	const uint8_t *bits = find_glyph(font, ch);

	if (bits == NULL)
		bits = find_glyph(font, 0xfffd);
	if (bits == NULL)
		bits = find_glyph(font, '?');
	return bits != NULL ? bits : font->fn_bits;
}

/* The pixel of a colour: eight bits each, widened or narrowed to the field. */
static uint32_t
pixel(const struct fb_mode *m, const uint8_t rgb[3])
{
	uint32_t p = 0;

	for (uint32_t i = 0; i < 3; i++)
		p |= (rgb[i] * 0x101u >> (16 - m->m_field[i].f_bits)) << m->m_field[i].f_pos;
	return p;
}

/* Each colour has bits, up to 16 of them, in the pixel and of its own. */
static bool
fields_ok(const struct fb_mode *m)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < 3; i++) {
		const struct fb_field *f = &m->m_field[i];
		uint64_t mask;

		if (f->f_bits == 0 || f->f_bits > 16)
			return false;
		if ((uint32_t)f->f_pos + f->f_bits > m->m_depth * 8)
			return false;
		mask = ((1ull << f->f_bits) - 1) << f->f_pos;
		if ((used & mask) != 0)
			return false;
		used |= mask;
	}
	return true;
}

/* F1 */
static bool
mode_ok(const struct fb_mode *m)
{
	if (m->m_pixels == NULL || m->m_depth < 2 || m->m_depth > 4)
		return false;
	if (m->m_width > FB_SIDE_MAX || m->m_height > FB_SIDE_MAX)
		return false;
	if (m->m_width < FONT_WIDTH || m->m_height < FONT_HEIGHT)
		return false;
	if (m->m_pitch < m->m_width * m->m_depth)
		return false;
	if ((uint64_t)m->m_pitch * m->m_height > m->m_bytes)
		return false;
	return fields_ok(m);
}

bool
fb_init(struct fb *fb, const struct fb_mode *mode, const struct font *font)
{
	ASSERT(font->fn_glyphs > 0);
	if (!mode_ok(mode))
		return false;
	fb->fb_mode = *mode;
	fb->fb_font = font;
	fb->fb_scale = mode->m_height >= HIGH_MODE && mode->m_width >= 2 * FONT_WIDTH ? 2 : 1;
	fb->fb_rows = (uint32_t)rt_min(mode->m_height / (FONT_HEIGHT * fb->fb_scale), SCR_ROWS_MAX);
	fb->fb_cols = (uint32_t)rt_min(mode->m_width / (FONT_WIDTH * fb->fb_scale), SCR_COLS_MAX);
	for (uint32_t i = 0; i < 16; i++)
		fb->fb_colour[i] = pixel(mode, scr_palette[i]);
	return true;
}

static uint8_t *
line_at(const struct fb *fb, uint32_t line)
{
	return (uint8_t *)fb->fb_mode.m_pixels + (size_t)line * fb->fb_mode.m_pitch;
}

void
fb_clear(const struct fb *fb)
{
	for (uint32_t y = 0; y < fb->fb_mode.m_height; y++)
		memset(line_at(fb, y), 0, fb->fb_mode.m_width * fb->fb_mode.m_depth);
}

static struct look
look(const struct fb *fb, const struct scr_cell *c, bool cursor)
{
	uint32_t fg = c->fg % 16, bg = c->bg % 16, swap;

	if ((c->attr & SCR_BOLD) != 0)
		fg |= BRIGHT;
	else if ((c->attr & SCR_FAINT) != 0)
		fg = BRIGHT;			/* dark grey */
	if (((c->attr & SCR_REVERSE) != 0) != cursor) {
		swap = fg;
		fg = bg;
		bg = swap;
	}
	if ((c->attr & SCR_CONCEAL) != 0)
		fg = bg;
	return (struct look){ font_glyph(fb->fb_font, c->ch), fb->fb_colour[fg], fb->fb_colour[bg],
	    (c->attr & SCR_UNDERLINE) != 0 };
}

/*
 * Line y of n glyphs; returns its bytes.  Each pixel is stored as four bytes, of
 * which the next one takes back what is beyond the depth.  (The builtin, because a
 * freestanding compiler makes a call of memcpy.)
 */
static size_t
compose(const struct fb *fb, uint8_t *buf, const struct look *l, uint32_t n, uint32_t y)
{
	uint32_t depth = fb->fb_mode.m_depth, scale = fb->fb_scale;
	uint8_t *at = buf;

	for (; n > 0; n--, l++) {
		uint32_t bits = l->underline && y == FONT_HEIGHT - 2 ? 0xff : l->bits[y];

		for (uint32_t mask = 0x80; mask != 0; mask >>= 1) {
			uint32_t p = (bits & mask) != 0 ? l->fg : l->bg;

			for (uint32_t i = 0; i < scale; i++, at += depth)
				__builtin_memcpy(at, &p, sizeof(p));
		}
	}
	return (size_t)(at - buf);
}

static void
draw_chunk(const struct fb *fb, uint32_t row, uint32_t col, const struct look *l, uint32_t n)
{
	uint32_t line = row * FONT_HEIGHT * fb->fb_scale;
	size_t from = (size_t)col * FONT_WIDTH * fb->fb_scale * fb->fb_mode.m_depth, bytes;
	uint8_t buf[CHUNK_BYTES];

	for (uint32_t y = 0; y < FONT_HEIGHT; y++) {
		bytes = compose(fb, buf, l, n, y);
		for (uint32_t i = 0; i < fb->fb_scale; i++, line++)
			memcpy(line_at(fb, line) + from, buf, bytes);
	}
}

void
fb_draw(const struct fb *fb, uint32_t row, uint32_t col, const struct scr_cell *cells, uint32_t n,
    int32_t cursor)
{
	struct look l[CHUNK_CELLS];

	ASSERT(row < fb->fb_rows);
	ASSERT(col <= fb->fb_cols && n <= fb->fb_cols - col);
	while (n > 0) {
		uint32_t some = (uint32_t)rt_min(n, CHUNK_CELLS);

		for (uint32_t i = 0; i < some; i++)
			l[i] = look(fb, cells + i, cursor >= 0 && (uint32_t)cursor == col + i);
		draw_chunk(fb, row, col, l, some);
		cells += some;
		col += some;
		n -= some;
	}
}

void
fb_scroll(const struct fb *fb, uint32_t top, uint32_t bottom, int32_t lines)
{
	uint32_t by = (uint32_t)(lines < 0 ? -(int64_t)lines : lines);
	uint32_t each = FONT_HEIGHT * fb->fb_scale;
	size_t bytes = (size_t)fb->fb_cols * FONT_WIDTH * fb->fb_scale * fb->fb_mode.m_depth;
	uint32_t first = top * each, last = (bottom - by) * each;

	ASSERT(top < bottom && bottom <= fb->fb_rows);
	ASSERT(by > 0 && by < bottom - top);
	if (lines >= 0)
		for (uint32_t y = first; y < last; y++)
			memcpy(line_at(fb, y), line_at(fb, y + by * each), bytes);
	else
		for (uint32_t y = last; y-- > first;)
			memcpy(line_at(fb, y + by * each), line_at(fb, y), bytes);
}
