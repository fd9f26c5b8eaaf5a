/* SPDX-License-Identifier: BSD-2-Clause */
/* stuck - a CPU that does not look at its mailbox is told of; tests/system/stuck.sh reads what.  Kernel argument `stuck`. */
#include <sys/debug/bootarg.h>
#include <sys/debug/report.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/token.h>

#include "group.h"

static struct token token;
static struct spin held = SPIN_INIT(port);
static _Atomic uint32_t loops;

static void
loop_until_told(void *arg)
{
	(void)arg;
	token_get(&token);
	spin_lock(&held);
	atomic_fetch_add(&loops, 1);
	while (!atomic_load(&stuck_told))
		continue;
	spin_unlock(&held);
	token_release(&token);
	grp_member_ends();
}

static void
wait_for_the_spin(void *arg)
{
	(void)arg;
	while (atomic_load(&loops) == 0)
		lwkt_yield();
	spin_lock(&held);
	spin_unlock(&held);
	grp_member_ends();
}

static void
nothing(void *arg, uint64_t value)
{
	(void)arg;
	(void)value;
}

static void
wait_for_the_call(void *arg)
{
	(void)arg;
	while (atomic_load(&loops) == 0)
		lwkt_yield();
	ipi_call(cpu_count - 1, nothing, NULL, 0);
	grp_member_ends();
}

/* One loops, one waits inside a critical section, one waits and answers. */
KTEST(a_cpu_without_progress_is_told)
{
	if (!boot_arg("stuck", NULL, 0))
		return;
	token_init(&token, "of the test");
	atomic_store(&loops, 0);
	grp_begin(1, 1);
	grp_start(cpu_count - 1, loop_until_told, NULL);
	if (cpu_count > 2) {
		grp_start(1, wait_for_the_spin, NULL);
		grp_start(2 % (cpu_count - 1), wait_for_the_call, NULL);
	}
	grp_wait();
	KCHECK(atomic_load(&stuck_told));
}
