/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_e1000 - our rings against a controller made from the manual.
 *
 * The model knows what was written to RDT and TDT and the memory behind.  Frames of
 * random sizes in random numbers go both ways, spread over descriptors; then a
 * controller that lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/nic/e1000.c"

#define COUNT_MAX	64u
#define FRAME_MAX	9000u
#define PA_OFFSET	0x7000000000ull		/* so that who confuses addresses faults */

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint8_t ring_memory[COUNT_MAX * 16] __attribute__((aligned(128)));
static uint8_t buffers[COUNT_MAX * E1000_RX_BUFFER], frame[FRAME_MAX];
static struct e1000_tx_slot slots[COUNT_MAX];
static struct e1000_rx rx;
static struct e1000_tx tx;
static uint32_t head, tail;		/* the controller's registers */
static uint64_t rng;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

static struct dma_mem
dma(void *va, size_t bytes)
{
	return (struct dma_mem){ va, (uintptr_t)va + PA_OFFSET, bytes };
}

/* ------------------------------------------------------------- receive -- */

static void
begin_rx(uint32_t count)
{
	memset(ring_memory, 0xa5, sizeof ring_memory);
	assert_true(e1000_rx_init(&rx, count, dma(ring_memory, count * 16),
	    dma(buffers, (size_t)count * E1000_RX_BUFFER), frame, sizeof frame));
	head = 0;
	tail = e1000_rx_tail(&rx);
}

static uint32_t room(void) { return (tail - head) & (rx.er_count - 1); }

/* The controller fills its next descriptor. */
static void
fill(uint32_t length, uint8_t value, uint8_t status, uint8_t errors)
{
	struct e1000_rx_desc *d = &((struct e1000_rx_desc *)(void *)ring_memory)[head];

	assert_int_not_equal(head, tail);
	assert_int_equal(d->status, 0);
	assert_int_equal(d->addr, (uintptr_t)buffers + PA_OFFSET + head * E1000_RX_BUFFER);
	memset((void *)(uintptr_t)(d->addr - PA_OFFSET), value, rt_min(length, E1000_RX_BUFFER));
	d->length = (uint16_t)length;
	d->errors = errors;
	__atomic_store_n(&d->status, status, __ATOMIC_RELEASE);
	head = (head + 1) & (rx.er_count - 1);
}

static uint32_t sizes[COUNT_MAX], size_put, size_got;

/* A frame over as many descriptors as it needs, or as chance will have it. */
static void
deliver(void)
{
	uint32_t size = 14 + rnd(3 * E1000_RX_BUFFER), left = size;
	uint8_t value = (uint8_t)size_put;

	if (room() < 2 + size / E1000_RX_BUFFER + 3)
		return;
	for (uint32_t pieces = rnd(3); pieces > 0 && left > 1; pieces--) {
		uint32_t n = 1 + rnd((uint32_t)rt_min(left - 1, E1000_RX_BUFFER));

		fill(n, value, RX_DD, 0);
		left -= n;
	}
	for (; left > E1000_RX_BUFFER; left -= E1000_RX_BUFFER)
		fill(E1000_RX_BUFFER, value, RX_DD, 0);
	fill(left, value, RX_DD | RX_EOP, 0x60);	/* errors of checksums inside */
	sizes[size_put++ % COUNT_MAX] = size;
}

static void
frames_arrive_in_order_and_whole(void **state)
{
	uint32_t bytes;

	(void)state;
	for (rng = 1; rng < 4; rng++) {
		begin_rx(16u << rng % 3);
		size_put = size_got = 0;
		for (uint32_t i = 0; i < 20000; i++) {
			for (uint32_t n = rnd(5); n > 0; n--)
				deliver();
			for (uint32_t n = rnd(5); n > 0 && e1000_rx_take(&rx, &bytes); n--) {
				assert_int_not_equal(size_got, size_put);
				assert_int_equal(bytes, sizes[size_got % COUNT_MAX]);
				for (uint32_t k = 0; k < bytes; k++)
					if (frame[k] != (uint8_t)size_got)
						fail();
				size_got++;
			}
			tail = e1000_rx_tail(&rx);
		}
		while (e1000_rx_take(&rx, &bytes))
			size_got++;
		assert_int_equal(size_got, size_put);
		assert_true(size_put > 5000);
		assert_int_equal(rx.er_frames, size_put);
		assert_int_equal(rx.er_bad, 0);
		tail = e1000_rx_tail(&rx);
		assert_int_equal(room(), rx.er_count - 1);
	}
}

static void
bad_frames_are_dropped_as_a_whole(void **state)
{
	static const struct { uint32_t length[3], errors; } bad[] = {
		{ { 60 }, 0x01 }, { { 60 }, 0x02 }, { { 60 }, 0x04 }, { { 60 }, 0x10 },
		{ { 60 }, 0x80 }, { { 0 }, 0 }, { { 13 }, 0 }, { { 2049 }, 0 }, { { 65535 }, 0 },
		{ { 2048, 65535, 60 }, 0 }, { { 2049, 60 }, 0 }, { { 60, 60 }, 0x80 },
	};
	uint32_t bytes;

	(void)state;
	begin_rx(8);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		for (uint32_t k = 0; k < 3; k++) {
			bool last = k == 2 || bad[i].length[k + 1] == 0;

			if (last) {
				fill(bad[i].length[k], 1, RX_DD | RX_EOP, (uint8_t)bad[i].errors);
				break;
			}
			fill(bad[i].length[k], 1, RX_DD, 0);
		}
		fill(64, 2, RX_DD | RX_EOP, 0);
		assert_true(e1000_rx_take(&rx, &bytes));
		assert_int_equal(bytes, 64);
		assert_int_equal(frame[0], 2);
		assert_int_equal(rx.er_bad, i + 1);
		assert_false(e1000_rx_take(&rx, &bytes));
		tail = e1000_rx_tail(&rx);
	}
}

/* A frame that never ends goes through the ring, not into it. */
static void
an_endless_frame_holds_nothing(void **state)
{
	uint32_t bytes;

	(void)state;
	begin_rx(8);
	for (uint32_t i = 0; i < 1000; i++) {
		fill(E1000_RX_BUFFER, 1, RX_DD, 0);
		assert_false(e1000_rx_take(&rx, &bytes));
		tail = e1000_rx_tail(&rx);
		assert_int_equal(room(), 7);
	}
	fill(60, 1, RX_DD | RX_EOP, 0);
	assert_false(e1000_rx_take(&rx, &bytes));
	assert_int_equal(rx.er_bad, 1);
	tail = e1000_rx_tail(&rx);
	for (uint32_t n = 4; n > 0; n--)	/* 8192 of 9000 */
		fill(E1000_RX_BUFFER, 1, RX_DD, 0);
	fill(FRAME_MAX - 8192, 3, RX_DD | RX_EOP, 0);
	assert_true(e1000_rx_take(&rx, &bytes));
	assert_int_equal(bytes, FRAME_MAX);
	assert_int_equal(frame[FRAME_MAX - 1], 3);
	tail = e1000_rx_tail(&rx);
	for (uint32_t n = 4; n > 0; n--)
		fill(E1000_RX_BUFFER, 1, RX_DD, 0);
	fill(FRAME_MAX - 8191, 3, RX_DD | RX_EOP, 0);
	assert_false(e1000_rx_take(&rx, &bytes));
	assert_int_equal(rx.er_bad, 2);
}

static void
random_descriptors_are_survived(void **state)
{
	uint32_t bytes, taken;

	(void)state;
	rng = 9;
	begin_rx(8);
	for (uint32_t i = 0; i < 100000; i++) {
		for (uint32_t k = rnd(64); k > 0; k--)
			ring_memory[rnd(8 * 16)] = (uint8_t)(rnd(256) & rnd(256));
		for (taken = 0; e1000_rx_take(&rx, &bytes); taken++) {
			assert_true(bytes >= 14 && bytes <= FRAME_MAX);
			assert_true(taken < 8);
		}
		assert_true(rx.er_have <= FRAME_MAX);
	}
	assert_true(rx.er_bad > 1000 && rx.er_frames > 10);
}

/* ------------------------------------------------------------ transmit -- */

static void
begin_tx(uint32_t count)
{
	memset(ring_memory, 0xa5, sizeof ring_memory);
	assert_true(e1000_tx_init(&tx, count, dma(ring_memory, count * 16), slots));
	head = 0;
}

/* The controller sends up to `n` frames and reports the last descriptor of each. */
static uint32_t
transmit(uint32_t n, uint64_t *sent)
{
	uint32_t frames = 0;

	while (frames < n && head != tx.et_tail) {
		struct e1000_tx_desc *d = &((struct e1000_tx_desc *)(void *)ring_memory)[head];

		assert_int_equal(d->status, 0);
		assert_int_equal(d->addr, *sent << 8);
		assert_int_equal(d->length, 1 + *sent % E1000_TX_SEGMENT_MAX);
		assert_true((d->command & TX_IFCS) != 0);
		assert_int_equal((d->command & TX_RS) != 0, (d->command & TX_EOP) != 0);
		++*sent;
		if ((d->command & TX_EOP) != 0) {
			d->status = TX_DD;
			frames++;
		}
		head = (head + 1) & (tx.et_count - 1);
	}
	return frames;
}

static void
frames_are_sent_and_taken_back(void **state)
{
	uint64_t made = 0, sent = 0;
	uintptr_t put = 0, taken = 0;
	uint32_t frames = 0, used = 0;
	void *cookie;

	(void)state;
	rng = 3;
	begin_tx(16);
	while (taken < 50000) {
		struct e1000_segment seg[16];
		uint32_t n = 1 + rnd(16), was_free = 15 - ((tx.et_tail - tx.et_head) & 15);

		for (uint32_t i = 0; i < n; i++)
			seg[i] = (struct e1000_segment){ (made + i) << 8,
			    (uint32_t)(1 + (made + i) % E1000_TX_SEGMENT_MAX) };
		if (e1000_tx_put(&tx, seg, n, (void *)put)) {
			assert_true(n <= was_free);
			made += n;
			put++;
		} else
			assert_true(n > was_free);
		if (rnd(3) == 0)
			frames += transmit(1 + rnd(3), &sent);
		for (; rnd(4) != 0 && e1000_tx_take(&tx, &cookie); frames--) {
			assert_true(frames > 0);
			assert_int_equal((uintptr_t)cookie, taken++);
			used++;
		}
	}
	assert_int_equal(used, 50000);
	assert_int_equal(tx.et_bad, 0);
}

static void
done_is_believed_for_a_frames_end_only(void **state)
{
	struct e1000_segment seg[4] = { { 1, 60 }, { 2, 60 }, { 3, 60 }, { 4, 60 } };
	struct e1000_tx_desc *d = (struct e1000_tx_desc *)(void *)ring_memory;
	void *cookie;
	int a, b;

	(void)state;
	begin_tx(8);
	assert_false(e1000_tx_take(&tx, &cookie));
	for (uint32_t i = 0; i < 8; i++)
		d[i].status = 0xff;
	assert_false(e1000_tx_take(&tx, &cookie));		/* nothing was sent */
	assert_true(e1000_tx_put(&tx, seg, 3, &a));
	assert_true(e1000_tx_put(&tx, seg, 1, &b));
	assert_false(e1000_tx_put(&tx, seg, 4, &b));
	d[0].status = d[1].status = d[3].status = TX_DD;
	assert_false(e1000_tx_take(&tx, &cookie));	/* its end is 2, and 3 comes later */
	d[2].status = TX_DD | 0x04;
	assert_true(e1000_tx_take(&tx, &cookie));
	assert_ptr_equal(cookie, &a);
	assert_int_equal(tx.et_bad, 1);
	assert_true(e1000_tx_take(&tx, &cookie));
	assert_ptr_equal(cookie, &b);
	assert_false(e1000_tx_take(&tx, &cookie));
}

/* --------------------------------------------------------- the rest -- */

static void
bad_memory_is_refused(void **state)
{
	struct dma_mem ring = dma(ring_memory, 8 * 16), odd;
	struct dma_mem bufs = dma(buffers, 8 * E1000_RX_BUFFER);

	(void)state;
	assert_true(e1000_rx_init(&rx, 8, ring, bufs, frame, FRAME_MAX));
	assert_false(e1000_rx_init(&rx, 16, ring, bufs, frame, FRAME_MAX));
	assert_false(e1000_rx_init(&rx, 7, ring, bufs, frame, FRAME_MAX));
	assert_false(e1000_rx_init(&rx, 4, ring, bufs, frame, FRAME_MAX));
	assert_false(e1000_rx_init(&rx, 0, ring, bufs, frame, FRAME_MAX));
	odd = bufs, odd.bytes--;
	assert_false(e1000_rx_init(&rx, 8, ring, odd, frame, FRAME_MAX));
	odd = ring, odd.pa += 16;
	assert_false(e1000_rx_init(&rx, 8, odd, bufs, frame, FRAME_MAX));
	assert_false(e1000_tx_init(&tx, 8, odd, slots));
	odd.bytes = SIZE_MAX, odd.pa = 0;
	assert_false(e1000_tx_init(&tx, 8192, odd, slots));
}

static void
the_link_is_decoded(void **state)
{
	static const struct { uint32_t status, mbit; bool up, full; } t[] = {
		{ 0x80080783, 1000, true, true }, { 0x40, 100, false, false },
		{ 0x03, 10, true, true }, { 0xc2, 1000, true, false },
	};
	struct e1000_link l;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		e1000_link(t[i].status, &l);
		assert_int_equal(l.mbit, t[i].mbit);
		assert_int_equal(l.is_up, t[i].up);
		assert_int_equal(l.is_full_duplex, t[i].full);
	}
}

static struct {
	uint32_t	ral, rah, eerd, shift, done, busy, reads;
	uint16_t	word[3];
} nic;

static uint32_t
nic_read(void *arg, uint32_t reg)
{
	(void)arg;
	nic.reads++;
	switch (reg) {
	case 0x5400: return nic.ral;
	case 0x5404: return nic.rah;
	case 0x0014:
		if (nic.busy > 0) {
			nic.busy--;
			return nic.eerd;
		}
		assert_true(nic.eerd >> nic.shift < 3);
		return nic.eerd | nic.done | (uint32_t)nic.word[nic.eerd >> nic.shift] << 16;
	default: fail();
	}
	return 0;
}

static void
nic_write(void *arg, uint32_t reg, uint32_t value)
{
	(void)arg;
	assert_int_equal(reg, 0x14);
	assert_int_equal(value & 1, 1);
	nic.eerd = value;
}

static void
the_address_is_read(void **state)
{
	static const uint8_t want[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	const struct e1000_regs regs = { nic_read, nic_write, NULL };
	uint8_t mac[6];

	(void)state;
	memset(&nic, 0, sizeof nic);
	nic.ral = 0x12005452;
	nic.rah = 0x80005634;
	assert_true(e1000_mac(&regs, E1000_82540EM, mac));
	assert_memory_equal(mac, want, 6);
	assert_int_equal(nic.reads, 2);
	memcpy(nic.word, want, 6);
	for (int newer = 0; newer < 2; newer++) {
		nic.ral = 0, nic.rah = newer != 0 ? 0x80000000 : 0x00005634;
		nic.busy = 5;
		nic.shift = newer != 0 ? 2 : 8;
		nic.done = newer != 0 ? 2 : 0x10;
		memset(mac, 0, 6);
		assert_true(e1000_mac(&regs, newer != 0 ? E1000_82574L : E1000_82540EM, mac));
		assert_memory_equal(mac, want, 6);
	}
	nic.busy = UINT32_MAX, nic.reads = 0;
	assert_false(e1000_mac(&regs, E1000_82574L, mac));	/* an EEPROM that is never done */
	assert_true(nic.reads <= EERD_TRIES + 2);
	nic.busy = 0;
	nic.word[0] |= 1;					/* a group's */
	assert_false(e1000_mac(&regs, E1000_82574L, mac));
	memset(nic.word, 0, sizeof nic.word);
	assert_false(e1000_mac(&regs, E1000_82574L, mac));
	assert_memory_equal(mac, want, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_in_order_and_whole),
		cmocka_unit_test(bad_frames_are_dropped_as_a_whole),
		cmocka_unit_test(an_endless_frame_holds_nothing),
		cmocka_unit_test(random_descriptors_are_survived),
		cmocka_unit_test(frames_are_sent_and_taken_back),
		cmocka_unit_test(done_is_believed_for_a_frames_end_only),
		cmocka_unit_test(bad_memory_is_refused),
		cmocka_unit_test(the_link_is_decoded),
		cmocka_unit_test(the_address_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
