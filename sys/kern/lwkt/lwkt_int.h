/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of lwkt tell each other. */
#pragma once
#include <sys/lwkt/thread.h>

/* Around a switch: every token of the thread is given up and taken again. */
void	token_release_all(struct thread *td);
void	token_reacquire_all(struct thread *td);

void	lwkt_switch_bare(void);

/* MD_INTR_IPI: threads woken by other CPUs, and messages (ipi.c).  In a critical section. */
void	wakeups_take(struct cpu *c);
void	ipi_interrupt(struct cpu *c);

extern bool witness_on;		/* const after boot */
void	witness_take(const void *lock, uint32_t rank, bool waits);
void	witness_drop(const void *lock);

void	gap_note(struct cpu *c, const uint64_t *frame);	/* of the function whose caller ends the span */
/* Around a wait for a CPU that may not be running: what it takes is no part of a gap. */
nsec_t	gap_pause(const struct cpu *c);
void	gap_resume(struct cpu *c, nsec_t since);

/* Take this CPU's mailbox bits and run their handlers until it is empty.  In a critical section. */
void	intr_dispatch(struct cpu *c);

/* The boot CPU's first ring; and one as ktr_start() wished, with what the CPU had in it.  ENOMEM. */
void	ktr_boot(struct cpu *c);
int	ktr_init_cpu(struct cpu *c);
void	ktr_name(const struct thread *td);

extern struct lwkt_needs lwkt_needs;
