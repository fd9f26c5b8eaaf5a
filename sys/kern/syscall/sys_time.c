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

#include "syscall_int.h"
#include "timespec.h"

#define OWN(which)	(~0 * 8 | (which))	/* the CPU clock of whoever asks */
#define SEC_MAX		((int64_t)(INT64_MAX / (int64_t)NSEC_PER_SEC))

/* Also what clock_getcpuclockid() and pthread_getcpuclockid() give. */
int
cpu_clock_find(int clock, bool reading, struct cpu_clock *out)
{
	int32_t id;

	if (clock == CLOCK_PROCESS_CPUTIME_ID)
		clock = OWN(CPUCLOCK_SCHED);
	else if (clock == CLOCK_THREAD_CPUTIME_ID)
		clock = OWN(CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD);
	if (clock >= 0 || (clock & CPUCLOCK_WHICH) > CPUCLOCK_SCHED)
		return EINVAL;
	id = ~(clock >> 3);
	*out = (struct cpu_clock){ .cc_user_only = (clock & CPUCLOCK_WHICH) == CPUCLOCK_VIRT };
	if ((clock & CPUCLOCK_PERTHREAD) != 0) {
		out->cc_tid = id == 0 ? curlwp->l_tid : id;
		out->cc_proc = proc_find_tid(out->cc_tid);
		if (out->cc_proc != NULL && out->cc_proc != curproc) {
			proc_drop(out->cc_proc);
			return EINVAL;
		}
	} else {
		out->cc_proc = proc_find(id == 0 || (reading && id == curlwp->l_tid) ? curproc->p_pid : id);
	}
	return out->cc_proc == NULL ? EINVAL : 0;
}

static int
cpu_clock_read(int clock, nsec_t *out)
{
	struct cpu_clock c;
	int error = cpu_clock_find(clock, true, &c);

	if (error != 0)
		return error;
	if (!proc_cpu_time(c.cc_proc, c.cc_tid, c.cc_user_only, out))
		error = EINVAL;
	proc_drop(c.cc_proc);
	return error;
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
	default:
		return cpu_clock_read(clock, out);
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
	/* The clock of a process need not be there. */
	return (clock < 0 && !is_dynamic(clock)) || clock_read(clock, &now) == 0 ? EOPNOTSUPP : EINVAL;
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

/* A sleep until others, or the process's other threads, have used so much CPU time. */
struct cpu_sleep {
	struct cputimer	cs_timer;
	struct waitq	cs_waitq;
	_Atomic bool	cs_over;
};

static void
cpu_sleep_over(struct cputimer *ct)
{
	struct cpu_sleep *s = container_of(ct, struct cpu_sleep, cs_timer);

	s->cs_over = true;
	wake_all(&s->cs_waitq);
}

/* Until the clock shows *at, or (relative) that much later: *at gets the moment.  *left: what was missing. */
static int
sleep_cpu(int clock, bool relative, nsec_t *at, nsec_t *left)
{
	struct cpu_sleep s = { .cs_over = false };
	struct cpu_clock c;
	nsec_t now = 0;
	int error = cpu_clock_find(clock, false, &c);

	if (error != 0)
		return error;
	s.cs_timer = (struct cputimer){ .ct_proc = c.cc_proc, .ct_tid = c.cc_tid,
	    .ct_user_only = c.cc_user_only, .ct_fn = cpu_sleep_over };
	list_init(&s.cs_timer.ct_link);
	waitq_init(&s.cs_waitq);
	(void)proc_cpu_time(c.cc_proc, c.cc_tid, c.cc_user_only, &now);
	*at = rt_min(relative ? now + *at : *at, (nsec_t)INT64_MAX);
	if ((error = cputimer_arm(&s.cs_timer, *at)) == 0) {
		WAIT_FOR(&s.cs_waitq, s.cs_over, NSEC_NEVER, WAIT_INTR, error);
		cputimer_cancel(&s.cs_timer);
	}
	(void)proc_cpu_time(c.cc_proc, c.cc_tid, c.cc_user_only, &now);
	*left = *at > now ? *at - now : 0;
	proc_drop(c.cc_proc);
	return error;
}

static uint64_t
cpu_sleep_restart(struct lwp *l)
{
	nsec_t at = l->l_restart_arg[0], left = 0;
	int error = sleep_cpu((int)l->l_restart_arg[2], false, &at, &left);
	struct k_timespec ts;

	if (error != EINTR)
		return (uint64_t)error;
	ts = timespec_of(left);
	if (l->l_restart_arg[1] != 0 && copyout(l->l_restart_arg[1], &ts, sizeof ts) != 0)
		return EFAULT;
	l->l_restart = cpu_sleep_restart;
	return ERESTART_RESTARTBLOCK;
}

static int
cpu_nanosleep(int clock, uint32_t flags, nsec_t t, uaddr_t rem)
{
	struct lwp *l = curlwp;
	int32_t id = ~(clock >> 3);
	struct k_timespec ts;
	nsec_t left = 0;
	int error;

	if (clock < 0 && (clock & CPUCLOCK_PERTHREAD) != 0 && (id == 0 || id == l->l_tid))
		return EINVAL;			/* nobody uses his own time asleep */
	error = sleep_cpu(clock, (flags & TIMER_ABSTIME) == 0, &t, &left);
	if (error != EINTR || (flags & TIMER_ABSTIME) != 0)
		return error == EINTR ? ERESTARTNOHAND : error;
	ts = timespec_of(left);
	if (rem != 0 && copyout(rem, &ts, sizeof ts) != 0)
		return EFAULT;
	l->l_restart = cpu_sleep_restart;
	l->l_restart_arg[0] = t;
	l->l_restart_arg[1] = rem;
	l->l_restart_arg[2] = (uint64_t)clock;
	return ERESTART_RESTARTBLOCK;
}

int
sys_clock_nanosleep(struct sysmsg *m, int clock, uint32_t flags, uaddr_t req, uaddr_t rem)
{
	bool cpu = clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID;
	nsec_t t;
	int error;

	(void)m;
	if (is_dynamic(clock))
		return EOPNOTSUPP;
	if (clock < 0 && (clock & CPUCLOCK_WHICH) > CPUCLOCK_SCHED)
		return EINVAL;
	if (!cpu && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_TAI)
		return clock <= CLOCK_TAI ? EOPNOTSUPP : EINVAL;
	error = timespec_copyin(req, &t);
	if (error != 0)
		return error;
	if (cpu)
		return cpu_nanosleep(clock, flags, t, rem);
	if ((flags & TIMER_ABSTIME) == 0)
		return sleep_relative(rem, t);
	error = sleep_until(deadline_of(clock, t), WAIT_INTR);
	return error == EINTR ? ERESTARTNOHAND : error;
}
