/* SPDX-License-Identifier: BSD-2-Clause */
/* stdio - what the other files of this platform ask of the standard streams. */
#pragma once
#include <stdint.h>

/* MD_POWER_* wished for at the terminal since the last call. */
uint32_t stdio_power_events(void);
