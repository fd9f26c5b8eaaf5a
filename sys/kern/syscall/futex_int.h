/* SPDX-License-Identifier: BSD-2-Clause */
/* What sys_futex.c and futex_pi.c share. */
#pragma once
#include <core/rt/list.h>
#include <machine/types.h>
#include <sys/lwkt/wait.h>

#define FUTEX_WAITERS		0x80000000u
#define FUTEX_OWNER_DIED	0x40000000u
#define FUTEX_TID_MASK		0x3fffffffu

struct bucket;
struct lwp;
struct piwait;

/* Somebody who sleeps on a word. */
struct fwait {
	struct list	f_link;		/* [bucket] */
	uint64_t	f_key[2];	/* [bucket] */
	uint32_t	f_bits;		/* const */
	bool		f_queued;	/* [bucket] */
	struct bucket	*f_bucket;	/* [bucket] where it is, or was last */
	struct piwait	*f_pi;		/* const: it will wait for a lock next; NULL: not so */
	struct waitq	f_waitq;
};
int	futex_key(uaddr_t addr, bool private, uint64_t key[2]);		/* EINVAL, EFAULT */
/* As FUTEX_WAIT; *moved: somebody took it off the queue.  pi may be NULL. */
int	futex_wait_on(uaddr_t addr, bool private, uint32_t expect, uint32_t bits, nsec_t deadline,
	    struct piwait *pi, bool *moved);
/* The first who sleeps on `key`, taken off; NULL: none.  EINVAL: he will not wait for the lock `to`. */
int	futex_take_pi(const uint64_t key[2], const uint64_t to[2], struct piwait **out);

/* futex_pi.c */
int	pi_lock(uaddr_t addr, bool private, nsec_t deadline, bool try);
int	pi_unlock(uaddr_t addr, bool private);
int	pi_wait_requeue(uaddr_t addr, uint32_t expect, uaddr_t lock, bool private, nsec_t deadline);
int	pi_requeue(uaddr_t addr, uint32_t expect, uaddr_t lock, bool private, uint32_t max, uint32_t *done);
void	pi_exit(struct lwp *l);		/* what it owns goes to who waits */
void	pi_exec(struct lwp *l);		/* it has given up everything and goes on */
const uint64_t *pi_key(const struct piwait *w);
void	pi_init(void);
