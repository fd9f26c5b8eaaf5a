/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uio - bytes in pieces.
 *
 * The caller owns the struct and has checked the segments' lengths
 * (their sum fits); addresses are checked by uaccess when they are used.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/vm/page.h>
#include <sys/vm/uio.h>

void
uio_kernel(struct uio *u, struct uio_seg *seg, void *buf, size_t len, uint64_t off, bool to_user)
{
	*seg = (struct uio_seg){ (uint64_t)buf, len };
	*u = (struct uio){ .u_seg = seg, .u_nseg = 1, .u_kernel = true, .u_to_user = to_user, .u_off = off,
	    .u_resid = len };
}

static int
piece(struct uio *u, char *buf, size_t n, size_t *done)
{
	uint64_t base = u->u_seg->base + u->u_skip;

	if (!u->u_kernel) {
		if (!u->u_to_user)
			return copyin_part(buf, base, n, done);
		if (buf != NULL)
			return copyout_part(base, buf, n, done);
		*done = 0;
		return uzero(base, n) == 0 ? (void)(*done = n), 0 : EFAULT;
	}
	if (!u->u_to_user)
		memcpy(buf, (const void *)base, n);
	else if (buf != NULL)
		memcpy((void *)base, buf, n);
	else
		memset((void *)base, 0, n);
	*done = n;
	return 0;
}

static int
move(char *buf, size_t n, struct uio *u)
{
	int error = 0;

	n = rt_min(n, u->u_resid);
	while (n > 0 && error == 0) {
		size_t len, done = 0;

		ASSERT(u->u_nseg > 0);
		len = rt_min(n, u->u_seg->len - u->u_skip);
		if (len > 0)
			error = piece(u, buf, len, &done);
		u->u_skip += done;
		u->u_off += done;
		u->u_resid -= done;
		n -= done;
		if (buf != NULL)
			buf += done;
		if (u->u_skip == u->u_seg->len && n > 0) {
			u->u_seg++;
			u->u_nseg--;
			u->u_skip = 0;
		}
	}
	return error;
}

int
uio_hold(struct uio *u, size_t max, struct page **pg, paddr_t *pa, uint64_t *n)
{
	uaddr_t va;
	int error;

	ASSERT(!u->u_kernel && max > 0 && u->u_resid > 0);
	while (u->u_skip == u->u_seg->len) {
		ASSERT(u->u_nseg > 1);
		u->u_seg++;
		u->u_nseg--;
		u->u_skip = 0;
	}
	va = u->u_seg->base + u->u_skip;
	*n = rt_min(u->u_seg->len - u->u_skip, PAGE_BYTES - (va & PAGE_MASK));
	*n = rt_min(*n, rt_min(max, u->u_resid));
	error = user_hold(va, u->u_to_user, pg);
	if (error != 0)
		return error;
	*pa = page_pa(*pg) + (va & PAGE_MASK);
	u->u_skip += *n;
	u->u_off += *n;
	u->u_resid -= *n;
	return 0;
}

int
uio_move(void *buf, size_t n, struct uio *u)
{
	ASSERT(buf != NULL || n == 0);
	return move(buf, n, u);
}

int
uio_zero(size_t n, struct uio *u)
{
	ASSERT(u->u_to_user);
	return move(NULL, n, u);
}
