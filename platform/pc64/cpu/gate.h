/* SPDX-License-Identifier: BSD-2-Clause */
/* What gate.S knows of struct pc_cpu (pc.h), of struct md_regs, and of the tables of segments. */
#pragma once

#define SEL_KCODE	0x10		/* SYSCALL: this and the next */
#define SEL_KDATA	0x18
#define SEL_UBASE	0x23		/* SYSRET: the next two */
#define SEL_UDATA	0x2b
#define SEL_UCODE	0x33
#define SEL_TSS		0x40

#define PC_AREA		0
#define PC_USER_RSP	8
#define PC_REGS_TOP	16
#define PC_KERNEL_RSP	24
#define PC_SCRATCH	32
#define PC_VECTOR	40
#define PC_ERROR	48
#define PC_RSP0		60		/* in the task state segment that begins at 56 */

#define QUICK_CALLS	256		/* system calls below it may be answered at once */

#define R_R11		48
#define R_RAX		80
#define R_RCX		88
#define R_RDI		112
#define R_RIP		120
#define R_RSP		128
#define R_RFLAGS	136

#define VEC_IRQ		0x30		/* the lines of the ISA bus that interrupt CPU 0 */
#define VEC_DEV		0x40		/* up to VEC_KICK: of each CPU its own, dev/vector.c */
#define VEC_KICK	0xf0
#define VEC_TLB		0xf1
#define VEC_TIMER	0xf2
#define VEC_STOP	0xf3
#define VEC_SPURIOUS	0xff
