/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc - processes as Linux has them, threads one to one.
 *
 * struct proc is a thread group, struct lwp one of its threads with a kernel
 * thread each.  A proc is found by pid through proc_find(), which takes a
 * reference; a zombie stays until waited for.
 */
#pragma once
#include <core/rt/list.h>
#include <machine/user.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/token.h>
#include <sys/lwkt/wait.h>
#include <sys/proc/cred.h>
#include <sys/proc/ptrace.h>
#include <sys/proc/signal.h>
#include <sys/time/time.h>

struct vmspace;
struct fdtable;		/* file layer */
struct fsctx;		/* vfs layer: cwd, root, umask */
struct pi;		/* syscall layer: a lock that names its owner */
struct tty;
struct ncp;
struct vnode;

struct session {
	_Atomic uint32_t s_refs;
	int32_t		s_sid;		/* const */
	struct spin	s_spin;
	struct tty	*s_tty;		/* [s_spin, and the terminal's t_tok to change] controlling terminal, held */
	struct proc	*s_leader;	/* [proc tree] NULL after it exited; not held */
	uint64_t	s_id;		/* const: born-here sequence number */
	struct list	s_link;		/* [proc tree] hash */
};
struct pgrp {
	_Atomic uint32_t pg_refs;
	int32_t		pg_pgid;	/* const */
	struct session	*pg_session;	/* const, held */
	struct list	pg_link;	/* [proc tree] hash */
	struct list	pg_members;	/* [proc tree] of p_pglink */
	uint64_t	pg_id;		/* const: born-here sequence number */
};

#define PE_STOPPED	1u
#define PE_CONTINUED	2u
enum p_state { P_ALIVE, P_STOPPED, P_EXITING, P_ZOMBIE, P_REAPED };

/* ns, counts */
struct rusage_acc {
	figure_t	ru_utime, ru_stime, ru_minflt, ru_majflt, ru_nvcsw, ru_nivcsw;
	figure_t	ru_rchar, ru_wchar, ru_syscr, ru_syscw;	/* bytes and calls of reading, writing */
};

struct proc {
	_Atomic uint32_t p_refs;
	int32_t		p_pid;		/* const */
	struct token	p_tok;		/* guards what says [p_tok] */
	struct spin	p_sig;		/* guards what says [p_sig]: taken inside the proc tree's spin */
	_Atomic enum p_state p_state;	/* [p_sig to change] */
	int		p_status;	/* [p_sig] wait status once zombie or stopped */
	uint32_t	p_events;	/* [p_sig] PE_*: news that wait4 has not yet reported */
	uint32_t	p_nstopped;	/* [p_sig] lwps that stay in the stop */
	bool		p_stop_told;	/* [p_sig] all of them do, and the parent was told */
	bool		p_stopping;	/* [p_sig] a stop signal was taken and no SIGCONT came since */
	/* [p_sig to change] CLD_STOPPED, CLD_CONTINUED: to be told to the parent by us; 0 */
	_Atomic int	p_notify;
	_Atomic bool	p_sig_watched;	/* [atomic] set once: what is posted is told to sig_set_watch()'s function */
	struct proc	*p_parent;	/* [proc tree] changed by proc_adopt() */
	_Atomic int32_t	p_ppid;		/* [proc tree to change] its number; 0: none */
	struct list	p_children, p_sibling, p_pglink, p_link, p_hash;	/* [proc tree] */
	struct pgrp	*p_pgrp;	/* [proc tree] held */
	struct list	p_lwps;		/* [p_sig] */
	struct list	p_tracees;	/* [proc tree] of l_trace.t_link */
	struct proc	*p_tracer;	/* [proc tree] of the lwp that bears our number; not held */
	/* [proc tree and p_sig to change] lwps that have a tracer, dead ones too */
	uint32_t	p_ntraced;
	uint32_t	p_nthreads;	/* [proc tree] numbers of further lwps: with the process, what RLIMIT_NPROC counts */
	_Atomic uint32_t p_nlwps;	/* [p_sig to change] */
	uint32_t	p_nleaving;	/* [p_sig] of them, have called exit and will not be the last */
	bool		p_first_gone;	/* [p_sig] the first lwp has ended before others: */
	/* [p_sig] ... with this, which is the process's code when the last one ends */
	int		p_first_code;
	/* [p_tok and p_sig to replace, either to look] held; never changed: proc_cred(), proc_set_cred() */
	struct cred	*p_cred;
	struct vmspace	*p_vmspace;	/* [p_tok] held; NULL once exiting */
	struct fdtable	*p_fdt;		/* [p_tok to replace; own] file layer */
	struct fsctx	*p_fs;		/* [p_tok to replace; own] vfs layer */
	struct ncp	*p_exe;		/* [p_tok] held */
	struct waitq	p_waitq;	/* waiters in wait4 of this parent; vfork */
	/* lwps of a stopped process; one that waits for the others to end */
	struct waitq	p_stopq;
	_Atomic bool	p_vforked;	/* [proc tree to change] the parent waits until this process execs or exits */
	bool		p_vm_shared;	/* [own] p_vmspace may have other users: exec makes a new one */
	struct k_sigaction p_sigact[NSIG];	/* [p_sig] of signal n at n - 1 */
	struct sigqueue	p_sigq;		/* [p_sig] pending for the group */
	uint64_t	p_rlimit[16][2];	/* [p_tok] soft, hard */
	struct rusage_acc p_ru, p_cru;	/* [p_sig] self (ended lwps), waited-for children */
	/* [p_sig] largest seen: self (at its end), waited-for children */
	uint64_t	p_maxrss_kib, p_cmaxrss_kib;
	nsec_t		p_start;	/* const */
	uaddr_t		p_arg_start, p_arg_end, p_env_start, p_env_end, p_stack_start;	/* [p_tok] */
	uint8_t		p_auxv[512];	/* [p_tok] for /proc/PID/auxv */
	uint32_t	p_auxv_bytes;	/* [p_tok] */
	char		p_comm[16];	/* [p_tok] as l_comm of the lwp that bears our number */
	_Atomic int	p_exit_signal;	/* [proc tree to change] to the parent */
	bool		p_did_exec;	/* [proc tree] */
	bool		p_dumpable;	/* [p_tok] */
	bool		p_no_new_privs;	/* [p_tok] */
	_Atomic bool	p_subreaper;	/* [atomic] */
	_Atomic int	p_pdeathsig;	/* [atomic] */
	_Atomic int	p_nice;		/* [atomic] */
	_Atomic int	p_oom_adj;	/* [atomic] -1000: never chosen when memory is out, to 1000: first */
	_Atomic int	p_oom_adj_min;	/* [atomic] how far down it may set that by itself */
	struct timer	p_alarm;	/* [p_tok to arm and cancel] ITIMER_REAL */
	/* [p_sig] next (ns, 0 off), interval; of VIRTUAL and PROF in CPU time */
	uint64_t	p_itimer[3][2];
	/* [p_sig to change] a periodic ITIMER_REAL waits for its signal to be taken */
	_Atomic bool	p_alarm_fired;
	_Atomic uint32_t p_border;	/* [atomic] PB_*: to do on the way back to the program */
	_Atomic uint64_t p_sampled;	/* [atomic] sample.c's: what has been told of its space */
	uint64_t	p_cpu_warned;	/* [p_sig] seconds at which SIGXCPU was last sent */
	struct list	p_semundo;	/* [p_tok] ipc layer: what exit gives back */
	struct list	p_ptimers;	/* [syscall layer] timer_create */
	struct list	p_cputimers;	/* [p_sig] moments of its CPU time that somebody waits for */
	_Atomic uint32_t p_ncputimers;	/* [p_sig to change] how many */
	_Atomic bool	p_membarrier;	/* [atomic] registered for private expedited ones */
	uint32_t	p_personality;	/* [own] */
	uint64_t	p_timerslack;	/* [own] */
	_Atomic uint32_t p_execs;	/* [own to change] programs this process has begun: procfs */
	uint64_t	p_id;		/* const: born-here sequence number */
};

#define PB_CPU		(1u << 0)	/* look at its CPU time: ITIMER_VIRTUAL, PROF, RLIMIT_CPU */
#define PB_SAMPLED	(1u << 1)	/* say what it has mapped: sample.c */

struct lwp {
	struct thread	*l_thread;	/* const */
	struct proc	*l_proc;	/* const, held */
	int32_t		l_tid;		/* const, but exec makes it the pid */
	struct list	l_link;		/* [p_sig] */
	char		l_comm[16];	/* [p_sig] name of the thread */
	struct list	l_hash;		/* [proc tree] by l_tid, but for a process's first */
	struct cred	*l_cred;	/* [lwp] held: p_cred as it was when the system call began; NULL: not yet looked at */
	const struct cred *l_vfs_cred;	/* [lwp] set by vfs_act_as() while a filesystem uses another for itself */
	struct md_uframe l_uf;		/* [lwp] */
	sigset_t	l_sigmask;	/* [lwp writes under p_sig] others read under p_sig */
	sigset_t	l_sigsaved;	/* [lwp] sigsuspend, ppoll: restore after delivery */
	bool		l_sigsaved_set;	/* [lwp] */
	struct sigqueue	l_sigq;		/* [p_sig] */
	sigset_t	l_sigwait;	/* [p_sig] sigtimedwait: these end the sleep although blocked */
	int		l_forced;	/* [p_sig] signal forced on this lwp with its default action; 0 */
	struct k_sigaltstack l_altstack;	/* [lwp] */
	uaddr_t		l_clear_tid;	/* [lwp] */
	uaddr_t		l_robust_list;	/* [lwp] */
	struct pi	*l_pi_wait;	/* [futex_owners] the lock that it waits for: futex_pi.c */
	uint32_t	l_pi_owned;	/* [futex_owners] locks of its that others wait for */
	bool		l_pi_gone;	/* [futex_owners] it can own none any more */
	uaddr_t		l_rseq;		/* [lwp] 0: none; see rseq.c */
	uint32_t	l_rseq_sig, l_rseq_cpu;	/* [lwp] the latter: as written there last */
	struct fdtable	*l_fdt;		/* [lwp] file layer: a table of its own; NULL: the process's */
	struct fsctx	*l_fs;		/* [lwp writes under p_sig] vfs layer: a place of its own, as well */
	uint64_t	l_orig_rax;	/* [lwp] system call number in progress, for restarts; -1: none */
	uint32_t	l_mempolicy;	/* [lwp] MPOL_* */
	_Atomic uint32_t l_ioprio;	/* [atomic] class and level; 0: none was set */
	struct rusage_acc l_ru;		/* [lwp] */
	/* [lwp] when the current mode (user, kernel) began; 0: was off the CPU */
	nsec_t		l_mode_start;
	bool		l_stopped;	/* [p_sig] counted in p_nstopped */
	bool		l_leaving;	/* [p_sig] counted in p_nleaving */
	int		l_status;	/* [p_sig] how it ends, as a wait status, once it is known */
	struct lwp_trace l_trace;
	_Atomic bool	l_exit;		/* [p_sig to change] must end at the next boundary */
	struct usched_lwp {
		struct list	link;
		uint64_t	vtime;
		nsec_t		since;		/* when it began to wait */
		/* not moved for balance, not to a waker's CPU, before */
		nsec_t		stays_until, apart_until;
		uint32_t	dest;		/* where the owner of the queue sends it; CPU_MAX: nowhere */
		uint32_t	waker, far;	/* [lwp] the CPU that woke it, how often in a row while it was another */
		bool		slept;		/* [lwp] since it was last at the border */
		_Atomic bool	queued, waiting;
		_Atomic uint32_t policy; /* [atomic] SCHED_*, SCHED_RESET_ON_FORK */
		_Atomic uint64_t cpus[CPU_MAX / 64];	/* [atomic] on which it may run */
	} l_us;				/* [cpu] */
	uaddr_t		l_set_tid;	/* [lwp] CLONE_CHILD_SETTID: written when it starts */
	void		(*l_start_fn)(void *);	/* [lwp] what a process made by the kernel runs first */
	void		*l_start_arg;	/* [lwp] */
	uint64_t	(*l_restart)(struct lwp *);	/* [lwp] restart_syscall block */
	uint64_t	l_restart_arg[4];	/* [lwp] */
};

#define curlwp		(curthread->td_lwp)
#define curproc		(curlwp->l_proc)

/* Held; zombies too; NULL: nobody, or nobody whom the current process sees (sys/proc/view.h). */
struct proc *proc_find(int32_t pid);
struct proc *proc_find_any(int32_t pid);	/* for the kernel's own ends: in any view */
struct pgrp *pgrp_find(int32_t pgid);		/* held */
void	proc_hold(struct proc *p);
void	proc_drop(struct proc *p);
void	pgrp_drop(struct pgrp *pg);
void	pgrp_hold(struct pgrp *pg);
void	session_hold(struct session *s);
void	session_drop(struct session *s);
/* Calls fn for each process seen, held, in pid order; fn may sleep; stops when fn returns nonzero. */
int	proc_foreach(int (*fn)(struct proc *, void *), void *arg);
int	proc_foreach_any(int (*fn)(struct proc *, void *), void *arg);	/* in all views */
bool	pgrp_is_orphaned(struct pgrp *pg);
void	pgrp_foreach(struct pgrp *pg, void (*fn)(struct proc *, void *), void *arg);	/* under a spin */
bool	pgrp_seen(struct pgrp *pg);		/* has it a member that the current process sees? */

/* the current process, wait status form: code << 8 | signal */
_Noreturn void proc_exit(int status);

/* What upper layers add to a process's life.  Registered at boot, in layer order. */
struct proc_hooks {
	/* Runs in the parent; what it did is undone by ph_exit(child). */
	int	(*ph_fork)(struct proc *parent, struct proc *child, uint64_t clone_flags);
	void	(*ph_exec)(struct proc *p);
	void	(*ph_exit)(struct proc *p);
	/* l: one more thread, which nobody else knows yet.  Who fails has undone his part; one layer may. */
	int	(*ph_lwp_fork)(struct lwp *from, struct lwp *l, uint64_t clone_flags);
	void	(*ph_lwp_exit)(struct lwp *l);	/* the current lwp, before its process loses its space */
	struct list ph_link;
};
void	proc_add_hooks(struct proc_hooks *h);

/*
 * The first process: a kernel thread becomes pid 1's only lwp.  fn(arg) runs in it and
 * returns when the frame is ready (after an exec) or calls proc_exit().
 */
int	proc_create_first(void (*fn)(void *arg), void *arg);
/* Fork from inside the kernel (built-in init): the child runs fn(arg), then user mode. */
int	proc_fork_kernel(void (*fn)(void *arg), void *arg, int32_t *pid);
/* wait4 for kernel callers: any child; ECHILD. */
int	proc_wait_any(int32_t *pid, int *status, bool block);

struct sysmsg;
/* The syscall layer's.  apart: is this call better made by its instruction than by the machine's gate? */
void	proc_set_syscall(void (*dispatch)(struct sysmsg *), bool (*apart)(uint64_t nr));
/* Who can say what the current process has mapped, by sample_map(): sys/proc/sample.h. */
void	proc_set_sampled(void (*tell)(struct proc *p));

void	proc_init(void);			/* kmain, after time and vm */
extern uint32_t proc_max;			/* const after proc_init: processes at once */
uint32_t proc_count(void);
int32_t	proc_last_pid(void);

/* Job control, for system calls and the built-in init; the current process. */
int	proc_setsid(int32_t *sid);
int	proc_setpgid(int32_t pid, int32_t pgid);
int	proc_getpgid(int32_t pid, int32_t *pgid, int32_t *sid);	/* pid 0: the current process; ESRCH */
int32_t	proc_ppid(struct proc *p);
struct cred *proc_cred(struct proc *p);	/* held */
/*
 * Is l still who its process is?  Another thread may have changed that.  What l
 * holds cannot come back under the same address.
 */
static inline bool
lwp_cred_is_new(const struct lwp *l)
{
	return l->l_cred == __atomic_load_n(&l->l_proc->p_cred, __ATOMIC_RELAXED);
}
void	proc_set_cred(struct cred *c);		/* of the current process; takes over the reference; p_tok held */

/* fn is told that p has become a zombie, and that it was waited for.  It may only set flags and wake. */
void	proc_set_ended(void (*fn)(struct proc *p));

/* The leader of a session is gone: the file layer's hang-up of its terminal, if it has one. */
void	proc_set_hangup(void (*fn)(struct session *));

/* exit(2) of one thread: ends the process when it is the last. */
_Noreturn void proc_exit_thread(int code);
struct proc *proc_find_tid(int32_t tid);	/* held; the process of thread tid; NULL */

/* fork, vfork, clone: `flags` CLONE_* and the exit signal. */
struct fork_args {
	uint64_t	fa_flags;
	uaddr_t		fa_stack;	/* 0: the parent's */
	uaddr_t		fa_parent_tid, fa_child_tid, fa_tls;
	/* CLONE_PIDFD: run before anybody can see the child; then again with NULL if nobody ever will. */
	int		(*fa_made)(struct proc *c, void *arg);
	void		(*fa_fn)(void *);	/* kernel caller: run first in the child */
	void		*fa_arg;	/* of both */
};
int	proc_fork(const struct fork_args *fa, int32_t *pid);

/* wait4, waitid and kernel callers. */
struct wait_args {
	int		wa_idtype;	/* P_ALL, P_PID, P_PGID, P_PIDFD */
	int32_t		wa_id;
	uint32_t	wa_options;	/* W*, __W* */
	struct proc	*wa_proc;	/* P_PIDFD: held by the caller */
};
struct wait_result {
	int32_t		wr_pid;		/* 0: WNOHANG and nothing */
	uint32_t	wr_uid;
	int		wr_status;	/* as wait4 gives it */
	bool		wr_trapped;	/* a tracee's stop */
	struct rusage_acc wr_ru;
	uint64_t	wr_maxrss_kib;
};
int	proc_wait(const struct wait_args *wa, struct wait_result *wr);

/* CPU time of a process up to now, ended lwps included. */
/* Of a thread, if it is there; cut to fit. */
void	proc_set_comm(struct proc *p, int32_t tid, const char *name);
void	proc_get_comm(struct lwp *l, char name[16]);
bool	proc_oom_kill(void);		/* kills one process; false: there is none */
uint64_t proc_oom_kills(void);		/* how many so far */
uint64_t proc_oom_points(struct proc *p);	/* 0 to 1333: how likely it is the next; Linux's oom_score */
void	proc_times(struct proc *p, struct rusage_acc *out);
/* `to` is the caller's alone. */
void	rusage_add(struct rusage_acc *to, const struct rusage_acc *more);

/*
 * exec, called by the file layer at the point of no return: the current
 * process has no other lwp afterwards, an empty space of its own, default
 * actions for caught signals; hooks ran, a vfork parent goes on.
 */
int	proc_exec_commit(void);

/* Book the time since the last call as user or kernel time of l. */
void	lwp_account(struct lwp *l, nsec_t now, bool user);

/* On which CPUs a thread may run in user mode; takes effect when it is next at the border, soon.  Not none. */
void	usched_yield(struct lwp *l);		/* the current lwp lets one that waits for user mode go first */
void	usched_affinity(struct lwp *l, const uint64_t cpus[CPU_MAX / 64]);

/* Process 1 has ended; fn does not return. */
void	proc_set_init_exit(void (*fn)(int status));

/* ITIMER_*: value and interval in ns, 0 off; old may be NULL.  val NULL: only ask. */
void	proc_itimer(int which, const uint64_t val[2], uint64_t old[2]);
/* CPU time of a process (tid 0) or of one thread of it up to now; false: there is no such thread. */
bool	proc_cpu_time(struct proc *p, int32_t tid, bool user_only, nsec_t *out);
/*
 * A moment of CPU time, of a process or thread.  ct_fn is called soon after, once, from any thread
 * context without locks; it does not sleep, and may arm again.
 */
struct cputimer {
	struct list	ct_link;	/* [ct_proc's p_sig] */
	struct proc	*ct_proc;	/* const: the owner holds it; NULL: none of this kind */
	int32_t		ct_tid;		/* const: 0: all of the process's */
	bool		ct_user_only;	/* const */
	uint32_t	ct_firing;	/* [p_sig] so many threads run ct_fn: it may be due again at once */
	nsec_t		ct_at;		/* [p_sig] */
	void		(*ct_fn)(struct cputimer *ct);
};
int	cputimer_arm(struct cputimer *ct, nsec_t at);	/* EAGAIN: too many wait for that process */
void	cputimer_cancel(struct cputimer *ct);		/* when it returns ct_fn does not run */
/* RLIMIT_CPU or an interval timer changed: look again whether CPU time must be watched. */
void	proc_cpu_watch(struct proc *p);

/* Restartable sequences: register and take back, errors as rseq(2). */
int	rseq_register(struct lwp *l, uaddr_t at, uint32_t sig);
int	rseq_unregister(struct lwp *l, uaddr_t at, uint32_t sig);
