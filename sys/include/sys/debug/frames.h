/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames - who called whom, from the frame pointers on a stack.
 */
#pragma once
#include <stdint.h>

/*
 * The return addresses from the frame at `rbp` on, innermost first, at most
 * `max` of them into pc[]; returns how many.  Only [low, high) is read, and
 * frames only upwards, so a damaged stack ends the walk and nothing else.
 * Needs no memory and no lock: any context.
 */
uint32_t	frames_walk(uint64_t rbp, uint64_t low, uint64_t high, uint64_t *pc, uint32_t max);
