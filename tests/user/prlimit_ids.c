/* SPDX-License-Identifier: BSD-2-Clause */
/* Prlimit of another process: all of its user and group numbers must be the caller's own.  needs: root */
#include "t.h"
#include <grp.h>

static void
attempt(const char *who, uid_t ruid, uid_t euid, uid_t suid, gid_t egid)
{
	struct rlimit rl = { 0, 0 };
	int p[2];
	pid_t pid;
	char c;

	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		t_need(setgroups(0, NULL) == 0 && setresgid(64997, egid, 64997) == 0 &&
		    setresuid(ruid, euid, suid) == 0, "ids");
		t_need(write(p[1], "r", 1) == 1, "write");
		for (;;)
			pause();
	}
	t_need(read(p[0], &c, 1) == 1, "read");
	t_say("%s", who);
	if (t_child("caller") == 0) {
		t_need(setgroups(0, NULL) == 0 && setresgid(64997, 64997, 64997) == 0 &&
		    setresuid(64997, 64997, 64997) == 0, "ids");
		T(prlimit(pid, RLIMIT_CORE, NULL, &rl));
		T(prlimit(pid, RLIMIT_CORE, &rl, NULL));
		_exit(0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	attempt("the same user", 64997, 64997, 64997, 64997);
	attempt("a program with root's rights", 64997, 0, 0, 64997);
	attempt("root, for now one of us", 64997, 64997, 0, 64997);
	attempt("root, who may be one of us", 0, 64997, 64997, 64997);
	attempt("another group", 64997, 64997, 64997, 64996);
	attempt("root", 0, 0, 0, 64997);
	return 0;
}
