/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals from descriptors - F_SETOWN, F_SETSIG, O_ASYNC on pipes, sockets, terminals: who hears of what. */
#include "t.h"
#include <pthread.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef F_SETSIG
#define F_SETSIG 10
#define F_GETSIG 11
#endif
#define SIG	SIGRTMIN
struct owner { int type, pid; };
#define SETOWN_EX	15
#define GETOWN_EX	16

/* What waits of the signals that are blocked here, each with what it says. */
static void
heard(const char *what, int fd)
{
	struct timespec none = { 0, 0 };
	siginfo_t si;
	sigset_t set;
	int sig, n = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGURG);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIG);
	while ((sig = sigtimedwait(&set, &si, &none)) > 0) {
		if (sig == SIGCHLD && si.si_code != -5)		/* SI_SIGIO */
			continue;
		if (sig == SIGIO || sig == SIGURG)
			t_say("%s: %s code %#x", what, t_signal(sig), si.si_code);
		else
			t_say("%s: %s code %d band %#lx own fd %d", what,
			    sig == SIG ? "real-time" : t_signal(sig), si.si_code, (unsigned long)si.si_band, si.si_fd == fd);
		n++;
	}
	if (n == 0)
		t_say("%s: nothing", what);
}

/* The host's terminals tell from another thread. */
static void
heard_soon(const char *what, int fd)
{
	sigset_t set;

	T_UNTIL(sigpending(&set) == 0 && (sigismember(&set, SIG) || sigismember(&set, SIGIO)));
	heard(what, fd);
}

static void
block_all(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static const char *
who(int pid)
{
	return pid == 0 ? "nobody" : pid == getpid() ? "self" : pid == -getpgrp() ? "group" : "?";
}

static void
owner_is(int fd)
{
	struct owner o = { 77, 77 };
	int pid = fcntl(fd, F_GETOWN), e = fcntl(fd, GETOWN_EX, &o);

	t_say("owner %s, %d: type %d %s", who(pid), e, o.type, who(o.pid));
}

static void
numbers(void)
{
	int p[2], fd = open("/dev/null", O_RDWR), on = 1;
	struct owner o = { 7, getpid() };

	T(pipe(p));
	owner_is(p[0]);
	T(fcntl(p[0], F_SETOWN, getpid()));
	owner_is(p[0]);
	T(fcntl(p[0], F_SETOWN, -getpgrp()));
	owner_is(p[0]);
	T(fcntl(p[0], F_SETOWN, 4000000));
	T(fcntl(p[0], F_SETOWN, -4000000));
	T(fcntl(p[0], F_SETOWN, INT_MIN));
	owner_is(p[0]);
	T(fcntl(p[0], F_SETOWN, 0));
	owner_is(p[0]);
	T(fcntl(p[0], SETOWN_EX, &o));
	T(fcntl(p[0], SETOWN_EX, (void *)8));
	T(fcntl(p[0], GETOWN_EX, (void *)8));
	for (o.type = -1; o.type < 4; o.type++) {
		T(fcntl(p[0], SETOWN_EX, &o));
		owner_is(p[0]);
	}
	o = (struct owner){ 2, getpgrp() };
	T(fcntl(p[0], SETOWN_EX, &o));
	owner_is(p[0]);
	T(fcntl(p[0], F_GETSIG));
	T(fcntl(p[0], F_SETSIG, 64));
	T(fcntl(p[0], F_GETSIG));
	T(fcntl(p[0], F_SETSIG, 65));
	T(fcntl(p[0], F_SETSIG, -1));
	T(fcntl(p[0], F_SETSIG, 0));
	T(fcntl(fd, F_SETOWN, getpid()));
	owner_is(fd);
	T(fcntl(fd, F_SETFL, O_ASYNC));
	t_say("%#x", (unsigned)fcntl(fd, F_GETFL) & O_ASYNC);
	T(ioctl(fd, FIOASYNC, &on));
	T(ioctl(fd, FIOASYNC, (int *)8));
	T(ioctl(p[0], FIOASYNC, &on));
	T(ioctl(p[0], FIOASYNC, &on));
	t_say("%#x", (unsigned)fcntl(p[0], F_GETFL) & O_ASYNC);
	on = 0;
	T(ioctl(p[0], FIOASYNC, &on));
	t_say("%#x", (unsigned)fcntl(p[0], F_GETFL) & O_ASYNC);
	T(fcntl(p[0], F_SETFL, O_ASYNC));
	t_say("%#x", (unsigned)fcntl(p[0], F_GETFL) & O_ASYNC);
	close(fd);
	fd = open("/dev/null", O_PATH);
	T(fcntl(fd, F_SETOWN, getpid()));
	T(fcntl(fd, F_GETSIG));
	close(fd), close(p[0]), close(p[1]);
}

static void
watch(int fd, int sig)
{
	t_need(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, sig) == 0 &&
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0, "watch");
}

static void
pipes(void)
{
	char c[8];
	int p[2], fd;

	T(pipe2(p, O_NONBLOCK));
	T(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	T(write(p[1], "a", 1));
	heard("no owner", p[0]);
	watch(p[0], 0);
	T(write(p[1], "a", 1));
	heard("plain", p[0]);
	T(fcntl(p[0], F_SETSIG, SIG));
	T(write(p[1], "ab", 2));
	T(write(p[1], "ab", 2));
	T(write(p[1], "", 0));
	heard("each write", p[0]);
	T(read(p[0], c, 8));
	T(read(p[0], c, 8));
	heard("reading", p[0]);
	watch(p[1], SIG);
	T(read(p[0], c, 8));
	heard("reading nothing", p[1]);
	T(write(p[1], "ab", 2));
	T(read(p[0], c, 1));
	heard("both ends", p[1]);
	T(fd = dup(p[0]));
	T(fcntl(fd, F_SETFL, O_NONBLOCK));
	T(write(p[1], "x", 1));
	heard("switched off through a copy", p[0]);
	T(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
	T(write(p[1], "x", 1));
	t_say("told with the copy:");
	heard("on again", fd);
	T(close(fd));
	T(write(p[1], "x", 1));
	heard("the copy is closed", fd);
	T(fcntl(p[0], F_SETSIG, SIGUSR1));
	T(write(p[1], "x", 1));
	heard("another", fd);
	T(fcntl(p[0], F_SETSIG, SIGCHLD));
	T(write(p[1], "x", 1));
	heard("one with codes of its own", fd);
	T(fcntl(p[0], F_SETSIG, SIG));
	T(close(p[1]));
	heard("the writer is gone", fd);
	close(p[0]);
	T(pipe(p));
	watch(p[1], SIG);
	T(close(p[0]));
	heard("the reader is gone", p[1]);
	close(p[1]);
	heard("nobody is there", p[1]);
}

static void
streams(int type)
{
	char c[8], big[4096];
	int s[2];

	t_say("--- type %d", type);
	memset(big, 0, sizeof big);
	T(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s));
	watch(s[0], SIG);
	T(write(s[1], "a", 1));
	T(write(s[1], "b", 1));
	heard("came", s[0]);
	T(read(s[0], c, 1));
	heard("read", s[0]);
	while (write(s[0], big, sizeof big) > 0)
		;
	heard("filled", s[0]);
	while (read(s[1], big, sizeof big) > 0)
		;
	heard("emptied", s[0]);
	T(write(s[0], "a", 1));
	T(read(s[1], c, 1));
	heard("never full", s[0]);
	T(shutdown(s[1], SHUT_RD));
	heard("does not read", s[0]);
	T(shutdown(s[1], SHUT_WR));
	heard("does not write", s[0]);
	T(close(s[1]));
	heard("closed", s[0]);
	T(close(s[0]));
	T(socketpair(AF_UNIX, type, 0, s));
	watch(s[0], SIG);
	T(shutdown(s[1], SHUT_RDWR));
	heard("shut", s[0]);
	close(s[0]), close(s[1]);
}

static void
urgent(void)
{
	int s[2];

	T(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	T(fcntl(s[0], F_SETOWN, getpid()));
	T(send(s[1], "a", 1, MSG_OOB));
	heard("owner", s[0]);
	T(fcntl(s[0], F_SETSIG, SIG));
	T(send(s[1], "a", 1, MSG_OOB));
	heard("with a signal", s[0]);
	T(fcntl(s[0], F_SETFL, O_ASYNC));
	T(send(s[1], "a", 1, MSG_OOB));
	heard("and O_ASYNC", s[0]);
	T(fcntl(s[0], F_SETOWN, 0));
	T(send(s[1], "a", 1, MSG_OOB));
	heard("nobody", s[0]);
	close(s[0]), close(s[1]);
}

static void
calls(void)
{
	struct sockaddr_un un = { AF_UNIX, "listen" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), me = getpid();

	T(bind(l, (void *)&un, sizeof un));
	T(listen(l, 3));
	T(ioctl(l, 0x8902, &me));
	me = 0;
	T(ioctl(l, 0x8904, &me));
	T(me == getpid());
	me = 4000000;
	T(ioctl(l, 0x8901, &me));
	T(ioctl(l, 0x8901, (int *)8));
	T(ioctl(l, 0x8903, (int *)8));
	watch(l, SIG);
	T(connect(c, (void *)&un, sizeof un));
	heard("a call", l);
	close(c), close(l);
}

static void
terminals(void)
{
	struct termios raw;
	char c[32];
	int m, s;

	T(openpty(&m, &s, NULL, NULL, NULL));
	T(fcntl(s, F_SETFL, O_ASYNC | O_NONBLOCK));
	owner_is(s);
	T(fcntl(s, F_SETSIG, SIG));
	T(write(m, "ab", 2));	/* half a line: nothing */
	T(write(m, "c\n", 2));
	heard_soon("a line", s);
	T(read(s, c, 32));
	heard("read", s);
	T(tcgetattr(s, &raw));
	cfmakeraw(&raw);
	T(tcsetattr(s, TCSANOW, &raw));
	T(write(m, "x", 1));
	heard_soon("a key", s);
	T(fcntl(s, F_SETFL, 0));
	T(fcntl(m, F_SETFL, O_NONBLOCK | O_ASYNC));
	owner_is(m);
	T(fcntl(m, F_SETSIG, 0));
	T(read(m, c, 32) > 0);
	T(write(s, "out", 3));
	heard_soon("output", m);
	close(s), close(m);
}

static void *
thread(void *arg)
{
	int *p = arg;
	struct owner o = { 0, (int)syscall(SYS_gettid) };

	T(fcntl(p[0], SETOWN_EX, &o));
	T(fcntl(p[0], F_GETOWN) == o.pid);
	T(write(p[1], "a", 1));
	heard("this thread", p[0]);
	return NULL;
}

static void
others(void)
{
	int p[2], q[2], status, n;
	struct owner o = { 0, 0 };
	pthread_t t;
	char c;
	pid_t pid;

	T(pipe(p));
	T(pipe(q));
	watch(p[0], SIG);
	pthread_create(&t, NULL, thread, p);
	pthread_join(t, NULL);
	T_UNTIL(fcntl(p[0], F_GETOWN) == 0);	/* it is joined before it is quite gone */
	T(fcntl(p[0], GETOWN_EX, &o));
	t_say("type %d owner %d", o.type, o.pid);
	T(write(p[1], "a", 1));
	heard("a thread that is gone", p[0]);
	if ((pid = fork()) == 0) {
		sigset_t set;

		setpgid(0, 0);
		T(fcntl(p[0], F_SETOWN, -getpid()));
		(void)!write(q[1], "", 1);
		sigemptyset(&set);
		sigaddset(&set, SIG);
		t_say("group: %d", sigwait(&set, &n) == 0 && n == SIG);
		heard("no more of it", p[0]);
		_exit(0);
	}
	T(read(q[0], &c, 1));
	t_need(write(p[1], "a", 1) == 1, "write");
	waitpid(pid, &status, 0);
	t_status("child", status);
	heard("only the group", p[0]);
	T(fcntl(p[0], F_GETOWN));
	T(write(p[1], "a", 1));
	close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

int
main(void)
{
	block_all();
	setpgid(0, 0);
	numbers();
	pipes();
	streams(SOCK_STREAM);
	streams(SOCK_DGRAM);
	streams(SOCK_SEQPACKET);
	urgent();
	calls();
	terminals();
	others();
	return 0;
}
