/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blk - disks that drivers offer, and whose turn it is when one has no room.
 *
 * A request goes straight to the driver.  If that has no room it waits, and
 * while one waits nobody goes past it, so each gets its turn.  The driver is
 * called without a lock: it may end a request, and who had asked may ask for
 * the next one, before submit returns.
 *
 * Invariants
 *   B1  a request is with the driver, or waits, or was ended: each once.
 *   B2  at most one at a time offers waiting requests (bd_offering), so they
 *       reach the driver in the order of their arrival.
 *   B3  a request that waits is offered again after each blk_room() that
 *       comes after the driver refused it: whoever finds another one offering
 *       says so in bd_again.
 *   B4  the listener is told of each disk once (bd_told), whichever came
 *       first, it or the disk.
 *
 * Locking: a disk's bd_lock for its queue.  The attach list only grows, at its
 * head, by compare and swap.
 */
#include <core/rt/rt.h>
#include <drv/blk.h>
#include <drv/dma.h>
#include <drv/thread.h>
#include <stdatomic.h>

#define FLUSH_NS	(10 * NSEC_PER_SEC)

static struct blkdev *_Atomic blk_list;
static void (*_Atomic listener)(struct blkdev *bd);	/* [atomic] set once */

/* ------------------------------------------------------------- requests -- */

static void
check(const struct blkdev *bd, const struct bio *b)
{
	ASSERT(b->b_done != NULL);
	if (b->b_op == BIO_FLUSH) {
		ASSERT(b->b_blocks == 0 && b->b_nseg == 0);
		return;
	}
	ASSERT(b->b_blocks > 0 && b->b_blocks <= bd->bd_blocks && b->b_lba <= bd->bd_blocks - b->b_blocks);
	ASSERT((uint64_t)b->b_blocks * bd->bd_block_bytes <= rt_min(bd->bd_bytes_max, BIO_BYTES_MAX));
	ASSERT(b->b_nseg > 0 && b->b_nseg <= rt_min(bd->bd_segs_max, BIO_SEGS));
	ASSERT(b->b_op == BIO_READ || !bd->bd_read_only);
}

void
blk_done(struct bio *b, enum storage_result result)
{
	b->b_result = result;
	b->b_done(b);
}

/* To the driver, or ended.  False: no room. */
static bool
offer(struct blkdev *bd, struct bio *b)
{
	if (!atomic_load(&bd->bd_gone))
		return bd->bd_ops->submit(bd, b);
	blk_done(b, STORAGE_GONE);
	return true;
}

/* There may be room: offers what waits until the driver refuses.  In a critical section. */
void
blk_room(struct blkdev *bd)
{
	struct bio *b;

	drv_lock(&bd->bd_lock);
	bd->bd_again = true;		/* B3 */
	if (bd->bd_offering) {
		drv_unlock(&bd->bd_lock);
		return;
	}
	bd->bd_offering = true;		/* B2 */
	while (bd->bd_again && (b = list_first(&bd->bd_waiting, struct bio, b_link)) != NULL) {
		list_remove(&b->b_link);
		bd->bd_again = false;
		drv_unlock(&bd->bd_lock);
		if (offer(bd, b)) {
			drv_lock(&bd->bd_lock);
			bd->bd_again = true;
			atomic_fetch_sub(&bd->bd_nwaiting, 1);
		} else {
			drv_lock(&bd->bd_lock);
			list_push_front(&bd->bd_waiting, &b->b_link);
		}
	}
	bd->bd_offering = false;
	drv_unlock(&bd->bd_lock);
}

void
blk_submit(struct blkdev *bd, struct bio *b)
{
	check(bd, b);
	drv_enter();
	if (atomic_load(&bd->bd_nwaiting) != 0 || !offer(bd, b)) {
		drv_lock(&bd->bd_lock);
		list_push_back(&bd->bd_waiting, &b->b_link);
		atomic_fetch_add(&bd->bd_nwaiting, 1);
		drv_unlock(&bd->bd_lock);
		blk_room(bd);		/* there may have been some since the driver refused */
	}
	drv_leave();
}

void
blk_gone(struct blkdev *bd)
{
	atomic_store(&bd->bd_gone, true);
	blk_room(bd);
}

/* ---------------------------------------------------------------- disks -- */

static void
tell(struct blkdev *bd)
{
	void (*fn)(struct blkdev *) = atomic_load(&listener);

	if (fn != NULL && !atomic_exchange(&bd->bd_told, true))
		fn(bd);
}

/* What a device says of itself is foreign input. */
static bool
is_sane(const struct blkdev *bd)
{
	const uint32_t block = bd->bd_block_bytes;

	if (block < 512 || block > 4096 || (block & (block - 1)) != 0)
		return false;
	return bd->bd_blocks > 0 && bd->bd_blocks <= INT64_MAX / block && bd->bd_bytes_max >= 4096 &&
	    bd->bd_segs_max >= 1;
}

void
blk_attach(struct blkdev *bd)
{
	ASSERT(bd->bd_name[0] != '\0' && bd->bd_ops != NULL);
	list_init(&bd->bd_waiting);
	if (!is_sane(bd)) {
		drv_log(bd->bd_name, "left alone: %llu blocks of %u bytes, requests of %u bytes in %u pieces",
		    (unsigned long long)bd->bd_blocks, bd->bd_block_bytes, bd->bd_bytes_max, bd->bd_segs_max);
		return;
	}
	bd->bd_next = atomic_load(&blk_list);
	while (!atomic_compare_exchange_weak(&blk_list, &bd->bd_next, bd))
		;
	tell(bd);
}

void
blk_listen(void (*fn)(struct blkdev *bd))
{
	ASSERT(atomic_load(&listener) == NULL);
	atomic_store(&listener, fn);
	for (struct blkdev *bd = blk_first(); bd != NULL; bd = bd->bd_next)
		tell(bd);
}

struct blkdev *
blk_first(void)
{
	return atomic_load(&blk_list);
}

/* -------------------------------------------------------------- the end -- */

struct last {
	struct bio	l_bio;
	struct drv_event l_ended;
	struct blkdev	*l_disk;
	struct last	*l_next;
};

static void
last_ended(struct bio *b)
{
	drv_event_set(b->b_up);
}

/* All at once.  The memory stays: a disk that does not answer in time has it still. */
void
blk_flush_all(void)
{
	const nsec_t end = md_now() + FLUSH_NS;
	struct last *all = NULL, *l;

	for (struct blkdev *bd = blk_first(); bd != NULL; bd = bd->bd_next) {
		if (!bd->bd_flush || bd->bd_read_only || (l = drv_alloc(sizeof *l)) == NULL)
			continue;
		drv_event_init(&l->l_ended);
		l->l_disk = bd;
		l->l_next = all;
		all = l;
		l->l_bio.b_op = BIO_FLUSH;
		l->l_bio.b_done = last_ended;
		l->l_bio.b_up = &l->l_ended;
		blk_submit(bd, &l->l_bio);
	}
	for (l = all; l != NULL; l = l->l_next)
		if (!drv_event_wait(&l->l_ended, end))
			drv_log(l->l_disk->bd_name, "it does not say that all is written");
}

/* ---------------------------------------------------------------- names -- */

uint32_t
blk_number(const char *prefix)
{
	static const char *const known[] = { "sd", "vd", "nvme", "ram" };
	static _Atomic uint32_t next[sizeof known / sizeof known[0]];
	size_t i = 0;

	while (strcmp(known[i], prefix) != 0) {
		i++;
		ASSERT(i < sizeof known / sizeof known[0]);
	}
	return atomic_fetch_add(&next[i], 1);
}

void
blk_letter(char out[16], const char *prefix, uint32_t n)
{
	char text[8];
	size_t at = sizeof text;

	text[--at] = '\0';
	for (uint64_t v = (uint64_t)n + 1; v > 0 && at > 0; v = (v - 1) / 26)
		text[--at] = (char)('a' + (v - 1) % 26);
	rt_snprintf(out, 16, "%s%s", prefix, &text[at]);
}
