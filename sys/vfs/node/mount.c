/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount - which filesystem stands where.
 *
 * A mount is a property of names: the covered name points to the mount, the
 * mount's root name stands in for it.  While it is mounted, the mount holds
 * its root name and the covered name.  Whatever uses a file holds its name
 * and so, through the parents, the root name; when the root name's last
 * reference goes, nobody uses the filesystem any more, at once or long after
 * a lazy unmount.
 *
 * Invariants
 *   M1  n_covered of a name and mp_covers of the mount point to each other.
 *   M2  mp_dead is set once, when the mount leaves the list.
 *   M3  fs_unmount runs once, when the root name is destroyed.
 *
 * Locking: mount_lk for the list and the shape of the tree; it is taken
 * before any v_lk.  Lookups take it never: they read n_covered under the
 * name's bucket.  A name is covered under its directory's v_lk, too, which
 * who removes or replaces names holds while it looks at n_covered.
 * A bind mount is a mount whose root name stands for a name of another mount
 * (ncache.c N6); what is mounted below that name does not show.
 * Not here: propagation, mount namespaces: one view.
 */
#include "node_int.h"

#include <abi/errno.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/lwkt/thread.h>
#include <drv/fs.h>
#include <sys/proc/proc.h>
#include <sys/vfs/fs.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

#define FS_MAX		16u
#define MOUNTS_MAX	1024u
#define KEPT_FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_NOATIME | \
			 MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)

static const struct fs_ops *filesystems[FS_MAX];	/* const after boot */
static struct lk mount_lk;
static struct list mounts;		/* [mount_lk] */
static uint32_t nmounts;		/* [mount_lk] */
static uint32_t last_id;		/* [mount_lk] */
static struct mount *_Atomic root_mount;	/* [mount_lk to change] */
static struct mount *hidden_mount;	/* const after boot: in no list */
static struct fsctx kernel_fsctx;	/* of threads without a process */

void
fs_register(const struct fs_ops *ops)
{
	for (uint32_t i = 0; i < FS_MAX; i++) {
		if (filesystems[i] == NULL) {
			filesystems[i] = ops;
			return;
		}
	}
	ASSERT(!"room for another filesystem");
}

void
fs_foreach(void (*fn)(const struct fs_ops *, void *), void *arg)
{
	for (uint32_t i = 0; i < FS_MAX && filesystems[i] != NULL; i++)
		fn(filesystems[i], arg);
}

static const struct fs_ops *
fs_find(const char *name)
{
	for (uint32_t i = 0; i < FS_MAX && filesystems[i] != NULL; i++) {
		if (strcmp(filesystems[i]->fs_name, name) == 0)
			return filesystems[i];
	}
	return NULL;
}

void
mount_hold(struct mount *mp)
{
	atomic_fetch_add_explicit(&mp->mp_refs, 1, memory_order_relaxed);
}

void
mount_drop(struct mount *mp)
{
	uint32_t old = atomic_fetch_sub_explicit(&mp->mp_refs, 1, memory_order_acq_rel);

	ASSERT(old != 0);
	if (old != 1)
		return;
	kfree(mp->mp_source);
	kfree(mp);
}

bool
mount_is_ro(const struct mount *mp)
{
	return (mp->mp_flags & MS_RDONLY) != 0;
}

void
mount_unused(struct mount *mp)
{
	struct vnode *root = mp->mp_root;

	ASSERT(mp->mp_dead);
	mp->mp_root = NULL;
	if (!mp->mp_bind)
		notify_unmount(mp);
	if (!mp->mp_bind && mp->mp_ops->fs_unmount != NULL && mp->mp_ops->fs_unmount(mp) != 0)
		ASSERT(!"an unused filesystem can be unmounted");
	vnode_drop(root);
}

static struct mount *
mount_alloc(const struct fs_ops *fs, const char *source, uint32_t flags)
{
	struct mount *mp = kmalloc(sizeof *mp, KM_ZERO | KM_WAIT);

	if (mp == NULL)
		return NULL;
	mp->mp_source = kstrdup(source, KM_WAIT);
	if (mp->mp_source == NULL) {
		kfree(mp);
		return NULL;
	}
	mp->mp_refs = 1;
	mp->mp_ops = fs;
	mp->mp_flags = flags & KEPT_FLAGS;
	lk_init(&mp->mp_rename_lk, LR_rename);
	list_init(&mp->mp_link);
	mp->mp_id = ++last_id;
	mp->mp_dev = MKDEV(0, last_id + 20);
	return mp;
}

/* A filesystem, its root name made.  [mount_lk] */
static int
mount_make(const struct fs_ops *fs, const char *source, uint32_t flags, const char *options,
    struct mount **out)
{
	struct mount *mp;
	int error;

	mp = mount_alloc(fs, source, flags);
	if (mp == NULL)
		return ENOMEM;
	error = fs->fs_mount(mp, source, options);
	if (error == 0) {
		error = ncp_create(NULL, mp, "", 0, mp->mp_root, &mp->mp_ncp);
		if (error != 0) {
			struct vnode *root = mp->mp_root;

			mp->mp_dead = true;
			if (fs->fs_unmount != NULL)
				(void)fs->fs_unmount(mp);
			vnode_drop(root);
		}
	}
	if (error != 0) {
		mount_drop(mp);
		return error;
	}
	*out = mp;
	return 0;
}

/* Puts it on the list, too.  [mount_lk] */
static int
mount_new(const struct fs_ops *fs, const char *source, uint32_t flags, const char *options,
    struct mount **out)
{
	int error = nmounts >= MOUNTS_MAX ? ENOSPC : mount_make(fs, source, flags, options, out);

	if (error != 0)
		return error;
	list_push_back(&mounts, &(*out)->mp_link);
	nmounts++;
	return 0;
}

/* [mount_lk] */
static bool
has_mounts_below(struct mount *mp)
{
	list_foreach(m, &mounts, struct mount, mp_link) {
		if (m->mp_covers != NULL && m->mp_covers->n_mount == mp)
			return true;
	}
	return false;
}

/* May something be mounted on this name?  [mount_lk, its place] */
static int
check_cover(struct ncp *on)
{
	if (ncp_is_deleted(on))
		return ENOENT;
	if (on->n_covered != NULL)
		return EBUSY;
	/* A name that only its holder can find would lead nowhere. */
	return (on->n_flags & NCF_HASHED) == 0 && on != on->n_mount->mp_ncp ? EINVAL : 0;
}

/* Locks the directory that has the name.  *dir: held, for unlock_place(); NULL: the root of a mount.  [mount_lk] */
static void
lock_place(struct ncp *on, struct ncp **dir)
{
	for (;;) {
		struct ncp *up = ncp_above(on), *now;

		*dir = up;
		if (up == NULL)
			return;
		lk_excl(&up->n_vnode->v_lk);
		now = ncp_above(on);
		if (now != NULL)
			ncp_drop(now);
		if (now == up)
			return;
		lk_release(&up->n_vnode->v_lk);		/* moved meanwhile */
		ncp_drop(up);
	}
}

static void
unlock_place(struct ncp *dir)
{
	if (dir == NULL)
		return;
	lk_release(&dir->n_vnode->v_lk);
	ncp_drop(dir);
}

/* The same before anything is made for it: it may be removed again meanwhile.  [mount_lk] */
static int
may_cover(struct ncp *on)
{
	struct ncp *dir;
	int error;

	lock_place(on, &dir);
	error = check_cover(on);
	unlock_place(dir);
	return error;
}

/* The mount, new or without a place, gets its place.  [mount_lk] */
static int
cover(struct ncp *on, struct mount *mp)
{
	struct ncp *dir;
	int error;

	lock_place(on, &dir);
	error = check_cover(on);
	if (error == 0) {
		ncp_hold(on);
		mount_set_covers(mp, on);
		ncp_cover(on, mp);
	}
	unlock_place(dir);
	return error;
}

/* It leaves the list.  [mount_lk] */
static void
mount_off_list(struct mount *mp)
{
	list_remove(&mp->mp_link);
	nmounts--;
	mp->mp_dead = true;
	mount_set_covers(mp, NULL);
}

/* ... and the list's references go.  mount_lk not held. */
static void
mount_let_go(struct mount *mp)
{
	ncache_purge_mount(mp);		/* names that became idle before mp_dead was set */
	ncp_drop(mp->mp_ncp);
	mount_drop(mp);
}

struct ncp *
mount_name(struct mount *mp)
{
	struct ncp *n = NULL;

	lk_shared(&mount_lk);
	if (!mp->mp_dead) {
		n = mp->mp_ncp;
		ncp_hold(n);
	}
	lk_release(&mount_lk);
	return n;
}

/* [mount_lk] */
static int
bind_new(struct ncp *from, struct mount **out)
{
	struct mount *of = from->n_mount, *mp;
	int error;

	if (nmounts >= MOUNTS_MAX)
		return ENOSPC;
	mp = mount_alloc(of->mp_ops, of->mp_source, of->mp_flags);
	if (mp == NULL)
		return ENOMEM;
	mp->mp_bind = true;
	mp->mp_data = of->mp_data;
	mp->mp_dev = of->mp_dev;
	error = ncp_wrap(NULL, mp, "", 0, ncp_real(from), &mp->mp_ncp);
	if (error != 0) {
		mount_drop(mp);
		return error;
	}
	mp->mp_root = from->n_vnode;
	vnode_hold(mp->mp_root);
	list_push_back(&mounts, &mp->mp_link);
	nmounts++;
	*out = mp;
	return 0;
}

/* Ends what made a new mount (error 0) under mount_lk: it is covered, or goes again. */
static int
place_new(struct mount *mp, struct ncp *on, int error)
{
	bool undo = false;

	if (error == 0) {
		error = cover(on, mp);
		undo = error != 0;
		if (undo)
			mount_off_list(mp);
	}
	lk_release(&mount_lk);
	if (undo)
		mount_let_go(mp);
	return error;
}

int
vfs_bind(struct ncp *from, struct ncp *on, uint32_t flags)
{
	struct mount *mp = NULL;
	int error;

	lk_excl(&mount_lk);
	error = may_cover(on);
	if (error == 0 && (from->n_vnode->v_type == VDIR) != (on->n_vnode->v_type == VDIR))
		error = ENOTDIR;
	if (error == 0 && ncp_is_deleted(from))
		error = ENOENT;
	if (error == 0 && (flags & MS_REC) != 0 && has_mounts_below(from->n_mount))
		error = EINVAL;
	if (error == 0)
		error = bind_new(from, &mp);
	return place_new(mp, on, error);
}

int
vfs_move(struct ncp *root, struct ncp *on)
{
	struct mount *mp = root->n_mount;
	int error;

	lk_excl(&mount_lk);
	error = may_cover(on);
	if (error == 0 && (root != mp->mp_ncp || mp->mp_dead || mp == root_mount))
		error = EINVAL;
	if (error == 0 && (root->n_vnode->v_type == VDIR) != (on->n_vnode->v_type == VDIR))
		error = ENOTDIR;
	/* Into itself, directly or by a mount below it. */
	for (struct mount *up = on->n_mount; error == 0; up = up->mp_covers->n_mount) {
		if (up == mp)
			error = ELOOP;
		if (up->mp_covers == NULL)
			break;
	}
	if (error == 0) {
		struct ncp *old = mp->mp_covers;

		ncp_hold(old);
		error = cover(on, mp);
		if (error == 0)
			ncp_cover(old, NULL);
		ncp_drop(old);
	}
	lk_release(&mount_lk);
	return error;
}

/* The mount of a filesystem of which there is one; NULL: not mounted.  [mount_lk] */
static struct mount *
find_single(const struct fs_ops *fs)
{
	list_foreach(m, &mounts, struct mount, mp_link) {
		if (m->mp_ops == fs && !m->mp_bind)
			return m;
	}
	return NULL;
}

int
vfs_mount(const char *fstype, const char *source, struct ncp *on, uint32_t flags, const char *options)
{
	const struct fs_ops *fs = fs_find(fstype);
	struct mount *mp = NULL, *same = NULL;
	int error;

	if (fs == NULL)
		return ENODEV;
	error = fs->fs_instance != NULL ? fs->fs_instance(&same) : 0;
	if (error != 0)
		return error;
	lk_excl(&mount_lk);
	error = on->n_vnode->v_type != VDIR ? ENOTDIR : may_cover(on);
	if ((fs->fs_flags & FS_SINGLE) != 0)
		same = find_single(fs);
	if (error == 0 && same != NULL)
		error = bind_new(same->mp_ncp, &mp);
	else if (error == 0)
		error = mount_new(fs, source, flags, options, &mp);
	return place_new(mp, on, error);
}

int
vfs_mount_hidden(const char *fstype, struct mount **out)
{
	const struct fs_ops *fs = fs_find(fstype);
	int error;

	ASSERT(fs != NULL);
	lk_excl(&mount_lk);
	error = mount_make(fs, fstype, 0, "", out);
	lk_release(&mount_lk);
	return error;
}

void
vfs_unmount_hidden(struct mount *mp)
{
	mp->mp_dead = true;
	mount_let_go(mp);
}

/*
 * MNT_EXPIRE: the first call marks the mount, the second takes it away if only that call itself came by
 * meanwhile.
 */
static bool
is_expired(struct mount *mp)
{
	if (mp->mp_expires == 2)
		return true;
	mp->mp_expires = 1;
	return false;
}

/* mount_lk is held. */
static int
unmount_locked(struct ncp *root, uint32_t flags)
{
	/* The caller's reference and the mount's own are the two that are expected. */
	uint32_t refs = (flags & MNT_DETACH) != 0 ? UINT32_MAX : 2;
	struct mount *mp = root->n_mount;

	if (root != mp->mp_ncp || mp->mp_dead)
		return EINVAL;
	if ((flags & MNT_EXPIRE) != 0 && (mp == root_mount || (flags & (MNT_FORCE | MNT_DETACH)) != 0))
		return EINVAL;
	if (mp == root_mount || has_mounts_below(mp))
		return EBUSY;
	ncache_purge_mount(mp);
	if ((flags & MNT_EXPIRE) != 0 && atomic_load(&mp->mp_ncp->n_refs) <= refs && !is_expired(mp))
		return EAGAIN;
	if (!ncp_uncover_idle(mp->mp_covers, mp, refs))
		return EBUSY;
	mount_off_list(mp);
	return 0;
}

int
vfs_unmount(struct ncp *root, uint32_t flags)
{
	struct mount *mp = root->n_mount;
	int error;

	lk_excl(&mount_lk);
	error = unmount_locked(root, flags);
	lk_release(&mount_lk);
	if (error == 0)
		mount_let_go(mp);
	return error;
}

int
vfs_remount(struct ncp *root, uint32_t flags)
{
	struct mount *mp = root->n_mount;

	if (root != mp->mp_ncp)
		return EINVAL;
	lk_excl(&mount_lk);
	mp->mp_flags = flags & KEPT_FLAGS;
	lk_release(&mount_lk);
	return 0;
}

/* The root mount moves to put_old, below new_root, which becomes the top. */
int
vfs_pivot(struct ncp *new_root, struct ncp *put_old, struct ncp **old_root)
{
	struct mount *mp = new_root->n_mount, *old;
	struct ncp *up;
	int error = 0;

	lk_excl(&mount_lk);
	old = root_mount;
	if (new_root->n_vnode->v_type != VDIR || put_old->n_vnode->v_type != VDIR)
		error = ENOTDIR;
	else if (mp == old || put_old->n_mount == old)
		error = EBUSY;
	else if (new_root != mp->mp_ncp || put_old->n_covered != NULL || put_old == new_root)
		error = EINVAL;
	lk_excl(&mp->mp_rename_lk);		/* what is above what stays so */
	for (up = put_old; error == 0 && up != NULL && up != new_root; up = up->n_parent)
		;
	lk_release(&mp->mp_rename_lk);
	if (error == 0 && up == NULL)
		error = EINVAL;
	if (error == 0) {
		*old_root = old->mp_ncp;
		ncp_hold(*old_root);
		ncp_cover(mp->mp_covers, NULL);
		mount_set_covers(mp, NULL);
		root_mount = mp;
		ncp_hold(put_old);
		mount_set_covers(old, put_old);
		ncp_cover(put_old, old);
	}
	lk_release(&mount_lk);
	return error;
}

void
vfs_mount_foreach(void (*fn)(struct mount *, void *), void *arg)
{
	lk_shared(&mount_lk);
	list_foreach(m, &mounts, struct mount, mp_link)
		fn(m, arg);
	lk_release(&mount_lk);
}

struct ncp *
vfs_root(void)
{
	return root_mount->mp_ncp;
}

struct fsctx *
fsctx_current(void)
{
	struct lwp *l = curthread->td_lwp;

	if (l != NULL && l->l_fs != NULL)
		return l->l_fs;
	return l != NULL && l->l_proc->p_fs != NULL ? l->l_proc->p_fs : &kernel_fsctx;
}

struct fsctx *
fsctx_create(struct fsctx *like)
{
	struct fsctx *fc = kmalloc(sizeof *fc, KM_ZERO | KM_WAIT);

	if (fc == NULL)
		return NULL;
	fc->fc_refs = 1;
	spin_init(&fc->fc_spin, LR_fsctx);
	fsctx_get(like, &fc->fc_cwd, &fc->fc_root);
	spin_lock(&like->fc_spin);
	fc->fc_umask = like->fc_umask;
	spin_unlock(&like->fc_spin);
	fc->fc_top = like->fc_top;
	if (fc->fc_top != NULL)
		ncp_hold(fc->fc_top);
	return fc;
}

static struct fsctx *
fsctx_hold(struct fsctx *fc)
{
	atomic_fetch_add_explicit(&fc->fc_refs, 1, memory_order_relaxed);
	return fc;
}

struct fsctx *
fsctx_jail(struct fsctx *like, struct ncp *dir)
{
	struct fsctx *fc = fsctx_create(like);

	if (fc == NULL)
		return NULL;
	ASSERT(fc->fc_top == NULL);
	ncp_drop(fc->fc_cwd);
	ncp_drop(fc->fc_root);
	fc->fc_cwd = fc->fc_root = fc->fc_top = dir;
	for (int i = 0; i < 3; i++)
		ncp_hold(dir);
	return fc;
}

void
fsctx_drop(struct fsctx *fc)
{
	uint32_t old = atomic_fetch_sub_explicit(&fc->fc_refs, 1, memory_order_acq_rel);

	ASSERT(old != 0);
	if (old != 1)
		return;
	ncp_drop(fc->fc_cwd);
	ncp_drop(fc->fc_root);
	if (fc->fc_top != NULL)
		ncp_drop(fc->fc_top);
	kfree(fc);
}

#define CLONE_FS	0x200u

static int
fork_fs(struct proc *parent, struct proc *child, uint64_t clone_flags)
{
	struct fsctx *from = parent == NULL ? &kernel_fsctx : fsctx_current();

	ASSERT(parent == NULL || parent == curproc);
	if ((clone_flags & CLONE_FS) != 0 && from != &kernel_fsctx)
		child->p_fs = fsctx_hold(from);
	else
		child->p_fs = fsctx_create(from);
	return child->p_fs == NULL ? ENOMEM : 0;
}

int
fsctx_lwp_fork(struct lwp *from, struct lwp *l, uint64_t clone_flags)
{
	if ((clone_flags & CLONE_FS) == 0)
		return (l->l_fs = fsctx_create(fsctx_current())) == NULL ? ENOMEM : 0;
	if (from->l_fs != NULL)
		l->l_fs = fsctx_hold(from->l_fs);
	return 0;
}

/* Others may look at it: they hold what they find. */
static struct fsctx *
swap_own(struct lwp *l, struct fsctx *fc)
{
	struct fsctx *old;

	spin_lock(&l->l_proc->p_sig);
	old = l->l_fs;
	l->l_fs = fc;
	spin_unlock(&l->l_proc->p_sig);
	return old;
}

static struct fsctx *
swap_process(struct proc *p, struct fsctx *fc)
{
	struct fsctx *old;

	token_get(&p->p_tok);
	old = p->p_fs;
	p->p_fs = fc;
	token_release(&p->p_tok);
	return old;
}

struct fsctx *
fsctx_own_of(struct proc *p, uint32_t i)
{
	struct fsctx *fc = NULL;

	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (l->l_fs != NULL && i-- == 0) {
			fc = fsctx_hold(l->l_fs);
			break;
		}
	spin_unlock(&p->p_sig);
	return fc;
}

struct fsctx *
fsctx_of(struct proc *p, int32_t tid)
{
	struct fsctx *fc = NULL;

	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (l->l_tid == tid && l->l_fs != NULL)
			fc = fsctx_hold(l->l_fs);
	spin_unlock(&p->p_sig);
	if (fc != NULL)
		return fc;
	token_get(&p->p_tok);
	if (p->p_fs != NULL)
		fc = fsctx_hold(p->p_fs);
	token_release(&p->p_tok);
	return fc;
}

int
fsctx_unshare(void)
{
	bool threads = atomic_load(&curproc->p_nlwps) > 1;
	struct fsctx *fc = fsctx_current(), *copy;

	if (atomic_load(&fc->fc_refs) == 1 && (fc == curlwp->l_fs || !threads))
		return 0;
	if ((copy = fsctx_create(fc)) == NULL)
		return ENOMEM;
	if (curlwp->l_fs != NULL || threads)
		fc = swap_own(curlwp, copy);
	else
		fc = swap_process(curproc, copy);
	if (fc != NULL)
		fsctx_drop(fc);
	return 0;
}

void
fsctx_replace(struct fsctx *fc)
{
	struct fsctx *own = swap_own(curlwp, NULL);

	fsctx_drop(swap_process(curproc, fc));
	if (own != NULL)
		fsctx_drop(own);
}

/* The last thread's own becomes the process's: after exec, and for those who look. */
static void
lwp_exit_fs(struct lwp *l)
{
	struct fsctx *fc = swap_own(l, NULL);

	if (fc != NULL && atomic_load(&l->l_proc->p_nlwps) == 1)
		fc = swap_process(l->l_proc, fc);
	if (fc != NULL)
		fsctx_drop(fc);
}

static void
exit_fs(struct proc *p)
{
	struct fsctx *fc = swap_process(p, NULL);

	if (fc != NULL)
		fsctx_drop(fc);
}

static struct proc_hooks hooks = { .ph_fork = fork_fs, .ph_exit = exit_fs, .ph_lwp_exit = lwp_exit_fs };

/* Names of files that nobody uses; about twenty of them make a page. */
static uint64_t
reclaim_names(uint64_t pages)
{
	struct ncache_stats before, after;

	ncache_stats(&before);
	ncp_trim((uint32_t)rt_min(pages * 20, 4096));
	ncache_stats(&after);
	return before.names > after.names ? (before.names - after.names) / 20 : 0;
}

static struct vm_reclaimer reclaimer = { .vr_fn = reclaim_names };

/* Mounts `fstype` on the directory `name` of the root, which is made if the archive did not bring it. */
int
vfs_mount_boot(const char *fstype, const char *name)
{
	struct ncp *on = NULL;
	int error;

	error = name_create(vfs_root(), name, strlen(name), false, VDIR, 0755, 0, &on);
	if (error == EEXIST)
		error = name_child(vfs_root(), name, strlen(name), &on);
	if (error != 0)
		return error;
	error = vfs_mount(fstype, fstype, on, MS_NOSUID, "");
	ncp_drop(on);
	return error;
}

/* The directory at `path`, made with those above it where they are missing; held. */
static int
make_path(const char *path, struct ncp **out)
{
	struct ncp *at = vfs_root(), *next;
	size_t len;
	int error = 0;

	ncp_hold(at);
	for (; error == 0 && *path != '\0'; path += len) {
		len = 0;
		if (*path == '/') {
			len = 1;
			continue;
		}
		while (path[len] != '\0' && path[len] != '/')
			len++;
		error = name_create(at, path, len, false, VDIR, 0755, 0, &next);
		if (error == EEXIST)
			error = name_child(at, path, len, &next);
		if (error == 0) {
			ncp_drop(at);
			at = next;
		}
	}
	if (error != 0)
		ncp_drop(at);
	else
		*out = at;
	return error;
}

int
vfs_mount_devices(const char **which)
{
	struct ncp *on;
	int error;

	for (struct fsdev *fd = fsdev_first(); fd != NULL; fd = fd->fd_next) {
		*which = fd->fd_where;
		if (fd->fd_where[0] == '\0' || strcmp(fd->fd_where, "/") == 0)
			continue;
		error = make_path(fd->fd_where, &on);
		if (error != 0)
			return error;
		error = vfs_mount("hostfs", fd->fd_name, on, 0, "");
		ncp_drop(on);
		if (error != 0)
			return error;
	}
	return 0;
}

/* The tree that wants to be the root; NULL: none. */
static struct fsdev *
root_device(void)
{
	struct fsdev *fd = fsdev_first();

	while (fd != NULL && strcmp(fd->fd_where, "/") != 0)
		fd = fd->fd_next;
	return fd;
}

/* A tree that wants to be the root is it, else a tmpfs, for an archive or an overlay.  [mount_lk] */
static int
mount_root(struct mount **mp)
{
	struct fsdev *fd = root_device();

	if (fd != NULL && !fd->fd_overlay)
		return mount_new(&hostfs_fs, fd->fd_name, 0, "", mp);
	return mount_new(&tmpfs_fs, "tmpfs", 0, "mode=755", mp);
}

/* The current root of the kernel's own; takes over a reference. */
static void
kernel_root_set(struct ncp *root)
{
	struct ncp *old = kernel_fsctx.fc_root;

	ncp_hold(root);
	kernel_fsctx.fc_cwd = kernel_fsctx.fc_root = root;
	ncp_drop(old);
	ncp_drop(old);
}

/* An overlay over the tree takes the place of the first root, of which only its layers are left. */
static int
overlay_root(const struct fsdev *fd)
{
	struct ncp *on;
	struct lookup lu;
	struct mount *mp;
	int error = make_path("lower", &on);

	if (error != 0)
		return error;
	error = vfs_mount("hostfs", fd->fd_name, on, 0, "");
	ncp_drop(on);
	if (error == 0)
		error = make_path("root", &on);
	if (error != 0)
		return error;
	ncp_drop(on);
	error = overlay_mount_boot("/lower", "/root");
	if (error == 0)
		error = name_lookup(NULL, "/root", LOOK_DIR, &lu);
	if (error != 0)
		return error;
	mp = lu.lu_ncp->n_mount;
	lk_excl(&mount_lk);
	ncp_cover(mp->mp_covers, NULL);
	mount_set_covers(mp, NULL);
	root_mount = mp;
	lk_release(&mount_lk);
	kernel_root_set(lu.lu_ncp);
	return 0;
}

/* Where shm_open() keeps its objects. */
static int
mount_shm(void)
{
	struct lookup lu;
	int error = name_lookup(vfs_root(), "dev/shm", LOOK_DIR, &lu);

	if (error != 0)
		return error;
	error = vfs_mount("tmpfs", "tmpfs", lu.lu_ncp, MS_NOSUID | MS_NODEV, "mode=1777");
	lookup_done(&lu);
	return error;
}

int
vfs_init(void)
{
	struct mount *mp;
	int error;

	list_init(&mounts);
	lk_init(&mount_lk, LR_mount);
	ncache_init();
	notify_init();
	fs_register(&tmpfs_fs);
	fs_register(&devfs_fs);
	fs_register(&overlay_fs);
	fs_register(&hostfs_fs);
	lk_excl(&mount_lk);
	error = mount_root(&mp);
	lk_release(&mount_lk);
	if (error != 0)
		return error;
	root_mount = mp;
	kernel_fsctx.fc_refs = 1;
	spin_init(&kernel_fsctx.fc_spin, LR_fsctx);
	kernel_fsctx.fc_cwd = kernel_fsctx.fc_root = vfs_root();
	ncp_hold(vfs_root());
	ncp_hold(vfs_root());
	kernel_fsctx.fc_umask = 022;
	proc_add_hooks(&hooks);
	vm_set_names(ncp_hold, ncp_drop);
	vm_add_reclaimer(&reclaimer);
	if (root_device() != NULL && root_device()->fd_overlay)
		error = overlay_root(root_device());
	if (error == 0)
		error = vfs_mount_boot("devtmpfs", "dev");
	if (error == 0) {
		devfs_fill();
		error = mount_shm();
	}
	return error != 0 ? error : vfs_mount_hidden("tmpfs", &hidden_mount);
}

struct mount *
vfs_hidden_mount(void)
{
	return hidden_mount;
}
