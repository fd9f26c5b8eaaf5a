/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmem - memory for the kernel's own objects.
 *
 * Objects of up to 2048 bytes come from slabs: one page each, cut into
 * objects of one size, belonging to one CPU.  A slab needs no header, its
 * struct page is one: pg_owner is the size class of its CPU, pg_index the
 * first free object, pg_serial the number of objects in use.  Free objects
 * are linked through their first word.
 *
 * Freeing on another CPU than the slab's pushes the object on a lock-free
 * list there; the owner collects it when it runs out of free objects.
 *
 * Anything bigger is a run of whole pages, cut to length: the first page's
 * pg_index says how many.
 *
 * With `kmem_debug` among the kernel's arguments a guard stands behind each
 * object, and what is freed is kept for a while (debug.c).
 *
 * Locking: a class is touched only by its CPU, in a critical section,
 * except for kc_remote.
 */
#include <core/rt/rt.h>
#include <sys/debug/asan.h>
#include <sys/debug/bootarg.h>
#include <sys/vm/kmem.h>
#include "../vm_int.h"
#include "kmem_int.h"

#define SMALL_MAX	2048u
#define EMPTY_MAX	1u		/* slabs without objects kept per class */

static const uint16_t class_size[KMEM_CLASSES] = {
	16, 32, 48, 64, 128, 192, 256, 320, 512, 768, 1024, 1344, 2048
};
static uint8_t class_of[SMALL_MAX / 16 + 1];	/* const after boot: by (bytes + 15) / 16 */

void
kmem_cpu_setup(struct cpu *c, struct vm_cpu *v)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < countof(class_of); i++) {
		if (i * 16 > class_size[k])
			k++;
		class_of[i] = (uint8_t)k;
	}
	for (k = 0; k < KMEM_CLASSES; k++) {
		struct kmem_cpu *kc = &v->v_kmem[k];

		list_init(&kc->kc_partial);
		kc->kc_empty = 0;
		kc->kc_size = class_size[k];
		kc->kc_cpu = c->c_id;
		kc->kc_remote = NULL;
		kc->kc_used = 0;
	}
	if (kmem_debug)
		v->v_freed = kmem_queue_make(c->c_id == 0);
}

void
vm_kmem_init(void)
{
	page_poison = boot_arg("page_poison", NULL, 0);
	kstack_init();
}

/* UNWATCHED here and below: the first word of a free object is nobody's for the address sanitizer. */
ASAN_UNWATCHED static void
slab_push(struct page *pg, void *obj)
{
	*(uint64_t *)obj = pg->pg_index;
	pg->pg_index = (uint64_t)obj;
}

/* Cut a page into objects, the lowest handed out first. */
static void
slab_make(struct kmem_cpu *kc, struct page *pg)
{
	char *base = page_va(pg);

	asan_poison(base, PAGE_BYTES, ASAN_FREED);
	page_flags_set(pg, PG_SLAB);
	pg->pg_owner = kc;
	pg->pg_index = 0;
	pg->pg_serial = 0;
	for (uint32_t i = PAGE_BYTES / kc->kc_size; i-- > 0;)
		slab_push(pg, base + i * kc->kc_size);
	list_push_front(&kc->kc_partial, &pg->pg_link);
	kc->kc_empty++;
}

static void
slab_release(struct kmem_cpu *kc, struct page *pg)
{
	ASSERT(pg->pg_serial == 0);
	list_remove(&pg->pg_link);
	kc->kc_empty--;
	page_flags_set(pg, 0);
	page_drop(pg);
}

ASAN_UNWATCHED static void *
slab_get(struct kmem_cpu *kc)
{
	struct page *pg = list_first(&kc->kc_partial, struct page, pg_link);
	void *obj;

	if (pg == NULL)
		return NULL;
	obj = (void *)pg->pg_index;
	pg->pg_index = *(uint64_t *)obj;
	if (pg->pg_serial++ == 0)
		kc->kc_empty--;
	if (pg->pg_index == 0)
		list_remove(&pg->pg_link);
	return obj;
}

static void
slab_put(struct kmem_cpu *kc, struct page *pg, void *obj)
{
	ASSERT(pg->pg_serial > 0);
	if (pg->pg_index == 0)
		list_push_front(&kc->kc_partial, &pg->pg_link);
	slab_push(pg, obj);
	if (--pg->pg_serial > 0)
		return;
	kc->kc_empty++;
	if (kc->kc_empty > EMPTY_MAX)
		slab_release(kc, pg);
}

/* Objects that other CPUs freed come home. */
ASAN_UNWATCHED static void
slab_collect(struct kmem_cpu *kc)
{
	void *obj = atomic_exchange_explicit(&kc->kc_remote, NULL, memory_order_acquire);

	while (obj != NULL) {
		void *next = *(void **)obj;

		slab_put(kc, page_of(page_trunc(md_v2p(obj))), obj);
		obj = next;
	}
}

static void *
small_alloc(size_t bytes, uint32_t flags)
{
	uint32_t k = class_of[(bytes + 15) / 16];
	struct kmem_cpu *kc;
	struct page *pg;
	void *obj;

	crit_enter();
	kc = &vm_mycpu()->v_kmem[k];
	obj = slab_get(kc);
	if (obj == NULL && kc->kc_remote != NULL) {
		slab_collect(kc);
		obj = slab_get(kc);
	}
	if (obj == NULL) {
		crit_exit();
		pg = page_alloc((flags & KM_WAIT) != 0 ? PAGE_WAIT : 0);
		if (pg == NULL)
			return NULL;
		crit_enter();
		kc = &vm_mycpu()->v_kmem[k];	/* we may have slept and moved */
		slab_make(kc, pg);
		obj = slab_get(kc);
	}
	figure_add(&kc->kc_used, 1);
	crit_exit();
	return obj;
}

static void *
large_alloc(size_t bytes, uint32_t flags)
{
	uint64_t n = page_round(bytes) >> PAGE_SHIFT;
	uint32_t order = 0;
	struct page *pg;

	if (bytes > BLOCK_BYTES)
		return NULL;
	while ((1ull << order) < n)
		order++;
	pg = page_alloc_run(order, (flags & KM_WAIT) != 0 ? PAGE_WAIT : 0);
	if (pg == NULL)
		return NULL;
	page_drop_run(pg + n, (1ull << order) - n);
	page_flags_set(pg, PG_LARGE);
	pg->pg_index = n;
	crit_enter();
	figure_add(&vm_mycpu()->v_kmem_pages, (int64_t)n);
	crit_exit();
	return page_va(pg);
}

/* Bytes that are the object's, as many as were asked for or more. */
static size_t
room_of(const void *p)
{
	const struct page *pg = page_of(page_trunc(md_v2p(p)));

	return (page_flags(pg) & PG_LARGE) != 0 ? pg->pg_index << PAGE_SHIFT :
	    ((const struct kmem_cpu *)pg->pg_owner)->kc_size;
}

/* What to allocate for so many bytes.  There is nothing larger than a block: such an object has no guard. */
static size_t
room_for(size_t bytes)
{
	size_t room = kmem_guard_room(bytes);

	if (!kmem_debug || bytes > BLOCK_BYTES)
		return bytes;
	return page_round(room) < BLOCK_BYTES ? room : BLOCK_BYTES;
}

static bool
is_guarded(const void *p)
{
	return kmem_debug && room_of(p) != BLOCK_BYTES;
}

void *
kmalloc(size_t bytes, uint32_t flags)
{
	size_t room = room_for(bytes);
	void *p = NULL;

	if (!vm_should_fail())
		p = room <= SMALL_MAX ? small_alloc(room, flags) : large_alloc(room, flags);
	if (p != NULL && is_guarded(p))
		kmem_guard_set(p, bytes, room_of(p), __builtin_frame_address(0));
	if (p != NULL && (flags & KM_ZERO) != 0)
		memset(p, 0, bytes);
	return p;
}

/* Nobody's any more: figures do not count what waits in a queue of debug.c. */
static void
count_out(const void *p)
{
	struct page *pg = page_of(page_trunc(md_v2p(p)));
	struct vm_cpu *v = vm_mycpu();

	if ((page_flags(pg) & PG_LARGE) != 0)
		figure_add(&v->v_kmem_pages, -(int64_t)pg->pg_index);
	else
		figure_add(&v->v_kmem[class_of[((struct kmem_cpu *)pg->pg_owner)->kc_size / 16]].kc_used, -1);
}

ASAN_UNWATCHED static void
release(void *p)
{
	struct page *pg = page_of(page_trunc(md_v2p(p)));
	struct kmem_cpu *kc = pg->pg_owner;

	if ((page_flags(pg) & PG_LARGE) != 0) {
		uint64_t n = pg->pg_index;

		page_flags_set(pg, 0);
		page_drop_run(pg, n);
	} else if (kc->kc_cpu == mycpuid) {
		slab_put(kc, pg, p);
	} else {
		void *head = atomic_load_explicit(&kc->kc_remote, memory_order_relaxed);

		do
			*(void **)p = head;
		while (!atomic_compare_exchange_weak_explicit(&kc->kc_remote, &head, p,
		    memory_order_release, memory_order_relaxed));
	}
}

void
kfree(void *p)
{
	struct page *pg;

	if (p == NULL)
		return;
	pg = page_of(page_trunc(md_v2p(p)));
	ASSERT((page_flags(pg) & (PG_LARGE | PG_SLAB)) != 0);
	ASSERT(((uint64_t)p & PAGE_MASK) % ((page_flags(pg) & PG_LARGE) != 0 ? PAGE_BYTES : room_of(p)) == 0);
	if (is_guarded(p))
		kmem_guard_freed(p, room_of(p), __builtin_frame_address(0));
	crit_enter();
	count_out(p);
	if (is_guarded(p))
		p = kmem_queue_put(vm_mycpu()->v_freed, p, room_of(p));
	if (p != NULL)
		release(p);
	crit_exit();
}

char *
kstrdup(const char *s, uint32_t flags)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n, flags & ~KM_ZERO);

	if (p != NULL)
		memcpy(p, s, n);
	return p;
}

void *
kmalloc_array(size_t n, size_t each, uint32_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, each, &bytes))
		return NULL;
	return kmalloc(bytes, flags);
}

uint64_t
kmem_trim(void)
{
	uint64_t pages = 0;
	void *freed;

	crit_enter();
	while (kmem_debug && (freed = kmem_queue_take(vm_mycpu()->v_freed)) != NULL)
		release(freed);
	for (uint32_t k = 0; k < KMEM_CLASSES; k++) {
		struct kmem_cpu *kc = &vm_mycpu()->v_kmem[k];

		slab_collect(kc);
		if (kc->kc_empty == 0)
			continue;
		list_foreach_safe(pg, &kc->kc_partial, struct page, pg_link) {
			if (pg->pg_serial != 0)
				continue;
			slab_release(kc, pg);
			pages++;
		}
	}
	crit_exit();
	return pages;
}

bool
kmem_stats(uint32_t k, size_t *size, uint64_t *used)
{
	int64_t sum = 0;

	if (k > KMEM_CLASSES)
		return false;
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct vm_cpu *v = cpu_find(i)->c_vm;

		sum += figure(k < KMEM_CLASSES ? &v->v_kmem[k].kc_used : &v->v_kmem_pages);
	}
	*size = k < KMEM_CLASSES ? class_size[k] : PAGE_BYTES;
	*used = sum < 0 ? 0 : (uint64_t)sum;
	return true;
}

uint64_t
kmem_bytes(void)
{
	uint64_t sum = 0, used;
	size_t size;

	for (uint32_t k = 0; kmem_stats(k, &size, &used); k++)
		sum += size * used;
	return sum;
}
