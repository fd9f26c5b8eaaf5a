/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine/mmu - RAM and address spaces.
 *
 * User page tables are x86-64 4-level tables in RAM on every platform; the
 * pmap that writes them is machine-independent.  The MMU (a processor, or
 * hostkit's walker) sets A and D before the access completes.  Live entries
 * are changed by atomic exchange, then invalidated, then A and D harvested.
 */
#pragma once
#include <machine/types.h>
#include <md/param.h>		/* MD_DIRECT_BASE, MD_KMAP_BASE, MD_KMAP_BYTES, MD_USER_MIN, MD_USER_MAX */

typedef int32_t md_space_t;
#define MD_NOSPACE	((md_space_t)-1)

static inline void *md_p2v(paddr_t pa) { return (void *)(MD_DIRECT_BASE + pa); }
static inline paddr_t md_v2p(const void *va) { return (uint64_t)va - MD_DIRECT_BASE; }

struct md_range {
	uint64_t	va, len;	/* page-aligned user range */
};
enum md_inval {
	MD_INVAL_DROP,		/* entries were removed or replaced */
	MD_INVAL_WRPROTECT,	/* only write permission was removed */
};

int	md_space_create(md_space_t *out);		/* 0, ENOMEM, EAGAIN */
void	md_space_destroy(md_space_t s);			/* nobody inside; afterwards no translation exists */
int	md_space_root(md_space_t s, paddr_t root);	/* 4-level root; drops everything cached */
void	md_invalidate(md_space_t s, const struct md_range *r, size_t n, enum md_inval how);
void	md_prefill(md_space_t s, const struct md_range *r, size_t n);	/* hint: about to be touched */

/* Kernel map: [MD_KMAP_BASE, +MD_KMAP_BYTES) is inaccessible until mapped; gaps are guard pages. */
int	md_kmap(uint64_t va, paddr_t pa, size_t len);
void	md_kunmap(uint64_t va, size_t len);

void	md_ram_prepare(paddr_t pa, size_t len);		/* hint: whole 2 MiB blocks soon to be used */
void	md_ram_release(paddr_t pa, size_t len);		/* hint: whole 2 MiB blocks not needed; they read zero */
