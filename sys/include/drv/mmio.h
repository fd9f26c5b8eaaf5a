/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/mmio - devices of which only the kernel's arguments tell: their registers and interrupt. */
#pragma once
#include <machine/types.h>

/* Uncached.  NULL: RAM, interrupt controllers, or no such address.  For ever. */
volatile void *mmio_map(uint64_t pa, uint64_t bytes);
/*
 * fn is called in thread context, in a critical section, when an interrupt controller's
 * line speaks; each millisecond if nobody brings that line or it is somebody else's.
 */
void	mmio_interrupt(const char *name, uint32_t line, void (*fn)(void *arg), void *arg);

/* The drivers: at boot, from a thread.  It waits for them, not for ever. */
void	virtio_mmio_setup(const char *arguments);
