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

/* Somebody else's limits: no program that has taken another identity is told how far it may go. */
static bool
may_limit(struct proc *p)
{
	const struct cred *me = cred_current();
	struct cred *c = proc_cred(p);
	bool ok = cred_capable(me, CAP_SYS_RESOURCE) ||
	    (me->cr_uid == c->cr_uid && me->cr_uid == c->cr_euid && me->cr_uid == c->cr_suid &&
	    me->cr_gid == c->cr_gid && me->cr_gid == c->cr_egid && me->cr_gid == c->cr_sgid);

	cred_drop(c);
	return ok;
}

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
	if (p != curproc && !may_limit(p))
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

/* Down to where RLIMIT_NICE allows, or with the capability. */
static bool
nice_allowed(struct proc *p, int nice)
{
	return nice >= p->p_nice || cred_capable(cred_current(), CAP_SYS_NICE) ||
	    20 - nice <= (int)rt_min(p->p_rlimit[RLIMIT_NICE][0], 40);
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
	} else if (!nice_allowed(p, n->nice)) {
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

static int
policy_check(int policy, int priority)
{
	switch (policy) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority != 0 ? EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < 1 || priority > 99 ? EINVAL : EPERM;
	default:
		return EINVAL;
	}
}

int
sys_sched_setscheduler(struct sysmsg *m, int32_t pid, int policy, uaddr_t param)
{
	uint32_t value = (uint32_t)policy;
	int priority, error = pid < 0 || param == 0 ? EINVAL : copyin(&priority, param, sizeof priority);

	(void)m;
	if (error == 0)
		error = with_thread(pid, false, policy_get, &(uint32_t){ 0 });		/* does it exist? */
	if (error == 0)
		error = policy_check(policy & ~SCHED_RESET_ON_FORK, priority);
	return error != 0 ? error : with_thread(pid, true, policy_set, &value);
}

/* A nice value is a process's here, as everywhere. */
int
sys_sched_getattr(struct sysmsg *m, int32_t pid, uaddr_t to, uint32_t size, uint32_t flags)
{
	struct k_sched_attr a = { .util_max = 1024 };
	const uint8_t zero = 0;
	struct proc *p;
	int error;

	(void)m;
	if (to == 0 || pid < 0 || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_BYTES || flags != 0)
		return EINVAL;
	error = with_thread(pid, false, policy_get, &a.policy);
	p = error != 0 ? NULL : pid != 0 ? proc_find_tid(pid) : curproc;
	if (p == NULL)
		return ESRCH;
	a.nice = p->p_nice;
	if (pid != 0)
		proc_drop(p);
	a.size = (uint32_t)rt_min(size, sizeof a);
	a.flags = (a.policy & SCHED_RESET_ON_FORK) != 0 ? SCHED_FLAG_RESET_ON_FORK : 0;
	a.policy &= ~(uint32_t)SCHED_RESET_ON_FORK;
	for (uint32_t at = a.size; at < size && error == 0; at++)
		error = copyout(to + at, &zero, 1);
	return error != 0 ? error : copyout(to, &a, a.size);
}

/* What the caller knows more of than we do must be zero.  E2BIG: our size was written back. */
static int
attr_in(uaddr_t from, struct k_sched_attr *a)
{
	uint32_t size, ours = sizeof *a;
	uint8_t more;
	int error = copyin(&size, from, sizeof size);

	if (error != 0)
		return error;
	if (size == 0)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_BYTES)
		error = E2BIG;
	for (uint32_t at = ours; at < size && error == 0; at++) {
		error = copyin(&more, from + at, 1);
		if (error == 0 && more != 0)
			error = E2BIG;
	}
	if (error == E2BIG && copyout(from, &ours, sizeof ours) != 0)
		return E2BIG;		/* no less */
	memset(a, 0, sizeof *a);
	if (error == 0)
		error = copyin(a, from, rt_min(size, ours));
	if (error == 0 && (a->flags & SCHED_FLAG_UTIL_CLAMP) != 0 && size < ours)
		error = EINVAL;
	a->nice = a->nice < NICE_MIN ? NICE_MIN : a->nice > NICE_MAX ? NICE_MAX : a->nice;
	return error;
}

int
sys_sched_setattr(struct sysmsg *m, int32_t pid, uaddr_t from, uint32_t flags)
{
	struct k_sched_attr a;
	struct proc *p = NULL;
	uint32_t value, reset;
	bool keep;
	int error;

	(void)m;
	if (from == 0 || pid < 0 || flags != 0)
		return EINVAL;
	error = attr_in(from, &a);
	if (error == 0 && (int32_t)a.policy < 0)
		error = EINVAL;
	if (error == 0)
		error = with_thread(pid, false, policy_get, &value);
	if (error != 0)
		return error;
	if ((a.flags & SCHED_FLAG_KEEP_POLICY) != 0)
		a.policy = value & ~(uint32_t)SCHED_RESET_ON_FORK;
	if ((a.flags & ~(uint64_t)SCHED_FLAG_ALL) != 0)
		return EINVAL;
	error = a.policy == SCHED_DEADLINE ? EPERM : policy_check((int)a.policy, (int)a.priority);
	keep = (a.flags & SCHED_FLAG_KEEP_PARAMS) != 0;		/* the policy too, then */
	reset = (a.flags & SCHED_FLAG_RESET_ON_FORK) != 0 ? SCHED_RESET_ON_FORK : 0;
	value = (keep ? value & ~(uint32_t)SCHED_RESET_ON_FORK : a.policy) | reset;
	if (error == 0 && (p = pid != 0 ? proc_find_tid(pid) : proc_of(0)) == NULL)
		error = ESRCH;
	if (error == 0 && !keep && !nice_allowed(p, a.nice))
		error = EPERM;
	if (error == 0)
		error = with_thread(pid, true, policy_set, &value);
	if (error == 0 && !keep && a.policy != SCHED_IDLE)
		p->p_nice = a.nice;
	if (p != NULL)
		proc_drop(p);
	return error;
}

int
sys_sched_getparam(struct sysmsg *m, int32_t pid, uaddr_t param)
{
	int zero = 0, error = param == 0 ? EINVAL : check_pid(pid);

	(void)m;
	return error != 0 ? error : copyout(param, &zero, sizeof zero);
}

/* All policies here have priority 0 and nothing else: what remains is who may say so. */
static void
no_change(struct lwp *l, void *arg)
{
	(void)l;
	(void)arg;
}

int
sys_sched_setparam(struct sysmsg *m, int32_t pid, uaddr_t param)
{
	int priority, error = pid < 0 || param == 0 ? EINVAL : copyin(&priority, param, sizeof priority);

	(void)m;
	if (error == 0)
		error = check_pid(pid);
	if (error == 0 && priority != 0)
		error = EINVAL;
	return error != 0 ? error : with_thread(pid, true, no_change, NULL);
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

/*
 * Told to who asks, and nothing else: there is no queue of a disk to be first
 * in.  A thread that has set none has, as Linux says, the middle of the best
 * effort class, moved by its nice value; but who asks for one thread hears
 * that none was set.
 */
#define IOPRIO_WHO_PROCESS	1
#define IOPRIO_WHO_PGRP		2
#define IOPRIO_WHO_USER		3
#define IOPRIO_CLASS_SHIFT	13
enum { IOPRIO_NONE, IOPRIO_RT, IOPRIO_BE, IOPRIO_IDLE };

struct io_many {
	int		which, who;
	uint32_t	prio;		/* to set; of get: the best so far */
	bool		set;
	int		found, error;
};

static uint32_t
ioprio_of(const struct proc *p, const struct lwp *l)
{
	uint32_t prio = l->l_ioprio;

	return prio >> IOPRIO_CLASS_SHIFT != IOPRIO_NONE ? prio :
	    IOPRIO_BE << IOPRIO_CLASS_SHIFT | (uint32_t)(p->p_nice + 20) / 5;
}

static int
ioprio_one(struct proc *p, void *arg)
{
	struct io_many *io = arg;
	struct nice_many n = { .who = io->who };

	n.which = io->which == IOPRIO_WHO_PGRP ? PRIO_PGRP : PRIO_USER;
	if (!is_meant(p, &n))
		return 0;
	io->found++;
	if (io->set && !may_change(p, CAP_SYS_NICE)) {
		io->error = EPERM;
		return 1;
	}
	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link) {
		if (io->set)
			l->l_ioprio = io->prio;
		else
			io->prio = rt_min(io->prio, ioprio_of(p, l));
	}
	spin_unlock(&p->p_sig);
	return 0;
}

static int
ioprio_all(struct io_many *io)
{
	if (io->which != IOPRIO_WHO_PGRP && io->which != IOPRIO_WHO_USER)
		return EINVAL;
	(void)proc_foreach(ioprio_one, io);
	return io->error != 0 ? io->error : io->found > 0 ? 0 : ESRCH;
}

static void
ioprio_read(struct lwp *l, void *to)
{
	*(uint32_t *)to = l->l_ioprio;
}

static void
ioprio_write(struct lwp *l, void *from)
{
	l->l_ioprio = *(uint32_t *)from;
}

int
sys_ioprio_get(struct sysmsg *m, int which, int who)
{
	struct io_many io = { .which = which, .who = who, .prio = UINT32_MAX };
	int error;

	if (which == IOPRIO_WHO_PROCESS)
		error = with_thread(who, false, ioprio_read, &io.prio);
	else
		error = ioprio_all(&io);
	m->sm_result = io.prio;
	return error;
}

int
sys_ioprio_set(struct sysmsg *m, int which, int who, int prio)
{
	struct io_many io = { .which = which, .who = who, .prio = (uint32_t)prio & 0xffff, .set = true };
	uint32_t class = io.prio >> IOPRIO_CLASS_SHIFT, level = io.prio & 7;

	(void)m;
	if (class > IOPRIO_IDLE || (class == IOPRIO_NONE && level != 0))
		return EINVAL;
	if (class == IOPRIO_RT && !cred_capable(cred_current(), CAP_SYS_ADMIN) &&
	    !cred_capable(cred_current(), CAP_SYS_NICE))
		return EPERM;
	return which == IOPRIO_WHO_PROCESS ? with_thread(who, true, ioprio_write, &io.prio) : ioprio_all(&io);
}
