/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * told - the clocks as programs are told of them, with and without a system
 * call.
 *
 * Programs compute the time from a sample in a page (abi/vdso.h): what the
 * clock was at one reading of the processor's counter, and a scale.  A sample
 * carries for a millisecond; then the next system call that asks for the time
 * makes a new one.  So nothing runs while nobody asks, and whatever the
 * machine's clock does in between (it is slewed, it is another machine's by
 * now) is followed within that time.
 *
 * The scale is measured from the machine's clock itself, between two samples
 * some time apart, and is a little less than that says: the page is late
 * against the machine's clock, by about 0.2 us at most.  That is less than any
 * way from the kernel to a program takes, so what the kernel does at an
 * instant is not seen by a program before it.  The system call answers from
 * the page as well.
 *
 * Invariants
 *   T1  nobody is told a monotonic time later than what anybody is told
 *       afterwards: a new sample begins where the old one had led to, or later.
 *   T2  the wall clock is the monotonic one plus vd_wall, which only grows by
 *       what is known better, or is set by a step.
 *
 * Locking: told_spin for all of it; programs read under vd_seq.
 */
#include <abi/vdso.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <sys/lwkt/spin.h>
#include <sys/time/time.h>

#define CARRY_NS	1000000ull	/* how long a sample is good for */
#define WIDTH_MAX	2000u		/* counts between the readings of a sample: more, and it was disturbed */
#define SCALE_LEAST_NS	10000000ull	/* the scale is measured over so long at least, */
#define SCALE_MOST_NS	2000000000ull	/* and at most */
#define STEP_NS		10000		/* a wall clock that is so much behind was set */

static struct spin told_spin = SPIN_INIT(told);
static struct vdso_time *page;		/* const after boot; NULL: programs cannot read the counter */
static struct md_clock anchor;		/* [told_spin] where the scale's measurement began */

/* Counts from the sample in the page to `count`, as far as the page may be used. */
static uint64_t
counts_since(uint64_t count)
{
	uint64_t d = count - page->vd_tsc;

	return d > UINT64_MAX - VDSO_BACK_COUNTS ? 0 : rt_min(d, page->vd_counts);
}

static nsec_t
mono_at(uint64_t count)
{
	return page->vd_mono + (counts_since(count) * page->vd_scale >> VDSO_SCALE_SHIFT);
}

/* False: something came between its readings each time; it is right, but late. */
static bool
sample(struct md_clock *c)
{
	for (uint32_t i = 0; i < 3; i++) {
		md_clock(c);
		if (c->mc_width <= WIDTH_MAX)
			return true;
	}
	return false;
}

/* The scale up to this sample; 0: not known. */
static uint64_t
scale_by(const struct md_clock *c)
{
	uint64_t ns = c->mc_mono - anchor.mc_mono, counts = c->mc_count - anchor.mc_count,
	    old = page->vd_scale, scale;

	if (ns < SCALE_LEAST_NS && anchor.mc_count != 0)
		return old;
	scale = anchor.mc_count == 0 || ns > SCALE_MOST_NS || counts == 0 ? old : (ns << VDSO_SCALE_SHIFT) / counts;
	if (scale != old) {
		bool odd = old != 0 && (scale > old + (old >> 10) || scale < old - (old >> 10));

		scale = odd ? 0 : scale - (scale >> 14);
	}
	if (scale == 0 || ns > SCALE_MOST_NS / 2)
		anchor = *c;
	return scale;
}

static void
publish(const struct md_clock *c, bool good, bool wall_set)
{
	nsec_t mono = rt_max(c->mc_mono - time_boot(), mono_at(c->mc_count));
	uint64_t scale = good ? scale_by(c) : page->vd_scale;
	int64_t wall = (int64_t)(c->mc_wall + time_wall_moved() - (c->mc_mono - time_boot())),
	    behind = (int64_t)page->vd_wall - wall;
	uint32_t seq = page->vd_seq;

	__atomic_store_n(&page->vd_seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&page->vd_tsc, c->mc_count, __ATOMIC_RELAXED);
	__atomic_store_n(&page->vd_mono, mono, __ATOMIC_RELAXED);
	__atomic_store_n(&page->vd_scale, scale, __ATOMIC_RELAXED);
	__atomic_store_n(&page->vd_counts, good && scale != 0 ? (CARRY_NS << VDSO_SCALE_SHIFT) / scale : 0,
	    __ATOMIC_RELAXED);
	if (wall_set || behind < 0 || (good && behind > STEP_NS))
		__atomic_store_n(&page->vd_wall, (uint64_t)wall, __ATOMIC_RELAXED);
	__atomic_store_n(&page->vd_seq, seq + 2, __ATOMIC_RELEASE);
}

static nsec_t
told(bool wall)
{
	struct md_clock c;
	nsec_t t;
	bool good;

	spin_lock(&told_spin);
	good = sample(&c);
	if (counts_since(c.mc_count) >= page->vd_counts)
		publish(&c, good, false);
	t = mono_at(c.mc_count) + (wall ? page->vd_wall : 0);
	spin_unlock(&told_spin);
	return t;
}

nsec_t
time_told_mono(void)
{
	return page != NULL ? told(false) : time_now() - time_boot();
}

nsec_t
time_told_wall(void)
{
	return page != NULL ? told(true) : time_wall();
}

void
time_told_step(void)
{
	struct md_clock c;

	if (page == NULL)
		return;
	spin_lock(&told_spin);
	publish(&c, sample(&c), true);
	spin_unlock(&told_spin);
}

bool
time_told_page(void *zeroed)
{
	struct md_clock c;

	if (!md_clock(&c))
		return false;
	page = zeroed;
	time_told_step();
	return true;
}
