/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace - events, group stops, seizing, threads, the tracer's end. */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define P(req, pid, addr, data)	syscall(SYS_ptrace, (long)(req), (long)(pid), (long)(addr), (long)(data))
#define ALL	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD)

static pid_t first, other;		/* of the processes that a test watches */

static const char *
name(pid_t pid)
{
	return pid == first ? "first" : "other";
}

/* Wait for pid (-1: any) and show what came; its status. */
static int
see(pid_t pid)
{
	unsigned long msg = 0;
	int status = 0;
	char what[100];
	pid_t r = waitpid(pid, &status, __WALL);

	if (r < 0) {
		t_say("wait: %s", t_errno(errno));
		return -1;
	}
	if (r != first && other == 0)
		other = r;
	snprintf(what, sizeof what, "%s", name(r));
	if (!WIFSTOPPED(status) || status >> 16 == 0) {
		t_status(what, status);
		return status;
	}
	P(PTRACE_GETEVENTMSG, r, 0, &msg);
	if (status >> 16 == PTRACE_EVENT_EXIT)
		t_say("%s: %s event %d, status %#lx", what, t_signal(WSTOPSIG(status)), status >> 16, msg);
	else if (status >> 16 == PTRACE_EVENT_STOP)
		t_say("%s: %s event %d", what, t_signal(WSTOPSIG(status)), status >> 16);
	else {
		if (status >> 16 != PTRACE_EVENT_EXEC && other == 0)
			other = (pid_t)msg;
		t_say("%s: %s event %d, of %s", what, t_signal(WSTOPSIG(status)), status >> 16,
		    name((pid_t)msg));
	}
	return status;
}

static pid_t
watched(void (*fn)(void), long options)
{
	pid_t pid = fork();

	if (pid == 0) {
		MUST(P(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		fn();
		_exit(7);
	}
	first = pid;
	other = 0;
	see(pid);
	T(P(PTRACE_SETOPTIONS, pid, 0, options));
	T(P(PTRACE_CONT, pid, 0, 0));
	return pid;
}

static void
forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(4);
	waitpid(pid, NULL, 0);
}

static void
fork_event(void)
{
	pid_t pid = watched(forks, ALL);

	see(pid);
	see(other);
	T(P(PTRACE_CONT, other, 0, 0));
	see(other);
	T(P(PTRACE_CONT, other, 0, 0));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(other);
	see(pid);				/* SIGCHLD */
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
}

static void
vforks(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(4);
	waitpid(pid, NULL, 0);
}

static void
vfork_event(void)
{
	pid_t pid = watched(vforks, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);

	see(pid);
	see(other);
	T(P(PTRACE_CONT, other, 0, 0));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(other);
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);				/* SIGCHLD */
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
}

static void
execs(void)
{
	char *av[] = { "x", "exec", NULL };

	execv("/proc/self/exe", av);
	_exit(99);
}

static void
exec_event(void)
{
	pid_t pid = watched(execs, ALL);

	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	pid = watched(execs, 0);
	see(pid);				/* SIGTRAP, plain */
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
}

static void
stops(void)
{
	raise(SIGTSTP);
}

/* A tracee's part in a group's stop, in the old way. */
static void
group_stop(void)
{
	pid_t pid = watched(stops, 0);
	siginfo_t si;

	see(pid);
	T(P(PTRACE_GETSIGINFO, pid, 0, &si));
	T(P(PTRACE_CONT, pid, 0, SIGSTOP));
	see(pid);
	T(P(PTRACE_GETSIGINFO, pid, 0, &si));
	T(waitpid(pid, NULL, WUNTRACED | WNOHANG));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	pid = watched(stops, 0);
	see(pid);
	T(P(PTRACE_CONT, pid, 0, SIGSTOP));
	see(pid);
	T(kill(pid, SIGCONT));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	T(P(PTRACE_CONT, pid, 0, SIGCONT));
	see(pid);
}

static pid_t
sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	first = pid;
	other = 0;
	return pid;
}

static char
state_of(pid_t pid, int *tracer)
{
	char path[64], text[1024], *s;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return '?';
	text[n] = '\0';
	*tracer = (s = strstr(text, "TracerPid:")) != NULL ? atoi(s + 10) : -1;
	return (s = strstr(text, "State:")) != NULL ? s[7] : '?';
}

static void
seize(void)
{
	pid_t pid = sleeper();
	siginfo_t si;
	int tracer;

	T(P(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT));
	T(P(PTRACE_CONT, pid, 0, 0));
	T(waitpid(pid, NULL, WNOHANG | __WALL));
	T(P(PTRACE_INTERRUPT, pid, 0, 0));
	see(pid);
	t_say("state %c", state_of(pid, &tracer));
	t_say("traced by me %d", tracer == getpid());
	T(P(PTRACE_GETSIGINFO, pid, 0, &si));
	t_say("code %#x", si.si_code);
	T(P(PTRACE_INTERRUPT, pid, 0, 0));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	kill(pid, SIGSTOP);
	see(pid);				/* about to be taken */
	T(P(PTRACE_LISTEN, pid, 0, 0));
	T(P(PTRACE_CONT, pid, 0, SIGSTOP));
	see(pid);				/* the group's stop */
	T(P(PTRACE_LISTEN, pid, 0, 0));
	T(P(PTRACE_CONT, pid, 0, 0));
	T(waitpid(pid, NULL, WNOHANG | __WALL));
	kill(pid, SIGCONT);
	see(pid);				/* news */
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);				/* SIGCONT itself */
	T(P(PTRACE_CONT, pid, 0, SIGCONT));
	T(P(PTRACE_INTERRUPT, pid, 0, 0));
	see(pid);
	T(P(PTRACE_DETACH, pid, 0, SIGINT));		/* no place to pass one on */
	t_sleep_ms(5);
	T(waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGTERM);
	see(pid);
}

static void
attach_stopped(void)
{
	pid_t pid = sleeper();

	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	T(P(PTRACE_SEIZE, pid, 0, 0));
	see(pid);
	T(P(PTRACE_DETACH, pid, 0, 0));
	T(waitpid(pid, NULL, WNOHANG | WUNTRACED));
	T(P(PTRACE_ATTACH, pid, 0, 0));
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	T(kill(pid, SIGKILL));
	see(pid);
}

static void *
idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *
leaves(void *arg)
{
	return arg;
}

static void
makes_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, leaves, NULL);
	pthread_join(t, NULL);
	_exit(0);
}

static void
thread_event(void)
{
	pid_t pid = watched(makes_thread, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT);

	see(pid);
	see(other);
	T(P(PTRACE_CONT, pid, 0, 0));
	T(P(PTRACE_CONT, other, 0, 0));
	see(other);
	T(P(PTRACE_CONT, other, 0, 0));
	see(other);
	see(pid);
	T(P(PTRACE_CONT, pid, 0, 0));
	see(pid);
}

static void
group_ends(void)
{
	pthread_t t;

	pthread_create(&t, NULL, idle, NULL);
	_exit(8);
}

static void
threads_end(void)
{
	pid_t pid = watched(group_ends, PTRACE_O_TRACECLONE);

	see(pid);
	see(other);
	T(P(PTRACE_CONT, other, 0, 0));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(other);
	see(pid);
	see(-1);
}

static void *
exec_now(void *arg)
{
	execs();
	return arg;
}

static void
thread_execs(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exec_now, NULL);
	for (;;)
		pause();
}

static void
exec_by_thread(void)
{
	pid_t pid = watched(thread_execs, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);

	see(pid);
	see(other);
	T(P(PTRACE_CONT, pid, 0, 0));
	T(P(PTRACE_CONT, other, 0, 0));
	see(-1);				/* under the process's number, telling the thread's */
	T(P(PTRACE_CONT, other, 0, 0));
	T(P(PTRACE_CONT, pid, 0, 0));
	see(-1);
	see(-1);
}

/* A tracer that is not the parent; the parent still hears of the end. */
static void
other_tracer(void)
{
	pid_t pid = sleeper(), tracer;
	int status, p[2], q[2];
	char c;

	T(pipe(p));
	T(pipe(q));
	tracer = fork();
	if (tracer == 0) {
		T(P(PTRACE_ATTACH, pid, 0, 0));
		see(pid);
		T(P(PTRACE_CONT, pid, 0, 0));
		MUST(write(p[1], "x", 1) == 1);
		see(pid);
		T(P(PTRACE_CONT, pid, 0, SIGTERM));
		t_sleep_ms(20);
		MUST(write(p[1], "x", 1) == 1);
		MUST(read(q[0], &c, 1) == 1);
		see(pid);
		_exit(0);
	}
	MUST(read(p[0], &c, 1) == 1);
	t_say("both are there %d", waitpid(pid, NULL, WNOHANG) == 0);
	T(P(PTRACE_ATTACH, pid, 0, 0));
	kill(pid, SIGTERM);
	MUST(read(p[0], &c, 1) == 1);
	t_say("not yet %d", waitpid(pid, NULL, WNOHANG) == 0);
	MUST(write(q[1], "x", 1) == 1);
	MUST(waitpid(tracer, &status, 0) == tracer);
	MUST(waitpid(pid, &status, 0) == pid);
	t_status("end", status);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

/* When the tracer ends, the tracee is free, or killed if that was asked for. */
static void
tracer_ends(long options)
{
	pid_t pid = sleeper(), tracer = fork();
	int status, was;

	if (tracer == 0) {
		MUST(P(PTRACE_SEIZE, pid, 0, options) == 0);
		MUST(P(PTRACE_INTERRUPT, pid, 0, 0) == 0);
		MUST(waitpid(pid, &status, __WALL) == pid);
		_exit(0);
	}
	waitpid(tracer, NULL, 0);
	if (options == 0) {
		/* Running, or asleep again already. */
		t_say("stopped %d", strchr("RS", state_of(pid, &was)) == NULL);
		T(was);
		kill(pid, SIGTERM);
	}
	waitpid(pid, &status, 0);
	t_status("tracee", status);
}

static void
waitid_tells(void)
{
	pid_t pid = watched(forks, PTRACE_O_TRACEFORK);
	siginfo_t si;

	memset(&si, 0, sizeof si);
	T(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	t_say("code %d status %#x", si.si_code, si.si_status);
	T(waitid(P_PID, (id_t)pid, &si, WEXITED));
	t_say("code %d status %#x", si.si_code, si.si_status);
	T(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG));
	T(P(PTRACE_KILL, pid, 0, 0));
	see(pid);
	see(-1);
	kill(other, SIGKILL);
	see(-1);
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "exec") == 0)
		return 11;
	(void)argv;
	alarm(20);
	fork_event();
	vfork_event();
	exec_event();
	group_stop();
	seize();
	attach_stopped();
	thread_event();
	threads_end();
	exec_by_thread();
	other_tracer();
	tracer_ends(0);
	tracer_ends(PTRACE_O_EXITKILL);
	waitid_tells();
	return 0;
}
