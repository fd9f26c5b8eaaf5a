/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmap - page tables of user address spaces.
 *
 * x86-64 4-level tables in RAM on every platform.  A leaf is also the slot
 * of the upper layer: an entry with PTE_ANON names the anonymous page that
 * holds the contents there, whether it is present or not; without P it is
 * hidden (PROT_NONE, revoked) and a fault brings it back.  A leaf without
 * PTE_ANON is only a cache of the lower layer or of the zero page, and may
 * be dropped at any time.  Hence fork copies one structure, and splitting,
 * joining and moving entries touch no pages.
 *
 * A page is counted once for each leaf that names it; a 2 MiB leaf counts
 * once on each of its 512 pages.
 *
 * Invariants
 *   P1  live leaves change only by atomic exchange or by and-ing bits away;
 *       A and D of a leaf that was taken out are in the value returned.
 *   P2  what was taken out is dropped only after the machine was told and
 *       every CPU has left the section it was in (gather_flush).
 *   P3  pg_index of a table page counts its non-zero slots; a table below
 *       the root with none is unlinked, unless a move is about to fill it
 *       (vs_keep): others may empty tables meanwhile that the new place
 *       shares with its neighbours.
 *   P4  pg_serial of a table page has a bit for each of its 64 cache lines: one
 *       without it has only zero slots.  Most tables are nearly empty, and who
 *       goes through one looks at eight slots at a time.
 *   P5  2 MiB leaves are anonymous and never cross the border of an entry.
 *
 * Locking: vs_pt, taken here unless said otherwise, for one table at a time.
 * A table page found inside vs_pt is not used outside.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/thread.h>
#include "map_int.h"

#define LINE_BYTES	64u
#define LINE_SLOTS	8u

paddr_t vm_zero_pa;

/* Acquire: walks without vs_pt (uaccess.c) read the table that an entry names. */
static uint64_t
pte_load(const uint64_t *ptep)
{
	return __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
}

static struct page *
table_page(const uint64_t *ptep)
{
	return page_of(page_trunc(md_v2p(ptep)));
}

static uint64_t
line_bit(const uint64_t *ptep)
{
	return 1ull << (((uintptr_t)ptep & PAGE_MASK) / LINE_BYTES);
}

/* The slot will not be zero any more. */
static void
slot_taken(const uint64_t *ptep)
{
	struct page *pg = table_page(ptep);

	pg->pg_index++;
	pg->pg_serial |= line_bit(ptep);
}

/* How many slots from this one on are zero because their line is: `lines` is pg_serial; 0: it may not be. */
static uint32_t
empty_slots(uint64_t lines, const uint64_t *ptep)
{
	if ((lines & line_bit(ptep)) != 0)
		return 0;
	return LINE_SLOTS - (uint32_t)((uintptr_t)ptep / sizeof *ptep % LINE_SLOTS);
}

/* ------------------------------------------------------------- gather -- */

void
gather_init(struct gather *g, struct vmspace *vs, enum md_inval how)
{
	g->g_vs = vs;
	g->g_how = how;
	g->g_npages = g->g_nranges = 0;
}

void
gather_range(struct gather *g, uaddr_t va, uint64_t len)
{
	struct md_range *last = &g->g_range[g->g_nranges];

	if (g->g_nranges > 0 && last[-1].va + last[-1].len == va) {
		last[-1].len += len;
		return;
	}
	ASSERT(g->g_nranges < GATHER_RANGES);
	*last = (struct md_range){ va, len };
	g->g_nranges++;
}

/* The caller's reference to each of n pages in a row passes to us. */
void
gather_pages(struct gather *g, struct page *pg, uint32_t n)
{
	uint32_t k = g->g_npages;

	if (k > 0 && g->g_page[k - 1].pg + g->g_page[k - 1].n == pg) {
		g->g_page[k - 1].n += n;
		return;
	}
	ASSERT(k < GATHER_PAGES);
	g->g_page[k].pg = pg;
	g->g_page[k].n = n;
	g->g_npages++;
}

/*
 * Wait until every other CPU has left the section in which it may have used
 * a translation (uaccess.c).  A section is at most one page's copy.  Our own
 * CPU is outside: it runs us.
 */
void
vm_quiesce(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct vm_cpu *v = cpu_find(i)->c_vm;
		uint32_t seen = atomic_load_explicit(&v->v_usection, memory_order_acquire), turns = 0;

		if (i == mycpuid)
			continue;
		while ((seen & 1) != 0 && atomic_load_explicit(&v->v_usection, memory_order_acquire) == seen)
			md_spin(&turns);
	}
}

void
gather_flush(struct gather *g)
{
	md_space_t s = g->g_vs->vs_space;

	if (g->g_nranges > 0 && s != MD_NOSPACE)
		md_invalidate(s, g->g_range, g->g_nranges, g->g_how);
	if (g->g_nranges > 0 || g->g_npages > 0)
		vm_quiesce();		/* also when only rights went: a store may be under way */
	while (g->g_npages > 0) {
		uint32_t *n = &g->g_page[g->g_npages - 1].n, part = rt_min(*n, BLOCK_PAGES);

		*n -= part;
		page_drop_run(g->g_page[g->g_npages - 1].pg + *n, part);
		g->g_npages -= *n == 0;
		lwkt_poll();
	}
	g->g_nranges = 0;
}

/* ------------------------------------------------------------- tables -- */

bool
spare_fill(struct spare *sp)
{
	while (sp->sp_n < countof(sp->sp_page)) {
		struct page *pg = page_alloc(PAGE_ZERO | PAGE_WAIT);

		if (pg == NULL)
			return false;
		sp->sp_page[sp->sp_n++] = pg;
	}
	return true;
}

void
spare_done(struct spare *sp)
{
	while (sp->sp_n > 0)
		page_drop(sp->sp_page[--sp->sp_n]);
}

static struct page *
table_alloc(struct vmspace *vs, struct spare *sp)
{
	struct page *pg = page_alloc(PAGE_ZERO);

	if (pg == NULL && sp->sp_n > 0)
		pg = sp->sp_page[--sp->sp_n];
	if (pg == NULL)
		return NULL;
	pg->pg_index = pg->pg_serial = 0;
	vs->vs_tables++;
	return pg;
}

int
pmap_init(struct vmspace *vs)
{
	struct page *pg = page_alloc(PAGE_ZERO | PAGE_WAIT);

	if (pg == NULL)
		return ENOMEM;
	pg->pg_index = pg->pg_serial = 0;
	spin_init(&vs->vs_pt, LR_pagetable);
	vs->vs_root = page_pa(pg);
	vs->vs_tables = 1;
	return 0;
}

static uint64_t *
entry_at(uint64_t *table, uaddr_t va, uint32_t shift)
{
	return &table[(va >> shift) & 511];
}

uint64_t *
pmap_find(struct vmspace *vs, uaddr_t va, uint64_t *span)
{
	uint32_t shift = 39;
	uint64_t *e = entry_at(md_p2v(vs->vs_root), va, shift), v;

	while ((v = pte_load(e)) != 0 && shift > 21) {
		shift -= 9;
		e = entry_at(md_p2v(v & PTE_PA), va, shift);
	}
	if (v != 0 && (v & PTE_PS) == 0) {
		*span = PAGE_BYTES;
		return entry_at(md_p2v(v & PTE_PA), va, PAGE_SHIFT);
	}
	*span = 1ull << shift;
	return v != 0 ? e : NULL;
}

/* How many pages of each kind the space maps, for its owner to see. */
static void
count_leaf(struct vmspace *vs, uint64_t val, int64_t sign)
{
	int64_t n = (val & PTE_PS) != 0 ? (int64_t)BLOCK_PAGES : 1;

	if ((val & PTE_ANON) != 0)
		figure_add(&vs->vs_anon, sign * n);
	else if ((val & PTE_PA) != vm_zero_pa)
		figure_add(&vs->vs_other, sign * n);
}

uint64_t
pmap_set(struct vmspace *vs, uint64_t *ptep, uint64_t val)
{
	uint64_t old;

	md_point(MD_PT_PTE, val);
	old = __atomic_exchange_n(ptep, val, __ATOMIC_ACQ_REL);

	if (old == 0)
		slot_taken(ptep);
	else
		count_leaf(vs, old, -1);
	if (val == 0)
		table_page(ptep)->pg_index--;
	else
		count_leaf(vs, val, 1);
	return old;
}

uint64_t *
pmap_make(struct vmspace *vs, uaddr_t va, uint32_t level, struct spare *sp)
{
	uint64_t *t = md_p2v(vs->vs_root);
	uint32_t last = PAGE_SHIFT + 9 * level;

	ASSERT(va < MD_USER_MAX && level <= 1);
	for (uint32_t shift = 39; shift > last; shift -= 9) {
		uint64_t *e = &t[(va >> shift) & 511], v = pte_load(e);

		if (v == 0) {
			struct page *pg = table_alloc(vs, sp);

			if (pg == NULL)
				return NULL;
			v = page_pa(pg) | PTE_TABLE;
			__atomic_store_n(e, v, __ATOMIC_RELEASE);
			slot_taken(e);
		}
		ASSERT(shift != 21 || (v & PTE_PS) == 0);
		t = md_p2v(v & PTE_PA);
	}
	return &t[(va >> last) & 511];
}

/*
 * Tables on the way to va that have become empty go to the gather.  The
 * machine must have left them when they are freed, so it is told something even
 * if no leaf in them was present.  Inside vs_pt.
 */
static void
prune(struct vmspace *vs, uaddr_t va, struct gather *g)
{
	uint64_t *slot[3], *t = md_p2v(vs->vs_root);
	uaddr_t block = va & ~(BLOCK_BYTES - 1);
	uint32_t n = 0;

	if (block < vs->vs_keep.va + vs->vs_keep.len && vs->vs_keep.va < block + BLOCK_BYTES)
		return;
	for (uint32_t shift = 39; shift > PAGE_SHIFT; shift -= 9) {
		uint64_t v;

		slot[n] = &t[(va >> shift) & 511];
		v = pte_load(slot[n]);
		if (v == 0 || (v & PTE_PS) != 0)
			break;
		t = md_p2v(v & PTE_PA);
		n++;
	}
	while (n > 0) {
		struct page *pg = page_of(pte_load(slot[n - 1]) & PTE_PA);

		if (pg->pg_index != 0)
			return;
		__atomic_store_n(slot[n - 1], 0, __ATOMIC_RELEASE);
		table_page(slot[n - 1])->pg_index--;
		vs->vs_tables--;
		gather_pages(g, pg, 1);
		if (g->g_nranges == 0)
			gather_range(g, page_trunc(va), PAGE_BYTES);
		n--;
	}
}

uint64_t
pmap_peek(struct vmspace *vs, uaddr_t va, uint64_t *span)
{
	uint64_t *p, val = 0;

	spin_lock(&vs->vs_pt);
	p = pmap_find(vs, va, span);
	if (p != NULL)
		val = pte_load(p);
	spin_unlock(&vs->vs_pt);
	return val;
}

/* A leaf was taken out: its pages and its D go where they belong. */
static void
leaf_gone(struct gather *g, uint64_t old, uint64_t span)
{
	struct page *pg = page_of(old & PTE_PA);

	if ((old & PTE_PA) == vm_zero_pa)
		return;
	if ((old & (PTE_D | PTE_ANON)) == PTE_D)
		page_flag_add(pg, PG_DIRTY);
	gather_pages(g, pg, (uint32_t)pte_span_pages(span));
}

/* ------------------------------------------------------------- ranges -- */

/* Walks go table by table: here the one with va in it ends, or the range. */
static uaddr_t
table_end(uaddr_t va, uaddr_t end)
{
	uaddr_t e = (va & ~(BLOCK_BYTES - 1)) + BLOCK_BYTES;

	return e < end ? e : end;
}

static uaddr_t
skip(uaddr_t va, uint64_t span)
{
	return (va & ~(span - 1)) + span;
}

/* Take leaves of one table out; returns where to go on. */
static uaddr_t
remove_some(struct vmspace *vs, uaddr_t va, uaddr_t end, bool keep_anon, struct gather *g)
{
	uint64_t span, *p = pmap_find(vs, va, &span), lines;
	uaddr_t first = va, stop = table_end(va, end);

	if (p == NULL)
		return skip(va, span);
	if (span == BLOCK_BYTES)
		ASSERT((va & (span - 1)) == 0 && end - va >= span);
	lines = table_page(p)->pg_serial;
	for (uint32_t n; va < stop && !gather_full(g); va += n * span, p += n) {
		uint64_t old = pte_load(p);

		n = rt_max(empty_slots(lines, p), 1);
		if (old == 0 || (keep_anon && (old & PTE_ANON) != 0))
			continue;
		old = pmap_set(vs, p, 0);
		if ((old & PTE_P) != 0)
			gather_range(g, va, span);
		leaf_gone(g, old, span);
	}
	prune(vs, first, g);
	return va;
}

/* keep_anon: only what shows the lower layer. */
void
pmap_remove(struct vmspace *vs, uaddr_t start, uaddr_t end, bool keep_anon, bool may_poll)
{
	struct gather g;

	gather_init(&g, vs, MD_INVAL_DROP);
	for (uaddr_t va = start; va < end;) {
		spin_lock(&vs->vs_pt);
		va = remove_some(vs, va, end, keep_anon, &g);
		spin_unlock(&vs->vs_pt);
		if (gather_full(&g))
			gather_flush(&g);
		if (may_poll)
			lwkt_poll();
	}
	gather_flush(&g);
}

/* The leaf `old` under protection `prot`; never gains W. */
static uint64_t
leaf_protect(uint64_t old, uint32_t prot)
{
	if (prot == PROT_NONE)
		return (old & PTE_ANON) != 0 ? old & ~PTE_P : 0;
	if ((prot & PROT_WRITE) == 0)
		old &= ~PTE_W;
	old &= ~PTE_NX;
	if ((prot & PROT_EXEC) == 0)
		old |= PTE_NX;
	return old | PTE_P;
}

/* Exchange a live leaf, keeping A and D that the machine sets meanwhile. */
static uint64_t
leaf_change(struct vmspace *vs, uint64_t *p, uint64_t old, uint64_t val)
{
	if (val == 0)
		return pmap_set(vs, p, 0);
	md_point(MD_PT_PTE, val);
	while (!__atomic_compare_exchange_n(p, &old, val | (old & (PTE_A | PTE_D)), false,
	    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	return old;
}

static uaddr_t
protect_some(struct vmspace *vs, uaddr_t va, uaddr_t end, uint32_t prot, struct gather *g)
{
	uint64_t span, *p = pmap_find(vs, va, &span), lines;
	uaddr_t first = va, stop = table_end(va, end);

	if (p == NULL)
		return skip(va, span);
	lines = table_page(p)->pg_serial;
	for (uint32_t n; va < stop && !gather_full(g); va += n * span, p += n) {
		uint64_t old = pte_load(p), val;

		n = rt_max(empty_slots(lines, p), 1);
		if (old == 0)
			continue;
		val = leaf_protect(old, prot);
		if (val == old)
			continue;
		old = leaf_change(vs, p, old, val);
		/* Rights that were only gained need no word to the machine: it asks again on a fault. */
		if ((old & PTE_P) != 0 && ((old & ~val & (PTE_P | PTE_W)) != 0 || (val & ~old & PTE_NX) != 0)) {
			if ((old & ~val & PTE_P) != 0 || (val & ~old & PTE_NX) != 0)
				g->g_how = MD_INVAL_DROP;
			gather_range(g, va, span);
		}
		if (val == 0)
			leaf_gone(g, old, span);
	}
	if (prot == PROT_NONE)
		prune(vs, first, g);
	return va;
}

void
pmap_protect(struct vmspace *vs, uaddr_t start, uaddr_t end, uint32_t prot)
{
	struct gather g;

	gather_init(&g, vs, MD_INVAL_WRPROTECT);
	for (uaddr_t va = start; va < end;) {
		spin_lock(&vs->vs_pt);
		va = protect_some(vs, va, end, prot, &g);
		spin_unlock(&vs->vs_pt);
		if (gather_full(&g))
			gather_flush(&g);
		lwkt_poll();
	}
	gather_flush(&g);
}

/* Replace a 2 MiB leaf by a table that says the same.  Inside vs_pt. */
static bool
split_leaf(struct vmspace *vs, uint64_t *p, struct spare *sp)
{
	struct page *pg = table_alloc(vs, sp);
	uint64_t *t, old = pte_load(p);

	if (pg == NULL)
		return false;
	t = page_va(pg);
	for (;;) {
		for (uint32_t i = 0; i < BLOCK_PAGES; i++)
			t[i] = (old & ~PTE_PS) + i * PAGE_BYTES;
		/* A and D may have been set since: then once more. */
		if (__atomic_compare_exchange_n(p, &old, page_pa(pg) | PTE_TABLE, false,
		    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			break;
	}
	pg->pg_index = BLOCK_PAGES;
	pg->pg_serial = ~0ull;
	return true;
}

int
pmap_split(struct vmspace *vs, uaddr_t va)
{
	struct gather g;
	struct spare sp = { .sp_n = 0 };
	bool done = false;
	uint64_t span;

	gather_init(&g, vs, MD_INVAL_DROP);
	while (!done) {
		uint64_t *p;

		spin_lock(&vs->vs_pt);
		p = pmap_find(vs, va, &span);
		done = p == NULL || span != BLOCK_BYTES;
		if (!done && split_leaf(vs, p, &sp)) {
			gather_range(&g, va & ~(span - 1), span);
			done = true;
		}
		spin_unlock(&vs->vs_pt);
		if (!done && !spare_fill(&sp)) {
			spare_done(&sp);
			return ENOMEM;
		}
	}
	gather_flush(&g);
	spare_done(&sp);
	return 0;
}

/* --------------------------------------------------------------- fork -- */

/*
 * Sharing a page that both sides will write soon costs two faults and two
 * invalidations, each worth the copying of a hundred pages.  So a small
 * process gets its own copies at once (`fc_copies` of them at most), of the
 * leaves that may be written now: they were written before.
 *
 * But not while others may write: what they write to a page that is shared is
 * the child's too until the fork is over, and then they are stopped by the
 * lost permission, so the child sees one moment.  A copy made in between
 * would lack what was written before something else that the child sees.
 */
static struct page *
copy_source(struct forkcopy *fc)
{
	if (fc->fc_nrun == 0) {
		uint32_t order = 0;

		while (1u << order < fc->fc_copies && order < FORK_RUN_ORDER)
			order++;
		fc->fc_run = page_alloc_run(order, 0);
		fc->fc_nrun = fc->fc_run == NULL ? 0 : 1u << order;
	}
	if (fc->fc_nrun == 0)
		return page_alloc(0);
	fc->fc_nrun--;
	return fc->fc_run++;
}

/*
 * Likely the child touches what its parent did.  Installing it ahead saves a
 * fault for each window, as long as it is in few pieces.
 */
static void
expect(struct forkcopy *fc, uaddr_t va, uint64_t val)
{
	struct vmspace *to = fc->fc_to;
	struct md_range *last = &to->vs_soon[to->vs_nsoon];
	bool follows = to->vs_nsoon > 0 && last[-1].va + last[-1].len == va;

	if ((val & (PTE_P | PTE_PS)) != PTE_P || fc->fc_pieces == 0)
		return;
	if (!follows && to->vs_nsoon == SOON_MAX)
		return;
	if (!follows || (val & PTE_PA) != fc->fc_next)
		fc->fc_pieces--;
	fc->fc_next = (val & PTE_PA) + PAGE_BYTES;
	if (follows)
		last[-1].len += PAGE_BYTES;
	else
		to->vs_soon[to->vs_nsoon++] = (struct md_range){ va, PAGE_BYTES };
}

static bool
copy_page(struct forkcopy *fc, uint64_t *q, uaddr_t va, uint64_t old)
{
	struct vm_entry *e = fc->fc_entry;
	struct page *pg;

	if (fc->fc_copies == 0 || (old & (PTE_ANON | PTE_PS)) != PTE_ANON)
		return false;
	pg = copy_source(fc);
	if (pg == NULL)
		return false;
	fc->fc_copies--;
	memcpy(page_va(pg), page_va(page_of(old & PTE_PA)), PAGE_BYTES);
	anon_page_join(pg, e->e_fam, e->e_famoff + ((va - e->e_start) >> PAGE_SHIFT));
	old = (old & ~PTE_PA) | page_pa(pg) | PTE_A | PTE_D;
	pmap_set(fc->fc_to, q, old);
	expect(fc, va, old);
	return true;
}

/* One leaf goes to both; of a private entry, neither may write the page any more. */
static void
copy_leaf(struct forkcopy *fc, uint64_t *p, uint64_t *q, uaddr_t va, uint64_t span)
{
	uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED);
	struct page *pg;

	if (old == 0)
		return;
	if (fc->fc_entry->e_fam != NULL && (old & PTE_W) != 0) {
		if (copy_page(fc, q, va, old))
			return;
		md_point(MD_PT_PTE, va);
		old = __atomic_fetch_and(p, ~PTE_W, __ATOMIC_ACQ_REL);
		if ((old & PTE_P) != 0)
			gather_range(&fc->fc_gather, va, span);
		old &= ~PTE_W;
	}
	if ((old & PTE_PA) != vm_zero_pa) {
		pg = page_of(old & PTE_PA);
		for (uint64_t i = 0; i < pte_span_pages(span); i++)
			page_hold(&pg[i]);
	}
	pmap_set(fc->fc_to, q, old);
	expect(fc, va, old);
}

/* Returns where to go on; `va` itself when a table page is needed. */
static uaddr_t
copy_some(struct forkcopy *fc, uaddr_t va, uaddr_t end, struct spare *sp)
{
	uint64_t span, *p = pmap_find(fc->fc_from, va, &span), *q, lines;
	uaddr_t stop = table_end(va, end);

	if (p == NULL)
		return skip(va, span);
	q = pmap_make(fc->fc_to, va, span == BLOCK_BYTES, sp);
	if (q == NULL)
		return va;
	lines = table_page(p)->pg_serial;
	for (uint32_t n; va < stop && fc->fc_gather.g_nranges < GATHER_RANGES;
	    va += n * span, p += n, q += n) {
		n = empty_slots(lines, p);
		if (n == 0) {
			copy_leaf(fc, p, q, va, span);
			n = 1;
		}
	}
	return va;
}

void
forkcopy_init(struct forkcopy *fc, struct vmspace *from, struct vmspace *to, bool alone)
{
	uint32_t n = (uint32_t)rt_min((uint64_t)figure(&from->vs_anon), FORK_COPIES_MAX + 1);

	fc->fc_from = from;
	fc->fc_to = to;
	fc->fc_run = NULL;
	fc->fc_nrun = 0;
	fc->fc_next = 0;
	fc->fc_pieces = n <= FORK_COPIES_MAX ? FORK_PIECES : 0;
	fc->fc_copies = alone && n <= FORK_COPIES_MAX && page_plenty() ? n : 0;
	gather_init(&fc->fc_gather, from, MD_INVAL_WRPROTECT);
}

void
forkcopy_done(struct forkcopy *fc)
{
	gather_flush(&fc->fc_gather);
	page_drop_run(fc->fc_run, fc->fc_nrun);
}

/* What entry e shows, for its copy in the other space. */
int
pmap_copy(struct forkcopy *fc, struct vm_entry *e)
{
	struct spare sp = { .sp_n = 0 };
	uaddr_t va = e->e_start, next;
	int error = 0;

	fc->fc_entry = e;
	while (va < e->e_end) {
		bool full;

		spin_lock(&fc->fc_from->vs_pt);
		spin_lock(&fc->fc_to->vs_pt);	/* who follows the reverse map finds the child already */
		next = copy_some(fc, va, e->e_end, &sp);
		spin_unlock(&fc->fc_to->vs_pt);
		spin_unlock(&fc->fc_from->vs_pt);
		full = fc->fc_gather.g_nranges == GATHER_RANGES;
		if (full)
			gather_flush(&fc->fc_gather);
		if (next == va && !full && !spare_fill(&sp)) {
			error = ENOMEM;
			break;
		}
		va = next;
		lwkt_poll();
	}
	spare_done(&sp);
	return error;
}

/* ------------------------------------------------------------- moving -- */

/* One leaf to its new place, for which there is a table.  Inside vs_pt. */
static void
move_leaf(struct vmspace *vs, uaddr_t from, uaddr_t to, struct gather *g)
{
	uint64_t span, *p = pmap_find(vs, from, &span), *q, old;

	ASSERT(p != NULL && span == PAGE_BYTES);
	q = pmap_find(vs, to, &span);
	ASSERT(q != NULL && span == PAGE_BYTES && pte_load(q) == 0);
	old = pmap_set(vs, p, 0);
	if ((old & PTE_P) != 0)
		gather_range(g, from, PAGE_BYTES);
	pmap_set(vs, q, old);
	prune(vs, from, g);
}

/* A table for `to`. */
static int
make_table(struct vmspace *vs, uaddr_t to, struct spare *sp)
{
	uint64_t *q;

	for (;;) {
		spin_lock(&vs->vs_pt);
		q = pmap_make(vs, to, 0, sp);
		spin_unlock(&vs->vs_pt);
		if (q != NULL)
			return 0;
		if (!spare_fill(sp))
			return ENOMEM;
	}
}

/* Tables in [va, +len) stay, even empty; len 0: no more.  One move at a time: vs_lk. */
static void
keep_tables(struct vmspace *vs, uaddr_t va, uint64_t len)
{
	spin_lock(&vs->vs_pt);
	vs->vs_keep = (struct md_range){ va, len };
	spin_unlock(&vs->vs_pt);
}

/*
 * First everything that needs memory: 2 MiB leaves are split, the tables at
 * the new place made.  Those that stay empty are left behind; unmapping the
 * new place removes them.
 */
static int
move_prepare(struct vmspace *vs, uaddr_t from, uaddr_t to, uint64_t len)
{
	struct spare sp = { .sp_n = 0 };
	uint64_t span;
	int error = 0;

	for (uint64_t at = 0; at < len && error == 0;) {
		uint64_t *p;

		spin_lock(&vs->vs_pt);
		p = pmap_find(vs, from + at, &span);
		spin_unlock(&vs->vs_pt);
		if (p == NULL) {
			at = skip(from + at, span) - from;
			continue;
		}
		if (span == BLOCK_BYTES) {
			error = pmap_split(vs, from + at);
			continue;
		}
		/* To the end of the old table or of the new one, whichever is nearer. */
		error = make_table(vs, to + at, &sp);
		at = rt_min(table_end(from + at, from + len) - from, table_end(to + at, to + len) - to);
		lwkt_poll();
	}
	spare_done(&sp);
	return error;
}

/* Move what is mapped at [from, +len) to `to`, where nothing is.  ENOMEM: nothing was moved. */
int
pmap_move(struct vmspace *vs, uaddr_t from, uaddr_t to, uint64_t len)
{
	struct gather g;
	uint64_t span;
	int error;

	keep_tables(vs, to, len);
	error = move_prepare(vs, from, to, len);
	gather_init(&g, vs, MD_INVAL_DROP);
	for (uint64_t at = 0; at < len && error == 0;) {
		uint64_t val;

		val = pmap_peek(vs, from + at, &span);
		if (val == 0) {
			at = skip(from + at, span) - from;
			continue;
		}
		spin_lock(&vs->vs_pt);
		move_leaf(vs, from + at, to + at, &g);
		spin_unlock(&vs->vs_pt);
		at += PAGE_BYTES;
		if (gather_full(&g))
			gather_flush(&g);
	}
	gather_flush(&g);
	keep_tables(vs, 0, 0);
	return error;
}

/* ------------------------------------------------------------ the end -- */

static void
free_table(struct vmspace *vs, uint64_t entry, uint32_t shift)
{
	uint64_t *t = md_p2v(entry & PTE_PA);
	struct page *table = page_of(entry & PTE_PA);

	for (uint32_t i = 512; i > 0 && table->pg_index > 0; i--) {	/* as page_drop_run() */
		uint64_t v = t[i - 1];

		if (v == 0) {
			if (empty_slots(table->pg_serial, &t[i - 1]) != 0)
				i = (i - 1) / LINE_SLOTS * LINE_SLOTS + 1;
			continue;
		}
		t[i - 1] = 0;
		table->pg_index--;
		if (shift > PAGE_SHIFT && !(shift == 21 && (v & PTE_PS) != 0)) {
			free_table(vs, v, shift - 9);
			continue;
		}
		count_leaf(vs, v, -1);
		if ((v & PTE_PA) == vm_zero_pa)
			continue;
		if ((v & (PTE_D | PTE_ANON)) == PTE_D)
			page_flag_add(page_of(v & PTE_PA), PG_DIRTY);
		page_drop_run(page_of(v & PTE_PA), (v & PTE_PS) != 0 ? BLOCK_PAGES : 1);
		if ((v & PTE_PS) != 0)
			lwkt_poll();
	}
	vs->vs_tables--;
	page_drop_zero(table);
	lwkt_poll();
}

/*
 * Nobody is inside.  With keep_root the machine is told once, after the root
 * is empty and before a page is freed; without it the machine's space is gone
 * already.
 */
void
pmap_destroy(struct vmspace *vs, bool keep_root)
{
	uint64_t *root = md_p2v(vs->vs_root);
	struct page *pg = page_of(vs->vs_root);
	struct md_range all = { MD_USER_MIN, MD_USER_MAX - MD_USER_MIN };
	md_space_t s = vs->vs_space;
	uint64_t saved[256];
	uint32_t n = 0;

	ASSERT(keep_root || s == MD_NOSPACE);
	spin_lock(&vs->vs_pt);
	for (uint64_t lines = pg->pg_serial; lines != 0; lines &= lines - 1) {
		uint64_t *line = &root[(uint32_t)__builtin_ctzll(lines) * LINE_SLOTS];

		for (uint32_t i = 0; i < LINE_SLOTS; i++)
			saved[n++] = __atomic_exchange_n(&line[i], 0, __ATOMIC_ACQ_REL);
	}
	pg->pg_index = pg->pg_serial = 0;
	spin_unlock(&vs->vs_pt);
	if (s != MD_NOSPACE)
		md_invalidate(s, &all, 1, MD_INVAL_DROP);
	vm_quiesce();
	for (uint32_t i = 0; i < n; i++)
		if (saved[i] != 0)
			free_table(vs, saved[i], 30);
	ASSERT(figure(&vs->vs_anon) == 0 && figure(&vs->vs_other) == 0 && vs->vs_tables == 1);
	if (keep_root)
		return;
	page_drop(pg);
	vs->vs_tables = 0;
}

/* ----------------------------------------------------------- weighing -- */

/* How many leaves name the page: all references, but the one of the object that it belongs to. */
static uint32_t
times_mapped(const struct page *pg, bool anon)
{
	uint32_t refs = atomic_load_explicit(&pg->pg_refs, memory_order_relaxed);

	return !anon && pg->pg_owner != NULL && refs > 1 ? refs - 1 : rt_max(refs, 1u);
}

static void
weigh_leaf(uint64_t val, uint64_t span, struct vm_weight *w)
{
	struct page *pg = page_of(val & PTE_PA);
	bool anon = (val & PTE_ANON) != 0;

	for (uint64_t i = 0; i < pte_span_pages(span); i++) {
		uint32_t n = times_mapped(&pg[i], anon), fl = page_flags(&pg[i]);
		bool dirty = (val & PTE_D) != 0 || (fl & PG_DIRTY) != 0;

		w->rss += PAGE_BYTES;
		w->pss_4096ths += (PAGE_BYTES << 12) / n;
		if (dirty)
			w->pss_dirty_4096ths += (PAGE_BYTES << 12) / n;
		if (anon)
			w->pss_anon_4096ths += (PAGE_BYTES << 12) / n;
		w->kind[n > 1][dirty] += PAGE_BYTES;
		if (anon)
			w->anonymous += PAGE_BYTES;
		if ((val & PTE_A) != 0 || (fl & PG_REFERENCED) != 0)
			w->referenced += PAGE_BYTES;
		if ((val & PTE_PS) != 0)
			w->huge += PAGE_BYTES;
	}
}

void
vm_weigh(struct vmspace *vs, uaddr_t start, uaddr_t end, struct vm_weight *w)
{
	uint64_t span;

	for (uaddr_t va = start; va < end; lwkt_poll()) {
		uint64_t *p, val;
		uaddr_t stop = table_end(va, end);

		spin_lock(&vs->vs_pt);
		p = pmap_find(vs, va, &span);
		if (p == NULL)
			va = skip(va, span);
		for (; p != NULL && va < stop; va = skip(va, span), p++) {
			val = pte_load(p);
			if (val != 0 && (val & PTE_PA) != vm_zero_pa)
				weigh_leaf(val, span, w);
		}
		spin_unlock(&vs->vs_pt);
	}
}
