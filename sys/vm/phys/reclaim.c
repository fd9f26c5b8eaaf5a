/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim - what to give up when memory is short.
 *
 * Cheap things first: single pages and idle stacks and slabs that the CPUs
 * keep in reserve, then whatever the registered reclaimers can spare (clean
 * pages of the page cache), at last a whole process, chosen and killed by
 * the process layer.  A killed process gives its memory back only when it
 * runs, so we sleep a little after each step; nobody else is killed as long
 * as one is on its way out.  If it is ourselves that must die, the
 * allocation fails at once, so that we can.
 *
 * The number of attempts is bounded: an allocation that cannot be served
 * fails, and its caller returns ENOMEM or kills itself.
 *
 * Locking: none of its own.  May sleep; tokens are lost.
 */
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/wait.h>
#include <sys/vm/map.h>
#include "../vm_int.h"

#define ATTEMPTS_MAX	400u
#define PAUSE_NS	(5 * 1000000ull)

static struct list reclaimers = LIST_INIT(reclaimers);	/* const after boot */
static bool (*oom_kill_one)(void);			/* const after boot */
static bool (*oom_dying)(void);				/* const after boot */

void
vm_add_reclaimer(struct vm_reclaimer *r)
{
	ASSERT(r->vr_fn != NULL);
	list_push_back(&reclaimers, &r->vr_link);
}

void
vm_set_oom(bool (*kill_one)(void), bool (*dying)(void))
{
	oom_kill_one = kill_one;
	oom_dying = dying;
}

struct trim {
	_Atomic uint64_t t_pages;
	_Atomic uint32_t t_left;	/* CPUs that have not answered */
	bool		t_more[CPU_MAX];	/* [its CPU, then the asker] may have further stacks */
};

/* One stack a time: it may cost the machine 0.1 ms, and here nobody looks at the mailbox. */
static void
trim_here(void *arg, uint64_t unused)
{
	struct trim *t = arg;
	uint64_t stack = kstack_trim();

	(void)unused;
	t->t_more[mycpuid] = stack != 0;
	atomic_fetch_add_explicit(&t->t_pages, stack + kmem_trim() + page_cache_trim(), memory_order_relaxed);
	atomic_fetch_sub_explicit(&t->t_left, 1, memory_order_release);
}

/* Asks those who may have more.  False: nobody has. */
static bool
trim_step(struct trim *t)
{
	uint32_t turns = 0, asked = 0;

	for (uint32_t i = 0; i < cpu_count; i++) {
		if (!t->t_more[i])
			continue;
		atomic_fetch_add_explicit(&t->t_left, 1, memory_order_relaxed);
		ipi_send(i, trim_here, t, 0);
		asked++;
	}
	while (atomic_load_explicit(&t->t_left, memory_order_acquire) != 0) {
		lwkt_poll();
		md_spin(&turns);
	}
	return asked != 0;
}

/* The number of steps is bounded, because stacks come back while we ask. */
static uint64_t
trim_everywhere(void)
{
	struct trim t = { .t_left = 0 };

	memset(t.t_more, true, cpu_count);
	for (uint32_t i = 0; i <= KSTACK_CACHE && trim_step(&t); i++)
		;
	return atomic_load_explicit(&t.t_pages, memory_order_relaxed);
}

/* One at a time: who comes meanwhile waits for that victim's memory too. */
static bool
kill_one(void)
{
	static _Atomic bool choosing;
	bool ok = true;

	if (atomic_exchange(&choosing, true))
		return true;
	ok = oom_kill_one();
	atomic_store(&choosing, false);
	return ok;
}

bool
vm_reclaim(uint64_t pages, uint32_t attempt)
{
	uint64_t got;

	ASSERT(curthread->td_crit == 0);
	if (attempt >= ATTEMPTS_MAX || atomic_load_explicit(&vm_fail_after, memory_order_relaxed) != 0)
		return false;
	got = trim_everywhere();
	list_foreach(r, &reclaimers, struct vm_reclaimer, vr_link) {
		if (got >= pages)
			break;
		got += r->vr_fn(pages - got);
	}
	if (attempt == 0 || got >= pages)
		return true;
	/* There may be enough by now: an earlier victim's. */
	if (!page_enough(pages) && (oom_kill_one == NULL || oom_dying() || !kill_one() || oom_dying()))
		return false;
	(void)sleep_until(md_now() + PAUSE_NS, 0);
	return true;
}
