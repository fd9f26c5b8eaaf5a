/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim - what to give up when memory is short.
 *
 * Cheap things first: single pages and idle stacks and slabs that this CPU
 * keeps in reserve, then whatever the registered reclaimers can spare (clean
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

bool
vm_reclaim(uint64_t pages, uint32_t attempt)
{
	uint64_t got = kstack_trim() + kmem_trim();

	ASSERT(curthread->td_crit == 0);
	page_cache_trim();
	if (attempt >= ATTEMPTS_MAX)
		return false;
	list_foreach(r, &reclaimers, struct vm_reclaimer, vr_link) {
		if (got >= pages)
			break;
		got += r->vr_fn(pages - got);
	}
	if (attempt == 0 || got >= pages)
		return true;
	if (oom_kill_one == NULL || oom_dying() || !oom_kill_one() || oom_dying())
		return false;
	(void)sleep_until(md_now() + PAUSE_NS, 0);
	return true;
}
