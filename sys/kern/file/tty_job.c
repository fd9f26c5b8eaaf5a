/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tty_job - who may use a terminal: sessions, the foreground group, hang-ups.
 *
 * A session has at most one controlling terminal and a terminal controls at
 * most one session; each side holds a reference on the other until the
 * session's leader ends or the terminal is hung up.
 *
 * Locking: t_tok, then the session's spin, for what binds the two.  A spin, so
 * that nothing here gives t_tok up.  A process's group is looked up by its
 * number, because the process tree is not ours to look into.
 */
#include "tty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/proc.h>

/* The current process's group, held; NULL: it has none (a kernel thread). */
static struct pgrp *
current_pgrp(void)
{
	int32_t pgid, sid;

	if (curlwp == NULL || proc_getpgid(0, &pgid, &sid) != 0)
		return NULL;
	return pgrp_find(pgid);
}

static bool
is_leader(const struct session *s)
{
	return s->s_sid == curproc->p_pid;
}

struct tty *
tty_held_by(struct session *s)
{
	struct tty *t;

	spin_lock(&s->s_spin);
	t = s->s_tty;
	if (t != NULL)
		tty_hold(t);
	spin_unlock(&s->s_spin);
	return t;
}

struct tty *
tty_of_session(void)
{
	struct pgrp *pg = current_pgrp();
	struct tty *t;

	if (pg == NULL)
		return NULL;
	t = tty_held_by(pg->pg_session);
	pgrp_drop(pg);
	return t;
}

bool
tty_is_mine(struct tty *t)
{
	struct pgrp *pg = current_pgrp();
	bool mine;

	token_assert_held(&t->t_tok);
	if (pg == NULL)
		return false;
	mine = t->t_session == pg->pg_session;
	pgrp_drop(pg);
	return mine;
}

void
tty_signal(struct tty *t, int sig)
{
	token_assert_held(&t->t_tok);
	if (t->t_pgrp != NULL)
		sig_post_pgrp(t->t_pgrp, sig, NULL);
}

int
tty_check_job(struct tty *t, int sig)
{
	struct pgrp *pg = current_pgrp();
	int error = 0;

	token_assert_held(&t->t_tok);
	if (pg == NULL)
		return 0;
	if (t->t_session == pg->pg_session && t->t_pgrp != NULL && t->t_pgrp != pg) {
		if (sig_is_ignored_or_blocked(curlwp, sig)) {
			error = sig == SIGTTIN ? EIO : 0;
		} else if (pgrp_is_orphaned(pg)) {
			error = EIO;
		} else {
			sig_post_pgrp(pg, sig, NULL);
			error = ERESTARTSYS;
		}
	}
	pgrp_drop(pg);
	return error;
}

/* Y3: bind the terminal, which is free, to pg's session; pg becomes the foreground.  False: the session has one. */
static bool
tty_bind(struct tty *t, struct pgrp *pg)
{
	struct session *s = pg->pg_session;
	bool ok;

	token_assert_held(&t->t_tok);
	ASSERT(t->t_session == NULL);
	spin_lock(&s->s_spin);
	ok = s->s_tty == NULL;
	if (ok) {
		tty_hold(t);
		s->s_tty = t;
	}
	spin_unlock(&s->s_spin);
	if (!ok)
		return false;
	session_hold(s);
	t->t_session = s;
	pgrp_hold(pg);
	t->t_pgrp = pg;
	return true;
}

void
tty_let_go(struct tty *t)
{
	struct session *s = t->t_session;
	struct pgrp *pg = t->t_pgrp;

	token_assert_held(&t->t_tok);
	t->t_session = NULL;
	t->t_pgrp = NULL;
	if (pg != NULL)
		pgrp_drop(pg);
	if (s == NULL)
		return;
	spin_lock(&s->s_spin);
	ASSERT(s->s_tty == t);
	s->s_tty = NULL;
	spin_unlock(&s->s_spin);
	session_drop(s);
	tty_drop(t);			/* the caller has a reference of its own */
}

void
tty_take_control(struct tty *t, struct file *fp)
{
	struct pgrp *pg = current_pgrp();

	token_assert_held(&t->t_tok);
	if (pg == NULL)
		return;
	if (is_leader(pg->pg_session) && t->t_session == NULL && (file_can_read(fp) || !file_can_write(fp)))
		(void)tty_bind(t, pg);
	pgrp_drop(pg);
}

static void
signal_leader(const struct session *s)
{
	struct proc *p = proc_find_any(s->s_sid);

	if (p == NULL)
		return;
	sig_post(p, SIGHUP, NULL);
	sig_post(p, SIGCONT, NULL);
	proc_drop(p);
}

static void
hang_up(struct tty *t, bool session_ends)
{
	token_assert_held(&t->t_tok);
	t->t_hangups++;				/* Y2 */
	if (t->t_session != NULL)
		signal_leader(t->t_session);
	if (session_ends)
		tty_signal(t, SIGHUP);
	tty_let_go(t);
	ldisc_flush_in(&t->t_ld);
	wake_all(&t->t_rwait);
	wake_all(&t->t_wwait);
	poll_notify(&t->t_poll, 0);
}

void
tty_hangup(struct tty *t, bool session_ends)
{
	token_get(&t->t_tok);
	hang_up(t, session_ends);
	token_release(&t->t_tok);
}

/* The leader ends: a real terminal is hung up, of a pty the foreground is told. */
void
tty_session_exit(struct session *s)
{
	struct tty *t = tty_held_by(s);

	if (t == NULL)
		return;
	token_get(&t->t_tok);
	if (t->t_session != s) {
		/* hung up meanwhile */
	} else if (!t->t_drv->td_pty) {
		hang_up(t, true);
	} else {
		tty_signal(t, SIGHUP);
		tty_let_go(t);
	}
	token_release(&t->t_tok);
	tty_drop(t);
}

/* TIOCSCTTY: `steal` asks to take it away from another session. */
static int
job_set_controlling(struct tty *t, struct file *fp, bool steal)
{
	bool admin = cred_capable(cred_current(), CAP_SYS_ADMIN);
	struct pgrp *pg = current_pgrp();
	struct tty *other;
	int error = 0;

	if (pg == NULL)
		return EPERM;
	other = tty_held_by(pg->pg_session);
	if (!is_leader(pg->pg_session))
		error = EPERM;
	else if (other == NULL) {
		if ((t->t_session != NULL && !(steal && admin)) || (!file_can_read(fp) && !admin))
			error = EPERM;
		if (error == 0 && t->t_session != NULL)
			tty_let_go(t);
		if (error == 0 && !tty_bind(t, pg))
			error = EPERM;
	} else if (other != t) {
		error = EPERM;
	}
	if (other != NULL)
		tty_drop(other);
	pgrp_drop(pg);
	return error;
}

/* TIOCNOTTY: the leader gives up the session's terminal. */
static int
job_give_up(struct tty *t)
{
	if (!tty_is_mine(t) || !is_leader(t->t_session))
		return ENOTTY;
	tty_signal(t, SIGHUP);
	tty_signal(t, SIGCONT);
	tty_let_go(t);
	return 0;
}

static int
job_set_foreground(struct tty *t, uaddr_t arg)
{
	struct pgrp *pg;
	int32_t pgid;
	int error, copied;

	copied = copyin(&pgid, arg, sizeof(pgid));	/* may sleep: before anything is looked at */
	error = tty_check_job(t, SIGTTOU);
	if (error != 0)
		return error == EIO ? ENOTTY : error;
	if (!tty_is_mine(t))
		return ENOTTY;
	if (copied != 0)
		return copied;
	if (pgid < 0)
		return EINVAL;
	if ((pg = pgrp_find(pgid)) == NULL)
		return ESRCH;
	if (pg->pg_session != t->t_session) {
		pgrp_drop(pg);
		return EPERM;
	}
	if (t->t_pgrp != NULL)
		pgrp_drop(t->t_pgrp);
	t->t_pgrp = pg;
	return 0;
}

int
tty_job_ioctl(struct tty *t, struct file *fp, bool slave, uint32_t cmd, uaddr_t arg)
{
	int32_t value;

	token_assert_held(&t->t_tok);
	switch (cmd) {
	case TIOCGPGRP:
		if (slave && !tty_is_mine(t))
			return ENOTTY;
		value = t->t_pgrp != NULL ? t->t_pgrp->pg_pgid : 0;
		return copyout(arg, &value, sizeof(value));
	case TIOCSPGRP:
		return job_set_foreground(t, arg);
	case TIOCGSID:
		if ((slave && !tty_is_mine(t)) || t->t_session == NULL)
			return ENOTTY;
		value = t->t_session->s_sid;
		return copyout(arg, &value, sizeof(value));
	case TIOCSCTTY:
		return job_set_controlling(t, fp, arg == 1);
	case TIOCNOTTY:
		return job_give_up(t);
	default:
		return ENOTTY;
	}
}
