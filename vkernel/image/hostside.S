/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostside - from the kernel's stacks to the host's and back.
 *
 * Everything the kernel can change is to mean the same in another process, so
 * host code may not leave its frames, with pointers into its own memory, on a
 * kernel stack.  Each name that the kernel's image needs from hostkit is
 * renamed to hostside_NAME when the image is linked, and is a door here: the
 * call runs on the stack of the CPU's host thread, whose free part begins at
 * hk_host_stack.  That word is 0 while somebody is there already (a call from
 * a trap handler, or from a thread that is no CPU): such a call stays where
 * it is.
 *
 * One CPU is never inside two such calls, because the kernel does not switch
 * threads in the middle of one.
 *
 * For debuggers the door is like a signal handler's frame: only then do they
 * believe that the stack of a caller may lie below that of who was called.
 *
 * The build adds a line for each name.
 */
	.text
	.type	on_host_stack, @function
on_host_stack:				/* %rax: function; its arguments are in registers */
	.cfi_startproc
	.cfi_signal_frame
	movq	%fs:hk_host_stack@tpoff, %r11
	testq	%r11, %r11
	jz	1f
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	movq	$0, %fs:hk_host_stack@tpoff
	movq	%r11, %rsp
	pushq	%r11
	pushq	%rbp
	call	*%rax
	popq	%rbp
	popq	%r11
	movq	%r11, %fs:hk_host_stack@tpoff
	movq	%rbp, %rsp
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	ret
1:	jmp	*%rax
	.cfi_endproc
	.size	on_host_stack, . - on_host_stack

	.macro	DOOR name
	.globl	hostside_\name
	.type	hostside_\name, @function
hostside_\name:
	movq	$\name, %rax
	jmp	on_host_stack
	.size	hostside_\name, . - hostside_\name
	.endm

	.section .note.GNU-stack, "", @progbits
	.text
