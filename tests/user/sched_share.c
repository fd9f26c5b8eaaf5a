/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How CPUs are shared: equals get equal parts of one CPU, nice ones less, all
 * get something however many there are; threads that are sent from CPU to CPU lose
 * nothing.  Measured in each one's own CPU time, which on a virtual kernel has in it
 * what a busy host took away: so what is asked is far from what is expected.
 */
#include "t.h"
#include <pthread.h>
#include <sched.h>

#define MANY	1000
#define ROAMERS	16
#define ROAMS	200

struct board {
	_Atomic int	ready;
	volatile int	start, stop;
	volatile long	ms[8];
};
static struct board *board;

static long
own_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Use CPU time until somebody has had `until` ms. */
static void
compete(int me, long until)
{
	board->ready++;
	while (!board->start)
		t_sleep_ms(1);
	while (!board->stop) {
		for (volatile int i = 0; i < 20000; i++)
			;
		board->ms[me] = own_ms();
		if (board->ms[me] >= until)
			board->stop = 1;
	}
	_exit(0);
}

/* n children on one CPU, the last with this nice value: their times are on the board. */
static void
race(int n, int nice_of_last, long until)
{
	cpu_set_t first;

	memset((void *)board, 0, sizeof *board);
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			CPU_ZERO(&first);
			CPU_SET(0, &first);
			t_need(sched_setaffinity(0, sizeof first, &first) == 0, "setaffinity");
			if (i == n - 1 && nice_of_last != 0)
				t_need(setpriority(PRIO_PROCESS, 0, nice_of_last) == 0, "setpriority");
			compete(i, until);
		}
	T_UNTIL(board->ready == n);
	board->start = 1;
	for (int i = 0; i < n; i++)
		wait(NULL);
}

static void
shares(void)
{
	long least;

	race(4, 0, 600);
	least = board->ms[0];
	for (int i = 1; i < 4; i++)
		least = board->ms[i] < least ? board->ms[i] : least;
	t_say("the least of four has a third of the most: %s", least >= 200 ? "yes" : "no");
	race(2, 10, 1000);			/* a tenth is expected */
	t_say("nice 10 beside 0: %s", board->ms[1] > 0 && board->ms[1] < board->ms[0] ? "less" : "otherwise");
}

/* One that has run alone for long is not displaced for long by a newcomer. */
static void
newcomer(void)
{
	cpu_set_t first;
	long before, had;
	int pid;

	memset((void *)board, 0, sizeof *board);
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	t_need(sched_setaffinity(0, sizeof first, &first) == 0, "setaffinity");
	pid = fork();
	if (pid == 0) {
		t_sleep_ms(400);
		board->start = 1;
		compete(0, 150);
	}
	while (!board->start)
		own_ms();
	before = own_ms();
	while (!board->stop)
		own_ms();
	had = own_ms() - before;
	wait(NULL);
	t_say("while the newcomer had 150 ms, the other one had %s", had >= 40 ? "its part" : "too little");
}

static pthread_barrier_t gate;
static int sum;

static void *
one_of_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		sched_yield();
		__atomic_fetch_add(&sum, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
many(void)
{
	static pthread_t t[MANY];
	pthread_attr_t small;
	int made = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	for (int i = 0; i < MANY; i++)
		made += pthread_create(&t[i], &small, one_of_many, NULL) == 0;
	for (int i = 0; i < made; i++)
		pthread_join(t[i], NULL);
	t_say("%d threads, %d turns", made, sum);
}

static void *
roam(void *arg)
{
	const cpu_set_t *all = arg;
	uint64_t seed = (uint64_t)(uintptr_t)&seed;
	long wrong = 0;

	pthread_barrier_wait(&gate);
	for (int i = 0; i < ROAMS; i++) {
		cpu_set_t set;
		size_t cpu;

		do
			cpu = t_rand(&seed) % 64;
		while (!CPU_ISSET(cpu, all));
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		wrong += sched_setaffinity(0, sizeof set, &set) != 0;
		wrong += sched_getcpu() != (int)cpu;
		if (i % 8 == 0)
			sched_yield();
	}
	return (void *)wrong;
}

static void
storm(void)
{
	pthread_t t[ROAMERS];
	cpu_set_t all;
	long wrong = 0;
	void *r;

	t_need(sched_getaffinity(0, sizeof all, &all) == 0, "getaffinity");
	pthread_barrier_init(&gate, NULL, ROAMERS);
	for (int i = 0; i < ROAMERS; i++)
		t_need(pthread_create(&t[i], NULL, roam, &all) == 0, "pthread_create");
	for (int i = 0; i < ROAMERS; i++) {
		pthread_join(t[i], &r);
		wrong += (long)r;
	}
	t_say("wrong places: %ld", wrong);
}

int
main(void)
{
	board = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_need(board != MAP_FAILED, "mmap");
	storm();
	many();
	shares();
	newcomer();
	return 0;
}
