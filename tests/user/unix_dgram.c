/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX datagrams and packets - whole messages, who may send to whom, full queues, names. */
#include "unix.h"

static char big[300000];

static void
whole(int type)
{
	int s[2], n;
	struct iovec iov = { big, 4 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	t_need(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0, "socketpair");
	u_poll("fresh", s[0]);
	T(send(s[0], "hello", 5, 0));
	T(send(s[0], "", 0, 0));
	T(write(s[0], "", 0));
	T(write(s[0], "third", 5));
	T(ioctl(s[1], FIONREAD, &n));
	T(n);
	T(recv(s[1], big, 100, MSG_PEEK));
	T(recv(s[1], big, 2, MSG_PEEK | MSG_TRUNC));
	T(recvmsg(s[1], &m, 0));
	t_say("flags %#x", m.msg_flags);
	T(recv(s[1], big, 100, 0));
	T(recv(s[1], big, 100, 0));
	T(recv(s[1], big, 2, MSG_TRUNC));
	T(recv(s[1], big, 100, 0));
	T(send(s[0], big, 212960, 0));
	T(send(s[0], big, 212961, 0));
	T(recv(s[1], big, sizeof big, 0));
	T(shutdown(s[0], SHUT_WR));
	u_poll("who", s[0]);
	u_poll("other", s[1]);
	T(send(s[0], "x", 1, MSG_NOSIGNAL));
	T(recv(s[1], big, 1, 0));
	T(close(s[0]));
	u_poll("closed", s[1]);
	T(send(s[1], "x", 1, MSG_NOSIGNAL));
	T(send(s[1], "x", 1, MSG_NOSIGNAL));
	T(recv(s[1], big, 1, 0));
	u_poll("and tried", s[1]);
	close(s[1]);
	t_need(socketpair(AF_UNIX, type, 0, s) == 0, "socketpair");
	T(shutdown(s[0], SHUT_RD));
	T(recv(s[0], big, 1, 0));
	T(recv(s[0], big, 1, MSG_DONTWAIT));
	T(send(s[1], "x", 1, MSG_NOSIGNAL));
	T(send(s[0], "unread", 6, 0));
	close(s[1]);
	u_poll("unread", s[0]);
	T(send(s[0], "x", 1, MSG_NOSIGNAL));
	T(recv(s[0], big, 1, MSG_DONTWAIT));
	close(s[0]);
}

static void
named(void)
{
	int a, b, c;
	struct sockaddr_un un;
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;

	a = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	b = socket(AF_UNIX, SOCK_RAW | SOCK_NONBLOCK, 0);
	c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	T(u_bind(a, "a"));
	T(send(b, "x", 1, 0));
	T(u_sendto(b, "nowhere", "x", 1, 0));
	T(u_sendto(b, "a", "from nobody", 11, 0));
	T(recvfrom(a, big, 100, 0, (struct sockaddr *)&ss, &len));
	T(len);
	T(u_bind(b, "@bee-of-the-test"));
	T(u_sendto(b, "a", "from b", 6, 0));
	len = sizeof ss;
	T(recvfrom(a, big, 100, 0, (struct sockaddr *)&ss, &len));
	u_show("from", (struct sockaddr_un *)&ss, len);
	T(u_connect(b, "a"));
	u_names("b", b);
	T(send(b, "to a", 4, 0));
	T(u_sendto(b, "@bee-of-the-test", "self", 4, 0));
	T(u_connect(a, "@bee-of-the-test"));
	T(u_connect(c, "a"));
	T(u_sendto(c, "a", "stranger", 8, 0));
	T(u_bind(c, "a"));
	T(u_bind(c, "c"));
	T(recv(a, big, 100, 0));
	T(u_connect(a, "c"));		/* now b may not speak to a */
	T(send(b, "x", 1, 0));
	un.sun_family = AF_UNSPEC;
	T(connect(a, (struct sockaddr *)&un, 2));
	T(connect(a, (struct sockaddr *)&un, 1));
	T(send(b, "x", 1, 0));
	T(u_connect(a, "@bee-of-the-test"));
	u_poll("b", b);
	T(u_connect(b, "c"));
	T(u_connect(a, "c"));
	T(send(b, "y", 1, 0));
	T(close(c));
	T(send(b, "y", 1, 0));
	T(send(b, "y", 1, 0));
	u_names("b", b);
	T(u_sendto(b, "c", "y", 1, 0));
	T(u_sendto(b, ".", "y", 1, 0));
	t_file("plain", "", 0600);
	T(u_sendto(b, "plain", "y", 1, 0));
	T(open("a", O_RDWR));
	T(listen(a, 1));
	T(accept(a, NULL, NULL));
	close(a), close(b);
}

/* A stranger's queue holds so many and no more; who polls for room is told. */
static void
full(void)
{
	int a, b, n, status, p[2];
	struct pollfd pf;
	pid_t pid;

	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	t_need(u_bind(a, "@full-of-the-test") == 0 && u_connect(b, "@full-of-the-test") == 0, "connect");
	for (n = 0; send(b, "x", 1, 0) == 1; n++)
		;
	t_say("%d, then %s", n, t_errno(errno));
	u_poll("b", b);
	T(recv(a, big, 1, 0));
	u_poll("b", b);
	T(send(b, "x", 1, 0));
	T(u_sendto(a, "@full-of-the-test", "self", 4, 0));
	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		pf = (struct pollfd){ b, POLLOUT, 0 };
		n = poll(&pf, 1, 0);
		write(p[1], "x", 1);
		t_say("%d, then %d", n, poll(&pf, 1, 10000));
		T(send(b, "y", 1, 0));
		fcntl(b, F_SETFL, 0);
		T(send(b, "z", 1, 0));
		_exit(0);
	}
	read(p[0], big, 1);
	for (n = 0; n < 11; n++)
		recv(a, big, 10, 0);
	waitpid(pid, &status, 0);
	t_status("sender", status);
	close(a), close(b);
}

static void
packets(void)
{
	int l, c, a;

	l = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	u_poll("fresh", c);
	T(recv(c, big, 1, 0));
	T(send(c, big, 1, 0));
	T(u_bind(l, "packets"));
	T(u_connect(a, "packets"));
	T(u_connect(c, "packets"));
	T(listen(l, 5));
	T(u_connect(c, "packets"));
	T(recv(l, big, 1, 0));
	T(u_sendto(c, "elsewhere", "one", 3, 0));
	T(send(c, "two", 3, MSG_EOR));
	T_OK(a = accept(l, NULL, NULL));
	T(recv(a, big, 100, 0));
	T(recv(a, big, 100, 0));
	T(write(a, "back", 4));
	close(a);
	T(read(c, big, 100));
	T(read(c, big, 100));
	T(write(c, "x", 1));
	close(c), close(l);
}

static void
many(void)
{
	struct mmsghdr mm[4];
	struct iovec iov[4];
	struct timespec ts = { 0, 1000000 };
	char in[4][8];
	int s[2];

	t_need(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0, "socketpair");
	memset(mm, 0, sizeof mm);
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ in[i], (size_t)i + 1 };
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	T(sendmmsg(s[0], mm, 3, 0));
	t_say("%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	for (int i = 0; i < 4; i++)
		iov[i].iov_len = 8;
	T(recvmmsg(s[1], mm, 4, MSG_WAITFORONE, NULL));
	t_say("%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	T(recvmmsg(s[1], mm, 4, MSG_DONTWAIT, &ts));
	ts.tv_nsec = -1;
	T(recvmmsg(s[1], mm, 4, 0, &ts));
	iov[1].iov_base = (void *)8;
	T_SYS(sendmmsg, s[0], mm, 4, 0);
	T_SYS(sendmmsg, s[0], 8, 4, 0);
	T(recvmmsg(s[1], mm, 0, 0, NULL));
	mm[0].msg_hdr.msg_iovlen = 1025;
	T_SYS(sendmsg, s[0], &mm[0].msg_hdr, 0);
	mm[0].msg_hdr.msg_iovlen = 1;
	mm[0].msg_hdr.msg_namelen = (socklen_t)-1;
	mm[0].msg_hdr.msg_name = in;
	T(syscall(SYS_sendmsg, s[0], &mm[0].msg_hdr, 0));
	T(syscall(SYS_sendmsg, s[0], 8, 0));
	close(s[0]), close(s[1]);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	whole(SOCK_DGRAM);
	whole(SOCK_SEQPACKET);
	named();
	full();
	packets();
	many();
	return 0;
}
