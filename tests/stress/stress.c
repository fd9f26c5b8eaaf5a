/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress - work for several CPUs that must end in one way.
 *
 *	stress [-a] [NAME | all]
 *
 * -a: apart, each process and thread on the CPU that its number names;
 * otherwise the scheduler sends them around.
 *
 * Each workload brings two or more processes or threads together at one
 * object of the kernel and checks what must hold in any order.  They are
 * short: it is the seeds that are many.  Here and there they dawdle, from not
 * at all to some dozen system calls, so that now one side comes first and now the other.  Nothing waits by computing, because
 * in deterministic mode a program that does not enter the kernel keeps it.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096u
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_PRIVATE = 128 };
#define MUST(x)	((x) ? (void)0 : failed(__LINE__, #x))

static char *self;
static bool apart;
static size_t cpus;

static void
failed(int line, const char *what)
{
	dprintf(1, "stress: line %d: %s (errno %d)\n", line, what, errno);
	_exit(99);
}

/* For mkstemp(): a name where temporary files belong. */
#define TEMP_BYTES	200
static char *
temp_name(char name[TEMP_BYTES])
{
	const char *dir = getenv("TMPDIR");

	snprintf(name, TEMP_BYTES, "%s/stress.XXXXXX", dir != NULL ? dir : "/tmp");
	return name;
}

static _Thread_local uint64_t chance;

static uint64_t
random_below(uint64_t n)
{
	chance = chance * 6364136223846793005ull + 1442695040888963407ull;
	return (chance >> 33) % n;
}

/* Some system calls that do nothing: half of the time none, seldom many. */
static void
dawdle(void)
{
	for (uint64_t n = (1ull << random_below(7)) / 2; n > 0; n--)
		getppid();
}

/* A new process or thread: with chances and, if wanted, on a CPU of its own. */
static void
find_place(void)
{
	cpu_set_t set;

	MUST(getrandom(&chance, sizeof chance, 0) == sizeof chance);
	if (!apart)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)gettid() % cpus, &set);
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
grow(int depth)
{
	pid_t kids[3];

	if (depth > 0) {
		for (int i = 0; i < 3; i++) {
			kids[i] = must_fork();
			if (kids[i] == 0) {
				grow(depth - 1);
				dawdle();
				_exit(10 * depth + i);
			}
		}
		for (int i = 2; i >= 0; i--) {
			dawdle();
			must_end(kids[i], 10 * depth + i);
		}
	}
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
		if (must_fork() == 0) {
			dawdle();
			_exit(7);
		}
	for (int i = 0; i < 2; i++)
		t[i] = must_thread(reaper, NULL);
	for (int i = 0; i < 2; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(atomic_load(&reaped) == 8);
}

static void
tree(void)
{
	grow(2);
	for (int i = 0; i < 8; i++) {		/* nobody else's end wakes the parent */
		pid_t pid = must_fork();

		if (pid == 0)
			_exit(6);
		dawdle();
		must_end(pid, 6);
	}
	shared_children();
}

/* ------------------------------------------------------------- orphans -- */

static void
parent_and_children(int n)
{
	for (int i = 0; i < n; i++)
		if (must_fork() == 0) {
			dawdle();
			_exit(1);
		}
	dawdle();
	_exit(1);
}

/* Nothing but its own end tells of the one that is adopted: its parent has another, who stays. */
static void
adopted(void)
{
	int end[2], status;
	char c;
	pid_t stays;

	MUST(pipe(end) == 0);
	stays = must_fork();
	if (stays == 0) {
		pid_t pid;

		close(end[1]);
		pid = must_fork();
		if (pid == 0)
			parent_and_children(1);
		must_end(pid, 1);
		MUST(read(end[0], &c, 1) == 0);
		_exit(1);
	}
	close(end[0]);
	MUST(waitpid(-1, &status, 0) != stays && WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(end[1]);
	must_end(stays, 1);
}

/* Parents and children end at once; who has adopted them all sees each of them end. */
static void
orphans(void)
{
	int status, seen = 0;

	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (int i = 0; i < 6; i++)
		adopted();
	for (int i = 0; i < 6; i++) {
		if (must_fork() == 0)
			parent_and_children(i % 3 + 1);
		while (waitpid(-1, &status, 0) > 0) {
			MUST(WIFEXITED(status) && WEXITSTATUS(status) == 1);
			seen++;
		}
	}
	MUST(errno == ECHILD && seen == 6 + 2 * (1 + 2 + 3));
}

/* Children that their parent traces end while it waits: it buries each at once. */
static void
traced(void)
{
	int status, ended = 0;

	for (int i = 0; i < 6; i++) {
		for (int k = 1; k <= 3; k++) {
			if (must_fork() != 0)
				continue;
			MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
			dawdle();
			_exit(k);
		}
		dawdle();
		while (waitpid(-1, &status, 0) > 0) {
			MUST(WIFEXITED(status));
			ended += WEXITSTATUS(status);
		}
	}
	MUST(errno == ECHILD && ended == 6 * (1 + 2 + 3));
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
		dawdle();		/* so that the lock is held over a switch */
		pthread_mutex_unlock(&mutex);
		dawdle();
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

/* ------------------------------------------------------------- requeue -- */

static _Atomic uint32_t words[2];
static atomic_int waited, woken, waiting;

static long
futex(_Atomic uint32_t *word, int op, uint32_t val, uint64_t timeout, _Atomic uint32_t *other)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE, val, timeout, other, 0);
}

/* Waits on either word, now for ever and now for less than anybody needs to come. */
static void *
waiter(void *arg)
{
	for (int i = 0; i < 12; i++) {
		struct timespec ts = { 0, (long)random_below(200000) };
		_Atomic uint32_t *word = &words[random_below(2)];

		if (futex(word, FUTEX_WAIT, 0, random_below(4) == 0 ? 0 : (uint64_t)&ts, NULL) == 0)
			atomic_fetch_add(&waited, 1);
		else
			MUST(errno == ETIMEDOUT);
		dawdle();
	}
	atomic_fetch_sub(&waiting, 1);
	return arg;
}

/* Waiters are moved from one word to the other and back; each that was woken returns, and no other. */
static void
requeue(void)
{
	pthread_t t[4];

	atomic_store(&waiting, 4);
	for (int i = 0; i < 4; i++)
		t[i] = must_thread(waiter, NULL);
	for (int n = 0; atomic_load(&waiting) > 0; n++) {
		MUST(n < 6000);
		if (n > 1000)
			usleep(1000);		/* a busy host has not let them run yet */
		for (int i = 0; i < 2; i++)
			(void)futex(&words[i], FUTEX_REQUEUE, 0, 8, &words[1 - i]);
		dawdle();
		atomic_fetch_add(&woken, (int)futex(&words[random_below(2)], FUTEX_WAKE, 1, 0, NULL));
		dawdle();
	}
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(atomic_load(&woken) == atomic_load(&waited));
}

/* -------------------------------------------------------------- timers -- */

static atomic_int alarms;

static void
on_alarm(int signo)
{
	(void)signo;
	atomic_fetch_add(&alarms, 1);
}

/* One timer of the process is set and stopped by all its threads. */
static void *
timer_setter(void *arg)
{
	struct itimerval on = { { 0, 0 }, { 0, 0 } }, off = on, old;

	for (int i = 0; i < 15; i++) {
		on.it_value.tv_usec = (suseconds_t)random_below(300) + 1;
		MUST(setitimer(ITIMER_REAL, &on, &old) == 0);
		dawdle();
		if (random_below(2) == 0)
			MUST(setitimer(ITIMER_REAL, &off, &old) == 0);
		dawdle();
	}
	return arg;
}

/* Once it is stopped nothing comes any more; and it comes when it is not. */
static void
timers(void)
{
	struct itimerval off = { { 0, 0 }, { 0, 0 } }, on = { { 0, 0 }, { 0, 100 } };
	struct timespec ms = { 0, 1000000 };
	pthread_t t[3];
	int before;

	MUST(signal(SIGALRM, on_alarm) != SIG_ERR);
	for (int i = 0; i < 3; i++)
		t[i] = must_thread(timer_setter, NULL);
	for (int i = 0; i < 3; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(setitimer(ITIMER_REAL, &off, NULL) == 0);
	before = atomic_load(&alarms);
	nanosleep(&ms, NULL);
	MUST(atomic_load(&alarms) == before);
	MUST(setitimer(ITIMER_REAL, &on, NULL) == 0);
	while (atomic_load(&alarms) == before)
		nanosleep(&ms, NULL);
}

/* --------------------------------------------------------- descriptors -- */

/* A number that one thread has got is nobody else's until it is closed. */
static void *
opener(void *arg)
{
	static _Atomic uintptr_t taken[64];
	uintptr_t me = (uintptr_t)arg;

	for (int i = 0; i < 30; i++) {
		int fd = random_below(2) == 0 ? dup(1) : open("/", O_RDONLY);

		MUST(fd >= 0 && fd < 64 && atomic_exchange(&taken[fd], me) == 0);
		dawdle();
		MUST(atomic_exchange(&taken[fd], 0) == me && close(fd) == 0);
	}
	return NULL;
}

static void
descriptors(void)
{
	pthread_t t[4];

	for (uintptr_t i = 0; i < 4; i++)
		t[i] = must_thread(opener, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(t[i], NULL) == 0);
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
#define PAGES	160u		/* so many that fork shares them */
#define STEP	8u

static atomic_int passes;	/* that writers have made over all pages */

/* Writes its own word of every page, and always finds there what it wrote last. */
static void *
writer(void *arg)
{
	size_t me = (size_t)(intptr_t)arg;
	uint64_t n = 0;

	while (!atomic_load(&stop)) {
		for (size_t i = 0; i < PAGES; i += STEP) {
			volatile uint64_t *w = &pages[i * PAGE / 8 + me];

			MUST(*w == n);
			*w = n + 1;
			if (i % (4 * STEP) == 0)
				dawdle();
			MUST(*w == n + 1);
		}
		n++;
		atomic_fetch_add(&passes, 1);
	}
	return NULL;
}

/* The same in no order, so that it comes to a page just when fork does. */
static void *
scatterer(void *arg)
{
	size_t me = (size_t)(intptr_t)arg;
	uint64_t n[PAGES] = { 0 };

	while (!atomic_load(&stop)) {
		for (int i = 0; i < 4; i++) {
			size_t k = random_below(PAGES);
			volatile uint64_t *w = &pages[k * PAGE / 8 + me];

			MUST(*w == n[k]);
			*w = ++n[k];
		}
		getppid();
	}
	return NULL;
}

/* What a writer wrote before something that is there, is there too. */
static void
one_moment(void)
{
	for (size_t me = 1; me <= 2; me++)
		for (size_t i = STEP; i < PAGES; i += STEP) {
			MUST(pages[(i - STEP) * PAGE / 8 + me] - pages[i * PAGE / 8 + me] <= 1);
			MUST(pages[me] - pages[i * PAGE / 8 + me] <= 1);
		}
}

/* A child's memory does not change under it, whatever the parent's threads write. */
static void
look_twice(void)
{
	uint64_t sums[2] = { 0, 0 };

	one_moment();
	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < PAGES * PAGE / 8; i++)
			sums[k] = sums[k] * 31 + pages[i];
		dawdle();
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
		dawdle();
		for (size_t k = 0; k < 4 * PAGE; k++)
			MUST(p[k] == 0x5a);
		MUST(munmap(p, 4 * PAGE) == 0);
	}
	return arg;
}

static void
memory(void)
{
	pthread_t t[5];
	pid_t kids[4];

	/* Below all stacks, so that fork comes here first and does not stop who writes by its stack. */
	pages = mmap((void *)0x10000000, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(pages != MAP_FAILED);
	for (size_t i = 0; i < PAGES; i++)
		pages[i * PAGE / 8] = 0;
	for (intptr_t i = 0; i < 2; i++)
		t[i] = must_thread(writer, (void *)(i + 1));
	for (intptr_t i = 2; i < 4; i++)
		t[i] = must_thread(mapper, (void *)i);
	t[4] = must_thread(scatterer, (void *)(intptr_t)3);
	for (int i = 0; i < 4; i++) {
		while (atomic_load(&passes) < 2 * i + 1)	/* what is shared has been written since */
			nanosleep(&(struct timespec){ 0, 1000 }, NULL);
		kids[i] = must_fork();
		if (kids[i] == 0)
			look_twice();
	}
	for (int i = 0; i < 4; i++)
		must_end(kids[i], 5);
	atomic_store(&stop, true);
	for (int i = 0; i < 5; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(pages[0] == 0);
}

/* --------------------------------------------------------------- remap -- */

static char *window;
static int zeros;

/* Writes to memory that is replaced meanwhile: what was there is nobody else's when the last write has ended. */
static void *
scribbler(void *arg)
{
	while (!atomic_load(&stop)) {
		for (size_t i = 0; i < 4; i++)
			((volatile char *)window)[i * PAGE + 8] = 'x';
		if (random_below(3) == 0)
			MUST(read(zeros, window + PAGE / 2, 3 * PAGE) == 3 * PAGE);
		else
			getppid();
	}
	return arg;
}

static void *
replacer(void *arg)
{
	for (int i = 0; i < 30; i++) {
		MUST(mmap(window, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == window);
		dawdle();
	}
	atomic_store(&stop, true);
	return arg;
}

static void
remap(void)
{
	pthread_t t[4];
	char path[TEMP_BYTES];

	zeros = mkstemp(temp_name(path));
	MUST(zeros >= 0 && unlink(path) == 0 && ftruncate(zeros, 1 << 30) == 0);
	window = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(window != MAP_FAILED);
	for (int i = 0; i < 2; i++)
		t[i] = must_thread(scribbler, NULL);
	t[2] = must_thread(replacer, NULL);
	t[3] = must_thread(mapper, NULL);
	for (int i = 0; i < 4; i++)
		MUST(pthread_join(t[i], NULL) == 0);
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
	char dir[TEMP_BYTES], path[64], other[64];
	int won = 0, status;

	MUST(mkdtemp(temp_name(dir)) != NULL && chdir(dir) == 0);
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

/* -------------------------------------------------------------- layers -- */

/* One to three letters below `top`, drawn. */
static char *
draw_path(const char *top, char *p)
{
	size_t n = (size_t)sprintf(p, "%s", top);

	for (uint64_t depth = 1 + random_below(3); depth > 0; depth--)
		n += (size_t)sprintf(p + n, "/%c", (int)('a' + random_below(3)));
	return p;
}

/* An overlay is used while directories move in its layers: it answers, whatever that is. */
static void
layers(void)
{
	static const char *const tops[] = { "m", "m", "m", "up", "low" };
	char dir[TEMP_BYTES], p[32], q[32];
	struct stat st;
	int status;

	MUST(mkdtemp(temp_name(dir)) != NULL && chdir(dir) == 0);
	MUST(mkdir("low", 0755) == 0 && mkdir("up", 0755) == 0);
	MUST(mkdir("work", 0755) == 0 && mkdir("m", 0755) == 0);
	MUST(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work") == 0);
	for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++) {
		if (must_fork() != 0)
			continue;
		for (int k = 0; k < 60; k++) {
			draw_path(tops[i], p);
			draw_path(tops[i], q);
			switch (random_below(6)) {
			case 0:
			case 1:	mkdir(p, 0755); break;
			case 2:	rmdir(p); break;
			case 3:	rename(p, q); break;
			case 4:	syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, 2); break;
			default: stat(p, &st); break;
			}
		}
		_exit(0);
	}
	for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++)
		MUST(wait(&status) > 0 && status == 0);
	MUST(umount("m") == 0 && chdir("/") == 0);
}

/* ---------------------------------------------------------------- exec -- */

static atomic_int rounds;

static void *
keep_busy(void *arg)
{
	for (;; atomic_fetch_add(&rounds, 1)) {
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		MUST(p != MAP_FAILED);
		*p = 1;
		MUST(munmap(p, PAGE) == 0);
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
			for (int enough = (int)random_below(30); atomic_load(&rounds) < enough;)
				nanosleep(&(struct timespec){ 0, 1000 }, NULL);
			if (k % 2 == 0)
				_exit(17);
			execl(self, self, "seventeen", (char *)NULL);
			_exit(98);
		}
		must_end(pid, 17);
	}
}

/* ---------------------------------------------------------------- dirs -- */

/* Three move directories into each other, one removes and makes them; what is left is a tree. */
static void
move_dirs(int me, const int *at)
{
	for (int i = 0; i < 12; i++) {
		char name[4] = { 'n', (char)('0' + (i * 5 + me) % 3), 0 }, path[16];
		int from = at[(i + me) % 4], to = at[(i * 3 + me * 2) % 4];

		if (me < 3) {
			MUST(renameat(from, name, to, name) == 0 || errno == ENOENT || errno == EINVAL || errno == ENOTEMPTY);
			continue;
		}
		MUST(getcwd(path, sizeof path) != NULL || errno == ENOENT || errno == ERANGE);
		MUST(mkdirat(from, "m", 0700) == 0 || errno == EEXIST || errno == ENOENT);
		MUST(unlinkat(from, "m", AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY);
	}
}

static int
count_dirs(int fd)
{
	struct stat st;
	int n = 0;

	MUST(fstat(fd, &st) == 0);
	for (char c = '0'; c < '3'; c++) {
		int sub = openat(fd, (char[]){ 'n', c, 0 }, O_RDONLY | O_DIRECTORY);

		if (sub < 0)
			continue;
		n++;
		st.st_nlink--;
		n += count_dirs(sub);
		MUST(unlinkat(fd, (char[]){ 'n', c, 0 }, AT_REMOVEDIR) == 0);
	}
	MUST(st.st_nlink == 2);
	close(fd);
	return n;
}

static void
dirs(void)
{
	char dir[TEMP_BYTES];
	int at[4], fd, status;

	MUST(mkdtemp(temp_name(dir)) != NULL && chdir(dir) == 0);
	for (int i = 0; i < 4; i++) {
		char name[4] = { 'n', (char)('0' + i), 0 };

		MUST(i == 3 || mkdir(name, 0700) == 0);
		MUST((at[i] = open(i == 3 ? "." : name, O_RDONLY | O_DIRECTORY)) >= 0);
	}
	MUST((fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0600)) >= 0);
	for (int k = 0; k < 4; k++)
		if (must_fork() == 0) {
			int own = open("log", O_WRONLY | (k % 2 == 0 ? O_APPEND : 0));

			MUST(own >= 0 && write(k % 2 == 0 ? own : fd, (char[10]){ 0 }, 10) == 10);
			MUST(fchdir(at[k % 3]) == 0);
			move_dirs(k, at);
			_exit(0);
		}
	for (int k = 0; k < 4; k++)
		MUST(wait(&status) > 0 && status == 0);
	MUST(lseek(fd, 0, SEEK_END) == 40 && unlink("log") == 0);
	MUST(count_dirs(dup(at[3])) == 3);
	MUST(chdir("/") == 0 && rmdir(dir) == 0);
}

/* ----------------------------------------------------------------- fds -- */

static atomic_int lock_fd = -1, closes;

static void
close_taken(void)
{
	int fd = atomic_exchange(&lock_fd, -1);

	if (fd < 0)
		return;
	close(fd);
	atomic_fetch_add(&closes, 1);
}

static void *
use_fds(void *arg)
{
	int me = (int)(intptr_t)arg;
	struct stat st;

	for (int i = 0; i < 10; i++) {
		int fd, p[2];

		if (me == 0) {			/* always open, whatever is put there */
			MUST(fstat(60, &st) == 0);
			MUST(dup2(i % 2, 60) == 60);
		} else if (me == 1) {		/* a lock on a descriptor that another closes */
			struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

			MUST((fd = open(self, O_RDWR)) >= 0);
			atomic_store(&lock_fd, fd);
			MUST(fcntl(fd, F_SETLK, &l) == 0 || errno == EBADF);
			while (atomic_load(&closes) <= i) {
				close_taken();
				sched_yield();
			}
			MUST((fd = open(self, O_RDWR)) >= 0);
			l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
			MUST(fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type == F_UNLCK);
			close(fd);
		} else {
			close_taken();
			MUST(fstat(60, &st) == 0);
			MUST(pipe(p) == 0 && write(p[1], "x", 1) == 1 && read(p[0], &(char){ 0 }, 1) == 1);
			MUST(close(p[i % 2]) == 0 && close(p[!(i % 2)]) == 0);
		}
	}
	return NULL;
}

/* Threads at one table, and children that get a copy in the middle of it. */
static void
fds(void)
{
	char copy[TEMP_BYTES];
	pthread_t t[3];
	pid_t kid;
	int fd = mkstemp(temp_name(copy));

	MUST(fd >= 0);
	close(fd);
	self = copy;
	MUST(dup2(1, 60) == 60);
	for (intptr_t i = 0; i < 3; i++)
		t[i] = must_thread(use_fds, (void *)i);
	kid = must_fork();
	if (kid == 0) {
		struct stat st;

		for (fd = 0; fd < 61; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				MUST(fstat(fd, &st) == 0);
		_exit(6);
	}
	must_end(kid, 6);
	for (int i = 0; i < 3; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	unlink(copy);
}

/* ------------------------------------------------------------- watches -- */

static int watched[2], watch_set;

static void *
close_one(void *arg)
{
	MUST(close(arg != NULL ? watched[0] : watch_set) == 0);
	return NULL;
}

/* A file and the set that watches it end at once; a token goes round through sets. */
static void
watches(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	pthread_t t[2];
	int ring[3];

	for (int i = 0; i < 6; i++) {
		MUST((watched[0] = eventfd(0, 0)) >= 0 && (watch_set = epoll_create1(0)) >= 0);
		MUST(epoll_ctl(watch_set, EPOLL_CTL_ADD, watched[0], &ev) == 0);
		for (intptr_t k = 0; k < 2; k++)
			t[k] = must_thread(close_one, (void *)k);
		for (int k = 0; k < 2; k++)
			MUST(pthread_join(t[k], NULL) == 0);
	}
	for (int i = 0; i < 3; i++)
		MUST((ring[i] = eventfd(0, 0)) >= 0);
	for (int i = 0; i < 3; i++)
		if (must_fork() == 0) {
			uint64_t v = 1;
			int set = epoll_create1(0);

			ev.events = EPOLLIN | (i == 0 ? (uint32_t)EPOLLET : 0);
			MUST(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ring[i], &ev) == 0);
			for (int k = 0; k < 8; k++) {
				MUST(epoll_wait(set, &ev, 1, -1) == 1);
				MUST(read(ring[i], &v, sizeof v) == sizeof v && v == 1);
				MUST(write(ring[(i + 1) % 3], &v, sizeof v) == sizeof v);
			}
			_exit(0);
		}
	MUST(write(ring[0], &(uint64_t){ 1 }, 8) == 8);
	for (int i = 0; i < 3; i++) {
		int status;

		MUST(wait(&status) > 0 && status == 0);
	}
}

/* -------------------------------------------------------------- events -- */

static int event_fd;

/* One thread sets and reads a timer that another sets, too. */
static void *
set_timer(void *arg)
{
	struct itimerspec it = { { 0, 1000 }, { 0, 1 } };
	uint64_t n;

	for (int i = 0; i < 8; i++) {
		MUST(timerfd_settime(event_fd, 0, &it, NULL) == 0);
		dawdle();
		MUST(arg == NULL || read(event_fd, &n, sizeof n) == sizeof n || errno == EAGAIN);
	}
	return NULL;
}

static void *
close_event(void *arg)
{
	(void)arg;
	dawdle();
	MUST(close(event_fd) == 0);
	return NULL;
}

/* Signals from two processes, each read once; what waits for them is woken. */
static void
events(void)
{
	int seen = 0, set = epoll_create1(0), fd;
	struct epoll_event ev = { .events = EPOLLIN };
	struct signalfd_siginfo si;
	pid_t me = getpid(), kids[2];
	sigset_t s;
	pthread_t t[3];

	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	MUST(sigprocmask(SIG_BLOCK, &s, NULL) == 0 && (fd = signalfd(-1, &s, SFD_NONBLOCK)) >= 0);
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) == 0);
	for (int i = 0; i < 2; i++)
		if ((kids[i] = must_fork()) == 0) {
			for (int k = 0; k < 8; k++) {
				dawdle();
				MUST(sigqueue(me, SIGRTMIN, (union sigval){ .sival_int = 1 }) == 0);
			}
			_exit(0);
		}
	while (seen < 16) {
		MUST(epoll_wait(set, &ev, 1, -1) == 1);
		while (read(fd, &si, sizeof si) == sizeof si)
			seen += si.ssi_int;
		MUST(errno == EAGAIN);
	}
	for (int i = 0; i < 2; i++)
		must_end(kids[i], 0);
	MUST((event_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) >= 0);
	for (intptr_t i = 0; i < 2; i++)
		t[i] = must_thread(set_timer, (void *)i);
	for (int i = 0; i < 2; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	t[2] = must_thread(close_event, NULL);
	MUST(pthread_join(t[2], NULL) == 0);
	close(set), close(fd);
}

/* ------------------------------------------------------------- splices -- */

/* Bytes on their way from one pipe to another, taken by two and copied by a third: none is lost, none comes twice. */
static void
splices(void)
{
	enum { WRITES = 24, BYTES = 3000 };
	int a[2], b[2], c[2];
	char buf[5000];
	long all = 0;
	ssize_t n = 0;
	pid_t kid[4];

	MUST(pipe(a) == 0 && pipe(b) == 0 && pipe2(c, O_NONBLOCK) == 0);
	MUST(fcntl(a[0], F_SETPIPE_SZ, 8192) == 8192 && fcntl(b[0], F_SETPIPE_SZ, 8192) == 8192);
	memset(buf, 'x', sizeof buf);
	for (int i = 0; i < 4; i++)
		if ((kid[i] = must_fork()) == 0) {
			close(b[0]);
			close(i < 2 ? b[1] : a[1]);
			for (int k = 0; i == 0 && k < WRITES; k++)
				MUST(write(a[1], buf, BYTES) == BYTES);
			for (int k = 0; i == 1 && k < WRITES; k++)
				MUST(vmsplice(a[1], &(struct iovec){ buf, BYTES }, 1, 0) > 0);
			while (i == 2 && (n = splice(a[0], NULL, b[1], NULL, 1 + random_below(5000), 0)) > 0)
				dawdle();
			while (i == 3 && (n = read(a[0], buf, sizeof buf)) > 0) {
				(void)!tee(a[0], c[1], 1000, SPLICE_F_NONBLOCK);
				MUST(write(b[1], buf, (size_t)n) == n);
			}
			_exit(i >= 2 && n != 0);
		}
	close(a[0]), close(a[1]), close(b[1]);
	while ((n = read(b[0], buf, sizeof buf)) > 0) {
		for (ssize_t k = 0; k < n; k++)
			MUST(buf[k] == 'x');
		all += n;
	}
	for (int i = 0; i < 4; i++)
		must_end(kid[i], 0);
	MUST(all > WRITES * BYTES && all <= 2 * WRITES * BYTES);
	close(b[0]), close(c[0]), close(c[1]);
}

/* ------------------------------------------------------------- lookers -- */

static void
look_at(int pid, bool *over)
{
	static const char *const what[] = { "stat", "maps", "fd", "cwd", "status", "fdinfo/1" };
	char path[64], buf[512];
	int gone = 0;

	*over = false;
	for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
		int fd;

		snprintf(path, sizeof path, "/proc/%d/%s", pid, what[i]);
		fd = open(path, O_RDONLY);
		if (fd < 0 || (read(fd, buf, sizeof buf) < 0 && errno != EISDIR)) {
			MUST(errno == ENOENT || errno == ESRCH || errno == EACCES);
			gone++;
		}
		close(fd);
	}
	*over = gone == (int)(sizeof what / sizeof what[0]);
}

/* A child opens a terminal, takes it as its own, execs and ends, while others look and its master closes. */
static void
lookers(void)
{
	for (int k = 0; k < 3; k++) {
		int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), n = -1, p[2], status;
		char name[32], c;
		pid_t pid, looker;

		MUST(master >= 0 && ioctl(master, TIOCSPTLCK, &(int){ 0 }) == 0 && ioctl(master, TIOCGPTN, &n) == 0);
		snprintf(name, sizeof name, "/dev/pts/%d", n);
		MUST(pipe(p) == 0);
		pid = must_fork();
		if (pid == 0) {
			int fd;

			close(p[0]);
			close(master);
			signal(SIGHUP, SIG_IGN);
			setsid();
			fd = open(name, O_RDWR);
			MUST(fd >= 0 || errno == EIO || errno == ENOENT || errno == ENXIO);
			if (fd >= 0)
				while (read(fd, &c, 1) > 0)
					;
			execl(self, self, "seventeen", (char *)NULL);
			_exit(98);
		}
		looker = must_fork();
		if (looker == 0) {
			bool over = false;

			close(p[1]);
			for (int i = 0; i < 6 && !over; i++)
				look_at(pid, &over);
			_exit(0);
		}
		close(p[1]);
		close(master);
		MUST(read(p[0], &c, 1) == 0);		/* the end comes although somebody looks */
		close(p[0]);
		for (int i = 0; i < 2; i++)
			MUST(wait(&status) > 0 && WIFEXITED(status) && (WEXITSTATUS(status) == 17 || WEXITSTATUS(status) == 0));
	}
}

/* --------------------------------------------------------------- locks -- */

static int
lock(int fd, short type, off_t at)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (fcntl(fd, F_SETLKW, &l) == 0)
		return 0;
	MUST(errno == EDEADLK);
	return 1;
}

/* Byte 0 is mine and byte 1 the child's.  `honest`: I let go before I want the other's. */
static int
cross(int fd, bool honest)
{
	int p[2], refused = 0, status;
	pid_t kid;

	MUST(pipe(p) == 0 && lock(fd, F_WRLCK, 0) == 0);
	kid = must_fork();
	if (kid == 0) {
		MUST(lock(fd, F_WRLCK, 1) == 0 && write(p[1], "x", 1) == 1);
		_exit(lock(fd, F_WRLCK, 0));
	}
	MUST(read(p[0], &(char){ 0 }, 1) == 1);
	if (honest)
		MUST(lock(fd, F_UNLCK, 0) == 0);
	refused = lock(fd, F_WRLCK, 1);
	MUST(lock(fd, F_UNLCK, 0) == 0 && lock(fd, F_UNLCK, 1) == 0);
	MUST(waitpid(kid, &status, 0) == kid && WIFEXITED(status));
	close(p[0]);
	close(p[1]);
	return refused + WEXITSTATUS(status);
}

/* Who would wait for himself is refused, nobody else is. */
static void
locks(void)
{
	char name[TEMP_BYTES];
	int fd = mkstemp(temp_name(name));

	MUST(fd >= 0);
	for (int i = 0; i < 3; i++) {
		MUST(cross(fd, true) == 0);
		MUST(cross(fd, false) == 1);
	}
	unlink(name);
}

/* ---------------------------------------------------------------- sysv -- */

enum { SYSV_TURNS = 6 };

/* One of those that share a counter under a semaphore; killed anywhere, it gives the semaphore back. */
static void
sysv_worker(int me, int sem, int shm, int msg)
{
	struct sembuf enter = { 0, -1, SEM_UNDO }, leave = { 0, 1, SEM_UNDO };
	struct { long type; int turn; } m = { me + 1, 0 };
	int *inside = shmat(shm, NULL, 0);

	MUST(inside != (void *)-1);
	for (; m.turn < SYSV_TURNS; m.turn++) {
		MUST(semop(sem, &enter, 1) == 0);
		MUST(inside[0]++ == 0);
		dawdle();
		inside[0] = 0;
		MUST(semop(sem, &leave, 1) == 0);
		MUST(msgsnd(msg, &m, sizeof m.turn, 0) == 0);
	}
	MUST(shmdt(inside) == 0);
}

/* Each worker's messages arrive in order. */
static void
sysv_reader(int msg, int workers)
{
	struct { long type; int turn; } m;
	int next[4] = { 0 };

	for (int i = 0; i < workers * SYSV_TURNS; i++) {
		MUST(msgrcv(msg, &m, sizeof m.turn, i % 2 == 0 ? 0 : -workers, 0) == sizeof m.turn);
		MUST(m.turn == next[m.type - 1]++);
		dawdle();
	}
}

/* Everything goes at once under those who wait for it or have it mapped. */
static void
sysv_removal(void)
{
	int sem = semget(0x5e, 2, IPC_CREAT | 0600), msg = msgget(0x5e, IPC_CREAT | 0600);
	int shm = shmget(0x5e, 3 * PAGE, IPC_CREAT | 0600);
	pid_t pid[3];

	MUST(sem >= 0 && msg >= 0 && shm >= 0);
	for (int i = 0; i < 3; i++) {
		pid[i] = must_fork();
		if (pid[i] != 0)
			continue;
		struct sembuf two[2] = { { 1, 1, SEM_UNDO }, { 0, (short)(-1 - i), SEM_UNDO } };
		struct { long type; int turn; } m;
		char *p = shmat(shm, NULL, 0);

		if (p != (void *)-1)
			p[i * (int)PAGE] = 1;
		dawdle();
		if (i < 2)
			MUST(semop(sem, two, 2) == -1 && (errno == EIDRM || errno == EINVAL));
		else
			MUST(msgrcv(msg, &m, sizeof m.turn, 0, 0) == -1 && (errno == EIDRM ||
			    errno == EINVAL));
		(void)shmget(0x5e, PAGE, IPC_CREAT | 0600);
		_exit(0);
	}
	dawdle();
	MUST(shmctl(shm, IPC_RMID, NULL) == 0);
	dawdle();
	MUST(semctl(sem, 0, IPC_RMID) == 0);
	MUST(msgctl(msg, IPC_RMID, NULL) == 0);
	for (int i = 0; i < 3; i++)
		must_end(pid[i], 0);
	shm = shmget(0x5e, 0, 0);
	MUST(shm >= 0 && shmctl(shm, IPC_RMID, NULL) == 0);
}

static void
sysv(void)
{
	struct sembuf enter = { 0, -1, SEM_UNDO };
	int sem = semget(IPC_PRIVATE, 1, 0600), shm = shmget(IPC_PRIVATE, PAGE, 0600),
	    msg = msgget(IPC_PRIVATE, 0600);
	struct shmid_ds ds;
	pid_t pid[4], victim;
	int status;

	MUST(semctl(sem, 0, SETVAL, 1) == 0);
	for (int i = 0; i < 3; i++) {
		pid[i] = must_fork();
		if (pid[i] == 0) {
			sysv_worker(i, sem, shm, msg);
			_exit(0);
		}
	}
	pid[3] = must_fork();
	if (pid[3] == 0) {
		sysv_reader(msg, 3);
		_exit(0);
	}
	victim = must_fork();
	if (victim == 0)
		for (;;) {
			(void)semop(sem, &enter, 1);
			dawdle();
			enter.sem_op = (short)-enter.sem_op;
		}
	dawdle();
	kill(victim, SIGKILL);
	MUST(waitpid(victim, &status, 0) == victim && WIFSIGNALED(status));
	for (int i = 0; i < 4; i++)
		must_end(pid[i], 0);
	MUST(semctl(sem, 0, GETVAL) == 1 && semctl(sem, 0, GETNCNT) == 0);
	MUST(shmctl(shm, IPC_STAT, &ds) == 0 && ds.shm_nattch == 0);
	MUST(semctl(sem, 0, IPC_RMID) == 0 && shmctl(shm, IPC_RMID, NULL) == 0 && msgctl(msg, IPC_RMID,
	    NULL) == 0);
	sysv_removal();
}

/* ------------------------------------------------------------- sockets -- */

static atomic_int served;
static int listener;

/* One byte, and a descriptor beside it. */
static bool
pass(int s, int fd)
{
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c = { 0 };
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };

	c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
	return sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* The descriptor that came beside a byte; -1: none. */
static int
receive(int s, int flags)
{
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c;
	struct msghdr m = { .msg_iov = &(struct iovec){ &(char){ 0 }, 1 }, .msg_iovlen = 1, .msg_control = &c,
	    .msg_controllen = sizeof c };
	int fd = -1;

	if (recvmsg(s, &m, flags | MSG_DONTWAIT) > 0 && m.msg_controllen > 0) {
		MUST((m.msg_flags & MSG_CTRUNC) == 0 && c.h.cmsg_type == SCM_RIGHTS);
		memcpy(&fd, CMSG_DATA(&c.h), sizeof fd);
	}
	return fd;
}

static socklen_t
socket_name(struct sockaddr_un *un, char what)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)snprintf(un->sun_path + 1, 40, "stress.%c.%d", what, (int)getpgrp()));
}

static int
socket_to(char what, int type)
{
	struct sockaddr_un un;
	socklen_t len = socket_name(&un, what);
	int s = socket(AF_UNIX, type, 0);

	MUST(s >= 0);
	if (connect(s, (struct sockaddr *)&un, len) == 0)
		return s;
	MUST(errno == EAGAIN || errno == ECONNREFUSED);
	close(s);
	return -1;
}

/* Sockets and the pipe's end `end` go through sockets that all share, into themselves and each other. */
static void
mingle(const int *shared, int end)
{
	int fd, pair[2];
	struct stat st;

	for (int i = 0; i < 14; i++) {
		int s = shared[random_below(6)], flags = random_below(3) == 0 ? MSG_PEEK : 0, accepted = -1;

		switch (random_below(6)) {
		case 0:
			pass(s, shared[random_below(6)]);
			break;
		case 1:
			pass(s, end);
			break;
		case 2:
			MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
			MUST(pass(pair[0], end) && pass(pair[0], pair[1]) && pass(pair[1], pair[0]));
			pass(s, pair[0]);
			close(pair[0]);
			close(pair[1]);
			break;
		case 3:
			if ((fd = socket_to('l', SOCK_STREAM | SOCK_NONBLOCK)) >= 0) {
				pass(fd, random_below(2) == 0 ? fd : listener);
				pass(fd, end);
				close(fd);
			}
			break;
		case 4:
			if ((accepted = accept(listener, NULL, NULL)) >= 0)
				s = accepted;
			/* fallthrough */
		default:
			if ((fd = receive(s, flags)) >= 0) {
				MUST(fstat(fd, &st) == 0);
				pass(s, fd);
				close(fd);
			}
			if (accepted >= 0)
				close(accepted);
		}
		dawdle();
	}
}

static bool
is_linux(void)
{
	struct utsname u;

	return uname(&u) == 0 && strstr(u.release, "damselfly") == NULL;
}

/* When all have let go, what is still in messages to nobody goes too: the pipe comes to its end. */
static void
knots(void)
{
	struct sockaddr_un un;
	socklen_t len = socket_name(&un, 'l');
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET };
	int shared[6], end[2], status;
	struct pollfd pf;

	MUST((listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	MUST(bind(listener, (struct sockaddr *)&un, len) == 0 && listen(listener, 2) == 0);
	for (int i = 0; i < 6; i += 2)
		MUST(socketpair(AF_UNIX, types[i / 2], 0, shared + i) == 0);
	MUST(pipe(end) == 0);
	for (int k = 0; k < 3; k++)
		if (must_fork() == 0) {
			close(end[0]);
			mingle(shared, end[1]);
			_exit(0);
		}
	close(end[1]);
	close(listener);
	for (int i = 0; i < 6; i++)
		close(shared[i]);
	for (int k = 0; k < 3; k++)
		MUST(wait(&status) > 0 && status == 0);
	pf = (struct pollfd){ end[0], POLLIN, 0 };
	for (int i = 0; i < 100 && pf.revents == 0; i++) {
		close(socket(AF_UNIX, SOCK_DGRAM, 0));
		MUST(poll(&pf, 1, 100) >= 0);
	}
	/* Linux collects when it finds the time, and has been seen not to in ten seconds. */
	MUST((pf.revents & POLLHUP) != 0 || is_linux());
	close(end[0]);
}

static void *
server(void *arg)
{
	char buf[300];
	ssize_t n;
	int c;

	while ((c = accept(listener, NULL, NULL)) >= 0) {
		while ((n = read(c, buf, sizeof buf)) > 0)
			if (write(c, buf, (size_t)n) != n) {
				MUST(errno == EPIPE || errno == ECONNRESET);
				break;
			}
		MUST(n >= 0 || errno == ECONNRESET);
		close(c);
		atomic_fetch_add(&served, 1);
	}
	MUST(errno == EINVAL);
	return arg;
}

static void
client(int k)
{
	char out[500], in[500];
	size_t at = 0, part;
	ssize_t n;
	int s = socket_to('s', SOCK_STREAM);

	MUST(s >= 0);
	memset(out, 'a' + k, sizeof out);
	while (at < sizeof out) {
		part = 1 + random_below(300);
		n = write(s, out + at, part < sizeof out - at ? part : sizeof out - at);
		MUST(n > 0);
		at += (size_t)n;
		dawdle();
	}
	if (random_below(2) == 0) {		/* else leaves without a word */
		MUST(shutdown(s, SHUT_WR) == 0);
		MUST(recv(s, in, sizeof in, MSG_WAITALL) == sizeof in && memcmp(in, out, sizeof in) == 0);
		MUST(read(s, in, 1) == 0);
	}
	close(s);
}

/* Clients find a server whose backlog is full; its two threads serve each of them once. */
static void
clients(void)
{
	struct sockaddr_un un;
	socklen_t len = socket_name(&un, 's');
	pthread_t t[2];
	int status;

	atomic_store(&served, 0);
	MUST((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
	MUST(bind(listener, (struct sockaddr *)&un, len) == 0 && listen(listener, 0) == 0);
	for (int k = 0; k < 4; k++)
		if (must_fork() == 0) {
			client(k);
			_exit(0);
		}
	for (int k = 0; k < 2; k++)
		t[k] = must_thread(server, NULL);
	for (int k = 0; k < 4; k++)
		MUST(wait(&status) > 0 && status == 0);
	MUST(shutdown(listener, SHUT_RDWR) == 0);
	for (int k = 0; k < 2; k++)
		MUST(pthread_join(t[k], NULL) == 0);
	while (accept4(listener, NULL, NULL, SOCK_NONBLOCK) >= 0)
		atomic_fetch_add(&served, 1);
	MUST(atomic_load(&served) == 4);
	close(listener);
}

/* Two who wait for room in a third one's queue: one in the call, one in poll. */
static void
letters(void)
{
	struct sockaddr_un un;
	socklen_t len = socket_name(&un, 'd');
	int d = socket(AF_UNIX, SOCK_DGRAM, 0), status, last[2] = { 0, 0 };
	char m[2];

	MUST(d >= 0 && bind(d, (struct sockaddr *)&un, len) == 0);
	for (int k = 0; k < 2; k++)
		if (must_fork() == 0) {
			int s = socket_to('d', SOCK_DGRAM | (k == 1 ? SOCK_NONBLOCK : 0));
			struct pollfd pf = { s, POLLOUT, 0 };

			for (char i = 1; i <= 20; i++)
				while (send(s, (char[2]){ (char)k, i }, 2, 0) != 2)
					MUST(errno == EAGAIN && poll(&pf, 1, -1) == 1);
			_exit(0);
		}
	for (int i = 0; i < 40; i++) {
		MUST(recv(d, m, 2, 0) == 2 && (m[0] == 0 || m[0] == 1));
		MUST(m[1] == ++last[(int)m[0]]);
		dawdle();
	}
	for (int k = 0; k < 2; k++)
		MUST(wait(&status) > 0 && status == 0);
	close(d);
}

static void
sockets(void)
{
	signal(SIGPIPE, SIG_IGN);
	MUST(setpgid(0, 0) == 0);
	letters();
	clients();
	knots();
}

/* ------------------------------------------------------------- inotify -- */

enum { IN_FILES = 12, IN_MAKERS = 2, IN_WATCHES = 40 };
static int in_fd;
static atomic_int in_left;

/* The next event; false: there is none, and everybody has ended. */
static bool
in_next(struct inotify_event *e, char name[64])
{
	static _Alignas(8) char buf[4096];
	static ssize_t have, at;
	struct pollfd pf = { .fd = in_fd, .events = POLLIN };

	if (at == have) {
		bool last = in_left == 0;

		if (poll(&pf, 1, last ? 0 : 10) == 0)
			return !last && in_next(e, name);
		MUST((have = read(in_fd, buf, sizeof buf)) > 0);
		at = 0;
	}
	memcpy(e, buf + at, sizeof *e);
	MUST(e->len < 64);
	memcpy(name, buf + at + sizeof *e, e->len);
	at += (ssize_t)(sizeof *e + e->len);
	return true;
}

static void *
in_maker(void *arg)
{
	char from[32], to[32];

	for (int i = 0; i < IN_FILES; i++) {
		snprintf(from, sizeof from, "w/%ld.%d", (long)(intptr_t)arg, i);
		snprintf(to, sizeof to, "w/%ld.%dx", (long)(intptr_t)arg, i);
		MUST(close(open(from, O_CREAT | O_WRONLY, 0600)) == 0);
		dawdle();
		MUST(rename(from, to) == 0);
		dawdle();
		MUST(unlink(to) == 0);
	}
	in_left--;
	return NULL;
}

/* Who watches a directory sees each file come, move and go, in that order. */
static void
in_directory(void)
{
	int stage[IN_MAKERS][IN_FILES] = { 0 };
	struct inotify_event e;
	pthread_t t[IN_MAKERS];
	uint32_t cookie[IN_MAKERS] = { 0 };
	char name[64];

	MUST(mkdir("w", 0700) == 0 && (in_fd = inotify_init()) >= 0);
	MUST(inotify_add_watch(in_fd, "w", IN_CREATE | IN_MOVE | IN_DELETE) == 1);
	in_left = IN_MAKERS;
	for (intptr_t i = 0; i < IN_MAKERS; i++)
		t[i] = must_thread(in_maker, (void *)i);
	while (in_next(&e, name)) {
		int who = name[0] - '0', which = atoi(name + 2);

		MUST(who >= 0 && who < IN_MAKERS && which >= 0 && which < IN_FILES);
		switch (e.mask) {
		case IN_CREATE:
			MUST(stage[who][which] == 0);
			break;
		case IN_MOVED_FROM:
			MUST(stage[who][which] == 1 && e.cookie != 0);
			cookie[who] = e.cookie;
			break;
		case IN_MOVED_TO:
			MUST(stage[who][which] == 2 && e.cookie == cookie[who]);
			break;
		default:
			MUST(e.mask == IN_DELETE && stage[who][which] == 3);
		}
		stage[who][which]++;
	}
	for (int i = 0; i < IN_MAKERS; i++)
		for (int k = 0; k < IN_FILES; k++)
			MUST(stage[i][k] == 4);
	for (int i = 0; i < IN_MAKERS; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	MUST(close(in_fd) == 0 && rmdir("w") == 0);
}

static atomic_int in_wds;		/* no watch has a number above it */

static void *
in_watcher(void *arg)
{
	for (int i = 0; i < IN_WATCHES; i++) {
		uint32_t once = i % 3 == 0 ? IN_ONESHOT : 0;
		int wd = inotify_add_watch(in_fd, "f", IN_OPEN | IN_MODIFY | once), top = in_wds;

		MUST(wd > 0 || errno == ENOENT);
		while (wd > top && !atomic_compare_exchange_weak(&in_wds, &top, wd))
			;
		dawdle();
		MUST(wd < 0 || i % 2 == 0 || inotify_rm_watch(in_fd, wd) == 0 || errno == EINVAL);
	}
	in_left--;
	return arg;
}

static void *
in_coming_and_going(void *arg)
{
	for (int i = 0; i < IN_WATCHES; i++) {
		int fd = open("f", O_CREAT | O_WRONLY, 0600);

		MUST(fd >= 0 && write(fd, "x", 1) == 1);
		dawdle();
		MUST((i % 2 == 0 ? unlink("f") : rename("f", "g")) == 0);
		dawdle();
		close(fd);
	}
	MUST(unlink("g") == 0 || errno == ENOENT);
	in_left--;
	return arg;
}

/* Whichever way a watch ends, its end is told once, and nothing after it. */
static void
in_endings(void)
{
	bool ended[4 * IN_WATCHES] = { false };
	struct inotify_event e;
	pthread_t t[3];
	char name[64];

	MUST((in_fd = inotify_init()) >= 0);
	in_left = 3;
	in_wds = 0;
	t[0] = must_thread(in_coming_and_going, NULL);
	t[1] = must_thread(in_watcher, NULL);
	t[2] = must_thread(in_watcher, NULL);
	while (in_next(&e, name)) {
		MUST(e.wd > 0 && e.wd < 4 * IN_WATCHES);
		/* Linux has been seen to tell of something else after it. */
		MUST(!ended[e.wd] || (e.mask != IN_IGNORED && is_linux()));
		ended[e.wd] |= e.mask == IN_IGNORED;
	}
	for (int i = 0; i < 3; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	for (int i = 1; i <= in_wds; i++)
		MUST(ended[i]);
	MUST(close(in_fd) == 0);
}

/* An instance is closed in the middle of it all. */
static void
in_closing(void)
{
	pthread_t t[2];

	for (int i = 0; i < 4; i++) {
		in_left = 1;
		t[0] = must_thread(in_coming_and_going, NULL);
		while (in_left > 0) {
			MUST((in_fd = inotify_init1(IN_NONBLOCK)) >= 0);
			MUST(inotify_add_watch(in_fd, ".", IN_ALL_EVENTS) == 1);
			(void)inotify_add_watch(in_fd, "f", IN_ALL_EVENTS);
			dawdle();
			MUST(close(in_fd) == 0);
		}
		MUST(pthread_join(t[0], NULL) == 0);
	}
}

static void
inotify(void)
{
	in_directory();
	in_endings();
	in_closing();
}

/* ------------------------------------------------------------- mqueues -- */

enum { MQ_TURNS = 12, MQ_SENDERS = 3, MQ_RECEIVERS = 2 };
struct mq_note { int from, turn; };

static mqd_t
mq_must(int flags)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = sizeof(struct mq_note) };
	mqd_t q = mq_open("/stress", flags | O_RDWR, 0600, &a);

	MUST(q >= 0);
	return q;
}

static void
mq_sender(int me)
{
	mqd_t q = mq_must(0);

	for (int i = 0; i < MQ_TURNS; i++) {
		struct mq_note n = { me, i };

		dawdle();
		MUST(mq_send(q, (char *)&n, sizeof n, 7) == 0);
	}
}

/* Counts in `got`, shared by all: each note comes once, and those of one sender in order. */
static void
mq_receiver(atomic_int *got, int n)
{
	int last[MQ_SENDERS] = { -1, -1, -1 };
	mqd_t q = mq_must(0);
	struct mq_note note;
	unsigned prio;

	for (int i = 0; i < n; i++) {
		MUST(mq_receive(q, (char *)&note, sizeof note, &prio) == sizeof note && prio == 7);
		MUST(note.turn > last[note.from]);
		last[note.from] = note.turn;
		MUST(atomic_fetch_add(&got[note.from * MQ_TURNS + note.turn], 1) == 0);
		dawdle();
	}
}

static void
mq_nothing(int sig)
{
	(void)sig;
}

/* Who waits is interrupted, killed, or times out, and leaves the line as it was. */
static void
mq_leaving(void)
{
	struct sigaction sa = { .sa_handler = mq_nothing };
	struct mq_note n = { 0, 0 };
	mqd_t q = mq_must(0);
	pid_t kid[4];
	int status;

	MUST(sigaction(SIGUSR1, &sa, NULL) == 0);
	for (int i = 0; i < 4; i++)
		if ((kid[i] = must_fork()) == 0) {
			struct timespec ts;

			clock_gettime(CLOCK_REALTIME, &ts);
			ts.tv_sec++;
			for (;;) {
				dawdle();
				if (i % 2 == 0 ? mq_receive(q, (char *)&n, sizeof n, NULL) < 0 :
				    mq_timedsend(q, (char *)&n, sizeof n, 1, &ts) != 0)
					MUST(errno == EINTR || (i % 2 != 0 && errno == ETIMEDOUT));
			}
		}
	for (int i = 0; i < 20; i++) {
		dawdle();
		kill(kid[i % 4], SIGUSR1);
	}
	for (int i = 0; i < 4; i++) {
		kill(kid[i], SIGKILL);
		MUST(waitpid(kid[i], &status, 0) == kid[i] && WIFSIGNALED(status));
		dawdle();
	}
	MUST(fcntl(q, F_SETFL, O_NONBLOCK) == 0);
	while (mq_receive(q, (char *)&n, sizeof n, NULL) >= 0)
		;
	MUST(errno == EAGAIN);
	for (int i = 0; i < 2; i++)
		MUST(mq_send(q, (char *)&n, sizeof n, 1) == 0);
	MUST(mq_send(q, (char *)&n, sizeof n, 1) == -1 && errno == EAGAIN);
	for (int i = 0; i < 2; i++)
		MUST(mq_receive(q, (char *)&n, sizeof n, NULL) == sizeof n);
	MUST(mq_receive(q, (char *)&n, sizeof n, NULL) == -1 && errno == EAGAIN);
	mq_close(q);
}

/* A name comes and goes, and somebody asks to be told, while it is opened and sent to. */
static void
mq_names(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct mq_note n = { 0, 0 };
	pid_t kid[3];

	for (int i = 0; i < 3; i++)
		if ((kid[i] = must_fork()) == 0) {
			for (int k = 0; k < MQ_TURNS; k++) {
				mqd_t q = mq_must(O_CREAT | O_NONBLOCK);

				dawdle();
				MUST(mq_notify(q, &ev) == 0 || errno == EBUSY);
				MUST(mq_send(q, (char *)&n, sizeof n, 1) == 0 || errno == EAGAIN);
				MUST(mq_unlink("/stress") == 0 || errno == ENOENT);
				mq_close(q);
			}
			_exit(0);
		}
	for (int i = 0; i < 3; i++)
		must_end(kid[i], 0);
}

static void
mqueues(void)
{
	atomic_int *got = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t kid[MQ_SENDERS + MQ_RECEIVERS];

	MUST(got != MAP_FAILED && (mq_unlink("/stress") == 0 || errno == ENOENT));
	mq_close(mq_must(O_CREAT | O_EXCL));
	for (int i = 0; i < MQ_SENDERS + MQ_RECEIVERS; i++)
		if ((kid[i] = must_fork()) == 0) {
			if (i < MQ_SENDERS)
				mq_sender(i);
			else
				mq_receiver(got, MQ_SENDERS * MQ_TURNS / MQ_RECEIVERS);
			_exit(0);
		}
	for (int i = 0; i < MQ_SENDERS + MQ_RECEIVERS; i++)
		must_end(kid[i], 0);
	for (int i = 0; i < MQ_SENDERS * MQ_TURNS; i++)
		MUST(got[i] == 1);
	mq_leaving();
	mq_names();
	MUST(mq_unlink("/stress") == 0 || errno == ENOENT);
}

static const struct {
	const char	*name;
	void		(*run)(void);
} all[] = {
	{ "tree", tree }, { "orphans", orphans }, { "traced", traced }, { "threads", threads },
	{ "requeue", requeue }, { "timers", timers },
	{ "descriptors", descriptors }, { "pipes", pipes }, { "memory", memory }, { "remap", remap },
	{ "signals", signals }, { "names", names }, { "layers", layers }, { "exec", exec },
	{ "dirs", dirs }, { "fds", fds },
	{ "watches", watches }, { "events", events }, { "splices", splices }, { "lookers", lookers }, { "locks", locks },
	{ "sysv", sysv }, { "sockets", sockets }, { "inotify", inotify }, { "mqueues", mqueues },
};

int
main(int argc, char **argv)
{
	bool found = false;

	self = argv[0];
	cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);	/* of musl's: those that this process may use, so now */
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
