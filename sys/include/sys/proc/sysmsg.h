/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysmsg - a system call is a message.
 *
 * Dispatch takes this, not a trap frame (only fork, exec, sigreturn and
 * ptrace look at the frame), so a call can later be sent from elsewhere.
 * Handlers are `int sys_NAME(struct sysmsg *m, typed arguments...)`,
 * prototypes and glue generated from syscalls.tbl: decode (copy in, check,
 * change nothing), then perform; the result goes to m->sm_result, the error
 * (positive errno, or ERESTART*) is returned.
 */
#pragma once
#include <machine/types.h>

struct lwp;
struct sysmsg {
	uint64_t	sm_nr;
	uint64_t	sm_arg[6];
	int64_t		sm_result;	/* when sm_error is 0 */
	int		sm_error;
	struct lwp	*sm_lwp;
	bool		sm_noreturn;	/* the frame was replaced (exec, sigreturn): leave rax alone */
};

const char *errno_name(int error);	/* "ENOENT"; NULL: no such error */
