/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldisc - Linux's N_TTY as a pure machine.
 *
 * Input is a ring with three positions: [tail, canon) are complete lines,
 * [canon, head) is the line being typed, which the editing keys may change.
 * Without lines (ICANON off) canon stays behind and [tail, head) is readable.
 * A line's last byte is marked in ld_end; a marked 0 is the end-of-file key
 * and is never given to the reader.
 *
 * Echo goes straight into the output ring, column counting included, and is
 * dropped when even its reserve is full.
 *
 * Invariants
 *   D1  tail <= canon <= head (with lines), head - tail <= LDISC_IN
 *   D2  with lines, marks exist in [tail, canon) only
 *   D3  otail <= ohead, ohead - otail <= LDISC_OUT; programs' output leaves
 *       LDISC_ECHO bytes of it free
 *
 * Locking: none, the caller's.
 * Not here: breaks and parity (no line to have them), XCASE, EXTPROC, IXOFF
 * (the sender waits instead, since input that does not fit is not taken).
 */
#include <core/rt/rt.h>
#include <core/tty/ldisc.h>

#define DISABLED	0	/* a control character that is switched off; also the end-of-file mark */

static inline bool iflag(const struct ldisc *ld, uint32_t f) { return (ld->ld_t.iflag & f) != 0; }
static inline bool oflag(const struct ldisc *ld, uint32_t f) { return (ld->ld_t.oflag & f) != 0; }
static inline bool lflag(const struct ldisc *ld, uint32_t f) { return (ld->ld_t.lflag & f) != 0; }
static inline bool is_key(const struct ldisc *ld, int cc, uint8_t c) { return c != DISABLED && ld->ld_t.cc[cc] == c; }
static inline bool is_ctrl(uint8_t c) { return c < 0x20 || c == 0x7f; }
static inline uint8_t *in_at(struct ldisc *ld, uint32_t pos) { return &ld->ld_in[pos % LDISC_IN]; }

/* Letters and digits as in Latin-1, which is what Linux's word erase looks at. */
static bool
is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static inline bool
is_continuation(const struct ldisc *ld, uint8_t c)
{
	return iflag(ld, LD_IUTF8) && (c & 0xc0) == 0x80;
}

static uint8_t
to_lower(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ? c + 32 : c;
}

/* The host's table takes sharp s and y with diaeresis for small letters, so they are moved too. */
static uint8_t
to_upper(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7) ? c - 32 : c;
}

static inline void mark_set(struct ldisc *ld, uint32_t pos) { ld->ld_end[pos % LDISC_IN / 64] |= 1ull << (pos % 64); }
static inline void mark_clear(struct ldisc *ld, uint32_t pos) { ld->ld_end[pos % LDISC_IN / 64] &= ~(1ull << (pos % 64)); }
static inline bool mark_get(const struct ldisc *ld, uint32_t pos) { return (ld->ld_end[pos % LDISC_IN / 64] >> (pos % 64) & 1) != 0; }

/* -------------------------------------------------------------- output -- */

static inline uint32_t out_room(const struct ldisc *ld) { return LDISC_OUT - (ld->ld_ohead - ld->ld_otail); }

static void
out_raw(struct ldisc *ld, uint8_t c)
{
	ASSERT(out_room(ld) > 0);
	ld->ld_out[ld->ld_ohead++ % LDISC_OUT] = c;
}

static void
out_newline(struct ldisc *ld)
{
	if (oflag(ld, LD_ONLRET))
		ld->ld_column = 0;
	if (oflag(ld, LD_ONLCR)) {
		ld->ld_column = 0;
		out_raw(ld, '\r');
	}
	ld->ld_canon_column = ld->ld_column;
	out_raw(ld, '\n');
}

static void
out_return(struct ldisc *ld)
{
	if (oflag(ld, LD_ONOCR) && ld->ld_column == 0)
		return;
	if (oflag(ld, LD_OCRNL)) {
		if (oflag(ld, LD_ONLRET))
			ld->ld_canon_column = ld->ld_column = 0;
		out_raw(ld, '\n');
		return;
	}
	ld->ld_canon_column = ld->ld_column = 0;
	out_raw(ld, '\r');
}

/* One byte through output processing: needs room for 8.  Only with OPOST. */
static void
out_processed(struct ldisc *ld, uint8_t c)
{
	uint32_t spaces;

	switch (c) {
	case '\n':
		out_newline(ld);
		return;
	case '\r':
		out_return(ld);
		return;
	case '\t':
		spaces = 8 - (ld->ld_column & 7);
		ld->ld_column += spaces;
		if ((ld->ld_t.oflag & LD_TABDLY) != LD_XTABS)
			break;
		while (spaces-- > 0)
			out_raw(ld, ' ');
		return;
	case '\b':
		if (ld->ld_column > 0)
			ld->ld_column--;
		break;
	default:
		if (is_ctrl(c))
			break;
		if (oflag(ld, LD_OLCUC))
			c = to_upper(c);
		if (!is_continuation(ld, c))
			ld->ld_column++;
	}
	out_raw(ld, c);
}

size_t
ldisc_output(struct ldisc *ld, const uint8_t *buf, size_t len)
{
	size_t n = 0;

	if (ld->ld_stopped)
		return 0;
	for (; n < len && out_room(ld) >= LDISC_ECHO + 8; n++) {
		if (oflag(ld, LD_OPOST))
			out_processed(ld, buf[n]);
		else
			out_raw(ld, buf[n]);
	}
	return n;
}

bool
ldisc_can_output(const struct ldisc *ld)
{
	return !ld->ld_stopped && out_room(ld) >= LDISC_ECHO + 8;
}

size_t
ldisc_peek(const struct ldisc *ld, const uint8_t **at)
{
	uint32_t from = ld->ld_otail % LDISC_OUT;

	*at = &ld->ld_out[from];
	return ld->ld_stopped ? 0 : rt_min(ldisc_out_bytes(ld), LDISC_OUT - from);
}

void
ldisc_skip(struct ldisc *ld, size_t n)
{
	ASSERT(n <= ldisc_out_bytes(ld));
	ld->ld_otail += (uint32_t)n;
}

size_t
ldisc_take(struct ldisc *ld, uint8_t *buf, size_t len)
{
	const uint8_t *at;
	size_t n, done = 0;

	while (done < len && (n = rt_min(ldisc_peek(ld, &at), len - done)) > 0) {
		memcpy(buf + done, at, n);
		ldisc_skip(ld, n);
		done += n;
	}
	return done;
}

void
ldisc_flush_out(struct ldisc *ld)
{
	ld->ld_otail = ld->ld_ohead;
}

void
ldisc_stop(struct ldisc *ld, bool on)
{
	if (ld->ld_stopped == on)
		return;
	ld->ld_stopped = on;
	ld->ld_events |= on ? LDISC_STOP : LDISC_START | LDISC_OUTPUT;
}

void
ldisc_send(struct ldisc *ld, uint8_t c)
{
	if (out_room(ld) > 0)
		out_raw(ld, c);
}

/* ---------------------------------------------------------------- echo -- */

static void
echo_raw(struct ldisc *ld, uint8_t c)
{
	if (out_room(ld) < 8)
		return;
	if (oflag(ld, LD_OPOST))
		out_processed(ld, c);
	else
		out_raw(ld, c);
	ld->ld_events |= LDISC_OUTPUT;
}

/* As typed: control characters as ^X with ECHOCTL. */
static void
echo_char(struct ldisc *ld, uint8_t c)
{
	if (!lflag(ld, LD_ECHOCTL) || !is_ctrl(c) || c == '\t') {
		echo_raw(ld, c);
		return;
	}
	if (out_room(ld) < 8)
		return;
	out_raw(ld, '^');
	out_raw(ld, c ^ 0100);
	ld->ld_column += 2;
	ld->ld_events |= LDISC_OUTPUT;
}

static void
echo_rubout(struct ldisc *ld)
{
	echo_raw(ld, '\b');
	echo_raw(ld, ' ');
	echo_raw(ld, '\b');
}

static void
echo_finish_erasing(struct ldisc *ld)
{
	if (!ld->ld_erasing)
		return;
	echo_raw(ld, '/');
	ld->ld_erasing = false;
}

/* A byte that joins the line: at the line's beginning, remember where the cursor is. */
static void
echo_typed(struct ldisc *ld, uint8_t c)
{
	echo_finish_erasing(ld);
	if (ld->ld_canon == ld->ld_head)
		ld->ld_canon_column = ld->ld_column;
	echo_char(ld, c);
}

/* Back over a tab that was just removed: how wide was it, given the line before it? */
static void
echo_erase_tab(struct ldisc *ld)
{
	uint32_t columns = 0, back, pos = ld->ld_head;
	bool after_tab = false;

	while (pos != ld->ld_canon && !after_tab) {
		uint8_t c = *in_at(ld, --pos);

		if (c == '\t')
			after_tab = true;
		else if (is_ctrl(c))
			columns += lflag(ld, LD_ECHOCTL) ? 2 : 0;
		else if (!is_continuation(ld, c))
			columns++;
	}
	if (!after_tab)
		columns += ld->ld_canon_column;
	for (back = 8 - (columns & 7); back > 0 && out_room(ld) > 0; back--) {
		out_raw(ld, '\b');
		if (ld->ld_column > 0)
			ld->ld_column--;
	}
	ld->ld_events |= LDISC_OUTPUT;
}

/* Show that the byte `c`, and `more` continuation bytes after it (still at `pos` + 1), are gone. */
static void
echo_erased(struct ldisc *ld, uint8_t c, uint32_t pos, uint32_t more, bool one)
{
	if (lflag(ld, LD_ECHOPRT)) {
		if (!ld->ld_erasing) {
			echo_raw(ld, '\\');
			ld->ld_erasing = true;
		}
		echo_char(ld, c);
		for (uint32_t i = 1; i <= more; i++) {
			echo_raw(ld, *in_at(ld, pos + i));
			if (ld->ld_column > 0)
				ld->ld_column--;
		}
	} else if (one && !lflag(ld, LD_ECHOE)) {
		echo_char(ld, ld->ld_t.cc[LD_VERASE]);
	} else if (c == '\t') {
		echo_erase_tab(ld);
	} else {
		if (is_ctrl(c) && lflag(ld, LD_ECHOCTL))
			echo_rubout(ld);
		if (!is_ctrl(c) || lflag(ld, LD_ECHOCTL))
			echo_rubout(ld);
	}
}

/* --------------------------------------------------------------- input -- */

static void
in_put(struct ldisc *ld, uint8_t c)
{
	mark_clear(ld, ld->ld_head);
	*in_at(ld, ld->ld_head++) = c;
	if (!lflag(ld, LD_ICANON))
		ld->ld_events |= LDISC_READABLE;
}

/* The line ends with c, which is DISABLED for the end-of-file key. */
static void
in_end_line(struct ldisc *ld, uint8_t c)
{
	in_put(ld, c);
	mark_set(ld, ld->ld_head - 1);
	ld->ld_canon = ld->ld_head;
	ld->ld_events |= LDISC_READABLE;
}

/* The kill key without the means to show it: the line goes, and that is said in its own way. */
static void
in_kill_plain(struct ldisc *ld)
{
	ld->ld_head = ld->ld_canon;
	if (!lflag(ld, LD_ECHO))
		return;
	echo_finish_erasing(ld);
	echo_char(ld, ld->ld_t.cc[LD_VKILL]);
	if (lflag(ld, LD_ECHOK))
		echo_raw(ld, '\n');
}

enum erase { ERASE_CHAR, ERASE_WORD, ERASE_LINE };

static void
in_erase(struct ldisc *ld, enum erase what)
{
	bool seen_word = false;

	if (ld->ld_head == ld->ld_canon)
		return;
	if (what == ERASE_LINE && (!lflag(ld, LD_ECHO) || !lflag(ld, LD_ECHOK) || !lflag(ld, LD_ECHOKE) ||
	    !lflag(ld, LD_ECHOE))) {
		in_kill_plain(ld);
		return;
	}
	while (ld->ld_head != ld->ld_canon) {
		uint32_t pos = ld->ld_head, more;
		uint8_t c;

		do
			c = *in_at(ld, --pos);
		while (is_continuation(ld, c) && pos != ld->ld_canon);
		if (is_continuation(ld, c))	/* not half a character */
			break;
		if (what == ERASE_WORD) {
			if (is_word(c))
				seen_word = true;
			else if (seen_word)
				break;
		}
		more = ld->ld_head - pos - 1;
		ld->ld_head = pos;
		if (lflag(ld, LD_ECHO))
			echo_erased(ld, c, pos, more, what == ERASE_CHAR);
		if (what == ERASE_CHAR)
			break;
	}
	if (ld->ld_head == ld->ld_canon && lflag(ld, LD_ECHO))
		echo_finish_erasing(ld);
}

static void
in_reprint(struct ldisc *ld, uint8_t c)
{
	echo_finish_erasing(ld);
	echo_char(ld, c);
	echo_raw(ld, '\n');
	for (uint32_t pos = ld->ld_canon; pos != ld->ld_head; pos++)
		echo_char(ld, *in_at(ld, pos));
}

/* Keys that edit or end a line.  True: c was one. */
static bool
in_line_key(struct ldisc *ld, uint8_t c)
{
	bool ext = lflag(ld, LD_IEXTEN), echo = lflag(ld, LD_ECHO);

	if (is_key(ld, LD_VERASE, c)) {
		in_erase(ld, ERASE_CHAR);
	} else if (is_key(ld, LD_VKILL, c)) {
		in_erase(ld, ERASE_LINE);
	} else if (ext && is_key(ld, LD_VWERASE, c)) {
		in_erase(ld, ERASE_WORD);
	} else if (ext && is_key(ld, LD_VLNEXT, c)) {
		ld->ld_lnext = true;
		if (echo) {
			echo_finish_erasing(ld);
			if (lflag(ld, LD_ECHOCTL)) {
				echo_raw(ld, '^');
				echo_raw(ld, '\b');
			}
		}
	} else if (ext && echo && is_key(ld, LD_VREPRINT, c)) {
		in_reprint(ld, c);
	} else if (c == '\n') {
		if (echo || lflag(ld, LD_ECHONL))
			echo_raw(ld, '\n');
		in_end_line(ld, c);
	} else if (is_key(ld, LD_VEOF, c)) {
		in_end_line(ld, DISABLED);
	} else if (is_key(ld, LD_VEOL, c) || (ext && is_key(ld, LD_VEOL2, c))) {
		if (echo) {
			if (ld->ld_canon == ld->ld_head)
				ld->ld_canon_column = ld->ld_column;
			echo_char(ld, c);
		}
		if (c == 0xff && iflag(ld, LD_PARMRK))
			in_put(ld, c);
		in_end_line(ld, c);
	} else {
		return false;
	}
	return true;
}

static bool
in_signal_key(struct ldisc *ld, uint8_t c)
{
	uint32_t event;

	if (is_key(ld, LD_VINTR, c))
		event = LDISC_INT;
	else if (is_key(ld, LD_VQUIT, c))
		event = LDISC_QUIT;
	else if (is_key(ld, LD_VSUSP, c))
		event = LDISC_SUSP;
	else
		return false;
	ld->ld_events |= event;
	if (!lflag(ld, LD_NOFLSH)) {
		ldisc_flush_out(ld);
		ldisc_flush_in(ld);
		ld->ld_events |= LDISC_FLUSHED;
	}
	if (iflag(ld, LD_IXON))
		ldisc_stop(ld, false);
	if (lflag(ld, LD_ECHO))
		echo_char(ld, c);
	else
		ld->ld_events |= LDISC_SHOW;
	return true;
}

/* A byte that is just itself. */
static void
in_plain(struct ldisc *ld, uint8_t c)
{
	if (ld->ld_stopped && iflag(ld, LD_IXON) && iflag(ld, LD_IXANY))
		ldisc_stop(ld, false);
	if (lflag(ld, LD_ECHO))
		echo_typed(ld, c);
	if (c == 0xff && iflag(ld, LD_PARMRK))
		in_put(ld, c);
	in_put(ld, c);
}

/* A return or newline that the input flags change, without lines: a newline is echoed as one. */
static void
in_changed(struct ldisc *ld, uint8_t c)
{
	if (ld->ld_stopped && iflag(ld, LD_IXON) && iflag(ld, LD_IXANY))
		ldisc_stop(ld, false);
	if (lflag(ld, LD_ECHO)) {
		if (c == '\n') {
			echo_finish_erasing(ld);
			echo_raw(ld, c);
		} else {
			echo_typed(ld, c);
		}
	}
	in_put(ld, c);
}

static uint8_t
in_strip(const struct ldisc *ld, uint8_t c)
{
	if (iflag(ld, LD_ISTRIP))
		c &= 0x7f;
	return iflag(ld, LD_IUCLC) && lflag(ld, LD_IEXTEN) ? to_lower(c) : c;
}

static void
in_byte(struct ldisc *ld, uint8_t c)
{
	bool changed = false;

	c = in_strip(ld, c);
	if (ld->ld_lnext) {
		ld->ld_lnext = false;
		in_plain(ld, c);
		return;
	}
	if (iflag(ld, LD_IXON) && (is_key(ld, LD_VSTART, c) || is_key(ld, LD_VSTOP, c))) {
		ldisc_stop(ld, !is_key(ld, LD_VSTART, c));
		if (!ld->ld_stopped)
			ld->ld_events |= LDISC_SHOW;
		return;
	}
	if (lflag(ld, LD_ISIG) && in_signal_key(ld, c))
		return;
	if (c == '\r' && iflag(ld, LD_IGNCR))
		return;
	if (c == '\r' && iflag(ld, LD_ICRNL)) {
		c = '\n';
		changed = true;
	} else if (c == '\n' && iflag(ld, LD_INLCR)) {
		c = '\r';
		changed = true;
	}
	if (lflag(ld, LD_ICANON)) {
		if (ld->ld_stopped && iflag(ld, LD_IXON) && iflag(ld, LD_IXANY))
			ldisc_stop(ld, false);
		if (in_line_key(ld, c))
			return;
	}
	if (changed)
		in_changed(ld, c);
	else
		in_plain(ld, c);
}

/*
 * How many bytes may come.  With lines, a line being typed that fills the
 * ring still takes bytes, each in the place of the last, so that its end can
 * be typed: -1 says so.
 */
static int32_t
in_room(const struct ldisc *ld)
{
	int32_t room = (int32_t)(LDISC_IN - (ld->ld_head - ld->ld_tail));

	if (iflag(ld, LD_PARMRK))
		room = (room + 2) / 3;
	room--;
	if (room <= 0 && lflag(ld, LD_ICANON) && ld->ld_canon == ld->ld_tail)
		return -1;
	return room > 0 ? room : 0;
}

bool
ldisc_can_input(const struct ldisc *ld)
{
	return in_room(ld) != 0;
}

size_t
ldisc_input(struct ldisc *ld, const uint8_t *buf, size_t len, uint32_t *events)
{
	uint32_t need = iflag(ld, LD_PARMRK) ? 2 : 1;	/* what one key may put into the ring */
	size_t n = 0;

	ld->ld_events = 0;
	for (; n < len; n++) {
		int32_t room = in_room(ld);

		if (room == 0)
			break;
		if (room < 0 && ld->ld_head - ld->ld_tail > LDISC_IN - need)
			ld->ld_head = ld->ld_tail + LDISC_IN - need;	/* D1: the newest bytes make room */
		in_byte(ld, buf[n]);
		if ((ld->ld_events & LDISC_SHOW) != 0) {
			n++;		/* what waits is shown before the next key is looked at */
			break;
		}
	}
	*events = ld->ld_events;
	return n;
}

void
ldisc_flush_in(struct ldisc *ld)
{
	ld->ld_tail = ld->ld_canon = ld->ld_head;
	memset(ld->ld_end, 0, sizeof(ld->ld_end));
	ld->ld_erasing = ld->ld_lnext = false;
}

/* ------------------------------------------------------------- reading -- */

bool
ldisc_readable(const struct ldisc *ld, uint32_t min)
{
	if (lflag(ld, LD_ICANON))
		return ld->ld_canon != ld->ld_tail;
	return ld->ld_head - ld->ld_tail >= (min > 0 ? min : 1);
}

size_t
ldisc_read(struct ldisc *ld, uint8_t *buf, size_t len, bool *end)
{
	bool lines = lflag(ld, LD_ICANON);
	size_t n = 0;

	*end = false;
	while (ld->ld_tail != (lines ? ld->ld_canon : ld->ld_head)) {
		uint8_t c = *in_at(ld, ld->ld_tail);
		bool mark = lines && mark_get(ld, ld->ld_tail);

		/* An end of file right behind a full read belongs to that read. */
		if (n == len && !(mark && c == DISABLED))
			break;
		if (mark)
			mark_clear(ld, ld->ld_tail);
		ld->ld_tail++;
		*end = mark;
		if (!mark || c != DISABLED)
			buf[n++] = c;
		if (mark)
			break;
	}
	return n;
}

size_t
ldisc_in_bytes(const struct ldisc *ld)
{
	size_t n = ld->ld_head - ld->ld_tail;

	if (!lflag(ld, LD_ICANON))
		return n;
	if (ld->ld_canon == ld->ld_tail)
		return 0;
	n = ld->ld_canon - ld->ld_tail;
	for (uint32_t pos = ld->ld_tail; pos != ld->ld_canon; pos++)
		if (mark_get(ld, pos) && ld->ld_in[pos % LDISC_IN] == DISABLED)
			n--;
	return n;
}

/* ------------------------------------------------------------- settings -- */

void
ldisc_set_termios(struct ldisc *ld, const struct ld_termios *t)
{
	bool had_lines = lflag(ld, LD_ICANON), had_flow = iflag(ld, LD_IXON);

	ld->ld_t = *t;
	if (had_lines != lflag(ld, LD_ICANON)) {
		memset(ld->ld_end, 0, sizeof(ld->ld_end));
		ld->ld_canon = ld->ld_tail;
		if (!had_lines && ld->ld_head != ld->ld_tail) {	/* what is there is a line now */
			mark_set(ld, ld->ld_head - 1);
			ld->ld_canon = ld->ld_head;
		}
		ld->ld_erasing = ld->ld_lnext = false;
	}
	if (had_flow && !iflag(ld, LD_IXON))
		ldisc_stop(ld, false);
}

void
ldisc_init(struct ldisc *ld)
{
	static const uint8_t keys[LD_NCC] = {
		[LD_VINTR] = 3, [LD_VQUIT] = 28, [LD_VERASE] = 127, [LD_VKILL] = 21, [LD_VEOF] = 4, [LD_VMIN] = 1,
		[LD_VSTART] = 17, [LD_VSTOP] = 19, [LD_VSUSP] = 26, [LD_VREPRINT] = 18, [LD_VDISCARD] = 15,
		[LD_VWERASE] = 23, [LD_VLNEXT] = 22,
	};

	memset(ld, 0, sizeof(*ld));
	ld->ld_t.iflag = LD_ICRNL | LD_IXON;
	ld->ld_t.oflag = LD_OPOST | LD_ONLCR;
	ld->ld_t.cflag = LD_B38400 | LD_CS8 | LD_CREAD;
	ld->ld_t.lflag = LD_ISIG | LD_ICANON | LD_ECHO | LD_ECHOE | LD_ECHOK | LD_ECHOCTL | LD_ECHOKE | LD_IEXTEN;
	memcpy(ld->ld_t.cc, keys, sizeof(keys));
	ld->ld_t.ispeed = ld->ld_t.ospeed = 38400;
}
