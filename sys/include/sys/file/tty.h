/* SPDX-License-Identifier: BSD-2-Clause */
/* tty - terminals: line discipline, job control.  The console is the first; ptys come with them. */
#pragma once
#include <sys/file/file.h>

struct session;
struct tty;
int	tty_console_init(void);				/* after devfs: /dev/console, /dev/tty, /dev/ttyN on the machine's terminal */
int	stdio_open(int which, struct file **out);	/* the machine's stream 0..2 by its kind, for the first process */
void	tty_session_exit(struct session *s);		/* its leader is gone: hang up */
void	tty_console_resized(void);			/* the machine says so: SIGWINCH to the foreground */
void	stdio_drain(void);				/* wait, bounded, until everything written has left the machine */
