/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfile_answer - what each request asks of the host
 *
 * One function for each kind of request.  It gets descriptors for the nodes
 * concerned, makes the calls and says what came of it in the request.  Which
 * file is meant has been settled by hostfile.c; I1 to I5 are there.
 *
 * Times, owners, modes and extended attributes are reached by the name that
 * /proc has for a descriptor, as an O_PATH one is not good for more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hostfile_int.h"

#define POS_UNKNOWN	UINT64_MAX

/* ------------------------------------------------------------- answers -- */

/* Numbers of another device of the host than the root's are set apart: a tree has one st_dev. */
static uint64_t
shown_ino(const struct tree *t, uint64_t dev, uint64_t ino)
{
	return dev == t->t_dev ? ino : ino ^ (dev * 0x9e3779b97f4a7c15ull & 0xffffff0000000000ull);
}

static void
attr_of(const struct tree *t, const struct statx *st, struct hk_fattr *a)
{
	uint64_t maj = st->stx_rdev_major, min = st->stx_rdev_minor;

	*a = (struct hk_fattr){
		.mode = st->stx_mode, .nlink = st->stx_nlink, .uid = st->stx_uid, .gid = st->stx_gid,
		.ino = shown_ino(t, dev_of(st), st->stx_ino),
		.size = st->stx_size, .blocks512 = st->stx_blocks,
		.rdev = (maj & 0xfff) << 8 | (min & 0xff) | (min & ~0xffull) << 12,
		.atime = ns_of(st->stx_atime), .mtime = ns_of(st->stx_mtime), .ctime = ns_of(st->stx_ctime),
		.btime = birth_of(st), .blksize = st->stx_blksize,
	};
}

/* I1 */
static bool
is_component(const char *name)
{
	size_t len = name == NULL ? 0 : strnlen(name, NAME_BYTES);

	return len > 0 && len < NAME_BYTES && memchr(name, '/', len) == NULL && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0;
}

static long
found(struct node *dir, const char *name, const struct statx *st, struct hk_freq *q)
{
	struct node *n = hk_node_seen(dir, name, st);

	if (n == NULL)
		return -ENOMEM;
	q->q_found = n->n_id;
	attr_of(n->n_tree, st, &q->q_attr);
	return 0;
}

static long
do_lookup(struct node *dir, struct hk_freq *q)
{
	struct statx st;
	struct hfd *f;
	long r = hk_fd_hold(dir, 0, &f);

	if (r != 0)
		return r;
	r = hk_fd_stat(f->f_fd, q->q_name, &st);
	hk_fd_release(f);
	return r != 0 ? r : found(dir, q->q_name, &st, q);
}

/* By its own descriptor, else by its name, which must still be its. */
static long
do_getattr(struct node *n, struct hk_freq *q)
{
	char name[NAME_BYTES];
	struct statx st;
	struct hfd *f;
	long r = hk_fd_near(n, name, &f);

	if (r != 0)
		return r;
	r = hk_fd_stat(f->f_fd, name, &st);
	hk_fd_release(f);
	if (name[0] != '\0' && (r == -ENOENT || (r == 0 && !hk_node_is(n, &st)))) {
		r = hk_fd_hold(n, 0, &f);		/* it was moved, or says that it is lost */
		if (r != 0)
			return r;
		r = hk_fd_stat(f->f_fd, "", &st);
		hk_fd_release(f);
	}
	if (r == 0)
		attr_of(n->n_tree, &st, &q->q_attr);
	return r;
}

static struct timespec
timespec_of(const struct hk_freq *q, uint32_t bit, int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += 1000000000;
	}
	if ((q->q_mask & bit) == 0)
		ts.tv_nsec = UTIME_OMIT;
	return ts;
}

static long
do_setattr(struct node *n, struct hk_freq *q)
{
	const struct hk_fattr *a = &q->q_attr;
	struct timespec ts[2] = {
		timespec_of(q, HK_FA_ATIME, a->atime), timespec_of(q, HK_FA_MTIME, a->mtime),
	};
	char path[32];
	struct hfd *f;
	long r;

	r = hk_fd_hold(n, (q->q_mask & HK_FA_SIZE) != 0 ? CAN_WRITE : 0, &f);
	if (r != 0)
		return r;
	hk_fd_path(path, f->f_fd);
	if ((q->q_mask & HK_FA_SIZE) != 0)
		r = HK_SYS2(SYS_ftruncate, f->f_fd, a->size);
	if (r == 0 && (q->q_mask & (HK_FA_UID | HK_FA_GID)) != 0)
		r = HK_SYS5(SYS_fchownat, AT_FDCWD, path, (q->q_mask & HK_FA_UID) != 0 ? a->uid : ~0u,
		    (q->q_mask & HK_FA_GID) != 0 ? a->gid : ~0u, 0);
	if (r == 0 && (q->q_mask & HK_FA_MODE) != 0)
		r = HK_SYS3(SYS_fchmodat, AT_FDCWD, path, a->mode & 07777);
	if (r == 0 && (q->q_mask & (HK_FA_ATIME | HK_FA_MTIME)) != 0)
		r = HK_SYS4(SYS_utimensat, AT_FDCWD, path, ts, 0);
	hk_fd_release(f);
	return r != 0 ? r : do_getattr(n, q);
}

static long
do_open(struct node *n, struct hk_freq *q)
{
	struct hfd *f;
	long r;

	if (n->n_type == S_IFDIR && (q->q_flags & CAN_WRITE) != 0)
		return -EISDIR;
	if (n->n_type != S_IFREG && n->n_type != S_IFDIR)
		return -ENXIO;
	r = hk_fd_hold(n, q->q_flags & (CAN_READ | CAN_WRITE), &f);
	if (r == 0)
		hk_fd_release(f);
	return r;
}

/* What is left of the segments, after q_done bytes. */
static int
vector_of(const struct hk_freq *q, struct iovec iov[HK_FSEGS])
{
	uint64_t skip = q->q_done;
	int n = 0;

	for (uint32_t i = 0; i < q->q_nseg; i++) {
		uint64_t len = q->q_seg[i].len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		iov[n].iov_base = (void *)(hk_m.m_ram_base + q->q_seg[i].pa + skip);
		iov[n++].iov_len = len - skip;
		skip = 0;
	}
	return n;
}

/* Contents.  !wait: -EAGAIN when the host must fetch them, -EOPNOTSUPP when it cannot say. */
static long
do_read(struct node *n, struct hk_freq *q, bool wait)
{
	struct iovec iov[HK_FSEGS];
	struct hfd *f;
	long r = hk_fd_hold(n, CAN_READ, &f);
	int niov;

	if (r != 0)
		return r;
	while ((niov = vector_of(q, iov)) > 0) {
		r = HK_SYS6(SYS_preadv2, f->f_fd, iov, niov, q->q_off + q->q_done, 0, wait ? 0 : RWF_NOWAIT);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		q->q_done += (uint64_t)r;
	}
	hk_fd_release(f);
	if (r == -EAGAIN || r == -EOPNOTSUPP)
		return r;
	return niov == 0 || q->q_done > 0 ? 0 : r;
}

static long
do_write(struct node *n, struct hk_freq *q)
{
	uint32_t how = (q->q_flags & HK_FQ_APPEND) != 0 ? RWF_APPEND : 0;
	struct iovec iov[HK_FSEGS];
	struct statx st;
	struct hfd *f;
	long r = hk_fd_hold(n, CAN_WRITE, &f);
	int niov;

	if (r != 0)
		return r;
	while ((niov = vector_of(q, iov)) > 0) {
		r = HK_SYS6(SYS_pwritev2, f->f_fd, iov, niov, q->q_off + q->q_done, 0, how);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		q->q_done += (uint64_t)r;
	}
	if (q->q_done > 0)
		r = 0;
	if (r == 0)
		r = hk_fd_stat(f->f_fd, "", &st);
	if (r == 0)
		attr_of(n->n_tree, &st, &q->q_attr);
	hk_fd_release(f);
	return r;
}

static long
do_allocate(struct node *n, struct hk_freq *q)
{
	struct statx st;
	struct hfd *f;
	long r = hk_fd_hold(n, CAN_WRITE, &f);

	if (r != 0)
		return r;
	do
		r = HK_SYS4(SYS_fallocate, f->f_fd, q->q_mask, q->q_off, q->q_attr.size);
	while (r == -EINTR);
	if (r == 0)
		r = hk_fd_stat(f->f_fd, "", &st);
	if (r == 0)
		attr_of(n->n_tree, &st, &q->q_attr);
	hk_fd_release(f);
	return r;
}

/* For what may be asked of any open file. */
static long
hold_open(struct node *n, struct hfd **f)
{
	long r = hk_fd_hold(n, CAN_READ, f);

	return r == -EACCES ? hk_fd_hold(n, CAN_WRITE, f) : r;
}

static long
do_fsync(struct node *n)
{
	struct hfd *f;
	long r = hold_open(n, &f);

	if (r != 0)
		return r;
	r = HK_SYS1(SYS_fsync, f->f_fd);
	hk_fd_release(f);
	return r == -EINVAL ? 0 : r;	/* a kind of file that has nothing to write */
}

static long
do_readdir(struct node *n, struct hk_freq *q)
{
	char *buf = (char *)(hk_m.m_ram_base + q->q_seg[0].pa);
	uint64_t pos = q->q_off;
	struct hfd *f;
	long r;

	if (n->n_type != S_IFDIR)
		return -ENOTDIR;
	r = hk_fd_hold(n, CAN_READ, &f);
	if (r != 0)
		return r;
	hk_lock(&f->f_pos_lock);
	if (f->f_pos != pos)
		r = HK_SYS3(SYS_lseek, f->f_fd, pos, SEEK_SET);
	if (r >= 0)
		r = HK_SYS3(SYS_getdents64, f->f_fd, buf, q->q_seg[0].len);
	for (long at = 0; at < r;) {
		struct dirent64 *d = (void *)(buf + at);

		if (n->n_parent == NULL && strcmp(d->d_name, "..") == 0)
			d->d_ino = n->n_ino;		/* what is above is nobody's business */
		d->d_ino = shown_ino(n->n_tree, n->n_dev, d->d_ino);
		pos = (uint64_t)d->d_off;
		at += d->d_reclen;
	}
	f->f_pos = r < 0 ? POS_UNKNOWN : pos;
	hk_unlock(&f->f_pos_lock);
	hk_fd_release(f);
	if (r < 0)
		return r;
	q->q_done = (uint64_t)r;
	return 0;
}

/* Where data (q_mask 0) or a hole begins. */
static long
do_seek(struct node *n, struct hk_freq *q)
{
	struct hfd *f;
	long r = hold_open(n, &f);

	if (r != 0)
		return r;
	r = HK_SYS3(SYS_lseek, f->f_fd, q->q_off, q->q_mask == 0 ? SEEK_DATA : SEEK_HOLE);
	hk_fd_release(f);
	if (r < 0)
		return r;
	q->q_done = (uint64_t)r;
	return 0;
}

static long
do_readlink(struct node *n, struct hk_freq *q)
{
	char *buf = (char *)(hk_m.m_ram_base + q->q_seg[0].pa);
	struct hfd *f;
	long r;

	if (n->n_type != S_IFLNK)
		return -EINVAL;
	r = hk_fd_hold(n, 0, &f);
	if (r != 0)
		return r;
	r = HK_SYS4(SYS_readlinkat, f->f_fd, "", buf, q->q_seg[0].len);
	hk_fd_release(f);
	if (r < 0)
		return r;
	q->q_done = (uint64_t)r;
	return 0;
}

static long
do_xattr(struct node *n, struct hk_freq *q)
{
	char *buf = q->q_nseg > 0 ? (char *)(hk_m.m_ram_base + q->q_seg[0].pa) : NULL;
	uint64_t len = q->q_nseg > 0 ? q->q_seg[0].len : 0;
	char path[32];
	struct hfd *f;
	long r = hk_fd_hold(n, 0, &f);

	if (r != 0)
		return r;
	hk_fd_path(path, f->f_fd);
	if (q->q_op == HK_FOP_GETXATTR)
		r = HK_SYS4(SYS_getxattr, path, q->q_name, buf, len);
	else if (q->q_op == HK_FOP_LISTXATTR)
		r = HK_SYS3(SYS_listxattr, path, buf, len);
	else if ((q->q_flags & HK_FQ_REMOVE) != 0)
		r = HK_SYS2(SYS_removexattr, path, q->q_name);
	else
		r = HK_SYS5(SYS_setxattr, path, q->q_name, buf, len, q->q_mask);
	hk_fd_release(f);
	if (r < 0)
		return r;
	q->q_done = (uint64_t)r;
	return 0;
}

static long
do_statfs(struct node *n, struct hk_freq *q)
{
	struct statfs s;
	struct hfd *f;
	long r = hk_fd_hold(n, 0, &f);

	if (r != 0)
		return r;
	r = HK_SYS2(SYS_fstatfs, f->f_fd, &s);
	hk_fd_release(f);
	if (r == 0)
		q->q_statfs = (struct hk_fstatfs){
			.bsize = (uint64_t)s.f_bsize, .blocks = s.f_blocks,
			.bfree = s.f_bfree, .bavail = s.f_bavail,
			.files = s.f_files, .ffree = s.f_ffree, .namelen = (uint64_t)s.f_namelen,
		};
	return r;
}

/* ------------------------------------------------------------- changes -- */

/*
 * What was just made in `dir` and is `name` at `at` gets the owner that was
 * asked for, if that is ours to give; a set-gid directory has chosen the group already.
 */
static long
give_owner(int dir, int at, const char *name, const struct hk_fattr *want, struct statx *st)
{
	struct statx above;
	uint32_t gid = want->gid;
	long r;

	r = hk_fd_stat(at, name, st);
	if (r != 0 || HK_SYS0(SYS_geteuid) != 0 || (st->stx_uid == want->uid && st->stx_gid == gid))
		return r;
	r = hk_fd_stat(dir, "", &above);
	if (r == 0 && (above.stx_mode & S_ISGID) != 0)
		gid = ~0u;
	if (r == 0)
		r = HK_SYS5(SYS_fchownat, at, name, want->uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	return r != 0 ? r : hk_fd_stat(at, name, st);
}

/* In the directory `dir`: a descriptor if it is a regular file, else 0, or -errno.  No name: none. */
static long
make(int dir, const struct hk_freq *q)
{
	uint32_t type = q->q_attr.mode & S_IFMT, mode = q->q_attr.mode & 07777;
	uint64_t excl = (q->q_flags & HK_FQ_NOLINK) != 0 ? O_EXCL : 0;

	if (q->q_op == HK_FOP_SYMLINK)
		return HK_SYS3(SYS_symlinkat, q->q_name2, dir, q->q_name);
	if (type == S_IFREG && q->q_name == NULL)
		return hk_fd_open(dir, ".", O_TMPFILE | O_RDWR | excl, mode);
	if (type == S_IFREG)
		return hk_fd_open(dir, q->q_name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, mode);
	if (type == S_IFDIR)
		return HK_SYS3(SYS_mkdirat, dir, q->q_name, mode);
	if (type == S_IFIFO || type == S_IFSOCK)
		return HK_SYS4(SYS_mknodat, dir, q->q_name, type | mode, 0);
	return -EPERM;
}

static long
do_create(struct node *dir, struct hk_freq *q)
{
	bool regular = q->q_op == HK_FOP_CREATE && (q->q_attr.mode & S_IFMT) == S_IFREG;
	bool named = q->q_name != NULL;
	const char *name = named ? q->q_name : "";
	struct hk_fattr want = q->q_attr;
	struct statx st;
	struct node *n;
	struct hfd *f;
	long r, fd;

	r = hk_fd_hold(dir, 0, &f);
	if (r != 0)
		return r;
	r = fd = make(f->f_fd, q);
	if (r >= 0)
		r = give_owner(f->f_fd, named ? f->f_fd : (int)fd, name, &want, &st);
	hk_fd_release(f);
	if (r == 0)
		r = found(dir, name, &st, q);
	if (!regular || fd < 0)
		return r;
	if (r != 0) {
		hk_fd_close((int)fd);
		return r;
	}
	/* It is used next, most likely; without a name it could not be opened again. */
	n = hk_node_of(q->q_found);
	f = hk_fd_keep(n, (int)fd, CAN_READ | CAN_WRITE);
	if (!named)
		hk_node_pin(n);
	if (f != NULL) {
		hk_fd_release(f);
	} else if (!named) {
		hk_node_forget(n, 1);
		r = -ENOMEM;
	}
	return r;
}

static long
do_link(struct node *dir, struct node *file, struct hk_freq *q)
{
	struct hfd *d, *f;
	char path[32];
	long r;

	r = hk_fd_hold(dir, 0, &d);
	if (r != 0)
		return r;
	r = hk_fd_hold(file, 0, &f);
	if (r == 0) {
		hk_fd_path(path, f->f_fd);
		r = HK_SYS5(SYS_linkat, AT_FDCWD, path, d->f_fd, q->q_name, AT_SYMLINK_FOLLOW);
		if (r == 0)
			hk_node_linked(file, dir, q->q_name);
		hk_fd_release(f);
	}
	hk_fd_release(d);
	return r != 0 ? r : do_getattr(file, q);
}

/* A file that loses its name stays open: called before.  One that is not there any more has lost it. */
static long
keep_victim(struct node *v, struct hfd **out)
{
	long r;

	*out = NULL;
	r = v == NULL ? 0 : hk_fd_hold(v, 0, out);
	return r == -ESTALE ? 0 : r;
}

static long
do_remove(struct node *dir, struct node *victim, struct hk_freq *q)
{
	struct hfd *f, *v;
	long r = keep_victim(victim, &v);

	if (r != 0)
		return r;
	r = hk_fd_hold(dir, 0, &f);
	if (r == 0) {
		hk_move_begin();
		r = HK_SYS3(SYS_unlinkat, f->f_fd, q->q_name, q->q_op == HK_FOP_RMDIR ? AT_REMOVEDIR : 0);
		hk_move_end(victim, v, r == 0);
		hk_fd_release(f);
	}
	if (v != NULL)
		hk_fd_release(v);
	return r;
}

/* Both directories are open: `f`, `t`. */
static long
move(struct node *dir, struct node *to, struct node *moved, struct node *victim, const struct hfd *f,
    const struct hfd *t, const struct hfd *v, struct hk_freq *q)
{
	bool exchange = (q->q_mask & RENAME_EXCHANGE) != 0;
	long r;

	hk_move_begin();
	r = HK_SYS5(SYS_renameat2, f->f_fd, q->q_name, t->f_fd, q->q_name2, q->q_mask);
	if (r == 0) {
		hk_node_moved(moved, to, q->q_name2);
		if (exchange && victim != NULL)
			hk_node_moved(victim, dir, q->q_name);
	}
	hk_move_end(victim, v, r == 0 && !exchange);
	return r;
}

static long
do_rename(struct node *dir, struct node *to, struct node *moved, struct node *victim, struct hk_freq *q)
{
	struct hfd *f, *t, *v;
	long r = keep_victim(victim, &v);

	if (r != 0)
		return r;
	r = hk_fd_hold(dir, 0, &f);
	if (r == 0) {
		r = hk_fd_hold(to, 0, &t);
		if (r == 0) {
			r = move(dir, to, moved, victim, f, t, v, q);
			hk_fd_release(t);
		}
		hk_fd_release(f);
	}
	if (v != NULL)
		hk_fd_release(v);
	return r;
}

/* --------------------------------------------------------------- which -- */

#define OP(name)	(1u << HK_FOP_##name)
#define CHANGES		(OP(SETATTR) | OP(WRITE) | OP(CREATE) | OP(SYMLINK) | OP(LINK) | OP(UNLINK) | \
			 OP(RMDIR) | OP(RENAME) | OP(ALLOCATE) | OP(SETXATTR))
#define NAMED		(OP(LOOKUP) | OP(SYMLINK) | OP(LINK) | OP(UNLINK) | OP(RMDIR) | OP(RENAME))

static bool
is_change(const struct hk_freq *q)
{
	return (1u << q->q_op & CHANGES) != 0 || (q->q_op == HK_FOP_OPEN && (q->q_flags & HK_FQ_WRITE) != 0);
}

/* Only a regular file may be made without a name. */
static bool
is_named(const struct hk_freq *q)
{
	if (q->q_op == HK_FOP_CREATE)
		return q->q_name == NULL ? (q->q_attr.mode & S_IFMT) == S_IFREG : is_component(q->q_name);
	if (q->q_op == HK_FOP_GETXATTR || q->q_op == HK_FOP_SETXATTR)
		return q->q_name != NULL && strnlen(q->q_name, NAME_BYTES) < NAME_BYTES;
	if ((q->q_op == HK_FOP_RENAME && !is_component(q->q_name2)) ||
	    (q->q_op == HK_FOP_SYMLINK && q->q_name2 == NULL))
		return false;
	return (1u << q->q_op & NAMED) == 0 || is_component(q->q_name);
}

/* Names where there must be some, segments inside RAM. */
static bool
is_sound(const struct hk_freq *q)
{
	bool buffer = q->q_op == HK_FOP_READDIR || q->q_op == HK_FOP_READLINK;

	if (q->q_op >= HK_FOP_COUNT || !is_named(q) || q->q_nseg > HK_FSEGS || (buffer && q->q_nseg != 1))
		return false;
	for (uint32_t i = 0; i < q->q_nseg; i++)
		if (q->q_seg[i].pa > hk_m.m_ram_bytes || q->q_seg[i].len > hk_m.m_ram_bytes - q->q_seg[i].pa)
			return false;
	return true;
}

long
hk_files_answer(struct hk_freq *q, bool wait)
{
	struct node *n = hk_node_of(q->q_node), *dir2 = hk_node_of(q->q_dir2);
	struct node *moved = hk_node_of(q->q_moved), *victim = hk_node_of(q->q_victim);

	if (n == NULL || !is_sound(q))
		return -EINVAL;
	if (n->n_tree->t_ro && is_change(q))
		return -EROFS;				/* I5 */
	switch (q->q_op) {
	case HK_FOP_LOOKUP:
		return do_lookup(n, q);
	case HK_FOP_FORGET:
		hk_node_forget(n, q->q_off);
		return 0;
	case HK_FOP_GETATTR:
		return do_getattr(n, q);
	case HK_FOP_SETATTR:
		return do_setattr(n, q);
	case HK_FOP_OPEN:
		return do_open(n, q);
	case HK_FOP_READ:
		return do_read(n, q, wait);
	case HK_FOP_WRITE:
		return do_write(n, q);
	case HK_FOP_FSYNC:
		return do_fsync(n);
	case HK_FOP_ALLOCATE:
		return do_allocate(n, q);
	case HK_FOP_SEEK:
		return do_seek(n, q);
	case HK_FOP_GETXATTR:
	case HK_FOP_SETXATTR:
	case HK_FOP_LISTXATTR:
		return do_xattr(n, q);
	case HK_FOP_READDIR:
		return do_readdir(n, q);
	case HK_FOP_READLINK:
		return do_readlink(n, q);
	case HK_FOP_CREATE:
	case HK_FOP_SYMLINK:
		return do_create(n, q);
	case HK_FOP_LINK:
		return moved == NULL || moved->n_tree != n->n_tree ? -EXDEV : do_link(n, moved, q);
	case HK_FOP_UNLINK:
	case HK_FOP_RMDIR:
		return do_remove(n, victim, q);
	case HK_FOP_RENAME:
		if (dir2 == NULL || moved == NULL || dir2->n_tree != n->n_tree || moved->n_tree != n->n_tree)
			return -EXDEV;
		return do_rename(n, dir2, moved, victim, q);
	case HK_FOP_STATFS:
		return do_statfs(n, q);
	default:
		return -ENOSYS;
	}
}

