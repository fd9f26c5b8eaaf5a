/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers of /proc at processes that come, exec and go: what they read is
 * there or honestly gone, and that somebody looks is not to be noticed: a lock
 * stays over exec, the end of a pipe comes when its last process ends.
 */
#include "t.h"

#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>

#define READERS	3

static struct shared {
	atomic_int	pid[2];		/* who is there to look at */
	atomic_bool	over;
} *sh;
static char *self;

static bool
is_gone(int e)
{
	return e == ENOENT || e == ESRCH || e == EACCES || e == EINVAL;	/* EINVAL: Linux, of mountinfo */
}

static void
read_all(const char *path)
{
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	MUST(fd >= 0 || is_gone(errno));
	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		;
	MUST(n == 0 || is_gone(errno));
	close(fd);
}

static void
list(const char *path, bool links, const char *what)
{
	struct dirent *e;
	char below[300], text[300];
	DIR *d = opendir(path);

	MUST(d != NULL || is_gone(errno));
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof below, "%s/%s%s", path, e->d_name, what);
		if (!links)
			read_all(below);
		else
			MUST(readlink(below, text, sizeof text) > 0 || is_gone(errno));
	}
	closedir(d);
}

static void
look(pid_t pid)
{
	static const char *const files[] = { "stat", "status", "cmdline", "environ", "maps", "statm", "limits", "comm",
		"mountinfo", "auxv" };
	static const char *const links[] = { "cwd", "exe", "root" };
	char path[64], text[300];

	for (size_t i = 0; i < T_COUNT(files); i++) {
		snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
		read_all(path);
	}
	for (size_t i = 0; i < T_COUNT(links); i++) {
		snprintf(path, sizeof path, "/proc/%d/%s", pid, links[i]);
		MUST(readlink(path, text, sizeof text) > 0 || is_gone(errno));
	}
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	list(path, true, "");
	snprintf(path, sizeof path, "/proc/%d/fdinfo", pid);
	list(path, false, "");
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	list(path, false, "/stat");
}

static void
reader(void)
{
	while (!atomic_load(&sh->over))
		for (int i = 0; i < 2; i++) {
			pid_t pid = atomic_load(&sh->pid[i]);

			if (pid > 0)
				look(pid);
			else
				sched_yield();
		}
	_exit(0);
}

/* One process after another that opens, changes directory, execs itself and ends. */
static void
come_and_go(int which)
{
	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid = fork();

		MUST(pid >= 0);
		if (pid == 0) {
			MUST(dup(0) >= 0 && chdir(i % 2 == 0 ? "/" : ".") == 0);
			if (i % 3 == 0)
				_exit(0);
			execl(self, self, "end", NULL);
			_exit(2);
		}
		atomic_store(&sh->pid[which], pid);
		MUST(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

/* The child takes a lock and execs; the lock is there until it ends, and then the pipe's end comes. */
static void
keep_lock(void)
{
	int fd = open("lock", O_RDWR | O_CREAT, 0600), lost = 0, status;
	char at[16];

	MUST(fd >= 0);
	snprintf(at, sizeof at, "%d", fd);
	for (int i = 0; i < 100; i++) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int p[2], q[2];
		char c;
		pid_t pid;

		MUST(pipe(p) == 0 && pipe(q) == 0);
		pid = fork();
		if (pid == 0) {
			MUST(fcntl(fd, F_SETLK, &l) == 0 && dup2(p[1], 40) == 40 && dup2(q[0], 41) == 41);
			close(p[0]);
			close(p[1]);
			close(q[1]);
			execl(self, self, "hold", at, NULL);
			_exit(2);
		}
		close(p[1]);
		close(q[0]);
		atomic_store(&sh->pid[0], pid);
		MUST(read(p[0], &c, 1) == 1);		/* it is the new program */
		MUST(fcntl(fd, F_GETLK, &l) == 0);
		lost += l.l_type == F_UNLCK;
		close(q[1]);
		MUST(read(p[0], &c, 1) == 0);
		MUST(waitpid(pid, &status, 0) == pid && status == 0);
		close(p[0]);
	}
	T(lost);
}

int
main(int argc, char **argv)
{
	char c;
	int well = 0, status;

	self = argv[0];
	if (argc == 2)
		return 0;
	if (argc == 3)
		return write(40, "h", 1) == 1 && read(41, &c, 1) == 0 ? 0 : 3;
	sh = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_need(sh != MAP_FAILED, "mmap");
	for (int i = 0; i < READERS; i++)
		if (fork() == 0)
			reader();
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			come_and_go(i);
			_exit(0);
		}
	for (int i = 0; i < 2; i++)
		well += wait(&status) > 0 && status == 0;
	keep_lock();
	atomic_store(&sh->over, true);
	for (int i = 0; i < READERS; i++)
		well += wait(&status) > 0 && status == 0;
	T(well);
	return 0;
}
