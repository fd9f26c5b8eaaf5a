/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_mm - system calls on the address space.
 *
 * What a mapping of a file may be is decided here, from how the file was
 * opened; everything about ranges and protections is decided by vm/map.
 *
 * Memory is never paged out from under a mapping, so locking it means to
 * bring it in and to respect the limit; there is nothing to write back
 * either, as long as no filesystem keeps its contents elsewhere.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/file.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/proc.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/uaccess.h>

#define PROT_ALL	(PROT_READ | PROT_WRITE | PROT_EXEC)
#define MINCORE_PAGES	512u
#define MAP_VALIDATED	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE | \
			 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | \
			 MAP_FIXED_NOREPLACE)

/* The object behind a mapping of fp, and the most that mprotect may later ask for. */
static int
map_file(struct file *fp, uint32_t prot, uint32_t flags, struct vmobj **obj, uint64_t *off,
    uint32_t *max_prot)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;

	if (shared && (flags & MAP_TYPE) != MAP_SHARED && (flags & MAP_TYPE) != MAP_SHARED_VALIDATE)
		return EINVAL;
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && (flags & ~MAP_VALIDATED) != 0)
		return EOPNOTSUPP;
	if (!file_can_read(fp))
		return EACCES;
	*max_prot = PROT_ALL;
	if (shared && !file_can_write(fp)) {
		if ((prot & PROT_WRITE) != 0)
			return EACCES;
		*max_prot &= ~PROT_WRITE;
	}
	if (fp->f_ops->fo_mmap == NULL)
		return ENODEV;
	return fp->f_ops->fo_mmap(fp, obj, off);
}

int
sys_mmap(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t off)
{
	struct vmspace *vs = vmspace_current();
	struct vmobj *obj = NULL;
	struct file *fp = NULL;
	uint32_t max_prot = PROT_ALL;
	int error = 0;

	if ((off & PAGE_MASK) != 0)
		return EINVAL;
	if ((flags & MAP_ANONYMOUS) != 0) {
		if ((flags & MAP_TYPE) != MAP_PRIVATE && (flags & MAP_TYPE) != MAP_SHARED)
			return EINVAL;
		if ((flags & MAP_HUGETLB) != 0)
			return ENOMEM;
		off = 0;
	} else {
		error = fd_get(fd, &fp);
		if (error != 0)
			return error;
		if (len == 0)
			error = EINVAL;
		else
			error = map_file(fp, prot, flags, &obj, &off, &max_prot);
	}
	if (error == 0)
		error = vm_mmap_named(vs, &addr, len, prot & PROT_ALL, flags, obj, off, max_prot,
		    fp != NULL ? fp->f_ncp : NULL);
	if (error == 0 && (flags & (MAP_POPULATE | MAP_LOCKED)) != 0 && (flags & MAP_NONBLOCK) == 0)
		vm_populate(vs, addr, len, (prot & PROT_WRITE) != 0);
	if (fp != NULL)
		file_drop(fp);
	m->sm_result = (int64_t)addr;
	return error;
}

int
sys_munmap(struct sysmsg *m, uaddr_t addr, uint64_t len)
{
	(void)m;
	return vm_munmap(vmspace_current(), addr, len);
}

int
sys_mprotect(struct sysmsg *m, uaddr_t addr, uint64_t len, uint64_t prot)
{
	(void)m;
	return prot > UINT32_MAX ? EINVAL : vm_mprotect(vmspace_current(), addr, len, (uint32_t)prot);
}

int
sys_brk(struct sysmsg *m, uaddr_t brk)
{
	vm_brk(vmspace_current(), &brk);
	m->sm_result = (int64_t)brk;
	return 0;
}

int
sys_mremap(struct sysmsg *m, uaddr_t old, uint64_t old_len, uint64_t new_len, uint64_t flags,
    uaddr_t new_addr)
{
	int error = flags > UINT32_MAX ? EINVAL :
	    vm_mremap(vmspace_current(), old, old_len, new_len, (uint32_t)flags, &new_addr);

	m->sm_result = (int64_t)new_addr;
	return error;
}

/* A mapping of its own for each range, as on Linux since 4.0: what the flags ask for is given anyway. */
int
sys_remap_file_pages(struct sysmsg *m, uaddr_t addr, uint64_t len, uint64_t prot, uint64_t index,
    uint32_t flags)
{
	(void)m;
	(void)flags;
	addr = page_trunc(addr);
	len = page_trunc(len);
	if (prot != 0 || len == 0 || addr >= MD_USER_MAX || len > MD_USER_MAX - addr)
		return EINVAL;
	if (index > (UINT64_MAX >> PAGE_SHIFT) - (len >> PAGE_SHIFT))
		return EINVAL;
	return vm_remap_object(vmspace_current(), addr, len, index << PAGE_SHIFT);
}

int
sys_madvise(struct sysmsg *m, uaddr_t addr, uint64_t len, int advice)
{
	(void)m;
	return vm_madvise(vmspace_current(), addr, len, advice);
}

int
sys_mincore(struct sysmsg *m, uaddr_t addr, uint64_t len, uaddr_t vec)
{
	uint8_t part[MINCORE_PAGES];

	(void)m;
	if ((addr & PAGE_MASK) != 0)
		return EINVAL;
	if (len > MD_USER_MAX)
		return ENOMEM;
	for (uint64_t pages = page_round(len) >> PAGE_SHIFT, n; pages > 0; pages -= n) {
		int error;

		n = rt_min(pages, MINCORE_PAGES);
		error = vm_mincore(vmspace_current(), addr, n * PAGE_BYTES, part);
		if (error == 0)
			error = copyout(vec, part, n);
		if (error != 0)
			return error;
		addr += n * PAGE_BYTES;
		vec += n;
	}
	return 0;
}

/* Is all of [addr, +len) mapped? */
static int
check_mapped(uaddr_t addr, uint64_t len)
{
	if (len > MD_USER_MAX || addr > MD_USER_MAX - len)
		return ENOMEM;
	return vm_is_mapped(vmspace_current(), addr, len) ? 0 : ENOMEM;
}

int
sys_msync(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t flags)
{
	int error, error2;

	(void)m;
	if ((addr & PAGE_MASK) != 0 || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return EINVAL;
	error = check_mapped(addr, page_round(len));
	if ((flags & MS_SYNC) == 0)
		return error;
	error2 = vm_msync(curproc->p_vmspace, addr, page_round(len));
	return error != 0 ? error : error2;
}

/* How many bytes the process may have locked.  EPERM: none. */
static int
lock_limit(uint64_t *limit)
{
	*limit = UINT64_MAX;
	if (cred_capable(cred_current(), CAP_IPC_LOCK))
		return 0;
	token_get(&curproc->p_tok);
	*limit = curproc->p_rlimit[RLIMIT_MEMLOCK][0];
	token_release(&curproc->p_tok);
	return *limit == 0 ? EPERM : 0;
}

static int
lock_range(uaddr_t addr, uint64_t len, bool on, bool fill)
{
	uaddr_t start = page_trunc(addr), end;
	uint64_t limit = UINT64_MAX;
	int error;

	/* As Linux: a length that wraps when it is rounded is none. */
	if (rt_add_overflows(start, page_round(len + (addr & PAGE_MASK)), &end))
		return EINVAL;
	error = on ? lock_limit(&limit) : 0;
	if (error != 0 || start == end)
		return error;
	if (end > MD_USER_MAX)
		return ENOMEM;
	error = vm_lock(vmspace_current(), start, end - start, on, limit);
	if (error == 0 && fill)
		vm_populate(vmspace_current(), start, end - start, false);
	return error;
}

int
sys_mlock(struct sysmsg *m, uaddr_t addr, uint64_t len)
{
	(void)m;
	return lock_range(addr, len, true, true);
}

int
sys_mlock2(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t flags)
{
	(void)m;
	return (flags & ~MLOCK_ONFAULT) != 0 ? EINVAL : lock_range(addr, len, true, flags == 0);
}

int
sys_munlock(struct sysmsg *m, uaddr_t addr, uint64_t len)
{
	(void)m;
	return lock_range(addr, len, false, false);
}

int
sys_mlockall(struct sysmsg *m, uint32_t flags)
{
	uint64_t limit;
	int error;

	(void)m;
	if (flags == 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 || flags == MCL_ONFAULT)
		return EINVAL;
	error = lock_limit(&limit);
	return error != 0 ? error :
	    vm_lock_all(vmspace_current(), (flags & MCL_CURRENT) != 0, (flags & MCL_FUTURE) != 0, limit);
}

int
sys_munlockall(struct sysmsg *m)
{
	(void)m;
	return vm_lock_all(vmspace_current(), false, false, UINT64_MAX);
}
