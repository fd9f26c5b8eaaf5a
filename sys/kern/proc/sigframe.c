/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sigframe - the stack frame under a signal handler, as Linux lays it out on
 * x86-64, and the way back from it.
 *
 * From high to low addresses: the red zone (skipped), the extended state
 * (64-byte aligned, an XSAVE image with Linux's note of its size inside and a
 * second magic number behind), then struct frame with the stack pointer 8
 * below a multiple of 16, as after a call.
 *
 * The frame is in user memory, so what comes back is input: addresses that
 * the processor would refuse end in SIGSEGV, flags and segments are forced to
 * what a program may have, the extended state is made harmless.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/proc/sigframe.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define RED_ZONE	128u
#define FLAG_TF		0x100ull
#define FLAG_DF		0x400ull
#define FLAG_RF		0x10000ull
#define FLAG_ALWAYS	0x202ull	/* IF and the bit that is always one */
#define USER_CS		0x33
#define USER_SS		0x2b
#define LEGACY_BYTES	512u		/* FXSAVE area at the start of the image */
#define NOTE_OFFSET	464u		/* Linux's note inside it */
#define XSTATE_BV	512u		/* header: which components the image holds */
#define HEADER_BYTES	64u

struct frame {
	uint64_t	f_return;	/* sa_restorer */
	struct k_ucontext f_uc;
	struct k_siginfo f_info;
};

struct fpnote {
	uint32_t	magic1;
	uint32_t	extended_bytes;	/* the image and magic2 */
	uint64_t	components;
	uint32_t	image_bytes;
	uint32_t	pad[7];
};
_Static_assert(sizeof(struct fpnote) == LEGACY_BYTES - NOTE_OFFSET,
    "fills the software part of the FXSAVE area");

/* Which extended state components this machine has switched on. */
static uint64_t
xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static bool
has_xsave(void)
{
	return md_fpu_bytes() > LEGACY_BYTES;
}

size_t
sigframe_bytes(void)
{
	return RED_ZONE + sizeof(struct frame) + md_fpu_bytes() + sizeof(uint32_t) + 64 + 16;
}

static bool
on_altstack(const struct lwp *l, uint64_t sp)
{
	const struct k_sigaltstack *a = &l->l_altstack;

	return a->ss_size != 0 && sp > a->ss_sp && sp - a->ss_sp <= a->ss_size;
}

bool
sigframe_on_altstack(const struct lwp *l)
{
	return on_altstack(l, l->l_uf.uf_regs.rsp) &&
	    ((uint32_t)l->l_altstack.ss_flags & SS_AUTODISARM) == 0;
}

static void
regs_to_context(const struct md_uframe *uf, struct k_sigcontext *sc)
{
	const struct md_regs *r = &uf->uf_regs;

	*sc = (struct k_sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx,
		.rdx = r->rdx, .rax = r->rax, .rcx = r->rcx, .rsp = r->rsp,
		.rip = r->rip, .eflags = r->rflags,
		.cs = USER_CS, .ss = USER_SS,
		.err = uf->uf_err, .trapno = uf->uf_trapno, .cr2 = uf->uf_fault_addr,
	};
}

static void
context_to_regs(const struct k_sigcontext *sc, struct md_regs *r)
{
	r->r8 = sc->r8; r->r9 = sc->r9; r->r10 = sc->r10; r->r11 = sc->r11;
	r->r12 = sc->r12; r->r13 = sc->r13; r->r14 = sc->r14; r->r15 = sc->r15;
	r->rdi = sc->rdi; r->rsi = sc->rsi; r->rbp = sc->rbp; r->rbx = sc->rbx;
	r->rdx = sc->rdx; r->rax = sc->rax; r->rcx = sc->rcx; r->rsp = sc->rsp;
	r->rip = sc->rip;
	r->rflags = (sc->eflags & MD_RFLAGS_USER) | FLAG_ALWAYS;
}

/* Write the extended state at `at` with Linux's note in it. */
static int
fpu_push(struct lwp *l, uaddr_t at)
{
	struct md_uframe *uf = &l->l_uf;
	uint32_t bytes = (uint32_t)md_fpu_bytes(), magic2 = FP_XSTATE_MAGIC2;
	struct fpnote note = { 0 };
	int error;

	md_fpu_read(uf);
	if (has_xsave()) {
		note.magic1 = FP_XSTATE_MAGIC1;
		note.extended_bytes = bytes + (uint32_t)sizeof(magic2);
		note.components = xcr0();
		note.image_bytes = bytes;
	}
	error = copyout(at, uf->uf_fpu, bytes);
	if (error == 0)
		error = copyout(at + NOTE_OFFSET, &note, sizeof(note));
	if (error == 0 && has_xsave())
		error = copyout(at + bytes, &magic2, sizeof(magic2));
	return error;
}

int
sigframe_push(struct lwp *l, int sig, const struct k_siginfo *info, const struct k_sigaction *act,
    sigset_t old)
{
	struct md_regs *r = &l->l_uf.uf_regs;
	uint64_t sp = r->rsp - RED_ZONE, fp;
	bool nested = on_altstack(l, r->rsp), enter_alt = false;
	struct frame f;

	if ((act->sa_flags & SA_RESTORER) == 0)
		return EFAULT;			/* x86-64 has no other way back */
	if ((act->sa_flags & SA_ONSTACK) != 0 && l->l_altstack.ss_size != 0 && !nested) {
		sp = l->l_altstack.ss_sp + l->l_altstack.ss_size;
		enter_alt = true;
	}
	fp = (sp - md_fpu_bytes() - sizeof(uint32_t)) & ~63ull;
	sp = ((fp - sizeof(f)) & ~15ull) - 8;
	if ((nested || enter_alt) && !on_altstack(l, sp))
		return EFAULT;			/* the alternate stack has overflowed */

	memset(&f, 0, sizeof(f));
	f.f_return = act->sa_restorer;
	f.f_uc.uc_flags = (has_xsave() ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f.f_uc.uc_stack = l->l_altstack;
	if (f.f_uc.uc_stack.ss_size == 0)
		f.f_uc.uc_stack.ss_flags = SS_DISABLE;
	else if (nested)
		f.f_uc.uc_stack.ss_flags |= SS_ONSTACK;
	regs_to_context(&l->l_uf, &f.f_uc.uc_mcontext);
	f.f_uc.uc_mcontext.oldmask = old;
	f.f_uc.uc_mcontext.fpstate = fp;
	f.f_uc.uc_sigmask = old;
	f.f_info = *info;
	if (fpu_push(l, fp) != 0 || copyout(sp, &f, sizeof(f)) != 0)
		return EFAULT;

	if (((uint32_t)l->l_altstack.ss_flags & SS_AUTODISARM) != 0)
		memset(&l->l_altstack, 0, sizeof(l->l_altstack));
	r->rdi = (uint64_t)sig;
	r->rsi = sp + offsetof(struct frame, f_info);
	r->rdx = sp + offsetof(struct frame, f_uc);
	r->rax = 0;
	r->rsp = sp;
	r->rip = act->sa_handler;
	r->rflags &= ~(FLAG_DF | FLAG_TF | FLAG_RF);
	return 0;
}

/*
 * How many bytes of the image at `at` to believe, and which components; the
 * legacy part only if the note is odd.
 */
static int
fpu_extent(uaddr_t at, uint32_t *bytes, uint64_t *components)
{
	struct fpnote note;
	uint32_t magic2;

	*bytes = LEGACY_BYTES;
	*components = 3;			/* x87 and SSE */
	if (copyin(&note, at + NOTE_OFFSET, sizeof(note)) != 0)
		return EFAULT;
	if (!has_xsave() || note.magic1 != FP_XSTATE_MAGIC1 ||
	    note.image_bytes < LEGACY_BYTES + HEADER_BYTES ||
	    note.image_bytes > md_fpu_bytes() || note.extended_bytes < note.image_bytes)
		return 0;
	if (copyin(&magic2, at + note.image_bytes, sizeof(magic2)) != 0)
		return EFAULT;
	if (magic2 != FP_XSTATE_MAGIC2)
		return 0;
	*bytes = note.image_bytes;
	*components = note.components;
	return 0;
}

static int
fpu_pop(struct lwp *l, uaddr_t at)
{
	struct md_uframe *uf = &l->l_uf;
	size_t size = md_fpu_bytes();
	uint64_t components, bv;
	uint32_t bytes;
	uint8_t *image;
	int error = fpu_extent(at, &bytes, &components);

	if (error != 0)
		return error;
	image = kmalloc(rt_max(size, 64), KM_ZERO | KM_WAIT);
	if (image == NULL)
		return ENOMEM;
	error = copyin(image, at, rt_min(bytes, size));
	if (error == 0) {
		memset(image + NOTE_OFFSET, 0, sizeof(struct fpnote));
		if (has_xsave()) {
			bv = components;
			if (bytes > LEGACY_BYTES)
				memcpy(&bv, image + XSTATE_BV, sizeof(bv));
			bv &= components & xcr0();
			memset(image + XSTATE_BV, 0, HEADER_BYTES);
			memcpy(image + XSTATE_BV, &bv, sizeof(bv));
		}
		md_fpu_read(uf);		/* nothing newer may be brought home later */
		memcpy(uf->uf_fpu, image, size);
		md_fpu_wrote(uf);
	}
	kfree(image);
	return error;
}

static void
fpu_reset(struct lwp *l)
{
	struct md_regs keep = l->l_uf.uf_regs;

	md_fpu_read(&l->l_uf);
	md_uframe_init(&l->l_uf, l->l_uf.uf_fpu);
	l->l_uf.uf_regs = keep;
	md_fpu_wrote(&l->l_uf);
}

int
sigframe_pop(struct lwp *l)
{
	struct k_ucontext uc;
	struct k_sigaltstack ss;
	/* the handler's return took the first word */
	uaddr_t at = l->l_uf.uf_regs.rsp - sizeof(uint64_t);

	if (copyin(&uc, at + offsetof(struct frame, f_uc), sizeof(uc)) != 0)
		return EFAULT;
	if ((uc.uc_mcontext.cs | 3) != USER_CS)
		return EFAULT;		/* 32-bit code and nonsense: no such segment for us */
	if (uc.uc_mcontext.fpstate == 0)
		fpu_reset(l);
	else if (fpu_pop(l, uc.uc_mcontext.fpstate) != 0)
		return EFAULT;
	sig_set_mask(l, uc.uc_sigmask);
	context_to_regs(&uc.uc_mcontext, &l->l_uf.uf_regs);

	ss = uc.uc_stack;
	ss.ss_flags &= (int32_t)~(uint32_t)SS_ONSTACK;
	(void)sigaltstack_set(l, &ss, l->l_uf.uf_regs.rsp);	/* a bad one is ignored, as in Linux */
	return 0;
}

int
sigaltstack_set(struct lwp *l, const struct k_sigaltstack *ss, uint64_t sp)
{
	uint32_t mode = (uint32_t)ss->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(l, sp) && ((uint32_t)l->l_altstack.ss_flags & SS_AUTODISARM) == 0)
		return EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return EINVAL;
	if (ss->ss_sp == l->l_altstack.ss_sp && ss->ss_size == l->l_altstack.ss_size &&
	    ss->ss_flags == l->l_altstack.ss_flags)
		return 0;
	if (mode == SS_DISABLE) {
		memset(&l->l_altstack, 0, sizeof(l->l_altstack));
		l->l_altstack.ss_flags = ss->ss_flags & (int32_t)SS_AUTODISARM;
		return 0;
	}
	if (ss->ss_size < MINSIGSTKSZ)
		return ENOMEM;
	l->l_altstack = *ss;
	l->l_altstack.ss_flags = (int32_t)((uint32_t)ss->ss_flags & SS_AUTODISARM);
	return 0;
}
