/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the process layer share. */
#pragma once
#include <abi/sched.h>
#include <sys/proc/proc.h>

#define RFLAGS_TF	0x100u		/* a trap after each instruction */

/*
 * The process tree: who is whose child, group member, session.  One spin lock
 * for short walks; all of it is reached through the functions of table.c and
 * the few loops in exit.c, so that it can be split by hash bucket later.
 * Order: proc_tree, then one p_sig, then wait queues.  Two p_sig are never
 * held together.
 */
extern struct spin proc_tree;
extern struct proc *proc_first;		/* const after boot: pid 1 */
extern struct list proc_all;		/* [proc_tree] of p_link, by pid */

/* Called with proc_tree held. */
void	proc_adopt(struct proc *parent, struct proc *child);	/* the lists of children are the caller's */
struct proc *proc_lookup(int32_t pid);
struct pgrp *pgrp_lookup(int32_t pgid);
void	pgrp_join(struct proc *p, struct pgrp *pg);	/* takes over a reference */
struct pgrp *pgrp_leave(struct proc *p);		/* returns the reference to drop after unlocking */
bool	pgrp_orphaned_except(struct pgrp *pg, const struct proc *leaving);

/* Enter a new process under a fresh pid; EAGAIN when there are too many. */
int	proc_enter(struct proc *p, bool limited);	/* limited: by RLIMIT_NPROC */
int	lwp_enter(struct lwp *l, bool limited);		/* a further lwp gets its number; EAGAIN */
void	lwp_remove(struct lwp *l);			/* its number is free */
void	proc_tell_ended(struct proc *p);
void	proc_remove(struct proc *p);			/* reaped: pid is free */
int	pgrp_create(int32_t pgid, struct session *s, struct pgrp **out);	/* s NULL: a new session too */

struct proc *proc_alloc(void);				/* refs 1; NULL: no memory */
struct lwp *lwp_alloc(struct proc *p);			/* NULL: no memory */
void	lwp_free(struct lwp *l);
int	lwp_start_thread(struct lwp *l, void (*fn)(void *));	/* its kernel thread, not yet runnable */
_Noreturn void lwp_run(struct lwp *l);			/* the user loop */

int	hooks_fork(struct proc *parent, struct proc *child, uint64_t flags);
void	hooks_exec(struct proc *p);
void	hooks_exit(struct proc *p);
int	hooks_lwp_fork(struct lwp *from, struct lwp *l, uint64_t clone_flags);
void	hooks_lwp_exit(struct lwp *l);

/*
 * ptrace.c.  What a tracee does for its tracer; nothing if it has none.
 * trace_stop() and what uses it sleep.
 */
void	trace_init(struct lwp *l);
static inline bool trace_on(const struct lwp *l) { return l->l_trace.t_tracer != NULL; }
/* sig is about to be taken: what is taken; 0 */
int	trace_signal(struct lwp *l, int sig, struct k_siginfo *info);
void	trace_due(struct lwp *l);		/* at the border: t_due is not 0 */
void	trace_event(struct lwp *l, int event, uint64_t msg);		/* PTRACE_EVENT_* */
bool	trace_syscall(struct lwp *l, bool enters);	/* false: a call that shall not be made */
bool	trace_handler_begins(struct lwp *l);	/* before its frame is made: does l step? */
void	trace_handler_step(struct lwp *l);	/* after, if so */
/* p_sig held: the group stops, goes on. */
void	trace_group_stop(struct lwp *l);
void	trace_group_cont(struct lwp *l);
/* proc_tree and the child's p_sig held.  True: PTRACE_EVENT_* `event` is to be told. */
bool	trace_fork(struct lwp *l, struct lwp *child, int event, uint64_t flags);
/* The last of l.  True: its tracer will free it.  proc_tree held, in the first p_sig too. */
bool	trace_die(struct lwp *l, int status);
void	trace_tell_death(struct lwp *l);
/* Of a zombie: tells the tracer of its first lwp, if there is one.  proc_tree held. */
void	trace_tell_end(struct proc *p);
void	trace_exec(struct lwp *l);		/* the only one left takes the process's number */
void	trace_let_go(struct proc *p);		/* p ends: its tracees are free */
struct trace_end {
	bool		te_any;		/* there are tracees that were asked for */
	struct lwp	*te_dead;	/* trace_bury() without locks */
	bool		te_unwanted;	/* it is P_REAPED because its parent, not we, wants no zombie */
};
/* proc_tree held.  The process, held, of a tracee with news; NULL. */
struct proc *trace_wait(struct proc *me, const struct wait_args *wa, struct wait_result *wr,
	    struct trace_end *end);
void	trace_bury(struct lwp *l);

/* signal.c */
struct lwp *sig_lwp_of(struct proc *p, int32_t tid);	/* p_sig held; NULL */
struct k_sigaction sig_action_of(struct proc *p, int sig);
void	sig_init_proc(struct proc *p);
void	sig_flush(struct sigqueue *q);			/* forget what is pending */
void	sig_flush_set(struct sigqueue *q, sigset_t set, struct list *freed);
void	sig_free_list(struct list *freed);
bool	sig_stop_complete(struct proc *p);		/* p_sig held; true: the parent must be told CLD_STOPPED */
void	sig_exec(struct proc *p);			/* caught actions become default */
void	sig_deliver(struct lwp *l);			/* the user loop: handlers, stops, death */
void	sig_notify_parent(struct proc *p, int code);	/* SIGCHLD for a stop or continue */
void	sig_chld_info(struct proc *p, int code, struct k_siginfo *info);

/* sigframe.c */
int	sigframe_push(struct lwp *l, int sig, const struct k_siginfo *info, const struct k_sigaction *act, sigset_t old);

/* sample.c */
void	sample_init(void);
void	sample_tell(struct proc *p);		/* PB_SAMPLED */

/* cred.c */
void	cred_renew(struct lwp *l);		/* l takes what its process has */

/* exit.c */
void	proc_vfork_release(struct proc *child);
_Noreturn void proc_exit_signal(int sig);
_Noreturn void lwp_exit(void);			/* the current lwp, which is not the last */
/* The current lwp is the only one afterwards; what a tracer hears of the others. */
void	proc_end_others(int status);
/* Of a zombie; true: not wanted, proc_remove() it.  proc_tree held. */
bool	proc_tell_parent(struct proc *p);
bool	proc_wait_vfork(struct proc *child);
void	proc_reap_all(void);			/* until it has no children, whatever signals come */

/* view.c */
bool	view_is_init(struct proc *p);		/* p_sig not held */
void	view_end(void);				/* the current process is its view's first: the others end */

/* clock.c */
void	proc_cpu_check(struct lwp *l);
void	proc_alarm_fired(struct timer *t);
void	proc_alarm_taken(void);

/* user.c */
struct vmspace *proc_current_space(void);
bool	proc_oom_dying(void);

/* sched.c */
void	usched_init(void);
bool	usched_is_user(const struct lwp *l);	/* in a critical section: and nothing is to be decided */
void	usched_enter(struct lwp *l);	/* on the way to user mode: returns when it is l's turn */
void	usched_leave(struct lwp *l);	/* l sleeps or ends: another may run in user mode */
bool	usched_waits(struct thread *td);	/* struct thread's td_waits */
void	usched_first(struct lwp *l);	/* a new lwp: may run anywhere */
void	usched_fork(struct lwp *parent, struct lwp *child);
void	usched_charge_weighed(struct lwp *l, nsec_t ran);
static inline void
usched_charge(struct lwp *l, nsec_t ran)
{
	if (atomic_load_explicit(&l->l_proc->p_nice, memory_order_relaxed) == 0 &&
	    atomic_load_explicit(&l->l_us.policy, memory_order_relaxed) == SCHED_OTHER)
		l->l_us.vtime += ran;
	else
		usched_charge_weighed(l, ran);
}

/* Of an lwp with l_rseq: stopped, not by a system call; now on another CPU. */
void	rseq_stopped(struct lwp *l);
void	rseq_moved(struct lwp *l);
void	rseq_inherit(const struct lwp *l, struct lwp *n, bool shares_memory);
