/* SPDX-License-Identifier: BSD-2-Clause */
/* mremap, brk and the stack - memory that changes its size. */
#include "t.h"

static void
shrink_and_grow(void)
{
	char *p = t_pages(8), *q;

	for (int i = 0; i < 8; i++)
		p[i * T_PAGE] = (char)('a' + i);
	q = mremap(p, 8 * T_PAGE, 3 * T_PAGE, 0);
	t_say("shrinks in place: %d, %c", q == p, q[2 * T_PAGE]);
	if (t_child("the tail is gone") == 0)
		_exit(q[3 * T_PAGE]);
	q = mremap(p, 3 * T_PAGE, 5 * T_PAGE, 0);
	t_say("grows in place into its old room: %d, %d", q == p, q == p ? q[4 * T_PAGE] : -1);
	q = mremap(p, 5 * T_PAGE, 64 * T_PAGE, MREMAP_MAYMOVE);
	t_say("grows: %d, %c %c %d", q != MAP_FAILED, q[0], q[2 * T_PAGE], q[63 * T_PAGE]);
	munmap(q, 64 * T_PAGE);
}

static void
moves(void)
{
	char *p = t_pages(2), *to = t_pages(4), *q;

	p[0] = 'p';
	p[T_PAGE] = 'q';
	memset(to, 'o', 4 * T_PAGE);
	q = mremap(p, 2 * T_PAGE, 2 * T_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + T_PAGE);
	t_say("moved: %d, %c%c%c%c", q == to + T_PAGE, to[0], to[T_PAGE], to[2 * T_PAGE], to[3 * T_PAGE]);
	if (t_child("the old place is empty") == 0)
		_exit(p[0]);
	/* Something in the way: without MAYMOVE there is no growth. */
	q = mremap(to, T_PAGE, 4 * T_PAGE, 0);
	t_say("blocked: %s", q == MAP_FAILED ? t_errno(errno) : "grew");
	T(munmap(to, 4 * T_PAGE));
}

/* To just before the old place, or behind it: one table of the machine's is then of both. */
static void
neighbours(bool below)
{
	size_t two = 2u << 20, len = 3u << 20, room = 12u << 20;
	char *base = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *from, *to, *q;
	size_t good = 0;

	from = (char *)(((uintptr_t)base + two - 1) & ~(two - 1)) + 2 * two + T_PAGE * 3;
	to = below ? from - len : from + len;
	mmap(from, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	madvise(from, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < len; i += T_PAGE)
		*(size_t *)(from + i) = i + 1;
	q = mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	for (size_t i = 0; q == to && i < len; i += T_PAGE)
		good += *(size_t *)(to + i) == i + 1;
	t_say("moved to the neighbour: %zu of %zu pages", good, len / T_PAGE);
	munmap(base, room);
}

static void
errors(void)
{
	char *p = t_pages(4);

	T_SYS(mremap, p + 1, T_PAGE, T_PAGE, 0, 0);
	T_SYS(mremap, p, T_PAGE, 0, 0, 0);
	T_SYS(mremap, 0x10000, T_PAGE, T_PAGE * 2, MREMAP_MAYMOVE, 0);
	T_SYS(mremap, p, T_PAGE, T_PAGE, MREMAP_FIXED, p + T_PAGE);
	T_SYS(mremap, p, T_PAGE, T_PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + 1);
	T_SYS(mremap, p, 2 * T_PAGE, 2 * T_PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + T_PAGE);
	T_SYS(mremap, p, T_PAGE, T_PAGE, 0x100, 0);
	T_SYS(mremap, p, T_PAGE, (size_t)1 << 47, MREMAP_MAYMOVE, 0);
	T(munmap(p + T_PAGE, T_PAGE));
	T_SYS(mremap, p, 3 * T_PAGE, 4 * T_PAGE, MREMAP_MAYMOVE, 0);
	munmap(p, 4 * T_PAGE);
}

/* Pages of a file in another order. */
static void
other_pages(void)
{
	int fd = open("pages", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *p, *anon = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	T(ftruncate(fd, 4 * T_PAGE));
	p = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 4; i++)
		p[i * T_PAGE] = anon[i * T_PAGE] = (char)('a' + i);
	for (size_t i = 0; i < 4; i++)
		T_SYS(remap_file_pages, p + i * T_PAGE, T_PAGE, 0, 3 - i, 0);
	p[T_PAGE] = 'C';
	t_say("%c%c%c%c", p[0], p[T_PAGE], p[2 * T_PAGE], p[3 * T_PAGE]);
	T(pread(fd, anon + 1, 1, 2 * T_PAGE));
	t_say("in the file %c", anon[1]);
	T_SYS(remap_file_pages, p + 7, 4 * T_PAGE + 7, 0, 0, 0);
	t_say("%c%c%c%c", p[0], p[T_PAGE], p[2 * T_PAGE], p[3 * T_PAGE]);
	T_SYS(remap_file_pages, anon, T_PAGE, 0, 2, 0);
	t_say("anonymous %c", anon[0]);
	T_SYS(remap_file_pages, p, T_PAGE, 0, 9, 0);
	if (t_child("beyond the file") == 0)
		_exit(p[0]);
	T_SYS(remap_file_pages, p, T_PAGE, PROT_READ, 0, 0);
	T_SYS(remap_file_pages, p, 0, 0, 0, 0);
	T_SYS(remap_file_pages, p, T_PAGE, 0, -1ul, 0);
	T_SYS(remap_file_pages, -4096ul, 8 * T_PAGE, 0, 0, 0);
	T(munmap(p + T_PAGE, T_PAGE));
	T_SYS(remap_file_pages, p, 4 * T_PAGE, 0, 0, 0);
	p = t_pages(1);
	T_SYS(remap_file_pages, p, T_PAGE, 0, 0, 0);
}

static void
brk_moves(void)
{
	char *start = (char *)syscall(SYS_brk, 0), *now;

	now = (char *)syscall(SYS_brk, start + 100000);
	t_say("grew by %ld", (long)(now - start));
	start[0] = 1;
	start[99999] = 2;
	t_say("sum %d, the middle is %d", start[0] + start[99999], start[50000]);
	now = (char *)syscall(SYS_brk, start + 10);
	t_say("shrank to %ld", (long)(now - start));
	if (t_child("above the break's page") == 0)
		_exit(*(volatile char *)(start + 8192));
	now = (char *)syscall(SYS_brk, start + 100000);
	t_say("again %ld, the last byte is %d", (long)(now - start), start[99999]);
	now = (char *)syscall(SYS_brk, 4096);
	t_say("too low changes nothing: %ld", (long)(now - start));
	now = (char *)syscall(SYS_brk, (char *)0x7ffffffff000);
	t_say("too high changes nothing: %ld", (long)(now - start));
	if (t_child("inherited, then private") == 0) {
		t_say("child's break %ld", (long)((char *)syscall(SYS_brk, 0) - start));
		syscall(SYS_brk, start);
		_exit(0);
	}
	t_say("still %ld, %d", (long)((char *)syscall(SYS_brk, 0) - start), start[0]);
	syscall(SYS_brk, start);
}

static int
deep(int n, volatile char *above)
{
	volatile char room[3000];

	room[0] = (char)n;
	room[2999] = *above;
	if (n == 0)
		return 1;
	return deep(n - 1, room) + (room[0] == (char)n);
}

static void
stack_grows(void)
{
	char c = 'c';

	t_say("2000 frames: %d", deep(2000, &c));
	if (t_child("in the child") == 0)
		_exit(deep(500, &c) == 501 ? 0 : 1);
	/* Far below the stack pointer the stack grows too, as long as it is within the limit. */
	if (t_child("a far probe within the limit") == 0) {
		volatile char *far = &c - (4 << 20);

		*far = 7;
		_exit(*far);
	}
	if (t_child("a probe beyond the limit") == 0) {
		struct rlimit rl = { 1 << 20, RLIM_INFINITY };

		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		setrlimit(RLIMIT_STACK, &rl);
		*(volatile char *)(&c - (3 << 20)) = 1;
		_exit(0);
	}
	if (t_child("MAP_GROWSDOWN") == 0) {
		char *p = mmap(NULL, 64 * T_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(p, 64 * T_PAGE);
		volatile char *g = mmap(p + 60 * T_PAGE, T_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
		for (int i = 0; i < 20; i++)
			g[-i * T_PAGE] = (char)i;
		_exit(g[-19 * T_PAGE]);
	}
}

int
main(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	shrink_and_grow();
	moves();
	neighbours(true);
	neighbours(false);
	errors();
	other_pages();
	brk_moves();
	stack_grows();
	return 0;
}
