/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys - the one door between this library and the host
 *
 * Every host system call that the library makes goes through hk_sysops, so
 * that a test can make the n-th one fail, for every n, on every path.  The
 * calls are raw: they return a value or -errno and touch neither errno nor
 * any other thread-local word, hence they may be made on a kernel stack and
 * in a signal handler.
 *
 * Invariants
 *   I1  no other file of the library enters the host in another way.  The
 *       vDSO's clocks enter nothing; sigaction() is libc's, for the return path
 *       that it knows, and cannot fail with our arguments.
 *   I2  hk_sysops changes only while no other thread of the library runs.
 *   I3  hk_why() is the text of the last failure that the calling thread met.
 *
 * Locking: none needed (I2, I3).
 * Not here: retries and decisions.  Callers know what EINTR means to them.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "host.h"

static _Thread_local char why[192] = "no failure";

static long
raw_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	register long r10 __asm__("r10") = a3;
	register long r8 __asm__("r8") = a4;
	register long r9 __asm__("r9") = a5;
	long ret;

	__asm__ volatile("syscall"
	    : "=a" (ret)
	    : "0" (nr), "D" (a0), "S" (a1), "d" (a2), "r" (r10), "r" (r8), "r" (r9)
	    : "rcx", "r11", "memory");
	return ret;
}

static int
libc_thread(void *(*entry)(void *), void *arg, uint64_t *handle)
{
	pthread_t t;
	int error = pthread_create(&t, NULL, entry, arg);

	if (error == 0)
		*handle = (uint64_t)t;
	return error;
}

static int
libc_join(uint64_t handle)
{
	return pthread_join((pthread_t)handle, NULL);
}

struct hk_sysops hk_sysops = { raw_call, libc_thread, libc_join };

/* --------------------------------------------------------------- futex -- */

long
hk_futex_wait(_Atomic uint32_t *word, uint32_t val, uint64_t timeout_ns)
{
	struct timespec ts = { (time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u) };

	return HK_SYS4(SYS_futex, word, FUTEX_WAIT, val, timeout_ns != 0 ? &ts : NULL);
}

void
hk_futex_wake(_Atomic uint32_t *word, int count)
{
	HK_SYS3(SYS_futex, word, FUTEX_WAKE, count);
}

/* ---------------------------------------------------------------- lock -- */

bool
hk_trylock(struct hk_lock *l)
{
	uint32_t free = 0;

	return atomic_compare_exchange_strong_explicit(&l->l_word, &free, 1,
	    memory_order_acquire, memory_order_relaxed);
}

/* 2 says "wake somebody": a taker that had to wait leaves it so, since others may still wait. */
void
hk_lock(struct hk_lock *l)
{
	if (hk_trylock(l))
		return;
	while (atomic_exchange_explicit(&l->l_word, 2, memory_order_acquire) != 0)
		HK_SYS4(SYS_futex, &l->l_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL);
}

void
hk_unlock(struct hk_lock *l)
{
	uint32_t was = atomic_exchange_explicit(&l->l_word, 0, memory_order_release);

	ASSERT(was != 0);
	if (was == 2)
		HK_SYS3(SYS_futex, &l->l_word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

/* -------------------------------------------------------------- errors -- */

const char *
hk_why(void)
{
	return why;
}

hk_result
hk_fail(hk_result r, const char *fmt, ...)
{
	va_list ap;

	ASSERT(r != HK_OK);
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return r;
}

hk_result
hk_from_errno(long minus_errno)
{
	switch (-minus_errno) {
	case ENOMEM:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOSPC:
		return HK_NOMEM;
	case ENOSYS:
		return HK_UNSUPPORTED;
	default:
		return HK_HOST;
	}
}

hk_result
hk_fail_host(const char *what, long minus_errno)
{
	const char *text = strerrordesc_np((int)-minus_errno);

	return hk_fail(hk_from_errno(minus_errno), "%s: %s", what, text != NULL ? text : "unknown error");
}

/* The machine is not what this code believes it to be: say so and stop, with the terminal put back. */
_Noreturn void
hk_assert_failed(const char *file, int line, const char *what)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "hostkit: %s:%d: assertion failed: %s\n", file, line, what);

	hk_stream_cook();
	hk_emergency(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
	abort();
}
