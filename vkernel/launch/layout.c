/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout - where things lie in the RAM of a virtual kernel before it runs.
 *
 *     0                 unused: physical address 0 stays invalid
 *     l_kdata_pa        the kernel's data and bss, mapped a second time at the
 *                       addresses for which they were linked
 *     l_boot_pa         struct vkboot and its strings
 *     l_kernel_end_pa
 *     l_initrd_pa       the initial root, which the kernel frees when unpacked
 *
 * The program's own copy of the kernel's data is only the source of the first
 * contents; once RAM is mapped over it nobody sees it again.  So everything
 * that the kernel can change is in RAM, at the same address in every run.
 *
 * Invariant I1: all of it, and LAYOUT_FREE_MIN more to unpack and run in, fits
 * in RAM; layout_plan() refuses otherwise and layout_fill() relies on it.
 */
#include "launch.h"

#include <assert.h>
#include <string.h>

#include <abi/vkboot.h>
#include <hk/hk.h>

#define LAYOUT_FREE_MIN	(4ull << 20)

/* vkernel/image/vkernel.ld */
extern char __kdata_start[], __kdata_init_end[], __kdata_end[];

static uint64_t
page_up(uint64_t v)
{
	return (v + HK_PAGE - 1) & ~(uint64_t)(HK_PAGE - 1);
}

/* Bytes of all text for the boot page, counting the empty string at offset 0. */
static uint64_t
text_bytes(const struct options *o)
{
	uint64_t n = 1;

	for (uint32_t i = 0; i < o->o_argc; i++)
		n += strlen(o->o_argv[i]) + 1;
	for (uint32_t i = 0; i < o->o_envc; i++)
		n += strlen(o->o_env[i]) + 1;
	n += strlen(o->o_name) + strlen(o->o_workdir) + strlen(o->o_user) + strlen(o->o_append) + 4;
	for (uint32_t i = 0; i < o->o_trees; i++)
		n += strlen(o->o_tree[i].t_guest) + 2;
	return n + (o->o_init == NULL ? 0 : strlen(o->o_init) + 1);
}

/* How big the archive will be as files: a gzip file ends with its unpacked size, modulo 2^32. */
static uint64_t
unpacked_bytes(const struct archive *a)
{
	const unsigned char *p = a->a_data, *e;
	uint64_t size;

	if (a->a_bytes == 0 || p[0] != 0x1f)
		return a->a_bytes;
	e = p + a->a_bytes - 4;
	size = (uint64_t)e[0] | (uint64_t)e[1] << 8 | (uint64_t)e[2] << 16 | (uint64_t)e[3] << 24;
	return size > a->a_bytes ? size : a->a_bytes;
}

bool
layout_plan(const struct options *o, const struct archive *a, struct layout *out)
{
	uint64_t text = text_bytes(o), need;

	if (text > BOOT_TEXT_MAX) {
		say_error(NULL, "command and environment: %llu bytes, at most %u are possible",
		    (unsigned long long)text, BOOT_TEXT_MAX);
		return false;
	}
	out->l_kdata_pa = HK_PAGE;
	out->l_kdata_bytes = (uint64_t)(__kdata_end - __kdata_start);
	out->l_boot_pa = out->l_kdata_pa + out->l_kdata_bytes;
	out->l_boot_bytes = sizeof(struct vkboot) + text;
	out->l_kernel_end_pa = page_up(out->l_boot_pa + out->l_boot_bytes);
	out->l_initrd_pa = out->l_kernel_end_pa;
	assert(out->l_boot_pa % HK_PAGE == 0);

	need = out->l_initrd_pa + page_up(a->a_bytes) + page_up(unpacked_bytes(a)) + LAYOUT_FREE_MIN;
	if (need > o->o_ram_bytes) {
		need = (need + HK_BLOCK - 1) / HK_BLOCK * (HK_BLOCK >> 20);
		say_error("give it more with -m",
		    "too little memory: kernel and root need %lluM, --memory gives %lluM",
		    (unsigned long long)need, (unsigned long long)(o->o_ram_bytes >> 20));
		return false;
	}
	return true;
}

/* Appends to the strings of *b and says where. */
static uint32_t
put_text(struct vkboot *b, const char *text)
{
	uint64_t at = b->b_strings_bytes, len = strlen(text) + 1;

	memcpy(b->b_strings + at, text, len);
	b->b_strings_bytes = at + len;
	return (uint32_t)at;
}

static void
fill_boot(struct vkboot *b, const struct options *o, const struct archive *a, const struct layout *l)
{
	*b = (struct vkboot){
		.b_magic = VKBOOT_MAGIC,
		.b_version = VKBOOT_VERSION,
		.b_ncpu = o->o_ncpu,
		.b_ram_bytes = o->o_ram_bytes,
		.b_kernel_end_pa = l->l_kernel_end_pa,
		.b_initrd_pa = l->l_initrd_pa,
		.b_initrd_bytes = a->a_bytes,
		.b_flags = o->o_boot_flags,
		.b_seed = o->o_seed,
		.b_enosys = o->o_enosys,
		.b_umask = o->o_umask,
		.b_argc = o->o_argc,
		.b_envc = o->o_envc,
	};
	put_text(b, "");
	b->b_argv_off = (uint32_t)b->b_strings_bytes;
	for (uint32_t i = 0; i < o->o_argc; i++)
		put_text(b, o->o_argv[i]);
	b->b_env_off = (uint32_t)b->b_strings_bytes;
	for (uint32_t i = 0; i < o->o_envc; i++)
		put_text(b, o->o_env[i]);
	b->b_trees = o->o_trees;
	b->b_tree_off = (uint32_t)b->b_strings_bytes;
	for (uint32_t i = 0; i < o->o_trees; i++) {
		b->b_tree_root[i] = o->o_tree[i].t_node;
		b->b_strings[b->b_strings_bytes++] = o->o_tree[i].t_mode;
		put_text(b, o->o_tree[i].t_guest);
	}
	b->b_init_off = o->o_init == NULL ? 0 : put_text(b, o->o_init);
	b->b_workdir_off = put_text(b, o->o_workdir);
	b->b_user_off = put_text(b, o->o_user);
	b->b_append_off = put_text(b, o->o_append);
	b->b_name_off = put_text(b, o->o_name);
	assert(sizeof *b + b->b_strings_bytes <= l->l_boot_bytes);
}

struct vkboot *
layout_fill(const struct options *o, const struct archive *a, const struct layout *l)
{
	char *ram = (char *)hk_ram_base();
	struct vkboot *b = (void *)(ram + l->l_boot_pa);

	/* RAM is zero, so bss needs no copy. */
	memcpy(ram + l->l_kdata_pa, __kdata_start, (size_t)(__kdata_init_end - __kdata_start));
	if (l->l_kdata_bytes != 0 &&
	    hk_ram_map((uint64_t)__kdata_start, l->l_kdata_pa, l->l_kdata_bytes) != HK_OK) {
		say_error(NULL, "kernel data: %s", hk_why());
		return NULL;
	}
	fill_boot(b, o, a, l);
	if (a->a_bytes != 0)
		memcpy(ram + l->l_initrd_pa, a->a_data, a->a_bytes);
	return b;
}
