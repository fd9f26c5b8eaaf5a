/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpt - virtual page tables: the caller's x86-64 tables are the truth, the
 * host's mappings of a stub are a cache of them
 *
 * A guest's page fault that the tables permit is a miss of that cache.  The
 * tables are walked as the processor walks them, the accessed and dirty bits
 * are set as it sets them, and a list of host mmap commands is left for the
 * mapper.  A fault costs some twenty microseconds whatever it maps, so its
 * neighbours are mapped with it: the aligned 64 KiB around it, in runs of
 * pages that are neighbours in RAM too, and 2 MiB at once where a large entry
 * or an untouched, contiguous table says so.
 *
 * A host mapping hides from us what the guest does with it.  Hence a page is
 * marked accessed when it is mapped, and is mapped writable only when it is
 * dirty already: the first write of a clean page faults and is seen.
 *
 * The cache is bounded, because the host bounds it: at its limit even munmap
 * fails when it must split a mapping, and an invalidation that fails would
 * leave a guest with pages that are no longer its own.  So each space has a
 * budget well below the limit.  What a space has mapped is counted by regions
 * of 2 MiB, from above; at the budget the regions filled longest ago go.
 * If a command fails all the same, a ladder is climbed that
 * ends where failing is impossible: the exact range, the regions around it,
 * everything, the death of the stub.
 *
 * Invariants
 *   I1  A is set in every entry of the walk, and D in the leaf for a write,
 *       before the mapper is told to map the page.
 *   I2  no host mapping is writable unless the leaf had D and every level RW
 *       when it was made; changing that is followed by an invalidation.
 *   I3  walk, install and invalidate hold sp_lock, and the mapper works in
 *       order: what was walked before an invalidation is dropped by it.
 *   I4  one host mapping lies inside one region.  v_total is the sum of the
 *       counts, each an upper bound of the mappings in its region: an mmap
 *       adds one and may split another, a munmap may split one, and a region
 *       has no more mappings than pages.
 *   I5  when hk_invalidate() returns, one rung of the ladder succeeded.
 *   I6  mprotect only takes rights away, never gives.
 *
 * Locking: sp_lock for everything here; table entries belong to the caller
 * and are touched by atomic operations only.
 * Not here: who runs the commands (batch.c), who changes the tables.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "host.h"

#define PTE_P		(1ull << 0)
#define PTE_RW		(1ull << 1)
#define PTE_US		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_NX		(1ull << 63)
#define PTE_ADDR	0x000ffffffffff000ull

#define ERR_WRITE	(1u << 1)	/* x86 page fault error code */
#define ERR_FETCH	(1u << 4)

#define AROUND		16u		/* pages: fault-around */
#define AROUND_RUNS	4u		/* runs of them at most: every run is an mmap */
#define TABLE_PAGES	512u		/* pages below one table: a region */
#define POPULATE_MAX	(AROUND * HK_PAGE)	/* beyond it the host's own faults are cheaper */
#define DOWNGRADES_MAX	128u		/* mprotects in one downgrade */
#define PASSES_MAX	8u		/* walks that lost a race against the caller's changes */

#define REGION_SHIFT	21
#define REGION_BYTES	(1ull << REGION_SHIFT)
#define REGIONS		1024u		/* slots of the hash */
#define REGIONS_FULL	(REGIONS / 4 * 3)
#define FILLS_PER_AGE	8u

struct region {
	uint32_t	r_key;		/* number of the region + 1; 0: free */
	uint16_t	r_count;	/* I4 */
	uint16_t	r_age;		/* v_age when it was filled last */
};

/* What is remembered of the host's mappings of one space.  All of it: sp_lock. */
struct hk_vpt {
	uint32_t	v_total;	/* I4 */
	uint32_t	v_keys;		/* slots that are not free */
	uint32_t	v_fills;
	uint16_t	v_age;
	struct region	v_region[REGIONS];
};

/* -------------------------------------------------------------- regions -- */

static struct hk_vpt *
vpt_of(struct hk_space_rec *sp)
{
	long got;

	if (sp->sp_vpt != NULL)
		return sp->sp_vpt;
	got = HK_SYS5(SYS_mmap, 0, sizeof(struct hk_vpt), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (got < 0)
		return NULL;
	sp->sp_vpt = (struct hk_vpt *)got;
	return sp->sp_vpt;
}

static struct region *
region_slot(struct hk_vpt *v, uint32_t key)
{
	uint32_t i = key * 2654435761u >> 22;

	_Static_assert(REGIONS == 1u << 10, "the hash gives 10 bits");
	while (v->v_region[i].r_key != 0 && v->v_region[i].r_key != key)
		i = (i + 1) % REGIONS;
	return &v->v_region[i];
}

static uint32_t
region_key(uint64_t va)
{
	return (uint32_t)(va >> REGION_SHIFT) + 1;
}

static uint64_t
region_va(uint32_t key)
{
	return (uint64_t)(key - 1) << REGION_SHIFT;
}

static uint32_t
region_count(struct hk_vpt *v, uint64_t va)
{
	return region_slot(v, region_key(va))->r_count;
}

/* `n` mappings more, at most, in the region of va. */
static void
region_add(struct hk_vpt *v, uint64_t va, uint32_t n)
{
	struct region *r = region_slot(v, region_key(va));
	uint32_t count;

	if (r->r_key == 0) {
		ASSERT(v->v_keys < REGIONS_FULL);
		r->r_key = region_key(va);
		v->v_keys++;
	}
	count = r->r_count + n < TABLE_PAGES ? r->r_count + n : TABLE_PAGES;
	v->v_total += count - r->r_count;
	r->r_count = (uint16_t)count;
	if (++v->v_fills % FILLS_PER_AGE == 0)
		v->v_age++;
	r->r_age = v->v_age;
}

/* Nothing is mapped any more in the region that r counts. */
static void
region_clear(struct hk_vpt *v, struct region *r)
{
	ASSERT(v->v_total >= r->r_count);
	v->v_total -= r->r_count;
	r->r_count = 0;
}

/* Give the slots of empty regions back. */
static void
rehash(struct hk_vpt *v)
{
	struct region keep[REGIONS];
	uint32_t n = 0;

	for (uint32_t i = 0; i < REGIONS; i++)
		if (v->v_region[i].r_count != 0)
			keep[n++] = v->v_region[i];
	memset(v->v_region, 0, sizeof(v->v_region));
	v->v_keys = n;
	for (uint32_t i = 0; i < n; i++)
		*region_slot(v, keep[i].r_key) = keep[i];
}

/* The region filled longest ago that still has mappings, `but` excepted; NULL: none. */
static struct region *
oldest(struct hk_vpt *v, uint32_t but)
{
	struct region *old = NULL;

	for (uint32_t i = 0; i < REGIONS; i++) {
		struct region *r = &v->v_region[i];

		if (r->r_count == 0 || r->r_key == but)
			continue;
		if (old == NULL || (uint16_t)(v->v_age - r->r_age) > (uint16_t)(v->v_age - old->r_age))
			old = r;
	}
	return old;
}

static void
sync_bound(struct hk_space_rec *sp, const struct hk_vpt *v)
{
	sp->sp_maps = v->v_total;
}

/* One munmap for the whole of a region, as far as it is the guest's. */
static void
evict(struct hk_space_rec *sp, struct hk_vpt *v, struct region *r)
{
	uint64_t lo = region_va(r->r_key), hi = lo + REGION_BYTES;

	lo = lo > HK_USER_MIN ? lo : HK_USER_MIN;
	hi = hi < HK_USER_MAX ? hi : HK_USER_MAX;
	hk_batch_munmap(sp, lo, hi - lo);
	region_clear(v, r);
	atomic_fetch_add_explicit(&hk_m.n_evictions, 1, memory_order_relaxed);
}

/*
 * Make room for `need` mappings more in the region of va.  The commands are
 * only collected: a fill that follows in the same batch is not undone by them.
 */
static void
make_room(struct hk_space_rec *sp, struct hk_vpt *v, uint64_t va, uint32_t need)
{
	uint32_t goal = v->v_total, keys = REGIONS, cap = hk_m.m_map_budget, own = region_key(va);
	struct region *r;

	if (v->v_keys >= REGIONS_FULL - 1) {
		rehash(v);
		if (v->v_keys >= REGIONS_FULL / 4 * 3)
			keys = REGIONS_FULL / 2;
	}
	if (v->v_total + need > cap)
		goal = cap / 2;
	for (uint32_t live = v->v_keys; v->v_total > goal || live > keys; live--) {
		r = oldest(v, own);
		if (r == NULL)
			break;
		evict(sp, v, r);
	}
	if (v->v_total + need > cap && region_count(v, va) != 0)
		evict(sp, v, region_slot(v, own));
	if (v->v_keys >= REGIONS_FULL - 1)
		rehash(v);
	sync_bound(sp, v);
}

/* ------------------------------------------------------------- the walk -- */

static bool
is_ram(uint64_t pa, uint64_t len)
{
	return pa < hk_m.m_ram_bytes && len <= hk_m.m_ram_bytes - pa;
}

static uint64_t *
table_at(uint64_t pa)
{
	return (uint64_t *)(hk_m.m_ram_base + pa);
}

/* Set bits in an entry unless it has changed meanwhile.  I1 */
static bool
mark(uint64_t *entry, uint64_t seen, uint64_t bits)
{
	if ((seen & bits) == bits)
		return true;
	return __atomic_compare_exchange_n(entry, &seen, seen | bits, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/*
 * Rights are RW and US, which every level must give, and NX, which any level
 * may impose, in the bits where entries have them.
 */
#define ALL_RIGHTS	(PTE_RW | PTE_US)

static uint64_t
combine(uint64_t above, uint64_t entry)
{
	return (above & entry & ALL_RIGHTS) | ((above | entry) & PTE_NX);
}

static bool
permits(uint64_t rights, uint32_t err)
{
	if ((rights & PTE_US) == 0)
		return false;
	if ((err & ERR_WRITE) != 0 && (rights & PTE_RW) == 0)
		return false;
	return (err & ERR_FETCH) == 0 || (rights & PTE_NX) == 0;
}

static int
prot_of(uint64_t rights, uint64_t entry)
{
	return PROT_READ | ((rights & PTE_RW) != 0 && (entry & PTE_D) != 0 ? PROT_WRITE : 0) |
	    ((rights & PTE_NX) == 0 ? PROT_EXEC : 0);
}

/* Where a walk ends. */
enum found { FOUND_TABLE, FOUND_LARGE, FOUND_NONE, FOUND_RACE };
struct spot {
	uint64_t	*s_table;	/* FOUND_TABLE: of the 4 KiB entries */
	uint64_t	*s_entry;	/* FOUND_LARGE: the entry with PS */
	uint64_t	s_above;	/* rights of the levels passed */
	unsigned int	s_shift;	/* FOUND_LARGE, FOUND_NONE: log2 of what one entry here covers */
};

/* Descend towards va as the processor does, marking the tables on the way. */
static enum found
descend(uint64_t root, uint64_t va, struct spot *s)
{
	uint64_t pa = root;

	s->s_above = ALL_RIGHTS;
	for (s->s_shift = 39; s->s_shift > 12; s->s_shift -= 9) {
		uint64_t seen;

		if (!is_ram(pa, HK_PAGE))
			return FOUND_NONE;
		s->s_entry = table_at(pa) + (va >> s->s_shift & 511);
		seen = __atomic_load_n(s->s_entry, __ATOMIC_ACQUIRE);
		if ((seen & PTE_P) == 0)
			return FOUND_NONE;
		if (s->s_shift < 39 && (seen & PTE_PS) != 0)
			return FOUND_LARGE;
		if (!mark(s->s_entry, seen, PTE_A))
			return FOUND_RACE;
		s->s_above = combine(s->s_above, seen);
		pa = seen & PTE_ADDR;
	}
	if (!is_ram(pa, HK_PAGE))
		return FOUND_NONE;
	s->s_table = table_at(pa);
	return FOUND_TABLE;
}

/* A page that may be mapped, and how; marks it accessed. */
static bool
usable(uint64_t *entry, uint64_t above, uint64_t *pa, int *prot)
{
	uint64_t seen = __atomic_load_n(entry, __ATOMIC_ACQUIRE), rights = combine(above, seen);

	if ((seen & PTE_P) == 0 || !permits(rights, 0) || !is_ram(seen & PTE_ADDR, HK_PAGE))
		return false;
	if (!mark(entry, seen, PTE_A))
		return false;
	*pa = seen & PTE_ADDR;
	*prot = prot_of(rights, seen);
	return true;
}

/* --------------------------------------------------------------- filling -- */

struct run {
	uint64_t	va, pa;
	uint32_t	pages;
	int		prot;
};

static void
emit(struct hk_space_rec *sp, struct hk_vpt *v, const struct run *r)
{
	uint64_t len = (uint64_t)r->pages * HK_PAGE;

	ASSERT(r->va >> REGION_SHIFT == (r->va + len - 1) >> REGION_SHIFT);	/* I4 */
	hk_batch_mmap(sp, r->va, len, r->pa, r->prot, len <= POPULATE_MAX);
	region_add(v, r->va, 2);
	sync_bound(sp, v);
}

/* The run that `r` continues, if it does. */
static bool
extends(const struct run *r, uint64_t va, uint64_t pa, int prot)
{
	uint64_t len = (uint64_t)r->pages * HK_PAGE;

	return r->va + len == va && r->pa + len == pa && r->prot == prot;
}

/* Gather the runs of pages first..last of `table`, whose first page is at base.  At most `max`. */
static uint32_t
gather(uint64_t *table, uint64_t above, uint64_t base, unsigned int first, unsigned int last,
    struct run *run, uint32_t max)
{
	uint32_t n = 0;

	for (unsigned int i = first; i <= last; i++) {
		uint64_t va = base + (uint64_t)i * HK_PAGE, pa;
		int prot;

		if (va < HK_USER_MIN || !usable(table + i, above, &pa, &prot))
			continue;
		if (n > 0 && extends(&run[n - 1], va, pa, prot)) {
			run[n - 1].pages++;
			continue;
		}
		if (n == max)
			break;
		run[n++] = (struct run){ va, pa, 1, prot };
	}
	return n;
}

/*
 * The index after the last page that continues `r` in the same way and was
 * never accessed.  An accessed page is likely mapped, and mapping it again
 * would throw away what the host has in place for it.
 */
static unsigned int
extent(uint64_t *table, uint64_t above, unsigned int from, const struct run *r)
{
	uint64_t pa = r->pa + (uint64_t)r->pages * HK_PAGE;
	unsigned int i = from;

	for (; i < TABLE_PAGES; i++, pa += HK_PAGE) {
		uint64_t seen = __atomic_load_n(table + i, __ATOMIC_ACQUIRE), rights = combine(above, seen);

		if ((seen & (PTE_P | PTE_A)) != PTE_P || (seen & PTE_ADDR) != pa || !is_ram(pa, HK_PAGE) ||
		    !permits(rights, 0) || prot_of(rights, seen) != r->prot)
			break;
	}
	return i;
}

/* The faulting page and its neighbours, in at most AROUND_RUNS runs, its own first. */
static void
fill_around(struct hk_space_rec *sp, struct hk_vpt *v, uint64_t va, const struct spot *s)
{
	uint64_t base = va & ~(REGION_BYTES - 1);
	unsigned int first = (unsigned int)(va >> 12 & 511) & ~(AROUND - 1), last = first + AROUND - 1;
	uint32_t n, own = 0, left = AROUND_RUNS - 1;
	struct run run[AROUND];

	n = gather(s->s_table, s->s_above, base, first, last, run, AROUND);
	while (own < n && va - run[own].va >= (uint64_t)run[own].pages * HK_PAGE)
		own++;
	if (own == n)
		return;			/* changed under our eyes: the guest will fault again */
	if (n == 1 && run[0].pages == AROUND) {
		unsigned int end = extent(s->s_table, s->s_above, last + 1, &run[0]);

		if (end > last + 1)
			n = gather(s->s_table, s->s_above, base, first, end - 1, run, AROUND);
	}
	make_room(sp, v, va, 2 * (n < AROUND_RUNS ? n : AROUND_RUNS));
	emit(sp, v, &run[own]);
	for (uint32_t i = 0; i < n && left > 0; i++)
		if (i != own) {
			emit(sp, v, &run[i]);
			left--;
		}
}

/* The 2 MiB around va of a large page whose entry was `entry`. */
static void
fill_large(struct hk_space_rec *sp, struct hk_vpt *v, uint64_t va, const struct spot *s, uint64_t entry)
{
	uint64_t span = 1ull << s->s_shift, base = va & ~(REGION_BYTES - 1);
	uint64_t pa = (entry & PTE_ADDR & ~(span - 1)) + (base & (span - 1));
	uint64_t skip = base < HK_USER_MIN ? HK_USER_MIN - base : 0;
	struct run r = {
		base + skip, pa + skip, (uint32_t)((REGION_BYTES - skip) / HK_PAGE),
		prot_of(combine(s->s_above, entry), entry),
	};

	make_room(sp, v, va, 2);
	emit(sp, v, &r);
}

static bool
large_is_ram(const struct spot *s, uint64_t entry)
{
	uint64_t span = 1ull << s->s_shift;

	return is_ram(entry & PTE_ADDR & ~(span - 1), span);
}

/* ------------------------------------------------------------ the ladder -- */

/* Rungs that need no argument: forget everything, and if even that fails, end the stub.  False: it is dead. */
static bool
drop_everything(struct hk_space_rec *sp)
{
	if (atomic_load(&sp->sp_dead) == 0) {
		hk_batch_drop_all(sp);
		if (hk_batch_commit(sp)) {
			hk_vpt_forget(sp);
			return true;
		}
	}
	hk_space_kill(sp);
	hk_space_kill_wait(sp);
	return false;
}

void
hk_vpt_forget(struct hk_space_rec *sp)
{
	sp->sp_maps = 0;
	if (sp->sp_vpt != NULL && sp->sp_vpt->v_keys != 0)
		memset(sp->sp_vpt, 0, sizeof(*sp->sp_vpt));
}

void
hk_vpt_free(struct hk_space_rec *sp)
{
	if (sp->sp_vpt != NULL)
		HK_SYS2(SYS_munmap, sp->sp_vpt, sizeof(*sp->sp_vpt));
	sp->sp_vpt = NULL;
}

/* ---------------------------------------------------------------- faults -- */

static enum hk_fill
fault(struct hk_space_rec *sp, struct hk_vpt *v, uint64_t va, uint32_t err)
{
	uint64_t bits = PTE_A | ((err & ERR_WRITE) != 0 ? PTE_D : 0);

	for (unsigned int pass = 0; pass < PASSES_MAX; pass++) {
		struct spot s;
		enum found found = descend(sp->sp_root, va, &s);
		uint64_t *entry, seen;

		if (found == FOUND_RACE)
			continue;
		if (found == FOUND_NONE)
			return HK_FILL_REFUSED;
		entry = found == FOUND_LARGE ? s.s_entry : s.s_table + (va >> 12 & 511);
		seen = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
		if (found == FOUND_LARGE && (seen & (PTE_P | PTE_PS)) == PTE_P)
			continue;		/* split since: it names a table now */
		if ((seen & PTE_P) == 0 || !permits(combine(s.s_above, seen), err))
			return HK_FILL_REFUSED;
		if (found == FOUND_LARGE ? !large_is_ram(&s, seen) : !is_ram(seen & PTE_ADDR, HK_PAGE))
			return HK_FILL_REFUSED;
		if (!mark(entry, seen, bits))
			continue;
		if (found == FOUND_LARGE)
			fill_large(sp, v, va, &s, seen | bits);
		else
			fill_around(sp, v, va & ~(uint64_t)(HK_PAGE - 1), &s);
		break;
	}
	return HK_FILL_SERVED;		/* after PASSES_MAX lost races the guest faults again */
}

enum hk_fill
hk_vpt_fault(struct hk_space_rec *sp, uint64_t va, uint32_t err)
{
	struct hk_vpt *v;
	enum hk_fill fill;

	if (va < HK_USER_MIN || va >= HK_USER_MAX)
		return HK_FILL_REFUSED;
	if (atomic_load(&sp->sp_dead) != 0)
		return HK_FILL_DEAD;
	v = vpt_of(sp);
	if (v == NULL) {
		hk_space_kill(sp);
		return HK_FILL_DEAD;
	}
	if (hk_batch_settle(sp))
		return fault(sp, v, va, err);

	/* The host refused a mapping.  With nothing else mapped it has no reason left but want of memory. */
	if (!drop_everything(sp))
		return HK_FILL_DEAD;
	fill = fault(sp, v, va, err);
	if (fill == HK_FILL_SERVED && !hk_batch_commit(sp)) {
		hk_space_kill(sp);
		return HK_FILL_DEAD;
	}
	return fill;
}

/* -------------------------------------------------------------- prefill -- */

static bool
is_range(const struct hk_range *r)
{
	return ((r->va | r->len) & (HK_PAGE - 1)) == 0 && r->va >= HK_USER_MIN && r->va < HK_USER_MAX &&
	    r->len <= HK_USER_MAX - r->va;
}

/* Install what the tables say for [va, end), all in one region.  A hint does not evict. */
static void
prefill_region(struct hk_space_rec *sp, struct hk_vpt *v, uint64_t va, uint64_t end, const struct spot *s,
    enum found found)
{
	uint64_t base = va & ~(REGION_BYTES - 1);
	struct run run[AROUND * 4];
	uint32_t n;

	if (v->v_total + 2 * AROUND * 4 > hk_m.m_map_budget || v->v_keys >= REGIONS_FULL - 1)
		return;
	if (found == FOUND_LARGE) {
		uint64_t seen = __atomic_load_n(s->s_entry, __ATOMIC_ACQUIRE);

		if ((seen & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS) && permits(combine(s->s_above, seen), 0) &&
		    large_is_ram(s, seen) && mark(s->s_entry, seen, PTE_A))
			fill_large(sp, v, va, s, seen);
		return;
	}
	n = gather(s->s_table, s->s_above, base, (unsigned int)((va - base) / HK_PAGE),
	    (unsigned int)((end - 1 - base) / HK_PAGE), run, AROUND * 4);
	for (uint32_t i = 0; i < n; i++)
		emit(sp, v, &run[i]);
}

void
hk_prefill(hk_space id, const struct hk_range *r, size_t n)
{
	struct hk_space_rec *sp = hk_space_rec(id);
	struct hk_vpt *v;

	ASSERT(sp != NULL);
	hk_lock(&sp->sp_lock);
	v = vpt_of(sp);
	if (v == NULL || atomic_load(&sp->sp_dead) != 0)
		goto out;
	hk_batch_settle(sp);		/* what failed there will fault again */
	for (size_t i = 0; i < n; i++) {
		uint64_t va = r[i].va, end = r[i].va + r[i].len, next;

		ASSERT(is_range(&r[i]));
		for (; va < end; va = next) {
			struct spot s;
			enum found found = descend(sp->sp_root, va, &s);
			unsigned int step = found == FOUND_NONE && s.s_shift > REGION_SHIFT ? s.s_shift : REGION_SHIFT;

			next = (va | ((1ull << step) - 1)) + 1;
			next = next < end ? next : end;
			if (found == FOUND_TABLE || found == FOUND_LARGE)
				prefill_region(sp, v, va, next, &s, found);
		}
	}
	atomic_store_explicit(&sp->sp_unsent, sp->sp_count > 0, memory_order_relaxed);
out:
	hk_unlock(&sp->sp_lock);
}

/* --------------------------------------------------------- invalidation -- */

static bool
covers(const struct hk_range *r, uint32_t key)
{
	uint64_t lo = region_va(key), hi = lo + REGION_BYTES;

	return (r->va <= lo || lo < HK_USER_MIN) && r->va + r->len >= hi;
}

static bool
touches(const struct hk_range *r, uint32_t key)
{
	uint64_t lo = region_va(key);

	return r->va < lo + REGION_BYTES && r->va + r->len > lo;
}

/*
 * Call fn for each region that has mappings and touches the range, until it
 * says stop.  A short range asks for its regions by number, a long one looks
 * at all that there are.
 */
static bool
each_region(struct hk_vpt *v, const struct hk_range *r,
    bool (*fn)(struct hk_vpt *, struct region *, const struct hk_range *))
{
	uint32_t first, last;

	if (r->len == 0)
		return false;
	first = region_key(r->va);
	last = region_key(r->va + r->len - 1);
	if (last - first < REGIONS / 8) {
		for (uint32_t key = first; key <= last; key++) {
			struct region *g = region_slot(v, key);

			if (g->r_count != 0 && fn(v, g, r))
				return true;
		}
		return false;
	}
	for (uint32_t i = 0; i < REGIONS; i++) {
		struct region *g = &v->v_region[i];

		if (g->r_count != 0 && touches(r, g->r_key) && fn(v, g, r))
			return true;
	}
	return false;
}

static bool
any(struct hk_vpt *v, struct region *g, const struct hk_range *r)
{
	(void)v;
	(void)g;
	(void)r;
	return true;
}

/* Most invalidations of a young process are of nothing. */
static bool
is_mapped(struct hk_vpt *v, const struct hk_range *r)
{
	return each_region(v, r, any);
}

static bool
uncovered(struct hk_vpt *v, struct region *g, const struct hk_range *r)
{
	(void)v;
	return !covers(r, g->r_key);
}

/* Would dropping the range leave nothing at all? */
static bool
is_everything(struct hk_vpt *v, const struct hk_range *r)
{
	const struct hk_range below = { HK_USER_MIN, r->va - HK_USER_MIN };
	const struct hk_range above = { r->va + r->len, HK_USER_MAX - (r->va + r->len) };

	return r->len >= REGION_BYTES && !each_region(v, r, uncovered) && !is_mapped(v, &below) &&
	    !is_mapped(v, &above);
}

static bool
dropped(struct hk_vpt *v, struct region *g, const struct hk_range *r)
{
	if (covers(r, g->r_key)) {
		region_clear(v, g);
	} else if (g->r_count < TABLE_PAGES) {
		g->r_count++;		/* one of its mappings may be two now */
		v->v_total++;
	}
	return false;
}

/* After the munmap of one range succeeded: I4. */
static void
account(struct hk_vpt *v, const struct hk_range *r)
{
	each_region(v, r, dropped);
}

/* First rung, and the only one that most ever see. */
static bool
drop_exact(struct hk_space_rec *sp, struct hk_vpt *v, const struct hk_range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_mapped(v, &r[i]))
			hk_batch_munmap(sp, r[i].va, r[i].len);
	if (!hk_batch_commit(sp))
		return false;
	for (size_t i = 0; i < n; i++)
		account(v, &r[i]);
	return true;
}

/* Second rung: whole regions, for a munmap that need not split a mapping cannot lack one. */
static bool
drop_regions(struct hk_space_rec *sp, struct hk_vpt *v, const struct hk_range *r, size_t n)
{
	for (uint32_t i = 0; i < REGIONS; i++)
		for (size_t k = 0; v->v_region[i].r_count != 0 && k < n; k++)
			if (r[k].len != 0 && touches(&r[k], v->v_region[i].r_key)) {
				evict(sp, v, &v->v_region[i]);
				break;
			}
	return hk_batch_commit(sp);
}

/* What a downgrade collects: neighbouring pages become one mprotect. */
struct downgrade {
	struct hk_space_rec	*d_space;
	uint64_t		d_va, d_end;	/* the run so far */
	uint32_t		d_count;	/* commands */
};

static void
downgrade_flush(struct downgrade *d)
{
	if (d->d_end == d->d_va)
		return;
	hk_batch_mprotect(d->d_space, d->d_va, d->d_end - d->d_va, PROT_READ);	/* I6 */
	d->d_count++;
	d->d_va = d->d_end = 0;
}

static void
downgrade_add(struct downgrade *d, uint64_t va, uint64_t len)
{
	if (d->d_end != va) {
		downgrade_flush(d);
		d->d_va = d->d_end = va;
	}
	d->d_end += len;
}

/* [va, end) lies in one region, which has mappings.  Likely mapped is what is present and was accessed. */
static void
downgrade_region(struct downgrade *d, uint64_t va, uint64_t end)
{
	struct spot s;

	switch (descend(d->d_space->sp_root, va, &s)) {
	case FOUND_LARGE:
		if ((__atomic_load_n(s.s_entry, __ATOMIC_ACQUIRE) & PTE_A) != 0)
			downgrade_add(d, va, end - va);
		break;
	case FOUND_TABLE:
		for (; va < end; va += HK_PAGE) {
			uint64_t seen = __atomic_load_n(s.s_table + (va >> 12 & 511), __ATOMIC_ACQUIRE);

			if ((seen & (PTE_P | PTE_A)) == (PTE_P | PTE_A))
				downgrade_add(d, va, HK_PAGE);
		}
		break;
	default:
		/* Mapped once, gone from the tables since: only forgetting it is right. */
		d->d_count = DOWNGRADES_MAX;
	}
}

/*
 * Take write permission away and leave readers warm.  A page that the host
 * does not have mapped after all makes its mprotect fail, and a fragmented
 * range would take a command for each fragment: both are then dropped.
 */
static bool
downgrade(struct hk_space_rec *sp, struct hk_vpt *v, const struct hk_range *r, size_t n)
{
	struct downgrade d = { .d_space = sp };

	for (size_t i = 0; i < n; i++) {
		uint64_t va = r[i].va, end = r[i].va + r[i].len, next;

		if (r[i].len > HK_BATCH_SPAN)
			return false;
		for (; va < end && d.d_count < DOWNGRADES_MAX; va = next) {
			next = (va | (REGION_BYTES - 1)) + 1;
			next = next < end ? next : end;
			if (region_count(v, va) == 0)
				continue;
			region_add(v, va, 2);
			downgrade_region(&d, va, next);
		}
		downgrade_flush(&d);
	}
	sync_bound(sp, v);
	return hk_batch_commit(sp) && d.d_count < DOWNGRADES_MAX;
}

/* sp_lock held.  I5 */
static void
invalidate(struct hk_space_rec *sp, const struct hk_range *r, size_t n, enum hk_inval how)
{
	struct hk_vpt *v = sp->sp_vpt;

	hk_batch_settle(sp);		/* what failed there is not mapped */
	if (atomic_load(&sp->sp_dead) != 0) {
		hk_space_kill_wait(sp);
		return;
	}
	if (v == NULL || v->v_total == 0)
		return;
	if (how == HK_INVAL_WRPROTECT && downgrade(sp, v, r, n))
		return;
	if (n == 1 && is_everything(v, r)) {
		drop_everything(sp);
		return;
	}
	if (!drop_exact(sp, v, r, n) && !drop_regions(sp, v, r, n))
		drop_everything(sp);
	sync_bound(sp, v);
}

void
hk_invalidate(hk_space id, const struct hk_range *r, size_t n, enum hk_inval how)
{
	struct hk_space_rec *sp = hk_space_rec(id);

	ASSERT(sp != NULL);
	for (size_t i = 0; i < n; i++)
		ASSERT(is_range(&r[i]));
	hk_lock(&sp->sp_lock);
	invalidate(sp, r, n, how);
	hk_unlock(&sp->sp_lock);
}

hk_result
hk_space_root(hk_space id, uint64_t root_pa)
{
	struct hk_space_rec *sp = hk_space_rec(id);
	const struct hk_range all = { HK_USER_MIN, HK_USER_MAX - HK_USER_MIN };
	hk_result result = HK_OK;

	if (sp == NULL || (root_pa & (HK_PAGE - 1)) != 0 || !is_ram(root_pa, HK_PAGE))
		return HK_INVAL;
	hk_lock(&sp->sp_lock);
	invalidate(sp, &all, 1, HK_INVAL_DROP);
	sp->sp_root = root_pa;
	if (atomic_load(&sp->sp_dead) != 0)
		result = HK_GONE;
	hk_unlock(&sp->sp_lock);
	return result;
}
