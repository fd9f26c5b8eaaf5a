/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/object - a memory object: pages by index, with a source for those that
 * are not there.  The page cache of a file, the contents of a tmpfs file, a
 * shared anonymous mapping.  The lower layer of an address space's entries.
 */
#pragma once
#include <core/rt/rbtree.h>
#include <sys/lwkt/lock.h>
#include <sys/lwkt/token.h>
#include <sys/lwkt/wait.h>
#include <sys/vm/page.h>

struct vmobj;
struct vmobj_ops {
	/*
	 * Fill *n busy pages from `index` on, of which *n were done at the end, one at least.  More than one
	 * only, and not zeroed only, if they are a cache.  NULL op: zero is the content.
	 */
	int	(*vo_fill)(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t *n);
	void	(*vo_free)(struct vmobj *o);	/* last reference: pages are gone already */
	/* o_tok held, must not sleep: one map entry more or less shows it.  NULL op: nothing */
	void	(*vo_shown)(struct vmobj *o, bool more);
	/*
	 * The pages are a cache of something else, if these are there.  write: n pages from `index` on,
	 * busy, go there.  clean: vmobj_flush() under the owner's locks; try: unless that means waiting.
	 */
	int	(*vo_write)(struct vmobj *o, uint64_t index, struct page *const *pg, uint32_t n);
	int	(*vo_clean)(struct vmobj *o, bool try);
};
#define VMOBJ_FILL_MAX	16u		/* pages that vo_fill gets at most; a power of two */
#define VMOBJ_WRITE_MAX	16u		/* pages that vo_write gets at most */
struct vmobj {
	struct token	o_tok;
	_Atomic uint32_t o_refs;
	const struct vmobj_ops *o_ops;	/* const; NULL: anonymous */
	void		*o_arg;		/* const */
	uint64_t	o_id;		/* const: born-here sequence number */
	_Atomic uint64_t o_bytes;	/* [o_tok to change] size: access beyond the last page is SIGBUS */
	uint64_t	o_npages;	/* [o_tok] resident */
	_Atomic bool	o_sealed;	/* [o_tok to change] no new shared mapping may ever be written to */
	struct rb_tree	o_pages;	/* [o_tok], or what the implementation prefers */
	struct list	o_maps;		/* [o_tok] map entries that show this object: reverse map */
	struct list	o_link;		/* [objects' spin] all objects that can be filled again */
	struct waitq	o_waitq;	/* for a busy page */
	struct gates	*o_gates;	/* [o_tok to set, once] gates.c; NULL: none */
};
int	vmobj_create(const struct vmobj_ops *ops, void *arg, uint64_t bytes, struct vmobj **out);
void	vmobj_hold(struct vmobj *o);
/* false: it is on its way out; the caller keeps it from being freed */
bool	vmobj_try_hold(struct vmobj *o);
void	vmobj_drop(struct vmobj *o);
static inline bool
vmobj_is_cache(const struct vmobj *o)
{
	return o->o_ops != NULL && o->o_ops->vo_clean != NULL;
}
/*
 * The page at `index`, held, created and filled if need be (may sleep).
 * VMOBJ_NOCREATE: ENOENT for a hole.  The caller drops the page.
 */
#define VMOBJ_NOCREATE	1u
#define VMOBJ_DIRTY	2u	/* the caller will change it: PG_DIRTY, serial grows */
#define VMOBJ_CHANGE	4u	/* as its source was changed the caller will change it */
int	vmobj_page(struct vmobj *o, uint64_t index, uint32_t flags, struct page **out);
/* The same, and of the following pages those that are there without a gap, held: of *n at most so many. */
int	vmobj_pages(struct vmobj *o, uint64_t index, uint32_t flags, struct page **out, uint32_t *n);
/* New size.  Shrinking removes mappings and pages beyond it and zeroes the rest of the last page. */
int	vmobj_resize(struct vmobj *o, uint64_t bytes);
/* Free whole pages in [first, last) (punch hole), mappings removed first. */
void	vmobj_remove(struct vmobj *o, uint64_t first, uint64_t last);
/* From now on no new shared mapping may be written to.  EBUSY: there is one already and `all` forbids that too. */
int	vmobj_seal(struct vmobj *o, bool all);
/* Next index >= `index` that has (data) or lacks (hole) a page; UINT64_MAX: none. */
uint64_t vmobj_seek(struct vmobj *o, uint64_t index, bool data);
/* Dirty pages go to vo_write, mappings made read-only first.  The first error; what failed stays dirty. */
int	vmobj_flush(struct vmobj *o);
void	vmobj_clean_all(void);			/* vo_clean of every object that has it: sync(2) */
