/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/lock - a few instructions on data that several CPUs touch, interrupt handlers among them. */
#pragma once
#include <stdint.h>

/* All 0 is one that is free, so memory of drv_alloc() and static ones are. */
struct drv_lock {
	_Atomic uint32_t dl_word[2];	/* a spin lock of the kernel's */
};
/* A critical section begins: no interrupt handler runs on this CPU, and its holder does not sleep. */
void	drv_lock(struct drv_lock *l);
void	drv_unlock(struct drv_lock *l);
/* The same without a lock. */
void	drv_enter(void);
void	drv_leave(void);
