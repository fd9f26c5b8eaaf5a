/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shadow - one byte of the host's for each eight bytes of addresses.
 *
 * Code that the compiler instruments looks at (address >> 3) + ASAN_SHADOW before each access.  All
 * addresses of a process have their byte, for kernel code runs on stacks of the host, too: 16 TiB, of which
 * the host gives what is touched.  They end where the machine's RAM begins.
 *
 * For the processor what can be written can be read.  That the mapping does not say so keeps it out of
 * dumps (vkernel/look), which copy what can be read.
 *
 * It must be there before the kernel's constructors tell of its global variables: the C library calls what
 * stands in .preinit_array before any constructor.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <abi/vkboot.h>

#define SHADOW_BYTES	(1ull << (47 - 3))

_Static_assert(ASAN_SHADOW + SHADOW_BYTES <= VK_RAM_BASE, "shadow and RAM do not meet");

static void
shadow_make(void)
{
	static const char why[] =
	    "vkernel: the address sanitizer needs 16 TiB of addresses, and this host refuses\n";
	void *at = (void *)ASAN_SHADOW;

	if (mmap(at, SHADOW_BYTES, PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != at) {
		if (write(STDERR_FILENO, why, sizeof why - 1) < 0)
			_exit(VK_EXIT_PANIC);
		_exit(VK_EXIT_ERROR);
	}
	/* Hints: a huge page would be touched by a few bytes, and a core has no use for it. */
	(void)madvise(at, SHADOW_BYTES, MADV_NOHUGEPAGE);
	(void)madvise(at, SHADOW_BYTES, MADV_DONTDUMP);
}

static void (*shadow_first)(void) __attribute__((section(".preinit_array"), used)) = shadow_make;
