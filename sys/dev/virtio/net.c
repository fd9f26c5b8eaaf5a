/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net - virtio network interfaces (virtio 1.2, section 5.1).
 *
 * Two queues, each with a buffer for every request that it can hold: a header and
 * a frame, in one piece.  The device has all receive buffers but those whose frames
 * are just being looked at.  Frames are sent from copies, which are free again when the
 * next sender, or the keeper, sees that the device is done with them: their interrupts
 * are not wanted.  A device that takes none leaves no room, and that is all.
 *
 * Locking: a queue's q_lock guards its buffers, too; the user is called without it.
 * Not here: offloads, so a frame is always in one buffer; multicast, several pairs of queues.
 */
#include "device.h"

#include <core/rt/rt.h>
#include <drv/net.h>
#include <stdatomic.h>

#define QUEUE_SIZE	128u
#define BUFFER_BYTES	2048u
#define HEADER_BYTES	((uint32_t)sizeof(struct virtio_net_header))
#define ETHER_BYTES	14u
#define MTU_MIN		68u
#define BATCH		16u		/* frames that are taken at once... */
#define ROUNDS		16u		/* ...and how often, before others get the CPU */
_Static_assert(HEADER_BYTES + NET_FRAME_MAX <= BUFFER_BYTES, "a frame is in one buffer");

enum { RX, TX, QUEUES };

struct buffers {
	struct dma_mem	b_memory;	/* const */
	uint16_t	b_free[QUEUE_SIZE];	/* [q_lock] neither the device's nor being looked at */
	uint16_t	b_nfree;	/* [q_lock] */
};

struct nic {
	struct virtio	*n_virtio;	/* const */
	struct netdev	n_net;
	uint32_t	n_frame_max;	/* const */
	struct buffers	n_buffers[QUEUES];
};

struct received {
	uint16_t	buffer;
	uint32_t	bytes;
};

static uint8_t *
buffer_at(struct buffers *b, uint16_t i)
{
	return (uint8_t *)b->b_memory.va + i * BUFFER_BYTES;
}

/* The first `bytes` of a free buffer go to the device.  False: none is free, or there is no room. */
static bool
put(struct virtio_queue *q, struct buffers *b, uint32_t bytes)
{
	uint16_t i = b->b_nfree == 0 ? 0 : b->b_free[b->b_nfree - 1];
	const struct vring_segment seg = { b->b_memory.pa + i * BUFFER_BYTES, bytes, q->q_index == RX };

	if (b->b_nfree == 0 || !virtio_put(q, &seg, 1, buffer_at(b, i)))
		return false;
	b->b_nfree--;
	return true;
}

/* The index of a buffer that came back. */
static uint16_t
index_of(struct buffers *b, void *cookie)
{
	return (uint16_t)(((uint8_t *)cookie - (uint8_t *)b->b_memory.va) / BUFFER_BYTES);
}

/* ---- Receiving. ---- */
static void
refill(struct virtio_queue *q, struct buffers *b)
{
	while (put(q, b, BUFFER_BYTES))
		;
	virtio_kick(q);
}

static void
deliver(struct nic *n, const struct received *r)
{
	struct netdev *nd = &n->n_net;
	void (*input)(struct netdev *, const void *, size_t) = atomic_load(&nd->nd_input);
	uint32_t bytes = r->bytes - HEADER_BYTES;

	if (r->bytes < HEADER_BYTES + ETHER_BYTES || bytes > NET_FRAME_MAX) {
		atomic_fetch_add(&nd->nd_bad, 1);
		return;
	}
	atomic_fetch_add(&nd->nd_in, 1);
	if (input != NULL)
		input(nd, buffer_at(&n->n_buffers[RX], r->buffer) + HEADER_BYTES, bytes);
}

static void
receive(struct nic *n, struct virtio_queue *q)
{
	struct buffers *b = &n->n_buffers[RX];
	struct received got[BATCH];
	struct vring_done done;
	uint32_t count = 0;
	bool more = true;

	for (uint32_t round = 0; more || count > 0; round++) {
		drv_lock(&q->q_lock);
		while (count > 0)
			b->b_free[b->b_nfree++] = got[--count].buffer;
		refill(q, b);
		virtio_hush(q);
		while (round < ROUNDS && count < BATCH && virtio_take(q, &done))
			got[count++] = (struct received){ index_of(b, done.d_cookie), done.d_written };
		more = round < ROUNDS && (count > 0 || virtio_rest(q));
		drv_unlock(&q->q_lock);
		for (uint32_t i = 0; i < count; i++)
			deliver(n, &got[i]);
		if (round == ROUNDS)
			virtio_serve_later(q->q_device);
	}
}

/* ---- Sending. ---- */
static void
reap(struct virtio_queue *q, struct buffers *b)
{
	struct vring_done done;

	while (virtio_take(q, &done))
		b->b_free[b->b_nfree++] = index_of(b, done.d_cookie);
	virtio_hush(q);
}

static bool
nic_send(struct netdev *nd, const void *frame, size_t len)
{
	struct nic *n = nd->nd_driver;
	struct virtio_queue *q = &n->n_virtio->v_queue[TX];
	struct buffers *b = &n->n_buffers[TX];
	uint8_t *buffer;
	bool sent = false;

	if (!atomic_load(&nd->nd_link) || len < ETHER_BYTES || len > n->n_frame_max)
		return false;
	drv_lock(&q->q_lock);
	reap(q, b);
	if (b->b_nfree > 0) {
		buffer = buffer_at(b, b->b_free[b->b_nfree - 1]);
		memset(buffer, 0, HEADER_BYTES);
		memcpy(buffer + HEADER_BYTES, frame, len);
		sent = put(q, b, HEADER_BYTES + (uint32_t)len);
		virtio_kick(q);
	}
	drv_unlock(&q->q_lock);
	atomic_fetch_add(&nd->nd_out, sent);
	return sent;
}

/* ---- What the device's keeper and its interrupts call. ---- */
static void
nic_serve(struct virtio_queue *q)
{
	struct nic *n = q->q_device->v_driver;

	if (q->q_index == RX) {
		receive(n, q);
		return;
	}
	drv_lock(&q->q_lock);
	reap(q, &n->n_buffers[TX]);
	drv_unlock(&q->q_lock);
}

static void
nic_lost(struct virtio_queue *q, void *cookie)
{
	struct nic *n = q->q_device->v_driver;
	struct buffers *b = &n->n_buffers[q->q_index];

	drv_lock(&q->q_lock);
	b->b_free[b->b_nfree++] = index_of(b, cookie);
	drv_unlock(&q->q_lock);
}

static void
nic_again(struct virtio *v)
{
	struct nic *n = v->v_driver;
	struct virtio_queue *q = &v->v_queue[RX];

	drv_lock(&q->q_lock);
	refill(q, &n->n_buffers[RX]);
	drv_unlock(&q->q_lock);
}

static void
nic_gone(struct virtio *v)
{
	struct nic *n = v->v_driver;

	atomic_store(&n->n_net.nd_link, false);
}

static void
nic_changed(struct virtio *v)
{
	struct nic *n = v->v_driver;
	bool link = true;

	if ((v->v_features & VIRTIO_NET_F_STATUS) != 0)
		link = (VIRTIO_CONFIG(v, struct virtio_net_config, status) & VIRTIO_NET_LINK_UP) != 0;
	if (atomic_exchange(&n->n_net.nd_link, link) != link)
		drv_log(v->v_name, "link %s", link ? "up" : "down");
}

/* ---- Attaching. ---- */
static bool
read_config(struct virtio *v, struct nic *n)
{
	uint8_t *mac = n->n_net.nd_mac;
	uint64_t mtu = NET_FRAME_MAX - ETHER_BYTES;

	if ((v->v_features & VIRTIO_NET_F_MTU) != 0)
		mtu = rt_min(mtu, VIRTIO_CONFIG(v, struct virtio_net_config, mtu));
	n->n_frame_max = ETHER_BYTES + (uint32_t)mtu;
	for (size_t i = 0; i < sizeof n->n_net.nd_mac; i++)
		mac[i] = (uint8_t)virtio_config(v, offsetof(struct virtio_net_config, mac) + i, 1);
	return mtu >= MTU_MIN;
}

static bool
add_queue(struct virtio *v, struct buffers *b, bool patient)
{
	struct virtio_queue *q = &v->v_queue[v->v_queues];

	if (!virtio_add_queue(v, QUEUE_SIZE, 0, patient))
		return false;
	if (dma_alloc(&b->b_memory, (size_t)q->q_size * BUFFER_BYTES, UINT64_MAX) != 0) {
		virtio_fail(v, "no memory");
		return false;
	}
	while (b->b_nfree < q->q_size) {
		b->b_free[b->b_nfree] = b->b_nfree;
		b->b_nfree++;
	}
	return true;
}

static void
nic_attach(struct virtio *v)
{
	static const struct net_ops net_ops = { .send = nic_send };
	struct nic *n = drv_alloc(sizeof *n);
	struct netdev *nd;

	if (n == NULL) {
		virtio_fail(v, "no memory");
		return;
	}
	v->v_driver = n;
	n->n_virtio = v;
	nd = &n->n_net;
	nd->nd_ops = &net_ops;
	nd->nd_driver = n;
	if (!virtio_agree(v, VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_MTU))
		return;
	if ((v->v_features & VIRTIO_NET_F_MAC) == 0 || !read_config(v, n)) {
		virtio_fail(v, "it has no address, or no sensible MTU");
		return;
	}
	(void)virtio_interrupts(v, 1);
	if (!add_queue(v, &n->n_buffers[RX], true) || !add_queue(v, &n->n_buffers[TX], false) ||
	    !virtio_start(v))
		return;
	nic_again(v);
	net_attach(nd);
	v->v_name = nd->nd_name;
	nic_changed(v);
}

static const struct virtio_ops nic_ops = {
	.serve = nic_serve, .lost = nic_lost, .again = nic_again, .gone = nic_gone, .changed = nic_changed,
};
const struct virtio_driver virtio_net = { VIRTIO_NET, &nic_ops, nic_attach };
