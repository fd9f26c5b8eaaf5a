/* SPDX-License-Identifier: BSD-2-Clause */
/* ptys - both sides, settings, signals to the foreground, hang-ups. */
#include "t.h"
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static volatile sig_atomic_t last;

static void
note(int sig)
{
	last = sig;
}

static void
open_both(int flags)
{
	int zero = 0, n = -1;
	char name[32];

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	t_need(master >= 0, "ptmx");
	t_need(ioctl(master, TIOCGPTN, &n) == 0, "number");
	snprintf(name, sizeof name, "/dev/pts/%d", n);
	T(open(name, O_RDWR | O_NOCTTY));
	t_need(ioctl(master, TIOCSPTLCK, &zero) == 0, "unlock");
	slave = open(name, O_RDWR | flags);
	t_need(slave >= 0, "slave");
}

static void
show(const char *what, int fd)
{
	char buf[256];
	ssize_t n = read(fd, buf, sizeof buf - 1);

	if (n < 0) {
		t_say("%s: %s", what, t_errno(errno));
		return;
	}
	buf[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)buf[i] < 32)
			buf[i] = '.';
	t_say("%s: %zd \"%s\"", what, n, buf);
}

static void
type(const char *keys)
{
	t_need(write(master, keys, strlen(keys)) == (ssize_t)strlen(keys), "type");
}

/* The host's terminals work in their own time. */
static void
await(int fd, int bytes)
{
	int n = 0;

	T_UNTIL(ioctl(fd, FIONREAD, &n) == 0 && n >= bytes);
}

static void
await_line(void)
{
	poll(&(struct pollfd){ .fd = slave, .events = POLLIN }, 1, 10000);
}

static void
await_signal(void)
{
	T_UNTIL(last != 0);
	t_say("signal %d", (int)last);
	last = 0;
}

static void
lines(void)
{
	struct termios t;
	int n;

	open_both(O_NOCTTY);
	T(isatty(master));
	T(isatty(slave));
	type("hello\n");
	await(slave, 6);
	await(master, 7);
	T(ioctl(slave, FIONREAD, &n));
	t_say("waiting %d", n);
	show("echo", master);
	show("line", slave);
	type("ab\x7f" "c\x04");
	await(master, 6);
	await_line();
	show("echo", master);
	show("end of file key", slave);
	type("\x04");
	await_line();
	show("end of file", slave);
	T(write(slave, "x\ny\tz", 5));
	await(master, 6);
	show("output", master);
	T(tcgetattr(slave, &t));
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	T(tcsetattr(slave, TCSAFLUSH, &t));
	show("nothing in time", slave);
	type("q");
	await(slave, 1);
	show("one key", slave);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	T(tcsetattr(slave, TCSANOW, &t));
	type("abcd");
	await(slave, 4);
	show("three or more", slave);
	T(tcgetattr(master, &t));
	t_say("settings %#x %#x %#x", t.c_iflag, t.c_oflag, t.c_lflag);
	close(slave);
	show("the other side closed", master);
	close(master);
}

/* The settings in their oldest form. */
static void
termio(void)
{
	struct { unsigned short flags[4]; unsigned char line, cc[8], beyond[6]; } old;
	struct termios t;

	memset(&old, 0x55, sizeof old);
	open_both(O_NOCTTY);
	T(ioctl(slave, TCGETA, &old));
	t_say("%#x %#x %#x %#x %d", old.flags[0], old.flags[1], old.flags[2], old.flags[3], old.line);
	for (int i = 0; i < 9; i++)
		t_say("key %d %#x", i, ((unsigned char *)&old.cc)[i]);
	old.flags[3] &= ~ICANON;
	old.cc[VMIN] = 3;
	T(ioctl(slave, TCSETA, &old));
	T(ioctl(master, TCSETAW, &old));
	T(ioctl(slave, TCSETAF, &old));
	T(ioctl(slave, TCSETAF, 8));
	T(tcgetattr(slave, &t));
	t_say("settings %#x %#x %#x, min %d, start %d", t.c_iflag, t.c_oflag, t.c_lflag, t.c_cc[VMIN],
	    t.c_cc[VSTART]);
	memset(&t, 0x55, sizeof t);
	T(ioctl(slave, TIOCGLCKTRMIOS, &t));
	t_say("locked %#x %#x", t.c_iflag, t.c_cc[18]);
	close(slave);
	close(master);
}

static void
sizes(void)
{
	struct winsize ws = { 24, 80, 1, 2 };

	open_both(O_NOCTTY);
	T(ioctl(master, TIOCSWINSZ, &ws));
	memset(&ws, 0, sizeof ws);
	T(ioctl(slave, TIOCGWINSZ, &ws));
	t_say("%d %d %d %d", ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel);
	T_SYS(ioctl, slave, TIOCGPGRP, &ws);
	T_SYS(ioctl, slave, TIOCGSID, &ws);
	T_SYS(ioctl, slave, TIOCSTI, "x");
	close(slave), close(master);
}

/* A session of its own on the terminal. */
static void
session(void)
{
	struct winsize ws = { 1, 2, 0, 0 };
	pid_t pid, pgrp;
	int status;

	pid = fork();
	if (pid != 0) {
		T(waitpid(pid, &status, 0) == pid);
		t_say("session ended with %#x", status);
		return;
	}
	T(setsid() > 0);
	T(open("/dev/tty", O_RDWR));
	open_both(0);
	T(close(open("/dev/tty", O_RDWR)));
	T(tcgetsid(slave) == getpid());
	T(tcgetpgrp(slave) == getpgrp());
	signal(SIGINT, note), signal(SIGQUIT, note), signal(SIGTSTP, note), signal(SIGWINCH, note), signal(SIGHUP, note);
	type("\x03");
	await_signal();
	type("\x1c");
	await_signal();
	type("\x1a");
	await_signal();
	T(ioctl(master, TIOCSWINSZ, &ws));
	await_signal();
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		t_say("background write %zd", write(slave, "b", 1));
		signal(SIGTTIN, SIG_IGN);
		show("background read", slave);
		signal(SIGTTIN, SIG_DFL);
		show("stopped first", slave);
		_exit(0);
	}
	T(waitpid(pid, &status, WUNTRACED) == pid);
	t_say("status %#x", status);
	pgrp = pid;
	signal(SIGTTOU, SIG_IGN);
	T(tcsetpgrp(slave, pgrp));
	T(tcsetpgrp(slave, getpgid(getppid())));
	T(tcsetpgrp(slave, -1));
	kill(pid, SIGCONT);
	type("to it\n");
	T(waitpid(pid, &status, 0) == pid);
	t_say("status %#x", status);
	tcsetpgrp(slave, getpgrp());
	last = 0;
	close(master);
	await_signal();
	show("hung up", slave);
	T(write(slave, "x", 1));
	T(open("/dev/tty", O_RDWR));
	_exit(3);
}

int
main(void)
{
	lines();
	termio();
	sizes();
	session();
	return 0;
}
