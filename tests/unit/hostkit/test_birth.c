/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that is born in a stub takes its role from registers fixed before
 * and puts its filter on before anything else can matter: under births beside
 * faults, with a busy neighbour on the host's CPUs, exactly one task of a stub
 * has the mapper's filter alone, and every other has the strict one too.
 * A stub whose end takes long holds up nobody but who waits for it.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

enum { CPUS = 4, ROUNDS = 150 };

GUEST(toucher, "1: movb $1, (%rdi); add $4096, %rdi; dec %ecx; jnz 1b; syscall");

static struct guest current;
static _Atomic long round_no;		/* CPUs above 0 enter `current` when it grows */
static _Atomic int inside;		/* how many of them have not finished the round */

static void
touch_all(uint32_t cpu)
{
	struct hk_frame f = current.g_frame;
	enum hk_stop stop;

	f.rdi = DATA_VA;
	f.rcx = DATA_PAGES;
	do {
		atomic_store(&machine_mailbox[cpu], 0);
		stop = hk_run(cpu, current.g_space, &f);
	} while (stop == HK_INTR);
	CHECK_EQ(stop, HK_SYSCALL);
}

static void
other_cpu(void *arg)
{
	uint32_t cpu = (uint32_t)(uintptr_t)arg;

	for (long seen = 0;;) {
		long now = atomic_load(&round_no);

		if (now < 0)
			hk_cpu_stop();
		if (now == seen) {
			sched_yield();
			continue;
		}
		seen = now;
		touch_all(cpu);
		atomic_fetch_sub(&inside, 1);
	}
}

/* How many filters the host says a task has; -1: it does not say. */
static int
filters_of(const char *task)
{
	char line[128];
	FILE *f = fopen(task, "r");
	int n = -1;

	CHECK(f != NULL);
	while (fgets(line, sizeof line, f) != NULL)
		sscanf(line, "Seccomp_filters: %d", &n);
	fclose(f);
	return n;
}

static void
tasks_are_right(long pid)
{
	char path[300];
	unsigned int mappers = 0, guests = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%ld/task", pid);
	d = opendir(path);
	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		int n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%ld/task/%s/status", pid, e->d_name);
		n = filters_of(path);
		CHECK(n == 1 || n == 2);
		mappers += n == 1;
		guests += n == 2;
	}
	closedir(d);
	CHECK_EQ(mappers, 1);
	CHECK_EQ(guests, CPUS);
}

static void
births_beside_faults(void)
{
	uint64_t brk = machine_brk;

	for (uintptr_t cpu = 1; cpu < CPUS; cpu++)
		CHECK_EQ(hk_cpu_start((uint32_t)cpu, &machine_mailbox[cpu], 0,
		    (uint64_t)(uintptr_t)machine_stack[cpu] + sizeof machine_stack[cpu], other_cpu, (void *)cpu), HK_OK);
	for (long i = 1; i <= times(ROUNDS); i++) {
		struct hk_space_rec *sp;

		machine_brk = brk;
		guest_make(&current, CODE(toucher));
		sp = hk_space_rec(current.g_space);
		atomic_store(&inside, CPUS - 1);
		atomic_store(&round_no, i);
		touch_all(0);
		while (atomic_load(&inside) > 0)
			sched_yield();
		tasks_are_right(atomic_load(&sp->sp_pid));
		hk_space_kill(sp);		/* not back to the pool: the next one is born too */
		hk_space_destroy(current.g_space);
	}
	atomic_store(&round_no, -1);
}

static void
one_mapper_in_every_stub(void **state)
{
	pid_t hog[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		hog[i] = fork();
		if (hog[i] == 0)
			for (;;)
				;
		assert_true(hog[i] > 0);
	}
	machine_run_with(&(struct hk_config){ .ncpu = CPUS, .ram_bytes = RAM_BYTES, .pool_low = 1, .pool_high = 1 },
	    births_beside_faults);
	for (int i = 0; i < 2; i++) {
		kill(hog[i], SIGKILL);
		waitpid(hog[i], NULL, 0);
	}
}

/* ------------------------------------------------------------- the pool -- */

static _Atomic int step;

static void
start_second(void (*fn)(void *), void *arg)
{
	uint64_t stack = (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1];

	CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0, stack, fn, arg), HK_OK);
}

static void
wait_for_step(int n)
{
	while (atomic_load(&step) != n)
		sched_yield();
}

/* CPU 1 has a space, gives it back, and wants one again. */
static void
second_cpu(void *arg)
{
	hk_space mine = *(hk_space *)arg, again;

	wait_for_step(1);
	hk_space_destroy(mine);
	atomic_store(&step, 2);
	wait_for_step(3);
	CHECK_EQ(hk_space_create(&again), HK_OK);
	atomic_store(&step, 4);
	CHECK_EQ(again, mine);
	hk_cpu_stop();
}

/* What the guests took is made up for, later: before it is, that one may be the newest of CPU 0's. */
static void
wait_for_refill(void)
{
	bool low;

	do {
		sched_yield();
		hk_lock(&hk_m.m_pool_lock);
		low = hk_m.m_npool < hk_m.m_pool_low;
		hk_unlock(&hk_m.m_pool_lock);
	} while (low);
}

static void
two_cpus_share_a_pool(void)
{
	static struct guest first, other;
	struct hk_space_rec *sp;
	hk_space again;
	bool ok;

	guest_make(&first, CODE(toucher));
	guest_make(&other, CODE(toucher));
	sp = hk_space_rec(other.g_space);
	hk_lock(&sp->sp_lock);
	ok = hk_slot_make(sp, 1);
	hk_unlock(&sp->sp_lock);
	CHECK(ok);
	start_second(second_cpu, &other.g_space);
	wait_for_refill();
	hk_space_destroy(first.g_space);
	atomic_store(&step, 1);
	wait_for_step(2);
	CHECK_EQ(hk_space_create(&again), HK_OK);
	atomic_store(&step, 3);
	wait_for_step(4);
	CHECK_EQ(again, first.g_space);			/* not the one given back last */
}

static void
a_cpu_gets_a_space_that_it_had(void **state)
{
	(void)state;
	machine_run_with(&(struct hk_config){ .ncpu = 2, .ram_bytes = RAM_BYTES }, two_cpus_share_a_pool);
}

/* --------------------------------------------------------------- death - */

static long (*real_call)(long, long, long, long, long, long, long);
static long slow_pid;

/* The host takes its time to end slow_pid: until step 2. */
static long
slow_end(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (nr == SYS_waitid && a1 == slow_pid && (a3 & WNOHANG) == 0 && atomic_load(&step) == 0) {
		atomic_store(&step, 1);
		wait_for_step(2);
	}
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

static void
ends_another(void *arg)
{
	wait_for_step(1);
	hk_space_destroy(*(hk_space *)arg);
	hk_spaces_reap();
	atomic_store(&step, 2);
	hk_cpu_stop();
}

static void
one_cpu_waits_for_an_end(void)
{
	struct guest slow, other;

	guest_make(&slow, CODE(toucher));
	guest_make(&other, CODE(toucher));
	slow_pid = atomic_load(&hk_space_rec(slow.g_space)->sp_pid);
	hk_space_kill(hk_space_rec(slow.g_space));	/* not back to the pool */
	hk_space_kill(hk_space_rec(other.g_space));
	start_second(ends_another, &other.g_space);
	hk_space_destroy(slow.g_space);
	CHECK_EQ(atomic_load(&step), 2);
}

static void
looks_for_the_dead(void *arg)
{
	(void)arg;
	while (atomic_load(&step) == 0)
		hk_spaces_reap();
	atomic_store(&step, 2);
	hk_cpu_stop();
}

/* One record gets one process after the other, and somebody looks at it all the time. */
static void
births_beside_a_reaper(void)
{
	start_second(looks_for_the_dead, NULL);
	for (long i = 0, n = times(2000); i < n; i++) {
		struct hk_space_rec *sp;
		hk_space space;

		CHECK_EQ(hk_space_create(&space), HK_OK);
		sp = hk_space_rec(space);
		CHECK(!atomic_load(&sp->sp_dead) && atomic_load(&sp->sp_pid) > 0);
		hk_space_kill(sp);
		hk_space_destroy(space);
	}
	atomic_store(&step, 1);
	wait_for_step(2);
}

static void
the_just_born_are_not_dead(void **state)
{
	(void)state;
	atomic_store(&step, 0);
	machine_run_with(&(struct hk_config){ .ncpu = 2, .ram_bytes = RAM_BYTES, .pool_low = 1, .pool_high = 1 },
	    births_beside_a_reaper);
}

static void
a_slow_end_holds_up_nobody_else(void **state)
{
	(void)state;
	atomic_store(&step, 0);
	real_call = hk_sysops.call;
	hk_sysops.call = slow_end;
	machine_run_with(&(struct hk_config){ .ncpu = 2, .ram_bytes = RAM_BYTES }, one_cpu_waits_for_an_end);
	hk_sysops.call = real_call;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_end_holds_up_nobody_else),
		cmocka_unit_test(the_just_born_are_not_dead),
		cmocka_unit_test(a_cpu_gets_a_space_that_it_had),
		cmocka_unit_test(one_mapper_in_every_stub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
