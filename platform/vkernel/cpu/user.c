/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user - run a guest until it stops.
 *
 * A struct md_uframe begins as a struct hk_frame, so registers are not
 * copied here.  Extended state stays in hostkit's slot for (CPU, space) while
 * the thread goes in and out, and also while threads of other spaces run; it
 * is brought home when the thread leaves the CPU or the space, or when
 * somebody else wants the slot.
 *
 * Invariants
 *   F1  At most one of uf_fpu_live and uf_fpu_load is set.
 *   F2  A thread that has left live state on its CPU, and is not there now, is
 *       in resting[] of that CPU, which nobody else reads or writes.
 */
#include <core/rt/rt.h>
#include <hk/hk.h>
#include <machine/cpu.h>
#include <machine/user.h>
#include <stdatomic.h>

#include "../det/det.h"

_Static_assert(offsetof(struct md_regs, r15) == offsetof(struct hk_frame, r15), "same registers, same order");
_Static_assert(offsetof(struct md_regs, rax) == offsetof(struct hk_frame, rax), "likewise");
_Static_assert(offsetof(struct md_regs, rdi) == offsetof(struct hk_frame, rdi), "likewise");
_Static_assert(offsetof(struct md_regs, rip) == offsetof(struct hk_frame, rip), "likewise");
_Static_assert(offsetof(struct md_regs, gsbase) == offsetof(struct hk_frame, gsbase), "likewise");
_Static_assert(offsetof(struct md_uframe, uf_fault_addr) == offsetof(struct hk_frame, cr2), "likewise");
_Static_assert(offsetof(struct md_uframe, uf_trapno) == offsetof(struct hk_frame, trapno), "likewise");
_Static_assert(offsetof(struct md_uframe, uf_err) == offsetof(struct hk_frame, err), "likewise");

size_t
md_fpu_bytes(void)
{
	return hk_fpu_bytes();
}

void
md_uframe_init(struct md_uframe *uf, void *fpu)
{
	ASSERT(((uintptr_t)fpu & 63) == 0);
	memset(uf, 0, sizeof *uf);
	uf->uf_fpu = fpu;
	uf->uf_regs.rflags = 0x202;
	uf->uf_space = MD_NOSPACE;
	hk_fpu_init(fpu);
	uf->uf_fpu_load = 1;
}

void
md_uframe_copy(struct md_uframe *dst, struct md_uframe *src)
{
	void *fpu = dst->uf_fpu;

	md_fpu_read(src);
	memcpy(fpu, src->uf_fpu, hk_fpu_bytes());
	*dst = *src;
	dst->uf_fpu = fpu;
	dst->uf_space = MD_NOSPACE;
	dst->uf_fpu_live = 0;
	dst->uf_fpu_load = 1;
}

#define RESTING	16u		/* per CPU: spaces with another number give way to each other */

static struct md_uframe *resting[HK_CPU_MAX][RESTING];

static struct md_uframe **
rest_of(md_space_t s)
{
	return &resting[kcpu_id()][s % RESTING];
}

static void
bring_home(struct md_uframe *uf)
{
	if (uf->uf_fpu_live) {
		hk_fpu_get(kcpu_id(), uf->uf_space, uf->uf_fpu);
		uf->uf_fpu_live = 0;
		uf->uf_fpu_load = 1;
	}
}

void
md_user_leave(struct md_uframe *uf, bool stays)
{
	struct md_uframe **rest = rest_of(uf->uf_space);

	if (!stays) {
		bring_home(uf);
		if (*rest == uf)
			*rest = NULL;
	} else if (uf->uf_fpu_live && *rest != uf) {
		if (*rest != NULL)
			bring_home(*rest);
		*rest = uf;
	}
}

/* A program that has used so much CPU time without entering the kernel is not waited for: no other CPU would ever run. */
#define SPIN_NS	1000000000u

/* What a guest has used, without entering the kernel, at the last look; and what of it counts. */
struct spinner {
	uint64_t	sp_last, sp_used;	/* sp_last UINT64_MAX: never looked */
};

/*
 * The timer set before a guest ran has fired.  One look counts for half at most: a host that is a virtual
 * machine may charge a program with time that was stolen from it.
 */
static void
look_at_spinner(md_space_t s, struct spinner *sp)
{
	uint64_t now = hk_space_time(s), used = sp->sp_last != UINT64_MAX ? now - sp->sp_last : 0;

	sp->sp_last = now;
	sp->sp_used += used < SPIN_NS / 2 ? used : SPIN_NS / 2;
	if (sp->sp_used >= SPIN_NS)
		hang_kernel("SPIN: a program computes and never enters the kernel");
	hk_timer(DET_HOST_CPU, hk_clock_mono() + SPIN_NS);
}

/* One slot serves all virtual CPUs: extended state goes in before and comes home after each run. */
static enum hk_stop
det_user_run(struct md_uframe *uf, md_space_t s)
{
	_Atomic uint32_t *mailbox = &((struct md_percpu *)md_percpu())->mailbox;
	enum hk_stop stop = HK_INTR;
	struct spinner spinner = { .sp_last = UINT64_MAX };

	md_point(MD_PT_ENTER, uf->uf_regs.rip);
	if (atomic_load(mailbox) != 0)
		return stop;
	hk_fpu_set(DET_HOST_CPU, s, uf->uf_fpu);
	hk_timer(DET_HOST_CPU, hk_clock_mono() + SPIN_NS);
	det_take_outside();
	while (stop == HK_INTR && atomic_load(mailbox) == 0) {
		stop = hk_run(DET_HOST_CPU, s, (struct hk_frame *)(void *)uf);
		if ((atomic_load(&det_outside) & HK_BIT_TIMER) != 0 && stop == HK_INTR)
			look_at_spinner(s, &spinner);
		det_take_outside();
	}
	if (stop != HK_HOSTILE && stop != HK_DEAD)
		hk_fpu_get(DET_HOST_CPU, s, uf->uf_fpu);
	uf->uf_fpu_load = 1;
	md_point(MD_PT_LEAVE, (uint64_t)stop << 32 ^ uf->uf_regs.rax ^ uf->uf_regs.rip);
	return stop;
}

static enum hk_stop
slot_run(struct md_uframe *uf, md_space_t s)
{
	struct md_uframe **rest = rest_of(s);
	uint32_t cpu = kcpu_id();
	enum hk_stop stop;

	if (*rest != NULL && *rest != uf && (*rest)->uf_space == s) {
		bring_home(*rest);
		*rest = NULL;
	}
	if (uf->uf_fpu_load) {
		hk_fpu_set(cpu, s, uf->uf_fpu);
		uf->uf_fpu_load = 0;
	}
	if (uf->uf_gate)
		uf->uf_regs.gsbase = hk_gate_base(cpu);
	stop = hk_run(cpu, s, (struct hk_frame *)(void *)uf);
	if (uf->uf_gate && uf->uf_regs.gsbase == hk_gate_base(cpu))
		uf->uf_regs.gsbase = 0;
	uf->uf_fpu_live = 1;
	uf->uf_space = s;
	return stop;
}

enum md_stop
md_user_run(struct md_uframe *uf, md_space_t s)
{
	enum hk_stop stop = md_deterministic ? det_user_run(uf, s) : slot_run(uf, s);

	switch (stop) {
	case HK_SYSCALL:
		return MD_SYSCALL;
	case HK_FAULT:
		return MD_FAULT;
	case HK_TRAP:
		return MD_TRAP;
	case HK_INTR:
		return MD_INTR;
	case HK_HOSTILE:
	case HK_DEAD:
		break;
	}
	uf->uf_fpu_live = 0;
	return stop == HK_HOSTILE ? MD_HOSTILE : MD_KILLED;
}

/* In deterministic mode all processors share a slot. */
uaddr_t
md_gate(void)
{
	return md_deterministic ? 0 : HK_GATE;
}

/* The host's kernel answers only its own calls. */
void
md_user_quick(const uint8_t *nr, uint32_t n, bool (*fn)(uint64_t nr, uint64_t *result))
{
	(void)nr;
	(void)n;
	(void)fn;
}

void
md_user_each_fault(void)
{
	hk_run_each_fault();
}

/* RDTSC, RDTSCP: trapped in deterministic mode only. */
bool
md_user_emulate(struct md_uframe *uf, const uint8_t *insn, size_t n)
{
	static const uint8_t rdtsc[] = { 0x0f, 0x31 }, rdtscp[] = { 0x0f, 0x01, 0xf9 };
	bool with_cpu = n >= sizeof rdtscp && memcmp(insn, rdtscp, sizeof rdtscp) == 0;
	nsec_t now;

	if (!md_deterministic || (!with_cpu && (n < sizeof rdtsc || memcmp(insn, rdtsc, sizeof rdtsc) != 0)))
		return false;
	now = det_now();
	uf->uf_regs.rax = (uint32_t)now;
	uf->uf_regs.rdx = now >> 32;
	if (with_cpu)
		uf->uf_regs.rcx = kcpu_id();
	uf->uf_regs.rip += with_cpu ? sizeof rdtscp : sizeof rdtsc;
	return true;
}

/* Reading brings the state home and leaves the slot's copy in force. */
void
md_fpu_read(struct md_uframe *uf)
{
	if (uf->uf_fpu_live)
		hk_fpu_get(kcpu_id(), uf->uf_space, uf->uf_fpu);
}

void
md_fpu_wrote(struct md_uframe *uf)
{
	uf->uf_fpu_live = 0;
	uf->uf_fpu_load = 1;
}
