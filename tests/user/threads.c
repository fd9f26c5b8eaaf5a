/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads - the library's threads on clone, futex and thread-local storage. */
#include "t.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int counter, turn;
static __thread int mine;
static volatile sig_atomic_t hits;

static void *
count(void *arg)
{
	mine = (int)(intptr_t)arg;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return (void *)(intptr_t)mine;
}

static void *
take_turns(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&cond, &lock);
		turn = (me + 1) % 3;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

static _Atomic pid_t reader;

static void *
blocked(void *arg)
{
	char c;
	int *p = arg;
	ssize_t n;

	reader = gettid();
	n = read(p[0], &c, 1);

	return (void *)(intptr_t)(n < 0 ? errno : n);
}

static void *
ids(void *arg)
{
	*(int *)arg = (int)syscall(SYS_gettid);
	return (void *)(intptr_t)(getpid());
}

static void *
exits(void *arg)
{
	(void)arg;
	t_sleep_ms(10);
	_exit(12);
	return NULL;
}

static void *
sleeps(void *arg)
{
	while (arg == NULL)
		pause();
	return NULL;
}

int
main(void)
{
	pthread_t t[8];
	void *v;
	long sum = 0;
	int p[2], tid = 0;

	for (intptr_t i = 0; i < 8; i++)
		T(pthread_create(&t[i], NULL, count, (void *)i));
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &v);
		sum += (long)(intptr_t)v;
	}
	t_say("counter %d, thread-local sum %ld, mine %d", counter, sum, mine);
	for (intptr_t i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, take_turns, (void *)i);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	T(turn);
	pthread_create(&t[0], NULL, ids, &tid);
	pthread_join(t[0], &v);
	t_say("same process %d, other thread %d", (int)(intptr_t)v == getpid(), tid != getpid());
	t_need(pipe(p) == 0, "pipe");
	t_handle(SIGUSR1, on_signal, 0);
	pthread_create(&t[0], NULL, blocked, p);
	T_UNTIL(reader != 0);
	t_until_asleep(reader);
	T(pthread_kill(t[0], SIGUSR1));
	pthread_join(t[0], &v);
	t_say("the thread's read: %s, handler ran %d", t_errno((int)(intptr_t)v), (int)hits);
	if (t_child("fork copies one thread") == 0)
		_exit(counter == 16000 ? 0 : 1);
	if (t_child("exit of one ends all") == 0) {
		pthread_create(&t[0], NULL, exits, NULL);
		for (;;)
			pause();
	}
	if (t_child("a fault in one ends all") == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		pthread_create(&t[0], NULL, sleeps, NULL);
		*(volatile int *)8 = 1;
		_exit(0);
	}
	if (t_child("the first thread may go") == 0) {
		pthread_create(&t[0], NULL, exits, NULL);
		pthread_exit(NULL);
	}
	if (t_child("exec from a process with threads") == 0) {
		pthread_create(&t[0], NULL, sleeps, NULL);
		execl("/no/such", "x", (char *)NULL);
		_exit(0);
	}
	return 0;
}
