/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * range - locks of byte ranges, shared or exclusive.
 *
 * Requests stand in one queue in the order in which they came, and stay in it
 * until they are given up.  One is held when none before it is in its way:
 * that is the whole rule, so who came first is never overtaken by a stranger
 * to whom he is in the way, and those with nothing in common never wait.
 *
 * Invariants
 *   R1  two requests are in each other's way if they have a byte in common
 *       and one of them is exclusive; an empty range has no byte.
 *   R2  a request is held if and only if none before it in the queue is in
 *       its way.  Once held it stays so: what comes later stands behind it.
 *   R3  no two held ones are in each other's way, by R2; the first of the
 *       queue is always held, so somebody always goes on.
 *   R4  a thread has at most one, and takes no v_lk under it; a page fault
 *       takes none.  So no two threads wait for each other.
 *
 * Who changes a file's size holds everything from the smaller of the two
 * sizes on.  A reader of [a, b) then sees min(size, b) not change.
 *
 * Locking: rl_spin, for a walk of the queue: as long as there are threads at
 * work in the file.  Not here: desired beyond required ranges.
 */
#include <sys/vfs/range.h>

#include <core/rt/rt.h>

void
range_lock_init(struct range_lock *rl)
{
	spin_init(&rl->rl_spin, LR_range);
	rl->rl_waiting = 0;
	list_init(&rl->rl_queue);
	waitq_init(&rl->rl_waitq);
}

static bool
in_the_way(const struct range *a, const struct range *b)
{
	return (a->r_excl || b->r_excl) && rt_max(a->r_first, b->r_first) < rt_min(a->r_end, b->r_end);
}

/* [rl_spin] */
static bool
is_held(struct range_lock *rl, const struct range *r)
{
	list_foreach(before, &rl->rl_queue, struct range, r_link) {
		if (before == r)
			return true;
		if (in_the_way(before, r))
			return false;
	}
	ASSERT(!"a range in the queue");
	return false;
}

bool
range_is_held(struct range_lock *rl, const struct range *r)
{
	bool held;

	spin_lock(&rl->rl_spin);
	held = is_held(rl, r);
	spin_unlock(&rl->rl_spin);
	return held;
}

/* False: it has to be waited for, and rl_waiting counts it. */
bool
range_enter(struct range_lock *rl, struct range *r, uint64_t first, uint64_t end, bool excl)
{
	bool held;

	*r = (struct range){ .r_first = first, .r_end = end, .r_excl = excl };
	spin_lock(&rl->rl_spin);
	list_push_back(&rl->rl_queue, &r->r_link);
	held = is_held(rl, r);
	rl->rl_waiting += !held;
	spin_unlock(&rl->rl_spin);
	return held;
}

void
range_lock(struct range_lock *rl, struct range *r, uint64_t first, uint64_t end, bool excl)
{
	int error;

	if (range_enter(rl, r, first, end, excl))
		return;
	WAIT_FOR(&rl->rl_waitq, range_is_held(rl, r), NSEC_NEVER, 0, error);
	ASSERT(error == 0);
	spin_lock(&rl->rl_spin);
	rl->rl_waiting--;
	spin_unlock(&rl->rl_spin);
}

bool
range_try(struct range_lock *rl, struct range *r, uint64_t first, uint64_t end, bool excl)
{
	bool held;

	*r = (struct range){ .r_first = first, .r_end = end, .r_excl = excl };
	spin_lock(&rl->rl_spin);
	list_push_back(&rl->rl_queue, &r->r_link);
	held = is_held(rl, r);
	if (!held)
		list_remove(&r->r_link);	/* it was last: in nobody's way */
	spin_unlock(&rl->rl_spin);
	return held;
}

void
range_unlock(struct range_lock *rl, struct range *r)
{
	bool wake;

	spin_lock(&rl->rl_spin);
	list_remove(&r->r_link);
	wake = rl->rl_waiting > 0;
	spin_unlock(&rl->rl_spin);
	if (wake)
		wake_all(&rl->rl_waitq);
}
