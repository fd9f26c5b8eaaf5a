/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll - every file type has poll notes from the start, so poll, select and
 * later epoll need nothing new from any of them.
 *
 * An object that can become ready has a struct pollhead.  Asking for its
 * state with a note queues the note; the object calls poll_notify() when its
 * state may have changed.
 */
#pragma once
#include <core/rt/list.h>
#include <machine/types.h>
#include <sys/lwkt/spin.h>

struct pollhead {
	struct spin	ph_spin;
	struct list	ph_notes;	/* [ph_spin] */
};
struct pollnote {
	struct list	pn_link;	/* [pn_head's spin] */
	struct pollhead	*pn_head;	/* set by poll_queue */
	void		(*pn_fn)(struct pollnote *n, uint32_t events);	/* must not block */
	void		*pn_arg;
};
void	pollhead_init(struct pollhead *h);
void	poll_queue(struct pollhead *h, struct pollnote *n);	/* NULL note: nothing */
void	poll_dequeue(struct pollnote *n);
void	poll_notify(struct pollhead *h, uint32_t events);
