/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t - what a guest test program needs to say what it saw.
 *
 * A program here does not know what is right: it shows what its kernel did, as
 * text, and the same program on the host's Linux shows what it should have
 * been.  So everything printed must be the same in every run: no process
 * numbers, addresses, times or host names; T_OK() hides a value that varies.
 *
 * Output goes straight to descriptor 1, a line per write, so that nothing is
 * buffered across fork, exec or a death by signal.  The current directory at
 * start is empty and belongs to the program; descriptor 0 is /dev/null.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define T_PAGE	4096
#define T_COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* Show an expression and its value; -1 comes with the name of errno.  The value is also the result. */
#define T(expr)		(errno = 0, t_show(#expr, (long)(expr)))
/* The same for a value that differs between runs: only whether it is an error is shown. */
#define T_OK(expr)	(errno = 0, t_show_ok(#expr, (long)(expr)))
/* A raw system call, past what the C library would add. */
#define T_SYS(name, ...)	\
	(errno = 0, t_show(#name "(" #__VA_ARGS__ ")", syscall(SYS_##name, __VA_ARGS__)))

struct t_name { int n_val; const char *n_str; };

__attribute__((format(printf, 1, 2), unused)) static void
t_say(const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n, done, r;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	for (done = 0; done < n; done += r) {
		r = (int)write(1, line + done, (size_t)(n - done));
		if (r < 0 && errno == EINTR)
			r = 0;
		else if (r <= 0)
			return;
	}
}

__attribute__((unused)) static const char *
t_errno(int e)
{
	static const struct t_name names[] = {
#define E(x) { x, #x }
		E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF),
		E(ECHILD), E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV),
		E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY),
		E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK),
		E(ENAMETOOLONG), E(ENOLCK), E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(EOVERFLOW), E(EOPNOTSUPP),
		E(ETIMEDOUT), E(EALREADY), E(ENODATA), E(ELIBBAD), E(ENOTSOCK), E(EPROTONOSUPPORT),
#undef E
	};
	static char other[32];
	size_t i;

	for (i = 0; i < T_COUNT(names); i++)
		if (names[i].n_val == e)
			return names[i].n_str;
	snprintf(other, sizeof other, "errno %d", e);
	return other;
}

__attribute__((unused)) static const char *
t_signal(int s)
{
	static const char *const names[] = {
		"0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
		"SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
		"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
		"SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
	};
	static char other[32];

	if (s >= 0 && (size_t)s < T_COUNT(names))
		return names[s];
	snprintf(other, sizeof other, "signal %d", s);
	return other;
}

__attribute__((unused)) static long
t_show(const char *what, long v)
{
	int e = errno;

	if (v == -1)
		t_say("%s = -1 %s", what, t_errno(e));
	else
		t_say("%s = %ld", what, v);
	errno = e;
	return v;
}

__attribute__((unused)) static long
t_show_ok(const char *what, long v)
{
	int e = errno;

	if (v == -1)
		t_say("%s = -1 %s", what, t_errno(e));
	else
		t_say("%s = ok", what);
	errno = e;
	return v;
}

/* How a process ended or changed, from a wait status. */
__attribute__((unused)) static void
t_status(const char *what, int status)
{
	if (WIFEXITED(status))
		t_say("%s: exit %d", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		t_say("%s: killed by %s", what, t_signal(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		t_say("%s: stopped by %s", what, t_signal(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		t_say("%s: continued", what);
	else
		t_say("%s: status %#x", what, (unsigned)status);
}

/*
 * `if (t_child("what") == 0) { ...; _exit(n); }`: the child runs the block; the
 * parent waits, shows how the child ended, and goes on after the block.
 */
__attribute__((unused)) static pid_t
t_child(const char *what)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		return 0;
	if (pid < 0) {
		t_say("%s: fork: %s", what, t_errno(errno));
		return pid;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			t_say("%s: wait: %s", what, t_errno(errno));
			return pid;
		}
	t_status(what, status);
	return pid;
}

/* For what must be true before the test makes sense. */
__attribute__((unused)) static void
t_need(bool cond, const char *what)
{
	if (cond)
		return;
	t_say("cannot go on: %s (%s)", what, t_errno(errno));
	_exit(99);
}

__attribute__((unused)) static void
t_sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* For what comes in its own time: wait until it is there, at most ten seconds. */
#define T_UNTIL(cond) do {							\
	for (int t_ms = 0; !(cond) && t_ms < 10000; t_ms++)			\
		t_sleep_ms(1);							\
} while (0)

__attribute__((unused)) static int64_t
t_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* SIGALRM every so many ms until t_alarms(0): a wait is interrupted, though the first may come too early. */
__attribute__((unused)) static void
t_alarms(int ms)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, ms * 1000 }, { 0, ms * 1000 } }, NULL);
}

/* 'R' while a child runs or could, 'S' when it waits, 'Z' when it has ended: the state of /proc. */
__attribute__((unused)) static char
t_state(pid_t pid)
{
	char path[40], text[200], *p;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	return p == NULL ? '?' : p[2];
}

/* Wait until a process, or one thread by its number, sleeps in the call that it is about to make. */
__attribute__((unused)) static void
t_until_asleep(pid_t id)
{
	t_sleep_ms(20);
	T_UNTIL(t_state(id) == 'S');
}

/* Install a handler; the mask while it runs holds nothing else. */
__attribute__((unused)) static void
t_handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = fn;
	sa.sa_flags = flags;
	t_need(sigaction(sig, &sa, NULL) == 0, "sigaction");
}

__attribute__((unused)) static void
t_handle_info(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	sa.sa_sigaction = fn;
	sa.sa_flags = flags | SA_SIGINFO;
	t_need(sigaction(sig, &sa, NULL) == 0, "sigaction");
}

/* Anonymous private memory, read-write, zeroed. */
__attribute__((unused)) static char *
t_pages(size_t n)
{
	void *p = mmap(NULL, n * T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t_need(p != MAP_FAILED, "mmap");
	return p;
}

/* Make a file with this content. */
__attribute__((unused)) static void
t_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	t_need(fd >= 0, path);
	t_need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
	t_need(fchmod(fd, mode) == 0, "fchmod");
	close(fd);
}

/* Show at most 200 bytes of a file, as a line. */
__attribute__((unused)) static void
t_cat(const char *path)
{
	char buf[201];
	int fd = open(path, O_RDONLY);
	ssize_t n, i;

	if (fd < 0) {
		t_say("%s: %s", path, t_errno(errno));
		return;
	}
	n = read(fd, buf, 200);
	close(fd);
	if (n < 0) {
		t_say("%s: read: %s", path, t_errno(errno));
		return;
	}
	for (i = 0; i < n; i++)
		if (buf[i] < ' ' || buf[i] > '~')
			buf[i] = '.';
	buf[n] = '\0';
	t_say("%s: %zd \"%s\"", path, n, buf);
}

/* Of tests whose children work at once: one that meets something else says so and ends. */
#define MUST(x)	((x) ? (void)0 : t_failed(__LINE__, #x))
__attribute__((unused)) static void
t_failed(int line, const char *what)
{
	t_say("line %d: %s: %s", line, what, t_errno(errno));
	_exit(1);
}

/* A small generator for tests that want variety but the same one every time. */
__attribute__((unused)) static uint32_t
t_rand(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}
