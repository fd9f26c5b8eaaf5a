/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk whose device is asked for what it cannot do: it gives up, and works again. */
#include <core/rt/rt.h>
#include <drv/blk.h>
#include <drv/dma.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/wait.h>
#include <sys/time/time.h>

#define READS		16u
#define NOWHERE		(1ull << 50)	/* no machine here has memory there */
#define PATIENCE	(20 * NSEC_PER_SEC)

static struct waitq done;
static _Atomic uint32_t under_way;

static void
read_done(struct bio *b)
{
	(void)b;
	atomic_fetch_sub(&under_way, 1);
	wake_all(&done);
}

/* Begins to read `pages` pages from the disk's beginning to pa. */
static void
begin(struct blkdev *bd, struct bio *b, uint64_t pa, uint32_t pages)
{
	*b = (struct bio){
		.b_op = BIO_READ, .b_nseg = pages,
		.b_blocks = pages * (uint32_t)PAGE_BYTES / bd->bd_block_bytes,
		.b_done = read_done,
	};
	for (uint32_t i = 0; i < pages; i++)
		b->b_seg[i] = (struct storage_seg){ pa + i * PAGE_BYTES, PAGE_BYTES };
	atomic_fetch_add(&under_way, 1);
	blk_submit(bd, b);
}

static bool
all_done(void)
{
	int error;

	WAIT_FOR(&done, atomic_load(&under_way) == 0, time_now() + PATIENCE, 0, error);
	return KCHECK(error == 0);
}

static struct blkdev *
a_virtio_disk(void)
{
	struct blkdev *bd = blk_first();

	while (bd != NULL && strncmp(bd->bd_name, "vd", 2) != 0)
		bd = bd->bd_next;
	return bd;
}

KTEST(pc_virtio_a_device_that_gives_up_is_reset)
{
	static struct bio bio[READS], wrong;
	struct blkdev *bd = a_virtio_disk();
	struct dma_mem m;

	if (bd == NULL)
		return;
	waitq_init(&done);
	KCHECK(dma_alloc(&m, 2 * PAGE_BYTES, UINT64_MAX) == 0);
	begin(bd, &bio[0], m.pa, 1);
	if (!all_done() || !KCHECK(bio[0].b_result == STORAGE_OK))
		return;
	for (uint32_t i = 0; i < READS; i++)
		begin(bd, &bio[i], m.pa, 1);
	begin(bd, &wrong, NOWHERE, 2);
	for (uint32_t i = 0; i < READS && all_done(); i++)
		KCHECK(bio[i].b_result == STORAGE_OK || bio[i].b_result == STORAGE_RETRY);
	KCHECK(wrong.b_result == STORAGE_RETRY);
	begin(bd, &bio[0], m.pa + PAGE_BYTES, 1);
	if (!all_done())
		return;
	KCHECK(bio[0].b_result == STORAGE_OK && !atomic_load(&bd->bd_gone));
	KCHECK(memcmp(m.va, (uint8_t *)m.va + PAGE_BYTES, PAGE_BYTES) == 0);
	dma_free(&m);
}
