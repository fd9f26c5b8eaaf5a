/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch - lists of mapping commands that a stub's mapper runs for us
 *
 * Only a thread of a process can change that process's mappings, so each
 * stub has one that does nothing else.  We write commands into pages that
 * the stub can only read, give the list a number, and wake the mapper; it
 * runs them in order and writes the number back through a descriptor.
 *
 * Invariants
 *   B1  One list at a time: the command pages are rewritten only after
 *       C_DONE has answered the list before.
 *   B2  C_DONE cannot be forged: no guest can write it (stub.S, I2).
 *   B3  The mapper stops at the first failure and answers C_FAILED, a value
 *       that no list number has (they keep their top bit clear).
 *   B4  The filter allows no range longer than HK_BATCH_SPAN but the whole
 *       guest range; longer ones are cut here.
 *
 * Locking: sp_lock.  hk_space_kill() is the one outsider: it stores DEAD in
 * C_DONE so that nobody waits for a mapper that is gone.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "hk_filter.h"
#include "hk_int.h"
#include "hk_stub.h"

_Static_assert(offsetof(struct hk_cmd, c_done) == C_DONE, "stublay.h");
_Static_assert(offsetof(struct hk_cmd, c_res) == C_RES, "stublay.h");
_Static_assert(offsetof(struct hk_cmd, c_count) == C_COUNT, "stublay.h");
_Static_assert(offsetof(struct hk_cmd, c_region) == C_REGION, "stublay.h");
_Static_assert(offsetof(struct hk_cmd, c_ent) == C_ENT, "stublay.h");
_Static_assert(sizeof(struct hk_cmd_ent) == C_ENT_SIZE, "stublay.h");
_Static_assert(sizeof(struct hk_cmd) <= STUB_CMD_LEN, "stublay.h");

#define SEQ_FAILED	0x80000000u
#define SEQ_MASK	0x7fffffffu
#define CHECK_NS	1000000000ull	/* a mapper that is this late may be dead */
#define EVERYTHING	(HK_USER_MAX - HK_USER_MIN)

void
hk_batch_reset(struct hk_space_rec *sp)
{
	sp->sp_seq = 0;
	sp->sp_noted = 0;
	sp->sp_count = 0;
	sp->sp_failed = false;
	sp->sp_maps = 0;
	sp->sp_mapped = false;
}

/* Wait until the mapper has answered the last list (B1).  Notes a failure. */
static void
batch_wait(struct hk_space_rec *sp)
{
	struct hk_cmd *c = sp->sp_cmd;
	uint32_t done, spin;

	for (spin = atomic_load_explicit(&c->c_spin, memory_order_relaxed);; ) {
		done = atomic_load_explicit(&c->c_done, memory_order_acquire);
		if (done == sp->sp_seq || done == (sp->sp_seq | SEQ_FAILED))
			break;
		if (atomic_load(&sp->sp_dead))
			break;
		if (spin > 0) {
			spin--;
			__builtin_ia32_pause();
			continue;
		}
		/* The mapper's fence between C_DONE and C_WAITING pairs with this one. */
		atomic_store(&c->c_waiting, 1);
		done = atomic_load(&c->c_done);
		if (done != sp->sp_seq && done != (sp->sp_seq | SEQ_FAILED) && !atomic_load(&sp->sp_dead) &&
		    hk_futex_wait(&c->c_done, done, CHECK_NS) == -ETIMEDOUT)
			hk_spaces_reap();
		atomic_store_explicit(&c->c_waiting, 0, memory_order_relaxed);
	}
	if (done != sp->sp_seq && (done != (sp->sp_seq | SEQ_FAILED) || sp->sp_noted != sp->sp_seq)) {
		sp->sp_failed = true;
		sp->sp_noted = sp->sp_seq;	/* one failure is reported once */
	}
}

/* Give the collected list to the mapper. */
static void
batch_send(struct hk_space_rec *sp, uint64_t resume)
{
	struct hk_cmd *c = sp->sp_cmd;

	sp->sp_seq = (sp->sp_seq + 1) & SEQ_MASK;
	atomic_store_explicit(&c->c_count, sp->sp_count, memory_order_relaxed);
	atomic_store_explicit(&c->c_failed, sp->sp_seq | SEQ_FAILED, memory_order_relaxed);
	atomic_store_explicit(&c->c_resume, resume, memory_order_relaxed);
	sp->sp_count = 0;
	atomic_store(&c->c_seq, sp->sp_seq);
	hk_futex_wake(&c->c_seq, 1);
}

static void
batch_add(struct hk_space_rec *sp, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct hk_cmd_ent *e;

	if (sp->sp_count == 0)
		batch_wait(sp);
	if (sp->sp_count == C_ENT_MAX) {
		batch_send(sp, 0);
		batch_wait(sp);
	}
	e = &sp->sp_cmd->c_ent[sp->sp_count++];
	e->e_nr = (uint64_t)nr;
	e->e_arg[0] = a0;
	e->e_arg[1] = a1;
	e->e_arg[2] = a2;
	e->e_arg[3] = a3;
	e->e_arg[4] = a4;
	e->e_arg[5] = a5;
}

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
hk_batch_mmap(struct hk_space_rec *sp, uint64_t va, uint64_t len, uint64_t pa, int prot, bool populate)
{
	uint64_t n;

	for (; len != 0; va += n, pa += n, len -= n) {
		n = min_u64(len, HK_BATCH_SPAN);
		batch_add(sp, SYS_mmap, va, n, (uint64_t)prot,
		    MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0), STUB_FD_RAM, pa);
		sp->sp_maps += 2;
		sp->sp_mapped = true;
		atomic_fetch_add_explicit(&hk_m.n_maps, 1, memory_order_relaxed);
	}
}

void
hk_batch_munmap(struct hk_space_rec *sp, uint64_t va, uint64_t len)
{
	uint64_t n;

	if (len > 64 * HK_BATCH_SPAN) {
		hk_batch_drop_all(sp);
		return;
	}
	for (; len != 0; va += n, len -= n) {
		n = min_u64(len, HK_BATCH_SPAN);
		batch_add(sp, SYS_munmap, va, n, 0, 0, 0, 0);
		sp->sp_maps++;
		atomic_fetch_add_explicit(&hk_m.n_unmaps, 1, memory_order_relaxed);
	}
}

void
hk_batch_mprotect(struct hk_space_rec *sp, uint64_t va, uint64_t len, int prot)
{
	uint64_t n;

	for (; len != 0; va += n, len -= n) {
		n = min_u64(len, HK_BATCH_SPAN);
		batch_add(sp, SYS_mprotect, va, n, (uint64_t)prot, 0, 0, 0);
		sp->sp_maps++;
		atomic_fetch_add_explicit(&hk_m.n_protects, 1, memory_order_relaxed);
	}
}

void
hk_batch_drop_all(struct hk_space_rec *sp)
{
	if (!sp->sp_mapped)
		return;
	batch_add(sp, SYS_munmap, HK_USER_MIN, EVERYTHING, 0, 0, 0, 0);
	sp->sp_maps = 0;
	sp->sp_mapped = false;
	atomic_fetch_add_explicit(&hk_m.n_unmaps, 1, memory_order_relaxed);
}

bool
hk_batch_settle(struct hk_space_rec *sp)
{
	bool ok;

	batch_wait(sp);
	ok = !sp->sp_failed && !atomic_load(&sp->sp_dead);
	sp->sp_failed = false;
	return ok;
}

bool
hk_batch_commit(struct hk_space_rec *sp)
{
	if (sp->sp_count > 0 && !atomic_load(&sp->sp_dead))
		batch_send(sp, 0);
	sp->sp_count = 0;
	return hk_batch_settle(sp);
}

void
hk_batch_resume(struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_slot *s = hk_slot_of(sp, cpu);

	atomic_store_explicit(&s->s_state, ST_MAPPER, memory_order_relaxed);
	batch_send(sp, hk_slot_va(cpu));
}

int32_t
hk_batch_clone(struct hk_space_rec *sp, uint32_t cpu)
{
	if (sp->sp_count > 0 && !hk_batch_commit(sp))
		return 0;
	atomic_store_explicit(&sp->sp_cmd->c_res, 0, memory_order_relaxed);
	batch_add(sp, SYS_clone, STUB_THREAD_FLAGS, hk_slot_va(cpu) + SLOT_SIZE, 0, 0, 0, 0);
	if (!hk_batch_commit(sp))
		return 0;
	return (int32_t)atomic_load_explicit(&sp->sp_cmd->c_res, memory_order_relaxed);
}
