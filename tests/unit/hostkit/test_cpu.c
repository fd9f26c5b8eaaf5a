/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs: mailboxes, idling, timers, traps, start and stop, and signals
 */
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

#define BIT(i)	(HK_BIT_USER << (i))

static uint32_t
take(uint32_t cpu)
{
	return atomic_exchange(&machine_mailbox[cpu], 0);
}

static uint32_t
wait_mail(uint32_t cpu)
{
	uint32_t bits;

	while ((bits = take(cpu)) == 0)
		hk_idle(cpu);
	return bits;
}

static void
start(uint32_t cpu, void (*entry)(void *), void *arg)
{
	CHECK_EQ(hk_cpu_start(cpu, &machine_mailbox[cpu], 0,
	    (uint64_t)(uintptr_t)machine_stack[cpu] + sizeof machine_stack[cpu], entry, arg), HK_OK);
}

/* ------------------------------------------------------------- mailbox -- */

#define POSTERS	3
static _Atomic long answered[POSTERS];

/* One bit each; the next post waits for the answer to the last, so that a lost wake-up hangs for ever. */
static void *
poster(void *arg)
{
	long me = (long)(intptr_t)arg, n = times(20000);

	for (long i = 1; i <= n; i++) {
		hk_post(0, BIT(me));
		for (unsigned int spin = 0; atomic_load(&answered[me]) < i;)
			if (++spin % 64 == 0)
				sched_yield();
	}
	return NULL;
}

static void
storm(void)
{
	pthread_t t[POSTERS];
	long left = POSTERS * times(20000);

	for (long i = 0; i < POSTERS; i++) {
		atomic_store(&answered[i], 0);
		CHECK_EQ(pthread_create(&t[i], NULL, poster, (void *)(intptr_t)i), 0);
	}
	while (left > 0) {
		uint32_t bits = wait_mail(0);

		for (int i = 0; i < POSTERS; i++)
			if ((bits & BIT(i)) != 0) {
				atomic_fetch_add(&answered[i], 1);
				left--;
			}
	}
	for (int i = 0; i < POSTERS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}

static void
no_post_is_lost_by_a_cpu_that_falls_asleep(void **state)
{
	(void)state;
	machine_run(storm);
}

static void
early_body(void)
{
	CHECK_EQ(wait_mail(0), BIT(1) | BIT(3));
}

static void
a_post_before_the_start_is_kept(void **state)
{
	struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES };
	void *arg;
	void (*body)(void) = early_body;

	(void)state;
	memcpy(&arg, &body, sizeof arg);
	atomic_store(&machine_mailbox[0], 0);
	assert_int_equal(hk_init(&cfg), HK_OK);
	hk_post(0, BIT(1));
	hk_post(0, BIT(3));
	hk_post(HK_CPU_MAX, BIT(1));		/* nobody */
	start(0, machine_entry, arg);
	assert_int_equal(hk_serve(), 0);
	hk_fini();
}

static void
echo(void *arg)
{
	long n = (long)(intptr_t)arg;

	for (long i = 0; i < n; i++) {
		CHECK_EQ(wait_mail(1), BIT(0));
		hk_post(0, BIT(0));
	}
	hk_cpu_stop();
}

static void
pingpong(void)
{
	long n = times(5000);

	start(1, echo, (void *)(intptr_t)n);
	for (long i = 0; i < n; i++) {
		hk_post(1, BIT(0));
		CHECK_EQ(wait_mail(0), BIT(0));
	}
}

static void
two_cpus_wake_each_other(void **state)
{
	(void)state;
	machine_run_cpus(2, pingpong);
}

/* --------------------------------------------------------------- timer -- */

static void
timers(void)
{
	uint64_t at, now, late_max = 0;

	for (long i = 0; i < times(300); i++) {
		at = hk_clock_mono() + 20000 + (uint64_t)i * 700 % 200000;
		hk_timer(0, at);
		CHECK_EQ(wait_mail(0), HK_BIT_TIMER);
		now = hk_clock_mono();
		CHECK(now >= at);
		late_max = now - at > late_max ? now - at : late_max;
	}
	CHECK(late_max < 2000000000u);

	/* Moved later: not before the new time.  Moved earlier: not only at the old one.  Never: not at all. */
	at = hk_clock_mono();
	hk_timer(0, at + 1000000);
	hk_timer(0, at + 30000000);
	CHECK_EQ(wait_mail(0), HK_BIT_TIMER);
	CHECK(hk_clock_mono() >= at + 30000000);
	hk_timer(0, hk_clock_mono() + 3600000000000ull);
	hk_timer(0, hk_clock_mono() + 1000000);
	CHECK_EQ(wait_mail(0), HK_BIT_TIMER);
	hk_timer(0, hk_clock_mono() + 1000000);
	hk_timer(0, UINT64_MAX);
	for (at = hk_clock_mono() + 20000000; hk_clock_mono() < at;)
		CHECK_EQ(take(0), 0);
	hk_timer(0, 0);				/* long past */
	CHECK_EQ(wait_mail(0), HK_BIT_TIMER);
	hk_timer(0, 1);
	CHECK_EQ(wait_mail(0), HK_BIT_TIMER);
}

static void
a_timer_is_never_early_and_never_lost(void **state)
{
	(void)state;
	machine_run(timers);
}

/* The deadline moves while it fires: whatever happens, the last one comes. */
static void
timer_races(void)
{
	for (long i = 0; i < times(3000); i++) {
		uint64_t now = hk_clock_mono(), last;

		hk_timer(0, now + 5000 + (uint64_t)i % 3000);
		while (hk_clock_mono() < now + 4000 + (uint64_t)i % 5000)
			continue;
		last = hk_clock_mono() + (i % 2 == 0 ? 3000 : 40000);
		hk_timer(0, last);
		do {
			CHECK_EQ(wait_mail(0), HK_BIT_TIMER);
		} while (hk_clock_mono() < last);
		/* If that was the first one's bit, the second's is still to come. */
		hk_timer(0, UINT64_MAX);
		take(0);
	}
}

static void
a_deadline_may_move_while_it_passes(void **state)
{
	(void)state;
	machine_run(timer_races);
}

GUEST(spin, "1: jmp 1b");

static void
preempt(void)
{
	struct guest g;

	guest_make(&g, CODE(spin));
	for (long i = 0; i < times(200); i++) {
		take(0);
		hk_timer(0, hk_clock_mono() + 200000 + (uint64_t)i % 50 * 1000);
		do {
			CHECK_EQ(hk_run(0, g.g_space, &g.g_frame), HK_INTR);
		} while ((take(0) & HK_BIT_TIMER) == 0);
		CHECK_EQ(g.g_frame.rip, CODE_VA);
	}
	hk_space_destroy(g.g_space);
}

static void
a_timer_stops_a_guest(void **state)
{
	(void)state;
	machine_run(preempt);
}

static void *
post_later(void *arg)
{
	for (long i = 0; i < (long)(intptr_t)arg; i++) {
		usleep((useconds_t)(i % 7 * 100));
		hk_post(0, BIT(2));
		while ((atomic_load(&machine_mailbox[0]) & BIT(2)) != 0)
			sched_yield();
	}
	return NULL;
}

static void
posted_guest(void)
{
	struct guest g;
	long n = times(300), got = 0;
	pthread_t t;

	guest_make(&g, CODE(spin));
	CHECK_EQ(pthread_create(&t, NULL, post_later, (void *)(intptr_t)n), 0);
	while (got < n) {
		CHECK_EQ(hk_run(0, g.g_space, &g.g_frame), HK_INTR);
		got += (take(0) & BIT(2)) != 0;
	}
	CHECK_EQ(pthread_join(t, NULL), 0);
	hk_space_destroy(g.g_space);
}

static void
a_post_stops_a_guest(void **state)
{
	(void)state;
	machine_run(posted_guest);
}

/* ---------------------------------------------------------- start, stop -- */

static uint64_t gs_word = 0x1234567;

static void
look_at_gs(void *arg)
{
	uint64_t gs, sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	__asm__ volatile("mov %%gs:0, %0" : "=r" (gs));
	CHECK_EQ(gs, gs_word);
	CHECK(sp >= (uint64_t)(uintptr_t)machine_stack[1] &&
	    sp < (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1]);
	CHECK(arg == &gs_word);
	hk_post(0, BIT(5));
	hk_cpu_stop();
}

static void
restart(void)
{
	uint64_t top = (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1];

	CHECK_EQ(hk_cpu_start(2, &machine_mailbox[1], 0, top, look_at_gs, NULL), HK_INVAL);
	CHECK_EQ(hk_cpu_start(0, &machine_mailbox[0], 0, top, look_at_gs, NULL), HK_INVAL);	/* runs already */
	for (int i = 0; i < 50; i++) {
		hk_result r;

		do
			r = hk_cpu_start(1, &machine_mailbox[1], (uint64_t)(uintptr_t)&gs_word, top, look_at_gs, &gs_word);
		while (r == HK_INVAL);		/* still stopping */
		CHECK_EQ(r, HK_OK);
		CHECK_EQ(wait_mail(0), BIT(5));
	}
}

static void
a_cpu_starts_on_its_stack_stops_and_starts_again(void **state)
{
	(void)state;
	machine_run_cpus(2, restart);
}

/* --------------------------------------------------------------- traps -- */

static void
on_trap(const struct hk_trap *t)
{
	CHECK_EQ(t->signo, SIGSEGV);
	CHECK_EQ(t->trapno, 14);
	CHECK_EQ(t->addr, 0x123000);
	CHECK_EQ(t->err, 6);			/* write, user, not present */
	hk_exit(0);
}

static void
trap_body(void)
{
	hk_on_trap(on_trap);
	*(int volatile *)(uintptr_t)0x123000 = 1;
	CHECK(false);
}

static void
a_fault_on_a_cpu_reaches_the_handler(void **state)
{
	(void)state;
	machine_run(trap_body);
}

static void
nested_trap(const struct hk_trap *t)
{
	(void)t;
	*(int volatile *)(uintptr_t)0x123000 = 1;
}

static void
nested_body(void)
{
	hk_on_trap(nested_trap);
	*(int volatile *)(uintptr_t)0x123000 = 1;
}

static void
a_fault_in_the_handler_ends_the_process_by_its_signal(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		machine_run(nested_body);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* ---------------------------------------------------------------- stuck -- */

static _Atomic uint32_t stuck_told;

static void
on_stuck(const struct hk_trap *t)
{
	CHECK(t->rip != 0 && t->rsp != 0);
	atomic_fetch_add(&stuck_told, 1);
}

/* Until it is told; then it answers, and does it again. */
static void
stuck_body(void)
{
	hk_on_stuck(on_stuck);
	for (uint32_t n = 1; n <= 2; n++) {
		while (atomic_load(&stuck_told) < n)
			continue;
		CHECK((take(0) & HK_BIT_BEAT) != 0);
		usleep(300000);			/* a heartbeat that finds it taken */
		CHECK_EQ(atomic_load(&stuck_told), n);
	}
	hk_on_stuck(NULL);
	hk_exit(0);
}

static void
a_cpu_that_does_not_empty_its_mailbox_is_told_of_once_each_time(void **state)
{
	(void)state;
	machine_run(stuck_body);
}

/* -------------------------------------------------------------- signals -- */

static void
signals(void)
{
	static const struct { int signo; uint32_t bit; } sent[] = {
		{ SIGTERM, HK_SIG_TERM }, { SIGINT, HK_SIG_INT }, { SIGHUP, HK_SIG_HUP },
		{ SIGQUIT, HK_SIG_QUIT }, { SIGWINCH, HK_SIG_WINCH }, { SIGCONT, HK_SIG_WINCH },
	};

	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
		CHECK_EQ(hk_signals(), 0);
		CHECK_EQ(kill(getpid(), sent[i].signo), 0);
		CHECK((wait_mail(0) & HK_BIT_SIGNAL) != 0);
		CHECK_EQ(hk_signals(), sent[i].bit);
	}
	take(0);
	CHECK_EQ(kill(getpid(), SIGPIPE), 0);
	CHECK_EQ(kill(getpid(), SIGURG), 0);	/* the timer's, from a stranger */
	CHECK_EQ(kill(getpid(), SIGCHLD), 0);
	usleep(20000);
	CHECK_EQ(hk_signals(), 0);
}

static void
host_signals_become_bits(void **state)
{
	(void)state;
	machine_run(signals);
}

static void
exit_with_42(void)
{
	hk_exit(42);
}

static void
hk_serve_returns_what_hk_exit_was_given(void **state)
{
	struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES };
	void (*body)(void) = exit_with_42;
	void *arg;

	(void)state;
	memcpy(&arg, &body, sizeof arg);
	assert_int_equal(hk_init(&cfg), HK_OK);
	assert_int_equal(hk_init(&cfg), HK_INVAL);
	start(0, machine_entry, arg);
	assert_int_equal(hk_serve(), 42);
	hk_fini();
}

static void
impossible_machines_are_refused_with_a_reason(void **state)
{
	static const struct hk_config bad[] = {
		{ .ncpu = 0, .ram_bytes = RAM_BYTES },
		{ .ncpu = HK_CPU_MAX + 1, .ram_bytes = RAM_BYTES },
		{ .ncpu = 1, .ram_bytes = 0 },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES + 1 },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .ram_base = 0x1000 },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .ram_base = 1ull << 47 },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .flags = 1u << 30 },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .pool_low = 9, .pool_high = 3 },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .host_cpus = "" },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .host_cpus = "1-" },
		{ .ncpu = 1, .ram_bytes = RAM_BYTES, .host_cpus = "1023" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(hk_init(&bad[i]), HK_INVAL);
		assert_true(strlen(hk_why()) > 10);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_post_is_lost_by_a_cpu_that_falls_asleep),
		cmocka_unit_test(a_post_before_the_start_is_kept),
		cmocka_unit_test(two_cpus_wake_each_other),
		cmocka_unit_test(a_timer_is_never_early_and_never_lost),
		cmocka_unit_test(a_deadline_may_move_while_it_passes),
		cmocka_unit_test(a_timer_stops_a_guest),
		cmocka_unit_test(a_post_stops_a_guest),
		cmocka_unit_test(a_cpu_starts_on_its_stack_stops_and_starts_again),
		cmocka_unit_test(a_fault_on_a_cpu_reaches_the_handler),
		cmocka_unit_test(a_cpu_that_does_not_empty_its_mailbox_is_told_of_once_each_time),
		cmocka_unit_test(a_fault_in_the_handler_ends_the_process_by_its_signal),
		cmocka_unit_test(host_signals_become_bits),
		cmocka_unit_test(hk_serve_returns_what_hk_exit_was_given),
		cmocka_unit_test(impossible_machines_are_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
