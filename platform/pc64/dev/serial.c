/* SPDX-License-Identifier: BSD-2-Clause */
/* serial - 16550 lines at their traditional ports: 115200 baud, 8 bits, FIFOs, written by waiting. */
#include <core/rt/rt.h>

#include "../cpu/pc.h"
#include "dev.h"

enum {
	DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7,
	LCR_8N1 = 3, LCR_DIVISOR = 0x80, MCR_ON = 0x0b, LSR_READY = 1, LSR_EMPTY = 0x20,
	FIFO_BYTES = 16,
};
#define WAIT_TURNS	1000000u	/* a line that takes longer to be empty is not read by anybody */

static const uint16_t ports[4] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
static bool is_there[4];		/* const after boot */

void
serial_setup(uint32_t line)
{
	const uint16_t p = ports[line];

	outb(p + SCRATCH, 0x5a);
	if (inb(p + SCRATCH) != 0x5a)
		return;
	outb(p + IER, 0);
	outb(p + LCR, LCR_DIVISOR);
	outb(p + DATA, 1);
	outb(p + IER, 0);
	outb(p + LCR, LCR_8N1);
	outb(p + FCR, 0x01);	/* what has come already is kept */
	outb(p + MCR, MCR_ON);
	is_there[line] = true;
}

void
serial_listen(uint32_t line)
{
	if (is_there[line])
		outb(ports[line] + IER, 1);
}

void
serial_write(uint32_t line, const void *buf, size_t len)
{
	const uint16_t p = ports[line];
	const uint8_t *s = buf;

	for (size_t i = 0; i < len && is_there[line]; i++) {
		if (i % FIFO_BYTES == 0)
			for (uint32_t n = 0; n < WAIT_TURNS && (inb(p + LSR) & LSR_EMPTY) == 0; n++)
				__builtin_ia32_pause();
		outb(p + DATA, s[i]);
	}
}

bool
serial_read(uint32_t line, uint8_t *c)
{
	if (!is_there[line] || (inb(ports[line] + LSR) & LSR_READY) == 0)
		return false;
	*c = inb(ports[line] + DATA);
	return true;
}
