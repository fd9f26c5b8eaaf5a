/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eventfd - a 64-bit counter as a file: a write adds, a read takes it all,
 * or one at a time (EFD_SEMAPHORE).
 *
 * Invariant: ev_count <= COUNT_MAX.  A reader waits while it is 0, a writer
 * while its amount does not fit.
 *
 * Locking: ev_spin; user memory is touched before (write) or after (read).
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/epoll.h>
#include <sys/lwkt/spin.h>
#include <sys/lwkt/wait.h>
#include <sys/proc/signal.h>
#include <sys/vm/kmem.h>

#define COUNT_MAX	(UINT64_MAX - 1)
#define ANON_DEV	15u		/* st_dev of files that are in no filesystem */

struct eventfd {
	struct spin	ev_spin;
	uint64_t	ev_count;	/* [ev_spin] */
	bool		ev_semaphore;	/* const */
	struct waitq	ev_rwait, ev_wwait;
	struct pollhead	ev_poll;
};

/* Take from the counter; 0: nothing there. */
static uint64_t
eventfd_take(struct eventfd *ev)
{
	uint64_t n;

	spin_lock(&ev->ev_spin);
	n = ev->ev_semaphore && ev->ev_count > 0 ? 1 : ev->ev_count;
	ev->ev_count -= n;
	spin_unlock(&ev->ev_spin);
	return n;
}

static bool
eventfd_add(struct eventfd *ev, uint64_t n)
{
	bool fits;

	spin_lock(&ev->ev_spin);
	fits = n <= COUNT_MAX - ev->ev_count;
	if (fits)
		ev->ev_count += n;
	spin_unlock(&ev->ev_spin);
	return fits;
}

static int
eventfd_read(struct file *fp, struct uio *u)
{
	struct eventfd *ev = fp->f_data;
	uint64_t n = 0;
	int error = 0;

	if (u->u_resid < sizeof(n))
		return EINVAL;
	if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		error = (n = eventfd_take(ev)) == 0 ? EAGAIN : 0;
	else
		WAIT_FOR(&ev->ev_rwait, (n = eventfd_take(ev)) != 0, NSEC_NEVER, WAIT_INTR, error);
	if (n == 0)
		return error == EINTR ? ERESTARTSYS : error;
	wake_all(&ev->ev_wwait);
	poll_notify(&ev->ev_poll, POLLOUT | POLLWRNORM);
	return uio_move(&n, sizeof(n), u);
}

static int
eventfd_write(struct file *fp, struct uio *u)
{
	struct eventfd *ev = fp->f_data;
	uint64_t n;
	int error;

	struct uio before = *u;

	if (u->u_resid != sizeof(n))
		return EINVAL;
	if ((error = uio_move(&n, sizeof(n), u)) == 0 && n == UINT64_MAX)
		error = EINVAL;
	if (error == 0 && (atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		error = eventfd_add(ev, n) ? 0 : EAGAIN;
	else if (error == 0)
		WAIT_FOR(&ev->ev_wwait, eventfd_add(ev, n), NSEC_NEVER, WAIT_INTR, error);
	if (error != 0) {
		*u = before;
		return error == EINTR ? ERESTARTSYS : error;
	}
	wake_all(&ev->ev_rwait);
	poll_notify(&ev->ev_poll, POLLIN | POLLRDNORM);
	return 0;
}

static uint32_t
eventfd_poll(struct file *fp, struct pollnote *note)
{
	struct eventfd *ev = fp->f_data;
	uint32_t events = 0;
	uint64_t count;

	poll_queue(&ev->ev_poll, note);
	spin_lock(&ev->ev_spin);
	count = ev->ev_count;
	spin_unlock(&ev->ev_spin);
	if (count > 0)
		events |= POLLIN | POLLRDNORM;
	if (count < COUNT_MAX)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

int
anon_stat(struct file *fp, struct k_stat *st)
{
	(void)fp;
	memset(st, 0, sizeof(*st));
	st->st_dev = ANON_DEV;
	st->st_ino = 1;
	st->st_nlink = 1;
	st->st_mode = 0600;
	st->st_blksize = (int64_t)PAGE_BYTES;
	return 0;
}

static void
eventfd_close(struct file *fp)
{
	kfree(fp->f_data);
}

static const struct file_ops eventfd_ops = {
	.fo_read = eventfd_read,
	.fo_write = eventfd_write,
	.fo_poll = eventfd_poll,
	.fo_stat = anon_stat,
	.fo_close = eventfd_close,
	.fo_name = "[eventfd]",
};

int
eventfd_create(uint32_t count, uint32_t flags, struct file **out)
{
	struct eventfd *ev = kmalloc(sizeof(*ev), KM_ZERO | KM_WAIT);
	int error;

	if (ev == NULL)
		return ENOMEM;
	spin_init(&ev->ev_spin, LR_eventfd);
	waitq_init(&ev->ev_rwait);
	waitq_init(&ev->ev_wwait);
	pollhead_init(&ev->ev_poll);
	ev->ev_count = count;
	ev->ev_semaphore = (flags & EFD_SEMAPHORE) != 0;
	if ((error = file_create(&eventfd_ops, O_RDWR | (flags & O_NONBLOCK), ev, out)) != 0)
		kfree(ev);
	return error;
}
