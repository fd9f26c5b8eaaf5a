/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault - make an access possible, or say why not.
 *
 * A fault costs a round trip through the machine, far more than zeroing or
 * mapping a few pages more.  So whatever is cheap to do for the neighbours is
 * done at once, in a window of 64 KiB around the address: zeros for an
 * anonymous area (as one run of pages, which the machine can map in one
 * piece), pages of the object that are there already, write permission for
 * anonymous pages that are ours alone again after a fork.  Large anonymous
 * areas get 2 MiB at a time.  When memory is not plentiful only the page
 * asked for is made.
 *
 * Every step looks, releases what may not be held while sleeping, gets what
 * it needs, and looks again inside vs_pt before it changes the leaf; when
 * the leaf is not the one seen before, it starts over.
 *
 * A forced write is a debugger's, to what the program itself may only read: a
 * private mapping gets a page of its own as for any write, and the leaf stays
 * read-only.
 *
 * Locking: vs_lk shared: entries stand still.  Leaves change under us.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/vm/uaccess.h>
#include "map_int.h"

#define WINDOW_ORDER	4u
#define WINDOW_PAGES	(1u << WINDOW_ORDER)
#define WINDOW_BYTES	(WINDOW_PAGES * PAGE_BYTES)
#define STACK_PAGES	4u
#define BIG_ENTRY_BYTES	(4ull << 20)		/* from here on 2 MiB at a time */
#define BIG_RAM_BYTES	(32ull << 20)		/* not on smaller machines */
#define COPY_ENTRY_BYTES	(512ull << 10)		/* of a smaller mapping of an object a window is copied at once */
#define ZERO_READ_BYTES	(1ull << 20)		/* reading a larger area gets the shared page of zeros */

/* Besides enum vm_fault: look again; a table page is needed. */
enum { STEP_AGAIN = 100, STEP_SPARE };

struct fault {
	struct vmspace	*vs;
	struct vm_entry	*e;
	uaddr_t		va;		/* page */
	bool		write, forced;
	uint64_t	val, span;	/* the leaf as seen */
	struct spare	spare;
};

static uint64_t
leaf_bits(const struct vm_entry *e)
{
	return PTE_P | PTE_U | PTE_A | ((e->e_prot & PROT_EXEC) != 0 ? 0 : PTE_NX);
}

/* Of a page that is ours alone. */
static uint64_t
own_bits(const struct vm_entry *e)
{
	return leaf_bits(e) | PTE_D | PTE_ANON | ((e->e_prot & PROT_WRITE) != 0 ? PTE_W : 0);
}

static bool
permits(uint32_t prot, uint32_t access)
{
	if (access == PROT_READ)
		return prot != PROT_NONE;	/* the processor cannot write or execute without reading */
	return (prot & access) != 0;
}

/* Inside vs_pt: the leaf, if it still is what we saw, but for A and D. */
static uint64_t *
leaf_again(struct fault *f)
{
	uint64_t span, *p = pmap_find(f->vs, f->va, &span);
	uint64_t val = p == NULL ? 0 : __atomic_load_n(p, __ATOMIC_RELAXED);

	if (p == NULL || span != f->span || ((val ^ f->val) & ~(PTE_A | PTE_D)) != 0)
		return NULL;
	return p;
}

static struct page *
fresh_page(uint32_t flags)
{
	struct page *pg = page_alloc(flags);

	return pg != NULL ? pg : page_alloc(flags | PAGE_WAIT);
}

static uint64_t
fam_index(const struct vm_entry *e, uaddr_t va)
{
	return e->e_famoff + ((va - e->e_start) >> PAGE_SHIFT);
}

/* The window around va, within the entry.  What is touched at its very end is a stack: most need little. */
static void
window(const struct vm_entry *e, uaddr_t va, uaddr_t *start, uaddr_t *end)
{
	uaddr_t w = va & ~(WINDOW_BYTES - 1);

	if (va + PAGE_BYTES == e->e_end)
		w = rt_max(w, va - (STACK_PAGES - 1) * PAGE_BYTES);
	*start = rt_max(w, e->e_start);
	*end = rt_min(w + WINDOW_BYTES, e->e_end);
}

/* ------------------------------------------------------ anonymous pages -- */

static bool
ours_alone(struct page *pg, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (atomic_load_explicit(&pg[i].pg_refs, memory_order_acquire) != 1)
			return false;
	return true;
}

/* Neighbours that are ours alone may be written too.  Inside vs_pt. */
static void
write_around(struct fault *f)
{
	uaddr_t va, end;
	uint64_t span, *p;

	window(f->e, f->va, &va, &end);
	p = pmap_find(f->vs, va, &span);
	if (p == NULL || span != PAGE_BYTES)
		return;
	for (; va < end; va += PAGE_BYTES, p++) {
		uint64_t val = __atomic_load_n(p, __ATOMIC_RELAXED);

		if ((val & (PTE_P | PTE_ANON | PTE_W)) == (PTE_P | PTE_ANON) && ours_alone(page_of(val & PTE_PA), 1))
			__atomic_fetch_or(p, PTE_W | PTE_D, __ATOMIC_ACQ_REL);
	}
}

/* The page is there: hidden, or not to be written because it is shared. */
static int
anon_unlocked(struct fault *f, uint64_t *p)
{
	struct page *pg = page_of(f->val & PTE_PA);
	uint64_t keep = f->val & PTE_PS, bits = leaf_bits(f->e) | PTE_ANON | PTE_D | keep;

	if (!f->write) {
		pmap_set(f->vs, p, (f->val & PTE_PA) | bits | (f->e->e_prot & PROT_WRITE ? f->val & PTE_W : 0));
		return VMF_OK;
	}
	if (!ours_alone(pg, pte_span_pages(f->span)))
		return STEP_AGAIN;
	pmap_set(f->vs, p, (f->val & PTE_PA) | own_bits(f->e) | keep);
	if (f->span == PAGE_BYTES && !f->forced)
		write_around(f);
	return VMF_OK;
}

/* Replace the leaf by our own page `pg`, whose contents are ready.  STEP_AGAIN: pg was dropped. */
static int
leaf_replace(struct fault *f, struct page *pg)
{
	struct gather g;
	uint64_t *p, old = 0;

	gather_init(&g, f->vs, MD_INVAL_DROP);
	anon_page_join(pg, f->e->e_fam, fam_index(f->e, f->va));
	spin_lock(&f->vs->vs_pt);
	p = leaf_again(f);
	if (p != NULL)
		old = pmap_set(f->vs, p, page_pa(pg) | own_bits(f->e));
	spin_unlock(&f->vs->vs_pt);
	if (p == NULL) {
		page_drop(pg);
		return STEP_AGAIN;
	}
	if ((old & PTE_P) != 0)
		gather_range(&g, f->va, PAGE_BYTES);
	if (old != 0 && (old & PTE_PA) != vm_zero_pa)
		gather_pages(&g, page_of(old & PTE_PA), 1);
	gather_flush(&g);
	return VMF_OK;
}

static int
fault_anon(struct fault *f)
{
	struct page *pg, *copy;
	uint64_t *p;
	int r = STEP_AGAIN;

	spin_lock(&f->vs->vs_pt);
	p = leaf_again(f);
	if (p != NULL)
		r = anon_unlocked(f, p);
	if (p == NULL || r == VMF_OK) {
		spin_unlock(&f->vs->vs_pt);
		return r;
	}
	pg = page_of(f->val & PTE_PA);
	if (f->span == PAGE_BYTES)
		page_hold(pg);			/* so that it cannot become another page while we copy */
	spin_unlock(&f->vs->vs_pt);
	if (f->span != PAGE_BYTES)
		return pmap_split(f->vs, f->va) == 0 ? STEP_AGAIN : VMF_OOM;

	copy = fresh_page(0);
	if (copy != NULL) {
		memcpy(page_va(copy), page_va(pg), PAGE_BYTES);
		r = leaf_replace(f, copy);
	} else {
		r = VMF_OOM;
	}
	page_drop(pg);
	return r;
}

/* Is [va, end) in one table without an anonymous page?  Inside vs_pt; `first` is its first slot. */
static bool
blank(struct fault *f, uaddr_t va, uaddr_t end, uint64_t **first)
{
	uint64_t *p = pmap_make(f->vs, va, 0, &f->spare);

	*first = p;
	for (; p != NULL && va < end; va += PAGE_BYTES, p++)
		if ((__atomic_load_n(p, __ATOMIC_RELAXED) & PTE_ANON) != 0)
			return false;
	return true;
}

/* A 2 MiB leaf was there, or is now: pmap_make() may not descend. */
static bool
big_leaf_at(struct fault *f, uaddr_t va)
{
	uint64_t span, *p = pmap_find(f->vs, va, &span);

	return p != NULL && span == BLOCK_BYTES;
}

/* Put the n fresh pages of the run at [va, ...), if that is still blank.  They are ours again if not. */
static int
fill_pages(struct fault *f, uaddr_t va, struct page *pg, uint32_t n)
{
	uaddr_t end = va + n * PAGE_BYTES;
	uint64_t *p = NULL, bits = own_bits(f->e);
	struct gather g;
	int r = VMF_OK;

	gather_init(&g, f->vs, MD_INVAL_DROP);
	spin_lock(&f->vs->vs_pt);
	if (big_leaf_at(f, va) || !blank(f, va, end, &p))
		r = STEP_AGAIN;
	else if (p == NULL)
		r = STEP_SPARE;
	for (uint32_t i = 0; r == VMF_OK && i < n; i++) {
		uint64_t old;

		anon_page_join(&pg[i], f->e->e_fam, fam_index(f->e, va + i * PAGE_BYTES));
		old = pmap_set(f->vs, &p[i], page_pa(&pg[i]) | bits);
		if (old != 0)
			gather_range(&g, va + i * PAGE_BYTES, PAGE_BYTES);	/* it showed zeros */
	}
	spin_unlock(&f->vs->vs_pt);
	gather_flush(&g);
	return r;
}

static bool
wants_big(const struct fault *f)
{
	uaddr_t w = f->va & ~(BLOCK_BYTES - 1);

	return f->e->e_end - f->e->e_start >= BIG_ENTRY_BYTES &&
	    w >= f->e->e_start && w + BLOCK_BYTES <= f->e->e_end &&
	    (f->e->e_advice & VME_NOHUGE) == 0 && f->val == 0 && f->span >= BLOCK_BYTES &&
	    md_boot()->b_ram_bytes > BIG_RAM_BYTES && page_plenty();
}

/* STEP_AGAIN: no. */
static int
fill_big(struct fault *f)
{
	uaddr_t w = f->va & ~(BLOCK_BYTES - 1);
	struct page *pg = page_alloc_run(BLOCK_ORDER, PAGE_ZERO);
	uint64_t *p;
	int r = VMF_OK;

	if (pg == NULL)
		return STEP_AGAIN;
	spin_lock(&f->vs->vs_pt);
	p = pmap_make(f->vs, w, 1, &f->spare);
	if (p == NULL)
		r = STEP_SPARE;
	else if (__atomic_load_n(p, __ATOMIC_RELAXED) != 0)
		r = STEP_AGAIN;
	for (uint32_t i = 0; r == VMF_OK && i < BLOCK_PAGES; i++)
		anon_page_join(&pg[i], f->e->e_fam, fam_index(f->e, w) + i);
	if (r == VMF_OK)
		pmap_set(f->vs, p, page_pa(pg) | own_bits(f->e) | PTE_PS);
	spin_unlock(&f->vs->vs_pt);
	if (r != VMF_OK)
		page_drop_run(pg, BLOCK_PAGES);
	return r;
}

/* Show the page of zeros in the whole window, where nothing is. */
static int
fill_shared_zeros(struct fault *f)
{
	uaddr_t va, end;
	uint64_t *p;

	window(f->e, f->va, &va, &end);
	spin_lock(&f->vs->vs_pt);
	p = big_leaf_at(f, va) ? NULL : pmap_make(f->vs, va, 0, &f->spare);
	for (; p != NULL && va < end; va += PAGE_BYTES, p++)
		if (__atomic_load_n(p, __ATOMIC_RELAXED) == 0)
			pmap_set(f->vs, p, vm_zero_pa | leaf_bits(f->e));
	spin_unlock(&f->vs->vs_pt);
	return p == NULL ? STEP_SPARE : VMF_OK;
}

/* Nothing but zeros is here yet. */
static int
fault_zero(struct fault *f)
{
	uint32_t order = 0, n = 1;
	uaddr_t va = f->va, end = va + PAGE_BYTES;
	struct page *pg = NULL;
	int r;

	if (wants_big(f)) {
		r = fill_big(f);
		if (r != STEP_AGAIN)
			return r;
	}
	if (!f->write && (f->e->e_end - f->e->e_start > ZERO_READ_BYTES || !page_plenty()))
		return fill_shared_zeros(f);
	if (page_plenty()) {
		window(f->e, f->va, &va, &end);
		n = (uint32_t)((end - va) >> PAGE_SHIFT);
		while ((1u << order) < n)
			order++;
		pg = page_alloc_run(order, PAGE_ZERO);
		r = pg == NULL ? STEP_AGAIN : fill_pages(f, va, pg, n);
		if (pg != NULL && r != VMF_OK)
			page_drop_run(pg, 1u << order);
		else if (pg != NULL)
			page_drop_run(pg + n, (1u << order) - n);
		if (r != STEP_AGAIN)
			return r;
	}
	/* The neighbours are not blank, or memory is short: this page alone. */
	pg = fresh_page(PAGE_ZERO);
	if (pg == NULL)
		return VMF_OOM;
	r = fill_pages(f, f->va, pg, 1);
	if (r != VMF_OK)
		page_drop(pg);
	return r;
}

/* -------------------------------------------------------- object pages -- */

static uint64_t
obj_index(const struct vm_entry *e, uaddr_t va)
{
	return (e->e_off + (va - e->e_start)) >> PAGE_SHIFT;
}

/* May the leaf be written from the start?  Only if nobody wants to know about the first write. */
static uint64_t
shared_bits(const struct fault *f)
{
	const struct vmobj *o = f->e->e_obj;
	uint64_t bits = leaf_bits(f->e);

	if ((f->e->e_flags & MAP_SHARED) == 0 || (f->e->e_prot & PROT_WRITE) == 0)
		return bits;
	if (f->write || o->o_ops == NULL || o->o_ops->vo_fill == NULL)
		bits |= PTE_W | PTE_D;
	return bits;
}

/*
 * Map pages of the object that are there in the window.  Of a cache none but
 * the one that is wanted may be written: what is dirty is written back.  o_tok held.
 */
static int
map_around(struct fault *f)
{
	struct vmobj *o = f->e->e_obj;
	uaddr_t start, end;
	uint64_t *p, bits = shared_bits(f), own, first, old;
	bool gated = (f->e->e_advice & VME_GATED) != 0;

	if ((bits & PTE_W) != 0)
		gates_end(o);
	window(f->e, f->va, &start, &end);
	first = obj_index(f->e, start);
	spin_lock(&f->vs->vs_pt);
	p = pmap_make(f->vs, start, 0, &f->spare);
	for (struct page *pg = p == NULL ? NULL : vmobj_lookup_from(o, first); pg != NULL; pg = vmobj_next(pg)) {
		struct page *shown = gated ? gates_page(o, pg) : pg;
		uint64_t at = pg->pg_index - first, *q = &p[at];
		bool wanted = start + at * PAGE_BYTES == f->va;

		if (start + at * PAGE_BYTES >= end)
			break;
		old = __atomic_load_n(q, __ATOMIC_RELAXED);
		if ((page_flags(pg) & PG_BUSY) != 0 || (old != 0 && !(wanted && (old & PTE_PA) == page_pa(shown))))
			continue;
		own = wanted || !vmobj_is_cache(o) ? bits : bits & ~(PTE_W | PTE_D);
		if ((own & PTE_D) != 0)
			page_flag_add(pg, PG_DIRTY);
		if (old == 0)
			page_hold(shown);
		pmap_set(f->vs, q, page_pa(shown) | own | (shown != pg ? PTE_GATED : 0));
	}
	spin_unlock(&f->vs->vs_pt);
	return p == NULL ? STEP_SPARE : VMF_OK;
}

/* First write to a private mapping of an object: a copy.  o_tok held, and lost on the way. */
static int
copy_object_page(struct fault *f, struct page *pg)
{
	struct vmobj *o = f->e->e_obj;
	struct page *copy = fresh_page(0);
	uint64_t *p;
	int r = STEP_AGAIN;

	if (copy == NULL)
		return VMF_OOM;
	if (pg->pg_owner == o) {
		memcpy(page_va(copy), page_va(pg), PAGE_BYTES);
		/* Make the slot exist, so that leaf_replace() has one to look at. */
		spin_lock(&f->vs->vs_pt);
		p = pmap_make(f->vs, f->va, 0, &f->spare);
		f->span = PAGE_BYTES;
		spin_unlock(&f->vs->vs_pt);
		if (p != NULL)
			return leaf_replace(f, copy);
		r = STEP_SPARE;
	}
	page_drop(copy);
	return r;
}

/*
 * The same for the whole window, from pages of the object that are there, into
 * one run: a program's data is small and most of it is written.  Only where
 * the mapping was made with MAP_DENYWRITE (programs, libraries): elsewhere a
 * page that was not written shows what others write to the object later on.
 * o_tok held and kept.  `run` has a page for each page of the window; those used are
 * marked by their leaf, the others stay the caller's.
 */
static int
copy_window(struct fault *f, struct page *run, uaddr_t start, uaddr_t end)
{
	uint64_t first = obj_index(f->e, start), bits = own_bits(f->e), *p;
	struct gather g;

	gather_init(&g, f->vs, MD_INVAL_DROP);
	spin_lock(&f->vs->vs_pt);
	p = pmap_make(f->vs, start, 0, &f->spare);
	for (struct page *pg = p == NULL ? NULL : vmobj_lookup_from(f->e->e_obj, first); pg != NULL;
	    pg = vmobj_next(pg)) {
		uint64_t i = pg->pg_index - first, old;

		if (start + i * PAGE_BYTES >= end)
			break;
		if ((page_flags(pg) & PG_BUSY) != 0 || (__atomic_load_n(&p[i], __ATOMIC_RELAXED) & PTE_ANON) != 0)
			continue;
		memcpy(page_va(&run[i]), page_va(pg), PAGE_BYTES);
		page_hold(&run[i]);			/* the leaf's */
		anon_page_join(&run[i], f->e->e_fam, fam_index(f->e, start + i * PAGE_BYTES));
		old = pmap_set(f->vs, &p[i], page_pa(&run[i]) | bits);
		if ((old & PTE_P) != 0)
			gather_range(&g, start + i * PAGE_BYTES, PAGE_BYTES);
		if (old != 0)
			gather_pages(&g, page_of(old & PTE_PA), 1);
	}
	spin_unlock(&f->vs->vs_pt);
	gather_flush(&g);
	return p == NULL ? STEP_SPARE : VMF_OK;
}

static int
copy_object(struct fault *f, struct page *pg)
{
	struct page *run = NULL;
	uaddr_t start, end;
	int r;

	if ((f->e->e_flags & MAP_DENYWRITE) != 0 && f->e->e_end - f->e->e_start <= COPY_ENTRY_BYTES && page_plenty())
		run = page_alloc_run(WINDOW_ORDER, 0);
	if (run == NULL)
		return copy_object_page(f, pg);
	window(f->e, f->va, &start, &end);
	r = copy_window(f, run, start, end);
	page_drop_run(run, WINDOW_PAGES);
	return r;
}

static int
fault_object(struct fault *f)
{
	struct vmobj *o = f->e->e_obj;
	uint64_t index = obj_index(f->e, f->va);
	struct page *pg;
	int r = VMF_BUS, error;

	token_get(&o->o_tok);
	if (index >= page_round(o->o_bytes) >> PAGE_SHIFT)
		goto out;
	error = vmobj_page_locked(o, index, 0, &pg);
	if (error != 0) {
		r = error == ENOMEM ? VMF_OOM : VMF_BUS;
		goto out;
	}
	if (index >= page_round(o->o_bytes) >> PAGE_SHIFT)
		r = STEP_AGAIN;		/* truncated while the fill slept */
	else if (f->write && (f->e->e_flags & MAP_SHARED) == 0)
		r = copy_object(f, pg);
	else
		r = map_around(f);
	page_drop(pg);
out:
	token_release(&o->o_tok);
	return r;
}

/* ---------------------------------------------------------------- steps -- */

static int
fault_step(struct fault *f)
{
	f->val = pmap_peek(f->vs, f->va, &f->span);
	if ((f->val & PTE_P) != 0 && (!f->write || (f->val & PTE_W) != 0))
		return VMF_OK;			/* somebody was here before us */
	if ((f->val & PTE_ANON) != 0)
		return fault_anon(f);
	if (f->e->e_obj == NULL)
		return fault_zero(f);
	return fault_object(f);
}

/* The entry at va, the stack grown if need be; vs_lk is held shared on return.  NULL: none. */
static struct vm_entry *
fault_entry(struct vmspace *vs, uaddr_t va)
{
	struct vm_entry *e;
	bool grown;

	lk_shared(&vs->vs_lk);
	e = entry_find(vs, va);
	if (e == NULL || e->e_start <= va)
		return e;
	if ((e->e_flags & MAP_GROWSDOWN) == 0)
		return NULL;
	lk_release(&vs->vs_lk);
	lk_excl(&vs->vs_lk);
	grown = space_grow_down(vs, va);
	lk_release(&vs->vs_lk);
	lk_shared(&vs->vs_lk);
	e = grown ? entry_find(vs, va) : NULL;
	return e != NULL && e->e_start <= va ? e : NULL;
}

static bool
may_force(const struct vm_entry *e)
{
	return e->e_fam != NULL && e->e_prot != PROT_NONE && (e->e_max_prot & PROT_WRITE) != 0;
}

static enum vm_fault
fault(struct vmspace *vs, uaddr_t addr, uint32_t access, bool forced)
{
	struct fault f = {
		.vs = vs, .va = page_trunc(addr), .write = access == PROT_WRITE, .forced = forced,
	};
	int r = STEP_AGAIN;

	ASSERT(access == PROT_READ || access == PROT_WRITE || access == PROT_EXEC);
	if (addr < MD_USER_MIN || addr >= MD_USER_MAX)
		return VMF_MAPERR;
	f.e = fault_entry(vs, f.va);
	if (f.e == NULL)
		r = VMF_MAPERR;
	else if (!permits(f.e->e_prot, access) && !(forced && may_force(f.e)))
		r = VMF_ACCERR;
	while (r == STEP_AGAIN || r == STEP_SPARE) {
		r = fault_step(&f);
		if (r == STEP_SPARE && !spare_fill(&f.spare))
			r = VMF_OOM;
		if (r == STEP_AGAIN)
			lwkt_poll();
	}
	spare_done(&f.spare);
	lk_release(&vs->vs_lk);
	ASSERT(r >= VMF_OK && r <= VMF_OOM);
	return (enum vm_fault)r;
}

enum vm_fault
vm_fault(struct vmspace *vs, uaddr_t addr, uint32_t access)
{
	return fault(vs, addr, access, false);
}

/* Inside vs_pt: where `va` is in RAM, if a debugger may write there; good to the end of its page. */
static void *
own_bytes(struct vmspace *vs, uaddr_t va)
{
	uint64_t span, val, *p = pmap_find(vs, va, &span);
	paddr_t pa;

	val = p != NULL ? __atomic_load_n(p, __ATOMIC_RELAXED) : 0;
	if ((val & PTE_P) == 0 || ((val & PTE_PS) != 0) != (span == BLOCK_BYTES))
		return NULL;
	pa = (val & PTE_PA) + (va & (span - 1));
	if ((val & PTE_W) == 0 && ((val & PTE_ANON) == 0 || !ours_alone(page_of(page_trunc(pa)), 1)))
		return NULL;
	__atomic_fetch_or(p, PTE_A | PTE_D, __ATOMIC_ACQ_REL);
	return md_p2v(pa);
}

/* The bytes move inside vs_pt: no fork can come to share the page meanwhile, nobody can take it away. */
int
vs_write_forced(struct vmspace *vs, uaddr_t dst, const void *src, size_t len, size_t *done)
{
	const char *from = src;
	enum vm_fault r = VMF_OK;

	for (*done = 0; *done < len && r == VMF_OK;) {
		uaddr_t va = dst + *done;
		size_t n = rt_min(len - *done, PAGE_BYTES - (va & PAGE_MASK));
		void *to;

		spin_lock(&vs->vs_pt);
		to = va >= MD_USER_MIN && va < MD_USER_MAX ? own_bytes(vs, va) : NULL;
		if (to != NULL)
			memcpy(to, from + *done, n);
		spin_unlock(&vs->vs_pt);
		if (to != NULL)
			*done += n;
		else
			r = fault(vs, va, PROT_WRITE, true);
		lwkt_poll();
	}
	return r == VMF_OK ? 0 : EFAULT;
}

/* Resolve the faults of a page-aligned range; false: somewhere there is nothing to resolve. */
static bool
resolve(struct vmspace *vs, const struct md_range *range, bool write)
{
	for (uaddr_t va = range->va; va < range->va + range->len;) {
		uint64_t span, val = pmap_peek(vs, va, &span);

		if ((val & PTE_P) == 0 || (write && (val & PTE_W) == 0)) {
			if (vm_fault(vs, va, write ? PROT_WRITE : PROT_READ) != VMF_OK)
				return false;
			span = PAGE_BYTES;
		}
		va = (va & ~(span - 1)) + span;
		lwkt_poll();
	}
	return true;
}

void
vm_populate_all(struct vmspace *vs, const struct vm_want *w, size_t n)
{
	struct md_range range[VM_WANT_MAX];
	size_t filled = 0;
	md_space_t s;

	ASSERT(n <= VM_WANT_MAX);
	for (size_t i = 0; i < n; i++) {
		struct md_range *r = &range[filled];

		if (w[i].len == 0 || w[i].addr >= MD_USER_MAX || w[i].len > MD_USER_MAX - w[i].addr)
			continue;
		r->va = page_trunc(w[i].addr);
		r->len = page_round(w[i].addr + w[i].len) - r->va;
		if (resolve(vs, r, w[i].write))
			filled++;
	}
	s = filled != 0 ? vmspace_machine(vs) : MD_NOSPACE;
	if (s != MD_NOSPACE)
		md_prefill(s, range, filled);
}

void
vm_populate(struct vmspace *vs, uaddr_t addr, uint64_t len, bool write)
{
	vm_populate_all(vs, &(struct vm_want){ addr, len, write }, 1);
}
