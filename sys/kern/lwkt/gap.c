/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gap - how long a CPU can go without looking at its mailbox.
 *
 * Interrupts never run kernel logic where they land, so what a message or a
 * timer waits is the time between two places that look: the end of a
 * critical section, lwkt_poll(), idle and the border to user mode.  The
 * kernel argument `gaps` makes each of them take the CPU's own time (wall
 * time would count what the host gives to others) and keeps the longest span
 * and who ended it.  A host that is a virtual machine itself books now and
 * then what it lost on whoever runs next, so wall time bounds the span.  A
 * wait for a spin does not count: its holder may not be running, and if it
 * is, the gap is the holder's.  A machine that serves faults by itself looks
 * between two of them, and is asked to come back to the border each time, so
 * that many of them are not taken for one gap.  Otherwise it costs nothing:
 * c_watch is 0, and is looked at together with the mailbox.
 */
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <machine/user.h>
#include <sys/debug/kprint.h>
#include <sys/debug/symtab.h>

#include "lwkt_int.h"

void
gap_note(struct cpu *c, uint64_t pc)
{
	nsec_t used = md_cpu_time(), now = md_now();
	nsec_t gap = rt_min(used - c->c_gap_used, now - c->c_gap_at);

	if (c->c_gap_at != 0 && gap > c->c_gap_longest) {
		c->c_gap_longest = gap;
		c->c_gap_pc = pc;
	}
	c->c_gap_used = used;
	c->c_gap_at = now;
}

nsec_t
gap_pause(const struct cpu *c)
{
	return (c->c_watch & CPU_WATCH_GAPS) != 0 ? md_cpu_time() : 0;
}

void
gap_resume(struct cpu *c, nsec_t since)
{
	if (since != 0)
		c->c_gap_used += md_cpu_time() - since;
}

void
lwkt_watch_gaps(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		cpu_find(i)->c_watch |= CPU_WATCH_GAPS;
	md_user_each_fault();
}

nsec_t
lwkt_longest_gap(uint64_t *pc)
{
	struct cpu *worst = cpu_find(0);

	for (uint32_t i = 1; i < cpu_count; i++)
		if (cpu_find(i)->c_gap_longest > worst->c_gap_longest)
			worst = cpu_find(i);
	*pc = worst->c_gap_pc;
	return worst->c_gap_longest;
}
