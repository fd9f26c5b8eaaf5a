/* SPDX-License-Identifier: BSD-2-Clause */
/* unix - what the tests of AF_UNIX share: names, pairs, control messages, readiness in words. */
#pragma once
#include "t.h"
#include <sys/socket.h>
#include <sys/un.h>

__attribute__((unused)) static socklen_t
u_addr(struct sockaddr_un *un, const char *name, size_t len)
{
	memset(un, 0, sizeof *un);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, name, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* A path, or an abstract name that begins with '@'. */
__attribute__((unused)) static socklen_t
u_name(struct sockaddr_un *un, const char *name)
{
	socklen_t len = u_addr(un, name, strlen(name));

	if (name[0] == '@')
		un->sun_path[0] = '\0';
	return name[0] == '@' ? len : len + 1;
}

__attribute__((unused)) static int
u_bind(int fd, const char *name)
{
	struct sockaddr_un un;
	socklen_t len = u_name(&un, name);

	return bind(fd, (struct sockaddr *)&un, len);
}

__attribute__((unused)) static int
u_connect(int fd, const char *name)
{
	struct sockaddr_un un;
	socklen_t len = u_name(&un, name);

	return connect(fd, (struct sockaddr *)&un, len);
}

__attribute__((unused)) static ssize_t
u_sendto(int fd, const char *name, const void *data, size_t n, int flags)
{
	struct sockaddr_un un;
	socklen_t len = u_name(&un, name);

	return sendto(fd, data, n, flags, (struct sockaddr *)&un, len);
}

__attribute__((unused)) static void
u_show(const char *what, const struct sockaddr_un *un, socklen_t len)
{
	char text[140];
	size_t n = len > 2 ? len - 2 : 0;

	for (size_t i = 0; i < n && i < sizeof text - 1; i++)
		text[i] = ((const char *)un)[2 + i] == '\0' ? '@' : ((const char *)un)[2 + i];
	text[n < sizeof text - 1 ? n : sizeof text - 1] = '\0';
	t_say("%s: len %u family %u \"%s\"", what, len, len >= 2 ? un->sun_family : 0, text);
}

__attribute__((unused)) static void
u_names(const char *what, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	char label[80];

	memset(&ss, 0, sizeof ss);
	snprintf(label, sizeof label, "%s sock", what);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		u_show(label, (struct sockaddr_un *)&ss, len);
	else
		t_say("%s: %s", label, t_errno(errno));
	len = sizeof ss;
	memset(&ss, 0, sizeof ss);
	snprintf(label, sizeof label, "%s peer", what);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0)
		u_show(label, (struct sockaddr_un *)&ss, len);
	else
		t_say("%s: %s", label, t_errno(errno));
}

/* What poll says now. */
__attribute__((unused)) static void
u_poll(const char *what, int fd)
{
	static const struct t_name bits[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLRDHUP, "RDHUP" },
		{ POLLERR, "ERR" }, { POLLHUP, "HUP" }, { POLLRDNORM, "RDNORM" }, { POLLWRNORM, "WRNORM" },
		{ POLLWRBAND, "WRBAND" },
	};
	struct pollfd p = { fd, 0x7fff & ~POLLNVAL, 0 };
	char text[120] = "";

	poll(&p, 1, 0);
	for (size_t i = 0; i < T_COUNT(bits); i++)
		if ((p.revents & bits[i].n_val) != 0)
			strcat(strcat(text, " "), bits[i].n_str);
	t_say("%s:%s", what, text);
}

union u_control {
	struct cmsghdr	h;
	char		bytes[2048];
};

/* Send n bytes with `nfd` descriptors beside them. */
__attribute__((unused)) static ssize_t
u_send_fds(int s, const void *data, size_t n, const int *fds, size_t nfd, int flags)
{
	union u_control c;
	struct iovec iov = { (void *)(uintptr_t)data, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&c, 0, sizeof c);
	if (nfd > 0) {
		c.h.cmsg_len = CMSG_LEN(nfd * sizeof(int));
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&c.h), fds, nfd * sizeof(int));
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
	}
	return sendmsg(s, &m, flags);
}

/* Receive; *nfd: how many descriptors fds has room for, then how many came.  *flags out: msg_flags. */
__attribute__((unused)) static ssize_t
u_recv_fds(int s, void *data, size_t n, int *fds, size_t *nfd, int *flags)
{
	union u_control c;
	struct iovec iov = { data, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
	    .msg_controllen = CMSG_LEN(*nfd * sizeof(int)) };
	ssize_t got;

	memset(&c, 0, sizeof c);
	got = recvmsg(s, &m, *flags);
	*nfd = 0;
	*flags = m.msg_flags;
	if (got >= 0)
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL; h = CMSG_NXTHDR(&m, h))
			if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
				*nfd = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
				memcpy(fds, CMSG_DATA(h), *nfd * sizeof(int));
			}
	return got;
}
