/* SPDX-License-Identifier: BSD-2-Clause */
/* Urgent bytes on AF_UNIX streams: where the mark is, what each way of reading sees, who is told. */
#include "unix.h"
#include <sys/select.h>

static int s[2];
static char buf[64];

static void
fresh(const char *what)
{
	t_say("--- %s", what);
	t_need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
}

static void
done(void)
{
	close(s[0]);
	close(s[1]);
}

static void
put(const char *text, int flags)
{
	T(send(s[0], text, strlen(text), flags));
}

static void
in_line(int on)
{
	T(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
}

static void
get(const char *what, size_t n, int flags)
{
	struct iovec iov = { buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got = recvmsg(s[1], &m, flags | MSG_DONTWAIT);

	if (got < 0)
		t_say("%s: %s", what, t_errno(errno));
	else
		t_say("%s: %zd \"%.*s\" flags %#x", what, got, (int)got, buf, (unsigned)m.msg_flags);
}

static void
mark(void)
{
	int at = -1;

	ioctl(s[1], SIOCATMARK, &at);
	t_say("at mark %d", at);
	u_poll("poll", s[1]);
}

/* Not after an urgent byte was passed by: Linux counts it as unread for ever. */
static void
state(void)
{
	int unread = -1;

	mark();
	ioctl(s[1], FIONREAD, &unread);
	t_say("unread %d", unread);
}

static void
ordinary(void)
{
	fresh("one");
	state();
	put("hello", MSG_OOB);
	state();
	get("peek", 20, MSG_PEEK);
	get("peek urgent", 20, MSG_OOB | MSG_PEEK);
	get("read", 20, 0);
	state();
	get("urgent", 20, MSG_OOB);
	state();
	get("again", 20, MSG_OOB);
	get("end", 20, 0);
	state();
	done();
	fresh("passed by");
	put("ab", MSG_OOB);
	put("cd", 0);
	get("to the mark", 20, 0);
	state();
	get("past it", 20, 0);
	get("urgent", 20, MSG_OOB);
	mark();
	done();
	fresh("two");
	put("ab", MSG_OOB);
	put("cd", MSG_OOB);
	state();
	get("peek", 20, MSG_PEEK);
	get("read", 20, 0);
	state();
	get("urgent", 20, MSG_OOB);
	get("read", 20, 0);
	state();
	done();
	fresh("taken out of the middle");
	put("ab", MSG_OOB);
	put("cd", 0);
	get("urgent", 20, MSG_OOB);
	state();
	get("peek", 20, MSG_PEEK);
	get("read", 20, 0);
	state();
	get("read", 20, 0);
	state();
	done();
}

static void
marks(void)
{
	fresh("a mark and then another");
	put("a", MSG_OOB);
	get("urgent", 20, MSG_OOB);
	state();
	get("peek at a mark", 20, MSG_PEEK);
	put("b", MSG_OOB);
	state();
	get("urgent", 20, MSG_OOB);
	state();
	put("x", 0);
	put("c", MSG_OOB);
	put("y", 0);
	get("read", 1, 0);
	state();
	get("read", 20, 0);
	mark();
	done();
	fresh("marks between data");
	put("ab", MSG_OOB);
	get("urgent", 20, MSG_OOB);
	put("cd", MSG_OOB);
	get("read", 20, 0);
	state();
	get("read", 20, 0);
	get("urgent", 20, MSG_OOB);
	get("read", 20, 0);
	mark();
	done();
	fresh("only a mark is left, and the end");
	put("a", MSG_OOB);
	get("urgent", 20, MSG_OOB);
	shutdown(s[0], SHUT_WR);
	state();
	get("peek", 20, MSG_PEEK);
	get("read", 20, 0);
	state();
	done();
	fresh("only a mark is left, and all closes");
	put("a", MSG_OOB);
	get("urgent", 20, MSG_OOB);
	close(s[1]);
	T(recv(s[0], buf, 1, 0));
	close(s[0]);
	fresh("an urgent byte is left, and all closes");
	put("a", MSG_OOB);
	close(s[1]);
	T(recv(s[0], buf, 1, 0));
	close(s[0]);
}

static void
inlined(void)
{
	fresh("in line");
	in_line(1);
	put("ab", MSG_OOB);
	put("cd", 0);
	state();
	get("urgent", 20, MSG_OOB);
	get("peek", 20, MSG_PEEK);
	get("read", 20, 0);
	state();
	get("peek", 20, MSG_PEEK);
	get("read", 20, 0);
	state();
	put("e", MSG_OOB);
	get("read", 20, 0);
	put("f", MSG_OOB);
	in_line(0);
	get("urgent", 20, MSG_OOB);
	done();
}

static void
odd(void)
{
	struct timeval tv = { 0, 0 };
	fd_set in, ex;
	int d[2];

	fresh("odd");
	put("", MSG_OOB);
	get("nothing", 20, MSG_OOB);
	put("a", MSG_OOB);
	get("no room", 0, MSG_OOB);
	state();
	get("urgent", 20, MSG_OOB);
	put("b", MSG_OOB);
	T(recv(s[1], (char *)8, 1, MSG_OOB));
	get("urgent", 20, MSG_OOB);
	put("c", MSG_OOB);
	FD_ZERO(&in);
	FD_ZERO(&ex);
	FD_SET(s[1], &in);
	FD_SET(s[1], &ex);
	T(select(s[1] + 1, &in, NULL, &ex, &tv));
	t_say("in %d, urgent %d", FD_ISSET(s[1], &in) != 0, FD_ISSET(s[1], &ex) != 0);
	get("read", 20, 0);
	done();
	fresh("to who is gone");
	signal(SIGPIPE, SIG_IGN);
	close(s[1]);
	put("ab", MSG_OOB);
	close(s[0]);
	T(socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
	T(send(d[0], "a", 1, MSG_OOB));
	T(recv(d[1], buf, 1, MSG_OOB));
	close(d[0]), close(d[1]);
	T(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, d));
	T(send(d[0], "a", 1, MSG_OOB));
	T(recv(d[1], buf, 1, MSG_OOB));
	T(ioctl(d[1], SIOCATMARK, (int *)8));
	close(d[0]), close(d[1]);
	T(d[0] = socket(AF_UNIX, SOCK_STREAM, 0)) ;
	T(send(d[0], "a", 1, MSG_OOB));
	T(recv(d[0], buf, 1, MSG_OOB));
	close(d[0]);
}

static volatile sig_atomic_t urgent;

static void
on_urgent(int sig)
{
	(void)sig;
	urgent++;
}

/* A reader that waits is woken; the owner hears of it, with O_ASYNC or without. */
static void
told(void)
{
	struct pollfd p;
	int status;
	pid_t pid;

	fresh("told");
	t_handle(SIGURG, on_urgent, 0);
	put("a", MSG_OOB);
	T(urgent);
	get("urgent", 20, MSG_OOB);
	T(fcntl(s[1], F_SETOWN, getpid()));
	put("b", MSG_OOB);
	T(urgent);
	if ((pid = fork()) == 0) {
		t_until_asleep(getppid());
		_exit(send(s[0], "c", 1, MSG_OOB) != 1);
	}
	p = (struct pollfd){ s[1], POLLPRI, 0 };
	get("urgent", 20, MSG_OOB);
	while (poll(&p, 1, 10000) < 0 && errno == EINTR)
		;
	t_say("revents %#x, signals %d", (unsigned)p.revents, (int)urgent);
	waitpid(pid, &status, 0);
	get("urgent", 20, MSG_OOB);
	signal(SIGURG, SIG_DFL);
	if ((pid = fork()) == 0) {
		t_until_asleep(getppid());
		_exit(send(s[0], "d", 1, MSG_OOB) != 1 || (t_sleep_ms(30), send(s[0], "e", 1, 0)) != 1);
	}
	T(recv(s[1], buf, 20, 0));	/* the urgent byte does not end the wait */
	t_say("%c", buf[0]);
	waitpid(pid, &status, 0);
	done();
}

/* Many at once: no byte is lost that was not urgent, none comes twice. */
static void
crowd(void)
{
	unsigned long sum = 0, wanted = 0;
	unsigned char c[40];
	int status;
	pid_t pid;

	fresh("crowd");
	if ((pid = fork()) == 0) {
		close(s[1]);
		for (int i = 0; i < 20000; i++) {
			c[0] = (unsigned char)(i % 50 + 1);
			if (send(s[0], c, 1, i % 7 == 0 ? MSG_OOB : 0) != 1)
				_exit(1);
		}
		_exit(0);
	}
	close(s[0]);
	for (int i = 0; i < 20000; i++)
		wanted += (unsigned)(i % 50 + 1);
	for (int turn = 0;; turn++) {
		ssize_t n;

		if (turn % 3 == 0 && recv(s[1], c, 1, MSG_OOB) == 1)
			sum += c[0];
		if (turn % 5 == 0)
			(void)recv(s[1], c, sizeof c, MSG_PEEK | MSG_DONTWAIT);
		if ((n = recv(s[1], c, sizeof c, 0)) <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			sum += c[i];
	}
	waitpid(pid, &status, 0);
	t_status("writer", status);
	t_say("no more than was sent: %d", sum <= wanted);	/* passed urgent bytes are gone */
	close(s[1]);
}

int
main(void)
{
	ordinary();
	marks();
	inlined();
	odd();
	told();
	crowd();
	return 0;
}
