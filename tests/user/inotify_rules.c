/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify - descriptors, masks, queues and limits.  needs: root mounts */
#include "inotify.h"
#include <sys/epoll.h>
#include <sys/mount.h>

static int fd;

static void
touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0644));
}

static void
arguments(void)
{
	int none = open("f", O_RDONLY);

	T(inotify_init1(1));
	T(inotify_init1(IN_CLOEXEC | IN_NONBLOCK | 4));
	T(inotify_add_watch(fd, "f", 0));
	T(inotify_add_watch(fd, "f", 0x1000));
	T(inotify_add_watch(999, "f", 0));
	T(inotify_add_watch(999, "f", IN_OPEN));
	T(inotify_add_watch(none, "f", IN_OPEN));
	T(inotify_add_watch(none, "f", IN_MASK_ADD | IN_MASK_CREATE));
	T(inotify_add_watch(fd, "f", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN));
	T(inotify_add_watch(fd, "none", IN_OPEN));
	T(inotify_add_watch(fd, "", IN_OPEN));
	T(inotify_add_watch(fd, (char *)8, IN_OPEN));
	T(inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR));
	T(inotify_add_watch(fd, "f/", IN_OPEN));
	T(inotify_rm_watch(999, 1));
	T(inotify_rm_watch(none, 1));
	T(inotify_rm_watch(fd, 0));
	T(inotify_rm_watch(fd, -1));
	T(inotify_rm_watch(fd, 1));
	T(write(fd, "x", 1));
	T(lseek(fd, 0, SEEK_CUR));
	T(ioctl(fd, TCGETS, (char[100]){ 0 }));
	T(fcntl(fd, F_GETFL) == (O_RDONLY | O_NONBLOCK));
	T(fcntl(fd, F_GETFD));
	close(none);
}

static void
masks(void)
{
	int wd = T(inotify_add_watch(fd, "f", IN_OPEN));

	T(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_CREATE));
	T(inotify_add_watch(fd, "f", IN_CLOSE_NOWRITE | IN_MASK_ADD));
	close(open("f", O_RDONLY));
	in_show(fd, "added");
	T(inotify_add_watch(fd, "f", IN_ACCESS));
	close(open("f", O_RDONLY));
	in_show(fd, "replaced");
	T(inotify_rm_watch(fd, wd));
	T(inotify_rm_watch(fd, wd));
	in_show(fd, "removed");
	T(inotify_add_watch(fd, "l", IN_OPEN | IN_ATTRIB | IN_DONT_FOLLOW));
	close(open("l", O_RDONLY));
	T(lchown("l", 0, 0));
	T(inotify_add_watch(fd, "l", IN_OPEN | IN_MASK_CREATE));
	in_show(fd, "a link, and what it leads to");
	T(inotify_add_watch(fd, ".", IN_OPEN | IN_ONESHOT));
	close(open("f", O_RDONLY));
	close(open("f", O_RDONLY));
	in_show(fd, "once");
	T(inotify_add_watch(fd, ".", IN_ISDIR));
	touch("g");
	in_show(fd, "no events");
	T(inotify_add_watch(fd, ".", IN_ALL_EVENTS | IN_EXCL_UNLINK));
	wd = open("g", O_RDWR);
	T(write(wd, "x", 1));
	T(unlink("g"));
	in_show(fd, "before it goes");
	T(write(wd, "x", 1));
	T(fchmod(wd, 0600));
	T(close(wd));
	in_show(fd, "after it went");
}

/* What /proc tells, but for numbers of files. */
static void
shown(void)
{
	char path[100], text[2000] = "", *at = text, *mask;
	int in = inotify_init1(0), f;

	T(inotify_add_watch(in, "f", IN_ONESHOT | IN_OPEN | IN_EXCL_UNLINK));
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", in);
	f = open(path, O_RDONLY);
	t_need(f >= 0 && read(f, text, sizeof text - 1) > 0, path);
	close(f), close(in);
	while ((at = strstr(at, "inotify wd:")) != NULL && (mask = strstr(at, "mask:")) != NULL) {
		t_say("%.*s %.*s", (int)strcspn(at + 8, " ") + 8, at, (int)strcspn(mask, " "), mask);
		at = mask;
	}
}

static void
reading(void)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN | POLLOUT };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), n = -1, w = inotify_init1(0), end[2], st;
	char buf[300];

	T(read(fd, buf, 100));
	T(ioctl(fd, FIONREAD, &n));
	t_say("%d bytes", n);
	T(poll(&pf, 1, 0));
	T(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	T(epoll_wait(ep, &ev, 1, 0));
	touch("a-name-of-sixteen");
	touch("fifteen-letters");
	touch("sixteen-letters-");
	T(epoll_wait(ep, &ev, 1, 0));
	T(poll(&pf, 1, 0));
	t_say("revents %#x", (unsigned)pf.revents);
	T(ioctl(fd, FIONREAD, &n));
	t_say("%d bytes", n);
	T(read(fd, buf, 0));
	T(read(fd, buf, 16));
	T(read(fd, buf, 47));
	T(read(fd, buf, 48));
	T(read(fd, buf, 100));
	T(read(fd, (char *)8, 100));
	T(ioctl(fd, FIONREAD, &n));
	t_say("%d bytes", n);
	in_show(fd, "the rest");
	T(inotify_add_watch(w, "f", IN_OPEN));
	t_need(pipe(end) == 0, "pipe");
	if (fork() == 0) {
		n = (int)read(w, buf, sizeof buf);
		t_say("read %d", n);
		_exit(0);
	}
	t_sleep_ms(20);
	close(open("f", O_RDONLY));
	wait(&st);
	t_status("reader", st);
	close(w), close(ep), close(end[0]), close(end[1]);
	in_show(fd, "meanwhile");
}

static int
limit(const char *name, int value)
{
	char path[100], text[20] = "";
	int f, old;

	snprintf(path, sizeof path, "/proc/sys/fs/inotify/%s", name);
	f = open(path, O_RDWR);
	t_need(f >= 0 && read(f, text, sizeof text - 1) > 0, path);
	old = atoi(text);
	if (value >= 0) {
		snprintf(text, sizeof text, "%d\n", value);
		t_need(pwrite(f, text, strlen(text), 0) > 0, "write");
	}
	close(f);
	return old;
}

static void
overflow(void)
{
	int old = limit("max_queued_events", 4), q = inotify_init1(IN_NONBLOCK);
	char name[20];

	limit("max_queued_events", old);
	T(inotify_add_watch(q, ".", IN_CREATE | IN_DELETE));
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "n%d", i);
		touch(name);
	}
	in_show(q, "more than fit");
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "n%d", i);
		unlink(name);
	}
	in_show(q, "and again");
	close(q);
	in_show(fd, "another queue has all");
}

/* An ordinary user's limits: in a child, which has a number of its own for that. */
static void
limits(void)
{
	int instances = limit("max_user_instances", 3), watches = limit("max_user_watches", 2), in[5], n;

	if (t_child("limits") == 0) {
		t_need(setuid(54321) == 0, "setuid");
		for (n = 0; n < 5; n++)
			T_OK(in[n] = inotify_init1(IN_NONBLOCK));
		T(inotify_add_watch(in[0], "f", IN_OPEN));
		T(inotify_add_watch(in[0], "f", IN_OPEN));
		T(inotify_add_watch(in[1], "f", IN_OPEN));
		T(inotify_add_watch(in[1], ".", IN_OPEN));
		T(inotify_rm_watch(in[0], 1));
		T(inotify_add_watch(in[1], ".", IN_OPEN));
		T(inotify_add_watch(in[2], ".", IN_OPEN));
		T(close(in[1]));
		T(inotify_add_watch(in[2], ".", IN_OPEN));
		T(inotify_add_watch(in[2], "secret", IN_OPEN));
		T_OK(inotify_init1(0));
		_exit(0);
	}
	limit("max_user_instances", instances);
	limit("max_user_watches", watches);
	T(limit("max_user_instances", -1) == 128);
	T(limit("max_queued_events", -1) == 16384);
	T(limit("max_user_watches", -1) >= 8192);
	in_show(fd, "meanwhile");
}

static void
unmount(void)
{
	int f, w = inotify_init1(IN_NONBLOCK), v = inotify_init1(IN_NONBLOCK);

	mkdir("m", 0755);
	T(mount("t", "m", "tmpfs", 0, ""));
	touch("m/f");
	T(inotify_add_watch(w, "m", IN_CREATE));
	T(inotify_add_watch(v, "m/f", IN_OPEN));
	T(umount("m"));
	in_show(w, "unmounted");
	in_show(v, "a file there");
	T(mount("t", "m", "tmpfs", 0, ""));
	touch("m/f");
	T(inotify_add_watch(w, "m", IN_CREATE));
	f = open("m/f", O_RDONLY);
	T(umount2("m", MNT_DETACH));
	in_show(w, "detached, but in use");
	T(close(f));
	in_show(w, "no more");
	T(inotify_rm_watch(w, 2));
	close(w), close(v);
	rmdir("m");
}

int
main(void)
{
	touch("f");
	t_need(symlink("f", "l") == 0 && mkdir("secret", 0700) == 0, "symlink");
	chmod(".", 0755);
	fd = inotify_init1(IN_NONBLOCK);
	t_need(fd >= 0, "inotify_init1");
	arguments();
	masks();
	shown();
	reading();
	overflow();
	limits();
	unmount();
	return 0;
}
