/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace - between who reads a kernel's events and samples (trace.c) and who writes them down (text.c,
 * perfetto.c, folded.c).
 */
#pragma once
#include <stdio.h>

#include <abi/ktr.h>

#include "look.h"

/* One event; all of one CPU come in the order of their numbers. */
struct event {
	uint32_t	ev_cpu;
	uint64_t	ev_number;		/* of its CPU, since boot */
	uint64_t	ev_ns;			/* the host's CLOCK_MONOTONIC; deterministic: the kernel's */
	struct ktr_event ev;
};

/* Where events go.  What is written is seen to fail at the end (ferror). */
struct writer {
	struct target	*w_target;
	const struct symbols *w_symbols;
	FILE		*w_file;
	void		*w_own;			/* of who implements it; it frees that in w_end */
	void		(*w_begin)(struct writer *w);
	/* NULL, like w_lost: it wants none. */
	void		(*w_event)(struct writer *w, const struct event *e);
	/* `count` events of a CPU, before those that come next, were overwritten before they were read. */
	void		(*w_lost)(struct writer *w, uint32_t cpu, uint64_t count, uint64_t ns);
	/* A piece of a sample (enum ktr_sample), in order of a CPU; NONE: some were lost.  NULL: likewise. */
	void		(*w_sample)(struct writer *w, uint32_t cpu, const struct ktr_event *e);
	void		(*w_end)(struct writer *w);
};
void	text_writer(struct writer *w);
void	perfetto_writer(struct writer *w);
void	folded_writer(struct writer *w);

/* An event's name, NULL: none of ours; its operands' kinds (abi/ktr.h). */
const char *event_text(uint32_t type, char what[2]);

/* symbols.c: functions of an executable or library, by address.  NULL: it has none, or no memory. */
struct symbols *symbols_read(const char *path);
/* The address that symbols_find() takes for a place in the file. */
uint64_t symbols_address(const struct symbols *s, uint64_t file_offset);
void	symbols_free(struct symbols *s);
/* The function that holds this address, and how far in; NULL: none. */
const char *symbols_find(const struct symbols *s, uint64_t addr, uint64_t *offset);
