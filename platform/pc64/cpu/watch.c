/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch - a processor that does not look at its mailbox is told of.
 *
 * A CPU that is not idle has a beat by its own timer.  The first one asks it,
 * by a mailbox bit that means nothing; while the bit is still there, each
 * later beat counts.  An interrupt that a CPU takes shows that it has run, so what is
 * counted is its own time also where a host runs processors as it likes.
 * One that spins for another is counted as well, innocent though it may be: so
 * who is in doubt asks all, and nobody is told of before all that have not
 * answered have run for long enough; who spins lets another speak first.  The
 * others are made to count by an NMI, for one that keeps interrupts off has no
 * beat.
 *
 * A CPU that does so while no other one waits for it is not found.
 */
#include <machine/clock.h>
#include <machine/cpu.h>

#include "pc.h"

#define BEATS_DOUBT	2u
#define BEATS_STUCK	6u

static bool
has_answered(const struct pc_cpu *pc)
{
	return (atomic_load(&pc->pc_area->mailbox) & MD_INTR_BEAT) == 0;
}

static void
ask(struct pc_cpu *pc)
{
	atomic_store(&pc->pc_beats, 0);
	md_kick(pc->pc_id, MD_INTR_BEAT);
}

/* However many ask, it counts once in a beat. */
void
watch_count(struct pc_cpu *pc)
{
	nsec_t now = md_now();

	if (has_answered(pc) || now - pc->pc_counted < WATCH_NS / 2)
		return;
	pc->pc_counted = now;
	pc->pc_spins = pc->pc_waits;
	pc->pc_waits = false;
	atomic_fetch_add(&pc->pc_beats, 1);
}

/* Who is asked gets a beat to answer before anybody decides. */
void
watch_beat(struct pc_cpu *pc)
{
	uint32_t beats;

	if (has_answered(pc)) {
		ask(pc);
		return;
	}
	watch_count(pc);
	beats = atomic_load(&pc->pc_beats);
	if (beats < BEATS_DOUBT)
		return;
	for (uint32_t i = 0; i < pc_ncpu; i++) {
		if (pc_cpus[i] == pc || !atomic_load(&pc_cpus[i]->pc_up))
			continue;
		if (!has_answered(pc_cpus[i]))
			apic_send_nmi(pc_cpus[i]->pc_apic);
		else if (beats < BEATS_STUCK)
			ask(pc_cpus[i]);
	}
}

bool
watch_finds_stuck(const struct pc_cpu *pc)
{
	if (has_answered(pc) || atomic_load(&pc->pc_beats) < (pc->pc_spins ? 2 : 1) * BEATS_STUCK)
		return false;
	for (uint32_t i = 0; i < pc_ncpu; i++)
		if (atomic_load(&pc_cpus[i]->pc_up) && !has_answered(pc_cpus[i]) &&
		    atomic_load(&pc_cpus[i]->pc_beats) < BEATS_STUCK)
			return false;
	return true;
}
