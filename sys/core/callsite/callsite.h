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

#define CALLSITE_MOVE	5u		/* bytes that become a jump */
#define CALLSITE_MAX	32u		/* bytes of a site without its syscall, at most */
#define CALLSITE_TRAMP	64u		/* bytes of a trampoline */

/*
 * The site whose syscall instruction ends at page[end], end at most 4096, and
 * which has just made the call `nr`: how many bytes before that instruction
 * it begins.  0: there is none, or not as a whole in this page.
 */
uint32_t callsite_find(const uint8_t *page, uint32_t end, uint32_t nr);
/* The trampoline of a site of `len` bytes, which is `distance` bytes behind it, to `gate`. */
void	callsite_trampoline(uint8_t out[CALLSITE_TRAMP], const uint8_t *site, uint32_t len, int32_t distance,
	    uint64_t gate);
/* The jump at the site. */
void	callsite_patch(uint8_t site[CALLSITE_MOVE], int32_t distance);
/* A thread stands `at` bytes into the trampoline: how far from the trampoline's begin that is at the site. */
int32_t	callsite_back(const uint8_t tramp[CALLSITE_TRAMP], uint32_t at);
