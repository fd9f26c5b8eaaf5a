/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kbd - what keyboards send.
 *
 * The first piece comes from a PS/2 keyboard of set 1, the second from one of
 * set 2, the rest are reports from USB, the last of them short.  All type on one terminal.
 */
#include "fake.h"

#include "../../sys/core/kbd/report.c"
#include "../../sys/core/kbd/scan.c"
#include "../../sys/core/kbd/text.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A key is pressed only when up, and repeated or released only when down. */
static void
follow(struct key_set *down, struct key_event ev)
{
	if (ev.ke_key == KEY_NONE) {
		ASSERT(ev.ke_act == KEY_RELEASED);
		*down = (struct key_set){ { 0 } };
		return;
	}
	ASSERT(key_set_has(down, ev.ke_key) == (ev.ke_act != KEY_PRESSED));
	if (ev.ke_act == KEY_RELEASED)
		key_set_del(down, ev.ke_key);
	else
		key_set_add(down, ev.ke_key);
}

static bool
none_down(const struct key_set *down)
{
	static const struct key_set none;

	return memcmp(down, &none, sizeof none) == 0;
}

static void
type(struct text *t, struct text_repeat *r, uint64_t now_ns, struct key_event ev)
{
	struct text_bytes out = { 0 };

	t->tx_app_cursor = (now_ns & 1) != 0;
	text_repeat_key(r, ev, now_ns);
	do {
		if (text_key(t, ev, &out) == TEXT_BYTES) {
			ASSERT(out.tb_len >= 1 && out.tb_len <= TEXT_BYTES_MAX);
			fake_read(out.tb_byte, out.tb_len);
		}
	} while (text_repeat_due(r, now_ns + TEXT_REPEAT_DELAY_NS, &ev));
	ASSERT((r->tr_key == KEY_NONE) == (r->tr_due_ns == TEXT_REPEAT_NEVER));
	ASSERT((t->tx_leds & ~7u) == 0 && scan_leds(t->tx_leds) <= 7);
}

static void
ps2(struct text *t, enum scan_set set, const uint8_t *byte, size_t n)
{
	struct key_set down = { { 0 } };
	struct text_repeat r;
	struct key_event ev;
	struct scan s;

	scan_init(&s, set);
	text_repeat_init(&r);
	for (size_t i = 0; i <= n; i++) {
		enum scan_what what = scan_byte(&s, i < n ? byte[i] : 0x00, &ev);

		if (what == SCAN_KEY || what == SCAN_BAT_OK || what == SCAN_BAT_FAILED) {
			follow(&down, ev);
			type(t, &r, i, ev);
		}
		ASSERT(memcmp(&down, &s.sc_down, sizeof down) == 0);
		ASSERT(s.sc_state <= AFTER_E1_1D && (set == SCAN_SET2 || !s.sc_release));
	}
	ASSERT(none_down(&down) && t->tx_modifiers == 0 && r.tr_key == KEY_NONE);
}

static void
usb(struct text *t, const uint8_t *data, size_t len)
{
	static const uint8_t released[REPORT_BYTES];
	struct key_event ev[REPORT_EVENTS];
	struct key_set down = { { 0 } };
	struct text_repeat tr;
	struct report r;
	size_t n;

	report_init(&r);
	text_repeat_init(&tr);
	for (bool last = false; !last; ) {
		last = !report_input(&r, data, rt_min(len, REPORT_BYTES), ev, &n);
		if (last)
			ASSERT(report_input(&r, released, sizeof released, ev, &n));
		for (size_t i = 0; i < n; i++) {
			follow(&down, ev[i]);
			type(t, &tr, len, ev[i]);
		}
		data += rt_min(len, REPORT_BYTES);
		len -= rt_min(len, REPORT_BYTES);
	}
	ASSERT(none_down(&down) && none_down(&r.rp_down));
	ASSERT(t->tx_modifiers == 0 && tr.tr_key == KEY_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct text t = { 0 };
	const uint8_t *piece;
	size_t n;

	fake_begin(data, 0);
	piece = fake_piece(&data, &len, &n);
	ps2(&t, SCAN_SET1, piece, n);
	piece = fake_piece(&data, &len, &n);
	ps2(&t, SCAN_SET2, piece, n);
	usb(&t, data, len);
	fake_done();
	return 0;
}
