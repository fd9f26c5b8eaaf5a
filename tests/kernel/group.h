/* SPDX-License-Identifier: BSD-2-Clause */
/* group - a test's threads: all are started, all end. */
#pragma once
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>

#define GROUP_MAX	64u

static struct {
	struct waitq	q;
	_Atomic uint32_t ended;
	uint32_t	started;
	uint64_t	rounds;
} grp;

static inline void
grp_begin(uint64_t normal, uint64_t longer)
{
	waitq_init(&grp.q);
	grp.started = 0;
	atomic_store(&grp.ended, 0);
	grp.rounds = ktest_rounds(normal, longer);
}

static inline void
grp_start(uint32_t cpu, void (*fn)(void *), void *arg)
{
	struct thread *td;

	if (!KCHECK(lwkt_create_on(cpu % cpu_count, fn, arg, LWKT_PRI_KERN, "smp", &td) == 0))
		return;
	grp.started++;
	lwkt_start(td);
}

static inline void
grp_member_ends(void)
{
	atomic_fetch_add(&grp.ended, 1);
	wake_all(&grp.q);
}

static inline void
grp_wait(void)
{
	int error;

	WAIT_FOR(&grp.q, atomic_load(&grp.ended) == grp.started, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
}
