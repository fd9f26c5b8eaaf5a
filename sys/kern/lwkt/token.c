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
 * Who holds what is written in the thread, because a token that was given up
 * may meanwhile be another thread's.
 *
 * Invariants
 *   K1  t_owner is a thread that is running on some CPU, or NULL.
 *   K2  a running thread owns exactly the tokens in its td_tok[]; one that
 *       occurs k times there was taken k times and not yet released.
 */
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/token.h>

#include "lwkt_int.h"

void
token_init(struct token *t, const char *name)
{
	memset(t, 0, sizeof *t);
	t->t_name = name;
}

bool
token_held(const struct token *t)
{
	return atomic_load_explicit(&t->t_owner, memory_order_relaxed) == curthread;
}

/* True when td owns it now, as before or newly. */
static bool
acquire(struct token *t, struct thread *td)
{
	struct thread *owner = NULL;

	if (!atomic_compare_exchange_strong_explicit(&t->t_owner, &owner, td,
	    memory_order_acquire, memory_order_relaxed)) {
		if (owner == td)
			return true;
		if (owner->td_cpu == td->td_cpu)		/* K1 */
			panic("token %s is held by %s, which does not run", t->t_name, owner->td_name);
		return false;
	}
	if (t->t_last != td) {
		t->t_last = td;
		t->t_generation++;
	}
	return true;
}

bool
token_try(struct token *t)
{
	struct thread *td = curthread;

	ASSERT(td->td_ntok < TOKENS_MAX);
	if (!acquire(t, td))
		return false;
	td->td_tok[td->td_ntok++] = t;
	return true;
}

void
token_get(struct token *t)
{
	while (!token_try(t)) {
		lwkt_poll();
		md_pause();
	}
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
	atomic_store_explicit(&t->t_owner, NULL, memory_order_release);
}

void
token_release_all(struct thread *td)
{
	for (uint32_t i = 0; i < td->td_ntok; i++)
		atomic_store_explicit(&td->td_tok[i]->t_owner, NULL, memory_order_release);
}

void
token_reacquire_all(struct thread *td)
{
	for (uint32_t i = 0; i < td->td_ntok; i++)
		while (!acquire(td->td_tok[i], td))
			md_pause();
}
