/* SPDX-License-Identifier: BSD-2-Clause */
/* clock - the host's clocks. */
#include <hk/hk.h>
#include <machine/clock.h>
#include <machine/cpu.h>

nsec_t
md_now(void)
{
	return hk_clock_mono();
}

nsec_t
md_wall(void)
{
	return hk_clock_real();
}

nsec_t
md_cpu_time(void)
{
	return hk_clock_cpu();
}

void
md_timer(nsec_t abs)
{
	hk_timer(kcpu_id(), abs);
}
