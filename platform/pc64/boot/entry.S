/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry - from a loader's 32-bit world to boot_main().
 *
 * Both protocols enter in 32-bit protected mode without paging: multiboot2
 * with its magic in eax and its structure in ebx, PVH with its structure in
 * ebx, which begins with a magic of its own.  The tables made here show the
 * first 4 GiB three times: where they are, at MD_DIRECT_BASE, and their first
 * GiB at the image's base; mmu.c makes the real ones.
 *
 * Another processor begins in the trampoline, copied to a page below 1 MiB,
 * in real mode, and goes to long mode with tables that mmu.c's root is part of.
 *
 * Nobody called what calls C here: debuggers end there.
 */
#include "../cpu/gate.h"
	.cfi_sections .debug_frame
#define BASE		0xffffffff80000000
#define PHYS(x)		((x) - BASE)
#define CR4_PAE		0x20
#define CR0_PG_WP_PE	0x80010033
#define EFER_NX_LME	0x901			/* and SCE */

	.section .boot.header, "a"
	.balign	8
mb_start:				/* Multiboot2 specification 2.0, section 3.1 */
	.long	0xe85250d6, 0, mb_end - mb_start, -(0xe85250d6 + mb_end - mb_start)
	.balign	8
	.short	5, 1			/* framebuffer, not needed: any size, 32 bits */
	.long	20, 1024, 768, 32
	.balign	8
	.short	0, 0
	.long	8
mb_end:

	.section .boot.note, "a", @note
	.long	4, 4, 18		/* Xen's XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	entry32

	.section .boot, "awx"
	.code32
	.globl	entry32
entry32:
	cli
	cld
	movl	$early_stack_end, %esp
	movl	%eax, %ebp		/* magic of multiboot2, or anything */
	movl	%ebx, %esi

	/* Four tables of 2 MiB pages, one after another. */
	movl	$early_pd, %edi
	movl	$0x83, %eax
	xorl	%edx, %edx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	jnc	1b
	movl	$early_pd + 3, %eax
	movl	$early_pdpt, %edi
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	2b
	movl	$early_pd + 3, early_pdpt_high + 510 * 8
	movl	$early_pdpt + 3, early_pml4
	movl	$early_pdpt + 3, early_pml4 + 256 * 8
	movl	$early_pdpt_high + 3, early_pml4 + 511 * 8

	movl	$early_pml4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$EFER_NX_LME, %eax
	wrmsr
	movl	$CR0_PG_WP_PE, %eax
	movl	%eax, %cr0
	lgdt	early_gdtr
	ljmp	$SEL_KCODE, $entry64
	.code64
entry64:
	movl	$SEL_KDATA, %eax
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%ebp, %edi
	movl	%esi, %esi
	movabsq	$high, %rax
	jmp	*%rax

	.balign	8
early_gdt:
	.quad	0, 0
	.quad	0x00af9b000000ffff	/* SEL_KCODE */
	.quad	0x00cf93000000ffff	/* SEL_KDATA */
	.globl	early_gdtr
early_gdtr:
	.short	. - early_gdt - 1
	.quad	early_gdt

	.section .boot.bss, "aw", @nobits
	.balign	4096
early_pml4:	.skip	4096
early_pdpt:	.skip	4096
early_pdpt_high: .skip	4096
early_pd:	.skip	4 * 4096
early_stack:	.skip	512
early_stack_end:

	.text
high:
	.cfi_startproc
	.cfi_undefined %rip
	leaq	boot_stack + 32768(%rip), %rsp
	xorl	%ebp, %ebp
	call	boot_main		/* (uint32_t magic, uint64_t info) */
	ud2
	.cfi_endproc

/* ------------------------------------------------ the other processors -- */
/* Copied to a page below 1 MiB; what follows trampoline_args is filled in for each. */
	.section .rodata
	.globl	trampoline, trampoline_args, trampoline_end
#define AT(x)		((x) - trampoline)
	.code16
trampoline:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorl	%ebx, %ebx
	movw	%ax, %bx
	shll	$4, %ebx		/* where we are */
	leal	AT(t_gdt)(%ebx), %eax
	movl	%eax, AT(t_gdtr) + 2
	leal	AT(long_mode)(%ebx), %eax
	movl	%eax, AT(t_far)
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	AT(trampoline_args), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$EFER_NX_LME, %eax
	wrmsr
	lgdtl	AT(t_gdtr)
	movl	$CR0_PG_WP_PE, %eax
	movl	%eax, %cr0
	ljmpl	*AT(t_far)
	.code64
long_mode:
	movl	$SEL_KDATA, %eax
	movl	%eax, %ss
	movl	%ebx, %ebx
	movq	AT(trampoline_args) + 16(%rbx), %rsp
	movq	AT(trampoline_args) + 24(%rbx), %rdi
	movq	AT(trampoline_args) + 32(%rbx), %rax
	movq	AT(trampoline_args) + 8(%rbx), %rcx
	xorl	%ebp, %ebp
	jmp	*%rax			/* boot_arrive(pc, root) */
	.balign	8
t_gdt:
	.quad	0, 0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
t_gdtr:
	.short	. - t_gdt - 1
	.long	0
t_far:
	.long	0
	.short	SEL_KCODE
	.balign	8
trampoline_args:
	.quad	0, 0, 0, 0, 0		/* tables to begin with, the kernel's root, stack, struct pc_cpu, function */
trampoline_end:

	.text
	.globl	boot_arrive
boot_arrive:
	.cfi_startproc
	.cfi_undefined %rip
	movq	%rcx, %cr3
	call	cpu_arrive
	ud2
	.cfi_endproc
	.section .note.GNU-stack, "", @progbits
