/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify - the table of watches.
 *
 * A watch belongs to a vnode and is found by it.  That a vnode is watched is a
 * bit of its reference count, which stands for one reference: so whoever has
 * a vnode sees by one relaxed load that nobody watches it, and whoever drops
 * the last other reference sees that only watches are left.  The table
 * keeps such a vnode, because a filesystem would make another one for the
 * next who comes, and nobody would watch that.
 *
 * A file ends for its watchers when it has no name (v_nameless) and nobody
 * uses it: then all its watches end, and with them the file.
 *
 * Which directory a file is in changes, and finding out costs a lock; so an
 * open file remembers the value of notify_changes at which nobody wanted its
 * events.  While that does not change, nobody does.
 *
 * Invariants
 *   W1  VNODE_WATCHED is set in v_refs exactly while the table has a watch of
 *       the vnode, seen under the bucket's spin.
 *   W2  v_nameless is set only of watched vnodes: who takes the last name looks
 *       at W1 afterwards, who begins to watch looks for names afterwards.
 *   W3  notify_changes grows after W1 became true for a vnode, or after a
 *       name moved into a watched directory.
 *
 * Locking: a bucket's spin, under which watchers are told, so that one file's
 * events come in one order.  Nobody is told under a spin of the caller's.
 * Not here: what watchers do with events (file/inotify.c).
 */
#include "node_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/notify.h>

#define BUCKETS		512u		/* power of two */
#define NOT_MINE	(IN_MASK_ADD | IN_MASK_CREATE)

struct bucket {
	struct spin	b_spin;
	struct list	b_watches;	/* [b_spin] */
};
static struct bucket buckets[BUCKETS];
static _Atomic uint32_t last_cookie;
_Atomic uint64_t notify_changes;	/* [atomic] W3 */

void
notify_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].b_spin, LR_notify);
		list_init(&buckets[i].b_watches);
	}
}

static struct bucket *
bucket_of(const struct vnode *vn)
{
	return &buckets[((uintptr_t)vn * 0x9e3779b97f4a7c15ull) >> 55 & (BUCKETS - 1)];
}

void
notify_grown(void)
{
	atomic_fetch_add(&notify_changes, 1);
}

/* What is told of a directory says that it is one, but for its end and its moves. */
static uint32_t
isdir(const struct vnode *vn, uint32_t event)
{
	return vn->v_type == VDIR && (event & IN_MOVE_SELF) == 0 ? IN_ISDIR : 0;
}

/* ------------------------------------------------------- beginning, ending -- */

/* The next watch of vn after w, or the first.  [bucket] */
static struct watch *
next_of(struct bucket *b, const struct vnode *vn, struct watch *w)
{
	do {
		w = w == NULL ? list_first(&b->b_watches, struct watch, w_chain) :
		    list_next(&b->b_watches, w, struct watch, w_chain);
	} while (w != NULL && w->w_vnode != vn);
	return w;
}

/* Returns the vnode, for the caller to drop, if it was the last watch of it: W1.  [bucket] */
static struct vnode *
end(struct bucket *b, struct watch *w)
{
	struct vnode *vn = w->w_vnode;

	list_remove(&w->w_chain);
	w->w_ops->wo_end(w);
	if (next_of(b, vn, NULL) != NULL)
		return NULL;
	atomic_fetch_sub(&vn->v_refs, VNODE_WATCHED - 1);
	return vn;
}

/* Its filesystem says how many names it has; one that cannot say is asked in vain. */
static bool
has_no_name(struct vnode *vn)
{
	struct vattr va;

	return vn_getattr(vn, &va) != 0 || va.va_nlink == 0;
}

int
notify_watch(struct vnode *vn, struct watch *fresh, int32_t *id, bool *used)
{
	struct bucket *b = bucket_of(vn);
	uint32_t mask = fresh->w_mask & ~NOT_MINE;
	struct watch *w = NULL;
	int error = 0;

	spin_lock(&b->b_spin);
	do {
		w = next_of(b, vn, w);
	} while (w != NULL && w->w_owner != fresh->w_owner);
	*used = w == NULL;
	if (w == NULL) {
		if (next_of(b, vn, NULL) == NULL) {
			vn->v_nameless = false;
			atomic_fetch_add(&vn->v_refs, VNODE_WATCHED);
		}
		w = fresh;
		w->w_vnode = vn;
		w->w_mask = mask;
		w->w_ops->wo_begin(w);
		list_push_back(&b->b_watches, &w->w_chain);
	} else if ((fresh->w_mask & IN_MASK_CREATE) != 0) {
		error = EEXIST;
	} else {
		w->w_mask = mask | ((fresh->w_mask & IN_MASK_ADD) != 0 ? w->w_mask : 0);
	}
	*id = w->w_id;
	spin_unlock(&b->b_spin);
	if (*used) {
		notify_grown();
		if (has_no_name(vn))
			vn->v_nameless = true;		/* W2 */
	}
	return error;
}

/* [bucket] */
static struct watch *
find(struct bucket *b, const struct vnode *vn, const void *owner, int32_t id)
{
	struct watch *w = NULL;

	do {
		w = next_of(b, vn, w);
	} while (w != NULL && (w->w_owner != owner || w->w_id != id));
	return w;
}

struct vnode *
notify_find(const struct vnode *vn, const void *owner, int32_t id, uint32_t *mask)
{
	struct bucket *b = bucket_of(vn);
	struct vnode *found = NULL;
	struct watch *w;

	spin_lock(&b->b_spin);
	w = find(b, vn, owner, id);
	if (w != NULL) {
		found = w->w_vnode;
		vnode_hold(found);
		*mask = w->w_mask;
	}
	spin_unlock(&b->b_spin);
	return found;
}

int
notify_unwatch(const struct vnode *vn, const void *owner, int32_t id)
{
	struct bucket *b = bucket_of(vn);
	struct vnode *unwatched = NULL;
	struct watch *w;

	spin_lock(&b->b_spin);
	w = find(b, vn, owner, id);
	if (w != NULL)
		unwatched = end(b, w);
	spin_unlock(&b->b_spin);
	if (unwatched != NULL)
		vnode_drop(unwatched);
	return w == NULL ? EINVAL : 0;
}

/* The file ends for all who watch it: if somebody does, the vnode is the caller's to drop.  [bucket] */
static struct vnode *
end_all(struct bucket *b, const struct vnode *vn)
{
	struct vnode *unwatched = NULL;
	struct watch *w;

	while ((w = next_of(b, vn, NULL)) != NULL) {
		if ((w->w_mask & IN_DELETE_SELF) != 0)
			w->w_ops->wo_event(w, IN_DELETE_SELF, 0, NULL, 0);
		unwatched = end(b, w);
	}
	return unwatched;
}

void
notify_ended(struct vnode *vn)
{
	struct bucket *b = bucket_of(vn);
	struct vnode *unwatched = NULL;

	if (!vnode_watched(vn))
		return;
	spin_lock(&b->b_spin);
	unwatched = end_all(b, vn);
	spin_unlock(&b->b_spin);
	if (unwatched != NULL)
		vnode_drop(unwatched);
}

/* The last reference but the table's is gone; or even that, by somebody else's doing. */
void
notify_unused(struct vnode *vn)
{
	struct bucket *b = bucket_of(vn);
	struct vnode *unwatched = NULL;

	spin_lock(&b->b_spin);
	if (next_of(b, vn, NULL) != NULL && vn->v_nameless && atomic_load(&vn->v_refs) == VNODE_WATCHED)
		unwatched = end_all(b, vn);
	spin_unlock(&b->b_spin);
	if (unwatched != NULL)
		vnode_drop(unwatched);
}

void
notify_unmount(struct mount *mp)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct bucket *b = &buckets[i];
		struct vnode *unwatched = NULL;

		spin_lock(&b->b_spin);
		list_foreach_safe(w, &b->b_watches, struct watch, w_chain) {
			if (w->w_vnode->v_mount != mp)
				continue;
			w->w_ops->wo_event(w, IN_UNMOUNT | isdir(w->w_vnode, 0), 0, NULL, 0);
			unwatched = end(b, w);
			if (unwatched != NULL)
				break;
		}
		spin_unlock(&b->b_spin);
		if (unwatched != NULL) {
			vnode_drop(unwatched);
			i--;			/* the same bucket once more */
		}
		lwkt_poll();
	}
}

/* ------------------------------------------------------------------ telling -- */

/* vn is held. */
static void
tell(struct vnode *vn, uint32_t event, uint32_t cookie, const char *name, size_t len)
{
	uint32_t mask = event & (IN_ALL_EVENTS | IN_ISDIR);
	struct bucket *b = bucket_of(vn);
	struct vnode *unwatched = NULL;

	spin_lock(&b->b_spin);
	list_foreach_safe(w, &b->b_watches, struct watch, w_chain) {
		if (w->w_vnode != vn || (w->w_mask & event & IN_ALL_EVENTS) == 0 ||
		    (w->w_mask & event & IN_EXCL_UNLINK) != 0)
			continue;
		w->w_ops->wo_event(w, mask, cookie, name, len);
		if ((w->w_mask & IN_ONESHOT) != 0)
			unwatched = end(b, w);
	}
	spin_unlock(&b->b_spin);
	if (unwatched != NULL)
		vnode_drop(unwatched);
}

void
notify_vnode(struct vnode *vn, uint32_t event)
{
	if (vnode_watched(vn))
		tell(vn, event | isdir(vn, event), 0, NULL, 0);
}

void
notify_entry(struct vnode *dir, uint32_t event, const char *name, size_t len)
{
	if (vnode_watched(dir))
		tell(dir, event, 0, name, len);
}

bool
notify_name(struct ncp *n, uint32_t event)
{
	char name[NAME_MAX_ + 1];
	struct vnode *vn = n->n_vnode, *dir;
	size_t len;
	bool watched = vnode_watched(vn);

	if (atomic_load_explicit(&notify_changes, memory_order_relaxed) == 0)
		return false;
	n = ncp_real(n);
	if ((event & IN_EXCL_UNLINK) != 0 && !ncp_is_deleted(n))
		event &= ~IN_EXCL_UNLINK;
	event |= isdir(vn, event);
	dir = ncp_watched_dir(n, name, &len);
	if (dir != NULL) {
		tell(dir, event, 0, name, len);
		vnode_drop(dir);
	}
	if (watched)
		tell(vn, event, 0, NULL, 0);
	return watched || dir != NULL;
}

void
notify_moved(struct vnode *from, const char *fname, size_t flen, struct vnode *to, const char *tname,
    size_t tlen, struct vnode *vn)
{
	uint32_t cookie;

	if (!vnode_watched(from) && !vnode_watched(to) && !vnode_watched(vn))
		return;
	cookie = atomic_fetch_add_explicit(&last_cookie, 1, memory_order_relaxed) + 1;
	tell(from, IN_MOVED_FROM | isdir(vn, 0), cookie, fname, flen);
	tell(to, IN_MOVED_TO | isdir(vn, 0), cookie, tname, tlen);
}

void
notify_unlinked(struct vnode *vn, bool last)
{
	if (vnode_watched(vn) && (last || has_no_name(vn)))
		vn->v_nameless = true;
}

void
notify_linked(struct vnode *vn)
{
	if (vnode_watched(vn))
		vn->v_nameless = false;
}

uint32_t
notify_of_attr(uint32_t mask)
{
	uint32_t event = (mask & (VA_UID | VA_GID | VA_MODE)) != 0 ? IN_ATTRIB : 0;

	if ((mask & VA_SIZE) != 0)
		event |= IN_MODIFY;
	if ((mask & (VA_ATIME | VA_MTIME)) == (VA_ATIME | VA_MTIME))
		event |= IN_ATTRIB;
	else if ((mask & VA_ATIME) != 0)
		event |= IN_ACCESS;
	else if ((mask & VA_MTIME) != 0)
		event |= IN_MODIFY;
	return event;
}
