/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several processes at the same names and files: what must hold in any
 * order.  Directories moved into each other stay a tree; link counts are
 * right; one of many makers wins; records written at once stay whole; a
 * directory that is removed takes nothing in.
 */
#include "t.h"

#include <dirent.h>

#define CROWD	4

/* All do fn at once; what they return is added up. */
static int
crowd(const char *what, int (*fn)(int me))
{
	int status, sum = 0;

	for (int i = 0; i < CROWD; i++) {
		pid_t pid = fork();

		t_need(pid >= 0, "fork");
		if (pid == 0)
			_exit(fn(i));
	}
	for (int i = 0; i < CROWD; i++) {
		t_need(wait(&status) > 0, "wait");
		if (!WIFEXITED(status))
			t_status(what, status);
		sum += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	}
	return sum;
}

/* ------------------------------------------------------ a tree stays one -- */

#define DIRS	6
static int dirfd_of[DIRS + 1];		/* the last is the top */
static ino_t ino_of[DIRS + 1];

static int
move_dirs(int me)
{
	uint64_t seed = 77 + (uint64_t)me;
	char name[8], other[8];

	for (int i = 0; i < 1500; i++) {
		int from = dirfd_of[t_rand(&seed) % (DIRS + 1)], to = dirfd_of[t_rand(&seed) % (DIRS + 1)];
		uint32_t flags = t_rand(&seed) % 4 == 0 ? 2 : 0;	/* RENAME_EXCHANGE */

		snprintf(name, sizeof name, "n%u", t_rand(&seed) % DIRS);
		snprintf(other, sizeof other, "n%u", t_rand(&seed) % DIRS);
		MUST(syscall(SYS_renameat2, from, name, to, flags != 0 ? other : name, flags) == 0 || errno == ENOENT ||
		    errno == EINVAL || errno == ENOTEMPTY);
	}
	return 0;
}

static int
count_below(int fd, ino_t self, ino_t up)
{
	struct dirent *e;
	struct stat st;
	DIR *d = fdopendir(fd);
	int n = 0, subs = 0;

	MUST(d != NULL && fstat(dirfd(d), &st) == 0 && st.st_ino == self);
	while ((e = readdir(d)) != NULL) {
		struct stat sub;
		int to;

		if (strcmp(e->d_name, "..") == 0 && up != 0)
			MUST(e->d_ino == up);
		if (e->d_name[0] == '.')
			continue;
		MUST((to = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY)) >= 0 && fstat(to, &sub) == 0);
		subs++;
		n += 1 + count_below(to, sub.st_ino, self);
	}
	MUST((int)st.st_nlink == 2 + subs);
	closedir(d);
	return n;
}

static void
tree(void)
{
	char name[8];
	struct stat st;

	for (int i = 0; i <= DIRS; i++) {
		snprintf(name, sizeof name, i < DIRS ? "n%d" : ".", i);
		t_need(i == DIRS || mkdir(name, 0700) == 0, "mkdir");
		dirfd_of[i] = open(name, O_RDONLY | O_DIRECTORY);
		t_need(dirfd_of[i] >= 0 && fstat(dirfd_of[i], &st) == 0, "open");
		ino_of[i] = st.st_ino;
	}
	T(crowd("move", move_dirs));
	T(count_below(open(".", O_RDONLY | O_DIRECTORY), ino_of[DIRS], 0));
	for (int i = 0; i < DIRS; i++)
		for (int d = 0; d <= DIRS; d++)
			for (int k = 0; k < DIRS; k++) {
				snprintf(name, sizeof name, "n%d", k);
				unlinkat(dirfd_of[d], name, AT_REMOVEDIR);
			}
	for (int i = 0; i <= DIRS; i++)
		close(dirfd_of[i]);
}

/* --------------------------------------------- links, winners, removals -- */

static int
same_names(int me)
{
	uint64_t seed = 5 + (uint64_t)me;

	for (int i = 0; i < 1500; i++) {
		char a[8], b[8];
		int fd;

		snprintf(a, sizeof a, "f%u", t_rand(&seed) % 4);
		snprintf(b, sizeof b, "f%u", t_rand(&seed) % 4);
		switch (t_rand(&seed) % 5) {
		case 0:
			MUST((fd = open(a, O_CREAT | O_RDWR, 0600)) >= 0 || errno == ELOOP);
			close(fd);
			break;
		case 1:
			MUST(unlink(a) == 0 || errno == ENOENT);
			break;
		case 2:
			MUST(link(a, b) == 0 || errno == ENOENT || errno == EEXIST);
			break;
		case 3:
			MUST(rename(a, b) == 0 || errno == ENOENT);
			break;
		default:
			MUST(symlink(a, b) == 0 || errno == EEXIST);
			MUST(readlink(b, a, 1) == 1 || errno == ENOENT || errno == EINVAL);
		}
	}
	return 0;
}

/* As many names of each file as its count says. */
static void
links_are_right(void)
{
	struct stat st[4];
	char name[8];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "f%d", i);
		if (lstat(name, &st[i]) != 0)
			st[i].st_ino = 0;
	}
	for (int i = 0; i < 4; i++) {
		unsigned n = 0;

		for (int k = 0; k < 4; k++)
			n += st[k].st_ino == st[i].st_ino;
		MUST(st[i].st_ino == 0 || st[i].st_nlink == n);
		snprintf(name, sizeof name, "f%d", i);
		unlink(name);
	}
	t_say("links: right");
}

static int
win(int me)
{
	int won = 0;

	(void)me;
	for (int i = 0; i < 20; i++) {
		char name[8];
		int fd;

		snprintf(name, sizeof name, "w%d", i);
		if (i % 2 == 0) {
			fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
			MUST(fd >= 0 || errno == EEXIST);
			won += fd >= 0;
		} else {
			errno = 0;
			MUST(mkdir(name, 0700) == 0 || errno == EEXIST);
			won += errno == 0;
			errno = 0;
		}
	}
	for (int i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof name, "w%d", i);
		if (i % 2 == 0 ? unlink(name) == 0 : rmdir(name) == 0)
			won++;
		else
			MUST(errno == ENOENT);
		errno = 0;
	}
	return won;
}

/* One makes and removes a directory, the others look into it, put files there, and stay in it. */
static int
come_and_go(int me)
{
	char own[2] = { (char)('a' + me), 0 }, text[64];
	int fd, dir;

	for (int i = 0; i < 1000; i++) {
		if (me == 0) {
			MUST(mkdir("d", 0700) == 0 || errno == EEXIST);
			MUST((fd = open("d/x", O_CREAT | O_WRONLY, 0600)) >= 0 || errno == ENOENT);
			close(fd);
			MUST(unlink("d/x") == 0 || errno == ENOENT);
			MUST(rmdir("d") == 0 || errno == ENOTEMPTY);
		} else if (me == 1) {
			MUST((fd = open("d/y", O_CREAT | O_RDWR, 0600)) >= 0 || errno == ENOENT);
			close(fd);
			MUST(unlink("d/y") == 0 || errno == ENOENT);
		} else if ((dir = open("d", O_RDONLY | O_DIRECTORY)) >= 0) {
			struct stat st;

			if ((fd = openat(dir, own, O_CREAT | O_RDWR, 0600)) >= 0) {
				MUST(close(fd) == 0 && unlinkat(dir, own, 0) == 0);
				MUST(fstat(dir, &st) == 0);
			} else {
				MUST(errno == ENOENT);
				MUST(fstat(dir, &st) == 0 && st.st_nlink == 0);
				MUST(openat(dir, own, O_CREAT | O_RDWR, 0600) < 0 && errno == ENOENT);
			}
			MUST(readlink("/proc/self/cwd", text, sizeof text) > 0);
			close(dir);
		} else {
			MUST(errno == ENOENT);
		}
	}
	return 0;
}

/* --------------------------------------------------------------- records -- */

#define RECORD	100
#define EACH	200
static int shared;

static void
put_records(int fd, int me)
{
	char r[RECORD];

	for (int i = 0; i < EACH; i++) {
		memset(r, 'a' + me, sizeof r);
		r[0] = (char)i;
		MUST(write(fd, r, sizeof r) == sizeof r);
	}
}

static int
append(int me)
{
	int fd = open("log", O_WRONLY | O_APPEND);

	MUST(fd >= 0);
	put_records(fd, me);
	return 0;
}

static int
share_offset(int me)
{
	put_records(shared, me);
	return 0;
}

/* Each record is one writer's, and the records of one are in order. */
static void
records_are_whole(const char *what)
{
	int next[CROWD] = { 0 }, fd = open("log", O_RDONLY), n = 0;
	char r[RECORD];

	while (read(fd, r, sizeof r) == sizeof r) {
		int who = r[1] - 'a';

		MUST(who >= 0 && who < CROWD && r[0] == (char)next[who]);
		for (int i = 2; i < RECORD; i++)
			MUST(r[i] == r[1]);
		next[who]++;
		n++;
	}
	t_say("%s: %d records, size ok %d", what, n, lseek(fd, 0, SEEK_END) == (off_t)n * RECORD);
	close(fd);
}

/* From one description each record is read by exactly one. */
static int
read_some(int me)
{
	char r[RECORD];
	int n = 0;

	(void)me;
	while (read(shared, r, sizeof r) == sizeof r && n < 250)
		n++;
	return n;
}

int
main(void)
{
	int fd;

	tree();
	T(crowd("names", same_names));
	links_are_right();
	T(crowd("win", win) >= 40);
	T(crowd("come and go", come_and_go));
	MUST(rmdir("d") == 0 || errno == ENOENT);	/* the last rmdir may have met another's file, but none is left */
	t_file("log", "", 0600);
	T(crowd("append", append));
	records_are_whole("append");
	t_need((shared = open("log", O_RDWR | O_TRUNC)) >= 0, "open");
	T(crowd("share", share_offset));
	records_are_whole("shared");
	t_need((fd = open("log", O_WRONLY | O_TRUNC)) >= 0, "open");
	for (int i = 0; i < 250; i++)
		t_need(write(fd, (char[RECORD]){ 0 }, RECORD) == RECORD, "write");
	T(lseek(shared, 0, SEEK_SET));
	T(crowd("read", read_some));
	return 0;
}
