/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait - sleeping until something happens, without losing the wake-up.
 *
 *	struct waiter w;
 *	wait_begin(&obj->o_waitq, &w);
 *	while (!condition) {
 *		error = wait_sleep(&w, deadline, WAIT_INTR);
 *		if (error != 0)
 *			break;
 *	}
 *	wait_end(&w);
 *
 * wait_begin() puts the caller on the queue *before* the condition is looked
 * at, so a wake-up between the look and the sleep ends the sleep at once.
 * Tokens are released while asleep and held again on return: re-check.
 */
#pragma once
#include <core/rt/list.h>
#include <machine/types.h>
#include <sys/lwkt/spin.h>

struct thread;

struct waitq {
	struct spin	wq_spin;
	struct list	wq_list;	/* [wq_spin] of struct waiter */
};
struct waiter {
	struct list	w_link;		/* [queue's wq_spin] */
	struct waitq	*w_queue;	/* const while queued */
	struct thread	*w_thread;	/* const */
	_Atomic uint32_t w_woken;	/* [atomic] a wake-up is not yet consumed */
};
#define WAITQ_INIT(q)	{ SPIN_INIT(waitq), LIST_INIT((q).wq_list) }
void	waitq_init(struct waitq *q);

#define WAIT_INTR	1u	/* lwkt_interrupt() ends the sleep */

void	wait_begin(struct waitq *q, struct waiter *w);
/* 0: woken; EINTR; ETIMEDOUT: `deadline` passed (NSEC_NEVER: none). */
int	wait_sleep(struct waiter *w, nsec_t deadline, uint32_t flags);
void	wait_end(struct waiter *w);

void	wake_all(struct waitq *q);	/* any CPU, any context */
void	wake_one(struct waitq *q);	/* the longest waiting */

/* Sleep only by time.  0 when the deadline has passed, EINTR. */
int	sleep_until(nsec_t deadline, uint32_t flags);

/* Wait for an expression.  `error` gets 0, EINTR or ETIMEDOUT. */
#define WAIT_FOR(q, cond, deadline, flags, error) do {				\
	struct waiter wait_for_w;						\
	(error) = 0;								\
	if (cond)								\
		break;								\
	wait_begin((q), &wait_for_w);						\
	while (!(cond) && ((error) = wait_sleep(&wait_for_w, (deadline), (flags))) == 0)	\
		;								\
	wait_end(&wait_for_w);							\
} while (0)
