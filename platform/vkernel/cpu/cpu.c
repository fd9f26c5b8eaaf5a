/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu - CPUs are host threads, interrupts are mailbox bits, idling is a futex: all of it hostkit's. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <hk/hk.h>
#include <machine/boot.h>
#include <machine/cpu.h>
#include <stdatomic.h>

#include "../det/det.h"
#include "../dev/stdio.h"
#include "cpu.h"

_Static_assert(MD_INTR_TIMER == HK_BIT_TIMER && MD_INTR_CHR == HK_BIT_STREAM && MD_INTR_POWER == HK_BIT_SIGNAL &&
    MD_INTR_BEAT == HK_BIT_BEAT && MD_INTR_FS == HK_BIT_FILES && MD_INTR_SAMPLE == HK_BIT_SAMPLE &&
    MD_INTR_IPI >= HK_BIT_USER, "mailbox bits mean the same on both sides");
_Static_assert(MD_POWER_OFF == HK_SIG_TERM && MD_POWER_INT == HK_SIG_INT && MD_POWER_HUP == HK_SIG_HUP &&
    MD_POWER_QUIT == HK_SIG_QUIT && MD_POWER_WINCH == HK_SIG_WINCH, "likewise");

void	md_ctx_start(void);

void
md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg)
{
	uint64_t *s = (uint64_t *)(stack_top & ~15ull);

	*--s = (uint64_t)md_ctx_start;	/* entered with the stack aligned as for a call: it makes one */
	*--s = (uint64_t)fn;		/* rbx */
	*--s = (uint64_t)arg;		/* r12 */
	*--s = 0;			/* r13 */
	*--s = 0;			/* r14 */
	*--s = 0;			/* r15 */
	*--s = 0;			/* rbp */
	*sp = (uint64_t)s;
}

static void
secondary(void *arg)
{
	kmain_secondary((uint32_t)(uintptr_t)arg);
}

static struct md_percpu *areas[HK_CPU_MAX] = { (struct md_percpu *)&cpu0 };	/* const once a CPU runs */

int
md_cpu_start(uint32_t cpu, struct md_percpu *area, uint64_t stack_top)
{
	areas[cpu] = area;
	if (md_deterministic) {
		det_cpu_start(cpu, area, stack_top, secondary);
		return 0;
	}
	return hk_cpu_start(cpu, &area->mailbox, (uint64_t)area, stack_top, secondary,
	    (void *)(uintptr_t)cpu) == HK_OK ? 0 : ENOMEM;
}

/*
 * In the middle of a call to hostkit it is on the host thread's own stack,
 * at whose end the door (vkernel/image/hostside.S) has left the kernel's frame pointer.
 */
static struct md_ktrap
in_kernel(const struct hk_trap *t)
{
	uint64_t rbp;

	if (t->addr == 0)
		return (struct md_ktrap){ .kt_rip = t->rip, .kt_rsp = t->rsp, .kt_rbp = t->rbp };
	rbp = ((const uint64_t *)t->addr)[-2];
	return (struct md_ktrap){ .kt_rsp = rbp, .kt_rbp = rbp };
}

bool
md_cpu_inspect(uint32_t cpu, struct md_ktrap *out)
{
	struct hk_trap t;

	if (md_deterministic)
		return det_inspect(cpu, out);
	if (hk_cpu_inspect(cpu, &t) != HK_OK)
		return false;
	*out = in_kernel(&t);
	return true;
}

void
cpu_stuck(const struct hk_trap *t)
{
	struct md_ktrap k = in_kernel(t);

	stuck_kernel(&k);
}

void
cpu_sample(const struct hk_trap *t)
{
	struct md_ktrap at = { .kt_rip = t->rip, .kt_rsp = t->rsp, .kt_rbp = t->rbp, .kt_addr = t->addr };

	sample_kernel(&at, in_kernel(t).kt_rbp);
}

void
md_kick(uint32_t cpu, uint32_t bits)
{
	md_point(MD_PT_KICK, (uint64_t)cpu << 32 | bits);
	if (atomic_fetch_or(&areas[cpu]->mailbox, bits) == 0 && !md_deterministic)
		hk_rouse(cpu);
}

void
md_idle(void)
{
	if (md_deterministic)
		det_idle();
	else
		hk_idle(kcpu_id());
}

uint32_t
md_power_events(void)
{
	return hk_signals() | stdio_power_events();
}

void
md_emergency(const char *text, size_t len)
{
	hk_emergency(text, len);
}

void
md_entropy(void *buf, size_t len)
{
	if (md_deterministic)
		det_entropy(buf, len);
	else
		hk_entropy(buf, len);
}

/* A CPU waits for another for a microsecond or two; if that takes longer the other one's host thread may not be running. */
void
md_spin(uint32_t *turns)
{
	if (md_deterministic)
		*turns += det_spin();
	else if (++*turns % 64 == 0)
		hk_yield();
	else
		__builtin_ia32_pause();
}

bool md_deterministic;
