/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's thread that the host does not run, for as long as the host likes,
 * has done nothing wrong.  Here it is traced.
 */
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "hk_int.h"
#include "machine.h"

/*
 * One of two threads of a space is not run and so does not answer its kick.
 * The other computes, which is no fault of the first one's.
 */
GUEST(computes, "1: jmp 1b");

static struct guest pair;
static _Atomic uint32_t other_runs;

static void
other_computes(void *unused)
{
	struct hk_frame f = pair.g_frame;

	(void)unused;
	atomic_store(&other_runs, 1);
	CHECK_EQ(hk_run(1, pair.g_space, &f), HK_INTR);
	hk_cpu_stop();
}

static void
traces_first(void *unused)
{
	const struct hk_space_rec *sp = hk_m.m_space[pair.g_space];
	pid_t tid;
	int status;
	uint64_t t0;

	(void)unused;
	while (atomic_load(&other_runs) == 0 || (tid = sp->sp_slot[0].sl_tid) == 0 ||
	    hk_space_time(pair.g_space) < 20000000)
		usleep(1000);
	CHECK_EQ(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	CHECK_EQ(waitpid(tid, &status, __WALL), tid);
	hk_post(0, HK_BIT_USER);
	t0 = hk_space_time(pair.g_space);
	while (hk_space_time(pair.g_space) - t0 < 1500000000)
		usleep(10000);
	CHECK_EQ(ptrace(PTRACE_DETACH, tid, 0, 0), 0);
	hk_cpu_stop();
}

static void
late_to_answer(void)
{
	guest_make(&pair, CODE(computes));
	atomic_store(&other_runs, 0);
	CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0,
	    (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1], other_computes, NULL), HK_OK);
	CHECK_EQ(hk_cpu_start(2, &machine_mailbox[2], 0,
	    (uint64_t)(uintptr_t)machine_stack[2] + sizeof machine_stack[2], traces_first, NULL), HK_OK);
	CHECK_EQ(hk_run(0, pair.g_space, &pair.g_frame), HK_INTR);
	hk_post(1, HK_BIT_USER);
	usleep(200000);
	hk_space_destroy(pair.g_space);
}

/* A thread is late when its space is emptied: the space is good for the next guest all the same. */
GUEST(leaves, "syscall");

#define LATE_S	11u

static _Atomic uint32_t parked, held;

static void
holds_parked(void *unused)
{
	int status;
	pid_t tid;

	(void)unused;
	while (atomic_load(&parked) == 0)
		usleep(1000);
	tid = hk_m.m_space[pair.g_space]->sp_slot[0].sl_tid;
	CHECK_EQ(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	CHECK_EQ(waitpid(tid, &status, __WALL), tid);
	atomic_store(&held, 1);
	sleep(LATE_S);
	CHECK_EQ(ptrace(PTRACE_DETACH, tid, 0, 0), 0);
	hk_cpu_stop();
}

static void
late_to_be_emptied(void)
{
	const uint64_t killed = atomic_load(&hk_m.n_killed);

	guest_make(&pair, CODE(leaves));
	CHECK_EQ(guest_run(&pair), HK_SYSCALL);
	CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0,
	    (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1], holds_parked, NULL), HK_OK);
	atomic_store(&parked, 1);
	while (atomic_load(&held) == 0)
		usleep(1000);
	hk_space_destroy(pair.g_space);
	CHECK_EQ(atomic_load(&hk_m.n_killed), killed);
}

/* ---------------------------------------------------- the judge himself */

/* Looks, 100 ms apart, until he is guilty who is in this state and uses so much in each.  0: never. */
static uint32_t
looks_until_guilty(char state, uint64_t used_ms, uint64_t at_once_ms)
{
	struct hk_suspect q = { .q_seen = false };
	uint64_t cpu_ns = 5000000000u;

	for (uint32_t i = 1; i <= 1000; i++) {
		if (hk_suspect_count(&q, state, cpu_ns, 100000000))
			return i;
		cpu_ns += used_ms * 1000000 + (i == 7 ? at_once_ms * 1000000 : 0);
	}
	return 0;
}

static void
test_what_counts(void **s)
{
	(void)s;
	assert_int_equal(looks_until_guilty('R', 0, 0), 0);		/* waits for a host CPU */
	assert_int_equal(looks_until_guilty('R', 0, 60000), 0);		/* its clock jumped */
	assert_int_equal(looks_until_guilty('R', 100, 0), 4);		/* computes */
	assert_int_equal(looks_until_guilty('R', 10, 0), 31);
	assert_int_equal(looks_until_guilty('S', 0, 0), 51);		/* sleeps: 5 s */
	assert_int_equal(looks_until_guilty('t', 0, 0), 0);		/* is traced, or stopped */
}

static void test_late_to_answer(void **s) { (void)s; machine_run_cpus(3, late_to_answer); }
static void test_late_to_be_emptied(void **s) { (void)s; machine_run_cpus(2, late_to_be_emptied); }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_counts),
		cmocka_unit_test(test_late_to_answer),
		cmocka_unit_test(test_late_to_be_emptied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
