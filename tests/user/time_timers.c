/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks, sleeps and interval timers - what moves, what waits, what is refused. */
#include "t.h"
#include <pthread.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t hits;

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

static void
clocks(void)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
	    CLOCK_THREAD_CPUTIME_ID, 4, 5, 6, CLOCK_BOOTTIME };
	struct timespec a, b;
	struct timeval tv;

	for (size_t i = 0; i < T_COUNT(ids); i++) {
		T_SYS(clock_gettime, ids[i], &a);
		T_SYS(clock_gettime, ids[i], &b);
		t_say("clock %d goes forward: %d, nanoseconds in range: %d", ids[i],
		    b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec), b.tv_nsec < 1000000000);
	}
	T_SYS(clock_gettime, 77, &a);
	T_SYS(clock_getres, CLOCK_MONOTONIC, &a);
	t_say("resolution %ld", a.tv_nsec);
	T_SYS(clock_getres, 77, &a);
	T_SYS(clock_getres, CLOCK_MONOTONIC, NULL);
	T_SYS(gettimeofday, &tv, NULL);
	clock_gettime(CLOCK_REALTIME, &a);
	t_say("the same time of day: %d", labs(a.tv_sec - tv.tv_sec) <= 1);
	T(labs(time(NULL) - a.tv_sec) <= 1);
	T(a.tv_sec > 1700000000);
	struct timex left = { .modes = ADJ_OFFSET_SS_READ, .offset = 7 };
	T(adjtimex(&left) >= 0);
	t_say("left to adjust: %ld", left.offset);
	if (t_child("adjusted by nothing") == 0) {
		left = (struct timex){ .modes = ADJ_OFFSET_SINGLESHOT };
		T(adjtimex(&left) >= 0);
		T(setuid(1));
		T(adjtimex(&left));
		_exit(0);
	}
	struct tms tms;
	T_OK(times(&tms));
	struct rusage ru;
	T(getrusage(RUSAGE_SELF, &ru));
	T(getrusage(RUSAGE_CHILDREN, &ru));
	T(getrusage(77, &ru));
}

/* CPU time is counted for the one who uses it, and for its parent after the wait. */
static void
cpu_time(void)
{
	struct timespec a, b;
	struct rusage ru;
	volatile long sink = 0;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	t_sleep_ms(60);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	t_say("sleeping costs nothing: %d", (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 30);
	if (t_child("burns CPU") == 0) {
		struct timespec now;

		do {
			for (int i = 0; i < 100000; i++)
				sink += i;
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		} while (now.tv_nsec < 80000000 && now.tv_sec == 0);
		_exit(0);
	}
	getrusage(RUSAGE_CHILDREN, &ru);
	t_say("children's time: %d", ru.ru_utime.tv_sec * 1000 + ru.ru_utime.tv_usec / 1000 +
	    ru.ru_stime.tv_sec * 1000 + ru.ru_stime.tv_usec / 1000 >= 60);
}

/* The same clocks by the number of a process, or of a thread of our own. */
static void *
burn(void *arg)
{
	struct timespec now;
	pid_t *tid = arg;

	*tid = (pid_t)syscall(SYS_gettid);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_nsec < 50000000 && now.tv_sec == 0);
	for (;;)
		pause();
	return NULL;
}

static int64_t
used_ms(int clock)
{
	struct timespec ts;

	return syscall(SYS_clock_gettime, clock, &ts) != 0 ? -errno : ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define OF(pid, kind)	((int)(~(unsigned)(pid) << 3 | (kind)))

static void
cpu_clocks(void)
{
	pid_t tid = 0, child;
	struct timespec ts = { 1, 0 };
	pthread_t t;

	if ((child = fork()) == 0)
		burn(&tid);
	T_UNTIL(used_ms(OF(child, 2)) >= 50);
	t_say("of a child: %d %d", used_ms(OF(child, 0)) >= 0, used_ms(OF(child, 1)) >= 0);
	T(used_ms(OF(child, 3)));
	T(used_ms(OF(child, 6)));
	T_SYS(clock_settime, OF(child, 2), &ts);
	kill(child, SIGKILL);
	T(waitpid(child, NULL, 0) == child);
	T(used_ms(OF(child, 2)));
	T_SYS(clock_settime, OF(child, 2), &ts);
	T_SYS(clock_getres, OF(child, 2), NULL);
	T_SYS(clock_getres, OF(0, 2), &ts);
	t_say("resolution %ld", ts.tv_nsec);
	t_need(pthread_create(&t, NULL, burn, &tid) == 0, "thread");
	T_UNTIL(tid != 0 && used_ms(OF(tid, 6)) >= 50);
	t_say("a thread as a process: %d", (int)used_ms(OF(tid, 2)));
	T(used_ms(OF(getpid(), 2)) >= 50);
	T(used_ms(OF(0, 2)) >= 50);
	T(used_ms(OF(0, 6)) >= 0);
	T(used_ms(OF(0, 7)));
	T(used_ms(OF(0, 3)));
	T(used_ms(OF(getppid(), 6)));
	T(used_ms(OF(getppid(), 2)) >= 0);
	T(used_ms(OF(0x0fffffff, 2)));
}

static void
sleeps(void)
{
	struct timespec ts = { 0, 30000000 }, bad = { 0, 1000000000 }, neg = { -1, 0 }, at;
	int64_t t0 = t_now_ms();

	T(nanosleep(&ts, NULL));
	T(t_now_ms() - t0 >= 30);
	T(t_now_ms() - t0 < 1000);
	T_SYS(nanosleep, &bad, NULL);
	T_SYS(nanosleep, &neg, NULL);
	t0 = t_now_ms();
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += 30000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	T_SYS(clock_nanosleep, CLOCK_MONOTONIC, 1, &at, NULL);
	T(t_now_ms() - t0 >= 29);
	T_SYS(clock_nanosleep, CLOCK_MONOTONIC, 1, &at, NULL);
	T_SYS(clock_nanosleep, 77, 0, &ts, NULL);
	T_SYS(clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL);
	at = (struct timespec){ 0, 0 };
	T_SYS(clock_nanosleep, CLOCK_REALTIME, 1, &at, NULL);
}

static void
intervals(void)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, old;
	sigset_t none, all;
	int64_t t0;

	t_handle(SIGALRM, on_signal, SA_RESTART);
	t0 = t_now_ms();
	T(setitimer(ITIMER_REAL, &it, NULL));
	while (hits < 5)
		t_sleep_ms(1);
	T(t_now_ms() - t0 >= 48);
	T(getitimer(ITIMER_REAL, &old));
	t_say("interval %d, value in range %d", (int)old.it_interval.tv_usec,
	    old.it_value.tv_sec == 0 && old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 10000);
	memset(&it, 0, sizeof it);
	T(setitimer(ITIMER_REAL, &it, &old));
	t_say("old interval %d", (int)old.it_interval.tv_usec);
	hits = 0;
	t_sleep_ms(30);
	T(hits);
	T(alarm(50));
	T(alarm(0));
	T(alarm(0));
	it.it_value.tv_usec = 1000000;
	T(setitimer(ITIMER_REAL, &it, NULL));
	T(setitimer(77, &it, NULL));
	T(getitimer(77, &old));
	T(setitimer(ITIMER_REAL, NULL, &old));
	memset(&it, 0, sizeof it);
	it.it_value.tv_usec = 20000;
	sigemptyset(&none);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);	/* it comes in sigsuspend(), however late that is */
	T(setitimer(ITIMER_REAL, &it, NULL));
	T(sigsuspend(&none));
	sigprocmask(SIG_SETMASK, &none, NULL);
	T(hits);
	getitimer(ITIMER_REAL, &old);
	t_say("once only: %d", (int)(old.it_value.tv_sec + old.it_value.tv_usec));
	if (t_child("unhandled") == 0) {
		signal(SIGALRM, SIG_DFL);
		setitimer(ITIMER_REAL, &it, NULL);
		for (;;)
			pause();
	}
	if (t_child("it stops a program that never enters the kernel") == 0) {
		signal(SIGALRM, SIG_DFL);
		setitimer(ITIMER_REAL, &it, NULL);
		for (volatile int i = 0;; i++)
			;
	}
}

static void
cpu_timers(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 150000 } };

	t_handle(SIGVTALRM, on_signal, 0);
	t_handle(SIGPROF, on_signal, 0);
	hits = 0;
	T(setitimer(ITIMER_VIRTUAL, &it, NULL));
	t_sleep_ms(200);
	t_say("no CPU, no SIGVTALRM: %d", (int)hits);
	while (hits == 0)
		;
	T(hits);
	hits = 0;
	T(setitimer(ITIMER_PROF, &it, NULL));
	while (hits == 0)
		;
	T(hits);
	if (t_child("RLIMIT_CPU") == 0) {
		struct rlimit rl = { 1, 2 };

		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		setrlimit(RLIMIT_CPU, &rl);
		for (;;)
			;
	}
}

/* A period of a nanosecond: one signal waits, whoever takes it is told how many it stands for. */
static void
made_timers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec fast = { { 0, 1 }, { 0, 1 } }, off = { { 0, 0 }, { 0, 0 } };
	struct itimerspec slow = { { 5, 0 }, { 0, 1 } };
	struct itimerval alarms = { { 0, 300 }, { 0, 1 } };
	struct timespec now = { 0, 0 };
	siginfo_t si;
	sigset_t set;
	timer_t id;
	int n = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	T(sigprocmask(SIG_BLOCK, &set, NULL));
	T(timer_create(CLOCK_MONOTONIC, &ev, &id));
	T(timer_settime(id, 0, &fast, NULL));
	t_sleep_ms(20);
	T(sigtimedwait(&set, &si, &now) == SIGRTMIN);
	t_say("code %d, overrun as said %d, large %d", si.si_code, si.si_overrun == timer_getoverrun(id),
	    si.si_overrun > 1000);
	t_sleep_ms(1);
	T(timer_settime(id, 0, &off, NULL));
	while (sigtimedwait(&set, &si, &now) == SIGRTMIN)
		n++;
	T(n <= 1);

	/* Taken once it goes on: with a period of seconds it waits for the next. */
	T(timer_settime(id, 0, &slow, NULL));
	t_sleep_ms(2);
	T(timer_gettime(id, &off));
	t_say("left %d", (int)off.it_value.tv_sec);
	T(sigtimedwait(&set, &si, &now) == SIGRTMIN);
	T(si.si_overrun);
	T(sigtimedwait(&set, &si, &now));

	T(timer_settime(id, 0, &fast, NULL));
	T(signal(SIGRTMIN, SIG_IGN) == SIG_DFL);
	T(sigprocmask(SIG_UNBLOCK, &set, NULL));
	t_sleep_ms(5);
	t_say("ignored, it stops nobody");
	T(timer_delete(id));

	t_handle(SIGALRM, on_signal, SA_RESTART);
	hits = 0;
	T(setitimer(ITIMER_REAL, &alarms, NULL));
	while (hits < 100)
		;
	memset(&alarms, 0, sizeof alarms);
	T(setitimer(ITIMER_REAL, &alarms, NULL));
}

int
main(void)
{
	clocks();
	cpu_time();
	sleeps();
	intervals();
	cpu_timers();
	made_timers();
	cpu_clocks();
	return 0;
}
