/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placing: lists of CPUs, what the host's figures say, and where to go
 */
#include "machine.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "hk_int.h"
#include "place.h"

static void
lists_of_cpus_are_read_or_refused(void **state)
{
	static const struct { const char *text; uint32_t count, has, has_not; } good[] = {
		{ "0", 1, 0, 1 }, { "0-3,6", 5, 6, 5 }, { "1023", 1, 1023, 0 }, { "5-5", 1, 5, 4 },
		{ "2,2,2", 1, 2, 3 }, { "0-1023", 1024, 512, 1024 },
	};
	static const char *const bad[] = {
		"", ",", "1,", ",1", "-1", "1-", "3-1", "1024", "0-1024", "a", "1 2", "1--2", "0x1", "99999999999999999999",
	};
	struct hk_cpuset s;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(hk_cpuset_parse(good[i].text, &s));
		assert_int_equal(hk_cpuset_count(&s), good[i].count);
		assert_true(hk_cpuset_has(&s, good[i].has));
		assert_false(hk_cpuset_has(&s, good[i].has_not));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(hk_cpuset_parse(bad[i], &s));
}

static void
each_cpu_takes_a_place_of_its_own_while_there_is_one(void **state)
{
	static uint16_t used[HK_HOSTCPU_MAX];
	struct hk_cpuset s;

	(void)state;
	assert_true(hk_cpuset_parse("1,3-4", &s));
	assert_int_equal(hk_place_choose(&s, used, 3), 3);
	assert_int_equal(hk_place_choose(&s, used, 5), 1);	/* in a circle */
	used[1] = 1;
	assert_int_equal(hk_place_choose(&s, used, 0), 3);
	used[3] = used[4] = 1;
	assert_int_equal(hk_place_choose(&s, used, 4), 4);	/* all taken: shared evenly */
	used[4] = 2;
	assert_int_equal(hk_place_choose(&s, used, 4), 1);
	memset(&s, 0, sizeof s);
	assert_int_equal(hk_place_choose(&s, used, 0), HK_HOSTCPU_MAX);
}

static void
the_hosts_figures_are_read(void **state)
{
	static const char stat[] = "cpu  10 20 30 40 50\ncpu0 1 2 3 44 5 0\ncpu7 1 2 3 77 5\ncpu9999 1 2 3 4\nintr 5 cpu1\n";
	static uint64_t idle[HK_HOSTCPU_MAX];
	struct hk_place_times t = { 0, 0 };

	(void)state;
	assert_int_equal(hk_place_parse_idle(stat, sizeof stat - 1, idle), 2);
	assert_int_equal(idle[0], 44);
	assert_int_equal(idle[7], 77);
	for (size_t n = 0; n < sizeof stat; n++)	/* cut anywhere */
		hk_place_parse_idle(stat, n, idle);
	assert_true(hk_place_parse_times("123 4567890123 9\n", 17, &t));
	assert_int_equal(t.pt_run_ns, 123);
	assert_int_equal(t.pt_wait_ns, 4567890123);
	assert_false(hk_place_parse_times("123", 3, &t));
	assert_false(hk_place_parse_times("", 0, &t));
}

static void
only_time_that_a_rival_had_is_lost(void **state)
{
	(void)state;
	/* Alone: the guest waits until the CPU's thread sleeps, but nothing is lost. */
	assert_int_equal(hk_place_loss(1000, 0, &(struct hk_place_times){ 1000, 400 }), 0);
	/* Idle, or blocked in the host: nobody was runnable. */
	assert_int_equal(hk_place_loss(1000, 900, &(struct hk_place_times){ 50, 3 }), 0);
	assert_int_equal(hk_place_loss(1000, 0, &(struct hk_place_times){ 100, 10 }), 1);
	/* A rival has half. */
	assert_int_equal(hk_place_loss(1000, 0, &(struct hk_place_times){ 500, 700 }), 50);
	assert_int_equal(hk_place_loss(1000, 500, &(struct hk_place_times){ 250, 250 }), 25);
	assert_int_equal(hk_place_loss(0, 0, &(struct hk_place_times){ 0, 0 }), 0);
}

static void
an_idle_place_that_is_nobodys_is_better(void **state)
{
	static uint16_t used[HK_HOSTCPU_MAX];
	static uint32_t idle[HK_HOSTCPU_MAX];
	struct hk_cpuset s;

	(void)state;
	assert_true(hk_cpuset_parse("0-3", &s));
	idle[0] = idle[4] = 100;
	idle[1] = 60;
	idle[2] = 80;
	idle[3] = 49;
	assert_int_equal(hk_place_idlest(&s, used, idle, 0), 2);
	used[2] = 1;
	assert_int_equal(hk_place_idlest(&s, used, idle, 0), 1);
	used[1] = 1;
	assert_int_equal(hk_place_idlest(&s, used, idle, 0), HK_HOSTCPU_MAX);
}

static void
only_more_than_a_fair_share_of_company_is_overfull(void **state)
{
	(void)state;
	assert_false(hk_place_is_overfull(50, 8, 4));	/* two on each of four */
	assert_true(hk_place_is_overfull(67, 8, 4));	/* three here */
	assert_false(hk_place_is_overfull(67, 12, 4));
	assert_true(hk_place_is_overfull(50, 1, 4));
	assert_true(hk_place_is_overfull(100, 8, 4));
	assert_false(hk_place_is_overfull(100, 8, 0));
}

/* The slice of a thread, whose niceness must be ours. */
static uint64_t
slice_of(int32_t tid)
{
	uint64_t attr[6];	/* struct sched_attr; [2] has the niceness below, [3] the slice */

	CHECK_EQ(syscall(SYS_sched_getattr, tid, attr, sizeof attr, 0), 0);
	CHECK_EQ((int32_t)attr[2], getpriority(PRIO_PROCESS, 0));
	return attr[3];
}

GUEST(call, "syscall");

static void
look_at_slices(void)
{
	const uint64_t usual = slice_of(getpid());
	struct hk_space_rec *sp;
	struct guest g;

	guest_make(&g, CODE(call));
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	sp = hk_space_rec(g.g_space);
	CHECK_EQ(slice_of(sp->sp_slot[0].sl_tid), usual);
	if (usual == 0)
		return;		/* a host whose slices cannot be chosen */
	CHECK(slice_of(0) < usual);
	CHECK(slice_of(atomic_load(&sp->sp_pid)) < usual);
}

static void
who_answers_goes_before_who_asks(void **state)
{
	(void)state;
	assert_int_equal(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1), 0);	/* 19 at most, says the host */
	machine_run(look_at_slices);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_cpus_are_read_or_refused),
		cmocka_unit_test(each_cpu_takes_a_place_of_its_own_while_there_is_one),
		cmocka_unit_test(the_hosts_figures_are_read),
		cmocka_unit_test(only_time_that_a_rival_had_is_lost),
		cmocka_unit_test(an_idle_place_that_is_nobodys_is_better),
		cmocka_unit_test(only_more_than_a_fair_share_of_company_is_overfull),
		cmocka_unit_test(who_answers_goes_before_who_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
