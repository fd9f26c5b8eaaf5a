/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that are only in messages to each other - each such knot holds the
 * writing end of a pipe, whose reader sees the end of file when the knot is
 * found and cut.  And chains that are deep, and users who have too much under way.
 */
#include "unix.h"
#include <sys/resource.h>

static int p[2];

/* Into s goes the pipe's writing end, and whatever else. */
static void
put(int s, int fd)
{
	int fds[2] = { p[1], fd };

	t_need(u_send_fds(s, "x", 1, fds, 2, 0) == 1, "send");
}

static void
begin(void)
{
	t_need(pipe(p) == 0, "pipe");
}

/* The end of file must come, by itself. */
static void
cut(const char *what)
{
	struct pollfd pf = { p[0], POLLIN, 0 };

	close(p[1]);
	close(socket(AF_UNIX, SOCK_DGRAM, 0));	/* Linux looks for knots when some socket ends */
	t_say("%s: %d", what, poll(&pf, 1, 10000) == 1 && (pf.revents & POLLHUP) != 0);
	close(p[0]);
}

static void
knots(int type)
{
	int s[2], t[2], l, c, ep;
	struct pollfd pf;

	begin();
	t_need(socketpair(AF_UNIX, type, 0, s) == 0, "pair");
	put(s[0], s[1]);		/* s1 is queued at itself */
	close(s[0]), close(s[1]);
	cut("one in itself");
	begin();
	t_need(socketpair(AF_UNIX, type, 0, s) == 0, "pair");
	put(s[0], s[0]);
	put(s[1], s[1]);
	close(s[0]), close(s[1]);
	cut("two, each in the other");
	begin();
	t_need(socketpair(AF_UNIX, type, 0, s) == 0 && socketpair(AF_UNIX, type, 0, t) == 0, "pair");
	put(s[0], t[1]);
	put(t[0], s[1]);
	ep = dup(s[1]);
	close(s[0]), close(s[1]), close(t[0]), close(t[1]);
	/* Still reachable, by the duplicate: nothing is lost. */
	pf = (struct pollfd){ p[0], POLLIN, 0 };
	close(p[1]);
	t_say("reachable: %d", poll(&pf, 1, 50));
	int fds[2], flags = 0;
	size_t n = 2;
	char b;
	t_need(u_recv_fds(ep, &b, 1, fds, &n, &flags) == 1 && n == 2, "receive");
	p[1] = fds[0];
	close(fds[1]), close(ep);
	cut("a ring that was opened");
	if (type == SOCK_DGRAM)
		return;
	begin();
	l = socket(AF_UNIX, type, 0);
	c = socket(AF_UNIX, type, 0);
	t_need(u_bind(l, "@knots") == 0 && listen(l, 4) == 0 && u_connect(c, "@knots") == 0, "listen");
	put(c, l);			/* the listener, in a connection that it has not accepted */
	put(c, c);
	close(c), close(l);
	cut("a listener in its own request");
}

/* Each socket holds the next one: the end of the first is the end of all, too deep for any stack. */
static void
chain(void)
{
	int s[2], before = -1;

	begin();
	for (int i = 0; i < 400; i++) {
		t_need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "pair");
		if (before < 0)
			t_need(u_send_fds(s[0], "x", 1, &p[1], 1, 0) == 1, "send");
		else
			t_need(u_send_fds(s[0], "x", 1, &before, 1, 0) == 1, "send");
		close(s[0]);
		if (before >= 0)
			close(before);
		before = s[1];
	}
	close(before);
	cut("a chain of 400");
}

static void
limit(void)
{
	struct rlimit rl = { 40, 40 };
	int s[2], fds[10], n;

	if (t_child("limited") != 0)
		return;
	t_need(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s) == 0, "pair");
	t_need(setrlimit(RLIMIT_NOFILE, &rl) == 0, "setrlimit");
	if (geteuid() == 0)
		t_need(setgid(12345) == 0 && setuid(12345) == 0, "setuid");
	for (n = 0; n < 10; n++)
		fds[n] = 0;
	for (n = 0; u_send_fds(s[0], "x", 1, fds, 10, 0) == 1; n++)
		;
	t_say("%d messages, then %s", n, t_errno(errno));
	T(write(s[0], "x", 1));
	T(read(s[1], fds, 4));
	T(u_send_fds(s[0], "x", 1, fds, 0, 0));
	T(read(s[1], fds, 4));
	fds[0] = 0;
	T(u_send_fds(s[0], "x", 1, fds, 1, 0));
	T(u_send_fds(s[0], "x", 1, fds, 1, 0));
	for (n = 0; dup(0) >= 0; n++)
		;
	int in[10], flags = 0;
	size_t room = 10;
	T(u_recv_fds(s[1], &n, 1, in, &room, &flags));
	t_say("%zu files, flags %#x", room, (unsigned)flags);
	T(socket(AF_UNIX, SOCK_STREAM, 0));
	_exit(0);
}

/* Three pairs, sent through each other at random, received or not, and closed. */
static void
tangle(uint64_t *seed)
{
	int s[6], left = 6;

	for (int i = 0; i < 6; i += 2)
		MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s + i) == 0);
	for (int i = 0; i < 8; i++)
		MUST(u_send_fds(s[t_rand(seed) % 6], "x", 1, &s[t_rand(seed) % 6], 1, 0) == 1);
	while (left > 0) {
		int fd, flags = 0, at = (int)(t_rand(seed) % 6);
		size_t room = 1;
		char c;

		if (s[at] < 0)
			continue;
		if (t_rand(seed) % 2 == 0 && u_recv_fds(s[at], &c, 1, &fd, &room, &flags) >= 0 && room == 1)
			close(fd);
		close(s[at]);
		s[at] = -1;
		left--;
	}
}

/* Knots, made and cut all the time by several processes: nothing is left of them. */
static void
storm(void)
{
	int status, bad = 0;

	for (int k = 0; k < 4; k++)
		if (fork() == 0) {
			uint64_t seed = (uint64_t)k + 1;

			for (int i = 0; i < 150; i++)
				tangle(&seed);
			_exit(0);
		}
	while (wait(&status) > 0)
		bad += status != 0;
	t_say("storm: %d bad", bad);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	knots(SOCK_STREAM);
	knots(SOCK_DGRAM);
	knots(SOCK_SEQPACKET);
	chain();
	limit();
	storm();
	return 0;
}
