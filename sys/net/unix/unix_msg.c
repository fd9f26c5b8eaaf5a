/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_msg - messages: what they cost, how they are sent and received.
 *
 * A message is charged with what Linux would charge for it, which is not its
 * length, so that as many fit and a poll says the same: a header, and room
 * for the data that grows by powers of two, or by pages where it is long.
 * The memory of all messages together comes from one budget.
 *
 * Invariants
 *   M1  a message that is queued never changes, but for m_off and m_files.
 *   M2  a message is freed by who took it off a queue, or never queued it.
 *   M3  u_oob, the urgent byte of a stream, is the newest that was sent as such and nobody has read or
 *       passed.  What was sent so before it is data like any other.  Read out of turn its message
 *       stays as a mark, without bytes, until a reader passes it; one call never reads across the
 *       byte or the newest mark.
 */
#include "unix_int.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/lwkt/budget.h>
#include <sys/vm/kmem.h>

#define EVENTS_OUT	(POLLOUT | POLLWRNORM | POLLWRBAND)
#define UNIT		256u		/* of the budget */
#define CHARGE_BASE	256u
#define CHARGE_TAIL	320u		/* behind the data, within the power of two */
#define CHARGE_LEAST	512u
#define STREAM_HEAD	3776u		/* how much of a stream's piece lies beside pages, at most */
#define STREAM_PIECE	(STREAM_HEAD + 32768u)
#define DGRAM_HEAD	16064u
#define DGRAM_PAGES	(17u * (uint32_t)PAGE_BYTES)
#define DGRAM_SPARE	32u		/* a datagram is that much less than SO_SNDBUF */

static struct budget_cell memory_cell[CPU_MAX];
static struct budget memory = { .b_cell = memory_cell };

void
unix_msg_init(void)
{
	memory.b_max = md_boot()->b_ram_bytes / 2 / UNIT;
}

static uint32_t
charge(bool stream, uint32_t len)
{
	uint32_t head = stream ? STREAM_HEAD : DGRAM_HEAD, pages = 0, room = CHARGE_LEAST;

	if (len > head)
		pages = (uint32_t)page_round(len - head);
	if (!stream)
		pages = (uint32_t)rt_min(pages, DGRAM_PAGES);
	head = len - (uint32_t)rt_min(pages, len);
	while (room < ((head + 63) & ~63u) + CHARGE_TAIL)
		room *= 2;
	return CHARGE_BASE + room + pages;
}

int
unix_msg_make(uint32_t len, struct unix_msg **out)
{
	uint32_t units = (uint32_t)(sizeof(struct unix_msg) + len + UNIT - 1) / UNIT;
	struct unix_msg *m;

	if (!budget_take(&memory, units))
		return ENOBUFS;
	if ((m = kmalloc(sizeof(*m) + len, KM_WAIT)) == NULL) {
		budget_give(&memory, units);
		return ENOBUFS;
	}
	memset(m, 0, sizeof(*m));
	m->m_len = len;
	m->m_units = units;
	list_init(&m->m_link);
	list_init(&m->m_carrier);
	*out = m;
	return 0;
}

void
unix_msg_free(struct unix_msg *m)
{
	struct unix_sock *from = m->m_from;

	ASSERT(m->m_embryo == NULL);
	scm_files_drop(unix_rights_detach(m));
	if (from != NULL) {
		atomic_fetch_sub(&from->u_wmem, m->m_charge);
		if (unix_writable(from)) {
			wake_all(&from->u_wwait);
			poll_notify(&from->u_so.so_poll, EVENTS_OUT);
			if (from->u_no_room && atomic_exchange(&from->u_no_room, false))
				async_notify(&from->u_so.so_async, POLLOUT);
		}
		unix_drop(from);
	}
	budget_give(&memory, m->m_units);
	kfree(m);
}

/* Off the queue: the spin is held. */
static void
unqueue(struct unix_sock *u, struct unix_msg *m)
{
	list_remove(&m->m_link);
	u->u_qlen--;
	u->u_qbytes -= m->m_len - m->m_off;
}

/* Without u_rdlk: with a message the last reference on anything may go. */
static void
free_all(struct list *l)
{
	struct unix_msg *m;

	while ((m = list_first(l, struct unix_msg, m_link)) != NULL) {
		list_remove(&m->m_link);
		unix_msg_free(m);
		lwkt_poll();
	}
}

void
unix_purge(struct unix_sock *u)
{
	struct list rest;

	list_init(&rest);
	lk_excl(&u->u_rdlk);
	spin_lock(&u->u_so.so_spin);
	list_splice(&rest, &u->u_queue);
	u->u_qlen = 0;
	u->u_qbytes = 0;
	spin_unlock(&u->u_so.so_spin);
	lk_release(&u->u_rdlk);
	free_all(&rest);
}

/* -------------------------------------------------------------- sending -- */

static bool
may_charge(struct unix_sock *u)
{
	return u->u_wmem < u->u_so.so_sndbuf || (u->u_shut & SHUT_W) != 0 || u->u_so.so_error != 0;
}

/* Wait until another message may be charged. */
static int
wait_wmem(struct unix_sock *u, bool nonblock, nsec_t deadline)
{
	int error;

	for (;;) {
		if ((error = sock_take_error(&u->u_so)) != 0)
			return error;
		if ((u->u_shut & SHUT_W) != 0)
			return EPIPE;
		if (u->u_wmem < u->u_so.so_sndbuf)
			return 0;
		atomic_store(&u->u_no_room, true);
		if (nonblock)
			return EAGAIN;
		WAIT_FOR(&u->u_wwait, may_charge(u), deadline, WAIT_INTR, error);
		if (error != 0)
			return sock_wait_error(error, deadline);
	}
}

/* A message of the next len bytes; it takes over the files. */
static int
fill(struct unix_sock *u, struct sock_msg *sm, uint32_t len, nsec_t deadline, struct unix_msg **out)
{
	struct uio before = *sm->sm_uio;
	struct unix_msg *m;
	int error;

	if ((error = wait_wmem(u, (sm->sm_flags & MSG_DONTWAIT) != 0, deadline)) != 0)
		return error;
	if ((error = unix_msg_make(len, &m)) != 0)
		return error;
	m->m_charge = charge(u->u_so.so_type == SOCK_STREAM, len);
	m->m_from = u;
	m->m_has_cred = sm->sm_has_cred;
	m->m_cred = sm->sm_cred;
	unix_hold(u);
	atomic_fetch_add(&u->u_wmem, m->m_charge);
	if ((error = uio_move(m->m_data, len, sm->sm_uio)) == 0)
		error = unix_rights_attach(m, &sm->sm_files);
	if (error != 0) {
		*sm->sm_uio = before;
		unix_msg_free(m);
		return error;
	}
	*out = m;
	return 0;
}

/* Either end wants to know who sends, or nobody can tell yet. */
static void
sign(struct unix_msg *m, struct unix_sock *u, struct unix_sock *other)
{
	if (m->m_has_cred)
		return;
	m->m_has_cred = sock_option(&u->u_so, SO_PASSCRED) || sock_option(&other->u_so, SO_PASSCRED) ||
	    other->u_so.so_file == NULL;
	if (m->m_has_cred)
		m->m_cred = unix_who(false);
}

/*
 * Spin of `other` held.  ESTALE: it is gone.  EAGAIN: a stranger's queue that
 * is full.  Streams know no strangers.
 */
static int
may_queue(struct unix_sock *u, struct unix_sock *other)
{
	bool stream = u->u_so.so_type == SOCK_STREAM;

	if (!stream && other->u_peer != NULL && other->u_peer != u)
		return EPERM;
	if (other->u_dead)
		return ESTALE;
	if ((other->u_shut & SHUT_R) != 0)
		return EPIPE;
	if (!stream && other != u && other->u_peer != u && unix_full(other))
		return EAGAIN;
	return 0;
}

/* m goes to other, or an error and it is still the caller's. */
static int
queue(struct unix_sock *u, struct unix_sock *other, struct unix_msg *m)
{
	bool sockets = m->m_nsock > 0, urgent = m->m_urgent;
	int error;

	sign(m, u, other);
	unix_rights_begin(sockets);
	spin_lock(&other->u_so.so_spin);
	if ((error = may_queue(u, other)) == 0) {
		list_push_back(&other->u_queue, &m->m_link);
		other->u_qlen++;
		other->u_qbytes += m->m_len;
		other->u_queued++;
		if (m->m_urgent)
			other->u_oob = m;
		if (sockets)
			unix_rights_queued(m, other, other->u_listener);
	}
	spin_unlock(&other->u_so.so_spin);
	unix_rights_end(sockets);	/* m is the receiver's now */
	if (error == 0) {
		wake_all(&other->u_rwait);
		poll_notify(&other->u_so.so_poll, POLLIN | POLLRDNORM | (urgent ? POLLPRI : 0));
		if (urgent)
			async_notify(&other->u_so.so_async, POLLPRI);
		unix_signal(other, POLLIN);
	}
	return error;
}

static int
send_stream(struct unix_sock *u, struct sock_msg *sm)
{
	nsec_t deadline = sock_deadline(u->u_so.so_sndtimeo);
	uint64_t wanted = sm->sm_uio->u_resid, left;
	bool urgent = (sm->sm_flags & MSG_OOB) != 0;
	struct unix_sock *other;
	struct unix_msg *m;
	int error = 0;

	if (urgent && wanted == 0)
		return EOPNOTSUPP;
	if (sm->sm_name.sa_len != 0)
		return u->u_state == UNIX_CONNECTED ? EISCONN : EOPNOTSUPP;
	if ((other = unix_peer_hold(u)) == NULL)
		return ENOTCONN;
	if ((u->u_shut & SHUT_W) != 0)
		error = EPIPE;
	while (error == 0 && (left = sm->sm_uio->u_resid) > 0) {
		uint64_t half = u->u_so.so_sndbuf / 2 - 64;
		struct uio before = *sm->sm_uio;

		left -= urgent && left > 1;		/* the last byte is urgent, and goes by itself */
		left = rt_min(rt_min(left, half), STREAM_PIECE);
		if ((error = fill(u, sm, (uint32_t)left, deadline, &m)) != 0)
			break;
		m->m_urgent = urgent && sm->sm_uio->u_resid == 0;
		if ((error = queue(u, other, m)) != 0) {
			*sm->sm_uio = before;
			unix_msg_free(m);
			error = error == ESTALE ? EPIPE : error;
		}
		lwkt_poll();
	}
	unix_drop(other);
	if (error == EPIPE && sm->sm_uio->u_resid == wanted && (sm->sm_flags & MSG_NOSIGNAL) == 0)
		file_signal(SIGPIPE);
	return error;
}

/* The receiver of our datagrams is gone: we have none any more. */
static void
lost(struct unix_sock *u, struct unix_sock *other)
{
	bool was;

	spin_lock(&u->u_so.so_spin);
	was = u->u_peer == other;
	if (was) {
		u->u_peer = NULL;
		u->u_state = UNIX_CLOSE;
	}
	spin_unlock(&u->u_so.so_spin);
	if (!was)
		return;
	unix_forget_waker(u, other);
	unix_purge(u);
	unix_drop(other);
}

static int
send_to(struct unix_sock *u, struct sock_msg *sm, struct unix_msg *m, nsec_t deadline)
{
	bool named = sm->sm_name.sa_len != 0;
	struct unix_sock *other;
	int error;

	do {
		if (!named && (other = unix_peer_hold(u)) == NULL)
			return ENOTCONN;
		if (named && (error = unix_find(u, &sm->sm_name, &other)) != 0)
			return error;
		error = queue(u, other, m);
		if (error == EAGAIN && (sm->sm_flags & MSG_DONTWAIT) == 0) {
			error = unix_wait_peer(other, deadline);
			error = error == 0 ? ERESTART : error;
		} else if (error == ESTALE && named) {
			error = ERESTART;
		} else if (error == ESTALE) {
			error = u->u_so.so_type == SOCK_DGRAM ? ECONNREFUSED : EPIPE;
			if (error == ECONNREFUSED)
				lost(u, other);
		}
		unix_drop(other);
	} while (error == ERESTART);
	return error;
}

static int
send_dgram(struct unix_sock *u, struct sock_msg *sm)
{
	nsec_t deadline = sock_deadline(u->u_so.so_sndtimeo);
	struct uio before = *sm->sm_uio;
	uint64_t len = before.u_resid;
	struct unix_sock *peer;
	struct unix_msg *m;
	int error;

	if (sm->sm_name.sa_len != 0) {
		if ((error = unix_validate(&sm->sm_name)) != 0)
			return error;
	} else {
		if ((peer = unix_peer_hold(u)) == NULL)
			return ENOTCONN;
		unix_drop(peer);
	}
	if ((error = unix_autobind(u)) != 0)
		return error;
	if (len + DGRAM_SPARE > u->u_so.so_sndbuf)
		return EMSGSIZE;
	if ((error = fill(u, sm, (uint32_t)len, deadline, &m)) != 0)
		return error;
	if ((error = send_to(u, sm, m, deadline)) != 0) {
		*sm->sm_uio = before;
		unix_msg_free(m);
	}
	return error;
}

int
unix_send(struct socket *so, struct sock_msg *sm)
{
	struct unix_sock *u = usock(so);
	int error;

	if (so->so_type == SOCK_STREAM)
		return send_stream(u, sm);
	if ((sm->sm_flags & MSG_OOB) != 0)
		return EOPNOTSUPP;
	if (so->so_type == SOCK_SEQPACKET) {
		if ((error = sock_take_error(so)) != 0)
			return error;
		if (u->u_state != UNIX_CONNECTED)
			return ENOTCONN;
		sm->sm_name.sa_len = 0;
	}
	return send_dgram(u, sm);
}

/* ------------------------------------------------------------ receiving -- */

static bool
may_end(struct unix_sock *u)
{
	return (u->u_shut & SHUT_R) != 0 || u->u_so.so_error != 0;
}

static bool
may_read(struct unix_sock *u)
{
	return u->u_qlen > 0 || may_end(u);
}

static void
tell_cred(const struct unix_msg *m, struct sock_msg *sm)
{
	sm->sm_has_cred = true;
	sm->sm_cred = m->m_has_cred ? m->m_cred : (struct k_ucred){ 0, 65534, 65534 };
}

static bool
same_cred(const struct unix_msg *m, const struct sock_msg *sm)
{
	struct sock_msg other;

	tell_cred(m, &other);
	return other.sm_cred.pid == sm->sm_cred.pid && other.sm_cred.uid == sm->sm_cred.uid &&
	    other.sm_cred.gid == sm->sm_cred.gid;
}

static struct unix_msg *
next_of(struct unix_sock *u, struct unix_msg *m)
{
	return list_next(&u->u_queue, m, struct unix_msg, m_link);
}

/* m is passed: the spin is held.  Who only looks leaves it. */
static struct unix_msg *
pass(struct unix_sock *u, struct unix_msg *m, bool peek, struct list *done)
{
	struct unix_msg *next = next_of(u, m);

	if (!peek) {
		unqueue(u, m);
		list_push_back(done, &m->m_link);
	}
	return next;
}

/*
 * The message to read after `after` (NULL: the first).  NULL: none, or (*stop) what has been read
 * ends here: M3.
 */
static struct unix_msg *
next_to_read(struct unix_sock *u, struct unix_msg *after, bool peek, bool some, bool *stop, struct list *done)
{
	bool in_line = sock_option(&u->u_so, SO_OOBINLINE), any;
	struct unix_msg *m;

	spin_lock(&u->u_so.so_spin);
	m = after == NULL ? list_first(&u->u_queue, struct unix_msg, m_link) : next_of(u, after);
	any = m != NULL;
	if (any && unix_is_mark(m))
		m = some && u->u_oob == NULL ? NULL : pass(u, m, peek, done);
	if (m != NULL && m == u->u_oob) {
		if (!some && !peek)
			u->u_oob = NULL;
		if (some)
			m = NULL;
		else if (!in_line)
			m = pass(u, m, peek, done);
	}
	spin_unlock(&u->u_so.so_spin);
	*stop = any && m == NULL && some;
	return m;
}

/* The files of a message that is read, or copies of them. */
static int
take_files(struct unix_msg *m, bool peek, struct sock_msg *sm)
{
	if (m->m_files == NULL)
		return 0;
	if (peek)
		return unix_rights_copy(m, &sm->sm_files);
	sm->sm_files = unix_rights_detach(m);
	return 0;
}

/* What was read of a stream's first message goes; all of it: the message, too, to `done`. */
static void
consume(struct unix_sock *u, struct unix_msg *m, uint32_t n, struct list *done)
{
	spin_lock(&u->u_so.so_spin);
	m->m_off += n;
	u->u_qbytes -= n;
	if (m->m_off == m->m_len) {
		unqueue(u, m);
		list_push_back(done, &m->m_link);
	}
	spin_unlock(&u->u_so.so_spin);
}

/*
 * Bytes of the messages that are there, up to one that brings files, or comes
 * from somebody else where the reader wants to know.  *stop: what follows is
 * for the next call.
 */
static int
read_queue(struct unix_sock *u, struct sock_msg *sm, uint64_t *n, bool *stop, struct list *done)
{
	bool peek = (sm->sm_flags & MSG_PEEK) != 0, brought;
	struct unix_msg *m = NULL;
	uint64_t part;
	int error = 0;

	while (!*stop && (m = next_to_read(u, peek ? m : NULL, peek, *n > 0, stop, done)) != NULL) {
		if (sm->sm_has_cred && !same_cred(m, sm)) {
			*stop = true;
			break;
		}
		if (sock_option(&u->u_so, SO_PASSCRED))
			tell_cred(m, sm);
		if (sm->sm_name.sa_len == 0)
			unix_tell_name(m->m_from, &sm->sm_name);
		part = rt_min(m->m_len - m->m_off, sm->sm_uio->u_resid);
		if ((error = uio_move(m->m_data + m->m_off, part, sm->sm_uio)) != 0)
			break;
		*n += part;
		brought = m->m_files != NULL;
		if ((error = take_files(m, peek, sm)) != 0)
			break;
		if (!peek)
			consume(u, m, (uint32_t)part, done);
		*stop = brought || sm->sm_uio->u_resid == 0;
		lwkt_poll();
	}
	*stop = *stop || (peek && *n > 0);
	return error;
}

/* There was nothing to read: is that the end, or was there an error?  EAGAIN: neither, or more has come. */
static int
at_end(struct unix_sock *u, uint32_t queued, bool *eof)
{
	int error = EAGAIN;

	*eof = false;
	spin_lock(&u->u_so.so_spin);
	if (u->u_queued == queued) {
		error = sock_take_error(&u->u_so);
		*eof = error == 0 && (u->u_shut & SHUT_R) != 0;
		error = error == 0 && !*eof ? EAGAIN : error;
	}
	spin_unlock(&u->u_so.so_spin);
	return error;
}

static int
recv_stream(struct unix_sock *u, struct sock_msg *sm, uint64_t *n)
{
	nsec_t deadline = sock_deadline(u->u_so.so_rcvtimeo);
	uint64_t want = sm->sm_uio->u_resid, target;
	bool stop = false, eof;
	struct list done;
	uint32_t queued;
	int error;

	if (u->u_state != UNIX_CONNECTED)
		return EINVAL;
	target = (sm->sm_flags & MSG_WAITALL) != 0 ? want : rt_min(want, u->u_so.so_rcvlowat);
	target = rt_max(target, 1);
	list_init(&done);
	for (;;) {
		queued = u->u_queued;
		lk_excl(&u->u_rdlk);
		error = read_queue(u, sm, n, &stop, &done);
		lk_release(&u->u_rdlk);
		free_all(&done);
		if (error != 0 || stop || *n >= target)
			return error;
		if ((error = at_end(u, queued, &eof)) != EAGAIN)
			return error;
		if ((sm->sm_flags & MSG_DONTWAIT) != 0)
			return EAGAIN;
		atomic_store(&u->u_reads, true);
		WAIT_FOR(&u->u_rwait, u->u_queued != queued || may_end(u), deadline, WAIT_INTR, error);
		atomic_store(&u->u_reads, false);
		if (error != 0)
			return sock_wait_error(error, deadline);
	}
}

/* MSG_OOB: the urgent byte, out of turn. */
static int
recv_urgent(struct unix_sock *u, struct sock_msg *sm, uint64_t *n)
{
	bool peek = (sm->sm_flags & MSG_PEEK) != 0;
	struct unix_msg *m = NULL, *before;
	struct list done;
	int error = EINVAL;

	if (u->u_state != UNIX_CONNECTED || sock_option(&u->u_so, SO_OOBINLINE))
		return EINVAL;
	list_init(&done);
	lk_excl(&u->u_rdlk);
	spin_lock(&u->u_so.so_spin);
	if ((m = u->u_oob) != NULL && !peek) {
		u->u_oob = NULL;
		u->u_qbytes--;
		m->m_off = m->m_len;
		before = list_prev(&u->u_queue, m, struct unix_msg, m_link);
		if (before != NULL && unix_is_mark(before))
			(void)pass(u, before, false, &done);
	}
	spin_unlock(&u->u_so.so_spin);
	if (m != NULL)
		error = uio_move(m->m_data, rt_min(1, sm->sm_uio->u_resid), sm->sm_uio);
	lk_release(&u->u_rdlk);
	free_all(&done);
	if (error == 0) {
		sm->sm_got |= MSG_OOB;
		*n = 1;
	}
	return error;
}

int
unix_at_mark(struct socket *so, bool *out)
{
	struct unix_sock *u = usock(so);
	struct unix_msg *m;
	bool at;

	if (so->so_type != SOCK_STREAM)
		return EOPNOTSUPP;
	lk_excl(&u->u_rdlk);
	spin_lock(&so->so_spin);
	m = list_first(&u->u_queue, struct unix_msg, m_link);
	at = m != NULL && m == u->u_oob;
	if (m != NULL && unix_is_mark(m))
		at = u->u_oob == NULL || next_of(u, m) == u->u_oob;
	spin_unlock(&so->so_spin);
	lk_release(&u->u_rdlk);
	*out = at;
	return 0;
}

/* A datagram; with MSG_PEEK it stays, and so does u_rdlk.  EAGAIN: none. */
static int
take_dgram(struct unix_sock *u, bool peek, struct unix_msg **out)
{
	int error;

	lk_excl(&u->u_rdlk);
	if ((error = sock_take_error(&u->u_so)) == 0) {
		spin_lock(&u->u_so.so_spin);
		*out = list_first(&u->u_queue, struct unix_msg, m_link);
		if (*out == NULL)
			error = EAGAIN;
		else if (!peek)
			unqueue(u, *out);
		spin_unlock(&u->u_so.so_spin);
	}
	if (!peek || error != 0)
		lk_release(&u->u_rdlk);
	return error;
}

static int
wait_dgram(struct unix_sock *u, bool peek, bool nonblock, struct unix_msg **out)
{
	nsec_t deadline = sock_deadline(u->u_so.so_rcvtimeo);
	bool packets = u->u_so.so_type == SOCK_SEQPACKET;
	int error;

	while ((error = take_dgram(u, peek, out)) == EAGAIN) {
		*out = NULL;
		if ((u->u_shut & SHUT_R) != 0 && u->u_qlen == 0 && (packets || !nonblock))
			return 0;
		if (nonblock)
			return EAGAIN;
		WAIT_FOR(&u->u_rwait, may_read(u), deadline, WAIT_INTR, error);
		if (error != 0)
			return sock_wait_error(error, deadline);
	}
	return error;
}

static int
recv_dgram(struct unix_sock *u, struct sock_msg *sm, uint64_t *n)
{
	bool peek = (sm->sm_flags & MSG_PEEK) != 0;
	struct unix_msg *m = NULL;
	uint64_t part;
	int error;

	if (u->u_so.so_type == SOCK_SEQPACKET && u->u_state != UNIX_CONNECTED)
		return ENOTCONN;
	error = wait_dgram(u, peek, (sm->sm_flags & MSG_DONTWAIT) != 0, &m);
	if (error != 0 || m == NULL)
		return error;
	if (!peek)
		unix_room(u);
	unix_tell_name(m->m_from, &sm->sm_name);
	if (sock_option(&u->u_so, SO_PASSCRED))
		tell_cred(m, sm);
	part = rt_min(m->m_len, sm->sm_uio->u_resid);
	if (part < m->m_len)
		sm->sm_got |= MSG_TRUNC;
	if ((error = uio_move(m->m_data, part, sm->sm_uio)) == 0)
		error = take_files(m, peek, sm);
	*n = (sm->sm_flags & MSG_TRUNC) != 0 ? m->m_len : part;
	if (peek)
		lk_release(&u->u_rdlk);
	else
		unix_msg_free(m);
	return error;
}

int
unix_recv(struct socket *so, struct sock_msg *sm, uint64_t *n)
{
	struct unix_sock *u = usock(so);

	sm->sm_name.sa_len = 0;
	sm->sm_has_cred = false;
	if ((sm->sm_flags & MSG_OOB) != 0)
		return so->so_type == SOCK_STREAM ? recv_urgent(u, sm, n) : EOPNOTSUPP;
	return so->so_type == SOCK_STREAM ? recv_stream(u, sm, n) : recv_dgram(u, sm, n);
}
