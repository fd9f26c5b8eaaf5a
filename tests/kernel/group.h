/* SPDX-License-Identifier: BSD-2-Clause */
/* group - threads on all CPUs: a test starts them, all end, it goes on. */
#pragma once
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>

#define GROUP_MAX	64u

extern struct group {
	struct waitq	q;
	_Atomic uint32_t ended;
	uint32_t	started;	/* the test's thread's */
	uint64_t	rounds;		/* const while they run */
} grp;

void	grp_begin(uint64_t normal, uint64_t longer);	/* rounds for each */
void	grp_start(uint32_t cpu, void (*fn)(void *), void *arg);	/* on CPU `cpu` modulo their number */
void	grp_member_ends(void);		/* each one's last words */
void	grp_wait(void);
/* What a word that was zero may look like while `word` is copied to it: bytes come in any order. */
bool	is_half_written(uint64_t seen, uint64_t word);
