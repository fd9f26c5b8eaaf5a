/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes, FIFOs, poll notes and whole-file locks between kernel threads. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/file/event.h>
#include <sys/file/file.h>
#include <sys/file/lockf.h>
#include <sys/lwkt/thread.h>
#include <sys/time/time.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

/* --------------------------------------------------------------- helpers -- */

struct done {
	struct waitq	q;
	uint32_t	n;
};

static void
done_one(struct done *d)
{
	d->n++;
	wake_all(&d->q);
}

static int
done_wait(struct done *d, uint32_t n)
{
	int error;

	WAIT_FOR(&d->q, d->n >= n, md_now() + 20 * NSEC_PER_SEC, 0, error);
	return error;
}

static void
start(void (*fn)(void *), void *arg)
{
	struct thread *td;

	if (KCHECK(lwkt_create(fn, arg, LWKT_PRI_KERN, "test", &td) == 0))
		lwkt_start(td);
}

static int
put(struct file *fp, const void *buf, size_t len, size_t *done)
{
	struct uio_seg seg;
	struct uio u;
	int error;

	uio_kernel(&u, &seg, (void *)(uintptr_t)buf, len, 0, false);
	error = file_write(fp, &u);
	*done = len - u.u_resid;
	return error;
}

static int
get(struct file *fp, void *buf, size_t len, size_t *done)
{
	struct uio_seg seg;
	struct uio u;
	int error;

	uio_kernel(&u, &seg, buf, len, 0, true);
	error = file_read(fp, &u);
	*done = len - u.u_resid;
	return error;
}

/* ------------------------------------------------------------------ pipes -- */

#define STREAM_BYTES	(1u << 20)
#define LETTERS		97u		/* prime: no page or buffer is a multiple */

struct ends {
	struct file	*rd, *wr;
	struct done	fin;
};

static void
stream_writer(void *arg)
{
	struct ends *e = arg;
	uint8_t buf[700];
	size_t n, sent = 0;

	while (sent < STREAM_BYTES) {
		size_t len = rt_min(1 + sent * 7 % sizeof(buf), STREAM_BYTES - sent);

		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)((sent + i) % LETTERS);
		if (!KCHECK(put(e->wr, buf, len, &n) == 0 && n == len))
			break;
		sent += len;
	}
	file_drop(e->wr);
	done_one(&e->fin);
}

KTEST(a_pipe_keeps_the_order_of_bytes)
{
	static struct ends e;
	static uint8_t buf[9000];
	size_t n, got = 0;
	bool same = true;

	e = (struct ends){ 0 };
	waitq_init(&e.fin.q);
	if (!KCHECK(pipe_create(0, &e.rd, &e.wr) == 0))
		return;
	start(stream_writer, &e);
	do {
		if (!KCHECK(get(e.rd, buf, 1 + got * 13 % sizeof(buf), &n) == 0))
			break;
		for (size_t i = 0; i < n; i++)
			same = same && buf[i] == (got + i) % LETTERS;
		got += n;
	} while (n > 0);
	KCHECK(got == STREAM_BYTES && same);
	KCHECK(done_wait(&e.fin, 1) == 0);
	file_drop(e.rd);
}

#define RECORD	100u
#define RECORDS	2000u

struct record_arg {
	struct ends	*e;
	uint8_t		letter;
};

static void
record_writer(void *arg)
{
	struct record_arg *ra = arg;
	uint8_t buf[RECORD];
	size_t n;

	memset(buf, ra->letter, sizeof(buf));
	for (uint32_t i = 0; i < RECORDS; i++) {
		if (!KCHECK(put(ra->e->wr, buf, sizeof(buf), &n) == 0 && n == sizeof(buf)))
			break;
		if (i % 16 == ra->letter % 16)
			lwkt_yield();
	}
	done_one(&ra->e->fin);
}

KTEST(small_writes_to_a_pipe_are_not_mixed)
{
	static struct ends e;
	static struct record_arg ra[2];
	uint8_t buf[RECORD];
	size_t n, have = 0;
	uint32_t records = 0;
	bool whole = true;

	e = (struct ends){ 0 };
	waitq_init(&e.fin.q);
	if (!KCHECK(pipe_create(0, &e.rd, &e.wr) == 0))
		return;
	for (uint8_t i = 0; i < 2; i++) {
		ra[i] = (struct record_arg){ &e, (uint8_t)(i + 1) };
		start(record_writer, &ra[i]);
	}
	while (records < 2 * RECORDS) {
		if (!KCHECK(get(e.rd, buf + have, sizeof(buf) - have, &n) == 0 && n > 0))
			break;
		have += n;
		if (have < sizeof(buf))
			continue;
		for (size_t i = 1; i < sizeof(buf); i++)
			whole = whole && buf[i] == buf[0];
		have = 0;
		records++;
	}
	KCHECK(whole && records == 2 * RECORDS);
	KCHECK(done_wait(&e.fin, 2) == 0);
	file_drop(e.wr);
	file_drop(e.rd);
}

KTEST(a_pipe_is_bounded_and_gives_its_memory_back)
{
	static uint8_t big[70000];
	struct file *rd, *wr;
	uint64_t before;
	uint32_t size;
	size_t n;

	if (!KCHECK(pipe_create(O_NONBLOCK, &rd, &wr) == 0))
		return;
	file_drop(rd);
	file_drop(wr);
	before = kmem_bytes();
	if (!KCHECK(pipe_create(O_NONBLOCK, &rd, &wr) == 0))
		return;
	KCHECK(get(rd, big, 1, &n) == EAGAIN && n == 0);
	KCHECK(put(wr, big, sizeof(big), &n) == EAGAIN && n == 65536);
	KCHECK(put(wr, big, 1, &n) == EAGAIN && n == 0);
	KCHECK(pipe_size(rd, &size) == 0 && size == 65536);
	KCHECK(pipe_set_size(wr, 4096, &size) == EBUSY);
	KCHECK(get(rd, big, 61000, &n) == 0 && n == 61000);
	KCHECK(pipe_set_size(wr, 5000, &size) == 0 && size == 8192);
	KCHECK(get(rd, big, sizeof(big), &n) == 0 && n == 65536 - 61000);
	file_drop(rd);
	KCHECK(put(wr, big, 1, &n) == EPIPE && n == 0);
	file_drop(wr);
	KCHECK(kmem_bytes() == before);
}

/* ------------------------------------------------------------------- poll -- */

static _Atomic uint32_t notes;

static void
count_note(struct pollnote *n, uint32_t events)
{
	(void)n;
	(void)events;
	atomic_fetch_add(&notes, 1);
}

KTEST(a_poll_note_is_called_until_it_is_taken_back)
{
	struct pollnote note = { .pn_fn = count_note };
	struct file *rd, *wr;
	size_t n;

	if (!KCHECK(pipe_create(O_NONBLOCK, &rd, &wr) == 0))
		return;
	atomic_store(&notes, 0);
	KCHECK(file_poll(rd, &note) == 0);
	KCHECK(file_poll(wr, NULL) == (POLLOUT | POLLWRNORM));
	KCHECK(put(wr, "x", 1, &n) == 0);
	KCHECK(atomic_load(&notes) == 1);
	KCHECK(file_poll(rd, NULL) == (POLLIN | POLLRDNORM));
	poll_dequeue(&note);
	KCHECK(get(rd, &n, 1, &n) == 0);
	KCHECK(put(wr, "x", 1, &n) == 0);
	KCHECK(atomic_load(&notes) == 1);
	file_drop(wr);
	KCHECK(file_poll(rd, NULL) == (POLLIN | POLLRDNORM | POLLHUP));
	file_drop(rd);
}

/* ------------------------------------------------------------------ FIFOs -- */

static struct ncp *fifo_name;
static struct ends fifo;

static void
fifo_opener(void *arg)
{
	size_t n;

	(void)arg;
	KCHECK(file_open_name(fifo_name, O_WRONLY, &fifo.wr) == 0);
	KCHECK(put(fifo.wr, "abc", 3, &n) == 0 && n == 3);
	file_drop(fifo.wr);
	done_one(&fifo.fin);
}

KTEST(the_two_sides_of_a_fifo_wait_for_each_other)
{
	char buf[8];
	size_t n;

	fifo = (struct ends){ 0 };
	waitq_init(&fifo.fin.q);
	if (!KCHECK(name_create(vfs_root(), "a.fifo", 6, false, VFIFO, 0600, 0, &fifo_name) == 0))
		return;
	KCHECK(file_open_name(fifo_name, O_WRONLY | O_NONBLOCK, &fifo.wr) == ENXIO);
	start(fifo_opener, NULL);
	lwkt_yield();
	KCHECK(fifo.fin.n == 0);
	KCHECK(file_open_name(fifo_name, O_RDONLY, &fifo.rd) == 0);
	KCHECK(get(fifo.rd, buf, sizeof(buf), &n) == 0 && n == 3 && memcmp(buf, "abc", 3) == 0);
	KCHECK(done_wait(&fifo.fin, 1) == 0);
	KCHECK(get(fifo.rd, buf, sizeof(buf), &n) == 0 && n == 0);
	file_drop(fifo.rd);
	KCHECK(fifo_name->n_vnode->v_fifo == NULL);
	KCHECK(name_remove(vfs_root(), "a.fifo", 6, false, false) == 0);
	ncp_drop(fifo_name);
}

/* ------------------------------------------------------------------ locks -- */

static struct done lock_fin;

static void
lock_waiter(void *arg)
{
	KCHECK(lockf_flock(arg, LOCK_EX) == 0);
	done_one(&lock_fin);
}

KTEST(a_file_lock_is_waited_for_and_goes_with_its_file)
{
	struct file *a, *b, *c;
	struct ncp *n;

	lock_fin = (struct done){ 0 };
	waitq_init(&lock_fin.q);
	if (!KCHECK(name_create(vfs_root(), "a.lock", 6, false, VREG, 0600, 0, &n) == 0))
		return;
	KCHECK(file_open_name(n, O_RDWR, &a) == 0);
	KCHECK(file_open_name(n, O_RDWR, &b) == 0);
	KCHECK(file_open_name(n, O_RDWR, &c) == 0);
	KCHECK(lockf_flock(a, LOCK_SH) == 0);
	KCHECK(lockf_flock(b, LOCK_SH | LOCK_NB) == 0);
	KCHECK(lockf_flock(c, LOCK_EX | LOCK_NB) == EAGAIN);
	start(lock_waiter, c);
	file_drop(a);
	lwkt_yield();
	KCHECK(lock_fin.n == 0);
	KCHECK(lockf_flock(b, LOCK_UN) == 0);
	KCHECK(done_wait(&lock_fin, 1) == 0);
	KCHECK(lockf_flock(b, LOCK_SH | LOCK_NB) == EAGAIN);
	file_drop(c);
	KCHECK(lockf_flock(b, LOCK_SH | LOCK_NB) == 0);
	file_drop(b);
	KCHECK(name_remove(vfs_root(), "a.lock", 6, false, false) == 0);
	ncp_drop(n);
}

KTEST(files_are_counted_in_and_out_of_writers)
{
	struct file *a, *b;
	struct ncp *n;

	if (!KCHECK(name_create(vfs_root(), "a.text", 6, false, VREG, 0700, 0, &n) == 0))
		return;
	KCHECK(file_open_name(n, O_WRONLY, &a) == 0);
	KCHECK(file_open_name(n, O_RDONLY, &b) == 0);
	KCHECK(n->n_vnode->v_writers == 1);
	file_drop(a);
	KCHECK(n->n_vnode->v_writers == 0);
	atomic_fetch_add(&n->n_vnode->v_execs, 1);
	KCHECK(file_open_name(n, O_RDWR | O_TRUNC, &a) == ETXTBSY);
	KCHECK(n->n_vnode->v_writers == 0);
	atomic_fetch_sub(&n->n_vnode->v_execs, 1);
	file_drop(b);
	KCHECK(name_remove(vfs_root(), "a.text", 6, false, false) == 0);
	ncp_drop(n);
}

/* ----------------------------------------------------------------- timers -- */

/* A timer for an instant of the wall clock goes with that clock; one that asked for it is told. */
KTEST(setting_the_wall_clock_moves_its_timers)
{
	const nsec_t hour = 3600 * NSEC_PER_SEC;
	struct file *plain, *told, *relative;
	nsec_t left, interval;
	uint64_t ticks = 0;
	size_t n;

	if (!KCHECK(timerfd_create(true, O_NONBLOCK, &plain) == 0 && timerfd_create(true, O_NONBLOCK, &told) == 0 &&
	    timerfd_create(true, O_NONBLOCK, &relative) == 0))
		return;
	KCHECK(timerfd_set(plain, TFD_TIMER_ABSTIME, time_wall() + hour, 0, &left, &interval) == 0);
	KCHECK(timerfd_set(told, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, time_wall() + 3 * hour, 0,
	    &left, &interval) == 0);
	KCHECK(timerfd_set(relative, 0, hour, 0, &left, &interval) == 0);
	KCHECK(file_poll(plain, NULL) == 0 && file_poll(told, NULL) == 0);
	time_set_wall(time_wall() + 2 * hour);
	timerfd_wall_set();
	KCHECK(get(plain, &ticks, 8, &n) == 0 && ticks == 1);
	KCHECK((file_poll(told, NULL) & POLLIN) != 0);
	KCHECK(get(told, &ticks, 8, &n) == ECANCELED);
	KCHECK(get(told, &ticks, 8, &n) == EAGAIN);
	KCHECK(timerfd_get(told, &left, &interval) == 0 && left > 0 && left <= hour);
	KCHECK(get(relative, &ticks, 8, &n) == EAGAIN);
	time_set_wall(time_wall() - 2 * hour);
	timerfd_wall_set();
	file_drop(plain);
	file_drop(told);
	file_drop(relative);
}
