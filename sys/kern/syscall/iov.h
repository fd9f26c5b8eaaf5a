/* SPDX-License-Identifier: BSD-2-Clause */
/* iov - the user's memory as system calls describe it. */
#pragma once
#include <sys/vm/uio.h>

#define IO_MAX		0x7ffff000ull	/* most that one call moves */
#define IOV_STACK	8

/* Linux refuses a buffer that no program could have before it moves a byte. */
bool	range_possible(uaddr_t base, uint64_t len);
/*
 * The user's vector, checked; *total is what may be moved, IO_MAX at most.
 * *out is `few` or memory to be freed.
 */
int	iov_copyin(uaddr_t iov, int n, struct uio_seg *few, struct uio_seg **out, uint64_t *total);
