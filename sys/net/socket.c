/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket - what all families have in common: the open file, options, the
 * control messages that travel beside data.
 *
 * Invariants
 *   S1  a socket belongs to one open file, or to the family while it has none
 *       (a connection that nobody has accepted).  sf_close is called once.
 *   S2  so_file is set from sock_open() on until the file's end.
 *
 * Locking: so_spin for what the fields say; everything else is atomic.
 * Not here: names, queues, who is connected to whom: the families.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/budget.h>
#include <sys/net/socket.h>
#include <sys/proc/proc.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/kmem.h>

#define SOCK_DEV	8u		/* st_dev of sockets */
#define BUF_MAX		4194304u	/* net.core.wmem_max and rmem_max */
#define SNDBUF_MIN	4608u
#define RCVBUF_MIN	2304u
#define USEC_PER_SEC	1000000
#define NSEC_PER_USEC	1000u

static const struct sock_family *const families[] = { &unix_family };
static struct serial sock_ids;

void
sock_init(struct socket *so, const struct sock_family *f, uint32_t type, uint32_t protocol)
{
	so->so_family = f;
	so->so_type = type;
	so->so_protocol = protocol;
	spin_init(&so->so_spin, LR_socket);
	pollhead_init(&so->so_poll);
	asynchead_init(&so->so_async);
	atomic_init(&so->so_sndbuf, SOCK_BUF_DEFAULT);
	atomic_init(&so->so_rcvbuf, SOCK_BUF_DEFAULT);
	atomic_init(&so->so_rcvlowat, 1);
	atomic_init(&so->so_rcvtimeo, NSEC_NEVER);
	atomic_init(&so->so_sndtimeo, NSEC_NEVER);
	so->so_peercred = (struct k_ucred){ 0, UINT32_MAX, UINT32_MAX };
	so->so_id = serial_next(&sock_ids);
	so->so_time = time_wall();
}

int
sock_take_error(struct socket *so)
{
	return atomic_load(&so->so_error) == 0 ? 0 : atomic_exchange(&so->so_error, 0);
}

nsec_t
sock_deadline(nsec_t timeout)
{
	return timeout == NSEC_NEVER ? NSEC_NEVER : time_now() + timeout;
}

int
sock_wait_error(int error, nsec_t deadline)
{
	if (error == ETIMEDOUT)
		return EAGAIN;
	/* With a timeout the call cannot begin again: it would wait longer. */
	return error == EINTR && deadline == NSEC_NEVER ? ERESTARTSYS : error;
}

int
sock_create(uint32_t domain, uint32_t type, uint32_t protocol, struct socket **out)
{
	if (domain >= AF_MAX)
		return EAFNOSUPPORT;
	if (type >= SOCK_MAX)
		return EINVAL;
	for (size_t i = 0; i < countof(families); i++)
		if (families[i]->sf_domain == domain)
			return families[i]->sf_create(type, protocol, out);
	return EAFNOSUPPORT;
}

/* ---------------------------------------------------------------- files -- */

int
sock_send(struct file *fp, struct sock_msg *m)
{
	struct socket *so = fp->f_data;

	if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		m->sm_flags |= MSG_DONTWAIT;
	return so->so_family->sf_send(so, m);
}

int
sock_recv(struct file *fp, struct sock_msg *m, uint64_t *n)
{
	struct socket *so = fp->f_data;

	*n = 0;
	if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		m->sm_flags |= MSG_DONTWAIT;
	return so->so_family->sf_recv(so, m, n);
}

static int
sock_read(struct file *fp, struct uio *u)
{
	struct sock_msg m = { .sm_uio = u };
	uint64_t n;
	int error;

	if (u->u_resid == 0)
		return 0;
	error = sock_recv(fp, &m, &n);
	scm_files_drop(m.sm_files);	/* there is no place for them */
	return error;
}

static int
sock_write(struct file *fp, struct uio *u)
{
	struct sock_msg m = { .sm_uio = u };

	return sock_send(fp, &m);
}

static uint32_t
sock_poll(struct file *fp, struct pollnote *note)
{
	struct socket *so = fp->f_data;

	return so->so_family->sf_poll(so, note);
}

static int
sock_at_mark(struct socket *so, uint32_t *out)
{
	bool at = false;
	int error = so->so_family->sf_at_mark != NULL ? so->so_family->sf_at_mark(so, &at) : EOPNOTSUPP;

	*out = at;
	return error;
}

static int
sock_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct socket *so = fp->f_data;
	uint32_t bytes;
	int32_t owner;
	int error = 0;

	(void)result;
	if (cmd == FIOSETOWN || cmd == SIOCSPGRP) {
		error = copyin(&owner, arg, sizeof(owner));
		return error != 0 ? error : async_set_owner_nr(fp, owner);
	}
	if (cmd == FIOGETOWN || cmd == SIOCGPGRP)
		bytes = (uint32_t)async_owner_nr(fp);
	else if (cmd == SIOCATMARK)
		error = sock_at_mark(so, &bytes);
	else if (cmd == FIONREAD)
		error = so->so_family->sf_unread(so, &bytes);
	else if (cmd == SIOCOUTQ)
		bytes = so->so_family->sf_unsent(so);
	else
		return ENOTTY;
	return error != 0 ? error : copyout(arg, &bytes, sizeof(bytes));
}

static struct asynchead *
sock_async(struct file *fp)
{
	struct socket *so = fp->f_data;

	return &so->so_async;
}

static int
sock_stat(struct file *fp, struct k_stat *st)
{
	struct socket *so = fp->f_data;

	memset(st, 0, sizeof(*st));
	st->st_dev = SOCK_DEV;
	st->st_ino = so->so_id;
	st->st_nlink = 1;
	st->st_mode = S_IFSOCK | 0777;
	st->st_uid = fp->f_cred != NULL ? fp->f_cred->cr_fsuid : 0;
	st->st_gid = fp->f_cred != NULL ? fp->f_cred->cr_fsgid : 0;
	st->st_blksize = (int64_t)PAGE_BYTES;
	st->st_atim.tv_sec = (int64_t)(so->so_time / NSEC_PER_SEC);
	st->st_atim.tv_nsec = (int64_t)(so->so_time % NSEC_PER_SEC);
	st->st_mtim = st->st_ctim = st->st_atim;
	return 0;
}

static void
sock_flush(struct file *fp, struct proc *p)
{
	struct socket *so = fp->f_data;

	(void)p;
	if (so->so_family->sf_flush != NULL)
		so->so_family->sf_flush(so);
}

static void
sock_close(struct file *fp)
{
	struct socket *so = fp->f_data;

	so->so_family->sf_close(so);
}

static const struct file_ops sock_file_ops = {
	.fo_read = sock_read,
	.fo_write = sock_write,
	.fo_poll = sock_poll,
	.fo_ioctl = sock_ioctl,
	.fo_async = sock_async,
	.fo_stat = sock_stat,
	.fo_close = sock_close,
	.fo_flush = sock_flush,
};

int
sock_open(struct socket *so, uint32_t flags, struct file **out)
{
	int error = file_create(&sock_file_ops, O_RDWR | (flags & O_NONBLOCK), so, out);

	if (error != 0)
		so->so_family->sf_close(so);
	else
		atomic_store(&so->so_file, *out);
	return error;
}

struct socket *
sock_of(struct file *fp)
{
	return fp->f_ops == &sock_file_ops ? fp->f_data : NULL;
}

/* -------------------------------------------------------------- options -- */

static uint32_t
buf_size(int32_t val, uint32_t max, uint32_t min)
{
	uint64_t wanted = rt_min((uint32_t)val, max) * 2;

	return (uint32_t)rt_max(wanted, min);
}

static int
set_timeout(_Atomic nsec_t *t, const int64_t *tv, uint32_t len)
{
	if (len < 2 * sizeof(*tv))
		return EINVAL;
	if (tv[1] < 0 || tv[1] >= USEC_PER_SEC)
		return EDOM;
	if (tv[0] < 0)
		atomic_store(t, 1);		/* over before it began */
	else if ((tv[0] == 0 && tv[1] == 0) || (uint64_t)tv[0] >= INT64_MAX / NSEC_PER_SEC)
		atomic_store(t, NSEC_NEVER);
	else
		atomic_store(t, (nsec_t)tv[0] * NSEC_PER_SEC + (nsec_t)tv[1] * NSEC_PER_USEC);
	return 0;
}

static int
set_linger(struct socket *so, const struct k_linger *l, uint32_t len)
{
	if (len < sizeof(*l))
		return EINVAL;
	spin_lock(&so->so_spin);
	so->so_linger.l_onoff = l->l_onoff != 0;
	if (l->l_onoff != 0)
		so->so_linger.l_linger = l->l_linger;
	spin_unlock(&so->so_spin);
	return 0;
}

static int
set_switch(struct socket *so, int opt, bool on)
{
	if (opt == SO_DEBUG && on && !cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EACCES;
	if (opt == SO_REUSEPORT && on)
		return EOPNOTSUPP;	/* of families without ports */
	if (on)
		atomic_fetch_or(&so->so_options, 1u << opt);
	else
		atomic_fetch_and(&so->so_options, ~(1u << opt));
	return 0;
}

int
sock_set_option(struct socket *so, int opt, const void *val, uint32_t len)
{
	bool force = opt == SO_SNDBUFFORCE || opt == SO_RCVBUFFORCE;
	int32_t i;

	if (len < sizeof(i))
		return EINVAL;
	memcpy(&i, val, sizeof(i));
	if (force && !cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EPERM;
	switch (opt) {
	case SO_DEBUG: case SO_REUSEADDR: case SO_DONTROUTE: case SO_BROADCAST: case SO_KEEPALIVE:
	case SO_OOBINLINE: case SO_REUSEPORT: case SO_PASSCRED:
		return set_switch(so, opt, i != 0);
	case SO_SNDBUF: case SO_SNDBUFFORCE:
		atomic_store(&so->so_sndbuf, buf_size(i, BUF_MAX, SNDBUF_MIN));
		return 0;
	case SO_RCVBUF: case SO_RCVBUFFORCE:
		atomic_store(&so->so_rcvbuf, buf_size(i, BUF_MAX, RCVBUF_MIN));
		return 0;
	case SO_RCVLOWAT:
		atomic_store(&so->so_rcvlowat, i < 0 ? INT32_MAX : i == 0 ? 1 : (uint32_t)i);
		return 0;
	case SO_PRIORITY:
		if ((i < 0 || i > 6) && !cred_capable(cred_current(), CAP_SYS_ADMIN))
			return EPERM;
		atomic_store(&so->so_priority, (uint32_t)i);
		return 0;
	case SO_LINGER:
		return set_linger(so, val, len);
	case SO_RCVTIMEO:
		return set_timeout(&so->so_rcvtimeo, val, len);
	case SO_SNDTIMEO:
		return set_timeout(&so->so_sndtimeo, val, len);
	default:
		return ENOPROTOOPT;
	}
}

static void
get_timeout(nsec_t t, union sock_optval *val)
{
	t = t == NSEC_NEVER ? 0 : t;
	val->time[0] = (int64_t)(t / NSEC_PER_SEC);
	val->time[1] = (int64_t)(t % NSEC_PER_SEC / NSEC_PER_USEC);
}

int
sock_get_option(struct socket *so, int opt, union sock_optval *val, uint32_t *len)
{
	*len = sizeof(val->i);
	switch (opt) {
	case SO_DEBUG: case SO_REUSEADDR: case SO_DONTROUTE: case SO_BROADCAST: case SO_KEEPALIVE:
	case SO_OOBINLINE: case SO_REUSEPORT: case SO_PASSCRED:
		val->i = sock_option(so, opt);
		return 0;
	case SO_TYPE:		val->i = (int32_t)so->so_type; return 0;
	case SO_DOMAIN:		val->i = (int32_t)so->so_family->sf_domain; return 0;
	case SO_PROTOCOL:	val->i = (int32_t)so->so_protocol; return 0;
	case SO_ERROR:		val->i = sock_take_error(so); return 0;
	case SO_SNDBUF:		val->i = (int32_t)atomic_load(&so->so_sndbuf); return 0;
	case SO_RCVBUF:		val->i = (int32_t)atomic_load(&so->so_rcvbuf); return 0;
	case SO_RCVLOWAT:	val->i = (int32_t)atomic_load(&so->so_rcvlowat); return 0;
	case SO_SNDLOWAT:	val->i = 1; return 0;
	case SO_PRIORITY:	val->i = (int32_t)atomic_load(&so->so_priority); return 0;
	case SO_ACCEPTCONN:	val->i = atomic_load(&so->so_listening); return 0;
	case SO_RCVTIMEO: case SO_SNDTIMEO:
		*len = sizeof(val->time);
		get_timeout(atomic_load(opt == SO_RCVTIMEO ? &so->so_rcvtimeo : &so->so_sndtimeo), val);
		return 0;
	case SO_LINGER: case SO_PEERCRED:
		*len = opt == SO_LINGER ? sizeof(val->linger) : sizeof(val->cred);
		spin_lock(&so->so_spin);
		if (opt == SO_LINGER)
			val->linger = so->so_linger;
		else
			val->cred = so->so_peercred;
		spin_unlock(&so->so_spin);
		return 0;
	default:
		return ENOPROTOOPT;
	}
}

/* ----------------------------------------------------- control messages -- */

struct scm_files *
scm_files_make(const struct scm_files *old, uint64_t more)
{
	uint64_t have = old != NULL ? old->sf_count : 0;
	struct scm_files *f = kmalloc(sizeof(*f) + (have + more) * sizeof(f->sf_file[0]), KM_WAIT);

	if (f == NULL)
		return NULL;
	f->sf_next = NULL;
	f->sf_count = (uint32_t)have;
	if (have > 0)
		memcpy(f->sf_file, old->sf_file, have * sizeof(f->sf_file[0]));
	return f;
}

static int
parse_files(const uint8_t *data, uint64_t bytes, struct sock_msg *m)
{
	uint64_t n = bytes / sizeof(int32_t), have = m->sm_files != NULL ? m->sm_files->sf_count : 0;
	struct scm_files *f;
	int32_t fd;
	int error;

	if (n == 0)
		return 0;
	if (n > SCM_MAX_FD - have)
		return EINVAL;
	if ((f = scm_files_make(m->sm_files, n)) == NULL)
		return ENOMEM;
	kfree(m->sm_files);
	m->sm_files = f;
	for (uint64_t i = 0; i < n; i++) {
		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		if ((error = fd_get(fd, &f->sf_file[f->sf_count])) != 0)
			return error;
		f->sf_count++;
	}
	return 0;
}

static bool
is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == a || id == b || id == c;
}

/* Whoever says who he is must be it, or be allowed to lie. */
static int
parse_cred(const uint8_t *data, uint64_t bytes, struct sock_msg *m)
{
	const struct cred *cr = cred_current();
	struct k_ucred c;
	struct proc *p;

	if (bytes != sizeof(c))
		return EINVAL;
	memcpy(&c, data, sizeof(c));
	if (c.uid == UINT32_MAX || c.gid == UINT32_MAX)
		return EINVAL;
	if ((c.pid != curproc->p_pid && !cred_capable(cr, CAP_SYS_ADMIN)) ||
	    (!is_one_of(c.uid, cr->cr_uid, cr->cr_euid, cr->cr_suid) && !cred_capable(cr, CAP_SETUID)) ||
	    (!is_one_of(c.gid, cr->cr_gid, cr->cr_egid, cr->cr_sgid) && !cred_capable(cr, CAP_SETGID)))
		return EPERM;
	if ((p = proc_find(c.pid)) == NULL)
		return ESRCH;
	proc_drop(p);
	m->sm_cred = c;
	m->sm_has_cred = true;
	return 0;
}

int
scm_parse(const uint8_t *buf, uint64_t len, struct sock_msg *m)
{
	struct k_cmsghdr h;
	uint64_t room;
	int error;

	for (uint64_t at = 0; at + sizeof(h) <= len; at += (h.cmsg_len + 7) & ~7ull) {
		memcpy(&h, buf + at, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > len - at)
			return EINVAL;
		if (h.cmsg_level != SOL_SOCKET)
			continue;
		room = h.cmsg_len - sizeof(h);
		if (h.cmsg_type == SCM_RIGHTS)
			error = parse_files(buf + at + sizeof(h), room, m);
		else if (h.cmsg_type == SCM_CREDENTIALS)
			error = parse_cred(buf + at + sizeof(h), room, m);
		else
			error = EINVAL;
		if (error != 0)
			return error;
	}
	return 0;
}
