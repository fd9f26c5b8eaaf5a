/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan - a PS/2 keyboard's bytes in, key events and answers to commands out.
 *
 * Sets 1 and 2 of the IBM PS/2 Technical Reference ("Keyboards and Auxiliary
 * Devices") and Microsoft's "Keyboard Scan Code Specification" 1.3a.
 */
#pragma once
#include <core/kbd/key.h>

enum scan_set {
	SCAN_SET1,		/* what an 8042 makes of set 2 when it translates */
	SCAN_SET2,
};

enum scan_what {
	SCAN_NOTHING,		/* a part of something, or nothing known */
	SCAN_KEY,		/* *ev is set */
	SCAN_ACK, SCAN_RESEND,	/* FA and FE: answers to the last byte of a command */
	SCAN_BAT_OK,		/* AA: the keyboard is new or was reset; *ev: all keys are up */
	SCAN_BAT_FAILED,	/* FC, FD: the same, but it found itself broken */
};

struct scan {
	enum scan_set	sc_set;		/* const */
	uint8_t		sc_state;	/* which prefix came: scan.c */
	bool		sc_release;	/* set 2: F0 came */
	struct key_set	sc_down;
};

void	scan_init(struct scan *s, enum scan_set set);
/*
 * One byte from the keyboard.  *ev is written as SCAN_* says.  What a command
 * asks for (an identity after F2, a set after F0) looks like keys: the driver
 * takes such bytes itself.
 */
enum scan_what scan_byte(struct scan *s, uint8_t byte, struct key_event *ev);
/* KEY_LED_* as the argument of command ED. */
uint8_t	scan_leds(uint8_t leds);
