/* SPDX-License-Identifier: BSD-2-Clause */
/* timespec - times as system calls get and give them. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/vm/uaccess.h>

#include "timespec.h"

#define SEC_MAX		(INT64_MAX / (int64_t)NSEC_PER_SEC)

bool
timespec_ns(const struct k_timespec *ts, nsec_t *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NSEC_PER_SEC)
		return false;
	*ns = ts->tv_sec >= SEC_MAX ? (nsec_t)INT64_MAX : (nsec_t)ts->tv_sec * NSEC_PER_SEC + (nsec_t)ts->tv_nsec;
	return true;
}

struct k_timespec
timespec_of(nsec_t t)
{
	return (struct k_timespec){ (int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC) };
}

int
timespec_copyin(uaddr_t from, nsec_t *ns)
{
	struct k_timespec ts;
	int error = copyin(&ts, from, sizeof(ts));

	if (error != 0)
		return error;
	return timespec_ns(&ts, ns) ? 0 : EINVAL;
}

int
timeout_copyin(uaddr_t from, nsec_t *deadline)
{
	nsec_t ns;
	int error;

	*deadline = NSEC_NEVER;
	if (from == 0)
		return 0;
	error = timespec_copyin(from, &ns);
	if (error == 0)
		*deadline = rt_min(time_now() + ns, (nsec_t)INT64_MAX);
	return error;
}
