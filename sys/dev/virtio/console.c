/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console - virtio consoles (virtio 1.2, section 5.3): terminals hvc0 and on.
 *
 * Two queues, each with a few buffers.  What came stays in its buffers until somebody
 * reads it, so who types too much waits outside.  What is written is copied to free buffers;
 * when none is left the writer is told so, and again when there is one: a device
 * that takes nothing, as nobody looks there, holds up nobody but its writers.
 *
 * What the kernel says must go out in any state, so it goes past the queues, by the
 * register for that, a byte at a time.  With a device that has none it waits in a ring
 * until somebody may use the queue, and last words are not shown.
 *
 * Locking: a queue's q_lock guards its buffers, too; the user is called without it.
 * The ring has one reader, who has TX's q_lock, and one writer, whoever speaks; last words may
 * come between, so it is not believed: more bytes than it holds are none.
 * Not here: ports but the first; sizes that change.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <drv/console.h>
#include <stdatomic.h>

#include "device.h"

#define QUEUE_SIZE	16u
#define BUFFER_BYTES	256u
#define SAID_BYTES	32768u		/* what is more is in the log only */
#define ROUNDS		16u		/* looks at a queue, before others get the CPU */

enum { RX, TX, QUEUES };

struct buffers {
	struct dma_mem	b_memory;		/* const */
	uint16_t	b_free[QUEUE_SIZE];	/* [q_lock] */
	uint16_t	b_nfree;		/* [q_lock] */
};

struct hvc {
	struct virtio	*h_virtio;	/* const */
	struct chrdev	h_chr;
	struct console_voice h_voice;
	char		h_name[16];	/* const */
	uint16_t	h_rows, h_cols;	/* const */
	struct buffers	h_buffers[QUEUES];
	struct {
		uint16_t	buffer;
		uint16_t	bytes;
	} h_come[QUEUE_SIZE];		/* [RX's q_lock] from h_first on, round about: not all read */
	uint16_t	h_first, h_ncome, h_read;	/* [RX's q_lock] h_read bytes of the first are */
	struct dma_mem	h_said;		/* const: the ring, SAID_BYTES if there is one */
	_Atomic uint32_t h_said_head, h_said_tail;	/* [atomic] written, read: so many bytes in all */
	bool		h_waited_for;	/* [TX's q_lock] somebody got no room */
};

static uint8_t *
buffer_at(struct buffers *b, uint16_t i)
{
	return (uint8_t *)b->b_memory.va + i * BUFFER_BYTES;
}

static uint16_t
index_of(struct buffers *b, void *cookie)
{
	return (uint16_t)(((uint8_t *)cookie - (uint8_t *)b->b_memory.va) / BUFFER_BYTES);
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

static void
refill(struct virtio_queue *q, struct buffers *b)
{
	while (put(q, b, BUFFER_BYTES))
		;
	virtio_kick(q);
}

/* ---- For the user. ---- */

/* What came is taken from the device's side to h_come.  [q_lock] */
static void
take(struct hvc *h, struct virtio_queue *q)
{
	struct buffers *b = &h->h_buffers[RX];
	struct vring_done done;

	while (virtio_take(q, &done)) {
		uint16_t i = index_of(b, done.d_cookie), at = (h->h_first + h->h_ncome) % QUEUE_SIZE;

		if (done.d_written == 0) {
			b->b_free[b->b_nfree++] = i;
			continue;
		}
		h->h_come[at].buffer = i;
		h->h_come[at].bytes = (uint16_t)done.d_written;
		h->h_ncome++;
	}
}

static int
hvc_read(struct chrdev *cd, void *buf, size_t len, size_t *done)
{
	struct hvc *h = container_of(cd, struct hvc, h_chr);
	struct virtio_queue *q = &h->h_virtio->v_queue[RX];
	struct buffers *b = &h->h_buffers[RX];
	uint8_t *to = buf;

	*done = 0;
	drv_lock(&q->q_lock);
	while (*done < len && h->h_ncome > 0) {
		const uint16_t i = h->h_come[h->h_first].buffer, bytes = h->h_come[h->h_first].bytes;
		const size_t n = rt_min(len - *done, bytes - h->h_read);

		memcpy(to + *done, buffer_at(b, i) + h->h_read, n);
		*done += n;
		h->h_read += (uint16_t)n;
		if (h->h_read < bytes)
			break;
		h->h_read = 0;
		h->h_first = (h->h_first + 1) % QUEUE_SIZE;
		h->h_ncome--;
		b->b_free[b->b_nfree++] = i;
	}
	refill(q, b);
	drv_unlock(&q->q_lock);
	return *done > 0 || atomic_load(&h->h_virtio->v_given_up) ? 0 : EAGAIN;
}

/* As much as there is room for; how much.  [q_lock] */
static size_t
send(struct virtio_queue *q, struct buffers *b, const char *from, size_t len)
{
	size_t done = 0;

	while (done < len && b->b_nfree > 0) {
		const uint32_t n = (uint32_t)rt_min(len - done, BUFFER_BYTES);

		memcpy(buffer_at(b, b->b_free[b->b_nfree - 1]), from + done, n);
		if (!put(q, b, n))
			break;
		done += n;
	}
	return done;
}

/* What was taken is free again, for what the kernel said first.  [q_lock] */
static void
reap(struct hvc *h, struct virtio_queue *q)
{
	struct buffers *b = &h->h_buffers[TX];
	uint32_t tail = atomic_load(&h->h_said_tail), left;
	struct vring_done done;

	while (virtio_take(q, &done))
		b->b_free[b->b_nfree++] = index_of(b, done.d_cookie);
	while ((left = atomic_load(&h->h_said_head) - tail) > 0 && left <= SAID_BYTES && b->b_nfree > 0) {
		const size_t at = tail % SAID_BYTES;
		const size_t n = send(q, b, (char *)h->h_said.va + at, rt_min(left, SAID_BYTES - at));

		if (n == 0)
			break;
		tail += (uint32_t)n;
		atomic_store(&h->h_said_tail, tail);
	}
	virtio_kick(q);
}

static int
hvc_write(struct chrdev *cd, const void *buf, size_t len, size_t *done)
{
	struct hvc *h = container_of(cd, struct hvc, h_chr);
	struct virtio_queue *q = &h->h_virtio->v_queue[TX];

	*done = 0;
	if (atomic_load(&h->h_virtio->v_given_up))
		return EPIPE;
	drv_lock(&q->q_lock);
	reap(h, q);
	*done = send(q, &h->h_buffers[TX], buf, len);
	virtio_kick(q);
	h->h_waited_for = *done < len;
	drv_unlock(&q->q_lock);
	return *done > 0 ? 0 : EAGAIN;
}

static void
hvc_size(struct chrdev *cd, uint16_t *rows, uint16_t *cols)
{
	const struct hvc *h = container_of(cd, struct hvc, h_chr);

	*rows = h->h_rows;
	*cols = h->h_cols;
}

static void
hvc_raw(struct chrdev *cd, bool on)
{
	(void)cd;
	(void)on;
}

static void
hvc_say_later(struct console_voice *cv, const char *text, size_t len)
{
	struct hvc *h = container_of(cv, struct hvc, h_voice);
	uint32_t head = atomic_load(&h->h_said_head);
	char *said = h->h_said.va;

	for (size_t i = 0; i < len && head - atomic_load(&h->h_said_tail) < SAID_BYTES; i++)
		said[head++ % SAID_BYTES] = text[i];
	atomic_store(&h->h_said_head, head);
}

static void
hvc_flush(struct console_voice *cv)
{
	struct hvc *h = container_of(cv, struct hvc, h_voice);
	struct virtio_queue *q = &h->h_virtio->v_queue[TX];

	drv_lock(&q->q_lock);
	reap(h, q);
	drv_unlock(&q->q_lock);
}

static void
hvc_say(struct console_voice *cv, const char *text, size_t len)
{
	struct hvc *h = container_of(cv, struct hvc, h_voice);
	volatile uint32_t *reg = (volatile uint32_t *)(h->h_virtio->v_config +
	    offsetof(struct virtio_console_config, emerg_wr));

	for (size_t i = 0; i < len; i++)
		*reg = (uint8_t)text[i];
}

/* ---- For the device. ---- */
static void
tell(struct hvc *h)
{
	if (h->h_chr.cd_notify != NULL)
		h->h_chr.cd_notify(&h->h_chr);
}

static void
hvc_serve(struct virtio_queue *q)
{
	struct hvc *h = q->q_device->v_driver;
	bool news, more = true;

	drv_lock(&q->q_lock);
	for (uint32_t round = 0; round < ROUNDS && more; round++) {
		if (q->q_index == RX)
			take(h, q);
		else
			reap(h, q);
		more = virtio_rest(q);
	}
	news = q->q_index == RX ? h->h_ncome > 0 : h->h_waited_for && h->h_buffers[TX].b_nfree > 0;
	if (q->q_index == TX && news)
		h->h_waited_for = false;
	drv_unlock(&q->q_lock);
	if (news)
		tell(h);
	if (more)
		virtio_serve_later(q->q_device);
}

static void
hvc_lost(struct virtio_queue *q, void *cookie)
{
	struct hvc *h = q->q_device->v_driver;
	struct buffers *b = &h->h_buffers[q->q_index];

	drv_lock(&q->q_lock);
	b->b_free[b->b_nfree++] = index_of(b, cookie);
	drv_unlock(&q->q_lock);
}

static void
hvc_again(struct virtio *v)
{
	struct hvc *h = v->v_driver;
	struct virtio_queue *q = &v->v_queue[RX];

	drv_lock(&q->q_lock);
	refill(q, &h->h_buffers[RX]);
	drv_unlock(&q->q_lock);
	tell(h);
}

static void
hvc_gone(struct virtio *v)
{
	tell(v->v_driver);
}

/* ---- Attaching. ---- */
static bool
add_queue(struct virtio *v, struct buffers *b)
{
	struct virtio_queue *q = &v->v_queue[v->v_queues];

	/* Whoever is outside may read nothing for as long as he likes. */
	if (!virtio_add_queue(v, QUEUE_SIZE, 0, true))
		return false;
	if (dma_alloc(&b->b_memory, q->q_size * BUFFER_BYTES, UINT64_MAX) != 0) {
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
hvc_attach(struct virtio *v)
{
	static const struct chr_ops ops = { hvc_read, hvc_write, hvc_size, hvc_raw };
	struct hvc *h = drv_alloc(sizeof *h);

	if (h == NULL) {
		virtio_fail(v, "no memory");
		return;
	}
	v->v_driver = h;
	h->h_virtio = v;
	(void)rt_snprintf(h->h_name, sizeof h->h_name, "hvc%u", v->v_number);
	h->h_chr = (struct chrdev){ .cd_name = h->h_name, .cd_ops = &ops, .cd_kind = CHR_TTY };
	h->h_rows = 24;
	h->h_cols = 80;
	if (!virtio_agree(v, VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_EMERG_WRITE))
		return;
	if ((v->v_features & VIRTIO_CONSOLE_F_SIZE) != 0) {
		h->h_rows = (uint16_t)VIRTIO_CONFIG(v, struct virtio_console_config, rows);
		h->h_cols = (uint16_t)VIRTIO_CONFIG(v, struct virtio_console_config, cols);
	}
	(void)virtio_interrupts(v, QUEUES);
	if (!add_queue(v, &h->h_buffers[RX]) || !add_queue(v, &h->h_buffers[TX]) || !virtio_start(v))
		return;
	v->v_name = h->h_name;
	chr_attach(&h->h_chr);
	drv_enter();
	hvc_again(v);
	drv_leave();
	if ((v->v_features & VIRTIO_CONSOLE_F_EMERG_WRITE) != 0 &&
	    v->v_config_bytes >= sizeof(struct virtio_console_config))
		h->h_voice = (struct console_voice){ h->h_name, hvc_say, NULL };
	else if (dma_alloc(&h->h_said, SAID_BYTES, UINT64_MAX) == 0)
		h->h_voice = (struct console_voice){ h->h_name, hvc_say_later, hvc_flush };
	if (h->h_voice.cv_say != NULL)
		console_attach(&h->h_voice);
}

static const struct virtio_ops hvc_ops = {
	.serve = hvc_serve, .lost = hvc_lost, .again = hvc_again, .gone = hvc_gone,
};
const struct virtio_driver virtio_console = { VIRTIO_CONSOLE, &hvc_ops, hvc_attach };
