/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_epoll - epoll and eventfd. */
#include "iov.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/epoll.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define NSEC_PER_MSEC	1000000ull

static int
install(struct sysmsg *m, struct file *fp, uint32_t flags)
{
	int fd, error = fd_install(fp, (flags & O_CLOEXEC) != 0, 0, &fd);

	if (error == 0)
		m->sm_result = fd;
	return error;
}

int
sys_eventfd2(struct sysmsg *m, uint32_t initval, uint32_t flags)
{
	struct file *fp;
	int error;

	if ((flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC)) != 0)
		return EINVAL;
	error = eventfd_create(initval, flags, &fp);
	return error != 0 ? error : install(m, fp, flags);
}

int
sys_eventfd(struct sysmsg *m, uint32_t initval)
{
	return sys_eventfd2(m, initval, 0);
}

int
sys_epoll_create1(struct sysmsg *m, uint32_t flags)
{
	struct file *fp;
	int error;

	if ((flags & ~EPOLL_CLOEXEC) != 0)
		return EINVAL;
	error = epoll_create(&fp);
	return error != 0 ? error : install(m, fp, flags);
}

int
sys_epoll_create(struct sysmsg *m, int size)
{
	return size <= 0 ? EINVAL : sys_epoll_create1(m, 0);
}

int
sys_epoll_ctl(struct sysmsg *m, int epfd, int op, int fd, uaddr_t event)
{
	struct k_epoll_event ev = { 0, 0 };
	struct file *ep, *target;
	int error;

	(void)m;
	if (op != EPOLL_CTL_DEL && (error = copyin(&ev, event, sizeof(ev))) != 0)
		return error;
	if ((error = fd_get_io(epfd, &ep)) != 0)
		return error;
	if ((error = fd_get_io(fd, &target)) != 0) {
		file_drop(ep);
		return error;
	}
	if (op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD)
		error = EINVAL;
	else
		error = epoll_change(ep, op, fd, target, &ev);
	file_drop(target);
	file_drop(ep);
	return error;
}

int
sys_epoll_wait(struct sysmsg *m, int epfd, uaddr_t events, int maxevents, int timeout)
{
	nsec_t deadline = timeout < 0 ? NSEC_NEVER : timeout == 0 ? 0 : time_now() + (nsec_t)timeout * NSEC_PER_MSEC;
	struct k_epoll_event *ev;
	struct file *ep;
	uint32_t n;
	int error;

	if (maxevents <= 0 || (uint32_t)maxevents > INT32_MAX / sizeof(*ev))
		return EINVAL;
	if (!range_possible(events, (uint64_t)(uint32_t)maxevents * sizeof(*ev)))
		return EFAULT;
	if ((error = fd_get_io(epfd, &ep)) != 0)
		return error;
	error = epoll_collect(ep, (uint32_t)maxevents, deadline, &ev, &n);
	if (error == 0 && n > 0) {
		error = copyout(events, ev, n * sizeof(*ev));
		kfree(ev);
	}
	file_drop(ep);
	if (error == 0)
		m->sm_result = n;
	return error;
}

int
sys_epoll_pwait(struct sysmsg *m, int epfd, uaddr_t events, int maxevents, int timeout, uaddr_t sigmask, size_t setsize)
{
	sigset_t set;
	int error;

	if (sigmask != 0) {
		if (setsize != sizeof(set))
			return EINVAL;
		if ((error = copyin(&set, sigmask, sizeof(set))) != 0)
			return error;
		sig_temp_mask(m->sm_lwp, &set);
	}
	return sys_epoll_wait(m, epfd, events, maxevents, timeout);
}
