/* SPDX-License-Identifier: BSD-2-Clause */
/* wait4 and waitid - which child, which change, and what is said about it. */
#include "t.h"

static pid_t
spawn(int code)
{
	pid_t pid = fork();

	t_need(pid >= 0, "fork");
	if (pid == 0)
		_exit(code);
	return pid;
}

/* A child that lives until its pipe is closed. */
static pid_t
spawn_waiting(int p[2], int code)
{
	pid_t pid;

	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	t_need(pid >= 0, "fork");
	if (pid == 0) {
		char c;

		close(p[1]);
		while (read(p[0], &c, 1) > 0)
			;
		_exit(code);
	}
	close(p[0]);
	return pid;
}

static void
show_info(const char *what, const siginfo_t *si, pid_t pid)
{
	static const char *const codes[] = { "0", "EXITED", "KILLED", "DUMPED", "TRAPPED", "STOPPED", "CONTINUED" };

	t_say("%s: signo %s code %s status %d pid %s errno %d", what, t_signal(si->si_signo), codes[si->si_code],
	    si->si_status, si->si_pid == pid ? "of the child" : si->si_pid == 0 ? "0" : "other", si->si_errno);
}

static void
errors(void)
{
	siginfo_t si;

	T(waitpid(-1, NULL, 0));
	T(waitpid(-1, NULL, WNOHANG));
	T(waitpid(1, NULL, 0));
	T(waitpid(getpid(), NULL, 0));
	T(waitpid(0, NULL, 0));
	T(waitpid(-getpid(), NULL, 0));
	T(waitpid(INT_MIN, NULL, 0));
	T(waitpid(-1, NULL, 0x1000));
	T(waitpid(-1, NULL, WEXITED));
	T(waitid(P_ALL, 0, &si, 0));
	T(waitid(P_ALL, 0, &si, WEXITED));
	T(waitid(P_ALL, 0, &si, WEXITED | 0x100));
	T(waitid(P_PID, 0, &si, WEXITED));
	T(waitid((idtype_t)77, 0, &si, WEXITED));
	T(waitid(P_PGID, (id_t)-1, &si, WEXITED));
}

static void
by_number(void)
{
	int p[2], status = -1;
	pid_t a = spawn_waiting(p, 1), b = spawn(2);

	T(waitpid(a, &status, WNOHANG));
	T(status);
	T(waitpid(b, &status, 0) == b);
	T(WEXITSTATUS(status));
	T(waitpid(b, &status, 0));
	T(waitpid(-1, &status, WNOHANG));
	close(p[1]);
	T(waitpid(-1, &status, 0) == a);
	T(WEXITSTATUS(status));
	T(waitpid(-1, &status, 0));
}

static void
by_group(void)
{
	int p[2], q[2], status;
	pid_t a = spawn_waiting(p, 1), b = spawn_waiting(q, 2);

	T(setpgid(a, a));
	T(waitpid(-a, &status, WNOHANG));
	close(q[1]);
	T(waitpid(0, &status, 0) == b);
	T(waitpid(0, &status, 0));
	close(p[1]);
	T(waitpid(-a, &status, 0) == a);
	T(waitpid(-a, &status, 0));
}

static void
with_info(void)
{
	int p[2];
	siginfo_t si;
	pid_t pid = spawn_waiting(p, 5);

	memset(&si, 0x55, sizeof si);
	T(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG));
	t_say("nothing yet: pid %d signo %d", (int)si.si_pid, si.si_signo);
	close(p[1]);
	T(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	show_info("left in place", &si, pid);
	T(waitid(P_ALL, 0, &si, WEXITED | WNOWAIT));
	show_info("again", &si, pid);
	T(waitid(P_ALL, 0, &si, WEXITED));
	show_info("taken", &si, pid);
	T(waitid(P_ALL, 0, &si, WEXITED));
	pid = spawn_waiting(p, 5);
	kill(pid, SIGTERM);
	T(waitid(P_PGID, (id_t)getpgrp(), &si, WEXITED));
	show_info("killed", &si, pid);
	close(p[1]);
	pid = spawn(3);
	T(waitid(P_PID, (id_t)pid, NULL, WEXITED));
	struct rusage ru;
	memset(&ru, 0x55, sizeof ru);
	pid = spawn(3);
	T_SYS(waitid, P_ALL, 0, NULL, WEXITED, &ru);
	t_say("rusage is filled: %d", ru.ru_utime.tv_sec == 0 && ru.ru_maxrss < (1 << 30));
}

static void
bad_pointers(void)
{
	pid_t pid = spawn(3);
	siginfo_t si;

	T(waitid(P_ALL, 0, &si, WEXITED | WNOWAIT));
	T_SYS(wait4, -1, 8, 0, NULL);
	T(waitpid(-1, NULL, 0));
	spawn(4);
	T(waitid(P_ALL, 0, &si, WEXITED | WNOWAIT));
	T_SYS(waitid, P_ALL, 0, 8, WEXITED, NULL);
	T(waitpid(-1, NULL, 0));
	(void)pid;
}

static void
on_signal(int sig)
{
	(void)sig;
}

static void
interrupted(void)
{
	int p[2], status;
	pid_t pid = spawn_waiting(p, 6), killer;

	t_handle(SIGUSR1, on_signal, 0);
	killer = fork();
	if (killer == 0) {
		t_until_asleep(getppid());
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	T(waitpid(pid, &status, 0));
	T(waitpid(killer, &status, 0) == killer);
	t_handle(SIGUSR1, on_signal, SA_RESTART);
	killer = fork();
	if (killer == 0) {
		t_until_asleep(getppid());
		kill(getppid(), SIGUSR1);
		t_until_asleep(getppid());
		close(p[1]);
		_exit(0);
	}
	close(p[1]);
	T(waitpid(pid, &status, 0) == pid);
	T(WEXITSTATUS(status));
	T(waitpid(killer, &status, 0) == killer);
}

/* Many children at once: every one is reported exactly once. */
static void
crowd(void)
{
	int seen[50] = { 0 }, status, once = 0;

	for (int i = 0; i < 50; i++)
		spawn(i);
	while (waitpid(-1, &status, 0) > 0)
		seen[WEXITSTATUS(status) % 50]++;
	t_say("the end: %s", t_errno(errno));
	for (int i = 0; i < 50; i++)
		once += seen[i] == 1;
	T(once);
}

int
main(void)
{
	errors();
	by_number();
	by_group();
	with_info();
	bad_pointers();
	interrupted();
	crowd();
	return 0;
}
