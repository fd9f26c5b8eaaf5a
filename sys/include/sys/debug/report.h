/* SPDX-License-Identifier: BSD-2-Clause */
/* report - figures that a kernel argument asked for, on the machine's last-words channel. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

void	report_start(void);	/* kmain, when all CPUs exist */
void	report_end(void);	/* before the machine is switched off in good order */

extern _Atomic bool stuck_told;		/* it was told that a CPU makes no progress */
