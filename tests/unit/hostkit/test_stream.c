/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * streams: each case runs in a child of its own, whose descriptors 0, 1 and 2
 * are what the case wants them to be; the parent plays the world around it
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "machine.h"

static int report = -1;		/* where a child says what went wrong: its stderr may be the stream under test */

#define EXPECT(x) \
	do { \
		if (!(x)) { \
			dprintf(report, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			_exit(1); \
		} \
	} while (0)

/* Run `body` as the only program of a machine whose streams are these; -1 is closed. */
static pid_t
child(int in, int out, int err, void (*body)(void))
{
	int from[3] = { in, out, err };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	report = fcntl(2, F_DUPFD_CLOEXEC, 200);
	for (int i = 0; i < 3; i++)
		from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, 210);
	for (int i = 0; i < 3; i++) {
		close(i);
		if (from[i] >= 0)
			EXPECT(dup2(from[i], i) == i);
	}
	for (int i = 3; i < 300; i++)
		if (i != report)
			close(i);
	machine_brk = HK_BLOCK;
	EXPECT(hk_init(&(struct hk_config){ .ncpu = 1, .ram_bytes = RAM_BYTES }) == HK_OK);
	EXPECT(hk_cpu_start(0, &machine_mailbox[0], 0,
	    (uint64_t)(uintptr_t)machine_stack[0] + sizeof machine_stack[0], machine_entry, (void *)body) == HK_OK);
	status = hk_serve();
	hk_fini();
	_exit(status);
}

static void
passes(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
wait_stream(void)
{
	while ((atomic_exchange(&machine_mailbox[0], 0) & HK_BIT_STREAM) == 0)
		hk_idle(0);
}

static struct hk_stream_info
info(uint32_t n)
{
	struct hk_stream_info i;

	hk_stream_info(n, &i);
	return i;
}

/* Copy stream 0 to stream 1, as a kernel would: by mailbox only. */
static void
copy(void)
{
	static char buf[3000];		/* no power of two, on purpose */
	size_t got, put, off;
	hk_result r;

	for (;;) {
		r = hk_stream_read(0, buf, sizeof buf, &got);
		if (r == HK_AGAIN) {
			EXPECT(got == 0);
			wait_stream();
			continue;
		}
		if (r == HK_EOF)
			return;
		EXPECT(r == HK_OK && got > 0 && got <= sizeof buf);
		for (off = 0; off < got; off += put) {
			r = hk_stream_write(1, buf + off, got - off, &put);
			EXPECT(r == HK_OK || r == HK_AGAIN);
			if (r == HK_AGAIN)
				wait_stream();
		}
	}
}

static uint8_t
pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

#define BYTES	(512u << 10)

/* Feed BYTES into `in` and check that they come out of `out`, with pauses on both sides. */
static void
pump(int in, int out)
{
	size_t fed = 0, seen = 0;
	uint8_t buf[4096];

	fcntl(in, F_SETFL, O_NONBLOCK);
	while (seen < BYTES) {
		struct pollfd p[2] = { { out, POLLIN, 0 }, { in, (short)(fed < BYTES ? POLLOUT : 0), 0 } };

		assert_true(poll(p, fed < BYTES ? 2 : 1, 600000) > 0);
		if (fed < BYTES && (p[1].revents & POLLOUT) != 0) {
			size_t n = 0;
			ssize_t w;

			for (; n < sizeof buf && fed + n < BYTES; n++)
				buf[n] = pattern(fed + n);
			w = write(in, buf, n);
			if (w > 0)
				fed += (size_t)w;
			if (fed >= BYTES)
				shutdown(in, SHUT_WR);
		}
		if ((p[0].revents & POLLIN) != 0) {
			ssize_t n = read(out, buf, sizeof buf);

			assert_true(n > 0);
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(buf[i], pattern(seen + (size_t)i));
			seen += (size_t)n;
			if (seen / 65536 % 3 == 0)
				usleep(100);
		}
	}
}

static void
flags_are_untouched(int fd, int flags)
{
	assert_int_equal(fcntl(fd, F_GETFL), flags);
}

static void
pipe_copy(void)
{
	EXPECT(info(0).kind == HK_STREAM_PIPE && info(1).kind == HK_STREAM_PIPE);
	EXPECT(info(0).same_as == 0 && info(1).same_as == 1);
	copy();
}

static void
pipes_carry_every_byte_and_keep_their_flags(void **state)
{
	int in[2], out[2], rflags;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(in) | pipe(out), 0);
	rflags = fcntl(in[0], F_GETFL);
	pid = child(in[0], out[1], 2, pipe_copy);
	{
		/* The writing end must be closed for the end to be seen: pump's shutdown() is for sockets. */
		pid_t feeder = fork();

		if (feeder == 0) {
			close(in[0]);
			for (size_t i = 0; i < BYTES; i++) {
				uint8_t b[997];
				size_t n = 0;

				for (; n < sizeof b && i + n < BYTES; n++)
					b[n] = pattern(i + n);
				if (write(in[1], b, n) != (ssize_t)n)
					_exit(1);
				i += n - 1;
			}
			_exit(0);
		}
		close(in[1]);
		close(out[1]);
		for (size_t seen = 0;;) {
			uint8_t b[4096];
			ssize_t n = read(out[0], b, sizeof b);

			assert_true(n >= 0);
			if (n == 0) {
				assert_int_equal(seen, BYTES);
				break;
			}
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(b[i], pattern(seen + (size_t)i));
			seen += (size_t)n;
		}
		passes(feeder);
	}
	passes(pid);
	flags_are_untouched(in[0], rflags);
	close(in[0]);
	close(out[0]);
}

static void
sockets_carry_every_byte(void **state)
{
	int in[2], out[2], flags;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, in) | socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
	flags = fcntl(in[0], F_GETFL);
	pid = child(in[0], out[1], 2, pipe_copy);
	pump(in[1], out[0]);
	passes(pid);
	flags_are_untouched(in[0], flags);
	flags_are_untouched(out[1], flags);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

/* ---------------------------------------------------------------- files -- */

static void
file_copy(void)
{
	EXPECT(info(0).kind == HK_STREAM_FILE && info(1).kind == HK_STREAM_FILE);
	EXPECT(info(2).same_as == 1);
	copy();
	EXPECT(hk_stream_write(2, "end", 3, &(size_t){ 0 }) == HK_OK);
}

static void
files_share_their_offset_with_the_world(void **state)
{
	char name[] = "/tmp/hkstreamXXXXXX", name2[] = "/tmp/hkstreamXXXXXX", text[64];
	int a = mkstemp(name), b = mkstemp(name2);

	(void)state;
	assert_true(a >= 0 && b >= 0);
	unlink(name);
	unlink(name2);
	assert_int_equal(write(a, "skipped|copied", 14), 14);
	assert_int_equal(lseek(a, 8, SEEK_SET), 8);
	assert_int_equal(write(b, "first|", 6), 6);
	passes(child(a, b, b, file_copy));
	assert_int_equal(lseek(a, 0, SEEK_CUR), 14);
	assert_int_equal(lseek(b, 0, SEEK_CUR), 15);
	assert_int_equal(pread(b, text, sizeof text, 0), 15);
	assert_memory_equal(text, "first|copiedend", 15);
	close(a);
	close(b);
}

/* ------------------------------------------------------- closed and null -- */

static void
nothing_open(void)
{
	size_t n;
	char c;

	for (uint32_t i = 0; i < 3; i++) {
		EXPECT(info(i).kind == HK_STREAM_NONE);
		EXPECT(hk_stream_read(i, &c, 1, &n) == HK_INVAL);
		EXPECT(hk_stream_write(i, "x", 1, &n) == HK_INVAL);
		/* Nothing of the library has become a standard stream. */
		EXPECT(write((int)i, "x", 1) < 0 && errno == EBADF);
		EXPECT(read((int)i, &c, 1) < 0 && errno == EBADF);
	}
	EXPECT(hk_stream_read(3, &c, 1, &n) == HK_INVAL);
}

static void
closed_streams_stay_closed(void **state)
{
	(void)state;
	passes(child(-1, -1, -1, nothing_open));
}

static void
null_stream(void)
{
	size_t n;
	char c;

	EXPECT(info(0).kind == HK_STREAM_NULL);
	EXPECT(hk_stream_read(0, &c, 1, &n) == HK_EOF && n == 0);
	EXPECT(hk_stream_write(1, "x", 1, &n) == HK_OK && n == 1);
	EXPECT(hk_stream_read(0, &c, 0, &n) == HK_OK);
}

static void
dev_null_ends_at_once_and_takes_all(void **state)
{
	int fd = open("/dev/null", O_RDWR);

	(void)state;
	passes(child(fd, fd, 2, null_stream));
	close(fd);
}

/* ------------------------------------------------------------- broken -- */

static void
write_until_gone(void)
{
	static char zeros[8192];
	hk_result r;
	size_t n;

	for (;;) {
		r = hk_stream_write(1, zeros, sizeof zeros, &n);
		if (r == HK_AGAIN)
			wait_stream();
		else if (r != HK_OK)
			break;
	}
	EXPECT(r == HK_EOF);
}

static void
a_reader_that_goes_is_the_end_and_no_signal(void **state)
{
	int out[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(out), 0);
	pid = child(-1, out[1], 2, write_until_gone);
	close(out[1]);
	usleep(50000);			/* it fills the pipe and waits */
	close(out[0]);
	passes(pid);
}

static void
full_stdout(void)
{
	size_t n;

	EXPECT(hk_stream_write(1, "x", 1, &n) == HK_NOMEM && n == 0);
	EXPECT(strstr(hk_why(), "space") != NULL);
}

static void
a_full_device_is_an_error_with_a_reason(void **state)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	passes(child(-1, fd, 2, full_stdout));
	close(fd);
}

/* ------------------------------------------------------------ terminals -- */

static void
tty_session(void)
{
	char c;
	size_t n;

	EXPECT(info(0).kind == HK_STREAM_TTY && info(1).kind == HK_STREAM_TTY);
	EXPECT(info(1).same_as == 0 && info(2).same_as == 0);
	EXPECT(info(0).rows == 24 && info(0).cols == 80);
	EXPECT(hk_stream_read(0, &c, 1, &n) == HK_AGAIN);
	hk_stream_raw(true);
	EXPECT(hk_stream_write(1, "a\n", 2, &n) == HK_OK && n == 2);
	for (;;) {
		hk_result r = hk_stream_read(0, &c, 1, &n);

		if (r == HK_AGAIN) {
			wait_stream();
			continue;
		}
		EXPECT(r == HK_OK && n == 1);
		if (c == 4)		/* ^D: only a byte now */
			break;
		EXPECT(c == 3);		/* as is ^C */
	}
	EXPECT(hk_stream_write(1, "b\n", 2, &n) == HK_OK);
}

static void
read_exactly(int fd, const char *want)
{
	char got[64];
	size_t n = 0;

	while (n < strlen(want)) {
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t r;

		assert_int_equal(poll(&p, 1, 600000), 1);
		r = read(fd, got + n, strlen(want) - n);
		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_memory_equal(got, want, n);
}

static void
a_terminal_is_raw_while_wanted_and_put_back(void **state)
{
	struct winsize w = { 24, 80, 0, 0 };
	struct termios before, after;
	int master, slave, flags;
	pid_t pid;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &w), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	flags = fcntl(slave, F_GETFL);
	pid = child(slave, slave, slave, tty_session);
	read_exactly(master, "a\n");
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_int_equal(after.c_lflag & (ICANON | ECHO | ISIG), 0);
	flags_are_untouched(slave, flags);
	assert_int_equal(write(master, "\3\4", 2), 2);
	read_exactly(master, "b\n");
	passes(pid);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_memory_equal(&before.c_lflag, &after.c_lflag, sizeof before.c_lflag);
	assert_int_equal(before.c_iflag, after.c_iflag);
	assert_int_equal(before.c_oflag, after.c_oflag);
	flags_are_untouched(slave, flags);
	close(master);
	close(slave);
}

static void
die_raw(void)
{
	size_t n;

	hk_stream_raw(true);
	EXPECT(hk_stream_write(1, "x", 1, &n) == HK_OK);
	abort();
}

static void
a_terminal_is_put_back_when_we_abort(void **state)
{
	struct termios before, after;
	int master, slave, status;
	pid_t pid;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	pid = child(slave, slave, 2, die_raw);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_int_equal(before.c_lflag, after.c_lflag);
	close(master);
	close(slave);
}

static void
fill_terminal(void)
{
	static char text[4096];
	size_t n, total = 0;
	hk_result r;

	memset(text, 'x', sizeof text);
	while ((r = hk_stream_write(1, text, sizeof text, &n)) == HK_OK)
		total += n;
	EXPECT(r == HK_AGAIN && total > 0);
	for (;;) {			/* the reader comes late: everything arrives after all */
		if (r == HK_AGAIN)
			wait_stream();
		r = hk_stream_write(1, "end", 3, &n);
		if (r == HK_OK)
			break;
	}
	EXPECT(n == 3);
}

static void
a_terminal_that_takes_nothing_does_not_block(void **state)
{
	int master, slave;
	char buf[65536];
	size_t total = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	pid = child(-1, slave, 2, fill_terminal);
	usleep(100000);
	for (;;) {
		ssize_t n = read(master, buf, sizeof buf);

		assert_true(n > 0);
		total += (size_t)n;
		if (memcmp(buf + n - 1, "d", 1) == 0)
			break;
	}
	passes(pid);
	assert_true(total > 3);
	close(master);
	close(slave);
}

static void
read_hangup(void)
{
	hk_result r;
	size_t n;
	char c;

	while ((r = hk_stream_read(0, &c, 1, &n)) == HK_AGAIN)
		wait_stream();
	EXPECT(r == HK_EOF);
}

static void
a_terminal_that_hangs_up_has_ended(void **state)
{
	int master, slave;
	pid_t pid;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	pid = child(slave, -1, 2, read_hangup);
	close(slave);
	usleep(30000);
	close(master);
	passes(pid);
}

/* ------------------------------------------- ways that this host would not need -- */

static long (*real_call)(long, long, long, long, long, long, long);
static bool no_reopen;

/* A host without RWF_NOWAIT, and perhaps one where /proc/self/fd cannot be opened. */
static long
old_host(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (nr == SYS_preadv2 || nr == SYS_pwritev2)
		return -ENOSYS;
	if (no_reopen && nr == SYS_openat && a1 != 0 && strncmp((const char *)a1, "/proc/self/fd/", 14) == 0)
		return -EACCES;
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

static void
older_hosts_carry_every_byte_too(void **state)
{
	real_call = hk_sysops.call;
	hk_sysops.call = old_host;
	for (int i = 0; i < 2; i++) {
		no_reopen = i == 1;
		pipes_carry_every_byte_and_keep_their_flags(state);
		a_reader_that_goes_is_the_end_and_no_signal(state);
		a_terminal_is_raw_while_wanted_and_put_back(state);
		a_terminal_that_hangs_up_has_ended(state);
	}
	hk_sysops.call = real_call;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes_carry_every_byte_and_keep_their_flags),
		cmocka_unit_test(sockets_carry_every_byte),
		cmocka_unit_test(files_share_their_offset_with_the_world),
		cmocka_unit_test(closed_streams_stay_closed),
		cmocka_unit_test(dev_null_ends_at_once_and_takes_all),
		cmocka_unit_test(a_reader_that_goes_is_the_end_and_no_signal),
		cmocka_unit_test(a_full_device_is_an_error_with_a_reason),
		cmocka_unit_test(a_terminal_is_raw_while_wanted_and_put_back),
		cmocka_unit_test(a_terminal_is_put_back_when_we_abort),
		cmocka_unit_test(a_terminal_that_takes_nothing_does_not_block),
		cmocka_unit_test(a_terminal_that_hangs_up_has_ended),
		cmocka_unit_test(older_hosts_carry_every_byte_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
