/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kprint - kernel messages.  They go to a ring in memory (dmesg), and with
 * -v or in a panic to the machine's console too.  Any context, any CPU.
 */
#pragma once
#include <machine/types.h>
#include <stdarg.h>

#define KMSG_BYTES	(64u << 10)	/* size of the ring */

void	kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What this CPU prints from now on takes no lock: to the console only.  For one CPU at a time. */
void	kprint_apart(bool on);
void	kvprintf(const char *fmt, va_list ap);
/* Copy the newest at most `len` bytes of the ring, oldest first; returns how many. */
size_t	kmsg_read(char *buf, size_t len);
size_t	kmsg_bytes(void);
void	kmsg_clear(void);

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
