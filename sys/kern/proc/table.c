/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table - who exists: processes, process groups, sessions, and their numbers.
 *
 * A number is taken while any process, group or session bears it, so a
 * candidate is looked up in three hashes and skipped when found; there is no
 * bitmap to keep in step.  Each CPU takes candidates from a block of its own
 * (1,024 numbers), so that CPUs, and later nodes, do not meet at a counter.
 *
 * Invariants
 *   T1  a process is in proc_hash and proc_all from proc_enter() to
 *       proc_remove(), which the parent's wait (or its own exit, when nobody
 *       waits) calls exactly once.
 *   T2  the table, each lwp and each waiter hold a reference of their own; the
 *       last one frees.
 *   T3  a group is in its hash while it has members; a session while a group
 *       has it.
 *
 *   T4  what a process finds here is in its view; the kernel's own lookups are
 *       called ..._any.
 *
 * Locking: proc_tree for everything linked here.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/proc/ucount.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>
#include <sys/vm/map.h>
#include <sys/vm/uaccess.h>

#define HASH_SIZE	256u
#define PID_BLOCK	1024
#define PID_MAX		32768
#define PID_RESERVED	300	/* not given out again after the first round */
#define PROC_COST_BYTES	(128u << 10)	/* kernel memory a process may cost: bounds their number */

struct spin proc_tree = SPIN_INIT(proc_tree);
struct list proc_all = LIST_INIT(proc_all);
uint32_t proc_max;
static struct list lwp_hash[HASH_SIZE];	/* [proc_tree] those whose number is not their process's */
static struct list proc_hash[HASH_SIZE], pgrp_hash[HASH_SIZE], session_hash[HASH_SIZE];	/* [proc_tree] */
/* [proc_tree] processes, their further lwps; together at most proc_max */
static uint32_t nproc, nlwp;
static int32_t last_pid;		/* [proc_tree] */
static int32_t next_block;		/* [proc_tree] */
static struct { int32_t next, end; } pid_block[CPU_MAX];	/* [proc_tree], by CPU */
static _Atomic uint64_t next_id;	/* [atomic] born-here sequence numbers of this layer */
static struct list hooks = LIST_INIT(hooks);	/* const after boot */

static struct list *
bucket(struct list *hash, int32_t nr)
{
	return &hash[(uint32_t)nr % HASH_SIZE];
}

void
proc_init(void)
{
	for (uint32_t i = 0; i < HASH_SIZE; i++) {
		list_init(&proc_hash[i]);
		list_init(&lwp_hash[i]);
		list_init(&pgrp_hash[i]);
		list_init(&session_hash[i]);
	}
	proc_max = (uint32_t)rt_max(64, rt_min(PID_MAX - PID_RESERVED - 1,
	    md_boot()->b_ram_bytes / PROC_COST_BYTES));
	vm_set_current(proc_current_space);
	vm_set_oom(proc_oom_kill, proc_oom_dying);
	usched_init();
	sample_init();
	ucount_init();
}

uint32_t
proc_count(void)
{
	uint32_t n;

	spin_lock(&proc_tree);
	n = nproc;
	spin_unlock(&proc_tree);
	return n;
}

int32_t
proc_last_pid(void)
{
	int32_t pid;

	spin_lock(&proc_tree);
	pid = last_pid;
	spin_unlock(&proc_tree);
	return pid;
}

/* ---------------------------------------------------------------- numbers -- */

struct proc *
proc_lookup(int32_t pid)
{
	list_foreach(p, bucket(proc_hash, pid), struct proc, p_hash)
		if (p->p_pid == pid)
			return p;
	return NULL;
}

struct pgrp *
pgrp_lookup(int32_t pgid)
{
	list_foreach(pg, bucket(pgrp_hash, pgid), struct pgrp, pg_link)
		if (pg->pg_pgid == pgid)
			return pg;
	return NULL;
}

static struct lwp *
lwp_lookup(int32_t tid)
{
	list_foreach(l, bucket(lwp_hash, tid), struct lwp, l_hash)
		if (l->l_tid == tid)
			return l;
	return NULL;
}

static bool
number_taken(int32_t nr)
{
	if (proc_lookup(nr) != NULL || pgrp_lookup(nr) != NULL || lwp_lookup(nr) != NULL)
		return true;
	list_foreach(s, bucket(session_hash, nr), struct session, s_link)
		if (s->s_sid == nr)
			return true;
	return false;
}

/* The next free number of this CPU's block.  proc_max < PID_MAX / 2 or so keeps the search short. */
static int32_t
number_alloc(void)
{
	for (int tries = 0; tries < 2 * PID_MAX; tries++) {
		int32_t *next = &pid_block[mycpuid].next, *end = &pid_block[mycpuid].end;

		if (*next == *end) {
			*next = next_block * PID_BLOCK;
			*end = *next + PID_BLOCK;
			next_block = (next_block + 1) % (PID_MAX / PID_BLOCK);
			if (*next == 0)
				*next = last_pid == 0 ? 1 : PID_RESERVED;
		}
		if (!number_taken(*next))
			return (*next)++;
		(*next)++;
	}
	return -1;
}

/* -------------------------------------------------------------- processes -- */

struct proc *
proc_alloc(void)
{
	struct proc *p = kmalloc(sizeof(*p), KM_ZERO | KM_WAIT);

	if (p == NULL)
		return NULL;
	p->p_refs = 1;
	token_init(&p->p_tok, "proc");
	list_init(&p->p_children);
	list_init(&p->p_sibling);
	list_init(&p->p_pglink);
	list_init(&p->p_link);
	list_init(&p->p_hash);
	list_init(&p->p_lwps);
	list_init(&p->p_tracees);
	list_init(&p->p_ptimers);
	list_init(&p->p_cputimers);
	spin_init(&p->p_sig, LR_proc_sig);
	waitq_init(&p->p_waitq);
	waitq_init(&p->p_stopq);
	list_init(&p->p_sigq.sq_list);
	timer_init(&p->p_alarm, proc_alarm_fired);
	p->p_start = time_now();
	p->p_dumpable = true;
	p->p_id = atomic_fetch_add(&next_id, 1) + 1;
	return p;
}

static uint32_t
uid_of(struct proc *p)
{
	uint32_t uid;

	spin_lock(&p->p_sig);
	uid = p->p_cred->cr_uid;
	spin_unlock(&p->p_sig);
	return uid;
}

/* Has the user of p as many processes and threads as p may have?  proc_tree held. */
static bool
user_is_full(struct proc *p)
{
	uint64_t limit = p->p_rlimit[RLIMIT_NPROC][0], n = 0;
	uint32_t uid = uid_of(p);

	list_foreach(q, &proc_all, struct proc, p_link)
		n += uid_of(q) == uid ? 1 + q->p_nthreads : 0;
	return n >= limit;
}

int
proc_enter(struct proc *p, bool limited)
{
	spin_lock(&proc_tree);
	if (p->p_cred->cr_view->v_closed) {
		spin_unlock(&proc_tree);
		return ENOMEM;			/* as Linux without a process 1 */
	}
	if (nproc + nlwp >= proc_max || (limited && user_is_full(p)) ||
	    (p->p_pid = number_alloc()) < 0) {
		spin_unlock(&proc_tree);
		return EAGAIN;
	}
	nproc++;
	last_pid = p->p_pid;
	list_push_back(bucket(proc_hash, p->p_pid), &p->p_hash);

	/* Nearly always the greatest number so far. */
	struct list *at = &proc_all;
	while (at->l_prev != &proc_all && list_entry(at->l_prev, struct proc, p_link)->p_pid > p->p_pid)
		at = at->l_prev;
	list_insert_before(at, &p->p_link);
	proc_hold(p);					/* T2 */
	spin_unlock(&proc_tree);
	return 0;
}

int
lwp_enter(struct lwp *l, bool limited)
{
	int error = 0;

	spin_lock(&proc_tree);
	if (nproc + nlwp >= proc_max || (limited && user_is_full(l->l_proc)) ||
	    (l->l_tid = number_alloc()) < 0)
		error = EAGAIN;
	else {
		nlwp++;
		l->l_proc->p_nthreads++;
		list_push_back(bucket(lwp_hash, l->l_tid), &l->l_hash);
	}
	spin_unlock(&proc_tree);
	return error;
}

/* For a process's first lwp there is nothing to do: its number is the process's. */
void
lwp_remove(struct lwp *l)
{
	spin_lock(&proc_tree);
	if (!list_empty(&l->l_hash)) {
		list_remove(&l->l_hash);
		nlwp--;
		l->l_proc->p_nthreads--;
	}
	spin_unlock(&proc_tree);
}

void
proc_adopt(struct proc *parent, struct proc *child)
{
	child->p_parent = parent;
	child->p_ppid = parent != NULL ? parent->p_pid : 0;
}

void
proc_remove(struct proc *p)
{
	struct pgrp *pg;

	spin_lock(&proc_tree);
	ASSERT(!list_empty(&p->p_hash));		/* T1 */
	list_remove(&p->p_hash);
	list_remove(&p->p_link);
	list_remove(&p->p_sibling);
	pg = pgrp_leave(p);
	proc_adopt(NULL, p);
	nproc--;
	spin_unlock(&proc_tree);
	if (pg != NULL)
		pgrp_drop(pg);
	proc_tell_ended(p);
	proc_drop(p);
}

static void (*ended_fn)(struct proc *);	/* const after boot */

void
proc_set_ended(void (*fn)(struct proc *p))
{
	ended_fn = fn;
}

void
proc_tell_ended(struct proc *p)
{
	ended_fn(p);
}

void
proc_hold(struct proc *p)
{
	atomic_fetch_add(&p->p_refs, 1);
}

void
proc_drop(struct proc *p)
{
	uint32_t old = atomic_fetch_sub(&p->p_refs, 1);

	ASSERT(old > 0);
	if (old > 1)
		return;
	ASSERT(list_empty(&p->p_hash) && p->p_nlwps == 0 && p->p_vmspace == NULL);
	sig_flush(&p->p_sigq);
	if (p->p_cred != NULL)
		cred_drop(p->p_cred);
	kfree(p);
}

void
proc_set_comm(struct proc *p, int32_t tid, const char *name)
{
	char comm[sizeof p->p_comm] = "";

	strlcpy(comm, name, sizeof comm);
	token_get(&p->p_tok);
	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (l->l_tid == tid)
			memcpy(l->l_comm, comm, sizeof comm);
	if (tid == p->p_pid)
		memcpy(p->p_comm, comm, sizeof comm);
	spin_unlock(&p->p_sig);
	token_release(&p->p_tok);
}

void
proc_get_comm(struct lwp *l, char name[16])
{
	spin_lock(&l->l_proc->p_sig);
	memcpy(name, l->l_comm, sizeof l->l_comm);
	spin_unlock(&l->l_proc->p_sig);
}

struct proc *
proc_find_any(int32_t pid)
{
	struct proc *p;

	spin_lock(&proc_tree);
	p = proc_lookup(pid);
	if (p != NULL)
		proc_hold(p);
	spin_unlock(&proc_tree);
	return p;
}

/* Of a process that was found, only what the current one sees. */
static struct proc *
seen(struct proc *p)
{
	if (p == NULL || view_sees(p))
		return p;
	proc_drop(p);
	return NULL;
}

struct proc *
proc_find(int32_t pid)
{
	return seen(proc_find_any(pid));
}

struct proc *
proc_find_tid(int32_t tid)
{
	struct proc *p;
	struct lwp *l;

	spin_lock(&proc_tree);
	l = lwp_lookup(tid);
	p = l != NULL ? l->l_proc : proc_lookup(tid);
	if (p != NULL)
		proc_hold(p);
	spin_unlock(&proc_tree);
	return seen(p);
}

/* The first process whose pid is at least `pid`, held. */
static struct proc *
proc_at_least(int32_t pid)
{
	struct proc *found = NULL;

	spin_lock(&proc_tree);
	list_foreach(p, &proc_all, struct proc, p_link)
		if (p->p_pid >= pid) {
			found = p;
			proc_hold(p);
			break;
		}
	spin_unlock(&proc_tree);
	return found;
}

static int
foreach_process(int (*fn)(struct proc *, void *), void *arg, bool any)
{
	int32_t pid = 0;

	for (;;) {
		struct proc *p = proc_at_least(pid);
		int stop;

		if (p == NULL)
			return 0;
		pid = p->p_pid + 1;
		stop = any || view_sees(p) ? fn(p, arg) : 0;
		proc_drop(p);
		if (stop != 0)
			return stop;
		lwkt_poll();
	}
}

int
proc_foreach(int (*fn)(struct proc *, void *), void *arg)
{
	return foreach_process(fn, arg, false);
}

int
proc_foreach_any(int (*fn)(struct proc *, void *), void *arg)
{
	return foreach_process(fn, arg, true);
}

int32_t
proc_ppid(struct proc *p)
{
	int32_t pid;

	if (!view_is_jail(view_current()))
		return p->p_ppid;
	spin_lock(&proc_tree);
	pid = p->p_parent != NULL && view_sees(p->p_parent) ? p->p_ppid : 0;
	spin_unlock(&proc_tree);
	return pid;
}

/* ---------------------------------------------------- groups and sessions -- */

int
pgrp_create(int32_t pgid, struct session *s, struct pgrp **out)
{
	struct pgrp *pg = kmalloc(sizeof(*pg), KM_ZERO | KM_WAIT);

	if (pg == NULL)
		return ENOMEM;
	if (s == NULL) {
		s = kmalloc(sizeof(*s), KM_ZERO | KM_WAIT);
		if (s == NULL) {
			kfree(pg);
			return ENOMEM;
		}
		s->s_refs = 0;
		s->s_sid = pgid;
		spin_init(&s->s_spin, LR_session);
		s->s_id = atomic_fetch_add(&next_id, 1) + 1;
		list_init(&s->s_link);
	}
	session_hold(s);
	pg->pg_refs = 1;
	pg->pg_pgid = pgid;
	pg->pg_session = s;
	list_init(&pg->pg_link);
	list_init(&pg->pg_members);
	pg->pg_id = atomic_fetch_add(&next_id, 1) + 1;
	*out = pg;
	return 0;
}

void
pgrp_join(struct proc *p, struct pgrp *pg)
{
	struct session *s = pg->pg_session;

	ASSERT(p->p_pgrp == NULL);
	if (list_empty(&pg->pg_link))
		list_push_back(bucket(pgrp_hash, pg->pg_pgid), &pg->pg_link);
	if (list_empty(&s->s_link))
		list_push_back(bucket(session_hash, s->s_sid), &s->s_link);
	list_push_back(&pg->pg_members, &p->p_pglink);
	p->p_pgrp = pg;
}

struct pgrp *
pgrp_leave(struct proc *p)
{
	struct pgrp *pg = p->p_pgrp;

	if (pg == NULL)
		return NULL;
	list_remove(&p->p_pglink);
	if (list_empty(&pg->pg_members))
		list_remove(&pg->pg_link);		/* T3 */
	p->p_pgrp = NULL;
	return pg;
}

struct pgrp *
pgrp_find(int32_t pgid)
{
	struct pgrp *pg;

	spin_lock(&proc_tree);
	pg = pgrp_lookup(pgid);
	if (pg != NULL)
		pgrp_hold(pg);
	spin_unlock(&proc_tree);
	return pg;
}

void
pgrp_foreach(struct pgrp *pg, void (*fn)(struct proc *, void *), void *arg)
{
	spin_lock(&proc_tree);
	list_foreach(p, &pg->pg_members, struct proc, p_pglink)
		fn(p, arg);
	spin_unlock(&proc_tree);
}

static void
look(struct proc *p, void *any)
{
	*(bool *)any = *(bool *)any || view_sees(p);
}

bool
pgrp_seen(struct pgrp *pg)
{
	bool any = false;

	pgrp_foreach(pg, look, &any);
	return any;
}

void
pgrp_hold(struct pgrp *pg)
{
	atomic_fetch_add(&pg->pg_refs, 1);
}

void
pgrp_drop(struct pgrp *pg)
{
	if (atomic_fetch_sub(&pg->pg_refs, 1) > 1)
		return;
	ASSERT(list_empty(&pg->pg_members));
	session_drop(pg->pg_session);
	kfree(pg);
}

void
session_hold(struct session *s)
{
	atomic_fetch_add(&s->s_refs, 1);
}

void
session_drop(struct session *s)
{
	if (atomic_fetch_sub(&s->s_refs, 1) > 1)
		return;
	spin_lock(&proc_tree);
	list_remove(&s->s_link);
	spin_unlock(&proc_tree);
	kfree(s);
}

/* No member has a parent in another group of the same session: nobody could continue it. */
bool
pgrp_orphaned_except(struct pgrp *pg, const struct proc *leaving)
{
	list_foreach(p, &pg->pg_members, struct proc, p_pglink) {
		struct proc *up = p->p_parent;

		if (p == leaving || p->p_state == P_ZOMBIE || p->p_state == P_REAPED || up == NULL ||
		    up == proc_first)
			continue;
		if (up->p_pgrp != NULL && up->p_pgrp != pg && up->p_pgrp->pg_session == pg->pg_session)
			return false;
	}
	return true;
}

bool
pgrp_is_orphaned(struct pgrp *pg)
{
	bool orphaned;

	spin_lock(&proc_tree);
	orphaned = pgrp_orphaned_except(pg, NULL);
	spin_unlock(&proc_tree);
	return orphaned;
}

int
proc_getpgid(int32_t pid, int32_t *pgid, int32_t *sid)
{
	struct proc *p;
	int error = ESRCH;

	spin_lock(&proc_tree);
	p = pid == 0 ? curproc : proc_lookup(pid);
	if (p != NULL && p->p_pgrp != NULL && view_sees(p)) {
		*pgid = p->p_pgrp->pg_pgid;
		*sid = p->p_pgrp->pg_session->s_sid;
		error = 0;
	}
	spin_unlock(&proc_tree);
	return error;
}

int
proc_setsid(int32_t *sid)
{
	struct proc *p = curproc;
	struct pgrp *pg, *old;
	int error = pgrp_create(p->p_pid, NULL, &pg);

	if (error != 0)
		return error;
	spin_lock(&proc_tree);
	if (pgrp_lookup(p->p_pid) != NULL) {	/* leads a group, or once did and it lives on */
		spin_unlock(&proc_tree);
		pgrp_drop(pg);
		return EPERM;
	}
	old = pgrp_leave(p);
	pg->pg_session->s_leader = p;
	pgrp_join(p, pg);
	spin_unlock(&proc_tree);
	if (old != NULL)
		pgrp_drop(old);
	*sid = p->p_pid;
	return 0;
}

/* The rules of setpgid(2), in Linux's order.  proc_tree held. */
static int
setpgid_check(struct proc *p, int32_t pgid, struct pgrp **target)
{
	struct session *s;

	if (p == NULL || (p != curproc && p->p_parent != curproc))
		return ESRCH;
	if (p->p_pgrp == NULL)
		return ESRCH;			/* already reaped or on its way */
	s = p->p_pgrp->pg_session;
	if (p != curproc && s != curproc->p_pgrp->pg_session)
		return EPERM;
	if (p != curproc && p->p_did_exec)
		return EACCES;
	if (s->s_leader == p)
		return EPERM;
	*target = pgrp_lookup(pgid);
	if (pgid != p->p_pid && (*target == NULL || (*target)->pg_session != s))
		return EPERM;
	return 0;
}

int
proc_setpgid(int32_t pid, int32_t pgid)
{
	struct pgrp *made = NULL, *target = NULL, *old = NULL;
	struct session *s;
	struct proc *p;
	int error;

	if (pid == 0)
		pid = curproc->p_pid;
	if (pgid == 0)
		pgid = pid;
	if (pgid < 0)
		return EINVAL;

	spin_lock(&proc_tree);
	s = curproc->p_pgrp->pg_session;
	session_hold(s);
	spin_unlock(&proc_tree);
	/* may not be needed: allocation cannot be under the lock */
	error = pgrp_create(pgid, s, &made);
	session_drop(s);
	if (error != 0)
		return error;

	spin_lock(&proc_tree);
	p = proc_lookup(pid);
	error = setpgid_check(p, pgid, &target);
	if (error == 0 && p->p_pgrp->pg_pgid != pgid) {
		if (target != NULL)
			pgrp_hold(target);
		else {
			target = made;
			made = NULL;
		}
		old = pgrp_leave(p);
		pgrp_join(p, target);
	}
	spin_unlock(&proc_tree);
	if (old != NULL)
		pgrp_drop(old);
	if (made != NULL)
		pgrp_drop(made);
	return error;
}

/* ------------------------------------------------------------------ hooks -- */

void
proc_add_hooks(struct proc_hooks *h)
{
	list_push_back(&hooks, &h->ph_link);
}

int
hooks_fork(struct proc *parent, struct proc *child, uint64_t flags)
{
	list_foreach(h, &hooks, struct proc_hooks, ph_link) {
		int error = h->ph_fork != NULL ? h->ph_fork(parent, child, flags) : 0;

		if (error == 0)
			continue;
		while (h->ph_link.l_prev != &hooks) {
			h = list_entry(h->ph_link.l_prev, struct proc_hooks, ph_link);
			if (h->ph_exit != NULL)
				h->ph_exit(child);
		}
		return error;
	}
	return 0;
}

void
hooks_exec(struct proc *p)
{
	list_foreach(h, &hooks, struct proc_hooks, ph_link)
		if (h->ph_exec != NULL)
			h->ph_exec(p);
}

/* The layer that came last goes first. */
void
hooks_exit(struct proc *p)
{
	for (struct list *l = hooks.l_prev; l != &hooks; l = l->l_prev) {
		struct proc_hooks *h = list_entry(l, struct proc_hooks, ph_link);

		if (h->ph_exit != NULL)
			h->ph_exit(p);
	}
}

int
hooks_lwp_fork(struct lwp *from, struct lwp *l, uint64_t clone_flags)
{
	int error = 0;

	list_foreach(h, &hooks, struct proc_hooks, ph_link)
		if (h->ph_lwp_fork != NULL && (error = h->ph_lwp_fork(from, l, clone_flags)) != 0)
			break;
	return error;
}

void
hooks_lwp_exit(struct lwp *l)
{
	list_foreach(h, &hooks, struct proc_hooks, ph_link)
		if (h->ph_lwp_exit != NULL)
			h->ph_lwp_exit(l);
}
