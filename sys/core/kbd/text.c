/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text - what a key means on a US keyboard.
 *
 * A key is looked at in this order: modifiers and locks change the state;
 * without Num Lock a digit of the keypad becomes the key that is printed
 * below it; three combinations are for the caller; then a key has a
 * character, on which Shift, Caps Lock and Ctrl work, or a sequence.  Alt puts
 * ESC before either.  Back-tab is ESC TAB.
 *
 * Repeats are like presses, except that a lock does not toggle and a reboot is
 * not asked for again.  When all keys of one keyboard are said to be up, so
 * are the modifiers of all: better a Shift to press again than one that sticks.
 *
 * The key that repeats is the one that was pressed last, until it is released
 * or another is pressed, which is what a PS/2 keyboard does.
 *
 * Locking: none, the caller's.
 * Not here: other layouts, dead keys, composing, the keypad's application mode.
 */
#include <core/kbd/text.h>
#include <core/rt/rt.h>

#define MOD(key)	(1u << ((key) - KEY_LCTRL))
#define CTRL		(MOD(KEY_LCTRL) | MOD(KEY_RCTRL))
#define SHIFT		(MOD(KEY_LSHIFT) | MOD(KEY_RSHIFT))
#define ALT		(MOD(KEY_LALT) | MOD(KEY_RALT))
#define ESC		0x1b

/* From KEY_A on, without and with Shift. */
static const char lower[] = "abcdefghijklmnopqrstuvwxyz1234567890\r\x1b\x7f\t -=[]\\\\;'`,./";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()\r\x1b\x7f\t _+{}||:\"~<>?";
_Static_assert(sizeof lower == KEY_SLASH - KEY_A + 2, "one for each key");
_Static_assert(sizeof upper == sizeof lower, "one for each key");

/* From KEY_KP_SLASH on. */
static const char keypad[] = "/*-+\r1234567890.";
_Static_assert(sizeof keypad == KEY_KP_DOT - KEY_KP_SLASH + 2, "one for each key");

/* From KEY_KP_1 on, without Num Lock. */
static const uint8_t printed_below[] = {
	KEY_END, KEY_DOWN, KEY_PAGE_DOWN, KEY_LEFT, KEY_KP_5, KEY_RIGHT,
	KEY_HOME, KEY_UP, KEY_PAGE_UP, KEY_INSERT, KEY_DELETE,
};
_Static_assert(sizeof printed_below == KEY_KP_DOT - KEY_KP_1 + 1, "one for each key");

/* From KEY_F1 on, behind ESC. */
static const char sequences[][5] = {
#define AT(key)	[(key) - KEY_F1]
	AT(KEY_F1) = "[[A", "[[B", "[[C", "[[D", "[[E", "[17~",
	"[18~", "[19~", "[20~", "[21~", "[23~", "[24~",
	AT(KEY_PAUSE) = "[P",
	AT(KEY_INSERT) = "[2~", AT(KEY_HOME) = "[1~", AT(KEY_PAGE_UP) = "[5~",
	AT(KEY_DELETE) = "[3~", AT(KEY_END) = "[4~", AT(KEY_PAGE_DOWN) = "[6~",
	AT(KEY_RIGHT) = "[C", AT(KEY_LEFT) = "[D", AT(KEY_DOWN) = "[B", AT(KEY_UP) = "[A",
	AT(KEY_KP_5) = "[G",
#undef AT
};

/* What Ctrl makes of characters below @, and of DEL. */
static const char controls[][2] = {
	{ ' ', 0x00 }, { '2', 0x00 }, { '3', 0x1b }, { '4', 0x1c }, { '5', 0x1d }, { '6', 0x1e },
	{ '7', 0x1f }, { '-', 0x1f }, { '/', 0x1f }, { '8', 0x7f }, { '?', 0x7f }, { 0x7f, '\b' },
};

/* The lamp of a lock, 0 for other keys. */
static uint8_t
lock_of(uint8_t key)
{
	switch (key) {
	case KEY_NUM_LOCK: return KEY_LED_NUM;
	case KEY_CAPS_LOCK: return KEY_LED_CAPS;
	case KEY_SCROLL_LOCK: return KEY_LED_SCROLL;
	default: return 0;
	}
}

static char
control(char c)
{
	for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
		if (controls[i][0] == c)
			return controls[i][1];
	return c >= '@' ? c & 0x1f : c;
}

/* False: the key has none. */
static bool
character(const struct text *t, uint8_t key, char *c)
{
	bool shift = (t->tx_modifiers & SHIFT) != 0;

	if (key >= KEY_KP_SLASH && key <= KEY_KP_DOT) {
		*c = keypad[key - KEY_KP_SLASH];
		return key < KEY_KP_1 || (t->tx_leds & KEY_LED_NUM) != 0;
	}
	if (key >= KEY_A && key <= KEY_Z && (t->tx_leds & KEY_LED_CAPS) != 0)
		shift = !shift;
	if (key >= KEY_A && key <= KEY_SLASH)
		*c = shift ? upper[key - KEY_A] : lower[key - KEY_A];
	else if (key == KEY_NONUS_BACKSLASH)
		*c = shift ? '>' : '<';
	else
		return false;
	if ((t->tx_modifiers & CTRL) != 0)
		*c = control(*c);
	return true;
}

static const char *
sequence(uint8_t key)
{
	if (key < KEY_F1 || (size_t)(key - KEY_F1) >= sizeof sequences / sizeof sequences[0])
		return "";
	return sequences[key - KEY_F1];
}

static void
add(struct text_bytes *out, char c)
{
	ASSERT(out->tb_len < TEXT_BYTES_MAX);
	out->tb_byte[out->tb_len++] = (uint8_t)c;
}

static enum text_what
bytes_of(const struct text *t, uint8_t key, struct text_bytes *out)
{
	bool backtab = key == KEY_TAB && (t->tx_modifiers & SHIFT) != 0;
	bool alt = (t->tx_modifiers & ALT) != 0 || backtab;
	bool cursor = key >= KEY_RIGHT && key <= KEY_UP;
	const char *s;
	char c;

	out->tb_len = 0;
	if (character(t, key, &c)) {
		if (alt)
			add(out, ESC);
		add(out, c);
		return TEXT_BYTES;
	}
	s = sequence(key);
	if (s[0] == '\0')
		return TEXT_NOTHING;
	if (alt)
		add(out, ESC);
	add(out, ESC);
	add(out, cursor && t->tx_app_cursor ? 'O' : s[0]);
	for (s++; *s != '\0'; s++)
		add(out, *s);
	return TEXT_BYTES;
}

static enum text_what
modifier(struct text *t, struct key_event ev)
{
	if (ev.ke_act == KEY_RELEASED)
		t->tx_modifiers &= (uint8_t)~MOD(ev.ke_key);
	else
		t->tx_modifiers |= (uint8_t)MOD(ev.ke_key);
	return TEXT_NOTHING;
}

enum text_what
text_key(struct text *t, struct key_event ev, struct text_bytes *out)
{
	uint8_t key = ev.ke_key;

	if (key_is_modifier(key))
		return modifier(t, ev);
	if (ev.ke_act == KEY_RELEASED) {
		if (key == KEY_NONE)
			t->tx_modifiers = 0;
		return TEXT_NOTHING;
	}
	if (lock_of(key) != 0) {
		if (ev.ke_act == KEY_REPEATED)
			return TEXT_NOTHING;
		t->tx_leds ^= lock_of(key);
		return TEXT_LEDS;
	}
	if (key >= KEY_KP_1 && key <= KEY_KP_DOT && (t->tx_leds & KEY_LED_NUM) == 0)
		key = printed_below[key - KEY_KP_1];
	if (key == KEY_DELETE && (t->tx_modifiers & CTRL) != 0 && (t->tx_modifiers & ALT) != 0)
		return ev.ke_act == KEY_PRESSED ? TEXT_CTRL_ALT_DEL : TEXT_NOTHING;
	if (key == KEY_PAGE_UP && (t->tx_modifiers & SHIFT) != 0)
		return TEXT_SCROLL_UP;
	if (key == KEY_PAGE_DOWN && (t->tx_modifiers & SHIFT) != 0)
		return TEXT_SCROLL_DOWN;
	return bytes_of(t, key, out);
}

static uint64_t
after(uint64_t now_ns, uint32_t ns)
{
	uint64_t sum;

	return rt_add_overflows(now_ns, ns, &sum) ? TEXT_REPEAT_NEVER : sum;
}

void
text_repeat_init(struct text_repeat *r)
{
	*r = (struct text_repeat){ .tr_key = KEY_NONE, .tr_due_ns = TEXT_REPEAT_NEVER };
}

void
text_repeat_key(struct text_repeat *r, struct key_event ev, uint64_t now_ns)
{
	if (ev.ke_act == KEY_PRESSED) {
		text_repeat_init(r);
		if (!key_is_modifier(ev.ke_key) && lock_of(ev.ke_key) == 0)
			*r = (struct text_repeat){
				.tr_key = ev.ke_key, .tr_due_ns = after(now_ns, TEXT_REPEAT_DELAY_NS),
			};
	} else if (ev.ke_act == KEY_RELEASED && (ev.ke_key == r->tr_key || ev.ke_key == KEY_NONE)) {
		text_repeat_init(r);
	}
}

bool
text_repeat_due(struct text_repeat *r, uint64_t now_ns, struct key_event *ev)
{
	if (r->tr_due_ns == TEXT_REPEAT_NEVER || now_ns < r->tr_due_ns)
		return false;
	r->tr_was_late = !r->tr_was_late && now_ns - r->tr_due_ns >= TEXT_REPEAT_LATE_NS;
	*ev = (struct key_event){ r->tr_key, KEY_REPEATED };
	r->tr_due_ns = after(r->tr_due_ns, TEXT_REPEAT_PERIOD_NS);
	if (r->tr_was_late || r->tr_due_ns <= now_ns)
		r->tr_due_ns = after(now_ns, TEXT_REPEAT_PERIOD_NS);
	return !r->tr_was_late;
}
