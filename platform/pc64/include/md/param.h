/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#define MD_DIRECT_BASE	0xffff800000000000ull	/* RAM at its physical addresses */
#define MD_DIRECT_BYTES	0x100000000000ull	/* and so much of them */
#define MD_KMAP_BASE	0xffff900000000000ull	/* kernel stacks with their guard pages */
#define MD_KMAP_BYTES	0x100000000ull
#define MD_IO_BASE	0xffffa00000000000ull	/* registers of devices, tables of the firmware: mmu.c */
#define MD_IO_BYTES	0x8000000ull
#define MD_IMAGE_BASE	0xffffffff80000000ull	/* the kernel's image, at its physical address from here */
#define MD_USER_MIN	0x10000ull
#define MD_USER_MAX	0x7fffff000000ull
