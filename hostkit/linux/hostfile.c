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
 *   I2  a directory is opened as nothing else; of the rest only what an
 *       O_PATH descriptor has shown to be a regular file.  That goes by
 *       /proc/self/fd, which cannot lead to another file.
 *   I3  a node lives while the machine knows it (n_lookups) or a node below it
 *       lives (n_children), and is found by identity unless it is a former one.
 *   I4  a descriptor is closed when it is out of the cache and nobody uses it
 *       (f_users).  Those of n_pinned nodes are not put out: the root, and
 *       files without a name, which could not be opened again.
 *   I5  in a tree that is read-only no call is made that could change it.
 *
 * Locking: files_lock for all records; it is not held over a call of the
 * host but close().
 * Not here: caching of answers, permissions of guests, symbolic links.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "hostfile_int.h"

#define NODES_MAX	(1u << 20)
#define CHUNK		1024u
#define BUCKETS		16384u		/* power of two */
#define FDS_MAX		4096u		/* cached, if the host's limit allows */
#define FDS_OTHER	256u		/* of that limit, left to the rest of the process */
#define FDS_MIN		32u
#define DEPTH_MAX	4096u

static struct hk_lock files_lock;
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

void
hk_fd_close(int fd)
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

void
hk_fd_release(struct hfd *f)
{
	int fd = -1;

	hk_lock(&files_lock);
	ASSERT(f->f_users > 0);
	if (--f->f_users == 0 && f->f_node == NULL) {
		fd = f->f_fd;
		free(f);
	}
	hk_unlock(&files_lock);
	hk_fd_close(fd);
}

/* Close the least recently used that can be had again.  [files_lock] */
static bool
evict(void)
{
	for (struct hfd *f = lru.f_prev; f != &lru; f = f->f_prev) {
		if (f->f_users == 0 && !f->f_node->n_pinned) {
			hk_fd_close(uncache(f));
			return true;
		}
	}
	return false;
}

struct hfd *
hk_fd_keep(struct node *n, int fd, uint32_t can)
{
	struct hfd *f = calloc(1, sizeof(*f));
	int old = -1;

	if (f == NULL) {
		hk_fd_close(fd);
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
	hk_fd_close(old);
	return f;
}

/* When there is no descriptor left, old ones are given up. */
long
hk_fd_open(int dir, const char *name, uint64_t flags, uint32_t mode)
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

void
hk_fd_path(char path[32], int fd)
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

long
hk_fd_stat(int fd, const char *name, struct statx *st)
{
	uint32_t flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] == '\0' ? AT_EMPTY_PATH : 0);

	return HK_SYS5(SYS_statx, fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, st);
}

bool
hk_node_is(const struct node *n, const struct statx *st)
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
	hk_fd_path(path, path_fd);
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
	long fd = -EACCES, real, r;
	uint32_t real_can;
	struct statx st;

	*can = CAN_READ;
	if (n->n_type == S_IFDIR)
		fd = hk_fd_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -EACCES) {
		*can = 0;
		fd = hk_fd_open(parent, name, O_PATH | O_NOFOLLOW, 0);
	}
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? -ESTALE : fd;
	r = hk_fd_stat((int)fd, "", &st);
	if (r == 0 && !hk_node_is(n, &st))
		r = -ESTALE;
	if (r == 0 && (need & ~*can) != 0) {
		real = open_real(n, (int)fd, need, &real_can);
		if (real < 0) {
			r = real;
		} else {
			hk_fd_close((int)fd);
			fd = real;
			*can = real_can;
		}
	}
	if (r != 0)
		hk_fd_close((int)fd);
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
	hk_fd_release(parent);
	if (fd < 0)
		return fd;
	*out = hk_fd_keep(at, (int)fd, can);
	if (*out == NULL)
		return -ENOMEM;
	if (at == n)
		return 0;
	hk_fd_release(*out);
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
	hk_fd_release(have);
	if (fd < 0)
		return fd;
	*out = hk_fd_keep(n, (int)fd, can);
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

long
hk_fd_hold(struct node *n, uint32_t need, struct hfd **out)
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

long
hk_fd_near(struct node *n, char name[NAME_BYTES], struct hfd **out)
{
	struct hfd *f = NULL;

	name[0] = '\0';
	hk_lock(&files_lock);
	if (n->n_fd != NULL) {
		f = use(n->n_fd);
	} else if (n->n_parent != NULL && n->n_parent->n_fd != NULL && n->n_name[0] != '\0') {
		f = use(n->n_parent->n_fd);
		memcpy(name, n->n_name, strlen(n->n_name) + 1);
	}
	hk_unlock(&files_lock);
	*out = f;
	return f != NULL ? 0 : hk_fd_hold(n, 0, out);
}

/* --------------------------------------------------------------- nodes -- */

static struct node **
node_slot(uint64_t id)
{
	return &chunk[id / CHUNK][id % CHUNK];
}

struct node *
hk_node_of(uint64_t id)
{
	struct node *n = NULL;

	if (id == 0)
		return NULL;
	hk_lock(&files_lock);
	if (id < next_id)
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
			hk_fd_close(uncache(n->n_fd));
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

struct node *
hk_node_seen(struct node *dir, const char *name, const struct statx *st)
{
	struct node *n;

	hk_lock(&files_lock);
	n = *bucket_of(dev_of(st), st->stx_ino);
	while (n != NULL && (n->n_tree != dir->n_tree || n->n_ino != st->stx_ino || n->n_dev != dev_of(st)))
		n = n->n_hash;
	if (n != NULL && !hk_node_is(n, st)) {
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

void
hk_node_forget(struct node *n, uint64_t lookups)
{
	if (n->n_parent == NULL)
		return;			/* the root is there without a lookup */
	hk_lock(&files_lock);
	ASSERT(n->n_lookups >= lookups);
	n->n_lookups -= lookups;
	node_put(n);
	hk_unlock(&files_lock);
}

void
hk_node_moved(struct node *n, struct node *dir, const char *name)
{
	hk_lock(&files_lock);
	node_place(n, dir, name);
	hk_unlock(&files_lock);
}

void
hk_node_linked(struct node *n, struct node *dir, const char *name)
{
	hk_lock(&files_lock);
	if (n->n_name[0] == '\0') {
		node_place(n, dir, name);
		n->n_pinned = n->n_name[0] == '\0';
	}
	hk_unlock(&files_lock);
}

void
hk_node_pin(struct node *n)
{
	hk_lock(&files_lock);
	n->n_pinned = n->n_fd != NULL;
	hk_unlock(&files_lock);
}

void
hk_move_begin(void)
{
	hk_lock(&files_lock);
	moving++;
	hk_unlock(&files_lock);
}

void
hk_move_end(struct node *v, const struct hfd *f, bool gone)
{
	hk_lock(&files_lock);
	if (gone && f != NULL && v->n_fd != NULL)
		v->n_pinned = true;
	moving--;
	moves++;
	hk_unlock(&files_lock);
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

	r = hk_fd_stat(fd, "", st);
	if (r != 0)
		return hk_fail_host(path, r);
	r = hk_fd_open(fd, ".", O_PATH, 0);
	if (r < 0)
		return r != -ENOSYS ? hk_fail_host(path, r) :
		    hk_fail(HK_UNSUPPORTED, "this host has no openat2()");
	hk_fd_close((int)r);
	hk_fd_path(proc, fd);
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
		hk_fd_close((int)fd);
		return res != HK_OK ? res : hk_fail(HK_NOMEM, "%s: out of memory", path);
	}
	f = hk_fd_keep(n, (int)fd, CAN_READ);
	if (f == NULL) {
		hk_lock(&files_lock);
		n->n_lookups = 0;
		node_put(n);
		hk_unlock(&files_lock);
		free(t);
		return hk_fail(HK_NOMEM, "%s: out of memory", path);
	}
	hk_fd_release(f);
	HK_SYS1(SYS_umask, 0);		/* modes are the guest's business */
	*root = n->n_id;
	return HK_OK;
}

void
hk_files_fini(void)
{
	hk_files_stop_helpers();
	for (uint64_t id = 1; id < next_id; id++) {
		struct node *n = *node_slot(id);

		if (n == NULL)
			continue;
		if (n->n_fd != NULL)
			hk_fd_close(uncache(n->n_fd));
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
