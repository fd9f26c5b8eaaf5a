/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen - any bytes at all, on a terminal.
 *
 * The first piece is the size, and whether the view can scroll; the rest is
 * written, and now and then the view is brought up to date, which must then
 * show what the screen holds.
 */
#include "fake.h"

#include "../../sys/core/rt/fmt.c"
#include "../../sys/core/screen/screen.c"
#include "../unit/sys/core/screen/checks.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
hear(void *arg, const char *text, size_t len)
{
	ASSERT(arg == NULL && len > 0 && text[0] == '\033');
	fake_read(text, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct screen sc;
	static struct view view;
	struct scr_cell *cells;
	const uint8_t *size;
	uint32_t rows, cols;
	size_t n;

	fake_begin(data, 0);
	size = fake_piece(&data, &len, &n);
	rows = n > 0 ? 1 + size[0] % VIEW_ROWS : 24;
	cols = n > 1 ? 1 + size[1] % VIEW_COLS : 80;
	cells = malloc(screen_cells(rows, cols) * sizeof(*cells));
	screen_init(&sc, cells, rows, cols, hear, NULL);
	memset(&view, 0, sizeof(view));
	for (size_t i = 0; i < len; i++) {
		screen_write(&sc, data + i, 1);
		check_invariants(&sc);
		if ((data[i] ^ i) % 32 == 0)
			view_check(&view, &sc, n < 3);
	}
	check_cells(&sc);
	view_check(&view, &sc, true);
	free(cells);
	fake_done();
	return 0;
}
