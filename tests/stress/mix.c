/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mix - processes and threads that do anything to the same few objects.
 *
 *	mix [-a]
 *
 * Nothing is known about what a call returns, only that each does return,
 * that all processes can be ended, and what the kernel itself watches: its
 * locks, memory that was freed, its own assertions.  Faults are survived by
 * jumping out of the handler.  Chance comes from getrandom(): the seed's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096u
#define PAGES	32u
#define PROCS	3
#define THREADS	2
#define STEPS	40
#define NAMES	4
#define FDS	8		/* descriptors 10 to 17 are played with */
#define PATIENCE 20000

static char *self;
static bool apart;
static size_t cpus;
static char *area;		/* private: what each process does there is its own */
static char *common;		/* shared with all, from a file */
static pid_t pids[PROCS];
static _Thread_local uint64_t chance;
static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t ready;

static void
failed(const char *what)
{
	dprintf(1, "mix: %s (errno %d)\n", what, errno);
	_exit(99);
}

static size_t
below(size_t n)
{
	chance = chance * 6364136223846793005ull + 1442695040888963407ull;
	return (size_t)(chance >> 33) % n;
}

static void
go_to(size_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof set, &set);
}

static void
begin(void)
{
	if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
		failed("getrandom");
	if (apart)
		go_to((size_t)gettid() % cpus);
}

static void
on_fault(int signo)
{
	(void)signo;
	if (!ready)
		_exit(98);
	siglongjmp(back, 1);
}

static void
on_nothing(int signo)
{
	(void)signo;
}

/* --------------------------------------------------------------- memory -- */

static char *
somewhere(size_t *len)
{
	size_t first = below(PAGES), n = 1 + below(4);

	*len = (first + n > PAGES ? PAGES - first : n) * PAGE;
	return (below(3) == 0 ? common : area) + first * PAGE;
}

static void
do_memory(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE };
	size_t len;
	char *p = somewhere(&len);

	switch (below(8)) {
	case 0:
		(void)mprotect(p, len, prots[below(4)]);
		break;
	case 1:
		(void)madvise(p, len, MADV_DONTNEED);
		break;
	case 2:
		(void)munmap(p, len);
		break;
	case 3:
		p = area + (size_t)(p - (p >= area && p < area + PAGES * PAGE ? area : common));
		if (p + len <= area + PAGES * PAGE)
			(void)mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 4:
		(void)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + below(PAGES) * PAGE);
		break;
	default:
		for (size_t i = 0; i < len; i += PAGE / 2)
			p[i]++;
	}
}

/* ---------------------------------------------------------------- files -- */

static void
do_file(void)
{
	char name[] = "/tmp/mix.0", other[] = "/tmp/mix.0", data[64] = "x";
	int fd = 10 + (int)below(FDS), p[2];
	size_t len;
	char *at = somewhere(&len);

	name[sizeof name - 2] = (char)('0' + below(NAMES));
	other[sizeof other - 2] = (char)('0' + below(NAMES));
	switch (below(12)) {
	case 0:
		p[0] = open(name, O_RDWR | O_CREAT | (below(2) == 0 ? O_TRUNC : 0) | O_NONBLOCK, 0600);
		if (p[0] >= 0 && p[0] != fd)
			(void)(dup2(p[0], fd), close(p[0]));
		break;
	case 1:
		if (pipe2(p, O_NONBLOCK) == 0)
			(void)(dup2(p[0], fd), dup2(p[1], 10 + (int)below(FDS)), close(p[0]), close(p[1]));
		break;
	case 2:
		close(fd);
		break;
	case 3:
		(void)dup2(fd, 10 + (int)below(FDS));
		break;
	case 4:
		(void)rename(name, other);
		break;
	case 5:
		(void)unlink(name);
		break;
	case 6:
		(void)link(name, other);
		break;
	case 7:
		(void)ftruncate(fd, (off_t)(below(PAGES) * PAGE));
		break;
	case 8:
		(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT }, 1, 0);
		break;
	case 9:
		if (write(fd, data, sizeof data) < 0 && errno == EIO)
			failed("write");
		break;
	case 10:
		if (write(fd, at, len) < 0 && errno == EIO)
			failed("write from memory");
		break;
	default:
		if (read(fd, at, len) < 0 && errno == EIO)
			failed("read");
	}
}

/* ---------------------------------------------- processes, threads, time -- */

static void *
short_life(void *arg)
{
	(void)syscall(SYS_futex, area, 0, 0, &(struct timespec){ 0, 20000 }, NULL, 0);
	return arg;
}

static void
do_child(void)
{
	size_t how = below(4);
	pid_t pid = how == 3 ? vfork() : fork();

	if (pid == 0) {
		if (how >= 2)
			execl(self, self, "end", (char *)NULL);
		_exit(0);
	}
	if (pid > 0 && below(2) == 0)
		(void)kill(pid, SIGKILL);
	if (pid > 0)
		while (waitpid(pid, NULL, below(3) == 0 ? WNOHANG : 0) < 0 && errno == EINTR)
			continue;
}

static void
do_process(void)
{
	const int sigs[] = { SIGUSR1, SIGUSR1, SIGSTOP, SIGCONT, SIGCONT, SIGRTMIN };
	pid_t other = pids[below(PROCS)];
	struct itimerval it = { { 0, 0 }, { 0, (suseconds_t)below(200) } };
	pthread_t t;
	size_t len;
	char *at = somewhere(&len);

	switch (below(9)) {
	case 0:
		do_child();
		break;
	case 1:
		if (pthread_create(&t, NULL, short_life, NULL) == 0)
			pthread_detach(t);
		break;
	case 2:
	case 3:
		if (other > 0)
			(void)kill(other, sigs[below(6)]);
		break;
	case 4:
		(void)syscall(SYS_futex, at, 0, 0, &(struct timespec){ 0, (long)below(50000) }, NULL, 0);
		break;
	case 5:
		(void)syscall(SYS_futex, at, 1, 3, NULL, NULL, 0);
		break;
	case 6:
		(void)setitimer(ITIMER_REAL, &it, NULL);
		break;
	case 7:
		if (!apart)
			go_to(below(cpus));
		break;
	default:
		sched_yield();
	}
}

static void *
thread(void *arg)
{
	volatile int i = 0;

	begin();
	while (i < STEPS) {
		i++;
		if (sigsetjmp(back, 1) != 0)
			continue;
		ready = 1;
		switch (below(3)) {
		case 0:
			do_memory();
			break;
		case 1:
			do_file();
			break;
		default:
			do_process();
		}
	}
	ready = 0;
	return arg;
}

static void
process(void)
{
	pthread_t t[THREADS];
	size_t n = 0;

	begin();
	for (; n < THREADS; n++)
		if (pthread_create(&t[n], NULL, thread, NULL) != 0)
			failed("pthread_create");
	if (below(4) == 0)
		_exit(0);		/* while they work */
	if (below(4) == 0)
		execl(self, self, "end", (char *)NULL);
	while (n > 0)
		pthread_join(t[--n], NULL);
	_exit(0);
}

/* All end in the end; who is stopped is told to go on, and a timer or a signal may interrupt. */
static void
reap(void)
{
	struct timespec little = { 0, 100000 };
	int left = PROCS;

	for (int n = 0; left > 0; n++) {
		if (n == PATIENCE / 2)
			for (int i = 0; i < PROCS; i++)
				(void)kill(pids[i], SIGKILL);	/* not yet reaped, so still theirs */
		if (n == PATIENCE)
			failed("a process does not end");
		for (int i = 0; i < PROCS; i++) {
			pid_t got = pids[i] == 0 ? 0 : waitpid(pids[i], NULL, WNOHANG);

			if (got < 0)
				failed("waitpid");
			left -= got > 0;
			if (got > 0)
				pids[i] = 0;
			else if (pids[i] != 0)
				(void)kill(pids[i], SIGCONT);
		}
		nanosleep(&little, NULL);
	}
}

static void
prepare(void)
{
	struct sigaction sa = { .sa_handler = on_fault };
	char path[] = "/tmp/mix.XXXXXX";
	int fd = mkstemp(path);

	(void)(sigaction(SIGSEGV, &sa, NULL), sigaction(SIGBUS, &sa, NULL));
	sa.sa_handler = on_nothing;
	(void)(sigaction(SIGUSR1, &sa, NULL), sigaction(SIGALRM, &sa, NULL), sigaction(SIGRTMIN, &sa, NULL));
	signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || unlink(path) != 0 || ftruncate(fd, PAGES * PAGE) != 0 || dup2(fd, 10) != 10)
		failed("the common file");
	common = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (common == MAP_FAILED || area == MAP_FAILED)
		failed("mmap");
}

int
main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "end") == 0)
		return 0;
	apart = argc > 1 && strcmp(argv[1], "-a") == 0;
	cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	prepare();
	for (int i = 0; i < PROCS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			process();
		if (pids[i] < 0)
			failed("fork");
	}
	reap();
	for (char name[] = "/tmp/mix.0"; name[sizeof name - 2] < '0' + NAMES; name[sizeof name - 2]++)
		(void)unlink(name);
	dprintf(1, "done\n");
	return 0;
}
