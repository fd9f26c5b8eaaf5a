/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of AF_UNIX share; unix.c has the theory. */
#pragma once
#include <abi/poll.h>
#include <stdatomic.h>
#include <sys/net/socket.h>
#include <sys/proc/proc.h>
#include <sys/proc/view.h>

/* A name.  Shared by a listening socket and the connections made to it. */
struct unix_addr {
	_Atomic uint32_t ua_refs;
	uint32_t	ua_len;		/* const: of ua_un, as getsockname tells it */
	uint32_t	ua_type;	/* const: SOCK_*; abstract names of each type are apart */
	struct vnode	*ua_vnode;	/* const, held; NULL: abstract */
	struct k_sockaddr_un ua_un;	/* const */
};

enum unix_state { UNIX_CLOSE, UNIX_CONNECTED, UNIX_LISTEN };
#define SHUT_R	1u
#define SHUT_W	2u

struct unix_sock {
	struct socket	u_so;		/* first; so_spin guards what says [spin] */
	_Atomic uint32_t u_refs;
	_Atomic enum unix_state u_state; /* [spin to change] */
	_Atomic uint32_t u_shut;	/* [spin to change] SHUT_R, SHUT_W */
	struct view	*u_view;	/* const, held: who made it, and whose abstract names it knows */
	bool		u_dead;		/* [spin] released: nothing is queued here any more */
	struct unix_sock *u_peer;	/* [spin] held */
	struct unix_sock *u_listener;	/* [spin] not yet accepted: whose connection request we are */
	struct unix_addr *_Atomic u_addr; /* [spin to set, once] held */
	struct list	u_queue;	/* [spin; u_rdlk too, to remove data] of messages */
	_Atomic uint32_t u_qlen;	/* [spin to change] */
	_Atomic uint32_t u_queued;	/* [spin to change] how many messages there ever were */
	uint64_t	u_qbytes;	/* [spin] unread */
	struct unix_msg	*_Atomic u_oob;	/* [spin to change; u_rdlk too, to clear] the urgent byte */
	_Atomic bool	u_reads;	/* [atomic] somebody sleeps in recv: no SIGIO for what comes */
	_Atomic bool	u_no_room;	/* [atomic] a sender found none: SIGIO when there is some again */
	_Atomic uint32_t u_backlog;	/* [spin to change] more messages or requests are too many */
	_Atomic uint32_t u_wmem;	/* [atomic] charged for messages that we sent and nobody has read */
	struct lk	u_rdlk;		/* kept while the first messages are copied to user memory */
	struct waitq	u_rwait;	/* for messages, requests */
	struct waitq	u_wwait;	/* for u_wmem to shrink */
	struct waitq	u_pwait;	/* others, for room in our queue */
	struct list	u_wakers;	/* [spin] connected to us, polling for room in our queue */
	struct list	u_waker;	/* [spin of the peer] on its u_wakers */
	uint32_t	u_bucket;	/* [spin to set, once] 1 + the bucket that u_name is in; 0: none */
	struct list	u_name;		/* [bucket] */
	struct list	u_all;		/* [bucket] of all sockets */
	/* Sockets that travel: unix_rights.c. */
	uint32_t	u_inflight;	/* [rights] how often this socket is in a message */
	struct list	u_travel;	/* [rights] on the list of those with u_inflight > 0 */
	struct list	u_carriers;	/* [rights] messages to us that carry sockets */
	struct list	u_embryos, u_embryo;	/* [rights] requests to us that have carriers; our place */
	_Atomic bool	u_is_embryo;	/* [rights to change] on such a list */
	uint32_t	u_inside;	/* [rights] the collector's: how often in those that travel */
	bool		u_marked;	/* [rights] the collector's: reachable */
};
#define usock(so)	container_of((so), struct unix_sock, u_so)

struct unix_msg {
	struct list	m_link;		/* [queue's spin] */
	uint32_t	m_len, m_off;	/* const; [u_rdlk] what was read of it */
	uint32_t	m_charge;	/* const: to m_from */
	uint32_t	m_units;	/* const: of the memory for all messages */
	struct unix_sock *m_from;	/* const, held; NULL: a connection request */
	struct unix_sock *m_embryo;	/* const, held: the connection; NULL: data */
	bool		m_urgent;	/* const: sent with MSG_OOB */
	bool		m_has_cred;	/* const once queued */
	struct k_ucred	m_cred;		/* const once queued */
	struct scm_files *m_files;	/* [u_rdlk; rights when it carries sockets] */
	struct ucount	*m_user;	/* const: who is charged for m_files */
	uint32_t	m_nsock;	/* const once queued: AF_UNIX sockets among them */
	struct list	m_carrier;	/* [rights] on the target's u_carriers */
	uint8_t		m_data[];
};
/* The place of an urgent byte that was read out of turn.  u_rdlk or the spin is held. */
static inline bool unix_is_mark(const struct unix_msg *m) { return m->m_off == m->m_len; }

/* unix.c */
int	unix_make(uint32_t type, struct unix_sock **out);
void	unix_hold(struct unix_sock *u);
void	unix_drop(struct unix_sock *u);
struct unix_sock *unix_peer_hold(struct unix_sock *u);	/* NULL: none */
void	unix_pair_lock(struct unix_sock *a, struct unix_sock *b);	/* may be the same */
void	unix_pair_unlock(struct unix_sock *a, struct unix_sock *b);
void	unix_changed(struct unix_sock *u);		/* state or shutdown: wake everybody */
void	unix_room(struct unix_sock *u);			/* its queue got shorter */
static inline bool unix_full(struct unix_sock *u) { return u->u_qlen > u->u_backlog; }
bool	unix_writable(struct unix_sock *u);
void	unix_signal(struct unix_sock *u, uint32_t event);	/* SIGIO for what a reader would see */
struct k_ucred unix_who(bool effective);
int	unix_wait_peer(struct unix_sock *other, nsec_t deadline);	/* until its queue is not full */
void	unix_forget_waker(struct unix_sock *u, struct unix_sock *other);

/* unix_name.c */
void	unix_name_init(void);
int	unix_validate(const struct sock_addr *a);
int	unix_bind(struct socket *so, const struct sock_addr *a);
int	unix_autobind(struct unix_sock *u);		/* unless it has a name, or wants no credentials */
/* Of u's type and view; held. */
int	unix_find(struct unix_sock *u, const struct sock_addr *a, struct unix_sock **out);
int	unix_name(struct socket *so, bool peer, struct sock_addr *out);
void	unix_tell_name(struct unix_sock *u, struct sock_addr *out);	/* sa_len 0: unbound */
void	unix_unname(struct unix_sock *u);		/* nobody finds it any more */
void	unix_enlist(struct unix_sock *u);
void	unix_addr_drop(struct unix_addr *a);

/* unix_msg.c */
int	unix_send(struct socket *so, struct sock_msg *sm);
int	unix_recv(struct socket *so, struct sock_msg *sm, uint64_t *n);
int	unix_msg_make(uint32_t len, struct unix_msg **out);	/* without charge */
void	unix_msg_free(struct unix_msg *m);
void	unix_purge(struct unix_sock *u);		/* what is unread */
int	unix_at_mark(struct socket *so, bool *out);
void	unix_msg_init(void);

/* unix_rights.c */
int	unix_rights_attach(struct unix_msg *m, struct scm_files **f);
void	unix_rights_begin(bool sockets);	/* around the queueing of a message, with sockets or not */
void	unix_rights_end(bool sockets);
void	unix_rights_queued(struct unix_msg *m, struct unix_sock *to, struct unix_sock *listener);
struct scm_files *unix_rights_detach(struct unix_msg *m);	/* the caller's; NULL: none */
int	unix_rights_copy(struct unix_msg *m, struct scm_files **out);
void	unix_rights_accepted(struct unix_sock *u);	/* no embryo any more */
void	unix_flush(struct socket *so);
void	unix_rights_init(void);
