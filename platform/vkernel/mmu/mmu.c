/* SPDX-License-Identifier: BSD-2-Clause */
/* mmu - hostkit walks the same page tables that a processor would; spaces are its integers. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <hk/hk.h>
#include <machine/mmu.h>

_Static_assert(sizeof(struct md_range) == sizeof(struct hk_range) &&
    offsetof(struct md_range, len) == offsetof(struct hk_range, len), "ranges are passed as they are");
_Static_assert(MD_USER_MIN == HK_USER_MIN && MD_USER_MAX == HK_USER_MAX, "one user address space");
_Static_assert((int)MD_INVAL_WRPROTECT == (int)HK_INVAL_WRPROTECT, "likewise");

static int
error_of(hk_result r)
{
	switch (r) {
	case HK_OK:
		return 0;
	case HK_LIMIT:
		return EAGAIN;
	case HK_INVAL:
		return EINVAL;
	default:
		return ENOMEM;
	}
}

int
md_space_create(md_space_t *out)
{
	return error_of(hk_space_create(out));
}

void
md_space_destroy(md_space_t s)
{
	hk_space_destroy(s);
}

int
md_space_root(md_space_t s, paddr_t root)
{
	return error_of(hk_space_root(s, root));
}

void
md_invalidate(md_space_t s, const struct md_range *r, size_t n, enum md_inval how)
{
	hk_invalidate(s, (const struct hk_range *)r, n, (enum hk_inval)how);
}

void
md_prefill(md_space_t s, const struct md_range *r, size_t n)
{
	hk_prefill(s, (const struct hk_range *)r, n);
}

int
md_kmap(uint64_t va, paddr_t pa, size_t len)
{
	ASSERT(va >= MD_KMAP_BASE && va + len <= MD_KMAP_BASE + MD_KMAP_BYTES);
	return error_of(hk_ram_map(va, pa, len));
}

void
md_kunmap(uint64_t va, size_t len)
{
	hk_result r = hk_ram_unmap(va, len);

	ASSERT(r == HK_OK);
}

void
md_ram_prepare(paddr_t pa, size_t len)
{
	hk_ram_prepare(pa, len);
}

void
md_ram_release(paddr_t pa, size_t len)
{
	hk_ram_release(pa, len);
}
