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
#include <sys/proc/signal.h>
#include <sys/time/time.h>

struct vmspace;
struct fdtable;		/* file layer */
struct fsctx;		/* vfs layer: cwd, root, umask */
struct tty;
struct vnode;

struct session {
	_Atomic uint32_t s_refs;
	int32_t		s_sid;		/* const */
	struct token	s_tok;
	struct tty	*s_tty;		/* [s_tok] controlling terminal, held */
	struct proc	*s_leader;	/* [s_tok] NULL after it exited */
	uint64_t	s_id;		/* const: born-here sequence number */
};
struct pgrp {
	_Atomic uint32_t pg_refs;
	int32_t		pg_pgid;	/* const */
	struct session	*pg_session;	/* const, held */
	struct list	pg_link;	/* [proc table] */
	struct list	pg_members;	/* [proc table] of p_pglink */
	uint64_t	pg_id;		/* const: born-here sequence number */
};

enum p_state { P_ALIVE, P_STOPPED, P_EXITING, P_ZOMBIE, P_REAPED };

struct rusage_acc { uint64_t ru_utime, ru_stime, ru_minflt, ru_majflt, ru_nvcsw, ru_nivcsw; };	/* ns, counts */

struct proc {
	_Atomic uint32_t p_refs;
	int32_t		p_pid;		/* const */
	struct token	p_tok;		/* guards what says [p_tok] */
	enum p_state	p_state;	/* [p_tok] */
	int		p_status;	/* [p_tok] wait status once zombie or stopped */
	struct proc	*p_parent;	/* [proc table] */
	struct list	p_children, p_sibling, p_pglink, p_link;	/* [proc table] */
	struct pgrp	*p_pgrp;	/* [proc table] held */
	struct list	p_lwps;		/* [p_tok] */
	uint32_t	p_nlwps;	/* [p_tok] */
	struct cred	*p_cred;	/* [p_tok] held; replaced, never changed */
	struct vmspace	*p_vmspace;	/* [p_tok] held; NULL once exiting */
	struct fdtable	*p_fdt;		/* [file layer] */
	struct fsctx	*p_fs;		/* [vfs layer] */
	struct vnode	*p_exe;		/* [p_tok] held */
	char		*p_exe_path;	/* [p_tok] kmalloc'ed, for /proc/PID/exe */
	struct waitq	p_waitq;	/* waiters in wait4 of this parent; vfork */
	struct sigacts	*p_sigacts;	/* [p_tok] */
	struct sigqueue	p_sigq;		/* [p_tok] pending for the group */
	uint64_t	p_rlimit[16][2];	/* [p_tok] soft, hard */
	struct rusage_acc p_ru, p_cru;	/* [p_tok] self (ended lwps), waited-for children */
	nsec_t		p_start;	/* const */
	uaddr_t		p_arg_start, p_arg_end, p_env_start, p_env_end, p_stack_start;	/* [p_tok] */
	uint8_t		p_auxv[512];	/* [p_tok] for /proc/PID/auxv */
	uint32_t	p_auxv_bytes;	/* [p_tok] */
	char		p_comm[16];	/* [p_tok] */
	int		p_exit_signal;	/* const: to the parent */
	bool		p_did_exec;	/* [p_tok] */
	bool		p_dumpable;	/* [p_tok] */
	bool		p_no_new_privs;	/* [p_tok] */
	bool		p_subreaper;	/* [p_tok] */
	int		p_pdeathsig;	/* [p_tok] */
	int		p_nice;		/* [p_tok] */
	struct timer	p_alarm[3];	/* ITIMER_REAL; others counted by the user loop */
	uint64_t	p_itimer[3][2];	/* [p_tok] next (ns, 0 off), interval */
	uint64_t	p_id;		/* const: born-here sequence number */
};

struct lwp {
	struct thread	*l_thread;	/* const */
	struct proc	*l_proc;	/* const, held */
	int32_t		l_tid;		/* const */
	struct list	l_link;		/* [p_tok] */
	struct md_uframe l_uf;		/* [lwp] */
	sigset_t	l_sigmask;	/* [lwp] others read under p_tok */
	sigset_t	l_sigsaved;	/* [lwp] sigsuspend, ppoll: restore after delivery */
	bool		l_sigsaved_set;	/* [lwp] */
	struct sigqueue	l_sigq;		/* [p_tok] */
	struct k_sigaltstack l_altstack;	/* [lwp] */
	uaddr_t		l_clear_tid;	/* [lwp] */
	uaddr_t		l_robust_list;	/* [lwp] */
	uint64_t	l_orig_rax;	/* [lwp] system call number in progress, for restarts; -1: none */
	struct rusage_acc l_ru;		/* [lwp] */
	nsec_t		l_mode_start;	/* [lwp] when the current mode (user, kernel) began */
	bool		l_exit;		/* [p_tok] must end at the next boundary */
	uint64_t	(*l_restart)(struct lwp *);	/* [lwp] restart_syscall block */
	uint64_t	l_restart_arg[4];	/* [lwp] */
};

#define curlwp		(curthread->td_lwp)
#define curproc		(curlwp->l_proc)

struct proc *proc_find(int32_t pid);		/* held; zombies too; NULL */
struct pgrp *pgrp_find(int32_t pgid);		/* held */
void	proc_hold(struct proc *p);
void	proc_drop(struct proc *p);
void	pgrp_drop(struct pgrp *pg);
void	pgrp_hold(struct pgrp *pg);
void	session_hold(struct session *s);
void	session_drop(struct session *s);
/* Calls fn for each process, held, in pid order; fn may sleep; stops when fn returns nonzero. */
int	proc_foreach(int (*fn)(struct proc *, void *), void *arg);
bool	pgrp_is_orphaned(struct pgrp *pg);

_Noreturn void proc_exit(int status);		/* the current process, wait status form: code << 8 | signal */

/* What upper layers add to a process's life.  Registered at boot, in layer order. */
struct proc_hooks {
	int	(*ph_fork)(struct proc *parent, struct proc *child, uint64_t clone_flags);	/* undone by ph_exit */
	void	(*ph_exec)(struct proc *p);
	void	(*ph_exit)(struct proc *p);
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
void	proc_set_syscall(void (*dispatch)(struct lwp *, struct sysmsg *));	/* the syscall layer's */
