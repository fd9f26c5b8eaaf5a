/* SPDX-License-Identifier: BSD-2-Clause */
/* exec - arguments, environment, limits, and every way in which it says no. */
#include "t.h"
#include <sys/auxv.h>

static char self[PATH_MAX];

/* What a program started by the tests below says about itself. */
static int
show(int argc, char **argv, char **envp)
{
	size_t bytes = 0;

	t_say("argc %d", argc);
	for (int i = 1; i < argc && i < 6; i++)
		t_say("argv[%d] = \"%.40s\" (%zu)", i, argv[i], strlen(argv[i]));
	for (int i = 0; envp[i] != NULL; i++) {
		bytes += strlen(envp[i]) + 1;
		if (i < 4)
			t_say("envp[%d] = \"%.40s\"", i, envp[i]);
	}
	t_say("environment of %zu bytes, argv ends with %s", bytes, argv[argc] == NULL ? "NULL" : "rubbish");
	t_say("stack aligned: %d", (int)((uintptr_t)__builtin_frame_address(0) % 16));
	t_say("AT_PAGESZ %lu AT_SECURE %lu AT_RANDOM %s AT_PHDR %s AT_EXECFN %s", getauxval(AT_PAGESZ),
	    getauxval(AT_SECURE), getauxval(AT_RANDOM) != 0 ? "set" : "missing",
	    getauxval(AT_PHDR) != 0 ? "set" : "missing", getauxval(AT_EXECFN) != 0 ? "set" : "missing");
	return 42;
}

static void
run(const char *what, char **argv, char **envp)
{
	t_say("-- %s", what);
	if (t_child(what) == 0) {
		execve(self, argv, envp);
		t_say("execve: %s", t_errno(errno));
		_exit(1);
	}
}

static void
good(void)
{
	char *none[] = { NULL };
	char *env[] = { (char *)(uintptr_t)"A=1", (char *)(uintptr_t)"", (char *)(uintptr_t)"=", NULL };
	char *argv[] = { self, (char *)(uintptr_t)"show", (char *)(uintptr_t)"", (char *)(uintptr_t)"a b", NULL };
	char *big = malloc(131072);
	char *argv2[] = { self, (char *)(uintptr_t)"show", big, NULL };

	run("some arguments", argv, env);
	run("no environment", argv, none);
	memset(big, 'x', 131071);
	big[131071] = '\0';
	run("the longest argument", argv2, none);
	free(big);
}

static void
too_big(void)
{
	char *one = malloc(131073);
	char **many = malloc(70001 * sizeof *many);
	char *argv[] = { self, (char *)(uintptr_t)"show", one, NULL };
	char *none[] = { NULL };
	char hundred[100];

	memset(one, 'x', 131072);
	one[131072] = '\0';
	run("an argument too long", argv, none);
	memset(hundred, 'y', 99);
	hundred[99] = '\0';
	many[0] = self;
	many[1] = (char *)(uintptr_t)"show";
	for (int i = 2; i < 70000; i++)
		many[i] = hundred;
	many[70000] = NULL;
	run("too many arguments", many, none);
	many[5000] = NULL;
	run("five thousand arguments", many, none);
	free(one);
	free(many);
}

static void
refused(void)
{
	char *argv[] = { self, (char *)(uintptr_t)"show", NULL };
	char *none[] = { NULL };
	char name[5000];

	t_file("text", "no program", 0755);
	t_file("empty", "", 0755);
	t_file("plain", "#!/bin/sh\n", 0644);
	t_need(mkdir("dir", 0755) == 0, "mkdir");
	t_need(symlink("loop", "loop") == 0, "symlink");
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	T(execve("text", argv, none));
	T(execve("empty", argv, none));
	T(execve("plain", argv, none));
	T(execve("dir", argv, none));
	T(execve("loop", argv, none));
	T(execve("text/x", argv, none));
	T(execve("missing", argv, none));
	T(execve("", argv, none));
	T(execve(name, argv, none));
	name[256] = '\0';
	T(execve(name, argv, none));
	T_SYS(execve, NULL, argv, none);
	T_SYS(execve, self, 8, none);
	T_SYS(execve, self, argv, 8);
	argv[1] = (char *)(uintptr_t)8;
	T_SYS(execve, self, argv, none);
	T_SYS(execve, "missing", argv, none);
}

static void
by_descriptor(void)
{
	char *argv[] = { self, (char *)(uintptr_t)"show", NULL };
	char *none[] = { NULL };
	int fd = open(self, O_RDONLY);

	if (t_child("execveat of a descriptor") == 0) {
		T_SYS(execveat, fd, "", argv, none, AT_EMPTY_PATH);
		_exit(1);
	}
	T_SYS(execveat, fd, "", argv, none, 0);
	T_SYS(execveat, -1, "", argv, none, AT_EMPTY_PATH);
	T_SYS(execveat, fd, "x", argv, none, 0);
	T_SYS(execveat, AT_FDCWD, "missing", argv, none, 0x8000);
	close(fd);
	fd = open(".", O_RDONLY);
	T_SYS(execveat, fd, "", argv, none, AT_EMPTY_PATH);
	T(symlink(self, "link"));
	T_SYS(execveat, fd, "link", argv, none, AT_SYMLINK_NOFOLLOW);
	if (t_child("execveat in a directory, through a link") == 0) {
		T_SYS(execveat, fd, "link", argv, none, 0);
		_exit(1);
	}
	close(fd);
}

static void
busy(void)
{
	static char buf[1 << 16];
	int in = open(self, O_RDONLY), out = open("copy", O_CREAT | O_WRONLY, 0755);
	char *argv[] = { self, (char *)(uintptr_t)"show", NULL };
	char *none[] = { NULL };
	ssize_t n;

	while ((n = read(in, buf, sizeof buf)) > 0)
		t_need(write(out, buf, (size_t)n) == n, "write");
	T(execve("copy", argv, none));
	close(out);
	close(in);
	if (t_child("the copy") == 0) {
		execve("copy", argv, none);
		_exit(1);
	}
	chmod("copy", 0);
	T(execve("copy", argv, none));
}

int
main(int argc, char **argv, char **envp)
{
	if (argc >= 2 && strcmp(argv[1], "show") == 0)
		return show(argc, argv, envp);
	snprintf(self, sizeof self, "%s", argv[0]);
	good();
	too_big();
	refused();
	by_descriptor();
	busy();
	return 0;
}
