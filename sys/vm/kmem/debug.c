/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmem/debug - a free object holds a pattern, apart from the word that links
 * it.  Freed twice: the pattern is there already.  Written after being
 * freed: the pattern is damaged when the object is handed out again.  On with
 * the kernel argument `kmem_debug`; `page_poison` does the same for pages.
 */
#include <core/rt/rt.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/kprint.h>
#include "../vm_int.h"
#include "kmem_int.h"

#define POISON		0xfeedface0ddba115ull
#define FRESH		0xa11a11a11a11a11aull	/* so that a new object is neither zero nor as if freed */
#define LINK_BYTES	8u

bool kmem_debug;

void
kmem_debug_init(void)
{
	kmem_debug = boot_arg("kmem_debug", NULL, 0);
	page_poison = boot_arg("page_poison", NULL, 0);
	if (kmem_debug)
		(void)kmem_trim();	/* what was freed before holds no pattern */
}

size_t
kmem_poison_object(void *p, size_t bytes)
{
	uint64_t *w = (uint64_t *)((char *)p + LINK_BYTES);
	size_t n = (bytes - LINK_BYTES) / 8, changed = 0;

	for (size_t i = 0; i < n; i++) {
		changed += w[i] != POISON;
		w[i] = POISON;
	}
	return changed;
}

/* Nobody leaves the whole of an object filled with our pattern, except by freeing it. */
void
kmem_poison_freed(void *p, size_t bytes)
{
	if (kmem_poison_object(p, bytes) == 0)
		panic("kmem: object %p of %zu bytes freed twice", p, bytes);
}

void
kmem_check_object(void *p, size_t bytes)
{
	uint64_t *w = (uint64_t *)((char *)p + LINK_BYTES);

	for (size_t i = 0; i < (bytes - LINK_BYTES) / 8; w[i++] = FRESH)
		if (w[i] != POISON)
			panic("kmem: object %p of %zu bytes was written after it was freed: word %zu is %#llx",
			    p, bytes, i + 1, (unsigned long long)w[i]);
}
