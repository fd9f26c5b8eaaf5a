/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phys - physical pages: who has them, who gets them.
 *
 * RAM is cut into blocks of 2 MiB, the unit in which the machine gives and
 * takes memory; the ends of a piece of RAM that are no whole blocks are not
 * used.  Inside a block a buddy system hands out runs of 2^order pages; it
 * never joins beyond a block.  In front of it each CPU keeps a last-in
 * first-out list of single pages: the page freed last is the one whose memory
 * is warm.
 *
 * The array of struct page lies behind the kernel and the initial archive, or,
 * where it is too large for that piece, in front of another one.  It covers
 * the gaps between pieces as well.  A block's part of it is written when the block
 * is first used, in order of addresses, so that a node that uses little touches
 * little.
 *
 * Whole free blocks wait on two lists.  "Ready" ones have memory of the
 * machine behind them; after a while of not being needed a thread returns
 * it and they become "cold".  Cold blocks read zero; those never used, too, unless
 * the machine's memory has anything in it at first.
 * The machine can prepare a block in one piece, which is much cheaper than its 512
 * pages one by one but may take longer than anybody should wait.  So
 * whoever takes a whole block has the next AHEAD blocks prepared, for those
 * who come after: they go to the ready list at once, and the machine does its
 * work beside ours.  If nobody comes they cool down like any other.  A
 * node that never wants a whole block never prepares one.
 *
 * Invariants
 *   I1  a page with PG_FREE begins a free run of 2^pg_order pages, aligned to
 *       its size, that lies on the list of that order; the others of the run
 *       have no flag but PG_CLEAN0 and PG_POISON.
 *   I2  two buddies that are both free and whole do not exist.
 *   I3  PG_CLEAN0 is set only on free pages whose bytes are all zero.
 *   I4  ph_nfree counts the pages on the lists and in blocks never used.
 *
 * Locking: ph_spin for the lists; the per-CPU list by its CPU in a critical
 * section.  Not here: choosing what to give up (reclaim.c).
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/clock.h>
#include <sys/debug/asan.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/spin.h>
#include <sys/lwkt/wait.h>
#include <sys/vm/kmem.h>
#include "../vm_int.h"

#define CPU_PAGES_MAX	128		/* single pages that a CPU keeps */
#define CPU_PAGES_BATCH	16u		/* and takes at once: 64 KiB, ascending, so that neighbours stay neighbours */
#define BATCH_ORDER	4u
#define PAGE_POISON	0xdeadbea7c0ffee11ull
#define AHEAD		2u		/* whole blocks prepared before somebody wants them */
#define IDLE_NS		(3 * NSEC_PER_SEC)	/* a ready block may wait so long */

struct block {
	uint8_t		b_init;		/* [ph_spin] its struct pages are valid */
	uint8_t		b_used;		/* [ph_spin] parts of it may have memory behind them */
	nsec_t		b_since;	/* [ph_spin] when it became free, while ready */
};

static struct {
	struct spin	ph_spin;
	struct list	ph_free[BLOCK_ORDER];	/* [ph_spin] runs smaller than a block */
	struct list	ph_ready, ph_cold;	/* [ph_spin] whole blocks */
	uint64_t	ph_nready;		/* [ph_spin] */
	figure_t	ph_nfree;		/* [ph_spin] pages */
	uint64_t	ph_fresh;		/* [ph_spin] first block never used */
	bool		ph_resting;		/* [ph_spin] the thread sleeps and has no deadline */
	uint16_t	ph_clean;		/* const: flags of a page never used: PG_CLEAN0 or none */
	uint64_t	ph_nblocks;		/* const after boot */
	uint64_t	ph_first, ph_end;	/* const: blocks of our arrays, if they lie apart */
	figure_t	ph_reserved;		/* [ph_spin] pages that are the machine's */
	uint64_t	ph_low;			/* const: pages kept for PAGE_RESERVE */
	struct page	*ph_page;		/* const */
	struct block	*ph_block;		/* const */
	struct waitq	ph_waitq;		/* the trimming thread */
} phys;

static struct vm_cpu boot_vm_cpu;
_Atomic bool page_poison;
_Atomic uint64_t vm_fail_after;

struct page *
page_of(paddr_t pa)
{
	ASSERT(pa / BLOCK_BYTES < phys.ph_nblocks);
	return &phys.ph_page[pa >> PAGE_SHIFT];
}

paddr_t
page_pa(const struct page *pg)
{
	return (paddr_t)(pg - phys.ph_page) << PAGE_SHIFT;
}

static uint64_t page_no(const struct page *pg) { return (uint64_t)(pg - phys.ph_page); }
static struct block *block_of(const struct page *pg) { return &phys.ph_block[page_no(pg) / BLOCK_PAGES]; }

static void
run_push(struct page *pg, uint32_t order)
{
	page_flags_set(pg, page_flags(pg) | PG_FREE);
	pg->pg_order = (uint8_t)order;
	list_push_front(&phys.ph_free[order], &pg->pg_link);
}

static void
run_pull(struct page *pg)
{
	ASSERT((page_flags(pg) & PG_FREE) != 0);
	page_flags_set(pg, page_flags(pg) & ~PG_FREE);
	list_remove(&pg->pg_link);
}

/* First use of a block's struct pages.  `flags` and `refs` for each. */
static void
block_init(uint64_t nr, uint16_t flags, uint32_t refs)
{
	struct page *pg = &phys.ph_page[nr * BLOCK_PAGES];

	ASSERT(!phys.ph_block[nr].b_init);
	phys.ph_block[nr].b_init = 1;
	for (uint32_t i = 0; i < BLOCK_PAGES; i++, pg++) {
		page_flags_set(pg, flags);
		pg->pg_refs = refs;
		pg->pg_owner = NULL;
		pg->pg_serial = 0;
		list_init(&pg->pg_link);
	}
}

/* Is it all RAM, and not of our arrays? */
static bool
block_is_ours(uint64_t nr)
{
	const struct md_boot *b = md_boot();

	if (nr >= phys.ph_first && nr < phys.ph_end)
		return false;
	for (uint32_t i = 0; i < b->b_nram; i++)
		if (nr * BLOCK_BYTES >= b->b_ram[i].mr_base && (nr + 1) * BLOCK_BYTES <= b->b_ram[i].mr_end)
			return true;
	return false;
}

/* A whole block with nothing behind it, which reads zero if memory does at first; NULL: none. */
static struct page *
block_take_cold(void)
{
	struct page *pg;

	if (!list_empty(&phys.ph_cold)) {
		pg = list_first(&phys.ph_cold, struct page, pg_link);
		run_pull(pg);
		return pg;
	}
	while (phys.ph_fresh < phys.ph_nblocks && !block_is_ours(phys.ph_fresh))
		phys.ph_fresh++;
	if (phys.ph_fresh == phys.ph_nblocks)
		return NULL;
	block_init(phys.ph_fresh, phys.ph_clean, 0);
	asan_poison(page_va(&phys.ph_page[phys.ph_fresh * BLOCK_PAGES]), BLOCK_BYTES, ASAN_PAGE);
	return &phys.ph_page[phys.ph_fresh++ * BLOCK_PAGES];
}

/* A whole block is free and has memory behind it. */
static void
block_ready(struct page *pg)
{
	page_flags_set(pg, page_flags(pg) | PG_FREE);
	pg->pg_order = BLOCK_ORDER;
	list_push_front(&phys.ph_ready, &pg->pg_link);
	phys.ph_nready++;
	block_of(pg)->b_since = md_now();
	if (phys.ph_resting) {
		phys.ph_resting = false;
		wake_all(&phys.ph_waitq);
	}
}

/* A whole block off the lists; NULL: none. */
static struct page *
block_take(void)
{
	struct page *pg;

	if (list_empty(&phys.ph_ready))
		return block_take_cold();
	pg = list_first(&phys.ph_ready, struct page, pg_link);
	phys.ph_nready--;
	run_pull(pg);
	return pg;
}


/* A run of 2^order pages; NULL: none. */
static struct page *
buddy_take(uint32_t order)
{
	struct page *pg = NULL;
	uint32_t o = order;

	while (o < BLOCK_ORDER && list_empty(&phys.ph_free[o]))
		o++;
	if (o < BLOCK_ORDER) {
		pg = list_first(&phys.ph_free[o], struct page, pg_link);
		run_pull(pg);
	} else {
		pg = block_take();
		if (pg == NULL)
			return NULL;
	}
	if (order < BLOCK_ORDER)
		block_of(pg)->b_used = 1;
	while (o > order) {
		o--;
		run_push(pg + (1u << o), o);
	}
	figure_add(&phys.ph_nfree, -(int64_t)(1u << order));
	return pg;
}

/* The run is free again: join it with its buddies. */
static void
buddy_give(struct page *pg, uint32_t order)
{
	uint64_t nr = page_no(pg);

	figure_add(&phys.ph_nfree, 1u << order);
	for (; order < BLOCK_ORDER; order++) {
		struct page *buddy = &phys.ph_page[nr ^ (1ull << order)];

		if ((page_flags(buddy) & PG_FREE) == 0 || buddy->pg_order != order)
			break;
		run_pull(buddy);
		nr &= ~(1ull << order);
	}
	pg = &phys.ph_page[nr];
	if (order < BLOCK_ORDER) {
		run_push(pg, order);
		return;
	}
	block_ready(pg);
}

/* Not for the thread sanitizer: a quarter of a million words for each large page, and what it would find is found here. */
#define UNTRACED	__attribute__((no_sanitize("thread")))

/* A page that was poisoned when it was freed must still be so: nobody could reach it. */
UNTRACED static void
poison_check(struct page *pg)
{
	const uint64_t *w = page_va(pg);

	for (uint32_t i = 0; i < PAGE_BYTES / 8; i++)
		if (w[i] != PAGE_POISON)
			panic("page %#llx was written after it was freed: word %u is %#llx",
			    (unsigned long long)page_pa(pg), i, (unsigned long long)w[i]);
}

/* What was in the page may have been nobody's already: the objects of a slab. */
ASAN_UNWATCHED UNTRACED static void
poison_fill(struct page *pg)
{
	uint64_t *w = page_va(pg);

	for (uint32_t i = 0; i < PAGE_BYTES / 8; i++)
		w[i] = PAGE_POISON;
	page_flags_set(pg, PG_POISON);
}

static void
page_make(struct page *pg, uint32_t flags)
{
	bool clean = (page_flags(pg) & PG_CLEAN0) != 0;

	ASSERT(pg->pg_refs == 0);
	asan_unpoison(page_va(pg), PAGE_BYTES);
	if ((page_flags(pg) & PG_POISON) != 0)
		poison_check(pg);
	page_flags_set(pg, 0);
	pg->pg_owner = NULL;
	pg->pg_refs = 1;
	pg->pg_serial = 0;
	list_init(&pg->pg_link);
	if ((flags & PAGE_ZERO) != 0 && !clean)
		memset(page_va(pg), 0, PAGE_BYTES);
}

/* Fill this CPU's list.  In a critical section. */
static void
cpu_refill(struct vm_cpu *v, uint32_t flags)
{
	uint64_t keep = (flags & PAGE_RESERVE) != 0 ? 0 : phys.ph_low;
	struct page *pg = NULL;
	uint32_t n = 0;

	spin_lock(&phys.ph_spin);
	if (page_free_count() >= keep + CPU_PAGES_BATCH * 4) {
		n = CPU_PAGES_BATCH;
		pg = buddy_take(BATCH_ORDER);
	}
	if (pg == NULL && page_free_count() > keep) {
		n = 1;
		pg = buddy_take(0);
	}
	spin_unlock(&phys.ph_spin);
	if (pg == NULL)
		return;
	for (uint32_t i = 0; i < n; i++)
		list_push_back(&v->v_pages, &pg[i].pg_link);
	figure_add(&v->v_npages, n);
}

static struct page *
page_try(uint32_t flags)
{
	struct vm_cpu *v;
	struct page *pg;

	if (vm_should_fail())
		return NULL;
	crit_enter();
	v = vm_mycpu();
	if (figure(&v->v_npages) == 0)
		cpu_refill(v, flags);
	pg = list_first(&v->v_pages, struct page, pg_link);
	if (pg != NULL) {
		list_remove(&pg->pg_link);
		figure_add(&v->v_npages, -1);
	}
	crit_exit();
	if (pg != NULL)
		page_make(pg, flags);
	return pg;
}

/* One more block for the ready list, with none of its memory behind it yet; NULL: enough, or none. */
static struct page *
block_ahead(void)
{
	struct page *pg = NULL;

	spin_lock(&phys.ph_spin);
	if (phys.ph_nready < AHEAD && page_free_count() > phys.ph_low + 2 * AHEAD * BLOCK_PAGES)
		pg = block_take_cold();
	if (pg != NULL) {
		block_of(pg)->b_used = 1;
		block_ready(pg);
	}
	spin_unlock(&phys.ph_spin);
	return pg;
}

static void
prepare_ahead(void)
{
	struct page *pg;

	for (uint32_t i = 0; i < AHEAD && (pg = block_ahead()) != NULL; i++)
		md_ram_prepare(page_pa(pg), BLOCK_BYTES);
}

static struct page *
run_try(uint32_t order, uint32_t flags)
{
	uint64_t keep = (flags & PAGE_RESERVE) != 0 ? 0 : phys.ph_low;
	struct page *pg = NULL;

	if (vm_should_fail())
		return NULL;
	spin_lock(&phys.ph_spin);
	if (page_free_count() >= keep + (1u << order))
		pg = buddy_take(order);
	if (pg != NULL && order == BLOCK_ORDER)
		block_of(pg)->b_used = 1;
	spin_unlock(&phys.ph_spin);
	if (pg != NULL && order == BLOCK_ORDER)
		prepare_ahead();
	for (uint32_t i = 0; pg != NULL && i < (1u << order); i++) {
		page_make(&pg[i], flags);
		if (i % 16 == 15)
			lwkt_poll();
	}
	return pg;
}

struct page *
page_alloc(uint32_t flags)
{
	struct page *pg = page_try(flags);

	for (uint32_t n = 0; pg == NULL && (flags & PAGE_WAIT) != 0 && vm_reclaim(CPU_PAGES_BATCH, n); n++)
		pg = page_try(flags);
	return pg;
}

struct page *
page_alloc_run(uint32_t order, uint32_t flags)
{
	struct page *pg;

	ASSERT(order <= BLOCK_ORDER);
	pg = run_try(order, flags);
	for (uint32_t n = 0; pg == NULL && (flags & PAGE_WAIT) != 0 && vm_reclaim(1u << order, n); n++)
		pg = run_try(order, flags);
	return pg;
}

/* Give the oldest pages of this CPU's list back, down to `keep`.  In a critical section. */
static void
cpu_drain(struct vm_cpu *v, int64_t keep)
{
	spin_lock(&phys.ph_spin);
	while (figure(&v->v_npages) > keep) {
		struct page *pg = list_last(&v->v_pages, struct page, pg_link);

		list_remove(&pg->pg_link);
		figure_add(&v->v_npages, -1);
		buddy_give(pg, 0);
	}
	spin_unlock(&phys.ph_spin);
}

uint64_t
page_cache_trim(void)
{
	int64_t n;

	crit_enter();
	n = figure(&vm_mycpu()->v_npages);
	cpu_drain(vm_mycpu(), 0);
	crit_exit();
	return (uint64_t)n;
}

static void
free_as(struct page *pg, uint32_t flags)
{
	struct vm_cpu *v;

	ASSERT(pg->pg_refs == 0 && (page_flags(pg) & (PG_FREE | PG_RESERVED)) == 0);
	if ((page_flags(pg) & PG_ANON) != 0)
		anon_page_gone(pg);
	page_flags_set(pg, flags);
	pg->pg_owner = NULL;
	if (page_poison)
		poison_fill(pg);
	asan_poison(page_va(pg), PAGE_BYTES, ASAN_PAGE);
	crit_enter();
	v = vm_mycpu();
	list_push_front(&v->v_pages, &pg->pg_link);
	figure_add(&v->v_npages, 1);
	if (figure(&v->v_npages) > CPU_PAGES_MAX)
		cpu_drain(v, CPU_PAGES_MAX / 2);
	crit_exit();
}

void
page_free(struct page *pg)
{
	free_as(pg, 0);
}

void
page_drop_zero(struct page *pg)
{
	uint32_t old = atomic_fetch_sub_explicit(&pg->pg_refs, 1, memory_order_acq_rel);

	ASSERT(old == 1);
	free_as(pg, PG_CLEAN0);
}

void
page_hold(struct page *pg)
{
	uint32_t old = atomic_fetch_add_explicit(&pg->pg_refs, 1, memory_order_relaxed);

	ASSERT(old > 0);
}

void
page_drop(struct page *pg)
{
	uint32_t old = atomic_fetch_sub_explicit(&pg->pg_refs, 1, memory_order_acq_rel);

	ASSERT(old > 0);
	if (old == 1)
		page_free(pg);
}

/* From the end: what is freed last is handed out first, and so neighbours come back in ascending order. */
void
page_drop_run(struct page *pg, uint64_t n)
{
	while (n > 0)
		page_drop(&pg[--n]);
}

uint64_t page_free_count(void) { return (uint64_t)figure(&phys.ph_nfree); }
uint64_t page_total_count(void) { return phys.ph_nblocks * BLOCK_PAGES - (uint64_t)figure(&phys.ph_reserved); }
bool page_enough(uint64_t pages) { return page_free_count() > phys.ph_low + pages; }
bool page_plenty(void) { return page_free_count() > page_total_count() / 8; }

void
page_stats(struct page_stats *out)
{
	int64_t anon = 0, cache = 0, shmem = 0;
	uint64_t nfree = page_free_count(), used;

	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct vm_cpu *v = cpu_find(i)->c_vm;

		nfree += (uint64_t)figure(&v->v_npages);
		anon += figure(&v->v_anon);
		shmem += figure(&v->v_shmem);
		cache += figure(&v->v_cache) + figure(&v->v_shmem);
	}
	out->total = page_total_count();
	out->free = rt_min(nfree, out->total);
	used = out->total - out->free;
	out->anon = rt_min(anon < 0 ? 0 : (uint64_t)anon, used);
	out->cache = rt_min(cache < 0 ? 0 : (uint64_t)cache, used - out->anon);
	out->shmem = rt_min(shmem < 0 ? 0 : (uint64_t)shmem, out->cache);
	out->kernel = used - out->anon - out->cache;
}

/*
 * The range was reserved at boot.  Pages only partly inside stay so.  A block
 * wholly inside the reserved part has never been described before.
 */
void
vm_phys_free_range(paddr_t pa, uint64_t len)
{
	uint64_t first = page_round(pa) >> PAGE_SHIFT, end = (pa + len) >> PAGE_SHIFT;

	ASSERT(end <= phys.ph_nblocks * BLOCK_PAGES);
	for (uint64_t nr = first; nr < end; nr++) {
		struct page *pg = &phys.ph_page[nr];

		if (!phys.ph_block[nr / BLOCK_PAGES].b_init)
			block_init(nr / BLOCK_PAGES, PG_RESERVED, 1);
		ASSERT((page_flags(pg) & PG_RESERVED) != 0 && pg->pg_refs == 1);
		page_flags_set(pg, 0);
		pg->pg_refs = 0;
		asan_poison(page_va(pg), PAGE_BYTES, ASAN_PAGE);
		spin_lock(&phys.ph_spin);
		figure_add(&phys.ph_reserved, -1);
		buddy_give(pg, 0);
		spin_unlock(&phys.ph_spin);
		lwkt_poll();
	}
}

void
vm_cpu_setup(struct cpu *c, struct vm_cpu *v)
{
	list_init(&v->v_pages);
	kmem_cpu_setup(c, v);
	c->c_vm = v;
}

int
vm_cpu_init(struct cpu *c)
{
	struct vm_cpu *v = kmalloc(sizeof *v, KM_ZERO);

	if (v == NULL)
		return ENOMEM;
	vm_cpu_setup(c, v);
	return 0;
}

/*
 * Where our arrays go: behind `end`, where the kernel and the archive end, if
 * that piece of RAM has room; else in front of another.
 */
static paddr_t
place_arrays(paddr_t end, uint64_t bytes)
{
	const struct md_boot *b = md_boot();

	for (uint32_t i = 0; i < b->b_nram; i++) {
		const struct md_ram *r = &b->b_ram[i];

		if (end >= r->mr_base && end < r->mr_end && bytes <= r->mr_end - end)
			return end;
	}
	for (uint32_t i = 0; i < b->b_nram; i++) {
		paddr_t at = rt_max(b->b_ram[i].mr_base, end);

		at = (at + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
		if (at < b->b_ram[i].mr_end && bytes <= b->b_ram[i].mr_end - at) {
			phys.ph_first = at / BLOCK_BYTES;
			phys.ph_end = (at + bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
			return at;
		}
	}
	panic("%llu MiB of memory are too little", (unsigned long long)(b->b_ram_bytes >> 20));
}

/* Reserved: the kernel, the archive, our arrays.  The block where they end is split; later ones are fresh. */
void
vm_phys_init(void)
{
	const struct md_boot *b = md_boot();
	uint64_t archive = b->b_initrd_bytes == 0 ? 0 : b->b_initrd + b->b_initrd_bytes;
	paddr_t end = page_round(rt_max(b->b_kernel_end, archive)), at;
	uint64_t nblocks = b->b_ram[b->b_nram - 1].mr_end / BLOCK_BYTES, first, bytes;

	spin_init(&phys.ph_spin, LR_phys);
	waitq_init(&phys.ph_waitq);
	for (uint32_t o = 0; o < BLOCK_ORDER; o++)
		list_init(&phys.ph_free[o]);
	list_init(&phys.ph_ready);
	list_init(&phys.ph_cold);
	phys.ph_nblocks = nblocks;
	phys.ph_clean = b->b_ram_zero ? PG_CLEAN0 : 0;
	bytes = page_round(nblocks * (BLOCK_PAGES * sizeof(struct page) + sizeof(struct block)));
	at = place_arrays(end, bytes);
	phys.ph_page = md_p2v(at);
	phys.ph_block = md_p2v(at + nblocks * BLOCK_PAGES * sizeof(struct page));
	memset(phys.ph_block, 0, nblocks * sizeof(struct block));
	if (at == end)
		end += bytes;

	kmem_debug_init();
	vm_cpu_setup(mycpu, &boot_vm_cpu);
	first = end / BLOCK_BYTES;
	phys.ph_fresh = first + 1;
	figure_add(&phys.ph_reserved, (int64_t)(nblocks * BLOCK_PAGES));
	for (uint64_t nr = phys.ph_fresh; nr < nblocks; nr++)
		if (block_is_ours(nr))
			figure_add(&phys.ph_nfree, BLOCK_PAGES);
	figure_add(&phys.ph_reserved, -figure(&phys.ph_nfree));
	if (figure(&phys.ph_nfree) == 0)
		panic("%llu MiB of memory are too little", (unsigned long long)(b->b_ram_bytes >> 20));
	phys.ph_low = rt_min(256, b->b_ram_bytes / PAGE_BYTES / 256);
	if (!block_is_ours(first))
		return;
	block_init(first, PG_RESERVED, 1);
	for (uint64_t nr = phys.ph_fresh * BLOCK_PAGES - 1; nr >= end / PAGE_BYTES; nr--) {
		struct page *pg = &phys.ph_page[nr];

		page_flags_set(pg, phys.ph_clean);
		pg->pg_refs = 0;
		asan_poison(page_va(pg), PAGE_BYTES, ASAN_PAGE);
		figure_add(&phys.ph_reserved, -1);
		buddy_give(pg, 0);
	}
}

/* The oldest block that has waited too long; NULL: none, *next says when to look again. */
static struct page *
block_to_cool(nsec_t now, nsec_t *next)
{
	struct page *pg;

	*next = NSEC_NEVER;
	spin_lock(&phys.ph_spin);
	pg = list_last(&phys.ph_ready, struct page, pg_link);
	if (pg != NULL && block_of(pg)->b_since + IDLE_NS > now) {
		*next = block_of(pg)->b_since + IDLE_NS;
		pg = NULL;
	}
	if (pg != NULL) {
		run_pull(pg);
		phys.ph_nready--;
		figure_add(&phys.ph_nfree, -(int64_t)BLOCK_PAGES);
	}
	phys.ph_resting = phys.ph_nready == 0;
	spin_unlock(&phys.ph_spin);
	return pg;
}

static void
block_cool(struct page *pg)
{
	md_ram_release(page_pa(pg), BLOCK_BYTES);
	for (uint32_t i = 0; i < BLOCK_PAGES; i++)
		page_flags_set(&pg[i], PG_CLEAN0);
	spin_lock(&phys.ph_spin);
	block_of(pg)->b_used = 0;
	page_flags_set(pg, page_flags(pg) | PG_FREE);
	pg->pg_order = BLOCK_ORDER;
	list_push_front(&phys.ph_cold, &pg->pg_link);
	figure_add(&phys.ph_nfree, BLOCK_PAGES);
	spin_unlock(&phys.ph_spin);
}

static void
phys_thread(void *arg)
{
	struct waiter w;
	struct page *pg;
	nsec_t next;

	(void)arg;
	wait_begin(&phys.ph_waitq, &w);
	for (;;) {
		while ((pg = block_to_cool(md_now(), &next)) != NULL) {
			block_cool(pg);
			lwkt_poll();
		}
		(void)wait_sleep(&w, next, 0);
	}
}

void
vm_phys_start(void)
{
	struct thread *td;

	if (lwkt_create(phys_thread, NULL, LWKT_PRI_USER, "vmphys", &td) != 0)
		panic("no memory for the first threads");
	lwkt_start(td);
}
