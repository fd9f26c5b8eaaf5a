/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify - on overlays, devices, bind mounts; programs that are run.  needs: root mounts */
#include "inotify.h"
#include "overlay.h"
#include <sys/xattr.h>

static int fd;

static void
touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0644));
}

static void
overlay(void)
{
	int f;

	mkdir("low/d", 0755);
	mkdir("up/d", 0755);
	mkdir("low/old", 0755);
	t_file("low/f", "lower", 0644);
	t_file("low/d/x", "lower x", 0644);
	t_file("up/d/y", "upper y", 0644);
	t_need(mount("o", "m", "overlay", 0, OV_LAYERS) == 0, "overlay");
	T(inotify_add_watch(fd, "m", IN_ALL_EVENTS));
	T(inotify_add_watch(fd, "m/d", IN_ALL_EVENTS));
	T(inotify_add_watch(fd, "m/f", IN_ALL_EVENTS));
	t_cat("m/f");
	in_show(fd, "read the lower file");
	f = open("m/f", O_WRONLY | O_APPEND);
	T(write(f, "more", 4));
	close(f);
	in_show(fd, "copied up");
	t_cat("m/f");
	T(chmod("m/f", 0600));
	in_show(fd, "the copy");
	T(rename("m/f", "m/g"));
	in_show(fd, "rename");
	T(chmod("m/d/x", 0600));
	T(rename("m/d/x", "m/d/z"));
	T(rename("m/d/y", "m/y"));
	in_show(fd, "in a merged directory");
	touch("m/new");
	mkdir("m/dir", 0755);
	in_show(fd, "make");
	T(unlink("m/new"));
	T(rmdir("m/dir"));
	T(unlink("m/g"));
	in_show(fd, "remove");
	T(unlink("m/d/z"));
	T(rmdir("m/d"));
	in_show(fd, "the merged directory");
	T(inotify_add_watch(fd, "m/old", IN_ALL_EVENTS));
	T(rmdir("m/old"));
	in_show(fd, "a lower one");
	t_file("low/last", "lower", 0644);
	T(umount("m"));
	in_show(fd, "unmounted");
}

static void
lower_only(void)
{
	mkdir("w2", 0755);
	mkdir("u2", 0755);
	t_file("low/one", "one", 0644);
	t_need(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=u2,workdir=w2") == 0, "overlay");
	T(inotify_add_watch(fd, "m/one", IN_ALL_EVENTS));
	T(unlink("m/one"));
	in_show(fd, "a lower file");
	T(umount("m"));
	in_show(fd, "unmounted");
}

static void
attributes(void)
{
	int f;

	mkdir("a", 0755);
	t_file("a/f", "", 0600);
	T(inotify_add_watch(fd, "a", IN_ALL_EVENTS));
	T(inotify_add_watch(fd, "a/f", IN_ALL_EVENTS));
	f = open("a/f", O_RDWR);
	T(fallocate(f, 0, 0, 4096));
	close(f);
	in_show(fd, "allocate");
	T(setxattr("a/f", "trusted.x", "1", 1, 0));
	T(setxattr("a/f", "trusted.x", "1", 1, XATTR_CREATE));
	T(removexattr("a/f", "trusted.x"));
	T(setxattr("a", "trusted.x", "1", 1, 0));
	T(getxattr("a", "trusted.x", NULL, 0));
	in_show(fd, "extended attributes");
}

static void
other_places(void)
{
	char buf[4];
	int f;

	T(mknod("zero", S_IFCHR | 0600, 1 << 8 | 5));
	T(inotify_add_watch(fd, "zero", IN_ALL_EVENTS));
	f = open("zero", O_RDWR);
	T(read(f, buf, 4));
	T(write(f, buf, 4));
	close(f);
	in_show(fd, "a device");
	mkdir("here", 0755);
	mkdir("there", 0755);
	T(mount("here", "there", NULL, MS_BIND, NULL));
	T(inotify_add_watch(fd, "here", IN_ALL_EVENTS));
	touch("there/f");
	T(rename("there/f", "there/g"));
	in_show(fd, "by a bind mount");
	T(umount("there"));
	in_show(fd, "which goes");
	T(unlink("here/g"));
	in_show(fd, "by its own name");
}

static void
copy_self(const char *to)
{
	static char buf[1 << 16];
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0755);
	ssize_t n;

	t_need(in >= 0 && out >= 0, "open");
	while ((n = read(in, buf, sizeof buf)) > 0)
		t_need(write(out, buf, (size_t)n) == n, "write");
	close(in), close(out);
}

static void
programs(void)
{
	int closed = inotify_init1(IN_NONBLOCK);	/* when is not told */
	char cwd[200], line[300];

	mkdir("bin", 0755);
	copy_self("bin/prog");
	t_need(getcwd(cwd, sizeof cwd) != NULL, "getcwd");
	snprintf(line, sizeof line, "#!%s/bin/prog child\n", cwd);
	t_file("bin/script", line, 0755);
	T(inotify_add_watch(fd, "bin", IN_OPEN | IN_ACCESS));
	T(inotify_add_watch(closed, "bin", IN_CLOSE));
	if (t_child("program") == 0)
		_exit(execl("bin/prog", "prog", "child", NULL));
	in_show(fd, "a program");
	in_show(closed, "closed");
	if (t_child("script") == 0)
		_exit(execl("bin/script", "script", NULL));
	in_show(fd, "a script");
	close(closed);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return 7;
	ov_begin();
	fd = inotify_init1(IN_NONBLOCK);
	t_need(fd >= 0, "inotify_init1");
	overlay();
	lower_only();
	attributes();
	other_places();
	programs();
	return 0;
}
