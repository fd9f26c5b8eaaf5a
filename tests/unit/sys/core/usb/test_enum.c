/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_enum - a port's machine against a small controller with a keyboard.
 *
 * The model reads rings and contexts from memory by the rules of the
 * specification and objects to whatever these do not allow.  Each reset,
 * command and request is a step; a fault or an unplugging happens at the step
 * of a given number, and a test goes through all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/usb/ring.c"
#include "../../../../../sys/core/usb/ctx.c"
#include "../../../../../sys/core/usb/desc.c"
#include "../../../../../sys/core/usb/enum.c"

#define PA		0x123450000ull
#define PORT		3
#define TURNS		2000		/* events until it must have come to rest */
#define TRB_ERROR	5

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* ---------------------------------------------------- memory and keyboard -- */

static _Alignas(65536) struct {
	_Alignas(4096) uint8_t input[33 * 64], device[32 * 64];
	_Alignas(4096) struct xhci_trb commands[16], control[8], keys[8], events[16];
	_Alignas(64) struct xhci_segment table[1];
	_Alignas(64) uint8_t buffer[128];
} ram;
#define MEM(what)	((struct dma_mem){ &(what), \
	PA + (uint64_t)((uint8_t *)&(what) - (uint8_t *)&ram), sizeof(what) })

static const uint8_t device_bytes[18] = {
	18, 1, 0x00, 0x02, 0, 0, 0, 0, 0x6d, 0x04, 0x1c, 0xc3, 0x00, 0x49, 1, 2, 0, 1,
};
static const uint8_t config_bytes[34] = {
	9, 2, 34, 0, 1, 7, 0, 0xa0, 49,
	9, 4, 2, 0, 1, 3, 1, 1, 0,
	9, 0x21, 0x10, 0x01, 0, 1, 0x22, 65, 0,
	7, 5, 0x83, 3, 8, 0, 10,
};
enum { KEYS_DCI = 7, KEYS_ADDRESS = 0x83, CONFIG_VALUE = 7, INTERFACE = 2 };

enum fault {
	FAULT_NONE, FAULT_STALL, FAULT_TRANSACTION, FAULT_BABBLE, FAULT_TRB, FAULT_SILENT,
	FAULT_GARBAGE, FAULT_SHORT, FAULT_COMMAND, FAULT_DEAF, FAULT_RESET, FAULTS
};

/* The controller's side of a ring, and what an endpoint is in. */
enum ep_state { EP_OFF, EP_RUNNING, EP_HALTED, EP_STOPPED };
struct reader {
	enum ep_state	state;
	uint64_t	pa;
	uint32_t	cycle;
};

static struct {
	struct xh_port	port;
	struct xh_ring	commands;
	struct xh_events events;
	uint32_t	stride;
	/* The model: */
	struct reader	command, control, keys;
	struct xhci_trb *post_at;
	uint32_t	post_cycle;
	uint32_t	portsc;
	bool		port_event, timer, plugged, unplug_port_first;
	uint8_t		speed, packet0, slot, last_slot;
	bool		addressed;
	uint64_t	dcbaa;
	uint32_t	ep0_packet;		/* as the controller was told */
	uint8_t		configured, protocol, leds;
	bool		keys_halted, keys_rung;
	uint8_t		config[sizeof(config_bytes)];
	uint32_t	steps;
	/* The plan: */
	enum fault	fault;
	uint32_t	fault_at, fault_n, unplug_at;
	/* What came out: */
	uint32_t	ready, gone, given_up, reports;
	enum xh_why	why;
	uint8_t		report[XH_REPORT_BYTES];
} w;

static void *
at_pa(uint64_t pa, size_t n)
{
	assert_true(pa >= PA && pa - PA + n <= sizeof(ram));
	return (uint8_t *)&ram + (pa - PA);
}

static void
post(uint32_t type, uint64_t param, uint32_t status, uint32_t control)
{
	*w.post_at = (struct xhci_trb){ param, status,
	    XHCI_TRB_TYPE(type) | control | w.post_cycle };
	if (++w.post_at == ram.events + 16) {
		w.post_at = ram.events;
		w.post_cycle ^= 1;
	}
}

/* The next TRB of a ring of theirs; NULL: none. */
static const struct xhci_trb *
fetch(struct reader *rd, uint64_t *pa)
{
	for (uint32_t links = 0; links < 2; links++) {
		const struct xhci_trb *t = at_pa(rd->pa, sizeof(*t));

		if ((t->t_control & 1) != rd->cycle)
			return NULL;
		*pa = rd->pa;
		rd->pa += sizeof(*t);
		if (xhci_trb_type(t) != XHCI_LINK)
			return t;
		rd->pa = t->t_param;
		rd->cycle ^= (t->t_control & XHCI_TRB_TOGGLE) != 0;
	}
	fail();
	return NULL;
}

static void
unplug(void)
{
	w.plugged = w.addressed = false;
	w.configured = 0;
	w.portsc = XHCI_PORT_PP | XHCI_PORT_CSC | 5u << 5;
	w.port_event = true;
}

static void
plug(void)
{
	w.plugged = true;
	w.addressed = w.keys_halted = false;
	w.configured = w.leds = 0;
	w.protocol = 1;
	w.portsc = XHCI_PORT_PP | XHCI_PORT_CCS | XHCI_PORT_CSC | 7u << 5;
	if (w.speed == XHCI_SUPER)
		w.portsc = XHCI_PORT_PP | XHCI_PORT_CCS | XHCI_PORT_CSC | XHCI_PORT_PED |
		    (uint32_t)w.speed << 10;
	w.port_event = true;
}

/* A step; the fault that it is to have. */
static enum fault
step(void)
{
	uint32_t n = w.steps++;

	if (n == w.unplug_at)
		unplug();
	return n >= w.fault_at && n - w.fault_at < w.fault_n ? w.fault : FAULT_NONE;
}

/* ------------------------------------------------------------- the port -- */

static void
write_portsc(uint32_t v)
{
	assert_int_equal(v & XHCI_PORT_PED, 0);
	assert_true((v & XHCI_PORT_PP) != 0);
	w.portsc &= ~(v & XHCI_PORT_CHANGES);
	if ((v & (XHCI_PORT_PR | XHCI_PORT_WPR)) == 0)
		return;
	assert_int_equal((v & XHCI_PORT_WPR) != 0, w.speed == XHCI_SUPER);
	assert_int_equal(v & XHCI_PORT_CHANGES, 0);
	assert_int_equal(w.slot, 0);
	w.addressed = w.keys_halted = false;
	w.configured = 0;
	w.protocol = 1;
	switch (step()) {
	case FAULT_SILENT:
		return;
	case FAULT_RESET:
		w.portsc |= XHCI_PORT_PRC;
		break;
	default:
		if (w.plugged)
			w.portsc = XHCI_PORT_PP | XHCI_PORT_CCS | XHCI_PORT_PED | XHCI_PORT_PRC |
			    (uint32_t)w.speed << 10;
	}
	w.port_event = true;
}

/* ------------------------------------------------------------- commands -- */

static const uint32_t *
context(const uint32_t *input, uint32_t n)
{
	return input + n * w.stride / 4;
}

static uint8_t
address_device(const uint32_t *input)
{
	const uint32_t *slot = context(input, 1), *ep = context(input, 2);

	assert_int_equal(input[1], 3);
	assert_true(!w.addressed && w.dcbaa == MEM(ram.device).pa);
	assert_int_equal(slot[0], (uint32_t)w.speed << 20 | 1u << 27);
	assert_int_equal(slot[1] >> 16, PORT);
	w.ep0_packet = ep[1] >> 16;
	w.control = (struct reader){ EP_RUNNING, ep[2] & ~15u, ep[2] & 1 };
	w.control.pa |= (uint64_t)ep[3] << 32;
	if (!w.plugged)
		return XHCI_TRANSACTION;
	w.addressed = true;
	return XHCI_SUCCESS;
}

static uint8_t
configure_endpoint(const uint32_t *input)
{
	const uint32_t *ep = context(input, 1 + KEYS_DCI);

	assert_int_equal(input[1], 1 | 1u << KEYS_DCI);
	assert_int_equal(w.keys.state, EP_OFF);
	assert_int_equal(w.configured, 0);	/* the controller first, it may refuse (4.3.5) */
	assert_int_equal(context(input, 1)[0] >> 27, KEYS_DCI);
	assert_int_equal(ep[1], 3u << 1 | 7u << 3 | 8u << 16);
	assert_int_equal(ep[0] >> 16, w.speed == XHCI_FULL || w.speed == XHCI_LOW ? 6 : 9);
	w.keys = (struct reader){ EP_RUNNING, ep[2] & ~15u, ep[2] & 1 };
	w.keys.pa |= (uint64_t)ep[3] << 32;
	return XHCI_SUCCESS;
}

static uint8_t
mend_endpoint(uint32_t type, uint32_t dci, uint64_t param)
{
	struct reader *rd = dci == 1 ? &w.control : &w.keys;

	assert_true(dci == 1 || dci == KEYS_DCI);
	if (type == XHCI_RESET_EP) {
		assert_int_equal(rd->state, EP_HALTED);
		rd->state = EP_STOPPED;
	} else {
		assert_int_equal(rd->state, EP_STOPPED);
		rd->pa = param & ~15ull;
		rd->cycle = param & 1;
	}
	return XHCI_SUCCESS;
}

static uint8_t
slot_command(const struct xhci_trb *t)
{
	uint32_t type = xhci_trb_type(t);
	const uint32_t *input = NULL;

	assert_true(w.slot != 0 && t->t_control >> 24 == w.slot);
	if (type == XHCI_ADDRESS_DEVICE || type == XHCI_EVALUATE || type == XHCI_CONFIGURE_EP)
		input = at_pa(t->t_param, 33 * w.stride);
	assert_true(type == XHCI_ADDRESS_DEVICE || type == XHCI_DISABLE_SLOT || !w.plugged ||
	    w.addressed);
	switch (type) {
	case XHCI_DISABLE_SLOT:
		w.slot = 0;
		w.control.state = w.keys.state = EP_OFF;
		return XHCI_SUCCESS;
	case XHCI_ADDRESS_DEVICE:
		return address_device(input);
	case XHCI_EVALUATE:
		assert_int_equal(input[1], 2);
		w.ep0_packet = context(input, 2)[1] >> 16;
		return XHCI_SUCCESS;
	case XHCI_CONFIGURE_EP:
		return configure_endpoint(input);
	default:
		assert_true(type == XHCI_RESET_EP || type == XHCI_SET_DEQUEUE);
		return mend_endpoint(type, t->t_control >> 16 & 31, t->t_param);
	}
}

static void
run_command(const struct xhci_trb *t)
{
	const struct xhci_trb *got;
	enum fault fault = step();
	uint64_t pa, put;
	uint8_t code = 17;

	assert_true(xh_ring_put(&w.commands, t, 1, &put));
	got = fetch(&w.command, &pa);
	assert_true(got != NULL && pa == put);
	if (fault == FAULT_DEAF)
		return;
	if (xhci_trb_type(t) == XHCI_ENABLE_SLOT) {
		assert_true(w.slot == 0 && w.dcbaa == 0);
		if (fault != FAULT_COMMAND) {
			w.slot = w.last_slot = w.last_slot % 9 + 1;
			code = XHCI_SUCCESS;
		}
		post(XHCI_EV_COMMAND, pa, (uint32_t)code << 24, XHCI_TRB_SLOT(w.slot));
		return;
	}
	if (fault != FAULT_COMMAND || xhci_trb_type(t) == XHCI_DISABLE_SLOT)
		code = slot_command(got);
	post(XHCI_EV_COMMAND, pa, (uint32_t)code << 24, t->t_control & 0xff000000u);
}

/* ------------------------------------------------------------- requests -- */

/* What the device answers; -1: a stall. */
static int
answer(const uint8_t *setup, uint8_t *data)
{
	uint32_t request = setup[0] | setup[1] << 8, value = setup[2] | setup[3] << 8;
	uint32_t index = setup[4] | setup[5] << 8, length = setup[6] | setup[7] << 8;
	uint32_t n;

	switch (request) {
	case 0x0680:
		assert_true(value == 0x100 || value == 0x200);
		n = value == 0x100 ? sizeof(device_bytes) : sizeof(config_bytes);
		n = length < n ? length : n;
		assert_true(n <= 8 || w.ep0_packet == w.packet0 || w.ep0_packet == 512);
		memcpy(data, value == 0x100 ? device_bytes : w.config, n);
		if (value == 0x100)
			data[7] = w.packet0;
		return (int)n;
	case 0x0900:
		assert_int_equal(value, CONFIG_VALUE);
		assert_int_equal(w.keys.state, EP_RUNNING);
		w.configured = (uint8_t)value;
		return 0;
	case 0x0b21:
	case 0x0a21:
		assert_true(w.configured != 0 && index == INTERFACE && value == 0 && length == 0);
		if (setup[1] == 0x0b)
			w.protocol = 0;
		return 0;
	case 0x0921:
		assert_true(w.configured != 0 && index == INTERFACE);
		assert_true(value == 0x200 && length == 1);
		w.leds = data[0];
		return 1;
	case 0x0102:
		assert_true(value == 0 && index == KEYS_ADDRESS && w.keys.state == EP_STOPPED);
		w.keys_halted = false;
		return 0;
	default:
		fail();
		return -1;
	}
}

static void
post_transfer(uint32_t dci, uint64_t pa, uint8_t code, uint32_t residual)
{
	post(XHCI_EV_TRANSFER, pa, (uint32_t)code << 24 | residual,
	    XHCI_TRB_EP(dci) | XHCI_TRB_SLOT(w.slot));
}

static uint8_t
code_of(enum fault fault)
{
	switch (fault) {
	case FAULT_STALL: return XHCI_STALL;
	case FAULT_TRANSACTION: return XHCI_TRANSACTION;
	case FAULT_BABBLE: return XHCI_BABBLE;
	case FAULT_TRB: return TRB_ERROR;
	default: return XHCI_SUCCESS;
	}
}

static void
halt(struct reader *rd, uint32_t dci, uint64_t pa, uint8_t code)
{
	rd->state = EP_HALTED;
	post_transfer(dci, pa, code, 0);
}

/* The stages as they stand on the ring: they must agree with each other. */
static void
check_stages(const struct xhci_trb *s, const struct xhci_trb *d, const struct xhci_trb *st)
{
	uint32_t length = (uint32_t)(s->t_param >> 48);
	bool in = (s->t_param & 0x80) != 0, status_in = (st->t_control & XHCI_TRB_IN) != 0;

	assert_int_equal(s->t_status, 8);
	assert_true((s->t_control & XHCI_TRB_IDT) != 0);
	assert_int_equal(xhci_trb_type(st), XHCI_STATUS);
	assert_true((st->t_control & XHCI_TRB_IOC) != 0);
	assert_int_equal(status_in, length == 0 || !in);
	if (length == 0) {
		assert_int_equal(s->t_control >> 16 & 3, 0);
		return;
	}
	assert_int_equal(s->t_control >> 16 & 3, in ? 3 : 2);
	assert_int_equal(xhci_trb_type(d), XHCI_DATA);
	assert_int_equal((d->t_control & XHCI_TRB_IN) != 0, in);
	assert_int_equal(d->t_status, length);
}

static void
run_control(void)
{
	const struct xhci_trb *s, *d = NULL, *st;
	uint64_t at, data_at = 0, pa;
	enum fault fault = step();
	uint8_t spare[8], *data = spare;
	uint32_t length;
	int n;

	assert_true(w.control.state == EP_RUNNING || w.control.state == EP_STOPPED);
	w.control.state = EP_RUNNING;
	s = fetch(&w.control, &at);
	assert_true(s != NULL && xhci_trb_type(s) == XHCI_SETUP);
	length = (uint32_t)(s->t_param >> 48);
	if (length > 0) {
		d = fetch(&w.control, &data_at);
		assert_non_null(d);
		data = at_pa(d->t_param, length);
	}
	st = fetch(&w.control, &pa);
	assert_non_null(st);
	check_stages(s, d, st);
	assert_null(fetch(&w.control, &(uint64_t){ 0 }));
	if (fault == FAULT_SILENT)
		return;
	if (!w.plugged || code_of(fault) != XHCI_SUCCESS) {
		halt(&w.control, 1, at, w.plugged ? code_of(fault) : XHCI_TRANSACTION);
		return;
	}
	n = answer((const uint8_t *)&s->t_param, data);
	if (fault == FAULT_GARBAGE)
		memset(data, 0, length);
	if (fault == FAULT_SHORT)
		n /= 2;
	if ((uint32_t)n < length)
		post_transfer(1, data_at, XHCI_SHORT, length - (uint32_t)n);
	post_transfer(1, pa, XHCI_SUCCESS, 0);
}

/* A key is pressed, or the endpoint fails: only when a transfer waits. */
static void
press(uint8_t key, uint8_t code, uint32_t bytes)
{
	const struct xhci_trb *t;
	uint64_t pa;

	assert_true(w.keys_rung && w.keys.state == EP_RUNNING && w.protocol == 0);
	t = fetch(&w.keys, &pa);
	assert_true(t != NULL && xhci_trb_type(t) == XHCI_NORMAL && t->t_status == 8);
	w.keys_rung = false;
	if (code != XHCI_SUCCESS) {
		w.keys_halted = true;
		halt(&w.keys, KEYS_DCI, pa, code);
		return;
	}
	memcpy(at_pa(t->t_param, 8), (uint8_t [8]){ 0, 0, key, key, key, key, key, key }, bytes);
	post_transfer(KEYS_DCI, pa, bytes < 8 ? XHCI_SHORT : XHCI_SUCCESS, 8 - bytes);
}

static void
ring_doorbell(uint8_t slot, uint8_t dci)
{
	assert_true(slot != 0 && slot == w.slot);
	if (dci == 1) {
		run_control();
		return;
	}
	assert_int_equal(dci, KEYS_DCI);
	assert_true(w.keys.state == EP_RUNNING || w.keys.state == EP_STOPPED);
	assert_false(w.keys_halted);
	w.keys.state = EP_RUNNING;
	w.keys_rung = true;
}

/* ------------------------------------------------------------ the driver -- */

static void
carry_out(const struct xh_actions *acts)
{
	for (uint32_t i = 0; i < acts->n; i++) {
		const struct xh_action *a = &acts->a[i];

		switch (a->a_kind) {
		case XH_COMMAND: run_command(&a->a_trb); break;
		case XH_DOORBELL: ring_doorbell(a->a_slot, a->a_dci); break;
		case XH_PORTSC: write_portsc((uint32_t)a->a_value); break;
		case XH_TIMER: w.timer = a->a_value != 0; break;
		case XH_DCBAA: w.dcbaa = a->a_value; break;
		case XH_READY: w.ready++; break;
		case XH_GONE: w.gone++; break;
		case XH_GIVE_UP:
			w.given_up++;
			w.why = a->a_why;
			break;
		case XH_REPORT:
			w.reports++;
			memcpy(w.report, a->a_report, sizeof(w.report));
			break;
		}
	}
}

static void
feed(const struct xh_event *e)
{
	struct xh_actions acts;

	xh_port_event(&w.port, e, &acts);
	carry_out(&acts);
}

static void
set_leds(uint8_t leds)
{
	struct xh_actions acts;

	xh_port_leds(&w.port, leds, &acts);
	carry_out(&acts);
}

static bool
feed_port(void)
{
	struct xh_event e = { .e_kind = XH_EV_PORT, .e_portsc = w.portsc };

	if (!w.port_event)
		return false;
	w.port_event = false;
	feed(&e);
	return true;
}

static bool
feed_ring(void)
{
	struct xhci_trb t;
	struct xh_event e;

	if (!xh_events_take(&w.events, &t))
		return false;
	assert_true(xh_event_read(&t, &e));
	if (e.e_kind == XH_EV_COMMAND)
		assert_true(xh_ring_done(&w.commands, e.e_trb));
	feed(&e);
	return true;
}

/* Until nothing happens any more. */
static void
settle(void)
{
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		struct xh_event e = { .e_kind = XH_EV_TIMEOUT, .e_portsc = w.portsc };

		if (w.unplug_port_first && feed_port())
			continue;
		if (feed_ring() || feed_port())
			continue;
		if (!w.timer)
			return;
		w.timer = false;
		feed(&e);
	}
	fail_msg("never at rest: state %d", w.port.xp_state);
}

static void
begin(uint8_t speed, uint8_t packet0, uint32_t stride)
{
	struct xh_port_memory pm = {
		.pm_control = MEM(ram.control), .pm_keys = MEM(ram.keys),
		.pm_input = MEM(ram.input), .pm_device = MEM(ram.device),
		.pm_buffer = MEM(ram.buffer),
	};
	struct dma_mem seg = MEM(ram.events), table = MEM(ram.table), commands = MEM(ram.commands);

	memset(&w, 0, sizeof(w));
	memset(&ram, 0xee, sizeof(ram));
	w.speed = speed;
	w.packet0 = packet0;
	w.stride = stride;
	w.fault_at = w.unplug_at = UINT32_MAX;
	memcpy(w.config, config_bytes, sizeof(w.config));
	assert_true(xh_ring_init(&w.commands, &commands));
	assert_true(xh_events_init(&w.events, &seg, 1, &table));
	w.command = (struct reader){ EP_RUNNING, commands.pa, 1 };
	w.post_at = ram.events;
	w.post_cycle = 1;
	assert_true(xh_port_init(&w.port, &pm, stride, PORT, speed == XHCI_SUPER));
}

/* Ready, and keys arrive. */
static void
check_works(void)
{
	uint32_t reports = w.reports;

	assert_int_equal(w.port.xp_state, XH_RUNNING);
	assert_int_equal(w.ready, w.gone + 1);
	assert_true(w.configured == CONFIG_VALUE && w.protocol == 0);
	for (uint8_t key = 4; key < 24; key++) {
		press(key, XHCI_SUCCESS, 8);
		settle();
		assert_int_equal(w.reports, ++reports);
		assert_int_equal(w.report[2], key);
	}
}

static void
check_empty(void)
{
	assert_int_equal(w.port.xp_state, XH_EMPTY);
	assert_true(w.slot == 0 && w.dcbaa == 0 && !w.timer);
	assert_int_equal(w.ready, w.gone);
}

static const struct { uint8_t speed, packet0; } kinds[] = {
	{ XHCI_LOW, 8 }, { XHCI_FULL, 8 }, { XHCI_FULL, 64 }, { XHCI_HIGH, 64 }, { XHCI_SUPER, 9 },
};
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static uint32_t
steps_of(size_t kind)
{
	begin(kinds[kind].speed, kinds[kind].packet0, 32);
	plug();
	settle();
	return w.steps;
}

/* ---------------------------------------------------------------- tests -- */

static void
keyboards_of_all_speeds_become_ready(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < KINDS; kind++)
		for (uint32_t stride = 32; stride <= 64; stride += 32) {
			begin(kinds[kind].speed, kinds[kind].packet0, stride);
			plug();
			settle();
			check_works();
			assert_int_equal(w.port.xp_device.ud_vendor, 0x046d);
			assert_int_equal(w.ep0_packet, kinds[kind].packet0 == 9 ? 512 : w.packet0);
			unplug();
			settle();
			check_empty();
			plug();
			settle();
			check_works();
		}
}

/* One that is there when the kernel starts: no change bits are set. */
static void
a_keyboard_that_was_there_before_becomes_ready(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	plug();
	w.portsc &= ~XHCI_PORT_CHANGES;
	settle();
	check_works();
}

/* A USB 3 port that does not come up by itself gets a warm reset. */
static void
a_usb3_port_that_is_not_enabled_is_reset(void **state)
{
	(void)state;
	begin(XHCI_SUPER, 9, 32);
	plug();
	w.portsc = XHCI_PORT_PP | XHCI_PORT_CCS | XHCI_PORT_CSC | 6u << 5;
	settle();
	check_works();
}

static void
one_fault_at_any_step_is_got_over(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < KINDS; kind++) {
		uint32_t steps = steps_of(kind);

		for (int fault = 1; fault < FAULTS; fault++)
			for (uint32_t at = 0; at < steps; at++) {
				begin(kinds[kind].speed, kinds[kind].packet0, 32);
				w.fault = (enum fault)fault;
				w.fault_at = at;
				w.fault_n = 1;
				plug();
				settle();
				if (w.port.xp_state != XH_DEAD)
					check_works();
				else
					assert_true(fault == FAULT_DEAF &&
					    w.why == XH_WHY_CONTROLLER);
			}
	}
}

/* Two faults with some steps between: mending and beginning anew fail, too. */
static void
faults_on_the_way_back_end_cleanly(void **state)
{
	(void)state;
	for (int fault = 1; fault < FAULTS; fault++)
		for (uint32_t at = 0; at < 16; at++)
			for (uint32_t n = 2; n < 24; n++) {
				begin(XHCI_FULL, 64, 64);
				w.fault = (enum fault)fault;
				w.fault_at = at;
				w.fault_n = n;
				plug();
				settle();
				if (w.port.xp_state == XH_RUNNING)
					check_works();
				else
					assert_true(w.given_up == 1 && !w.timer);
			}
}

static void
what_fails_for_ever_is_given_up_until_it_is_plugged_anew(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < KINDS; kind++) {
		uint32_t steps = steps_of(kind);

		for (int fault = 1; fault < FAULTS; fault++)
			for (uint32_t at = 0; at < steps; at++) {
				begin(kinds[kind].speed, kinds[kind].packet0, 32);
				w.fault = (enum fault)fault;
				w.fault_at = at;
				w.fault_n = UINT32_MAX;
				plug();
				settle();
				w.fault_n = 0;
				if (w.port.xp_state == XH_RUNNING || w.port.xp_state == XH_DEAD)
					continue;
				assert_int_equal(w.port.xp_state, XH_REFUSED);
				assert_true(w.given_up == 1 && w.slot == 0 && w.dcbaa == 0);
				unplug();
				settle();
				check_empty();
				plug();
				settle();
				check_works();
			}
	}
}

static void
unplugging_at_any_step_leaves_nothing(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < KINDS; kind++) {
		uint32_t steps = steps_of(kind);

		for (uint32_t at = 0; at < 2 * steps; at++) {
			begin(kinds[kind].speed, kinds[kind].packet0, 32);
			w.unplug_at = at / 2;
			w.unplug_port_first = (at & 1) != 0;
			plug();
			settle();
			check_empty();
			plug();
			settle();
			check_works();
		}
	}
}

/* Out and in again before anybody looked: only the change bit tells. */
static void
a_quick_exchange_at_any_time_begins_anew(void **state)
{
	uint32_t steps = steps_of(2);

	(void)state;
	for (uint32_t at = 0; at <= steps; at++) {
		begin(XHCI_FULL, 64, 32);
		w.unplug_at = at;
		w.unplug_port_first = true;
		plug();
		while (w.plugged && w.port.xp_state != XH_RUNNING) {
			struct xh_event e = { .e_kind = XH_EV_TIMEOUT, .e_portsc = w.portsc };

			if (!feed_ring() && !feed_port() && w.timer) {
				w.timer = false;
				feed(&e);
			}
		}
		w.unplug_at = UINT32_MAX;
		plug();
		settle();
		check_works();
	}
}

static void
keys_survive_errors_of_their_endpoint(void **state)
{
	static const uint8_t code[] = { XHCI_STALL, XHCI_TRANSACTION, XHCI_BABBLE, XHCI_SPLIT };

	(void)state;
	begin(XHCI_LOW, 8, 32);
	plug();
	settle();
	for (uint32_t i = 0; i < 39; i++) {
		press(0, code[i % 4], 0);
		settle();
		if (i % 3 == 2)
			check_works();
	}
	assert_int_equal(w.gone, 0);
	for (uint32_t i = 0; i < 3 * 4; i++) {		/* and no report in between */
		assert_int_equal(w.port.xp_state, XH_RUNNING);
		press(0, XHCI_STALL, 0);
		settle();
	}
	assert_int_equal(w.port.xp_state, XH_REFUSED);
	assert_int_equal(w.ready, w.gone);
	assert_int_equal(w.why, XH_WHY_TRANSFER);
}

/* Each time it works in between it may fail as often again. */
static void
a_report_gives_all_attempts_back(void **state)
{
	(void)state;
	begin(XHCI_HIGH, 64, 64);
	plug();
	settle();
	for (uint32_t i = 1; i < 10; i++) {
		for (uint32_t n = 0; n < 4; n++) {
			press(0, XHCI_TRANSACTION, 0);
			settle();
		}
		assert_int_equal(w.gone, i);
		check_works();
	}
}

/* The change bit was lost; the caller looked again and saw the connection. */
static void
a_device_that_comes_while_the_last_one_leaves_is_not_lost(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	plug();
	settle();
	unplug();
	assert_true(feed_port());
	assert_int_equal(w.port.xp_state, XH_LEAVING);
	plug();
	w.portsc &= ~XHCI_PORT_CHANGES;
	assert_true(feed_port());
	settle();
	check_works();
}

static void
a_port_that_was_disabled_by_an_error_is_reset(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	plug();
	settle();
	w.portsc = XHCI_PORT_PP | XHCI_PORT_CCS | XHCI_PORT_PEC;
	w.port_event = true;
	settle();
	assert_int_equal(w.gone, 1);
	check_works();
}

static void
a_short_report_is_filled_with_zeros(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	plug();
	settle();
	press(9, XHCI_SUCCESS, 8);
	settle();
	press(7, XHCI_SUCCESS, 3);
	settle();
	assert_memory_equal(w.report, ((uint8_t [8]){ 0, 0, 7 }), 8);
}

static void
lights_follow_the_last_wish(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	set_leds(2);			/* nobody there yet */
	plug();
	settle();
	assert_int_equal(w.leds, 2);
	set_leds(1);
	set_leds(3);
	set_leds(5);
	settle();
	assert_int_equal(w.leds, 5);
	for (uint32_t i = 0; i < 20; i++) {	/* a keyboard without lights says so each time */
		w.fault = FAULT_STALL;
		w.fault_at = w.steps;
		w.fault_n = 1;
		set_leds(i & 1);
		settle();
	}
	assert_int_equal(w.leds, 5);
	check_works();
	for (uint32_t i = 0; i < 10; i++) {	/* one error each is no series */
		w.fault = FAULT_TRANSACTION;
		w.fault_at = w.steps;
		w.fault_n = 1;
		set_leds(i & 1);
		settle();
		assert_int_equal(w.leds, i & 1);
	}
	w.fault_at = w.steps;
	set_leds(7);
	press(0, XHCI_STALL, 0);	/* both endpoints at once */
	settle();
	assert_int_equal(w.leds, 7);
	check_works();
	assert_int_equal(w.gone, 0);
	unplug();
	plug();				/* the next keyboard gets them, too */
	settle();
	assert_int_equal(w.leds, 7);
}

static void
a_silent_keyboard_is_not_waited_for_when_it_has_nothing_to_say(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	plug();
	settle();
	assert_false(w.timer);
	assert_true(w.keys_rung);
}

/* What is behind a short answer in memory is an earlier one: it is not read. */
static void
a_short_descriptor_is_asked_for_again(void **state)
{
	uint32_t clean = steps_of(1);

	(void)state;
	for (uint32_t at = 3; at <= 6; at++) {		/* behind reset, enable and address */
		begin(XHCI_FULL, 8, 32);
		w.fault = FAULT_SHORT;
		w.fault_at = at;
		w.fault_n = 1;
		plug();
		settle();
		assert_true(w.steps > clean);
		check_works();
	}
}

static void
what_is_not_a_keyboard_is_refused_at_once(void **state)
{
	(void)state;
	begin(XHCI_FULL, 8, 32);
	w.config[9 + 7] = 2;
	plug();
	settle();
	assert_int_equal(w.port.xp_state, XH_REFUSED);
	assert_int_equal(w.why, XH_WHY_NOT_KEYBOARD);
	assert_int_equal(w.configured, 0);
	assert_int_equal(w.port.xp_device.ud_class, 3);
	assert_true(w.slot == 0 && w.steps < 12);
}

static void
a_configuration_that_is_too_long_is_refused(void **state)
{
	static const uint16_t total[] = { 0, 8, sizeof(ram.buffer) - 16 + 1, 0xffff };

	(void)state;
	for (size_t i = 0; i < sizeof(total) / sizeof(total[0]); i++) {
		begin(XHCI_FULL, 8, 32);
		w.config[2] = (uint8_t)total[i];
		w.config[3] = (uint8_t)(total[i] >> 8);
		plug();
		settle();
		assert_int_equal(w.port.xp_state, XH_REFUSED);
		assert_int_equal(w.why, XH_WHY_DESCRIPTOR);
	}
	begin(XHCI_FULL, 8, 32);
	w.config[2] = sizeof(ram.buffer) - 16;
	plug();
	settle();
	check_works();
}

/* Nothing of these is about what is under way. */
static void
late_events_are_dropped(void **state)
{
	uint64_t keys = MEM(ram.keys).pa, control = MEM(ram.control).pa;
	struct xh_actions acts;

	(void)state;
	begin(XHCI_FULL, 8, 32);
	plug();
	settle();
	const struct xh_event late[] = {
		{ .e_kind = XH_EV_COMMAND, .e_code = 1, .e_slot = w.slot },
		{ .e_kind = XH_EV_COMMAND, .e_code = 5, .e_slot = 0 },
		{ .e_kind = XH_EV_TIMEOUT },
		{ .e_kind = XH_EV_TRANSFER, .e_code = 1, .e_slot = w.slot + 1, .e_dci = KEYS_DCI,
		    .e_trb = keys },
		{ .e_kind = XH_EV_TRANSFER, .e_code = 6, .e_slot = w.slot, .e_dci = KEYS_DCI,
		    .e_trb = keys + 16 },
		{ .e_kind = XH_EV_TRANSFER, .e_code = 6, .e_slot = w.slot, .e_dci = KEYS_DCI - 2,
		    .e_trb = keys },
		{ .e_kind = XH_EV_TRANSFER, .e_code = 6, .e_slot = w.slot, .e_dci = KEYS_DCI },
		{ .e_kind = XH_EV_TRANSFER, .e_code = 6, .e_slot = w.slot, .e_dci = 1,
		    .e_trb = control },
	};

	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		xh_port_event(&w.port, &late[i], &acts);
		assert_int_equal(acts.n, 0);
	}
	check_works();
}

static void
memory_that_does_not_fit_is_refused(void **state)
{
	struct xh_port_memory good, pm;
	struct xh_port xp;

	(void)state;
	begin(XHCI_FULL, 8, 64);
	good = w.port.xp_mem;
	assert_true(xh_port_init(&xp, &good, 64, 1, false));
	assert_false(xh_port_init(&xp, &good, 48, 1, false));
	assert_false(xh_port_init(&xp, &good, 64, 0, false));
	for (uint32_t i = 0; i < 5; i++) {
		struct dma_mem *m[] = { &pm.pm_control, &pm.pm_keys, &pm.pm_input, &pm.pm_device,
		    &pm.pm_buffer };

		pm = good;
		m[i]->bytes = 63;
		assert_false(xh_port_init(&xp, &pm, 64, 1, false));
		pm = good;
		m[i]->pa += 32;
		assert_false(xh_port_init(&xp, &pm, 64, 1, false));
		pm = good;
		m[i]->pa = 0x1ffc0;
		assert_false(xh_port_init(&xp, &pm, 64, 1, false));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyboards_of_all_speeds_become_ready),
		cmocka_unit_test(a_keyboard_that_was_there_before_becomes_ready),
		cmocka_unit_test(a_usb3_port_that_is_not_enabled_is_reset),
		cmocka_unit_test(one_fault_at_any_step_is_got_over),
		cmocka_unit_test(faults_on_the_way_back_end_cleanly),
		cmocka_unit_test(what_fails_for_ever_is_given_up_until_it_is_plugged_anew),
		cmocka_unit_test(unplugging_at_any_step_leaves_nothing),
		cmocka_unit_test(a_quick_exchange_at_any_time_begins_anew),
		cmocka_unit_test(keys_survive_errors_of_their_endpoint),
		cmocka_unit_test(a_report_gives_all_attempts_back),
		cmocka_unit_test(a_device_that_comes_while_the_last_one_leaves_is_not_lost),
		cmocka_unit_test(a_port_that_was_disabled_by_an_error_is_reset),
		cmocka_unit_test(a_short_report_is_filled_with_zeros),
		cmocka_unit_test(lights_follow_the_last_wish),
		cmocka_unit_test(a_silent_keyboard_is_not_waited_for_when_it_has_nothing_to_say),
		cmocka_unit_test(a_short_descriptor_is_asked_for_again),
		cmocka_unit_test(what_is_not_a_keyboard_is_refused_at_once),
		cmocka_unit_test(a_configuration_that_is_too_long_is_refused),
		cmocka_unit_test(late_events_are_dropped),
		cmocka_unit_test(memory_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
