/* SPDX-License-Identifier: BSD-2-Clause */
/* Credentials - every transition of user and group ids, by root and by others.  needs: root */
#include "t.h"
#include <grp.h>
#include <sys/fsuid.h>

static char self[PATH_MAX];

static void
ids(const char *what)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	t_say("%s: uid %d %d %d gid %d %d %d", what, (int)r, (int)e, (int)s, (int)rg, (int)eg, (int)sg);
}

/* Straight to the kernel: the library would go through every thread. */
#define SETUID(u)		T_SYS(setuid, u)
#define SETREUID(r, e)		T_SYS(setreuid, r, e)
#define SETRESUID(r, e, s)	T_SYS(setresuid, r, e, s)

static void
users(void)
{
	if (t_child("setuid by root") == 0) {
		SETUID(1000);
		ids("after");
		SETUID(0);
		SETUID(1000);
		SETRESUID(-1, 0, -1);
		_exit(0);
	}
	if (t_child("effective only") == 0) {
		SETRESUID(-1, 1000, -1);
		ids("after");
		SETUID(2000);
		SETUID(0);
		ids("back");
		SETRESUID(1, 2, 3);
		ids("three");
		SETRESUID(2, 3, 1);
		ids("turned");
		SETRESUID(5, -1, -1);
		SETUID(2);
		ids("setuid to the real one");
		SETREUID(3, 2);
		SETREUID(1, 2);
		ids("setreuid");
		_exit(0);
	}
	if (t_child("setreuid and the saved id") == 0) {
		SETREUID(10, 20);
		ids("after");
		SETREUID(-1, 10);
		ids("effective back to real");
		SETREUID(20, 10);
		ids("swap");
		SETREUID(30, -1);
		_exit(0);
	}
	if (t_child("odd numbers") == 0) {
		SETUID(-1);
		SETREUID(-1, -1);
		SETRESUID(-1, -1, -1);
		ids("unchanged");
		SETUID(0x7fffffff);
		ids("large");
		_exit(0);
	}
}

static void
groups(void)
{
	gid_t g[4] = { 7, 8, 9, 7 }, out[8];

	if (t_child("groups") == 0) {
		T_SYS(setgroups, 4, g);
		T_SYS(getgroups, 0, NULL);
		T_SYS(getgroups, 2, out);
		T_SYS(getgroups, 8, out);
		t_say("%d %d %d %d", (int)out[0], (int)out[1], (int)out[2], (int)out[3]);
		T_SYS(getgroups, -1, out);
		T_SYS(setgroups, 65537, g);
		T_SYS(setgroups, 4, 8);
		T_SYS(setgroups, 0, NULL);
		T_SYS(getgroups, 8, out);
		T_SYS(setgid, 100);
		ids("setgid");
		T_SYS(setresgid, 1, 2, 3);
		ids("setresgid");
		T_SYS(setregid, 2, -1);
		ids("setregid");
		T_SYS(setresuid, 5, 5, 5);
		T_SYS(setgroups, 0, NULL);
		T_SYS(setgid, 100);
		T_SYS(setgid, 2);
		ids("as a user");
		T_SYS(setresgid, -1, -1, 99);
		_exit(0);
	}
}

static void
fsuid(void)
{
	if (t_child("fsuid") == 0) {
		t_file("rootonly", "x", 0600);
		T(setfsuid(1000));
		T(setfsuid(-1));
		T(access("rootonly", R_OK));
		T(open("rootonly", O_RDONLY));
		T(setfsuid(0));
		T_OK(open("rootonly", O_RDONLY));
		T(setfsgid(5));
		T(setfsgid(-1));
		_exit(0);
	}
}

static void
set_id_programs(void)
{
	static char buf[1 << 16];
	int in = open(self, O_RDONLY), out = open("prog", O_CREAT | O_WRONLY, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof buf)) > 0)
		t_need(write(out, buf, (size_t)n) == n, "write");
	close(in), close(out);
	t_need(chown("prog", 11, 12) == 0 && chmod("prog", 06755) == 0 && chmod(".", 0755) == 0, "chmod");
	if (t_child("set-id program") == 0) {
		t_need(setresgid(50, 50, 50) == 0 && setresuid(60, 60, 60) == 0, "ids");
		execl("./prog", "prog", "ids", (char *)NULL);
		_exit(1);
	}
	if (t_child("not with no_new_privs") == 0) {
		t_need(setresgid(50, 50, 50) == 0 && setresuid(60, 60, 60) == 0, "ids");
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		execl("./prog", "prog", "ids", (char *)NULL);
		_exit(1);
	}
	t_file("script", "#!./prog ids\n", 0755);
	t_need(chmod("script", 06755) == 0 && chmod("prog", 0755) == 0, "chmod");
	if (t_child("set-id bits of a script do nothing") == 0) {
		t_need(setresgid(50, 50, 50) == 0 && setresuid(60, 60, 60) == 0, "ids");
		execl("./script", "script", (char *)NULL);
		_exit(1);
	}
	if (t_child("the saved id is the effective one after exec") == 0) {
		t_need(setresuid(60, 61, 62) == 0, "ids");
		execl("./prog", "prog", "ids", (char *)NULL);
		_exit(1);
	}
}

static void
kill_rights(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		t_need(setresuid(70, 71, 72) == 0, "ids");
		for (;;)
			pause();
	}
	t_until_asleep(pid);
	static const uid_t ids_[] = { 70, 71, 72, 73 };
	for (size_t i = 0; i < T_COUNT(ids_); i++)
		if (t_child("kill from another user") == 0) {
			t_need(setresuid(ids_[i], ids_[i], ids_[i]) == 0, "ids");
			t_say("user %d", (int)ids_[i]);
			T(kill(pid, 0));
			T(setpriority(PRIO_PROCESS, (id_t)pid, 5));
			T(getpgid(pid) > 0);
			_exit(0);
		}
	if (t_child("SIGCONT within the session is allowed") == 0) {
		t_need(setresuid(99, 99, 99) == 0, "ids");
		T(kill(pid, SIGCONT));
		T(kill(pid, SIGTERM));
		_exit(0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "ids") == 0) {
		ids("program");
		return 0;
	}
	snprintf(self, sizeof self, "%s", argv[0]);
	users();
	groups();
	fsuid();
	set_id_programs();
	kill_rights();
	return 0;
}
