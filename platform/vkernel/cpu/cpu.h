/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu - CPUs, for the other files of this platform. */
#pragma once
#include <hk/hk.h>

void	cpu_stuck(const struct hk_trap *t);	/* for hk_on_stuck() */
void	cpu_sample(const struct hk_trap *t);	/* for hk_on_sample() */
