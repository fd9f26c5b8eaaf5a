/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes and signals, seen from inside: the tests run as process 1, whose
 * children are processes that the kernel makes and that never see user mode.
 */
#include <abi/errno.h>
#include <abi/resource.h>
#include <abi/wait.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/file/exec.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>
#include <sys/vm/map.h>

/* ----------------------------------------------------- tests in process 1 -- */

static struct waitq job_waitq = WAITQ_INIT(job_waitq);
static void (*_Atomic job)(void);
static bool started;

static void
process_one(void *arg)
{
	int error;

	(void)arg;
	for (;;) {
		WAIT_FOR(&job_waitq, job != NULL, NSEC_NEVER, 0, error);
		if (KCHECK(error == 0))
			job();
		job = NULL;
		wake_all(&job_waitq);
	}
}

static void
in_process(void (*fn)(void))
{
	int error;

	if (!started && !KCHECK(proc_create_first(process_one, NULL) == 0))
		return;
	started = true;
	job = fn;
	wake_all(&job_waitq);
	WAIT_FOR(&job_waitq, job == NULL, NSEC_NEVER, 0, error);
	KCHECK(error == 0);
}
#define PROC_TEST(name)			\
	static void name(void);		\
	KTEST(proc_##name) { in_process(name); }	\
	static void name(void)

/* Children that do one thing. */
static void
exits(void *arg)
{
	proc_exit(W_EXITCODE((int)(intptr_t)arg, 0));
}

static void
waits(void *arg)
{
	(void)arg;
	while (!sig_killed(curlwp)) {
		lwkt_intr_clear(curthread);
		(void)sleep_until(NSEC_NEVER, WAIT_INTR);
	}
	proc_exit(W_EXITCODE(0, SIGKILL));
}

static uint32_t
reap_all(void)
{
	int32_t pid;
	uint32_t n = 0;
	int status, error;

	while ((error = proc_wait_any(&pid, &status, true)) == 0 || error == EINTR)
		n += error == 0;
	KCHECK(error == ECHILD);
	return n;
}

static void
kill_pid(int32_t pid)
{
	struct proc *p = proc_find(pid);

	if (!KCHECK(p != NULL))
		return;
	sig_post(p, SIGKILL, NULL);
	proc_drop(p);
}

/* ------------------------------------------------------------------ tests -- */

PROC_TEST(a_child_is_reported_once_with_its_code)
{
	int32_t child, pid;
	int status;

	KCHECK(proc_wait_any(&pid, &status, true) == ECHILD);
	KCHECK(proc_fork_kernel(exits, (void *)7, &child) == 0);
	KCHECK(proc_wait_any(&pid, &status, true) == 0);
	KCHECK(pid == child && status == W_EXITCODE(7, 0));
	KCHECK(proc_wait_any(&pid, &status, false) == ECHILD);
	KCHECK(proc_find(child) == NULL);
}

PROC_TEST(nothing_is_lost_over_many_processes)
{
	uint32_t before = proc_count();
	uint64_t rounds = ktest_rounds(3000, 100000), bytes = 0, seen;
	int32_t child, last = 0, pid;
	int status;

	for (uint64_t i = 0; i < rounds; i++) {
		if (!KCHECK(proc_fork_kernel(exits, NULL, &child) == 0))
			return;
		KCHECK(child > 1 && child != last && child < 32768);
		last = child;
		KCHECK(proc_wait_any(&pid, &status, true) == 0 && pid == child);
		seen = kmem_bytes();
		if (i == 100)
			bytes = seen;		/* caches are warm */
		else if (i > 100)
			bytes = rt_max(bytes, seen);
	}
	KCHECK(proc_count() == before);
	KCHECK(kmem_bytes() <= bytes);
}

static void
makes_orphan(void *arg)
{
	int32_t pid;

	(void)arg;
	KCHECK(proc_fork_kernel(exits, (void *)9, &pid) == 0);
	proc_exit(0);
}

PROC_TEST(an_orphan_goes_to_process_1)
{
	int32_t pid, parent;
	int status, orphan = 0;

	KCHECK(proc_fork_kernel(makes_orphan, NULL, &parent) == 0);
	for (int i = 0; i < 2; i++) {
		KCHECK(proc_wait_any(&pid, &status, true) == 0);
		orphan += status == W_EXITCODE(9, 0) && pid != parent;
	}
	KCHECK(orphan == 1);
	KCHECK(reap_all() == 0);
}

PROC_TEST(their_number_is_bounded_and_comes_back)
{
	uint32_t before = proc_count(), made = 0;
	int32_t first = 0, pid;
	int error;

	while ((error = proc_fork_kernel(waits, NULL, &pid)) == 0 && made < proc_max) {
		if (first == 0)
			first = pid;
		made++;
		lwkt_yield();
	}
	KCHECK(error == EAGAIN || error == ENOMEM);
	KCHECK(made > 32 && before + made <= proc_max);
	for (pid = first; pid < first + (int32_t)proc_max * 2; pid++) {
		struct proc *p = proc_find(pid);

		if (p != NULL) {
			sig_post(p, SIGKILL, NULL);
			proc_drop(p);
		}
	}
	KCHECK(reap_all() == made);
	KCHECK(proc_count() == before);
}

PROC_TEST(fork_survives_the_loss_of_any_allocation)
{
	uint64_t was, n, left;
	int32_t pid;
	int error, ok = 0, failed = 0;

	KCHECK(proc_fork_kernel(exits, NULL, &pid) == 0);
	KCHECK(reap_all() == 1);
	was = kmem_bytes();
	for (n = 1; n < 200; n++) {
		vm_fail_after = n;
		error = proc_fork_kernel(exits, NULL, &pid);
		left = vm_fail_after;
		vm_fail_after = 0;
		if (error == 0)
			ok++;
		else
			failed++;
		KCHECK(error == 0 || error == ENOMEM);
		(void)reap_all();
		KCHECK(kmem_bytes() <= was + 4096);
		if (error == 0 && left > 1)
			break;
	}
	KCHECK(failed >= 3 && ok >= 1 && n < 200);
}

PROC_TEST(queued_signals_have_a_limit)
{
	struct k_siginfo info = { .si_code = SI_QUEUE };
	int32_t pid;
	struct proc *p;

	KCHECK(proc_fork_kernel(waits, NULL, &pid) == 0);
	lwkt_yield();
	p = proc_find(pid);
	if (!KCHECK(p != NULL))
		return;
	p->p_rlimit[RLIMIT_SIGPENDING][0] = 4;
	for (int i = 0; i < 4; i++)
		KCHECK(sig_send(p, NULL, SIGRTMIN + 1, &info) == 0);
	KCHECK(sig_send(p, NULL, SIGRTMIN + 1, &info) == EAGAIN);
	KCHECK(sig_send(p, NULL, SIGUSR1, NULL) == 0);		/* the bit needs no room */
	KCHECK(sig_send(p, NULL, SIGUSR1, NULL) == 0);
	KCHECK(p->p_sigq.sq_count == 4 && (p->p_sigq.sq_set & sigbit(SIGUSR1)) != 0);
	proc_drop(p);
	kill_pid(pid);
	KCHECK(reap_all() == 1);
}

PROC_TEST(stop_and_continue_cancel_each_other)
{
	int32_t pid;
	struct proc *p;

	KCHECK(proc_fork_kernel(waits, NULL, &pid) == 0);
	lwkt_yield();
	p = proc_find(pid);
	if (!KCHECK(p != NULL))
		return;
	sig_post(p, SIGTSTP, NULL);
	KCHECK((p->p_sigq.sq_set & sigbit(SIGTSTP)) != 0);
	sig_post(p, SIGCONT, NULL);
	KCHECK((p->p_sigq.sq_set & sigbit(SIGTSTP)) == 0);
	sig_post(p, SIGCHLD, NULL);				/* ignored by default: not even pending */
	KCHECK((p->p_sigq.sq_set & sigbit(SIGCHLD)) == 0);
	KCHECK(sig_send_tid(p, pid + 1, SIGUSR1, NULL) == ESRCH);
	proc_drop(p);
	kill_pid(pid);
	KCHECK(reap_all() == 1);
}

PROC_TEST(process_1_does_not_die_of_signals)
{
	struct proc *me = proc_find(1);

	KCHECK(me == curproc);
	sig_post(me, SIGKILL, NULL);
	sig_post(me, SIGTERM, NULL);
	KCHECK(me->p_sigq.sq_set == 0 && !sig_killed(curlwp));
	proc_drop(me);
}

static void
leads(void *arg)
{
	int32_t sid, pgid;

	(void)arg;
	KCHECK(proc_setsid(&sid) == 0 && sid == curproc->p_pid);
	KCHECK(proc_setsid(&sid) == EPERM);
	KCHECK(proc_setpgid(0, 0) == EPERM);			/* a leader stays */
	KCHECK(proc_getpgid(0, &pgid, &sid) == 0 && pgid == sid);
	proc_exit(0);
}

PROC_TEST(a_session_leader_stays_where_it_is)
{
	int32_t pid;

	KCHECK(proc_fork_kernel(leads, NULL, &pid) == 0);
	KCHECK(reap_all() == 1);
	KCHECK(pgrp_find(pid) == NULL);
}

static void
no_such(void *arg)
{
	static const char argv[] = "x\0y";

	(void)arg;
	KCHECK(exec_kernel("/no/such/file", 2, argv, 0, "") == ENOENT);
	KCHECK(exec_kernel("/", 2, argv, 0, "") == EACCES);
	proc_exit(0);
}

PROC_TEST(exec_of_what_is_not_there_changes_nothing)
{
	uint64_t was = kmem_bytes();
	int32_t pid;

	for (int i = 0; i < 50; i++) {
		KCHECK(proc_fork_kernel(no_such, NULL, &pid) == 0);
		KCHECK(reap_all() == 1);
	}
	KCHECK(kmem_bytes() <= was + 65536);
}
