/* SPDX-License-Identifier: BSD-2-Clause */
/* What pipe.c and splice.c share: a pipe, and its two ends for who moves bytes without holding its lock. */
#pragma once
#include <sys/file/async.h>
#include <sys/file/file.h>
#include <sys/lwkt/lock.h>

#define PIPE_PAGES	16u		/* default capacity: 64 KiB */

struct slot {
	uint8_t		*s_page;
	uint32_t	s_off, s_len;	/* unread bytes of the page */
	bool		s_packet;	/* a write of its own: P6 */
};
struct pipe {
	_Atomic uint32_t p_refs;	/* [atomic] P2 */
	struct lk	p_lk;
	struct slot	*p_slot;	/* [p_lk] the ring */
	uint32_t	p_slots;	/* [p_lk] how many: a power of two */
	uint32_t	p_first;	/* [p_lk] the oldest used one */
	uint32_t	p_used;		/* [p_lk] P1 */
	uint32_t	p_bytes;	/* [p_lk] P1 */
	uint32_t	p_reserved;	/* [p_lk] free slots that somebody will fill: P4 */
	bool		p_taking;	/* [p_lk] somebody takes from the oldest slots without the lock: P5 */
	uint8_t		*p_spare;	/* [p_lk] a page for the next slot, or NULL */
	uint32_t	p_readers, p_writers;	/* [p_lk] open files: P2 */
	uint64_t	p_ropens, p_wopens;	/* [p_lk] ever opened, from 1: FIFO rendezvous */
	struct waitq	p_rwait;	/* for bytes, for a writer */
	struct waitq	p_wwait;	/* for room, for a reader */
	struct pollhead	p_poll;
	struct asynchead p_async;
	uint64_t	p_id;		/* const: born-here sequence number */
	nsec_t		p_time;		/* const: when it was made */
	struct slot	p_slot0[PIPE_PAGES];	/* [p_lk] p_slot, while that is enough */
};

struct pipe *pipe_of(struct file *fp);		/* NULL: no pipe */

/*
 * The writing end: promise to fill up to `want` slots.  Waits for one, EAGAIN
 * if `nonblock`; EPIPE with the signal.
 * pipe_attach() fills one and takes over the page; pipe_unreserve() gives back those that were not.
 */
int	pipe_reserve(struct pipe *p, uint32_t want, bool nonblock, uint32_t *got);
void	pipe_attach(struct pipe *p, struct slot s);
void	pipe_unreserve(struct pipe *p, uint32_t n);
/*
 * The reading end: from pipe_front() to pipe_front_end() nobody else takes
 * bytes.  *eof: there are none and no writer is left, and nothing is to be ended.
 */
int	pipe_front(struct pipe *p, bool nonblock, bool *eof);
void	pipe_front_end(struct pipe *p);
bool	pipe_look(struct pipe *p, uint32_t i, struct slot *out);	/* the i-th oldest; false: no such */
void	pipe_consume(struct pipe *p, uint32_t n);	/* n bytes of the oldest slot are done with */
/* The oldest slot: it goes if it has at most `max` bytes, and its page is the caller's then. */
bool	pipe_pop(struct pipe *p, uint64_t max, struct slot *out);
