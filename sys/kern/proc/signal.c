/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal - posting, keeping and taking signals; what they do by default.
 *
 * Posting only marks: a bit in a pending set, perhaps a queued siginfo, and
 * an end to an interruptible sleep.  Everything else (stopping, handlers,
 * death) is done by the receiving thread itself on its way to user mode, so
 * a process changes only by its own hand.  The exceptions are SIGCONT and
 * SIGKILL, which also end a stop at once.
 *
 * Invariants
 *   S1  a bit of sq_set is set while a signal of that number is pending; the
 *       queue may lack its siginfo (no memory, or beyond the limit).
 *   S2  below SIGRTMIN at most one signal of a number is pending in a queue.
 *   S3  pending stop signals and a pending SIGCONT exclude each other.
 *   S4  SIGKILL and SIGSTOP are in no mask and have no action but the default.
 *
 * Locking: p_sig of the process that receives.  It is a spin lock, because
 * signals come from timers and devices too.  Memory is allocated before it is
 * taken and freed after it is released.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/resource.h>
#include <abi/wait.h>
#include <core/rt/rt.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>

struct sigq {
	struct list	q_link;
	struct k_siginfo q_info;
};

#define STOP_SET	(sigbit(SIGSTOP) | sigbit(SIGTSTP) | sigbit(SIGTTIN) | sigbit(SIGTTOU))
#define IGNORE_SET	(sigbit(SIGCHLD) | sigbit(SIGCONT) | sigbit(SIGURG) | sigbit(SIGWINCH))
#define SYNC_SET	(sigbit(SIGSEGV) | sigbit(SIGBUS) | \
	    sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGFPE) | sigbit(SIGSYS))
#define UNBLOCKABLE	(sigbit(SIGKILL) | sigbit(SIGSTOP))
#define SA_KNOWN	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | 0x800 | SA_RESTORER | \
	    SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND)

/* ----------------------------------------------------------------- queues -- */

void
sig_flush_set(struct sigqueue *q, sigset_t set, struct list *freed)
{
	if ((q->sq_set & set) == 0)
		return;
	q->sq_set &= ~set;
	list_foreach_safe(e, &q->sq_list, struct sigq, q_link)
		if ((sigbit(e->q_info.si_signo) & set) != 0) {
			list_remove(&e->q_link);
			list_push_back(freed, &e->q_link);
			q->sq_count--;
		}
}

void
sig_free_list(struct list *freed)
{
	list_foreach_safe(e, freed, struct sigq, q_link) {
		list_remove(&e->q_link);
		kfree(e);
	}
}

void
sig_flush(struct sigqueue *q)
{
	struct list freed = LIST_INIT(freed);

	sig_flush_set(q, ~0ull, &freed);
	sig_free_list(&freed);
}

/* Take the lowest signal of `set`, faults first.  p_sig held; *freed gets what held the siginfo. */
static int
queue_take(struct sigqueue *q, sigset_t set, struct k_siginfo *info, struct list *freed)
{
	sigset_t ready = q->sq_set & set;
	struct sigq *found = NULL;
	bool more = false;
	int sig;

	if (ready == 0)
		return 0;
	sig = __builtin_ctzll((ready & SYNC_SET) != 0 ? ready & SYNC_SET : ready) + 1;
	list_foreach(e, &q->sq_list, struct sigq, q_link) {
		if (e->q_info.si_signo != sig)
			continue;
		if (found != NULL) {
			more = true;
			break;
		}
		found = e;
	}
	if (!more)
		q->sq_set &= ~sigbit(sig);
	if (found == NULL) {
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		info->si_code = SI_USER;
		return sig;
	}
	*info = found->q_info;
	list_remove(&found->q_link);
	list_push_back(freed, &found->q_link);
	q->sq_count--;
	return sig;
}

static int
take_locked(struct lwp *l, sigset_t set, struct k_siginfo *info, struct list *freed)
{
	struct proc *p = l->l_proc;
	int sig;

	/* SIGKILL before all else, wherever it waits. */
	if ((p->p_sigq.sq_set & sigbit(SIGKILL) & set) != 0)
		return queue_take(&p->p_sigq, sigbit(SIGKILL), info, freed);
	sig = queue_take(&l->l_sigq, set, info, freed);
	if (sig == 0)
		sig = queue_take(&p->p_sigq, set, info, freed);
	if (sig != 0 && (sigbit(sig) & STOP_SET) != 0)
		p->p_stopping = true;
	return sig;
}

static void (*timer_taken)(struct k_siginfo *info);	/* const after boot */

void
sig_set_timer_taken(void (*fn)(struct k_siginfo *info))
{
	timer_taken = fn;
}

/* A periodic timer goes on now: one with a tiny period costs what its receiver can bear. */
static void
taken(int sig, struct k_siginfo *info)
{
	if (sig == SIGALRM)
		proc_alarm_taken();
	if (info->si_code == SI_TIMER)
		timer_taken(info);
}

int
sig_take(struct lwp *l, sigset_t set, struct k_siginfo *info)
{
	struct list freed = LIST_INIT(freed);
	int sig;

	ASSERT(l == curlwp);
	spin_lock(&l->l_proc->p_sig);
	sig = take_locked(l, set & ~UNBLOCKABLE, info, &freed);
	spin_unlock(&l->l_proc->p_sig);
	sig_free_list(&freed);
	if (sig != 0)
		taken(sig, info);
	return sig;
}

/* ---------------------------------------------------------------- posting -- */

static bool
ignored_locked(const struct proc *p, const struct lwp *l, int sig)
{
	uint64_t h = p->p_sigact[sig - 1].sa_handler;

	if (sig != SIGKILL && (l != NULL ? trace_on(l) : p->p_ntraced > 0))
		return false;			/* the tracer wants to see it */
	if (h == SIG_IGN)
		return true;
	if (h != SIG_DFL)
		return false;
	return (sigbit(sig) & IGNORE_SET) != 0 || p == proc_first;
}

bool
sig_ignored(struct proc *p, int sig)
{
	bool yes;

	spin_lock(&p->p_sig);
	yes = p->p_sigact[sig - 1].sa_handler == SIG_IGN ||
	    (p->p_sigact[sig - 1].sa_handler == SIG_DFL && (sigbit(sig) & IGNORE_SET) != 0);
	spin_unlock(&p->p_sig);
	return yes;
}

/* A stopped process goes on.  p_sig held. */
static void
resume_locked(struct proc *p)
{
	if (p->p_state != P_STOPPED)
		return;
	p->p_state = P_ALIVE;
	wake_all(&p->p_stopq);
}

/* Stop and continue cancel each other, whether blocked, ignored or caught (S3). */
static void
stop_cont_locked(struct proc *p, int sig, struct list *freed)
{
	sigset_t gone;

	if ((sigbit(sig) & STOP_SET) != 0)
		gone = sigbit(SIGCONT);
	else if (sig == SIGCONT)
		gone = STOP_SET;
	else
		return;
	sig_flush_set(&p->p_sigq, gone, freed);
	list_foreach(l, &p->p_lwps, struct lwp, l_link) {
		sig_flush_set(&l->l_sigq, gone, freed);
		if (sig == SIGCONT)
			trace_group_cont(l);
	}
	if (sig != SIGCONT)
		return;
	p->p_stopping = false;
	if (p->p_state == P_STOPPED) {
		p->p_events = PE_CONTINUED;
		p->p_notify = p->p_stop_told ? CLD_CONTINUED : CLD_STOPPED;
		resume_locked(p);
	}
}

/* The lwp that shall take it: l, or one that does not block it; NULL: all do. */
static struct lwp *
receiver_locked(struct proc *p, struct lwp *l, int sig)
{
	if (l != NULL)
		return ((l->l_sigmask & ~l->l_sigwait) & sigbit(sig)) == 0 ? l : NULL;
	list_foreach(c, &p->p_lwps, struct lwp, l_link) {
		if (((c->l_sigmask & ~c->l_sigwait) & sigbit(sig)) != 0)
			continue;
		if (atomic_load_explicit(&c->l_thread->td_intr, memory_order_relaxed) == 0)
			return c;
		l = l != NULL ? l : c;		/* has something to do already */
	}
	return l;
}

static bool
blocked_locked(struct proc *p, struct lwp *l, int sig)
{
	if (l == NULL)
		l = list_first(&p->p_lwps, struct lwp, l_link);
	return l != NULL && ((l->l_sigmask | l->l_sigwait) & sigbit(sig)) != 0;
}

/* *q is taken over (and NULL then) when it was queued. */
static int
post_locked(struct proc *p, struct lwp *l, int sig, bool must_queue, struct sigq **q, struct list *freed)
{
	struct sigqueue *sq = l != NULL ? &l->l_sigq : &p->p_sigq;
	struct lwp *to;

	if (p->p_state >= P_EXITING)
		return 0;
	stop_cont_locked(p, sig, freed);
	if (!blocked_locked(p, l, sig) && ignored_locked(p, l, sig))
		return 0;
	if (sig < SIGRTMIN && (sq->sq_set & sigbit(sig)) != 0)
		return 0;					/* S2 */
	if (*q != NULL && sq->sq_count < p->p_rlimit[RLIMIT_SIGPENDING][0]) {
		list_push_back(&sq->sq_list, &(*q)->q_link);
		sq->sq_count++;
		*q = NULL;
	} else if (must_queue)
		return EAGAIN;
	sq->sq_set |= sigbit(sig);

	if (sig == SIGKILL) {
		resume_locked(p);
		p->p_stopping = false;
		list_foreach(c, &p->p_lwps, struct lwp, l_link) {
			lwkt_interrupt(c->l_thread);
			wake_all(&c->l_trace.t_waitq);
		}
		return 0;
	}
	to = receiver_locked(p, l, sig);
	if (to != NULL)
		lwkt_interrupt(to->l_thread);
	return 0;
}

struct lwp *
sig_lwp_of(struct proc *p, int32_t tid)
{
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (l->l_tid == tid)
			return l;
	return NULL;
}

static void (*sig_watch)(struct proc *p);	/* const after boot */

void
sig_set_watch(void (*fn)(struct proc *p))
{
	sig_watch = fn;
}

/* To lwp l, or thread tid, or (NULL, 0) the process.  *queued: the siginfo waits to be taken. */
static int
send(struct proc *p, struct lwp *l, int32_t tid, int sig, const struct k_siginfo *info, bool *queued)
{
	struct list freed = LIST_INIT(freed);
	struct sigq *q = NULL;
	bool must_queue = sig >= SIGRTMIN && info != NULL && info->si_code != SI_USER, ready;
	int error;

	ASSERT(sig >= 1 && sig <= NSIG);
	if (sig != SIGKILL)
		q = kmalloc(sizeof(*q), 0);
	if (q != NULL) {
		list_init(&q->q_link);
		if (info != NULL)
			q->q_info = *info;
		else {
			memset(&q->q_info, 0, sizeof(q->q_info));
			q->q_info.si_code = SI_KERNEL;
		}
		q->q_info.si_signo = sig;
	}
	ready = q != NULL;
	spin_lock(&p->p_sig);
	if (tid != 0)
		l = sig_lwp_of(p, tid);
	error = tid != 0 && l == NULL ? ESRCH : post_locked(p, l, sig, must_queue, &q, &freed);
	spin_unlock(&p->p_sig);
	if (atomic_load(&p->p_sig_watched))
		sig_watch(p);
	*queued = ready && q == NULL;
	kfree(q);
	sig_free_list(&freed);
	return error;
}

int
sig_send(struct proc *p, struct lwp *l, int sig, const struct k_siginfo *info)
{
	bool queued;

	return send(p, l, 0, sig, info, &queued);
}

int
sig_send_tid(struct proc *p, int32_t tid, int sig, const struct k_siginfo *info)
{
	bool queued;

	return send(p, NULL, tid, sig, info, &queued);
}

bool
sig_send_timer(struct proc *p, int32_t tid, const struct k_siginfo *info)
{
	bool queued;

	ASSERT(info->si_code == SI_TIMER);
	(void)send(p, NULL, tid, info->si_signo, info, &queued);
	return queued;
}

void
sig_post(struct proc *p, int sig, const struct k_siginfo *info)
{
	(void)sig_send(p, NULL, sig, info);
}

void
sig_post_lwp(struct lwp *l, int sig, const struct k_siginfo *info)
{
	(void)sig_send(l->l_proc, l, sig, info);
}

void
sig_post_pgrp(struct pgrp *pg, int sig, const struct k_siginfo *info)
{
	spin_lock(&proc_tree);
	list_foreach(p, &pg->pg_members, struct proc, p_pglink)
		(void)sig_send(p, NULL, sig, info);
	spin_unlock(&proc_tree);
}

void
sig_force(struct lwp *l, int sig, const struct k_siginfo *info)
{
	struct proc *p = l->l_proc;
	struct sigq *q = kmalloc(sizeof(*q), 0);
	struct k_sigaction *act = &p->p_sigact[sig - 1];

	ASSERT(l == curlwp);
	spin_lock(&p->p_sig);
	if ((l->l_sigmask & sigbit(sig)) != 0 || act->sa_handler == SIG_IGN)
		act->sa_handler = SIG_DFL;
	l->l_sigmask &= ~sigbit(sig);
	if (act->sa_handler == SIG_DFL)
		l->l_forced = sig;
	if ((l->l_sigq.sq_set & sigbit(sig)) == 0 && q != NULL) {
		memset(&q->q_info, 0, sizeof(q->q_info));
		if (info != NULL)
			q->q_info = *info;
		else
			q->q_info.si_code = SI_KERNEL;
		q->q_info.si_signo = sig;
		list_push_back(&l->l_sigq.sq_list, &q->q_link);
		l->l_sigq.sq_count++;
		q = NULL;
	}
	l->l_sigq.sq_set |= sigbit(sig);
	spin_unlock(&p->p_sig);
	kfree(q);
}

/* -------------------------------------------------------- asking, setting -- */

bool
sig_pending(struct lwp *l)
{
	return ((l->l_proc->p_sigq.sq_set | l->l_sigq.sq_set) & ~l->l_sigmask) != 0;
}

sigset_t
sig_pending_set(struct lwp *l)
{
	return l->l_proc->p_sigq.sq_set | l->l_sigq.sq_set;
}

bool
sig_peek(struct lwp *l, bool shared, uint64_t index, struct k_siginfo *info)
{
	struct sigqueue *q = shared ? &l->l_proc->p_sigq : &l->l_sigq;
	bool found = false;

	spin_lock(&l->l_proc->p_sig);
	list_foreach(e, &q->sq_list, struct sigq, q_link)
		if (index-- == 0) {
			*info = e->q_info;
			found = true;
			break;
		}
	spin_unlock(&l->l_proc->p_sig);
	return found;
}

bool
sig_killed(struct lwp *l)
{
	return l->l_exit || ((l->l_proc->p_sigq.sq_set | l->l_sigq.sq_set) & sigbit(SIGKILL)) != 0;
}

bool
sig_is_ignored_or_blocked(struct lwp *l, int sig)
{
	struct proc *p = l->l_proc;
	bool yes;

	spin_lock(&p->p_sig);
	yes = (l->l_sigmask & sigbit(sig)) != 0 || p->p_sigact[sig - 1].sa_handler == SIG_IGN;
	spin_unlock(&p->p_sig);
	return yes;
}

/* l does not take these any more: what waits for the process, another may.  p_sig held. */
static void
retarget_locked(struct lwp *l, sigset_t set)
{
	struct proc *p = l->l_proc;

	if ((p->p_sigq.sq_set & set) == 0)
		return;
	list_foreach(c, &p->p_lwps, struct lwp, l_link)
		if (c != l && (p->p_sigq.sq_set & set & ~(c->l_sigmask & ~c->l_sigwait)) != 0)
			lwkt_interrupt(c->l_thread);
}

void
sig_set_mask(struct lwp *l, sigset_t mask)
{
	struct proc *p = l->l_proc;

	spin_lock(&p->p_sig);
	l->l_sigmask = mask & ~UNBLOCKABLE;
	retarget_locked(l, mask);
	spin_unlock(&p->p_sig);
}

void
sig_wait_set(struct lwp *l, sigset_t set)
{
	sigset_t was = l->l_sigwait;

	spin_lock(&l->l_proc->p_sig);
	l->l_sigwait = set;
	retarget_locked(l, was & ~set);
	spin_unlock(&l->l_proc->p_sig);
}

void
sig_temp_mask(struct lwp *l, const sigset_t *mask)
{
	l->l_sigsaved = l->l_sigmask;
	l->l_sigsaved_set = true;
	sig_set_mask(l, *mask);
	if (sig_pending(l))
		/* one that waited for this mask must end the sleep to come */
		lwkt_interrupt(l->l_thread);
}

void
sig_temp_mask_end(struct lwp *l)
{
	if (!l->l_sigsaved_set)
		return;
	l->l_sigsaved_set = false;
	sig_set_mask(l, l->l_sigsaved);
}

struct k_sigaction
sig_action_of(struct proc *p, int sig)
{
	struct k_sigaction sa;

	spin_lock(&p->p_sig);
	sa = p->p_sigact[sig - 1];
	spin_unlock(&p->p_sig);
	return sa;
}

int
sig_action(int sig, const struct k_sigaction *act, struct k_sigaction *old)
{
	struct proc *p = curproc;
	struct list freed = LIST_INIT(freed);
	struct k_sigaction *sa;

	if (sig < 1 || sig > NSIG || (act != NULL && (sigbit(sig) & UNBLOCKABLE) != 0))
		return EINVAL;
	sa = &p->p_sigact[sig - 1];
	spin_lock(&p->p_sig);
	if (old != NULL)
		*old = *sa;
	if (act != NULL) {
		*sa = *act;
		sa->sa_flags &= SA_KNOWN;
		sa->sa_mask &= ~UNBLOCKABLE;
		/* Setting to ignored forgets what is pending, even what is blocked. */
		if (sa->sa_handler == SIG_IGN ||
		    (sa->sa_handler == SIG_DFL && (sigbit(sig) & IGNORE_SET) != 0)) {
			sig_flush_set(&p->p_sigq, sigbit(sig), &freed);
			list_foreach(l, &p->p_lwps, struct lwp, l_link)
				sig_flush_set(&l->l_sigq, sigbit(sig), &freed);
		}
	}
	spin_unlock(&p->p_sig);
	list_foreach(e, &freed, struct sigq, q_link)
		taken(0, &e->q_info);		/* a timer goes on, ignored */
	sig_free_list(&freed);
	return 0;
}

void
sig_exec(struct proc *p)
{
	spin_lock(&p->p_sig);
	for (uint32_t i = 0; i < NSIG; i++) {
		if (p->p_sigact[i].sa_handler != SIG_IGN)
			p->p_sigact[i].sa_handler = SIG_DFL;
		p->p_sigact[i].sa_flags = 0;
		p->p_sigact[i].sa_restorer = 0;
		p->p_sigact[i].sa_mask = 0;
	}
	spin_unlock(&p->p_sig);
}

/* The rule but for SIGCONT within a session. */
static bool
may_signal(struct proc *p)
{
	const struct cred *me = cred_current();
	struct cred *c;
	bool ok;

	if (p == curproc)
		return true;
	c = proc_cred(p);
	ok = me->cr_euid == c->cr_suid || me->cr_euid == c->cr_uid || me->cr_uid == c->cr_suid ||
	    me->cr_uid == c->cr_uid;
	cred_drop(c);
	return ok || cred_capable(me, CAP_KILL);
}

int
sig_permitted(struct proc *p, int sig)
{
	int32_t mine, theirs, pgid;

	if (may_signal(p))
		return 0;
	if (sig == SIGCONT && proc_getpgid(0, &pgid, &mine) == 0 &&
	    proc_getpgid(p->p_pid, &pgid, &theirs) == 0 &&
	    mine == theirs)
		return 0;
	return EPERM;
}

int
sig_kill_pgrp(int32_t pgid, int sig, const struct k_siginfo *info)
{
	uint32_t seen = 0, sent = 0;
	struct session *mine;
	struct pgrp *pg;
	int error = EPERM, e;

	spin_lock(&proc_tree);
	mine = curproc->p_pgrp->pg_session;
	pg = pgid == 0 ? curproc->p_pgrp : pgrp_lookup(pgid);
	if (pg != NULL)
		list_foreach(p, &pg->pg_members, struct proc, p_pglink) {
			if (p->p_state == P_REAPED || !view_sees(p))
				continue;
			seen++;
			if (!may_signal(p) && !(sig == SIGCONT && pg->pg_session == mine))
				continue;
			e = sig != 0 ? sig_send(p, NULL, sig, info) : 0;
			sent += e == 0;
			error = e != 0 ? e : error;
		}
	spin_unlock(&proc_tree);
	return sent > 0 ? 0 : seen > 0 ? error : ESRCH;
}

/* --------------------------------------------------------------- delivery -- */

void
sig_chld_info(struct proc *p, int code, struct k_siginfo *info)
{
	struct cred *c = proc_cred(p);
	struct rusage_acc ru;

	memset(info, 0, sizeof(*info));
	info->si_signo = SIGCHLD;
	info->si_code = code;
	info->u.chld.pid = p->p_pid;
	info->u.chld.uid = c->cr_uid;
	cred_drop(c);
	proc_times(p, &ru);
	info->u.chld.utime = (int64_t)(ru.ru_utime / (NSEC_PER_SEC / 100));
	info->u.chld.stime = (int64_t)(ru.ru_stime / (NSEC_PER_SEC / 100));
	switch (code) {
	case CLD_EXITED:
		info->u.chld.status = p->p_status >> 8 & 0xff;
		break;
	case CLD_STOPPED:
		info->u.chld.status = p->p_status >> 8 & 0xff;
		break;
	case CLD_CONTINUED:
		info->u.chld.status = SIGCONT;
		break;
	default:
		info->u.chld.status = p->p_status & 0x7f;
	}
}

void
sig_notify_parent(struct proc *p, int code)
{
	struct k_sigaction sa;
	struct k_siginfo info;
	struct proc *up;

	sig_chld_info(p, code, &info);
	spin_lock(&proc_tree);
	up = p->p_parent;
	/* Of a stop a tracer has its own news. */
	if (up != NULL && !(code == CLD_STOPPED && up == p->p_tracer)) {
		sa = sig_action_of(up, SIGCHLD);
		if (sa.sa_handler != SIG_IGN && (sa.sa_flags & SA_NOCLDSTOP) == 0)
			sig_post(up, SIGCHLD, &info);
		wake_all(&up->p_waitq);
	}
	spin_unlock(&proc_tree);
}

/* The stop is complete when every lwp has come to it: only then the parent hears of it. */
bool
sig_stop_complete(struct proc *p)
{
	if (p->p_state != P_STOPPED || p->p_stop_told || p->p_nstopped != p->p_nlwps)
		return false;
	p->p_stop_told = true;
	p->p_events = PE_STOPPED;
	return true;
}

/*
 * Stay here while the process is stopped; what happened to it is told to the
 * parent by itself.  A tracee stays elsewhere.
 */
static void
stay_stopped(struct lwp *l)
{
	struct proc *p = l->l_proc;
	bool complete;
	int error, code;

	spin_lock(&p->p_sig);
	if (p->p_state == P_STOPPED && !l->l_exit && !trace_on(l)) {
		l->l_stopped = true;
		p->p_nstopped++;
	}
	complete = sig_stop_complete(p);
	spin_unlock(&p->p_sig);
	if (complete)
		sig_notify_parent(p, CLD_STOPPED);
	WAIT_FOR(&p->p_stopq, p->p_state != P_STOPPED || l->l_exit || trace_on(l), NSEC_NEVER, 0, error);
	ASSERT(error == 0);
	spin_lock(&p->p_sig);
	p->p_nstopped -= l->l_stopped;
	l->l_stopped = false;
	code = p->p_notify;
	p->p_notify = 0;
	spin_unlock(&p->p_sig);
	if (code != 0)
		sig_notify_parent(p, code);
}

static void
stop_by(struct lwp *l, int sig)
{
	struct proc *p = l->l_proc;
	struct pgrp *pg;

	if (sig != SIGSTOP) {
		bool orphaned;

		spin_lock(&proc_tree);
		pg = p->p_pgrp;
		orphaned = pg != NULL && pgrp_orphaned_except(pg, NULL);
		spin_unlock(&proc_tree);
		if (orphaned)
			return;			/* nobody could continue it */
	}
	spin_lock(&p->p_sig);
	if (!p->p_stopping || p->p_state != P_ALIVE) {	/* SIGCONT or SIGKILL came meanwhile */
		spin_unlock(&p->p_sig);
		return;
	}
	p->p_state = P_STOPPED;
	p->p_status = W_STOPCODE(sig);
	p->p_events = 0;
	p->p_stop_told = false;
	list_foreach(c, &p->p_lwps, struct lwp, l_link) {
		if (trace_on(c))
			trace_group_stop(c);
		if (c != l)
			lwkt_interrupt(c->l_thread);
	}
	spin_unlock(&p->p_sig);
}

/* The number that a system call in progress returned, as a positive error; 0: none, or not such. */
static int
restart_kind(const struct lwp *l)
{
	int64_t rax = (int64_t)l->l_uf.uf_regs.rax;

	if (l->l_orig_rax == ~0ull || rax > -ERESTARTSYS || rax < -ERESTART_RESTARTBLOCK)
		return 0;
	return (int)-rax;
}

static void
restart_again(struct lwp *l, uint64_t nr)
{
	l->l_uf.uf_regs.rax = nr;
	l->l_uf.uf_regs.rip -= 2;		/* the SYSCALL instruction */
}

static void
restart_with_handler(struct lwp *l, const struct k_sigaction *act)
{
	int kind = restart_kind(l);

	if (kind == ERESTARTNOINTR || (kind == ERESTARTSYS && (act->sa_flags & SA_RESTART) != 0))
		restart_again(l, l->l_orig_rax);
	else if (kind != 0)
		l->l_uf.uf_regs.rax = (uint64_t)-EINTR;
	l->l_orig_rax = ~0ull;
}

static void
restart_without_handler(struct lwp *l)
{
	int kind = restart_kind(l);

	if (kind == ERESTART_RESTARTBLOCK)
		restart_again(l, 219);		/* restart_syscall */
	else if (kind != 0)
		restart_again(l, l->l_orig_rax);
	l->l_orig_rax = ~0ull;
}

static void
run_handler(struct lwp *l, int sig, const struct k_siginfo *info, const struct k_sigaction *act)
{
	sigset_t old = l->l_sigsaved_set ? l->l_sigsaved : l->l_sigmask;
	bool steps = trace_handler_begins(l);

	restart_with_handler(l, act);
	if (sigframe_push(l, sig, info, act, old) != 0) {
		if (sig == SIGSEGV) {
			spin_lock(&l->l_proc->p_sig);
			l->l_proc->p_sigact[SIGSEGV - 1].sa_handler = SIG_DFL;
			spin_unlock(&l->l_proc->p_sig);
		}
		sig_force(l, SIGSEGV, NULL);
		return;
	}
	l->l_sigsaved_set = false;
	sig_set_mask(l, l->l_sigmask | act->sa_mask |
	    ((act->sa_flags & SA_NODEFER) != 0 ? 0 : sigbit(sig)));
	if (steps)
		trace_handler_step(l);
}

static void
act_default(struct lwp *l, int sig, bool forced)
{
	if ((sigbit(sig) & IGNORE_SET) != 0)
		return;
	if (l->l_proc == proc_first && !forced && sig != SIGKILL)
		return;
	if (l->l_proc == proc_first && sig == SIGKILL && !l->l_exit)
		return;
	if ((sigbit(sig) & STOP_SET) != 0)
		stop_by(l, sig);
	else
		proc_exit_signal(sig);
}

/* The next signal to act upon; 0: none. */
static int
take_next(struct lwp *l, struct k_siginfo *info, bool *forced)
{
	struct list freed = LIST_INIT(freed);
	int sig;

	spin_lock(&l->l_proc->p_sig);
	sig = take_locked(l, ~l->l_sigmask, info, &freed);
	*forced = sig != 0 && l->l_forced == sig;
	if (*forced)
		l->l_forced = 0;
	spin_unlock(&l->l_proc->p_sig);
	sig_free_list(&freed);
	if (sig != 0)
		taken(sig, info);
	return sig;
}

static void
act_upon(struct lwp *l, int sig, const struct k_siginfo *info, bool forced)
{
	struct proc *p = l->l_proc;
	struct k_sigaction act;

	spin_lock(&p->p_sig);
	act = p->p_sigact[sig - 1];
	if (act.sa_handler > SIG_IGN && (act.sa_flags & SA_RESETHAND) != 0)
		p->p_sigact[sig - 1].sa_handler = SIG_DFL;
	spin_unlock(&p->p_sig);
	if (act.sa_handler == SIG_DFL)
		act_default(l, sig, forced);
	else if (act.sa_handler != SIG_IGN)
		run_handler(l, sig, info, &act);
}

void
sig_deliver(struct lwp *l)
{
	struct proc *p = l->l_proc;
	struct k_siginfo info;
	bool forced;
	int sig;

	ASSERT(l == curlwp);
	for (;;) {
		while (l->l_trace.t_due != 0)
			trace_due(l);
		if ((p->p_state == P_STOPPED && !trace_on(l)) || p->p_notify != 0)
			stay_stopped(l);
		lwkt_intr_clear(curthread);	/* before looking: a signal that comes now sets it again */
		if (l->l_exit)
			lwp_exit();
		sig = take_next(l, &info, &forced);
		if (sig == 0)
			break;
		if (sig != SIGKILL && trace_on(l))
			sig = trace_signal(l, sig, &info);
		if (sig != 0)
			act_upon(l, sig, &info, forced);
	}
	restart_without_handler(l);
	if (l->l_sigsaved_set) {
		l->l_sigsaved_set = false;
		sig_set_mask(l, l->l_sigsaved);
		if (sig_pending(l))
			sig_deliver(l);		/* once: nothing is saved now */
	}
}
