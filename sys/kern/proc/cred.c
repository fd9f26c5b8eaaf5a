/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cred - who a process is.
 *
 * A published credential never changes; a process changes its identity by
 * publishing another one.  So a reader needs no lock beyond holding a
 * reference, and a system call sees one identity from beginning to end.
 */
#include "proc_int.h"
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>

/* Kernel threads act for nobody in particular: as root. */
static struct cred kernel_cred = {
	.cr_refs = 1,
	.cr_cap_perm = (2ull << CAP_LAST) - 1,
	.cr_cap_eff = (2ull << CAP_LAST) - 1,
	.cr_cap_bnd = (2ull << CAP_LAST) - 1,
};

struct cred *
cred_hold(struct cred *c)
{
	atomic_fetch_add(&c->cr_refs, 1);
	return c;
}

void
cred_drop(struct cred *c)
{
	uint32_t old = atomic_fetch_sub(&c->cr_refs, 1);

	ASSERT(old > 0);
	if (old == 1) {
		ASSERT(c != &kernel_cred);
		kfree(c);
	}
}

struct cred *
cred_copy(const struct cred *c)
{
	struct cred *n = kmalloc(sizeof(*n), KM_WAIT);

	if (n == NULL)
		return NULL;
	memcpy(n, c, sizeof(*n));
	n->cr_refs = 1;
	return n;
}

bool
cred_in_group(const struct cred *c, uint32_t gid)
{
	if (c->cr_fsgid == gid)
		return true;
	for (uint32_t i = 0; i < c->cr_ngroups; i++)
		if (c->cr_groups[i] == gid)
			return true;
	return false;
}

bool
cred_capable(const struct cred *c, uint32_t cap)
{
	ASSERT(cap <= CAP_LAST);
	return (c->cr_cap_eff >> cap & 1) != 0;
}

struct cred *
cred_current(void)
{
	return curlwp != NULL ? curproc->p_cred : &kernel_cred;
}
