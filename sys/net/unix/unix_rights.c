/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_rights - open files that travel in messages, and what becomes of
 * sockets that are only in messages to each other.
 *
 * A message holds its files.  A socket in a message that was sent to that
 * very socket, or to one in a like position, would keep itself alive although
 * no process can ever reach it.  So sockets under way are counted, and a
 * thread, the collector, finds those that are unreachable: every reference on
 * their file is a message, and every such message is queued at a socket that
 * is itself unreachable.  It takes the files out of these messages and drops
 * them; the sockets then end in the ordinary way, and what is queued with them.
 *
 * Invariants
 *   R1  u_inflight of a socket is in how many queued messages its file is,
 *       counted as often as it is there; such a message is on the u_carriers
 *       of the socket that it is queued at.  Both change under rights_lk,
 *       together, and the message is queued under it too.  So a file that is
 *       taken out of a queue, or copied, is counted until its new holder has
 *       it: the collector, which keeps rights_lk throughout, sees a reference
 *       that is nowhere to be found, and takes the socket for reachable.
 *   R2  a socket whose references are all counted cannot be used by anybody,
 *       and cannot come back but through a queue, that is through rights_lk.
 *   R3  a connection that nobody has accepted has no file.  While it has
 *       carriers it is on u_embryos of its listener, and shares its fate.
 *   R4  the user of a message's files is charged for them while they are there.
 *
 * The collector runs when a descriptor of a socket is closed while sockets
 * travel, and every second as long as some do: a reference that a system call
 * has only borrowed goes without telling.
 *
 * Files are dropped by a loop, never by recursion: a socket's end may drop
 * files whose end drops files.  Who finds that it is such an end already
 * leaves its files to the loop below it.
 */
#include "unix_int.h"

#include <abi/errno.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/ucount.h>
#include <sys/vm/kmem.h>

struct dropper {
	struct list	d_link;		/* [drop_spin] */
	struct thread	*d_thread;	/* const */
	struct scm_files *d_more;	/* [drop_spin] */
};

static struct lk rights_lk;
static struct list travel;		/* [rights_lk] sockets with u_inflight > 0 */
static _Atomic uint32_t travelling;	/* [rights_lk to change] how many */
static _Atomic bool wanted;
static struct waitq collector_waitq;
static struct spin drop_spin;
static struct list droppers;		/* [drop_spin] */

/* ------------------------------------------------------- dropping files -- */

/* f is left to the loop of this thread; false: there is none, and now d is. */
static bool
leave_to_loop(struct scm_files *f, struct dropper *d)
{
	bool left = false;

	spin_lock(&drop_spin);
	list_foreach(o, &droppers, struct dropper, d_link) {
		if (o->d_thread == d->d_thread) {
			f->sf_next = o->d_more;
			o->d_more = f;
			left = true;
			break;
		}
	}
	if (!left)
		list_push_back(&droppers, &d->d_link);
	spin_unlock(&drop_spin);
	return left;
}

static struct scm_files *
next_drop(struct dropper *d)
{
	struct scm_files *f;

	spin_lock(&drop_spin);
	if ((f = d->d_more) != NULL)
		d->d_more = f->sf_next;
	else
		list_remove(&d->d_link);
	spin_unlock(&drop_spin);
	return f;
}

void
scm_files_drop(struct scm_files *f)
{
	struct dropper d = { .d_thread = curthread };

	if (f == NULL || leave_to_loop(f, &d))
		return;
	do {
		for (uint32_t i = 0; i < f->sf_count; i++) {
			file_drop(f->sf_file[i]);
			lwkt_poll();
		}
		kfree(f);
	} while ((f = next_drop(&d)) != NULL);
}

/* ---------------------------------------------------------------- users -- */

/* R4.  Who has more than RLIMIT_NOFILE under way gets no further ones. */
static int
user_charge(uint32_t n, struct ucount **out)
{
	const struct cred *cr = cred_current();
	bool may = cred_capable(cr, CAP_SYS_RESOURCE) || cred_capable(cr, CAP_SYS_ADMIN);
	uint64_t limit = curproc->p_rlimit[RLIMIT_NOFILE][0];
	int error = ucount_take(UC_FLYING, n, may || limit > UINT64_MAX - n ? UINT64_MAX : limit + n, out);

	return error == EAGAIN ? ETOOMANYREFS : error;
}

/* ------------------------------------------------------ files in messages -- */

static struct unix_sock *
usock_of(struct file *fp)
{
	struct socket *so = sock_of(fp);

	return so != NULL && so->so_family == &unix_family ? usock(so) : NULL;
}

static void
call_collector(void)
{
	if (!atomic_exchange(&wanted, true))
		wake_all(&collector_waitq);
}

int
unix_rights_attach(struct unix_msg *m, struct scm_files **f)
{
	int error;

	if (*f == NULL)
		return 0;
	if ((error = user_charge((*f)->sf_count, &m->m_user)) != 0)
		return error;
	m->m_files = *f;
	*f = NULL;
	for (uint32_t i = 0; i < m->m_files->sf_count; i++)
		m->m_nsock += usock_of(m->m_files->sf_file[i]) != NULL;
	return 0;
}

void
unix_rights_begin(bool sockets)
{
	if (sockets)
		lk_excl(&rights_lk);
}

void
unix_rights_end(bool sockets)
{
	if (sockets)
		lk_release(&rights_lk);
}

/* rights_lk and the spin of `to` are held: R1, R3. */
void
unix_rights_queued(struct unix_msg *m, struct unix_sock *to, struct unix_sock *listener)
{
	struct unix_sock *u;

	ASSERT(lk_held_excl(&rights_lk));
	for (uint32_t i = 0; i < m->m_files->sf_count; i++) {
		if ((u = usock_of(m->m_files->sf_file[i])) == NULL || u->u_inflight++ > 0)
			continue;
		list_push_back(&travel, &u->u_travel);
		if (atomic_fetch_add(&travelling, 1) == 0)	/* the collector slept for ever */
			call_collector();
	}
	list_push_back(&to->u_carriers, &m->m_carrier);
	if (listener != NULL && !to->u_is_embryo) {
		to->u_is_embryo = true;
		list_push_back(&listener->u_embryos, &to->u_embryo);
	}
}

/* rights_lk is held; the message carries sockets and is, or was, queued. */
static struct scm_files *
take_out(struct unix_msg *m)
{
	struct scm_files *f = m->m_files;
	struct unix_sock *u;

	if (f == NULL || list_empty(&m->m_carrier)) {	/* never queued */
		m->m_files = NULL;
		return f;
	}
	for (uint32_t i = 0; i < f->sf_count; i++) {
		if ((u = usock_of(f->sf_file[i])) == NULL)
			continue;
		ASSERT(u->u_inflight > 0);
		if (--u->u_inflight > 0)
			continue;
		list_remove(&u->u_travel);
		atomic_fetch_sub(&travelling, 1);
	}
	list_remove(&m->m_carrier);
	m->m_files = NULL;
	return f;
}

struct scm_files *
unix_rights_detach(struct unix_msg *m)
{
	struct scm_files *f;

	unix_rights_begin(m->m_nsock > 0);
	f = take_out(m);
	unix_rights_end(m->m_nsock > 0);
	if (f != NULL)
		ucount_give(m->m_user, UC_FLYING, f->sf_count);
	return f;
}

/* For MSG_PEEK: under the lock, so that the collector has either not begun or sees the copies. */
int
unix_rights_copy(struct unix_msg *m, struct scm_files **out)
{
	struct scm_files *f = scm_files_make(m->m_files, 0);

	if (f == NULL)
		return ENOMEM;
	unix_rights_begin(m->m_nsock > 0);
	for (uint32_t i = 0; i < f->sf_count; i++)
		file_hold(f->sf_file[i]);
	unix_rights_end(m->m_nsock > 0);
	*out = f;
	return 0;
}

/* u is no connection request any more: accepted, or released.  Its listener can be no longer. */
void
unix_rights_accepted(struct unix_sock *u)
{
	if (!u->u_is_embryo)
		return;
	lk_excl(&rights_lk);
	list_remove(&u->u_embryo);
	u->u_is_embryo = false;
	lk_release(&rights_lk);
}

/* ------------------------------------------------------------- collector -- */

typedef void (*carrier_fn)(struct unix_msg *m, void *arg);

static void
each_of(struct list *carriers, carrier_fn fn, void *arg)
{
	list_foreach_safe(m, carriers, struct unix_msg, m_carrier) {
		fn(m, arg);
		lwkt_poll();
	}
}

/* All messages with sockets that end with u: its own and its embryos'. */
static void
each_carrier(struct unix_sock *u, carrier_fn fn, void *arg)
{
	each_of(&u->u_carriers, fn, arg);
	list_foreach(e, &u->u_embryos, struct unix_sock, u_embryo)
		each_of(&e->u_carriers, fn, arg);
}

static void
count_inside(struct unix_msg *m, void *arg)
{
	struct unix_sock *u;

	(void)arg;
	for (uint32_t i = 0; i < m->m_files->sf_count; i++)
		if ((u = usock_of(m->m_files->sf_file[i])) != NULL)
			u->u_inside++;
}

/* From the list of those to be judged to the end of those that are reachable. */
static void
mark(struct unix_sock *u, struct list *reachable)
{
	if (u->u_marked)
		return;
	u->u_marked = true;
	list_remove(&u->u_travel);
	list_push_back(reachable, &u->u_travel);
}

static void
mark_inside(struct unix_msg *m, void *reachable)
{
	struct unix_sock *u;

	for (uint32_t i = 0; i < m->m_files->sf_count; i++)
		if ((u = usock_of(m->m_files->sf_file[i])) != NULL)
			mark(u, reachable);
}

static void
empty_out(struct unix_msg *m, void *arg)
{
	struct scm_files **garbage = arg, *f = take_out(m);

	ucount_give(m->m_user, UC_FLYING, f->sf_count);
	f->sf_next = *garbage;
	*garbage = f;
}

/* Is there a reference that is no message, or a message at a socket that does not travel itself? */
static bool
held_from_outside(struct unix_sock *u)
{
	struct file *fp = u->u_so.so_file;

	return atomic_load(&fp->f_refs) > u->u_inflight || u->u_inside < u->u_inflight;
}

static void
collect(void)
{
	struct scm_files *garbage = NULL, *f;
	struct unix_sock *u;
	struct list reachable;

	list_init(&reachable);
	lk_excl(&rights_lk);
	list_foreach(t, &travel, struct unix_sock, u_travel) {
		t->u_inside = 0;
		t->u_marked = false;
	}
	list_foreach(t, &travel, struct unix_sock, u_travel)
		each_carrier(t, count_inside, NULL);
	list_foreach_safe(t, &travel, struct unix_sock, u_travel)
		if (held_from_outside(t))
			mark(t, &reachable);
	list_foreach(t, &reachable, struct unix_sock, u_travel)		/* which grows meanwhile */
		each_carrier(t, mark_inside, &reachable);
	/* Whoever is left takes itself off the list with the last message that it is in. */
	while ((u = list_first(&travel, struct unix_sock, u_travel)) != NULL) {
		list_remove(&u->u_travel);
		list_push_back(&reachable, &u->u_travel);
		each_carrier(u, empty_out, &garbage);
	}
	list_splice(&travel, &reachable);
	lk_release(&rights_lk);
	while ((f = garbage) != NULL) {
		garbage = f->sf_next;
		scm_files_drop(f);
	}
}

static void
collector(void *arg)
{
	int error;

	(void)arg;
	for (;;) {
		nsec_t deadline = travelling > 0 ? time_now() + NSEC_PER_SEC : NSEC_NEVER;

		WAIT_FOR(&collector_waitq, wanted, deadline, 0, error);
		atomic_store(&wanted, false);
		if (travelling > 0)
			collect();
	}
}

void
unix_flush(struct socket *so)
{
	(void)so;
	if (travelling > 0)
		call_collector();
}

void
unix_rights_init(void)
{
	struct thread *td;

	lk_init(&rights_lk, LR_unix_rights);
	list_init(&travel);
	waitq_init(&collector_waitq);
	spin_init(&drop_spin, LR_unix_drop);
	list_init(&droppers);
	if (lwkt_create(collector, NULL, LWKT_PRI_KERN, "sockets", &td) != 0)
		panic("no memory for the collector of sockets");
	lwkt_start(td);
}
