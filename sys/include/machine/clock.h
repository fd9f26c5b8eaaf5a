/* SPDX-License-Identifier: BSD-2-Clause */
/* machine/clock - all time enters here. */
#pragma once
#include <machine/types.h>

nsec_t	md_now(void);			/* monotonic since boot of the machine */
nsec_t	md_wall(void);			/* since 1970, UTC */
nsec_t	md_cpu_time(void);		/* used by this CPU, for gap statistics and accounting */
void	md_timer(nsec_t abs);		/* this CPU: MD_INTR_TIMER at abs; NSEC_NEVER: not */
