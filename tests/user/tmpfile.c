/* SPDX-License-Identifier: BSD-2-Clause */
/* O_TMPFILE - files that have no name yet, and get one.  needs: root */
#include "t.h"

static void
show(const char *what, int fd)
{
	struct stat st;

	t_need(fstat(fd, &st) == 0, "fstat");
	t_say("%s: mode %o nlink %d size %d", what, st.st_mode, (int)st.st_nlink, (int)st.st_size);
}

/* What /proc says of fd, the number in it hidden. */
static void
place(int fd)
{
	char path[64], text[200] = "", here[150], *p;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	t_need(readlink(path, text, sizeof text - 1) > 0 && getcwd(here, sizeof here) != NULL, "readlink");
	p = strncmp(text, here, strlen(here)) == 0 ? text + strlen(here) : text;
	p[strcspn(p, "#")] = '\0';
	t_say("%s, deleted: %d", p, strstr(text + strlen(here) + strlen(p) + 1, " (deleted)") != NULL);
}

int
main(void)
{
	char path[64];
	int fd, ro;

	mkdir("d", 0700);
	t_file("f", "x", 0600);
	T(open("d", O_TMPFILE, 0600));
	T(open("d", O_TMPFILE | O_RDONLY, 0600));
	T(open("f", O_TMPFILE | O_RDWR, 0600));
	T(open("none", O_TMPFILE | O_RDWR, 0600));
	T(open("d", O_TMPFILE | O_RDWR | O_CREAT, 0600));
	umask(027);
	fd = open("d", O_TMPFILE | O_RDWR, 0666);
	T(fd >= 0);
	show("made", fd);
	place(fd);
	T(write(fd, "text", 4));
	T(fcntl(fd, F_GETFL) == (O_TMPFILE | O_RDWR | 0100000));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	T(rmdir("d/x"));
	T(linkat(fd, "", AT_FDCWD, "f", AT_EMPTY_PATH));
	T(linkat(fd, "", AT_FDCWD, "d/one", AT_EMPTY_PATH));
	show("linked", fd);
	t_cat("d/one");
	T(linkat(AT_FDCWD, path, AT_FDCWD, "two", AT_SYMLINK_FOLLOW));
	show("linked again", fd);
	T(unlink("two"));
	T(unlink("d/one"));
	show("unlinked", fd);
	T(linkat(AT_FDCWD, path, AT_FDCWD, "three", AT_SYMLINK_FOLLOW));
	close(fd);
	/* By /proc from the start. */
	fd = open(".", O_TMPFILE | O_WRONLY, 0644);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	T(write(fd, "more", 4));
	T(linkat(AT_FDCWD, path, AT_FDCWD, "four", 0));
	T(linkat(AT_FDCWD, path, AT_FDCWD, "four", AT_SYMLINK_FOLLOW));
	ro = open(path, O_RDONLY);
	T(ro >= 0);
	show("four", ro);
	t_cat("four");
	T(linkat(-1, "", AT_FDCWD, "five", AT_EMPTY_PATH));
	close(ro), close(fd);
	/* Never to be linked. */
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0644);
	T(fd >= 0);
	T(linkat(fd, "", AT_FDCWD, "six", AT_EMPTY_PATH));
	close(fd);
	T(rmdir("d"));
	/* By descriptor: who opened it himself. */
	chmod(".", 0777);
	fd = open(".", O_TMPFILE | O_RDWR, 0666);
	if (t_child("somebody") == 0) {
		t_need(setgid(1234) == 0 && setuid(1234) == 0, "setuid");
		T(linkat(fd, "", AT_FDCWD, "seven", AT_EMPTY_PATH));
		ro = open(".", O_TMPFILE | O_RDWR, 0666);
		T(linkat(ro, "", AT_FDCWD, "eight", AT_EMPTY_PATH));
		T(linkat(AT_FDCWD, "eight", AT_FDCWD, "nine", AT_EMPTY_PATH));
		_exit(0);
	}
	close(fd);
	return 0;
}
