/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ucount - what a user has of the things that are counted per user: by real
 * user id and jail, whatever process has them.
 *
 * A charge is remembered with what was charged for, so that it is given back
 * to who was charged.
 */
#pragma once
#include <machine/types.h>

enum ucount_kind { UC_FLYING, UC_INOTIFY, UC_WATCHES, UC_MQ_BYTES, UC_KINDS };
struct ucount;
/*
 * n more for the current user: EAGAIN if it has more than `limit` then; ENOMEM.
 * Success: *out, to be given back with the same n, in whatever parts.
 */
int	ucount_take(enum ucount_kind k, uint64_t n, uint64_t limit, struct ucount **out);
void	ucount_give(struct ucount *uc, enum ucount_kind k, uint64_t n);	/* any context */
void	ucount_init(void);
