/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ramdisk - a disk in memory, for a machine without one, and for tests.
 *
 * Told so, it fails as disks do: a bad block, no more room, late answers, a
 * disk that vanishes.
 *
 * Invariants
 *   R1  slow: at most ROOM requests are here, and the thread ends them in
 *       their order; it says so after each, as there is room again.
 *
 * Locking: r_lock for the requests of a slow disk.  Contents have none: who
 * writes a block while another reads it gets what disks give.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <drv/blk.h>
#include <drv/dma.h>
#include <drv/ramdisk.h>
#include <drv/thread.h>
#include <stdatomic.h>

#define CHUNK_BYTES	(1u << 20)
#define CHUNKS_MAX	4096u
#define ROOM		4u
#define NEVER		UINT64_MAX

struct ramdisk {
	struct blkdev	r_bd;
	uint8_t		**r_chunk;	/* const: the contents, CHUNK_BYTES each */
	uint64_t	r_fail_lba;	/* const; NEVER: none */
	uint64_t	r_gone_after;	/* const: requests; NEVER: it stays */
	_Atomic uint64_t r_requests;	/* [atomic] so far */
	bool		r_slow;		/* const */
	bool		r_back;		/* [the thread] it has yet to come back */
	struct drv_lock	r_lock;
	struct list	r_queue;	/* [r_lock] slow: requests, the oldest first */
	uint32_t	r_nqueue;	/* [r_lock] */
	struct drv_event r_event;	/* there are some, or it vanished */
};

static void
move(struct ramdisk *r, uint64_t at, uint8_t *mem, uint64_t n, bool to_disk)
{
	while (n > 0) {
		uint64_t in = at % CHUNK_BYTES, part = rt_min(n, CHUNK_BYTES - in);
		uint8_t *p = r->r_chunk[at / CHUNK_BYTES] + in;

		memcpy(to_disk ? p : mem, to_disk ? mem : p, part);
		at += part;
		mem += part;
		n -= part;
	}
}

static enum storage_result
perform(struct ramdisk *r, struct bio *b)
{
	uint64_t at = b->b_lba * r->r_bd.bd_block_bytes;

	if (atomic_load(&r->r_bd.bd_gone))
		return STORAGE_GONE;
	if (b->b_op == BIO_FLUSH)
		return STORAGE_OK;
	if (r->r_fail_lba >= b->b_lba && r->r_fail_lba - b->b_lba < b->b_blocks)
		return STORAGE_MEDIUM;
	for (uint32_t i = 0; i < b->b_nseg; i++) {
		move(r, at, dma_at(b->b_seg[i].pa), b->b_seg[i].bytes, b->b_op == BIO_WRITE);
		at += b->b_seg[i].bytes;
	}
	return STORAGE_OK;
}

static bool
ramdisk_submit(struct blkdev *bd, struct bio *b)
{
	struct ramdisk *r = bd->bd_driver;
	bool room = true;

	if (r->r_slow) {
		drv_lock(&r->r_lock);
		room = r->r_nqueue < ROOM;
		if (room) {
			list_push_back(&r->r_queue, &b->b_link);
			r->r_nqueue++;
		}
		drv_unlock(&r->r_lock);
	}
	if (room && atomic_fetch_add(&r->r_requests, 1) == r->r_gone_after) {
		blk_gone(bd);
		drv_event_set(&r->r_event);
	}
	if (room && r->r_slow)
		drv_event_set(&r->r_event);
	else if (room)
		blk_done(b, perform(r, b));
	return room;
}

static const struct blk_ops ramdisk_ops = { ramdisk_submit };

static struct bio *
oldest(struct ramdisk *r)
{
	struct bio *b;

	drv_lock(&r->r_lock);
	b = list_first(&r->r_queue, struct bio, b_link);
	if (b != NULL) {
		list_remove(&b->b_link);
		r->r_nqueue--;
	}
	drv_unlock(&r->r_lock);
	return b;
}

static void
attach(struct ramdisk *r)
{
	struct blkdev *bd = &r->r_bd;

	strlcpy(bd->bd_model, "memory", sizeof bd->bd_model);
	bd->bd_ops = &ramdisk_ops;
	bd->bd_driver = r;
	bd->bd_bytes_max = BIO_BYTES_MAX;
	bd->bd_segs_max = BIO_SEGS;
	bd->bd_flush = true;
	blk_attach(bd);
}

static void
come_back(struct ramdisk *old)
{
	struct ramdisk *r = drv_alloc(sizeof *r);

	old->r_back = false;
	if (r == NULL)
		return;
	strlcpy(r->r_bd.bd_name, old->r_bd.bd_name, sizeof r->r_bd.bd_name);
	r->r_bd.bd_blocks = old->r_bd.bd_blocks;
	r->r_bd.bd_block_bytes = old->r_bd.bd_block_bytes;
	r->r_bd.bd_read_only = old->r_bd.bd_read_only;
	r->r_chunk = old->r_chunk;
	r->r_fail_lba = old->r_fail_lba;
	r->r_gone_after = NEVER;
	attach(r);
}

static void
ramdisk_thread(void *arg)
{
	struct ramdisk *r = arg;
	struct bio *b;

	for (;;) {
		while ((b = oldest(r)) != NULL) {
			drv_enter();
			blk_done(b, perform(r, b));
			blk_room(&r->r_bd);	/* R1 */
			drv_leave();
		}
		if (r->r_back && atomic_load(&r->r_bd.bd_gone))
			come_back(r);
		drv_event_wait(&r->r_event, NSEC_NEVER);
	}
}

/* A number with K, M or G behind it; *text is left behind it.  False: none. */
static bool
number(const char **text, uint64_t *out)
{
	const char *s = *text;
	uint64_t v = 0;
	uint32_t shift = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (UINT64_MAX >> 32) / 10 - 1)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (*s == 'K' || *s == 'M' || *s == 'G')
		shift = *s == 'K' ? 10 : *s == 'M' ? 20 : 30;
	*text = shift != 0 ? s + 1 : s;
	*out = v << shift;
	return true;
}

static bool
begins(const char **text, const char *with)
{
	size_t n = strlen(with);

	if (strncmp(*text, with, n) != 0)
		return false;
	*text += n;
	return true;
}

static bool
option(struct ramdisk *r, const char **text)
{
	if (begins(text, "fail="))
		return number(text, &r->r_fail_lba);
	if (begins(text, "gone="))
		return number(text, &r->r_gone_after);
	if (begins(text, "slow"))
		return r->r_slow = true;
	if (begins(text, "back"))
		return r->r_back = true;
	return begins(text, "ro") && (r->r_bd.bd_read_only = true);
}

static bool
parse(struct ramdisk *r, const char *text)
{
	uint64_t bytes, block = 512;

	if (!number(&text, &bytes))
		return false;
	if (text[0] == ',' && text[1] >= '0' && text[1] <= '9') {
		text++;
		if (!number(&text, &block))
			return false;
	}
	while (*text == ',') {
		text++;
		if (!option(r, &text))
			return false;
	}
	if (*text != '\0' || block < 512 || block > 4096 || (block & (block - 1)) != 0)
		return false;
	r->r_bd.bd_block_bytes = (uint32_t)block;
	r->r_bd.bd_blocks = bytes / block;
	return bytes >= block && bytes <= (uint64_t)CHUNKS_MAX * CHUNK_BYTES;
}

static int
fill(struct ramdisk *r)
{
	uint64_t bytes = r->r_bd.bd_blocks * r->r_bd.bd_block_bytes;
	uint64_t n = (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;

	r->r_chunk = drv_alloc(n * sizeof r->r_chunk[0]);
	for (uint64_t i = 0; r->r_chunk != NULL && i < n; i++) {
		r->r_chunk[i] = drv_alloc(CHUNK_BYTES);
		if (r->r_chunk[i] != NULL)
			continue;
		while (i-- > 0)
			drv_free(r->r_chunk[i]);
		drv_free(r->r_chunk);
		return ENOMEM;
	}
	return r->r_chunk != NULL ? 0 : ENOMEM;
}

int
ramdisk_make(const char *text)
{
	struct ramdisk *r = drv_alloc(sizeof *r);
	int error;

	if (r == NULL)
		return ENOMEM;
	r->r_fail_lba = r->r_gone_after = NEVER;
	drv_event_init(&r->r_event);
	list_init(&r->r_queue);
	error = parse(r, text) ? fill(r) : EINVAL;
	if (error == 0 && (r->r_slow || r->r_back))
		error = drv_thread("ramdisk", ramdisk_thread, r);
	if (error != 0) {
		drv_free(r);
		return error;
	}
	rt_snprintf(r->r_bd.bd_name, sizeof r->r_bd.bd_name, "ram%u", blk_number("ram"));
	attach(r);
	return 0;
}
