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
 * Whoever the user itself wakes would most often end its system call and then
 * wait here.  It waits at once, still in its sleep: so two that send each other
 * messages change places once for each message and not thrice.
 *
 * An lwp changes its CPU only here, by its own call: because its affinity
 * wants it, or because the owner of the queue in which it waits sent it to
 * a CPU that has nothing to do.  That is not done at once.  What a program
 * forks most often ends, or its parent waits for it, in less time than another CPU
 * takes to wake up and to warm up; so whoever waits is sent away after
 * LONG_WAIT_NS, or if nothing is idle then, when some CPU runs out of work:
 * that one asks the busiest of those that have said so (crowded_cpus).
 * Nobody polls.  When all are busy, the end of a slice evens out what
 * differs.
 *
 * Threads that wake each other all the time are cheapest on one CPU.  Whoever
 * is woken again and again by the same other CPU, which has nothing else to
 * run, joins it, unless it has just been sent away from somebody.
 *
 * Tickless: a timer runs only while somebody waits here.  A sleeper comes
 * back with at most SLEEP_CREDIT_NS of advantage, so it is served at once but
 * cannot starve others.
 *
 * Invariants
 *   U1  us_user == NULL implies us_ready is empty.
 *   U2  an lwp in us_ready is at the border, or its sleep is over but for its
 *       turn; when it sleeps for another reason usched_leave() takes it out.
 *   U3  an lwp with l_us.dest is in no queue, and on its way out of here.
 *   U4  whoever finds no idle CPU for a waiter has set its bit in crowded_cpus
 *       before it looked; whoever idles sets its bit in idle_cpus before it looks
 *       for crowded ones.  So one of them sees the other.
 *
 * Locking: a CPU's struct usched is touched by that CPU, in a critical
 * section; us_load and the two sets are atomic hints for the others.
 */
#include "proc_int.h"
#include <abi/sched.h>
#include <core/rt/rt.h>
#include <sys/lwkt/ipi.h>

#define SLICE_NS	(6ull * 1000000)
/* advantage needed to displace the user before its slice ends */
#define PREEMPT_NS	(1ull * 1000000)
#define SLEEP_CREDIT_NS	(4ull * 1000000)
#define CPU_LOOK_NS	(10ull * 1000000)
#define LONG_WAIT_NS	(500ull * 1000)
/* after a move, no other for balance, and none to join a waker */
#define STAY_NS		(3ull * 1000000)
#define APART_NS	(100ull * 1000000)
#define TURNS_NS	(40ull * 1000000)
/* wake-ups in a row that make an lwp join its waker; more if that has the higher number, lest both move */
#define JOIN_DOWN	8u
#define JOIN_UP		24u
#define LOOK_MAX	64u		/* waiters looked at in one go */
#define IDLE_WEIGHT	3u		/* SCHED_IDLE */
#define NICE_0_WEIGHT	1024u
#define NOWHERE		CPU_MAX

struct usched {
	struct lwp	*us_user;	/* [cpu] not held: it leaves before it ends */
	struct list	us_ready;	/* [cpu] of l_us.link, ascending l_us.vtime */
	uint64_t	us_min;		/* [cpu] virtual time of the last user: only grows */
	struct timer	us_timer;
	nsec_t		us_slice_end;	/* [cpu] of the user, while others wait */
	nsec_t		us_when;	/* [cpu] the timer's; NSEC_NEVER: not armed */
	bool		us_expired;	/* [cpu] the slice is over */
	bool		us_idle;	/* [cpu] it has set its bit in idle_cpus, and nobody of this CPU took it back */
	_Atomic uint32_t us_load;	/* [atomic: owner writes] the user and who waits */
	_Atomic uint32_t us_asked;	/* [atomic] a give_one() is under way to it */
};
static struct usched usched[CPU_MAX];
static _Atomic uint64_t idle_cpus[CPU_MAX / 64];	/* [atomic] a CPU sets its bit, whoever sends it work takes it */
static _Atomic uint64_t crowded_cpus[CPU_MAX / 64];	/* [atomic: owner writes its bit] somebody has waited long */

/* ------------------------------------------------------------ affinity -- */

static bool
allowed(const struct lwp *l, uint32_t cpu)
{
	return (atomic_load_explicit(&l->l_us.cpus[cpu / 64], memory_order_relaxed) >> cpu % 64 & 1) != 0;
}

static uint32_t
load_of(uint32_t cpu)
{
	return atomic_load_explicit(&usched[cpu].us_load, memory_order_relaxed);
}

/* The CPU with the least to do on which l may run; of equals, the next after this one. */
static uint32_t
least_loaded(const struct lwp *l)
{
	uint32_t best = NOWHERE, least = UINT32_MAX, i = mycpuid;

	for (uint32_t n = 0; n < cpu_count; n++) {
		i = i + 1 < cpu_count ? i + 1 : 0;
		if (load_of(i) < least && allowed(l, i)) {
			best = i;
			least = load_of(i);
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

static void
set_crowded(bool is)
{
	_Atomic uint64_t *word = &crowded_cpus[mycpuid / 64];
	uint64_t bit = 1ull << mycpuid % 64;

	if (((atomic_load_explicit(word, memory_order_relaxed) & bit) != 0) == is)
		return;
	if (is)
		atomic_fetch_or_explicit(word, bit, memory_order_seq_cst);	/* U4 */
	else
		atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
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
	int nice = atomic_load_explicit(&l->l_proc->p_nice, memory_order_relaxed);
	uint32_t w = NICE_0_WEIGHT;

	if (atomic_load_explicit(&l->l_us.policy, memory_order_relaxed) == SCHED_IDLE)
		return IDLE_WEIGHT;

	for (; nice > 0; nice--)
		w = w * 4 / 5;
	for (; nice < 0; nice++)
		w = w * 5 / 4;
	return w;
}

void
usched_charge_weighed(struct lwp *l, nsec_t ran)
{
	l->l_us.vtime += ran * NICE_0_WEIGHT / weight(l);
}

/* SCHED_RESET_ON_FORK is not inherited; it takes a nice value below 0 from a new process. */
void
usched_fork(struct lwp *parent, struct lwp *child)
{
	uint32_t policy = atomic_load_explicit(&parent->l_us.policy, memory_order_relaxed);

	child->l_us.vtime = parent->l_us.vtime;
	child->l_us.policy = policy & ~(uint32_t)SCHED_RESET_ON_FORK;
	if ((policy & SCHED_RESET_ON_FORK) != 0 && child->l_proc != parent->l_proc && child->l_proc->p_nice < 0)
		child->l_proc->p_nice = 0;
	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		child->l_us.cpus[w] = atomic_load_explicit(&parent->l_us.cpus[w], memory_order_relaxed);
}

void
usched_first(struct lwp *l)
{
	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		l->l_us.cpus[w] = UINT64_MAX;
	l->l_us.dest = NOWHERE;
}

/* By `when` at the latest. */
static void
timer_by(struct usched *us, nsec_t when)
{
	if (us->us_when <= when)
		return;
	us->us_when = when;
	timer_arm(&us->us_timer, when);
}

/* When l may be sent to a CPU with nothing to do. */
static nsec_t
has_waited_at(const struct lwp *l)
{
	return rt_max(l->l_us.since + LONG_WAIT_NS, l->l_us.stays_until);
}

/* Who came last mostly stands last. */
static void
ready_insert(struct usched *us, struct lwp *l)
{
	struct list *at = us->us_ready.l_prev;

	while (at != &us->us_ready && list_entry(at, struct lwp, l_us.link)->l_us.vtime > l->l_us.vtime)
		at = at->l_prev;
	list_insert_before(at->l_next, &l->l_us.link);
	l->l_us.queued = true;
	l->l_us.since = time_now();
	note_load(us, 1);
	us->us_slice_end = rt_max(us->us_slice_end, l->l_us.since + PREEMPT_NS);	/* perhaps it was alone for long */
	timer_by(us, us->us_slice_end);
	if (cpu_count > 1)
		timer_by(us, has_waited_at(l));
}

static void
ready_remove(struct usched *us, struct lwp *l)
{
	list_remove(&l->l_us.link);
	l->l_us.queued = false;
	note_load(us, -1);
	if (list_empty(&us->us_ready) && cpu_count > 1)
		set_crowded(false);
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
	if (!list_empty(&us->us_ready))
		timer_by(us, us->us_slice_end);
}

/* The virtual time that everybody here has at least, but for sleepers: the user may have run long alone. */
static void
advance(struct usched *us)
{
	struct lwp *first = list_first(&us->us_ready, struct lwp, l_us.link);
	uint64_t least;

	if (us->us_user == NULL)
		return;
	least = us->us_user->l_us.vtime;
	if (first != NULL)
		least = rt_min(least, first->l_us.vtime);
	us->us_min = rt_max(us->us_min, least);
}

/* Make the first that waits the user. */
static void
choose(struct usched *us)
{
	struct lwp *l = list_first(&us->us_ready, struct lwp, l_us.link);

	if (l != NULL)
		ready_remove(us, l);
	set_user(us, l);
	if (l != NULL)
		lwkt_wake(l->l_thread);
}

/* l is not the user: has it used so much less that it should be? */
static bool
is_ahead(struct usched *us, struct lwp *l)
{
	uint64_t least;

	advance(us);
	least = us->us_min > SLEEP_CREDIT_NS ? us->us_min - SLEEP_CREDIT_NS : 0;
	l->l_us.vtime = rt_max(l->l_us.vtime, least);
	return us->us_user == NULL || l->l_us.vtime + PREEMPT_NS < us->us_user->l_us.vtime;
}

/* l is at the border and is not the user: may it be at once? */
static void
claim(struct usched *us, struct lwp *l)
{
	struct lwp *user = us->us_user;

	if (!is_ahead(us, l)) {
		ready_insert(us, l);
		return;
	}
	set_user(us, l);
	if (user != NULL)
		ready_insert(us, user);
}

/* May l be going to another CPU?  That is decided at the border. */
static bool
may_go(const struct lwp *l)
{
	return l->l_us.dest != NOWHERE || !allowed(l, mycpuid) ||
	    atomic_load_explicit(&l->l_thread->td_waker, memory_order_relaxed) != mycpuid;
}

bool
usched_waits(struct thread *td)
{
	struct lwp *l = td->td_lwp;
	struct usched *us = &usched[mycpuid];

	if (l->l_us.queued)
		return true;
	if (curlwp == NULL || curlwp != us->us_user || may_go(l) || is_ahead(us, l))
		return false;
	ready_insert(us, l);
	return true;
}

/* ----------------------------------------------------------- elsewhere -- */

static void
send_to(struct usched *us, struct lwp *l, uint32_t cpu, nsec_t now)
{
	ready_remove(us, l);
	l->l_us.dest = cpu;				/* U3 */
	l->l_us.stays_until = now + STAY_NS;
	l->l_us.apart_until = now + APART_NS;
	lwkt_wake(l->l_thread);
}

/* Those who have waited long go where there is nothing to do.  True: somebody could not. */
static bool
send_waiters(struct usched *us, nsec_t now)
{
	uint32_t looks = 0, cpu;

	list_foreach_safe(l, &us->us_ready, struct lwp, l_us.link) {
		if (++looks > LOOK_MAX)
			return true;
		if (has_waited_at(l) > now) {
			timer_by(us, has_waited_at(l));
			continue;
		}
		set_crowded(true);			/* U4 */
		cpu = take_idle(l);
		if (cpu == NOWHERE)
			return true;
		if (cpu != mycpuid)			/* else a bit from before this CPU had work */
			send_to(us, l, cpu, now);
	}
	return false;
}

/*
 * All are busy.  One goes where two less wait; or, once in a while, one less:
 * then that CPU has one too many, so all take turns in being alone.
 */
static void
even_out(struct usched *us, nsec_t now)
{
	uint32_t mine = atomic_load_explicit(&us->us_load, memory_order_relaxed), looks = 0;

	list_foreach(l, &us->us_ready, struct lwp, l_us.link) {
		uint32_t cpu, more = now >= l->l_us.stays_until + TURNS_NS ? 1 : 2;

		if (++looks > LOOK_MAX / 8)
			return;
		if (has_waited_at(l) > now)
			continue;
		cpu = least_loaded(l);
		if (load_of(cpu) + more <= mine) {
			send_to(us, l, cpu, now);
			return;
		}
	}
}

static void
timer_fired(struct timer *t)
{
	struct usched *us = container_of(t, struct usched, us_timer);
	nsec_t now = time_now();
	bool ended = now >= us->us_slice_end;

	us->us_when = NSEC_NEVER;
	if (ended)
		us->us_expired = true;
	if (list_empty(&us->us_ready))
		return;
	if (cpu_count > 1 && send_waiters(us, now) && ended)
		even_out(us, now);
	if (!ended && !list_empty(&us->us_ready))
		timer_by(us, us->us_slice_end);
}

/* From a CPU that has nothing to do: one of those who wait here may go there. */
static void
give_one(void *unused, uint64_t cpu)
{
	struct usched *us = &usched[mycpuid];
	nsec_t now = time_now();
	uint32_t looks = 0;

	(void)unused;
	atomic_store_explicit(&us->us_asked, 0, memory_order_relaxed);
	list_foreach(l, &us->us_ready, struct lwp, l_us.link) {
		if (++looks > LOOK_MAX)
			break;
		if (has_waited_at(l) <= now && allowed(l, (uint32_t)cpu)) {
			send_to(us, l, (uint32_t)cpu, now);
			return;
		}
	}
	set_crowded(false);		/* who waits may not go there; the timer tells again */
}

/* The busiest of those where somebody has waited long; NOWHERE: none. */
static uint32_t
most_crowded(void)
{
	uint32_t best = NOWHERE, most = 0;

	for (uint32_t w = 0; w * 64 < cpu_count; w++) {
		uint64_t set = atomic_load_explicit(&crowded_cpus[w], memory_order_seq_cst);

		for (; set != 0; set &= set - 1) {
			uint32_t cpu = w * 64 + (uint32_t)__builtin_ctzll(set);
			uint32_t load = load_of(cpu);

			if (load > most && cpu != mycpuid) {
				best = cpu;
				most = load;
			}
		}
	}
	return best;
}

/* Before a CPU idles: tell, and ask whoever has the most to do. */
static void
on_idle(void)
{
	uint32_t me = mycpuid, cpu;

	usched[me].us_idle = true;
	if ((atomic_load_explicit(&idle_cpus[me / 64], memory_order_relaxed) >> me % 64 & 1) == 0)
		atomic_fetch_or_explicit(&idle_cpus[me / 64], 1ull << me % 64, memory_order_seq_cst);	/* U4 */
	cpu = most_crowded();
	if (cpu != NOWHERE && atomic_exchange_explicit(&usched[cpu].us_asked, 1, memory_order_relaxed) == 0)
		ipi_send(cpu, give_one, NULL, me);
}

/* This CPU has something to do in user mode. */
static void
not_idle(struct usched *us)
{
	us->us_idle = false;
	atomic_fetch_and_explicit(&idle_cpus[mycpuid / 64], ~(1ull << mycpuid % 64), memory_order_relaxed);
}

/* l has slept and comes back: the CPU of its waker, if it should go on there. */
static uint32_t
join_waker(struct lwp *l)
{
	uint32_t cpu = atomic_load_explicit(&l->l_thread->td_waker, memory_order_relaxed);

	l->l_us.slept = false;
	if (cpu == mycpuid || cpu != l->l_us.waker) {
		l->l_us.waker = cpu;
		l->l_us.far = 0;
		return NOWHERE;
	}
	l->l_us.far++;
	if (l->l_us.far < (cpu < mycpuid ? JOIN_DOWN : JOIN_UP) || !allowed(l, cpu) ||
	    load_of(cpu) > 1 || time_now() < l->l_us.apart_until)
		return NOWHERE;
	l->l_us.far = 0;
	return cpu;
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

/* Its slice is over, or it gives way. */
static void
slice_ends(struct usched *us, struct lwp *l)
{
	us->us_expired = false;
	us->us_slice_end = time_now() + SLICE_NS;
	if (list_empty(&us->us_ready))
		return;
	ready_insert(us, l);
	choose(us);
	figure_add(&l->l_ru.ru_nivcsw, us->us_user != l);
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
	if ((l->l_proc->p_border & PB_CPU) != 0 && us->us_when == NSEC_NEVER)
		timer_by(us, time_now() + CPU_LOOK_NS);
	user = us->us_user == l;
	atomic_store_explicit(&l->l_us.waiting, !user, memory_order_relaxed);
	if (us->us_idle)
		not_idle(us);
	crit_exit();
	return user;
}

/* Until l is the user, has been sent elsewhere, or may not stay. */
static void
wait_turn(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];

	crit_enter();
	while (us->us_user != l && l->l_us.dest == NOWHERE && allowed(l, mycpuid))
		lwkt_sleep();
	l->l_us.waiting = false;
	crit_exit();
}

bool
usched_is_user(const struct lwp *l)
{
	const struct usched *us = &usched[mycpuid];

	return us->us_user == l && !us->us_expired && !us->us_idle && !l->l_us.slept &&
	    l->l_us.dest == NOWHERE && allowed(l, mycpuid);
}

void
usched_enter(struct lwp *l)
{
	for (;;) {
		uint32_t dest = l->l_us.dest;

		l->l_us.dest = NOWHERE;
		if (l->l_us.slept && dest == NOWHERE)
			dest = join_waker(l);
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
	if ((td_flags(l->l_thread) & TDF_INTERRUPTIBLE) != 0 && cpu_count > 1)
		l->l_us.slept = true;
	if (l->l_us.queued)
		ready_remove(us, l);			/* U2 */
	if (us->us_user == l)
		choose(us);
	crit_exit();
}

/* sched_yield: behind the first of those who wait. */
void
usched_yield(struct lwp *l)
{
	struct usched *us = &usched[mycpuid];
	struct lwp *first;

	crit_enter();
	first = list_first(&us->us_ready, struct lwp, l_us.link);
	if (us->us_user == l && first != NULL) {
		l->l_us.vtime = rt_max(l->l_us.vtime, first->l_us.vtime);
		us->us_expired = true;
	}
	crit_exit();
}

void
usched_affinity(struct lwp *l, const uint64_t cpus[CPU_MAX / 64])
{
	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		atomic_store_explicit(&l->l_us.cpus[w], cpus[w], memory_order_relaxed);
	lwkt_wake(l->l_thread);			/* a guest comes to the border and looks */
}

void
usched_init(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		list_init(&usched[i].us_ready);
		timer_init(&usched[i].us_timer, timer_fired);
		usched[i].us_when = NSEC_NEVER;
	}
	if (cpu_count > 1)
		lwkt_set_idle_hook(on_idle);
}
