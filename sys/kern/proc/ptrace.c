/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ptrace - a process watches and steers the threads of others, as ptrace(2).
 *
 * A tracee is an lwp; it stops itself, at places of its own (a signal that it
 * is about to take, an end of a system call, an event, the group's stop), and
 * its tracer, a process, learns of it through wait.  Any thread of the tracer
 * may make requests, one at a time for each tracee.
 *
 *	RUNS -> STOPPED		by itself, in trace_stop(): the news is set and told
 *	STOPPED -> RUNS		by the tracer (go on, detach), or it is killed and not frozen
 *	STOPPED -> LISTENS	by the tracer, in a group's stop: stays, but is no longer there for requests
 *	LISTENS -> RUNS		by the tracer, SIGCONT, another stop, SIGKILL: to stop again at once
 *	any -> DEAD		by itself, as the last thing that its thread does with the lwp
 *
 * Invariants
 *   R1  t_tracer is set exactly while t_link is on that process's p_tracees;
 *       a process that ends lets go of all its tracees before it is a zombie,
 *       so t_tracer is never stale.
 *   R2  p_tracer is the tracer of the lwp that bears the process's number,
 *       who is told of the process's end.  The parent hears of it when no lwp of
 *       the process is traced any more (p_ntraced): no process is gone before all
 *       tracers have waited for its lwps or let go.
 *   R3  while t_frozen nobody but the freezing thread touches what is the
 *       lwp's own, and the lwp neither runs nor goes away.
 *   R4  before STOPPED is seen the tracee has brought its extended state home
 *       (md_user_leave), so the frame is all there is.
 *   R5  a DEAD lwp has no thread; it is freed by whoever unlinks it.
 *   R6  all that a stop waits for wakes t_waitq under p_sig.
 *
 * Locking: proc_tree, then the tracee's p_sig.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/ptrace.h>
#include <abi/sched.h>
#include <abi/wait.h>
#include <core/rt/rt.h>
#include <sys/proc/view.h>

/* ---------------------------------------------------------------- permission -- */

bool
ptrace_may_access(struct proc *p, enum ptrace_ids ids)
{
	const struct cred *me;
	uint32_t uid, gid;
	struct cred *c;
	bool dumpable, same;

	if (curthread->td_lwp == NULL || p == curproc)
		return true;
	me = cred_current();
	if (cred_capable(me, CAP_SYS_PTRACE))
		return true;
	uid = ids == PTRACE_FS ? me->cr_fsuid : me->cr_uid;
	gid = ids == PTRACE_FS ? me->cr_fsgid : me->cr_gid;
	token_get(&p->p_tok);
	c = cred_hold(p->p_cred);
	dumpable = p->p_dumpable;
	token_release(&p->p_tok);
	same = uid == c->cr_uid && uid == c->cr_euid && uid == c->cr_suid &&
	    gid == c->cr_gid && gid == c->cr_egid && gid == c->cr_sgid &&
	    (c->cr_cap_perm & ~(ids == PTRACE_FS ? me->cr_cap_eff : me->cr_cap_perm)) == 0;
	cred_drop(c);
	return same && dumpable;
}

bool
ptrace_bars_setid(void)
{
	struct proc *tracer;
	bool bars = false;
	struct cred *c;

	spin_lock(&proc_tree);
	tracer = curlwp->l_trace.t_tracer;
	if (tracer != NULL) {
		c = proc_cred(tracer);
		bars = !cred_capable(c, CAP_SYS_PTRACE);
		cred_drop(c);
	}
	spin_unlock(&proc_tree);
	return bars;
}

int32_t
ptrace_tracer_pid(struct proc *p, int32_t tid, bool *stopped)
{
	struct proc *tracer = NULL;
	struct lwp *l;

	*stopped = false;
	spin_lock(&proc_tree);			/* keeps the tracer */
	spin_lock(&p->p_sig);
	l = sig_lwp_of(p, tid);
	if (l != NULL) {
		tracer = l->l_trace.t_tracer;
		*stopped = l->l_trace.t_state == TRACE_STOPPED || l->l_trace.t_state == TRACE_LISTENS;
	}
	spin_unlock(&p->p_sig);
	tid = tracer != NULL && view_sees(tracer) ? tracer->p_pid : 0;
	spin_unlock(&proc_tree);
	return tid;
}

/* ------------------------------------------------------- taking, letting go -- */

void
trace_init(struct lwp *l)
{
	list_init(&l->l_trace.t_link);
	waitq_init(&l->l_trace.t_waitq);
}

/* proc_tree and p_sig held. */
static void
link(struct lwp *l, struct proc *tracer, bool seize, uint32_t options)
{
	struct lwp_trace *t = &l->l_trace;

	ASSERT(t->t_tracer == NULL && t->t_state == TRACE_RUNS);
	t->t_options = options;
	t->t_seized = seize;
	t->t_syscalls = t->t_steps = false;
	t->t_tracer = tracer;					/* R1 */
	list_push_back(&tracer->p_tracees, &t->t_link);
	l->l_proc->p_ntraced++;
	if (l->l_tid == l->l_proc->p_pid)
		l->l_proc->p_tracer = tracer;			/* R2 */
}

/* What stays stopped goes on with `sig`.  p_sig held. */
static void
go_on(struct lwp *l, int sig)
{
	l->l_trace.t_state = TRACE_RUNS;
	l->l_trace.t_signo = sig;
	l->l_trace.t_frozen = false;
	wake_all(&l->l_trace.t_waitq);				/* R6 */
}

/* proc_tree and p_sig held.  A DEAD one is the caller's to free (R5). */
static void
unlink(struct lwp *l, int sig)
{
	struct lwp_trace *t = &l->l_trace;

	list_remove(&t->t_link);
	t->t_tracer = NULL;
	l->l_proc->p_ntraced--;
	if (l->l_tid == l->l_proc->p_pid)
		l->l_proc->p_tracer = NULL;
	t->t_options = 0;
	t->t_seized = false;
	t->t_due = 0;
	if (t->t_state == TRACE_DEAD)
		return;
	if (t->t_state != TRACE_RUNS)
		go_on(l, sig);
	lwkt_interrupt(l->l_thread);		/* its group may be in a stop that it left as a tracee */
}

void
trace_bury(struct lwp *l)
{
	ASSERT(l->l_trace.t_state == TRACE_DEAD && l->l_trace.t_tracer == NULL);
	lwp_remove(l);
	lwp_free(l);
}

int
ptrace_traceme(void)
{
	struct lwp *l = curlwp;
	struct proc *p = curproc, *up;
	int error = 0;

	spin_lock(&proc_tree);
	up = p->p_parent;
	spin_lock(&p->p_sig);
	if (l->l_trace.t_tracer != NULL)
		error = EPERM;
	else if (up != NULL && up->p_state < P_EXITING)
		link(l, up, false, 0);
	spin_unlock(&p->p_sig);
	spin_unlock(&proc_tree);
	return error;
}

int
ptrace_attach(int32_t tid, bool seize, uint32_t options)
{
	struct proc *p = proc_find_tid(tid);
	int error = EPERM;
	struct lwp *l;

	if (p == NULL)
		return ESRCH;
	if (p == curproc || !ptrace_may_access(p, PTRACE_REAL)) {
		proc_drop(p);
		return EPERM;
	}
	spin_lock(&proc_tree);			/* keeps l among the living */
	spin_lock(&p->p_sig);
	l = sig_lwp_of(p, tid);
	if (l != NULL && l->l_trace.t_tracer == NULL) {
		link(l, curproc, seize, options);
		if (p->p_state == P_STOPPED)
			l->l_trace.t_due = TRACE_DUE_STOP;
		error = 0;
	}
	spin_unlock(&p->p_sig);
	if (error == 0 && !seize)
		(void)sig_send(p, l, SIGSTOP, NULL);
	spin_unlock(&proc_tree);
	wake_all(&p->p_stopq);			/* from the group's stop to a tracee's */
	proc_drop(p);
	return error;
}

bool
trace_fork(struct lwp *l, struct lwp *child, int event, uint64_t flags)
{
	struct lwp_trace *t = &l->l_trace;
	struct proc *tracer = t->t_tracer;
	bool wanted = event != 0 && (t->t_options & PTRACE_O_EVENT(event)) != 0;

	if (tracer == NULL || (!wanted && (flags & CLONE_PTRACE) == 0))
		return false;
	link(child, tracer, t->t_seized, t->t_options);
	if (t->t_seized)
		child->l_trace.t_due = TRACE_DUE_TRAP;
	else
		child->l_sigq.sq_set |= sigbit(SIGSTOP);
	return wanted;
}

/* ------------------------------------------------------------------- stopping -- */

static void
tell_tracer(struct lwp *l, int why, int status)
{
	struct proc *tracer = l->l_trace.t_tracer;
	struct k_sigaction sa = sig_action_of(tracer, SIGCHLD);
	bool end = why == CLD_EXITED || why == CLD_KILLED;
	struct k_siginfo info;

	sig_chld_info(l->l_proc, why, &info);
	info.u.chld.pid = l->l_tid;
	info.u.chld.status = status;
	if (sa.sa_handler != SIG_IGN && (end || (sa.sa_flags & SA_NOCLDSTOP) == 0))
		sig_post(tracer, SIGCHLD, &info);
	wake_all(&tracer->p_waitq);
}

/* May the stopped l go on?  Then it does. */
static bool
leaves_stop(struct lwp *l)
{
	struct lwp_trace *t = &l->l_trace;
	bool leaves;

	spin_lock(&l->l_proc->p_sig);
	leaves = t->t_state == TRACE_RUNS || (!t->t_frozen && sig_killed(l));
	if (leaves)
		t->t_state = TRACE_RUNS;
	spin_unlock(&l->l_proc->p_sig);
	return leaves;
}

static void
step_off(struct lwp *l)
{
	if (l->l_trace.t_forced_tf)
		l->l_uf.uf_regs.rflags &= ~(uint64_t)RFLAGS_TF;
	l->l_trace.t_forced_tf = false;
}

/* Stay until the tracer lets us go on; the signal to go on with. */
static int
trace_stop(struct lwp *l, int code, int why, struct k_siginfo *info)
{
	struct lwp_trace *t = &l->l_trace;
	struct proc *p = l->l_proc;
	int error, sig;

	ASSERT(l == curlwp);
	md_user_leave(&l->l_uf, false);				/* R4 */
	spin_lock(&proc_tree);
	spin_lock(&p->p_sig);
	if (t->t_tracer == NULL || sig_killed(l)) {
		spin_unlock(&p->p_sig);
		spin_unlock(&proc_tree);
		return 0;
	}
	t->t_code = code;
	t->t_info = info;
	/* If the tracer ends before it looks. */
	t->t_signo = code < NSIG && info != NULL ? info->si_signo : 0;
	t->t_news = true;
	t->t_due &= ~TRACE_DUE_TRAP;
	t->t_state = TRACE_STOPPED;
	spin_unlock(&p->p_sig);
	tell_tracer(l, why, code & 0x7f);
	spin_unlock(&proc_tree);

	WAIT_FOR(&t->t_waitq, leaves_stop(l), NSEC_NEVER, 0, error);
	ASSERT(error == 0);
	spin_lock(&p->p_sig);
	sig = t->t_signo;
	t->t_info = NULL;
	spin_unlock(&p->p_sig);
	step_off(l);
	if (t->t_tracer != NULL && t->t_steps && (l->l_uf.uf_regs.rflags & RFLAGS_TF) == 0) {
		l->l_uf.uf_regs.rflags |= RFLAGS_TF;
		t->t_forced_tf = true;
	}
	return sig;
}

static int
trap(struct lwp *l, int signo, int code, int why)
{
	struct k_siginfo info = { .si_signo = signo, .si_code = code };

	info.u.rt.pid = l->l_tid;
	info.u.rt.uid = cred_current()->cr_uid;
	return trace_stop(l, code, why, &info);
}

int
trace_signal(struct lwp *l, int sig, struct k_siginfo *info)
{
	struct proc *p = l->l_proc, *tracer;
	struct cred *c;
	bool blocked;
	int now;

	spin_lock(&p->p_sig);
	p->p_stopping = true;	/* perhaps the tracer makes a stop signal of it, and no SIGCONT comes */
	spin_unlock(&p->p_sig);
	now = trace_stop(l, sig, CLD_TRAPPED, info);
	if (now == 0)
		return 0;
	if (now != info->si_signo) {
		memset(info, 0, sizeof(*info));
		info->si_signo = now;
		info->si_code = SI_USER;
		spin_lock(&proc_tree);
		tracer = l->l_trace.t_tracer;
		if (tracer != NULL && view_sees(tracer)) {
			c = proc_cred(tracer);
			info->u.rt.pid = tracer->p_pid;
			info->u.rt.uid = c->cr_uid;
			cred_drop(c);
		}
		spin_unlock(&proc_tree);
	}
	spin_lock(&p->p_sig);
	blocked = (l->l_sigmask & sigbit(now)) != 0;
	spin_unlock(&p->p_sig);
	if (blocked)
		(void)sig_send(p, l, now, info);
	return blocked ? 0 : now;
}

/* p_sig held. */
static void
notify_locked(struct lwp *l)
{
	struct lwp_trace *t = &l->l_trace;

	t->t_due |= TRACE_DUE_NOTIFY;
	if (t->t_state == TRACE_LISTENS)
		go_on(l, 0);
}

void
trace_group_stop(struct lwp *l)
{
	l->l_trace.t_due |= TRACE_DUE_STOP;
	if (l->l_trace.t_seized && l != curlwp)
		notify_locked(l);
}

void
trace_group_cont(struct lwp *l)
{
	if (l->l_trace.t_tracer == NULL)
		return;
	l->l_trace.t_due &= ~TRACE_DUE_STOP;
	if (l->l_trace.t_seized)
		notify_locked(l);
}

void
trace_due(struct lwp *l)
{
	struct proc *p = l->l_proc;
	bool stopped, seized, complete = false;
	int sig;

	spin_lock(&p->p_sig);
	stopped = p->p_state == P_STOPPED;
	seized = l->l_trace.t_seized;
	l->l_trace.t_due = 0;
	if (stopped && !l->l_stopped) {
		l->l_stopped = true;
		p->p_nstopped++;
		complete = sig_stop_complete(p);
	}
	sig = stopped ? p->p_status >> 8 & 0xff : SIGTRAP;
	spin_unlock(&p->p_sig);
	if (complete)
		sig_notify_parent(p, CLD_STOPPED);
	if (seized)
		(void)trap(l, sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED);
	else if (stopped)
		(void)trace_stop(l, sig, CLD_STOPPED, NULL);
	spin_lock(&p->p_sig);
	p->p_nstopped -= l->l_stopped;
	l->l_stopped = false;
	spin_unlock(&p->p_sig);
}

void
trace_event(struct lwp *l, int event, uint64_t msg)
{
	if (l->l_trace.t_tracer == NULL || (l->l_trace.t_options & PTRACE_O_EVENT(event)) == 0)
		return;
	l->l_trace.t_msg = msg;
	(void)trap(l, SIGTRAP, SIGTRAP | event << 8, CLD_TRAPPED);
}

bool
trace_syscall(struct lwp *l, bool enters)
{
	struct lwp_trace *t = &l->l_trace;
	struct k_siginfo info = { .si_code = TRAP_BRKPT };
	int code = SIGTRAP | ((t->t_options & PTRACE_O_TRACESYSGOOD) != 0 ? 0x80 : 0), sig;

	if (t->t_tracer == NULL)
		return true;
	if (!enters && t->t_steps) {		/* an instruction like others */
		info.u.fault.addr = l->l_uf.uf_regs.rip;
		sig_force(l, SIGTRAP, &info);
		return true;
	}
	if (!t->t_syscalls)
		return true;
	t->t_msg = enters ? PTRACE_EVENTMSG_SYSCALL_ENTRY : PTRACE_EVENTMSG_SYSCALL_EXIT;
	sig = trap(l, SIGTRAP, code, CLD_TRAPPED);
	if (sig != 0)
		(void)sig_send(l->l_proc, l, sig, NULL);
	return l->l_orig_rax != ~0ull && !sig_killed(l);
}

bool
trace_handler_begins(struct lwp *l)
{
	step_off(l);
	return l->l_trace.t_tracer != NULL && l->l_trace.t_steps;
}

void
trace_handler_step(struct lwp *l)
{
	(void)trap(l, SIGTRAP, SIGTRAP, CLD_TRAPPED);
}

void
ptrace_exec_done(void)
{
	struct lwp *l = curlwp;
	struct lwp_trace *t = &l->l_trace;
	struct k_siginfo info = { .si_code = SI_USER };
	bool plain;

	spin_lock(&l->l_proc->p_sig);
	plain = t->t_tracer != NULL && !t->t_seized &&
	    (t->t_options & PTRACE_O_EVENT(PTRACE_EVENT_EXEC)) == 0;
	spin_unlock(&l->l_proc->p_sig);
	info.u.rt.pid = l->l_tid;
	info.u.rt.uid = cred_current()->cr_uid;
	if (plain)
		(void)sig_send(l->l_proc, l, SIGTRAP, &info);
	else
		trace_event(l, PTRACE_EVENT_EXEC, t->t_msg);
}

/* ------------------------------------------------------------------- requests -- */

/* Our tracee, with proc_tree and its p_sig held; NULL: neither is. */
static struct lwp *
tracee_get(int32_t tid)
{
	spin_lock(&proc_tree);
	list_foreach(l, &curproc->p_tracees, struct lwp, l_trace.t_link)
		if (l->l_tid == tid) {
			spin_lock(&l->l_proc->p_sig);
			return l;
		}
	spin_unlock(&proc_tree);
	return NULL;
}

static void
tracee_put(struct lwp *l)
{
	spin_unlock(&l->l_proc->p_sig);
	spin_unlock(&proc_tree);
}

int
ptrace_freeze(int32_t tid, struct lwp **out)
{
	struct lwp *l = tracee_get(tid);
	int error = ESRCH;

	if (l == NULL)
		return ESRCH;
	if (l->l_trace.t_state == TRACE_STOPPED && !l->l_trace.t_frozen && !sig_killed(l)) {
		l->l_trace.t_frozen = true;			/* R3 */
		proc_hold(l->l_proc);
		*out = l;
		error = 0;
	}
	tracee_put(l);
	return error;
}

void
ptrace_thaw(struct lwp *l)
{
	struct proc *p = l->l_proc;

	spin_lock(&p->p_sig);
	ASSERT(l->l_trace.t_frozen && l->l_trace.t_state != TRACE_DEAD);
	l->l_trace.t_frozen = false;
	wake_all(&l->l_trace.t_waitq);				/* perhaps it was killed meanwhile */
	spin_unlock(&p->p_sig);
	proc_drop(p);
}

void
ptrace_resume(struct lwp *l, enum trace_go how, int sig)
{
	struct proc *p = l->l_proc;

	spin_lock(&p->p_sig);
	ASSERT(l->l_trace.t_frozen);
	l->l_trace.t_syscalls = how == TRACE_SYSCALL;
	l->l_trace.t_steps = how == TRACE_STEP;
	l->l_trace.t_news = false;
	go_on(l, sig);
	spin_unlock(&p->p_sig);
	proc_drop(p);
}

void
ptrace_detach(struct lwp *l, int sig)
{
	struct proc *p = l->l_proc;

	spin_lock(&proc_tree);
	spin_lock(&p->p_sig);
	ASSERT(l->l_trace.t_frozen);
	unlink(l, sig);
	spin_unlock(&p->p_sig);
	spin_unlock(&proc_tree);
	proc_drop(p);
}

void
ptrace_options(struct lwp *l, uint32_t options)
{
	spin_lock(&l->l_proc->p_sig);
	ASSERT(l->l_trace.t_frozen);
	l->l_trace.t_options = options;
	spin_unlock(&l->l_proc->p_sig);
}

int
ptrace_listen(struct lwp *l)
{
	struct proc *p = l->l_proc;
	struct lwp_trace *t = &l->l_trace;
	int error = EIO;

	spin_lock(&p->p_sig);
	if (t->t_seized && t->t_info != NULL && t->t_info->si_code >> 8 == PTRACE_EVENT_STOP) {
		t->t_state = TRACE_LISTENS;
		error = 0;
		if ((t->t_due & TRACE_DUE_NOTIFY) != 0)
			go_on(l, 0);			/* there is news already */
	}
	t->t_frozen = false;
	wake_all(&t->t_waitq);
	spin_unlock(&p->p_sig);
	proc_drop(p);
	return error;
}

int
ptrace_interrupt(int32_t tid)
{
	struct lwp *l = tracee_get(tid);
	int error = EIO;

	if (l == NULL)
		return ESRCH;
	if (l->l_trace.t_state == TRACE_DEAD)
		error = ESRCH;
	else if (l->l_trace.t_seized) {
		l->l_trace.t_due |= TRACE_DUE_TRAP;
		if (l->l_trace.t_state == TRACE_LISTENS)
			go_on(l, 0);
		lwkt_interrupt(l->l_thread);
		error = 0;
	}
	tracee_put(l);
	return error;
}

int
ptrace_kill(int32_t tid)
{
	struct lwp *l = tracee_get(tid);
	struct proc *p;

	if (l == NULL)
		return ESRCH;
	p = l->l_proc;
	proc_hold(p);
	tracee_put(l);
	sig_post(p, SIGKILL, NULL);
	proc_drop(p);
	return 0;
}

/* ------------------------------------------------------------ ends, and waiting -- */

bool
trace_die(struct lwp *l, int status)
{
	if (l->l_trace.t_tracer == NULL)
		return false;
	l->l_trace.t_state = TRACE_DEAD;
	l->l_trace.t_code = status;
	return true;
}

static void
tell_end(struct lwp *l, int status)
{
	if ((status & 0x7f) == 0)
		tell_tracer(l, CLD_EXITED, status >> 8 & 0xff);
	else
		tell_tracer(l, CLD_KILLED, status & 0x7f);
}

void
trace_tell_death(struct lwp *l)
{
	if (l->l_tid != l->l_proc->p_pid)
		tell_end(l, l->l_trace.t_code);
}

/* The tracee that was p's first, dead or not.  proc_tree held. */
static struct lwp *
first_of(struct proc *p)
{
	if (p->p_tracer == NULL)
		return NULL;
	list_foreach(l, &p->p_tracer->p_tracees, struct lwp, l_trace.t_link)
		if (l->l_proc == p && l->l_tid == p->p_pid)
			return l;
	return NULL;
}

void
trace_tell_end(struct proc *p)
{
	struct lwp *first = first_of(p);

	if (first != NULL)
		tell_end(first, p->p_status);
}

void
trace_exec(struct lwp *l)
{
	struct proc *p = l->l_proc;
	struct lwp *first = NULL;

	l->l_trace.t_msg = (uint64_t)l->l_tid;
	l->l_trace.t_told_exit = l->l_trace.t_forced_tf = false;
	spin_lock(&proc_tree);
	spin_lock(&p->p_sig);
	if (l->l_tid != p->p_pid) {
		first = first_of(p);
		if (first != NULL)
			unlink(first, 0);
		l->l_tid = p->p_pid;
		p->p_tracer = l->l_trace.t_tracer;
	}
	spin_unlock(&p->p_sig);
	spin_unlock(&proc_tree);
	if (first != NULL)
		trace_bury(first);
}

/*
 * l is not watched any more.  True: it was the last of a zombie, whose parent
 * has now heard of it and does not want it: proc_remove().  proc_tree held.
 */
static bool
release(struct lwp *l)
{
	struct proc *p = l->l_proc;

	spin_lock(&p->p_sig);
	unlink(l, l->l_trace.t_signo);
	spin_unlock(&p->p_sig);
	if (p->p_state != P_ZOMBIE)
		return false;
	if (p->p_ntraced == 1)
		trace_tell_end(p);		/* its tracer may have waited for that */
	return p->p_ntraced == 0 && proc_tell_parent(p);
}

void
trace_let_go(struct proc *p)
{
	struct lwp *l;

	spin_lock(&proc_tree);
	while ((l = list_first(&p->p_tracees, struct lwp, l_trace.t_link)) != NULL) {
		struct proc *of = l->l_proc;
		bool dead = l->l_trace.t_state == TRACE_DEAD, gone;

		proc_hold(of);
		if ((l->l_trace.t_options & PTRACE_O_EXITKILL) != 0)
			sig_post(of, SIGKILL, NULL);
		gone = release(l);
		spin_unlock(&proc_tree);
		if (dead)
			trace_bury(l);
		if (gone)
			proc_remove(of);
		proc_drop(of);
		spin_lock(&proc_tree);
	}
	spin_unlock(&proc_tree);
}

/* Has l news for wait?  Takes them unless WNOWAIT.  proc_tree and p_sig held. */
static bool
take_news(struct lwp *l, const struct wait_args *wa, struct wait_result *wr)
{
	struct lwp_trace *t = &l->l_trace;
	const struct proc *p = l->l_proc;

	if (t->t_state == TRACE_STOPPED && t->t_news) {
		wr->wr_status = W_STOPCODE(t->t_code);
		wr->wr_trapped = true;
		if ((wa->wa_options & WNOWAIT) == 0) {
			t->t_news = false;
			t->t_signo = 0;
		}
		return true;
	}
	if (t->t_state != TRACE_DEAD || (wa->wa_options & WEXITED) == 0)
		return false;
	if (l->l_tid == p->p_pid) {		/* the process's end comes after those of its threads */
		wr->wr_status = p->p_status;
		return p->p_state == P_ZOMBIE && p->p_ntraced == 1;
	}
	wr->wr_status = t->t_code;
	return true;
}

struct proc *
trace_wait(struct proc *me, const struct wait_args *wa, struct wait_result *wr, struct trace_end *end)
{
	list_foreach(l, &me->p_tracees, struct lwp, l_trace.t_link) {
		struct proc *p = l->l_proc;
		bool news;

		if ((wa->wa_idtype == P_PID && l->l_tid != wa->wa_id) ||
		    (wa->wa_idtype == P_PIDFD && (p != wa->wa_proc || l->l_tid != p->p_pid)) ||
		    (wa->wa_idtype == P_PGID && (p->p_pgrp == NULL || p->p_pgrp->pg_pgid != wa->wa_id)))
			continue;
		end->te_any = true;
		spin_lock(&p->p_sig);
		news = take_news(l, wa, wr);
		spin_unlock(&p->p_sig);
		if (!news)
			continue;
		wr->wr_pid = l->l_tid;
		proc_hold(p);
		if (l->l_trace.t_state != TRACE_DEAD || (wa->wa_options & WNOWAIT) != 0)
			return p;
		end->te_dead = l;
		if (l->l_tid == p->p_pid && p->p_parent == me) {
			spin_lock(&p->p_sig);
			unlink(l, 0);
			p->p_state = P_REAPED;			/* E2 */
			spin_unlock(&p->p_sig);
		} else
			end->te_unwanted = release(l);
		return p;
	}
	return NULL;
}
