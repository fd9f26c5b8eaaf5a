/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipi - function calls to other CPUs (DragonFly BSD's IPI messages).
 *
 * One ring for each ordered pair of CPUs, written by the sender alone and
 * read by the target alone, so neither needs a lock.  fn(arg, value) runs on
 * the target in a critical section, in the context of whatever looked at the
 * mailbox: it may wake threads, arm timers and send messages, and may not sleep or
 * take a token.  Messages of one sender to one target run in order.
 *
 * A sender that finds the ring full waits, and answers its own rings
 * meanwhile; so nothing that such a message could want may be held: no spin lock.
 * (Waking a thread is not a message here: lwkt_wake() never waits.)
 */
#pragma once
#include <core/ipi/ring.h>
#include <machine/types.h>

/* Soon: the target is interrupted unless it has been already. */
void	ipi_send(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value);
/* When the target looks next for another reason, or when a quarter of the ring is full. */
void	ipi_send_passive(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value);
/* Returns when it ran.  On this CPU: at once.  Not in a critical section; tokens are kept. */
void	ipi_call(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value);

/*
 * cpusync: stop, run, go on.  Every other CPU is brought to a stop outside
 * of critical sections, then fn(arg) runs on this CPU alone, then all go on.
 * quiesce: only that every other CPU has been outside of one since the call.
 */
void	ipi_cpusync(void (*fn)(void *), void *arg);
void	ipi_quiesce(void);

/* Boot: rings of CPU `cpu` from and to all `ncpu`. */
int	ipi_init_cpu(uint32_t cpu, uint32_t ncpu);
size_t	ipi_ring_entries(void);		/* const after boot */

struct ipi_stats {
	uint64_t	is_sent, is_passive, is_waits;	/* of all CPUs */
	uint32_t	is_deepest;					/* nesting seen */
};
void	ipi_stats(struct ipi_stats *out);
