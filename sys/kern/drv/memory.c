/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/memory - memory for drivers.
 *
 * What a device sees is RAM at its physical address: there is no IOMMU.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <drv/dma.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

/* So many pages, as a power of two. */
static uint32_t
order_of(size_t bytes)
{
	uint32_t order = 0;

	while (PAGE_BYTES << order < bytes)
		order++;
	return order;
}

int
dma_alloc(struct dma_mem *out, size_t bytes, uint64_t reach)
{
	const uint32_t order = order_of(bytes);
	struct page *pg;

	ASSERT(bytes > 0 && bytes <= DMA_BYTES_MAX);
	pg = page_alloc_run(order, PAGE_ZERO | PAGE_WAIT);
	if (pg == NULL)
		return ENOMEM;
	if (page_pa(pg) + (PAGE_BYTES << order) - 1 > reach) {
		page_drop_run(pg, 1ull << order);
		return ENOMEM;
	}
	*out = (struct dma_mem){ page_va(pg), page_pa(pg), bytes };
	return 0;
}

void
dma_free(struct dma_mem *m)
{
	page_drop_run(page_of(m->pa), 1ull << order_of(m->bytes));
	*m = (struct dma_mem){ NULL, 0, 0 };
}

void *
dma_at(uint64_t pa)
{
	return md_p2v(pa);
}

void *
drv_alloc(size_t bytes)
{
	return kmalloc(bytes, KM_ZERO | KM_WAIT);
}

void
drv_free(void *p)
{
	kfree(p);
}
