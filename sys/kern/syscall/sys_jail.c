/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_jail - entering a jail: the view (proc) and the place in the tree (vfs)
 * change together, or neither does.
 */
#include "path.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/jail.h>
#include <abi/utsname.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/view.h>
#include <sys/vfs/name.h>
#include <sys/vm/uaccess.h>

/* The directory and a context whose top it is. */
static int
jail_place(uaddr_t path, struct fsctx **out)
{
	struct ncp *dir;
	int error = path_lookup(AT_FDCWD, path, LOOK_FOLLOW | LOOK_DIR, &dir);

	if (error != 0)
		return error;
	error = vn_access(dir->n_vnode, 1, cred_current());
	if (error == 0 && (*out = fsctx_jail(fsctx_current(), dir)) == NULL)
		error = ENOMEM;
	ncp_drop(dir);
	return error;
}

int
sys_jail(struct sysmsg *m, uaddr_t args, size_t size)
{
	char host[UTS_LEN] = "";
	struct fsctx *fc;
	struct k_jail j;
	int error;

	(void)m;
	if (size != sizeof j)
		return size < sizeof j ? EINVAL : E2BIG;
	error = copyin(&j, args, sizeof j);
	if (error == 0 && j.hostname != 0)
		error = copyinstr(host, j.hostname, sizeof host, NULL);
	if (error != 0)
		return error;
	if (j.flags != 0)
		return EINVAL;
	if (view_is_jail(view_current()) || !cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EPERM;
	error = jail_place(j.root, &fc);
	if (error != 0)
		return error;
	error = view_enter(host);
	if (error != 0) {
		fsctx_drop(fc);
		return error;
	}
	fsctx_replace(fc);
	return 0;
}
