/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_membarrier - a fence on every CPU that runs the caller's threads.
 *
 * A program that makes its rare path pay lets its frequent path go without a
 * fence.  Every other CPU is called: a guest that runs there is stopped
 * for that, and its host thread passes through an exchange on the mailbox, which is
 * the fence.  A call costs the same whether a sibling runs there or not.
 *
 * Absent: the variants for code that changes (SYNC_CORE) and for restartable
 * sequences, which there are none of; a single CPU as the target.
 */
#include <abi/errno.h>
#include <gen/syscalls.h>
#include <sys/lwkt/ipi.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>

enum {
	CMD_QUERY = 0, CMD_GLOBAL = 1, CMD_GLOBAL_EXPEDITED = 2, CMD_REGISTER_GLOBAL_EXPEDITED = 4,
	CMD_PRIVATE_EXPEDITED = 8, CMD_REGISTER_PRIVATE_EXPEDITED = 16,
};
#define CMDS	(CMD_GLOBAL | CMD_GLOBAL_EXPEDITED | CMD_REGISTER_GLOBAL_EXPEDITED | CMD_PRIVATE_EXPEDITED | \
	    CMD_REGISTER_PRIVATE_EXPEDITED)

static void
fence(void *arg, uint64_t value)
{
	(void)arg;
	(void)value;
	atomic_thread_fence(memory_order_seq_cst);
}

int
sys_membarrier(struct sysmsg *m, int cmd, uint32_t flags, int cpu)
{
	struct proc *p = curproc;

	(void)cpu;
	if (flags != 0)
		return EINVAL;
	switch (cmd) {
	case CMD_QUERY:
		m->sm_result = CMDS;
		return 0;
	case CMD_REGISTER_GLOBAL_EXPEDITED:
		return 0;			/* every process receives them */
	case CMD_REGISTER_PRIVATE_EXPEDITED:
		p->p_membarrier = true;
		return 0;
	case CMD_PRIVATE_EXPEDITED:
		if (!p->p_membarrier)
			return EPERM;
		break;
	case CMD_GLOBAL:
	case CMD_GLOBAL_EXPEDITED:
		break;
	default:
		return EINVAL;
	}
	for (uint32_t i = 0; i < cpu_count; i++)
		if (i != mycpuid)
			ipi_call(i, fence, NULL, 0);
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}
