/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile calls - every system call number with arguments that mean harm.
 *
 * A child without rights makes one call with bad pointers, huge numbers or
 * pseudo-random values.  What the call answers is its own business; the parent,
 * and the data that it watches, must come out unharmed.  needs: root
 */
#include "t.h"

#define ROUNDS	6
#define NR_MAX	462

/* Calls that end or stop the caller by design, or reach other processes of the same user. */
static bool
skipped(long nr)
{
	static const short list[] = {
		SYS_exit, SYS_exit_group, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
		SYS_fork, SYS_vfork, SYS_clone, 435 /* clone3 */, SYS_reboot, 424 /* pidfd_send_signal */, SYS_vhangup,
		SYS_ptrace, SYS_setpriority, SYS_ioprio_set, SYS_sched_setscheduler, SYS_sched_setparam,
		SYS_sched_setaffinity, SYS_sched_setattr, SYS_prlimit64, SYS_process_vm_writev, SYS_sync, SYS_syncfs,
		SYS_shmget, SYS_semget, SYS_msgget, SYS_shmctl, SYS_semctl, SYS_msgctl, SYS_semop, SYS_semtimedop,
		SYS_msgsnd, SYS_msgrcv, SYS_shmat, SYS_shmdt, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_socket,
		SYS_socketpair, SYS_mq_open, SYS_mq_unlink,
	};

	for (size_t i = 0; i < T_COUNT(list); i++)
		if (list[i] == nr)
			return true;
	return false;
}

static long
argument(int round, uint64_t *seed)
{
	static const uint64_t nasty[] = {
		0, 1, 8, (uint64_t)-1, (uint64_t)-4096, 0x7fffffffffff, 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
		0x8000000000000000, 0x7fffffffffffffff, 0xffffffff, 0x7fffffff, 0x80000000, 4095, 4096, 4097, 0x1000000000,
	};

	switch (round) {
	case 0: return 8;
	case 1: return -1;
	case 2: return (long)0xffff888000001000;
	case 3: return 0;
	default: return (long)nasty[t_rand(seed) % T_COUNT(nasty)];
	}
}

static void
attack(long nr, int round)
{
	uint64_t seed = (uint64_t)nr * 977 + (uint64_t)round;
	long a[6];

	for (int i = 0; i < 6; i++)
		a[i] = argument(round, &seed);
	for (int fd = 0; fd < 20; fd++)
		close(fd);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, 0 });
	setpgid(0, 0);
	if (syscall(SYS_setgid, 64999) != 0 || syscall(SYS_setuid, 64999) != 0)
		_exit(1);
	syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	_exit(0);
}

/* Wait at most a moment, then kill: many of these calls wait for ever by right. */
static void
collect(pid_t *pid, int n)
{
	for (int waited = 0; waited < 60; waited++) {
		int left = 0;

		for (int i = 0; i < n; i++)
			if (pid[i] > 0) {
				if (waitpid(pid[i], NULL, WNOHANG) != 0)
					pid[i] = 0;
				else
					left++;
			}
		if (left == 0)
			return;
		t_sleep_ms(1);
	}
	for (int i = 0; i < n; i++)
		if (pid[i] > 0) {
			kill(pid[i], SIGKILL);
			waitpid(pid[i], NULL, 0);
		}
}

int
main(void)
{
	char *guard = t_pages(8);
	volatile int *shared = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int calls = 0, bad = 0;

	memset(guard, 0x5a, 8 * T_PAGE);
	*shared = 123;
	for (long nr = 0; nr < NR_MAX; nr++) {
		pid_t pid[ROUNDS];

		if (skipped(nr))
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			pid[round] = fork();
			if (pid[round] == 0)
				attack(nr, round);
			if (pid[round] < 0)
				bad++;
		}
		collect(pid, ROUNDS);
		calls++;
	}
	for (int i = 0; i < 8 * T_PAGE; i++)
		bad += guard[i] != 0x5a;
	bad += *shared != 123;
	t_say("calls %d bad %d", calls, bad);
	t_file("after", "the file system still works", 0644);
	t_cat("after");
	if (t_child("so does fork") == 0)
		_exit(0);
	return 0;
}
