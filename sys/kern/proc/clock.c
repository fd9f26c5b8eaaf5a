/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock - what a process has used, and timers that count it.
 *
 * Time is booked when an lwp crosses between user and kernel and when it
 * leaves the CPU.  ITIMER_REAL is a timer of the time layer that is armed
 * again when its signal has been taken; the two that count CPU time, moments
 * that others wait for (struct cputimer), and RLIMIT_CPU are looked at by the user
 * loop, which for such processes stops the program every CPU_LOOK_NS.
 *
 * Locking: p_sig for the timers; an lwp's account is its own.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/resource.h>
#include <core/rt/rt.h>

#define CPUTIMERS_MAX	256u		/* for one process */

enum { REAL, VIRTUAL, PROF };

void
lwp_account(struct lwp *l, nsec_t now, bool user)
{
	nsec_t ran = l->l_mode_start == 0 || now < l->l_mode_start ? 0 : now - l->l_mode_start;

	l->l_mode_start = now;
	if (user) {
		figure_add(&l->l_ru.ru_utime, (int64_t)ran);
		figure_add(&mycpu->c_user_ns, (int64_t)ran);
	} else {
		figure_add(&l->l_ru.ru_stime, (int64_t)ran);
		figure_add(&mycpu->c_sys_ns, (int64_t)ran);
	}
	usched_charge(l, ran);
}

void
rusage_add(struct rusage_acc *to, const struct rusage_acc *more)
{
	to->ru_utime += figure(&more->ru_utime);
	to->ru_stime += figure(&more->ru_stime);
	to->ru_minflt += figure(&more->ru_minflt);
	to->ru_majflt += figure(&more->ru_majflt);
	to->ru_nvcsw += figure(&more->ru_nvcsw);
	to->ru_nivcsw += figure(&more->ru_nivcsw);
	to->ru_rchar += figure(&more->ru_rchar);
	to->ru_wchar += figure(&more->ru_wchar);
	to->ru_syscr += figure(&more->ru_syscr);
	to->ru_syscw += figure(&more->ru_syscw);
}

void
proc_times(struct proc *p, struct rusage_acc *out)
{
	if (curlwp != NULL && p == curproc)
		lwp_account(curlwp, time_now(), false);
	spin_lock(&p->p_sig);
	*out = p->p_ru;
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		rusage_add(out, &l->l_ru);
	spin_unlock(&p->p_sig);
}

/* p_sig held. */
static bool
cpu_time_locked(struct proc *p, int32_t tid, bool user_only, nsec_t *out)
{
	struct rusage_acc ru = tid == 0 ? p->p_ru : (struct rusage_acc){ 0 };
	bool found = tid == 0;

	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (tid == 0 || l->l_tid == tid) {
			rusage_add(&ru, &l->l_ru);
			found = true;
		}
	*out = ru.ru_utime + (user_only ? 0 : ru.ru_stime);
	return found;
}

bool
proc_cpu_time(struct proc *p, int32_t tid, bool user_only, nsec_t *out)
{
	bool found;

	if (curlwp != NULL && p == curproc)
		lwp_account(curlwp, time_now(), false);
	spin_lock(&p->p_sig);
	found = cpu_time_locked(p, tid, user_only, out);
	spin_unlock(&p->p_sig);
	return found;
}

static uint64_t
used_by(struct proc *p, int which)
{
	struct rusage_acc ru;

	proc_times(p, &ru);
	return which == VIRTUAL ? ru.ru_utime : ru.ru_utime + ru.ru_stime;
}

/* ------------------------------------------------------------------- timers -- */

void
proc_alarm_fired(struct timer *t)
{
	struct proc *p = container_of(t, struct proc, p_alarm);

	spin_lock(&p->p_sig);
	if (p->p_itimer[REAL][1] == 0)
		p->p_itimer[REAL][0] = 0;
	else
		p->p_alarm_fired = true;
	spin_unlock(&p->p_sig);
	sig_post(p, SIGALRM, NULL);
}

/*
 * The current process has taken SIGALRM, from whomever.  As Linux has it, a
 * period whose signal was ignored ends the timer.
 */
void
proc_alarm_taken(void)
{
	struct proc *p = curproc;
	uint64_t *it = p->p_itimer[REAL];
	bool again;

	if (!p->p_alarm_fired)
		return;
	token_get(&p->p_tok);
	spin_lock(&p->p_sig);
	again = p->p_alarm_fired;
	p->p_alarm_fired = false;
	if (again)
		it[0] += ((time_now() - it[0]) / it[1] + 1) * it[1];
	spin_unlock(&p->p_sig);
	if (again)
		timer_arm(&p->p_alarm, it[0]);
	token_release(&p->p_tok);
}

/* p_sig held: else two who look would undo each other. */
static void
watch_locked(struct proc *p)
{
	if (p->p_itimer[VIRTUAL][0] != 0 || p->p_itimer[PROF][0] != 0 || p->p_ncputimers > 0 ||
	    p->p_rlimit[RLIMIT_CPU][0] != RLIM_INFINITY)
		atomic_fetch_or(&p->p_border, PB_CPU);
	else
		atomic_fetch_and(&p->p_border, ~PB_CPU);
}

void
proc_cpu_watch(struct proc *p)
{
	spin_lock(&p->p_sig);
	watch_locked(p);
	spin_unlock(&p->p_sig);
}

void
proc_itimer(int which, const uint64_t val[2], uint64_t old[2])
{
	struct proc *p = curproc;
	uint64_t now = which == REAL ? time_now() : used_by(p, which);

	ASSERT(which >= REAL && which <= PROF);
	token_get(&p->p_tok);			/* two threads that set it: one after the other */
	if (val != NULL && which == REAL)
		timer_cancel(&p->p_alarm);
	spin_lock(&p->p_sig);
	if (old != NULL) {
		uint64_t next = p->p_itimer[which][0];

		/* Something that is about to fire has at least a microsecond left. */
		old[0] = next > now ? rt_max(next - now, 1000) : 1000;
		if (next == 0 || (which == REAL && p->p_alarm_fired))
			old[0] = 0;
		old[1] = p->p_itimer[which][1];
	}
	if (val != NULL) {
		p->p_itimer[which][0] = val[0] == 0 ? 0 : now + rt_min(val[0], INT64_MAX);
		p->p_itimer[which][1] = val[0] == 0 ? 0 : val[1];
		p->p_alarm_fired = p->p_alarm_fired && which != REAL;
		watch_locked(p);
	}
	spin_unlock(&p->p_sig);
	if (val != NULL && which == REAL && val[0] != 0)
		timer_arm(&p->p_alarm, p->p_itimer[REAL][0]);
	token_release(&p->p_tok);
}

static bool
cpu_timer_due(struct proc *p, int which)
{
	uint64_t now = used_by(p, which), *next = &p->p_itimer[which][0], interval;
	bool due;

	spin_lock(&p->p_sig);
	due = *next != 0 && now >= *next;
	interval = p->p_itimer[which][1];
	if (due)
		*next = interval == 0 ? 0 : *next + ((now - *next) / interval + 1) * interval;
	spin_unlock(&p->p_sig);
	return due;
}

/* ------------------------------------------------------ moments of CPU time -- */

/* p_sig held. */
static void
cputimer_off(struct cputimer *ct)
{
	if (list_empty(&ct->ct_link))
		return;
	list_remove(&ct->ct_link);
	ct->ct_proc->p_ncputimers--;
}

int
cputimer_arm(struct cputimer *ct, nsec_t at)
{
	struct proc *p = ct->ct_proc;
	int error = 0;
	bool due;
	nsec_t now;

	if (p == curproc)
		lwp_account(curlwp, time_now(), false);
	spin_lock(&p->p_sig);
	ASSERT(list_empty(&ct->ct_link));
	ct->ct_at = at;
	due = cpu_time_locked(p, ct->ct_tid, ct->ct_user_only, &now) && now >= at;
	if (!due && p->p_ncputimers >= CPUTIMERS_MAX) {
		error = EAGAIN;
	} else if (!due) {
		list_push_back(&p->p_cputimers, &ct->ct_link);
		p->p_ncputimers++;
		watch_locked(p);
		/* Who runs the program now comes to the border and is stopped in time from then on. */
		list_foreach(l, &p->p_lwps, struct lwp, l_link)
			lwkt_wake(l->l_thread);
	}
	spin_unlock(&p->p_sig);
	if (due)
		ct->ct_fn(ct);
	return error;
}

void
cputimer_cancel(struct cputimer *ct)
{
	struct proc *p = ct->ct_proc;
	uint32_t turns = 0, firing;

	do {
		spin_lock(&p->p_sig);
		cputimer_off(ct);
		firing = ct->ct_firing;
		spin_unlock(&p->p_sig);
		if (firing > 0)
			md_spin(&turns);
	} while (firing > 0);
}

/* The first that is due, taken off. */
static struct cputimer *
take_due(struct proc *p)
{
	struct cputimer *due = NULL;
	nsec_t now;

	spin_lock(&p->p_sig);
	list_foreach(ct, &p->p_cputimers, struct cputimer, ct_link)
		if (cpu_time_locked(p, ct->ct_tid, ct->ct_user_only, &now) && now >= ct->ct_at) {
			due = ct;
			break;
		}
	if (due != NULL) {
		cputimer_off(due);
		due->ct_firing++;
	}
	spin_unlock(&p->p_sig);
	return due;
}

static void
cputimers_fire(struct proc *p)
{
	struct cputimer *ct;

	while (p->p_ncputimers > 0 && (ct = take_due(p)) != NULL) {
		ct->ct_fn(ct);
		spin_lock(&p->p_sig);
		ct->ct_firing--;		/* it may be gone from here on */
		spin_unlock(&p->p_sig);
		lwkt_poll();
	}
}

void
proc_cpu_check(struct lwp *l)
{
	struct proc *p = l->l_proc;
	uint64_t sec;
	bool warn;

	if (cpu_timer_due(p, VIRTUAL))
		sig_post(p, SIGVTALRM, NULL);
	if (cpu_timer_due(p, PROF))
		sig_post(p, SIGPROF, NULL);
	cputimers_fire(p);
	sec = used_by(p, PROF) / NSEC_PER_SEC;
	spin_lock(&p->p_sig);
	warn = sec >= rt_max(p->p_rlimit[RLIMIT_CPU][0], 1) && sec > p->p_cpu_warned;
	if (warn)
		p->p_cpu_warned = sec;
	spin_unlock(&p->p_sig);
	if (sec >= rt_max(p->p_rlimit[RLIMIT_CPU][1], 1))
		sig_post(p, SIGKILL, NULL);
	else if (warn)
		sig_post(p, SIGXCPU, NULL);
	proc_cpu_watch(p);
}
