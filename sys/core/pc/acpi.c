/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * acpi - a walk over the firmware's tables.
 *
 * The RSDP points at one root table, the root at tables, the FADT at the DSDT:
 * three levels, nothing is followed further, so there are no cycles.  A table
 * is used only when its length is sane, all of it is readable and its bytes
 * add up to 0; of several of one kind the first good one counts.
 *
 * Power off needs two numbers from _S5, which is AML.  By the specification it
 * is a constant package, so it is looked for as bytes (NameOp, name, PackageOp,
 * length, integers) and taken only if all of that makes sense.
 *
 * Not here: AML, SRAT and SLIT, anything that touches a device.
 */
#include <core/pc/acpi.h>
#include <core/pc/mem.h>
#include <core/rt/rt.h>

#define HEADER		36u		/* signature, length, revision, sum, who made it */
#define TABLE_MAX	(16u << 20)
#define TABLES_MAX	256u		/* in the root */
#define FADT_BYTES	276u
#define SIG(a, b, c, d)	((a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24)

static bool
adds_up(const uint8_t *p, uint32_t len)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += p[i];
	return sum == 0;
}

/* A whole good table; NULL: it is none, and counted. */
static const uint8_t *
table(struct acpi *a, const struct pc_mem *m, uint64_t pa, uint32_t sig, uint32_t least,
    uint32_t *len)
{
	const uint8_t *t = pc_map(m, pa, HEADER);

	*len = 0;
	if (t != NULL && pc_u32(t) == sig)
		*len = pc_u32(t + 4);
	t = *len < least || *len > TABLE_MAX ? NULL : pc_map(m, pa, *len);
	if (t == NULL || !adds_up(t, *len)) {
		a->a_bad_tables++;
		return NULL;
	}
	return t;
}

/* Room for one more, or NULL. */
#define ADD(a, array, n, max)	((n) < (max) ? &(array)[(n)++] : ((a)->a_lost++, NULL))

/* ---------------------------------------------------------------- MADT -- */

enum {
	MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_NMI = 3, MADT_LAPIC_NMI = 4,
	MADT_LAPIC_PA = 5, MADT_X2APIC = 9, MADT_X2APIC_NMI = 10, MADT_KINDS
};

/* Bytes that an entry has at least. */
static const uint8_t madt_least[MADT_KINDS] = {
	[MADT_LAPIC] = 8, [MADT_IOAPIC] = 12, [MADT_OVERRIDE] = 10, [MADT_NMI] = 8,
	[MADT_LAPIC_NMI] = 6, [MADT_LAPIC_PA] = 12, [MADT_X2APIC] = 16, [MADT_X2APIC_NMI] = 12,
};

/* Large machines list a processor both ways; the first one counts. */
static void
add_cpu(struct acpi *a, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
	struct acpi_cpu *c;

	if ((flags & 3) == 0)		/* neither enabled nor capable of it */
		return;
	for (uint32_t i = 0; i < a->a_ncpus; i++)
		if (a->a_cpus[i].ac_apic_id == apic_id)
			return;
	c = ADD(a, a->a_cpus, a->a_ncpus, ACPI_CPUS_MAX);
	if (c != NULL)
		*c = (struct acpi_cpu){ apic_id, uid, (flags & 1) != 0 };
}

/* Section 5.2.12.5: polarity and trigger; the value 2 is reserved in both. */
static bool
inti_flags(struct acpi *a, uint16_t flags, uint8_t *polarity, uint8_t *trigger)
{
	*polarity = flags & 3;
	*trigger = flags >> 2 & 3;
	if (*polarity != 2 && *trigger != 2)
		return true;
	a->a_bad_entries++;
	return false;
}

static void
add_override(struct acpi *a, const uint8_t *e)
{
	struct acpi_override o = { .ao_source = e[3], .ao_gsi = pc_u32(e + 4) }, *to;

	if (!inti_flags(a, pc_u16(e + 8), &o.ao_polarity, &o.ao_trigger))
		return;
	to = ADD(a, a->a_overrides, a->a_noverrides, ACPI_OVERRIDES_MAX);
	if (to != NULL)
		*to = o;
}

static void
add_nmi(struct acpi *a, struct acpi_nmi n, uint16_t flags)
{
	struct acpi_nmi *to;

	if (!inti_flags(a, flags, &n.an_polarity, &n.an_trigger))
		return;
	to = ADD(a, a->a_nmis, a->a_nnmis, ACPI_NMIS_MAX);
	if (to != NULL)
		*to = n;
}

static void
add_local_nmi(struct acpi *a, uint32_t uid, uint8_t lint, uint16_t flags)
{
	if (lint > 1) {
		a->a_bad_entries++;
		return;
	}
	add_nmi(a, (struct acpi_nmi){ .an_is_local = true, .an_uid = uid, .an_lint = lint }, flags);
}

static void
madt_entry(struct acpi *a, const uint8_t *e)
{
	struct acpi_ioapic *io;

	switch (e[0]) {
	case MADT_LAPIC:
		if (e[3] != 0xff)
			add_cpu(a, e[3], e[2], pc_u32(e + 4));
		break;
	case MADT_X2APIC:
		if (pc_u32(e + 4) != 0xffffffff)
			add_cpu(a, pc_u32(e + 4), pc_u32(e + 12), pc_u32(e + 8));
		break;
	case MADT_IOAPIC:
		io = ADD(a, a->a_ioapics, a->a_nioapics, ACPI_IOAPICS_MAX);
		if (io != NULL)
			*io = (struct acpi_ioapic){ pc_u32(e + 4), pc_u32(e + 8), e[2] };
		break;
	case MADT_OVERRIDE:
		add_override(a, e);
		break;
	case MADT_NMI:
		add_nmi(a, (struct acpi_nmi){ .an_gsi = pc_u32(e + 4) }, pc_u16(e + 2));
		break;
	case MADT_LAPIC_NMI:
		add_local_nmi(a, e[2] == 0xff ? ACPI_UID_ALL : e[2], e[5], pc_u16(e + 3));
		break;
	case MADT_X2APIC_NMI:
		add_local_nmi(a, pc_u32(e + 4), e[8], pc_u16(e + 2));
		break;
	case MADT_LAPIC_PA:
		a->a_lapic_pa = pc_u64(e + 4);
		break;
	}
}

static void
read_madt(struct acpi *a, const struct pc_mem *m, const uint8_t *t, uint32_t len)
{
	(void)m;
	a->a_flags |= ACPI_MADT | ((pc_u32(t + 40) & 1) != 0 ? ACPI_PCAT : 0);
	a->a_lapic_pa = pc_u32(t + 36);
	for (uint32_t at = 44, n; at < len; at += n) {
		n = len - at >= 2 ? t[at + 1] : 0;
		if (n < 2 || n > len - at) {
			a->a_bad_entries++;	/* nobody knows where the next one is */
			break;
		}
		if (t[at] < MADT_KINDS && n < madt_least[t[at]])
			a->a_bad_entries++;
		else
			madt_entry(a, t + at);
	}
}

/* --------------------------------------------------------- MCFG, HPET -- */

static void
read_mcfg(struct acpi *a, const struct pc_mem *m, const uint8_t *t, uint32_t len)
{
	(void)m;
	a->a_flags |= ACPI_MCFG;
	a->a_bad_entries += (len - 44) % 16 != 0;
	for (uint32_t at = 44; len - at >= 16; at += 16) {
		struct acpi_mcfg c = {
			.am_pa = pc_u64(t + at), .am_segment = pc_u16(t + at + 8),
			.am_bus_first = t[at + 10], .am_bus_last = t[at + 11],
		}, *to;

		/* A bus is 1 MiB. */
		if (c.am_pa == 0 || c.am_pa > (1ull << 52) - (256u << 20) ||
		    c.am_pa % (1u << 20) != 0 || c.am_bus_first > c.am_bus_last) {
			a->a_bad_entries++;
			continue;
		}
		to = ADD(a, a->a_mcfg, a->a_nmcfg, ACPI_MCFG_MAX);
		if (to != NULL)
			*to = c;
	}
}

/* Section 5.2.3.2: a generic address is its space, three bytes of sizes, and the address. */
static struct acpi_reg
gas(const uint8_t *p)
{
	return (struct acpi_reg){ .ar_space = p[0], .ar_addr = pc_u64(p + 4) };
}

static void
read_hpet(struct acpi *a, const struct pc_mem *m, const uint8_t *t, uint32_t len)
{
	struct acpi_reg r = gas(t + 40);

	(void)m;
	(void)len;
	if (r.ar_space != ACPI_MEMORY || r.ar_addr == 0) {
		a->a_bad_entries++;
		return;
	}
	a->a_flags |= ACPI_HPET;
	a->a_hpet_pa = r.ar_addr;
	a->a_hpet_min_tick = pc_u16(t + 53);
}

/* ----------------------------------------------------------------- _S5 -- */

/* Section 20.2.3: the constant at *at, which then is behind it. */
static bool
aml_integer(const uint8_t *p, uint32_t end, uint32_t *at, uint64_t *value)
{
	uint32_t bytes;

	*value = 0;
	if (*at >= end)
		return false;
	switch (p[(*at)++]) {
	case 0x00: return true;				/* ZeroOp */
	case 0x01: *value = 1; return true;		/* OneOp */
	case 0x0a: bytes = 1; break;
	case 0x0b: bytes = 2; break;
	case 0x0c: bytes = 4; break;
	case 0x0e: bytes = 8; break;
	default: return false;
	}
	if (end - *at < bytes)
		return false;
	for (uint32_t i = 0; i < bytes; i++)
		*value |= (uint64_t)p[(*at)++] << (8 * i);
	return true;
}

/*
 * Sections 20.2.4 and 20.2.5: PackageOp, length (1 to 4 bytes, counted in it),
 * number of elements, elements.  A lone element holds both values, as bytes.
 */
static bool
s5_package(struct acpi *a, const uint8_t *p, uint32_t end, uint32_t at)
{
	uint32_t more, size, n;
	uint64_t s5_a, s5_b;

	if (end - at < 2 || p[at++] != 0x12)
		return false;
	more = p[at] >> 6;
	if (end - at < more + 2)
		return false;
	size = p[at] & (more == 0 ? 0x3f : 0x0f);
	for (uint32_t i = 0; i < more; i++)
		size |= (uint32_t)p[at + 1 + i] << (4 + 8 * i);
	if (size < more + 2 || size > end - at)
		return false;
	end = at + size;
	at += more + 1;
	n = p[at++];
	if (n == 0 || !aml_integer(p, end, &at, &s5_a))
		return false;
	if (n == 1) {
		s5_b = s5_a >> 8 & 0xff;
		s5_a &= 0xff;
	} else if (!aml_integer(p, end, &at, &s5_b)) {
		return false;
	}
	if (s5_a > 7 || s5_b > 7)
		return false;
	a->a_flags |= ACPI_S5;
	a->a_s5_a = (uint8_t)s5_a;
	a->a_s5_b = (uint8_t)s5_b;
	return true;
}

/* NameOp, perhaps a backslash, the name. */
static void
read_aml(struct acpi *a, const struct pc_mem *m, const uint8_t *t, uint32_t len)
{
	(void)m;
	for (uint32_t i = HEADER + 1; i + 4 <= len; i++) {
		uint32_t name = t[i - 1] == '\\' ? i - 2 : i - 1;

		if (pc_u32(t + i) == SIG('_', 'S', '5', '_') && name >= HEADER && t[name] == 0x08 &&
		    s5_package(a, t, len, i + 4))
			return;
	}
}

/* ---------------------------------------------------------------- FADT -- */

/* The extended register, or else the old port. */
static struct acpi_reg
fadt_reg(const uint8_t *f, uint32_t extended, uint32_t old)
{
	struct acpi_reg r = gas(f + extended);

	return r.ar_addr != 0 ? r : (struct acpi_reg){ pc_u32(f + old), ACPI_IO };
}

/* Section 5.2.9.  Earlier versions end sooner: what they do not have is 0. */
static void
read_fadt(struct acpi *a, const struct pc_mem *m, const uint8_t *t, uint32_t len)
{
	uint8_t f[FADT_BYTES] = { 0 };
	uint32_t flags;
	uint64_t dsdt;

	memcpy(f, t, rt_min(len, sizeof f));
	flags = pc_u32(f + 112);
	a->a_flags |= ACPI_FADT | ((flags & 1u << 8) != 0 ? ACPI_TIMER_32 : 0) |
	    ((flags & 1u << 20) != 0 ? ACPI_HW_REDUCED : 0);
	a->a_sci = pc_u16(f + 46);
	a->a_smi_cmd = pc_u32(f + 48);
	a->a_acpi_enable = f[52];
	a->a_century = f[108];
	a->a_boot_arch = pc_u16(f + 109);
	if (f[8] < 3)		/* these bits were reserved, and all machines had them */
		a->a_boot_arch |= ACPI_BOOT_LEGACY | ACPI_BOOT_8042;
	a->a_pm1a_control = fadt_reg(f, 172, 64);
	a->a_pm1b_control = fadt_reg(f, 184, 68);
	if (f[91] == 4)
		a->a_pm_timer = fadt_reg(f, 208, 76);
	if ((flags & 1u << 10) != 0) {
		a->a_reset = gas(f + 116);
		a->a_reset_value = f[128];
	}
	a->a_sleep_control = gas(f + 244);

	dsdt = pc_u64(f + 140) != 0 ? pc_u64(f + 140) : pc_u32(f + 40);
	t = table(a, m, dsdt, SIG('D', 'S', 'D', 'T'), HEADER, &len);
	if (t != NULL && (a->a_flags & ACPI_S5) == 0)
		read_aml(a, m, t, len);
}

/* ---------------------------------------------------------------- root -- */

/* A table is read until its flag is up. */
static const struct reader {
	uint32_t	sig, least, flag;
	void		(*read)(struct acpi *, const struct pc_mem *, const uint8_t *, uint32_t);
} readers[] = {
	{ SIG('F', 'A', 'C', 'P'), 116, ACPI_FADT, read_fadt },
	{ SIG('A', 'P', 'I', 'C'), 44, ACPI_MADT, read_madt },
	{ SIG('M', 'C', 'F', 'G'), 44, ACPI_MCFG, read_mcfg },
	{ SIG('H', 'P', 'E', 'T'), 56, ACPI_HPET, read_hpet },
	{ SIG('S', 'S', 'D', 'T'), HEADER, ACPI_S5, read_aml },
};

static void
read_table(struct acpi *a, const struct pc_mem *m, uint64_t pa)
{
	const uint8_t *t = pc_map(m, pa, HEADER);
	uint32_t sig = t != NULL ? pc_u32(t) : 0, len;

	if (t == NULL)
		a->a_bad_tables++;
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
		const struct reader *r = &readers[i];

		if (r->sig != sig || (a->a_flags & r->flag) != 0)
			continue;
		t = table(a, m, pa, sig, r->least, &len);
		if (t != NULL)
			r->read(a, m, t, len);
	}
}

/* `each` is the size of a pointer: 8 in the XSDT, 4 in the RSDT. */
static bool
read_root(struct acpi *a, const struct pc_mem *m, uint64_t pa, uint32_t sig, uint32_t each)
{
	uint32_t len, n;

	if (table(a, m, pa, sig, HEADER, &len) == NULL)
		return false;
	n = (len - HEADER) / each;
	if (n > TABLES_MAX) {
		a->a_lost += n - TABLES_MAX;
		n = TABLES_MAX;
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *p = pc_map(m, pa + HEADER + i * each, each);

		if (p == NULL)
			a->a_bad_tables++;
		else
			read_table(a, m, each == 8 ? pc_u64(p) : pc_u32(p));
	}
	return true;
}

/* Section 5.2.5.3: from revision 2 on there is a second half with the XSDT. */
bool
acpi_scan(struct acpi *a, const struct pc_mem *m, const uint8_t *rsdp, uint32_t rsdp_len)
{
	memset(a, 0, sizeof *a);
	if (rsdp_len < 20 || memcmp(rsdp, "RSD PTR ", 8) != 0 || !adds_up(rsdp, 20))
		return false;
	if (rsdp[15] >= 2 && rsdp_len >= 36 && pc_u32(rsdp + 20) == 36 && adds_up(rsdp, 36) &&
	    read_root(a, m, pc_u64(rsdp + 24), SIG('X', 'S', 'D', 'T'), 8))
		return true;
	a->a_flags |= ACPI_FROM_RSDT;
	return read_root(a, m, pc_u32(rsdp + 16), SIG('R', 'S', 'D', 'T'), 4);
}
