/* SPDX-License-Identifier: BSD-2-Clause */
/* disk - what the disk drivers share. */
#include <drv/thread.h>
#include <stdatomic.h>

#include "disk.h"

#define TOLD_ALL	16u	/* so many are told of; from there on the 32nd, 64th, ... */

void
disk_done(struct list *done)
{
	struct bio *b;

	while ((b = list_first(done, struct bio, b_link)) != NULL) {
		list_remove(&b->b_link);
		blk_done(b, b->b_result);
	}
}

bool
disk_tells(uint32_t n)
{
	return n <= TOLD_ALL || (n & (n - 1)) == 0;
}

void
disk_failed(const struct blkdev *bd, _Atomic uint32_t *told, const struct bio *b, uint32_t status)
{
	static const char *const op[] = { "read", "write", "flush" };
	const uint32_t n = atomic_fetch_add(told, 1) + 1;

	if (disk_tells(n))
		drv_log(bd->bd_name, "error %u: %s of %u blocks at %llu: status %#x", n, op[b->b_op],
		    b->b_blocks, (unsigned long long)b->b_lba, status);
}
