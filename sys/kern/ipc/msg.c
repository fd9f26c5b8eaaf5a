/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg - message queues.
 *
 * A queue is a list of messages in the order of sending.  Who waits to
 * receive is on a list, too: a sender gives its message to the first of them
 * whom it suits, without queueing it.  Who waits to send looks again whenever
 * there is more room.
 *
 * Invariants
 *   Q1  q_bytes and q_n are sums over q_list; both are at most q_bytes_max
 *       when a message is added.
 *   Q2  a receiver waits only while no message in q_list suits it, and
 *       r_result is WAITING exactly while it is on q_receivers.
 *
 * Locking: the queue's io_lk.  A receiver lives on its thread's stack: it
 * leaves only after it has held io_lk again.
 *
 * Bounds: a message by msgmax, a queue by its own msg_qbytes, all together
 * by the share of kernel memory that ipc.c gives (ENOMEM).
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/thread.h>

#include "ipc_int.h"

#define WAITING		(-1)
#define LOOK_AGAIN	(-2)		/* something about the queue has changed */

struct msg {
	struct list	m_link;		/* [io_lk of its queue] */
	int64_t		m_type;		/* const once sent */
	uint64_t	m_bytes;	/* const once sent: of text */
	uint64_t	m_room;		/* const: for text */
	char		m_text[];
};

struct msgqueue {
	struct ipc_obj	q_io;
	struct list	q_list;		/* [io_lk] of m_link */
	struct list	q_receivers;	/* [io_lk] of r_link */
	struct waitq	q_senders;
	uint64_t	q_bytes, q_n;	/* [io_lk] Q1 */
	uint64_t	q_bytes_max;	/* [io_lk] */
	int64_t		q_stime, q_rtime;	/* [io_lk] seconds */
	int32_t		q_spid, q_rpid;	/* [io_lk] */
};

enum which { ANY, EQUAL, NOT_EQUAL, AT_MOST, NUMBER };

struct receiver {
	struct list	r_link;		/* [io_lk] */
	enum which	r_which;	/* const */
	int64_t		r_type;		/* const */
	uint64_t	r_room;		/* const: UINT64_MAX if the rest may be cut off */
	int32_t		r_pid;		/* const */
	struct msg	*r_msg;		/* [io_lk] with result 0 */
	_Atomic int	r_result;	/* [io_lk to change] Q2; errno */
	struct waitq	r_waitq;
};

static struct msgqueue *
queue_of(struct ipc_obj *o)
{
	ASSERT(o->io_class == &msg_class);
	return rb_entry(o, struct msgqueue, q_io);
}

/* ------------------------------------------------------------ messages -- */

int
msg_alloc(uint64_t bytes, struct msg **out)
{
	struct msg *m;
	void *p;
	int error;

	ASSERT(bytes <= INT32_MAX);
	error = ipc_alloc(sizeof *m + bytes, &p);
	if (error != 0)
		return error;
	m = p;
	list_init(&m->m_link);
	m->m_bytes = m->m_room = bytes;
	*out = m;
	return 0;
}

void *
msg_text(struct msg *m, int64_t **type, uint64_t *bytes)
{
	if (type != NULL)
		*type = &m->m_type;
	if (bytes != NULL)
		*bytes = m->m_bytes;
	return m->m_text;
}

void
msg_free(struct msg *m)
{
	ipc_free(sizeof *m + m->m_room, m);
}

/* Onto the queue's end. */
static void
queue_add(struct msgqueue *q, struct msg *m)
{
	list_push_back(&q->q_list, &m->m_link);
	q->q_bytes += m->m_bytes;
	q->q_n++;
	atomic_fetch_add(&q->q_io.io_view->iv_msgs, 1);
	atomic_fetch_add(&q->q_io.io_view->iv_msg_bytes, m->m_bytes);
}

static void
queue_take(struct msgqueue *q, struct msg *m)
{
	list_remove(&m->m_link);
	q->q_bytes -= m->m_bytes;
	q->q_n--;
	atomic_fetch_sub(&q->q_io.io_view->iv_msgs, 1);
	atomic_fetch_sub(&q->q_io.io_view->iv_msg_bytes, m->m_bytes);
}

/* -------------------------------------------------------------- queues -- */

static int
queue_make(int32_t key, uint64_t size, uint32_t flags, struct ipc_obj **out)
{
	struct msgqueue *q;
	void *p;

	(void)key;
	(void)size;
	if (ipc_alloc(sizeof *q, &p) != 0)
		return ENOMEM;
	q = p;
	ipc_obj_init(&q->q_io, &msg_class, 0, flags);
	list_init(&q->q_list);
	list_init(&q->q_receivers);
	waitq_init(&q->q_senders);
	q->q_bytes_max = ipc_limit(IPC_MSGMNB);
	*out = &q->q_io;
	return 0;
}

static void
queue_free(struct ipc_obj *o)
{
	struct msgqueue *q = queue_of(o);

	ASSERT(list_empty(&q->q_receivers));
	list_foreach_safe(m, &q->q_list, struct msg, m_link) {
		queue_take(q, m);
		msg_free(m);
		lwkt_poll();
	}
	ipc_obj_done(o);
	ipc_free(sizeof *q, q);
}

static void
receiver_done(struct receiver *r, int result)
{
	list_remove(&r->r_link);
	r->r_result = result;
	wake_all(&r->r_waitq);
}

static void
tell_all(struct msgqueue *q, int result)
{
	list_foreach_safe(r, &q->q_receivers, struct receiver, r_link)
		receiver_done(r, result);
	wake_all(&q->q_senders);
}

static void
queue_remove(struct ipc_obj *o)
{
	ipc_forget(o);
	tell_all(queue_of(o), EIDRM);
}

const struct ipc_class msg_class = { IPC_MSG, queue_make, queue_remove, queue_free };

int
msg_get(int32_t key, uint32_t flags, int32_t *id)
{
	return ipc_get(&msg_class, key, 0, flags, id);
}

/* ------------------------------------------------------------- sending -- */

static bool
suits(const struct msg *m, enum which which, int64_t type)
{
	switch (which) {
	case EQUAL:
		return m->m_type == type;
	case NOT_EQUAL:
		return m->m_type != type;
	case AT_MOST:
		return m->m_type <= type;
	default:
		return true;
	}
}

/* To the first who waits for such a one.  False: nobody does. */
static bool
hand_over(struct msgqueue *q, struct msg *m)
{
	list_foreach_safe(r, &q->q_receivers, struct receiver, r_link) {
		if (!suits(m, r->r_which, r->r_type))
			continue;
		if (r->r_room < m->m_bytes) {
			receiver_done(r, E2BIG);
			continue;
		}
		q->q_rpid = r->r_pid;
		q->q_rtime = ipc_now();
		r->r_msg = m;
		receiver_done(r, 0);
		return true;
	}
	return false;
}

/* Wait until the queue has changed; io_lk is held, and again on return. */
static int
wait_room(struct msgqueue *q, struct waiter *w)
{
	int error;

	lk_release(&q->q_io.io_lk);
	error = wait_sleep(w, NSEC_NEVER, WAIT_INTR);
	lk_excl(&q->q_io.io_lk);
	return q->q_io.io_gone ? EIDRM : error == EINTR ? ERESTARTNOHAND : error;
}

int
msg_send(int32_t id, struct msg *m, uint32_t flags)
{
	struct ipc_obj *o;
	struct msgqueue *q;
	struct waiter w;
	int error = ipc_lock(IPC_MSG, id, &o);

	if (error != 0)
		return error;
	q = queue_of(o);
	wait_begin(&q->q_senders, &w);
	for (;;) {
		error = ipc_may(o, 2) ? 0 : EACCES;
		if (error != 0 || (q->q_bytes + m->m_bytes <= q->q_bytes_max && q->q_n + 1 <= q->q_bytes_max))
			break;
		error = (flags & IPC_NOWAIT) != 0 ? EAGAIN : wait_room(q, &w);
		if (error != 0)
			break;
	}
	wait_end(&w);
	if (error == 0) {
		q->q_spid = ipc_pid();
		q->q_stime = ipc_now();
		if (!hand_over(q, m))
			queue_add(q, m);
	}
	ipc_unlock(o);
	return error;
}

/* ----------------------------------------------------------- receiving -- */

static enum which
which_of(int64_t *type, uint32_t flags)
{
	if ((flags & MSG_COPY) != 0)
		return NUMBER;
	if (*type == 0)
		return ANY;
	if (*type < 0) {
		*type = *type == INT64_MIN ? INT64_MAX : -*type;
		return AT_MOST;
	}
	return (flags & MSG_EXCEPT) != 0 ? NOT_EQUAL : EQUAL;
}

/* NUMBER: the type-th; AT_MOST: the first of the smallest type; else the first that suits.  NULL: none. */
static struct msg *
queue_search(struct msgqueue *q, enum which which, int64_t type)
{
	struct msg *best = NULL;
	int64_t i = 0;

	list_foreach(m, &q->q_list, struct msg, m_link) {
		if (which == NUMBER ? i++ != type : !suits(m, which, type))
			continue;
		if (which != AT_MOST)
			return m;
		if (best == NULL || m->m_type < best->m_type)
			best = m;
	}
	return best;
}

/* Wait for a message; io_lk is held, and again on return. */
static int
wait_message(struct msgqueue *q, struct receiver *r)
{
	struct waiter w;
	int error = 0;

	r->r_result = WAITING;
	waitq_init(&r->r_waitq);
	list_push_back(&q->q_receivers, &r->r_link);
	wait_begin(&r->r_waitq, &w);
	lk_release(&q->q_io.io_lk);
	while (r->r_result == WAITING && error == 0)
		error = wait_sleep(&w, NSEC_NEVER, WAIT_INTR);
	wait_end(&w);
	lk_excl(&q->q_io.io_lk);
	if (r->r_result != WAITING)
		return r->r_result;
	list_remove(&r->r_link);
	return ERESTARTNOHAND;
}

/* A message was found: out of the queue, or copied if that was asked for. */
static int
receive_found(struct msgqueue *q, struct receiver *r, struct msg *m, struct msg *copy)
{
	if (r->r_room < m->m_bytes)
		return E2BIG;
	if (copy != NULL) {
		if (copy->m_room < m->m_bytes)
			return EINVAL;
		memcpy(copy->m_text, m->m_text, m->m_bytes);
		copy->m_type = m->m_type;
		copy->m_bytes = m->m_bytes;
		r->r_msg = copy;
		return 0;
	}
	queue_take(q, m);
	q->q_rtime = ipc_now();
	q->q_rpid = r->r_pid;
	r->r_msg = m;
	wake_all(&q->q_senders);
	return 0;
}

static int
receive(struct msgqueue *q, struct receiver *r, bool wait, struct msg *copy)
{
	int error;

	do {
		struct msg *m = queue_search(q, r->r_which, r->r_type);

		if (!ipc_may(&q->q_io, 4))
			error = EACCES;
		else if (m != NULL)
			error = receive_found(q, r, m, copy);
		else
			error = wait ? wait_message(q, r) : ENOMSG;
	} while (error == LOOK_AGAIN);
	return error;
}

int
msg_receive(int32_t id, uint64_t room, int64_t type, uint32_t flags, struct msg **out)
{
	struct receiver r = { .r_room = (flags & MSG_NOERROR) != 0 ? UINT64_MAX : room, .r_pid = ipc_pid() };
	struct msg *copy = NULL;
	struct ipc_obj *o;
	int error;

	if ((flags & MSG_COPY) != 0) {
		if ((flags & MSG_EXCEPT) != 0 || (flags & IPC_NOWAIT) == 0)
			return EINVAL;
		error = msg_alloc(rt_min(room, ipc_limit(IPC_MSGMAX)), &copy);
		if (error != 0)
			return error;
	}
	r.r_type = type;
	r.r_which = which_of(&r.r_type, flags);
	error = ipc_lock(IPC_MSG, id, &o);
	if (error == 0) {
		error = receive(queue_of(o), &r, (flags & IPC_NOWAIT) == 0, copy);
		ipc_unlock(o);
	}
	if (copy != NULL && error != 0)
		msg_free(copy);
	if (error == 0)
		*out = r.r_msg;
	return error;
}

/* ------------------------------------------------------------- commands -- */

int
msg_set(int32_t id, const struct k_ipc_perm *perm, uint64_t qbytes)
{
	struct ipc_obj *o;
	int error = ipc_lock_owner(IPC_MSG, id, &o);

	if (error != 0)
		return error;
	if (qbytes > ipc_limit(IPC_MSGMNB) && !cred_capable(cred_current(), CAP_SYS_RESOURCE))
		error = EPERM;
	if (error == 0)
		error = ipc_perm_set(o, perm);
	if (error == 0) {
		queue_of(o)->q_bytes_max = qbytes;
		tell_all(queue_of(o), LOOK_AGAIN);
	}
	ipc_unlock(o);
	return error;
}

int
msg_stat(int32_t *id, int cmd, struct k_msqid_ds *out)
{
	struct ipc_obj *o;
	const struct msgqueue *q;
	int error = ipc_lock_stat(IPC_MSG, id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, &o);

	if (error != 0)
		return error;
	q = queue_of(o);
	*out = (struct k_msqid_ds){
		.msg_stime = q->q_stime, .msg_rtime = q->q_rtime, .msg_ctime = o->io_ctime,
		.msg_cbytes = q->q_bytes, .msg_qnum = q->q_n, .msg_qbytes = q->q_bytes_max,
		.msg_lspid = q->q_spid, .msg_lrpid = q->q_rpid,
	};
	ipc_perm_get(o, &out->msg_perm);
	ipc_unlock(o);
	return 0;
}

void
msg_info(struct k_msginfo *out, bool used, int32_t *highest)
{
	struct ipc_view *v = ipc_view();
	struct ipc_ids *ids = &v->iv_ids[IPC_MSG];

	lk_excl(&ids->ii_lk);
	*highest = ids->ii_top == 0 ? 0 : (int32_t)ids->ii_top - 1;
	*out = (struct k_msginfo){
		.msgpool = used ? (int32_t)ids->ii_used : 512000,
		    .msgmap = used ? (int32_t)v->iv_msgs : 16384,
		.msgmax = (int32_t)v->iv_limit[IPC_MSGMAX], .msgmnb = (int32_t)v->iv_limit[IPC_MSGMNB],
		.msgmni = (int32_t)v->iv_limit[IPC_MSGMNI], .msgssz = 16,
		.msgtql = used ? (int32_t)v->iv_msg_bytes : 16384, .msgseg = 0xffff,
	};
	lk_release(&ids->ii_lk);
}
