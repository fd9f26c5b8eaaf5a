/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * time - clocks and timers of a CPU.
 *
 * Tickless: each CPU keeps its timers in order and asks the machine for the
 * earliest one only.  A timer belongs to the CPU that armed it.
 */
#pragma once
#include <core/rt/rbtree.h>
#include <machine/types.h>

struct cpu;
struct timer {
	struct rb_node	t_node;		/* [t_cpu] */
	nsec_t		t_when;		/* [t_cpu] */
	struct cpu	*t_cpu;		/* [whoever arms it] armed it last; NULL: nobody has */
	bool		t_armed;	/* [t_cpu] */
	void		(*t_fn)(struct timer *t);	/* on t_cpu, thread context, critical section: must not block */
};
void	timer_init(struct timer *t, void (*fn)(struct timer *t));
void	timer_arm(struct timer *t, nsec_t when);	/* replaces an earlier request */
/* True: it was armed and will not run.  On return it does not run.  Not in a critical section, but for a timer of this CPU. */
bool	timer_cancel(struct timer *t);

nsec_t	time_now(void);		/* monotonic */
nsec_t	time_wall(void);	/* UTC: the machine's clock plus what settimeofday moved it by */
void	time_set_wall(nsec_t t);
uint64_t time_wall_moved(void);	/* that, modulo 2^64 */
/* The same as programs are told: since boot, and UTC.  They compare these with what they computed themselves. */
nsec_t	time_told_mono(void);
nsec_t	time_told_wall(void);
void	time_told_step(void);		/* the wall clock was set */
/* From now on programs compute the time from this page, struct vdso_time; false: this machine's cannot. */
bool	time_told_page(void *zeroed);
nsec_t	time_boot(void);	/* time_now() at boot: uptime is time_now() - time_boot() */

struct thread;
void	time_init(void);			/* kmain, first of all */
void	time_init_cpu(struct cpu *c);		/* each CPU, before its first timer */
/* For lwkt_set_needs(): deadlines of sleeps. */
void	timeout_arm(struct thread *td, nsec_t deadline);
void	timeout_disarm(struct thread *td);
