/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serial - 16550 lines at their traditional ports: 115200 baud, 8 bits, FIFOs.
 *
 * Last words are written by waiting, and not for ever; a stream's bytes as far as
 * they go out, and then the line interrupts when there is room.
 */
#include <core/rt/rt.h>

#include "../cpu/pc.h"
#include "dev.h"

enum {
	DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7,
	LCR_8N1 = 3, LCR_DIVISOR = 0x80, MCR_ON = 0x0b, LSR_READY = 1, LSR_EMPTY = 0x20,
	IER_READY = 1, IER_EMPTY = 2, FIFO_BYTES = 16,
};
#define WAIT_TURNS	1000000u	/* a line that takes longer to be empty is not read by anybody */
#define SEND_TURNS	1000u

static const uint16_t ports[4] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
static bool is_there[4];		/* const after boot */
static uint8_t enabled[4];		/* [the caller's] as in the register */

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

static void
enable(uint32_t line, uint8_t bits)
{
	enabled[line] = bits;
	if (is_there[line])
		outb(ports[line] + IER, bits);
}

void
serial_listen(uint32_t line)
{
	enable(line, enabled[line] | IER_READY);
}

void
serial_wait_room(uint32_t line, bool on)
{
	enable(line, (uint8_t)(on ? enabled[line] | IER_EMPTY : enabled[line] & ~IER_EMPTY));
}

static bool
becomes_empty(uint32_t line, uint32_t turns)
{
	while ((inb(ports[line] + LSR) & LSR_EMPTY) == 0) {
		if (turns-- == 0)
			return false;
		__builtin_ia32_pause();
	}
	return true;
}

void
serial_write(uint32_t line, const void *buf, size_t len)
{
	const uint8_t *s = buf;

	for (size_t i = 0; i < len && is_there[line]; i++) {
		if (i % FIFO_BYTES == 0)
			(void)becomes_empty(line, WAIT_TURNS);
		outb(ports[line] + DATA, s[i]);
	}
}

size_t
serial_send(uint32_t line, const void *buf, size_t len)
{
	const uint8_t *s = buf;

	for (size_t i = 0; i < len && is_there[line]; i++) {
		if (i % FIFO_BYTES == 0 && !becomes_empty(line, SEND_TURNS))
			return i;
		outb(ports[line] + DATA, s[i]);
	}
	return len;
}

bool
serial_read(uint32_t line, uint8_t *c)
{
	if (!is_there[line] || (inb(ports[line] + LSR) & LSR_READY) == 0)
		return false;
	*c = inb(ports[line] + DATA);
	return true;
}
