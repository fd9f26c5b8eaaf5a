/* SPDX-License-Identifier: BSD-2-Clause */
/* getrlimit(2), getrusage(2), getpriority(2) of the Linux x86-64 ABI. */
#pragma once
#include <abi/stat.h>

enum {
	RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC,
	RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE,
	RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIM_NLIMITS,
};
#define RLIM_INFINITY	UINT64_MAX

struct k_rlimit { uint64_t rlim_cur, rlim_max; };

#define RUSAGE_SELF	0
#define RUSAGE_CHILDREN	(-1)
#define RUSAGE_THREAD	1

struct k_rusage {
	struct k_timeval ru_utime, ru_stime;
	int64_t	ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock,
	    ru_oublock,
		ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};
_Static_assert(sizeof(struct k_rusage) == 144, "struct rusage is 144 bytes");

#define PRIO_PROCESS	0
#define PRIO_PGRP	1
#define PRIO_USER	2
