/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/ramdisk - a disk in memory, which can be told to fail. */
#pragma once

/*
 * SIZE[,BLOCK][,OPTION...]: SIZE in bytes or with K, M or G; blocks of 512 bytes unless said.
 *	ro		it cannot be written to
 *	slow		a thread answers, and there is room for few requests
 *	fail=LBA	that block fails
 *	gone=N		it vanishes after N requests
 *	back		and comes back at once, to stay: another disk of the same name and contents
 * EINVAL: not such a text; ENOMEM.
 */
int	ramdisk_make(const char *text);
