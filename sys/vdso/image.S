/* SPDX-License-Identifier: BSD-2-Clause */
/* The vDSO in the kernel.  VDSO is the path of the file, given by the makefile. */
	.section .rodata.vdso, "a", @progbits
	.balign 4096
	.globl	vdso_image, vdso_image_end
vdso_image:
	.incbin	VDSO
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
