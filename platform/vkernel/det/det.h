/* SPDX-License-Identifier: BSD-2-Clause */
/* det - deterministic mode, for the other files of this platform.  Only when md_deterministic. */
#pragma once
#include <machine/cpu.h>
#include <machine/types.h>

#define DET_HOST_CPU	0	/* whatever virtual CPU it is, hostkit sees this one */

extern _Atomic uint32_t det_outside;	/* hostkit's mailbox: the outside world's bits */

void	det_init(uint64_t seed);
void	det_cpu_start(uint32_t cpu, struct md_percpu *area, uint64_t stack_top, void (*fn)(void *));
void	det_idle(void);
uint32_t det_spin(void);		/* returns how many turns of waiting that was */
bool	det_inspect(uint32_t cpu, struct md_ktrap *out);
/* Drop what only says that a stream has news: that is delivered when all is idle.  The rest goes to CPU 0's mailbox. */
void	det_take_outside(void);
void	det_await_output(void);		/* sleep: standard output is full */
void	det_await_input(void);		/* a read found nothing: deliver news of it */
nsec_t	det_now(void);
nsec_t	det_wall(void);
void	det_timer(nsec_t abs);
void	det_entropy(void *buf, size_t len);
void	det_tell(void);			/* the hash of events, on the host's standard error */
