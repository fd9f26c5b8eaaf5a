/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk_io - bytes of disks, moved by requests for whole blocks.
 *
 * A call is done in windows of many requests, all of which are in flight at
 * once.  Their memory is the kernel's, from which bytes are copied, or, for
 * O_DIRECT, the program's own pages.  Nothing is cached: a write is on the
 * device, as far as that tells, when it returns.
 *
 * Invariants
 *   D1  a call keeps the range of the blocks that it touches: a write
 *       exclusively, so what it puts into parts of blocks is one change for
 *       all who read or write these, by whichever slice.
 *   D2  memory belongs to the device until its request has ended, and whoever
 *       asked waits for that, whatever happens.
 *   D3  a program's page that a request names is held meanwhile: unmapping it,
 *       or the end of the program, does not make it another page.  (A fork
 *       at that moment may give it to the child: as with Linux, a program
 *       that reads directly does not fork at the same time.)
 *   D4  the waiting thread may be gone as soon as ba_left is 0: what is woken
 *       after that is the disk's.
 *
 * Locking: ranges of the disk; fo_read and fo_write are called under f_lk.
 */
#include "disk_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

#define WINDOW_REQUESTS	32u
#define RUN_ORDER	5u		/* 128 KiB: BIO_BYTES_MAX */
#define RETRIES		5u

struct batch {
	_Atomic uint32_t ba_left;	/* [atomic] requests that have not ended */
	struct waitq	*ba_waitq;	/* const */
};

/* Bytes [w_at, w_end) of the disk, whole blocks, of which the call asked for [w_first, w_last). */
struct window {
	struct disk	*w_disk;
	enum bio_op	w_op;
	uint64_t	w_at, w_end, w_first, w_last;
	struct bio	*w_bio;
	uint32_t	w_n, w_max;
};

/* ------------------------------------------------------------- requests -- */

static int
error_of(enum storage_result r)
{
	switch (r) {
	case STORAGE_OK:	return 0;
	case STORAGE_REFUSED:	return EOPNOTSUPP;
	default:		return EIO;
	}
}

static void
ended(struct bio *b)
{
	struct batch *ba = b->b_up;
	struct waitq *q = ba->ba_waitq;

	if (atomic_fetch_sub(&ba->ba_left, 1) == 1)
		wake_all(q);		/* D4 */
}

/* All of them, until each has ended; what a device calls nobody's fault is tried again. */
static void
run(struct disk *d, struct bio *bio, uint32_t n)
{
	struct batch ba = { .ba_waitq = &d->d_waitq[curthread->td_id % DISK_WAITQS] };
	uint32_t again = n;
	int error;

	for (uint32_t i = 0; i < n; i++) {
		bio[i].b_result = STORAGE_RETRY;
		bio[i].b_done = ended;
		bio[i].b_up = &ba;
	}
	for (uint32_t turn = 0; again > 0 && turn < RETRIES; turn++) {
		atomic_store(&ba.ba_left, again);
		for (uint32_t i = 0; i < n; i++) {
			if (bio[i].b_result == STORAGE_RETRY)
				blk_submit(d->d_bd, &bio[i]);
			lwkt_poll();
		}
		WAIT_FOR(ba.ba_waitq, atomic_load(&ba.ba_left) == 0, NSEC_NEVER, 0, error);
		ASSERT(error == 0);
		again = 0;
		for (uint32_t i = 0; i < n; i++)
			again += bio[i].b_result == STORAGE_RETRY;
	}
}

int
disk_flush(struct disk *d)
{
	struct bio b = { .b_op = BIO_FLUSH };

	if (!d->d_bd->bd_flush)
		return atomic_load(&d->d_bd->bd_gone) ? EIO : 0;
	run(d, &b, 1);
	return error_of(b.b_result);
}

int
disk_page(struct disk *d, enum bio_op op, uint64_t at, void *page, uint32_t bytes)
{
	const uint32_t block = d->d_bd->bd_block_bytes;
	struct bio b = {
		.b_op = op, .b_lba = at / block, .b_blocks = bytes / block, .b_nseg = 1,
		.b_seg = { { md_v2p(page), bytes } },
	};

	run(d, &b, 1);
	return error_of(b.b_result);
}

static uint64_t
bio_bytes(const struct window *w, const struct bio *b)
{
	return (uint64_t)b->b_blocks * w->w_disk->d_bd->bd_block_bytes;
}

static uint64_t
request_max(const struct disk *d)
{
	const uint32_t block = d->d_bd->bd_block_bytes;

	return rt_min(d->d_bd->bd_bytes_max, BIO_BYTES_MAX) / block * block;
}

/* How far the requests were done, all before and without a gap; *error says what was wrong with the next. */
static uint64_t
good_end(const struct window *w, int *error)
{
	uint64_t at = w->w_at;

	for (uint32_t i = 0; i < w->w_n; i++) {
		if (w->w_bio[i].b_result != STORAGE_OK) {
			*error = error_of(w->w_bio[i].b_result);
			break;
		}
		at += bio_bytes(w, &w->w_bio[i]);
	}
	return at;
}

static struct bio *
next_bio(struct window *w, uint64_t at)
{
	struct bio *b = &w->w_bio[w->w_n++];

	*b = (struct bio){ .b_op = w->w_op, .b_lba = at / w->w_disk->d_bd->bd_block_bytes };
	return b;
}

/* ------------------------------------------------- by the kernel's memory -- */

/* A run of at most `bytes`, fewer if memory is in pieces; *got of them. */
static struct page *
run_alloc(uint64_t bytes, uint64_t *got)
{
	for (uint32_t order = RUN_ORDER; order > 0; order--) {
		struct page *pg;

		if (PAGE_BYTES << (order - 1) >= bytes)
			continue;
		pg = page_alloc_run(order, 0);
		if (pg != NULL) {
			uint64_t pages = (rt_min(bytes, PAGE_BYTES << order) + PAGE_MASK) >> PAGE_SHIFT;

			*got = rt_min(bytes, PAGE_BYTES << order);
			page_drop_run(pg + pages, (1ull << order) - pages);
			return pg;
		}
	}
	*got = rt_min(bytes, PAGE_BYTES);
	return page_alloc(PAGE_WAIT);
}

/* Requests with memory for the window, which gets shorter if that is not enough.  ENOMEM: none at all. */
static int
bounce_make(struct window *w)
{
	uint64_t at = w->w_at, got;

	while (at < w->w_end && w->w_n < w->w_max) {
		struct page *pg = run_alloc(rt_min(w->w_end - at, request_max(w->w_disk)), &got);
		struct bio *b;

		if (pg == NULL)
			break;
		b = next_bio(w, at);
		b->b_blocks = (uint32_t)(got / w->w_disk->d_bd->bd_block_bytes);
		b->b_nseg = 1;
		b->b_seg[0] = (struct storage_seg){ page_pa(pg), got };
		at += got;
	}
	w->w_end = at;
	w->w_last = rt_min(w->w_last, at);
	return w->w_n > 0 ? 0 : ENOMEM;
}

static void
bounce_free(struct window *w)
{
	for (uint32_t i = 0; i < w->w_n; i++) {
		const struct storage_seg *s = &w->w_bio[i].b_seg[0];

		page_drop_run(page_of(s->pa), (s->bytes + PAGE_MASK) >> PAGE_SHIFT);
	}
}

/* Between the window's memory and the program: what was asked for, up to `end`. */
static int
bounce_copy(struct window *w, uint64_t end, struct uio *u)
{
	uint64_t at = w->w_at;
	int error = 0;

	end = rt_min(end, w->w_last);
	for (uint32_t i = 0; error == 0 && i < w->w_n && at < end; i++) {
		uint64_t bytes = bio_bytes(w, &w->w_bio[i]), skip = at < w->w_first ? w->w_first - at : 0;

		if (at + skip < end)
			error = uio_move((char *)md_p2v(w->w_bio[i].b_seg[0].pa) + skip,
			    rt_min(at + bytes, end) - at - skip, u);
		at += bytes;
		lwkt_poll();
	}
	return error;
}

/* The block at `at`, which the write changes in part. */
static int
fill_block(struct window *w, uint64_t at)
{
	const uint32_t block = w->w_disk->d_bd->bd_block_bytes;
	uint64_t from = w->w_at;

	for (uint32_t i = 0;; i++) {
		uint64_t bytes = bio_bytes(w, &w->w_bio[i]);

		ASSERT(i < w->w_n);
		if (at < from + bytes)
			return disk_page(w->w_disk, BIO_READ, at,
			    (char *)md_p2v(w->w_bio[i].b_seg[0].pa) + (at - from), block);
		from += bytes;
	}
}

static int
fill_parts(struct window *w)
{
	const uint32_t block = w->w_disk->d_bd->bd_block_bytes;
	int error = 0;

	if (w->w_first != w->w_at)
		error = fill_block(w, w->w_at);
	if (error == 0 && w->w_last != w->w_end && (w->w_first == w->w_at || w->w_end - w->w_at > block))
		error = fill_block(w, w->w_end - block);
	return error;
}

static int
bounce_read(struct window *w, struct uio *u)
{
	int error = bounce_make(w), copied;
	uint64_t end;

	if (error != 0)
		return error;
	run(w->w_disk, w->w_bio, w->w_n);
	end = good_end(w, &error);
	copied = bounce_copy(w, end, u);
	bounce_free(w);
	return copied != 0 ? copied : error;
}

/* How many requests it takes up to `end`, a multiple of blocks; the last one is made shorter for it. */
static uint32_t
cut(struct window *w, uint64_t end)
{
	uint64_t at = w->w_at;
	uint32_t n = 0;

	for (; n < w->w_n && at < end; n++) {
		struct bio *b = &w->w_bio[n];
		uint64_t bytes = bio_bytes(w, b), keep = rt_min(bytes, end - at);
		uint64_t pages = (bytes + PAGE_MASK) >> PAGE_SHIFT, kept = (keep + PAGE_MASK) >> PAGE_SHIFT;

		page_drop_run(page_of(b->b_seg[0].pa) + kept, pages - kept);
		b->b_blocks = (uint32_t)(keep / w->w_disk->d_bd->bd_block_bytes);
		b->b_seg[0].bytes = keep;
		at += keep;
	}
	return n;
}

/* What was moved is what is on the disk, not what was copied. */
static void
account(const struct window *w, uint64_t end, uint64_t off, uint64_t resid, struct uio *u)
{
	uint64_t done = rt_min(end, w->w_last);

	done = done > w->w_first ? done - w->w_first : 0;
	u->u_off = off + done;
	u->u_resid = resid - done;
}

/* Memory that the program does not have ends the write with the block before. */
static int
bounce_write(struct window *w, struct uio *u)
{
	const uint64_t off = u->u_off, resid = u->u_resid;
	const uint32_t block = w->w_disk->d_bd->bd_block_bytes;
	int error = bounce_make(w), copied;
	uint32_t all;
	uint64_t end;

	if (error != 0)
		return error;
	copied = fill_parts(w);
	if (copied == 0)
		copied = bounce_copy(w, w->w_end, u);
	end = copied == 0 ? w->w_end : (w->w_first + (u->u_off - off)) / block * block;
	all = w->w_n;
	w->w_n = cut(w, end);
	run(w->w_disk, w->w_bio, w->w_n);
	account(w, good_end(w, &error), off, resid, u);
	w->w_n = all;
	bounce_free(w);
	return error != 0 ? error : copied;
}

/* ----------------------------------------------- by the program's memory -- */

static bool
is_aligned(const struct disk *d, const struct uio *u)
{
	uint64_t bits = u->u_off | u->u_resid, left = u->u_resid + u->u_skip;

	for (uint32_t i = 0; left > 0; i++) {
		bits |= u->u_seg[i].base | u->u_seg[i].len;
		left -= rt_min(left, u->u_seg[i].len);
	}
	return bits % d->d_bd->bd_block_bytes == 0;
}

/* Takes a piece of a page into the last request, or a new one.  False: that would be one too many. */
static bool
direct_add(struct window *w, uint64_t at, paddr_t pa, uint64_t bytes)
{
	struct bio *b = w->w_n > 0 ? &w->w_bio[w->w_n - 1] : NULL;
	const struct blkdev *bd = w->w_disk->d_bd;
	struct storage_seg *s = b != NULL ? &b->b_seg[b->b_nseg - 1] : NULL;

	/* Within a request all pieces but the first begin, and all but the last end, with a page. */
	if (b != NULL && (pa & PAGE_MASK) == 0 && ((s->pa + s->bytes) & PAGE_MASK) == 0 &&
	    bio_bytes(w, b) + bytes <= request_max(w->w_disk)) {
		b->b_blocks += (uint32_t)(bytes / bd->bd_block_bytes);
		if (s->pa + s->bytes == pa) {
			s->bytes += bytes;
			return true;
		}
		if (b->b_nseg < rt_min(bd->bd_segs_max, BIO_SEGS)) {
			b->b_seg[b->b_nseg++] = (struct storage_seg){ pa, bytes };
			return true;
		}
		b->b_blocks -= (uint32_t)(bytes / bd->bd_block_bytes);
	}
	if (w->w_n == w->w_max)
		return false;
	b = next_bio(w, at);
	b->b_blocks = (uint32_t)(bytes / bd->bd_block_bytes);
	b->b_nseg = 1;
	b->b_seg[0] = (struct storage_seg){ pa, bytes };
	return true;
}

/* D3 */
static int
direct_make(struct window *w, struct uio *u)
{
	uint64_t at = w->w_at, bytes;
	struct uio before;
	struct page *pg;
	paddr_t pa;
	int error = 0;

	while (at < w->w_end) {
		before = *u;
		error = uio_hold(u, rt_min(w->w_end - at, request_max(w->w_disk)), &pg, &pa, &bytes);
		if (error != 0)
			break;
		if (!direct_add(w, at, pa, bytes)) {
			page_drop(pg);
			*u = before;
			break;
		}
		at += bytes;
		lwkt_poll();
	}
	w->w_end = w->w_last = at;
	return w->w_n > 0 ? 0 : error;
}

/* What the device wrote is news for what the page is a copy of. */
static void
direct_free(struct window *w)
{
	for (uint32_t i = 0; i < w->w_n; i++) {
		for (uint32_t k = 0; k < w->w_bio[i].b_nseg; k++) {
			const struct storage_seg *s = &w->w_bio[i].b_seg[k];
			uint64_t n = ((s->pa & PAGE_MASK) + s->bytes + PAGE_MASK) >> PAGE_SHIFT;
			struct page *pg = page_of(s->pa & ~(paddr_t)PAGE_MASK);

			for (uint64_t j = 0; w->w_op == BIO_READ && j < n; j++)
				if ((page_flags(&pg[j]) & PG_ANON) == 0)
					page_flag_add(&pg[j], PG_DIRTY);
			page_drop_run(pg, n);
		}
	}
}

static int
direct_move(struct window *w, struct uio *u)
{
	const uint64_t off = u->u_off, resid = u->u_resid;
	int error = direct_make(w, u);

	if (error != 0)
		return error;
	run(w->w_disk, w->w_bio, w->w_n);
	account(w, good_end(w, &error), off, resid, u);
	direct_free(w);
	return error;
}

/* ---------------------------------------------------------------- calls -- */

/* Window after window; one request is enough for little. */
static int
windows(struct block *bk, enum bio_op op, struct uio *u, bool direct)
{
	const uint32_t block = bk->bk_disk->d_bd->bd_block_bytes;
	const uint64_t limit = WINDOW_REQUESTS * request_max(bk->bk_disk);
	struct bio one, *many = NULL;
	int error = 0;

	if (u->u_resid > PAGE_BYTES - block)
		many = kmalloc(WINDOW_REQUESTS * sizeof *many, KM_WAIT);
	while (error == 0 && u->u_resid > 0) {
		uint64_t first = bk->bk_start + u->u_off, last;
		struct window w = {
			.w_disk = bk->bk_disk, .w_op = op, .w_bio = many != NULL ? many : &one,
			.w_max = many != NULL ? WINDOW_REQUESTS : 1, .w_first = first,
			.w_at = first / block * block,
		};

		last = first + rt_min(u->u_resid, w.w_at + limit - first);
		w.w_last = last;
		w.w_end = (last + block - 1) / block * block;
		error = direct ? direct_move(&w, u) :
		    op == BIO_READ ? bounce_read(&w, u) : bounce_write(&w, u);
		lwkt_poll();
	}
	kfree(many);
	return error;
}

static int
locked(struct block *bk, enum bio_op op, struct uio *u, bool direct)
{
	const uint32_t block = bk->bk_disk->d_bd->bd_block_bytes;
	const uint64_t first = bk->bk_start + u->u_off, end = first + u->u_resid;
	struct range_lock *rl = &bk->bk_disk->d_range;
	struct range r;
	int error;

	/* D1 */
	range_lock(rl, &r, first / block * block, (end + block - 1) / block * block, op == BIO_WRITE);
	error = windows(bk, op, u, direct && !u->u_kernel);
	range_unlock(rl, &r);
	return error;
}

/* Both end with the disk or slice. */
static int
bounded(struct block *bk, enum bio_op op, struct uio *u, bool direct)
{
	uint64_t behind = u->u_resid - rt_min(u->u_resid, bk->bk_bytes - u->u_off);
	int error;

	u->u_resid -= behind;
	error = locked(bk, op, u, direct);
	u->u_resid += behind;
	return error;
}

int
disk_read(struct block *bk, struct uio *u, bool direct)
{
	if (u->u_resid == 0 || u->u_off >= bk->bk_bytes)
		return 0;
	if (direct && !is_aligned(bk->bk_disk, u))
		return EINVAL;
	return bounded(bk, BIO_READ, u, direct);
}

int
disk_write(struct block *bk, struct uio *u, bool direct)
{
	if (bk->bk_disk->d_bd->bd_read_only)
		return EPERM;
	if (u->u_resid == 0)
		return 0;
	if (u->u_off >= bk->bk_bytes)
		return ENOSPC;
	if (direct && !is_aligned(bk->bk_disk, u))
		return EINVAL;
	return bounded(bk, BIO_WRITE, u, direct);
}
