/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock - time from the time stamp counter, alarms from the local APIC.
 *
 * Both are measured once against the PIT's second channel, which every PC has
 * and which needs no interrupt.  CPUs' counters are taken to run together, as
 * they do on all processors that call theirs invariant.  The wall clock is the
 * RTC's at boot and the counter's from then on.
 */
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <machine/cpu.h>

#include "../cpu/pc.h"

#define PIT_HZ		1193182u
#define MEASURE_TICKS	11932u		/* 10 ms */
#define MSR_DEADLINE	0x6e0
#define TIMER_MAX	(60 * NSEC_PER_SEC)	/* what waits longer is set again then */

static struct {
	uint64_t	tsc0;			/* const: at time 0 */
	uint64_t	tsc_mult, tsc_back;	/* const: ns = ticks * mult >> 32, and the other way */
	uint64_t	apic_mult;		/* const: ticks of the APIC's timer = ns * mult >> 32 */
	nsec_t		wall0;			/* const: since 1970, at time 0 */
} clk;

static uint64_t
scale(uint64_t v, uint64_t mult)
{
	return (uint64_t)((unsigned __int128)v * mult >> 32);
}

/* The counter's ticks, and the APIC timer's, in MEASURE_TICKS of the PIT. */
static void
measure(uint64_t *tsc, uint64_t *apic)
{
	uint64_t t0;
	uint32_t a0;

	outb(0x61, (inb(0x61) & ~2u) | 1u);
	outb(0x43, 0xb0);
	outb(0x42, MEASURE_TICKS & 0xff);
	apic_timer(UINT32_MAX);
	outb(0x42, MEASURE_TICKS >> 8);
	t0 = rdtsc();
	a0 = apic_timer_now();
	while ((inb(0x61) & 0x20) == 0)
		__builtin_ia32_pause();
	*tsc = rdtsc() - t0;
	*apic = a0 - apic_timer_now();
	apic_timer(0);
}

static uint8_t
rtc(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static uint32_t
bcd(uint32_t v, bool binary)
{
	return binary ? v : (v >> 4) * 10 + (v & 15);
}

/* Days since 1970 of a date of the Gregorian calendar. */
static uint64_t
days(uint32_t y, uint32_t m, uint32_t d)
{
	uint64_t era, of_year;		/* years of 400, which begin in March */

	y -= m <= 2;
	era = y / 400;
	y %= 400;
	of_year = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	return era * 146097 + y * 365 + y / 4 - y / 100 + of_year - 719468;
}

/* Read twice alike, so that no second has passed in the middle. */
static nsec_t
rtc_read(uint8_t century)
{
	uint8_t a[7], b[7], mode;
	const uint8_t regs[7] = { 0, 2, 4, 7, 8, 9, century };
	uint32_t hour, year, seconds;
	bool binary;

	do {
		for (int i = 0; i < 100000 && (rtc(0xa) & 0x80) != 0; i++)
			continue;
		for (uint32_t i = 0; i < 7; i++)
			a[i] = rtc(regs[i]);
		for (uint32_t i = 0; i < 7; i++)
			b[i] = rtc(regs[i]);
	} while (memcmp(a, b, sizeof a) != 0);
	mode = rtc(0xb);
	binary = (mode & 4) != 0;
	hour = bcd(a[2] & 0x7f, binary);
	if ((mode & 2) == 0)
		hour = hour % 12 + ((a[2] & 0x80) != 0 ? 12 : 0);
	year = bcd(a[5], binary);
	year += century != 0 && bcd(a[6], binary) >= 19 ? bcd(a[6], binary) * 100 : year < 70 ? 2000 : 1900;
	seconds = hour * 3600 + bcd(a[1], binary) * 60 + bcd(a[0], binary);
	return (days(year, bcd(a[4], binary), bcd(a[3], binary)) * 86400 + seconds) * NSEC_PER_SEC;
}

void
clock_setup(uint8_t century)
{
	uint64_t tsc, apic, ns = MEASURE_TICKS * NSEC_PER_SEC / PIT_HZ;

	measure(&tsc, &apic);
	clk.tsc0 = rdtsc();
	clk.tsc_mult = (ns << 32) / tsc;
	clk.tsc_back = (tsc << 32) / ns;
	clk.apic_mult = (apic << 32) / ns;
	clk.wall0 = rtc_read(century);
}

nsec_t
md_now(void)
{
	return scale(rdtsc() - clk.tsc0, clk.tsc_mult);
}

nsec_t
md_wall(void)
{
	return clk.wall0 + md_now();
}

bool
md_clock(struct md_clock *out)
{
	uint32_t low, high;

	if (!pc_feat.f_invariant_tsc)
		return false;
	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	out->mc_count = (uint64_t)high << 32 | low;
	out->mc_mono = scale(out->mc_count - clk.tsc0, clk.tsc_mult);
	out->mc_wall = clk.wall0 + out->mc_mono;
	out->mc_width = 0;
	return true;
}

nsec_t
md_cpu_time(void)
{
	return md_now();
}

/* The CPU's one timer, for the alarm and the watch.  Interrupts are off. */
static void
arm(struct pc_cpu *pc)
{
	nsec_t at = rt_min(pc->pc_alarm, pc->pc_beat), now = md_now();
	nsec_t left = at <= now ? 0 : rt_min(at - now, TIMER_MAX);

	if (pc_feat.f_tsc_deadline)
		wrmsr(MSR_DEADLINE, at == NSEC_NEVER ? 0 : rdtsc() + scale(left, clk.tsc_back) + 1);
	else
		apic_timer(at == NSEC_NEVER ? 0 : scale(left, clk.apic_mult) + 1);
}

void
md_timer(nsec_t abs)
{
	struct pc_cpu *pc = pc_self();

	intr_off();
	pc->pc_alarm = abs;
	arm(pc);
	intr_on();
}

/* It may have come early. */
void
clock_interrupt(struct pc_cpu *pc)
{
	nsec_t now = md_now();

	if (pc->pc_alarm <= now) {
		pc->pc_alarm = NSEC_NEVER;
		atomic_fetch_or(&pc->pc_area->mailbox, MD_INTR_TIMER);
	}
	if (pc->pc_beat <= now) {
		if (!pc->pc_idle)
			watch_beat(pc);
		pc->pc_beat = pc->pc_idle ? NSEC_NEVER : now + WATCH_NS;
	}
	arm(pc);
}

void
clock_busy(struct pc_cpu *pc)
{
	if (pc->pc_beat != NSEC_NEVER)
		return;
	intr_off();
	pc->pc_beat = md_now() + WATCH_NS;
	arm(pc);
	intr_on();
}

void
clock_wait_us(uint64_t us)
{
	uint64_t until = rdtsc() + scale(us * 1000, clk.tsc_back);

	while ((int64_t)(until - rdtsc()) > 0)
		__builtin_ia32_pause();
}
