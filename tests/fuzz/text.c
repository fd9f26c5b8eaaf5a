/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text - what people type, and /etc/passwd and /etc/group as somebody wrote them.
 *
 * The first piece is the terminal's settings, as a program sets them; each byte
 * of the second is a key, or reads or writes some.
 */
#include "fake.h"

#include "../../sys/core/codec/passwd.c"
#include "../../sys/core/tty/ldisc.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
accounts(const uint8_t *data, size_t len)
{
	struct passwd pw;
	uint32_t ids[8], uid, gid = 0;
	char name[16] = "";
	size_t n, ngroups;

	memcpy(name, data, rt_min(len, sizeof name - 1));
	(void)passwd_numbers(name, &uid, &gid, ids, countof(ids), &ngroups);
	for (uint32_t i = 0; i < 2; i++)
		if (passwd_find((const char *)data, len, i == 0 ? name : NULL, i, &pw)) {
			ASSERT((const uint8_t *)pw.pw_name >= data && pw.pw_name_len <= len &&
			    pw.pw_home_len <= len);
			fake_read(pw.pw_name, pw.pw_name_len);
			fake_read(pw.pw_home, pw.pw_home_len);
		}
	n = group_ids((const char *)data, len, name, strlen(name), ids, countof(ids));
	fake_read(ids, rt_min(n, countof(ids)) * sizeof ids[0]);
}

static void
keys(struct ldisc *ld, const uint8_t *key, size_t n)
{
	uint8_t buf[300];

	for (; n > 0; key++, n--) {
		uint32_t events;
		bool more = false;

		switch (*key >> 4) {
		case 0xf: (void)ldisc_read(ld, buf, *key & 15, &more); break;
		case 0xe: (void)ldisc_take(ld, buf, (*key & 15) * 20u); break;
		case 0xd: (void)ldisc_output(ld, (const uint8_t *)"a\tb\nc\r\b", 7); break;
		default: (void)ldisc_input(ld, key, 1, &events);
		}
		ASSERT(ld->ld_head - ld->ld_tail <= LDISC_IN && ld->ld_ohead - ld->ld_otail <= LDISC_OUT);
		ASSERT((ld->ld_t.lflag & LD_ICANON) == 0 ||
		    ld->ld_canon - ld->ld_tail <= ld->ld_head - ld->ld_tail);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ldisc ld;
	struct ld_termios t;
	const uint8_t *piece;
	size_t n;

	fake_begin(data, 0);
	ldisc_init(&ld);
	t = ld.ld_t;
	piece = fake_piece(&data, &len, &n);
	memcpy(&t, piece, rt_min(n, sizeof t));
	ldisc_set_termios(&ld, &t);
	piece = fake_piece(&data, &len, &n);
	keys(&ld, piece, n);
	accounts(data, len);
	fake_done();
	return 0;
}
