/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EINTR and SA_RESTART - which calls go on after a handler and which do not.
 *
 * Each case blocks in one call; a child sends SIGUSR1 when we sleep and, when
 * the handler has run and we sleep again, gives the call what it waits for, so
 * that a restarted call ends.
 */
#include "t.h"
#include <sys/select.h>

static volatile sig_atomic_t *hits;	/* shared with the children */
static bool ignored;
static int p[2];

static void
on_signal(int sig)
{
	(void)sig;
	++*hits;
}

static void
interrupt_parent(void)
{
	t_until_asleep(getppid());
	kill(getppid(), SIGUSR1);
	while (*hits == 0 && !ignored)
		t_sleep_ms(1);
	t_until_asleep(getppid());
}

static pid_t
helper(bool feed)
{
	pid_t pid = fork();

	t_need(pid >= 0, "fork");
	if (pid == 0) {
		interrupt_parent();
		if (feed && write(p[1], "xy", 2) != 2)
			_exit(1);
		_exit(0);
	}
	return pid;
}

static void
drain(pid_t pid)
{
	char buf[16];
	struct pollfd pf = { .fd = p[0], .events = POLLIN };

	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	while (poll(&pf, 1, 0) > 0)
		if (read(p[0], buf, sizeof buf) <= 0)
			break;
	t_say("  handler ran %d", (int)*hits);
	*hits = 0;
}

static void
reads(void)
{
	char buf[4];
	struct iovec v[2] = { { buf, 2 }, { buf + 2, 2 } };
	pid_t h;

	h = helper(true);
	T(read(p[0], buf, 1));
	drain(h);
	h = helper(true);
	T(readv(p[0], v, 2));
	drain(h);
}

static void
polls(void)
{
	struct pollfd pf = { .fd = p[0], .events = POLLIN };
	struct timeval tv = { 5, 0 };
	struct timespec ts = { 5, 0 };
	fd_set set;
	pid_t h;

	h = helper(true);
	T(poll(&pf, 1, 5000));
	drain(h);
	h = helper(true);
	T(ppoll(&pf, 1, &ts, NULL));
	drain(h);
	h = helper(true);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	T(select(p[0] + 1, &set, NULL, NULL, &tv));
	drain(h);
	h = helper(true);
	T(poll(NULL, 0, -1));
	drain(h);
}

static void
sleeps(void)
{
	struct timespec ts = { 9, 0 }, rem = { 99, 99 };
	sigset_t none;
	pid_t h;
	int64_t t0 = t_now_ms();

	h = helper(false);
	T(nanosleep(&ts, &rem));
	t_say("  remaining is less: %d", rem.tv_sec < 9 && rem.tv_nsec > 0);
	drain(h);
	h = helper(false);
	t0 = t_now_ms();
	errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rem);
	t_say("clock_nanosleep: %s", t_errno(errno));
	t_say("  early: %d", t_now_ms() - t0 < 8900);
	drain(h);
	h = helper(false);
	T(pause());
	drain(h);
	h = helper(false);
	sigemptyset(&none);
	T(sigsuspend(&none));
	drain(h);
}

static void
waits(void)
{
	siginfo_t si;
	pid_t slow = fork(), h;

	if (slow == 0) {
		while (*hits == 0)
			t_sleep_ms(1);
		_exit(3);
	}
	h = helper(false);
	T(waitid(P_PID, (id_t)slow, &si, WEXITED) == 0 ? si.si_status : -1);
	drain(h);
	waitpid(slow, NULL, 0);
}

static void
writes(void)
{
	static char big[100000];
	int q[2], n, status;
	pid_t reader;

	t_need(pipe(q) == 0, "pipe");
	reader = fork();
	if (reader == 0) {
		size_t sum = 0;
		ssize_t r;

		close(q[1]);
		interrupt_parent();
		while ((r = read(q[0], big, sizeof big)) > 0)
			sum += (size_t)r;
		t_say("  reader got %zu", sum);
		_exit(0);
	}
	close(q[0]);
	n = (int)write(q[1], big, sizeof big);
	t_say("a big write: %d", n);
	close(q[1]);
	waitpid(reader, &status, 0);
	t_say("  handler ran %d", (int)*hits);
	*hits = 0;
}

static void
fifo_open(void)
{
	pid_t h;
	int fd;

	if (mkfifo("fifo", 0600) < 0 && errno != EEXIST)
		t_say("mkfifo: %s", t_errno(errno));
	h = fork();
	if (h == 0) {
		interrupt_parent();
		fd = open("fifo", O_WRONLY | O_NONBLOCK);
		_exit(0);
	}
	fd = open("fifo", O_RDONLY);
	t_say("open of a fifo: %s", fd < 0 ? t_errno(errno) : "ok");
	if (fd >= 0)
		close(fd);
	drain(h);
}

static void
locks(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct flock look;
	int fd = open("lock", O_CREAT | O_RDWR, 0600);
	pid_t owner;

	owner = fork();
	if (owner == 0) {
		fcntl(fd, F_SETLK, &fl);
		interrupt_parent();
		_exit(0);
	}
	do {				/* awake: the child waits until we sleep */
		look = fl;
		t_need(fcntl(fd, F_GETLK, &look) == 0, "F_GETLK");
	} while (look.l_type == F_UNLCK);
	T(fcntl(fd, F_SETLKW, &fl));
	drain(owner);
	close(fd);
}

int
main(void)
{
	hits = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_need(hits != MAP_FAILED && pipe(p) == 0, "mmap, pipe");
	for (int round = 0; round < 2; round++) {
		t_say("-- %s", round == 0 ? "no SA_RESTART" : "SA_RESTART");
		t_handle(SIGUSR1, on_signal, round == 0 ? 0 : SA_RESTART);
		reads();
		polls();
		sleeps();
		waits();
		writes();
		fifo_open();
		locks();
	}
	/* A signal without a handler never interrupts. */
	t_say("-- ignored");
	signal(SIGUSR1, SIG_IGN);
	ignored = true;
	reads();
	return 0;
}
