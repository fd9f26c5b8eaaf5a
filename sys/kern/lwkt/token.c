/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token - serialise code while it runs.
 *
 * A thread that switches away gives up all its tokens and gets them back
 * before it goes on (T4 of thread.c).  So a thread that is
 * not running holds none, nobody can deadlock over them, and no order has to
 * be kept by callers.  The price: what a token guards may have changed
 * across anything that sleeps.
 *
 * Who wants a token that a thread on another CPU holds spins for a few
 * microseconds, as long as such a holder usually needs, and answers its
 * mailbox meanwhile.  Then it sleeps until the token is free; the holder's
 * CPU may not even be running.  A sleep is a sleep: the tokens that it already
 * had go, and all come back together, in order of their addresses.
 *
 * Who holds what is written in the thread, because a token that was given up
 * may meanwhile be another thread's.
 *
 * Invariants
 *   K1  t_owner is a thread that is running on some CPU, or NULL.
 *   K2  a running thread owns exactly the tokens in its td_tok[]; one that
 *       occurs k times there was taken k times and not yet released.
 *   K3  who frees a token looks at t_waiters after it stored NULL; who sleeps
 *       counted itself there before its last try.  Both are full fences, so
 *       one of them sees the other: no wake-up is lost.
 *   K4  one waiter is woken for each time a token becomes free.  It tries that
 *       token first, so that if it must give up again, for another one's
 *       sake, letting go wakes the next.
 */
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/ktr.h>
#include <sys/lwkt/token.h>

#include "lwkt_int.h"

#define SPIN_TURNS	200u	/* some microseconds */

void
token_init(struct token *t, const char *name)
{
	memset(t, 0, sizeof *t);
	waitq_init(&t->t_waitq);
	t->t_name = name;
}

bool
token_held(const struct token *t)
{
	return atomic_load_explicit(&t->t_owner, memory_order_relaxed) == curthread;
}

/* By name, so that a million tokens of one kind are one line.  Kinds beyond the table share its last line. */
static struct {
	const char	*_Atomic name;
	_Atomic uint64_t times, slept;
} kinds[32];

static void
contended(const struct token *t, bool slept)
{
	uint32_t k = 0;

	for (; k < countof(kinds) - 1; k++) {
		const char *name = NULL;

		if (atomic_compare_exchange_strong(&kinds[k].name, &name, t->t_name) || name == t->t_name)
			break;
	}
	atomic_fetch_add_explicit(&kinds[k].times, 1, memory_order_relaxed);
	if (slept)
		atomic_fetch_add_explicit(&kinds[k].slept, 1, memory_order_relaxed);
}

bool
token_contention(uint32_t index, const char **name, uint64_t *times, uint64_t *slept)
{
	if (index >= countof(kinds) || atomic_load(&kinds[index].times) == 0)
		return false;
	*name = index == countof(kinds) - 1 ? "others" : atomic_load(&kinds[index].name);
	*times = atomic_load(&kinds[index].times);
	*slept = atomic_load(&kinds[index].slept);
	return true;
}

/* True when td owns it now, as before or newly. */
static bool
acquire(struct token *t, struct thread *td)
{
	struct thread *owner = NULL;

	if (!atomic_compare_exchange_strong_explicit(&t->t_owner, &owner, td,
	    memory_order_acquire, memory_order_relaxed))
		return owner == td;
	if (t->t_last != td) {
		t->t_last = td;
		t->t_generation++;
	}
	return true;
}

static void
let_go(struct token *t)
{
	atomic_store_explicit(&t->t_owner, NULL, memory_order_seq_cst);
	if (atomic_load_explicit(&t->t_waiters, memory_order_seq_cst) != 0)	/* K3 */
		wake_one(&t->t_waitq);
}

static bool
spin_for(struct token *t, struct thread *td)
{
	uint32_t turns = 0;

	while (turns < SPIN_TURNS) {
		if (td->td_crit == 0)
			lwkt_poll();
		md_spin(&turns);
		if (acquire(t, td))
			return true;
	}
	return false;
}

/* Sleep until somebody lets go of t.  The thread holds nothing.  In a critical section. */
static void
sleep_for(struct token *t, struct thread *td)
{
	struct waiter w;

	wait_begin(&t->t_waitq, &w);
	atomic_fetch_add_explicit(&t->t_waiters, 1, memory_order_seq_cst);
	while (atomic_load_explicit(&t->t_owner, memory_order_seq_cst) != NULL &&
	    atomic_exchange_explicit(&w.w_woken, 0, memory_order_acquire) == 0) {
		td_become(td, TD_SLEEPING);
		lwkt_switch_bare();
	}
	atomic_fetch_sub_explicit(&t->t_waiters, 1, memory_order_relaxed);
	wait_end(&w);
}

/* One pass over the tokens by address; NULL when all are ours, else the one that is not and none is. */
static struct token *
acquire_all(struct thread *td)
{
	struct token *last = NULL, *next;

	for (;;) {
		next = NULL;
		for (uint32_t i = 0; i < td->td_ntok; i++)
			if (td->td_tok[i] > last && (next == NULL || td->td_tok[i] < next))
				next = td->td_tok[i];
		if (next == NULL)
			return NULL;
		if (!acquire(next, td))
			break;
		last = next;
	}
	token_release_all(td);
	return next;
}

void
token_release_all(struct thread *td)
{
	for (uint32_t i = 0; i < td->td_ntok; i++)
		if (atomic_load_explicit(&td->td_tok[i]->t_owner, memory_order_relaxed) == td)
			let_go(td->td_tok[i]);
}

void
token_reacquire_all(struct thread *td)
{
	struct token *t;

	while (td->td_ntok > 0 && (t = acquire_all(td)) != NULL) {
		sleep_for(t, td);
		(void)acquire(t, td);		/* K4 */
	}
}

bool
token_try(struct token *t)
{
	struct thread *td = curthread;

	ASSERT(td->td_ntok < TOKENS_MAX);
	md_point(MD_PT_TOKEN, 0);
	if (!acquire(t, td))
		return false;
	td->td_tok[td->td_ntok++] = t;
	return true;
}

void
token_get(struct token *t)
{
	struct thread *td = curthread;

	ASSERT(td->td_crit == 0);
	if (token_try(t))
		return;
	ktr(KTR_TOKEN_WAIT, (uint64_t)t, 0);
	if (spin_for(t, td)) {
		contended(t, false);
		td->td_tok[td->td_ntok++] = t;
		ktr(KTR_TOKEN_GOT, (uint64_t)t, 0);
		return;
	}
	contended(t, true);
	crit_enter();
	token_release_all(td);
	td->td_tok[td->td_ntok++] = t;
	token_reacquire_all(td);
	ktr(KTR_TOKEN_GOT, (uint64_t)t, 0);
	crit_exit();
}

void
token_release(struct token *t)
{
	struct thread *td = curthread;

	ASSERT(token_held(t));
	ASSERT(td->td_ntok > 0 && td->td_tok[td->td_ntok - 1] == t);	/* last in, first out */
	td->td_ntok--;
	for (uint32_t i = 0; i < td->td_ntok; i++)
		if (td->td_tok[i] == t)
			return;
	let_go(t);
	md_point(MD_PT_TOKEN, 1);
}
