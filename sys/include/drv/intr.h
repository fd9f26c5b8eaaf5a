/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/intr - who is called when a mailbox bit was consumed: in thread context, in a critical section, on that CPU. */
#pragma once
#include <stdint.h>

void	intr_attach(uint32_t bit, void (*fn)(void *arg), void *arg);	/* exactly one bit; at boot; one handler each */
