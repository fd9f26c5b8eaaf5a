/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The default root, made at build time from the machine's busybox-static.
 * ROOT_CPIO is the path of the archive, given by the makefile.
 */
	.section .rodata.root_archive, "a", @progbits
	.balign 4096
	.globl	root_archive, root_archive_end
root_archive:
	.incbin	ROOT_CPIO
root_archive_end:
	.section .note.GNU-stack, "", @progbits
