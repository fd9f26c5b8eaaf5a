/* SPDX-License-Identifier: BSD-2-Clause */
/* sanitized - SANITIZE=address: objects have red zones, and what is freed is kept for a while. */
#include <sys/debug/bootarg.h>

const char boot_args_built_in[] = "kmem_debug";
