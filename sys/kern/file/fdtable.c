/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdtable - descriptors: small numbers that name open files.
 *
 * A table is an array of files with two bitmaps (used, close-on-exec).  It
 * belongs to one process or, after CLONE_FILES, to several.  It starts with
 * room for FD_INLINE inside the struct, so that fork copies with one
 * allocation, and doubles up to the process's RLIMIT_NOFILE.
 *
 * The threads of a process have its table, but for one that asked for its own
 * (l_fdt: unshare, close_range, clone) and those that it made: what they open and
 * close is theirs.  If it becomes the last thread, or calls exec, its table is the process's.
 *
 * Others may look at a table (/proc/PID/fd).  They keep the memory, not the
 * files: those are closed when the last process leaves the table, by it.
 *
 * Invariants
 *   T1  bit fd of ft_used is set exactly if ft_file[fd] is not NULL, and
 *       the table holds one reference on that file.
 *   T2  a bit of ft_cloexec is set only where ft_used is.
 *   T3  no descriptor below ft_low is free.
 *
 * Locking: ft_tok guards everything; allocation may sleep and so lose it, so
 * growing looks again.  Files are flushed and dropped without the token.
 * p_fdt itself changes under p_tok, while the process has one thread (exec,
 * exit, unsharing); the current process may read its own without.  l_fdt is
 * its thread's.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/event.h>
#include <sys/file/epoll.h>
#include <sys/file/file.h>
#include <sys/file/lockf.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define FD_INLINE	64u
#define FD_LIMIT	(1u << 20)	/* no table is larger, whatever the rlimit */
#define LIMIT_NOFILE	7		/* RLIMIT_NOFILE's index in p_rlimit */
#define CLONE_FILES	0x400u

struct fdtable {
	_Atomic uint32_t ft_refs;	/* [atomic] who may touch this: users, lookers */
	_Atomic uint32_t ft_users;	/* [atomic] processes, and threads that have it for their own */
	struct token	ft_tok;
	uint32_t	ft_size;	/* [ft_tok] slots, a multiple of 64 */
	uint32_t	ft_low;		/* [ft_tok] T3 */
	struct file	**ft_file;	/* [ft_tok] */
	uint64_t	*ft_used;	/* [ft_tok] */
	uint64_t	*ft_cloexec;	/* [ft_tok] */
	struct file	*ft_file0[FD_INLINE];
	uint64_t	ft_used0, ft_cloexec0;
};

static inline bool bit_get(const uint64_t *map, uint32_t i) { return (map[i / 64] >> (i % 64) & 1) != 0; }
static inline void bit_set(uint64_t *map, uint32_t i) { map[i / 64] |= 1ull << (i % 64); }
static inline void bit_clear(uint64_t *map, uint32_t i) { map[i / 64] &= ~(1ull << (i % 64)); }

/* First clear (want false) or set bit at or after `from`; `size` when there is none. */
static uint32_t
bit_find(const uint64_t *map, uint32_t size, uint32_t from, bool want)
{
	uint32_t word = from / 64;
	uint64_t bits;

	if (from >= size)
		return size;
	bits = (want ? map[word] : ~map[word]) & (~0ull << (from % 64));
	while (bits == 0) {
		if (++word >= size / 64)
			return size;
		bits = want ? map[word] : ~map[word];
	}
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

int
fdtable_create(struct fdtable **out)
{
	struct fdtable *ft = kmalloc(sizeof(*ft), KM_ZERO | KM_WAIT);

	if (ft == NULL)
		return ENOMEM;
	atomic_init(&ft->ft_refs, 1);
	atomic_init(&ft->ft_users, 1);
	token_init(&ft->ft_tok, "fdtable");
	ft->ft_size = FD_INLINE;
	ft->ft_file = ft->ft_file0;
	ft->ft_used = &ft->ft_used0;
	ft->ft_cloexec = &ft->ft_cloexec0;
	*out = ft;
	return 0;
}

/* Room for at least `need` slots.  The token is held but may be lost meanwhile: a table never shrinks. */
static int
fdtable_grow(struct fdtable *ft, uint32_t need)
{
	struct file **files, **old;
	uint64_t *maps;
	uint32_t size;

	token_assert_held(&ft->ft_tok);
	if (need <= ft->ft_size)
		return 0;
	if (need > FD_LIMIT)
		return EMFILE;
	for (size = ft->ft_size; size < need; size *= 2)
		;
	files = kmalloc(size * sizeof(*files) + size / 64 * 2 * sizeof(*maps), KM_ZERO | KM_WAIT);
	if (files == NULL)
		return ENOMEM;
	if (need <= ft->ft_size) {
		kfree(files);
		return 0;
	}
	if (size < ft->ft_size) {	/* grew meanwhile, but not enough */
		kfree(files);
		return fdtable_grow(ft, need);
	}
	maps = (uint64_t *)(void *)(files + size);
	memcpy(files, ft->ft_file, ft->ft_size * sizeof(*files));
	memcpy(maps, ft->ft_used, ft->ft_size / 8);
	memcpy(maps + size / 64, ft->ft_cloexec, ft->ft_size / 8);
	old = ft->ft_file;
	ft->ft_file = files;
	ft->ft_used = maps;
	ft->ft_cloexec = maps + size / 64;
	ft->ft_size = size;
	if (old != ft->ft_file0)
		kfree(old);
	return 0;
}

static int
fdtable_copy(struct fdtable *from, struct fdtable **out)
{
	struct fdtable *to;
	uint32_t fd;
	int error;

	if ((error = fdtable_create(&to)) != 0)
		return error;
	token_get(&to->ft_tok);
	token_get(&from->ft_tok);
	while (to->ft_size < from->ft_size && error == 0)
		error = fdtable_grow(to, from->ft_size);
	if (error == 0) {
		for (fd = bit_find(from->ft_used, from->ft_size, 0, true); fd < from->ft_size;
		    fd = bit_find(from->ft_used, from->ft_size, fd + 1, true)) {
			file_hold(from->ft_file[fd]);
			to->ft_file[fd] = from->ft_file[fd];
		}
		memcpy(to->ft_used, from->ft_used, from->ft_size / 8);
		memcpy(to->ft_cloexec, from->ft_cloexec, from->ft_size / 8);
		to->ft_low = from->ft_low;
	}
	token_release(&from->ft_tok);
	token_release(&to->ft_tok);
	if (error != 0) {
		if (to->ft_file != to->ft_file0)
			kfree(to->ft_file);
		kfree(to);
		return error;
	}
	*out = to;
	return 0;
}

/* A descriptor of p's table that named fp is gone, and with it the table's reference. */
static void
fd_let_go(struct fdtable *ft, struct file *fp, struct proc *p)
{
	lockf_drop_table(fp, ft);
	if (fp->f_ops->fo_flush != NULL)
		fp->f_ops->fo_flush(fp, p);
	file_drop(fp);
}

/* Empty slot fd; returns its file, now the caller's, or NULL. */
static struct file *
fd_take(struct fdtable *ft, uint32_t fd)
{
	struct file *fp;

	token_assert_held(&ft->ft_tok);
	if (fd >= ft->ft_size || (fp = ft->ft_file[fd]) == NULL)
		return NULL;
	ft->ft_file[fd] = NULL;
	bit_clear(ft->ft_used, fd);
	bit_clear(ft->ft_cloexec, fd);
	if (fd < ft->ft_low)
		ft->ft_low = fd;
	return fp;
}

/* Close every descriptor in [fd, last] that is set in `which` (used or close-on-exec). */
static void
fdtable_close_some(struct fdtable *ft, struct proc *p, uint32_t fd, uint32_t last, bool only_cloexec)
{
	struct file *fp;

	token_get(&ft->ft_tok);
	for (;;) {
		fd = bit_find(only_cloexec ? ft->ft_cloexec : ft->ft_used, ft->ft_size, fd, true);
		if (fd >= ft->ft_size || fd > last)
			break;
		fp = fd_take(ft, fd);
		token_release(&ft->ft_tok);
		fd_let_go(ft, fp, p);
		lwkt_poll();
		token_get(&ft->ft_tok);
	}
	token_release(&ft->ft_tok);
}

static void
fdtable_drop(struct fdtable *ft)
{
	if (atomic_fetch_sub(&ft->ft_refs, 1) != 1)
		return;
	if (ft->ft_file != ft->ft_file0)
		kfree(ft->ft_file);
	kfree(ft);
}

/* p has it no longer. */
static void
fdtable_leave(struct fdtable *ft, struct proc *p)
{
	if (atomic_fetch_sub(&ft->ft_users, 1) == 1)
		fdtable_close_some(ft, p, 0, UINT32_MAX, false);
	fdtable_drop(ft);
}

struct fdtable *
fdtable_current(void)
{
	return curlwp->l_fdt != NULL ? curlwp->l_fdt : curproc->p_fdt;
}

static uint32_t
fd_limit(void)
{
	return (uint32_t)rt_min(curproc->p_rlimit[LIMIT_NOFILE][0], FD_LIMIT);
}

int
fd_get(int fd, struct file **out)
{
	struct fdtable *ft = fdtable_current();
	struct file *fp = NULL;

	if (fd < 0 || ft == NULL)
		return EBADF;
	token_get(&ft->ft_tok);
	if ((uint32_t)fd < ft->ft_size && (fp = ft->ft_file[fd]) != NULL)
		file_hold(fp);
	token_release(&ft->ft_tok);
	if (fp == NULL)
		return EBADF;
	*out = fp;
	return 0;
}

int
fd_get_io(int fd, struct file **out)
{
	int error = fd_get(fd, out);

	if (error != 0 || (atomic_load(&(*out)->f_flags) & O_PATH) == 0)
		return error;
	file_drop(*out);
	return EBADF;
}

/* The lowest free slot from `min` on gets fp.  The token is held, and may be lost meanwhile. */
static int
fd_place(struct fdtable *ft, struct file *fp, bool cloexec, uint32_t min, int *out)
{
	uint32_t fd, limit = fd_limit();
	int error;

	for (;;) {
		fd = bit_find(ft->ft_used, ft->ft_size, (uint32_t)rt_max(min, ft->ft_low), false);
		fd = (uint32_t)rt_max(fd, min);
		if (fd >= limit)
			return EMFILE;
		if (fd < ft->ft_size)
			break;
		if ((error = fdtable_grow(ft, fd + 1)) != 0)
			return error;
	}
	ASSERT(ft->ft_file[fd] == NULL);
	ft->ft_file[fd] = fp;
	bit_set(ft->ft_used, fd);
	if (cloexec)
		bit_set(ft->ft_cloexec, fd);
	if (min <= ft->ft_low)
		ft->ft_low = fd + 1;
	*out = (int)fd;
	return 0;
}

int
fd_room(void)
{
	struct fdtable *ft = fdtable_current();
	uint32_t fd = 0;

	if (ft != NULL) {
		token_get(&ft->ft_tok);
		fd = bit_find(ft->ft_used, ft->ft_size, ft->ft_low, false);
		token_release(&ft->ft_tok);
	}
	return fd < fd_limit() ? 0 : EMFILE;
}

int
fd_install(struct file *fp, bool cloexec, int min, int *fd)
{
	struct fdtable *ft;
	int error;

	ASSERT(min >= 0);
	if (fdtable_current() == NULL && (error = fdtable_create(&curproc->p_fdt)) != 0) {
		file_drop(fp);
		return error;
	}
	ft = fdtable_current();
	token_get(&ft->ft_tok);
	error = fd_place(ft, fp, cloexec, (uint32_t)min, fd);
	token_release(&ft->ft_tok);
	if (error != 0)
		file_drop(fp);
	return error;
}

int
fd_set(int fd, struct file *fp, bool cloexec)
{
	struct fdtable *ft;
	struct file *old;
	int error;

	if (fd < 0 || (uint32_t)fd >= fd_limit()) {
		file_drop(fp);
		return EBADF;
	}
	if (fdtable_current() == NULL && (error = fdtable_create(&curproc->p_fdt)) != 0) {
		file_drop(fp);
		return error;
	}
	ft = fdtable_current();
	token_get(&ft->ft_tok);
	if ((error = fdtable_grow(ft, (uint32_t)fd + 1)) != 0) {
		token_release(&ft->ft_tok);
		file_drop(fp);
		return error;
	}
	old = fd_take(ft, (uint32_t)fd);
	ft->ft_file[fd] = fp;
	bit_set(ft->ft_used, (uint32_t)fd);
	if (cloexec)
		bit_set(ft->ft_cloexec, (uint32_t)fd);
	if (ft->ft_low == (uint32_t)fd)
		ft->ft_low++;
	token_release(&ft->ft_tok);
	if (old != NULL)
		fd_let_go(ft, old, curproc);
	return 0;
}

int
fd_close(int fd)
{
	struct fdtable *ft = fdtable_current();
	struct file *fp;

	if (fd < 0 || ft == NULL)
		return EBADF;
	token_get(&ft->ft_tok);
	fp = fd_take(ft, (uint32_t)fd);
	token_release(&ft->ft_tok);
	if (fp == NULL)
		return EBADF;
	fd_let_go(ft, fp, curproc);
	return 0;
}

int
fd_dup(int fd, int min, bool cloexec, int *out)
{
	struct file *fp;
	int error;

	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if (min < 0 || (uint32_t)min >= fd_limit()) {
		file_drop(fp);
		return EINVAL;
	}
	return fd_install(fp, cloexec, min, out);
}

int
fd_cloexec_get(int fd, bool *on)
{
	struct fdtable *ft = fdtable_current();
	bool used;

	if (fd < 0 || ft == NULL)
		return EBADF;
	token_get(&ft->ft_tok);
	used = (uint32_t)fd < ft->ft_size && ft->ft_file[fd] != NULL;
	*on = used && bit_get(ft->ft_cloexec, (uint32_t)fd);
	token_release(&ft->ft_tok);
	return used ? 0 : EBADF;
}

int
fd_cloexec_set(int fd, bool on)
{
	struct fdtable *ft = fdtable_current();
	bool used;

	if (fd < 0 || ft == NULL)
		return EBADF;
	token_get(&ft->ft_tok);
	used = (uint32_t)fd < ft->ft_size && ft->ft_file[fd] != NULL;
	if (used && on)
		bit_set(ft->ft_cloexec, (uint32_t)fd);
	else if (used)
		bit_clear(ft->ft_cloexec, (uint32_t)fd);
	token_release(&ft->ft_tok);
	return used ? 0 : EBADF;
}

int
fd_close_range(uint32_t first, uint32_t last, bool only_cloexec)
{
	struct fdtable *ft = fdtable_current();
	uint32_t fd;

	ASSERT(first <= last);
	if (ft == NULL)
		return 0;
	if (!only_cloexec) {
		fdtable_close_some(ft, curproc, first, last, false);
		return 0;
	}
	token_get(&ft->ft_tok);
	for (fd = bit_find(ft->ft_used, ft->ft_size, first, true); fd < ft->ft_size && fd <= last;
	    fd = bit_find(ft->ft_used, ft->ft_size, fd + 1, true))
		bit_set(ft->ft_cloexec, fd);
	token_release(&ft->ft_tok);
	return 0;
}

uint32_t
fdtable_size(void)
{
	struct fdtable *ft = fdtable_current();

	return ft != NULL ? ft->ft_size : 0;	/* only grows */
}

/* Gives up the table that it had; takes over the reference. */
static void
process_table_set(struct proc *p, struct fdtable *ft)
{
	struct fdtable *old = p->p_fdt;

	token_get(&p->p_tok);
	p->p_fdt = ft;
	token_release(&p->p_tok);
	if (old != NULL)
		fdtable_leave(old, p);
}

int
fdtable_unshare(void)
{
	struct fdtable *ft = fdtable_current(), *copy;
	bool threads = atomic_load(&curproc->p_nlwps) > 1;
	int error;

	if (ft == NULL || (atomic_load(&ft->ft_users) == 1 && (ft == curlwp->l_fdt || !threads)))
		return 0;
	if ((error = fdtable_copy(ft, &copy)) != 0)
		return error;
	if (curlwp->l_fdt != NULL) {
		fdtable_leave(ft, curproc);
		curlwp->l_fdt = copy;
	} else if (threads) {
		curlwp->l_fdt = copy;
	} else {
		process_table_set(curproc, copy);
	}
	return 0;
}

/* Another process's table, held; NULL: it has none (any more). */
static struct fdtable *
fdtable_of(struct proc *p)
{
	struct fdtable *ft;

	token_get(&p->p_tok);
	ft = p->p_fdt;
	if (ft != NULL)
		atomic_fetch_add(&ft->ft_refs, 1);
	token_release(&p->p_tok);
	return ft;
}

int
fd_get_of(struct proc *p, int fd, struct file **out)
{
	struct fdtable *ft = fdtable_of(p);
	struct file *fp = NULL;

	if (ft == NULL)
		return ENOENT;
	token_get(&ft->ft_tok);
	if (fd >= 0 && (uint32_t)fd < ft->ft_size && (fp = ft->ft_file[fd]) != NULL)
		file_hold(fp);
	token_release(&ft->ft_tok);
	fdtable_drop(ft);
	if (fp == NULL)
		return ENOENT;
	*out = fp;
	return 0;
}

int
fd_next_of(struct proc *p, int fd)
{
	struct fdtable *ft = fdtable_of(p);
	uint32_t next, size;

	if (ft == NULL)
		return -1;
	token_get(&ft->ft_tok);
	size = ft->ft_size;
	next = bit_find(ft->ft_used, size, fd < 0 ? 0 : (uint32_t)fd, true);
	token_release(&ft->ft_tok);
	fdtable_drop(ft);
	return next < size ? (int)next : -1;
}

/* One user more. */
static struct fdtable *
fdtable_join(struct fdtable *ft)
{
	atomic_fetch_add(&ft->ft_refs, 1);
	atomic_fetch_add(&ft->ft_users, 1);
	return ft;
}

static int
file_fork(struct proc *parent, struct proc *child, uint64_t clone_flags)
{
	struct fdtable *ft = parent == NULL ? NULL : parent == curproc ? fdtable_current() : parent->p_fdt;

	if (ft == NULL)
		return fdtable_create(&child->p_fdt);
	if ((clone_flags & CLONE_FILES) == 0)
		return fdtable_copy(ft, &child->p_fdt);
	child->p_fdt = fdtable_join(ft);
	return 0;
}

static int
file_lwp_fork(struct lwp *from, struct lwp *l, uint64_t clone_flags)
{
	int error = 0;

	if ((clone_flags & CLONE_FILES) == 0)
		error = fdtable_copy(fdtable_current(), &l->l_fdt);
	else if (from->l_fdt != NULL)
		l->l_fdt = fdtable_join(from->l_fdt);
	if (error == 0 && (error = fsctx_lwp_fork(from, l, clone_flags)) != 0 && l->l_fdt != NULL) {
		fdtable_leave(l->l_fdt, l->l_proc);
		l->l_fdt = NULL;
	}
	return error;
}

static void
file_lwp_exit(struct lwp *l)
{
	struct fdtable *ft = l->l_fdt;

	l->l_fdt = NULL;
	if (ft == NULL)
		return;
	if (atomic_load(&l->l_proc->p_nlwps) == 1)
		process_table_set(l->l_proc, ft);
	else
		fdtable_leave(ft, l->l_proc);
}

/* The new program has a table of its own.  Without memory for it the process cannot go on: it is past the point of return. */
static void
file_exec(struct proc *p)
{
	if (fdtable_unshare() != 0)
		sig_force(curlwp, SIGKILL, NULL);
	else if (p->p_fdt != NULL)
		fdtable_close_some(p->p_fdt, p, 0, UINT32_MAX, true);
}

static void
file_exit(struct proc *p)
{
	struct fdtable *ft;

	token_get(&p->p_tok);
	ft = p->p_fdt;
	p->p_fdt = NULL;
	token_release(&p->p_tok);
	if (ft != NULL)
		fdtable_leave(ft, p);
}

static struct proc_hooks file_hooks = {
	.ph_fork = file_fork,
	.ph_exec = file_exec,
	.ph_exit = file_exit,
	.ph_lwp_fork = file_lwp_fork,
	.ph_lwp_exit = file_lwp_exit,
};

void
file_init(void)
{
	lockf_init();
	signalfd_init();
	inotify_init();
	timerfd_init();
	pidfd_init();
	file_limit_init();
	epoll_init();
	proc_add_hooks(&file_hooks);
}
