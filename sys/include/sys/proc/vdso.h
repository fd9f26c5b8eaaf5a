/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vdso - the page of times and the code that reads it, in every program's
 * address space: one page, then the image.
 */
#pragma once
#include <machine/types.h>

struct vmobj;
struct vmspace;

void	vdso_init(void);		/* at boot, in a thread, before the first program */
uint64_t vdso_bytes(void);		/* of both; 0: programs of this machine get none */
int	vdso_map(struct vmspace *vs, uaddr_t at, uaddr_t *ehdr);	/* the range is free */
struct vmobj *vdso_object(void);	/* NULL: none */
