/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwkt/cpu - the per-CPU area (DragonFly's globaldata).
 *
 * Owned by its CPU: only that CPU touches it, inside a critical section,
 * except for the fields marked atomic.  It lies in RAM and %gs:0 points to it.
 */
#pragma once
#include <core/rt/list.h>
#include <machine/cpu.h>
#include <sys/lwkt/figure.h>

#define CPU_MAX		256
#define LWKT_PRI_MAX	32

struct thread;
struct time_cpu;
struct vm_cpu;
struct ipi_cpu;
struct ktr_ring;

struct cpu {
	struct cpu		*c_self;	/* const: %gs:0 reads this */
	_Atomic uint32_t	c_mailbox;	/* [atomic: anybody ORs, the owner takes] */
	uint32_t		c_id;		/* const */
	uint32_t		c_watch;	/* const after boot: CPU_WATCH_*, looked at wherever the mailbox is */
	struct thread		*c_curthread;	/* [cpu] */
	uint32_t		c_runmask;	/* [cpu] bit p: c_runq[p] is not empty */
	struct list		c_runq[LWKT_PRI_MAX];	/* [cpu] runnable threads, not the current one */
	struct thread		*c_idle;	/* const: runs when nothing else can */
	figure_t		c_switches;	/* [cpu] */
	figure_t		c_faults;	/* [cpu] of user threads */
	figure_t		c_user_ns, c_sys_ns;	/* [cpu] time booked for user threads */
	struct list		c_reap;		/* [cpu] threads that have exited, their stacks to free */
	struct thread		*_Atomic c_wakeups;	/* [atomic] threads to make ready here, newest first: td_wakenext */
	struct thread		*c_left;	/* [cpu] has just been switched away from: see switch_finish() */
	struct ktr_ring		*c_ktr;		/* [cpu] what happened last; never NULL */
	struct ktr_ring		*c_samples;	/* [cpu] sys/kern/proc/sample.c; NULL: not yet */
	struct ipi_cpu		*c_ipi;		/* const: rings of messages */
	nsec_t			c_gap_used, c_gap_at;	/* [cpu] gap.c */
	struct time_cpu		*c_time;	/* const: timer layer's */
	struct vm_cpu		*c_vm;		/* const: page and slab caches */
};

#define CPU_WATCH_GAPS	1u
#define CPU_WATCH_POINTS 2u	/* deterministic mode */

_Static_assert(offsetof(struct cpu, c_mailbox) == offsetof(struct md_percpu, mailbox), "begins as the platform expects");

#define mycpu		((struct cpu *)md_percpu())
#define curthread	(mycpu->c_curthread)
#define mycpuid		(mycpu->c_id)

extern uint32_t cpu_count;			/* const after boot */
struct cpu *cpu_find(uint32_t id);
