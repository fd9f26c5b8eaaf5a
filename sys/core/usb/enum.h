/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enum - a port of the controller and its device: from "connected" to
 * "keyboard configured, its keys arrive" (xHCI 1.2, 4.3; USB 2.0, 9; HID 1.11).
 *
 * The caller feeds events, one at a time, and then carries out the actions in
 * their order.  Rings, contexts and the buffer are filled here; the caller
 * must not touch them.  One struct per port, all independent.
 *
 * A change of the connection between reading PORTSC and clearing its change
 * bits makes no event: the caller reads PORTSC again after it wrote it, and
 * feeds XH_EV_PORT again when CCS is not what it was.
 */
#pragma once
#include <core/usb/ctx.h>
#include <core/usb/desc.h>
#include <core/usb/ring.h>

#define XH_REPORT_BYTES	8u		/* of a boot keyboard (HID 1.11, B.1) */
#define XH_BUFFER_MIN	64u

/*
 * What the caller gives a port for ever.  Aligned to 64; contexts within a
 * page, others within 64 KiB.
 */
struct xh_port_memory {
	struct dma_mem	pm_control;	/* ring of endpoint 0 */
	struct dma_mem	pm_keys;	/* ring of the interrupt-IN endpoint */
	struct dma_mem	pm_input;	/* xh_input_bytes() */
	struct dma_mem	pm_device;	/* xh_device_bytes() */
	struct dma_mem	pm_buffer;	/* XH_BUFFER_MIN or more; 16 less: longest configuration */
};

enum xh_event_kind {
	XH_EV_PORT,		/* the port's register changed, or is looked at first */
	XH_EV_COMMAND,		/* the command that this port issued is complete */
	XH_EV_TRANSFER,		/* for the slot of this port */
	XH_EV_TIMEOUT,		/* what the last XH_TIMER asked for */
};
struct xh_event {
	enum xh_event_kind e_kind;
	uint32_t	e_portsc;	/* PORT, TIMEOUT: the register as read now */
	uint8_t		e_code;		/* COMMAND, TRANSFER: XHCI_SUCCESS... */
	uint8_t		e_slot;		/* COMMAND, TRANSFER */
	uint8_t		e_dci;		/* TRANSFER */
	uint32_t	e_residual;	/* TRANSFER: bytes that were not moved */
	uint64_t	e_trb;		/* COMMAND, TRANSFER: address of the TRB it is about */
};
/*
 * Read a transfer or command event.  False: another type.  Whose it is the
 * caller knows by e_slot, or by which port had it put a command at e_trb.
 */
bool	xh_event_read(const struct xhci_trb *t, struct xh_event *e);

enum xh_why {
	XH_WHY_PORT,		/* not enabled by a reset, or disabled by an error */
	XH_WHY_SPEED,		/* no speed that we know */
	XH_WHY_COMMAND,		/* the controller refused a command */
	XH_WHY_SILENT,		/* no answer in time */
	XH_WHY_TRANSFER,	/* errors, again and again */
	XH_WHY_DESCRIPTOR,	/* nonsense, or longer than the buffer */
	XH_WHY_NOT_KEYBOARD,
	XH_WHY_CONTROLLER,	/* a command never completed: reset the controller */
};

enum xh_action_kind {
	XH_COMMAND,		/* a_trb goes on the command ring, and its doorbell is rung */
	XH_DOORBELL,		/* of a_slot, for endpoint a_dci */
	XH_PORTSC,		/* a_value is written to the port's register */
	XH_TIMER,		/* XH_EV_TIMEOUT in a_value ms, not at the earlier time; 0: none */
	XH_DCBAA,		/* a_value is the device context of a_slot; 0: none */
	XH_READY,		/* a keyboard is there */
	XH_REPORT,		/* a_value bytes of a_report came, the others are 0 */
	XH_GONE,		/* the keyboard that was ready is not: let go of its keys */
	XH_GIVE_UP,		/* because of a_why; until the port is plugged anew */
};
struct xh_action {
	enum xh_action_kind a_kind;
	enum xh_why	a_why;
	uint8_t		a_slot;
	uint8_t		a_dci;
	uint8_t		a_report[XH_REPORT_BYTES];
	uint64_t	a_value;
	struct xhci_trb	a_trb;
};
#define XH_ACTIONS	8u
struct xh_actions {
	uint32_t	n;
	struct xh_action a[XH_ACTIONS];
};

/* In the order in which a device goes through them: enum.c says what each waits for. */
enum xh_state {
	XH_EMPTY, XH_DEBOUNCE, XH_RESET, XH_SETTLE, XH_ENABLE, XH_ADDRESS, XH_ADDRESSED,
	XH_DEVICE8, XH_EVALUATE, XH_DEVICE, XH_CONFIG9, XH_CONFIG, XH_CONFIGURE, XH_SET_CONFIG,
	XH_SET_PROTOCOL, XH_SET_IDLE, XH_RUNNING, XH_LEAVING, XH_REFUSED, XH_DEAD,
};

/* An endpoint and its ring. */
struct xh_pipe {
	struct xh_ring	p_ring;
	uint8_t		p_dci;
	uint8_t		p_errors;	/* since the last success */
	bool		p_busy;		/* a transfer is under way */
	bool		p_halted;	/* an error stopped it: to be reset */
};

struct xh_port {
	struct xh_port_memory xp_mem;	/* const */
	uint32_t	xp_stride;	/* const: bytes of a context */
	struct xh_place	xp_place;	/* port: const; speed: since the reset */
	bool		xp_usb3;	/* const: a USB 3 port enables itself */
	bool		xp_timer;	/* one is running */
	bool		xp_unhalt;	/* the device is to be told that its endpoint works again */
	uint8_t		xp_slot;	/* 0: none */
	uint8_t		xp_attempts;	/* failed since the device was plugged or sent a report */
	uint8_t		xp_command;	/* type of the one that is under way; 0: none */
	uint8_t		xp_leds, xp_leds_asked, xp_leds_sent;	/* wanted; in a request; taken */
	enum xh_state	xp_state;
	enum xh_state	xp_next;	/* after LEAVING */
	enum xh_why	xp_why;		/* of REFUSED */
	uint16_t	xp_packet0;	/* endpoint 0's packet size, as the controller knows it */
	uint32_t	xp_bytes, xp_residual;	/* of the control transfer's data */
	uint16_t	xp_config_bytes;
	uint8_t		xp_request;	/* bRequest of the control transfer */
	uint64_t	xp_stage[3];	/* where its TRBs are, the status stage last */
	uint32_t	xp_stages;
	struct xh_pipe	xp_control, xp_keys;
	struct xh_pipe	*xp_mending;	/* whose reset is under way */
	struct usb_device xp_device;	/* from CONFIG9 on */
	struct usb_keyboard xp_keyboard;	/* from CONFIGURE on */
};

/* Port from 1, stride 32 or 64.  False: the memory is not as it must be. */
bool	xh_port_init(struct xh_port *xp, const struct xh_port_memory *pm, uint32_t stride,
	    uint8_t port, bool usb3);
void	xh_port_event(struct xh_port *xp, const struct xh_event *e, struct xh_actions *out);
/*
 * Lights (HID 1.11, B.1): bit 0 Num Lock, 1 Caps Lock, 2 Scroll Lock.  At any
 * time; a keyboard gets them when it is ready.
 */
void	xh_port_leds(struct xh_port *xp, uint8_t leds, struct xh_actions *out);
