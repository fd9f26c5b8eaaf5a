/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * args - the kernel's command line: vkernel's own options, in words.
 *
 * Words are separated by blanks; in a word \xHH is a byte, and \e alone is the
 * empty word.  Linux's console= and virtio_mmio.device= are as if after -a, and the latter also behind
 * the command, where QEMU puts them.  What is not known is told and left out: a machine must start.
 */
#pragma once
#include <machine/boot.h>

/*
 * Fills what the command line says into b, its texts into static memory, and the
 * kinds of the standard streams into stdio: a letter each, t, p, f, n, or - for
 * none.  *status: somebody reads the machine's status.  Returns the first word
 * not understood, or NULL.
 */
const char *args_parse(const char *line, struct md_boot *b, char stdio[4], bool *status);
