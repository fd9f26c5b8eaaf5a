/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report - what was measured, told when the machine is switched off.
 *
 * Kernel arguments: `gaps` (lwkt/gap.c), `tokens` (how often tokens of each
 * name were waited for) and `witness` (lwkt/witness.c).
 */
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/report.h>
#include <sys/debug/symtab.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/token.h>

static void
say(const char *fmt, ...)
{
	char line[200];
	va_list ap;

	va_start(ap, fmt);
	rt_vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	md_emergency(line, strlen(line));
}

void
report_start(void)
{
	if (boot_arg("gaps", NULL, 0))
		lwkt_watch_gaps();
	if (boot_arg("witness", NULL, 0))
		witness_start();
}

static void
report_gap(void)
{
	struct symtab_pos at = { "?", 0, "?", 0 };
	uint64_t pc;
	nsec_t gap = lwkt_longest_gap(&pc);

	(void)symtab_lookup(pc - 1, &at);
	say("longest gap: %llu us, ended in %s (%s:%u)\n", (unsigned long long)gap / 1000,
	    at.sp_func, at.sp_file, at.sp_line);
}

static void
report_tokens(void)
{
	uint64_t times, slept;
	const char *name;

	for (uint32_t i = 0; token_contention(i, &name, &times, &slept); i++)
		say("token %s: %llu waits, %llu asleep\n", name, (unsigned long long)times, (unsigned long long)slept);
}

void
report_end(void)
{
	if (boot_arg("gaps", NULL, 0))
		report_gap();
	if (boot_arg("tokens", NULL, 0))
		report_tokens();
}
