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
#include <core/rt/rbtree.h>
#include <machine/mmu.h>
#include <stdatomic.h>

struct vmobj;
struct page {
	union {
		struct list	pg_link;	/* [owner] free list, or the owner's use */
		struct rb_node	pg_node;	/* [o_tok] of a vmobj's page: o_pages */
	};
	void		*pg_owner;	/* [owner] struct vmobj, or family of an anonymous page */
	uint64_t	pg_index;	/* [owner] offset in pages within the owner */
	uint64_t	pg_serial;	/* [owner] grows with each change of content that others may cache */
	_Atomic uint32_t pg_refs;	/* [atomic] 0: free */
	_Atomic uint16_t pg_flags;	/* [owner; atomic: unmapping adds PG_DIRTY] PG_* */
	uint8_t		pg_order;	/* [buddy] of the free run that begins here */
};
_Static_assert(sizeof(struct page) == 64, "one cache line; the boot layout counts on it");
#define PG_DIRTY	(1u << 0)
#define PG_REFERENCED	(1u << 1)
#define PG_BUSY		(1u << 2)	/* somebody fills or writes it: others wait */
#define PG_ANON		(1u << 3)
#define PG_WIRED	(1u << 4)
#define PG_FREE		(1u << 5)	/* [buddy] a free run begins here */
#define PG_CLEAN0	(1u << 6)	/* free, and its contents are zero already */
#define PG_SLAB		(1u << 7)	/* kmem: small objects */
#define PG_LARGE	(1u << 8)	/* kmem: first page of a large one */
#define PG_RESERVED	(1u << 9)	/* the machine's, or not given to us yet */
#define PG_POISON	(1u << 10)	/* free, and filled with a pattern */

static inline uint32_t
page_flags(const struct page *pg)
{
	return atomic_load_explicit(&pg->pg_flags, memory_order_relaxed);
}

/* While others may add flags too. */
static inline void
page_flag_add(struct page *pg, uint32_t flags)
{
	if ((page_flags(pg) & flags) != flags)
		atomic_fetch_or_explicit(&pg->pg_flags, (uint16_t)flags, memory_order_relaxed);
}

static inline void
page_flag_take(struct page *pg, uint32_t flags)
{
	atomic_fetch_and_explicit(&pg->pg_flags, (uint16_t)~flags, memory_order_relaxed);
}

/* While nobody else changes them. */
static inline void
page_flags_set(struct page *pg, uint32_t flags)
{
	atomic_store_explicit(&pg->pg_flags, (uint16_t)flags, memory_order_relaxed);
}

#define PAGE_ZERO	(1u << 0)	/* contents zero */
#define PAGE_WAIT	(1u << 1)	/* may sleep for memory and make others give some up; else NULL at once */
#define PAGE_RESERVE	(1u << 2)	/* may use the last pages: for freeing memory */

struct page *page_alloc(uint32_t flags);			/* pg_refs 1 */
/* 2^order contiguous, aligned; each pg_refs 1, freed singly. */
struct page *page_alloc_run(uint32_t order, uint32_t flags);
void	page_hold(struct page *pg);
void	page_drop(struct page *pg);				/* last reference frees */
void	page_drop_zero(struct page *pg);	/* the last reference to a page that reads zero again */
void	page_drop_run(struct page *pg, uint64_t n);		/* n in a row */
struct page *page_of(paddr_t pa);
paddr_t	page_pa(const struct page *pg);
static inline void *page_va(const struct page *pg) { return md_p2v(page_pa(pg)); }

extern _Atomic uint64_t vm_fail_after;	/* [tests] 0: off; else so many allocations succeed, less one, then all fail */
extern _Atomic bool page_poison;	/* [tests] fill freed pages, check them when they are handed out */
/* pages; shmem: those of `cache` that are a copy of nothing */
struct page_stats { uint64_t total, free, anon, cache, shmem, kernel; };
void	page_stats(struct page_stats *out);
void	vm_phys_init(void);		/* kmain, before any allocation */
struct cpu;
int	vm_cpu_init(struct cpu *c);	/* kmain, another CPU's caches; ENOMEM */
void	vm_phys_free_range(paddr_t pa, uint64_t len);	/* whole pages inside are ours now: the initial archive */
void	vm_phys_start(void);		/* kmain, when threads can be made: the thread that trims and prepares */
/*
 * Somebody who can give memory back.  fn(pages) tries to free about that many
 * and returns how many it freed; thread context, may sleep.  At boot.
 */
struct vm_reclaimer {
	uint64_t	(*vr_fn)(uint64_t pages);
	struct list	vr_link;	/* const after boot */
};
void	vm_add_reclaimer(struct vm_reclaimer *r);
