/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mqueue - POSIX message queues, without their names.
 *
 * Messages are in a tree by priority and age.  Who has to wait stands in a
 * line, and whoever ends the waiting does it all: a sender gives its message
 * to the first receiver in line, a receiver puts the first waiting sender's
 * into the room that it made.  So nobody who comes later gets past.
 *
 * Invariants
 *   Q1  receivers are in line only while there is no message, senders only
 *       while there are q_max.
 *   Q2  who is in line is there exactly while w_done is false; it leaves only
 *       after it held q_spin again, since it lives on its thread's stack.
 *   Q3  q_owner is told, and forgotten, when a message comes into the empty
 *       queue; not when a receiver was in line for it.
 *
 * Locking: q_spin.  Signals are sent, and files told, after it.
 *
 * Bounds: a message and their number by the queue, all queues of a user by
 * RLIMIT_MSGQUEUE, kernel memory as all of System V IPC.
 */
#include "mqueue_int.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/ipc/ipc.h>
#include <sys/lwkt/wait.h>
#include <sys/proc/cred.h>
#include <sys/proc/signal.h>
#include <sys/proc/ucount.h>
#include <sys/time/time.h>

#define HARD_MAX	65536u		/* whatever the limits say */
#define HARD_SIZE	(16u << 20)
#define COST_MESSAGE	48u		/* what Linux charges for each */
#define COST_PRIO	48u		/* ... and for each priority that may occur */

struct mqmsg {
	struct rb_node	m_node;		/* [q_spin] */
	uint64_t	m_serial;	/* [q_spin] */
	uint64_t	m_bytes;	/* const */
	uint32_t	m_prio;		/* const */
	char		m_text[];
};
struct mqwait {
	struct list	w_link;		/* [q_spin] */
	struct mqmsg	*w_msg;		/* [q_spin] a sender's; or what a receiver was given */
	_Atomic bool	w_done;		/* [q_spin to change] Q2 */
	struct waitq	w_waitq;
};
/* A signal that is due. */
struct notice {
	struct proc	*n_proc;	/* held; NULL: none */
	uint32_t	n_execs;
	struct k_sigevent n_event;
};

/* ---------------------------------------------------------------- messages -- */

int
mqmsg_make(uint64_t bytes, uint32_t prio, struct mqmsg **out)
{
	struct mqmsg *m;
	void *p;
	int error;

	ASSERT(bytes <= HARD_SIZE);
	error = ipc_alloc(sizeof(*m) + bytes, &p);
	if (error != 0)
		return error;
	m = p;
	m->m_bytes = bytes;
	m->m_prio = prio;
	*out = m;
	return 0;
}

void *
mqmsg_text(struct mqmsg *m, uint64_t *bytes, uint32_t *prio)
{
	if (bytes != NULL)
		*bytes = m->m_bytes;
	if (prio != NULL)
		*prio = m->m_prio;
	return m->m_text;
}

void
mqmsg_free(struct mqmsg *m)
{
	ipc_free(sizeof(*m) + m->m_bytes, m);
}

/* Behind those that are as urgent.  [q_spin] */
static void
insert(struct mqueue *q, struct mqmsg *m)
{
	struct rb_node **link = &q->q_msgs.rb_root, *parent = NULL;

	ASSERT(q->q_count < q->q_max);
	m->m_serial = q->q_serial++;
	while (*link != NULL) {
		parent = *link;
		link = m->m_prio > rb_entry(parent, struct mqmsg, m_node)->m_prio ? &parent->rb_left :
		    &parent->rb_right;
	}
	rb_insert(&q->q_msgs, &m->m_node, parent, link);
	q->q_count++;
	q->q_bytes += m->m_bytes;
}

/* [q_spin] */
static struct mqmsg *
take(struct mqueue *q)
{
	struct mqmsg *m = rb_entry(rb_first(&q->q_msgs), struct mqmsg, m_node);

	rb_remove(&q->q_msgs, &m->m_node);
	q->q_count--;
	q->q_bytes -= m->m_bytes;
	return m;
}

/* ------------------------------------------------------------------ queues -- */

/* What RLIMIT_MSGQUEUE counts, or EINVAL. */
static int
cost(uint64_t max, uint64_t size, uint64_t *out)
{
	bool may = cred_capable(cred_current(), CAP_SYS_RESOURCE);

	if (max == 0 || size == 0)
		return EINVAL;
	if (max > (may ? HARD_MAX : ipc_limit(IPC_MQ_MAX)) ||
	    size > (may ? HARD_SIZE : ipc_limit(IPC_MQ_SIZE)))
		return EINVAL;
	*out = max * (size + COST_MESSAGE) + rt_min(max, MQ_PRIO_MAX) * COST_PRIO;
	return 0;
}

int
mqueue_make(uint64_t max, uint64_t size, struct mqueue **out)
{
	struct mqueue *q;
	uint64_t bytes;
	void *p;
	int error;

	if (max == 0 && size == 0) {
		max = rt_min(ipc_limit(IPC_MQ_DEFAULT_MAX), ipc_limit(IPC_MQ_MAX));
		size = rt_min(ipc_limit(IPC_MQ_DEFAULT_SIZE), ipc_limit(IPC_MQ_SIZE));
	}
	error = cost(max, size, &bytes);
	if (error == 0)
		error = ipc_alloc(sizeof(*q), &p);
	if (error != 0)
		return error;
	q = p;
	error = ucount_take(UC_MQ_BYTES, bytes,
	    curlwp != NULL ? curproc->p_rlimit[RLIMIT_MSGQUEUE][0] : UINT64_MAX, &q->q_user);
	if (error != 0) {
		ipc_free(sizeof(*q), q);
		return error == EAGAIN ? EMFILE : error;
	}
	spin_init(&q->q_spin, LR_mqueue);
	list_init(&q->q_senders);
	list_init(&q->q_receivers);
	list_init(&q->q_link);
	pollhead_init(&q->q_poll);
	q->q_max = max;
	q->q_size = size;
	q->q_charge = bytes;
	*out = q;
	return 0;
}

void
mqueue_free(struct mqueue *q)
{
	ASSERT(list_empty(&q->q_senders) && list_empty(&q->q_receivers));
	while (q->q_count > 0) {
		mqmsg_free(take(q));
		lwkt_poll();
	}
	if (q->q_owner != NULL)
		proc_drop(q->q_owner);
	ucount_give(q->q_user, UC_MQ_BYTES, q->q_charge);
	ipc_free(sizeof(*q), q);
}

/* ------------------------------------------------------------ notification -- */

/* Nobody is to be told any more.  Returns who was, for the caller to drop.  [q_spin] */
static struct proc *
forget_owner(struct mqueue *q)
{
	struct proc *p = q->q_owner;

	q->q_owner = NULL;
	return p;
}

/* Q3: a message came.  [q_spin] */
static void
notice_take(struct mqueue *q, struct notice *n)
{
	if (q->q_owner == NULL || q->q_count != 1)
		return;
	n->n_execs = q->q_owner_execs;
	n->n_event = q->q_event;
	n->n_proc = forget_owner(q);
}

/* A program that took the place of the one which asked is not told. */
static void
notice_send(struct notice *n)
{
	struct k_siginfo info = { .si_signo = n->n_event.signo, .si_code = SI_MESGQ };

	if (n->n_proc == NULL)
		return;
	if (n->n_event.notify == SIGEV_SIGNAL && n->n_event.signo != 0 && n->n_proc->p_execs == n->n_execs) {
		info.u.rt.pid = curlwp != NULL ? curproc->p_pid : 0;
		info.u.rt.uid = cred_current()->cr_uid;
		info.u.rt.value = n->n_event.value;
		sig_post(n->n_proc, n->n_event.signo, &info);
	}
	proc_drop(n->n_proc);
}

void
mqueue_unnotify(struct mqueue *q, const struct proc *p)
{
	struct proc *was = NULL;

	spin_lock(&q->q_spin);
	if (q->q_owner == p)
		was = forget_owner(q);
	spin_unlock(&q->q_spin);
	if (was != NULL)
		proc_drop(was);
}

int
mqueue_notify(struct mqueue *q, const struct k_sigevent *ev)
{
	int error = EBUSY;

	if (ev == NULL) {
		mqueue_unnotify(q, curproc);
		return 0;
	}
	spin_lock(&q->q_spin);
	if (q->q_owner == NULL) {
		proc_hold(curproc);
		q->q_owner = curproc;
		q->q_owner_execs = curproc->p_execs;
		q->q_event = *ev;
		error = 0;
	}
	spin_unlock(&q->q_spin);
	return error;
}

/* ------------------------------------------------------ sending, receiving -- */

/* The first in line, out of it; NULL: nobody is.  [q_spin] */
static struct mqwait *
first_in(struct list *line)
{
	struct mqwait *w = list_first(line, struct mqwait, w_link);

	if (w != NULL)
		list_remove(&w->w_link);
	return w;
}

/* [q_spin]: Q2 */
static void
served(struct mqwait *w)
{
	w->w_done = true;
	wake_all(&w->w_waitq);
}

/* Stand in line until served.  Called with q_spin, which it gives up. */
static int
wait_in(struct mqueue *q, struct list *line, struct mqwait *w, nsec_t deadline)
{
	struct waiter sleeper;
	int error = 0;

	waitq_init(&w->w_waitq);
	w->w_done = false;
	list_push_back(line, &w->w_link);
	wait_begin(&w->w_waitq, &sleeper);
	spin_unlock(&q->q_spin);
	while (!w->w_done && error == 0)
		error = wait_sleep(&sleeper, deadline, WAIT_INTR);
	wait_end(&sleeper);
	spin_lock(&q->q_spin);
	if (w->w_done)
		error = 0;
	else
		list_remove(&w->w_link);
	spin_unlock(&q->q_spin);
	return error == EINTR ? ERESTARTSYS : error;
}

int
mqueue_send(struct mqueue *q, struct mqmsg *m, bool wait, nsec_t deadline)
{
	struct mqwait w = { .w_msg = m }, *receiver;
	struct notice n = { .n_proc = NULL };

	spin_lock(&q->q_spin);
	if (q->q_count == q->q_max) {
		if (wait)
			return wait_in(q, &q->q_senders, &w, deadline);
		spin_unlock(&q->q_spin);
		return EAGAIN;
	}
	receiver = first_in(&q->q_receivers);
	if (receiver != NULL) {
		receiver->w_msg = m;
		served(receiver);
	} else {
		insert(q, m);
		notice_take(q, &n);
	}
	spin_unlock(&q->q_spin);
	q->q_time = time_wall();
	notice_send(&n);
	if (receiver == NULL)
		poll_notify(&q->q_poll, POLLIN | POLLRDNORM);
	return 0;
}

int
mqueue_receive(struct mqueue *q, bool wait, nsec_t deadline, struct mqmsg **out)
{
	struct mqwait w = { .w_msg = NULL }, *sender;
	int error;

	spin_lock(&q->q_spin);
	if (q->q_count == 0) {
		if (!wait) {
			spin_unlock(&q->q_spin);
			return EAGAIN;
		}
		error = wait_in(q, &q->q_receivers, &w, deadline);
		*out = w.w_msg;
		return error;
	}
	*out = take(q);
	sender = first_in(&q->q_senders);
	if (sender != NULL) {
		insert(q, sender->w_msg);
		served(sender);
	}
	spin_unlock(&q->q_spin);
	q->q_time = time_wall();
	if (sender == NULL)
		poll_notify(&q->q_poll, POLLOUT | POLLWRNORM);
	return 0;
}

/* ------------------------------------------------------------------- state -- */

uint32_t
mqueue_ready(struct mqueue *q, struct pollnote *note)
{
	uint32_t events = 0;

	poll_queue(&q->q_poll, note);
	spin_lock(&q->q_spin);
	if (q->q_count > 0)
		events |= POLLIN | POLLRDNORM;
	if (q->q_count < q->q_max)
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&q->q_spin);
	return events;
}

void
mqueue_attr(struct mqueue *q, struct k_mq_attr *out)
{
	*out = (struct k_mq_attr){ .mq_maxmsg = (int64_t)q->q_max, .mq_msgsize = (int64_t)q->q_size };
	spin_lock(&q->q_spin);
	out->mq_curmsgs = (int64_t)q->q_count;
	spin_unlock(&q->q_spin);
}

size_t
mqueue_text(struct mqueue *q, char buf[MQUEUE_TEXT])
{
	struct k_sigevent ev = { .notify = 0 };
	uint64_t bytes;
	int32_t pid = 0;

	spin_lock(&q->q_spin);
	bytes = q->q_bytes;
	if (q->q_owner != NULL) {
		pid = q->q_owner->p_pid;
		ev = q->q_event;
	}
	spin_unlock(&q->q_spin);
	return (size_t)rt_snprintf(buf, MQUEUE_TEXT, "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
	    (unsigned long long)bytes, ev.notify, pid != 0 && ev.notify == SIGEV_SIGNAL ? ev.signo : 0, pid);
}
