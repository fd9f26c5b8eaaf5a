/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmpfs - files in memory: nodes, attributes, mounting.
 *
 * A node is its vnode's private half and lives exactly as long: the node
 * keeps a reference on its own vnode while it has links, so a file that is
 * neither linked nor used is freed by the last vnode_drop().  The contents of
 * a regular file are a memory object and nothing else: reading, writing and
 * mapping meet in the same pages.
 *
 * Invariants
 *   T1  t_nlink > 0 if and only if the node holds a reference on t_vnode.
 *   T2  a directory has one entry (or is the root) and t_nlink is 2 plus its
 *       subdirectories; a removed one is empty and has 0.
 *   T3  tm_pages has the pages of all objects made here; it is corrected
 *       from o_npages whenever pages were given back.
 *
 * Locking: v_lk of a directory for its entries, v_range of a file for reads
 * (shared) and changes of size or contents (exclusive); t_spin for
 * attributes.  Not here: quotas.
 */
#include "tmpfs_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <abi/statfs.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/time/time.h>
#include <sys/vfs/fs.h>
#include <sys/vm/kmem.h>

#define INODES_MAX	(1u << 20)

void
tmount_drop(struct tmount *tm)
{
	if (atomic_fetch_sub_explicit(&tm->tm_nodes, 1, memory_order_acq_rel) != 1)
		return;
	kfree(tm->tm_pages.b_cell);		/* of both */
	kfree(tm);
}

int
tnode_create(struct mount *mp, enum v_type type, uint32_t mode, uint64_t rdev, struct vnode **out)
{
	struct tmount *tm = mp->mp_data;
	struct tnode *t;
	int error;

	if (!budget_take(&tm->tm_inodes, 1))
		return ENOSPC;
	t = kmalloc(sizeof *t, KM_ZERO | KM_WAIT);
	if (t == NULL) {
		budget_give(&tm->tm_inodes, 1);
		return ENOMEM;
	}
	spin_init(&t->t_spin, LR_tmpfs);
	list_init(&t->t_xattrs);
	error = vnode_create(mp, type, &tmpfs_ops, t, &t->t_vnode);
	if (error != 0) {
		budget_give(&tm->tm_inodes, 1);
		kfree(t);
		return error;
	}
	atomic_fetch_add(&tm->tm_nodes, 1);
	t->t_mount = tm;
	t->t_ino = t->t_vnode->v_id;
	t->t_mode = mode & 07777;
	t->t_atime = t->t_mtime = t->t_ctime = t->t_btime = time_wall();
	t->t_vnode->v_rdev = rdev;
	t->t_seals = F_SEAL_SEAL;
	t->t_last_cookie = 2;		/* 0 to 2: the beginning, after ".", after ".." */
	if (type == VREG) {
		struct vmobj *o;

		error = tfile_object(tm, &o);
		if (error != 0) {
			vnode_drop(t->t_vnode);
			return error;
		}
		t->t_vnode->v_obj = o;
	}
	*out = t->t_vnode;
	return 0;
}

void
tnode_linked(struct tnode *t)
{
	bool first;

	spin_lock(&t->t_spin);
	first = t->t_nlink++ == 0;
	spin_unlock(&t->t_spin);
	if (first)
		vnode_hold(t->t_vnode);
}

void
tnode_unlinked(struct tnode *t, uint32_t links)
{
	bool last;

	spin_lock(&t->t_spin);
	ASSERT(t->t_nlink >= links);
	t->t_nlink -= links;
	last = t->t_nlink == 0;
	spin_unlock(&t->t_spin);
	if (last)
		vnode_drop(t->t_vnode);
}

void
tnode_touch(struct tnode *t, uint32_t which)
{
	nsec_t now = time_wall();

	spin_lock(&t->t_spin);
	if ((which & VA_ATIME) != 0)
		atomic_store_explicit(&t->t_atime, now, memory_order_relaxed);
	if ((which & VA_MTIME) != 0)
		atomic_store_explicit(&t->t_mtime, now, memory_order_relaxed);
	if ((which & VA_CTIME) != 0)
		atomic_store_explicit(&t->t_ctime, now, memory_order_relaxed);
	spin_unlock(&t->t_spin);
}

static void
tmpfs_inactive(struct vnode *vn)
{
	struct tnode *t = vn_tnode(vn);

	ASSERT(t->t_nlink == 0);
	ASSERT(t->t_names.rb_root == NULL);
	txattr_clear(t);
	budget_give(&t->t_mount->tm_inodes, 1);
	tmount_drop(t->t_mount);
	kfree(t->t_target);
	kfree(t);
}

static int
tmpfs_getattr(struct vnode *vn, struct vattr *va)
{
	struct tnode *t = vn_tnode(vn);

	spin_lock(&t->t_spin);
	va->va_mode = t->t_mode;
	va->va_uid = t->t_uid;
	va->va_gid = t->t_gid;
	va->va_nlink = t->t_nlink;
	va->va_atime = t->t_atime;
	va->va_mtime = t->t_mtime;
	va->va_ctime = t->t_ctime;
	spin_unlock(&t->t_spin);
	va->va_btime = t->t_btime;
	va->va_ino = t->t_ino;
	va->va_rdev = vn->v_rdev;
	va->va_blksize = PAGE_BYTES;
	if (vn->v_type == VREG) {
		va->va_size = vn->v_obj->o_bytes;
		va->va_blocks512 = vn->v_obj->o_npages * (PAGE_BYTES / 512);
	} else if (vn->v_type == VDIR) {
		va->va_size = 20 * (t->t_nentries + 2);
	} else if (vn->v_type == VLNK) {
		va->va_size = t->t_target_len;
	}
	return 0;
}

static int
tmpfs_setattr(struct vnode *vn, const struct vattr *va)
{
	struct tnode *t = vn_tnode(vn);
	nsec_t now = time_wall();
	int error;

	if ((va->va_mask & VA_SIZE) != 0) {
		if (vn->v_type != VREG)
			return vn->v_type == VDIR ? EISDIR : EINVAL;
		error = tfile_resize(vn, va->va_size);
		if (error != 0)
			return error;
	}
	if ((va->va_mask & VA_MODE) != 0 && (t->t_seals & F_SEAL_EXEC) != 0 &&
	    ((va->va_mode ^ t->t_mode) & 0111) != 0)
		return EPERM;
	spin_lock(&t->t_spin);
	if ((va->va_mask & VA_MODE) != 0)
		t->t_mode = va->va_mode & 07777;
	if ((va->va_mask & VA_UID) != 0)
		t->t_uid = va->va_uid;
	if ((va->va_mask & VA_GID) != 0)
		t->t_gid = va->va_gid;
	if ((va->va_mask & VA_ATIME) != 0)
		t->t_atime = va->va_atime;
	if ((va->va_mask & VA_MTIME) != 0)
		t->t_mtime = va->va_mtime;
	else if ((va->va_mask & VA_SIZE) != 0)
		t->t_mtime = now;
	t->t_ctime = now;
	spin_unlock(&t->t_spin);
	return 0;
}

static int
tmpfs_access(struct vnode *vn, uint32_t want, const struct cred *cr)
{
	struct tnode *t = vn_tnode(vn);

	/* Without t_spin: every lookup comes by, and the directories near the root are everybody's. */
	return vn_access_mode(vn->v_type, t->t_mode, t->t_uid, t->t_gid, want, cr);
}

static int
tmpfs_readlink(struct vnode *vn, char *buf, size_t size, size_t *len)
{
	struct tnode *t = vn_tnode(vn);

	*len = rt_min(size, t->t_target_len);
	memcpy(buf, t->t_target, *len);
	return 0;
}

static int
tmpfs_open(struct vnode *vn, struct file *fp)
{
	return vn->v_type == VCHR || vn->v_type == VBLK ? dev_open(vn, fp) : 0;
}

const struct vnode_ops tmpfs_ops = {
	.vop_open = tmpfs_open,
	.vop_lookup = tdir_lookup,
	.vop_create = tdir_create,
	.vop_symlink = tdir_symlink,
	.vop_link = tdir_link,
	.vop_unlink = tdir_unlink,
	.vop_rmdir = tdir_rmdir,
	.vop_rename = tdir_rename,
	.vop_readdir = tdir_readdir,
	.vop_readlink = tmpfs_readlink,
	.vop_getattr = tmpfs_getattr,
	.vop_setattr = tmpfs_setattr,
	.vop_access = tmpfs_access,
	.vop_read = tfile_read,
	.vop_write = tfile_write,
	.vop_allocate = tfile_allocate,
	.vop_getxattr = txattr_get,
	.vop_setxattr = txattr_set,
	.vop_listxattr = txattr_list,
	.vop_seal = tmpfs_seal,
	.vop_inactive = tmpfs_inactive,
};

struct options {
	uint64_t	pages, inodes;
	uint32_t	mode, uid, gid;
};

/* A number with k, m, g or % (of RAM) after it.  False: not one. */
static bool
parse_size(const char *s, size_t len, uint64_t *out)
{
	struct page_stats st;
	uint64_t v = 0;
	size_t i = 0;

	while (i < len && s[i] >= '0' && s[i] <= '9') {
		if (v > UINT64_MAX / 16)
			return false;
		v = v * 10 + (uint64_t)(s[i++] - '0');
	}
	if (i == 0)
		return false;
	if (i + 1 == len && s[i] == '%') {
		page_stats(&st);
		*out = st.total * PAGE_BYTES / 100 * rt_min(v, 100);
		return true;
	}
	if (i + 1 == len) {
		const char *unit = "kmg", *u = strchr(unit, s[i] | 0x20);
		uint32_t shift;

		if (u == NULL || *u == '\0')
			return false;
		shift = 10 * (uint32_t)(u - unit + 1);
		if (v > UINT64_MAX >> shift)
			return false;
		*out = v << shift;
		return true;
	}
	*out = v;
	return i == len;
}

static bool
parse_number(const char *s, size_t len, uint32_t base, uint32_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++) {
		uint32_t d = (uint32_t)(s[i] - '0');

		if (d >= base || v > UINT32_MAX)
			return false;
		v = v * base + d;
	}
	*out = (uint32_t)v;
	return len > 0 && v <= UINT32_MAX;
}

static bool
parse_option(const char *s, size_t len, struct options *o)
{
	const char *eq = memchr(s, '=', len);
	size_t klen = eq == NULL ? len : (size_t)(eq - s), vlen = eq == NULL ? 0 : len - klen - 1;
	uint64_t v;

#define IS(word)	(klen == sizeof word - 1 && memcmp(s, word, klen) == 0)
	if (len == 0 || IS("rw") || IS("ro") || IS("defaults") || IS("huge"))
		return true;
	if (eq == NULL)
		return false;
	eq++;
	if (IS("mode"))
		return parse_number(eq, vlen, 8, &o->mode);
	if (IS("uid"))
		return parse_number(eq, vlen, 10, &o->uid);
	if (IS("gid"))
		return parse_number(eq, vlen, 10, &o->gid);
	if (IS("nr_inodes"))
		return parse_size(eq, vlen, &o->inodes);
	if (!(IS("size") || IS("nr_blocks")) || !parse_size(eq, vlen, &v))
		return false;
	o->pages = IS("size") ? (v >> PAGE_SHIFT) + ((v & PAGE_MASK) != 0) : v;
#undef IS
	return true;
}

int
tmpfs_mount(struct mount *mp, const char *source, const char *options)
{
	struct page_stats st;
	struct options o = { .mode = 01777 };
	struct budget_cell *cells;
	struct tmount *tm;
	struct vnode *root;
	int error;

	(void)source;
	page_stats(&st);
	o.pages = st.total / 2;
	o.inodes = rt_min(st.total / 2, INODES_MAX);
	while (*options != '\0') {
		const char *end = strchr(options, ',');
		size_t len = end == NULL ? strlen(options) : (size_t)(end - options);

		if (!parse_option(options, len, &o))
			return EINVAL;
		options += len + (end != NULL);
	}
	tm = kmalloc(sizeof *tm, KM_ZERO | KM_WAIT);
	if (tm == NULL)
		return ENOMEM;
	cells = kmalloc_array(2 * (size_t)cpu_count, sizeof *cells, KM_ZERO | KM_WAIT);
	if (cells == NULL) {
		kfree(tm);
		return ENOMEM;
	}
	tm->tm_nodes = 1;
	tm->tm_pages.b_cell = cells;
	tm->tm_pages.b_max = o.pages != 0 ? o.pages : UINT64_MAX;
	tm->tm_inodes.b_cell = cells + cpu_count;
	tm->tm_inodes.b_max = o.inodes != 0 ? o.inodes : UINT64_MAX;
	mp->mp_data = tm;
	error = tnode_create(mp, VDIR, o.mode, 0, &root);
	if (error != 0) {
		tmount_drop(tm);
		return error;
	}
	vn_tnode(root)->t_parent = vn_tnode(root);
	vn_tnode(root)->t_uid = o.uid;
	vn_tnode(root)->t_gid = o.gid;
	tnode_linked(vn_tnode(root));
	tnode_linked(vn_tnode(root));
	mp->mp_root = root;
	tm->tm_root = vn_tnode(root);
	return 0;
}

static int
tmpfs_unmount(struct mount *mp)
{
	struct tmount *tm = mp->mp_data;

	tdir_destroy(tm->tm_root);
	tmount_drop(tm);
	return 0;
}

static int
tmpfs_statfs(struct mount *mp, struct statfs_info *out)
{
	struct tmount *tm = mp->mp_data;
	struct page_stats st;
	uint64_t used = budget_used(&tm->tm_pages), inodes = budget_used(&tm->tm_inodes);
	uint64_t most = tm->tm_pages.b_max, inodes_most = tm->tm_inodes.b_max;

	page_stats(&st);
	out->type = TMPFS_MAGIC;
	out->bsize = PAGE_BYTES;
	out->blocks = most == UINT64_MAX ? 0 : most;
	out->bfree = out->bavail = out->blocks > used ? out->blocks - used : 0;
	out->files = inodes_most == UINT64_MAX ? 0 : inodes_most;
	out->ffree = out->files > inodes ? out->files - inodes : 0;
	out->namelen = 255;
	return 0;
}

const struct fs_ops tmpfs_fs = {
	.fs_name = "tmpfs",
	.fs_flags = FS_NODEV,
	.fs_mount = tmpfs_mount,
	.fs_unmount = tmpfs_unmount,
	.fs_statfs = tmpfs_statfs,
};

const struct fs_ops devfs_fs = {
	.fs_name = "devtmpfs",
	.fs_flags = FS_NODEV | FS_SINGLE,
	.fs_mount = devfs_mount,
	.fs_unmount = tmpfs_unmount,
	.fs_statfs = tmpfs_statfs,
};
