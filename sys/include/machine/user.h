/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine/user - user execution is one call that returns.
 *
 * A user thread's machine state is a struct md_uframe: the general registers
 * here, the extended state (x87, SSE, AVX, ...) in an XSAVE image owned by
 * the frame but possibly still live in the machine after a run.
 */
#pragma once
#include <machine/mmu.h>
#include <machine/types.h>

struct md_regs {
	uint64_t	r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t	rax, rcx, rdx, rsi, rdi;
	uint64_t	rip, rsp, rflags, fsbase, gsbase;
};

struct md_uframe {
	struct md_regs	uf_regs;
	uint64_t	uf_fault_addr;	/* of the last stop */
	uint32_t	uf_trapno, uf_err;
	void		*uf_fpu;	/* md_fpu_bytes() bytes, 64-byte aligned; const */
	uint32_t	uf_fpu_live;	/* the machine holds newer extended state than uf_fpu */
	uint32_t	uf_fpu_load;	/* uf_fpu is newer than what the machine holds */
	md_space_t	uf_space;	/* of the last run, while uf_fpu_live */
	/* Run with the GS base that the gate needs: gsbase, 0, comes back as 0, or as the program has it. */
	uint32_t	uf_gate;
};

/*
 * The address of the call gate, for text that was made to go there: rax the number, rcx the address to return
 * to.  That does, at less cost, what a system call's instruction right before that address would do.  0: this
 * machine has none.
 */
uaddr_t	md_gate(void);

enum md_stop {
	MD_SYSCALL,	/* rax: number; rip is past the instruction */
	MD_FAULT,	/* page fault at uf_fault_addr, uf_err as the processor's */
	MD_TRAP,	/* exception uf_trapno */
	MD_INTR,	/* mailbox not zero; may be spurious */
	MD_HOSTILE,	/* the guest tampered with the machine: end the process */
	MD_KILLED,	/* the machine lost this guest: end the process */
};

/* Page fault error bits (the processor's). */
#define MD_PF_PRESENT	1u
#define MD_PF_WRITE	2u
#define MD_PF_USER	4u
#define MD_PF_EXEC	16u

#define MD_RFLAGS_USER	0x240dd5u	/* flags a program may set itself: CF PF AF ZF SF TF DF OF AC ID ... */

size_t	md_fpu_bytes(void);
/* Registers zero, flags initial, extended state initial.  `fpu` stays owned by the caller. */
void	md_uframe_init(struct md_uframe *uf, void *fpu);
/* dst becomes a copy (fork); dst has its own fpu area. */
void	md_uframe_copy(struct md_uframe *dst, struct md_uframe *src);

/*
 * At boot, once: calls with these numbers need no stop if fn has the answer.  It is
 * asked in the critical section of md_user_run(), perhaps with interrupts off: it neither
 * waits nor touches the program's memory.  False, with *result as it was: stop
 * as for any other call.  A machine may do without.
 */
void	md_user_quick(const uint8_t *nr, uint32_t n, bool (*fn)(uint64_t nr, uint64_t *result));
/* Run until a reason to stop.  The thread stays on its CPU meanwhile. */
enum md_stop md_user_run(struct md_uframe *uf, md_space_t s);
/* From now on it also stops, with MD_INTR, at each fault that the machine serves by itself: for gap statistics. */
void	md_user_each_fault(void);

/*
 * The thread leaves this CPU or its space: bring live extended state home.
 * Called at each thread switch away, too, then with `stays`, which says that it will
 * come back here, or leave then; cheap when nothing is live.
 */
void	md_user_leave(struct md_uframe *uf, bool stays);

/*
 * Signal frames, ptrace: md_fpu_read makes uf_fpu current; md_fpu_wrote says
 * that uf_fpu was changed.  Any content is harmless: what the processor would
 * refuse becomes the initial state.
 */
void	md_fpu_read(struct md_uframe *uf);
void	md_fpu_wrote(struct md_uframe *uf);

/*
 * A general protection trap, at an instruction whose first n bytes are
 * `insn`: true if the machine keeps that one from programs to do it itself,
 * and has.
 */
bool	md_user_emulate(struct md_uframe *uf, const uint8_t *insn, size_t n);
