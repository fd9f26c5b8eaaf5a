/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/intr - who is called when a mailbox bit was consumed, in a critical section of a thread of that CPU. */
#pragma once
#include <machine/types.h>

/* Exactly one bit; at boot; one handler each. */
void	intr_attach(uint32_t bit, void (*fn)(void *arg), void *arg);

/* How often something interrupted a CPU, for whoever asks the system. */
struct intr_count {
	char		ic_name[16];		/* const */
	uint32_t	ic_cpu;			/* const */
	_Atomic uint64_t ic_count;		/* [atomic: by that CPU] */
	struct intr_count *ic_next;		/* const once told of */
};
void	intr_tell(struct intr_count *ic);	/* any context; ic stays for ever */
struct intr_count *intr_counts(void);		/* the last that was told of; the others by ic_next */
