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
 *   E3  an item that is taken off the ready list because its file said no was
 *       off it, or not marked again (it_again), since before the file was asked.
 *   E4  epolls that watch epolls make no circle, and no chain longer than
 *       NEST_MAX: notes, and questions, go along those.  What is true of all of
 *       them together changes under nest_lk.
 *
 * Locking: nest_lk, ep_lk, that of an epoll in it, then a file's f_watch_spin;
 * ep_spin for the ready list, taken inside a pollhead's spin by notes.
 * Bounds: ITEMS_MAX in all, ENOSPC beyond.  A note goes on to who watches the epoll
 * only if the item was not ready before, so one change costs no more than all items.
 * Not here: EPOLLEXCLUSIVE wakes as many as any other; EPOLLWAKEUP, as nothing sleeps.
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
#define CONTROL_BITS	(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define ALWAYS		(POLLERR | POLLHUP)
#define WITH_EXCLUSIVE	(POLLIN | POLLOUT | ALWAYS | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define NEST_MAX	5u		/* epolls in a chain */

struct epoll {
	_Atomic uint32_t ep_refs;	/* [atomic] the file, and who is about to end an item */
	struct lk	ep_lk;
	struct rb_tree	ep_items;	/* [ep_lk] by descriptor and file */
	struct spin	ep_spin;
	struct list	ep_ready;	/* [ep_spin] */
	uint32_t	ep_nready;	/* [ep_spin] */
	struct waitq	ep_waitq;
	struct pollhead	ep_poll;
	struct list	ep_inner;	/* [nest_lk] items that are epolls */
	struct list	ep_outer;	/* [nest_lk] items that it is, of others */
	uint64_t	ep_visit;	/* [nest_lk] the last walk that came by, */
	uint32_t	ep_chain;	/* [nest_lk] and what it found */
};
struct item {
	struct pollnote	it_note;
	struct rb_node	it_node;	/* [ep_lk] */
	struct list	it_ready;	/* [ep_spin] */
	bool		it_again;	/* [ep_spin] put on the ready list, or found there, since it was looked at */
	struct list	it_watch;	/* [file's f_watch_spin] */
	struct list	it_inner;	/* [nest_lk] on it_ep's ep_inner, if its file is an epoll */
	struct list	it_outer;	/* [nest_lk] and on that one's ep_outer */
	struct epoll	*it_ep;		/* const */
	struct file	*it_file;	/* const: E2 */
	int		it_fd;		/* const */
	_Atomic uint32_t it_events;	/* [ep_lk to change]; 0 after a one-shot */
	uint64_t	it_data;	/* [ep_lk] */
};

static const struct file_ops epoll_ops;
static _Atomic uint32_t epoll_items;	/* of all epolls */
static struct lk nest_lk;
static uint64_t nest_visits;		/* [nest_lk] */

static bool
is_epoll(const struct file *fp)
{
	return fp->f_ops == &epoll_ops;
}

static void
epoll_drop(struct epoll *ep)
{
	if (atomic_fetch_sub(&ep->ep_refs, 1) == 1)
		kfree(ep);
}

/* false: it was on the list before. */
static bool
item_put(struct item *it)
{
	struct epoll *ep = it->it_ep;
	bool news;

	spin_lock(&ep->ep_spin);
	news = list_empty(&it->it_ready);
	it->it_again = true;
	if (news) {
		list_push_back(&ep->ep_ready, &it->it_ready);
		ep->ep_nready++;
	}
	spin_unlock(&ep->ep_spin);
	if (news)
		wake_all(&ep->ep_waitq);
	return news;
}

static void
item_make_ready(struct item *it)
{
	if (item_put(it))
		poll_notify(&it->it_ep->ep_poll, POLLIN | POLLRDNORM);
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
	ASSERT(lk_held_excl(&it->it_ep->ep_lk) && (!is_epoll(it->it_file) || lk_held_excl(&nest_lk)));
	list_remove(&it->it_inner);
	list_remove(&it->it_outer);
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
	list_init(&it->it_inner);
	list_init(&it->it_outer);
	list_init(&it->it_note.pn_link);
	if (is_epoll(fp)) {
		struct epoll *inner = fp->f_data;

		list_push_back(&ep->ep_inner, &it->it_inner);
		list_push_back(&inner->ep_outer, &it->it_outer);
	}
	rb_insert(&ep->ep_items, &it->it_node, parent, link);
	spin_lock(&fp->f_watch_spin);
	list_push_back(&fp->f_watch, &it->it_watch);
	fp->f_watched = true;
	spin_unlock(&fp->f_watch_spin);
	if ((file_poll(fp, &it->it_note) & (ev->events | ALWAYS)) != 0)
		item_make_ready(it);
	return 0;
}

/* Epolls in the longest chain from `ep` to those in it.  [nest_lk] */
static uint32_t
chain_down(struct epoll *ep)
{
	if (ep->ep_visit == nest_visits)
		return ep->ep_chain;
	ep->ep_chain = 1;
	list_foreach(it, &ep->ep_inner, struct item, it_inner) {
		ep->ep_chain = (uint32_t)rt_max(ep->ep_chain, 1 + chain_down(it->it_file->f_data));
		lwkt_poll();
	}
	ep->ep_visit = nest_visits;
	return ep->ep_chain;
}

/* The same from `ep` to those that it is in. */
static uint32_t
chain_up(struct epoll *ep)
{
	if (ep->ep_visit == nest_visits)
		return ep->ep_chain;
	ep->ep_chain = 1;
	list_foreach(it, &ep->ep_outer, struct item, it_outer) {
		ep->ep_chain = (uint32_t)rt_max(ep->ep_chain, 1 + chain_up(it->it_ep));
		lwkt_poll();
	}
	ep->ep_visit = nest_visits;
	return ep->ep_chain;
}

/* May `ep` watch `inner`?  E4.  [nest_lk] */
static int
nest_check(struct epoll *ep, struct epoll *inner)
{
	uint32_t below;

	nest_visits++;
	below = chain_down(inner);
	if (ep->ep_visit == nest_visits)
		return ELOOP;		/* it is below already */
	nest_visits++;
	return below + chain_up(ep) > NEST_MAX ? ELOOP : 0;
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

/* [nest_lk if target is an epoll] */
static int
change(struct epoll *ep, int op, int fd, struct file *target, const struct k_epoll_event *ev)
{
	struct rb_node *parent, **link;
	struct item *it;
	int error = 0;

	if (op == EPOLL_CTL_ADD && is_epoll(target) && (error = nest_check(ep, target->f_data)) != 0)
		return error;
	lk_excl(&ep->ep_lk);
	it = item_find(ep, fd, target, &parent, &link);
	if (op == EPOLL_CTL_ADD) {
		error = item_add(ep, fd, target, ev);
	} else if (it == NULL) {
		error = ENOENT;
	} else if (op == EPOLL_CTL_DEL) {
		item_end(it);
	} else if ((atomic_load(&it->it_events) & EPOLLEXCLUSIVE) != 0) {
		error = EINVAL;
	} else {
		it->it_data = ev->data;
		atomic_store(&it->it_events, ev->events | ALWAYS);
		if ((file_poll(target, NULL) & (ev->events | ALWAYS)) != 0)
			item_make_ready(it);
	}
	lk_release(&ep->ep_lk);
	return error;
}

int
epoll_change(struct file *epfp, int op, int fd, struct file *target, const struct k_epoll_event *ev)
{
	int error;

	if (!can_watch(target))
		return EPERM;
	if (!is_epoll(epfp) || epfp == target)
		return EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE) != 0 &&
	    (op == EPOLL_CTL_MOD || is_epoll(target) || (ev->events & ~WITH_EXCLUSIVE) != 0))
		return EINVAL;
	if (is_epoll(target))
		lk_excl(&nest_lk);
	error = change(epfp->f_data, op, fd, target, ev);
	if (is_epoll(target))
		lk_release(&nest_lk);
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

static uint32_t
item_ask(struct item *it)
{
	uint32_t events = atomic_load(&it->it_events);

	return events == 0 ? 0 : file_poll(it->it_file, NULL) & events & ~CONTROL_BITS;
}

/* The first on the ready list, which stays there. */
static struct item *
ready_first(struct epoll *ep)
{
	struct item *it;

	spin_lock(&ep->ep_spin);
	it = list_first(&ep->ep_ready, struct item, it_ready);
	if (it != NULL)
		it->it_again = false;
	spin_unlock(&ep->ep_spin);
	return it;
}

/* Is something ready?  What is not goes off the list: E3. */
static bool
any_ready(struct epoll *ep)
{
	struct item *it;

	ASSERT(lk_held_excl(&ep->ep_lk));
	while ((it = ready_first(ep)) != NULL) {
		if (item_ask(it) != 0)
			return true;
		spin_lock(&ep->ep_spin);
		if (!it->it_again) {
			list_remove(&it->it_ready);
			ep->ep_nready--;
		}
		spin_unlock(&ep->ep_spin);
		lwkt_poll();
	}
	return false;
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
		if ((got = item_ask(it)) != 0) {
			ev[n++] = (struct k_epoll_event){ got, it->it_data };
			if ((events & EPOLLONESHOT) != 0)
				atomic_store(&it->it_events, 0);
			else if ((events & EPOLLET) == 0)
				(void)item_put(it);
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
	if (!is_epoll(epfp))
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

	if (is_epoll(fp))
		lk_excl(&nest_lk);
	while (item_watching(fp, NULL, &ep) != NULL) {
		lk_excl(&ep->ep_lk);
		/* Others may have ended it before we had the lock. */
		if ((it = item_watching(fp, ep, NULL)) != NULL)
			item_end(it);
		lk_release(&ep->ep_lk);
		epoll_drop(ep);
	}
	if (is_epoll(fp))
		lk_release(&nest_lk);
}

static uint32_t
epoll_poll(struct file *fp, struct pollnote *note)
{
	struct epoll *ep = fp->f_data;
	bool ready;

	poll_queue(&ep->ep_poll, note);
	lk_excl(&ep->ep_lk);
	ready = any_ready(ep);
	lk_release(&ep->ep_lk);
	return ready ? POLLIN | POLLRDNORM : 0;
}

static void
epoll_close(struct file *fp)
{
	struct epoll *ep = fp->f_data;
	struct rb_node *n;

	lk_excl(&nest_lk);
	lk_excl(&ep->ep_lk);
	while ((n = rb_first(&ep->ep_items)) != NULL) {
		item_end(rb_entry(n, struct item, it_node));
		lwkt_poll();
	}
	lk_release(&ep->ep_lk);
	lk_release(&nest_lk);
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
	list_init(&ep->ep_inner);
	list_init(&ep->ep_outer);
	waitq_init(&ep->ep_waitq);
	pollhead_init(&ep->ep_poll);
	if ((error = file_create(&epoll_ops, O_RDWR, ep, out)) != 0)
		kfree(ep);
	return error;
}

void
epoll_init(void)
{
	lk_init(&nest_lk, LR_epoll_nest);
}
