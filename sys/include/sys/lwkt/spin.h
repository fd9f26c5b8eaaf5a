/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin - a lock for a few instructions on data that several CPUs touch.
 * Taking it enters a critical section; its holder may not sleep, switch, or
 * take a token.
 */
#pragma once
#include <machine/types.h>
#include <sys/lwkt/locks.h>

struct spin {
	_Atomic uint32_t sp_held;
	uint32_t	sp_rank;	/* const: LR_* */
};
#define SPIN_INIT(rank)	{ 0, LR_##rank }
static inline void
spin_init(struct spin *s, enum lock_rank rank)
{
	s->sp_held = 0;
	s->sp_rank = rank;
}
void	spin_lock(struct spin *s);
void	spin_unlock(struct spin *s);
