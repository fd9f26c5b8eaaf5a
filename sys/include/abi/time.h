/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks and time structures of the Linux x86-64 ABI. */
#pragma once
#include <abi/stat.h>		/* k_timespec, k_timeval */

#define CLOCK_REALTIME			0
#define CLOCK_MONOTONIC			1
#define CLOCK_PROCESS_CPUTIME_ID	2
#define CLOCK_THREAD_CPUTIME_ID		3
#define CLOCK_MONOTONIC_RAW		4
#define CLOCK_REALTIME_COARSE		5
#define CLOCK_MONOTONIC_COARSE		6
#define CLOCK_BOOTTIME			7
#define CLOCK_TAI			11
#define CLOCK_REALTIME_ALARM		8
#define CLOCK_BOOTTIME_ALARM		9
/* Clocks below 0: ~id << 3 | thread << 2 | which time, of a process or a thread. */
#define CPUCLOCK_WHICH			3
#define CPUCLOCK_VIRT			1
#define CPUCLOCK_SCHED			2
#define CPUCLOCK_PERTHREAD		4
#define TIMER_ABSTIME			1u
#define TFD_TIMER_ABSTIME		1u
#define TFD_TIMER_CANCEL_ON_SET		2u

struct k_itimerspec { struct k_timespec it_interval, it_value; };
struct k_timezone { int32_t tz_minuteswest, tz_dsttime; };

struct k_timex {
	uint32_t	modes, pad0;
	int64_t		offset, freq, maxerror, esterror;
	int32_t		status, pad1;
	int64_t		constant, precision, tolerance;
	struct k_timeval time;
	int64_t		tick, ppsfreq, jitter;
	int32_t		shift, pad2;
	int64_t		stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t		tai, pad3[11];
};
_Static_assert(sizeof(struct k_timex) == 208, "struct timex is 208 bytes");
#define TIME_OK		0
#define STA_UNSYNC	0x0040
#define ADJ_OFFSET_SINGLESHOT	0x8001	/* adjtime(3) */
#define ADJ_OFFSET_SS_READ	0xa001	/* what is left of its adjustment */
