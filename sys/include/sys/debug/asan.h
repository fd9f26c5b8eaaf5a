/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asan - what allocators tell the address sanitizer.  Without SANITIZE=address all of it is nothing.
 *
 * What is poisoned nobody may touch: an access of the kernel to it is reported and is the end
 * (kern/debug/asan.c).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Why nobody may. */
enum asan_why {
	ASAN_RED	= 0xfa,		/* behind an object of kmalloc */
	ASAN_FREED	= 0xfb,		/* an object that was freed, or never handed out */
	ASAN_PAGE	= 0xfc,		/* a free page */
	ASAN_STACK	= 0xfd,		/* a free kernel stack */
	ASAN_GLOBAL	= 0xf9,		/* behind a global variable */
};

#ifdef KERNEL_ASAN
/* p + bytes is a multiple of 8.  What precedes p in its 8 bytes stays as it is. */
void	asan_poison(const void *p, size_t bytes, enum asan_why why);
/* p is a multiple of 8.  What follows the last byte in its 8 bytes is poisoned. */
void	asan_unpoison(const void *p, size_t bytes);
/* Once: who can say on the console whose memory is at an address. */
void	asan_set_teller(void (*tell)(uint64_t addr));
/* Functions whose accesses are not watched. */
#define ASAN_UNWATCHED	__attribute__((no_sanitize_address))
#else
/* Not functions: the arguments are not even worked out. */
#define asan_poison(p, bytes, why)	((void)sizeof(p), (void)sizeof(bytes), (void)sizeof(why))
#define asan_unpoison(p, bytes)		((void)sizeof(p), (void)sizeof(bytes))
static inline void asan_set_teller(void (*tell)(uint64_t addr)) { (void)tell; }
#define ASAN_UNWATCHED
#endif
