/* SPDX-License-Identifier: BSD-2-Clause */
/* Restartable sequences, as the Linux x86-64 ABI has them. */
#pragma once
#include <stdint.h>

struct k_rseq {
	uint32_t	cpu_id_start, cpu_id;
	uint64_t	rseq_cs;	/* address of a k_rseq_cs while in one, else 0 */
	uint32_t	flags, node_id, mm_cid, pad;
};
_Static_assert(sizeof(struct k_rseq) == 32, "the size that all C libraries register");
struct k_rseq_cs {
	uint32_t	version, flags;
	uint64_t	start_ip, post_commit_offset, abort_ip;
};
#define RSEQ_FLAG_UNREGISTER	1u
#define RSEQ_CPU_NONE		0xffffffffu
