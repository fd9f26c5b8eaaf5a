/* SPDX-License-Identifier: BSD-2-Clause */
/* pidfd_getfd - an open file of another process. */
#include "t.h"
#include <sys/socket.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd	438
#endif

int
main(void)
{
	int p[2], go[2], pidfd, fd, sv[2];
	char buf[16] = "";
	siginfo_t si;
	pid_t pid;

	t_need(pipe(p) == 0 && pipe(go) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		t_need(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0, "socketpair");
		dup2(sv[0], 100), dup2(sv[1], 101);
		dup2(open("theirs", O_CREAT | O_RDWR, 0600), 102);
		t_need(write(102, "0123456789", 10) == 10 && lseek(102, 4, SEEK_SET) == 4, "file");
		t_need(write(p[1], "x", 1) == 1, "write");
		close(go[1]);
		_exit((int)read(go[0], buf, 1));
	}
	close(go[0]);
	t_need(read(p[0], buf, 1) == 1, "read");
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 102, 0);
	t_say("got it %d, close-on-exec %d", fd >= 0, fcntl(fd, F_GETFD));
	T(read(fd, buf, 3));
	t_say("from where it stood: %.3s", buf);
	T(lseek(fd, 0, SEEK_CUR));
	close(fd);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 100, 0);
	sv[1] = (int)syscall(SYS_pidfd_getfd, pidfd, 101, 0);
	T(write(fd, "through", 7));
	T(read(sv[1], buf, sizeof buf));
	t_say("a socket: %.7s", buf);
	T_SYS(pidfd_getfd, pidfd, 103, 0);
	T_SYS(pidfd_getfd, pidfd, -1, 0);
	T_SYS(pidfd_getfd, pidfd, 102, 1);
	T_SYS(pidfd_getfd, p[0], 102, 0);
	T_SYS(pidfd_getfd, -1, 102, 0);
	close(go[1]);
	t_need(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0, "waitid");
	T_SYS(pidfd_getfd, pidfd, 102, 0);
	waitpid(pid, NULL, 0);
	T_SYS(pidfd_getfd, pidfd, 102, 0);
	close(pidfd);
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	T_OK(syscall(SYS_pidfd_getfd, pidfd, 1, 0));
	return 0;
}
