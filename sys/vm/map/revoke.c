/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * revoke - from a page, or a range of an object, to its mappings.
 *
 * The lists of the object or the family name the entries, arithmetic names
 * the address in each, and the page table says whether the page is there.
 * An anonymous page that loses all rights is hidden, not forgotten: its leaf
 * is the only place that knows it.  The next fault shows it again.
 *
 * Locking: o_tok or af_tok is held throughout, and nothing here sleeps, so
 * entries and their spaces stay: an entry leaves the list before it ends.
 */
#include <core/rt/rt.h>
#include "map_int.h"

void
vmobj_unmap(struct vmobj *o, uint64_t first, uint64_t last, bool even_copies)
{
	token_assert_held(&o->o_tok);
	list_foreach(e, &o->o_maps, struct vm_entry, e_objlink) {
		uint64_t base = e->e_off >> PAGE_SHIFT, n = (e->e_end - e->e_start) >> PAGE_SHIFT;
		uint64_t from = rt_max(first, base), to = rt_min(last, base + n);

		if (from < to)
			pmap_remove(e->e_vs, e->e_start + (from - base) * PAGE_BYTES,
			    e->e_start + (to - base) * PAGE_BYTES, !even_copies, false);
	}
}

/* The page `pg` at `va` of the entry's space, if it is there, keeps only `prot`. */
static void
revoke_at(struct vm_entry *e, uaddr_t va, struct page *pg, uint32_t prot)
{
	struct vmspace *vs = e->e_vs;
	struct gather g;
	uint64_t span, *p, old = 0, clear = 0;
	paddr_t pa;

	gather_init(&g, vs, MD_INVAL_DROP);
	if (prot == PROT_NONE)
		clear = PTE_P;
	else if ((prot & PROT_WRITE) == 0)
		clear = PTE_W;
	spin_lock(&vs->vs_pt);
	p = pmap_find(vs, va, &span);
	if (p != NULL)
		old = __atomic_load_n(p, __ATOMIC_RELAXED);
	pa = (old & PTE_PA) + (va & (span - 1) & ~PAGE_MASK);
	if (old != 0 && pa == page_pa(pg)) {
		if (prot == PROT_NONE && (old & PTE_ANON) == 0) {
			old = pmap_set(vs, p, 0);
			gather_pages(&g, pg, 1);
		} else {
			old = __atomic_fetch_and(p, ~clear, __ATOMIC_ACQ_REL);
			if ((prot & PROT_EXEC) == 0)
				__atomic_fetch_or(p, PTE_NX, __ATOMIC_ACQ_REL);
		}
		if ((old & (PTE_D | PTE_ANON)) == PTE_D)
			page_flag_add(pg, PG_DIRTY);
		if ((old & PTE_P) != 0)
			gather_range(&g, va & ~(span - 1), span);
	}
	spin_unlock(&vs->vs_pt);
	gather_flush(&g);
}

/* The caller holds the page and, if it has one, its object. */
void
page_revoke(struct page *pg, uint32_t prot)
{
	bool anon = (page_flags(pg) & PG_ANON) != 0;
	struct anonfam *af = anon ? pg->pg_owner : NULL;
	struct vmobj *o = anon ? NULL : pg->pg_owner;

	ASSERT(pg->pg_refs > 0);
	if (anon) {
		token_get(&af->af_tok);
		list_foreach(e, &af->af_entries, struct vm_entry, e_famlink) {
			uint64_t at = pg->pg_index - e->e_famoff;

			if (at < (e->e_end - e->e_start) >> PAGE_SHIFT)
				revoke_at(e, e->e_start + at * PAGE_BYTES, pg, prot);
		}
		token_release(&af->af_tok);
	} else if (o != NULL) {
		token_get(&o->o_tok);
		list_foreach(e, &o->o_maps, struct vm_entry, e_objlink) {
			uint64_t at = pg->pg_index - (e->e_off >> PAGE_SHIFT);

			if (at < (e->e_end - e->e_start) >> PAGE_SHIFT)
				revoke_at(e, e->e_start + at * PAGE_BYTES, pg, prot);
		}
		token_release(&o->o_tok);
	}
}
