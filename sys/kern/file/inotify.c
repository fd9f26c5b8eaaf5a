/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inotify - a queue of what was done to watched files, as a file.
 *
 * An instance has watches (vfs/notify.h), which put events at the end of its
 * queue from wherever something happens, and readers, which take them from
 * its front.  Whoever did it is never made to wait: an event for which there
 * is no room is lost, and the event I_OVERFLOW says so, once.
 *
 * Invariants
 *   I1  a watch is in in_watches exactly while the table of watches has it;
 *       both change under the table's spin.
 *   I2  numbers of watches grow, and none is used twice by an instance: after
 *       NUMBERS_MAX there are no more.
 *   I3  in_count and in_bytes are sums over in_events; in_over is in it at
 *       most once.
 *
 * Locking: in_spin, inside the table's.  Events are made under both, without
 * waiting for memory.
 *
 * Bounds: a user's instances and watches, an instance's events
 * (/proc/sys/fs/inotify); and for all together, because none of this goes
 * with a process's memory, a part of RAM each: ENOSPC, or lost events.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <abi/poll.h>
#include <core/rt/rbtree.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/file/event.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>
#include <sys/proc/cred.h>
#include <sys/proc/signal.h>
#include <sys/proc/ucount.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define WATCH_BYTES	1024u		/* what a watch costs, with the file that it keeps */
#define USER_SHARE	100u		/* of RAM: a user's watches unless the administrator says otherwise */
#define ALL_SHARE	25u		/* all watches, and all events */
#define WATCHES_LEAST	8192u
#define WATCHES_MOST	1048576u
#define NUMBERS_MAX	(INT32_MAX - 65536)	/* leaves room for threads that are about to take one */
#define NAME_ROUND	sizeof(struct k_inotify_event)

struct event {
	struct list	e_link;		/* [in_spin] */
	struct k_inotify_event e_head;	/* const */
	uint32_t	e_namelen;	/* const */
	char		e_name[];	/* const: e_head.len bytes */
};
struct inotify {
	struct spin	in_spin;
	struct rb_tree	in_watches;	/* [in_spin, table] I1 */
	_Atomic int32_t	in_last;	/* [in_spin to change] I2 */
	struct list	in_events;	/* [in_spin] */
	uint32_t	in_count;	/* [in_spin] I3 */
	uint64_t	in_bytes;	/* [in_spin] I3: as a reader gets them */
	uint32_t	in_max;		/* const: events */
	struct event	*in_over;	/* const: I_OVERFLOW */
	struct ucount	*in_user;	/* const: charged for the instance */
	struct waitq	in_waitq;
	struct pollhead	in_poll;
};
struct iwatch {
	struct watch	iw_watch;
	struct rb_node	iw_node;	/* [in_spin, table] */
	struct inotify	*iw_in;		/* const: outlives it */
	struct ucount	*iw_user;	/* const: charged */
};

static const struct file_ops inotify_ops;
static _Atomic uint64_t limits[INOTIFY_LIMITS];	/* [atomic] */
static _Atomic uint64_t all_watches, all_bytes;	/* [atomic] bounded by all_max */
static uint64_t all_max;			/* const after boot: bytes, of watches and of events */

static struct inotify *
inotify_of(struct file *fp)
{
	return fp->f_ops == &inotify_ops ? fp->f_data : NULL;
}

/* ------------------------------------------------------------------- queue -- */

static struct event *
event_make(int32_t wd, uint32_t mask, uint32_t cookie, const char *name, size_t len, uint32_t km)
{
	uint32_t room = len == 0 ? 0 : (uint32_t)((len / NAME_ROUND + 1) * NAME_ROUND);
	uint64_t bytes = sizeof(struct event) + room;
	struct event *e = NULL;

	if (atomic_fetch_add_explicit(&all_bytes, bytes, memory_order_relaxed) + bytes <= all_max)
		e = kmalloc(bytes, km | KM_ZERO);
	if (e == NULL) {
		atomic_fetch_sub_explicit(&all_bytes, bytes, memory_order_relaxed);
		return NULL;
	}
	list_init(&e->e_link);
	e->e_head = (struct k_inotify_event){ wd, mask, cookie, room };
	e->e_namelen = (uint32_t)len;
	if (len > 0)
		memcpy(e->e_name, name, len);
	return e;
}

static uint64_t
event_bytes(const struct event *e)
{
	return sizeof(e->e_head) + e->e_head.len;
}

static void
event_free(struct event *e)
{
	atomic_fetch_sub_explicit(&all_bytes, sizeof(*e) + e->e_head.len, memory_order_relaxed);
	kfree(e);
}

/* Would it say again what the last one says? */
static bool
is_repeated(const struct inotify *in, int32_t wd, uint32_t mask, const char *name, size_t len)
{
	const struct event *e = list_last(&in->in_events, struct event, e_link);

	return e != NULL && e->e_head.mask == mask && e->e_head.wd == wd && mask != IN_IGNORED &&
	    e->e_namelen == len && (len == 0 || memcmp(e->e_name, name, len) == 0);
}

static void
queue(struct inotify *in, int32_t wd, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
	struct event *e = NULL;

	spin_lock(&in->in_spin);
	if (in->in_count < in->in_max) {
		if (is_repeated(in, wd, mask, name, len)) {
			spin_unlock(&in->in_spin);
			return;
		}
		e = event_make(wd, mask, cookie, name, len, 0);
	}
	if (e == NULL && list_empty(&in->in_over->e_link))
		e = in->in_over;
	if (e != NULL) {
		list_push_back(&in->in_events, &e->e_link);
		in->in_count++;
		in->in_bytes += event_bytes(e);
	}
	spin_unlock(&in->in_spin);
	if (e == NULL)
		return;
	wake_all(&in->in_waitq);
	poll_notify(&in->in_poll, POLLIN | POLLRDNORM);
}

/* The first event, if it is no longer than `room`: its bytes are in *bytes, 0 if there is none. */
static struct event *
take_first(struct inotify *in, uint64_t room, uint64_t *bytes)
{
	struct event *e;

	spin_lock(&in->in_spin);
	e = list_first(&in->in_events, struct event, e_link);
	*bytes = e != NULL ? event_bytes(e) : 0;
	if (*bytes > room)
		e = NULL;
	if (e != NULL) {
		list_remove(&e->e_link);
		in->in_count--;
		in->in_bytes -= *bytes;
	}
	spin_unlock(&in->in_spin);
	return e;
}

/* ----------------------------------------------------------------- watches -- */

static struct iwatch *
iwatch_of(struct watch *w)
{
	return rb_entry(w, struct iwatch, iw_watch);
}

static void
watch_begin(struct watch *w)
{
	struct iwatch *iw = iwatch_of(w);
	struct inotify *in = iw->iw_in;
	struct rb_node *last;

	spin_lock(&in->in_spin);
	w->w_id = ++in->in_last;
	last = rb_last(&in->in_watches);		/* I2: behind all others */
	rb_insert(&in->in_watches, &iw->iw_node, last,
	    last != NULL ? &last->rb_right : &in->in_watches.rb_root);
	spin_unlock(&in->in_spin);
}

static void
watch_event(struct watch *w, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
	queue(iwatch_of(w)->iw_in, w->w_id, mask, cookie, name, len);
}

static void
iwatch_free(struct iwatch *iw)
{
	ucount_give(iw->iw_user, UC_WATCHES, 1);
	atomic_fetch_sub_explicit(&all_watches, 1, memory_order_relaxed);
	kfree(iw);
}

static void
watch_end(struct watch *w)
{
	struct iwatch *iw = iwatch_of(w);
	struct inotify *in = iw->iw_in;

	queue(in, w->w_id, IN_IGNORED, 0, NULL, 0);
	spin_lock(&in->in_spin);
	rb_remove(&in->in_watches, &iw->iw_node);
	spin_unlock(&in->in_spin);
	iwatch_free(iw);
}

static const struct watch_ops watch_ops = {
	.wo_begin = watch_begin,
	.wo_event = watch_event,
	.wo_end = watch_end,
};

static int
iwatch_make(struct inotify *in, uint32_t mask, struct iwatch **out)
{
	struct iwatch *iw = kmalloc(sizeof(*iw), KM_WAIT | KM_ZERO);
	int error;

	if (iw == NULL)
		return ENOMEM;
	error = ucount_take(UC_WATCHES, 1, limits[INOTIFY_WATCHES], &iw->iw_user);
	if (error != 0) {
		kfree(iw);
		return error == EAGAIN ? ENOSPC : error;
	}
	if (atomic_fetch_add_explicit(&all_watches, 1, memory_order_relaxed) >= all_max / WATCH_BYTES) {
		iwatch_free(iw);
		return ENOSPC;
	}
	list_init(&iw->iw_watch.w_chain);
	iw->iw_watch.w_ops = &watch_ops;
	iw->iw_watch.w_owner = in;
	iw->iw_watch.w_mask = mask;
	iw->iw_in = in;
	*out = iw;
	return 0;
}

/* A watch that is refused has had its number already, as Linux's has. */
static void
number_lost(struct inotify *in)
{
	spin_lock(&in->in_spin);
	in->in_last++;
	spin_unlock(&in->in_spin);
}

int
inotify_watch(struct file *fp, struct vnode *vn, uint32_t mask, int32_t *wd)
{
	const uint32_t kept = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT | IN_MASK_ADD | IN_MASK_CREATE;
	struct inotify *in = inotify_of(fp);
	struct iwatch *iw;
	bool used;
	int error;

	ASSERT(in != NULL);
	if (in->in_last >= NUMBERS_MAX)
		return ENOSPC;
	error = iwatch_make(in, mask & kept, &iw);
	if (error == ENOSPC)
		number_lost(in);
	if (error != 0)
		return error;
	error = notify_watch(vn, &iw->iw_watch, wd, &used);
	if (!used)
		iwatch_free(iw);
	return error;
}

/* The watch with the smallest number >= wd.  Its vnode is no more than the key to find it again. */
static bool
next_watch(struct inotify *in, int32_t *wd, const struct vnode **vn)
{
	struct iwatch *found = NULL;

	spin_lock(&in->in_spin);
	for (struct rb_node *n = in->in_watches.rb_root; n != NULL;) {
		struct iwatch *iw = rb_entry(n, struct iwatch, iw_node);

		if (iw->iw_watch.w_id >= *wd)
			found = iw;
		n = iw->iw_watch.w_id > *wd ? n->rb_left : iw->iw_watch.w_id < *wd ? n->rb_right : NULL;
	}
	if (found != NULL) {
		*wd = found->iw_watch.w_id;
		*vn = found->iw_watch.w_vnode;
	}
	spin_unlock(&in->in_spin);
	return found != NULL;
}

int
inotify_unwatch(struct file *fp, int32_t wd)
{
	struct inotify *in = inotify_of(fp);
	const struct vnode *vn;
	int32_t at = wd;

	if (in == NULL || wd < 0 || !next_watch(in, &at, &vn) || at != wd)
		return EINVAL;
	return notify_unwatch(vn, in, wd);
}

struct vnode *
inotify_next(struct file *fp, int32_t *wd, uint32_t *mask)
{
	struct inotify *in = inotify_of(fp);
	const struct vnode *vn;

	return in != NULL && next_watch(in, wd, &vn) ? notify_find(vn, in, *wd, mask) : NULL;
}

/* -------------------------------------------------------------------- file -- */

static bool
has_events(struct inotify *in)
{
	bool any;

	spin_lock(&in->in_spin);
	any = !list_empty(&in->in_events);
	spin_unlock(&in->in_spin);
	return any;
}

static int
event_out(struct inotify *in, struct event *e, struct uio *u)
{
	int error = uio_move(&e->e_head, sizeof(e->e_head), u);

	if (error == 0 && e->e_head.len > 0)
		error = uio_move(e->e_name, e->e_head.len, u);
	if (e != in->in_over)
		event_free(e);
	return error;
}

/* As many as there are and fit.  One that cannot be written to the program is lost, and the call fails. */
static int
inotify_read(struct file *fp, struct uio *u)
{
	struct inotify *in = fp->f_data;
	uint64_t wanted = u->u_resid, bytes;
	struct event *e;
	int error = 0;

	for (;;) {
		while ((e = take_first(in, u->u_resid, &bytes)) != NULL) {
			if ((error = event_out(in, e, u)) != 0) {
				u->u_resid = wanted;
				return error;
			}
		}
		if (u->u_resid < wanted)
			return 0;
		if (bytes > 0)
			return EINVAL;
		if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
			return EAGAIN;
		WAIT_FOR(&in->in_waitq, has_events(in), NSEC_NEVER, WAIT_INTR, error);
		if (error != 0)
			return error == EINTR ? ERESTARTSYS : error;
	}
}

static uint32_t
inotify_poll(struct file *fp, struct pollnote *note)
{
	struct inotify *in = fp->f_data;

	poll_queue(&in->in_poll, note);
	return has_events(in) ? POLLIN | POLLRDNORM : 0;
}

static int
inotify_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct inotify *in = fp->f_data;
	int32_t bytes;

	(void)result;
	if (cmd != FIONREAD)
		return ENOTTY;
	spin_lock(&in->in_spin);
	bytes = (int32_t)in->in_bytes;
	spin_unlock(&in->in_spin);
	return copyout(arg, &bytes, sizeof(bytes));
}

static void
inotify_close(struct file *fp)
{
	struct inotify *in = fp->f_data;
	const struct vnode *vn;
	uint64_t bytes;
	struct event *e;

	for (int32_t wd = 0; next_watch(in, &wd, &vn);) {
		(void)notify_unwatch(vn, in, wd);
		lwkt_poll();
	}
	while ((e = take_first(in, UINT64_MAX, &bytes)) != NULL)
		if (e != in->in_over)
			event_free(e);
	event_free(in->in_over);
	ucount_give(in->in_user, UC_INOTIFY, 1);
	kfree(in);
}

static const struct file_ops inotify_ops = {
	.fo_read = inotify_read,
	.fo_poll = inotify_poll,
	.fo_ioctl = inotify_ioctl,
	.fo_stat = anon_stat,
	.fo_close = inotify_close,
	.fo_name = "inotify",
};

int
inotify_create(uint32_t flags, struct file **out)
{
	struct inotify *in = kmalloc(sizeof(*in), KM_ZERO | KM_WAIT);
	int error;

	if (in == NULL)
		return ENOMEM;
	spin_init(&in->in_spin, LR_inotify);
	list_init(&in->in_events);
	waitq_init(&in->in_waitq);
	pollhead_init(&in->in_poll);
	in->in_max = (uint32_t)limits[INOTIFY_EVENTS];
	error = ucount_take(UC_INOTIFY, 1, limits[INOTIFY_INSTANCES], &in->in_user);
	if (error != 0) {
		kfree(in);
		return error == EAGAIN ? EMFILE : error;
	}
	in->in_over = event_make(-1, IN_Q_OVERFLOW, 0, NULL, 0, KM_WAIT);
	error = in->in_over == NULL ? ENOMEM :
	    file_create(&inotify_ops, O_RDONLY | (flags & O_NONBLOCK), in, out);
	if (error == 0)
		return 0;
	if (in->in_over != NULL)
		event_free(in->in_over);
	ucount_give(in->in_user, UC_INOTIFY, 1);
	kfree(in);
	return error;
}

bool
file_is_inotify(struct file *fp)
{
	return inotify_of(fp) != NULL;
}

/* ------------------------------------------------------------------ limits -- */

uint64_t
inotify_limit(enum inotify_limit which)
{
	return limits[which];
}

int
inotify_set_limit(enum inotify_limit which, uint64_t value)
{
	if (value > INT32_MAX)
		return EINVAL;
	limits[which] = value;
	return 0;
}

void
inotify_init(void)
{
	uint64_t ram = md_boot()->b_ram_bytes;

	limits[INOTIFY_INSTANCES] = 128;
	limits[INOTIFY_EVENTS] = 16384;
	limits[INOTIFY_WATCHES] = rt_min(rt_max(ram / USER_SHARE / WATCH_BYTES, WATCHES_LEAST), WATCHES_MOST);
	all_max = rt_max(ram / ALL_SHARE, WATCHES_LEAST * WATCH_BYTES);
}
