/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of one process at its descriptors: each number is given once, dup2
 * replaces without a gap, a lock does not survive the descriptor that another
 * thread closes, a fork in the middle copies a table that makes sense; and
 * epoll sets whose files go away under them.
 */
#include "t.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define THREADS	4

static atomic_bool over;

static void
run(const char *what, void *(*fn)(void *), int n, void *(*alone)(void *))
{
	pthread_t t[THREADS];

	atomic_store(&over, false);
	for (intptr_t i = 0; i < n; i++)
		MUST(pthread_create(&t[i], NULL, fn, (void *)i) == 0);
	if (alone != NULL) {
		alone(NULL);
		atomic_store(&over, true);
	}
	for (int i = 0; i < n; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	t_say("%s: well", what);
}

/* ------------------------------------------------- a number is one thread's -- */

static atomic_int owner[256];

static void
take(int fd, int me)
{
	MUST(fd >= 0 && fd < 256 && atomic_exchange(&owner[fd], me + 1) == 0);
}

static void
give(int fd, int me)
{
	MUST(atomic_exchange(&owner[fd], 0) == me + 1);
	MUST(close(fd) == 0);
}

static void *
churn(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 300; i++) {
		int fd = open("/dev/null", O_RDWR), to, p[2];

		take(fd, me);
		MUST((to = fcntl(fd, F_DUPFD_CLOEXEC, i % 120)) >= 0);
		take(to, me);
		MUST(write(fd, "x", 1) == 1 && fcntl(to, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFD) == 0);
		give(fd, me);
		MUST(pipe(p) == 0);
		take(p[0], me);
		take(p[1], me);
		MUST(write(p[1], "abc", 3) == 3 && read(p[0], (char[4]){ 0 }, 4) == 3);
		give(to, me);
		give(p[1], me);
		MUST(read(p[0], (char[4]){ 0 }, 4) == 0);
		give(p[0], me);
	}
	return NULL;
}

/* What the child got works, whatever the threads were at. */
static void *
fork_often(void *arg)
{
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		MUST(pid >= 0);
		if (pid == 0) {
			struct stat st;

			for (int fd = 0; fd < 256; fd++)
				if (fcntl(fd, F_GETFD) >= 0 && (fstat(fd, &st) != 0 || close(fd) != 0))
					_exit(1);
			_exit(0);
		}
		MUST(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return arg;
}

/* -------------------------------------------------------------------- dup2 -- */

#define AT	100
static int two[2];
static ino_t two_ino[2];

static void *
look_at_it(void *arg)
{
	struct stat st;

	while (!atomic_load(&over))
		MUST(fstat(AT, &st) == 0 && (st.st_ino == two_ino[0] || st.st_ino == two_ino[1]));
	return arg;
}

static void *
replace_it(void *arg)
{
	for (int i = 0; i < 2000; i++)
		MUST(dup2(two[i % 2], AT) == AT);
	return arg;
}

static void
dup2_race(void)
{
	struct stat st;

	t_file("one", "1", 0600);
	t_file("two", "2", 0600);
	for (int i = 0; i < 2; i++) {
		MUST((two[i] = open(i == 0 ? "one" : "two", O_RDONLY)) >= 0 && fstat(two[i], &st) == 0);
		two_ino[i] = st.st_ino;
	}
	MUST(dup2(two[0], AT) == AT);
	run("dup2", look_at_it, 2, replace_it);
	close(AT);
	close(two[0]);
	close(two[1]);
}

/* -------------------------------------------------------- a lock and a close -- */

static atomic_int lock_fd = -1, closes;

static void *
close_it(void *arg)
{
	while (!atomic_load(&over)) {
		int fd = atomic_exchange(&lock_fd, -1);

		if (fd < 0) {
			sched_yield();
			continue;
		}
		close(fd);
		atomic_fetch_add(&closes, 1);
	}
	return arg;
}

static void *
lock_it(void *arg)
{
	struct flock l;

	for (int i = 0; i < 500; i++) {
		int fd = open("one", O_RDWR);

		MUST(fd >= 0);
		atomic_store(&lock_fd, fd);
		l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
		MUST(fcntl(fd, F_SETLK, &l) == 0 || errno == EBADF);
		while (atomic_load(&closes) <= i)
			sched_yield();
		MUST((fd = open("one", O_RDWR)) >= 0);
		l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
		MUST(fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type == F_UNLCK);
		close(fd);
	}
	return arg;
}

/* Who unlocks and then waits for who waited for him does not wait for himself. */
static void
no_deadlock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = open("two", O_RDWR), back[2], status, refused = 0;
	char c;

	MUST(fd >= 0);
	for (int i = 0; i < 20; i++) {
		MUST(pipe(back) == 0);
		l.l_type = F_WRLCK;
		l.l_start = 0;
		MUST(fcntl(fd, F_SETLKW, &l) == 0);
		if (fork() == 0) {
			l.l_start = 1;
			MUST(fcntl(fd, F_SETLKW, &l) == 0 && write(back[1], "x", 1) == 1);
			l.l_start = 0;
			MUST(fcntl(fd, F_SETLKW, &l) == 0);
			_exit(0);
		}
		MUST(read(back[0], &c, 1) == 1);
		if (i % 2 == 0)
			t_sleep_ms(2);		/* most likely the child waits by now */
		l.l_type = F_UNLCK;
		MUST(fcntl(fd, F_SETLK, &l) == 0);
		l.l_type = F_WRLCK;
		l.l_start = 1;
		if (fcntl(fd, F_SETLKW, &l) != 0)
			refused++;
		MUST(wait(&status) > 0 && status == 0);
		l.l_type = F_UNLCK;
		l.l_len = 2;
		l.l_start = 0;
		MUST(fcntl(fd, F_SETLK, &l) == 0);
		l.l_len = 1;
		close(back[0]);
		close(back[1]);
	}
	T(refused);
	close(fd);
}

/* ------------------------------------------------------------------- epoll -- */

static int ep;

static void *
wait_for_events(void *arg)
{
	struct epoll_event ev[4];

	while (!atomic_load(&over)) {
		int n = epoll_wait(ep, ev, 4, 1);

		MUST(n >= 0);
		for (int i = 0; i < n; i++)
			MUST(ev[i].data.u64 >= 1000 && ev[i].data.u64 < 1300);
	}
	return arg;
}

/* Files come and go in the set, from this thread; sets come and go around a file. */
static void *
watch_and_close(void *arg)
{
	for (int i = 0; i < 300; i++) {
		struct epoll_event ev = { .events = EPOLLIN | (i % 2 == 0 ? EPOLLET : 0u), .data.u64 = 1000u + (uint64_t)i };
		int p[2], other = epoll_create1(0);

		MUST(other >= 0 && pipe(p) == 0);
		MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0 && epoll_ctl(other, EPOLL_CTL_ADD, p[0], &ev) == 0);
		MUST(write(p[1], "x", 1) == 1);
		MUST(epoll_wait(other, &ev, 1, -1) == 1);
		if (i % 3 == 0)
			MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], &ev) == 0);
		close(i % 4 == 0 ? other : p[0]);
		close(p[1]);
		close(i % 4 == 0 ? p[0] : other);
	}
	return arg;
}

#define BALLS	1000
static int ball[2];

/* Each waits for its eventfd in an epoll set and then wakes the other: one lost wake-up stops both. */
static void *
play(void *arg)
{
	int me = (int)(intptr_t)arg, set = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN | (me == 0 ? EPOLLET : 0u) };
	uint64_t v = 1;

	MUST(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ball[me], &ev) == 0);
	for (int i = 0; i < BALLS; i++) {
		MUST(epoll_wait(set, &ev, 1, -1) == 1);
		MUST(read(ball[me], &v, sizeof v) == sizeof v && v == 1);
		MUST(write(ball[!me], &v, sizeof v) == sizeof v);
	}
	close(set);
	return NULL;
}

/* Closers of the two files race: one thread has the file, another the set. */
static int both[2][2];
static pthread_barrier_t start;

static void *
close_half(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 1000; i++) {
		if (me == 0) {
			struct epoll_event ev = { .events = EPOLLIN };

			MUST((both[0][0] = eventfd(0, 0)) >= 0 && (both[0][1] = epoll_create1(0)) >= 0);
			MUST(epoll_ctl(both[0][1], EPOLL_CTL_ADD, both[0][0], &ev) == 0);
		}
		pthread_barrier_wait(&start);
		MUST(close(both[0][me]) == 0);
		pthread_barrier_wait(&start);
	}
	return NULL;
}

static void *
close_ends(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 1000; i++) {
		if (me == 0)
			MUST(pipe(both[1]) == 0);
		pthread_barrier_wait(&start);
		MUST(close(both[1][me]) == 0);
		pthread_barrier_wait(&start);
	}
	return NULL;
}

int
main(void)
{
	run("numbers", churn, THREADS, NULL);
	run("fork", churn, THREADS - 1, fork_often);
	dup2_race();
	run("lock", close_it, 1, lock_it);
	no_deadlock();
	T_OK(ep = epoll_create1(0));
	run("epoll", wait_for_events, 2, watch_and_close);
	MUST((ball[0] = eventfd(1, 0)) >= 0 && (ball[1] = eventfd(0, 0)) >= 0);
	run("events", play, 2, NULL);
	MUST(pthread_barrier_init(&start, NULL, 2) == 0);
	run("watched", close_half, 2, NULL);
	run("ends", close_ends, 2, NULL);
	return 0;
}
