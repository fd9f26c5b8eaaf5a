/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * det - all virtual CPUs on one host thread.
 *
 * The one idea: a virtual CPU that does not run is a saved stack pointer, so
 * "which CPU is next" is a choice that we make, by a generator of numbers
 * that starts from the seed.  We choose only at scheduling points (md_point,
 * md_spin, md_idle); between two of them a CPU runs alone.  Time is a counter
 * that each look and each point moves on, and that jumps to the next deadline
 * when all are idle.  So the same build, seed and command is the same run.
 *
 * Four ways to choose, by the seed, because races differ in what they need.
 * One in 4, 16 or 64 points switches to any CPU: the first finds windows
 * of a few points that need several switches close together, the last lets a CPU
 * go far while others stand still.  The fourth gives CPUs priorities and takes the
 * first that can run, demoting it at few places (Burckhardt and others call it
 * PCT): a race that needs d switches at exact places is found with a probability
 * that falls with the number of points to the power d-1 only.
 *
 * What a point takes is drawn, too: the slower the machine, the fewer events there
 * are between two ticks, so that work is sent to other CPUs, and turns end, in short programs too.
 *
 * To hostkit there is one CPU.  A guest's extended state comes home after
 * each run, so the one slot per space serves all virtual CPUs.  A guest is
 * switched only at kernel entries.
 *
 * The outside: output is written before anything else happens; the news that
 * input has come are delivered when all CPUs are idle, before time jumps.  With
 * a file or nothing at standard input nothing of the outside is left.
 *
 * Invariants
 *   D1  exactly one virtual CPU runs; GS base is its area.
 *   D2  d_sp of every other started one is a stack that md_ctx_switch() left.
 *
 * Locking: none; one host thread.  det_outside alone is shared, with hostkit.
 * Not here: CPUID, RDRAND and RDSEED of guests, which reach the processor: they can be
 * trapped on no host (RDRAND), or not in a virtual machine (CPUID).
 */
#include "det.h"

#include <core/rt/rt.h>
#include <hk/hk.h>
#include <machine/boot.h>
#include <machine/clock.h>
#include <stdatomic.h>

#define LOOK_NS		20u		/* what a look at the clock takes */
#define EPOCH_NS	1700000000000000000ull
#define DEMOTE_ODDS	256u		/* priorities: one point in so many demotes who runs */
#define SPIN_TURNS_MAX	64u
#define ALONE_MAX	100000u		/* turns of waiting for CPUs of which none can run */

struct vcpu {
	struct md_percpu	*d_area;	/* NULL: not started */
	uint64_t		d_sp;		/* while it does not run */
	nsec_t			d_timer;
	uint32_t		d_pri;		/* higher runs first */
	bool			d_idle;
};

_Atomic uint32_t det_outside;
static struct vcpu vcpus[HK_CPU_MAX];
static uint32_t ncpus, running, alone, lowest;
static uint32_t switch_odds;		/* 0: by priority */
static nsec_t point_ns;			/* what a scheduling point takes */
static nsec_t now, next_timer;
static bool news;		/* a stream has some */
static bool awaits_input;	/* a read found nothing yet */
static uint64_t choice_state, entropy_state, hash, points, switches;

/* ------------------------------------------------------------- numbers -- */

/* Weyl sequence, then two rounds of multiply and shift. */
static uint64_t
draw(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 31) * 0xd6e8feb86659fd93ull;
	x = (x ^ x >> 29) * 0xca9b0c7ebc46a4b5ull;
	return x ^ x >> 32;
}

static void
hash_in(uint64_t x)
{
	hash = (hash ^ x) * 0x9fb21c651e98df25ull;
	hash ^= hash >> 35;
}

void
det_entropy(void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(draw(&entropy_state) >> 56);
}

void
det_init(uint64_t seed)
{
	static const uint32_t odds[] = { 4, 16, 64, 0 }, takes[] = { 300, 1000, 10000 };

	choice_state = seed * 0xff51afd7ed558ccdull + 1;
	entropy_state = draw(&choice_state);
	switch_odds = odds[seed % countof(odds)];
	point_ns = takes[draw(&choice_state) % countof(takes)];
	next_timer = NSEC_NEVER;
	lowest = UINT32_MAX / 2;
	ncpus = 1;
	for (uint32_t i = 0; i < HK_CPU_MAX; i++)
		vcpus[i].d_timer = NSEC_NEVER;
	vcpus[0].d_area = (struct md_percpu *)&cpu0;
	vcpus[0].d_pri = lowest + (uint32_t)draw(&choice_state) / 4;
	md_deterministic = true;
}

void
det_tell(void)
{
	char line[120];
	size_t n = rt_snprintf(line, sizeof line, "event-hash: %016llx points: %llu switches: %llu\n",
	    (unsigned long long)hash, (unsigned long long)points, (unsigned long long)switches);

	hk_emergency(line, n);
}

/* ---------------------------------------------------------------- time -- */

static void
timers_fire(void)
{
	nsec_t first = NSEC_NEVER;

	for (uint32_t i = 0; i < ncpus; i++) {
		struct vcpu *v = &vcpus[i];

		if (v->d_timer <= now) {
			v->d_timer = NSEC_NEVER;
			atomic_fetch_or(&v->d_area->mailbox, MD_INTR_TIMER);
		}
		if (v->d_timer < first)
			first = v->d_timer;
	}
	next_timer = first;
}

static void
pass(nsec_t ns)
{
	now += ns;
	if (now >= next_timer)
		timers_fire();
}

nsec_t
det_now(void)
{
	return now += LOOK_NS;
}

nsec_t
det_wall(void)
{
	return EPOCH_NS + det_now();
}

void
det_timer(nsec_t abs)
{
	vcpus[running].d_timer = abs;
	if (abs < next_timer)
		next_timer = abs;
}

/* -------------------------------------------------------------- choice -- */

static bool
can_run(const struct vcpu *v)
{
	return v->d_area != NULL && (!v->d_idle || atomic_load_explicit(&v->d_area->mailbox, memory_order_relaxed) != 0);
}

static void
set_gsbase(void *area)
{
	__asm__ volatile("wrgsbase %0" : : "r"(area) : "memory");
}

static void
go_to(uint32_t cpu)
{
	uint32_t from = running;

	if (cpu == from)
		return;
	running = cpu;
	switches++;
	set_gsbase(vcpus[cpu].d_area);					/* D1 */
	md_ctx_switch(&vcpus[from].d_sp, vcpus[cpu].d_sp);		/* D2 */
}

/* One of those that can run, not `but`; ncpus: none. */
static uint32_t
choose(uint32_t but)
{
	uint32_t found = ncpus, seen = 0;

	for (uint32_t i = 0; i < ncpus; i++) {
		if (i == but || !can_run(&vcpus[i]))
			continue;
		seen++;
		if (found == ncpus || (switch_odds == 0 ? vcpus[i].d_pri > vcpus[found].d_pri :
		    draw(&choice_state) % seen == 0))
			found = i;
	}
	return found;
}

void
md_point_slow(enum md_point what, uint64_t value)
{
	uint32_t to;

	points++;
	hash_in((uint64_t)what << 32 | running);
	hash_in(value);
	pass(point_ns);
	alone = 0;
	if (switch_odds == 0) {
		if (draw(&choice_state) % DEMOTE_ODDS == 0)
			vcpus[running].d_pri = --lowest;
		to = choose(ncpus);
	} else {
		if (draw(&choice_state) % switch_odds != 0)
			return;
		to = choose(running);
	}
	if (to != ncpus)
		go_to(to);
}

void
md_point_bytes_slow(enum md_point what, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t h = len;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	md_point_slow(what, h);
}

/* Who waits for another CPU lets it run.  How soon it is tired of that is drawn. */
uint32_t
det_spin(void)
{
	uint32_t to;

	hash_in(running);
	pass(point_ns);
	vcpus[running].d_pri = --lowest;
	to = choose(running);
	if (to != ncpus) {
		go_to(to);
	} else if (next_timer != NSEC_NEVER) {
		pass(next_timer > now ? next_timer - now : 0);
	} else if (++alone > ALONE_MAX) {
		hang_kernel("a CPU waits for another, and all others are idle");
	}
	return 1 + (uint32_t)draw(&choice_state) % SPIN_TURNS_MAX;
}

/* ------------------------------------------------------------- outside -- */

void
det_take_outside(void)
{
	uint32_t bits = atomic_exchange(&det_outside, 0);

	if ((bits & HK_BIT_STREAM) != 0)
		news = true;
	if ((bits & HK_BIT_SIGNAL) != 0)
		atomic_fetch_or(&vcpus[0].d_area->mailbox, HK_BIT_SIGNAL);
}

void
det_await_output(void)
{
	hk_idle(DET_HOST_CPU);
	det_take_outside();
}

void
det_await_input(void)
{
	awaits_input = true;
}

/* Nothing can run.  Something that is delivered, a deadline, or the host's world must end that. */
static void
all_idle(void)
{
	bool wanted = awaits_input;

	det_take_outside();
	if (news && wanted) {
		news = awaits_input = false;
		atomic_fetch_or(&vcpus[0].d_area->mailbox, HK_BIT_STREAM);
	} else if (atomic_load(&vcpus[0].d_area->mailbox) != 0)
		return;
	else if (next_timer != NSEC_NEVER)
		pass(next_timer > now ? next_timer - now : 0);
	else if (wanted)
		hk_idle(DET_HOST_CPU);
	else
		hang_kernel("all CPUs are idle, and nothing will come");
}

void
det_idle(void)
{
	struct vcpu *me = &vcpus[running];
	uint32_t to;

	hash_in(running);
	me->d_idle = true;
	while ((to = choose(ncpus)) == ncpus)
		all_idle();
	go_to(to);
	me->d_idle = false;
}

/* ---------------------------------------------------------------- CPUs -- */

void
det_cpu_start(uint32_t cpu, struct md_percpu *area, uint64_t stack_top, void (*fn)(void *))
{
	struct vcpu *v = &vcpus[cpu];

	md_ctx_make(&v->d_sp, stack_top, fn, (void *)(uintptr_t)cpu);
	v->d_area = area;
	v->d_pri = lowest + (uint32_t)draw(&choice_state) / 4;
	if (cpu >= ncpus)
		ncpus = cpu + 1;
}

bool
det_inspect(uint32_t cpu, struct md_ktrap *out)
{
	const uint64_t *saved = (const uint64_t *)vcpus[cpu].d_sp;

	if (vcpus[cpu].d_area == NULL || cpu == running)
		return false;
	*out = (struct md_ktrap){ .kt_rip = saved[6], .kt_rsp = (uint64_t)saved, .kt_rbp = saved[MD_CTX_RBP] };
	return true;
}
