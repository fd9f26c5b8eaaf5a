/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX message queues as files: mounted, listed, read, made and removed.  needs: root mounts */
#include "t.h"
#include <dirent.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

static void
list(const char *what)
{
	DIR *d = opendir("m");
	struct dirent *e;
	int n = 0;

	t_need(d != NULL, "opendir");
	t_say("%s:", what);
	/* One name at a time is enough to see, and needs no order. */
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] == 't' && ++n < 2)
			t_say("  %s type %d", e->d_name, e->d_type);
	t_say("  %d", n);
	closedir(d);
}

static void
show_stat(const char *path)
{
	struct stat st;

	if (T(stat(path, &st)) == 0)
		t_say("%s: mode %o links %d owner %d size %ld", path, st.st_mode, (int)st.st_nlink,
		    (int)st.st_uid, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

static void
text(const char *path)
{
	char buf[100] = "", *pid;
	int fd = open(path, O_RDONLY);

	t_need(fd >= 0 && read(fd, buf, sizeof buf - 1) > 0, path);
	pid = strstr(buf, "NOTIFY_PID:");
	t_need(pid != NULL, "NOTIFY_PID");
	t_say("%.*s%s", (int)(pid - buf), buf, atoi(pid + 11) == getpid() ? "itself" : pid + 11);
	T(read(fd, buf, 10));
	close(fd);
}

int
main(void)
{
	struct mq_attr a = { .mq_maxmsg = 5, .mq_msgsize = 20 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct statfs fs;
	char buf[20];
	int fd;
	mqd_t q;

	mkdir("m", 0755);
	/* A view of its own where there is such a thing, so that nobody else's queues are there. */
	(void)!unshare(CLONE_NEWIPC);
	t_need(mount("none", "m", "mqueue", 0, NULL) == 0, "mount");
	T(statfs("m", &fs));
	t_say("type %#lx", (long)fs.f_type);
	show_stat("m");
	q = mq_open("/t-one", O_RDWR | O_CREAT | O_NONBLOCK, 0640, &a);
	t_need(q >= 0, "mq_open");
	list("made by its call");
	show_stat("m/t-one");
	T(mq_send(q, "1234567", 7, 1));
	T(mq_send(q, "123", 3, 1));
	text("m/t-one");
	mq_receive(q, buf, 20, NULL), mq_receive(q, buf, 20, NULL);
	T(mq_notify(q, &ev));
	text("m/t-one");
	ev.sigev_notify = SIGEV_NONE;
	T(mq_notify(q, NULL));
	text("m/t-one");
	T_OK(fd = open("m/t-one", O_RDWR | O_NONBLOCK));
	T(mq_send(fd, "by file", 7, 1));
	T(mq_receive(q, buf, 20, NULL));
	T(write(fd, "x", 1));
	T(ftruncate(fd, 0));
	T(fchmod(fd, 0600));
	T(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	close(fd);
	show_stat("m/t-one");
	T_OK(fd = open("m/t-two", O_RDWR | O_CREAT | O_EXCL, 0600));
	T(mq_getattr(fd, &a));
	t_say("max %ld size %ld", a.mq_maxmsg, a.mq_msgsize);
	close(fd);
	T(mkdir("m/t-dir", 0700));
	T(mkfifo("m/t-fifo", 0700));
	T(symlink("a", "m/t-link"));
	T(link("m/t-one", "m/t-link"));
	T(rename("m/t-one", "m/t-other"));
	T_OK(open("m", O_TMPFILE | O_RDWR, 0600));
	T(unlink("m/t-one"));
	show_stat("m/t-one");
	T(mq_open("/t-one", O_RDWR));
	T(mq_send(q, "still", 5, 0));
	T(mq_receive(q, buf, 20, NULL));
	list("one is gone");
	T(mq_unlink("/t-two"));
	list("both are");
	mq_close(q);
	if (t_child("who may remove") == 0) {
		q = mq_open("/t-mine", O_RDWR | O_CREAT, 0666, NULL);
		t_need(q >= 0 && setuid(54321) == 0, "setuid");
		T(mq_unlink("/t-mine"));
		T(unlink("m/t-mine"));
		_exit(0);
	}
	T(mq_unlink("/t-mine"));
	T(umount("m"));
	T(rmdir("m"));
	return 0;
}
