/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_vmcopy - process_vm_readv, process_vm_writev: from one process's memory
 * to another's.  Through a buffer, a part of a page at a time, by the rules of
 * uaccess on both sides; what was moved before an error is the result.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/procfs.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uio.h>

#include "iov.h"

/* The space of the process to which thread tid belongs, held. */
static int
space_of(int32_t tid, struct vmspace **out)
{
	struct proc *p = proc_find_tid(tid);
	struct vmspace *vs;
	int error = 0;

	if (p == NULL)
		return ESRCH;
	if (!procfs_may_look(p))
		error = EPERM;
	token_get(&p->p_tok);
	vs = p->p_vmspace;
	if (error == 0 && vs != NULL)
		vmspace_hold(vs);
	token_release(&p->p_tok);
	proc_drop(p);
	if (error == 0 && vs == NULL)
		return ESRCH;
	*out = vs;
	return error;
}

/* One range of the other's memory, or what of it fits; adds to *moved. */
static int
copy_range(struct vmspace *vs, struct uio_seg r, struct uio *u, char *buf, uint64_t *moved)
{
	int error = 0;

	while (error == 0 && r.len > 0 && u->u_resid > 0) {
		size_t n = rt_min(rt_min(r.len, u->u_resid), PAGE_BYTES - (r.base & PAGE_MASK)), done = 0;

		if (r.base >= MD_USER_MAX)
			return EFAULT;
		if (!u->u_to_user)
			error = uio_move(buf, n, u);
		if (error == 0)
			error = u->u_to_user ? vs_read(vs, buf, r.base, n, &done) :
			    vs_write(vs, r.base, buf, n, &done);
		if (u->u_to_user && done > 0 && uio_move(buf, done, u) != 0)
			return EFAULT;
		*moved += done;
		r.base += done;
		r.len -= done;
		lwkt_poll();
	}
	return error;
}

static int
vm_copy(struct sysmsg *m, int32_t pid, struct uio *u, uaddr_t from, uint64_t nremote)
{
	struct uio_seg *remote;
	struct vmspace *vs;
	uint64_t moved = 0;
	char *buf;
	int error = 0;

	if (nremote > UIO_SEG_MAX)
		return EINVAL;
	if (nremote == 0)
		return 0;
	buf = kmalloc(PAGE_BYTES + nremote * sizeof *remote, KM_WAIT);
	if (buf == NULL)
		return ENOMEM;
	remote = (struct uio_seg *)(void *)(buf + PAGE_BYTES);
	error = copyin(remote, from, nremote * sizeof *remote);
	for (uint64_t i = 0; error == 0 && i < nremote; i++)
		if ((int64_t)remote[i].len < 0)
			error = EINVAL;
	if (error == 0 && u->u_resid > 0)
		error = space_of(pid, &vs);
	if (error == 0 && u->u_resid > 0) {
		for (uint64_t i = 0; error == 0 && i < nremote; i++)
			error = copy_range(vs, remote[i], u, buf, &moved);
		vmspace_drop(vs);
	}
	kfree(buf);
	m->sm_result = (int64_t)moved;
	return moved > 0 ? 0 : error;
}

static int
both_ways(struct sysmsg *m, int32_t pid, uaddr_t local, uint32_t nlocal, uaddr_t remote, uint64_t nremote,
    uint64_t flags, bool read)
{
	struct uio_seg few[IOV_STACK], *seg;
	struct uio u = { .u_to_user = read };
	int error;

	if (flags != 0 || nlocal > UIO_SEG_MAX)
		return EINVAL;
	error = iov_copyin(local, (int)nlocal, few, &seg, &u.u_resid);
	if (error != 0)
		return error;
	u.u_seg = seg;
	u.u_nseg = (uint32_t)nlocal;
	error = vm_copy(m, pid, &u, remote, nremote);
	if (seg != few)
		kfree(seg);
	return error;
}

int
sys_process_vm_readv(struct sysmsg *m, int32_t pid, uaddr_t local, uint32_t nlocal, uaddr_t remote,
    uint64_t nremote,
    uint64_t flags)
{
	return both_ways(m, pid, local, nlocal, remote, nremote, flags, true);
}

int
sys_process_vm_writev(struct sysmsg *m, int32_t pid, uaddr_t local, uint32_t nlocal, uaddr_t remote,
    uint64_t nremote,
    uint64_t flags)
{
	return both_ways(m, pid, local, nlocal, remote, nremote, flags, false);
}
