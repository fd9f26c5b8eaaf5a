/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vector - interrupts of devices, from the processor to who serves them.
 *
 * Each CPU has vectors of its own, VEC_DEV to VEC_KICK.  An interrupt sets the
 * vector's bit in its CPU's pc_pending, and MD_INTR_DEV in the mailbox; when
 * the kernel looks there, serve() calls the handlers of all bits.  Who wants a
 * handler to be called without an interrupt sets the same bit.
 *
 * A pin that speaks by its level goes on until its device is satisfied.  It
 * is masked when it comes and unmasked when all who share it were called.  If it
 * comes PIN_BURST times without a millisecond's rest, perhaps nobody can satisfy it:
 * it stays masked until the clock ticks, so that the others on this CPU go on.
 *
 * Invariants
 *   V1  a vector's fields are set before it is told to any device.
 *   V2  a bit is set before MD_INTR_DEV, which is taken before the bits: none is missed.
 *
 * Not here: an end to messages that come without end.
 */
#include <core/rt/rt.h>
#include <drv/dma.h>
#include <drv/intr.h>
#include <drv/lock.h>
#include <drv/thread.h>
#include <machine/clock.h>

#include "../boot/boot.h"
#include "vector.h"

#define ISA_LINES	16u
#define LINES		64u		/* those after the ISA bus's are the interrupt controllers' own */
#define PIN_BURST	64u
#define BURSTS_TOLD	1000u		/* in a row: worth a message */
#define MS		1000000ull
#define APIC_MAX	254u		/* that a message or a pin can name */

struct sharer {
	void		(*s_fn)(void *arg);
	void		*s_arg;
	struct sharer	*s_next;	/* const */
};
static struct pin {
	struct vector	*p_vector;		/* [lock] NULL: nobody wants it */
	struct sharer	*_Atomic p_sharers;	/* [lock to change] */
	nsec_t		p_open;			/* [handler] when it was unmasked; 0: it was held */
	uint32_t	p_count, p_bursts;	/* [handler] without a rest */
	_Atomic bool	p_held;			/* [atomic] masked until the clock ticks */
} pins[LINES];

static struct drv_lock lock;
static struct vector *vectors[PC_CPUS_MAX];	/* const after vector_setup(): DEV_VECTORS of each CPU */
static uint32_t used[PC_CPUS_MAX];		/* [lock] of them */
static struct vector *_Atomic clocked;		/* [lock to change] */
static struct drv_event clock_event;

/* ---------------------------------------------------------- vectors -- */

static void
note(struct pc_cpu *pc, uint32_t number)
{
	uint32_t i = number - VEC_DEV;

	atomic_fetch_or(&pc->pc_pending[i / 64], 1ull << i % 64);
}

/* The interrupt itself. */
void
vector_interrupt(struct pc_cpu *pc, uint32_t number)
{
	struct vector *v = vectors[pc->pc_id];

	if (v == NULL)
		return;
	v += number - VEC_DEV;
	atomic_fetch_add_explicit(&v->v_count.ic_count, 1, memory_order_relaxed);
	if (v->v_is_level)
		ioapic_mask(v->v_gsi, true);
	note(pc, number);
	atomic_fetch_or(&pc->pc_area->mailbox, MD_INTR_DEV);
}

void
vector_name(struct vector *v, const char *name)
{
	strlcpy(v->v_count.ic_name, name, sizeof v->v_count.ic_name);
	v->v_count.ic_cpu = v->v_cpu;
	intr_tell(&v->v_count);
}

void
vector_raise(struct vector *v)
{
	note(pc_cpus[v->v_cpu], v->v_number);
	md_kick(v->v_cpu, MD_INTR_DEV);
}

/* MD_INTR_DEV */
static void
serve(void *arg)
{
	struct pc_cpu *pc = pc_self();

	(void)arg;
	for (uint32_t w = 0; w < countof(pc->pc_pending); w++) {
		uint64_t bits = atomic_exchange(&pc->pc_pending[w], 0);

		for (; bits != 0; bits &= bits - 1) {
			const struct vector *v =
			    &vectors[pc->pc_id][w * 64 + (uint32_t)__builtin_ctzll(bits)];

			if (v->v_fn != NULL)
				v->v_fn(v->v_arg);
		}
	}
}

/* [lock] */
static struct vector *
take(uint32_t cpu, void (*fn)(void *arg), void *arg)
{
	for (uint32_t n = 0; n < pc_ncpu; n++, cpu = (cpu + 1) % pc_ncpu) {
		struct vector *v = vectors[cpu];

		if (v == NULL || used[cpu] == DEV_VECTORS || pc_cpus[cpu]->pc_apic > APIC_MAX)
			continue;
		v += used[cpu];
		*v = (struct vector){
			.v_cpu = cpu, .v_number = VEC_DEV + used[cpu]++, .v_fn = fn, .v_arg = arg,
		};
		return v;
	}
	return NULL;
}

struct vector *
vector_take(uint32_t cpu, void (*fn)(void *arg), void *arg)
{
	struct vector *v;

	ASSERT(cpu < pc_ncpu);
	drv_lock(&lock);
	v = take(cpu, fn, arg);
	drv_unlock(&lock);
	return v;
}

/* ------------------------------------------------------------ clock -- */

static void
clock_main(void *arg)
{
	(void)arg;
	for (;;) {
		if (atomic_load(&clocked) == NULL)
			(void)drv_event_wait(&clock_event, NSEC_NEVER);
		drv_sleep(MS);
		for (struct vector *v = atomic_load(&clocked); v != NULL; v = v->v_next)
			vector_raise(v);
		for (uint32_t i = 0; i < LINES; i++)
			if (atomic_exchange(&pins[i].p_held, false))
				vector_raise(pins[i].p_vector);
	}
}

void
vector_by_clock(struct vector *v)
{
	drv_lock(&lock);
	v->v_next = atomic_load(&clocked);
	atomic_store(&clocked, v);
	drv_unlock(&lock);
	drv_event_set(&clock_event);
}

void
vector_setup(void)
{
	drv_event_init(&clock_event);
	for (uint32_t i = 0; i < pc_ncpu; i++)
		vectors[i] = drv_alloc(DEV_VECTORS * sizeof *vectors[i]);
	intr_attach(MD_INTR_DEV, serve, NULL);
	if (drv_thread("devclock", clock_main, NULL) != 0)
		drv_log("interrupts", "no memory for the clock");
}

/* ------------------------------------------------------------- pins -- */

/* It came again and all were served: must it wait? */
static bool
needs_rest(struct pin *p)
{
	if (p->p_open != 0 && md_now() - p->p_open > MS)
		p->p_count = p->p_bursts = 0;
	if (++p->p_count < PIN_BURST)
		return false;
	p->p_count = 0;
	if (++p->p_bursts == BURSTS_TOLD)
		drv_log("interrupts", "line %u does not stop: it is held back", (uint32_t)(p - pins));
	return true;
}

static void
pin_serve(void *arg)
{
	struct pin *p = arg;

	for (struct sharer *s = atomic_load(&p->p_sharers); s != NULL; s = s->s_next)
		s->s_fn(s->s_arg);
	if (!p->p_vector->v_is_level)
		return;
	if (needs_rest(p)) {
		p->p_open = 0;
		atomic_store(&p->p_held, true);
		drv_event_set(&clock_event);
	} else {
		p->p_open = md_now();
		ioapic_mask(p->p_vector->v_gsi, false);
	}
}

static struct boot_line
line_of(uint32_t irq)
{
	return irq < ISA_LINES ? boot_isa_line(irq) : (struct boot_line){ .bl_gsi = irq, .bl_level = true };
}

/* [lock] */
static bool
pin_open(struct pin *p)
{
	const struct boot_line l = line_of((uint32_t)(p - pins));
	struct vector *v = take(0, pin_serve, p);
	char name[8];

	if (v == NULL)
		return false;
	v->v_gsi = l.bl_gsi;
	v->v_is_level = l.bl_level;
	p->p_vector = v;
	rt_snprintf(name, sizeof name, "irq%u", (uint32_t)(p - pins));
	vector_name(v, name);
	if (!ioapic_route(l.bl_gsi, v->v_number, pc_cpus[v->v_cpu]->pc_apic, l.bl_level, l.bl_low))
		p->p_vector = NULL;
	return p->p_vector != NULL;
}

struct vector *
vector_line(uint32_t irq, void (*fn)(void *arg), void *arg)
{
	struct sharer *s;
	struct pin *p;
	bool is_open;

	if (irq >= LINES || boot_isa_is_routed(irq) || (s = drv_alloc(sizeof *s)) == NULL)
		return NULL;
	p = &pins[irq];
	drv_lock(&lock);
	*s = (struct sharer){ fn, arg, atomic_load(&p->p_sharers) };
	atomic_store(&p->p_sharers, s);
	is_open = p->p_vector != NULL || pin_open(p);
	drv_unlock(&lock);
	return is_open ? p->p_vector : NULL;
}
