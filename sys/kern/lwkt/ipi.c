/* SPDX-License-Identifier: BSD-2-Clause */
/* ipi - function calls to other CPUs: one word for each pair of CPUs, until there are rings. */
#include <stdatomic.h>
#include <sys/lwkt/ipi.h>

#include "lwkt_int.h"

struct slot {
	ipi_fn		*fn;
	void		*arg;
	uint64_t	value;
	_Atomic uint32_t full;
};
static struct slot slots[CPU_MAX][64];

void
ipi_interrupt(struct cpu *c)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct slot *s = &slots[c->c_id][i % 64], copy;

		if (atomic_load(&s->full) != 2)
			continue;
		copy = *s;
		copy.fn(copy.arg, copy.value);
		atomic_store(&s->full, 0);
	}
}

static void
wait_for(struct slot *s, uint32_t value)
{
	uint32_t turns = 0;

	while (atomic_load(&s->full) == value) {
		crit_enter();
		ipi_interrupt(mycpu);
		crit_exit();
		md_spin(&turns);
	}
}

void
ipi_send(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value)
{
	struct slot *s = &slots[cpu][mycpuid % 64];
	uint32_t free = 0;

	if (cpu == mycpuid) {
		crit_enter();
		fn(arg, value);
		crit_exit();
		return;
	}
	while (!atomic_compare_exchange_strong(&s->full, &free, 1)) {
		wait_for(s, free);
		free = 0;
	}
	s->fn = fn;
	s->arg = arg;
	s->value = value;
	atomic_store(&s->full, 2);
	md_kick(cpu, MD_INTR_IPI);
}

void
ipi_send_passive(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value)
{
	ipi_send(cpu, fn, arg, value);
}

void
ipi_call(uint32_t cpu, ipi_fn *fn, void *arg, uint64_t value)
{
	ipi_send(cpu, fn, arg, value);
	if (cpu != mycpuid)
		wait_for(&slots[cpu][mycpuid % 64], 2);
}

static void
nothing(void *arg, uint64_t value)
{
	(void)arg;
	(void)value;
}

void
ipi_quiesce(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		ipi_call(i, nothing, NULL, 0);
}
