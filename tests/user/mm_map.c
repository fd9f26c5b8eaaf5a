/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap, munmap, mprotect - what can be mapped where, and what touching it does then. */
#include <cpuid.h>
#include "t.h"

static void
touch(const char *what, volatile char *p, bool write_it)
{
	struct rlimit rl = { 0, 0 };

	setrlimit(RLIMIT_CORE, &rl);
	if (t_child(what) == 0) {
		if (write_it)
			*p = 1;
		else
			(void)*p;
		_exit(0);
	}
}

static void
errors(void)
{
	int ro, wo, p[2];

	t_file("f", "hello", 0644);
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	t_need(pipe(p) == 0, "pipe");
#define M(len, prot, flags, fd, off)	\
	T_OK(mmap(NULL, len, prot, flags, fd, off) == MAP_FAILED ? -1 : 0)
	M(0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	M(T_PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0);
	M(T_PAGE, PROT_READ, 0, ro, 0);
	M(T_PAGE, PROT_READ, MAP_PRIVATE, -1, 0);
	M(T_PAGE, PROT_READ, MAP_PRIVATE, ro, 0);
	M(T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
	M(T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0);
	M(T_PAGE, PROT_READ, MAP_SHARED, wo, 0);
	M(T_PAGE, PROT_WRITE, MAP_PRIVATE, wo, 0);
	M(T_PAGE, PROT_READ, MAP_PRIVATE, p[0], 0);
	M(T_PAGE, PROT_READ, MAP_PRIVATE, ro, T_PAGE);
	M((size_t)1 << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	M((size_t)-1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	M(1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_SYS(mmap, NULL, T_PAGE, PROT_READ, MAP_PRIVATE, ro, 100);
	T_SYS(mmap, 0x1001, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	T_SYS(mmap, 0x7ffffffff000, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	T_SYS(mmap, 0xffff800000000000, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	T_SYS(munmap, 0x1001, T_PAGE);
	T_SYS(munmap, 0x10000, 0);
	T_SYS(munmap, 0x10000, T_PAGE);
	T_SYS(munmap, 0x7ffffffff000, 2 * T_PAGE);
	T_SYS(munmap, 0xffff800000000000, T_PAGE);
	T_SYS(mprotect, 0x1001, T_PAGE, PROT_READ);
	T_SYS(mprotect, 0x10000, T_PAGE, PROT_READ);
	T_SYS(mprotect, 0x10000, 0, PROT_READ);
	T_SYS(mprotect, 0x10000, T_PAGE, 0x100);
	T_SYS(madvise, 0x10000, T_PAGE, MADV_DONTNEED);
	T_SYS(madvise, 0x10000, T_PAGE, 12345);
	T_SYS(madvise, 0x1001, T_PAGE, MADV_DONTNEED);
	T_SYS(msync, 0x10000, T_PAGE, MS_SYNC);
	T_SYS(msync, 0x10001, T_PAGE, MS_SYNC);
	T_SYS(msync, 0x10000, T_PAGE, MS_SYNC | MS_ASYNC);
	close(ro), close(wo), close(p[0]), close(p[1]);
}

static void
fixed_replaces(void)
{
	char *p = t_pages(4);
	void *q;

	memset(p, 'a', 4 * T_PAGE);
	q = mmap(p + T_PAGE, 2 * T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	T(q == p + T_PAGE);
	t_say("%d %d %d %d", p[0], p[T_PAGE], p[2 * T_PAGE], p[3 * T_PAGE]);
	q = mmap(p, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
	t_say("MAP_FIXED_NOREPLACE: %s", q == MAP_FAILED ? t_errno(errno) : "mapped");
	munmap(p + T_PAGE, T_PAGE);
	q = mmap(p + T_PAGE, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
	T(q == p + T_PAGE);
	q = mmap(p + 2 * T_PAGE + 5, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t_say("a taken hint is not used: %d", q != MAP_FAILED && q != p + 2 * T_PAGE);
	munmap(p, 4 * T_PAGE);
	q = mmap(p, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t_say("a free hint is used: %d", q == p);
	munmap(p, T_PAGE);
}

static void
holes(void)
{
	char *p = t_pages(8);

	memset(p, 'x', 8 * T_PAGE);
	T(munmap(p + 2 * T_PAGE, T_PAGE));
	T(munmap(p + 5 * T_PAGE, T_PAGE));
	touch("before the hole", p + 2 * T_PAGE - 1, true);
	touch("in the hole", p + 2 * T_PAGE, false);
	touch("after the hole", p + 3 * T_PAGE, true);
	T(mprotect(p, 2 * T_PAGE, PROT_READ));
	T(mprotect(p, 4 * T_PAGE, PROT_READ));
	touch("written after a failed mprotect", p, true);
	T(munmap(p, 8 * T_PAGE));
	T(munmap(p, 8 * T_PAGE));
}

/* With protection keys Linux makes PROT_EXEC alone unreadable. */
static bool
has_keys(void)
{
	unsigned a, b, c = 0, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & bit_OSPKE) != 0;
}

static void
protections(void)
{
	char *p = t_pages(3);

	memset(p, 'y', 3 * T_PAGE);
	T(mprotect(p + T_PAGE, T_PAGE, PROT_NONE));
	touch("read PROT_NONE", p + T_PAGE, false);
	touch("read before it", p + T_PAGE - 1, false);
	T(mprotect(p + T_PAGE, T_PAGE, PROT_READ));
	t_say("content is kept: %c", p[T_PAGE]);
	touch("write PROT_READ", p + T_PAGE, true);
	T(mprotect(p + T_PAGE, 1, PROT_READ | PROT_WRITE));
	touch("write again", p + 2 * T_PAGE - 1, true);
	T(mprotect(p, 3 * T_PAGE, PROT_WRITE));
	touch("PROT_WRITE can be read", p, false);
	T(mprotect(p, 3 * T_PAGE, PROT_READ | PROT_WRITE));
	munmap(p, 3 * T_PAGE);

	unsigned char *code = (unsigned char *)t_pages(1);
	memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);
	if (t_child("data is not code") == 0)
		_exit(((int (*)(void))(uintptr_t)code)());
	T(mprotect(code, T_PAGE, PROT_READ | PROT_EXEC));
	if (t_child("made code") == 0)
		_exit(((int (*)(void))(uintptr_t)code)());
	touch("code cannot be written", (char *)code, true);
	T(mprotect(code, T_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	code[1] = 43;
	if (t_child("changed code") == 0)
		_exit(((int (*)(void))(uintptr_t)code)());
	T(mprotect(code, T_PAGE, PROT_EXEC));
	if (!has_keys())
		touch("PROT_EXEC can be read", (char *)code, false);
	munmap(code, T_PAGE);

	int fd = open("f", O_RDONLY);
	char *m = mmap(NULL, T_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	T(mprotect(m, T_PAGE, PROT_READ | PROT_WRITE));
	munmap(m, T_PAGE);
	m = mmap(NULL, T_PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	T(mprotect(m, T_PAGE, PROT_READ | PROT_WRITE));
	m[0] = 'J';
	t_say("%.5s", m);
	t_cat("f");
	munmap(m, T_PAGE);
	close(fd);
}

static void
zeroes(void)
{
	long sum = 0;
	char *p;

	for (int round = 0; round < 5; round++) {
		p = t_pages(64);
		for (size_t i = 0; i < 64 * T_PAGE; i++)
			sum += p[i];
		memset(p, 0xff, 64 * T_PAGE);
		munmap(p, 64 * T_PAGE);
	}
	t_say("fresh memory is zero: %ld", sum);
	p = t_pages(16);
	memset(p, 1, 16 * T_PAGE);
	T(madvise(p + 4 * T_PAGE, 4 * T_PAGE, MADV_DONTNEED));
	sum = 0;
	for (size_t i = 0; i < 16 * T_PAGE; i++)
		sum += p[i];
	t_say("MADV_DONTNEED drops pages: %ld", sum / T_PAGE);
	T(madvise(p, T_PAGE, MADV_WILLNEED));
	T(madvise(p, 0, MADV_DONTNEED));
	T(madvise(p, T_PAGE, MADV_NORMAL));
	T(madvise(p, T_PAGE, MADV_DONTFORK));
	touch("MADV_DONTFORK is not there in the child", p, false);
	T(madvise(p, T_PAGE, MADV_DOFORK));
	touch("MADV_DOFORK", p, false);
	munmap(p, 16 * T_PAGE);
}

/* A lot of address space costs nothing until it is touched. */
static void
large(void)
{
	size_t n = (size_t)1 << 36;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	T(p != MAP_FAILED);
	if (p == MAP_FAILED)
		return;
	for (size_t i = 0; i < 16; i++)
		p[i * (n / 16)] = (char)i;
	int sum = 0;
	for (size_t i = 0; i < 16; i++)
		sum += p[i * (n / 16)];
	T(sum);
	T(munmap(p, n));
}

int
main(void)
{
	errors();
	fixed_replaces();
	holes();
	protections();
	zeroes();
	large();
	return 0;
}
