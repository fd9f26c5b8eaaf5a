/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uaccess against munmap, mprotect, fork and truncate of the same pages, with
 * freed pages poisoned: a copy that went to a page that was no longer the
 * space's shows as damage to a free page (and panics there), a copy from one
 * as the pattern.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <sys/debug/ktest.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>
#include "group.h"

#define RW	(PROT_READ | PROT_WRITE)
#define RWX	(PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define AT	0x40000000ull
#define PAGES	40u
#define WORDS	700u			/* more than a page, never aligned to one */

static struct {
	struct vmspace	*vs;		/* const while they run */
	struct vmobj	*obj;
	_Atomic uint64_t rounds, bad, moved;
	_Atomic bool	stop;
} race;

static uint64_t
next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 20;
}

/* Every word in the area is zero or names its own address, or some bytes of it already do. */
static void
copier(void *arg)
{
	static uint64_t buf[4][WORDS];
	uint64_t seed = (uint64_t)arg * 7919 + 1, *b = buf[(uint64_t)arg];
	size_t done;

	while (!race.stop) {
		uint64_t word = next(&seed) % (PAGES * 512), n = 1 + next(&seed) % WORDS;

		n = rt_min(n, PAGES * 512 - word);
		if (next(&seed) % 2 == 0) {
			for (uint64_t i = 0; i < n; i++)
				b[i] = AT + (word + i) * 8;
			(void)vs_write(race.vs, AT + word * 8, b, n * 8, &done);
		} else {
			(void)vs_read(race.vs, b, AT + word * 8, n * 8, &done);
			for (uint64_t i = 0; i < done / 8; i++)
				atomic_fetch_add(&race.bad, !is_half_written(b[i], AT + (word + i) * 8));
		}
		atomic_fetch_add(&race.moved, done);
		atomic_fetch_add(&race.rounds, 1);
		if (next(&seed) % 4 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

static void
one_change(uint64_t *seed)
{
	uaddr_t a = AT + next(seed) % PAGES * PAGE_BYTES;
	uint64_t len = rt_min((1 + next(seed) % 8) * PAGE_BYTES, AT + PAGES * PAGE_BYTES - a);
	struct vmspace *child;

	switch (next(seed) % 7) {
	case 0:
		(void)vm_munmap(race.vs, a, len);
		break;
	case 1:
		(void)vm_mprotect(race.vs, a, len, next(seed) % 2 ? PROT_READ : PROT_NONE);
		break;
	case 2:
		(void)vm_mprotect(race.vs, a, len, RW);
		break;
	case 3:
		if (vmspace_fork(race.vs, false, &child) == 0) {
			lwkt_yield();
			vmspace_drop(child);
		}
		break;
	case 4:
		(void)vm_mmap(race.vs, &a, len, RW, ANON | MAP_FIXED, NULL, 0, RWX);
		break;
	case 5:
		(void)vm_mmap(race.vs, &a, len, RW, (next(seed) % 2 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
		    race.obj, a - AT, RWX);
		break;
	default:
		(void)vmobj_resize(race.obj, next(seed) % (PAGES * PAGE_BYTES) & ~7ull);
		break;
	}
}

static void
changer(void *arg)
{
	uint64_t seed = (uint64_t)arg + 12345;

	while (!race.stop) {
		one_change(&seed);
		lwkt_yield();
	}
	grp_member_ends();
}

KTEST(uaccess_races_with_every_change)
{
	uint64_t want = ktest_rounds(60000, 10000000);
	uint64_t bytes = kmem_bytes();
	struct page_stats was, now;
	uaddr_t a = AT;

	page_stats(&was);
	page_poison = true;
	memset(&race, 0, sizeof race);
	grp_begin(0, 0);
	KCHECK(vmspace_create(&race.vs) == 0);
	KCHECK(vmobj_create(NULL, NULL, PAGES * PAGE_BYTES, &race.obj) == 0);
	KCHECK(vm_mmap(race.vs, &a, PAGES * PAGE_BYTES, RW, ANON | MAP_FIXED, NULL, 0, RWX) == 0);
	for (uint64_t i = 0; i < 3; i++)
		grp_start((uint32_t)i + 1, copier, (void *)i);
	grp_start(0, changer, (void *)0);
	grp_start(1, changer, (void *)1);
	while (race.rounds < want && race.bad == 0)
		lwkt_yield();
	race.stop = true;
	grp_wait();
	KCHECK(race.bad == 0);
	KCHECK(race.moved > want * 64);
	vmobj_drop(race.obj);
	vmspace_drop(race.vs);
	page_poison = false;
	page_stats(&now);
	KCHECK(now.free + 64 >= was.free);
	KCHECK(kmem_bytes() <= bytes + 4096);
}
