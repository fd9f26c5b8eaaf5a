/* SPDX-License-Identifier: BSD-2-Clause */
/* vfork - the child runs on its parent's memory, and the parent waits for its exec or exit. */
#include "t.h"

static volatile int shared;
static char self[PATH_MAX];

static void
sleeper_is_not_waited_for(void)
{
	int p[2];
	char c;
	pid_t pid;
	char fd[16];
	char *argv[4] = { self, (char *)(uintptr_t)"wait", fd, NULL };

	t_need(pipe(p) == 0, "pipe");
	snprintf(fd, sizeof fd, "%d", p[0]);
	pid = vfork();
	if (pid == 0) {
		shared = 5;
		execv(self, argv);
		_exit(1);
	}
	T(shared);
	T(waitpid(pid, NULL, WNOHANG));
	c = 42;
	T(write(p[1], &c, 1));
	int status = 0;
	T(waitpid(pid, &status, 0) == pid);
	t_status("program of the vfork child", status);
	close(p[0]);
	close(p[1]);
}

int
main(int argc, char **argv)
{
	int status = 0, fd;
	pid_t pid;

	if (argc == 3 && strcmp(argv[1], "wait") == 0) {
		char c = 0;

		if (read(atoi(argv[2]), &c, 1) != 1)
			return 1;
		return c;
	}
	snprintf(self, sizeof self, "%s", argv[0]);
	pid = vfork();
	if (pid == 0) {
		t_sleep_ms(20);
		shared = 1;
		_exit(3);
	}
	T(shared);
	T(waitpid(pid, &status, 0) == pid);
	t_status("vfork child", status);

	pid = vfork();
	if (pid == 0) {
		execl("/no/such/program", "x", (char *)NULL);
		shared = errno;
		_exit(4);
	}
	t_say("the child's exec failed with %s", t_errno(shared));
	waitpid(pid, &status, 0);
	t_status("child with no program", status);

	fd = open("/dev/null", O_RDONLY);
	pid = vfork();
	if (pid == 0) {
		close(fd);
		if (chdir("/") == 0)
			umask(0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	T_OK(fcntl(fd, F_GETFD));
	T(umask(022));
	t_file("here", "x", 0644);
	T(access("here", F_OK));

	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	t_status("killed vfork child", status);
	sleeper_is_not_waited_for();
	return 0;
}
