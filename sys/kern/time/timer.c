/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer - tickless timers of a CPU.
 *
 * A tree ordered by time, with the earliest remembered; the machine is asked
 * for one interrupt, at the earliest time.  When it comes, everything that is
 * due runs, in order.
 *
 * Invariants
 *   R1  t_armed is set exactly while the timer is in the tree of t_cpu, the
 *       CPU that armed it last.
 *   R2  after any change the machine's deadline is not later than the
 *       earliest timer's.  (It may be earlier: a cancelled timer costs one
 *       empty interrupt, which is cheaper than telling the machine twice.)
 *
 * Locking: [cpu].  A timer is armed on the CPU that asks; cancelling one of
 * another CPU is a call to that one: there no timer function runs meanwhile.
 * Whoever arms and cancels one timer from several CPUs takes turns.
 */
#include <drv/intr.h>
#include <machine/clock.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/thread.h>
#include <sys/time/time.h>

struct time_cpu {
	struct rb_tree	tc_tree;
	nsec_t		tc_asked;	/* what the machine was asked for */
};
static struct time_cpu time_cpus[CPU_MAX];

_Static_assert(sizeof(struct timer) <= sizeof ((struct thread *)0)->td_timeout, "a thread embeds one timer");

void
timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .t_fn = fn };
}

static void
ask_machine(struct time_cpu *tc)
{
	struct rb_node *n = rb_first(&tc->tc_tree);
	nsec_t first = n != NULL ? rb_entry(n, struct timer, t_node)->t_when : NSEC_NEVER;

	if (first < tc->tc_asked) {
		tc->tc_asked = first;
		md_timer(first);
	}
}

static void
unlink_timer(struct timer *t)
{
	ASSERT(t->t_armed && t->t_cpu == mycpu);
	rb_remove(&mycpu->c_time->tc_tree, &t->t_node);
	t->t_armed = false;
}

/* On the timer's own CPU, in a critical section. */
static void
cancel_here(void *arg, uint64_t was_armed)
{
	struct timer *t = arg;

	*(bool *)was_armed = t->t_armed;
	if (t->t_armed)
		unlink_timer(t);
}

bool
timer_cancel(struct timer *t)
{
	struct cpu *c = t->t_cpu;
	bool armed = false;

	if (c == mycpu) {
		crit_enter();
		cancel_here(t, (uint64_t)&armed);
		crit_exit();
	} else if (c != NULL) {
		ipi_call(c->c_id, cancel_here, t, (uint64_t)&armed);
	}
	return armed;
}

void
timer_arm(struct timer *t, nsec_t when)
{
	struct time_cpu *tc;
	struct rb_node **link, *parent = NULL;

	if (t->t_cpu != mycpu)
		(void)timer_cancel(t);
	crit_enter();
	tc = mycpu->c_time;
	if (t->t_armed)
		unlink_timer(t);
	t->t_when = when;
	link = &tc->tc_tree.rb_root;
	while (*link != NULL) {
		parent = *link;
		link = when < rb_entry(parent, struct timer, t_node)->t_when ? &parent->rb_left : &parent->rb_right;
	}
	rb_insert(&tc->tc_tree, &t->t_node, parent, link);
	t->t_cpu = mycpu;
	t->t_armed = true;
	ask_machine(tc);
	crit_exit();
}

/* MD_INTR_TIMER. */
static void
timer_interrupt(void *arg)
{
	struct time_cpu *tc = mycpu->c_time;
	nsec_t now = md_now();
	struct rb_node *n;

	(void)arg;
	tc->tc_asked = NSEC_NEVER;
	while ((n = rb_first(&tc->tc_tree)) != NULL) {
		struct timer *t = rb_entry(n, struct timer, t_node);

		if (t->t_when > now)
			break;
		unlink_timer(t);
		t->t_fn(t);
	}
	ask_machine(tc);
}

/* ---------------------------------------- deadlines of sleeping threads -- */

static void
sleep_over(struct timer *t)
{
	lwkt_timed_out((struct thread *)(void *)((char *)t - offsetof(struct thread, td_timeout)));
}

void
timeout_arm(struct thread *td, nsec_t deadline)
{
	struct timer *t = (struct timer *)(void *)td->td_timeout;

	timer_init(t, sleep_over);
	timer_arm(t, deadline);
}

void
timeout_disarm(struct thread *td)
{
	(void)timer_cancel((struct timer *)(void *)td->td_timeout);
}

void
time_init_cpu(struct cpu *c)
{
	struct time_cpu *tc = &time_cpus[c->c_id];

	tc->tc_asked = NSEC_NEVER;
	c->c_time = tc;
	if (c->c_id == 0)
		intr_attach(MD_INTR_TIMER, timer_interrupt, NULL);
}
