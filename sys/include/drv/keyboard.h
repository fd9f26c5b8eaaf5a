/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/keyboard - keyboards, all of which type on one console.
 *
 * kb_leds is called from keyboard_event(), too: a driver calls that without its own locks.
 */
#pragma once
#include <core/kbd/text.h>
#include <machine/types.h>

struct keyboard {
	const char	*kb_name;	/* const */
	/* KEY_LED_*; any context; may be NULL */
	void		(*kb_leds)(struct keyboard *kb, uint8_t leds);
	bool		kb_repeats;	/* const: a held key is told again and again by itself */
	void		*kb_driver;	/* const: the driver's */
	struct text_repeat kb_repeat;	/* [the console] */
	struct keyboard	*kb_next;	/* [the console] */
};
void	keyboard_attach(struct keyboard *kb);	/* a thread's; for ever */
/* Any context, one at a time for each. */
void	keyboard_event(struct keyboard *kb, struct key_event ev);
