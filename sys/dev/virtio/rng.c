/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rng - random bytes from virtio's entropy device (virtio 1.2, section 5.4).
 *
 * A buffer is asked for at boot, and again each PERIOD: nobody waits for it,
 * as the host may have few.
 */
#include "device.h"

#include <core/rt/rt.h>
#include <drv/entropy.h>
#include <stdatomic.h>

#define BYTES	64u
#define PERIOD	(60 * NSEC_PER_SEC)

struct rng {
	struct dma_mem	r_buffer;	/* const; [q_lock] what is in it, unless the device has it */
	_Atomic bool	r_told;		/* [atomic] that there are any */
};

static void
rng_serve(struct virtio_queue *q)
{
	struct rng *r = q->q_device->v_driver;
	uint8_t bytes[BYTES];
	struct vring_done done;
	bool got;

	drv_lock(&q->q_lock);
	got = virtio_take(q, &done);
	if (got) {
		memcpy(bytes, r->r_buffer.va, BYTES);
		memset(r->r_buffer.va, 0, BYTES);
	}
	(void)virtio_rest(q);
	drv_unlock(&q->q_lock);
	if (!got)
		return;
	entropy_add(bytes, done.d_written);
	if (!atomic_exchange(&r->r_told, true))
		drv_log(q->q_device->v_name, "%u random bytes", done.d_written);
}

/* Nothing to do: it is asked again in time, or not any more. */
static void rng_lost(struct virtio_queue *q, void *cookie) { (void)q; (void)cookie; }
static void rng_nothing(struct virtio *v) { (void)v; }

static void
rng_ask(void *arg)
{
	struct virtio *v = arg;
	struct virtio_queue *q = &v->v_queue[0];
	struct rng *r = v->v_driver;
	const struct vring_segment seg = { r->r_buffer.pa, BYTES, true };

	while (!atomic_load(&v->v_given_up)) {
		drv_lock(&q->q_lock);
		if (vring_is_idle(&q->q_ring) && virtio_put(q, &seg, 1, r))
			virtio_kick(q);
		drv_unlock(&q->q_lock);
		drv_sleep(PERIOD);
	}
}

static void
rng_attach(struct virtio *v)
{
	struct rng *r = drv_alloc(sizeof *r);

	v->v_driver = r;
	if (r == NULL || dma_alloc(&r->r_buffer, BYTES, UINT64_MAX) != 0) {
		virtio_fail(v, "no memory");
		return;
	}
	if (!virtio_agree(v, 0))
		return;
	(void)virtio_interrupts(v, 1);
	if (!virtio_add_queue(v, 1, 0, true) || !virtio_start(v))
		return;
	virtio_attached(v);
	rng_ask(v);
}

static const struct virtio_ops rng_ops = {
	.serve = rng_serve, .lost = rng_lost, .again = rng_nothing, .gone = rng_nothing,
};
const struct virtio_driver virtio_rng = { VIRTIO_RNG, &rng_ops, rng_attach };
