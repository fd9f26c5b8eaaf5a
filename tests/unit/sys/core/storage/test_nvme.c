/* SPDX-License-Identifier: BSD-2-Clause */
/* test_nvme - queues, data pointers and identification, against a model of a controller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <core/rt/rt.h>

#include "../../../../../sys/core/storage/nvme.c"

#define PAGES	2048u

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	print_error("%s:%d: %s\n", file, line, what);
	abort();
}

static uint32_t seed = 1;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

/* ---- Data pointers: what the controller reads out of them. ---- */
#define LIST_PA		0x7700000ull
#define LIST_PAGES	3u

static _Alignas(4096) uint64_t list_page[LIST_PAGES * LIST_ENTRIES];
static const struct dma_mem list = { list_page, LIST_PA, sizeof list_page };

static uint64_t
list_read(uint64_t pa)
{
	assert_in_range(pa, LIST_PA, LIST_PA + sizeof list_page - 8);
	assert_int_equal(pa % 8, 0);
	return list_page[(pa - LIST_PA) / 8];
}

/* Section 4.3: `bytes` from PRP1 on; the pieces, each within a page. */
static size_t
walk(const struct nvme_sqe *e, uint64_t bytes, struct storage_seg *out)
{
	uint64_t n = rt_min(bytes, NVME_PAGE - e->se_prp1 % NVME_PAGE), at = e->se_prp2;
	size_t k = 0;

	assert_int_equal(e->se_prp1 % 4, 0);
	out[k++] = (struct storage_seg){ e->se_prp1, n };
	bytes -= n;
	if (bytes == 0) {
		assert_int_equal(e->se_prp2, 0);
		return k;
	}
	if (bytes <= NVME_PAGE) {
		assert_int_equal(at % NVME_PAGE, 0);
		out[k++] = (struct storage_seg){ at, bytes };
		return k;
	}
	for (; bytes > 0; bytes -= n, at += 8) {
		if (at % NVME_PAGE == NVME_PAGE - 8 && bytes > NVME_PAGE) {
			at = list_read(at);
			assert_int_equal(at % NVME_PAGE, 0);
		}
		n = rt_min(bytes, NVME_PAGE);
		assert_int_equal(list_read(at) % NVME_PAGE, 0);
		out[k++] = (struct storage_seg){ list_read(at), n };
	}
	return k;
}

/* Pieces of `bytes` in all that begin and end as they may, of one page or of a run. */
static size_t
make_pieces(struct storage_seg *seg, uint64_t bytes)
{
	uint64_t into = 4 * rnd(NVME_PAGE / 4);
	size_t n = 0;

	while (bytes > 0) {
		uint64_t run = rt_min(bytes, NVME_PAGE * (1 + (rnd(3) == 0 ? rnd(40) : 0)) - into);

		seg[n++] = (struct storage_seg){ NVME_PAGE * (1ull + rnd(1u << 22)) + into, run };
		bytes -= run;
		into = 0;
	}
	return n;
}

static void
compare(const struct storage_seg *seg, size_t nseg, const struct storage_seg *got, size_t ngot)
{
	uint64_t into = 0;
	size_t s = 0;

	for (size_t g = 0; g < ngot; g++) {
		assert_true(s < nseg);
		assert_int_equal(got[g].pa, seg[s].pa + into);
		assert_in_range(got[g].bytes, 1, seg[s].bytes - into);
		into += got[g].bytes;
		if (into == seg[s].bytes) {
			s++;
			into = 0;
		}
	}
	assert_int_equal(s, nseg);
}

static void
data_pointers_say_exactly_the_bytes_asked(void **state)
{
	static struct storage_seg seg[PAGES], got[PAGES];
	static const uint64_t edge[10] = { 1, 2, 3, 512, 513, 514, 1023, 1024, 1025, 1534 };

	(void)state;
	for (uint32_t round = 0; round < 4000; round++) {
		uint64_t pages = round % 2 == 0 ? edge[rnd(10)] : 1 + rnd(1500);
		uint64_t bytes = pages * NVME_PAGE - (rnd(2) == 0 ? 0 : rnd(NVME_PAGE));
		struct nvme_sqe e = { 0 };
		size_t nseg = make_pieces(seg, bytes), ngot;

		memset(list_page, 0xff, sizeof list_page);
		if (prp_pages(seg, nseg) > LIST_PAGES * (LIST_ENTRIES - 1) + 2) {
			assert_false(nvme_prp(&e, seg, nseg, &list));
			continue;
		}
		assert_true(nvme_prp(&e, seg, nseg, &list));
		ngot = walk(&e, bytes, got);
		compare(seg, nseg, got, ngot);
	}
}

static bool
prp(const struct storage_seg *seg, size_t nseg, const struct dma_mem *l)
{
	struct nvme_sqe e = { .se_prp1 = 42, .se_prp2 = 43 };
	bool ok = nvme_prp(&e, seg, nseg, l);

	assert_true(ok || (e.se_prp1 == 42 && e.se_prp2 == 43));
	return ok;
}

static void
misaligned_pieces_are_refused(void **state)
{
	struct storage_seg none = { 0x1000, 0 }, odd = { 0x1002, 512 };
	struct storage_seg wrap = { UINT64_MAX - 4095, 8192 }, all = { 0, UINT64_MAX };
	struct storage_seg hole[] = { { 0x1000, 512 }, { 0x2000, 512 } };
	struct storage_seg late[] = { { 0x1000, 4096 }, { 0x2200, 512 } };
	struct storage_seg two = { 0x1800, 4096 }, three = { 0x1800, 8192 };
	struct dma_mem one = { list_page, LIST_PA, NVME_PAGE };
	struct dma_mem empty = { list_page, LIST_PA, 8 };
	struct dma_mem part = { list_page + 4, LIST_PA + 32, 64 };
	struct storage_seg nine = { 0x10000, 9 * NVME_PAGE }, ten = { 0x10000, 10 * NVME_PAGE };
	struct storage_seg most = { 0x10000, 513 * NVME_PAGE }, over = { 0x10000, 514 * NVME_PAGE };
	struct dma_mem both = { list_page, LIST_PA, 2 * NVME_PAGE };
	struct storage_seg most2 = { 0, 1024 * NVME_PAGE }, over2 = { 0, 1025 * NVME_PAGE };

	(void)state;
	assert_false(prp(&none, 0, &list));
	assert_false(prp(&none, 1, &list));
	assert_false(prp(&odd, 1, &list));
	assert_false(prp(&wrap, 1, &list));
	assert_false(prp(&all, 1, &list));
	assert_false(prp(hole, 2, &list));
	assert_false(prp(late, 2, &list));
	assert_true(prp(&two, 1, NULL));
	assert_false(prp(&three, 1, NULL));
	assert_false(prp(&three, 1, &empty));
	assert_true(prp(&nine, 1, &part));
	assert_false(prp(&ten, 1, &part));
	assert_true(prp(&most, 1, &one));
	assert_false(prp(&over, 1, &one));
	assert_true(prp(&most2, 1, &both));
	assert_false(prp(&over2, 1, &both));
}

/* ---- The controller. ---- */
static struct model {
	uint32_t	depth, id;
	uint32_t	sq_head, sq_tail;	/* tail: the doorbell */
	uint32_t	cq_tail, cq_head;	/* head: the doorbell */
	uint32_t	phase;
	uint32_t	have;			/* taken and not answered */
	struct nvme_sqe	taken[NVQ_DEPTH_MAX];
	uint16_t	last;			/* id of the last answer */
	uint64_t	bogus;
} dev;

static _Alignas(4096) struct nvme_sqe sq_mem[NVQ_DEPTH_MAX];
static _Alignas(4096) struct nvme_cqe cq_mem[NVQ_DEPTH_MAX];
static struct nvq q;

/* What was asked, by cookie. */
enum { JOBS = 20000 };
static struct { uint32_t nsid; bool submitted, done; } job[JOBS];

static void
start(uint32_t depth, uint32_t id)
{
	struct dma_mem sq = { sq_mem, 0x10000, depth * sizeof *sq_mem };
	struct dma_mem cq = { cq_mem, 0x20000, depth * sizeof *cq_mem };

	memset(&dev, 0, sizeof dev);
	memset(job, 0, sizeof job);
	memset(cq_mem, 0xff, sizeof cq_mem);
	dev.depth = depth;
	dev.id = id;
	dev.phase = 1;
	dev.last = 0xffff;
	nvq_init(&q, id, depth, &sq, &cq);
}

static bool
dev_has_room(void)
{
	return (dev.cq_tail + 1) % dev.depth != dev.cq_head;
}

static void
dev_post(uint16_t cid, uint16_t status, uint32_t dw0, uint16_t sq)
{
	struct nvme_cqe *e = &cq_mem[dev.cq_tail];

	assert_true(dev_has_room());
	e->ce_dw0 = dw0;
	e->ce_sq_head = (uint16_t)dev.sq_head;
	e->ce_sq_id = sq;
	e->ce_id_status = (uint32_t)status << 17 | dev.phase << 16 | cid;
	dev.cq_tail = (dev.cq_tail + 1) % dev.depth;
	dev.phase ^= dev.cq_tail == 0;
}

static void
dev_take(void)
{
	const struct nvme_sqe *e = &sq_mem[dev.sq_head];

	if (dev.sq_head == dev.sq_tail)
		return;
	assert_int_not_equal(e->se_cdw0 >> 16, 0xffff);
	for (uint32_t i = 0; i < dev.have; i++)
		assert_int_not_equal(dev.taken[i].se_cdw0 >> 16, e->se_cdw0 >> 16);
	dev.taken[dev.have++] = *e;
	dev.sq_head = (dev.sq_head + 1) % dev.depth;
}

/* Answers one command of those taken, whichever; dw0 and status follow from what it asks. */
static void
dev_answer(void)
{
	uint32_t i = rnd(dev.have);
	struct nvme_sqe e;

	if (dev.have == 0 || !dev_has_room())
		return;
	e = dev.taken[i];
	dev.taken[i] = dev.taken[--dev.have];
	dev.last = (uint16_t)(e.se_cdw0 >> 16);
	dev_post(dev.last, (uint16_t)(e.se_nsid & 0x7fff), ~e.se_nsid, (uint16_t)dev.id);
}

/* An id of nothing, the last answer again, or somebody else's queue. */
static void
dev_lie(void)
{
	uint16_t cid = rnd(2) == 0 ? dev.last : 0xffff;

	if (!dev_has_room())
		return;
	for (uint32_t i = 0; i < dev.have; i++)
		if (dev.taken[i].se_cdw0 >> 16 == cid)
			return;
	dev.bogus++;
	if (rnd(3) == 0 && dev.have > 0)
		dev_post((uint16_t)(dev.taken[0].se_cdw0 >> 16), 0, 0, (uint16_t)(dev.id + 1));
	else
		dev_post(cid, 0, 0, (uint16_t)dev.id);
}

static void
host_submit(uint32_t *next)
{
	struct nvme_sqe e;
	uint32_t i = *next;

	if (i == JOBS)
		return;
	job[i].nsid = rnd(1u << 20) << 8 | rnd(256);
	nvme_rw(&e, rnd(2) == 0, job[i].nsid, i, 8);
	if (!nvq_submit(&q, &e, &job[i], &dev.sq_tail)) {
		assert_int_equal(nvq_in_flight(&q), dev.depth - 1);
		return;
	}
	job[i].submitted = true;
	++*next;
}

static void
host_reap(uint32_t *done)
{
	struct nvq_done d;
	uint32_t n = 1 + rnd(dev.depth);

	while (n-- > 0 && nvq_reap(&q, &d)) {
		size_t i = (size_t)((char *)d.nd_cookie - (char *)job) / sizeof job[0];

		assert_true(i < JOBS && job[i].submitted);
		assert_false(job[i].done);
		assert_int_equal(d.nd_status, job[i].nsid & 0x7fff);
		assert_int_equal(d.nd_dw0, ~job[i].nsid);
		job[i].done = true;
		++*done;
	}
	dev.cq_head = q.nq_head;
}

static void
run(uint32_t depth, uint32_t id, uint32_t lies)
{
	uint32_t next = 0, done = 0;

	start(depth, id);
	for (uint32_t step = 0; done < JOBS; step++) {
		assert_true(step < JOBS * 100u);
		switch (rnd(5)) {
		case 0: case 1: host_submit(&next); break;
		case 2: dev_take(); break;
		case 3: dev_answer(); break;
		default: host_reap(&done); break;
		}
		if (lies > 0 && rnd(lies) == 0)
			dev_lie();
	}
	for (uint32_t i = 0; i < dev.depth; i++)
		host_reap(&done);
	assert_int_equal(done, JOBS);
	assert_int_equal(nvq_in_flight(&q), 0);
	assert_int_equal(q.nq_bogus, dev.bogus);
}

static void
no_command_is_lost_or_completed_twice(void **state)
{
	(void)state;
	for (uint32_t depth = 2; depth <= NVQ_DEPTH_MAX; depth *= 2) {
		run(depth, depth % 7, 0);
		run(depth, depth % 5, 6);
	}
}

static void
counters_and_rings_survive_wrapping(void **state)
{
	uint32_t next = 0, done = 0;

	(void)state;
	start(8, 1);
	q.nq_taken = q.nq_given = UINT32_MAX - 7;
	for (uint32_t i = 0; i < 100; i++) {
		host_submit(&next);
		dev_take();
		dev_answer();
		host_reap(&done);
	}
	assert_int_equal(done, 100);
}

static void
an_answer_that_comes_late_again_is_not_the_next_commands(void **state)
{
	struct nvme_sqe e;
	struct nvq_done d;
	uint32_t old;

	(void)state;
	start(2, 0);
	nvme_flush(&e, 1);
	assert_int_equal(nvq_slot(&q), 0);
	assert_true(nvq_submit(&q, &e, &job[0], &dev.sq_tail));
	old = sq_mem[0].se_cdw0 >> 16;
	dev_post((uint16_t)old, 0, 0, 0);
	assert_true(nvq_reap(&q, &d));
	dev.cq_head = q.nq_head;
	assert_true(nvq_submit(&q, &e, &job[1], &dev.sq_tail));
	dev_post((uint16_t)old, 0, 0, 0);
	assert_false(nvq_reap(&q, &d));
	assert_int_equal(q.nq_bogus, 1);
	assert_int_equal(nvq_in_flight(&q), 1);
}

static void
a_dead_controllers_commands_come_back_once(void **state)
{
	struct nvq_done d;
	uint32_t next = 0, done = 0;

	(void)state;
	start(64, 3);
	while (nvq_in_flight(&q) < 63)
		host_submit(&next);
	for (uint32_t i = 0; i < 20; i++)
		dev_take();
	for (uint32_t i = 0; i < 5; i++)
		dev_answer();
	while (done < 5)
		host_reap(&done);
	while (nvq_drain(&q, &d)) {
		size_t i = (size_t)((char *)d.nd_cookie - (char *)job) / sizeof job[0];

		assert_false(job[i].done);
		job[i].done = true;
		assert_int_equal(nvme_result(d.nd_status), STORAGE_GONE);
		done++;
	}
	assert_int_equal(done, 63);
}

/* ---- What it says of itself. ---- */
static uint8_t page[NVME_PAGE];

static void
put(size_t at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		page[at + i] = (uint8_t)(v >> 8 * i);
}

static void
registers_are_read_by_the_book(void **state)
{
	struct nvme_caps nc;

	(void)state;
	/* 1024 entries, 7.5 s, stride 8, NVM commands, 4 KiB to 64 KiB. */
	assert_true(nvme_parse_cap(4ull << 52 | 1ull << 37 | 1ull << 32 | 15ull << 24 | 1023, &nc));
	assert_int_equal(nc.nc_depth_max, 1024);
	assert_int_equal(nc.nc_timeout_ms, 7500);
	assert_int_equal(nvme_doorbell(&nc, 0, false), 0x1000);
	assert_int_equal(nvme_doorbell(&nc, 0, true), 0x1008);
	assert_int_equal(nvme_doorbell(&nc, 3, true), 0x1038);
	assert_false(nvme_parse_cap(UINT64_MAX, &nc));
	assert_false(nvme_parse_cap(1ull << 48 | 1ull << 37 | 1023, &nc));
	assert_false(nvme_parse_cap(1023, &nc));
	assert_false(nvme_parse_cap(1ull << 37, &nc));
	assert_int_equal(nvme_cc(true), 0x460001);
	assert_int_equal(nvme_aqa(32), 0x1f001f);
	assert_int_equal(nvme_state(0), NVME_OFF);
	assert_int_equal(nvme_state(1), NVME_READY);
	assert_int_equal(nvme_state(3), NVME_FATAL);
	assert_int_equal(nvme_state(UINT32_MAX), NVME_ABSENT);
}

static void
a_controller_is_taken_at_its_word_within_bounds(void **state)
{
	struct nvme_controller c;

	(void)state;
	memset(page, 0, sizeof page);
	memcpy(page + 4, "  S1\0234\177             ", 20);
	memcpy(page + 24, "QEMU NVMe Ctrl                          ", 40);
	page[77] = 7;
	page[512] = 0x66;
	page[513] = 0x44;
	put(516, 256, 4);
	page[525] = 7;
	assert_true(nvme_parse_controller(page, &c));
	assert_string_equal(c.nc_serial, "S1?4?");
	assert_string_equal(c.nc_model, "QEMU NVMe Ctrl");
	assert_int_equal(c.nc_transfer_max, 512 << 10);
	assert_int_equal(c.nc_namespaces, 256);
	assert_true(c.nc_write_cache);
	page[77] = 255;
	assert_true(nvme_parse_controller(page, &c));
	assert_true(c.nc_transfer_max == UINT64_MAX);
	page[512] = 0x77;
	assert_false(nvme_parse_controller(page, &c));
	page[512] = 0x66;
	page[513] = 0x55;
	assert_false(nvme_parse_controller(page, &c));
	page[513] = 0x44;
	page[111] = 2;
	assert_false(nvme_parse_controller(page, &c));
	memset(page, 0xff, sizeof page);
	assert_false(nvme_parse_controller(page, &c));
}

static void
namespaces_with_absurd_formats_are_refused(void **state)
{
	struct nvme_namespace n;

	(void)state;
	memset(page, 0, sizeof page);
	put(0, 1000, 8);
	page[25] = 1;
	page[26] = 0x11;
	put(132, 12u << 16, 4);
	assert_true(nvme_parse_namespace(page, &n));
	assert_int_equal(n.nn_blocks, 1000);
	assert_int_equal(n.nn_block_bytes, 4096);
	assert_false(n.nn_read_only);
	page[99] = 1;
	assert_true(nvme_parse_namespace(page, &n) && n.nn_read_only);
	put(0, (uint64_t)INT64_MAX >> 12, 8);
	assert_true(nvme_parse_namespace(page, &n));
	put(0, ((uint64_t)INT64_MAX >> 12) + 1, 8);
	assert_false(nvme_parse_namespace(page, &n));
	put(0, 0, 8);
	assert_false(nvme_parse_namespace(page, &n));
	put(0, 1000, 8);
	for (uint32_t shift = 0; shift < 256; shift++) {
		page[134] = (uint8_t)shift;
		assert_int_equal(nvme_parse_namespace(page, &n), shift >= 9 && shift <= 12);
	}
	put(132, 12u << 16 | 8, 4);
	assert_false(nvme_parse_namespace(page, &n));
	put(132, 12u << 16, 4);
	page[26] = 2;
	assert_false(nvme_parse_namespace(page, &n));
}

static void
the_list_of_namespaces_ends_at_the_first_nonsense(void **state)
{
	uint32_t id[1024];

	(void)state;
	memset(page, 0, sizeof page);
	assert_int_equal(nvme_parse_active(page, 8, id, 1024), 0);
	put(0, 1, 4);
	put(4, 5, 4);
	put(8, 5, 4);
	assert_int_equal(nvme_parse_active(page, 8, id, 1024), 2);
	assert_int_equal(id[1], 5);
	assert_int_equal(nvme_parse_active(page, 4, id, 1024), 1);
	assert_int_equal(nvme_parse_active(page, 8, id, 1), 1);
	for (uint32_t i = 0; i < 1024; i++)
		put(4 * i, i + 1, 4);
	assert_int_equal(nvme_parse_active(page, UINT32_MAX, id, 1024), 1024);
}

static void
commands_and_results_are_encoded_by_the_book(void **state)
{
	struct nvme_sqe e;

	(void)state;
	nvme_create_cq(&e, 2, 64, 0x5000, 9);
	assert_true(e.se_cdw0 == 5 && e.se_prp1 == 0x5000);
	assert_true(e.se_cdw10 == 0x3f0002 && e.se_cdw11 == 0x90003);
	nvme_create_sq(&e, 2, 64, 0x6000);
	assert_true(e.se_cdw0 == 1 && e.se_prp1 == 0x6000);
	assert_true(e.se_cdw10 == 0x3f0002 && e.se_cdw11 == 0x20001);
	nvme_set_queues(&e, 4);
	assert_true(e.se_cdw0 == 9 && e.se_cdw10 == 7 && e.se_cdw11 == 0x30003);
	assert_int_equal(nvme_queues_granted(0x10003), 2);
	nvme_rw(&e, true, 1, 0x123456789aull, 65536);
	assert_true(e.se_cdw0 == 1 && e.se_cdw12 == 0xffff);
	assert_true(e.se_cdw10 == 0x3456789a && e.se_cdw11 == 0x12);
	nvme_rw(&e, false, 1, 0, 1);
	assert_true(e.se_cdw0 == 2 && e.se_nsid == 1 && e.se_cdw12 == 0);
	nvme_identify(&e, NVME_ID_ACTIVE, 7, 0x7000);
	assert_true(e.se_cdw0 == 6 && e.se_nsid == 7 && e.se_cdw10 == 2 && e.se_prp1 == 0x7000);
	nvme_flush(&e, 3);
	assert_true(e.se_cdw0 == 0 && e.se_nsid == 3);

	assert_int_equal(nvme_result(0), STORAGE_OK);
	assert_int_equal(nvme_result(0x82), STORAGE_RETRY);
	assert_int_equal(nvme_result(0x4082), STORAGE_MEDIUM);
	assert_int_equal(nvme_result(0x4002), STORAGE_REFUSED);
	assert_int_equal(nvme_result(0x281), STORAGE_MEDIUM);
	assert_int_equal(nvme_result(0x286), STORAGE_REFUSED);
	assert_int_equal(nvme_result(0x0b), STORAGE_GONE);
	assert_int_equal(nvme_result(0x371), STORAGE_RETRY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_pointers_say_exactly_the_bytes_asked),
		cmocka_unit_test(misaligned_pieces_are_refused),
		cmocka_unit_test(no_command_is_lost_or_completed_twice),
		cmocka_unit_test(counters_and_rings_survive_wrapping),
		cmocka_unit_test(an_answer_that_comes_late_again_is_not_the_next_commands),
		cmocka_unit_test(a_dead_controllers_commands_come_back_once),
		cmocka_unit_test(registers_are_read_by_the_book),
		cmocka_unit_test(a_controller_is_taken_at_its_word_within_bounds),
		cmocka_unit_test(namespaces_with_absurd_formats_are_refused),
		cmocka_unit_test(the_list_of_namespaces_ends_at_the_first_nonsense),
		cmocka_unit_test(commands_and_results_are_encoded_by_the_book),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
