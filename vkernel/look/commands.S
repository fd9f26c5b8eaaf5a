/* SPDX-License-Identifier: BSD-2-Clause */
/* The vk commands, one file made from vkernel/gdb by the makefile, which gives its path as VK_COMMANDS. */
	.section .rodata.vk_commands, "a", @progbits
	.globl	vk_commands, vk_commands_end
vk_commands:
	.incbin	VK_COMMANDS
vk_commands_end:
	.section .note.GNU-stack, "", @progbits
