/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfs_dir - names.
 *
 * Every change is one request; what it does to the attributes of directories
 * is not worked out here but asked for next time.  The driver may refuse
 * anything at any time, and may find that somebody else was faster: EEXIST
 * for a name that we did not know, ENOENT for one that is gone.
 *
 * A file that loses its name stays reachable by its node: it may be open, or
 * somebody's current directory.
 *
 * Locking: v_lk of the directories is held by the caller.
 */
#include "hostfs_int.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/stat.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/cred.h>
#include <sys/vm/kmem.h>

#define READDIR_BYTES	8192u

struct named {
	struct fs_req	r;
	char		name[256], name2[256];
};

/* A request about a name in a directory.  NULL: no memory. */
static struct named *
named_make(uint32_t op, struct vnode *dir, const char *name, size_t len)
{
	struct named *q = kmalloc(sizeof *q, KM_WAIT);

	ASSERT(len < sizeof q->name);
	if (q == NULL)
		return NULL;
	q->r = (struct fs_req){ .fr_op = op, .fr_node = vn_hnode(dir)->h_id, .fr_name = q->name };
	memcpy(q->name, name, len);
	q->name[len] = '\0';
	return q;
}

int
hdir_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct hmount *hm = vn_hnode(dir)->h_mount;
	uint32_t changes = atomic_load(&hm->hm_changes);
	struct named *q;
	int error;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	q = named_make(FS_LOOKUP, dir, name, len);
	if (q == NULL)
		return ENOMEM;
	error = hreq_ask(hm, &q->r);
	if (error == 0)
		error = hnode_vnode(dir->v_mount, &q->r, changes, out);
	kfree(q);
	return error;
}

static uint32_t
mode_of(enum v_type type)
{
	static const uint32_t mode[] = {
		[VREG] = S_IFREG, [VDIR] = S_IFDIR, [VLNK] = S_IFLNK, [VCHR] = S_IFCHR,
		[VBLK] = S_IFBLK, [VFIFO] = S_IFIFO, [VSOCK] = S_IFSOCK,
	};

	return mode[type];
}

/* FS_CREATE or FS_SYMLINK: sends and frees it. */
static int
make(struct vnode *dir, struct named *q, const struct cred *cr, struct vnode **out)
{
	struct hnode *h = vn_hnode(dir);
	uint32_t changes = atomic_load(&h->h_mount->hm_changes);
	int error;

	q->r.fr_attr.fa_uid = cr->cr_fsuid;
	q->r.fr_attr.fa_gid = cr->cr_fsgid;
	error = hreq_ask(h->h_mount, &q->r);
	if (error == 0)
		error = hnode_vnode(dir->v_mount, &q->r, changes, out);
	hnode_expire(h);
	kfree(q);
	return error;
}

int
hdir_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode, uint64_t rdev,
    const struct cred *cr, struct vnode **out)
{
	struct named *q;

	(void)rdev;
	q = named_make(FS_CREATE, dir, name != NULL ? name : "", name != NULL ? len : 0);
	if (q == NULL)
		return ENOMEM;
	if (name == NULL) {
		q->r.fr_name = NULL;
		q->r.fr_flags = len == 0 ? FSF_NOLINK : 0;
	}
	q->r.fr_attr.fa_mode = mode_of(type) | (mode & 07777);
	return make(dir, q, cr, out);
}

int
hdir_symlink(struct vnode *dir, const char *name, size_t len, const char *target, const struct cred *cr,
    struct vnode **out)
{
	struct named *q = named_make(FS_SYMLINK, dir, name, len);

	if (q == NULL)
		return ENOMEM;
	q->r.fr_name2 = target;
	return make(dir, q, cr, out);
}

int
hdir_link(struct vnode *dir, const char *name, size_t len, struct vnode *target)
{
	struct hnode *h = vn_hnode(dir), *file = vn_hnode(target);
	struct named *q = named_make(FS_LINK, dir, name, len);
	int error;

	if (q == NULL)
		return ENOMEM;
	q->r.fr_moved = file->h_id;
	hnode_change(file);
	error = hreq_ask(h->h_mount, &q->r);
	hnode_changed(file, error == 0 ? &q->r.fr_attr : NULL, false);
	hnode_expire(h);
	kfree(q);
	return error;
}

static int
take_away(uint32_t op, struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	struct hnode *h = vn_hnode(dir);
	struct named *q = named_make(op, dir, name, len);
	int error;

	if (q == NULL)
		return ENOMEM;
	q->r.fr_victim = vn_hnode(victim)->h_id;
	error = hreq_ask(h->h_mount, &q->r);
	hnode_expire(h);
	hnode_expire(vn_hnode(victim));
	kfree(q);
	return error;
}

int
hdir_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	return take_away(FS_UNLINK, dir, name, len, victim);
}

int
hdir_rmdir(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	return take_away(FS_RMDIR, dir, name, len, victim);
}

int
hdir_rename(struct vnode *from, const char *fname, size_t flen, struct vnode *vn, struct vnode *to,
    const char *tname, size_t tlen, struct vnode *to_victim, uint32_t flags)
{
	struct named *q;
	int error;

	if ((flags & RENAME_WHITEOUT) != 0)
		return EINVAL;
	if ((q = named_make(FS_RENAME, from, fname, flen)) == NULL)
		return ENOMEM;
	ASSERT(tlen < sizeof q->name2);
	memcpy(q->name2, tname, tlen);
	q->name2[tlen] = '\0';
	q->r.fr_name2 = q->name2;
	q->r.fr_dir2 = vn_hnode(to)->h_id;
	q->r.fr_moved = vn_hnode(vn)->h_id;
	q->r.fr_mask = flags;
	if (to_victim != NULL)
		q->r.fr_victim = vn_hnode(to_victim)->h_id;
	error = hreq_ask(vn_hnode(from)->h_mount, &q->r);
	hnode_expire(vn_hnode(from));
	hnode_expire(vn_hnode(to));
	hnode_expire(vn_hnode(vn));
	if (to_victim != NULL)
		hnode_expire(vn_hnode(to_victim));
	kfree(q);
	return error;
}

static enum v_type
type_of(uint8_t d_type)
{
	static const enum v_type type[] = {
		[DT_FIFO] = VFIFO, [DT_CHR] = VCHR, [DT_DIR] = VDIR, [DT_BLK] = VBLK,
		[DT_REG] = VREG, [DT_LNK] = VLNK, [DT_SOCK] = VSOCK,
	};

	return d_type < countof(type) ? type[d_type] : 0;
}

/* The driver's records, of which none is believed to be whole. */
static void
emit_all(const char *buf, uint64_t len, dir_emit_fn emit, void *arg)
{
	const size_t head = offsetof(struct k_dirent64, d_name);

	for (uint64_t at = 0; at + head < len;) {
		const struct k_dirent64 *d = (const void *)(buf + at);
		size_t n;

		if (d->d_reclen <= head || d->d_reclen > len - at)
			break;
		n = strnlen(d->d_name, d->d_reclen - head);
		if (!emit(arg, d->d_name, n, d->d_ino, type_of(d->d_type), (uint64_t)d->d_off))
			break;
		at += d->d_reclen;
	}
}

/* One answer's entries: to see the end is a request of its own. */
int
hdir_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	struct hnode *h = vn_hnode(dir);
	struct fs_req r = { .fr_op = FS_READDIR, .fr_node = h->h_id, .fr_off = cookie };
	char *buf;
	int error;

	buf = kmalloc(READDIR_BYTES, KM_WAIT);
	if (buf == NULL)
		return ENOMEM;
	hreq_buffer(&r, buf, READDIR_BYTES);
	error = hreq_ask(h->h_mount, &r);
	if (error == 0)
		emit_all(buf, rt_min(r.fr_count, READDIR_BYTES), emit, arg);
	kfree(buf);
	return error;
}
