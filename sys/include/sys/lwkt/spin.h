/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin - a lock for a few instructions on data that several CPUs touch.
 * Taking it enters a critical section; its holder may not sleep, switch, or
 * take a token.
 */
#pragma once
#include <machine/types.h>

struct spin {
	_Atomic uint32_t sp_held;
};
#define SPIN_INIT	{ 0 }
static inline void spin_init(struct spin *s) { s->sp_held = 0; }
void	spin_lock(struct spin *s);
void	spin_unlock(struct spin *s);
