/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_mm - a process's address space, as its own system calls see it.
 *
 * Checks that concern files and arguments are made here; what can be mapped
 * where is vm's.  Nothing is ever locked in memory: there is no swap, so
 * mlock has only its errors.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/syscall/sysmsg.h>
#include <sys/vm/map.h>
#include <sys/vm/uaccess.h>

#define MS_ASYNC	1u
#define MS_INVALIDATE	2u
#define MS_SYNC		4u
#define MCL_ALL		7u		/* MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT */

/* Access rights of the open file decide what a mapping of it may ever allow. */
static int
file_rights(struct file *fp, uint32_t prot, uint32_t flags, uint32_t *max_prot)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;

	if (!file_can_read(fp))
		return EACCES;
	*max_prot = PROT_READ | PROT_EXEC;
	if (!shared || file_can_write(fp))
		*max_prot |= PROT_WRITE;
	return (prot & PROT_WRITE) != 0 && (*max_prot & PROT_WRITE) == 0 ? EACCES : 0;
}

static int
map_file(uaddr_t *addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t off)
{
	struct vmobj *obj = NULL;
	struct file *fp;
	uint32_t max_prot;
	int error;

	error = fd_get(fd, &fp);
	if (error != 0)
		return error;
	error = file_rights(fp, prot, flags, &max_prot);
	if (error == 0)
		error = fp->f_ops->fo_mmap != NULL ? fp->f_ops->fo_mmap(fp, &obj, &off) : ENODEV;
	if (error == 0)
		error = vm_mmap(curproc->p_vmspace, addr, len, prot, flags, obj, off, max_prot);
	file_drop(fp);
	return error;
}

int
sys_mmap(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, uint64_t off)
{
	uint32_t type = flags & MAP_TYPE;
	uint64_t end;
	int error;

	if ((off & PAGE_MASK) != 0 || len == 0)
		return EINVAL;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return EINVAL;
	if (rt_add_overflows(off, page_round(len), &end) || page_round(len) < len)
		return len > MD_USER_MAX ? ENOMEM : EOVERFLOW;
	if ((flags & MAP_HUGETLB) != 0)
		return ENOMEM;		/* no pages are set aside for it */
	if ((flags & MAP_ANONYMOUS) != 0)
		error = vm_mmap(curproc->p_vmspace, &addr, len, prot, flags, NULL, 0,
		    PROT_READ | PROT_WRITE | PROT_EXEC);
	else
		error = map_file(&addr, len, prot, flags, fd, off);
	if (error != 0)
		return error;
	if ((flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
		vm_populate(curproc->p_vmspace, addr, len, (prot & PROT_WRITE) != 0 && type == MAP_PRIVATE);
	m->sm_result = (int64_t)addr;
	return 0;
}

int
sys_munmap(struct sysmsg *m, uaddr_t addr, uint64_t len)
{
	(void)m;
	return vm_munmap(curproc->p_vmspace, addr, len);
}

int
sys_mprotect(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t prot)
{
	(void)m;
	return vm_mprotect(curproc->p_vmspace, addr, len, prot);
}

int
sys_brk(struct sysmsg *m, uaddr_t brk)
{
	vm_brk(curproc->p_vmspace, &brk);
	m->sm_result = (int64_t)brk;
	return 0;
}

int
sys_mremap(struct sysmsg *m, uaddr_t old, uint64_t old_len, uint64_t new_len, uint32_t flags, uaddr_t new_addr)
{
	uaddr_t addr = new_addr;
	int error = vm_mremap(curproc->p_vmspace, old, old_len, new_len, flags, &addr);

	m->sm_result = (int64_t)addr;
	return error;
}

int
sys_madvise(struct sysmsg *m, uaddr_t addr, uint64_t len, int advice)
{
	(void)m;
	return vm_madvise(curproc->p_vmspace, addr, len, advice);
}

/* EINVAL, or ENOMEM when part of the range is not mapped. */
static int
range_check(uaddr_t addr, uint64_t len)
{
	uint8_t vec[256];
	uint64_t end;
	int error = 0;

	if (rt_add_overflows(addr, page_round(len), &end) || page_round(len) < len)
		return EINVAL;
	end = page_round(addr + len);
	for (addr = page_trunc(addr); addr < end && error == 0;) {
		uint64_t n = rt_min(end - addr, sizeof vec * PAGE_BYTES);

		error = vm_mincore(curproc->p_vmspace, addr, n, vec);
		addr += n;
		lwkt_poll();
	}
	return error;
}

int
sys_msync(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t flags)
{
	(void)m;
	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 || (addr & PAGE_MASK) != 0 ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return EINVAL;
	/* Shared mappings show the object's own pages: there is nothing to write back. */
	return range_check(addr, len) == 0 ? 0 : ENOMEM;
}

int
sys_mincore(struct sysmsg *m, uaddr_t addr, uint64_t len, uaddr_t out)
{
	uint8_t vec[256];
	uint64_t pages = page_round(len) >> PAGE_SHIFT;
	int error = 0;

	(void)m;
	if ((addr & PAGE_MASK) != 0)
		return EINVAL;
	if (addr >= MD_USER_MAX || len > MD_USER_MAX - addr)
		return ENOMEM;
	for (uint64_t done = 0; done < pages && error == 0;) {
		uint64_t n = rt_min(pages - done, sizeof vec);

		error = vm_mincore(curproc->p_vmspace, addr + done * PAGE_BYTES, n * PAGE_BYTES, vec);
		if (error == 0)
			error = copyout(out + done, vec, n);
		done += n;
		lwkt_poll();
	}
	return error;
}

int
sys_mlock(struct sysmsg *m, uaddr_t addr, uint64_t len)
{
	(void)m;
	return range_check(addr, len) == 0 ? 0 : ENOMEM;
}

int
sys_munlock(struct sysmsg *m, uaddr_t addr, uint64_t len)
{
	return sys_mlock(m, addr, len);
}

int
sys_mlockall(struct sysmsg *m, uint32_t flags)
{
	(void)m;
	return flags == 0 || (flags & ~MCL_ALL) != 0 ? EINVAL : 0;
}

int
sys_munlockall(struct sysmsg *m)
{
	(void)m;
	return 0;
}
