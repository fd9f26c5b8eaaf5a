/* SPDX-License-Identifier: BSD-2-Clause */
/* iov - vectors of the user's memory, copied in and checked. */
#include "iov.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define USER_TOP	0x7ffffffff000ull	/* no pointer of a program's is at or above this */

bool
range_possible(uaddr_t base, uint64_t len)
{
	uint64_t end;

	return !rt_add_overflows(base, len, &end) && end <= USER_TOP;
}

int
iov_copyin(uaddr_t iov, int n, struct uio_seg *few, struct uio_seg **out, uint64_t *total)
{
	struct uio_seg *seg = few;
	int error;

	if (n < 0 || n > (int)UIO_SEG_MAX)
		return EINVAL;
	if (n > IOV_STACK && (seg = kmalloc_array((size_t)n, sizeof(*seg), KM_WAIT)) == NULL)
		return ENOMEM;
	*total = 0;
	error = n == 0 ? 0 : copyin(seg, iov, (size_t)n * sizeof(*seg));
	for (int i = 0; i < n && error == 0; i++) {
		if ((int64_t)seg[i].len < 0)
			error = EINVAL;
		else if (!range_possible(seg[i].base, seg[i].len))
			error = EFAULT;
		seg[i].len = rt_min(seg[i].len, IO_MAX - *total);
		*total += seg[i].len;
	}
	if (error != 0) {
		if (seg != few)
			kfree(seg);
		return error;
	}
	*out = seg;
	return 0;
}
