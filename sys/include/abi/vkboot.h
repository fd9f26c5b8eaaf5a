/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vkboot - what the launcher leaves in RAM for a virtual kernel, as a boot
 * loader would.
 *
 * The launcher lays out physical memory before the kernel runs: page 0 stays
 * unused, then the kernel's data and bss (mapped a second time at the address
 * where they were linked), then this page run, then the initial root archive.
 * Everything here is offsets and text: nothing of the host.
 */
#pragma once
#include <stdint.h>

#define VKBOOT_MAGIC	0x4c46534d41444b56ull
#define VKBOOT_VERSION	3
#define VKB_TREES_MAX	16	/* trees of the host's files */

enum {
	VKB_QUIET	= 1u << 0,	/* -q */
	VKB_VERBOSE	= 1u << 1,	/* -v: kernel messages to the host's stderr too */
	VKB_STRACE	= 1u << 2,	/* --strace */
	VKB_INTERACTIVE	= 1u << 3,	/* no CMD: a shell on the console */
	VKB_DETERMINISTIC = 1u << 4,	/* --deterministic: b_seed counts */
};
/* How it ended, for --status-fd: a status alone does not tell `exit 137` from a signal. */
enum vkb_outcome { VKB_OUT_UNKNOWN, VKB_OUT_EXIT, VKB_OUT_SIGNAL, VKB_OUT_PANIC, VKB_OUT_HANG };
enum vkb_enosys { VKB_ENOSYS_LOG, VKB_ENOSYS_QUIET, VKB_ENOSYS_PANIC };

struct vkboot {
	uint64_t	b_magic;
	uint32_t	b_version;
	uint32_t	b_ncpu;
	uint64_t	b_ram_bytes;
	uint64_t	b_kernel_end_pa;	/* [0, this) holds kernel data and this struct: never freed */
	uint64_t	b_initrd_pa;		/* page-aligned; freed by the kernel once unpacked */
	uint64_t	b_initrd_bytes;		/* cpio, plain or gzip; 0: none */
	uint64_t	b_strings_bytes;
	uint32_t	b_flags;		/* VKB_* */
	uint32_t	b_enosys;		/* enum vkb_enosys */
	uint32_t	b_argc;			/* of CMD; 0: interactive shell or b_init */
	uint32_t	b_envc;
	/*
	 * Offsets into b_strings of NUL-terminated text; 0 is the empty string:
	 * argc arguments one after another, then envc variables, then these.
	 */
	uint32_t	b_argv_off, b_env_off;
	uint32_t	b_init_off;		/* --init=PATH: run as process 1 */
	uint32_t	b_workdir_off;		/* -w */
	uint32_t	b_append_off;		/* -a: kernel arguments */
	uint32_t	b_name_off;		/* -n: host name of the guest */
	uint32_t	b_user_off;		/* -u: who CMD runs as */
	uint32_t	b_umask;		/* of CMD */
	uint64_t	b_seed;			/* of the order of everything, VKB_DETERMINISTIC */
	/*
	 * Trees of the host's files: their root nodes (hk.h), and as many texts from b_tree_off on:
	 * 'r' (read only), 'w', or 'o' (read only, below an overlay: the root), and the directory of the guest to
	 * mount it on.
	 */
	uint64_t	b_tree_root[VKB_TREES_MAX];
	uint32_t	b_trees, b_tree_off;
	uint32_t	b_outcome;		/* enum vkb_outcome, written by the kernel before hk_exit() */
	uint32_t	b_pad;
	char		b_strings[];
};

/* Exit statuses of a virtual kernel that are its own, not CMD's (128+N: signal N). */
enum {
	VK_EXIT_PANIC	= 120,
	VK_EXIT_HANG	= 121,
	VK_EXIT_TIMEOUT	= 124,
	VK_EXIT_ERROR	= 125,	/* the tool could not run */
	VK_EXIT_NOEXEC	= 126,
	VK_EXIT_NOENT	= 127,
};

/*
 * What the launcher finds in the kernel's image: the one name that the image
 * exports, `vk_image`.  vi_entry runs on CPU 0's host thread, started by
 * hk_cpu_start() with the mailbox, GS base and stack named here; its argument
 * is the struct vkboot, in the direct map.  All of them are addresses in the
 * kernel's data, which the launcher has moved into RAM by then.
 */
#ifndef VK_RAM_BASE	/* a build whose tools want it elsewhere says where */
#define VK_RAM_BASE	0x200000000000ull	/* where physical address 0 appears */
#endif

struct vk_image {
	void			(*vi_entry)(void *vkboot);
	_Atomic uint32_t	*vi_mailbox;	/* CPU 0's mailbox word */
	_Atomic uint32_t	*vi_outside;	/* VKB_DETERMINISTIC: the one instead, of the only CPU that hostkit sees */
	void			*vi_gsbase;	/* CPU 0's per-CPU area: %gs:0 holds mycpu */
	void			*vi_stack_top;	/* 16-byte aligned end of the boot stack */
};

extern const struct vk_image vk_image;
