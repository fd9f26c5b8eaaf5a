/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/intr - who is called when a mailbox bit was consumed, in a critical section of a thread of that CPU. */
#pragma once
#include <stdint.h>

/* Exactly one bit; at boot; one handler each. */
void	intr_attach(uint32_t bit, void (*fn)(void *arg), void *arg);
