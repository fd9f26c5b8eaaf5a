/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem - kernel memory: slabs per CPU and size class, whole pages above. */
#pragma once
#include <machine/types.h>

#define KM_ZERO		1u
#define KM_WAIT		2u	/* may sleep; NULL only when memory is truly exhausted */

/* 16-byte aligned; 64 from 64 bytes on; to pages from 4096 on. */
void	*kmalloc(size_t bytes, uint32_t flags) __must_check;
void	kfree(void *p);						/* NULL is fine; any CPU */
char	*kstrdup(const char *s, uint32_t flags) __must_check;
void	*kmalloc_array(size_t n, size_t each, uint32_t flags) __must_check;	/* NULL on overflow too */

/* Kernel stacks: pages in the kernel map with a guard page below.  Returns the lowest address, 0: none. */
uint64_t kstack_alloc(size_t bytes);
void	kstack_free(uint64_t stack, size_t bytes);

void	vm_kmem_init(void);		/* kmain; kmalloc itself works as soon as there are pages */
uint64_t kmem_bytes(void);	/* in use, for leak checks */
/* Of the k-th size, the last one whole pages: objects in use.  False: no more sizes. */
bool	kmem_stats(uint32_t k, size_t *size, uint64_t *used);
void	vm_kmem_init(void);		/* kmain, after vm_phys_init */
