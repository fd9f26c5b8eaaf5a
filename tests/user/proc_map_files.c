/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/PID/map_files: a name for each mapping of a file, and where it leads.
 * needs: root
 */
#include "t.h"
#include <dirent.h>

/* As many names as maps has lines with a file, and each of them is such a line's. */
static void
count(void)
{
	char line[4096], name[64];
	unsigned long long start, end, ino;
	int files = 0, links = 0, known = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	DIR *d = opendir("/proc/self/map_files");
	struct dirent *e;
	struct stat st;

	t_need(f != NULL && d != NULL, "open");
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "%llx-%llx %*s %*s %*s %llu", &start, &end, &ino) == 3 && ino != 0) {
			files++;
			snprintf(name, sizeof name, "/proc/self/map_files/%llx-%llx", start, end);
			known += lstat(name, &st) == 0 && S_ISLNK(st.st_mode);
		}
	while ((e = readdir(d)) != NULL)
		links += e->d_name[0] != '.' && e->d_type == DT_LNK;
	t_say("all mappings: %d", files > 0 && files == links && files == known);
	fclose(f);
	closedir(d);
}

static void
look(const char *what, const void *p, size_t n)
{
	char name[64], text[4096], *slash;
	struct stat st;
	ssize_t len;
	int fd;

	snprintf(name, sizeof name, "/proc/self/map_files/%lx-%lx", (long)p, (long)p + (long)n);
	if ((len = readlink(name, text, sizeof text - 1)) < 0) {
		t_say("%s: %s", what, t_errno(errno));
		return;
	}
	text[len] = '\0';
	slash = strrchr(text, '/');
	t_need(lstat(name, &st) == 0, "lstat");
	t_say("%s: %s, size %d", what, slash, (int)st.st_size);
	if ((fd = open(name, O_RDONLY)) >= 0) {
		len = read(fd, text, 5);
		t_say("read through it: %.*s", (int)len, text);
		close(fd);
	} else {
		t_say("open: %s", t_errno(errno));
	}
}

int
main(void)
{
	int fd, m = (int)syscall(SYS_memfd_create, "mem", 0);
	char *a, *b, *c, *anon, name[64];

	t_file("file", "hello", 0644);
	t_need((fd = open("file", O_RDWR)) >= 0 && m >= 0 && ftruncate(m, T_PAGE) == 0, "open");
	a = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, T_PAGE, PROT_READ, MAP_PRIVATE, m, 0);
	anon = t_pages(1);
	t_need(pwrite(m, "mfile", 5, 0) == 5, "write");
	count();
	look("a file", a, T_PAGE);
	look("half of it", a, T_PAGE / 2);
	look("a memfd", b, T_PAGE);
	look("no file", anon, T_PAGE);
	T(rename("file", "other") == 0);
	look("renamed", a, T_PAGE);
	T(unlink("other"));
	look("removed", a, T_PAGE);
	munmap(a, T_PAGE);
	look("unmapped", a, T_PAGE);
	c = mmap(a, T_PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, m, 0);
	look("another", c, T_PAGE);
	T(access("/proc/self/map_files/0-1000", F_OK));
	snprintf(name, sizeof name, "/proc/self/map_files/0%lx-%lx", (long)b, (long)b + T_PAGE);
	T(access(name, F_OK));
	snprintf(name, sizeof name, "/proc/self/map_files/%lx-%lx0", (long)b, (long)b + T_PAGE);
	T(access(name, F_OK));
	T(access("/proc/self/map_files/x", F_OK));
	snprintf(name, sizeof name, "/proc/self/task/%d/map_files", getpid());
	T(access(name, F_OK));
	if (t_child("somebody else") == 0) {
		t_need(chmod(".", 0777) == 0 && setgid(64998) == 0 && setuid(64998) == 0, "setuid");
		T(open("/proc/1/map_files", O_RDONLY | O_DIRECTORY) == -1);
		T(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		look("may see", b, T_PAGE);
		_exit(0);
	}
	return 0;
}
