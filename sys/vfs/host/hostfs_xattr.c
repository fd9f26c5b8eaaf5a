/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfs_xattr - extended attributes are the driver's, and asked for each
 * time.  Those of kinds that nobody here can use (access lists) are not shown.
 */
#include "hostfs_int.h"

#include <abi/errno.h>
#include <abi/xattr.h>
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>

/* With `size` bytes of memory for the answer, or what is to be said; its length.  None: only that. */
static int
ask(struct vnode *vn, struct fs_req *r, void *buf, size_t size, size_t *len)
{
	struct hnode *h = vn_hnode(vn);
	int error;

	r->fr_node = h->h_id;
	if (size > 0)
		hreq_buffer(r, buf, size);
	error = hreq_ask(h->h_mount, r);
	if (error == 0 && size > 0 && r->fr_count > size)
		error = EIO;
	*len = r->fr_count;
	return error;
}

int
hxattr_get(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len)
{
	struct fs_req r = { .fr_op = FS_GETXATTR, .fr_name = name };

	return ask(vn, &r, buf, size, len);
}

int
hxattr_set(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags)
{
	struct fs_req r = { .fr_op = FS_SETXATTR, .fr_name = name, .fr_mask = flags };
	size_t len;
	int error;

	if (value == NULL)
		r.fr_flags = FSF_REMOVE;
	error = ask(vn, &r, (void *)(uintptr_t)value, size, &len);
	hnode_expire(vn_hnode(vn));
	return error;
}

static bool
is_shown(const char *name, bool trusted)
{
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "security.", 9) == 0 ||
	    (trusted && strncmp(name, "trusted.", 8) == 0);
}

int
hxattr_list(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len)
{
	struct fs_req r = { .fr_op = FS_LISTXATTR };
	char *all = kmalloc(XATTR_LIST_MAX, KM_WAIT);
	size_t got, n;
	int error = all == NULL ? ENOMEM : ask(vn, &r, all, XATTR_LIST_MAX, &got);

	*len = 0;
	for (size_t at = 0; error == 0 && at < got; at += n) {
		n = strnlen(all + at, got - at) + 1;
		if (n > got - at || !is_shown(all + at, trusted))
			continue;
		if (size > 0 && n > size - *len)
			error = ERANGE;
		else if (size > 0)
			memcpy(buf + *len, all + at, n);
		*len += n;
	}
	kfree(all);
	return error;
}
