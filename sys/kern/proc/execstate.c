/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execstate - the part of exec that is about the process, not the program:
 * what survives it and what does not.
 *
 * It is the point of no return: before, everything can still fail and the old
 * program goes on; afterwards there is no old program.  Only making a space
 * of its own for a vfork child can fail, and that comes first.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <sys/vm/map.h>

/* A space that nobody else uses, empty. */
static int
own_space(struct proc *p, struct lwp *l)
{
	struct vmspace *fresh, *old = p->p_vmspace;
	int error;

	if (!p->p_vm_shared) {
		p->p_maxrss_kib = rt_max(p->p_maxrss_kib, vm_resident_peak(old) * (PAGE_BYTES / 1024));
		vmspace_clear(old);
		return 0;
	}
	error = vmspace_create(&fresh);
	if (error != 0)
		return error;
	md_user_leave(&l->l_uf, false);		/* the old space may be gone when we look again */
	l->l_uf.uf_space = MD_NOSPACE;
	token_get(&p->p_tok);
	p->p_vmspace = fresh;
	token_release(&p->p_tok);
	p->p_vm_shared = false;
	vmspace_drop(old);
	return 0;
}

int
proc_exec_commit(void)
{
	struct lwp *l = curlwp;
	struct proc *p = curproc;
	int error;

	proc_end_others(0);
	hooks_lwp_exit(l);			/* for the old program this thread is over */
	lwp_remove(l);				/* whichever thread calls exec becomes the first */
	trace_exec(l);
	spin_lock(&p->p_sig);
	p->p_first_gone = false;
	spin_unlock(&p->p_sig);
	error = own_space(p, l);
	if (error != 0)
		return error;
	vm_limits(p->p_vmspace, p->p_rlimit[RLIMIT_AS][0], p->p_rlimit[RLIMIT_DATA][0],
	    p->p_rlimit[RLIMIT_STACK][0]);
	l->l_clear_tid = 0;
	l->l_robust_list = 0;
	l->l_rseq = 0;
	memset(&l->l_altstack, 0, sizeof(l->l_altstack));
	md_user_leave(&l->l_uf, false);
	md_uframe_init(&l->l_uf, l->l_uf.uf_fpu);
	sig_exec(p);
	proc_vfork_release(p);
	hooks_exec(p);

	p->p_membarrier = false;
	token_get(&p->p_tok);
	p->p_dumpable = true;
	token_release(&p->p_tok);
	spin_lock(&proc_tree);
	p->p_did_exec = true;
	p->p_exit_signal = SIGCHLD;
	spin_unlock(&proc_tree);
	return 0;
}
