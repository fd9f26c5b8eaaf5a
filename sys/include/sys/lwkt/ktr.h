/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwkt/ktr - tell what happens (DragonFly's ktr, 2003).
 *
 * Always on: a few stores, no lock, no function call.  A CPU's ring has the last events of that CPU, which
 * panics and debuggers show (abi/ktr.h).  Kernel argument `ktr=N`: so many events for each CPU.
 *
 * No CPU is taken from a thread in the middle of an event (machine/cpu.h: interrupts only set bits), so no
 * critical section is needed.
 */
#pragma once
#include <abi/ktr.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <machine/cpu.h>
#include <sys/lwkt/thread.h>

/* A count that grows at one rate on all CPUs; KTR_IDLE (abi/ktr.h) says what it is in time. */
static inline uint64_t
ktr_stamp(void)
{
	return __builtin_expect(md_deterministic, 0) ? md_now() : md_counter();
}

static inline void
ktr_put(struct ktr_ring *r, uint64_t stamp, uint32_t type, uint32_t thread, uint64_t b, uint64_t c)
{
	uint64_t at = r->kr_next;
	struct ktr_event *e = &r->kr_event[at & r->kr_mask];

	e->ke_stamp = stamp;
	e->ke_type = type;
	e->ke_thread = thread;
	e->ke_b = b;
	e->ke_c = c;
	__atomic_store_n(&r->kr_next, at + 1, __ATOMIC_RELEASE);
}

/* As of `stamp` (ktr_stamp), since which this CPU has told nothing. */
static inline void
ktr_at(uint64_t stamp, enum ktr_type type, uint64_t b, uint64_t c)
{
	struct cpu *cpu = mycpu;

	ktr_put(cpu->c_ktr, stamp, type, (uint32_t)cpu->c_curthread->td_id, b, c);
}

static inline void
ktr(enum ktr_type type, uint64_t b, uint64_t c)
{
	ktr_at(ktr_stamp(), type, b, c);
}

/* Once, on the boot CPU, as soon as there is memory: how many events each CPU keeps, about.  ENOMEM. */
int	ktr_start(uint32_t events);
#define KTR_EVENTS	512u	/* by default */
#define KTR_SAMPLES	512u	/* of each CPU's ring of samples (sys/proc/sample.h) */

/* The first event that a ring of mask + 1 still has, without the one whose place `next` takes. */
static inline uint64_t
ktr_oldest(uint64_t next, uint64_t mask)
{
	return next > mask ? next - mask : 0;
}

/* [begin, end) were copied from a ring that is at `next` by now: the first of them that is whole, or end. */
static inline uint64_t
ktr_whole(uint64_t begin, uint64_t end, uint64_t next, uint64_t mask)
{
	return rt_min(rt_max(ktr_oldest(next, mask), begin), end);
}

/* The last events of one CPU, oldest first, at most `most`.  How many; *first: to[0]'s number since boot. */
uint32_t ktr_copy(uint32_t cpu, struct ktr_event *to, uint32_t most, uint64_t *first);
/* The last events of all CPUs together, oldest first, at most `most`: fn gets each with its CPU. */
typedef void ktr_fn(const struct ktr_event *e, uint32_t cpu, void *arg);
void	ktr_last(uint32_t most, ktr_fn *fn, void *arg);
/* An event's name, and what ke_b and ke_c are (abi/ktr.h). */
const char *ktr_text(uint32_t type, char what[2]);
