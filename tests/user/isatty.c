/* SPDX-License-Identifier: BSD-2-Clause */
/* Not a terminal - what ioctl and the terminal calls say to pipes and files. */
#include "t.h"
#include <termios.h>

int
main(void)
{
	struct termios tio;
	struct winsize ws;
	int p[2], fd = open("f", O_CREAT | O_RDWR, 0600), n;

	t_need(pipe(p) == 0, "pipe");
	T(isatty(0));
	T(isatty(p[0]));
	T(isatty(fd));
	T(isatty(-1));
	T(tcgetattr(0, &tio));
	T(tcgetattr(p[1], &tio));
	T(ioctl(fd, TIOCGWINSZ, &ws));
	T(ioctl(p[0], TIOCGWINSZ, &ws));
	T(ioctl(-1, TIOCGWINSZ, &ws));
	T(tcgetpgrp(0));
	T(tcsetpgrp(p[0], getpgrp()));
	T(ioctl(0, TIOCSCTTY, 0));
	T(ioctl(0, TIOCNOTTY, 0));
	T(ioctl(fd, 0x12345678, 0));
	T(ioctl(p[0], 0x12345678, 0));
	T(ioctl(fd, FIONREAD, &n));
	T(n);
	T(write(fd, "abc", 3));
	T(lseek(fd, 1, SEEK_SET));
	T(ioctl(fd, FIONREAD, &n));
	T(n);
	n = 1;
	T(ioctl(p[0], FIONBIO, &n));
	T(read(p[0], &n, 1));
	T(ioctl(p[0], FIONBIO, 8));
	T(open("/dev/tty", O_RDONLY));
	return 0;
}
