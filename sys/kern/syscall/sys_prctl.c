/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_prctl - settings of a process or thread that have no call of their own.
 *
 * What this kernel never does (speculation control, machine checks, core
 * dumps' contents) is EINVAL, as on a Linux built without it.
 */
#include <abi/errno.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/uaccess.h>

static int
prctl_name(int option, uaddr_t arg)
{
	char name[sizeof curlwp->l_comm];
	size_t i = 0;

	if (option == PR_GET_NAME) {
		proc_get_comm(curlwp, name);
		return copyout(arg, name, sizeof name);
	}
	memset(name, 0, sizeof name);
	for (; i < sizeof name - 1; i++) {
		if (copyin(&name[i], arg + i, 1) != 0)
			return EFAULT;
		if (name[i] == '\0')
			break;
	}
	proc_set_comm(curproc, curlwp->l_tid, name);
	return 0;
}

/* Puts a changed copy of the current credential in place; takes over the reference. */
static int
publish(struct cred *c)
{
	token_get(&curproc->p_tok);
	proc_set_cred(c);
	token_release(&curproc->p_tok);
	return 0;
}

static int
prctl_bounding(struct sysmsg *m, int option, uint64_t cap)
{
	struct cred *c;

	if (cap > CAP_LAST)
		return EINVAL;
	if (option == PR_CAPBSET_READ) {
		m->sm_result = cred_current()->cr_cap_bnd >> cap & 1;
		return 0;
	}
	if (!cred_capable(cred_current(), CAP_SETPCAP))
		return EPERM;
	c = cred_copy(cred_current());
	if (c == NULL)
		return ENOMEM;
	c->cr_cap_bnd &= ~(1ull << cap);
	return publish(c);
}

static int
prctl_ambient(struct sysmsg *m, uint64_t what, uint64_t cap)
{
	const struct cred *old = cred_current();
	uint64_t bit = 1ull << (cap & 63);
	struct cred *c;

	if (what == PR_CAP_AMBIENT_CLEAR_ALL ? cap != 0 : cap > CAP_LAST)
		return EINVAL;
	if (what == PR_CAP_AMBIENT_IS_SET) {
		m->sm_result = (old->cr_cap_amb & bit) != 0;
		return 0;
	}
	if (what == PR_CAP_AMBIENT_RAISE && ((old->cr_cap_perm & old->cr_cap_inh & bit) == 0 ||
	    (old->cr_securebits & SECBIT_NO_AMBIENT_RAISE) != 0))
		return EPERM;
	if (what != PR_CAP_AMBIENT_RAISE && what != PR_CAP_AMBIENT_LOWER && what != PR_CAP_AMBIENT_CLEAR_ALL)
		return EINVAL;
	c = cred_copy(old);
	if (c == NULL)
		return ENOMEM;
	if (what == PR_CAP_AMBIENT_RAISE)
		c->cr_cap_amb |= bit;
	else
		c->cr_cap_amb &= what == PR_CAP_AMBIENT_LOWER ? ~bit : 0;
	return publish(c);
}

/* What is locked stays, and so do locks. */
static int
securebits_set(uint32_t bits)
{
	struct cred *c = cred_copy(cred_current());

	if (c == NULL)
		return ENOMEM;
	c->cr_securebits = bits;
	return publish(c);
}

static int
prctl_securebits(uint64_t bits)
{
	const uint64_t locks = SECBITS_ALL << 1;
	uint64_t old = cred_current()->cr_securebits;

	if (((old & locks) >> 1 & (old ^ bits)) != 0 || (old & locks & ~bits) != 0 ||
	    (bits & ~(locks | SECBITS_ALL)) != 0 || !cred_capable(cred_current(), CAP_SETPCAP))
		return EPERM;
	return securebits_set((uint32_t)bits);
}

static int
prctl_keepcaps(uint64_t on)
{
	uint32_t bits = cred_current()->cr_securebits;

	if (on > 1)
		return EINVAL;
	if ((bits & SECBIT_KEEP_CAPS << 1) != 0)
		return EPERM;
	return securebits_set(on != 0 ? bits | SECBIT_KEEP_CAPS : bits & ~SECBIT_KEEP_CAPS);
}

static int
copyout_int(uaddr_t to, int v)
{
	return copyout(to, &v, sizeof v);
}

/* What is about rights. */
static int
prctl_rights(struct sysmsg *m, int option, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	struct proc *p = curproc;

	switch (option) {
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return prctl_bounding(m, option, arg2);
	case PR_GET_KEEPCAPS:
		m->sm_result = (cred_current()->cr_securebits & SECBIT_KEEP_CAPS) != 0;
		return 0;
	case PR_SET_KEEPCAPS:
		return prctl_keepcaps(arg2);
	case PR_GET_SECUREBITS:
		m->sm_result = cred_current()->cr_securebits;
		return 0;
	case PR_SET_SECUREBITS:
		return prctl_securebits(arg2);
	case PR_CAP_AMBIENT:
		return arg4 != 0 || arg5 != 0 ? EINVAL : prctl_ambient(m, arg2, arg3);
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 != 0 || arg4 != 0 || arg5 != 0)
			return EINVAL;
		p->p_no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		m->sm_result = p->p_no_new_privs;
		return arg2 != 0 || arg3 != 0 || arg4 != 0 || arg5 != 0 ? EINVAL : 0;
	default:
		return EINVAL;
	}
}

int
sys_prctl(struct sysmsg *m, int option, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	struct proc *p = curproc;

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (arg2 > NSIG)
			return EINVAL;
		p->p_pdeathsig = (int)arg2;
		return 0;
	case PR_GET_PDEATHSIG:
		return copyout_int(arg2, p->p_pdeathsig);
	case PR_GET_DUMPABLE:
		m->sm_result = p->p_dumpable;
		return 0;
	case PR_SET_DUMPABLE:
		if (arg2 > 1)
			return EINVAL;
		p->p_dumpable = arg2 != 0;
		return 0;
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name(option, arg2);
	case PR_SET_CHILD_SUBREAPER:
		p->p_subreaper = arg2 != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return copyout_int(arg2, p->p_subreaper);
	case PR_SET_TIMERSLACK:
		p->p_timerslack = arg2 != 0 ? arg2 : 50000;
		return 0;
	case PR_GET_TIMERSLACK:
		m->sm_result = (int64_t)p->p_timerslack;
		return 0;
	case PR_GET_TID_ADDRESS:
		return copyout(arg2, &m->sm_lwp->l_clear_tid, sizeof(uaddr_t));
	case PR_GET_TSC:
		return copyout_int(arg2, PR_TSC_ENABLE);
	case PR_SET_TSC:
		return arg2 == PR_TSC_ENABLE ? 0 : EINVAL;
	case PR_SET_TIMING:
		return arg2 == 0 ? 0 : EINVAL;
	case PR_GET_TIMING:
	case PR_GET_SECCOMP:
		return 0;		/* 0 is what they are, for ever */
	default:
		return prctl_rights(m, option, arg2, arg3, arg4, arg5);
	}
}
