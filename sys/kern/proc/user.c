/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user - the user loop: a thread runs its program until that stops, does what
 * the program asked or suffered, and goes on.
 *
 * The border back to user mode is one place, and everything that waits for a
 * thread there is done there: signals, stops, interrupts, giving way.  It is
 * crossed only when all of it is done.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <sys/debug/kprint.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/gates.h>
#include <sys/vm/uaccess.h>

#define RIP_MAX		0x7ffffffff000ull	/* beyond: not an address that a program can run at */

enum {
	TRAP_DE = 0, TRAP_DB = 1, TRAP_BP = 3, TRAP_UD = 6, TRAP_NP = 11, TRAP_SS = 12,
	TRAP_GP = 13, TRAP_PF = 14, TRAP_MF = 16, TRAP_AC = 17, TRAP_XF = 19,
};

/* Const after boot. */
static void (*dispatch)(struct sysmsg *);
static bool (*is_apart)(uint64_t nr);

void
proc_set_syscall(void (*fn)(struct sysmsg *), bool (*apart)(uint64_t nr))
{
	dispatch = fn;
	is_apart = apart;
}

struct vmspace *
proc_current_space(void)
{
	return curlwp != NULL ? curproc->p_vmspace : NULL;
}

/* ------------------------------------------------------------ out of memory -- */

/*
 * Who has the most memory goes first, as if it had p_oom_adj thousandths of
 * all memory more; at OOM_NEVER it does not go at all.
 */
#define OOM_NEVER	(-1000)
#define WORTH		8	/* nobody is killed for so many times what comes back by itself */

struct victim {
	struct proc	*proc;		/* held */
	int64_t		badness, pages;
	bool		leaving;	/* somebody is on its way out and will give memory back */
};

static _Atomic uint64_t oom_kills;

static int64_t
resident(struct proc *p)
{
	int64_t pages = 0;

	token_get(&p->p_tok);			/* its space stays while we count */
	if (p->p_vmspace != NULL)
		pages = (int64_t)vm_resident(p->p_vmspace);
	token_release(&p->p_tok);
	return pages;
}

/* In pages. */
static int64_t
badness(struct proc *p, int64_t pages)
{
	struct page_stats s;

	page_stats(&s);
	return pages + p->p_oom_adj * ((int64_t)s.total / 1000);
}

uint64_t
proc_oom_points(struct proc *p)
{
	struct page_stats s;
	int64_t points;

	page_stats(&s);
	points = 1000 + badness(p, resident(p)) * 1000 / (int64_t)s.total;
	return p->p_oom_adj == OOM_NEVER || points < 0 ? 0 : (uint64_t)points * 2 / 3;
}

uint64_t
proc_oom_kills(void)
{
	return oom_kills;
}

static int
weigh(struct proc *p, void *arg)
{
	struct victim *v = arg;
	int64_t pages = resident(p), bad = badness(p, pages);

	if (p == proc_first || pages == 0)
		return 0;
	if (p->p_state >= P_EXITING || (p->p_sigq.sq_set & sigbit(SIGKILL)) != 0) {
		v->leaving = true;
		return 0;
	}
	if (p->p_oom_adj == OOM_NEVER || (v->proc != NULL && bad <= v->badness))
		return 0;
	if (v->proc != NULL)
		proc_drop(v->proc);
	proc_hold(p);
	v->proc = p;
	v->pages = pages;
	v->badness = bad;
	return 0;
}

bool
proc_oom_kill(void)
{
	struct victim v = { NULL, 0, 0, false };

	(void)proc_foreach_any(weigh, &v);
	/* Whose space is nobody's any more is none of them, and the machine may take long to forget it. */
	v.leaving |= v.proc != NULL && vm_returning() > (uint64_t)v.pages / WORTH;
	if (v.leaving && v.proc != NULL)
		proc_drop(v.proc);
	if (v.leaving || v.proc == NULL)
		return v.leaving;
	kprintf("proc: out of memory: killed process %d (%s), %llu KiB resident\n", (int)v.proc->p_pid,
	    v.proc->p_comm,
	    (unsigned long long)v.pages * 4);
	atomic_fetch_add(&oom_kills, 1);
	sig_post(v.proc, SIGKILL, NULL);
	proc_drop(v.proc);
	return true;
}

bool
proc_oom_dying(void)
{
	return curlwp != NULL &&
	    (curproc->p_state >= P_EXITING ||
	    ((curproc->p_sigq.sq_set | curlwp->l_sigq.sq_set) & sigbit(SIGKILL)) != 0);
}

/* -------------------------------------------------------- reasons to stop -- */

static void
fault_signal(struct lwp *l, int sig, int code, uaddr_t addr)
{
	struct k_siginfo info = { .si_signo = sig, .si_code = code };

	info.u.fault.addr = addr;
	sig_force(l, sig, &info);
}

static void
do_fault(struct lwp *l)
{
	struct md_uframe *uf = &l->l_uf;
	uint32_t access = (uf->uf_err & MD_PF_EXEC) != 0 ? PROT_EXEC :
	    (uf->uf_err & MD_PF_WRITE) != 0 ? PROT_WRITE : PROT_READ;

	figure_add(&l->l_ru.ru_minflt, 1);
	figure_add(&mycpu->c_faults, 1);
	switch (vm_fault(l->l_proc->p_vmspace, uf->uf_fault_addr, access)) {
	case VMF_OK:
		return;
	case VMF_MAPERR:
		uf->uf_trapno = TRAP_PF;
		fault_signal(l, SIGSEGV, SEGV_MAPERR, uf->uf_fault_addr);
		return;
	case VMF_ACCERR:
		uf->uf_trapno = TRAP_PF;
		fault_signal(l, SIGSEGV, SEGV_ACCERR, uf->uf_fault_addr);
		return;
	case VMF_BUS:
		uf->uf_trapno = TRAP_PF;
		fault_signal(l, SIGBUS, BUS_ADRERR, uf->uf_fault_addr);
		return;
	case VMF_OOM:
		if (!proc_oom_dying())
			kprintf("proc: out of memory: process %d (%s) could not go on\n",
			    (int)l->l_proc->p_pid, l->l_proc->p_comm);
		sig_post(l->l_proc, SIGKILL, NULL);
	}
}

/*
 * Why a floating-point exception came: the exceptions flagged and not masked,
 * in the unit that raised it.
 */
static int
fpe_code(struct lwp *l)
{
	uint16_t cwd, swd;
	uint32_t mxcsr, err;
	const uint8_t *image;

	md_fpu_read(&l->l_uf);
	image = l->l_uf.uf_fpu;
	if (l->l_uf.uf_trapno == TRAP_MF) {
		memcpy(&cwd, image, sizeof(cwd));
		memcpy(&swd, image + 2, sizeof(swd));
		err = swd & ~(uint32_t)cwd;
	} else {
		memcpy(&mxcsr, image + 24, sizeof(mxcsr));
		err = ~(mxcsr >> 7) & mxcsr;
	}
	if ((err & 0x01) != 0)
		return FPE_FLTINV;
	if ((err & 0x04) != 0)
		return FPE_FLTDIV;
	if ((err & 0x08) != 0)
		return FPE_FLTOVF;
	if ((err & 0x12) != 0)
		return FPE_FLTUND;
	return (err & 0x20) != 0 ? FPE_FLTRES : 0;
}

static void
do_trap(struct lwp *l)
{
	struct md_uframe *uf = &l->l_uf;
	uint64_t rip = uf->uf_regs.rip;
	uint8_t insn[3];
	size_t n = 0;

	switch (uf->uf_trapno) {
	case TRAP_DE:
		fault_signal(l, SIGFPE, FPE_INTDIV, rip);
		break;
	case TRAP_DB:
		fault_signal(l, SIGTRAP,
		    (uf->uf_regs.rflags & RFLAGS_TF) != 0 ? TRAP_TRACE : TRAP_BRKPT, rip);
		break;
	case TRAP_BP:
		fault_signal(l, SIGTRAP, SI_KERNEL, 0);
		break;
	case TRAP_UD:
		fault_signal(l, SIGILL, ILL_ILLOPN, rip);
		break;
	case TRAP_NP:
	case TRAP_SS:
		fault_signal(l, SIGBUS, SI_KERNEL, 0);
		break;
	case TRAP_GP:
		(void)copyin_part(insn, rip, sizeof insn, &n);
		if (!md_user_emulate(uf, insn, n))
			fault_signal(l, SIGSEGV, SI_KERNEL, 0);
		break;
	case TRAP_MF:
	case TRAP_XF:
		fault_signal(l, SIGFPE, fpe_code(l), rip);
		break;
	case TRAP_AC:
		fault_signal(l, SIGBUS, BUS_ADRALN, 0);
		break;
	default:
		fault_signal(l, SIGSEGV, SI_KERNEL, 0);
	}
}

static void
do_syscall(struct lwp *l)
{
	struct md_regs *r = &l->l_uf.uf_regs;
	struct sysmsg m;

	m.sm_noreturn = false;
	l->l_orig_rax = r->rax;
	if (!lwp_cred_is_new(l))
		cred_renew(l);
	r->rax = (uint64_t)-ENOSYS;		/* for a tracer, and what is left of a call that it forbids */
	if (!trace_on(l) || trace_syscall(l, true)) {
		m.sm_nr = l->l_orig_rax;
		m.sm_arg[0] = r->rdi;
		m.sm_arg[1] = r->rsi;
		m.sm_arg[2] = r->rdx;
		m.sm_arg[3] = r->r10;
		m.sm_arg[4] = r->r8;
		m.sm_arg[5] = r->r9;
		m.sm_result = 0;
		m.sm_lwp = l;
		dispatch(&m);
		if (!m.sm_noreturn)
			r->rax = (uint64_t)(m.sm_error != 0 ? -(int64_t)m.sm_error : m.sm_result);
	}
	if (trace_on(l))
		(void)trace_syscall(l, false);
	if (m.sm_noreturn)
		l->l_orig_rax = ~0ull;		/* another frame: nothing to restart */
}

/* --------------------------------------------------------------- the border -- */

static bool
work_waits(struct lwp *l)
{
	struct proc *p = l->l_proc;
	int64_t rax = (int64_t)l->l_uf.uf_regs.rax;

	return atomic_load_explicit(&curthread->td_intr, memory_order_relaxed) != 0 || sig_pending(l) ||
	    l->l_sigsaved_set || l->l_trace.t_due != 0 || (p->p_state == P_STOPPED && !trace_on(l)) ||
	    p->p_notify != 0 ||
	    (l->l_orig_rax != ~0ull && rax <= -ERESTARTSYS && rax >= -ERESTART_RESTARTBLOCK);
}

/* In a critical section: nothing keeps l from its program, as is most often so. */
static bool
may_pass(struct lwp *l)
{
	const struct cpu *c = mycpu;

	return (atomic_load_explicit(&c->c_mailbox, memory_order_relaxed) | c->c_watch) == 0 &&
	    c->c_runmask >> LWKT_PRI_USER == 0 && !work_waits(l) && l->l_uf.uf_regs.rip < RIP_MAX &&
	    l->l_proc->p_border == 0 && usched_is_user(l) && (l->l_rseq == 0 || l->l_rseq_cpu == c->c_id);
}

/*
 * Returns in a critical section: mailbox bits that come from here on are not
 * taken but keep the guest from running, so nothing that they make
 * ready is left behind.
 */
static void
border(struct lwp *l)
{
	crit_enter();
	if (may_pass(l))
		return;
	crit_exit();
	for (;;) {
		while (work_waits(l))
			sig_deliver(l);
		if (l->l_uf.uf_regs.rip >= RIP_MAX) {
			fault_signal(l, SIGSEGV, SI_KERNEL, 0);
			continue;
		}
		if ((l->l_proc->p_border & PB_CPU) != 0)
			proc_cpu_check(l);
		if ((l->l_proc->p_border & PB_SAMPLED) != 0)
			sample_tell(l->l_proc);
		lwkt_poll();
		if ((mycpu->c_runmask >> LWKT_PRI_USER) != 0)
			lwkt_yield();
		usched_enter(l);
		if (l->l_rseq != 0 && l->l_rseq_cpu != mycpuid) {
			rseq_moved(l);
			continue;
		}
		crit_enter();
		if (!work_waits(l) && mycpu->c_runmask >> LWKT_PRI_USER == 0)
			return;
		crit_exit();
	}
}

/*
 * l ran with the gate, and nothing is to be seen of that: sys/vm/gates.h.  In the critical section in which
 * it ran.  False: it is not to have the gate any more.
 */
static bool
gate_stopped(struct lwp *l, enum md_stop *stop)
{
	struct md_regs *r = &l->l_uf.uf_regs;
	uaddr_t site;

	if (*stop == MD_SYSCALL)
		return r->gsbase == 0;
	site = vm_gate_site(l->l_proc->p_vmspace, r->rip);
	if (site != r->rip && *stop == MD_TRAP && l->l_uf.uf_trapno == TRAP_DB) {
		*stop = MD_INTR;		/* a step, which is made again without the gate */
		r->rip = site;
		return false;
	}
	r->rip = site;
	return r->gsbase == 0;
}

/* The same, outside of that section: what follows from it. */
static void
gate_used(struct lwp *l, enum md_stop stop, bool keeps)
{
	struct vmspace *vs = l->l_proc->p_vmspace;
	const struct md_regs *r = &l->l_uf.uf_regs;

	if (!keeps)
		vm_gates_close(vs);
	else if (stop == MD_SYSCALL && vm_gate_is_hot(vs, r->rip) && !is_apart(r->rax))
		vm_gate_make(vs, r->rip, (uint32_t)r->rax);
}

_Noreturn void
lwp_run(struct lwp *l)
{
	struct proc *p = l->l_proc;
	enum md_stop stop;
	md_space_t space;
	bool gates = vm_gates_wanted, keeps = true;

	ASSERT(curlwp == l && curthread->td_crit == 0 && curthread->td_ntok == 0);
	for (;;) {
		space = vmspace_machine(p->p_vmspace);	/* which may sleep */
		if (gates && trace_on(l) && vm_gates_on(p->p_vmspace))
			vm_gates_close(p->p_vmspace);
		border(l);
		lwp_account(l, time_now(), false);
		l->l_uf.uf_gate = gates && vm_gates_on(p->p_vmspace);
		stop = md_user_run(&l->l_uf, space);
		if (l->l_uf.uf_gate)
			keeps = gate_stopped(l, &stop);
		crit_exit();
		lwp_account(l, time_now(), true);
		l->l_orig_rax = ~0ull;
		if (l->l_uf.uf_gate)
			gate_used(l, stop, keeps);
		switch (stop) {
		case MD_SYSCALL:
			do_syscall(l);
			break;
		case MD_FAULT:
			do_fault(l);
			break;
		case MD_TRAP:
			do_trap(l);
			break;
		case MD_INTR:
			break;
		case MD_HOSTILE:
			kprintf("proc: process %d (%s) attacked the machine below it: killed\n",
			    (int)p->p_pid, p->p_comm);
			proc_exit_signal(SIGSEGV);
		case MD_KILLED:
			kprintf("proc: process %d (%s) was condemned by the machine: killed\n",
			    (int)p->p_pid, p->p_comm);
			proc_exit_signal(SIGKILL);
		}
		if (l->l_rseq != 0 && stop != MD_SYSCALL)
			rseq_stopped(l);
	}
}
