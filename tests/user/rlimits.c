/* SPDX-License-Identifier: BSD-2-Clause */
/* Resource limits - getting, setting, and what they stop.  needs: root */
#include "t.h"

static void
get_and_set(void)
{
	struct rlimit rl, old;

	for (int r = 0; r < 16; r++)
		T_SYS(getrlimit, r, &rl);
	T_SYS(getrlimit, 16, &rl);
	T_SYS(getrlimit, -1, &rl);
	rl = (struct rlimit){ 10, 5 };
	T(setrlimit(RLIMIT_NOFILE, &rl));
	if (t_child("lowering and raising") == 0) {
		rl = (struct rlimit){ 50, 100 };
		T(setrlimit(RLIMIT_NOFILE, &rl));
		getrlimit(RLIMIT_NOFILE, &rl);
		t_say("%d %d", (int)rl.rlim_cur, (int)rl.rlim_max);
		if (t_child("inherited") == 0) {
			getrlimit(RLIMIT_NOFILE, &rl);
			_exit((int)rl.rlim_cur);
		}
		t_need(setgid(1000) == 0 && setuid(1000) == 0, "setuid");
		rl = (struct rlimit){ 100, 100 };
		T(setrlimit(RLIMIT_NOFILE, &rl));
		rl = (struct rlimit){ 100, 101 };
		T(setrlimit(RLIMIT_NOFILE, &rl));
		rl = (struct rlimit){ 101, 100 };
		T(setrlimit(RLIMIT_NOFILE, &rl));
		_exit(0);
	}
	rl = (struct rlimit){ 40, 60 };
	if (t_child("prlimit") == 0) {
		T(prlimit(0, RLIMIT_NOFILE, &rl, &old));
		T(prlimit(getpid(), RLIMIT_NOFILE, NULL, &old));
		t_say("%d %d", (int)old.rlim_cur, (int)old.rlim_max);
		T(prlimit(INT_MAX, RLIMIT_NOFILE, NULL, &old));
		T_SYS(prlimit64, 0, 99, NULL, &old);
		T_SYS(prlimit64, 0, RLIMIT_NOFILE, 8, NULL);
		T_SYS(prlimit64, 0, RLIMIT_NOFILE, NULL, 8);
		_exit(0);
	}
}

static void
memory(void)
{
	struct rlimit rl;

	if (t_child("RLIMIT_AS") == 0) {
		rl = (struct rlimit){ 64 << 20, 64 << 20 };
		setrlimit(RLIMIT_AS, &rl);
		T(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
		T(mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
		_exit(0);
	}
	if (t_child("RLIMIT_DATA") == 0) {
		char *brk0 = (char *)syscall(SYS_brk, 0);

		rl = (struct rlimit){ 1 << 20, 1 << 20 };
		setrlimit(RLIMIT_DATA, &rl);
		t_say("break moves by %ld", (long)((char *)syscall(SYS_brk, brk0 + (8 << 20)) - brk0));
		T(mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
		T(mmap(NULL, 8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
		_exit(0);
	}
	/* Processes per user: not for root. */
	if (t_child("RLIMIT_NPROC") == 0) {
		rl = (struct rlimit){ 3, 3 };
		setrlimit(RLIMIT_NPROC, &rl);
		t_need(setgid(54321) == 0 && setuid(54321) == 0, "setuid");
		pid_t a = fork();
		if (a == 0) {
			pause();
			_exit(0);
		}
		pid_t b = fork();
		if (b == 0) {
			pause();
			_exit(0);
		}
		T(fork());
		kill(a, SIGKILL);
		kill(b, SIGKILL);
		wait(NULL);
		wait(NULL);
		if (t_child("room again") == 0)
			_exit(0);
		_exit(0);
	}
}

static void
priorities(void)
{
	if (t_child("priorities") == 0) {
		T(getpriority(PRIO_PROCESS, 0));
		T(nice(5));
		T(getpriority(PRIO_PROCESS, 0));
		T(nice(-3));
		T(nice(100));
		T(getpriority(PRIO_PROCESS, 0));
		T_SYS(getpriority, PRIO_PROCESS, 0);
		T(getpriority(PRIO_PROCESS, INT_MAX));
		T(getpriority(77, 0));
		T(setpriority(PRIO_PROCESS, 0, -100));
		T(getpriority(PRIO_PROCESS, 0));
		t_need(setgid(1000) == 0 && setuid(1000) == 0, "setuid");
		T(setpriority(PRIO_PROCESS, 0, -21));
		T(setpriority(PRIO_PROCESS, 0, 3));
		T(setpriority(PRIO_PROCESS, 0, 1));
		if (t_child("inherited") == 0)
			_exit(getpriority(PRIO_PROCESS, 0));
		_exit(0);
	}
}

int
main(void)
{
	get_and_set();
	memory();
	priorities();
	return 0;
}
