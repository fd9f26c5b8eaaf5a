/* SPDX-License-Identifier: BSD-2-Clause */
/* dma - memory that a device reads or writes: one piece in both kinds of address. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dma_mem {
	void		*va;
	uint64_t	pa;	/* as the device sees it */
	size_t		bytes;
};
