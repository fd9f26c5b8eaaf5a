/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key - what all keyboards say in the end: a key went down, came up, repeats.
 *
 * A key's number is its usage on page 7 (USB HID Usage Tables 1.12, section 10):
 * the place on the keyboard, not the letter on it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	KEY_NONE = 0x00,
	KEY_A = 0x04, KEY_B, KEY_C, KEY_D, KEY_E, KEY_F, KEY_G, KEY_H, KEY_I, KEY_J, KEY_K,
	KEY_L, KEY_M, KEY_N, KEY_O, KEY_P, KEY_Q, KEY_R, KEY_S, KEY_T, KEY_U, KEY_V,
	KEY_W, KEY_X, KEY_Y, KEY_Z,
	KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7, KEY_8, KEY_9, KEY_0,
	KEY_ENTER, KEY_ESC, KEY_BACKSPACE, KEY_TAB, KEY_SPACE, KEY_MINUS, KEY_EQUAL,
	KEY_LBRACKET, KEY_RBRACKET, KEY_BACKSLASH, KEY_NONUS_HASH, KEY_SEMICOLON, KEY_QUOTE,
	KEY_GRAVE, KEY_COMMA, KEY_DOT, KEY_SLASH, KEY_CAPS_LOCK,
	KEY_F1, KEY_F2, KEY_F3, KEY_F4, KEY_F5, KEY_F6,
	KEY_F7, KEY_F8, KEY_F9, KEY_F10, KEY_F11, KEY_F12,
	KEY_PRINT, KEY_SCROLL_LOCK, KEY_PAUSE, KEY_INSERT, KEY_HOME, KEY_PAGE_UP, KEY_DELETE,
	KEY_END, KEY_PAGE_DOWN, KEY_RIGHT, KEY_LEFT, KEY_DOWN, KEY_UP,
	KEY_NUM_LOCK, KEY_KP_SLASH, KEY_KP_STAR, KEY_KP_MINUS, KEY_KP_PLUS, KEY_KP_ENTER,
	KEY_KP_1, KEY_KP_2, KEY_KP_3, KEY_KP_4, KEY_KP_5, KEY_KP_6, KEY_KP_7, KEY_KP_8, KEY_KP_9,
	KEY_KP_0, KEY_KP_DOT, KEY_NONUS_BACKSLASH, KEY_MENU, KEY_POWER, KEY_KP_EQUAL,
	KEY_F13, KEY_F14, KEY_F15, KEY_F16, KEY_F17, KEY_F18,
	KEY_F19, KEY_F20, KEY_F21, KEY_F22, KEY_F23, KEY_F24,
	KEY_MUTE = 0x7f, KEY_VOLUME_UP, KEY_VOLUME_DOWN, KEY_KP_COMMA = 0x85,
	KEY_INTL1 = 0x87, KEY_INTL2, KEY_INTL3, KEY_INTL4, KEY_INTL5, KEY_INTL6,
	KEY_LCTRL = 0xe0, KEY_LSHIFT, KEY_LALT, KEY_LGUI, KEY_RCTRL, KEY_RSHIFT, KEY_RALT, KEY_RGUI,
};
_Static_assert(KEY_SLASH == 0x38 && KEY_UP == 0x52, "usages");
_Static_assert(KEY_F24 == 0x73 && KEY_INTL6 == 0x8c && KEY_RGUI == 0xe7, "usages");

/* Lamps of the locks, in the order of HID's output report, whose one byte they are. */
enum { KEY_LED_NUM = 1u << 0, KEY_LED_CAPS = 1u << 1, KEY_LED_SCROLL = 1u << 2 };

enum key_act { KEY_RELEASED, KEY_PRESSED, KEY_REPEATED };

/* KEY_NONE, KEY_RELEASED: all keys of this keyboard are up, those too whose release got lost. */
struct key_event {
	uint8_t		ke_key;
	enum key_act	ke_act;
};

static inline bool key_is_modifier(uint8_t key) { return key >= KEY_LCTRL && key <= KEY_RGUI; }

/* Keys that are down. */
struct key_set {
	uint64_t	ks_bits[4];
};

static inline bool
key_set_has(const struct key_set *ks, uint8_t key)
{
	return (ks->ks_bits[key / 64] >> (key % 64) & 1) != 0;
}

static inline void
key_set_add(struct key_set *ks, uint8_t key)
{
	ks->ks_bits[key / 64] |= 1ull << (key % 64);
}

static inline void
key_set_del(struct key_set *ks, uint8_t key)
{
	ks->ks_bits[key / 64] &= ~(1ull << (key % 64));
}
