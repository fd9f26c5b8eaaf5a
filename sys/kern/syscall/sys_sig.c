/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_sig - signals, as system calls see them.
 *
 * Copying, checking and choosing receivers is here; queues, delivery and
 * frames are proc's.  A call that waits for a signal ends with ERESTARTNOHAND
 * or EINTR and leaves the rest to the user loop.
 */
#include <abi/errno.h>
#include <abi/stat.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/event.h>
#include <sys/file/procfs.h>
#include <sys/proc/proc.h>
#include <sys/proc/sigframe.h>
#include <sys/proc/sysmsg.h>
#include <sys/proc/view.h>
#include <sys/vm/uaccess.h>

#include "timespec.h"

#define PIDFD_SIGNAL_THREAD_GROUP	2u

static int
sigset_in(uaddr_t from, size_t size, sigset_t *out)
{
	if (size != sizeof *out)
		return EINVAL;
	return copyin(out, from, sizeof *out);
}

int
sys_rt_sigaction(struct sysmsg *m, int sig, uaddr_t act, uaddr_t old, size_t setsize)
{
	struct k_sigaction new, was;
	int error;

	(void)m;
	if (setsize != sizeof(sigset_t))
		return EINVAL;
	if (act != 0 && (error = copyin(&new, act, sizeof new)) != 0)
		return error;
	error = sig_action(sig, act != 0 ? &new : NULL, &was);
	if (error == 0 && old != 0)
		error = copyout(old, &was, sizeof was);
	return error;
}

int
sys_rt_sigprocmask(struct sysmsg *m, int how, uaddr_t set, uaddr_t old, size_t setsize)
{
	struct lwp *l = m->sm_lwp;
	sigset_t now = l->l_sigmask, arg = 0;
	int error;

	if (setsize != sizeof arg)
		return EINVAL;
	if (set != 0) {
		error = copyin(&arg, set, sizeof arg);
		if (error != 0)
			return error;
		if (how == SIG_BLOCK)
			arg |= now;
		else if (how == SIG_UNBLOCK)
			arg = now & ~arg;
		else if (how != SIG_SETMASK)
			return EINVAL;
		sig_set_mask(l, arg);
	}
	return old != 0 ? copyout(old, &now, sizeof now) : 0;
}

int
sys_rt_sigpending(struct sysmsg *m, uaddr_t set, size_t setsize)
{
	sigset_t pending = sig_pending_set(m->sm_lwp) & m->sm_lwp->l_sigmask;

	if (setsize > sizeof pending)
		return EINVAL;
	return copyout(set, &pending, setsize);
}

int
sys_rt_sigreturn(struct sysmsg *m)
{
	m->sm_noreturn = true;
	if (sigframe_pop(m->sm_lwp) != 0)
		sig_force(m->sm_lwp, SIGSEGV, NULL);
	return 0;
}

int
sys_sigaltstack(struct sysmsg *m, uaddr_t ss, uaddr_t old)
{
	struct lwp *l = m->sm_lwp;
	struct k_sigaltstack new, was = l->l_altstack;
	int error;

	if (ss != 0 && (error = copyin(&new, ss, sizeof new)) != 0)
		return error;
	if (was.ss_size == 0)
		was.ss_flags = SS_DISABLE;
	else
		was.ss_flags |= sigframe_on_altstack(l) ? SS_ONSTACK : 0;
	if (ss != 0 && (error = sigaltstack_set(l, &new, l->l_uf.uf_regs.rsp)) != 0)
		return error;
	return old != 0 ? copyout(old, &was, sizeof was) : 0;
}

/* --------------------------------------------------------------- waiting - */

int
sys_pause(struct sysmsg *m)
{
	(void)m;
	(void)sleep_until(NSEC_NEVER, WAIT_INTR);
	return ERESTARTNOHAND;
}

int
sys_rt_sigsuspend(struct sysmsg *m, uaddr_t set, size_t setsize)
{
	sigset_t mask;
	int error = sigset_in(set, setsize, &mask);

	if (error != 0)
		return error;
	sig_temp_mask(m->sm_lwp, &mask);
	while (!sig_pending(m->sm_lwp) && sleep_until(NSEC_NEVER, WAIT_INTR) == 0)
		;
	return ERESTARTNOHAND;
}

int
sys_rt_sigtimedwait(struct sysmsg *m, uaddr_t uset, uaddr_t uinfo, uaddr_t timeout, size_t setsize)
{
	struct lwp *l = m->sm_lwp;
	struct k_siginfo info;
	sigset_t set;
	nsec_t deadline;
	int sig, error;

	error = sigset_in(uset, setsize, &set);
	if (error == 0)
		error = timeout_copyin(timeout, &deadline);
	if (error != 0)
		return error;
	sig_wait_set(l, set);
	while ((sig = sig_take(l, set, &info)) == 0) {
		/* An interrupt may be for a signal that another thread has taken before us. */
		if (error != 0 && (sig_pending(l) || sig_killed(l) || l->l_proc->p_state != P_ALIVE))
			break;
		error = sleep_until(deadline, WAIT_INTR);
		if (error == 0) {
			sig = sig_take(l, set, &info);
			break;
		}
		lwkt_intr_clear(curthread);		/* before looking */
	}
	sig_wait_set(l, 0);
	if (error != 0)
		lwkt_interrupt(curthread);		/* the border looks at the rest */
	if (sig == 0)
		return error == 0 ? EAGAIN : EINTR;
	m->sm_result = sig;
	return uinfo != 0 ? copyout(uinfo, &info, sizeof info) : 0;
}

/* --------------------------------------------------------------- sending - */

static struct k_siginfo
info_of(int sig, int code)
{
	struct k_siginfo info = { .si_signo = sig, .si_code = code };

	info.u.chld.pid = curproc->p_pid;
	info.u.chld.uid = cred_current()->cr_uid;
	return info;
}

static int
kill_proc(struct proc *p, int sig, const struct k_siginfo *info)
{
	int error = sig_permitted(p, sig);

	if (error == 0 && sig != 0)
		error = sig_send(p, NULL, sig, info);
	return error;
}

struct kill_many {
	struct k_siginfo	info;
	int			sig, error;
	uint32_t		seen, sent;
};

static int
kill_member(struct proc *p, void *arg)
{
	struct kill_many *k = arg;
	int error;

	if (p->p_state == P_REAPED)
		return 0;
	if (p->p_pid == 1 || p == curproc)
		return 0;
	k->seen++;
	error = kill_proc(p, k->sig, &k->info);
	if (error == 0)
		k->sent++;
	else
		k->error = error;
	return 0;
}

static int
kill_all(int sig)
{
	struct kill_many k = { .info = info_of(sig, SI_USER), .sig = sig };

	(void)proc_foreach(kill_member, &k);
	return k.seen > 0 ? k.sent > 0 ? 0 : k.error : ESRCH;
}

int
sys_kill(struct sysmsg *m, int32_t pid, int sig)
{
	struct k_siginfo info = info_of(sig, SI_USER);
	struct proc *p;
	int error;

	(void)m;
	if (sig < 0 || sig > NSIG)
		return EINVAL;
	if (pid == -1)
		return kill_all(sig);
	if (pid <= 0)
		return pid == INT32_MIN ? ESRCH : sig_kill_pgrp(-pid, sig, &info);
	p = proc_find(pid);
	if (p == NULL)
		return ESRCH;
	error = kill_proc(p, sig, &info);
	proc_drop(p);
	return error;
}

/* To one thread.  tgid 0: of whatever process. */
static int
kill_thread(int32_t tgid, int32_t tid, int sig, const struct k_siginfo *info)
{
	struct proc *p;
	int error;

	if (tid <= 0 || tgid < 0 || sig < 0 || sig > NSIG)
		return EINVAL;
	p = proc_find_tid(tid);
	if (p == NULL)
		return ESRCH;
	error = tgid == 0 || tgid == p->p_pid ? sig_permitted(p, sig) : ESRCH;
	if (error == 0 && sig != 0)
		error = sig_send_tid(p, tid, sig, info);
	proc_drop(p);
	return error;
}

int
sys_tkill(struct sysmsg *m, int32_t tid, int sig)
{
	struct k_siginfo info = info_of(sig, SI_TKILL);

	(void)m;
	return kill_thread(0, tid, sig, &info);
}

int
sys_tgkill(struct sysmsg *m, int32_t tgid, int32_t tid, int sig)
{
	struct k_siginfo info = info_of(sig, SI_TKILL);

	(void)m;
	return tgid > 0 ? kill_thread(tgid, tid, sig, &info) : EINVAL;
}

/* A sender may not look like the kernel or like kill(), except to itself. */
static int
queue_info_in(uaddr_t from, int sig, int32_t pid, struct k_siginfo *info)
{
	int error = copyin(info, from, sizeof *info);

	if (error != 0)
		return error;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != curlwp->l_tid)
		return EPERM;
	return 0;
}

int
sys_rt_sigqueueinfo(struct sysmsg *m, int32_t pid, int sig, uaddr_t uinfo)
{
	struct k_siginfo info;
	struct proc *p;
	int error;

	(void)m;
	error = queue_info_in(uinfo, sig, pid, &info);
	if (error != 0)
		return error;
	if (sig < 0 || sig > NSIG)
		return EINVAL;
	p = pid > 0 ? proc_find(pid) : NULL;
	if (p == NULL)
		return ESRCH;
	error = kill_proc(p, sig, &info);
	proc_drop(p);
	return error;
}

/* The process of a pidfd, or of its folder in /proc; held. */
static int
pidfd_target(int pidfd, struct proc **out)
{
	struct file *fp;
	int error;

	if ((error = fd_get(pidfd, &fp)) != 0)
		return error;
	if ((*out = pidfd_proc(fp)) != NULL)
		proc_hold(*out);
	else
		error = procfs_process(fp, out);
	file_drop(fp);
	if (error == 0 && !view_sees(*out)) {
		proc_drop(*out);
		error = EINVAL;		/* as of another pid namespace */
	}
	return error;
}

/* Which of the scopes of flags: none, or the process's: 2.  Its threads are not told apart here. */
int
sys_pidfd_send_signal(struct sysmsg *m, int pidfd, int sig, uaddr_t uinfo, uint32_t flags)
{
	struct k_siginfo info = info_of(sig, SI_USER);
	struct proc *p;
	int error;

	(void)m;
	if (flags != 0 && flags != PIDFD_SIGNAL_THREAD_GROUP)
		return EINVAL;
	if ((error = pidfd_target(pidfd, &p)) != 0)
		return error;
	if (uinfo != 0 && (error = copyin(&info, uinfo, sizeof(info))) == 0 && info.si_signo != sig)
		error = EINVAL;
	else if (error == 0 && uinfo != 0 && p != curproc && (info.si_code >= 0 || info.si_code == SI_TKILL))
		error = EPERM;
	if (error == 0 && (sig < 0 || sig > NSIG))
		error = EINVAL;
	if (error == 0)
		error = p->p_state == P_REAPED ? ESRCH : kill_proc(p, sig, &info);
	proc_drop(p);
	return error;
}

int
sys_rt_tgsigqueueinfo(struct sysmsg *m, int32_t tgid, int32_t tid, int sig, uaddr_t uinfo)
{
	struct k_siginfo info;
	int error;

	(void)m;
	if (tgid <= 0 || tid <= 0)
		return EINVAL;
	error = queue_info_in(uinfo, sig, tid, &info);
	return error != 0 ? error : kill_thread(tgid, tid, sig, &info);
}
