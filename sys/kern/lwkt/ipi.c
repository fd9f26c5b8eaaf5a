/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipi - function calls to other CPUs.
 *
 * Each CPU has a ring from every other one, and a bitmap of those that have
 * put something.  A sender writes the entry, then its bit, then the
 * target's mailbox; the target empties them in the opposite order, so
 * whatever was written before a word was taken is found, and what comes later
 * sets the word again.  Only the mailbox's first bit costs a wake-up.
 *
 * Waiting for room is where such designs die.  A sender that finds the ring
 * full interrupts the target always, also when all that lies there is
 * passive, and answers its own rings meanwhile.  In the middle of a message
 * (its function sends, too) it answers only writers that themselves wait, and only until
 * they have room.  Half of each ring is kept for messages sent by messages: who
 * is not in the middle of one waits at half, until a quarter is left.  So as
 * long as messages do not multiply, those that they send find room, and
 * nesting stays shallow; at DEPTH_MAX a CPU only waits.
 *
 * Invariants
 *   P1  an entry's bit in i_from is set after the entry was put, and taken
 *       before the ring is read: a bit may be left for an empty ring, never
 *       an entry without a bit, unless somebody reads the ring right now.
 *   P2  the mailbox is written after the bit, and taken before it.
 *   P3  i_depth messages are being run by this CPU, one inside the other.
 *   P4  one CPU at a time is in the middle of a cpusync.
 *
 * Locking: none; see ring.h and [cpu].
 */
#include <abi/errno.h>
#include <core/ipi/ring.h>
#include <stdatomic.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/ktr.h>

#include "lwkt_int.h"

#define DEPTH_MAX	20u

struct ipi_cpu {
	_Atomic uint64_t i_from[CPU_MAX / 64];	/* [atomic] P1 */
	uint32_t	i_depth;		/* [cpu] P3 */
	uint32_t	i_deepest;		/* [cpu] statistics, like those below */
	_Atomic uint64_t i_sent, i_passive, i_waits;
	struct ipi_ring	*i_ring[CPU_MAX];	/* const: from that CPU to this one */
};

static uint32_t entries;			/* const after boot */

/* ------------------------------------------------------------ answering -- */

static void
run_ring(struct ipi_cpu *me, uint32_t from, bool choosy)
{
	struct ipi_ring *r = me->i_ring[from];
	struct ipi_entry e;

	while (ring_take(r, choosy, &e)) {
		ktr(KTR_IPI_RUN, (uint64_t)e.fn, (uint64_t)from << 32 | (r->r_head - 1));
		md_point(MD_PT_RING, (uint64_t)e.fn);
		me->i_depth++;
		if (me->i_depth > me->i_deepest)
			me->i_deepest = me->i_depth;
		e.fn(e.arg, e.value);
		me->i_depth--;
	}
}

/* MD_INTR_IPI, and whoever waits for another CPU.  In a critical section. */
void
ipi_interrupt(struct cpu *c)
{
	struct ipi_cpu *me = c->c_ipi;
	bool choosy = me->i_depth > 0;

	for (uint32_t w = 0; w * 64 < cpu_count; w++) {
		uint64_t from = choosy ? atomic_load_explicit(&me->i_from[w], memory_order_acquire) :
		    atomic_exchange_explicit(&me->i_from[w], 0, memory_order_acq_rel);

		for (; from != 0; from &= from - 1)
			run_ring(me, w * 64 + (uint32_t)__builtin_ctzll(from), choosy);
	}
}

/* One turn of waiting for somebody who may be waiting for us. */
static void
wait_turn(uint32_t *turns)
{
	crit_enter();
	if (mycpu->c_ipi->i_depth < DEPTH_MAX)
		ipi_interrupt(mycpu);
	crit_exit();
	md_spin(turns);
}

/* -------------------------------------------------------------- sending -- */

static void
kick(struct cpu *to)
{
	uint32_t me = mycpuid;

	atomic_fetch_or_explicit(&to->c_ipi->i_from[me / 64], 1ull << me % 64, memory_order_acq_rel);	/* P1 */
	md_kick(to->c_id, MD_INTR_IPI);									/* P2 */
}

/* Wait until no more than `most` entries are used. */
static void
wait_for_room(struct cpu *to, struct ipi_ring *r, uint32_t most)
{
	uint32_t turns = 0;

	atomic_fetch_add_explicit(&to->c_ipi->i_waits, 1, memory_order_relaxed);
	ring_want_room(r);
	kick(to);
	while (ring_used(r) > most)
		wait_turn(&turns);
}

static void
put(struct cpu *to, struct ipi_ring *r, const struct ipi_entry *e)
{
	uint64_t stamp;		/* before it can be run */

	if (mycpu->c_ipi->i_depth == 0 && ring_used(r) > entries / 2)
		wait_for_room(to, r, entries / 4);
	for (stamp = ktr_stamp(); !ring_put(r, e); stamp = ktr_stamp())
		wait_for_room(to, r, entries - 1);
	ktr_at(stamp, KTR_IPI_SEND, (uint64_t)e->fn, (uint64_t)to->c_id << 32 | (r->r_tail - 1));
	md_point(MD_PT_RING, (uint64_t)e->fn);
}

static void
run_here(ipi_fn *fn, void *arg, uint64_t value)
{
	crit_enter();
	fn(arg, value);
	crit_exit();
}

void
ipi_send(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value)
{
	struct cpu *to = cpu_find(cpu);

	if (to == mycpu) {
		run_here(fn, arg, value);
		return;
	}
	put(to, to->c_ipi->i_ring[mycpuid], &(struct ipi_entry){ fn, arg, value });
	atomic_fetch_add_explicit(&to->c_ipi->i_sent, 1, memory_order_relaxed);
	kick(to);
}

void
ipi_send_passive(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value)
{
	struct cpu *to = cpu_find(cpu);
	struct ipi_ring *r;

	if (to == mycpu) {
		run_here(fn, arg, value);
		return;
	}
	r = to->c_ipi->i_ring[mycpuid];
	put(to, r, &(struct ipi_entry){ fn, arg, value });
	atomic_fetch_add_explicit(&to->c_ipi->i_passive, 1, memory_order_relaxed);
	if (ring_used(r) > entries / 4)
		kick(to);
	else
		atomic_fetch_or_explicit(&to->c_ipi->i_from[mycpuid / 64], 1ull << mycpuid % 64, memory_order_acq_rel);
}

/* A call that somebody waits for; on the waiter's stack. */
struct call {
	ipi_fn		*fn;
	void		*arg;
	uint64_t	value;
	_Atomic uint32_t *left;		/* [atomic] how many have not run yet; the caller's */
};

static void
run_call(void *arg, uint64_t unused)
{
	struct call *call = arg;
	_Atomic uint32_t *left = call->left;

	(void)unused;
	call->fn(call->arg, call->value);
	atomic_fetch_sub_explicit(left, 1, memory_order_release);
}

static void
wait_for_none(_Atomic uint32_t *left)
{
	uint32_t turns = 0;

	while (atomic_load_explicit(left, memory_order_acquire) != 0)
		wait_turn(&turns);
}

void
ipi_call(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value)
{
	_Atomic uint32_t left = 1;
	struct call call = { fn, arg, value, &left };

	ASSERT(curthread->td_crit == 0);
	ipi_send(cpu, run_call, &call, 0);
	wait_for_none(&left);
}

/* --------------------------------------------------------- all together -- */

static _Atomic uint32_t sync_owner;	/* P4: CPU + 1, 0: nobody */
static _Atomic uint32_t sync_stopped;	/* CPUs that have stopped */
static _Atomic uint32_t sync_round;	/* grows when they may go on */

static void
nothing(void *arg, uint64_t value)
{
	(void)arg;
	(void)value;
}

void
ipi_quiesce(void)
{
	_Atomic uint32_t left = cpu_count - 1;
	struct call call = { nothing, NULL, 0, &left };

	ASSERT(curthread->td_crit == 0);
	for (uint32_t i = 0; i < cpu_count; i++)
		if (i != mycpuid)
			ipi_send(i, run_call, &call, 0);
	wait_for_none(&left);
}

static void
stop_here(void *arg, uint64_t round)
{
	nsec_t since = gap_pause(mycpu);
	uint32_t turns = 0;

	(void)arg;
	atomic_fetch_add_explicit(&sync_stopped, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&sync_round, memory_order_acquire) == (uint32_t)round)
		md_spin(&turns);
	gap_resume(mycpu, since);
}

void
ipi_cpusync(void (*fn)(void *), void *arg)
{
	uint32_t none = 0, turns = 0, round;

	ASSERT(curthread->td_crit == 0);
	while (!atomic_compare_exchange_strong(&sync_owner, &none, mycpuid + 1)) {
		wait_turn(&turns);		/* perhaps that is to stop here */
		none = 0;
	}
	round = atomic_load(&sync_round);
	atomic_store(&sync_stopped, 0);
	for (uint32_t i = 0; i < cpu_count; i++)
		if (i != mycpuid)
			ipi_send(i, stop_here, NULL, round);
	for (turns = 0; atomic_load_explicit(&sync_stopped, memory_order_acquire) != cpu_count - 1;)
		wait_turn(&turns);
	crit_enter();
	fn(arg);
	crit_exit();
	atomic_store(&sync_owner, 0);
	atomic_store_explicit(&sync_round, round + 1, memory_order_release);
}

/* ----------------------------------------------------------------- boot -- */

/* Fewer for many CPUs: there is a ring for each pair. */
static uint32_t
entries_for(uint32_t ncpu)
{
	return ncpu <= 8 ? 256 : ncpu <= 32 ? 64 : ncpu <= 128 ? 16 : 8;
}

int
ipi_init_cpu(uint32_t cpu, uint32_t ncpu)
{
	struct cpu *c = cpu_find(cpu);
	struct ipi_cpu *me = lwkt_needs.mem_alloc(sizeof *me);
	size_t bytes;

	entries = entries_for(ncpu);
	bytes = sizeof(struct ipi_ring) + entries * sizeof(struct ipi_entry);
	if (me == NULL)
		return ENOMEM;
	for (uint32_t i = 0; i < ncpu; i++) {
		if (i == cpu)
			continue;
		me->i_ring[i] = lwkt_needs.mem_alloc(bytes);
		if (me->i_ring[i] == NULL)
			return ENOMEM;
		me->i_ring[i]->r_mask = entries - 1;
	}
	c->c_ipi = me;
	return 0;
}

size_t
ipi_ring_entries(void)
{
	return entries;
}

void
ipi_stats(struct ipi_stats *out)
{
	memset(out, 0, sizeof *out);
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct ipi_cpu *me = cpu_find(i)->c_ipi;

		out->is_sent += atomic_load_explicit(&me->i_sent, memory_order_relaxed);
		out->is_passive += atomic_load_explicit(&me->i_passive, memory_order_relaxed);
		out->is_waits += atomic_load_explicit(&me->i_waits, memory_order_relaxed);
		out->is_deepest = rt_max(out->is_deepest, me->i_deepest);
	}
}
