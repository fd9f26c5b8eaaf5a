/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ncache - the cache of names.
 *
 * A name (struct ncp) stands below its parent name and is positive (it has a
 * vnode) or negative (known not to exist).  A lookup that hits costs one
 * spin lock of one hash bucket per component and asks no filesystem.
 *
 * Invariants
 *   N1  a name holds its parent, its vnode and, itself or through its parent,
 *       its mount.
 *   N2  a hashed name has exactly one entry for its (parent, text); a
 *       directory vnode has at most one hashed name, unless somebody moved it
 *       behind our back (hostfs, layers of an overlay).
 *   N3  n_refs goes from 0 to 1 and from 1 to 0 only under the spin of the
 *       bucket that n_hash names; but who goes through a parent's children
 *       takes an idle one from 0 to 1 under the parent's n_spin alone, so who
 *       takes an idle name out of the cache looks again there.  A name that is not hashed and has no
 *       references is freed at once by who dropped the last one; a hashed
 *       one stays until the clock hand takes it.
 *   N4  a held positive name never becomes negative: when its file is removed
 *       while others hold it, it leaves the hash and keeps its vnode
 *       (NCF_DELETED).  Only a name held by nobody else turns negative.
 *   N5  n_parent, n_name, n_hash change under both buckets' spins and with
 *       both directories' v_lk exclusive.
 *   N6  below a bind mount a name is made for each lookup, never hashed, and
 *       stands for the real name: there is one cached name for one entry of a
 *       directory, however many places show it.
 *   N7  at most NCACHE_MAX names are hashed and held by nobody.
 *
 * Locks, outermost first: v_lk, bucket (two of them by index), n_spin.
 * There is no lock for the whole cache; the clock hand and the count are
 * atomics.  Not here: paths, permissions, filesystems.
 */
#include "node_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <stdatomic.h>
#include <sys/lwkt/budget.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

#define BUCKETS		8192u		/* power of two */
#define NCACHE_MAX	32768u
#define EVICT_BUCKETS	32u		/* how far one insertion moves the hand at most */

struct bucket {
	struct spin	b_spin;
	struct ncp	*b_first;	/* [b_spin] */
};
static struct bucket buckets[BUCKETS];
static uint64_t secret;			/* const after boot: collisions cannot be planned */
static struct budget_cell cached_cell[CPU_MAX];
static struct budget cached = { .b_max = NCACHE_MAX, .b_cell = cached_cell };	/* hashed names */
static struct {
	_Alignas(64) _Atomic uint32_t hand;	/* [atomic] */
	_Atomic uint32_t renames_begun, renames_done;	/* [atomic] */
} all;

void
ncache_init(void)
{
	md_entropy(&secret, sizeof secret);
	for (uint32_t i = 0; i < BUCKETS; i++)
		spin_init(&buckets[i].b_spin, LR_ncache_bucket);
}

static inline struct bucket *
bucket_of(uint32_t hash)
{
	return &buckets[hash & (BUCKETS - 1)];
}

static inline uint32_t
flags_of(const struct ncp *n)
{
	return atomic_load_explicit(&n->n_flags, memory_order_relaxed);
}

/* [bucket held] */
static inline void
set_flags(struct ncp *n, uint32_t set, uint32_t clear)
{
	atomic_store_explicit(&n->n_flags, (flags_of(n) & ~clear) | set, memory_order_relaxed);
}

static uint32_t
hash_of(const struct ncp *parent, const char *name, size_t len)
{
	uint64_t h;

	h = rt_hash(secret ^ ((uint64_t)parent >> 4) * 0x9e3779b97f4a7c15ull, name, len);
	h ^= h >> 32;
	return (uint32_t)(h * 0x85ebca6bu ^ h >> 15);
}

/* The bucket of a name that may be renamed meanwhile. */
static struct bucket *
lock_bucket(struct ncp *n)
{
	for (;;) {
		struct bucket *b = bucket_of(atomic_load_explicit(&n->n_hash, memory_order_relaxed));

		spin_lock(&b->b_spin);
		if (bucket_of(atomic_load_explicit(&n->n_hash, memory_order_relaxed)) == b)
			return b;
		spin_unlock(&b->b_spin);
	}
}

static int
set_name(struct ncp *n, const char *name, size_t len)
{
	char *to = n->n_short;

	if (len >= sizeof n->n_short) {
		to = kmalloc(len + 1, KM_WAIT);
		if (to == NULL)
			return ENOMEM;
	}
	memcpy(to, name, len);
	to[len] = '\0';
	n->n_name = to;
	n->n_len = (uint16_t)len;
	return 0;
}

int
ncp_create(struct ncp *parent, struct mount *mp, const char *name, size_t len, struct vnode *vn,
    struct ncp **out)
{
	struct ncp *n;
	int error;

	ASSERT(len <= PATH_MAX_);
	n = kmalloc(sizeof *n, KM_WAIT | KM_ZERO);
	if (n == NULL)
		return ENOMEM;
	error = set_name(n, name, len);
	if (error != 0) {
		kfree(n);
		return error;
	}
	n->n_refs = 1;
	n->n_mount = mp;
	n->n_parent = parent;
	ASSERT(parent == NULL || parent->n_mount == mp);
	if (parent != NULL)
		ncp_hold(parent);
	else
		mount_hold(mp);
	if (vn != NULL)
		vnode_hold(vn);
	n->n_vnode = vn;
	list_init(&n->n_sibling);
	list_init(&n->n_children);
	spin_init(&n->n_spin, LR_name);
	n->n_hash = hash_of(parent, name, len);
	*out = n;
	return 0;
}

int
ncp_wrap(struct ncp *dir, struct mount *mp, const char *name, size_t len, struct ncp *real, struct ncp **out)
{
	int error;

	ASSERT(real->n_real == NULL);
	error = ncp_create(dir, mp, name, len, real->n_vnode, out);
	if (error == 0) {
		(*out)->n_real = real;
		ncp_hold(real);
	}
	return error;
}

void
ncp_hold(struct ncp *n)
{
	uint32_t old = atomic_fetch_add_explicit(&n->n_refs, 1, memory_order_relaxed);

	ASSERT(old != 0);
}

/* Frees a name that nobody can reach.  Returns its parent, whose reference the caller now has to drop. */
static struct ncp *
destroy(struct ncp *n)
{
	struct ncp *parent = n->n_parent;
	struct mount *mp = n->n_mount;

	ASSERT(n->n_refs == 0 && (flags_of(n) & NCF_HASHED) == 0);
	ASSERT(list_empty(&n->n_children));
	if (n == mp->mp_ncp)
		mount_unused(mp);
	if (n->n_vnode != NULL)
		vnode_drop(n->n_vnode);
	if (n->n_real != NULL)
		ncp_drop(n->n_real);		/* never itself one that stands for another */
	if (n->n_name != n->n_short)
		kfree(n->n_name);
	kfree(n);
	if (parent == NULL)
		mount_drop(mp);
	return parent;
}

static void
chain_remove(struct bucket *b, struct ncp *n)
{
	struct ncp **link = &b->b_first;

	while (*link != n) {
		ASSERT(*link != NULL);
		link = &(*link)->n_next;
	}
	*link = n->n_next;
	n->n_next = NULL;
	set_flags(n, 0, NCF_HASHED);
	budget_give(&cached, 1);
}

/* From hash and parent's list.  [bucket held] */
static void
unhash(struct bucket *b, struct ncp *n)
{
	struct ncp *parent = n->n_parent;

	chain_remove(b, n);
	spin_lock(&parent->n_spin);
	list_remove(&n->n_sibling);
	spin_unlock(&parent->n_spin);
}

/* The same for a name without references; false: somebody who goes through the children has one now.  [bucket held] */
static bool
unhash_idle(struct bucket *b, struct ncp *n)
{
	bool idle;

	spin_lock(&n->n_parent->n_spin);
	idle = n->n_refs == 0;
	if (idle)
		list_remove(&n->n_sibling);
	spin_unlock(&n->n_parent->n_spin);
	if (idle)
		chain_remove(b, n);
	return idle;
}

/* Gives up one reference; true: the last of a name that nobody can find, now the caller's to destroy. */
static bool
put(struct ncp *n)
{
	uint32_t refs = atomic_load_explicit(&n->n_refs, memory_order_relaxed);
	struct bucket *b;
	bool gone = false;

	while (refs > 1) {
		if (atomic_compare_exchange_weak_explicit(&n->n_refs, &refs, refs - 1, memory_order_acq_rel,
		    memory_order_relaxed))
			return false;
	}
	b = lock_bucket(n);
	refs = atomic_fetch_sub_explicit(&n->n_refs, 1, memory_order_acq_rel);
	ASSERT(refs != 0);
	if (refs == 1)
		gone = (flags_of(n) & NCF_HASHED) == 0 || (n->n_mount->mp_dead && unhash_idle(b, n));
	spin_unlock(&b->b_spin);
	return gone;
}

void
ncp_drop(struct ncp *n)
{
	while (n != NULL && put(n))
		n = destroy(n);
}

/* The clock hand: forget names of one bucket that were not used since it last came by. */
static uint32_t
evict_bucket(struct bucket *b)
{
	struct ncp *victim[8];
	uint32_t nvictim = 0;

	spin_lock(&b->b_spin);
	for (struct ncp *n = b->b_first, *next; n != NULL && nvictim < countof(victim); n = next) {
		next = n->n_next;
		if (n->n_refs != 0)
			continue;
		if ((flags_of(n) & NCF_RECENT) != 0)
			set_flags(n, 0, NCF_RECENT);
		else if (unhash_idle(b, n))
			victim[nvictim++] = n;
	}
	spin_unlock(&b->b_spin);
	for (uint32_t i = 0; i < nvictim; i++)
		ncp_drop(destroy(victim[i]));
	return nvictim;
}

static struct bucket *
next_bucket(void)
{
	return bucket_of(atomic_fetch_add_explicit(&all.hand, 1, memory_order_relaxed));
}

void
ncp_trim(uint32_t want)
{
	uint32_t got = 0;

	for (uint32_t i = 0; i < 2 * BUCKETS && got < want; i++) {
		got += evict_bucket(next_bucket());
		lwkt_poll();
	}
}

/* Takes one from the budget, and makes up for it if that is beyond the bound. */
static void
make_room(void)
{
	uint32_t got = 0;

	if (budget_take(&cached, 1))
		return;
	for (uint32_t i = 0; i < EVICT_BUCKETS && got < 2; i++)
		got += evict_bucket(next_bucket());
	budget_force(&cached, 1);
}

/* Held.  [bucket held] */
static struct ncp *
chain_find(struct bucket *b, uint32_t h, const struct ncp *dir, const char *name, size_t len)
{
	for (struct ncp *n = b->b_first; n != NULL; n = n->n_next) {
		if (n->n_hash == h && n->n_parent == dir && n->n_len == len && memcmp(n->n_name, name,
		    len) == 0) {
			atomic_fetch_add_explicit(&n->n_refs, 1, memory_order_relaxed);
			if ((flags_of(n) & NCF_RECENT) == 0)
				set_flags(n, NCF_RECENT, 0);
			return n;
		}
	}
	return NULL;
}

/* The caller has taken it from the budget.  [bucket held] */
static void
chain_insert(struct bucket *b, struct ncp *n)
{
	n->n_next = b->b_first;
	b->b_first = n;
	set_flags(n, NCF_HASHED, 0);
	spin_lock(&n->n_parent->n_spin);
	list_push_front(&n->n_parent->n_children, &n->n_sibling);
	spin_unlock(&n->n_parent->n_spin);
}

struct ncp *
ncache_find(struct ncp *dir, const char *name, size_t len)
{
	uint32_t h = hash_of(dir, name, len);
	struct bucket *b = bucket_of(h);
	struct ncp *n;

	spin_lock(&b->b_spin);
	n = chain_find(b, h, dir, name, len);
	spin_unlock(&b->b_spin);
	return n;
}

/* Two lookups may ask the filesystem for one name at the same time: the second gets the first one's entry. */
struct ncp *
ncache_insert(struct ncp *n)
{
	struct bucket *b = bucket_of(n->n_hash);
	struct ncp *have;

	ASSERT(n->n_parent != NULL && (flags_of(n) & NCF_HASHED) == 0);
	make_room();
	spin_lock(&b->b_spin);
	have = chain_find(b, n->n_hash, n->n_parent, n->n_name, n->n_len);
	if (have == NULL)
		chain_insert(b, n);
	spin_unlock(&b->b_spin);
	if (have == NULL)
		return n;
	budget_give(&cached, 1);
	ncp_drop(n);
	return have;
}

void
ncache_bind(struct ncp *n, struct vnode *vn)
{
	struct bucket *b;

	ASSERT(n->n_vnode == NULL);
	vnode_hold(vn);
	b = lock_bucket(n);
	n->n_vnode = vn;
	spin_unlock(&b->b_spin);
}

/* N4: who else holds the name keeps what it had; a later lookup asks the filesystem. */
void
ncache_removed(struct ncp *n)
{
	struct vnode *vn = NULL;
	struct bucket *b;

	ncache_purge_children(n);
	b = lock_bucket(n);
	if (n->n_refs == 1 && (flags_of(n) & NCF_HASHED) != 0) {
		vn = n->n_vnode;
		n->n_vnode = NULL;
	} else {
		if ((flags_of(n) & NCF_HASHED) != 0)
			unhash(b, n);
		set_flags(n, NCF_DELETED, 0);
	}
	spin_unlock(&b->b_spin);
	if (vn != NULL)
		vnode_drop(vn);
}

/* Its file has another name now, or none, by somebody else's doing: who holds the name keeps what it had. */
void
ncache_replaced(struct ncp *n)
{
	struct bucket *b;

	ncache_purge_children(n);
	b = lock_bucket(n);
	if ((flags_of(n) & NCF_HASHED) != 0)
		unhash(b, n);
	set_flags(n, NCF_DELETED, 0);
	spin_unlock(&b->b_spin);
}

void
ncache_unhash(struct ncp *n)
{
	struct bucket *b = lock_bucket(n);

	if ((flags_of(n) & NCF_HASHED) != 0)
		unhash(b, n);
	spin_unlock(&b->b_spin);
}

/* Each round takes a reference on one idle child under n_spin, so that the clock hand leaves it alone. */
void
ncache_purge_children(struct ncp *n)
{
	for (;;) {
		struct ncp *idle = NULL;

		spin_lock(&n->n_spin);
		list_foreach(c, &n->n_children, struct ncp, n_sibling) {
			if (c->n_refs == 0) {
				idle = c;
				atomic_fetch_add_explicit(&c->n_refs, 1, memory_order_relaxed);
				break;
			}
		}
		spin_unlock(&n->n_spin);
		if (idle == NULL)
			return;
		ncache_unhash(idle);
		ncp_drop(idle);
		lwkt_poll();
	}
}

static void
lock_two(struct bucket *a, struct bucket *b)
{
	spin_lock(a < b ? &a->b_spin : &b->b_spin);
	if (a != b)
		spin_lock(a < b ? &b->b_spin : &a->b_spin);
}

static void
unlock_two(struct bucket *a, struct bucket *b)
{
	if (a != b)
		spin_unlock(a < b ? &b->b_spin : &a->b_spin);
	spin_unlock(a < b ? &a->b_spin : &b->b_spin);
}

int
ncache_reserve(size_t len, char **text)
{
	*text = NULL;
	if (len >= sizeof ((struct ncp *)0)->n_short)
		*text = kmalloc(len + 1, KM_WAIT);
	return len >= sizeof ((struct ncp *)0)->n_short && *text == NULL ? ENOMEM : 0;
}

/*
 * Give `n` another place.  `text` is what ncache_reserve() gave for the new
 * name before anything was changed, so this cannot fail.
 */
void
ncache_move(struct ncp *n, struct ncp *parent, char *text, const char *name, size_t len)
{
	uint32_t h = hash_of(parent, name, len);
	struct bucket *from = bucket_of(n->n_hash), *to = bucket_of(h);
	struct ncp *old_parent = n->n_parent;
	char *old_text = n->n_name;

	ncp_hold(parent);
	budget_force(&cached, 1);
	atomic_fetch_add(&all.renames_begun, 1);
	lock_two(from, to);
	if ((flags_of(n) & NCF_HASHED) != 0)
		unhash(from, n);
	if (parent != old_parent)		/* who looks for ancestors reads this under mp_rename_lk alone */
		n->n_parent = parent;
	n->n_name = text != NULL ? text : n->n_short;
	memmove(n->n_name, name, len);
	n->n_name[len] = '\0';
	n->n_len = (uint16_t)len;
	atomic_store_explicit(&n->n_hash, h, memory_order_relaxed);
	chain_insert(to, n);
	unlock_two(from, to);
	atomic_fetch_add(&all.renames_done, 1);
	if (vnode_watched(parent->n_vnode))
		notify_grown();
	if (old_text != n->n_short && old_text != text)
		kfree(old_text);
	ncp_drop(old_parent);
}

void
ncache_swap(struct ncp *a, char *a_text, struct ncp *b, char *b_text)
{
	char an[NAME_MAX_ + 1], bn[NAME_MAX_ + 1];
	struct ncp *ap = a->n_parent, *bp = b->n_parent;
	size_t al = a->n_len, bl = b->n_len;

	memcpy(an, a->n_name, al);
	memcpy(bn, b->n_name, bl);
	ncp_hold(ap);
	ncp_hold(bp);
	ncache_unhash(a);
	ncache_unhash(b);
	ncache_move(a, bp, a_text, bn, bl);
	ncache_move(b, ap, b_text, an, al);
	ncp_drop(ap);
	ncp_drop(bp);
}

uint32_t
ncache_rename_mark(void)
{
	return atomic_load(&all.renames_done);
}

bool
ncache_no_rename_since(uint32_t mark)
{
	return atomic_load(&all.renames_begun) == mark;
}

/* Forget the idle names of a mount, leaves first: each round frees the parents of the one before. */
void
ncache_purge_mount(struct mount *mp)
{
	bool again;

	do {
		again = false;
		for (uint32_t i = 0; i < BUCKETS; i++) {
			struct ncp *idle = NULL;

			spin_lock(&buckets[i].b_spin);
			for (struct ncp *n = buckets[i].b_first; n != NULL; n = n->n_next) {
				if (n->n_mount == mp && n->n_refs == 0 && unhash_idle(&buckets[i], n)) {
					idle = n;
					break;		/* it is no longer in the chain */
				}
			}
			spin_unlock(&buckets[i].b_spin);
			if (idle != NULL) {
				ncp_drop(destroy(idle));
				again = true;
				i--;		/* the same bucket once more */
			}
			lwkt_poll();
		}
	} while (again);
}

void
ncp_cover(struct ncp *n, struct mount *mp)
{
	struct bucket *b = lock_bucket(n);

	n->n_covered = mp;
	spin_unlock(&b->b_spin);
}

bool
ncp_uncover_idle(struct ncp *n, struct mount *mp, uint32_t refs)
{
	struct bucket *b = lock_bucket(n);
	bool idle = atomic_load_explicit(&mp->mp_ncp->n_refs, memory_order_relaxed) <= refs;

	ASSERT(n->n_covered == mp);
	if (idle)
		n->n_covered = NULL;
	spin_unlock(&b->b_spin);
	return idle;
}

/* Takes over the reference on `n`. */
void
mount_set_covers(struct mount *mp, struct ncp *n)
{
	struct bucket *b;
	struct ncp *old;

	/* What is above its root changes: for restricted walks that is a rename. */
	atomic_fetch_add(&all.renames_begun, 1);
	b = lock_bucket(mp->mp_ncp);
	old = mp->mp_covers;
	mp->mp_covers = n;
	spin_unlock(&b->b_spin);
	atomic_fetch_add(&all.renames_done, 1);
	if (old != NULL)
		ncp_drop(old);
}

struct ncp *
ncp_cross(struct ncp *n)
{
	while (n->n_covered != NULL) {
		struct bucket *b = lock_bucket(n);
		struct mount *mp = n->n_covered;
		struct ncp *root = NULL;

		if (mp != NULL) {
			root = mp->mp_ncp;
			ncp_hold(root);
			if (mp->mp_expires != 0)
				mp->mp_expires++;
		}
		spin_unlock(&b->b_spin);
		if (root == NULL)
			break;
		ncp_drop(n);
		n = root;
	}
	return n;
}

struct ncp *
ncp_uncross(struct ncp *n)
{
	for (;;) {
		struct bucket *b = lock_bucket(n);
		struct ncp *cover = n == n->n_mount->mp_ncp ? n->n_mount->mp_covers : NULL;

		if (cover != NULL)
			ncp_hold(cover);
		spin_unlock(&b->b_spin);
		if (cover == NULL)
			return n;
		ncp_drop(n);
		n = cover;
	}
}

struct ncp *
ncp_above(struct ncp *n)
{
	struct bucket *b = lock_bucket(n);
	struct ncp *up = n->n_parent;

	if (up != NULL)
		ncp_hold(up);
	spin_unlock(&b->b_spin);
	return up;
}

struct vnode *
ncp_watched_dir(struct ncp *n, char text[NAME_MAX_ + 1], size_t *len)
{
	struct bucket *b = lock_bucket(n);
	struct vnode *dir = n->n_parent != NULL ? n->n_parent->n_vnode : NULL;

	if (dir != NULL && vnode_watched(dir) && n->n_len <= NAME_MAX_) {
		vnode_hold(dir);
		*len = n->n_len;
		memcpy(text, n->n_name, n->n_len + 1u);
	} else {
		dir = NULL;
	}
	spin_unlock(&b->b_spin);
	return dir;
}

struct ncp *
ncp_parent(struct ncp *n)
{
	struct ncp *up;

	ncp_hold(n);
	n = ncp_uncross(n);
	up = ncp_above(n);
	ncp_drop(n);
	return up;
}

bool
ncp_is_deleted(struct ncp *n)
{
	n = ncp_real(n);
	return (flags_of(n) & NCF_DELETED) != 0;
}

/* The text of one name; len excludes the NUL.  [for name_path()] */
size_t
ncp_text(struct ncp *n, char *buf)
{
	struct bucket *b = lock_bucket(n);
	size_t len = n->n_len;

	memcpy(buf, n->n_name, len + 1);
	spin_unlock(&b->b_spin);
	return len;
}

void
ncache_stats(struct ncache_stats *out)
{
	out->names = budget_used(&cached);
	out->bound = NCACHE_MAX;
}
