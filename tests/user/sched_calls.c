/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduling calls: policies, affinity, priorities, by number of processors as the mask tells it. */
#include "t.h"
#include <sched.h>

#define POLICY_IDLE	5
#define RESET_ON_FORK	0x40000000
#define NOBODY		0x3fffffff

static void
policies(void)
{
	struct sched_param zero = { 0 }, one = { .sched_priority = 1 };
	int set, got;

	T_SYS(sched_getscheduler, 0);
	T_SYS(sched_getscheduler, -1);
	T_SYS(sched_getscheduler, NOBODY);
	T_SYS(sched_setscheduler, 0, SCHED_BATCH, &zero);
	T_SYS(sched_getscheduler, 0);
	if (t_child("a child keeps the policy") == 0)
		_exit((int)syscall(SYS_sched_getscheduler, 0));
	T_SYS(sched_setscheduler, 0, SCHED_BATCH, &one);
	T_SYS(sched_setscheduler, 0, 77, &zero);
	T_SYS(sched_setscheduler, 0, SCHED_OTHER, NULL);
	T_SYS(sched_setscheduler, NOBODY, SCHED_OTHER, &zero);
	T_SYS(sched_setscheduler, 0, SCHED_RR, &zero);
	T_SYS(sched_setscheduler, 0, POLICY_IDLE, &zero);
	T_SYS(sched_getscheduler, 0);
	set = SCHED_OTHER | RESET_ON_FORK;
	T_SYS(sched_setscheduler, 0, set, &zero);
	got = (int)syscall(SYS_sched_getscheduler, 0);
	t_say("reset on fork: %s", got == set ? "kept" : "lost");
	if (t_child("a child does not reset again") == 0)
		_exit((int)syscall(SYS_sched_getscheduler, 0));
	T_SYS(sched_setscheduler, 0, SCHED_OTHER, &zero);
	T_SYS(sched_getparam, 0, &one);
	t_say("priority %d", one.sched_priority);
	T_SYS(sched_getparam, NOBODY, &one);
	T_SYS(sched_setparam, 0, &zero);
}

static void
affinity_errors(void)
{
	cpu_set_t none;

	CPU_ZERO(&none);
	T_SYS(sched_setaffinity, 0, sizeof none, &none);
	T_SYS(sched_setaffinity, NOBODY, sizeof none, &none);
	T_SYS(sched_setaffinity, -1, sizeof none, &none);
	T_SYS(sched_setaffinity, 0, sizeof none, (void *)8);
	T_SYS(sched_setaffinity, 0, 0, &none);
	T_SYS(sched_getaffinity, 0, 0, &none);
	T_SYS(sched_getaffinity, 0, 12, &none);
	T_SYS(sched_getaffinity, NOBODY, sizeof none, &none);
	T_SYS(sched_getaffinity, 0, sizeof none, (void *)8);
}

static int
only(int pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(pid, sizeof set, &set);
}

static int
is_only(int cpu)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set);
}

/* Round and round over all that we have, and look where we are. */
static void
everywhere(const cpu_set_t *all)
{
	int wrong = 0, masks = 0;

	for (int round = 0; round < 50; round++)
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET((size_t)cpu, all))
				continue;
			if (only(0, cpu) != 0)
				wrong += 1000;
			wrong += sched_getcpu() != cpu;
			masks += !is_only(cpu);
		}
	t_say("elsewhere: %d, other masks: %d", wrong, masks);
}

static void
inherited(int cpu)
{
	T(only(0, cpu));
	if (t_child("a child stays with the parent's mask") == 0)
		_exit(is_only(cpu) && sched_getcpu() == cpu ? 0 : 1);
}

/* A child that only computes is chased from CPU to CPU, and says where it has been. */
static void
chased(const cpu_set_t *all)
{
	volatile int *at = (volatile int *)(void *)mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pid, missed = 0, status;

	t_need(at != MAP_FAILED, "mmap");
	*at = -1;
	pid = fork();
	if (pid == 0)
		for (;;)
			*at = sched_getcpu();
	for (int round = 0; round < 5; round++)
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			int64_t end = t_now_ms() + 5000;

			if (!CPU_ISSET((size_t)cpu, all))
				continue;
			t_need(only(pid, cpu) == 0, "setaffinity of a child");
			while (*at != cpu && t_now_ms() < end)
				t_sleep_ms(1);
			missed += *at != cpu;
		}
	t_say("not caught: %d", missed);
	kill(pid, SIGKILL);
	T_OK(waitpid(pid, &status, 0));
	t_status("chased", status);
}

int
main(void)
{
	cpu_set_t all;

	t_need(sched_getaffinity(0, sizeof all, &all) == 0, "getaffinity");
	policies();
	affinity_errors();
	everywhere(&all);
	inherited(0);
	T(sched_setaffinity(0, sizeof all, &all));
	chased(&all);
	T(sched_yield());
	return 0;
}
