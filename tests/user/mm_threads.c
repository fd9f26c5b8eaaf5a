/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_threads - one memory, several threads and processes: faults meet each
 * other, and meet changes of the map, fork and exec.  What is shown is what must
 * hold in any order.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include "t.h"

#define THREADS	4
#define PAGES	48u
#define AT	((char *)0x500000000ul)
#define OTHER	((char *)0x540000000ul)
#define BYTES	((size_t)PAGES * T_PAGE)
#define RW	(PROT_READ | PROT_WRITE)
#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static atomic_bool stop;
static atomic_ulong bad, done;
static _Thread_local sigjmp_buf back;
static _Thread_local unsigned long seed;

static void
on_fault(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static unsigned long
rnd(void)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return seed >> 33;
}

static void
map(char *at, size_t bytes, int flags, int fd)
{
	if (mmap(at, bytes, RW, flags, fd, 0) != at)
		atomic_fetch_add(&bad, 1);
}

/* THREADS of fn, then `first`, which says when they end. */
static void
together(void *(*fn)(void *), void (*first)(void), const char *what)
{
	pthread_t t[THREADS];

	atomic_store(&stop, false);
	atomic_store(&bad, 0);
	atomic_store(&done, 0);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, fn, (void *)i) != 0)
			t_say("no thread");
	if (first != NULL)
		first();
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	t_say("%s: %lu bad", what, atomic_load(&bad));
}

/* ------------------------------------------------ all at the same page -- */

static void *
count(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < PAGES * 4; i++)
		atomic_fetch_add((atomic_ulong *)(AT + i * (size_t)T_PAGE / 4), 1);
	return NULL;
}

static void
same_page(int flags, int fd)
{
	unsigned long sum = 0;

	for (int round = 0; round < 20; round++) {
		map(AT, BYTES, flags, fd);
		together(count, NULL, "counting");
		for (unsigned int i = 0; i < PAGES * 4; i++)
			sum += *(unsigned long *)(AT + i * (size_t)T_PAGE / 4);
		if (fd >= 0)
			T(ftruncate(fd, 0) | ftruncate(fd, BYTES));
	}
	t_say("counted %lu", sum);
}

/* ------------------------------------------- what is there, or nothing -- */

/* Every word is zero or names its address; the page may be gone or not writable. */
static void *
use(void *arg)
{
	seed = (unsigned long)arg + 1;

	while (!atomic_load(&stop)) {
		volatile unsigned long *p = (volatile unsigned long *)(AT + rnd() % (BYTES / 8) * 8);
		unsigned long v;

		if (sigsetjmp(back, 0) != 0)
			continue;
		if (rnd() % 2 != 0)
			*p = (unsigned long)p;
		v = *p;
		if (v != 0 && v != (unsigned long)p)
			atomic_fetch_add(&bad, 1);
	}
	return NULL;
}

static void
change(void)
{
	for (int i = 0; i < 1500; i++) {
		size_t page = rnd() % PAGES, n = (1 + rnd() % 8) * T_PAGE;
		char *p = AT + page * T_PAGE;

		if (page * T_PAGE + n > BYTES)
			n = BYTES - page * T_PAGE;
		switch (rnd() % 6) {
		case 0:
			munmap(p, n);
			break;
		case 1:
			map(p, n, PRIVATE, -1);
			break;
		case 2:
			mprotect(p, n, PROT_NONE);
			break;
		case 3:
			mprotect(p, n, PROT_READ);
			break;
		case 4:
			mprotect(p, n, RW);
			break;
		default:
			madvise(p, n, MADV_DONTNEED);
			break;
		}
	}
}

/* ------------------------------------------------------- a moving area -- */

/* No addition is lost, at whichever place it was made. */
static void *
add(void *arg)
{
	seed = (unsigned long)arg + 1;

	while (!atomic_load(&stop)) {
		char *p = (rnd() % 2 == 0 ? AT : OTHER) + rnd() % PAGES * T_PAGE;

		if (sigsetjmp(back, 0) != 0)
			continue;
		atomic_fetch_add((atomic_ulong *)p, 1);
		atomic_fetch_add(&done, 1);
	}
	return NULL;
}

static void
move(void)
{
	for (int i = 0; i < 300; i++) {
		char *from = i % 2 == 0 ? AT : OTHER, *to = i % 2 == 0 ? OTHER : AT;

		if (mremap(from, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
			atomic_fetch_add(&bad, 1);
	}
}

static void
check_added(void)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		sum += *(unsigned long *)(AT + i * (size_t)T_PAGE);
	t_say("added and found: %s", sum == atomic_load(&done) ? "the same" : "not the same");
}

/*
 * The moved area and a neighbour at both places share a table; of the area only the last page is there, so
 * that the table at the new place is empty for a while; the neighbour's file loses and gets its only page.
 */
#define WIDE	((size_t)511 * T_PAGE)
static int neighbour;

static void *
shrink(void *arg)
{
	while (!atomic_load(&stop)) {
		if (sigsetjmp(back, 0) == 0)
			AT[WIDE] = OTHER[WIDE] = 1;
		if (ftruncate(neighbour, 0) != 0 || ftruncate(neighbour, T_PAGE) != 0)
			atomic_fetch_add(&bad, 1);
	}
	return arg;
}

static void
move_wide(void)
{
	for (int i = 0; i < 2000; i++) {
		char *from = i % 2 == 0 ? AT : OTHER, *to = i % 2 == 0 ? OTHER : AT;

		if (mremap(from, WIDE, WIDE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
			atomic_fetch_add(&bad, 1);
	}
}

static void
move_beside(void)
{
	neighbour = open("neighbour", O_RDWR | O_CREAT | O_TRUNC, 0600);
	map(AT + WIDE, T_PAGE, MAP_SHARED | MAP_FIXED, neighbour);
	map(OTHER + WIDE, T_PAGE, MAP_SHARED | MAP_FIXED, neighbour);
	map(AT, WIDE, PRIVATE, -1);
	AT[WIDE - 1] = 7;
	together(shrink, move_wide, "an area moves beside a file that shrinks");
	t_say("still there: %d", AT[WIDE - 1]);
	munmap(AT, WIDE + T_PAGE);
	munmap(OTHER, WIDE + T_PAGE);
}

/* ----------------------------------------------------------------- fork -- */

/* The same number into one page after the other. */
static void *
chain(void *arg)
{
	for (unsigned long n = 1; !atomic_load(&stop); n++)
		for (unsigned int i = 0; i < PAGES; i++)
			((volatile unsigned long *)(AT + i * (size_t)T_PAGE))[(long)arg] = n;
	return NULL;
}

/* In the child: one moment of each thread, which stays. */
static int
is_one_moment(void)
{
	for (int look = 0; look < 2; look++)
		for (int k = 0; k < THREADS; k++) {
			unsigned long first = ((unsigned long *)AT)[k], before = first;

			for (unsigned int i = 1; i < PAGES; i++) {
				unsigned long v = ((unsigned long *)(AT + i * (size_t)T_PAGE))[k];

				if (v > before || v + 1 < first)
					return 1;
				before = v;
			}
			usleep(look == 0 ? 50 : 0);
		}
	memset(AT, 0xff, BYTES);
	return 0;
}

static void
fork_often(void)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(is_one_moment());
		if (waitpid(pid, &status, 0) != pid || status != 0)
			atomic_fetch_add(&bad, 1);
	}
}

/* ----------------------------------------------------------------- exec -- */

static void *
fault_for_ever(void *arg)
{
	for (;;) {
		char *p = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (unsigned int i = 0; p != MAP_FAILED && i < PAGES; i++)
			p[i * (size_t)T_PAGE] = 1;
		munmap(p, BYTES);
	}
	return arg;
}

static void
exec_while_siblings_fault(const char *self)
{
	int ok = 0;

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		pthread_t t;
		int status;

		if (pid == 0) {
			for (long k = 0; k < THREADS; k++)
				pthread_create(&t, NULL, fault_for_ever, NULL);
			usleep((useconds_t)i * 200);
			execl("/proc/self/exe", self, "again", (char *)NULL);
			_exit(1);
		}
		if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
			ok += WEXITSTATUS(status) == 7;
	}
	t_say("programs that took over: %d", ok);
}

/* ------------------------------------------------------------ processes -- */

static void
processes(int fd)
{
	unsigned long sum = 0, word;
	int status;

	T(ftruncate(fd, 0) | ftruncate(fd, BYTES));
	map(AT, BYTES, MAP_SHARED | MAP_FIXED, fd);
	map(OTHER, BYTES, PRIVATE, -1);
	memset(OTHER, 0x11, BYTES);
	for (int k = 0; k < THREADS; k++)
		if (fork() == 0) {
			for (int round = 0; round < 50; round++)
				for (unsigned int i = 0; i < PAGES; i++) {
					atomic_fetch_add((atomic_ulong *)(AT + i * (size_t)T_PAGE), 1);
					OTHER[i * (size_t)T_PAGE + (size_t)k]++;
				}
			for (unsigned int i = 0; i < BYTES; i++)
				sum += (unsigned long)OTHER[i];
			_exit(sum == 0x11ul * BYTES + 50ul * PAGES ? 0 : 1);
		}
	for (int k = 0; k < THREADS; k++)
		T(wait(&status) > 0 ? status : -1);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (pread(fd, &word, sizeof word, (off_t)i * T_PAGE) == sizeof word)
			sum += word;
		for (unsigned int k = 0; k < T_PAGE; k++)
			sum += OTHER[i * (size_t)T_PAGE + k] != 0x11;
	}
	t_say("processes counted %lu", sum);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	int fd;

	if (argc > 1)
		return 7;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	T(ftruncate(fd, BYTES));
	same_page(PRIVATE, -1);
	same_page(MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1);
	same_page(MAP_SHARED | MAP_FIXED, fd);
	map(AT, BYTES, PRIVATE, -1);
	together(use, change, "the map changes");
	map(AT, BYTES, PRIVATE, -1);
	munmap(OTHER, BYTES);
	together(add, move, "the area moves");
	check_added();
	move_beside();
	map(AT, BYTES, PRIVATE, -1);
	together(chain, fork_often, "children");
	exec_while_siblings_fault(argv[0]);
	processes(fd);
	return 0;
}
