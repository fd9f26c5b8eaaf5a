/* SPDX-License-Identifier: BSD-2-Clause */
/* clock - the host's clocks, or virtual time. */
#include <hk/hk.h>
#include <machine/clock.h>
#include <machine/cpu.h>

#include "../det/det.h"

nsec_t
md_now(void)
{
	return md_deterministic ? det_now() : hk_clock_mono();
}

nsec_t
md_wall(void)
{
	return md_deterministic ? det_wall() : hk_clock_real();
}

nsec_t
md_cpu_time(void)
{
	return md_deterministic ? det_now() : hk_clock_cpu();
}

void
md_timer(nsec_t abs)
{
	if (md_deterministic)
		det_timer(abs);
	else
		hk_timer(kcpu_id(), abs);
}
