/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ldisc - our line discipline against the host's.
 *
 * Random key strokes, program output and changes of settings go to a pty of
 * the host and to a struct ldisc; what comes out on both sides must be equal,
 * byte for byte and read for read.  A failure names its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../../../../sys/core/tty/ldisc.c"

#define SEEDS		400
#define STEPS		8
#define TEXT_MAX	65536
#define QUIET_MS	2		/* the host works on its own time: this long after what we expect, nothing more comes */
#define PATIENCE_MS	2000		/* how long to wait for what we expect */

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

struct text {
	size_t	n;
	uint8_t	b[TEXT_MAX];
};
static struct text host_screen, our_screen, host_reads, our_reads;
static int master, slave;
static struct ldisc ld;
static uint64_t rng;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

static void
add(struct text *t, const void *p, size_t n)
{
	assert_true(t->n + n <= TEXT_MAX);
	memcpy(t->b + t->n, p, n);
	t->n += n;
}

/* Everything that the host shows until it has shown as much as we did and is quiet. */
static void
host_settle(void)
{
	struct pollfd pfd = { .fd = master, .events = POLLIN };
	uint8_t buf[4096];
	ssize_t n;

	while (poll(&pfd, 1, host_screen.n < our_screen.n ? PATIENCE_MS : QUIET_MS) > 0) {
		n = read(master, buf, sizeof(buf));
		if (n <= 0)
			break;
		add(&host_screen, buf, (size_t)n);
	}
}

static void
our_settle(void)
{
	uint8_t buf[4096];
	size_t n;

	while ((n = ldisc_take(&ld, buf, sizeof(buf))) > 0)
		add(&our_screen, buf, n);
}

/*
 * A read on the host, which works on its own time: what we have had (`want`
 * bytes, -1: nothing, 0: an end of file) is awaited, and what raw mode gives in
 * pieces is put together.  -1: nothing there.
 */
static ssize_t
host_read(uint8_t *buf, size_t size, ssize_t want)
{
	struct pollfd pfd = { .fd = slave, .events = POLLIN };
	ssize_t n, done = -1;

	do {
		(void)poll(&pfd, 1, done < want ? PATIENCE_MS : 0);
		n = read(slave, buf + (done > 0 ? done : 0), size - (size_t)(done > 0 ? done : 0));
		if (n >= 0)
			done = (done > 0 ? done : 0) + n;
	} while (n > 0 && done < want && (ld.ld_t.lflag & ICANON) == 0);
	return done;
}

/* One read of `size` on each side: length and bytes are noted; an end of file is a read of 0. */
static bool
read_both(size_t size)
{
	uint8_t buf[8192];
	ssize_t want = -1, n;
	int32_t len;
	bool end;

	if (ldisc_readable(&ld, 1)) {
		want = (ssize_t)ldisc_read(&ld, buf, size, &end);
		len = (int32_t)want;
		add(&our_reads, &len, sizeof(len));
		add(&our_reads, buf, (size_t)want);
	}
	n = host_read(buf, size, want);
	if (n >= 0) {
		len = (int32_t)n;
		add(&host_reads, &len, sizeof(len));
		add(&host_reads, buf, (size_t)n);
	}
	return n >= 0;
}

static void
type(const uint8_t *keys, size_t n)
{
	size_t done = 0, took;
	uint32_t ev;

	do {
		took = ldisc_input(&ld, keys + done, n - done, &ev);
		done += took;
		our_settle();
	} while (took > 0);
	assert_int_equal(done, n);
	assert_int_equal(write(master, keys, n), n);
	/* The host's worker takes it on its own time; but who finds nothing to read waits for it. */
	(void)poll(&(struct pollfd){ .fd = slave, .events = POLLIN }, 1, 0);
	host_settle();
}

/* The same, with nothing left to read before: then what is done next is done to the same state on both sides. */
static void
read_and_type(const uint8_t *keys, size_t n)
{
	while (ldisc_readable(&ld, 1))
		(void)read_both(1 + rnd(12));
	type(keys, n);
}

static void
set(const struct ld_termios *t)
{
	struct termios2 host;

	assert_int_equal(ioctl(slave, TCGETS2, &host), 0);
	host.c_iflag = t->iflag;
	host.c_oflag = t->oflag;
	host.c_lflag = t->lflag;
	memcpy(host.c_cc, t->cc, sizeof(host.c_cc));
	assert_int_equal(ioctl(slave, TCSETS2, &host), 0);
	ldisc_set_termios(&ld, t);
	our_settle();
	host_settle();
}

static void
begin(void)
{
	int unlock = 0, number;
	char name[32];

	host_screen.n = our_screen.n = host_reads.n = our_reads.n = 0;
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(master >= 0);
	assert_int_equal(ioctl(master, TIOCSPTLCK, &unlock), 0);
	assert_int_equal(ioctl(master, TIOCGPTN, &number), 0);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	assert_true(slave >= 0);
	ldisc_init(&ld);
}

static void
finish(void)
{
	close(slave);
	close(master);
}

static void
compare(const char *what, const struct text *host, const struct text *ours, uint32_t seed)
{
	size_t i = 0;

	while (i < host->n && i < ours->n && host->b[i] == ours->b[i])
		i++;
	if (i == host->n && i == ours->n)
		return;
	fprintf(stderr, "seed %u: %s differ at %zu (of %zu and %zu)\n", seed, what, i, host->n, ours->n);
	for (int side = 0; side < 2; side++) {
		const struct text *t = side == 0 ? host : ours;

		fprintf(stderr, "  %s", side == 0 ? "host:" : "ours:");
		for (size_t k = i > 24 ? i - 24 : 0; k < t->n && k < i + 24; k++)
			fprintf(stderr, k == i ? " >%02x" : " %02x", t->b[k]);
		fprintf(stderr, "\n");
	}
	fprintf(stderr, "  iflag %o oflag %o lflag %o\n", ld.ld_t.iflag, ld.ld_t.oflag, ld.ld_t.lflag);
	fail();
}

static void
compare_all(uint32_t seed)
{
	compare("screens", &host_screen, &our_screen, seed);
	compare("reads", &host_reads, &our_reads, seed);
}

/* ---------------------------------------------------------------- tests -- */

static void
the_first_settings_are_the_hosts(void **state)
{
	struct termios2 host;

	(void)state;
	begin();
	assert_int_equal(ioctl(slave, TCGETS2, &host), 0);
	assert_int_equal(sizeof(host), sizeof(ld.ld_t));
	assert_memory_equal(&host, &ld.ld_t, sizeof(host));
	finish();
}

static uint32_t
some(uint32_t flags)
{
	uint32_t got = 0;

	for (uint32_t bit = 1; bit != 0; bit <<= 1)
		if ((flags & bit) != 0 && rnd(2) == 0)
			got |= bit;
	return got;
}

/* Signals would throw away output that the host may or may not have shown: NOFLSH always. */
static void
random_settings(struct ld_termios *t)
{
	t->iflag = some(LD_INLCR | LD_IGNCR | LD_ICRNL | LD_IUTF8);
	if (rnd(3) == 0)
		t->iflag |= some(LD_ISTRIP | LD_IUCLC | LD_PARMRK | LD_IXON | LD_IXANY);
	t->oflag = some(LD_OPOST | LD_ONLCR | LD_OCRNL | LD_ONOCR | LD_ONLRET);
	if (rnd(3) == 0)
		t->oflag |= some(LD_OLCUC | LD_XTABS);
	if ((t->oflag & LD_TABDLY) != LD_XTABS)
		t->oflag &= ~(uint32_t)LD_TABDLY;
	t->lflag = LD_NOFLSH | some(LD_ISIG | LD_ECHO | LD_ECHOE | LD_ECHOK | LD_ECHONL | LD_ECHOCTL | LD_ECHOPRT |
	    LD_ECHOKE | LD_IEXTEN);
	if (rnd(3) != 0)
		t->lflag |= LD_ICANON | LD_ECHO;
	t->cc[LD_VEOL] = rnd(4) == 0 ? ';' : 0;
	t->cc[LD_VEOL2] = rnd(4) == 0 ? '!' : 0;
	t->cc[LD_VMIN] = 1;
	t->cc[LD_VTIME] = 0;
}

static uint8_t
random_key(void)
{
	static const uint8_t special[] = "\x7f\x7f\x7f\x15\x17\x17\x12\x16\x04\x04\n\n\r\r\t\t;!\x03\x1c\x1a\x11\x13  ";

	switch (rnd(8)) {
	case 0: case 1: case 2:
		return special[rnd(sizeof(special) - 1)];
	case 3:
		return (uint8_t)rnd(256);
	case 4:
		return (uint8_t)(rnd(2) == 0 ? 0xc3 : 0x80 + rnd(64));
	default:
		return (uint8_t)("abcdeABZ_09 ./"[rnd(14)]);
	}
}

static void
type_some(void)
{
	uint8_t keys[64];
	size_t n = 1 + rnd(40);

	for (size_t i = 0; i < n; i++)
		keys[i] = random_key();
	read_and_type(keys, n);
}

/* A program's output; what a stopped terminal does not take is not sent. */
static void
print_some(void)
{
	uint8_t text[32];
	size_t n = 1 + rnd(20), taken;
	ssize_t host;

	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)("ab\n\r\t\b\xc3\xa9Z\x07"[rnd(10)]);
	taken = ldisc_output(&ld, text, n);
	our_settle();
	host = write(slave, text, n);
	assert_int_equal(host < 0 ? 0 : host, taken);
	host_settle();
}

static void
one_seed(uint32_t seed)
{
	const uint8_t start = 17;
	struct ld_termios t;

	rng = seed * 7919 + 1;
	begin();
	t = ld.ld_t;
	t.lflag |= LD_NOFLSH;
	set(&t);
	for (int step = 0; step < STEPS; step++) {
		switch (rnd(6)) {
		case 0:
			while (ld.ld_stopped)	/* the host processes echo that waits by the new settings: no need to follow */
				read_and_type(&start, 1);
			random_settings(&t);
			set(&t);
			break;
		case 1:
			read_both(1 + rnd(12));
			break;
		case 2:
			print_some();
			break;
		default:
			type_some();
		}
		compare("screens", &host_screen, &our_screen, seed);
	}
	while (ld.ld_stopped)
		read_and_type(&start, 1);
	while (read_both(1 + rnd(30)))
		;
	compare_all(seed);
	finish();
}

static void
random_use_is_as_on_the_host(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++)
		one_seed(seed);
}

static void
a_line_longer_than_the_ring_can_be_ended(void **state)
{
	static uint8_t keys[6000];
	uint32_t ev;
	ssize_t n;

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(keys); i++)
		keys[i] = (uint8_t)('a' + i % 26);
	for (size_t i = 0; i < sizeof(keys); i += 500) {
		n = write(master, keys + i, 500);
		assert_int_equal(n, 500);
		assert_int_equal(ldisc_input(&ld, keys + i, 500, &ev), 500);
		our_settle();
		host_settle();
	}
	type((const uint8_t *)"Q\n", 2);
	read_both(8192);
	type((const uint8_t *)"next\n", 5);
	while (read_both(8192))
		;
	compare("reads", &host_reads, &our_reads, 0);
	finish();
}

static void
an_end_of_file_behind_a_full_read_belongs_to_it(void **state)
{
	(void)state;
	begin();
	type((const uint8_t *)"abcd\x04" "xy\n\x04", 9);
	read_both(4);
	read_both(4);
	while (read_both(8))
		;
	compare_all(0);
	finish();
}

static void
what_does_not_fit_is_not_taken(void **state)
{
	static uint8_t keys[LDISC_IN];
	uint32_t ev;
	size_t n;
	bool end;

	(void)state;
	ldisc_init(&ld);
	memset(keys, '\n', sizeof(keys));
	ld.ld_t.lflag &= ~(uint32_t)LD_ECHO;
	n = ldisc_input(&ld, keys, sizeof(keys), &ev);
	assert_true(n < sizeof(keys));
	assert_false(ldisc_can_input(&ld));
	assert_int_equal(ldisc_input(&ld, keys, 1, &ev), 0);
	assert_int_equal(ldisc_read(&ld, keys, sizeof(keys), &end), 1);
	assert_true(end);
	assert_int_equal(ldisc_input(&ld, keys, 1, &ev), 1);
}

static void
signals_are_reported_and_flush(void **state)
{
	uint8_t buf[64];
	uint32_t ev;
	bool end;

	(void)state;
	ldisc_init(&ld);
	assert_int_equal(ldisc_input(&ld, (const uint8_t *)"abc\x03" "de\n", 7, &ev), 7);
	assert_true((ev & LDISC_INT) != 0 && (ev & LDISC_FLUSHED) != 0 && (ev & LDISC_READABLE) != 0);
	assert_int_equal(ldisc_read(&ld, buf, sizeof(buf), &end), 3);
	assert_memory_equal(buf, "de\n", 3);
	assert_int_equal(ldisc_take(&ld, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "^Cde\r\n", 6);
}

static void
a_stopped_terminal_takes_and_shows_nothing(void **state)
{
	uint8_t buf[64];
	uint32_t ev;

	(void)state;
	ldisc_init(&ld);
	assert_int_equal(ldisc_output(&ld, (const uint8_t *)"ab", 2), 2);
	assert_int_equal(ldisc_input(&ld, (const uint8_t *)"\x13x", 2, &ev), 2);
	assert_true((ev & LDISC_STOP) != 0);
	assert_int_equal(ldisc_output(&ld, (const uint8_t *)"cd", 2), 0);
	assert_int_equal(ldisc_take(&ld, buf, sizeof(buf)), 0);
	ldisc_input(&ld, (const uint8_t *)"\x11", 1, &ev);
	assert_true((ev & LDISC_START) != 0);
	assert_int_equal(ldisc_take(&ld, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "abx", 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_settings_are_the_hosts),
		cmocka_unit_test(random_use_is_as_on_the_host),
		cmocka_unit_test(a_line_longer_than_the_ring_can_be_ended),
		cmocka_unit_test(an_end_of_file_behind_a_full_read_belongs_to_it),
		cmocka_unit_test(what_does_not_fit_is_not_taken),
		cmocka_unit_test(signals_are_reported_and_flush),
		cmocka_unit_test(a_stopped_terminal_takes_and_shows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
