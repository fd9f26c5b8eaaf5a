/* SPDX-License-Identifier: BSD-2-Clause */
/* vector - interrupts of devices: a handler each, in thread context and a critical section, on one CPU. */
#pragma once
#include <drv/intr.h>

#include "../cpu/pc.h"

struct vector {
	uint32_t	v_cpu, v_number;	/* const */
	void		(*v_fn)(void *arg);	/* const */
	void		*v_arg;			/* const */
	struct vector	*v_next;		/* [vector.c] those that the clock raises */
	uint32_t	v_gsi;			/* const: a level-triggered pin's */
	bool		v_is_level;		/* const */
	struct intr_count v_count;
};

void	vector_setup(void);		/* once, when drivers' threads can be made */
/* On that CPU, or on another if it has none left; NULL: nobody has.  For ever; a thread's. */
struct vector *vector_take(uint32_t cpu, void (*fn)(void *arg), void *arg);
void	vector_name(struct vector *v, const char *name);	/* before it interrupts: who does */
void	vector_raise(struct vector *v);		/* as if it interrupted; any CPU, any context */
void	vector_by_clock(struct vector *v);	/* raised every millisecond from now on; likewise */
/*
 * A line of the ISA bus, or of the interrupt controllers behind those, which others may share, at CPU 0.
 * NULL: nobody brings it, or it is the platform's.
 * A thread's.
 */
struct vector *vector_line(uint32_t irq, void (*fn)(void *arg), void *arg);
