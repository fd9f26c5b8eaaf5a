/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run - enter a guest, and come back with the reason why it stopped
 *
 * The registers of a stopped guest lie in the signal frame that the host
 * built in the guest thread's slot, which we share: hk_run() writes them
 * there, says "go", sleeps, and reads them back.  One futex wake and one
 * futex wait on each side is all that a system call costs.
 *
 * Invariants
 *   R1  What comes from a slot is read once, into struct seen, and checked
 *       there.  Pointers are compared with what they must be, never followed.
 *   R2  Each sleeper has a word of its own: the guest thread s_gsleep, we
 *       s_vksleep.  A waker clears the word and wakes.
 *   R3  A mailbox that becomes not-zero is not missed: c_wait and s_vksleep
 *       are set before the mailbox is read, and hk_post() changes the mailbox
 *       before it reads c_wait; all four are sequentially consistent.  A guest
 *       that spoils s_vksleep at the wrong moment delays its own CPU until
 *       the watchdog's next heartbeat.
 *   R4  Only the thread of a CPU kicks the guest of that CPU, at most once per
 *       stop, and looks at the mailbox before each return to the guest.  So no
 *       kick outlives the stop that answers it, but a signal on its way may
 *       cause one more HK_INTR.
 *   R5  A thread that came by the call gate has no signal frame.  It can
 *       return from there only to the frame that it gave, with another rax;
 *       for anything else it first moves into a frame (hk_slot_ungate).  If
 *       it is caught on its way out, sl_call holds what its registers were to
 *       be, and the gate's own address is never shown.
 *
 * Locking: the CPU's own thread; sp_lock around the mapping cache.
 * Deliberately absent: sched_yield() and spinning by default.  Both lose by
 * two orders of magnitude as soon as another process wants the host CPU.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <linux/audit.h>
#include <sys/syscall.h>
#include "hk_int.h"
#include "hk_stub.h"
#include "host.h"

#define SLOT_WAIT_NS	1000000000ull
#define UNGATE_NS	100000000ull
#define PLACE_RUNS	256u		/* runs between two looks at the clock for placing's sake */

/* Flags that a program can have: CF PF AF ZF SF TF DF OF AC ID.  NT would fault in IRETQ. */
#define RFLAGS_USER	0x240dd5ull
#define RFLAGS_ALWAYS	0x202ull

enum { TRAP_UD = 6, TRAP_GP = 13, TRAP_PF = 14, TRAP_MAX = 31, ERR_INT80 = 0x402, ERR_FETCH = 0x14 };

_Static_assert(HK_GATE == STUB_GUEST + GATE_OFFSET, "the gate is where the interface says");

/* What a slot said, once (R1). */
struct seen {
	uint32_t	sig, arch, kind;
	uint64_t	uc, fs, gs, reg[UC_WORDS];
};

static bool
is_canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* A figure that only this CPU writes. */
static void
count(_Atomic uint64_t *figure)
{
	atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* ------------------------------------------------------------- waiting -- */

static void
guest_go(struct hk_slot *s)
{
	/* Full barrier between the state and the sleeping flag: the stub does it in the other order. */
	atomic_store(&s->s_state, ST_GUEST);
	if (atomic_load(&s->s_gsleep) != 0) {
		atomic_store_explicit(&s->s_gsleep, 0, memory_order_relaxed);
		hk_futex_wake(&s->s_gsleep, 1);
	}
}

static void
guest_kick(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, struct hk_slot *s)
{
	if (++c->c_kicks == 0)
		c->c_kicks = 1;
	atomic_store(&s->s_kreq, 1);
	atomic_store(&c->c_kick, c->c_kicks);
	count(&c->n_kicks);
	(void)HK_SYS3(SYS_tgkill, atomic_load(&sp->sp_pid), sp->sp_slot[cpu].sl_tid, STUB_SIG_KICK);
}

/* Judge the place of this CPU, when it is time to; its guest follows where it goes. */
static void
look_at_place(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, bool judge)
{
	if (judge) {
		atomic_store_explicit(&c->c_place_space, sp->sp_id, memory_order_relaxed);
		hk_place_tick(c);
	}
	if (sp->sp_slot[cpu].sl_hostcpu != atomic_load_explicit(&c->c_hostcpu, memory_order_relaxed))
		hk_place_follow(sp, cpu);
}

/*
 * Wait until the guest has stopped, kicking it when the mailbox fills (R3, R4),
 * or when that takes longer than `patience` (ns, 0: never).  False: dead.
 */
static bool
guest_wait(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, struct hk_slot *s, uint64_t patience)
{
	uint32_t spin = (hk_m.m_flags & HK_F_SPIN) != 0 ? atomic_load_explicit(&sp->sp_cmd->c_spin,
	    memory_order_relaxed) : 0;
	bool kicked = false, late = false;
	int r;

	for (;;) {
		if (atomic_load_explicit(&s->s_state, memory_order_acquire) == ST_STOPPED)
			break;
		if (atomic_load_explicit(&sp->sp_dead, memory_order_relaxed))
			return false;
		if (spin > 0 && (kicked || atomic_load_explicit(c->c_mailbox, memory_order_relaxed) == 0)) {
			spin--;
			__builtin_ia32_pause();
			continue;
		}
		atomic_store(&s->s_vksleep, 1);
		if (atomic_load(&s->s_state) == ST_STOPPED || atomic_load(&sp->sp_dead))
			continue;
		if (!kicked && (late || atomic_load(c->c_mailbox) != 0)) {
			kicked = true;
			guest_kick(c, sp, cpu, s);
		}
		r = hk_futex_wait(&s->s_vksleep, 1, kicked ? 0 : patience);
		late = r == -ETIMEDOUT;
		/* Woken with nothing to do: the watchdog's heartbeat found a guest that computes and computes. */
		if (r == 0 && !kicked && atomic_load(c->c_mailbox) == 0 && atomic_load(&s->s_state) != ST_STOPPED)
			look_at_place(c, sp, cpu, true);
	}
	atomic_store_explicit(&s->s_vksleep, 0, memory_order_relaxed);
	if (kicked) {
		atomic_store_explicit(&c->c_kick, 0, memory_order_relaxed);
		atomic_store_explicit(&s->s_kreq, 0, memory_order_relaxed);
	}
	return true;
}

bool
hk_slot_wait(struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_slot *s = hk_slot_of(sp, cpu);
	struct hk_suspect who = { .q_seen = false };

	while (atomic_load_explicit(&s->s_state, memory_order_acquire) != ST_STOPPED) {
		if (atomic_load(&sp->sp_dead))
			return false;
		atomic_store(&s->s_vksleep, 1);
		if (atomic_load(&s->s_state) == ST_STOPPED || atomic_load(&sp->sp_dead))
			continue;
		if (hk_futex_wait(&s->s_vksleep, 1, SLOT_WAIT_NS) == -ETIMEDOUT) {
			hk_spaces_reap();
			if (hk_is_guilty(&who, atomic_load(&sp->sp_pid), sp->sp_slot[cpu].sl_tid, SLOT_WAIT_NS) &&
			    atomic_load(&s->s_state) != ST_STOPPED)
				return false;
		}
	}
	atomic_store_explicit(&s->s_vksleep, 0, memory_order_relaxed);
	return true;
}

/* ----------------------------------------------------------- registers -- */

static void
frame_put(struct hk_slot *s, struct hk_slot_rec *sl, const struct hk_frame *f)
{
	_Atomic uint64_t *uc = hk_slot_uc(s);

#define PUT(i, v)	atomic_store_explicit(&uc[i], (v), memory_order_relaxed)
	PUT(UC_R8, f->r8);
	PUT(UC_R9, f->r9);
	PUT(UC_R10, f->r10);
	PUT(UC_R11, f->r11);
	PUT(UC_R12, f->r12);
	PUT(UC_R13, f->r13);
	PUT(UC_R14, f->r14);
	PUT(UC_R15, f->r15);
	PUT(UC_RDI, f->rdi);
	PUT(UC_RSI, f->rsi);
	PUT(UC_RBP, f->rbp);
	PUT(UC_RBX, f->rbx);
	PUT(UC_RDX, f->rdx);
	PUT(UC_RAX, f->rax);
	PUT(UC_RCX, f->rcx);
	PUT(UC_RSP, f->rsp);
	PUT(UC_RIP, f->rip);
	PUT(UC_RFLAGS, (f->rflags & RFLAGS_USER) | RFLAGS_ALWAYS);
#undef PUT
	if (f->fsbase == sl->sl_fs && f->gsbase == sl->sl_gs)
		return;
	atomic_store_explicit(&s->s_fsnew, f->fsbase, memory_order_relaxed);
	atomic_store_explicit(&s->s_gsnew, f->gsbase, memory_order_relaxed);
	atomic_store_explicit(&s->s_setfs, 1, memory_order_relaxed);
	sl->sl_fs = f->fsbase;
	sl->sl_gs = f->gsbase;
}

/* A call by the gate: the same registers from another place, and what SYSCALL does to them. */
static void
call_see(struct hk_slot *s, struct seen *v)
{
	const _Atomic uint64_t *g = (const _Atomic uint64_t *)(const void *)((const uint8_t *)s + S_GATE);

	for (int i = 0; i < UC_CSGSFS; i++)
		v->reg[i] = atomic_load_explicit(&g[i], memory_order_relaxed);
	v->reg[UC_RCX] = v->reg[UC_RIP];
	v->reg[UC_R11] = (v->reg[UC_RFLAGS] & RFLAGS_USER) | RFLAGS_ALWAYS;
	v->fs = atomic_load_explicit(&s->s_fs, memory_order_relaxed);
	v->gs = atomic_load_explicit(&s->s_gs, memory_order_relaxed);
}

/* Copy out of the slot (R1). */
static void
frame_see(struct hk_slot *s, struct seen *v)
{
	const _Atomic uint64_t *uc = hk_slot_uc(s);
	const uint8_t *info = (const uint8_t *)s + hk_m.m_lay.f_info;
	int i;

	v->kind = atomic_load_explicit(&s->s_kind, memory_order_relaxed);
	if (v->kind == KIND_GATE) {
		call_see(s, v);
		return;
	}
	v->sig = atomic_load_explicit(&s->s_sig, memory_order_relaxed);
	v->uc = atomic_load_explicit(&s->s_uc, memory_order_relaxed);
	v->fs = atomic_load_explicit(&s->s_fs, memory_order_relaxed);
	v->gs = atomic_load_explicit(&s->s_gs, memory_order_relaxed);
	v->arch = atomic_load_explicit((const _Atomic uint32_t *)(const void *)
	    (info + offsetof(siginfo_t, si_arch)), memory_order_relaxed);
	for (i = 0; i < UC_WORDS; i++)
		v->reg[i] = atomic_load_explicit(&uc[i], memory_order_relaxed);
	if (atomic_load_explicit(&s->s_setfs, memory_order_relaxed) != 0)
		atomic_store_explicit(&s->s_setfs, 0, memory_order_relaxed);
}

/* Only a guest that plays with its stub gets here with any of these. */
static bool
is_hostile(const struct seen *v, uint32_t cpu)
{
	if (v->kind != KIND_GATE &&
	    (v->uc != hk_slot_va(cpu) + hk_m.m_lay.f_uc || (v->reg[UC_CSGSFS] & 0xffff) != 0x33))
		return true;
	return (v->reg[UC_RIP] >= STUB_BASE && v->reg[UC_RIP] < STUB_END) || !is_canonical(v->reg[UC_RIP]) ||
	    !is_canonical(v->fs) || !is_canonical(v->gs);
}

/* Caught by a kick, or by its own trap, between being told to go on and being gone (R5). */
static bool
is_leaving_gate(const struct seen *v, const struct hk_slot_rec *sl, uint32_t cpu)
{
	return sl->sl_gate && v->kind == KIND_FRAME && v->uc == hk_slot_va(cpu) + hk_m.m_lay.f_uc &&
	    v->reg[UC_RIP] >= STUB_GUEST && v->reg[UC_RIP] < STUB_MAPPER &&
	    (v->sig == STUB_SIG_KICK || (v->sig == SIGSYS && v->reg[UC_RAX] == GATE_NR_REDO));
}

/* Is f what the thread in the gate can return to by itself? */
static bool
is_call_result(const struct hk_slot_rec *sl, const struct hk_frame *f)
{
	struct hk_frame c = sl->sl_call;

	c.rax = f->rax;
	return memcmp(&c, f, offsetof(struct hk_frame, cr2)) == 0;
}

static void
call_put(struct hk_slot *s, struct hk_slot_rec *sl, uint64_t rax)
{
	_Atomic uint64_t *g = (_Atomic uint64_t *)(void *)((uint8_t *)s + S_GATE);

	atomic_store_explicit(&g[UC_RAX], rax, memory_order_relaxed);
	atomic_store_explicit(&s->s_redo, 0, memory_order_relaxed);
	sl->sl_call.rax = rax;
}

/* From here the watchdog looks after the CPU and its guest. */
static void
watch_begin(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu)
{
	atomic_store_explicit(&c->c_space, sp->sp_id, memory_order_relaxed);
	atomic_store(&c->c_wait, &hk_slot_of(sp, cpu)->s_vksleep);
}

static void
watch_end(struct hk_cpu_rec *c)
{
	atomic_store_explicit(&c->c_wait, NULL, memory_order_relaxed);
	atomic_store_explicit(&c->c_kick, 0, memory_order_relaxed);
	atomic_store_explicit(&c->c_space, HK_NOSPACE, memory_order_relaxed);
}

/* R5.  An honest thread moves at once; one that says it is in the gate and is not needs a kick, and perhaps the watchdog. */
static bool
ungate(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_slot *s = hk_slot_of(sp, cpu);
	struct hk_slot_rec *sl = &sp->sp_slot[cpu];
	struct seen v;

	if (!sl->sl_gate)
		return true;
	atomic_store_explicit(&s->s_redo, 1, memory_order_relaxed);
	guest_go(s);
	if (!guest_wait(c, sp, cpu, s, UNGATE_NS))
		return false;
	frame_see(s, &v);
	if (!is_leaving_gate(&v, sl, cpu)) {
		hk_space_kill(sp);
		return false;
	}
	sl->sl_gate = false;
	sl->sl_fs = v.fs;
	sl->sl_gs = v.gs;
	return true;
}

bool
hk_slot_ungate(struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
	bool ok;

	watch_begin(c, sp, cpu);
	ok = ungate(c, sp, cpu);
	watch_end(c);
	return ok;
}

static void
frame_get(const struct seen *v, struct hk_slot_rec *sl, struct hk_frame *f)
{
	f->r8 = v->reg[UC_R8];
	f->r9 = v->reg[UC_R9];
	f->r10 = v->reg[UC_R10];
	f->r11 = v->reg[UC_R11];
	f->r12 = v->reg[UC_R12];
	f->r13 = v->reg[UC_R13];
	f->r14 = v->reg[UC_R14];
	f->r15 = v->reg[UC_R15];
	f->rdi = v->reg[UC_RDI];
	f->rsi = v->reg[UC_RSI];
	f->rbp = v->reg[UC_RBP];
	f->rbx = v->reg[UC_RBX];
	f->rdx = v->reg[UC_RDX];
	f->rax = v->reg[UC_RAX];
	f->rcx = v->reg[UC_RCX];
	f->rsp = v->reg[UC_RSP];
	f->rip = v->reg[UC_RIP];
	f->rflags = (v->reg[UC_RFLAGS] & RFLAGS_USER) | RFLAGS_ALWAYS;
	f->fsbase = v->fs;
	f->gsbase = v->gs;
	sl->sl_fs = v->fs;
	sl->sl_gs = v->gs;
}

static enum hk_stop
stop_trap(struct hk_frame *f, uint64_t trapno, uint64_t err, uint64_t cr2)
{
	f->trapno = trapno <= TRAP_MAX ? (uint32_t)trapno : TRAP_GP;
	f->err = (uint32_t)err;
	f->cr2 = cr2;
	return HK_TRAP;
}

/* Why the guest stopped, from what its slot says.  Registers are in *f already. */
static enum hk_stop
frame_reason(const struct seen *v, struct hk_frame *f)
{
	const uint64_t trapno = v->reg[UC_TRAPNO], err = v->reg[UC_ERR], cr2 = v->reg[UC_CR2];

	switch (v->sig) {
	case SIGSYS:
		if (v->arch == AUDIT_ARCH_X86_64)
			return HK_SYSCALL;
		f->rip -= 2;		/* INT 0x80 from 64-bit code: as on a processor without that gate */
		return stop_trap(f, TRAP_GP, ERR_INT80, 0);
	case SIGSEGV:
		if (trapno != TRAP_PF)
			return stop_trap(f, trapno, err, cr2);
		f->trapno = TRAP_PF;
		f->err = (uint32_t)err;
		f->cr2 = cr2;
		return HK_FAULT;
	case SIGBUS:
		if (trapno == TRAP_PF)
			return HK_DEAD;	/* the host has no page for the RAM file */
		return stop_trap(f, trapno, err, cr2);
	case SIGILL:
		/* Also the host's answer to uretprobe (335), which, like uprobe (336), it lets no filter see. */
		return stop_trap(f, TRAP_UD, 0, cr2);
	case SIGFPE:
	case SIGTRAP:
		return stop_trap(f, trapno, err, cr2);
	case STUB_SIG_KICK:
		return HK_INTR;
	default:
		return HK_HOSTILE;
	}
}

/* ------------------------------------------------------------- running -- */

static bool
mail(const struct hk_cpu_rec *c)
{
	return atomic_load(c->c_mailbox) != 0;
}

/* A frame that the processor would refuse to enter stops before it starts.  True: *stop says how. */
static bool
frame_refused(struct hk_frame *f, enum hk_stop *stop)
{
	if (!is_canonical(f->rip) || !is_canonical(f->fsbase) || !is_canonical(f->gsbase)) {
		*stop = stop_trap(f, TRAP_GP, 0, 0);
		return true;
	}
	if (f->rip >= HK_USER_MAX) {
		f->trapno = TRAP_PF;
		f->err = ERR_FETCH;
		f->cr2 = f->rip;
		*stop = HK_FAULT;
		return true;
	}
	return false;
}

/*
 * Serve a page fault.  True: the guest has been resumed, by the mapper or
 * directly.  False: *stop is why not.
 */
static bool
fault_serve(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, const struct hk_frame *f, enum hk_stop *stop)
{
	enum hk_fill fill;
	bool resumed = false;

	if (f->cr2 < HK_USER_MIN || f->cr2 >= HK_USER_MAX) {
		*stop = HK_FAULT;
		return false;
	}
	hk_lock(&sp->sp_lock);
	fill = hk_vpt_fault(sp, f->cr2, f->err);
	if (fill == HK_FILL_SERVED) {
		count(&c->n_served);
		if (mail(c) || atomic_load_explicit(&hk_m.m_each_fault, memory_order_relaxed)) {
			atomic_store_explicit(&sp->sp_unsent, sp->sp_count > 0, memory_order_relaxed);
			*stop = HK_INTR;
		} else {
			if (sp->sp_count > 0)
				hk_batch_resume(sp, cpu);
			else
				guest_go(hk_slot_of(sp, cpu));
			resumed = true;
		}
	} else {
		*stop = fill == HK_FILL_DEAD ? HK_DEAD : HK_FAULT;
	}
	hk_unlock(&sp->sp_lock);
	return resumed;
}

/*
 * The guest goes on where it stopped by a fault, so the tables now permit what it wanted: to be mapped before it goes,
 * or it would stop once more.
 */
static bool
is_fault_again(const struct hk_slot_rec *sl, const struct hk_frame *f)
{
	return sl->sl_faulted && f->rip == sl->sl_fault_rip && f->cr2 == sl->sl_fault_va;
}

/* The guest goes on; behind the commands that hk_prefill() or a stop between left, if there are any. */
static void
guest_resume(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, struct hk_slot *s)
{
	bool sent = false;

	if (atomic_load_explicit(&sp->sp_unsent, memory_order_relaxed)) {
		hk_lock(&sp->sp_lock);
		atomic_store_explicit(&sp->sp_unsent, false, memory_order_relaxed);
		sent = sp->sp_count > 0 && hk_batch_settle(sp) && !mail(c);
		if (sent)
			hk_batch_resume(sp, cpu);
		hk_unlock(&sp->sp_lock);
	}
	if (!sent)
		guest_go(s);
}

static enum hk_stop
run_inside(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, struct hk_frame *f)
{
	struct hk_slot *s = hk_slot_of(sp, cpu);
	struct hk_slot_rec *sl = &sp->sp_slot[cpu];
	struct seen v;
	enum hk_stop stop;
	bool again = is_fault_again(sl, f), resumed = false;

	sl->sl_faulted = false;
	if (sl->sl_gate && !is_call_result(sl, f) && !ungate(c, sp, cpu))
		return HK_DEAD;
	if (sl->sl_gate)
		call_put(s, sl, f->rax);
	else
		frame_put(s, sl, f);
	if (again) {
		resumed = fault_serve(c, sp, cpu, f, &stop);
		if (!resumed && stop != HK_FAULT)
			return stop;
	}
	if (!resumed)
		guest_resume(c, sp, cpu, s);
	for (;;) {
		if (!guest_wait(c, sp, cpu, s, 0))
			return HK_DEAD;
		frame_see(s, &v);
		if (is_leaving_gate(&v, sl, cpu)) {
			sl->sl_gate = false;
			sl->sl_fs = v.fs;
			sl->sl_gs = v.gs;
			*f = sl->sl_call;
			return HK_INTR;
		}
		if (is_hostile(&v, cpu))
			return HK_HOSTILE;
		frame_get(&v, sl, f);
		sl->sl_gate = v.kind == KIND_GATE;
		if (sl->sl_gate) {
			sl->sl_call = *f;
			return HK_SYSCALL;
		}
		stop = frame_reason(&v, f);
		if (stop != HK_FAULT)
			return stop;
		if (!fault_serve(c, sp, cpu, f, &stop)) {
			sl->sl_faulted = stop == HK_FAULT;
			sl->sl_fault_rip = f->rip;
			sl->sl_fault_va = f->cr2;
			return stop;
		}
	}
}

void
hk_run_each_fault(void)
{
	atomic_store_explicit(&hk_m.m_each_fault, true, memory_order_relaxed);
}

enum hk_stop
hk_run(uint32_t cpu, hk_space s, struct hk_frame *f)
{
	struct hk_space_rec *sp = hk_space_rec(s);
	struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
	enum hk_stop stop;
	uint32_t runs;
	bool ok;

	ASSERT(cpu < hk_m.m_ncpu);
	ASSERT(sp != NULL);
	if (atomic_load(&sp->sp_dead))
		return HK_DEAD;
	if (mail(c))
		return HK_INTR;
	if (frame_refused(f, &stop))
		return stop;
	if (!sp->sp_slot[cpu].sl_live) {
		hk_lock(&sp->sp_lock);
		ok = hk_slot_make(sp, cpu);
		hk_unlock(&sp->sp_lock);
		if (!ok) {
			hk_space_kill(sp);
			return HK_DEAD;
		}
	}
	runs = atomic_load_explicit(&c->c_place_runs, memory_order_relaxed) + 1;
	atomic_store_explicit(&c->c_place_runs, runs, memory_order_relaxed);
	look_at_place(c, sp, cpu, runs % PLACE_RUNS == 0);

	count(&c->n_runs);
	watch_begin(c, sp, cpu);
	stop = run_inside(c, sp, cpu, f);
	watch_end(c);
	if (stop == HK_SYSCALL)
		count(&c->n_syscalls);
	else if (stop == HK_FAULT)
		count(&c->n_returned);
	else if (stop == HK_DEAD && !atomic_load(&sp->sp_dead))
		hk_space_kill(sp);
	return stop;
}
