/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enum - one device, one thing under way at a time.
 *
 * An event changes what is known; then port_go() starts what the state asks
 * for, if nothing stands in its way: first a command that is under way, then
 * leaving, then endpoints that have to be mended, then the request of the
 * state.  So an error needs no path of its own back to where it happened: the
 * endpoint is mended and the state asks for the same thing again.
 *
 * What the states wait for
 *   DEBOUNCE, SETTLE, ADDRESSED      time
 *   RESET                            the port's register
 *   ENABLE, ADDRESS, EVALUATE, CONFIGURE, LEAVING    a command
 *   the other ones up to SET_IDLE    a request on endpoint 0
 *   RUNNING                          keys; lights and mending in between
 *   EMPTY, REFUSED                   another device
 *   DEAD                             nothing
 *
 * Errors are bounded twice.  A transfer is repeated ERRORS_MAX times; then, as
 * for all else that fails, the slot is given back and the port begins anew,
 * ATTEMPTS_MAX times, then it is given up.  Only a keyboard that sends a report
 * or is plugged anew gets all attempts again.
 *
 * Invariants
 *   E1  at most one command is under way, and no slot is given up before it
 *       is complete: it may be the one that brings or uses the slot.
 *   E2  a slot that was got is disabled before the port is EMPTY or REFUSED.
 *   E3  the timer runs when something is under way, in all states but EMPTY,
 *       REFUSED, DEAD, and RUNNING with endpoint 0 idle: no wait is for ever.
 *   E4  an event counts only if it is about what is under way: the TRBs on
 *       our rings, our slot, a command that we wait for.  All others are
 *       late, or of a controller that errs, and are dropped.
 *
 * Locking: none, the caller's.
 * Not here: hubs, alternate settings, report descriptors, Stop Endpoint (a
 * device that is silent loses its slot instead).
 */
#include <core/rt/rt.h>
#include <core/usb/enum.h>

enum {
	DEBOUNCE_MS = 100,	/* USB 2.0, 7.1.7.3 */
	RESET_MS = 800,
	SETTLE_MS = 10,		/* USB 2.0, 7.1.7.5 */
	ADDRESSED_MS = 2,	/* USB 2.0, 9.2.6.3 */
	COMMAND_MS = 5000,
	CONTROL_MS = 5000,	/* USB 2.0, 9.2.6.1 */
};
enum { ERRORS_MAX = 3, ATTEMPTS_MAX = 3 };

/* The buffer: a report, then the lights, then descriptors. */
enum { REPORT_AT = 0, LEDS_AT = 8, DESC_AT = 16 };

/* Requests (USB 2.0, 9.4; HID 1.11, 7.2), as t_param of a setup stage. */
enum {
	CLEAR_FEATURE = 1, GET_DESCRIPTOR = 6, SET_CONFIGURATION = 9,
	HID_SET_REPORT = 9, HID_SET_IDLE = 10, HID_SET_PROTOCOL = 11,
};
enum { TO_DEVICE = 0x00, TO_ENDPOINT = 0x02, TO_HID = 0x21, FROM_DEVICE = 0x80 };
#define OUTPUT_REPORT	0x200u		/* type 2, id 0 */

struct request {
	uint8_t		type, request;
	uint16_t	value, index, length;
};

static struct xh_action *
act(struct xh_actions *out, enum xh_action_kind kind)
{
	struct xh_action *a = &out->a[out->n++];

	ASSERT(out->n <= XH_ACTIONS);
	memset(a, 0, sizeof(*a));
	a->a_kind = kind;
	return a;
}

static void
timer(struct xh_port *xp, uint32_t ms, struct xh_actions *out)
{
	if (ms == 0 && !xp->xp_timer)
		return;
	xp->xp_timer = ms != 0;
	act(out, XH_TIMER)->a_value = ms;
}

static void
wait_in(struct xh_port *xp, enum xh_state state, uint32_t ms, struct xh_actions *out)
{
	xp->xp_state = state;
	timer(xp, ms, out);
}

static uint8_t *
buffer(const struct xh_port *xp, uint32_t at)
{
	return (uint8_t *)xp->xp_mem.pm_buffer.va + at;
}

/* ------------------------------------------------------------- leaving -- */

/* The device is gone or does not work: `next` comes when its slot is given back. */
static void
leave(struct xh_port *xp, enum xh_state next, struct xh_actions *out)
{
	if (xp->xp_state == XH_RUNNING)
		act(out, XH_GONE);
	xp->xp_state = XH_LEAVING;
	xp->xp_next = next;
}

static void
try_again(struct xh_port *xp, enum xh_why why, struct xh_actions *out)
{
	xp->xp_why = why;
	leave(xp, ++xp->xp_attempts < ATTEMPTS_MAX ? XH_DEBOUNCE : XH_REFUSED, out);
}

static void
refuse(struct xh_port *xp, enum xh_why why, struct xh_actions *out)
{
	xp->xp_why = why;
	leave(xp, XH_REFUSED, out);
}

static void
left(struct xh_port *xp, struct xh_actions *out)
{
	wait_in(xp, xp->xp_next, xp->xp_next == XH_DEBOUNCE ? DEBOUNCE_MS : 0, out);
	if (xp->xp_state == XH_REFUSED)
		act(out, XH_GIVE_UP)->a_why = xp->xp_why;
}

/* ------------------------------------------------------------- starting -- */

static void
command(struct xh_port *xp, uint8_t type, uint64_t param, uint8_t dci, struct xh_actions *out)
{
	struct xh_action *a = act(out, XH_COMMAND);

	ASSERT(xp->xp_command == 0);	/* E1 */
	a->a_trb.t_param = param;
	a->a_trb.t_control = XHCI_TRB_TYPE(type) | XHCI_TRB_EP(dci) | XHCI_TRB_SLOT(xp->xp_slot);
	xp->xp_command = type;
	timer(xp, COMMAND_MS, out);
}

/* Rings and contexts anew, for the slot that was just got. */
static void
address(struct xh_port *xp, struct xh_actions *out)
{
	const struct xh_port_memory *pm = &xp->xp_mem;
	struct xh_action *a = act(out, XH_DCBAA);
	bool ok;

	xp->xp_control = (struct xh_pipe){ .p_dci = XH_CONTROL_DCI };
	xp->xp_keys = (struct xh_pipe){ 0 };
	ok = xh_ring_init(&xp->xp_control.p_ring, &pm->pm_control) &&
	    xh_ring_init(&xp->xp_keys.p_ring, &pm->pm_keys);
	ASSERT(ok);
	memset(pm->pm_device.va, 0, xh_device_bytes(xp->xp_stride));
	xp->xp_leds_sent = 0;
	xp->xp_unhalt = false;
	a->a_slot = xp->xp_slot;
	a->a_value = pm->pm_device.pa;
	xh_ctx_address(pm->pm_input.va, xp->xp_stride, &xp->xp_place, xp->xp_packet0,
	    xh_ring_drop(&xp->xp_control.p_ring));
	command(xp, XHCI_ADDRESS_DEVICE, pm->pm_input.pa, 0, out);
}

/* Before the device is configured: the controller may have no bandwidth left (4.3.5). */
static void
configure(struct xh_port *xp, struct xh_actions *out)
{
	const struct usb_keyboard *uk = &xp->xp_keyboard;
	struct xh_endpoint ep = {
		.ep_dci = (uint8_t)(uk->uk_endpoint * 2 + 1), .ep_packet = uk->uk_packet,
		.ep_interval = xh_interval(xp->xp_place.pl_speed, uk->uk_interval),
		.ep_ring = xh_ring_drop(&xp->xp_keys.p_ring),
	};

	xp->xp_keys.p_dci = ep.ep_dci;
	xh_ctx_configure(xp->xp_mem.pm_input.va, xp->xp_stride, &xp->xp_place, &ep);
	command(xp, XHCI_CONFIGURE_EP, xp->xp_mem.pm_input.pa, 0, out);
}

static void
evaluate(struct xh_port *xp, struct xh_actions *out)
{
	xh_ctx_evaluate(xp->xp_mem.pm_input.va, xp->xp_stride, xp->xp_packet0);
	command(xp, XHCI_EVALUATE, xp->xp_mem.pm_input.pa, 0, out);
}

/* What the state wants of endpoint 0.  False: nothing. */
static bool
wanted(const struct xh_port *xp, struct request *r)
{
	const struct usb_keyboard *uk = &xp->xp_keyboard;

	*r = (struct request){ .type = FROM_DEVICE, .request = GET_DESCRIPTOR };
	switch (xp->xp_state) {
	case XH_DEVICE8:
	case XH_DEVICE:
		r->value = USB_DEVICE << 8;
		r->length = xp->xp_state == XH_DEVICE8 ? 8 : USB_DEVICE_BYTES;
		return true;
	case XH_CONFIG9:
	case XH_CONFIG:
		r->value = USB_CONFIG << 8;
		r->length = xp->xp_state == XH_CONFIG9 ? USB_CONFIG_BYTES : xp->xp_config_bytes;
		return true;
	case XH_SET_CONFIG:
		*r = (struct request){ TO_DEVICE, SET_CONFIGURATION, uk->uk_config, 0, 0 };
		return true;
	case XH_SET_PROTOCOL:
		*r = (struct request){ TO_HID, HID_SET_PROTOCOL, 0, uk->uk_interface, 0 };
		return true;
	case XH_SET_IDLE:
		*r = (struct request){ TO_HID, HID_SET_IDLE, 0, uk->uk_interface, 0 };
		return true;
	case XH_RUNNING:
		if (xp->xp_unhalt)
			*r = (struct request){ TO_ENDPOINT, CLEAR_FEATURE, 0,
			    0x80 | uk->uk_endpoint, 0 };
		else
			*r = (struct request){ TO_HID, HID_SET_REPORT, OUTPUT_REPORT,
			    uk->uk_interface, 1 };
		return xp->xp_unhalt || xp->xp_leds != xp->xp_leds_sent;
	default:
		return false;
	}
}

static void
start(struct xh_port *xp, struct xh_pipe *p, const struct xhci_trb *t, uint32_t n, uint64_t *pa,
    struct xh_actions *out)
{
	struct xh_action *a = act(out, XH_DOORBELL);
	bool ok = xh_ring_put(&p->p_ring, t, n, pa);

	ASSERT(ok);		/* nothing else is on this ring */
	p->p_busy = true;
	a->a_slot = xp->xp_slot;
	a->a_dci = p->p_dci;
}

/* A control transfer: setup, perhaps data, status in the other direction (xHCI 4.11.2.2). */
static void
control(struct xh_port *xp, const struct request *r, struct xh_actions *out)
{
	bool in = (r->type & FROM_DEVICE) != 0;
	uint32_t n = 0, at = in ? DESC_AT : LEDS_AT, direction = in ? XHCI_TRB_IN : 0;
	struct xhci_trb t[3] = { 0 };

	if (!in && r->length > 0) {		/* only the lights */
		*buffer(xp, LEDS_AT) = xp->xp_leds;
		xp->xp_leds_asked = xp->xp_leds;
	}
	t[n].t_param = r->type | r->request << 8 | (uint64_t)r->value << 16 |
	    (uint64_t)r->index << 32 | (uint64_t)r->length << 48;
	t[n].t_status = 8;
	t[n].t_control = XHCI_TRB_TYPE(XHCI_SETUP) | XHCI_TRB_IDT;
	if (r->length > 0)
		t[n].t_control |= XHCI_TRB_STAGE(in ? 3 : 2);
	n++;
	if (r->length > 0) {
		t[n].t_param = xp->xp_mem.pm_buffer.pa + at;
		t[n].t_status = r->length;
		t[n++].t_control = XHCI_TRB_TYPE(XHCI_DATA) | direction | XHCI_TRB_ISP;
	}
	t[n++].t_control = XHCI_TRB_TYPE(XHCI_STATUS) | XHCI_TRB_IOC | (direction ^ XHCI_TRB_IN);
	xp->xp_request = r->request;
	xp->xp_bytes = r->length;
	xp->xp_residual = 0;
	xp->xp_stages = n;
	start(xp, &xp->xp_control, t, n, xp->xp_stage, out);
	timer(xp, CONTROL_MS, out);
}

static void
ask_keys(struct xh_port *xp, struct xh_actions *out)
{
	struct xhci_trb t = {
		.t_param = xp->xp_mem.pm_buffer.pa + REPORT_AT, .t_status = XH_REPORT_BYTES,
		.t_control = XHCI_TRB_TYPE(XHCI_NORMAL) | XHCI_TRB_IOC | XHCI_TRB_ISP,
	};
	uint64_t pa;

	start(xp, &xp->xp_keys, &t, 1, &pa, out);
}

/* Endpoint 0 first: the other one needs it.  True: a command was issued for it. */
static bool
mend(struct xh_port *xp, struct xh_actions *out)
{
	struct xh_pipe *p = xp->xp_control.p_halted ? &xp->xp_control : &xp->xp_keys;

	if (!p->p_halted)
		return false;
	xp->xp_mending = p;
	command(xp, XHCI_RESET_EP, 0, p->p_dci, out);
	return true;
}

/* What runs on endpoints. */
static void
go_transfers(struct xh_port *xp, struct xh_actions *out)
{
	struct request r;

	if (!xp->xp_control.p_busy && wanted(xp, &r))
		control(xp, &r, out);
	if (xp->xp_state != XH_RUNNING)
		return;
	if (!xp->xp_keys.p_busy && !xp->xp_unhalt)
		ask_keys(xp, out);
	if (!xp->xp_control.p_busy)
		timer(xp, 0, out);
}

static void
port_go(struct xh_port *xp, struct xh_actions *out)
{
	if (xp->xp_command != 0)
		return;
	switch (xp->xp_state) {
	case XH_LEAVING:
		if (xp->xp_slot != 0)
			command(xp, XHCI_DISABLE_SLOT, 0, 0, out);	/* E2 */
		else
			left(xp, out);
		return;
	case XH_ENABLE:
		command(xp, XHCI_ENABLE_SLOT, 0, 0, out);
		return;
	case XH_ADDRESS:
		address(xp, out);
		return;
	case XH_EVALUATE:
		evaluate(xp, out);
		return;
	case XH_CONFIGURE:
		configure(xp, out);
		return;
	default:
		if (xp->xp_state >= XH_DEVICE8 && xp->xp_state <= XH_RUNNING && !mend(xp, out))
			go_transfers(xp, out);
	}
}

/* ------------------------------------------------------------- the port -- */

/* USB 3: a reset of the link too, for one that does not come up by itself. */
static void
reset(struct xh_port *xp, uint32_t portsc, struct xh_actions *out)
{
	act(out, XH_PORTSC)->a_value = xhci_portsc_keep(portsc) |
	    (xp->xp_usb3 ? XHCI_PORT_WPR : XHCI_PORT_PR);
	wait_in(xp, XH_RESET, RESET_MS, out);
}

static void
enabled(struct xh_port *xp, uint32_t portsc, struct xh_actions *out)
{
	uint8_t speed = XHCI_PORT_SPEED(portsc);

	xp->xp_place.pl_speed = speed;
	if (speed == 0 || speed > XHCI_SPEED_MAX) {
		try_again(xp, XH_WHY_SPEED, out);
		return;
	}
	xp->xp_packet0 = 512;
	if (speed == XHCI_LOW || speed == XHCI_FULL)
		xp->xp_packet0 = 8;	/* full speed: until its descriptor says more */
	else if (speed == XHCI_HIGH)
		xp->xp_packet0 = 64;
	wait_in(xp, XH_SETTLE, SETTLE_MS, out);
}

static void
debounced(struct xh_port *xp, uint32_t portsc, struct xh_actions *out)
{
	if ((portsc & XHCI_PORT_CCS) == 0)
		leave(xp, XH_EMPTY, out);
	else if (xp->xp_usb3 && xp->xp_attempts == 0 &&
	    (portsc & (XHCI_PORT_PED | XHCI_PORT_PLS)) == XHCI_PORT_PED)
		enabled(xp, portsc, out);
	else
		reset(xp, portsc, out);
}

/* A device was plugged: whatever was there before is over. */
static void
plugged(struct xh_port *xp, struct xh_actions *out)
{
	xp->xp_attempts = 0;
	leave(xp, XH_DEBOUNCE, out);
}

static void
port_event(struct xh_port *xp, uint32_t portsc, struct xh_actions *out)
{
	bool enabled_now = (portsc & XHCI_PORT_PED) != 0;

	if ((portsc & XHCI_PORT_CHANGES) != 0)
		act(out, XH_PORTSC)->a_value = xhci_portsc_keep(portsc) |
		    (portsc & XHCI_PORT_CHANGES);
	if ((portsc & XHCI_PORT_CCS) == 0) {
		if (xp->xp_state != XH_EMPTY)
			leave(xp, XH_EMPTY, out);
	} else if (xp->xp_state == XH_RESET) {
		/* A contact that bounces in the reset counts as a failure, so that it ends. */
		if ((portsc & XHCI_PORT_CSC) != 0)
			try_again(xp, XH_WHY_PORT, out);
		else if ((portsc & (XHCI_PORT_PRC | XHCI_PORT_WRC)) == 0)
			return;
		else if (enabled_now)
			enabled(xp, portsc, out);
		else
			try_again(xp, XH_WHY_PORT, out);
	} else if ((portsc & XHCI_PORT_CSC) != 0 || xp->xp_state == XH_EMPTY) {
		plugged(xp, out);
	} else if ((portsc & XHCI_PORT_PEC) != 0 && !enabled_now &&
	    xp->xp_state > XH_RESET && xp->xp_state < XH_LEAVING) {
		try_again(xp, XH_WHY_PORT, out);
	} else if (xp->xp_state == XH_LEAVING && xp->xp_next == XH_EMPTY) {
		plugged(xp, out);
	}
}

static void
timeout(struct xh_port *xp, uint32_t portsc, struct xh_actions *out)
{
	xp->xp_timer = false;
	if (xp->xp_command != 0) {
		if (xp->xp_state == XH_RUNNING)
			act(out, XH_GONE);
		xp->xp_state = XH_DEAD;
		act(out, XH_GIVE_UP)->a_why = XH_WHY_CONTROLLER;
		return;
	}
	switch (xp->xp_state) {
	case XH_DEBOUNCE:
		debounced(xp, portsc, out);
		return;
	case XH_RESET:
		try_again(xp, XH_WHY_PORT, out);
		return;
	case XH_SETTLE:
		xp->xp_state = XH_ENABLE;
		return;
	case XH_ADDRESSED:
		xp->xp_state = XH_DEVICE8;
		return;
	default:
		if (xp->xp_state <= XH_RUNNING && xp->xp_control.p_busy)
			try_again(xp, XH_WHY_SILENT, out);
	}
}

/* ---------------------------------------------------------- completions -- */

/* A pipe is mended in two commands: the controller's state, then the place to go on. */
static void
mended(struct xh_port *xp, uint8_t type, struct xh_actions *out)
{
	struct xh_pipe *p = xp->xp_mending;

	if (type == XHCI_RESET_EP) {
		command(xp, XHCI_SET_DEQUEUE, xh_ring_drop(&p->p_ring), p->p_dci, out);
		return;
	}
	p->p_halted = p->p_busy = false;
	if (p == &xp->xp_keys)
		xp->xp_unhalt = true;	/* its data toggle began anew here, so it must there */
}

static void
command_event(struct xh_port *xp, const struct xh_event *e, struct xh_actions *out)
{
	uint8_t type = xp->xp_command;
	bool ok = e->e_code == XHCI_SUCCESS;

	if (type == 0 || (type != XHCI_ENABLE_SLOT && e->e_slot != xp->xp_slot))
		return;			/* E4 */
	xp->xp_command = 0;
	if (type == XHCI_ENABLE_SLOT && ok)
		xp->xp_slot = e->e_slot;
	if (type == XHCI_DISABLE_SLOT) {	/* what it cannot disable is no slot */
		struct xh_action *a = act(out, XH_DCBAA);

		a->a_slot = xp->xp_slot;
		xp->xp_slot = 0;
		return;
	}
	if (xp->xp_state == XH_LEAVING)
		return;
	if (!ok || xp->xp_slot == 0) {
		try_again(xp, XH_WHY_COMMAND, out);
		return;
	}
	if (type == XHCI_RESET_EP || type == XHCI_SET_DEQUEUE)
		mended(xp, type, out);
	else if (type == XHCI_ADDRESS_DEVICE)
		wait_in(xp, XH_ADDRESSED, ADDRESSED_MS, out);
	else
		xp->xp_state++;
}

static void
running(struct xh_port *xp, struct xh_actions *out)
{
	xp->xp_state = XH_RUNNING;
	act(out, XH_READY);
}

/* All descriptors are read at the same place; n bytes of one came. */
static void
descriptor(struct xh_port *xp, size_t n, struct xh_actions *out)
{
	const uint8_t *d = buffer(xp, DESC_AT);
	enum usb_result r = USB_OK;
	uint16_t packet;

	switch (xp->xp_state) {
	case XH_DEVICE8:
		packet = usb_packet0(d, n, xp->xp_place.pl_speed);
		if (packet == 0)
			r = USB_MALFORMED;
		else
			xp->xp_state = packet == xp->xp_packet0 ? XH_DEVICE : XH_EVALUATE;
		xp->xp_packet0 = packet;
		break;
	case XH_DEVICE:
		r = usb_read_device(d, n, &xp->xp_device);
		xp->xp_state = XH_CONFIG9;
		break;
	case XH_CONFIG9:
		xp->xp_config_bytes = usb_config_bytes(d, n);
		if (xp->xp_config_bytes == 0 ||
		    xp->xp_config_bytes > xp->xp_mem.pm_buffer.bytes - DESC_AT)
			r = USB_MALFORMED;
		xp->xp_state = XH_CONFIG;
		break;
	default:
		r = usb_find_keyboard(d, n, &xp->xp_keyboard);
		xp->xp_state = XH_CONFIGURE;
	}
	if (r == USB_MALFORMED)
		try_again(xp, XH_WHY_DESCRIPTOR, out);
	else if (r == USB_NOT_KEYBOARD) {
		if (xp->xp_device.ud_class == USB_PER_INTERFACE)
			xp->xp_device.ud_class = usb_first_class(d, n);
		refuse(xp, XH_WHY_NOT_KEYBOARD, out);
	}
}

static void
control_done(struct xh_port *xp, struct xh_actions *out)
{
	switch (xp->xp_state) {
	case XH_SET_CONFIG:
	case XH_SET_PROTOCOL:
		xp->xp_state++;
		break;
	case XH_SET_IDLE:
		running(xp, out);
		break;
	case XH_RUNNING:
		if (xp->xp_request == CLEAR_FEATURE)
			xp->xp_unhalt = false;
		else
			xp->xp_leds_sent = xp->xp_leds_asked;
		break;
	default:
		descriptor(xp, xp->xp_bytes - xp->xp_residual, out);
	}
}

/* These stop the endpoint until it is reset (4.8.3); others are not what a device can do. */
static void
pipe_error(struct xh_port *xp, struct xh_pipe *p, uint8_t code, struct xh_actions *out)
{
	bool halts = code == XHCI_STALL || code == XHCI_TRANSACTION || code == XHCI_BABBLE ||
	    code == XHCI_SPLIT;

	if (!halts || ++p->p_errors > ERRORS_MAX)
		try_again(xp, XH_WHY_TRANSFER, out);
	else
		p->p_halted = true;
}

/*
 * Keyboards that cannot be told when to repeat themselves, or have no lights,
 * work all the same.
 */
static bool
may_refuse(const struct xh_port *xp)
{
	return xp->xp_state == XH_SET_IDLE ||
	    (xp->xp_state == XH_RUNNING && xp->xp_request == HID_SET_REPORT);
}

static void
control_refused(struct xh_port *xp, struct xh_actions *out)
{
	xp->xp_control.p_halted = true;
	if (xp->xp_state == XH_SET_IDLE)
		running(xp, out);
	else
		xp->xp_leds_sent = xp->xp_leds_asked;
}

static void
control_event(struct xh_port *xp, const struct xh_event *e, struct xh_actions *out)
{
	struct xh_pipe *p = &xp->xp_control;
	bool status = e->e_trb == xp->xp_stage[xp->xp_stages - 1];
	bool fine = e->e_code == XHCI_SUCCESS || e->e_code == XHCI_SHORT;

	if (!fine) {
		if (e->e_code == XHCI_STALL && may_refuse(xp))
			control_refused(xp, out);
		else
			pipe_error(xp, p, e->e_code, out);
		return;
	}
	if (!status) {		/* the data is short; the status stage follows */
		if (e->e_code == XHCI_SHORT)
			xp->xp_residual = (uint32_t)rt_min(e->e_residual, xp->xp_bytes);
		return;
	}
	(void)xh_ring_done(&p->p_ring, e->e_trb);
	p->p_busy = false;
	p->p_errors = 0;
	control_done(xp, out);
}

static void
keys_event(struct xh_port *xp, const struct xh_event *e, struct xh_actions *out)
{
	struct xh_pipe *p = &xp->xp_keys;
	struct xh_action *a;

	if (e->e_code != XHCI_SUCCESS && e->e_code != XHCI_SHORT) {
		pipe_error(xp, p, e->e_code, out);
		return;
	}
	(void)xh_ring_done(&p->p_ring, e->e_trb);
	p->p_busy = false;
	p->p_errors = xp->xp_attempts = 0;
	a = act(out, XH_REPORT);
	a->a_value = XH_REPORT_BYTES - rt_min(e->e_residual, XH_REPORT_BYTES);
	memcpy(a->a_report, buffer(xp, REPORT_AT), a->a_value);
}

static void
transfer_event(struct xh_port *xp, const struct xh_event *e, struct xh_actions *out)
{
	struct xh_pipe *p = e->e_dci == XH_CONTROL_DCI ? &xp->xp_control : &xp->xp_keys;

	if (xp->xp_state < XH_DEVICE8 || xp->xp_state > XH_RUNNING || e->e_slot != xp->xp_slot ||
	    e->e_dci != p->p_dci || !p->p_busy || p->p_halted ||
	    !xh_ring_holds(&p->p_ring, e->e_trb))
		return;			/* E4 */
	if (p == &xp->xp_control)
		control_event(xp, e, out);
	else
		keys_event(xp, e, out);
}

/* --------------------------------------------------------------- outside -- */

bool
xh_event_read(const struct xhci_trb *t, struct xh_event *e)
{
	uint32_t type = xhci_trb_type(t);

	if (type != XHCI_EV_TRANSFER && type != XHCI_EV_COMMAND)
		return false;
	*e = (struct xh_event){
		.e_kind = type == XHCI_EV_TRANSFER ? XH_EV_TRANSFER : XH_EV_COMMAND,
		.e_code = (uint8_t)(t->t_status >> 24), .e_slot = (uint8_t)(t->t_control >> 24),
		.e_dci = t->t_control >> 16 & 31, .e_residual = t->t_status & 0xffffff,
		.e_trb = t->t_param,
	};
	return true;
}

bool
xh_port_init(struct xh_port *xp, const struct xh_port_memory *pm, uint32_t stride, uint8_t port,
    bool usb3)
{
	struct xh_ring r;

	if ((stride != 32 && stride != 64) || port == 0 ||
	    !xh_ring_init(&r, &pm->pm_control) || !xh_ring_init(&r, &pm->pm_keys) ||
	    !xh_mem_fits(&pm->pm_input, xh_input_bytes(stride), 64, 4096) ||
	    !xh_mem_fits(&pm->pm_device, xh_device_bytes(stride), 64, 4096) ||
	    pm->pm_buffer.bytes < XH_BUFFER_MIN ||
	    !xh_mem_fits(&pm->pm_buffer, pm->pm_buffer.bytes, 64, 65536))
		return false;
	memset(xp, 0, sizeof(*xp));
	xp->xp_mem = *pm;
	xp->xp_stride = stride;
	xp->xp_place.pl_port = port;
	xp->xp_usb3 = usb3;
	return true;
}

void
xh_port_event(struct xh_port *xp, const struct xh_event *e, struct xh_actions *out)
{
	out->n = 0;
	if (xp->xp_state == XH_DEAD)
		return;
	switch (e->e_kind) {
	case XH_EV_PORT:
		port_event(xp, e->e_portsc, out);
		break;
	case XH_EV_COMMAND:
		command_event(xp, e, out);
		break;
	case XH_EV_TRANSFER:
		transfer_event(xp, e, out);
		break;
	case XH_EV_TIMEOUT:
		timeout(xp, e->e_portsc, out);
		break;
	}
	port_go(xp, out);
}

void
xh_port_leds(struct xh_port *xp, uint8_t leds, struct xh_actions *out)
{
	out->n = 0;
	xp->xp_leds = leds;
	if (xp->xp_state == XH_RUNNING)
		port_go(xp, out);
}
