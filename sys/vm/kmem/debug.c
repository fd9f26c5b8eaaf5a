/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmem/debug - who writes where he should not.  On with the kernel argument `kmem_debug`; `page_poison` does
 * the same for pages.
 *
 *	| the object's bytes | red zone: 16 bytes or more | struct guard |
 *	^ p                                               the end of its room ^
 *
 * The guard stands behind the object, so that objects keep their alignment; who writes below his own object
 * damages the one before it.  It tells who allocated and who freed it.
 *
 * What is freed is filled with a pattern and waits in quarantine, a queue of each CPU, before it can be
 * handed out again: so most writes to freed objects hit nobody else, and are found when it leaves.  Memory
 * that is short empties the queues (kmem_trim).
 *
 * The address sanitizer is told that red zone and guard are nobody's, nor what is freed, so that reads are
 * found as well, and at once.  While this file looks at them they are everybody's.
 *
 * Locking: a queue is its CPU's, in a critical section.
 */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/debug/asan.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/callers.h>
#include <sys/debug/kprint.h>
#include <sys/vm/kmem.h>
#include "../vm_int.h"
#include "kmem_int.h"

#define RED		0xedu
#define DEAD		0xdeadbea7deadbea7ull
#define FRESH		0xa11a11a11a11a11aull	/* so that a new object is neither zero nor as if freed */
#define LIVE		0x4c495645u
#define FREED		0x46524545u
#define CALLERS		6u

/* Debuggers read this. */
struct kmem_guard {
	uint32_t	g_state;	/* LIVE, FREED */
	uint32_t	g_bytes;	/* asked for */
	uint32_t	g_thread[2];	/* who allocated, and freed it: low bits of the numbers */
	uint64_t	g_from[2][CALLERS];
};
#define RED_MIN		16u

bool kmem_debug;

static void tell(uint64_t addr);

void
kmem_debug_init(void)
{
	kmem_debug = boot_arg("kmem_debug", NULL, 0);
	asan_set_teller(tell);
}

size_t
kmem_guard_room(size_t bytes)
{
	return ((bytes + 15) & ~15ull) + RED_MIN + sizeof(struct kmem_guard);
}

static struct kmem_guard *
guard_of(void *p, size_t room)
{
	return (struct kmem_guard *)((char *)p + room) - 1;
}

static void
sign(struct kmem_guard *g, uint32_t k, const void *frame)
{
	memset(g->g_from[k], 0, sizeof g->g_from[k]);
	(void)callers_from(frame, g->g_from[k], CALLERS);
	g->g_thread[k] = (uint32_t)curthread->td_id;
}

static void
origins(const struct kmem_guard *g)
{
	kprintf("allocated by thread %u:\n", g->g_thread[0]);
	callers_print(g->g_from[0], CALLERS);
	if (g->g_state == FREED) {
		kprintf("freed by thread %u:\n", g->g_thread[1]);
		callers_print(g->g_from[1], CALLERS);
	}
}

static _Noreturn void
complain(const void *p, const struct kmem_guard *g, const char *what, size_t at, uint64_t is)
{
	kprintf("kmem: object %p of %u bytes %s: at %#zx is %#llx\n", p, g->g_bytes, what, at,
	    (unsigned long long)is);
	origins(g);
	panic("kmem: object %p of %u bytes %s", p, g->g_bytes, what);
}

/* The words of an object, and the bytes behind the last whole one. */
static void
fill(void *p, size_t bytes, uint64_t pattern)
{
	for (size_t i = 0; i < bytes / 8; i++)
		((uint64_t *)p)[i] = pattern;
	memcpy((char *)p + bytes / 8 * 8, &pattern, bytes % 8);
}

void
kmem_guard_set(void *p, size_t bytes, size_t room, const void *frame)
{
	struct kmem_guard *g = guard_of(p, room);

	asan_unpoison(p, room);
	fill(p, bytes, FRESH);
	memset((char *)p + bytes, RED, room - sizeof *g - bytes);
	g->g_state = LIVE;
	g->g_bytes = (uint32_t)bytes;
	sign(g, 0, frame);
	asan_poison((char *)p + bytes, room - bytes, ASAN_RED);
}

static void
check_red(const void *p, const struct kmem_guard *g)
{
	const uint8_t *b = p, *end = (const uint8_t *)g;

	for (const uint8_t *at = b + g->g_bytes; at < end; at++)
		if (*at != RED)
			complain(p, g, "was written past its end", (size_t)(at - b), *at);
}

void
kmem_guard_freed(void *p, size_t room, const void *frame)
{
	struct kmem_guard *g = guard_of(p, room);

	asan_unpoison(p, room);
	if (g->g_state == FREED)
		complain(p, g, "is freed twice", 0, 0);
	if (g->g_state != LIVE || g->g_bytes > room - sizeof *g)
		panic("kmem: what stands behind object %p, in %zu bytes, was overwritten: %#x", p, room,
		    g->g_state);
	check_red(p, g);
	g->g_state = FREED;
	sign(g, 1, frame);
	fill(p, g->g_bytes, DEAD);
	asan_poison(p, room, ASAN_FREED);
}

static void
leaves(const void *p, size_t room)
{
	const struct kmem_guard *g = (const struct kmem_guard *)((const char *)p + room) - 1;
	const uint64_t *w = p;

	asan_unpoison(p, room);
	if (g->g_state != FREED || g->g_bytes > room - sizeof *g)
		panic("kmem: what stands behind freed object %p, in %zu bytes, was overwritten: %#x", p, room,
		    g->g_state);
	for (size_t i = 0; i < g->g_bytes / 8; i++)
		if (w[i] != DEAD)
			complain(p, g, "was written after it was freed", i * 8, w[i]);
	check_red(p, g);
	asan_poison(p, room, ASAN_FREED);
}

/* Whose room is this address in?  NULL: no object's with a guard. */
static const void *
object_near(uint64_t addr, size_t *room)
{
	const struct md_boot *b = md_boot();
	paddr_t pa = page_trunc(md_v2p((const void *)addr));
	const struct page *pg;

	if (addr < MD_DIRECT_BASE || pa / BLOCK_BYTES >= b->b_ram[b->b_nram - 1].mr_end / BLOCK_BYTES)
		return NULL;
	pg = page_of(pa);
	if ((page_flags(pg) & PG_SLAB) != 0) {
		uint64_t size = ((const struct kmem_cpu *)pg->pg_owner)->kc_size;
		uint64_t at = (addr & PAGE_MASK) / size * size;

		*room = size;
		return at + size <= PAGE_BYTES ? (const char *)page_va(pg) + at : NULL;
	}
	/* Only the first page of a large one says so. */
	for (uint64_t n = 0; n <= pa % BLOCK_BYTES >> PAGE_SHIFT; n++, pg--)
		if ((page_flags(pg) & PG_LARGE) != 0) {
			*room = pg->pg_index << PAGE_SHIFT;
			return n < pg->pg_index && *room != BLOCK_BYTES ? page_va(pg) : NULL;
		}
	return NULL;
}

/* For the address sanitizer's report, which does not watch itself. */
static void
tell(uint64_t addr)
{
	size_t room;
	const char *p = object_near(addr, &room);
	const struct kmem_guard *g;

	if (p == NULL || !kmem_debug)
		return;
	g = (const struct kmem_guard *)(p + room) - 1;
	if (g->g_state != LIVE && g->g_state != FREED)
		return;
	kprintf("object %p of %u bytes, at byte %zu\n", (const void *)p, g->g_bytes,
	    (size_t)(addr - (uint64_t)p));
	origins(g);
}

struct kmem_queue *
kmem_queue_make(bool boots)
{
	static struct kmem_queue first;		/* there is no memory yet */
	struct kmem_queue *q = boots ? &first : kmalloc(sizeof *q, KM_ZERO);

	if (q == NULL)
		panic("kmem: no memory for a queue");
	return q;
}

void *
kmem_queue_put(struct kmem_queue *q, void *p, size_t room)
{
	void *first = NULL;

	if (q->kq_n == KMEM_QUEUE || (q->kq_n > 0 && q->kq_bytes + room > KMEM_QUEUE_BYTES))
		first = kmem_queue_take(q);
	q->kq_object[(q->kq_head + q->kq_n++) % KMEM_QUEUE] = (struct kmem_freed){ p, room };
	q->kq_bytes += room;
	return first;
}

void *
kmem_queue_take(struct kmem_queue *q)
{
	struct kmem_freed *f = &q->kq_object[q->kq_head];

	if (q->kq_n == 0)
		return NULL;
	q->kq_head = (q->kq_head + 1) % KMEM_QUEUE;
	q->kq_n--;
	q->kq_bytes -= f->room;
	leaves(f->p, f->room);
	return f->p;
}
