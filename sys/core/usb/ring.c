/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring - TRBs change hands by their cycle bit.
 *
 * A TRB belongs to its reader when its cycle bit is equal to the reader's
 * cycle state.  That state begins as 1, on zeroed memory, and flips at each
 * wrap; so a pass over the ring turns the bits of the pass before.  A ring of
 * ours wraps at a link in its last place, which is handed over like any TRB.
 * The event ring has no links: it wraps behind the last TRB of the last
 * segment of its table.
 *
 * Invariants
 *   R1  r_enqueue and r_dequeue never rest on the link, and are equal only
 *       when the ring is empty: one TRB always stays free.
 *   R2  of the TRBs put together the first gets its cycle bit last, after all
 *       the others and a link between them: the controller stops before it or
 *       sees them all.
 *   R3  an event's other words are read after its cycle bit.
 *
 * Locking: none, the caller's.
 * Not here: doorbells and registers; rings of ours that grow.
 */
#include <core/rt/rt.h>
#include <core/usb/ring.h>

#define TRB_BYTES	sizeof(struct xhci_trb)
#define RING_WITHIN	65536u		/* xHCI 6, table 6-1 */

bool
xh_mem_fits(const struct dma_mem *m, size_t bytes, size_t align, size_t within)
{
	return m->va != NULL && bytes <= m->bytes && m->pa % align == 0 &&
	    (m->pa & (within - 1)) + bytes <= within;
}

static void
hand_over(struct xhci_trb *t, uint32_t control)
{
	__atomic_store_n(&t->t_control, control, __ATOMIC_RELEASE);
}

bool
xh_ring_init(struct xh_ring *r, const struct dma_mem *m)
{
	if (m->bytes < XH_RING_MIN * TRB_BYTES || !xh_mem_fits(m, m->bytes, 64, RING_WITHIN))
		return false;
	r->r_trb = m->va;
	r->r_pa = m->pa;
	r->r_trbs = (uint32_t)(m->bytes / TRB_BYTES) - 1;
	r->r_enqueue = r->r_dequeue = 0;
	r->r_cycle = XHCI_TRB_CYCLE;
	memset(r->r_trb, 0, (r->r_trbs + 1) * TRB_BYTES);
	r->r_trb[r->r_trbs].t_param = r->r_pa;
	return true;
}

static uint32_t
ring_used(const struct xh_ring *r)
{
	return (r->r_enqueue + r->r_trbs - r->r_dequeue) % r->r_trbs;
}

uint32_t
xh_ring_room(const struct xh_ring *r)
{
	return r->r_trbs - 1 - ring_used(r);	/* R1 */
}

/* The link takes the chain bit of the TRB before it: it lies inside of what that began. */
static void
ring_wrap(struct xh_ring *r, uint32_t before)
{
	hand_over(&r->r_trb[r->r_trbs], XHCI_TRB_TYPE(XHCI_LINK) | XHCI_TRB_TOGGLE |
	    (before & XHCI_TRB_CHAIN) | r->r_cycle);
	r->r_enqueue = 0;
	r->r_cycle ^= XHCI_TRB_CYCLE;
}

bool
xh_ring_put(struct xh_ring *r, const struct xhci_trb *t, uint32_t n, uint64_t *pa)
{
	struct xhci_trb *first = &r->r_trb[r->r_enqueue];
	uint32_t first_cycle = r->r_cycle;

	if (n == 0 || n > xh_ring_room(r))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct xhci_trb *to = &r->r_trb[r->r_enqueue];

		to->t_param = t[i].t_param;
		to->t_status = t[i].t_status;
		if (i > 0)
			hand_over(to, (t[i].t_control & ~XHCI_TRB_CYCLE) | r->r_cycle);
		pa[i] = r->r_pa + r->r_enqueue * TRB_BYTES;
		if (++r->r_enqueue == r->r_trbs)
			ring_wrap(r, t[i].t_control);
	}
	hand_over(first, (t[0].t_control & ~XHCI_TRB_CYCLE) | first_cycle);	/* R2 */
	return true;
}

bool
xh_ring_holds(const struct xh_ring *r, uint64_t pa)
{
	uint64_t at = pa - r->r_pa;

	if (pa < r->r_pa || at % TRB_BYTES != 0 || at / TRB_BYTES >= r->r_trbs)
		return false;
	return (at / TRB_BYTES + r->r_trbs - r->r_dequeue) % r->r_trbs < ring_used(r);
}

bool
xh_ring_done(struct xh_ring *r, uint64_t pa)
{
	if (!xh_ring_holds(r, pa))
		return false;
	r->r_dequeue = (uint32_t)((pa - r->r_pa) / TRB_BYTES + 1) % r->r_trbs;
	return true;
}

uint64_t
xh_ring_drop(struct xh_ring *r)
{
	r->r_dequeue = r->r_enqueue;
	return (r->r_pa + r->r_enqueue * TRB_BYTES) | r->r_cycle;
}

bool
xh_events_init(struct xh_events *ev, const struct dma_mem *segment, uint32_t n,
    const struct dma_mem *table)
{
	struct xhci_segment *entry = table->va;

	if (n == 0 || n > XH_SEGMENTS || !xh_mem_fits(table, n * sizeof(*entry), 64, RING_WITHIN))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct dma_mem *m = &segment[i];

		if (m->bytes < XH_SEGMENT_TRBS_MIN * TRB_BYTES ||
		    m->bytes > XH_SEGMENT_TRBS_MAX * TRB_BYTES ||
		    !xh_mem_fits(m, m->bytes, 64, RING_WITHIN))
			return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		ev->ev_segment[i] = segment[i];
		memset(segment[i].va, 0, segment[i].bytes);
		entry[i] = (struct xhci_segment){ .s_pa = segment[i].pa,
		    .s_trbs = (uint32_t)(segment[i].bytes / TRB_BYTES) };
	}
	ev->ev_segments = n;
	ev->ev_at = ev->ev_index = 0;
	ev->ev_cycle = XHCI_TRB_CYCLE;
	return true;
}

bool
xh_events_take(struct xh_events *ev, struct xhci_trb *t)
{
	const struct dma_mem *m = &ev->ev_segment[ev->ev_at];
	const struct xhci_trb *from = (const struct xhci_trb *)m->va + ev->ev_index;
	uint32_t control = __atomic_load_n(&from->t_control, __ATOMIC_ACQUIRE);

	if ((control & XHCI_TRB_CYCLE) != ev->ev_cycle)
		return false;
	t->t_param = from->t_param;		/* R3 */
	t->t_status = from->t_status;
	t->t_control = control;
	if (++ev->ev_index == m->bytes / TRB_BYTES) {
		ev->ev_index = 0;
		if (++ev->ev_at == ev->ev_segments) {
			ev->ev_at = 0;
			ev->ev_cycle ^= XHCI_TRB_CYCLE;
		}
	}
	return true;
}

uint64_t
xh_events_dequeue(const struct xh_events *ev)
{
	uint64_t pa = ev->ev_segment[ev->ev_at].pa + ev->ev_index * TRB_BYTES;

	return pa | XHCI_ERDP_BUSY | ev->ev_at;
}
