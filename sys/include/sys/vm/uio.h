/* SPDX-License-Identifier: BSD-2-Clause */
/* uio - where the bytes of a read or write come from or go: user or kernel memory, in pieces. */
#pragma once
#include <sys/vm/uaccess.h>

struct uio_seg { uint64_t base; uint64_t len; };	/* user address, or kernel pointer */
struct uio {
	const struct uio_seg	*u_seg;
	uint32_t		u_nseg;
	bool			u_kernel;	/* base is a kernel pointer */
	bool			u_to_user;	/* read: data flows to the segments */
	bool			u_append;	/* write: at the end of the file, as with O_APPEND */
	uint64_t		u_off;		/* file offset of the next byte */
	uint64_t		u_resid;	/* bytes still wanted */
	uint64_t		u_skip;		/* consumed of u_seg[0] */
};
#define UIO_SEG_MAX	1024
void	uio_kernel(struct uio *u, struct uio_seg *seg, void *buf, size_t len, uint64_t off, bool to_user);
/*
 * Move up to n bytes between buf and the segments.  Advances u_off, u_resid.
 * EFAULT: what could be moved was moved and u_resid shows it.  May sleep.
 */
int	uio_move(void *buf, size_t n, struct uio *u);
/*
 * The next bytes of user memory, up to `max` and to the end of their page or
 * segment: its page, held (user_hold()), where in RAM they are, and how many.
 * Moves on by these.
 */
int	uio_hold(struct uio *u, size_t max, struct page **pg, paddr_t *pa, uint64_t *n);
int	uio_zero(size_t n, struct uio *u);		/* to user: zeros */
