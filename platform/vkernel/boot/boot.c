/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot - from the launcher to kmain().
 *
 * The launcher has laid out RAM (abi/vkboot.h), moved the kernel's data into
 * it, and starts CPU 0 in vk_entry() with the per-CPU area and the stack that
 * vk_image names.  There is nothing to probe: the machine is described.
 */
#include <abi/debug.h>
#include <abi/vkboot.h>
#include <core/rt/rt.h>
#include <hk/hk.h>
#include <machine/boot.h>
#include <machine/cpu.h>

#include "../cpu/cpu.h"
#include "../det/det.h"
#include "boot.h"

static struct md_boot info;		/* const after vk_entry */
static struct md_ram ram;		/* likewise */
static struct vkboot *vkboot;		/* const after vk_entry: in RAM */

static void vk_entry(void *arg);

const struct vk_image vk_image = {
	.vi_entry = vk_entry,
	.vi_mailbox = &((struct md_percpu *)&cpu0)->mailbox,
	.vi_outside = &det_outside,
	.vi_gsbase = &cpu0,
	.vi_stack_top = boot_stack + BOOT_STACK_BYTES,
};

const struct md_boot *
md_boot(void)
{
	return &info;
}

const struct vkboot *
boot_page(void)
{
	return vkboot;
}

static void
host_trap(const struct hk_trap *t)
{
	struct md_ktrap k = {
		.kt_rip = t->rip, .kt_rsp = t->rsp, .kt_rbp = t->rbp, .kt_addr = t->addr,
		.kt_trapno = t->trapno, .kt_err = t->err,
	};

	trap_kernel(&k);
}

_Static_assert((int)VKB_QUIET == MD_BOOT_QUIET && (int)VKB_VERBOSE == MD_BOOT_VERBOSE &&
    (int)VKB_STRACE == MD_BOOT_STRACE && (int)VKB_INTERACTIVE == MD_BOOT_INTERACTIVE, "flags are passed as they are");
_Static_assert((int)VKB_ENOSYS_PANIC == MD_ENOSYS_PANIC, "likewise");

static void
vk_entry(void *arg)
{
	struct vkboot *b = arg;

	ASSERT(b->b_magic == VKBOOT_MAGIC && b->b_version == VKBOOT_VERSION);
	vkboot = b;
	ram = (struct md_ram){ 0, b->b_ram_bytes };
	info = (struct md_boot){
		.b_ncpu = b->b_ncpu,
		.b_flags = b->b_flags,
		.b_enosys = (enum md_enosys)b->b_enosys,
		.b_ram_bytes = b->b_ram_bytes,
		.b_ram = &ram,
		.b_nram = 1,
		.b_ram_zero = true,
		.b_kernel_end = b->b_kernel_end_pa,
		.b_initrd = b->b_initrd_pa,
		.b_initrd_bytes = b->b_initrd_bytes,
		.b_argc = b->b_argc,
		.b_envc = b->b_envc,
		.b_argv = b->b_strings + b->b_argv_off,
		.b_env = b->b_strings + b->b_env_off,
		.b_init = b->b_strings + b->b_init_off,
		.b_workdir = b->b_strings + b->b_workdir_off,
		.b_user = b->b_strings + b->b_user_off,
		.b_umask = b->b_umask & 0777,
		.b_append = b->b_strings + b->b_append_off,
		.b_name = b->b_strings + b->b_name_off,
	};
	if ((b->b_flags & VKB_DETERMINISTIC) != 0)
		det_init(b->b_seed);
	else {
		hk_on_stuck(cpu_stuck);
		hk_on_sample(&md_sample.ds_hz, cpu_sample);
	}
	hk_on_trap(host_trap);
	kmain();
}

_Static_assert((int)MD_OUT_EXIT + 1 == VKB_OUT_EXIT && (int)MD_OUT_SIGNAL + 1 == VKB_OUT_SIGNAL &&
    (int)MD_OUT_PANIC + 1 == VKB_OUT_PANIC && (int)MD_OUT_HANG + 1 == VKB_OUT_HANG, "one enum is the other moved by one");

_Noreturn void
md_power_off_as(enum md_outcome how, int status)
{
	if (md_deterministic && (info.b_flags & MD_BOOT_VERBOSE) != 0)
		det_tell();
	vkboot->b_outcome = (uint32_t)(how == MD_OUT_RESTART ? MD_OUT_EXIT : how) + 1;
	hk_exit(status);
}
