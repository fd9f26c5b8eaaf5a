/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debugged - --gdb, --gdb-stub, --trace, --on-panic: this program again looks at this process from another.
 *
 * A panic ends in the main thread, with the CPU that panicked still on its stack: so whoever comes then
 * finds all as it was.  Where Yama lets only ancestors debug, a process may say who else: what we start,
 * or anybody when somebody is waited for.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int terminal = STDIN_FILENO;	/* what a debugger's input is */
static pid_t tracer, stub;		/* 0: none */

void
debugger_prepare(const struct options *o)
{
	bool anybody = o->o_gdb == GDB_WAIT || o->o_on_panic == PANIC_STOP;

	if (o->o_gdb != GDB_NONE || o->o_on_panic != PANIC_EXIT || o->o_traces != 0 || o->o_stub != NULL)
		prctl(PR_SET_PTRACER, anybody ? PR_SET_PTRACER_ANY : (unsigned long)getpid(), 0, 0, 0);
	if (o->o_gdb != GDB_HERE)
		return;
	/* Two who read from one terminal would share its lines. */
	terminal = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (freopen("/dev/null", "r", stdin) == NULL)
		say_error(NULL, "/dev/null: %s", strerror(errno));
}

/* This program again, on our terminal; `later`: 0, or a signal that it lets in itself.  -1: told already. */
static pid_t
again(const char *const argv[], int later)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t blocked;
	pid_t pid = -1;
	int error;

	sigemptyset(&blocked);
	if (later != 0)
		sigaddset(&blocked, later);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, terminal, STDIN_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &blocked);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&pid, "/proc/self/exe", &files, &attr, (char **)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	if (error != 0)
		say_error(NULL, "%s: %s", argv[1], strerror(error));
	return error != 0 ? -1 : pid;
}

static pid_t
start_gdb(void)
{
	static char number[16];

	snprintf(number, sizeof number, "%d", getpid());
	return again((const char *const[]){ "vkernel", "gdb", number, NULL }, 0);
}

static bool
is_debugged(void)
{
	char line[128];
	int by = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL && sscanf(line, "TracerPid: %d", &by) != 1)
		continue;
	if (f != NULL)
		fclose(f);
	return by != 0;
}

static void
start_tracer(const struct options *o, const char *number)
{
	const char *argv[5 + 2 * TRACES_MAX + 1] = { "vkernel", "trace", number, "--all", "-q" };

	for (uint32_t i = 0; i < o->o_traces; i++) {
		argv[5 + 2 * i] = "-o";
		argv[6 + 2 * i] = o->o_trace[i];
	}
	tracer = again(argv, SIGTERM);
}

void
debugger_begin(const struct options *o)
{
	static char number[16];
	pid_t gdb = 0;

	snprintf(number, sizeof number, "%d", getpid());
	if (o->o_traces != 0)
		start_tracer(o, number);
	if (o->o_stub != NULL)
		stub = again((const char *const[]){ "vkernel", "stub", number, o->o_stub, NULL }, 0);
	if (o->o_gdb == GDB_NONE)
		return;
	if (o->o_gdb == GDB_WAIT)
		fprintf(stderr, "vkernel: waits for a debugger: vkernel gdb %d\n", getpid());
	else
		gdb = start_gdb();
	while (gdb >= 0 && !is_debugged() && (gdb == 0 || waitpid(gdb, NULL, WNOHANG) == 0))
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

void
debugger_panic(const struct options *o)
{
	char number[16], file[64];
	pid_t pid = -1;

	snprintf(number, sizeof number, "%d", getpid());
	snprintf(file, sizeof file, "vkernel-%s.core", number);
	switch (o->o_on_panic) {
	case PANIC_EXIT:
		return;
	case PANIC_STOP:
		fprintf(stderr, "vkernel: stopped: vkernel gdb %s; kill -CONT %s ends it\n", number, number);
		raise(SIGSTOP);
		return;
	case PANIC_GDB:
		pid = start_gdb();
		break;
	case PANIC_DUMP:
		pid = again((const char *const[]){ "vkernel", "dump", number, "-o",
		    o->o_dump_file != NULL ? o->o_dump_file : file, NULL }, 0);
		break;
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static void
end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* A tracer takes what has come since it last looked. */
void
debugger_end(void)
{
	end(tracer);
	end(stub);
}
