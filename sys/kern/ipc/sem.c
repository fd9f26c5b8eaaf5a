/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sem - semaphore sets.
 *
 * A call is a list of operations that happen together or not at all.  One
 * that cannot happen now waits as a list on the set; whoever changes the set
 * performs the waiting lists that have become possible, in their owner's
 * name, and wakes them with the result.  So between a change and the thread
 * that waited for it nobody else comes in.  Order as Linux's: those that only
 * wait for zeros first, then the others in the order in which they came.
 *
 * What an operation with SEM_UNDO changed is remembered per process and set,
 * and given back when the process ends; exec keeps it, fork begins anew.
 *
 * Invariants
 *   S1  0 <= s_val <= SEMVMX.
 *   S2  w_result is WAITING exactly while the waiter is on a list of its set;
 *       who takes it off says why.
 *   S3  an undo is on its process's list, and on its set's unless that is gone.
 *
 * Locking: the set's io_lk; p_tok for a process's list of undos.  A waiter
 * lives on its thread's stack: it leaves only after it has held io_lk again.
 *
 * Not here: undos shared between processes (CLONE_SYSVSEM without CLONE_THREAD).
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/thread.h>

#include "ipc_int.h"

#define WAITING		(-1)
#define SEMAEM		SEMVMX

struct sem {
	int32_t		s_val;		/* [io_lk] S1 */
	int32_t		s_pid;		/* [io_lk] who changed or tested it last */
};

struct semset {
	struct ipc_obj	ss_io;
	int64_t		ss_otime;	/* [io_lk] seconds */
	struct list	ss_zero;	/* [io_lk] of w_link: wait for zeros only */
	struct list	ss_alter;	/* [io_lk] of w_link: the others */
	struct list	ss_undos;	/* [io_lk] of un_link */
	struct sem	ss_sem[];	/* io_size of them */
};

struct semundo {
	_Atomic uint32_t un_refs;	/* [atomic] the process's list, and who uses it */
	struct semset	*un_set;	/* const, held */
	struct list	un_link;	/* [io_lk of un_set] */
	struct list	un_plink;	/* [p_tok] of p_semundo */
	int16_t		un_adj[];	/* [io_lk of un_set] what exit adds, per semaphore */
};

struct semwait {
	struct list	w_link;		/* [io_lk] */
	const struct k_sembuf *w_ops;	/* const */
	const struct k_sembuf *w_blocking;	/* [io_lk] the one that could not happen */
	uint32_t	w_n;		/* const */
	struct semundo	*w_undo;	/* const, held by the waiter */
	int32_t		w_pid;		/* const */
	_Atomic int	w_result;	/* [io_lk to change] S2; errno */
	struct waitq	w_waitq;
};

static struct semset *
set_of(struct ipc_obj *o)
{
	ASSERT(o->io_class == &sem_class);
	return rb_entry(o, struct semset, ss_io);
}

static uint64_t
set_bytes(uint64_t nsems)
{
	return sizeof(struct semset) + nsems * sizeof(struct sem);
}

static int
set_make(int32_t key, uint64_t nsems, uint32_t flags, struct ipc_obj **out)
{
	struct ipc_view *v = ipc_view();
	struct semset *ss;
	void *p;

	(void)key;
	if (nsems == 0)
		return EINVAL;
	if (v->iv_sems + nsems > SEMMNS)
		return ENOSPC;
	if (ipc_alloc(set_bytes(nsems), &p) != 0)
		return ENOMEM;
	ss = p;
	ipc_obj_init(&ss->ss_io, &sem_class, nsems, flags);
	list_init(&ss->ss_zero);
	list_init(&ss->ss_alter);
	list_init(&ss->ss_undos);
	atomic_fetch_add(&v->iv_sems, nsems);
	*out = &ss->ss_io;
	return 0;
}

static void
set_free(struct ipc_obj *o)
{
	struct semset *ss = set_of(o);

	ASSERT(list_empty(&ss->ss_zero) && list_empty(&ss->ss_alter) && list_empty(&ss->ss_undos));
	atomic_fetch_sub(&o->io_view->iv_sems, o->io_size);
	ipc_obj_done(o);
	ipc_free(set_bytes(ss->ss_io.io_size), ss);
}

static void
waiter_done(struct semwait *w, int result)
{
	list_remove(&w->w_link);
	w->w_result = result;
	wake_all(&w->w_waitq);
}

static void
set_remove(struct ipc_obj *o)
{
	struct semset *ss = set_of(o);

	ipc_forget(o);
	list_foreach_safe(z, &ss->ss_zero, struct semwait, w_link)
		waiter_done(z, EIDRM);
	list_foreach_safe(w, &ss->ss_alter, struct semwait, w_link)
		waiter_done(w, EIDRM);
	list_foreach_safe(un, &ss->ss_undos, struct semundo, un_link)
		list_remove(&un->un_link);		/* S3 */
}

const struct ipc_class sem_class = { IPC_SEM, set_make, set_remove, set_free };

int
sem_get(int32_t key, int nsems, uint32_t flags, int32_t *id)
{
	if (nsems < 0 || (uint32_t)nsems > SEMMSL)
		return EINVAL;
	return ipc_get(&sem_class, key, (uint64_t)nsems, flags, id);
}

/* --------------------------------------------------------------- undos -- */

static uint64_t
undo_bytes(const struct semset *ss)
{
	return sizeof(struct semundo) + ss->ss_io.io_size * sizeof(int16_t);
}

static void
undo_drop(struct semundo *un)
{
	struct semset *ss = un->un_set;

	if (atomic_fetch_sub_explicit(&un->un_refs, 1, memory_order_acq_rel) > 1)
		return;
	ipc_free(undo_bytes(ss), un);
	ipc_obj_drop(&ss->ss_io);
}

/* p_tok held.  Those of sets that are gone are put on `dead`. */
static struct semundo *
undo_search(struct proc *p, const struct semset *ss, struct list *dead)
{
	struct semundo *found = NULL;

	list_foreach_safe(un, &p->p_semundo, struct semundo, un_plink) {
		if (un->un_set->ss_io.io_gone) {
			list_remove(&un->un_plink);
			list_push_back(dead, &un->un_plink);
		} else if (un->un_set == ss)
			found = un;
	}
	if (found != NULL)
		atomic_fetch_add_explicit(&found->un_refs, 1, memory_order_relaxed);
	return found;
}

static void
undo_bury(struct list *dead)
{
	list_foreach_safe(un, dead, struct semundo, un_plink) {
		list_remove(&un->un_plink);
		undo_drop(un);
	}
}

/*
 * The current process's for this set, held, made if need be.  io_lk is not held, but the caller holds
 * the set.
 */
static int
undo_get(struct semset *ss, struct semundo **out)
{
	struct proc *p = curproc;
	struct semundo *un, *fresh;
	struct list dead = LIST_INIT(dead);
	void *mem;

	token_get(&p->p_tok);
	un = undo_search(p, ss, &dead);
	token_release(&p->p_tok);
	undo_bury(&dead);
	if (un == NULL) {
		if (ipc_alloc(undo_bytes(ss), &mem) != 0)
			return ENOMEM;
		fresh = mem;
		fresh->un_refs = 1;
		fresh->un_set = ss;
		list_init(&fresh->un_link);
		ipc_obj_hold(&ss->ss_io);
		token_get(&p->p_tok);
		un = undo_search(p, ss, &dead);		/* another thread may have made one */
		if (un == NULL) {
			un = fresh;
			fresh->un_refs = 2;
			list_push_back(&p->p_semundo, &fresh->un_plink);
		}
		token_release(&p->p_tok);
		undo_bury(&dead);
		if (un != fresh)
			undo_drop(fresh);
	}
	*out = un;
	return 0;
}

/* ---------------------------------------------------------- operations -- */

/* Take back the first n of ops. */
static void
ops_revert(struct semset *ss, const struct k_sembuf *ops, uint32_t n, struct semundo *un)
{
	while (n-- > 0) {
		ss->ss_sem[ops[n].sem_num].s_val -= ops[n].sem_op;
		if ((ops[n].sem_flg & SEM_UNDO) != 0)
			un->un_adj[ops[n].sem_num] = (int16_t)(un->un_adj[ops[n].sem_num] + ops[n].sem_op);
	}
}

/* All of them, or nothing: 0, WAITING (*blocking says which), or an error. */
static int
ops_try(struct semset *ss, const struct k_sembuf *ops, uint32_t n, struct semundo *un, int32_t pid,
    const struct k_sembuf **blocking)
{
	int result = 0;
	uint32_t i;

	ASSERT(lk_held_excl(&ss->ss_io.io_lk));
	for (i = 0; i < n && result == 0; i++) {
		const struct k_sembuf *op = &ops[i];
		struct sem *s = &ss->ss_sem[op->sem_num];
		int32_t val = s->s_val + op->sem_op;
		int adj = (op->sem_flg & SEM_UNDO) != 0 ? un->un_adj[op->sem_num] - op->sem_op : 0;

		if ((op->sem_op == 0 && s->s_val != 0) || val < 0) {
			*blocking = op;
			result = (op->sem_flg & (int16_t)IPC_NOWAIT) != 0 ? EAGAIN : WAITING;
		} else if (val > SEMVMX || adj < -SEMAEM - 1 || adj > SEMAEM)
			result = ERANGE;
		if (result != 0)
			break;
		s->s_val = val;
		if ((op->sem_flg & SEM_UNDO) != 0)
			un->un_adj[op->sem_num] = (int16_t)adj;
	}
	if (result != 0) {
		ops_revert(ss, ops, i, un);
		return result;
	}
	for (i = 0; i < n; i++)
		ss->ss_sem[ops[i].sem_num].s_pid = pid;
	ss->ss_otime = ipc_now();
	return 0;
}

/* Those of a list that can go now; true: one changed the set such that others before it may be possible. */
static bool
try_waiters(struct semset *ss, struct list *list)
{
	list_foreach_safe(w, list, struct semwait, w_link) {
		int r = ops_try(ss, w->w_ops, w->w_n, w->w_undo, w->w_pid, &w->w_blocking);

		lwkt_poll();
		if (r == WAITING)
			continue;
		waiter_done(w, r);
		if (r != 0 || list == &ss->ss_zero)
			continue;
		/* Less of one semaphore, but not none: only those behind may go on. */
		if (w->w_n > 1 || w->w_ops[0].sem_op > 0 || ss->ss_sem[w->w_ops[0].sem_num].s_val == 0)
			return true;
	}
	return false;
}

/* The set has changed. */
static void
update(struct semset *ss)
{
	do
		(void)try_waiters(ss, &ss->ss_zero);
	while (try_waiters(ss, &ss->ss_alter));
}

/* The operations could not happen: wait.  io_lk is held, and again on return. */
static int
wait_turn(struct semset *ss, struct semwait *w, bool alter, nsec_t deadline)
{
	struct waiter me;
	int error = 0;

	w->w_result = WAITING;
	waitq_init(&w->w_waitq);
	list_push_back(alter ? &ss->ss_alter : &ss->ss_zero, &w->w_link);
	wait_begin(&w->w_waitq, &me);
	lk_release(&ss->ss_io.io_lk);
	while (w->w_result == WAITING && error == 0)
		error = wait_sleep(&me, deadline, WAIT_INTR);
	wait_end(&me);
	lk_excl(&ss->ss_io.io_lk);
	if (w->w_result != WAITING)
		return w->w_result;
	list_remove(&w->w_link);
	return error == ETIMEDOUT ? EAGAIN : error;
}

/* Set locked, permissions checked. */
static int
perform(struct semset *ss, const struct k_sembuf *ops, uint32_t n, struct semundo *un, bool alter,
    nsec_t deadline)
{
	struct semwait w = { .w_ops = ops, .w_n = n, .w_undo = un, .w_pid = ipc_pid() };
	int error;

	if (un != NULL && list_empty(&un->un_link))
		list_push_back(&ss->ss_undos, &un->un_link);
	error = ops_try(ss, ops, n, un, w.w_pid, &w.w_blocking);
	if (error == WAITING)
		return wait_turn(ss, &w, alter, deadline);
	if (error == 0 && alter)
		update(ss);
	return error;
}

int
sem_op(int32_t id, const struct k_sembuf *ops, uint32_t n, nsec_t deadline)
{
	bool alter = false, undo = false;
	struct semundo *un = NULL;
	uint32_t last = 0;
	struct ipc_obj *o;
	int error;

	for (uint32_t i = 0; i < n; i++) {
		last = (uint32_t)rt_max(last, ops[i].sem_num);
		alter |= ops[i].sem_op != 0;
		undo |= (ops[i].sem_flg & SEM_UNDO) != 0;
	}
	error = ipc_lock(IPC_SEM, id, &o);
	if (error != 0)
		return error;
	if (last >= o->io_size)
		error = EFBIG;
	else if (!ipc_may(o, alter ? 2 : 4))
		error = EACCES;
	if (error == 0 && undo) {
		lk_release(&o->io_lk);
		error = undo_get(set_of(o), &un);
		lk_excl(&o->io_lk);
		if (error == 0 && o->io_gone)
			error = EIDRM;
	}
	if (error == 0)
		error = perform(set_of(o), ops, n, un, alter, deadline);
	ipc_unlock(o);
	if (un != NULL)
		undo_drop(un);
	return error;
}

/* ---------------------------------------------------- life of a process -- */

void
sem_proc_begins(struct proc *p)
{
	list_init(&p->p_semundo);
}

static void
undo_apply(struct semset *ss, struct semundo *un, int32_t pid)
{
	lk_excl(&ss->ss_io.io_lk);
	for (uint32_t i = 0; i < ss->ss_io.io_size && !ss->ss_io.io_gone; i++) {
		struct sem *s = &ss->ss_sem[i];

		if (un->un_adj[i] == 0)
			continue;
		s->s_val += un->un_adj[i];
		s->s_val = s->s_val < 0 ? 0 : s->s_val > SEMVMX ? SEMVMX : s->s_val;	/* as Linux */
		s->s_pid = pid;
		ss->ss_otime = ipc_now();
	}
	list_remove(&un->un_link);
	if (!ss->ss_io.io_gone)
		update(ss);
	lk_release(&ss->ss_io.io_lk);
}

void
sem_proc_ends(struct proc *p)
{
	struct semundo *un;

	do {
		token_get(&p->p_tok);
		un = list_first(&p->p_semundo, struct semundo, un_plink);
		if (un != NULL)
			list_remove(&un->un_plink);
		token_release(&p->p_tok);
		if (un != NULL) {
			undo_apply(un->un_set, un, p->p_pid);
			undo_drop(un);
		}
	} while (un != NULL);
}

/* ------------------------------------------------------------- commands -- */

int
sem_stat(int32_t *id, int cmd, struct k_semid_ds *out)
{
	struct ipc_obj *o;
	int error = ipc_lock_stat(IPC_SEM, id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, &o);

	if (error != 0)
		return error;
	*out = (struct k_semid_ds){
		.sem_otime = set_of(o)->ss_otime, .sem_ctime = o->io_ctime, .sem_nsems = o->io_size,
	};
	ipc_perm_get(o, &out->sem_perm);
	ipc_unlock(o);
	return 0;
}

static int
count_waiters(const struct list *list, int num, bool zero)
{
	int n = 0;

	list_foreach(w, list, struct semwait, w_link)
		n += w->w_blocking->sem_num == num && (w->w_blocking->sem_op == 0) == zero;
	return n;
}

int
sem_getone(int32_t id, int num, int cmd, int *value)
{
	struct ipc_obj *o;
	struct semset *ss;
	int error = ipc_lock_access(IPC_SEM, id, 4, &o);

	if (error != 0)
		return error;
	ss = set_of(o);
	if (num < 0 || (uint64_t)num >= o->io_size)
		error = EINVAL;
	else if (cmd == GETVAL)
		*value = ss->ss_sem[num].s_val;
	else if (cmd == GETPID)
		*value = ss->ss_sem[num].s_pid;
	else
		*value = count_waiters(&ss->ss_zero, num, cmd == GETZCNT) +
		    count_waiters(&ss->ss_alter, num, cmd == GETZCNT);
	ipc_unlock(o);
	return error;
}

/* A value from outside: no undo of it makes sense any more. */
static void
put_value(struct semset *ss, uint32_t num, int value)
{
	list_foreach(un, &ss->ss_undos, struct semundo, un_link)
		un->un_adj[num] = 0;
	ss->ss_sem[num] = (struct sem){ value, ipc_pid() };
	ss->ss_io.io_ctime = ipc_now();
}

int
sem_setval(int32_t id, int num, int value)
{
	struct ipc_obj *o;
	int error;

	if (value < 0 || value > SEMVMX)
		return ERANGE;
	error = ipc_lock(IPC_SEM, id, &o);
	if (error != 0)
		return error;
	if (num < 0 || (uint64_t)num >= o->io_size)
		error = EINVAL;
	else if (!ipc_may(o, 2))
		error = EACCES;
	if (error == 0) {
		put_value(set_of(o), (uint32_t)num, value);
		update(set_of(o));
	}
	ipc_unlock(o);
	return error;
}

int
sem_count(int32_t id, bool change, uint32_t *n)
{
	struct ipc_obj *o;
	int error = ipc_lock_access(IPC_SEM, id, change ? 2 : 4, &o);

	if (error != 0)
		return error;
	*n = (uint32_t)o->io_size;
	ipc_unlock(o);
	return 0;
}

int
sem_getall(int32_t id, uint16_t *v, uint32_t n)
{
	struct ipc_obj *o;
	int error = ipc_lock_access(IPC_SEM, id, 4, &o);

	if (error != 0)
		return error;
	if (o->io_size != n)
		error = EIDRM;			/* another set has its identifier now */
	for (uint32_t i = 0; error == 0 && i < n; i++)
		v[i] = (uint16_t)set_of(o)->ss_sem[i].s_val;
	ipc_unlock(o);
	return error;
}

int
sem_setall(int32_t id, const uint16_t *v, uint32_t n)
{
	struct ipc_obj *o;
	int error;

	for (uint32_t i = 0; i < n; i++)
		if (v[i] > SEMVMX)
			return ERANGE;
	error = ipc_lock_access(IPC_SEM, id, 2, &o);
	if (error != 0)
		return error;
	if (o->io_size != n)
		error = EIDRM;			/* another set has its identifier now */
	for (uint32_t i = 0; error == 0 && i < n; i++) {
		put_value(set_of(o), i, v[i]);
		lwkt_poll();
	}
	if (error == 0)
		update(set_of(o));
	ipc_unlock(o);
	return error;
}

void
sem_info(struct k_seminfo *out, bool used, int32_t *highest)
{
	struct ipc_view *v = ipc_view();
	struct ipc_ids *ids = &v->iv_ids[IPC_SEM];

	lk_excl(&ids->ii_lk);
	*highest = ids->ii_top == 0 ? 0 : (int32_t)ids->ii_top - 1;
	*out = (struct k_seminfo){
		.semmap = SEMMNS, .semmni = SEMMNI, .semmns = SEMMNS, .semmnu = SEMMNS, .semmsl = SEMMSL,
		.semopm = SEMOPM, .semume = SEMOPM, .semusz = used ? (int32_t)ids->ii_used : 20,
		    .semvmx = SEMVMX,
		.semaem = used ? (int32_t)v->iv_sems : SEMAEM,
	};
	lk_release(&ids->ii_lk);
}
