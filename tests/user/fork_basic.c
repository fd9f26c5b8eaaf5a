/* SPDX-License-Identifier: BSD-2-Clause */
/* fork - what a child shares with its parent, and what it only has a copy of. */
#include "t.h"

static int global = 1;
static volatile sig_atomic_t got;

static void
on_signal(int sig)
{
	(void)sig;
	got++;
}

static void
memory_is_copied(void)
{
	int local = 10;
	char *heap = malloc(100000);

	heap[99999] = 'a';
	if (t_child("child writes its copy") == 0) {
		global = 2;
		local = 20;
		heap[99999] = 'b';
		t_say("child sees %d %d %c", global, local, heap[99999]);
		_exit(7);
	}
	t_say("parent sees %d %d %c", global, local, heap[99999]);
	free(heap);
}

static void
descriptions_are_shared(void)
{
	char buf[4] = "";
	int fd;

	t_file("f", "abcdefghij", 0644);
	fd = open("f", O_RDONLY);
	if (t_child("child reads three") == 0) {
		T(read(fd, buf, 3));
		T(fcntl(fd, F_SETFD, FD_CLOEXEC));
		T(fcntl(fd, F_SETFL, O_NONBLOCK));
		_exit(0);
	}
	T(lseek(fd, 0, SEEK_CUR));
	T(fcntl(fd, F_GETFD));
	t_say("O_NONBLOCK is %s", fcntl(fd, F_GETFL) & O_NONBLOCK ? "set" : "clear");
	if (t_child("child closes") == 0)
		_exit(close(fd));
	T(read(fd, buf, 1));
	close(fd);
}

static void
signals_of_the_child(void)
{
	sigset_t set, old;

	t_handle(SIGUSR1, on_signal, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	if (t_child("pending is not inherited, mask and handlers are") == 0) {
		sigset_t now;

		sigpending(&now);
		T(sigismember(&now, SIGUSR1));
		sigprocmask(SIG_SETMASK, NULL, &now);
		T(sigismember(&now, SIGUSR1));
		sigprocmask(SIG_SETMASK, &old, NULL);
		T(got);
		raise(SIGUSR1);
		T(got);
		_exit(0);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	T(got);
}

static void
the_rest(void)
{
	pid_t me = getpid();

	T(alarm(100));
	T(umask(027));
	T(mkdir("d", 0755));
	T(chdir("d"));
	if (t_child("no alarm, same umask, directory and parent") == 0) {
		T(alarm(0));
		T(umask(0));
		T(access("../d", F_OK));
		T(getppid() == me);
		T(getpid() == me);
		T(getpgrp() == getpgid(me));
		T(getsid(0) == getsid(me));
		_exit(0);
	}
	T(alarm(0) > 90);
	T(umask(022));
}

static void
statuses(void)
{
	static const int codes[] = { 0, 1, 127, 128, 255, 256, 257, -1 };

	for (size_t i = 0; i < T_COUNT(codes); i++)
		if (t_child("exit status is the low byte") == 0)
			_exit(codes[i]);
	if (t_child("abort") == 0)
		abort();
	if (t_child("SIGKILL itself") == 0)
		raise(SIGKILL);
}

int
main(void)
{
	memory_is_copied();
	descriptions_are_shared();
	signals_of_the_child();
	the_rest();
	statuses();
	return 0;
}
