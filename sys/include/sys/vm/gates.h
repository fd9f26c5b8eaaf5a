/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/gates - system calls of unmodified programs by the machine's call gate: sys/vm/map/gates.c.
 *
 * While vm_gates_on(vs), who runs a program in vs lets the machine prepare the gate (uf_gate), and after each
 * stop asks where the thread stands, vm_gate_site(), and whether a call is to go by the gate from now on.
 */
#pragma once
#include <sys/vm/map.h>

extern bool vm_gates_wanted;		/* const after boot: there are spaces for which vm_gates_on() */
bool	vm_gates_on(const struct vmspace *vs);
/*
 * Where a thread stands that was stopped at `rip`: there, or at the same place of the site whose trampoline
 * that is.  In the critical section in which it ran: who takes trampolines away sends a message there first.
 */
uaddr_t	vm_gate_site(struct vmspace *vs, uaddr_t rip);
/* A program made a call by the instruction that ends at `rip`.  True, once: often enough. */
bool	vm_gate_is_hot(struct vmspace *vs, uaddr_t rip);
/* There it made the call `nr`: from now on by the gate, if that can be.  May sleep. */
void	vm_gate_make(struct vmspace *vs, uaddr_t rip, uint32_t nr);
/* From now on, until the next exec, all calls of vs's programs are made by the instruction.  May sleep. */
void	vm_gates_close(struct vmspace *vs);
