/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps - all that a driver will touch lies inside of what is mapped, or it is not begun with.
 *
 * Extended capabilities are a list in the device's hands: each step goes
 * forward, so the walk ends.  What one of them says beyond the ports or the
 * registers that there are is cut off.
 */
#include <core/rt/rt.h>
#include <core/usb/caps.h>

enum { CAPS_BYTES = 0x20, RUN_BYTES = 0x40, LEGACY_BYTES = 8, PROTOCOL_BYTES = 12 };

static bool
has(const struct xh_regs *rg, uint32_t offset, uint32_t bytes)
{
	return offset % 4 == 0 && offset <= rg->rg_bytes && bytes <= rg->rg_bytes - offset;
}

static uint32_t
word(const struct xh_regs *rg, uint32_t offset)
{
	return rg->rg_read(rg->rg_arg, offset);
}

static void
claim_ports(uint32_t dword0, uint32_t dword2, struct xh_caps *xc)
{
	uint32_t major = XHCI_PROTOCOL_MAJOR(dword0), first = XHCI_PROTOCOL_FIRST(dword2);
	uint32_t end = (uint32_t)rt_min(first + XHCI_PROTOCOL_COUNT(dword2), xc->xc_ports + 1u);

	if (first == 0 || (major != 2 && major != 3))
		return;
	for (uint32_t port = first; port < end; port++)
		xc->xc_usb[port] = (uint8_t)major;
}

static void
read_extended(const struct xh_regs *rg, uint32_t at, struct xh_caps *xc)
{
	uint32_t next = at >> 16;

	for (at = 0; next != 0; ) {
		uint32_t dword0;

		at += next * 4;
		if (!has(rg, at, 4))
			return;
		dword0 = word(rg, at);
		if ((dword0 & 255) == XHCI_EXT_LEGACY && has(rg, at, LEGACY_BYTES))
			xc->xc_legacy = at;
		if ((dword0 & 255) == XHCI_EXT_PROTOCOL && has(rg, at, PROTOCOL_BYTES))
			claim_ports(dword0, word(rg, at + 8), xc);
		next = dword0 >> 8 & 255;
	}
}

bool
xh_caps_read(const struct xh_regs *rg, struct xh_caps *out)
{
	uint32_t s1, s2, hcc;

	memset(out, 0, sizeof(*out));
	if (!has(rg, 0, CAPS_BYTES))
		return false;
	s1 = word(rg, XHCI_HCSPARAMS1);
	s2 = word(rg, XHCI_HCSPARAMS2);
	hcc = word(rg, XHCI_HCCPARAMS1);
	out->xc_op = word(rg, XHCI_CAPLENGTH) & 255;
	out->xc_run = word(rg, XHCI_RTSOFF) & ~31u;
	out->xc_doorbell = word(rg, XHCI_DBOFF) & ~3u;
	out->xc_slots = s1 & 255;
	out->xc_ports = (uint8_t)(s1 >> 24);
	out->xc_scratchpads = (s2 >> 21 & 31) << 5 | s2 >> 27;
	out->xc_stride = (hcc & XHCI_HCC_CSZ) != 0 ? 64 : 32;
	out->xc_64 = (hcc & XHCI_HCC_AC64) != 0;
	if (s1 == UINT32_MAX || out->xc_slots == 0 || out->xc_ports == 0 || out->xc_op < CAPS_BYTES ||
	    !has(rg, out->xc_op, XHCI_PORTSC1 + out->xc_ports * XHCI_PORT_BYTES) ||
	    !has(rg, out->xc_run, RUN_BYTES) ||
	    !has(rg, out->xc_doorbell, (out->xc_slots + 1u) * 4))
		return false;
	read_extended(rg, hcc, out);
	return true;
}
