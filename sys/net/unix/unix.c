/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix - sockets between the processes of one kernel: how they are made,
 * connected, accepted, shut down and closed.
 *
 * A message is copied from the sender, charged to it, and put on the queue of
 * the receiver; nothing flows anywhere else.  A stream is a queue whose
 * messages may be read in parts.  A connection request is a message too: it
 * brings the socket that will be accepted, which is connected from then on,
 * so a client may send before anybody has accepted.
 *
 * Invariants
 *   U1  whoever can reach a socket without its open file holds it: u_peer,
 *       m_from, m_embryo.  A socket on the tables or on u_wakers is held by
 *       its file or request, which takes it off before it lets go.
 *   U2  u_peer of connected streams and seqpackets points both ways until one
 *       is released.  The other one then keeps its u_peer, which is dead, has
 *       u_shut full, and ECONNRESET in so_error if it was not read to the end.
 *   U3  nothing is queued on a dead socket: who queues looks at u_dead under
 *       the same spin.  So what release takes off the queue is all.
 *   U4  u_wmem is the charge of the messages with m_from == u.
 *   U5  data is taken off a queue by who holds u_rdlk, so the first message
 *       stays while it is copied to the user.  Requests need only the spin,
 *       and release needs only the spin, since nobody reads without a file.
 *   U6  a socket on the u_wakers of another one has it as u_peer.
 *
 * Locking: so_spin of one socket, of two in order of address; u_rdlk before
 * both.  No spin is held while memory is allocated or a user's is touched.
 * Wake-ups come after the change, under the spin or after it.
 * Bounds: a sender's messages by SO_SNDBUF, requests by the backlog, datagrams
 * of strangers by DGRAM_QLEN, messages of all by a quarter of RAM.
 * Not here: peek offsets, time stamps, security labels.
 */
#include "unix_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>

#define DGRAM_QLEN	10u		/* net.unix.max_dgram_qlen */
#define EVENTS_OUT	(POLLOUT | POLLWRNORM | POLLWRBAND)

struct k_ucred
unix_who(bool effective)
{
	const struct cred *cr = cred_current();

	return (struct k_ucred){ curproc->p_pid, effective ? cr->cr_euid : cr->cr_uid,
	    effective ? cr->cr_egid : cr->cr_gid };
}

int
unix_make(uint32_t type, struct unix_sock **out)
{
	struct unix_sock *u = kmalloc(sizeof(*u), KM_ZERO | KM_WAIT);

	if (u == NULL)
		return ENOMEM;
	sock_init(&u->u_so, &unix_family, type, 0);
	atomic_init(&u->u_refs, 1);
	atomic_init(&u->u_backlog, DGRAM_QLEN);
	lk_init(&u->u_rdlk, LR_unix_read);
	waitq_init(&u->u_rwait);
	waitq_init(&u->u_wwait);
	waitq_init(&u->u_pwait);
	list_init(&u->u_queue);
	list_init(&u->u_wakers);
	list_init(&u->u_waker);
	list_init(&u->u_name);
	list_init(&u->u_all);
	list_init(&u->u_travel);
	list_init(&u->u_carriers);
	list_init(&u->u_embryos);
	list_init(&u->u_embryo);
	u->u_view = view_current();
	view_hold(u->u_view);
	unix_enlist(u);
	*out = u;
	return 0;
}

static int
unix_create(uint32_t type, uint32_t protocol, struct socket **out)
{
	struct unix_sock *u;
	int error;

	if (protocol != 0 && protocol != AF_UNIX)
		return EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return ESOCKTNOSUPPORT;
	if ((error = unix_make(type, &u)) == 0)
		*out = &u->u_so;
	return error;
}

void
unix_hold(struct unix_sock *u)
{
	ASSERT(atomic_load(&u->u_refs) > 0);
	atomic_fetch_add(&u->u_refs, 1);
}

void
unix_drop(struct unix_sock *u)
{
	if (atomic_fetch_sub(&u->u_refs, 1) != 1)
		return;
	ASSERT(u->u_dead && u->u_peer == NULL && u->u_wmem == 0 && u->u_inflight == 0);
	ASSERT(list_empty(&u->u_queue) && list_empty(&u->u_wakers) && list_empty(&u->u_waker));
	if (u->u_addr != NULL)
		unix_addr_drop(u->u_addr);
	view_drop(u->u_view);
	kfree(u);
}

struct unix_sock *
unix_peer_hold(struct unix_sock *u)
{
	struct unix_sock *peer;

	spin_lock(&u->u_so.so_spin);
	if ((peer = u->u_peer) != NULL)
		unix_hold(peer);
	spin_unlock(&u->u_so.so_spin);
	return peer;
}

void
unix_pair_lock(struct unix_sock *a, struct unix_sock *b)
{
	spin_lock(a < b ? &a->u_so.so_spin : &b->u_so.so_spin);
	if (a != b)
		spin_lock(a < b ? &b->u_so.so_spin : &a->u_so.so_spin);
}

void
unix_pair_unlock(struct unix_sock *a, struct unix_sock *b)
{
	spin_unlock(a < b ? &b->u_so.so_spin : &a->u_so.so_spin);
	if (a != b)
		spin_unlock(a < b ? &a->u_so.so_spin : &b->u_so.so_spin);
}

void
unix_changed(struct unix_sock *u)
{
	wake_all(&u->u_rwait);
	wake_all(&u->u_wwait);
	poll_notify(&u->u_so.so_poll, 0);
}

void
unix_signal(struct unix_sock *u, uint32_t event)
{
	if (!u->u_reads)
		async_notify(&u->u_so.so_async, event);
}

bool
unix_writable(struct unix_sock *u)
{
	return u->u_state != UNIX_LISTEN && (atomic_load(&u->u_wmem) + 1ull) * 4 <= u->u_so.so_sndbuf;
}

/* Who polls for room may look again.  The spin is held: U1. */
static void
notify_wakers(struct unix_sock *u)
{
	struct unix_sock *w;

	while ((w = list_first(&u->u_wakers, struct unix_sock, u_waker)) != NULL) {
		list_remove(&w->u_waker);
		poll_notify(&w->u_so.so_poll, EVENTS_OUT);
	}
}

void
unix_room(struct unix_sock *u)
{
	wake_all(&u->u_pwait);
	spin_lock(&u->u_so.so_spin);
	notify_wakers(u);
	spin_unlock(&u->u_so.so_spin);
}

void
unix_forget_waker(struct unix_sock *u, struct unix_sock *other)
{
	spin_lock(&other->u_so.so_spin);
	list_remove(&u->u_waker);
	spin_unlock(&other->u_so.so_spin);
}

static bool
no_need_to_wait(struct unix_sock *other)
{
	return !unix_full(other) || (other->u_shut & SHUT_R) != 0;
}

int
unix_wait_peer(struct unix_sock *other, nsec_t deadline)
{
	int error;

	WAIT_FOR(&other->u_pwait, no_need_to_wait(other), deadline, WAIT_INTR, error);
	return sock_wait_error(error, deadline);
}

static int
unix_pair(struct socket *a, struct socket *b)
{
	struct unix_sock *u[2] = { usock(a), usock(b) };

	for (int i = 0; i < 2; i++) {
		unix_hold(u[1 - i]);
		u[i]->u_peer = u[1 - i];
		u[i]->u_state = UNIX_CONNECTED;
		u[i]->u_so.so_peercred = unix_who(true);
	}
	return 0;
}

static int
unix_listen(struct socket *so, uint32_t backlog)
{
	struct unix_sock *u = usock(so);
	bool more;
	int error = 0;

	if (so->so_type == SOCK_DGRAM)
		return EOPNOTSUPP;
	if (u->u_addr == NULL)
		return EINVAL;
	spin_lock(&so->so_spin);
	more = backlog > u->u_backlog;
	if (u->u_state == UNIX_CONNECTED) {
		error = EINVAL;
	} else {
		u->u_backlog = backlog;
		u->u_state = UNIX_LISTEN;
		so->so_peercred = unix_who(true);
		atomic_store(&so->so_listening, true);
	}
	spin_unlock(&so->so_spin);
	if (error == 0 && more)
		wake_all(&u->u_pwait);
	return error;
}

/* ----------------------------------------------------------- connecting -- */

/* Both spins are held: may u connect to other?  EAGAIN: not now; ESTALE: look for the name again. */
static int
may_connect(struct unix_sock *u, struct unix_sock *other)
{
	if (other->u_dead)
		return ESTALE;
	if (other->u_state != UNIX_LISTEN || (other->u_shut & SHUT_R) != 0)
		return ECONNREFUSED;
	if (unix_full(other))
		return EAGAIN;
	if (u->u_state != UNIX_CLOSE)
		return u->u_state == UNIX_CONNECTED ? EISCONN : EINVAL;
	return 0;
}

/* Both spins are held; `new` is known to nobody yet. */
static void
queue_request(struct unix_sock *u, struct unix_sock *other, struct unix_sock *new, struct unix_msg *m)
{
	struct unix_addr *addr = other->u_addr;

	unix_hold(u);
	new->u_peer = u;
	new->u_state = UNIX_CONNECTED;
	new->u_listener = other;
	atomic_fetch_add(&addr->ua_refs, 1);
	new->u_addr = addr;
	new->u_so.so_peercred = unix_who(true);
	atomic_fetch_or(&new->u_so.so_options, other->u_so.so_options & 1u << SO_PASSCRED);
	unix_hold(new);
	u->u_peer = new;
	u->u_state = UNIX_CONNECTED;
	u->u_so.so_peercred = other->u_so.so_peercred;
	m->m_embryo = new;
	list_push_back(&other->u_queue, &m->m_link);
	other->u_qlen++;
}

static int
connect_stream(struct unix_sock *u, const struct sock_addr *a, bool nonblock)
{
	nsec_t deadline = sock_deadline(u->u_so.so_sndtimeo);
	struct unix_sock *other, *new;
	struct unix_msg *m;
	int error;

	if ((error = unix_msg_make(0, &m)) != 0)
		return error;
	if ((error = unix_make(u->u_so.so_type, &new)) != 0) {
		unix_msg_free(m);
		return error;
	}
	do {
		if ((error = unix_find(u, a, &other)) != 0)
			break;
		unix_pair_lock(u, other);
		if ((error = may_connect(u, other)) == 0)
			queue_request(u, other, new, m);
		unix_pair_unlock(u, other);
		if (error == 0) {
			wake_all(&other->u_rwait);
			poll_notify(&other->u_so.so_poll, POLLIN | POLLRDNORM);
			unix_signal(other, POLLIN);
		} else if (error == EAGAIN && !nonblock && (error = unix_wait_peer(other, deadline)) == 0) {
			error = ESTALE;
		}
		unix_drop(other);
	} while (error == ESTALE);
	if (error != 0) {
		unix_msg_free(m);
		unix_family.sf_close(&new->u_so);
	}
	return error;
}

/* The other end is another one now, or none: what it had sent is void, and it learns of it. */
static void
disconnected(struct unix_sock *u, struct unix_sock *old)
{
	bool told = false;

	unix_forget_waker(u, old);
	if (u->u_qlen > 0) {
		unix_purge(u);
		unix_room(u);
		spin_lock(&old->u_so.so_spin);
		told = !old->u_dead && old->u_peer == u;
		if (told)
			atomic_store(&old->u_so.so_error, ECONNRESET);
		spin_unlock(&old->u_so.so_spin);
	}
	if (told)
		unix_changed(old);
}

/* May u send to other: is that nobody's peer but u's?  Spin of other held. */
static bool
may_send(const struct unix_sock *u, const struct unix_sock *other)
{
	return other->u_peer == NULL || other->u_peer == u;
}

static int
connect_dgram(struct unix_sock *u, const struct sock_addr *a)
{
	struct unix_sock *other = NULL, *old = NULL;
	int error = 0;

	do {
		if (a->u.family != AF_UNSPEC && (error = unix_find(u, a, &other)) != 0)
			return error;
		unix_pair_lock(u, other != NULL ? other : u);
		if (other != NULL && other->u_dead)
			error = ESTALE;
		else if (other != NULL && !may_send(u, other))
			error = EPERM;
		else
			error = 0;
		if (error == 0) {
			old = u->u_peer;
			u->u_peer = other;
			u->u_state = other != NULL ? UNIX_CONNECTED : UNIX_CLOSE;
			if (other != NULL)
				other->u_state = UNIX_CONNECTED;
		}
		unix_pair_unlock(u, other != NULL ? other : u);
		if (error != 0)
			unix_drop(other);
	} while (error == ESTALE);
	if (old != NULL) {
		if (old != other)
			disconnected(u, old);
		unix_drop(old);
	}
	return error;
}

static int
unix_connect(struct socket *so, const struct sock_addr *a, bool nonblock)
{
	struct unix_sock *u = usock(so);
	int error;

	if (so->so_type == SOCK_DGRAM && a->sa_len < sizeof(a->u.family))
		return EINVAL;
	if (so->so_type == SOCK_DGRAM && a->u.family == AF_UNSPEC)
		return connect_dgram(u, a);
	if ((error = unix_validate(a)) != 0 || (error = unix_autobind(u)) != 0)
		return error;
	return so->so_type == SOCK_DGRAM ? connect_dgram(u, a) : connect_stream(u, a, nonblock);
}

/* The oldest request; EAGAIN: none. */
static int
take_request(struct unix_sock *u, struct unix_msg **out)
{
	int error = EAGAIN;

	spin_lock(&u->u_so.so_spin);
	if (u->u_state != UNIX_LISTEN) {
		error = EINVAL;
	} else if ((*out = list_first(&u->u_queue, struct unix_msg, m_link)) != NULL) {
		list_remove(&(*out)->m_link);
		u->u_qlen--;
		error = 0;
	}
	spin_unlock(&u->u_so.so_spin);
	return error;
}

static int
unix_accept(struct socket *so, bool nonblock, struct socket **out)
{
	nsec_t deadline = sock_deadline(so->so_rcvtimeo);
	struct unix_sock *u = usock(so), *new;
	struct unix_msg *m;
	int error;

	if (so->so_type == SOCK_DGRAM)
		return EOPNOTSUPP;
	while ((error = take_request(u, &m)) == EAGAIN && !nonblock) {
		if ((u->u_shut & SHUT_R) != 0)
			return EINVAL;
		WAIT_FOR(&u->u_rwait, u->u_qlen > 0 || u->u_shut != 0, deadline, WAIT_INTR, error);
		if ((error = sock_wait_error(error, deadline)) != 0)
			return error;
	}
	if (error != 0)
		return error;
	unix_room(u);
	new = m->m_embryo;
	m->m_embryo = NULL;
	unix_msg_free(m);
	spin_lock(&new->u_so.so_spin);
	new->u_listener = NULL;
	spin_unlock(&new->u_so.so_spin);
	unix_rights_accepted(new);
	*out = &new->u_so;
	return 0;
}

/* --------------------------------------------------------------- ending -- */

static void
shut(struct unix_sock *u, uint32_t how)
{
	spin_lock(&u->u_so.so_spin);
	u->u_shut |= how;
	spin_unlock(&u->u_so.so_spin);
	unix_changed(u);
	wake_all(&u->u_pwait);
}

static int
unix_shutdown(struct socket *so, uint32_t how)
{
	struct unix_sock *u = usock(so), *peer;
	uint32_t mode = how + 1;

	shut(u, mode);
	if (so->so_type == SOCK_DGRAM || (peer = unix_peer_hold(u)) == NULL)
		return 0;
	shut(peer, (mode & SHUT_R) << 1 | (mode & SHUT_W) >> 1);
	if (mode != SHUT_R)
		unix_signal(peer, mode == SHUT_W ? POLLIN : POLLHUP);
	unix_drop(peer);
	return 0;
}

/* What the other end sees of it: U2. */
static void
release_peer(struct unix_sock *u, struct unix_sock *peer, bool reset)
{
	unix_forget_waker(u, peer);
	if (u->u_so.so_type != SOCK_DGRAM) {
		spin_lock(&peer->u_so.so_spin);
		peer->u_shut |= SHUT_R | SHUT_W;
		if (reset)
			atomic_store(&peer->u_so.so_error, ECONNRESET);
		spin_unlock(&peer->u_so.so_spin);
		unix_changed(peer);
		wake_all(&peer->u_pwait);
		unix_signal(peer, POLLHUP);
	}
	unix_drop(peer);
}

/* The place of an urgent byte that was read counts for nothing. */
static bool
something_unread(struct list *queue)
{
	struct unix_msg *m = list_first(queue, struct unix_msg, m_link);

	if (m != NULL && unix_is_mark(m))
		m = list_next(queue, m, struct unix_msg, m_link);
	return m != NULL;
}

static void
unix_release(struct unix_sock *u, bool embryo)
{
	struct list rest;
	struct unix_sock *peer;
	struct unix_msg *m;

	unix_unname(u);
	list_init(&rest);
	spin_lock(&u->u_so.so_spin);
	u->u_dead = true;
	u->u_shut |= SHUT_R | SHUT_W;
	u->u_state = UNIX_CLOSE;
	peer = u->u_peer;
	u->u_peer = NULL;
	u->u_listener = NULL;
	list_splice(&rest, &u->u_queue);
	u->u_qlen = 0;
	u->u_oob = NULL;
	notify_wakers(u);
	spin_unlock(&u->u_so.so_spin);
	wake_all(&u->u_pwait);
	unix_rights_accepted(u);
	if (peer != NULL)
		release_peer(u, peer, something_unread(&rest) || embryo);
	while ((m = list_first(&rest, struct unix_msg, m_link)) != NULL) {
		list_remove(&m->m_link);
		if (m->m_embryo != NULL)
			unix_release(m->m_embryo, true);	/* which has no requests of its own */
		m->m_embryo = NULL;
		unix_msg_free(m);
		lwkt_poll();
	}
	unix_drop(u);
}

static void
unix_close(struct socket *so)
{
	atomic_store(&so->so_file, NULL);
	unix_release(usock(so), false);
}

/* -------------------------------------------------------------- looking -- */

/*
 * May not be written to after all: the receiver of our datagrams has no room,
 * and will tell us when that changes.  U6.
 */
static bool
peer_is_full(struct unix_sock *u)
{
	struct unix_sock *peer = unix_peer_hold(u);
	bool full = false;

	if (peer == NULL)
		return false;
	unix_pair_lock(u, peer);
	if (u->u_peer == peer && !peer->u_dead && peer->u_peer != u && unix_full(peer)) {
		full = true;
		if (list_empty(&u->u_waker))
			list_push_back(&peer->u_wakers, &u->u_waker);
	}
	unix_pair_unlock(u, peer);
	unix_drop(peer);
	return full;
}

static uint32_t
unix_poll(struct socket *so, struct pollnote *note)
{
	struct unix_sock *u = usock(so);
	uint32_t events = 0, closed;
	bool out;

	poll_queue(&so->so_poll, note);
	closed = u->u_shut;
	if (atomic_load(&so->so_error) != 0)
		events |= POLLERR;
	if (closed == (SHUT_R | SHUT_W) || (so->so_type != SOCK_DGRAM && u->u_state == UNIX_CLOSE))
		events |= POLLHUP;
	if ((closed & SHUT_R) != 0)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (u->u_qlen > 0)
		events |= POLLIN | POLLRDNORM;
	if (u->u_oob != NULL)
		events |= POLLPRI;
	out = unix_writable(u);
	if (out && so->so_type != SOCK_STREAM)
		out = !peer_is_full(u);
	return out ? events | EVENTS_OUT : events;
}

static int
unix_unread(struct socket *so, uint32_t *bytes)
{
	struct unix_sock *u = usock(so);
	struct unix_msg *m;
	int error = 0;

	spin_lock(&so->so_spin);
	m = list_first(&u->u_queue, struct unix_msg, m_link);
	if (u->u_state == UNIX_LISTEN)
		error = EINVAL;
	else if (so->so_type == SOCK_DGRAM)
		*bytes = m != NULL ? m->m_len : 0;
	else
		*bytes = (uint32_t)u->u_qbytes;
	spin_unlock(&so->so_spin);
	return error;
}

static uint32_t
unix_unsent(struct socket *so)
{
	return atomic_load(&usock(so)->u_wmem);
}

const struct sock_family unix_family = {
	.sf_domain = AF_UNIX,
	.sf_create = unix_create,
	.sf_pair = unix_pair,
	.sf_bind = unix_bind,
	.sf_listen = unix_listen,
	.sf_connect = unix_connect,
	.sf_accept = unix_accept,
	.sf_name = unix_name,
	.sf_send = unix_send,
	.sf_recv = unix_recv,
	.sf_shutdown = unix_shutdown,
	.sf_poll = unix_poll,
	.sf_unread = unix_unread,
	.sf_unsent = unix_unsent,
	.sf_at_mark = unix_at_mark,
	.sf_flush = unix_flush,
	.sf_close = unix_close,
};

void
net_init(void)
{
	unix_msg_init();
	unix_name_init();
	unix_rights_init();
}
