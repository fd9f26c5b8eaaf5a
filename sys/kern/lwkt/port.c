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
 *   M3  MSG_QUEUED changes under the p_spin of m_port: whoever clears it has
 *       the message.  m_link alone does not tell, it may be in a reply port's queue.
 *   M4  MSG_ABORT is set before m_port is looked at, and m_port before
 *       MSG_ABORT is looked at to queue it there.  So one that is passed on
 *       and aborted at once is in no queue in the end.
 */
#include <abi/errno.h>
#include <machine/cpu.h>
#include <stdatomic.h>
#include <sys/lwkt/ktr.h>
#include <sys/lwkt/port.h>
#include <sys/lwkt/thread.h>

static uint32_t
flags_of(const struct msg *m)
{
	return atomic_load_explicit(&m->m_flags, memory_order_acquire);
}

bool
msg_aborted(const struct msg *m)
{
	return (flags_of(m) & MSG_ABORT) != 0;
}

static int
put_queue(struct port *p, struct msg *m)
{
	uint32_t flags;
	bool refuse;

	md_point(MD_PT_PORT, m->m_op);
	spin_lock(&p->p_spin);
	flags = atomic_load_explicit(&m->m_flags, memory_order_seq_cst);
	refuse = (flags & (MSG_ABORT | MSG_DONE)) == MSG_ABORT;			/* M4; a reply always arrives */
	if (!refuse) {
		if ((flags & MSG_DONE) == 0)
			atomic_fetch_or_explicit(&m->m_flags, MSG_QUEUED, memory_order_relaxed);	/* M3 */
		ktr(KTR_MSG_SEND, (uint64_t)m, (uint64_t)p);
		list_push_back((flags & MSG_PRIO) != 0 ? &p->p_prio : &p->p_queue, &m->m_link);
		wake_one(&p->p_waitq);		/* inside: who gets the message may end the port */
	}
	spin_unlock(&p->p_spin);
	return refuse ? ECANCELED : PORT_ASYNC;
}

void
port_init_put(struct port *p, int (*put)(struct port *, struct msg *),
    void (*abort)(struct port *, struct msg *), void *arg)
{
	spin_init(&p->p_spin, LR_port);
	list_init(&p->p_queue);
	list_init(&p->p_prio);
	waitq_init(&p->p_waitq);
	p->p_taker = NULL;
	p->p_put = put;
	p->p_abort = abort;
	p->p_arg = arg;
}

void
port_init(struct port *p)
{
	port_init_put(p, put_queue, NULL, NULL);
}

static void
begin(struct msg *m, struct port *p, struct port *reply, uint32_t sync)
{
	uint32_t keep = atomic_load_explicit(&m->m_flags, memory_order_relaxed) & MSG_PRIO;

	list_init(&m->m_link);
	m->m_reply = reply;
	m->m_error = 0;
	atomic_store_explicit(&m->m_port, p, memory_order_relaxed);
	atomic_store_explicit(&m->m_flags, keep | sync, memory_order_release);	/* M1 */
}

void
port_send(struct port *p, struct msg *m, struct port *reply)
{
	int r;

	ASSERT(reply != NULL);
	begin(m, p, reply, 0);
	r = p->p_put(p, m);
	if (r != PORT_ASYNC)
		msg_reply(m, r);
}

void
port_forward(struct port *p, struct msg *m)
{
	int r;

	ASSERT((flags_of(m) & MSG_DONE) == 0);
	atomic_store_explicit(&m->m_port, p, memory_order_seq_cst);		/* M4 */
	r = p->p_put(p, m);
	if (r != PORT_ASYNC)
		msg_reply(m, r);
}

int
port_call_until(struct port *p, struct msg *m, nsec_t deadline, uint32_t flags)
{
	struct port answer;
	int r, error;

	port_init_put(&answer, put_queue, NULL, m);	/* m: for debuggers */
	begin(m, p, &answer, MSG_SYNC);
	r = p->p_put(p, m);
	if (r != PORT_ASYNC) {
		m->m_error = r;
		atomic_fetch_or_explicit(&m->m_flags, MSG_DONE, memory_order_release);
		return r;
	}
	WAIT_FOR(&answer.p_waitq, (flags_of(m) & MSG_DONE) != 0, deadline, flags, error);
	if (error != 0) {
		msg_abort(m);
		WAIT_FOR(&answer.p_waitq, (flags_of(m) & MSG_DONE) != 0, NSEC_NEVER, 0, error);
	}
	ASSERT(error == 0);
	/* DONE is set under p_spin, which the replier holds until it has left `answer`: wait for that. */
	spin_lock(&answer.p_spin);
	spin_unlock(&answer.p_spin);
	return m->m_error;
}

int
port_call(struct port *p, struct msg *m)
{
	return port_call_until(p, m, NSEC_NEVER, 0);
}

struct msg *
port_get(struct port *p)
{
	struct msg *m;

	spin_lock(&p->p_spin);
	m = list_first(&p->p_prio, struct msg, m_link);
	if (m == NULL)
		m = list_first(&p->p_queue, struct msg, m_link);
	if (m != NULL) {
		ktr(KTR_MSG_TAKE, (uint64_t)m, (uint64_t)p);
		list_remove(&m->m_link);
		p->p_taker = curthread;
		atomic_fetch_and_explicit(&m->m_flags, ~MSG_QUEUED, memory_order_relaxed);	/* M3 */
	}
	spin_unlock(&p->p_spin);
	if (m != NULL)
		md_point(MD_PT_PORT, m->m_op);
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
	uint32_t flags = flags_of(m);

	ASSERT((flags & MSG_DONE) == 0);		/* M2 */
	m->m_error = error;
	ktr(KTR_MSG_REPLY, (uint64_t)m, (uint32_t)error);
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

/* Out of the queue of the port where it is now.  False: it is in none. */
static bool
take_back(struct msg *m)
{
	struct port *p = atomic_load_explicit(&m->m_port, memory_order_seq_cst), *now;
	bool queued;

	for (;; p = now) {
		spin_lock(&p->p_spin);
		now = atomic_load_explicit(&m->m_port, memory_order_relaxed);
		if (now == p)
			break;
		spin_unlock(&p->p_spin);
	}
	queued = (atomic_fetch_and_explicit(&m->m_flags, ~MSG_QUEUED, memory_order_relaxed) & MSG_QUEUED) != 0;
	if (queued)
		list_remove(&m->m_link);
	spin_unlock(&p->p_spin);
	return queued;
}

void
msg_abort(struct msg *m)
{
	struct port *p;

	if ((atomic_fetch_or_explicit(&m->m_flags, MSG_ABORT, memory_order_seq_cst) & MSG_DONE) != 0)	/* M4 */
		return;
	if (take_back(m)) {
		msg_reply(m, ECANCELED);
		return;
	}
	p = atomic_load_explicit(&m->m_port, memory_order_acquire);
	if (p->p_abort != NULL)
		p->p_abort(p, m);
}
