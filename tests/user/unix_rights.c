/* SPDX-License-Identifier: BSD-2-Clause */
/* SCM_RIGHTS and SCM_CREDENTIALS - what travels beside the bytes, what is cut off, who may say what. */
#include "unix.h"

static char buf[4096];

static void
got(const char *what, int s, size_t n, size_t room, int flags)
{
	int fds[300];
	ssize_t r = u_recv_fds(s, buf, n, fds, &room, &flags);

	if (r < 0)
		t_say("%s: %s", what, t_errno(errno));
	else
		t_say("%s: %zd bytes, %zu files, flags %#x", what, r, room, (unsigned)flags);
	for (size_t i = 0; r >= 0 && i < room; i++) {
		struct stat st;

		if (i < 3)
			t_say("  fstat %d cloexec %d mode %o", fstat(fds[i], &st), fcntl(fds[i], F_GETFD),
			    st.st_mode);
		close(fds[i]);
	}
}

static void
rights(int type)
{
	int s[2], p[2], many[254], gone = 900;

	t_need(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0 && pipe(p) == 0, "pair");
	T(u_send_fds(s[0], "a", 1, p, 2, 0));
	got("two", s[1], 10, 10, 0);
	T(u_send_fds(s[0], "b", 1, p, 2, 0));
	got("cloexec", s[1], 10, 10, MSG_CMSG_CLOEXEC);
	T(u_send_fds(s[0], "cc", 2, p, 2, 0));
	got("peek", s[1], 10, 10, MSG_PEEK);
	got("room for one", s[1], 10, 1, 0);
	T(u_send_fds(s[0], "dd", 2, p, 2, 0));
	T(read(s[1], buf, 1));
	got("the rest", s[1], 10, 10, 0);
	T(u_send_fds(s[0], "e", 1, &gone, 1, 0));
	T(u_send_fds(s[0], "", 0, p, 1, 0));
	got("no byte", s[1], 10, 10, 0);
	T(write(s[0], "before", 6));
	T(u_send_fds(s[0], "with", 4, p, 1, 0));
	T(write(s[0], "after", 5));
	got("mixed", s[1], 100, 10, 0);
	got("mixed", s[1], 100, 10, 0);
	got("mixed", s[1], 100, 10, 0);
	for (int i = 0; i < 254; i++)
		many[i] = p[0];
	T(u_send_fds(s[0], "f", 1, many, 253, 0));
	got("many", s[1], 10, 300, 0);
	T(u_send_fds(s[0], "f", 1, many, 254, 0));
	T(u_send_fds(s[0], "g", 1, s, 2, 0));
	got("itself", s[1], 10, 10, 0);
	T(u_send_fds(s[0], "h", 1, p, 2, 0));
	close(p[1]);
	T(fcntl(p[0], F_SETFL, O_NONBLOCK));
	T(read(p[0], buf, 1));
	close(s[0]), close(s[1]);
	T(read(p[0], buf, 1));
	close(p[0]);
}

static ssize_t
send_cred(int s, int pid, int uid, int gid)
{
	struct ucred c = { pid, (uid_t)uid, (gid_t)gid };
	union u_control k;
	struct iovec iov = { (void *)(uintptr_t)"c", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &k,
	    .msg_controllen = CMSG_SPACE(sizeof c) };

	memset(&k, 0, sizeof k);
	k.h.cmsg_len = CMSG_LEN(sizeof c);
	k.h.cmsg_level = SOL_SOCKET;
	k.h.cmsg_type = SCM_CREDENTIALS;
	memcpy(CMSG_DATA(&k.h), &c, sizeof c);
	return sendmsg(s, &m, 0);
}

static void
got_cred(int s, size_t room)
{
	union u_control k;
	struct iovec iov = { buf, 100 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &k, .msg_controllen = room };
	ssize_t n;
	struct ucred c;

	memset(&k, 0, sizeof k);
	n = recvmsg(s, &m, 0);
	t_say("%zd flags %#x control %zu", n, (unsigned)m.msg_flags, (size_t)m.msg_controllen);
	if (n >= 0 && m.msg_controllen >= CMSG_LEN(sizeof c)) {
		memcpy(&c, CMSG_DATA(&k.h), sizeof c);
		t_say("  len %zu type %d pid %s uid %s %d", (size_t)k.h.cmsg_len, k.h.cmsg_type,
		    c.pid == getpid() ? "mine" : c.pid == getppid() ? "parent's" : c.pid == 0 ? "0" : "other",
		    c.uid == getuid() ? "mine" : "other", c.uid == getuid() ? 0 : (int)c.uid);
	}
}

static void
creds(int type)
{
	int s[2], on = 1, status;
	struct ucred c;
	socklen_t len = sizeof c;

	t_need(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0, "pair");
	T(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &c, &len));
	t_say("%d %d %d", c.pid == getpid(), c.uid == geteuid(), c.gid == getegid());
	T(write(s[0], "early", 5));
	T(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	got_cred(s[1], sizeof buf > 2048 ? 2048 : 0);
	T(write(s[0], "x", 1));
	got_cred(s[1], 2048);
	T(write(s[0], "x", 1));
	got_cred(s[1], 0);
	T(write(s[0], "x", 1));
	got_cred(s[1], 20);
	T(send_cred(s[0], getpid(), (int)getuid(), (int)getgid()));
	got_cred(s[1], 2048);
	T(send_cred(s[1], getpid(), (int)getuid(), (int)getgid()));
	got_cred(s[0], 2048);
	if (fork() == 0) {
		if (geteuid() == 0) {
			T(send_cred(s[0], 999999, 0, 0));
			T(setgid(7));
			T(setuid(7));
		}
		T(send_cred(s[0], getppid(), 7, 7));
		T(send_cred(s[0], getpid(), 0, 7) == -1 || getuid() != 7);
		T(write(s[0], "child", 5));
		_exit(0);
	}
	T(wait(&status) > 0);
	t_need(write(s[0], "parent", 6) == 6, "write");
	got_cred(s[1], 2048);
	got_cred(s[1], 2048);
	close(s[0]), close(s[1]);
}

static void
peers(void)
{
	int l, c, a, on = 1;
	struct ucred u;
	socklen_t len = sizeof u;

	l = socket(AF_UNIX, SOCK_STREAM, 0);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	T(getsockopt(l, SOL_SOCKET, SO_PEERCRED, &u, &len));
	t_say("%d %d %d", u.pid, (int)u.uid, (int)u.gid);
	T(setsockopt(l, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	t_need(u_bind(l, "peers") == 0 && listen(l, 4) == 0, "listen");
	if (t_child("client") == 0) {
		struct ucred w;

		T(u_connect(c, "peers"));
		T(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &w, &len));
		t_say("%d", w.pid == getppid());
		T(write(c, "x", 1));
		_exit(0);
	}
	a = accept(l, NULL, NULL);
	T(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &u, &len));
	t_say("%d", u.pid != getpid() && u.pid > 0);
	T(getsockopt(a, SOL_SOCKET, SO_PASSCRED, &on, &(socklen_t){ sizeof on }));
	T(on);
	T(setsockopt(c, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	T(u_connect(c, "peers"));		/* the parent's own, and it gets a name */
	len = 0;
	getsockname(c, (struct sockaddr *)buf, &len);
	t_say("autobound to %u", len);
	close(a), close(c), close(l);
}

static void
bad(void)
{
	int s[2];
	union u_control k;
	struct iovec iov = { buf, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &k };

	t_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0, "pair");
	memset(&k, 0, sizeof k);
	static const struct { size_t len, room; int level, type; } c[] = {
		{ 15, 64, SOL_SOCKET, SCM_RIGHTS }, { 16, 64, SOL_SOCKET, SCM_RIGHTS },
		{ 19, 64, SOL_SOCKET, SCM_RIGHTS }, { 200, 64, SOL_SOCKET, SCM_RIGHTS },
		{ 20, 64, SOL_SOCKET, 99 }, { 20, 64, 77, 99 }, { 20, 64, SOL_SOCKET, SCM_CREDENTIALS },
		{ 0, 64, SOL_SOCKET, SCM_RIGHTS }, { (size_t)-1, 64, SOL_SOCKET, SCM_RIGHTS },
		{ 20, 10, SOL_SOCKET, SCM_RIGHTS }, { 20, 200000, SOL_SOCKET, SCM_RIGHTS },
		{ 20, 1ul << 33, SOL_SOCKET, SCM_RIGHTS },
	};
	for (size_t i = 0; i < T_COUNT(c); i++) {
		k.h.cmsg_len = (socklen_t)c[i].len;
		memcpy(&k, &c[i].len, sizeof(size_t));
		k.h.cmsg_level = c[i].level;
		k.h.cmsg_type = c[i].type;
		memset(CMSG_DATA(&k.h), 0, 64);
		memcpy((char *)&m + 40, &c[i].room, sizeof(size_t));	/* musl's field is shorter */
		t_say("case %zu", i);
		T_SYS(sendmsg, s[0], &m, 0);
	}
	m.msg_control = (void *)8;
	memcpy((char *)&m + 40, &(size_t){ 64 }, sizeof(size_t));
	T_SYS(sendmsg, s[0], &m, 0);
	close(s[0]), close(s[1]);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	rights(SOCK_STREAM);
	rights(SOCK_DGRAM);
	creds(SOCK_STREAM);
	creds(SOCK_DGRAM);
	peers();
	bad();
	return 0;
}
