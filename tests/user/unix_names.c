/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and options of AF_UNIX sockets: paths, abstract ones, none; permissions; what SOL_SOCKET knows. */
#include "unix.h"

static void
paths(void)
{
	struct stat st;
	int s, t, u;

	umask(027);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	u_names("unbound", s);
	T(u_bind(s, "missing/x"));
	T(u_bind(s, "sock/"));
	T(u_bind(s, "."));
	t_file("plain", "", 0600);
	T(u_bind(s, "plain"));
	T(u_bind(s, "plain/x"));
	T(u_bind(s, "sock"));
	T(stat("sock", &st));
	t_say("mode %o size %d", st.st_mode, (int)st.st_size);
	T(u_bind(s, "sock"));
	T(u_bind(s, "sock2"));
	T(access("sock2", F_OK));
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	T(u_bind(t, "sock"));
	T(listen(s, 3));
	T(u_connect(t, "sock"));
	u_names("connected", t);
	close(t);
	t = socket(AF_UNIX, SOCK_DGRAM, 0);
	T(u_connect(t, "sock"));
	T(symlink("sock", "link"));
	T(u_bind(t, "link"));
	u = socket(AF_UNIX, SOCK_STREAM, 0);
	T(u_connect(u, "link"));
	close(u);
	u = socket(AF_UNIX, SOCK_STREAM, 0);
	T(rename("sock", "moved"));
	T(u_connect(u, "sock"));
	T(u_connect(u, "moved"));
	u_names("by another name", u);
	close(u);
	u = socket(AF_UNIX, SOCK_STREAM, 0);
	T(chmod("moved", 0));
	if (t_child("without permission") == 0) {
		if (geteuid() == 0)
			t_need(setgid(7) == 0 && setuid(7) == 0, "setuid");
		T(u_connect(u, "moved"));
		_exit(0);
	}
	T(close(s));
	T(u_connect(u, "moved"));
	T(unlink("moved"));
	T(u_connect(u, "moved"));
	close(t), close(u);
}

/* The longest, and what is no address. */
static void
lengths(void)
{
	struct sockaddr_un un;
	struct stat st;
	char longest[109], text[200];
	int s, u = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(longest, 'l', 108);
	longest[108] = '\0';
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	T(bind(s, (struct sockaddr *)&un, u_addr(&un, longest, 108)));
	T(stat(longest, &st));
	memset(text, 0, sizeof text);
	socklen_t len = sizeof text;
	T(getsockname(s, (struct sockaddr *)text, &len));
	T(len);
	len = 5;
	T(getsockname(s, (struct sockaddr *)text, &len));
	T(len);
	len = (socklen_t)-1;
	T(getsockname(s, (struct sockaddr *)text, &len));
	T(getsockname(s, (struct sockaddr *)8, &(socklen_t){ 10 }));
	T(getsockname(s, (struct sockaddr *)text, (socklen_t *)8));
	T(bind(u, (struct sockaddr *)&un, 111));
	T(bind(u, (struct sockaddr *)text, 129));
	T(bind(u, (struct sockaddr *)8, 10));
	un.sun_family = 2;
	T(bind(u, (struct sockaddr *)&un, 20));
	T(connect(u, (struct sockaddr *)&un, 20));
	T(connect(u, (struct sockaddr *)&un, 2));
	T(connect(u, (struct sockaddr *)&un, 0));
	T(connect(u, (struct sockaddr *)&un, -1));
	close(s), close(u);
}

static void
abstract(void)
{
	struct sockaddr_un un;
	int s, t, d;

	s = socket(AF_UNIX, SOCK_STREAM, 0);
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	T(bind(s, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tract", 10)));
	T(bind(t, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tract", 10)));
	T(bind(d, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tract", 10)));
	T(bind(t, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tracT", 10)));
	T(bind(t, (struct sockaddr *)&un, u_addr(&un, "\0", 1)));
	u_names("abstract", s);
	T(listen(s, 1));
	T(connect(t, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tract\0", 11)));
	T(connect(t, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tract", 10)));
	u_names("client", t);
	close(s), close(t), close(d);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	T(bind(s, (struct sockaddr *)&un, u_addr(&un, "\0abs\0tract", 10)));
	T(bind(s, (struct sockaddr *)&un, 2));
	close(s);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	T(bind(s, (struct sockaddr *)&un, 2));
	T(bind(s, (struct sockaddr *)&un, 2));
	socklen_t len = sizeof un;
	T(getsockname(s, (struct sockaddr *)&un, &len));
	t_say("len %u first %d hex %d", len, un.sun_path[0],
	    (int)strspn(un.sun_path + 1, "0123456789abcdef"));
	close(s);
}

static void
options(int type)
{
	static const struct t_name all[] = {
#define O(x) { x, #x }
		O(SO_DEBUG), O(SO_REUSEADDR), O(SO_TYPE), O(SO_ERROR), O(SO_DONTROUTE), O(SO_BROADCAST),
		O(SO_SNDBUF), O(SO_RCVBUF),
		O(SO_KEEPALIVE), O(SO_OOBINLINE), O(SO_PRIORITY), O(SO_LINGER), O(SO_PASSCRED),
		O(SO_RCVLOWAT), O(SO_SNDLOWAT), O(SO_RCVTIMEO), O(SO_SNDTIMEO), O(SO_ACCEPTCONN),
		O(SO_PROTOCOL), O(SO_DOMAIN), O(SO_REUSEPORT),
#undef O
	};
	int s = socket(AF_UNIX, type, 0), out[8];
	socklen_t len;

	for (size_t i = 0; i < T_COUNT(all); i++) {
		int in[4] = { 1, 0, 0, 0 }, r, w;

		t_say("%s", all[i].n_str);
		for (int round = 0; round < 2; round++) {
			memset(out, 0, sizeof out);
			len = sizeof out;
			r = getsockopt(s, SOL_SOCKET, all[i].n_val, out, &len);
			t_say("  get %d %s: len %u: %d %d %d %d", r, r < 0 ? t_errno(errno) : "",
			    r == 0 ? len : 0, out[0], out[1], out[2], out[3]);
			if (round == 0) {
				w = setsockopt(s, SOL_SOCKET, all[i].n_val, in, sizeof in);
				t_say("  set %d %s", w, w < 0 ? t_errno(errno) : "");
			}
		}
		w = setsockopt(s, SOL_SOCKET, all[i].n_val, in, 3);
		t_say("  short %d %s", w, w < 0 ? t_errno(errno) : "");
	}
	for (int v = -1; v < 10000000; v = v < 0 ? 1 : v * 7) {
		T(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, sizeof v));
		T(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, sizeof v));
		len = 4;
		getsockopt(s, SOL_SOCKET, SO_SNDBUF, &out[0], &len);
		getsockopt(s, SOL_SOCKET, SO_RCVBUF, &out[1], &len);
		t_say("%d: %d %d", v, out[0], out[1]);
	}
	struct timeval tv[] = { { 1, 500000 }, { 0, 1000000 }, { 0, -1 }, { 3, 7 } };
	for (size_t i = 0; i < T_COUNT(tv); i++)
		T(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv[i], sizeof tv[i]));
	T(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv[0], sizeof tv[0]));
	len = 3;
	T(getsockopt(s, SOL_SOCKET, SO_TYPE, out, &len));
	T(len);
	len = (socklen_t)-1;
	T(getsockopt(s, SOL_SOCKET, SO_TYPE, out, &len));
	T(getsockopt(s, SOL_SOCKET, SO_TYPE, out, (socklen_t *)8));
	T(getsockopt(s, SOL_SOCKET, SO_TYPE, (int *)8, &(socklen_t){ 4 }));
	T(getsockopt(s, SOL_SOCKET, 9999, out, &(socklen_t){ 4 }));
	T(getsockopt(s, 6, 1, out, &(socklen_t){ 4 }));
	T(setsockopt(s, 6, 1, out, 4));
	T(setsockopt(s, SOL_SOCKET, 9999, out, 4));
	T(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (int *)8, 4));
	T(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, out, (socklen_t)-1));
	T(shutdown(s, 3));
	T(shutdown(s, -1));
	T(shutdown(s, 0));
	T(shutdown(0, 0));
	T(shutdown(1000, 0));
	close(s);
}

/* The line of a bound socket: everything but its addresses and numbers. */
static void
table(void)
{
	char line[300], *at;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), found = 0;
	FILE *f;

	t_need(u_bind(s, "@table-of-the-test") == 0 && listen(s, 1) == 0, "listen");
	f = fopen("/proc/net/unix", "r");
	t_need(f != NULL, "/proc/net/unix");
	while (fgets(line, sizeof line, f) != NULL) {
		if ((at = strchr(line, ' ')) != NULL && strstr(line, "table-of-the-test") != NULL) {
			char path[100] = "";
			unsigned refs, proto, flags, type, st, ino;
			int n = sscanf(at, "%X %X %X %X %X %u %99s", &refs, &proto, &flags, &type, &st,
			    &ino, path);
			struct stat sb;

			fstat(s, &sb);
			t_say("%d: %u %u %#x %u %u %s ino %d", n, refs, proto, flags, type, st, path,
			    sb.st_ino == ino);
			found++;
		}
	}
	t_say("found %d", found);
	fclose(f);
	close(s);
	snprintf(line, sizeof line, "/proc/self/fd/%d", s = socket(AF_UNIX, SOCK_STREAM, 0));
	char to[50] = "";
	t_need(readlink(line, to, sizeof to - 1) > 0, "readlink");
	t_say("%.8s", to);
	T(open(line, O_RDWR));
}

int
main(void)
{
	paths();
	lengths();
	abstract();
	options(SOCK_STREAM);
	options(SOCK_DGRAM);
	table();
	return 0;
}
