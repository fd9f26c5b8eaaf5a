/* SPDX-License-Identifier: BSD-2-Clause */
/* vfs/range - locks of byte ranges: what reads and writes of one file keep while they touch its bytes. */
#pragma once
#include <sys/lwkt/wait.h>

struct range_lock {
	struct spin	rl_spin;
	uint32_t	rl_waiting;	/* [rl_spin] */
	struct list	rl_queue;	/* [rl_spin] of r_link, in order of arrival */
	struct waitq	rl_waitq;
};

#define RANGE_END	UINT64_MAX	/* and everything that may ever follow */
struct range {
	struct list	r_link;		/* [rl_spin] */
	uint64_t	r_first, r_end;	/* const while queued: bytes from r_first up to, without, r_end */
	bool		r_excl;		/* const while queued */
};

static inline uint64_t
range_end(uint64_t off, uint64_t len)
{
	return len > RANGE_END - off ? RANGE_END : off + len;
}

void	range_lock_init(struct range_lock *rl);
/* Waits, not to be interrupted.  `r` belongs to the lock until range_unlock(). */
void	range_lock(struct range_lock *rl, struct range *r, uint64_t first, uint64_t end, bool excl);
bool	range_try(struct range_lock *rl, struct range *r, uint64_t first, uint64_t end, bool excl);
void	range_unlock(struct range_lock *rl, struct range *r);

/* The steps of which these are made; tests take them one by one. */
bool	range_enter(struct range_lock *rl, struct range *r, uint64_t first, uint64_t end, bool excl);
bool	range_is_held(struct range_lock *rl, const struct range *r);
