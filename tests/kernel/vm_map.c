/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces without a guest: mappings are made and used through
 * vm_fault() and uaccess, which take the same paths as a program's accesses.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define RW	(PROT_READ | PROT_WRITE)
#define RWX	(PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define KB	1024ull
#define MB	(1024 * KB)
#define PG	PAGE_BYTES

struct counts { uint64_t free, kmem; };

static struct counts
counts(void)
{
	struct page_stats s;

	page_stats(&s);
	return (struct counts){ s.free, kmem_bytes() };
}

/* All that was taken came back.  Slabs and caches keep a few pages. */
static void
check_counts(struct counts was)
{
	struct counts now = counts();

	KCHECK(now.kmem == was.kmem);
	KCHECK(now.free + 16 >= was.free);
}

static struct vmspace *
space(void)
{
	struct vmspace *vs = NULL;

	KCHECK(vmspace_create(&vs) == 0);
	return vs;
}

static uaddr_t
map_at(struct vmspace *vs, uaddr_t addr, uint64_t len, uint32_t prot, uint32_t flags)
{
	uaddr_t a = addr;

	KCHECK(vm_mmap(vs, &a, len, prot, flags, NULL, 0, RWX) == 0);
	return a;
}

static bool
put(struct vmspace *vs, uaddr_t a, uint64_t v)
{
	size_t done;

	return vs_write(vs, a, &v, 8, &done) == 0 && done == 8;
}

static uint64_t
get(struct vmspace *vs, uaddr_t a)
{
	uint64_t v = UINT64_MAX;
	size_t done;

	return vs_read(vs, &v, a, 8, &done) == 0 ? v : UINT64_MAX;
}

/* --------------------------------------------------------------- mapping -- */

KTEST(vm_errors_of_mmap_are_linux_ones)
{
	struct vmspace *vs = space();
	uaddr_t a = 0;

	KCHECK(vm_mmap(vs, &a, 0, RW, ANON, NULL, 0, RWX) == EINVAL);
	KCHECK(vm_mmap(vs, &a, PG, RW, MAP_ANONYMOUS, NULL, 0, RWX) == EINVAL);
	KCHECK(vm_mmap(vs, &a, UINT64_MAX, RW, ANON, NULL, 0, RWX) == ENOMEM);
	KCHECK(vm_mmap(vs, &a, 1ull << 46, RW, ANON, NULL, 0, RWX) == ENOMEM);
	a = 0x1234567;
	KCHECK(vm_mmap(vs, &a, PG, RW, ANON | MAP_FIXED, NULL, 0, RWX) == EINVAL);
	a = 0;
	KCHECK(vm_mmap(vs, &a, PG, RW, ANON | MAP_FIXED, NULL, 0, RWX) == EPERM);
	a = MD_USER_MAX;
	KCHECK(vm_mmap(vs, &a, PG, RW, ANON | MAP_FIXED, NULL, 0, RWX) == ENOMEM);
	a = 0x10000000;
	KCHECK(vm_mmap(vs, &a, PG, RW, ANON | MAP_FIXED, NULL, 0, RWX) == 0);
	KCHECK(vm_mmap(vs, &a, PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0, RWX) == EEXIST);
	KCHECK(vm_mmap(vs, &a, PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, NULL, 0, RWX) == EINVAL);
	KCHECK(vm_munmap(vs, a + 1, PG) == EINVAL);
	KCHECK(vm_munmap(vs, a, 0) == EINVAL);
	KCHECK(vm_munmap(vs, 0x70000000, MB) == 0);
	KCHECK(vm_mprotect(vs, 0x70000000, MB, PROT_READ) == ENOMEM);
	KCHECK(vm_mprotect(vs, a, PG, 0x40000000) == EINVAL);
	vmspace_drop(vs);
}

KTEST(vm_memory_is_zero_then_what_was_written)
{
	struct counts was = counts();
	struct vmspace *vs = space();
	uaddr_t a = map_at(vs, 0, 3 * MB, RW, ANON);
	uint64_t bad = 0;

	for (uint64_t i = 0; i < 3 * MB; i += PG)
		bad += get(vs, a + i + 8) != 0;
	for (uint64_t i = 0; i < 3 * MB; i += PG)
		bad += !put(vs, a + i, i + 1);
	for (uint64_t i = 0; i < 3 * MB; i += PG)
		bad += get(vs, a + i) != i + 1 || get(vs, a + i + 8) != 0;
	KCHECK(bad == 0);
	KCHECK(get(vs, a - 8) == UINT64_MAX && get(vs, a + 3 * MB) == UINT64_MAX);
	KCHECK(vm_fault(vs, a - 1, PROT_READ) == VMF_MAPERR);
	KCHECK(vm_munmap(vs, a + PG, PG) == 0);
	KCHECK(get(vs, a + PG) == UINT64_MAX && get(vs, a) == 1 && get(vs, a + 2 * PG) == 2 * PG + 1);
	vmspace_drop(vs);
	check_counts(was);
}

KTEST(vm_large_areas_in_big_steps_and_cut_anywhere)
{
	struct counts was = counts();
	struct vmspace *vs = space(), *child;
	uaddr_t a = map_at(vs, 0x40000000, 16 * MB, RW, ANON);
	uint64_t bad = 0;
	struct vm_usage u;

	KCHECK(put(vs, a + 5 * MB, 77));
	vm_usage(vs, &u);
	KCHECK(u.resident >= 16);
	for (uint64_t i = 0; i < 16 * MB; i += PG)
		bad += !put(vs, a + i, i + 1);
	KCHECK(vm_munmap(vs, a + 3 * MB + PG, 3 * PG) == 0);
	KCHECK(vm_mprotect(vs, a + 7 * MB + 5 * PG, MB, PROT_READ) == 0);
	KCHECK(!put(vs, a + 7 * MB + 5 * PG, 1) && put(vs, a + 7 * MB + 4 * PG, 7 * MB + 4 * PG + 1));
	KCHECK(vmspace_fork(vs, true, &child) == 0);
	KCHECK(vm_munmap(vs, a + 9 * MB, MB / 2) == 0);
	for (uint64_t i = 0; i < 16 * MB; i += PG) {
		bool hole = i >= 3 * MB + PG && i < 3 * MB + 4 * PG;

		bad += get(child, a + i) != (hole ? UINT64_MAX : i + 1);
		hole = hole || (i >= 9 * MB && i < 9 * MB + MB / 2);
		bad += get(vs, a + i) != (hole ? UINT64_MAX : i + 1);
	}
	KCHECK(put(vs, a + 12 * MB, 5) && get(child, a + 12 * MB) == 12 * MB + 1);
	vmspace_drop(child);
	KCHECK(put(vs, a + 12 * MB + PG, 6) && get(vs, a + 12 * MB) == 5);
	KCHECK(bad == 0);
	vmspace_drop(vs);
	check_counts(was);
}

KTEST(vm_protection_hides_and_shows_again)
{
	struct vmspace *vs = space();
	uaddr_t a = map_at(vs, 0, 8 * PG, RW, ANON);

	KCHECK(put(vs, a + PG, 11));
	KCHECK(vm_mprotect(vs, a, 8 * PG, PROT_NONE) == 0);
	KCHECK(vm_fault(vs, a + PG, PROT_READ) == VMF_ACCERR);
	KCHECK(vm_mprotect(vs, a, 8 * PG, PROT_READ) == 0);
	KCHECK(get(vs, a + PG) == 11 && get(vs, a) == 0);
	KCHECK(vm_fault(vs, a + PG, PROT_WRITE) == VMF_ACCERR);
	KCHECK(vm_fault(vs, a + PG, PROT_EXEC) == VMF_ACCERR);
	KCHECK(vm_mprotect(vs, a, 8 * PG, RWX) == 0);
	KCHECK(vm_fault(vs, a + PG, PROT_EXEC) == VMF_OK);
	KCHECK(put(vs, a + PG, 12) && get(vs, a + PG) == 12);
	vmspace_drop(vs);
}

static bool
count_region(const struct vm_region *r, void *arg)
{
	(void)r;
	++*(uint32_t *)arg;
	return true;
}

static uint32_t
regions(struct vmspace *vs)
{
	uint32_t n = 0;

	vm_foreach(vs, 0, count_region, &n);
	return n;
}

KTEST(vm_entries_join_where_equal)
{
	struct vmspace *vs = space();
	uaddr_t a = map_at(vs, 0x20000000, 64 * PG, RW, ANON);
	struct vm_usage u;

	KCHECK(regions(vs) == 1);
	KCHECK(vm_mprotect(vs, a + 8 * PG, 8 * PG, PROT_READ) == 0 && regions(vs) == 3);
	vm_usage(vs, &u);
	KCHECK(u.size == 64 && u.data == 56);
	KCHECK(vm_mprotect(vs, a + 8 * PG, 8 * PG, RW) == 0 && regions(vs) == 1);
	KCHECK(vm_munmap(vs, a + 16 * PG, PG) == 0 && regions(vs) == 2);
	map_at(vs, a + 16 * PG, PG, RW, ANON | MAP_FIXED);
	KCHECK(regions(vs) == 1);
	map_at(vs, a + 64 * PG, PG, RW, ANON | MAP_FIXED);
	map_at(vs, a - PG, PG, RW, ANON | MAP_FIXED);
	KCHECK(regions(vs) == 1);
	for (uint32_t i = 0; i < 66; i += 2)
		KCHECK(vm_munmap(vs, a - PG + i * PG, PG) == 0);
	KCHECK(regions(vs) == 33);
	KCHECK(vm_munmap(vs, 0x10000, MD_USER_MAX - 0x10000) == 0 && regions(vs) == 0);
	vmspace_drop(vs);
}

KTEST(vm_entries_have_a_limit)
{
	struct vmspace *vs = space();
	uint32_t n = 0;
	int error = 0;

	/* Every second page: nothing can be joined. */
	for (; error == 0 && n < 70000; n++) {
		uaddr_t a = 0x100000000ull + n * 2 * PG;

		error = vm_mmap(vs, &a, PG, RW, ANON | MAP_FIXED, NULL, 0, RWX);
		if (n % 64 == 0)
			lwkt_poll();
	}
	KCHECK(error == ENOMEM && n == 65531);
	vmspace_drop(vs);
}

/* ------------------------------------------------------------------ fork -- */

KTEST(vm_fork_shares_until_written)
{
	struct counts was = counts();
	struct vmspace *p = space(), *c, *g;
	uaddr_t a = map_at(p, 0, 400 * PG, RW, ANON);
	uaddr_t s = map_at(p, 0, 4 * PG, RW, MAP_SHARED | MAP_ANONYMOUS);
	struct page_stats before, after;

	for (uint64_t i = 0; i < 400; i++)
		KCHECK(put(p, a + i * PG, i + 100));
	KCHECK(put(p, s, 1));
	page_stats(&before);
	KCHECK(vmspace_fork(p, true, &c) == 0);
	page_stats(&after);
	KCHECK(after.anon == before.anon);
	KCHECK(vmspace_fork(c, true, &g) == 0);
	KCHECK(put(c, a, 7) && put(g, a, 8));
	KCHECK(get(p, a) == 100 && get(c, a) == 7 && get(g, a) == 8);
	KCHECK(put(g, s, 2) && get(p, s) == 2 && get(c, s) == 2);
	vmspace_drop(p);
	for (uint64_t i = 1; i < 400; i++)
		KCHECK(get(c, a + i * PG) == i + 100 && get(g, a + i * PG) == i + 100);
	KCHECK(put(c, a + PG, 9) && get(g, a + PG) == 101);
	vmspace_clear(c);
	KCHECK(get(c, a) == UINT64_MAX && get(g, a + 399 * PG) == 499);
	vmspace_drop(c);
	vmspace_drop(g);
	check_counts(was);
}

KTEST(vm_fork_of_a_small_space_copies_at_once)
{
	struct counts was = counts();
	struct vmspace *p = space(), *c;
	uaddr_t a = map_at(p, 0x30000000, 40 * PG, RW, ANON);
	struct page_stats before, after;

	for (uint64_t i = 0; i < 40; i++)
		KCHECK(put(p, a + i * PG, i + 100));
	KCHECK(vm_mprotect(p, a + 8 * PG, PG, PROT_NONE) == 0);
	page_stats(&before);
	KCHECK(vmspace_fork(p, true, &c) == 0);
	page_stats(&after);
	KCHECK(after.anon > before.anon);
	for (uint64_t i = 0; i < 40; i++)
		KCHECK(get(c, a + i * PG) == (i == 8 ? UINT64_MAX : i + 100) && put(c, a + i * PG, i) == (i != 8));
	KCHECK(vm_mprotect(p, a + 8 * PG, PG, RW) == 0 && vm_mprotect(c, a + 8 * PG, PG, RW) == 0);
	KCHECK(get(p, a + 8 * PG) == 108 && get(c, a + 8 * PG) == 108);
	KCHECK(put(c, a + 8 * PG, 1) && get(p, a + 8 * PG) == 108);
	for (uint64_t i = 0; i < 40; i++)
		KCHECK(get(p, a + i * PG) == i + 100);
	vmspace_drop(p);
	vmspace_drop(c);
	check_counts(was);
}

KTEST(vm_fork_advice)
{
	struct vmspace *p = space(), *c;
	uaddr_t a = map_at(p, 0x30000000, 8 * PG, RW, ANON);

	KCHECK(put(p, a, 1) && put(p, a + 2 * PG, 2) && put(p, a + 4 * PG, 3));
	KCHECK(vm_madvise(p, a, PG, MADV_DONTFORK) == 0);
	KCHECK(vm_madvise(p, a + 2 * PG, PG, MADV_WIPEONFORK) == 0);
	KCHECK(vmspace_fork(p, true, &c) == 0);
	KCHECK(get(c, a) == UINT64_MAX && get(c, a + 2 * PG) == 0 && get(c, a + 4 * PG) == 3);
	KCHECK(get(p, a) == 1 && get(p, a + 2 * PG) == 2);
	vmspace_drop(c);
	vmspace_drop(p);
}

KTEST(vm_fork_storms_lose_nothing)
{
	struct vmspace *p = space(), *c[8] = { NULL };
	uaddr_t a = map_at(p, 0, 6 * MB, RW, ANON);
	uint64_t rounds = ktest_rounds(300, 30000), bad = 0;
	struct counts was;

	for (uint64_t i = 0; i < 6 * MB; i += 4 * PG)
		put(p, a + i, i);
	was = counts();
	for (uint64_t r = 0; r < rounds; r++) {
		uint32_t k = r % 8;

		if (c[k] != NULL)
			vmspace_drop(c[k]);
		KCHECK(vmspace_fork(k > 3 && c[k - 1] != NULL ? c[k - 1] : p, true, &c[k]) == 0);
		bad += !put(c[k], a + (r * 7 % 1536) * PG, r);
		bad += get(c[k], a + (r * 7 % 1536) * PG) != r;
		bad += !put(p, a + (r * 11 % 384) * 4 * PG, (r * 11 % 384) * 4 * PG);
		lwkt_poll();
	}
	for (uint32_t k = 0; k < 8; k++)
		vmspace_drop(c[k]);
	for (uint64_t i = 0; i < 6 * MB; i += 4 * PG)
		bad += get(p, a + i) != i;
	KCHECK(bad == 0);
	KCHECK(counts().kmem == was.kmem);
	vmspace_drop(p);
}

/* --------------------------------------------------------------- objects -- */

KTEST(vm_objects_shared_private_and_truncated)
{
	struct counts was = counts();
	struct vmspace *x = space(), *y = space();
	struct vmobj *o = NULL;
	struct page *pg = NULL;
	uaddr_t s = 0, p = 0;

	KCHECK(vmobj_create(NULL, NULL, 10 * PG + 100, &o) == 0);
	KCHECK(vmobj_page(o, 3, VMOBJ_NOCREATE, &pg) == ENOENT);
	KCHECK(vmobj_page(o, 3, VMOBJ_DIRTY, &pg) == 0);
	*(uint64_t *)page_va(pg) = 33;
	page_drop(pg);
	KCHECK(vm_mmap(x, &s, 20 * PG, RW, MAP_SHARED, o, 0, RWX) == 0);
	KCHECK(vm_mmap(y, &p, 20 * PG, RW, MAP_PRIVATE, o, 0, RWX) == 0);
	KCHECK(get(x, s + 3 * PG) == 33 && get(y, p + 3 * PG) == 33);
	KCHECK(put(y, p + 3 * PG, 34) && get(x, s + 3 * PG) == 33);
	KCHECK(put(x, s + 4 * PG, 44) && get(y, p + 4 * PG) == 44);
	KCHECK(put(x, s + 2 * PG, 22) && get(y, p + 2 * PG) == 22);	/* a neighbour of a copied page is not copied */
	KCHECK(vm_fault(x, s + 11 * PG, PROT_READ) == VMF_BUS);
	KCHECK(vm_fault(x, s + 10 * PG, PROT_READ) == VMF_OK);
	KCHECK(put(x, s + 5 * PG + 200, 55));
	KCHECK(vmobj_seek(o, 0, true) <= 3 && vmobj_seek(o, 11, true) == UINT64_MAX);
	KCHECK(vmobj_resize(o, 5 * PG + 100) == 0);
	KCHECK(vm_fault(x, s + 6 * PG, PROT_READ) == VMF_BUS && vm_fault(y, p + 6 * PG, PROT_READ) == VMF_BUS);
	KCHECK(get(x, s + 5 * PG + 200) == 0);
	KCHECK(get(y, p + 3 * PG) == 34);
	vmobj_remove(o, 3, 5);
	KCHECK(get(x, s + 3 * PG) == 0 && get(x, s + 4 * PG) == 0 && get(y, p + 3 * PG) == 34);
	KCHECK(vmobj_resize(o, 2 * PG) == 0);
	KCHECK(vm_fault(y, p + 3 * PG, PROT_READ) == VMF_BUS);
	vmobj_drop(o);
	vmspace_drop(x);
	vmspace_drop(y);
	check_counts(was);
}

static uint32_t fills;

static int
fill_slowly(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t *n)
{
	(void)o;
	KCHECK(*n == 1);
	if (index == 13)
		return EIO;
	for (int i = 0; i < 5; i++)
		lwkt_yield();			/* the token is lost here */
	*(uint64_t *)page_va(pg[0]) = index + 1000;
	fills++;
	return 0;
}

static uint32_t frees;
static void count_free(struct vmobj *o) { (void)o; frees++; }
static const struct vmobj_ops slow_ops = { .vo_fill = fill_slowly, .vo_free = count_free };

struct reader { struct vmspace *vs; uaddr_t a; uint64_t bad; uint32_t *done; struct waitq *q; };

static void
read_all(void *arg)
{
	struct reader *r = arg;

	for (uint64_t i = 0; i < 12; i++)
		r->bad += get(r->vs, r->a + i * PG) != i + 1000;
	++*r->done;
	wake_all(r->q);
}

KTEST(vm_pages_are_filled_once_whoever_comes)
{
	static struct waitq q = WAITQ_INIT(q);
	static struct reader r[4];
	struct vmspace *vs = space();
	struct vmobj *o = NULL;
	struct thread *td;
	uint32_t done = 0;
	uaddr_t a = 0;
	int error;

	fills = frees = 0;
	KCHECK(vmobj_create(&slow_ops, NULL, 20 * PG, &o) == 0);
	KCHECK(vm_mmap(vs, &a, 20 * PG, RW, MAP_SHARED, o, 0, RWX) == 0);
	for (uint32_t i = 0; i < 4; i++) {
		r[i] = (struct reader){ vs, a, 0, &done, &q };
		KCHECK(lwkt_create(read_all, &r[i], LWKT_PRI_KERN, "reader", &td) == 0);
		lwkt_start(td);
	}
	WAIT_FOR(&q, done == 4, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
	KCHECK(fills == 12);
	for (uint32_t i = 0; i < 4; i++)
		KCHECK(r[i].bad == 0);
	KCHECK(vm_fault(vs, a + 13 * PG, PROT_READ) == VMF_BUS);
	KCHECK(vmobj_seek(o, 0, false) == 12);
	vmobj_drop(o);
	KCHECK(frees == 0);
	vmspace_drop(vs);
	KCHECK(frees == 1);
}

/* A cache: pages 0 to 19 can be had, those of the second block 5 at a time, 27 never. */
static int
fill_cache(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t *n)
{
	(void)o;
	fills++;
	lwkt_yield();
	if (index == 27)
		return EIO;
	if (index >= VMOBJ_FILL_MAX && *n > 5)
		*n = 5;
	for (uint32_t i = 0; i < *n; i++)
		*(uint64_t *)page_va(pg[i]) = index + i;
	return 0;
}

static int clean_cache(struct vmobj *o, bool try) { (void)o, (void)try; return 0; }
static const struct vmobj_ops cache_ops = { .vo_fill = fill_cache, .vo_clean = clean_cache };

/* Of the pages from `index` on, held, `want` at most: how many.  0: an error. */
static uint32_t
pages_at(struct vmobj *o, uint64_t index, uint32_t want)
{
	struct page *pg[2 * VMOBJ_FILL_MAX];
	uint32_t n = want;

	if (vmobj_pages(o, index, 0, pg, &n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		KCHECK(*(uint64_t *)page_va(pg[i]) == index + i && pg[i]->pg_refs == 2);
		page_drop(pg[i]);
	}
	return n;
}

KTEST(vm_caches_are_filled_by_the_block)
{
	struct counts was = counts();
	struct page *first = NULL, *last = NULL;
	struct vmobj *o = NULL;

	fills = 0;
	KCHECK(vmobj_create(&cache_ops, NULL, 40 * PG - 5, &o) == 0);
	KCHECK(pages_at(o, 3, 1) == 1 && fills == 1 && o->o_npages == 13);
	KCHECK(pages_at(o, 3, 32) == 13 && fills == 1);
	KCHECK(vmobj_page(o, 3, 0, &first) == 0 && vmobj_page(o, 15, 0, &last) == 0);
	KCHECK(last == first + 12);		/* in a row: the machine can map them in one piece */
	page_drop(first);
	page_drop(last);
	/* No further than what is there. */
	KCHECK(pages_at(o, 0, 32) == 16 && fills == 2 && o->o_npages == 16);
	/* What was not filled is not there. */
	KCHECK(pages_at(o, 18, 32) == 5 && fills == 3 && o->o_npages == 21);
	KCHECK(pages_at(o, 17, 32) == 6 && fills == 4 && pages_at(o, 17, 2) == 2 && fills == 4);
	/* An error leaves nothing; there is no more than the end. */
	KCHECK(pages_at(o, 27, 4) == 0 && fills == 5 && o->o_npages == 22);
	KCHECK(pages_at(o, 39, 9) == 1 && o->o_npages == 23);
	vmobj_drop(o);
	check_counts(was);
}

KTEST(vm_revoke_reaches_every_mapping)
{
	struct vmspace *x = space(), *y, *z = space();
	struct vmobj *o = NULL;
	struct page *pg = NULL;
	uaddr_t a = map_at(x, 0, 4 * PG, RW, ANON), s = 0, t = 0;
	uaddr_t moved = 0;

	KCHECK(vmobj_create(NULL, NULL, 4 * PG, &o) == 0);
	KCHECK(vm_mmap(x, &s, 4 * PG, RW, MAP_SHARED, o, 0, RWX) == 0);
	KCHECK(vm_mmap(z, &t, 2 * PG, RW, MAP_SHARED, o, PG, RWX) == 0);
	KCHECK(put(x, s + PG, 5) && get(z, t) == 5);
	KCHECK(vmobj_page(o, 1, 0, &pg) == 0);
	KCHECK(pg->pg_refs == 4);
	page_revoke(pg, PROT_READ);
	KCHECK(pg->pg_refs == 4 && get(z, t) == 5 && put(x, s + PG, 6));
	page_revoke(pg, PROT_NONE);
	KCHECK(pg->pg_refs == 2);
	KCHECK(get(z, t) == 6 && pg->pg_refs == 3);
	page_drop(pg);

	KCHECK(put(x, a + PG, 9));
	KCHECK(vmspace_fork(x, true, &y) == 0);
	KCHECK(vm_mremap(y, a, 4 * PG, 8 * PG, MREMAP_MAYMOVE, &moved) == 0);
	KCHECK(get(y, moved + PG) == 9);
	vmobj_drop(o);
	vmspace_drop(x);
	KCHECK(get(y, moved + PG) == 9);
	vmspace_drop(y);
	vmspace_drop(z);
}

/* --------------------------------------------------- brk, stack, mremap -- */

KTEST(vm_brk_grows_shrinks_and_respects_limits)
{
	struct vmspace *vs = space();
	uaddr_t b = 0;

	vm_brk_set(vs, 0x10000123);
	vm_brk(vs, &b);
	KCHECK(b == 0x10000123);
	b = 0x10000123 + MB;
	vm_brk(vs, &b);
	KCHECK(b == 0x10000123 + MB && put(vs, 0x10002000, 4) && regions(vs) == 1);
	b += MB;
	vm_brk(vs, &b);
	KCHECK(regions(vs) == 1 && get(vs, 0x10002000) == 4);
	b = 0x10000200;
	vm_brk(vs, &b);
	KCHECK(b == 0x10000200 && get(vs, 0x10002000) == UINT64_MAX);
	vm_limits(vs, UINT64_MAX, MB, UINT64_MAX);
	b = 0x10000123 + 4 * MB;
	vm_brk(vs, &b);
	KCHECK(b == 0x10000200);
	vm_limits(vs, MB, UINT64_MAX, UINT64_MAX);
	vm_brk(vs, &(uaddr_t){ 0x10000123 + 4 * MB });
	b = 0;
	KCHECK(vm_mmap(vs, &b, 2 * MB, RW, ANON, NULL, 0, RWX) == ENOMEM);
	vmspace_drop(vs);
}

KTEST(vm_stack_grows_to_its_limit_and_not_into_others)
{
	struct vmspace *vs = space();
	uaddr_t top = 0x7fff0000000ull, a;

	vm_limits(vs, UINT64_MAX, UINT64_MAX, 8 * MB);
	a = map_at(vs, top - 4 * PG, 4 * PG, RW, ANON | MAP_GROWSDOWN | MAP_STACK | MAP_FIXED);
	KCHECK(put(vs, a - MB, 1) && put(vs, top - 8 * MB, 2));
	KCHECK(vm_fault(vs, top - 8 * MB - 8, PROT_WRITE) == VMF_MAPERR);
	KCHECK(regions(vs) == 1);
	vm_limits(vs, UINT64_MAX, UINT64_MAX, 64 * MB);
	map_at(vs, top - 12 * MB, PG, RW, ANON | MAP_FIXED);
	KCHECK(put(vs, top - 10 * MB, 3));
	KCHECK(vm_fault(vs, top - 12 * MB + PG + MB / 2, PROT_WRITE) == VMF_MAPERR);
	vmspace_drop(vs);
}

KTEST(vm_mremap_keeps_contents)
{
	struct counts was = counts();
	struct vmspace *vs = space(), *c;
	uaddr_t a = map_at(vs, 0x50000000, 8 * MB, RW, ANON), b = 0;
	uint64_t bad = 0;

	for (uint64_t i = 0; i < 8 * MB; i += PG)
		bad += !put(vs, a + i, i + 5);
	KCHECK(vm_mremap(vs, a, 8 * MB, 9 * MB, 0, &b) == 0 && b == a);
	map_at(vs, a + 9 * MB, PG, PROT_READ, ANON | MAP_FIXED);
	KCHECK(vm_mremap(vs, a, 9 * MB, 12 * MB, 0, &b) == ENOMEM);
	KCHECK(vm_mremap(vs, a, 9 * MB, 12 * MB, MREMAP_MAYMOVE, &b) == 0 && b != a);
	for (uint64_t i = 0; i < 8 * MB; i += PG)
		bad += get(vs, b + i) != i + 5;
	KCHECK(get(vs, b + 11 * MB) == 0 && get(vs, a) == UINT64_MAX);
	KCHECK(vmspace_fork(vs, true, &c) == 0);
	KCHECK(put(vs, b, 1) && get(c, b) == 5);
	a = 0x60000000;
	KCHECK(vm_mremap(c, b + PG, 4 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, &a) == 0);
	KCHECK(get(c, a) == PG + 5 && get(c, b) == 5);
	KCHECK(get(c, b + PG) == UINT64_MAX && get(c, b + 5 * PG) == 5 * PG + 5);
	KCHECK(vm_mremap(vs, b, 12 * MB, PG, 0, &a) == 0 && get(vs, b + PG) == UINT64_MAX);
	KCHECK(vm_mremap(vs, b, PG, 0, 0, &a) == EINVAL && vm_mremap(vs, a + MB, PG, PG, 0, &a) == EFAULT);
	KCHECK(bad == 0);
	vmspace_drop(vs);
	vmspace_drop(c);
	check_counts(was);
}

KTEST(vm_madvise_and_mincore)
{
	struct vmspace *vs = space();
	uaddr_t a = map_at(vs, 0x50000000, 4 * MB, RW, ANON);
	uint8_t vec[4] = { 9, 9, 9, 9 };

	KCHECK(vm_mincore(vs, a, 4 * PG, vec) == 0 && vec[0] == 0);
	KCHECK(put(vs, a, 1));
	KCHECK(vm_mincore(vs, a, 4 * PG, vec) == 0 && vec[0] == 1);
	KCHECK(vm_madvise(vs, a + PG, PG, MADV_DONTNEED) == 0 && get(vs, a) == 1);
	KCHECK(vm_madvise(vs, a, 4 * MB, MADV_DONTNEED) == 0 && get(vs, a) == 0);
	KCHECK(vm_madvise(vs, a, 8 * MB, MADV_DONTNEED) == ENOMEM);
	KCHECK(vm_madvise(vs, a, PG, 9999) == EINVAL && vm_mincore(vs, a + 8 * MB, PG, vec) == ENOMEM);
	vmspace_drop(vs);
}

/* ---------------------------------------------------------- no memory -- */

/* A bit of everything; any of it may fail, and then what follows is done with what there is. */
static void
scenario(void)
{
	struct vmspace *vs, *c = NULL;
	struct vmobj *o = NULL;
	uaddr_t a = 0x40000000, b = 0, s = 0;

	if (vmspace_create(&vs) != 0)
		return;
	if (vm_mmap(vs, &a, 8 * MB, RW, ANON | MAP_FIXED, NULL, 0, RWX) == 0) {
		for (uint64_t i = 0; i < 8 * MB; i += MB)
			(void)put(vs, a + i, i + 1);
		(void)vm_munmap(vs, a + MB + PG, PG);
		(void)vm_mprotect(vs, a + 5 * MB, 3 * PG, PROT_READ);
	}
	if (vmobj_create(NULL, NULL, 64 * PG, &o) == 0) {
		if (vm_mmap(vs, &s, 64 * PG, RW, MAP_PRIVATE, o, 0, RWX) == 0)
			(void)(put(vs, s, 1) && get(vs, s + 20 * PG) == 0);
		vmobj_drop(o);
	}
	if (vmspace_fork(vs, true, &c) == 0) {
		(void)put(c, a + 2 * MB, 7);
		(void)put(vs, s, 2);
		b = 0;
		if (vm_mremap(c, a + 2 * MB, 2 * MB, 3 * MB, MREMAP_MAYMOVE, &b) == 0)
			(void)get(c, b);
		else
			KCHECK(get(c, a + 3 * MB) == 3 * MB + 1 || vm_fault(c, a + 3 * MB, PROT_READ) == VMF_OOM ||
			    get(c, a + 3 * MB) == 0 || vm_fault(c, a + 3 * MB, PROT_READ) == VMF_MAPERR);
		(void)vm_madvise(c, a + 6 * MB + PG, PG, MADV_DONTNEED);
		vm_brk_set(c, 0x20000000);
		b = 0x20000000 + MB;
		vm_brk(c, &b);
		vmspace_clear(c);
		vmspace_drop(c);
	}
	vmspace_drop(vs);
}

KTEST(vm_no_memory_at_any_point)
{
	struct counts was, now;
	uint64_t n = 1, left;

	scenario();
	was = counts();
	do {
		vm_fail_after = n;
		scenario();
		left = vm_fail_after;
		vm_fail_after = 0;
		now = counts();		/* others may have given up some of theirs */
		KCHECK(now.kmem <= was.kmem && now.free + 16 >= was.free);
		was.kmem = now.kmem;
		lwkt_poll();
	} while (left == 1 && n++ < 5000);
	KCHECK(n > 20 && n < 5000);
}
