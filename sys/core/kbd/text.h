/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text - key events in, what a terminal's line gets out: bytes as TERM=linux
 * describes them (terminfo), for the US layout.
 *
 * And auto-repeat, for keyboards that do not repeat by themselves.
 */
#pragma once
#include <core/kbd/key.h>

enum text_what {
	TEXT_NOTHING,
	TEXT_BYTES,				/* *out is set */
	TEXT_LEDS,				/* tx_leds changed: show it on all keyboards */
	TEXT_SCROLL_UP, TEXT_SCROLL_DOWN,	/* Shift with PgUp, PgDn */
	TEXT_CTRL_ALT_DEL,
};

#define TEXT_BYTES_MAX	6u		/* ESC, and ESC [ 1 7 ~ */

struct text_bytes {
	uint8_t		tb_len;			/* at least 1 */
	uint8_t		tb_byte[TEXT_BYTES_MAX];	/* a 0 is a byte, not an end */
};

/* All 0 at first, or with locks that are on; one for all keyboards of a terminal. */
struct text {
	uint8_t		tx_modifiers;		/* down now: bit n is usage E0 + n */
	uint8_t		tx_leds;		/* KEY_LED_*: locks that are on */
	bool		tx_app_cursor;		/* DECCKM, the caller's: ESC O, not ESC [ */
};

enum text_what text_key(struct text *t, struct key_event ev, struct text_bytes *out);

#define TEXT_REPEAT_DELAY_NS	250000000u
#define TEXT_REPEAT_PERIOD_NS	33333333u	/* 30 a second */
#define TEXT_REPEAT_LATE_NS	5000000u
#define TEXT_REPEAT_NEVER	UINT64_MAX

/* Of one keyboard.  Times are nanoseconds of any clock that does not go back. */
struct text_repeat {
	uint8_t		tr_key;			/* the key that repeats, KEY_NONE: none */
	bool		tr_was_late;		/* and therefore not told of */
	uint64_t	tr_due_ns;		/* its next repeat; TEXT_REPEAT_NEVER without one */
};

void	text_repeat_init(struct text_repeat *r);
/* The keyboard's event at now_ns. */
void	text_repeat_key(struct text_repeat *r, struct key_event ev, uint64_t now_ns);
/*
 * True: *ev is a repeat that was due, at most one however late the caller is.
 * One that comes TEXT_REPEAT_LATE_NS late is sent away for a period, every other time: what kept it
 * away may have kept the key's release away as well.
 */
bool	text_repeat_due(struct text_repeat *r, uint64_t now_ns, struct key_event *ev);
