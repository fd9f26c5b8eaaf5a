/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness - is the list of locks true?
 *
 * Each thread keeps what it holds, and each lock it takes must stand
 * behind all of that in the list (sys/lwkt/locks.h).  A single run in which a
 * wrong order occurs is enough to find it: nobody has to be unlucky.
 *
 * It is switched on before there is a second thread, so what threads keep is
 * complete from then on.  Otherwise it costs one look at a constant.
 */
#include <sys/debug/kprint.h>
#include <sys/lwkt/locks.h>

#include "lwkt_int.h"

bool witness_on;

static const struct {
	const char	*name;
	bool		many;
} ranks[LR_COUNT] = {
#define L(name, many) { #name, many },
	LOCKS(L)
#undef L
};

void
witness_start(void)
{
	witness_on = true;
}

void
witness_take(const void *lock, uint32_t rank, bool waits)
{
	struct thread *td = curthread;

	if (rank == LR_none || rank >= LR_COUNT)
		panic("witness: lock %p has no place in the list", lock);
	if (rank < LR_spins && waits && td->td_crit > 0)
		panic("witness: %s may sleep and is taken in a critical section", ranks[rank].name);
	for (uint32_t i = 0; i < td->td_nheld && waits; i++) {
		uint32_t held = td->td_held[i].rank;

		if (held > rank || (held == rank && !ranks[rank].many))
			panic("witness: %s is taken by somebody who holds %s", ranks[rank].name, ranks[held].name);
	}
	if (td->td_nheld == countof(td->td_held))
		panic("witness: too many locks at once");
	td->td_held[td->td_nheld].lock = lock;
	td->td_held[td->td_nheld++].rank = rank;
}

void
witness_drop(const void *lock)
{
	struct thread *td = curthread;
	uint32_t i = td->td_nheld;

	while (i > 0 && td->td_held[i - 1].lock != lock)
		i--;
	if (i == 0)
		panic("witness: a lock is released by somebody who does not hold it");
	for (; i < td->td_nheld; i++)
		td->td_held[i - 1] = td->td_held[i];
	td->td_nheld--;
}
