/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll - waiting for many files without naming them each time.
 *
 * An item binds a file to an epoll with a poll note that stays queued.  The
 * note puts the item on the ready list; a waiter takes items off it, asks
 * each file what is true now, and puts those back that are level-triggered
 * and still true.
 *
 * Invariants
 *   E1  an item is in its epoll's tree and on its file's f_watch list from
 *       its making to its end, both changed under ep_lk.
 *   E2  an item does not hold its file: the last close of the file ends it
 *       (epoll_file_gone), and waits for ep_lk to do so, so under ep_lk an
 *       item's file is there.
 *   E3  an item is off the ready list when its file is asked, so a change
 *       after the answer puts it on again.
 *
 * Locking: ep_lk, then a file's f_watch_spin; ep_spin for the ready list,
 * taken inside a pollhead's spin by notes.
 * Bounds: ITEMS_MAX in all, ENOSPC beyond.
 * Not here: an epoll in an epoll (EINVAL), so notes never chase each other.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rbtree.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/epoll.h>
#include <sys/lwkt/lock.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/kmem.h>

#define ITEMS_MAX	65536u
#define CONTROL_BITS	(EPOLLET | EPOLLONESHOT)
#define ALWAYS		(POLLERR | POLLHUP)

struct epoll {
	_Atomic uint32_t ep_refs;	/* [atomic] the file, and who is about to end an item */
	struct lk	ep_lk;
	struct rb_tree	ep_items;	/* [ep_lk] by descriptor and file */
	struct spin	ep_spin;
	struct list	ep_ready;	/* [ep_spin] */
	uint32_t	ep_nready;	/* [ep_spin] */
	struct waitq	ep_waitq;
	struct pollhead	ep_poll;
};
struct item {
	struct pollnote	it_note;
	struct rb_node	it_node;	/* [ep_lk] */
	struct list	it_ready;	/* [ep_spin] */
	struct list	it_watch;	/* [file's f_watch_spin] */
	struct epoll	*it_ep;		/* const */
	struct file	*it_file;	/* const: E2 */
	int		it_fd;		/* const */
	_Atomic uint32_t it_events;	/* [ep_lk to change]; 0 after a one-shot */
	uint64_t	it_data;	/* [ep_lk] */
};

static const struct file_ops epoll_ops;
static _Atomic uint32_t epoll_items;	/* of all epolls */

static void
epoll_drop(struct epoll *ep)
{
	if (atomic_fetch_sub(&ep->ep_refs, 1) == 1)
		kfree(ep);
}

static void
item_make_ready(struct item *it)
{
	struct epoll *ep = it->it_ep;
	bool news;

	spin_lock(&ep->ep_spin);
	news = list_empty(&it->it_ready);
	if (news) {
		list_push_back(&ep->ep_ready, &it->it_ready);
		ep->ep_nready++;
	}
	spin_unlock(&ep->ep_spin);
	if (!news)
		return;
	wake_all(&ep->ep_waitq);
	poll_notify(&ep->ep_poll, POLLIN | POLLRDNORM);
}

static void
item_note(struct pollnote *n, uint32_t events)
{
	struct item *it = container_of(n, struct item, it_note);
	uint32_t want = atomic_load(&it->it_events);

	if (want != 0 && (events == 0 || (events & (want | ALWAYS)) != 0))
		item_make_ready(it);
}

static void
item_unready(struct item *it)
{
	struct epoll *ep = it->it_ep;

	spin_lock(&ep->ep_spin);
	if (!list_empty(&it->it_ready)) {
		list_remove(&it->it_ready);
		ep->ep_nready--;
	}
	spin_unlock(&ep->ep_spin);
}

static int
item_compare(const struct item *it, int fd, const struct file *fp)
{
	if (it->it_fd != fd)
		return fd < it->it_fd ? -1 : 1;
	return fp == it->it_file ? 0 : fp < it->it_file ? -1 : 1;
}

/* The item, or NULL with the place for it. */
static struct item *
item_find(struct epoll *ep, int fd, const struct file *fp, struct rb_node **parent, struct rb_node ***link)
{
	struct item *it;
	int c;

	ASSERT(lk_held_excl(&ep->ep_lk));
	*parent = NULL;
	*link = &ep->ep_items.rb_root;
	while (**link != NULL) {
		it = rb_entry(**link, struct item, it_node);
		if ((c = item_compare(it, fd, fp)) == 0)
			return it;
		*parent = **link;
		*link = c < 0 ? &(**link)->rb_left : &(**link)->rb_right;
	}
	return NULL;
}

/* The end of an item: E1.  After poll_dequeue no note of it can run. */
static void
item_end(struct item *it)
{
	ASSERT(lk_held_excl(&it->it_ep->ep_lk));
	poll_dequeue(&it->it_note);
	item_unready(it);
	rb_remove(&it->it_ep->ep_items, &it->it_node);
	spin_lock(&it->it_file->f_watch_spin);
	list_remove(&it->it_watch);
	spin_unlock(&it->it_file->f_watch_spin);
	kfree(it);
	atomic_fetch_sub(&epoll_items, 1);
}

static int
item_add(struct epoll *ep, int fd, struct file *fp, const struct k_epoll_event *ev)
{
	struct rb_node *parent, **link;
	struct item *it;

	if (item_find(ep, fd, fp, &parent, &link) != NULL)
		return EEXIST;
	if (atomic_fetch_add(&epoll_items, 1) >= ITEMS_MAX) {
		atomic_fetch_sub(&epoll_items, 1);
		return ENOSPC;
	}
	if ((it = kmalloc(sizeof(*it), KM_ZERO | KM_WAIT)) == NULL) {
		atomic_fetch_sub(&epoll_items, 1);
		return ENOMEM;
	}
	it->it_note.pn_fn = item_note;
	it->it_ep = ep;
	it->it_file = fp;
	it->it_fd = fd;
	it->it_data = ev->data;
	atomic_init(&it->it_events, ev->events | ALWAYS);
	list_init(&it->it_ready);
	list_init(&it->it_note.pn_link);
	rb_insert(&ep->ep_items, &it->it_node, parent, link);
	spin_lock(&fp->f_watch_spin);
	list_push_back(&fp->f_watch, &it->it_watch);
	fp->f_watched = true;
	spin_unlock(&fp->f_watch_spin);
	if ((file_poll(fp, &it->it_note) & (ev->events | ALWAYS)) != 0)
		item_make_ready(it);
	return 0;
}

/* Only what may make somebody wait can be waited for. */
static bool
can_watch(const struct file *fp)
{
	const struct vnode *vn = fp->f_vnode;

	if (fp->f_ops->fo_poll == NULL)
		return false;
	return fp->f_ops != &vnode_file_ops || (vn->v_type != VREG && vn->v_type != VDIR && vn->v_ops->vop_poll != NULL);
}

int
epoll_change(struct file *epfp, int op, int fd, struct file *target, const struct k_epoll_event *ev)
{
	struct rb_node *parent, **link;
	struct epoll *ep = epfp->f_data;
	struct item *it;
	int error = 0;

	if (!can_watch(target))
		return EPERM;
	if (epfp->f_ops != &epoll_ops || target->f_ops == &epoll_ops)
		return EINVAL;
	lk_excl(&ep->ep_lk);
	it = item_find(ep, fd, target, &parent, &link);
	if (op == EPOLL_CTL_ADD) {
		error = item_add(ep, fd, target, ev);
	} else if (it == NULL) {
		error = ENOENT;
	} else if (op == EPOLL_CTL_DEL) {
		item_end(it);
	} else {
		it->it_data = ev->data;
		atomic_store(&it->it_events, ev->events | ALWAYS);
		if ((file_poll(target, NULL) & (ev->events | ALWAYS)) != 0)
			item_make_ready(it);
	}
	lk_release(&ep->ep_lk);
	return error;
}

static struct item *
ready_take(struct epoll *ep)
{
	struct item *it;

	spin_lock(&ep->ep_spin);
	it = list_first(&ep->ep_ready, struct item, it_ready);
	if (it != NULL) {
		list_remove(&it->it_ready);
		ep->ep_nready--;
	}
	spin_unlock(&ep->ep_spin);
	return it;
}

/* What is ready now: each item that was on the list is looked at once. */
static uint32_t
epoll_look(struct epoll *ep, struct k_epoll_event *ev, uint32_t max)
{
	uint32_t n = 0, left, events, got;
	struct item *it;

	lk_excl(&ep->ep_lk);
	spin_lock(&ep->ep_spin);
	left = ep->ep_nready;
	spin_unlock(&ep->ep_spin);
	for (; left > 0 && n < max && (it = ready_take(ep)) != NULL; left--) {
		events = atomic_load(&it->it_events);
		got = events == 0 ? 0 : file_poll(it->it_file, NULL) & events & ~CONTROL_BITS;
		if (got != 0) {
			ev[n++] = (struct k_epoll_event){ got, it->it_data };
			if ((events & EPOLLONESHOT) != 0)
				atomic_store(&it->it_events, 0);
			else if ((events & EPOLLET) == 0)
				item_make_ready(it);
		}
		if (left % 64 == 0)
			lwkt_poll();
	}
	lk_release(&ep->ep_lk);
	return n;
}

/* The same, into an array for all that may be ready now; what becomes ready later is for the next call. */
static int
epoll_take(struct epoll *ep, uint32_t max, struct k_epoll_event **ev, uint32_t *n)
{
	spin_lock(&ep->ep_spin);
	max = (uint32_t)rt_min((uint64_t)max, ep->ep_nready);
	spin_unlock(&ep->ep_spin);
	if (max == 0)
		return 0;
	*ev = kmalloc_array(max, sizeof(**ev), KM_WAIT);
	if (*ev == NULL)
		return ENOMEM;
	*n = epoll_look(ep, *ev, max);
	if (*n == 0)
		kfree(*ev);
	return 0;
}

int
epoll_collect(struct file *epfp, uint32_t max, nsec_t deadline, struct k_epoll_event **ev, uint32_t *n)
{
	struct epoll *ep = epfp->f_data;
	struct waiter w;
	int error = 0, nomem;

	*n = 0;
	if (epfp->f_ops != &epoll_ops)
		return EINVAL;
	wait_begin(&ep->ep_waitq, &w);
	while ((nomem = epoll_take(ep, max, ev, n)) == 0 && *n == 0 && deadline != 0 && error == 0)
		error = wait_sleep(&w, deadline, WAIT_INTR);
	wait_end(&w);
	if (nomem != 0)
		return nomem;
	return error == ETIMEDOUT || *n > 0 ? 0 : error;
}

/* The first item that watches fp, of any epoll or of `ep`, whose ep_lk then keeps it; *of is its epoll, held. */
static struct item *
item_watching(struct file *fp, const struct epoll *ep, struct epoll **of)
{
	struct item *found = NULL;

	spin_lock(&fp->f_watch_spin);
	list_foreach(it, &fp->f_watch, struct item, it_watch) {
		if (ep == NULL || it->it_ep == ep) {
			found = it;
			if (of != NULL) {
				*of = it->it_ep;
				atomic_fetch_add(&it->it_ep->ep_refs, 1);
			}
			break;
		}
	}
	spin_unlock(&fp->f_watch_spin);
	return found;
}

void
epoll_file_gone(struct file *fp)
{
	struct item *it;
	struct epoll *ep;

	while (item_watching(fp, NULL, &ep) != NULL) {
		lk_excl(&ep->ep_lk);
		/* Others may have ended it before we had the lock. */
		if ((it = item_watching(fp, ep, NULL)) != NULL)
			item_end(it);
		lk_release(&ep->ep_lk);
		epoll_drop(ep);
	}
}

static uint32_t
epoll_poll(struct file *fp, struct pollnote *note)
{
	struct epoll *ep = fp->f_data;
	bool ready;

	poll_queue(&ep->ep_poll, note);
	spin_lock(&ep->ep_spin);
	ready = ep->ep_nready > 0;
	spin_unlock(&ep->ep_spin);
	return ready ? POLLIN | POLLRDNORM : 0;
}

static void
epoll_close(struct file *fp)
{
	struct epoll *ep = fp->f_data;
	struct rb_node *n;

	lk_excl(&ep->ep_lk);
	while ((n = rb_first(&ep->ep_items)) != NULL)
		item_end(rb_entry(n, struct item, it_node));
	lk_release(&ep->ep_lk);
	epoll_drop(ep);
}

static const struct file_ops epoll_ops = {
	.fo_poll = epoll_poll,
	.fo_stat = anon_stat,
	.fo_close = epoll_close,
	.fo_name = "[eventpoll]",
};

int
epoll_create(struct file **out)
{
	struct epoll *ep = kmalloc(sizeof(*ep), KM_ZERO | KM_WAIT);
	int error;

	if (ep == NULL)
		return ENOMEM;
	atomic_init(&ep->ep_refs, 1);
	lk_init(&ep->ep_lk, LR_epoll);
	spin_init(&ep->ep_spin, LR_epoll_ready);
	list_init(&ep->ep_ready);
	waitq_init(&ep->ep_waitq);
	pollhead_init(&ep->ep_poll);
	if ((error = file_create(&epoll_ops, O_RDWR, ep, out)) != 0)
		kfree(ep);
	return error;
}
