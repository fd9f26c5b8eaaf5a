/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port - messages between threads (DragonFly BSD).
 *
 * A message is memory owned by the sender until sent, by the receiver until
 * replied.  port_send() queues and returns; port_call() waits for the reply,
 * and takes the synchronous fast path when the port's put-function handles
 * the message in the caller's context.  Messages of one sender to one port
 * keep their order, but for MSG_PRIO, wherever the sender goes meanwhile.
 *
 * A port may have any put-function: one that ships messages elsewhere makes
 * it a proxy, and nothing above can tell.
 *
 * A port outlives the messages that are sent to it.  Sending and calling may
 * sleep in a put-function of that kind; an ordinary port_send() and msg_reply()
 * to an ordinary port do not.
 */
#pragma once
#include <core/rt/list.h>
#include <sys/lwkt/wait.h>

struct msg {
	struct list	m_link;		/* [spin of the port in whose queue it is] */
	struct port	*_Atomic m_port; /* [atomic] where it was sent, or passed on to */
	struct port	*m_reply;	/* [owner] where the answer goes */
	int		m_error;	/* [owner] result, valid when done */
	uint32_t	m_op;		/* [owner] the protocol's */
	_Atomic uint32_t m_flags;	/* MSG_*; the sender may set MSG_PRIO beforehand */
};
#define MSG_DONE	1u
#define MSG_SYNC	2u
#define MSG_PRIO	4u
#define MSG_ABORT	8u		/* somebody asks to give up; the receiver may decline */
#define MSG_QUEUED	16u		/* in the queue of m_port */

/* Returns PORT_ASYNC when the message was queued or passed on, else the final result (handled inline). */
#define PORT_ASYNC	(-1)
struct port {
	struct spin	p_spin;
	struct list	p_queue, p_prio;	/* [p_spin] */
	struct waitq	p_waitq;
	struct thread	*p_taker;	/* [p_spin] who took a message last: for debuggers; may have ended */
	int		(*p_put)(struct port *p, struct msg *m);	/* const */
	/* const; NULL or: somebody wants m back, which was put here, is in no queue and may be done by now.  May ignore it. */
	void		(*p_abort)(struct port *p, struct msg *m);
	void		*p_arg;			/* const */
};
void	port_init(struct port *p);		/* queues; for threads that port_wait() */
void	port_init_put(struct port *p, int (*put)(struct port *, struct msg *),
	    void (*abort)(struct port *, struct msg *), void *arg);
void	port_send(struct port *p, struct msg *m, struct port *reply);
int	port_call(struct port *p, struct msg *m);
/* The same, but an interrupt (WAIT_INTR) or the deadline makes it ask for the message back; the answer is awaited all the same. */
int	port_call_until(struct port *p, struct msg *m, nsec_t deadline, uint32_t flags);
void	port_forward(struct port *p, struct msg *m);	/* a receiver passes on what it has not answered */
struct msg *port_get(struct port *p);		/* NULL: none */
struct msg *port_wait(struct port *p);		/* sleeps until there is one */
void	msg_reply(struct msg *m, int error);

/*
 * Ask for a message back.  One that nobody has taken yet is answered with
 * ECANCELED; of others the receiver hears by msg_aborted() and by its port's
 * p_abort.  Whoever asks sees to it that *m stays: it is the sender, or keeps
 * the sender from going on.
 */
void	msg_abort(struct msg *m);
bool	msg_aborted(const struct msg *m);
