/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bootinfo - two loaders' structures into one.
 *
 * The memory map is built claim by claim.  Firmware's claims come unsorted,
 * overlap and contradict each other; each is cut at the borders of what is
 * there, and each piece gets the less usable kind of the two.  That does not
 * depend on the order.  RAM shrinks to whole pages and all else grows to them,
 * so no page is RAM in part.
 *
 * When the map is full its highest range goes, and from there up (bi_map_end)
 * nothing is known any more: to forget only a reservation would make RAM of it.
 *
 * Invariants, after each claim
 *   B1  ranges are whole pages, sorted and apart; ranges that touch differ in kind
 *   B2  all end at or below bi_map_end, and below it the map is exact
 *
 * Not here: what the kernel itself, its modules and the loader's structure
 * occupy (they lie in RAM ranges), and drivers for what is described.
 */
#include <core/pc/bootinfo.h>
#include <core/pc/mem.h>
#include <core/rt/rt.h>

#define PAGE		4096ull
#define PA_END		(1ull << 52)	/* the architecture's limit */
#define CLAIMS_MAX	4096u		/* in a loader's map */
#define INFO_MAX	(16u << 20)

/* ---------------------------------------------------------- memory map -- */

static inline uint64_t range_end(const struct bi_range *r) { return r->br_base + r->br_len; }

static void
map_insert(struct bootinfo *bi, uint32_t i, uint64_t base, uint64_t end, enum bi_kind kind)
{
	struct bi_range *r = bi->bi_map;

	if (bi->bi_nmap == BI_MAP_MAX) {
		bi->bi_flags |= BI_MAP_CUT;
		bi->bi_map_end = i < BI_MAP_MAX ? r[BI_MAP_MAX - 1].br_base : base;
		if (i == BI_MAP_MAX)
			return;
		bi->bi_nmap--;
	}
	memmove(&r[i + 1], &r[i], (bi->bi_nmap - i) * sizeof *r);
	r[i] = (struct bi_range){ .br_base = base, .br_len = end - base, .br_kind = kind };
	bi->bi_nmap++;
}

static void
map_split(struct bootinfo *bi, uint64_t at)
{
	for (uint32_t i = 0; i < bi->bi_nmap; i++) {
		struct bi_range *r = &bi->bi_map[i];
		uint64_t end = range_end(r);

		if (r->br_base < at && at < end) {
			r->br_len = at - r->br_base;
			map_insert(bi, i + 1, at, end, r->br_kind);
			return;
		}
	}
}

static void
map_join(struct bootinfo *bi)
{
	struct bi_range *r = bi->bi_map;
	uint32_t n = 0;

	for (uint32_t i = 0; i < bi->bi_nmap; i++)
		if (n > 0 && r[n - 1].br_kind == r[i].br_kind &&
		    range_end(&r[n - 1]) == r[i].br_base)
			r[n - 1].br_len += r[i].br_len;
		else
			r[n++] = r[i];
	bi->bi_nmap = n;
}

/* A gap before range i.  The range before it grows if it may: a full map then forgets nothing. */
static void
map_fill(struct bootinfo *bi, uint32_t i, uint64_t base, uint64_t end, enum bi_kind kind)
{
	struct bi_range *before = i > 0 ? &bi->bi_map[i - 1] : NULL;

	if (before != NULL && before->br_kind == kind && range_end(before) == base)
		before->br_len += end - base;
	else
		map_insert(bi, i, base, end, kind);
}

/* Whole pages, below PA_END. */
static void
map_add(struct bootinfo *bi, uint64_t base, uint64_t end, enum bi_kind kind)
{
	struct bi_range *r = bi->bi_map;
	uint64_t to;

	map_split(bi, base);
	map_split(bi, end);
	for (uint32_t i = 0; i < bi->bi_nmap && base < end;) {
		if (range_end(&r[i]) <= base) {
			i++;
		} else if (base < r[i].br_base) {
			to = rt_min(end, r[i].br_base);
			map_fill(bi, i, base, to, kind);
			base = to;
		} else {
			r[i].br_kind = r[i].br_kind < kind ? kind : r[i].br_kind;
			base = range_end(&r[i]);
		}
	}
	end = rt_min(end, bi->bi_map_end);
	if (base < end)
		map_fill(bi, bi->bi_nmap, base, end, kind);
	map_join(bi);
}

/* A range that wraps is a mistake: no RAM, but all above it is out of use. */
static void
map_claim(struct bootinfo *bi, uint64_t base, uint64_t len, enum bi_kind kind)
{
	uint64_t end;
	bool wraps = rt_add_overflows(base, len, &end);

	if (len == 0 || wraps || end > PA_END)
		bi->bi_flags |= BI_MAP_ODD;
	if (len == 0 || (wraps && kind == BI_RAM))
		return;
	base = rt_min(base, PA_END);
	end = wraps ? PA_END : rt_min(end, PA_END);
	if (kind == BI_RAM) {
		base = (base + PAGE - 1) & -PAGE;
		end &= -PAGE;
	} else {
		base &= -PAGE;
		end = (end + PAGE - 1) & -PAGE;
	}
	if (base < end)
		map_add(bi, base, end, kind);
}

/* ACPI 6.5, 15.1: both loaders use the numbers of the BIOS's call E820. */
static enum bi_kind
e820_kind(uint32_t type)
{
	switch (type) {
	case 1: return BI_RAM;
	case 3: return BI_ACPI;
	case 4: return BI_NVS;
	case 5: return BI_BAD;
	default: return BI_RESERVED;
	}
}

/* UEFI 2.10, 7.2.3.  The loader and boot services are gone when a kernel runs. */
static enum bi_kind
efi_kind(uint32_t type)
{
	switch (type) {
	case 1: case 2: case 3: case 4: case 7: return BI_RAM;
	case 8: return BI_BAD;
	case 9: return BI_ACPI;
	case 10: return BI_NVS;
	default: return BI_RESERVED;
	}
}

static void
map_e820(struct bootinfo *bi, const uint8_t *p, uint32_t n, uint32_t each)
{
	for (; n > 0; n--, p += each)
		map_claim(bi, pc_u64(p), pc_u64(p + 8), e820_kind(pc_u32(p + 16)));
}

static void
map_efi(struct bootinfo *bi, const uint8_t *p, uint32_t n, uint32_t each)
{
	for (; n > 0; n--, p += each) {
		uint64_t pages = pc_u64(p + 24);
		uint64_t len = pages > UINT64_MAX / PAGE ? UINT64_MAX : pages * PAGE;

		map_claim(bi, pc_u64(p + 8), len, efi_kind(pc_u32(p)));
	}
}

/* -------------------------------------------------------------- common -- */

static void
begin(struct bootinfo *bi)
{
	memset(bi, 0, sizeof *bi);
	bi->bi_map_end = PA_END;
}

/* Text up to its NUL or `len` bytes; what does not fit raises `flag`. */
static void
text(struct bootinfo *bi, char *dst, size_t size, const uint8_t *src, size_t len, uint32_t flag)
{
	size_t n = strnlen((const char *)src, len);

	if (n == len)
		bi->bi_flags |= BI_INFO_ODD;
	if (n >= size) {
		bi->bi_flags |= flag;
		n = size - 1;
	}
	memcpy(dst, src, n);
	dst[n] = '\0';
}

static struct bi_module *
module(struct bootinfo *bi, uint64_t pa, uint64_t len)
{
	struct bi_module *bm;
	uint64_t end;

	if (rt_add_overflows(pa, len, &end)) {
		bi->bi_flags |= BI_INFO_ODD;
		return NULL;
	}
	if (bi->bi_nmods == BI_MODS_MAX) {
		bi->bi_flags |= BI_MODS_CUT;
		return NULL;
	}
	bm = &bi->bi_mods[bi->bi_nmods++];
	bm->bm_pa = pa;
	bm->bm_len = len;
	return bm;
}

/* ---------------------------------------------------------- multiboot2 -- */

enum {
	MB2_END = 0, MB2_CMDLINE = 1, MB2_LOADER = 2, MB2_MODULE = 3, MB2_BASIC = 4, MB2_MAP = 6,
	MB2_FB = 8, MB2_RSDP_OLD = 14, MB2_RSDP_NEW = 15, MB2_EFI_MAP = 17, MB2_TAGS
};

/* Bytes that a tag has at least, its type and size (8) counted. */
static const uint8_t mb2_least[MB2_TAGS] = {
	[MB2_MODULE] = 16, [MB2_BASIC] = 16, [MB2_MAP] = 16, [MB2_FB] = 32,
	[MB2_RSDP_OLD] = 8 + 20, [MB2_RSDP_NEW] = 8 + 36, [MB2_EFI_MAP] = 16,
};

static bool
is_colour(const uint8_t *field, uint32_t bpp)
{
	return field[1] > 0 && (uint32_t)field[0] + field[1] <= bpp;
}

static bool
is_fb(const struct bi_fb *fb)
{
	uint64_t line = (uint64_t)fb->fb_width * ((fb->fb_bpp + 7u) / 8);
	uint64_t bytes = (uint64_t)fb->fb_pitch * fb->fb_height;

	return line > 0 && bytes > 0 && line <= fb->fb_pitch && fb->fb_pa < PA_END &&
	    bytes <= PA_END - fb->fb_pa;
}

/* Section 3.6.12.  Palettes are not for us. */
static void
mb2_fb(struct bootinfo *bi, const uint8_t *tag, uint32_t size)
{
	const uint8_t *colour = tag + 32;
	struct bi_fb fb = {
		.fb_pa = pc_u64(tag + 8), .fb_pitch = pc_u32(tag + 16),
		.fb_width = pc_u32(tag + 20), .fb_height = pc_u32(tag + 24), .fb_bpp = tag[28],
	};

	if (tag[29] == 2) {
		fb.fb_kind = BI_FB_TEXT;
		fb.fb_bpp = 16;
	} else if (tag[29] == 1 && size >= 38 && fb.fb_bpp >= 15 && fb.fb_bpp <= 32 &&
	    is_colour(colour, fb.fb_bpp) && is_colour(colour + 2, fb.fb_bpp) &&
	    is_colour(colour + 4, fb.fb_bpp)) {
		fb.fb_kind = BI_FB_RGB;
		fb.fb_red_pos = colour[0], fb.fb_red_size = colour[1];
		fb.fb_green_pos = colour[2], fb.fb_green_size = colour[3];
		fb.fb_blue_pos = colour[4], fb.fb_blue_size = colour[5];
	}
	if (fb.fb_kind != BI_FB_NONE && is_fb(&fb))
		bi->bi_fb = fb;
	else
		bi->bi_flags |= BI_INFO_ODD;
}

static void
mb2_module(struct bootinfo *bi, const uint8_t *tag, uint32_t size)
{
	uint32_t from = pc_u32(tag + 8), to = pc_u32(tag + 12);
	struct bi_module *bm;

	if (to < from) {
		bi->bi_flags |= BI_INFO_ODD;
		return;
	}
	bm = module(bi, from, to - from);
	if (bm != NULL)
		text(bi, bm->bm_text, sizeof bm->bm_text, tag + 16, size - 16, BI_TEXT_CUT);
}

static void
mb2_rsdp(struct bootinfo *bi, const uint8_t *rsdp, uint32_t len)
{
	if (bi->bi_rsdp_len < len) {
		bi->bi_rsdp_len = len;
		memcpy(bi->bi_rsdp, rsdp, len);
	}
}

/* The maps are looked at when all tags are known: seen[] has them. */
static void
mb2_tag(struct bootinfo *bi, const uint8_t *tag, uint32_t size, const uint8_t *seen[MB2_TAGS])
{
	uint32_t type = pc_u32(tag);

	if (type >= MB2_TAGS)
		return;
	if (size < mb2_least[type]) {
		bi->bi_flags |= BI_INFO_ODD;
		return;
	}
	seen[type] = tag;
	switch (type) {
	case MB2_CMDLINE:
		text(bi, bi->bi_cmdline, sizeof bi->bi_cmdline, tag + 8, size - 8, BI_CMDLINE_CUT);
		break;
	case MB2_LOADER:
		text(bi, bi->bi_loader, sizeof bi->bi_loader, tag + 8, size - 8, BI_TEXT_CUT);
		break;
	case MB2_MODULE:
		mb2_module(bi, tag, size);
		break;
	case MB2_FB:
		mb2_fb(bi, tag, size);
		break;
	case MB2_RSDP_OLD:
		mb2_rsdp(bi, tag + 8, 20);
		break;
	case MB2_RSDP_NEW:
		mb2_rsdp(bi, tag + 8, 36);
		break;
	}
}

/* How many entries, of at least `least` bytes each; 0: no map, or none that can be used. */
static uint32_t
mb2_entries(struct bootinfo *bi, const uint8_t *tag, uint32_t least)
{
	uint32_t each, n;

	if (tag == NULL)
		return 0;
	each = pc_u32(tag + 8);
	n = each < least ? 0 : (pc_u32(tag + 4) - 16) / each;
	if (n == 0 || n > CLAIMS_MAX) {
		bi->bi_flags |= BI_INFO_ODD;
		return 0;
	}
	return n;
}

/* The best map that there is.  Basic memory is KiB from 0 and KiB from 1 MiB. */
static void
mb2_maps(struct bootinfo *bi, const uint8_t *const seen[MB2_TAGS])
{
	const uint8_t *map = seen[MB2_MAP], *efi = seen[MB2_EFI_MAP], *basic = seen[MB2_BASIC];
	uint32_t nmap = mb2_entries(bi, map, 20);
	uint32_t nefi = nmap > 0 ? 0 : mb2_entries(bi, efi, 40);

	if (nmap > 0) {
		map_e820(bi, map + 16, nmap, pc_u32(map + 8));
	} else if (nefi > 0) {
		map_efi(bi, efi + 16, nefi, pc_u32(efi + 8));
	} else if (basic != NULL) {
		map_claim(bi, 0, pc_u32(basic + 8) * 1024ull, BI_RAM);
		map_claim(bi, 1u << 20, pc_u32(basic + 12) * 1024ull, BI_RAM);
	}
}

bool
bootinfo_multiboot2(struct bootinfo *bi, const struct pc_mem *m, uint64_t info_pa)
{
	const uint8_t *seen[MB2_TAGS] = { NULL };
	const uint8_t *info = pc_map(m, info_pa, 8);
	uint64_t at = 8, total = info != NULL ? pc_u32(info) : 0, size;

	begin(bi);
	if (total < 16 || total > INFO_MAX)
		return false;
	info = pc_map(m, info_pa, total);
	if (info == NULL)
		return false;
	for (; at + 8 <= total && pc_u32(info + at) != MB2_END; at += (size + 7) & ~7ull) {
		size = pc_u32(info + at + 4);
		if (size < 8 || size > total - at)
			break;
		mb2_tag(bi, info + at, (uint32_t)size, seen);
	}
	if (at + 8 > total || pc_u32(info + at) != MB2_END)
		bi->bi_flags |= BI_INFO_ODD;
	mb2_maps(bi, seen);
	return true;
}

/* ----------------------------------------------------------------- PVH -- */

#define PVH_MAGIC	0x336ec578u

/* Nobody says how long a text is. */
static void
pvh_text(struct bootinfo *bi, const struct pc_mem *m, char *dst, size_t size, uint64_t pa,
    uint32_t flag)
{
	for (size_t n = 0; n < size; n++) {
		const uint8_t *c = pc_map(m, pa + n, 1);

		if (c == NULL) {
			bi->bi_flags |= BI_INFO_ODD;
			return;
		}
		if (*c == '\0')
			return;
		if (n < size - 1)
			dst[n] = (char)*c;
		else
			bi->bi_flags |= flag;
	}
}

static void
pvh_modules(struct bootinfo *bi, const struct pc_mem *m, uint64_t pa, uint32_t n)
{
	if (n > BI_MODS_MAX)
		bi->bi_flags |= BI_MODS_CUT;
	for (uint32_t i = 0; i < n && i < BI_MODS_MAX; i++) {
		const uint8_t *p = pc_map(m, pa + 32 * i, 32);
		struct bi_module *bm;
		uint64_t text_pa;

		if (p == NULL) {
			bi->bi_flags |= BI_INFO_ODD;
			return;
		}
		text_pa = pc_u64(p + 16);
		bm = module(bi, pc_u64(p), pc_u64(p + 8));
		if (bm != NULL && text_pa != 0)
			pvh_text(bi, m, bm->bm_text, sizeof bm->bm_text, text_pa, BI_TEXT_CUT);
	}
}

static void
pvh_map(struct bootinfo *bi, const struct pc_mem *m, uint64_t pa, uint32_t n)
{
	const uint8_t *p = n > CLAIMS_MAX ? NULL : pc_map(m, pa, 24ull * n);

	if (p == NULL)
		bi->bi_flags |= BI_INFO_ODD;
	else
		map_e820(bi, p, n, 24);
}

static void
pvh_rsdp(struct bootinfo *bi, const struct pc_mem *m, uint64_t pa)
{
	const uint8_t *p = pc_map(m, pa, 36);

	bi->bi_rsdp_len = p != NULL ? 36 : 20;
	if (p == NULL)
		p = pc_map(m, pa, 20);
	if (p == NULL) {
		bi->bi_rsdp_len = 0;
		bi->bi_flags |= BI_INFO_ODD;
		return;
	}
	memcpy(bi->bi_rsdp, p, bi->bi_rsdp_len);
}

/* Version 1 added the memory map; later ones only add to that. */
bool
bootinfo_pvh(struct bootinfo *bi, const struct pc_mem *m, uint64_t start_pa)
{
	const uint8_t *p = pc_map(m, start_pa, 40);
	uint8_t start[56] = { 0 };

	begin(bi);
	if (p == NULL || pc_u32(p) != PVH_MAGIC)
		return false;
	memcpy(start, p, 40);
	if (pc_u32(start + 4) >= 1) {
		p = pc_map(m, start_pa, sizeof start);
		if (p == NULL)
			return false;
		memcpy(start, p, sizeof start);
	}
	if (pc_u64(start + 24) != 0)
		pvh_text(bi, m, bi->bi_cmdline, sizeof bi->bi_cmdline, pc_u64(start + 24),
		    BI_CMDLINE_CUT);
	if (pc_u32(start + 12) > 0)
		pvh_modules(bi, m, pc_u64(start + 16), pc_u32(start + 12));
	if (pc_u64(start + 32) != 0)
		pvh_rsdp(bi, m, pc_u64(start + 32));
	if (pc_u32(start + 48) > 0)
		pvh_map(bi, m, pc_u64(start + 40), pc_u32(start + 48));
	return true;
}
