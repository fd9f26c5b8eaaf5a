/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock - the two clocks.  The monotonic one is the machine's; the wall clock
 * is the machine's moved by what settimeofday asked for, so that setting it
 * needs no right over the machine.
 */
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/time/time.h>

static nsec_t booted;				/* const after time_init */
static _Atomic int64_t wall_moved;		/* [atomic] ns added to the machine's wall clock */

void
time_init(void)
{
	booted = md_now();
}

nsec_t
time_now(void)
{
	return md_now();
}

nsec_t
time_boot(void)
{
	return booted;
}

uint64_t
time_wall_moved(void)
{
	return (uint64_t)atomic_load_explicit(&wall_moved, memory_order_relaxed);
}

nsec_t
time_wall(void)
{
	return md_wall() + time_wall_moved();
}

void
time_set_wall(nsec_t t)
{
	atomic_store_explicit(&wall_moved, (int64_t)(t - md_wall()), memory_order_relaxed);
	time_told_step();
}
