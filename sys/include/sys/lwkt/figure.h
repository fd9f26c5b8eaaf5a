/* SPDX-License-Identifier: BSD-2-Clause */
/* figure - a number that one at a time changes and anybody reads, roughly: no lock, no locked instruction. */
#pragma once
#include <machine/types.h>

typedef int64_t figure_t;
static inline int64_t figure(const figure_t *f) { return __atomic_load_n(f, __ATOMIC_RELAXED); }
static inline void figure_add(figure_t *f, int64_t n) { __atomic_store_n(f, *f + n, __ATOMIC_RELAXED); }
