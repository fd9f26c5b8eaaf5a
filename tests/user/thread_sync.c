/* SPDX-License-Identifier: BSD-2-Clause */
/* What a C library builds on futexes: barriers, locks, semaphores, cancellation, robust and shared mutexes. */
#include "t.h"
#include <pthread.h>
#include <semaphore.h>

#define N	6
#define ROUNDS	300

static pthread_barrier_t barrier;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static sem_t items, places;
static long a, b, torn, serial, put_sum, got_sum;
static int turn;
static _Atomic int cleaned;

static void *
at_barrier(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *
read_write(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (((intptr_t)arg + i) % 3 == 0) {
			pthread_rwlock_wrlock(&rw);
			a++;
			b++;
		} else {
			pthread_rwlock_rdlock(&rw);
			if (a != b)
				torn++;
		}
		pthread_rwlock_unlock(&rw);
	}
	return NULL;
}

static void *
produce(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		sem_wait(&places);
		__atomic_fetch_add(&put_sum, i, __ATOMIC_RELAXED);
		sem_post(&items);
	}
	return arg;
}

static void *
consume(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		sem_wait(&items);
		__atomic_fetch_add(&got_sum, i, __ATOMIC_RELAXED);
		sem_post(&places);
	}
	return arg;
}

/* Everybody waits for one condition: a broadcast moves all but one to the mutex. */
static void *
take_turns(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&m);
		while (turn % N != me)
			pthread_cond_wait(&c, &m);
		turn++;
		pthread_cond_broadcast(&c);
		pthread_mutex_unlock(&m);
	}
	return NULL;
}

static void
clean(void *arg)
{
	(void)arg;
	cleaned++;
	pthread_mutex_unlock(&m);
}

static void *
wait_for_ever(void *arg)
{
	pthread_mutex_lock(&m);
	pthread_cleanup_push(clean, NULL);
	for (;;)
		pthread_cond_wait(&c, &m);
	pthread_cleanup_pop(0);
	return arg;
}

static void *
read_for_ever(void *arg)
{
	char ch;

	for (;;)
		(void)!read(*(int *)arg, &ch, 1);
	return NULL;
}

static void
run(const char *what, void *(*fn)(void *), void *(*other)(void *))
{
	pthread_t t[N];

	for (intptr_t i = 0; i < N; i++)
		t_need(pthread_create(&t[i], NULL, i % 2 ? other : fn, (void *)i) == 0, what);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
}

static void
cancelled(void)
{
	pthread_t t[N];
	int p[2], good = 0;
	void *v;

	t_need(pipe(p) == 0, "pipe");
	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, i % 2 ? wait_for_ever : read_for_ever, &p[0]);
	t_sleep_ms(20);
	for (int i = 0; i < N; i++)
		pthread_cancel(t[i]);
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], &v);
		good += v == PTHREAD_CANCELED;
	}
	t_say("cancelled %d, cleaned up %d", good, (int)cleaned);
}

static void *
lock_and_end(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static pthread_mutex_t *
robust_mutex(void)
{
	pthread_mutex_t *r = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t at;

	pthread_mutexattr_init(&at);
	pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&at, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(r, &at);
	return r;
}

static void
robust(void)
{
	pthread_mutex_t *r = robust_mutex();
	pthread_t t;
	int status;
	pid_t pid;

	pthread_create(&t, NULL, lock_and_end, r);
	pthread_join(t, NULL);
	t_say("after its owner's end: %s", pthread_mutex_lock(r) == EOWNERDEAD ? "EOWNERDEAD" : "?");
	pthread_mutex_consistent(r);
	pthread_mutex_unlock(r);
	for (int how = 0; how < 2; how++) {
		pid = fork();
		if (pid == 0) {
			pthread_mutex_lock(r);
			if (how == 0)
				raise(SIGKILL);
			execl("/proc/self/exe", "self", "sleep", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, &status, 0);
		t_say("after %s: %s", how == 0 ? "death" : "exec", pthread_mutex_lock(r) == EOWNERDEAD ? "EOWNERDEAD" : "?");
		pthread_mutex_consistent(r);
		pthread_mutex_unlock(r);
	}
	t_say("usable again: %d", pthread_mutex_lock(r));
}

static void
flags(void)
{
	int w = 0;

	T_SYS(futex, &w, 0 | 256, 1, NULL, NULL, 0);
	T_SYS(futex, &w, 9 | 256, 1, NULL, NULL, 1);
	T_SYS(futex, &w, 9, 0, NULL, NULL, 0);
	T_SYS(futex, &w, 4, 1, NULL, &w, 1);
	T_SYS(futex, &w, 1, 1, NULL, NULL, 0);
	T_SYS(futex, (char *)&w + 1, 1, 1, NULL, NULL, 0);
	T_SYS(clone, 0x10000, 0, 0, 0, 0);
	T_SYS(clone, 0x800, 0, 0, 0, 0);
	T_SYS(clone3, NULL, 8);
	T_SYS(tgkill, getpid(), getpid(), 0);
	T_SYS(tgkill, 1, getpid(), 0);
	T_SYS(tgkill, 0, getpid(), 0);
	T_SYS(tgkill, getpid(), 0, 0);
	T_SYS(tkill, -1, 0);
	T_SYS(tgkill, getpid(), getpid(), 65);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "sleep") == 0)
		return 0;
	pthread_barrier_init(&barrier, NULL, N);
	run("barrier", at_barrier, at_barrier);
	t_say("one of them each round: %d", serial == ROUNDS);
	run("rwlock", read_write, read_write);
	t_say("written %ld %ld, torn %ld", a, b, torn);
	sem_init(&items, 0, 0);
	sem_init(&places, 0, 2);
	run("semaphore", produce, consume);
	t_say("put and got alike: %d", put_sum == got_sum);
	run("turns", take_turns, take_turns);
	t_say("turns %d", turn);
	cancelled();
	robust();
	flags();
	return 0;
}
