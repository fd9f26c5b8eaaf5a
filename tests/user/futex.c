/* SPDX-License-Identifier: BSD-2-Clause */
/* futex - wait, wake and requeue between processes that share memory. */
#include "t.h"

#define FUTEX_WAIT		0
#define FUTEX_WAKE		1
#define FUTEX_REQUEUE		3
#define FUTEX_CMP_REQUEUE	4
#define FUTEX_WAIT_BITSET	9
#define FUTEX_WAKE_BITSET	10
#define PRIVATE			128

static volatile sig_atomic_t hits;

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

static void
alone(void)
{
	static int word = 5;
	struct timespec zero = { 0, 0 }, some = { 0, 20000000 }, bad = { 0, -1 };
	int64_t t0;

	T_SYS(futex, &word, FUTEX_WAKE, 1);
	T_SYS(futex, &word, FUTEX_WAKE | PRIVATE, 1);
	T_SYS(futex, &word, FUTEX_WAIT, 4, NULL);
	T_SYS(futex, &word, FUTEX_WAIT, 5, &zero);
	t0 = t_now_ms();
	T_SYS(futex, &word, FUTEX_WAIT | PRIVATE, 5, &some);
	T(t_now_ms() - t0 >= 19);
	T_SYS(futex, &word, FUTEX_WAIT, 5, &bad);
	T_SYS(futex, (char *)&word + 1, FUTEX_WAIT, 5, &zero);
	T_SYS(futex, 8, FUTEX_WAIT, 5, &zero);
	T_SYS(futex, 0xffff800000000000, FUTEX_WAIT, 5, &zero);
	T_SYS(futex, &word, 77, 5, &zero);
	T_SYS(futex, &word, FUTEX_WAIT_BITSET, 5, &zero, NULL, 0);
	T_SYS(futex, &word, FUTEX_WAKE_BITSET, 5, NULL, NULL, 0);
	T_SYS(futex, &word, FUTEX_CMP_REQUEUE, 1, 1, &word, 4);
	t_handle(SIGALRM, on_signal, 0);
	t_alarms(20);
	T_SYS(futex, &word, FUTEX_WAIT, 5, NULL);
	T(hits > 0);
	some.tv_sec = 100;
	t_handle(SIGALRM, on_signal, SA_RESTART);
	T_SYS(futex, &word, FUTEX_WAIT, 5, &some);
	t_alarms(0);
}

/* A lock and a counter that several processes use, with real contention. */
static void
contended(void)
{
	int *m = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status, bad = 0;

	for (int k = 0; k < 6; k++)
		if (fork() == 0) {
			for (int i = 0; i < 400; i++) {
				int c = 0;

				if (!__atomic_compare_exchange_n(&m[0], &c, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
					while (__atomic_exchange_n(&m[0], 2, __ATOMIC_ACQUIRE) != 0)
						syscall(SYS_futex, &m[0], FUTEX_WAIT, 2, NULL);
				}
				int v = m[1];
				if (i % 50 == 0)
					syscall(SYS_sched_yield);
				m[1] = v + 1;
				if (__atomic_exchange_n(&m[0], 0, __ATOMIC_RELEASE) == 2)
					syscall(SYS_futex, &m[0], FUTEX_WAKE, 1);
			}
			_exit(0);
		}
	while (wait(&status) > 0)
		bad += status != 0;
	t_say("counter %d bad %d", m[1], bad);
}

static void
requeue(void)
{
	int *m = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int moved = 0, woken = 0, status;

	for (int k = 0; k < 4; k++)
		if (fork() == 0)
			_exit(syscall(SYS_futex, &m[0], FUTEX_WAIT, 0, NULL) == 0 ? 0 : 1);
	/* One after the other goes to sleep, and is moved to the second word. */
	for (int i = 0; i < 2000 && moved < 4; i++) {
		long r = syscall(SYS_futex, &m[0], FUTEX_CMP_REQUEUE, 0, 4, &m[1], 0);

		if (r > 0)
			moved += (int)r;
		t_sleep_ms(1);
	}
	T(moved);
	T_SYS(futex, &m[0], FUTEX_WAKE, 10);
	T_SYS(futex, &m[1], FUTEX_WAKE, 1);
	T_SYS(futex, &m[1], FUTEX_WAKE, 10);
	for (int k = 0; k < 4 && wait(&status) > 0; k++)
		woken += status == 0;
	t_say("all ended: %d", woken);
	/* By file: the key is the object, not the address. */
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	t_need(ftruncate(fd, T_PAGE) == 0, "ftruncate");
	int *a = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int *b = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit((int)syscall(SYS_futex, a, FUTEX_WAIT, 0, NULL));
	int n = 0;
	for (int i = 0; i < 1000 && n == 0; i++) {
		t_sleep_ms(1);
		n = (int)syscall(SYS_futex, b, FUTEX_WAKE, 1);
	}
	T(n);
	waitpid(pid, &status, 0);
	t_status("waiter", status);
}

int
main(void)
{
	alone();
	contended();
	requeue();
	return 0;
}
