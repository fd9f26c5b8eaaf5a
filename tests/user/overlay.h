/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of overlay mounts share: an own mount namespace, layers on a tmpfs, and showing a tree. */
#pragma once
#include "t.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define OV_LAYERS "lowerdir=low,upperdir=up,workdir=work"

/* A tmpfs that is the current directory, with low, up, work and m. */
__attribute__((unused)) static void
ov_begin(void)
{
	static const char *const dirs[] = { "low", "up", "work", "m" };
	size_t i;

	umask(022);
	/* Where there are no mount namespaces the mounts are this machine's, and go with it. */
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mkdir("fs", 0755);
	t_need(mount("t", "fs", "tmpfs", 0, "mode=755") == 0, "a tmpfs");
	t_need(chdir("fs") == 0, "chdir");
	for (i = 0; i < T_COUNT(dirs); i++)
		mkdir(dirs[i], 0755);
}

__attribute__((unused)) static int
ov_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ov_numbers = true;

/* Names sorted; how often one came twice, and how many numbers are not those of stat, is told. */
__attribute__((unused)) static int
ov_names(const char *path, char **names, int most)
{
	DIR *d = opendir(path);
	int n = 0, wrong = 0;
	struct dirent *e;
	struct stat st;
	char p[512];

	if (d == NULL) {
		t_say("%s: opendir: %s", path, t_errno(errno));
		return 0;
	}
	while ((e = readdir(d)) != NULL && n < most) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(p, sizeof p, "%s/%s", path, e->d_name);
		if (lstat(p, &st) != 0 || st.st_ino != e->d_ino)
			wrong++;
		names[n++] = strdup(e->d_name);
	}
	closedir(d);
	if (wrong > 0 && ov_numbers)
		t_say("%s: %d numbers differ", path, wrong);
	qsort(names, (size_t)n, sizeof names[0], ov_by_name);
	for (int i = 0; i + 1 < n; i++)
		if (strcmp(names[i], names[i + 1]) == 0)
			t_say("%s/%s: twice", path, names[i]);
	return n;
}

__attribute__((unused)) static unsigned
ov_sum(const char *path)
{
	unsigned h = 2166136261u;
	unsigned char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < n; i++)
			h = (h ^ buf[i]) * 16777619u;
	if (fd >= 0)
		close(fd);
	return h;
}

/* Everything below `path`: types, modes, owners, links, sizes, contents. */
__attribute__((unused)) static void
ov_show(const char *path)
{
	char *names[1024], p[512], to[256];
	int n = ov_names(path, names, 1024);
	struct stat st;

	for (int i = 0; i < n; i++) {
		snprintf(p, sizeof p, "%s/%s", path, names[i]);
		free(names[i]);
		if (lstat(p, &st) != 0) {
			t_say("%s: lstat: %s", p, t_errno(errno));
			continue;
		}
		if (S_ISDIR(st.st_mode)) {
			t_say("%s %o %d:%d", p, st.st_mode, st.st_uid, st.st_gid);
			ov_show(p);
		} else if (S_ISLNK(st.st_mode)) {
			ssize_t len = readlink(p, to, sizeof to - 1);

			to[len < 0 ? 0 : len] = '\0';
			t_say("%s -> %s", p, to);
		} else {
			t_say("%s %o %d:%d links %d size %lld sum %08x", p, st.st_mode, st.st_uid, st.st_gid,
			    (int)st.st_nlink, (long long)st.st_size, S_ISREG(st.st_mode) ? ov_sum(p) : 0);
		}
	}
}

/* -------------------------------------------------- random operations -- */

#define OV_LETTERS	5

static unsigned ov_state;

__attribute__((unused)) static unsigned
ov_next(unsigned n)
{
	ov_state = ov_state * 1664525u + 1013904223u;
	return (ov_state >> 8) % n;
}

/* A path of one to three short names below `top`. */
__attribute__((unused)) static const char *
ov_path(const char *top, char *p)
{
	unsigned depth = 1 + ov_next(3);
	size_t n = (size_t)sprintf(p, "%s", top);

	while (depth-- > 0)
		n += (size_t)sprintf(p + n, "/%c", (int)('a' + ov_next(OV_LETTERS)));
	return p;
}
