/* SPDX-License-Identifier: BSD-2-Clause */
/* machine/boot - what the kernel was started with.  Valid from kmain() on, for ever. */
#pragma once
#include <machine/types.h>

enum {
	MD_BOOT_QUIET		= 1u << 0,	/* say nothing that is not asked for */
	MD_BOOT_VERBOSE		= 1u << 1,	/* kernel messages go to the machine's console as they come */
	MD_BOOT_STRACE		= 1u << 2,	/* log every system call */
	MD_BOOT_INTERACTIVE	= 1u << 3,	/* no command given: a shell on the console */
};
enum md_enosys { MD_ENOSYS_LOG, MD_ENOSYS_QUIET, MD_ENOSYS_PANIC };

/* A piece of RAM, in whole pages. */
struct md_ram {
	paddr_t		mr_base, mr_end;
};
struct md_boot {
	uint32_t	b_ncpu;
	uint32_t	b_flags;	/* MD_BOOT_* */
	enum md_enosys	b_enosys;
	uint64_t	b_ram_bytes;	/* of all pieces */
	const struct md_ram *b_ram;	/* ascending, apart from each other */
	uint32_t	b_nram;
	bool		b_ram_zero;	/* what is neither the kernel's nor the archive reads zero */
	paddr_t		b_kernel_end;	/* [0, this) is the kernel's own, or no RAM */
	paddr_t		b_initrd;	/* page-aligned archive: cpio, plain or gzip */
	uint64_t	b_initrd_bytes;
	uint32_t	b_argc, b_envc;
	const char	*b_argv;	/* argc strings, one after another, NUL-terminated */
	const char	*b_env;		/* envc strings likewise */
	const char	*b_init;	/* "" or the program to run as process 1 */
	const char	*b_workdir;	/* "" or where the command starts */
	const char	*b_user;	/* "" or who the command runs as: NAME, UID[:GID[:GROUP,...]] */
	uint32_t	b_umask;	/* the command's */
	const char	*b_append;	/* kernel arguments */
	const char	*b_name;	/* host name */
};
const struct md_boot *md_boot(void);

/* The kernel calls this once, when drivers may attach interrupts and devices. */
void	md_dev_init(void);

/* CPU 0's areas, in the kernel's own data: the platform starts kmain() on them. */
#ifndef BOOT_STACK_BYTES
#define BOOT_STACK_BYTES	32768
#endif
struct cpu;
extern struct cpu cpu0;			/* begins as a struct md_percpu */
extern uint8_t boot_stack[BOOT_STACK_BYTES];

/* Called by the platform, once, on CPU 0, on the boot stack, interrupts (mailbox bits) pending at most. */
_Noreturn void kmain(void);
/* Called by the platform on every other CPU. */
_Noreturn void kmain_secondary(uint32_t cpu);
