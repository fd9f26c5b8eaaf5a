/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_lock - locked memory and its limit, MADV_POPULATE, MREMAP_DONTUNMAP, what smaps says of it.
 * needs: root
 */
#include "t.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#define KIB(n)	((size_t)(n) << 10)

static long
field(const char *path, const char *name)
{
	char line[512];
	FILE *f = fopen(path, "r");
	long v = -1, n;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %ld", &n) == 1)
			v = n;
	if (f != NULL)
		fclose(f);
	return v;
}

static void
locked(const char *when)
{
	t_say("%s: VmLck %ld", when, field("/proc/self/status", "VmLck"));
}

static void
counting(void)
{
	char *p = t_pages(16), *q;

	locked("none");
	T(mlock(p, 4 * T_PAGE));
	T(mlock(p + 2 * T_PAGE + 5, 4 * T_PAGE));
	locked("seven");
	T(munlock(p + T_PAGE, T_PAGE));
	locked("six");
	T(munmap(p + 5 * T_PAGE, 3 * T_PAGE));
	locked("four");
	T(mlock(p, 8 * T_PAGE));
	locked("up to the hole");
	T(munlock(p, 8 * T_PAGE));
	locked("before the hole");
	T(mlock(p, 0));
	T(mlock(p, -1ul));
	T_SYS(mlock2, p, T_PAGE, 1);
	T_SYS(mlock2, p, T_PAGE, 2);
	if (t_child("fork") == 0) {
		locked("child");
		_exit(0);
	}
	q = mremap(p, T_PAGE, 3 * T_PAGE, MREMAP_MAYMOVE);
	t_need(q != MAP_FAILED, "mremap");
	locked("moved and grown");
	T(munlockall());
	locked("unlocked");
	q = mmap(NULL, 2 * T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	t_need(q != MAP_FAILED, "mmap");
	locked("MAP_LOCKED");
	T(munlockall());
	T(mlockall(MCL_FUTURE));
	locked("future");
	p = t_pages(3);
	locked("three");
	T(munlockall());
	locked("none");
	T(mlockall(0));
	T(mlockall(8));
	T(mlockall(MCL_ONFAULT));
}

static void
limited(void)
{
	struct rlimit rl = { KIB(64), KIB(64) };
	char *p = t_pages(64);

	T(setrlimit(RLIMIT_MEMLOCK, &rl));
	T(setuid(1234));
	T(mlock(p, KIB(40)));
	T(mlock(p + KIB(32), KIB(32)));
	locked("sixty-four");
	T(mlock(p + KIB(64), 1));
	T(mlock(p, KIB(64)));
	T(munlock(p, KIB(4)));
	T(mlock(p + KIB(64), 1));
	T(mlockall(MCL_CURRENT));
	rl.rlim_cur = 0;
	T(munlockall());
	T(setrlimit(RLIMIT_MEMLOCK, &rl));
	T(mlock(p, 1));
	T(mlockall(MCL_CURRENT));
	T(munlock(p, 1));
}

static int
present(char *p, int n)
{
	unsigned char v[32];
	int sum = 0;

	if (mincore(p, (size_t)n * T_PAGE, v) != 0)
		return -1;
	for (int i = 0; i < n; i++)
		sum += v[i] & 1;
	return sum;
}

static void
populating(void)
{
	char *p = mmap(NULL, 8 * T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *s;
	int fd;

	T(madvise(p, 8 * T_PAGE, MADV_POPULATE_READ));
	T(p[3]);
	T(madvise(p, 8 * T_PAGE, MADV_POPULATE_WRITE));
	T(mprotect(p, 8 * T_PAGE, PROT_READ | PROT_WRITE));
	T(madvise(p, 3 * T_PAGE, MADV_POPULATE_WRITE));
	T(present(p, 3));
	T(munmap(p + 5 * T_PAGE, T_PAGE));
	T(madvise(p, 8 * T_PAGE, MADV_POPULATE_WRITE));
	T(madvise(p + 1, T_PAGE, MADV_POPULATE_READ));
	T(madvise(p, 0, MADV_POPULATE_READ));
	T(mprotect(p, T_PAGE, PROT_NONE));
	T(madvise(p, T_PAGE, MADV_POPULATE_READ));
	fd = open("file", O_CREAT | O_RDWR, 0600);
	T(ftruncate(fd, T_PAGE));
	s = mmap(NULL, 2 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	T(madvise(s, T_PAGE, MADV_POPULATE_WRITE));
	T(madvise(s, 2 * T_PAGE, MADV_POPULATE_WRITE));
	close(fd);
}

static void
dontunmap(void)
{
	char *p = t_pages(4), *q, *to = t_pages(4);

	memset(p, 5, 4 * T_PAGE);
	T(mremap(p, 4 * T_PAGE, 4 * T_PAGE, MREMAP_DONTUNMAP) == MAP_FAILED);
	T(mremap(p, 4 * T_PAGE, 5 * T_PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE) == MAP_FAILED);
	q = mremap(p, 4 * T_PAGE, 4 * T_PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE);
	t_need(q != MAP_FAILED, "mremap");
	t_say("moved %d: %d %d, old %d %d", q != p, q[0], q[4 * T_PAGE - 1], p[0], p[4 * T_PAGE - 1]);
	p[T_PAGE] = 6;
	t_say("old %d, new %d", p[T_PAGE], q[T_PAGE]);
	if (t_child("fork") == 0) {
		p[T_PAGE] = 7;
		q[T_PAGE] = 8;
		t_say("child: old %d, new %d", p[T_PAGE], q[T_PAGE]);
		_exit(0);
	}
	t_say("old %d, new %d", p[T_PAGE], q[T_PAGE]);
	T(mremap(q, 2 * T_PAGE, 2 * T_PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE | MREMAP_FIXED,
	    to + T_PAGE) == to + T_PAGE);
	t_say("%d %d %d, old %d %d", to[0], to[T_PAGE], to[3 * T_PAGE], q[0], q[2 * T_PAGE]);
	T(munmap(p, 4 * T_PAGE));
	t_say("%d %d", to[T_PAGE], q[3 * T_PAGE]);
	T(mremap(q, 8 * T_PAGE, 8 * T_PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE) == MAP_FAILED);
}

int
main(void)
{
	counting();
	if (t_child("limited") == 0) {
		limited();
		_exit(0);
	}
	populating();
	dontunmap();
	t_say("rollup %d", field("/proc/self/smaps_rollup", "Rss") > 0);
	t_say("locked %ld", field("/proc/self/smaps_rollup", "Locked"));
	return 0;
}
