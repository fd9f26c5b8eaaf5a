/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tty - a terminal as an open file.
 *
 * The line discipline (core/tty/ldisc) decides what each byte means; a
 * driver (console.c, pty.c) carries bytes to and from the world.  Here are
 * the sleeping, the timing of reads, and hang-ups.
 *
 * Invariants
 *   Y1  every change of the line discipline happens under t_tok and ends
 *       with its events looked at (tty_events) or its waiters woken.
 *   Y2  a file works while its f_off equals t_hangups.  Hanging up counts
 *       t_hangups up and wakes all: files opened before read end of file
 *       and cannot write, files opened later are fine.
 *   Y3  t_session's s_tty is this terminal, exactly if t_session is not NULL.
 *
 * Locking: t_tok; before a session's spin.  What a program reads and writes
 * goes through a buffer without it, one that holds a whole line, so a line
 * read is one copy.
 * Bounds: input and output rings of 4 KiB; who fills them waits.
 */
#include "tty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>

#define FEW_BYTES	256u		/* buffer on the stack */
#define DECISECOND	(NSEC_PER_SEC / 10)

static struct asynchead *
tty_async(struct file *fp)
{
	struct tty *t = fp->f_data;

	return &t->t_async;
}

static void
tty_async_owner(struct asynchead *h, int *type, int32_t *id)
{
	struct tty *t = container_of(h, struct tty, t_async);

	token_get(&t->t_tok);
	if (t->t_pgrp != NULL) {
		*type = F_OWNER_PGRP;
		*id = t->t_pgrp->pg_pgid;
	}
	token_release(&t->t_tok);
}

int
tty_create(const struct tty_driver *drv, void *data, uint64_t rdev, struct tty **out)
{
	struct tty *t = kmalloc(sizeof(*t), KM_ZERO | KM_WAIT);

	if (t == NULL)
		return ENOMEM;
	atomic_init(&t->t_refs, 1);
	t->t_drv = drv;
	t->t_data = data;
	t->t_rdev = rdev;
	token_init(&t->t_tok, "tty");
	ldisc_init(&t->t_ld);
	waitq_init(&t->t_rwait);
	waitq_init(&t->t_wwait);
	pollhead_init(&t->t_poll);
	asynchead_init(&t->t_async);
	t->t_async.ah_owner = tty_async_owner;
	*out = t;
	return 0;
}

void
tty_hold(struct tty *t)
{
	ASSERT(atomic_load(&t->t_refs) > 0);
	atomic_fetch_add(&t->t_refs, 1);
}

void
tty_drop(struct tty *t)
{
	ASSERT(atomic_load(&t->t_refs) > 0);
	if (atomic_fetch_sub(&t->t_refs, 1) != 1)
		return;
	ASSERT(t->t_session == NULL && t->t_drv->td_free != NULL);
	t->t_drv->td_free(t);
	kfree(t);
}

/* Y1 for a change that made the events `ev`. */
static void
tty_events(struct tty *t, uint32_t ev)
{
	token_assert_held(&t->t_tok);
	if ((ev & LDISC_INT) != 0)
		tty_signal(t, SIGINT);
	if ((ev & LDISC_QUIT) != 0)
		tty_signal(t, SIGQUIT);
	if ((ev & LDISC_SUSP) != 0)
		tty_signal(t, SIGTSTP);
	if ((ev & LDISC_READABLE) != 0) {
		wake_all(&t->t_rwait);
		poll_notify(&t->t_poll, POLLIN | POLLRDNORM);
		async_notify(&t->t_async, POLLIN);
	}
	if ((ev & (LDISC_FLUSHED | LDISC_STOP | LDISC_START)) != 0 && t->t_drv->td_changed != NULL)
		t->t_drv->td_changed(t);
	if ((ev & (LDISC_OUTPUT | LDISC_START | LDISC_SHOW)) != 0)
		t->t_drv->td_start(t);
	if ((ev & (LDISC_FLUSHED | LDISC_START)) != 0)
		tty_output_done(t);
}

size_t
tty_input(struct tty *t, const uint8_t *buf, size_t len)
{
	uint32_t ev;
	size_t n = ldisc_input(&t->t_ld, buf, len, &ev);

	tty_events(t, ev);
	return n;
}

void
tty_output_done(struct tty *t)
{
	token_assert_held(&t->t_tok);
	wake_all(&t->t_wwait);
	if (!ldisc_can_output(&t->t_ld))
		return;
	poll_notify(&t->t_poll, POLLOUT | POLLWRNORM);
	if (t->t_short)
		async_notify(&t->t_async, POLLOUT);
	t->t_short = false;
}

int
tty_open(struct tty *t, struct file *fp, bool may_control)
{
	int error = 0;

	token_get(&t->t_tok);
	if (t->t_exclusive && t->t_opens > 0 && !cred_capable(cred_current(), CAP_SYS_ADMIN)) {
		error = EBUSY;
	} else if (t->t_drv->td_open == NULL || (error = t->t_drv->td_open(t)) == 0) {
		t->t_opens++;
		tty_hold(t);
		fp->f_ops = &tty_file_ops;
		fp->f_data = t;
		fp->f_off = t->t_hangups;
		if (may_control && (atomic_load(&fp->f_flags) & O_NOCTTY) == 0)
			tty_take_control(t, fp);
	}
	token_release(&t->t_tok);
	return error;
}

static void
tty_close(struct file *fp)
{
	struct tty *t = fp->f_data;

	token_get(&t->t_tok);
	ASSERT(t->t_opens > 0);
	if (--t->t_opens == 0) {
		t->t_exclusive = false;
		if (t->t_drv->td_closed != NULL)
			t->t_drv->td_closed(t);
	}
	token_release(&t->t_tok);
	tty_drop(t);
}

/*
 * Bytes for a reader as the mode says: a line, or VMIN bytes within VTIME.
 * t_tok is held; *got may be positive with an error.
 */
static int
tty_wait_input(struct tty *t, struct file *fp, uint8_t *buf, size_t size, size_t *got)
{
	const struct ld_termios *tio = &t->t_ld.ld_t;
	nsec_t deadline = NSEC_NEVER, entered = time_now();
	struct waiter w;
	bool end;
	int error = 0;

	*got = 0;
	wait_begin(&t->t_rwait, &w);
	while (!tty_is_hung(t, fp)) {
		bool lines = (tio->lflag & LD_ICANON) != 0;
		nsec_t gap = lines ? 0 : tio->cc[LD_VTIME] * DECISECOND;
		uint32_t min = tio->cc[LD_VMIN];

		if (ldisc_readable(&t->t_ld, 1)) {
			*got += ldisc_read(&t->t_ld, buf + *got, size - *got, &end);
			t->t_drv->td_start(t);		/* there is room for input */
			if (lines || *got >= rt_min(min, size))
				break;
			deadline = gap != 0 ? time_now() + gap : NSEC_NEVER;
			continue;
		}
		if (!lines && min == 0) {
			if (gap == 0)
				break;
			deadline = entered + gap;
		}
		if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			error = EAGAIN;
		else
			error = wait_sleep(&w, deadline, WAIT_INTR);
		if (error != 0)
			break;
	}
	wait_end(&w);
	if (error == ETIMEDOUT)
		return 0;
	return error == EINTR ? ERESTARTSYS : error;
}

static int
tty_read(struct file *fp, struct uio *u)
{
	struct tty *t = fp->f_data;
	uint8_t few[FEW_BYTES], *buf = few;
	size_t size = rt_min(u->u_resid, LDISC_IN), got = 0;
	int error;

	if (size == 0)
		return 0;
	if (size > sizeof(few) && (buf = kmalloc(size, KM_WAIT)) == NULL)
		return ENOMEM;
	token_get(&t->t_tok);
	error = tty_is_hung(t, fp) ? 0 : tty_check_job(t, SIGTTIN);
	if (error == 0)
		error = tty_wait_input(t, fp, buf, size, &got);
	token_release(&t->t_tok);
	if (got > 0)
		error = uio_move(buf, got, u);
	if (buf != few)
		kfree(buf);
	return error;
}

/* All of [buf, +len) into the line discipline, waiting for room.  t_tok is held. */
static int
tty_put(struct tty *t, struct file *fp, const uint8_t *buf, size_t len, size_t *done)
{
	struct waiter w;
	size_t n;
	int error = 0;

	*done = 0;
	wait_begin(&t->t_wwait, &w);
	while (*done < len && error == 0) {
		if (tty_is_hung(t, fp)) {
			error = EIO;
			break;
		}
		n = ldisc_output(&t->t_ld, buf + *done, len - *done);
		*done += n;
		t->t_short = t->t_short || n < len - (*done - n);
		if (n > 0)
			t->t_drv->td_start(t);
		else if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			error = EAGAIN;
		else if (wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0)
			error = ERESTARTSYS;
	}
	wait_end(&w);
	return error;
}

static int
tty_write(struct file *fp, struct uio *u)
{
	struct tty *t = fp->f_data;
	uint8_t buf[FEW_BYTES];
	size_t done;
	int error = 0, copy_error = 0;

	while (u->u_resid > 0 && error == 0 && copy_error == 0) {
		struct uio before = *u;
		size_t want = rt_min(u->u_resid, sizeof(buf));

		copy_error = uio_move(buf, want, u);
		want = before.u_resid - u->u_resid;
		done = 0;
		token_get(&t->t_tok);
		if (tty_is_hung(t, fp))
			error = EIO;
		else if ((t->t_ld.ld_t.lflag & LD_TOSTOP) != 0)
			error = tty_check_job(t, SIGTTOU);
		if (error == 0)
			error = tty_put(t, fp, buf, want, &done);
		token_release(&t->t_tok);
		if (done < want) {		/* what was not taken is still the caller's */
			*u = before;
			u->u_resid -= done;
			u->u_off += done;
		}
		lwkt_poll();
	}
	return error != 0 ? error : copy_error;
}

static uint32_t
tty_poll(struct file *fp, struct pollnote *note)
{
	struct tty *t = fp->f_data;
	const uint8_t *cc = t->t_ld.ld_t.cc;
	uint32_t events = 0;

	poll_queue(&t->t_poll, note);
	token_get(&t->t_tok);
	if (tty_is_hung(t, fp))
		events = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
	if (ldisc_readable(&t->t_ld, cc[LD_VTIME] == 0 ? cc[LD_VMIN] : 1))
		events |= POLLIN | POLLRDNORM;
	if (ldisc_can_output(&t->t_ld))
		events |= POLLOUT | POLLWRNORM;
	token_release(&t->t_tok);
	return events;
}

int
tty_drain(struct tty *t, struct file *fp, nsec_t deadline, uint32_t flags)
{
	struct waiter w;
	int error = 0;

	token_assert_held(&t->t_tok);
	wait_begin(&t->t_wwait, &w);
	while (ldisc_out_bytes(&t->t_ld) > 0 && error == 0 && (fp == NULL || !tty_is_hung(t, fp))) {
		t->t_drv->td_start(t);
		if (ldisc_out_bytes(&t->t_ld) > 0)
			error = wait_sleep(&w, deadline, flags);
	}
	wait_end(&w);
	return error;
}

void
tty_set_size(struct tty *t, const struct k_winsize *ws)
{
	token_assert_held(&t->t_tok);
	if (memcmp(&t->t_size, ws, sizeof(*ws)) == 0)
		return;
	t->t_size = *ws;
	tty_signal(t, SIGWINCH);
}

static int
tty_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	(void)result;
	return tty_ioctl_on(fp->f_data, fp, true, cmd, arg);
}

const struct file_ops tty_file_ops = {
	.fo_read = tty_read,
	.fo_write = tty_write,
	.fo_poll = tty_poll,
	.fo_ioctl = tty_ioctl,
	.fo_async = tty_async,
	.fo_close = tty_close,
};
