/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx - switching between kernel stacks.
 *
 * What a C function must keep is pushed, then the stack pointers change
 * places, then the other side's is popped.  The kernel is compiled without
 * vector and x87 registers, so the general ones are all there is.  rbp is
 * pushed last: word MD_CTX_RBP (0) of a saved stack is the frame pointer.
 *
 * What debuggers are told goes to .debug_frame, where that of C functions is: a PC's image has no .eh_frame.
 */
	.cfi_sections .debug_frame
	.text
	.globl	md_ctx_switch
	.type	md_ctx_switch, @function
md_ctx_switch:				/* (uint64_t *save_sp, uint64_t load_sp) */
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rbp
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%rbp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	ret
	.size	md_ctx_switch, . - md_ctx_switch

/* First code of a context: md_ctx_make() put fn in rbx and arg in r12. */
	.globl	md_ctx_start
	.type	md_ctx_start, @function
md_ctx_start:
	.cfi_startproc
	.cfi_undefined %rip			/* nobody called it: debuggers end here */
	xorl	%ebp, %ebp
	movq	%r12, %rdi
	call	*%rbx
	ud2
	.cfi_endproc
	.size	md_ctx_start, . - md_ctx_start
	.section .note.GNU-stack, "", @progbits
