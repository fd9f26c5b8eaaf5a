/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem_int - finding writes to freed memory.  Nothing happens unless kmem_debug is on. */
#pragma once
#include <machine/types.h>

extern bool kmem_debug;		/* const after boot */
void	kmem_debug_init(void);
size_t	kmem_poison_object(void *p, size_t bytes);	/* words that were not so before */
void	kmem_poison_freed(void *p, size_t bytes);
void	kmem_check_object(void *p, size_t bytes);

static inline void
kmem_poison_new(void *p, size_t bytes)
{
	if (kmem_debug)
		(void)kmem_poison_object(p, bytes);
}

static inline void
kmem_poison(void *p, size_t bytes)
{
	if (kmem_debug)
		kmem_poison_freed(p, bytes);
}

static inline void
kmem_check(void *p, size_t bytes)
{
	if (kmem_debug)
		kmem_check_object(p, bytes);
}
