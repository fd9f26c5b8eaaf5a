/* SPDX-License-Identifier: BSD-2-Clause */
/* bootarg - the arguments that the kernel itself was given. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * A kernel argument: `name` or `name=value`, separated by blanks.
 * True when given; the value ("" if none) is copied to buf when buf is not NULL.
 */
bool	boot_arg(const char *name, char *buf, size_t size);

/* Those that this kernel has without being given them: builtin.c.  What it is given goes before. */
extern const char boot_args_built_in[];
