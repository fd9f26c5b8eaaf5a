/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical pages, kernel memory and kernel stacks: nothing is handed out twice, nothing is lost. */
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

#define SLOTS	512u

static uint64_t seed = 88172645463325252ull;

static uint32_t
rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

/* Threads of earlier tests may still be giving back theirs: it may grow. */
static uint64_t
free_pages(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.free;
}

KTEST(pages_of_runs_are_aligned_contiguous_and_counted)
{
	uint64_t before = free_pages();

	for (uint32_t order = 0; order <= 9; order++) {
		struct page *pg = page_alloc_run(order, PAGE_ZERO);
		bool ok = true;

		if (!KCHECK(pg != NULL))
			return;
		KCHECK((page_pa(pg) >> PAGE_SHIFT) % (1u << order) == 0);
		for (uint32_t i = 0; i < 1u << order; i++) {
			const uint64_t *w = page_va(&pg[i]);

			ok = ok && page_pa(&pg[i]) == page_pa(pg) + i * PAGE_BYTES && pg[i].pg_refs == 1;
			for (uint32_t k = 0; k < PAGE_BYTES / 8; k++)
				ok = ok && w[k] == 0;
			memset(page_va(&pg[i]), 0xa5, PAGE_BYTES);
			lwkt_poll();
		}
		KCHECK(ok);
		KCHECK(free_pages() >= before - (1u << order));
		for (uint32_t i = 0; i < 1u << order; i++)
			page_drop(&pg[i]);
		KCHECK(free_pages() >= before);
	}
}

KTEST(pages_random_runs_do_not_overlap_and_come_back)
{
	static struct { struct page *pg; uint32_t order; } slot[SLOTS];
	uint64_t before = free_pages(), bad = 0;

	page_poison = true;
	for (uint64_t i = 0; i < ktest_rounds(20000, 2000000); i++) {
		uint32_t k = rnd(SLOTS);
		struct page *pg = slot[k].pg;

		if (pg == NULL) {
			slot[k].order = rnd(6);
			slot[k].pg = pg = page_alloc_run(slot[k].order, 0);
			for (uint32_t n = 0; pg != NULL && n < 1u << slot[k].order; n++)
				*(uint64_t *)page_va(&pg[n]) = k * 64 + n;
			continue;
		}
		for (uint32_t n = 0; n < 1u << slot[k].order; n++) {
			bad += *(uint64_t *)page_va(&pg[n]) != k * 64 + n;
			page_drop(&pg[n]);
		}
		slot[k].pg = NULL;
		if (i % 64 == 0)
			lwkt_poll();
	}
	for (uint32_t k = 0; k < SLOTS; k++)
		for (uint32_t n = 0; slot[k].pg != NULL && n < 1u << slot[k].order; n++)
			page_drop(&slot[k].pg[n]);
	page_poison = false;
	KCHECK(bad == 0);
	KCHECK(free_pages() >= before);
}

KTEST(pages_run_out_with_null_and_all_come_back)
{
	uint64_t before = free_pages(), got = 0;
	struct list all = LIST_INIT(all);
	struct page *pg;

	while ((pg = page_alloc(0)) != NULL) {
		list_push_back(&all, &pg->pg_link);
		if (++got % 64 == 0)
			lwkt_poll();
	}
	KCHECK(got > before / 2);
	KCHECK(page_alloc_run(3, 0) == NULL);
	pg = page_alloc(PAGE_RESERVE);
	if (KCHECK(pg != NULL))
		page_drop(pg);
	while ((pg = list_first(&all, struct page, pg_link)) != NULL) {
		list_remove(&pg->pg_link);
		page_drop(pg);
	}
	KCHECK(free_pages() >= before);
	pg = page_alloc_run(9, 0);
	if (KCHECK(pg != NULL))
		for (uint32_t i = 0; i < 512; i++)
			page_drop(&pg[i]);
}

KTEST(kmem_sizes_alignment_and_zeroes)
{
	uint64_t bytes = kmem_bytes();
	uint32_t bad = 0;

	for (size_t n = 1; n <= 40000; n = n < 2200 ? n + 1 : n * 3 / 2) {
		uint8_t *p = kmalloc(n, KM_ZERO | KM_WAIT), *q = kmalloc(n, 0);

		if (!KCHECK(p != NULL && q != NULL))
			return;
		for (size_t i = 0; i < n; i++)
			bad += p[i] != 0;
		bad += (uint64_t)p % 16 != 0;
		bad += n >= 64 && (uint64_t)p % 64 != 0;
		bad += n >= 4096 && (uint64_t)p % 4096 != 0;
		memset(p, 0xff, n);
		memset(q, 0xee, n);
		for (size_t i = 0; i < n; i++)
			bad += p[i] != 0xff;
		kfree(p);
		kfree(q);
	}
	KCHECK(bad == 0);
	KCHECK(kmem_bytes() == bytes);
	KCHECK(kmalloc_array(SIZE_MAX / 4, 8, 0) == NULL);
	KCHECK(kmalloc(64ull << 20, KM_WAIT) == NULL);
	kfree(NULL);
}

KTEST(kmem_random_objects_keep_their_contents)
{
	static struct { uint8_t *p; uint32_t n; } slot[SLOTS];
	uint64_t bytes = kmem_bytes(), bad = 0;

	for (uint64_t i = 0; i < ktest_rounds(100000, 10000000); i++) {
		uint32_t k = rnd(SLOTS);

		if (slot[k].p == NULL) {
			slot[k].n = 1 + rnd(rnd(10) == 0 ? 20000 : 500);
			slot[k].p = kmalloc(slot[k].n, 0);
			if (slot[k].p != NULL)
				memset(slot[k].p, (int)(k & 0xff), slot[k].n);
			continue;
		}
		bad += slot[k].p[0] != (k & 0xff) || slot[k].p[slot[k].n - 1] != (k & 0xff);
		kfree(slot[k].p);
		slot[k].p = NULL;
		if (i % 64 == 0)
			lwkt_poll();
	}
	for (uint32_t k = 0; k < SLOTS; k++) {
		kfree(slot[k].p);
		slot[k].p = NULL;
	}
	KCHECK(bad == 0);
	KCHECK(kmem_bytes() == bytes);
}

KTEST(kstacks_are_distinct_writable_and_come_back)
{
	static uint64_t stack[64];
	uint64_t before;

	for (uint32_t round = 0; round < 3; round++) {
		before = free_pages();
		for (uint32_t i = 0; i < countof(stack); i++) {
			stack[i] = kstack_alloc(LWKT_STACK_BYTES);
			if (!KCHECK(stack[i] != 0))
				return;
			memset((void *)stack[i], (int)i, LWKT_STACK_BYTES);
		}
		for (uint32_t i = 0; i < countof(stack); i++) {
			KCHECK(*(uint8_t *)stack[i] == i && *(uint8_t *)(stack[i] + LWKT_STACK_BYTES - 1) == i);
			kstack_free(stack[i], LWKT_STACK_BYTES);
		}
		if (round > 0)
			KCHECK(free_pages() >= before);
	}
}
