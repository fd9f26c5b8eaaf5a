/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stub - the code that lives at the top of every guest's address space
 *
 * This is the image that the library embeds, writes into a sealed memfd and
 * executes: a page with an ELF header and start code, then the four parts of
 * stublay.h.  The process so started is the zygote; it clones stubs on
 * demand.  A stub is one mapper, which runs commands from pages that only
 * the machine can write, and one guest thread per CPU.  A guest thread runs
 * guest code until a signal takes it out, tells the machine, waits, and goes
 * back by XRSTOR and IRETQ, never by sigreturn: the signal mask is empty for
 * ever and a kick always gets through.
 *
 * Invariants
 *   I1  A thread's role is its instruction pointer.  The mapper clones from
 *       an instruction that does nothing else, and what the new thread does
 *       until its first trap depends on registers fixed before the clone
 *       and on sealed pages alone.
 *   I2  The mapper has no stack and no writable memory; completion goes out
 *       by pwrite() into pages that the guest can only read.
 *   I3  A kick is not lost: before `published` an event is coming anyway; in
 *       [published, go) with the state not 0, S_KREQ stays and is tested
 *       after the state is seen 0; from `go` to the IRETQ the handler starts
 *       the report again with the outer frame, which the return path does not
 *       touch.  The price: one kick may be reported twice.
 *       The call gate differs in its last part: from `gate_go` on a kick is
 *       reported with the gate's own address, and the machine, which knows
 *       every register of the call's result, puts them in its place.
 *   I4  At the entry of a handler %rsp lies in the signal stack of this very
 *       thread, whatever the guest did, so the slot found from it is right.
 *       After a reset the thread depends on nothing that it held before.
 *
 * Everything here is reached by a hostile guest too, with any registers: each
 * instruction must be harmless under the guest's filter (filter.c).
 */
#include "stublay.h"

	.section .rodata.hk_stub, "a", @progbits
	.p2align 12
	.globl	hk_stub_image
hk_stub_image:

/* ------------------------------------------- page 0: ELF, start code -- */
	.byte	0x7f, 'E', 'L', 'F', 2, 1, 1, 0
	.quad	0
	.short	2, 62				/* ET_EXEC, x86-64 */
	.long	1
	.quad	IMG_LOAD + (start - hk_stub_image)
	.quad	64				/* program headers */
	.quad	0
	.long	0
	.short	64, 56, 2, 0, 0, 0
	.long	1, 5				/* PT_LOAD, r-x */
	.quad	0, IMG_LOAD, IMG_LOAD, 0x1000, 0x1000, 0x1000
	.long	0x6474e551, 6			/* PT_GNU_STACK, rw- */
	.quad	0, 0, 0, 0, 0, 16

/* A system call of the start code: any error ends the process with a status that names the step. */
.macro	STEP nr, status
	movl	$\nr, %eax
	syscall
	cmpq	$-4095, %rax
	movl	$\status, %edi
	jae	start_failed
.endm

start:
	movl	$1, %edi			/* PR_SET_PDEATHSIG, SIGKILL */
	movl	$9, %esi
	STEP	157, 10
	movl	$4, %edi			/* PR_SET_DUMPABLE, 0 */
	xorl	%esi, %esi
	STEP	157, 11
	movl	$38, %edi			/* PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0 */
	movl	$1, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	STEP	157, 12
	movl	$15, %edi			/* PR_SET_NAME */
	leaq	name(%rip), %rsi
	STEP	157, 13
	movl	$4, %edi			/* RLIMIT_CORE: 0, 0 */
	leaq	zeroes(%rip), %rsi
	STEP	160, 14
	movl	$2, %edi			/* an empty signal mask */
	leaq	zeroes(%rip), %rsi
	xorl	%edx, %edx
	movl	$8, %r10d
	STEP	14, 15

	/* Every signal is ours or ignored: nothing from a terminal ends a stub. */
	movl	$64, %ebx
1:	movl	%ebx, %edi
	leaq	action_ignore(%rip), %rsi
	cmpl	$9, %ebx
	je	3f
	cmpl	$19, %ebx
	je	3f
	/* HUP INT QUIT... are ignored; ILL TRAP BUS FPE USR1 SEGV SYS handled; USR2 resets. */
	movl	$((1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << STUB_SIG_KICK) | (1 << 11)), %eax
	cmpl	$31, %ebx
	je	2f
	ja	4f
	btl	%ebx, %eax
	jc	2f
	cmpl	$STUB_SIG_RESET, %ebx
	jne	4f
	leaq	action_reset(%rip), %rsi
	jmp	4f
2:	leaq	action_report(%rip), %rsi
4:	xorl	%edx, %edx
	movl	$8, %r10d
	STEP	13, 16
3:	decl	%ebx
	jnz	1b

	movabsq	$STUB_BASE, %rdi		/* code r-x, constants r-- */
	movl	$(STUB_DATA - STUB_BASE), %esi
	movl	$5, %edx
	movl	$0x11, %r10d
	movl	$STUB_FD_IMAGE, %r8d
	movl	$IMG_PARTS, %r9d
	STEP	9, 17
	movabsq	$STUB_DATA, %rdi
	movl	$STUB_DATA_LEN, %esi
	movl	$1, %edx
	movl	$0x11, %r10d
	movl	$STUB_FD_IMAGE, %r8d
	movl	$(IMG_PARTS + (STUB_DATA - STUB_BASE)), %r9d
	STEP	9, 18
	movabsq	$STUB_CMD, %rdi			/* the zygote's own words, rw- */
	movl	$0x1000, %esi
	movl	$3, %edx
	movl	$0x11, %r10d
	movl	$STUB_FD_CTL, %r8d
	xorl	%r9d, %r9d
	STEP	9, 19
	movl	$STUB_FD_IMAGE, %edi
	STEP	3, 20
	movabsq	$STUB_ZYGOTE, %rax
	jmp	*%rax
start_failed:
	movl	$231, %eax
	syscall
	hlt

	.p2align 3
name:	.asciz	"hk-stub"
	.p2align 3
zeroes:	.quad	0, 0
	/* handler, SA_SIGINFO|SA_ONSTACK|SA_NODEFER|SA_RESTORER, restorer (never used), mask */
action_report:
	.quad	STUB_GUEST, 0x4c000004, STUB_GUEST + (no_return - guest_page), 0
action_reset:
	.quad	STUB_GUEST + (reset - guest_page), 0x4c000004, STUB_GUEST + (no_return - guest_page), 0
action_ignore:
	.quad	1, 0x04000000, STUB_GUEST + (no_return - guest_page), 0

/* ------------------------------------------------ part 1: guest side -- */
	.org	hk_stub_image + IMG_PARTS
guest_page:

/*
 * Load the state in the ucontext at %rdx, with %rsp in a scratch area below
 * the frame.  Selectors are constants: a guest cannot choose them here.
 * Components are those that the host has put into its frames: the processor may
 * have more (AMX's tiles), and it looks for room for all that it is asked for.
 */
.macro	RESTORE
	movq	224(%rdx), %rdi
	movq	%rdx, %rsi
	movl	472(%rdi), %eax			/* fx_sw_bytes.xfeatures */
	movl	476(%rdi), %edx
	xrstor64 (%rdi)
	movq	%rsi, %rdx
	movq	168(%rdx), %rax			/* rip */
	movq	%rax, 0(%rsp)
	movq	$0x33, 8(%rsp)
	movq	176(%rdx), %rax			/* rflags */
	movq	%rax, 16(%rsp)
	movq	160(%rdx), %rax			/* rsp */
	movq	%rax, 24(%rsp)
	movq	$0x2b, 32(%rsp)
	movq	40(%rdx), %r8
	movq	48(%rdx), %r9
	movq	56(%rdx), %r10
	movq	64(%rdx), %r11
	movq	72(%rdx), %r12
	movq	80(%rdx), %r13
	movq	88(%rdx), %r14
	movq	96(%rdx), %r15
	movq	104(%rdx), %rdi
	movq	112(%rdx), %rsi
	movq	120(%rdx), %rbp
	movq	128(%rdx), %rbx
	movq	144(%rdx), %rax
	movq	152(%rdx), %rcx
	movq	136(%rdx), %rdx
	iretq
.endm

/* handler(%edi signal, %rsi siginfo, %rdx ucontext): every signal but the reset. */
handler:
	movq	%rsp, %rbx
	andq	$-SLOT_SIZE, %rbx
	pushfq					/* NT survives into handlers, and IRETQ refuses it */
	popq	%rax
	testl	$0x4000, %eax
	jnz	clear_nt
nt_clear:
	movq	168(%rdx), %rax
	movabsq	$STUB_GUEST, %rcx
	subq	%rcx, %rax
	cmpq	$0x1000, %rax
	jb	nested
report:
	movl	$KIND_FRAME, S_KIND(%rbx)
	movq	%rsp, S_FRSP(%rbx)
	movl	%edi, S_SIG(%rbx)
	movq	%rsi, S_INFO(%rbx)
	movq	%rdx, S_UC(%rbx)
	rdfsbase %rax
	movq	%rax, S_FS(%rbx)
	rdgsbase %rax
	movq	%rax, S_GS(%rbx)
publish:
	movl	$ST_STOPPED, %eax
	xchgl	%eax, S_STATE(%rbx)
published:
	cmpl	$0, S_VKSLEEP(%rbx)
	je	wait
	movl	$0, S_VKSLEEP(%rbx)
	movl	$202, %eax
	leaq	S_VKSLEEP(%rbx), %rdi
	movl	$1, %esi
	movl	$1, %edx
	syscall
wait:
	movl	S_SPIN(%rbx), %r12d
1:	cmpl	$ST_GUEST, S_STATE(%rbx)
	je	go
	testl	%r12d, %r12d
	jz	2f
	pause
	decl	%r12d
	jmp	1b
2:	movl	$1, %eax
	xchgl	%eax, S_GSLEEP(%rbx)		/* a full barrier before the state is read again */
	cmpl	$ST_GUEST, S_STATE(%rbx)
	je	3f
	movl	$202, %eax
	leaq	S_GSLEEP(%rbx), %rdi
	xorl	%esi, %esi
	movl	$1, %edx
	xorl	%r10d, %r10d
	syscall
3:	movl	$0, S_GSLEEP(%rbx)
	jmp	1b
go:
	cmpl	$KIND_FRAME, S_KIND(%rbx)
	jne	gate_go
	cmpl	$0, S_KREQ(%rbx)
	jne	restart
	movq	S_FRSP(%rbx), %rsp
	movq	S_UC(%rbx), %rdx
	cmpl	$0, S_SETFS(%rbx)
	je	4f
	movq	S_FSNEW(%rbx), %rax
	wrfsbase %rax
	movq	S_GSNEW(%rbx), %rax
	wrgsbase %rax
4:	subq	$256, %rsp
	RESTORE
win_end:

/* A signal that interrupted the code of this page; %rax: where. */
nested:
	cmpl	$STUB_SIG_KICK, %edi
	jne	report				/* only hostile code faults here: the machine sees rip and ends it */
	cmpq	$(published - guest_page), %rax
	jb	ignore
	cmpq	$(win_end - guest_page), %rax
	jae	in_gate
	cmpq	$(go - guest_page), %rax
	jae	restart
	cmpl	$ST_GUEST, S_STATE(%rbx)
	jne	ignore
restart:
	cmpl	$KIND_FRAME, S_KIND(%rbx)
	jne	kicked_in_gate
	movl	$STUB_SIG_KICK, %edi
	xorl	%esi, %esi
	movl	$0, S_KREQ(%rbx)
	movq	S_FRSP(%rbx), %rsp
	movq	S_UC(%rbx), %rdx
	cmpl	$0, S_SETFS(%rbx)		/* the bases reported next must be the ones asked for */
	je	report
	movq	S_FSNEW(%rbx), %rax
	wrfsbase %rax
	movq	S_GSNEW(%rbx), %rax
	wrgsbase %rax
	jmp	report
in_gate:
	cmpq	$(gate_go - guest_page), %rax
	jb	ignore
	cmpq	$(gate_end - guest_page), %rax
	jae	ignore
kicked_in_gate:					/* there is no outer frame: this one is told */
	movl	$0, S_KREQ(%rbx)
	jmp	report
ignore:
	subq	$256, %rsp
	RESTORE

clear_nt:
	andl	$~0x4000, %eax
	pushq	%rax
	popfq
	jmp	nt_clear

/*
 * The machine wants this thread back, whatever it is doing and whatever its
 * registers are.  %rsi leads to the siginfo with the number that proves to
 * the machine that we got here.  The frame it will later return by is made
 * by the machine; nested kicks build theirs in the middle of the stack.
 */
reset:
	movq	%rsp, %rbx
	andq	$-SLOT_SIZE, %rbx
	movl	%edi, S_SIG(%rbx)
	movq	%rsi, S_INFO(%rbx)
	movq	%rdx, S_UC(%rbx)
	leaq	0x5000(%rbx), %rsp
	xorl	%eax, %eax
	pushq	%rax
	popfq
	wrfsbase %rax
	wrgsbase %rax
	jmp	publish

no_return:
	ud2

/*
 * The call gate: a system call without a signal.  %rax: number, %rcx: where
 * to return to, GS base: the slot; %r11 is free.  Returns as SYSCALL does,
 * every register but %rax as it was, %rcx the return address, %r11 the flags.
 * The guest's stack is not touched.
 *
 * When more than the result is to change, or a kick waits, the call ends by
 * a trap here, which parks the thread in a signal frame; the machine then
 * writes all registers there.  So nothing has to be restored first.
 */
	.macro	EACH_KEPT op
	\op	0, %r8
	\op	8, %r9
	\op	16, %r10
	\op	32, %r12
	\op	40, %r13
	\op	48, %r14
	\op	56, %r15
	\op	64, %rdi
	\op	72, %rsi
	\op	80, %rbp
	\op	96, %rdx
	.endm
	.macro	KEEP at, reg
	movq	\reg, (S_GATE + \at)(%r11)
	.endm
	.macro	BRING at, reg
	movq	(S_GATE + \at)(%rbx), \reg
	.endm

	.org	guest_page + GATE_OFFSET
gate:
	rdgsbase %r11
	movq	%rsp, (S_GATE + 120)(%r11)
	leaq	S_GATE_TOP(%r11), %rsp
	pushfq
	popq	(S_GATE + 136)(%r11)
	EACH_KEPT KEEP
	movq	%rbx, (S_GATE + 88)(%r11)
	movq	%rax, (S_GATE + 104)(%r11)
	movq	%rcx, (S_GATE + 128)(%r11)
	movq	%r11, %rbx
	movq	%rbx, S_GS(%rbx)
	rdfsbase %rax
	movq	%rax, S_FS(%rbx)
	movl	$KIND_GATE, S_KIND(%rbx)
	jmp	publish
gate_go:
	cmpl	$0, S_KREQ(%rbx)
	jne	gate_redo
	cmpl	$0, S_REDO(%rbx)
	jne	gate_redo
	EACH_KEPT BRING
	movq	(S_GATE + 104)(%rbx), %rax
	movq	(S_GATE + 128)(%rbx), %rcx
	movq	(S_GATE + 136)(%rbx), %r11
	leaq	S_GATE_TOP(%rbx), %rsp
	pushq	%r11
	popfq
	movq	(S_GATE + 120)(%rbx), %rsp
	movq	(S_GATE + 88)(%rbx), %rbx
	jmp	*%rcx
gate_end:
gate_redo:
	movl	$GATE_NR_REDO, %eax
	syscall
	ud2

/* -------------------------------------- part 2: mapper, thread birth -- */
	.org	hk_stub_image + IMG_PARTS + (STUB_MAPPER - STUB_BASE)
mapper:
	movl	$11, %eax			/* the zygote's code goes: its rules of the filter with it */
	movabsq	$STUB_ZYGOTE, %rdi
	movl	$0x1000, %esi
	syscall
	testq	%rax, %rax
	jnz	mapper_die
	movabsq	$STUB_CMD, %r15
	xorl	%r14d, %r14d
m_loop:
	movl	C_SPIN(%r15), %ebx
1:	movl	C_SEQ(%r15), %eax
	cmpl	%r14d, %eax
	jne	m_batch
	testl	%ebx, %ebx
	jz	2f
	pause
	decl	%ebx
	jmp	1b
2:	movl	$202, %eax
	leaq	C_SEQ(%r15), %rdi
	xorl	%esi, %esi
	movl	%r14d, %edx
	xorl	%r10d, %r10d
	syscall
	jmp	m_loop

m_batch:
	movl	%eax, %r14d
	movl	C_COUNT(%r15), %r13d
	leaq	C_ENT(%r15), %r12
m_next:
	testl	%r13d, %r13d
	jz	m_done
	movq	0(%r12), %rax
	movq	8(%r12), %rdi
	movq	16(%r12), %rsi
	movq	24(%r12), %rdx
	movq	32(%r12), %r10
	movq	40(%r12), %r8
	movq	48(%r12), %r9
	cmpq	$56, %rax
	je	m_clone
	syscall
	cmpq	$-4095, %rax
	jae	m_failed
m_step:
	addq	$C_ENT_SIZE, %r12
	decl	%r13d
	jmp	m_next

m_clone:
	syscall
	testq	%rax, %rax			/* only a clone gets here: 0 is the new thread (I1) */
	jz	born
	cmpq	$-4095, %rax
	jae	m_failed
	movl	%eax, %ebx			/* the tid, byte by byte from a table of constants (I2) */
	xorl	%ebp, %ebp
3:	movzbl	%bl, %eax
	movabsq	$(STUB_DATA + DATA_BYTES), %rsi
	addq	%rax, %rsi
	movl	$18, %eax
	movl	$STUB_FD_CTL, %edi
	movl	$1, %edx
	movq	C_REGION(%r15), %r10
	leaq	C_RES(%r10,%rbp), %r10
	syscall
	cmpq	$1, %rax
	jne	m_failed
	shrl	$8, %ebx
	incl	%ebp
	cmpl	$4, %ebp
	jb	3b
	jmp	m_step

m_failed:
	movl	$ST_STOPPED, %ebp		/* the slot's next state: report the stop again */
	leaq	C_FAILED(%r15), %rsi
	jmp	m_tell
m_done:
	xorl	%ebp, %ebp			/* ST_GUEST */
	leaq	C_SEQ(%r15), %rsi
m_tell:
	movq	C_RESUME(%r15), %rbx		/* read now: after completion the pages may be rewritten */
	movl	$18, %eax
	movl	$STUB_FD_CTL, %edi
	movl	$4, %edx
	movq	C_REGION(%r15), %r10
	addq	$C_DONE, %r10
	syscall
	cmpq	$4, %rax
	jne	mapper_die			/* a machine that cannot be told must find us dead */
	mfence
	cmpl	$0, C_WAITING(%r15)
	je	4f
	movl	$202, %eax
	leaq	C_DONE(%r15), %rdi
	movl	$1, %esi
	movl	$0x7fffffff, %edx
	syscall
4:	testq	%rbx, %rbx
	jz	m_loop
	leaq	S_GSLEEP(%rbx), %rdi
	testl	%ebp, %ebp
	jz	5f
	leaq	S_VKSLEEP(%rbx), %rdi
5:	xchgl	%ebp, S_STATE(%rbx)
	cmpl	$0, (%rdi)
	je	m_loop
	movl	$0, (%rdi)
	movl	$202, %eax
	movl	$1, %esi
	movl	$1, %edx
	syscall
	jmp	m_loop
mapper_die:
	movl	$231, %eax
	movl	$30, %edi
	syscall
	hlt

born:						/* %rsp: end of our slot, as fixed in the clone's register */
	leaq	-SLOT_SIZE(%rsp), %rbx
	movabsq	$STUB_SLOT0, %rax
	movq	%rbx, %rdi
	subq	%rax, %rdi
	shrq	$15, %rdi
	imulq	$24, %rdi, %rdi
	movabsq	$(STUB_DATA + DATA_STACKS), %rax
	addq	%rax, %rdi
	xorl	%esi, %esi
	movl	$131, %eax			/* sigaltstack */
	syscall
	testq	%rax, %rax
	jnz	mapper_die
	movl	$317, %eax			/* seccomp: from here on only futex, only from part 1 */
	movl	$1, %edi
	xorl	%esi, %esi
	movabsq	$(STUB_DATA + DATA_GUEST_PROG), %rdx
	syscall
	testq	%rax, %rax
	jnz	mapper_die
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%edx, %edx
	xorl	%edi, %edi
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	xorl	%esp, %esp
	movl	$STUB_NR_BORN, %eax
	syscall					/* the first trap: the machine counts us from here */
	.globl	hk_stub_born_end
hk_stub_born_end:
	ud2

/* -------------------------------------------------- part 3: zygote ---- */
	.org	hk_stub_image + IMG_PARTS + (STUB_ZYGOTE - STUB_BASE)
zygote:
	movl	$11, %eax			/* nothing of exec's stays: stack, vdso, start code */
	xorl	%edi, %edi
	movabsq	$STUB_BASE, %rsi
	syscall
	movl	$21, %edi
	testq	%rax, %rax
	jnz	zygote_die
	movl	$11, %eax
	movabsq	$(STUB_BASE + STUB_IMAGE_LEN), %rdi
	movl	$(STUB_CMD - STUB_BASE - STUB_IMAGE_LEN), %esi
	syscall
	movl	$11, %eax
	movabsq	$(STUB_CMD + 0x1000), %rdi
	movl	$(STUB_END - STUB_CMD - 0x1000), %esi
	syscall
	movl	$22, %edi
	testq	%rax, %rax
	jnz	zygote_die
	movl	$317, %eax
	movl	$1, %edi
	xorl	%esi, %esi
	movabsq	$(STUB_DATA + DATA_MAPPER_PROG), %rdx
	syscall
	movl	$23, %edi
	testq	%rax, %rax
	jnz	zygote_die
	movabsq	$STUB_CMD, %r15
	movl	$110, %eax			/* the machine may have died before we asked to die with it */
	syscall
	movl	$25, %edi
	cmpq	Z_PPID(%r15), %rax
	jne	zygote_die
	movl	$1, %r14d			/* request 1 is "be ready" */
	jmp	z_answer
z_loop:
	movl	Z_SEQ(%r15), %eax
	cmpl	%r14d, %eax
	jne	z_make
	movl	$202, %eax
	leaq	Z_SEQ(%r15), %rdi
	xorl	%esi, %esi
	movl	%r14d, %edx
	xorl	%r10d, %r10d
	syscall
	jmp	z_loop
z_make:
	movl	%eax, %r14d
	movq	Z_REGION(%r15), %r13
	movq	Z_PPID(%r15), %r12
	movq	Z_SLOTS_LEN(%r15), %rbp
	movl	$56, %eax			/* a sibling: CLONE_PARENT | CLONE_FILES | CLONE_FS */
	movl	$0x8600, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	syscall
	testq	%rax, %rax
	jz	stub
	movq	%rax, Z_PID(%r15)
z_answer:
	movl	%r14d, %eax
	xchgl	%eax, Z_DONE(%r15)
	movl	$202, %eax
	leaq	Z_DONE(%r15), %rdi
	movl	$1, %esi
	movl	$1, %edx
	syscall
	jmp	z_loop

stub:
	movl	$157, %eax			/* die with the machine, which may be dead already */
	movl	$1, %edi
	movl	$9, %esi
	syscall
	movl	$24, %edi
	testq	%rax, %rax
	jnz	zygote_die
	movl	$110, %eax
	syscall
	movl	$25, %edi
	cmpq	%r12, %rax
	jne	zygote_die
	movl	$9, %eax
	movabsq	$STUB_CMD, %rdi
	movl	$STUB_CMD_LEN, %esi
	movl	$1, %edx
	movl	$0x11, %r10d
	movl	$STUB_FD_CTL, %r8d
	movq	%r13, %r9
	syscall
	movl	$26, %edi
	cmpq	$-4095, %rax
	jae	zygote_die
	movl	$9, %eax
	movabsq	$STUB_SLOT0, %rdi
	movq	%rbp, %rsi
	movl	$3, %edx
	movl	$0x11, %r10d
	movl	$STUB_FD_CTL, %r8d
	leaq	CTL_SLOTS(%r13), %r9
	syscall
	movl	$27, %edi
	cmpq	$-4095, %rax
	jae	zygote_die
	movabsq	$STUB_MAPPER, %rax
	jmp	*%rax
zygote_die:
	movl	$231, %eax
	syscall
	hlt

/* ------------------------------------------------- part 4: constants -- */
	.org	hk_stub_image + IMG_PARTS + (STUB_DATA - STUB_BASE) + DATA_BYTES
	.set	i, 0
	.rept	256
	.byte	i
	.set	i, i + 1
	.endr
	.org	hk_stub_image + IMG_PARTS + (STUB_DATA - STUB_BASE) + DATA_STACKS
	.set	i, 0
	.rept	256
	.quad	STUB_SLOT0 + i * SLOT_SIZE + SLOT_ALT
	.quad	0
	.quad	SLOT_SIZE - SLOT_ALT
	.set	i, i + 1
	.endr
	.org	hk_stub_image + IMG_BYTES

	.section .note.GNU-stack, "", @progbits
