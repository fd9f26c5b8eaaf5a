/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * i8042 - the keyboard of a PC, or what its firmware makes of a USB one.
 *
 * The controller translates, so what comes is scan code set 1.  The keyboard
 * repeats by itself.
 */
#include <core/kbd/scan.h>
#include <core/kbd/text.h>
#include <core/rt/rt.h>

#include "../cpu/pc.h"
#include "dev.h"

enum {
	DATA = 0x60, STATUS = 0x64, COMMAND = 0x64,
	ST_FULL = 1, ST_BUSY = 2, ST_AUX = 0x20,
	CMD_READ = 0x20, CMD_WRITE = 0x60, CMD_NO_AUX = 0xa7, CMD_KEYBOARD = 0xae,
	CONF_IRQ = 1, CONF_AUX_IRQ = 2, CONF_KEYBOARD_OFF = 0x10, CONF_TRANSLATE = 0x40,
	KBD_ENABLE = 0xf4, NOTHING_THERE = 0xff,
};
#define WAIT_TURNS	100000u

static struct scan scan;		/* [CPU 0's interrupt] */
static struct text keys;		/* likewise */

static bool
wait_for(uint8_t bit, bool set)
{
	for (uint32_t i = 0; i < WAIT_TURNS; i++)
		if (((inb(STATUS) & bit) != 0) == set)
			return true;
	return false;
}

static void
put(uint16_t port, uint8_t v)
{
	if (wait_for(ST_BUSY, false))
		outb(port, v);
}

void
i8042_setup(void)
{
	uint8_t conf;

	if (inb(STATUS) == NOTHING_THERE)
		return;
	scan_init(&scan, SCAN_SET1);
	put(COMMAND, CMD_NO_AUX);
	put(COMMAND, CMD_KEYBOARD);
	for (uint32_t i = 0; i < 32 && (inb(STATUS) & ST_FULL) != 0; i++)
		(void)inb(DATA);
	put(COMMAND, CMD_READ);
	conf = wait_for(ST_FULL, true) ? inb(DATA) : 0;
	conf = (uint8_t)((conf & ~(CONF_AUX_IRQ | CONF_KEYBOARD_OFF)) | CONF_IRQ | CONF_TRANSLATE);
	put(COMMAND, CMD_WRITE);
	put(DATA, conf);
	put(DATA, KBD_ENABLE);		/* it answers ACK, which scan_byte() knows */
}

/* What a key means to whoever reads the terminal.  True: Ctrl-Alt-Del. */
static bool
key(struct key_event ev)
{
	struct text_bytes out;

	keys.tx_app_cursor = console_app_keys();
	switch (text_key(&keys, ev, &out)) {
	case TEXT_BYTES:
		stdio_type(out.tb_byte, out.tb_len);
		return false;
	case TEXT_CTRL_ALT_DEL:
		return true;
	default:
		return false;
	}
}

bool
i8042_interrupt(void)
{
	bool leave = false;
	uint8_t status;

	while (((status = inb(STATUS)) & ST_FULL) != 0) {
		uint8_t byte = inb(DATA);
		struct key_event ev;
		enum scan_what what;

		if ((status & ST_AUX) != 0)
			continue;
		what = scan_byte(&scan, byte, &ev);
		if (what == SCAN_KEY || what == SCAN_BAT_OK || what == SCAN_BAT_FAILED)
			leave |= key(ev);
	}
	return leave;
}
