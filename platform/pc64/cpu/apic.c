/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic - the local APIC (x2APIC, or the older one in memory) and the IOAPICs.
 *
 * Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller";
 * 82093AA data sheet for the IOAPIC.
 *
 * An IOAPIC's registers are reached through two words, by one CPU at a time
 * with interrupts off: [io_busy].
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
static _Atomic uint32_t io_busy;	/* [atomic] a lock */

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

/* Where it is the processor knows better than the firmware's tables. */
bool
apic_setup(void)
{
	if (!pc_feat.f_x2apic)
		lapic = mmu_io(rdmsr(MSR_APIC_BASE) & 0xffffffffff000, PAGE_BYTES);
	return pc_feat.f_x2apic || lapic != NULL;
}

void
apic_setup_cpu(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1u << 11 | (lapic == NULL ? 1u << 10 : 0));
	reg_set(REG_TPR, 0);
	reg_set(REG_SVR, 0x100 | VEC_SPURIOUS);	/* first: until then each LVT entry stays masked */
	reg_set(REG_LVT_LINT0, LVT_MASKED);
	reg_set(REG_LVT_LINT1, LVT_NMI);
	reg_set(REG_LVT_ERROR, LVT_MASKED);
	reg_set(REG_TIMER_DIV, 0xb);		/* by 1 */
	reg_set(REG_LVT_TIMER, (pc_feat.f_tsc_deadline ? LVT_DEADLINE : 0) | VEC_TIMER);
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
	bool intr;

	if (lapic == NULL) {
		wrmsr(MSR_X2APIC + REG_ICR / 16, (uint64_t)apic << 32 | what);
		return;
	}
	intr = intr_save();
	while ((reg_get(REG_ICR) & ICR_PENDING) != 0)
		__builtin_ia32_pause();
	reg_set(REG_ICR_HIGH, apic << 24);
	reg_set(REG_ICR, what);
	intr_restore(intr);
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

bool
ioapic_add(uint64_t pa, uint32_t gsi)
{
	uint32_t i = ioapics, version;

	if (i == IOAPICS_MAX || pa % 4 != 0 || (ioapic[i].regs = mmu_io(pa, 32)) == NULL)
		return false;
	version = io_get(i, 1);
	if (version == 0 || version == UINT32_MAX)
		return false;
	ioapic[i].gsi = gsi;
	ioapic[i].count = (version >> 16 & 0xff) + 1;
	for (uint32_t n = 0; n < ioapic[i].count; n++)
		io_set(i, 0x10 + 2 * n, LVT_MASKED);
	ioapics++;
	return true;
}

/* Which IOAPIC has it, and as which of its pins; `ioapics`: none. */
static uint32_t
io_of(uint32_t gsi, uint32_t *pin)
{
	uint32_t i;

	for (i = 0; i < ioapics; i++) {
		*pin = gsi - ioapic[i].gsi;
		if (*pin < ioapic[i].count)
			break;
	}
	return i;
}

static bool
io_lock(void)
{
	bool intr = intr_save();

	while (atomic_exchange(&io_busy, 1) != 0)
		__builtin_ia32_pause();
	return intr;
}

static void
io_unlock(bool intr)
{
	atomic_store(&io_busy, 0);
	intr_restore(intr);
}

/* False: no IOAPIC has it. */
bool
ioapic_route(uint32_t gsi, uint32_t vector, uint32_t apic, bool level, bool low)
{
	uint32_t pin, i = io_of(gsi, &pin);
	bool intr;

	if (i == ioapics)
		return false;
	intr = io_lock();
	io_set(i, 0x11 + 2 * pin, apic << 24);
	io_set(i, 0x10 + 2 * pin, vector | (low ? 1u << 13 : 0) | (level ? 1u << 15 : 0));
	io_unlock(intr);
	return true;
}

void
ioapic_mask(uint32_t gsi, bool on)
{
	uint32_t pin, i = io_of(gsi, &pin), low;
	bool intr;

	if (i == ioapics)
		return;
	intr = io_lock();
	low = io_get(i, 0x10 + 2 * pin) & ~LVT_MASKED;
	io_set(i, 0x10 + 2 * pin, low | (on ? LVT_MASKED : 0));
	io_unlock(intr);
}
