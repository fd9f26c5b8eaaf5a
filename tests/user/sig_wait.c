/* SPDX-License-Identifier: BSD-2-Clause */
/* sigsuspend, sigtimedwait, queued signals and SIGCHLD's special meanings. */
#include "t.h"

static volatile sig_atomic_t hits, values[80], nvalues;

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

static void
on_value(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	if (nvalues < 80)
		values[nvalues++] = sig * 1000 + si->si_value.sival_int;
}

static void
suspend(void)
{
	sigset_t block, none, now;

	t_handle(SIGUSR1, on_signal, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	T(hits);
	T(sigsuspend(&none));
	T(hits);
	sigprocmask(SIG_SETMASK, NULL, &now);
	T(sigismember(&now, SIGUSR1));
	/* A signal that the new mask blocks does not end it. */
	if (t_child("two signals, one counts") == 0) {
		sigset_t only;

		t_handle(SIGUSR2, on_signal, 0);
		sigfillset(&only);
		sigdelset(&only, SIGUSR2);
		if (fork() == 0) {
			kill(getppid(), SIGUSR1);
			t_until_asleep(getppid());
			kill(getppid(), SIGUSR2);
			_exit(0);
		}
		hits = 0;
		T(sigsuspend(&only));
		T(hits);
		_exit(0);
	}
	sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void
timed_wait(void)
{
	sigset_t set;
	siginfo_t si;
	struct timespec zero = { 0, 0 }, bad = { 0, 1000000000 }, some = { 0, 20000000 };
	int64_t t0;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	hits = 0;
	T(sigtimedwait(&set, &si, &zero));
	T_SYS(rt_sigtimedwait, &set, &si, &bad, 8);
	T_SYS(rt_sigtimedwait, &set, &si, &zero, 4);
	T_SYS(rt_sigtimedwait, 8, &si, &zero, 8);
	T_SYS(rt_sigtimedwait, &set, NULL, 8, 8);
	t0 = t_now_ms();
	T(sigtimedwait(&set, &si, &some));
	T(t_now_ms() - t0 >= 19);
	raise(SIGUSR2);
	raise(SIGUSR1);
	r = sigtimedwait(&set, &si, &some);
	t_say("first %s code %d pid right %d", t_signal(r), si.si_code, si.si_pid == getpid());
	r = sigwaitinfo(&set, &si);
	t_say("second %s", t_signal(r));
	T(hits);
	raise(SIGUSR1);
	T_SYS(rt_sigtimedwait, &set, 8, &zero, 8);
	T_SYS(rt_sigtimedwait, &set, NULL, &zero, 8);
	if (fork() == 0) {
		t_until_asleep(getppid());
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	t_handle(SIGTERM, on_signal, SA_RESTART);
	T_SYS(rt_sigtimedwait, &set, &si, NULL, 8);
	wait(NULL);
	if (fork() == 0) {
		t_until_asleep(getppid());
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	T(sigwaitinfo(&set, NULL) == SIGUSR2);
	wait(NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
queues(void)
{
	union sigval v;
	sigset_t set;
	int rt = SIGRTMIN + 3;
	siginfo_t si;

	t_handle_info(rt, on_value, 0);
	t_handle_info(rt + 1, on_value, 0);
	t_handle_info(SIGUSR1, on_value, 0);
	sigemptyset(&set);
	sigaddset(&set, rt);
	sigaddset(&set, rt + 1);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 5; i++) {
		v.sival_int = i;
		sigqueue(getpid(), rt + 1, v);
		sigqueue(getpid(), rt, v);
		sigqueue(getpid(), SIGUSR1, v);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	for (int i = 0; i < nvalues; i++)
		t_say("%d", values[i] % 1000 + values[i] / 1000 * 100);
	memset(&si, 0, sizeof si);
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	si.si_value.sival_int = 9;
	nvalues = 0;
	T_SYS(rt_sigqueueinfo, getpid(), SIGUSR1, &si);
	T(values[0] % 1000);
	T_SYS(rt_sigqueueinfo, getpid(), 65, &si);
	T_SYS(rt_sigqueueinfo, INT_MAX, SIGUSR1, &si);
	T_SYS(rt_sigqueueinfo, getpid(), SIGUSR1, 8);
	si.si_code = SI_USER;
	T_SYS(rt_sigqueueinfo, getpid(), SIGUSR1, &si);
	T_SYS(rt_sigqueueinfo, getppid(), 0, &si);
	T_SYS(rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &si);
	t_say("delivered %d", (int)nvalues);
	struct rlimit rl = { 3, 3 };
	nvalues = 0;
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (t_child("a full queue") == 0) {
		int ok = 0, e = 0;

		setrlimit(RLIMIT_SIGPENDING, &rl);
		for (int i = 0; i < 10; i++) {
			v.sival_int = i;
			if (sigqueue(getpid(), rt, v) == 0)
				ok++;
			else
				e = errno;
		}
		t_say("some were refused: %d %s", ok < 10, t_errno(e));
		T(kill(getpid(), SIGUSR1));
		_exit(0);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
ignored_children(void)
{
	int status;

	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0)
		_exit(3);
	T(waitpid(-1, &status, 0));
	signal(SIGCHLD, SIG_DFL);
	struct sigaction sa;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_NOCLDWAIT | SA_RESTART;
	sigaction(SIGCHLD, &sa, NULL);
	hits = 0;
	if (fork() == 0) {
		t_sleep_ms(10);
		_exit(3);
	}
	T(waitpid(-1, &status, 0));
	T(hits);
	signal(SIGCHLD, SIG_DFL);
	if (fork() == 0)
		_exit(4);
	T(waitpid(-1, &status, 0) > 0);
}

static void
broken_pipe(void)
{
	int p[2];

	t_need(pipe(p) == 0, "pipe");
	close(p[0]);
	if (t_child("SIGPIPE") == 0)
		_exit((int)write(p[1], "x", 1));
	signal(SIGPIPE, SIG_IGN);
	T(write(p[1], "x", 1));
	t_handle(SIGPIPE, on_signal, 0);
	hits = 0;
	T(write(p[1], "x", 1));
	T(hits);
	T(write(p[1], "x", 0));
	T(hits);
}

int
main(void)
{
	suspend();
	timed_wait();
	queues();
	ignored_children();
	broken_pipe();
	return 0;
}
