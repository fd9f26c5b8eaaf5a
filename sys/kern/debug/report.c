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
report_gap(const struct gap *g)
{
	char place[160] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < GAP_FRAMES && g->g_pc[i] != 0 && n < sizeof place; i++) {
		struct symtab_pos at = { "?", 0, "?", 0 };

		(void)symtab_lookup(g->g_pc[i] - 1, &at);
		n += (size_t)rt_snprintf(place + n, sizeof place - n, "%s%s:%u", i > 0 ? " < " : "", at.sp_func,
		    at.sp_line);
	}
	say("gap: %llu us, ended in %s\n", (unsigned long long)g->g_ns / 1000, place);
}

static void
report_gaps(void)
{
	const struct gap *g;
	uint32_t n = lwkt_gaps(&g);

	say("gap: %llu us, or less, elsewhere\n", (unsigned long long)GAP_FLOOR_NS / 1000);
	for (uint32_t i = 0; i < n; i++)
		report_gap(&g[i]);
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
		report_gaps();
	if (boot_arg("tokens", NULL, 0))
		report_tokens();
}
