/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories - getdents: every entry once, whatever happens between two reads. */
#include "t.h"
#include <dirent.h>

struct dent { uint64_t ino; int64_t off; unsigned short reclen; unsigned char type; char name[]; };

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
list(const char *path)
{
	char *names[64];
	size_t n = 0;
	DIR *d = opendir(path);
	struct dirent *e;

	if (d == NULL) {
		t_say("%s: %s", path, t_errno(errno));
		return;
	}
	while ((e = readdir(d)) != NULL && n < 64) {
		char line[300];
		struct stat st;

		fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW);
		snprintf(line, sizeof line, "%.200s type %d inode %s", e->d_name, e->d_type,
		    strcmp(e->d_name, "..") == 0 || st.st_ino == e->d_ino ? "right" : "wrong");
		names[n++] = strdup(line);
	}
	closedir(d);
	qsort(names, n, sizeof names[0], compare);
	for (size_t i = 0; i < n; i++)
		t_say("  %s", names[i]);
}

static void
kinds(void)
{
	mkdir("k", 0755);
	t_file("k/file", "", 0600);
	mkdir("k/dir", 0700);
	symlink("x", "k/link");
	mkfifo("k/fifo", 0600);
	t_file("k/.hidden", "", 0600);
	t_file("k/a longer name with blanks", "", 0600);
	list("k");
	list("k/dir");
	list("k/file");
	list("missing");
}

static void
raw(void)
{
	char buf[4096];
	int fd = open("k", O_RDONLY), n, entries = 0, reads = 0;

	T_SYS(getdents64, fd, buf, 10);
	T_SYS(getdents64, fd, 8, 100);
	T_SYS(getdents64, 0, buf, sizeof buf);
	T_SYS(getdents64, -1, buf, sizeof buf);
	lseek(fd, 0, SEEK_SET);
	while ((n = (int)syscall(SYS_getdents64, fd, buf, 64)) > 0) {
		reads++;
		for (int i = 0; i < n;) {
			struct dent *e = (struct dent *)(void *)(buf + i);

			if (e->reclen % 8 != 0)
				t_say("record of %d bytes", e->reclen);
			entries++;
			i += e->reclen;
		}
	}
	t_say("end: %d, entries %d, more than one read %d", n, entries, reads > 3);
	T_SYS(getdents64, fd, buf, sizeof buf);
	T(lseek(fd, 0, SEEK_SET));
	T(syscall(SYS_getdents64, fd, buf, sizeof buf) > 0);
	close(fd);
	fd = open("k/dir", O_RDONLY);
	T(rmdir("k/dir"));
	T_SYS(getdents64, fd, buf, sizeof buf);
	close(fd);
}

/* Files that stay are seen exactly once although others come and go. */
static void
changing(void)
{
	char name[32], buf[512];
	int seen[300] = { 0 }, fd, n, missing = 0, twice = 0;

	mkdir("c", 0755);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "c/%d", i);
		t_file(name, "", 0600);
	}
	fd = open("c", O_RDONLY);
	for (int round = 0; (n = (int)syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0; round++) {
		for (int i = 0; i < n;) {
			struct dent *e = (struct dent *)(void *)(buf + i);

			if (e->name[0] >= '0' && e->name[0] <= '9')
				seen[atoi(e->name)]++;
			i += e->reclen;
		}
		if (round < 50) {
			snprintf(name, sizeof name, "c/%d", round * 2);
			unlink(name);
			snprintf(name, sizeof name, "c/new%d", round);
			t_file(name, "", 0600);
		}
	}
	for (int i = 0; i < 300; i++) {
		if (i >= 100 || i % 2 == 1) {
			missing += seen[i] == 0;
			twice += seen[i] > 1;
		}
	}
	t_say("missing %d twice %d", missing, twice);
	close(fd);
	/* rm -r as everybody does it: read, unlink, read on. */
	DIR *d = opendir("c");
	struct dirent *e;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	T(rmdir("c"));
}

static void
seeking(void)
{
	DIR *d;
	struct dirent *e;
	long at[40];
	char name[40][32];
	int n = 0, wrong = 0;

	mkdir("s", 0755);
	for (int i = 0; i < 30; i++) {
		char path[32];

		snprintf(path, sizeof path, "s/%d", i);
		t_file(path, "", 0600);
	}
	d = opendir("s");
	for (;; n++) {
		at[n] = telldir(d);
		e = readdir(d);
		if (e == NULL)
			break;
		snprintf(name[n], sizeof name[n], "%.31s", e->d_name);
	}
	T(n);
	for (int i = n - 1; i >= 0; i--) {
		seekdir(d, at[i]);
		e = readdir(d);
		wrong += e == NULL || strcmp(e->d_name, name[i]) != 0;
	}
	T(wrong);
	rewinddir(d);
	for (n = 0; readdir(d) != NULL;)
		n++;
	T(n);
	closedir(d);
}

static void
where(void)
{
	char buf[PATH_MAX], here[PATH_MAX];
	int fd;

	T(getcwd(here, sizeof here) != NULL);
	mkdir("w", 0755);
	mkdir("w/x", 0755);
	symlink("w/x", "wl");
	T(chdir("wl"));
	T(getcwd(buf, sizeof buf) != NULL && strcmp(buf + strlen(here), "/w/x") == 0);
	T_SYS(getcwd, buf, 3);
	T_SYS(getcwd, buf, 0);
	T((long)syscall(SYS_getcwd, buf, sizeof buf) == (long)strlen(buf) + 1);
	T(rename("../../w/x", "../../w/y"));
	T(getcwd(buf, sizeof buf) != NULL && strcmp(buf + strlen(here), "/w/y") == 0);
	fd = open("..", O_RDONLY);
	T(chdir("/"));
	T(getcwd(buf, sizeof buf) != NULL && strcmp(buf, "/") == 0);
	T(chdir(".."));
	T(getcwd(buf, sizeof buf) != NULL && strcmp(buf, "/") == 0);
	T(fchdir(fd));
	T(getcwd(buf, sizeof buf) != NULL && strcmp(buf + strlen(here), "/w") == 0);
	T(fchdir(0));
	T(fchdir(-1));
	T(chdir("missing"));
	t_file("plain", "", 0600);
	T(chdir("plain"));
	T(chdir(here));
	close(fd);
}

int
main(void)
{
	kinds();
	raw();
	changing();
	seeking();
	where();
	return 0;
}
