/* SPDX-License-Identifier: BSD-2-Clause */
/* Orphans - who gets the children of a process that dies, and the signal at a parent's death. */
#include "t.h"

static void
to_subreaper(void)
{
	int p[2], status;
	pid_t me = getpid(), mid, kid = 0;
	char c = 0;

	T(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	t_need(pipe(p) == 0, "pipe");
	mid = fork();
	if (mid == 0) {
		pid_t down = getpid();

		if (fork() == 0) {
			while (getppid() == down)
				t_sleep_ms(1);
			c = getppid() == me;
			_exit(write(p[1], &c, 1) == 1 ? 21 : 22);
		}
		_exit(20);
	}
	close(p[1]);
	T(waitpid(mid, &status, 0) == mid);
	t_status("parent of the orphan", status);
	T(read(p[0], &c, 1));
	t_say("the orphan's parent is the subreaper: %d", c);
	kid = waitpid(-1, &status, 0);
	T(kid > 0);
	t_status("orphan", status);
	T(waitpid(-1, &status, 0));
	close(p[0]);
}

/* A zombie whose parent dies is passed on too, and can be waited for there. */
static void
zombie_passed_on(void)
{
	siginfo_t si;
	int n = 0, status;

	if (fork() == 0) {
		for (int i = 0; i < 3; i++)
			if (fork() == 0)
				_exit(30);
		for (int i = 0; i < 3; i++)
			waitid(P_ALL, 0, &si, WEXITED | WNOWAIT);
		t_sleep_ms(30);
		_exit(31);
	}
	while (waitpid(-1, &status, 0) > 0)
		n++;
	T(n);
}

static void
death_signal(void)
{
	int p[2], status, sig = -1;
	pid_t mid;
	char c;

	T(prctl(PR_SET_PDEATHSIG, 99, 0, 0, 0));
	T(prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0));
	T(sig);
	t_need(pipe(p) == 0, "pipe");
	mid = fork();
	if (mid == 0) {
		if (fork() == 0) {
			close(p[0]);
			prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
			prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0);
			t_say("signal at the parent's death: %s", t_signal(sig));
			if (fork() == 0) {
				prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0);
				t_say("not inherited: %d", sig);
				_exit(0);
			}
			wait(NULL);
			c = 'r';
			if (write(p[1], &c, 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(p[1]);
		if (read(p[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	close(p[0]);
	close(p[1]);
	waitpid(mid, &status, 0);
	t_status("the parent", status);
	waitpid(-1, &status, 0);
	t_status("its child", status);
}

int
main(void)
{
	to_subreaper();
	zombie_passed_on();
	death_signal();
	return 0;
}
