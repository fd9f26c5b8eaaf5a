/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe - bytes from writers to readers, in order; with a name (a FIFO) or without.
 *
 * The bytes lie in a ring of pages.  A page is made when the ring first
 * reaches it and given back when the reader has passed it, except page 0: an
 * empty pipe starts again at its beginning, so a pipe that carries small
 * messages lives in one page for ever.
 *
 * Invariants
 *   P1  p_len <= p_cap, and every page that holds a byte of
 *       [p_head, p_head + p_len) modulo p_cap exists.
 *   P2  p_readers and p_writers count the open files with that access; the
 *       pipe is freed when both are 0.
 *   P3  who changes p_len from or to "nothing to read", or from or to "no
 *       room for PIPE_BUF", or a count to 0, wakes the other side.
 *
 * Locking: p_lk guards everything and is held while bytes are copied from and
 * to user memory, which makes a write up to PIPE_BUF atomic.  A FIFO's v_lk
 * guards v_fifo and is taken before p_lk.
 * Bounds: capacities are counted for all pipes together.  Beyond a quarter of
 * RAM a new pipe gets one page, beyond half of RAM none is made.
 * Not here: splicing pages, packet mode.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/kmem.h>

#define PIPE_BUF	4096u
#define PIPE_PAGES	16u		/* default capacity: 64 KiB */
#define PIPE_MAX	(1u << 20)	/* largest capacity without CAP_SYS_RESOURCE */
#define PIPE_MAX_ROOT	(16u << 20)
#define PIPE_DEV	14u		/* st_dev of nameless pipes */
#define POLL_BYTES	65536u		/* copied between two looks at the mailbox */

struct pipe {
	struct lk	p_lk;
	uint8_t		**p_page;	/* [p_lk] p_cap / PAGE_BYTES of them */
	uint32_t	p_cap;		/* [p_lk] bytes, a power of two pages */
	uint32_t	p_head;		/* [p_lk] ring position of the oldest byte */
	uint32_t	p_len;		/* [p_lk] bytes in the ring */
	uint32_t	p_readers, p_writers;	/* [p_lk] open files: P2 */
	uint64_t	p_ropens, p_wopens;	/* [p_lk] ever opened, from 1: FIFO rendezvous */
	struct waitq	p_rwait;	/* for bytes, for a writer */
	struct waitq	p_wwait;	/* for room, for a reader */
	struct pollhead	p_poll;
	uint64_t	p_id;		/* const: born-here sequence number */
	nsec_t		p_time;		/* const: when it was made */
	uint8_t		*p_page0[PIPE_PAGES];	/* [p_lk] p_page, while that is enough */
};

static _Atomic uint64_t pipe_serial;
static _Atomic uint64_t pipe_pages;	/* capacities of all pipes together */

static inline bool pipe_has_room(const struct pipe *p) { return p->p_cap - p->p_len >= PIPE_BUF; }

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
	lk_init(&p->p_lk);
	waitq_init(&p->p_rwait);
	waitq_init(&p->p_wwait);
	pollhead_init(&p->p_poll);
	p->p_page = p->p_page0;
	p->p_cap = pages * (uint32_t)PAGE_BYTES;
	p->p_ropens = p->p_wopens = 1;
	p->p_id = atomic_fetch_add(&pipe_serial, 1) + 1;
	p->p_time = time_wall();
	*out = p;
	return 0;
}

static void
pipe_free(struct pipe *p)
{
	ASSERT(p->p_readers == 0 && p->p_writers == 0);
	for (uint32_t i = 0; i < p->p_cap / PAGE_BYTES; i++)
		kfree(p->p_page[i]);
	if (p->p_page != p->p_page0)
		kfree(p->p_page);
	atomic_fetch_sub(&pipe_pages, p->p_cap / PAGE_BYTES);
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

/* The reader has passed the page before p_head, or emptied the ring. */
static void
pipe_trim(struct pipe *p)
{
	uint32_t pages = (uint32_t)(p->p_cap / PAGE_BYTES);
	uint32_t passed = (uint32_t)((p->p_head / PAGE_BYTES + pages - 1) % pages);

	if (p->p_head % PAGE_BYTES == 0 && passed != 0 &&
	    p->p_len + PAGE_BYTES <= p->p_cap) {	/* the ring's end does not lie in it */
		kfree(p->p_page[passed]);
		p->p_page[passed] = NULL;
	}
	if (p->p_len == 0) {
		passed = (uint32_t)(p->p_head / PAGE_BYTES);
		if (passed != 0) {
			kfree(p->p_page[passed]);
			p->p_page[passed] = NULL;
		}
		p->p_head = 0;
	}
}

/* Bytes out of the ring, as many as there are and are wanted. */
static int
pipe_take(struct pipe *p, struct uio *u)
{
	uint32_t since_poll = 0;
	int error = 0;

	while (p->p_len > 0 && u->u_resid > 0 && error == 0) {
		uint32_t off = (uint32_t)(p->p_head % PAGE_BYTES);
		uint64_t n = rt_min(rt_min(PAGE_BYTES - off, p->p_len), u->u_resid), before = u->u_resid;

		ASSERT(p->p_page[p->p_head / PAGE_BYTES] != NULL);
		error = uio_move(p->p_page[p->p_head / PAGE_BYTES] + off, n, u);
		n = before - u->u_resid;
		p->p_head = (uint32_t)((p->p_head + n) % p->p_cap);
		p->p_len -= (uint32_t)n;
		pipe_trim(p);
		if ((since_poll += (uint32_t)n) >= POLL_BYTES) {
			since_poll = 0;
			lwkt_poll();
		}
	}
	return error;
}

/* Bytes into the ring: at most n, for which there is room. */
static int
pipe_put(struct pipe *p, struct uio *u, uint64_t n)
{
	uint32_t since_poll = 0;
	int error = 0;

	ASSERT(n <= p->p_cap - p->p_len);
	while (n > 0 && error == 0) {
		uint32_t tail = (p->p_head + p->p_len) % p->p_cap;
		uint32_t off = (uint32_t)(tail % PAGE_BYTES);
		uint8_t **page = &p->p_page[tail / PAGE_BYTES];
		uint64_t step = rt_min(PAGE_BYTES - off, n), before = u->u_resid;

		if (*page == NULL && (*page = kmalloc(PAGE_BYTES, KM_WAIT)) == NULL)
			return ENOMEM;
		error = uio_move(*page + off, step, u);
		step = before - u->u_resid;
		p->p_len += (uint32_t)step;
		n -= step;
		if ((since_poll += (uint32_t)step) >= POLL_BYTES) {
			since_poll = 0;
			lwkt_poll();
		}
	}
	return error;
}

static int
pipe_read(struct file *fp, struct uio *u)
{
	struct pipe *p = fp->f_data;
	bool had_room;
	int error = 0;

	if (u->u_resid == 0)
		return 0;
	lk_excl(&p->p_lk);
	while (p->p_len == 0 && p->p_writers > 0 && error == 0) {
		if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			error = EAGAIN;
		else
			error = pipe_sleep(p, &p->p_rwait);
	}
	if (p->p_len > 0) {		/* even after a signal: the bytes are here */
		had_room = pipe_has_room(p);
		error = pipe_take(p, u);
		if (!had_room && pipe_has_room(p))
			pipe_wake_writers(p);
	}
	lk_release(&p->p_lk);
	return error;
}

static int
pipe_write(struct file *fp, struct uio *u)
{
	struct pipe *p = fp->f_data;
	uint64_t need = u->u_resid <= PIPE_BUF ? u->u_resid : 1;
	bool was_empty;
	int error = 0;

	if (u->u_resid == 0)
		return 0;
	lk_excl(&p->p_lk);
	while (u->u_resid > 0 && error == 0) {
		if (p->p_readers == 0) {
			file_signal(SIGPIPE);
			error = EPIPE;
		} else if (p->p_cap - p->p_len >= need) {
			was_empty = p->p_len == 0;
			error = pipe_put(p, u, rt_min(p->p_cap - p->p_len, u->u_resid));
			if (was_empty && p->p_len > 0)
				pipe_wake_readers(p);
		} else if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0) {
			error = EAGAIN;
		} else {
			error = pipe_sleep(p, &p->p_wwait);
		}
	}
	lk_release(&p->p_lk);
	return error;
}

static uint32_t
pipe_poll(struct file *fp, struct pollnote *note)
{
	struct pipe *p = fp->f_data;
	uint32_t events = 0;

	poll_queue(&p->p_poll, note);
	lk_excl(&p->p_lk);
	if (file_can_read(fp)) {
		if (p->p_len > 0)
			events |= POLLIN | POLLRDNORM;
		if (p->p_writers == 0 && p->p_wopens != fp->f_off)
			events |= POLLHUP;
	}
	if (file_can_write(fp)) {
		if (pipe_has_room(p))
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
	len = p->p_len;
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
	bool last;

	if (vn != NULL)
		lk_excl(&vn->v_lk);
	lk_excl(&p->p_lk);
	if (file_can_read(fp) && --p->p_readers == 0)
		pipe_wake_writers(p);
	if (file_can_write(fp) && --p->p_writers == 0)
		pipe_wake_readers(p);
	last = p->p_readers == 0 && p->p_writers == 0;
	if (last && vn != NULL)
		vn->v_fifo = NULL;
	lk_release(&p->p_lk);
	if (vn != NULL)
		lk_release(&vn->v_lk);
	if (last)
		pipe_free(p);
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
	.fo_stat = pipe_stat,
	.fo_close = pipe_close,
};
/* With a name: what stat says is the vnode's. */
static const struct file_ops fifo_file_ops = {
	.fo_read = pipe_read,
	.fo_write = pipe_write,
	.fo_poll = pipe_poll,
	.fo_ioctl = pipe_ioctl,
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
		pipe_free(p);
		return error;
	}
	p->p_readers = 1;
	error = file_create(&pipe_file_ops, O_WRONLY | (flags & O_NONBLOCK), p, wr);
	if (error != 0) {
		file_drop(*rd);		/* the last end: frees the pipe */
		return error;
	}
	p->p_writers = 1;
	return 0;
}

/* The pipe of a FIFO, with fp counted in it: P2. */
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
	else if (p == NULL && (error = pipe_new(&p)) == 0)
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
		lk_release(&p->p_lk);
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
	lk_excl(&p->p_lk);
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

static struct pipe *
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
	*bytes = p->p_cap;
	lk_release(&p->p_lk);
	return 0;
}

/* Another ring with room for what is there.  The bytes are copied: this is rare. */
static int
pipe_resize(struct pipe *p, uint32_t cap)
{
	uint32_t pages = (uint32_t)(cap / PAGE_BYTES), old_pages = (uint32_t)(p->p_cap / PAGE_BYTES);
	uint8_t **ring, *text;

	if (p->p_len > cap)
		return EBUSY;
	ring = kmalloc_array(pages, sizeof(*ring), KM_ZERO | KM_WAIT);
	if (ring == NULL)
		return ENOMEM;
	for (uint32_t at = 0; at < p->p_len; at += (uint32_t)PAGE_BYTES) {
		text = ring[at / PAGE_BYTES] = kmalloc(PAGE_BYTES, KM_WAIT);
		if (text == NULL) {
			for (uint32_t i = 0; i < pages; i++)
				kfree(ring[i]);
			kfree(ring);
			return ENOMEM;
		}
		for (uint32_t i = 0; i < PAGE_BYTES && at + i < p->p_len; i++) {
			uint32_t from = (p->p_head + at + i) % p->p_cap;

			text[i] = p->p_page[from / PAGE_BYTES][from % PAGE_BYTES];
		}
		lwkt_poll();
	}
	for (uint32_t i = 0; i < old_pages; i++)
		kfree(p->p_page[i]);
	if (p->p_page != p->p_page0)
		kfree(p->p_page);
	memset(p->p_page0, 0, sizeof(p->p_page0));
	atomic_fetch_add(&pipe_pages, (uint64_t)pages - old_pages);
	p->p_page = ring;
	p->p_cap = cap;
	p->p_head = 0;
	return 0;
}

int
pipe_set_size(struct file *fp, uint64_t bytes, uint32_t *now)
{
	struct pipe *p = pipe_of(fp);
	uint32_t cap = (uint32_t)PAGE_BYTES;
	int error = 0;

	if (p == NULL)
		return EBADF;
	if (bytes == 0 || bytes > PIPE_MAX_ROOT)
		return bytes == 0 || bytes > INT32_MAX ? EINVAL : EPERM;
	while (cap < bytes)
		cap *= 2;
	lk_excl(&p->p_lk);
	if (cap > p->p_cap && !cred_capable(cred_current(), CAP_SYS_RESOURCE) &&
	    (cap > PIPE_MAX || atomic_load(&pipe_pages) > md_boot()->b_ram_bytes / PAGE_BYTES / 4))
		error = EPERM;
	else if (cap != p->p_cap)
		error = pipe_resize(p, cap);
	*now = p->p_cap;
	if (error == 0)
		pipe_wake_writers(p);
	lk_release(&p->p_lk);
	return error;
}
