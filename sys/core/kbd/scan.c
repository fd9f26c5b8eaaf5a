/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan - PS/2 scan codes.
 *
 * A code is a byte, alone or behind E0.  Set 1 marks a release by bit 7, set 2
 * by F0 before the code.  Set 2 is translated to set 1 first, code by code as
 * an 8042 does it, so there is one table of keys.
 *
 * Not keys, and so not in the tables: E0 2A and E0 36, the shifts that a
 * keyboard itself adds around grey keys for programs of 1981.  Pause is
 * E1 1D 45, and is released in the same breath.
 *
 * In set 1 an answer may look like a release (AA: left Shift).  It is the
 * release if that key is down, or a made-up shift if it comes behind E0.  ACK
 * and RESEND may come in the middle of a code and leave the prefix as it is.
 *
 * Invariants
 *   S1  sc_down holds the keys whose last event was not a release: a key is
 *       pressed only when up, repeated and released only when down.
 *   S2  sc_release is set only while a code of set 2 is awaited.
 *
 * When the keyboard lost codes (00 or FF) nobody knows which keys are down:
 * all are said to be up.  The one that repeats comes back by its next repeat.
 *
 * Locking: none, the caller's.
 */
#include <core/kbd/scan.h>
#include <core/rt/rt.h>

enum { PLAIN, AFTER_E0, AFTER_E1, AFTER_E1_1D };

/* The 8042's translation: by code of set 2, the code of set 1; 0: there is no such key. */
static const uint8_t set1_code[] = {
	[0x01] = 0x43, 0x00, 0x3f, 0x3d, 0x3b, 0x3c, 0x58,
	[0x08] = 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	[0x10] = 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x00,
	[0x18] = 0x66, 0x00, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	[0x20] = 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c,
	[0x28] = 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	[0x30] = 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e,
	[0x38] = 0x6a, 0x00, 0x32, 0x24, 0x16, 0x08, 0x09, 0x00,
	[0x40] = 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x00,
	[0x48] = 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x00,
	[0x50] = 0x6d, 0x73, 0x28, 0x00, 0x1a, 0x0d, 0x00, 0x6e,
	[0x58] = 0x3a, 0x36, 0x1c, 0x1b, 0x00, 0x2b, 0x00, 0x76,
	[0x60] = 0x00, 0x56, 0x00, 0x00, 0x79, 0x00, 0x0e, 0x7b,
	[0x68] = 0x00, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x00, 0x00,
	[0x70] = 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
	[0x78] = 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x00,
	[0x83] = 0x41, 0x54,
};

/* By code of set 1. */
static const uint8_t plain[128] = {
	[0x01] = KEY_ESC, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7, KEY_8, KEY_9, KEY_0,
	KEY_MINUS, KEY_EQUAL, KEY_BACKSPACE,
	[0x0f] = KEY_TAB, KEY_Q, KEY_W, KEY_E, KEY_R, KEY_T, KEY_Y, KEY_U, KEY_I, KEY_O, KEY_P,
	KEY_LBRACKET, KEY_RBRACKET, KEY_ENTER,
	[0x1d] = KEY_LCTRL, KEY_A, KEY_S, KEY_D, KEY_F, KEY_G, KEY_H, KEY_J, KEY_K, KEY_L,
	KEY_SEMICOLON, KEY_QUOTE, KEY_GRAVE,
	[0x2a] = KEY_LSHIFT, KEY_BACKSLASH, KEY_Z, KEY_X, KEY_C, KEY_V, KEY_B, KEY_N, KEY_M,
	KEY_COMMA, KEY_DOT, KEY_SLASH, KEY_RSHIFT,
	[0x37] = KEY_KP_STAR, KEY_LALT, KEY_SPACE, KEY_CAPS_LOCK,
	[0x3b] = KEY_F1, KEY_F2, KEY_F3, KEY_F4, KEY_F5, KEY_F6, KEY_F7, KEY_F8, KEY_F9, KEY_F10,
	[0x45] = KEY_NUM_LOCK, KEY_SCROLL_LOCK,
	[0x47] = KEY_KP_7, KEY_KP_8, KEY_KP_9, KEY_KP_MINUS, KEY_KP_4, KEY_KP_5,
	KEY_KP_6, KEY_KP_PLUS,
	[0x4f] = KEY_KP_1, KEY_KP_2, KEY_KP_3, KEY_KP_0, KEY_KP_DOT,
	[0x54] = KEY_PRINT,		/* with Alt down; SysRq on the keycap */
	[0x56] = KEY_NONUS_BACKSLASH, KEY_F11, KEY_F12, KEY_KP_EQUAL,
	[0x5c] = KEY_INTL6,
	[0x64] = KEY_F13, KEY_F14, KEY_F15, KEY_F16, KEY_F17, KEY_F18,
	KEY_F19, KEY_F20, KEY_F21, KEY_F22, KEY_F23,
	[0x70] = KEY_INTL2, [0x73] = KEY_INTL1, [0x76] = KEY_F24,
	[0x79] = KEY_INTL4, [0x7b] = KEY_INTL5, [0x7d] = KEY_INTL3, KEY_KP_COMMA,
};

/* The same behind E0. */
static const uint8_t extended[128] = {
	[0x1c] = KEY_KP_ENTER, KEY_RCTRL,
	[0x20] = KEY_MUTE, [0x2e] = KEY_VOLUME_DOWN, [0x30] = KEY_VOLUME_UP,
	[0x35] = KEY_KP_SLASH, [0x37] = KEY_PRINT, KEY_RALT,
	[0x46] = KEY_PAUSE,		/* with Ctrl down; Break on the keycap */
	[0x47] = KEY_HOME, KEY_UP, KEY_PAGE_UP, [0x4b] = KEY_LEFT, [0x4d] = KEY_RIGHT,
	[0x4f] = KEY_END, KEY_DOWN, KEY_PAGE_DOWN, KEY_INSERT, KEY_DELETE,
	[0x5b] = KEY_LGUI, KEY_RGUI, KEY_MENU, KEY_POWER,
};

void
scan_init(struct scan *s, enum scan_set set)
{
	*s = (struct scan){ .sc_set = set };
}

static enum scan_what
all_up(struct scan *s, struct key_event *ev, enum scan_what what)
{
	scan_init(s, s->sc_set);
	*ev = (struct key_event){ KEY_NONE, KEY_RELEASED };
	return what;
}

static enum scan_what
answer(const struct scan *s, uint8_t byte)
{
	if (s->sc_set == SCAN_SET1) {
		if (byte >= 0x80 && key_set_has(&s->sc_down, plain[byte & 0x7f]))
			return SCAN_NOTHING;
		if (byte == 0xaa && s->sc_state == AFTER_E0)
			return SCAN_NOTHING;
	}
	switch (byte) {
	case 0xaa: return SCAN_BAT_OK;
	case 0xfa: return SCAN_ACK;
	case 0xfc:
	case 0xfd: return SCAN_BAT_FAILED;
	case 0xfe: return SCAN_RESEND;
	default: return SCAN_NOTHING;
	}
}

/* A whole code of set 1 without its bit 7: which key, if any; the prefix is used up. */
static uint8_t
key_of(struct scan *s, uint8_t code)
{
	uint8_t state = s->sc_state;

	s->sc_state = PLAIN;
	switch (state) {
	case AFTER_E0:
		return extended[code];
	case AFTER_E1:
		s->sc_state = code == 0x1d ? AFTER_E1_1D : PLAIN;
		return KEY_NONE;
	case AFTER_E1_1D:
		return code == 0x45 ? KEY_PAUSE : KEY_NONE;
	default:
		return plain[code];
	}
}

static enum scan_what
key_moves(struct scan *s, uint8_t key, bool release, struct key_event *ev)
{
	bool down = key_set_has(&s->sc_down, key);

	if (key == KEY_NONE || (release && !down))
		return SCAN_NOTHING;
	ev->ke_key = key;
	if (release) {
		key_set_del(&s->sc_down, key);
		ev->ke_act = KEY_RELEASED;
	} else {
		key_set_add(&s->sc_down, key);
		ev->ke_act = down ? KEY_REPEATED : KEY_PRESSED;
	}
	return SCAN_KEY;
}

enum scan_what
scan_byte(struct scan *s, uint8_t byte, struct key_event *ev)
{
	enum scan_what what = answer(s, byte);
	bool release = s->sc_release;

	if (what == SCAN_BAT_OK || what == SCAN_BAT_FAILED)
		return all_up(s, ev, what);
	if (what != SCAN_NOTHING)
		return what;
	if (byte == 0x00 || byte == 0xff)
		return all_up(s, ev, SCAN_KEY);
	if (byte == 0xe0 || byte == 0xe1) {
		s->sc_state = byte == 0xe0 ? AFTER_E0 : AFTER_E1;
		s->sc_release = false;
		return SCAN_NOTHING;
	}
	if (s->sc_set == SCAN_SET1)
		return key_moves(s, key_of(s, byte & 0x7f), byte >= 0x80, ev);
	s->sc_release = byte == 0xf0;
	if (s->sc_release)
		return SCAN_NOTHING;
	byte = byte < sizeof set1_code ? set1_code[byte] : 0;
	return key_moves(s, key_of(s, byte), release, ev);
}

uint8_t
scan_leds(uint8_t leds)
{
	bool scroll = (leds & KEY_LED_SCROLL) != 0;
	bool num = (leds & KEY_LED_NUM) != 0;
	bool caps = (leds & KEY_LED_CAPS) != 0;

	return (uint8_t)(scroll | num << 1 | caps << 2);
}
