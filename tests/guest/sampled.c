/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sampled - spend time where samples can find it: three quarters in inner(), which computes() calls, and a
 * quarter in system calls of reader(), which calls() calls.  By its own CPU time; until the file is there.
 *
 *	sampled FILE
 *
 * Counters on the stack: a function that needs none has no frame, and hides who called it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE	__attribute__((noinline, noclone))

static int fd;
static char buf[65536];

static double
used(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static NOINLINE void
inner(void)
{
	for (volatile uint32_t i = 0; i < 500000; i++)
		;
}

static NOINLINE void
computes(double until)
{
	do
		inner();
	while (used() < until);
	__asm__ volatile("");
}

/* The call itself, so that the address where the program is lies in this function. */
static NOINLINE void
reader(void)
{
	long r;

	for (volatile int i = 0; i < 100; i++)
		__asm__ volatile("syscall" : "=a"(r) : "a"(SYS_read), "D"((long)fd), "S"(buf), "d"(sizeof buf)
		    : "rcx", "r11", "memory");
	__asm__ volatile("");
}

static NOINLINE void
calls(double until)
{
	do
		reader();
	while (used() < until);
	__asm__ volatile("");
}

int
main(int argc, char **argv)
{
	fd = open("/dev/zero", O_RDONLY);
	if (fd < 0 || argc != 2)
		return 1;
	while (access(argv[1], F_OK) != 0) {
		computes(used() + 0.075);
		calls(used() + 0.025);
	}
	return 0;
}
