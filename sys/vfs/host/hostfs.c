/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfs - files behind a driver of file requests.
 *
 * The files are not ours alone: whoever is on the other side changes them
 * too.  So what we know of them counts for a while only.  Names and
 * attributes are asked for again after VALID_NS; contents are kept in pages
 * until the attributes say that somebody else changed them.  What we change
 * ourselves goes to the driver at once, and its answer is what we know next.
 *
 * The driver names files by node.  Our node (struct hnode) is made by the
 * first lookup that finds it and found again by the driver's number, so that
 * two names of one file are one vnode and one set of pages.  It lives as
 * long as its vnode or its pages are in use; then all lookups are forgotten.
 *
 * Invariants
 *   H1  a node in hm_hash has h_refs > 0.
 *   H2  h_vnode is the node's last vnode, until that is inactive; h_obj
 *       the last object, until its pages are gone: under hm_spin the memory of
 *       both is there, and a reference can be had unless the count is 0.
 *   H3  an answer about attributes counts only if h_changes is what it was
 *       when it was asked for, and no change is under way; a lookup, which
 *       does not know its node yet, has hm_changes, of all nodes.
 *
 * Permission is twice: our own mode bits and owners, as the driver tells them,
 * and whatever the driver refuses.
 * Locking: v_lk of directories as vnode.h says; h_range for contents.
 * Not here: symbolic links' meaning; access lists.
 */
#include "hostfs_int.h"

#include <abi/errno.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/cred.h>
#include <sys/time/time.h>
#include <sys/vfs/fs.h>
#include <sys/vm/kmem.h>

#define HOSTFS_MAGIC	0x00c0ffeeu

static struct waitq answers = WAITQ_INIT(answers);

/* --------------------------------------------------------------- asking -- */

/* The request's memory is the sleeper's again as soon as it is marked. */
static void
answered(struct fs_req *r)
{
	atomic_store_explicit(&r->fr_answered, true, memory_order_release);
	wake_all(&answers);
}

int
hreq_ask(struct hmount *hm, struct fs_req *r)
{
	int error;

	r->fr_done = answered;
	atomic_store_explicit(&r->fr_answered, false, memory_order_relaxed);	/* it may be used again */
	if (hm->hm_dev->fd_ops->ask(hm->hm_dev, r) == FS_LATER)
		WAIT_FOR(&answers, atomic_load_explicit(&r->fr_answered, memory_order_acquire), NSEC_NEVER, 0,
		    error);
	error = r->fr_error;
	return error;
}

void
hreq_buffer(struct fs_req *r, void *buf, size_t len)
{
	r->fr_nseg = 1;
	r->fr_seg[0].pa = md_v2p(buf);
	r->fr_seg[0].len = len;
}

/* ---------------------------------------------------------------- nodes -- */

static void
hmount_drop(struct hmount *hm)
{
	if (atomic_fetch_sub_explicit(&hm->hm_refs, 1, memory_order_acq_rel) == 1)
		kfree(hm);
}

static enum v_type
type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return VDIR;
	case S_IFLNK:
		return VLNK;
	case S_IFCHR:
		return VCHR;
	case S_IFBLK:
		return VBLK;
	case S_IFIFO:
		return VFIFO;
	case S_IFSOCK:
		return VSOCK;
	default:
		return VREG;
	}
}

void
hnode_hold(struct hnode *h)
{
	spin_lock(&h->h_mount->hm_spin);
	ASSERT(h->h_refs > 0);
	h->h_refs++;
	spin_unlock(&h->h_mount->hm_spin);
}

void
hnode_drop(struct hnode *h)
{
	struct hmount *hm = h->h_mount;
	struct hnode **link = &hm->hm_hash[h->h_id % HASH];
	struct fs_req r = { .fr_op = FS_FORGET, .fr_node = h->h_id };
	bool last;

	spin_lock(&hm->hm_spin);
	ASSERT(h->h_refs > 0);
	last = --h->h_refs == 0;
	if (last) {
		while (*link != h)
			link = &(*link)->h_next;
		*link = h->h_next;
	}
	spin_unlock(&hm->hm_spin);
	if (!last)
		return;
	r.fr_off = h->h_lookups;
	if (r.fr_off > 0)
		(void)hreq_ask(hm, &r);
	kfree(h);
	hmount_drop(hm);
}

static void
store_attr(struct hnode *h, const struct fs_attr *a)
{
	h->h_attr = *a;
	h->h_until = time_now() + NAME_VALID_NS;
}

/* The node with that number, held, one lookup more; `fresh` goes in if there is none. */
static struct hnode *
hnode_enter(struct hmount *hm, uint64_t id, struct hnode *fresh)
{
	struct hnode **first = &hm->hm_hash[id % HASH], *h;

	spin_lock(&hm->hm_spin);
	for (h = *first; h != NULL && h->h_id != id; h = h->h_next)
		;
	if (h == NULL && fresh != NULL) {
		h = fresh;
		h->h_next = *first;
		*first = h;
	}
	if (h != NULL) {
		h->h_refs++;
		h->h_lookups++;
	}
	spin_unlock(&hm->hm_spin);
	return h;
}

/* The node of what was found, held. */
static int
hnode_get(struct hmount *hm, const struct fs_req *r, struct hnode **out)
{
	struct hnode *h = hnode_enter(hm, r->fr_found, NULL), *fresh;

	if (h == NULL) {
		fresh = kmalloc(sizeof *fresh, KM_ZERO | KM_WAIT);
		if (fresh == NULL) {
			struct fs_req f = { .fr_op = FS_FORGET, .fr_node = r->fr_found, .fr_off = 1 };

			(void)hreq_ask(hm, &f);
			return ENOMEM;
		}
		fresh->h_mount = hm;
		fresh->h_id = r->fr_found;
		fresh->h_type = type_of(r->fr_attr.fa_mode);
		range_lock_init(&fresh->h_range);
		spin_init(&fresh->h_spin, LR_hostfs_node);
		store_attr(fresh, &r->fr_attr);
		atomic_fetch_add(&hm->hm_refs, 1);
		h = hnode_enter(hm, r->fr_found, fresh);
		if (h != fresh) {
			hmount_drop(hm);
			kfree(fresh);
		}
	}
	*out = h;
	return 0;
}

/* The vnode that the node has, held, or NULL. */
static struct vnode *
hnode_vnode_now(struct hnode *h)
{
	struct vnode *vn;

	spin_lock(&h->h_mount->hm_spin);
	vn = h->h_vnode;
	if (vn != NULL && !vnode_try_hold(vn))
		vn = NULL;
	spin_unlock(&h->h_mount->hm_spin);
	return vn;
}

/* A vnode for the node, whose reference it takes over. */
static int
hnode_make_vnode(struct mount *mp, struct hnode *h, struct vnode **out)
{
	struct vnode *vn, *have;
	struct vmobj *o = NULL;
	int error = 0;

	if (h->h_type == VREG)
		error = hfile_object(h, &o);
	if (error == 0)
		error = vnode_create(mp, h->h_type, &hostfs_ops, h, &vn);
	if (error != 0) {
		if (o != NULL)
			vmobj_drop(o);
		hnode_drop(h);
		return error;
	}
	vn->v_obj = o;
	vn->v_rdev = h->h_attr.fa_rdev;
	spin_lock(&h->h_mount->hm_spin);
	have = h->h_vnode;
	if (have == NULL || !vnode_try_hold(have)) {
		h->h_vnode = vn;
		have = NULL;
	}
	spin_unlock(&h->h_mount->hm_spin);
	if (have != NULL)
		vnode_drop(vn);
	*out = have != NULL ? have : vn;
	return 0;
}

/* ----------------------------------------------------------- attributes -- */

/* An answer that was asked for when `changes` were made.  What others did to the contents makes pages old. */
static void
hnode_told(struct hnode *h, const struct fs_attr *a, uint32_t changes)
{
	bool outdated = false;

	spin_lock(&h->h_spin);
	if (h->h_changes == changes && h->h_changing == 0) {		/* H3 */
		outdated = h->h_type == VREG &&
		    (a->fa_mtime != h->h_attr.fa_mtime || a->fa_size != h->h_attr.fa_size);
		store_attr(h, a);
	}
	spin_unlock(&h->h_spin);
	if (outdated)
		hfile_outdated(h);
}

static void
count_change(struct hnode *h)
{
	h->h_changes++;
	atomic_fetch_add(&h->h_mount->hm_changes, 1);
}

void
hnode_change(struct hnode *h)
{
	spin_lock(&h->h_spin);
	count_change(h);
	h->h_changing++;
	spin_unlock(&h->h_spin);
}

void
hnode_changed(struct hnode *h, const struct fs_attr *a, bool sized)
{
	uint64_t size;

	spin_lock(&h->h_spin);
	ASSERT(h->h_changing > 0);
	count_change(h);
	h->h_changing--;
	size = a != NULL && sized ? a->fa_size : h->h_attr.fa_size;
	/* Of changes at the same time, what was answered last may be older. */
	if (a != NULL && (h->h_changing == 0 || a->fa_ctime >= h->h_attr.fa_ctime))
		store_attr(h, a);
	h->h_attr.fa_size = size;
	if (a == NULL)
		h->h_until = 0;
	spin_unlock(&h->h_spin);
}

void
hnode_expire(struct hnode *h)
{
	spin_lock(&h->h_spin);
	h->h_until = 0;
	count_change(h);
	spin_unlock(&h->h_spin);
}

static uint32_t
changes_of(struct hnode *h)
{
	uint32_t n;

	spin_lock(&h->h_spin);
	n = h->h_changes;
	spin_unlock(&h->h_spin);
	return n;
}

int
hnode_refresh(struct hnode *h)
{
	struct fs_req r = { .fr_op = FS_GETATTR, .fr_node = h->h_id };
	nsec_t until, now = time_now();
	uint32_t changes;
	int error;

	spin_lock(&h->h_spin);
	until = h->h_until;
	changes = h->h_changes;
	spin_unlock(&h->h_spin);
	if (now < until)
		return 0;
	error = hreq_ask(h->h_mount, &r);
	if (error == 0)
		hnode_told(h, &r.fr_attr, changes);
	return error;
}

int
hnode_vnode(struct mount *mp, const struct fs_req *r, uint32_t changes, struct vnode **out)
{
	struct hmount *hm = mp->mp_data;
	struct hnode *h;
	uint32_t now;
	int error;

	error = hnode_get(hm, r, &h);
	if (error != 0)
		return error;
	now = changes_of(h);
	if (h->h_type != type_of(r->fr_attr.fa_mode))
		error = ESTALE;
	else if (atomic_load(&hm->hm_changes) == changes)	/* H3 */
		hnode_told(h, &r->fr_attr, now);
	if (error != 0) {
		hnode_drop(h);
		return error;
	}
	*out = hnode_vnode_now(h);
	if (*out == NULL)
		return hnode_make_vnode(mp, h, out);
	hnode_drop(h);
	return 0;
}

static int
hostfs_getattr(struct vnode *vn, struct vattr *va)
{
	struct hnode *h = vn_hnode(vn);
	struct fs_attr a;
	int error;

	error = hnode_refresh(h);
	if (error != 0)
		return error;
	spin_lock(&h->h_spin);
	a = h->h_attr;
	spin_unlock(&h->h_spin);
	va->va_mode = a.fa_mode & 07777;
	va->va_uid = a.fa_uid;
	va->va_gid = a.fa_gid;
	va->va_nlink = a.fa_nlink;
	va->va_ino = a.fa_ino;
	va->va_size = vn->v_obj != NULL ? vn->v_obj->o_bytes : a.fa_size;
	va->va_blocks512 = a.fa_blocks512;
	va->va_rdev = a.fa_rdev;
	va->va_atime = (nsec_t)a.fa_atime;
	va->va_mtime = (nsec_t)a.fa_mtime;
	va->va_ctime = (nsec_t)a.fa_ctime;
	va->va_btime = (nsec_t)a.fa_btime;
	va->va_blksize = a.fa_blksize;
	return 0;
}

static int
hostfs_setattr(struct vnode *vn, const struct vattr *va)
{
	static const struct { uint32_t ours, theirs; } masks[] = {
		{ VA_MODE, FSA_MODE }, { VA_UID, FSA_UID }, { VA_GID, FSA_GID },
		{ VA_ATIME, FSA_ATIME }, { VA_MTIME, FSA_MTIME },
	};
	struct hnode *h = vn_hnode(vn);
	struct fs_req r = { .fr_op = FS_SETATTR, .fr_node = h->h_id };
	int error;

	if ((va->va_mask & VA_SIZE) != 0) {
		if (vn->v_type != VREG)
			return vn->v_type == VDIR ? EISDIR : EINVAL;
		error = hfile_resize(vn, va->va_size);
		if (error != 0)
			return error;
	}
	for (uint32_t i = 0; i < countof(masks); i++)
		if ((va->va_mask & masks[i].ours) != 0)
			r.fr_mask |= masks[i].theirs;
	if (r.fr_mask == 0)
		return 0;
	r.fr_attr = (struct fs_attr){
		.fa_mode = va->va_mode, .fa_uid = va->va_uid, .fa_gid = va->va_gid,
		.fa_atime = (int64_t)va->va_atime, .fa_mtime = (int64_t)va->va_mtime,
	};
	hnode_change(h);
	error = hreq_ask(h->h_mount, &r);
	hnode_changed(h, error == 0 ? &r.fr_attr : NULL, false);
	return error;
}

static int
hostfs_readlink(struct vnode *vn, char *buf, size_t size, size_t *len)
{
	struct hnode *h = vn_hnode(vn);
	struct fs_req r = { .fr_op = FS_READLINK, .fr_node = h->h_id };
	char *text = kmalloc(size, KM_WAIT);
	int error;

	if (text == NULL)
		return ENOMEM;
	hreq_buffer(&r, text, size);
	error = hreq_ask(h->h_mount, &r);
	if (error == 0) {
		*len = rt_min(r.fr_count, size);
		memcpy(buf, text, *len);
	}
	kfree(text);
	return error;
}

static int
hostfs_open(struct vnode *vn, struct file *fp)
{
	return vn->v_type == VCHR || vn->v_type == VBLK ? dev_open(vn, fp) : vn->v_type == VSOCK ? ENXIO : 0;
}

static int
hostfs_access(struct vnode *vn, uint32_t want, const struct cred *cr)
{
	struct hnode *h = vn_hnode(vn);
	struct fs_req r = { .fr_op = FS_OPEN, .fr_node = h->h_id };
	struct vattr va;
	int error;

	error = hostfs_getattr(vn, &va);
	if (error == 0)
		error = vn_access_mode(vn->v_type, va.va_mode, va.va_uid, va.va_gid, want, cr);
	/* Whether the driver may, too. */
	if (vn->v_type == VDIR)
		want &= 4;
	if (error != 0 || (vn->v_type != VREG && vn->v_type != VDIR) || (want & 6) == 0)
		return error;
	r.fr_flags = ((want & 4) != 0 ? FSF_READ : 0) | ((want & 2) != 0 ? FSF_WRITE : 0);
	return hreq_ask(h->h_mount, &r);
}

static void
hostfs_inactive(struct vnode *vn)
{
	struct hnode *h = vn_hnode(vn);

	spin_lock(&h->h_mount->hm_spin);
	if (h->h_vnode == vn)
		h->h_vnode = NULL;
	spin_unlock(&h->h_mount->hm_spin);
	hnode_drop(h);
}

const struct vnode_ops hostfs_ops = {
	.vop_open = hostfs_open,
	.vop_lookup = hdir_lookup,
	.vop_create = hdir_create,
	.vop_symlink = hdir_symlink,
	.vop_link = hdir_link,
	.vop_unlink = hdir_unlink,
	.vop_rmdir = hdir_rmdir,
	.vop_rename = hdir_rename,
	.vop_readdir = hdir_readdir,
	.vop_readlink = hostfs_readlink,
	.vop_getattr = hostfs_getattr,
	.vop_setattr = hostfs_setattr,
	.vop_access = hostfs_access,
	.vop_read = hfile_read,
	.vop_write = hfile_write,
	.vop_allocate = hfile_allocate,
	.vop_seek = hfile_seek,
	.vop_getxattr = hxattr_get,
	.vop_setxattr = hxattr_set,
	.vop_listxattr = hxattr_list,
	.vop_fsync = hfile_fsync,
	.vop_inactive = hostfs_inactive,
};

/* ------------------------------------------------------------- mounting -- */

static int
hostfs_mount(struct mount *mp, const char *source, const char *options)
{
	struct fsdev *fd = fsdev_find(source);
	struct fs_req r = { .fr_op = FS_GETATTR };
	struct hmount *hm;
	int error;

	if (fd == NULL)
		return ENODEV;
	if (options[0] != '\0' && strcmp(options, "ro") != 0 && strcmp(options, "rw") != 0)
		return EINVAL;
	hm = kmalloc(sizeof *hm, KM_ZERO | KM_WAIT);
	if (hm == NULL)
		return ENOMEM;
	hm->hm_dev = fd;
	hm->hm_refs = 1;
	spin_init(&hm->hm_spin, LR_hostfs);
	mp->mp_data = hm;
	r.fr_node = r.fr_found = fd->fd_root;
	error = hreq_ask(hm, &r);
	if (error == 0)
		error = hnode_vnode(mp, &r, 0, &mp->mp_root);
	if (error != 0) {
		hmount_drop(hm);
		return error;
	}
	if (fd->fd_ro)
		atomic_fetch_or(&mp->mp_flags, MS_RDONLY);
	return 0;
}

static int
hostfs_unmount(struct mount *mp)
{
	hmount_drop(mp->mp_data);
	return 0;
}

static int
hostfs_statfs(struct mount *mp, struct statfs_info *out)
{
	struct hmount *hm = mp->mp_data;
	struct fs_req r = { .fr_op = FS_STATFS, .fr_node = hm->hm_dev->fd_root };
	int error;

	error = hreq_ask(hm, &r);
	if (error != 0)
		return error;
	*out = (struct statfs_info){
		.type = HOSTFS_MAGIC, .bsize = r.fr_statfs.fs_bsize, .blocks = r.fr_statfs.fs_blocks,
		.bfree = r.fr_statfs.fs_bfree, .bavail = r.fr_statfs.fs_bavail, .files = r.fr_statfs.fs_files,
		.ffree = r.fr_statfs.fs_ffree, .namelen = r.fr_statfs.fs_namelen,
	};
	return 0;
}

const struct fs_ops hostfs_fs = {
	.fs_name = "hostfs",
	.fs_flags = FS_EXPIRES | FS_NODEV,
	.fs_mount = hostfs_mount,
	.fs_unmount = hostfs_unmount,
	.fs_statfs = hostfs_statfs,
};
