/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#include <abi/vkboot.h>

#define MD_DIRECT_BASE	VK_RAM_BASE		/* RAM, all of it, in one piece */
#ifndef MD_KMAP_BASE
#define MD_KMAP_BASE	0x300000000000ull	/* kernel stacks with their guard pages */
#endif
#define MD_KMAP_BYTES	0x4000000000ull
#define MD_USER_MIN	0x10000ull
#define MD_USER_MAX	0x7fffff000000ull
