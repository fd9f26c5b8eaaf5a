/* SPDX-License-Identifier: BSD-2-Clause */
/* machine/clock - all time enters here. */
#pragma once
#include <machine/types.h>

nsec_t	md_now(void);			/* monotonic since boot of the machine */
nsec_t	md_wall(void);			/* since 1970, UTC */
/*
 * One after the other: the two clocks, and the counter that programs can read
 * as well.  False: they cannot, or it does not run evenly.
 */
struct md_clock {
	nsec_t		mc_wall, mc_mono;
	uint64_t	mc_count;
	uint64_t	mc_width;	/* counts that the readings took */
};
bool	md_clock(struct md_clock *out);
nsec_t	md_cpu_time(void);		/* used by this CPU, for gap statistics and accounting */
void	md_timer(nsec_t abs);		/* this CPU: MD_INTR_TIMER at abs; NSEC_NEVER: not */
