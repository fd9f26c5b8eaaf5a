/* SPDX-License-Identifier: BSD-2-Clause */
/* The note by which a virtual kernel is known, in its executable and in its cores: struct look_note of look.h. */
	.section .note.damselfly, "a", @note
	.balign 4
	.long	2f - 1f
	.long	4f - 3f
	.long	1				/* LOOK_NOTE */
1:	.asciz	"Damselfly"
2:	.balign 4
3:	.quad	1				/* LOOK_VERSION */
	.quad	debug_table
	.quad	look_label
4:	.balign 4
	.section .note.GNU-stack, "", @progbits
