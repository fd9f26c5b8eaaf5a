/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device - devices that say anything: virtqueues, configuration spaces, the e1000's rings.
 *
 * The first piece is what the virtqueue's device writes, and when; the second the same for
 * the controller; the rest is the configuration space of every function that there is.
 */
#include "fake.h"

#include "../../sys/core/nic/e1000.c"
#include "../../sys/core/pci/pci.c"
#include "../../sys/core/virtio/ring.c"
#include "../../sys/core/virtio/virtio.c"

#define REQUESTS	16u
#define RING_SIZE	8u
#define FRAME_MAX	3000u

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t shared[1024] __attribute__((aligned(128)));

/* One byte says where to write, the next what: anywhere, but more often where it hurts. */
static void
scribble(size_t bytes, const uint8_t *p)
{
	shared[(p[0] * 5u + (p[1] & 3)) % bytes] = p[1];
}

static void
virtqueue(const uint8_t *p, size_t n, bool event_idx)
{
	static struct vring_slot slots[RING_SIZE];
	static struct vring_desc tables[RING_SIZE * 4];
	static bool out[REQUESTS];
	const struct vring_segment seg[3] = { { 1, 1, false }, { 2, 60, true }, { 3, 9000, true } };
	struct vring_setup s = { .size = RING_SIZE, .event_idx = event_idx, .slots = slots };
	struct vring_layout l;
	struct vring_done d;
	struct vring vr;

	vring_layout(RING_SIZE, &l);
	s.ring = (struct dma_mem){ shared, 4096, l.vl_bytes };
	s.indirect = (struct dma_mem){ tables, 8192, event_idx ? sizeof tables : 0 };
	ASSERT(l.vl_bytes <= sizeof shared && vring_init(&vr, &s));
	memset(out, 0, sizeof out);
	for (; n >= 3; p += 3, n -= 3) {
		bool *r = &out[p[0] % REQUESTS];

		if (!*r)
			*r = vring_put(&vr, seg, 1 + p[0] / REQUESTS % 3, r);
		scribble(l.vl_bytes, p + 1);
		vr.vr_used->idx = (uint16_t)(vr.vr_used_idx + (p[0] >> 6));
		(void)vring_must_notify(&vr);
		while (vring_take(&vr, &d)) {
			ASSERT(*(bool *)d.d_cookie && d.d_written <= 9060);
			*(bool *)d.d_cookie = false;
		}
		(void)vring_want_interrupt(&vr, (p[0] & 1) != 0);
		ASSERT(vr.vr_free <= RING_SIZE);
	}
}

static void
controller(const uint8_t *p, size_t n)
{
	static uint8_t buffers[RING_SIZE * E1000_RX_BUFFER], frame[FRAME_MAX];
	static struct e1000_tx_slot slots[RING_SIZE];
	struct dma_mem receive = { shared, 4096, RING_SIZE * 16 };
	struct dma_mem transmit = { shared + RING_SIZE * 16, 8192, RING_SIZE * 16 };
	struct dma_mem bufs = { buffers, 16384, sizeof buffers };
	struct e1000_rx rx;
	struct e1000_tx tx;
	const struct e1000_segment seg[3] = { { 1, 1 }, { 2, 60 }, { 3, E1000_TX_SEGMENT_MAX } };
	uintptr_t put = 0, taken = 0;
	uint32_t bytes;
	void *cookie;

	ASSERT(e1000_rx_init(&rx, RING_SIZE, receive, bufs, frame, FRAME_MAX));
	ASSERT(e1000_tx_init(&tx, RING_SIZE, transmit, slots));
	for (; n >= 3; p += 3, n -= 3) {
		scribble(2 * RING_SIZE * 16, p + 1);
		if ((p[0] & 3) != 0)
			put += e1000_tx_put(&tx, seg, p[0] & 3, (void *)put);
		while (e1000_rx_take(&rx, &bytes))
			ASSERT(bytes >= 14 && bytes <= FRAME_MAX);
		while (e1000_tx_take(&tx, &cookie))
			ASSERT((uintptr_t)cookie == taken++);
		ASSERT(rx.er_have <= FRAME_MAX && e1000_rx_tail(&rx) < RING_SIZE && taken <= put);
	}
}

static const uint8_t *space;
static size_t space_len;
static uint32_t written;	/* so that what is read next depends on it */

static uint32_t
cfg_read(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes)
{
	uint32_t v = 0;

	(void)arg;
	ASSERT(bdf < 65536 && off % bytes == 0 && off + bytes <= 4096);
	for (uint32_t i = 0; i < bytes && space_len > 0; i++)
		v |= (uint32_t)space[(off + i + bdf * 17) % space_len] << 8 * i;
	if (off >= 0x10 && off < 0x28)
		v &= written;
	return v;
}

static void
cfg_write(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes, uint32_t value)
{
	(void)arg;
	ASSERT(bdf < 65536 && off % bytes == 0 && off + bytes <= 4096);
	written = value;
}

static const struct pci_cfg cfg = { cfg_read, cfg_write, NULL };

static void
function(void *arg, const struct pci_function *f)
{
	static uint32_t at[PCI_EXT_CAPS_MAX];
	struct pci_window w[2] = {
		{ true, false, 0x1000, 0x8000 }, { false, true, 1u << 20, 1ull << 40 },
	};
	struct pci_window through[PCI_BRIDGE_WINDOWS];
	struct pci_bar bar[PCI_BARS];
	struct virtio_pci vp;
	struct pci_msix msix;
	struct pci_msi msi;
	uint32_t offset;

	if ((*(uint32_t *)arg)++ > 20)
		return;
	pci_bars(&cfg, f, bar);
	pci_reserve(w, countof(w), bar);
	pci_bridge(&cfg, f, through);
	pci_drop_outside(bar, through, PCI_BRIDGE_WINDOWS);
	pci_reserve(through, PCI_BRIDGE_WINDOWS, bar);
	(void)pci_assign(&cfg, f, bar, through, PCI_BRIDGE_WINDOWS);
	(void)pci_bridge_open(&cfg, f, &w[1], through);
	(void)pci_assign(&cfg, f, bar, w, countof(w));
	for (uint32_t i = 0; i < PCI_BARS; i++)
		ASSERT(bar[i].pb_kind == PCI_BAR_NONE || bar[i].pb_address % bar[i].pb_bytes == 0);
	ASSERT(pci_ext_caps(&cfg, f->pf_bdf, 1, at, PCI_EXT_CAPS_MAX) <= PCI_EXT_CAPS_MAX);
	if (pci_msi(&cfg, f, &msi))
		pci_msi_set(&cfg, f->pf_bdf, &msi, &(struct pci_message){ 0xfee00000u, 0x41 });
	if (pci_msix(&cfg, f, bar, &msix)) {
		ASSERT(msix.px_table_offset + msix.px_entries * 16ull <=
		    bar[msix.px_table_bar].pb_bytes);
		pci_msix_enable(&cfg, f->pf_bdf, &msix, true);
	}
	if (virtio_pci_find(&cfg, f, bar, &vp) &&
	    virtio_pci_notify(&vp, (uint16_t)written, &offset))
		ASSERT(offset + 2ull <= bar[vp.vp_region[VIRTIO_CAP_NOTIFY].bar].pb_bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t functions = 0;
	const uint8_t *piece;
	size_t n;

	fake_begin(data, 0);
	piece = fake_piece(&data, &len, &n);
	virtqueue(piece, n, (n & 1) != 0);
	piece = fake_piece(&data, &len, &n);
	controller(piece, n);
	space = data;
	space_len = len;
	written = UINT32_MAX;
	(void)pci_enumerate(&cfg, 0, function, &functions);
	fake_done();
	return 0;
}
