/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pc - what the files of this platform share.
 *
 * Every processor has a struct pc_cpu, to which its GS base points while it is
 * in the kernel.  The first word leads to the kernel's own area, so that %gs:0
 * is what md_percpu() wants.
 */
#pragma once
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <machine/mmu.h>
#include <stdatomic.h>

#include "gate.h"

#define PC_CPUS_MAX	256
#define PC_TAGS		8
#define GDT_WORDS	10
#define DEV_VECTORS	(VEC_KICK - VEC_DEV)

struct tss {
	uint32_t	t_reserved0;
	uint64_t	t_rsp[3];
	uint64_t	t_reserved1;
	uint64_t	t_ist[7];
	uint64_t	t_reserved2;
	uint16_t	t_reserved3, t_iomap;
} __attribute__((packed));

struct pc_cpu {
	struct md_percpu *pc_area;	/* const */
	uint64_t	pc_user_rsp;	/* [cpu] gate.S: SYSCALL's moment without a stack */
	uint64_t	pc_regs_top;	/* [cpu] gate.S: &regs.rip of the program that runs */
	uint64_t	pc_kernel_rsp;	/* [cpu] gate.S: where user_enter() returns */
	uint64_t	pc_scratch;	/* [cpu] gate.S */
	uint64_t	pc_vector, pc_error;	/* [cpu] why the program stopped */
	struct tss	pc_tss;	/* [cpu] t_rsp[0]: gate.S */
	uint64_t	pc_gdt[GDT_WORDS];	/* const */
	uint32_t	pc_id, pc_apic;	/* const: the kernel's number, the hardware's */
	_Atomic bool	pc_outside;	/* [atomic] in a program or idle: a kick needs an interrupt */
	_Atomic bool	pc_up;		/* [atomic] it has arrived */
	_Atomic int32_t	pc_space;	/* [atomic: by the CPU] whose root is in CR3; or MD_NOSPACE */
	struct {
		md_space_t	t_space;	/* whose translations are under it; or MD_NOSPACE */
		uint64_t	t_gen;		/* up to which of its changes */
	} pc_tags[PC_TAGS];		/* [cpu] mmu.c; interrupts off, like the next two */
	uint32_t	pc_tag, pc_next_tag;	/* [cpu] of pc_space; to be used next */
	_Atomic uint64_t pc_tlb_seen;	/* [atomic: by the CPU] the last request of mmu.c's that it served */
	uint64_t	pc_gsbase, pc_fsbase;	/* [cpu] what programs' registers hold, without FSGSBASE */
	uint64_t	pc_stack_top;	/* const: where it begins */
	_Atomic uint64_t pc_jitter;	/* [atomic: by the CPU] of the times of interrupts: entropy.c */
	_Atomic uint64_t pc_pending[(DEV_VECTORS + 63) / 64];	/* [atomic] from VEC_DEV on: to be served */
	struct md_ktrap	pc_where;	/* [pc_where_seen] */
	_Atomic uint64_t pc_where_seen;	/* [atomic] grows when pc_where was told */
	nsec_t		pc_alarm;	/* [cpu] md_timer()'s; interrupts off */
	nsec_t		pc_beat;	/* [cpu] the watch's; likewise */
	bool		pc_idle;	/* [cpu] it waits for mail */
	bool		pc_waits;	/* [cpu] it went through md_spin() after pc_counted */
	bool		pc_spins;	/* [cpu] it did so before that */
	nsec_t		pc_counted;	/* [cpu] when pc_beats grew */
	_Atomic uint32_t pc_beats;	/* [atomic] counted since it was asked whether it lives */
};
_Static_assert(offsetof(struct pc_cpu, pc_user_rsp) == PC_USER_RSP &&
    offsetof(struct pc_cpu, pc_regs_top) == PC_REGS_TOP &&
    offsetof(struct pc_cpu, pc_kernel_rsp) == PC_KERNEL_RSP &&
    offsetof(struct pc_cpu, pc_scratch) == PC_SCRATCH && offsetof(struct pc_cpu, pc_vector) == PC_VECTOR &&
    offsetof(struct pc_cpu, pc_error) == PC_ERROR &&
    offsetof(struct pc_cpu, pc_tss) + offsetof(struct tss, t_rsp) == PC_RSP0, "gate.h");

extern struct pc_cpu *pc_cpus[PC_CPUS_MAX];	/* const once its CPU is up */
extern uint32_t pc_ncpu;			/* const after boot */

static inline struct pc_cpu *
pc_self(void)
{
	return pc_cpus[kcpu_id()];
}

/* What trap doors leave on the stack. */
struct trap_frame {
	uint64_t	r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t	vector, error, rip, cs, rflags, rsp, ss;
};

/* Features, once known. */
struct pc_features {
	bool	f_x2apic, f_fsgsbase, f_smep, f_smap, f_umip, f_xsave, f_tsc_deadline, f_pge, f_pcid;
	bool	f_rdrand, f_rdseed, f_invariant_tsc, f_hypervisor;
	uint64_t f_xcr0, f_pa_end;	/* no physical address from the latter on */
	uint32_t f_xbytes, f_mxcsr_mask;
};
extern struct pc_features pc_feat;	/* const after boot */

static inline uint64_t
rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}
static inline void
wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr"
	    : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline void
cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid"
	    : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}
static inline uint64_t
rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}
#define PORT(suffix, type) \
	static inline void out##suffix(uint16_t port, type v) \
	{ \
		__asm__ volatile("out" #suffix " %0, %1" : : "a"(v), "Nd"(port)); \
	} \
	static inline type in##suffix(uint16_t port) \
	{ \
		type v; \
		__asm__ volatile("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port)); \
		return v; \
	}
PORT(b, uint8_t)
PORT(w, uint16_t)
PORT(l, uint32_t)
static inline void intr_off(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void intr_on(void) { __asm__ volatile("sti" : : : "memory"); }
/* Off; true: they were on. */
static inline bool
intr_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
	return (flags & 0x200) != 0;
}
static inline void
intr_restore(bool on)
{
	if (on)
		intr_on();
}

/* cpu.c */
void	cpu_features(void);
void	cpu_setup(struct pc_cpu *pc);		/* the CPU itself: tables, MSRs, control registers */
struct pc_cpu *cpu_make(uint32_t id, uint32_t apic);	/* before the pool closes */
_Noreturn void cpu_arrive(struct pc_cpu *pc);
void	fpu_setup(void);

/* watch.c */
#define WATCH_NS	(NSEC_PER_SEC / 4)
void	watch_beat(struct pc_cpu *pc);		/* while not idle; interrupts are off */
void	watch_count(struct pc_cpu *pc);		/* by the CPU itself, anywhere: it runs */
bool	watch_finds_stuck(const struct pc_cpu *pc);

/* trap.c */
void	trap_kernel_mode(const struct trap_frame *f);			/* gate.S */
void	trap_any_mode(const struct trap_frame *f, struct pc_cpu *pc);	/* gate.S */
void	trap_setup(void);
void	trap_interrupt(struct pc_cpu *pc, uint64_t vector);	/* interrupts are off */

/* apic.c */
bool	apic_setup(void);			/* false: there is none */
void	apic_setup_cpu(void);
uint32_t apic_id(void);
void	apic_eoi(void);
void	apic_send(uint32_t apic, uint32_t vector);
void	apic_send_nmi(uint32_t apic);
void	apic_start(uint32_t apic, uint32_t page);	/* INIT and STARTUP */
void	apic_timer(uint64_t ticks);			/* 0: off */
uint32_t apic_timer_now(void);
bool	ioapic_add(uint64_t pa, uint32_t gsi);	/* false: none is there, or there are too many */
bool	ioapic_route(uint32_t gsi, uint32_t vector, uint32_t apic, bool level, bool low);
void	ioapic_mask(uint32_t gsi, bool on);	/* of one that was routed; any context */

/* mmu.c */
paddr_t	pool_page(void);			/* at boot: a zeroed page of the machine's own */
void	pool_open(paddr_t pa, paddr_t end);
paddr_t	pool_close(void);			/* the first page not used */
struct md_ram;
void	mmu_setup(const struct md_ram *ram, uint32_t n);	/* tables that replace those of entry.S */
paddr_t	mmu_root(void);
void	mmu_enter(struct pc_cpu *pc, md_space_t s);	/* interrupts off */
void	mmu_leave(struct pc_cpu *pc);		/* likewise: to be in no space */
void	mmu_serve(struct pc_cpu *pc);		/* VEC_TLB */
void	*mmu_io(uint64_t pa, uint64_t len);	/* at boot: registers; NULL: they cannot be there */
const void *mmu_window(uint64_t pa, uint64_t len);	/* at boot: to read, until the next call; or NULL */

/* clock.c */
struct acpi;
void	clock_setup(const struct acpi *a);
void	clock_distrust(const char *why);
void	clock_meet(void);			/* with a CPU that has arrived */
void	clock_arrive(void);			/* by that one */
void	clock_wait_us(uint64_t us);
void	clock_interrupt(struct pc_cpu *pc);	/* VEC_TIMER */
void	clock_busy(struct pc_cpu *pc);		/* it is not idle any more */

/* dev */
void	dev_interrupt(uint32_t vector);
void	vector_interrupt(struct pc_cpu *pc, uint32_t vector);
