/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring - rings of TRBs (xHCI 1.2, 4.9): ours to fill, and the controller's.
 *
 * Memory is the caller's.
 */
#pragma once
#include <core/pci/dma.h>
#include <core/usb/xhci.h>

/* Big enough, aligned, and not over a boundary of `within` (a power of two). */
bool	xh_mem_fits(const struct dma_mem *m, size_t bytes, size_t align, size_t within);

#define XH_RING_MIN	8u		/* TRBs in a ring of ours, the link included */

/* A command or transfer ring in one segment: we fill it. */
struct xh_ring {
	struct xhci_trb	*r_trb;		/* const */
	uint64_t	r_pa;		/* const */
	uint32_t	r_trbs;		/* const: without the link */
	uint32_t	r_enqueue;	/* index of the next TRB that we write */
	uint32_t	r_dequeue;	/* index of the first that may not be done */
	uint32_t	r_cycle;	/* cycle bit of the next TRB */
};

/* False: fewer than XH_RING_MIN TRBs, not aligned to 64, or over a 64 KiB boundary. */
bool		xh_ring_init(struct xh_ring *r, const struct dma_mem *m);
uint32_t	xh_ring_room(const struct xh_ring *r);
/*
 * Put n TRBs (their cycle bits do not matter); the controller sees all or none.
 * pa[n]: where they are.  False: no room for them.
 */
bool		xh_ring_put(struct xh_ring *r, const struct xhci_trb *t, uint32_t n, uint64_t *pa);
/* Is the TRB at pa one that the controller was given and is not done with? */
bool		xh_ring_holds(const struct xh_ring *r, uint64_t pa);
/* The controller is done with all up to the one at pa.  False: it does not hold that. */
bool		xh_ring_done(struct xh_ring *r, uint64_t pa);
/* Forget what is on it.  Returns where the controller is to go on, cycle state in bit 0. */
uint64_t	xh_ring_drop(struct xh_ring *r);

#define XH_SEGMENTS	4u		/* at most */
#define XH_SEGMENT_TRBS_MIN	16u
#define XH_SEGMENT_TRBS_MAX	4096u

/* An event ring: the controller fills it. */
struct xh_events {
	struct dma_mem	ev_segment[XH_SEGMENTS];	/* const */
	uint32_t	ev_segments;			/* const */
	uint32_t	ev_at;				/* segment and index of the next event */
	uint32_t	ev_index;
	uint32_t	ev_cycle;			/* its cycle bit, once it is there */
};

/* Writes the table of n segments (for ERSTBA; ERSTSZ is n).  False: sizes or alignment. */
bool		xh_events_init(struct xh_events *ev, const struct dma_mem *segment, uint32_t n,
		    const struct dma_mem *table);
bool		xh_events_take(struct xh_events *ev, struct xhci_trb *t);
/* For ERDP: all before this was taken; clears the busy bit. */
uint64_t	xh_events_dequeue(const struct xh_events *ev);
