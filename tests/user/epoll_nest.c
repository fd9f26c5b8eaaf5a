/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll in epoll: what is passed on, and which may watch which. */
#include "t.h"

#include <poll.h>
#include <sys/epoll.h>

#define ROUNDS 200

static int
control(int ep, int op, int fd, uint32_t events, uint32_t data)
{
	struct epoll_event ev = { .events = events, .data = { .u32 = data } };

	return epoll_ctl(ep, op, fd, &ev);
}

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
polled(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

/* An epoll is readable while something in it is ready, whoever has looked before. */
static void
readable(void)
{
	int ep = epoll_create1(0), p[2];
	char buf[8];

	t_need(pipe(p) == 0, "pipe");
	T(control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	t_say("empty: %#x", polled(ep));
	T(write(p[1], "x", 1));
	t_say("something: %#x %#x", polled(ep), polled(ep));
	wait_some("the same", ep, 0);
	t_say("still: %#x", polled(ep));
	T(read(p[0], buf, 8));
	t_say("read: %#x", polled(ep));
	wait_some("nothing", ep, 0);
	T(write(p[1], "y", 1));
	T(read(p[0], buf, 8));
	t_say("come and gone: %#x", polled(ep));
	T(control(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 1));
	T(write(p[1], "z", 1));
	t_say("an edge: %#x %#x", polled(ep), polled(ep));
	wait_some("told", ep, 0);
	t_say("told: %#x", polled(ep));
	close(p[0]);
	close(p[1]);
	close(ep);
}

static void
levels(void)
{
	int outer = epoll_create1(0), middle = epoll_create1(0), inner = epoll_create1(0);
	int edge = epoll_create1(0), p[2];
	char buf[8];

	t_need(pipe(p) == 0, "pipe");
	T(control(outer, EPOLL_CTL_ADD, middle, EPOLLIN, 1));
	T(control(middle, EPOLL_CTL_ADD, inner, EPOLLIN, 2));
	T(control(edge, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLET, 3));
	T(control(inner, EPOLL_CTL_ADD, p[0], EPOLLIN, 4));
	T(control(outer, EPOLL_CTL_ADD, middle, EPOLLIN, 5));
	wait_some("outer, nothing", outer, 0);
	T(write(p[1], "x", 1));
	wait_some("outer", outer, -1);
	wait_some("middle", middle, -1);
	wait_some("edge", edge, -1);
	wait_some("edge again", edge, 0);
	wait_some("inner", inner, -1);
	wait_some("edge, still", edge, 0);
	wait_some("outer, still", outer, 0);
	T(read(p[0], buf, 8));
	wait_some("outer, read", outer, 0);
	T(write(p[1], "y", 1));
	wait_some("edge, more", edge, -1);
	T(control(middle, EPOLL_CTL_DEL, inner, 0, 0));
	wait_some("outer, cut off", outer, 0);
	T(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 6));
	close(inner);
	wait_some("outer, closed", outer, 0);
	close(middle);
	wait_some("outer, all closed", outer, 0);
	close(outer);
	close(edge);
	close(p[0]);
	close(p[1]);
}

static void
refused(void)
{
	int a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0), p[2], n, last, down[10];

	t_need(pipe(p) == 0, "pipe");
	T(control(a, EPOLL_CTL_ADD, a, EPOLLIN, 1));
	T(control(a, EPOLL_CTL_ADD, b, EPOLLIN, 1));
	T(control(b, EPOLL_CTL_ADD, a, EPOLLIN, 1));
	T(control(b, EPOLL_CTL_ADD, c, EPOLLIN, 1));
	T(control(c, EPOLL_CTL_ADD, a, EPOLLIN, 1));
	T(control(a, EPOLL_CTL_ADD, c, EPOLLIN, 1));
	T(control(a, EPOLL_CTL_DEL, b, 0, 0));
	T(control(b, EPOLL_CTL_ADD, a, EPOLLIN, 1));
	T(control(b, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLEXCLUSIVE, 1));
	T(control(b, EPOLL_CTL_ADD, c, EPOLLIN | EPOLLEXCLUSIVE, 1));
	T(control(b, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
	T(control(b, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
	T(control(b, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLWAKEUP, 1));
	T(control(b, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
	T(write(p[1], "x", 1));
	wait_some("exclusive", b, 0);
	/* How many there may be in a chain is the kernel's business; that there is an end is not. */
	last = epoll_create1(0);
	for (n = 0; n < 10; n++) {
		down[n] = epoll_create1(0);
		if (control(down[n], EPOLL_CTL_ADD, n == 0 ? last : down[n - 1], EPOLLIN, 1) != 0)
			break;
	}
	t_say("a long chain: %s", n > 2 && n < 10 ? "refused" : "no end");
	for (int i = 0; i < 5; i++)
		t_need(control(down[1], EPOLL_CTL_DEL, down[0], 0, 0) == 0 &&
		    control(down[1], EPOLL_CTL_ADD, down[0], EPOLLIN, 1) == 0, "again");
}

/* Two that want to watch each other: one may.  A third looks and writes meanwhile. */
static void
together(void)
{
	int ep[2] = { epoll_create1(0), epoll_create1(0) }, p[2], status, bad = 0;

	t_need(pipe(p) == 0, "pipe");
	T(control(ep[0], EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	T(control(ep[1], EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	for (int me = 0; me < 2; me++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < ROUNDS; i++) {
			struct epoll_event ev;

			if (control(ep[me], EPOLL_CTL_ADD, ep[!me], EPOLLIN, 2) == 0)
				bad += control(ep[me], EPOLL_CTL_DEL, ep[!me], 0, 0) != 0;
			else
				bad += errno != ELOOP;
			bad += epoll_wait(ep[i % 2], &ev, 1, 0) < 0;
			(void)polled(ep[me]);
		}
		_exit(bad);
	}
	for (int i = 0; i < ROUNDS; i++) {
		char c;

		bad += write(p[1], "x", 1) != 1;
		bad += (polled(ep[i % 2]) & POLLIN) == 0;
		bad += read(p[0], &c, 1) != 1;
	}
	while (wait(&status) > 0)
		bad += status != 0;
	t_say("together: %d failed", bad);
}

int
main(void)
{
	readable();
	levels();
	refused();
	together();
	return 0;
}
