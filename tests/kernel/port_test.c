/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: order, priority, the synchronous fast path, abort, passing on,
 * and a port that ships them elsewhere, with a link that can be cut.
 */
#include <abi/errno.h>
#include <machine/clock.h>
#include <sys/lwkt/port.h>
#include <sys/time/time.h>

#include "group.h"

static struct port server;

/* ---------------------------------------------------------- one by one -- */

static int
answer_inline(struct port *p, struct msg *m)
{
	(void)p;
	return (int)m->m_op * 2;
}

KTEST(the_fast_path_answers_in_the_callers_context)
{
	struct port fast, reply;
	struct msg m = { .m_op = 21 }, *back;

	port_init_put(&fast, answer_inline, NULL, NULL);
	port_init(&reply);
	KCHECK(port_call(&fast, &m) == 42);
	port_send(&fast, &m, &reply);		/* an asynchronous sender sees an ordinary reply */
	back = port_get(&reply);
	KCHECK(back == &m && m.m_error == 42);
}

KTEST(messages_keep_their_order_and_priority_goes_first)
{
	struct port p, reply;
	struct msg a = { .m_op = 1 }, b = { .m_op = 2 }, urgent = { .m_op = 3, .m_flags = MSG_PRIO };

	port_init(&p);
	port_init(&reply);
	port_send(&p, &a, &reply);
	port_send(&p, &b, &reply);
	port_send(&p, &urgent, &reply);
	KCHECK(port_get(&p) == &urgent);
	KCHECK(port_get(&p) == &a);
	KCHECK(port_get(&p) == &b);
	KCHECK(port_get(&p) == NULL);
}

KTEST(an_abort_takes_back_what_nobody_has_taken)
{
	struct msg first = { .m_op = 1 }, second = { .m_op = 2 };
	struct port p, next, reply;

	port_init(&p);
	port_init(&next);
	port_init(&reply);
	port_send(&p, &first, &reply);
	port_send(&p, &second, &reply);
	msg_abort(&first);
	KCHECK(port_get(&reply) == &first && first.m_error == ECANCELED);
	msg_abort(&first);			/* done: nothing happens */
	KCHECK(port_get(&reply) == NULL);

	KCHECK(port_get(&p) == &second && !msg_aborted(&second));
	msg_abort(&second);			/* taken: a request, and this receiver declines */
	KCHECK(msg_aborted(&second) && port_get(&reply) == NULL);
	msg_reply(&second, 7);
	KCHECK(port_get(&reply) == &second && second.m_error == 7);

	port_send(&p, &first, &reply);		/* it can be sent again */
	KCHECK(port_get(&p) == &first && !msg_aborted(&first));
	msg_abort(&first);
	port_forward(&next, &first);		/* and one that is passed on aborted goes nowhere */
	KCHECK(port_get(&next) == NULL);
	KCHECK(port_get(&reply) == &first && first.m_error == ECANCELED);
}

static struct thread *_Atomic caller;

static void
call_until_interrupted(void *arg)
{
	struct msg m = { .m_op = 1 };

	(void)arg;
	atomic_store(&caller, curthread);
	KCHECK(port_call_until(&server, &m, NSEC_NEVER, WAIT_INTR) == ECANCELED);
	KCHECK(port_call_until(&server, &m, md_now(), 0) == ECANCELED);
	grp_member_ends();
}

KTEST(a_call_can_be_ended_by_an_interrupt_or_a_deadline)
{
	uint32_t turns = 0;

	port_init(&server);
	atomic_store(&caller, NULL);
	grp_begin(1, 1);
	grp_start(1, call_until_interrupted, NULL);
	while (atomic_load(&caller) == NULL) {
		lwkt_yield();
		md_spin(&turns);
	}
	lwkt_interrupt(atomic_load(&caller));
	grp_wait();
	KCHECK(port_get(&server) == NULL);
}

/* ------------------------------------------------------------- in order -- */

#define WINDOW	8u

static uint64_t expected[GROUP_MAX];	/* [server's thread] the next number of each sender */

struct numbered {
	struct msg	m;
	uint64_t	seq;
	uint32_t	sender;
};

static void
serve_all(void *arg)
{
	uint64_t n = (uint64_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < n; i++) {
		struct numbered *q = container_of(port_wait(&server), struct numbered, m);

		KCHECK(q->seq == expected[q->sender]);
		expected[q->sender]++;
		msg_reply(&q->m, (int)(q->seq & 0xff));
	}
	grp_member_ends();
}

/* Sends a window of messages, each from another CPU, and takes the replies. */
static void
wandering_sender(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;
	struct numbered q[WINDOW];
	struct port reply;

	port_init(&reply);
	for (uint64_t i = 0; i < grp.rounds; i += WINDOW) {
		for (uint32_t k = 0; k < WINDOW; k++) {
			q[k] = (struct numbered){ .seq = i + k, .sender = me };
			port_send(&server, &q[k].m, &reply);
			lwkt_migrate((me + (uint32_t)i + k) % cpu_count);
		}
		for (uint32_t k = 0; k < WINDOW; k++) {
			struct numbered *back = container_of(port_wait(&reply), struct numbered, m);

			KCHECK(back == &q[k] && back->m.m_error == (int)(back->seq & 0xff));
		}
	}
	grp_member_ends();
}

static void
calling_sender(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct numbered q = { .seq = i, .sender = me };

		KCHECK(port_call(&server, &q.m) == (int)(i & 0xff));
	}
	grp_member_ends();
}

KTEST(messages_of_a_sender_keep_their_order_although_it_moves)
{
	uint32_t n = rt_min(cpu_count * 2, GROUP_MAX);

	port_init(&server);
	memset(expected, 0, sizeof expected);
	grp_begin(WINDOW * 20, WINDOW * 5000);
	grp_start(cpu_count - 1, serve_all, (void *)(uintptr_t)(n * grp.rounds));
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, i % 3 == 0 ? calling_sender : wandering_sender, (void *)(uintptr_t)i);
	grp_wait();
}

/* --------------------------------------------- taken back and passed on -- */

static struct port second_server;
static _Atomic uint64_t storm_done;

/* Answers some and passes on others, until nothing comes any more: op 0. */
static void
serve_or_forward(void *arg)
{
	for (;;) {
		struct msg *m = port_wait(arg);
		uint32_t op = m->m_op;

		if (op % 3 == 1 && arg == &server)
			port_forward(&second_server, m);
		else
			msg_reply(m, (int)op);
		if (op == 0)
			break;
	}
	grp_member_ends();
}

/* Each message comes back exactly once, whatever it meets on its way. */
static void
abort_storm(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, salt = me * 7919u + 1;
	struct msg q[WINDOW];
	struct port reply;

	port_init(&reply);
	for (uint64_t i = 0; i < grp.rounds; i += WINDOW) {
		uint32_t back = 0;

		for (uint32_t k = 0; k < WINDOW; k++) {
			q[k] = (struct msg){ .m_op = (uint32_t)i * WINDOW + k + 1 };
			port_send(&server, &q[k], &reply);
			salt = salt * 1664525u + 1013904223u;
			msg_abort(&q[(salt >> 16) % (k + 1)]);
		}
		for (uint32_t k = 0; k < WINDOW; k++) {
			struct msg *m = port_wait(&reply);

			KCHECK((back >> (m - q) & 1) == 0);
			KCHECK(m->m_error == ECANCELED || m->m_error == (int)m->m_op);
			back |= 1u << (m - q);
		}
		KCHECK(port_get(&reply) == NULL);
	}
	atomic_fetch_add(&storm_done, 1);
	grp_member_ends();
}

static void
stop_server(struct port *p)
{
	struct msg m = { .m_op = 0 };

	KCHECK(port_call(p, &m) == 0);
}

KTEST(what_is_aborted_on_its_way_is_answered_once)
{
	uint32_t n = rt_min(cpu_count + 1, GROUP_MAX - 2);
	int error;

	port_init(&server);
	port_init(&second_server);
	atomic_store(&storm_done, 0);
	grp_begin(WINDOW * 50, WINDOW * 20000);
	grp_start(1, serve_or_forward, &server);
	grp_start(2, serve_or_forward, &second_server);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, abort_storm, (void *)(uintptr_t)i);
	WAIT_FOR(&grp.q, atomic_load(&storm_done) == n, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
	stop_server(&server);
	stop_server(&second_server);
	grp_wait();
}

/* -------------------------------------------------------------- a proxy -- */

/*
 * A wire to `server`, as a link to another machine would be: what is sent
 * here goes there as another message, an abort follows it, the answers come back by a
 * thread of the wire's, and when the wire is cut each message that is still
 * out is answered with EIO, once; what the server says later is dropped.
 */
#define PARCELS	64u

struct parcel {
	struct msg	msg;
	struct msg	*origin;	/* [w_spin] NULL: answered already */
	uint32_t	users;		/* [w_spin] its answer to come, an abort under way; 0: free */
};
static struct {
	struct port	proxy, answers;
	struct spin	spin;
	struct parcel	parcel[PARCELS], last;
	bool		cut;		/* [spin] */
} wire;

static int
wire_put(struct port *p, struct msg *m)
{
	struct parcel *pc = wire.parcel;
	bool cut;

	(void)p;
	spin_lock(&wire.spin);
	cut = wire.cut;
	while (!cut && pc->users != 0)
		pc++;
	if (!cut)
		*pc = (struct parcel){ .msg.m_op = m->m_op, .origin = m, .users = 1 };
	spin_unlock(&wire.spin);
	if (cut)
		return EIO;
	port_send(&server, &pc->msg, &wire.answers);
	return PORT_ASYNC;
}

static void
parcel_drop(struct parcel *pc)
{
	spin_lock(&wire.spin);
	pc->users--;
	spin_unlock(&wire.spin);
}

static void
wire_abort(struct port *p, struct msg *m)
{
	struct parcel *found = NULL;

	(void)p;
	spin_lock(&wire.spin);
	for (uint32_t i = 0; i < PARCELS && found == NULL; i++)
		if (wire.parcel[i].users != 0 && wire.parcel[i].origin == m)
			found = &wire.parcel[i];
	if (found != NULL)
		found->users++;
	spin_unlock(&wire.spin);
	if (found == NULL)
		return;
	msg_abort(&found->msg);
	parcel_drop(found);
}

static struct msg *
origin_take(struct parcel *pc)
{
	struct msg *m;

	spin_lock(&wire.spin);
	m = pc->origin;
	pc->origin = NULL;
	spin_unlock(&wire.spin);
	return m;
}

static void
wire_thread(void *arg)
{
	uint32_t op;

	(void)arg;
	do {
		struct parcel *pc = container_of(port_wait(&wire.answers), struct parcel, msg);
		struct msg *m = origin_take(pc);

		op = pc->msg.m_op;
		if (m != NULL)
			msg_reply(m, pc->msg.m_error);
		parcel_drop(pc);
	} while (op != 0);
	grp_member_ends();
}

static void
wire_cut(void)
{
	spin_lock(&wire.spin);
	wire.cut = true;
	spin_unlock(&wire.spin);
	for (uint32_t i = 0; i < PARCELS; i++) {
		struct msg *m = origin_take(&wire.parcel[i]);

		if (m != NULL)
			msg_reply(m, EIO);
	}
}

static void
wire_begin(void)
{
	memset(&wire, 0, sizeof wire);
	spin_init(&wire.spin, LR_test);
	port_init(&wire.answers);
	port_init_put(&wire.proxy, wire_put, wire_abort, NULL);
	port_init(&server);
}

KTEST(an_abort_follows_a_message_through_a_proxy)
{
	struct msg m = { .m_op = 1 }, end = { .m_op = 0 };

	wire_begin();
	grp_begin(1, 1);
	grp_start(1, wire_thread, NULL);
	KCHECK(port_call_until(&wire.proxy, &m, md_now(), 0) == ECANCELED);		/* nobody serves */
	KCHECK(port_get(&server) == NULL);
	port_init(&second_server);
	port_send(&wire.proxy, &end, &second_server);
	msg_reply(port_wait(&server), 5);
	KCHECK(port_wait(&second_server) == &end && end.m_error == 5);
	grp_wait();
}

static _Atomic uint64_t answered;

/* Until the wire is cut, and a little longer. */
static void
call_by_wire(void *arg)
{
	int error = 0;

	(void)arg;
	for (uint32_t i = 1; error == 0; i++) {
		struct msg m = { .m_op = i };

		error = port_call(&wire.proxy, &m) - (int)i;
		if (error != 0)
			KCHECK(m.m_error == EIO && port_call(&wire.proxy, &m) == EIO);
		else if (atomic_fetch_add(&answered, 1) % 64 == 0)
			wake_all(&grp.q);
	}
	atomic_fetch_add(&storm_done, 1);
	grp_member_ends();
}

KTEST(a_wire_that_is_cut_answers_all_that_was_out)
{
	uint32_t n = rt_min(cpu_count * 2, PARCELS / 2);
	int error;

	wire_begin();
	port_init(&second_server);
	atomic_store(&storm_done, 0);
	atomic_store(&answered, 0);
	grp_begin(500, 100000);
	grp_start(1, serve_or_forward, &server);
	grp_start(2, serve_or_forward, &second_server);
	grp_start(3, wire_thread, NULL);
	for (uint32_t i = 0; i < n; i++)
		grp_start(i, call_by_wire, NULL);
	WAIT_FOR(&grp.q, atomic_load(&answered) >= grp.rounds, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
	wire_cut();
	WAIT_FOR(&grp.q, atomic_load(&storm_done) == n, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
	stop_server(&second_server);
	port_send(&server, &wire.last.msg, &wire.answers);
	grp_wait();
}
