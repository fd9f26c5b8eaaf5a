/* SPDX-License-Identifier: BSD-2-Clause */
/* world - what the kernel's half of the explorer (scenario.c) and the host's half (explore.c) tell each other. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define X_CPUS		3u
#define X_STACKS	(2u * X_CPUS)
#define X_STACK_BYTES	32768u

/* What a piece of memory is to the explorer. */
enum x_kind {
	X_SHARED,	/* any CPU's access to it is a point where others may come between */
	X_OWNED,	/* written by one CPU only, whose own loads are no such point */
	X_PLAIN,	/* one CPU's; part of the state */
	X_CONST,	/* not written once CPUs run */
	X_STAT,		/* statistics: no part of the state */
};

/* explore.c */
void	x_track(const volatile void *p, size_t bytes, enum x_kind kind, uint32_t owner);
_Noreturn void x_fail(const char *what);
void	*x_memory(size_t bytes);
uint64_t x_stack(size_t bytes);

/* scenario.c */
struct x_scenario { const char *name; uint32_t ncpu; };
const struct x_scenario *w_scenario(uint32_t i);	/* NULL: no more */
void	w_boot(uint32_t scenario, uint64_t *stack_top);	/* of each CPU; on "CPU 0" */
void	*w_cpu(uint32_t i);
void	w_boot_threads(void);
uint64_t w_thread_sp(uint32_t stack);			/* where it left, if it does not run */
uint64_t w_thread_end(uint32_t stack);			/* the state's last byte on that stack */
_Noreturn void w_main(void *cpu_number);
const char *w_wrong(void);				/* an invariant that is broken now, or NULL */
const char *w_unfinished(void);				/* why this is no good end, or NULL */
