/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tsan - what the thread sanitizer's runtime must do differently here.  Linked when SANITIZE=thread.
 *
 * It may not start another program to turn addresses into names (tests/long/tsan.sh does that), because our
 * threads take no signals; and it is not to believe what it sees of hostkit, which is not
 * instrumented: calls of libc.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const char *__tsan_default_options(void);
int	tsan_clock(clockid_t id, struct timespec *out);

const char *
__tsan_default_options(void)
{
	return "symbolize=0:ignore_interceptors_accesses=1:exitcode=66";
}

/* clock_gettime() for signal handlers: the runtime, which stands in front of libc's, may be what they interrupt. */
int
tsan_clock(clockid_t id, struct timespec *out)
{
	return (int)syscall(SYS_clock_gettime, id, out);
}
