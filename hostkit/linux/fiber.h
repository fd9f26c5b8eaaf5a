/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fiber - tell the address sanitizer that a thread changes its stack
 *
 * It believes that a thread lives on the stack that libc gave it, and would
 * take every frame on another one for an error sooner or later.  It wants to
 * hear of a change twice: before, with the stack to come, and after, on it.
 * In other builds all of this is nothing.  Of the caller's stack only the top
 * is known; the size is a guess that the sanitizer uses for its texts alone.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__
#endif
#endif

#define FIBER_GUESS	(64u << 10)

struct fiber {
	void		*f_fake;	/* the sanitizer's frames of the host thread's stack */
	const void	*f_bottom;	/* that stack */
	size_t		f_size;
};

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

static inline void
fiber_enter(struct fiber *f, uint64_t top)
{
	__sanitizer_start_switch_fiber(&f->f_fake, (const void *)(uintptr_t)(top - FIBER_GUESS), FIBER_GUESS);
}

static inline void
fiber_entered(struct fiber *f)
{
	__sanitizer_finish_switch_fiber(NULL, &f->f_bottom, &f->f_size);
}

static inline void
fiber_leave(struct fiber *f)
{
	__sanitizer_start_switch_fiber(NULL, f->f_bottom, f->f_size);
}

static inline void
fiber_left(struct fiber *f)
{
	__sanitizer_finish_switch_fiber(f->f_fake, NULL, NULL);
}
#else
static inline void
fiber_enter(struct fiber *f, uint64_t top)
{
	(void)f;
	(void)top;
}

static inline void
fiber_entered(struct fiber *f)
{
	(void)f;
}

static inline void
fiber_leave(struct fiber *f)
{
	(void)f;
}

static inline void
fiber_left(struct fiber *f)
{
	(void)f;
}
#endif
