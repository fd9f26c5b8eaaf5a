/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port - messages between threads.
 *
 * A message is sent by handing it to the port's put-function.  That either
 * queues it (or ships it elsewhere) and says PORT_ASYNC, or deals with it at
 * once, in the sender's context, and returns the result: the synchronous
 * fast path, which costs no switch.  port_send() turns such a result into an
 * ordinary reply, so that an asynchronous sender sees no difference.
 *
 * Invariants
 *   M1  MSG_DONE is clear exactly while the receiver owns the message.
 *   M2  every message sent is replied to exactly once; an abort is a request.
 */
#include <stdatomic.h>
#include <sys/lwkt/port.h>
#include <sys/lwkt/thread.h>

static int
put_queue(struct port *p, struct msg *m)
{
	bool prio = (atomic_load_explicit(&m->m_flags, memory_order_relaxed) & MSG_PRIO) != 0;

	spin_lock(&p->p_spin);
	list_push_back(prio ? &p->p_prio : &p->p_queue, &m->m_link);
	spin_unlock(&p->p_spin);
	wake_one(&p->p_waitq);
	return PORT_ASYNC;
}

void
port_init_put(struct port *p, int (*put)(struct port *, struct msg *), void *arg)
{
	spin_init(&p->p_spin, LR_port);
	list_init(&p->p_queue);
	list_init(&p->p_prio);
	waitq_init(&p->p_waitq);
	p->p_put = put;
	p->p_arg = arg;
}

void
port_init(struct port *p)
{
	port_init_put(p, put_queue, NULL);
}

static void
msg_hand_over(struct msg *m, struct port *p, struct port *reply, uint32_t sync)
{
	uint32_t keep = atomic_load_explicit(&m->m_flags, memory_order_relaxed) & MSG_PRIO;

	list_init(&m->m_link);
	m->m_port = p;
	m->m_reply = reply;
	m->m_error = 0;
	atomic_store_explicit(&m->m_flags, keep | sync, memory_order_release);	/* M1 */
}

void
port_send(struct port *p, struct msg *m, struct port *reply)
{
	int r;

	ASSERT(reply != NULL);
	msg_hand_over(m, p, reply, 0);
	r = p->p_put(p, m);
	if (r != PORT_ASYNC)
		msg_reply(m, r);
}

int
port_call(struct port *p, struct msg *m)
{
	struct port answer;
	int r, error;

	port_init(&answer);
	msg_hand_over(m, p, &answer, MSG_SYNC);
	r = p->p_put(p, m);
	if (r != PORT_ASYNC) {
		m->m_error = r;
		atomic_fetch_or_explicit(&m->m_flags, MSG_DONE, memory_order_release);
		return r;
	}
	WAIT_FOR(&answer.p_waitq, (atomic_load_explicit(&m->m_flags, memory_order_acquire) & MSG_DONE) != 0,
	    NSEC_NEVER, 0, error);
	ASSERT(error == 0);
	/* DONE is set under p_spin, which the replier holds until it has left `answer`: wait for that. */
	spin_lock(&answer.p_spin);
	spin_unlock(&answer.p_spin);
	return m->m_error;
}

struct msg *
port_get(struct port *p)
{
	struct msg *m;

	spin_lock(&p->p_spin);
	m = list_first(&p->p_prio, struct msg, m_link);
	if (m == NULL)
		m = list_first(&p->p_queue, struct msg, m_link);
	if (m != NULL)
		list_remove(&m->m_link);
	spin_unlock(&p->p_spin);
	return m;
}

struct msg *
port_wait(struct port *p)
{
	struct msg *m;
	int error;

	WAIT_FOR(&p->p_waitq, (m = port_get(p)) != NULL, NSEC_NEVER, 0, error);
	ASSERT(error == 0);
	return m;
}

void
msg_reply(struct msg *m, int error)
{
	struct port *r = m->m_reply;
	uint32_t flags = atomic_load_explicit(&m->m_flags, memory_order_acquire);

	ASSERT((flags & MSG_DONE) == 0);		/* M2 */
	m->m_error = error;
	if ((flags & MSG_SYNC) != 0) {
		/* *m and *r are the caller's stack: nothing of them may be touched after the unlock. */
		spin_lock(&r->p_spin);
		atomic_fetch_or_explicit(&m->m_flags, MSG_DONE, memory_order_release);
		wake_all(&r->p_waitq);
		spin_unlock(&r->p_spin);
		return;
	}
	atomic_fetch_or_explicit(&m->m_flags, MSG_DONE, memory_order_release);
	r->p_put(r, m);
}

void
msg_abort(struct msg *m)
{
	atomic_fetch_or_explicit(&m->m_flags, MSG_ABORT, memory_order_release);
	wake_all(&m->m_port->p_waitq);
}
