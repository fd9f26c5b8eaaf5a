/* SPDX-License-Identifier: BSD-2-Clause */
/* The scalars that have a meaning everywhere in the kernel. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;	/* physical address: an offset in RAM */
typedef uint64_t uaddr_t;	/* user virtual address: never dereferenced, see vm/uaccess.h */
typedef uint64_t nsec_t;	/* nanoseconds, monotonic unless said otherwise */

#define NSEC_PER_SEC	1000000000ull
#define NSEC_NEVER	UINT64_MAX

#define PAGE_SHIFT	12
#define PAGE_BYTES	4096ull
#define PAGE_MASK	(PAGE_BYTES - 1)
#define page_trunc(x)	((uint64_t)(x) & ~PAGE_MASK)
#define page_round(x)	(((uint64_t)(x) + PAGE_MASK) & ~PAGE_MASK)

#define __must_check	__attribute__((warn_unused_result))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define countof(a)	(sizeof(a) / sizeof((a)[0]))
