/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symtab - names and lines for code addresses, from a table that the build
 * links into the image.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct symtab_func {
	uint32_t	sf_off;		/* from the start of the kernel's code; ascending */
	uint32_t	sf_name;	/* in the strings */
};

struct symtab_line {
	uint32_t	sl_off;		/* ascending: holds up to the next entry */
	uint16_t	sl_file;	/* index of symtab_image.si_file */
	uint16_t	sl_line;	/* 0: unknown */
};

/* Written by scripts/gen/mksymtab.awk.  All of it is const. */
struct symtab_image {
	uint64_t			si_start, si_end;	/* the kernel's code */
	const struct symtab_func	*si_func;
	const struct symtab_line	*si_line;
	const uint32_t			*si_file;		/* in the strings */
	const char			*si_str;
	uint32_t			si_nfunc, si_nline, si_nfile, si_unused;
};

struct symtab_pos {
	const char	*sp_func;	/* "?": no name */
	uint64_t	sp_off;		/* from the function's start */
	const char	*sp_file;	/* path from the root of the source; "?" */
	uint32_t	sp_line;	/* 0: unknown */
};

/*
 * Describe the code at `pc`.  For a return address give pc - 1: the call may
 * be the last instruction of its line.  False when pc is not kernel code.
 * Needs no memory and no lock: any context.
 */
bool	symtab_lookup(uint64_t pc, struct symtab_pos *out);

/* The same for a table given (tests). */
bool	symtab_find(const struct symtab_image *si, uint64_t pc, struct symtab_pos *out);
