/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers and sleeps on clocks of CPU time: of the process, a thread, another process. */
#include "t.h"
#include <pthread.h>

#define OF(id, which)	((int)((~(unsigned)(id) << 3) | (which)))
#define THREAD		4

static volatile sig_atomic_t fired;
static _Atomic int stop, running;
static _Atomic int tid_of_idle;

static void
on_timer(int sig, siginfo_t *si, void *ctx)
{
	(void)sig, (void)ctx;
	fired += si->si_code == SI_TIMER;
}

static int64_t
used_ns(int clock)
{
	struct timespec ts = { 0, 0 };

	syscall(SYS_clock_gettime, clock, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* Use CPU time until this much is used, or n signals have come, at most two seconds of it. */
static void
burn(int64_t ms, int n)
{
	int64_t start = used_ns(3), now;

	do {
		for (volatile int i = 0; i < 20000; i++)
			;
		now = used_ns(3);
	} while ((n == 0 ? now - start < ms * 1000000 : fired < n) && now - start < 2000000000ll);
}

static int
make(int clock)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	int id = -1;

	if (syscall(SYS_timer_create, clock, &ev, &id) != 0)
		return -1;
	return id;
}

static int
set(int id, long ms, long every, int flags)
{
	struct itimerspec it = { .it_interval = { every / 1000, every % 1000 * 1000000 },
	    .it_value = { ms / 1000, ms % 1000 * 1000000 } };

	return (int)syscall(SYS_timer_settime, id, flags, &it, NULL);
}

static int64_t
left_ns(int id)
{
	struct itimerspec it;

	t_need(syscall(SYS_timer_gettime, id, &it) == 0, "timer_gettime");
	return it.it_value.tv_sec * 1000000000ll + it.it_value.tv_nsec;
}

static void
one(const char *what, int clock)
{
	int64_t before;
	int id = make(clock);

	t_say("-- %s", what);
	t_need(id >= 0, "timer_create");
	fired = 0;
	before = used_ns(clock);
	T(set(id, 50, 0, 0));
	t_say("left at first: %d", left_ns(id) > 0 && left_ns(id) <= 50000000);
	t_sleep_ms(80);
	t_say("asleep: %d", (int)fired);
	burn(0, 1);
	t_say("then: %d, not before: %d, nor much later: %d", (int)fired, used_ns(clock) - before >= 50000000,
	    used_ns(clock) - before < 1500000000);	/* what a busy host takes away is in it, too */
	t_say("left at last: %d", (int)left_ns(id));
	T(set(id, 1, 0, TIMER_ABSTIME));	/* long over */
	t_say("at once: %d", (int)fired);
	T(set(id, 10, 10, 0));
	burn(0, 5);
	T(fired >= 5);
	T(set(id, 0, 0, 0));
	fired = 0;
	burn(30, 0);
	t_say("off: %d, left %d", (int)fired, (int)left_ns(id));
	T(set(id, 10, 0, 0));
	T(syscall(SYS_timer_delete, id));
	fired = 0;
	burn(30, 0);
	t_say("deleted: %d", (int)fired);
}

static void *
idle(void *arg)
{
	tid_of_idle = (int)syscall(SYS_gettid);
	while (!stop)
		t_sleep_ms(1);
	return arg;
}

static void *
burns(void *arg)
{
	running = 1;
	while (!stop)
		for (volatile int i = 0; i < 20000; i++)
			;
	return arg;
}

static void
threads(void)
{
	pthread_t t;
	int mine, other, both;

	t_say("-- threads");
	stop = 0;
	t_need(pthread_create(&t, NULL, idle, NULL) == 0, "thread");
	T_UNTIL(tid_of_idle != 0);
	other = make(OF(tid_of_idle, THREAD | 2));
	mine = make(OF(0, THREAD | 2));
	both = make(OF(0, 2));
	t_need(other >= 0 && mine >= 0 && both >= 0, "timer_create");
	fired = 0;
	T(set(other, 1500, 0, 0));
	burn(60, 0);
	t_say("of a thread that sleeps: %d, left %d", (int)fired, left_ns(other) > 1000000000);
	T(set(mine, 20, 0, 0));
	burn(0, 1);
	t_say("of this one: %d", (int)fired);
	T(syscall(SYS_timer_delete, other));
	stop = 1;
	pthread_join(t, NULL);
	stop = 0;
	fired = 0;
	t_need(pthread_create(&t, NULL, burns, NULL) == 0, "thread");
	T_UNTIL(running);
	T(set(both, 40, 0, 0));
	T_UNTIL(fired);
	t_say("another thread's use is the process's: %d", (int)fired);
	T(syscall(SYS_clock_nanosleep, 2, 0, &(struct timespec){ 0, 40000000 }, NULL));
	stop = 1;
	pthread_join(t, NULL);
	syscall(SYS_timer_delete, mine);
	syscall(SYS_timer_delete, both);
}

static void
processes(void)
{
	struct timespec ts = { 0, 40000000 };
	int64_t before;
	int id, status;
	pid_t pid;

	t_say("-- processes");
	if ((pid = fork()) == 0) {
		for (;;)
			burn(1000, 0);
	}
	fired = 0;
	id = make(OF(pid, 2));
	t_need(id >= 0, "timer_create");
	T(set(id, 60, 0, 0));
	T_UNTIL(fired);
	t_say("of a child: %d, it has used %d", (int)fired, used_ns(OF(pid, 2)) >= 60000000);
	before = used_ns(OF(pid, 2));
	T(syscall(SYS_clock_nanosleep, OF(pid, 2), 0, &ts, NULL));
	t_say("slept for it: %d", used_ns(OF(pid, 2)) - before >= 40000000);
	T(syscall(SYS_clock_nanosleep, OF(pid, 2), TIMER_ABSTIME, &ts, NULL));
	T(set(id, 60000, 0, 0));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	T(syscall(SYS_timer_delete, id));
	T(syscall(SYS_clock_nanosleep, OF(pid, 2), 0, &ts, NULL));
	T(make(OF(pid, 2)));
}

static void
on_alarm(int sig)
{
	(void)sig;
}

static void
errors(void)
{
	struct timespec ts = { 0, 1000000 }, rem = { 9, 9 }, bad = { 0, -1 };
	int tid = (int)syscall(SYS_gettid);

	t_say("-- errors");
	T(syscall(SYS_clock_nanosleep, 3, 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, OF(0, THREAD | 2), 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, OF(tid, THREAD | 2), 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, OF(0, 3), 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, OF(4000000, 2), 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, OF(4000000, THREAD | 2), 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, 2, 0, &bad, NULL));
	T(syscall(SYS_clock_nanosleep, 2, 0, (void *)8, NULL));
	T(syscall(SYS_clock_nanosleep, 4, 0, &ts, NULL));
	T(syscall(SYS_clock_nanosleep, 12, 0, &ts, NULL));
	T(make(OF(4000000, 2)));
	T(make(OF(1, THREAD | 2)));
	T(make(OF(0, 3)));
	T(make(4));
	T(make(5));
	T(make(12));
	t_handle(SIGALRM, on_alarm, 0);
	t_alarms(30);
	ts = (struct timespec){ 100, 0 };
	T(syscall(SYS_clock_nanosleep, 2, 0, &ts, &rem));
	t_say("missing: %d", rem.tv_sec >= 50 && rem.tv_sec <= 100);
	ts.tv_sec += 1000;
	T(syscall(SYS_clock_nanosleep, 2, TIMER_ABSTIME, &ts, &rem));
	t_alarms(0);
}

int
main(void)
{
	t_handle_info(SIGUSR1, on_timer, SA_RESTART);
	one("process", 2);
	one("thread", 3);
	one("process, user's part", OF(0, 1));
	threads();
	processes();
	errors();
	return 0;
}
