/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_socket - system calls on sockets: addresses, messages and options
 * between user memory and the families' operations.
 *
 * A message that was received is told piece by piece: bytes, then the name,
 * then what travelled beside them.  Descriptors that cannot be told of, for
 * want of room or of free numbers, are closed and MSG_CTRUNC says so.
 */
#include "iov.h"
#include "timespec.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/time.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/net/socket.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define CONTROL_MAX	131072u		/* net.core.optmem_max */
#define TYPE_FLAGS	(SOCK_NONBLOCK | SOCK_CLOEXEC)

/* The open file of a socket, held. */
static int
sock_get(int fd, struct file **fp, struct socket **so)
{
	int error = fd_get(fd, fp);

	if (error != 0)
		return error;
	if ((*so = sock_of(*fp)) != NULL)
		return 0;
	error = (atomic_load(&(*fp)->f_flags) & O_PATH) != 0 ? EBADF : ENOTSOCK;
	file_drop(*fp);
	return error;
}

/* What a family has no operation for. */
#define CALL(so, op, ...)	\
	((so)->so_family->op == NULL ? EOPNOTSUPP : (so)->so_family->op((so), __VA_ARGS__))

static int
addr_copyin(struct sock_addr *a, uaddr_t addr, int len)
{
	if (len < 0 || len > (int)SOCKADDR_MAX)
		return EINVAL;
	memset(a, 0, sizeof(*a));
	a->sa_len = (uint32_t)len;
	return len == 0 ? 0 : copyin(&a->u, addr, (size_t)len);
}

static int
addr_copyout(const struct sock_addr *a, uaddr_t addr, uaddr_t ulen)
{
	int32_t room, len = (int32_t)a->sa_len;
	int error;

	if ((error = copyin(&room, ulen, sizeof(room))) != 0)
		return error;
	if (room < 0)
		return EINVAL;
	error = copyout(addr, &a->u, rt_min((uint32_t)room, a->sa_len));
	return error != 0 ? error : copyout(ulen, &len, sizeof(len));
}

/* --------------------------------------------------- making, connecting -- */

int
sys_socket(struct sysmsg *m, int family, uint32_t type, int protocol)
{
	uint32_t flags = type & ~SOCK_TYPE_MASK;
	struct socket *so;
	struct file *fp;
	int error, fd;

	if ((flags & ~TYPE_FLAGS) != 0)
		return EINVAL;
	if ((error = sock_create((uint32_t)family, type & SOCK_TYPE_MASK, (uint32_t)protocol, &so)) != 0)
		return error;
	if ((error = sock_open(so, flags, &fp)) != 0)
		return error;
	if ((error = fd_install(fp, (flags & SOCK_CLOEXEC) != 0, 0, &fd)) == 0)
		m->sm_result = fd;
	return error;
}

/* Both ends as open files. */
static int
make_pair(uint32_t family, uint32_t type, uint32_t protocol, struct file *fp[2])
{
	struct socket *so[2];
	int error;

	if ((error = sock_create(family, type & SOCK_TYPE_MASK, protocol, &so[0])) != 0)
		return error;
	if ((error = sock_create(family, type & SOCK_TYPE_MASK, protocol, &so[1])) != 0) {
		so[0]->so_family->sf_close(so[0]);
		return error;
	}
	if ((error = CALL(so[0], sf_pair, so[1])) != 0) {
		so[0]->so_family->sf_close(so[0]);
		so[1]->so_family->sf_close(so[1]);
		return error;
	}
	if ((error = sock_open(so[0], type, &fp[0])) != 0) {
		so[1]->so_family->sf_close(so[1]);
		return error;
	}
	if ((error = sock_open(so[1], type, &fp[1])) != 0)
		file_drop(fp[0]);
	return error;
}

int
sys_socketpair(struct sysmsg *m, int family, uint32_t type, int protocol, uaddr_t fds)
{
	bool cloexec = (type & SOCK_CLOEXEC) != 0;
	int32_t fd[2] = { -1, -1 };
	struct file *fp[2];
	int error;

	(void)m;
	if ((type & ~SOCK_TYPE_MASK & ~TYPE_FLAGS) != 0)
		return EINVAL;
	if ((error = make_pair((uint32_t)family, type, (uint32_t)protocol, fp)) != 0)
		return error;
	if ((error = fd_install(fp[0], cloexec, 0, &fd[0])) != 0) {
		file_drop(fp[1]);
		return error;
	}
	error = fd_install(fp[1], cloexec, 0, &fd[1]);
	if (error == 0)
		error = copyout(fds, fd, sizeof(fd));
	for (int i = 0; i < 2 && error != 0; i++)
		if (fd[i] >= 0)
			(void)fd_close(fd[i]);
	return error;
}

int
sys_bind(struct sysmsg *m, int fd, uaddr_t addr, int addrlen)
{
	struct sock_addr a;
	struct socket *so;
	struct file *fp;
	int error;

	(void)m;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	if ((error = addr_copyin(&a, addr, addrlen)) == 0)
		error = CALL(so, sf_bind, &a);
	file_drop(fp);
	return error;
}

int
sys_connect(struct sysmsg *m, int fd, uaddr_t addr, int addrlen)
{
	struct sock_addr a;
	struct socket *so;
	struct file *fp;
	int error;

	(void)m;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	if ((error = addr_copyin(&a, addr, addrlen)) == 0)
		error = CALL(so, sf_connect, &a, (atomic_load(&fp->f_flags) & O_NONBLOCK) != 0);
	file_drop(fp);
	return error;
}

int
sys_listen(struct sysmsg *m, int fd, int backlog)
{
	struct socket *so;
	struct file *fp;
	int error;

	(void)m;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	error = CALL(so, sf_listen, (uint32_t)rt_min((uint32_t)backlog, SOMAXCONN));
	file_drop(fp);
	return error;
}

int
sys_accept4(struct sysmsg *m, int fd, uaddr_t addr, uaddr_t addrlen, uint32_t flags)
{
	struct socket *so, *new;
	struct file *fp, *nfp;
	struct sock_addr a;
	int error, nfd;

	if ((flags & ~TYPE_FLAGS) != 0)
		return EINVAL;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	if ((error = fd_room()) == 0)		/* else the connection would be lost */
		error = CALL(so, sf_accept, (atomic_load(&fp->f_flags) & O_NONBLOCK) != 0, &new);
	file_drop(fp);
	if (error == 0)
		error = sock_open(new, flags, &nfp);
	if (error != 0)
		return error;
	if (addr != 0) {
		if (CALL(new, sf_name, true, &a) != 0)
			error = ECONNABORTED;
		else
			error = addr_copyout(&a, addr, addrlen);
	}
	if (error != 0) {
		file_drop(nfp);
		return error;
	}
	if ((error = fd_install(nfp, (flags & SOCK_CLOEXEC) != 0, 0, &nfd)) == 0)
		m->sm_result = nfd;
	return error;
}

int
sys_accept(struct sysmsg *m, int fd, uaddr_t addr, uaddr_t addrlen)
{
	return sys_accept4(m, fd, addr, addrlen, 0);
}

static int
tell_name(int fd, bool peer, uaddr_t addr, uaddr_t addrlen)
{
	struct sock_addr a;
	struct socket *so;
	struct file *fp;
	int error;

	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	if ((error = CALL(so, sf_name, peer, &a)) == 0)
		error = addr_copyout(&a, addr, addrlen);
	file_drop(fp);
	return error;
}

int
sys_getsockname(struct sysmsg *m, int fd, uaddr_t addr, uaddr_t addrlen)
{
	(void)m;
	return tell_name(fd, false, addr, addrlen);
}

int
sys_getpeername(struct sysmsg *m, int fd, uaddr_t addr, uaddr_t addrlen)
{
	(void)m;
	return tell_name(fd, true, addr, addrlen);
}

int
sys_shutdown(struct sysmsg *m, int fd, int how)
{
	struct socket *so;
	struct file *fp;
	int error;

	(void)m;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	error = how < 0 || how > (int)SHUT_RDWR ? EINVAL : CALL(so, sf_shutdown, (uint32_t)how);
	file_drop(fp);
	return error;
}

/* -------------------------------------------------------------- options -- */

int
sys_setsockopt(struct sysmsg *m, int fd, int level, int opt, uaddr_t uval, int len)
{
	union sock_optval val;
	struct socket *so;
	struct file *fp;
	int error;

	(void)m;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	memset(&val, 0, sizeof(val));
	if (len < 0)
		error = EINVAL;
	else if (level != SOL_SOCKET)
		error = EOPNOTSUPP;
	else if ((error = copyin(&val, uval, rt_min((uint32_t)len, sizeof(val)))) == 0)
		error = sock_set_option(so, opt, &val, (uint32_t)len);
	file_drop(fp);
	return error;
}

int
sys_getsockopt(struct sysmsg *m, int fd, int level, int opt, uaddr_t uval, uaddr_t ulen)
{
	union sock_optval val;
	struct socket *so;
	struct file *fp;
	uint32_t len;
	int32_t room;
	int error;

	(void)m;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	error = copyin(&room, ulen, sizeof(room));
	if (error == 0 && level != SOL_SOCKET)
		error = EOPNOTSUPP;
	if (error == 0 && room < 0)
		error = EINVAL;
	if (error == 0)
		error = sock_get_option(so, opt, &val, &len);
	file_drop(fp);
	if (error != 0)
		return error;
	len = (uint32_t)rt_min(len, (uint32_t)room);
	error = copyout(uval, &val, len);
	return error != 0 ? error : copyout(ulen, &len, sizeof(len));
}

/* ------------------------------------------------------------- messages -- */

/* One buffer instead of a vector, a name instead of a message header. */
int
sys_sendto(struct sysmsg *m, int fd, uaddr_t buf, size_t len, uint32_t flags, uaddr_t addr, int addrlen)
{
	struct uio_seg seg = { .base = buf, .len = rt_min(len, IO_MAX) };
	struct uio u = { .u_seg = &seg, .u_nseg = 1, .u_resid = seg.len };
	struct sock_msg sm = { .sm_uio = &u, .sm_flags = flags };
	struct socket *so;
	struct file *fp;
	int error;

	if (!range_possible(buf, seg.len))
		return EFAULT;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	if (addr != 0)
		error = addr_copyin(&sm.sm_name, addr, addrlen);
	if (error == 0)
		error = sock_send(fp, &sm);
	file_drop(fp);
	if (error != 0 && u.u_resid == seg.len)
		return error;
	m->sm_result = (int64_t)(seg.len - u.u_resid);
	return 0;
}

int
sys_recvfrom(struct sysmsg *m, int fd, uaddr_t buf, size_t len, uint32_t flags, uaddr_t addr, uaddr_t addrlen)
{
	struct uio_seg seg = { .base = buf, .len = rt_min(len, IO_MAX) };
	struct uio u = { .u_seg = &seg, .u_nseg = 1, .u_to_user = true, .u_resid = seg.len };
	struct sock_msg sm = { .sm_uio = &u, .sm_flags = flags };
	struct socket *so;
	struct file *fp;
	uint64_t n;
	int error;

	if (!range_possible(buf, seg.len))
		return EFAULT;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	error = sock_recv(fp, &sm, &n);
	scm_files_drop(sm.sm_files);
	file_drop(fp);
	if (error != 0 && n == 0)
		return error;
	if (addr != 0 && (error = addr_copyout(&sm.sm_name, addr, addrlen)) != 0)
		return error;
	m->sm_result = (int64_t)n;
	return 0;
}

/* A message as the user describes it. */
struct user_msg {
	struct k_msghdr	um_hdr;
	struct uio_seg	um_few[IOV_STACK], *um_seg;
	struct uio	um_uio;
	uint64_t	um_total;
	struct sock_msg	um_msg;
};

static int
msg_begin(struct user_msg *um, uaddr_t msg, uint32_t flags, bool to_user)
{
	struct k_msghdr *h = &um->um_hdr;
	int error;

	um->um_seg = um->um_few;
	if ((error = copyin(h, msg, sizeof(*h))) != 0)
		return error;
	if (h->msg_name == 0)
		h->msg_namelen = 0;
	if (h->msg_namelen < 0)
		return EINVAL;
	h->msg_namelen = (int32_t)rt_min((uint32_t)h->msg_namelen, SOCKADDR_MAX);
	um->um_msg = (struct sock_msg){ .sm_uio = &um->um_uio, .sm_flags = flags };
	if (!to_user && (error = addr_copyin(&um->um_msg.sm_name, h->msg_name, h->msg_namelen)) != 0)
		return error;
	if (h->msg_iovlen > UIO_SEG_MAX)
		return EMSGSIZE;
	if ((error = iov_copyin(h->msg_iov, (int)h->msg_iovlen, um->um_few, &um->um_seg, &um->um_total)) != 0)
		return error;
	um->um_uio = (struct uio){ .u_seg = um->um_seg, .u_nseg = (uint32_t)h->msg_iovlen,
	    .u_to_user = to_user, .u_resid = um->um_total };
	return h->msg_controllen > INT32_MAX ? ENOBUFS : 0;
}

static void
msg_end(struct user_msg *um)
{
	if (um->um_seg != um->um_few)
		kfree(um->um_seg);
	scm_files_drop(um->um_msg.sm_files);
}

static int
control_copyin(struct user_msg *um)
{
	uint64_t len = um->um_hdr.msg_controllen;
	uint8_t *buf;
	int error;

	if (len == 0)
		return 0;
	if (len > CONTROL_MAX)
		return ENOBUFS;
	if ((buf = kmalloc(len, KM_WAIT)) == NULL)
		return ENOBUFS;
	if ((error = copyin(buf, um->um_hdr.msg_control, len)) == 0)
		error = scm_parse(buf, len, &um->um_msg);
	kfree(buf);
	return error;
}

static int
send_one(struct file *fp, uaddr_t msg, uint32_t flags, int64_t *result)
{
	struct user_msg um;
	int error;

	um.um_msg.sm_files = NULL;
	error = msg_begin(&um, msg, flags, false);
	if (error == 0)
		error = control_copyin(&um);
	if (error == 0) {
		error = sock_send(fp, &um.um_msg);
		if (um.um_uio.u_resid != um.um_total)
			error = 0;
	}
	if (error == 0)
		*result = (int64_t)(um.um_total - um.um_uio.u_resid);
	msg_end(&um);
	return error;
}

/* sendmsg and recvmsg: `one` of them. */
static int
message(struct sysmsg *m, int fd, uaddr_t msg, uint32_t flags,
    int (*one)(struct file *fp, uaddr_t msg, uint32_t flags, int64_t *result))
{
	struct socket *so;
	struct file *fp;
	int error;

	if ((flags & MSG_CMSG_COMPAT) != 0)
		return EINVAL;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	error = one(fp, msg, flags, &m->sm_result);
	file_drop(fp);
	return error;
}

int
sys_sendmsg(struct sysmsg *m, int fd, uaddr_t msg, uint32_t flags)
{
	return message(m, fd, msg, flags, send_one);
}

int
sys_sendmmsg(struct sysmsg *m, int fd, uaddr_t vec, uint32_t n, uint32_t flags)
{
	struct socket *so;
	struct file *fp;
	int64_t bytes;
	uint32_t i, len;
	int error;

	if ((flags & MSG_CMSG_COMPAT) != 0)
		return EINVAL;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	n = (uint32_t)rt_min(n, UIO_SEG_MAX);
	for (i = 0; i < n && error == 0; i++) {
		uaddr_t at = vec + i * sizeof(struct k_mmsghdr);

		if ((error = send_one(fp, at, flags, &bytes)) != 0)
			break;
		len = (uint32_t)bytes;
		if ((error = copyout(at + offsetof(struct k_mmsghdr, msg_len), &len, sizeof(len))) != 0)
			break;
		lwkt_poll();
	}
	file_drop(fp);
	m->sm_result = i;
	return i > 0 ? 0 : error;
}

/* Where control messages go. */
struct control {
	uaddr_t		c_at;
	uint64_t	c_left;
	struct sock_msg	*c_msg;
};

static void
control_advance(struct control *c, uint64_t bytes)
{
	bytes = rt_min((bytes + 7) & ~7ull, c->c_left);
	c->c_at += bytes;
	c->c_left -= bytes;
}

static int
put_cred(struct control *c)
{
	struct { struct k_cmsghdr h; struct k_ucred cred; } out = {
		{ sizeof(out.h) + sizeof(out.cred), SOL_SOCKET, SCM_CREDENTIALS }, c->c_msg->sm_cred };
	uint64_t len = out.h.cmsg_len;
	int error;

	if (c->c_left < sizeof(out.h)) {
		c->c_msg->sm_got |= MSG_CTRUNC;
		return 0;
	}
	if (c->c_left < len) {
		c->c_msg->sm_got |= MSG_CTRUNC;
		len = out.h.cmsg_len = c->c_left;
	}
	if ((error = copyout(c->c_at, &out, len)) == 0)
		control_advance(c, len);
	return error;
}

static int
put_files(struct control *c)
{
	struct scm_files *f = c->c_msg->sm_files;
	bool cloexec = (c->c_msg->sm_flags & MSG_CMSG_CLOEXEC) != 0;
	struct k_cmsghdr h = { 0, SOL_SOCKET, SCM_RIGHTS };
	uint64_t room = c->c_left > sizeof(h) ? (c->c_left - sizeof(h)) / sizeof(int32_t) : 0;
	uint32_t done = 0, all = f->sf_count;
	int error = 0;

	while (done < rt_min(all, room)) {
		int32_t fd;

		file_hold(f->sf_file[done]);
		if (fd_install(f->sf_file[done], cloexec, 0, &fd) != 0)
			break;
		if (copyout(c->c_at + sizeof(h) + done * sizeof(fd), &fd, sizeof(fd)) != 0) {
			(void)fd_close(fd);
			break;
		}
		done++;
	}
	if (done > 0) {
		h.cmsg_len = sizeof(h) + done * sizeof(int32_t);
		if ((error = copyout(c->c_at, &h, sizeof(h))) == 0)
			control_advance(c, h.cmsg_len);
	}
	if (done < all)
		c->c_msg->sm_got |= MSG_CTRUNC;
	return error;
}

/* After the bytes: the name, the control messages, and what the header says of them. */
static int
tell_rest(struct user_msg *um, uaddr_t msg)
{
	struct control c = { um->um_hdr.msg_control, um->um_hdr.msg_controllen, &um->um_msg };
	struct sock_msg *sm = &um->um_msg;
	uint32_t flags;
	int error = 0;

	if (c.c_at == 0)
		c.c_left = 0;
	if (sm->sm_has_cred)
		error = put_cred(&c);
	if (error == 0 && sm->sm_files != NULL)
		error = put_files(&c);
	if (error == 0 && um->um_hdr.msg_name != 0)
		error = addr_copyout(&sm->sm_name, um->um_hdr.msg_name,
		    msg + offsetof(struct k_msghdr, msg_namelen));
	flags = sm->sm_got | (sm->sm_flags & MSG_CMSG_CLOEXEC);
	if (error == 0)
		error = copyout(msg + offsetof(struct k_msghdr, msg_flags), &flags, sizeof(flags));
	um->um_hdr.msg_controllen = c.c_at - um->um_hdr.msg_control;
	if (error == 0)
		error = copyout(msg + offsetof(struct k_msghdr, msg_controllen), &um->um_hdr.msg_controllen,
		    sizeof(um->um_hdr.msg_controllen));
	return error;
}

static int
recv_one(struct file *fp, uaddr_t msg, uint32_t flags, int64_t *result)
{
	struct user_msg um;
	uint64_t n = 0;
	int error;

	um.um_msg.sm_files = NULL;
	error = msg_begin(&um, msg, flags, true);
	if (error == 0) {
		error = sock_recv(fp, &um.um_msg, &n);
		if (n > 0)
			error = 0;
	}
	if (error == 0)
		error = tell_rest(&um, msg);
	msg_end(&um);
	*result = (int64_t)n;
	return error;
}

int
sys_recvmsg(struct sysmsg *m, int fd, uaddr_t msg, uint32_t flags)
{
	return message(m, fd, msg, flags, recv_one);
}

/* Up to n messages, until the deadline, which is only looked at after one has come. */
static int
recv_many(struct file *fp, uaddr_t vec, uint32_t n, uint32_t flags, nsec_t deadline, uint32_t *got)
{
	uint32_t len, one = flags & MSG_WAITFORONE;
	int64_t bytes;
	int error = 0;

	flags &= ~MSG_WAITFORONE;
	for (*got = 0; *got < n; ) {
		uaddr_t at = vec + *got * sizeof(struct k_mmsghdr);

		if ((error = recv_one(fp, at, flags, &bytes)) != 0)
			break;
		len = (uint32_t)bytes;
		if ((error = copyout(at + offsetof(struct k_mmsghdr, msg_len), &len, sizeof(len))) != 0)
			break;
		(*got)++;
		if (one != 0)
			flags |= MSG_DONTWAIT;
		if (deadline != NSEC_NEVER && time_now() >= deadline)
			break;
		lwkt_poll();
	}
	return error;
}

int
sys_recvmmsg(struct sysmsg *m, int fd, uaddr_t vec, uint32_t n, uint32_t flags, uaddr_t timeout)
{
	struct k_timespec ts;
	nsec_t deadline, now;
	struct socket *so;
	struct file *fp;
	uint32_t got;
	int error;

	if ((flags & MSG_CMSG_COMPAT) != 0)
		return EINVAL;
	if ((error = timeout_copyin(timeout, &deadline)) != 0)
		return error;
	if ((error = sock_get(fd, &fp, &so)) != 0)
		return error;
	error = sock_take_error(so);
	if (error == 0)
		error = recv_many(fp, vec, (uint32_t)rt_min(n, UIO_SEG_MAX), flags, deadline, &got);
	else
		got = 0;
	if (got > 0 && error != 0 && error != EAGAIN && error != EINTR && error < ERESTARTSYS)
		atomic_store(&so->so_error, error);	/* the next call tells it */
	file_drop(fp);
	if (got == 0)
		return error;
	if (deadline != NSEC_NEVER) {
		now = time_now();
		ts = timespec_of(deadline > now ? deadline - now : 0);
		if ((error = copyout(timeout, &ts, sizeof(ts))) != 0)
			return error;
	}
	m->sm_result = got;
	return 0;
}
