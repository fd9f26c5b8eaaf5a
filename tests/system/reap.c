/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap - run a command and see whether anything of it survives.
 *
 *   reap [-s SIGNAL] COMMAND [ARG]...
 *
 * It becomes a subreaper, so that whatever the command leaves behind becomes
 * its child, whoever made it.  With -s the command gets SIGNAL as soon as it has said something on
 * standard output.  Last line: "status N, survivors M"; N as a shell would say it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS	1000	/* the dying may take this long */

static void
sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

/* Children that are not dead yet after they had time to die. */
static int
count_survivors(void)
{
	for (int waited = 0; waited < SETTLE_MS; waited += 10) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			continue;
		if (pid < 0)
			return 0;	/* no child at all */
		sleep_ms(10);
	}
	char path[64], text[4096];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	if (fgets(text, sizeof text, f) != NULL)
		for (char *t = strtok(text, " \n"); t != NULL; t = strtok(NULL, " \n"))
			n++;
	fclose(f);
	return n;
}

int
main(int argc, char **argv)
{
	int c, sig = 0, status = 0, said[2];
	char byte;
	pid_t pid;

	while ((c = getopt(argc, argv, "+s:")) != -1) {
		if (c != 's')
			return 2;
		sig = atoi(optarg);
	}
	if (optind == argc || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe(said) < 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		if (sig != 0)
			dup2(said[1], STDOUT_FILENO);
		close(said[0]);
		close(said[1]);
		execvp(argv[optind], argv + optind);
		_exit(127);
	}
	if (pid < 0)
		return 2;
	close(said[1]);
	if (sig != 0 && read(said[0], &byte, 1) == 1)
		kill(pid, sig);
	if (waitpid(pid, &status, 0) != pid)
		return 2;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fflush(stdout);
	printf("status %d, survivors %d\n", status, count_survivors());
	return 0;
}
