/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock - time from the time stamp counter, alarms from the local APIC.
 *
 * Both are measured once against a counter of known speed: the HPET's, ACPI's
 * power management timer, or the PIT's second channel; whichever is there and
 * moves, in this order.  Where none is, CPUID may say how fast the processor
 * counts.  Each reading of a pair is bracketed by two of the processor's, and the
 * narrowest of some brackets counts, so a few milliseconds are enough although
 * an emulator or a management interrupt may come between.
 *
 * The processor's counter carries the time only if it is invariant, as a virtual
 * machine's is, made of its host's clock; and if each CPU's was seen to agree with
 * the first one's when it came up: nothing then reads an earlier time after a later
 * one.  Otherwise the reference itself is the clock from then on: slow to read, but
 * one for all.  It is extended to 64 bits by whoever reads it, so it is read before
 * it goes round.
 *
 * The wall clock is the RTC's at boot and the monotonic one's from then on.
 *
 * Invariant K1: by_ref is set at boot only, and what is told then goes on from
 * what was told before.
 */
#include <core/pc/acpi.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/clock.h>
#include <machine/cpu.h>

#include "../boot/boot.h"
#include "../cpu/pc.h"

#define MEASURE_HZ	200u		/* a measurement takes 5 ms */
#define BRACKETS	5u
#define STILL_MAX	10000u		/* readings: a counter that has not moved is none */
#define MSR_DEADLINE	0x6e0
#define TIMER_MAX	(60 * NSEC_PER_SEC)	/* what waits longer is set again then */
#define REF_MAX		NSEC_PER_SEC	/* likewise if the reference is to be read in time */
#define FS_PER_SEC	1000000000000000ull
#define HPET_FS_MAX	100000000u	/* its specification's slowest: 100 ns */
enum { HPET_CAPS = 0, HPET_PERIOD = 1, HPET_CONFIG = 4, HPET_COUNT = 60 };	/* words of 32 bits */

/* A counter whose speed is known. */
struct ref {
	const char	*r_name;
	uint32_t	(*r_read)(void);
	uint32_t	r_mask;
	uint64_t	r_hz;
};

static struct {
	uint64_t	tsc0;			/* const: at time 0 */
	uint64_t	tsc_mult, tsc_back;	/* const: ns = ticks * mult >> 32, and the other way */
	uint64_t	apic_mult;		/* const: ticks of the APIC's timer = ns * mult >> 32 */
	nsec_t		wall0;			/* const: since 1970, at time 0 */
	struct ref	ref;			/* const */
	_Atomic bool	by_ref;			/* [atomic] K1 */
	_Atomic uint64_t ref_last;		/* [atomic] its latest reading, and how often it went round */
	uint64_t	ref0, ref_mult;		/* const once by_ref is set */
	nsec_t		ref_ns0;		/* likewise: what was told at ref0 */
} clk;
static volatile uint32_t *hpet;			/* const after boot */
static uint16_t pm_port;			/* likewise */

static uint64_t
scale(uint64_t v, uint64_t mult)
{
	return (uint64_t)((unsigned __int128)v * mult >> 32);
}

/* For scale(): of two frequencies, the rest below 2^32. */
static uint64_t
ratio(uint64_t of, uint64_t to)
{
	return (of / to << 32) + (of % to << 32) / to;
}

/* ---------------------------------------------------------- references -- */

static uint32_t
hpet_read(void)
{
	return hpet[HPET_COUNT];
}

static uint32_t
pm_read(void)
{
	return inl(pm_port);
}

/* The second channel counts down, and needs no interrupt. */
static uint32_t
pit_read(void)
{
	uint32_t low;

	outb(0x43, 0x80);
	low = inb(0x42);
	return ~(low | (uint32_t)inb(0x42) << 8);
}

static uint32_t
tsc_read(void)
{
	return (uint32_t)rdtsc();
}

static bool
moves(const struct ref *r)
{
	uint32_t first = r->r_read() & r->r_mask;

	for (uint32_t i = 0; i < STILL_MAX; i++)
		if ((r->r_read() & r->r_mask) != first)
			return true;
	return false;
}

static bool
find_hpet(struct ref *r, const struct acpi *a)
{
	hpet = a->a_hpet_pa % 8 == 0 && a->a_hpet_pa != 0 ? mmu_io(a->a_hpet_pa, 1024) : NULL;
	if (hpet == NULL || hpet[HPET_PERIOD] == 0 || hpet[HPET_PERIOD] > HPET_FS_MAX)
		return false;
	hpet[HPET_CONFIG] = (hpet[HPET_CONFIG] & ~2u) | 1;
	*r = (struct ref){ "HPET", hpet_read, UINT32_MAX, FS_PER_SEC / hpet[HPET_PERIOD] };
	return moves(r);
}

static bool
find_pm(struct ref *r, const struct acpi *a)
{
	const uint64_t port = a->a_pm_timer.ar_addr;

	if (a->a_pm_timer.ar_space != ACPI_IO || port == 0 || port > UINT16_MAX - 3)
		return false;
	pm_port = (uint16_t)port;
	*r = (struct ref){
		"ACPI timer", pm_read, (a->a_flags & ACPI_TIMER_32) != 0 ? UINT32_MAX : 0xffffff, 3579545,
	};
	return moves(r);
}

static bool
find_pit(struct ref *r)
{
	*r = (struct ref){ "PIT", pit_read, UINT16_MAX, 1193182 };
	outb(0x61, (inb(0x61) & ~2u) | 1u);
	outb(0x43, 0xb4);		/* round and round */
	outb(0x42, 0);
	outb(0x42, 0);
	return moves(r);
}

/* Intel SDM: leaf 15h has a crystal's speed and the counter's ratio to it, 16h a speed in MHz. */
static bool
find_cpuid(struct ref *r)
{
	uint32_t c[4], max;

	*r = (struct ref){ "CPUID", tsc_read, UINT32_MAX, 0 };
	cpuid(0, 0, c);
	max = c[0];
	if (max >= 0x15) {
		cpuid(0x15, 0, c);
		r->r_hz = c[0] != 0 ? (uint64_t)c[2] * c[1] / c[0] : 0;
	}
	if (max >= 0x16 && r->r_hz == 0) {
		cpuid(0x16, 0, c);
		r->r_hz = (c[0] & 0xffff) * 1000000ull;
	}
	return r->r_hz != 0;
}

/* ----------------------------------------------------------- measuring -- */

struct stamp {
	uint64_t	s_tsc;
	uint32_t	s_ref, s_apic;
};

static struct stamp
stamp(const struct ref *r)
{
	uint64_t best = UINT64_MAX;
	struct stamp s = { 0, 0, 0 };

	for (uint32_t i = 0; i < BRACKETS; i++) {
		uint64_t t0 = rdtsc(), t1;
		uint32_t ref = r->r_read(), timer = apic_timer_now();

		t1 = rdtsc();
		if (t1 - t0 < best) {
			best = t1 - t0;
			s = (struct stamp){ t0 + best / 2, ref, timer };
		}
	}
	return s;
}

/* The processor's ticks and the APIC timer's in a second; false: the reference stopped. */
static bool
measure(const struct ref *r, uint64_t *tsc_hz, uint64_t *apic_hz)
{
	const uint64_t want = r->r_hz / MEASURE_HZ;
	struct stamp a, b;
	uint32_t still = 0, last, now, passed;

	apic_timer(UINT32_MAX);
	a = stamp(r);
	last = a.s_ref;
	while (((last - a.s_ref) & r->r_mask) < want && still < STILL_MAX) {
		now = r->r_read();
		still = now == last ? still + 1 : 0;
		last = now;
	}
	b = stamp(r);
	apic_timer(0);
	passed = (b.s_ref - a.s_ref) & r->r_mask;
	if (still == STILL_MAX || passed == 0)
		return false;
	*tsc_hz = (b.s_tsc - a.s_tsc) * r->r_hz / passed;
	*apic_hz = (uint64_t)(a.s_apic - b.s_apic) * r->r_hz / passed;
	return *tsc_hz != 0;
}

static bool
calibrate(const struct acpi *a, uint64_t *tsc_hz, uint64_t *apic_hz)
{
	struct ref *r = &clk.ref;

	return (find_hpet(r, a) && measure(r, tsc_hz, apic_hz)) ||
	    (find_pm(r, a) && measure(r, tsc_hz, apic_hz)) ||
	    (find_pit(r) && measure(r, tsc_hz, apic_hz)) || (find_cpuid(r) && measure(r, tsc_hz, apic_hz));
}

/* ----------------------------------------------------------------- RTC -- */

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

/* Read twice alike, so that no second has passed in the middle.  0: none, or what it says is no date. */
static nsec_t
rtc_read(uint8_t century)
{
	uint8_t a[7], b[7], mode = rtc(0xb);
	const uint8_t regs[7] = { 0, 2, 4, 7, 8, 9, century };
	uint32_t hour, day, month, year, seconds, tries = 0;
	const bool binary = (mode & 4) != 0;

	if (mode == 0xff)
		return 0;
	do {
		for (int i = 0; i < 100000 && (rtc(0xa) & 0x80) != 0; i++)
			continue;
		for (uint32_t i = 0; i < 7; i++)
			a[i] = rtc(regs[i]);
		for (uint32_t i = 0; i < 7; i++)
			b[i] = rtc(regs[i]);
	} while (memcmp(a, b, sizeof a) != 0 && ++tries < 10);
	hour = bcd(a[2] & 0x7f, binary);
	if ((mode & 2) == 0)
		hour = hour % 12 + ((a[2] & 0x80) != 0 ? 12 : 0);
	day = bcd(a[3], binary);
	month = bcd(a[4], binary);
	year = bcd(a[5], binary);
	year += century != 0 && bcd(a[6], binary) >= 19 ? bcd(a[6], binary) * 100 : year < 70 ? 2000 : 1900;
	seconds = hour * 3600 + bcd(a[1], binary) * 60 + bcd(a[0], binary);
	if (day - 1 > 30 || month - 1 > 11 || seconds >= 86400)
		return 0;
	return (days(year, month, day) * 86400 + seconds) * NSEC_PER_SEC;
}

/* -------------------------------------------------------------- clocks -- */

void
clock_setup(const struct acpi *a)
{
	uint64_t tsc_hz, apic_hz;

	if (!calibrate(a, &tsc_hz, &apic_hz))
		boot_refuse("no clock: neither HPET, ACPI timer nor PIT counts, and CPUID says no speed");
	if (apic_hz == 0 && !pc_feat.f_tsc_deadline)	/* in that mode it does not */
		boot_refuse("the local APIC's timer does not count");
	clk.tsc0 = rdtsc();
	clk.tsc_mult = ratio(NSEC_PER_SEC, tsc_hz);
	clk.tsc_back = ratio(tsc_hz, NSEC_PER_SEC);
	clk.apic_mult = ratio(apic_hz, NSEC_PER_SEC);
	clk.ref_mult = ratio(NSEC_PER_SEC, clk.ref.r_hz);
	clk.wall0 = rtc_read(a->a_century);
	if (clk.wall0 == 0)
		boot_note("no clock keeps the date: it is 1970");
	if (!pc_feat.f_invariant_tsc && !pc_feat.f_hypervisor)
		clock_distrust("the processor's counter may change its speed");
}

static uint64_t
tsc_ordered(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Whoever reads later gets no less: the latest reading only grows. */
static nsec_t
ref_now(void)
{
	uint64_t last = atomic_load(&clk.ref_last), now;

	do {
		now = last + ((clk.ref.r_read() - (uint32_t)last) & clk.ref.r_mask);
	} while (!atomic_compare_exchange_weak(&clk.ref_last, &last, now));
	return clk.ref_ns0 + scale(now - clk.ref0, clk.ref_mult);
}

/* Before other CPUs run programs. */
void
clock_distrust(const char *why)
{
	if (atomic_load(&clk.by_ref))
		return;
	if (clk.ref.r_mask < 0xffffff || clk.ref.r_read == tsc_read) {
		boot_note("%s, and there is no other clock", why);
		return;
	}
	boot_note("%s: time is the %s's", why, clk.ref.r_name);
	clk.ref0 = clk.ref.r_read() & clk.ref.r_mask;
	clk.ref_ns0 = md_now();
	atomic_store(&clk.ref_last, clk.ref0);
	atomic_store(&clk.by_ref, true);
}

nsec_t
md_now(void)
{
	if (atomic_load_explicit(&clk.by_ref, memory_order_acquire))
		return ref_now();
	return scale(tsc_ordered() - clk.tsc0, clk.tsc_mult);
}

nsec_t
md_wall(void)
{
	return clk.wall0 + md_now();
}

bool
md_clock(struct md_clock *out)
{
	if (atomic_load_explicit(&clk.by_ref, memory_order_acquire))
		return false;
	out->mc_count = tsc_ordered();
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
	const bool by_ref = atomic_load_explicit(&clk.by_ref, memory_order_relaxed);
	const bool off = at == NSEC_NEVER && !by_ref;
	nsec_t left = at <= now ? 0 : rt_min(at - now, by_ref ? REF_MAX : TIMER_MAX);

	if (pc_feat.f_tsc_deadline)
		wrmsr(MSR_DEADLINE, off ? 0 : rdtsc() + scale(left, clk.tsc_back) + 1);
	else
		apic_timer(off ? 0 : scale(left, clk.apic_mult) + 1);
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

/* ----------------------------------------------------- do CPUs agree? -- */

#define ROUNDS		4u

static struct {
	_Atomic uint32_t asked, told;		/* [atomic] rounds */
	_Atomic uint64_t count;			/* [atomic] the other CPU's, of round `told` */
} meet;

/* By the new CPU, while the first is in clock_meet(). */
void
clock_arrive(void)
{
	uint32_t round = atomic_load(&meet.told);

	for (uint32_t i = 0; i < ROUNDS; i++) {
		while (atomic_load(&meet.asked) == round)
			__builtin_ia32_pause();
		atomic_store(&meet.count, tsc_ordered());
		atomic_store(&meet.told, ++round);
	}
}

/* It reads its counter after us, then we after it: what is read must not fall. */
void
clock_meet(void)
{
	bool agree = true;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t before = tsc_ordered(), there;
		uint32_t round = atomic_fetch_add(&meet.asked, 1) + 1;

		while (atomic_load(&meet.told) != round)
			__builtin_ia32_pause();
		there = atomic_load(&meet.count);
		agree &= before <= there && there <= tsc_ordered();
	}
	if (!agree)
		clock_distrust("processors' counters differ");
}
