/* SPDX-License-Identifier: BSD-2-Clause */
/* table - where tools find things in this kernel's memory (abi/debug.h). */
#include <abi/debug.h>
#include <abi/ktr.h>
#include <machine/mmu.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>

extern struct cpu *cpus[];			/* lwkt/thread.c */
extern struct list all_threads;
extern _Atomic uint32_t panicking;		/* panic.c */

const struct debug_table debug_table = {
	.dt_magic = DEBUG_MAGIC,
	.dt_version = DEBUG_VERSION,
	.dt_bytes = sizeof debug_table,
	.dt_cpus = (uint64_t)cpus,
	.dt_cpu_count = (uint64_t)&cpu_count,
	.dt_threads = (uint64_t)&all_threads,
	.dt_panicking = (uint64_t)&panicking,
	.dt_stamp_is_ns = (uint64_t)&md_deterministic,
	.dt_direct = MD_DIRECT_BASE,
	.dt_sample = (uint64_t)&md_sample,
	.dt_c_thread = offsetof(struct cpu, c_curthread),
	.dt_c_ktr = offsetof(struct cpu, c_ktr),
	.dt_c_samples = offsetof(struct cpu, c_samples),
	.dt_td_link = offsetof(struct thread, td_alllink),
	.dt_td_id = offsetof(struct thread, td_id),
	.dt_td_name = offsetof(struct thread, td_name),
	.dt_td_state = offsetof(struct thread, td_state),
	.dt_td_cpu = offsetof(struct thread, td_cpu),
	.dt_td_sp = offsetof(struct thread, td_sp),
	.dt_td_stack = offsetof(struct thread, td_stack),
	.dt_name_bytes = sizeof ((struct thread *)0)->td_name,
	.dt_stack_bytes = LWKT_STACK_BYTES,
	.dt_ktr_version = KTR_VERSION,
};
_Static_assert((int)DEBUG_RUNNING == TD_RUNNING && (int)DEBUG_READY == TD_READY &&
    (int)DEBUG_SLEEPING == TD_SLEEPING &&
    (int)DEBUG_MOVING == TD_MOVING && (int)DEBUG_EXITED == TD_EXITED, "tools and kernel mean the same");
