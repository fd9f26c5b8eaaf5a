/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll and eventfd - what is ready, how often it is said, and what closing does. */
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static void
wait_some(const char *what, int ep, int timeout)
{
	struct epoll_event ev[8];
	int n = epoll_wait(ep, ev, 8, timeout);

	t_say("%s: %d", what, n);
	for (int i = 0; i < n; i++)
		t_say("  events %#x data %u", ev[i].events, ev[i].data.u32);
}

static int
control(int ep, int op, int fd, uint32_t events, uint32_t data)
{
	struct epoll_event ev = { .events = events, .data = { .u32 = data } };

	return epoll_ctl(ep, op, fd, &ev);
}

static void
levels_and_edges(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], q[2];
	char buf[8];

	t_need(ep >= 0 && pipe(p) == 0 && pipe(q) == 0, "pipe");
	T(control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	T(control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	T(control(ep, EPOLL_CTL_ADD, q[0], EPOLLIN | EPOLLET, 2));
	wait_some("nothing", ep, 0);
	T(write(p[1], "ab", 2));
	wait_some("level", ep, 0);
	wait_some("level again", ep, 0);
	T(read(p[0], buf, 8));
	wait_some("level over", ep, 0);
	T(write(q[1], "ab", 2));
	wait_some("edge", ep, 0);
	wait_some("edge once", ep, 0);
	T(write(q[1], "cd", 2));
	wait_some("edge, more written", ep, 0);
	T(read(q[0], buf, 1));
	wait_some("edge, some read", ep, 0);
	T(control(ep, EPOLL_CTL_MOD, q[0], EPOLLIN | EPOLLONESHOT, 3));
	wait_some("one shot", ep, 0);
	wait_some("one shot over", ep, 0);
	T(control(ep, EPOLL_CTL_MOD, q[0], EPOLLIN | EPOLLONESHOT, 4));
	wait_some("one shot again", ep, 0);
	T(control(ep, EPOLL_CTL_DEL, q[0], 0, 0));
	T(control(ep, EPOLL_CTL_DEL, q[0], 0, 0));
	T(control(ep, EPOLL_CTL_MOD, q[0], EPOLLIN, 0));
	T(control(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT, 5));
	wait_some("writable", ep, 0);
	close(p[0]);
	wait_some("reader gone", ep, 0);
	close(p[1]);
	wait_some("closed", ep, 0);
	close(q[0]), close(q[1]), close(ep);
}

/* Who waits for edges is told of every write, whether he has read what was before or not. */
static void
every_write(const char *what, int from, int to, const void *bytes, size_t n)
{
	int ep = epoll_create1(0);

	T(control(ep, EPOLL_CTL_ADD, to, EPOLLIN | EPOLLET, 1));
	t_say("%s", what);
	for (int i = 0; i < 3; i++) {
		T(write(from, bytes, n) == (ssize_t)n);
		wait_some("told", ep, 5000);	/* a terminal lets its worker tell */
		wait_some("and no more", ep, 0);
	}
	close(ep);
}

static void
edges(void)
{
	int p[2], s[2], d[2], slave, m = posix_openpt(O_RDWR | O_NOCTTY), e = eventfd(0, 0);
	uint64_t one = 1;

	t_need(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "pair");
	t_need(socketpair(AF_UNIX, SOCK_DGRAM, 0, d) == 0 && grantpt(m) == 0 && unlockpt(m) == 0, "pair");
	slave = open(ptsname(m), O_RDWR | O_NOCTTY);
	every_write("pipe", p[1], p[0], "x", 1);
	every_write("stream", s[0], s[1], "x", 1);
	every_write("datagrams", d[0], d[1], "x", 1);
	every_write("eventfd", e, e, &one, sizeof(one));
	every_write("lines for a terminal", m, slave, "line\n", 5);
	close(p[0]), close(p[1]), close(s[0]), close(s[1]);
	close(d[0]), close(d[1]), close(e), close(m), close(slave);
}

/* What an end says by itself is told to who waits for nothing else. */
static void
ends_alone(void)
{
	int ep = epoll_create1(0), p[2], q[2];

	t_need(pipe(p) == 0 && pipe(q) == 0, "pipe");
	T(control(ep, EPOLL_CTL_ADD, p[1], EPOLLIN, 1));
	T(control(ep, EPOLL_CTL_ADD, q[0], 0, 2));
	wait_some("both ends open", ep, 0);
	close(p[0]);
	wait_some("no reader", ep, 0);
	T(control(ep, EPOLL_CTL_DEL, p[1], 0, 0));
	close(q[1]);
	wait_some("no writer", ep, 0);
	close(p[1]), close(q[0]), close(ep);
}

static void
refusals(void)
{
	int ep = epoll_create(1), f = open("f", O_CREAT | O_RDWR, 0600), p[2];
	struct epoll_event ev;

	t_need(pipe(p) == 0, "pipe");
	T(epoll_create(0));
	T(epoll_create1(1));
	T(control(ep, EPOLL_CTL_ADD, f, EPOLLIN, 0));
	T(control(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0));
	T(control(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN, 0));
	T(control(ep, 99, p[1], EPOLLIN, 0));
	T(control(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 0));
	T(control(999, EPOLL_CTL_ADD, p[0], EPOLLIN, 0));
	T(epoll_wait(ep, &ev, 0, 0));
	T(epoll_wait(ep, &ev, -1, 0));
	T(epoll_wait(p[0], &ev, 1, 0));
	T(epoll_wait(ep, &ev, 1, 20));
	T(read(ep, &ev, 1));
	close(ep), close(f), close(p[0]), close(p[1]);
}

static void
counters(void)
{
	int e = eventfd(3, EFD_NONBLOCK), s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK), ep = epoll_create1(0);
	uint64_t v = 7;

	T(control(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLOUT, 1));
	wait_some("eventfd", ep, 0);
	T(read(e, &v, 8));
	t_say("value %llu", (unsigned long long)v);
	T(read(e, &v, 8));
	wait_some("eventfd, taken", ep, 0);
	v = UINT64_MAX;
	T(write(e, &v, 8));
	v--;
	T(write(e, &v, 8));
	wait_some("eventfd, full", ep, 0);
	v = 1;
	T(write(e, &v, 8));
	T(write(e, &v, 7));
	T(read(e, &v, 7));
	T(read(e, &v, 8));
	T(read(s, &v, 8));
	t_say("value %llu", (unsigned long long)v);
	T(read(s, &v, 8));
	T(read(s, &v, 8));
	T(eventfd(0, 0x40000000));
	close(e), close(s), close(ep);
}

/* All that is ready, if there is room for it. */
static void
many_at_once(void)
{
	enum { N = 700 };
	static struct epoll_event ev[N];
	int ep = epoll_create1(0), e = eventfd(1, 0);

	for (int i = 0; i < N; i++)
		t_need(control(ep, EPOLL_CTL_ADD, dup(e), EPOLLIN, (uint32_t)i) == 0, "add");
	T(epoll_wait(ep, ev, N, 0));
	T(epoll_wait(ep, ev, 10, 0));
	T(epoll_wait(ep, (void *)8, N, 0));
	T(epoll_wait(ep, ev, N, -1));
	for (int fd = 3; fd < N + 10; fd++)
		close(fd);
}

static void
woken_by_another(void)
{
	int ep = epoll_create1(0), p[2], status;
	pid_t pid;

	t_need(pipe(p) == 0, "pipe");
	T(control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 9));
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		_exit(write(p[1], "x", 1) == 1 ? 0 : 1);
	}
	wait_some("from a child", ep, 5000);
	T(waitpid(pid, &status, 0) == pid);
	close(p[1]);
	wait_some("hang-up", ep, 5000);
	close(p[0]), close(ep);
}

int
main(void)
{
	levels_and_edges();
	ends_alone();
	edges();
	refusals();
	counters();
	woken_by_another();
	many_at_once();
	return 0;
}
