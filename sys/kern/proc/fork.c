/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork - new processes: fork, vfork, clone, the first one, and forks of the
 * kernel's own init.
 *
 * Everything that can fail is done before the child can be found by anybody;
 * entering the table, the group and the parent's list is the last step but
 * for making the thread runnable.
 *
 * A thread (CLONE_THREAD) is a further lwp of the same process; everything
 * that a process has, it shares.  Half-threads (CLONE_SIGHAND alone) do not
 * exist here.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/ptrace.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/debug/kprint.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>
#include <sys/vm/map.h>
#include <sys/vm/uaccess.h>

struct proc *proc_first;

/* --------------------------------------------------------------- parts of it -- */

struct lwp *
lwp_alloc(struct proc *p)
{
	struct lwp *l = kmalloc(sizeof(*l), KM_ZERO | KM_WAIT);
	void *fpu;

	if (l == NULL)
		return NULL;
	fpu = kmalloc(rt_max(md_fpu_bytes(), 64), KM_ZERO | KM_WAIT);
	if (fpu == NULL) {
		kfree(l);
		return NULL;
	}
	list_init(&l->l_link);
	list_init(&l->l_hash);
	list_init(&l->l_sigq.sq_list);
	list_init(&l->l_us.link);
	trace_init(l);
	usched_first(l);
	l->l_orig_rax = ~0ull;
	l->l_proc = p;
	if (curlwp != NULL) {
		proc_get_comm(curlwp, l->l_comm);
		l->l_mempolicy = curlwp->l_mempolicy;
		l->l_ioprio = curlwp->l_ioprio;
	}
	proc_hold(p);
	md_uframe_init(&l->l_uf, fpu);
	return l;
}

void
lwp_free(struct lwp *l)
{
	sig_flush(&l->l_sigq);
	if (l->l_cred != NULL)
		cred_drop(l->l_cred);
	kfree(l->l_uf.uf_fpu);
	proc_drop(l->l_proc);
	kfree(l);
}

static void
lwp_leave(struct thread *td)
{
	struct lwp *l = td->td_lwp;

	md_user_leave(&l->l_uf, td->td_state != TD_MOVING);
	lwp_account(l, time_now(), false);
	l->l_mode_start = 0;		/* what passes until it runs again is nobody's */
	if (td_state(td) != TD_READY)
		usched_leave(l);
}

int
lwp_start_thread(struct lwp *l, void (*fn)(void *))
{
	char name[24];
	int error;

	rt_snprintf(name, sizeof(name), "%d", (int)l->l_tid);
	error = lwkt_create(fn, l, LWKT_PRI_USER, name, &l->l_thread);
	if (error != 0)
		return error;
	l->l_thread->td_lwp = l;
	l->l_thread->td_leave = lwp_leave;
	l->l_thread->td_waits = usched_waits;
	return 0;
}

static void
rlimits_initial(struct proc *p)
{
	uint64_t nproc = proc_max / 2;

	for (uint32_t i = 0; i < RLIM_NLIMITS; i++)
		p->p_rlimit[i][0] = p->p_rlimit[i][1] = RLIM_INFINITY;
	p->p_rlimit[RLIMIT_STACK][0] = 8ull << 20;
	p->p_rlimit[RLIMIT_CORE][0] = 0;
	p->p_rlimit[RLIMIT_NPROC][0] = p->p_rlimit[RLIMIT_NPROC][1] = nproc;
	p->p_rlimit[RLIMIT_NOFILE][0] = 1024;
	p->p_rlimit[RLIMIT_NOFILE][1] = 4096;
	p->p_rlimit[RLIMIT_MEMLOCK][0] = p->p_rlimit[RLIMIT_MEMLOCK][1] = 8ull << 20;
	p->p_rlimit[RLIMIT_SIGPENDING][0] = p->p_rlimit[RLIMIT_SIGPENDING][1] = rt_max(nproc, 256);
	p->p_rlimit[RLIMIT_MSGQUEUE][0] = p->p_rlimit[RLIMIT_MSGQUEUE][1] = 819200;
	p->p_rlimit[RLIMIT_NICE][0] = p->p_rlimit[RLIMIT_NICE][1] = 0;
	p->p_rlimit[RLIMIT_RTPRIO][0] = p->p_rlimit[RLIMIT_RTPRIO][1] = 0;
}

/* ------------------------------------------------------------- the first one -- */

struct kernel_start {
	void	(*fn)(void *);
	void	*arg;
};

/* What a kernel-made process runs first: its frame is ready when fn returns. */
static void
kernel_child(void *arg)
{
	struct lwp *l = arg;
	struct kernel_start ks = { l->l_start_fn, l->l_start_arg };

	l->l_start_fn = NULL;
	ks.fn(ks.arg);
	lwp_run(l);
}

static void
user_child(void *arg)
{
	struct lwp *l = arg;
	uint32_t tid = (uint32_t)l->l_tid;

	/* A bad address is the caller's own loss, as in Linux. */
	if (l->l_set_tid != 0 && copyout(l->l_set_tid, &tid, sizeof(tid)) != 0)
		l->l_set_tid = 0;
	lwp_run(l);
}

int
proc_create_first(void (*fn)(void *arg), void *arg)
{
	static struct cred root = { .cr_refs = 1, .cr_view = &view_machine };
	struct proc *p = proc_alloc();
	struct pgrp *pg;
	struct lwp *l;

	ASSERT(proc_first == NULL);
	if (p == NULL)
		return ENOMEM;
	root.cr_cap_perm = root.cr_cap_eff = root.cr_cap_bnd = (2ull << CAP_LAST) - 1;
	p->p_cred = cred_copy(&root);
	rlimits_initial(p);
	p->p_timerslack = 50000;
	l = lwp_alloc(p);
	if (p->p_cred == NULL || l == NULL || vmspace_create(&p->p_vmspace) != 0 ||
	    pgrp_create(0, NULL, &pg) != 0 ||
	    proc_enter(p, false) != 0)
		return ENOMEM;			/* the caller panics: nothing to undo */
	ASSERT(p->p_pid == 1);
	vm_limits(p->p_vmspace, RLIM_INFINITY, RLIM_INFINITY, p->p_rlimit[RLIMIT_STACK][0]);
	proc_first = p;
	l->l_tid = p->p_pid;
	strlcpy(p->p_comm, "init", sizeof(p->p_comm));
	memcpy(l->l_comm, p->p_comm, sizeof(l->l_comm));
	l->l_start_fn = fn;
	l->l_start_arg = arg;
	if (lwp_start_thread(l, kernel_child) != 0)
		return ENOMEM;
	spin_lock(&proc_tree);
	pgrp_join(p, pg);
	spin_unlock(&proc_tree);
	list_push_back(&p->p_lwps, &l->l_link);
	p->p_nlwps = 1;
	if (hooks_fork(NULL, p, 0) != 0)
		return ENOMEM;
	proc_drop(p);				/* the table and the lwp have theirs */
	lwkt_start(l->l_thread);
	return 0;
}

int
proc_fork_kernel(void (*fn)(void *arg), void *arg, int32_t *pid)
{
	struct fork_args fa = { .fa_flags = SIGCHLD, .fa_fn = fn, .fa_arg = arg };

	return proc_fork(&fa, pid);
}

/* --------------------------------------------------------------------- fork -- */

static int
check_flags(uint64_t flags)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
	    CLONE_NEWPID | CLONE_NEWNET;

	const uint64_t thread = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;

	if ((flags & (CLONE_THREAD | CLONE_SIGHAND)) != 0 && (flags & thread) != thread)
		return EINVAL;
	if ((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_CLEAR_SIGHAND) != 0)
		return EINVAL;
	if ((flags & CLONE_PARENT) != 0 && (curproc == proc_first || view_is_init(curproc)))
		return EINVAL;
	if (flags >> 33 != 0)
		return EINVAL;
	if ((flags & CLONE_THREAD) != 0 && (flags & CLONE_VFORK) != 0)
		return EINVAL;
	if ((flags & namespaces) != 0)
		return EINVAL;
	if ((flags & CLONE_PIDFD) != 0 && (flags & (CLONE_THREAD | CLONE_DETACHED)) != 0)
		return EINVAL;
	return 0;
}

/* Does RLIMIT_NPROC count for the caller? */
static bool
is_limited(void)
{
	const struct cred *c = cred_current();

	return c->cr_uid != 0 && !cred_capable(c, CAP_SYS_RESOURCE) && !cred_capable(c, CAP_SYS_ADMIN);
}

/* The plain values that a child starts with. */
static void
inherit(struct proc *p, struct proc *c, uint64_t flags)
{
	token_get(&p->p_tok);
	c->p_cred = cred_hold(cred_current());
	memcpy(c->p_rlimit, p->p_rlimit, sizeof(c->p_rlimit));
	memcpy(c->p_comm, curlwp->l_comm, sizeof(c->p_comm));
	memcpy(c->p_auxv, p->p_auxv, p->p_auxv_bytes);
	c->p_auxv_bytes = p->p_auxv_bytes;
	c->p_arg_start = p->p_arg_start;
	c->p_arg_end = p->p_arg_end;
	c->p_env_start = p->p_env_start;
	c->p_env_end = p->p_env_end;
	c->p_stack_start = p->p_stack_start;
	c->p_dumpable = p->p_dumpable;
	c->p_no_new_privs = p->p_no_new_privs;
	c->p_nice = p->p_nice;
	c->p_oom_adj = p->p_oom_adj;
	c->p_oom_adj_min = p->p_oom_adj_min;
	c->p_personality = p->p_personality;
	c->p_membarrier = p->p_membarrier;
	c->p_timerslack = p->p_timerslack;
	c->p_exit_signal = (flags & CSIGNAL) <= NSIG ? (int)(flags & CSIGNAL) : 0;
	token_release(&p->p_tok);

	spin_lock(&p->p_sig);
	memcpy(c->p_sigact, p->p_sigact, sizeof(c->p_sigact));
	spin_unlock(&p->p_sig);
	if ((flags & CLONE_CLEAR_SIGHAND) != 0)
		sig_exec(c);
	c->p_border = p->p_rlimit[RLIMIT_CPU][0] != RLIM_INFINITY ? PB_CPU : 0;
}

static int
share_or_copy_space(struct proc *p, struct proc *c, const struct fork_args *fa)
{
	if (fa->fa_fn != NULL)
		return vmspace_create(&c->p_vmspace);
	if ((fa->fa_flags & CLONE_VM) == 0)
		return vmspace_fork(p->p_vmspace, p->p_nlwps == 1 && !p->p_vm_shared, &c->p_vmspace);
	vmspace_hold(p->p_vmspace);
	c->p_vmspace = p->p_vmspace;
	c->p_vm_shared = true;
	if ((fa->fa_flags & CLONE_VFORK) == 0)
		p->p_vm_shared = true;		/* the child may still be there at our exec */
	return 0;
}

static void
lwp_inherit(struct lwp *l, struct lwp *n, const struct fork_args *fa)
{
	md_uframe_copy(&n->l_uf, &l->l_uf);
	n->l_uf.uf_regs.rax = 0;
	if (l->l_trace.t_forced_tf)
		n->l_uf.uf_regs.rflags &= ~(uint64_t)RFLAGS_TF;	/* it is the tracer's */
	if (fa->fa_stack != 0)
		n->l_uf.uf_regs.rsp = fa->fa_stack;
	if ((fa->fa_flags & CLONE_SETTLS) != 0)
		n->l_uf.uf_regs.fsbase = fa->fa_tls;
	n->l_sigmask = l->l_sigsaved_set ? l->l_sigsaved : l->l_sigmask;
	if ((fa->fa_flags & CLONE_VM) == 0 || (fa->fa_flags & CLONE_VFORK) != 0)
		n->l_altstack = l->l_altstack;
	if ((fa->fa_flags & CLONE_CHILD_CLEARTID) != 0)
		n->l_clear_tid = fa->fa_child_tid;
	if ((fa->fa_flags & CLONE_CHILD_SETTID) != 0)
		n->l_set_tid = fa->fa_child_tid;
	rseq_inherit(l, n, (fa->fa_flags & CLONE_VM) != 0);
	n->l_start_fn = fa->fa_fn;
	n->l_start_arg = fa->fa_arg;
	usched_fork(l, n);
}

/* What a tracer is told of this fork; 0: nothing. */
static int
event_of(const struct fork_args *fa)
{
	if ((fa->fa_flags & CLONE_UNTRACED) != 0)
		return 0;
	if ((fa->fa_flags & CLONE_VFORK) != 0)
		return PTRACE_EVENT_VFORK;
	return (fa->fa_flags & CSIGNAL) == SIGCHLD ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;
}

/*
 * Make the child known to its family; *event stays what is to be told of that
 * to a tracer.  False: a signal waits for the parent.
 * What was sent to its group meanwhile has not reached the child, so the
 * child is not made until the parent has taken it.
 */
static bool
publish(struct proc *p, struct proc *c, struct lwp *l, uint64_t flags, int *event)
{
	struct proc *up;

	spin_lock(&proc_tree);
	if (l->l_start_fn == NULL && (sig_pending(curlwp) || sig_killed(curlwp))) {
		spin_unlock(&proc_tree);
		return false;
	}
	spin_lock(&c->p_sig);
	list_push_back(&c->p_lwps, &l->l_link);
	c->p_nlwps = 1;
	if (!trace_fork(curlwp, l, *event, flags))
		*event = 0;
	spin_unlock(&c->p_sig);
	up = p;
	if ((flags & CLONE_PARENT) != 0 && p->p_parent != NULL) {
		up = p->p_parent;
		c->p_exit_signal = p->p_exit_signal;
	}
	proc_adopt(up, c);
	list_push_back(&up->p_children, &c->p_sibling);
	pgrp_hold(p->p_pgrp);
	pgrp_join(c, p->p_pgrp);
	c->p_vforked = (flags & CLONE_VFORK) != 0;
	spin_unlock(&proc_tree);
	return true;
}

static void
only_end(void *arg)
{
	(void)arg;
	lwkt_exit();
}

/* The thread of an lwp that will not be: it has never run. */
static void
thread_unmake(struct lwp *l)
{
	l->l_thread->td_lwp = NULL;
	l->l_thread->td_leave = NULL;
	l->l_thread->td_waits = NULL;
	l->l_thread->td_fn = only_end;
	lwkt_start(l->l_thread);
}

/* Take back a child that nobody has seen. */
static void
unmake(struct proc *c, struct lwp *l, bool entered)
{
	struct vmspace *vs = c->p_vmspace;

	token_get(&c->p_tok);			/* its number may have been found already */
	c->p_vmspace = NULL;
	token_release(&c->p_tok);
	if (l != NULL)
		lwp_free(l);
	if (vs != NULL)
		vmspace_drop(vs);
	if (entered)
		proc_remove(c);
	proc_drop(c);
}

static int
thread_make(const struct fork_args *fa, int32_t *tid)
{
	struct proc *p = curproc;
	struct lwp *l = lwp_alloc(p);
	int error, event = event_of(fa);
	uint32_t number;

	if (l == NULL)
		return ENOMEM;
	lwp_inherit(curlwp, l, fa);
	error = lwp_enter(l, is_limited());
	if (error == 0)
		error = lwp_start_thread(l, user_child);
	if (error == 0 && (error = hooks_lwp_fork(curlwp, l, fa->fa_flags)) != 0)
		thread_unmake(l);
	if (error != 0) {
		lwp_remove(l);
		lwp_free(l);
		return error;
	}
	*tid = l->l_tid;
	number = (uint32_t)l->l_tid;
	if ((fa->fa_flags & CLONE_PARENT_SETTID) != 0 &&
	    copyout(fa->fa_parent_tid, &number, sizeof(number)) != 0)
		number = 0;			/* Linux does not report it either */
	spin_lock(&proc_tree);
	spin_lock(&p->p_sig);
	list_push_back(&p->p_lwps, &l->l_link);
	p->p_nlwps++;
	l->l_exit = curlwp->l_exit;		/* the process is ending: so does what was just made */
	l->l_status = curlwp->l_status;
	if (!trace_fork(curlwp, l, event, fa->fa_flags))
		event = 0;
	spin_unlock(&p->p_sig);
	spin_unlock(&proc_tree);
	lwkt_start(l->l_thread);
	if (event != 0)
		trace_event(curlwp, event, (uint64_t)*tid);
	return 0;
}

int
proc_fork(const struct fork_args *fa, int32_t *pid)
{
	struct proc *p = curproc, *c;
	struct lwp *l = NULL;
	bool entered = false;
	int error = check_flags(fa->fa_flags), event = event_of(fa);
	uint32_t tid;

	if (error != 0)
		return error;
	if ((fa->fa_flags & CLONE_THREAD) != 0)
		return thread_make(fa, pid);
	c = proc_alloc();
	if (c == NULL)
		return ENOMEM;
	inherit(p, c, fa->fa_flags);
	error = share_or_copy_space(p, c, fa);
	if (error != 0)
		goto undo;
	l = lwp_alloc(c);
	error = ENOMEM;
	if (l == NULL)
		goto undo;
	lwp_inherit(curlwp, l, fa);
	error = proc_enter(c, is_limited());
	if (error != 0)
		goto undo;
	entered = true;
	l->l_tid = c->p_pid;
	error = hooks_fork(p, c, fa->fa_flags);
	if (error != 0)
		goto undo;
	error = lwp_start_thread(l, fa->fa_fn != NULL ? kernel_child : user_child);
	if (error != 0) {
		hooks_exit(c);
		goto undo;
	}

	if (fa->fa_made != NULL)
		error = fa->fa_made(c, fa->fa_arg);
	if (error == 0 && !publish(p, c, l, fa->fa_flags, &event)) {
		if (fa->fa_made != NULL)
			(void)fa->fa_made(NULL, fa->fa_arg);
		error = ERESTARTNOINTR;
	}
	if (error != 0) {
		thread_unmake(l);
		hooks_exit(c);
		goto undo;
	}
	*pid = c->p_pid;
	tid = (uint32_t)c->p_pid;
	if ((fa->fa_flags & CLONE_PARENT_SETTID) != 0 && copyout(fa->fa_parent_tid, &tid, sizeof(tid)) != 0)
		tid = 0;			/* Linux does not report it either */
	lwkt_start(l->l_thread);
	if (event != 0)
		trace_event(curlwp, event, (uint64_t)*pid);
	if ((fa->fa_flags & CLONE_VFORK) != 0 && proc_wait_vfork(c))
		trace_event(curlwp, PTRACE_EVENT_VFORK_DONE, (uint64_t)*pid);
	proc_drop(c);
	return 0;

undo:
	unmake(c, l, entered);
	return error;
}
