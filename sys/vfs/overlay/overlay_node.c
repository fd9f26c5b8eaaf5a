/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay_node - the nodes of an overlay that are in use.
 *
 * A node lives as long as its vnode.  The table finds it again by the vnode
 * of its upper file, or by that of its topmost lower file and its place:
 * several names of one lower file are several nodes, as copying will
 * separate them.
 *
 * Locking: a bucket's spin.  A node in the table may have lost its last
 * reference (vnode_try_hold() fails): it is on its way out, and another may
 * take its place.
 */
#include "overlay_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/vm/kmem.h>

#define INO_BITS	5		/* say which filesystem */
_Static_assert(OVERLAY_LOWER_MAX + 1 < 1u << INO_BITS, "INO_BITS");

static struct obucket *
bucket_of(struct omount *om, const struct vnode *key)
{
	uint64_t h = key->v_id * 0x9e3779b97f4a7c15ull;

	return &om->om_bucket[(h >> 32) & (OVERLAY_BUCKETS - 1)];
}

/* An overlay below has bits of its own for its filesystems. */
uint64_t
overlay_ino(struct omount *om, struct vnode *real, uint64_t ino)
{
	uint64_t dev = real->v_mount->mp_dev;

	for (uint32_t i = 0; i < om->om_ndev; i++) {
		if (om->om_dev[i] == dev)
			return ino + ((uint64_t)i << (64 - INO_BITS * om->om_depth));
	}
	return ino;		/* a layer that changed under us */
}

/* Held.  [bucket] */
static struct onode *
find(struct obucket *b, enum on_key k, const struct vnode *key, const struct onode *home, const char *name,
    size_t len)
{
	for (struct onode *on = b->b_first[k]; on != NULL; on = on->on_next[k]) {
		if (on->on_key[k] != key)
			continue;
		if (k == ON_LOWER && (on->on_home != home || on->on_namelen != len ||
		    memcmp(on->on_name, name, len) != 0))
			continue;
		if (vnode_try_hold(on->on_vnode))
			return on;
	}
	return NULL;
}

/* [bucket] */
static void
insert(struct obucket *b, struct onode *on, enum on_key k, struct vnode *key)
{
	ASSERT(on->on_key[k] == NULL);
	on->on_key[k] = key;
	on->on_next[k] = b->b_first[k];
	b->b_first[k] = on;
}

void
onode_key(struct onode *on, enum on_key k, struct vnode *key)
{
	struct obucket *b = bucket_of(on->on_mount, key);

	spin_lock(&b->b_spin);
	insert(b, on, k, key);
	spin_unlock(&b->b_spin);
}

/* The upper key is changed under on_lk, the lower one under v_lk of on_home; both at its end. */
void
onode_unkey(struct onode *on, enum on_key k)
{
	struct vnode *key = on->on_key[k];
	struct obucket *b;
	struct onode **link;

	if (key == NULL)
		return;
	b = bucket_of(on->on_mount, key);
	spin_lock(&b->b_spin);
	for (link = &b->b_first[k]; *link != on; link = &(*link)->on_next[k])
		ASSERT(*link != NULL);
	*link = on->on_next[k];
	on->on_key[k] = NULL;
	spin_unlock(&b->b_spin);
}

void
onode_pin(struct onode *on)
{
	struct omount *om = on->on_mount;

	vnode_hold(on->on_vnode);
	spin_lock(&om->om_spin);
	on->on_pinned = true;
	list_push_front(&om->om_pinned, &on->on_pin);
	spin_unlock(&om->om_spin);
}

void
onode_unpin(struct onode *on)
{
	struct omount *om = on->on_mount;
	bool was;

	spin_lock(&om->om_spin);
	was = on->on_pinned;
	on->on_pinned = false;
	list_remove(&on->on_pin);
	spin_unlock(&om->om_spin);
	if (was)
		vnode_drop(on->on_vnode);
}

void
omount_drop(struct omount *om)
{
	if (atomic_fetch_sub_explicit(&om->om_refs, 1, memory_order_acq_rel) == 1)
		kfree(om);
}

static void
node_free(struct onode *on)
{
	struct omount *om = on->on_mount;

	if (on->on_upper != NULL)
		ncp_drop(on->on_upper);
	for (uint32_t i = 0; i < on->on_nlower; i++)
		ncp_drop(on->on_lower[i]);
	if (on->on_old_obj != NULL)
		vmobj_drop(on->on_old_obj);
	kfree(on);
	omount_drop(om);
}

void
overlay_inactive(struct vnode *vn)
{
	struct onode *on = vn_onode(vn);

	ASSERT(!on->on_pinned);
	onode_unkey(on, ON_UPPER);
	onode_unkey(on, ON_LOWER);
	node_free(on);
}

/* V5.  What the vnode shows of the real file from the beginning. */
static int
adopt(struct onode *on)
{
	struct vnode *vn = on->on_vnode, *real = on_real(on)->n_vnode;
	struct vnode *named = on->on_nlower > 0 ? on->on_lower[0]->n_vnode : real;
	struct vattr va;
	int error = vn_getattr(named, &va);

	if (error != 0)
		return error;
	on->on_ino = overlay_ino(on->on_mount, named, va.va_ino);
	vn->v_rdev = real->v_rdev;
	if (real->v_obj != NULL) {
		vmobj_hold(real->v_obj);
		vn->v_obj = real->v_obj;
	}
	return 0;
}

static int
node_new(struct mount *mp, struct onode *home, const char *name, size_t len, const struct olayers *l,
    struct onode **out)
{
	struct ncp *real = l->l_upper != NULL ? l->l_upper : l->l_lower[0];
	size_t lower = l->l_nlower * sizeof l->l_lower[0];
	struct onode *on = kmalloc(sizeof *on + lower + len, KM_ZERO | KM_WAIT);
	int error;

	if (on == NULL)
		return ENOMEM;
	on->on_mount = mp->mp_data;
	on->on_home = home;
	on->on_lower = (struct ncp **)(void *)(on + 1);
	on->on_name = (char *)(on + 1) + lower;
	on->on_namelen = (uint32_t)len;
	memcpy(on->on_name, name, len);
	lk_init(&on->on_lk, OVERLAY_RANK(on->on_mount, copy));
	list_init(&on->on_pin);
	error = vnode_create(mp, real->n_vnode->v_type, &overlay_ops, on, &on->on_vnode);
	if (error != 0) {
		kfree(on);
		return error;
	}
	/* From here on vnode_drop() undoes it all. */
	lk_init(&on->on_vnode->v_lk, OVERLAY_RANK(on->on_mount, vnode));
	atomic_fetch_add_explicit(&on->on_mount->om_refs, 1, memory_order_relaxed);
	if (home != NULL) {
		vnode_hold(home->on_vnode);
		on->on_vnode->v_needs = home->on_vnode;
	}
	on->on_upper = l->l_upper;
	if (l->l_upper != NULL)
		ncp_hold(l->l_upper);
	for (uint32_t i = 0; i < l->l_nlower; i++) {
		ncp_hold(l->l_lower[i]);
		on->on_lower[on->on_nlower++] = l->l_lower[i];
	}
	error = adopt(on);
	if (error != 0)
		vnode_drop(on->on_vnode);
	*out = on;
	return error;
}

int
onode_get(struct mount *mp, struct onode *home, const char *name, size_t len, const struct olayers *l,
    struct vnode **out)
{
	struct omount *om = mp->mp_data;
	enum on_key k = l->l_upper != NULL ? ON_UPPER : ON_LOWER;
	struct vnode *key = (k == ON_UPPER ? l->l_upper : l->l_lower[0])->n_vnode;
	struct obucket *b = bucket_of(om, key);
	struct onode *on, *have;
	int error;

	spin_lock(&b->b_spin);
	have = find(b, k, key, home, name, len);
	spin_unlock(&b->b_spin);
	if (have != NULL) {
		*out = have->on_vnode;
		return 0;
	}
	error = node_new(mp, home, name, len, l, &on);
	if (error != 0)
		return error;
	if (k == ON_UPPER && on->on_nlower > 0)
		onode_key(on, ON_LOWER, on->on_lower[0]->n_vnode);
	spin_lock(&b->b_spin);
	have = find(b, k, key, home, name, len);
	if (have == NULL)
		insert(b, on, k, key);
	spin_unlock(&b->b_spin);
	if (have != NULL) {
		vnode_drop(on->on_vnode);	/* somebody else was first */
		on = have;
	}
	*out = on->on_vnode;
	return 0;
}
