/* SPDX-License-Identifier: BSD-2-Clause */
/* disk - what the disk drivers share. */
#pragma once
#include <drv/blk.h>

/* To those who wait for them: requests on a list, each with its b_result.  In a critical section. */
void	disk_done(struct list *done);
/* Is the n-th, from 1, worth a line in the log?  Not each of very many. */
bool	disk_tells(uint32_t n);
/* Such a line; *told counts them. */
void	disk_failed(const struct blkdev *bd, _Atomic uint32_t *told, const struct bio *b, uint32_t status);
