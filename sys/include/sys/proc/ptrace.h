/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ptrace - one process watches and steers the threads of others.
 *
 * A tracee is an lwp.  What it may do to a tracee its tracer does between
 * ptrace_freeze() and ptrace_thaw() or ptrace_resume(): meanwhile the tracee
 * stays stopped, even if it is killed, and everything that belongs to it
 * ([lwp]) belongs to the caller.
 */
#pragma once
#include <abi/signal.h>
#include <core/rt/list.h>
#include <sys/lwkt/wait.h>

struct lwp;
struct proc;

/* Things that a tracee does before it goes back to user mode: t_due. */
#define TRACE_DUE_STOP		1u	/* it takes part in the group's stop */
#define TRACE_DUE_TRAP		2u	/* the tracer asked for it */
#define TRACE_DUE_NOTIFY	4u	/* a seized one's group has stopped or goes on */

enum trace_state {
	TRACE_RUNS,
	TRACE_STOPPED,		/* or about to sleep, and touches nothing of its own any more */
	TRACE_LISTENS,		/* stays in a group's stop; no requests */
	TRACE_DEAD,		/* the thread is gone; the lwp stays until the tracer has heard so */
};

struct lwp_trace {
	struct proc *_Atomic t_tracer;	/* [proc tree and p_sig to change] it detaches before it ends; NULL */
	struct list	t_link;		/* [proc tree] of the tracer's p_tracees */
	struct waitq	t_waitq;	/* where the tracee stays */
	_Atomic uint32_t t_due;		/* [p_sig to change] TRACE_DUE_* */
	_Atomic uint32_t t_options;	/* [p_sig to change] PTRACE_O_* */
	enum trace_state t_state;	/* [p_sig] */
	bool		t_seized;	/* [p_sig] */
	bool		t_frozen;	/* [p_sig] a request is at work */
	bool		t_news;		/* [p_sig] the stop was not yet waited for */
	/* [p_sig] of the stop, as in a wait status above bit 8; of a dead one the wait status */
	int		t_code;
	int		t_signo;	/* [p_sig] what it goes on with; 0 */
	_Atomic bool	t_syscalls;	/* [atomic] stops at both ends of a system call */
	_Atomic bool	t_steps;	/* [atomic] runs one instruction at a time */
	bool		t_forced_tf;	/* [lwp] the flag that makes it step is ours, not the program's */
	bool		t_told_exit;	/* [lwp] PTRACE_EVENT_EXIT was */
	uint64_t	t_msg;		/* [lwp] PTRACE_GETEVENTMSG */
	struct k_siginfo *t_info;	/* [lwp] of the stop; NULL: a group's stop */
};

int	ptrace_traceme(void);
int	ptrace_attach(int32_t tid, bool seize, uint32_t options);
/* ESRCH: not our tracee, or not stopped. */
int	ptrace_freeze(int32_t tid, struct lwp **out);
void	ptrace_thaw(struct lwp *l);
enum trace_go { TRACE_CONT, TRACE_SYSCALL, TRACE_STEP };
void	ptrace_resume(struct lwp *l, enum trace_go how, int sig);	/* thaws */
void	ptrace_detach(struct lwp *l, int sig);				/* thaws */
void	ptrace_options(struct lwp *l, uint32_t options);
int	ptrace_listen(struct lwp *l);					/* thaws; EIO */
/* The tracee need not be stopped.  ESRCH; EIO: not seized. */
int	ptrace_interrupt(int32_t tid);
int	ptrace_kill(int32_t tid);

/* May the current process see p's inside, by its real ids or by those for files? */
enum ptrace_ids { PTRACE_REAL, PTRACE_FS };
bool	ptrace_may_access(struct proc *p, enum ptrace_ids ids);
int32_t	ptrace_tracer_pid(struct proc *p, int32_t tid, bool *stopped);	/* of a thread, for procfs; 0 */

/* exec: is the current thread watched by somebody who may not see what a set-id program does? */
bool	ptrace_bars_setid(void);
void	ptrace_exec_done(void);		/* the new program is there */
