/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_itimer - timers that send signals: alarm, the three interval timers,
 * and timer_create()'s.
 *
 * The interval timers are proc's (kern/proc/clock.c).  A timer made by
 * timer_create() belongs to its process, is found by a small number, and ends
 * with the process or its program.
 *
 * A periodic timer fires once and goes on when its signal is taken, with the
 * periods that have passed counted: a period of a nanosecond costs what its
 * receiver can bear.  When there is nothing to be taken, because the signal is ignored
 * or one waits already, it goes on by itself, but not faster than UNSEEN_NS.
 *
 * A timer on a clock of CPU time is a cputimer of whose time that is; all its
 * times are of that clock, and else it is as the others.
 *
 * Invariants
 *   I1  pt_timer (pt_cpu) is not armed while pt_fired is set; who clears that arms it.
 *
 * Locking: p_tok guards p_ptimers and what is in them; a timer that fires
 * does so wherever that is, does not sleep, and touches
 * pt_fired and, while that is not set, pt_next and pt_overrun.
 */
#include <abi/errno.h>
#include <abi/time.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#include "syscall_int.h"
#include "timespec.h"

#define PTIMERS_MAX	64		/* of one process */
#define UNSEEN_NS	1000000u

struct k_itimerval { struct k_timeval it_interval, it_value; };

struct ptimer {
	struct list	pt_link;	/* [p_tok] */
	struct timer	pt_timer;
	struct cputimer	pt_cpu;		/* instead of pt_timer, if it has a ct_proc */
	struct proc	*pt_proc;	/* const: outlives us */
	uint64_t	pt_value;	/* const: for the signal */
	int		pt_id, pt_signo, pt_notify, pt_clock;	/* const */
	int32_t		pt_tid;		/* const: SIGEV_THREAD_ID; 0: to the process */
	_Atomic bool	pt_fired;	/* [atomic] I1: its signal waits to be taken */
	nsec_t		pt_next;	/* [I1] 0: off */
	nsec_t		pt_interval;	/* [p_tok] */
	int		pt_overrun;	/* [I1] periods that passed until the last signal was taken */
};

/* ------------------------------------------------- alarm, interval timers -- */

static bool
timeval_ns(const struct k_timeval *tv, uint64_t *ns)
{
	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return false;
	*ns = (uint64_t)rt_min((uint64_t)tv->tv_sec, INT64_MAX / NSEC_PER_SEC) * NSEC_PER_SEC + (uint64_t)tv->tv_usec * 1000;
	return true;
}

static struct k_timeval
timeval_of(uint64_t ns)
{
	return (struct k_timeval){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC / 1000) };
}

int
sys_alarm(struct sysmsg *m, uint32_t seconds)
{
	uint64_t val[2] = { (uint64_t)seconds * NSEC_PER_SEC, 0 }, old[2];

	proc_itimer(0, val, old);
	/* Rounded to the nearest second, but never to none. */
	m->sm_result = old[0] == 0 ? 0 : (int64_t)rt_max((old[0] + NSEC_PER_SEC / 2) / NSEC_PER_SEC, 1);
	return 0;
}

static int
itimer_out(uaddr_t to, const uint64_t old[2])
{
	struct k_itimerval it = { .it_interval = timeval_of(old[1]), .it_value = timeval_of(old[0]) };

	return copyout(to, &it, sizeof it);
}

int
sys_getitimer(struct sysmsg *m, int which, uaddr_t to)
{
	uint64_t old[2];

	(void)m;
	if (which < 0 || which > 2)
		return EINVAL;
	proc_itimer(which, NULL, old);
	return itimer_out(to, old);
}

int
sys_setitimer(struct sysmsg *m, int which, uaddr_t from, uaddr_t to)
{
	struct k_itimerval it = { { 0, 0 }, { 0, 0 } };
	uint64_t val[2], old[2];
	int error = from != 0 ? copyin(&it, from, sizeof it) : 0;

	(void)m;
	if (error != 0)
		return error;
	if (which < 0 || which > 2 || !timeval_ns(&it.it_value, &val[0]) || !timeval_ns(&it.it_interval, &val[1]))
		return EINVAL;
	proc_itimer(which, val, old);
	return to != 0 ? itimer_out(to, old) : 0;
}

/* ----------------------------------------------------------- timer_create -- */

static nsec_t
ptimer_now(const struct ptimer *pt)
{
	const struct cputimer *ct = &pt->pt_cpu;
	nsec_t now = 0;

	if (ct->ct_proc == NULL)
		return time_now();
	(void)proc_cpu_time(ct->ct_proc, ct->ct_tid, ct->ct_user_only, &now);
	return now;
}

/* For pt_next. */
static int
ptimer_arm(struct ptimer *pt)
{
	if (pt->pt_cpu.ct_proc != NULL)
		return cputimer_arm(&pt->pt_cpu, pt->pt_next);
	timer_arm(&pt->pt_timer, pt->pt_next);
	return 0;
}

static void
ptimer_cancel(struct ptimer *pt)
{
	if (pt->pt_cpu.ct_proc != NULL)
		cputimer_cancel(&pt->pt_cpu);
	else
		(void)timer_cancel(&pt->pt_timer);
}

/* The first period that ends after `now`; those between have passed unnoticed. */
static void
ptimer_forward(struct ptimer *pt, nsec_t now)
{
	uint64_t missed = now > pt->pt_next ? (now - pt->pt_next) / pt->pt_interval : 0;

	pt->pt_next += (missed + 1) * pt->pt_interval;
	pt->pt_overrun = (int)rt_min(missed, INT32_MAX);
}

static void
ptimer_fire(struct ptimer *pt)
{
	struct k_siginfo info = { .si_signo = pt->pt_signo, .si_code = SI_TIMER };
	bool periodic = pt->pt_interval != 0;

	if (!periodic)
		pt->pt_next = 0;
	if (pt->pt_notify == SIGEV_NONE)
		return;
	info.u.timer.id = pt->pt_id;
	info.u.timer.value = pt->pt_value;
	atomic_store(&pt->pt_fired, periodic);
	if (!sig_send_timer(pt->pt_proc, pt->pt_tid, &info) && atomic_exchange(&pt->pt_fired, false)) {
		ptimer_forward(pt, ptimer_now(pt) + UNSEEN_NS);
		(void)ptimer_arm(pt);
	}
}

static void
ptimer_fired(struct timer *t)
{
	ptimer_fire(container_of(t, struct ptimer, pt_timer));
}

static void
ptimer_cpu_fired(struct cputimer *ct)
{
	ptimer_fire(container_of(ct, struct ptimer, pt_cpu));
}

/* p_tok held. */
static struct ptimer *
ptimer_find(struct proc *p, int id)
{
	token_assert_held(&p->p_tok);
	list_foreach(pt, &p->p_ptimers, struct ptimer, pt_link)
		if (pt->pt_id == id)
			return pt;
	return NULL;
}

/* A timer's signal has been taken by the current process. */
static void
ptimer_taken(struct k_siginfo *info)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	token_get(&p->p_tok);
	pt = ptimer_find(p, info->u.timer.id);
	if (pt != NULL && atomic_exchange(&pt->pt_fired, false)) {
		ptimer_forward(pt, ptimer_now(pt));
		info->u.timer.overrun = pt->pt_overrun;
		(void)ptimer_arm(pt);
	}
	token_release(&p->p_tok);
}

static int
sigevent_check(const struct k_sigevent *ev)
{
	if (ev->notify == SIGEV_NONE)
		return 0;
	if (ev->notify != SIGEV_SIGNAL && ev->notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID))
		return EINVAL;
	if ((ev->notify & SIGEV_THREAD_ID) != 0) {
		struct proc *p = ev->tid > 0 ? proc_find_tid(ev->tid) : NULL;
		bool ours = p == curproc;

		if (p != NULL)
			proc_drop(p);
		if (!ours)
			return EINVAL;
	}
	return ev->signo < 1 || ev->signo > NSIG ? EINVAL : 0;
}

static void
ptimer_free(struct ptimer *pt)
{
	if (pt->pt_cpu.ct_proc != NULL)
		proc_drop(pt->pt_cpu.ct_proc);
	kfree(pt);
}

static int
ptimer_make(int clock, struct ptimer **out)
{
	struct cpu_clock c = { .cc_proc = NULL };
	struct ptimer *pt;
	int error = 0;

	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI:
		break;
	case CLOCK_MONOTONIC_RAW: case CLOCK_REALTIME_COARSE: case CLOCK_MONOTONIC_COARSE:
		return EOPNOTSUPP;
	default:
		error = is_dynamic(clock) ? EOPNOTSUPP : cpu_clock_find(clock, false, &c);
	}
	if (error != 0)
		return error;
	if ((pt = kmalloc(sizeof *pt, KM_ZERO | KM_WAIT)) == NULL) {
		if (c.cc_proc != NULL)
			proc_drop(c.cc_proc);
		return EAGAIN;
	}
	timer_init(&pt->pt_timer, ptimer_fired);
	pt->pt_cpu = (struct cputimer){ .ct_proc = c.cc_proc, .ct_tid = c.cc_tid,
	    .ct_user_only = c.cc_user_only, .ct_fn = ptimer_cpu_fired };
	list_init(&pt->pt_cpu.ct_link);
	*out = pt;
	return 0;
}

int
sys_timer_create(struct sysmsg *m, int clock, uaddr_t sevp, uaddr_t out)
{
	struct k_sigevent ev = { .signo = SIGALRM, .notify = SIGEV_SIGNAL };
	struct proc *p = curproc;
	struct ptimer *pt;
	int error = 0, id = 0;

	(void)m;
	if (sevp != 0)
		error = copyin(&ev, sevp, sizeof ev);
	if (error == 0)
		error = sigevent_check(&ev);
	if (error == 0)
		error = ptimer_make(clock, &pt);
	if (error != 0)
		return error;
	pt->pt_proc = p;
	pt->pt_signo = ev.signo;
	pt->pt_notify = ev.notify;
	pt->pt_clock = clock;
	pt->pt_tid = (ev.notify & SIGEV_THREAD_ID) != 0 ? ev.tid : 0;
	token_get(&p->p_tok);
	while (ptimer_find(p, id) != NULL)
		id++;
	pt->pt_id = id;
	pt->pt_value = sevp != 0 ? ev.value : (uint64_t)id;
	if (id < PTIMERS_MAX)
		list_push_back(&p->p_ptimers, &pt->pt_link);
	token_release(&p->p_tok);
	if (id >= PTIMERS_MAX) {
		ptimer_free(pt);
		return EAGAIN;
	}
	return copyout(out, &id, sizeof id);
}

static struct k_itimerspec
ptimer_state(const struct ptimer *pt)
{
	nsec_t now = ptimer_now(pt), left = pt->pt_next == 0 ? 0 : pt->pt_next > now ? pt->pt_next - now : 1;

	if (pt->pt_next != 0 && pt->pt_next <= now && pt->pt_interval != 0)
		left = pt->pt_interval - (now - pt->pt_next) % pt->pt_interval;		/* it will go on */
	return (struct k_itimerspec){
		.it_interval = timespec_of(pt->pt_interval),
		.it_value = timespec_of(left),
	};
}

/* When a timer set to `value` is due, by the monotonic clock, or that of CPU time. */
static nsec_t
due_at(const struct ptimer *pt, bool absolute, nsec_t value)
{
	bool wall = pt->pt_clock == CLOCK_REALTIME || pt->pt_clock == CLOCK_TAI;
	nsec_t origin = wall ? time_wall() : time_now() - time_boot();

	if (absolute && pt->pt_cpu.ct_proc != NULL)
		return rt_max(value, 1);
	if (absolute)
		value = value > origin ? value - origin : 0;
	return rt_min(ptimer_now(pt) + value, (nsec_t)INT64_MAX);
}

int
sys_timer_settime(struct sysmsg *m, int timerid, uint32_t flags, uaddr_t from, uaddr_t to)
{
	struct proc *p = curproc;
	struct k_itimerspec it, old;
	struct ptimer *pt;
	nsec_t value, interval;
	int error = from == 0 ? EINVAL : copyin(&it, from, sizeof it);

	(void)m;
	if (error != 0)
		return error;
	if (!timespec_ns(&it.it_value, &value) || !timespec_ns(&it.it_interval, &interval))
		return EINVAL;
	token_get(&p->p_tok);
	pt = ptimer_find(p, timerid);
	if (pt != NULL) {
		ptimer_cancel(pt);
		old = ptimer_state(pt);
		pt->pt_interval = value != 0 ? interval : 0;
		atomic_store(&pt->pt_fired, false);
		pt->pt_overrun = 0;
		pt->pt_next = value != 0 ? due_at(pt, (flags & TIMER_ABSTIME) != 0, value) : 0;
		if (value != 0 && (error = ptimer_arm(pt)) != 0)
			pt->pt_next = 0;
	}
	token_release(&p->p_tok);
	if (pt == NULL || error != 0)
		return pt == NULL ? EINVAL : error;
	return to != 0 ? copyout(to, &old, sizeof old) : 0;
}

int
sys_timer_gettime(struct sysmsg *m, int timerid, uaddr_t to)
{
	struct proc *p = curproc;
	struct k_itimerspec it;
	struct ptimer *pt;

	(void)m;
	token_get(&p->p_tok);
	pt = ptimer_find(p, timerid);
	if (pt != NULL)
		it = ptimer_state(pt);
	token_release(&p->p_tok);
	return pt != NULL ? copyout(to, &it, sizeof it) : EINVAL;
}

int
sys_timer_getoverrun(struct sysmsg *m, int timerid)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	token_get(&p->p_tok);
	pt = ptimer_find(p, timerid);
	if (pt != NULL)
		m->sm_result = pt->pt_overrun;
	token_release(&p->p_tok);
	return pt != NULL ? 0 : EINVAL;
}

static void
ptimer_delete(struct ptimer *pt)
{
	list_remove(&pt->pt_link);
	ptimer_cancel(pt);
	ptimer_free(pt);
}

int
sys_timer_delete(struct sysmsg *m, int timerid)
{
	struct proc *p = curproc;
	struct ptimer *pt;

	(void)m;
	token_get(&p->p_tok);
	pt = ptimer_find(p, timerid);
	if (pt != NULL)
		ptimer_delete(pt);
	token_release(&p->p_tok);
	return pt != NULL ? 0 : EINVAL;
}

/* A new program, or the end: the timers go. */
static void
ptimer_clear(struct proc *p)
{
	token_get(&p->p_tok);
	list_foreach_safe(pt, &p->p_ptimers, struct ptimer, pt_link)
		ptimer_delete(pt);
	token_release(&p->p_tok);
}

static struct proc_hooks ptimer_hooks = { .ph_exec = ptimer_clear, .ph_exit = ptimer_clear };

void
ptimer_init(void)
{
	proc_add_hooks(&ptimer_hooks);
	sig_set_timer_taken(ptimer_taken);
}

/* ------------------------------------------------------------- restarting -- */

/* What an interrupted call left to be done when no handler ran. */
int
sys_restart_syscall(struct sysmsg *m)
{
	struct lwp *l = m->sm_lwp;
	uint64_t (*fn)(struct lwp *) = l->l_restart;

	if (fn == NULL)
		return EINTR;
	l->l_restart = NULL;
	return (int)fn(l);
}
