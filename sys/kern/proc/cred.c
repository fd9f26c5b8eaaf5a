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
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>

/* Kernel threads act for nobody in particular: as root. */
static struct cred kernel_cred = {
	.cr_refs = 1,
	.cr_cap_perm = (2ull << CAP_LAST) - 1,
	.cr_cap_eff = (2ull << CAP_LAST) - 1,
	.cr_cap_bnd = (2ull << CAP_LAST) - 1,
	.cr_view = &view_machine,
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
		view_drop(c->cr_view);
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
	view_hold(n->cr_view);
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
	struct lwp *l = curlwp;

	if (l == NULL)
		return &kernel_cred;
	if (l->l_cred == NULL)
		cred_renew(l);
	return l->l_cred;
}

struct cred *
proc_cred(struct proc *p)
{
	struct cred *c;

	spin_lock(&p->p_sig);
	c = cred_hold(p->p_cred);
	spin_unlock(&p->p_sig);
	return c;
}

__attribute__((noinline)) void
cred_renew(struct lwp *l)
{
	struct cred *old = l->l_cred;

	l->l_cred = proc_cred(l->l_proc);
	if (old != NULL)
		cred_drop(old);
}

void
proc_set_cred(struct cred *c)
{
	struct proc *p = curproc;
	struct cred *old, *mine = curlwp->l_cred;

	token_assert_held(&p->p_tok);
	curlwp->l_cred = cred_hold(c);
	spin_lock(&p->p_sig);
	old = p->p_cred;
	__atomic_store_n(&p->p_cred, c, __ATOMIC_RELAXED);
	spin_unlock(&p->p_sig);
	cred_drop(old);
	if (mine != NULL)
		cred_drop(mine);
}
