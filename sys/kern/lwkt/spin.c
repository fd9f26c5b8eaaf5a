/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin - mutual exclusion for a few instructions.
 *
 * The critical section comes first: a handler of our own CPU that wanted the
 * same lock would wait for ever.
 */
#include <stdatomic.h>
#include <sys/lwkt/spin.h>

#include "lwkt_int.h"

static bool
take(struct spin *s)
{
	return atomic_exchange_explicit(&s->sp_held, 1, memory_order_acquire) == 0;
}

static void
wait_until_free(struct spin *s)
{
	struct cpu *c = mycpu;
	nsec_t since = gap_pause(c);
	uint32_t turns = 0;

	while (atomic_load_explicit(&s->sp_held, memory_order_relaxed) != 0)
		md_spin(&turns);
	gap_resume(c, since);
}

/* It is held, or somebody wants to know of it. */
static __attribute__((noinline)) void
lock_slowly(struct spin *s)
{
	if (witness_on)
		witness_take(s, s->sp_rank, true);
	crit_enter();
	md_point(MD_PT_SPIN, 0);
	while (!take(s))
		wait_until_free(s);
}

void
spin_lock(struct spin *s)
{
	if (!witness_on && !md_deterministic) {
		crit_enter();
		if (take(s))
			return;
		crit_exit();
	}
	lock_slowly(s);
}

void
spin_unlock(struct spin *s)
{
	ASSERT(atomic_load_explicit(&s->sp_held, memory_order_relaxed) == 1);
	atomic_store_explicit(&s->sp_held, 0, memory_order_release);
	if (witness_on)
		witness_drop(s);
	crit_exit();
}
