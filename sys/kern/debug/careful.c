/* SPDX-License-Identifier: BSD-2-Clause */
/* careful - DEBUG=1: the kernel watches its memory, its pages and the order of its locks, unasked. */
#include <sys/debug/bootarg.h>

const char boot_args_built_in[] = "kmem_debug page_poison witness";
