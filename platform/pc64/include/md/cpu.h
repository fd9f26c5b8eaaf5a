/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
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
