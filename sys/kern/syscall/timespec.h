/* SPDX-License-Identifier: BSD-2-Clause */
/* timespec - times as system calls get and give them. */
#pragma once
#include <abi/time.h>
#include <sys/time/time.h>

/* What is too far for the clock is as far as it goes, INT64_MAX ns; the sum of two such times does not overflow. */
bool	timespec_ns(const struct k_timespec *ts, nsec_t *ns);	/* false: no time (EINVAL) */
struct k_timespec timespec_of(nsec_t t);
int	timespec_copyin(uaddr_t from, nsec_t *ns);		/* EFAULT, EINVAL */
int	timeout_copyin(uaddr_t from, nsec_t *deadline);		/* from now on; `from` 0: NSEC_NEVER */
