/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_random - a long random walk through the calls on one area of memory.
 * What each call and each access gave goes into a running sum, shown now and
 * then: two kernels that agree on all of it show the same sums.
 */
#include <setjmp.h>
#include "t.h"

#define AT	0x600000000ul
#define PAGES	2048ul			/* 8 MiB: large enough for a machine's big pages */
#define STEPS	12000
#define MAX_LEN	700

static uint64_t seed = 42, sum;
static sigjmp_buf back;
static volatile int fault_sig, fault_code;
static int fd;

static uint64_t
rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 24) % n;
}

static void
add(uint64_t v)
{
	sum = (sum ^ v) * 0x100000001b3ul;
	sum ^= sum >> 29;
}

static void
result(long r)
{
	add(r == -1 ? 1000 + (uint64_t)errno : (uint64_t)r);
}

static void
on_fault(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	fault_sig = sig;
	fault_code = si->si_code;
	siglongjmp(back, 1);
}

/* Read or write one word; the fault, if any, is the result. */
static void
touch(uint64_t page, int write, uint64_t value)
{
	volatile uint64_t *p = (volatile uint64_t *)(AT + page * T_PAGE + 8 * (value % 512));

	if (sigsetjmp(back, 1) != 0) {
		add(7000 + (uint64_t)fault_sig * 100 + (uint64_t)fault_code);
		return;
	}
	if (write)
		*p = value;
	add(*p);
}

static void
touch_some(void)
{
	uint64_t page = rnd(PAGES), n = 1 + rnd(rnd(8) == 0 ? 600 : 12);

	for (uint64_t i = 0; i < n && page + i < PAGES; i++)
		touch(page + i, (int)rnd(2), rnd(1ul << 40));
}

static void
through_the_kernel(char *a, uint64_t len)
{
	int p[2];

	if (len > 16 * T_PAGE)
		len = 16 * T_PAGE;
	if (pipe(p) != 0)
		return;
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	errno = 0;
	result(write(p[1], a + 100, len > 200 ? 150 : 50));
	result(read(p[0], a + T_PAGE - 20, 40));
	close(p[0]);
	close(p[1]);
}

static void
in_a_child(void)
{
	uint64_t s = 0;
	int st = 0, p[2], go[2];
	pid_t pid;

	if (pipe(p) != 0 || pipe(go) != 0)
		return;
	pid = fork();
	if (pid == 0) {
		read(go[0], &st, 1);		/* the parent writes its side first */
		for (int i = 0; i < 20; i++)
			touch_some();
		write(p[1], &sum, sizeof sum);
		_exit(0);
	}
	for (int i = 0; i < 5; i++)
		touch_some();
	write(go[1], "g", 1);
	close(p[1]);
	close(go[0]);
	close(go[1]);
	if (read(p[0], &s, sizeof s) != sizeof s)
		add(1);
	close(p[0]);
	waitpid(pid, &st, 0);
	add(s);
	add((uint64_t)st);
}

static const int advices[] = { MADV_DONTNEED, MADV_DONTNEED, MADV_WILLNEED, MADV_NORMAL, MADV_DONTFORK,
    MADV_DOFORK,
	18 /* MADV_WIPEONFORK */, 19 /* MADV_KEEPONFORK */ };

static void
step(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE };
	uint64_t page = rnd(PAGES), n = 1 + rnd(rnd(4) == 0 ? MAX_LEN : 20), to;
	char *a = (char *)AT + page * T_PAGE;
	int prot = prots[rnd(4)];

	if (page + n > PAGES)
		n = PAGES - page;
	to = rnd(PAGES - n);
	errno = 0;
	switch (rnd(16)) {
	case 0: case 1:
		result((long)mmap(a, n * T_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		break;
	case 2:
		result((long)mmap(a, n * T_PAGE, prot, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		break;
	case 3:
		result((long)mmap(a, n * T_PAGE, prot, (rnd(2) ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, fd,
		    (off_t)(rnd(64) * T_PAGE)));
		break;
	case 4:
		result(munmap(a, (n / 2 + 1) * T_PAGE));
		break;
	case 5: case 6:
		result(mprotect(a, n * T_PAGE, prot));
		break;
	case 7:
		result(madvise(a, n * T_PAGE, advices[rnd(T_COUNT(advices))]));
		break;
	case 8:
		result((long)mremap(a, n * T_PAGE, (n / 2 + 1) * T_PAGE, 0));
		break;
	case 9:
		result((long)mremap(a, n * T_PAGE, n * T_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    AT + to * T_PAGE));
		break;
	case 10:
		result(ftruncate(fd, (off_t)rnd(100 * T_PAGE)));
		break;
	case 11:
		through_the_kernel(a, n * T_PAGE);
		break;
	case 12:
		if (rnd(12) == 0)
			in_a_child();
		break;
	default:
		touch_some();
		break;
	}
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	fd = open("object", O_CREAT | O_TRUNC | O_RDWR, 0600);
	ftruncate(fd, 100 * T_PAGE);
	mmap((void *)AT, PAGES * T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	    -1, 0);
	for (int i = 0; i < STEPS; i++) {
		step();
		if (i % 500 == 499)
			t_say("step %d: %016llx", i, (unsigned long long)sum);
	}
	return 0;
}
