/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread with a table of descriptors of its own: unshare(CLONE_FILES), close_range(CLOSE_RANGE_UNSHARE). */
#include "t.h"
#include <pthread.h>
#include <sched.h>

#define F_UNSHARE	2u
#define F_CLOEXEC	4u

static int step[2], back[2];

static void
wait_for(int fd)
{
	char c;

	t_need(read(fd, &c, 1) == 1, "step");
}

static void
go(int fd)
{
	t_need(write(fd, "x", 1) == 1, "step");
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void *
other(void *arg)
{
	(void)arg;
	t_say("a thread made by it sees 60 %d 61 %d", is_open(60), is_open(61));
	t_need(dup2(1, 63) == 63, "dup2");
	return NULL;
}

static void *
apart(void *arg)
{
	const char *how = arg;
	pthread_t t;

	if (how[0] == 'u')
		T(unshare(CLONE_FILES));
	else
		T(syscall(SYS_close_range, 60, 60, F_UNSHARE));
	t_say("after it: 60 %d 61 %d", is_open(60), is_open(61));
	close(60);
	t_need(dup2(1, 62) == 62, "dup2");
	go(back[1]);
	wait_for(step[0]);
	t_say("closed by the others, still here: 61 %d", is_open(61));
	t_need(pthread_create(&t, NULL, other, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
	t_say("what that opened: 63 %d", is_open(63));
	if (t_child("child of the thread") == 0) {
		t_say("has 60 %d 61 %d 62 %d", is_open(60), is_open(61), is_open(62));
		_exit(0);
	}
	T(unshare(CLONE_FILES));
	go(back[1]);
	return NULL;
}

static void
threads(const char *how)
{
	pthread_t t;

	t_say("-- %s", how);
	t_need(pipe(step) == 0 && pipe(back) == 0, "pipe");
	t_need(dup2(1, 60) == 60 && dup2(1, 61) == 61, "dup2");
	close(62), close(63);
	t_need(pthread_create(&t, NULL, apart, (void *)how) == 0, "thread");
	wait_for(back[0]);
	t_say("the others: 60 %d 61 %d 62 %d", is_open(60), is_open(61), is_open(62));
	close(61);
	go(step[1]);
	wait_for(back[0]);
	t_need(pthread_join(t, NULL) == 0, "join");
	t_say("and after its end: 60 %d 61 %d 62 %d 63 %d", is_open(60), is_open(61), is_open(62),
	    is_open(63));
	close(step[0]), close(step[1]), close(back[0]), close(back[1]);
}

static void *
executes(void *arg)
{
	(void)arg;
	t_need(unshare(CLONE_FILES) == 0, "unshare");
	t_need(dup2(1, 70) == 70 && fcntl(70, F_SETFD, FD_CLOEXEC) == 0 && dup2(1, 71) == 71, "dup2");
	execl("/proc/self/exe", "fd_unshare", "report", (char *)NULL);
	_exit(127);
}

/* The pipe's reader sees the end once the last thread, whose table has the writer, is gone. */
static void *
outlives(void *arg)
{
	(void)arg;
	t_need(unshare(CLONE_FILES) == 0, "unshare");
	t_sleep_ms(50);
	syscall(SYS_exit, 0);		/* pthread_exit() would wait for a lock that main took with it */
	return NULL;
}

static void
processes(void)
{
	pthread_t t;
	char c;
	int p[2];

	if (t_child("exec from a thread") == 0) {
		t_need(dup2(1, 72) == 72, "dup2");
		t_need(pthread_create(&t, NULL, executes, NULL) == 0, "thread");
		for (;;)
			pause();
	}
	t_need(pipe(p) == 0, "pipe");
	if (t_child("the last thread has its own") == 0) {
		t_need(pthread_create(&t, NULL, outlives, NULL) == 0, "thread");
		close(p[1]);
		syscall(SYS_exit, 0);
	}
	close(p[1]);
	T(read(p[0], &c, 1));
	if (t_child("shared with a process") == 0) {
		T(unshare(CLONE_FILES));
		T(syscall(SYS_close_range, 3, ~0u, F_UNSHARE | F_CLOEXEC));
		_exit(0);
	}
}

/* A lock is its table's: closing the file in another table leaves it. */
static void *
locks(void *arg)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = *(int *)arg, again;

	t_need(unshare(CLONE_FILES) == 0, "unshare");
	T(fcntl(fd, F_SETLK, &l));
	again = open("locked", O_RDWR);
	close(again);
	T(fcntl(fd, F_SETLK, &l));
	return NULL;
}

static void
locking(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("locked", O_CREAT | O_RDWR, 0600);
	pthread_t t;

	T(fcntl(fd, F_SETLK, &l));
	t_need(pthread_create(&t, NULL, locks, &fd) == 0 && pthread_join(t, NULL) == 0, "thread");
	if (t_child("asks") == 0) {
		T(fcntl(fd, F_GETLK, &l));
		t_say("locked %d", l.l_type == F_WRLCK);
		_exit(0);
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "report") == 0) {
		t_say("the new program has 70 %d 71 %d 72 %d", is_open(70), is_open(71), is_open(72));
		return 0;
	}
	threads("unshare");
	threads("close_range");
	processes();
	locking();
	return 0;
}
