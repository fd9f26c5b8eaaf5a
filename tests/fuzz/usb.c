/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb - descriptors of any device, a controller's registers, and a port's machine with any events.
 *
 * The first piece is a configuration, or registers; it is also what the device sends when it
 * is asked.  The rest are events of 8 bytes: kind, code, slot, endpoint, and a
 * number.  Half of the kinds name the slot and TRB that are under way, without
 * which no machine would come far.
 */
#include "fake.h"

#include "../../sys/core/usb/caps.c"
#include "../../sys/core/usb/ring.c"
#include "../../sys/core/usb/ctx.c"
#include "../../sys/core/usb/desc.c"
#include "../../sys/core/usb/enum.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static _Alignas(4096) struct {
	_Alignas(4096) uint8_t input[33 * 64], device[32 * 64];
	_Alignas(64) struct xhci_trb control[8], keys[8];
	_Alignas(64) uint8_t buffer[256];
} ram;
#define MEM(what)	((struct dma_mem){ &ram.what, 0x100000 + offsetof(__typeof__(ram), what), \
	sizeof ram.what })

static void
descriptors(const uint8_t *d, size_t n)
{
	struct usb_keyboard uk;
	struct usb_device ud;

	fake_read(d, rt_min(n, usb_config_bytes(d, n)));
	for (uint8_t speed = 0; speed <= XHCI_SPEED_MAX; speed++)
		ASSERT(usb_packet0(d, n, speed) <= 512);
	(void)usb_read_device(d, n, &ud);
	(void)usb_first_class(d, n);
	if (usb_find_keyboard(d, n, &uk) == USB_OK)
		ASSERT(uk.uk_config != 0 && uk.uk_endpoint - 1u < 15 && uk.uk_packet - 1u < 1024);
}

static uint32_t
reg_read(void *arg, uint32_t offset)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)arg + offset, sizeof v);
	return v;
}

static void
registers(const uint8_t *d, size_t n)
{
	const struct xh_regs rg = { reg_read, (void *)(uintptr_t)d, (uint32_t)n & ~3u };
	struct xh_caps xc;

	if (!xh_caps_read(&rg, &xc))
		return;
	ASSERT(xc.xc_slots != 0 && xc.xc_ports != 0 && xc.xc_doorbell + 4 * xc.xc_slots + 4u <= n);
	ASSERT(xc.xc_op + XHCI_PORTSC1 + xc.xc_ports * 16u <= n && xc.xc_run + 0x40 <= n);
	ASSERT(xc.xc_legacy % 4 == 0 && xc.xc_legacy + 8 <= n && xc.xc_usb[0] == 0);
	for (uint32_t port = xc.xc_ports + 1u; port <= XH_PORTS_MAX; port++)
		ASSERT(xc.xc_usb[port] == 0);
}

/* What holds between events: enum.c's E1 to E3. */
static void
check_port(const struct xh_port *xp)
{
	enum xh_state s = xp->xp_state;
	bool rests = s == XH_EMPTY || s == XH_REFUSED;

	if (rests)
		ASSERT(xp->xp_slot == 0 && xp->xp_command == 0 && !xp->xp_timer);
	else if (s == XH_RUNNING)
		ASSERT(xp->xp_timer == (xp->xp_command != 0 || xp->xp_control.p_busy));
	else
		ASSERT(xp->xp_timer == (s != XH_DEAD));
	if (s > XH_ADDRESS && s < XH_LEAVING)
		ASSERT(xp->xp_slot != 0);
	if (s == XH_RUNNING && xp->xp_command == 0)
		ASSERT(xp->xp_keys.p_busy || xp->xp_unhalt);
}

static void
check_actions(const struct xh_port *xp, const struct xh_actions *out, uint8_t command_before,
    bool ready)
{
	for (uint32_t i = 0; i < out->n; i++) {
		const struct xh_action *a = &out->a[i];

		if (a->a_kind == XH_COMMAND) {
			ASSERT(command_before == 0 && xhci_trb_type(&a->a_trb) == xp->xp_command);
			command_before = xp->xp_command;
		}
		if (a->a_kind == XH_DOORBELL)
			ASSERT(a->a_slot == xp->xp_slot && a->a_slot != 0 && a->a_dci != 0);
		if (a->a_kind == XH_PORTSC)
			ASSERT((a->a_value & XHCI_PORT_PED) == 0);
		if (a->a_kind == XH_REPORT)
			ASSERT(a->a_value <= XH_REPORT_BYTES);
		if (a->a_kind == XH_READY)
			ready = true;
		if (a->a_kind == XH_GONE) {
			ASSERT(ready);
			ready = false;
		}
	}
	ASSERT(ready == (xp->xp_state == XH_RUNNING));
}

/* An event from 8 bytes. */
static struct xh_event
event(const struct xh_port *xp, const uint8_t *b)
{
	uint32_t value;
	struct xh_event e = { .e_kind = b[0] & 3, .e_code = b[1], .e_slot = b[2], .e_dci = b[3] };

	memcpy(&value, b + 4, sizeof value);
	e.e_portsc = value;
	e.e_residual = value & 0xffffff;
	e.e_trb = MEM(control).pa + value % (2 * sizeof ram.control);
	if ((b[0] & 4) == 0)
		return e;
	e.e_slot = xp->xp_command == XHCI_ENABLE_SLOT ? b[2] : xp->xp_slot;
	if ((b[0] & 8) != 0)
		e.e_code = XHCI_SUCCESS;
	e.e_dci = (b[0] & 16) != 0 ? xp->xp_keys.p_dci : 1;
	if (e.e_dci == 1)
		e.e_trb = xp->xp_stage[b[3] % 4 % 3 == 0 && xp->xp_stages > 0 ?
		    xp->xp_stages - 1 : 0];
	else
		e.e_trb = xp->xp_keys.p_ring.r_pa +
		    xp->xp_keys.p_ring.r_dequeue * sizeof ram.keys[0];
	return e;
}

/* The device's answer: right for what is asked, when the input is. */
static void
fill(const struct xh_port *xp, const uint8_t *config, size_t n)
{
	static const uint8_t device[18] = { 18, 1, 0, 2, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 0, 0, 0, 1 };

	if (xp->xp_state == XH_DEVICE8 || xp->xp_state == XH_DEVICE)
		memcpy(ram.buffer + 16, device, sizeof device);
	else
		memcpy(ram.buffer + 16, config, rt_min(n, sizeof ram.buffer - 16));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct xh_port_memory pm = { MEM(control), MEM(keys), MEM(input), MEM(device),
	    MEM(buffer) };
	const uint8_t *config;
	struct xh_actions out;
	struct xh_port xp;
	size_t n;

	fake_begin(data, 0);
	config = fake_piece(&data, &len, &n);
	descriptors(config, n);
	registers(config, n);
	ASSERT(xh_port_init(&xp, &pm, n % 2 == 0 ? 32 : 64, 1, n % 4 < 2));
	for (; len >= 8; data += 8, len -= 8) {
		struct xh_event e = event(&xp, data);
		uint8_t before = e.e_kind == XH_EV_COMMAND ? 0 : xp.xp_command;
		bool ready = xp.xp_state == XH_RUNNING;

		if ((data[0] & 0xe0) == 0xe0) {
			before = xp.xp_command;
			xh_port_leds(&xp, data[1], &out);
		} else {
			fill(&xp, config, n);
			xh_port_event(&xp, &e, &out);
		}
		check_port(&xp);
		check_actions(&xp, &out, before, ready);
	}
	fake_done();
	return 0;
}
