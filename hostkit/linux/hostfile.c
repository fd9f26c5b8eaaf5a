/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfile - trees of the host's files, for a machine that knows only nodes
 *
 * A node is a record here: what the file was when it was found (device, inode
 * number, time of birth), and where (parent and name).  Descriptors are a
 * cache of that: the least recently used are closed, and a file is opened
 * again component by component from the nearest ancestor that is open, each
 * step checked to lead to the same file as before.  One that was replaced or
 * moved by somebody else is ESTALE.
 *
 * Invariants
 *   I1  a path given to the host is one component, relative to a descriptor
 *       of this tree, and is never followed if it is a symbolic link; so
 *       nothing outside the tree can be named.  (A directory that somebody
 *       else moves out of the tree while it is open stays what it was.)
 *   I2  only what an O_PATH descriptor has shown to be a regular file or a
 *       directory is opened.  That goes by /proc/self/fd, which cannot lead
 *       to another file.
 *   I3  a node lives while the machine knows it (n_lookups) or a node below it
 *       lives (n_children), and is found by identity unless it is a former one.
 *   I4  a descriptor is closed when it is out of the cache and nobody uses it
 *       (f_users).  Those of f_pinned nodes are not put out: the root, and
 *       files without a name, which could not be opened again.
 *   I5  in a tree that is read-only no call is made that could change it.
 *
 * Who asks waits for the host as long as that takes, but for contents that
 * the host must fetch and for fsync: those go to helper threads, made on
 * first use.
 *
 * Locking: files_lock for all records; it is not held over a call of the
 * host but close().  dir_lock: the position of directories' descriptors.
 * Not here: caching of answers, permissions of guests, symbolic links.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "host.h"

#define NODES_MAX	(1u << 20)
#define CHUNK		1024u
#define BUCKETS		16384u		/* power of two */
#define FDS_MAX		4096u		/* cached, if the host's limit allows */
#define FDS_OTHER	256u		/* of that limit, left to the rest of the process */
#define FDS_MIN		32u
#define HELPERS_MAX	4u
#define QUEUE_MAX	64u
#define DEPTH_MAX	4096u
#define NAME_BYTES	256u

enum { CAN_READ = HK_FQ_READ, CAN_WRITE = HK_FQ_WRITE };	/* neither: O_PATH */

struct tree {
	uint64_t	t_dev;		/* const */
	bool		t_ro;		/* const */
};

/* An open descriptor.  All [files_lock], f_fd and f_can const. */
struct hfd {
	int		f_fd;
	uint32_t	f_can;
	uint32_t	f_users;
	struct node	*f_node;	/* NULL: out of the cache */
	struct hfd	*f_prev, *f_next;	/* most recently used first */
};

/* All [files_lock] but what is const. */
struct node {
	uint64_t	n_id;		/* const */
	struct tree	*n_tree;	/* const */
	uint64_t	n_dev, n_ino;	/* const */
	int64_t		n_birth;	/* const; 0: the host does not say */
	uint32_t	n_type;		/* const: S_IFMT */
	bool		n_pinned;	/* I4 */
	struct node	*n_parent;	/* NULL: root */
	char		*n_name;
	uint64_t	n_lookups;
	uint32_t	n_children;
	struct hfd	*n_fd;
	struct node	*n_hash;	/* next in its bucket */
};

static struct hk_lock files_lock;
static struct hk_lock dir_lock;
static struct node **chunk[NODES_MAX / CHUNK];	/* [files_lock] by n_id */
static uint64_t next_id = 1;			/* [files_lock] ids below it were used */
static uint64_t *free_id;			/* [files_lock] stack of those that are free again */
static uint64_t nfree, free_room;		/* [files_lock] */
static struct node *bucket[BUCKETS];		/* [files_lock] */
static struct hfd lru = { .f_prev = &lru, .f_next = &lru };	/* [files_lock] */
static uint32_t nfds, fds_max;			/* [files_lock] */
static uint64_t moving, moves;			/* [files_lock] our changes of names: under way, done */

/* --------------------------------------------------------- descriptors -- */

/* Out of the cache.  Returns the descriptor if it is to be closed now, else -1.  [files_lock] */
static int
uncache(struct hfd *f)
{
	int fd = f->f_fd;

	f->f_prev->f_next = f->f_next;
	f->f_next->f_prev = f->f_prev;
	f->f_node->n_fd = NULL;
	f->f_node = NULL;
	nfds--;
	if (f->f_users > 0)
		return -1;
	free(f);
	return fd;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		HK_SYS1(SYS_close, fd);
}

/* [files_lock] */
static struct hfd *
use(struct hfd *f)
{
	f->f_users++;
	f->f_prev->f_next = f->f_next;
	f->f_next->f_prev = f->f_prev;
	f->f_next = lru.f_next;
	f->f_prev = &lru;
	lru.f_next->f_prev = f;
	lru.f_next = f;
	return f;
}

static void
release(struct hfd *f)
{
	int fd = -1;

	hk_lock(&files_lock);
	ASSERT(f->f_users > 0);
	if (--f->f_users == 0 && f->f_node == NULL) {
		fd = f->f_fd;
		free(f);
	}
	hk_unlock(&files_lock);
	close_fd(fd);
}

/* Close the least recently used that can be had again.  [files_lock] */
static bool
evict(void)
{
	for (struct hfd *f = lru.f_prev; f != &lru; f = f->f_prev) {
		if (f->f_users == 0 && !f->f_node->n_pinned) {
			close_fd(uncache(f));
			return true;
		}
	}
	return false;
}

/* The node's descriptor from now on, in use by the caller; fd is ours now, whatever comes back. */
static struct hfd *
install(struct node *n, int fd, uint32_t can)
{
	struct hfd *f = calloc(1, sizeof(*f));
	int old = -1;

	if (f == NULL) {
		close_fd(fd);
		return NULL;
	}
	*f = (struct hfd){ .f_fd = fd, .f_can = can, .f_node = n, .f_prev = f, .f_next = f };
	hk_lock(&files_lock);
	if (n->n_fd != NULL)
		old = uncache(n->n_fd);
	n->n_fd = use(f);
	if (++nfds > fds_max)
		evict();
	hk_unlock(&files_lock);
	close_fd(old);
	return f;
}

/* A call that makes a descriptor: when there is none left, old ones are given up. */
static long
open_at(int dir, const char *name, uint64_t flags, uint32_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC, .mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	bool again;
	long r;

	do {
		r = HK_SYS4(SYS_openat2, dir, name, &how, sizeof(how));
		again = r == -EINTR || r == -EAGAIN;
		if (r == -EMFILE || r == -ENFILE) {
			hk_lock(&files_lock);
			again = evict();
			hk_unlock(&files_lock);
		}
	} while (again);
	return r;
}

static void
proc_path(char path[32], int fd)
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static int64_t
ns_of(struct statx_timestamp t)
{
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t
birth_of(const struct statx *st)
{
	return (st->stx_mask & STATX_BTIME) != 0 ? ns_of(st->stx_btime) : 0;
}

static uint64_t
dev_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

static long
stat_at(int fd, const char *name, struct statx *st)
{
	uint32_t flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] == '\0' ? AT_EMPTY_PATH : 0);

	return HK_SYS5(SYS_statx, fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, st);
}

static bool
is_same(const struct node *n, const struct statx *st)
{
	return n->n_dev == dev_of(st) && n->n_ino == st->stx_ino && n->n_birth == birth_of(st) &&
	    n->n_type == (st->stx_mode & S_IFMT);
}

/* A descriptor for what `path_fd` has shown to be `n`: I2.  *can gets what it is good for.  Or -errno. */
static long
open_real(const struct node *n, int path_fd, uint32_t need, uint32_t *can)
{
	const uint64_t flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	char path[32];
	long r = -EACCES;

	*can = CAN_READ;
	if (n->n_type == S_IFDIR)
		return HK_SYS4(SYS_openat, path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (n->n_type != S_IFREG)
		return -ENXIO;
	proc_path(path, path_fd);
	if (need != CAN_READ) {
		*can = CAN_READ | CAN_WRITE;
		r = HK_SYS3(SYS_openat, AT_FDCWD, path, O_RDWR | flags);
	}
	if (r == -EACCES && need != (CAN_READ | CAN_WRITE)) {
		*can = need;
		r = HK_SYS3(SYS_openat, AT_FDCWD, path, (need == CAN_READ ? O_RDONLY : O_WRONLY) | flags);
	}
	return r;
}

/* Open `n` below its parent's descriptor and see that it is the same.  *can: what it is good for. */
static long
open_child(const struct node *n, int parent, const char *name, uint32_t need, uint32_t *can)
{
	struct statx st;
	uint32_t real_can;
	long fd, real, r;

	fd = open_at(parent, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	r = stat_at((int)fd, "", &st);
	if (r == 0 && !is_same(n, &st))
		r = -ESTALE;
	*can = 0;
	if (r == 0 && (need != 0 || n->n_type == S_IFDIR)) {
		real = open_real(n, (int)fd, need, &real_can);
		if (real < 0 && need != 0) {
			r = real;
		} else if (real >= 0) {
			close_fd((int)fd);
			fd = real;
			*can = real_can;
		}
	}
	if (r != 0)
		close_fd((int)fd);
	return r != 0 ? r : fd;
}

/* One step towards a descriptor of `n`: opens `n`, or an ancestor of which nothing below is open. */
static long
open_step(struct node *n, uint32_t need, struct hfd **out)
{
	struct node *at = n;
	struct hfd *parent = NULL;
	char name[NAME_BYTES];
	uint32_t can = 0;
	long fd;

	hk_lock(&files_lock);
	for (uint32_t depth = 0; depth < DEPTH_MAX && at->n_parent != NULL; depth++, at = at->n_parent) {
		if (at->n_parent->n_fd != NULL) {
			parent = use(at->n_parent->n_fd);
			break;
		}
	}
	if (parent != NULL)
		memcpy(name, at->n_name, strlen(at->n_name) + 1);
	hk_unlock(&files_lock);
	if (parent == NULL)
		return -ESTALE;
	fd = open_child(at, parent->f_fd, name, at == n ? need : 0, &can);
	release(parent);
	if (fd < 0)
		return fd;
	*out = install(at, (int)fd, can);
	if (*out == NULL)
		return -ENOMEM;
	if (at == n)
		return 0;
	release(*out);
	return -EAGAIN;
}

/* A better descriptor for a file that is open, but not for this. */
static long
open_again(struct node *n, struct hfd *have, uint32_t need, struct hfd **out)
{
	uint32_t can;
	long fd = open_real(n, have->f_fd, need | have->f_can, &can);

	if (fd == -EACCES && have->f_can != 0)
		fd = open_real(n, have->f_fd, need, &can);
	release(have);
	if (fd < 0)
		return fd;
	*out = install(n, (int)fd, can);
	return *out != NULL ? 0 : -ENOMEM;
}

/* What we knew was not so: is it that we changed it ourselves meanwhile?  `seen`: moves before. */
static bool
was_moving(uint64_t seen)
{
	bool yes;

	hk_lock(&files_lock);
	yes = moving > 0 || moves != seen;
	hk_unlock(&files_lock);
	return yes;
}

/* The node's descriptor, good for `need`, in use until release().  0 or -errno. */
static long
hold_fd(struct node *n, uint32_t need, struct hfd **out)
{
	struct hfd *f = NULL;
	uint64_t seen;
	long r;

	for (uint32_t i = 0; i < DEPTH_MAX; i++) {
		hk_lock(&files_lock);
		f = n->n_fd != NULL ? use(n->n_fd) : NULL;
		seen = moves;
		hk_unlock(&files_lock);
		if (f != NULL && (f->f_can & need) == need) {
			*out = f;
			return 0;
		}
		if (f != NULL)
			return open_again(n, f, need, out);
		r = open_step(n, need, out);
		if (r != -EAGAIN && (r != -ESTALE || !was_moving(seen)))
			return r;
	}
	return -ESTALE;
}

/* --------------------------------------------------------------- nodes -- */

static struct node **
node_slot(uint64_t id)
{
	return &chunk[id / CHUNK][id % CHUNK];
}

static struct node *
node_of(uint64_t id)
{
	struct node *n = NULL;

	hk_lock(&files_lock);
	if (id != 0 && id < next_id)
		n = *node_slot(id);
	hk_unlock(&files_lock);
	return n;
}

static struct node **
bucket_of(uint64_t dev, uint64_t ino)
{
	return &bucket[((dev * 31 + ino) * 0x9e3779b97f4a7c15ull >> 40) & (BUCKETS - 1)];
}

static void
unhash(struct node *n)
{
	struct node **link = bucket_of(n->n_dev, n->n_ino);

	while (*link != NULL && *link != n)
		link = &(*link)->n_hash;
	if (*link == n)
		*link = n->n_hash;
}

/* [files_lock] 0: none left */
static uint64_t
take_id(void)
{
	uint64_t room = (nfree + next_id + CHUNK) / CHUNK * CHUNK;
	uint64_t *more;

	if (nfree > 0)
		return free_id[--nfree];
	if (next_id == NODES_MAX)
		return 0;
	if (room > free_room) {		/* giving an id back must not fail */
		more = realloc(free_id, room * sizeof(*more));
		if (more == NULL)
			return 0;
		free_id = more;
		free_room = room;
	}
	if (chunk[next_id / CHUNK] == NULL)
		chunk[next_id / CHUNK] = calloc(CHUNK, sizeof(struct node *));
	return chunk[next_id / CHUNK] == NULL ? 0 : next_id++;
}

/* I3: free what nobody needs, upwards.  [files_lock] */
static void
node_put(struct node *n)
{
	while (n != NULL && n->n_lookups == 0 && n->n_children == 0) {
		struct node *up = n->n_parent;

		unhash(n);
		if (n->n_fd != NULL)
			close_fd(uncache(n->n_fd));
		*node_slot(n->n_id) = NULL;
		free_id[nfree++] = n->n_id;
		free(n->n_name);
		free(n);
		if (up != NULL)
			up->n_children--;
		n = up;
	}
}

/* It was seen at this place.  A place below itself is an old one's: it keeps what it has.  [files_lock] */
static void
node_place(struct node *n, struct node *dir, const char *name)
{
	struct node *old = n->n_parent;
	char *text;

	if (old == NULL || (old == dir && strcmp(n->n_name, name) == 0))
		return;
	for (struct node *up = dir; up != NULL; up = up->n_parent)
		if (up == n)
			return;
	text = strdup(name);
	if (text == NULL)
		return;
	free(n->n_name);
	n->n_name = text;
	n->n_parent = dir;
	dir->n_children++;
	old->n_children--;
	node_put(old);
}

/* [files_lock] */
static struct node *
node_make(struct tree *t, struct node *dir, const char *name, const struct statx *st)
{
	struct node *n = calloc(1, sizeof(*n)), **b;

	if (n != NULL)
		n->n_name = strdup(name);
	if (n == NULL || n->n_name == NULL || (n->n_id = take_id()) == 0) {
		if (n != NULL)
			free(n->n_name);
		free(n);
		return NULL;
	}
	n->n_tree = t;
	n->n_dev = dev_of(st);
	n->n_ino = st->stx_ino;
	n->n_birth = birth_of(st);
	n->n_type = st->stx_mode & S_IFMT;
	n->n_parent = dir;
	if (dir != NULL)
		dir->n_children++;
	b = bucket_of(n->n_dev, n->n_ino);
	n->n_hash = *b;
	*b = n;
	*node_slot(n->n_id) = n;
	return n;
}

/* The node of what was just seen in `dir`, one lookup more. */
static struct node *
node_get(struct node *dir, const char *name, const struct statx *st)
{
	struct node *n;

	hk_lock(&files_lock);
	n = *bucket_of(dev_of(st), st->stx_ino);
	while (n != NULL && (n->n_tree != dir->n_tree || n->n_ino != st->stx_ino || n->n_dev != dev_of(st)))
		n = n->n_hash;
	if (n != NULL && !is_same(n, st)) {
		unhash(n);		/* the number belongs to another file now */
		n = NULL;
	}
	if (n == NULL) {
		n = node_make(dir->n_tree, dir, name, st);
	} else {
		node_place(n, dir, name);
		n->n_pinned = n->n_parent == NULL;
	}
	if (n != NULL)
		n->n_lookups++;
	hk_unlock(&files_lock);
	return n;
}

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
	struct node *n = node_get(dir, name, st);

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
	long r = hold_fd(dir, 0, &f);

	if (r != 0)
		return r;
	r = stat_at(f->f_fd, q->q_name, &st);
	release(f);
	return r != 0 ? r : found(dir, q->q_name, &st, q);
}

static void
do_forget(struct node *n, struct hk_freq *q)
{
	if (n->n_parent == NULL)
		return;			/* the root is there without a lookup */
	hk_lock(&files_lock);
	ASSERT(n->n_lookups >= q->q_off);
	n->n_lookups -= q->q_off;
	node_put(n);
	hk_unlock(&files_lock);
}

/* By its own descriptor, else by its name, which must still be its. */
static long
do_getattr(struct node *n, struct hk_freq *q)
{
	char name[NAME_BYTES] = "";
	struct hfd *f = NULL;
	struct statx st;
	long r = 0;

	hk_lock(&files_lock);
	if (n->n_fd != NULL) {
		f = use(n->n_fd);
	} else if (n->n_parent != NULL && n->n_parent->n_fd != NULL) {
		f = use(n->n_parent->n_fd);
		memcpy(name, n->n_name, strlen(n->n_name) + 1);
	}
	hk_unlock(&files_lock);
	if (f == NULL)
		r = hold_fd(n, 0, &f);
	if (r != 0)
		return r;
	r = stat_at(f->f_fd, name, &st);
	release(f);
	if (name[0] != '\0' && (r == -ENOENT || (r == 0 && !is_same(n, &st)))) {
		r = hold_fd(n, 0, &f);		/* it was moved, or says that it is lost */
		if (r != 0)
			return r;
		r = stat_at(f->f_fd, "", &st);
		release(f);
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

	r = hold_fd(n, (q->q_mask & HK_FA_SIZE) != 0 ? CAN_WRITE : 0, &f);
	if (r != 0)
		return r;
	proc_path(path, f->f_fd);
	if ((q->q_mask & HK_FA_SIZE) != 0)
		r = HK_SYS2(SYS_ftruncate, f->f_fd, a->size);
	if (r == 0 && (q->q_mask & (HK_FA_UID | HK_FA_GID)) != 0)
		r = HK_SYS5(SYS_fchownat, AT_FDCWD, path, (q->q_mask & HK_FA_UID) != 0 ? a->uid : ~0u,
		    (q->q_mask & HK_FA_GID) != 0 ? a->gid : ~0u, 0);
	if (r == 0 && (q->q_mask & HK_FA_MODE) != 0)
		r = HK_SYS3(SYS_fchmodat, AT_FDCWD, path, a->mode & 07777);
	if (r == 0 && (q->q_mask & (HK_FA_ATIME | HK_FA_MTIME)) != 0)
		r = HK_SYS4(SYS_utimensat, AT_FDCWD, path, ts, 0);
	release(f);
	return r != 0 ? r : do_getattr(n, q);
}

static long
do_open(struct node *n, struct hk_freq *q)
{
	struct hfd *f;
	long r;

	if (n->n_type != S_IFREG)
		return n->n_type == S_IFDIR ? -EISDIR : -ENXIO;
	r = hold_fd(n, q->q_flags & (CAN_READ | CAN_WRITE), &f);
	if (r == 0)
		release(f);
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

/* Contents, as far as they can be had.  wait: false: -EAGAIN when the host must fetch them. */
static long
do_read(struct node *n, struct hk_freq *q, bool wait)
{
	struct iovec iov[HK_FSEGS];
	struct hfd *f;
	long r = hold_fd(n, CAN_READ, &f);
	int niov;

	if (r != 0)
		return r;
	while ((niov = vector_of(q, iov)) > 0) {
		r = HK_SYS6(SYS_preadv2, f->f_fd, iov, niov, q->q_off + q->q_done, 0, wait ? 0 : RWF_NOWAIT);
		if (r == -EINTR)
			continue;
		if (r == -EOPNOTSUPP && !wait)
			r = -EAGAIN;
		if (r <= 0)
			break;
		q->q_done += (uint64_t)r;
	}
	release(f);
	return niov == 0 || r > 0 || (r < 0 && r != -EAGAIN && q->q_done > 0) ? 0 : r;
}

static long
do_write(struct node *n, struct hk_freq *q)
{
	uint32_t how = (q->q_flags & HK_FQ_APPEND) != 0 ? RWF_APPEND : 0;
	struct iovec iov[HK_FSEGS];
	struct statx st;
	struct hfd *f;
	long r = hold_fd(n, CAN_WRITE, &f);
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
		r = stat_at(f->f_fd, "", &st);
	if (r == 0)
		attr_of(n->n_tree, &st, &q->q_attr);
	release(f);
	return r;
}

static long
do_fsync(struct node *n, bool wait)
{
	struct hfd *f;
	long r;

	if (!wait)
		return -EAGAIN;
	r = hold_fd(n, CAN_READ, &f);
	if (r == -EACCES)
		r = hold_fd(n, CAN_WRITE, &f);
	if (r != 0)
		return r;
	r = HK_SYS1(SYS_fsync, f->f_fd);
	release(f);
	return r == -EINVAL ? 0 : r;	/* a kind of file that has nothing to write */
}

static long
do_readdir(struct node *n, struct hk_freq *q)
{
	char *buf = (char *)(hk_m.m_ram_base + q->q_seg[0].pa);
	struct hfd *f;
	long r;

	if (n->n_type != S_IFDIR)
		return -ENOTDIR;
	r = hold_fd(n, CAN_READ, &f);
	if (r != 0)
		return r;
	hk_lock(&dir_lock);
	r = HK_SYS3(SYS_lseek, f->f_fd, q->q_off, SEEK_SET);
	if (r >= 0)
		r = HK_SYS3(SYS_getdents64, f->f_fd, buf, q->q_seg[0].len);
	hk_unlock(&dir_lock);
	release(f);
	for (long at = 0; at < r;) {
		struct dirent64 *d = (void *)(buf + at);

		if (n->n_parent == NULL && strcmp(d->d_name, "..") == 0)
			d->d_ino = n->n_ino;		/* what is above is nobody's business */
		d->d_ino = shown_ino(n->n_tree, n->n_dev, d->d_ino);
		at += d->d_reclen;
	}
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
	r = hold_fd(n, 0, &f);
	if (r != 0)
		return r;
	r = HK_SYS4(SYS_readlinkat, f->f_fd, "", buf, q->q_seg[0].len);
	release(f);
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
	long r = hold_fd(n, 0, &f);

	if (r != 0)
		return r;
	r = HK_SYS2(SYS_fstatfs, f->f_fd, &s);
	release(f);
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
 * What was just made gets the owner that was asked for, if that is ours to
 * give; a set-gid directory has chosen the group already.
 */
static long
give_owner(int fd, const char *name, const struct hk_fattr *want, struct statx *st)
{
	struct statx above;
	uint32_t gid = want->gid;
	long r;

	r = stat_at(fd, name, st);
	if (r != 0 || HK_SYS0(SYS_geteuid) != 0 || (st->stx_uid == want->uid && st->stx_gid == gid))
		return r;
	r = stat_at(fd, "", &above);
	if (r == 0 && (above.stx_mode & S_ISGID) != 0)
		gid = ~0u;
	if (r == 0)
		r = HK_SYS5(SYS_fchownat, fd, name, want->uid, gid, AT_SYMLINK_NOFOLLOW);
	return r != 0 ? r : stat_at(fd, name, st);
}

static long
do_create(struct node *dir, struct hk_freq *q)
{
	struct hk_fattr want = q->q_attr;
	uint32_t type = want.mode & S_IFMT;
	struct statx st;
	struct hfd *f;
	long r, fd = -1;

	r = hold_fd(dir, 0, &f);
	if (r != 0)
		return r;
	if (q->q_op == HK_FOP_SYMLINK) {
		r = HK_SYS3(SYS_symlinkat, q->q_name2, f->f_fd, q->q_name);
	} else if (type == S_IFREG) {
		fd = r = open_at(f->f_fd, q->q_name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW,
		    want.mode & 07777);
	} else if (type == S_IFDIR) {
		r = HK_SYS3(SYS_mkdirat, f->f_fd, q->q_name, want.mode & 07777);
	} else {
		r = type == S_IFIFO || type == S_IFSOCK ?
		    HK_SYS4(SYS_mknodat, f->f_fd, q->q_name, want.mode, 0) : -EPERM;
	}
	if (r >= 0)
		r = give_owner(f->f_fd, q->q_name, &want, &st);
	release(f);
	if (r == 0)
		r = found(dir, q->q_name, &st, q);
	if (fd < 0)
		return r;
	/* It is used next, most likely. */
	if (r == 0 && (f = install(node_of(q->q_found), (int)fd, CAN_READ | CAN_WRITE)) != NULL)
		release(f);
	else if (r != 0)
		close_fd((int)fd);
	return r;
}

static long
do_link(struct node *dir, struct node *file, struct hk_freq *q)
{
	struct hfd *d, *f;
	char path[32];
	long r;

	r = hold_fd(dir, 0, &d);
	if (r != 0)
		return r;
	r = hold_fd(file, 0, &f);
	if (r == 0) {
		proc_path(path, f->f_fd);
		r = HK_SYS5(SYS_linkat, AT_FDCWD, path, d->f_fd, q->q_name, AT_SYMLINK_FOLLOW);
		release(f);
	}
	release(d);
	return r != 0 ? r : do_getattr(file, q);
}

/* A file that loses its name stays open: called before.  One that is not there any more has lost it. */
static long
keep_victim(struct node *v, struct hfd **out)
{
	long r;

	*out = NULL;
	r = v == NULL ? 0 : hold_fd(v, 0, out);
	return r == -ESTALE ? 0 : r;
}

static void
begin_move(void)
{
	hk_lock(&files_lock);
	moving++;
	hk_unlock(&files_lock);
}

/* gone: the victim, whose descriptor is `f` if it could be had, has no name any more. */
static void
end_move(struct node *v, const struct hfd *f, bool gone)
{
	hk_lock(&files_lock);
	if (gone && f != NULL && v->n_fd != NULL)
		v->n_pinned = true;
	moving--;
	moves++;
	hk_unlock(&files_lock);
}

static long
do_remove(struct node *dir, struct node *victim, struct hk_freq *q)
{
	struct hfd *f, *v;
	long r = keep_victim(victim, &v);

	if (r != 0)
		return r;
	r = hold_fd(dir, 0, &f);
	if (r == 0) {
		begin_move();
		r = HK_SYS3(SYS_unlinkat, f->f_fd, q->q_name, q->q_op == HK_FOP_RMDIR ? AT_REMOVEDIR : 0);
		end_move(victim, v, r == 0);
		release(f);
	}
	if (v != NULL)
		release(v);
	return r;
}

/* Both directories are open: `f`, `t`. */
static long
move(struct node *dir, struct node *to, struct node *moved, struct node *victim, const struct hfd *f,
    const struct hfd *t, const struct hfd *v, struct hk_freq *q)
{
	bool exchange = (q->q_mask & RENAME_EXCHANGE) != 0;
	long r;

	begin_move();
	r = HK_SYS5(SYS_renameat2, f->f_fd, q->q_name, t->f_fd, q->q_name2, q->q_mask);
	if (r == 0) {
		hk_lock(&files_lock);
		node_place(moved, to, q->q_name2);
		if (exchange && victim != NULL)
			node_place(victim, dir, q->q_name);
		hk_unlock(&files_lock);
	}
	end_move(victim, v, r == 0 && !exchange);
	return r;
}

static long
do_rename(struct node *dir, struct node *to, struct node *moved, struct node *victim, struct hk_freq *q)
{
	struct hfd *f, *t, *v;
	long r = keep_victim(victim, &v);

	if (r != 0)
		return r;
	r = hold_fd(dir, 0, &f);
	if (r == 0) {
		r = hold_fd(to, 0, &t);
		if (r == 0) {
			r = move(dir, to, moved, victim, f, t, v, q);
			release(t);
		}
		release(f);
	}
	if (v != NULL)
		release(v);
	return r;
}

/* -------------------------------------------------------------- asking -- */

static bool
is_change(const struct hk_freq *q)
{
	switch (q->q_op) {
	case HK_FOP_OPEN:
		return (q->q_flags & HK_FQ_WRITE) != 0;
	case HK_FOP_SETATTR:
	case HK_FOP_WRITE:
	case HK_FOP_CREATE:
	case HK_FOP_SYMLINK:
	case HK_FOP_LINK:
	case HK_FOP_UNLINK:
	case HK_FOP_RMDIR:
	case HK_FOP_RENAME:
		return true;
	default:
		return false;
	}
}

/* Names where there must be some, segments inside RAM. */
static bool
is_sound(const struct hk_freq *q)
{
	bool named = q->q_op == HK_FOP_LOOKUP || q->q_op == HK_FOP_CREATE || q->q_op == HK_FOP_SYMLINK ||
	    q->q_op == HK_FOP_LINK || q->q_op == HK_FOP_UNLINK || q->q_op == HK_FOP_RMDIR ||
	    q->q_op == HK_FOP_RENAME;
	bool buffer = q->q_op == HK_FOP_READDIR || q->q_op == HK_FOP_READLINK;

	if (named && !is_component(q->q_name))
		return false;
	if ((q->q_op == HK_FOP_RENAME && !is_component(q->q_name2)) ||
	    (q->q_op == HK_FOP_SYMLINK && q->q_name2 == NULL))
		return false;
	if (q->q_nseg > HK_FSEGS || (buffer && q->q_nseg != 1))
		return false;
	for (uint32_t i = 0; i < q->q_nseg; i++)
		if (q->q_seg[i].pa > hk_m.m_ram_bytes || q->q_seg[i].len > hk_m.m_ram_bytes - q->q_seg[i].pa)
			return false;
	return true;
}

/* 0 or -errno; -EAGAIN: with `wait` it would have worked. */
static long
answer(struct hk_freq *q, bool wait)
{
	struct node *n = node_of(q->q_node), *dir2 = node_of(q->q_dir2), *moved = node_of(q->q_moved);
	struct node *victim = node_of(q->q_victim);

	if (n == NULL || !is_sound(q))
		return -EINVAL;
	if (n->n_tree->t_ro && is_change(q))
		return -EROFS;				/* I5 */
	switch (q->q_op) {
	case HK_FOP_LOOKUP:
		return do_lookup(n, q);
	case HK_FOP_FORGET:
		do_forget(n, q);
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
		return do_fsync(n, wait);
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

/* ------------------------------------------------------------- helpers -- */

static struct {
	struct hk_lock	h_lock;
	_Atomic uint32_t h_work;	/* futex: grows with each request, and at the end */
	bool		h_stop;		/* [h_lock] */
	uint32_t	h_nthreads, h_idle;	/* [h_lock] */
	uint64_t	h_thread[HELPERS_MAX];	/* [h_lock] */
	uint32_t	h_out;		/* [h_lock] given and not yet fetched: at most QUEUE_MAX */
	struct hk_freq	*h_todo[QUEUE_MAX], *h_done[QUEUE_MAX];	/* [h_lock] rings */
	uint32_t	h_todo_put, h_todo_get, h_done_put, h_done_get;	/* [h_lock] */
} help;

static void *
helper(void *arg)
{
	struct hk_freq *q;
	uint32_t seen;

	(void)arg;
	hk_lock(&help.h_lock);
	while (!help.h_stop) {
		if (help.h_todo_get == help.h_todo_put) {
			seen = atomic_load(&help.h_work);
			help.h_idle++;
			hk_unlock(&help.h_lock);
			(void)hk_futex_wait(&help.h_work, seen, 0);
			hk_lock(&help.h_lock);
			help.h_idle--;
			continue;
		}
		q = help.h_todo[help.h_todo_get++ % QUEUE_MAX];
		hk_unlock(&help.h_lock);
		q->q_error = (int32_t)-answer(q, true);
		hk_lock(&help.h_lock);
		help.h_done[help.h_done_put++ % QUEUE_MAX] = q;
		hk_post(0, HK_BIT_FILES);
	}
	hk_unlock(&help.h_lock);
	return NULL;
}

/* A helper more, which takes no signals: those belong to others.  [h_lock] */
static void
add_helper(void)
{
	sigset_t all, old;

	sigfillset(&all);
	HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	if (hk_sysops.thread(helper, NULL, &help.h_thread[help.h_nthreads]) == 0)
		help.h_nthreads++;
	HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
}

/* False: no helper can be had. */
static bool
give_away(struct hk_freq *q)
{
	bool ok;

	hk_lock(&help.h_lock);
	if (help.h_idle == 0 && help.h_nthreads < HELPERS_MAX)
		add_helper();
	ok = help.h_nthreads > 0 && help.h_out < QUEUE_MAX;
	if (ok) {
		help.h_out++;
		help.h_todo[help.h_todo_put++ % QUEUE_MAX] = q;
		atomic_fetch_add(&help.h_work, 1);
	}
	hk_unlock(&help.h_lock);
	if (ok)
		hk_futex_wake(&help.h_work, 1);
	return ok;
}

struct hk_freq *
hk_files_done(void)
{
	struct hk_freq *q = NULL;

	hk_lock(&help.h_lock);
	if (help.h_done_get != help.h_done_put) {
		q = help.h_done[help.h_done_get++ % QUEUE_MAX];
		help.h_out--;
	}
	hk_unlock(&help.h_lock);
	return q;
}

hk_result
hk_files_ask(struct hk_freq *q, bool wait)
{
	long r;

	q->q_done = 0;
	r = answer(q, wait);
	if (r == -EAGAIN && !wait) {
		if (give_away(q))
			return HK_AGAIN;
		r = answer(q, true);
	}
	q->q_error = (int32_t)-r;
	return HK_OK;
}

/* -------------------------------------------------- opening and closing -- */

/* As many descriptors as we may have; the soft limit is for programs that select(). */
static void
raise_limit(void)
{
	struct rlimit rl;

	if (HK_SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &rl) != 0)
		rl.rlim_cur = rl.rlim_max = 1024;
	if (rl.rlim_cur < rl.rlim_max) {
		struct rlimit more = { rl.rlim_max, rl.rlim_max };

		if (HK_SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, NULL) == 0)
			rl.rlim_cur = rl.rlim_max;
	}
	fds_max = rl.rlim_cur < FDS_OTHER + FDS_MIN ? FDS_MIN :
	    rl.rlim_cur - FDS_OTHER < FDS_MAX ? (uint32_t)(rl.rlim_cur - FDS_OTHER) : FDS_MAX;
}

/* Whether the host has what we need beneath `fd`. */
static hk_result
check_tree(const char *path, int fd, struct statx *st)
{
	char proc[32];
	struct statx by_proc;
	long r;

	r = stat_at(fd, "", st);
	if (r != 0)
		return hk_fail_host(path, r);
	r = open_at(fd, ".", O_PATH, 0);
	if (r < 0)
		return r != -ENOSYS ? hk_fail_host(path, r) :
		    hk_fail(HK_UNSUPPORTED, "this host has no openat2()");
	close_fd((int)r);
	proc_path(proc, fd);
	r = HK_SYS5(SYS_statx, AT_FDCWD, proc, 0, STATX_BASIC_STATS, &by_proc);
	if (r != 0 || by_proc.stx_ino != st->stx_ino)
		return hk_fail(HK_UNSUPPORTED, "/proc is not mounted on this host");
	return HK_OK;
}

hk_result
hk_files_open(const char *path, bool read_only, uint64_t *root)
{
	struct tree *t;
	struct node *n = NULL;
	struct hfd *f;
	struct statx st;
	hk_result res;
	long fd;

	if (fds_max == 0)
		raise_limit();
	fd = HK_SYS4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return hk_fail_host(path, fd);
	res = check_tree(path, (int)fd, &st);
	t = calloc(1, sizeof(*t));
	if (res == HK_OK && t != NULL) {
		t->t_dev = dev_of(&st);
		t->t_ro = read_only;
		hk_lock(&files_lock);
		n = node_make(t, NULL, "", &st);
		if (n != NULL) {
			n->n_lookups = 1;
			n->n_pinned = true;
		}
		hk_unlock(&files_lock);
	}
	if (n == NULL) {
		free(t);
		close_fd((int)fd);
		return res != HK_OK ? res : hk_fail(HK_NOMEM, "%s: out of memory", path);
	}
	f = install(n, (int)fd, CAN_READ);
	if (f == NULL) {
		hk_lock(&files_lock);
		n->n_lookups = 0;
		node_put(n);
		hk_unlock(&files_lock);
		free(t);
		return hk_fail(HK_NOMEM, "%s: out of memory", path);
	}
	release(f);
	HK_SYS1(SYS_umask, 0);		/* modes are the guest's business */
	*root = n->n_id;
	return HK_OK;
}

static void
stop_helpers(void)
{
	hk_lock(&help.h_lock);
	help.h_stop = true;
	atomic_fetch_add(&help.h_work, 1);
	hk_unlock(&help.h_lock);
	hk_futex_wake(&help.h_work, INT32_MAX);
	for (uint32_t i = 0; i < help.h_nthreads; i++)
		hk_sysops.join(help.h_thread[i]);
	memset(&help, 0, sizeof(help));
}

void
hk_files_fini(void)
{
	stop_helpers();
	for (uint64_t id = 1; id < next_id; id++) {
		struct node *n = *node_slot(id);

		if (n == NULL)
			continue;
		if (n->n_fd != NULL)
			close_fd(uncache(n->n_fd));
		if (n->n_parent == NULL)
			free(n->n_tree);
		free(n->n_name);
		free(n);
	}
	for (uint32_t i = 0; i < NODES_MAX / CHUNK; i++) {
		free(chunk[i]);
		chunk[i] = NULL;
	}
	free(free_id);
	free_id = NULL;
	nfree = free_room = 0;
	next_id = 1;
	memset(bucket, 0, sizeof(bucket));
	fds_max = 0;
	ASSERT(nfds == 0);
}
