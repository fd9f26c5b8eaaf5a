/* SPDX-License-Identifier: BSD-2-Clause */
/* Names - link, unlink, rename, symlink, mkdir and rmdir, with every refusal. */
#include "t.h"
#include <dirent.h>

#define RENAME_NOREPLACE	1
#define RENAME_EXCHANGE		2

static void
nlink(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		t_say("%s: %s", path, t_errno(errno));
	else
		t_say("%s: mode %o, %d links", path, st.st_mode, (int)st.st_nlink);
}

static void
links(void)
{
	int fd;
	char buf[8] = "";

	t_file("a", "text", 0644);
	T(link("a", "b"));
	nlink("a");
	T(link("a", "b"));
	T(link("a", "missing/b"));
	T(link("missing", "c"));
	T(link("a", "a/x"));
	T(mkdir("d", 0755));
	T(link("d", "e"));
	T(link("a", "d/a"));
	T(link("a", ""));
	T(symlink("a", "s"));
	T(link("s", "hard-s"));
	nlink("hard-s");
	T(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-a", AT_SYMLINK_FOLLOW));
	nlink("hard-a");
	T(linkat(AT_FDCWD, "s", AT_FDCWD, "x", 0x12345));
	T(unlink("a"));
	nlink("b");
	fd = open("b", O_RDWR);
	T(unlink("b"));
	T(unlink("d/a"));
	T(unlink("hard-a"));
	struct stat st;
	fstat(fd, &st);
	t_say("open but without a name: %d links", (int)st.st_nlink);
	T(pread(fd, buf, 4, 0));
	T(write(fd, "TEXT", 4));
	close(fd);
	T(unlink("b"));
	T(unlink("d"));
	T(unlink("d/"));
	T(unlink("s/"));
	T(unlink("s"));
	T(unlink("."));
	T(unlink(""));
	T(unlinkat(AT_FDCWD, "d", 0x100));
	T(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
}

static void
directories(void)
{
	T(mkdir("d", 0700));
	nlink("d");
	T(mkdir("d", 0700));
	T(mkdir("d/e", 01777));
	nlink("d/e");
	nlink("d");
	T(mkdir("d/e/", 0700));
	T(mkdir("new/", 0700));
	T(mkdir("d/x/y", 0700));
	T(mkdir(".", 0700));
	T(mkdir("..", 0700));
	T(mkdir("/", 0700));
	T(mkdir("", 0700));
	T(rmdir("d"));
	T(rmdir("d/e/."));
	T(rmdir("d/e/.."));
	T(rmdir("."));
	T(rmdir(""));
	T(rmdir("/"));
	T(symlink("d/e", "sym"));
	T(rmdir("sym"));
	T(rmdir("sym/"));
	T(mkdir("sym", 0700));
	T(rmdir("d/e/"));
	T(symlink("d/made", "sym2"));
	T(mkdir("sym2", 0700));
	T(mkdir("sym2/", 0700));
	t_file("f", "", 0644);
	T(rmdir("f"));
	T(rmdir("f/"));
	T(mkdir("f/d", 0700));
	T(rmdir("d"));
	nlink("d");
	/* The current directory may go away under one's feet. */
	T(mkdir("cwd", 0700));
	T(chdir("cwd"));
	T(rmdir("../cwd"));
	T_SYS(getcwd, (char[100]){ 0 }, 100);
	T(open("x", O_CREAT | O_RDWR, 0600));
	T(mkdir("x", 0700));
	T(access(".", F_OK));
	T_OK(open(".", O_RDONLY));
	T(chdir(".."));
	T(access("f", F_OK));
}

static void
renames(void)
{
	t_file("r1", "one", 0644);
	t_file("r2", "two", 0644);
	T(rename("r1", "r1"));
	T(rename("r1", "r2"));
	t_cat("r2");
	t_cat("r1");
	T(rename("missing", "x"));
	T(rename("r2", "missing/x"));
	T(rename("r2", "r2/x"));
	T(rename("r2", ""));
	T(rename("", "x"));
	T(link("r2", "same"));
	T(rename("r2", "same"));
	nlink("r2");
	T(mkdir("rd1", 0755));
	T(mkdir("rd2", 0755));
	T(mkdir("rd2/sub", 0755));
	T(rename("r2", "rd1"));
	T(rename("rd1", "r2"));
	T(rename("rd1", "rd2"));
	T(rename("rd1", "rd1/x"));
	T(rename("rd2", "rd2/sub/x"));
	T(rename("rd2/sub", "rd2"));
	T(rename("rd1", "rd2/sub"));
	nlink("rd2");
	nlink("rd1");
	T(rename("rd2/sub", "moved"));
	nlink("rd2");
	nlink("moved");
	T(rename("moved/", "moved2/"));
	T(rename("r2/", "x"));
	T(rename("r2", "x/"));
	T(rename("moved2/.", "x"));
	T(rename("moved2", "."));
	T(rename("..", "x"));
	T(symlink("r2", "rs"));
	T(rename("rs", "rs2"));
	nlink("rs2");
	T(rename("r2", "rs2"));
	nlink("rs2");
	t_file("x1", "1", 0600);
	t_file("x2", "2", 0600);
	T_SYS(renameat2, AT_FDCWD, "x1", AT_FDCWD, "x2", RENAME_NOREPLACE);
	T_SYS(renameat2, AT_FDCWD, "x1", AT_FDCWD, "x3", RENAME_NOREPLACE);
	T_SYS(renameat2, AT_FDCWD, "x3", AT_FDCWD, "x2", RENAME_EXCHANGE);
	t_cat("x2");
	T_SYS(renameat2, AT_FDCWD, "x3", AT_FDCWD, "x4", RENAME_EXCHANGE);
	T_SYS(renameat2, AT_FDCWD, "x3", AT_FDCWD, "x2", RENAME_EXCHANGE | RENAME_NOREPLACE);
	T_SYS(renameat2, AT_FDCWD, "x3", AT_FDCWD, "rd2", RENAME_EXCHANGE);
	nlink("rd2");
	nlink("x3");
	T_SYS(renameat2, AT_FDCWD, "x3", AT_FDCWD, "x2", 0x100);
	/* A directory stays usable, and knows its new parent. */
	T(mkdir("p1", 0755));
	T(mkdir("p2", 0755));
	T(mkdir("p1/child", 0755));
	int fd = open("p1/child", O_RDONLY);
	T(rename("p1/child", "p2/child"));
	t_file("p2/mark", "m", 0600);
	T(faccessat(fd, "../mark", F_OK, 0));
	nlink("p1");
	nlink("p2");
	close(fd);
}

static void
symlinks(void)
{
	char buf[64] = "";
	char target[4200];
	struct stat st;

	T(symlink("", "e"));
	T(symlink("target", "l1"));
	T(symlink("x", "l1"));
	T(readlink("l1", buf, sizeof buf));
	T(readlink("l1", buf, 3));
	T_SYS(readlink, "l1", buf, 0);
	T(readlink(".", buf, 4));
	T(readlink("missing", buf, 4));
	lstat("l1", &st);
	t_say("mode %o size %d", st.st_mode, (int)st.st_size);
	memset(target, 't', sizeof target);
	target[4095] = '\0';
	T(symlink(target, "long"));
	T(readlink("long", target, sizeof target));
	T(open("long", O_RDONLY));
	memset(target, 't', sizeof target);
	target[4096] = '\0';
	T(symlink(target, "longer"));
	/* Forty links are followed, one more is a loop. */
	t_file("end", "end", 0644);
	T(symlink("end", "c0"));
	for (int i = 1; i < 42; i++) {
		char name[16], to[16];

		snprintf(name, sizeof name, "c%d", i);
		snprintf(to, sizeof to, "c%d", i - 1);
		t_need(symlink(to, name) == 0, "symlink");
	}
	T(access("c38", F_OK));
	T(access("c39", F_OK));
	T(access("c40", F_OK));
	T(access("c41", F_OK));
	T(symlink(".", "dot"));
	T(access("dot/dot/dot/dot/end", F_OK));
	T(symlink("dot/../dot", "dotdot"));
	T_OK(access("dotdot/..", F_OK));
	T(symlink("made-by-link", "lm"));
	int fd = open("lm", O_CREAT | O_RDWR, 0600);
	T(fd >= 0);
	T(access("made-by-link", F_OK));
	T(open("lm", O_CREAT | O_EXCL, 0600));
	T(symlinkat("t", -1, "x"));
	T(readlinkat(fd, "", buf, 4));
	T(lchown("l1", 0, 0));
}

static void
too_long(void)
{
	char name[300], path[5000];

	memset(name, 'n', sizeof name);
	name[255] = '\0';
	T(mkdir(name, 0700));
	T(access(name, F_OK));
	name[255] = 'n';
	name[256] = '\0';
	T(mkdir(name, 0700));
	T(access(name, F_OK));
	memset(path, '/', sizeof path);
	path[0] = '.';
	path[4095] = '\0';
	T(access(path, F_OK));
	path[4095] = '/';
	path[4096] = '\0';
	T(access(path, F_OK));
	strcpy(path, ".");
	for (int i = 0; i < 2047; i++)
		strcat(path, "/.");
	T((long)strlen(path));
	T(access(path, F_OK));
}

int
main(void)
{
	umask(022);
	t_need(mkdir("1", 0755) == 0 && chdir("1") == 0, "mkdir");
	links();
	directories();
	renames();
	t_need(mkdir("2", 0755) == 0 && chdir("2") == 0, "mkdir");
	symlinks();
	too_long();
	return 0;
}
