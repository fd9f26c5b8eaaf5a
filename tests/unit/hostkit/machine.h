/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine - a whole machine for one test
 *
 * machine_run() makes a machine, runs `body` as the program of CPU 0 while
 * the main thread serves, and takes the machine apart.  A body cannot use
 * CMocka's assertions, for it runs on another thread and stack: CHECK()
 * prints and ends the machine with a status that machine_run() turns into a
 * failure.  Guests are pieces of machine code, made with GUEST() below, on
 * page tables made here: code, stack and data at fixed addresses.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "host.h"

#define RAM_BYTES	(64u << 20)
#define CODE_VA		0x400000ull
#define STACK_TOP	0x620000ull	/* 32 pages below */
#define DATA_VA		0x700000ull
#define DATA_PAGES	64u
#define RFLAGS_TF	0x100ull

#define PTE_P	1ull
#define PTE_W	2ull
#define PTE_U	4ull
#define PTE_A	0x20ull
#define PTE_D	0x40ull
#define PTE_NX	(1ull << 63)
#define PTE_RW	(PTE_P | PTE_W | PTE_U)
#define PTE_RO	(PTE_P | PTE_U)

#define CHECK(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			hk_exit(1); \
		} \
	} while (0)
#define CHECK_EQ(a, b) \
	do { \
		long long a_ = (long long)(a), b_ = (long long)(b); \
		if (a_ != b_) { \
			fprintf(stderr, "%s:%d: %s is %lld (%#llx), not %s = %lld (%#llx)\n", __FILE__, __LINE__, \
			    #a, a_, (unsigned long long)a_, #b, b_, (unsigned long long)b_); \
			hk_exit(1); \
		} \
	} while (0)

/* GUEST(name, "instructions"): position-independent code; guest_code(name) copies it. */
#define GUEST(name, text) \
	extern const uint8_t guest_##name[], guest_end_##name[]; \
	__asm__(".pushsection .rodata\n.globl guest_" #name ", guest_end_" #name "\nguest_" #name ":\n" text \
	    "\nguest_end_" #name ":\n.byte 0\n.popsection\n")
#define CODE(name)	guest_##name, (size_t)(guest_end_##name - guest_##name)

static _Atomic uint32_t machine_mailbox[4];
static uint64_t machine_brk;		/* next free page of RAM */
static uint8_t machine_stack[4][256 << 10] __attribute__((aligned(64), unused));

struct guest {
	hk_space	g_space;
	uint64_t	g_root;
	struct hk_frame	g_frame;
};

static inline uint64_t *
ram_at(uint64_t pa)
{
	return (uint64_t *)(hk_ram_base() + pa);
}

static inline uint64_t
ram_pages(uint32_t n)
{
	uint64_t pa = machine_brk;

	machine_brk += (uint64_t)n * HK_PAGE;
	CHECK(machine_brk <= hk_ram_bytes());
	memset(ram_at(pa), 0, (size_t)n * HK_PAGE);
	return pa;
}

/* The entry for va, its tables made on the way. */
static inline uint64_t *
pt_entry(uint64_t root, uint64_t va)
{
	uint64_t *table = ram_at(root);
	int shift;

	for (shift = 39; shift > 12; shift -= 9) {
		uint64_t *e = &table[(va >> shift) & 511];

		if ((*e & PTE_P) == 0)
			*e = ram_pages(1) | PTE_RW;
		table = ram_at(*e & 0x000ffffffffff000ull);
	}
	return &table[(va >> 12) & 511];
}

static inline void
pt_map(uint64_t root, uint64_t va, uint64_t pa, uint32_t pages, uint64_t bits)
{
	uint32_t i;

	for (i = 0; i < pages; i++)
		*pt_entry(root, va + (uint64_t)i * HK_PAGE) = (pa + (uint64_t)i * HK_PAGE) | bits;
}

/* A space with code, stack and data of its own; the frame is at the start of the code. */
static inline void
guest_make(struct guest *g, const uint8_t *code, size_t bytes)
{
	uint64_t pa;

	memset(g, 0, sizeof *g);
	g->g_root = ram_pages(1);
	CHECK(bytes <= 4 * HK_PAGE);
	pa = ram_pages(4);
	memcpy(ram_at(pa), code, bytes);
	pt_map(g->g_root, CODE_VA, pa, 4, PTE_RO);
	pt_map(g->g_root, STACK_TOP - 32 * HK_PAGE, ram_pages(32), 32, PTE_RW | PTE_NX);
	pt_map(g->g_root, DATA_VA, ram_pages(DATA_PAGES), DATA_PAGES, PTE_RW | PTE_NX);
	CHECK_EQ(hk_space_create(&g->g_space), HK_OK);
	CHECK_EQ(hk_space_root(g->g_space, g->g_root), HK_OK);
	g->g_frame.rip = CODE_VA;
	g->g_frame.rsp = STACK_TOP;
	g->g_frame.rflags = 0x202;
}

static inline uint64_t *
guest_data(const struct guest *g)
{
	return ram_at(*pt_entry(g->g_root, DATA_VA) & 0x000ffffffffff000ull);
}

/* Run until something other than an interrupt; mail is thrown away. */
static inline enum hk_stop
guest_run(struct guest *g)
{
	enum hk_stop stop;

	do {
		atomic_store(&machine_mailbox[0], 0);
		stop = hk_run(0, g->g_space, &g->g_frame);
	} while (stop == HK_INTR);
	return stop;
}

/* A count that the environment can multiply: HK_TEST_TIMES=20 for the long runs. */
static inline long
times(long n)
{
	const char *t = getenv("HK_TEST_TIMES");

	return t != NULL && atol(t) > 0 ? n * atol(t) : n;
}

static inline uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void
machine_entry(void *body)
{
	void (*f)(void);

	memcpy(&f, &body, sizeof f);
	f();
	hk_exit(0);
}

static inline void
machine_run_with(const struct hk_config *cfg, void (*body)(void))
{
	void *arg;
	int status;

	machine_brk = HK_BLOCK;
	atomic_store(&machine_mailbox[0], 0);
	if (hk_init(cfg) != HK_OK)
		fail_msg("hk_init: %s", hk_why());
	memcpy(&arg, &body, sizeof arg);
	assert_int_equal(hk_cpu_start(0, &machine_mailbox[0], 0,
	    (uint64_t)(uintptr_t)machine_stack[0] + sizeof machine_stack[0], machine_entry, arg), HK_OK);
	status = hk_serve();
	hk_fini();
	assert_int_equal(status, 0);
}

static inline void
machine_run(void (*body)(void))
{
	machine_run_with(&(struct hk_config){ .ncpu = 1, .ram_bytes = RAM_BYTES }, body);
}

static inline void
machine_run_cpus(uint32_t ncpu, void (*body)(void))
{
	machine_run_with(&(struct hk_config){ .ncpu = ncpu, .ram_bytes = RAM_BYTES }, body);
}
