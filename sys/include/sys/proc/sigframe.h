/* SPDX-License-Identifier: BSD-2-Clause */
/* sigframe - what system calls and exec need of signal frames. */
#pragma once
#include <abi/signal.h>
#include <machine/types.h>

struct lwp;
/* rt_sigreturn: registers from the frame at rsp; EFAULT: bad frame */
int	sigframe_pop(struct lwp *l);
size_t	sigframe_bytes(void);			/* AT_MINSIGSTKSZ */
bool	sigframe_on_altstack(const struct lwp *l);
/* sigaltstack(2) while the stack pointer is sp: EPERM, EINVAL, ENOMEM. */
int	sigaltstack_set(struct lwp *l, const struct k_sigaltstack *ss, uint64_t sp);
