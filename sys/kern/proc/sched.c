/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched - whose turn it is to run in user mode.
 *
 * In the kernel all user threads have one LWKT priority and take turns as
 * they become ready.  User mode is entered by one lwp per CPU at a time, the
 * CPU's *user*: whoever comes to the border and is not the user waits here,
 * in order of virtual time (time used, divided by the weight of its nice
 * value), or takes the place of the user if that has clearly used more.
 *
 * Tickless: a timer runs only while somebody waits here.  A sleeper comes
 * back with at most SLEEP_CREDIT_NS of advantage, so it is served at once but
 * cannot starve others.
 *
 * Invariants
 *   U1  us_user == NULL implies us_ready is empty.
 *   U2  an lwp in us_ready is not asleep in the kernel for another reason:
 *       usched_leave() takes it out.
 *
 * Locking: a CPU's struct usched is touched by that CPU, in a critical section.
 */
#include "proc_int.h"
#include <core/rt/rt.h>

#define SLICE_NS	(6ull * 1000000)
/* advantage needed to displace the user before its slice ends */
#define PREEMPT_NS	(1ull * 1000000)
#define SLEEP_CREDIT_NS	(4ull * 1000000)
#define CPU_LOOK_NS	(10ull * 1000000)
#define NICE_0_WEIGHT	1024u

struct usched {
	struct lwp	*us_user;	/* [cpu] not held: it leaves before it ends */
	struct list	us_ready;	/* [cpu] of l_us.link, ascending l_us.vtime */
	uint64_t	us_min;		/* [cpu] virtual time of the last user: only grows */
	struct timer	us_timer;
	bool		us_armed;	/* [cpu] */
	bool		us_expired;	/* [cpu] the slice is over */
};
static struct usched usched[CPU_MAX];

static void
slice_over(struct timer *t)
{
	struct usched *us = container_of(t, struct usched, us_timer);

	us->us_armed = false;
	us->us_expired = true;
}

void
usched_init(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		list_init(&usched[i].us_ready);
		timer_init(&usched[i].us_timer, slice_over);
	}
}

/* Each step of nice is worth a factor of 1.25. */
static uint32_t
weight(const struct lwp *l)
{
	int nice = l->l_proc->p_nice;
	uint32_t w = NICE_0_WEIGHT;

	for (; nice > 0; nice--)
		w = w * 4 / 5;
	for (; nice < 0; nice++)
		w = w * 5 / 4;
	return w;
}

void
usched_charge(struct lwp *l, nsec_t ran)
{
	if (l->l_proc->p_nice == 0)
		l->l_us.vtime += ran;
	else
		l->l_us.vtime += ran * NICE_0_WEIGHT / weight(l);
}

void
usched_fork(struct lwp *parent, struct lwp *child)
{
	child->l_us.vtime = parent->l_us.vtime;
}

static void
slice_start(struct usched *us, nsec_t len)
{
	us->us_armed = true;
	timer_arm(&us->us_timer, time_now() + len);
}

static void
ready_insert(struct usched *us, struct lwp *l)
{
	struct list *at = us->us_ready.l_next;

	while (at != &us->us_ready && list_entry(at, struct lwp, l_us.link)->l_us.vtime <= l->l_us.vtime)
		at = at->l_next;
	list_insert_before(at, &l->l_us.link);
	l->l_us.queued = true;
}

static void
ready_remove(struct lwp *l)
{
	list_remove(&l->l_us.link);
	l->l_us.queued = false;
}

/* Make the first that waits the user. */
static void
choose(struct usched *us)
{
	struct lwp *l = list_first(&us->us_ready, struct lwp, l_us.link);

	us->us_user = l;
	us->us_expired = false;
	if (l == NULL)
		return;
	ready_remove(l);
	us->us_min = rt_max(us->us_min, l->l_us.vtime);
	wake_all(&l->l_us.waitq);
}

/* l is at the border and is not the user: may it be at once? */
static void
claim(struct usched *us, struct lwp *l)
{
	uint64_t least = us->us_min > SLEEP_CREDIT_NS ? us->us_min - SLEEP_CREDIT_NS : 0;
	struct lwp *user = us->us_user;

	l->l_us.vtime = rt_max(l->l_us.vtime, least);
	if (user == NULL) {
		us->us_user = l;
		us->us_min = rt_max(us->us_min, l->l_us.vtime);
		us->us_expired = false;
	} else if (l->l_us.vtime + PREEMPT_NS < user->l_us.vtime) {
		ready_insert(us, user);
		us->us_user = l;
		us->us_expired = false;
	} else if (!l->l_us.queued)
		ready_insert(us, l);
}

void
usched_enter(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];
	int error;

	crit_enter();
	if (us->us_user == l && us->us_expired) {
		us->us_expired = false;
		if (!list_empty(&us->us_ready)) {
			ready_insert(us, l);
			choose(us);
			l->l_ru.ru_nivcsw += us->us_user != l;
		}
	}
	if (us->us_user != l && !l->l_us.queued)
		claim(us, l);
	if (!us->us_armed && !list_empty(&us->us_ready))
		slice_start(us, SLICE_NS);
	else if (!us->us_armed && l->l_proc->p_cpu_limit)
		slice_start(us, CPU_LOOK_NS);
	l->l_us.waiting = us->us_user != l;
	crit_exit();
	if (!l->l_us.waiting)
		return;
	WAIT_FOR(&l->l_us.waitq, us->us_user == l, NSEC_NEVER, 0, error);
	l->l_us.waiting = false;
	ASSERT(error == 0);
}

void
usched_leave(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];

	if (l->l_us.waiting)
		return;
	crit_enter();
	if (l->l_us.queued)
		ready_remove(l);			/* U2 */
	if (us->us_user == l)
		choose(us);
	crit_exit();
}
