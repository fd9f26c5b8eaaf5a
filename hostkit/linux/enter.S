/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enter - leave a host thread's own stack, and come back to it
 *
 * A CPU's code runs on stacks that its caller owns.  The host thread's own
 * stack is kept for the way back: hk_stack_leave() returns from the call of
 * hk_stack_enter() that stored `saved`, whatever stack it is called on.
 *
 *	void hk_stack_enter(uint64_t top, void (*entry)(void *), void *arg, uint64_t *saved);
 *	_Noreturn void hk_stack_call(void (*entry)(void *), void *arg);
 *	_Noreturn void hk_stack_leave(uint64_t saved);
 *
 * What the caller's code would save on its stack is nothing of ours: it gets
 * registers that are zero, and a return address that ends every back trace.
 */
	.macro	CALL_CLEAN		/* %rax with %rdi; the stack is aligned; it does not return */
	xor	%ebp, %ebp
	xor	%ebx, %ebx
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	push	$0
	push	$0
	call	*%rax
	ud2
	.endm

	.text
	.globl	hk_stack_enter
	.type	hk_stack_enter, @function
hk_stack_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rcx)
	mov	%rdi, %rsp
	and	$-16, %rsp
	mov	%rsi, %rax
	mov	%rdx, %rdi
	CALL_CLEAN
	.size	hk_stack_enter, . - hk_stack_enter

	.globl	hk_stack_call
	.type	hk_stack_call, @function
hk_stack_call:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	and	$-16, %rsp
	CALL_CLEAN
	.size	hk_stack_call, . - hk_stack_call

	.globl	hk_stack_leave
	.type	hk_stack_leave, @function
hk_stack_leave:
	mov	%rdi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	hk_stack_leave, . - hk_stack_leave

	.section .note.GNU-stack, "", @progbits
