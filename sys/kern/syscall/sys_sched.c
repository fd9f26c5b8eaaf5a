/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_sched - limits, priorities, scheduling policies, affinity.
 *
 * The policies are SCHED_OTHER and BATCH, which are treated alike, and IDLE,
 * which has less weight than any nice value; the real-time ones are
 * refused as Linux refuses them to the unprivileged.  Affinity and policy
 * belong to a thread, nice values to a process.
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
may_change(struct proc *p, uint32_t cap)
{
	const struct cred *me = cred_current();
	struct cred *c = proc_cred(p);
	bool ok = cred_capable(me, cap) || me->cr_euid == c->cr_uid || me->cr_euid == c->cr_euid;

	cred_drop(c);
	return ok;
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
is_meant(struct proc *p, const struct nice_many *n)
{
	struct cred *c;
	uint32_t uid;

	switch (n->which) {
	case PRIO_PROCESS:
		return n->who == 0 ? p == curproc : p->p_pid == n->who;
	case PRIO_PGRP:
		return n->who == 0 ? p->p_pgrp == curproc->p_pgrp : p->p_pgrp != NULL && p->p_pgrp->pg_pgid == n->who;
	default:
		c = proc_cred(p);
		uid = c->cr_uid;
		cred_drop(c);
		return uid == (n->who == 0 ? cred_current()->cr_uid : (uint32_t)n->who);
	}
}

static int
nice_one(struct proc *p, void *arg)
{
	struct nice_many *n = arg;
	int nice = atomic_load_explicit(&p->p_nice, memory_order_relaxed);

	if (!is_meant(p, n))
		return 0;
	n->found++;
	if (!n->set) {
		n->best = nice < n->best ? nice : n->best;
	} else if (!may_change(p, CAP_SYS_NICE)) {
		n->error = EPERM;
	} else if (n->nice < nice && !cred_capable(cred_current(), CAP_SYS_NICE) &&
	    20 - n->nice > (int)rt_min(p->p_rlimit[RLIMIT_NICE][0], 40)) {
		n->error = EACCES;
	} else {
		atomic_store_explicit(&p->p_nice, n->nice, memory_order_relaxed);
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

/* ------------------------------------------------------------- threads -- */

/*
 * fn on a thread, the current one for 0, under p_sig.  `change`: only with
 * the right to.  A thread that has ended, but not its process, needs nothing done.
 */
static int
with_thread(int32_t tid, bool change, void (*fn)(struct lwp *, void *), void *arg)
{
	struct proc *p;
	int error = 0;

	if (tid < 0)
		return ESRCH;
	p = tid != 0 ? proc_find_tid(tid) : curproc;
	if (p == NULL)
		return ESRCH;
	if (tid == 0)
		proc_hold(p);
	if (change && p != curproc && !may_change(p, CAP_SYS_NICE)) {
		error = EPERM;
	} else {
		spin_lock(&p->p_sig);
		list_foreach(l, &p->p_lwps, struct lwp, l_link)
			if (tid != 0 ? l->l_tid == tid : l == curlwp)
				fn(l, arg);
		spin_unlock(&p->p_sig);
	}
	proc_drop(p);
	return error;
}

/* ------------------------------------------------------------ policies -- */

static int
check_pid(int32_t pid)
{
	struct proc *p;

	if (pid < 0)
		return EINVAL;
	if (pid == 0)
		return 0;
	p = proc_find_tid(pid);
	if (p == NULL)
		return ESRCH;
	proc_drop(p);
	return 0;
}

int
sys_sched_yield(struct sysmsg *m)
{
	(void)m;
	usched_yield(curlwp);
	lwkt_yield();
	return 0;
}

static void
policy_get(struct lwp *l, void *to)
{
	*(uint32_t *)to = atomic_load_explicit(&l->l_us.policy, memory_order_relaxed);
}

static void
policy_set(struct lwp *l, void *from)
{
	atomic_store_explicit(&l->l_us.policy, *(uint32_t *)from, memory_order_relaxed);
}

int
sys_sched_getscheduler(struct sysmsg *m, int32_t pid)
{
	uint32_t policy = SCHED_OTHER;
	int error = pid < 0 ? EINVAL : with_thread(pid, false, policy_get, &policy);

	m->sm_result = policy;
	return error;
}

int
sys_sched_setscheduler(struct sysmsg *m, int32_t pid, int policy, uaddr_t param)
{
	uint32_t value = (uint32_t)policy;
	int priority, error = pid < 0 || param == 0 ? EINVAL : copyin(&priority, param, sizeof priority);

	(void)m;
	if (error == 0)
		error = with_thread(pid, false, policy_get, &(uint32_t){ 0 });		/* does it exist? */
	if (error != 0)
		return error;
	switch (policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority != 0 ? EINVAL : with_thread(pid, true, policy_set, &value);
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

static void
cpus_get(struct lwp *l, void *to)
{
	uint64_t *cpus = to;

	for (uint32_t w = 0; w < CPU_MAX / 64; w++)
		cpus[w] = atomic_load_explicit(&l->l_us.cpus[w], memory_order_relaxed);
}

static void
cpus_set(struct lwp *l, void *from)
{
	usched_affinity(l, from);
}

/* Only those that exist.  True: there are some. */
static bool
cpus_exist(uint64_t cpus[CPU_MAX / 64])
{
	uint64_t any = 0;

	for (uint32_t w = 0; w < CPU_MAX / 64; w++) {
		if (w * 64 >= cpu_count)
			cpus[w] = 0;
		else if (cpu_count - w * 64 < 64)
			cpus[w] &= (1ull << (cpu_count - w * 64)) - 1;
		any |= cpus[w];
	}
	return any != 0;
}

int
sys_sched_getaffinity(struct sysmsg *m, int32_t pid, uint32_t len, uaddr_t to)
{
	uint64_t cpus[CPU_MAX / 64];
	size_t bytes = (cpu_count + 63) / 64 * 8;
	int error;

	if (len < bytes || (len & 7) != 0)
		return EINVAL;
	memset(cpus, 0xff, sizeof cpus);
	error = with_thread(pid, false, cpus_get, cpus);
	if (error != 0)
		return error;
	(void)cpus_exist(cpus);
	m->sm_result = (int64_t)bytes;
	return copyout(to, cpus, bytes);
}

int
sys_sched_setaffinity(struct sysmsg *m, int32_t pid, uint32_t len, uaddr_t from)
{
	uint64_t cpus[CPU_MAX / 64] = { 0 };
	int error = copyin(cpus, from, rt_min(len, sizeof cpus));

	(void)m;
	if (error == 0)
		error = with_thread(pid, true, cpus_get, &(uint64_t[CPU_MAX / 64]){ 0 });	/* does it exist, may we? */
	if (error == 0)
		error = cpus_exist(cpus) ? with_thread(pid, true, cpus_set, cpus) : EINVAL;
	return error;
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
