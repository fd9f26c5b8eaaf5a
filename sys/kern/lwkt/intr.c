/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intr - from mailbox bits to handlers.
 *
 * The word is taken whole by one exchange: a bit set before the exchange is
 * handled now, one set after it is seen by the next look.  Handlers run in
 * the context of whatever thread looked, in a critical section, so they wake
 * threads but do not block.
 */
#include <drv/intr.h>
#include <stdatomic.h>

#include "lwkt_int.h"

static struct {
	void	(*fn)(void *);
	void	*arg;
} handlers[32];			/* const after boot */

void
intr_attach(uint32_t bit, void (*fn)(void *arg), void *arg)
{
	uint32_t i;

	ASSERT(bit != 0 && (bit & (bit - 1)) == 0);
	i = (uint32_t)__builtin_ctz(bit);
	ASSERT(handlers[i].fn == NULL);
	handlers[i].arg = arg;
	handlers[i].fn = fn;
}

static struct intr_count *_Atomic counts;	/* [atomic] grows at its head */

void
intr_tell(struct intr_count *ic)
{
	ic->ic_next = atomic_load(&counts);
	while (!atomic_compare_exchange_weak(&counts, &ic->ic_next, ic))
		;
}

struct intr_count *
intr_counts(void)
{
	return atomic_load(&counts);
}

void
intr_dispatch(struct cpu *c)
{
	uint32_t bits;

	ASSERT(c->c_curthread->td_crit > 0);
	while ((bits = atomic_exchange_explicit(&c->c_mailbox, 0, memory_order_acq_rel)) != 0) {
		for (; bits != 0; bits &= bits - 1) {
			uint32_t i = (uint32_t)__builtin_ctz(bits);

			if (handlers[i].fn != NULL)
				handlers[i].fn(handlers[i].arg);
		}
	}
}

/* Called with td_crit 0.  One that comes while bits are taken waits for the next look. */
void
crit_exit_slow(void)
{
	struct cpu *c = mycpu;

	if ((c->c_watch & CPU_WATCH_GAPS) != 0)
		gap_note(c, __builtin_frame_address(0));
	c->c_curthread->td_crit++;
	intr_dispatch(c);
	c->c_curthread->td_crit--;
	md_point(MD_PT_CRIT, 0);
}

static void
from_other_cpus(void *arg)
{
	(void)arg;
	wakeups_take(mycpu);
	ipi_interrupt(mycpu);
}

void
lwkt_init(void)
{
	intr_attach(MD_INTR_IPI, from_other_cpus, NULL);
}
