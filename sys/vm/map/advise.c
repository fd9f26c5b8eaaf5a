/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advise - mremap, remap_file_pages, madvise, mincore, and questions about spaces.
 *
 * mremap moves leaves, not contents: a new entry appears, the leaves move
 * with both reverse-map tokens held, the old entry goes.  So at any moment
 * an entry covers each page that is mapped.
 *
 * Advice that asks for something which we never do (paging out, dumping
 * core, merging equal pages) is accepted: it is advice.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include "map_int.h"

/* ------------------------------------------------------------- mremap -- */

/*
 * Move [old, +old_len), all in entry e, to `to`, where new_len is free.  `keep`: the old range stays,
 * empty.  Exclusive.
 */
static int
mremap_move(struct vmspace *vs, struct vm_entry *e, uaddr_t old, uint64_t old_len, uint64_t new_len,
    uaddr_t to, bool keep)
{
	struct vm_entry want;
	struct anonfam *fam;
	struct vmobj *obj;
	int error;

	gates_ungate(vs, e);
	want = *e;
	want.e_start = to;
	want.e_end = to + new_len;
	want.e_famoff += (old - e->e_start) >> PAGE_SHIFT;
	if (want.e_obj != NULL)
		want.e_off += old - e->e_start;
	/* Never joined to a neighbour: its pages count on from their old place. */
	error = space_insert_new(vs, &want);
	if (error == 0 && old_len > 0)
		error = space_clip(vs, old, old + old_len);	/* so that the end cannot fail */
	if (error != 0 && !space_is_free(vs, to, to + new_len))
		(void)space_unmap(vs, to, to + new_len);
	if (error != 0)
		return error;
	fam = want.e_fam;
	obj = want.e_obj;
	if (obj != NULL)
		token_get(&obj->o_tok);
	if (fam != NULL)
		token_get(&fam->af_tok);
	error = pmap_move(vs, old, to, rt_min(old_len, new_len));
	if (fam != NULL)
		token_release(&fam->af_tok);
	if (obj != NULL)
		token_release(&obj->o_tok);
	if (error != 0) {
		int undone = space_unmap(vs, to, to + new_len);		/* a whole entry: nothing to cut */

		ASSERT(undone == 0);
		return error;
	}
	return old_len == 0 || keep ? 0 : space_unmap(vs, old, old + old_len);
}

/* The fixed case: everything in [old, +len) goes to `to`, entry by entry, holes kept. */
static int
mremap_fixed(struct vmspace *vs, uaddr_t old, uint64_t len, uaddr_t to)
{
	struct vm_entry *e = entry_find(vs, old);
	uaddr_t at = old, end = old + len;
	int error = e == NULL || e->e_start > old ? EFAULT : 0;

	while (error == 0 && e != NULL && e->e_start < end) {
		uint64_t n;

		at = rt_max(at, e->e_start);
		n = rt_min(e->e_end, end) - at;
		error = space_unmap(vs, to + (at - old), to + (at - old) + n);
		if (error == 0)		/* making room may have cut the entry, but not this part of it */
			error = mremap_move(vs, entry_find(vs, at), at, n, n, to + (at - old), false);
		at += n;
		e = entry_find(vs, at);
	}
	return error;
}

/* Growing where it is. */
static int
mremap_in_place(struct vmspace *vs, struct vm_entry *e, uaddr_t old, uint64_t old_len, uint64_t more)
{
	struct vm_entry *next = entry_next(e);

	if (old_len == 0 || old + old_len != e->e_end || more > MD_USER_MAX - e->e_end ||
	    (next != NULL && next->e_start - e->e_end < more))
		return ENOMEM;
	space_extend(vs, e, more);
	return 0;
}

static int
mremap_locked(struct vmspace *vs, uaddr_t old, uint64_t old_len, uint64_t new_len, uint32_t flags,
    uaddr_t *addr)
{
	struct vm_entry *e;
	int error;

	gates_yield(vs, old, old + rt_max(old_len, PAGE_BYTES));
	e = entry_find(vs, old);
	if (e == NULL || e->e_start > old)
		return EFAULT;
	if (old_len == 0 && ((e->e_flags & MAP_SHARED) == 0 || (flags & MREMAP_MAYMOVE) == 0))
		return EINVAL;
	if (new_len < old_len) {
		error = space_unmap(vs, old + new_len, old + old_len);
		if (error != 0)
			return error;
		old_len = new_len;
		e = entry_find(vs, old);
	}
	if (new_len == old_len && (flags & MREMAP_DONTUNMAP) == 0) {
		if ((flags & MREMAP_FIXED) != 0)
			return mremap_fixed(vs, old, new_len, *addr);
		*addr = old;
		return 0;
	}
	if (old_len > e->e_end - old)
		return EFAULT;
	if (e->e_obj != NULL && e->e_off + (old - e->e_start) + new_len < new_len)
		return EINVAL;
	error = space_may_grow(vs, (flags & MREMAP_DONTUNMAP) != 0 ? new_len : new_len - old_len, e->e_prot,
	    e->e_flags);
	if (error != 0)
		return error;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0 &&
	    mremap_in_place(vs, e, old, old_len, new_len - old_len) == 0) {
		*addr = old;
		return 0;
	}
	if ((flags & MREMAP_MAYMOVE) == 0)
		return ENOMEM;
	if ((flags & MREMAP_FIXED) != 0)
		error = space_unmap(vs, *addr, *addr + new_len);
	else
		error = space_gap(vs, new_len, 0, addr);
	if (error != 0)
		return error;
	return mremap_move(vs, entry_find(vs, old), old, old_len, new_len, *addr,
	    (flags & MREMAP_DONTUNMAP) != 0);
}

/* Where the result is to be. */
static int
mremap_check_fixed(uaddr_t old, uint64_t old_len, uint64_t new_len, uaddr_t to)
{
	if ((to & PAGE_MASK) != 0 || to > MD_USER_MAX - new_len || to < MD_USER_MIN)
		return EINVAL;
	return to < old + old_len && old < to + new_len ? EINVAL : 0;
}

int
vm_mremap(struct vmspace *vs, uaddr_t old, uint64_t old_len, uint64_t new_len, uint32_t flags, uaddr_t *addr)
{
	int error;

	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 ||
	    ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && (flags & MREMAP_MAYMOVE) == 0) ||
	    ((flags & MREMAP_DONTUNMAP) != 0 && old_len != new_len))
		return EINVAL;
	if ((old & PAGE_MASK) != 0 || new_len == 0)
		return EINVAL;
	if (old_len > MD_USER_MAX || new_len > MD_USER_MAX)
		return EINVAL;
	if (old >= MD_USER_MAX)
		return EFAULT;
	old_len = page_round(old_len);
	new_len = page_round(new_len);
	error = (flags & MREMAP_FIXED) != 0 ? mremap_check_fixed(old, old_len, new_len, *addr) : 0;
	if (error != 0)
		return error;
	lk_excl(&vs->vs_lk);
	error = mremap_locked(vs, old, old_len, new_len, flags, addr);
	space_unlock(vs);
	return error;
}

/* Entries in a row that show one object alike, from addr to end: the first; NULL: they do not. */
static const struct vm_entry *
one_object(struct vmspace *vs, uaddr_t addr, uaddr_t end)
{
	const struct vm_entry *first = entry_find(vs, addr), *e = first;

	if (e == NULL || e->e_start > addr || (e->e_flags & MAP_SHARED) == 0)
		return NULL;
	for (uaddr_t at = e->e_end; at < end; at = e->e_end) {
		e = entry_next(e);
		if (e == NULL || e->e_start != at || e->e_obj != first->e_obj || e->e_prot != first->e_prot ||
		    e->e_flags != first->e_flags)
			return NULL;
	}
	return first;
}

int
vm_remap_object(struct vmspace *vs, uaddr_t addr, uint64_t len, uint64_t off)
{
	const struct vm_entry *e;
	struct vmobj *o = NULL;
	uint32_t prot = 0, max_prot = 0;
	int error;

	lk_shared(&vs->vs_lk);
	e = one_object(vs, addr, addr + len);
	if (e != NULL) {
		o = e->e_obj;
		vmobj_hold(o);
		prot = e->e_prot;
		max_prot = e->e_max_prot;
	}
	lk_release(&vs->vs_lk);
	if (o == NULL)
		return EINVAL;
	error = vm_mmap(vs, &addr, len, prot, MAP_SHARED | MAP_FIXED, o, off, max_prot);
	vmobj_drop(o);
	return error;
}

/* ------------------------------------------------------------- madvise -- */

static int
advise_flag(struct vmspace *vs, struct vm_entry *e, uaddr_t start, uaddr_t end, uint32_t set, uint32_t clear)
{
	int error;

	if (((e->e_advice & ~clear) | set) == e->e_advice)
		return 0;
	error = space_clip(vs, start, end);
	if (error != 0)
		return error;
	e = entry_find(vs, start);
	entry_advise(e, (e->e_advice & ~clear) | set);
	return 0;
}

/* [start, end) lies in e; exclusive, except that only some need it. */
static int
advise_entry(struct vmspace *vs, struct vm_entry *e, uaddr_t start, uaddr_t end, int advice)
{
	uint64_t first = (e->e_off + (start - e->e_start)) >> PAGE_SHIFT;
	struct vmobj *o = e->e_obj;

	switch (advice) {
	case MADV_FREE:
		if (o != NULL || (e->e_flags & MAP_SHARED) != 0)
			return EINVAL;
		/* FALLTHROUGH */
	case MADV_DONTNEED:
		if ((start & (BLOCK_BYTES - 1)) != 0 && pmap_split(vs, start) != 0)
			return ENOMEM;
		if ((end & (BLOCK_BYTES - 1)) != 0 && pmap_split(vs, end) != 0)
			return ENOMEM;
		(void)vm_resident_peak(vs);
		pmap_remove(vs, start, end, false, true);
		return 0;
	case MADV_REMOVE:
		if (o == NULL || (e->e_flags & MAP_SHARED) == 0)
			return EINVAL;
		if ((e->e_prot & PROT_WRITE) == 0)
			return EACCES;
		vmobj_remove(o, first, first + ((end - start) >> PAGE_SHIFT));
		return 0;
	case MADV_DONTFORK:
		return advise_flag(vs, e, start, end, VME_DONTFORK, 0);
	case MADV_DOFORK:
		return advise_flag(vs, e, start, end, 0, VME_DONTFORK);
	case MADV_WIPEONFORK:
		if (o != NULL || (e->e_flags & MAP_SHARED) != 0)
			return EINVAL;
		return advise_flag(vs, e, start, end, VME_WIPEONFORK, 0);
	case MADV_KEEPONFORK:
		return advise_flag(vs, e, start, end, 0, VME_WIPEONFORK);
	case MADV_HUGEPAGE:
		return advise_flag(vs, e, start, end, 0, VME_NOHUGE);
	case MADV_NOHUGEPAGE:
		return advise_flag(vs, e, start, end, VME_NOHUGE, 0);
	default:
		return 0;
	}
}

static bool
advice_known(int advice)
{
	switch (advice) {
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED: case MADV_DONTNEED:
	case MADV_FREE: case MADV_REMOVE: case MADV_DONTFORK: case MADV_DOFORK: case MADV_MERGEABLE:
	case MADV_UNMERGEABLE: case MADV_HUGEPAGE: case MADV_NOHUGEPAGE: case MADV_DONTDUMP: case MADV_DODUMP:
	case MADV_WIPEONFORK: case MADV_KEEPONFORK: case MADV_COLD: case MADV_PAGEOUT:
	case MADV_POPULATE_READ: case MADV_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

/* MADV_POPULATE_*: as if each page were touched, but an error is told instead of a signal. */
static int
populate(struct vmspace *vs, uaddr_t addr, uaddr_t end, uint32_t access)
{
	static const int errors[] = { [VMF_MAPERR] = ENOMEM, [VMF_ACCERR] = EINVAL, [VMF_BUS] = EFAULT,
	    [VMF_OOM] = ENOMEM };

	for (; addr < end; addr += PAGE_BYTES) {
		enum vm_fault how = vm_fault(vs, addr, access);

		if (how != VMF_OK)
			return errors[how];
		lwkt_poll();
		if (lwkt_interrupted(curthread))
			return EINTR;
	}
	return 0;
}

/* As Linux: holes are passed over and reported at the end. */
int
vm_madvise(struct vmspace *vs, uaddr_t addr, uint64_t len, int advice)
{
	struct vm_entry *e;
	uaddr_t at = addr, end;
	int error = 0, hole = 0;

	if (!advice_known(advice) || (addr & PAGE_MASK) != 0 || len > MD_USER_MAX)
		return EINVAL;
	len = page_round(len);
	if (len == 0)
		return 0;
	if (addr > MD_USER_MAX - len)
		return addr > UINT64_MAX - len ? EINVAL : ENOMEM;
	end = addr + len;
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return populate(vs, addr, end, advice == MADV_POPULATE_READ ? PROT_READ : PROT_WRITE);
	lk_excl(&vs->vs_lk);
	gates_yield(vs, addr, end);
	while (at < end && error == 0) {
		e = entry_find(vs, at);
		if (e == NULL || e->e_start > at)
			hole = ENOMEM;
		if (e == NULL || e->e_start >= end)
			break;
		at = rt_max(at, e->e_start);
		len = rt_min(e->e_end, end) - at;
		error = advise_entry(vs, e, at, at + len, advice);
		at += len;
	}
	space_merge(vs, addr, end);
	lk_release(&vs->vs_lk);
	return error != 0 ? error : hole;
}

/* ------------------------------------------------------------- locking -- */

/* Of [start, end), which e begins: how many pages are mapped and not locked, up to the first hole. */
static uint64_t
unlocked_pages(const struct vm_entry *e, uaddr_t start, uaddr_t end)
{
	uint64_t n = 0;

	for (; e != NULL && start < end && e->e_start <= start; start = e->e_end, e = entry_next(e))
		if ((e->e_advice & VME_LOCKED) == 0)
			n += (rt_min(e->e_end, end) - start) >> PAGE_SHIFT;
	return n;
}

/* As Linux: what comes before a hole is done. */
int
vm_lock(struct vmspace *vs, uaddr_t addr, uint64_t len, bool on, uint64_t limit)
{
	uaddr_t at = addr, end = addr + len;
	struct vm_entry *e;
	int error = 0;

	ASSERT(len <= MD_USER_MAX && addr <= MD_USER_MAX - len);
	lk_excl(&vs->vs_lk);
	gates_yield(vs, addr, end);
	if (on && vs->vs_locked + unlocked_pages(entry_find(vs, addr), addr, end) > limit >> PAGE_SHIFT)
		error = ENOMEM;
	while (at < end && error == 0) {
		uaddr_t stop;

		e = entry_find(vs, at);
		if (e == NULL || e->e_start > at) {
			error = ENOMEM;
			break;
		}
		stop = rt_min(e->e_end, end);
		error = advise_flag(vs, e, at, stop, on ? VME_LOCKED : 0, on ? 0 : VME_LOCKED);
		at = stop;
	}
	space_merge(vs, addr, end);
	lk_release(&vs->vs_lk);
	return error;
}

int
vm_lock_all(struct vmspace *vs, bool now, bool future, uint64_t limit)
{
	int error = 0;

	lk_excl(&vs->vs_lk);
	if (now && vs->vs_pages > limit >> PAGE_SHIFT)
		error = ENOMEM;
	if (error == 0)
		vs->vs_lock_new = future;
	for (struct rb_node *n = rb_first(&vs->vs_entries); n != NULL && error == 0; n = rb_next(n)) {
		struct vm_entry *e = rb_entry(n, struct vm_entry, e_node);

		if (now || !future)
			entry_advise(e, now ? e->e_advice | VME_LOCKED : e->e_advice & ~VME_LOCKED);
		lwkt_poll();
	}
	lk_release(&vs->vs_lk);
	return error;
}

/* ------------------------------------------------------------- policies -- */

static bool
all_mapped(struct vmspace *vs, uaddr_t at, uaddr_t end)
{
	const struct vm_entry *e = entry_find(vs, at);

	for (; at < end && e != NULL && e->e_start <= at; e = entry_next(e))
		at = e->e_end;
	return at >= end;
}

int
vm_policy_set(struct vmspace *vs, uaddr_t start, uaddr_t end, uint32_t policy)
{
	int error = 0;

	ASSERT(policy <= VME_POLICY >> VME_POLICY_SHIFT);
	if (start < MD_USER_MIN || end > MD_USER_MAX)
		return EFAULT;
	lk_excl(&vs->vs_lk);
	gates_yield(vs, start, end);
	if (!all_mapped(vs, start, end))
		error = EFAULT;
	for (uaddr_t at = start, stop; at < end && error == 0; at = stop) {
		struct vm_entry *e = entry_find(vs, at);

		stop = rt_min(e->e_end, end);
		error = advise_flag(vs, e, at, stop, policy << VME_POLICY_SHIFT, VME_POLICY);
		lwkt_poll();
	}
	space_merge(vs, start, end);
	lk_release(&vs->vs_lk);
	return error;
}

int
vm_policy_get(struct vmspace *vs, uaddr_t addr, uint32_t *policy)
{
	const struct vm_entry *e;
	int error = EFAULT;

	lk_shared(&vs->vs_lk);
	e = entry_find(vs, addr);
	if (e != NULL && e->e_start <= addr) {
		*policy = e->e_advice >> VME_POLICY_SHIFT;
		error = 0;
	}
	lk_release(&vs->vs_lk);
	return error;
}

/* --------------------------------------------------------------- asking -- */

/* Is the page of the entry at va in memory, mapped or not? */
static bool
in_core(struct vmspace *vs, const struct vm_entry *e, uaddr_t va)
{
	struct vmobj *o = e->e_obj;
	uint64_t span, val = pmap_peek(vs, va, &span);
	bool in;

	if (val != 0)
		return (val & PTE_PA) != vm_zero_pa;
	if (o == NULL)
		return false;
	token_get(&o->o_tok);
	in = vmobj_lookup(o, (e->e_off + (va - e->e_start)) >> PAGE_SHIFT) != NULL;
	token_release(&o->o_tok);
	return in;
}

int
vm_mincore(struct vmspace *vs, uaddr_t addr, uint64_t len, uint8_t *vec)
{
	const struct vm_entry *e;
	int error = 0;

	if ((addr & PAGE_MASK) != 0)
		return EINVAL;
	if (len > MD_USER_MAX || addr > MD_USER_MAX - page_round(len))
		return ENOMEM;
	lk_shared(&vs->vs_lk);
	for (uaddr_t va = addr; va < addr + page_round(len); va += PAGE_BYTES) {
		e = entry_find(vs, va);
		if (e == NULL || e->e_start > va || (e->e_advice & VME_HIDDEN) != 0) {
			error = ENOMEM;
			break;
		}
		*vec++ = in_core(vs, e, va);
		lwkt_poll();
	}
	lk_release(&vs->vs_lk);
	return error;
}

bool
vm_is_mapped(struct vmspace *vs, uaddr_t addr, uint64_t len)
{
	bool is;

	lk_shared(&vs->vs_lk);
	is = all_mapped(vs, addr, addr + len);
	lk_release(&vs->vs_lk);
	return is;
}

void
vm_foreach(struct vmspace *vs, uaddr_t from, bool (*fn)(const struct vm_region *, void *), void *arg)
{
	lk_shared(&vs->vs_lk);
	for (const struct vm_entry *e = entry_find(vs, from); e != NULL; e = entry_next(e)) {
		struct vm_region r = {
			.start = e->e_start, .end = e->e_end, .prot = e->e_prot, .flags = e->e_flags,
			.max_prot = e->e_max_prot, .obj = e->e_obj, .off = e->e_off, .name = e->e_name,
			.locked = (e->e_advice & VME_LOCKED) != 0,
			.dontfork = (e->e_advice & VME_DONTFORK) != 0,
			.wipeonfork = (e->e_advice & VME_WIPEONFORK) != 0,
			.nohuge = (e->e_advice & VME_NOHUGE) != 0,
		};

		if ((e->e_advice & VME_HIDDEN) == 0 && !fn(&r, arg))
			break;
		lwkt_poll();
	}
	lk_release(&vs->vs_lk);
}

void
vm_usage(struct vmspace *vs, struct vm_usage *out)
{
	lk_shared(&vs->vs_lk);
	out->size = vs->vs_pages;
	out->size_peak = vs->vs_pages_peak;
	out->text = vs->vs_exec;
	out->data = vs->vs_data;
	out->stack = vs->vs_stack;
	out->locked = vs->vs_locked;
	lk_release(&vs->vs_lk);
	spin_lock(&vs->vs_pt);
	out->tables = vs->vs_tables;
	spin_unlock(&vs->vs_pt);
	out->shared = (uint64_t)figure(&vs->vs_other);
	out->resident_peak = vm_resident_peak(vs);
	out->resident = vm_resident(vs);
}

uint64_t
vm_resident(struct vmspace *vs)
{
	return (uint64_t)(figure(&vs->vs_anon) + figure(&vs->vs_other));
}

uint64_t
vm_code_pages(struct vmspace *vs)
{
	return __atomic_load_n(&vs->vs_exec, __ATOMIC_RELAXED);
}

uint64_t
vm_resident_peak(struct vmspace *vs)
{
	uint64_t now = vm_resident(vs), peak = vs->vs_resident_peak;

	if (now > peak)
		vs->vs_resident_peak = now;
	return rt_max(now, peak);
}

void
vm_word_key(struct vmspace *vs, uaddr_t addr, bool private, uint64_t key[2])
{
	struct vm_entry *e = NULL;

	key[0] = (uint64_t)vs;
	key[1] = addr;
	if (private)
		return;
	lk_shared(&vs->vs_lk);
	e = entry_find(vs, addr);
	if (e != NULL && e->e_start <= addr && e->e_obj != NULL && (e->e_flags & MAP_SHARED) != 0) {
		key[0] = e->e_obj->o_id;
		key[1] = e->e_off + (addr - e->e_start);
	}
	lk_release(&vs->vs_lk);
}

/* Each object is held, and the space is not locked, while it is written back. */
int
vm_msync(struct vmspace *vs, uaddr_t addr, uint64_t len)
{
	uaddr_t end = addr + len;
	struct vm_entry *e;
	struct vmobj *o;
	int error = 0, error2;

	while (addr < end) {
		o = NULL;
		lk_shared(&vs->vs_lk);
		e = entry_find(vs, addr);
		for (; e != NULL && e->e_start < end && o == NULL; e = entry_next(e)) {
			addr = e->e_end;
			if (e->e_fam == NULL && e->e_obj != NULL && vmobj_is_cache(e->e_obj)) {
				o = e->e_obj;
				vmobj_hold(o);
			}
		}
		lk_release(&vs->vs_lk);
		if (o == NULL)
			break;
		error2 = o->o_ops->vo_clean(o, false);
		if (error == 0)
			error = error2;
		vmobj_drop(o);
	}
	return error;
}
