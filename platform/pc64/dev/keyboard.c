/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keyboard - what keys mean to whoever reads the console.
 *
 * All keyboards type on one terminal: they have their modifiers and locks in common.
 * For those that do not repeat a held key by themselves a thread does.
 *
 * Locking: [lock].  The lamps are switched under it, so that they end as the locks do.
 */
#include <core/rt/rt.h>
#include <drv/keyboard.h>
#include <drv/lock.h>
#include <drv/thread.h>
#include <machine/clock.h>

#include "dev.h"

static struct drv_lock lock;
static struct text text;		/* [lock] */
static struct keyboard *list;		/* [lock] */
static struct drv_event due;		/* a key may have begun to repeat */
static bool has_repeater;		/* [lock] */

/* [lock] */
static void
lamps(void)
{
	for (struct keyboard *kb = list; kb != NULL; kb = kb->kb_next)
		if (kb->kb_leds != NULL)
			kb->kb_leds(kb, text.tx_leds);
}

/* [lock] */
static void
mean(struct key_event ev)
{
	struct text_bytes out;

	text.tx_app_cursor = console_app_keys();
	switch (text_key(&text, ev, &out)) {
	case TEXT_BYTES:
		stdio_type(out.tb_byte, out.tb_len);
		break;
	case TEXT_LEDS:
		lamps();
		break;
	case TEXT_CTRL_ALT_DEL:
		stdio_leave();
		break;
	default:
		break;
	}
}

void
keyboard_event(struct keyboard *kb, struct key_event ev)
{
	drv_lock(&lock);
	mean(ev);
	if (!kb->kb_repeats)
		text_repeat_key(&kb->kb_repeat, ev, md_now());
	drv_unlock(&lock);
	if (!kb->kb_repeats)
		drv_event_set(&due);
}

static nsec_t
repeat_all(void)
{
	nsec_t next = NSEC_NEVER;
	struct key_event ev;

	drv_lock(&lock);
	for (struct keyboard *kb = list; kb != NULL; kb = kb->kb_next) {
		if (text_repeat_due(&kb->kb_repeat, md_now(), &ev))
			mean(ev);
		next = rt_min(next, kb->kb_repeat.tr_due_ns);
	}
	drv_unlock(&lock);
	return next;
}
_Static_assert(NSEC_NEVER == TEXT_REPEAT_NEVER, "never is never");

static void
repeat_main(void *arg)
{
	(void)arg;
	for (;;)
		(void)drv_event_wait(&due, repeat_all());
}

void
keyboard_attach(struct keyboard *kb)
{
	bool needs_repeater;

	text_repeat_init(&kb->kb_repeat);
	drv_lock(&lock);
	needs_repeater = !kb->kb_repeats && !has_repeater;
	if (needs_repeater) {
		drv_event_init(&due);
		has_repeater = true;
	}
	kb->kb_next = list;
	list = kb;
	if (kb->kb_leds != NULL)
		kb->kb_leds(kb, text.tx_leds);
	drv_unlock(&lock);
	if (needs_repeater && drv_thread("keyrepeat", repeat_main, NULL) != 0)
		drv_log(kb->kb_name, "no memory for the thread that repeats keys");
}
