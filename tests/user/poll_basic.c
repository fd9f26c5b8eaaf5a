/* SPDX-License-Identifier: BSD-2-Clause */
/* poll, ppoll and select - which events, when, and for how long. */
#include "t.h"
#include <sys/select.h>

static void
events(const char *what, int fd, short want, int timeout)
{
	struct pollfd p = { .fd = fd, .events = want, .revents = 0x5555 };
	int r = poll(&p, 1, timeout);

	t_say("%s: %d, events %#x", what, r, (unsigned)(unsigned short)p.revents);
}

static void
pipes(void)
{
	static char big[70000];
	int p[2], q[2];
	const short all = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM | POLLRDHUP;

	t_need(pipe2(p, O_NONBLOCK) == 0 && pipe(q) == 0, "pipe");
	events("empty, read end", p[0], all, 0);
	events("empty, write end", p[1], all, 0);
	T(write(p[1], "x", 1));
	events("one byte", p[0], all, 0);
	events("one byte, nothing wanted", p[0], 0, 0);
	T(write(p[1], big, sizeof big) > 0);
	events("full, write end", p[1], all, 0);
	close(p[1]);
	events("no writer, data left", p[0], all, 0);
	while (read(p[0], big, sizeof big) > 0)
		;
	events("no writer, empty", p[0], all, 0);
	close(p[0]);
	close(q[0]);
	events("no reader", q[1], all, 0);
	events("no reader, nothing wanted", q[1], 0, 0);
	close(q[1]);
	events("closed", q[1], all, 0);
	events("negative", -5, all, 0);
}

static void
files(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), d = open(".", O_RDONLY), z = open("/dev/null", O_RDWR);

	events("file", fd, POLLIN | POLLOUT | POLLPRI, 0);
	events("directory", d, POLLIN | POLLOUT, 0);
	events("null", z, POLLIN | POLLOUT, 0);
	close(fd), close(d), close(z);
}

static void
timeouts(void)
{
	struct pollfd p[3];
	struct timespec ts = { 0, 30000000 }, bad = { 0, -1 }, neg = { -1, 0 };
	struct timeval tv = { 0, 30000 };
	int64_t t0 = t_now_ms();
	int a[2];
	fd_set set;

	t_need(pipe(a) == 0, "pipe");
	p[0] = (struct pollfd){ .fd = a[0], .events = POLLIN };
	T(poll(p, 1, 30));
	T(t_now_ms() - t0 >= 30);
	t0 = t_now_ms();
	T(ppoll(p, 1, &ts, NULL));
	T(t_now_ms() - t0 >= 30);
	T(ppoll(p, 1, &bad, NULL));
	T(ppoll(p, 1, &neg, NULL));
	t0 = t_now_ms();
	FD_ZERO(&set);
	FD_SET(a[0], &set);
	T_SYS(select, a[0] + 1, &set, NULL, NULL, &tv);
	t_say("set is %s, time left is %d", FD_ISSET(a[0], &set) ? "kept" : "cleared", (int)(tv.tv_sec * 1000000 + tv.tv_usec));
	T(t_now_ms() - t0 >= 29);
	tv = (struct timeval){ 3, 0 };
	T(write(a[1], "x", 1));
	FD_SET(a[0], &set);
	FD_SET(a[1], &set);
	T_SYS(select, a[1] + 1, &set, NULL, NULL, &tv);
	t_say("in: %d %d, time is left: %d", FD_ISSET(a[0], &set), FD_ISSET(a[1], &set), tv.tv_sec >= 2);
	T_SYS(select, -1, NULL, NULL, NULL, &tv);
	T_SYS(select, 0, NULL, NULL, NULL, &(struct timeval){ 0, 1000 });
	T_SYS(select, 0, NULL, NULL, NULL, &(struct timeval){ -1, 0 });
	close(a[1]);
	FD_ZERO(&set);
	FD_SET(a[1], &set);
	T_SYS(select, a[1] + 1, NULL, &set, NULL, &(struct timeval){ 0, 0 });
	T_SYS(poll, p, 100000000, 0);
	close(a[0]);
}

static void
woken(void)
{
	int a[2], b[2];
	struct pollfd p[2];

	t_need(pipe(a) == 0 && pipe(b) == 0, "pipe");
	p[0] = (struct pollfd){ .fd = a[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = b[0], .events = POLLIN };
	if (fork() == 0) {
		t_sleep_ms(20);
		_exit(write(b[1], "x", 1) == 1 ? 0 : 1);
	}
	T(poll(p, 2, 5000));
	t_say("%#x %#x", (unsigned)p[0].revents, (unsigned)p[1].revents);
	wait(NULL);
	if (fork() == 0) {
		close(b[1]);
		t_sleep_ms(20);
		_exit(0);
	}
	close(a[1]);
	p[1].fd = -1;
	T(poll(p, 2, 5000));
	t_say("%#x %#x", (unsigned)p[0].revents, (unsigned)p[1].revents);
	wait(NULL);
	close(a[0]), close(b[0]), close(b[1]);
}

static volatile sig_atomic_t hits;

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

/* ppoll and pselect change the mask for their wait only, and atomically. */
static void
masks(void)
{
	sigset_t block, none, now;
	struct timespec zero = { 0, 0 }, some = { 5, 0 };

	t_handle(SIGUSR1, on_signal, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	T(ppoll(NULL, 0, &some, &none));
	T(hits);
	sigprocmask(SIG_SETMASK, NULL, &now);
	T(sigismember(&now, SIGUSR1));
	raise(SIGUSR1);
	T(pselect(0, NULL, NULL, NULL, &some, &none));
	T(hits);
	raise(SIGUSR1);
	T(ppoll(NULL, 0, &zero, &block));
	T(hits);
	/* An event that is there already wins over the signal, which stays pending. */
	int p[2];
	struct pollfd pf;
	t_need(pipe(p) == 0 && write(p[1], "x", 1) == 1, "pipe");
	pf = (struct pollfd){ .fd = p[0], .events = POLLIN };
	T(ppoll(&pf, 1, &some, &none));
	T(hits);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	T(hits);
	T_SYS(ppoll, &pf, 1, NULL, &none, 7);
	T_SYS(ppoll, &pf, 1, NULL, 8, 8);
}

int
main(void)
{
	pipes();
	files();
	timeouts();
	woken();
	masks();
	return 0;
}
