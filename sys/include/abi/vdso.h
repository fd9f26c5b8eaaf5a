/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vdso - the page of times that the kernel writes and the vDSO reads.
 *
 * A sample of the clock and of the processor's counter, and for how many
 * counts from there on the clock may be computed without asking.  The kernel
 * makes vd_seq odd while it writes; a reader that saw it odd, or another
 * number afterwards, makes the system call.
 */
#pragma once
#include <stdint.h>

struct vdso_time {
	uint32_t	vd_seq;
	uint32_t	vd_pad;
	uint64_t	vd_tsc;		/* the counter then */
	uint64_t	vd_counts;	/* how far the sample carries; 0: not at all */
	uint64_t	vd_scale;	/* nanoseconds for 2^32 counts */
	uint64_t	vd_mono;	/* CLOCK_MONOTONIC then, ns */
	uint64_t	vd_wall;	/* CLOCK_REALTIME is so much more */
};

#define VDSO_SCALE_SHIFT	32
#define VDSO_BACK_COUNTS	4096u	/* another processor's counter may be so much behind */
