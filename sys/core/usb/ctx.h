/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx - contexts: what the controller is told about a device (xHCI 1.2, 6.2).
 *
 * An input context is an input control context, a slot context and endpoint
 * contexts, `stride` bytes apart: 64 with XHCI_HCC_CSZ, else 32.  A device
 * context is the same without the first.  Endpoints are named by their DCI:
 * 1 is endpoint 0, an IN endpoint n is 2n + 1.
 */
#pragma once
#include <core/usb/xhci.h>

#define XH_CONTROL_DCI	1u
#define XH_CONTEXTS	32u		/* of a device: the slot and 31 endpoints */
static inline size_t xh_device_bytes(uint32_t stride) { return XH_CONTEXTS * stride; }
static inline size_t xh_input_bytes(uint32_t stride) { return (XH_CONTEXTS + 1) * stride; }

/* A device on a root port. */
struct xh_place {
	uint8_t		pl_port;	/* from 1 */
	uint8_t		pl_speed;	/* XHCI_FULL .. XHCI_SPEED_MAX */
};

/* An interrupt-IN endpoint. */
struct xh_endpoint {
	uint8_t		ep_dci;
	uint8_t		ep_interval;	/* xh_interval() */
	uint16_t	ep_packet;	/* bytes */
	uint64_t	ep_ring;	/* where its ring begins, cycle state in bit 0 */
};

/*
 * Fill an input context (xh_input_bytes(stride), aligned to 4), for
 * Address Device: the slot and endpoint 0;
 * Evaluate Context: only endpoint 0's packet size;
 * Configure Endpoint: one endpoint is added.
 */
void	xh_ctx_address(void *input, uint32_t stride, const struct xh_place *pl, uint16_t packet,
	    uint64_t ring);
void	xh_ctx_evaluate(void *input, uint32_t stride, uint16_t packet);
void	xh_ctx_configure(void *input, uint32_t stride, const struct xh_place *pl,
	    const struct xh_endpoint *ep);

/*
 * bInterval of an interrupt endpoint as the controller wants it: 2^n times 125
 * us (6.2.3.6).  Low and full speed count in ms, others are exponents already.
 */
uint8_t	xh_interval(uint8_t speed, uint8_t interval);
