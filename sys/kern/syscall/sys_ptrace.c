/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_ptrace - what a tracer asks of a stopped tracee: its registers, memory,
 * signals, and to go on.
 *
 * Between ptrace_freeze() and the thaw the tracee's own fields are ours; the
 * extended state is in uf_fpu, and the machine does not hold a newer one.
 * Debug registers are there and always zero: writing anything else is refused.
 */
#include <abi/errno.h>
#include <abi/ptrace.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define USER_CS		0x33
#define USER_SS		0x2b
#define RFLAGS_TF	0x100ull
#define FLAG_ALWAYS	0x202ull
#define LEGACY_BYTES	512u		/* FXSAVE area at the start of an image */
#define MXCSR		24u
#define MXCSR_MASK	28u
#define NOTE_OFFSET	464u		/* XCR0, where Linux puts it for debuggers */
#define XSTATE_BV	512u
#define HEADER_BYTES	64u

/* ------------------------------------------------------------------ registers -- */

static void
regs_get(const struct lwp *l, struct k_user_regs *u)
{
	const struct md_regs *r = &l->l_uf.uf_regs;

	*u = (struct k_user_regs){
		.r15 = r->r15, .r14 = r->r14, .r13 = r->r13, .r12 = r->r12, .rbp = r->rbp, .rbx = r->rbx,
		.r11 = r->r11, .r10 = r->r10, .r9 = r->r9, .r8 = r->r8, .rax = r->rax, .rcx = r->rcx,
		.rdx = r->rdx, .rsi = r->rsi, .rdi = r->rdi, .orig_rax = l->l_orig_rax, .rip = r->rip,
		.cs = USER_CS, .rsp = r->rsp, .ss = USER_SS, .fs_base = r->fsbase, .gs_base = r->gsbase,
		.eflags = r->rflags & ~(l->l_trace.t_forced_tf ? RFLAGS_TF : 0),
	};
}

static int
regs_set(struct lwp *l, const struct k_user_regs *u)
{
	uint64_t flags = (u->eflags & MD_RFLAGS_USER) | FLAG_ALWAYS;

	if (u->cs != USER_CS || u->ss != USER_SS || (u->ds | u->es | u->fs | u->gs) != 0 ||
	    u->fs_base >= MD_USER_MAX || u->gs_base >= MD_USER_MAX)
		return EIO;
	if ((flags & RFLAGS_TF) != 0)
		l->l_trace.t_forced_tf = false;		/* the program's own from now on */
	else if (l->l_trace.t_forced_tf)
		flags |= RFLAGS_TF;
	l->l_uf.uf_regs = (struct md_regs){
		.r15 = u->r15, .r14 = u->r14, .r13 = u->r13, .r12 = u->r12, .rbp = u->rbp, .rbx = u->rbx,
		.r11 = u->r11, .r10 = u->r10, .r9 = u->r9, .r8 = u->r8, .rax = u->rax, .rcx = u->rcx,
		.rdx = u->rdx, .rsi = u->rsi, .rdi = u->rdi, .rip = u->rip, .rsp = u->rsp,
		.rflags = flags, .fsbase = u->fs_base, .gsbase = u->gs_base,
	};
	l->l_orig_rax = u->orig_rax;
	return 0;
}

static bool
in_debugregs(uaddr_t at)
{
	return at >= USER_DEBUGREGS && at < USER_DEBUGREGS + 8 * sizeof(uint64_t);
}

static int
user_area(struct lwp *l, bool set, uaddr_t at, uint64_t data)
{
	struct k_user_regs u;
	uint64_t word = 0;

	if (at % sizeof(word) != 0 || at >= USER_AREA_BYTES)
		return EIO;
	regs_get(l, &u);
	if (set && at < sizeof(u)) {
		memcpy((char *)&u + at, &data, sizeof(data));
		return regs_set(l, &u);
	}
	if (set)
		return !in_debugregs(at) ? EIO : data == 0 ? 0 : EINVAL;
	if (at < sizeof(u))
		memcpy(&word, (char *)&u + at, sizeof(word));
	return copyout(data, &word, sizeof(word));
}

/* The image as a debugger wants it: in the standard form, saying which components the machine has. */
static void
image_get(struct lwp *l, uint8_t *image)
{
	uint32_t lo = 3, hi = 0;
	uint64_t xcr0;

	ASSERT(!l->l_uf.uf_fpu_live);
	memcpy(image, l->l_uf.uf_fpu, md_fpu_bytes());
	if (md_fpu_bytes() <= LEGACY_BYTES)
		return;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	xcr0 = (uint64_t)hi << 32 | lo;
	memcpy(image + NOTE_OFFSET, &xcr0, sizeof(xcr0));
}

static int
image_set(struct lwp *l, uint8_t *image)
{
	uint8_t *now = l->l_uf.uf_fpu;
	uint32_t mxcsr, mask;
	uint64_t bv, known;

	image_get(l, image + md_fpu_bytes());		/* for XCR0 */
	memcpy(&known, image + md_fpu_bytes() + NOTE_OFFSET, sizeof(known));
	memcpy(&mxcsr, image + MXCSR, sizeof(mxcsr));
	memcpy(&mask, now + MXCSR_MASK, sizeof(mask));
	if ((mxcsr & ~mask) != 0)
		return EINVAL;
	if (md_fpu_bytes() > LEGACY_BYTES) {
		memcpy(&bv, image + XSTATE_BV, sizeof(bv));
		if ((bv & ~known) != 0)
			return EINVAL;
		for (uint32_t i = 8; i < HEADER_BYTES; i++)
			if (image[XSTATE_BV + i] != 0)
				return EINVAL;
	}
	memset(image + NOTE_OFFSET, 0, LEGACY_BYTES - NOTE_OFFSET);
	memcpy(now, image, md_fpu_bytes());
	md_fpu_wrote(&l->l_uf);
	return 0;
}

/* Extended state, its first `bytes` or (more than that) all of it. */
static int
fpu_move(struct lwp *l, bool set, uaddr_t at, size_t bytes)
{
	uint8_t *image = kmalloc(2 * md_fpu_bytes(), KM_ZERO | KM_WAIT);
	uint64_t bv;
	int error;

	if (image == NULL)
		return ENOMEM;
	image_get(l, image);
	if (!set) {
		error = copyout(at, image, bytes);
		kfree(image);
		return error;
	}
	error = copyin(image, at, bytes);
	if (error == 0 && bytes <= LEGACY_BYTES && md_fpu_bytes() > LEGACY_BYTES) {
		memcpy(&bv, image + XSTATE_BV, sizeof(bv));
		bv |= 3;				/* x87 and SSE are what was given */
		memcpy(image + XSTATE_BV, &bv, sizeof(bv));
	}
	if (error == 0)
		error = image_set(l, image);
	kfree(image);
	return error;
}

static int
general_move(struct lwp *l, bool set, uaddr_t at, size_t bytes)
{
	struct k_user_regs u;
	int error;

	regs_get(l, &u);
	if (!set)
		return copyout(at, &u, bytes);
	error = copyin(&u, at, bytes);
	return error != 0 ? error : regs_set(l, &u);
}

static int
regset(struct lwp *l, bool set, uint64_t type, uaddr_t uiov)
{
	struct { uint64_t base, len; } iov;
	uint64_t all;
	int error = copyin(&iov, uiov, sizeof(iov));

	if (error != 0)
		return error;
	switch (type) {
	case NT_PRSTATUS:
		all = sizeof(struct k_user_regs);
		break;
	case NT_PRFPREG:
		all = LEGACY_BYTES;
		break;
	case NT_X86_XSTATE:
		all = md_fpu_bytes();
		break;
	default:
		return EINVAL;
	}
	if (iov.len % sizeof(uint64_t) != 0)
		return EINVAL;
	if (set && iov.len < all && type == NT_X86_XSTATE)
		return EFAULT;
	if (set && iov.len < all && type == NT_PRFPREG)
		return EINVAL;
	iov.len = rt_min(iov.len, all);
	if (type == NT_PRSTATUS)
		error = general_move(l, set, iov.base, iov.len);
	else
		error = fpu_move(l, set, iov.base, iov.len);
	if (error != 0)
		return error;
	return copyout(uiov + sizeof(iov.base), &iov.len, sizeof(iov.len));
}

/* --------------------------------------------------------------------- memory -- */

static int
peek(struct lwp *l, uaddr_t from, uaddr_t to)
{
	uint64_t word;
	size_t done;

	if (vs_read(l->l_proc->p_vmspace, &word, from, sizeof(word), &done) != 0)
		return EIO;
	return copyout(to, &word, sizeof(word));
}

static int
poke(struct lwp *l, uaddr_t to, uint64_t word)
{
	size_t done;

	return vs_write_forced(l->l_proc->p_vmspace, to, &word, sizeof(word), &done) == 0 ? 0 : EIO;
}

/* -------------------------------------------------------------------- signals -- */

static int
siginfo_move(struct lwp *l, bool set, uaddr_t at)
{
	struct k_siginfo info;
	int error;

	if (set) {
		error = copyin(&info, at, sizeof(info));
		if (error != 0)
			return error;
	}
	if (l->l_trace.t_info == NULL)
		return EINVAL;
	if (!set)
		return copyout(at, l->l_trace.t_info, sizeof(info));
	*l->l_trace.t_info = info;
	return 0;
}

static int
sigmask_move(struct lwp *l, bool set, uint64_t size, uaddr_t at)
{
	sigset_t mask = l->l_sigsaved_set ? l->l_sigsaved : l->l_sigmask;
	int error;

	if (size != sizeof(mask))
		return EINVAL;
	if (!set)
		return copyout(at, &mask, sizeof(mask));
	error = copyin(&mask, at, sizeof(mask));
	if (error == 0) {
		l->l_sigsaved_set = false;
		sig_set_mask(l, mask);
	}
	return error;
}

static int
siginfo_peek(struct sysmsg *m, struct lwp *l, uaddr_t uargs, uaddr_t to)
{
	struct k_peeksiginfo a;
	struct k_siginfo info;
	int32_t n = 0;
	int error = copyin(&a, uargs, sizeof(a));

	if (error != 0)
		return error;
	if ((a.flags & ~PTRACE_PEEKSIGINFO_SHARED) != 0 || a.nr < 0)
		return EINVAL;
	if (a.off > UINT32_MAX)
		return 0;
	while (error == 0 && n < a.nr &&
	    sig_peek(l, (a.flags & PTRACE_PEEKSIGINFO_SHARED) != 0, a.off + (uint32_t)n, &info)) {
		error = copyout(to + (uint32_t)n * sizeof(info), &info, sizeof(info));
		n += error == 0;
		lwkt_poll();
	}
	m->sm_result = n;
	return n > 0 ? 0 : error;
}

/* ---------------------------------------------------------------- information -- */

static int
syscall_info(struct sysmsg *m, struct lwp *l, uint64_t room, uaddr_t to)
{
	const struct md_regs *r = &l->l_uf.uf_regs;
	struct k_syscall_info si = { .arch = AUDIT_ARCH_X86_64, .ip = r->rip, .sp = r->rsp };
	size_t size = offsetof(struct k_syscall_info, u);
	int64_t rax = (int64_t)r->rax;

	if (l->l_trace.t_info == NULL || l->l_trace.t_info->si_code != (SIGTRAP | 0x80))
		si.op = PTRACE_SYSCALL_INFO_NONE;
	else if (l->l_trace.t_msg == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
		si.op = PTRACE_SYSCALL_INFO_ENTRY;
		si.u.entry.nr = l->l_orig_rax;
		memcpy(si.u.entry.args, (uint64_t[6]){ r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
		    sizeof(si.u.entry.args));
		size += sizeof(si.u.entry);
	} else {
		si.op = PTRACE_SYSCALL_INFO_EXIT;
		si.u.exit.rval = rax;
		si.u.exit.is_error = rax < 0 && rax >= -4095;
		size = offsetof(struct k_syscall_info, u.exit.is_error) + 1;
	}
	m->sm_result = (int64_t)size;
	return copyout(to, &si, rt_min(size, room));
}

/* Requests that leave the tracee stopped. */
static int
ask(struct sysmsg *m, struct lwp *l, int64_t request, uaddr_t addr, uint64_t data)
{
	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(l, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke(l, addr, data);
	case PTRACE_PEEKUSER:
	case PTRACE_POKEUSER:
		return user_area(l, request == PTRACE_POKEUSER, addr, data);
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		return general_move(l, request == PTRACE_SETREGS, data, sizeof(struct k_user_regs));
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		return fpu_move(l, request == PTRACE_SETFPREGS, data, LEGACY_BYTES);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset(l, request == PTRACE_SETREGSET, addr, data);
	case PTRACE_GETSIGINFO:
	case PTRACE_SETSIGINFO:
		return siginfo_move(l, request == PTRACE_SETSIGINFO, data);
	case PTRACE_PEEKSIGINFO:
		return siginfo_peek(m, l, addr, data);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return sigmask_move(l, request == PTRACE_SETSIGMASK, addr, data);
	case PTRACE_SETOPTIONS:
		if ((data & ~(uint64_t)PTRACE_O_KNOWN) != 0)
			return EINVAL;
		ptrace_options(l, (uint32_t)data);
		return 0;
	case PTRACE_GETEVENTMSG:
		return copyout(data, &l->l_trace.t_msg, sizeof(l->l_trace.t_msg));
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(m, l, addr, data);
	default:
		return EIO;
	}
}

int
sys_ptrace(struct sysmsg *m, int64_t request, int32_t pid, uaddr_t addr, uint64_t data)
{
	struct lwp *l;
	int error;

	switch (request) {
	case PTRACE_TRACEME:
		return ptrace_traceme();
	case PTRACE_ATTACH:
		return ptrace_attach(pid, false, 0);
	case PTRACE_SEIZE:
		if (addr != 0 || (data & ~(uint64_t)PTRACE_O_KNOWN) != 0)
			return EIO;
		return ptrace_attach(pid, true, (uint32_t)data);
	case PTRACE_INTERRUPT:
		return ptrace_interrupt(pid);
	case PTRACE_KILL:
		return ptrace_kill(pid);
	}
	error = ptrace_freeze(pid, &l);
	if (error != 0)
		return error;
	switch (request) {
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH:
		if (data > NSIG) {
			error = EIO;
			break;
		}
		if (request == PTRACE_DETACH)
			ptrace_detach(l, (int)data);
		else
			ptrace_resume(l, request == PTRACE_CONT ? TRACE_CONT :
			    request == PTRACE_SYSCALL ? TRACE_SYSCALL : TRACE_STEP, (int)data);
		return 0;
	case PTRACE_LISTEN:
		return ptrace_listen(l);
	default:
		error = ask(m, l, request, addr, data);
	}
	ptrace_thaw(l);
	return error;
}
