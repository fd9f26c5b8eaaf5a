/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stublay - what lies where at the top of a stub's address space
 *
 * A stub owns [STUB_BASE, STUB_END); the guest owns what is below.  From
 * the bottom: four parts of a sealed image (guest-side code, mapper code,
 * zygote code, constants), then the command pages, which only the machine
 * writes, then one slot per CPU, which the guest can write too.
 *
 * This file is read by C and by the assembler, so it holds numbers only.
 */
#pragma once

#define STUB_BASE	0x7fffff000000
#define STUB_BASE_HI	0x7fff
#define STUB_BASE_LO	0xff000000
#define STUB_END	0x7ffffffff000
#define STUB_GUEST	STUB_BASE		/* r-x: handler and return path */
#define STUB_MAPPER	(STUB_BASE + 0x1000)	/* r-x: mapper, birth of threads */
#define STUB_ZYGOTE	(STUB_BASE + 0x2000)	/* r-x: only in the zygote */
#define STUB_DATA	(STUB_BASE + 0x3000)	/* r--: filters, tables */
#define STUB_DATA_LEN	0x3000
#define STUB_IMAGE_LEN	0x6000			/* all four parts */
#define STUB_CMD	(STUB_BASE + 0x8000)	/* r--: command pages */
#define STUB_CMD_LEN	0x4000
#define STUB_SLOT0	(STUB_BASE + 0x100000)	/* rw-: slots */
#define SLOT_SIZE	0x8000
#define SLOT_ALT	0x1000			/* the signal stack: [SLOT_ALT, SLOT_SIZE) of a slot */

/* The ctl file holds one such region per space; region 0 is the zygote's. */
#define CTL_SLOTS	0x8000			/* slots begin here */
#define CTL_REGION	0x810000

/* File offsets in the image: a page of ELF header and start code, then the parts. */
#define IMG_PARTS	0x1000
#define IMG_BYTES	0x7000
#define IMG_LOAD	0x200000		/* where exec puts the first page */

/* STUB_DATA: the two filters are written in before the image is sealed. */
#define DATA_GUEST_PROG	0x000			/* struct sock_fprog */
#define DATA_MAPPER_PROG 0x010
#define DATA_BYTES	0x100			/* 256 bytes with the values 0..255 */
#define DATA_GUEST_BPF	0x200
#define DATA_MAPPER_BPF	0x600
#define DATA_STACKS	0x1000			/* 256 stack_t, one per slot */

/* Descriptors in every stub. */
#define STUB_FD_RAM	0
#define STUB_FD_CTL	1
#define STUB_FD_IMAGE	2

#define STUB_SIG_KICK	10			/* SIGUSR1: leave the guest */
#define STUB_SIG_RESET	12			/* SIGUSR2: forget everything, park */
#define STUB_NR_BORN	0x3fffffff		/* the number of a thread's first trap */

/* A slot: one CPU's foothold in a space.  Guest-writable, all of it. */
#define S_STATE		0x000
#define S_VKSLEEP	0x040			/* the machine sleeps on this word while it is 1 */
#define S_GSLEEP	0x080			/* the guest thread sleeps on this word while it is 1 */
#define S_SPIN		0x0c0			/* turns before sleeping */
#define S_KREQ		0x0c4			/* a kick is wanted */
#define S_SETFS		0x0c8			/* load S_FSNEW and S_GSNEW */
#define S_SIG		0x0cc			/* why the guest stopped */
#define S_KIND		0x0d0			/* where the registers are: KIND_* */
#define S_REDO		0x0d4			/* a call by the gate ends by a trap */
#define S_INFO		0x0d8			/* siginfo_t * */
#define S_UC		0x0e0			/* ucontext_t * */
#define S_FRSP		0x0e8			/* stack pointer of the outer handler */
#define S_FS		0x0f0
#define S_GS		0x0f8
#define S_FSNEW		0x100
#define S_GSNEW		0x108
#define S_GATE		0x800			/* the call gate's registers, in the order of a ucontext_t's */
#define S_GATE_TOP	0x1000			/* the end of its stack, which is not the signal stack */

/* Values of S_KIND. */
#define KIND_FRAME	0			/* in the signal frame */
#define KIND_GATE	1			/* at S_GATE */

/* The call gate: its address is part of the interface (hk.h); the number of the trap by which a call may end. */
#define GATE_OFFSET	0x800
#define GATE_NR_REDO	0x3ffffffe

/* Values of S_STATE. */
#define ST_GUEST	0			/* the guest thread runs, or will when it sees this */
#define ST_STOPPED	1			/* the machine's turn */
#define ST_MAPPER	2			/* the mapper will resume it */

/* Command pages.  Written by the machine; C_DONE and C_RES by the mapper's pwrite. */
#define C_SEQ		0x000			/* a new value is a new batch; the mapper sleeps on it */
#define C_DONE		0x040			/* == C_SEQ: done; == C_FAILED: a command failed */
#define C_WAITING	0x044			/* somebody sleeps on C_DONE */
#define C_RES		0x048			/* tid of the thread just made, by bytes */
#define C_COUNT		0x080
#define C_SPIN		0x084
#define C_FAILED	0x088			/* what to write to C_DONE after a failure */
#define C_REGION	0x090			/* offset of this region in the ctl file */
#define C_RESUME	0x098			/* slot to resume, or 0 */
#define C_ENT		0x100			/* commands: number and six arguments */
#define C_ENT_SIZE	56
#define C_ENT_MAX	((STUB_CMD_LEN - C_ENT) / C_ENT_SIZE)

/* Region 0: how the machine talks to the zygote. */
#define Z_SEQ		0x000
#define Z_DONE		0x040
#define Z_PID		0x080			/* result: pid or -errno */
#define Z_REGION	0x088			/* region of the new stub in the ctl file */
#define Z_PPID		0x090			/* pid of the machine */
#define Z_SLOTS_LEN	0x098			/* bytes of slots to map */
