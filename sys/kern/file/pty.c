/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pty - a terminal whose other side is a program.
 *
 * Opening /dev/ptmx makes a terminal and gives its master: what is written
 * there are key strokes, what is read there is the terminal's output.  The
 * terminal itself is opened as /dev/pts/N, once TIOCSPTLCK has unlocked it
 * (devpts.c shows it there while its master is open).
 *
 * Invariants
 *   Y1  pty_table[N] is set from before the master's open succeeds until the
 *       terminal's last reference is gone; the master holds one.
 *   Y2  when the master closes, the terminal is hung up and can no longer be
 *       opened; when the last file of the terminal closes, the master reads
 *       what is left and then EIO, until somebody opens the terminal again.
 *
 * Locking: pty_tok guards the table, before a terminal's t_tok, which guards
 * the rest.  User memory is touched under neither.
 * Bounds: PTY_MAX at once, ENOSPC beyond.
 */
#include "pty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define STEP_BYTES	256u
#define RDEV_PTMX	MKDEV(5, 2)
#define TTY_GID		5u		/* Debian's group tty */

static struct token	pty_tok = TOKEN_INIT(pty_tok, "pty table");
static struct pty	*pty_table[PTY_MAX];	/* [pty_tok] Y1 */

static const struct file_ops ptm_file_ops;

static struct pty *
pty_of(const struct tty *t)
{
	return t->t_data;
}

/* --------------------------------------------- what the terminal calls -- */

static void
pty_start(struct tty *t)
{
	struct pty *p = pty_of(t);

	token_assert_held(&t->t_tok);
	wake_all(&p->p_rwait);
	wake_all(&p->p_wwait);
	poll_notify(&p->p_poll, 0);
	if (ldisc_out_bytes(&t->t_ld) > p->p_told)
		async_notify(&p->p_async, POLLIN);
	p->p_told = ldisc_out_bytes(&t->t_ld);
}

static void
ptm_async_owner(struct asynchead *h, int *type, int32_t *id)
{
	(void)h, (void)type, (void)id;		/* no job control on this side: who asks */
}

static struct asynchead *
ptm_async(struct file *fp)
{
	struct pty *p = fp->f_data;

	return &p->p_async;
}

/* Packet mode: the master wants to know of flushes and of flow control. */
static void
pty_changed(struct tty *t)
{
	struct pty *p = pty_of(t);
	uint32_t ev = t->t_ld.ld_events;
	const uint8_t *cc = t->t_ld.ld_t.cc;
	bool local = (t->t_ld.ld_t.iflag & LD_IXON) != 0 && cc[LD_VSTOP] == 19 && cc[LD_VSTART] == 17;

	if (!p->p_packet)
		return;
	if ((ev & LDISC_FLUSHED) != 0)
		p->p_status |= TIOCPKT_FLUSHWRITE;
	if ((ev & LDISC_STOP) != 0)
		p->p_status = (p->p_status & ~TIOCPKT_START) | TIOCPKT_STOP;
	if ((ev & LDISC_START) != 0)
		p->p_status = (p->p_status & ~TIOCPKT_STOP) | TIOCPKT_START;
	if (local != p->p_local_flow) {
		p->p_local_flow = local;
		p->p_status &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
		p->p_status |= local ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
	}
	pty_start(t);
}

/* Who sees the master open here is hung up with the others when it closes. */
static int
pty_may_open(struct tty *t)
{
	struct pty *p = pty_of(t);

	token_assert_held(&t->t_tok);
	if (!p->p_master_open || p->p_locked)
		return EIO;
	p->p_opened = true;
	return 0;
}

static void
pty_slave_closed(struct tty *t)
{
	pty_start(t);		/* the master looks at t_opens */
}

static void
pty_free(struct tty *t)
{
	struct pty *p = pty_of(t);

	token_get(&pty_tok);
	ASSERT(pty_table[p->p_index] == p);
	pty_table[p->p_index] = NULL;
	token_release(&pty_tok);
	kfree(p);
}

static const struct tty_driver pty_driver = {
	.td_pty = true,
	.td_open = pty_may_open,
	.td_start = pty_start,
	.td_changed = pty_changed,
	.td_closed = pty_slave_closed,
	.td_free = pty_free,
};

/* -------------------------------------------------------------- master -- */

static int
pty_create(struct pty **out)
{
	struct pty *p = kmalloc(sizeof(*p), KM_ZERO | KM_WAIT);
	const struct cred *cr = cred_current();
	uint32_t i;
	int error;

	if (p == NULL)
		return ENOMEM;
	waitq_init(&p->p_rwait);
	waitq_init(&p->p_wwait);
	pollhead_init(&p->p_poll);
	asynchead_init(&p->p_async);
	p->p_async.ah_owner = ptm_async_owner;
	p->p_locked = p->p_master_open = p->p_local_flow = true;
	p->p_uid = cr->cr_fsuid;
	p->p_gid = TTY_GID;
	p->p_mode = 0620;
	p->p_time = time_wall();
	if ((error = tty_create(&pty_driver, p, 0, &p->p_tty)) != 0) {
		kfree(p);
		return error;
	}
	token_get(&pty_tok);
	for (i = 0; i < PTY_MAX && pty_table[i] != NULL; i++)
		;
	if (i < PTY_MAX) {
		pty_table[i] = p;
		p->p_index = i;
		p->p_tty->t_rdev = MKDEV(PTY_MAJOR, i);
	}
	token_release(&pty_tok);
	if (i == PTY_MAX) {
		kfree(p->p_tty);
		kfree(p);
		return ENOSPC;
	}
	*out = p;
	return 0;
}

struct pty *
pty_find(uint32_t index)
{
	struct pty *p = NULL;

	token_get(&pty_tok);
	if (index < PTY_MAX && pty_table[index] != NULL && pty_table[index]->p_master_open) {
		p = pty_table[index];
		tty_hold(p->p_tty);
	}
	token_release(&pty_tok);
	return p;
}

static int
ptm_open(struct vnode *vn, struct file *fp)
{
	struct pty *p;
	int error;

	(void)vn;
	if ((error = pty_create(&p)) != 0)
		return error;
	fp->f_ops = &ptm_file_ops;
	fp->f_data = p;
	return 0;
}

static void
ptm_close(struct file *fp)
{
	struct pty *p = fp->f_data;
	struct tty *t = p->p_tty;

	token_get(&pty_tok);
	p->p_master_open = false;	/* Y2 */
	token_release(&pty_tok);
	tty_hangup(t, false);
	token_get(&t->t_tok);
	ldisc_stop(&t->t_ld, false);
	ldisc_flush_out(&t->t_ld);	/* nobody will read it */
	tty_output_done(t);
	token_release(&t->t_tok);
	tty_drop(t);
}

/* Output for the master, or the status byte of packet mode.  t_tok is held; EIO: nobody is there to make any. */
static int
ptm_take(struct pty *p, uint8_t *buf, size_t len, size_t *got)
{
	struct tty *t = p->p_tty;

	*got = 0;
	if (p->p_packet && p->p_status != 0) {
		buf[(*got)++] = (uint8_t)p->p_status;
		p->p_status = 0;
		return 0;
	}
	if (ldisc_out_bytes(&t->t_ld) > 0 && !t->t_ld.ld_stopped) {
		if (p->p_packet)
			buf[(*got)++] = TIOCPKT_DATA;
		*got += ldisc_take(&t->t_ld, buf + *got, len - *got);
		p->p_told = ldisc_out_bytes(&t->t_ld);
		tty_output_done(t);
		return 0;
	}
	return p->p_opened && t->t_opens == 0 ? EIO : EAGAIN;
}

static int
ptm_read(struct file *fp, struct uio *u)
{
	struct pty *p = fp->f_data;
	size_t size = rt_min(u->u_resid, LDISC_OUT), got = 0;
	uint8_t few[STEP_BYTES], *buf = few;
	struct waiter w;
	int error;

	if (size == 0)
		return 0;
	if (size > sizeof(few) && (buf = kmalloc(size, KM_WAIT)) == NULL)
		return ENOMEM;
	token_get(&p->p_tty->t_tok);
	wait_begin(&p->p_rwait, &w);
	while ((error = ptm_take(p, buf, size, &got)) == EAGAIN && (atomic_load(&fp->f_flags) & O_NONBLOCK) == 0) {
		if (wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0) {
			error = ERESTARTSYS;
			break;
		}
	}
	wait_end(&w);
	token_release(&p->p_tty->t_tok);
	if (error == 0)
		error = uio_move(buf, got, u);
	if (buf != few)
		kfree(buf);
	return error;
}

/* All of [buf, +len) as key strokes, waiting for room.  t_tok is held. */
static int
ptm_put(struct pty *p, struct file *fp, const uint8_t *buf, size_t len, size_t *done)
{
	struct waiter w;
	size_t n;
	int error = 0;

	wait_begin(&p->p_wwait, &w);
	while (*done < len && error == 0) {
		if (p->p_opened && p->p_tty->t_opens == 0) {
			error = EIO;
			break;
		}
		n = tty_input(p->p_tty, buf + *done, len - *done);
		*done += n;
		if (n > 0)
			continue;
		if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			error = EAGAIN;
		else if (wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0)
			error = ERESTARTSYS;
	}
	wait_end(&w);
	return error;
}

static int
ptm_write(struct file *fp, struct uio *u)
{
	struct pty *p = fp->f_data;
	uint8_t buf[STEP_BYTES];
	int error = 0, copy_error = 0;

	while (u->u_resid > 0 && error == 0 && copy_error == 0) {
		struct uio before = *u;
		size_t want = rt_min(u->u_resid, sizeof(buf)), done = 0;

		copy_error = uio_move(buf, want, u);
		want = before.u_resid - u->u_resid;
		token_get(&p->p_tty->t_tok);
		error = ptm_put(p, fp, buf, want, &done);
		token_release(&p->p_tty->t_tok);
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
ptm_poll(struct file *fp, struct pollnote *note)
{
	struct pty *p = fp->f_data;
	struct tty *t = p->p_tty;
	uint32_t events = 0;

	poll_queue(&p->p_poll, note);
	token_get(&t->t_tok);
	if (ldisc_out_bytes(&t->t_ld) > 0 && !t->t_ld.ld_stopped)
		events |= POLLIN | POLLRDNORM;
	if (p->p_packet && p->p_status != 0)
		events |= POLLPRI | POLLIN | POLLRDNORM;
	if (ldisc_can_input(&t->t_ld))
		events |= POLLOUT | POLLWRNORM;
	if (p->p_opened && t->t_opens == 0)
		events |= POLLHUP;
	token_release(&t->t_tok);
	return events;
}

/* TIOCGPTPEER: the terminal, opened through its master. */
static int
ptm_open_peer(struct pty *p, uint32_t flags, int64_t *result)
{
	struct file *fp;
	struct ncp *n;
	char path[32];
	int fd, error;

	rt_snprintf(path, sizeof(path), "/dev/pts/%u", p->p_index);
	flags &= O_ACCMODE | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	if ((error = name_open(NULL, path, flags, 0, &n)) != 0)
		return error;
	error = file_open_name(n, flags, &fp);
	ncp_drop(n);
	if (error == 0 && (error = fd_install(fp, (flags & O_CLOEXEC) != 0, 0, &fd)) == 0)
		*result = fd;
	return error;
}

static int
ptm_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct pty *p = fp->f_data;
	int32_t value = 0;
	int error;

	switch (cmd) {
	case TIOCGPTN:
		value = (int32_t)p->p_index;
		return copyout(arg, &value, sizeof(value));
	case TIOCSPTLCK:
		if ((error = copyin(&value, arg, sizeof(value))) == 0)
			p->p_locked = value != 0;
		return error;
	case TIOCGPTLCK:
		value = p->p_locked;
		return copyout(arg, &value, sizeof(value));
	case TIOCPKT:
		if ((error = copyin(&value, arg, sizeof(value))) != 0)
			return error;
		token_get(&p->p_tty->t_tok);
		if (value != 0 && !p->p_packet)
			p->p_status = 0;
		p->p_packet = value != 0;
		token_release(&p->p_tty->t_tok);
		return 0;
	case TIOCGPKT:
		token_get(&p->p_tty->t_tok);
		value = p->p_packet;
		token_release(&p->p_tty->t_tok);
		return copyout(arg, &value, sizeof(value));
	case TIOCGPTPEER:
		return ptm_open_peer(p, (uint32_t)arg, result);
	case TIOCSCTTY:
	case TIOCNOTTY:
		return ENOTTY;
	default:
		return tty_ioctl_on(p->p_tty, fp, false, cmd, arg);
	}
}

static const struct file_ops ptm_file_ops = {
	.fo_read = ptm_read,
	.fo_write = ptm_write,
	.fo_poll = ptm_poll,
	.fo_ioctl = ptm_ioctl,
	.fo_async = ptm_async,
	.fo_close = ptm_close,
};

int
pty_init(void)
{
	int error = devpts_init();

	return error != 0 ? error : devfs_add("ptmx", 0666, RDEV_PTMX, ptm_open);
}
