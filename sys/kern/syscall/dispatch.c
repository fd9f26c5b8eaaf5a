/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch - from a number to a handler.
 *
 * The table is made from syscalls.tbl.  A number that is not in it is ENOSYS
 * and said once per program and number, so that a program which asks a
 * thousand times does not fill the log.
 *
 * Locking: seen[] is a hint; a lost update costs one more line.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <gen/sysnum.h>
#include <gen/syscalls.h>
#include <machine/boot.h>
#include <machine/cpu.h>
#include <sys/debug/kprint.h>
#include <sys/proc/proc.h>
#include <sys/syscall/syscall.h>

#include "syscall_int.h"

#define SEEN_MAX	64u

/* [atomic] hashes of (program, number) that were reported */
static _Atomic uint32_t seen[SEEN_MAX];

static bool is_watched;			/* const after boot: each call is told to somebody */

static const struct sysent *
find(uint64_t nr)
{
	const uint64_t own_max = SYS_OWN_MAX;		/* may be none */

	if (nr < SYS_LINUX_MAX && sysent_linux[nr].se_call != NULL)
		return &sysent_linux[nr];
	if (nr >= SYS_OWN_BASE && nr - SYS_OWN_BASE < own_max &&
	    sysent_own[nr - SYS_OWN_BASE].se_call != NULL)
		return &sysent_own[nr - SYS_OWN_BASE];
	return NULL;
}

/* True the first time, mostly: when the table is full of others the oldest gives way. */
static bool
first_time(const char *program, uint64_t nr)
{
	static _Atomic uint32_t next;
	uint32_t h = 2166136261u ^ (uint32_t)nr * 2654435761u;

	for (const char *s = program; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	h |= 1;
	for (uint32_t i = 0; i < SEEN_MAX; i++)
		if (seen[i] == h)
			return false;
	seen[next++ % SEEN_MAX] = h;
	return true;
}

int
syscall_missing(struct sysmsg *m)
{
	const struct sysent *se = find(m->sm_nr);
	const char *name = se != NULL ? se->se_name : "unknown";
	const struct proc *p = m->sm_lwp->l_proc;

	switch (md_boot()->b_enosys) {
	case MD_ENOSYS_QUIET:
		break;
	case MD_ENOSYS_PANIC:
		panic("%s: system call %llu (%s) is not implemented", p->p_comm,
		    (unsigned long long)m->sm_nr, name);
	case MD_ENOSYS_LOG:
		if (first_time(p->p_comm, m->sm_nr))
			kprintf("syscall: %s: %llu (%s) is not implemented\n", p->p_comm,
			    (unsigned long long)m->sm_nr, name);
	}
	return ENOSYS;
}

static void
tell_begin(struct sysmsg *m, const struct sysent *se)
{
	if ((md_boot()->b_flags & MD_BOOT_STRACE) != 0)
		strace_enter(m, se);
	md_point(MD_PT_SYSCALL, m->sm_nr);
	md_point_bytes(MD_PT_SYSCALL, m->sm_arg, sizeof m->sm_arg);
}

static void
tell_end(struct sysmsg *m, const struct sysent *se)
{
	md_point(MD_PT_SYSCALL, m->sm_error != 0 ? (uint64_t)m->sm_error << 32 : (uint64_t)m->sm_result);
	if ((md_boot()->b_flags & MD_BOOT_STRACE) != 0)
		strace_leave(m, se);
}

static void
dispatch(struct sysmsg *m)
{
	const struct sysent *se = find(m->sm_nr);

	if (is_watched)
		tell_begin(m, se);
	m->sm_error = se != NULL ? se->se_call(m) : syscall_missing(m);
	ASSERT(curthread->td_crit == 0 && curthread->td_ntok == 0);
	if (is_watched)
		tell_end(m, se);
}

/* Those that wait, mostly: a thread in the gate must leave it for others; and those that change registers. */
static bool
is_apart(uint64_t nr)
{
	static const uint16_t apart[] = {
		SYS_poll, SYS_select, SYS_pause, SYS_nanosleep, SYS_wait4, SYS_rt_sigsuspend, SYS_futex,
		SYS_clock_nanosleep, SYS_epoll_wait, SYS_waitid, SYS_pselect6, SYS_ppoll, SYS_epoll_pwait,
		SYS_rt_sigreturn, SYS_clone, SYS_fork, SYS_vfork, SYS_clone3, SYS_execve, SYS_execveat,
		SYS_exit, SYS_exit_group, SYS_arch_prctl,
	};

	for (size_t i = 0; i < countof(apart); i++)
		if (apart[i] == nr)
			return true;
	return nr >= SYS_LINUX_MAX;
}

void
syscall_init(void)
{
	is_watched = md_deterministic || (md_boot()->b_flags & MD_BOOT_STRACE) != 0;
	proc_set_syscall(dispatch, is_apart);
	quick_init(is_watched);
	futex_init();
	ptimer_init();
	proc_set_hangup(tty_session_exit);
	exec_init();
}
