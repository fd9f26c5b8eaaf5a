/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vdso - one memory object that all programs map: the page of times, which
 * only the kernel writes, and the image, of which a debugger may have a copy
 * of its own.
 */
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <sys/debug/kprint.h>
#include <sys/proc/vdso.h>
#include <sys/time/time.h>
#include <sys/vm/map.h>

extern const uint8_t vdso_image[], vdso_image_end[];

static struct vmobj *object;		/* const after boot; NULL: none */

static uint64_t
image_bytes(void)
{
	return page_round((uint64_t)(vdso_image_end - vdso_image));
}

void
vdso_init(void)
{
	uint64_t left = (uint64_t)(vdso_image_end - vdso_image), pages = 1 + image_bytes() / PAGE_BYTES;
	struct vmobj *o;
	struct page *pg;
	bool used = vmobj_create(NULL, NULL, pages * PAGE_BYTES, &o) == 0;

	if (!used)
		return;
	for (uint64_t i = 0; used && i < pages; i++) {
		used = vmobj_page(o, i, VMOBJ_DIRTY, &pg) == 0;
		if (!used)
			break;
		if (i == 0) {
			used = time_told_page(page_va(pg));
		} else {
			uint64_t n = rt_min(left, PAGE_BYTES);

			memcpy(page_va(pg), vdso_image + (i - 1) * PAGE_BYTES, n);
			left -= n;
		}
		if (!used || i != 0)
			page_drop(pg);		/* the page of times stays held for ever */
	}
	if (used)
		object = o;
	else
		vmobj_drop(o);
}

uint64_t
vdso_bytes(void)
{
	return object == NULL ? 0 : PAGE_BYTES + image_bytes();
}

struct vmobj *
vdso_object(void)
{
	return object;
}

int
vdso_map(struct vmspace *vs, uaddr_t at, uaddr_t *ehdr)
{
	uaddr_t image = at + PAGE_BYTES;
	int error = vm_mmap(vs, &at, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED, object, 0, PROT_READ);

	if (error == 0)
		error = vm_mmap(vs, &image, image_bytes(), PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, object,
		    PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
	*ehdr = image;
	return error;
}
