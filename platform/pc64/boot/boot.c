/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot - from the loader's memory to kmain().
 *
 * The image, the archive and what the platform allocates for itself (mmu.c's
 * pool) lie one behind the other in one piece of RAM, the archive moved there
 * because a loader may have left it anywhere.  That is the piece with the image,
 * or, if it is small, the largest that entry.S shows.  Whatever lies below is
 * not used.
 *
 * The order is one of needs: the map, this processor, the tables, the
 * firmware's tables, interrupt controllers, time, the processors' areas.
 */
#include <core/pc/acpi.h>
#include <core/pc/bootinfo.h>
#include <core/pc/mem.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/clock.h>

#include "../dev/dev.h"
#include "args.h"
#include "boot.h"

#define POOL_BYTES	(16ull << 20)
#define EARLY_BYTES	(1ull << 32)	/* what entry.S shows */
#define LOW_BYTES	0x9f000u		/* where the other processors can begin: below the firmware's */
#define IOAPIC_PA	0xfec00000u

void	boot_main(uint32_t magic, uint64_t info_pa);
void	boot_arrive(void);
extern const uint8_t trampoline[], trampoline_args[], trampoline_end[];
extern uint8_t image_end[];

static struct md_boot boot;		/* const after boot_main() */
static struct bootinfo info;		/* likewise */
static struct acpi acpi;		/* likewise */
static struct md_ram ram[BI_MAP_MAX];	/* likewise */
static paddr_t trampoline_pa;		/* const after boot_main(): 0 if there is only one processor */
static paddr_t early_root;		/* const: shows low memory where it is, and the kernel */
static uint32_t routed;			/* [boot] lines of the ISA bus: bits */
char boot_stdio[4] = "ttt";
bool boot_status;
struct boot_power boot_power;

const struct md_boot *
md_boot(void)
{
	return &boot;
}

const struct bootinfo *
boot_info(void)
{
	return &info;
}

const struct acpi *
boot_acpi(void)
{
	return &acpi;
}

static const void *
early_map(void *arg, uint64_t pa, uint64_t len)
{
	(void)arg;
	return pa < EARLY_BYTES && len <= EARLY_BYTES - pa ? (const void *)(MD_DIRECT_BASE + pa) : NULL;
}

static const void *
table_map(void *arg, uint64_t pa, uint64_t len)
{
	(void)arg;
	return mmu_window(pa, len);
}

void
boot_note(const char *fmt, ...)
{
	char text[160] = "boot: ";
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	rt_vsnprintf(text + 6, sizeof text - 7, fmt, ap);
	va_end(ap);
	n = strlen(text);
	text[n] = '\n';
	md_emergency(text, n + 1);
}

_Noreturn void
boot_refuse(const char *why)
{
	boot_note("%s", why);
	md_power_off(125);
}

/* From `image` on: what of a piece the platform and the archive may have, in what entry.S shows. */
static struct md_ram
room_in(const struct md_ram *r, paddr_t image)
{
	struct md_ram room = { rt_max(r->mr_base, image), rt_min(r->mr_end, EARLY_BYTES) };

	if (room.mr_base > room.mr_end)
		room.mr_base = room.mr_end;
	return room;
}

/* Room for `bytes`: behind the image if it is there, else the largest. */
static struct md_ram
find_room(paddr_t image, uint64_t bytes)
{
	struct md_ram best = { 0, 0 };

	for (uint32_t i = 0; i < boot.b_nram; i++) {
		struct md_ram room = room_in(&ram[i], image);

		if (room.mr_base == image && room.mr_end - image >= bytes)
			return room;
		if (room.mr_end - room.mr_base > best.mr_end - best.mr_base)
			best = room;
	}
	if (best.mr_end - best.mr_base < bytes)
		boot_refuse("memory has no room for the kernel and the root archive");
	return best;
}

static void
memory_setup(void)
{
	const paddr_t image = page_round((uint64_t)image_end - MD_IMAGE_BASE);
	const uint64_t len = info.bi_nmods > 0 ? info.bi_mods[0].bm_len : 0;
	struct md_ram room;

	for (uint32_t i = 0; i < info.bi_nmap; i++) {
		const struct bi_range *r = &info.bi_map[i];
		const paddr_t end = rt_min(r->br_base + r->br_len, MD_DIRECT_BYTES);

		if (r->br_kind != BI_RAM || r->br_base >= end)
			continue;
		ram[boot.b_nram++] = (struct md_ram){ r->br_base, end };
		boot.b_ram_bytes += end - r->br_base;
	}
	boot.b_ram = ram;
	room = find_room(image, page_round(len) + POOL_BYTES);
	boot.b_initrd = room.mr_base;
	boot.b_initrd_bytes = len;
	if (len > 0 && (info.bi_mods[0].bm_pa >= EARLY_BYTES || len > EARLY_BYTES - info.bi_mods[0].bm_pa))
		boot_refuse("the root archive lies above 4 GiB");
	if (len > 0)
		memmove(md_p2v(boot.b_initrd), md_p2v(info.bi_mods[0].bm_pa), len);
	pool_open(room.mr_base + len, room.mr_end);
	mmu_setup(ram, boot.b_nram);
}

static void
tables_read(void)
{
	const struct pc_mem m = { table_map, NULL };

	if ((info.bi_flags & BI_MAP_CUT) != 0)
		boot_note("memory from %#llx on is not used: it has too many pieces",
		    (unsigned long long)info.bi_map_end);
	if (!acpi_scan(&acpi, &m, info.bi_rsdp_len > 0 ? info.bi_rsdp : NULL, info.bi_rsdp_len) &&
	    info.bi_rsdp_len > 0)
		boot_note("the firmware's tables cannot be found where it says that they are");
	if (acpi.a_bad_tables + acpi.a_bad_entries + acpi.a_lost > 0)
		boot_note("of the firmware's tables %u are bad and %u entries; %u entries are too many",
		    acpi.a_bad_tables, acpi.a_bad_entries, acpi.a_lost);
}

static void
interrupts_setup(void)
{
	outb(0x21, 0xff);		/* both 8259s: nothing */
	outb(0xa1, 0xff);
	if (!apic_setup())
		boot_refuse("the local APIC is nowhere");
	apic_setup_cpu();
	for (uint32_t i = 0; i < acpi.a_nioapics; i++)
		if (!ioapic_add(acpi.a_ioapics[i].ai_pa, acpi.a_ioapics[i].ai_gsi_base))
			boot_note("no IOAPIC at %#llx", (unsigned long long)acpi.a_ioapics[i].ai_pa);
	if (acpi.a_nioapics == 0 && !ioapic_add(IOAPIC_PA, 0))
		boot_note("there is no IOAPIC");
}

/* A page that other processors can begin in; 0: none. */
static paddr_t
low_page(void)
{
	for (uint32_t i = 0; i < info.bi_nmap; i++) {
		const struct bi_range *r = &info.bi_map[i];
		const paddr_t pa = rt_max(r->br_base, PAGE_BYTES);

		if (r->br_kind == BI_RAM && pa < LOW_BYTES && r->br_base + r->br_len >= pa + PAGE_BYTES)
			return pa;
	}
	return 0;
}

/* This processor is 0, the others follow as the firmware lists them. */
static void
processors_setup(struct pc_cpu *self)
{
	const uint32_t me = apic_id();
	uint32_t far = 0, many = 0;

	self->pc_apic = me;
	pc_ncpu = 1;
	trampoline_pa = low_page();
	for (uint32_t i = 0; i < acpi.a_ncpus; i++) {
		const struct acpi_cpu *c = &acpi.a_cpus[i];

		if (!c->ac_enabled || c->ac_apic_id == me)
			continue;
		if (c->ac_apic_id >= 255 && !pc_feat.f_x2apic)
			far++;
		else if (pc_ncpu == PC_CPUS_MAX || trampoline_pa == 0)
			many++;
		else
			(void)cpu_make(pc_ncpu++, c->ac_apic_id);
	}
	if (far > 0)
		boot_note("%u processors have numbers that need an x2APIC, which this one is not", far);
	if (many > 0)
		boot_note("%u processors are not used: %u can be, and with memory below 1 MiB",
		    many, PC_CPUS_MAX);
	boot.b_ncpu = pc_ncpu;
}

/* Tables for the trampoline: the kernel's, and low memory where it is. */
static void
trampoline_setup(void)
{
	uint64_t *root, *low, *lower;

	if (pc_ncpu == 1)
		return;
	root = md_p2v(early_root = pool_page());
	low = md_p2v(pool_page());
	lower = md_p2v(pool_page());
	memcpy(root, md_p2v(mmu_root()), PAGE_BYTES);
	root[0] = md_v2p(low) | 3;
	low[0] = md_v2p(lower) | 3;
	lower[0] = 0x83;
	memcpy(md_p2v(trampoline_pa), trampoline, (size_t)(trampoline_end - trampoline));
}

uint32_t
boot_trampoline_page(void)
{
	return (uint32_t)(trampoline_pa >> PAGE_SHIFT);
}

void
boot_trampoline(struct pc_cpu *pc)
{
	uint64_t *args = md_p2v(trampoline_pa + (paddr_t)(trampoline_args - trampoline));

	args[0] = early_root;
	args[1] = mmu_root();
	args[2] = pc->pc_stack_top;
	args[3] = (uint64_t)pc;
	args[4] = (uint64_t)boot_arrive;
}

struct boot_line
boot_isa_line(uint32_t irq)
{
	struct boot_line l = { .bl_gsi = irq };

	for (uint32_t i = 0; i < acpi.a_noverrides; i++) {
		const struct acpi_override *o = &acpi.a_overrides[i];

		if (o->ao_source != irq)
			continue;
		l.bl_gsi = o->ao_gsi;
		l.bl_level = o->ao_trigger == ACPI_LEVEL;
		l.bl_low = o->ao_polarity == ACPI_LOW;
	}
	return l;
}

bool
boot_isa_is_routed(uint32_t irq)
{
	return irq < 16 && (routed & 1u << irq) != 0;
}

bool
boot_isa_route(uint32_t irq)
{
	const struct boot_line l = boot_isa_line(irq);

	routed |= 1u << irq;
	return ioapic_route(l.bl_gsi, VEC_IRQ + irq, pc_cpus[0]->pc_apic, l.bl_level, l.bl_low);
}

/*
 * ACPI 4.8.3.2: bit 13 says go, SLP_TYP stands above bit 10.  A machine without
 * those ports has a register of a byte (4.8.3.7): bit 5, and above bit 2.
 */
static void
power_setup(void)
{
	if ((acpi.a_flags & ACPI_HW_REDUCED) != 0 && acpi.a_sleep_control.ar_space == ACPI_MEMORY &&
	    acpi.a_sleep_control.ar_addr != 0)
		boot_power.bp_sleep = mmu_io(acpi.a_sleep_control.ar_addr, 1);
	if (acpi.a_reset.ar_space == ACPI_MEMORY && acpi.a_reset.ar_addr != 0)
		boot_power.bp_reset = mmu_io(acpi.a_reset.ar_addr, 1);
	if (acpi.a_reset.ar_space == ACPI_IO && acpi.a_reset.ar_addr <= UINT16_MAX)
		boot_power.bp_reset_port = (uint16_t)acpi.a_reset.ar_addr;
	boot_power.bp_r = acpi.a_reset_value;
	boot_power.bp_s = (uint8_t)(1u << 5 | (uint32_t)acpi.a_s5_a << 2);
	if ((acpi.a_flags & ACPI_S5) == 0)
		return;
	if (acpi.a_pm1a_control.ar_space == ACPI_IO)
		boot_power.bp_pm1a = (uint32_t)acpi.a_pm1a_control.ar_addr;
	if (acpi.a_pm1b_control.ar_space == ACPI_IO)
		boot_power.bp_pm1b = (uint32_t)acpi.a_pm1b_control.ar_addr;
	boot_power.bp_a = (uint16_t)(1u << 13 | (uint32_t)acpi.a_s5_a << 10);
	boot_power.bp_b = (uint16_t)(1u << 13 | (uint32_t)acpi.a_s5_b << 10);
}

void
boot_main(uint32_t magic, uint64_t info_pa)
{
	static struct pc_cpu first;
	const struct pc_mem m = { early_map, NULL };
	struct pc_cpu *self;
	const char *odd;

	for (uint32_t line = 0; line < 4; line++)
		serial_setup(line);
	if (!(magic == BI_MB2_EAX ? bootinfo_multiboot2 : bootinfo_pvh)(&info, &m, info_pa))
		boot_refuse("neither multiboot2 nor PVH");
	boot = (struct md_boot){
		.b_init = "", .b_workdir = "", .b_user = "", .b_name = "damselfly", .b_umask = 022,
	};
	odd = args_parse(info.bi_cmdline, &boot, boot_stdio, &boot_status);
	cpu_features();
	first.pc_area = (struct md_percpu *)&cpu0;
	pc_cpus[0] = &first;
	cpu_setup(&first);
	memory_setup();
	self = cpu_make(0, 0);
	self->pc_area = first.pc_area;
	cpu_setup(self);
	atomic_store(&self->pc_up, true);
	console_setup(&info.bi_fb);
	tables_read();
	power_setup();
	interrupts_setup();
	processors_setup(self);
	clock_setup(&acpi);
	trampoline_setup();
	boot.b_kernel_end = pool_close();
	if (odd != NULL)
		boot_note("not understood: %s", odd);
	intr_on();
	kmain();
}
