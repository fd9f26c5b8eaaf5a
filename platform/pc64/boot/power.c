/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * power - the end, and the last words before it.
 *
 * Disks are told first, unless it is the kernel that failed: nothing of it is to be trusted then.
 *
 * Whoever runs the machine as a command reads the kernel's messages at COM3
 * and the status at COM4; a person has all on the console.  The power goes off
 * by ACPI's sleep state 5 (ACPI specification 4.8.3.2), or it does not and the
 * processor stops.  A restart is tried in every way that there has been, from
 * the best defined to the one that no processor can refuse.
 */
#include <core/rt/rt.h>
#include <drv/blk.h>
#include <machine/boot.h>
#include <machine/cpu.h>

#include "../dev/dev.h"
#include "boot.h"

#define LINE_MESSAGES	2
#define LINE_STATUS	3
#define RESET_US	50000
#define FIFO_US		2000		/* 16 bytes at 115200 baud leave a serial line's FIFO */

void
md_emergency(const char *text, size_t len)
{
	if (boot_status)
		serial_write(LINE_MESSAGES, text, len);
	else
		console_emergency(text, len);
	console_also(text, len);
}

/* ACPI's register, the keyboard controller, the chip set's register, an exception without a handler. */
static void
restart(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = { 0, 0 };

	if (boot_power.bp_reset != NULL)
		*boot_power.bp_reset = boot_power.bp_r;
	if (boot_power.bp_reset_port != 0)
		outb(boot_power.bp_reset_port, boot_power.bp_r);
	clock_wait_us(RESET_US);
	for (uint32_t i = 0; i < 1000 && (inb(0x64) & 2) != 0; i++)
		clock_wait_us(10);
	outb(0x64, 0xfe);
	clock_wait_us(RESET_US);
	outb(0xcf9, 2);
	outb(0xcf9, 6);
	clock_wait_us(RESET_US);
	__asm__ volatile("lidt %0\n\tint3" : : "m"(nothing));
}

static void
switch_off(void)
{
	if (boot_power.bp_pm1a != 0)
		outw((uint16_t)boot_power.bp_pm1a, boot_power.bp_a);
	if (boot_power.bp_pm1b != 0)
		outw((uint16_t)boot_power.bp_pm1b, boot_power.bp_b);
	if (boot_power.bp_sleep != NULL)
		*boot_power.bp_sleep = boot_power.bp_s;
	if (boot_power.bp_pm1a != 0 || boot_power.bp_sleep != NULL)
		clock_wait_us(1000000);		/* it takes a moment */
}

_Noreturn void
md_power_off_as(enum md_outcome how, int status)
{
	char line[32];
	int n = rt_snprintf(line, sizeof line, "exit %d\n", status);

	if (how != MD_OUT_PANIC && how != MD_OUT_HANG) {
		blk_flush_all();
		pci_end();
	}
	intr_off();
	serial_write(LINE_STATUS, line, (size_t)n);
	clock_wait_us(FIFO_US);
	if (how == MD_OUT_RESTART)
		restart();
	switch_off();
	md_emergency("\nthe power can be switched off now\n", 35);
	clock_wait_us(FIFO_US);
	if (boot_status)	/* whoever runs the machine as a command takes that for its end, too */
		restart();
	for (;;)
		__asm__ volatile("cli\n\thlt");
}
