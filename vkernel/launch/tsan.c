/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tsan - what the thread sanitizer's runtime must do differently here.  Linked when SANITIZE=thread.
 *
 * It may not start another program to turn addresses into names (tests/long/tsan.sh does that), because our
 * threads take no signals; and it is not to believe what it sees of hostkit, which is not
 * instrumented: calls of libc.
 */
const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
	return "symbolize=0:ignore_interceptors_accesses=1:exitcode=66";
}
