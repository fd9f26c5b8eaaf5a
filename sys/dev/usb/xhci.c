/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xhci - a USB 3 host controller, for the sake of its keyboards.
 *
 * One thread does everything: it takes events, feeds them to the machines of
 * the ports (core/usb/enum.h), carries out what these ask for, and keeps their
 * timers, the nearest of which is the deadline of its wait.  The interrupt only
 * wakes it.  Events cannot be lost between the two: after the ring's dequeue
 * pointer was written, by which the next interrupt becomes possible, the ring is
 * looked at once more.
 *
 * Each second it looks without being called: a controller may die, and an
 * interrupt get lost, without a word.  A controller that fails is reset, with
 * all of its devices; if it fails again before a key was seen, it is given up.
 *
 * Nothing here is freed.  What the device was told of stays its, whatever it does.
 *
 * Locking: all is the thread's, but for p_leds.
 * Not here: hubs, and devices that are no keyboards; suspend.
 */
#include <core/kbd/report.h>
#include <core/rt/rt.h>
#include <core/usb/caps.h>
#include <core/usb/enum.h>
#include <drv/dma.h>
#include <drv/keyboard.h>
#include <drv/pci.h>
#include <drv/thread.h>
#include <stdatomic.h>

#define CLASS		0x0c0330u
#define BAR_BYTES_MAX	(1u << 20)
#define MS		1000000ull
#define LOOK_NS		(1000 * MS)
#define HANDOVER_NS	(1000 * MS)	/* xHCI 1.2, 4.22.1 */
#define HALT_NS		(100 * MS)	/* 16 ms by 5.4.1.1 */
#define RESET_NS	(1000 * MS)
#define START_NS	(100 * MS)

#define EVENTS		256u		/* on their ring, and taken at a time */
#define COMMANDS	512u		/* on theirs: a port has one at a time */
#define SCRATCHPADS_MAX	(DMA_BYTES_MAX / 4096u)
#define LOOKS_MAX	8u		/* at a port that does not come to rest */

/* What the controller sees of us. */
struct shared {
	_Alignas(4096) uint64_t sh_dcbaa[256];		/* device contexts by slot; 0: the scratchpads */
	struct xhci_segment sh_table[1];
	_Alignas(4096) struct xhci_trb sh_events[EVENTS];
	_Alignas(4096) struct xhci_trb sh_commands[COMMANDS];
};
struct shared_port {
	_Alignas(4096) uint8_t sp_input[33 * 64];
	struct xhci_trb	sp_control[64];
	struct xhci_trb	sp_keys[16];
	_Alignas(4096) uint8_t sp_device[32 * 64];
	uint8_t		sp_buffer[2048];
};

struct port {
	struct xh_port	p_xh;
	struct xhci	*p_hc;			/* const */
	uint8_t		p_number;		/* const: from 1 */
	struct dma_mem	p_memory;		/* const: struct shared_port */
	nsec_t		p_deadline;
	uint64_t	p_command;		/* where the one under way is; 0: none */
	bool		p_is_ready;
	bool		p_is_attached;		/* p_keyboard is; for ever */
	struct report	p_report;
	struct keyboard	p_keyboard;
	char		p_name[24];
	_Atomic uint8_t	p_leds;			/* [atomic: the console's wish] */
};

struct xhci {
	struct pcidev	*hc_pd;			/* const */
	volatile uint8_t *hc_regs;		/* const */
	struct xh_caps	hc_caps;		/* const */
	struct dma_mem	hc_memory;		/* const: struct shared */
	struct dma_mem	hc_scratchpads;		/* const: the array, then the pages */
	struct xh_ring	hc_commands;
	struct xh_events hc_events;
	struct drv_event hc_event;
	nsec_t		hc_look;		/* when to look without being called */
	const char	*hc_failed;		/* why; NULL: it works */
	bool		hc_was_reset;		/* and no key was seen since */
	uint32_t	hc_ports;		/* const */
	struct port	hc_port[];
};

/* ----------------------------------------------------------- registers -- */

static uint32_t
get(const struct xhci *hc, uint32_t offset)
{
	return *(volatile uint32_t *)(hc->hc_regs + offset);
}

/* What was written to memory before is there before. */
static void
set(const struct xhci *hc, uint32_t offset, uint32_t v)
{
	atomic_thread_fence(memory_order_release);
	*(volatile uint32_t *)(hc->hc_regs + offset) = v;
}

static void
set64(const struct xhci *hc, uint32_t offset, uint64_t v)
{
	set(hc, offset, (uint32_t)v);
	set(hc, offset + 4, (uint32_t)(v >> 32));
}

static uint32_t op(const struct xhci *hc, uint32_t reg) { return hc->hc_caps.xc_op + reg; }
static uint32_t run(const struct xhci *hc, uint32_t reg) { return hc->hc_caps.xc_run + reg; }

static uint32_t
portsc(const struct port *p)
{
	return op(p->p_hc, XHCI_PORTSC1 + (p->p_number - 1u) * XHCI_PORT_BYTES);
}

static uint32_t
read_cap(void *arg, uint32_t offset)
{
	return get(arg, offset);
}

struct wanted {
	const struct xhci *hc;
	uint32_t	offset, mask, value;
};

static bool
is_as_wanted(void *arg)
{
	const struct wanted *w = arg;

	return (get(w->hc, w->offset) & w->mask) == w->value;
}

static bool
becomes(const struct xhci *hc, uint32_t offset, uint32_t mask, uint32_t value, nsec_t timeout)
{
	struct wanted w = { hc, offset, mask, value };

	return drv_poll(is_as_wanted, &w, timeout);
}

/* --------------------------------------------------------------- ports -- */

static void
fail(struct xhci *hc, const char *why)
{
	if (hc->hc_failed == NULL)
		hc->hc_failed = why;
}

static void
show_leds(struct keyboard *kb, uint8_t leds)
{
	struct port *p = kb->kb_driver;

	atomic_store(&p->p_leds, leds);
	drv_event_set(&p->p_hc->hc_event);
}

static void
ready(struct port *p)
{
	drv_log(p->p_hc->hc_pd->pd_name, "port %u: keyboard %04x:%04x", p->p_number,
	    p->p_xh.xp_device.ud_vendor, p->p_xh.xp_device.ud_product);
	report_init(&p->p_report);
	p->p_is_ready = true;
	if (p->p_is_attached)
		return;
	p->p_is_attached = true;
	(void)rt_snprintf(p->p_name, sizeof p->p_name, "%s.%u", p->p_hc->hc_pd->pd_name, p->p_number);
	p->p_keyboard = (struct keyboard){
		.kb_name = p->p_name, .kb_leds = show_leds, .kb_driver = p,
	};
	keyboard_attach(&p->p_keyboard);
}

static void
gone(struct port *p)
{
	if (!p->p_is_ready)
		return;
	p->p_is_ready = false;
	keyboard_event(&p->p_keyboard, (struct key_event){ KEY_NONE, KEY_RELEASED });
	drv_log(p->p_hc->hc_pd->pd_name, "port %u: the keyboard is gone", p->p_number);
}

static void
report(struct port *p, const struct xh_action *a)
{
	struct key_event ev[REPORT_EVENTS];
	size_t n;

	if (!report_input(&p->p_report, a->a_report, a->a_value, ev, &n))
		return;
	p->p_hc->hc_was_reset = false;
	for (size_t i = 0; i < n; i++)
		keyboard_event(&p->p_keyboard, ev[i]);
}

static void
given_up(struct port *p, enum xh_why why)
{
	static const char *const text[] = {
		[XH_WHY_PORT] = "the port does not work", [XH_WHY_SPEED] = "of no known speed",
		[XH_WHY_COMMAND] = "the controller refuses it", [XH_WHY_SILENT] = "it does not answer",
		[XH_WHY_TRANSFER] = "too many errors", [XH_WHY_DESCRIPTOR] = "it describes itself wrongly",
	};
	const struct usb_device *ud = &p->p_xh.xp_device;
	const char *name = p->p_hc->hc_pd->pd_name;

	if (why == XH_WHY_CONTROLLER)
		fail(p->p_hc, "it does not carry out a command");
	else if (why != XH_WHY_NOT_KEYBOARD)
		drv_log(name, "port %u: given up: %s", p->p_number, text[why]);
	else if (ud->ud_class == USB_HUB)
		drv_log(name, "port %u: hub %04x:%04x is left alone, with all behind it", p->p_number,
		    ud->ud_vendor, ud->ud_product);
	else
		drv_log(name, "port %u: %04x:%04x, class %u, is no keyboard and left alone",
		    p->p_number, ud->ud_vendor, ud->ud_product, ud->ud_class);
}

static void
act(struct port *p, const struct xh_action *a)
{
	struct xhci *hc = p->p_hc;
	struct shared *sh = hc->hc_memory.va;

	switch (a->a_kind) {
	case XH_COMMAND:
		if (!xh_ring_put(&hc->hc_commands, &a->a_trb, 1, &p->p_command))
			fail(hc, "it does not carry out commands");
		set(hc, hc->hc_caps.xc_doorbell, 0);
		break;
	case XH_DOORBELL:
		set(hc, hc->hc_caps.xc_doorbell + a->a_slot * 4u, a->a_dci);
		break;
	case XH_PORTSC:
		set(hc, portsc(p), (uint32_t)a->a_value);
		break;
	case XH_TIMER:
		p->p_deadline = a->a_value == 0 ? NSEC_NEVER : md_now() + a->a_value * MS;
		break;
	case XH_DCBAA:
		sh->sh_dcbaa[a->a_slot] = a->a_value;
		break;
	case XH_READY:
		ready(p);
		break;
	case XH_REPORT:
		report(p, a);
		break;
	case XH_GONE:
		gone(p);
		break;
	case XH_GIVE_UP:
		given_up(p, a->a_why);
		break;
	}
}

static void
act_all(struct port *p, const struct xh_actions *acts)
{
	for (uint32_t i = 0; i < acts->n; i++)
		act(p, &acts->a[i]);
}

static void
feed(struct port *p, const struct xh_event *e)
{
	struct xh_actions acts;

	xh_port_event(&p->p_xh, e, &acts);
	act_all(p, &acts);
}

/* A change between reading the register and clearing its bits makes no event: so it is read again. */
static void
look(struct port *p)
{
	const struct xh_port *xp = &p->p_xh;

	for (uint32_t n = 0; n < LOOKS_MAX; n++) {
		uint32_t v = get(p->p_hc, portsc(p));
		bool is_known = xp->xp_state != XH_EMPTY &&
		    (xp->xp_state != XH_LEAVING || xp->xp_next != XH_EMPTY);

		if ((v & XHCI_PORT_CHANGES) == 0 && ((v & XHCI_PORT_CCS) != 0) == is_known)
			return;
		feed(p, &(struct xh_event){ .e_kind = XH_EV_PORT, .e_portsc = v });
	}
}

static struct port *
port_of(struct xhci *hc, uint32_t number)
{
	for (uint32_t i = 0; i < hc->hc_ports; i++)
		if (hc->hc_port[i].p_number == number)
			return &hc->hc_port[i];
	return NULL;
}

/* ---------------------------------------------------------- the thread -- */

static void
command_done(struct xhci *hc, const struct xh_event *e)
{
	for (uint32_t i = 0; i < hc->hc_ports; i++) {
		struct port *p = &hc->hc_port[i];

		if (p->p_command == e->e_trb && xh_ring_done(&hc->hc_commands, e->e_trb)) {
			p->p_command = 0;
			feed(p, e);
			return;
		}
	}
}

static void
transfer_done(struct xhci *hc, const struct xh_event *e)
{
	for (uint32_t i = 0; i < hc->hc_ports && e->e_slot != 0; i++)
		if (hc->hc_port[i].p_xh.xp_slot == e->e_slot) {
			feed(&hc->hc_port[i], e);
			return;
		}
}

/* A slot that does not exist is nobody's: a command that is answered so is not answered. */
static void
take(struct xhci *hc, const struct xhci_trb *t)
{
	struct port *p;
	struct xh_event e;

	if (xhci_trb_type(t) == XHCI_EV_PORT) {
		p = port_of(hc, t->t_param >> 24 & 255);
		if (p != NULL)
			look(p);
	} else if (xh_event_read(t, &e) && e.e_slot <= hc->hc_caps.xc_slots) {
		if (e.e_kind == XH_EV_COMMAND)
			command_done(hc, &e);
		else
			transfer_done(hc, &e);
	}
}

/* True: it went on for so long that others are to have a turn. */
static bool
take_events(struct xhci *hc)
{
	bool was_told = true;
	struct xhci_trb t;

	for (uint32_t n = 0; n < EVENTS; ) {
		if (xh_events_take(&hc->hc_events, &t)) {
			take(hc, &t);
			was_told = false;
			n++;
		} else if (!was_told) {
			set64(hc, run(hc, XHCI_ERDP), xh_events_dequeue(&hc->hc_events));
			was_told = true;
		} else {
			return false;
		}
	}
	set64(hc, run(hc, XHCI_ERDP), xh_events_dequeue(&hc->hc_events));
	return true;
}

static void
check(struct xhci *hc)
{
	uint32_t status = get(hc, op(hc, XHCI_USBSTS));

	if (status == UINT32_MAX)
		fail(hc, "it is gone");
	else if ((status & (XHCI_STS_HSE | XHCI_STS_HCE | XHCI_STS_HALTED)) != 0)
		fail(hc, "it stopped");
}

static void
turn(struct xhci *hc)
{
	nsec_t now = md_now();		/* what came by then comes before its timeout */
	bool is_time = now >= hc->hc_look;

	check(hc);
	if (is_time)
		hc->hc_look = now + LOOK_NS;
	if (take_events(hc)) {
		drv_event_set(&hc->hc_event);
		drv_sleep(MS);
	}
	for (uint32_t i = 0; i < hc->hc_ports && hc->hc_failed == NULL; i++) {
		struct port *p = &hc->hc_port[i];
		uint8_t leds = atomic_load(&p->p_leds);
		struct xh_actions acts;

		if (is_time)
			look(p);
		if (leds != p->p_xh.xp_leds) {
			xh_port_leds(&p->p_xh, leds, &acts);
			act_all(p, &acts);
		}
		if (now >= p->p_deadline) {
			p->p_deadline = NSEC_NEVER;
			feed(p, &(struct xh_event){ .e_kind = XH_EV_TIMEOUT,
			    .e_portsc = get(hc, portsc(p)) });
		}
	}
}

static nsec_t
next_deadline(const struct xhci *hc)
{
	nsec_t next = hc->hc_look;

	for (uint32_t i = 0; i < hc->hc_ports; i++)
		next = rt_min(next, hc->hc_port[i].p_deadline);
	return next;
}

/*
 * A pin may be shared, and the clock calls for nothing: the status says whether
 * there is something.  It is cleared before what it is for (xHCI 1.2, 4.17.5).
 */
static void
interrupt(void *arg)
{
	struct xhci *hc = arg;

	if ((get(hc, op(hc, XHCI_USBSTS)) & XHCI_STS_EINT) == 0)
		return;
	set(hc, op(hc, XHCI_USBSTS), XHCI_STS_EINT);
	set(hc, run(hc, XHCI_IMAN), XHCI_IMAN_PENDING | XHCI_IMAN_ENABLE);
	drv_event_set(&hc->hc_event);
}

/* ------------------------------------------------------------ starting -- */

static void
take_from_firmware(struct xhci *hc)
{
	uint32_t at = hc->hc_caps.xc_legacy, v;

	if (at == 0)
		return;
	v = get(hc, at) | XHCI_LEGACY_OS;
	set(hc, at, v);
	if (!becomes(hc, at, XHCI_LEGACY_BIOS, 0, HANDOVER_NS)) {
		drv_log(hc->hc_pd->pd_name, "the firmware does not let go of it");
		set(hc, at, v & ~XHCI_LEGACY_BIOS);
	}
	v = get(hc, at + XHCI_LEGACY_CONTROL) & XHCI_LEGACY_KEEP;
	set(hc, at + XHCI_LEGACY_CONTROL, v | XHCI_LEGACY_CLEAR);
}

/* NULL, or what did not work. */
static const char *
reset(struct xhci *hc)
{
	if (!becomes(hc, op(hc, XHCI_USBSTS), XHCI_STS_CNR, 0, RESET_NS))
		return "it does not become ready";
	set(hc, op(hc, XHCI_USBCMD), 0);
	if (!becomes(hc, op(hc, XHCI_USBSTS), XHCI_STS_HALTED, XHCI_STS_HALTED, HALT_NS))
		return "it does not stop";
	set(hc, op(hc, XHCI_USBCMD), XHCI_CMD_RESET);
	drv_sleep(MS);		/* some do not bear to be asked at once */
	if (!becomes(hc, op(hc, XHCI_USBCMD), XHCI_CMD_RESET, 0, RESET_NS) ||
	    !becomes(hc, op(hc, XHCI_USBSTS), XHCI_STS_CNR, 0, RESET_NS))
		return "its reset does not end";
	if ((get(hc, op(hc, XHCI_PAGESIZE)) & 1) == 0)
		return "it knows no pages of 4 KiB";
	return NULL;
}

static void
begin_port(struct port *p)
{
	const struct dma_mem *m = &p->p_memory;
	struct shared_port *sp = m->va;
	struct xh_port_memory pm = {
		.pm_control = DMA_PIECE(m, sp->sp_control), .pm_keys = DMA_PIECE(m, sp->sp_keys),
		.pm_input = DMA_PIECE(m, sp->sp_input), .pm_device = DMA_PIECE(m, sp->sp_device),
		.pm_buffer = DMA_PIECE(m, sp->sp_buffer),
	};
	const struct xh_caps *xc = &p->p_hc->hc_caps;
	uint32_t v = get(p->p_hc, portsc(p));
	bool ok = xh_port_init(&p->p_xh, &pm, xc->xc_stride, p->p_number, xc->xc_usb[p->p_number] == 3);

	ASSERT(ok);		/* the memory is as it must be */
	p->p_deadline = NSEC_NEVER;
	p->p_command = 0;
	if ((v & XHCI_PORT_PP) == 0)
		set(p->p_hc, portsc(p), xhci_portsc_keep(v) | XHCI_PORT_PP);
}

/* From a reset on: rings, registers, ports.  NULL, or what did not work. */
static const char *
start(struct xhci *hc)
{
	const struct dma_mem *m = &hc->hc_memory;
	struct shared *sh = m->va;
	struct dma_mem events = DMA_PIECE(m, sh->sh_events), table = DMA_PIECE(m, sh->sh_table);
	struct dma_mem commands = DMA_PIECE(m, sh->sh_commands);
	const char *why = reset(hc);
	bool ok;

	if (why != NULL)
		return why;
	memset(sh->sh_dcbaa, 0, sizeof sh->sh_dcbaa);
	sh->sh_dcbaa[0] = hc->hc_scratchpads.pa;
	ok = xh_ring_init(&hc->hc_commands, &commands) &&
	    xh_events_init(&hc->hc_events, &events, 1, &table);
	ASSERT(ok);
	set(hc, op(hc, XHCI_CONFIG), (uint32_t)rt_min(hc->hc_caps.xc_slots, hc->hc_ports));
	set64(hc, op(hc, XHCI_DCBAAP), dma_pa(m, sh->sh_dcbaa));
	set64(hc, op(hc, XHCI_CRCR), xh_ring_drop(&hc->hc_commands));
	set(hc, run(hc, XHCI_ERSTSZ), 1);
	set64(hc, run(hc, XHCI_ERDP), xh_events_dequeue(&hc->hc_events));
	set64(hc, run(hc, XHCI_ERSTBA), table.pa);
	set(hc, run(hc, XHCI_IMAN), XHCI_IMAN_PENDING | XHCI_IMAN_ENABLE);
	set(hc, op(hc, XHCI_USBCMD), XHCI_CMD_RUN | XHCI_CMD_INTE);
	if (!becomes(hc, op(hc, XHCI_USBSTS), XHCI_STS_HALTED, 0, START_NS))
		return "it does not start";
	for (uint32_t i = 0; i < hc->hc_ports; i++)
		begin_port(&hc->hc_port[i]);
	hc->hc_look = 0;
	return NULL;
}

static bool
get_scratchpads(struct xhci *hc, uint64_t reach)
{
	uint32_t n = hc->hc_caps.xc_scratchpads;
	uint64_t *array;

	if (n == 0)
		return true;
	/* The array comes first, in pages of its own. */
	if (n > SCRATCHPADS_MAX - 1 - n * 8 / 4096 ||
	    dma_alloc(&hc->hc_scratchpads, page_round(n * 8) + n * PAGE_BYTES, reach) != 0)
		return false;
	array = hc->hc_scratchpads.va;
	for (uint32_t i = 0; i < n; i++)
		array[i] = hc->hc_scratchpads.pa + page_round(n * 8) + i * PAGE_BYTES;
	return true;
}

static bool
get_memory(struct xhci *hc)
{
	uint64_t reach = hc->hc_caps.xc_64 ? UINT64_MAX : UINT32_MAX;

	if (dma_alloc(&hc->hc_memory, sizeof(struct shared), reach) != 0 || !get_scratchpads(hc, reach))
		return false;
	for (uint32_t port = 1; port <= hc->hc_caps.xc_ports; port++) {
		struct port *p = &hc->hc_port[hc->hc_ports];

		if (hc->hc_caps.xc_usb[port] == 0)
			continue;
		if (dma_alloc(&p->p_memory, sizeof(struct shared_port), reach) != 0)
			return false;
		p->p_hc = hc;
		p->p_number = (uint8_t)port;
		hc->hc_ports++;
	}
	return true;
}

/* NULL: no controller that can be used, and the log says why. */
static struct xhci *
find(struct pcidev *pd)
{
	uint64_t bytes = rt_min(pd->pd_bar[0].pb_bytes, BAR_BYTES_MAX);
	struct xhci here = { .hc_pd = pd, .hc_regs = pci_map(pd, 0, 0, bytes) }, *hc = NULL;
	struct xh_regs rg = { read_cap, &here, (uint32_t)bytes };

	if (here.hc_regs == NULL || !xh_caps_read(&rg, &here.hc_caps)) {
		drv_log(pd->pd_name, "its registers are not a USB controller's");
		return NULL;
	}
	hc = drv_alloc(sizeof(*hc) + here.hc_caps.xc_ports * sizeof(hc->hc_port[0]));
	if (hc != NULL)
		*hc = here;
	if (hc == NULL || !get_memory(hc)) {
		drv_log(pd->pd_name, "no memory for a USB controller");
		return NULL;
	}
	drv_event_init(&hc->hc_event);
	return hc;
}

static void
attach(struct pcidev *pd)
{
	struct xhci *hc;
	struct pci_vector vector = { .pv_fn = interrupt };
	bool msix;

	pci_attached(pd);
	hc = find(pd);
	if (hc == NULL)
		return;
	take_from_firmware(hc);
	pci_master(pd);
	vector.pv_arg = hc;
	(void)pci_interrupts(pd, &vector, 1, &msix);
	hc->hc_failed = start(hc);
	for (;;) {
		while (hc->hc_failed == NULL) {
			turn(hc);
			(void)drv_event_wait(&hc->hc_event, next_deadline(hc));
		}
		for (uint32_t i = 0; i < hc->hc_ports; i++)
			gone(&hc->hc_port[i]);
		drv_log(pd->pd_name, "USB: %s: %s", hc->hc_failed,
		    hc->hc_was_reset ? "given up" : "it is reset");
		if (hc->hc_was_reset)
			break;
		hc->hc_was_reset = true;
		hc->hc_failed = start(hc);
	}
	set(hc, op(hc, XHCI_USBCMD), 0);
}

static bool
match(const struct pci_function *f)
{
	return f->pf_class == CLASS;
}

const struct pci_driver xhci_driver = { .pr_name = "xhci", .pr_match = match, .pr_attach = attach };
