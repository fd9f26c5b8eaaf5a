/* SPDX-License-Identifier: BSD-2-Clause */
/* exec - what a process keeps, and what it loses, when its program changes. */
#include "t.h"

static char self[PATH_MAX];

static void
on_signal(int sig)
{
	(void)sig;
}

static int
after(char **argv)
{
	struct sigaction sa;
	struct itimerval it;
	stack_t ss;
	sigset_t set;
	pid_t pid = (pid_t)atol(argv[2]);
	char buf[64];
	int keep = atoi(argv[3]), gone = atoi(argv[4]);

	T(getpid() == pid);
	sigaction(SIGUSR1, NULL, &sa);
	t_say("handled signal is %s", sa.sa_handler == SIG_DFL ? "default" : "not default");
	sigaction(SIGUSR2, NULL, &sa);
	t_say("ignored signal is %s", sa.sa_handler == SIG_IGN ? "ignored" : "not ignored");
	sigaction(SIGCHLD, NULL, &sa);
	t_say("ignored SIGCHLD is %s", sa.sa_handler == SIG_IGN ? "ignored" : "not ignored");
	sigprocmask(SIG_SETMASK, NULL, &set);
	T(sigismember(&set, SIGTERM));
	T(sigismember(&set, SIGINT));
	sigpending(&set);
	T(sigismember(&set, SIGTERM));
	T(sigismember(&set, SIGINT));
	sigaltstack(NULL, &ss);
	t_say("alternate stack is %s", ss.ss_flags & SS_DISABLE ? "off" : "on");
	T(fcntl(keep, F_GETFD));
	T(fcntl(gone, F_GETFD));
	T(lseek(keep, 0, SEEK_CUR));
	getitimer(ITIMER_REAL, &it);
	t_say("interval timer is %s", it.it_value.tv_sec > 50 ? "running" : "off");
	T(umask(022));
	T(access("inside", F_OK));
	memset(buf, 0, sizeof buf);
	T(prctl(PR_GET_NAME, buf, 0, 0, 0));
	t_say("name starts anew: %d", strcmp(buf, "oldname") != 0);
	T(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	T(getpgrp() == pid);
	struct rlimit rl;
	getrlimit(RLIMIT_CORE, &rl);
	t_say("core limit %ld", (long)rl.rlim_cur);
	return 9;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "after") == 0)
		return after(argv);
	snprintf(self, sizeof self, "%s", argv[0]);
	if (t_child("the new program") == 0) {
		static char alt[1 << 16];
		stack_t ss = { .ss_sp = alt, .ss_size = sizeof alt };
		struct itimerval it = { { 0, 0 }, { 100, 0 } };
		struct rlimit rl = { 0, 0 };
		sigset_t set;
		char pid[16], keep[16], gone[16];
		int fd;

		setpgid(0, 0);
		t_handle(SIGUSR1, on_signal, 0);
		signal(SIGUSR2, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigaddset(&set, SIGINT);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTERM);
		T(sigaltstack(&ss, NULL));
		t_file("f", "0123456789", 0644);
		fd = open("f", O_RDONLY);
		lseek(fd, 4, SEEK_SET);
		snprintf(keep, sizeof keep, "%d", fd);
		snprintf(gone, sizeof gone, "%d", open("f", O_RDONLY | O_CLOEXEC));
		snprintf(pid, sizeof pid, "%d", (int)getpid());
		setitimer(ITIMER_REAL, &it, NULL);
		umask(051);
		mkdir("d", 0777);
		if (chdir("d") != 0)
			_exit(1);
		t_file("inside", "", 0644);
		T(prctl(PR_SET_NAME, "oldname", 0, 0, 0));
		T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		setrlimit(RLIMIT_CORE, &rl);
		execl(self, "x", "after", pid, keep, gone, (char *)NULL);
		t_say("exec: %s", t_errno(errno));
		_exit(1);
	}
	return 0;
}
