/* SPDX-License-Identifier: BSD-2-Clause */
/* init - the first process when none was named: starts the command, reaps, passes signals on, powers off. */
#pragma once

/* Runs as process 1.  Returns only when the program named by the boot arguments was put in its place. */
void	init_main(void *arg);
