/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx - contexts are filled from nothing each time.
 *
 * Everything that a slot context holds is known from the port, since there
 * are no hubs: so an input context is never a copy of what the controller
 * wrote, and bits of an earlier command cannot stay behind in it.
 */
#include <core/rt/rt.h>
#include <core/usb/ctx.h>

#define ADD_SLOT	(1u << 0)
#define EP_ERRORS	(3u << 1)	/* CErr: tries before an error is reported */
#define EP_TYPE(t)	((uint32_t)(t) << 3)
#define EP_PACKET(n)	((uint32_t)(n) << 16)
enum { EP_CONTROL = 4, EP_INTERRUPT_IN = 7 };
enum { CONTROL_AVERAGE = 8 };	/* bytes of an average TRB there (4.14.1.1) */

static void
put(void *input, uint32_t stride, uint32_t context, uint32_t word, uint32_t value)
{
	((uint32_t *)input)[context * (stride / 4) + word] = value;
}

static void
begin_input(void *input, uint32_t stride, uint32_t add)
{
	ASSERT(stride == 32 || stride == 64);
	memset(input, 0, xh_input_bytes(stride));
	put(input, stride, 0, 1, add);
}

static void
put_slot(void *input, uint32_t stride, const struct xh_place *pl, uint32_t last_dci)
{
	ASSERT(pl->pl_port != 0);
	put(input, stride, 1, 0, (uint32_t)pl->pl_speed << 20 | last_dci << 27);
	put(input, stride, 1, 1, (uint32_t)pl->pl_port << 16);
}

static void
put_ring(void *input, uint32_t stride, uint32_t context, uint64_t ring)
{
	put(input, stride, context, 2, (uint32_t)ring);
	put(input, stride, context, 3, (uint32_t)(ring >> 32));
}

static void
put_control(void *input, uint32_t stride, uint16_t packet)
{
	put(input, stride, 1 + XH_CONTROL_DCI, 1,
	    EP_ERRORS | EP_TYPE(EP_CONTROL) | EP_PACKET(packet));
	put(input, stride, 1 + XH_CONTROL_DCI, 4, CONTROL_AVERAGE);
}

void
xh_ctx_address(void *input, uint32_t stride, const struct xh_place *pl, uint16_t packet,
    uint64_t ring)
{
	begin_input(input, stride, ADD_SLOT | 1u << XH_CONTROL_DCI);
	put_slot(input, stride, pl, XH_CONTROL_DCI);
	put_control(input, stride, packet);
	put_ring(input, stride, 1 + XH_CONTROL_DCI, ring);
}

void
xh_ctx_evaluate(void *input, uint32_t stride, uint16_t packet)
{
	begin_input(input, stride, 1u << XH_CONTROL_DCI);
	put_control(input, stride, packet);
}

void
xh_ctx_configure(void *input, uint32_t stride, const struct xh_place *pl,
    const struct xh_endpoint *ep)
{
	uint32_t context = 1u + ep->ep_dci;

	ASSERT(ep->ep_dci > XH_CONTROL_DCI && ep->ep_dci < XH_CONTEXTS);
	begin_input(input, stride, ADD_SLOT | 1u << ep->ep_dci);
	put_slot(input, stride, pl, ep->ep_dci);
	put(input, stride, context, 0, (uint32_t)ep->ep_interval << 16);
	put(input, stride, context, 1,
	    EP_ERRORS | EP_TYPE(EP_INTERRUPT_IN) | EP_PACKET(ep->ep_packet));
	put_ring(input, stride, context, ep->ep_ring);
	/* Bytes per interval, and those of an average TRB: one packet. */
	put(input, stride, context, 4, (uint32_t)ep->ep_packet << 16 | ep->ep_packet);
}

uint8_t
xh_interval(uint8_t speed, uint8_t interval)
{
	uint32_t n = (uint32_t)rt_max(interval, 1);

	if (speed == XHCI_LOW || speed == XHCI_FULL)
		return (uint8_t)(3 + 31 - __builtin_clz(n));	/* 1 ms is 2^3; rounded down */
	return (uint8_t)(rt_min(n, 16) - 1);
}
