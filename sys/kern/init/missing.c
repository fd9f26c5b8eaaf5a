/* SPDX-License-Identifier: BSD-2-Clause */
/* missing - stand-ins, each replaced by the real one when that is linked; this file goes when none is used. */
#include <sys/debug/kprint.h>

#define LATER(name) \
	void name(void); \
	__attribute__((weak)) void name(void) { kprintf("not yet in the tree: " #name "\n"); }
LATER(futex_init) LATER(ptimer_init)
