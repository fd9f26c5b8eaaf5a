/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * acpi - what the fixed tables say: processors, interrupt controllers, timers,
 * PCI's configuration space, how to power off and to reset.
 *
 * ACPI Specification 6.5, chapter 5 (tables) and 7.4.2 (_S5); PCI Firmware
 * Specification 3.3, section 4.1.2 (MCFG); IA-PC HPET Specification 1.0a, 3.2.4.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct pc_mem;

#define ACPI_CPUS_MAX		256u
#define ACPI_IOAPICS_MAX	32u
#define ACPI_OVERRIDES_MAX	32u
#define ACPI_NMIS_MAX		256u
#define ACPI_MCFG_MAX		32u

enum acpi_space { ACPI_MEMORY = 0, ACPI_IO = 1, ACPI_PCI_CONFIG = 2 };

struct acpi_reg {
	uint64_t	ar_addr;	/* 0: there is none */
	uint8_t		ar_space;	/* enum acpi_space, or another that we do not know */
};

/* A processor that is not enabled could become it (hot plug); others are not listed. */
struct acpi_cpu {
	uint32_t	ac_apic_id, ac_uid;
	bool		ac_enabled;
};

struct acpi_ioapic {
	uint64_t	ai_pa;
	uint32_t	ai_gsi_base;
	uint8_t		ai_id;
};

/* Of interrupt lines.  As the bus: on ISA active high and edge. */
enum { ACPI_AS_BUS = 0, ACPI_HIGH = 1, ACPI_LOW = 3, ACPI_EDGE = 1, ACPI_LEVEL = 3 };

struct acpi_override {
	uint32_t	ao_gsi;
	uint8_t		ao_source;	/* of the ISA bus */
	uint8_t		ao_polarity, ao_trigger;
};

#define ACPI_UID_ALL	0xffffffffu

/* A line that is an NMI: of a processor's local APIC, or of an IOAPIC. */
struct acpi_nmi {
	bool		an_is_local;
	uint32_t	an_gsi;		/* not local */
	uint32_t	an_uid;		/* local: the processor's ac_uid, or ACPI_UID_ALL */
	uint8_t		an_lint;	/* local: 0 or 1 */
	uint8_t		an_polarity, an_trigger;
};

struct acpi_mcfg {
	uint64_t	am_pa;		/* of bus 0, which need not be in it */
	uint16_t	am_segment;
	uint8_t		am_bus_first, am_bus_last;
};

enum {
	/* What was found. */
	ACPI_MADT = 1u << 0, ACPI_FADT = 1u << 1, ACPI_MCFG = 1u << 2, ACPI_HPET = 1u << 3,
	ACPI_S5 = 1u << 4,
	/* What it said. */
	ACPI_FROM_RSDT = 1u << 5,	/* there is no good XSDT */
	ACPI_PCAT = 1u << 6,		/* two 8259 are there and must be masked */
	ACPI_TIMER_32 = 1u << 7,	/* the PM timer has 32 bits, not 24 */
	ACPI_HW_REDUCED = 1u << 8,	/* no PM1 blocks: power off by a_sleep_control */
};

/* FADT's IA-PC boot architecture flags, in a_boot_arch. */
enum {
	ACPI_BOOT_LEGACY = 1u << 0, ACPI_BOOT_8042 = 1u << 1, ACPI_BOOT_NO_VGA = 1u << 2,
	ACPI_BOOT_NO_MSI = 1u << 3, ACPI_BOOT_NO_ASPM = 1u << 4, ACPI_BOOT_NO_RTC = 1u << 5,
};

struct acpi {
	uint32_t	a_flags;	/* ACPI_MADT ... */
	uint32_t	a_bad_tables;	/* unreadable, absurdly long, wrong sum or signature */
	uint32_t	a_bad_entries;	/* in good tables */
	uint32_t	a_lost;		/* tables and entries that did not fit here */

	/* MADT */
	uint64_t	a_lapic_pa;
	uint32_t	a_ncpus, a_nioapics, a_noverrides, a_nnmis, a_nmcfg;
	struct acpi_cpu	a_cpus[ACPI_CPUS_MAX];		/* each APIC id once */
	struct acpi_ioapic a_ioapics[ACPI_IOAPICS_MAX];
	struct acpi_override a_overrides[ACPI_OVERRIDES_MAX];
	struct acpi_nmi	a_nmis[ACPI_NMIS_MAX];
	struct acpi_mcfg a_mcfg[ACPI_MCFG_MAX];

	uint64_t	a_hpet_pa;
	uint16_t	a_hpet_min_tick;	/* in periods of its counter, for periodic mode */

	/* FADT */
	uint16_t	a_boot_arch;		/* ACPI_BOOT_* */
	uint16_t	a_sci;			/* ISA interrupt, or GSI, of the SCI */
	uint32_t	a_smi_cmd;		/* port; 0: ACPI mode is on already */
	uint8_t		a_acpi_enable;		/* to be written there */
	uint8_t		a_century;		/* index in CMOS; 0: none */
	uint8_t		a_reset_value;
	struct acpi_reg	a_pm1a_control, a_pm1b_control, a_pm_timer;
	struct acpi_reg	a_reset, a_sleep_control;

	uint8_t		a_s5_a, a_s5_b;		/* SLP_TYPa and b for power off, 0 to 7 */
};

/*
 * `rsdp` is what the loader gave: 20 or 36 bytes.  False: it or the root table
 * is no good.  *a is all zeros but for what was found.
 */
bool	acpi_scan(struct acpi *a, const struct pc_mem *m, const uint8_t *rsdp, uint32_t rsdp_len);
