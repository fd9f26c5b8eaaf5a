/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gates - system calls of unmodified programs by the machine's call gate.
 *
 * A system call by its instruction is an exception of the machine below; one
 * by the gate (md_gate()) is not, and costs a fraction.  Where a program's text
 * makes one again and again, in the way that libraries mostly do, it jumps to
 * a trampoline and from there to the gate: core/callsite/callsite.h.
 *
 * The file and its page cache never change.  A memory object has patched
 * copies of some of its pages (g_text), which private mappings that may be
 * executed show instead; all programs that map the file have them, so that
 * a short one starts with what the ones before it found out.  The
 * trampolines (g_code) are mapped right below where the file's first byte
 * would be, so that the distance is the same in each space; file mappings are
 * placed so that there is room (VME_APART).
 *
 * A program cannot tell but by reading its own text, or %gs.  Everybody else
 * is shown what is in the file, and a space whose programs want GS for
 * themselves, are traced, make single steps, or speak of the addresses where
 * the trampolines are, has none from then on (vm_gates_close()).
 *
 * Invariants
 *   G1  Only a site that has just made a call is patched, for the HOTth time.
 *   G2  A patched copy is never changed while it is mapped: it is taken out
 *       of all mappings, on all processors, before another one is shown.
 *   G3  A trampoline is written before the jump to it is shown, once, and
 *       stays as long as the object.
 *   G4  A leaf with PTE_GATED is in an entry with VME_GATED, which cannot be
 *       written; while a space has one, the trampolines are mapped below it
 *       (VME_HIDDEN).  They go after the jumps have gone and each processor has
 *       been seen outside of the program, with which its thread stands where
 *       the program knows (vm_gate_site()).
 *   G5  Who asks what a page holds, and is not the program itself, gets the
 *       original: copies on write are made from it, and uaccess.c reads it
 *       (pg_serial of a patched copy is where that is, and a reference).
 *   G6  Once somebody has written to the object all show what is in it.
 *
 * Locking: vs_lk for entries; o_tok of the file's object for all that is in its
 * struct gates, and for the pages of g_text.
 */
#include <abi/errno.h>
#include <core/callsite/callsite.h>
#include <core/rt/rt.h>
#include <machine/user.h>
#include <sys/debug/bootarg.h>
#include <sys/lwkt/ipi.h>
#include <sys/vm/gates.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>
#include "map_int.h"

#define GATES_MAX	(GATES_BYTES / CALLSITE_TRAMP)
#define SYSCALL_BYTES	2u
#define SITE_END_MAX	0x7f000000u	/* in a file: within reach of a jump */
#define HOT		12u		/* calls before a site is looked at */
#define SEEN		255u		/* it was looked at */
#define PADS		16u		/* sites with a jump in padding, in a file */

/* Lives as long as g_code: whoever has the trampolines mapped may ask where they lead. */
struct gates {
	struct vmobj	*g_code;	/* const, held by the file's object and by mappings */
	_Atomic(uint8_t *) g_page[GATES_BYTES / PAGE_BYTES];	/* [o_tok to set] its pages; NULL: not yet */
	struct vmobj	*g_text;	/* const, the former's: patched pages by their index */
	uint32_t	g_n;		/* [o_tok] trampolines */
	_Atomic uint32_t g_npads;	/* [o_tok to change] */
	struct { uint32_t at, site; } g_pad[PADS];	/* const below g_npads: offsets in the object */
	bool		g_ended;	/* [o_tok] G6 */
};

bool vm_gates_wanted;

/* ------------------------------------------------------------- objects -- */

static void
code_free(struct vmobj *code)
{
	kfree(code->o_arg);
}

static const struct vmobj_ops code_ops = { .vo_free = code_free };

/* False: no memory. */
static bool
has_gates(struct vmobj *o)
{
	struct gates *g;
	int error;

	if (o->o_gates != NULL)
		return true;
	g = kmalloc(sizeof *g, KM_ZERO | KM_WAIT);
	if (g == NULL)
		return false;
	error = vmobj_create(&code_ops, g, GATES_BYTES, &g->g_code);
	if (error != 0) {
		kfree(g);
		return false;
	}
	error = vmobj_create(NULL, NULL, o->o_bytes, &g->g_text);
	token_get(&o->o_tok);
	if (error == 0 && o->o_gates == NULL) {
		o->o_gates = g;
		g = NULL;
	}
	token_release(&o->o_tok);
	gates_free(g);
	return error == 0;
}

/* The patched pages of [first, last) are not true any more, and mapped nowhere. */
static void
forget(struct vmobj *text, uint64_t first, uint64_t last)
{
	struct page *pg, *next;

	for (pg = vmobj_lookup_from(text, first); pg != NULL && pg->pg_index < last; pg = next) {
		next = vmobj_next(pg);
		vmobj_leave(text, pg);
		page_drop(page_of(pg->pg_serial));
		page_drop(pg);
	}
}

void
gates_forget(struct vmobj *o, uint64_t first, uint64_t last)
{
	if (o->o_gates != NULL)
		forget(o->o_gates->g_text, first, last);
}

void
gates_free(struct gates *g)
{
	if (g == NULL)
		return;
	if (g->g_text != NULL) {
		forget(g->g_text, 0, UINT64_MAX);
		vmobj_drop(g->g_text);
	}
	vmobj_drop(g->g_code);
}

struct page *
gates_page(struct vmobj *o, struct page *pg)
{
	struct page *patched = o->o_gates != NULL ? vmobj_lookup(o->o_gates->g_text, pg->pg_index) : NULL;

	return patched != NULL ? patched : pg;
}

void
gates_end(struct vmobj *o)
{
	if (o->o_gates == NULL || o->o_gates->g_ended)
		return;
	o->o_gates->g_ended = true;
	vmobj_unmap(o, 0, UINT64_MAX >> PAGE_SHIFT, false);
	gates_forget(o, 0, UINT64_MAX);
}

/* -------------------------------------------------------------- spaces -- */

/* Where the trampolines of what e shows must be; 0: nowhere. */
static uaddr_t
area_of(const struct vm_entry *e)
{
	return e->e_start - MD_USER_MIN >= e->e_off + GATES_BYTES ? e->e_start - e->e_off - GATES_BYTES : 0;
}

static void
area_remove(struct vmspace *vs, uint32_t i)
{
	uaddr_t start = vs->vs_area[i].ga_start;
	int error;

	spin_lock(&vs->vs_pt);
	vs->vs_area[i] = vs->vs_area[--vs->vs_nareas];
	spin_unlock(&vs->vs_pt);
	error = space_unmap(vs, start, start + GATES_BYTES);
	ASSERT(error == 0);		/* a whole entry: nothing to cut */
}

/* The trampolines of o at `start`, unless something else is there. */
static bool
area_add(struct vmspace *vs, uaddr_t start, struct vmobj *o)
{
	struct vm_entry code = {
		.e_start = start, .e_end = start + GATES_BYTES, .e_obj = o->o_gates->g_code,
		.e_prot = PROT_READ | PROT_EXEC, .e_max_prot = PROT_READ | PROT_EXEC,
		.e_flags = MAP_SHARED, .e_advice = VME_HIDDEN,
	};

	for (uint32_t i = 0; i < vs->vs_nareas; i++)
		if (vs->vs_area[i].ga_start == start)
			return vs->vs_area[i].ga_gates == o->o_gates;
	if (start == 0 || vs->vs_nareas == GATE_AREAS || !space_is_free(vs, start, start + GATES_BYTES) ||
	    space_insert_new(vs, &code) != 0)
		return false;
	spin_lock(&vs->vs_pt);
	vs->vs_area[vs->vs_nareas++] = (struct gate_area){ start, o->o_gates };
	spin_unlock(&vs->vs_pt);
	return true;
}

/* May e show patched pages? */
static bool
is_text(const struct vm_entry *e)
{
	return e->e_fam != NULL && e->e_obj != NULL && (e->e_prot & (PROT_EXEC | PROT_WRITE)) == PROT_EXEC;
}

void
gates_mapped(struct vmspace *vs, struct vm_entry *want)
{
	if (vs->vs_gates && is_text(want) && want->e_obj->o_gates != NULL &&
	    area_add(vs, area_of(want), want->e_obj))
		want->e_advice |= VME_GATED;
}

void
gates_ungate(struct vmspace *vs, struct vm_entry *e)
{
	if ((e->e_advice & VME_GATED) == 0)
		return;
	entry_advise(e, e->e_advice & ~VME_GATED);
	pmap_remove(vs, e->e_start, e->e_end, true, true);
}

static bool
is_needed(struct vmspace *vs, uaddr_t area)
{
	for (const struct vm_entry *e = entry_find(vs, area + GATES_BYTES); e != NULL; e = entry_next(e))
		if ((e->e_advice & VME_GATED) != 0 && area_of(e) == area)
			return true;
	return false;
}

void
gates_unmapped(struct vmspace *vs)
{
	for (uint32_t i = vs->vs_nareas; i-- > 0;)
		if (!is_needed(vs, vs->vs_area[i].ga_start))
			area_remove(vs, i);
}

static void
nothing(void *arg, uint64_t value)
{
	(void)arg;
	(void)value;
}

/* G4.  Exclusive. */
static void
close_locked(struct vmspace *vs)
{
	atomic_store_explicit(&vs->vs_gates, false, memory_order_relaxed);
	if (vs->vs_nareas == 0)
		return;
	for (struct vm_entry *e = entry_find(vs, 0); e != NULL; e = entry_next(e))
		gates_ungate(vs, e);
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		ipi_call(cpu, nothing, NULL, 0);
	while (vs->vs_nareas > 0)
		area_remove(vs, vs->vs_nareas - 1);
}

void
gates_yield(struct vmspace *vs, uaddr_t start, uaddr_t end)
{
	for (uint32_t i = 0; i < vs->vs_nareas; i++)
		if (vs->vs_area[i].ga_start < end && start < vs->vs_area[i].ga_start + GATES_BYTES) {
			close_locked(vs);
			return;
		}
}

void
vm_gates_close(struct vmspace *vs)
{
	lk_excl(&vs->vs_lk);
	close_locked(vs);
	space_unlock(vs);
}

bool
vm_gates_on(const struct vmspace *vs)
{
	return atomic_load_explicit(&vs->vs_gates, memory_order_relaxed);
}

/* --------------------------------------------------------------- sites -- */

/* There is memory for one more trampoline.  o_tok held, and lost on the way. */
static bool
has_room(struct gates *g)
{
	while (g->g_n < GATES_MAX) {
		uint32_t at = g->g_n * CALLSITE_TRAMP / PAGE_BYTES;
		struct page *pg;

		if (g->g_page[at] != NULL)
			return true;
		if (vmobj_page(g->g_code, at, 0, &pg) != 0)
			return false;
		g->g_page[at] = page_va(pg);
		page_drop(pg);
	}
	return false;
}

/*
 * `copy` becomes what is shown of the page `original`: what was, and a jump at the site that is at the offset
 * `site` in the object.  o_tok held and kept.
 */
static void
patch(struct vmobj *o, struct page *original, struct page *copy, uint64_t site, const struct callsite *cs)
{
	struct gates *g = o->o_gates;
	uint8_t *to = (uint8_t *)page_va(copy) + (site & PAGE_MASK);
	uint32_t at = g->g_n++ * CALLSITE_TRAMP, k = g->g_npads;
	int32_t distance = (int32_t)(GATES_BYTES + site - at);
	uint64_t index = original->pg_index;

	memcpy(page_va(copy), page_va(gates_page(o, original)), PAGE_BYTES);
	callsite_trampoline(g->g_page[at / PAGE_BYTES] + at % PAGE_BYTES, to, cs, distance, md_gate());
	callsite_patch(to, cs, distance);
	if (cs->cs_pad != 0) {
		g->g_pad[k].at = (uint32_t)site + cs->cs_pad;
		g->g_pad[k].site = (uint32_t)site;
		atomic_store_explicit(&g->g_npads, k + 1, memory_order_release);
	}
	vmobj_unmap(o, index, index + 1, false);		/* G2 */
	gates_forget(o, index, index + 1);
	page_hold(original);
	copy->pg_serial = page_pa(original);
	page_hold(copy);
	vmobj_enter(g->g_text, copy, index);
}

/* The page `pg` of o, held, has a site whose syscall ends at the offset `end`: patch that. */
static void
patch_page(struct vmobj *o, struct page *pg, uint64_t end, const struct callsite *cs)
{
	uint64_t site = end - SYSCALL_BYTES - cs->cs_len;
	struct page *copy = page_alloc(PAGE_WAIT);

	if (copy == NULL)
		return;
	token_get(&o->o_tok);
	if (has_room(o->o_gates) && !o->o_gates->g_ended && pg->pg_owner == o &&
	    (cs->cs_pad == 0 || o->o_gates->g_npads < PADS) &&
	    memcmp((char *)page_va(pg) + (site & PAGE_MASK),
	    (char *)page_va(gates_page(o, pg)) + (site & PAGE_MASK), cs->cs_len) == 0)
		patch(o, pg, copy, site, cs);
	token_release(&o->o_tok);
	page_drop(copy);
}

/* The instruction that ends at `va` has made the call `nr` often.  Exclusive. */
static void
make(struct vmspace *vs, uaddr_t va, uint32_t nr)
{
	struct vm_entry *e = entry_find(vs, va - 1);
	struct page *pg;
	struct vmobj *o;
	uint64_t end, span;
	struct callsite cs;

	if (!vs->vs_gates || e == NULL || e->e_start >= va || !is_text(e) ||
	    (pmap_peek(vs, va - 1, &span) & PTE_ANON) != 0)
		return;
	o = e->e_obj;
	end = e->e_off + (va - e->e_start);
	if (end > SITE_END_MAX || vmobj_page(o, (end - 1) >> PAGE_SHIFT, VMOBJ_NOCREATE, &pg) != 0)
		return;
	if (callsite_find(page_va(pg), (uint32_t)((end - 1) & PAGE_MASK) + 1, nr, &cs) && has_gates(o)) {
		if ((e->e_advice & VME_GATED) == 0 && area_add(vs, area_of(e), o)) {
			entry_advise(e, e->e_advice | VME_GATED);
			pmap_remove(vs, e->e_start, e->e_end, true, true);
		}
		patch_page(o, pg, end, &cs);
	}
	page_drop(pg);
}

bool
vm_gate_is_hot(struct vmspace *vs, uaddr_t rip)
{
	_Atomic uint64_t *slot = &vs->vs_calls[(rip ^ rip >> 8) % GATE_CALLS];
	uint64_t seen = atomic_load_explicit(slot, memory_order_relaxed);
	uint64_t n = seen >> 8 == rip ? seen & 0xff : 0;

	if (n == SEEN)
		return false;
	n = n < HOT ? n + 1 : SEEN;
	atomic_store_explicit(slot, rip << 8 | n, memory_order_relaxed);
	return n == SEEN;
}

void
vm_gate_make(struct vmspace *vs, uaddr_t rip, uint32_t nr)
{
	lk_excl(&vs->vs_lk);
	make(vs, rip, nr);
	space_unlock(vs);
}

uaddr_t
vm_gate_site(struct vmspace *vs, uaddr_t rip)
{
	uaddr_t site = rip;

	spin_lock(&vs->vs_pt);
	for (uint32_t i = 0; i < vs->vs_nareas; i++) {
		const struct gates *g = vs->vs_area[i].ga_gates;
		uint64_t at = rip - vs->vs_area[i].ga_start;
		const uint8_t *page = at < GATES_BYTES ? g->g_page[at / PAGE_BYTES] : NULL;
		uint32_t pads = atomic_load_explicit(&g->g_npads, memory_order_acquire);
		uint32_t in = at % CALLSITE_TRAMP;

		if (page != NULL)
			site = rip - in + (uaddr_t)(int64_t)callsite_back(page + at % PAGE_BYTES - in, in);
		for (uint32_t k = 0; k < pads && at >= GATES_BYTES; k++)
			if (g->g_pad[k].at == at - GATES_BYTES)
				site = rip - g->g_pad[k].at + g->g_pad[k].site;
	}
	spin_unlock(&vs->vs_pt);
	return site;
}

void
gates_reset(struct vmspace *vs)
{
	vs->vs_gates = vm_gates_wanted;
	vs->vs_nareas = 0;
	memset(vs->vs_calls, 0, sizeof vs->vs_calls);
}

void
gates_init(void)
{
	char how[8];

	vm_gates_wanted = md_gate() != 0 &&
	    !(boot_arg("patch", how, sizeof how) && strcmp(how, "off") == 0);
}
