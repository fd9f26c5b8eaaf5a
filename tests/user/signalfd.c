/* SPDX-License-Identifier: BSD-2-Clause */
/* signalfd - which signals are read, by whom, and what is said about them. */
#include "t.h"
#include <sys/epoll.h>
#include <sys/signalfd.h>

static sigset_t
set_of(int a, int b)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, a);
	if (b != 0)
		sigaddset(&s, b);
	return s;
}

static void
show(int fd)
{
	struct signalfd_siginfo si[4];
	ssize_t n = read(fd, si, sizeof si);

	if (n < 0) {
		t_say("read: %s", t_errno(errno));
		return;
	}
	t_say("read: %zd", n);
	for (size_t i = 0; i < (size_t)n / sizeof si[0]; i++)
		t_say("  %s code %d pid %s uid %u status %d int %d ptr %llx overrun %u tid %u addr %llx",
		    t_signal((int)si[i].ssi_signo), si[i].ssi_code,
		    (pid_t)si[i].ssi_pid == getpid() ? "own" : si[i].ssi_pid != 0 ? "other" : "0", si[i].ssi_uid,
		    si[i].ssi_status, si[i].ssi_int, (unsigned long long)si[i].ssi_ptr, si[i].ssi_overrun,
		    si[i].ssi_tid,
		    (unsigned long long)si[i].ssi_addr);
}

static int
ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void
refusals(void)
{
	sigset_t s = set_of(SIGUSR1, 0);
	char buf[200];
	int fd, p[2];

	t_need(pipe(p) == 0, "pipe");
	T_SYS(signalfd4, -1, &s, 4, 0);
	T_SYS(signalfd4, -1, &s, 8, 1);
	T_SYS(signalfd4, -1, (void *)8, 8, 0);
	T_SYS(signalfd4, -1, (void *)8, 8, 1);
	T_SYS(signalfd4, -2, &s, 8, 0);
	T_SYS(signalfd4, 999, &s, 8, 0);
	T_SYS(signalfd4, p[0], &s, 8, 0);
	fd = (int)syscall(SYS_signalfd, -1, &s, 8);
	T(fd >= 0);
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	close(fd);
	fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	T(read(fd, buf, 127));
	T(read(fd, buf, 128));
	T(write(fd, buf, 128));
	T(lseek(fd, 0, SEEK_SET));
	T(ftruncate(fd, 0));
	snprintf(buf, sizeof buf, "/proc/self/fd/%d", fd);
	memset(buf + 100, 0, 100);
	T(readlink(buf, buf + 100, 99));
	t_say("%s", buf + 100);
	close(fd), close(p[0]), close(p[1]);
}

static void
records(void)
{
	sigset_t s = set_of(SIGUSR1, SIGRTMIN + 1), more = set_of(SIGUSR2, SIGCHLD), all;
	union sigval v = { .sival_ptr = (void *)0x123456789a };
	int fd = signalfd(-1, &s, SFD_NONBLOCK);
	pid_t pid;

	sigorset(&all, &s, &more);
	sigaddset(&all, SIGKILL);
	sigprocmask(SIG_BLOCK, &all, NULL);
	T(ready(fd));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	T(ready(fd));
	show(fd);
	T(ready(fd));
	show(fd);
	kill(getpid(), SIGUSR2);
	T(ready(fd));
	T(signalfd(fd, &all, 0) == fd);
	T(ready(fd));
	sigqueue(getpid(), SIGRTMIN + 1, v);
	v.sival_int = 7;
	sigqueue(getpid(), SIGRTMIN + 1, v);
	sigqueue(getpid(), SIGUSR1, v);
	syscall(SYS_tkill, getpid(), SIGRTMIN + 1);
	show(fd);
	show(fd);
	if ((pid = fork()) == 0)
		_exit(3);
	T_UNTIL(ready(fd) != 0);
	show(fd);
	t_need(waitpid(pid, NULL, 0) == pid, "wait");
	T(fcntl(fd, F_SETFL, 0));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	show(fd);
	kill(getpid(), SIGUSR1);
	T(read(fd, (void *)8, 128));
	kill(getpid(), SIGUSR1);
	T(read(fd, NULL, 127));
	show(fd);
	close(fd);
}

/* Who reads gets its own signals, not those of who made the file. */
static void
inherited(void)
{
	sigset_t s = set_of(SIGUSR1, 0);
	int fd = signalfd(-1, &s, 0);

	sigprocmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1);
	if (t_child("child") == 0) {
		T(ready(fd));
		kill(getpid(), SIGUSR1);
		T(ready(fd));
		show(fd);
		_exit(0);
	}
	T(ready(fd));
	show(fd);
	close(fd);
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* A reader and an epoll that wait are woken by a signal that is posted meanwhile. */
static void
waiting(void)
{
	sigset_t s = set_of(SIGUSR1, SIGUSR2);
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = signalfd(-1, &s, 0), ep = epoll_create1(0), status;
	pid_t me = getpid(), pid;

	sigprocmask(SIG_BLOCK, &s, NULL);
	T(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	T(epoll_wait(ep, &ev, 1, 0));
	if ((pid = fork()) == 0) {
		t_sleep_ms(20);
		kill(me, SIGUSR1);
		t_sleep_ms(20);
		kill(me, SIGUSR2);
		_exit(0);
	}
	T(epoll_wait(ep, &ev, 1, 10000));
	show(fd);
	show(fd);
	T(epoll_wait(ep, &ev, 1, 0));
	t_need(waitpid(pid, &status, 0) == pid, "wait");
	t_handle(SIGALRM, on_alarm, 0);
	t_alarms(10);
	show(fd);
	t_alarms(0);
	close(ep), close(fd);
}

int
main(void)
{
	refusals();
	records();
	inherited();
	waiting();
	return 0;
}
