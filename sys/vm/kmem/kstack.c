/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kstack - kernel stacks in the kernel map.
 *
 * The kernel map is cut into slots of twice a stack.  A stack lies at the top of
 * its slot; what is below it is never mapped, so that running over the end
 * is a fault and not a neighbour's problem.  A slot that is free and not
 * mapped is a zero bit; mapped free stacks are kept per CPU, newest first,
 * because mapping one costs a call to the machine.
 *
 * A stack is one physical run: its first page is remembered per slot, since
 * the machine's map cannot be asked.
 *
 * What runs on a stack that was given back, or looks there at its thread, the address sanitizer finds.
 *
 * Bound: KSTACK_SLOTS stacks.  Locking: ks_spin; the caches by their CPU.
 */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/debug/asan.h>
#include <sys/lwkt/spin.h>
#include <sys/vm/kmem.h>
#include "../vm_int.h"

#define SLOT_BYTES	(2ull * LWKT_STACK_BYTES)
#define KSTACK_SLOTS	65536u
_Static_assert(KSTACK_SLOTS * SLOT_BYTES <= MD_KMAP_BYTES, "the kernel map holds all slots");
_Static_assert(LWKT_STACK_BYTES + PAGE_BYTES <= SLOT_BYTES, "a stack and its guard page fit into a slot");

static struct {
	struct spin	ks_spin;
	uint64_t	ks_used[KSTACK_SLOTS / 64];	/* [ks_spin] bit: slot is mapped */
	uint32_t	ks_page[KSTACK_SLOTS];		/* [slot's owner] number of its first page */
	uint32_t	ks_next;			/* [ks_spin] where to look first */
} ks;

void
kstack_init(void)
{
	spin_init(&ks.ks_spin, LR_kstack);
}

/* A free slot, marked used; KSTACK_SLOTS: none. */
static uint32_t
slot_take(void)
{
	uint32_t words = KSTACK_SLOTS / 64, found = KSTACK_SLOTS;

	spin_lock(&ks.ks_spin);
	for (uint32_t n = 0; n < words && found == KSTACK_SLOTS; n++) {
		uint32_t w = (ks.ks_next + n) % words;

		if (~ks.ks_used[w] == 0)
			continue;
		found = w * 64 + (uint32_t)__builtin_ctzll(~ks.ks_used[w]);
		ks.ks_used[w] |= 1ull << (found % 64);
		ks.ks_next = w;
	}
	spin_unlock(&ks.ks_spin);
	return found;
}

static void
slot_give(uint32_t slot)
{
	spin_lock(&ks.ks_spin);
	ks.ks_used[slot / 64] &= ~(1ull << (slot % 64));
	if (slot / 64 < ks.ks_next)
		ks.ks_next = slot / 64;
	spin_unlock(&ks.ks_spin);
}

static uint64_t
slot_stack(uint32_t slot, size_t bytes)
{
	return MD_KMAP_BASE + (slot + 1) * SLOT_BYTES - bytes;
}

static uint64_t
stack_map(size_t bytes)
{
	uint64_t n = bytes >> PAGE_SHIFT;
	uint32_t order = 0, slot;
	struct page *pg;

	while ((1ull << order) < n)
		order++;
	pg = page_alloc_run(order, 0);
	if (pg == NULL)
		return 0;
	page_drop_run(pg + n, (1ull << order) - n);
	slot = slot_take();
	if (slot == KSTACK_SLOTS)
		goto undo_pages;
	if (md_kmap(slot_stack(slot, bytes), page_pa(pg), bytes) != 0)
		goto undo_slot;
	ks.ks_page[slot] = (uint32_t)(page_pa(pg) >> PAGE_SHIFT);
	asan_unpoison((const void *)slot_stack(slot, bytes), bytes);
	return slot_stack(slot, bytes);

undo_slot:
	slot_give(slot);
undo_pages:
	page_drop_run(pg, n);
	return 0;
}

static void
stack_unmap(uint64_t stack, size_t bytes)
{
	uint32_t slot = (uint32_t)((stack - MD_KMAP_BASE) / SLOT_BYTES);
	struct page *pg = page_of((paddr_t)ks.ks_page[slot] << PAGE_SHIFT);

	md_kunmap(stack, bytes);
	page_drop_run(pg, bytes >> PAGE_SHIFT);
	slot_give(slot);
}

uint64_t
kstack_alloc(size_t bytes)
{
	uint64_t stack = 0;

	ASSERT(bytes > 0 && (bytes & PAGE_MASK) == 0 && bytes + PAGE_BYTES <= SLOT_BYTES);
	if (bytes == LWKT_STACK_BYTES) {
		struct vm_cpu *v;

		crit_enter();
		v = vm_mycpu();
		if (v->v_nkstack > 0)
			stack = v->v_kstack[--v->v_nkstack];
		crit_exit();
		if (stack != 0)
			asan_unpoison((const void *)stack, bytes);
	}
	return stack != 0 ? stack : stack_map(bytes);
}

void
kstack_free(uint64_t stack, size_t bytes)
{
	bool kept = false;

	ASSERT(stack >= MD_KMAP_BASE && stack + bytes <= MD_KMAP_BASE + KSTACK_SLOTS * SLOT_BYTES);
	asan_poison((const void *)stack, bytes, ASAN_STACK);
	if (bytes == LWKT_STACK_BYTES) {
		struct vm_cpu *v;

		crit_enter();
		v = vm_mycpu();
		if (v->v_nkstack < KSTACK_CACHE) {
			v->v_kstack[v->v_nkstack++] = stack;
			kept = true;
		}
		crit_exit();
	}
	if (!kept)
		stack_unmap(stack, bytes);
}

uint64_t
kstack_trim(void)
{
	struct vm_cpu *v;
	uint64_t stack = 0;

	crit_enter();
	v = vm_mycpu();
	if (v->v_nkstack > 0)
		stack = v->v_kstack[--v->v_nkstack];
	crit_exit();
	if (stack == 0)
		return 0;
	stack_unmap(stack, LWKT_STACK_BYTES);
	return LWKT_STACK_BYTES >> PAGE_SHIFT;
}
