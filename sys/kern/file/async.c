/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * async - who is sent a signal when something can be done with a file.
 *
 * A file gets a struct async with the first call that asks for one.  From then on it is on the list of
 * its object, so that urgent data finds the owner without O_ASYNC, and its end takes it off the list
 * before the object may go.  The owner is kept as what it is: a number may become somebody else's.
 *
 * Invariants
 *   A1  f_async is set once and lives as long as the file.
 *   A2  it is on its object's list from before anybody else sees it until async_end().
 *   A3  the signal is sent as by who made the owner known, with his credential of that moment: a
 *       process that he might not kill then is not told, and what is outside his jail neither.
 *
 * Locking: ah_spin, then as_spin; signals are sent under both, so that the end of a file waits for them.
 * Not here: leases and notes of directories (F_SETLEASE, F_NOTIFY).
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/async.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>

struct async {
	struct list	as_link;	/* [ah_spin] */
	struct file	*as_file;	/* const, not held: A1 */
	struct asynchead *as_head;	/* const; NULL: nothing to tell of */
	struct spin	as_spin;
	bool		as_on;		/* [as_spin] O_ASYNC */
	int		as_fd;		/* [as_spin] with which that was asked for */
	int		as_sig;		/* [as_spin] F_SETSIG; 0: SIGIO, without more */
	int		as_type;	/* [as_spin] F_OWNER_* */
	int32_t		as_id;		/* [as_spin] as it was given; 0: nobody */
	struct proc	*as_proc;	/* [as_spin] held; NULL: nobody, or a group */
	struct pgrp	*as_pgrp;	/* [as_spin] held */
	struct cred	*as_cred;	/* [as_spin] held: A3 */
};

void
asynchead_init(struct asynchead *h)
{
	spin_init(&h->ah_spin, LR_async);
	list_init(&h->ah_list);
}

/* A1: of two who make it at once, one does. */
static int
async_get(struct file *fp, struct async **out)
{
	struct async *a = atomic_load(&fp->f_async), *other = NULL;
	struct asynchead *h;

	if ((*out = a) != NULL)
		return 0;
	if ((a = kmalloc(sizeof(*a), KM_ZERO | KM_WAIT)) == NULL)
		return ENOMEM;
	list_init(&a->as_link);
	spin_init(&a->as_spin, LR_async_owner);
	a->as_file = fp;
	a->as_head = h = fp->f_ops->fo_async != NULL ? fp->f_ops->fo_async(fp) : NULL;
	if (!atomic_compare_exchange_strong(&fp->f_async, &other, a)) {
		kfree(a);
		*out = other;
		return 0;
	}
	if (h != NULL) {
		spin_lock(&h->ah_spin);
		list_push_back(&h->ah_list, &a->as_link);
		atomic_fetch_add(&h->ah_count, 1);
		spin_unlock(&h->ah_spin);
	}
	*out = a;
	return 0;
}

static void
drop_owner(struct proc *p, struct pgrp *pg, struct cred *c)
{
	if (p != NULL)
		proc_drop(p);
	if (pg != NULL)
		pgrp_drop(pg);
	if (c != NULL)
		cred_drop(c);
}

void
async_end(struct file *fp)
{
	struct async *a = atomic_load(&fp->f_async);

	if (a == NULL)
		return;
	if (a->as_head != NULL) {
		spin_lock(&a->as_head->ah_spin);
		list_remove(&a->as_link);
		atomic_fetch_sub(&a->as_head->ah_count, 1);
		spin_unlock(&a->as_head->ah_spin);
	}
	drop_owner(a->as_proc, a->as_pgrp, a->as_cred);
	kfree(a);
}

/* ---------------------------------------------------------------- sending -- */

struct parcel {
	struct async	*pa_async;
	int		pa_sig;		/* 0: as the file has it */
	int		pa_code;
	uint32_t	pa_band;
};

/* A3. */
static bool
may_tell(const struct cred *from, struct proc *p)
{
	struct cred *c = proc_cred(p);
	bool ok = from->cr_euid == 0 || from->cr_euid == c->cr_suid || from->cr_euid == c->cr_uid ||
	    from->cr_uid == c->cr_suid || from->cr_uid == c->cr_uid;

	ok = ok && (!view_is_jail(from->cr_view) || c->cr_view == from->cr_view);
	cred_drop(c);
	return ok;
}

/* Numbers whose codes already mean something of their own. */
static bool
has_codes(int sig)
{
	return (sigbit(sig) & (sigbit(SIGILL) | sigbit(SIGFPE) | sigbit(SIGSEGV) | sigbit(SIGBUS) |
	    sigbit(SIGTRAP) | sigbit(SIGCHLD) | sigbit(SIGSYS))) != 0;
}

static int
send(const struct async *a, struct proc *p, int sig, const struct k_siginfo *info)
{
	if (a->as_type == F_OWNER_TID)
		return sig_send_tid(p, a->as_id, sig, info);
	return sig_send(p, NULL, sig, info);
}

/* One process of the owner's.  A signal of the program's choice that finds no room becomes SIGIO. */
static void
tell_proc(struct proc *p, void *arg)
{
	const struct parcel *par = arg;
	const struct async *a = par->pa_async;
	struct k_siginfo info;

	if (!may_tell(a->as_cred, p))
		return;
	if (par->pa_sig != 0 || a->as_sig == 0) {
		(void)send(a, p, par->pa_sig != 0 ? par->pa_sig : SIGIO, NULL);
		return;
	}
	memset(&info, 0, sizeof(info));
	info.si_code = has_codes(a->as_sig) ? SI_SIGIO : par->pa_code;
	info.u.poll.band = par->pa_band;
	info.u.poll.fd = a->as_fd;
	if (send(a, p, a->as_sig, &info) == EAGAIN)
		(void)send(a, p, SIGIO, NULL);
}

static void
tell_owner(struct parcel *par)
{
	struct async *a = par->pa_async;

	if (a->as_proc != NULL)
		tell_proc(a->as_proc, par);
	else if (a->as_pgrp != NULL)
		pgrp_foreach(a->as_pgrp, tell_proc, par);
}

static bool
suits(const struct file *fp, uint32_t event)
{
	return event == POLLIN ? file_can_read(fp) != 0 : event == POLLOUT ? file_can_write(fp) != 0 : true;
}

void
async_notify(struct asynchead *h, uint32_t event)
{
	static const struct { uint32_t event; int code; uint32_t band; } codes[] = {
		{ POLLIN, 1, POLLIN | POLLRDNORM }, { POLLOUT, 2, POLLOUT | POLLWRNORM | POLLWRBAND },
		{ POLLPRI, 5, POLLPRI | POLLRDBAND }, { POLLHUP, 6, POLLHUP | POLLERR },
	};
	uint32_t i = 0;

	if (atomic_load_explicit(&h->ah_count, memory_order_relaxed) == 0)
		return;
	while (codes[i].event != event) {
		i++;
		ASSERT(i < countof(codes));
	}
	spin_lock(&h->ah_spin);
	list_foreach(a, &h->ah_list, struct async, as_link) {
		spin_lock(&a->as_spin);
		if (event == POLLPRI)
			tell_owner(&(struct parcel){ a, SIGURG, 0, 0 });
		if (a->as_on && suits(a->as_file, event) && (event != POLLPRI || a->as_sig != 0))
			tell_owner(&(struct parcel){ a, 0, codes[i].code, codes[i].band });
		spin_unlock(&a->as_spin);
	}
	spin_unlock(&h->ah_spin);
}

/* ----------------------------------------------------------------- asking -- */

/* Who is told of a terminal, if nobody else was named. */
static int
default_owner(struct file *fp, struct async *a)
{
	int type = F_OWNER_PID;
	int32_t id = curproc->p_pid;

	if (a->as_head->ah_owner == NULL || a->as_id != 0)
		return 0;
	a->as_head->ah_owner(a->as_head, &type, &id);
	return async_set_owner(fp, type, id);
}

int
async_switch(struct file *fp, int fd, bool on)
{
	struct async *a;
	int error;

	if (fp->f_ops->fo_async == NULL)
		return ENOTTY;
	if ((error = async_get(fp, &a)) != 0 || (on && (error = default_owner(fp, a)) != 0))
		return error;
	spin_lock(&a->as_spin);
	a->as_on = on;
	a->as_fd = fd;
	if (on)
		atomic_fetch_or(&fp->f_flags, O_ASYNC);
	else
		atomic_fetch_and(&fp->f_flags, ~O_ASYNC);
	spin_unlock(&a->as_spin);
	return 0;
}

/* Whose number is it?  One that is used, but for something else, is nobody's. */
static int
find_owner(int type, int32_t id, struct proc **p, struct pgrp **pg)
{
	struct proc *thread = proc_find_tid(id);
	struct pgrp *group = pgrp_find(id);
	int error = 0;

	*p = NULL;
	*pg = NULL;
	if (group != NULL && !pgrp_seen(group)) {
		pgrp_drop(group);
		group = NULL;
	}
	if (thread == NULL && group == NULL)
		error = ESRCH;
	else if (type == F_OWNER_PGRP)
		*pg = group, group = NULL;
	else if (type == F_OWNER_TID || (thread != NULL && thread->p_pid == id))
		*p = thread, thread = NULL;
	drop_owner(thread, group, NULL);
	return error;
}

int
async_set_owner(struct file *fp, int type, int32_t id)
{
	struct cred *c = NULL, *old_c;
	struct pgrp *pg = NULL, *old_pg;
	struct proc *p = NULL, *old_p;
	struct async *a;
	int error;

	if ((error = async_get(fp, &a)) != 0)
		return error;
	if (id != 0) {
		if ((error = find_owner(type, id, &p, &pg)) != 0)
			return error;
		c = cred_hold(cred_current());
	}
	spin_lock(&a->as_spin);
	old_p = a->as_proc;
	old_pg = a->as_pgrp;
	old_c = a->as_cred;
	a->as_type = type;
	a->as_id = id;
	a->as_proc = p;
	a->as_pgrp = pg;
	a->as_cred = c;
	spin_unlock(&a->as_spin);
	drop_owner(old_p, old_pg, old_c);
	return 0;
}

void
async_owner(struct file *fp, int *type, int32_t *id)
{
	struct async *a = atomic_load(&fp->f_async);
	struct proc *p = NULL, *now;
	struct pgrp *pg = NULL;

	*type = F_OWNER_TID;
	*id = 0;
	if (a == NULL)
		return;
	spin_lock(&a->as_spin);
	*type = a->as_type;
	*id = a->as_id;
	if ((p = a->as_proc) != NULL)
		proc_hold(p);
	if ((pg = a->as_pgrp) != NULL)
		pgrp_hold(pg);
	spin_unlock(&a->as_spin);
	now = p != NULL ? proc_find_tid(*id) : NULL;
	if (pg != NULL ? !pgrp_seen(pg) : p == NULL || now != p)
		*id = 0;
	drop_owner(p, pg, NULL);
	drop_owner(now, NULL, NULL);
}

int
async_set_owner_nr(struct file *fp, int32_t who)
{
	if (who == INT32_MIN)
		return EINVAL;
	return async_set_owner(fp, who < 0 ? F_OWNER_PGRP : F_OWNER_PID, who < 0 ? -who : who);
}

int32_t
async_owner_nr(struct file *fp)
{
	int type;
	int32_t id;

	async_owner(fp, &type, &id);
	return type == F_OWNER_PGRP ? -id : id;
}

int
async_set_signal(struct file *fp, int sig)
{
	struct async *a;
	int error;

	if ((error = async_get(fp, &a)) != 0)
		return error;
	spin_lock(&a->as_spin);
	a->as_sig = sig;
	spin_unlock(&a->as_spin);
	return 0;
}

int
async_signal(struct file *fp)
{
	struct async *a = atomic_load(&fp->f_async);
	int sig = 0;

	if (a != NULL) {
		spin_lock(&a->as_spin);
		sig = a->as_sig;
		spin_unlock(&a->as_spin);
	}
	return sig;
}
