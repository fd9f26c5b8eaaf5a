/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress - work for several CPUs that must end in one way.
 *
 *	stress [-a] [tree | threads | pipes | memory | signals | names | exec | all]
 *
 * -a: apart, each process and thread on the CPU that its number names;
 * otherwise the scheduler sends them around.
 *
 * Each workload brings two or more processes or threads together at one
 * object of the kernel and checks what must hold in any order.  They are
 * short: it is the seeds that are many.  Nothing waits by computing, because
 * in deterministic mode a program that does not enter the kernel keeps it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096u
#define MUST(x)	((x) ? (void)0 : failed(__LINE__, #x))

static char *self;
static bool apart;

static void
failed(int line, const char *what)
{
	dprintf(1, "stress: line %d: %s (errno %d)\n", line, what, errno);
	_exit(99);
}

static void
find_place(void)
{
	cpu_set_t set;

	if (!apart)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)gettid() % (size_t)sysconf(_SC_NPROCESSORS_CONF), &set);
	MUST(sched_setaffinity(0, sizeof set, &set) == 0);
}

static pid_t
must_fork(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0)
		find_place();
	return pid;
}

struct start {
	void	*(*fn)(void *);
	void	*arg;
};

static void *
started(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	find_place();
	return s.fn(s.arg);
}

static pthread_t
must_thread(void *(*fn)(void *), void *arg)
{
	struct start *s = malloc(sizeof *s);
	pthread_t t;

	MUST(s != NULL);
	*s = (struct start){ fn, arg };
	MUST(pthread_create(&t, NULL, started, s) == 0);
	return t;
}

/* The child `pid` must end with `status`; it is reaped exactly once. */
static void
must_end(pid_t pid, int status)
{
	int got = -1;

	MUST(waitpid(pid, &got, 0) == pid);
	MUST(WIFEXITED(got) && WEXITSTATUS(got) == status);
	MUST(waitpid(pid, &got, 0) == -1 && errno == ECHILD);
}

/* ---------------------------------------------------------------- tree -- */

static void
grow(int depth, int status)
{
	pid_t kids[3];

	if (depth > 0) {
		for (int i = 0; i < 3; i++) {
			kids[i] = must_fork();
			if (kids[i] == 0) {
				grow(depth - 1, 10 * depth + i);
				_exit(10 * depth + i);
			}
		}
		for (int i = 2; i >= 0; i--)
			must_end(kids[i], 10 * depth + i);
	}
	(void)status;
}

static atomic_int reaped;

static void *
reaper(void *arg)
{
	int status;

	(void)arg;
	while (waitpid(-1, &status, 0) > 0) {
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		atomic_fetch_add(&reaped, 1);
	}
	MUST(errno == ECHILD);
	return NULL;
}

/* Two threads wait for the same children: each child counts once. */
static void
shared_children(void)
{
	pthread_t t[2];

	for (int i = 0; i < 8; i++)
		if (must_fork() == 0)
			_exit(7);
	for (int i = 0; i < 2; i++)
		t[i] = must_thread(reaper, NULL);
	for (int i = 0; i < 2; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(atomic_load(&reaped) == 8);
}

static void
tree(void)
{
	grow(2, 0);
	shared_children();
}

/* ------------------------------------------------------------- threads -- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int sum, turn;

static void *
worker(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&mutex);
		sum++;
		getppid();		/* so that the lock is held over a switch */
		pthread_mutex_unlock(&mutex);
	}
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 4 != me)
			pthread_cond_wait(&cond, &mutex);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static void
threads(void)
{
	pthread_t t[4];
	void *r;

	for (int round = 0; round < 3; round++) {
		sum = turn = 0;
		for (intptr_t i = 0; i < 4; i++)
			t[i] = must_thread(worker, (void *)i);
		for (intptr_t i = 0; i < 4; i++)
			MUST(pthread_join(t[i], &r) == 0 && (intptr_t)r == i);
		MUST(sum == 40 && turn == 40);
	}
}

/* --------------------------------------------------------------- pipes -- */

static void
pipes(void)
{
	char out[3000], in[3000];
	int p[2];

	MUST(pipe(p) == 0);
	for (int i = 0; i < 3; i++)
		if (must_fork() == 0) {
			close(p[0]);
			memset(out, 'a' + i, sizeof out);
			for (int k = 0; k < 20; k++)
				MUST(write(p[1], out, sizeof out) == sizeof out);	/* one piece: PIPE_BUF */
			_exit(20 + i);
		}
	close(p[1]);
	for (int n = 0; n < 60; n++) {
		for (size_t at = 0; at < sizeof in;) {
			ssize_t got = read(p[0], in + at, sizeof in - at);

			MUST(got > 0);
			at += (size_t)got;
		}
		for (size_t i = 1; i < sizeof in; i++)
			MUST(in[i] == in[0]);
	}
	MUST(read(p[0], in, 1) == 0);
	close(p[0]);
	for (int i = 0; i < 3; i++)
		MUST(wait(NULL) > 0);
}

/* -------------------------------------------------------------- memory -- */

static volatile uint64_t *pages;
static atomic_bool stop;
#define PAGES	16u

/* Writes its own word of every page, and always finds there what it wrote last. */
static void *
writer(void *arg)
{
	size_t me = (size_t)(intptr_t)arg;
	uint64_t n = 0;

	while (!atomic_load(&stop)) {
		for (size_t i = 0; i < PAGES; i++) {
			volatile uint64_t *w = &pages[i * PAGE / 8 + me];

			MUST(*w == n);
			*w = n + 1;
			if (i % 4 == 0)
				getppid();
			MUST(*w == n + 1);
		}
		n++;
	}
	return NULL;
}

/* A child's memory does not change under it, whatever the parent's threads write. */
static void
look_twice(void)
{
	uint64_t sums[2] = { 0, 0 };

	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < PAGES * PAGE / 8; i++)
			sums[k] = sums[k] * 31 + pages[i];
		sched_yield();
		getppid();
	}
	MUST(sums[0] == sums[1]);
	for (size_t i = 0; i < PAGES; i++)
		pages[i * PAGE / 8] = 0xdead;
	_exit(5);
}

static void *
mapper(void *arg)
{
	for (int i = 0; i < 10; i++) {
		char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		MUST(p != MAP_FAILED);
		for (size_t k = 0; k < 4; k++) {
			MUST(p[k * PAGE] == 0);		/* never another's old page */
			memset(p + k * PAGE, 0x5a, PAGE);
		}
		MUST(mprotect(p, 2 * PAGE, PROT_READ) == 0);
		MUST(p[PAGE] == 0x5a);
		MUST(munmap(p, 4 * PAGE) == 0);
	}
	return arg;
}

static void
memory(void)
{
	pthread_t t[4];
	pid_t kids[4];

	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(pages != MAP_FAILED);
	for (intptr_t i = 0; i < 2; i++)
		t[i] = must_thread(writer, (void *)(i + 1));
	for (intptr_t i = 2; i < 4; i++)
		t[i] = must_thread(mapper, (void *)i);
	for (int i = 0; i < 4; i++) {
		kids[i] = must_fork();
		if (kids[i] == 0)
			look_twice();
	}
	for (int i = 0; i < 4; i++)
		must_end(kids[i], 5);
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(pages[0] == 0);
}

/* ------------------------------------------------------------- signals -- */

static atomic_int hits;

static void
on_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&hits, 1);
}

/* The news of a stop may be seen before its signal comes, which then interrupts the next wait. */
static pid_t
wait_again(pid_t pid, int *status, int options)
{
	pid_t got;

	do
		got = waitpid(pid, status, options);
	while (got == -1 && errno == EINTR);
	return got;
}

/* Queued signals are all delivered; a child that stops and goes on is seen to. */
static void
signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set, old;
	pid_t pid;
	int status;

	MUST(sigaction(SIGRTMIN, &sa, NULL) == 0 && sigaction(SIGCHLD, &sa, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGCHLD);
	MUST(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	for (int k = 0; k < 3; k++)
		if (must_fork() == 0) {
			for (int i = 0; i < 10; i++)
				MUST(sigqueue(getppid(), SIGRTMIN, (union sigval){ .sival_int = i }) == 0);
			_exit(3);
		}
	while (atomic_load(&hits) < 31)
		if (sigsuspend(&old), waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD)
			break;
	while (wait(&status) > 0)
		continue;
	MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	MUST(atomic_load(&hits) >= 31 && atomic_load(&hits) <= 33);	/* 30 and one to three SIGCHLD */
	/* The signal that tells of a child's end does not interrupt who waits for that. */
	for (int i = 0; i < 4; i++) {
		pid = must_fork();
		if (pid == 0)
			_exit(4);
		must_end(pid, 4);
	}
	pid = must_fork();
	if (pid == 0)
		for (;;)
			pause();
	for (int i = 0; i < 3; i++) {
		MUST(kill(pid, SIGSTOP) == 0);
		MUST(wait_again(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		MUST(kill(pid, SIGCONT) == 0);
		MUST(wait_again(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	}
	MUST(kill(pid, SIGKILL) == 0);
	MUST(wait_again(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* --------------------------------------------------------------- names -- */

static void
names(void)
{
	char dir[] = "/tmp/stress.XXXXXX", path[64], other[64];
	int won = 0, status;

	MUST(mkdtemp(dir) != NULL && chdir(dir) == 0);
	for (int k = 0; k < 4; k++)
		if (must_fork() == 0) {
			int mine = 0;

			for (int i = 0; i < 8; i++) {
				int fd;

				snprintf(path, sizeof path, "f%d", i);
				fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
				MUST(fd >= 0 || errno == EEXIST);
				if (fd >= 0) {
					mine++;
					close(fd);
				}
				snprintf(path, sizeof path, "own%d", k);
				snprintf(other, sizeof other, "to%d", i % 2);
				fd = open(path, O_CREAT | O_WRONLY, 0600);
				MUST(fd >= 0 && close(fd) == 0);
				MUST(rename(path, other) == 0);
				MUST(unlink(other) == 0 || errno == ENOENT);
			}
			_exit(mine);
		}
	for (int k = 0; k < 4; k++) {
		MUST(wait(&status) > 0 && WIFEXITED(status));
		won += WEXITSTATUS(status);
	}
	MUST(won == 8);
	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof path, "f%d", i);
		MUST(unlink(path) == 0);
	}
	unlink("to0");
	unlink("to1");
	MUST(chdir("/") == 0 && rmdir(dir) == 0);
}

/* ---------------------------------------------------------------- exec -- */

static void *
keep_busy(void *arg)
{
	for (;;) {
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		MUST(p != MAP_FAILED);
		*p = 1;
		munmap(p, PAGE);
	}
	return arg;
}

/* exec, and exit, of a process whose other threads are in the middle of faults. */
static void
exec(void)
{
	for (int k = 0; k < 4; k++) {
		pid_t pid = must_fork();

		if (pid == 0) {
			for (int i = 0; i < 3; i++)
				(void)must_thread(keep_busy, NULL);
			if (k % 2 == 0)
				_exit(17);
			execl(self, self, "seventeen", (char *)NULL);
			_exit(98);
		}
		must_end(pid, 17);
	}
}

static const struct {
	const char	*name;
	void		(*run)(void);
} all[] = {
	{ "tree", tree }, { "threads", threads }, { "pipes", pipes }, { "memory", memory },
	{ "signals", signals }, { "names", names }, { "exec", exec },
};

int
main(int argc, char **argv)
{
	bool found = false;

	self = argv[0];
	if (argc == 2 && strcmp(argv[1], "seventeen") == 0)
		return 17;
	if (argc > 1 && strcmp(argv[1], "-a") == 0) {
		apart = true;
		argc--;
		argv++;
	}
	for (size_t i = 0; argc == 2 && i < sizeof all / sizeof all[0]; i++) {
		pid_t pid;

		if (strcmp(argv[1], all[i].name) != 0 && strcmp(argv[1], "all") != 0)
			continue;
		found = true;
		pid = must_fork();
		if (pid == 0) {
			all[i].run();
			_exit(0);
		}
		must_end(pid, 0);
	}
	if (!found)
		return 2;
	dprintf(1, "done\n");
	return 0;
}
