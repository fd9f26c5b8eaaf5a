/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver - run many test programs in one boot and frame what each said.
 *
 *	driver [-t SECONDS] SCRATCH PROGRAM...
 *
 * Every program gets its own session, an empty directory SCRATCH/NAME, null
 * as descriptor 0 and a pipe as 1 and 2.  Its output is passed on between
 * "=== begin NAME" and "=== end NAME STATUS"; a frame is written only when
 * the program is over, so that a frame that is there is whole.  A program that is
 * not done in time has its process group killed and the status "timeout".
 */
#include "t.h"

#define OUT_MAX	(1u << 20)

static char output[OUT_MAX];

static void
put(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t r = write(1, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			_exit(98);
		p += r;
		n -= (size_t)r;
	}
}

static void
become(const char *scratch, const char *path, int out)
{
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	char dir[PATH_MAX];
	char *argv[] = { (char *)(uintptr_t)path, NULL };
	char *envp[] = { "PATH=/bin:/usr/bin", "LC_ALL=C", NULL };
	int fd;

	snprintf(dir, sizeof dir, "%s/%s", scratch, name);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	umask(022);
	fd = open("/dev/null", O_RDONLY);
	if (fd != 0 && fd >= 0)
		dup2(fd, 0);
	dup2(out, 1);
	dup2(out, 2);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	if (mkdir(dir, 0755) < 0 || chdir(dir) < 0) {
		t_say("driver: %s: %s", dir, t_errno(errno));
		_exit(126);
	}
	execve(path, argv, envp);
	t_say("driver: %s: %s", path, t_errno(errno));
	_exit(127);
}

/* Read until every writer is gone, the buffer is full, or the time is up. */
static size_t
collect(int in, int64_t deadline, bool *late)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	size_t have = 0;
	ssize_t r;

	*late = false;
	while (have < OUT_MAX) {
		int64_t left = deadline - t_now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			*late = true;
			break;
		}
		r = read(in, output + have, OUT_MAX - have);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		have += (size_t)r;
	}
	return have;
}

static void
run_one(const char *scratch, const char *path, long seconds)
{
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	char line[256];
	int p[2], status = 0, n;
	bool late;
	size_t have;
	pid_t pid;

	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	t_need(pid >= 0, "fork");
	if (pid == 0) {
		close(p[0]);
		become(scratch, path, p[1]);
	}
	close(p[1]);
	have = collect(p[0], t_now_ms() + seconds * 1000, &late);
	close(p[0]);
	if (late)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	n = snprintf(line, sizeof line, "=== begin %s\n", name);
	put(line, (size_t)n);
	put(output, have);
	if (late)
		n = snprintf(line, sizeof line, "\n=== end %s timeout\n", name);
	else
		n = snprintf(line, sizeof line, "\n=== end %s %s %d\n", name, WIFEXITED(status) ? "exit" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	put(line, (size_t)n);
}

int
main(int argc, char **argv)
{
	long seconds = 60;
	int i = 1;

	if (argc > 3 && strcmp(argv[1], "-t") == 0) {
		seconds = atol(argv[2]);
		i = 3;
	}
	if (argc < i + 2) {
		fprintf(stderr, "usage: driver [-t SECONDS] SCRATCH PROGRAM...\n");
		return 2;
	}
	for (int fd = 3; fd < 1024; fd++)	/* whatever a caller left open: programs count descriptors */
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	put("\n", 1);				/* a PC's firmware leaves a line without an end */
	mkdir(argv[i], 0755);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (int k = i + 1; k < argc; k++) {
		run_one(argv[i], argv[k], seconds);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return 0;
}
