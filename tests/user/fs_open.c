/* SPDX-License-Identifier: BSD-2-Clause */
/* open - the matrix of flags over kinds of files, and the order of its errors.  needs: root */
#include "t.h"

static void
try(const char *path, const char *name, int flags)
{
	char buf[1];
	int fd = open(path, flags, 0640);
	struct stat st;

	if (fd < 0) {
		t_say("%-10s %-28s %s", path, name, t_errno(errno));
		return;
	}
	fstat(fd, &st);
	t_say("%-10s %-28s ok: mode %o size %d read %d write %d", path, name, st.st_mode,
	    S_ISREG(st.st_mode) ? (int)st.st_size : 0, (int)read(fd, buf, 0), (int)write(fd, buf, 0));
	close(fd);
}

static void
restore(void)
{
	unlink("new");
	unlink("dangling2");
	t_file("file", "content", 0644);
}

int
main(void)
{
	static const struct { const char *name; int flags; } flags[] = {
		{ "O_RDONLY", O_RDONLY }, { "O_WRONLY", O_WRONLY }, { "O_RDWR", O_RDWR },
		{ "O_CREAT", O_CREAT }, { "O_CREAT|O_EXCL", O_CREAT | O_EXCL },
		{ "O_CREAT|O_WRONLY|O_TRUNC", O_CREAT | O_WRONLY | O_TRUNC },
		{ "O_TRUNC|O_RDONLY", O_TRUNC | O_RDONLY }, { "O_TRUNC|O_WRONLY", O_TRUNC | O_WRONLY },
		{ "O_DIRECTORY", O_DIRECTORY }, { "O_DIRECTORY|O_RDWR", O_DIRECTORY | O_RDWR },
		{ "O_NOFOLLOW|O_CREAT", O_NOFOLLOW | O_CREAT }, { "O_PATH|O_NOFOLLOW", 0x200000 | O_NOFOLLOW },
		{ "O_PATH", 0x200000 }, { "O_APPEND|O_WRONLY", O_APPEND | O_WRONLY }, { "O_EXCL", O_EXCL },
	};
	static const char *const paths[] = {
		"file", "dir", "new", "new/", "file/", "file/x", "dir/", "dir/.", "dir/..", ".", "link", "dirlink", "dirlink/",
		"dangling", "loop", "missing/x", "", "noperm",
	};

	umask(022);
	t_file("file", "content", 0644);
	t_file("noperm", "secret", 0);
	t_need(mkdir("dir", 0755) == 0 && symlink("file", "link") == 0 && symlink("dir", "dirlink") == 0 &&
	    symlink("loop", "loop") == 0 && symlink("dangling2", "dangling") == 0, "setup");
	for (size_t p = 0; p < T_COUNT(paths); p++)
		for (size_t f = 0; f < T_COUNT(flags); f++) {
			restore();
			try(paths[p], flags[f].name, flags[f].flags);
		}
	t_say("-- not root");
	if (t_child("as another user") == 0) {
		t_need(chmod(".", 0755) == 0 && setgid(12345) == 0 && setuid(12345) == 0, "drop");
		try("file", "O_RDONLY", O_RDONLY);
		try("file", "O_WRONLY", O_WRONLY);
		try("file", "O_RDWR", O_RDWR);
		try("file", "O_RDONLY|O_TRUNC", O_RDONLY | O_TRUNC);
		try("noperm", "O_RDONLY", O_RDONLY);
		try("noperm", "O_CREAT", O_CREAT);
		try("noperm", "O_PATH", 0x200000);
		try("new", "O_CREAT|O_WRONLY", O_CREAT | O_WRONLY);
		try("file", "O_CREAT|O_EXCL", O_CREAT | O_EXCL);
		try("dir/new", "O_CREAT", O_CREAT);
		_exit(0);
	}
	/* The mode of a file being made does not bind the descriptor that makes it. */
	int fd = open("readonly", O_CREAT | O_RDWR, 0400);
	T(write(fd, "x", 1));
	close(fd);
	T_OK(open("/", O_WRONLY));
	T_SYS(open, "file", O_RDONLY | O_CREAT, 0);
	T_SYS(openat, -1, "file", O_RDONLY);
	T_SYS(openat, 900, "file", O_RDONLY);
	T_OK(syscall(SYS_openat, 900, "/dev/null", O_RDONLY));
	fd = open("file", O_RDONLY);
	T_SYS(openat, fd, "file", O_RDONLY);
	T_SYS(openat, fd, "", O_RDONLY);
	T_OK(syscall(SYS_creat, "created", 0777));
	return 0;
}
