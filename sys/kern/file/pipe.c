/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe - bytes from writers to readers, in order; with a name (a FIFO) or without.
 *
 * The bytes lie in a ring of slots of one page at most, as Linux has it, so
 * that what fits and what does not is the same: each write begins a slot of
 * its own, unless the odd part of it fits behind what the newest slot holds.
 * An emptied page is kept for the next slot, so a pipe that carries small
 * messages lives in one page for ever.
 *
 * Invariants
 *   P1  the p_used slots from p_first on have a page and at least one byte,
 *       p_bytes in all; the other slots have no page.
 *   P2  p_readers and p_writers count the open files with that access.  Each
 *       open file has a reference and gives it up when it has let go of the
 *       locks: who closes one end may still be in lk_release() while
 *       another CPU closes the other.
 *   P3  who puts bytes in, even where there are some (whoever waits for edges
 *       has perhaps seen those), frees a slot where all were used, or brings a
 *       count to 0, wakes the other side before he sleeps or lets go of p_lk.
 *   P4  p_used + p_reserved <= p_slots.  Who reserved slots may fill them at any
 *       later time, without a wait.
 *   P5  while p_taking is set only who set it takes bytes, so the pages of
 *       the slots stay, and he reads them without the lock.
 *   P6  a packet (O_DIRECT on the writing end) is one slot: nothing joins it, a read ends with it, and what
 *       the read had no room for is gone.  Longer writes are several packets.
 *
 * Locking: p_lk guards everything and is held while bytes are copied from and
 * to user memory, which makes a write up to PIPE_BUF atomic.  A FIFO's v_lk
 * guards v_fifo and is taken before p_lk.
 * Bounds: capacities are counted for all pipes together.  Beyond a quarter of
 * RAM a new pipe gets one page, beyond half of RAM none is made.
 * Not here: splicing (splice.c).
 */
#include "pipe_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/lwkt/budget.h>
#include <sys/proc/proc.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/kmem.h>

#define PIPE_MAX	(1u << 20)	/* largest capacity without CAP_SYS_RESOURCE */
#define PIPE_MAX_ROOT	(16u << 20)
#define PIPE_DEV	14u		/* st_dev of nameless pipes */
#define POLL_BYTES	65536u		/* copied between two looks at the mailbox */

static struct serial pipe_ids;
static _Atomic uint64_t pipe_pages;	/* capacities of all pipes together */

static inline bool pipe_full(const struct pipe *p) { return p->p_used + p->p_reserved == p->p_slots; }

static int
pipe_new(struct pipe **out)
{
	uint64_t ram = md_boot()->b_ram_bytes / PAGE_BYTES;
	uint32_t pages = atomic_load(&pipe_pages) > ram / 4 ? 1 : PIPE_PAGES;
	struct pipe *p;

	if (atomic_load(&pipe_pages) > ram / 2)
		return ENFILE;
	if ((p = kmalloc(sizeof(*p), KM_ZERO | KM_WAIT)) == NULL)
		return ENOMEM;
	atomic_fetch_add(&pipe_pages, pages);
	p->p_refs = 1;
	lk_init(&p->p_lk, LR_pipe);
	waitq_init(&p->p_rwait);
	waitq_init(&p->p_wwait);
	pollhead_init(&p->p_poll);
	asynchead_init(&p->p_async);
	p->p_slot = p->p_slot0;
	p->p_slots = pages;
	p->p_ropens = p->p_wopens = 1;
	p->p_id = serial_next(&pipe_ids);
	p->p_time = time_wall();
	*out = p;
	return 0;
}

static void
pipe_drop(struct pipe *p)
{
	if (atomic_fetch_sub_explicit(&p->p_refs, 1, memory_order_acq_rel) != 1)
		return;
	ASSERT(p->p_readers == 0 && p->p_writers == 0);
	for (uint32_t i = 0; i < p->p_slots; i++)
		kfree(p->p_slot[i].s_page);
	kfree(p->p_spare);
	if (p->p_slot != p->p_slot0)
		kfree(p->p_slot);
	atomic_fetch_sub(&pipe_pages, p->p_slots);
	kfree(p);
}

static void
pipe_wake_readers(struct pipe *p)
{
	wake_all(&p->p_rwait);
	poll_notify(&p->p_poll, POLLIN | POLLRDNORM);
}

static void
pipe_wake_writers(struct pipe *p)
{
	wake_all(&p->p_wwait);
	poll_notify(&p->p_poll, POLLOUT | POLLWRNORM);
}

/* One side is gone: news for all, also for who waits for nothing but errors. */
static void
pipe_wake_all(struct pipe *p)
{
	wake_all(&p->p_rwait);
	wake_all(&p->p_wwait);
	poll_notify(&p->p_poll, 0);
}

/* Sleep without the lock until a wake-up on q: the queue is joined before the lock is let go. */
static int
pipe_sleep(struct pipe *p, struct waitq *q)
{
	struct waiter w;
	int error;

	wait_begin(q, &w);
	lk_release(&p->p_lk);
	error = wait_sleep(&w, NSEC_NEVER, WAIT_INTR);
	wait_end(&w);
	lk_excl(&p->p_lk);
	return error != 0 ? ERESTARTSYS : 0;
}

/*
 * Move n bytes between a slot's page and the user, all or none: a fault in
 * the middle leaves pipe and count as they were, as on Linux.
 */
static int
pipe_move(uint8_t *page, uint64_t n, struct uio *u)
{
	struct uio before = *u;
	int error = uio_move(page, n, u);

	if (error != 0)
		*u = before;
	return error;
}

/* n bytes of the oldest slot are not needed any more. */
static void
consume(struct pipe *p, uint32_t n)
{
	struct slot *s = &p->p_slot[p->p_first];

	ASSERT(p->p_used > 0 && n <= s->s_len);
	s->s_off += n;
	s->s_len -= n;
	p->p_bytes -= n;
	if (s->s_len == 0) {
		kfree(p->p_spare);
		p->p_spare = s->s_page;
		s->s_page = NULL;
		p->p_first = (p->p_first + 1) & (p->p_slots - 1);
		p->p_used--;
	}
}

/* Bytes out of the ring, as many as there are and are wanted. */
static int
pipe_take(struct pipe *p, struct uio *u)
{
	uint32_t taken = 0;
	int error = 0;

	while (p->p_used > 0 && u->u_resid > 0 && error == 0) {
		struct slot *s = &p->p_slot[p->p_first];
		uint64_t n = rt_min(s->s_len, u->u_resid);

		bool packet = s->s_packet;

		if ((error = pipe_move(s->s_page + s->s_off, n, u)) != 0)
			break;
		consume(p, packet ? s->s_len : (uint32_t)n);
		if (packet)
			break;
		if ((taken += (uint32_t)n) >= POLL_BYTES) {
			taken = 0;
			lwkt_poll();
		}
	}
	return error;
}

/* The odd part of a write may join the newest slot. */
static int
pipe_put_behind(struct pipe *p, struct uio *u)
{
	struct slot *s = &p->p_slot[(p->p_first + p->p_used - 1) & (p->p_slots - 1)];
	uint64_t n = u->u_resid & PAGE_MASK;
	int error;

	if (p->p_used == 0 || n == 0 || s->s_packet || s->s_off + s->s_len + n > PAGE_BYTES)
		return 0;
	if ((error = pipe_move(s->s_page + s->s_off + s->s_len, n, u)) != 0)
		return error;
	s->s_len += (uint32_t)n;
	p->p_bytes += (uint32_t)n;
	return 0;
}

/* Up to a page of bytes into a slot of their own; there is a free one. */
static int
pipe_put_slot(struct pipe *p, bool packet, struct uio *u)
{
	struct slot *s = &p->p_slot[(p->p_first + p->p_used) & (p->p_slots - 1)];
	uint64_t n = rt_min(u->u_resid, PAGE_BYTES);
	int error;

	ASSERT(!pipe_full(p) && s->s_page == NULL);
	if (p->p_spare == NULL && (p->p_spare = kmalloc(PAGE_BYTES, KM_WAIT)) == NULL)
		return ENOMEM;
	if ((error = pipe_move(p->p_spare, n, u)) != 0)
		return error;
	*s = (struct slot){ .s_page = p->p_spare, .s_len = (uint32_t)n, .s_packet = packet };
	p->p_spare = NULL;
	p->p_used++;
	p->p_bytes += (uint32_t)n;
	return 0;
}

static int
pipe_read(struct file *fp, struct uio *u)
{
	struct pipe *p = fp->f_data;
	bool was_full;
	int error = 0;

	if (u->u_resid == 0)
		return 0;
	lk_excl(&p->p_lk);
	while (((p->p_used == 0 && p->p_writers > 0) || p->p_taking) && error == 0) {
		if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			error = EAGAIN;
		else
			error = pipe_sleep(p, &p->p_rwait);
	}
	if (p->p_used > 0 && !p->p_taking) {		/* even after a signal: the bytes are here */
		was_full = pipe_full(p);
		error = pipe_take(p, u);
		if (was_full && !pipe_full(p))
			pipe_wake_writers(p);
	}
	lk_release(&p->p_lk);
	async_notify(&p->p_async, POLLOUT);
	return error;
}

static int
pipe_write(struct file *fp, struct uio *u)
{
	struct pipe *p = fp->f_data;
	uint64_t told = u->u_resid;	/* what was left when readers last heard of it */
	uint32_t put = 0;
	int error = 0;

	if (u->u_resid == 0)
		return 0;
	lk_excl(&p->p_lk);
	if (p->p_readers > 0)
		error = pipe_put_behind(p, u);
	while (u->u_resid > 0 && error == 0) {
		if (p->p_readers == 0) {
			file_signal(SIGPIPE);
			error = EPIPE;
		} else if (!pipe_full(p)) {
			error = pipe_put_slot(p, (atomic_load(&fp->f_flags) & O_DIRECT) != 0, u);
			if (++put % (POLL_BYTES / PAGE_BYTES) == 0)
				lwkt_poll();
		} else if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0) {
			error = EAGAIN;
		} else {
			if (u->u_resid < told)
				pipe_wake_readers(p);
			told = u->u_resid;
			async_notify(&p->p_async, POLLIN);
			error = pipe_sleep(p, &p->p_wwait);
		}
	}
	if (u->u_resid < told)
		pipe_wake_readers(p);
	lk_release(&p->p_lk);
	async_notify(&p->p_async, POLLIN);
	return error;
}

static struct asynchead *
pipe_async(struct file *fp)
{
	struct pipe *p = fp->f_data;

	return &p->p_async;
}

static uint32_t
pipe_poll(struct file *fp, struct pollnote *note)
{
	struct pipe *p = fp->f_data;
	uint32_t events = 0;

	poll_queue(&p->p_poll, note);
	lk_excl(&p->p_lk);
	if (file_can_read(fp)) {
		if (p->p_used > 0)
			events |= POLLIN | POLLRDNORM;
		if (p->p_writers == 0 && p->p_wopens != fp->f_off)
			events |= POLLHUP;
	}
	if (file_can_write(fp)) {
		if (!pipe_full(p))
			events |= POLLOUT | POLLWRNORM;
		if (p->p_readers == 0)
			events |= POLLERR;
	}
	lk_release(&p->p_lk);
	return events;
}

static int
pipe_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct pipe *p = fp->f_data;
	uint32_t len;

	(void)result;
	if (cmd != FIONREAD)
		return ENOTTY;
	lk_excl(&p->p_lk);
	len = p->p_bytes;
	lk_release(&p->p_lk);
	return copyout(arg, &len, sizeof(len));
}

static int
pipe_stat(struct file *fp, struct k_stat *st)
{
	struct pipe *p = fp->f_data;

	memset(st, 0, sizeof(*st));
	st->st_dev = PIPE_DEV;
	st->st_ino = p->p_id;
	st->st_nlink = 1;
	st->st_mode = S_IFIFO | 0600;
	st->st_uid = fp->f_cred != NULL ? fp->f_cred->cr_fsuid : 0;
	st->st_gid = fp->f_cred != NULL ? fp->f_cred->cr_fsgid : 0;
	st->st_blksize = (int64_t)PAGE_BYTES;
	st->st_atim.tv_sec = st->st_mtim.tv_sec = st->st_ctim.tv_sec = (int64_t)(p->p_time / NSEC_PER_SEC);
	st->st_atim.tv_nsec = st->st_mtim.tv_nsec = st->st_ctim.tv_nsec = (int64_t)(p->p_time % NSEC_PER_SEC);
	return 0;
}

/* One file less with the access that `fp` has.  A FIFO's vnode is fp's; its v_lk is not held. */
static void
pipe_detach(struct file *fp, struct pipe *p)
{
	struct vnode *vn = fp->f_vnode;
	bool half;

	if (vn != NULL)
		lk_excl(&vn->v_lk);
	lk_excl(&p->p_lk);
	if (file_can_read(fp) && --p->p_readers == 0)
		pipe_wake_all(p);
	if (file_can_write(fp) && --p->p_writers == 0)
		pipe_wake_all(p);
	if (vn != NULL && p->p_readers == 0 && p->p_writers == 0)
		vn->v_fifo = NULL;
	half = (p->p_readers == 0) != (p->p_writers == 0);
	lk_release(&p->p_lk);
	if (vn != NULL)
		lk_release(&vn->v_lk);
	if (half) {
		async_notify(&p->p_async, POLLIN);
		async_notify(&p->p_async, POLLOUT);
	}
	pipe_drop(p);
}

static void
pipe_close(struct file *fp)
{
	pipe_detach(fp, fp->f_data);
}

static const struct file_ops pipe_file_ops = {
	.fo_read = pipe_read,
	.fo_write = pipe_write,
	.fo_poll = pipe_poll,
	.fo_ioctl = pipe_ioctl,
	.fo_async = pipe_async,
	.fo_stat = pipe_stat,
	.fo_close = pipe_close,
};
/* With a name: what stat says is the vnode's. */
static const struct file_ops fifo_file_ops = {
	.fo_read = pipe_read,
	.fo_write = pipe_write,
	.fo_poll = pipe_poll,
	.fo_ioctl = pipe_ioctl,
	.fo_async = pipe_async,
	.fo_close = pipe_close,
};

int
pipe_create(uint32_t flags, struct file **rd, struct file **wr)
{
	struct pipe *p;
	int error;

	if ((error = pipe_new(&p)) != 0)
		return error;
	error = file_create(&pipe_file_ops, O_RDONLY | (flags & O_NONBLOCK), p, rd);
	if (error != 0) {
		pipe_drop(p);
		return error;
	}
	p->p_readers = 1;
	error = file_create(&pipe_file_ops, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), p, wr);
	if (error != 0) {
		file_drop(*rd);		/* the last end: frees the pipe */
		return error;
	}
	p->p_writers = 1;
	p->p_refs = 2;
	return 0;
}

/* The pipe of a FIFO, with fp counted in it: P2.  Returns with p_lk held, so that who opens misses nobody. */
static int
fifo_attach(struct vnode *vn, struct file *fp, struct pipe **out)
{
	bool block = (atomic_load(&fp->f_flags) & O_NONBLOCK) == 0;
	struct pipe *p;
	int error = 0;

	lk_excl(&vn->v_lk);
	p = vn->v_fifo;
	if (!block && file_can_write(fp) && !file_can_read(fp) && (p == NULL || p->p_readers == 0))
		error = ENXIO;
	else if (p != NULL)
		atomic_fetch_add_explicit(&p->p_refs, 1, memory_order_relaxed);
	else if ((error = pipe_new(&p)) == 0)
		vn->v_fifo = p;
	if (error == 0) {
		lk_excl(&p->p_lk);
		if (file_can_read(fp)) {
			p->p_readers++;
			p->p_ropens++;
			wake_all(&p->p_wwait);
		}
		if (file_can_write(fp)) {
			p->p_writers++;
			p->p_wopens++;
			wake_all(&p->p_rwait);
		}
	}
	lk_release(&vn->v_lk);
	*out = p;
	return error;
}

int
fifo_open(struct vnode *vn, struct file *fp)
{
	uint64_t ropens, wopens;
	struct pipe *p;
	int error;

	if ((error = fifo_attach(vn, fp, &p)) != 0)
		return error;
	ropens = p->p_ropens;
	wopens = p->p_wopens;
	if (!file_can_write(fp) && p->p_writers == 0) {
		if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			fp->f_off = p->p_wopens;	/* no POLLHUP before the first writer */
		else
			while (p->p_wopens == wopens && error == 0)
				error = pipe_sleep(p, &p->p_rwait);
	} else if (!file_can_read(fp) && p->p_readers == 0) {
		while (p->p_ropens == ropens && error == 0)
			error = pipe_sleep(p, &p->p_wwait);
	}
	lk_release(&p->p_lk);
	if (error != 0) {
		pipe_detach(fp, p);
		return error;
	}
	fp->f_data = p;
	fp->f_ops = &fifo_file_ops;
	return 0;
}

struct pipe *
pipe_of(struct file *fp)
{
	return fp->f_ops == &pipe_file_ops || fp->f_ops == &fifo_file_ops ? fp->f_data : NULL;
}

int
pipe_size(struct file *fp, uint32_t *bytes)
{
	struct pipe *p = pipe_of(fp);

	if (p == NULL)
		return EBADF;
	lk_excl(&p->p_lk);
	*bytes = p->p_slots * (uint32_t)PAGE_BYTES;
	lk_release(&p->p_lk);
	return 0;
}

/* Another ring with room for what is there. */
static int
pipe_resize(struct pipe *p, uint32_t slots)
{
	struct slot *ring;

	if (p->p_used + p->p_reserved > slots)
		return EBUSY;
	ring = kmalloc_array(slots, sizeof(*ring), KM_ZERO | KM_WAIT);
	if (ring == NULL)
		return ENOMEM;
	for (uint32_t i = 0; i < p->p_used; i++)
		ring[i] = p->p_slot[(p->p_first + i) & (p->p_slots - 1)];
	if (p->p_slot != p->p_slot0)
		kfree(p->p_slot);
	memset(p->p_slot0, 0, sizeof(p->p_slot0));
	atomic_fetch_add(&pipe_pages, (uint64_t)slots - p->p_slots);
	p->p_slot = ring;
	p->p_slots = slots;
	p->p_first = 0;
	return 0;
}

int
pipe_set_size(struct file *fp, uint64_t bytes, uint32_t *now)
{
	struct pipe *p = pipe_of(fp);
	uint32_t slots = 1;
	int error = 0;

	if (p == NULL)
		return EBADF;
	if (bytes > PIPE_MAX_ROOT)
		return bytes > INT32_MAX ? EINVAL : EPERM;
	while (slots * PAGE_BYTES < bytes)
		slots *= 2;
	lk_excl(&p->p_lk);
	if (slots > p->p_slots && !cred_capable(cred_current(), CAP_SYS_RESOURCE) &&
	    (slots > PIPE_MAX / PAGE_BYTES || atomic_load(&pipe_pages) > md_boot()->b_ram_bytes / PAGE_BYTES / 4))
		error = EPERM;
	else if (slots != p->p_slots)
		error = pipe_resize(p, slots);
	*now = p->p_slots * (uint32_t)PAGE_BYTES;
	if (error == 0)
		pipe_wake_writers(p);
	lk_release(&p->p_lk);
	return error;
}

/* ------------------------------------------------- the two ends, for splice -- */

int
pipe_reserve(struct pipe *p, uint32_t want, bool nonblock, uint32_t *got)
{
	int error = 0;

	ASSERT(want > 0);
	lk_excl(&p->p_lk);
	while (p->p_readers > 0 && pipe_full(p) && error == 0)
		error = nonblock ? EAGAIN : pipe_sleep(p, &p->p_wwait);
	if (p->p_readers == 0) {
		file_signal(SIGPIPE);
		error = EPIPE;
	}
	if (error == 0) {
		*got = (uint32_t)rt_min(want, p->p_slots - p->p_used - p->p_reserved);
		p->p_reserved += *got;
	}
	lk_release(&p->p_lk);
	return error;
}

void
pipe_attach(struct pipe *p, struct slot s)
{
	ASSERT(s.s_len > 0 && s.s_off + s.s_len <= PAGE_BYTES);
	lk_excl(&p->p_lk);
	ASSERT(p->p_reserved > 0);
	p->p_reserved--;
	p->p_slot[(p->p_first + p->p_used) & (p->p_slots - 1)] = s;
	p->p_bytes += s.s_len;
	p->p_used++;
	pipe_wake_readers(p);
	lk_release(&p->p_lk);
	async_notify(&p->p_async, POLLIN);
}

void
pipe_unreserve(struct pipe *p, uint32_t n)
{
	lk_excl(&p->p_lk);
	ASSERT(n <= p->p_reserved);
	p->p_reserved -= n;
	if (n > 0)
		pipe_wake_writers(p);
	lk_release(&p->p_lk);
}

int
pipe_front(struct pipe *p, bool nonblock, bool *eof)
{
	int error = 0;

	lk_excl(&p->p_lk);
	while (((p->p_used == 0 && p->p_writers > 0) || p->p_taking) && error == 0)
		error = nonblock ? EAGAIN : pipe_sleep(p, &p->p_rwait);
	*eof = error == 0 && p->p_used == 0;
	if (error == 0 && p->p_used > 0)
		p->p_taking = true;
	lk_release(&p->p_lk);
	return error;
}

void
pipe_front_end(struct pipe *p)
{
	lk_excl(&p->p_lk);
	ASSERT(p->p_taking);
	p->p_taking = false;
	pipe_wake_readers(p);
	lk_release(&p->p_lk);
	async_notify(&p->p_async, POLLOUT);
}

bool
pipe_look(struct pipe *p, uint32_t i, struct slot *out)
{
	bool there;

	lk_excl(&p->p_lk);
	ASSERT(p->p_taking);
	there = i < p->p_used;
	if (there)
		*out = p->p_slot[(p->p_first + i) & (p->p_slots - 1)];
	lk_release(&p->p_lk);
	return there;
}

void
pipe_consume(struct pipe *p, uint32_t n)
{
	bool was_full;

	lk_excl(&p->p_lk);
	ASSERT(p->p_taking);
	was_full = pipe_full(p);
	consume(p, n);
	if (was_full && !pipe_full(p))
		pipe_wake_writers(p);
	lk_release(&p->p_lk);
}

bool
pipe_pop(struct pipe *p, uint64_t max, struct slot *out)
{
	bool was_full, whole;
	struct slot *s;

	lk_excl(&p->p_lk);
	ASSERT(p->p_taking && p->p_used > 0);
	was_full = pipe_full(p);
	s = &p->p_slot[p->p_first];
	*out = *s;
	whole = s->s_len <= max;
	if (whole) {
		p->p_bytes -= s->s_len;
		*s = (struct slot){ NULL, 0, 0, false };
		p->p_first = (p->p_first + 1) & (p->p_slots - 1);
		p->p_used--;
		if (was_full)
			pipe_wake_writers(p);
	}
	lk_release(&p->p_lk);
	return whole;
}
