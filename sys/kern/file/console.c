/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console - the machine's terminals: /dev/tty1, which is made of its standard streams, and /dev/hvc0
 * and on, which virtual machines' drivers offer.  The kernel argument console=NAME says which one is
 * /dev/console, where the first processes' streams are: the last that there is, by default tty1.
 *
 * For tty1 input comes from the standard input if that is a terminal; output goes to
 * the first of output, error and input that is one.  With input the outside is
 * put into raw mode and our line discipline does the work; without, the
 * outside keeps doing it and our output processing starts switched off.
 * A machine without any terminal has one that swallows what it gets.
 *
 * A thread for each moves the bytes, since the device's news come in a critical
 * section.  Keys are taken from the device whether or not somebody reads, so
 * that the interrupt key works, up to a full line discipline.
 *
 * Locking: everything here is guarded by the terminal's t_tok, but for
 * c_news.
 */
#include "pty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>

#define KEYS		256u
#define DRAIN_NS	(2 * NSEC_PER_SEC)
#define RDEV_TTY0	MKDEV(4, 0)
#define RDEV_TTY1	MKDEV(4, 1)
#define RDEV_TTY	MKDEV(5, 0)
#define RDEV_CONSOLE	MKDEV(5, 1)
#define RDEV_HVC	MKDEV(229, 0)
#define HVC_MAX		8u

struct console {
	struct tty	*c_tty;		/* const after boot; NULL: there is none */
	struct chrdev	*c_in, *c_out;	/* const after boot; NULL: none */
	struct waitq	c_waitq;
	_Atomic bool	c_news;		/* [atomic] the device may have changed, or we want its keys again */
	uint8_t		c_keys[KEYS];	/* [t_tok] from the device, not yet the line discipline's */
	size_t		c_nkeys;	/* [t_tok] */
	bool		c_ended;	/* [t_tok] the outside terminal is gone */
};
static struct console	machine, hvc[HVC_MAX];
static struct console	*con = &machine;	/* const after boot: /dev/console */

static void
console_want(struct console *c)
{
	atomic_store(&c->c_news, true);
	wake_all(&c->c_waitq);
}

static void
console_notify(struct chrdev *cd)
{
	console_want(cd->cd_up);
}

static void
console_start(struct tty *t)
{
	struct console *c = t->t_data;
	const uint8_t *at;
	size_t n, done;
	int error = 0;

	token_assert_held(&t->t_tok);
	if (c->c_nkeys > 0)
		console_want(c);
	if (ldisc_out_bytes(&t->t_ld) == 0)
		return;
	while ((n = ldisc_peek(&t->t_ld, &at)) > 0 && error == 0) {
		done = n;
		if (c->c_out != NULL)
			error = c->c_out->cd_ops->write(c->c_out, at, n, &done);
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
console_keys(struct console *c)
{
	size_t n;
	int error;

	while (!c->c_ended) {
		if (c->c_nkeys == 0) {
			error = c->c_in->cd_ops->read(c->c_in, c->c_keys, sizeof(c->c_keys), &c->c_nkeys);
			c->c_ended = error != EAGAIN && c->c_nkeys == 0;
			if (c->c_nkeys == 0)
				break;
		}
		n = tty_input(c->c_tty, c->c_keys, c->c_nkeys);
		c->c_nkeys -= n;
		memmove(c->c_keys, c->c_keys + n, c->c_nkeys);
		if (n == 0)
			break;
		lwkt_poll();
	}
}

static void
console_thread(void *arg)
{
	struct console *c = arg;
	struct tty *t = c->c_tty;
	bool was_ended = false;
	int error;

	for (;;) {
		token_get(&t->t_tok);
		console_start(t);
		if (c->c_in != NULL)
			console_keys(c);
		token_release(&t->t_tok);
		if (c->c_ended && !was_ended)
			tty_hangup(t, true);
		was_ended = c->c_ended;
		WAIT_FOR(&c->c_waitq, atomic_exchange(&c->c_news, false), NSEC_NEVER, 0, error);
		ASSERT(error == 0);
	}
}

static void
console_resized(struct console *c)
{
	struct k_winsize ws = { 0, 0, 0, 0 };

	if (c->c_out == NULL)
		return;
	c->c_out->cd_ops->size(c->c_out, &ws.ws_row, &ws.ws_col);
	token_get(&c->c_tty->t_tok);
	tty_set_size(c->c_tty, &ws);
	token_release(&c->c_tty->t_tok);
}

void
tty_console_resized(void)
{
	console_resized(&machine);
}

static int
console_open(struct vnode *vn, struct file *fp)
{
	(void)vn;
	return tty_open(con->c_tty, fp, false);
}

static int
machine_open(struct vnode *vn, struct file *fp)
{
	return tty_open(machine.c_tty, fp, vn->v_rdev == RDEV_TTY1);
}

static int
hvc_open(struct vnode *vn, struct file *fp)
{
	return tty_open(hvc[vn->v_rdev - RDEV_HVC].c_tty, fp, true);
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
machine_find_devices(void)
{
	static const char *const names[] = { "stdout", "stderr", "stdin" };

	machine.c_in = find_terminal("stdin");
	for (size_t i = 0; i < countof(names) && machine.c_out == NULL; i++)
		machine.c_out = find_terminal(names[i]);
}

static int
console_create(struct console *c, uint64_t rdev)
{
	struct chrdev *const devices[] = { c->c_in, c->c_out };
	struct thread *td;
	int error;

	waitq_init(&c->c_waitq);
	if ((error = tty_create(&console_driver, c, rdev, &c->c_tty)) != 0)
		return error;
	c->c_tty->t_ld.ld_t.cflag |= LD_HUPCL;
	if (c->c_in != NULL)
		c->c_in->cd_ops->raw(c->c_in, true);
	else
		c->c_tty->t_ld.ld_t.oflag &= ~(uint32_t)LD_OPOST;
	for (size_t i = 0; i < countof(devices); i++) {
		if (devices[i] == NULL)
			continue;
		devices[i]->cd_up = c;
		devices[i]->cd_notify = console_notify;
	}
	console_resized(c);
	if ((error = lwkt_create(console_thread, c, LWKT_PRI_SOFT, "console", &td)) != 0)
		return error;
	lwkt_start(td);
	return 0;
}

/* Those that drivers offer by now. */
static int
hvc_init(void)
{
	char name[8];
	int error = 0;

	for (uint32_t i = 0; i < HVC_MAX && error == 0; i++) {
		rt_snprintf(name, sizeof(name), "hvc%u", i);
		if ((hvc[i].c_in = hvc[i].c_out = find_terminal(name)) == NULL)
			continue;
		if ((error = console_create(&hvc[i], RDEV_HVC + i)) == 0)
			error = devfs_add(name, 0620, RDEV_HVC + i, hvc_open);
	}
	return error;
}

static struct console *
console_find(const char *name, size_t len)
{
	if (len == 4 && memcmp(name, "tty1", 4) == 0)
		return &machine;
	if (len != 4 || memcmp(name, "hvc", 3) != 0 || name[3] < '0' || name[3] >= (char)('0' + HVC_MAX))
		return NULL;
	return hvc[name[3] - '0'].c_tty != NULL ? &hvc[name[3] - '0'] : NULL;
}

static void
console_choose(void)
{
	const char *words = md_boot()->b_append, *name;
	struct console *c;
	size_t len;

	while (rt_word(&words, "console", &name, &len)) {
		if ((c = console_find(name, len)) != NULL)
			con = c;
		else
			kprintf("console=%.*s: there is no such terminal\n", (int)len, name);
	}
}

int
tty_console_init(void)
{
	int error;

	machine_find_devices();
	if ((error = console_create(&machine, RDEV_TTY1)) != 0 || (error = hvc_init()) != 0)
		return error;
	console_choose();
	proc_set_hangup(tty_session_exit);
	if ((error = devfs_add("tty", 0666, RDEV_TTY, session_tty_open)) != 0 ||
	    (error = devfs_add("console", 0600, RDEV_CONSOLE, console_open)) != 0 ||
	    (error = devfs_add("tty0", 0620, RDEV_TTY0, machine_open)) != 0 ||
	    (error = devfs_add("tty1", 0620, RDEV_TTY1, machine_open)) != 0)
		return error;
	return pty_init();
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
	token_get(&con->c_tty->t_tok);
	/* /dev/console itself never takes control, but the first shell wants it. */
	tty_take_control(con->c_tty, fp);
	token_release(&con->c_tty->t_tok);
	*out = fp;
	return 0;
}

static void
console_drain(struct console *c, nsec_t end)
{
	struct tty *t = c->c_tty;

	if (t == NULL)
		return;
	token_get(&t->t_tok);
	ldisc_stop(&t->t_ld, false);
	(void)tty_drain(t, NULL, end, 0);
	token_release(&t->t_tok);
}

void
stdio_drain(void)
{
	const nsec_t end = time_now() + DRAIN_NS;

	console_drain(&machine, end);
	for (uint32_t i = 0; i < HVC_MAX; i++)
		console_drain(&hvc[i], end);
}
