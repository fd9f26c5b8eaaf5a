/* SPDX-License-Identifier: BSD-2-Clause */
/* map_int - what the files of sys/vm/map share. */
#pragma once
#include <sys/lwkt/token.h>
#include <sys/vm/map.h>
#include "../vm_int.h"

/* Family of anonymous pages: the entries in which a page of it may be mapped.  See anon.c. */
struct anonfam {
	struct token	af_tok;
	_Atomic uint32_t af_refs;	/* [atomic] entries and pages */
	struct list	af_entries;	/* [af_tok] of e_famlink */
};
struct anonfam *anonfam_create(void);	/* one reference; NULL: no memory */
void	anonfam_hold(struct anonfam *af);
void	anonfam_drop(struct anonfam *af);
/* A fresh page joins: `index` is its place, in pages, in the family's terms. */
void	anon_page_join(struct page *pg, struct anonfam *af, uint64_t index);
