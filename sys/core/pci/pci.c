/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci - configuration space.
 *
 * Everything read comes from a device or from firmware and may be anything:
 * lists may loop, bridges may lead back, sizes may be none.
 *
 * Invariants
 *   P1  a bus is looked at once at most, so bridges cannot make a loop.
 *   P2  an offset is looked at once at most in a walk along capabilities.
 *   P3  a struct pci_bar that is not NONE has a size that is a power of two and an address
 *       that is a multiple of it; what we leave behind in a BAR is what was there.
 *   P4  what pci_assign() gives away was in a window and is in none any more.
 *
 * Locking: the caller's; pci_bars() and pci_assign() switch a function's decoding off and on.
 * Not here: how configuration space is reached, numbers of buses, hot plugging, ROMs.
 */
#include <core/pci/pci.h>

#include <core/rt/rt.h>

enum {
	VENDOR = 0x00, DEVICE = 0x02, COMMAND = 0x04, STATUS = 0x06, REVISION = 0x08, HEADER = 0x0e,
	BAR = 0x10, SECONDARY_BUS = 0x19, LAST_BUS = 0x1a, BRIDGE_MEMORY = 0x20,
	BRIDGE_PREFETCH = 0x24, BRIDGE_PREFETCH_HIGH = 0x28, CAPS = 0x34, LINE = 0x3c, PIN = 0x3d,
	CFG_END = 0x100, EXT_END = 0x1000
};
enum { STATUS_CAPS = 0x10, HEADER_MULTI = 0x80 };
#define BRIDGE_UNIT	(1u << 20)
#define BRIDGE_MAX	(16u << 20)	/* of what pci_bridge_open() gives */
enum { MSI_ENABLE = 0x1, MSI_MULTIPLE = 0x70, MSI_64 = 0x80, MSI_MASKABLE = 0x100 };
enum { MSIX_MASK_ALL = 0x4000, MSIX_ENABLE = 0x8000, MSIX_ENTRY_BYTES = 16 };

static inline uint32_t
get(const struct pci_cfg *cfg, uint32_t bdf, uint32_t off, uint32_t bytes)
{
	return cfg->read(cfg->arg, bdf, off, bytes);
}

static inline void
put(const struct pci_cfg *cfg, uint32_t bdf, uint32_t off, uint32_t bytes, uint32_t value)
{
	cfg->write(cfg->arg, bdf, off, bytes, value);
}

/* --------------------------------------------------------- enumeration -- */

bool
pci_identify(const struct pci_cfg *cfg, uint32_t bdf, struct pci_function *f)
{
	uint32_t vendor = get(cfg, bdf, VENDOR, 2), class;

	if (vendor == 0xffff || vendor == 0)
		return false;
	class = get(cfg, bdf, REVISION, 4);
	*f = (struct pci_function){
		.pf_bdf = bdf,
		.pf_vendor = (uint16_t)vendor,
		.pf_device = (uint16_t)get(cfg, bdf, DEVICE, 2),
		.pf_class = class >> 8,
		.pf_revision = (uint8_t)class,
		.pf_header = get(cfg, bdf, HEADER, 1) & 0x7f,
		.pf_pin = (uint8_t)get(cfg, bdf, PIN, 1),
		.pf_line = (uint8_t)get(cfg, bdf, LINE, 1),
	};
	if (f->pf_pin > 4)
		f->pf_pin = 0;
	if (f->pf_header == 1) {
		f->pf_bus = (uint8_t)get(cfg, bdf, SECONDARY_BUS, 1);
		f->pf_bus_last = (uint8_t)get(cfg, bdf, LAST_BUS, 1);
	}
	return true;
}

struct walk {
	const struct pci_cfg *cfg;
	void		(*visit)(void *arg, const struct pci_function *f);
	void		*arg;
	uint32_t	functions;
	uint32_t	buses;		/* found so far: bus[0] to bus[buses - 1] */
	uint8_t		bus[256];
	bool		is_found[256];
};

static void
found_bus(struct walk *w, uint8_t bus)
{
	if (w->is_found[bus])
		return;			/* P1 */
	w->is_found[bus] = true;
	w->bus[w->buses++] = bus;
}

static void
walk_device(struct walk *w, uint8_t bus, uint32_t dev)
{
	bool multi = (get(w->cfg, PCI_BDF(bus, dev, 0), HEADER, 1) & HEADER_MULTI) != 0;
	struct pci_function f;

	for (uint32_t fn = 0; fn < (multi ? 8u : 1u); fn++) {
		if (!pci_identify(w->cfg, PCI_BDF(bus, dev, fn), &f)) {
			if (fn == 0)
				return;		/* a device has its function 0 */
			continue;
		}
		w->functions++;
		w->visit(w->arg, &f);
		if (f.pf_header == 1)
			found_bus(w, f.pf_bus);
	}
}

uint32_t
pci_enumerate(const struct pci_cfg *cfg, uint8_t root_bus,
    void (*visit)(void *arg, const struct pci_function *f), void *arg)
{
	struct walk w = { .cfg = cfg, .visit = visit, .arg = arg };

	w.is_found[0] = true;		/* a bridge that says 0 was not set up */
	w.is_found[root_bus] = false;
	found_bus(&w, root_bus);
	for (uint32_t i = 0; i < w.buses; i++)
		for (uint32_t dev = 0; dev < 32; dev++)
			walk_device(&w, w.bus[i], dev);
	return w.functions;
}

/* -------------------------------------------------------------- BARs -- */

/* Two bytes: a 1 written into the status beside them would clear it. */
void
pci_command(const struct pci_cfg *cfg, uint32_t bdf, uint16_t on, uint16_t off)
{
	uint32_t old = get(cfg, bdf, COMMAND, 2);

	put(cfg, bdf, COMMAND, 2, (old & ~(uint32_t)off) | on);
}

/* Decoding off; returns what pci_command() must switch on again. */
static uint16_t
quiet(const struct pci_cfg *cfg, uint32_t bdf)
{
	uint16_t decoding = get(cfg, bdf, COMMAND, 2) & (PCI_COMMAND_IO | PCI_COMMAND_MEM);

	pci_command(cfg, bdf, 0, PCI_COMMAND_IO | PCI_COMMAND_MEM);
	return decoding;
}

static uint32_t
bars_of(const struct pci_function *f)
{
	if (f->pf_header > 1)
		return 0;
	return f->pf_header == 0 ? PCI_BARS : 2;
}

/* Which bits of a register can be changed. */
static uint32_t
probe(const struct pci_cfg *cfg, uint32_t bdf, uint32_t off, uint32_t old)
{
	uint32_t mask;

	put(cfg, bdf, off, 4, UINT32_MAX);
	mask = get(cfg, bdf, off, 4);
	put(cfg, bdf, off, 4, old);
	return mask;
}

bool
pci_bar_holds(const struct pci_bar bar[PCI_BARS], uint32_t i, uint64_t offset, uint64_t bytes)
{
	if (i >= PCI_BARS || (bar[i].pb_kind != PCI_BAR_MEM32 && bar[i].pb_kind != PCI_BAR_MEM64))
		return false;
	return bytes <= bar[i].pb_bytes && offset <= bar[i].pb_bytes - bytes;
}

/* A mask of ones down to the size; anything else is no size.  P3 */
static void
set_size(struct pci_bar *b, uint64_t mask, uint64_t address)
{
	uint64_t bytes = -mask;

	if (bytes == 0 || (bytes & (bytes - 1)) != 0 || (address & (bytes - 1)) != 0) {
		*b = (struct pci_bar){ 0 };
		return;
	}
	b->pb_bytes = bytes;
	b->pb_address = address;
}

/* The BAR at `off`, of which `left` registers are left; returns how many it takes. */
static uint32_t
read_bar(const struct pci_cfg *cfg, uint32_t bdf, uint32_t off, uint32_t left, struct pci_bar *b)
{
	const uint64_t high = ~(uint64_t)UINT32_MAX;
	uint32_t old = get(cfg, bdf, off, 4), mask = probe(cfg, bdf, off, old), old2;

	*b = (struct pci_bar){ 0 };
	if ((old & 1) != 0) {
		mask &= ~3u;
		if (mask >> 16 == 0 && mask != 0)
			mask |= 0xffff0000u;	/* a device may leave out what no port needs */
		b->pb_kind = PCI_BAR_IO;
		set_size(b, mask == 0 ? 0 : mask | high, old & ~3u);
		return 1;
	}
	b->pb_prefetchable = (old & 8) != 0;
	mask &= ~0xfu;
	switch (old >> 1 & 3) {
	case 0: case 1:				/* 1 meant below 1 MiB */
		b->pb_kind = PCI_BAR_MEM32;
		set_size(b, mask == 0 ? 0 : mask | high, old & ~0xfu);
		return 1;
	case 2:
		if (left < 2)
			break;
		old2 = get(cfg, bdf, off + 4, 4);
		b->pb_kind = PCI_BAR_MEM64;
		set_size(b, (uint64_t)probe(cfg, bdf, off + 4, old2) << 32 | mask,
		    (uint64_t)old2 << 32 | (old & ~0xfu));
		return 2;
	}
	*b = (struct pci_bar){ 0 };
	return 1;
}

void
pci_bars(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_bar bar[PCI_BARS])
{
	uint32_t n = bars_of(f);
	uint16_t decoding = quiet(cfg, f->pf_bdf);

	memset(bar, 0, PCI_BARS * sizeof bar[0]);
	for (uint32_t i = 0; i < n; )
		i += read_bar(cfg, f->pf_bdf, BAR + 4 * i, n - i, &bar[i]);
	pci_command(cfg, f->pf_bdf, decoding, 0);
}

/* P4 */
static void
carve(struct pci_window *w, uint64_t at, uint64_t bytes)
{
	uint64_t end = w->pw_base + w->pw_bytes, cut_end, left, right;

	ASSERT(end >= w->pw_base);
	if (rt_add_overflows(at, bytes, &cut_end))
		cut_end = UINT64_MAX;
	if (at >= end || cut_end <= w->pw_base)
		return;
	left = at > w->pw_base ? at - w->pw_base : 0;
	right = end > cut_end ? end - cut_end : 0;
	if (left < right)
		w->pw_base = cut_end;
	w->pw_bytes = rt_max(left, right);
}

void
pci_reserve(struct pci_window *w, size_t windows, const struct pci_bar bar[PCI_BARS])
{
	for (size_t i = 0; i < PCI_BARS; i++)
		for (size_t k = 0; k < windows; k++)
			if (bar[i].pb_address != 0 && w[k].pw_io == (bar[i].pb_kind == PCI_BAR_IO))
				carve(&w[k], bar[i].pb_address, bar[i].pb_bytes);
}

/* The highest address that a BAR can hold. */
static uint64_t
limit(enum pci_bar_kind kind)
{
	switch (kind) {
	case PCI_BAR_IO: return 0xffff;
	case PCI_BAR_MEM32: return UINT32_MAX;
	default: return UINT64_MAX;
	}
}

/* The lowest place in a window, never 0; 0: none. */
static uint64_t
place(const struct pci_window *w, const struct pci_bar *b)
{
	uint64_t at, last;

	if (w->pw_io != (b->pb_kind == PCI_BAR_IO) || (w->pw_prefetchable && !b->pb_prefetchable))
		return 0;
	if (rt_add_overflows(rt_max(w->pw_base, 1), b->pb_bytes - 1, &at))
		return 0;
	at &= ~(b->pb_bytes - 1);
	if (rt_add_overflows(at, b->pb_bytes - 1, &last) || last > limit(b->pb_kind))
		return 0;
	return w->pw_bytes != 0 && last <= w->pw_base + (w->pw_bytes - 1) ? at : 0;
}

/* The largest first: what comes after is aligned already. */
static struct pci_bar *
largest(struct pci_bar bar[PCI_BARS], const bool tried[PCI_BARS])
{
	struct pci_bar *best = NULL;

	for (uint32_t i = 0; i < PCI_BARS; i++)
		if (!tried[i] && bar[i].pb_kind != PCI_BAR_NONE && bar[i].pb_address == 0 &&
		    (best == NULL || bar[i].pb_bytes > best->pb_bytes))
			best = &bar[i];
	return best;
}

bool
pci_assign(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_bar bar[PCI_BARS],
    struct pci_window *w, size_t windows)
{
	uint16_t decoding = quiet(cfg, f->pf_bdf);
	bool tried[PCI_BARS] = { false }, all = true;
	struct pci_bar *b;

	while ((b = largest(bar, tried)) != NULL) {
		uint32_t i = (uint32_t)(b - bar);

		tried[i] = true;
		for (size_t k = 0; k < windows && b->pb_address == 0; k++) {
			b->pb_address = place(&w[k], b);
			if (b->pb_address != 0)
				pci_reserve(w, windows, bar);
		}
		all = all && b->pb_address != 0;
		put(cfg, f->pf_bdf, BAR + 4 * i, 4, (uint32_t)b->pb_address);
		if (b->pb_kind == PCI_BAR_MEM64)
			put(cfg, f->pf_bdf, BAR + 4 * i + 4, 4, (uint32_t)(b->pb_address >> 32));
	}
	pci_command(cfg, f->pf_bdf, decoding, 0);
	return all;
}

/* ------------------------------------------------------------- bridges -- */

/* A window's registers: bits 31 to 20 of its first and last byte (PCI-to-PCI Bridge 1.2, 3.2.5.8). */
static struct pci_window
passes(uint32_t registers, uint64_t high_first, uint64_t high_last, bool prefetchable)
{
	const uint64_t first = high_first << 32 | (registers & 0xfff0) << 16;
	const uint64_t end = (high_last << 32 | (registers & 0xfff00000)) + BRIDGE_UNIT;

	/* 0 is what a reset leaves. */
	if (first == 0 || end <= first)
		return (struct pci_window){ 0 };
	return (struct pci_window){ false, prefetchable, first, end - first };
}

void
pci_bridge(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_window w[PCI_BRIDGE_WINDOWS])
{
	const uint32_t bdf = f->pf_bdf, prefetch = get(cfg, bdf, BRIDGE_PREFETCH, 4);
	const bool wide = (prefetch & 15) == 1;

	w[0] = passes(get(cfg, bdf, BRIDGE_MEMORY, 4), 0, 0, false);
	w[1] = passes(prefetch, wide ? get(cfg, bdf, BRIDGE_PREFETCH_HIGH, 4) : 0,
	    wide ? get(cfg, bdf, BRIDGE_PREFETCH_HIGH + 4, 4) : 0, true);
}

/*
 * The other window is shut, not left at 0: what a device behind the bridge wants to
 * read or write there would not come through.
 */
bool
pci_bridge_open(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_window *from,
    struct pci_window w[PCI_BRIDGE_WINDOWS])
{
	struct pci_bar b = { .pb_kind = PCI_BAR_MEM32, .pb_bytes = BRIDGE_MAX };

	while (b.pb_bytes > from->pw_bytes / 4)
		b.pb_bytes /= 2;
	b.pb_address = b.pb_bytes >= BRIDGE_UNIT ? place(from, &b) : 0;
	if (b.pb_address == 0)
		return false;
	carve(from, b.pb_address, b.pb_bytes);
	put(cfg, f->pf_bdf, BRIDGE_PREFETCH, 4, 0xfff0);
	put(cfg, f->pf_bdf, BRIDGE_PREFETCH_HIGH, 4, 0);
	put(cfg, f->pf_bdf, BRIDGE_PREFETCH_HIGH + 4, 4, 0);
	put(cfg, f->pf_bdf, BRIDGE_MEMORY, 4, (uint32_t)b.pb_address >> 16 |
	    ((uint32_t)(b.pb_address + b.pb_bytes - 1) & 0xfff00000));
	pci_bridge(cfg, f, w);
	return true;
}

/* Is some of a range in another, or, if `all`, all of it? */
static bool
is_in(const struct pci_bar *b, uint64_t at, uint64_t bytes, bool all)
{
	const uint64_t last = b->pb_address + (b->pb_bytes - 1), at_last = at + (bytes - 1);

	if (bytes == 0)
		return false;
	return all ? b->pb_address >= at && last <= at_last : b->pb_address <= at_last && at <= last;
}

static bool
is_memory(const struct pci_bar *b)
{
	return b->pb_kind > PCI_BAR_IO && b->pb_address != 0;
}

void
pci_drop_outside(struct pci_bar bar[PCI_BARS], const struct pci_window *w, size_t windows)
{
	for (size_t i = 0; i < PCI_BARS; i++) {
		bool inside = !is_memory(&bar[i]);

		for (size_t k = 0; k < windows; k++)
			inside = inside || is_in(&bar[i], w[k].pw_base, w[k].pw_bytes, true);
		if (!inside)
			bar[i].pb_address = 0;
	}
}

void
pci_drop_shared(struct pci_bar bar[PCI_BARS], const struct pci_bar other[PCI_BARS])
{
	for (size_t i = 0; i < PCI_BARS; i++)
		for (size_t k = 0; k < PCI_BARS; k++)
			if (is_memory(&bar[i]) && is_memory(&other[k]) &&
			    is_in(&bar[i], other[k].pb_address, other[k].pb_bytes, false))
				bar[i].pb_address = 0;
}

/* -------------------------------------------------------- capabilities -- */

size_t
pci_caps(const struct pci_cfg *cfg, const struct pci_function *f, uint8_t id, uint32_t *at,
    size_t max)
{
	uint64_t seen = 0;
	uint32_t off, bdf = f->pf_bdf;
	size_t n = 0;

	if (f->pf_header > 1 || (get(cfg, bdf, STATUS, 2) & STATUS_CAPS) == 0)
		return 0;
	off = get(cfg, bdf, CAPS, 1) & 0xfc;
	while (off >= 0x40 && (seen >> off / 4 & 1) == 0) {
		seen |= 1ull << off / 4;	/* P2 */
		if (get(cfg, bdf, off, 1) == id && n < max)
			at[n++] = off;
		off = get(cfg, bdf, off + 1, 1) & 0xfc;
	}
	return n;
}

size_t
pci_ext_caps(const struct pci_cfg *cfg, uint32_t bdf, uint16_t id, uint32_t *at, size_t max)
{
	uint64_t seen[EXT_END / 4 / 64] = { 0 };
	uint32_t off = CFG_END;
	size_t n = 0;

	while (off >= CFG_END && (seen[off / 256] >> off / 4 % 64 & 1) == 0) {
		uint32_t header = get(cfg, bdf, off, 4);

		if (header == 0 || header == UINT32_MAX)
			break;
		seen[off / 256] |= 1ull << off / 4 % 64;	/* P2 */
		if ((header & 0xffff) == id && n < max)
			at[n++] = off;
		off = header >> 20 & 0xffc;
	}
	return n;
}

/* ----------------------------------------------------------- messages -- */

/* Fixed delivery to one CPU by its physical id, edge; 255 would mean all. */
bool
pci_message(uint32_t apic_id, uint32_t vector, struct pci_message *m)
{
	if (apic_id > 254 || vector < 16 || vector > 255)
		return false;
	m->pm_address = 0xfee00000u | apic_id << 12;
	m->pm_data = vector;
	return true;
}

/* Offsets within the capability; the registers for masks come behind the data. */
static inline uint32_t msi_data(const struct pci_msi *msi) { return msi->pi_64 ? 12 : 8; }

bool
pci_msi(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_msi *msi)
{
	uint32_t control;

	if (pci_caps(cfg, f, PCI_CAP_MSI, &msi->pi_cap, 1) == 0)
		return false;
	control = get(cfg, f->pf_bdf, msi->pi_cap + 2, 2);
	msi->pi_messages = 1u << (control >> 1 & 7);
	msi->pi_64 = (control & MSI_64) != 0;
	msi->pi_maskable = (control & MSI_MASKABLE) != 0;
	return msi->pi_messages <= 32 &&
	    msi->pi_cap + msi_data(msi) + (msi->pi_maskable ? 12 : 2) <= CFG_END;
}

void
pci_msi_set(const struct pci_cfg *cfg, uint32_t bdf, const struct pci_msi *msi,
    const struct pci_message *m)
{
	uint32_t at = msi->pi_cap, control = get(cfg, bdf, at + 2, 2);

	control &= ~(uint32_t)(MSI_ENABLE | MSI_MULTIPLE);
	put(cfg, bdf, at + 2, 2, control);
	if (m == NULL)
		return;
	put(cfg, bdf, at + 4, 4, (uint32_t)m->pm_address);
	if (msi->pi_64)
		put(cfg, bdf, at + 8, 4, (uint32_t)(m->pm_address >> 32));
	put(cfg, bdf, at + msi_data(msi), 2, m->pm_data);
	if (msi->pi_maskable)
		put(cfg, bdf, at + msi_data(msi) + 4, 4, 0);
	put(cfg, bdf, at + 2, 2, control | MSI_ENABLE);
}

/* Where `bytes` are in a BAR, as the register at `off` says.  False: not inside it. */
static bool
msix_place(const struct pci_cfg *cfg, uint32_t bdf, uint32_t off,
    const struct pci_bar bar[PCI_BARS], uint64_t bytes, uint32_t *in, uint32_t *offset)
{
	uint32_t v = get(cfg, bdf, off, 4);

	*in = v & 7;
	*offset = v & ~7u;
	return pci_bar_holds(bar, *in, *offset, bytes);
}

bool
pci_msix(const struct pci_cfg *cfg, const struct pci_function *f,
    const struct pci_bar bar[PCI_BARS], struct pci_msix *msix)
{
	uint32_t at, bdf = f->pf_bdf;

	if (pci_caps(cfg, f, PCI_CAP_MSIX, &at, 1) == 0 || at + 12 > CFG_END)
		return false;
	msix->px_cap = at;
	msix->px_entries = (get(cfg, bdf, at + 2, 2) & 0x7ff) + 1;
	return msix_place(cfg, bdf, at + 4, bar, msix->px_entries * MSIX_ENTRY_BYTES,
	    &msix->px_table_bar, &msix->px_table_offset) &&
	    msix_place(cfg, bdf, at + 8, bar, (msix->px_entries + 63) / 64 * 8,
	    &msix->px_pending_bar, &msix->px_pending_offset);
}

void
pci_msix_enable(const struct pci_cfg *cfg, uint32_t bdf, const struct pci_msix *msix, bool on)
{
	uint32_t control = get(cfg, bdf, msix->px_cap + 2, 2);

	control &= ~(uint32_t)(MSIX_ENABLE | MSIX_MASK_ALL);
	put(cfg, bdf, msix->px_cap + 2, 2, control | (on ? MSIX_ENABLE : 0));
}

void
pci_msix_entry(const struct pci_message *m, uint32_t word[PCI_MSIX_ENTRY_WORDS])
{
	word[0] = m == NULL ? 0 : (uint32_t)m->pm_address;
	word[1] = m == NULL ? 0 : (uint32_t)(m->pm_address >> 32);
	word[2] = m == NULL ? 0 : m->pm_data;
	word[3] = m == NULL;		/* bit 0: masked */
}
