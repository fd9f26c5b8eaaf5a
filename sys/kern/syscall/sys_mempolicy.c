/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_mempolicy - on which node memory is to lie, where there is one node.
 *
 * A policy is kept for each thread and each piece of an address space, and
 * told to who asks; it has nothing to decide.  Its set of nodes is empty or
 * node 0, as its mode says, so mode and flags are all of it.  The rules of
 * what makes a policy, and their order, are Linux's.
 */
#include <abi/errno.h>
#include <abi/mempolicy.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/map.h>
#include <sys/vm/uaccess.h>

#define NODES_MAX	1024u		/* that a program may name; above them it may only say no */

/* Node 0 is asked for; others are. */
struct nodes { bool first, others; };

static int
nodes_in(uaddr_t mask, uint64_t maxnode, struct nodes *out)
{
	uint64_t bits = maxnode - 1, word;

	*out = (struct nodes){ false, false };
	if (bits == 0 || mask == 0)
		return 0;
	if (bits > PAGE_BYTES * 8)
		return EINVAL;
	for (uint64_t at = 0; at < bits; at += 64) {
		if (copyin(&word, mask + at / 8, sizeof word) != 0)
			return EFAULT;
		if (bits - at < 64)
			word &= (1ull << (bits - at)) - 1;
		if (at >= NODES_MAX && word != 0)
			return EINVAL;
		if (at == 0)
			out->first = (word & 1) != 0;
		out->others = out->others || (at == 0 ? word >> 1 : word) != 0;
	}
	return 0;
}

/* Whether node 0 is in the set of a policy. */
static bool
has_node(uint32_t policy)
{
	uint32_t mode = policy & ~MPOL_MODE_FLAGS;

	return mode != MPOL_DEFAULT && mode != MPOL_LOCAL;
}

static int
policy_in(uint32_t mode, uaddr_t mask, uint64_t maxnode, uint32_t *out)
{
	uint32_t flags = mode & MPOL_MODE_FLAGS;
	uint32_t places = flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);
	struct nodes n;
	bool some;
	int error;

	mode &= ~MPOL_MODE_FLAGS;
	if (mode > MPOL_WEIGHTED_INTERLEAVE || places == (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return EINVAL;
	if ((flags & MPOL_F_NUMA_BALANCING) != 0 && mode != MPOL_BIND && mode != MPOL_PREFERRED_MANY)
		return EINVAL;
	error = nodes_in(mask, maxnode, &n);
	if (error != 0)
		return error;
	some = n.first || n.others;
	if (mode == MPOL_DEFAULT) {
		*out = MPOL_DEFAULT;
		return some ? EINVAL : 0;
	}
	if (mode == MPOL_PREFERRED && !some)
		mode = MPOL_LOCAL;
	else if (mode != MPOL_LOCAL && !some)
		return EINVAL;
	if (mode == MPOL_LOCAL && (some || places != 0))
		return EINVAL;
	/* Static and relative ones would have to be remembered as they were given. */
	if (some && (!n.first || (places != 0 && n.others)))
		return EINVAL;
	*out = mode | flags;
	return 0;
}

int
sys_set_mempolicy(struct sysmsg *m, uint32_t mode, uaddr_t mask, uint64_t maxnode)
{
	uint32_t policy;
	int error = policy_in(mode, mask, maxnode, &policy);

	if (error == 0)
		m->sm_lwp->l_mempolicy = policy;
	return error;
}

int
sys_mbind(struct sysmsg *m, uaddr_t addr, uint64_t len, uint32_t mode, uaddr_t mask, uint64_t maxnode,
    uint32_t flags)
{
	uint32_t policy;
	int error = policy_in(mode, mask, maxnode, &policy);
	uaddr_t end;

	(void)m;
	if (error != 0)
		return error;
	if ((flags & ~(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) != 0)
		return EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) != 0 && !cred_capable(cred_current(), CAP_SYS_NICE))
		return EPERM;
	if ((addr & PAGE_MASK) != 0 || rt_add_overflows(addr, page_round(len), &end))
		return EINVAL;
	return end == addr ? 0 : vm_policy_set(vmspace_current(), addr, end, policy);
}

/* Node 0 or none, and zeros up to maxnode. */
static int
nodes_out(uaddr_t mask, uint64_t maxnode, bool first)
{
	uint64_t bytes = (maxnode - 1 + 63) / 64 * 8, word = first, zero = 0;

	if (bytes > PAGE_BYTES)
		return EINVAL;
	for (uint64_t at = 8; at < bytes; at += 8)
		if (copyout(mask + at, &zero, sizeof zero) != 0)
			return EFAULT;
	return bytes != 0 ? copyout(mask, &word, sizeof word) : 0;
}

/* What the answer to MPOL_F_NODE is about is always node 0, if it is about anything. */
static int
policy_of(uaddr_t addr, uint64_t flags, uint32_t *policy)
{
	uint8_t byte;
	int error;

	*policy = curlwp->l_mempolicy;
	if ((flags & MPOL_F_ADDR) == 0) {
		uint32_t mode = *policy & ~MPOL_MODE_FLAGS;

		if (addr != 0)
			return EINVAL;
		return (flags & MPOL_F_NODE) == 0 || mode == MPOL_INTERLEAVE ||
		    mode == MPOL_WEIGHTED_INTERLEAVE ? 0 : EINVAL;
	}
	error = vm_policy_get(vmspace_current(), addr, policy);
	return error == 0 && (flags & MPOL_F_NODE) != 0 ? copyin(&byte, addr, sizeof byte) : error;
}

int
sys_get_mempolicy(struct sysmsg *m, uaddr_t mode, uaddr_t mask, uint64_t maxnode, uaddr_t addr,
    uint64_t flags)
{
	uint32_t policy = MPOL_DEFAULT, told;
	int error = 0;

	(void)m;
	if (mask != 0 && maxnode < 1)
		return EINVAL;
	if ((flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) != 0)
		return EINVAL;
	if ((flags & MPOL_F_MEMS_ALLOWED) != 0)
		error = (flags & (MPOL_F_NODE | MPOL_F_ADDR)) != 0 ? EINVAL : 0;
	else
		error = policy_of(addr, flags, &policy);
	told = (flags & MPOL_F_NODE) != 0 ? 0 : policy;
	if (error == 0 && mode != 0)
		error = copyout(mode, &told, sizeof told);
	if (error == 0 && mask != 0)
		error = nodes_out(mask, maxnode, (flags & MPOL_F_MEMS_ALLOWED) != 0 || has_node(policy));
	return error;
}
