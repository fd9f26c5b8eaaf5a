/* SPDX-License-Identifier: BSD-2-Clause */
/* Stop and continue - as the parent sees it through wait and SIGCHLD. */
#include "t.h"

static volatile sig_atomic_t chlds, last_code, last_status;

static void
on_chld(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	chlds++;
	last_code = si->si_code;
	last_status = si->si_status;
}

static void
one(const char *what, int options)
{
	int status = 0;
	pid_t r = waitpid(-1, &status, options);

	if (r <= 0)
		t_say("%s: %d %s", what, (int)r, r < 0 ? t_errno(errno) : "");
	else
		t_status(what, status);
}

static void
by_wait4(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	T(kill(pid, SIGSTOP));
	one("stopped", WUNTRACED);
	one("only once", WUNTRACED | WNOHANG);
	T(kill(pid, SIGCONT));
	one("continued", WCONTINUED);
	one("only once", WCONTINUED | WNOHANG);
	T(kill(pid, SIGTSTP));
	one("stopped by SIGTSTP", WUNTRACED);
	T(kill(pid, SIGTTIN));
	t_sleep_ms(20);
	one("stays stopped", WUNTRACED | WNOHANG);
	T(kill(pid, SIGUSR2));
	t_sleep_ms(20);
	one("SIGUSR2 waits for SIGCONT", WUNTRACED | WNOHANG);
	T(kill(pid, SIGCONT));
	one("SIGUSR2 kills it now", 0);
}

static void
stop_and_cont_cancel(void)
{
	sigset_t set, pend;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTSTP);
	sigpending(&pend);
	t_say("SIGTSTP pending %d", sigismember(&pend, SIGTSTP));
	raise(SIGCONT);
	sigpending(&pend);
	t_say("SIGTSTP pending %d SIGCONT pending %d", sigismember(&pend, SIGTSTP), sigismember(&pend,
	    SIGCONT));
	raise(SIGTSTP);
	sigpending(&pend);
	t_say("SIGTSTP pending %d SIGCONT pending %d", sigismember(&pend, SIGTSTP), sigismember(&pend,
	    SIGCONT));
	raise(SIGCONT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
by_waitid(void)
{
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		raise(SIGSTOP);
		_exit(4);
	}
	T(waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOWAIT));
	t_say("code %d status %s", si.si_code == CLD_STOPPED, t_signal(si.si_status));
	T(waitid(P_PID, (id_t)pid, &si, WSTOPPED));
	T(waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOHANG));
	kill(pid, SIGCONT);
	T(waitid(P_PID, (id_t)pid, &si, WSTOPPED));
	t_say("code %d status %s", si.si_code == CLD_STOPPED, t_signal(si.si_status));
	T(waitid(P_PID, (id_t)pid, &si, WCONTINUED | WNOHANG));
	kill(pid, SIGCONT);
	T(waitid(P_PID, (id_t)pid, &si, WEXITED));
	t_say("code %d status %d", si.si_code == CLD_EXITED, si.si_status);
}

/* The notice of a continue comes from the child itself, a little after wait can see it. */
static void
settle(int n)
{
	for (int i = 0; i < 500 && chlds < n; i++)
		t_sleep_ms(1);
}

static void
notices(void)
{
	pid_t pid;

	t_handle_info(SIGCHLD, on_chld, SA_RESTART);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	settle(1);
	t_say("SIGCHLD %d code %d status %s", (int)chlds, last_code == CLD_STOPPED, t_signal(last_status));
	kill(pid, SIGCONT);
	waitpid(pid, NULL, WCONTINUED);
	settle(2);
	t_say("SIGCHLD %d code %d status %s", (int)chlds, last_code == CLD_CONTINUED, t_signal(last_status));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	settle(3);
	t_say("SIGCHLD %d code %d status %s", (int)chlds, last_code == CLD_KILLED, t_signal(last_status));

	chlds = 0;
	t_handle_info(SIGCHLD, on_chld, SA_RESTART | SA_NOCLDSTOP);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, WCONTINUED);
	T(chlds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	T(chlds);
	signal(SIGCHLD, SIG_DFL);
}

/* A stopped process dies at once from SIGKILL, and from nothing else. */
static void
kill_stopped(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGTERM);
	t_sleep_ms(20);
	one("SIGTERM waits", WNOHANG);
	kill(pid, SIGKILL);
	one("SIGKILL does not", 0);
}

int
main(void)
{
	/* In the parent's session and group: not orphaned as long as the driver is in the same session. */
	if (t_child("group of its own") == 0) {
		setpgid(0, 0);
		by_wait4();
		stop_and_cont_cancel();
		by_waitid();
		notices();
		kill_stopped();
		_exit(0);
	}
	return 0;
}
