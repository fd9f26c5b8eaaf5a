/* SPDX-License-Identifier: BSD-2-Clause */
/* Many threads that begin and end at once, of processes that end while they do. */
#include "t.h"
#include <pthread.h>

#define ROUNDS	60
#define WIDTH	16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static _Atomic int go, stop;

static void *
add(void *arg)
{
	pthread_mutex_lock(&lock);
	counter += (long)(intptr_t)arg;
	pthread_mutex_unlock(&lock);
	return arg;
}

static void
join_storm(void)
{
	pthread_t t[WIDTH];
	long joined = 0;

	for (int r = 0; r < ROUNDS; r++) {
		void *v;

		for (intptr_t i = 0; i < WIDTH; i++)
			t_need(pthread_create(&t[i], NULL, add, (void *)(i + 1)) == 0, "create");
		for (int i = 0; i < WIDTH; i++) {
			pthread_join(t[i], &v);
			joined += (long)(intptr_t)v;
		}
	}
	t_say("threads added %ld, returned %ld", counter, joined);
}

static void *
leave(void *arg)
{
	(void)arg;
	while (go == 0)
		;
	syscall(SYS_exit, 7);
	return NULL;
}

/* All threads call exit(2) at the same moment: one is the last. */
static int
all_leave(void)
{
	pthread_t t[4];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, leave, NULL);
	go = 1;
	syscall(SYS_exit, 7);
	return 1;
}

static void *
fault_for_ever(void *arg)
{
	(void)arg;
	for (;;) {
		char *p = mmap(NULL, 8 * T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (int i = 0; i < 8; i++)
			p[i * T_PAGE] = 1;
		munmap(p, 8 * T_PAGE);
	}
	return NULL;
}

static void *
call_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		getppid();
	return NULL;
}

static void *
compute_for_ever(void *arg)
{
	volatile long n = 0;

	(void)arg;
	for (;;)
		n++;
	return NULL;
}

static void *
exit_group_now(void *arg)
{
	_exit((int)(intptr_t)arg);
}

static void *
exec_now(void *arg)
{
	char *argv[] = { "self", "again", arg, NULL };

	execv("/proc/self/exe", argv);
	_exit(98);
}

static void
busy(void)
{
	static void *(*const fn[])(void *) = { fault_for_ever, call_for_ever, compute_for_ever, fault_for_ever };
	pthread_t t;

	for (int i = 0; i < 4; i++)
		t_need(pthread_create(&t, NULL, fn[i], NULL) == 0, "create");
}

static void *
hold(void *arg)
{
	while (stop == 0)
		t_sleep_ms(1);
	return arg;
}

/* The number of children that ended with `want`. */
static int
many(int n, int want, void (*child)(int))
{
	int good = 0, status;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			child(i);
			_exit(97);
		}
		if (waitpid(pid, &status, 0) == pid && (want >= 0 ? status == want << 8 : WTERMSIG(status) == -want))
			good++;
		else
			t_say("round %d: status %#x", i, (unsigned)status);
	}
	return good;
}

static void leave_child(int i) { (void)i; all_leave(); }
static void
exit_child(int i)
{
	pthread_t t;

	(void)i;
	busy();
	pthread_create(&t, NULL, exit_group_now, (void *)9);
	for (;;)
		pause();
}
static void
race_child(int i)
{
	pthread_t t;

	busy();
	if (i % 2 == 0)
		pthread_create(&t, NULL, exit_group_now, (void *)11);
	_exit(11);
}
static void
exec_child(int i)
{
	pthread_t t;
	char pid[16];

	(void)i;
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	busy();
	pthread_create(&t, NULL, exec_now, strdup(pid));
	for (;;)
		pause();
}
static void
kill_child(int i)
{
	(void)i;
	busy();
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void *
fork_and_wait(void *arg)
{
	long good = 0;

	for (int i = 0; i < 10; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(i);
		if (pid > 0 && waitpid(pid, &status, 0) == pid && status == i << 8)
			good++;
	}
	(void)arg;
	return (void *)good;
}

static void
forks_in_threads(void)
{
	pthread_t t[6], h;
	long sum = 0;
	void *v;

	pthread_create(&h, NULL, hold, NULL);
	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, fork_and_wait, NULL);
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], &v);
		sum += (long)v;
	}
	stop = 1;
	pthread_join(h, NULL);
	t_say("children of threads: %ld", sum);
	T(waitpid(-1, NULL, WNOHANG));
}

int
main(int argc, char **argv)
{
	if (argc > 2)		/* after exec: the number stays, whichever thread called */
		return atoi(argv[2]) == getpid() && syscall(SYS_gettid) == getpid() ? 5 : 6;
	join_storm();
	t_say("all leave at once: %d", many(40, 7, leave_child));
	t_say("exit_group beside busy threads: %d", many(20, 9, exit_child));
	t_say("two exits: %d", many(20, 11, race_child));
	t_say("exec by another thread: %d", many(20, 5, exec_child));
	t_say("killed: %d", many(20, -SIGKILL, kill_child));
	forks_in_threads();
	return 0;
}
