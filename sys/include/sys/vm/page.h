/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/page - physical pages.
 *
 * RAM is one direct map.  A struct page describes each page; the array is
 * initialised block by block on first use, so that a small idle node stays
 * small.  Buddy allocator for runs, per-CPU last-in first-out lists for
 * single pages.  Runs matter: one host mapping covers a contiguous run.
 */
#pragma once
#include <core/rt/list.h>
#include <machine/mmu.h>

struct vmobj;
struct page {
	struct list	pg_link;	/* [owner] free list, or the owner's use */
	struct list	pg_rmap;	/* [vm/map] reverse map of an anonymous page */
	void		*pg_owner;	/* [owner] struct vmobj or struct anon */
	uint64_t	pg_index;	/* [owner] offset in pages within the owner */
	uint64_t	pg_serial;	/* [owner] grows with each change of content that others may cache */
	_Atomic uint32_t pg_refs;	/* [atomic] 0: free */
	uint16_t	pg_flags;	/* [owner] PG_* */
	uint8_t		pg_order;	/* [buddy] of the free run that begins here */
};
#define PG_DIRTY	(1u << 0)
#define PG_REFERENCED	(1u << 1)
#define PG_BUSY		(1u << 2)	/* somebody fills or writes it: others wait */
#define PG_ANON		(1u << 3)
#define PG_WIRED	(1u << 4)

#define PAGE_ZERO	(1u << 0)	/* contents zero */
#define PAGE_WAIT	(1u << 1)	/* may sleep for memory and make others give some up; else NULL at once */
#define PAGE_RESERVE	(1u << 2)	/* may use the last pages: for freeing memory */

struct page *page_alloc(uint32_t flags);			/* pg_refs 1 */
struct page *page_alloc_run(uint32_t order, uint32_t flags);	/* 2^order contiguous, aligned; each pg_refs 1, freed singly */
void	page_hold(struct page *pg);
void	page_drop(struct page *pg);				/* last reference frees */
struct page *page_of(paddr_t pa);
paddr_t	page_pa(const struct page *pg);
static inline void *page_va(const struct page *pg) { return md_p2v(page_pa(pg)); }

struct page_stats { uint64_t total, free, anon, cache, kernel; };	/* pages */
void	page_stats(struct page_stats *out);
void	vm_phys_init(void);		/* kmain, before any allocation */
