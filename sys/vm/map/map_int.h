/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_int - what the files of sys/vm/map share.
 *
 *	anon.c	families of anonymous pages
 *	object.c	memory objects
 *	pmap.c	page tables: entering, removing, copying, splitting
 *	space.c	address spaces and their entries
 *	fault.c	resolving faults
 *	gates.c	text that makes its system calls by the call gate
 *	advise.c	mremap, madvise, mincore and who asks about spaces
 *	revoke.c	from a page to its mappings
 *	uaccess.c	copying to and from user memory
 *
 * Lock order: vs_lk, then o_tok or af_tok, then vs_pt.
 */
#pragma once
#include <abi/mman.h>
#include <sys/lwkt/lock.h>
#include <sys/lwkt/spin.h>
#include <sys/lwkt/token.h>
#include <sys/vm/map.h>
#include "../vm_int.h"

/* ------------------------------------------------------- families -- */

/* Family of anonymous pages: the entries in which a page of it may be mapped.  See anon.c. */
struct anonfam {
	struct token	af_tok;
	_Atomic uint32_t af_refs;	/* [atomic] entries and pages */
	struct list	af_entries;	/* [af_tok] of e_famlink */
};
struct anonfam *anonfam_create(void);	/* one reference; NULL: no memory */
void	anonfam_hold(struct anonfam *af);
void	anonfam_drop(struct anonfam *af);
/* A fresh page joins: `index` is its place, in pages, in the family's terms. */
void	anon_page_join(struct page *pg, struct anonfam *af, uint64_t index);

/* -------------------------------------------------------- objects -- */

void	vmobj_init(void);
/* All of these: o_tok held. */
struct page *vmobj_lookup(struct vmobj *o, uint64_t index);		/* not held; NULL */
struct page *vmobj_lookup_from(struct vmobj *o, uint64_t index);
struct page *vmobj_next(struct page *pg);
int	vmobj_page_locked(struct vmobj *o, uint64_t index, uint32_t flags, struct page **out);
/* Mappings of [first, last) go, and copies made by private mappings too if asked for. */
void	vmobj_unmap(struct vmobj *o, uint64_t first, uint64_t last, bool even_copies);
/* Into the tree and out of it; a reference to the page passes to the object, and to the caller. */
void	vmobj_enter(struct vmobj *o, struct page *pg, uint64_t index);
void	vmobj_leave(struct vmobj *o, struct page *pg);

/* gates.c */
/* What is shown for pg, not held: itself or its patched copy. */
struct page *gates_page(struct vmobj *o, struct page *pg);
/* The pages [first, last) go, and are mapped nowhere. */
void	gates_forget(struct vmobj *o, uint64_t first, uint64_t last);
void	gates_end(struct vmobj *o);	/* somebody writes to what o holds: all see that from now on */
void	gates_free(struct gates *g);	/* not locked */

/* --------------------------------------------------------- spaces -- */

#define VME_DONTFORK	(1u << 0)
#define VME_WIPEONFORK	(1u << 1)
#define VME_NOHUGE	(1u << 2)
#define VME_LOCKED	(1u << 3)
#define VME_APART	(1u << 4)		/* nothing is placed in the GATES_BYTES below it */
#define VME_GATED	(1u << 5)		/* its pages may be shown in their patched form */
#define VME_HIDDEN	(1u << 6)		/* trampolines: no program is told of them */
#define VME_POLICY_SHIFT 16		/* from here on: vm_policy_set() */
#define VME_POLICY	(0xffffu << VME_POLICY_SHIFT)
/* Flags that live on. */
#define VME_KEEP	(MAP_SHARED | MAP_PRIVATE | MAP_GROWSDOWN | MAP_STACK | MAP_NORESERVE | MAP_DENYWRITE)

#define ENTRIES_MAX	65530u			/* per space, as Linux's vm.max_map_count */
#define GUARD_GAP	(256 * PAGE_BYTES)	/* kept free below a mapping that grows down */

struct vm_entry {
	struct rb_node	e_node;		/* [vs_lk] */
	struct vmspace	*e_vs;		/* const */
	uaddr_t		e_start, e_end;	/* [vs_lk, and o_tok and af_tok to change] */
	uint32_t	e_prot, e_max_prot;	/* [vs_lk] PROT_* */
	uint32_t	e_flags;	/* [vs_lk] of VME_KEEP */
	uint32_t	e_advice;	/* [vs_lk] VME_* */
	struct vmobj	*e_obj;		/* const, held: lower layer; NULL: zeros */
	uint64_t	e_off;		/* [as e_start] of e_start in the object, bytes */
	struct ncp	*e_name;	/* const, held: what was mapped, for who asks; NULL: nothing with a name */
	struct list	e_objlink;	/* [o_tok]; once unlinked on vs_dead: [vs_lk exclusive] */
	struct anonfam	*e_fam;		/* const, held: of the upper layer; NULL: shared mapping */
	uint64_t	e_famoff;	/* [as e_start] of e_start in the family, pages */
	struct list	e_famlink;	/* [af_tok] */
};

#define SOON_MAX	12u

/* gates.c */
#define GATES_BYTES	(16 * PAGE_BYTES)	/* for a file's trampolines */
#define GATE_CALLS	64u
#define GATE_AREAS	16u
struct gate_area {
	uaddr_t		ga_start;
	struct gates	*ga_gates;	/* of an object that is mapped behind it */
};

struct vmspace {
	_Atomic uint32_t vs_refs;
	struct lk	vs_lk;		/* shared: faults; exclusive: changes of entries */
	struct rb_tree	vs_entries;	/* [vs_lk] by address */
	uint32_t	vs_nentries;	/* [vs_lk] */
	struct spin	vs_pt;		/* page tables */
	paddr_t		vs_root;	/* const: 4-level table */
	_Atomic md_space_t vs_space;	/* [vs_lk exclusive to change] MD_NOSPACE until first run */
	struct list	vs_dead;	/* [vs_lk exclusive] entries that left: see space_unlock() */
	struct anonfam	*vs_fam;	/* const, held: for new private entries */
	figure_t	vs_anon, vs_other;	/* [vs_pt] pages mapped */
	uint64_t	vs_tables;	/* [vs_pt] page-table pages */
	struct md_range	vs_keep;	/* [vs_pt] where a move is about to use tables that may be empty */
	uint64_t	vs_pages, vs_data, vs_stack, vs_exec;	/* [vs_lk] sizes in pages */
	_Atomic uint64_t vs_lim_as, vs_lim_data, vs_lim_stack;	/* [atomic] bytes */
	uint64_t	vs_locked;	/* [vs_lk] pages of entries with VME_LOCKED */
	uint64_t	vs_pages_peak;	/* [vs_lk] the most that vs_pages was */
	_Atomic uint64_t vs_resident_peak;	/* [atomic: a lost update loses a little] pages */
	bool		vs_lock_new;	/* [vs_lk] mlockall: what will be mapped is locked */
	uaddr_t		vs_brk_start, vs_brk;	/* [vs_lk] */
	/* [vs_lk] what a child will touch first: installed with the first run */
	struct md_range	vs_soon[SOON_MAX];
	uint32_t	vs_nsoon;
	uaddr_t		vs_skip_top;	/* [vs_lk] above it no gap of vs_skip_len or more */
	uint64_t	vs_skip_len;	/* [vs_lk] UINT64_MAX: nothing known */
	_Atomic bool	vs_gates;	/* [vs_lk exclusive to change] calls may go by the gate */
	uint32_t	vs_nareas;
	struct gate_area vs_area[GATE_AREAS];	/* [vs_lk and vs_pt to change] trampolines */
	/* [atomic: a lost one is one call more] where calls were made << 8 | how often */
	_Atomic uint64_t vs_calls[GATE_CALLS];
};

struct vm_entry *entry_find(struct vmspace *vs, uaddr_t addr);	/* the first that ends above addr; NULL */
struct vm_entry *entry_next(const struct vm_entry *e);
struct vm_entry *entry_prev(const struct vm_entry *e);
/* For changes of [start, end): make entries begin and end there.  ENOMEM: nothing happened. */
int	space_clip(struct vmspace *vs, uaddr_t start, uaddr_t end);
int	space_unmap(struct vmspace *vs, uaddr_t start, uaddr_t end);	/* exclusive */
/*
 * Releases vs_lk, held exclusively.  Entries that left the space meanwhile are freed now: what they held
 * may be the last reference to a file, and its end takes locks that come before vs_lk.
 */
void	space_unlock(struct vmspace *vs);
int	space_insert(struct vmspace *vs, const struct vm_entry *want);	/* exclusive; range is free */
/* never joined to a neighbour */
int	space_insert_new(struct vmspace *vs, const struct vm_entry *want);
void	entry_advise(struct vm_entry *e, uint32_t advice);	/* exclusive */
void	space_extend(struct vmspace *vs, struct vm_entry *e, uint64_t bytes);
int	space_gap(struct vmspace *vs, uint64_t len, uint32_t flags, uaddr_t *out);
bool	space_is_free(struct vmspace *vs, uaddr_t start, uaddr_t end);
/* limits, overcommit */
int	space_may_grow(struct vmspace *vs, uint64_t len, uint32_t prot, uint32_t flags);
/* join equal neighbours around the range */
void	space_merge(struct vmspace *vs, uaddr_t start, uaddr_t end);
bool	space_grow_down(struct vmspace *vs, uaddr_t addr);	/* exclusive */

/* gates.c.  All of these: exclusive. */
void	gates_init(void);
void	gates_reset(struct vmspace *vs);	/* a new space, or an empty one for another program */
void	gates_mapped(struct vmspace *vs, struct vm_entry *want);	/* soon: may become VME_GATED */
void	gates_ungate(struct vmspace *vs, struct vm_entry *e);	/* e shows its originals from now on */
void	gates_unmapped(struct vmspace *vs);	/* something with VME_GATED was */
/* The program means [start, end) itself: no trampolines are there. */
void	gates_yield(struct vmspace *vs, uaddr_t start, uaddr_t end);

/* ------------------------------------------------------ page tables -- */

#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)	/* 2 MiB, in the third level */
#define PTE_ANON	(1ull << 9)	/* ours: the page belongs to the upper layer */
#define PTE_GATED	(1ull << 10)	/* ours: a patched page, whose original is at its pg_serial */
#define PTE_NX		(1ull << 63)
#define PTE_PA		0x000ffffffffff000ull
#define PTE_TABLE	(PTE_P | PTE_W | PTE_U | PTE_A)

extern paddr_t vm_zero_pa;		/* const after boot: the page of zeros */

/* Changes that are not yet known to the machine, and pages that wait for it.  On the stack. */
#define GATHER_PAGES	128u
#define GATHER_RANGES	32u
struct gather {
	struct vmspace	*g_vs;
	enum md_inval	g_how;
	uint32_t	g_npages, g_nranges;
	struct md_range	g_range[GATHER_RANGES];
	struct { struct page *pg; uint32_t n; } g_page[GATHER_PAGES];
};
void	gather_init(struct gather *g, struct vmspace *vs, enum md_inval how);
void	gather_range(struct gather *g, uaddr_t va, uint64_t len);
void	gather_pages(struct gather *g, struct page *pg, uint32_t n);
/* No room for one leaf more and the tables that become empty with it. */
static inline bool
gather_full(const struct gather *g)
{
	return g->g_npages + 4 > GATHER_PAGES || g->g_nranges == GATHER_RANGES;
}
/* Tell the machine, wait for the CPUs, drop the pages.  No lock held but vs_lk, o_tok, af_tok. */
void	gather_flush(struct gather *g);

/* One table page put aside for when there is none to be had without sleeping. */
struct spare { struct page *sp_page[3]; uint32_t sp_n; };
bool	spare_fill(struct spare *sp);		/* may sleep; false: no memory */
void	spare_done(struct spare *sp);

int	pmap_init(struct vmspace *vs);			/* a root */
/* free everything; the machine is told if it must know */
void	pmap_destroy(struct vmspace *vs, bool keep_root);
/* Inside vs_pt: the leaf for va, 4 KiB or 2 MiB (*span); NULL: nothing for the whole *span. */
uint64_t *pmap_find(struct vmspace *vs, uaddr_t va, uint64_t *span);
/*
 * The slot for va, made if need be; level 0: 4 KiB, 1: 2 MiB.  NULL: no table page to be had without
 * sleeping.
 */
uint64_t *pmap_make(struct vmspace *vs, uaddr_t va, uint32_t level, struct spare *sp);
uint64_t pmap_set(struct vmspace *vs, uint64_t *ptep, uint64_t val);	/* returns what was there */
/* Outside vs_pt. */
uint64_t pmap_peek(struct vmspace *vs, uaddr_t va, uint64_t *span);	/* 0: nothing */
void	pmap_remove(struct vmspace *vs, uaddr_t start, uaddr_t end, bool keep_anon, bool may_poll);
void	pmap_protect(struct vmspace *vs, uaddr_t start, uaddr_t end, uint32_t prot);
int	pmap_split(struct vmspace *vs, uaddr_t va);	/* no 2 MiB leaf spans va after this; ENOMEM */
/* A fork under way. */
#define FORK_COPIES_MAX	128u		/* a process with no more anonymous pages is copied, not shared */
#define FORK_PIECES	24u
#define FORK_RUN_ORDER	6u		/* copies are made into runs of so many pages */
struct forkcopy {
	struct vmspace	*fc_from, *fc_to;
	struct vm_entry	*fc_entry;	/* of fc_from, for which we copy now */
	struct gather	fc_gather;	/* of fc_from */
	uint32_t	fc_copies;	/* pages that may still be copied */
	uint32_t	fc_nrun;	/* left of the run from which copies are made */
	struct page	*fc_run;
	uint32_t	fc_pieces;	/* of neighbours in memory that may still be expected in the child */
	paddr_t		fc_next;	/* what would continue the last one */
};
void	forkcopy_init(struct forkcopy *fc, struct vmspace *from, struct vmspace *to, bool alone);
int	pmap_copy(struct forkcopy *fc, struct vm_entry *e);
void	forkcopy_done(struct forkcopy *fc);
int	pmap_move(struct vmspace *vs, uaddr_t from, uaddr_t to, uint64_t len);
void	vm_quiesce(void);
static inline uint64_t pte_span_pages(uint64_t span) { return span >> PAGE_SHIFT; }
