/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port - messages between threads (DragonFly BSD).
 *
 * A message is memory owned by the sender until sent, by the receiver until
 * replied.  port_send() queues and returns; port_call() waits for the reply,
 * and takes the synchronous fast path when the port's put-function handles
 * the message in the caller's context.  A port may have any put-function:
 * one that ships messages elsewhere makes it a proxy.
 */
#pragma once
#include <core/rt/list.h>
#include <sys/lwkt/wait.h>

struct msg {
	struct list	m_link;		/* [m_port's spin] */
	struct port	*m_port;	/* where it was sent */
	struct port	*m_reply;	/* where the answer goes; NULL: m_waitq of a port_call */
	int		m_error;	/* result, valid when done */
	uint32_t	m_op;		/* the protocol's */
	_Atomic uint32_t m_flags;	/* MSG_* */
};
#define MSG_DONE	1u
#define MSG_SYNC	2u
#define MSG_PRIO	4u
#define MSG_ABORT	8u		/* somebody asks to give up; the receiver may decline */

/* Returns PORT_ASYNC when the message was queued or passed on, else the final result (handled inline). */
#define PORT_ASYNC	(-1)
struct port {
	struct spin	p_spin;
	struct list	p_queue, p_prio;	/* [p_spin] */
	struct waitq	p_waitq;
	int		(*p_put)(struct port *p, struct msg *m);	/* const */
	void		*p_arg;			/* const */
};
void	port_init(struct port *p);		/* queues for one receiving thread */
void	port_init_put(struct port *p, int (*put)(struct port *, struct msg *), void *arg);
void	port_send(struct port *p, struct msg *m, struct port *reply);
int	port_call(struct port *p, struct msg *m);
struct msg *port_get(struct port *p);		/* NULL: none */
struct msg *port_wait(struct port *p);		/* sleeps until there is one */
void	msg_reply(struct msg *m, int error);
void	msg_abort(struct msg *m);
