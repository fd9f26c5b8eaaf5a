/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of all CPUs at once: wake-ups, migration, tokens, locks, timers and
 * births.  With one CPU they are the same tests on one CPU.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/budget.h>
#include <sys/lwkt/lock.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/token.h>
#include <sys/time/time.h>

#include "group.h"

/* ------------------------------------------------------------- wake-ups -- */

static struct {
	struct waitq	q;
	_Atomic uint32_t turn;
} ring[GROUP_MAX];
static uint32_t ring_size;	/* const while they run */

/* Each waits for its turn and gives the next one its own: one lost wake-up stops all. */
static void
pass_on(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, next = (me + 1) % ring_size;
	int error;

	for (uint64_t i = 0; i < grp.rounds; i++) {
		WAIT_FOR(&ring[me].q, atomic_load(&ring[me].turn) != 0, NSEC_NEVER, 0, error);
		KCHECK(error == 0);
		atomic_store(&ring[me].turn, 0);
		atomic_store(&ring[next].turn, 1);
		wake_one(&ring[next].q);
	}
	grp_member_ends();
}

KTEST(a_wakeup_reaches_a_thread_of_another_cpu)
{
	ring_size = rt_min(cpu_count * 2, GROUP_MAX);
	grp_begin(300, 100000);
	for (uint32_t i = 0; i < ring_size; i++) {
		waitq_init(&ring[i].q);
		atomic_store(&ring[i].turn, i == 0);
	}
	for (uint32_t i = 0; i < ring_size; i++)
		grp_start(i, pass_on, (void *)(uintptr_t)i);
	grp_wait();
}

static struct waitq crowd;
static _Atomic uint64_t crowd_count;
static _Atomic bool crowd_over;

static void
crowd_member(void *arg)
{
	struct waiter w;

	(void)arg;
	wait_begin(&crowd, &w);
	while (!atomic_load(&crowd_over)) {
		int error = wait_sleep(&w, md_now() + 1000000, 0);

		KCHECK(error == 0 || error == ETIMEDOUT);
		atomic_fetch_add(&crowd_count, 1);
	}
	wait_end(&w);
	grp_member_ends();
}

/* Deadlines and wake-ups from everywhere meet in one queue. */
static void
crowd_caller(void *arg)
{
	for (uint64_t i = 0; i < grp.rounds; i++) {
		if (((uintptr_t)arg + i) % 3 == 0)
			wake_all(&crowd);
		else
			wake_one(&crowd);
		lwkt_yield();
	}
	grp_member_ends();
}

KTEST(deadlines_and_wakeups_meet)
{
	uint32_t callers = rt_min(cpu_count, 8u), n = rt_min(cpu_count * 2, GROUP_MAX / 2);
	int error;

	waitq_init(&crowd);
	atomic_store(&crowd_over, false);
	grp_begin(500, 100000);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, crowd_member, NULL);
	for (uint32_t i = 0; i < callers; i++)
		grp_start(i, crowd_caller, (void *)(uintptr_t)i);
	WAIT_FOR(&grp.q, atomic_load(&grp.ended) == callers, NSEC_NEVER, 0, error);
	atomic_store(&crowd_over, true);
	wake_all(&crowd);
	grp_wait();
	KCHECK(error == 0 && atomic_load(&crowd_count) > 0);
}

/* ------------------------------------------------------------ migration -- */

static _Atomic uint64_t hops;

static void
hop(void *arg)
{
	uint32_t to = (uint32_t)(uintptr_t)arg;
	uint64_t mine[8];

	for (uint64_t i = 0; i < grp.rounds; i++) {
		to = (to * 5 + 3 + (uint32_t)i) % cpu_count;
		for (uint32_t k = 0; k < countof(mine); k++)
			mine[k] = i * 8 + k;
		lwkt_migrate(to);
		KCHECK(mycpuid == to && curthread->td_cpu == mycpu);
		for (uint32_t k = 0; k < countof(mine); k++)
			KCHECK(mine[k] == i * 8 + k);		/* our stack came with us */
		atomic_fetch_add(&hops, 1);
	}
	grp_member_ends();
}

KTEST(a_thread_moves_by_its_own_call)
{
	uint32_t n = rt_min(cpu_count * 3, GROUP_MAX);

	atomic_store(&hops, 0);
	grp_begin(200, 50000);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, hop, (void *)(uintptr_t)i);
	grp_wait();
	KCHECK(atomic_load(&hops) == n * grp.rounds);
}

static struct waitq nomad_q;
static _Atomic bool nomad_over;
static _Atomic uint64_t nomad_wakes;

/* Sleeps on one CPU after another while others wake it wherever it was. */
static void
nomad(void *arg)
{
	struct waiter w;

	wait_begin(&nomad_q, &w);
	for (uint32_t i = (uint32_t)(uintptr_t)arg; !atomic_load(&nomad_over); i++) {
		(void)wait_sleep(&w, NSEC_NEVER, 0);
		atomic_fetch_add(&nomad_wakes, 1);
		lwkt_migrate(i % cpu_count);
	}
	wait_end(&w);
	grp_member_ends();
}

static void
nomad_caller(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		wake_all(&nomad_q);
		lwkt_yield();
	}
	grp_member_ends();
}

KTEST(a_wakeup_follows_a_thread_that_moves)
{
	uint32_t callers = rt_min(cpu_count, 4u);
	int error;

	waitq_init(&nomad_q);
	atomic_store(&nomad_over, false);
	atomic_store(&nomad_wakes, 0);
	grp_begin(2000, 200000);
	for (uint32_t i = 0; i < rt_min(cpu_count, 16u); i++)
		grp_start(i, nomad, (void *)(uintptr_t)i);
	for (uint32_t i = 0; i < callers; i++)
		grp_start(i, nomad_caller, NULL);
	WAIT_FOR(&grp.q, atomic_load(&grp.ended) == callers, NSEC_NEVER, 0, error);
	atomic_store(&nomad_over, true);
	wake_all(&nomad_q);
	grp_wait();
	KCHECK(error == 0 && atomic_load(&nomad_wakes) > 0);
}

/* ----------------------------------------------------- tokens and locks -- */

static struct token tok[3] = { TOKEN_INIT(tok[0], "a"), TOKEN_INIT(tok[1], "b"), TOKEN_INIT(tok[2], "c") };
static uint64_t guarded[3];		/* [tok of the same index] */
static _Atomic uint32_t holders[3];

static void
under(uint32_t k)
{
	KCHECK(token_held(&tok[k]));
	KCHECK(atomic_fetch_add(&holders[k], 1) == 0);		/* nobody else is in here */
	guarded[k]++;
	KCHECK(atomic_fetch_sub(&holders[k], 1) == 1);
}

/* Pairs in every order, recursion, and sleep in the middle. */
static void
token_storm(void *arg)
{
	uint32_t x = (uint32_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < grp.rounds; i++) {
		uint32_t a = (x + (uint32_t)i) % 3, b = (a + 1 + (uint32_t)(i / 3) % 2) % 3;

		token_get(&tok[a]);
		under(a);
		token_get(&tok[b]);
		token_get(&tok[a]);
		under(a);
		under(b);
		if (i % 16 == 0)
			lwkt_yield();
		under(b);
		token_release(&tok[a]);
		token_release(&tok[b]);
		KCHECK(!token_held(&tok[b]));
		under(a);
		token_release(&tok[a]);
		KCHECK(!token_held(&tok[a]));
	}
	grp_member_ends();
}

KTEST(tokens_in_any_order_never_deadlock)
{
	uint32_t n = rt_min(cpu_count * 2, GROUP_MAX);

	memset(guarded, 0, sizeof guarded);
	grp_begin(500, 200000);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, token_storm, (void *)(uintptr_t)i);
	grp_wait();
	KCHECK(guarded[0] + guarded[1] + guarded[2] == n * grp.rounds * 5);
	for (uint32_t k = 0; k < 3; k++)
		KCHECK(tok[k].t_owner == NULL && atomic_load(&tok[k].t_waiters) == 0);
}

static struct lk lock;
static uint64_t locked[2];		/* [lock] always equal outside of it */

static void
lock_storm(void *arg)
{
	uint32_t x = (uint32_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < grp.rounds; i++) {
		if ((x + i) % 4 == 0) {
			lk_excl(&lock);
			locked[0]++;
			if (i % 8 == 0)
				lwkt_yield();
			locked[1]++;
		} else {
			lk_shared(&lock);
			KCHECK(locked[0] == locked[1]);
		}
		lk_release(&lock);
	}
	grp_member_ends();
}

KTEST(a_lock_is_shared_or_exclusive_on_all_cpus)
{
	uint32_t n = rt_min(cpu_count * 2, GROUP_MAX);

	lk_init(&lock, LR_test);
	memset(locked, 0, sizeof locked);
	grp_begin(400, 100000);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, lock_storm, (void *)(uintptr_t)i);
	grp_wait();
	KCHECK(locked[0] == locked[1] && locked[0] > 0 && lk_try_excl(&lock));
	lk_release(&lock);
}

/* --------------------------------------------------------------- timers -- */

static _Atomic bool timer_may_run;
static _Atomic uint64_t timer_runs;

static void
timer_ran(struct timer *t)
{
	(void)t;
	KCHECK(atomic_load(&timer_may_run));
	atomic_fetch_add(&timer_runs, 1);
}

/* Armed here, cancelled there: after the cancel it does not run, nor is it still running. */
static void
cancel_elsewhere(void *arg)
{
	uint64_t armed = 0;
	struct timer t;

	(void)arg;
	timer_init(&t, timer_ran);
	for (uint64_t i = 0; i < grp.rounds; i++) {
		atomic_store(&timer_may_run, true);
		timer_arm(&t, md_now() + (i % 4) * 20000);
		lwkt_migrate((mycpuid + 1) % cpu_count);
		armed += timer_cancel(&t);
		atomic_store(&timer_may_run, false);
		lwkt_poll();
	}
	KCHECK(armed + atomic_load(&timer_runs) == grp.rounds);
	grp_member_ends();
}

KTEST(a_timer_is_cancelled_from_another_cpu)
{
	grp_begin(200, 20000);
	atomic_store(&timer_runs, 0);
	grp_start(0, cancel_elsewhere, NULL);
	grp_wait();
}

/* ----------------------------------------------------------------- time -- */

static _Atomic nsec_t latest;
static _Atomic uint64_t backwards;

static void
read_the_clock(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		nsec_t seen = atomic_load(&latest), now = md_now();

		if (now < seen)
			atomic_fetch_add(&backwards, 1);
		while (seen < now && !atomic_compare_exchange_weak(&latest, &seen, now))
			continue;
		if (i % 64 == 0)
			lwkt_poll();
	}
	grp_member_ends();
}

KTEST(no_cpu_reads_an_earlier_time_than_another_did)
{
	atomic_store(&latest, 0);
	atomic_store(&backwards, 0);
	grp_begin(5000, 1000000);
	for (uint32_t i = 0; i < rt_min(cpu_count, GROUP_MAX); i++)
		grp_start(i, read_the_clock, NULL);
	grp_wait();
	KCHECK(atomic_load(&backwards) == 0);
}

/* --------------------------------------------------------------- births -- */

static _Atomic uint64_t born;

static void
child(void *arg)
{
	(void)arg;
	atomic_fetch_add(&born, 1);
	grp_member_ends();
}

static void
parent(void *arg)
{
	uint32_t cpu = (uint32_t)(uintptr_t)arg;
	struct thread *td;
	int error;

	for (uint64_t i = 0; i < grp.rounds; i++) {
		if (KCHECK(lwkt_create_on((cpu + (uint32_t)i) % cpu_count, child, NULL, LWKT_PRI_KERN, "child", &td) == 0))
			lwkt_start(td);
		WAIT_FOR(&grp.q, atomic_load(&born) + 16 * 16 >= i * rt_min(cpu_count, 16u), NSEC_NEVER, 0, error);
		KCHECK(error == 0);		/* never more at once than there is memory for */
	}
	grp_member_ends();
}

KTEST(threads_are_born_on_any_cpu)
{
	uint32_t n = rt_min(cpu_count, 16u);

	grp_begin(50, 5000);
	atomic_store(&born, 0);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, parent, (void *)(uintptr_t)i);
	grp.started += (uint32_t)(n * grp.rounds);
	grp_wait();
	KCHECK(atomic_load(&born) == n * grp.rounds);
}

/* ----------------------------------------------------------------- budgets -- */

#define BUDGET	1000u

static struct budget_cell budget_cell[CPU_MAX];
static struct budget budget = { .b_cell = budget_cell, .b_max = BUDGET };
static struct serial serial;
static _Atomic uint32_t budget_got;
static _Atomic uint8_t serial_seen[(16 + 2) * 64 * SERIAL_BLOCK];

static void
spender(void *arg)
{
	uint64_t mine = 0;

	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		if (i % 3 != 2 && budget_take(&budget, 1 + i % 2))
			mine += 1 + i % 2;
		else if (mine > 0)
			budget_give(&budget, 1), mine--;
		KCHECK(budget_used(&budget) <= BUDGET);
	}
	budget_give(&budget, mine);
	while (budget_take(&budget, 1))
		atomic_fetch_add(&budget_got, 1);
	for (uint32_t i = 0; i < 64; i++) {
		uint64_t id = serial_next(&serial);

		KCHECK(id != 0 && id < sizeof serial_seen && atomic_fetch_add(&serial_seen[id], 1) == 0);
	}
	grp_member_ends();
}

KTEST(a_budget_gives_out_exactly_what_there_is)
{
	uint32_t n = rt_min(cpu_count * 2, 16);

	grp_begin(500, 50000);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, spender, NULL);
	grp_wait();
	/* The last one to spend found all that others had given back. */
	KCHECK(budget_used(&budget) == BUDGET && budget_got >= BUDGET);
}
