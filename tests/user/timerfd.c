/* SPDX-License-Identifier: BSD-2-Clause */
/* timerfd - what is set, what is left, how often it expired. */
#include "t.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define MS	1000000ll

static struct itimerspec
its(int64_t value_ns, int64_t interval_ns)
{
	return (struct itimerspec){ { interval_ns / 1000000000, interval_ns % 1000000000 },
	    { value_ns / 1000000000, value_ns % 1000000000 } };
}

static int
set(int fd, int flags, int64_t value_ns, int64_t interval_ns)
{
	struct itimerspec it = its(value_ns, interval_ns);

	return timerfd_settime(fd, flags, &it, NULL);
}

static int
ready(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, ms) < 0 ? -1 : p.revents;
}

static int64_t
ns(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000ll + ts->tv_nsec;
}

static void
refusals(void)
{
	struct itimerspec it = its(MS, 0);
	char path[64], text[64];
	int fd, p[2];
	uint64_t n;

	t_need(pipe(p) == 0, "pipe");
	T(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	T(timerfd_create(CLOCK_MONOTONIC_RAW, 0));
	T(timerfd_create(CLOCK_TAI, 0));
	T(timerfd_create(-1, 0));
	T(timerfd_create(CLOCK_MONOTONIC, 1));
	fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	T(timerfd_settime(fd, 4, &it, NULL));
	T(timerfd_settime(fd, 0, NULL, NULL));
	T(timerfd_settime(fd, 0, &it, (void *)8));
	T(timerfd_settime(p[0], 0, &it, NULL));
	T(timerfd_settime(999, 0, &it, NULL));
	T(timerfd_settime(999, 4, &it, NULL));
	T(timerfd_gettime(999, &it));
	T(timerfd_gettime(p[0], &it));
	T(timerfd_gettime(fd, NULL));
	it.it_value.tv_nsec = 1000000000;
	T(timerfd_settime(fd, 0, &it, NULL));
	it.it_value.tv_nsec = -1;
	T(timerfd_settime(fd, 0, &it, NULL));
	it = its(MS, 0);
	it.it_interval.tv_sec = -1;
	T(timerfd_settime(fd, 0, &it, NULL));
	T(set(fd, 0, 0, 0));
	T(read(fd, &n, 7));
	T(read(fd, &n, 8));
	T(write(fd, &n, 8));
	T(lseek(fd, 0, SEEK_CUR));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	memset(text, 0, sizeof text);
	T(readlink(path, text, 63));
	t_say("%s", text);
	close(fd), close(p[0]), close(p[1]);
}

static void
once(int clock)
{
	int fd = timerfd_create(clock, 0);
	struct itimerspec old, now;
	uint64_t n = 0;

	t_say("clock %d", clock);
	T(ready(fd, 0));
	T(set(fd, 0, 5 * MS, 0));
	T(read(fd, &n, 8));
	T(n);
	T(timerfd_gettime(fd, &now));
	T(ns(&now.it_value));
	T(set(fd, 0, 1000000 * MS, 3000 * MS));
	T(timerfd_gettime(fd, &now));
	T(ns(&now.it_value) > 900000 * MS && ns(&now.it_value) <= 1000000 * MS);
	T(ns(&now.it_interval));
	now = its(0, 5 * MS);
	T(timerfd_settime(fd, 0, &now, &old));
	T(ns(&old.it_value) > 900000 * MS && ns(&old.it_value) <= 1000000 * MS);
	T(ns(&old.it_interval));
	T(timerfd_gettime(fd, &now));
	T(ns(&now.it_value));
	T(ns(&now.it_interval));
	T(ready(fd, 0));
	/* An absolute time that has passed is due at once. */
	T(set(fd, TFD_TIMER_ABSTIME, MS, 0));
	T(ready(fd, 5000));
	T(read(fd, &n, 8));
	T(n);
	T(set(fd, 0, MS, 0));
	T(ready(fd, 5000));
	T(set(fd, 0, 0, 0));
	T(ready(fd, 0));
	close(fd);
}

static void
again_and_again(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct itimerspec now;
	uint64_t n = 0, sum = 0;
	int64_t start = t_now_ms();

	T(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	T(set(fd, 0, 2 * MS, 2 * MS));
	for (int i = 0; i < 5; i++) {
		t_need(epoll_wait(ep, &ev, 1, 5000) == 1, "tick");
		t_need(read(fd, &n, 8) == 8, "read");
		sum += n;
	}
	T(sum >= 5 && (int64_t)sum <= (t_now_ms() - start) / 2 + 1);
	t_sleep_ms(20);
	T(timerfd_gettime(fd, &now));
	T(ns(&now.it_value) > 0 && ns(&now.it_value) <= 2 * MS);
	T(read(fd, &n, 8));
	T(n >= 9);
	/* Faster than anybody can look. */
	T(set(fd, 0, 1, 1));
	t_sleep_ms(2);
	T(read(fd, &n, 8));
	T(n > 1000000);
	T(read(fd, &n, 8) == 8 || errno == EAGAIN);
	close(ep), close(fd);
}

/* Who waits in a read is woken by a setting that comes later, and by a signal. */
static void
on_alarm(int sig)
{
	(void)sig;
}

static void
waiting(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	uint64_t n = 0;
	pid_t pid = fork();

	if (pid == 0) {
		t_sleep_ms(10);
		_exit(set(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, MS, 0) != 0);
	}
	T(read(fd, &n, 8));
	T(n);
	t_need(waitpid(pid, NULL, 0) == pid, "wait");
	t_handle(SIGALRM, on_alarm, 0);
	t_alarms(10);
	T(read(fd, &n, 8));
	t_alarms(0);
	close(fd);
}

int
main(void)
{
	refusals();
	once(CLOCK_MONOTONIC);
	once(CLOCK_REALTIME);
	once(CLOCK_BOOTTIME);
	again_and_again();
	waiting();
	return 0;
}
