/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the system call layer share. */
#pragma once
#include <sys/file/exec.h>
#include <sys/file/tty.h>
#include <sys/proc/proc.h>
#include <sys/syscall/sysent.h>

void	strace_enter(const struct sysmsg *m, const struct sysent *se);	/* se NULL: unknown number */
void	strace_leave(const struct sysmsg *m, const struct sysent *se);
/* Whose CPU time a clock counts.  EINVAL: none.  `reading` finds the process by any of its own threads. */
struct cpu_clock {
	struct proc	*cc_proc;	/* held */
	int32_t		cc_tid;		/* 0: all of it */
	bool		cc_user_only;
};
int	cpu_clock_find(int clock, bool reading, struct cpu_clock *out);
/* Clocks of devices, by descriptor: there are none, but the numbers are theirs. */
static inline bool is_dynamic(int clock) { return clock < 0 && (clock & 7) == 3; }
void	quick_init(bool is_watched);	/* is_watched: somebody wants to know of every call */
void	futex_init(void);
void	ptimer_init(void);
