/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between CPUs: floods, order, calls, nesting, all CPUs stopped at
 * once.  With one CPU a message is a call.
 */
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>

#define SENDERS_MAX	64u

static struct {
	struct waitq	q;
	_Atomic uint32_t ended;
	uint32_t	started;
	uint64_t	rounds;
} grp = { .q = WAITQ_INIT(grp.q) };
static _Atomic uint64_t got;
static uint64_t expected[SENDERS_MAX][SENDERS_MAX];	/* [target] the next number from each sender */

static void
on_all_cpus(void (*fn)(void *), uint64_t normal, uint64_t longer)
{
	uint32_t n = rt_min(cpu_count, SENDERS_MAX);
	int error;

	atomic_store(&grp.ended, 0);
	atomic_store(&got, 0);
	memset(expected, 0, sizeof expected);
	grp.rounds = ktest_rounds(normal, longer);
	grp.started = n;
	for (uint32_t i = 0; i < n; i++) {
		struct thread *td;

		if (!KCHECK(lwkt_create_on(i, fn, NULL, LWKT_PRI_KERN, "ipi", &td) == 0))
			return;
		lwkt_start(td);
	}
	WAIT_FOR(&grp.q, atomic_load(&grp.ended) == n, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
}

static void
member_ends(void)
{
	atomic_fetch_add(&grp.ended, 1);
	wake_all(&grp.q);
}

static void
in_order(void *arg, uint64_t value)
{
	uint32_t from = (uint32_t)(uintptr_t)arg;

	KCHECK(curthread->td_crit > 0);
	KCHECK(expected[mycpuid][from] == value);
	expected[mycpuid][from] = value + 1;
	atomic_fetch_add(&got, 1);
}

static void
flood(void *unused)
{
	(void)unused;
	for (uint64_t i = 0; i < grp.rounds; i++)
		for (uint32_t to = 0; to < grp.started; to++) {
			if ((i + to) % 3 == 0)
				ipi_send_passive(to, in_order, (void *)(uintptr_t)mycpuid, i);
			else
				ipi_send(to, in_order, (void *)(uintptr_t)mycpuid, i);
		}
	ipi_quiesce();		/* behind all of ours in every ring */
	member_ends();
}

KTEST(floods_of_messages_arrive_once_and_in_order)
{
	on_all_cpus(flood, 2000, 100000);
	KCHECK(atomic_load(&got) == grp.rounds * grp.started * grp.started);
}

static void
add(void *arg, uint64_t value)
{
	*(uint64_t *)arg += value;
}

static void
caller(void *unused)
{
	uint64_t sum = 0, want = 0;

	(void)unused;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		ipi_call((mycpuid + (uint32_t)i) % grp.started, add, &sum, i);
		want += i;
		KCHECK(sum == want);		/* it has run */
	}
	member_ends();
}

KTEST(a_call_has_run_when_it_returns)
{
	on_all_cpus(caller, 300, 20000);
}

#define CHAIN	32u
#define CHAINS	4u

/* Each message sends the next one, to a neighbour on either side, and the last tells who began. */
static void
relay(void *arg, uint64_t left)
{
	atomic_fetch_add(&got, 1);		/* before it may be the last that somebody waits for */
	if (left > 1)
		ipi_send((mycpuid + (left % 3 == 0 ? grp.started - 1 : 1)) % grp.started, relay, arg, left - 1);
	else
		atomic_fetch_sub((_Atomic uint32_t *)arg, 1);
}

static void
relayer(void *unused)
{
	_Atomic uint32_t under_way = 0;

	(void)unused;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		atomic_fetch_add(&under_way, 1);
		ipi_send((mycpuid + 1) % grp.started, relay, &under_way, CHAIN);
		for (uint32_t turns = 0; atomic_load(&under_way) >= CHAINS;) {
			lwkt_poll();
			md_spin(&turns);
		}
	}
	for (uint32_t turns = 0; atomic_load(&under_way) > 0;) {
		lwkt_poll();
		md_spin(&turns);
	}
	member_ends();
}

KTEST(messages_that_send_messages_do_not_deadlock)
{
	struct ipi_stats s;

	on_all_cpus(relayer, 100, 5000);
	KCHECK(atomic_load(&got) == grp.rounds * grp.started * CHAIN);
	ipi_stats(&s);
	KCHECK(cpu_count == 1 || s.is_deepest <= 20);
}

static uint64_t alone;			/* by whoever has stopped the others */
static _Atomic uint32_t alone_now;

static void
be_alone(void *arg)
{
	(void)arg;
	KCHECK(atomic_fetch_add(&alone_now, 1) == 0);
	alone++;
	KCHECK(atomic_fetch_sub(&alone_now, 1) == 1);
}

static void
stopper(void *unused)
{
	(void)unused;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		ipi_cpusync(be_alone, NULL);
		ipi_quiesce();
	}
	member_ends();
}

KTEST(one_cpu_stops_all_others)
{
	alone = 0;
	on_all_cpus(stopper, 30, 2000);
	KCHECK(alone == grp.rounds * grp.started);
}
