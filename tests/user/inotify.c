/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify - which events each operation makes, in which order, for whom.  needs: root */
#include "inotify.h"
#include <sys/sendfile.h>

static int fd;

static void
touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0644));
}

static void
directory(void)
{
	struct timespec ts[2] = { { 1, 0 }, { 2, 0 } };
	char buf[100];
	int f;

	T(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
	f = open("d/new", O_CREAT | O_RDWR | O_TRUNC, 0644);
	in_show(fd, "create");
	T(write(f, "hello", 5));
	T(write(f, "hello", 5));
	in_show(fd, "two writes are one event");
	T(pread(f, buf, 5, 0));
	T(read(f, buf, 100));
	T(write(f, "", 0));
	T(lseek(f, 0, SEEK_SET));
	in_show(fd, "read at, and at the end");
	T(ftruncate(f, 3));
	T(truncate("d/new", 2));
	T(fchmod(f, 0600));
	in_show(fd, "truncate, mode");
	T(chown("d/new", 0, 0));
	T(chown("d/new", -1, -1));
	T(utimensat(AT_FDCWD, "d/new", ts, 0));
	in_show(fd, "owner, times");
	ts[0].tv_nsec = UTIME_OMIT;
	T(utimensat(AT_FDCWD, "d/new", ts, 0));
	in_show(fd, "time of change");
	ts[1].tv_nsec = UTIME_OMIT;
	ts[0].tv_nsec = 5;
	T(utimensat(AT_FDCWD, "d/new", ts, 0));
	in_show(fd, "time of access");
	T(close(f));
	in_show(fd, "close");
	T(close(open("d/new", O_RDONLY)));
	T(close(open("d/new", O_PATH)));
	in_show(fd, "open to read");
	T(close(open("d/new", O_WRONLY | O_TRUNC)));
	in_show(fd, "truncate at open");
	T(close(open("d/new", O_WRONLY | O_CREAT, 0600)));
	T(open("d/new", O_WRONLY | O_CREAT | O_EXCL, 0600));
	in_show(fd, "create what is there");
}

static void
names(void)
{
	int f;

	T(mkdir("d/sub", 0755));
	T(symlink("new", "d/link"));
	T(mkfifo("d/fifo", 0600));
	T(link("d/new", "d/hard"));
	in_show(fd, "make");
	T(close(open("d/link", O_RDONLY)));
	in_show(fd, "through a link");
	T(lchown("d/link", 0, 0));
	in_show(fd, "the link itself");
	touch("d/sub/deep");
	T(chmod("d/sub", 0700));
	in_show(fd, "in a directory below");
	T(rename("d/new", "d/newer"));
	in_show(fd, "rename");
	T(rename("d/newer", "d/sub/away"));
	in_show(fd, "move out");
	T(rename("d/sub/away", "d/back"));
	in_show(fd, "move in");
	T(syscall(SYS_renameat2, AT_FDCWD, "d/back", AT_FDCWD, "d/link", 2));
	in_show(fd, "exchange");
	T(rename("d/fifo", "d/link"));
	in_show(fd, "replace");
	T(rename("d/hard", "d/back"));
	in_show(fd, "two names of one file");
	T(unlink("d/back"));
	T(unlink("d/link"));
	T(rmdir("d/sub"));
	T(unlink("d/sub/deep"));
	T(rmdir("d/sub"));
	in_show(fd, "remove");
	f = open("d", O_RDONLY | O_DIRECTORY);
	T_OK(syscall(SYS_getdents64, f, (char[1000]){ 0 }, 1000));
	T(close(f));
	in_show(fd, "list");
	T(chmod("d", 0755));
	in_show(fd, "attributes of the directory");
}

/* Watches on the file and on its directory: both are told. */
static void
both(void)
{
	int f;

	touch("d/f");
	in_show(fd, "made");
	T(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS));
	f = open("d/f", O_RDWR);
	T(write(f, "x", 1));
	T(link("d/f", "d/g"));
	T(rename("d/f", "d/h"));
	in_show(fd, "open, write, link, rename");
	T(unlink("d/g"));
	in_show(fd, "one of two names");
	T(unlink("d/h"));
	in_show(fd, "the other one");
	T(write(f, "x", 1));
	in_show(fd, "written without a name");
	T(close(f));
	in_show(fd, "its end");
	touch("d/f");
	T(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS));
	T(unlink("d/f"));
	in_show(fd, "nobody has it open");
	touch("d/f");
	touch("d/g");
	T(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS));
	T(inotify_add_watch(fd, "d/g", IN_ALL_EVENTS));
	in_show(fd, "made again");
	T(rename("d/f", "d/g"));
	in_show(fd, "replaced");
	T(unlink("d/g"));
	in_show(fd, "removed");
}

static void
directories(void)
{
	mkdir("d/s", 0755);
	mkdir("e", 0755);
	T(inotify_add_watch(fd, "d/s", IN_ALL_EVENTS));
	T(inotify_add_watch(fd, "e", IN_ALL_EVENTS));
	touch("d/s/x");
	in_show(fd, "in a watched directory of a watched one");
	T(rename("d/s", "e/t"));
	in_show(fd, "a directory moves");
	touch("e/t/y");
	in_show(fd, "and is watched still");
	T(rename("e/t/y", "d/y"));
	T(unlink("e/t/x"));
	in_show(fd, "from one to another");
	T(mkdir("d/empty", 0755));
	T(rename("e/t", "d/empty"));
	in_show(fd, "in an empty one's place");
	T(rmdir("d/empty"));
	in_show(fd, "its end");
	T(unlink("d/y"));
	T(rmdir("e"));
	T(rmdir("d"));
	in_show(fd, "the end of all");
}

static void
moving_bytes(void)
{
	int a, b, p[2];

	t_file("a", "some bytes", 0600);
	t_file("b", "", 0600);
	T(inotify_add_watch(fd, "a", IN_ALL_EVENTS));
	T(inotify_add_watch(fd, "b", IN_ALL_EVENTS));
	a = open("a", O_RDONLY);
	b = open("b", O_WRONLY);
	in_show(fd, "open");
	T(sendfile(b, a, (off_t[1]){ 0 }, 4));
	in_show(fd, "sendfile");
	T(copy_file_range(a, (off_t[1]){ 0 }, b, NULL, 4, 0));
	in_show(fd, "copy_file_range");
	t_need(pipe(p) == 0, "pipe");
	T(splice(a, (off_t[1]){ 0 }, p[1], NULL, 4, 0));
	T(splice(p[0], NULL, b, NULL, 4, 0));
	in_show(fd, "splice");
	close(a), close(b), close(p[0]), close(p[1]);
	in_show(fd, "close");
	unlink("a"), unlink("b");
	in_show(fd, "unlink");
}

/* A file that is not closed when it is opened again, watched before and after, by several. */
static void
late(void)
{
	int other = inotify_init1(IN_NONBLOCK), f;

	mkdir("l", 0755);
	touch("l/f");
	f = open("l/f", O_RDWR);
	T(write(f, "x", 1));
	T(inotify_add_watch(fd, "l", IN_MODIFY | IN_CLOSE));
	T(write(f, "x", 1));
	in_show(fd, "watched since it was opened");
	T(inotify_add_watch(other, "l/f", IN_MODIFY));
	T(write(f, "x", 1));
	in_show(fd, "one");
	in_show(other, "the other");
	mkdir("m", 0755);
	T(inotify_add_watch(other, "m", IN_MODIFY | IN_MOVED_TO));
	T(rename("l/f", "m/f"));
	T(write(f, "x", 1));
	in_show(fd, "moved away");
	in_show(other, "to here");
	close(f);
	close(other);
	in_show(fd, "closed elsewhere");
	unlink("m/f"), rmdir("m"), rmdir("l");
	in_show(fd, "gone");
}

int
main(void)
{
	t_need(mkdir("d", 0755) == 0, "mkdir");
	fd = inotify_init1(IN_NONBLOCK);
	t_need(fd >= 0, "inotify_init1");
	directory();
	names();
	both();
	directories();
	moving_bytes();
	late();
	return 0;
}
