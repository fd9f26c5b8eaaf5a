/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console - where a person sits: the first serial line and, if the loader
 * gave a framebuffer, a screen; both show the same, and keys of both are one input.
 * The argument console=NAME sends what the kernel says to another terminal, too, whose driver comes
 * later: until then it is kept.
 *
 * Locking: [busy].  Last words do not wait for it for ever: whoever has it may be what failed.
 */
#include <core/pc/bootinfo.h>
#include <core/rt/rt.h>
#include <core/screen/fb.h>
#include <core/screen/screen.h>
#include <drv/console.h>
#include <machine/boot.h>

#include "../cpu/pc.h"
#include "dev.h"

#define WAIT_TURNS	1000000u
#define KEPT_BYTES	16384u		/* what comes after them is in the log only */

static struct fb fb;			/* const after boot */
static struct screen sc;		/* [busy] */
static bool has_screen;			/* const after boot */
static _Atomic uint32_t busy;		/* [atomic] a lock */
static struct console_voice *_Atomic voice;	/* [busy to change] that of console=NAME; NULL: none yet */
static char kept[KEPT_BYTES];		/* [busy] said before it came */
static size_t nkept;			/* [busy] */

static void
draw(void *arg, uint32_t row, uint32_t col, const struct scr_cell *cells, uint32_t n, int32_t cursor)
{
	(void)arg;
	fb_draw(&fb, row, col, cells, n, cursor);
}

/* A card's memory is slow to read, so rows are drawn again where they could be moved. */
static const struct scr_drawer drawer = { draw, NULL, NULL };

static void
answer(void *arg, const char *text, size_t len)
{
	(void)arg;
	stdio_type(text, len);
}

void
console_setup(const struct bi_fb *b)
{
	const uint64_t bytes = (uint64_t)b->fb_pitch * b->fb_height;
	struct fb_mode m = {
		.m_bytes = bytes, .m_pitch = b->fb_pitch, .m_width = b->fb_width, .m_height = b->fb_height,
		.m_depth = (b->fb_bpp + 7u) / 8,
		.m_field = {
			{ b->fb_red_pos, b->fb_red_size }, { b->fb_green_pos, b->fb_green_size },
			{ b->fb_blue_pos, b->fb_blue_size },
		},
	};
	struct scr_cell *cells;
	size_t need;

	if (b->fb_kind != BI_FB_RGB || (m.m_pixels = mmu_io(b->fb_pa, bytes)) == NULL)
		return;
	if (!fb_init(&fb, &m, &font_console))
		return;
	need = screen_cells(fb.fb_rows, fb.fb_cols) * sizeof *cells;
	cells = md_p2v(pool_page());
	for (size_t n = PAGE_BYTES; n < need; n += PAGE_BYTES)
		(void)pool_page();
	screen_init(&sc, cells, fb.fb_rows, fb.fb_cols, answer, NULL);
	fb_clear(&fb);
	has_screen = true;
}

bool
console_size(uint16_t *rows, uint16_t *cols)
{
	*rows = (uint16_t)fb.fb_rows;
	*cols = (uint16_t)fb.fb_cols;
	return has_screen;
}

bool
console_app_keys(void)
{
	return has_screen && (sc.sc_modes & SCR_APP_KEYS) != 0;
}

static void
show(const void *buf, size_t len)
{
	serial_write(0, buf, len);
	if (!has_screen)
		return;
	screen_write(&sc, buf, len);
	screen_flush(&sc, &drawer);
}

void
console_write(const void *buf, size_t len)
{
	while (atomic_exchange(&busy, 1) != 0)
		__builtin_ia32_pause();
	show(buf, len);
	atomic_store(&busy, 0);
}

/* Lines end as a terminal wants it. */
static void
each_line(const char *text, size_t len, void (*say)(const void *text, size_t len))
{
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - text);

		say(text, n);
		if (nl != NULL)
			say("\r\n", 2);
		n += nl != NULL;
		text += n;
		len -= n;
	}
}

static void
voice_say(const void *text, size_t len)
{
	voice->cv_say(voice, text, len);
}

static void
lock_for_last_words(void)
{
	for (uint32_t i = 0; i < WAIT_TURNS && atomic_exchange(&busy, 1) != 0; i++)
		__builtin_ia32_pause();
}

void
console_emergency(const char *text, size_t len)
{
	lock_for_last_words();
	each_line(text, len, show);
	atomic_store(&busy, 0);
}

/* Soon: whoever speaks may hold any lock. */
static void
flush_later(void)
{
	if (voice->cv_flush != NULL)
		md_kick(0, MD_INTR_CHR);
}

void
console_flush(void)
{
	if (voice != NULL && voice->cv_flush != NULL)
		voice->cv_flush(voice);
}

void
console_also(const char *text, size_t len)
{
	lock_for_last_words();
	if (voice != NULL) {
		each_line(text, len, voice_say);
		flush_later();
	} else {
		len = rt_min(len, KEPT_BYTES - nkept);
		memcpy(kept + nkept, text, len);
		nkept += len;
	}
	atomic_store(&busy, 0);
}

void
console_attach(struct console_voice *cv)
{
	const char *words = md_boot()->b_append, *name;
	bool chosen = false, intr;
	size_t len;

	while (!chosen && rt_word(&words, "console", &name, &len))
		chosen = len == strlen(cv->cv_name) && memcmp(name, cv->cv_name, len) == 0;
	if (!chosen || voice != NULL)
		return;
	intr = intr_save();
	lock_for_last_words();
	voice = cv;
	each_line(kept, nkept, voice_say);
	flush_later();
	atomic_store(&busy, 0);
	intr_restore(intr);
}
