/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_xattr - extended attributes.
 *
 * What the first part of a name means is decided here: user.* is for who may
 * read and write the file, trusted.* for the administrator, security.* is
 * read by everybody.  Access lists (system.posix_acl_*) are not offered.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <abi/xattr.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#include "path.h"

/* What a call names: a path, or a descriptor. */
struct target {
	uaddr_t		path;		/* when fd is -1 */
	uint32_t	look;
	int		fd;
};
#define BY_PATH(p)	(&(struct target){ (p), LOOK_FOLLOW, -1 })
#define BY_LINK(p)	(&(struct target){ (p), 0, -1 })
#define BY_FD(f)	(&(struct target){ 0, 0, (f) >= 0 ? (f) : INT32_MAX })

/* The name, held.  EOPNOTSUPP: a file without one has no attributes. */
static int
target_find(const struct target *t, struct ncp **out)
{
	struct file *fp;
	int error;

	if (t->fd == -1)
		return path_lookup(AT_FDCWD, t->path, t->look, out);
	if ((error = fd_get(t->fd, &fp)) != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (fp->f_ncp == NULL)
		error = EOPNOTSUPP;
	else
		ncp_hold(*out = fp->f_ncp);
	file_drop(fp);
	return error;
}

static int
name_in(uaddr_t from, char name[XATTR_NAME_MAX + 1])
{
	int error = copyinstr(name, from, XATTR_NAME_MAX + 1, NULL);

	if (error == ENAMETOOLONG || (error == 0 && name[0] == '\0'))
		return ERANGE;
	return error;
}

static bool
begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static int
user_permitted(struct ncp *n, bool write)
{
	const struct cred *cr = cred_current();
	struct vnode *vn = n->n_vnode;
	struct vattr va;
	int error;

	if (vn->v_type != VREG && vn->v_type != VDIR)
		return write ? EPERM : ENODATA;
	if (!write || vn->v_type != VDIR)
		return name_access(n, write ? 2 : 4, cr);
	if ((error = vn_getattr(vn, &va)) != 0)
		return error;
	if ((va.va_mode & S_ISVTX) != 0 && cr->cr_fsuid != va.va_uid && !cred_capable(cr, CAP_FOWNER))
		return EPERM;
	return name_access(n, 2, cr);
}

/* May the caller do this with an attribute of that name? */
static int
permitted(struct ncp *n, const char *name, bool write)
{
	bool admin = cred_capable(cred_current(), CAP_SYS_ADMIN);
	int error = 0;

	if (write && (n->n_mount->mp_flags & MS_RDONLY) != 0)
		return EROFS;
	if (begins(name, "trusted."))
		error = admin ? 0 : write ? EPERM : ENODATA;
	else if (begins(name, "user."))
		error = user_permitted(n, write);
	else if (begins(name, "security."))
		error = write && !admin ? EPERM : 0;
	else
		return EOPNOTSUPP;
	return error == 0 && strchr(name, '.')[1] == '\0' ? EINVAL : error;
}

/* ------------------------------------------------------------------ calls -- */

/* value NULL: take it away. */
static int
set(const struct target *t, const char *name, const void *value, size_t size, uint32_t flags)
{
	struct ncp *n;
	int error = target_find(t, &n);

	if (error != 0)
		return error;
	error = permitted(n, name, true);
	if (error == 0)
		error = n->n_vnode->v_ops->vop_setxattr == NULL ? EOPNOTSUPP :
		    n->n_vnode->v_ops->vop_setxattr(n->n_vnode, name, value, size, flags);
	if (error == 0)
		notify_name(n, IN_ATTRIB);
	ncp_drop(n);
	return error;
}

static int
set_value(const struct target *t, uaddr_t uname, uaddr_t from, size_t size, uint32_t flags)
{
	char name[XATTR_NAME_MAX + 1], *value;
	int error;

	if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) != 0)
		return EINVAL;
	if ((error = name_in(uname, name)) != 0)
		return error;
	if (size > XATTR_SIZE_MAX)
		return E2BIG;
	if ((value = kmalloc(size + 1, KM_WAIT)) == NULL)
		return ENOMEM;
	error = size == 0 ? 0 : copyin(value, from, size);
	if (error == 0)
		error = set(t, name, value, size, flags);
	kfree(value);
	return error;
}

static int
take_away(const struct target *t, uaddr_t uname)
{
	char name[XATTR_NAME_MAX + 1];
	int error = name_in(uname, name);

	return error != 0 ? error : set(t, name, NULL, 0, 0);
}

/* uname 0: the list of names. */
static int
get(struct sysmsg *m, const struct target *t, uaddr_t uname, uaddr_t to, size_t size)
{
	char name[XATTR_NAME_MAX + 1] = "", *buf = NULL;
	const struct vnode_ops *ops;
	struct ncp *n;
	size_t len = 0;
	int error = uname != 0 ? name_in(uname, name) : 0;

	if (error == 0)
		error = target_find(t, &n);
	if (error != 0)
		return error;
	ops = n->n_vnode->v_ops;
	size = rt_min(size, XATTR_SIZE_MAX);
	if (size > 0 && (buf = kmalloc(size, KM_WAIT)) == NULL)
		error = ENOMEM;
	else if (uname == 0)
		error = ops->vop_listxattr == NULL ? 0 :
		    ops->vop_listxattr(n->n_vnode, cred_capable(cred_current(), CAP_SYS_ADMIN), buf, size, &len);
	else if ((error = permitted(n, name, false)) == 0)
		error = ops->vop_getxattr == NULL ? EOPNOTSUPP :
		    ops->vop_getxattr(n->n_vnode, name, buf, size, &len);
	ncp_drop(n);
	if (error == 0 && size > 0 && len > 0)
		error = copyout(to, buf, len);
	kfree(buf);
	m->sm_result = (int64_t)len;
	return error;
}

_Static_assert(XATTR_LIST_MAX == XATTR_SIZE_MAX, "one bound for both");

int
sys_setxattr(struct sysmsg *m, uaddr_t path, uaddr_t name, uaddr_t value, size_t size, uint32_t flags)
{
	(void)m;
	return set_value(BY_PATH(path), name, value, size, flags);
}

int
sys_lsetxattr(struct sysmsg *m, uaddr_t path, uaddr_t name, uaddr_t value, size_t size, uint32_t flags)
{
	(void)m;
	return set_value(BY_LINK(path), name, value, size, flags);
}

int
sys_fsetxattr(struct sysmsg *m, int fd, uaddr_t name, uaddr_t value, size_t size, uint32_t flags)
{
	(void)m;
	return set_value(BY_FD(fd), name, value, size, flags);
}

/* An address of 0 is no name: the list has a call of its own. */
static int
get_value(struct sysmsg *m, const struct target *t, uaddr_t name, uaddr_t value, size_t size)
{
	return name == 0 ? EFAULT : get(m, t, name, value, size);
}

int
sys_getxattr(struct sysmsg *m, uaddr_t path, uaddr_t name, uaddr_t value, size_t size)
{
	return get_value(m, BY_PATH(path), name, value, size);
}

int
sys_lgetxattr(struct sysmsg *m, uaddr_t path, uaddr_t name, uaddr_t value, size_t size)
{
	return get_value(m, BY_LINK(path), name, value, size);
}

int
sys_fgetxattr(struct sysmsg *m, int fd, uaddr_t name, uaddr_t value, size_t size)
{
	return get_value(m, BY_FD(fd), name, value, size);
}

int
sys_listxattr(struct sysmsg *m, uaddr_t path, uaddr_t list, size_t size)
{
	return get(m, BY_PATH(path), 0, list, size);
}

int
sys_llistxattr(struct sysmsg *m, uaddr_t path, uaddr_t list, size_t size)
{
	return get(m, BY_LINK(path), 0, list, size);
}

int
sys_flistxattr(struct sysmsg *m, int fd, uaddr_t list, size_t size)
{
	return get(m, BY_FD(fd), 0, list, size);
}

int
sys_removexattr(struct sysmsg *m, uaddr_t path, uaddr_t name)
{
	(void)m;
	return take_away(BY_PATH(path), name);
}

int
sys_lremovexattr(struct sysmsg *m, uaddr_t path, uaddr_t name)
{
	(void)m;
	return take_away(BY_LINK(path), name);
}

int
sys_fremovexattr(struct sysmsg *m, int fd, uaddr_t name)
{
	(void)m;
	return take_away(BY_FD(fd), name);
}
