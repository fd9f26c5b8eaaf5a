/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps - what a controller says about itself (xHCI 1.2, 5.3 and 7).
 */
#pragma once
#include <core/usb/xhci.h>

#define XH_PORTS_MAX	255u

/* Registers in the BAR: aligned words of 32 bits. */
struct xh_regs {
	uint32_t	(*rg_read)(void *arg, uint32_t offset);
	void		*rg_arg;
	uint32_t	rg_bytes;
};

struct xh_caps {
	uint32_t	xc_op, xc_run, xc_doorbell;	/* offsets: operational, runtime, doorbells */
	uint32_t	xc_legacy;		/* offset: by which firmware hands it over; 0: none */
	uint32_t	xc_scratchpads;		/* pages that it wants for itself */
	uint32_t	xc_stride;		/* bytes of a context */
	uint8_t		xc_slots;		/* at least 1 */
	uint8_t		xc_ports;		/* likewise */
	bool		xc_64;			/* it knows addresses above 4 GiB */
	uint8_t		xc_usb[XH_PORTS_MAX + 1];	/* by port, from 1: 2 or 3; 0: nobody claims it */
};

/* False: not a controller, or one whose registers are not all there. */
bool	xh_caps_read(const struct xh_regs *rg, struct xh_caps *out);
