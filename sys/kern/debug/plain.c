/* SPDX-License-Identifier: BSD-2-Clause */
/* plain - the usual kernel has no arguments but those that it is given. */
#include <sys/debug/bootarg.h>

const char boot_args_built_in[] = "";
