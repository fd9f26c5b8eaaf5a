/* SPDX-License-Identifier: BSD-2-Clause */
/* tty - terminals: line discipline, job control.  The console is the first; ptys come with them. */
#pragma once
#include <sys/file/file.h>

struct tty;
int	tty_console_init(void);				/* after devfs: /dev/console, /dev/tty, /dev/ttyN on the machine's terminal */
int	stdio_open(int which, struct file **out);	/* the machine's stream 0..2 by its kind, for the first process */
void	tty_session_exit(struct tty *t);		/* the session leader is gone: hang up */
