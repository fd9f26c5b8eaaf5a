/* SPDX-License-Identifier: BSD-2-Clause */
/* pidfd - a process by descriptor: its end, signals to it, waiting for it. */
#include "t.h"
#include <sys/epoll.h>

#ifndef P_PIDFD
#define P_PIDFD	3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD	0x1000
#endif
struct args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; };

static int pidfd_of(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }
static int send_to(int fd, int sig) { return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0); }

static int
ready(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, ms) < 0 ? -1 : p.revents;
}

static void
show_wait(const char *what, int fd, int options)
{
	siginfo_t si;

	memset(&si, 0, sizeof si);
	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &si, options) != 0)
		t_say("%s: %s", what, t_errno(errno));
	else
		t_say("%s: %s code %d status %d", what, t_signal(si.si_signo), si.si_code, si.si_status);
}

static void
refusals(void)
{
	siginfo_t si = { .si_signo = SIGUSR1, .si_code = SI_USER };
	int fd, p[2];
	char c;

	t_need(pipe(p) == 0, "pipe");
	T(pidfd_of(0, 0));
	T(pidfd_of(-1, 0));
	T(pidfd_of(getpid(), 1));
	T(pidfd_of(4000000, 0));
	fd = pidfd_of(getpid(), 0);
	T(fd >= 0);
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	T(read(fd, &c, 1));
	T(write(fd, &c, 1));
	T(ready(fd, 0));
	T(send_to(fd, 0));
	T(send_to(fd, 65));
	T(send_to(p[0], 0));
	T(send_to(999, 0));
	T_SYS(pidfd_send_signal, fd, 0, NULL, 16);
	T_SYS(pidfd_send_signal, fd, 0, (void *)8, 0);
	T_SYS(pidfd_send_signal, fd, SIGUSR2, &si, 0);
	show_wait("own", fd, WEXITED);
	show_wait("pipe", p[0], WEXITED);
	show_wait("none", 999, WEXITED);
	show_wait("negative", -1, WEXITED);
	close(fd), close(p[0]), close(p[1]);
}

static void
ends(void)
{
	int ep = epoll_create1(0), p[2], status;
	struct epoll_event ev = { .events = EPOLLIN };
	pid_t pid;
	int fd;

	t_need(pipe(p) == 0, "pipe");
	if ((pid = fork()) == 0) {
		char c;

		close(p[1]);
		_exit(read(p[0], &c, 1) == 0 ? 7 : 8);
	}
	fd = pidfd_of(pid, O_NONBLOCK);
	T(fcntl(fd, F_GETFL) & O_NONBLOCK);
	T(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	T(epoll_wait(ep, &ev, 1, 0));
	show_wait("not yet", fd, WEXITED);
	show_wait("not yet, no hang", fd, WEXITED | WNOHANG);
	close(p[1]);
	T(epoll_wait(ep, &ev, 1, 10000));
	T(ready(fd, 10000));
	T(send_to(fd, 0));
	show_wait("look", fd, WEXITED | WNOWAIT);
	T(ready(fd, 0));
	show_wait("take", fd, WEXITED);
	T(ready(fd, 0) & (POLLIN | POLLHUP));
	T(send_to(fd, 0));
	show_wait("gone", fd, WEXITED);
	T(pidfd_of(pid, 0));
	close(fd), close(p[0]), close(ep);
	/* Killed through it, by one who waits. */
	if ((pid = fork()) == 0)
		for (;;)
			pause();
	fd = pidfd_of(pid, 0);
	T(send_to(fd, SIGSTOP));
	show_wait("stopped", fd, WSTOPPED);
	T(ready(fd, 0));
	T(send_to(fd, SIGKILL));
	T(ready(fd, 10000));
	show_wait("killed", fd, WEXITED);
	T(waitpid(pid, &status, 0));
	close(fd);
}

static void
clones(void)
{
	int fd = -1, fd2 = -1;
	struct args a = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD };
	struct rlimit rl, none;
	pid_t pid;

	pid = (pid_t)syscall(SYS_clone3, &a, sizeof a);
	if (pid == 0)
		_exit(fcntl(fd, F_GETFD) == -1 ? 3 : 4);	/* the child does not have it */
	T(pid > 0);
	T(fcntl(fd, F_GETFD));
	show_wait("clone3", fd, WEXITED);
	close(fd);
	pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &fd2, NULL, 0);
	if (pid == 0)
		_exit(5);
	T(pid > 0);
	show_wait("clone", fd2, WEXITED);
	close(fd2);
	T_SYS(clone, CLONE_PIDFD | 0x100000 | SIGCHLD, NULL, &fd2, NULL, 0);
	T_SYS(clone, CLONE_PIDFD | 0x400000 | SIGCHLD, NULL, &fd2, NULL, 0);
	T_SYS(clone, CLONE_PIDFD | SIGCHLD, NULL, (void *)8, NULL, 0);
	T(waitpid(-1, NULL, 0));
	getrlimit(RLIMIT_NOFILE, &rl);
	none = rl;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	T_SYS(clone, CLONE_PIDFD | SIGCHLD, NULL, &fd2, NULL, 0);
	setrlimit(RLIMIT_NOFILE, &rl);
	T(waitpid(-1, NULL, 0));
	/* Nobody waits: gone at once. */
	signal(SIGCHLD, SIG_IGN);
	pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &fd2, NULL, 0);
	if (pid == 0)
		_exit(5);
	T_UNTIL((ready(fd2, 0) & POLLHUP) != 0);
	T(ready(fd2, 10000) & (POLLIN | POLLHUP));
	T(send_to(fd2, 0));
	signal(SIGCHLD, SIG_DFL);
	close(fd2);
}

/* A process's folder in /proc serves for signals, too, but not for waiting. */
static void
folders(void)
{
	char path[64];
	pid_t pid = fork();
	int fd;

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof path, "/proc/%d", pid);
	T((fd = open(path, O_RDONLY | O_DIRECTORY)) >= 0);
	T(send_to(fd, 0));
	T(send_to(fd, 65));
	T_SYS(pidfd_send_signal, fd, 0, NULL, 16);
	show_wait("folder", fd, WEXITED);
	T(send_to(open(path, O_PATH), 0));
	T(send_to(open("/proc", O_RDONLY), 0));
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	T(send_to(open(path, O_RDONLY), 0));
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	T(send_to(open(path, O_RDONLY), 0));
	snprintf(path, sizeof path, "/proc/%d/task/%d", pid, pid);
	T(send_to(open(path, O_RDONLY), 0));
	T(send_to(fd, SIGKILL));
	T(waitpid(pid, NULL, 0) == pid);
	T(send_to(fd, 0));
	T(openat(fd, "status", O_RDONLY));
	close(fd);
}

int
main(void)
{
	refusals();
	ends();
	clones();
	folders();
	return 0;
}
