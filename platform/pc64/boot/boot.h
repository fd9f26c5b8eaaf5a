/* SPDX-License-Identifier: BSD-2-Clause */
/* boot - what the rest of the platform wants to know of how it was started. */
#pragma once
#include "../cpu/pc.h"

void	boot_trampoline(struct pc_cpu *pc);	/* ready for this processor */
uint32_t boot_trampoline_page(void);		/* its page's number: below 1 MiB */

/* Kinds of the three streams, as --stdio says: t, p, f, n or -, one letter each. */
extern char boot_stdio[4];			/* const after boot */
extern bool boot_status;			/* const after boot: somebody reads the status, at COM4 */

/* What is odd is told at once, whatever the state; what cannot be is the end. */
void	boot_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void boot_refuse(const char *why);

/* ACPI's soft-off, and its restart. */
struct boot_power {
	uint32_t	bp_pm1a, bp_pm1b;	/* ports; 0: none */
	uint16_t	bp_a, bp_b;		/* what to write there */
	volatile uint8_t *bp_sleep;		/* or a byte in memory; NULL: none */
	uint8_t		bp_s;			/* what to write there */
	volatile uint8_t *bp_reset;		/* restarts; NULL: none in memory */
	uint16_t	bp_reset_port;		/* or a port; 0: none */
	uint8_t		bp_r;			/* what to write there */
};
extern struct boot_power boot_power;		/* const after boot */

/* What the loader and the firmware said.  Const after boot. */
struct acpi;
struct bootinfo;
const struct bootinfo *boot_info(void);
const struct acpi *boot_acpi(void);

/* Where a line of the ISA bus ends, and how it speaks. */
struct boot_line {
	uint32_t	bl_gsi;
	bool		bl_level, bl_low;	/* not edges; active low */
};
struct boot_line boot_isa_line(uint32_t irq);
/* CPU 0 gets VEC_IRQ + irq for that line of the ISA bus.  False: nobody brings it. */
bool	boot_isa_route(uint32_t irq);
bool	boot_isa_is_routed(uint32_t irq);
