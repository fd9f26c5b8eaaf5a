/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock - kept across sleep; shared or exclusive.
 *
 * Fair enough not to starve: once an exclusive request waits, new shared
 * requests queue behind it; and when an exclusive holder lets go, those who
 * wait to share come before the next one.  Not recursive: a thread that would wait for
 * itself is a bug, and is told so.
 *
 * Invariants: lk_owner != NULL implies lk_shared == 0; lk_granted <= lk_behind,
 * so a grant is always taken up, for nobody stops waiting.
 */
#include <stdatomic.h>
#include <sys/lwkt/lock.h>

#include "lwkt_int.h"

void
lk_init(struct lk *l, enum lock_rank rank)
{
	memset(l, 0, sizeof *l);
	spin_init(&l->lk_spin, LR_lk_inside);
	waitq_init(&l->lk_waitq);
	l->lk_rank = rank;
}

/* Under lk_spin, or to ask whether it is the current thread: only that one could change the answer. */
static struct thread *
owner(const struct lk *l)
{
	return atomic_load_explicit(&l->lk_owner, memory_order_relaxed);
}

/* `waited`: as one of lk_behind, until it succeeds. */
static bool
take_shared(struct lk *l, bool waited)
{
	bool granted, ok;

	spin_lock(&l->lk_spin);
	granted = waited && l->lk_granted > 0;
	ok = owner(l) == NULL && (l->lk_wanted == 0 || granted);
	if (ok) {
		l->lk_shared++;
		l->lk_behind -= waited;
		l->lk_granted -= granted;
	}
	spin_unlock(&l->lk_spin);
	return ok;
}

static bool
take_excl(struct lk *l)
{
	bool ok;

	spin_lock(&l->lk_spin);
	ASSERT(owner(l) != curthread);
	ok = owner(l) == NULL && l->lk_shared == 0 && l->lk_granted == 0;
	if (ok)
		atomic_store_explicit(&l->lk_owner, curthread, memory_order_relaxed);
	spin_unlock(&l->lk_spin);
	return ok;
}

bool
lk_try_excl(struct lk *l)
{
	if (!take_excl(l))
		return false;
	if (witness_on)
		witness_take(l, l->lk_rank, false);
	return true;
}

static void
count(struct lk *l, uint32_t *what, int by)
{
	spin_lock(&l->lk_spin);
	*what += (uint32_t)by;
	spin_unlock(&l->lk_spin);
}

void
lk_shared(struct lk *l)
{
	int error;

	ASSERT(owner(l) != curthread);
	if (witness_on)
		witness_take(l, l->lk_rank, true);
	if (take_shared(l, false))
		return;
	count(l, &l->lk_behind, 1);
	WAIT_FOR(&l->lk_waitq, take_shared(l, true), NSEC_NEVER, 0, error);
	ASSERT(error == 0);
}

void
lk_excl(struct lk *l)
{
	int error;

	if (witness_on)
		witness_take(l, l->lk_rank, true);
	if (take_excl(l))
		return;
	count(l, &l->lk_wanted, 1);
	WAIT_FOR(&l->lk_waitq, take_excl(l), NSEC_NEVER, 0, error);
	ASSERT(error == 0);
	count(l, &l->lk_wanted, -1);
}

void
lk_release(struct lk *l)
{
	bool wake;

	if (witness_on)
		witness_drop(l);
	spin_lock(&l->lk_spin);
	if (owner(l) != NULL) {
		ASSERT(owner(l) == curthread);
		atomic_store_explicit(&l->lk_owner, NULL, memory_order_relaxed);
		l->lk_granted = l->lk_behind;
	} else {
		ASSERT(l->lk_shared > 0);
		l->lk_shared--;
	}
	wake = l->lk_shared == 0 && (l->lk_wanted | l->lk_behind) != 0;	/* they count before they look */
	spin_unlock(&l->lk_spin);
	if (wake)
		wake_all(&l->lk_waitq);
}

bool
lk_held_excl(const struct lk *l)
{
	return owner(l) == curthread;
}
