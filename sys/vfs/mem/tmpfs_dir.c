/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmpfs_dir - directories of tmpfs.
 *
 * An entry is in two trees: by name for lookups (the cache of names answers
 * most of them) and by cookie for readdir.  Cookies only grow and readdir goes
 * from the newest down, so reading a directory while others change it shows
 * every entry that was there at the beginning and stays exactly once.
 *
 * Invariants
 *   D1  both trees of a directory hold the same entries.
 *   D2  t_last_cookie is above or equal to every cookie ever given here.
 *   D3  t_parent of a linked directory is the directory that has its entry.
 *
 * Locking: the caller holds v_lk of the directories, exclusively for changes.
 * t_parent alone has t_spin, for ".." of a directory that moves while it is read: the
 * parent that is seen there cannot go before the child has left it.
 */
#include "tmpfs_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/cred.h>
#include <sys/vm/kmem.h>

static uint32_t
hash_of(const char *name, size_t len)
{
	uint64_t h = rt_hash(RT_HASH_SEED, name, len);

	return (uint32_t)(h ^ h >> 32);
}

static int
compare(uint32_t hash, const char *name, size_t len, const struct tentry *e)
{
	if (hash != e->e_hash)
		return hash < e->e_hash ? -1 : 1;
	if (len != e->e_len)
		return len < e->e_len ? -1 : 1;
	return memcmp(name, e->e_name, len);
}

static struct tentry *
entry_find(struct tnode *dir, const char *name, size_t len)
{
	struct rb_node *n = dir->t_names.rb_root;
	uint32_t hash = hash_of(name, len);

	while (n != NULL) {
		struct tentry *e = rb_entry(n, struct tentry, e_byname);
		int c = compare(hash, name, len, e);

		if (c == 0)
			return e;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

static struct tentry *
entry_alloc(const char *name, size_t len)
{
	struct tentry *e = kmalloc(sizeof *e + len, KM_WAIT);

	if (e == NULL)
		return NULL;
	e->e_len = (uint32_t)len;
	e->e_hash = hash_of(name, len);
	memcpy(e->e_name, name, len);
	return e;
}

static void
entry_insert(struct tnode *dir, struct tentry *e, struct tnode *node)
{
	struct rb_node **link = &dir->t_names.rb_root, *parent = NULL;

	while (*link != NULL) {
		int c = compare(e->e_hash, e->e_name, e->e_len, rb_entry(*link, struct tentry, e_byname));

		ASSERT(c != 0);
		parent = *link;
		link = c < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_insert(&dir->t_names, &e->e_byname, parent, link);

	e->e_node = node;
	e->e_cookie = ++dir->t_last_cookie;
	parent = rb_last(&dir->t_cookies);
	rb_insert(&dir->t_cookies, &e->e_bycookie, parent,
	    parent == NULL ? &dir->t_cookies.rb_root : &parent->rb_right);
	dir->t_nentries++;
}

static void
entry_remove(struct tnode *dir, struct tentry *e)
{
	rb_remove(&dir->t_names, &e->e_byname);
	rb_remove(&dir->t_cookies, &e->e_bycookie);
	dir->t_nentries--;
	kfree(e);
}

int
tdir_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct tentry *e;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	e = entry_find(vn_tnode(dir), name, len);
	if (e == NULL)
		return ENOENT;
	*out = e->e_node->t_vnode;
	vnode_hold(*out);
	return 0;
}

/* Owner and group of a new node: a set-gid directory gives its group, and the bit to subdirectories. */
static void
set_owner(struct tnode *t, enum v_type type, const struct tnode *dir, const struct cred *cr)
{
	t->t_uid = cr->cr_fsuid;
	t->t_gid = cr->cr_fsgid;
	if ((dir->t_mode & S_ISGID) == 0)
		return;
	t->t_gid = dir->t_gid;
	if (type == VDIR)
		t->t_mode |= S_ISGID;
	else if ((t->t_mode & (S_ISGID | 010)) == (S_ISGID | 010) && !cred_in_group(cr, t->t_gid) &&
	    !cred_capable(cr, CAP_FSETID))
		t->t_mode &= ~S_ISGID;
}

/* Gives the new node its entry and links. */
static void
add(struct tnode *dir, struct tentry *e, struct tnode *t)
{
	entry_insert(dir, e, t);
	tnode_linked(t);
	if (t->t_vnode->v_type == VDIR) {
		t->t_parent = dir;
		tnode_linked(t);
		tnode_linked(dir);
	}
	tnode_touch(dir, VA_MTIME | VA_CTIME);
}

int
tdir_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode, uint64_t rdev,
    const struct cred *cr, struct vnode **out)
{
	struct tnode *d = vn_tnode(dir);
	struct tentry *e = NULL;
	int error;

	if (d->t_nlink == 0)
		return ENOENT;
	if (name != NULL) {
		e = entry_alloc(name, len);
		if (e == NULL)
			return ENOMEM;
	}
	error = tnode_create(dir->v_mount, type, mode, rdev, out);
	if (error != 0) {
		kfree(e);
		return error;
	}
	set_owner(vn_tnode(*out), type, d, cr);
	if (e != NULL)
		add(d, e, vn_tnode(*out));
	else
		vn_tnode(*out)->t_linkable = len != 0;
	return 0;
}

int
tdir_symlink(struct vnode *dir, const char *name, size_t len, const char *target, const struct cred *cr,
    struct vnode **out)
{
	struct tnode *d = vn_tnode(dir), *t;
	struct tentry *e;
	int error;

	if (d->t_nlink == 0)
		return ENOENT;
	e = entry_alloc(name, len);
	if (e == NULL)
		return ENOMEM;
	error = tnode_create(dir->v_mount, VLNK, 0777, 0, out);
	if (error != 0) {
		kfree(e);
		return error;
	}
	t = vn_tnode(*out);
	t->t_target = kstrdup(target, KM_WAIT);
	if (t->t_target == NULL) {
		vnode_drop(*out);
		kfree(e);
		return ENOMEM;
	}
	t->t_target_len = (uint32_t)strlen(target);
	set_owner(t, VLNK, d, cr);
	add(d, e, t);
	return 0;
}

int
tdir_link(struct vnode *dir, const char *name, size_t len, struct vnode *target)
{
	struct tnode *d = vn_tnode(dir), *t = vn_tnode(target);
	struct tentry *e;
	bool gone;

	if (d->t_nlink == 0)
		return ENOENT;
	if (t->t_nlink == UINT32_MAX)
		return EMLINK;
	e = entry_alloc(name, len);
	if (e == NULL)
		return ENOMEM;
	spin_lock(&t->t_spin);
	gone = t->t_nlink == 0 && !t->t_linkable;
	t->t_linkable = false;
	spin_unlock(&t->t_spin);
	if (gone) {
		kfree(e);
		return ENOENT;
	}
	add(d, e, t);
	tnode_touch(t, VA_CTIME);
	return 0;
}

int
tdir_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	struct tnode *d = vn_tnode(dir), *t = vn_tnode(victim);
	struct tentry *e = entry_find(d, name, len);

	ASSERT(e != NULL && e->e_node == t);
	entry_remove(d, e);
	tnode_touch(d, VA_MTIME | VA_CTIME);
	tnode_touch(t, VA_CTIME);
	tnode_unlinked(t, 1);
	return 0;
}

int
tdir_rmdir(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	struct tnode *d = vn_tnode(dir), *t = vn_tnode(victim);
	struct tentry *e = entry_find(d, name, len);

	ASSERT(e != NULL && e->e_node == t);
	if (t->t_nentries != 0)
		return ENOTEMPTY;
	ASSERT(t->t_nlink == 2);
	entry_remove(d, e);
	t->t_parent = NULL;
	tnode_touch(d, VA_MTIME | VA_CTIME);
	tnode_unlinked(d, 1);
	tnode_unlinked(t, 2);
	return 0;
}

static void
set_parent(struct tnode *t, struct tnode *from, struct tnode *to)
{
	if (t->t_vnode->v_type != VDIR || from == to)
		return;
	spin_lock(&t->t_spin);
	t->t_parent = to;
	spin_unlock(&t->t_spin);
	tnode_linked(to);
	tnode_unlinked(from, 1);
}

static int
exchange(struct tnode *from, struct tentry *fe, struct tnode *to, struct tentry *te)
{
	struct tnode *a = fe->e_node, *b = te->e_node;

	fe->e_node = b;
	te->e_node = a;
	set_parent(a, from, to);
	set_parent(b, to, from);
	tnode_touch(from, VA_MTIME | VA_CTIME);
	tnode_touch(to, VA_MTIME | VA_CTIME);
	tnode_touch(a, VA_CTIME);
	tnode_touch(b, VA_CTIME);
	return 0;
}

/* What an overlay needs in its upper layer where something was: linked already. */
static int
whiteout(struct vnode *dir, struct tnode **out)
{
	struct vnode *vn;
	int error = tnode_create(dir->v_mount, VCHR, 0, 0, &vn);

	if (error != 0)
		return error;
	*out = vn_tnode(vn);
	set_owner(*out, VCHR, vn_tnode(dir), vfs_cred());
	tnode_linked(*out);
	vnode_drop(vn);
	return 0;
}

/* Who is replaced has one name less. */
static void
replaced(struct tnode *dir, struct tnode *v)
{
	if (v->t_vnode->v_type == VDIR) {
		v->t_parent = NULL;
		tnode_unlinked(dir, 1);
		tnode_unlinked(v, 2);
	} else {
		tnode_touch(v, VA_CTIME);
		tnode_unlinked(v, 1);
	}
}

int
tdir_rename(struct vnode *from, const char *fname, size_t flen, struct vnode *vn, struct vnode *to,
    const char *tname, size_t tlen, struct vnode *to_victim, uint32_t flags)
{
	struct tnode *f = vn_tnode(from), *d = vn_tnode(to), *t = vn_tnode(vn), *v, *w = NULL;
	struct tentry *fe = entry_find(f, fname, flen), *te = entry_find(d, tname, tlen), *ne = NULL;
	int error;

	ASSERT(fe != NULL && fe->e_node == t);
	ASSERT((te == NULL) == (to_victim == NULL));
	if (d->t_nlink == 0)
		return ENOENT;
	if ((flags & RENAME_EXCHANGE) != 0)
		return exchange(f, fe, d, te);
	if (te != NULL && to_victim->v_type == VDIR && te->e_node->t_nentries != 0)
		return ENOTEMPTY;
	if (te == NULL && (ne = entry_alloc(tname, tlen)) == NULL)
		return ENOMEM;
	if ((flags & RENAME_WHITEOUT) != 0 && (error = whiteout(from, &w)) != 0) {
		kfree(ne);
		return error;
	}
	if (te != NULL) {
		v = te->e_node;
		te->e_node = t;		/* the entry, and its place in readdir, stay */
		replaced(d, v);
	} else {
		entry_insert(d, ne, t);
	}
	if (w != NULL)
		fe->e_node = w;
	else
		entry_remove(f, fe);
	set_parent(t, f, d);
	tnode_touch(f, VA_MTIME | VA_CTIME);
	tnode_touch(d, VA_MTIME | VA_CTIME);
	tnode_touch(t, VA_CTIME);
	return 0;
}

/* The entry with the largest cookie below `cookie`. */
static struct tentry *
last_below(struct tnode *dir, uint64_t cookie)
{
	struct rb_node *n = dir->t_cookies.rb_root;
	struct tentry *best = NULL;

	while (n != NULL) {
		struct tentry *e = rb_entry(n, struct tentry, e_bycookie);

		if (e->e_cookie < cookie)
			best = e;
		n = e->e_cookie < cookie ? n->rb_right : n->rb_left;
	}
	return best;
}

/* Newest first, as Linux's tmpfs.  A cookie is that of the entry before; 2 stands for "above all". */
int
tdir_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	struct tnode *d = vn_tnode(dir);
	struct tentry *e;
	struct rb_node *n;
	uint64_t up;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	if (d->t_nlink == 0)
		return ENOENT;
	if (cookie == 0) {
		if (!emit(arg, ".", 1, d->t_ino, VDIR, 1))
			return 0;
		cookie = 1;
	}
	if (cookie == 1) {
		spin_lock(&d->t_spin);
		up = d->t_parent->t_ino;
		spin_unlock(&d->t_spin);
		if (!emit(arg, "..", 2, up, VDIR, 2))
			return 0;
		cookie = 2;
	}
	e = last_below(d, cookie == 2 ? UINT64_MAX : cookie);
	while (e != NULL) {
		if (!emit(arg, e->e_name, e->e_len, e->e_node->t_ino, e->e_node->t_vnode->v_type,
		    e->e_cookie))
			return 0;
		n = rb_prev(&e->e_bycookie);
		e = n == NULL ? NULL : rb_entry(n, struct tentry, e_bycookie);
	}
	return 0;
}

/* Nobody uses the tree any more; open files that were removed earlier are not in it. */
void
tdir_destroy(struct tnode *root)
{
	struct tnode *d = root;

	while (d != NULL) {
		struct rb_node *n = rb_first(&d->t_cookies);
		struct tentry *e;
		struct tnode *t;

		if (n == NULL) {
			struct tnode *up = d->t_parent;
			struct rb_node *own = up == d ? NULL : rb_first(&up->t_cookies);

			if (own == NULL) {		/* the root itself */
				tnode_unlinked(d, d->t_nlink);
				return;
			}
			e = rb_entry(own, struct tentry, e_bycookie);
			ASSERT(e->e_node == d);
			entry_remove(up, e);
			tnode_unlinked(up, 1);
			tnode_unlinked(d, d->t_nlink);
			d = up;
			continue;
		}
		e = rb_entry(n, struct tentry, e_bycookie);
		t = e->e_node;
		if (t->t_vnode->v_type == VDIR) {
			d = t;
			continue;
		}
		entry_remove(d, e);
		tnode_unlinked(t, 1);
		lwkt_poll();
	}
}
