/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * budget - units from a limit, and serial numbers, without a shared line.
 *
 * Invariant: b_taken is what is in use plus what the cells keep, and never
 * above b_max but for budget_force().
 *
 * A thread stays on its CPU while it is here, since it does not sleep.
 */
#include <sys/lwkt/budget.h>

#include "lwkt_int.h"

#define KEEP	32u		/* what a CPU takes in advance; at most twice that stays with it */

static bool
take_shared(struct budget *b, uint64_t n)
{
	uint64_t taken = atomic_load_explicit(&b->b_taken, memory_order_relaxed);

	do {
		if (taken > b->b_max || n > b->b_max - taken)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&b->b_taken, &taken, taken + n, memory_order_relaxed,
	    memory_order_relaxed));
	return true;
}

static bool
take_kept(struct budget_cell *c, uint64_t n)
{
	uint64_t kept = atomic_load_explicit(&c->bc_units, memory_order_relaxed);

	do {
		if (kept < n)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&c->bc_units, &kept, kept - n, memory_order_relaxed,
	    memory_order_relaxed));
	return true;
}

static void
collect(struct budget *b)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		uint64_t kept = atomic_exchange_explicit(&b->b_cell[i].bc_units, 0, memory_order_relaxed);

		atomic_fetch_sub_explicit(&b->b_taken, kept, memory_order_relaxed);
	}
}

bool
budget_take(struct budget *b, uint64_t n)
{
	struct budget_cell *c = &b->b_cell[mycpuid];

	if (take_kept(c, n))
		return true;
	if (take_shared(b, n + KEEP)) {
		atomic_fetch_add_explicit(&c->bc_units, KEEP, memory_order_relaxed);
		return true;
	}
	if (take_shared(b, n))
		return true;
	collect(b);
	return take_shared(b, n);
}

void
budget_force(struct budget *b, uint64_t n)
{
	if (!budget_take(b, n))
		atomic_fetch_add_explicit(&b->b_taken, n, memory_order_relaxed);
}

void
budget_give(struct budget *b, uint64_t n)
{
	struct budget_cell *c = &b->b_cell[mycpuid];
	uint64_t kept = atomic_fetch_add_explicit(&c->bc_units, n, memory_order_relaxed) + n;

	if (kept > 2 * KEEP && take_kept(c, kept - KEEP))
		atomic_fetch_sub_explicit(&b->b_taken, kept - KEEP, memory_order_relaxed);
}

uint64_t
budget_used(const struct budget *b)
{
	uint64_t taken = atomic_load_explicit(&b->b_taken, memory_order_relaxed), kept = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		kept += atomic_load_explicit(&b->b_cell[i].bc_units, memory_order_relaxed);
	return taken > kept ? taken - kept : 0;
}

uint64_t
serial_next(struct serial *s)
{
	uint64_t *next = &s->s_cpu[mycpuid].next;

	if (*next % SERIAL_BLOCK == 0)
		*next = (atomic_fetch_add_explicit(&s->s_blocks, 1, memory_order_relaxed) + 1) * SERIAL_BLOCK;
	return (*next)++;
}
