/* SPDX-License-Identifier: BSD-2-Clause */
/* lk - a lock that is kept while its holder sleeps: shared or exclusive, fair, not recursive. */
#pragma once
#include <sys/lwkt/wait.h>

struct lk {
	struct spin	lk_spin;
	uint32_t	lk_shared;	/* [lk_spin] holders */
	struct thread	*_Atomic lk_owner;	/* [lk_spin] exclusive holder */
	uint32_t	lk_wanted;	/* [lk_spin] exclusive waiters: new shared holders wait behind them */
	uint32_t	lk_behind;	/* [lk_spin] who waits to share it */
	uint32_t	lk_granted;	/* [lk_spin] as many of them come before the next exclusive holder */
	struct waitq	lk_waitq;
	uint32_t	lk_rank;	/* const: LR_* */
};
void	lk_init(struct lk *l, enum lock_rank rank);
void	lk_shared(struct lk *l);
void	lk_excl(struct lk *l);
bool	lk_try_excl(struct lk *l);
void	lk_release(struct lk *l);
bool	lk_held_excl(const struct lk *l);
