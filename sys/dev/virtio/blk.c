/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blk - virtio disks (virtio 1.2, section 5.2).
 *
 * Each CPU has a queue as far as the device has queues and vectors.  A request is
 * a header, the bio's own memory and a byte of status; header and status are in
 * memory that the queue keeps for as many requests as it has descriptors, so
 * nothing is allocated on the way.
 *
 * A status that the device did not write, and data that it says it did not write
 * whole, are errors of the medium.
 *
 * Locking: a queue's q_lock guards what it keeps, too.
 * Not here: DISCARD and the like, a disk that grows while it is used.
 */
#include "device.h"

#include <core/rt/rt.h>
#include <drv/blk.h>
#include <drv/pci.h>
#include <stdatomic.h>

#define QUEUE_SIZE	128u
#define BATCH		16u		/* finished requests that are told of at once... */
#define ROUNDS		16u		/* ...and how often, before others get the CPU */
#define SEGMENTS	(BIO_SEGS + 2)
#define ID_PATIENCE	(5 * NSEC_PER_SEC)
#define STATUS_NONE	0xff		/* until the device writes it */

struct wire {
	struct virtio_blk_header header;
	uint8_t		status;
	uint8_t		pad[15];
};
_Static_assert(sizeof(struct wire) == 32, "none crosses a page");

struct request {
	struct bio	*r_bio;		/* [the queue] NULL: it asks for the disk's name */
	uint32_t	r_written;	/* [the queue] what the device has to write */
	struct wire	*r_wire;	/* const */
	uint64_t	r_wire_pa;	/* const */
	struct request	*r_next;	/* [q_lock] in the list of free ones */
};

struct disk_queue {
	struct request	*dq_free;	/* [q_lock] */
	bool		dq_waited_for;	/* [q_lock] somebody got no room */
};

struct disk {
	struct virtio	*d_virtio;	/* const */
	struct blkdev	d_blk;
	uint32_t	d_sectors_shift; /* const: sectors of 512 bytes in a block */
	struct dma_mem	d_id;		/* const; [the device] until d_answered */
	struct drv_event d_answered;
	_Atomic bool	d_attached;	/* [atomic] the block layer knows it */
	struct disk_queue d_queue[VIRTIO_QUEUES_MAX];
};

/* ---- Requests. ---- */
static struct disk_queue *
queue_of(struct virtio_queue *q)
{
	struct disk *d = q->q_device->v_driver;

	return &d->d_queue[q->q_index];
}

static void
request_free(struct disk_queue *dq, struct request *r)
{
	r->r_next = dq->dq_free;
	dq->dq_free = r;
}

/* seg[1] to seg[n] are its data. */
static bool
put(struct virtio_queue *q, struct request *r, uint32_t type, uint64_t sector, struct vring_segment *seg,
    uint32_t n)
{
	r->r_wire->header = (struct virtio_blk_header){ .type = type, .sector = sector };
	r->r_wire->status = STATUS_NONE;
	seg[0] = (struct vring_segment){ r->r_wire_pa, sizeof(struct virtio_blk_header), false };
	seg[n + 1] = (struct vring_segment){ r->r_wire_pa + offsetof(struct wire, status), 1, true };
	return virtio_put(q, seg, n + 2, r);
}

static bool
put_bio(struct disk *d, struct virtio_queue *q, struct request *r, struct bio *b)
{
	static const uint32_t type[] = {
		[BIO_READ] = VIRTIO_BLK_IN, [BIO_WRITE] = VIRTIO_BLK_OUT, [BIO_FLUSH] = VIRTIO_BLK_FLUSH,
	};
	struct vring_segment seg[SEGMENTS];

	ASSERT(b->b_nseg <= BIO_SEGS);
	r->r_bio = b;
	r->r_written = 1;
	for (uint32_t i = 0; i < b->b_nseg; i++) {
		seg[1 + i] = (struct vring_segment){
			b->b_seg[i].pa, (uint32_t)b->b_seg[i].bytes, b->b_op == BIO_READ
		};
		if (b->b_op == BIO_READ)
			r->r_written += (uint32_t)b->b_seg[i].bytes;
	}
	return put(q, r, type[b->b_op], b->b_lba << d->d_sectors_shift, seg, b->b_nseg);
}

static bool
disk_submit(struct blkdev *bd, struct bio *b)
{
	struct disk *d = bd->bd_driver;
	struct virtio_queue *q = &d->d_virtio->v_queue[drv_cpu() % d->d_virtio->v_queues];
	struct disk_queue *dq = queue_of(q);
	struct request *r;
	bool sent;

	drv_lock(&q->q_lock);
	r = dq->dq_free;
	sent = r != NULL && put_bio(d, q, r, b);
	if (sent) {
		dq->dq_free = r->r_next;
		virtio_kick(q);
	} else
		dq->dq_waited_for = true;
	drv_unlock(&q->q_lock);
	return sent;
}

static enum storage_result
result_of(const struct request *r, const struct vring_done *done)
{
	switch (r->r_wire->status) {
	case VIRTIO_BLK_OK: return done->d_written < r->r_written ? STORAGE_MEDIUM : STORAGE_OK;
	case VIRTIO_BLK_UNSUPP: return STORAGE_REFUSED;
	default: return STORAGE_MEDIUM;
	}
}

/* ---- Answers. ---- */
struct answer {
	struct bio	*bio;
	enum storage_result result;
};

static uint32_t
take_batch(struct virtio_queue *q, struct answer out[BATCH])
{
	struct disk *d = q->q_device->v_driver;
	struct vring_done done;
	uint32_t n = 0;

	while (n < BATCH && virtio_take(q, &done)) {
		struct request *r = done.d_cookie;

		if (r->r_bio != NULL)
			out[n++] = (struct answer){ r->r_bio, result_of(r, &done) };
		else if (result_of(r, &done) == STORAGE_OK)
			drv_event_set(&d->d_answered);
		request_free(&d->d_queue[q->q_index], r);
	}
	return n;
}

/* What finishes while its answers are told of needs no interrupt. */
static void
disk_serve(struct virtio_queue *q)
{
	struct disk *d = q->q_device->v_driver;
	struct answer answer[BATCH];

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct disk_queue *dq = &d->d_queue[q->q_index];
		bool more, room;
		uint32_t n;

		drv_lock(&q->q_lock);
		virtio_hush(q);
		n = take_batch(q, answer);
		more = n > 0 || virtio_rest(q);
		room = n > 0 && dq->dq_waited_for;
		dq->dq_waited_for = dq->dq_waited_for && !room;
		drv_unlock(&q->q_lock);
		for (uint32_t i = 0; i < n; i++)
			blk_done(answer[i].bio, answer[i].result);
		if (room)
			blk_room(&d->d_blk);
		if (!more)
			return;
	}
	virtio_serve_later(q->q_device);
}

static void
disk_lost(struct virtio_queue *q, void *cookie)
{
	struct request *r = cookie;
	struct bio *b = r->r_bio;

	drv_lock(&q->q_lock);
	request_free(queue_of(q), r);
	drv_unlock(&q->q_lock);
	if (b != NULL)
		blk_done(b, q->q_device->v_given_up ? STORAGE_GONE : STORAGE_RETRY);
}

static void
disk_again(struct virtio *v)
{
	struct disk *d = v->v_driver;

	if (atomic_load(&d->d_attached))
		blk_room(&d->d_blk);
}

static void
disk_gone(struct virtio *v)
{
	struct disk *d = v->v_driver;

	if (atomic_load(&d->d_attached))
		blk_gone(&d->d_blk);
}

static void
disk_changed(struct virtio *v)
{
	struct disk *d = v->v_driver;
	uint64_t blocks = VIRTIO_CONFIG(v, struct virtio_blk_config, capacity) >> d->d_sectors_shift;

	if (blocks != d->d_blk.bd_blocks)
		drv_log(v->v_name, "%ju blocks now, used as %ju", (uintmax_t)blocks,
		    (uintmax_t)d->d_blk.bd_blocks);
}

/* ---- Attaching. ---- */
static bool
read_geometry(struct virtio *v, struct disk *d)
{
	struct blkdev *bd = &d->d_blk;
	uint64_t bytes = VIRTIO_BLK_SECTOR, size_max = BIO_BYTES_MAX, segs = 1;

	if ((v->v_features & VIRTIO_BLK_F_BLK_SIZE) != 0)
		bytes = VIRTIO_CONFIG(v, struct virtio_blk_config, blk_size);
	if ((v->v_features & VIRTIO_BLK_F_SIZE_MAX) != 0)
		size_max = VIRTIO_CONFIG(v, struct virtio_blk_config, size_max);
	if ((v->v_features & VIRTIO_BLK_F_SEG_MAX) != 0)
		segs = VIRTIO_CONFIG(v, struct virtio_blk_config, seg_max);
	while (VIRTIO_BLK_SECTOR << d->d_sectors_shift < bytes && bytes <= 4096)
		d->d_sectors_shift++;
	bd->bd_block_bytes = VIRTIO_BLK_SECTOR << d->d_sectors_shift;
	bd->bd_blocks = VIRTIO_CONFIG(v, struct virtio_blk_config, capacity) >> d->d_sectors_shift;
	bd->bd_bytes_max = (uint32_t)rt_min(size_max, BIO_BYTES_MAX) & ~(bd->bd_block_bytes - 1);
	bd->bd_segs_max = (uint32_t)rt_min(rt_max(segs, 1), BIO_SEGS);
	bd->bd_read_only = (v->v_features & VIRTIO_BLK_F_RO) != 0;
	bd->bd_flush = (v->v_features & VIRTIO_BLK_F_FLUSH) != 0;
	return bytes == bd->bd_block_bytes && bd->bd_bytes_max >= 4096 &&
	    bd->bd_blocks <= INT64_MAX / bd->bd_block_bytes;
}

static bool
make_requests(struct virtio_queue *q, struct disk_queue *dq)
{
	struct request *r = drv_alloc(q->q_size * sizeof *r);
	struct dma_mem wires;

	if (r == NULL || dma_alloc(&wires, q->q_size * sizeof(struct wire), UINT64_MAX) != 0)
		return false;
	for (uint32_t i = 0; i < q->q_size; i++) {
		r[i].r_wire = (struct wire *)wires.va + i;
		r[i].r_wire_pa = wires.pa + i * sizeof(struct wire);
		request_free(dq, &r[i]);
	}
	return true;
}

static bool
add_queues(struct virtio *v, struct disk *d)
{
	uint32_t n = 1;

	if ((v->v_features & VIRTIO_BLK_F_MQ) != 0)
		n = (uint32_t)VIRTIO_CONFIG(v, struct virtio_blk_config, num_queues);
	n = (uint32_t)rt_min(rt_max(n, 1), rt_min(drv_cpus(), VIRTIO_QUEUES_MAX));
	n = (uint32_t)rt_min(virtio_interrupts(v, n), n);
	for (uint32_t i = 0; i < n; i++) {
		struct virtio_queue *q = &v->v_queue[i];

		if (!virtio_add_queue(v, QUEUE_SIZE, SEGMENTS, false))
			return false;
		/* No request has more segments than its queue has descriptors, in tables neither. */
		if (q->q_size < 3 || !make_requests(q, &d->d_queue[i])) {
			virtio_fail(v, q->q_size < 3 ? "its queues are too small" : "no memory");
			return false;
		}
		d->d_blk.bd_segs_max = (uint32_t)rt_min(d->d_blk.bd_segs_max, q->q_size - 2u);
	}
	return true;
}

/* Its serial number: no NUL at the end if it is long.  It may have none. */
static void
ask_for_name(struct virtio *v, struct disk *d)
{
	struct virtio_queue *q = &v->v_queue[0];
	struct vring_segment seg[3] = { [1] = { d->d_id.pa, VIRTIO_BLK_ID_BYTES, true } };
	struct request *r;

	drv_lock(&q->q_lock);
	r = d->d_queue[0].dq_free;
	d->d_queue[0].dq_free = r->r_next;
	r->r_bio = NULL;
	r->r_written = 1;
	if (put(q, r, VIRTIO_BLK_GET_ID, 0, seg, 1))
		virtio_kick(q);
	else
		request_free(&d->d_queue[0], r);
	drv_unlock(&q->q_lock);
	if (drv_event_wait(&d->d_answered, md_now() + ID_PATIENCE))
		storage_text(d->d_blk.bd_serial, d->d_id.va, VIRTIO_BLK_ID_BYTES, 0);
}

static void
disk_attach(struct virtio *v)
{
	static const struct blk_ops blk_ops = { .submit = disk_submit };
	struct disk *d = drv_alloc(sizeof *d);
	struct blkdev *bd;

	if (d == NULL || dma_alloc(&d->d_id, VIRTIO_BLK_ID_BYTES, UINT64_MAX) != 0) {
		virtio_fail(v, "no memory");
		return;
	}
	v->v_driver = d;
	d->d_virtio = v;
	drv_event_init(&d->d_answered);
	bd = &d->d_blk;
	bd->bd_ops = &blk_ops;
	bd->bd_driver = d;
	if (!virtio_agree(v, VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO |
	    VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_MQ))
		return;
	if (!read_geometry(v, d)) {
		virtio_fail(v, "its blocks, or how many may be asked for, are absurd");
		return;
	}
	if (!add_queues(v, d) || !virtio_start(v))
		return;
	ask_for_name(v, d);
	(void)strlcpy(bd->bd_model, "virtio", sizeof bd->bd_model);
	blk_letter(bd->bd_name, "vd", v->v_number);
	v->v_name = bd->bd_name;
	blk_attach(bd);
	drv_enter();
	atomic_store(&d->d_attached, true);
	if (atomic_load(&v->v_given_up))
		blk_gone(bd);
	drv_leave();
}

static const struct virtio_ops disk_ops = {
	.serve = disk_serve, .lost = disk_lost, .again = disk_again, .gone = disk_gone,
	.changed = disk_changed,
};
const struct virtio_driver virtio_blk = { VIRTIO_BLK, &disk_ops, disk_attach };
