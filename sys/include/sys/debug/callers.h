/* SPDX-License-Identifier: BSD-2-Clause */
/* callers - where the running thread has come from, kept and told later. */
#pragma once
#include <stdint.h>

/* How many return addresses there are from a frame of the running thread on, innermost first.  Anywhere. */
uint32_t callers_from(const void *frame, uint64_t *pc, uint32_t max);
/* Names and lines, one to a line of the console; 0 ends them. */
void	callers_print(const uint64_t *pc, uint32_t n);
