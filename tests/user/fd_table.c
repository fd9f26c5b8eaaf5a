/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors - lowest number first, dup in all its forms, flags, limits. */
#include "t.h"

static void
lowest(void)
{
	int a = open("/dev/null", O_RDONLY), b, c;

	b = dup(a);
	c = dup(a);
	t_say("%d %d %d", a, b, c);
	close(b);
	T(open("/dev/null", O_RDONLY) == b);
	close(a);
	T(dup(c) == a);
	close(a), close(b), close(c);
	T(close(a));
	T(close(-1));
	T(close(1000000));
}

static void
dups(void)
{
	int fd = open("/dev/null", O_RDWR), p[2];
	char c;

	T(dup(-1));
	T(dup(900));
	T(dup2(fd, 20));
	T(dup2(fd, fd));
	T(dup2(900, 900));
	T(dup2(900, 20));
	T(fcntl(20, F_GETFD));
	T(dup2(fd, -1));
	T(dup2(fd, 1 << 20));
	T(dup3(fd, fd, 0));
	T(dup3(fd, 21, O_CLOEXEC));
	T(fcntl(21, F_GETFD));
	T(dup3(fd, 22, O_NONBLOCK));
	T(fcntl(fd, F_DUPFD, 30));
	T(fcntl(fd, F_DUPFD, 30));
	T(fcntl(fd, F_DUPFD_CLOEXEC, 30));
	T(fcntl(32, F_GETFD));
	T(fcntl(fd, F_DUPFD, -1));
	T(fcntl(fd, F_DUPFD, 1 << 30));
	T(fcntl(fd, 12345));
	T(fcntl(900, F_GETFD));
	/* dup2 over an open descriptor closes it. */
	t_need(pipe(p) == 0, "pipe");
	T(dup2(fd, p[1]) == p[1]);
	T(read(p[0], &c, 1));
	close(p[0]), close(p[1]);
	for (int i = 20; i < 40; i++)
		close(i);
	close(fd);
}

static void
flags(void)
{
	int fd = open("f", O_CREAT | O_RDWR | O_APPEND, 0600), d;

	t_say("%#o", (unsigned)fcntl(fd, F_GETFL));
	T(fcntl(fd, F_SETFL, O_NONBLOCK));
	t_say("%#o", (unsigned)fcntl(fd, F_GETFL));
	T(fcntl(fd, F_SETFL, O_WRONLY | O_CREAT | O_TRUNC | O_EXCL));
	t_say("%#o", (unsigned)fcntl(fd, F_GETFL));
	d = dup(fd);
	T(fcntl(d, F_SETFL, O_APPEND));
	t_say("shared by dup: %#o", (unsigned)fcntl(fd, F_GETFL));
	T(fcntl(d, F_SETFD, FD_CLOEXEC));
	t_say("not shared: %d", fcntl(fd, F_GETFD));
	T(fcntl(d, F_SETFD, 0xff));
	T(fcntl(d, F_GETFD));
	T(ioctl(d, FIONCLEX));
	T(fcntl(d, F_GETFD));
	T(ioctl(d, FIOCLEX));
	T(fcntl(d, F_GETFD));
	T(fcntl(fd, F_GETOWN));
	close(fd), close(d);
	fd = open("f", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_LARGEFILE);
	t_say("%#o %d", (unsigned)fcntl(fd, F_GETFL) & ~0100000u, fcntl(fd, F_GETFD));
	close(fd);
	fd = open("f", 0x200000 | O_RDWR);
	t_say("O_PATH %#o", (unsigned)fcntl(fd, F_GETFL) & ~0100000u);
	T(read(fd, &d, 1));
	T(write(fd, &d, 1));
	T(lseek(fd, 0, SEEK_SET));
	T(fchmod(fd, 0600));
	struct stat st;
	T(fstat(fd, &st));
	close(fd);
	T(open("f", O_ACCMODE) >= 0 ? 0 : -1);
}

static void
limits(void)
{
	struct rlimit rl = { 10, 10 }, old;
	int p[2], n = 0;

	if (t_child("ten descriptors") == 0) {
		T(setrlimit(RLIMIT_NOFILE, &rl));
		while (dup(0) >= 0)
			n++;
		t_say("%s after %d", t_errno(errno), n);
		T(open("/dev/null", O_RDONLY));
		T(pipe(p));
		T(dup2(0, 10));
		T(dup2(0, 9));
		T(fcntl(0, F_DUPFD, 10));
		close(9);
		T(pipe(p));
		T_OK(dup(0));
		_exit(0);
	}
	if (t_child("lower than what is open") == 0) {
		T(dup2(0, 50));
		T(setrlimit(RLIMIT_NOFILE, &rl));
		T_OK(fcntl(50, F_GETFD));
		T(dup2(0, 51));
		_exit(0);
	}
	getrlimit(RLIMIT_NOFILE, &old);
	if (t_child("many") == 0) {
		rl = (struct rlimit){ 1000, 1000 };
		if (old.rlim_max < 1000)
			_exit(0);
		setrlimit(RLIMIT_NOFILE, &rl);
		for (n = 0; n < 2000 && dup(0) >= 0;)
			n++;
		t_say("%s after %d", t_errno(errno), n);
		/* And a fork and close of all of them. */
		if (t_child("child of many") == 0)
			_exit(dup(0) < 0);
		T_SYS(close_range, 100, 1000, 0);
		T(dup(0));
		T_SYS(close_range, 10, 5, 0);
		T_SYS(close_range, 10, 20, 99);
		T_SYS(close_range, 3, UINT32_MAX, 0);
		T(dup(0));
		_exit(0);
	}
}

int
main(void)
{
	lowest();
	dups();
	flags();
	limits();
	return 0;
}
