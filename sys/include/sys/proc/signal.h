/* SPDX-License-Identifier: BSD-2-Clause */
/* signal - Linux's signals: queues, actions, delivery.  Numbers and layouts in abi/signal.h. */
#pragma once
#include <abi/signal.h>
#include <core/rt/list.h>
#include <machine/types.h>

struct proc;
struct lwp;
struct pgrp;

struct sigqueue {
	_Atomic sigset_t sq_set;	/* pending numbers; looked at without the lock */
	struct list	sq_list;	/* of queued siginfo */
	uint32_t	sq_count;
};

/*
 * Post to a process, a thread, every member of a group. info NULL: SI_KERNEL.
 * Any thread context; does not sleep.
 */
void	sig_post(struct proc *p, int sig, const struct k_siginfo *info);
void	sig_post_lwp(struct lwp *l, int sig, const struct k_siginfo *info);
void	sig_post_pgrp(struct pgrp *pg, int sig, const struct k_siginfo *info);
/* Fault caused by the current thread: cannot be blocked or ignored. */
void	sig_force(struct lwp *l, int sig, const struct k_siginfo *info);
/* an unblocked signal waits: interruptible sleeps must end */
bool	sig_pending(struct lwp *l);
/* the current one; for SIGTTIN/SIGTTOU rules */
bool	sig_is_ignored_or_blocked(struct lwp *l, int sig);
/*
 * Temporary mask for one system call (sigsuspend, ppoll, pselect): put back
 * after delivery or by the user loop.
 */
void	sig_temp_mask(struct lwp *l, const sigset_t *mask);
void	sig_temp_mask_end(struct lwp *l);		/* put back at once: nothing interrupted the call */
/* A system call that was interrupted returns one of these; the user loop makes EINTR or a restart of it. */
#define ERESTARTSYS		512	/* restart if SA_RESTART */
#define ERESTARTNOINTR		513	/* restart always */
#define ERESTARTNOHAND		514	/* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK	516	/* restart through restart_syscall */

/* As sig_post, and EAGAIN when a real-time signal could not be queued.  l NULL: to the process. */
int	sig_send(struct proc *p, struct lwp *l, int sig, const struct k_siginfo *info);
/* To thread tid of p: as sig_send, and ESRCH. */
int	sig_send_tid(struct proc *p, int32_t tid, int sig, const struct k_siginfo *info);
/*
 * A timer's signal, to the process or thread tid: is its siginfo queued?  Then fn will be told when
 * it is taken, by the process itself, and may change it.  fn may sleep.  A program can make such a
 * siginfo, too.
 */
bool	sig_send_timer(struct proc *p, int32_t tid, const struct k_siginfo *info);
void	sig_set_timer_taken(void (*fn)(struct k_siginfo *info));
/* May the current process send sig to p: 0 or EPERM. */
int	sig_permitted(struct proc *p, int sig);
/* Is sig ignored by p: set to SIG_IGN, or SIG_DFL where the default is to ignore? */
bool	sig_ignored(struct proc *p, int sig);
/* To all of group pgid (0: the caller's) that it may send to, at one moment; 0, ESRCH, EPERM.  sig 0: only ask. */
int	sig_kill_pgrp(int32_t pgid, int sig, const struct k_siginfo *info);
/* sigtimedwait begins to wait for `set`; 0: it ends. */
void	sig_wait_set(struct lwp *l, sigset_t set);
/* The index-th siginfo that waits for l, or for its process; false: fewer do. */
bool	sig_peek(struct lwp *l, bool shared, uint64_t index, struct k_siginfo *info);
sigset_t sig_pending_set(struct lwp *l);	/* blocked or not */
void	sig_set_mask(struct lwp *l, sigset_t mask);
/* sigaction: old and new may be NULL.  EINVAL. */
int	sig_action(int sig, const struct k_sigaction *act, struct k_sigaction *old);
/* Take one pending signal out of `set` without delivering it (sigtimedwait).  0: none. */
int	sig_take(struct lwp *l, sigset_t set, struct k_siginfo *info);
/* fn is told of each signal that now waits for a process whose p_sig_watched is set.  It may only set flags and wake. */
void	sig_set_watch(void (*fn)(struct proc *p));
bool	sig_killed(struct lwp *l);		/* SIGKILL waits, or the process is ending */
