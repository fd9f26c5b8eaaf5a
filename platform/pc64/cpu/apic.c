/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic - the local APIC (x2APIC, or the older one in memory) and the IOAPICs.
 *
 * Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller";
 * 82093AA data sheet for the IOAPIC.
 */
#include <core/rt/rt.h>
#include <machine/clock.h>

#include "pc.h"

enum {
	MSR_APIC_BASE = 0x1b, MSR_X2APIC = 0x800,
	REG_ID = 0x20, REG_TPR = 0x80, REG_EOI = 0xb0, REG_SVR = 0xf0, REG_ICR = 0x300, REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320, REG_LVT_LINT0 = 0x350, REG_LVT_LINT1 = 0x360, REG_LVT_ERROR = 0x370,
	REG_TIMER_INIT = 0x380, REG_TIMER_NOW = 0x390, REG_TIMER_DIV = 0x3e0,
};
#define LVT_MASKED	(1u << 16)
#define LVT_NMI		(4u << 8)
#define LVT_DEADLINE	(2u << 17)
#define ICR_PENDING	(1u << 12)
#define ICR_ASSERT	(1u << 14)
#define ICR_NMI		(4u << 8)
#define ICR_INIT	(5u << 8)
#define ICR_STARTUP	(6u << 8)
#define IOAPICS_MAX	16

static volatile uint32_t *lapic;	/* const: NULL with x2APIC */
static struct {
	volatile uint32_t *regs;	/* [0] selects, [4] is the register */
	uint32_t	gsi, count;
} ioapic[IOAPICS_MAX];			/* const after boot */
static uint32_t ioapics;

static uint32_t
reg_get(uint32_t reg)
{
	return lapic == NULL ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : lapic[reg / 4];
}

static void
reg_set(uint32_t reg, uint32_t v)
{
	if (lapic == NULL)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		lapic[reg / 4] = v;
}

void
apic_setup(uint64_t pa)
{
	if (!pc_feat.f_x2apic)
		lapic = mmu_io(pa, PAGE_BYTES, false);
}

void
apic_setup_cpu(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1u << 11 | (lapic == NULL ? 1u << 10 : 0));
	reg_set(REG_TPR, 0);
	reg_set(REG_LVT_LINT0, LVT_MASKED);
	reg_set(REG_LVT_LINT1, LVT_NMI);
	reg_set(REG_LVT_ERROR, LVT_MASKED);
	reg_set(REG_TIMER_DIV, 0xb);		/* by 1 */
	reg_set(REG_LVT_TIMER, (pc_feat.f_tsc_deadline ? LVT_DEADLINE : 0) | VEC_TIMER);
	reg_set(REG_SVR, 0x100 | VEC_SPURIOUS);
}

uint32_t
apic_id(void)
{
	return lapic == NULL ? reg_get(REG_ID) : reg_get(REG_ID) >> 24;
}

void
apic_eoi(void)
{
	reg_set(REG_EOI, 0);
}

/* Two words in memory are one command: no interrupt of ours may come between. */
static void
command(uint32_t apic, uint32_t what)
{
	uint64_t flags;

	if (lapic == NULL) {
		wrmsr(MSR_X2APIC + REG_ICR / 16, (uint64_t)apic << 32 | what);
		return;
	}
	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
	while ((reg_get(REG_ICR) & ICR_PENDING) != 0)
		__builtin_ia32_pause();
	reg_set(REG_ICR_HIGH, apic << 24);
	reg_set(REG_ICR, what);
	if ((flags & 0x200) != 0)
		intr_on();
}

void
apic_send(uint32_t apic, uint32_t vector)
{
	command(apic, ICR_ASSERT | vector);
}

void
apic_send_nmi(uint32_t apic)
{
	command(apic, ICR_ASSERT | ICR_NMI);
}

void
apic_start(uint32_t apic, uint32_t page)
{
	command(apic, ICR_ASSERT | ICR_INIT);
	clock_wait_us(10000);
	for (int i = 0; i < 2; i++) {
		command(apic, ICR_ASSERT | ICR_STARTUP | page);
		clock_wait_us(200);
	}
}

void
apic_timer(uint64_t ticks)
{
	reg_set(REG_TIMER_INIT, (uint32_t)rt_min(ticks, UINT32_MAX));
}

uint32_t
apic_timer_now(void)
{
	return reg_get(REG_TIMER_NOW);
}

static uint32_t
io_get(uint32_t i, uint32_t reg)
{
	ioapic[i].regs[0] = reg;
	return ioapic[i].regs[4];
}

static void
io_set(uint32_t i, uint32_t reg, uint32_t v)
{
	ioapic[i].regs[0] = reg;
	ioapic[i].regs[4] = v;
}

void
ioapic_add(uint64_t pa, uint32_t gsi)
{
	uint32_t i = ioapics;

	if (i == IOAPICS_MAX || (ioapic[i].regs = mmu_io(pa, PAGE_BYTES, false)) == NULL)
		return;
	ioapic[i].gsi = gsi;
	ioapic[i].count = (io_get(i, 1) >> 16 & 0xff) + 1;
	for (uint32_t n = 0; n < ioapic[i].count; n++)
		io_set(i, 0x10 + 2 * n, LVT_MASKED);
	ioapics++;
}

/* False: no IOAPIC has it. */
bool
ioapic_route(uint32_t gsi, uint32_t vector, uint32_t apic, bool level, bool low)
{
	for (uint32_t i = 0; i < ioapics; i++) {
		uint32_t n = gsi - ioapic[i].gsi;

		if (n >= ioapic[i].count)
			continue;
		io_set(i, 0x11 + 2 * n, apic << 24);
		io_set(i, 0x10 + 2 * n, vector | (low ? 1u << 13 : 0) | (level ? 1u << 15 : 0));
		return true;
	}
	return false;
}
