/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpt against a host that is an array: each page of a small guest range has
 * the RAM page and the rights that the mapper's commands gave it.  Commands
 * are collected and run at commit, and one of them can be made to fail.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vpt.c"

#define BASE	0x40000000ull			/* guest range under test: [BASE, BASE + SPAN) */
#define SPAN	0x20000000ull
#define PAGES	(SPAN / HK_PAGE)
#define RAM	(384ull << 20)
#define NOTHING	UINT64_MAX

enum kind { MMAP, MUNMAP, MPROTECT, DROP_ALL };
struct cmd {
	enum kind	kind;
	uint64_t	va, len, pa;
	int		prot;
};

struct hk_machine hk_m;
static struct hk_space_rec space;
static struct cmd cmd[4096];
static uint32_t ncmd, ran, mmaps, munmaps, mprotects, drops, kills;
static uint64_t host_pa[PAGES];
static int host_prot[PAGES];
static bool pending_failure;
static uint32_t fail_kinds, fail_times;		/* refuse this many commands of these kinds */
static uint64_t next_table;

/* -------------------------------------------------------------- the host -- */

static bool
run_one(const struct cmd *c)
{
	ran++;
	if (fail_times > 0 && (fail_kinds >> c->kind & 1) != 0) {
		fail_times--;
		return false;
	}
	if (c->kind == DROP_ALL) {
		for (uint64_t i = 0; i < PAGES; i++)
			host_pa[i] = NOTHING;
		return true;
	}
	for (uint64_t va = c->va; va < c->va + c->len; va += HK_PAGE) {
		uint64_t i = (va - BASE) / HK_PAGE;

		if (va < BASE || i >= PAGES) {
			assert_int_equal(c->kind, MUNMAP);
			continue;
		}
		if (c->kind == MPROTECT && host_pa[i] == NOTHING)
			return false;			/* a hole: ENOMEM, what went before stays done */
		if (c->kind == MMAP)
			host_pa[i] = c->pa + (va - c->va);
		if (c->kind == MUNMAP)
			host_pa[i] = NOTHING;
		host_prot[i] = c->prot;
	}
	return true;
}

static void
add(enum kind kind, uint64_t va, uint64_t len, uint64_t pa, int prot)
{
	assert_true(ncmd < sizeof(cmd) / sizeof(cmd[0]));
	assert_true(kind == DROP_ALL || (va >= HK_USER_MIN && va + len <= HK_USER_MAX && len > 0));
	assert_int_equal((va | len | pa) & (HK_PAGE - 1), 0);
	cmd[ncmd++] = (struct cmd){ kind, va, len, pa, prot };
	space.sp_count = ncmd;
}

void
hk_batch_mmap(struct hk_space_rec *sp, uint64_t va, uint64_t len, uint64_t pa, int prot, bool populate)
{
	(void)populate;
	sp->sp_maps += 2;
	mmaps++;
	add(MMAP, va, len, pa, prot);
}

void
hk_batch_munmap(struct hk_space_rec *sp, uint64_t va, uint64_t len)
{
	sp->sp_maps++;
	munmaps++;
	add(MUNMAP, va, len, 0, 0);
}

void
hk_batch_mprotect(struct hk_space_rec *sp, uint64_t va, uint64_t len, int prot)
{
	sp->sp_maps++;
	mprotects++;
	add(MPROTECT, va, len, 0, prot);
}

void
hk_batch_drop_all(struct hk_space_rec *sp)
{
	sp->sp_maps = 0;
	drops++;
	add(DROP_ALL, 0, 0, 0, 0);
}

bool
hk_batch_commit(struct hk_space_rec *sp)
{
	bool ok = !pending_failure;

	for (uint32_t i = 0; i < ncmd && ok; i++)
		ok = run_one(&cmd[i]);
	ncmd = sp->sp_count = 0;
	pending_failure = false;
	return ok && sp->sp_dead == 0;
}

bool
hk_batch_settle(struct hk_space_rec *sp)
{
	return hk_batch_commit(sp);
}

void
hk_space_kill(struct hk_space_rec *sp)
{
	kills++;
	sp->sp_dead = 1;
	for (uint64_t i = 0; i < PAGES; i++)
		host_pa[i] = NOTHING;
}

void
hk_space_kill_wait(struct hk_space_rec *sp)
{
	(void)sp;
}

struct hk_space_rec *
hk_space_rec(hk_space s)
{
	return s == 0 ? &space : NULL;
}

static long
raw(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (nr == SYS_mmap)
		return (long)mmap((void *)a0, (size_t)a1, (int)a2, (int)a3, (int)a4, a5);
	if (nr == SYS_munmap)
		return munmap((void *)a0, (size_t)a1);
	return -ENOSYS;
}
struct hk_sysops hk_sysops = { .call = raw };

void
hk_lock(struct hk_lock *l)
{
	assert_int_equal(l->l_word++, 0);
}

void
hk_unlock(struct hk_lock *l)
{
	assert_int_equal(--l->l_word, 0);
}

_Noreturn void
hk_assert_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* ------------------------------------------------------------ the tables -- */

static void
fresh(uint32_t budget)
{
	hk_vpt_free(&space);
	memset(&space, 0, sizeof(space));
	memset((void *)hk_m.m_ram_base, 0, 64 << 20);
	hk_m.m_map_budget = budget;
	for (uint64_t i = 0; i < PAGES; i++)
		host_pa[i] = NOTHING;
	ncmd = ran = mmaps = munmaps = mprotects = drops = kills = 0;
	fail_kinds = fail_times = 0;
	pending_failure = false;
	space.sp_root = HK_PAGE;
	next_table = 2 * HK_PAGE;
}

/* The entry of va at `level` (3: root); tables on the way are made with `bits`. */
static uint64_t *
entry_at(uint64_t va, unsigned int level, uint64_t bits)
{
	uint64_t pa = space.sp_root;

	for (unsigned int l = 3; l > level; l--) {
		uint64_t *e = table_at(pa) + (va >> (12 + 9 * l) & 511);

		if ((*e & PTE_P) == 0) {
			*e = next_table | bits;
			next_table += HK_PAGE;
			assert_true(next_table < 64 << 20);
		}
		pa = *e & PTE_ADDR;
	}
	return table_at(pa) + (va >> (12 + 9 * level) & 511);
}

#define UP	(PTE_P | PTE_RW | PTE_US)

static uint64_t *
put(uint64_t va, uint64_t pa, uint64_t bits)
{
	uint64_t *e = entry_at(va, 0, UP);

	*e = pa | bits;
	return e;
}

static enum hk_fill
touch(uint64_t va, uint32_t err)
{
	enum hk_fill r = hk_vpt_fault(&space, va, err);

	hk_batch_commit(&space);
	return r;
}

static uint64_t
at(uint64_t va)
{
	return host_pa[(va - BASE) / HK_PAGE];
}

static int
prot_at(uint64_t va)
{
	return host_prot[(va - BASE) / HK_PAGE];
}

/* Mappings that the host has: runs that one mapping could cover, counted from below. */
static uint32_t
pieces(void)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < PAGES; i++)
		if (host_pa[i] != NOTHING && (i == 0 || host_pa[i - 1] == NOTHING ||
		    host_pa[i - 1] + HK_PAGE != host_pa[i] || host_prot[i - 1] != host_prot[i]))
			n++;
	return n;
}

/* ---------------------------------------------------------------- tests -- */

static void
every_combination_of_rights_is_judged_as_the_processor_does(void **state)
{
	static const uint64_t bit[] = { PTE_P, PTE_RW, PTE_US, PTE_NX };
	static const uint32_t errs[] = { 0, ERR_WRITE, ERR_FETCH, ERR_WRITE | 1, ERR_FETCH | 1 };
	uint64_t va = BASE + 5 * HK_PAGE;

	(void)state;
	for (unsigned int level = 0; level < 4; level++)
		for (unsigned int c = 0; c < 16; c++)
			for (size_t k = 0; k < 5; k++) {
				uint64_t flags = 0, *e, *leaf, other = UP;
				bool allow;

				fresh(256);
				leaf = put(va, 64 << 20, other);
				e = entry_at(va, level, UP);
				for (unsigned int b = 0; b < 4; b++)
					flags |= (c >> b & 1) != 0 ? bit[b] : 0;
				*e = (*e & PTE_ADDR) | flags;
				allow = (flags & PTE_P) != 0 && (flags & PTE_US) != 0 &&
				    ((errs[k] & ERR_WRITE) == 0 || (flags & PTE_RW) != 0) &&
				    ((errs[k] & ERR_FETCH) == 0 || (flags & PTE_NX) == 0);
				assert_int_equal(touch(va, errs[k]), allow ? HK_FILL_SERVED : HK_FILL_REFUSED);
				assert_int_equal(at(va), allow ? 64 << 20 : NOTHING);
				assert_int_equal((*leaf & PTE_A) != 0, allow);
				assert_int_equal((*leaf & PTE_D) != 0, allow && (errs[k] & ERR_WRITE) != 0);
				if (!allow)
					continue;
				assert_true((*e & PTE_A) != 0);
				assert_int_equal(prot_at(va), PROT_READ |
				    ((errs[k] & ERR_WRITE) != 0 ? PROT_WRITE : 0) |
				    ((flags & PTE_NX) != 0 ? 0 : PROT_EXEC));
			}
}

static void
a_clean_page_is_read_only_until_its_first_write_is_seen(void **state)
{
	uint64_t *e;

	(void)state;
	fresh(256);
	e = put(BASE, 64 << 20, UP | PTE_NX);
	assert_int_equal(touch(BASE, 4), HK_FILL_SERVED);
	assert_int_equal(prot_at(BASE), PROT_READ);
	assert_int_equal(*e & (PTE_A | PTE_D), PTE_A);
	assert_int_equal(touch(BASE + 8, 7), HK_FILL_SERVED);
	assert_int_equal(prot_at(BASE), PROT_READ | PROT_WRITE);
	assert_int_equal(*e & (PTE_A | PTE_D), PTE_A | PTE_D);
}

static void
neighbours_come_along_in_few_runs(void **state)
{
	(void)state;
	fresh(256);
	for (uint64_t i = 0; i < 16; i++)		/* 8 contiguous and dirty, then 8 scattered */
		put(BASE + i * HK_PAGE, (64 << 20) + (i < 8 ? i : 64 - 3 * i) * HK_PAGE, UP | (i < 8 ? PTE_D : 0));
	put(BASE + 16 * HK_PAGE, 80 << 20, UP);		/* beyond the window */
	assert_int_equal(touch(BASE + 10 * HK_PAGE, 4), HK_FILL_SERVED);
	assert_int_equal(mmaps, 4);
	assert_int_equal(at(BASE + 10 * HK_PAGE), (64 << 20) + 34 * HK_PAGE);
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(at(BASE + i * HK_PAGE), (64 << 20) + i * HK_PAGE);
		assert_int_equal(prot_at(BASE + i * HK_PAGE), PROT_READ | PROT_WRITE | PROT_EXEC);
	}
	assert_int_equal(at(BASE + 16 * HK_PAGE), NOTHING);
}

static void
an_untouched_contiguous_table_becomes_one_mapping(void **state)
{
	(void)state;
	fresh(256);
	for (uint64_t i = 0; i < 512; i++)
		put(BASE + i * HK_PAGE, (64 << 20) + i * HK_PAGE, UP | PTE_D | (i == 300 ? PTE_A : 0));
	assert_int_equal(touch(BASE + 3 * HK_PAGE, 6), HK_FILL_SERVED);
	assert_int_equal(mmaps, 1);
	assert_int_equal(at(BASE + 299 * HK_PAGE), (64 << 20) + 299 * HK_PAGE);
	assert_int_equal(at(BASE + 300 * HK_PAGE), NOTHING);	/* touched before: likely mapped */
}

static void
a_large_page_is_one_mapping(void **state)
{
	uint64_t *e;

	(void)state;
	fresh(256);
	e = entry_at(BASE, 1, UP);
	*e = (66ull << 20) | UP | PTE_PS | PTE_NX;
	assert_int_equal(touch(BASE + 0x123456, 6), HK_FILL_SERVED);
	assert_int_equal(mmaps, 1);
	assert_true((*e & PTE_D) != 0);
	assert_int_equal(at(BASE), 66 << 20);
	assert_int_equal(at(BASE + 511 * HK_PAGE), (66 << 20) + 511 * HK_PAGE);
	assert_int_equal(prot_at(BASE), PROT_READ | PROT_WRITE);
	*e = (RAM - (1 << 20)) | UP | PTE_PS;		/* half of it would lie outside RAM (bits below 2 MiB are ignored) */
	assert_int_equal(touch(BASE, 4), HK_FILL_SERVED);
	*e = RAM | UP | PTE_PS;
	assert_int_equal(touch(BASE, 4), HK_FILL_REFUSED);
}

static void
addresses_and_tables_outside_are_refused(void **state)
{
	(void)state;
	fresh(256);
	assert_int_equal(touch(0, 4), HK_FILL_REFUSED);
	assert_int_equal(touch(HK_USER_MIN - 1, 4), HK_FILL_REFUSED);
	assert_int_equal(touch(HK_USER_MAX, 4), HK_FILL_REFUSED);
	assert_int_equal(touch(UINT64_MAX, 4), HK_FILL_REFUSED);
	put(BASE, RAM, UP);
	assert_int_equal(touch(BASE, 4), HK_FILL_REFUSED);
	*entry_at(BASE, 2, UP) = RAM | UP;
	assert_int_equal(touch(BASE, 4), HK_FILL_REFUSED);
	space.sp_root = RAM;
	assert_int_equal(touch(BASE, 4), HK_FILL_REFUSED);
	assert_int_equal(mmaps, 0);
}

static void
sixty_thousand_scattered_runs_fit_a_budget_of_256(void **state)
{
	uint64_t seed = 1, n = 60000;

	(void)state;
	fresh(256);
	for (uint64_t i = 0; i < n; i++)		/* every second page: no two make a run */
		put(BASE + 2 * i * HK_PAGE, (64ull << 20) + (n - i) * HK_PAGE, UP | PTE_D);
	for (uint64_t i = 0; i < 2 * n; i++) {
		uint64_t k = i;

		if (i >= n) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			k = (seed >> 33) % n;
		}
		if (at(BASE + 2 * k * HK_PAGE) == NOTHING)
			assert_int_equal(touch(BASE + 2 * k * HK_PAGE, 6), HK_FILL_SERVED);
		assert_int_equal(at(BASE + 2 * k * HK_PAGE), (64ull << 20) + (n - k) * HK_PAGE);
		assert_true(space.sp_maps <= 256);
		if (i % 4096 == 0)
			assert_true(pieces() <= space.sp_maps);
	}
	assert_int_equal(kills, 0);
}

static void
an_invalidation_at_the_budget_leaves_nothing_behind(void **state)
{
	struct hk_range r;

	(void)state;
	fresh(64);
	for (uint64_t i = 0; i < 2000; i++)
		put(BASE + 2 * i * HK_PAGE, (64ull << 20) + (4000 - i) * HK_PAGE, UP | PTE_D);
	for (uint64_t i = 0; i < 2000; i++) {
		touch(BASE + 2 * i * HK_PAGE, 6);
		r = (struct hk_range){ BASE + 2 * i * HK_PAGE, HK_PAGE };
		hk_invalidate(0, &r, 1, HK_INVAL_DROP);
		assert_int_equal(at(r.va), NOTHING);
		assert_true(pieces() <= space.sp_maps);
	}
	r = (struct hk_range){ BASE, SPAN };
	hk_invalidate(0, &r, 1, HK_INVAL_DROP);
	assert_int_equal(pieces(), 0);
	assert_int_equal(space.sp_maps, 0);
}

/* `times` failures of munmap bring the ladder one rung up each. */
static void
each_rung_of_the_ladder_catches_the_one_before(void **state)
{
	static const struct {
		uint32_t kinds, times, munmaps, drops, kills;
	} rung[] = {
		{ 0, 0, 1, 0, 0 },
		{ 1u << MUNMAP, 1, 2, 0, 0 },
		{ 1u << MUNMAP, 2, 2, 1, 0 },
		{ 1u << MUNMAP | 1u << DROP_ALL, 3, 2, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rung) / sizeof(rung[0]); i++) {
		struct hk_range r = { BASE + 4 * HK_PAGE, HK_PAGE };

		fresh(256);
		for (uint64_t p = 0; p < 16; p++)
			put(BASE + p * HK_PAGE, (64 << 20) + p * HK_PAGE, UP | PTE_D);
		put(BASE + (8 << 20), 66 << 20, UP);
		touch(BASE, 4);
		touch(BASE + (8 << 20), 4);
		munmaps = drops = 0;
		fail_kinds = rung[i].kinds;
		fail_times = rung[i].times;
		hk_invalidate(0, &r, 1, HK_INVAL_DROP);
		assert_int_equal(at(r.va), NOTHING);
		assert_int_equal(munmaps, rung[i].munmaps);
		assert_int_equal(drops, rung[i].drops);
		assert_int_equal(kills, rung[i].kills);
		assert_true(pieces() <= space.sp_maps);
	}
}

static void
write_protection_leaves_readers_warm(void **state)
{
	struct hk_range r = { BASE, 64 * HK_PAGE };

	(void)state;
	fresh(256);
	for (uint64_t p = 0; p < 32; p++)
		put(BASE + p * HK_PAGE, (64 << 20) + p * HK_PAGE, UP | PTE_D);
	touch(BASE, 6);
	for (uint64_t p = 0; p < 32; p++)
		*entry_at(BASE + p * HK_PAGE, 0, UP) &= ~PTE_RW;
	hk_invalidate(0, &r, 1, HK_INVAL_WRPROTECT);
	assert_int_equal(mprotects, 1);
	assert_int_equal(munmaps, 0);
	for (uint64_t p = 0; p < 32; p++) {
		assert_int_equal(at(BASE + p * HK_PAGE), (64 << 20) + p * HK_PAGE);
		assert_int_equal(prot_at(BASE + p * HK_PAGE), PROT_READ);
	}
}

static void
write_protection_over_a_hole_becomes_a_drop(void **state)
{
	struct hk_range r = { BASE, 64 * HK_PAGE };

	(void)state;
	fresh(256);
	for (uint64_t p = 0; p < 32; p++)
		put(BASE + p * HK_PAGE, (64 << 20) + p * HK_PAGE, UP | PTE_D | (p >= 16 ? PTE_A : 0));
	touch(BASE, 6);				/* maps 16 pages; the others were accessed, it seems, but are not there */
	hk_invalidate(0, &r, 1, HK_INVAL_WRPROTECT);
	for (uint64_t p = 0; p < 32; p++)
		assert_true(at(BASE + p * HK_PAGE) == NOTHING || (prot_at(BASE + p * HK_PAGE) & PROT_WRITE) == 0);
	assert_int_equal(kills, 0);
}

static void
a_refused_mapping_is_tried_again_with_nothing_else_mapped(void **state)
{
	(void)state;
	fresh(256);
	put(BASE, 64 << 20, UP);
	put(BASE + (4 << 20), 65 << 20, UP);
	touch(BASE, 4);
	pending_failure = true;			/* the batch given away with the last resume */
	assert_int_equal(touch(BASE + (4 << 20), 4), HK_FILL_SERVED);
	assert_int_equal(drops, 1);
	assert_int_equal(at(BASE + (4 << 20)), 65 << 20);
	assert_int_equal(at(BASE), NOTHING);
	pending_failure = true;
	fail_kinds = 1u << MMAP;
	fail_times = 1;
	assert_int_equal(touch(BASE, 4), HK_FILL_DEAD);
	assert_int_equal(kills, 1);
}

static void
prefill_installs_what_is_there(void **state)
{
	struct hk_range r = { BASE, 8 << 20 };

	(void)state;
	fresh(256);
	for (uint64_t p = 100; p < 700; p++)
		put(BASE + p * HK_PAGE, (64 << 20) + p * HK_PAGE, UP);
	hk_prefill(0, &r, 1);
	assert_int_equal(mmaps, 2);		/* a mapping stays inside its region */
	assert_true(space.sp_unsent);
	hk_batch_commit(&space);		/* as the next hk_run() does */
	for (uint64_t p = 0; p < 2048; p++)
		assert_int_equal(at(BASE + p * HK_PAGE), p >= 100 && p < 700 ? (64 << 20) + p * HK_PAGE : NOTHING);
	assert_int_equal(prot_at(BASE + 100 * HK_PAGE), PROT_READ | PROT_EXEC);
	r = (struct hk_range){ HK_USER_MIN, HK_USER_MAX - HK_USER_MIN };
	hk_prefill(0, &r, 1);			/* the whole range is a matter of a few steps */
}

static void
a_new_root_forgets_everything(void **state)
{
	(void)state;
	fresh(256);
	put(BASE, 64 << 20, UP);
	touch(BASE, 4);
	assert_int_equal(hk_space_root(0, 0x123), HK_INVAL);
	assert_int_equal(hk_space_root(0, RAM), HK_INVAL);
	assert_int_equal(hk_space_root(0, 32 << 20), HK_OK);
	assert_int_equal(pieces(), 0);
	assert_int_equal(touch(BASE, 4), HK_FILL_REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_of_rights_is_judged_as_the_processor_does),
		cmocka_unit_test(a_clean_page_is_read_only_until_its_first_write_is_seen),
		cmocka_unit_test(neighbours_come_along_in_few_runs),
		cmocka_unit_test(an_untouched_contiguous_table_becomes_one_mapping),
		cmocka_unit_test(a_large_page_is_one_mapping),
		cmocka_unit_test(addresses_and_tables_outside_are_refused),
		cmocka_unit_test(sixty_thousand_scattered_runs_fit_a_budget_of_256),
		cmocka_unit_test(an_invalidation_at_the_budget_leaves_nothing_behind),
		cmocka_unit_test(each_rung_of_the_ladder_catches_the_one_before),
		cmocka_unit_test(write_protection_leaves_readers_warm),
		cmocka_unit_test(write_protection_over_a_hole_becomes_a_drop),
		cmocka_unit_test(a_refused_mapping_is_tried_again_with_nothing_else_mapped),
		cmocka_unit_test(prefill_installs_what_is_there),
		cmocka_unit_test(a_new_root_forgets_everything),
	};

	hk_m.m_ram_bytes = RAM;
	hk_m.m_ram_base = (uint64_t)mmap(NULL, RAM, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if ((void *)hk_m.m_ram_base == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
