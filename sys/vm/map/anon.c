/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anon - where may an anonymous page be mapped?
 *
 * The pages of a private mapping are shared by fork, and then by the forks
 * of the child.  Instead of a list per page there is one list for all pages
 * that began in one address space: the family, which lists the map entries
 * that hold such pages.  An entry counts its pages in the family's terms
 * (e_famoff), and fork, splitting and moving keep that count, so a page's
 * pg_index gives the one address in each entry where it can be.  Whether it
 * is there, the page table says.
 *
 * Invariants
 *   I1  an anonymous page in a page table is in an entry whose e_fam is its
 *       pg_owner, at the address that pg_index says.
 *   I2  pages and entries hold a reference: pg_owner never dangles.
 *
 * Locking: af_tok for the list.
 */
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>
#include "map_int.h"

struct anonfam *
anonfam_create(void)
{
	struct anonfam *af = kmalloc(sizeof(*af), KM_ZERO | KM_WAIT);

	if (af == NULL)
		return NULL;
	token_init(&af->af_tok, "anonfam");
	af->af_refs = 1;
	list_init(&af->af_entries);
	return af;
}

void
anonfam_hold(struct anonfam *af)
{
	atomic_fetch_add_explicit(&af->af_refs, 1, memory_order_relaxed);
}

void
anonfam_drop(struct anonfam *af)
{
	uint32_t old = atomic_fetch_sub_explicit(&af->af_refs, 1, memory_order_acq_rel);

	ASSERT(old > 0);
	if (old > 1)
		return;
	ASSERT(list_empty(&af->af_entries));
	kfree(af);
}

void
anon_page_join(struct page *pg, struct anonfam *af, uint64_t index)
{
	ASSERT(pg->pg_owner == NULL && (page_flags(pg) & PG_ANON) == 0);
	anonfam_hold(af);
	pg->pg_owner = af;
	pg->pg_index = index;
	page_flags_set(pg, PG_ANON | PG_DIRTY);
	crit_enter();
	figure_add(&vm_mycpu()->v_anon, 1);
	crit_exit();
}

void
anon_page_gone(struct page *pg)
{
	ASSERT((page_flags(pg) & PG_ANON) != 0);
	crit_enter();
	figure_add(&vm_mycpu()->v_anon, -1);
	crit_exit();
	anonfam_drop(pg->pg_owner);
}
