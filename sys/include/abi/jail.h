/* SPDX-License-Identifier: BSD-2-Clause */
/* The arguments of jail(), which Linux has not. */
#pragma once
#include <stdint.h>

struct k_jail {
	uint64_t	flags;		/* 0 */
	uint64_t	root;		/* address of a path: the directory that will be / */
	uint64_t	hostname;	/* address of a name; 0: the present one */
};
