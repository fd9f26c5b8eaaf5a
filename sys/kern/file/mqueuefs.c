/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mqueuefs - the files that message queues are.
 *
 * Each IPC view has one such filesystem, which is mounted nowhere at first;
 * mounting "mqueue" shows the mounter's.  So names, permissions and who may
 * remove what are the business of the layer above (vfs/name.h), and a
 * descriptor of a queue is one of its file.
 *
 * A queue's size travels in the argument that a device number has elsewhere:
 * messages above, bytes of one below; 0 if the limits decide.
 *
 * Invariants
 *   F1  a queue is in d_queues exactly while it has its name, and its vnode
 *       has a reference for that; v_data of the vnode is the queue.
 *   F2  q_ino grows along d_queues.
 *
 * Locking: v_lk of the directory.
 */
#include "mqueue_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/ipc/ipc.h>
#include <sys/proc/cred.h>
#include <sys/time/time.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define MQUEUE_MAGIC	0x19800202u
#define ROOT_INO	1u
#define FIRST_INO	3u
#define DIRENT_BYTES	20u
#define RACES_MAX	100u
#define SIZE_BITS	32

struct mqdir {
	struct list	d_queues;	/* [v_lk] of q_link */
	uint64_t	d_count;	/* [v_lk] */
	uint64_t	d_next_ino;	/* [v_lk] F2 */
	nsec_t		d_time;		/* const */
};

static const struct vnode_ops mqueue_ops;
static struct file_ops queue_file_ops;	/* const after boot: a vnode's, and fo_flush */

/* -------------------------------------------------------------- operations -- */

static struct mqueue *
find(struct mqdir *d, const char *name, size_t len)
{
	list_foreach(q, &d->d_queues, struct mqueue, q_link)
		if (strlen(q->q_name) == len && memcmp(q->q_name, name, len) == 0)
			return q;
	return NULL;
}

static int
mqfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct mqueue *q;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	q = find(dir->v_data, name, len);
	if (q == NULL)
		return ENOENT;
	vnode_hold(q->q_vnode);
	*out = q->q_vnode;
	return 0;
}

static int
mqfs_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode, uint64_t rdev,
    const struct cred *cr, struct vnode **out)
{
	struct mqdir *d = dir->v_data;
	struct mqueue *q;
	int error;

	if (name == NULL)
		return EOPNOTSUPP;
	if (type != VREG)
		return EPERM;
	if (d->d_count >= ipc_limit(IPC_MQ_QUEUES) && !cred_capable(cr, CAP_SYS_RESOURCE))
		return ENOSPC;
	error = mqueue_make(rdev >> SIZE_BITS, rdev & UINT32_MAX, &q);
	if (error != 0)
		return error;
	q->q_name = kmalloc(len + 1, KM_WAIT | KM_ZERO);
	error = q->q_name == NULL ? ENOMEM : vnode_create(dir->v_mount, VREG, &mqueue_ops, q, &q->q_vnode);
	if (error != 0) {
		kfree(q->q_name);
		mqueue_free(q);
		return error;
	}
	memcpy(q->q_name, name, len);
	q->q_ino = d->d_next_ino++;
	q->q_mode = mode;
	q->q_uid = cr->cr_fsuid;
	q->q_gid = cr->cr_fsgid;
	q->q_nlink = 1;
	q->q_length = MQUEUE_TEXT;
	q->q_time = q->q_mtime = time_wall();
	list_push_back(&d->d_queues, &q->q_link);
	d->d_count++;
	vnode_hold(q->q_vnode);				/* F1 */
	*out = q->q_vnode;
	return 0;
}

static int
mqfs_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	struct mqdir *d = dir->v_data;
	struct mqueue *q = victim->v_data;

	(void)name;
	(void)len;
	ASSERT(lk_held_excl(&dir->v_lk) && q->q_nlink == 1);
	q->q_nlink = 0;
	list_remove(&q->q_link);
	d->d_count--;
	vnode_drop(victim);				/* F1 */
	return 0;
}

static int
mqfs_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	struct mqdir *d = dir->v_data;

	if (cookie == 0 && !emit(arg, ".", 1, ROOT_INO, VDIR, 1))
		return 0;
	if (cookie <= 1 && !emit(arg, "..", 2, ROOT_INO, VDIR, 2))
		return 0;
	list_foreach(q, &d->d_queues, struct mqueue, q_link)
		if (q->q_ino >= cookie &&
		    !emit(arg, q->q_name, strlen(q->q_name), q->q_ino, VREG, q->q_ino + 1))
			break;
	return 0;
}

static int
mqfs_getattr(struct vnode *vn, struct vattr *va)
{
	const struct mqdir *d = vn->v_data;
	const struct mqueue *q = vn->v_data;

	va->va_blksize = PAGE_BYTES;
	if (vn->v_type == VDIR) {
		va->va_mode = 01777;
		va->va_nlink = 2;
		va->va_ino = ROOT_INO;
		va->va_size = (2 + __atomic_load_n(&d->d_count, __ATOMIC_RELAXED)) * DIRENT_BYTES;
		va->va_atime = va->va_mtime = va->va_ctime = va->va_btime = d->d_time;
		return 0;
	}
	va->va_mode = q->q_mode;
	va->va_uid = q->q_uid;
	va->va_gid = q->q_gid;
	va->va_nlink = q->q_nlink;
	va->va_ino = q->q_ino;
	va->va_size = q->q_length;
	va->va_atime = va->va_ctime = q->q_time;
	va->va_mtime = va->va_btime = q->q_mtime;
	return 0;
}

static int
mqfs_setattr(struct vnode *vn, const struct vattr *va)
{
	struct mqueue *q = vn->v_data;

	if (vn->v_type == VDIR)
		return EPERM;
	if ((va->va_mask & VA_MODE) != 0)
		q->q_mode = va->va_mode & 07777;
	if ((va->va_mask & VA_UID) != 0)
		q->q_uid = va->va_uid;
	if ((va->va_mask & VA_GID) != 0)
		q->q_gid = va->va_gid;
	if ((va->va_mask & VA_SIZE) != 0)
		q->q_length = va->va_size;
	if ((va->va_mask & VA_ATIME) != 0)
		q->q_time = va->va_atime;
	if ((va->va_mask & VA_MTIME) != 0)
		q->q_mtime = va->va_mtime;
	return 0;
}

static int
mqfs_read(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	struct mqueue *q = vn->v_data;
	char text[MQUEUE_TEXT];
	size_t len = mqueue_text(q, text);

	(void)ioflag;
	if (u->u_off >= len)
		return 0;
	q->q_time = time_wall();
	return uio_move(text + u->u_off, rt_min(len - u->u_off, u->u_resid), u);
}

static uint32_t
mqfs_poll(struct vnode *vn, struct pollnote *note)
{
	return mqueue_ready(vn->v_data, note);
}

static void
queue_flush(struct file *fp, struct proc *p)
{
	mqueue_unnotify(fp->f_vnode->v_data, p);
}

static int
mqfs_open(struct vnode *vn, struct file *fp)
{
	if (vn->v_type == VREG)
		fp->f_ops = &queue_file_ops;
	return 0;
}

static void
mqfs_inactive(struct vnode *vn)
{
	struct mqueue *q = vn->v_data;

	if (vn->v_type == VDIR)
		return;
	kfree(q->q_name);
	mqueue_free(q);
}

static const struct vnode_ops mqueue_ops = {
	.vop_lookup = mqfs_lookup,
	.vop_create = mqfs_create,
	.vop_unlink = mqfs_unlink,
	.vop_readdir = mqfs_readdir,
	.vop_getattr = mqfs_getattr,
	.vop_setattr = mqfs_setattr,
	.vop_read = mqfs_read,
	.vop_poll = mqfs_poll,
	.vop_open = mqfs_open,
	.vop_inactive = mqfs_inactive,
};

/* -------------------------------------------------------------- filesystem -- */

static int
mqfs_mount(struct mount *mp, const char *source, const char *options)
{
	struct mqdir *d = kmalloc(sizeof(*d), KM_WAIT | KM_ZERO);
	int error;

	(void)source;
	(void)options;
	if (d == NULL)
		return ENOMEM;
	list_init(&d->d_queues);
	d->d_next_ino = FIRST_INO;
	d->d_time = time_wall();
	error = vnode_create(mp, VDIR, &mqueue_ops, d, &mp->mp_root);
	if (error != 0)
		kfree(d);
	mp->mp_data = d;
	return error;
}

static int
mqfs_unmount(struct mount *mp)
{
	struct mqdir *d = mp->mp_data;

	list_foreach_safe(q, &d->d_queues, struct mqueue, q_link) {
		list_remove(&q->q_link);
		vnode_drop(q->q_vnode);
		lwkt_poll();
	}
	kfree(d);
	return 0;
}

static int
mqfs_statfs(struct mount *mp, struct statfs_info *out)
{
	(void)mp;
	*out = (struct statfs_info){ .type = MQUEUE_MAGIC, .bsize = PAGE_BYTES, .namelen = NAME_MAX_ };
	return 0;
}

static int
own_make(void **out)
{
	struct mount *mp;
	int error = vfs_mount_hidden("mqueue", &mp);

	if (error == 0)
		*out = mp;
	return error;
}

static void
own_end(void *p)
{
	vfs_unmount_hidden(p);
}

/* Of the caller's view. */
static int
instance(struct mount **out)
{
	void *p;
	int error = ipc_own_get(&p);

	if (error == 0)
		*out = p;
	return error;
}

static const struct fs_ops mqueue_fs = {
	.fs_name = "mqueue",
	.fs_flags = FS_NODEV,
	.fs_mount = mqfs_mount,
	.fs_unmount = mqfs_unmount,
	.fs_statfs = mqfs_statfs,
	.fs_instance = instance,
};

int
mqueue_init(void)
{
	static const struct ipc_own own = { .make = own_make, .end = own_end };
	struct lookup lu;
	int error;

	queue_file_ops = vnode_file_ops;
	queue_file_ops.fo_flush = queue_flush;
	fs_register(&mqueue_fs);
	ipc_own_set(&own);
	error = name_lookup(vfs_root(), "/dev/mqueue", LOOK_DIR, &lu);
	if (error != 0)
		return error;
	error = vfs_mount("mqueue", "mqueue", lu.lu_ncp, 0, "");
	lookup_done(&lu);
	return error;
}

/* ------------------------------------------------------------------- names -- */

struct mqueue *
mqueue_of(struct file *fp)
{
	return fp->f_ops == &queue_file_ops ? fp->f_vnode->v_data : NULL;
}

/* EACCES: what cannot be the name of one. */
static int
check_name(const char *name, size_t len)
{
	if (name_is_dots(name, len) || strchr(name, '/') != NULL)
		return EACCES;
	return len > NAME_MAX_ ? ENAMETOOLONG : 0;
}

/* What cannot be a size is passed on as one that is too much. */
static uint64_t
size_argument(const struct k_mq_attr *attr)
{
	uint64_t max, size;

	if (attr == NULL)
		return 0;
	max = attr->mq_maxmsg <= 0 ? UINT32_MAX : rt_min((uint64_t)attr->mq_maxmsg, UINT32_MAX);
	size = attr->mq_msgsize <= 0 ? UINT32_MAX : rt_min((uint64_t)attr->mq_msgsize, UINT32_MAX);
	return max << SIZE_BITS | size;
}

static int
may_use(struct ncp *n, uint32_t flags)
{
	static const uint32_t want[] = { 4, 2, 6 };

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return EEXIST;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return EINVAL;
	return name_access(n, want[flags & O_ACCMODE], cred_current());
}

/* The name, held. */
static int
find_or_make(struct ncp *root, const char *name, uint32_t flags, uint32_t mode, uint64_t rdev,
    struct ncp **out)
{
	size_t len = strlen(name);
	int error = EEXIST;

	for (uint32_t i = 0; error == EEXIST && i < RACES_MAX; i++) {
		error = name_child(root, name, len, out);
		if (error == 0) {
			error = may_use(*out, flags);
			if (error != 0)
				ncp_drop(*out);
			return error;
		}
		if (error != ENOENT || (flags & O_CREAT) == 0)
			return error;
		error = name_create(root, name, len, false, VREG, mode, rdev, out);
	}
	return error;
}

int
mqueue_open(const char *name, uint32_t flags, uint32_t mode, const struct k_mq_attr *attr, struct file **out)
{
	struct mount *mp;
	struct ncp *n;
	int error = check_name(name, strlen(name));

	if (error == 0)
		error = instance(&mp);
	if (error == 0)
		error = find_or_make(mp->mp_ncp, name, flags, mode & 07777, size_argument(attr), &n);
	if (error != 0)
		return error;
	error = file_open_name(n, flags & (O_ACCMODE | O_NONBLOCK), out);
	ncp_drop(n);
	return error;
}

int
mqueue_unlink(const char *name)
{
	size_t len = strlen(name);
	struct mount *mp;
	int error = check_name(name, len);

	if (error == 0)
		error = instance(&mp);
	return error != 0 ? error : name_remove(mp->mp_ncp, name, len, false, false);
}
