/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_sched - limits, priorities, scheduling policies, affinity.
 *
 * There is one policy, SCHED_OTHER, with nice values; the real-time ones are
 * refused as Linux refuses them to the unprivileged.  Affinity knows the CPUs
 * that exist.
 */
#include <abi/errno.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/map.h>
#include <sys/vm/uaccess.h>

#define NOFILE_MAX	1048576u
#define NICE_MIN	(-20)
#define NICE_MAX	19

/* Held; the current process for 0. */
static struct proc *
proc_of(int32_t pid)
{
	if (pid != 0)
		return pid > 0 ? proc_find(pid) : NULL;
	proc_hold(curproc);
	return curproc;
}

static bool
may_change(const struct proc *p, uint32_t cap)
{
	const struct cred *me = cred_current(), *c = p->p_cred;

	return cred_capable(me, cap) || me->cr_euid == c->cr_uid || me->cr_euid == c->cr_euid;
}

/* -------------------------------------------------------------- limits -- */

static int
limit_check(const struct proc *p, uint32_t resource, const struct k_rlimit *l)
{
	if (l->rlim_cur > l->rlim_max)
		return EINVAL;
	if (l->rlim_max > p->p_rlimit[resource][1] && !cred_capable(cred_current(), CAP_SYS_RESOURCE))
		return EPERM;
	return resource == RLIMIT_NOFILE && l->rlim_max > NOFILE_MAX ? EPERM : 0;
}

static void
limit_set(struct proc *p, uint32_t resource, const struct k_rlimit *l)
{
	token_get(&p->p_tok);
	p->p_rlimit[resource][0] = l->rlim_cur;
	p->p_rlimit[resource][1] = l->rlim_max;
	if (p->p_vmspace != NULL)
		vm_limits(p->p_vmspace, p->p_rlimit[RLIMIT_AS][0], p->p_rlimit[RLIMIT_DATA][0],
		    p->p_rlimit[RLIMIT_STACK][0]);
	token_release(&p->p_tok);
	if (resource == RLIMIT_CPU)
		proc_cpu_watch(p);
}

static int
limit_swap(struct proc *p, uint32_t resource, const struct k_rlimit *new, struct k_rlimit *old)
{
	int error;

	if (resource >= RLIM_NLIMITS)
		return EINVAL;
	*old = (struct k_rlimit){ p->p_rlimit[resource][0], p->p_rlimit[resource][1] };
	if (new == NULL)
		return 0;
	error = limit_check(p, resource, new);
	if (error == 0)
		limit_set(p, resource, new);
	return error;
}

int
sys_getrlimit(struct sysmsg *m, uint32_t resource, uaddr_t to)
{
	struct k_rlimit l;
	int error = limit_swap(curproc, resource, NULL, &l);

	(void)m;
	return error != 0 ? error : copyout(to, &l, sizeof l);
}

int
sys_setrlimit(struct sysmsg *m, uint32_t resource, uaddr_t from)
{
	struct k_rlimit l, old;
	int error = copyin(&l, from, sizeof l);

	(void)m;
	return error != 0 ? error : limit_swap(curproc, resource, &l, &old);
}

int
sys_prlimit64(struct sysmsg *m, int32_t pid, uint32_t resource, uaddr_t new_limit, uaddr_t old_limit)
{
	struct k_rlimit new, old;
	struct proc *p;
	int error = 0;

	(void)m;
	if (new_limit != 0)
		error = copyin(&new, new_limit, sizeof new);
	if (error != 0)
		return error;
	p = proc_of(pid);
	if (p == NULL)
		return ESRCH;
	if (p != curproc && !may_change(p, CAP_SYS_RESOURCE))
		error = EPERM;
	if (error == 0)
		error = limit_swap(p, resource, new_limit != 0 ? &new : NULL, &old);
	proc_drop(p);
	if (error == 0 && old_limit != 0)
		error = copyout(old_limit, &old, sizeof old);
	return error;
}

/* ---------------------------------------------------------------- nice -- */

struct nice_many {
	int		which, who, nice;
	bool		set;
	int		found, error, best;
};

static bool
is_meant(const struct proc *p, const struct nice_many *n)
{
	switch (n->which) {
	case PRIO_PROCESS:
		return n->who == 0 ? p == curproc : p->p_pid == n->who;
	case PRIO_PGRP:
		return n->who == 0 ? p->p_pgrp == curproc->p_pgrp : p->p_pgrp != NULL && p->p_pgrp->pg_pgid == n->who;
	default:
		return p->p_cred->cr_uid == (n->who == 0 ? curproc->p_cred->cr_uid : (uint32_t)n->who);
	}
}

static int
nice_one(struct proc *p, void *arg)
{
	struct nice_many *n = arg;

	if (!is_meant(p, n))
		return 0;
	n->found++;
	if (!n->set) {
		n->best = p->p_nice < n->best ? p->p_nice : n->best;
	} else if (!may_change(p, CAP_SYS_NICE)) {
		n->error = EPERM;
	} else if (n->nice < p->p_nice && !cred_capable(cred_current(), CAP_SYS_NICE) &&
	    20 - n->nice > (int)rt_min(p->p_rlimit[RLIMIT_NICE][0], 40)) {
		n->error = EACCES;
	} else {
		token_get(&p->p_tok);
		p->p_nice = n->nice;
		token_release(&p->p_tok);
	}
	return 0;
}

static int
nice_all(struct nice_many *n)
{
	if (n->which < PRIO_PROCESS || n->which > PRIO_USER)
		return EINVAL;
	(void)proc_foreach(nice_one, n);
	return n->error != 0 ? n->error : n->found > 0 ? 0 : ESRCH;
}

/* The call gives 20 - nice, so that no answer looks like an error. */
int
sys_getpriority(struct sysmsg *m, int which, int who)
{
	struct nice_many n = { .which = which, .who = who, .best = NICE_MAX };
	int error = nice_all(&n);

	m->sm_result = 20 - n.best;
	return error;
}

int
sys_setpriority(struct sysmsg *m, int which, int who, int prio)
{
	struct nice_many n = { .which = which, .who = who, .set = true };

	(void)m;
	n.nice = prio < NICE_MIN ? NICE_MIN : prio > NICE_MAX ? NICE_MAX : prio;
	return nice_all(&n);
}

/* ------------------------------------------------------------ policies -- */

static int
check_pid(int32_t pid)
{
	struct proc *p;

	if (pid < 0)
		return EINVAL;
	p = proc_of(pid);
	if (p == NULL)
		return ESRCH;
	proc_drop(p);
	return 0;
}

int
sys_sched_yield(struct sysmsg *m)
{
	(void)m;
	lwkt_yield();
	return 0;
}

int
sys_sched_getscheduler(struct sysmsg *m, int32_t pid)
{
	m->sm_result = SCHED_OTHER;
	return check_pid(pid);
}

int
sys_sched_setscheduler(struct sysmsg *m, int32_t pid, int policy, uaddr_t param)
{
	int priority, error = copyin(&priority, param, sizeof priority);

	(void)m;
	if (error == 0)
		error = check_pid(pid);
	if (error != 0)
		return error;
	switch (policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority == 0 ? 0 : EINVAL;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < 1 || priority > 99 ? EINVAL : EPERM;
	default:
		return EINVAL;
	}
}

int
sys_sched_getparam(struct sysmsg *m, int32_t pid, uaddr_t param)
{
	int zero = 0, error = check_pid(pid);

	(void)m;
	return error != 0 ? error : copyout(param, &zero, sizeof zero);
}

int
sys_sched_setparam(struct sysmsg *m, int32_t pid, uaddr_t param)
{
	int priority, error = copyin(&priority, param, sizeof priority);

	(void)m;
	if (error == 0)
		error = check_pid(pid);
	return error != 0 ? error : priority == 0 ? 0 : EINVAL;
}

static int
priority_bound(struct sysmsg *m, int policy, int bound)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		m->sm_result = bound;
		return 0;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	default:
		return EINVAL;
	}
}

int
sys_sched_get_priority_max(struct sysmsg *m, int policy)
{
	return priority_bound(m, policy, 99);
}

int
sys_sched_get_priority_min(struct sysmsg *m, int policy)
{
	return priority_bound(m, policy, 1);
}

int
sys_sched_rr_get_interval(struct sysmsg *m, int32_t pid, uaddr_t interval)
{
	struct k_timespec slice = { 0, 4000000 };
	int error = check_pid(pid);

	(void)m;
	return error != 0 ? error : copyout(interval, &slice, sizeof slice);
}

/* ------------------------------------------------------------ affinity -- */

int
sys_sched_getaffinity(struct sysmsg *m, int32_t pid, uint32_t len, uaddr_t to)
{
	uint8_t mask[CPU_MAX / 8] = { 0 };
	size_t bytes = (cpu_count + 63) / 64 * 8;
	int error = check_pid(pid);

	if (error != 0)
		return error;
	if (len < bytes || (len & 7) != 0)
		return EINVAL;
	for (uint32_t c = 0; c < cpu_count; c++)
		mask[c / 8] |= (uint8_t)(1u << c % 8);
	m->sm_result = (int64_t)bytes;
	return copyout(to, mask, bytes);
}

int
sys_sched_setaffinity(struct sysmsg *m, int32_t pid, uint32_t len, uaddr_t from)
{
	uint8_t mask[CPU_MAX / 8] = { 0 };
	bool any = false;
	int error = copyin(mask, from, rt_min(len, sizeof mask));

	(void)m;
	if (error == 0)
		error = check_pid(pid);
	if (error != 0)
		return error;
	for (uint32_t c = 0; c < cpu_count; c++)
		any = any || (mask[c / 8] >> c % 8 & 1) != 0;
	return any ? 0 : EINVAL;
}

/* ------------------------------------------------------------- I/O class - */

#define IOPRIO_WHO_PROCESS	1
#define IOPRIO_WHO_USER		3
#define IOPRIO_BE_4		(2 << 13 | 4)	/* best effort, level 4: what everybody has */

int
sys_ioprio_get(struct sysmsg *m, int which, int who)
{
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return EINVAL;
	m->sm_result = IOPRIO_BE_4;
	return which == IOPRIO_WHO_PROCESS ? check_pid(who) : 0;
}

int
sys_ioprio_set(struct sysmsg *m, int which, int who, int prio)
{
	(void)m;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER || prio >> 13 > 3 || (prio & 0x1fff) > 7)
		return EINVAL;
	return which == IOPRIO_WHO_PROCESS ? check_pid(who) : 0;
}
