/* SPDX-License-Identifier: BSD-2-Clause */
/* Several keyboards on one console: what one switches is switched for all. */
#include <core/rt/rt.h>
#include <drv/keyboard.h>
#include <sys/debug/ktest.h>

static uint8_t shown[2];

static void show(struct keyboard *kb, uint8_t leds);
static struct keyboard keyboards[2] = {
	{ .kb_name = "first", .kb_leds = show }, { .kb_name = "second", .kb_leds = show, .kb_repeats = true },
};

static void
show(struct keyboard *kb, uint8_t leds)
{
	shown[kb - keyboards] = leds;
}

static void
tap(struct keyboard *kb, uint8_t key)
{
	keyboard_event(kb, (struct key_event){ key, KEY_PRESSED });
	keyboard_event(kb, (struct key_event){ key, KEY_RELEASED });
}

KTEST(pc_keyboards_have_their_locks_in_common)
{
	memset(shown, 0xff, sizeof shown);
	keyboard_attach(&keyboards[0]);
	KCHECK(shown[0] == 0);
	tap(&keyboards[0], KEY_CAPS_LOCK);
	KCHECK(shown[0] == KEY_LED_CAPS && shown[1] == 0xff);
	keyboard_attach(&keyboards[1]);
	KCHECK(shown[1] == KEY_LED_CAPS);
	tap(&keyboards[1], KEY_NUM_LOCK);
	KCHECK(shown[0] == (KEY_LED_CAPS | KEY_LED_NUM) && shown[1] == shown[0]);
	tap(&keyboards[1], KEY_CAPS_LOCK);
	tap(&keyboards[0], KEY_NUM_LOCK);
	KCHECK(shown[0] == 0 && shown[1] == 0);
}
