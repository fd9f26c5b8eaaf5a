/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes - what is kept, who may, what is refused.  needs: root */
#include "t.h"
#include <sys/xattr.h>

static char big[70000];

/* The names that a test made, in the order in which they come. */
static void
list(const char *path)
{
	char buf[1000];
	ssize_t n = llistxattr(path, buf, sizeof buf);

	t_say("%s: %s", path, n < 0 ? t_errno(errno) : "");
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(buf + i) + 1)
		if (strncmp(buf + i, "security.", 9) != 0 || strstr(buf + i, "test") != NULL)
			t_say("  %s", buf + i);
}

static void
values(int fd)
{
	char buf[100] = "";

	T(setxattr("f", "user.b", "value", 5, 0));
	T(setxattr("f", "user.a", "", 0, XATTR_CREATE));
	T(setxattr("f", "user.b", "other", 5, XATTR_CREATE));
	T(setxattr("f", "user.c", "other", 5, XATTR_REPLACE));
	T(setxattr("f", "user.b", "longer one", 10, XATTR_REPLACE));
	T(setxattr("f", "user.b", "x", 1, XATTR_REPLACE | XATTR_CREATE));
	T(setxattr("f", "trusted.t", "t", 1, 0));
	T(setxattr("f", "security.test", "s", 1, 0));
	T(fsetxattr(fd, "user.fd", "by fd", 5, 0));
	list("f");
	T(getxattr("f", "user.b", NULL, 0));
	T(getxattr("f", "user.b", buf, 9));
	T(getxattr("f", "user.b", buf, 100));
	t_say("%s", buf);
	T(getxattr("f", "user.a", buf, 1));
	T(getxattr("f", "user.none", buf, 1));
	T(fgetxattr(fd, "user.fd", buf, 5));
	T(lgetxattr("f", "trusted.t", buf, 5));
	T(getxattr("f", "security.test", buf, 5));
	T(listxattr("f", buf, 1));
	T(getxattr("f", "user.b", (void *)8, 100));
	T(removexattr("f", "user.a"));
	T(removexattr("f", "user.a"));
	T(fremovexattr(fd, "user.fd"));
	T(lremovexattr("f", "security.test"));
	list("f");
}

static void
refusals(int fd)
{
	char name[300] = "user.", buf[10];
	int path = open("f", O_PATH), p[2];

	t_need(pipe(p) == 0, "pipe");
	memset(name + 5, 'n', sizeof name - 6);
	T(setxattr("f", name, "", 0, 0));
	name[256] = 0;
	T(setxattr("f", name, "", 0, 0));
	name[255] = 0;
	T(setxattr("f", name, "", 0, 0));
	T(removexattr("f", name));
	T(setxattr("f", "", "", 0, 0));
	T(setxattr("f", "user.", "", 0, 0));
	T(setxattr("f", "user", "", 0, 0));
	T(setxattr("f", "own.name", "", 0, 0));
	T(getxattr("f", "own.name", buf, 10));
	T(getxattr("f", "", buf, 10));
	T(setxattr("f", "user.x", "", 0, 4));
	T(setxattr("f", "user.x", big, 65537, 0));
	T(setxattr("f", "user.x", (void *)8, 10, 0));
	T(setxattr("f", (void *)8, "", 0, 0));
	T(setxattr("none", "user.x", "", 0, 0));
	T(getxattr("f", NULL, buf, 10));
	T(setxattr("f", "user.big", big, 65536, 0) == 0 || errno == ENOSPC);
	T(removexattr("f", "user.big") == 0 || errno == ENODATA);
	T(fsetxattr(path, "user.x", "", 0, 0));
	T(fgetxattr(999, "user.x", buf, 10));
	T(flistxattr(-1, buf, 10));
	T(fremovexattr(999, "user.x"));
	T(flistxattr(fd, buf, 0) > 0);
	close(path), close(p[0]), close(p[1]);
}

static void
kinds(void)
{
	char buf[10];

	mkdir("d", 0755);
	t_need(symlink("f", "l") == 0 && mkfifo("p", 0600) == 0, "symlink");
	T(setxattr("d", "user.x", "1", 1, 0));
	list("d");
	T(lsetxattr("l", "user.x", "1", 1, 0));
	T(lgetxattr("l", "user.x", buf, 1));
	T(lsetxattr("l", "trusted.x", "1", 1, 0));
	list("l");
	T(setxattr("l", "user.through", "1", 1, 0));
	list("f");
	T(setxattr("p", "user.x", "1", 1, 0));
	T(getxattr("p", "user.x", buf, 1));
	/* They go with the file, through renames and links. */
	T(link("f", "g"));
	T(rename("f", "h"));
	list("g");
	list("h");
	T(rename("h", "f"));
}

static void
others(void)
{
	char buf[10];

	chmod("f", 0644);
	mkdir("sticky", 0777);
	chmod("sticky", 01777);
	chmod(".", 0755);
	T(setxattr("f", "security.test", "1", 1, 0));
	if (t_child("somebody") == 0) {
		t_need(setgid(1234) == 0 && setuid(1234) == 0, "setuid");
		T(getxattr("f", "user.through", buf, 1));
		T(setxattr("f", "user.through", "2", 1, 0));
		T(getxattr("f", "trusted.t", buf, 1));
		T(setxattr("f", "trusted.t", "2", 1, 0));
		T(getxattr("f", "security.test", buf, 1));
		T(setxattr("f", "security.test", "2", 1, 0));
		T(setxattr("sticky", "user.x", "2", 1, 0));
		T(removexattr("f", "user.through"));
		list("f");
		_exit(0);
	}
	chmod("f", 0600);
	if (t_child("somebody, a file of another") == 0) {
		t_need(setgid(1234) == 0 && setuid(1234) == 0, "setuid");
		T(getxattr("f", "user.through", buf, 1));
		_exit(0);
	}
}

int
main(void)
{
	int fd;

	t_file("f", "x", 0600);
	fd = open("f", O_RDWR);
	values(fd);
	refusals(fd);
	kinds();
	others();
	close(fd);
	return 0;
}
