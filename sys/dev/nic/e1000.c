/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000 - Intel's 82540EM and 82574L.
 *
 * Frames are copied, both ways, between memory of others and buffers that stay
 * where they are.  So a frame that was sent needs no interrupt: its place is
 * taken back when the next one wants one.
 *
 * The interrupt acknowledges and then receives; what comes in between is
 * received, or interrupts again.  It does a limited number of frames and calls
 * itself for the rest, so that a flood leaves room for others.
 *
 * The thread follows the link, and resets a controller that has sent nothing for
 * STUCK_NS though its ring is full.  If it has sent nothing in between, the
 * next reset after RESETS_MAX is its end.
 *
 * Locking: n_lock guards rings and n_is_up; without n_is_up nobody but the thread
 * touches the rings.  It is not held while a frame is with nd_input, so n_frame
 * and with it receiving are the interrupt's alone.
 * Not here: checksums, segmentation, multicast, jumbo frames.
 */
#include <core/nic/e1000.h>
#include <core/rt/rt.h>
#include <drv/dma.h>
#include <drv/lock.h>
#include <drv/net.h>
#include <drv/pci.h>
#include <drv/thread.h>
#include <stdatomic.h>

#define REG_BYTES	0x20000u
#define RX_COUNT	256u
#define TX_COUNT	128u
#define TX_BUFFER	2048u
#define ETHER_HEADER	14u
#define FRAMES_MAX	64u			/* received per interrupt */
#define ITR_VALUE	195u			/* interrupts at least 50 us apart, in 256 ns */
#define STUCK_NS	(5 * NSEC_PER_SEC)
#define RESETS_MAX	3u
#define MS		1000000ull
#define CAUSES		(E1000_INT_LSC | E1000_INT_RXDMT0 | E1000_INT_RXO | E1000_INT_RXT0)
#define CAUSES_MSIX	(CAUSES | E1000_INT_RXQ0 | E1000_INT_OTHER)

/* What the controller sees of us. */
struct shared {
	_Alignas(4096) struct e1000_rx_desc sh_rx[RX_COUNT];
	_Alignas(4096) struct e1000_tx_desc sh_tx[TX_COUNT];
	uint8_t		sh_rx_buffer[RX_COUNT][E1000_RX_BUFFER];
	uint8_t		sh_tx_buffer[TX_COUNT][TX_BUFFER];
};

struct nic {
	struct netdev	n_net;
	struct pcidev	*n_pd;			/* const */
	volatile uint8_t *n_regs;		/* const */
	struct dma_mem	n_memory;		/* const: struct shared */
	uint32_t	n_causes;		/* const: of interrupts */
	bool		n_msix;			/* const */
	struct drv_event n_event;
	struct drv_lock	n_lock;
	bool		n_is_up;		/* [n_lock] */
	struct e1000_rx	n_rx;			/* [n_lock] */
	struct e1000_tx	n_tx;			/* [n_lock] */
	struct e1000_tx_slot n_slot[TX_COUNT];	/* [n_lock] */
	uint32_t	n_resets;		/* [n_lock] since something was sent */
	nsec_t		n_moved;		/* [n_lock] when a frame was sent, or the link changed */
	uint8_t		n_frame[NET_FRAME_MAX];	/* [the interrupt] */
};

static uint32_t
get(const struct nic *n, uint32_t reg)
{
	return *(volatile uint32_t *)(n->n_regs + reg);
}

/* What was written to memory before is there before. */
static void
set(const struct nic *n, uint32_t reg, uint32_t v)
{
	atomic_thread_fence(memory_order_release);
	*(volatile uint32_t *)(n->n_regs + reg) = v;
}

static uint32_t reg_read(void *arg, uint32_t reg) { return get(arg, reg); }
static void reg_write(void *arg, uint32_t reg, uint32_t v) { set(arg, reg, v); }

/* -------------------------------------------------------------- frames -- */

static bool
send(struct netdev *nd, const void *frame, size_t len)
{
	struct nic *n = nd->nd_driver;
	struct shared *sh = n->n_memory.va;
	struct e1000_segment seg;
	bool is_stuck = false, ok;
	uint32_t place;
	void *cookie;

	if (len < ETHER_HEADER || len > NET_FRAME_MAX)
		return false;
	drv_lock(&n->n_lock);
	while (n->n_is_up && e1000_tx_take(&n->n_tx, &cookie)) {
		n->n_moved = md_now();
		n->n_resets = 0;
	}
	place = n->n_tx.et_tail;
	seg = (struct e1000_segment){ dma_pa(&n->n_memory, sh->sh_tx_buffer[place]), (uint32_t)len };
	ok = n->n_is_up && atomic_load(&nd->nd_link) && e1000_tx_put(&n->n_tx, &seg, 1, NULL);
	if (ok) {
		memcpy(sh->sh_tx_buffer[place], frame, len);
		set(n, E1000_TDT, n->n_tx.et_tail);
		atomic_fetch_add(&nd->nd_out, 1);
	} else {
		is_stuck = n->n_is_up && md_now() - n->n_moved > STUCK_NS;
	}
	drv_unlock(&n->n_lock);
	if (is_stuck)
		drv_event_set(&n->n_event);
	return ok;
}

/* A frame into n_frame.  False: none. */
static bool
take(struct nic *n, uint32_t *bytes)
{
	uint64_t bad;
	bool ok;

	drv_lock(&n->n_lock);
	bad = n->n_rx.er_bad;
	ok = n->n_is_up && e1000_rx_take(&n->n_rx, bytes);
	atomic_fetch_add(&n->n_net.nd_bad, n->n_rx.er_bad - bad);
	drv_unlock(&n->n_lock);
	return ok;
}

static void
receive(struct nic *n)
{
	uint32_t frames = 0, bytes;

	for (; frames < FRAMES_MAX && take(n, &bytes); frames++) {
		void (*input)(struct netdev *, const void *, size_t) = atomic_load(&n->n_net.nd_input);

		atomic_fetch_add(&n->n_net.nd_in, 1);
		if (input != NULL)
			input(&n->n_net, n->n_frame, bytes);
	}
	drv_lock(&n->n_lock);
	if (n->n_is_up) {
		set(n, E1000_RDT, e1000_rx_tail(&n->n_rx));
		if (frames == FRAMES_MAX)
			set(n, E1000_ICS, n->n_causes & (E1000_INT_RXT0 | E1000_INT_RXQ0));
	}
	drv_unlock(&n->n_lock);
}

/*
 * Reading clears causes, but the 82574L's only at times; writing them does.  With MSI-X a cause
 * makes no second message before it is enabled anew.
 */
static void
interrupt(void *arg)
{
	struct nic *n = arg;
	uint32_t causes = get(n, E1000_ICR);

	if (causes == 0)
		return;			/* somebody else's, or the clock's */
	set(n, E1000_ICR, causes);
	if ((causes & E1000_INT_LSC) != 0)
		drv_event_set(&n->n_event);
	if (causes != UINT32_MAX)
		receive(n);
	if (n->n_msix)
		set(n, E1000_IMS, n->n_causes);
}

/* ---------------------------------------------------------- the thread -- */

static bool
is_reset(void *arg)
{
	return (get(arg, E1000_CTRL) & E1000_CTRL_RST) == 0;
}

/* It does nothing any more.  False: it does not answer. */
static bool
reset(struct nic *n)
{
	set(n, E1000_IMC, UINT32_MAX);
	set(n, E1000_RCTL, 0);
	set(n, E1000_TCTL, 0);
	drv_sleep(10 * MS);		/* what is under way on the bus ends */
	set(n, E1000_CTRL, get(n, E1000_CTRL) | E1000_CTRL_RST);
	drv_sleep(10 * MS);		/* it reads its EEPROM */
	if (!drv_poll(is_reset, n, 100 * MS))
		return false;
	set(n, E1000_IMC, UINT32_MAX);
	(void)get(n, E1000_ICR);
	return true;
}

static void
set_rings(struct nic *n)
{
	struct shared *sh = n->n_memory.va;
	struct dma_mem rx = DMA_PIECE(&n->n_memory, sh->sh_rx), tx = DMA_PIECE(&n->n_memory, sh->sh_tx);
	struct dma_mem buffers = DMA_PIECE(&n->n_memory, sh->sh_rx_buffer);
	bool ok = e1000_rx_init(&n->n_rx, RX_COUNT, rx, buffers, n->n_frame, sizeof n->n_frame) &&
	    e1000_tx_init(&n->n_tx, TX_COUNT, tx, n->n_slot);

	ASSERT(ok);		/* the memory is as it must be */
	set(n, E1000_RDBAL, (uint32_t)rx.pa);
	set(n, E1000_RDBAH, (uint32_t)(rx.pa >> 32));
	set(n, E1000_RDLEN, sizeof sh->sh_rx);
	set(n, E1000_RDH, 0);
	set(n, E1000_RDT, 0);
	set(n, E1000_TDBAL, (uint32_t)tx.pa);
	set(n, E1000_TDBAH, (uint32_t)(tx.pa >> 32));
	set(n, E1000_TDLEN, sizeof sh->sh_tx);
	set(n, E1000_TDH, 0);
	set(n, E1000_TDT, 0);
}

static void
set_registers(struct nic *n)
{
	const uint8_t *mac = n->n_net.nd_mac;
	uint32_t clear = E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_VME | E1000_CTRL_PHY_RST;

	set(n, E1000_CTRL, (get(n, E1000_CTRL) & ~clear) | E1000_CTRL_SLU | E1000_CTRL_ASDE);
	set(n, E1000_FCAL, 0);		/* no flow control */
	set(n, E1000_FCAH, 0);
	set(n, E1000_FCT, 0);
	set(n, E1000_FCTTV, 0);
	for (uint32_t i = 0; i < E1000_MTA_WORDS; i++)
		set(n, E1000_MTA + i * 4, 0);
	set(n, E1000_RAL, mac[0] | mac[1] << 8 | mac[2] << 16 | (uint32_t)mac[3] << 24);
	set(n, E1000_RAH, mac[4] | mac[5] << 8 | E1000_RAH_VALID);
	if (n->n_pd->pd_fn.pf_device == E1000_82574L)
		set(n, E1000_TXDCTL, get(n, E1000_TXDCTL) | E1000_TXDCTL_COUNT);
	if (n->n_msix)
		set(n, E1000_IVAR, E1000_IVAR_FIRST);
	set(n, E1000_RDTR, 0);
	set(n, E1000_ITR, ITR_VALUE);
	set(n, E1000_TIPG, E1000_TIPG_VALUE);
	set(n, E1000_TCTL, E1000_TCTL_VALUE);
	set(n, E1000_RCTL, E1000_RCTL_VALUE);
}

/* After a reset. */
static void
start(struct nic *n)
{
	set_rings(n);
	set_registers(n);
	drv_lock(&n->n_lock);
	n->n_is_up = true;
	n->n_moved = md_now();
	set(n, E1000_RDT, e1000_rx_tail(&n->n_rx));
	set(n, E1000_IMS, n->n_causes);
	drv_unlock(&n->n_lock);
}

static void
stop(struct nic *n)
{
	drv_lock(&n->n_lock);
	n->n_is_up = false;
	drv_unlock(&n->n_lock);
}

/* False: that is the end. */
static bool
follow_link(struct nic *n)
{
	uint32_t status = get(n, E1000_STATUS);
	struct e1000_link link;

	if (status == UINT32_MAX) {
		drv_log(n->n_net.nd_name, "it is gone");
		stop(n);
		return false;
	}
	e1000_link(status, &link);
	if (link.is_up == atomic_load(&n->n_net.nd_link))
		return true;
	drv_lock(&n->n_lock);
	n->n_moved = md_now();		/* without a link nothing is sent */
	drv_unlock(&n->n_lock);
	atomic_store(&n->n_net.nd_link, link.is_up);
	if (link.is_up)
		drv_log(n->n_net.nd_name, "link up: %u Mbit/s, %s duplex", link.mbit,
		    link.is_full_duplex ? "full" : "half");
	else
		drv_log(n->n_net.nd_name, "link down");
	return true;
}

/* Likewise. */
static bool
reset_if_stuck(struct nic *n)
{
	bool is_stuck;

	drv_lock(&n->n_lock);
	is_stuck = n->n_tx.et_head != n->n_tx.et_tail && md_now() - n->n_moved > STUCK_NS;
	drv_unlock(&n->n_lock);
	if (!is_stuck)
		return true;
	stop(n);
	if (!reset(n) || n->n_resets++ == RESETS_MAX) {
		drv_log(n->n_net.nd_name, "it sends nothing: given up");
		return false;
	}
	drv_log(n->n_net.nd_name, "it sends nothing: it was reset");
	start(n);
	return true;
}

/* -------------------------------------------------------------- attach -- */

/* NULL: nothing that can be used, and the log says why. */
static struct nic *
find(struct pcidev *pd)
{
	struct nic *n = drv_alloc(sizeof *n);
	struct e1000_regs regs = { reg_read, reg_write, n };
	const char *why = NULL;

	if (n == NULL)
		return NULL;
	n->n_pd = pd;
	n->n_regs = pci_map(pd, 0, 0, REG_BYTES);
	if (n->n_regs == NULL)
		why = "no registers";
	else if (!reset(n))
		why = "its reset does not end";
	else if (!e1000_mac(&regs, pd->pd_fn.pf_device, n->n_net.nd_mac))
		why = "no address";
	else if (dma_alloc(&n->n_memory, sizeof(struct shared), UINT64_MAX) != 0)
		why = "no memory";
	if (why == NULL)
		return n;
	drv_log(pd->pd_name, "Ethernet: %s", why);
	drv_free(n);
	return NULL;
}

static void
attach(struct pcidev *pd)
{
	struct pci_vector vector = { .pv_fn = interrupt };
	static const struct net_ops ops = { .send = send };
	struct nic *n = find(pd);
	const uint8_t *mac;

	if (n == NULL)
		return;
	mac = n->n_net.nd_mac;
	drv_event_init(&n->n_event);
	n->n_net.nd_ops = &ops;
	n->n_net.nd_driver = n;
	vector.pv_arg = n;
	pci_master(pd);
	(void)pci_interrupts(pd, &vector, 1, &n->n_msix);
	n->n_causes = n->n_msix ? CAUSES_MSIX : CAUSES;
	start(n);
	net_attach(&n->n_net);
	drv_log(n->n_net.nd_name, "%s, %02x:%02x:%02x:%02x:%02x:%02x", pd->pd_name, mac[0], mac[1],
	    mac[2], mac[3], mac[4], mac[5]);
	pci_attached(pd);
	while (follow_link(n) && reset_if_stuck(n))
		(void)drv_event_wait(&n->n_event, NSEC_NEVER);
	atomic_store(&n->n_net.nd_link, false);
}

static bool
match(const struct pci_function *f)
{
	return f->pf_vendor == E1000_VENDOR &&
	    (f->pf_device == E1000_82540EM || f->pf_device == E1000_82574L);
}

const struct pci_driver e1000_driver = { .pr_name = "e1000", .pr_match = match, .pr_attach = attach };
