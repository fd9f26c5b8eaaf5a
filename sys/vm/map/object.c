/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object - memory objects: pages by index, filled on demand.
 *
 * The pages hang in a tree; one reference on each is the object's.  A page
 * being filled is in the tree already, PG_BUSY, so that nobody fills it
 * twice; whoever finds it waits.  o_tok guards all of it and is given up
 * while a fill sleeps, so after a fill everything is looked at again.
 *
 * Invariants
 *   O1  a page in o_pages has pg_owner = the object and its index; one that
 *       was taken out has neither, so "is it still ours?" has an answer.
 *   O2  a page that leaves the object is mapped nowhere as part of it:
 *       mappings go first, and a fault maps only under o_tok, after looking.
 *   O3  while somebody fills a page it is not taken out.
 *
 * Locking: o_tok.  Not here: files.  An object does not know what it holds.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/vm/kmem.h>
#include "map_int.h"

#define REMOVE_CHUNK	8192u		/* pages whose mappings are removed between two polls */

static struct spin objects_spin = SPIN_INIT(object_list);
static struct list objects = LIST_INIT(objects);	/* [objects_spin] of o_link */
static _Atomic uint64_t object_ids;

int
vmobj_create(const struct vmobj_ops *ops, void *arg, uint64_t bytes, struct vmobj **out)
{
	struct vmobj *o = kmalloc(sizeof(*o), KM_ZERO | KM_WAIT);

	if (o == NULL)
		return ENOMEM;
	token_init(&o->o_tok, "vmobj");
	o->o_refs = 1;
	o->o_ops = ops;
	o->o_arg = arg;
	o->o_id = atomic_fetch_add(&object_ids, 1) + 1;
	o->o_bytes = bytes;
	list_init(&o->o_maps);
	list_init(&o->o_link);
	waitq_init(&o->o_waitq);
	if (ops != NULL && ops->vo_fill != NULL) {
		spin_lock(&objects_spin);
		list_push_back(&objects, &o->o_link);
		spin_unlock(&objects_spin);
	}
	*out = o;
	return 0;
}

void
vmobj_hold(struct vmobj *o)
{
	atomic_fetch_add_explicit(&o->o_refs, 1, memory_order_relaxed);
}

bool
vmobj_try_hold(struct vmobj *o)
{
	uint32_t refs = atomic_load(&o->o_refs);

	while (refs > 0 && !atomic_compare_exchange_weak(&o->o_refs, &refs, refs + 1))
		;
	return refs > 0;
}

/* ---------------------------------------------------------------- tree -- */

struct page *
vmobj_lookup(struct vmobj *o, uint64_t index)
{
	struct rb_node *n = o->o_pages.rb_root;

	while (n != NULL) {
		struct page *pg = rb_entry(n, struct page, pg_node);

		if (pg->pg_index == index)
			return pg;
		n = index < pg->pg_index ? n->rb_left : n->rb_right;
	}
	return NULL;
}

/* The page with the smallest index >= `index`. */
struct page *
vmobj_lookup_from(struct vmobj *o, uint64_t index)
{
	struct rb_node *n = o->o_pages.rb_root;
	struct page *best = NULL;

	while (n != NULL) {
		struct page *pg = rb_entry(n, struct page, pg_node);

		if (pg->pg_index < index) {
			n = n->rb_right;
		} else {
			best = pg;
			n = n->rb_left;
		}
	}
	return best;
}

struct page *
vmobj_next(struct page *pg)
{
	struct rb_node *n = rb_next(&pg->pg_node);

	return n == NULL ? NULL : rb_entry(n, struct page, pg_node);
}

void
vmobj_enter(struct vmobj *o, struct page *pg, uint64_t index)
{
	struct rb_node **link = &o->o_pages.rb_root, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = index < rb_entry(parent, struct page, pg_node)->pg_index ? &parent->rb_left : &parent->rb_right;
	}
	rb_insert(&o->o_pages, &pg->pg_node, parent, link);
	pg->pg_owner = o;
	pg->pg_index = index;
	o->o_npages++;
	crit_enter();
	figure_add(vmobj_is_cache(o) ? &vm_mycpu()->v_cache : &vm_mycpu()->v_shmem, 1);
	crit_exit();
}

void
vmobj_leave(struct vmobj *o, struct page *pg)
{
	ASSERT(pg->pg_owner == o && (page_flags(pg) & PG_BUSY) == 0);
	rb_remove(&o->o_pages, &pg->pg_node);
	pg->pg_owner = NULL;
	o->o_npages--;
	crit_enter();
	figure_add(vmobj_is_cache(o) ? &vm_mycpu()->v_cache : &vm_mycpu()->v_shmem, -1);
	crit_exit();
}

/* --------------------------------------------------------------- pages -- */

/* Sleep until `pg`, which is busy, may have changed.  o_tok is lost meanwhile. */
static void
wait_busy(struct vmobj *o, uint64_t index)
{
	struct waiter w;
	struct page *pg;

	wait_begin(&o->o_waitq, &w);
	while ((pg = vmobj_lookup(o, index)) != NULL && (page_flags(pg) & PG_BUSY) != 0)
		(void)wait_sleep(&w, NSEC_NEVER, 0);
	wait_end(&w);
}

/* From `index` to the end of its block, the end of the object or the next page that is there. */
static uint32_t
block_rest(struct vmobj *o, uint64_t index)
{
	uint64_t end = rt_min((index | (VMOBJ_FILL_MAX - 1)) + 1, page_round(o->o_bytes) >> PAGE_SHIFT);
	struct page *next = vmobj_lookup_from(o, index);

	if (next != NULL)
		end = rt_min(end, next->pg_index);
	return end > index ? (uint32_t)(end - index) : 1;	/* it has shrunk meanwhile */
}

/*
 * Pages from `index` on that are to be filled at once go in busy: how many.  A
 * cache is filled to the end of the block while there is memory: the neighbours
 * are wanted next, most likely.  They lie in a row in RAM, too, so that the
 * machine can map them in one piece; if there is no room for that `first` is
 * filled alone.
 */
static uint32_t
pages_enter(struct vmobj *o, uint64_t index, struct page *first, struct page *run[VMOBJ_FILL_MAX])
{
	uint32_t n = vmobj_is_cache(o) && page_plenty() ? block_rest(o, index) : 1, order = 0;
	struct page *row = NULL;

	while (1u << order < n)
		order++;
	if (n > 1)
		row = page_alloc_run(order, 0);
	if (row == NULL)
		n = 1;
	for (uint32_t i = 0; i < n; i++) {
		run[i] = row == NULL ? first : &row[i];
		vmobj_enter(o, run[i], index + i);
		page_flag_add(run[i], PG_BUSY);
	}
	if (row != NULL) {
		page_drop_run(row + n, (1u << order) - n);
		page_drop(first);
	}
	return n;
}

/*
 * The new page *pg goes in, or another in its place, and is filled if need be.
 * The caller has looked: there is none.
 */
static int
page_create(struct vmobj *o, uint64_t index, struct page **pg)
{
	struct page *run[VMOBJ_FILL_MAX] = { *pg };
	uint32_t n, filled;
	int error;

	if (o->o_ops == NULL || o->o_ops->vo_fill == NULL) {
		vmobj_enter(o, *pg, index);
		page_hold(*pg);				/* the caller's */
		return 0;
	}
	filled = n = pages_enter(o, index, *pg, run);
	*pg = run[0];
	page_hold(*pg);
	md_point(MD_PT_PTE, index);
	error = o->o_ops->vo_fill(o, index, run, &filled);
	token_assert_held(&o->o_tok);
	ASSERT(error != 0 || (filled > 0 && filled <= n));
	for (uint32_t i = 0; i < n; i++) {
		page_flag_take(run[i], PG_BUSY);	/* O3: it is still ours */
		if (error != 0 || i >= filled) {
			vmobj_leave(o, run[i]);
			page_drop(run[i]);
		}
	}
	wake_all(&o->o_waitq);
	if (error != 0)
		page_drop(*pg);
	return error;
}

int
vmobj_page_locked(struct vmobj *o, uint64_t index, uint32_t flags, struct page **out)
{
	uint32_t how = vmobj_is_cache(o) ? 0 : PAGE_ZERO;
	struct page *pg, *fresh = NULL;
	int error = 0;

	token_assert_held(&o->o_tok);
	for (;;) {
		pg = vmobj_lookup(o, index);
		if (pg != NULL && (page_flags(pg) & PG_BUSY) != 0) {
			wait_busy(o, index);
			continue;
		}
		if (pg != NULL || fresh != NULL)
			break;
		if ((flags & VMOBJ_NOCREATE) != 0)
			return ENOENT;
		fresh = page_alloc(how);
		if (fresh != NULL)
			break;
		fresh = page_alloc(how | PAGE_WAIT);	/* sleeps: look again */
		if (fresh == NULL)
			return ENOMEM;
	}
	if (pg != NULL) {
		page_hold(pg);
		if (fresh != NULL)
			page_drop(fresh);
	} else {
		error = page_create(o, index, &fresh);
		pg = fresh;
	}
	if (error != 0)
		return error;
	if ((flags & (VMOBJ_DIRTY | VMOBJ_CHANGE)) != 0)
		gates_end(o);
	if ((flags & VMOBJ_DIRTY) != 0) {
		page_flag_add(pg, PG_DIRTY);
		pg->pg_serial++;
	}
	page_flag_add(pg, PG_REFERENCED);
	*out = pg;
	return 0;
}

int
vmobj_page(struct vmobj *o, uint64_t index, uint32_t flags, struct page **out)
{
	uint32_t n = 1;

	return vmobj_pages(o, index, flags, out, &n);
}

int
vmobj_pages(struct vmobj *o, uint64_t index, uint32_t flags, struct page **out, uint32_t *n)
{
	uint32_t got = 1;
	struct page *pg;
	int error;

	ASSERT(*n == 1 || (flags & VMOBJ_DIRTY) == 0);
	token_get(&o->o_tok);
	error = vmobj_page_locked(o, index, flags, out);
	for (pg = error == 0 && *n > 1 ? vmobj_lookup(o, index + 1) : NULL; pg != NULL; pg = vmobj_next(pg)) {
		if (got == *n || pg->pg_index != index + got || (page_flags(pg) & PG_BUSY) != 0)
			break;
		page_hold(pg);
		page_flag_add(pg, PG_REFERENCED);
		out[got++] = pg;
	}
	token_release(&o->o_tok);
	*n = error == 0 ? got : 0;
	return error;
}

/* No page and no mapping is at this index or beyond. */
static uint64_t
object_end(struct vmobj *o)
{
	struct rb_node *n = rb_last(&o->o_pages);
	uint64_t end = n == NULL ? 0 : rb_entry(n, struct page, pg_node)->pg_index + 1;

	list_foreach(e, &o->o_maps, struct vm_entry, e_objlink)
		end = rt_max(end, (e->e_off + (e->e_end - e->e_start)) >> PAGE_SHIFT);
	return end;
}

/* Take out the pages of [first, last), in steps; O2 and O3.  Ends without o_tok having been kept. */
static void
remove_pages(struct vmobj *o, uint64_t first, uint64_t last, bool even_copies)
{
	while (first < (last = rt_min(last, object_end(o)))) {
		uint64_t stop = last - first > REMOVE_CHUNK ? first + REMOVE_CHUNK : last;
		struct page *pg = vmobj_lookup_from(o, first), *next;

		if (!list_empty(&o->o_maps))
			vmobj_unmap(o, first, stop, even_copies);
		else if (pg != NULL && pg->pg_index >= stop)
			stop = rt_min(pg->pg_index, last);
		else if (pg == NULL)
			stop = last;
		for (; pg != NULL && pg->pg_index < stop; pg = next) {
			next = vmobj_next(pg);
			if ((page_flags(pg) & PG_BUSY) != 0) {
				uint64_t index = pg->pg_index;

				wait_busy(o, index);
				if (!list_empty(&o->o_maps))
					vmobj_unmap(o, index, stop, even_copies);
				next = vmobj_lookup_from(o, index);
				continue;
			}
			gates_forget(o, pg->pg_index, pg->pg_index + 1);
			vmobj_leave(o, pg);
			page_drop(pg);
		}
		first = stop;
		lwkt_poll();
	}
}

void
vmobj_drop(struct vmobj *o)
{
	uint32_t old;

	/* While it can still be found: a new object for the same thing must not see what is older. */
	if (vmobj_is_cache(o) && atomic_load(&o->o_refs) == 1)
		(void)o->o_ops->vo_clean(o, true);
	old = atomic_fetch_sub_explicit(&o->o_refs, 1, memory_order_acq_rel);
	ASSERT(old > 0);
	if (old > 1)
		return;
	ASSERT(list_empty(&o->o_maps));
	if (vmobj_is_cache(o))		/* somebody had it for a moment */
		(void)o->o_ops->vo_clean(o, true);
	if (o->o_ops != NULL && o->o_ops->vo_fill != NULL) {
		spin_lock(&objects_spin);
		list_remove(&o->o_link);
		spin_unlock(&objects_spin);
	}
	token_get(&o->o_tok);
	remove_pages(o, 0, UINT64_MAX, false);
	ASSERT(o->o_npages == 0);
	token_release(&o->o_tok);
	gates_free(o->o_gates);
	if (o->o_ops != NULL && o->o_ops->vo_free != NULL)
		o->o_ops->vo_free(o);
	kfree(o);
}

int
vmobj_resize(struct vmobj *o, uint64_t bytes)
{
	uint64_t keep = page_round(bytes) >> PAGE_SHIFT, old;
	struct page *pg;
	int error = 0;

	if (bytes > INT64_MAX)
		return EFBIG;
	token_get(&o->o_tok);
	old = o->o_bytes;
	o->o_bytes = bytes;
	if (bytes >= old)
		goto out;
	/* Faults see the new size from here on; what they mapped before goes. */
	remove_pages(o, keep, UINT64_MAX >> PAGE_SHIFT, true);
	if ((bytes & PAGE_MASK) == 0)
		goto out;
	error = vmobj_page_locked(o, bytes >> PAGE_SHIFT, VMOBJ_NOCREATE | VMOBJ_CHANGE, &pg);
	if (error == 0) {
		memset((char *)page_va(pg) + (bytes & PAGE_MASK), 0, PAGE_BYTES - (bytes & PAGE_MASK));
		if (!vmobj_is_cache(o))		/* what it is a cache of is cut already */
			page_flag_add(pg, PG_DIRTY);
		pg->pg_serial++;
		page_drop(pg);
	}
	error = 0;		/* ENOENT: a hole reads zero already */
out:
	token_release(&o->o_tok);
	return error;
}

void
vmobj_remove(struct vmobj *o, uint64_t first, uint64_t last)
{
	token_get(&o->o_tok);
	remove_pages(o, first, last, false);
	token_release(&o->o_tok);
}

uint64_t
vmobj_seek(struct vmobj *o, uint64_t index, bool data)
{
	struct page *pg;

	token_get(&o->o_tok);
	pg = vmobj_lookup_from(o, index);
	if (data) {
		index = pg == NULL ? UINT64_MAX : pg->pg_index;
	} else {
		/* A hole always comes: beyond the last page at the latest. */
		for (; pg != NULL && pg->pg_index == index; pg = vmobj_next(pg))
			index++;
	}
	token_release(&o->o_tok);
	return index;
}

/* ---------------------------------------------------------- write-back -- */

static bool
is_dirty(const struct page *pg)
{
	return (page_flags(pg) & PG_DIRTY) != 0;
}

/* The first dirty page from `index` on; none is busy.  o_tok is lost while waiting for that. */
static struct page *
dirty_from(struct vmobj *o, uint64_t index)
{
	struct page *pg = vmobj_lookup_from(o, index);

	while (pg != NULL && !is_dirty(pg)) {
		if (pg->pg_index % 64 == 0)
			lwkt_poll();		/* keeps the token */
		pg = vmobj_next(pg);
	}
	while (pg != NULL && (page_flags(pg) & PG_BUSY) != 0) {
		index = pg->pg_index;
		wait_busy(o, index);
		pg = vmobj_lookup_from(o, index);
	}
	return pg;
}

/* Dirty pages in a row, beginning with `pg`, go out.  o_tok held, and lost on the way. */
static int
flush_run(struct vmobj *o, struct page *pg, uint64_t *next)
{
	struct page *run[VMOBJ_WRITE_MAX];
	uint64_t first = pg->pg_index;
	uint32_t n = 0;
	int error;

	for (; pg != NULL && n < VMOBJ_WRITE_MAX && pg->pg_index == first + n && is_dirty(pg) &&
	    (page_flags(pg) & PG_BUSY) == 0; pg = vmobj_next(pg)) {
		page_hold(pg);
		page_flag_add(pg, PG_BUSY);
		run[n++] = pg;
	}
	*next = first + n;
	/* Who writes comes back through a fault, and that waits for PG_BUSY: what is dirty now is all. */
	vmobj_unmap(o, first, first + n, false);
	for (uint32_t i = 0; i < n; i++)
		page_flag_take(run[i], PG_DIRTY);
	error = o->o_ops->vo_write(o, first, run, n);
	token_assert_held(&o->o_tok);
	for (uint32_t i = 0; i < n; i++) {
		if (error != 0)
			page_flag_add(run[i], PG_DIRTY);
		page_flag_take(run[i], PG_BUSY);	/* O3: it is still ours */
		page_drop(run[i]);
	}
	wake_all(&o->o_waitq);
	return error;
}

int
vmobj_flush(struct vmobj *o)
{
	uint64_t next = 0;
	struct page *pg;
	int error = 0, error2;

	token_get(&o->o_tok);
	while ((pg = dirty_from(o, next)) != NULL) {
		if (!is_dirty(pg)) {		/* somebody was faster */
			next = pg->pg_index + 1;
			continue;
		}
		error2 = flush_run(o, pg, &next);
		if (error == 0)
			error = error2;
	}
	token_release(&o->o_tok);
	return error;
}

/* ------------------------------------------------------------- reclaim -- */

#define UNMAP_CHUNK	512u		/* pages whose mappings go at once */

/* Clean pages that nobody else holds, and that can be had again.  mapped: those that are only mapped, too. */
static uint64_t
object_reclaim(struct vmobj *o, uint64_t want, bool mapped)
{
	uint64_t got = 0, unmapped = 0;
	struct page *pg, *next;

	token_get(&o->o_tok);
	for (pg = vmobj_lookup_from(o, 0); pg != NULL && got < want; pg = next) {
		next = vmobj_next(pg);
		if (pg->pg_index % 64 == 0)
			lwkt_poll();		/* keeps the token */
		if (mapped && vmobj_is_cache(o) && pg->pg_index >= unmapped) {
			unmapped = pg->pg_index + UNMAP_CHUNK;
			vmobj_unmap(o, pg->pg_index, unmapped, false);
		}
		/* In this order: the last mapping says that it was dirty before it lets go. */
		if (atomic_load_explicit(&pg->pg_refs, memory_order_acquire) != 1 ||
		    (page_flags(pg) & (PG_DIRTY | PG_BUSY | PG_WIRED)) != 0)
			continue;
		vmobj_leave(o, pg);
		page_drop(pg);
		got++;
	}
	token_release(&o->o_tok);
	return got;
}

/* How many objects there are, to ask each once by next_object(). */
static uint64_t
count_objects(void)
{
	uint64_t n = 0;

	spin_lock(&objects_spin);
	list_foreach(i, &objects, struct vmobj, o_link)
		n++;
	spin_unlock(&objects_spin);
	return n;
}

/* The first one, held, goes to the end of the list.  NULL: it is on its way out. */
static struct vmobj *
next_object(void)
{
	struct vmobj *o = NULL;

	spin_lock(&objects_spin);
	if (!list_empty(&objects)) {
		o = list_first(&objects, struct vmobj, o_link);
		list_remove(&o->o_link);
		list_push_back(&objects, &o->o_link);
		if (!vmobj_try_hold(o))
			o = NULL;
	}
	spin_unlock(&objects_spin);
	return o;
}

static uint64_t
objects_reclaim(uint64_t want)
{
	uint64_t got = 0, total = count_objects();

	/* Everybody's idle pages first, then what somebody will miss. */
	for (uint64_t seen = 0; got < want && seen < 2 * total; seen++) {
		struct vmobj *o = next_object();

		if (o == NULL)
			continue;
		if (vmobj_is_cache(o))
			(void)o->o_ops->vo_clean(o, true);
		got += object_reclaim(o, want - got, seen >= total);
		vmobj_drop(o);
	}
	return got;
}

void
vmobj_clean_all(void)
{
	uint64_t total = count_objects();

	for (uint64_t i = 0; i < total; i++) {
		struct vmobj *o = next_object();

		if (o == NULL)
			continue;
		if (vmobj_is_cache(o))
			(void)o->o_ops->vo_clean(o, false);
		vmobj_drop(o);
		lwkt_poll();
	}
}

void
vmobj_init(void)
{
	static struct vm_reclaimer r = { .vr_fn = objects_reclaim };

	vm_add_reclaimer(&r);
}

int
vmobj_seal(struct vmobj *o, bool all)
{
	int error = 0;

	token_get(&o->o_tok);
	list_foreach(e, &o->o_maps, struct vm_entry, e_objlink)
		if (all && e->e_fam == NULL && (e->e_max_prot & PROT_WRITE) != 0)
			error = EBUSY;
	if (error == 0)
		atomic_store(&o->o_sealed, true);
	token_release(&o->o_tok);
	return error;
}
