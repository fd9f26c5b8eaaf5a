/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hk_stub - between the files that make and run stubs: zygote.c, space.c,
 * batch.c, run.c.  Nobody else reads this.
 */
#pragma once
#include "hk_int.h"

/* stub.S: IMG_BYTES bytes, and the end of the instruction that is a thread's first trap. */
extern const uint8_t hk_stub_image[], hk_stub_born_end[];

hk_result hk_zygote_start(void);
void	hk_zygote_stop(void);
long	hk_zygote_clone(uint64_t region);

/* batch.c: a new guest thread in slot `cpu`; its tid, or 0.  sp_lock held. */
int32_t	hk_batch_clone(struct hk_space_rec *sp, uint32_t cpu);
/* batch.c: the stub has just been made: nothing is pending. */
void	hk_batch_reset(struct hk_space_rec *sp);

/* run.c: wait for the stop of a thread that no CPU runs.  False: dead, or hk_is_guilty. */
bool	hk_slot_wait(struct hk_space_rec *sp, uint32_t cpu);

/* run.c: a thread that waits in the call gate moves into a signal frame, where fpu.c finds the rest.  False: dead. */
bool	hk_slot_ungate(struct hk_space_rec *sp, uint32_t cpu);

/* The signal frame in a slot.  Words of a ucontext_t by index of 8 bytes from its general registers. */
enum {
	UC_R8, UC_R9, UC_R10, UC_R11, UC_R12, UC_R13, UC_R14, UC_R15, UC_RDI, UC_RSI, UC_RBP, UC_RBX,
	UC_RDX, UC_RAX, UC_RCX, UC_RSP, UC_RIP, UC_RFLAGS, UC_CSGSFS, UC_ERR, UC_TRAPNO, UC_OLDMASK,
	UC_CR2, UC_FP, UC_WORDS,
	UC_GREGS_OFF = 40,
};
static inline _Atomic uint64_t *
hk_slot_uc(struct hk_slot *s)
{
	return (_Atomic uint64_t *)(void *)((uint8_t *)s + hk_m.m_lay.f_uc + UC_GREGS_OFF);
}
static inline uint8_t *
hk_slot_fp(struct hk_slot *s)
{
	return (uint8_t *)s + hk_m.m_lay.f_fp;
}
static inline uint64_t
hk_slot_va(uint32_t cpu)
{
	return STUB_SLOT0 + (uint64_t)cpu * SLOT_SIZE;
}
