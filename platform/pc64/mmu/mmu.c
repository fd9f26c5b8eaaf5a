/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmu - the kernel's half of every address space, and which space a CPU is in.
 *
 * The tables of the kernel's half are made at boot, once: RAM at
 * MD_DIRECT_BASE, the image (text read-only, everything but text not to be
 * executed, also where RAM shows it), kernel stacks at MD_KMAP_BASE, devices
 * at MD_IO_BASE.  Their top-level entries never change, so a user space's root
 * gets a copy of them when it becomes one.  Pages for these tables come from a
 * pool behind the image, which closes before the kernel counts its memory.
 *
 * Translations are forgotten everywhere before anybody goes on: who changed
 * tables asks all CPUs that are in the space, one request at a time, and waits
 * until each has served it.
 *
 * With PCIDs a CPU keeps the translations of the last few spaces that it was
 * in, each under a tag of its own; tag 0 is the kernel's root.  A space has a
 * generation, which grows with every change, and a tag knows the one up to
 * which it has followed.  Who enters a space by a tag that is behind drops what
 * is under it.  So only CPUs in a space are ever asked, with and without tags.
 *
 * Invariants
 *   T1  A CPU tells which space it is in before it loads its root; who changed
 *       an entry looks at that after a full fence.  So a CPU is asked, or it
 *       loaded the root, and with it everything anew, after the change.
 *       With tags: the generation grows before that look, and is read after
 *       that telling.  So a CPU is asked, or it sees that its tag is behind.
 *   T2  A CPU waits for others with interrupts on, and serves requests by an
 *       interrupt, so two that ask at once do not wait for each other.
 *   T3  A space that is destroyed is in no CPU's CR3.  Its generation has
 *       grown and does not begin anew with the next space of that number,
 *       so what tags still have of it is dropped before it is used.
 *   T4  Generations grow, and tags follow them, during requests, one at a
 *       time: a tag in use is behind only while its CPU has not served the one.
 *   T5  The kernel's half is global, so INVLPG drops it under all tags; but of
 *       entries above the last level a processor may keep copies for each.
 *       When one of those changes, all tags but the current one are forgotten.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/mmu.h>

#include "../cpu/pc.h"

#define P_PRESENT	1ull
#define P_WRITE		2ull
#define P_UNCACHED	(1ull << 3 | 1ull << 4)
#define P_BIG		(1ull << 7)
#define P_GLOBAL	(1ull << 8)
#define P_NX		(1ull << 63)
#define P_PA		0x000ffffffffff000ull
#define BIG_BYTES	(2ull << 20)
#define WINDOW_BYTES	(17ull << 20)	/* more than any table that is read */
#define SPACES_MAX	65536
#define CR3_KEEP	(1ull << 63)	/* what is under the tag */
#define INVLPG_MAX	64		/* pages; beyond that everything */

extern uint8_t image_start[], text_end[], rodata_end[], image_end[];	/* pc64.ld */

static struct { paddr_t next, end; } pool;	/* boot */
static uint64_t *root;				/* const after mmu_setup(): the kernel's alone */
static paddr_t *space_root;			/* [spaces] 0: free; by space */
static _Atomic uint64_t *space_gen;		/* [atomic: T4] by space; NULL: no tags */
static _Atomic uint32_t space_hint;

/* Tables for the kernel's stacks: enough for 512 MiB of them, or ENOMEM. */
#define KMAP_TABLES	256
static struct {
	_Atomic uint32_t busy;			/* [atomic] a lock */
	uint32_t	nfree;			/* [busy] */
	paddr_t		free[KMAP_TABLES];	/* [busy] */
	uint16_t	used[MD_KMAP_BYTES / BIG_BYTES];	/* [busy] pages mapped */
} kmap;

/* The request that all may be asked to serve. */
static struct {
	_Atomic uint32_t busy;			/* [atomic] a lock */
	_Atomic uint64_t serial;		/* [busy] */
	md_space_t	space;			/* [busy] MD_NOSPACE: the kernel's half */
	uint64_t	gen;			/* [busy] the space's, after the change */
	bool		gone;			/* [busy] leave it altogether; the kernel's half: T5 */
	const struct md_range *ranges;		/* [busy] */
	size_t		count;			/* [busy] 0: everything */
} request;

void
pool_open(paddr_t pa, paddr_t end)
{
	pool.next = page_round(pa);
	pool.end = end;
}

paddr_t
pool_page(void)
{
	paddr_t pa = pool.next;

	ASSERT(pa + PAGE_BYTES <= pool.end);
	pool.next += PAGE_BYTES;
	memset(md_p2v(pa), 0, PAGE_BYTES);
	return pa;
}

static void *
pool_words(uint64_t n)
{
	void *p = md_p2v(pool.next);

	for (uint64_t done = 0; done < n * sizeof(uint64_t); done += PAGE_BYTES)
		(void)pool_page();
	return p;
}

paddr_t
pool_close(void)
{
	pool.end = pool.next;
	return pool.next;
}

static uint64_t *
table_below(uint64_t *entry)
{
	if (*entry == 0)
		*entry = pool_page() | P_PRESENT | P_WRITE;
	return md_p2v(*entry & P_PA);
}

/* The entry for va at a level: 0 is 4 KiB, 1 is 2 MiB. */
static uint64_t *
entry_of(uint64_t va, uint32_t level)
{
	uint64_t *t = root;

	for (uint32_t l = 3; l > level; l--)
		t = table_below(&t[va >> (12 + 9 * l) & 511]);
	return &t[va >> (12 + 9 * level) & 511];
}

static void
map_small(uint64_t va, paddr_t pa, uint64_t len, uint64_t bits)
{
	for (uint64_t off = 0; off < len; off += PAGE_BYTES)
		*entry_of(va + off, 0) = (pa + off) | P_PRESENT | bits;
}

/* The image as it is linked, and where RAM shows it: not to be executed there nor, if it is text, written. */
static void
map_image(void)
{
	const uint64_t start = (uint64_t)image_start, text = (uint64_t)text_end, ro = (uint64_t)rodata_end;
	const uint64_t end = page_round((uint64_t)image_end), pa = start - MD_IMAGE_BASE;

	map_small(start, pa, text - start, P_GLOBAL);
	map_small(text, pa + (text - start), ro - text, P_GLOBAL | P_NX);
	map_small(ro, pa + (ro - start), end - ro, P_GLOBAL | P_NX | P_WRITE);
	map_small(MD_DIRECT_BASE + pa, pa, ro - start, P_GLOBAL | P_NX);
}

/* Large pages where all of one is RAM and none of it the image. */
static void
map_ram(const struct md_ram *r)
{
	const paddr_t image = page_round((uint64_t)image_end - MD_IMAGE_BASE);
	paddr_t pa = r->mr_base;

	while (pa < r->mr_end) {
		if (pa % BIG_BYTES == 0 && pa >= image && r->mr_end - pa >= BIG_BYTES) {
			*entry_of(MD_DIRECT_BASE + pa, 1) =
			    pa | P_PRESENT | P_WRITE | P_BIG | P_GLOBAL | P_NX;
			pa += BIG_BYTES;
		} else {
			map_small(MD_DIRECT_BASE + pa, pa, PAGE_BYTES, P_GLOBAL | P_NX | P_WRITE);
			pa += PAGE_BYTES;
		}
	}
}

void
mmu_setup(const struct md_ram *ram, uint32_t n)
{
	root = md_p2v(pool_page());
	for (uint32_t i = 0; i < n; i++)
		map_ram(&ram[i]);
	map_image();
	for (uint64_t off = 0; off < MD_KMAP_BYTES; off += BIG_BYTES)
		(void)entry_of(MD_KMAP_BASE + off, 1);
	for (uint32_t i = 0; i < KMAP_TABLES; i++)
		kmap.free[kmap.nfree++] = pool_page();
	for (uint64_t off = 0; off < MD_IO_BYTES; off += BIG_BYTES)
		(void)entry_of(MD_IO_BASE + off, 0);
	space_root = pool_words(SPACES_MAX);
	if (pc_feat.f_pcid)
		space_gen = pool_words(SPACES_MAX);
	__asm__ volatile("movq %0, %%cr3" : : "r"(md_v2p(root)) : "memory");
}

paddr_t
mmu_root(void)
{
	return md_v2p(root);
}

static bool
is_ram(paddr_t pa, paddr_t end)
{
	const struct md_boot *b = md_boot();

	for (uint32_t i = 0; i < b->b_nram; i++)
		if (pa < b->b_ram[i].mr_end && b->b_ram[i].mr_base < end)
			return true;
	return false;
}

void *
mmu_io(uint64_t pa, uint64_t len)
{
	static uint64_t next = MD_IO_BASE + WINDOW_BYTES;
	const uint64_t first = page_trunc(pa), end = page_round(pa + len), bytes = end - first;
	void *at;

	if (pa + len < pa || end > pc_feat.f_pa_end || bytes > MD_IO_BASE + MD_IO_BYTES - next ||
	    is_ram(first, end))
		return NULL;
	map_small(next, first, bytes, P_WRITE | P_NX | P_GLOBAL | P_UNCACHED);
	at = (void *)(next + (pa - first));
	next += bytes;
	return at;
}

const void *
mmu_window(uint64_t pa, uint64_t len)
{
	const uint64_t first = page_trunc(pa), end = page_round(pa + len), bytes = end - first;

	if (pa + len < pa || end > pc_feat.f_pa_end || bytes > WINDOW_BYTES)
		return NULL;
	map_small(MD_IO_BASE, first, bytes, P_NX);
	for (uint64_t off = 0; off < bytes; off += PAGE_BYTES)
		__asm__ volatile("invlpg (%0)" : : "r"(MD_IO_BASE + off) : "memory");
	return (const void *)(MD_IO_BASE + (pa - first));
}

/* -------------------------------------------------------------- spaces -- */

int
md_space_create(md_space_t *out)
{
	uint32_t from = atomic_fetch_add(&space_hint, 1);

	for (uint32_t i = 0; i < SPACES_MAX; i++) {
		uint32_t s = (from + i) % SPACES_MAX;
		paddr_t none = 0;

		if (__atomic_compare_exchange_n(&space_root[s], &none, 1, false, __ATOMIC_ACQ_REL,
		    __ATOMIC_RELAXED)) {
			*out = (md_space_t)s;
			return 0;
		}
	}
	return EAGAIN;
}

/* A space's ranges, or the kernel's, which CR3 has no say in. */
static void
forget(md_space_t s, const struct md_range *r, size_t n)
{
	uint64_t pages = 0, cr3;

	for (size_t i = 0; i < n; i++)
		pages += r[i].len >> PAGE_SHIFT;
	if (s != MD_NOSPACE && (n == 0 || pages > INVLPG_MAX)) {
		__asm__ volatile("movq %%cr3, %0\n\tmovq %0, %%cr3" : "=&r"(cr3) : : "memory");
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (uint64_t off = 0; off < r[i].len; off += PAGE_BYTES)
			__asm__ volatile("invlpg (%0)" : : "r"(r[i].va + off) : "memory");
}

/* By the CPU itself, interrupts off or in an interrupt: nobody asks it about a space that it is not in. */
void
mmu_leave(struct pc_cpu *pc)
{
	if (atomic_load_explicit(&pc->pc_space, memory_order_relaxed) == MD_NOSPACE)
		return;
	__asm__ volatile("movq %0, %%cr3" : : "r"(md_v2p(root)) : "memory");
	atomic_store(&pc->pc_space, MD_NOSPACE);
}

static void
forget_tags(struct pc_cpu *pc)
{
	for (uint32_t i = 0; i < PC_TAGS; i++)
		if (i != pc->pc_tag || atomic_load(&pc->pc_space) == MD_NOSPACE)
			pc->pc_tags[i].t_space = MD_NOSPACE;
}

/* By the CPU itself, interrupts off or in an interrupt. */
static void
serve(struct pc_cpu *pc)
{
	if (request.space == MD_NOSPACE) {
		forget(request.space, request.ranges, request.count);
		if (request.gone)
			forget_tags(pc);
	} else if (atomic_load(&pc->pc_space) == request.space) {
		pc->pc_tags[pc->pc_tag].t_gen = request.gen;
		if (request.gone)
			mmu_leave(pc);
		else
			forget(request.space, request.ranges, request.count);
	}
}

void
mmu_serve(struct pc_cpu *pc)
{
	uint64_t serial = atomic_load(&request.serial);

	if (atomic_load(&pc->pc_tlb_seen) == serial)
		return;
	serve(pc);
	atomic_store(&pc->pc_tlb_seen, serial);
}

static bool
concerns(const struct pc_cpu *pc, md_space_t s)
{
	return atomic_load(&pc->pc_up) && (s == MD_NOSPACE || atomic_load(&pc->pc_space) == s);
}

/* Asks all CPUs that are in s; afterwards each has served. */
static void
ask_all(md_space_t s, const struct md_range *r, size_t n, bool gone)
{
	const uint32_t me = kcpu_id();
	uint64_t serial;

	while (atomic_exchange(&request.busy, 1) != 0)
		__builtin_ia32_pause();
	request.space = s;
	request.ranges = r;
	request.count = n;
	request.gone = gone;
	if (space_gen != NULL && s != MD_NOSPACE)
		request.gen = atomic_fetch_add(&space_gen[s], 1) + 1;
	serial = atomic_fetch_add(&request.serial, 1) + 1;
	for (uint32_t i = 0; i < pc_ncpu; i++) {
		if (i != me && concerns(pc_cpus[i], s))
			apic_send(pc_cpus[i]->pc_apic, VEC_TLB);
		else
			atomic_store(&pc_cpus[i]->pc_tlb_seen, serial);
	}
	for (uint32_t i = 0; i < pc_ncpu; i++)
		while (atomic_load(&pc_cpus[i]->pc_tlb_seen) != serial)
			__builtin_ia32_pause();
	intr_off();
	serve(pc_cpus[me]);
	atomic_store(&request.busy, 0);
	intr_on();
}

void
md_space_destroy(md_space_t s)
{
	ask_all(s, NULL, 0, true);
	__atomic_store_n(&space_root[s], 0, __ATOMIC_RELEASE);
}

/* Nobody has entered s since it was made, or those who have must load the new root. */
int
md_space_root(md_space_t s, paddr_t pa)
{
	uint64_t *t = md_p2v(pa);

	memcpy(&t[256], &root[256], 256 * sizeof *t);
	__atomic_store_n(&space_root[s], pa, __ATOMIC_RELEASE);
	ask_all(s, NULL, 0, true);
	return 0;
}

/* The tag's bits in CR3, after pc_space was told.  The tag that has been there for longest makes room. */
static uint64_t
tag(struct pc_cpu *pc, md_space_t s)
{
	uint64_t gen = atomic_load(&space_gen[s]), keep = 0;
	uint32_t i = 0;

	while (i < PC_TAGS && pc->pc_tags[i].t_space != s)
		i++;
	if (i == PC_TAGS)
		i = pc->pc_next_tag++ % PC_TAGS;
	else if (pc->pc_tags[i].t_gen == gen)
		keep = CR3_KEEP;
	pc->pc_tags[i].t_space = s;
	pc->pc_tags[i].t_gen = gen;
	pc->pc_tag = i;
	return keep | (i + 1);
}

void
mmu_enter(struct pc_cpu *pc, md_space_t s)
{
	uint64_t bits;

	if (atomic_load_explicit(&pc->pc_space, memory_order_relaxed) == s)
		return;
	atomic_store(&pc->pc_space, s);
	bits = space_gen != NULL ? tag(pc, s) : 0;
	__asm__ volatile("movq %0, %%cr3"
	    : : "r"(__atomic_load_n(&space_root[s], __ATOMIC_ACQUIRE) | bits) : "memory");
}

void
md_invalidate(md_space_t s, const struct md_range *r, size_t n, enum md_inval how)
{
	(void)how;
	if (n > 0)
		ask_all(s, r, n, false);
}

void
md_prefill(md_space_t s, const struct md_range *r, size_t n)
{
	(void)s;
	(void)r;
	(void)n;
}

/* ---------------------------------------------------------- kernel map -- */

/* A table of 4 KiB pages is there while anything in its 2 MiB is mapped. */
static void
kmap_lock(void)
{
	while (atomic_exchange(&kmap.busy, 1) != 0)
		__builtin_ia32_pause();
}

static void
kmap_unlock(void)
{
	atomic_store(&kmap.busy, 0);
}

int
md_kmap(uint64_t va, paddr_t pa, size_t len)
{
	int error = 0;

	ASSERT(va >= MD_KMAP_BASE && va + len <= MD_KMAP_BASE + MD_KMAP_BYTES);
	ASSERT(va / BIG_BYTES == (va + len - 1) / BIG_BYTES);
	kmap_lock();
	if (*entry_of(va, 1) == 0) {
		if (kmap.nfree == 0)
			error = ENOMEM;
		else
			*entry_of(va, 1) = kmap.free[--kmap.nfree] | P_PRESENT | P_WRITE;
	}
	if (error == 0) {
		map_small(va, pa, len, P_WRITE | P_NX | P_GLOBAL);
		kmap.used[(va - MD_KMAP_BASE) / BIG_BYTES] += (uint16_t)(len >> PAGE_SHIFT);
	}
	kmap_unlock();
	return error;
}

void
md_kunmap(uint64_t va, size_t len)
{
	struct md_range r = { va, len };
	paddr_t table = 0;

	kmap_lock();
	for (uint64_t off = 0; off < len; off += PAGE_BYTES)
		__atomic_store_n(entry_of(va + off, 0), 0, __ATOMIC_RELEASE);
	if ((kmap.used[(va - MD_KMAP_BASE) / BIG_BYTES] -= (uint16_t)(len >> PAGE_SHIFT)) == 0)
		table = __atomic_exchange_n(entry_of(va, 1), 0, __ATOMIC_ACQ_REL) & P_PA;
	kmap_unlock();
	ask_all(MD_NOSPACE, &r, 1, table != 0);
	if (table != 0) {
		kmap_lock();
		kmap.free[kmap.nfree++] = table;
		kmap_unlock();
	}
}

/* All memory is there. */
void
md_ram_prepare(paddr_t pa, size_t len)
{
	(void)pa;
	(void)len;
}

void
md_ram_release(paddr_t pa, size_t len)
{
	memset(md_p2v(pa), 0, len);
}
