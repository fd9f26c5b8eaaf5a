/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nameop - creating, linking, removing and renaming names.
 *
 * Each operation locks its directories, looks the names up again under the
 * lock, checks in the order in which Linux reports errors, lets the
 * filesystem act, and then makes the cache agree.  After the filesystem said
 * yes nothing can fail.
 *
 * Invariants
 *   O1  while a directory's v_lk is held exclusively, cache and filesystem
 *       agree about its names.
 *   O2  a rename between two directories holds mp_rename_lk, so what is an
 *       ancestor of what does not change while it looks.
 *   O3  of two directories that get or lose a name the one with the smaller
 *       v_id is locked first.  One that is itself removed or replaced is
 *       locked until the cache knows, so that nobody finds a name in it that
 *       cannot be; that lock is only tried, and who fails lets go of all he
 *       has, waits, and begins again.  What stands above what says nothing
 *       here: others may move directories of hostfs or of an overlay's layer
 *       behind our back, and one may then have several names, even below
 *       itself.
 *
 * Locking: mp_rename_lk, then v_lk as O3 says, then the cache's spins.
 */
#include "node_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/cred.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

int
name_access(struct ncp *n, uint32_t want, const struct cred *cr)
{
	struct vnode *vn = n->n_vnode;

	if ((want & 2) != 0 && mount_is_ro(n->n_mount) &&
	    (vn->v_type == VREG || vn->v_type == VDIR || vn->v_type == VLNK))
		return EROFS;
	return vn_access(vn, want, cr);
}

/* The directory is held, locked and still in the tree. */
static int
check_alive(struct ncp *dir)
{
	return ncp_is_deleted(dir) ? ENOENT : 0;
}

static int
may_create(struct ncp *dir, const struct ncp *n)
{
	if (n->n_vnode != NULL)
		return EEXIST;
	if (mount_is_ro(dir->n_mount))
		return EROFS;
	return vn_access(dir->n_vnode, 3, vfs_cred());
}

/* In a sticky directory only the owner of the file or of the directory takes names away. */
static int
check_sticky(struct vnode *dir, struct vnode *victim)
{
	const struct cred *cr = vfs_cred();
	struct vattr da, va;
	int error;

	error = vn_getattr(dir, &da);
	if (error != 0 || (da.va_mode & S_ISVTX) == 0)
		return error;
	error = vn_getattr(victim, &va);
	if (error != 0)
		return error;
	if (cr->cr_fsuid == va.va_uid || cr->cr_fsuid == da.va_uid || cred_capable(cr, CAP_FOWNER))
		return 0;
	return EPERM;
}

static int
may_delete(struct ncp *dir, struct ncp *n, bool directory)
{
	struct vnode *vn = n->n_vnode;
	int error;

	error = vn_access(dir->n_vnode, 3, vfs_cred());
	if (error == 0)
		error = check_sticky(dir->n_vnode, vn);
	if (error != 0)
		return error;
	if (directory && vn->v_type != VDIR)
		return ENOTDIR;
	if (!directory && vn->v_type == VDIR)
		return EISDIR;
	return n->n_covered != NULL ? EBUSY : 0;
}

/* What create, mkdir, mknod and symlink have in common.  v_lk of dir held. */
static int
make(struct ncp *dir, struct ncp *n, enum v_type type, uint32_t mode, uint64_t rdev, const char *target)
{
	const struct cred *cr = vfs_cred();
	struct vnode *dvn = dir->n_vnode, *vn;
	int error;

	if (type == VLNK) {
		if (dvn->v_ops->vop_symlink == NULL)
			return EPERM;
		error = dvn->v_ops->vop_symlink(dvn, n->n_name, n->n_len, target, cr, &vn);
	} else {
		if (dvn->v_ops->vop_create == NULL)
			return EPERM;
		error = dvn->v_ops->vop_create(dvn, n->n_name, n->n_len, type, mode, rdev, cr, &vn);
	}
	if (error != 0) {
		ncp_doubt(n);
		return error;
	}
	ncache_bind(n, vn);
	notify_entry(dvn, IN_CREATE | (type == VDIR ? IN_ISDIR : 0), n->n_name, n->n_len);
	vnode_drop(vn);
	return 0;
}

static int
create_common(struct ncp *dir, const char *name, size_t len, bool slash, enum v_type type, uint32_t mode,
    uint64_t rdev, const char *target, struct ncp **out)
{
	struct vnode *dvn = dir->n_vnode;
	struct ncp *n;
	int error;

	if (dvn->v_type != VDIR)
		return ENOTDIR;
	if (name_is_dots(name, len))
		return EEXIST;
	lk_excl(&dvn->v_lk);
	error = check_alive(dir);
	if (error == 0)
		error = child_locked(ncp_real(dir), name, len, &n);
	if (error != 0) {
		lk_release(&dvn->v_lk);
		return error;
	}
	if (n->n_vnode == NULL && slash && type != VDIR)
		error = ENOENT;
	if (error == 0)
		error = may_create(dir, n);
	if (error == 0)
		error = make(dir, n, type, mode, rdev, target);
	lk_release(&dvn->v_lk);
	if (error == 0 && out != NULL && dir->n_real != NULL)
		error = ncp_wrap(dir, dir->n_mount, name, len, n, out);
	else if (error == 0 && out != NULL) {
		*out = n;
		return 0;
	}
	ncp_drop(n);
	return error;
}

int
name_create(struct ncp *dir, const char *name, size_t len, bool slash, enum v_type type, uint32_t mode,
    uint64_t rdev, struct ncp **out)
{
	ASSERT(type != VLNK);
	return create_common(dir, name, len, slash, type, mode, rdev, NULL, out);
}

int
name_symlink(struct ncp *dir, const char *name, size_t len, bool slash, const char *target)
{
	return create_common(dir, name, len, slash, VLNK, 0777, 0, target, NULL);
}

int
name_link(struct ncp *dir, const char *name, size_t len, bool slash, struct ncp *target)
{
	struct vnode *dvn = dir->n_vnode, *vn = target->n_vnode;
	struct ncp *n;
	int error;

	if (dvn->v_type != VDIR)
		return ENOTDIR;
	if (name_is_dots(name, len))
		return EEXIST;
	lk_excl(&dvn->v_lk);
	error = check_alive(dir);
	if (error == 0)
		error = child_locked(ncp_real(dir), name, len, &n);
	if (error != 0) {
		lk_release(&dvn->v_lk);
		return error;
	}
	if (n->n_vnode == NULL && slash)
		error = ENOENT;
	else if (n->n_vnode != NULL)
		error = EEXIST;
	else if (dir->n_mount != target->n_mount)
		error = EXDEV;
	else if ((error = may_create(dir, n)) == 0)
		error = vn->v_type == VDIR || dvn->v_ops->vop_link == NULL ? EPERM :
		    dvn->v_ops->vop_link(dvn, n->n_name, n->n_len, vn);
	if (error == 0) {
		ncache_bind(n, vn);
		notify_linked(vn);
		notify_vnode(vn, IN_ATTRIB);
		notify_entry(dvn, IN_CREATE, n->n_name, n->n_len);
	}
	lk_release(&dvn->v_lk);
	ncp_drop(n);
	return error;
}

/* What loses its last name ends for its watchers before the directory's are told. */
static int
remove_file(struct ncp *dir, struct ncp *n, bool slash)
{
	struct vnode *dvn = dir->n_vnode, *vn = n->n_vnode;
	int error;

	if (slash)
		return vn->v_type == VDIR ? EISDIR : ENOTDIR;
	error = may_delete(dir, n, false);
	if (error == 0)
		error = dvn->v_ops->vop_unlink == NULL ? EPERM : dvn->v_ops->vop_unlink(dvn, n->n_name,
		    n->n_len, vn);
	if (error != 0) {
		ncp_doubt(n);
		return error;
	}
	notify_unlinked(vn, false);
	notify_vnode(vn, IN_ATTRIB);
	ncache_removed(n);
	notify_entry(dvn, IN_DELETE, n->n_name, n->n_len);
	return 0;
}

/* O3.  An error with *busy set, held, to wait for once nothing is locked; held and locked else. */
static int
victim_lock(struct vnode *vn, struct vnode **busy)
{
	if (lk_held_excl(&vn->v_lk))
		return EBUSY;		/* another name of where we are */
	vnode_hold(vn);
	if (lk_try_excl(&vn->v_lk))
		return 0;
	*busy = vn;
	return EAGAIN;
}

static void
victim_unlock(struct vnode *vn)
{
	lk_release(&vn->v_lk);
	vnode_drop(vn);
}

/* True: begin again. */
static bool
victim_wait(struct vnode *busy)
{
	if (busy == NULL)
		return false;
	lk_excl(&busy->v_lk);
	victim_unlock(busy);
	return true;
}

static int
remove_dir(struct ncp *dir, struct ncp *n, struct vnode **busy)
{
	struct vnode *dvn = dir->n_vnode, *vn = n->n_vnode;
	int error;

	error = may_delete(dir, n, true);
	if (error == 0)
		error = victim_lock(vn, busy);
	if (error != 0)
		return error;
	error = dvn->v_ops->vop_rmdir == NULL ? EPERM : dvn->v_ops->vop_rmdir(dvn, n->n_name, n->n_len, vn);
	if (error == 0) {
		notify_unlinked(vn, true);
		ncache_removed(n);
		if (n->n_vnode == NULL)
			notify_ended(vn);
	} else {
		ncp_doubt(n);
	}
	victim_unlock(vn);
	if (error == 0)
		notify_entry(dvn, IN_DELETE | IN_ISDIR, n->n_name, n->n_len);
	return error;
}

static int
remove_once(struct ncp *dir, const char *name, size_t len, bool slash, bool directory, struct vnode **busy)
{
	struct vnode *dvn = dir->n_vnode;
	struct ncp *n = NULL;
	int error;

	lk_excl(&dvn->v_lk);
	error = check_alive(dir);
	if (error == 0)
		error = child_locked(ncp_real(dir), name, len, &n);
	if (error == 0) {
		if (n->n_vnode == NULL)
			error = ENOENT;
		else
			error = directory ? remove_dir(dir, n, busy) : remove_file(dir, n, slash);
	}
	lk_release(&dvn->v_lk);
	if (n != NULL)
		ncp_drop(n);
	return error;
}

int
name_remove(struct ncp *dir, const char *name, size_t len, bool slash, bool directory)
{
	struct vnode *dvn = dir->n_vnode, *busy;
	int error;

	if (dvn->v_type != VDIR)
		return ENOTDIR;
	if (name_is_dots(name, len)) {
		if (!directory)
			return EISDIR;
		return len == 0 ? EBUSY : len == 1 ? EINVAL : ENOTEMPTY;
	}
	if (mount_is_ro(dir->n_mount))
		return EROFS;
	do {
		busy = NULL;
		error = remove_once(dir, name, len, slash, directory, &busy);
	} while (victim_wait(busy));
	return error;
}

/* Is `a` the directory `n` or above it, within one mount?  mp_rename_lk held: O2. */
static bool
is_ancestor(struct ncp *a, struct ncp *n)
{
	while (n != NULL && n != a)
		n = n->n_parent;
	return n == a;
}

struct rename {
	struct ncp	*r_from, *r_to;		/* directories, locked */
	struct ncp	*r_old, *r_new;		/* names, held; r_new may be negative */
	char		*r_old_text, *r_new_text;	/* memory for the names in their new places */
	uint32_t	r_flags;
};

static void
lock_dirs(struct ncp *a, struct ncp *b)
{
	struct vnode *va = a->n_vnode, *vb = b->n_vnode;

	if (va == vb) {
		lk_excl(&va->v_lk);
		return;
	}
	lk_excl(&a->n_mount->mp_rename_lk);
	if (vb->v_id < va->v_id) {
		va = b->n_vnode;
		vb = a->n_vnode;
	}
	lk_excl(&va->v_lk);
	lk_excl(&vb->v_lk);
}

static void
unlock_dirs(struct ncp *a, struct ncp *b)
{
	lk_release(&a->n_vnode->v_lk);
	if (a->n_vnode == b->n_vnode)
		return;
	lk_release(&b->n_vnode->v_lk);
	lk_release(&a->n_mount->mp_rename_lk);
}

/* Slashes after names of files, ancestors, permissions: everything before the filesystem is asked. */
static int
rename_check(const struct rename *r, bool from_slash, bool to_slash)
{
	struct vnode *old = r->r_old->n_vnode, *new = r->r_new->n_vnode;
	bool exchange = (r->r_flags & RENAME_EXCHANGE) != 0;
	bool apart = r->r_from->n_vnode != r->r_to->n_vnode;	/* else O2 is not there to look */
	int error;

	if (new != NULL && (r->r_flags & RENAME_NOREPLACE) != 0)
		return EEXIST;
	if (new == NULL && exchange)
		return ENOENT;
	if (exchange && to_slash && new->v_type != VDIR)
		return ENOTDIR;
	if (old->v_type != VDIR && (from_slash || (!exchange && to_slash)))
		return ENOTDIR;
	if (apart && is_ancestor(r->r_old, r->r_to))
		return EINVAL;
	if (apart && new != NULL && is_ancestor(r->r_new, r->r_from))
		return exchange ? EINVAL : ENOTEMPTY;
	if (old == new)
		return 0;
	error = may_delete(r->r_from, r->r_old, old->v_type == VDIR);
	if (error != 0)
		return error;
	if (new == NULL)
		error = vn_access(r->r_to->n_vnode, 3, vfs_cred());
	else
		error = may_delete(r->r_to, r->r_new, exchange ? new->v_type == VDIR : old->v_type == VDIR);
	/* A directory that moves gets another "..": that is writing to it. */
	if (error == 0 && apart && old->v_type == VDIR)
		error = vn_access(old, 2, vfs_cred());
	if (error == 0 && exchange && apart && new->v_type == VDIR)
		error = vn_access(new, 2, vfs_cred());
	return error;
}

/*
 * The filesystem said yes.  The place is taken by what moved; whoever holds
 * the replaced name keeps it as a deleted one.
 */
static void
rename_cached(struct rename *r)
{
	struct ncp *o = r->r_old, *n = r->r_new;

	if ((r->r_flags & RENAME_EXCHANGE) != 0) {
		ncache_swap(o, r->r_old_text, n, r->r_new_text);
		r->r_new_text = NULL;
	} else {
		if (n->n_vnode != NULL)
			ncache_removed(n);
		ncache_unhash(n);
		ncache_move(o, r->r_to, r->r_old_text, n->n_name, n->n_len);
	}
	r->r_old_text = NULL;
}

/* Before the cache knows: a file that was replaced may end then. */
static void
rename_told(const struct rename *r)
{
	struct vnode *from = r->r_from->n_vnode, *to = r->r_to->n_vnode;
	struct vnode *old = r->r_old->n_vnode, *new = r->r_new->n_vnode;
	const struct ncp *o = r->r_old, *n = r->r_new;
	bool exchange = (r->r_flags & RENAME_EXCHANGE) != 0;

	notify_moved(from, o->n_name, o->n_len, to, n->n_name, n->n_len, old);
	if (new != NULL && !exchange) {
		notify_unlinked(new, new->v_type == VDIR);
		notify_vnode(new, IN_ATTRIB);
	}
	notify_vnode(old, IN_MOVE_SELF);
	if (exchange) {
		notify_moved(to, n->n_name, n->n_len, from, o->n_name, o->n_len, new);
		notify_vnode(new, IN_MOVE_SELF);
	}
}

static int
rename_locked(struct rename *r, struct vnode **busy)
{
	struct vnode *from = r->r_from->n_vnode, *to = r->r_to->n_vnode;
	struct vnode *old = r->r_old->n_vnode, *new = r->r_new->n_vnode;
	bool exchange = (r->r_flags & RENAME_EXCHANGE) != 0;
	bool lock_victim = new != NULL && new->v_type == VDIR && !exchange;
	struct ncp *o = r->r_old, *n = r->r_new;
	int error;

	if (old == new)
		return 0;
	if (from->v_ops->vop_rename == NULL)
		return EPERM;
	error = ncache_reserve(n->n_len, &r->r_old_text);
	if (error == 0 && exchange)
		error = ncache_reserve(o->n_len, &r->r_new_text);
	if (error == 0 && lock_victim)
		error = victim_lock(new, busy);
	if (error != 0)
		return error;
	error = from->v_ops->vop_rename(from, o->n_name, o->n_len, old, to, n->n_name, n->n_len, new,
	    r->r_flags);
	if (error == 0) {
		rename_told(r);
		rename_cached(r);
		if (lock_victim && n->n_vnode == NULL)
			notify_ended(new);
	} else {
		ncp_doubt(o);
		ncp_doubt(n);
	}
	if (lock_victim)
		victim_unlock(new);
	return error;
}

static int
rename_once(const struct lookup *from, const struct lookup *to, uint32_t flags, struct vnode **busy)
{
	struct rename r = { .r_from = ncp_real(from->lu_ncp), .r_to = ncp_real(to->lu_ncp),
	    .r_flags = flags };
	int error;

	lock_dirs(r.r_from, r.r_to);
	error = check_alive(r.r_from);
	if (error == 0)
		error = child_locked(r.r_from, from->lu_last, from->lu_last_len, &r.r_old);
	if (error == 0 && r.r_old->n_vnode == NULL)
		error = ENOENT;
	if (error == 0)
		error = check_alive(r.r_to);
	if (error == 0)
		error = child_locked(r.r_to, to->lu_last, to->lu_last_len, &r.r_new);
	if (error == 0)
		error = rename_check(&r, from->lu_trailing, to->lu_trailing);
	if (error == 0)
		error = rename_locked(&r, busy);
	unlock_dirs(r.r_from, r.r_to);
	if (r.r_old != NULL)
		ncp_drop(r.r_old);
	if (r.r_new != NULL)
		ncp_drop(r.r_new);
	kfree(r.r_old_text);
	kfree(r.r_new_text);
	return error;
}

int
name_rename(const struct lookup *from, const struct lookup *to, uint32_t flags)
{
	struct vnode *busy;
	int error;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
	    ((flags & RENAME_EXCHANGE) != 0 && flags != RENAME_EXCHANGE))
		return EINVAL;
	if (from->lu_ncp->n_mount != to->lu_ncp->n_mount)
		return EXDEV;
	if (name_is_dots(from->lu_last, from->lu_last_len))
		return EBUSY;
	if (name_is_dots(to->lu_last, to->lu_last_len))
		return (flags & RENAME_NOREPLACE) != 0 ? EEXIST : EBUSY;
	if (mount_is_ro(from->lu_ncp->n_mount))
		return EROFS;
	do {
		busy = NULL;
		error = rename_once(from, to, flags, &busy);
	} while (victim_wait(busy));
	return error;
}

int
name_orphan_in(struct ncp *dir, struct vnode *vn, const char *text, struct ncp **out)
{
	struct mount *mp = dir != NULL ? dir->n_mount : vn->v_mount;
	int error = ncp_create(dir, mp, text, strnlen(text, PATH_MAX_), vn, out);

	if (error == 0)
		atomic_store_explicit(&(*out)->n_flags, NCF_DELETED, memory_order_relaxed);
	return error;
}

int
name_orphan(struct vnode *vn, const char *text, struct ncp **out)
{
	struct ncp *top = mount_name(vn->v_mount);
	int error = name_orphan_in(top, vn, text, out);

	if (top != NULL)
		ncp_drop(top);
	return error;
}

/* Linux takes set-id bits from those who may not give them. */
static int
check_mode(const struct cred *cr, struct vattr *va, const struct vattr *old)
{
	uint32_t gid = (va->va_mask & VA_GID) != 0 ? va->va_gid : old->va_gid;

	if (cr->cr_fsuid != old->va_uid && !cred_capable(cr, CAP_FOWNER))
		return EPERM;
	if (!cred_in_group(cr, gid) && !cred_capable(cr, CAP_FSETID))
		va->va_mode &= ~S_ISGID;
	return 0;
}

static int
check_owner(const struct cred *cr, const struct vattr *va, const struct vattr *old)
{
	bool owner = cr->cr_fsuid == old->va_uid;

	if (cred_capable(cr, CAP_CHOWN))
		return 0;
	if ((va->va_mask & VA_UID) != 0 && (!owner || va->va_uid != old->va_uid))
		return EPERM;
	if ((va->va_mask & VA_GID) != 0 &&
	    (!owner || (va->va_gid != old->va_gid && !cred_in_group(cr, va->va_gid))))
		return EPERM;
	return 0;
}

int
name_setattr(struct ncp *n, struct vattr *va)
{
	const struct cred *cr = vfs_cred();
	struct vnode *vn = n->n_vnode;
	struct vattr old;
	int error;

	if (mount_is_ro(n->n_mount))
		return EROFS;
	error = vn_getattr(vn, &old);
	if (error == 0 && (va->va_mask & (VA_UID | VA_GID)) != 0)
		error = check_owner(cr, va, &old);
	if (error == 0 && (va->va_mask & VA_MODE) != 0)
		error = check_mode(cr, va, &old);
	if (error == 0 && (va->va_mask & (VA_ATIME | VA_MTIME)) != 0 &&
	    cr->cr_fsuid != old.va_uid && !cred_capable(cr, CAP_FOWNER)) {
		error = EPERM;
		if ((va->va_mask & VA_TIME_NOW) != 0)
			error = vn_access(vn, 2, cr);
	}
	if (error != 0)
		return error;
	/* A new owner does not get the old one's set-id program. */
	if ((va->va_mask & (VA_UID | VA_GID)) != 0 && (va->va_mask & VA_MODE) == 0 && vn->v_type != VDIR) {
		uint32_t kill = old.va_mode & S_ISUID;

		if ((old.va_mode & (S_ISGID | 010)) == (S_ISGID | 010))
			kill |= S_ISGID;
		if (kill != 0) {
			va->va_mask |= VA_MODE;
			va->va_mode = old.va_mode & ~kill;
		}
	}
	error = vn_setattr(vn, va);
	if (error == 0 && notify_of_attr(va->va_mask) != 0)
		notify_name(n, notify_of_attr(va->va_mask));
	return error;
}
