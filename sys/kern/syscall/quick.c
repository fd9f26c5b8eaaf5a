/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quick - calls that are answered without a stop: a word about who asks, that
 * no lock guards.
 *
 * Whoever wants to see the calls of a thread, or changes who its process is, is
 * served by the ordinary way, which such a thread is sent.  Nothing is booked: a stop
 * would take longer than the call.
 */
#include <gen/sysnum.h>
#include <machine/user.h>
#include <sys/proc/cred.h>
#include <sys/proc/proc.h>
#include <sys/proc/view.h>

#include "syscall_int.h"

static const uint8_t numbers[] = {
	SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
};

static bool
answer(uint64_t nr, uint64_t *result)
{
	const struct lwp *l = curlwp;
	const struct proc *p = l->l_proc;
	const struct cred *cr = l->l_cred;

	if (l->l_trace.t_tracer != NULL || !lwp_cred_is_new(l))
		return false;
	switch (nr) {
	case SYS_getpid:
		*result = (uint64_t)p->p_pid;
		return true;
	case SYS_gettid:
		*result = (uint64_t)l->l_tid;
		return true;
	case SYS_getppid:
		if (view_is_jail(cr->cr_view))
			return false;
		*result = (uint64_t)p->p_ppid;
		return true;
	case SYS_getuid:
		*result = cr->cr_uid;
		return true;
	case SYS_geteuid:
		*result = cr->cr_euid;
		return true;
	case SYS_getgid:
		*result = cr->cr_gid;
		return true;
	case SYS_getegid:
		*result = cr->cr_egid;
		return true;
	default:
		return false;
	}
}

void
quick_init(bool is_watched)
{
	if (!is_watched)
		md_user_quick(numbers, sizeof numbers, answer);
}
