/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fiber - tell the thread sanitizer which kernel thread runs.
 *
 * Its runtime keeps a clock and a stack of calls for each thread of the host,
 * and can be told that such a thread goes on as another one, a fiber.  Here
 * each kernel stack has one.  Whatever a CPU does comes after what it did before,
 * whichever thread that was: ownership by CPU and critical sections rest on it, so
 * a switch orders the two fibers.  What remains are races of one CPU with another.
 *
 * The linker puts these two functions around the real ones (--wrap).  They
 * are not instrumented themselves.
 *
 * Locking: a stack's fiber belongs to whoever makes, runs or leaves the stack.
 */
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <md/param.h>
#include <sys/lwkt/thread.h>

#define SLOT_BYTES	(2ull * LWKT_STACK_BYTES)
#define SLOTS		65536u
#define UNTRACED	__attribute__((no_sanitize("thread")))

void	*__tsan_get_current_fiber(void);
void	*__tsan_create_fiber(unsigned int flags);
void	__tsan_destroy_fiber(void *fiber);
void	__tsan_switch_to_fiber(void *fiber, unsigned int flags);

void	__wrap_md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg);
void	__real_md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg);
void	__wrap_md_ctx_switch(uint64_t *save_sp, uint64_t load_sp);
void	__real_md_ctx_switch(uint64_t *save_sp, uint64_t load_sp);

static void *fibers[SLOTS + 1];		/* by place in the kernel map; the last: the boot stack's */

/* NULL: that of a CPU's first thread, which nobody made. */
UNTRACED static void **
fiber_of(uint64_t sp)
{
	return &fibers[sp - MD_KMAP_BASE < SLOTS * SLOT_BYTES ? (sp - MD_KMAP_BASE) / SLOT_BYTES : SLOTS];
}

UNTRACED void
__wrap_md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg)
{
	void **f = fiber_of(stack_top);

	if (*f != NULL)
		__tsan_destroy_fiber(*f);	/* of the stack's owner before, which has ended */
	*f = __tsan_create_fiber(0);
	__real_md_ctx_make(sp, stack_top, fn, arg);
}

UNTRACED void
__wrap_md_ctx_switch(uint64_t *save_sp, uint64_t load_sp)
{
	void **f = fiber_of((uint64_t)__builtin_frame_address(0));

	if (*f == NULL)
		*f = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(*fiber_of(load_sp), 0);
	__real_md_ctx_switch(save_sp, load_sp);
}
