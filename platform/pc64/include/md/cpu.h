/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#include <stdint.h>
/*
 * The per-CPU area.  Volatile: a thread that changes CPU between two reads
 * must not be served a remembered pointer.
 */
static inline void *
md_percpu(void)
{
	void *p;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(p));
	return p;
}

/* A counter of the processor's that runs at one rate; reading it in deterministic mode is a fault. */
static inline uint64_t md_counter(void) { return __builtin_ia32_rdtsc(); }
