/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX streams - pairs, connections, backlog, ends, what poll says all the while. */
#include "unix.h"
#include <sys/epoll.h>

static char big[1 << 20];

static void
made(void)
{
	int s[2];
	struct stat st;

	T(socket(AF_UNIX, 77, 0));
	T(socket(AF_UNIX, SOCK_RDM, 0));
	T(socket(AF_UNIX, SOCK_STREAM, 7));
	T(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0));
	T(socket(99, SOCK_STREAM, 0));
	T(socket(-1, SOCK_STREAM, 0));
	T_SYS(socketpair, AF_UNIX, SOCK_STREAM, 0, 8);
	T(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
	T(fcntl(s[0], F_GETFD));
	t_say("%#o", (unsigned)fcntl(s[1], F_GETFL));
	T(fstat(s[0], &st));
	t_say("mode %o nlink %d size %d blksize %d", st.st_mode, (int)st.st_nlink, (int)st.st_size,
	    (int)st.st_blksize);
	T(lseek(s[0], 0, SEEK_SET));
	T(pread(s[0], big, 1, 0));
	T(ftruncate(s[0], 0));
	T(bind(0, NULL, 0));
	T(listen(0, 1));
	T(accept(1000, NULL, NULL));
	T(ioctl(s[0], TCGETS, big));
	close(s[0]), close(s[1]);
}

static void
data(void)
{
	int s[2], n;

	t_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0, "socketpair");
	u_poll("fresh", s[0]);
	u_names("pair", s[0]);
	T(read(s[0], big, 10));
	T(read(s[0], big, 0));
	T(recv(s[0], big, 0, 0));
	T(write(s[0], "", 0));
	T(write(s[0], "hello", 5));
	T(write(s[0], " world", 6));
	T(ioctl(s[1], FIONREAD, &n));
	T(n);
	T(ioctl(s[0], TIOCOUTQ, &n));
	T(n);
	u_poll("full", s[1]);
	T(recv(s[1], big, 8, MSG_PEEK));
	T(recv(s[1], big, 100, MSG_PEEK));
	T(recv(s[1], big, 3, 0));
	T(recv(s[1], big, 100, MSG_PEEK));
	T(ioctl(s[1], FIONREAD, &n));
	T(n);
	T(recv(s[1], big, 100, MSG_TRUNC));
	T(recv(s[1], big, 100, MSG_WAITALL));
	T(recv(s[1], big, 100, MSG_DONTWAIT));
	T(send(s[0], "x", 1, MSG_OOB | MSG_DONTWAIT) == 1 || errno == EOPNOTSUPP);
	T(recv(s[1], big, 100, 0) == 1 || errno == EAGAIN);
	struct iovec iov[3] = { { "abc", 3 }, { NULL, 0 }, { "defg", 4 } };
	T(writev(s[0], iov, 3));
	struct iovec in[2] = { { big, 5 }, { big + 100, 10 } };
	T(readv(s[1], in, 2));
	t_say("%.5s %.2s", big, big + 100);
	T(write(s[0], (char *)8, 10));
	T(write(s[0], "12345", 5));
	T(read(s[1], (char *)8, 10));
	T(read(s[1], big, 10));
	T(sendto(s[0], "x", 1, 0, (struct sockaddr *)big, 10));
	close(s[0]), close(s[1]);
}

/* How much fits is what it is on Linux. */
static void
capacity(int type)
{
	static const size_t sizes[] = { 1, 100, 192, 193, 1000, 4096, 10000, 40000, 70000 };
	int s[2], n, val;

	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		t_need(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0, "socketpair");
		for (n = 0; write(s[0], big, sizes[i]) == (ssize_t)sizes[i]; n++)
			;
		t_say("%zu: %d fit, then %s", sizes[i], n, t_errno(errno));
		T(ioctl(s[0], TIOCOUTQ, &n));
		T(n);
		u_poll("full", s[0]);
		T(read(s[1], big, 1000));
		u_poll("a read later", s[0]);
		for (n = 0; n < 40 && read(s[1], big, 10000) > 0; n++)
			;
		u_poll("more reads later", s[0]);
		close(s[0]), close(s[1]);
	}
	t_need(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0, "socketpair");
	val = 1;
	T(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &val, sizeof val));
	T(write(s[0], big, 100000));
	T(write(s[0], big, 1000));
	close(s[0]), close(s[1]);
}

/* One that is full leaves room for others. */
static void
many_full(void)
{
	enum { PAIRS = 350 };
	static int s[PAIRS][2];
	int made = 0, full = 0;

	while (made < PAIRS && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s[made]) == 0) {
		while (write(s[made][0], big, 4096) > 0)
			;
		full += errno == EAGAIN;
		made++;
	}
	t_say("%d pairs of %d are full", full, PAIRS);
	for (int i = 0; i < made; i++) {
		close(s[i][0]);
		close(s[i][1]);
	}
}

static void
ends(void)
{
	int s[2], err;
	socklen_t len = sizeof err;

	signal(SIGPIPE, SIG_IGN);
	for (int how = 0; how < 4; how++) {
		t_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0, "socketpair");
		t_need(write(s[0], "left", 4) == 4 && write(s[1], "right", 5) == 5, "write");
		T(shutdown(s[0], how));
		u_poll("who", s[0]);
		u_poll("other", s[1]);
		T(write(s[0], "a", 1));
		T(write(s[1], "b", 1));
		T(read(s[0], big, 100));
		T(read(s[0], big, 100));
		T(read(s[1], big, 100));
		T(read(s[1], big, 100));
		close(s[0]);
		u_poll("closed", s[1]);
		close(s[1]);
	}
	t_need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
	t_need(write(s[0], "left", 4) == 4, "write");
	T(close(s[1]));
	u_poll("reset", s[0]);
	T(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &err, &len));
	T(err);
	u_poll("told", s[0]);
	T(read(s[0], big, 1));
	close(s[0]);
	t_need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
	t_need(write(s[0], "left", 4) == 4 && write(s[1], "right", 5) == 5, "write");
	close(s[1]);
	T(read(s[0], big, 100));
	T(read(s[0], big, 100));
	T(read(s[0], big, 100));
	T(write(s[0], big, 100));
	u_names("closed", s[0]);
	close(s[0]);
	if (t_child("SIGPIPE") == 0) {
		signal(SIGPIPE, SIG_DFL);
		socketpair(AF_UNIX, SOCK_STREAM, 0, s);
		close(s[1]);
		T(send(s[0], "x", 1, MSG_NOSIGNAL));
		write(s[0], "x", 1);
		_exit(0);
	}
}

static void
listening(void)
{
	int l, c[5], a, n;
	struct sockaddr_un un;
	socklen_t len = sizeof un;

	T_OK(l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	u_poll("unbound", l);
	T(listen(l, 1));
	T(u_bind(l, "@listening-test"));
	T(u_bind(l, "@listening-test2"));
	T(accept(l, NULL, NULL));
	T_OK(c[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	T(u_connect(c[0], "@listening-test"));
	T(listen(l, 1));
	u_poll("listening", l);
	T(accept(l, NULL, NULL));
	T(read(l, big, 1));
	T(write(l, big, 1));
	T(ioctl(l, FIONREAD, &n));
	T(u_connect(l, "@listening-test"));
	T(u_connect(c[0], "@nobody-is-here"));
	T(u_connect(c[0], "@listening-test"));
	T(u_connect(c[0], "@listening-test"));
	T(listen(c[0], 1));
	u_names("client", c[0]);
	for (int i = 1; i < 4; i++) {
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		T(u_connect(c[i], "@listening-test"));
	}
	u_poll("requests", l);
	u_poll("not accepted", c[0]);
	T(write(c[0], "early", 5));
	T_OK(a = accept4(l, (struct sockaddr *)&un, &len, SOCK_CLOEXEC));
	u_show("accepted from", &un, len);
	T(fcntl(a, F_GETFD));
	t_say("%#o", (unsigned)fcntl(a, F_GETFL));
	u_names("accepted", a);
	T(read(a, big, 100));
	T(write(a, "back", 4));
	T(read(c[0], big, 100));
	T(accept4(l, NULL, NULL, 0x1));
	T(accept(l, (struct sockaddr *)&un, (socklen_t *)8));
	u_poll("whose accept failed", c[1]);
	T(shutdown(l, SHUT_RD));
	T(accept(l, NULL, NULL));
	T(u_connect(c[3], "@listening-test"));
	T(close(l));
	u_poll("never accepted", c[2]);
	T(read(c[2], big, 1));
	T(read(c[2], big, 1));
	T(u_connect(c[3], "@listening-test"));
	close(a);
	for (int i = 0; i < 4; i++)
		close(c[i]);
}

/* A full backlog makes a blocking connect wait; a blocking writer waits for room; timeouts. */
static void
waiting(void)
{
	struct timeval tv = { 0, 100000 };
	int l, c, s[2], status, n;
	int64_t t0;
	pid_t pid;

	l = socket(AF_UNIX, SOCK_STREAM, 0);
	t_need(u_bind(l, "waiting") == 0 && listen(l, 0) == 0, "listen");
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			c = socket(AF_UNIX, SOCK_STREAM, 0);
			T(u_connect(c, "waiting"));
			T(write(c, "x", 1));
		}
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		c = accept(l, NULL, NULL);
		t_need(read(c, big, 1) == 1, "read");
		close(c);
	}
	waitpid(pid, &status, 0);
	t_status("connector", status);
	T(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	t0 = t_now_ms();
	T(accept(l, NULL, NULL));
	t_say("waited %d", t_now_ms() - t0 >= 10);	/* the host counts ticks, and some of them late */
	t_need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
	T(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
	T(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	T(read(s[1], big, 1));
	T(write(s[0], big, sizeof big) > 0);
	T(write(s[0], big, 1));
	pid = fork();
	if (pid == 0) {
		close(s[0]);
		for (n = 0; (c = (int)read(s[1], big, 50000)) > 0; n += c)
			;
		_exit(n % 251);
	}
	close(s[1]);
	tv.tv_usec = 0;
	setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	T(write(s[0], big, sizeof big));
	close(s[0]);
	waitpid(pid, &status, 0);
	t_say("reader ended %d", WIFEXITED(status));
	close(l);
}

/* An edge for each thing that happens. */
static void
edges(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int s[2], ep = epoll_create1(0);

	t_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0, "socketpair");
	T(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &ev));
#define LOOK()	t_say("%d: %#x", epoll_wait(ep, &ev, 1, 0), ev.events)
	LOOK(); ev.events = 0; LOOK();
	write(s[1], "abc", 3); LOOK();
	ev.events = 0; LOOK();
	write(s[1], "d", 1); LOOK();
	read(s[0], big, 2); ev.events = 0; LOOK();
	write(s[0], "x", 1); ev.events = 0; LOOK();
	read(s[1], big, 1); ev.events = 0; LOOK();
	shutdown(s[1], SHUT_WR); ev.events = 0; LOOK();
	close(s[1]); ev.events = 0; LOOK();
	ev.events = 0; LOOK();
	close(s[0]);
	close(ep);
}

int
main(void)
{
	made();
	data();
	capacity(SOCK_STREAM);
	capacity(SOCK_SEQPACKET);
	many_full();
	ends();
	listening();
	waiting();
	edges();
	return 0;
}
