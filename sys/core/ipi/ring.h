/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring - messages from one CPU to one other.
 *
 * One writer, one reader, no lock.  Both indices only grow and are compared
 * by their distance: a reader that was overtaken by itself (a message's
 * function may have to read the same ring) finds a distance of 0, where
 * comparing with a remembered end would run through the ring again (DragonFly BSD, 2005).
 *
 * Invariants
 *   G1  r_tail - r_head is at most the number of entries: what lies between is
 *       the reader's, the rest the writer's.
 *   G2  an entry is written before r_tail says so, and copied before r_head
 *       gives it back.
 *   G3  whoever waits for room has set r_drain to a tail that was full: until
 *       there the reader goes even where it is choosy (lwkt/ipi.c).
 *
 * All accesses to shared memory are C11 atomics and ring_copy(), so that a
 * test can put its own in their place (tests/unit/explore).
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef void ipi_fn(void *arg, uint64_t value);

struct ipi_entry {
	ipi_fn		*fn;
	void		*arg;
	uint64_t	value;
};

struct ipi_ring {
	_Atomic uint32_t r_tail;	/* [writer] entries put */
	_Atomic uint32_t r_drain;	/* [writer] it waits until this many are taken */
	uint32_t	r_mask;		/* const: entries - 1, a power of two less 1 */
	uint32_t	r_pad[13];
	_Atomic uint32_t r_head;	/* [reader] entries taken */
	uint32_t	r_pad2[15];
	struct ipi_entry r_entry[];	/* G1 */
};

#ifndef ring_copy
#define ring_copy(to, from)	(*(to) = *(from))
#endif

static inline uint32_t
ring_used(const struct ipi_ring *r)
{
	return atomic_load_explicit(&r->r_tail, memory_order_relaxed) -
	    atomic_load_explicit(&r->r_head, memory_order_acquire);
}

/* Writer.  False: full. */
static inline bool
ring_put(struct ipi_ring *r, const struct ipi_entry *e)
{
	uint32_t tail = atomic_load_explicit(&r->r_tail, memory_order_relaxed);

	if (ring_used(r) > r->r_mask)
		return false;
	ring_copy(&r->r_entry[tail & r->r_mask], e);
	atomic_store_explicit(&r->r_tail, tail + 1, memory_order_release);	/* G2 */
	return true;
}

/* Writer: it is full and we wait. */
static inline void
ring_want_room(struct ipi_ring *r)
{
	atomic_store_explicit(&r->r_drain, atomic_load_explicit(&r->r_tail, memory_order_relaxed),
	    memory_order_release);
}

/* Reader.  `choosy`: only what a waiting writer wants taken.  False: nothing. */
static inline bool
ring_take(struct ipi_ring *r, bool choosy, struct ipi_entry *e)
{
	uint32_t head = atomic_load_explicit(&r->r_head, memory_order_relaxed);
	uint32_t end = choosy ? atomic_load_explicit(&r->r_drain, memory_order_acquire) :
	    atomic_load_explicit(&r->r_tail, memory_order_acquire);

	if ((int32_t)(end - head) <= 0)
		return false;
	ring_copy(e, &r->r_entry[head & r->r_mask]);
	atomic_store_explicit(&r->r_head, head + 1, memory_order_release);	/* G2 */
	return true;
}
