/* SPDX-License-Identifier: BSD-2-Clause */
#include "group.h"

struct group grp = { .q = WAITQ_INIT(grp.q) };	/* made once: a member may still be waking somebody when the test goes on */

void
grp_begin(uint64_t normal, uint64_t longer)
{
	grp.started = 0;
	atomic_store(&grp.ended, 0);
	grp.rounds = ktest_rounds(normal, longer);
}

void
grp_start(uint32_t cpu, void (*fn)(void *), void *arg)
{
	struct thread *td;

	if (!KCHECK(lwkt_create_on(cpu % cpu_count, fn, arg, LWKT_PRI_KERN, "smp", &td) == 0))
		return;
	grp.started++;
	lwkt_start(td);
}

void
grp_member_ends(void)
{
	atomic_fetch_add(&grp.ended, 1);
	wake_all(&grp.q);
}

void
grp_wait(void)
{
	int error;

	WAIT_FOR(&grp.q, atomic_load(&grp.ended) == grp.started, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
}

bool
is_half_written(uint64_t seen, uint64_t word)
{
	for (uint32_t shift = 0; shift < 64; shift += 8) {
		uint64_t byte = seen >> shift & 0xff;

		if (byte != 0 && byte != (word >> shift & 0xff))
			return false;
	}
	return true;
}
