/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory under several CPUs at once.  A thread that reads and writes through
 * uaccess stands for a guest.  With one CPU they are the same tests on one CPU.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <sys/debug/ktest.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>
#include "../../sys/vm/vm_int.h"
#include "group.h"

#define RW	(PROT_READ | PROT_WRITE)
#define RWX	(PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define AT	0x40000000ull
#define MB	(1ull << 20)
#define PG	PAGE_BYTES

static struct {
	struct vmspace	*vs;		/* const while they run */
	struct vmobj	*obj;
	_Atomic uint64_t bad;
	_Atomic bool	all, stop;	/* all have been started; the first one has ended */
} sh;

static uint64_t
next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 20;
}

static uint64_t seed_of(void *arg) { return ((uint64_t)arg + 1) * 0x9e3779b97f4a7c15ull; }
static void damage(bool is) { atomic_fetch_add(&sh.bad, is); }
static uint32_t crowd(void) { return rt_min(cpu_count + 1, 8u); }

/* Nobody keeps anything in reserve. */
static uint64_t
free_pages(void)
{
	struct page_stats s;

	KCHECK(vm_reclaim(1u << 20, 0));
	page_stats(&s);
	return s.free;
}

/* A thread that has said its last word has its stack until its CPU has been idle: as soon as that may be. */
static bool
all_is_back(uint64_t was)
{
	bool back = free_pages() + 16 >= was;

	for (uint32_t ms = 0; !back && ms < 5000; ms++) {
		(void)sleep_until(md_now() + 1000000, 0);
		back = free_pages() + 16 >= was;
	}
	return back;
}

static void
map_at(struct vmspace *vs, uaddr_t a, uint64_t len, uint32_t flags, struct vmobj *o)
{
	KCHECK(vm_mmap(vs, &a, len, RW, flags | MAP_FIXED, o, 0, RWX) == 0);
}

static bool
put(struct vmspace *vs, uaddr_t a, uint64_t v)
{
	size_t done;

	return vs_write(vs, a, &v, 8, &done) == 0;
}

static uint64_t
get(struct vmspace *vs, uaddr_t a)
{
	uint64_t v;
	size_t done;

	return vs_read(vs, &v, a, 8, &done) == 0 ? v : UINT64_MAX;
}

static void
begin(uint64_t normal, uint64_t longer)
{
	grp_begin(normal, longer);
	atomic_store(&sh.bad, 0);
	atomic_store(&sh.stop, false);
	page_poison = true;
	KCHECK(vmspace_create(&sh.vs) == 0);
}

/* The first one starts when the others run, and when it ends they do. */
static void
run(void (*others)(void *), void (*first)(void *))
{
	for (uint64_t i = 1; i < crowd(); i++)
		grp_start((uint32_t)i, others, (void *)i);
	grp_start(0, first, NULL);
	atomic_store(&sh.all, true);
	grp_wait();
	atomic_store(&sh.all, false);
}

static void
end(void)
{
	vmspace_drop(sh.vs);
	page_poison = false;
	KCHECK(atomic_load(&sh.bad) == 0);
}

static void
others_end(void)
{
	atomic_store(&sh.stop, true);
	grp_member_ends();
}

/* ------------------------------------------------------- free memory -- */

#define SLOTS	256u
static struct { void *_Atomic p; } slot[SLOTS];

/* Bytes of an object tell its size. */
static void
object_free(uint8_t *p)
{
	uint16_t n;

	if (p == NULL)
		return;
	memcpy(&n, p, 2);
	damage(p[n - 1] != (uint8_t)n || p[n / 2] != (uint8_t)n);
	kfree(p);
}

static void
object_passer(void *arg)
{
	uint64_t seed = seed_of(arg);

	for (uint64_t i = 0; i < grp.rounds; i++) {
		uint16_t n = (uint16_t)(8 + next(&seed) % (next(&seed) % 32 == 0 ? 9000 : 600));
		uint8_t *p = kmalloc(n, 0);

		if (p != NULL) {
			memset(p, (uint8_t)n, n);
			memcpy(p, &n, 2);
			p[n / 2] = (uint8_t)n;
		}
		object_free(atomic_exchange(&slot[next(&seed) % SLOTS].p, p));
		if (i % 16 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

KTEST(objects_are_freed_by_any_cpu)
{
	uint64_t was;

	begin(10000, 1000000);
	was = kmem_bytes();
	run(object_passer, object_passer);
	for (uint32_t i = 0; i < SLOTS; i++)
		object_free(atomic_exchange(&slot[i].p, NULL));
	KCHECK(kmem_bytes() <= was + 2 * PG);		/* threads that have ended are freed a little later */
	end();
}

static void
page_passer(void *arg)
{
	uint64_t seed = seed_of(arg);

	for (uint64_t i = 0; i < grp.rounds; i++) {
		uint32_t order = next(&seed) % 8 == 0 ? next(&seed) % 5 : 0;
		struct page *pg = order == 0 ? page_alloc(0) : page_alloc_run(order, next(&seed) % 2 ? PAGE_ZERO : 0);

		for (uint32_t k = 0; pg != NULL && k < 1u << order; k++) {
			struct page *old;

			pg[k].pg_index = seed + k;
			*(uint64_t *)page_va(&pg[k]) = seed + k;
			old = atomic_exchange(&slot[next(&seed) % SLOTS].p, &pg[k]);
			if (old == NULL)
				continue;
			damage(*(uint64_t *)page_va(old) != old->pg_index);
			page_drop(old);
		}
		if (i % 16 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

KTEST(pages_are_freed_by_any_cpu)
{
	uint64_t was = free_pages();

	begin(3000, 300000);
	run(page_passer, page_passer);
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct page *pg = atomic_exchange(&slot[i].p, NULL);

		if (pg != NULL)
			page_drop(pg);
	}
	end();
	KCHECK(all_is_back(was));
}

static _Atomic uint64_t taken;

static void
take_all(void *arg)
{
	struct list mine = LIST_INIT(mine);
	struct page *pg;
	uint64_t n = 0;

	(void)arg;
	while (!atomic_load(&sh.all))
		lwkt_yield();			/* a thread needs memory too */
	while ((pg = page_alloc(PAGE_WAIT)) != NULL) {
		list_push_back(&mine, &pg->pg_link);
		if (++n % 64 == 0)
			lwkt_yield();
	}
	atomic_fetch_add(&taken, n);
	while ((pg = list_first(&mine, struct page, pg_link)) != NULL) {
		list_remove(&pg->pg_link);
		page_drop(pg);
		if (--n % 64 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

/* All want all there is.  What one gets another does not, but nobody waits for ever and nothing is lost. */
KTEST(memory_runs_out_on_every_cpu)
{
	uint64_t was = free_pages();

	grp_begin(1, 1);
	atomic_store(&taken, 0);
	run(take_all, take_all);
	KCHECK(atomic_load(&taken) > was / 2);
	KCHECK(all_is_back(was));
}

static void
fill_own_list(void *arg)
{
	struct page *pg[100];

	(void)arg;
	for (uint32_t i = 0; i < countof(pg); i++)
		pg[i] = page_alloc(0);
	for (uint32_t i = 0; i < countof(pg); i++)
		if (pg[i] != NULL)
			page_drop(pg[i]);
	grp_member_ends();
}

/* What other CPUs keep in reserve is there for who has nothing. */
KTEST(reserves_of_other_cpus_are_found)
{
	struct list all = LIST_INIT(all);
	struct page *pg;
	struct page_stats s;
	uint64_t n = 0;

	grp_begin(1, 1);
	run(fill_own_list, fill_own_list);
	while ((pg = page_alloc(PAGE_WAIT | PAGE_RESERVE)) != NULL) {
		list_push_back(&all, &pg->pg_link);
		if (++n % 64 == 0)
			lwkt_poll();
	}
	page_stats(&s);
	while ((pg = list_first(&all, struct page, pg_link)) != NULL) {
		list_remove(&pg->pg_link);
		page_drop(pg);
		if (--n % 64 == 0)
			lwkt_poll();
	}
	KCHECK(s.free < 32);
}

/* ------------------------------------------------------------- faults -- */

#define AREA_PAGES	300u

/* Each has a word of its own in every page and all come to a page at about the same time. */
static void
word_writer(void *arg)
{
	uint64_t me = (uint64_t)arg;

	for (uint64_t i = 0; i < AREA_PAGES; i++)
		damage(!put(sh.vs, AT + i * PG + me * 8, grp.rounds * 1000 + me + i));
	grp_member_ends();
}

static void
check_words(struct vmspace *vs, uint64_t round)
{
	for (uint64_t i = 0; i < AREA_PAGES; i++)
		for (uint64_t k = 0; k < crowd(); k++)
			damage(get(vs, AT + i * PG + k * 8) != round * 1000 + k + i);
}

KTEST(one_page_faulted_by_all_is_one_page)
{
	uint64_t rounds = ktest_rounds(6, 600), was = free_pages();

	begin(0, 0);
	for (uint64_t r = 0; r < rounds; r++) {
		struct vmspace *child;

		map_at(sh.vs, AT, AREA_PAGES * PG, r % 3 == 2 ? MAP_SHARED | MAP_ANONYMOUS : ANON, NULL);
		for (uint64_t i = 0; r % 3 == 1 && i < AREA_PAGES; i++)
			damage(get(sh.vs, AT + i * PG) != 0);		/* the page of zeros, or pages of one window */
		grp_begin(0, 0);
		grp.rounds = r;
		run(word_writer, word_writer);
		check_words(sh.vs, r);
		if (r % 3 == 2 || !KCHECK(vmspace_fork(sh.vs, false, &child) == 0))
			continue;
		grp_begin(0, 0);
		grp.rounds = r + 1;
		run(word_writer, word_writer);			/* copies, of pages shared with the child */
		check_words(sh.vs, r + 1);
		check_words(child, r);
		vmspace_drop(child);
	}
	end();
	KCHECK(all_is_back(was));
}

/* Words of the area are zero or name their address, or some bytes of them already do. */
static void
address_writer(void *arg)
{
	uint64_t seed = seed_of(arg), w[64];
	size_t done;

	for (uint64_t i = 0; !atomic_load(&sh.stop); i++) {
		uaddr_t a = AT + next(&seed) % (2 * MB / 512 - 1) * 512;
		uint64_t n = 1 + next(&seed) % countof(w);

		if (i % 2 == 0) {
			for (uint64_t k = 0; k < n; k++)
				w[k] = a + k * 8;
			(void)vs_write(sh.vs, a, w, n * 8, &done);
		} else {
			(void)vs_read(sh.vs, w, a, n * 8, &done);
			for (uint64_t k = 0; k < done / 8; k++)
				damage(!is_half_written(w[k], a + k * 8));
		}
		if (i % 32 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

static void
cutter(void *arg)
{
	uint64_t seed = seed_of(arg);

	for (uint64_t i = 0; i < grp.rounds; i++) {
		uaddr_t a = AT + next(&seed) % 512 * PG;

		map_at(sh.vs, AT, 4 * MB, ANON, NULL);
		lwkt_yield();
		damage(!put(sh.vs, a, a));			/* 2 MiB at once */
		lwkt_yield();
		KCHECK(vm_munmap(sh.vs, a, PG) == 0);
		lwkt_yield();
	}
	others_end();
}

KTEST(uaccess_meets_the_cutting_of_large_pages)
{
	begin(300, 30000);
	map_at(sh.vs, AT, 4 * MB, ANON, NULL);
	run(address_writer, cutter);
	end();
}

/* --------------------------------------------------------------- fork -- */

#define SHARED_PAGES	200u		/* more than a fork copies at once */

/* Whole pages of one value, which grows. */
static void
page_writer(void *arg)
{
	static uint64_t bytes[GROUP_MAX][PAGE_BYTES / 8];
	uint64_t me = (uint64_t)arg, *b = bytes[me];
	size_t done;

	for (uint64_t n = 1; !atomic_load(&sh.stop); n++) {
		for (uint64_t i = 0; i < PAGE_BYTES / 8; i++)
			b[i] = n;
		damage(vs_write(sh.vs, AT + me * PG, b, PG, &done) != 0);
		if (n % 8 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

static uint64_t
sum(struct vmspace *vs)
{
	static uint64_t b[PAGE_BYTES / 8];
	uint64_t s = 0;
	size_t done;

	for (uint64_t p = 0; p < crowd(); p++) {
		damage(vs_read(vs, b, AT + p * PG, PG, &done) != 0);
		for (uint64_t i = 0; i < PAGE_BYTES / 8; i++)
			s = s * 31 + b[i];
	}
	return s;
}

static void
forker(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct vmspace *child;
		uint64_t s;

		if (!KCHECK(vmspace_fork(sh.vs, false, &child) == 0))
			break;
		s = sum(child);
		lwkt_yield();
		damage(sum(child) != s);
		vmspace_drop(child);
	}
	others_end();
}

KTEST(a_child_does_not_change_by_what_its_parent_writes)
{
	begin(200, 20000);
	map_at(sh.vs, AT, SHARED_PAGES * PG, ANON, NULL);
	for (uint64_t i = 0; i < SHARED_PAGES; i++)
		KCHECK(put(sh.vs, AT + i * PG, 0));
	run(page_writer, forker);
	end();
}

#define CHAIN_PAGES	64u

/* The same number into one page after the other. */
static void
chain_writer(void *arg)
{
	uint64_t me = (uint64_t)arg;

	for (uint64_t n = 1; !atomic_load(&sh.stop); n++) {
		for (uint64_t i = 0; i < CHAIN_PAGES; i++)
			damage(!put(sh.vs, AT + i * PG + me * 8, n));
		lwkt_yield();
	}
	grp_member_ends();
}

static void
chain_forker(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct vmspace *child;

		if (!KCHECK(vmspace_fork(sh.vs, false, &child) == 0))
			break;
		for (uint64_t me = 1; me < crowd(); me++) {
			uint64_t before = get(child, AT + me * 8), first = before, v;

			for (uint64_t k = 1; k < CHAIN_PAGES; k++, before = v) {
				v = get(child, AT + k * PG + me * 8);
				damage(v > before || v + 1 < first);	/* a later write is there, an earlier one is not */
			}
		}
		vmspace_drop(child);
		lwkt_yield();
	}
	others_end();
}

KTEST(a_fork_shows_one_moment)
{
	begin(200, 20000);
	map_at(sh.vs, AT, CHAIN_PAGES * PG, ANON, NULL);
	run(chain_writer, chain_forker);
	end();
}

/* ------------------------------------------------------------ objects -- */

#define OBJ_PAGES	700u

static void
object_toucher(void *arg)
{
	uint64_t seed = seed_of(arg);

	while (!atomic_load(&sh.stop)) {
		uaddr_t a = AT + next(&seed) % (2 * OBJ_PAGES) * PG;
		uint64_t v;

		if (next(&seed) % 2 == 0)
			(void)put(sh.vs, a, a);
		else if ((v = get(sh.vs, a)) != UINT64_MAX)
			damage(v >= grp.rounds && (a - v) % (OBJ_PAGES * PG) != 0);	/* a child's number, or an address */
		if (next(&seed) % 16 == 0)
			(void)vmobj_resize(sh.obj, next(&seed) % OBJ_PAGES * PG);
		if (next(&seed) % 16 == 0)
			(void)vmobj_resize(sh.obj, OBJ_PAGES * PG);
		if (next(&seed) % 4 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

/* Children with a machine's space of their own come and go while what they map is cut off. */
static void
object_forker(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct vmspace *child;

		if (!KCHECK(vmspace_fork(sh.vs, false, &child) == 0))
			break;
		if (i % 2 == 0)
			(void)vmspace_machine(child);
		(void)put(child, AT + i % (2 * OBJ_PAGES) * PG, i);
		if (i % 4 == 0)
			vmspace_clear(child);
		vmspace_drop(child);
		lwkt_yield();
	}
	others_end();
}

KTEST(objects_are_cut_while_spaces_fork_and_end)
{
	uint64_t was = free_pages();

	begin(300, 30000);
	KCHECK(vmobj_create(NULL, NULL, OBJ_PAGES * PG, &sh.obj) == 0);
	map_at(sh.vs, AT, OBJ_PAGES * PG, MAP_SHARED, sh.obj);
	map_at(sh.vs, AT + OBJ_PAGES * PG, OBJ_PAGES * PG, MAP_PRIVATE, sh.obj);
	run(object_toucher, object_forker);
	end();
	vmobj_drop(sh.obj);
	KCHECK(all_is_back(was));
}

#define CUT_PAGES	8u

/* Cuts entries in two and joins them again. */
static void
splitter(void *arg)
{
	uint64_t seed = seed_of(arg);

	for (uint64_t i = 0; !atomic_load(&sh.stop); i++) {
		uaddr_t a = AT + next(&seed) % CUT_PAGES * PG;

		(void)vm_mprotect(sh.vs, a, PG, PROT_READ);
		(void)vm_mprotect(sh.vs, a, PG, RW);
		if (i % 4 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

static void
object_cutter(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		for (uint64_t k = 0; k < CUT_PAGES; k++)
			(void)put(sh.vs, AT + k * PG, i + 1);
		KCHECK(vmobj_resize(sh.obj, 0) == 0 && vmobj_resize(sh.obj, CUT_PAGES * PG) == 0);
		for (uint64_t k = 0; k < CUT_PAGES; k++)
			damage(get(sh.vs, AT + k * PG) != 0);
		lwkt_yield();
	}
	others_end();
}

/* Somewhere an entry covers each page that is mapped, while it is cut and joined too. */
KTEST(nothing_of_a_cut_object_stays_mapped)
{
	begin(100, 10000);
	KCHECK(vmobj_create(NULL, NULL, CUT_PAGES * PG, &sh.obj) == 0);
	map_at(sh.vs, AT, CUT_PAGES * PG, MAP_SHARED, sh.obj);
	run(splitter, object_cutter);
	end();
	vmobj_drop(sh.obj);
}

static int
fill(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t *n)
{
	(void)o;
	*(uint64_t *)page_va(pg[0]) = index;
	*n = 1;
	return 0;
}

static void
object_maker(void *arg)
{
	static const struct vmobj_ops ops = { .vo_fill = fill };
	uint64_t seed = seed_of(arg);

	while (!atomic_load(&sh.stop)) {
		uint64_t index = next(&seed) % 8;
		struct vmobj *o;
		struct page *pg;

		if (vmobj_create(&ops, NULL, 8 * PG, &o) != 0)
			continue;
		if (vmobj_page(o, index, 0, &pg) == 0) {
			damage(*(uint64_t *)page_va(pg) != index);
			page_drop(pg);
		}
		vmobj_drop(o);
		if (next(&seed) % 4 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

static void
reclaimer(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		KCHECK(vm_reclaim(1u << 20, 0));
		lwkt_yield();
	}
	others_end();
}

KTEST(objects_end_while_others_want_their_pages)
{
	begin(20, 5000);
	run(object_maker, reclaimer);
	end();
}

/* Writers of a shared page, whose mappings are taken away again and again. */
static void
counter(void *arg)
{
	uaddr_t a = AT + (uint64_t)arg * 8;

	for (uint64_t n = 1; !atomic_load(&sh.stop); n++) {
		damage(!put(sh.vs, a, n) || get(sh.vs, a) != n || get(sh.vs, a + 16 * PG) != n);
		if (n % 8 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

static void
revoker(void *arg)
{
	struct page *pg;

	(void)arg;
	for (uint64_t i = 0; i < grp.rounds && KCHECK(vmobj_page(sh.obj, 0, 0, &pg) == 0); i++) {
		page_revoke(pg, i % 2 == 0 ? PROT_NONE : PROT_READ);
		page_drop(pg);
		lwkt_yield();
	}
	others_end();
}

KTEST(a_revoked_page_comes_back_with_all_that_was_written)
{
	begin(3000, 300000);
	KCHECK(vmobj_create(NULL, NULL, 16 * PG, &sh.obj) == 0);
	map_at(sh.vs, AT, 16 * PG, MAP_SHARED, sh.obj);
	map_at(sh.vs, AT + 16 * PG, 16 * PG, MAP_SHARED, sh.obj);
	run(counter, revoker);
	end();
	vmobj_drop(sh.obj);
}
