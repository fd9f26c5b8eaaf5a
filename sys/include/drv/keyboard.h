/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/keyboard - keyboards, all of which type on one console.
 */
#pragma once
#include <core/kbd/key.h>
#include <machine/types.h>

struct keyboard {
	const char	*kb_name;	/* const */
	void		(*kb_leds)(struct keyboard *kb, uint8_t leds);	/* KEY_LED_*; any context, or NULL */
	bool		kb_repeats;	/* const: a held key is told again and again by itself */
	void		*kb_driver;	/* const: the driver's */
	struct keyboard	*kb_next;	/* [the console] */
};
void	keyboard_attach(struct keyboard *kb);	/* a thread's; for ever */
void	keyboard_event(struct keyboard *kb, struct key_event ev);	/* one at a time for each */
