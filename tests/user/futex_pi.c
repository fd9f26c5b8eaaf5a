/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks whose word names the owner: handing over, circles, deaths, from a condition to its lock. */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { LOCK = 6, UNLOCK, TRYLOCK, WAIT_REQUEUE = 11, CMP_REQUEUE, LOCK2 };
#define PRIVATE		128
#define REALTIME	256
#define WAITERS		0x80000000u
#define DIED		0x40000000u
#define TID		0x3fffffffu

static _Atomic uint32_t word, second, cond;
static _Atomic int ready;

static long
futex(_Atomic uint32_t *w, int op, uint32_t val, const void *time, _Atomic uint32_t *w2, uint32_t val3)
{
	return syscall(SYS_futex, w, op, val, time, w2, val3);
}

static uint32_t
self(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static void
show(const char *what, uint32_t w)
{
	t_say("%s:%s%s%s", what, (w & TID) == 0 ? " nobody" : (w & TID) == self() ? " me" : " another",
	    (w & WAITERS) != 0 ? " waiters" : "", (w & DIED) != 0 ? " died" : "");
}

static struct timespec
in_ms(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static void *
other_tries(void *arg)
{
	struct timespec ts = in_ms(CLOCK_REALTIME, 20), mono = in_ms(CLOCK_MONOTONIC, 40), bad = { 0, -1 };

	(void)arg;
	T(futex(&word, UNLOCK, 0, NULL, NULL, 0));
	T(futex(&word, TRYLOCK, 0, NULL, NULL, 0));
	show("tried", word);
	T(futex(&word, LOCK, 0, &ts, NULL, 0));
	show("timed out", word);
	T(futex(&word, LOCK, 0, &bad, NULL, 0));
	T(futex(&word, LOCK | REALTIME, 0, &ts, NULL, 0));
	T(futex(&word, LOCK2, 0, &mono, NULL, 0));
	ts = in_ms(CLOCK_REALTIME, 10);
	T(futex(&word, LOCK2 | REALTIME, 0, &ts, NULL, 0));
	return NULL;
}

static void
in_thread(void *(*fn)(void *))
{
	pthread_t t;

	t_need(pthread_create(&t, NULL, fn, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
}

static void
basics(void)
{
	_Atomic uint32_t *ro = mmap(NULL, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	T(futex(&word, UNLOCK, 0, NULL, NULL, 0));
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	show("locked", word);
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	T(futex(&word, TRYLOCK, 0, NULL, NULL, 0));
	in_thread(other_tries);
	T(futex(&word, UNLOCK, 0, NULL, NULL, 0));
	show("unlocked", word);
	T(futex(&word, TRYLOCK | PRIVATE, 0, NULL, NULL, 0));
	T(futex(&word, UNLOCK | PRIVATE, 0, NULL, NULL, 0));
	word = DIED;
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	show("of a dead one", word);
	word = WAITERS;
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	show("nobody waited", word);
	word = 0x3ffffff0;
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	show("of nobody there", word);
	T(futex(&word, UNLOCK, 0, NULL, NULL, 0));
	T(futex((void *)8, LOCK, 0, NULL, NULL, 0));
	T(futex((void *)((char *)&word + 1), LOCK, 0, NULL, NULL, 0));
	T(futex(ro, LOCK, 0, NULL, NULL, 0));
	T(futex(ro, UNLOCK, 0, NULL, NULL, 0));
	T(futex(&word, LOCK, 0, (void *)8, NULL, 0));
	T(futex(&word, UNLOCK | REALTIME, 0, NULL, NULL, 0));
	word = 0;
}

/* ------------------------------------------------------------------ a crowd -- */

static int counter;

static void
lock(_Atomic uint32_t *w)
{
	uint32_t free = 0;

	if (!atomic_compare_exchange_strong(w, &free, self()))
		t_need(futex(w, LOCK, 0, NULL, NULL, 0) == 0, "lock");
}

static void
unlock(_Atomic uint32_t *w)
{
	uint32_t mine = self();

	if (!atomic_compare_exchange_strong(w, &mine, 0))
		t_need(futex(w, UNLOCK, 0, NULL, NULL, 0) == 0, "unlock");
}

static void *
counts(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		lock(&word);
		t_need((word & TID) == self(), "mine");
		counter++;
		if (i % 100 == 0)
			sched_yield();
		unlock(&word);
		if (i % 50 == 0 && arg != NULL) {
			struct timespec ts = in_ms(CLOCK_REALTIME, 0);

			if (futex(&word, LOCK, 0, &ts, NULL, 0) == 0)
				unlock(&word);
		}
	}
	return NULL;
}

static void
crowd(void)
{
	pthread_t t[8];

	counter = 0;
	for (int i = 0; i < 8; i++)
		t_need(pthread_create(&t[i], NULL, counts, i % 2 == 0 ? &counter : NULL) == 0, "thread");
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	T(counter);
	t_say("free at the end: %d", (word & TID) == 0);
	word = 0;
}

/* ----------------------------------------------------------- circles, deaths -- */

static void
asleep(uint32_t tid)
{
	char name[64], text[512], *p;
	int fd, n;

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "/proc/self/task/%u/stat", tid);
		t_need((fd = open(name, O_RDONLY)) >= 0, name);
		t_need((n = (int)read(fd, text, sizeof text - 1)) > 0, "read");
		close(fd);
		text[n] = '\0';
		p = strrchr(text, ')');
		if (p != NULL && p[2] == 'S')
			return;
		t_sleep_ms(1);
	}
	t_say("never asleep");
}

static _Atomic uint32_t waiter;

static void *
takes_second(void *arg)
{
	(void)arg;
	lock(&second);
	waiter = self();
	t_say("waiting: %ld", futex(&word, LOCK, 0, NULL, NULL, 0));
	show("got", word);
	unlock(&word);
	unlock(&second);
	return NULL;
}

static void
circle(void)
{
	pthread_t t;

	waiter = 0;
	lock(&word);
	t_need(pthread_create(&t, NULL, takes_second, NULL) == 0, "thread");
	while (waiter == 0)
		t_sleep_ms(1);
	asleep(waiter);
	T(futex(&second, LOCK, 0, NULL, NULL, 0));
	T(futex(&second, TRYLOCK, 0, NULL, NULL, 0));
	show("second", second);
	unlock(&word);
	pthread_join(t, NULL);
	word = second = 0;
}

static void *
dies(void *arg)
{
	lock(&word);
	ready = 1;
	T_UNTIL(waiter != 0);
	asleep(waiter);
	if (arg != NULL)
		unlock(&word);
	return NULL;
}

static void
death(void)
{
	pthread_t t;

	word = 0;
	ready = 0;
	waiter = 0;
	t_need(pthread_create(&t, NULL, dies, NULL) == 0, "thread");
	T_UNTIL(ready);
	waiter = self();
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	pthread_join(t, NULL);
	show("left to me", word);
	T(futex(&word, UNLOCK, 0, NULL, NULL, 0));
	show("given up", word);
	word = 0;
}

/* By the library: it is robust, and shared with a child that is killed. */
static void
robust(void)
{
	pthread_mutex_t *m = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t at;
	int p[2], status, e;
	pid_t pid;
	char c;

	pthread_mutexattr_init(&at);
	pthread_mutexattr_setprotocol(&at, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&at, PTHREAD_PROCESS_SHARED);
	T(pthread_mutex_init(m, &at));
	T(pthread_mutex_lock(m));
	T(pthread_mutex_unlock(m));
	t_need(pipe(p) == 0, "pipe");
	if ((pid = fork()) == 0) {
		pthread_mutex_lock(m);
		t_need(write(p[1], "x", 1) == 1, "write");
		t_sleep_ms(30);
		raise(SIGKILL);
	}
	t_need(read(p[0], &c, 1) == 1, "read");
	e = pthread_mutex_lock(m);
	t_say("its owner died: %d", e == EOWNERDEAD);
	T(pthread_mutex_consistent(m));
	T(pthread_mutex_unlock(m));
	waitpid(pid, &status, 0);
	T(pthread_mutex_trylock(m));
	T(pthread_mutex_unlock(m));
	close(p[0]), close(p[1]);
}

static volatile sig_atomic_t handled;

static void
on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void *
interrupts(void *arg)
{
	(void)arg;
	lock(&word);
	ready = 1;
	T_UNTIL(waiter != 0);
	asleep(waiter);
	syscall(SYS_tkill, waiter, SIGUSR1);
	T_UNTIL(handled != 0);
	asleep(waiter);
	unlock(&word);
	return NULL;
}

static void
interrupted(void)
{
	pthread_t t;

	word = 0;
	ready = 0;
	waiter = 0;
	t_handle(SIGUSR1, on_signal, 0);
	t_need(pthread_create(&t, NULL, interrupts, NULL) == 0, "thread");
	T_UNTIL(ready);
	waiter = self();
	T(futex(&word, LOCK, 0, NULL, NULL, 0));
	pthread_join(t, NULL);
	t_say("handled %d", (int)handled);
	unlock(&word);
}

/* ---------------------------------------------------- from a condition to its lock -- */

static _Atomic int through;

static void *
waits(void *arg)
{
	long r;

	(void)arg;
	ready++;
	r = futex(&cond, WAIT_REQUEUE, 1, NULL, &word, 0);
	t_need(r == 0 && (word & TID) == self(), "requeued");
	through++;
	unlock(&word);
	return NULL;
}

static void *
waits_a_little(void *arg)
{
	struct timespec ts = in_ms(CLOCK_MONOTONIC, 20);

	(void)arg;
	T(futex(&cond, WAIT_REQUEUE, 7, &ts, &word, 0));
	T(futex(&cond, WAIT_REQUEUE, 1, &ts, &word, 0));
	T(futex(&cond, WAIT_REQUEUE, 1, &ts, &cond, 0));
	T(futex(&cond, WAIT_REQUEUE, 1, &ts, (void *)((char *)&word + 2), 0));
	return NULL;
}

static void
conditions(void)
{
	pthread_t t[4];
	long moved = 0;

	cond = 1;
	word = 0;
	ready = 0;
	in_thread(waits_a_little);
	T(futex(&cond, CMP_REQUEUE, 2, (void *)1, &word, 1));
	T(futex(&cond, CMP_REQUEUE, 1, (void *)1, &cond, 1));
	T(futex(&cond, CMP_REQUEUE, 1, (void *)1, &word, 2));
	T(futex(&cond, CMP_REQUEUE, 1, (void *)-1, &word, 1));
	T(futex(&cond, CMP_REQUEUE, 1, (void *)1, &word, 1));
	for (int i = 0; i < 4; i++)
		t_need(pthread_create(&t[i], NULL, waits, NULL) == 0, "thread");
	T_UNTIL(ready == 4);
	lock(&word);
	for (int i = 0; i < 4000 && moved < 4; i++) {
		moved += futex(&cond, CMP_REQUEUE, 1, (void *)3, &word, 1);
		t_sleep_ms(1);
	}
	t_say("moved %ld, through %d", moved, (int)through);
	show("mine", word);
	unlock(&word);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	t_say("through %d", (int)through);
	ready = 0;
	t_need(pthread_create(&t[0], NULL, waits, NULL) == 0, "thread");
	for (moved = 0; moved == 0; t_sleep_ms(1))
		moved = futex(&cond, CMP_REQUEUE, 1, NULL, &word, 1);
	pthread_join(t[0], NULL);
	t_say("to a free lock: moved %ld, through %d", moved, (int)through);
}

int
main(void)
{
	basics();
	crowd();
	circle();
	death();
	robust();
	interrupted();
	conditions();
	return 0;
}
