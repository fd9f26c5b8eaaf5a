/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bootinfo - what a loader left in memory, in one form whoever the loader was.
 *
 * Multiboot2 Specification 2.0, section 3 (boot information); Xen's PVH boot
 * protocol, struct hvm_start_info, versions 0 and 1.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct pc_mem;

#define BI_MB2_EAX	0x36d76289u	/* in eax at the kernel's entry: multiboot2 */
#define BI_MAP_MAX	128u
#define BI_MODS_MAX	8u
#define BI_RSDP_BYTES	36u

/* From the most to the least usable: where claims overlap, the later kind holds. */
enum bi_kind {
	BI_RAM,
	BI_ACPI,		/* ACPI's tables: RAM once they have been read */
	BI_NVS,			/* the firmware's, to be kept over sleep */
	BI_RESERVED,
	BI_BAD,			/* defective */
};

struct bi_range {
	uint64_t	br_base, br_len;	/* bytes, both multiples of 4096 */
	enum bi_kind	br_kind;
};

struct bi_module {
	uint64_t	bm_pa, bm_len;		/* bytes; the sum does not wrap */
	char		bm_text[128];		/* its command line */
};

enum bi_fb_kind { BI_FB_NONE, BI_FB_RGB, BI_FB_TEXT };

/* With BI_FB_TEXT width and height are characters, of two bytes each. */
struct bi_fb {
	enum bi_fb_kind	fb_kind;
	uint64_t	fb_pa;
	uint32_t	fb_pitch;		/* bytes from a line to the next */
	uint32_t	fb_width, fb_height;
	uint8_t		fb_bpp;			/* bits of a pixel, 15 to 32 */
	uint8_t		fb_red_pos, fb_red_size;	/* in bits, from the lowest */
	uint8_t		fb_green_pos, fb_green_size;
	uint8_t		fb_blue_pos, fb_blue_size;
};

enum {
	BI_INFO_ODD = 1u << 0,		/* the structure broke its own rules there */
	BI_MAP_ODD = 1u << 1,		/* a range was empty, wrapped, or ended beyond 2^52 */
	BI_MAP_CUT = 1u << 2,		/* too many ranges: bi_map_end */
	BI_CMDLINE_CUT = 1u << 3,
	BI_TEXT_CUT = 1u << 4,		/* a module's text, or the loader's name */
	BI_MODS_CUT = 1u << 5,		/* there were more modules than BI_MODS_MAX */
};

struct bootinfo {
	uint32_t	bi_flags;
	uint32_t	bi_nmap;		/* 0: the loader gave no memory map */
	uint64_t	bi_map_end;		/* from here up the map says nothing */
	struct bi_range	bi_map[BI_MAP_MAX];	/* sorted, without overlaps */
	uint32_t	bi_nmods;
	uint32_t	bi_rsdp_len;		/* 0: none, 20: of ACPI 1.0, 36: of ACPI 2.0 */
	uint8_t		bi_rsdp[BI_RSDP_BYTES];	/* a copy, not checked */
	struct bi_module bi_mods[BI_MODS_MAX];
	struct bi_fb	bi_fb;
	char		bi_loader[64];
	char		bi_cmdline[4096];
};

/* False: there is no such structure at that address.  *bi is all zeros but for what was found. */
bool	bootinfo_multiboot2(struct bootinfo *bi, const struct pc_mem *m, uint64_t info_pa);
bool	bootinfo_pvh(struct bootinfo *bi, const struct pc_mem *m, uint64_t start_pa);
