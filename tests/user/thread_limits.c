/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fork and thread bombs up to RLIMIT_NPROC: needs: root, to become a user that has nothing else, not even this
 * test run once more beside it.
 */
#include "t.h"
#include <pthread.h>

#define LIMIT	24
#define USER	(100000 + (unsigned)getpid())

static _Atomic int go;

static void
be_user(void)
{
	struct rlimit rl = { LIMIT, LIMIT };

	t_need(setrlimit(RLIMIT_NPROC, &rl) == 0, "setrlimit");
	t_need(setgid(USER) == 0 && setuid(USER) == 0, "setuid");
}

/* Children until fork fails; returns how many. */
static int
fork_all(pid_t *kids, int max)
{
	int n = 0;

	while (n < max && (kids[n] = fork()) >= 0) {
		if (kids[n] == 0)
			for (;;)
				pause();
		n++;
	}
	return n;
}

static void
reap(pid_t *kids, int n)
{
	for (int i = 0; i < n; i++)
		kill(kids[i], SIGKILL);
	for (int i = 0; i < n; i++)
		waitpid(kids[i], NULL, 0);
}

static void *
stay(void *arg)
{
	while (!go)
		t_sleep_ms(1);
	return arg;
}

static int
alive(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	int n = 0;

	while (n == 0 && fgets(line, sizeof line, f) != NULL)
		sscanf(line, "Threads: %d", &n);
	fclose(f);
	return n;
}

/* A thread counts until it is gone, which may be a little after it was joined. */
static void
threads(void)
{
	pthread_t t[64];
	int n = 0, error = 0;

	go = 0;
	while (n < 64 && (error = pthread_create(&t[n], NULL, stay, NULL)) == 0)
		n++;
	t_say("threads beside the first: %d, then %s", n, t_errno(error));
	T(fork());
	go = 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	while (alive() > 1)
		t_sleep_ms(1);
}

/* Several processes, once they are all there, fork as fast as they can: together not one too many. */
static void
bomb(void)
{
	_Atomic int *done = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_Atomic int *begin = done + 1;
	int p[2], many = 0;
	pid_t kids[4];
	char buf[64];
	ssize_t n;

	t_need(pipe(p) == 0, "pipe");
	for (int i = 0; i < 4; i++) {
		kids[i] = fork();
		t_need(kids[i] >= 0, "fork");
		if (kids[i] == 0) {
			pid_t more[64];
			int got;

			while (!*begin)
				t_sleep_ms(1);
			got = fork_all(more, 64);
			for (int k = 0; k < got; k++)
				(void)!write(p[1], "x", 1);
			for (++*done; *done < 4; )
				t_sleep_ms(1);
			reap(more, got);
			_exit(0);
		}
	}
	*begin = 1;
	close(p[1]);
	for (int i = 0; i < 4; i++)
		waitpid(kids[i], NULL, 0);
	while ((n = read(p[0], buf, sizeof buf)) > 0)
		many += (int)n;
	t_say("bombs made %s", many == LIMIT - 5 ? "all that was left" : many > LIMIT - 5 ? "too many" : "too few");
}

int
main(void)
{
	pid_t kids[64];
	int n;

	if (t_child("user") == 0) {
		be_user();
		n = fork_all(kids, 64);
		t_say("children: %d, then %s", n, t_errno(errno));
		reap(kids, n);
		n = fork_all(kids, 64);
		t_say("again: %d, then %s", n, t_errno(errno));
		reap(kids, n);
		threads();
		bomb();
		threads();
		_exit(0);
	}
	return 0;
}
