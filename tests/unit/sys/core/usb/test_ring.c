/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ring - rings against a controller that knows only the rules of cycle bits and links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/usb/ring.c"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

#define PA	0x7fff0000ull
#define TRBS	8u

static _Alignas(64) struct xhci_trb memory[64];
static const struct dma_mem mem = { memory, PA, TRBS * sizeof(struct xhci_trb) };

/* The controller's side of a ring of ours. */
struct reader {
	uint64_t	pa;
	uint32_t	cycle;
};

/* The next TRB that is not a link; NULL: none yet. */
static const struct xhci_trb *
read_trb(struct reader *rd, uint64_t *pa)
{
	for (;;) {
		const struct xhci_trb *t = &memory[(rd->pa - PA) / sizeof(*t)];

		if ((t->t_control & XHCI_TRB_CYCLE) != rd->cycle)
			return NULL;
		*pa = rd->pa;
		if (xhci_trb_type(t) != XHCI_LINK) {
			rd->pa += sizeof(*t);
			return t;
		}
		rd->pa = t->t_param;
		if ((t->t_control & XHCI_TRB_TOGGLE) != 0)
			rd->cycle ^= 1;
	}
}

static void
what_is_put_arrives_once_and_in_order_over_many_wraps(void **state)
{
	struct reader rd = { PA, 1 };
	struct xh_ring r;
	uint32_t put = 0, got = 0, rng = 1;
	uint64_t pa[3], at;

	(void)state;
	memset(memory, 0xff, sizeof(memory));
	assert_true(xh_ring_init(&r, &mem));
	for (uint32_t round = 0; round < 5000; round++) {
		const struct xhci_trb *t;
		struct xhci_trb td[3];
		uint32_t n;

		rng = rng * 1103515245 + 12345;
		n = 1 + (rng >> 16) % 3;
		for (uint32_t i = 0; i < n; i++)
			td[i] = (struct xhci_trb){ put + i, i,
			    XHCI_TRB_TYPE(XHCI_NORMAL) | (rng >> 20 & 1) };
		if (xh_ring_put(&r, td, n, pa))
			put += n;
		else
			assert_true(xh_ring_room(&r) < n);
		assert_true(xh_ring_room(&r) <= TRBS - 2);
		while ((rng >> 24 & 3) != 0 && (t = read_trb(&rd, &at)) != NULL) {
			assert_int_equal(t->t_param, got);
			got++;
			assert_true(xh_ring_done(&r, at));
			assert_false(xh_ring_done(&r, at));
		}
	}
	while (read_trb(&rd, &at) != NULL)
		got++;
	assert_int_equal(got, put);
	assert_true(put > 1000);
}

static void
a_full_ring_takes_nothing_and_keeps_what_it_has(void **state)
{
	struct reader rd = { PA, 1 };
	struct xhci_trb t[TRBS] = { 0 };
	struct xh_ring r;
	uint64_t pa[TRBS];

	(void)state;
	assert_true(xh_ring_init(&r, &mem));
	assert_int_equal(xh_ring_room(&r), TRBS - 2);
	assert_false(xh_ring_put(&r, t, TRBS - 1, pa));
	assert_null(read_trb(&rd, pa));
	assert_true(xh_ring_put(&r, t, TRBS - 2, pa));
	assert_false(xh_ring_put(&r, t, 1, pa));
	assert_int_equal(xh_ring_room(&r), 0);
}

/* The chain bit of a link is that of the TRB before it. */
static void
a_link_inside_of_a_chain_is_chained(void **state)
{
	struct xhci_trb plain = { 0 }, chained = { .t_control = XHCI_TRB_CHAIN };
	struct xh_ring r;
	uint64_t pa;

	(void)state;
	for (uint32_t chain = 0; chain < 2; chain++) {
		assert_true(xh_ring_init(&r, &mem));
		for (uint32_t i = 0; i < TRBS - 1; i++) {
			assert_true(xh_ring_put(&r, chain != 0 ? &chained : &plain, 1, &pa));
			assert_true(xh_ring_done(&r, pa));
		}
		assert_int_equal(memory[TRBS - 1].t_param, PA);
		assert_int_equal(memory[TRBS - 1].t_control, XHCI_TRB_TYPE(XHCI_LINK) |
		    XHCI_TRB_TOGGLE | (chain != 0 ? XHCI_TRB_CHAIN : 0) | 1);
	}
}

static void
only_what_is_under_way_is_held(void **state)
{
	struct xhci_trb t = { 0 };
	struct xh_ring r;
	uint64_t pa[2];

	(void)state;
	assert_true(xh_ring_init(&r, &mem));
	assert_false(xh_ring_holds(&r, PA));
	assert_true(xh_ring_put(&r, &t, 1, &pa[0]) && xh_ring_put(&r, &t, 1, &pa[1]));
	assert_true(xh_ring_holds(&r, pa[0]) && xh_ring_holds(&r, pa[1]));
	assert_false(xh_ring_holds(&r, pa[1] + 16));
	assert_false(xh_ring_holds(&r, pa[0] + 1));
	assert_false(xh_ring_holds(&r, PA - 16));
	assert_false(xh_ring_holds(&r, PA + (TRBS - 1) * 16));	/* the link */
	assert_false(xh_ring_holds(&r, PA + TRBS * 16));
	assert_false(xh_ring_holds(&r, 0));
	assert_false(xh_ring_holds(&r, UINT64_MAX));
	assert_true(xh_ring_done(&r, pa[1]));			/* and the one before */
	assert_false(xh_ring_holds(&r, pa[0]));
}

static void
a_dropped_ring_goes_on_where_it_says(void **state)
{
	struct xhci_trb t = { 0 };
	struct reader rd;
	struct xh_ring r;
	uint64_t pa, at;

	(void)state;
	assert_true(xh_ring_init(&r, &mem));
	for (uint32_t i = 0; i < 40; i++) {
		t.t_param = i;
		assert_true(xh_ring_put(&r, &t, 1, &pa));
		at = xh_ring_drop(&r);
		assert_false(xh_ring_holds(&r, pa));
		rd = (struct reader){ at & ~15ull, at & 1 };
		assert_null(read_trb(&rd, &pa));
		t.t_param = 1000 + i;
		assert_true(xh_ring_put(&r, &t, 1, &pa));
		assert_int_equal(read_trb(&rd, &at)->t_param, 1000 + i);
		assert_int_equal(at, pa);
		assert_true(xh_ring_done(&r, pa));
	}
}

static void
memory_that_does_not_fit_is_refused(void **state)
{
	static const struct dma_mem bad[] = {
		{ NULL, PA, 128 }, { memory, PA, 112 }, { memory, PA, 0 }, { memory, PA + 16, 128 },
		{ memory, 0x1ffc0, 128 }, { memory, 0, 65536 + 64 }, { memory, 0, SIZE_MAX },
	};
	struct dma_mem table = { memory, PA, 16 }, seg = { memory, PA, 256 };
	struct xh_events ev;
	struct xh_ring r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(xh_ring_init(&r, &bad[i]));
		assert_false(xh_events_init(&ev, &bad[i], 1, &table));
	}
	assert_true(xh_events_init(&ev, &seg, 1, &table));
	assert_false(xh_events_init(&ev, &seg, 0, &table));
	assert_false(xh_events_init(&ev, &seg, XH_SEGMENTS + 1, &table));
	table.bytes = 15;
	assert_false(xh_events_init(&ev, &seg, 1, &table));
}

/* The controller's side of the event ring: n events in all, as it writes them, lap after lap. */
static void
post(const struct dma_mem *seg, uint32_t nseg, uint64_t number)
{
	uint64_t lap = 0, at = number;
	uint32_t total = 0, s = 0;
	struct xhci_trb *t;

	for (uint32_t i = 0; i < nseg; i++)
		total += (uint32_t)(seg[i].bytes / 16);
	lap = at / total;
	at %= total;
	while (at >= seg[s].bytes / 16)
		at -= seg[s++].bytes / 16;
	t = (struct xhci_trb *)seg[s].va + at;
	*t = (struct xhci_trb){ number, 0, XHCI_TRB_TYPE(XHCI_EV_PORT) | ((lap + 1) & 1) };
}

static void
events_come_once_and_in_order_over_segments_and_wraps(void **state)
{
	static _Alignas(64) struct xhci_trb a[16], b[24], c[17];
	static _Alignas(64) struct xhci_segment table[3];
	const struct dma_mem seg[] = {
		{ a, 0x10000, sizeof(a) }, { b, 0x50000, sizeof(b) }, { c, 0x30000, sizeof(c) },
	};
	const struct dma_mem where = { table, 0x8000, sizeof(table) };
	uint64_t posted = 0, taken = 0;
	struct xh_events ev;
	struct xhci_trb t;

	(void)state;
	assert_true(xh_events_init(&ev, seg, 3, &where));
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(table[i].s_pa, seg[i].pa);
		assert_int_equal(table[i].s_trbs, seg[i].bytes / 16);
		assert_int_equal(table[i].s_zero, 0);
	}
	assert_int_equal(xh_events_dequeue(&ev), 0x10000 | 8);
	for (uint32_t round = 0; round < 400; round++) {
		for (uint32_t i = 0; i < 1 + round % 50; i++)
			post(seg, 3, posted++);
		while (xh_events_take(&ev, &t))
			assert_int_equal(t.t_param, taken++);
		assert_int_equal(taken, posted);
		assert_int_equal(xh_events_dequeue(&ev) & 15, 8 | ev.ev_at);
	}
	while (posted % 57 != 16)
		post(seg, 3, posted++);
	while (xh_events_take(&ev, &t))
		;
	assert_int_equal(xh_events_dequeue(&ev), 0x50000 | 8 | 1);
}

static void
writing_back_a_port_changes_nothing(void **state)
{
	(void)state;
	for (uint32_t bit = 1; bit != 0; bit <<= 1) {
		const uint32_t kept = 15u << 5 | 1u << 9 | 3u << 14 | 7u << 25;

		assert_int_equal(xhci_portsc_keep(bit), bit & kept);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_arrives_once_and_in_order_over_many_wraps),
		cmocka_unit_test(a_full_ring_takes_nothing_and_keeps_what_it_has),
		cmocka_unit_test(a_link_inside_of_a_chain_is_chained),
		cmocka_unit_test(only_what_is_under_way_is_held),
		cmocka_unit_test(a_dropped_ring_goes_on_where_it_says),
		cmocka_unit_test(memory_that_does_not_fit_is_refused),
		cmocka_unit_test(events_come_once_and_in_order_over_segments_and_wraps),
		cmocka_unit_test(writing_back_a_port_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
