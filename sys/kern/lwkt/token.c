/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token - serialise code while it runs.
 *
 * A thread that switches away gives up all its tokens and gets them back,
 * in address order, before it goes on (T4 of thread.c).  So a thread that is
 * not running holds none, nobody can deadlock over them, and no order has to
 * be kept by callers.  The price: what a token guards may have changed
 * across anything that sleeps.
 *
 * Invariants
 *   K1  t_owner is a thread that is running on some CPU, or NULL.
 *   K2  t_depth counts that thread's unreleased gets; the token is on its
 *       td_tokens list exactly once while t_depth > 0, also while given up.
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

static bool
acquire(struct token *t, struct thread *td)
{
	struct thread *none = NULL;

	if (!atomic_compare_exchange_strong_explicit(&t->t_owner, &none, td,
	    memory_order_acquire, memory_order_relaxed)) {
		if (none->td_cpu == td->td_cpu)		/* K1 */
			panic("token %s is held by %s, which does not run", t->t_name, none->td_name);
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

	if (token_held(t)) {
		t->t_depth++;
		return true;
	}
	if (!acquire(t, td))
		return false;
	t->t_depth = 1;
	t->t_next = td->td_tokens;
	td->td_tokens = t;
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

/* Last in, first out, so the token is near the head of the list. */
void
token_release(struct token *t)
{
	struct thread *td = curthread;
	struct token **link = &td->td_tokens;

	ASSERT(token_held(t) && t->t_depth > 0);
	if (--t->t_depth > 0)
		return;
	while (*link != t)
		link = &(*link)->t_next;
	*link = t->t_next;
	atomic_store_explicit(&t->t_owner, NULL, memory_order_release);
}

void
token_release_all(struct thread *td)
{
	for (struct token *t = td->td_tokens; t != NULL; t = t->t_next)
		atomic_store_explicit(&t->t_owner, NULL, memory_order_release);
}

void
token_reacquire_all(struct thread *td)
{
	for (struct token *t = td->td_tokens; t != NULL; t = t->t_next)
		while (!acquire(t, td))
			md_pause();
}
