/* SPDX-License-Identifier: BSD-2-Clause */
/* Process groups and sessions - who may move whom, and whom a signal to a group reaches. */
#include "t.h"

static volatile sig_atomic_t got;

static void
on_signal(int sig)
{
	(void)sig;
	got++;
}

static void
errors(void)
{
	T(setpgid(0, 0));
	T(setsid());
	T(setpgid(-1, 0));
	T(setpgid(0, -1));
	T(setpgid(1, 0));
	T(setpgid(0, 1));
	T(setpgid(INT_MAX, 0));
	T(getpgid(INT_MAX));
	T(getsid(INT_MAX));
	T(getpgid(-1));
	T(getpgid(0) == getpgrp());
	T(getsid(0) == getpid());
	T(getpgrp() == getpid());
}

static void
children(void)
{
	int p[2], go[2];
	char c = 0;
	pid_t a, b;

	t_need(pipe(p) == 0 && pipe(go) == 0, "pipe");
	a = fork();
	if (a == 0) {
		while (read(go[0], &c, 1) == 1 && c != 'q')
			;
		_exit(0);
	}
	T(setpgid(a, a));
	T(getpgid(a) == a);
	b = fork();
	if (b == 0) {
		T(setpgid(0, a));
		T(getpgrp() == a);
		T(setsid() == getpid());
		T(getpgrp() == getpid());
		T(setpgid(0, a));
		T(setpgid(0, 0));
		c = 'r';
		t_need(write(p[1], &c, 1) == 1, "write");
		while (read(go[0], &c, 1) == 1 && c != 'q')
			;
		_exit(0);
	}
	T(read(p[0], &c, 1));
	T(getsid(b) == b);
	T(setpgid(b, getpgrp()));
	T(setpgid(a, b));
	c = 'q';
	T(write(go[1], &c, 1) + write(go[1], &c, 1));
	wait(NULL);
	wait(NULL);
	T(setpgid(a, a));
	close(p[0]), close(p[1]), close(go[0]), close(go[1]);
}

static void
after_exec(const char *self)
{
	int p[2], q[2], status;
	pid_t pid;
	char c;

	t_need(pipe(p) == 0 && pipe(q) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 10);
		dup2(q[0], 11);
		close(q[1]);
		close(p[1]);
		execl(self, self, "ready", (char *)NULL);
		_exit(1);
	}
	T(read(p[0], &c, 1));
	T(setpgid(pid, pid));
	close(q[0]);
	close(q[1]);
	waitpid(pid, &status, 0);
	t_status("program", status);
}

static void
kill_group(void)
{
	pid_t kids[5], lead;
	int p[2], n = 0, status;
	char c;

	t_need(pipe(p) == 0, "pipe");
	lead = 0;
	for (int i = 0; i < 5; i++) {
		kids[i] = fork();
		if (kids[i] == 0) {
			t_handle(SIGUSR1, on_signal, 0);
			setpgid(0, lead);
			c = 'r';
			t_need(write(p[1], &c, 1) == 1, "write");
			while (got == 0)
				t_sleep_ms(2);
			_exit(got);
		}
		if (lead == 0)
			lead = kids[0];
		setpgid(kids[i], lead);
		T(read(p[0], &c, 1));
	}
	T(kill(-lead, 0));
	T(kill(-lead, SIGUSR1));
	while (waitpid(-lead, &status, 0) > 0)
		n += WEXITSTATUS(status);
	T(n);
	T(kill(-lead, SIGUSR1));
	T(kill(-lead, 0));
	T(killpg(lead, SIGUSR1));
	T(kill(-INT_MAX, SIGUSR1));
	T(kill(INT_MAX, 0));
	T(kill(getpid(), 65));
	T(kill(getpid(), -1));
	t_handle(SIGUSR1, on_signal, 0);
	got = 0;
	T(kill(0, SIGUSR1));
	T(got);
	T(kill(getpid(), SIGUSR1));
	T(got);
}

/* A zombie still has its number: it can be signalled, and keeps its group alive. */
static void
zombie(void)
{
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		_exit(0);
	}
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	T(kill(pid, 0));
	T(kill(pid, SIGKILL));
	T(getpgid(pid) == pid);
	T(kill(-pid, 0));
	wait(NULL);
	T(kill(pid, 0));
	T(getpgid(pid));
	T(kill(-pid, 0));
}

int
main(int argc, char **argv)
{
	if (argc == 2) {
		char c = 'r';

		if (write(10, &c, 1) != 1)
			return 1;
		while (read(11, &c, 1) > 0)
			;
		return 0;
	}
	errors();
	children();
	after_exec(argv[0]);
	kill_group();
	zombie();
	return 0;
}
