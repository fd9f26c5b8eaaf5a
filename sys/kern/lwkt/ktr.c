/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktr - the rings of events.
 *
 * Invariants
 *   R1  only its own CPU writes a ring, and never inside another event of its own.
 *   R2  kr_next is stored after its event; it only grows.
 *   R3  whoever reads another CPU's ring takes what lies less than `size` behind a kr_next that it reads
 *       after its copy: the slot of kr_next itself, which is being written, is that of kr_next - size.
 *
 * The boot CPU begins with a small ring that is part of the image: so c_ktr is never NULL.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/ktr.h>

#include "lwkt_int.h"

#define BOOT_EVENTS	64u
#define EVENTS_MAX	(1u << 16)	/* 2 MiB: a run of pages is not longer */

static uint32_t size;		/* const after boot: events of a CPU */

static struct ktr_event boot_events[BOOT_EVENTS];
static struct ktr_ring boot_ring = { .kr_mask = BOOT_EVENTS - 1, .kr_event = boot_events };

static const struct { const char *text; char what[2]; } types[KTR_TYPE_COUNT] = {
#define KTR_ROW(name, words, b, c) [KTR_##name] = { words, { b, c } },
	KTR_TYPES(KTR_ROW)
};

static uint64_t
next_of(const struct ktr_ring *r)
{
	return __atomic_load_n(&r->kr_next, __ATOMIC_ACQUIRE);
}

/* R3: the first event that is there. */
static uint64_t
oldest(const struct ktr_ring *r)
{
	return ktr_oldest(next_of(r), r->kr_mask);
}

void
ktr_boot(struct cpu *c)
{
	c->c_ktr = &boot_ring;
}

/* NULL: no memory. */
static struct ktr_ring *
ring_make(const struct cpu *c, uint32_t events)
{
	struct ktr_ring *r = lwkt_needs.mem_alloc(sizeof *r);

	if (r == NULL)
		return NULL;
	r->kr_event = lwkt_needs.mem_alloc(events * sizeof r->kr_event[0]);
	r->kr_mask = events - 1;
	r->kr_cpu = c->c_id;
	return r->kr_event != NULL ? r : NULL;
}

int
ktr_init_cpu(struct cpu *c)
{
	struct ktr_ring *r = ring_make(c, size), *old = c->c_ktr;

	if (r == NULL)
		return ENOMEM;
	c->c_samples = ring_make(c, KTR_SAMPLES);
	if (c->c_samples == NULL)
		return ENOMEM;
	if (old != NULL) {
		for (uint64_t i = oldest(old); i < old->kr_next; i++)
			r->kr_event[i & r->kr_mask] = old->kr_event[i & old->kr_mask];
		r->kr_next = old->kr_next;
	}
	c->c_ktr = r;
	return 0;
}

int
ktr_start(uint32_t events)
{
	size = BOOT_EVENTS;
	while (size < events && size < EVENTS_MAX)
		size *= 2;
	while (ktr_init_cpu(mycpu) != 0 && size > BOOT_EVENTS)
		size /= 2;		/* fewer are better than none */
	return mycpu->c_ktr == &boot_ring ? ENOMEM : 0;
}

/* Its name, eight letters in an event. */
void
ktr_name(const struct thread *td)
{
	uint64_t letters;

	for (size_t at = 0; at < sizeof td->td_name; at += sizeof letters) {
		memcpy(&letters, td->td_name + at, sizeof letters);
		if (at == 0 || letters != 0)
			ktr(at == 0 ? KTR_THREAD : KTR_NAME, td->td_id, letters);
	}
}

const char *
ktr_text(uint32_t type, char what[2])
{
	if (type >= KTR_TYPE_COUNT || types[type].text == NULL)
		return NULL;
	memcpy(what, types[type].what, 2);
	return types[type].text;
}

uint32_t
ktr_copy(uint32_t cpu, struct ktr_event *to, uint32_t most, uint64_t *first)
{
	const struct ktr_ring *r = cpu_find(cpu)->c_ktr;
	uint64_t end = next_of(r), begin = ktr_oldest(end, r->kr_mask);

	begin = rt_max(begin, end > most ? end - most : 0);
	for (uint64_t i = begin; i < end; i++)
		to[i - begin] = r->kr_event[i & r->kr_mask];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*first = ktr_whole(begin, end, next_of(r), r->kr_mask);
	memmove(to, to + (*first - begin), (end - *first) * sizeof *to);
	return (uint32_t)(end - *first);
}

/* For panics, one at a time: where we are in each CPU's ring. */
static uint64_t place[CPU_MAX];

/* The CPU with the newest event before its place, or the oldest one at it; CPU_MAX: there is none. */
static uint32_t
choose(const uint64_t *ends, bool newest)
{
	uint32_t found = CPU_MAX;
	uint64_t best = 0;

	for (uint32_t i = 0; i < cpu_count; i++) {
		const struct ktr_ring *r = cpu_find(i)->c_ktr;
		uint64_t stamp;

		if (newest ? place[i] <= oldest(r) : place[i] >= ends[i])
			continue;
		stamp = r->kr_event[(place[i] - newest) & r->kr_mask].ke_stamp;
		if (found == CPU_MAX || (newest ? stamp > best : stamp < best)) {
			found = i;
			best = stamp;
		}
	}
	return found;
}

void
ktr_last(uint32_t most, ktr_fn *fn, void *arg)
{
	static uint64_t ends[CPU_MAX];
	uint32_t i;

	for (i = 0; i < cpu_count; i++)
		place[i] = ends[i] = next_of(cpu_find(i)->c_ktr);
	while (most-- > 0 && (i = choose(ends, true)) != CPU_MAX)
		place[i]--;
	while ((i = choose(ends, false)) != CPU_MAX) {
		const struct ktr_ring *r = cpu_find(i)->c_ktr;
		struct ktr_event e = r->kr_event[place[i] & r->kr_mask];

		if (place[i]++ >= oldest(r))		/* R3: the others go on meanwhile */
			fn(&e, i, arg);
	}
}
