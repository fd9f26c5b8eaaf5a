/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi/debug - where tools without debug information find threads, CPUs and events in a kernel's memory.
 *
 * A constant of the kernel's image, so that it is true of that kernel and of no other: who reads a kernel
 * that runs takes the image from that process, who reads a core compares build ids.
 */
#pragma once
#include <stdint.h>

#define DEBUG_MAGIC	0x67756265646d6164ull	/* "damdebug" */
#define DEBUG_VERSION	1

struct debug_table {
	uint64_t	dt_magic;
	uint32_t	dt_version;
	uint32_t	dt_bytes;		/* of this structure */
	/* Addresses of variables. */
	uint64_t	dt_cpus;		/* pointers to struct cpu */
	uint64_t	dt_cpu_count;		/* uint32_t */
	uint64_t	dt_threads;		/* their struct list: next, previous; empty: itself */
	uint64_t	dt_panicking;		/* uint32_t: CPU + 1, or 0 */
	uint64_t	dt_stamp_is_ns;		/* bool: events' stamps are nanoseconds since boot */
	uint64_t	dt_direct;		/* where physical address 0 appears */
	uint64_t	dt_sample;		/* struct debug_sample, for who looks to write */
	/* Offsets in struct cpu. */
	uint32_t	dt_c_thread;		/* pointer to the thread that it runs */
	uint32_t	dt_c_ktr;		/* pointer to its struct ktr_ring */
	uint32_t	dt_c_samples;		/* likewise, of samples; NULL: not yet */
	/* Offsets in struct thread. */
	uint32_t	dt_td_link;		/* its struct list among all threads */
	uint32_t	dt_td_id;		/* uint64_t */
	uint32_t	dt_td_name;		/* text of dt_name_bytes */
	uint32_t	dt_td_state;		/* uint32_t: enum td_state */
	uint32_t	dt_td_cpu;		/* pointer to its struct cpu */
	uint32_t	dt_td_sp;		/* off: where it saved rbp, r15 to r12, rbx, rip */
	uint32_t	dt_td_stack;		/* uint64_t: the lowest address of its stack, or 0 */
	uint32_t	dt_name_bytes;
	uint32_t	dt_stack_bytes;
	uint32_t	dt_ktr_version;		/* KTR_VERSION of abi/ktr.h */
	uint32_t	dt_unused;
};

/*
 * Samples (abi/ktr.h) are taken while ds_hz is not zero: so often a second, about, of each CPU that does
 * something.
 */
struct debug_sample {
	_Atomic uint32_t ds_hz;
	_Atomic uint32_t ds_session;	/* changes: programs and their maps are told again; written first */
};

/* enum td_state */
enum { DEBUG_RUNNING, DEBUG_READY, DEBUG_SLEEPING, DEBUG_MOVING, DEBUG_EXITED };
