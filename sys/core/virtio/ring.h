/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring - the driver's side of a virtio split virtqueue (virtio 1.2, section 2.7).
 *
 * Requests, each a few segments of memory, go to the device and come back in
 * the order that it likes.  Memory is the caller's; one caller at a time.
 */
#pragma once
#include <core/pci/dma.h>
#include <stdbool.h>

#define VRING_SIZE_MAX		32768u

/* What the device reads and writes (2.7.5, 2.7.6, 2.7.8); little-endian, as we are. */
enum { VRING_DESC_NEXT = 1, VRING_DESC_WRITE = 2, VRING_DESC_INDIRECT = 4 };
enum { VRING_AVAIL_NO_INTERRUPT = 1 };
enum { VRING_USED_NO_NOTIFY = 1 };

struct vring_desc {
	uint64_t	addr;
	uint32_t	len;
	uint16_t	flags;
	uint16_t	next;
};

struct vring_avail {
	uint16_t	flags;
	uint16_t	idx;
	uint16_t	ring[];		/* one for each descriptor, then used_event */
};

struct vring_used_elem {
	uint32_t	id;
	uint32_t	len;
};

struct vring_used {
	uint16_t	flags;
	uint16_t	idx;
	struct vring_used_elem ring[];	/* one for each descriptor, then avail_event */
};
_Static_assert(sizeof(struct vring_desc) == 16 && sizeof(struct vring_used_elem) == 8,
    "virtio's layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio is little-endian");

struct vring_segment {
	uint64_t	s_pa;
	uint32_t	s_len;			/* not 0 */
	bool		s_device_writes;	/* these come after those that the device reads */
};

/* One for each descriptor, never seen by the device. */
struct vring_slot {
	void		*vs_cookie;
	uint32_t	vs_writable;	/* bytes that the device may write */
	uint16_t	vs_count;	/* descriptors of the request that begins here, or 0 */
	uint16_t	vs_next;	/* in the same request, or in the list of free ones */
};

struct vring_layout {
	size_t		vl_avail, vl_used;	/* offsets; the descriptors are at 0 */
	size_t		vl_bytes;
};

struct vring_setup {
	uint16_t	size;		/* a power of two, at most VRING_SIZE_MAX */
	bool		event_idx;	/* VIRTIO_F_EVENT_IDX was agreed on */
	struct dma_mem	ring;		/* vring_layout()'s bytes, at a multiple of 64 */
	struct vring_slot *slots;	/* `size` of them */
	struct dma_mem	indirect;	/* `size` tables, at a multiple of 16; or no bytes */
};

struct vring {
	struct vring_desc *vr_desc;
	struct vring_avail *vr_avail;
	struct vring_used *vr_used;
	struct vring_slot *vr_slot;
	struct dma_mem	vr_indirect;
	uint16_t	vr_indirect_max;	/* descriptors in a slot's table, or 0 */
	uint16_t	vr_size;
	uint16_t	vr_free;		/* free descriptors, and the first of them */
	uint16_t	vr_free_head;
	uint16_t	vr_avail_idx;		/* requests put, as the device counts them */
	uint16_t	vr_used_idx;		/* entries of the used ring looked at */
	uint32_t	vr_unannounced;		/* requests put since vring_must_notify() */
	bool		vr_event_idx;
	uint64_t	vr_bad;			/* lies of the device: skipped or clamped */
};

struct vring_done {
	void		*d_cookie;
	uint32_t	d_written;		/* by the device; never more than it was offered */
};

void	vring_layout(uint16_t size, struct vring_layout *l);
/* The memory's contents do not matter.  False: its size or place, or the ring's size, is wrong. */
bool	vring_init(struct vring *vr, const struct vring_setup *setup);
/* A request of `n` segments, seen by the device at once.  False: no room now. */
bool	vring_put(struct vring *vr, const struct vring_segment *seg, uint32_t n, void *cookie);
/* After some vring_put(): must the device be told?  Asked once for each batch. */
bool	vring_must_notify(struct vring *vr);
/* The next finished request.  False: none. */
bool	vring_take(struct vring *vr, struct vring_done *done);
/*
 * Interrupts are wanted, or not: a wish that the device may miss.  True: they were
 * wanted too late for what is finished already, so take again.
 */
bool	vring_want_interrupt(struct vring *vr, bool on);
/* Takes back a request that the device has: it was reset and touches nothing any more.  False: none. */
bool	vring_forget(struct vring *vr, void **cookie);
static inline bool vring_is_idle(const struct vring *vr) { return vr->vr_free == vr->vr_size; }
