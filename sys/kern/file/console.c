/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console - the machine's terminal as /dev/tty1 and /dev/console.
 *
 * Input comes from the standard input if that is a terminal; output goes to
 * the first of output, error and input that is one.  With input the outside is
 * put into raw mode and our line discipline does the work; without, the
 * outside keeps doing it and our output processing starts switched off.
 * A machine without any terminal has a console that swallows what it gets.
 *
 * A thread moves the bytes, since the device's news come in a critical
 * section.  Keys are taken from the device whether or not somebody reads, so
 * that the interrupt key works, up to a full line discipline.
 *
 * Locking: everything here is guarded by the terminal's t_tok, but for
 * con_news.
 */
#include "pty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>

#define KEYS		256u
#define DRAIN_NS	(2 * NSEC_PER_SEC)
#define RDEV_TTY0	MKDEV(4, 0)
#define RDEV_TTY1	MKDEV(4, 1)
#define RDEV_TTY	MKDEV(5, 0)
#define RDEV_CONSOLE	MKDEV(5, 1)

static struct tty	*con;			/* const after boot */
static struct chrdev	*con_in, *con_out;	/* const after boot; NULL: none */
static struct waitq	con_waitq = WAITQ_INIT(con_waitq);
static _Atomic bool	con_news;		/* [atomic] the device may have changed, or we want its keys again */
static uint8_t		con_keys[KEYS];		/* [t_tok] read from the device, not yet taken by the line discipline */
static size_t		con_nkeys;		/* [t_tok] */
static bool		con_ended;		/* [t_tok] the outside terminal is gone */

static void
console_want(void)
{
	atomic_store(&con_news, true);
	wake_all(&con_waitq);
}

static void
console_notify(struct chrdev *cd)
{
	(void)cd;
	console_want();
}

static void
console_start(struct tty *t)
{
	const uint8_t *at;
	size_t n, done;
	int error = 0;

	token_assert_held(&t->t_tok);
	if (con_nkeys > 0)
		console_want();
	if (ldisc_out_bytes(&t->t_ld) == 0)
		return;
	while ((n = ldisc_peek(&t->t_ld, &at)) > 0 && error == 0) {
		done = n;
		if (con_out != NULL)
			error = con_out->cd_ops->write(con_out, at, n, &done);
		if (error != 0 && error != EAGAIN)
			done = n;		/* nobody there: as good as shown */
		ldisc_skip(&t->t_ld, done);
	}
	tty_output_done(t);
}

static const struct tty_driver console_driver = {
	.td_start = console_start,
};

/* Keys from the device as far as the line discipline takes them. */
static void
console_keys(struct tty *t)
{
	size_t n;
	int error;

	while (!con_ended) {
		if (con_nkeys == 0) {
			error = con_in->cd_ops->read(con_in, con_keys, sizeof(con_keys), &con_nkeys);
			con_ended = error != EAGAIN && con_nkeys == 0;
			if (con_nkeys == 0)
				break;
		}
		n = tty_input(t, con_keys, con_nkeys);
		con_nkeys -= n;
		memmove(con_keys, con_keys + n, con_nkeys);
		if (n == 0)
			break;
		lwkt_poll();
	}
}

static void
console_thread(void *arg)
{
	struct tty *t = arg;
	bool was_ended = false;
	int error;

	for (;;) {
		token_get(&t->t_tok);
		console_start(t);
		if (con_in != NULL)
			console_keys(t);
		token_release(&t->t_tok);
		if (con_ended && !was_ended)
			tty_hangup(t, true);
		was_ended = con_ended;
		WAIT_FOR(&con_waitq, atomic_exchange(&con_news, false), NSEC_NEVER, 0, error);
		ASSERT(error == 0);
	}
}

void
tty_console_resized(void)
{
	struct k_winsize ws = { 0, 0, 0, 0 };

	if (con_out == NULL)
		return;
	con_out->cd_ops->size(con_out, &ws.ws_row, &ws.ws_col);
	token_get(&con->t_tok);
	tty_set_size(con, &ws);
	token_release(&con->t_tok);
}

static int
console_open(struct vnode *vn, struct file *fp)
{
	return tty_open(con, fp, vn->v_rdev == RDEV_TTY1);
}

/* /dev/tty: the terminal of whoever opens it. */
static int
session_tty_open(struct vnode *vn, struct file *fp)
{
	struct tty *t = tty_of_session();
	int error;

	(void)vn;
	if (t == NULL)
		return ENXIO;
	error = tty_open(t, fp, false);
	tty_drop(t);
	return error;
}

static struct chrdev *
find_terminal(const char *name)
{
	struct chrdev *cd = chr_find(name);

	return cd != NULL && cd->cd_kind == CHR_TTY ? cd : NULL;
}

static void
console_find_devices(void)
{
	static const char *const names[] = { "stdout", "stderr", "stdin" };

	con_in = find_terminal("stdin");
	for (size_t i = 0; i < countof(names) && con_out == NULL; i++)
		con_out = find_terminal(names[i]);
	if (con_in != NULL)
		con_in->cd_notify = console_notify;
	if (con_out != NULL)
		con_out->cd_notify = console_notify;
}

int
tty_console_init(void)
{
	struct thread *td;
	int error;

	console_find_devices();
	if ((error = tty_create(&console_driver, NULL, RDEV_TTY1, &con)) != 0)
		return error;
	con->t_ld.ld_t.cflag |= LD_HUPCL;
	if (con_in != NULL)
		con_in->cd_ops->raw(con_in, true);
	else
		con->t_ld.ld_t.oflag &= ~(uint32_t)LD_OPOST;
	tty_console_resized();
	proc_set_hangup(tty_session_exit);
	if ((error = devfs_add("tty", 0666, RDEV_TTY, session_tty_open)) != 0 ||
	    (error = devfs_add("console", 0600, RDEV_CONSOLE, console_open)) != 0 ||
	    (error = devfs_add("tty0", 0620, RDEV_TTY0, console_open)) != 0 ||
	    (error = devfs_add("tty1", 0620, RDEV_TTY1, console_open)) != 0)
		return error;
	if ((error = pty_init()) != 0)
		return error;
	if ((error = lwkt_create(console_thread, con, LWKT_PRI_SOFT, "console", &td)) != 0)
		return error;
	lwkt_start(td);
	return 0;
}

int
console_file(struct file **out)
{
	struct file *fp;
	struct ncp *n;
	int error;

	if ((error = name_open(NULL, "/dev/console", O_RDWR, 0, &n)) != 0)
		return error;
	error = file_open_name(n, O_RDWR, &fp);
	ncp_drop(n);
	if (error != 0)
		return error;
	token_get(&con->t_tok);
	tty_take_control(con, fp);		/* /dev/console itself never takes control, but the first shell wants it */
	token_release(&con->t_tok);
	*out = fp;
	return 0;
}

void
stdio_drain(void)
{
	token_get(&con->t_tok);
	ldisc_stop(&con->t_ld, false);
	(void)tty_drain(con, NULL, time_now() + DRAIN_NS, 0);
	token_release(&con->t_tok);
}
