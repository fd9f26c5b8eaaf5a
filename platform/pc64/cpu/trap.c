/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trap - what interrupts and exceptions mean.
 *
 * Interrupts run no kernel logic: they set mailbox bits, or serve another
 * CPU that waits (translations to forget, where are you).  An exception in the
 * kernel is a bug.  One in a program is for user.c.
 */
#include <core/rt/rt.h>
#include <machine/cpu.h>

#include "pc.h"

struct gate {
	uint16_t	g_low, g_sel;
	uint8_t		g_ist, g_type;
	uint16_t	g_mid;
	uint32_t	g_high, g_zero;
};
#define GATE_INTR	0x8e
#define GATE_USER	0xee		/* a program may raise it: int3, into */
enum { VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_DF = 8, VEC_MC = 18 };

static struct gate idt[256] __attribute__((aligned(16)));	/* const after trap_setup() */
static bool idt_made;
extern const uint8_t trap_doors[];

/* Vectors with stacks of their own. */
static const uint8_t own_stack[VEC_MC + 1] = { [VEC_DB] = 1, [VEC_NMI] = 2, [VEC_DF] = 3, [VEC_MC] = 4 };

static void
gate_set(uint32_t v)
{
	uint64_t door = (uint64_t)trap_doors + v * 16;

	idt[v] = (struct gate){
		.g_low = (uint16_t)door, .g_sel = SEL_KCODE, .g_mid = (uint16_t)(door >> 16),
		.g_high = (uint32_t)(door >> 32),
		.g_type = v == VEC_BP || v == VEC_OF ? GATE_USER : GATE_INTR,
		.g_ist = v < countof(own_stack) ? own_stack[v] : 0,
	};
}

void
trap_setup(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof idt - 1, (uint64_t)idt };

	for (uint32_t v = 0; v < 256 && !idt_made; v++)
		gate_set(v);
	idt_made = true;
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static struct md_ktrap
where(const struct trap_frame *f)
{
	uint64_t cr2;

	__asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
	return (struct md_ktrap){
		.kt_rip = f->rip, .kt_rsp = f->rsp, .kt_rbp = f->rbp, .kt_addr = cr2,
		.kt_trapno = (uint32_t)f->vector, .kt_err = (uint32_t)f->error,
	};
}

static void
jitter(struct pc_cpu *pc)
{
	uint64_t j = atomic_load_explicit(&pc->pc_jitter, memory_order_relaxed);

	atomic_store_explicit(&pc->pc_jitter, (j << 7 | j >> 57) ^ rdtsc(), memory_order_relaxed);
}

void
trap_interrupt(struct pc_cpu *pc, uint64_t vector)
{
	jitter(pc);
	if (vector == VEC_SPURIOUS)
		return;
	if (vector == VEC_TLB)
		mmu_serve(pc);
	else if (vector == VEC_TIMER)
		clock_interrupt(pc);
	else if (vector >= VEC_DEV && vector < VEC_KICK)
		vector_interrupt(pc, (uint32_t)vector);
	else if (vector != VEC_KICK)
		dev_interrupt((uint32_t)vector);
	apic_eoi();
}

void
trap_kernel_mode(const struct trap_frame *f)
{
	struct md_ktrap t;

	if (f->vector >= 32) {
		trap_interrupt(pc_self(), f->vector);
		if (f->vector != VEC_TIMER || !watch_finds_stuck(pc_self()))
			return;
	}
	t = where(f);
	if (f->vector >= 32)
		stuck_kernel(&t);
	else
		trap_kernel(&t);
}

/* Debug, NMI, double fault, machine check; anywhere in the kernel, and all but the first in a program. */
void
trap_any_mode(const struct trap_frame *f, struct pc_cpu *pc)
{
	struct md_ktrap t = where(f);
	uint64_t zero = 0;

	switch (f->vector) {
	case VEC_DB:
		__asm__ volatile("movq %0, %%dr6" : : "r"(zero));
		return;
	case VEC_NMI:
		watch_count(pc);
		pc->pc_where = t;
		atomic_fetch_add(&pc->pc_where_seen, 1);
		return;
	default:
		trap_kernel(&t);
	}
}
