/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the system call layer share. */
#pragma once
#include <sys/file/exec.h>
#include <sys/file/tty.h>
#include <sys/syscall/sysent.h>

void	strace_enter(const struct sysmsg *m, const struct sysent *se);	/* se NULL: unknown number */
void	strace_leave(const struct sysmsg *m, const struct sysent *se);
void	futex_init(void);
void	ptimer_init(void);
