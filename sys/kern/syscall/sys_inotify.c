/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_inotify - instances of inotify, and their watches. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <gen/syscalls.h>
#include <sys/file/event.h>
#include <sys/proc/cred.h>
#include <sys/proc/sysmsg.h>
#include <sys/vfs/notify.h>

#include "path.h"

#define ALL_BITS	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | \
    IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT)

int
sys_inotify_init1(struct sysmsg *m, uint32_t flags)
{
	struct file *fp;
	int fd, error;

	if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0)
		return EINVAL;
	error = inotify_create(flags, &fp);
	if (error == 0)
		error = fd_install(fp, (flags & O_CLOEXEC) != 0, 0, &fd);
	if (error == 0)
		m->sm_result = fd;
	return error;
}

int
sys_inotify_init(struct sysmsg *m)
{
	return sys_inotify_init1(m, 0);
}

static int
watch_path(struct file *fp, uaddr_t path, uint32_t mask, int32_t *wd)
{
	uint32_t look = ((mask & IN_DONT_FOLLOW) != 0 ? 0 : LOOK_FOLLOW) |
	    ((mask & IN_ONLYDIR) != 0 ? LOOK_DIR : 0);
	struct ncp *n;
	int error = path_lookup(AT_FDCWD, path, look, &n);

	if (error != 0)
		return error;
	error = name_access(n, 4, cred_current());
	if (error == 0)
		error = inotify_watch(fp, n->n_vnode, mask, wd);
	ncp_drop(n);
	return error;
}

int
sys_inotify_add_watch(struct sysmsg *m, int fd, uaddr_t path, uint32_t mask)
{
	struct file *fp;
	int32_t wd = 0;
	int error;

	if ((mask & ALL_BITS) == 0)
		return EINVAL;
	error = fd_get_io(fd, &fp);
	if (error != 0)
		return error;
	if (((mask & IN_MASK_ADD) != 0 && (mask & IN_MASK_CREATE) != 0) || !file_is_inotify(fp))
		error = EINVAL;
	else
		error = watch_path(fp, path, mask, &wd);
	file_drop(fp);
	m->sm_result = wd;
	return error;
}

int
sys_inotify_rm_watch(struct sysmsg *m, int fd, int32_t wd)
{
	struct file *fp;
	int error = fd_get_io(fd, &fp);

	(void)m;
	if (error != 0)
		return error;
	error = inotify_unwatch(fp, wd);
	file_drop(fp);
	return error;
}
