/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched - whose turn it is to run in user mode, and where.
 *
 * In the kernel all user threads have one LWKT priority and take turns as
 * they become ready.  User mode is entered by one lwp per CPU at a time, the
 * CPU's *user*: whoever comes to the border and is not the user waits here,
 * in order of virtual time (time used, divided by the weight of its nice
 * value), or takes the place of the user if that has clearly used more.
 *
 * An lwp changes its CPU only here, by its own call: because its affinity
 * wants it, or because the owner of the queue in which it waits sent it to
 * a CPU that has nothing to do.  That is not done at once.  What a program
 * forks most often ends, or its parent waits for it, in less time than another CPU
 * takes to wake up and to warm up; so whoever waits is sent away after
 * LONG_WAIT_NS.  A CPU that runs out of work asks the one that has the most,
 * once; nobody polls.
 *
 * Tickless: a timer runs only while somebody waits here.  A sleeper comes
 * back with at most SLEEP_CREDIT_NS of advantage, so it is served at once but
 * cannot starve others.
 *
 * Invariants
 *   U1  us_user == NULL implies us_ready is empty.
 *   U2  an lwp in us_ready is not asleep in the kernel for another reason:
 *       usched_leave() takes it out.
 *   U3  an lwp with l_us.dest is in no queue, and on its way out of here.
 *
 * Locking: a CPU's struct usched is touched by that CPU, in a critical
 * section; us_load and idle_cpus are atomic hints for the others.
 */
#include "proc_int.h"
#include <core/rt/rt.h>
#include <sys/lwkt/ipi.h>

#define SLICE_NS	(6ull * 1000000)
/* advantage needed to displace the user before its slice ends */
#define PREEMPT_NS	(1ull * 1000000)
#define SLEEP_CREDIT_NS	(4ull * 1000000)
#define CPU_LOOK_NS	(10ull * 1000000)
#define LONG_WAIT_NS	(300ull * 1000)
#define NICE_0_WEIGHT	1024u
#define NOWHERE		CPU_MAX

struct usched {
	struct lwp	*us_user;	/* [cpu] not held: it leaves before it ends */
	struct list	us_ready;	/* [cpu] of l_us.link, ascending l_us.vtime */
	uint64_t	us_min;		/* [cpu] virtual time of the last user: only grows */
	struct timer	us_timer;
	nsec_t		us_slice_end;	/* [cpu] of the user, while others wait */
	bool		us_armed;	/* [cpu] */
	bool		us_expired;	/* [cpu] the slice is over */
	_Atomic uint32_t us_load;	/* [atomic: owner writes] the user and who waits */
};
static struct usched usched[CPU_MAX];
static _Atomic uint64_t idle_cpus[CPU_MAX / 64];	/* [atomic] a CPU sets its bit, whoever sends it work takes it */

/* ------------------------------------------------------------ affinity -- */

static bool
allowed(const struct lwp *l, uint32_t cpu)
{
	return (atomic_load_explicit(&l->l_us.cpus[cpu / 64], memory_order_relaxed) >> cpu % 64 & 1) != 0;
}

/* The CPU with the least to do on which l may run. */
static uint32_t
least_loaded(const struct lwp *l)
{
	uint32_t best = NOWHERE, least = UINT32_MAX;

	for (uint32_t i = 0; i < cpu_count; i++) {
		uint32_t load = atomic_load_explicit(&usched[i].us_load, memory_order_relaxed);

		if (load < least && allowed(l, i)) {
			best = i;
			least = load;
		}
	}
	return best;
}

/* Take an idle CPU that l may use, so that nobody else sends it work; NOWHERE: none. */
static uint32_t
take_idle(const struct lwp *l)
{
	for (uint32_t w = 0; w * 64 < cpu_count; w++) {
		uint64_t idle = atomic_load_explicit(&idle_cpus[w], memory_order_relaxed) &
		    atomic_load_explicit(&l->l_us.cpus[w], memory_order_relaxed);

		for (; idle != 0; idle &= idle - 1) {
			uint64_t bit = idle & -idle;

			if ((atomic_fetch_and_explicit(&idle_cpus[w], ~bit, memory_order_relaxed) & bit) != 0)
				return w * 64 + (uint32_t)__builtin_ctzll(bit);
		}
	}
	return NOWHERE;
}

static bool
anybody_idle(void)
{
	uint64_t any = 0;

	for (uint32_t w = 0; w * 64 < cpu_count; w++)
		any |= atomic_load_explicit(&idle_cpus[w], memory_order_relaxed);
	return any != 0;
}

static void
note_load(struct usched *us, int by)
{
	uint32_t load = atomic_load_explicit(&us->us_load, memory_order_relaxed);

	atomic_store_explicit(&us->us_load, load + (uint32_t)by, memory_order_relaxed);
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
	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		child->l_us.cpus[w] = parent->l_us.cpus[w];
}

void
usched_first(struct lwp *l)
{
	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		l->l_us.cpus[w] = UINT64_MAX;
	l->l_us.dest = NOWHERE;
}

static void
timer_start(struct usched *us, nsec_t now, nsec_t len)
{
	us->us_armed = true;
	timer_arm(&us->us_timer, now + len);
}

/* The timer that somebody waits for: soon if there are CPUs with nothing to do, else when the slice ends. */
static void
watch_waiters(struct usched *us)
{
	nsec_t now = time_now();
	nsec_t left = us->us_slice_end > now ? us->us_slice_end - now : 0;

	timer_start(us, now, anybody_idle() ? rt_min(left, LONG_WAIT_NS) : left);
}

static void
ready_insert(struct usched *us, struct lwp *l)
{
	struct list *at = us->us_ready.l_next;

	while (at != &us->us_ready && list_entry(at, struct lwp, l_us.link)->l_us.vtime <= l->l_us.vtime)
		at = at->l_next;
	list_insert_before(at, &l->l_us.link);
	l->l_us.queued = true;
	note_load(us, 1);
}

static void
ready_remove(struct usched *us, struct lwp *l)
{
	list_remove(&l->l_us.link);
	l->l_us.queued = false;
	note_load(us, -1);
}

static void
set_user(struct usched *us, struct lwp *l)
{
	note_load(us, (l != NULL) - (us->us_user != NULL));
	us->us_user = l;
	us->us_expired = false;
	if (l == NULL)
		return;
	us->us_slice_end = time_now() + SLICE_NS;
	us->us_min = rt_max(us->us_min, l->l_us.vtime);
}

/* Make the first that waits the user. */
static void
choose(struct usched *us)
{
	struct lwp *l = list_first(&us->us_ready, struct lwp, l_us.link);

	set_user(us, l);
	if (l == NULL)
		return;
	ready_remove(us, l);
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
		set_user(us, l);
	} else if (l->l_us.vtime + PREEMPT_NS < user->l_us.vtime) {
		ready_insert(us, user);
		set_user(us, l);
	} else if (!l->l_us.queued) {
		l->l_us.since = time_now();
		ready_insert(us, l);
	}
}

/* ----------------------------------------------------------- elsewhere -- */

static void
send_to(struct usched *us, struct lwp *l, uint32_t cpu)
{
	ready_remove(us, l);
	l->l_us.dest = cpu;				/* U3 */
	wake_all(&l->l_us.waitq);
}

/* The longest allowed wait has passed: those whom an idle CPU can take go there. */
static void
send_waiters(struct usched *us, nsec_t now)
{
	list_foreach_safe(l, &us->us_ready, struct lwp, l_us.link) {
		uint32_t cpu;

		if (l->l_us.since + LONG_WAIT_NS > now)
			continue;
		cpu = take_idle(l);
		if (cpu == mycpuid)
			continue;			/* a bit from before this CPU had work */
		if (cpu == NOWHERE)
			return;
		send_to(us, l, cpu);
	}
}

static void
timer_fired(struct timer *t)
{
	struct usched *us = container_of(t, struct usched, us_timer);
	nsec_t now = time_now();

	us->us_armed = false;
	if (now >= us->us_slice_end)
		us->us_expired = true;
	send_waiters(us, now);
	if (!us->us_expired && !list_empty(&us->us_ready))
		watch_waiters(us);
}

/* From a CPU that has nothing to do: one of those who wait here may go there. */
static void
give_one(void *unused, uint64_t cpu)
{
	struct usched *us = &usched[mycpuid];
	nsec_t now = time_now();

	(void)unused;
	list_foreach(l, &us->us_ready, struct lwp, l_us.link) {
		if (l->l_us.since + LONG_WAIT_NS <= now && allowed(l, (uint32_t)cpu)) {
			send_to(us, l, (uint32_t)cpu);
			return;
		}
	}
	if (!list_empty(&us->us_ready))
		watch_waiters(us);			/* who has not waited long yet is sent by the timer */
}

/* Before a CPU idles: tell, and ask whoever has the most to do. */
static void
on_idle(void)
{
	uint32_t me = mycpuid, busiest = me, most = 1;

	atomic_fetch_or_explicit(&idle_cpus[me / 64], 1ull << me % 64, memory_order_relaxed);
	for (uint32_t i = 0; i < cpu_count; i++) {
		uint32_t load = atomic_load_explicit(&usched[i].us_load, memory_order_relaxed);

		if (load > most) {
			busiest = i;
			most = load;
		}
	}
	if (busiest != me)
		ipi_send(busiest, give_one, NULL, me);
}

/* Virtual time is a CPU's own: keep the distance to the others'. */
static void
move(struct lwp *l, uint32_t cpu)
{
	int64_t ahead = (int64_t)(l->l_us.vtime - usched[mycpuid].us_min);
	uint64_t min;

	lwkt_migrate(cpu);
	min = usched[mycpuid].us_min;
	l->l_us.vtime = ahead < 0 && (uint64_t)-ahead > min ? 0 : min + (uint64_t)ahead;
}

/* ---------------------------------------------------------- the border -- */

static void
slice_ends(struct usched *us, struct lwp *l)
{
	us->us_expired = false;
	us->us_slice_end = time_now() + SLICE_NS;
	if (list_empty(&us->us_ready))
		return;
	l->l_us.since = time_now();
	ready_insert(us, l);
	choose(us);
	l->l_ru.ru_nivcsw += us->us_user != l;
}

/* True: l is this CPU's user.  False: it waits in us_ready. */
static bool
try_enter(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];
	bool user;

	crit_enter();
	if (us->us_user == l && us->us_expired)
		slice_ends(us, l);
	if (us->us_user != l && !l->l_us.queued)
		claim(us, l);
	if (!us->us_armed && !list_empty(&us->us_ready))
		watch_waiters(us);
	else if (!us->us_armed && l->l_proc->p_cpu_limit)
		timer_start(us, time_now(), CPU_LOOK_NS);
	user = us->us_user == l;
	l->l_us.waiting = !user;
	crit_exit();
	return user;
}

/* Until l is the user, has been sent elsewhere, or may not stay. */
static void
wait_turn(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];
	int error;

	WAIT_FOR(&l->l_us.waitq, us->us_user == l || l->l_us.dest != NOWHERE || !allowed(l, mycpuid),
	    NSEC_NEVER, 0, error);
	l->l_us.waiting = false;
	ASSERT(error == 0);
}

void
usched_enter(struct lwp *l)
{
	for (;;) {
		uint32_t dest = l->l_us.dest;

		l->l_us.dest = NOWHERE;
		if (!allowed(l, mycpuid))
			dest = least_loaded(l);
		if (dest != NOWHERE && dest != mycpuid) {
			usched_leave(l);
			move(l, dest);
		}
		if (try_enter(l))
			return;
		wait_turn(l);
		if (usched[mycpuid].us_user == l && allowed(l, mycpuid))
			return;
	}
}

void
usched_leave(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];

	if (l->l_us.waiting)
		return;
	crit_enter();
	if (l->l_us.queued)
		ready_remove(us, l);			/* U2 */
	if (us->us_user == l)
		choose(us);
	crit_exit();
}

void
usched_affinity(struct lwp *l, const uint64_t cpus[CPU_MAX / 64])
{
	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		atomic_store_explicit(&l->l_us.cpus[w], cpus[w], memory_order_relaxed);
	wake_all(&l->l_us.waitq);
	lwkt_wake(l->l_thread);			/* a guest comes to the border and looks */
}

void
usched_init(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		list_init(&usched[i].us_ready);
		timer_init(&usched[i].us_timer, timer_fired);
	}
	if (cpu_count > 1)
		lwkt_set_idle_hook(on_idle);
}
