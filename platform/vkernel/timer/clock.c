/* SPDX-License-Identifier: BSD-2-Clause */
/* clock - the host's clocks, or virtual time. */
#include <hk/hk.h>
#include <machine/clock.h>
#include <machine/cpu.h>

#include "../det/det.h"

nsec_t
md_now(void)
{
	return md_deterministic ? det_now() : hk_clock_mono();
}

nsec_t
md_wall(void)
{
	return md_deterministic ? det_wall() : hk_clock_real();
}

/* A time stamp counter that runs at one rate in all states of the processor says so. */
static bool
counter_is_even(void)
{
	uint32_t a = 0x80000000, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	if (a < 0x80000007)
		return false;
	a = 0x80000007;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return (d & 1u << 8) != 0;
}

static uint64_t
counter(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The guest's counter is the host's, but in deterministic mode, where it reads what we say. */
bool
md_clock(struct md_clock *out)
{
	static bool asked, even;
	uint64_t before;

	if (!asked) {
		even = !md_deterministic && counter_is_even();
		asked = true;
	}
	if (!even)
		return false;
	before = counter();
	out->mc_wall = hk_clock_real();
	out->mc_mono = hk_clock_mono();
	out->mc_count = counter();
	out->mc_width = out->mc_count - before;
	return true;
}

nsec_t
md_cpu_time(void)
{
	return md_deterministic ? det_now() : hk_clock_cpu();
}

void
md_timer(nsec_t abs)
{
	if (md_deterministic)
		det_timer(abs);
	else
		hk_timer(kcpu_id(), abs);
}
