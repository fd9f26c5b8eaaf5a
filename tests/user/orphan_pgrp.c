/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orphaned process groups - a group with no parent in its session outside the
 * group cannot be continued by anybody, so the kernel does not let it stop:
 * a stopped one gets SIGHUP and SIGCONT, and terminal stops are ignored.
 */
#include "t.h"

static volatile sig_atomic_t hup, cont;
static int out;

static void
on_signal(int sig)
{
	if (sig == SIGHUP)
		hup = 1;
	else
		cont = 1;
}

static void
say(const char *text)
{
	t_say("%s", text);
	if (write(out, "x", 1) != 1)
		_exit(9);
}

/* The grandchild stops in a group of its own; its parent, the leader of their session, then exits. */
static void
newly_orphaned(void)
{
	int p[2];
	char c;

	t_need(pipe(p) == 0, "pipe");
	out = p[1];
	if (fork() == 0) {
		pid_t kid;

		setsid();
		kid = fork();

		if (kid == 0) {
			setpgid(0, 0);
			t_handle(SIGHUP, on_signal, 0);
			t_handle(SIGCONT, on_signal, 0);
			raise(SIGSTOP);
			t_say("continued: hup %d cont %d", hup, cont);
			say("done");
			_exit(0);
		}
		waitpid(kid, NULL, WUNTRACED);
		_exit(0);
	}
	close(p[1]);
	T(read(p[0], &c, 1));
	T(read(p[0], &c, 1));
	close(p[0]);
	while (wait(NULL) > 0)
		;
}

/* Without a handler SIGHUP kills it. */
static void
killed_by_hup(void)
{
	int p[2], status, n = 0;
	char c;

	t_need(pipe(p) == 0, "pipe");
	if (fork() == 0) {
		pid_t kid;

		setsid();
		kid = fork();

		if (kid == 0) {
			setpgid(0, 0);
			raise(SIGSTOP);
			_exit(0);
		}
		waitpid(kid, NULL, WUNTRACED);
		_exit(7);
	}
	close(p[1]);
	T(read(p[0], &c, 1));
	close(p[0]);
	while (waitpid(-1, &status, 0) > 0)
		n += WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) * 1000;
	T(n);
}

static void
no_terminal_stops(void)
{
	if (t_child("in a session of its own, so orphaned") == 0) {
		setsid();
		raise(SIGTSTP);
		t_say("SIGTSTP passed");
		raise(SIGTTIN);
		t_say("SIGTTIN passed");
		raise(SIGTTOU);
		t_say("SIGTTOU passed");
		_exit(3);
	}
	if (t_child("SIGSTOP still stops") == 0) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			setsid();
			raise(SIGSTOP);
			_exit(4);
		}
		waitpid(pid, &status, WUNTRACED);
		t_status("before", status);
		kill(pid, SIGCONT);
		waitpid(pid, &status, 0);
		t_status("after", status);
		_exit(0);
	}
}

/* Running members of a newly orphaned group are left alone. */
static void
running_is_left_alone(void)
{
	int p[2];
	char c;

	t_need(pipe(p) == 0, "pipe");
	out = p[1];
	if (fork() == 0) {
		pid_t dad = getpid();

		setsid();
		if (fork() == 0) {
			setpgid(0, 0);
			t_handle(SIGHUP, on_signal, 0);
			hup = 0;
			while (getppid() == dad)
				t_sleep_ms(2);
			t_sleep_ms(20);
			t_say("no SIGHUP: %d", hup);
			say("done");
			_exit(0);
		}
		t_sleep_ms(20);
		_exit(0);
	}
	close(p[1]);
	T(read(p[0], &c, 1));
	close(p[0]);
	while (wait(NULL) > 0)
		;
}

int
main(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	newly_orphaned();
	killed_by_hup();
	no_terminal_stops();
	running_is_left_alone();
	return 0;
}
