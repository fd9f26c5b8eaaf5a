/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ring - our side of a virtqueue against a device made from the specification.
 *
 * The model reads the shared memory only, as a device would: it follows chains
 * and indirect tables, compares them with what was asked for, finishes requests in
 * any order and sleeps and wakes by notifications.  One that lies comes after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../../../sys/core/virtio/ring.c"

#define SIZE_MAX_HERE	256u
#define SEGMENTS_MAX	8u
#define PA_OFFSET	0x7000000000ull		/* so that who confuses addresses faults */
#define THREAD_REQUESTS	100000u
#define PATIENCE_S	5

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

struct request {
	struct vring_segment seg[SEGMENTS_MAX];
	uint32_t	n;
	uint32_t	writable, written;
	bool		is_out;			/* with the device */
};

struct device {
	uint16_t	size, seen, used;
	bool		event_idx, asleep;
	uint32_t	have;
	uint16_t	head[SIZE_MAX_HERE];	/* taken and not finished */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used_ring;
};

static uint8_t ring_memory[16384] __attribute__((aligned(64)));
static struct vring_desc tables[SIZE_MAX_HERE * SEGMENTS_MAX];
static struct vring_slot slots[SIZE_MAX_HERE];
static struct request requests[SIZE_MAX_HERE];
static struct vring vr;
static struct device dev;
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

static void *at_pa(uint64_t pa) { return (void *)(uintptr_t)(pa - PA_OFFSET); }

static void
begin(uint16_t size, uint32_t indirect, bool event_idx)
{
	struct vring_setup s = { .size = size, .event_idx = event_idx, .slots = slots };
	struct vring_layout l;

	vring_layout(size, &l);
	s.ring = dma(ring_memory, l.vl_bytes);
	if (indirect > 0)
		s.indirect = dma(tables, size * indirect * sizeof tables[0]);
	memset(ring_memory, 0xa5, sizeof ring_memory);
	assert_true(vring_init(&vr, &s));
	dev = (struct device){ .size = size, .event_idx = event_idx };
	dev.desc = at_pa(s.ring.pa);
	dev.avail = at_pa(s.ring.pa + l.vl_avail);
	dev.used_ring = at_pa(s.ring.pa + l.vl_used);
	memset(requests, 0, sizeof requests);
}

/* ---------------------------------------------------------- the device -- */

static uint16_t *
dev_avail_event(void)
{
	return (uint16_t *)(void *)&dev.used_ring->ring[dev.size];
}

/* Section 2.7.10: has the index passed the event on its way? */
static bool
passed(uint16_t event, uint16_t from, uint16_t to)
{
	for (uint16_t i = from; i != to; i++)
		if (i == event)
			return true;
	return false;
}

static uint16_t
load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Goes through a chain; the request is known by its first address. */
static struct request *
dev_read(uint16_t head)
{
	const struct vring_desc *table = dev.desc, *d = &dev.desc[head];
	struct request *r = NULL;
	uint32_t limit = dev.size, i = 0;

	assert_true(head < dev.size);
	if ((d->flags & VRING_DESC_INDIRECT) != 0) {
		assert_int_equal(d->flags, VRING_DESC_INDIRECT);
		assert_int_equal(d->len % sizeof *d, 0);
		limit = d->len / sizeof *d;
		table = d = at_pa(d->addr);
	}
	for (;; i++) {
		assert_true(i < limit);
		if (r == NULL)
			r = &requests[d->addr >> 32];
		assert_true(i < r->n);
		assert_int_equal(d->addr, r->seg[i].s_pa);
		assert_int_equal(d->len, r->seg[i].s_len);
		assert_int_equal((d->flags & VRING_DESC_WRITE) != 0, r->seg[i].s_device_writes);
		if ((d->flags & VRING_DESC_NEXT) == 0)
			break;
		d = &table[d->next];
	}
	assert_int_equal(i + 1, r->n);
	return r;
}

static void
dev_fetch(void)
{
	while (dev.seen != load16(&dev.avail->idx)) {
		dev.head[dev.have] = dev.avail->ring[dev.seen++ % dev.size];
		assert_true(dev_read(dev.head[dev.have])->is_out);
		dev.have++;
		assert_true(dev.have <= dev.size);
	}
}

static void
dev_use(uint32_t id, uint32_t len)
{
	dev.used_ring->ring[dev.used % dev.size] = (struct vring_used_elem){ id, len };
	dev.used++;
	__atomic_store_n(&dev.used_ring->idx, dev.used, __ATOMIC_RELEASE);
}

/* Finishes up to `n` of what it has, in any order.  True: it interrupts. */
static bool
dev_finish(uint32_t n)
{
	uint16_t from = dev.used;

	for (; n > 0 && dev.have > 0; n--) {
		uint32_t k = rnd(dev.have);
		struct request *r = dev_read(dev.head[k]);

		r->written = r->writable == 0 ? 0 : rnd(r->writable + 1);
		dev_use(dev.head[k], r->written);
		dev.head[k] = dev.head[--dev.have];
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (dev.event_idx)
		return passed(load16(&dev.avail->ring[dev.size]), from, dev.used);
	return dev.used != from && (load16(&dev.avail->flags) & VRING_AVAIL_NO_INTERRUPT) == 0;
}

/* It wants to be told, and looks once more. */
static void
dev_sleep(void)
{
	__atomic_store_n(&dev.used_ring->flags, 0, __ATOMIC_RELAXED);
	__atomic_store_n(dev_avail_event(), dev.seen, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	dev.asleep = dev.seen == load16(&dev.avail->idx);
}

static void
dev_wake(void)
{
	dev.asleep = false;
	if (!dev.event_idx)
		__atomic_store_n(&dev.used_ring->flags, VRING_USED_NO_NOTIFY, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------- the driver -- */

static struct request *
a_request(uint32_t max)
{
	uint32_t k = rnd(SIZE_MAX_HERE), readable;
	struct request *r;

	while (requests[k].is_out)
		k = (k + 1) % SIZE_MAX_HERE;
	r = &requests[k];
	*r = (struct request){ .n = 1 + rnd(max) };
	readable = rnd(r->n + 1);
	for (uint32_t i = 0; i < r->n; i++) {
		r->seg[i] = (struct vring_segment){ (uint64_t)k << 32 | rnd(1u << 30),
		    1 + rnd(9000), i >= readable };
		r->writable += i >= readable ? r->seg[i].s_len : 0;
	}
	return r;
}

static bool
put_one(uint32_t max)
{
	struct request *r = a_request(max);
	uint16_t free_before = vr.vr_free;
	bool direct = r->n == 1 || r->n > vr.vr_indirect_max;

	r->is_out = vring_put(&vr, r->seg, r->n, r);
	assert_int_equal(r->is_out, free_before >= (direct ? r->n : 1));
	return r->is_out;
}

static bool
take_one(void)
{
	struct vring_done d;
	struct request *r;

	if (!vring_take(&vr, &d))
		return false;
	r = d.d_cookie;
	assert_true(r->is_out);
	assert_int_equal(d.d_written, r->written);
	r->is_out = false;
	return true;
}

static void
random_use(uint16_t size, uint32_t indirect, bool event_idx)
{
	uint32_t max = size < SEGMENTS_MAX ? size : SEGMENTS_MAX, taken = 0;
	bool waiting = false, interrupt;

	begin(size, indirect, event_idx);
	while (taken < 150000) {
		for (uint32_t n = rnd(8); n > 0; n--)
			put_one(max);
		if (vring_must_notify(&vr)) {
			assert_true(event_idx || dev.used_ring->flags == 0);
			dev_wake();
		}
		assert_false(dev.asleep && dev.seen != vr.vr_avail_idx);
		if (!dev.asleep) {
			dev_fetch();
			interrupt = dev_finish(rnd(8));
			if (interrupt)
				waiting = false;
			assert_false(waiting && vr.vr_used_idx != dev.used);
			if (dev.have == 0 && rnd(2) == 0)
				dev_sleep();
		}
		if (waiting)
			continue;
		vring_want_interrupt(&vr, false);
		for (uint32_t n = rnd(12); n > 0 && take_one(); n--)
			taken++;
		if (rnd(2) == 0)
			waiting = !vring_want_interrupt(&vr, true);
	}
	dev_fetch();
	dev_finish(size);
	while (take_one())
		;
	assert_int_equal(vr.vr_free, size);
	assert_int_equal(vr.vr_bad, 0);
}

/* ------------------------------------------------------------- tests -- */

static void
the_layout_is_the_specifications(void **state)
{
	struct vring_layout l;

	(void)state;
	vring_layout(8, &l);
	assert_int_equal(l.vl_avail, 8 * 16);
	assert_int_equal(l.vl_used, 192);		/* 128 + 6 + 2 * 8, and up */
	assert_int_equal(l.vl_bytes, 192 + 6 + 8 * 8);
	vring_layout(VRING_SIZE_MAX, &l);
	assert_int_equal(l.vl_avail, 524288);
	assert_true(l.vl_used >= l.vl_avail + 6 + 2 * VRING_SIZE_MAX);
}

static void
bad_memory_is_refused(void **state)
{
	struct vring_setup s = { .size = 8, .slots = slots, .ring = dma(ring_memory, 262) }, t;

	(void)state;
	assert_true(vring_init(&vr, &s));
	t = s, t.ring.bytes--;
	assert_false(vring_init(&vr, &t));
	t = s, t.ring.pa += 8;
	assert_false(vring_init(&vr, &t));
	t = s, t.ring.va = ring_memory + 8, t.ring.pa += 8;
	assert_false(vring_init(&vr, &t));
	t = s, t.indirect = dma((uint8_t *)tables + 8, 512);
	assert_false(vring_init(&vr, &t));
	for (uint32_t size = 0; size < 65536; size += size < 40 ? 1 : 4099) {
		t = s, t.size = (uint16_t)size;
		if (size == 0 || (size & (size - 1)) != 0 || size > 8)
			assert_false(vring_init(&vr, &t));
	}
}

static void
requests_come_back_once_each_and_whole(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		rng = i;
		random_use((uint16_t)(i < 8 ? 4u << i % 4 : 1u << (i - 8)), i % 3 * 4, i % 2 != 0);
	}
}

static void
the_device_is_told_when_it_asked(void **state)
{
	static const struct {
		uint16_t	idx;		/* after the batch */
		uint32_t	put;
		uint16_t	event;
		bool		want;
	} t[] = {
		{ 1, 1, 0, true }, { 1, 1, 1, false }, { 1, 1, 65535, false },
		{ 10, 5, 5, true }, { 10, 5, 9, true }, { 10, 5, 4, false }, { 10, 5, 10, false },
		{ 0, 1, 65535, true }, { 0, 1, 0, false }, { 2, 4, 65534, true }, 
		{ 2, 4, 65533, false },
		{ 2, 4, 1, true }, { 2, 4, 2, false }, { 7, 0, 6, false },
		{ 7, 65535, 7, false }, { 7, 65535, 8, true }, { 7, 65536, 7, true }, 
		{ 7, 65536, 1234, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		begin(8, 0, true);
		vr.vr_avail_idx = t[i].idx;
		vr.vr_unannounced = t[i].put;
		*dev_avail_event() = t[i].event;
		dev.used_ring->flags = VRING_USED_NO_NOTIFY;	/* says nothing here */
		assert_int_equal(vring_must_notify(&vr), t[i].want);
		assert_false(vring_must_notify(&vr));
		begin(8, 0, false);
		vr.vr_unannounced = t[i].put;
		assert_int_equal(vring_must_notify(&vr), t[i].put != 0);
		vr.vr_unannounced = t[i].put;
		dev.used_ring->flags = VRING_USED_NO_NOTIFY;
		assert_false(vring_must_notify(&vr));
	}
}

static void
interrupts_come_when_wanted(void **state)
{
	(void)state;
	for (uint32_t start = 0; start < 65536; start += 4095)
		for (int on = 0; on < 2; on++) {
			begin(8, 0, true);
			vr.vr_used_idx = dev.used = dev.used_ring->idx = (uint16_t)start;
			vr.vr_avail_idx = dev.seen = dev.avail->idx = (uint16_t)start;
			assert_false(vring_want_interrupt(&vr, on != 0));
			assert_true(put_one(1) && put_one(1));
			dev_fetch();
			assert_int_equal(dev_finish(2), on);
			assert_int_equal(dev.avail->flags, 0);
			assert_true(vring_want_interrupt(&vr, true));
			assert_true(take_one());
			assert_true(vring_want_interrupt(&vr, true));
			assert_true(take_one());
			assert_false(vring_want_interrupt(&vr, true));
		}
}

static void
a_lying_device_is_counted(void **state)
{
	struct vring_segment in = { 0x1000, 512, true };
	struct vring_segment three[] = { { 1, 1, false }, { 2, 2, false }, { 3, 3, true } };
	struct vring_done d;
	int a, b;

	(void)state;
	begin(8, 0, false);
	assert_true(vring_put(&vr, &in, 1, &a));		/* at 0 */
	assert_true(vring_put(&vr, three, 3, &b));		/* at 1, 2, 3 */
	dev_use(8, 0);			/* no such descriptor */
	dev_use(UINT32_MAX, 0);
	dev_use(65536, 0);		/* 0, if one looks at half of it */
	dev_use(2, 0);			/* in the middle of a request */
	dev_use(7, 0);			/* free */
	dev_use(0, 513);		/* more than was offered */
	dev_use(0, 1);			/* once more */
	dev_use(1, UINT32_MAX);
	assert_true(vring_take(&vr, &d));
	assert_ptr_equal(d.d_cookie, &a);
	assert_int_equal(d.d_written, 512);
	assert_int_equal(vr.vr_bad, 6);
	assert_true(vring_take(&vr, &d));
	assert_ptr_equal(d.d_cookie, &b);
	assert_int_equal(d.d_written, 3);
	assert_int_equal(vr.vr_bad, 8);
	assert_false(vring_take(&vr, &d));
	assert_int_equal(vr.vr_free, 8);

	assert_true(vring_put(&vr, &in, 1, &a));
	dev.used_ring->idx = (uint16_t)(dev.used + 9);		/* more than there are entries */
	assert_false(vring_take(&vr, &d));
	assert_int_equal(vr.vr_bad, 9);
	assert_false(vring_take(&vr, &d));
	assert_int_equal(vr.vr_bad, 9);
}

/* What a device scribbles over our tables does not change what is free or whose a cookie is. */
static void
random_scribbles_do_no_harm(void **state)
{
	static uint8_t out[SIZE_MAX_HERE];
	struct vring_segment seg[3] = { { 1, 1, false }, { 2, 2, false }, { 3, 3, true } };
	uint32_t n_out = 0, bytes;
	struct vring_done d;

	(void)state;
	rng = 5;
	begin(16, 0, true);
	bytes = (uint32_t)((uint8_t *)(dev_avail_event() + 1) - ring_memory);
	memset(out, 0, sizeof out);
	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t k = rnd(SIZE_MAX_HERE);

		ring_memory[rnd(bytes)] = (uint8_t)rnd(256);
		if (rnd(2) == 0)
			dev.used_ring->idx = (uint16_t)(vr.vr_used_idx + rnd(4));
		if (out[k] == 0 && vring_put(&vr, seg + rnd(3), 1, &out[k])) {
			out[k] = 1;
			n_out++;
		}
		(void)vring_must_notify(&vr);
		(void)vring_want_interrupt(&vr, rnd(2) == 0);
		while (vring_take(&vr, &d)) {
			assert_int_equal(*(uint8_t *)d.d_cookie, 1);
			assert_true(d.d_written <= 3);
			*(uint8_t *)d.d_cookie = 0;
			n_out--;
		}
		assert_int_equal(vr.vr_free, 16 - n_out);
	}
	assert_true(vr.vr_bad > 1000);
}

/* A device that was reset gives nothing back: each of its requests comes out once. */
static void
what_a_reset_device_had_is_taken_back(void **state)
{
	struct vring_segment seg[3] = { { 1, 1, false }, { 2, 2, false }, { 3, 3, true } };
	char out[8] = "";
	struct vring_done d;
	void *cookie;

	(void)state;
	begin(8, 0, false);
	assert_false(vring_forget(&vr, &cookie));
	for (uint32_t i = 0; i < 4; i++)
		assert_true(vring_put(&vr, seg, 1 + i % 2, &out[i]));	/* at 0, 1, 3, 4 */
	assert_false(vring_is_idle(&vr));
	dev_use(1, 0);
	assert_true(vring_take(&vr, &d));
	assert_ptr_equal(d.d_cookie, &out[1]);
	out[1]++;
	while (vring_forget(&vr, &cookie))
		++*(char *)cookie;
	assert_memory_equal(out, "\1\1\1\1\0\0\0\0", 8);
	assert_true(vring_is_idle(&vr));
	assert_false(vring_forget(&vr, &cookie));
	assert_true(vring_put(&vr, seg, 3, &out[0]));
}

/*
 * Two threads that sleep whenever they may: who loses a notification waits in vain.  The
 * device looks around for a while before it sleeps, so that both come at once now and then.
 */
static sem_t bell, interrupt_line;

static void
wait_for(sem_t *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	if (sem_timedwait(s, &until) != 0)
		rt_fail(__FILE__, __LINE__, "a notification was lost");
}

static void *
device_thread(void *arg)
{
	uint32_t done = 0;

	(void)arg;
	while (done < THREAD_REQUESTS) {
		uint16_t from = dev.used;

		for (; dev.seen != load16(&dev.avail->idx); done++) {
			uint16_t head = dev.avail->ring[dev.seen++ % dev.size];

			dev_use(head, (uint32_t)dev.desc[head].addr & 0xff);
		}
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (passed(load16(&dev.avail->ring[dev.size]), from, dev.used))
			sem_post(&interrupt_line);
		for (volatile uint32_t spin = done % 200; spin > 0; spin--)
			;
		dev_sleep();
		if (dev.asleep && done < THREAD_REQUESTS)
			wait_for(&bell);
	}
	return NULL;
}

static void
threads_do_not_lose_each_other(void **state)
{
	uint32_t put = 0, taken = 0;
	struct vring_done d;
	pthread_t t;

	(void)state;
	begin(2, 0, true);
	sem_init(&bell, 0, 0);
	sem_init(&interrupt_line, 0, 0);
	assert_int_equal(pthread_create(&t, NULL, device_thread, NULL), 0);
	while (taken < THREAD_REQUESTS) {
		struct vring_segment s = { put, 256, true };

		while (put < THREAD_REQUESTS && vring_put(&vr, &s, 1, (void *)(uintptr_t)put))
			s.s_pa = ++put;
		if (vring_must_notify(&vr))
			sem_post(&bell);
		for (; vring_take(&vr, &d); taken++) {
			assert_int_equal((uintptr_t)d.d_cookie, taken);
			assert_int_equal(d.d_written, taken & 0xff);
		}
		if (taken / 3 % 2 == 0)
			continue;	/* polls: meets the device just when it goes to sleep */
		for (volatile uint32_t spin = taken % 200; spin > 0; spin--)
			;
		if (taken < put && !vring_want_interrupt(&vr, true))
			wait_for(&interrupt_line);
	}
	pthread_join(t, NULL);
	assert_int_equal(vr.vr_bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_layout_is_the_specifications),
		cmocka_unit_test(bad_memory_is_refused),
		cmocka_unit_test(requests_come_back_once_each_and_whole),
		cmocka_unit_test(the_device_is_told_when_it_asked),
		cmocka_unit_test(interrupts_come_when_wanted),
		cmocka_unit_test(a_lying_device_is_counted),
		cmocka_unit_test(random_scribbles_do_no_harm),
		cmocka_unit_test(what_a_reset_device_had_is_taken_back),
		cmocka_unit_test(threads_do_not_lose_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
