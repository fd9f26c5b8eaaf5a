/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay_xattr - extended attributes of an overlay's files: those of the
 * upper file, or of the topmost lower one; a copy gets them all.
 */
#include "overlay_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/vm/kmem.h>

int
overlay_getxattr(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len)
{
	struct vnode *real = on_real(vn_onode(vn))->n_vnode;

	if (real->v_ops->vop_getxattr == NULL)
		return EOPNOTSUPP;
	return real->v_ops->vop_getxattr(real, name, buf, size, len);
}

int
overlay_listxattr(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len)
{
	struct vnode *real = on_real(vn_onode(vn))->n_vnode;

	*len = 0;
	if (real->v_ops->vop_listxattr == NULL)
		return 0;
	return real->v_ops->vop_listxattr(real, trusted, buf, size, len);
}

/* What cannot be taken away is no reason to copy a file. */
int
overlay_setxattr(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags)
{
	struct vnode *up;
	size_t len;
	int error = 0;

	if (value == NULL)
		error = overlay_getxattr(vn, name, NULL, 0, &len);
	if (error == 0)
		error = overlay_copy_up(vn_onode(vn), UINT64_MAX);
	if (error != 0)
		return error;
	up = on_real(vn_onode(vn))->n_vnode;
	if (up->v_ops->vop_setxattr == NULL)
		return EOPNOTSUPP;
	return up->v_ops->vop_setxattr(up, name, value, size, flags);
}

static int
copy_one(struct vnode *from, struct vnode *to, const char *name)
{
	char *value;
	size_t len;
	int error = from->v_ops->vop_getxattr(from, name, NULL, 0, &len);

	if (error != 0)
		return error == ENODATA ? 0 : error;
	value = kmalloc(rt_max(len, 1), KM_WAIT);
	if (value == NULL)
		return ENOMEM;
	error = from->v_ops->vop_getxattr(from, name, value, rt_max(len, 1), &len);
	if (error == 0)
		error = to->v_ops->vop_setxattr(to, name, value, len, 0);
	kfree(value);
	return error;
}

int
overlay_copy_xattrs(struct vnode *from, struct vnode *to)
{
	size_t len, at = 0;
	char *names;
	int error;

	if (from->v_ops->vop_listxattr == NULL || from->v_ops->vop_getxattr == NULL ||
	    to->v_ops->vop_setxattr == NULL)
		return 0;
	error = from->v_ops->vop_listxattr(from, true, NULL, 0, &len);
	if (error != 0 || len == 0)
		return error == EOPNOTSUPP ? 0 : error;
	names = kmalloc(len, KM_WAIT);
	if (names == NULL)
		return ENOMEM;
	error = from->v_ops->vop_listxattr(from, true, names, len, &len);
	while (error == 0 && at < len) {
		error = copy_one(from, to, names + at);
		at += strnlen(names + at, len - at) + 1;
	}
	kfree(names);
	return error;
}
