/* SPDX-License-Identifier: BSD-2-Clause */
/* proc/sample - what CPUs are doing, so often a second (abi/ktr.h, enum ktr_sample). */
#pragma once
#include <machine/types.h>

/*
 * In a function that proc_set_sampled() named: a piece of code of the current process, in [start, end),
 * is what lies in the file of this name from `off` on.  Any length; "[...]" is no file.
 */
void	sample_map(uaddr_t start, uaddr_t end, uint64_t off, const char *name);
