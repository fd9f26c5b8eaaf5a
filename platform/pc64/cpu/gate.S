/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate - in and out of user mode, and every interrupt and exception.
 *
 * user_enter() is a call that returns: it leaves the kernel's stack pointer in
 * the CPU's struct pc_cpu, loads a program's registers, and goes.  Whatever
 * ends the program's turn, a system call, an exception, an interrupt, stores
 * the registers where they came from, takes the stack pointer back and
 * returns, with interrupts off.
 *
 * Invariants
 *   G1  Between loading a program's stack pointer and leaving, and between
 *       entering by SYSCALL and taking ours, interrupts are off, and what can
 *       come all the same (NMI, machine check, debug) has a stack of its own.
 *   G2  Those three do not trust the GS base: a program may have loaded any.
 *       The page of their stack begins with this CPU's struct pc_cpu.
 *   G3  SYSRET is taken only where rcx and r11 are rip and rflags, which is
 *       what the program gets; only to the lower half (a non-canonical rip would
 *       fault here, with the program's stack pointer); and not with TF or RF.
 *       A call that is answered at once goes back by SYSRET, too: no program is
 *       mapped so high that what follows its SYSCALL is not in the lower half.
 *   G4  Flags on entry: by SYSCALL the mask clears them; by a gate the
 *       processor clears IF and TF, and we the rest (AC, DF, NT).
 *
 * While C serves a trap, debuggers find who was interrupted by TRAPPED.
 */
#include "gate.h"
	.cfi_sections .debug_frame

/* struct md_regs up to rdi, and what trap doors leave below the vector. */
.macro	PUSH_REGS rax=%rax
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	\rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

/* %rbp is a struct trap_frame: from it the registers of who was interrupted. */
.macro	TRAPPED
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa %rbp, 0
	.cfi_offset %r15, 0
	.cfi_offset %r14, 8
	.cfi_offset %r13, 16
	.cfi_offset %r12, 24
	.cfi_offset %rbp, 32
	.cfi_offset %rbx, 40
	.cfi_offset %r11, 48
	.cfi_offset %r10, 56
	.cfi_offset %r9, 64
	.cfi_offset %r8, 72
	.cfi_offset %rax, 80
	.cfi_offset %rcx, 88
	.cfi_offset %rdx, 96
	.cfi_offset %rsi, 104
	.cfi_offset %rdi, 112
	.cfi_offset %rip, 136
	.cfi_offset %rsp, 160
.endm

	.text
	.globl	user_enter
	.type	user_enter, @function
user_enter:				/* (struct md_regs *regs): interrupts off */
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %gs:PC_KERNEL_RSP
	movq	%rsp, %gs:PC_RSP0
	leaq	R_RIP(%rdi), %rax
	movq	%rax, %gs:PC_REGS_TOP
	movq	R_RIP(%rdi), %rcx
	movq	R_RFLAGS(%rdi), %r11
	cmpq	%rcx, R_RCX(%rdi)
	jne	leave_by_iret
	cmpq	%r11, R_R11(%rdi)
	jne	leave_by_iret
	testl	$0x10100, %r11d
	jnz	leave_by_iret
	movq	%rcx, %rax
	shrq	$47, %rax
	jnz	leave_by_iret
	movq	%rdi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	addq	$8, %rsp		/* r11 */
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	addq	$8, %rsp		/* rcx */
	popq	%rdx
	popq	%rsi
	popq	%rdi
	movq	8(%rsp), %rsp
	swapgs
	sysretq

leave_by_iret:
	pushq	$SEL_UDATA
	pushq	R_RSP(%rdi)
	pushq	%r11
	pushq	$SEL_UCODE
	pushq	%rcx
	movq	0(%rdi), %r15
	movq	8(%rdi), %r14
	movq	16(%rdi), %r13
	movq	24(%rdi), %r12
	movq	32(%rdi), %rbp
	movq	40(%rdi), %rbx
	movq	R_R11(%rdi), %r11
	movq	56(%rdi), %r10
	movq	64(%rdi), %r9
	movq	72(%rdi), %r8
	movq	R_RAX(%rdi), %rax
	movq	R_RCX(%rdi), %rcx
	movq	96(%rdi), %rdx
	movq	104(%rdi), %rsi
	movq	R_RDI(%rdi), %rdi
	swapgs
	iretq
	.size	user_enter, . - user_enter

	.globl	syscall_entry
	.type	syscall_entry, @function
syscall_entry:
	swapgs
	movq	%rsp, %gs:PC_USER_RSP
	cmpq	$QUICK_CALLS, %rax
	jae	stop_for_call
	cmpb	$0, quick_calls(%rax)
	jne	quick_call
stop_for_call:
	movq	%gs:PC_REGS_TOP, %rsp
	PUSH_REGS
	movq	%gs:PC_USER_RSP, %rax
	movq	%rcx, R_RIP(%rsp)
	movq	%rax, R_RSP(%rsp)
	movq	%r11, R_RFLAGS(%rsp)
	movq	%gs:PC_KERNEL_RSP, %rsp
	xorl	%eax, %eax		/* false: no vector */
user_left:
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	syscall_entry, . - syscall_entry

/* Above whoever called user_enter(); what C may change is kept. */
	.type	quick_call, @function
quick_call:
	testl	$0x10100, %r11d
	jnz	stop_for_call
	movq	%gs:PC_KERNEL_RSP, %rsp
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbp
	movq	%rsp, %rbp
	leaq	40(%rbp), %rsi		/* the result, where rax is: 4*8 r8 to r11, rbp */
	movq	%rax, %rdi
	andq	$-16, %rsp
	call	*quick_fn		/* (uint64_t nr, uint64_t *result) */
	movq	%rbp, %rsp
	movb	%al, %gs:PC_SCRATCH
	popq	%rbp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	cmpb	$0, %gs:PC_SCRATCH
	je	stop_for_call
	movq	%gs:PC_USER_RSP, %rsp
	swapgs
	sysretq
	.size	quick_call, . - quick_call

/* On whatever stack: vector, error, rip, cs, rflags, rsp, ss. */
	.type	trap_common, @function
trap_common:
	testb	$3, 24(%rsp)
	jz	trap_in_kernel
	swapgs
	movq	%rax, %gs:PC_SCRATCH
	movq	%rsp, %rax
	movq	%gs:PC_REGS_TOP, %rsp
	PUSH_REGS %gs:PC_SCRATCH
	movq	0(%rax), %rcx
	movq	%rcx, %gs:PC_VECTOR
	movq	8(%rax), %rcx
	movq	%rcx, %gs:PC_ERROR
	movq	16(%rax), %rcx
	movq	%rcx, R_RIP(%rsp)
	movq	32(%rax), %rcx
	movq	%rcx, R_RFLAGS(%rsp)
	movq	40(%rax), %rcx
	movq	%rcx, R_RSP(%rsp)
	movq	%gs:PC_KERNEL_RSP, %rsp
	pushq	$2
	popfq
	movl	$1, %eax		/* true: a vector */
	jmp	user_left

.macro	RESTORE
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$16, %rsp		/* vector, error */
.endm

trap_in_kernel:
	PUSH_REGS
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	TRAPPED
	andq	$-16, %rsp
	call	trap_kernel_mode	/* (struct trap_frame *) */
	movq	%rbp, %rsp
	.cfi_endproc
	RESTORE
	iretq
	.size	trap_common, . - trap_common

/* On a stack of its own (G2): the GS base is set, and set back. */
	.type	trap_anywhere, @function
trap_anywhere:
	PUSH_REGS
	cld
	movl	$0xc0000101, %ecx
	rdmsr
	shlq	$32, %rdx
	orq	%rax, %rdx
	movq	%rdx, %rbx		/* what it was */
	movq	%rsp, %rax
	andq	$-4096, %rax
	movq	(%rax), %rsi		/* struct pc_cpu */
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	wrmsr
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	TRAPPED
	andq	$-16, %rsp
	call	trap_any_mode		/* (struct trap_frame *, struct pc_cpu *) */
	movq	%rbp, %rsp
	.cfi_endproc
	movl	$0xc0000101, %ecx
	movl	%ebx, %eax
	movq	%rbx, %rdx
	shrq	$32, %rdx
	wrmsr
	RESTORE
	iretq
	.size	trap_anywhere, . - trap_anywhere

/* A debug exception of a program is like any other; in the kernel it may be anywhere. */
trap_debug:
	testb	$3, 24(%rsp)
	jnz	trap_common
	jmp	trap_anywhere

/* (const void *gdtr): the processor's own table, and its task state segment. */
	.globl	segments_load
	.type	segments_load, @function
segments_load:
	lgdt	(%rdi)
	popq	%rcx
	pushq	$SEL_KCODE
	pushq	%rcx
	movl	$SEL_KDATA, %eax
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$SEL_TSS, %eax
	ltr	%ax
	lretq
	.size	segments_load, . - segments_load

/* 256 doors of 16 bytes: vectors that have no error code push one. */
	.globl	trap_doors
	.balign	16
trap_doors:
	.set	v, 0
	.rept	256
	.balign	16
	.if	v != 8 && !(v >= 10 && v <= 14) && v != 17 && v != 21 && v != 29 && v != 30
	pushq	$0
	.endif
	pushq	$v
	.if	v == 1
	jmp	trap_debug
	.elseif	v == 2 || v == 8 || v == 18
	jmp	trap_anywhere
	.else
	jmp	trap_common
	.endif
	.set	v, v + 1
	.endr
	.section .note.GNU-stack, "", @progbits
