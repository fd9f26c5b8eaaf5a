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
	sigset_t	sq_set;		/* pending numbers */
	struct list	sq_list;	/* of queued siginfo */
	uint32_t	sq_count;
};
struct sigacts;

/* Post to a process, a thread, every member of a group.  info NULL: SI_KERNEL.  Any thread context; does not sleep. */
void	sig_post(struct proc *p, int sig, const struct k_siginfo *info);
void	sig_post_lwp(struct lwp *l, int sig, const struct k_siginfo *info);
void	sig_post_pgrp(struct pgrp *pg, int sig, const struct k_siginfo *info);
/* Fault caused by the current thread: cannot be blocked or ignored. */
void	sig_force(struct lwp *l, int sig, const struct k_siginfo *info);
bool	sig_pending(struct lwp *l);		/* an unblocked signal waits: interruptible sleeps must end */
bool	sig_is_ignored_or_blocked(struct lwp *l, int sig);	/* the current one; for SIGTTIN/SIGTTOU rules */
/* Temporary mask for one system call (sigsuspend, ppoll, pselect): put back after delivery or by the user loop. */
void	sig_temp_mask(struct lwp *l, const sigset_t *mask);
/* A system call that was interrupted returns one of these; the user loop makes EINTR or a restart of it. */
#define ERESTARTSYS		512	/* restart if SA_RESTART */
#define ERESTARTNOINTR		513	/* restart always */
#define ERESTARTNOHAND		514	/* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK	516	/* restart through restart_syscall */
