/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file - open file descriptions and the tables that name them.
 *
 * A descriptor is not a description: several descriptors, in several
 * processes, may name one struct file.
 */
#pragma once
#include <sys/file/poll.h>
#include <sys/lwkt/lock.h>
#include <sys/vm/uio.h>

struct async;
struct asynchead;
struct file;
struct ncp;
struct vmobj;
struct vnode;
struct k_stat;
struct proc;

struct file_ops {
	int	(*fo_read)(struct file *fp, struct uio *u);	/* u_off used and advanced; EINVAL default */
	int	(*fo_write)(struct file *fp, struct uio *u);
	uint32_t (*fo_poll)(struct file *fp, struct pollnote *note);	/* POLL* now; note (may be NULL) is queued */
	int	(*fo_ioctl)(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result);	/* ENOTTY */
	int	(*fo_stat)(struct file *fp, struct k_stat *st);
	int	(*fo_seek)(struct file *fp, int64_t off, int whence, uint64_t *result);	/* default ESPIPE */
	int	(*fo_truncate)(struct file *fp, uint64_t size);
	int	(*fo_sync)(struct file *fp);			/* NULL: as its vnode says */
	void	(*fo_close)(struct file *fp);			/* last reference */
	int	(*fo_mmap)(struct file *fp, struct vmobj **obj, uint64_t *off);	/* ENODEV; not held: lives as long as fp; NULL: zeros */
	struct asynchead *(*fo_async)(struct file *fp);	/* NULL: it knows no O_ASYNC */
	void	(*fo_flush)(struct file *fp, struct proc *p);	/* a descriptor of p was closed */
	const char *fo_name;		/* in /proc/PID/fd: anon_inode:NAME; NULL: as fo_stat says */
};
struct file {
	_Atomic uint32_t f_refs;
	const struct file_ops *f_ops;	/* const after open */
	_Atomic uint32_t f_flags;	/* [atomic] O_* status flags and access mode */
	struct lk	f_lk;		/* serialises use of f_off */
	_Atomic uint64_t f_off;		/* [f_lk to change] when fo_seek is there; else the type's */
	struct vnode	*f_vnode;	/* const, held; NULL for pipes and such */
	struct ncp	*f_ncp;		/* const, held; NULL: nameless */
	void		*f_data;	/* const after open: the type's */
	struct cred	*f_cred;	/* const, held: of the opener */
	uint64_t	f_id;		/* const: born-here sequence number */
	struct async	*_Atomic f_async; /* [atomic] set once: async.c; NULL: no owner, no O_ASYNC */
	struct spin	f_watch_spin;
	struct list	f_watch;	/* [f_watch_spin] epoll items */
	_Atomic bool	f_watched;	/* [f_watch_spin to change] there was one, ever */
	_Atomic uint64_t f_quiet;	/* [atomic] notify_changes when nobody wanted its events */
};
/* FMODE: (f_flags & O_ACCMODE) + 1 has bit 0 read, bit 1 write; O_PATH has both bits set: neither. */
#define file_can_read(fp)	((((fp)->f_flags & 3u) + 1) & 1u)
#define file_can_write(fp)	((((fp)->f_flags & 3u) + 1) & 2u)

int	file_create(const struct file_ops *ops, uint32_t flags, void *data, struct file **out);
/*
 * Open vnode by name: permissions were checked by name_open().  Takes its own
 * references; does ETXTBSY, O_TRUNC, vop_open and the open rules of FIFOs.
 */
int	file_open_name(struct ncp *n, uint32_t flags, struct file **out);
void	file_hold(struct file *fp);
void	file_drop(struct file *fp);
extern const struct file_ops vnode_file_ops;

/*
 * Operations with mode checks and defaults applied.  The plain ones use and
 * advance f_off; pread and pwrite take u_off as it is (ESPIPE without positions).
 * An error after some bytes were moved is returned too: u_resid tells.
 */
int	file_read(struct file *fp, struct uio *u);
int	file_write(struct file *fp, struct uio *u);
int	file_pread(struct file *fp, struct uio *u);
int	file_pwrite(struct file *fp, struct uio *u);
int	file_seek(struct file *fp, int64_t off, int whence, uint64_t *result);
int	file_stat(struct file *fp, struct k_stat *st);
uint32_t file_poll(struct file *fp, struct pollnote *note);
/* Something was done with it: an IN_* event for those who watch (vfs/notify.h). */
void	file_notify(struct file *fp, uint32_t event);
#define SEEK_SET	0
#define SEEK_CUR	1
#define SEEK_END	2
#define SEEK_DATA	3
#define SEEK_HOLE	4
/* A signal to the current thread, as if it had sent it itself: SIGPIPE, SIGXFSZ. */
void	file_signal(int sig);

int	pipe_create(uint32_t flags, struct file **rd, struct file **wr);	/* O_NONBLOCK, O_DIRECT */
int	fifo_open(struct vnode *vn, struct file *fp);		/* may sleep for the other side; EINTR, ENXIO */
/*
 * splice, tee: between two files of which at least one is a pipe, or two different pipes.
 * Positions may be NULL: the file's own.  *done is what was moved, also before an error.
 * EINVAL: not such files.  ERESTARTSYS.
 */
int	file_splice(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t len,
	    bool nonblock, uint64_t *done);
int	file_tee(struct file *in, struct file *out, uint64_t len, bool nonblock, uint64_t *done);
/* vmsplice: as reading or writing a pipe, but what there is, or has room.  EBADF: not a pipe. */
int	file_vmsplice(struct file *fp, struct uio *u, bool nonblock);
bool	file_is_pipe(struct file *fp);
int	pipe_size(struct file *fp, uint32_t *bytes);		/* EBADF: not a pipe */
int	pipe_set_size(struct file *fp, uint64_t bytes, uint32_t *now);


struct fdtable;
int	fdtable_create(struct fdtable **out);
/* Of the current process. */
int	fd_get(int fd, struct file **out);			/* held; EBADF */
int	fd_get_io(int fd, struct file **out);			/* the same; EBADF for O_PATH, too */
int	fd_room(void);						/* EMFILE: no descriptor is free, at this moment */
int	fd_install(struct file *fp, bool cloexec, int min, int *fd);	/* takes over the reference; EMFILE */
int	fd_set(int fd, struct file *fp, bool cloexec);		/* dup2: replaces */
int	fd_close(int fd);
int	fd_dup(int fd, int min, bool cloexec, int *out);
int	fd_cloexec_get(int fd, bool *on);
int	fd_cloexec_set(int fd, bool on);
int	fd_close_range(uint32_t first, uint32_t last, bool only_cloexec);	/* or mark close-on-exec */
uint32_t fdtable_size(void);				/* no open descriptor is >= this */
int	fdtable_unshare(void);				/* the current thread gets its own copy */
struct fdtable *fdtable_current(void);			/* of the current thread; NULL: it has none */
/* For /proc/PID/fd: held; ENOENT.  next: smallest open descriptor >= fd, -1. */
int	fd_get_of(struct proc *p, int fd, struct file **out);
int	fd_next_of(struct proc *p, int fd);
void	file_init(void);		/* kmain: hooks into process life; no memory is needed */
void	file_limit_init(void);		/* file_init's: how many files there may be */
