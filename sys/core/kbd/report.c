/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report - boot protocol reports.
 *
 * A report is the state of the whole keyboard: a byte of modifiers (bit n is
 * usage E0 + n), a byte for nobody, six usages of keys that are down, in any
 * order.  Events are the difference to the state before: releases, then
 * modifiers, so that they hold for the keys of the same report, then keys in
 * the report's order.
 *
 * Usages 01 to 03 stand for an error, usually too many keys at once: then
 * the keys are unknown and stay as they were; modifiers are still good.
 *
 * Invariant
 *   R1  at most 8 + REPORT_KEYS keys are down: those of the last good report
 *       and modifiers.
 *
 * Locking: none, the caller's.
 */
#include <core/kbd/report.h>
#include <core/rt/rt.h>

#define MODIFIERS	8u
#define ERROR_LAST	0x03		/* ErrorUndefined */

struct events {
	struct key_event *at;
	size_t		n;
};

static void
put(struct events *e, uint8_t key, enum key_act act)
{
	ASSERT(e->n < REPORT_EVENTS);
	e->at[e->n++] = (struct key_event){ key, act };
}

static bool
has_error(const uint8_t *keys)
{
	for (size_t i = 0; i < REPORT_KEYS; i++)
		if (keys[i] != KEY_NONE && keys[i] <= ERROR_LAST)
			return true;
	return false;
}

/* The state that a report stands for. */
static struct key_set
state_of(const struct report *r, uint8_t modifiers, const uint8_t *keys)
{
	struct key_set now = { { 0 } };

	if (has_error(keys)) {
		now = r->rp_down;
		for (uint8_t i = 0; i < MODIFIERS; i++)
			key_set_del(&now, KEY_LCTRL + i);
	} else {
		for (size_t i = 0; i < REPORT_KEYS; i++)
			if (!key_is_modifier(keys[i]))
				key_set_add(&now, keys[i]);
		key_set_del(&now, KEY_NONE);
	}
	for (uint8_t i = 0; i < MODIFIERS; i++)
		if ((modifiers >> i & 1) != 0)
			key_set_add(&now, KEY_LCTRL + i);
	return now;
}

static void
press(struct report *r, const struct key_set *now, uint8_t key, struct events *e)
{
	if (!key_set_has(now, key) || key_set_has(&r->rp_down, key))
		return;
	key_set_add(&r->rp_down, key);		/* a key that is listed twice is pressed once */
	put(e, key, KEY_PRESSED);
}

void
report_init(struct report *r)
{
	*r = (struct report){ 0 };
}

bool
report_input(struct report *r, const uint8_t *data, size_t len, struct key_event ev[REPORT_EVENTS],
    size_t *nev)
{
	struct events e = { .at = ev };
	struct key_set now;
	const uint8_t *keys;

	if (len < REPORT_BYTES)
		return false;
	keys = data + 2;
	now = state_of(r, data[0], keys);
	for (unsigned int key = 0; key <= UINT8_MAX; key++)
		if (key_set_has(&r->rp_down, (uint8_t)key) && !key_set_has(&now, (uint8_t)key)) {
			key_set_del(&r->rp_down, (uint8_t)key);
			put(&e, (uint8_t)key, KEY_RELEASED);
		}
	for (uint8_t i = 0; i < MODIFIERS; i++)
		press(r, &now, KEY_LCTRL + i, &e);
	for (size_t i = 0; i < REPORT_KEYS; i++)
		press(r, &now, keys[i], &e);
	*nev = e.n;
	return true;
}
