/* SPDX-License-Identifier: BSD-2-Clause */
/* membarrier - one side's fence serves both: of two who each write and then look, at least one sees the other. */
#include "t.h"
#include <pthread.h>
#include <sched.h>

#define ROUNDS	400

static volatile int x, y, saw_x, saw_y;
static _Atomic int round_no, done;

static void *
fast(void *arg)
{
	for (int i = 1; i <= ROUNDS; i++) {
		while (round_no != i)
			sched_yield();
		x = 1;
		__asm__ volatile("" ::: "memory");
		saw_y = y;
		done++;
	}
	return arg;
}

int
main(void)
{
	int both_blind = 0;
	pthread_t t;

	t_say("known: %ld", syscall(SYS_membarrier, 0, 0, 0) & (1 | 8 | 16));
	T_SYS(membarrier, 8, 0, 0);
	T_SYS(membarrier, 8, 77, 0);
	T_SYS(membarrier, 1 << 20, 0, 0);
	T_SYS(membarrier, 16, 0, 0);
	T_SYS(membarrier, 1, 0, 0);
	pthread_create(&t, NULL, fast, NULL);
	for (int i = 1; i <= ROUNDS; i++) {
		x = y = done = 0;
		round_no = i;
		y = 1;
		both_blind -= syscall(SYS_membarrier, 8, 0, 0) != 0;
		saw_x = x;
		while (done == 0)
			sched_yield();
		both_blind += saw_x == 0 && saw_y == 0;
	}
	pthread_join(t, NULL);
	t_say("neither saw the other: %d", both_blind);
	if (t_child("fork keeps the registration") == 0)
		_exit(syscall(SYS_membarrier, 8, 0, 0) == 0 ? 0 : errno);
	return 0;
}
