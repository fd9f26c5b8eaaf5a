/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_int - what the files of sys/vm share among themselves.
 */
#pragma once
#include <sys/lwkt/figure.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/page.h>

#define BLOCK_ORDER	9u			/* 2 MiB: the unit of host memory and of big mappings */
#define BLOCK_PAGES	(1u << BLOCK_ORDER)
#define BLOCK_BYTES	((uint64_t)BLOCK_PAGES * PAGE_BYTES)

#define KMEM_CLASSES	13u
#define KSTACK_CACHE	16u

/* One size class on one CPU. */
struct kmem_cpu {
	struct list	kc_partial;	/* [cpu] slabs with free objects */
	uint32_t	kc_empty;	/* [cpu] slabs among them without any object */
	uint32_t	kc_size;	/* const */
	uint32_t	kc_cpu;		/* const: owner */
	figure_t	kc_used;	/* [cpu] objects handed out here, minus those freed here */
	void		*_Atomic kc_remote;	/* [atomic] objects freed by other CPUs, linked by their first word */
};

/* What sys/vm keeps per CPU: mycpu->c_vm. */
/* kmem/debug.c: freed objects that nobody gets yet, the oldest at kq_head. */
#define KMEM_QUEUE		256u
#define KMEM_QUEUE_BYTES	(256u << 10)
struct kmem_freed { void *p; size_t room; };
struct kmem_queue {
	uint32_t	kq_head, kq_n;
	size_t		kq_bytes;
	struct kmem_freed kq_object[KMEM_QUEUE];
};

struct vm_cpu {
	struct list	v_pages;	/* [cpu] free single pages, newest first */
	figure_t	v_npages;	/* [cpu] */
	/* [cpu] pages that became such here, minus those that ceased to be; shmem: those of no cache */
	figure_t	v_anon, v_cache, v_shmem;
	figure_t	v_kmem_pages;	/* [cpu] likewise, of large objects */
	struct kmem_cpu	v_kmem[KMEM_CLASSES];	/* [cpu] */
	struct kmem_queue *v_freed;	/* [cpu] NULL: kmem_debug is off */
	uint64_t	v_kstack[KSTACK_CACHE];	/* [cpu] mapped stacks, newest last */
	uint32_t	v_nkstack;	/* [cpu] */
	_Atomic uint32_t v_usection;	/* [atomic: owner writes] odd inside a section that uses a translation */
};
static inline struct vm_cpu *vm_mycpu(void) { return mycpu->c_vm; }

void	vm_cpu_setup(struct cpu *c, struct vm_cpu *v);
void	kmem_cpu_setup(struct cpu *c, struct vm_cpu *v);
/* Give what this CPU keeps in reserve back: a stack, empty slabs, and single pages to the buddy lists.  Pages. */
uint64_t kstack_trim(void);
uint64_t kmem_trim(void);
uint64_t page_cache_trim(void);
void	kstack_init(void);
void	kmem_debug_init(void);		/* before anything is allocated */

/* Free a page that is nobody's any more (refs 0). */
void	page_free(struct page *pg);
/* Pages free now, roughly; whether `pages` more can be had; and whether thrift is called for. */
uint64_t page_free_count(void);
bool	page_enough(uint64_t pages);
uint64_t page_total_count(void);
bool	page_plenty(void);

/* Tests let the n-th allocation and all after it fail. */
static inline bool
vm_should_fail(void)
{
	uint64_t n = atomic_load_explicit(&vm_fail_after, memory_order_relaxed);

	while (n > 1 && !atomic_compare_exchange_weak(&vm_fail_after, &n, n - 1))
		;
	return n == 1;
}

/* Memory is short: make others give some up.  False: there is nothing left to try. */
bool	vm_reclaim(uint64_t pages, uint32_t attempt);

/* vm/map: the family of an anonymous page loses one. */
void	anon_page_gone(struct page *pg);
