/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals in processes with threads: who takes them, how many arrive, stops, waits, timers of one thread. */
#include "t.h"
#include <pthread.h>

#define MANY	20000
#define TAKERS	4

static _Atomic long taken, sum, wrong_thread;
static _Atomic int stop;
static pthread_t target;
static int barrier_pipe[2];

static void
on_rt(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	taken++;
	sum += si->si_value.sival_int;
	if (target != 0 && !pthread_equal(pthread_self(), target))
		wrong_thread++;
}

static void *
idle(void *arg)
{
	(void)arg;
	while (!stop)
		t_sleep_ms(1);
	return NULL;
}

static void
block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
}

/* Queued signals: each that was accepted arrives, once. */
static void
queued(void)
{
	pthread_t t[3];
	long sent = 0, total = 0;

	taken = sum = 0;
	stop = 0;
	target = 0;
	t_handle_info(SIGRTMIN + 1, on_rt, SA_RESTART);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, idle, NULL);
	while (sent < MANY) {
		if (sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = (int)(sent % 7) }) == 0) {
			total += sent % 7;
			sent++;
		} else if (errno != EAGAIN)
			break;
	}
	for (int i = 0; i < 2000 && taken < sent; i++)
		t_sleep_ms(1);
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	t_say("queued %ld, taken %ld, sums equal %d", sent, (long)taken, sum == total);
}

static void *
send_to_target(void *arg)
{
	for (int i = 0; i < 5000; i++)
		pthread_kill(target, SIGRTMIN + 2);
	return arg;
}

static void
directed(void)
{
	pthread_t t[4];

	taken = 0;
	stop = 0;
	t_handle_info(SIGRTMIN + 2, on_rt, SA_RESTART);
	pthread_create(&t[0], NULL, idle, NULL);
	target = t[0];
	for (int i = 1; i < 4; i++)
		pthread_create(&t[i], NULL, send_to_target, NULL);
	for (int i = 1; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 1000 && taken == 0; i++)
		t_sleep_ms(1);
	stop = 1;
	pthread_join(t[0], NULL);
	t_say("directed: some taken %d, by others %ld", taken > 0, (long)wrong_thread);
}

static void *
take(void *arg)
{
	sigset_t s;
	long n = 0;

	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN + 3);
	for (;;) {
		siginfo_t si;
		struct timespec ts = { 5, 0 };
		int sig = sigtimedwait(&s, &si, &ts);

		if (sig < 0 && errno == EINTR)
			continue;
		if (sig < 0 || si.si_value.sival_int < 0)
			break;
		n++;
	}
	(void)arg;
	return (void *)n;
}

/* Several wait for the same signal: every one that is sent is taken by one of them. */
static void
waited_for(void)
{
	pthread_t t[TAKERS];
	long all = 0;
	void *v;

	block(SIGRTMIN + 3);
	for (int i = 0; i < TAKERS; i++)
		pthread_create(&t[i], NULL, take, NULL);
	for (int i = 0; i < 5000 + TAKERS; i++)
		while (sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = i < 5000 ? i : -1 }) < 0)
			t_sleep_ms(1);
	for (int i = 0; i < TAKERS; i++) {
		pthread_join(t[i], &v);
		all += (long)v;
	}
	t_say("taken by those who waited: %ld", all);
}

static _Atomic pid_t reader;

static void *
unblocked_reader(void *arg)
{
	char c;

	(void)arg;
	reader = gettid();
	return (void *)(intptr_t)(read(barrier_pipe[0], &c, 1) < 0 ? errno : 0);
}

/* The first thread blocks it: the other takes it. */
static void
routed(void)
{
	pthread_t t;
	sigset_t s;
	void *v;

	taken = wrong_thread = 0;
	t_need(pipe(barrier_pipe) == 0, "pipe");
	t_handle_info(SIGUSR2, on_rt, 0);
	pthread_create(&t, NULL, unblocked_reader, NULL);
	target = t;
	block(SIGUSR2);
	T_UNTIL(reader != 0);
	t_until_asleep(reader);
	kill(getpid(), SIGUSR2);
	pthread_join(t, &v);
	t_say("routed: %s, taken %ld, by others %ld", t_errno((int)(intptr_t)v), (long)taken, (long)wrong_thread);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

static void *
beat(void *arg)
{
	_Atomic long *mine = arg;

	for (;;)
		(*mine)++;
	return NULL;
}

/* When wait tells of a stop, no thread of the child runs any more. */
static void
stopped(void)
{
	_Atomic long *shared = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, still = 0, moved = 0;
	pid_t pid = fork();
	pthread_t t;

	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, beat, (void *)(shared + i));
		for (;;)
			pause();
	}
	while (shared[0] == 0 || shared[1] == 0 || shared[2] == 0)
		t_sleep_ms(1);
	for (int r = 0; r < 20; r++) {
		long before[3];

		kill(pid, SIGSTOP);
		waitpid(pid, &status, WUNTRACED);
		for (int i = 0; i < 3; i++)
			before[i] = shared[i];
		t_sleep_ms(2);
		for (int i = 0; i < 3; i++)
			still += before[i] == shared[i];
		kill(pid, SIGCONT);
		waitpid(pid, &status, WCONTINUED);
		for (int i = 0; i < 2000 && shared[r % 3] == before[r % 3]; i++)
			t_sleep_ms(1);
		moved += shared[r % 3] != before[r % 3];
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	t_say("stood still %d, moved again %d", still, moved);
	t_status("stopped and continued", status);
}

static void *
timed(void *arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 4 };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t id;

	((int *)(void *)&ev)[4] = *(int *)arg != 0 ? *(int *)arg : (int)syscall(SYS_gettid);
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) < 0)
		return (void *)(intptr_t)errno;
	syscall(SYS_timer_settime, id, 0, &it, NULL);
	for (int i = 0; i < 2000 && taken < 5; i++)
		t_sleep_ms(1);
	syscall(SYS_timer_delete, id);
	return NULL;
}

static void
thread_timer(void)
{
	int tid = 0;
	pthread_t t;
	void *v;

	taken = wrong_thread = 0;
	t_handle_info(SIGRTMIN + 4, on_rt, SA_RESTART);
	target = pthread_self();
	tid = (int)syscall(SYS_gettid);
	pthread_create(&t, NULL, timed, &tid);
	pthread_join(t, &v);
	t_say("timer for a thread: %d, ran %d, in others %ld", (int)(intptr_t)v, taken >= 5, (long)wrong_thread);
	tid = 1;
	pthread_create(&t, NULL, timed, &tid);
	pthread_join(t, &v);
	t_say("timer for a stranger: %s", t_errno((int)(intptr_t)v));
}

/* A group is killed while it forks: nobody escapes. */
static void
no_escape(void)
{
	int left = 0;

	for (int r = 0; r < 20; r++) {
		int status, p[2];
		pid_t pid;
		char c;

		t_need(pipe(p) == 0, "pipe");
		pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			close(p[0]);
			for (;;) {
				pid_t kid = fork();

				if (kid == 0)
					_exit(0);
				while (waitpid(-1, NULL, WNOHANG) > 0)
					;
			}
		}
		setpgid(pid, pid);
		close(p[1]);
		t_sleep_ms(2 + r % 5);
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (read(p[0], &c, 1) != 0)		/* ends when nobody holds the other end */
			left++;
		close(p[0]);
	}
	t_say("left over: %d", left);
}

int
main(void)
{
	queued();
	directed();
	waited_for();
	routed();
	stopped();
	thread_timer();
	no_escape();
	return 0;
}
