/* SPDX-License-Identifier: BSD-2-Clause */
/* Ptrace, one thread of a process only: the process's parent hears of its end when the tracer has waited for the thread's. */
#include "t.h"
#include <pthread.h>
#include <sys/ptrace.h>

#define SET_PTRACER 0x59616d61

static int told[2], seen[2], go[2];

static void *
second(void *arg)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	prctl(SET_PTRACER, -1L, 0, 0, 0);
	t_need(write(told[1], &tid, sizeof tid) == sizeof tid, "write");
	pause();
	return arg;
}

static void
two_threads(void)
{
	pthread_t t;

	t_need(pthread_create(&t, NULL, second, NULL) == 0, "pthread_create");
	for (;;)
		pause();
}

static void
tracer(pid_t tid)
{
	siginfo_t si = { 0 };
	int status;
	char c;

	T(ptrace(PTRACE_SEIZE, tid, 0, 0));
	t_need(write(seen[1], "s", 1) == 1, "write");
	T(waitid(P_PID, (id_t)tid, &si, WEXITED | WNOWAIT | __WALL));
	t_say("it was the thread %d, code %d status %d", si.si_pid == tid, si.si_code, si.si_status);
	t_need(write(seen[1], "d", 1) == 1 && read(go[0], &c, 1) == 1, "pipe");
	t_say("waited %d", waitpid(tid, &status, __WALL) == tid);
	t_status("thread", status);
	_exit(0);
}

int
main(void)
{
	int status = 0;
	pid_t tid, pid, other;
	char c;

	t_need(pipe(told) == 0 && pipe(seen) == 0 && pipe(go) == 0, "pipe");
	pid = fork();
	if (pid == 0)
		two_threads();
	t_need(read(told[0], &tid, sizeof tid) == sizeof tid, "read");
	other = fork();
	if (other == 0)
		tracer(tid);
	t_need(read(seen[0], &c, 1) == 1, "read");
	t_need(kill(pid, SIGKILL) == 0, "kill");
	t_need(read(seen[0], &c, 1) == 1, "read");
	t_sleep_ms(20);
	T(waitpid(pid, &status, WNOHANG));
	t_need(write(go[1], "g", 1) == 1, "write");
	T(waitpid(other, &status, 0) == other);
	t_status("tracer", status);
	T(waitpid(pid, &status, 0) == pid);
	t_status("process", status);
	return 0;
}
