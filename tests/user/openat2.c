/* SPDX-License-Identifier: BSD-2-Clause */
/* openat2 - its structure, and every restriction over kinds of paths.  needs: root mounts */
#include "t.h"

#include <sched.h>
#include <sys/mount.h>

#define NO_XDEV		1
#define NO_MAGIC	2
#define NO_LINKS	4
#define BENEATH		8
#define IN_ROOT		16
#define CACHED		32

struct how { uint64_t flags, mode, resolve, more[4]; };

static int
open2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct how how = { .flags = flags, .mode = (flags & O_CREAT) != 0 ? 0644 : 0, .resolve = resolve };

	return (int)syscall(SYS_openat2, dir, path, &how, 24);
}

static void
structure(void)
{
	struct how how = { 0 };

	T(syscall(SYS_openat2, AT_FDCWD, ".", &how, 23));
	T_OK(syscall(SYS_openat2, AT_FDCWD, ".", &how, 24));
	T_OK(syscall(SYS_openat2, AT_FDCWD, ".", &how, 40));
	T(syscall(SYS_openat2, AT_FDCWD, ".", &how, 5000));
	how.more[2] = 1;
	T(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how));
	T(syscall(SYS_openat2, AT_FDCWD, ".", NULL, 24));
	T(open2(AT_FDCWD, ".", 1ull << 40, 0));
	T(open2(AT_FDCWD, ".", 0, 64));
	T(open2(AT_FDCWD, ".", 0, 1ull << 40));
	T(open2(AT_FDCWD, ".", 0, BENEATH | IN_ROOT));
	how = (struct how){ .mode = 0644 };
	T(syscall(SYS_openat2, AT_FDCWD, ".", &how, 24));
	how = (struct how){ .flags = O_CREAT, .mode = 010000 };
	T(syscall(SYS_openat2, AT_FDCWD, ".", &how, 24));
	T(open2(AT_FDCWD, "new", O_CREAT | O_WRONLY, CACHED));
	T(open2(AT_FDCWD, "file", O_TRUNC | O_WRONLY, CACHED));
}

/* Which file was opened is told by what it holds. */
static void
show(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	char text[32] = "", what[128];
	struct stat st;
	int fd, e;

	/* EAGAIN: somebody on this machine renamed or mounted something meanwhile. */
	do {
		fd = open2(dir, path, flags, resolve);
		e = errno;
	} while (fd < 0 && e == EAGAIN && (resolve & CACHED) == 0);
	snprintf(what, sizeof what, "  %s %#llx %llu", path, (unsigned long long)flags,
	    (unsigned long long)resolve);
	if (fd < 0) {
		t_say("%s: %s", what, t_errno(e));
		return;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (flags & O_ACCMODE) == O_RDONLY)
		(void)!read(fd, text, sizeof text - 1);
	t_say("%s: %o %s", what, st.st_mode, text);
	close(fd);
}

static const char *const paths[] = {
	"file", ".", "in", "in/file", "in/../file", "in/../../file", "..", "../file", "../root/file", "/",
	"/file", "/etc", "abs", "rel", "up", "out", "self", "deep", "loop", "dirlink/file", "dirlink/",
	"outlink/file", "missing", "in/missing", "mnt", "mnt/x", "mnt/..", "mnt/../file", "magic",
	"magic/file", "magicfile", "magicfile/..", "file/x", "abs2/file", "in/../in/../in/../in/file", "tmnt", "mnt/out",
};

static void
matrix(int root)
{
	static const uint64_t how[] = { 0, NO_XDEV, NO_MAGIC, NO_LINKS, BENEATH, IN_ROOT, BENEATH | NO_LINKS,
	    IN_ROOT | NO_XDEV, IN_ROOT | NO_MAGIC, BENEATH | NO_XDEV };

	for (size_t i = 0; i < T_COUNT(paths); i++)
		for (size_t j = 0; j < T_COUNT(how); j++) {
			show(root, paths[i], O_RDONLY, how[j]);
			show(root, paths[i], O_PATH | O_NOFOLLOW, how[j]);
		}
}

static void
creating(int root)
{
	static const char *const to[] = { "new1", "in/new2", "../new3", "/new4", "dangle", "dangleabs",
	    "in/../new5", "mnt/new6", "magic/new7", "rel", "mnt" };
	static const uint64_t how[] = { NO_XDEV, NO_MAGIC, NO_LINKS, BENEATH, IN_ROOT };

	for (size_t i = 0; i < T_COUNT(to); i++)
		for (size_t j = 0; j < T_COUNT(how); j++) {
			if (to[i][0] == '/' && how[j] != BENEATH && how[j] != IN_ROOT)
				continue;		/* in the real root, which is not ours */
			show(root, to[i], O_CREAT | O_WRONLY, how[j]);
			show(root, to[i], O_CREAT | O_EXCL | O_WRONLY, how[j]);
			show(root, to[i], O_CREAT | O_WRONLY | O_NOFOLLOW, how[j]);
			unlink("root/target");
			unlinkat(root, to[i], 0);
			if (to[i][0] == 'd')
				symlinkat(i == 4 ? "target" : "/target", root, to[i]);
			if (to[i][0] == 'r')
				symlinkat("in/file", root, to[i]);
		}
}

/* What is cached may be said not to be, while somebody on this machine renames or mounts something. */
static int
open_cached(int dir, const char *path)
{
	int fd;

	T_UNTIL((fd = open2(dir, path, O_RDONLY, CACHED)) >= 0 || errno != EAGAIN);
	return fd;
}

static void
cached(int root)
{
	struct stat st;

	T(fstatat(root, "in/file", &st, 0));
	T_OK(open_cached(root, "in/file"));
	T_OK(open_cached(root, "rel"));
}

/* While a directory moves out and in again, nobody gets above the root: EAGAIN or the file inside. */
static void
races(int root)
{
	struct stat want, st;
	int bad = 0, ok = 0;
	pid_t pid;

	mkdir("root/a", 0755);
	mkdir("root/a/b", 0755);
	t_need(fstat(root, &want) == 0, "fstat");
	pid = fork();
	if (pid == 0) {
		for (;;) {
			rename("root/a/b", "moved");
			rename("moved", "root/a/b");
		}
	}
	for (int i = 0; i < 3000; i++) {
		int fd = open2(root, "a/b/../..", O_PATH, i % 2 != 0 ? BENEATH : IN_ROOT);

		if (fd < 0) {
			bad += errno != EAGAIN && errno != ENOENT && errno != EXDEV;
			continue;
		}
		ok++;
		bad += fstat(fd, &st) != 0 || st.st_ino != want.st_ino;
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	t_say("outside: %d", bad);
	(void)ok;
}

int
main(void)
{
	int root;

	umask(022);
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	/* A mount of its own: absolute links lead to another one. */
	mkdir("fs", 0755);
	t_need(mount("t", "fs", "tmpfs", 0, NULL) == 0 && chdir("fs") == 0, "a tmpfs");
	mkdir("root", 0755);
	mkdir("root/in", 0755);
	mkdir("root/mnt", 0755);
	t_file("file", "outside", 0644);
	t_file("root/file", "root", 0644);
	t_file("root/in/file", "inside", 0644);
	t_need(mount("t", "root/mnt", "tmpfs", 0, NULL) == 0, "a tmpfs");
	t_file("root/mnt/x", "on the mount", 0644);
	symlink("/file", "root/abs");
	symlink("/in", "root/abs2");
	symlink("in/file", "root/rel");
	symlink("in/../../file", "root/up");
	symlink("../file", "root/out");
	symlink("self", "root/self");
	symlink("in/../in/../rel", "root/deep");
	symlink("loop/loop", "root/loop");
	symlink("in", "root/dirlink");
	symlink("..", "root/outlink");
	symlink("mnt/x", "root/tmnt");
	symlink("../file", "root/mnt/out");
	symlink("target", "root/dangle");
	symlink("/target", "root/dangleabs");
	root = open("root", O_RDONLY | O_DIRECTORY);
	t_need(dup2(root, 200) == 200 && dup2(open("file", O_RDONLY), 201) == 201, "dup2");
	symlink("/proc/self/fd/200", "root/magic");
	symlink("/proc/self/fd/201", "root/magicfile");
	structure();
	matrix(root);
	creating(root);
	cached(root);
	show(AT_FDCWD, "/proc/self/fd/200/file", O_RDONLY, 0);
	show(AT_FDCWD, "/proc/self/fd/200/file", O_RDONLY, NO_MAGIC);
	show(AT_FDCWD, "/proc/self/fd/200/file", O_RDONLY, NO_LINKS);
	show(AT_FDCWD, "/proc/self/fd/201", O_PATH | O_NOFOLLOW, NO_LINKS);
	show(200, "/proc/self/fd/200/file", O_RDONLY, IN_ROOT);
	races(root);
	return 0;
}
