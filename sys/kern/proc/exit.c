/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exit - the end of a process, and how its parent learns of it.
 *
 * A process ends itself: it gives back everything (files, memory), passes its
 * children to a reaper, and becomes a zombie that holds a status, a pid and a
 * bill.  wait takes these, or nobody wants them and they go at once.
 *
 * Invariants
 *   E1  P_ZOMBIE is entered once, with proc_tree held; from then on p_status,
 *       p_ru and p_cru do not change.
 *   E2  exactly one caller moves P_ZOMBIE to P_REAPED, with proc_tree held,
 *       and that one calls proc_remove().
 *   E3  a waiter is on its own p_waitq before it looks, so that no change is
 *       missed between the look and the sleep.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/ptrace.h>
#include <abi/wait.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/debug/kprint.h>
#include <sys/proc/view.h>
#include <sys/vm/map.h>

static void (*hangup_fn)(struct session *);		/* const after boot */
static void (*init_exit_fn)(int status);	/* const after boot */

void
proc_set_hangup(void (*fn)(struct session *))
{
	hangup_fn = fn;
}

void
proc_set_init_exit(void (*fn)(int status))
{
	init_exit_fn = fn;
}

/* -------------------------------------------------------------------- vfork -- */

void
proc_vfork_release(struct proc *child)
{
	spin_lock(&proc_tree);
	child->p_vforked = false;
	spin_unlock(&proc_tree);
	wake_all(&child->p_waitq);
}

/* The parent sleeps until the child has execed or exited; only death ends this sooner: false. */
bool
proc_wait_vfork(struct proc *child)
{
	struct waiter w;

	wait_begin(&child->p_waitq, &w);
	while (child->p_vforked) {
		if (wait_sleep(&w, NSEC_NEVER, WAIT_INTR) == 0)
			continue;
		lwkt_intr_clear(curthread);	/* before looking: what comes now sets it again */
		if (sig_killed(curlwp))
			break;
	}
	wait_end(&w);
	lwkt_interrupt(curthread);		/* the rest is looked at on the way to user mode */
	return !child->p_vforked;
}

/* --------------------------------------------------------------------- exit -- */

/* Stopped jobs that nobody can continue any more are hung up.  proc_tree held. */
static void
pgrp_abandoned(struct pgrp *pg, const struct proc *leaving)
{
	bool stopped = false;

	if (pg == NULL || !pgrp_orphaned_except(pg, leaving))
		return;
	list_foreach(p, &pg->pg_members, struct proc, p_pglink)
		stopped |= p->p_state == P_STOPPED && p != leaving;
	if (!stopped)
		return;
	list_foreach(p, &pg->pg_members, struct proc, p_pglink) {
		sig_post(p, SIGHUP, NULL);
		sig_post(p, SIGCONT, NULL);
	}
}

/* Who takes p's children: the nearest ancestor that asked for it or is its jail's first, or process 1. */
static struct proc *
reaper_of(struct proc *p)
{
	for (struct proc *up = p->p_parent; up != NULL; up = up->p_parent)
		if ((up->p_subreaper || view_is_init(up)) && up->p_state < P_EXITING)
			return up;
	return proc_first;
}

/*
 * Tell the parent of zombie p.  True: the parent wants no zombies, and the
 * caller must remove p.  proc_tree held.
 */
bool
proc_tell_parent(struct proc *p)
{
	struct proc *up = p->p_parent;
	struct k_sigaction sa = { 0 };
	struct k_siginfo info;
	bool gone;

	ASSERT(p->p_state == P_ZOMBIE && up != NULL);
	if (p->p_exit_signal != 0)
		sa = sig_action_of(up, p->p_exit_signal);
	gone = p->p_exit_signal == SIGCHLD && (sa.sa_handler == SIG_IGN || (sa.sa_flags & SA_NOCLDWAIT) != 0);
	if (gone)
		p->p_state = P_REAPED;			/* E2 */
	if (p->p_exit_signal != 0 && sa.sa_handler != SIG_IGN) {
		sig_chld_info(p, (p->p_status & 0x7f) == 0 ? CLD_EXITED : CLD_KILLED, &info);
		info.si_signo = p->p_exit_signal;
		sig_post(up, p->p_exit_signal, &info);
	}
	wake_all(&up->p_waitq);
	return gone;
}

/* proc_tree is let go and taken again for each zombie that goes: the list is looked at afresh. */
static void
give_children_away(struct proc *p)
{
	struct proc *c, *to;

	spin_lock(&proc_tree);
	while ((c = list_first(&p->p_children, struct proc, p_sibling)) != NULL) {
		to = reaper_of(p);
		list_remove(&c->p_sibling);
		list_push_back(&to->p_children, &c->p_sibling);
		proc_adopt(to, c);
		if (c->p_pdeathsig != 0)
			sig_post(c, c->p_pdeathsig, NULL);
		c->p_exit_signal = SIGCHLD;
		if (c->p_state == P_ZOMBIE && c->p_ntraced == 0 && proc_tell_parent(c)) {
			spin_unlock(&proc_tree);
			proc_remove(c);
			spin_lock(&proc_tree);
			continue;
		}
		if (c->p_pgrp != p->p_pgrp && c->p_pgrp != NULL &&
		    c->p_pgrp->pg_session == p->p_pgrp->pg_session)
			pgrp_abandoned(c->p_pgrp, NULL);
	}
	spin_unlock(&proc_tree);
}

static void
leave_session(struct proc *p)
{
	struct session *s;
	bool leader;

	spin_lock(&proc_tree);
	s = p->p_pgrp->pg_session;
	leader = s->s_leader == p;
	spin_unlock(&proc_tree);
	if (!leader)
		return;
	if (hangup_fn != NULL)
		hangup_fn(s);
	spin_lock(&proc_tree);
	s->s_leader = NULL;
	spin_unlock(&proc_tree);
}

static void
give_memory_back(struct proc *p, struct lwp *l)
{
	struct vmspace *vs = p->p_vmspace;

	md_user_leave(&l->l_uf, false);
	l->l_uf.uf_space = MD_NOSPACE;
	token_get(&p->p_tok);
	p->p_vmspace = NULL;
	if (vs != NULL)
		p->p_maxrss_kib = rt_max(p->p_maxrss_kib, vm_resident_peak(vs) * (PAGE_BYTES / 1024));
	token_release(&p->p_tok);
	if (vs != NULL)
		vmspace_drop(vs);
}

/*
 * Did p's parent keep p's group from being orphaned?  A group that was orphaned
 * before is left alone: only the exit that makes it so hangs its stopped jobs up.
 */
static bool
was_link(const struct proc *p)
{
	const struct proc *up = p->p_parent;

	return up != NULL && up != proc_first && up->p_pgrp != NULL && p->p_pgrp != NULL &&
	    up->p_pgrp != p->p_pgrp &&
	    up->p_pgrp->pg_session == p->p_pgrp->pg_session;
}

/* l is no longer one of the process's.  p_sig held. */
static void
lwp_unlink(struct proc *p, struct lwp *l)
{
	list_remove(&l->l_link);
	p->p_nlwps--;
	p->p_nleaving -= l->l_leaving;
	rusage_add(&p->p_ru, &l->l_ru);
}

/* The thread is done with l, which its tracer may free from now on. */
static void
part(struct lwp *l)
{
	usched_leave(l);
	curthread->td_leave = NULL;
	curthread->td_waits = NULL;
	curthread->td_lwp = NULL;
}

/* The last of a thread.  kept: l is its tracer's. */
static _Noreturn void
finish(struct lwp *l, bool kept)
{
	if (!kept) {
		lwp_remove(l);
		lwp_free(l);
	}
	lwkt_exit();
}

_Noreturn void
lwp_exit(void)
{
	struct lwp *l = curlwp;
	struct proc *p = curproc;
	bool stopped, kept;

	hooks_lwp_exit(l);
	md_user_leave(&l->l_uf, false);		/* the space may be gone before this thread is */
	lwp_account(l, time_now(), false);
	proc_hold(p);				/* l's reference may go with l */
	part(l);
	spin_lock(&proc_tree);
	spin_lock(&p->p_sig);
	ASSERT(p->p_nlwps > 1);
	lwp_unlink(p, l);
	/* What waited for this lwp to take it, another must. */
	list_foreach(c, &p->p_lwps, struct lwp, l_link)
		if ((p->p_sigq.sq_set & ~c->l_sigmask) != 0)
			lwkt_interrupt(c->l_thread);
	stopped = sig_stop_complete(p);
	kept = trace_die(l, l->l_status);
	spin_unlock(&p->p_sig);
	if (kept)
		trace_tell_death(l);
	spin_unlock(&proc_tree);
	if (stopped)
		sig_notify_parent(p, CLD_STOPPED);
	wake_all(&p->p_stopq);
	proc_drop(p);
	finish(l, kept);
}

static void
exit_event(struct lwp *l, int status)
{
	if (l->l_trace.t_told_exit)
		return;
	l->l_trace.t_told_exit = true;
	trace_event(l, PTRACE_EVENT_EXIT, (uint64_t)status);
}

_Noreturn void
proc_exit_thread(int code)
{
	struct lwp *l = curlwp;
	struct proc *p = curproc;
	bool last;

	exit_event(l, W_EXITCODE(code, 0));
	/* Two that go at once: exactly one is the last, and waits for the other. */
	spin_lock(&p->p_sig);
	last = p->p_nlwps - p->p_nleaving == 1;
	if (!last) {
		ASSERT(!l->l_leaving);
		l->l_leaving = true;
		p->p_nleaving++;
		l->l_status = W_EXITCODE(code, 0);
	}
	if (l->l_tid == p->p_pid && !last) {
		p->p_first_gone = true;
		p->p_first_code = code;
	}
	if (last && p->p_first_gone)
		code = p->p_first_code;
	spin_unlock(&p->p_sig);
	if (last)
		proc_exit(W_EXITCODE(code, 0));
	lwp_exit();
}

/* Whoever comes first ends the others; one that is told so itself just ends. */
void
proc_end_others(int status)
{
	struct lwp *l = curlwp;
	struct proc *p = curproc;
	int error;

	spin_lock(&p->p_sig);
	if (l->l_exit) {
		spin_unlock(&p->p_sig);
		lwp_exit();
	}
	list_foreach(c, &p->p_lwps, struct lwp, l_link)
		if (c != l) {
			c->l_exit = true;
			c->l_status = status;
			lwkt_interrupt(c->l_thread);
			wake_all(&c->l_trace.t_waitq);
		}
	spin_unlock(&p->p_sig);
	wake_all(&p->p_stopq);
	WAIT_FOR(&p->p_stopq, p->p_nlwps == 1, NSEC_NEVER, 0, error);
	ASSERT(error == 0);
}

/* True: l is its tracer's. */
static bool
become_zombie(struct proc *p, struct lwp *l)
{
	bool gone, kept;

	lwp_account(l, time_now(), false);
	proc_hold(p);			/* l's reference goes with l, as soon as its tracer has heard */
	part(l);
	spin_lock(&proc_tree);
	if (was_link(p))
		pgrp_abandoned(p->p_pgrp, p);
	spin_lock(&p->p_sig);
	lwp_unlink(p, l);
	p->p_events = 0;
	p->p_state = P_ZOMBIE;				/* E1 */
	kept = trace_die(l, p->p_status);
	spin_unlock(&p->p_sig);
	if (kept)
		trace_tell_death(l);
	trace_tell_end(p);
	gone = p->p_ntraced == 0 && proc_tell_parent(p);
	spin_unlock(&proc_tree);
	proc_tell_ended(p);
	if (gone)
		proc_remove(p);
	proc_drop(p);
	return kept;
}

_Noreturn void
proc_exit(int status)
{
	struct lwp *l = curlwp;
	struct proc *p = curproc;

	ASSERT(l != NULL && p->p_state != P_ZOMBIE);
	if (p == proc_first) {
		kprintf("proc: process 1 has ended with status %#x\n", (unsigned)status);
		if (init_exit_fn != NULL)
			init_exit_fn(status);
		md_power_off((status & 0x7f) != 0 ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
	exit_event(l, status);
	proc_end_others(status);
	if (view_is_init(p))
		view_end();
	spin_lock(&p->p_sig);
	p->p_state = P_EXITING;
	p->p_status = status;
	spin_unlock(&p->p_sig);
	timer_cancel(&p->p_alarm);
	hooks_lwp_exit(l);
	leave_session(p);
	hooks_exit(p);
	give_memory_back(p, l);
	proc_vfork_release(p);
	trace_let_go(p);
	give_children_away(p);
	finish(l, become_zombie(p, l));
}

_Noreturn void
proc_exit_signal(int sig)
{
	proc_exit(W_EXITCODE(0, sig));
}

/* --------------------------------------------------------------------- wait -- */

static bool
eligible(const struct proc *c, const struct wait_args *wa)
{
	bool clone = c->p_exit_signal != SIGCHLD;

	if (wa->wa_idtype == P_PID && c->p_pid != wa->wa_id)
		return false;
	if (wa->wa_idtype == P_PIDFD && c != wa->wa_proc)
		return false;
	if (wa->wa_idtype == P_PGID && (c->p_pgrp == NULL || c->p_pgrp->pg_pgid != wa->wa_id))
		return false;
	return (wa->wa_options & __WALL) != 0 || clone == ((wa->wa_options & __WCLONE) != 0);
}

/*
 * Has child c of p something to report, and not to a tracer?  Takes it unless
 * WNOWAIT.  proc_tree held.
 */
static bool
take_news(const struct proc *p, struct proc *c, const struct wait_args *wa, struct wait_result *wr)
{
	bool keep = (wa->wa_options & WNOWAIT) != 0, news = false;

	spin_lock(&c->p_sig);
	if (c->p_state == P_ZOMBIE && c->p_ntraced == 0 && (wa->wa_options & WEXITED) != 0) {
		wr->wr_status = c->p_status;
		if (!keep)
			c->p_state = P_REAPED;		/* E2 */
		news = true;
	} else if (c->p_state == P_STOPPED && (c->p_events & PE_STOPPED) != 0 &&
	    c->p_tracer != p && (wa->wa_options & WSTOPPED) != 0) {
		wr->wr_status = c->p_status;
		news = true;
	} else if ((c->p_events & PE_CONTINUED) != 0 && (wa->wa_options & WCONTINUED) != 0) {
		wr->wr_status = W_CONTINUED;
		news = true;
	}
	if (news && !keep)
		c->p_events = 0;
	spin_unlock(&c->p_sig);
	return news;
}

/* One look at all children.  0: wr filled, wr_pid 0 when nothing is new; ECHILD. */
static int
look(struct proc *p, const struct wait_args *wa, struct wait_result *wr)
{
	struct proc *found = NULL;
	struct trace_end end = { 0 };
	struct cred *cr;
	bool reap, ended;

	memset(wr, 0, sizeof(*wr));
	spin_lock(&proc_tree);
	list_foreach(c, &p->p_children, struct proc, p_sibling) {
		if (c->p_state == P_REAPED || !eligible(c, wa))
			continue;
		end.te_any = true;
		if (!take_news(p, c, wa, wr))
			continue;
		found = c;
		wr->wr_pid = c->p_pid;
		proc_hold(c);
		break;
	}
	if (found == NULL)
		found = trace_wait(p, wa, wr, &end);
	reap = found != NULL && found->p_state == P_REAPED && !end.te_unwanted;
	ended = found != NULL && found->p_state >= P_ZOMBIE;
	spin_unlock(&proc_tree);
	if (found == NULL)
		return end.te_any ? 0 : ECHILD;

	cr = proc_cred(found);
	wr->wr_uid = cr->cr_uid;
	cred_drop(cr);
	if (ended) {					/* E1: no lock */
		wr->wr_ru = found->p_ru;
		rusage_add(&wr->wr_ru, &found->p_cru);
		wr->wr_maxrss_kib = found->p_maxrss_kib;
	} else
		proc_times(found, &wr->wr_ru);
	if (reap) {
		spin_lock(&p->p_sig);			/* another thread may reap another child */
		rusage_add(&p->p_cru, &wr->wr_ru);
		p->p_cmaxrss_kib = rt_max(p->p_cmaxrss_kib, found->p_maxrss_kib);
		spin_unlock(&p->p_sig);
	}
	if (end.te_dead != NULL)
		trace_bury(end.te_dead);
	if (reap || end.te_unwanted)
		proc_remove(found);
	proc_drop(found);
	return 0;
}

int
proc_wait(const struct wait_args *wa, struct wait_result *wr)
{
	struct proc *p = curproc;
	struct waiter w;
	bool interrupted = false;
	int error;

	error = look(p, wa, wr);
	if (error != 0 || wr->wr_pid != 0 || (wa->wa_options & WNOHANG) != 0)
		return error;
	wait_begin(&p->p_waitq, &w);			/* E3 */
	for (;;) {
		error = look(p, wa, wr);
		if (error != 0 || wr->wr_pid != 0 || interrupted)
			break;
		/* Perhaps by the signal that tells the news. */
		interrupted = wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0;
	}
	wait_end(&w);
	return error == 0 && wr->wr_pid == 0 ? ERESTARTSYS : error;
}

void
proc_reap_all(void)
{
	const struct wait_args wa = { .wa_idtype = P_ALL, .wa_options = WEXITED | __WALL };
	struct wait_result wr;
	struct waiter w;

	wait_begin(&curproc->p_waitq, &w);
	while (look(curproc, &wa, &wr) == 0)
		if (wr.wr_pid == 0)
			(void)wait_sleep(&w, NSEC_NEVER, 0);
	wait_end(&w);
}

int
proc_wait_any(int32_t *pid, int *status, bool block)
{
	struct wait_args wa = { .wa_idtype = P_ALL, .wa_options = WEXITED | __WALL | (block ? 0 : WNOHANG) };
	struct wait_result wr;
	int error = proc_wait(&wa, &wr);

	if (error == ERESTARTSYS) {
		lwkt_intr_clear(curthread);	/* a kernel caller has no other place to do so */
		return EINTR;
	}
	if (error != 0)
		return error;
	*pid = wr.wr_pid;
	*status = wr.wr_status;
	return 0;
}
