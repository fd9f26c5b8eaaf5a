/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space - address spaces: which ranges exist, and what they show.
 *
 * An entry is a range with one protection and one source: an object (the
 * lower layer) or nothing, which means zeros, and, if private, an upper
 * layer of anonymous pages.  The upper layer is kept in the page table
 * (pmap.c), so an entry is only a description: entries are cut where a
 * change begins or ends, changed whole, and joined again where equal.
 *
 * Invariants
 *   S1  entries do not overlap, are not empty, and lie in
 *       [MD_USER_MIN, MD_USER_MAX).
 *   S2  an entry is on its object's o_maps and on its family's list as long
 *       as it is in the tree; what the reverse map reads of it (e_start,
 *       e_end, e_off, e_famoff) changes only with both tokens held.
 *   S3  vs_pages, vs_data, vs_stack, vs_exec and vs_locked are sums over the entries.
 *   S4  no entry is freed under vs_lk, unless another holds what it holds.
 *
 * Locking: vs_lk exclusive for everything here unless said otherwise.
 * Pages that leave are dropped after the machine was told (gather).
 *
 * Locked memory is only counted: nothing is ever paged out behind a mapping.
 * Not here: swap, huge pages on request.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>
#include "map_int.h"

#define MMAP_TOP_GAP	(128ull << 20)		/* at least so much is left for the stack */

static void (*name_hold)(struct ncp *);		/* const after boot */
static void (*name_drop)(struct ncp *);		/* const after boot */

void
vm_set_names(void (*hold)(struct ncp *), void (*drop)(struct ncp *))
{
	name_hold = hold;
	name_drop = drop;
}

/* ------------------------------------------------------------- entries -- */

struct vm_entry *
entry_find(struct vmspace *vs, uaddr_t addr)
{
	struct rb_node *n = vs->vs_entries.rb_root;
	struct vm_entry *best = NULL;

	while (n != NULL) {
		struct vm_entry *e = rb_entry(n, struct vm_entry, e_node);

		if (e->e_end <= addr) {
			n = n->rb_right;
			continue;
		}
		best = e;
		if (e->e_start <= addr)
			break;
		n = n->rb_left;
	}
	return best;
}

struct vm_entry *
entry_next(const struct vm_entry *e)
{
	struct rb_node *n = rb_next(&e->e_node);

	return n == NULL ? NULL : rb_entry(n, struct vm_entry, e_node);
}

struct vm_entry *
entry_prev(const struct vm_entry *e)
{
	struct rb_node *n = rb_prev(&e->e_node);

	return n == NULL ? NULL : rb_entry(n, struct vm_entry, e_node);
}

/* Add or take away an entry's pages from the sums (S3). */
static void
count_pages(struct vmspace *vs, const struct vm_entry *e, uint64_t pages, bool add)
{
	uint64_t n = add ? pages : -pages;

	if ((e->e_advice & VME_HIDDEN) != 0)
		return;
	vs->vs_pages += n;
	vs->vs_pages_peak = rt_max(vs->vs_pages_peak, vs->vs_pages);
	if ((e->e_flags & MAP_GROWSDOWN) != 0)
		vs->vs_stack += n;
	else if ((e->e_flags & MAP_PRIVATE) != 0 && (e->e_prot & PROT_WRITE) != 0)
		vs->vs_data += n;
	if ((e->e_prot & PROT_EXEC) != 0)
		vs->vs_exec += n;
	if ((e->e_advice & VME_LOCKED) != 0)
		vs->vs_locked += n;
}

static uint64_t entry_pages(const struct vm_entry *e) { return (e->e_end - e->e_start) >> PAGE_SHIFT; }

static void
tokens_get(const struct vm_entry *e)
{
	if (e->e_obj != NULL)
		token_get(&e->e_obj->o_tok);
	if (e->e_fam != NULL)
		token_get(&e->e_fam->af_tok);
}

static void
tokens_release(const struct vm_entry *e)
{
	if (e->e_fam != NULL)
		token_release(&e->e_fam->af_tok);
	if (e->e_obj != NULL)
		token_release(&e->e_obj->o_tok);
}

static void
object_shown(struct vmobj *o, bool more)
{
	if (o->o_ops != NULL && o->o_ops->vo_shown != NULL)
		o->o_ops->vo_shown(o, more);
}

/* Into the tree and onto the reverse maps.  Takes references of its own. */
static void
entry_link(struct vmspace *vs, struct vm_entry *e)
{
	struct rb_node **link = &vs->vs_entries.rb_root, *parent = NULL;

	ASSERT(e->e_start < e->e_end && e->e_start >= MD_USER_MIN && e->e_end <= MD_USER_MAX);
	while (*link != NULL) {
		struct vm_entry *o = rb_entry(*link, struct vm_entry, e_node);

		ASSERT(e->e_end <= o->e_start || e->e_start >= o->e_end);	/* S1 */
		parent = *link;
		link = e->e_start < o->e_start ? &parent->rb_left : &parent->rb_right;
	}
	rb_insert(&vs->vs_entries, &e->e_node, parent, link);
	vs->vs_nentries++;
	e->e_vs = vs;
	list_init(&e->e_objlink);
	list_init(&e->e_famlink);
	if (e->e_name != NULL)
		name_hold(e->e_name);
	tokens_get(e);
	if (e->e_obj != NULL) {
		vmobj_hold(e->e_obj);
		list_push_back(&e->e_obj->o_maps, &e->e_objlink);
		object_shown(e->e_obj, true);
	}
	if (e->e_fam != NULL) {
		anonfam_hold(e->e_fam);
		list_push_back(&e->e_fam->af_entries, &e->e_famlink);
	}
	tokens_release(e);
	count_pages(vs, e, entry_pages(e), true);
}

static void
entry_unlink(struct vmspace *vs, struct vm_entry *e)
{
	count_pages(vs, e, entry_pages(e), false);
	tokens_get(e);
	list_remove(&e->e_objlink);
	list_remove(&e->e_famlink);
	if (e->e_obj != NULL)
		object_shown(e->e_obj, false);
	tokens_release(e);
	rb_remove(&vs->vs_entries, &e->e_node);
	vs->vs_nentries--;
}

static void
entry_free(struct vm_entry *e)
{
	if (e->e_fam != NULL)
		anonfam_drop(e->e_fam);
	if (e->e_obj != NULL)
		vmobj_drop(e->e_obj);		/* may sleep */
	if (e->e_name != NULL)
		name_drop(e->e_name);		/* may sleep */
	kfree(e);
}

static void
entries_free(struct list *dead)
{
	while (!list_empty(dead)) {
		struct vm_entry *e = list_first(dead, struct vm_entry, e_objlink);

		list_remove(&e->e_objlink);
		entry_free(e);
		lwkt_poll();
	}
}

void
space_unlock(struct vmspace *vs)
{
	struct list dead = LIST_INIT(dead);

	ASSERT(lk_held_excl(&vs->vs_lk));
	list_splice(&dead, &vs->vs_dead);
	lk_release(&vs->vs_lk);
	entries_free(&dead);
}

/* Move the borders of an entry; its contents keep their places. */
static void
entry_set_range(struct vm_entry *e, uaddr_t start, uaddr_t end)
{
	tokens_get(e);
	count_pages(e->e_vs, e, entry_pages(e), false);
	e->e_famoff += (start >> PAGE_SHIFT) - (e->e_start >> PAGE_SHIFT);
	if (e->e_obj != NULL)
		e->e_off += start - e->e_start;
	e->e_start = start;
	e->e_end = end;
	count_pages(e->e_vs, e, entry_pages(e), true);
	tokens_release(e);
}

/* Cut e at `at`, which lies inside; `upper` becomes the part above. */
static void
entry_split(struct vm_entry *e, uaddr_t at, struct vm_entry *upper)
{
	uaddr_t end = e->e_end;

	ASSERT(at > e->e_start && at < end);
	*upper = *e;
	upper->e_start = at;
	upper->e_famoff += (at - e->e_start) >> PAGE_SHIFT;
	if (e->e_obj != NULL)
		upper->e_off += at - e->e_start;
	tokens_get(e);			/* kept: at any moment one of them covers each page */
	entry_set_range(e, e->e_start, at);
	entry_link(e->e_vs, upper);
	tokens_release(e);
}

/* Could `b` be a continuation of `a`? */
static bool
entry_same(const struct vm_entry *a, const struct vm_entry *b)
{
	return a->e_prot == b->e_prot && a->e_max_prot == b->e_max_prot && a->e_flags == b->e_flags &&
	    a->e_advice == b->e_advice && a->e_obj == b->e_obj && a->e_name == b->e_name &&
	    a->e_end == b->e_start &&
	    (a->e_obj == NULL || a->e_off + (a->e_end - a->e_start) == b->e_off);
}

/* Cut the entry that spans `at`, if one does. */
static int
clip_at(struct vmspace *vs, uaddr_t at)
{
	struct vm_entry *e = entry_find(vs, at), *upper;
	int error;

	if (e == NULL || e->e_start >= at)
		return 0;
	if (vs->vs_nentries >= ENTRIES_MAX)
		return ENOMEM;
	upper = kmalloc(sizeof(*upper), KM_WAIT);
	if (upper == NULL)
		return ENOMEM;
	error = (at & (BLOCK_BYTES - 1)) == 0 ? 0 : pmap_split(vs, at);
	if (error != 0)
		kfree(upper);
	else
		entry_split(e, at, upper);
	return error;
}

int
space_clip(struct vmspace *vs, uaddr_t start, uaddr_t end)
{
	int error;

	ASSERT(lk_held_excl(&vs->vs_lk));
	error = clip_at(vs, start);
	if (error != 0)
		return error;
	error = clip_at(vs, end);
	if (error != 0)
		space_merge(vs, start, start);
	return error;
}

void
space_merge(struct vmspace *vs, uaddr_t start, uaddr_t end)
{
	struct vm_entry *e, *next;

	e = entry_find(vs, start > MD_USER_MIN ? start - 1 : start);
	for (; e != NULL && e->e_start <= end; e = next) {
		next = entry_next(e);
		if (next == NULL || !entry_same(e, next) || e->e_fam != next->e_fam ||
		    (e->e_fam != NULL && e->e_famoff + entry_pages(e) != next->e_famoff))
			continue;
		tokens_get(e);		/* as in entry_split() */
		entry_unlink(vs, next);
		entry_set_range(e, e->e_start, next->e_end);
		tokens_release(e);
		entry_free(next);	/* S4: e holds the same */
		next = e;
	}
}

bool
space_is_free(struct vmspace *vs, uaddr_t start, uaddr_t end)
{
	const struct vm_entry *e = entry_find(vs, start);

	return e == NULL || e->e_start >= end;
}

/* Exclusive.  Entries go before pages: nobody finds a page's mapping that is about to end. */
int
space_unmap(struct vmspace *vs, uaddr_t start, uaddr_t end)
{
	struct vm_entry *e, *next;
	bool gated = false;
	int error;

	ASSERT(lk_held_excl(&vs->vs_lk));
	gates_yield(vs, start, end);
	if (space_is_free(vs, start, end))
		return 0;
	error = space_clip(vs, start, end);
	if (error != 0)
		return error;
	(void)vm_resident_peak(vs);
	pmap_remove(vs, start, end, false, true);
	for (e = entry_find(vs, start); e != NULL && e->e_start < end; e = next) {
		next = entry_next(e);
		gated |= (e->e_advice & VME_GATED) != 0;
		entry_unlink(vs, e);
		list_push_back(&vs->vs_dead, &e->e_objlink);
	}
	if (gated)
		gates_unmapped(vs);
	if (end > vs->vs_skip_top)
		vs->vs_skip_len = UINT64_MAX;
	return 0;
}

/* Grow a neighbour if it is the same, else make a new entry. */
int
space_insert(struct vmspace *vs, const struct vm_entry *want)
{
	struct vm_entry *next = entry_find(vs, want->e_start), *prev;

	ASSERT(lk_held_excl(&vs->vs_lk) && (next == NULL || next->e_start >= want->e_end));
	prev = next != NULL ? entry_prev(next) : NULL;
	if (next == NULL && rb_last(&vs->vs_entries) != NULL)
		prev = rb_entry(rb_last(&vs->vs_entries), struct vm_entry, e_node);
	if (want->e_fam == vs->vs_fam && (want->e_flags & MAP_GROWSDOWN) == 0) {
		if (prev != NULL && prev->e_fam != NULL && entry_same(prev, want)) {
			entry_set_range(prev, prev->e_start, want->e_end);
			space_merge(vs, want->e_start, want->e_end);
			return 0;
		}
		if (next != NULL && next->e_fam != NULL && entry_same(want, next)) {
			entry_set_range(next, want->e_start, next->e_end);
			return 0;
		}
	}
	return space_insert_new(vs, want);
}

int
space_insert_new(struct vmspace *vs, const struct vm_entry *want)
{
	struct vm_entry *e;

	if (vs->vs_nentries >= ENTRIES_MAX)
		return ENOMEM;
	e = kmalloc(sizeof(*e), KM_WAIT);
	if (e == NULL)
		return ENOMEM;
	*e = *want;
	entry_link(vs, e);
	return 0;
}

void
entry_advise(struct vm_entry *e, uint32_t advice)
{
	count_pages(e->e_vs, e, entry_pages(e), false);
	e->e_advice = advice;
	count_pages(e->e_vs, e, entry_pages(e), true);
}

/* `bytes` behind it are free: e gets them too. */
void
space_extend(struct vmspace *vs, struct vm_entry *e, uint64_t bytes)
{
	entry_set_range(e, e->e_start, e->e_end + bytes);
	space_merge(vs, e->e_end, e->e_end);
}

/* ------------------------------------------------------------- placing -- */

static uaddr_t
mmap_top(const struct vmspace *vs)
{
	uint64_t gap = rt_max(vs->vs_lim_stack == UINT64_MAX ? 0 : vs->vs_lim_stack, MMAP_TOP_GAP);

	return MD_USER_MAX - page_round(rt_min(gap + GUARD_GAP, MD_USER_MAX / 6 * 5));
}

/* What is placed of itself ends here or below. */
static uaddr_t
low_edge(const struct vm_entry *e)
{
	uint64_t room = (e->e_advice & VME_APART) != 0 ? GATES_BYTES : 0;

	if ((e->e_flags & MAP_GROWSDOWN) != 0)
		room = GUARD_GAP;
	return e->e_start - rt_min(room, e->e_start);
}

/* The highest gap of `len` below `top`, not below `bottom`; 0: none. */
static uaddr_t
gap_below(struct vmspace *vs, uint64_t len, uaddr_t top, uaddr_t bottom)
{
	struct vm_entry *next = entry_find(vs, top), *e;

	/* e: the last entry that begins below top. */
	if (next == NULL)
		e = rb_last(&vs->vs_entries) == NULL ? NULL : rb_entry(rb_last(&vs->vs_entries),
		    struct vm_entry, e_node);
	else
		e = next->e_start < top ? next : entry_prev(next);
	if (e != NULL && e->e_end > top)
		top = low_edge(e), e = entry_prev(e);
	if (next != NULL && next->e_start >= top)
		top = rt_min(top, low_edge(next));
	for (;; e = entry_prev(e)) {
		uaddr_t low = e == NULL ? bottom : rt_max(e->e_end, bottom);

		if (top >= low && top - low >= len)
			return top - len;
		if (e == NULL || e->e_start <= bottom)
			return 0;
		top = low_edge(e);
	}
}

int
space_gap(struct vmspace *vs, uint64_t len, uint32_t flags, uaddr_t *out)
{
	uaddr_t top = mmap_top(vs), at;

	if ((flags & MAP_32BIT) != 0) {
		*out = gap_below(vs, len, 0x80000000, 0x40000000);
		return *out == 0 ? ENOMEM : 0;
	}
	if (len >= vs->vs_skip_len && vs->vs_skip_top < top)
		top = vs->vs_skip_top;
	at = gap_below(vs, len, top, MD_USER_MIN);
	if (at == 0) {
		at = gap_below(vs, len, MD_USER_MAX, MD_USER_MIN);
		if (at == 0)
			return ENOMEM;
		*out = at;
		return 0;
	}
	vs->vs_skip_top = at;
	vs->vs_skip_len = len;
	*out = at;
	return 0;
}

/* RLIMIT_AS, RLIMIT_DATA, and Linux's heuristic overcommit: refuse only what could never be. */
int
space_may_grow(struct vmspace *vs, uint64_t len, uint32_t prot, uint32_t flags)
{
	uint64_t pages = len >> PAGE_SHIFT;
	bool counts = (flags & MAP_PRIVATE) != 0 && (prot & PROT_WRITE) != 0;

	if (pages > (vs->vs_lim_as >> PAGE_SHIFT) || vs->vs_pages > (vs->vs_lim_as >> PAGE_SHIFT) - pages)
		return ENOMEM;
	if (counts && (flags & MAP_GROWSDOWN) == 0 &&
	    (pages > (vs->vs_lim_data >> PAGE_SHIFT) ||
	    vs->vs_data > (vs->vs_lim_data >> PAGE_SHIFT) - pages))
		return ENOMEM;
	if ((counts || ((flags & MAP_SHARED) != 0 && (flags & MAP_ANONYMOUS) != 0)) &&
	    (flags & MAP_NORESERVE) == 0 && pages > page_total_count())
		return ENOMEM;
	return 0;
}

static int
mmap_check(uaddr_t addr, uint64_t len, uint32_t flags, uint64_t off)
{
	uint32_t type = flags & MAP_TYPE;
	uint64_t end;

	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return EINVAL;
	if (len == 0 || (off & PAGE_MASK) != 0)
		return EINVAL;
	if (len > MD_USER_MAX || rt_add_overflows(off, len, &end))
		return len > MD_USER_MAX ? ENOMEM : EOVERFLOW;
	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0)
		return 0;
	if ((addr & PAGE_MASK) != 0)
		return EINVAL;
	if (addr > MD_USER_MAX - page_round(len))
		return ENOMEM;
	return addr < MD_USER_MIN ? EPERM : 0;
}

/* Where the mapping goes, and room made for it, and `below` it.  Exclusive. */
static int
mmap_place(struct vmspace *vs, uaddr_t *addr, uint64_t len, uint32_t flags, uint64_t below)
{
	uaddr_t hint = page_round(*addr);

	if ((flags & MAP_FIXED_NOREPLACE) != 0)
		gates_yield(vs, *addr, *addr + len);
	if ((flags & MAP_FIXED_NOREPLACE) != 0)
		return space_is_free(vs, *addr, *addr + len) ? 0 : EEXIST;
	if ((flags & MAP_FIXED) != 0)
		return space_unmap(vs, *addr, *addr + len);
	if (*addr != 0 && hint >= MD_USER_MIN && hint <= MD_USER_MAX - len && space_is_free(vs, hint,
	    hint + len)) {
		const struct vm_entry *next = entry_find(vs, hint);

		if (next == NULL || (next->e_flags & MAP_GROWSDOWN) == 0 ||
		    next->e_start - (hint + len) >= GUARD_GAP) {
			*addr = hint;
			return 0;
		}
	}
	if (below > 0 && space_gap(vs, below + len, flags, addr) == 0) {
		*addr += below;
		return 0;
	}
	return space_gap(vs, len, flags, addr);
}

int
vm_mmap_named(struct vmspace *vs, uaddr_t *addr, uint64_t len, uint32_t prot, uint32_t flags,
    struct vmobj *obj, uint64_t off, uint32_t max_prot, struct ncp *name)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE, sealed = shared && obj != NULL && obj->o_sealed;
	bool apart = vs->vs_gates && obj != NULL && !shared && off == 0;
	struct vm_entry want;
	struct vmobj *made = NULL;
	int error = mmap_check(*addr, len, flags, off);

	if (error != 0)
		return error;
	len = page_round(len);
	if ((prot & ~max_prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) != 0)
		return EACCES;
	if (sealed && (prot & PROT_WRITE) != 0)
		return EPERM;
	if (sealed)
		max_prot &= ~(uint32_t)PROT_WRITE;
	if ((flags & MAP_GROWSDOWN) != 0 && (shared || obj != NULL))
		return EINVAL;
	if (obj == NULL && shared) {
		error = vmobj_create(NULL, NULL, len, &made);
		if (error != 0)
			return error;
		obj = made;
		off = 0;
	}
	lk_excl(&vs->vs_lk);
	error = space_may_grow(vs, len, prot,
	    (flags & ~(uint32_t)MAP_TYPE) | (shared ? MAP_SHARED : MAP_PRIVATE));
	if (error == 0)
		error = mmap_place(vs, addr, len, flags, apart ? GATES_BYTES : 0);
	if (error == 0) {
		want = (struct vm_entry){
			.e_start = *addr, .e_end = *addr + len, .e_off = off, .e_obj = obj, .e_name = name,
			.e_prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC), .e_max_prot = max_prot,
			.e_flags = (flags & VME_KEEP & ~(uint32_t)MAP_TYPE) | (shared ? MAP_SHARED : MAP_PRIVATE),
			.e_fam = shared ? NULL : vs->vs_fam, .e_famoff = *addr >> PAGE_SHIFT,
			.e_advice = apart ? VME_APART : 0,
		};
		if (obj == NULL)
			want.e_off = 0;
		if (vs->vs_lock_new || (flags & MAP_LOCKED) != 0)
			want.e_advice |= VME_LOCKED;
		gates_mapped(vs, &want);
		error = space_insert(vs, &want);
		/* Sealed before the object knew of this mapping, which nobody has used yet. */
		if (error == 0 && shared && !sealed && obj->o_sealed && (max_prot & PROT_WRITE) != 0) {
			(void)space_unmap(vs, *addr, *addr + len);
			error = EPERM;
		}
	}
	space_unlock(vs);
	if (made != NULL)
		vmobj_drop(made);
	return error;
}

int
vm_munmap(struct vmspace *vs, uaddr_t addr, uint64_t len)
{
	int error;

	if ((addr & PAGE_MASK) != 0 || len == 0 || len > MD_USER_MAX || addr > MD_USER_MAX - page_round(len))
		return EINVAL;
	lk_excl(&vs->vs_lk);
	error = space_unmap(vs, addr, addr + page_round(len));
	space_unlock(vs);
	return error;
}

int
vm_unmap_object(struct vmspace *vs, uaddr_t addr, const struct vmobj_ops *kind)
{
	struct vm_entry *e, *next;
	struct vmobj *o = NULL;
	uaddr_t end = 0;
	int error = 0;

	lk_excl(&vs->vs_lk);
	for (e = entry_find(vs, addr); e != NULL && error == 0 && (o == NULL || e->e_start < end); e = next) {
		next = entry_next(e);
		lwkt_poll();
		if (e->e_obj == NULL || e->e_obj->o_ops != kind || e->e_start < addr ||
		    e->e_start - addr != e->e_off || (o != NULL && o != e->e_obj))
			continue;
		if (o == NULL) {
			o = e->e_obj;
			vmobj_hold(o);
			end = addr + page_round(o->o_bytes);
		}
		error = space_unmap(vs, e->e_start, e->e_end);	/* whole: no neighbour changes */
	}
	space_unlock(vs);
	if (o == NULL)
		return EINVAL;
	vmobj_drop(o);
	return error;
}

/* One whole entry. */
static void
entry_protect(struct vmspace *vs, struct vm_entry *e, uint32_t prot)
{
	if (e->e_prot == prot)
		return;
	if ((prot & PROT_WRITE) != 0)
		gates_ungate(vs, e);
	count_pages(vs, e, entry_pages(e), false);
	e->e_prot = prot;
	count_pages(vs, e, entry_pages(e), true);
	pmap_protect(vs, e->e_start, e->e_end, prot);
}

/*
 * As Linux: what comes before a hole or a forbidden part is changed.
 *
 * Memory that was reserved without rights and is now given them is mostly a
 * thread's stack above its guard pages: its last page will be touched at once.
 */
int
vm_mprotect(struct vmspace *vs, uaddr_t addr, uint64_t len, uint32_t prot)
{
	struct vm_entry *e, *next;
	uaddr_t end, at;
	bool stack = false;
	int error;

	if ((addr & PAGE_MASK) != 0)
		return EINVAL;
	if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP | 8u)) != 0 ||
	    (prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP))
		return EINVAL;
	if (len == 0)
		return 0;
	if (len > MD_USER_MAX || addr > MD_USER_MAX - page_round(len))
		return ENOMEM;
	end = addr + page_round(len);
	lk_excl(&vs->vs_lk);
	gates_yield(vs, addr, end);
	e = entry_find(vs, addr);
	if (e == NULL || e->e_start > addr) {
		error = ENOMEM;
	} else if ((prot & PROT_GROWSUP) != 0 ||
	    ((prot & PROT_GROWSDOWN) != 0 && (e->e_flags & MAP_GROWSDOWN) == 0)) {
		error = EINVAL;
	} else {
		addr = (prot & PROT_GROWSDOWN) != 0 ? e->e_start : addr;
		error = space_clip(vs, addr, end);
	}
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	for (at = addr, e = entry_find(vs, addr); error == 0 && at < end; e = next) {
		if (e == NULL || e->e_start > at) {
			error = ENOMEM;
			break;
		}
		if ((prot & ~e->e_max_prot) != 0) {
			error = EACCES;
			break;
		}
		at = e->e_end;
		next = entry_next(e);
		stack = (prot & PROT_WRITE) != 0 && e->e_prot == PROT_NONE && e->e_obj == NULL &&
		    e->e_fam != NULL;
		entry_protect(vs, e, prot);
	}
	space_merge(vs, addr, end);
	lk_release(&vs->vs_lk);
	if (error == 0 && stack)
		vm_populate(vs, end - PAGE_BYTES, PAGE_BYTES, true);
	return error;
}

/* ----------------------------------------------------------- brk, stack -- */

void
vm_brk_set(struct vmspace *vs, uaddr_t start)
{
	lk_excl(&vs->vs_lk);
	vs->vs_brk_start = vs->vs_brk = start;
	lk_release(&vs->vs_lk);
}

static int
brk_grow(struct vmspace *vs, uaddr_t from, uaddr_t to)
{
	const struct vm_entry *next = entry_find(vs, from);
	struct vm_entry want = {
		.e_start = from, .e_end = to, .e_prot = PROT_READ | PROT_WRITE,
		.e_max_prot = PROT_READ | PROT_WRITE | PROT_EXEC, .e_flags = MAP_PRIVATE,
		.e_fam = vs->vs_fam, .e_famoff = from >> PAGE_SHIFT,
		.e_advice = vs->vs_lock_new ? VME_LOCKED : 0,
	};
	uint64_t gap = next != NULL && (next->e_flags & MAP_GROWSDOWN) != 0 ? GUARD_GAP : 0;
	int error;

	if (to > MD_USER_MAX || from < MD_USER_MIN)
		return ENOMEM;
	if (next != NULL && (next->e_start < to || next->e_start - to < gap))
		return ENOMEM;
	if (to - page_round(vs->vs_brk_start) > vs->vs_lim_data)
		return ENOMEM;
	error = space_may_grow(vs, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	return error != 0 ? error : space_insert(vs, &want);
}

void
vm_brk(struct vmspace *vs, uaddr_t *brk)
{
	uaddr_t old, want = *brk;
	int error = 0;

	lk_excl(&vs->vs_lk);
	old = page_round(vs->vs_brk);
	if (want < vs->vs_brk_start || want > MD_USER_MAX)
		error = EINVAL;
	else if (page_round(want) > old)
		error = brk_grow(vs, old, page_round(want));
	else if (page_round(want) < old)
		error = space_unmap(vs, page_round(want), old);
	if (error == 0)
		vs->vs_brk = want;
	*brk = vs->vs_brk;
	space_unlock(vs);
}

/* addr lies below an entry that grows down: may it grow that far? */
bool
space_grow_down(struct vmspace *vs, uaddr_t addr)
{
	struct vm_entry *e = entry_find(vs, addr), *prev;
	uaddr_t start = page_trunc(addr);

	ASSERT(lk_held_excl(&vs->vs_lk));
	if (e == NULL || e->e_start <= addr)
		return e != NULL;
	if ((e->e_flags & MAP_GROWSDOWN) == 0 || start < MD_USER_MIN)
		return false;
	prev = entry_prev(e);
	if (prev != NULL && (prev->e_flags & MAP_GROWSDOWN) == 0 && prev->e_prot != PROT_NONE &&
	    start - rt_min(start, prev->e_end) < GUARD_GAP)
		return false;
	if (e->e_end - start > vs->vs_lim_stack)
		return false;
	if (space_may_grow(vs, e->e_start - start, e->e_prot, MAP_PRIVATE | MAP_GROWSDOWN) != 0)
		return false;
	entry_set_range(e, start, e->e_end);
	return true;
}

/* --------------------------------------------------------- whole spaces -- */

int
vmspace_create(struct vmspace **out)
{
	struct vmspace *vs = kmalloc(sizeof(*vs), KM_ZERO | KM_WAIT);

	if (vs == NULL)
		return ENOMEM;
	vs->vs_fam = anonfam_create();
	if (vs->vs_fam == NULL)
		goto undo_alloc;
	if (pmap_init(vs) != 0)
		goto undo_fam;
	vs->vs_refs = 1;
	lk_init(&vs->vs_lk, LR_vmspace);
	list_init(&vs->vs_dead);
	vs->vs_space = MD_NOSPACE;
	vs->vs_lim_as = vs->vs_lim_data = vs->vs_lim_stack = UINT64_MAX;
	vs->vs_skip_len = UINT64_MAX;
	gates_reset(vs);
	*out = vs;
	return 0;

undo_fam:
	anonfam_drop(vs->vs_fam);
undo_alloc:
	kfree(vs);
	return ENOMEM;
}

void
vmspace_hold(struct vmspace *vs)
{
	atomic_fetch_add_explicit(&vs->vs_refs, 1, memory_order_relaxed);
}

static void
drop_entries(struct vmspace *vs)
{
	struct rb_node *n;

	while ((n = rb_first(&vs->vs_entries)) != NULL) {
		struct vm_entry *e = rb_entry(n, struct vm_entry, e_node);

		entry_unlink(vs, e);
		list_push_back(&vs->vs_dead, &e->e_objlink);
		lwkt_poll();
	}
	ASSERT(vs->vs_pages == 0 && vs->vs_data == 0 && vs->vs_stack == 0 && vs->vs_exec == 0 &&
	    vs->vs_locked == 0);
}

static _Atomic uint64_t returning;	/* pages, about, of spaces that are being dropped */

uint64_t
vm_returning(void)
{
	return atomic_load_explicit(&returning, memory_order_relaxed);
}

/*
 * The reverse maps first: as long as somebody may follow one to this space,
 * the machine must be there to be told.  Then the machine forgets, then the
 * pages go.  An entry that is gone while its pages still stand is harmless:
 * nobody is inside the space.
 */
void
vmspace_drop(struct vmspace *vs)
{
	uint32_t old = atomic_fetch_sub_explicit(&vs->vs_refs, 1, memory_order_acq_rel);
	uint64_t pages;

	ASSERT(old > 0);
	if (old > 1)
		return;
	pages = vm_resident(vs);
	atomic_fetch_add_explicit(&returning, pages, memory_order_relaxed);
	drop_entries(vs);
	entries_free(&vs->vs_dead);
	if (vs->vs_space != MD_NOSPACE)
		md_space_destroy(vs->vs_space);
	vs->vs_space = MD_NOSPACE;
	pmap_destroy(vs, false);
	anonfam_drop(vs->vs_fam);
	kfree(vs);
	atomic_fetch_sub_explicit(&returning, pages, memory_order_relaxed);
}

void
vmspace_clear(struct vmspace *vs)
{
	lk_excl(&vs->vs_lk);
	pmap_destroy(vs, true);
	drop_entries(vs);
	vs->vs_pages_peak = 0;
	vs->vs_resident_peak = 0;
	vs->vs_brk_start = vs->vs_brk = 0;
	vs->vs_lock_new = false;
	gates_reset(vs);
	vs->vs_skip_len = UINT64_MAX;
	space_unlock(vs);
}

md_space_t
vmspace_machine(struct vmspace *vs)
{
	md_space_t s = vs->vs_space;

	if (s != MD_NOSPACE)
		return s;
	lk_excl(&vs->vs_lk);
	if (vs->vs_space == MD_NOSPACE && md_space_create(&s) == 0) {
		if (md_space_root(s, vs->vs_root) == 0)
			vs->vs_space = s;
		else
			md_space_destroy(s);
		if (vs->vs_space != MD_NOSPACE && vs->vs_nsoon > 0)
			md_prefill(s, vs->vs_soon, vs->vs_nsoon);
		vs->vs_nsoon = 0;
	}
	s = vs->vs_space;
	lk_release(&vs->vs_lk);
	return s;
}

/* The child's copy of one entry, and of what it maps. */
static int
fork_entry(struct vmspace *child, struct vm_entry *e, struct forkcopy *fc)
{
	struct vm_entry *c;

	if ((e->e_advice & VME_DONTFORK) != 0)
		return 0;
	c = kmalloc(sizeof(*c), KM_WAIT);
	if (c == NULL)
		return ENOMEM;
	*c = *e;
	c->e_advice &= ~VME_LOCKED;
	if ((e->e_advice & VME_WIPEONFORK) != 0) {
		c->e_fam = child->vs_fam;
		c->e_famoff = e->e_start >> PAGE_SHIFT;
		entry_link(child, c);
		return 0;
	}
	entry_link(child, c);
	return pmap_copy(fc, e);
}

int
vmspace_fork(struct vmspace *parent, bool alone, struct vmspace **out)
{
	struct vmspace *child;
	struct forkcopy fc;
	int error = vmspace_create(&child);

	if (error != 0)
		return error;
	lk_excl(&parent->vs_lk);
	child->vs_lim_as = parent->vs_lim_as;
	child->vs_lim_data = parent->vs_lim_data;
	child->vs_lim_stack = parent->vs_lim_stack;
	child->vs_brk_start = parent->vs_brk_start;
	child->vs_brk = parent->vs_brk;
	child->vs_gates = parent->vs_gates;
	child->vs_nareas = parent->vs_nareas;
	memcpy(child->vs_area, parent->vs_area, sizeof child->vs_area);
	forkcopy_init(&fc, parent, child, alone);
	for (struct rb_node *n = rb_first(&parent->vs_entries); n != NULL && error == 0; n = rb_next(n))
		error = fork_entry(child, rb_entry(n, struct vm_entry, e_node), &fc);
	forkcopy_done(&fc);
	lk_release(&parent->vs_lk);
	if (error != 0) {
		vmspace_drop(child);
		return error;
	}
	*out = child;
	return 0;
}

void
vm_limits(struct vmspace *vs, uint64_t as, uint64_t data, uint64_t stack)
{
	vs->vs_lim_as = as;
	vs->vs_lim_data = data;
	vs->vs_lim_stack = stack;
}

void
vm_map_init(void)
{
	struct page *pg = page_alloc(PAGE_ZERO);

	if (pg == NULL)
		panic("no memory for the page of zeros");
	vm_zero_pa = page_pa(pg);
	vmobj_init();
	gates_init();
	vm_phys_start();
}
