/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * i8042 - the keyboard of a PC, or what its firmware makes of a USB one.
 *
 * The controller translates, so what comes is scan code set 1.  The keyboard
 * repeats by itself.
 *
 * Lamps are set by a command and its argument, each of which the keyboard
 * acknowledges; keys may come between.  The handler sends both, so that nobody
 * else writes to the keyboard.
 */
#include <core/kbd/scan.h>
#include <core/rt/rt.h>
#include <drv/keyboard.h>

#include "dev.h"
#include "vector.h"

enum {
	DATA = 0x60, STATUS = 0x64, COMMAND = 0x64,
	ST_FULL = 1, ST_BUSY = 2, ST_AUX = 0x20,
	CMD_READ = 0x20, CMD_WRITE = 0x60, CMD_NO_AUX = 0xa7, CMD_KEYBOARD = 0xae,
	CONF_IRQ = 1, CONF_AUX_IRQ = 2, CONF_KEYBOARD_OFF = 0x10, CONF_TRANSLATE = 0x40,
	KBD_LEDS = 0xed, KBD_ENABLE = 0xf4, NOTHING_THERE = 0xff,
};
#define WAIT_TURNS	100000u
#define IRQ		1
#define LAMPS_NEW	0x100u

static struct scan scan;		/* [handler] */
static struct vector *vector;		/* const after boot; NULL: no keyboard */
static _Atomic uint32_t lamps;		/* [atomic] KEY_LED_*; LAMPS_NEW: not told yet */
static enum { IDLE, COMMAND_SENT, LAMPS_SENT } step;	/* [handler] what the next ACK is for */

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

static void
set_leds(struct keyboard *kb, uint8_t leds)
{
	(void)kb;
	atomic_store(&lamps, leds | LAMPS_NEW);
	if (vector != NULL)
		vector_raise(vector);
}

static struct keyboard keyboard = { .kb_name = "i8042", .kb_leds = set_leds, .kb_repeats = true };

/* If the controller is still busy with a byte of ours, the next interrupt is early enough. */
static void
lamps_begin(void)
{
	if (step == IDLE && (atomic_load(&lamps) & LAMPS_NEW) != 0 && (inb(STATUS) & ST_BUSY) == 0) {
		outb(DATA, KBD_LEDS);
		step = COMMAND_SENT;
	}
}

static void
answered(bool ok)
{
	if (!ok || step != COMMAND_SENT) {
		step = IDLE;
		return;
	}
	put(DATA, scan_leds((uint8_t)atomic_fetch_and(&lamps, ~LAMPS_NEW)));
	step = LAMPS_SENT;
}

static void
handle(void *arg)
{
	uint8_t status;

	(void)arg;
	while (((status = inb(STATUS)) & ST_FULL) != 0) {
		uint8_t byte = inb(DATA);
		struct key_event ev;
		enum scan_what what;

		if ((status & ST_AUX) != 0)
			continue;
		what = scan_byte(&scan, byte, &ev);
		if (what == SCAN_ACK || what == SCAN_RESEND)
			answered(what == SCAN_ACK);
		else if (what != SCAN_NOTHING)
			keyboard_event(&keyboard, ev);
	}
	lamps_begin();
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
	vector = vector_line(IRQ, handle, NULL);
	put(DATA, KBD_ENABLE);		/* it answers ACK, which nothing waits for */
	keyboard_attach(&keyboard);
}
