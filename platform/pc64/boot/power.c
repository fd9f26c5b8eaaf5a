/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * power - the end, and the last words before it.
 *
 * Whoever runs the machine as a command reads the kernel's messages at COM3
 * and the status at COM4; a person has all on the console.  The power goes off
 * by ACPI's sleep state 5 (ACPI specification 4.8.3.2), or it does not and the
 * processor stops.
 */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/cpu.h>

#include "../dev/dev.h"
#include "boot.h"

#define LINE_MESSAGES	2
#define LINE_STATUS	3

void
md_emergency(const char *text, size_t len)
{
	if (boot_status)
		serial_write(LINE_MESSAGES, text, len);
	else
		console_emergency(text, len);
}

_Noreturn void
md_power_off_as(enum md_outcome how, int status)
{
	char line[32];
	int n = rt_snprintf(line, sizeof line, "exit %d\n", status);

	(void)how;
	intr_off();
	serial_write(LINE_STATUS, line, (size_t)n);
	if (boot_power.bp_pm1a != 0)
		outw((uint16_t)boot_power.bp_pm1a, boot_power.bp_a);
	if (boot_power.bp_pm1b != 0)
		outw((uint16_t)boot_power.bp_pm1b, boot_power.bp_b);
	if (boot_power.bp_sleep != NULL)
		*boot_power.bp_sleep = boot_power.bp_s;
	clock_wait_us(1000000);		/* it takes a moment */
	if (!boot_status)
		md_emergency("\nthe power can be switched off now\n", 35);
	for (;;)
		__asm__ volatile("cli\n\thlt");
}
