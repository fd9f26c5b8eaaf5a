/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_mqueue - POSIX message queues: from the registers to file/mqueue.h.
 *
 * SIGEV_THREAD is the C library's: it asks for a message on a netlink socket,
 * of which there are none, so whatever descriptor it names is not one.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/mqueue.h>
#include <sys/net/socket.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#include "path.h"
#include "timespec.h"

#define COOKIE_BYTES	32u		/* of SIGEV_THREAD */

static int
name_in(uaddr_t from, char **out)
{
	char *name = kmalloc(PATH_MAX_, KM_WAIT);
	int error;

	if (name == NULL)
		return ENOMEM;
	error = copyinstr(name, from, PATH_MAX_, NULL);
	if (error == 0 && name[0] == '\0')
		error = ENOENT;
	if (error == 0)
		*out = name;
	else
		kfree(name);
	return error;
}

int
sys_mq_open(struct sysmsg *m, uaddr_t uname, uint32_t flags, uint32_t mode, uaddr_t uattr)
{
	struct k_mq_attr attr;
	struct file *fp;
	char *name;
	int error = uattr != 0 ? copyin(&attr, uattr, sizeof attr) : 0, fd;

	if (error == 0)
		error = name_in(uname, &name);
	if (error != 0)
		return error;
	error = fd_room();
	if (error == 0)
		error = mqueue_open(name, flags, without_umask(mode), uattr != 0 ? &attr : NULL, &fp);
	kfree(name);
	if (error == 0)
		error = fd_install(fp, true, 0, &fd);
	if (error == 0)
		m->sm_result = fd;
	return error;
}

int
sys_mq_unlink(struct sysmsg *m, uaddr_t uname)
{
	char *name;
	int error = name_in(uname, &name);

	(void)m;
	if (error != 0)
		return error;
	error = mqueue_unlink(name);
	kfree(name);
	return error;
}

/* A time of the wall clock; none: for ever. */
static int
deadline_in(uaddr_t from, nsec_t *deadline)
{
	nsec_t wall = time_wall(), now = time_now(), at = 0;
	int error = from != 0 ? timespec_copyin(from, &at) : 0;

	*deadline = from == 0 ? NSEC_NEVER : at > wall ? now + (at - wall) : now;
	return error;
}

/* The queue of a descriptor that may read (4) or write (2) it; 0: whatever it may.  The file is held. */
static int
queue_get(int fd, uint32_t want, struct file **fp, struct mqueue **q)
{
	int error = fd_get(fd, fp);

	if (error != 0)
		return error;
	*q = mqueue_of(*fp);
	if (*q != NULL && (want != 4 || file_can_read(*fp)) && (want != 2 || file_can_write(*fp)))
		return 0;
	file_drop(*fp);
	return EBADF;
}

static bool
may_wait(struct file *fp)
{
	return (atomic_load(&fp->f_flags) & O_NONBLOCK) == 0;
}

int
sys_mq_timedsend(struct sysmsg *m, int fd, uaddr_t from, size_t len, uint32_t prio, uaddr_t timeout)
{
	struct k_mq_attr attr;
	struct mqmsg *msg;
	struct mqueue *q;
	struct file *fp;
	nsec_t deadline;
	int error = deadline_in(timeout, &deadline);

	(void)m;
	if (error != 0)
		return error;
	if (prio >= MQ_PRIO_MAX)
		return EINVAL;
	error = queue_get(fd, 2, &fp, &q);
	if (error != 0)
		return error;
	mqueue_attr(q, &attr);
	error = len > (uint64_t)attr.mq_msgsize ? EMSGSIZE : mqmsg_make(len, prio, &msg);
	if (error == 0) {
		error = copyin(mqmsg_text(msg, NULL, NULL), from, len);
		if (error == 0)
			error = mqueue_send(q, msg, may_wait(fp), deadline);
		if (error != 0)
			mqmsg_free(msg);
	}
	file_drop(fp);
	return error;
}

int
sys_mq_timedreceive(struct sysmsg *m, int fd, uaddr_t to, size_t len, uaddr_t uprio, uaddr_t timeout)
{
	struct k_mq_attr attr;
	struct mqmsg *msg;
	struct mqueue *q;
	struct file *fp;
	nsec_t deadline;
	uint64_t bytes;
	uint32_t prio;
	void *text;
	int error = deadline_in(timeout, &deadline);

	if (error == 0)
		error = queue_get(fd, 4, &fp, &q);
	if (error != 0)
		return error;
	mqueue_attr(q, &attr);
	error = len < (uint64_t)attr.mq_msgsize ? EMSGSIZE : mqueue_receive(q, may_wait(fp), deadline, &msg);
	file_drop(fp);
	if (error != 0)
		return error;
	text = mqmsg_text(msg, &bytes, &prio);
	if ((uprio != 0 && copyout(uprio, &prio, sizeof prio) != 0) || copyout(to, text, bytes) != 0)
		error = EFAULT;
	m->sm_result = (int64_t)bytes;
	mqmsg_free(msg);
	return error;
}

static int
check_thread_event(const struct k_sigevent *ev)
{
	uint8_t cookie[COOKIE_BYTES];
	struct file *fp;
	int error = copyin(cookie, ev->value, sizeof cookie);

	if (error == 0)
		error = fd_get(ev->signo, &fp);
	if (error != 0)
		return error;
	error = sock_of(fp) != NULL ? EINVAL : ENOTSOCK;
	file_drop(fp);
	return error;
}

int
sys_mq_notify(struct sysmsg *m, int fd, uaddr_t uevent)
{
	struct k_sigevent ev = { .notify = SIGEV_NONE };
	struct mqueue *q;
	struct file *fp;
	int error = uevent != 0 ? copyin(&ev, uevent, sizeof ev) : 0;

	(void)m;
	if (error == 0 && ev.notify == SIGEV_THREAD)
		error = check_thread_event(&ev);
	else if (error == 0 && ev.notify != SIGEV_NONE && ev.notify != SIGEV_SIGNAL)
		error = EINVAL;
	if (error == 0 && ev.notify == SIGEV_SIGNAL && (ev.signo < 0 || ev.signo > NSIG))
		error = EINVAL;
	if (error == 0)
		error = queue_get(fd, 0, &fp, &q);
	if (error != 0)
		return error;
	error = mqueue_notify(q, uevent != 0 ? &ev : NULL);
	file_drop(fp);
	return error;
}

int
sys_mq_getsetattr(struct sysmsg *m, int fd, uaddr_t unew, uaddr_t uold)
{
	struct k_mq_attr new, old;
	struct mqueue *q;
	struct file *fp;
	int error = unew != 0 ? copyin(&new, unew, sizeof new) : 0;

	(void)m;
	if (error == 0 && unew != 0 && (new.mq_flags & ~(int64_t)O_NONBLOCK) != 0)
		error = EINVAL;
	if (error == 0)
		error = queue_get(fd, 0, &fp, &q);
	if (error != 0)
		return error;
	mqueue_attr(q, &old);
	old.mq_flags = atomic_load(&fp->f_flags) & O_NONBLOCK;
	if (unew != 0 && (new.mq_flags & O_NONBLOCK) != 0)
		atomic_fetch_or(&fp->f_flags, O_NONBLOCK);
	else if (unew != 0)
		atomic_fetch_and(&fp->f_flags, ~O_NONBLOCK);
	file_drop(fp);
	return uold != 0 ? copyout(uold, &old, sizeof old) : 0;
}
