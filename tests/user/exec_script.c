/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * #! - which interpreter gets which arguments, and where the line ends.
 *
 * The interpreter is this program itself under the name "i" in the current
 * directory, so that the test needs no shell.
 */
#include "t.h"

static char self[PATH_MAX];

static void
run(const char *name, const char *text)
{
	char *argv[] = { (char *)(uintptr_t)"given-argv0", (char *)(uintptr_t)"arg 1", (char *)(uintptr_t)"arg2", NULL };
	char *envp[] = { (char *)(uintptr_t)"SHOW=1", NULL };
	char path[64];

	snprintf(path, sizeof path, "./%s", name);
	t_file(name, text, 0755);
	t_say("-- %s", name);
	if (t_child(name) == 0) {
		execve(path, argv, envp);
		t_say("execve: %s", t_errno(errno));
		_exit(1);
	}
}

static void
lengths(void)
{
	char text[700], name[32];
	static const int lens[] = { 200, 250, 251, 252, 253, 254, 255, 256, 300, 500 };

	for (size_t i = 0; i < T_COUNT(lens); i++) {
		snprintf(text, sizeof text, "#!./i %0*d\n", lens[i] - 6, 7);
		snprintf(name, sizeof name, "argument-%d", lens[i]);
		run(name, text);
	}
	snprintf(text, sizeof text, "#!.%0*d/i\n", 300, 0);
	run("long-interpreter", text);
}

int
main(int argc, char **argv)
{
	int depth;

	if (getenv("SHOW") != NULL) {
		for (int i = 0; i < argc; i++)
			t_say("argv[%d] = \"%.60s\" (%zu)", i, argv[i], strlen(argv[i]));
		return 5;
	}
	snprintf(self, sizeof self, "%s", argv[0]);
	t_need(symlink(self, "i") == 0, "symlink");
	run("plain", "#!./i\nbody\n");
	run("one-argument", "#!./i -x\n");
	run("argument-with-blanks", "#!./i   -x  y  z  \n");
	run("leading-blanks", "#!  \t ./i\t-x\n");
	run("no-newline", "#!./i -x");
	run("no-newline-no-argument", "#!./i");
	run("carriage-return", "#!./i\r\n");
	run("nothing", "#!\n");
	run("only-blanks", "#!    \n");
	run("no-file", "#!./missing\n");
	run("directory", "#!.\n");
	run("text", "#!./plain-text\n");
	t_file("plain-text", "hello\n", 0755);
	run("through-text", "#!./plain-text\n");
	t_file("no-x", "#!./i\n", 0644);
	run("not-executable-interpreter", "#!./no-x\n");
	run("bang-only", "#");
	run("itself", "#!./itself\n");
	t_file("level0", "#!./i zero\n", 0755);
	for (depth = 1; depth < 7; depth++) {
		char name[16], text[64];

		snprintf(name, sizeof name, "level%d", depth);
		snprintf(text, sizeof text, "#!./level%d %d\n", depth - 1, depth);
		run(name, text);
	}
	lengths();
	return 0;
}
