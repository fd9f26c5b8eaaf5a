/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tty_ioctl - settings and questions.
 *
 * Both sides of a pty share one terminal, so all of this works on a master
 * too, with the differences that `slave` marks.
 */
#include "tty_int.h"

#include <abi/errno.h>
#include <abi/ioctl.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <sys/proc/proc.h>
#include <sys/proc/view.h>

static int
ioctl_get_termios(struct tty *t, uint32_t cmd, uaddr_t arg)
{
	struct ld_termios tio = t->t_ld.ld_t;		/* a copy: copyout may sleep */
	struct k_termio old = {
		(uint16_t)tio.iflag, (uint16_t)tio.oflag, (uint16_t)tio.cflag, (uint16_t)tio.lflag,
		.line = tio.line,
	};

	if (cmd == TCGETA) {
		memcpy(old.cc, tio.cc, TERMIO_NCC);
		return copyout(arg, &old, sizeof(old));
	}
	if (cmd == TIOCGLCKTRMIOS)
		memset(&tio, 0, sizeof(tio));		/* nothing is locked */
	return copyout(arg, &tio, cmd == TCGETS2 ? sizeof(tio) : LD_TERMIOS_BYTES);
}

/* The first *len bytes of the new settings; of the oldest form, those and the rest as it is. */
static int
termios_in(struct tty *t, uint32_t cmd, uaddr_t arg, struct ld_termios *in, size_t *len)
{
	struct ld_termios now = t->t_ld.ld_t;
	struct k_termio old;
	int error;

	*len = cmd == TCSETS2 || cmd == TCSETSW2 || cmd == TCSETSF2 ? sizeof(*in) : LD_TERMIOS_BYTES;
	if (cmd != TCSETA && cmd != TCSETAW && cmd != TCSETAF)
		return copyin(in, arg, *len);
	if ((error = copyin(&old, arg, sizeof(old))) != 0)
		return error;
	*in = now;
	in->iflag = (now.iflag & 0xffff0000u) | old.iflag;
	in->oflag = (now.oflag & 0xffff0000u) | old.oflag;
	in->cflag = (now.cflag & 0xffff0000u) | old.cflag;
	in->lflag = (now.lflag & 0xffff0000u) | old.lflag;
	memcpy(in->cc, old.cc, TERMIO_NCC);
	return 0;
}

/* Settings come in: what there is no line for cannot be asked for. */
static int
ioctl_set_termios(struct tty *t, struct file *fp, uint32_t cmd, uaddr_t arg)
{
	bool flush = cmd == TCSETSF || cmd == TCSETSF2 || cmd == TCSETAF;
	bool drain = flush || cmd == TCSETSW || cmd == TCSETSW2 || cmd == TCSETAW;
	struct ld_termios in, tio;
	size_t len;
	int error;

	if ((error = termios_in(t, cmd, arg, &in, &len)) != 0)
		return error;
	if (drain && tty_drain(t, fp, NSEC_NEVER, WAIT_INTR) != 0)
		return ERESTARTSYS;
	tio = t->t_ld.ld_t;			/* the rest as it is now, after the sleeping */
	memcpy(&tio, &in, len);
	if (flush) {
		ldisc_flush_in(&t->t_ld);
		t->t_drv->td_start(t);
	}
	tio.cflag = (tio.cflag & ~(LD_CSIZE | LD_PARENB)) | LD_CS8 | LD_CREAD;
	tio.line = 0;
	t->t_ld.ld_events = 0;
	ldisc_set_termios(&t->t_ld, &tio);
	if (t->t_drv->td_changed != NULL)
		t->t_drv->td_changed(t);
	t->t_drv->td_start(t);
	tty_output_done(t);
	wake_all(&t->t_rwait);			/* readers look at the mode again */
	poll_notify(&t->t_poll, 0);
	return 0;
}

static int
ioctl_flush(struct tty *t, uint64_t what)
{
	if (what > TCIOFLUSH)
		return EINVAL;
	if (what != TCOFLUSH)
		ldisc_flush_in(&t->t_ld);
	t->t_ld.ld_events = 0;
	if (what != TCIFLUSH) {
		ldisc_flush_out(&t->t_ld);
		t->t_ld.ld_events = LDISC_FLUSHED;
		if (t->t_drv->td_changed != NULL)
			t->t_drv->td_changed(t);
		tty_output_done(t);
	}
	t->t_drv->td_start(t);
	return 0;
}

/* Stop or start output, or ask the other side to. */
static int
ioctl_flow(struct tty *t, uint64_t what)
{
	uint8_t key = t->t_ld.ld_t.cc[what == TCIOFF ? LD_VSTOP : LD_VSTART];

	if (what > TCION)
		return EINVAL;
	t->t_ld.ld_events = 0;
	if (what == TCOOFF || what == TCOON)
		ldisc_stop(&t->t_ld, what == TCOOFF);
	else if (key != 0)
		ldisc_send(&t->t_ld, key);
	if (t->t_drv->td_changed != NULL)
		t->t_drv->td_changed(t);
	t->t_drv->td_start(t);
	tty_output_done(t);
	return 0;
}

/* A byte as if typed: only by whom the terminal belongs to. */
static int
ioctl_type(struct tty *t, uaddr_t arg)
{
	uint8_t c;
	int error;

	/* From a jail it would be a hand on a keyboard outside. */
	if (view_is_jail(view_current()) || (!tty_is_mine(t) && !cred_capable(cred_current(), CAP_SYS_ADMIN)))
		return EPERM;
	if ((error = copyin(&c, arg, sizeof(c))) != 0)
		return error;
	return tty_input(t, &c, 1) == 1 ? 0 : EAGAIN;
}

static int
ioctl_size(struct tty *t, uint32_t cmd, uaddr_t arg)
{
	struct k_winsize ws = t->t_size;
	int error;

	if (cmd == TIOCGWINSZ)
		return copyout(arg, &ws, sizeof(ws));
	if ((error = copyin(&ws, arg, sizeof(ws))) == 0)
		tty_set_size(t, &ws);
	return error;
}

/* What changes the terminal, from a process that job control lets. */
static int
ioctl_change(struct tty *t, struct file *fp, uint32_t cmd, uaddr_t arg)
{
	int error = tty_check_job(t, SIGTTOU);

	if (error != 0)
		return error;
	switch (cmd) {
	case TCFLSH:
		return ioctl_flush(t, arg);
	case TCXONC:
		return ioctl_flow(t, arg);
	case TCSBRK:
	case TCSBRKP:			/* no line to send a break on: the waiting is all */
		return tty_drain(t, fp, NSEC_NEVER, WAIT_INTR) != 0 ? ERESTARTSYS : 0;
	default:
		return ioctl_set_termios(t, fp, cmd, arg);
	}
}

static int
put_int(uaddr_t arg, uint64_t value)
{
	int32_t v = (int32_t)value;

	return copyout(arg, &v, sizeof(v));
}

/* Settings of the terminal as a file. */
static int
ioctl_other(struct tty *t, uint32_t cmd, uaddr_t arg)
{
	int32_t value;
	int error;

	switch (cmd) {
	case TIOCOUTQ:
		return put_int(arg, ldisc_out_bytes(&t->t_ld));
	case TIOCEXCL:
	case TIOCNXCL:
		t->t_exclusive = cmd == TIOCEXCL;
		return 0;
	case TIOCGEXCL:
		return put_int(arg, t->t_exclusive);
	case TIOCGETD:
		return put_int(arg, 0);
	case TIOCSETD:
		error = copyin(&value, arg, sizeof(value));
		return error != 0 ? error : value == 0 ? 0 : EINVAL;
	case TIOCGDEV:
		return put_int(arg, t->t_rdev);
	default:
		return ENOTTY;
	}
}

static int
ioctl_locked(struct tty *t, struct file *fp, bool slave, uint32_t cmd, uaddr_t arg)
{
	switch (cmd) {
	case TCGETS:
	case TCGETS2:
	case TCGETA:
	case TIOCGLCKTRMIOS:
		return ioctl_get_termios(t, cmd, arg);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
	case TCFLSH:
	case TCXONC:
	case TCSBRK:
	case TCSBRKP:
		return ioctl_change(t, fp, cmd, arg);
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGSID:
	case TIOCSCTTY:
	case TIOCNOTTY:
		return tty_job_ioctl(t, fp, slave, cmd, arg);
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return ioctl_size(t, cmd, arg);
	case TIOCSTI:
		return ioctl_type(t, arg);
	case FIONREAD:
		return put_int(arg, slave ? ldisc_in_bytes(&t->t_ld) : ldisc_out_bytes(&t->t_ld));
	default:
		return ioctl_other(t, cmd, arg);
	}
}

int
tty_ioctl_on(struct tty *t, struct file *fp, bool slave, uint32_t cmd, uaddr_t arg)
{
	int error;

	if (cmd == TIOCVHANGUP) {
		if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
			return EPERM;
		tty_hangup(t, false);
		return 0;
	}
	token_get(&t->t_tok);
	if (slave && tty_is_hung(t, fp))
		error = cmd == TIOCSPGRP ? ENOTTY : EIO;
	else
		error = ioctl_locked(t, fp, slave, cmd, arg);
	token_release(&t->t_tok);
	return error;
}
