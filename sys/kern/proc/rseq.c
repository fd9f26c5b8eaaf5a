/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rseq - restartable sequences.
 *
 * A thread names a structure of its own in which we keep the number of the
 * CPU that it runs on, and in which it names the piece of code that must not
 * be left by surprise.  There is no system call in such a piece, so a thread
 * was taken out of it only if something else than a system call stopped it;
 * then it goes on at the piece's abort address.  That is done at every such
 * stop, whether the thread lost its CPU or not: stops are seldom beside the
 * length of a piece, and a piece is made to be run again.
 *
 * The structure is the program's: what is wrong with it is its SIGSEGV, and
 * the end of its registration.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <abi/rseq.h>
#include <sys/vm/uaccess.h>

#define RSEQ_NO_CPU	UINT32_MAX	/* l_rseq_cpu: nothing was written yet */

static void
refuse(struct lwp *l)
{
	l->l_rseq = 0;
	sig_force(l, SIGSEGV, NULL);
}

static bool
sequence_in(const struct lwp *l, uaddr_t at, struct k_rseq_cs *cs)
{
	uint32_t mark;

	return copyin(cs, at, sizeof *cs) == 0 && cs->version == 0 && cs->start_ip < MD_USER_MAX &&
	    cs->post_commit_offset < MD_USER_MAX - cs->start_ip && cs->abort_ip < MD_USER_MAX &&
	    cs->abort_ip >= sizeof mark && cs->abort_ip - cs->start_ip >= cs->post_commit_offset &&
	    copyin(&mark, cs->abort_ip - sizeof mark, sizeof mark) == 0 && mark == l->l_rseq_sig;
}

void
rseq_stopped(struct lwp *l)
{
	uaddr_t field = l->l_rseq + offsetof(struct k_rseq, rseq_cs), at;
	uint64_t *rip = &l->l_uf.uf_regs.rip, none = 0;
	struct k_rseq_cs cs;

	ASSERT(l == curlwp && l->l_rseq != 0);
	if (copyin(&at, field, sizeof at) != 0) {
		refuse(l);
		return;
	}
	if (at == 0)
		return;
	if (!sequence_in(l, at, &cs) || copyout(field, &none, sizeof none) != 0) {
		refuse(l);
		return;
	}
	if (*rip - cs.start_ip < cs.post_commit_offset)
		*rip = cs.abort_ip;
}

void
rseq_moved(struct lwp *l)
{
	uint32_t cpu[2] = { mycpuid, mycpuid };

	ASSERT(l == curlwp && l->l_rseq != 0);
	l->l_rseq_cpu = cpu[0];			/* before we may sleep: afterwards it may be another */
	if (copyout(l->l_rseq, cpu, sizeof cpu) != 0)
		refuse(l);
}

void
rseq_inherit(const struct lwp *l, struct lwp *n, bool shares_memory)
{
	n->l_rseq = shares_memory ? 0 : l->l_rseq;
	n->l_rseq_sig = l->l_rseq_sig;
	n->l_rseq_cpu = RSEQ_NO_CPU;
}

int
rseq_register(struct lwp *l, uaddr_t at, uint32_t sig)
{
	uint64_t none = 0;
	int error;

	if (l->l_rseq != 0)
		return l->l_rseq != at ? EINVAL : l->l_rseq_sig != sig ? EPERM : EBUSY;
	error = copyout(at + offsetof(struct k_rseq, rseq_cs), &none, sizeof none);
	if (error != 0)
		return error;
	l->l_rseq = at;
	l->l_rseq_sig = sig;
	l->l_rseq_cpu = RSEQ_NO_CPU;
	return 0;
}

int
rseq_unregister(struct lwp *l, uaddr_t at, uint32_t sig)
{
	const struct k_rseq gone = { .cpu_id = RSEQ_CPU_NONE };
	int error;

	if (l->l_rseq == 0 || l->l_rseq != at)
		return EINVAL;
	if (l->l_rseq_sig != sig)
		return EPERM;
	error = copyout(at, &gone, sizeof gone);
	if (error == 0)
		l->l_rseq = 0;
	return error;
}
