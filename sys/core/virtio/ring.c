/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring - a split virtqueue.
 *
 * Three tables are shared with the device: descriptors (ours), the available
 * ring (ours) and the used ring (the device's).  The device is not believed:
 * what we must know about a request is in slots of our own, and nothing that the
 * device can write is read for it, not even a descriptor's `next`.
 *
 * A request takes one descriptor for each segment, or, where it has a table for it,
 * a single one that points to an indirect table.  It is known by its first descriptor.
 *
 * Invariants
 *   V1  each descriptor is in the list of free ones or in one request; the slot of a
 *       request's first descriptor, and no other, has vs_count > 0.
 *   V2  descriptors and the entry of the available ring are written before its index
 *       says so (release); the used ring's index is read before its entries (acquire).
 *   V3  who publishes and then looks whether the other sleeps has a full fence between:
 *       vring_must_notify(), vring_want_interrupt().  One side sees the other, always.
 *   V4  a call looks at no more than `size` entries of the used ring.  An index that
 *       leaps further is counted and followed, and what it leapt over is lost.
 *
 * Locking: none, the caller's.
 * Not here: packed rings, the layout of before 1.0, notification itself.
 */
#include <core/virtio/ring.h>

#include <core/rt/rt.h>

/* 4 would do: but lines of the cache that the device writes are its own */
#define USED_ALIGN	64u

static inline uint16_t *used_event(struct vring *vr) { return &vr->vr_avail->ring[vr->vr_size]; }
static inline uint16_t *
avail_event(struct vring *vr)
{
	return (uint16_t *)&vr->vr_used->ring[vr->vr_size];
}

void
vring_layout(uint16_t size, struct vring_layout *l)
{
	size_t avail_end;

	l->vl_avail = size * sizeof(struct vring_desc);
	avail_end = l->vl_avail + sizeof(struct vring_avail) + (size + 1u) * sizeof(uint16_t);
	l->vl_used = (avail_end + USED_ALIGN - 1) & ~(size_t)(USED_ALIGN - 1);
	l->vl_bytes = l->vl_used + sizeof(struct vring_used) +
	    size * sizeof(struct vring_used_elem) + sizeof(uint16_t);
}

bool
vring_init(struct vring *vr, const struct vring_setup *s)
{
	uint8_t *base = s->ring.va;
	struct vring_layout l;

	if (s->size == 0 || s->size > VRING_SIZE_MAX || (s->size & (s->size - 1)) != 0)
		return false;
	vring_layout(s->size, &l);
	if (s->ring.bytes < l.vl_bytes || ((uintptr_t)base | s->ring.pa) % USED_ALIGN != 0)
		return false;
	if (((uintptr_t)s->indirect.va | s->indirect.pa) % sizeof(struct vring_desc) != 0)
		return false;
	memset(base, 0, l.vl_bytes);
	*vr = (struct vring){
		.vr_desc = (struct vring_desc *)base,
		.vr_avail = (struct vring_avail *)(base + l.vl_avail),
		.vr_used = (struct vring_used *)(base + l.vl_used),
		.vr_slot = s->slots,
		.vr_indirect = s->indirect,
		.vr_indirect_max = (uint16_t)rt_min(VRING_SIZE_MAX,
		    s->indirect.bytes / sizeof(struct vring_desc) / s->size),
		.vr_size = s->size,
		.vr_free = s->size,
		.vr_event_idx = s->event_idx,
	};
	for (uint32_t i = 0; i < s->size; i++)
		s->slots[i] = (struct vring_slot){ .vs_next = (uint16_t)(i + 1) };
	return true;
}

static void
fill(struct vring_desc *d, const struct vring_segment *seg, bool more, uint16_t next)
{
	d->addr = seg->s_pa;
	d->len = seg->s_len;
	d->flags = more ? VRING_DESC_NEXT : 0;
	d->flags |= seg->s_device_writes ? VRING_DESC_WRITE : 0;
	d->next = more ? next : 0;
}

/* The bytes that the device may write.  Segments are our own driver's: what is wrong is a bug. */
static uint32_t
check_segments(const struct vring_segment *seg, uint32_t n)
{
	uint64_t bytes = 0, writable = 0;

	for (uint32_t i = 0; i < n; i++) {
		ASSERT(seg[i].s_len > 0);
		ASSERT(i == 0 || seg[i].s_device_writes || !seg[i - 1].s_device_writes);
		bytes += seg[i].s_len;
		writable += seg[i].s_device_writes ? seg[i].s_len : 0;
	}
	ASSERT(bytes <= UINT32_MAX);
	return (uint32_t)writable;
}

static void
fill_indirect(struct vring *vr, uint16_t head, const struct vring_segment *seg, uint32_t n)
{
	size_t at = (size_t)head * vr->vr_indirect_max * sizeof(struct vring_desc);
	struct vring_desc *table = (struct vring_desc *)((uint8_t *)vr->vr_indirect.va + at);

	for (uint32_t i = 0; i < n; i++)
		fill(&table[i], &seg[i], i + 1 < n, (uint16_t)(i + 1));
	vr->vr_desc[head] = (struct vring_desc){
		.addr = vr->vr_indirect.pa + at,
		.len = n * (uint32_t)sizeof(struct vring_desc),
		.flags = VRING_DESC_INDIRECT,
	};
}

bool
vring_put(struct vring *vr, const struct vring_segment *seg, uint32_t n, void *cookie)
{
	uint32_t writable = check_segments(seg, n);
	uint16_t head = vr->vr_free_head, at = head, last = head;
	bool indirect = n > 1 && n <= vr->vr_indirect_max;
	uint32_t take = indirect ? 1 : n;

	ASSERT(n > 0);
	if (take > vr->vr_free)
		return false;
	if (indirect)
		fill_indirect(vr, head, seg, n);
	for (uint32_t i = 0; i < take; i++) {
		last = at;
		at = vr->vr_slot[last].vs_next;
		if (!indirect)
			fill(&vr->vr_desc[last], &seg[i], i + 1 < n, at);
	}
	vr->vr_free_head = at;
	vr->vr_free -= (uint16_t)take;
	vr->vr_slot[head].vs_cookie = cookie;
	vr->vr_slot[head].vs_writable = writable;
	vr->vr_slot[head].vs_count = (uint16_t)take;	/* V1 */

	vr->vr_avail->ring[vr->vr_avail_idx & (vr->vr_size - 1)] = head;
	vr->vr_avail_idx++;
	if (vr->vr_unannounced <= UINT16_MAX)
		vr->vr_unannounced++;
	__atomic_store_n(&vr->vr_avail->idx, vr->vr_avail_idx, __ATOMIC_RELEASE);	/* V2 */
	return true;
}

/*
 * With EVENT_IDX (2.7.10) the device names the request whose arrival it wants to hear
 * of.  Among more than 65535 it would be named twice, so then it is told anyway.
 */
bool
vring_must_notify(struct vring *vr)
{
	uint32_t put = vr->vr_unannounced;
	uint16_t event;

	vr->vr_unannounced = 0;
	if (put == 0)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* V3 */
	if (!vr->vr_event_idx)
		return (__atomic_load_n(&vr->vr_used->flags, __ATOMIC_RELAXED) &
		    VRING_USED_NO_NOTIFY) == 0;
	event = __atomic_load_n(avail_event(vr), __ATOMIC_RELAXED);
	return (uint16_t)(vr->vr_avail_idx - 1 - event) < put;
}

/* Back to the front of the free list, the way it came. */
static void
release(struct vring *vr, uint16_t head)
{
	struct vring_slot *slot = &vr->vr_slot[head];
	uint16_t last = head;

	for (uint16_t i = 1; i < slot->vs_count; i++)
		last = vr->vr_slot[last].vs_next;
	vr->vr_slot[last].vs_next = vr->vr_free_head;
	vr->vr_free_head = head;
	vr->vr_free += slot->vs_count;
	slot->vs_count = 0;
	ASSERT(vr->vr_free <= vr->vr_size);
}

bool
vring_take(struct vring *vr, struct vring_done *done)
{
	uint16_t idx = __atomic_load_n(&vr->vr_used->idx, __ATOMIC_ACQUIRE);	/* V2 */

	if ((uint16_t)(idx - vr->vr_used_idx) > vr->vr_size) {
		vr->vr_bad++;
		vr->vr_used_idx = idx;		/* V4 */
	}
	while (vr->vr_used_idx != idx) {
		uint16_t at = vr->vr_used_idx++ & (vr->vr_size - 1);
		struct vring_used_elem *e = &vr->vr_used->ring[at];
		uint32_t id = __atomic_load_n(&e->id, __ATOMIC_RELAXED);
		uint32_t len = __atomic_load_n(&e->len, __ATOMIC_RELAXED);

		if (id >= vr->vr_size || vr->vr_slot[id].vs_count == 0) {
			vr->vr_bad++;
			continue;
		}
		if (len > vr->vr_slot[id].vs_writable) {
			vr->vr_bad++;
			len = vr->vr_slot[id].vs_writable;
		}
		done->d_cookie = vr->vr_slot[id].vs_cookie;
		done->d_written = len;
		release(vr, (uint16_t)id);
		return true;
	}
	return false;
}

/*
 * With EVENT_IDX the device interrupts when its index passes used_event.  The entry
 * before the next is the furthest away that there is, so it stands for never.
 */
bool
vring_want_interrupt(struct vring *vr, bool on)
{
	if (vr->vr_event_idx)
		__atomic_store_n(used_event(vr), (uint16_t)(vr->vr_used_idx - !on),
		    __ATOMIC_RELAXED);
	else
		__atomic_store_n(&vr->vr_avail->flags, on ? 0 : VRING_AVAIL_NO_INTERRUPT,
		    __ATOMIC_RELAXED);
	if (!on)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* V3 */
	return __atomic_load_n(&vr->vr_used->idx, __ATOMIC_RELAXED) != vr->vr_used_idx;
}

bool
vring_forget(struct vring *vr, void **cookie)
{
	for (uint32_t i = 0; i < vr->vr_size; i++)
		if (vr->vr_slot[i].vs_count > 0) {
			*cookie = vr->vr_slot[i].vs_cookie;
			release(vr, (uint16_t)i);
			return true;
		}
	ASSERT(vring_is_idle(vr));
	return false;
}
