/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stdio - the machine's three streams as open files, each by its kind.
 *
 * A terminal becomes the console (tty.c).  Anything else is a stream: bytes
 * go straight to the device and come straight from it, none read ahead, so
 * that what a program leaves unread is still there for whoever comes next
 * outside.  Asking for readiness has to try: it takes one byte, which the
 * next read gets first.
 *
 * Invariants
 *   S1  st_byte_held says that st_byte was taken from the device and
 *       belongs before everything that is still there.
 *   S2  each attempt on the device is one step for others; what the device takes
 *       at once (a pipe outside: PIPE_BUF) stays together, as outside.
 *
 * Locking: st_rlk for attempts to read, st_wlk for attempts to write, neither
 * while waiting, so that who waits can be interrupted.  Streams that are one
 * open file outside share a struct stream, and so the locks.
 */
#include "tty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <stdatomic.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define STREAMS		3
#define STEP_BYTES	65536u		/* bounce buffer */
#define STREAM_DEV	14u		/* st_dev: no filesystem's */

struct stream {
	struct chrdev	*st_cd;		/* const once set */
	struct lk	st_rlk;
	struct lk	st_wlk;		/* S2 */
	struct waitq	st_waitq;	/* for news from the device */
	struct pollhead	st_poll;
	bool		st_byte_held;	/* [st_rlk] S1 */
	uint8_t		st_byte;	/* [st_rlk] */
	_Atomic bool	st_full;	/* [atomic] the last write met EAGAIN and there was no news since */
};

static struct stream stream[STREAMS];
static const char *const stream_name[STREAMS] = { "stdin", "stdout", "stderr" };

/* In a critical section: set flags and wake. */
static void
stream_notify(struct chrdev *cd)
{
	struct stream *st = cd->cd_up;

	atomic_store(&st->st_full, false);
	wake_all(&st->st_waitq);
	poll_notify(&st->st_poll, 0);
}

/* One byte or more from the device or EAGAIN; 0 with *done 0 is the end.  st_rlk is held. */
static int
stream_get(struct stream *st, uint8_t *buf, size_t len, size_t *done)
{
	int error;

	*done = 0;
	if (!st->st_byte_held)
		return st->st_cd->cd_ops->read(st->st_cd, buf, len, done);
	buf[0] = st->st_byte;
	st->st_byte_held = false;
	*done = 1;
	if (len > 1) {
		size_t more = 0;

		error = st->st_cd->cd_ops->read(st->st_cd, buf + 1, len - 1, &more);
		if (error == 0)
			*done += more;
	}
	return 0;
}

/* Wait until there is something: bytes, or the end (*done 0). */
static int
stream_wait(struct stream *st, uint8_t *buf, size_t len, bool block, size_t *done)
{
	struct waiter w;
	int error;

	wait_begin(&st->st_waitq, &w);
	for (;;) {
		lk_excl(&st->st_rlk);
		error = stream_get(st, buf, len, done);
		lk_release(&st->st_rlk);
		if (error != EAGAIN || !block)
			break;
		if (wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0) {
			error = ERESTARTSYS;
			break;
		}
	}
	wait_end(&w);
	return error;
}

/* A file outside fills the whole buffer, as files do; anything else gives what it has. */
static int
stream_read(struct file *fp, struct uio *u)
{
	bool block = (atomic_load(&fp->f_flags) & O_NONBLOCK) == 0;
	struct stream *st = fp->f_data;
	size_t size = rt_min(u->u_resid, STEP_BYTES), done;
	uint8_t *buf;
	int error;

	if (u->u_resid == 0)
		return 0;
	if ((buf = kmalloc(size, KM_WAIT)) == NULL)
		return ENOMEM;
	do {
		done = 0;
		error = stream_wait(st, buf, rt_min(u->u_resid, size), block, &done);
		if (error == 0)
			error = uio_move(buf, done, u);
		lwkt_poll();
	} while (error == 0 && done > 0 && u->u_resid > 0 && st->st_cd->cd_kind == CHR_FILE);
	kfree(buf);
	return error;
}

/* All of [buf, +len) to the device, unless it must not wait. */
static int
stream_put(struct stream *st, const uint8_t *buf, size_t len, bool block, size_t *done)
{
	struct waiter w;
	size_t n;
	int error = 0;

	*done = 0;
	wait_begin(&st->st_waitq, &w);
	while (*done < len && error == 0) {
		n = 0;
		lk_excl(&st->st_wlk);
		atomic_store(&st->st_full, true);	/* before the attempt: news after it must show */
		error = st->st_cd->cd_ops->write(st->st_cd, buf + *done, len - *done, &n);
		lk_release(&st->st_wlk);
		*done += n;
		if (error != EAGAIN)
			atomic_store(&st->st_full, false);
		if (error == EAGAIN && block)
			error = wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0 ? ERESTARTSYS : 0;
	}
	wait_end(&w);
	return error;
}

static int
stream_write(struct file *fp, struct uio *u)
{
	bool block = (atomic_load(&fp->f_flags) & O_NONBLOCK) == 0;
	struct stream *st = fp->f_data;
	uint64_t size = rt_min(u->u_resid, STEP_BYTES), want;
	uint8_t *buf;
	size_t done;
	int error = 0, copy_error = 0;

	if (u->u_resid == 0)
		return 0;
	if ((buf = kmalloc(size, KM_WAIT)) == NULL)
		return ENOMEM;
	while (u->u_resid > 0 && error == 0 && copy_error == 0) {
		struct uio before = *u;

		want = rt_min(u->u_resid, size);
		copy_error = uio_move(buf, want, u);
		want = before.u_resid - u->u_resid;
		error = stream_put(st, buf, want, block, &done);
		if (done < want) {		/* what did not leave was not taken */
			u->u_resid = before.u_resid - done;
			u->u_off = before.u_off + done;
		}
		lwkt_poll();
	}
	kfree(buf);
	if (error == EPIPE)
		file_signal(SIGPIPE);
	return error != 0 ? error : copy_error;
}

static uint32_t
stream_poll(struct file *fp, struct pollnote *note)
{
	struct stream *st = fp->f_data;
	uint32_t events = 0;
	size_t done = 0;
	int error = 0;

	poll_queue(&st->st_poll, note);
	if (file_can_write(fp) && !atomic_load(&st->st_full))
		events |= POLLOUT | POLLWRNORM;
	if (!file_can_read(fp))
		return events;
	lk_excl(&st->st_rlk);
	if (!st->st_byte_held) {
		error = st->st_cd->cd_ops->read(st->st_cd, &st->st_byte, 1, &done);
		st->st_byte_held = error == 0 && done == 1;
	}
	if (st->st_byte_held)
		events |= POLLIN | POLLRDNORM;
	else if (error != EAGAIN)
		events |= st->st_cd->cd_kind == CHR_PIPE ? POLLHUP : POLLIN | POLLRDNORM;
	lk_release(&st->st_rlk);
	return events;
}

static int
stream_stat(struct file *fp, struct k_stat *st)
{
	const struct stream *s = fp->f_data;

	memset(st, 0, sizeof(*st));
	st->st_dev = STREAM_DEV;
	st->st_ino = fp->f_id;
	st->st_nlink = 1;
	st->st_blksize = (int64_t)PAGE_BYTES;
	switch (s->st_cd->cd_kind) {
	case CHR_FILE:
		st->st_mode = S_IFREG | 0600;
		break;
	case CHR_NULL:
		st->st_mode = S_IFCHR | 0666;
		st->st_rdev = MKDEV(1, 3);
		break;
	default:
		st->st_mode = S_IFIFO | 0600;
		break;
	}
	return 0;
}

static const struct file_ops stream_ops = {
	.fo_read = stream_read,
	.fo_write = stream_write,
	.fo_poll = stream_poll,
	.fo_stat = stream_stat,
};

/* The stream of a device, with its notes set up on first use (one thread: boot, or process 1). */
static struct stream *
stream_of(int which)
{
	struct stream *st = &stream[which];

	if (st->st_cd == NULL && (st->st_cd = chr_find(stream_name[which])) != NULL) {
		lk_init(&st->st_rlk, LR_stream);
		lk_init(&st->st_wlk, LR_stream);
		waitq_init(&st->st_waitq);
		pollhead_init(&st->st_poll);
		if (st->st_cd->cd_kind != CHR_TTY && st->st_cd->cd_kind != CHR_NONE) {
			st->st_cd->cd_up = st;
			st->st_cd->cd_notify = stream_notify;
		}
	}
	return st->st_cd != NULL ? st : NULL;
}

int
stdio_open(int which, struct file **out)
{
	struct stream *st;

	ASSERT(which >= 0 && which < STREAMS);
	st = stream_of(which);
	if (st == NULL || st->st_cd->cd_kind == CHR_NONE)
		return ENXIO;
	if (st->st_cd->cd_kind == CHR_TTY)
		return console_file(out);
	if (st->st_cd->cd_same != NULL) {	/* the same open file outside: the same stream, in both directions */
		for (int i = 0; i < which; i++)
			if (stream[i].st_cd == st->st_cd->cd_same && stream[i].st_cd->cd_kind == st->st_cd->cd_kind)
				st = &stream[i];
	}
	return file_create(&stream_ops, which == 0 ? O_RDONLY : O_WRONLY, st, out);
}
