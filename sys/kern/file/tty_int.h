/* SPDX-License-Identifier: BSD-2-Clause */
/* tty_int - what tty.c, tty_job.c, tty_ioctl.c, console.c and pty.c share.  Nobody else includes this. */
#pragma once
#include <abi/termios.h>
#include <core/tty/ldisc.h>
#include <sys/file/async.h>
#include <sys/file/file.h>
#include <sys/file/tty.h>
#include <sys/lwkt/token.h>
#include <sys/lwkt/wait.h>

struct pgrp;
struct session;

struct tty_driver {
	bool	td_pty;				/* no hardware: closing the other side is hanging up */
	int	(*td_open)(struct tty *t);	/* may it be opened?  t_tok is held and must not be lost; may be NULL */
	/* There is output to take, or room for input again.  t_tok is held and must not be lost. */
	void	(*td_start)(struct tty *t);
	void	(*td_changed)(struct tty *t);	/* output was flushed or flow control changed: t_ld.ld_events; may be NULL */
	void	(*td_closed)(struct tty *t);	/* the last file was closed; may be NULL */
	void	(*td_free)(struct tty *t);	/* last reference; may be NULL: it never goes */
};
struct tty {
	_Atomic uint32_t t_refs;
	const struct tty_driver *t_drv;	/* const */
	void		*t_data;	/* const: the driver's */
	uint64_t	t_rdev;		/* const after the driver's set-up */
	struct token	t_tok;
	struct ldisc	t_ld;		/* [t_tok] */
	struct session	*t_session;	/* [t_tok] held: whose controlling terminal this is */
	struct pgrp	*t_pgrp;	/* [t_tok] held: in the foreground */
	struct k_winsize t_size;	/* [t_tok] */
	uint32_t	t_hangups;	/* [t_tok] files of earlier times (f_off) are dead */
	uint32_t	t_opens;	/* [t_tok] open files */
	bool		t_exclusive;	/* [t_tok] */
	struct waitq	t_rwait;	/* for input */
	struct waitq	t_wwait;	/* for room for output, and for all output to be gone */
	struct pollhead	t_poll;
	struct asynchead t_async;
	bool		t_short;	/* [t_tok] a write left something: O_ASYNC tells of room */
};

extern const struct file_ops tty_file_ops;
int	tty_create(const struct tty_driver *drv, void *data, uint64_t rdev, struct tty **out);
void	tty_hold(struct tty *t);
void	tty_drop(struct tty *t);
/* vop_open's work for a device that is this terminal; t_tok not held. */
int	tty_open(struct tty *t, struct file *fp, bool may_control);
/* From the driver, t_tok held: key strokes (returns how many were taken); output left the ring. */
size_t	tty_input(struct tty *t, const uint8_t *buf, size_t len);
void	tty_output_done(struct tty *t);
void	tty_hangup(struct tty *t, bool session_ends);	/* t_tok not held */
static inline bool tty_is_hung(const struct tty *t, const struct file *fp) { return fp->f_off != t->t_hangups; }
void	tty_set_size(struct tty *t, const struct k_winsize *ws);	/* t_tok held: SIGWINCH when it changed */
int	tty_drain(struct tty *t, struct file *fp, nsec_t deadline, uint32_t flags);	/* t_tok held: 0, EINTR, ETIMEDOUT */
/* What a terminal and the other side of a pty share.  t_tok not held; `slave`: fp is not a pty's master. */
int	tty_ioctl_on(struct tty *t, struct file *fp, bool slave, uint32_t cmd, uaddr_t arg);

/* Job control (tty_job.c).  t_tok held unless said otherwise. */
int	tty_check_job(struct tty *t, int sig);		/* may the current process go on?  EIO, ERESTARTSYS after sig was sent */
bool	tty_is_mine(struct tty *t);			/* the controlling terminal of the current process */
void	tty_take_control(struct tty *t, struct file *fp);	/* if a session leader without one opens it */
int	tty_job_ioctl(struct tty *t, struct file *fp, bool slave, uint32_t cmd, uaddr_t arg);	/* ENOTTY: not one of its */
void	tty_signal(struct tty *t, int sig);		/* to the foreground */
void	tty_let_go(struct tty *t);			/* it controls no session any more */
struct tty *tty_held_by(struct session *s);		/* its controlling terminal, held; NULL.  No token needed */
struct tty *tty_of_session(void);			/* the current process's, the same way */

int	console_file(struct file **out);		/* the console, as a first process's descriptor */
