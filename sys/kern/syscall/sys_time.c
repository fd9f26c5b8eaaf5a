/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_time - reading and setting clocks, sleeping.
 *
 * CPU-time clocks count what lwp_account() has booked plus what the caller
 * has used since.  A sleep that a signal ends without a handler goes on to
 * the same instant (restart_syscall), not for the same length again.
 */
#include <abi/errno.h>
#include <abi/time.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/event.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/time/time.h>
#include <sys/vm/uaccess.h>

#include "timespec.h"

#define OWN(which)	(~0 * 8 | (which))	/* the CPU clock of whoever asks */
#define SEC_MAX		((int64_t)(INT64_MAX / (int64_t)NSEC_PER_SEC))

/* Of a thread of this process; 0: the current one. */
static bool
thread_times(int32_t tid, struct rusage_acc *ru)
{
	bool found = false;

	lwp_account(curlwp, time_now(), false);
	*ru = curlwp->l_ru;
	if (tid == 0 || tid == curlwp->l_tid)
		return true;
	spin_lock(&curproc->p_sig);
	list_foreach(l, &curproc->p_lwps, struct lwp, l_link) {
		if (l->l_tid != tid)
			continue;
		ru->ru_utime = figure(&l->l_ru.ru_utime);
		ru->ru_stime = figure(&l->l_ru.ru_stime);
		found = true;
	}
	spin_unlock(&curproc->p_sig);
	return found;
}

static bool
process_times(int32_t pid, struct rusage_acc *ru)
{
	struct proc *p;

	if (pid == 0 || pid == curlwp->l_tid)
		pid = curproc->p_pid;
	p = proc_find(pid);
	if (p == NULL)
		return false;
	proc_times(p, ru);
	proc_drop(p);
	return true;
}

/* What clock_getcpuclockid() and pthread_getcpuclockid() give. */
static int
cpu_clock_read(int clock, nsec_t *out)
{
	int which = clock & CPUCLOCK_WHICH;
	int32_t id = ~(clock >> 3);
	struct rusage_acc ru;

	if (which > CPUCLOCK_SCHED)
		return EINVAL;
	if (!((clock & CPUCLOCK_PERTHREAD) != 0 ? thread_times(id, &ru) : process_times(id, &ru)))
		return EINVAL;
	*out = ru.ru_utime + (which == CPUCLOCK_VIRT ? 0 : ru.ru_stime);
	return 0;
}

static int
clock_read(int clock, nsec_t *out)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*out = time_told_wall();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*out = time_told_mono();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		return cpu_clock_read(OWN(CPUCLOCK_SCHED), out);
	case CLOCK_THREAD_CPUTIME_ID:
		return cpu_clock_read(OWN(CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD), out);
	default:
		return clock < 0 ? cpu_clock_read(clock, out) : EINVAL;
	}
}

int
sys_clock_gettime(struct sysmsg *m, int clock, uaddr_t to)
{
	struct k_timespec ts;
	nsec_t t;
	int error = clock_read(clock, &t);

	(void)m;
	if (error != 0)
		return error;
	ts = timespec_of(t);
	return copyout(to, &ts, sizeof ts);
}

int
sys_clock_getres(struct sysmsg *m, int clock, uaddr_t to)
{
	struct k_timespec ts = { 0, 1 };
	nsec_t t;
	int error = clock_read(clock, &t);

	(void)m;
	if (error != 0 || to == 0)
		return error;
	return copyout(to, &ts, sizeof ts);
}

static int
set_wall(nsec_t t)
{
	if (!cred_capable(cred_current(), CAP_SYS_TIME))
		return EPERM;
	time_set_wall(t);
	timerfd_wall_set();
	return 0;
}

int
sys_clock_settime(struct sysmsg *m, int clock, uaddr_t from)
{
	nsec_t t;
	int error;

	(void)m;
	if (clock < 0 && clock_read(clock, &t) == 0)
		return EPERM;
	if (clock != CLOCK_REALTIME)
		return EINVAL;
	error = timespec_copyin(from, &t);
	return error != 0 ? error : set_wall(t);
}

int
sys_gettimeofday(struct sysmsg *m, uaddr_t tv, uaddr_t tz)
{
	static const struct k_timezone utc;
	nsec_t t = time_told_wall();
	struct k_timeval now = { (int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC / 1000) };
	int error = 0;

	(void)m;
	if (tv != 0)
		error = copyout(tv, &now, sizeof now);
	if (error == 0 && tz != 0)
		error = copyout(tz, &utc, sizeof utc);
	return error;
}

int
sys_settimeofday(struct sysmsg *m, uaddr_t tv, uaddr_t tz)
{
	struct k_timeval t;
	struct k_timezone z;
	int error = 0;

	(void)m;
	if (tv != 0)
		error = copyin(&t, tv, sizeof t);
	if (error == 0 && tz != 0)
		error = copyin(&z, tz, sizeof z);	/* the kernel's time zone is UTC, whatever it says */
	if (error == 0 && !cred_capable(cred_current(), CAP_SYS_TIME))
		error = EPERM;
	if (error != 0 || tv == 0)
		return error;
	if (t.tv_sec < 0 || t.tv_sec > SEC_MAX || t.tv_usec < 0 || t.tv_usec >= 1000000)
		return EINVAL;
	return set_wall((nsec_t)t.tv_sec * NSEC_PER_SEC + (nsec_t)t.tv_usec * 1000);
}

int
sys_time(struct sysmsg *m, uaddr_t to)
{
	int64_t sec = (int64_t)(time_told_wall() / NSEC_PER_SEC);

	m->sm_result = sec;
	return to != 0 ? copyout(to, &sec, sizeof sec) : 0;
}

/* The machine keeps the time; nothing can be tuned, all can be read. */
static int
adjust(struct sysmsg *m, uaddr_t buf)
{
	struct k_timex tx;
	nsec_t t = time_wall();
	int error = copyin(&tx, buf, sizeof tx);

	if (error != 0)
		return error;
	if (tx.modes != 0 && tx.modes != ADJ_OFFSET_SS_READ) {
		if (!cred_capable(cred_current(), CAP_SYS_TIME))
			return EPERM;
		if (tx.modes != ADJ_OFFSET_SINGLESHOT || tx.offset != 0)
			return EINVAL;
	}
	tx = (struct k_timex){
		.modes = tx.modes, .maxerror = 16000000, .esterror = 16000000, .status = STA_UNSYNC,
		.constant = 2, .precision = 1,
		.tolerance = 32768000, .tick = 10000,
		.time = { (int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC / 1000) },
	};
	m->sm_result = 5;	/* TIME_ERROR: not synchronised by us */
	return copyout(buf, &tx, sizeof tx);
}

int
sys_adjtimex(struct sysmsg *m, uaddr_t buf)
{
	return adjust(m, buf);
}

int
sys_clock_adjtime(struct sysmsg *m, int clock, uaddr_t buf)
{
	struct k_timex tx;
	nsec_t now;
	int error = copyin(&tx, buf, sizeof tx);

	if (error != 0)
		return error;
	if (clock == CLOCK_REALTIME)
		return adjust(m, buf);
	return clock_read(clock, &now) == 0 ? EOPNOTSUPP : EINVAL;
}

/* ------------------------------------------------------------ sleeping -- */

static void
tell_remaining(uaddr_t rem, nsec_t deadline, int *error)
{
	nsec_t now = time_now();
	struct k_timespec left = timespec_of(deadline > now ? deadline - now : 0);

	if (rem != 0 && copyout(rem, &left, sizeof left) != 0)
		*error = EFAULT;
}

static uint64_t
sleep_restart(struct lwp *l)
{
	nsec_t deadline = l->l_restart_arg[0];
	int error = sleep_until(deadline, WAIT_INTR);

	if (error == EINTR) {
		error = ERESTART_RESTARTBLOCK;
		tell_remaining(l->l_restart_arg[1], deadline, &error);
	}
	return (uint64_t)error;
}

static int
sleep_relative(uaddr_t rem, nsec_t length)
{
	nsec_t deadline;
	struct lwp *l = curlwp;
	int error;

	if (rt_add_overflows(time_now(), length, &deadline) || deadline > (nsec_t)INT64_MAX)
		deadline = (nsec_t)INT64_MAX;
	error = sleep_until(deadline, WAIT_INTR);
	if (error != EINTR)
		return error;
	l->l_restart = sleep_restart;
	l->l_restart_arg[0] = deadline;
	l->l_restart_arg[1] = rem;
	error = ERESTART_RESTARTBLOCK;
	tell_remaining(rem, deadline, &error);
	return error;
}

int
sys_nanosleep(struct sysmsg *m, uaddr_t req, uaddr_t rem)
{
	nsec_t length;
	int error = timespec_copyin(req, &length);

	(void)m;
	return error != 0 ? error : sleep_relative(rem, length);
}

/* Until an instant of the wall clock; setting the clock meanwhile does not move it. */
static nsec_t
deadline_of(int clock, nsec_t t)
{
	bool wall = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
	nsec_t origin = wall ? time_wall() : time_now() - time_boot();

	return t <= origin ? time_now() : rt_min(time_now() + (t - origin), (nsec_t)INT64_MAX);
}

int
sys_clock_nanosleep(struct sysmsg *m, int clock, uint32_t flags, uaddr_t req, uaddr_t rem)
{
	nsec_t t;
	int error;

	(void)m;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	default:
		return clock >= 0 && clock <= CLOCK_TAI ? EOPNOTSUPP : EINVAL;
	}
	error = timespec_copyin(req, &t);
	if (error != 0)
		return error;
	if ((flags & TIMER_ABSTIME) == 0)
		return sleep_relative(rem, t);
	error = sleep_until(deadline_of(clock, t), WAIT_INTR);
	return error == EINTR ? ERESTARTNOHAND : error;
}
