/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callsite - the place in a program's text where a system call is made, and
 * what is done there instead.
 *
 *	site:  b8 imm32		mov	$number,%eax	->  e9 rel32  jmp trampoline
 *	       ...		moves between registers
 *	       0f 05		syscall
 *
 * Only the five bytes of the mov change; whoever jumps behind it, or is sent
 * back to the syscall, meets what was always there.  The moves are of a few
 * kinds that mean the same at any place and leave %rax alone.  What looks like
 * a site is one for sure only if the call was just made from there; even so
 * that the mov's bytes are an instruction is evidence (they name the call,
 * and from there on all decodes to the syscall), not proof.
 *
 * Call 0, read, has two bytes there, xor %eax,%eax, room for a short jump.
 * The GNU library's function has padding near by that nobody executes: behind
 * a return and before the place that its first jump goes to.
 *
 *	       74 rel8		je	1f
 *	site:  31 c0		xor	%eax,%eax	->  eb rel8   jmp pad
 *	       0f 05		syscall
 *	       48 3d imm32	cmp	$-4096,%rax
 *	       77 rel8		ja	...
 *	       c3		ret
 *	pad:	...		no operations		->  e9 rel32  jmp trampoline
 *	1:
 *
 *	trampoline:	mov	$number,%eax	as at the site, and
 *			...			the same moves
 *			lea	end(%rip),%rcx	behind the syscall
 *			movabs	$gate,%r11
 *			jmp	*%r11
 *
 * %rcx and %r11 are lost at a syscall anyhow.  Flags and stack are not used.
 *
 * Source of the idea to overwrite the mov alone, and keep the syscall: ours.
 * gVisor's systrap and zpoline (USENIX ATC 2023) replace the syscall itself.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CALLSITE_MAX	32u		/* bytes of a site without its syscall, at most */
#define CALLSITE_TRAMP	64u		/* bytes of a trampoline */

struct callsite {
	uint32_t	cs_len;		/* bytes before its syscall */
	uint32_t	cs_pad;		/* bytes from its begin to padding that it needs; 0: none */
};

/*
 * The site whose syscall instruction ends at page[end], end at most 4096, and
 * which has just made the call `nr`.  False: there is none, or not as a whole
 * in this page.
 */
bool	callsite_find(const uint8_t *page, uint32_t end, uint32_t nr, struct callsite *cs);
/* The trampoline of a site, which is `distance` bytes behind it, to `gate`. */
void	callsite_trampoline(uint8_t out[CALLSITE_TRAMP], const uint8_t *site, const struct callsite *cs,
	    int32_t distance, uint64_t gate);
/* The jump at the site, and in its padding. */
void	callsite_patch(uint8_t *site, const struct callsite *cs, int32_t distance);
/* A thread stands `at` bytes into the trampoline: how far from the trampoline's begin that is at the site. */
int32_t	callsite_back(const uint8_t tramp[CALLSITE_TRAMP], uint32_t at);
