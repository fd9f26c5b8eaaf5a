/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * splice - from pipe to pipe, from file to pipe, from pipe to file, without
 * a detour through the program.
 *
 * Pages move where that is all there is to do: from pipe to pipe, and from a
 * file that is read into pages which then become a pipe's.  A file is written
 * from the pages of the pipe.  tee copies: a pipe's page is its own, so
 * that a later write may still put bytes behind those in it.
 *
 * No lock of a pipe is held while a file is read or written, since that may
 * take for ever.  Instead slots are reserved in the pipe that is filled, and
 * the oldest bytes of the other are kept from its readers (pipe.c P4, P5).
 *
 * Bounds: SLOTS_MAX pages are in flight at a time.
 */
#include "pipe_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/kmem.h>

#define SLOTS_MAX	PIPE_PAGES

static bool
wants_no_wait(const struct file *fp)
{
	return (atomic_load(&fp->f_flags) & O_NONBLOCK) != 0;
}

/* Directories and files made of events have no bytes to move. */
static bool
has_bytes(const struct file *fp)
{
	return fp->f_ops->fo_name == NULL && (fp->f_vnode == NULL || fp->f_vnode->v_type != VDIR);
}

/* ------------------------------------------------------------ file to pipe -- */

static int
pages_make(struct uio_seg *seg, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		seg[i] = (struct uio_seg){ (uint64_t)kmalloc(PAGE_BYTES, KM_WAIT), PAGE_BYTES };
		if (seg[i].base != 0)
			continue;
		while (i-- > 0)
			kfree((void *)seg[i].base);
		return ENOMEM;
	}
	return 0;
}

static int
from_file(struct file *in, uint64_t *pos, struct pipe *p, uint64_t len, bool nonblock, uint64_t *done)
{
	struct uio_seg seg[SLOTS_MAX];
	struct uio u = { .u_seg = seg, .u_kernel = true, .u_to_user = true, .u_off = pos != NULL ? *pos : 0 };
	uint32_t slots, used = 0;
	uint64_t got;
	int error;

	error = pipe_reserve(p, (uint32_t)rt_min(page_round(len) >> PAGE_SHIFT, SLOTS_MAX), nonblock, &slots);
	if (error != 0)
		return error;
	if ((error = pages_make(seg, slots)) != 0) {
		pipe_unreserve(p, slots);
		return error;
	}
	u.u_nseg = slots;
	u.u_resid = got = rt_min(len, slots * PAGE_BYTES);
	error = pos != NULL ? file_pread(in, &u) : file_read(in, &u);
	got -= u.u_resid;
	for (uint64_t left = got, n; left > 0; left -= n) {
		n = rt_min(left, PAGE_BYTES);
		pipe_attach(p, (struct slot){ (uint8_t *)seg[used++].base, 0, (uint32_t)n, false });
	}
	for (uint32_t i = used; i < slots; i++)
		kfree((void *)seg[i].base);
	pipe_unreserve(p, slots - used);
	if (pos != NULL)
		*pos += got;
	*done = got;
	return error;
}

/* ------------------------------------------------------------ pipe to file -- */

static int
to_file(struct pipe *p, struct file *out, uint64_t *pos, uint64_t len, bool nonblock, uint64_t *done)
{
	struct uio_seg seg;
	struct slot s;
	struct uio u;
	uint64_t n, put = 0;
	bool eof;
	int error = pipe_front(p, nonblock, &eof);

	if (error != 0 || eof)
		return error;
	while (error == 0 && *done < len && pipe_look(p, 0, &s)) {
		n = rt_min(s.s_len, len - *done);
		uio_kernel(&u, &seg, s.s_page + s.s_off, n, pos != NULL ? *pos : 0, false);
		error = pos != NULL ? file_pwrite(out, &u) : file_write(out, &u);
		put = n - u.u_resid;
		if (put > 0)
			pipe_consume(p, (uint32_t)put);
		if (pos != NULL)
			*pos += put;
		*done += put;
		if (put < n)
			break;
		lwkt_poll();
	}
	pipe_front_end(p);
	return error;
}

/* ------------------------------------------------------------ pipe to pipe -- */

/*
 * Bytes in `in`, kept from others, and *slots reserved in `out`; *eof: nothing is there,
 * and never will be.
 */
static int
both_ends(struct pipe *in, struct pipe *out, uint64_t len, bool nonblock, uint32_t *slots, bool *eof)
{
	uint32_t want = (uint32_t)rt_min(len, SLOTS_MAX);
	int error;

	for (;;) {
		error = pipe_front(in, nonblock, eof);
		if (error != 0 || *eof)
			return error;
		error = pipe_reserve(out, want, true, slots);
		if (error == 0)
			return 0;
		pipe_front_end(in);
		if (error != EAGAIN || nonblock)
			return error;
		/* The others may have the bytes while we wait for room. */
		if ((error = pipe_reserve(out, 1, false, slots)) != 0)
			return error;
		pipe_unreserve(out, *slots);
	}
}

/* The first n bytes of a slot in a page of their own. */
static int
attach_copy(struct pipe *out, const struct slot *s, uint64_t n)
{
	uint8_t *page = kmalloc(PAGE_BYTES, KM_WAIT);

	if (page == NULL)
		return ENOMEM;
	memcpy(page, s->s_page + s->s_off, n);
	pipe_attach(out, (struct slot){ page, 0, (uint32_t)n, s->s_packet });
	return 0;
}

static int
pipe_to_pipe(struct pipe *in, struct pipe *out, uint64_t len, bool nonblock, uint64_t *done)
{
	uint32_t slots;
	struct slot s;
	bool eof;
	int error = both_ends(in, out, len, nonblock, &slots, &eof);

	if (error != 0 || eof)
		return error;
	for (; slots > 0 && *done < len && error == 0 && pipe_look(in, 0, &s); slots--) {
		if (pipe_pop(in, len - *done, &s)) {
			pipe_attach(out, s);
			*done += s.s_len;
		} else if ((error = attach_copy(out, &s, len - *done)) == 0) {
			pipe_consume(in, (uint32_t)(len - *done));
			*done = len;
		} else {
			break;
		}
	}
	pipe_unreserve(out, slots);
	pipe_front_end(in);
	return error;
}

int
file_tee(struct file *in, struct file *out, uint64_t len, bool nonblock, uint64_t *done)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	uint32_t slots, i;
	struct slot s;
	bool eof;
	int error;

	*done = 0;
	if (from == NULL || to == NULL || from == to)
		return EINVAL;
	error = both_ends(from, to, len, nonblock || wants_no_wait(in) || wants_no_wait(out), &slots, &eof);
	if (error != 0 || eof)
		return error;
	for (i = 0; i < slots && *done < len && pipe_look(from, i, &s); i++) {
		uint64_t n = rt_min(s.s_len, len - *done);

		if ((error = attach_copy(to, &s, n)) != 0)
			break;
		*done += n;
	}
	pipe_unreserve(to, slots - i);
	pipe_front_end(from);
	return error;
}

/* -------------------------------------------------------------------- any -- */

bool
file_is_pipe(struct file *fp)
{
	return pipe_of(fp) != NULL;
}

int
file_splice(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t len,
    bool nonblock, uint64_t *done)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	*done = 0;
	nonblock |= (from != NULL && wants_no_wait(in)) || (to != NULL && wants_no_wait(out));
	if (from != NULL && to != NULL)
		return from == to ? EINVAL : pipe_to_pipe(from, to, len, nonblock, done);
	if (from == NULL && to == NULL)
		return EINVAL;
	if (to != NULL)
		return has_bytes(in) ? from_file(in, in_pos, to, len, nonblock, done) : EINVAL;
	if (!has_bytes(out) || (atomic_load(&out->f_flags) & O_APPEND) != 0)
		return EINVAL;
	return to_file(from, out, out_pos, len, nonblock, done);
}

/* User memory is never a pipe's: its pages are copied. */
static int
from_user(struct pipe *p, struct uio *u, bool nonblock)
{
	uint8_t *page;
	uint32_t slots, left;
	uint64_t n;
	int error;

	error = pipe_reserve(p, (uint32_t)rt_min(page_round(u->u_resid) >> PAGE_SHIFT, UINT32_MAX),
	    nonblock, &slots);
	if (error != 0)
		return error;
	for (left = slots; left > 0 && u->u_resid > 0 && error == 0; ) {
		struct uio before = *u;

		n = rt_min(u->u_resid, PAGE_BYTES);
		if ((page = kmalloc(PAGE_BYTES, KM_WAIT)) == NULL) {
			error = ENOMEM;
		} else if ((error = uio_move(page, n, u)) != 0) {
			*u = before;
			kfree(page);
		} else {
			pipe_attach(p, (struct slot){ page, 0, (uint32_t)n, false });
			left--;
		}
		lwkt_poll();
	}
	pipe_unreserve(p, left);
	return error;
}

static int
to_user(struct pipe *p, struct uio *u, bool nonblock)
{
	struct slot s;
	uint64_t n;
	bool eof;
	int error = pipe_front(p, nonblock, &eof);

	if (error != 0 || eof)
		return error;
	while (error == 0 && u->u_resid > 0 && pipe_look(p, 0, &s)) {
		struct uio before = *u;

		n = rt_min(s.s_len, u->u_resid);
		if ((error = uio_move(s.s_page + s.s_off, n, u)) != 0)
			*u = before;
		else
			pipe_consume(p, (uint32_t)n);
		lwkt_poll();
	}
	pipe_front_end(p);
	return error;
}

int
file_vmsplice(struct file *fp, struct uio *u, bool nonblock)
{
	struct pipe *p = pipe_of(fp);

	if (p == NULL)
		return EBADF;
	return u->u_to_user ? to_user(p, u, nonblock) : from_user(p, u, nonblock);
}
