/* SPDX-License-Identifier: BSD-2-Clause */
/* Robust locks - the owner ends without giving them back: a thread, a process. */
#include "t.h"
#include <pthread.h>

static void *
takes(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

int
main(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t at;
	pthread_t t;
	int error, p[2];
	char c = 'x';

	t_need(m != MAP_FAILED && pipe(p) == 0, "mmap, pipe");
	pthread_mutexattr_init(&at);
	pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&at, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&m[0], &at);
	pthread_mutex_init(&m[1], &at);

	pthread_create(&t, NULL, takes, &m[0]);
	pthread_join(t, NULL);
	error = pthread_mutex_lock(&m[0]);
	t_say("after a thread: %s", t_errno(error));
	T(pthread_mutex_consistent(&m[0]));
	T(pthread_mutex_unlock(&m[0]));
	T(pthread_mutex_lock(&m[0]));

	if (fork() == 0) {
		pthread_mutex_lock(&m[1]);
		(void)!write(p[1], &c, 1);
		t_sleep_ms(20);
		_exit(0);
	}
	t_need(read(p[0], &c, 1) == 1, "the child has it");
	error = pthread_mutex_lock(&m[1]);		/* waits for the end of the child */
	t_say("after a process: %s", t_errno(error));
	return 0;
}
