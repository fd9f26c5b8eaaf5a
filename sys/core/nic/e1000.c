/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000 - descriptor rings.
 *
 * A ring has two owners: from head to tail it is the controller's, the rest ours.  We
 * move the tail by its register; how far the controller is we see by DD in the
 * descriptors, never by its head register, which runs before what is in memory.
 *
 * Received frames are copied out descriptor by descriptor, so that a buffer goes back
 * at once and a frame without an end cannot hold the ring.
 *
 * Invariants
 *   E1  of a descriptor that the controller wrote, DD is read first (acquire), then the rest, once.
 *   E2  er_have is at most er_frame_max; a frame that would be longer, or that has an error or a
 *       length that no buffer has, is dropped as a whole and counted once.
 *   E3  a slot's `last` is ours, so a controller that sets DD here and there can end frames
 *       early, but neither out of order nor twice.
 *
 * Locking: none, the caller's.
 * Not here: registers, offloads, jumbo buffers, descriptors of the newer forms.
 */
#include <core/nic/e1000.h>

#include <core/rt/rt.h>

enum { RX_DD = 0x01, RX_EOP = 0x02 };
enum { RX_ERRORS = 0x97 };	/* CE, SE, SEQ, CXE, RXE: the others are of checksums inside */
enum { TX_EOP = 0x01, TX_IFCS = 0x02, TX_RS = 0x08 };
enum { TX_DD = 0x01, TX_ERRORS = 0x06 };	/* EC, LC */
enum { EERD_START = 0x1, EERD_TRIES = 10000 };
enum { ETHER_HEADER = 14, MAC_BYTES = 6 };

static bool
is_ring(uint32_t count, const struct dma_mem *ring)
{
	return count >= E1000_RING_MIN && count <= E1000_RING_MAX && (count & (count - 1)) == 0 &&
	    ring->bytes >= count * sizeof(struct e1000_rx_desc) &&
	    ((uintptr_t)ring->va | ring->pa) % 128 == 0;
}

/* ------------------------------------------------------------- receive -- */

/* To the controller, empty. */
static void
offer(struct e1000_rx *rx, uint32_t i)
{
	rx->er_desc[i] = (struct e1000_rx_desc){
		.addr = rx->er_buffers.pa + (uint64_t)i * E1000_RX_BUFFER,
	};
}

bool
e1000_rx_init(struct e1000_rx *rx, uint32_t count, struct dma_mem ring, struct dma_mem buffers,
    uint8_t *frame, uint32_t frame_max)
{
	if (!is_ring(count, &ring) || buffers.bytes / E1000_RX_BUFFER < count)
		return false;
	*rx = (struct e1000_rx){
		.er_desc = ring.va, .er_buffers = buffers, .er_count = count,
		.er_frame = frame, .er_frame_max = frame_max,
	};
	for (uint32_t i = 0; i < count; i++)
		offer(rx, i);
	return true;
}

/* E2.  True: a whole frame. */
static bool
add(struct e1000_rx *rx, uint32_t i, uint8_t status)
{
	uint32_t length = __atomic_load_n(&rx->er_desc[i].length, __ATOMIC_RELAXED);
	uint8_t errors = __atomic_load_n(&rx->er_desc[i].errors, __ATOMIC_RELAXED);
	bool whole;

	if (length > E1000_RX_BUFFER || length > rx->er_frame_max - rx->er_have)
		rx->er_is_bad = true;
	if (!rx->er_is_bad) {
		memcpy(rx->er_frame + rx->er_have,
		    (uint8_t *)rx->er_buffers.va + (size_t)i * E1000_RX_BUFFER, length);
		rx->er_have += length;
	}
	if ((status & RX_EOP) == 0)
		return false;
	whole = !rx->er_is_bad && (errors & RX_ERRORS) == 0 && rx->er_have >= ETHER_HEADER;
	rx->er_is_bad = false;
	if (whole)
		rx->er_frames++;
	else
		rx->er_bad++;
	return whole;
}

/* One time around the ring at most: a controller that writes while we read has to wait. */
bool
e1000_rx_take(struct e1000_rx *rx, uint32_t *bytes)
{
	for (uint32_t n = 0; n < rx->er_count; n++) {
		uint32_t i = rx->er_next;
		uint8_t status = __atomic_load_n(&rx->er_desc[i].status, __ATOMIC_ACQUIRE);
		bool whole;

		if ((status & RX_DD) == 0)
			return false;		/* E1 */
		whole = add(rx, i, status);
		*bytes = rx->er_have;
		if ((status & RX_EOP) != 0)
			rx->er_have = 0;
		offer(rx, i);
		rx->er_next = (i + 1) & (rx->er_count - 1);
		if (whole)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------ transmit -- */

bool
e1000_tx_init(struct e1000_tx *tx, uint32_t count, struct dma_mem ring, struct e1000_tx_slot *slots)
{
	if (!is_ring(count, &ring))
		return false;
	*tx = (struct e1000_tx){ .et_desc = ring.va, .et_slot = slots, .et_count = count };
	memset(ring.va, 0, count * sizeof(struct e1000_tx_desc));
	return true;
}

/* The caller's write of TDT makes it visible: on a PC, stores before it are seen before it. */
bool
e1000_tx_put(struct e1000_tx *tx, const struct e1000_segment *seg, uint32_t n, void *cookie)
{
	uint32_t mask = tx->et_count - 1, first = tx->et_tail;

	ASSERT(n > 0);
	if (n > ((tx->et_head - first - 1) & mask))
		return false;
	for (uint32_t k = 0; k < n; k++) {
		ASSERT(seg[k].bytes > 0 && seg[k].bytes <= E1000_TX_SEGMENT_MAX);
		tx->et_desc[(first + k) & mask] = (struct e1000_tx_desc){
			.addr = seg[k].pa,
			.length = (uint16_t)seg[k].bytes,
			.command = TX_IFCS | (k + 1 == n ? TX_EOP | TX_RS : 0),
		};
	}
	tx->et_slot[first] = (struct e1000_tx_slot){ cookie, (first + n - 1) & mask };
	tx->et_tail = (first + n) & mask;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return true;
}

bool
e1000_tx_take(struct e1000_tx *tx, void **cookie)
{
	const struct e1000_tx_slot *slot = &tx->et_slot[tx->et_head];
	uint8_t status;

	if (tx->et_head == tx->et_tail)
		return false;
	status = __atomic_load_n(&tx->et_desc[slot->last].status, __ATOMIC_ACQUIRE);	/* E1, E3 */
	if ((status & TX_DD) == 0)
		return false;
	if ((status & TX_ERRORS) != 0)
		tx->et_bad++;
	*cookie = slot->cookie;
	tx->et_head = (slot->last + 1) & (tx->et_count - 1);
	return true;
}

/* ---------------------------------------------------- link and address -- */

void
e1000_link(uint32_t status, struct e1000_link *link)
{
	static const uint16_t mbit[4] = { 10, 100, 1000, 1000 };

	link->is_full_duplex = (status & 1) != 0;
	link->is_up = (status & 2) != 0;
	link->mbit = mbit[status >> 6 & 3];
}

/* A word of the EEPROM.  The 82574L moved the address and the bit that says done. */
static bool
eeprom(const struct e1000_regs *regs, uint16_t device, uint32_t word, uint16_t *out)
{
	uint32_t shift = device == E1000_82574L ? 2 : 8, done = device == E1000_82574L ? 0x2 : 0x10;

	regs->write(regs->arg, E1000_EERD, word << shift | EERD_START);
	for (uint32_t i = 0; i < EERD_TRIES; i++) {
		uint32_t v = regs->read(regs->arg, E1000_EERD);

		if (v == UINT32_MAX)
			return false;		/* nobody there */
		if ((v & done) != 0) {
			*out = (uint16_t)(v >> 16);
			return true;
		}
	}
	return false;
}

/* One station's: not a group's, not nobody's. */
static bool
is_station(const uint8_t mac[MAC_BYTES])
{
	uint8_t any = 0;

	for (uint32_t i = 0; i < MAC_BYTES; i++)
		any |= mac[i];
	return any != 0 && (mac[0] & 1) == 0;
}

bool
e1000_mac(const struct e1000_regs *regs, uint16_t device, uint8_t mac[6])
{
	uint32_t low = regs->read(regs->arg, E1000_RAL), high = regs->read(regs->arg, E1000_RAH);
	uint16_t word[3] = { (uint16_t)low, (uint16_t)(low >> 16), (uint16_t)high };
	uint8_t got[MAC_BYTES];

	for (uint32_t try = 0; try < 2; try++) {
		memcpy(got, word, MAC_BYTES);
		if ((try == 1 || (high & E1000_RAH_VALID) != 0) && is_station(got)) {
			memcpy(mac, got, MAC_BYTES);
			return true;
		}
		for (uint32_t i = 0; i < 3 && try == 0; i++)
			if (!eeprom(regs, device, i, &word[i]))
				return false;
	}
	return false;
}
