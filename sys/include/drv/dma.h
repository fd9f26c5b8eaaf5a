/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/dma - memory that a device sees, and small memory that it does not. */
#pragma once
#include <core/pci/dma.h>
#include <machine/types.h>

#define DMA_BYTES_MAX	(2u << 20)

/*
 * Zeroed, contiguous, aligned to its size rounded up to a power of two of
 * pages; all of it at most at `reach`.  ENOMEM.  A thread's; it may sleep.
 */
int	dma_alloc(struct dma_mem *out, size_t bytes, uint64_t reach);
void	dma_free(struct dma_mem *m);
/* An object inside of it: where the device sees that, and the piece that it is. */
static inline uint64_t
dma_pa(const struct dma_mem *m, const void *va)
{
	return m->pa + ((uint64_t)va - (uint64_t)m->va);
}
#define DMA_PIECE(m, what)	((struct dma_mem){ &(what), dma_pa(m, &(what)), sizeof(what) })
void	*dma_at(uint64_t pa);		/* RAM that somebody else has, as a processor sees it */

void	*drv_alloc(size_t bytes);	/* likewise a thread's; zeroed; NULL: no memory */
void	drv_free(void *p);
