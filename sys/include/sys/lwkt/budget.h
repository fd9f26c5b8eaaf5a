/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * budget - counts that all CPUs change: units taken from a limit, and serial
 * numbers.
 *
 * One counter would be one cache line that every CPU wants all the time.  So
 * each CPU takes some in advance and serves itself from these.  The limit
 * stays exact: who finds nothing left collects what the others keep.
 */
#pragma once
#include <machine/types.h>
#include <stdatomic.h>
#include <sys/lwkt/cpu.h>

struct budget_cell {
	_Alignas(64) _Atomic uint64_t bc_units;	/* [atomic] kept by one CPU */
};
struct budget {
	_Alignas(64) _Atomic uint64_t b_taken;	/* [atomic] in use, or kept */
	uint64_t	b_max;			/* const */
	struct budget_cell *b_cell;		/* const: of each CPU, zeroed by the caller */
};
bool	budget_take(struct budget *b, uint64_t n);	/* false: that would be too many */
void	budget_force(struct budget *b, uint64_t n);	/* beyond the limit if need be */
void	budget_give(struct budget *b, uint64_t n);
uint64_t budget_used(const struct budget *b);

/* Numbers that are given once, never 0; those of one CPU grow. */
#define SERIAL_BLOCK	64u
struct serial {
	_Alignas(64) _Atomic uint64_t s_blocks;	/* [atomic] begun */
	struct { _Alignas(64) uint64_t next; } s_cpu[CPU_MAX];	/* [cpu] */
};
uint64_t serial_next(struct serial *s);
