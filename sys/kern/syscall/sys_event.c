/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_event - descriptors for signals, time, memory and processes. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/event.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vfs/fs.h>
#include <sys/vfs/name.h>
#include <sys/vm/uaccess.h>

#include "timespec.h"

#define MEMFD_PREFIX	"memfd:"
#define MEMFD_NAME	(NAME_MAX_ - (sizeof(MEMFD_PREFIX) - 1))

static int
install(struct sysmsg *m, struct file *fp, uint32_t flags)
{
	int fd, error = fd_install(fp, (flags & O_CLOEXEC) != 0, 0, &fd);

	if (error == 0)
		m->sm_result = fd;
	return error;
}

/* --------------------------------------------------------------- signalfd -- */

int
sys_signalfd4(struct sysmsg *m, int fd, uaddr_t umask, size_t setsize, uint32_t flags)
{
	struct file *fp;
	sigset_t mask;
	int error;

	if (setsize != sizeof(mask))
		return EINVAL;
	if ((error = copyin(&mask, umask, sizeof(mask))) != 0)
		return error;
	if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0)
		return EINVAL;
	if (fd == -1) {
		error = signalfd_create(mask, flags, &fp);
		return error != 0 ? error : install(m, fp, flags);
	}
	if ((error = fd_get_io(fd, &fp)) != 0)
		return error;
	error = signalfd_set(fp, mask);
	file_drop(fp);
	m->sm_result = fd;
	return error;
}

int
sys_signalfd(struct sysmsg *m, int fd, uaddr_t umask, size_t setsize)
{
	return sys_signalfd4(m, fd, umask, setsize, 0);
}

/* ---------------------------------------------------------------- timerfd -- */

int
sys_timerfd_create(struct sysmsg *m, int clock, uint32_t flags)
{
	bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
	bool realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
	struct file *fp;
	int error;

	if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0)
		return EINVAL;
	if (!realtime && !alarm && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return EINVAL;
	if (alarm && !cred_capable(cred_current(), CAP_WAKE_ALARM))
		return EPERM;
	error = timerfd_create(realtime, flags, &fp);
	return error != 0 ? error : install(m, fp, flags);
}

static int
itimerspec_out(uaddr_t to, nsec_t left, nsec_t interval)
{
	struct k_itimerspec it = {
		.it_interval = timespec_of(interval),
		.it_value = timespec_of(left),
	};

	return copyout(to, &it, sizeof(it));
}

int
sys_timerfd_settime(struct sysmsg *m, int fd, uint32_t flags, uaddr_t from, uaddr_t to)
{
	nsec_t value, interval, left, old_interval;
	struct k_itimerspec it;
	struct file *fp;
	int error = copyin(&it, from, sizeof(it));

	(void)m;
	if (error != 0)
		return error;
	if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0 ||
	    !timespec_ns(&it.it_value, &value) || !timespec_ns(&it.it_interval, &interval))
		return EINVAL;
	if ((error = fd_get_io(fd, &fp)) != 0)
		return error;
	error = timerfd_set(fp, flags, value, interval, &left, &old_interval);
	file_drop(fp);
	return error == 0 && to != 0 ? itimerspec_out(to, left, old_interval) : error;
}

int
sys_timerfd_gettime(struct sysmsg *m, int fd, uaddr_t to)
{
	nsec_t left, interval;
	struct file *fp;
	int error = fd_get_io(fd, &fp);

	(void)m;
	if (error != 0)
		return error;
	error = timerfd_get(fp, &left, &interval);
	file_drop(fp);
	return error != 0 ? error : itimerspec_out(to, left, interval);
}

/* ------------------------------------------------------------------ memfd -- */

int
sys_memfd_create(struct sysmsg *m, uaddr_t uname, uint32_t flags)
{
	bool noexec = (flags & MFD_NOEXEC_SEAL) != 0;
	char text[NAME_MAX_ + 1] = MEMFD_PREFIX;
	uint32_t seals = noexec ? F_SEAL_EXEC : (flags & MFD_ALLOW_SEALING) != 0 ? 0 : F_SEAL_SEAL;
	struct ncp *n;
	struct file *fp;
	int error;

	if ((flags & MFD_HUGETLB) != 0)
		return ENOSYS;
	if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)) != 0 ||
	    (noexec && (flags & MFD_EXEC) != 0))
		return EINVAL;
	error = copyinstr(text + sizeof(MEMFD_PREFIX) - 1, uname, MEMFD_NAME + 1, NULL);
	if (error != 0)
		return error == ENAMETOOLONG ? EINVAL : error;
	if ((error = tmpfs_memfd(text, noexec ? 0666 : 0777, seals, &n)) != 0)
		return error;
	error = file_open_name(n, O_RDWR, &fp);
	ncp_drop(n);
	return error != 0 ? error : install(m, fp, (flags & MFD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
}

/* ------------------------------------------------------------------ pidfd -- */

int
sys_pidfd_open(struct sysmsg *m, int32_t pid, uint32_t flags)
{
	struct proc *p;
	struct file *fp;
	int error;

	if ((flags & ~O_NONBLOCK) != 0 || pid <= 0)
		return EINVAL;
	if ((p = proc_find(pid)) == NULL) {
		if ((p = proc_find_tid(pid)) == NULL)
			return ESRCH;
		proc_drop(p);
		return ENOENT;			/* a thread that is no process */
	}
	error = p->p_state == P_REAPED ? ESRCH : pidfd_create(p, flags, &fp);
	proc_drop(p);
	return error != 0 ? error : install(m, fp, O_CLOEXEC);
}

/* A descriptor of ours for an open file of another process, which one may trace. */
int
sys_pidfd_getfd(struct sysmsg *m, int pidfd, int fd, uint32_t flags)
{
	struct file *of, *fp;
	struct proc *p;
	int error;

	if (flags != 0)
		return EINVAL;
	if ((error = fd_get(pidfd, &of)) != 0)
		return error;
	if ((p = pidfd_proc(of)) == NULL)
		error = EBADF;
	else if (p->p_state >= P_EXITING)
		error = ESRCH;
	else if (!ptrace_may_access(p, PTRACE_REAL))
		error = EPERM;
	else if (fd_get_of(p, fd, &fp) != 0)
		error = p->p_state >= P_EXITING ? ESRCH : EBADF;
	file_drop(of);
	return error != 0 ? error : install(m, fp, O_CLOEXEC);
}
