/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes of packets: pipe2(O_DIRECT), switched on and off, through splice and tee. */
#include "t.h"

static char buf[3 * T_PAGE];

static void
get(const char *what, int fd, size_t n)
{
	ssize_t got = read(fd, buf, n);

	if (got < 0)
		t_say("%s: %s", what, t_errno(errno));
	else
		t_say("%s: %zd \"%.*s\"", what, got, got > 8 ? 8 : (int)got, buf);
}

int
main(void)
{
	int p[2], q[2], n;

	T(pipe2(p, O_DIRECT | O_NONBLOCK));
	t_say("flags %#o %#o", (unsigned)fcntl(p[0], F_GETFL), (unsigned)fcntl(p[1], F_GETFL));
	T(write(p[1], "abc", 3));
	T(write(p[1], "de", 2));
	T(write(p[1], "", 0));
	T(ioctl(p[0], FIONREAD, &n));
	T(n);
	get("one", p[0], 10);
	get("part", p[0], 1);
	get("the rest is gone", p[0], 10);
	memset(buf, 'x', sizeof buf);
	T(write(p[1], buf, T_PAGE + 100));
	get("long", p[0], sizeof buf);
	get("and its end", p[0], sizeof buf);
	for (n = 0; write(p[1], "y", 1) == 1; n++)
		;
	t_say("%d fit: %s", n, t_errno(errno));
	while (read(p[0], buf, 10) > 0)
		;
	T(fcntl(p[1], F_SETFL, O_NONBLOCK));
	T(write(p[1], "abc", 3));
	T(write(p[1], "de", 2));
	T(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
	T(write(p[1], "fg", 2));
	T(write(p[1], "hi", 2));
	T(fcntl(p[1], F_SETFL, O_NONBLOCK));
	T(write(p[1], "jk", 2));
	T(write(p[1], "lm", 2));
	get("bytes, and what joined them", p[0], 10);
	get("a packet", p[0], 10);
	get("bytes again", p[0], 10);
	get("nothing", p[0], 10);
	T(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
	T(pipe2(q, O_NONBLOCK));
	T(write(p[1], "abc", 3));
	T(write(p[1], "de", 2));
	T(tee(p[0], q[1], 2, 0));
	T(splice(p[0], NULL, q[1], NULL, 4, 0));
	T(write(q[1], "no packet", 9));
	get("teed", q[0], 10);
	get("moved", q[0], 1);
	get("moved", q[0], 10);
	get("moved", q[0], 10);
	get("left", p[0], 10);
	return 0;
}
