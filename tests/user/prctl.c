/* SPDX-License-Identifier: BSD-2-Clause */
/* needs: root */
/* prctl - names of threads, rights that outlive a change of user, and what is always the same. */
#include "t.h"
#include <pthread.h>

struct caps { uint32_t eff, perm, inh; };

static void
rights(const char *what)
{
	struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
	struct caps c[2];

	memset(c, 0, sizeof c);
	syscall(SYS_capget, &head, c);
	t_say("%s: uid %d effective %d permitted %d inheritable %x securebits %x keep %d", what,
	    (int)geteuid(), c[0].eff != 0, c[0].perm != 0, c[0].inh, prctl(PR_GET_SECUREBITS),
	    prctl(PR_GET_KEEPCAPS));
}

static void
inherit(int cap)
{
	struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
	struct caps c[2];

	syscall(SYS_capget, &head, c);
	c[0].inh = 1u << cap;
	T(syscall(SYS_capset, &head, c));
}

static void
keeping(void)
{
	if (t_child("without") == 0) {
		T(setresuid(1, 1, 1));
		rights("without");
		T(prctl(PR_SET_SECUREBITS, 0x10));
		_exit(0);
	}
	if (t_child("keeping") == 0) {
		T(prctl(PR_SET_KEEPCAPS, 2));
		T(prctl(PR_SET_KEEPCAPS, 1));
		T(setresuid(1, 1, 1));
		rights("keeping");
		_exit(0);
	}
	if (t_child("no fixup") == 0) {
		T(prctl(PR_SET_SECUREBITS, 0x04));
		T(setresuid(1, 1, 1));
		rights("no fixup");
		_exit(0);
	}
	if (t_child("locked") == 0) {
		T(prctl(PR_SET_SECUREBITS, 0x20));
		T(prctl(PR_SET_KEEPCAPS, 1));
		T(prctl(PR_SET_SECUREBITS, 0x30));
		T(prctl(PR_SET_SECUREBITS, 0));
		rights("locked");
		_exit(0);
	}
	T(prctl(PR_SET_SECUREBITS, 0x1000));
}

static void
ambient(void)
{
	if (t_child("ambient") != 0)
		return;
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
	inherit(5);
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 6, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0));
	T(prctl(PR_CAP_AMBIENT, 9, 5, 0, 0));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 1, 0));
	T(prctl(PR_SET_SECUREBITS, 0x40));
	T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
	_exit(0);
}

static void
comm_of(const char *what, const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(fd);
	t_say("%s: \"%s\"", what, text);
}

static void *
thread(void *arg)
{
	char path[64], name[17] = "";

	(void)arg;
	prctl(PR_GET_NAME, name);
	t_say("a new thread is called \"%s\"", name);
	prctl(PR_SET_NAME, "a name that is too long");
	prctl(PR_GET_NAME, name);
	t_say("and now \"%s\"", name);
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)syscall(SYS_gettid));
	comm_of("as a file", path);
	comm_of("the process", "/proc/self/comm");
	T(open(path, O_WRONLY) >= 0);
	int fd = open(path, O_WRONLY);
	T(write(fd, "written", 7));
	close(fd);
	comm_of("as a file", path);
	if (t_child("its child") == 0) {
		comm_of("a child has the name of who made it", "/proc/self/comm");
		_exit(0);
	}
	return NULL;
}

static void
names(void)
{
	char path[64];
	pthread_t t;
	int fd;
	pid_t pid;

	prctl(PR_SET_NAME, "first");
	comm_of("process", "/proc/self/comm");
	t_need(pthread_create(&t, NULL, thread, NULL) == 0, "thread");
	T(pthread_join(t, NULL));
	comm_of("process", "/proc/self/comm");
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd = open(path, O_WRONLY);
	T(write(fd, "x", 1));
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
constants(void)
{
	int v = 0;

	T(prctl(PR_GET_TSC, &v));
	t_say("%d", v);
	T(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	T(prctl(PR_SET_TSC, 77));
	T(prctl(PR_GET_TIMING));
	T(prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL));
	T(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP));
	T(prctl(12345));
}

int
main(void)
{
	keeping();
	ambient();
	names();
	constants();
	return 0;
}
