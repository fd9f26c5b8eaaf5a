/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/maps and smaps - the names of what is mapped, and its weights. */
#include "t.h"
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/sysmacros.h>

static char text[1 << 19];
static char here[PATH_MAX];

struct region {
	unsigned long	lo, hi, off, ino;
	unsigned	major, minor;
	char		perm[8], name[PATH_MAX];
};

static void
slurp(const char *path)
{
	ssize_t n, have = 0;
	int fd = open(path, O_RDONLY);

	t_need(fd >= 0, path);
	while ((n = read(fd, text + have, sizeof text - 1 - (size_t)have)) > 0)
		have += n;
	close(fd);
	text[have] = '\0';
}

/* The lines of the region that has addr in it, from its first on; NULL: there is none. */
static char *
find(int pid, const char *file, unsigned long addr, struct region *r)
{
	char path[64];
	int at;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	slurp(path);
	for (char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		memset(r, 0, sizeof *r);
		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu%n", &r->lo, &r->hi, r->perm, &r->off, &r->major,
		    &r->minor, &r->ino, &at) < 7 || addr < r->lo || addr >= r->hi)
			continue;
		at += (int)strspn(line + at, " ");
		snprintf(r->name, sizeof r->name, "%.*s", (int)strcspn(line + at, "\n"), line + at);
		return line;
	}
	return NULL;
}

static const char *
short_name(const struct region *r)
{
	size_t n = strlen(here);

	return strncmp(r->name, here, n) == 0 ? r->name + n : r->name;
}

static void
show_of(const char *what, int pid, const void *addr, const struct stat *st)
{
	struct region r;

	if (find(pid, "maps", (unsigned long)addr, &r) == NULL) {
		t_say("%s: not mapped", what);
		return;
	}
	t_say("%s: %s off %lx pages %lu \"%s\" file %d", what, r.perm, r.off, (r.hi - r.lo) / T_PAGE,
	    short_name(&r),
	    st == NULL ? r.ino == 0 && r.major == 0 && r.minor == 0 :
	    r.ino == st->st_ino && makedev(r.major, r.minor) == st->st_dev);
}

static void
show(const char *what, const void *addr, const struct stat *st)
{
	show_of(what, (int)getpid(), addr, st);
}

static char *
map(int fd, size_t pages, int prot, int flags, off_t off)
{
	char *a = mmap(NULL, pages * T_PAGE, prot, flags, fd, off);

	t_need(a != MAP_FAILED, "mmap");
	return a;
}

static int
file_of(const char *name, int pages, struct stat *st)
{
	int fd = open(name, O_CREAT | O_RDWR, 0600);

	t_need(fd >= 0 && ftruncate(fd, pages * T_PAGE) == 0 && fstat(fd, st) == 0, "file");
	return fd;
}

/* A name follows its file. */
static void
names(void)
{
	struct stat st;
	int fd = file_of("f", 8, &st);
	char *a = map(fd, 4, PROT_READ, MAP_PRIVATE, 2 * T_PAGE), *b;

	show("private", a, &st);
	b = map(fd, 8, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	show("shared", b, &st);
	close(fd);
	show("closed", a, &st);
	T(rename("f", "g"));
	show("renamed", a, &st);
	T(mkdir("d", 0700));
	T(rename("g", "d/g"));
	show("moved", a, &st);
	T(rename("d", "e"));
	show("its directory renamed", a, &st);
	T(link("e/g", "h"));
	fd = open("h", O_RDONLY);
	T(unlink("e/g"));
	show("removed, has another name", a, &st);
	munmap(a, 4 * T_PAGE);
	a = map(fd, 4, PROT_READ, MAP_PRIVATE, 0);
	close(fd);
	show("by the other name", a, &st);
	T(unlink("h"));
	show("no name left", a, &st);
	b[0] = 'x';
	t_say("still there %c", a[0]);
	t_file("h", "another", 0600);
	show("a new file of its name", a, &st);
	munmap(a, 4 * T_PAGE);
	munmap(b, 8 * T_PAGE);
	show("unmapped", a, NULL);
	fd = file_of("with space and\nline feed", 1, &st);
	a = map(fd, 1, PROT_READ, MAP_SHARED, 0);
	show("odd", a, &st);
	t_file("over", "x", 0600);
	T(rename("over", "with space and\nline feed"));
	show("another came over it", a, &st);
	munmap(a, T_PAGE);
	close(fd);
}

/* Pieces: what is cut, replaced and moved keeps its place in the file. */
static void
pieces(void)
{
	struct stat st;
	int fd = file_of("p", 16, &st);
	char *a = map(fd, 8, PROT_READ, MAP_PRIVATE, T_PAGE), *b;
	pid_t pid;

	b = mmap(a + 2 * T_PAGE, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	t_need(b != MAP_FAILED, "fixed");
	show("before", a, &st);
	show("over", a + 2 * T_PAGE, NULL);
	show("behind", a + 3 * T_PAGE, &st);
	T(mprotect(a + 4 * T_PAGE, T_PAGE, PROT_READ | PROT_WRITE));
	a[4 * T_PAGE] = 1;
	show("made writable", a + 4 * T_PAGE, &st);
	T(munmap(a + 6 * T_PAGE, T_PAGE));
	show("the end", a + 7 * T_PAGE, &st);
	b = mremap(a + 7 * T_PAGE, T_PAGE, 4 * T_PAGE, MREMAP_MAYMOVE);
	show("grown", b, &st);
	pid = fork();
	if (pid == 0) {
		show("in a child", a + 4 * T_PAGE, &st);
		unlink("p");
		show("removed by the child", b, &st);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	show("and seen by the parent", b, &st);
	munmap(a, 8 * T_PAGE);
	munmap(b, 4 * T_PAGE);
	close(fd);
}

/* What has no path, and what has no file. */
static void
nameless(void)
{
	struct stat st;
	struct region r;
	int fd = memfd_create("some name", 0), id;
	char *a, *heap;

	t_need(fd >= 0 && ftruncate(fd, 2 * T_PAGE) == 0 && fstat(fd, &st) == 0, "memfd");
	a = map(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	close(fd);
	find((int)getpid(), "maps", (unsigned long)a, &r);
	t_say("memfd \"%s\" %d", r.name, r.ino == st.st_ino);
	munmap(a, 2 * T_PAGE);
	a = map(-1, 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
	find((int)getpid(), "maps", (unsigned long)a, &r);
	t_say("shared, no file \"%s\" %x:%x %d", r.name, r.major, r.ino != 0 ? 1 : 0, r.off == 0);
	munmap(a, 2 * T_PAGE);
	fd = open("/dev/zero", O_RDWR);
	a = map(fd, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	a[0] = 1;
	show("zero", a, fstat(fd, &st) == 0 ? &st : NULL);
	munmap(a, 2 * T_PAGE);
	a = map(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	a[T_PAGE] = 2;
	t_say("zero shared %d %d", a[0], a[T_PAGE]);
	munmap(a, 2 * T_PAGE);
	close(fd);
	id = shmget(IPC_PRIVATE, T_PAGE, IPC_CREAT | 0600);
	a = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	find((int)getpid(), "maps", (unsigned long)a, &r);
	t_say("segment \"%s\" %d", r.name, r.ino == (unsigned long)id);
	shmdt(a);
	heap = sbrk(3 * T_PAGE);
	show("heap", heap, NULL);
	find((int)getpid(), "maps", (unsigned long)&r, &r);
	t_say("stack \"%s\"", r.name);
	a = map(-1, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	show("anonymous", a, NULL);
	munmap(a, T_PAGE);
}

static void
copy_self(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
	ssize_t n;

	while ((n = read(in, text, sizeof text)) > 0)
		t_need(write(out, text, (size_t)n) == n, "write");
	close(in);
	close(out);
}

/* The program of another process, renamed and removed under it. */
static void
program(void)
{
	char link[64], to[PATH_MAX], byte;
	struct region r;
	int p[2], q[2];
	unsigned long at;
	ssize_t n;
	pid_t pid;

	t_need(pipe(p) == 0 && pipe(q) == 0, "pipe");
	copy_self("prog");
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		dup2(q[0], 0);
		close(p[1]), close(q[1]), close(p[0]), close(q[0]);
		execl("./prog", "prog", "wait", (char *)NULL);
		_exit(127);
	}
	close(q[0]);
	t_need(read(p[0], &at, sizeof at) == sizeof at, "address");
	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	for (int i = 0; i < 3; i++) {
		if (i == 1)
			T(rename("prog", "renamed"));
		else if (i == 2)
			T(unlink("renamed"));
		n = readlink(link, to, sizeof to - 1);
		to[n > 0 ? n : 0] = '\0';
		t_say("exe \"%s\"", strncmp(to, here, strlen(here)) == 0 ? to + strlen(here) : to);
		t_need(find((int)pid, "maps", at, &r) != NULL, "text");
		t_say("text %s \"%s\"", r.perm, short_name(&r));
	}
	n = open(link, O_RDONLY);
	t_say("opens %d", n >= 0 && read((int)n, &byte, 1) == 1 && byte == 0x7f);
	close((int)n);
	close(q[1]);
	waitpid(pid, NULL, 0);
	close(p[0]), close(p[1]);
}

/* ------------------------------------------------------------- weights -- */

static long
figure_of(const char *line, const char *name)
{
	const char *p = strstr(line, name);

	return p == NULL ? -1 : atol(p + strlen(name));
}

static void
weigh(const char *what, const void *addr)
{
	struct region r;
	char *line = find((int)getpid(), "smaps", (unsigned long)addr, &r), *flags;
	long size, rss, pss, sum, shared, anon;

	if (line == NULL) {
		t_say("%s: not mapped", what);
		return;
	}
	size = figure_of(line, "\nSize:");
	rss = figure_of(line, "\nRss:");
	pss = figure_of(line, "\nPss:");
	sum = figure_of(line, "\nShared_Clean:") + figure_of(line, "\nShared_Dirty:") +
	    figure_of(line, "\nPrivate_Clean:") + figure_of(line, "\nPrivate_Dirty:");
	shared = figure_of(line, "\nShared_Clean:") + figure_of(line, "\nShared_Dirty:");
	anon = figure_of(line, "\nAnonymous:");
	t_say("%s: size %ld rss %ld sums %d pss %s shared %d", what, size, rss, sum == rss,
	    pss == rss ? "all" : pss == rss / 2 ? "half" : "part", shared == rss);
	t_say("private dirty %d anonymous %s locked %ld swap %ld", figure_of(line, "\nPrivate_Dirty:") == rss,
	    anon == 0 ? "none" : anon == rss ? "all" : "some", figure_of(line, "\nLocked:"),
	    figure_of(line, "\nSwap:"));
	flags = strstr(line, "\nVmFlags: ");
	if (flags != NULL) {
		*strchr(flags + 1, '\n') = '\0';
		if (strstr(flags, " sd") != NULL)	/* only where soft-dirty bits are there */
			*strstr(flags, " sd") = '\0';
		t_say("%s", flags + 1);
	}
}

static void
touch(char *a, int pages)
{
	for (int i = 0; i < pages; i++)
		a[i * T_PAGE] = 1;
}

static void
weights(void)
{
	char *a = map(-1, 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0), *b;
	int p[2], q[2];
	char byte;
	pid_t pid;

	weigh("untouched", a);
	touch(a, 16);
	weigh("written", a);
	munmap(a, 16 * T_PAGE);
	b = map(-1, 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
	touch(b, 16);
	weigh("mine", b);
	t_need(pipe(p) == 0 && pipe(q) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		close(q[1]);
		touch(b, 16);
		t_need(write(p[1], "x", 1) == 1, "write");
		_exit((int)read(q[0], &byte, 1));
	}
	close(q[0]);
	t_need(read(p[0], &byte, 1) == 1, "read");
	weigh("ours", b);
	close(q[1]);
	waitpid(pid, NULL, 0);
	weigh("mine again", b);
	T(mlock(b, 16 * T_PAGE));
	weigh("locked", b);
	munmap(b, 16 * T_PAGE);
	a = map(-1, 4, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0);
	T(madvise(a, 4 * T_PAGE, MADV_DONTFORK));
	weigh("not for a child", a);
	munmap(a, 4 * T_PAGE);
	close(p[0]), close(p[1]);
}

static void
rollup(void)
{
	long rss, pss, sum, parts;

	slurp("/proc/self/smaps_rollup");
	rss = figure_of(text, "\nRss:");
	sum = figure_of(text, "\nShared_Clean:") + figure_of(text, "\nShared_Dirty:") +
	    figure_of(text, "\nPrivate_Clean:") + figure_of(text, "\nPrivate_Dirty:");
	pss = figure_of(text, "\nPss:");
	parts = figure_of(text, "\nPss_Anon:") + figure_of(text, "\nPss_File:") +
	    figure_of(text, "\nPss_Shmem:");
	t_say("rollup: rss %d sums %d pss %d of three %d", rss > 0, sum == rss, pss <= rss,
	    labs(parts - pss) <= 2);
}

/* More mappings than fit into one read: each is there once, in order. */
static void
many(void)
{
	static char part[1 << 12];
	const int n = 3000;
	char *a = map(-1, (size_t)n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	int fd, bad = 0, lines = 0, have = 0;
	unsigned long lo, hi, last = 0;
	ssize_t got;

	for (int i = 0; i < n; i += 2)
		t_need(mprotect(a + i * T_PAGE, T_PAGE, PROT_NONE) == 0, "mprotect");
	fd = open("/proc/self/maps", O_RDONLY);
	while ((got = read(fd, part + have, sizeof part - 1 - (size_t)have)) > 0) {
		char *line = part, *end;

		part[have += (int)got] = '\0';
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			bad += sscanf(line, "%lx-%lx", &lo, &hi) != 2 || lo < last || hi <= lo;
			last = hi;
			lines += lo >= (unsigned long)a && hi <= (unsigned long)a + (unsigned long)n * T_PAGE;
		}
		have = (int)strlen(memmove(part, line, strlen(line) + 1));
	}
	t_say("of many mappings %d lines, bad %d, left %d", lines, bad, have);
	T(lseek(fd, 0, SEEK_SET));
	T(read(fd, part, 8) == 8);
	close(fd);
	fd = open("/proc/self/smaps", O_RDONLY);
	lines = 0;
	while ((got = read(fd, part, sizeof part)) > 0)
		for (ssize_t i = 0; i < got; i++)
			lines += part[i] == '\n';
	t_say("smaps to its end: %d, at least 20 lines for each %d", (int)got, lines >= 20 * n);
	close(fd);
	munmap(a, (size_t)n * T_PAGE);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "wait") == 0) {
		unsigned long at = (unsigned long)main;
		char byte;

		t_need(write(1, &at, sizeof at) == sizeof at, "write");
		return (int)read(0, &byte, 1);
	}
	t_need(getcwd(here, sizeof here) != NULL, "getcwd");
	names();
	pieces();
	nameless();
	program();
	weights();
	rollup();
	many();
	return 0;
}
