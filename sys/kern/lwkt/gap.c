/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gap - how long a CPU can go without looking at its mailbox.
 *
 * Interrupts never run kernel logic where they land, so what a message or a
 * timer waits is the time between two places that look: the end of a
 * critical section, lwkt_poll(), idle and the border to user mode.  The
 * kernel argument `gaps` makes each of them take the CPU's own time (wall
 * time would count what the host gives to others) and keeps the longest spans
 * and the places that ended them.  A wait for a spin does not count: its holder may
 * not be running, and if it is, the gap is the holder's.  Nor does sleep in
 * idle, which a message ends.  A machine that serves faults by itself looks
 * between two of them, and is asked to come back to the border each time, so
 * that many of them are not taken for one gap.  Otherwise it costs nothing:
 * c_watch is 0, and is looked at together with the mailbox.
 *
 * A host that is a virtual machine itself books what it lost, milliseconds at
 * times, on whoever runs just then.  Wall time bounds the span, and no more can be
 * known here; but such a loss hits any place, and what the kernel does wrong is
 * at the same place each time: hence the places (tests/long/gaps.sh).
 *
 * Locking: `recording` for the places, spun for: nobody is switched away while he has it.
 */
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <machine/user.h>
#include <sys/debug/frames.h>

#include "lwkt_int.h"

#define GAPS	24u

static struct gap gaps[GAPS];		/* [recording] */
static uint32_t ngaps;			/* [recording] */
static _Atomic bool recording;

static void
record(const struct gap *g)
{
	struct gap *at = NULL, *least = &gaps[0];

	while (atomic_exchange_explicit(&recording, true, memory_order_acquire))
		;
	for (uint32_t i = 0; i < ngaps && at == NULL; i++) {
		if (memcmp(gaps[i].g_pc, g->g_pc, sizeof g->g_pc) == 0)
			at = &gaps[i];
		else if (gaps[i].g_ns < least->g_ns)
			least = &gaps[i];
	}
	if (at == NULL)
		at = ngaps < GAPS ? &gaps[ngaps++] : least;
	if (g->g_ns > at->g_ns)
		*at = *g;
	atomic_store_explicit(&recording, false, memory_order_release);
}

void
gap_note(struct cpu *c, const uint64_t *frame)
{
	nsec_t used = md_cpu_time(), now = md_now();
	struct gap g = { .g_ns = rt_min(used - c->c_gap_used, now - c->c_gap_at) };

	if (c->c_gap_at != 0 && g.g_ns > GAP_FLOOR_NS) {
		/* As for panic(): near the frame where the stack is the boot stack. */
		uint64_t low = curthread->td_stack != 0 ? curthread->td_stack : (uint64_t)frame;

		(void)frames_walk((uint64_t)frame, low, low + LWKT_STACK_BYTES, g.g_pc, GAP_FRAMES);
		record(&g);
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

uint32_t
lwkt_gaps(const struct gap **out)
{
	*out = gaps;
	return ngaps;
}
