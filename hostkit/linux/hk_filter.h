/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hk_filter - the two seccomp programs of a stub (filter.c)
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;

/* CLONE_VM FS FILES SIGHAND THREAD SYSVSEM: a guest thread.  CLONE_FS FILES PARENT: a stub. */
#define STUB_THREAD_FLAGS	0x50f00u
#define STUB_PROCESS_FLAGS	0x8600u

/* Write a program into out[0, max).  Returns its length, 0 when it does not fit. */
size_t	hk_filter_mapper(struct sock_filter *out, size_t max);
size_t	hk_filter_guest(struct sock_filter *out, size_t max, uint32_t nslots);
