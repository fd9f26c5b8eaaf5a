/* SPDX-License-Identifier: BSD-2-Clause */
/* kmem_int - between kmem.c and debug.c.  Nothing of it happens unless kmem_debug is on. */
#pragma once
#include <machine/types.h>

#include "../vm_int.h"

extern bool kmem_debug;		/* const after boot */

/* What an object of so many bytes takes with its guard. */
size_t	kmem_guard_room(size_t bytes);
/* It is handed out, and given back; frame: of kmalloc and kfree, whose callers are remembered.  Panics. */
void	kmem_guard_set(void *p, size_t bytes, size_t room, const void *frame);
void	kmem_guard_freed(void *p, size_t room, const void *frame);

/* Of a CPU; of the first one before all others. */
struct kmem_queue *kmem_queue_make(bool boots);
/* The queue takes what was given back; what leaves it for that was looked at and is free now.  NULL: none. */
void	*kmem_queue_put(struct kmem_queue *q, void *p, size_t room);
void	*kmem_queue_take(struct kmem_queue *q);
