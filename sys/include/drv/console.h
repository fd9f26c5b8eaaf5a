/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/console - what the kernel says, on the terminal that its argument console=NAME chooses. */
#pragma once
#include <machine/types.h>

struct console_voice {
	const char	*cv_name;	/* const: "hvc0" */
	/* Any context, one at a time but for last words: takes no lock, waits for nothing. */
	void		(*cv_say)(struct console_voice *cv, const char *text, size_t len);
	/* What was said may go out, soon after: in thread context, in a critical section.  NULL: it has. */
	void		(*cv_flush)(struct console_voice *cv);
};
/* A thread's; cv stays for ever.  If it is the one, it says what was said until now, and what will be. */
void	console_attach(struct console_voice *cv);
