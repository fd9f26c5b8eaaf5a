/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vdso - the clocks, computed in the program itself.
 *
 * Lock-free and without a loop: what is not to be had from the page at once
 * is the kernel's to say, by the system call that the program would have made
 * without us.  That happens once a millisecond or so, when the sample is too
 * old; the call makes a new one.
 *
 * Which processor this is cannot be told here: a program of a virtual kernel
 * sees the host's number.
 */
#include <abi/time.h>
#include <abi/vdso.h>
#include <gen/sysnum.h>
#include <stdbool.h>
#include <stddef.h>

#define NSEC		1000000000ull

extern const struct vdso_time vdso_time __attribute__((visibility("hidden")));

int	__vdso_clock_gettime(int clock, struct k_timespec *to);
int	__vdso_clock_getres(int clock, struct k_timespec *to);
int	__vdso_gettimeofday(struct k_timeval *tv, struct k_timezone *tz);
int64_t	__vdso_time(int64_t *to);
long	__vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused);
int	clock_gettime(int clock, struct k_timespec *to) __attribute__((weak, alias("__vdso_clock_gettime")));
int	clock_getres(int clock, struct k_timespec *to) __attribute__((weak, alias("__vdso_clock_getres")));
int	gettimeofday(struct k_timeval *tv, struct k_timezone *tz) __attribute__((weak, alias("__vdso_gettimeofday")));
int64_t	time(int64_t *to) __attribute__((weak, alias("__vdso_time")));
long	getcpu(uint32_t *cpu, uint32_t *node, void *unused) __attribute__((weak, alias("__vdso_getcpu")));

static inline long
ask_kernel(long nr, long a, long b, long c)
{
	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return nr;
}

/* The counter, not read before what stands earlier. */
static inline uint64_t
counter(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline bool
read_clock(bool wall, uint64_t *ns)
{
	const struct vdso_time *p = &vdso_time;
	uint32_t seq = __atomic_load_n(&p->vd_seq, __ATOMIC_ACQUIRE);
	uint64_t tsc = __atomic_load_n(&p->vd_tsc, __ATOMIC_RELAXED),
	    most = __atomic_load_n(&p->vd_counts, __ATOMIC_RELAXED),
	    scale = __atomic_load_n(&p->vd_scale, __ATOMIC_RELAXED),
	    t = __atomic_load_n(&p->vd_mono, __ATOMIC_RELAXED) +
	    (wall ? __atomic_load_n(&p->vd_wall, __ATOMIC_RELAXED) : 0),
	    since = counter() - tsc;

	if (since > UINT64_MAX - VDSO_BACK_COUNTS)
		since = 0;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((seq & 1) != 0 || __atomic_load_n(&p->vd_seq, __ATOMIC_RELAXED) != seq || since >= most)
		return false;
	*ns = t + (since * scale >> VDSO_SCALE_SHIFT);
	return true;
}

int
__vdso_clock_gettime(int clock, struct k_timespec *to)
{
	bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
	bool mono = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
	    clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
	uint64_t ns;

	if ((!wall && !mono) || !read_clock(wall, &ns))
		return (int)ask_kernel(SYS_clock_gettime, clock, (long)to, 0);
	to->tv_sec = (int64_t)(ns / NSEC);
	to->tv_nsec = (int64_t)(ns % NSEC);
	return 0;
}

int
__vdso_clock_getres(int clock, struct k_timespec *to)
{
	return (int)ask_kernel(SYS_clock_getres, clock, (long)to, 0);
}

int
__vdso_gettimeofday(struct k_timeval *tv, struct k_timezone *tz)
{
	uint64_t ns;

	if (tz != NULL || tv == NULL || !read_clock(true, &ns))
		return (int)ask_kernel(SYS_gettimeofday, (long)tv, (long)tz, 0);
	tv->tv_sec = (int64_t)(ns / NSEC);
	tv->tv_usec = (int64_t)(ns % NSEC / 1000);
	return 0;
}

int64_t
__vdso_time(int64_t *to)
{
	uint64_t ns;

	if (!read_clock(true, &ns))
		return ask_kernel(SYS_time, (long)to, 0, 0);
	if (to != NULL)
		*to = (int64_t)(ns / NSEC);
	return (int64_t)(ns / NSEC);
}

long
__vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused)
{
	return ask_kernel(SYS_getcpu, (long)cpu, (long)node, (long)unused);
}
