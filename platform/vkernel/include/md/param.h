/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#define MD_DIRECT_BASE	0x200000000000ull	/* RAM, all of it, in one piece */
#define MD_KMAP_BASE	0x300000000000ull	/* kernel stacks with their guard pages */
#define MD_KMAP_BYTES	0x4000000000ull
#define MD_USER_MIN	0x10000ull
#define MD_USER_MAX	0x7fffff000000ull
