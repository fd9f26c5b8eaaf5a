/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci - the PC's way to configuration space, and from there to drivers.
 *
 * A host is a segment of buses: its configuration space is in memory, as
 * ACPI's MCFG says, or behind two ports, if nothing is found there (PCI Local Bus
 * 3.0, 3.2.2.3.2).  All functions are looked at first, so that it is known which
 * addresses are taken; then those without an address get one, and drivers are asked.
 * No address is one, too, that does not come through the bridge before the device, or
 * that a function which was found earlier has.  A bridge that lets nothing
 * through, with somebody behind it who needs an address, is opened.
 *
 * Each driver attaches in a thread.  The boot waits for all, ATTACH_NS at
 * most in all, and says for whom it did not wait longer.
 *
 * Invariants
 *   B1  a function that no driver asked for an interrupt has its pin off.
 *   B2  the list of functions is const when the first driver starts.
 *
 * Not here: hot plugging, numbers for buses (behind a bridge to which firmware gave none there
 * is nothing), ports for BARs.
 */
#include <core/pc/acpi.h>
#include <core/pc/bootinfo.h>
#include <core/rt/rt.h>
#include <drv/dma.h>
#include <drv/lock.h>
#include <drv/mmio.h>
#include <drv/pci.h>
#include <drv/thread.h>
#include <machine/clock.h>

#include "../boot/boot.h"
#include "dev.h"
#include "vector.h"

enum { CFG_ADDRESS = 0xcf8, CFG_DATA = 0xcfc, CFG_PORTS_END = 256 };
enum { CLASS_BRIDGE = 6, CLASS_SUBTRACTIVE = 0x060401 };
#define CFG_ON		(1u << 31)
#define BUS_BYTES	(1ull << 20)
#define WINDOW_ALIGN	(16ull << 20)	/* what firmware keeps for itself lies close to RAM */
#define ATTACH_NS	(5 * NSEC_PER_SEC)

struct host {
	struct pci_cfg	h_cfg;			/* const */
	uint64_t	h_pa;			/* const: of bus 0; 0: behind ports */
	uint32_t	h_segment, h_first, h_last;	/* const: h_first is the root */
	volatile uint8_t *h_bus[256];		/* [cfg_lock] as far as they were looked at */
};
struct function {
	struct pcidev	f_dev;
	const struct host *f_host;	/* const */
	const struct pci_driver *f_driver;	/* const after match(); NULL: none */
	_Atomic bool	f_taken, f_attached;	/* [atomic] */
	struct pci_window f_passes[PCI_BRIDGE_WINDOWS];	/* boot: of a bridge, what it lets through... */
	struct pci_window f_free[PCI_BRIDGE_WINDOWS];	/* ...and of that what nobody has */
	struct function	*f_next;	/* const */
};

static struct drv_lock cfg_lock;	/* the ports, h_bus */
static struct function *functions, **last = &functions;	/* B2 */
static struct pci_window window;	/* boot: of root buses, what nobody has */
static struct drv_event arrived;

uint32_t
drv_cpus(void)
{
	return pc_ncpu;
}

uint32_t
drv_cpu(void)
{
	return kcpu_id();
}

/* ---------------------------------------------------------- addresses -- */

/* The largest piece below MMIO_END of which the map says nothing. */
static void
window_find(void)
{
	const struct bootinfo *b = boot_info();
	uint64_t from = 0;

	for (uint32_t i = 0; i <= b->bi_nmap; i++) {
		const uint64_t to = i < b->bi_nmap ? rt_min(b->bi_map[i].br_base, MMIO_END) : MMIO_END;

		from = (from + WINDOW_ALIGN - 1) & ~(WINDOW_ALIGN - 1);
		if (to > from && to - from > window.pw_bytes)
			window = (struct pci_window){ .pw_base = from, .pw_bytes = to - from };
		if (i < b->bi_nmap)
			from = b->bi_map[i].br_base + b->bi_map[i].br_len;
	}
}

volatile void *
pci_map(struct pcidev *pd, uint32_t bar, uint64_t offset, uint64_t bytes)
{
	volatile void *at;

	if (!pci_bar_holds(pd->pd_bar, bar, offset, bytes))
		return NULL;
	at = pd->pd_bar[bar].pb_address == 0 ? NULL : mmio_map(pd->pd_bar[bar].pb_address + offset, bytes);
	if (at == NULL)
		drv_log(pd->pd_name, "registers %u cannot be mapped: %llu bytes at 0x%llx", bar,
		    (unsigned long long)bytes, (unsigned long long)(pd->pd_bar[bar].pb_address + offset));
	return at;
}

void
pci_master(struct pcidev *pd)
{
	pci_command(pd->pd_cfg, pd->pd_fn.pf_bdf, PCI_COMMAND_MASTER, 0);
}

/* ------------------------------------------------ configuration space -- */

static volatile uint8_t *
bus_of(struct host *h, uint32_t bdf)
{
	const uint32_t bus = bdf >> 8;
	volatile uint8_t *at;

	if (bus < h->h_first || bus > h->h_last)
		return NULL;
	drv_lock(&cfg_lock);
	at = h->h_bus[bus];
	drv_unlock(&cfg_lock);
	if (at == NULL) {
		at = mmio_map(h->h_pa + bus * BUS_BYTES, BUS_BYTES);
		drv_lock(&cfg_lock);
		h->h_bus[bus] = at;
		drv_unlock(&cfg_lock);
	}
	return at;
}

static uint32_t
memory_read(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes)
{
	volatile uint8_t *p = bus_of(arg, bdf);

	if (p == NULL)
		return UINT32_MAX >> (32 - 8 * bytes);
	p += (bdf & 0xff) << 12 | off;
	switch (bytes) {
	case 1:
		return *p;
	case 2:
		return *(volatile uint16_t *)p;
	default:
		return *(volatile uint32_t *)p;
	}
}

static void
memory_write(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes, uint32_t v)
{
	volatile uint8_t *p = bus_of(arg, bdf);

	if (p == NULL)
		return;
	p += (bdf & 0xff) << 12 | off;
	if (bytes == 1)
		*p = (uint8_t)v;
	else if (bytes == 2)
		*(volatile uint16_t *)p = (uint16_t)v;
	else
		*(volatile uint32_t *)p = v;
}

static uint32_t
ports_read(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes)
{
	const uint16_t port = (uint16_t)(CFG_DATA + (off & 3));
	uint32_t v;

	(void)arg;
	if (off >= CFG_PORTS_END)
		return UINT32_MAX >> (32 - 8 * bytes);
	drv_lock(&cfg_lock);
	outl(CFG_ADDRESS, CFG_ON | bdf << 8 | (off & ~3u));
	v = bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
	drv_unlock(&cfg_lock);
	return v;
}

static void
ports_write(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes, uint32_t v)
{
	const uint16_t port = (uint16_t)(CFG_DATA + (off & 3));

	(void)arg;
	if (off >= CFG_PORTS_END)
		return;
	drv_lock(&cfg_lock);
	outl(CFG_ADDRESS, CFG_ON | bdf << 8 | (off & ~3u));
	if (bytes == 1)
		outb(port, (uint8_t)v);
	else if (bytes == 2)
		outw(port, (uint16_t)v);
	else
		outl(port, v);
	drv_unlock(&cfg_lock);
}

static bool
has_ports(void)
{
	outl(CFG_ADDRESS, CFG_ON);
	return inl(CFG_ADDRESS) == CFG_ON;
}

/* ---------------------------------------------------------- functions -- */

static void
name_set(struct function *f)
{
	const uint32_t s = f->f_host->h_segment, bdf = f->f_dev.pd_fn.pf_bdf;
	const uint32_t bus = bdf >> 8, dev = bdf >> 3 & 31, fn = bdf & 7;
	char *name = f->f_dev.pd_name;
	const size_t size = sizeof f->f_dev.pd_name;

	if (s == 0)
		(void)rt_snprintf(name, size, "pci%x:%02x.%x", bus, dev, fn);
	else
		(void)rt_snprintf(name, size, "pci%x:%x:%02x.%x", s, bus, dev, fn);
}

/* The bridge before a function; NULL: it is on a root bus, or there was no memory for the bridge. */
static struct function *
bridge_of(const struct function *f)
{
	const uint32_t bus = f->f_dev.pd_fn.pf_bdf >> 8;
	struct function *g = functions;

	if (bus == f->f_host->h_first)
		return NULL;
	while (g != NULL && (g->f_host != f->f_host || g->f_dev.pd_fn.pf_header != 1 ||
	    g->f_dev.pd_fn.pf_bus != bus))
		g = g->f_next;
	return g;
}

/* From which it can be given addresses; how many windows. */
static size_t
windows_of(const struct function *f, struct pci_window **out)
{
	struct function *bridge = bridge_of(f);

	*out = bridge != NULL ? bridge->f_free : &window;
	return bridge != NULL ? PCI_BRIDGE_WINDOWS : 1;
}

/* A bridge lets its device write to memory. */
static void
found_bridge(struct function *f)
{
	struct pcidev *pd = &f->f_dev;
	const struct pci_window *w = f->f_passes;
	struct pci_bar passes[PCI_BARS];
	struct pci_window *windows;
	const size_t n = windows_of(f, &windows);

	pci_bridge(pd->pd_cfg, &pd->pd_fn, f->f_passes);
	memcpy(f->f_free, f->f_passes, sizeof f->f_free);
	memset(passes, 0, sizeof passes);
	for (uint32_t i = 0; i < PCI_BRIDGE_WINDOWS; i++)
		passes[i] = (struct pci_bar){ PCI_BAR_MEM64, false, w[i].pw_base, w[i].pw_bytes };
	pci_reserve(windows, n, passes);
	if (w[0].pw_bytes + w[1].pw_bytes > 0)
		pci_command(pd->pd_cfg, pd->pd_fn.pf_bdf, PCI_COMMAND_MEM | PCI_COMMAND_MASTER, 0);
}

static void
found(void *arg, const struct pci_function *fn)
{
	const struct host *h = arg;
	struct pci_window *windows;
	struct function *f;
	size_t n;

	if (fn->pf_header > 1 || (fn->pf_header == 0 && fn->pf_class >> 16 == CLASS_BRIDGE))
		return;
	f = drv_alloc(sizeof *f);
	if (f == NULL)
		return;
	f->f_dev.pd_fn = *fn;
	f->f_dev.pd_cfg = &h->h_cfg;
	f->f_host = h;
	name_set(f);
	pci_command(&h->h_cfg, fn->pf_bdf, PCI_COMMAND_NO_INTX, 0);	/* B1 */
	pci_bars(&h->h_cfg, fn, f->f_dev.pd_bar);
	*last = f;
	last = &f->f_next;
	n = windows_of(f, &windows);
	pci_reserve(windows, n, f->f_dev.pd_bar);
	if (fn->pf_header == 1)
		found_bridge(f);
}

/* True: there is something. */
static bool
look(uint64_t pa, uint32_t segment, uint32_t first, uint32_t end)
{
	struct host *h = drv_alloc(sizeof *h);

	if (h == NULL)
		return false;
	h->h_cfg = pa != 0 ? (struct pci_cfg){ memory_read, memory_write, h } :
	    (struct pci_cfg){ ports_read, ports_write, h };
	h->h_pa = pa;
	h->h_segment = segment;
	h->h_first = first;
	h->h_last = end;
	return pci_enumerate(&h->h_cfg, (uint8_t)first, found, h) > 0;
}

static void
look_everywhere(void)
{
	const struct acpi *a = boot_acpi();
	bool has_first = false;

	for (uint32_t i = 0; i < a->a_nmcfg; i++) {
		const struct acpi_mcfg *m = &a->a_mcfg[i];
		const uint64_t pa = m->am_pa + m->am_bus_first * BUS_BYTES;
		struct pci_bar taken[PCI_BARS] = { {
			PCI_BAR_MEM64, false, pa, (m->am_bus_last - m->am_bus_first + 1) * BUS_BYTES
		} };

		pci_reserve(&window, 1, taken);
		if (m->am_pa != 0 && look(m->am_pa, m->am_segment, m->am_bus_first, m->am_bus_last))
			has_first |= m->am_segment == 0;
	}
	if (!has_first && has_ports())
		(void)look(0, 0, 0, 255);
}

static bool
wants_address(const struct pci_bar bar[PCI_BARS])
{
	for (uint32_t i = 0; i < PCI_BARS; i++)
		if (bar[i].pb_kind > PCI_BAR_IO && bar[i].pb_address == 0)
			return true;
	return false;
}

/* Does anything behind a bridge? */
static bool
wants_way(const struct function *bridge)
{
	const struct pci_function *fn = &bridge->f_dev.pd_fn;

	for (const struct function *f = functions; f != NULL; f = f->f_next) {
		const uint32_t bus = f->f_dev.pd_fn.pf_bdf >> 8;

		if (f->f_host == bridge->f_host && bus >= fn->pf_bus && bus <= fn->pf_bus_last &&
		    wants_address(f->f_dev.pd_bar))
			return true;
	}
	return false;
}

static void
judge(struct function *f)
{
	const struct function *bridge = bridge_of(f);

	if (bridge != NULL && bridge->f_dev.pd_fn.pf_class != CLASS_SUBTRACTIVE)
		pci_drop_outside(f->f_dev.pd_bar, bridge->f_passes, PCI_BRIDGE_WINDOWS);
	for (const struct function *g = functions; g != f; g = g->f_next)
		pci_drop_shared(f->f_dev.pd_bar, g->f_dev.pd_bar);
}

/* Bridges stand in the list before those behind them. */
static void
open_bridge(struct function *f)
{
	struct pcidev *pd = &f->f_dev;
	struct pci_window *windows;

	if (pd->pd_fn.pf_header != 1 || f->f_passes[0].pw_bytes + f->f_passes[1].pw_bytes > 0)
		return;
	if (pd->pd_fn.pf_bus <= pd->pd_fn.pf_bdf >> 8)
		drv_log(pd->pd_name, "a bridge that firmware did not set up: what is behind it is not seen");
	if (pd->pd_fn.pf_bus <= pd->pd_fn.pf_bdf >> 8 || !wants_way(f))
		return;
	(void)windows_of(f, &windows);
	if (!pci_bridge_open(pd->pd_cfg, &pd->pd_fn, windows, f->f_passes))
		return;
	memcpy(f->f_free, f->f_passes, sizeof f->f_free);
	pci_command(pd->pd_cfg, pd->pd_fn.pf_bdf, PCI_COMMAND_MEM | PCI_COMMAND_MASTER, 0);
}

static void
assign(struct function *f)
{
	struct pcidev *pd = &f->f_dev;
	struct pci_window *windows;
	const size_t n = windows_of(f, &windows);

	if (wants_address(pd->pd_bar))
		(void)pci_assign(pd->pd_cfg, &pd->pd_fn, pd->pd_bar, windows, n);
	if (wants_address(pd->pd_bar))
		drv_log(pd->pd_name, "no addresses for its registers");
}

/* ------------------------------------------------------------ drivers -- */

void
pci_attached(struct pcidev *pd)
{
	struct function *f = container_of(pd, struct function, f_dev);

	if (!atomic_exchange(&f->f_attached, true))
		drv_event_set(&arrived);
}

static void
attach(void *arg)
{
	struct function *f = arg;

	f->f_driver->pr_attach(&f->f_dev);
	pci_attached(&f->f_dev);
}

/*
 * Firmware may have left the device at work: it stops until its driver has it
 * in hand.  One with registers nowhere must not answer there.
 */
static void
take(struct function *f)
{
	const uint16_t answers = wants_address(f->f_dev.pd_bar) ? 0 : PCI_COMMAND_MEM;

	atomic_store(&f->f_taken, true);
	pci_command(f->f_dev.pd_cfg, f->f_dev.pd_fn.pf_bdf, answers, PCI_COMMAND_MASTER | PCI_COMMAND_MEM);
}

static void
match(struct function *f)
{
	for (uint32_t i = 0; pci_drivers[i] != NULL && f->f_driver == NULL; i++)
		if (pci_drivers[i]->pr_match(&f->f_dev.pd_fn))
			f->f_driver = pci_drivers[i];
	if (f->f_driver == NULL)
		return;
	take(f);
	if (drv_thread(f->f_dev.pd_name, attach, f) != 0) {
		drv_log(f->f_dev.pd_name, "no memory for the thread of %s", f->f_driver->pr_name);
		atomic_store(&f->f_attached, true);
	}
}

struct pcidev *
pci_take(bool (*is_it)(const struct pci_function *f))
{
	for (struct function *f = functions; f != NULL; f = f->f_next) {
		if (atomic_load(&f->f_taken) || !is_it(&f->f_dev.pd_fn))
			continue;
		take(f);
		return &f->f_dev;
	}
	return NULL;
}

static struct function *
still_coming(void)
{
	struct function *f = functions;

	while (f != NULL && (f->f_driver == NULL || atomic_load(&f->f_attached)))
		f = f->f_next;
	return f;
}

void
pci_setup(void)
{
	const nsec_t end = md_now() + ATTACH_NS;
	const struct function *f;

	drv_event_init(&arrived);
	window_find();
	look_everywhere();
	for (struct function *g = functions; g != NULL; g = g->f_next)
		judge(g);
	for (struct function *g = functions; g != NULL; g = g->f_next)
		open_bridge(g);
	for (struct function *g = functions; g != NULL; g = g->f_next)
		assign(g);
	for (struct function *g = functions; g != NULL; g = g->f_next)
		match(g);
	while ((f = still_coming()) != NULL && drv_event_wait(&arrived, end))
		continue;
	for (; f != NULL; f = f->f_next)
		if (f->f_driver != NULL && !atomic_load(&f->f_attached))
			drv_log(f->f_dev.pd_name, "%s takes long: the system starts without it",
			    f->f_driver->pr_name);
}

/* In a thread.  A function whose driver has not come up yet has nothing to lose. */
void
pci_end(void)
{
	for (struct function *f = functions; f != NULL; f = f->f_next)
		if (atomic_load(&f->f_attached) && f->f_driver != NULL && f->f_driver->pr_end != NULL)
			f->f_driver->pr_end(&f->f_dev);
}

/* --------------------------------------------------------- interrupts -- */

static bool
message_to(const struct pcidev *pd, const struct pci_vector *to, struct pci_message *m)
{
	struct vector *v = vector_take(to->pv_cpu, to->pv_fn, to->pv_arg);

	if (v == NULL || !pci_message(pc_cpus[v->v_cpu]->pc_apic, v->v_number, m))
		return false;
	vector_name(v, pd->pd_name);
	return true;
}

static void
entry_set(volatile uint32_t *entry, const struct pci_message *m)
{
	uint32_t word[PCI_MSIX_ENTRY_WORDS];

	pci_msix_entry(m, word);
	for (uint32_t i = 0; i < PCI_MSIX_ENTRY_WORDS; i++)
		entry[i] = word[i];
}

/* How many; 0: none. */
static uint32_t
by_msix(struct pcidev *pd, const struct pci_vector *v, uint32_t n)
{
	const uint32_t bdf = pd->pd_fn.pf_bdf;
	volatile uint32_t *table;
	struct pci_message m;
	struct pci_msix x;
	uint32_t count = 0;

	if (!pci_msix(pd->pd_cfg, &pd->pd_fn, pd->pd_bar, &x))
		return 0;
	table = pci_map(pd, x.px_table_bar, x.px_table_offset, x.px_entries * PCI_MSIX_ENTRY_WORDS * 4);
	if (table == NULL)
		return 0;
	for (uint32_t i = 0; i < x.px_entries; i++)
		entry_set(table + i * PCI_MSIX_ENTRY_WORDS, NULL);
	while (count < n && count < x.px_entries && message_to(pd, &v[count], &m))
		entry_set(table + count++ * PCI_MSIX_ENTRY_WORDS, &m);
	pci_msix_enable(pd->pd_cfg, bdf, &x, count > 0);
	return count;
}

static bool
by_msi(struct pcidev *pd, const struct pci_vector *v)
{
	struct pci_message m;
	struct pci_msi msi;

	if (!pci_msi(pd->pd_cfg, &pd->pd_fn, &msi) || !message_to(pd, v, &m))
		return false;
	pci_msi_set(pd->pd_cfg, pd->pd_fn.pf_bdf, &msi, &m);
	return true;
}

/*
 * Where pins end is said by code in ACPI's tables, which nobody runs here.
 * Where the firmware tells that an ISA line speaks by its level, a device
 * does; and the line that it noted for this one is then this one's.
 */
static bool
by_pin(struct pcidev *pd, const struct pci_vector *v)
{
	const uint32_t line = pd->pd_fn.pf_line;

	if (pd->pd_fn.pf_pin == 0 || line > 15 || line == boot_acpi()->a_sci || !boot_isa_line(line).bl_level)
		return false;
	if (vector_line(line, v->pv_fn, v->pv_arg) == NULL)
		return false;
	pci_command(pd->pd_cfg, pd->pd_fn.pf_bdf, 0, PCI_COMMAND_NO_INTX);
	return true;
}

uint32_t
pci_interrupts(struct pcidev *pd, const struct pci_vector *v, uint32_t n, bool *msix)
{
	const bool messages = (boot_acpi()->a_boot_arch & ACPI_BOOT_NO_MSI) == 0;
	uint32_t count = messages ? by_msix(pd, v, n) : 0;
	struct vector *clocked;

	*msix = count > 0;
	if (count > 0 || (messages && by_msi(pd, v)) || by_pin(pd, v))
		return rt_max(count, 1);
	clocked = vector_take(v->pv_cpu, v->pv_fn, v->pv_arg);
	if (clocked != NULL)
		vector_by_clock(clocked);
	drv_log(pd->pd_name, clocked != NULL ? "served by the clock" : "no vector is left for it");
	return 1;
}
