/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user - run a program until it stops.
 *
 * The kernel itself uses general registers only, so a program's extended
 * state stays in the processor from run to run; it is loaded when another
 * thread's is there, and brought home when its thread leaves.
 *
 * Invariant F1: at most one of uf_fpu_live and uf_fpu_load is set.
 */
#include <core/rt/rt.h>
#include <machine/user.h>

#include "pc.h"

_Static_assert(offsetof(struct md_regs, rip) == R_RIP && offsetof(struct md_regs, rsp) == R_RSP &&
    offsetof(struct md_regs, rflags) == R_RFLAGS && offsetof(struct md_regs, rdi) == R_RDI &&
    offsetof(struct md_regs, rcx) == R_RCX && offsetof(struct md_regs, rax) == R_RAX &&
    offsetof(struct md_regs, r11) == R_R11, "gate.h");

bool	user_enter(struct md_regs *regs);	/* gate.S */

/* [gate.S reads] const after boot: which calls quick_fn is asked about. */
uint8_t	quick_calls[QUICK_CALLS];
bool	(*quick_fn)(uint64_t nr, uint64_t *result);

enum {
	LEGACY = 512,
	FCW = 0, MXCSR = 24, MXCSR_MASK = 28, SW_RESERVED = 464, FCW_INIT = 0x37f, MXCSR_INIT = 0x1f80,
	TRAP_DB = 1, TRAP_GP = 13, TRAP_PF = 14,
	MSR_FS_BASE = 0xc0000100, MSR_KERNEL_GS_BASE = 0xc0000102,
};

/* The header of an XSAVE area, behind 512 bytes that are all of it without XSAVE. */
struct xheader {
	uint64_t	xh_bv, xh_comp, xh_zero[6];
};
static struct { uint32_t off, len; } component[63];	/* const: of extended state; len 0: not there */

static void
put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof v);
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

void
fpu_setup(void)
{
	uint32_t r[4];

	for (uint32_t i = 2; i < 63 && pc_feat.f_xsave; i++) {
		if ((pc_feat.f_xcr0 >> i & 1) == 0)
			continue;
		cpuid(0xd, i, r);
		component[i].off = r[1];
		component[i].len = r[0];
	}
}

size_t
md_fpu_bytes(void)
{
	return pc_feat.f_xbytes;
}

static void
fpu_init(uint8_t *p)
{
	memset(p, 0, pc_feat.f_xbytes);
	p[FCW] = FCW_INIT & 0xff;
	p[FCW + 1] = FCW_INIT >> 8;
	put32(p + MXCSR, MXCSR_INIT);
	put32(p + MXCSR_MASK, pc_feat.f_mxcsr_mask);
}

static void
fpu_load(const void *p)
{
	uint32_t low = (uint32_t)pc_feat.f_xcr0, high = (uint32_t)(pc_feat.f_xcr0 >> 32);

	if (pc_feat.f_xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(p), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(p) : "memory");
}

/* Zero what is in its initial state: nothing stale is handed out. */
static void
fpu_blank(uint8_t *p, uint64_t bv)
{
	uint64_t initial = pc_feat.f_xcr0 & ~bv;

	if ((initial & 1) != 0) {
		memset(p, 0, MXCSR);
		p[FCW] = FCW_INIT & 0xff;
		p[FCW + 1] = FCW_INIT >> 8;
		memset(p + 32, 0, 128);
	}
	if ((initial & 2) != 0)
		memset(p + 160, 0, 256);
	for (initial &= ~3ull; initial != 0; initial &= initial - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(initial);

		memset(p + component[i].off, 0, component[i].len);
	}
}

static void
fpu_save(uint8_t *p)
{
	uint32_t low = (uint32_t)pc_feat.f_xcr0, high = (uint32_t)(pc_feat.f_xcr0 >> 32);
	struct xheader *h = (void *)(p + LEGACY);

	if (pc_feat.f_xsave) {
		h->xh_bv = 0;
		__asm__ volatile("xsave64 (%0)" : : "r"(p), "a"(low), "d"(high) : "memory");
		fpu_blank(p, h->xh_bv);
	} else {
		__asm__ volatile("fxsave64 (%0)" : : "r"(p) : "memory");
	}
	memset(p + SW_RESERVED, 0, LEGACY - SW_RESERVED);
	put32(p + MXCSR_MASK, pc_feat.f_mxcsr_mask);
}

/* Whatever p holds, afterwards the processor accepts it. */
static void
fpu_accept(uint8_t *p)
{
	const struct xheader *h = (const void *)(p + LEGACY);
	uint64_t odd = get32(p + MXCSR) & ~pc_feat.f_mxcsr_mask;

	if (pc_feat.f_xsave) {
		odd |= h->xh_comp | (h->xh_bv & ~pc_feat.f_xcr0);
		for (uint32_t i = 0; i < countof(h->xh_zero); i++)
			odd |= h->xh_zero[i];
	}
	if (odd != 0)
		fpu_init(p);
	put32(p + MXCSR_MASK, pc_feat.f_mxcsr_mask);
}

void
md_uframe_init(struct md_uframe *uf, void *fpu)
{
	ASSERT(((uintptr_t)fpu & 63) == 0);
	memset(uf, 0, sizeof *uf);
	uf->uf_fpu = fpu;
	uf->uf_regs.rflags = 0x202;
	uf->uf_space = MD_NOSPACE;
	fpu_init(fpu);
	uf->uf_fpu_load = 1;
}

void
md_uframe_copy(struct md_uframe *dst, struct md_uframe *src)
{
	void *fpu = dst->uf_fpu;

	md_fpu_read(src);
	memcpy(fpu, src->uf_fpu, pc_feat.f_xbytes);
	*dst = *src;
	dst->uf_fpu = fpu;
	dst->uf_space = MD_NOSPACE;
	dst->uf_fpu_live = 0;
	dst->uf_fpu_load = 1;
}

/* fs is in force, gs is what SWAPGS will bring. */
static void
bases_load(struct pc_cpu *pc, const struct md_regs *r)
{
	if (pc_feat.f_fsgsbase) {
		__asm__ volatile("wrfsbase %0\n\tswapgs\n\twrgsbase %1\n\tswapgs"
		    : : "r"(r->fsbase), "r"(r->gsbase) : "memory");
		return;
	}
	if (pc->pc_fsbase != r->fsbase)
		wrmsr(MSR_FS_BASE, pc->pc_fsbase = r->fsbase);
	if (pc->pc_gsbase != r->gsbase)
		wrmsr(MSR_KERNEL_GS_BASE, pc->pc_gsbase = r->gsbase);
}

/* A program can have changed its bases by itself. */
static void
bases_save(struct md_regs *r)
{
	if (pc_feat.f_fsgsbase)
		__asm__ volatile("rdfsbase %0\n\tswapgs\n\trdgsbase %1\n\tswapgs"
		    : "=&r"(r->fsbase), "=r"(r->gsbase) : : "memory");
}

static bool
is_canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

static enum md_stop
stop_trap(struct md_uframe *uf, uint32_t trapno, uint32_t err)
{
	uf->uf_trapno = trapno;
	uf->uf_err = err;
	return MD_TRAP;
}

/* Interrupts are off, cr2 and dr6 are still this exception's. */
static enum md_stop
exception(struct pc_cpu *pc, struct md_uframe *uf)
{
	uint64_t vector = pc->pc_vector;

	uf->uf_fault_addr = 0;
	/* QEMU returns far with the kernel's rights, which SMAP forbids for ever: no page would help. */
	if (vector == TRAP_PF && (pc->pc_error & (MD_PF_PRESENT | MD_PF_USER)) == MD_PF_PRESENT)
		return stop_trap(uf, TRAP_GP, 0);
	if (vector == TRAP_PF) {
		__asm__ volatile("movq %%cr2, %0" : "=r"(uf->uf_fault_addr));
		uf->uf_trapno = TRAP_PF;
		uf->uf_err = (uint32_t)pc->pc_error;
		return MD_FAULT;
	}
	if (vector == TRAP_DB)
		__asm__ volatile("movq %0, %%dr6" : : "r"(0ull));
	return stop_trap(uf, (uint32_t)vector, (uint32_t)pc->pc_error);
}

enum md_stop
md_user_run(struct md_uframe *uf, md_space_t s)
{
	struct pc_cpu *pc = pc_self();
	enum md_stop stop = MD_SYSCALL;

	if (!is_canonical(uf->uf_regs.rip) || !is_canonical(uf->uf_regs.fsbase) ||
	    !is_canonical(uf->uf_regs.gsbase)) {
		uf->uf_fault_addr = 0;
		return stop_trap(uf, TRAP_GP, 0);
	}
	intr_off();
	atomic_store(&pc->pc_outside, true);
	if (atomic_load(&pc->pc_area->mailbox) != 0) {
		atomic_store_explicit(&pc->pc_outside, false, memory_order_relaxed);
		intr_on();
		return MD_INTR;
	}
	mmu_enter(pc, s);
	if (uf->uf_fpu_load) {
		fpu_load(uf->uf_fpu);
		uf->uf_fpu_load = 0;
	}
	uf->uf_fpu_live = 1;
	uf->uf_space = s;
	bases_load(pc, &uf->uf_regs);
	uf->uf_regs.rflags = (uf->uf_regs.rflags & MD_RFLAGS_USER) | 0x202;
	if (user_enter(&uf->uf_regs)) {
		if (pc->pc_vector >= 32) {
			trap_interrupt(pc, pc->pc_vector);
			stop = MD_INTR;
		} else {
			stop = exception(pc, uf);
		}
	}
	atomic_store_explicit(&pc->pc_outside, false, memory_order_relaxed);
	bases_save(&uf->uf_regs);
	intr_on();
	return stop;
}

/* A system call's instruction is as good. */
uaddr_t
md_gate(void)
{
	return 0;
}

void
md_user_quick(const uint8_t *nr, uint32_t n, bool (*fn)(uint64_t nr, uint64_t *result))
{
	quick_fn = fn;
	for (uint32_t i = 0; i < n; i++)
		quick_calls[nr[i]] = 1;
}

/* There are none: every fault stops. */
void
md_user_each_fault(void)
{
}

void
md_user_leave(struct md_uframe *uf, bool stays)
{
	(void)stays;
	if (uf->uf_fpu_live) {
		fpu_save(uf->uf_fpu);
		uf->uf_fpu_live = 0;
		uf->uf_fpu_load = 1;
	}
}

void
md_fpu_read(struct md_uframe *uf)
{
	if (uf->uf_fpu_live)
		fpu_save(uf->uf_fpu);
}

void
md_fpu_wrote(struct md_uframe *uf)
{
	fpu_accept(uf->uf_fpu);
	uf->uf_fpu_live = 0;
	uf->uf_fpu_load = 1;
}

bool
md_user_emulate(struct md_uframe *uf, const uint8_t *insn, size_t n)
{
	(void)uf;
	(void)insn;
	(void)n;
	return false;
}
