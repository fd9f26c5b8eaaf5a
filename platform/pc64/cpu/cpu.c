/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu - the processors: their tables and registers, waking, stopping, last words. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/clock.h>
#include <machine/cpu.h>

#include "../boot/boot.h"
#include "../dev/dev.h"
#include "pc.h"

enum {
	MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_FMASK = 0xc0000084,
	MSR_GS_BASE = 0xc0000101,
};
#define EFER_SCE	1ull
#define CR4_DE		(1ull << 3)
#define CR4_PGE		(1ull << 7)
#define CR4_OSFXSR	(3ull << 9)	/* and OSXMMEXCPT */
#define CR4_UMIP	(1ull << 11)
#define CR4_FSGSBASE	(1ull << 16)
#define CR4_PCIDE	(1ull << 17)
#define CR4_OSXSAVE	(1ull << 18)
#define CR4_SMEP	(1ull << 20)
#define CR4_SMAP	(1ull << 21)
#define FMASK		0x257fd5u	/* every flag that a program can set, and IF */
#define XCR0_WANTED	0xe7ull		/* x87, SSE, AVX, AVX-512 */

struct pc_cpu *pc_cpus[PC_CPUS_MAX];
uint32_t pc_ncpu;
struct pc_features pc_feat;
bool md_deterministic;

void	md_ctx_start(void);
void	syscall_entry(void);
void	segments_load(const void *gdtr);	/* gate.S */

void
md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg)
{
	uint64_t *s = (uint64_t *)(stack_top & ~15ull);

	*--s = (uint64_t)md_ctx_start;	/* entered with the stack aligned as for a call: it makes one */
	*--s = (uint64_t)fn;		/* rbx */
	*--s = (uint64_t)arg;		/* r12 */
	for (int i = 0; i < 4; i++)
		*--s = 0;		/* r13, r14, r15, rbp */
	*sp = (uint64_t)s;
}

static void
xsave_features(void)
{
	uint32_t r[4];

	cpuid(0xd, 0, r);
	pc_feat.f_xcr0 = ((uint64_t)r[3] << 32 | r[0]) & XCR0_WANTED;
	if ((pc_feat.f_xcr0 & 4) == 0)
		pc_feat.f_xcr0 &= 3;
	if ((pc_feat.f_xcr0 & 0xe0) != 0xe0)
		pc_feat.f_xcr0 &= 7;
}

/* What this processor can do; the others are taken to be alike. */
void
cpu_features(void)
{
	uint32_t r[4], max, maxext;

	cpuid(0, 0, r);
	max = r[0];
	cpuid(0x80000000, 0, r);
	maxext = r[0];
	cpuid(1, 0, r);
	pc_feat.f_pge = (r[3] & 1u << 13) != 0;
	pc_feat.f_pcid = pc_feat.f_pge && (r[2] & 1u << 17) != 0;
	pc_feat.f_x2apic = (r[2] & 1u << 21) != 0;
	pc_feat.f_tsc_deadline = (r[2] & 1u << 24) != 0;
	pc_feat.f_xsave = (r[2] & 1u << 26) != 0 && max >= 0xd;
	pc_feat.f_rdrand = (r[2] & 1u << 30) != 0;
	pc_feat.f_hypervisor = (r[2] & 1u << 31) != 0;
	if (max >= 7) {
		cpuid(7, 0, r);
		pc_feat.f_fsgsbase = (r[1] & 1u) != 0;
		pc_feat.f_smep = (r[1] & 1u << 7) != 0;
		pc_feat.f_rdseed = (r[1] & 1u << 18) != 0;
		pc_feat.f_smap = (r[1] & 1u << 20) != 0;
		pc_feat.f_umip = (r[2] & 1u << 2) != 0;
	}
	if (maxext >= 0x80000007) {
		cpuid(0x80000007, 0, r);
		pc_feat.f_invariant_tsc = (r[3] & 1u << 8) != 0;
	}
	pc_feat.f_pa_end = 1ull << 36;
	if (maxext >= 0x80000008) {
		cpuid(0x80000008, 0, r);
		pc_feat.f_pa_end = 1ull << rt_min(r[0] & 0xff, 52u);
	}
	/* QEMU's software processor does not claim it, but counts by the host's clock. */
	cpuid(0x40000000, 0, r);
	if (pc_feat.f_hypervisor && memcmp(&r[1], "TCGTCGTCGTCG", 12) == 0)
		pc_feat.f_invariant_tsc = true;
	pc_feat.f_xcr0 = 3;
	pc_feat.f_xbytes = 512;
	if (pc_feat.f_xsave)
		xsave_features();
}

static void
control_setup(void)
{
	uint64_t cr0, cr4;

	__asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
	/* Not EM and TS; MP, NE, WP. */
	cr0 = (cr0 & ~(1ull << 2 | 1ull << 3)) | 1ull << 1 | 1ull << 5 | 1ull << 16;
	__asm__ volatile("movq %0, %%cr0" : : "r"(cr0));
	__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_DE | CR4_OSFXSR | (pc_feat.f_pge ? CR4_PGE : 0) | (pc_feat.f_umip ? CR4_UMIP : 0) |
	    (pc_feat.f_fsgsbase ? CR4_FSGSBASE : 0) | (pc_feat.f_xsave ? CR4_OSXSAVE : 0) |
	    (pc_feat.f_pcid ? CR4_PCIDE : 0) | (pc_feat.f_smep ? CR4_SMEP : 0) |
	    (pc_feat.f_smap ? CR4_SMAP : 0);
	__asm__ volatile("movq %0, %%cr4" : : "r"(cr4));
	if (pc_feat.f_xsave)
		__asm__ volatile("xsetbv"
		    : : "c"(0), "a"((uint32_t)pc_feat.f_xcr0), "d"((uint32_t)(pc_feat.f_xcr0 >> 32)));
}

/* How large the area is, and which bits of MXCSR there are: asked once control registers are set. */
static void
fpu_learn(void)
{
	static uint8_t area[512] __attribute__((aligned(16)));
	uint32_t r[4];

	if (pc_feat.f_xsave) {
		cpuid(0xd, 0, r);
		pc_feat.f_xbytes = r[1];
	}
	__asm__ volatile("fninit\n\tfxsave64 %0" : "=m"(area));
	memcpy(&pc_feat.f_mxcsr_mask, area + 28, 4);
	if (pc_feat.f_mxcsr_mask == 0)
		pc_feat.f_mxcsr_mask = 0xffbf;
	fpu_setup();
}

void
cpu_setup(struct pc_cpu *pc)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = { sizeof pc->pc_gdt - 1, (uint64_t)pc->pc_gdt };
	uint64_t tss = (uint64_t)&pc->pc_tss;

	pc->pc_gdt[SEL_KCODE / 8] = 0x00af9b000000ffff;
	pc->pc_gdt[SEL_KDATA / 8] = 0x00cf93000000ffff;
	pc->pc_gdt[SEL_UDATA / 8] = 0x00cff3000000ffff;
	pc->pc_gdt[SEL_UCODE / 8] = 0x00affb000000ffff;
	pc->pc_gdt[SEL_TSS / 8] = (sizeof pc->pc_tss - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
	    (tss >> 24 & 0xff) << 56;
	pc->pc_gdt[SEL_TSS / 8 + 1] = tss >> 32;
	pc->pc_tss.t_iomap = sizeof pc->pc_tss;
	segments_load(&gdtr);
	wrmsr(MSR_GS_BASE, (uint64_t)pc);
	trap_setup();
	wrmsr(MSR_STAR, (uint64_t)SEL_UBASE << 48 | (uint64_t)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_FMASK, FMASK);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	control_setup();
	if (pc_feat.f_mxcsr_mask == 0)
		fpu_learn();
}

/* A processor's page, and one for each of its stacks, which begins with the way back (gate.S, G2). */
struct pc_cpu *
cpu_make(uint32_t id, uint32_t apic)
{
	struct pc_cpu *pc = md_p2v(pool_page());

	pc->pc_id = id;
	pc->pc_apic = apic;
	atomic_init(&pc->pc_space, MD_NOSPACE);
	for (uint32_t i = 0; i < PC_TAGS; i++)
		pc->pc_tags[i].t_space = MD_NOSPACE;
	pc->pc_alarm = pc->pc_beat = NSEC_NEVER;
	for (uint32_t i = 0; i < 4; i++) {
		struct pc_cpu **stack = md_p2v(pool_page());

		*stack = pc;
		pc->pc_tss.t_ist[i] = (uint64_t)stack + PAGE_BYTES;
	}
	pc_cpus[id] = pc;
	return pc;
}
_Static_assert(sizeof(struct pc_cpu) <= PAGE_BYTES, "one page");

int
md_cpu_start(uint32_t cpu, struct md_percpu *area, uint64_t stack_top)
{
	struct pc_cpu *pc = pc_cpus[cpu];

	pc->pc_area = area;
	pc->pc_stack_top = stack_top;
	boot_trampoline(pc);
	for (uint32_t try = 0; try < 2 && !atomic_load(&pc->pc_up); try++) {
		apic_start(pc->pc_apic, boot_trampoline_page());
		for (uint32_t ms = 0; ms < 500 && !atomic_load(&pc->pc_up); ms++)
			clock_wait_us(1000);
	}
	if (!atomic_load(&pc->pc_up))
		return ENOMEM;
	clock_meet();
	return 0;
}

/* From the trampoline, on the thread stack that the kernel gave. */
_Noreturn void
cpu_arrive(struct pc_cpu *pc)
{
	cpu_setup(pc);
	apic_setup_cpu();
	atomic_store(&pc->pc_up, true);
	clock_arrive();
	intr_on();
	kmain_secondary(pc->pc_id);
}

void
md_kick(uint32_t cpu, uint32_t bits)
{
	struct pc_cpu *pc = pc_cpus[cpu];

	if (atomic_fetch_or(&pc->pc_area->mailbox, bits) != 0 || cpu == kcpu_id())
		return;
	if (atomic_load(&pc->pc_outside))
		apic_send(pc->pc_apic, VEC_KICK);
}

/*
 * After STI an interrupt waits for one more instruction: none is lost between the look and the sleep.
 * One without mail, as the last beat is, makes nobody busy.
 * Who sleeps is in no space, so that nobody wakes it, and waits for it, to forget translations.
 */
void
md_idle(void)
{
	struct pc_cpu *pc = pc_self();

	intr_off();
	pc->pc_idle = true;
	atomic_store(&pc->pc_outside, true);
	while (atomic_load(&pc->pc_area->mailbox) == 0) {
		mmu_leave(pc);
		__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	}
	atomic_store_explicit(&pc->pc_outside, false, memory_order_relaxed);
	pc->pc_idle = false;
	intr_on();
	clock_busy(pc);
}

void
md_spin(uint32_t *turns)
{
	++*turns;
	pc_self()->pc_waits = true;
	__builtin_ia32_pause();
}

/*
 * A processor answers at once, unless it is a virtual one that waits for its
 * own turn.  Those that do not have a second together, and a moment each.
 */
bool
md_cpu_inspect(uint32_t cpu, struct md_ktrap *out)
{
	static uint32_t patience_us = 1000000;
	struct pc_cpu *pc = pc_cpus[cpu];
	uint64_t seen = atomic_load(&pc->pc_where_seen);
	uint32_t us;

	apic_send_nmi(pc->pc_apic);
	for (us = 0; us < rt_max(patience_us, 20000u); us += 10) {
		if (atomic_load(&pc->pc_where_seen) != seen) {
			*out = pc->pc_where;
			return true;
		}
		clock_wait_us(10);
	}
	patience_us -= rt_min(patience_us, us);
	return false;
}

uint32_t
md_power_events(void)
{
	return stdio_power_events();
}

/* One CPU after the other is let go: nothing is ordered here. */
void
md_point_slow(enum md_point what, uint64_t value)
{
	(void)what;
	(void)value;
}

void
md_point_bytes_slow(enum md_point what, const void *bytes, size_t len)
{
	(void)what;
	(void)bytes;
	(void)len;
}
