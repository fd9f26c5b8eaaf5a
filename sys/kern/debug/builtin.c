/* SPDX-License-Identifier: BSD-2-Clause */
/* builtin - the arguments that a kernel has from its build: the Makefile's, for DEBUG, SANITIZE and ARGS. */
#include <sys/debug/bootarg.h>

const char boot_args_built_in[] = BUILT_IN;
