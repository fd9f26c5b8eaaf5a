/* SPDX-License-Identifier: BSD-2-Clause */
/* fpu_switch - vector registers and rounding are each thread's own: forty in twenty processes yield. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES	20
#define ROUNDS		300

/* Yields with *want in three registers, and with the rounding that it says. */
static int
keeps(const uint64_t want[2], uint32_t rounding)
{
	uint64_t got[6];
	uint32_t mxcsr = 0x1f80 | rounding << 13, after = 0;
	long nr;

	__asm__ volatile("ldmxcsr %[csr];"
	    "movdqu (%[want]), %%xmm0; movdqu (%[want]), %%xmm7; movdqu (%[want]), %%xmm15;"
	    "movl $24, %%eax; syscall;"
	    "movdqu %%xmm0, (%[got]); movdqu %%xmm7, 16(%[got]); movdqu %%xmm15, 32(%[got]); stmxcsr %[after]"
	    : "=a"(nr), [after] "=m"(after)
	    : [csr] "m"(mxcsr), [want] "r"(want), [got] "r"(got)
	    : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
	return nr == 0 && memcmp(got, want, 16) == 0 && memcmp(got + 2, want, 16) == 0 &&
	    memcmp(got + 4, want, 16) == 0 && (after & 0x6000) == (mxcsr & 0x6000);
}

static void *
rounds(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg, want[2];
	cpu_set_t one;
	long lost = 0;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		want[0] = seed << 32 | i;
		want[1] = ~want[0];
		lost += !keeps(want, (uint32_t)(seed + i) & 3);
		if (i % 50 == 49) {		/* elsewhere, if there is another processor */
			CPU_ZERO(&one);
			CPU_SET((seed + i / 50) % 4, &one);
			(void)sched_setaffinity(0, sizeof one, &one);
		}
	}
	return (void *)lost;
}

int
main(void)
{
	long lost = 0;
	int status;

	for (uint64_t i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			pthread_t other;
			void *its, *ours;

			pthread_create(&other, NULL, rounds, (void *)(uintptr_t)(2 * i + 1));
			ours = rounds((void *)(uintptr_t)(2 * i + 2));
			pthread_join(other, &its);
			_exit(its != NULL || ours != NULL);
		}
	while (wait(&status) > 0)
		lost += status != 0;
	printf("%ld of %d processes lost something\n", lost, PROCESSES);
	return 0;
}
