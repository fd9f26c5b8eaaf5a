/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfs/name - paths resolve in a tree of cached names (DragonFly's namecache).
 *
 * A struct ncp is one name below its parent, positive (it has a vnode) or
 * negative (known not to exist).  A mount is a property of names: a name may
 * be covered by the root name of a mount.  A process's cwd and root are
 * names, so getcwd() and ".." need no help from a filesystem.
 */
#pragma once
#include <sys/lwkt/spin.h>
#include <sys/vfs/vnode.h>

struct ncp {
	/* [atomic] 0 only while hashed, changed to and from 0 under the bucket's spin */
	_Atomic uint32_t n_refs;
	_Atomic uint32_t n_flags;	/* [bucket to change] NCF_* */
	struct ncp	*n_parent;	/* [bucket] held; NULL: root of a mount, or nameless */
	/* [parent's v_lk + bucket, either to read] held; NULL: negative */
	struct vnode	*_Atomic n_vnode;
	struct mount	*n_mount;	/* const, held: the mount this name belongs to */
	/* const, held: below a bind mount, the name this one stands for; NULL: itself */
	struct ncp	*n_real;
	/* [bucket + mount list] mount whose root stands in for this name */
	struct mount	*_Atomic n_covered;
	struct ncp	*n_next;	/* [bucket] */
	struct list	n_sibling;	/* [parent's n_spin] */
	struct list	n_children;	/* [n_spin] hashed names below this one */
	struct spin	n_spin;		/* after a bucket's spin */
	_Atomic uint32_t n_hash;	/* [bucket to change] of parent and name: tells the bucket */
	_Atomic nsec_t	n_until;	/* [atomic] FS_EXPIRES: how long it counts */
	uint16_t	n_len;		/* [parent's v_lk + bucket, either to read] */
	char		*n_name;	/* [parent's v_lk + bucket] n_short, or kmalloc'ed */
	char		n_short[40];	/* [as n_name] */
};
#define NCF_HASHED	1u	/* can be found by lookups */
#define NCF_DELETED	2u	/* was removed while somebody held it */
#define NCF_RECENT	4u	/* found since the clock hand passed */

void	ncp_hold(struct ncp *n);
void	ncp_drop(struct ncp *n);

/* A process's place in the tree, or a thread's that has one of its own (l_fs). */
struct fsctx {
	_Atomic uint32_t fc_refs;
	struct spin	fc_spin;
	struct ncp	*fc_cwd, *fc_root;	/* [fc_spin] held */
	struct ncp	*fc_top;	/* const, held: no path leads above it, a jail's; NULL: none */
	uint32_t	fc_umask;		/* [fc_spin] */
};
struct fsctx *fsctx_current(void);

#define NAME_MAX_	255
#define PATH_MAX_	4096
#define SYMLINKS_MAX	40

#define LOOK_FOLLOW	(1u << 0)	/* follow a symlink in the last component */
#define LOOK_PARENT	(1u << 1)	/* stop before the last component: for creating and removing */
#define LOOK_DIR	(1u << 2)	/* ENOTDIR unless a directory */
#define LOOK_EMPTY	(1u << 3)	/* AT_EMPTY_PATH: "" means `start` itself */
/* Restrictions, as RESOLVE_* of openat2; for name_lookup_in() and name_open_in() */
#define LOOK_NO_XDEV	(1u << 4)	/* stay on one mount: EXDEV */
#define LOOK_NO_MAGIC	(1u << 5)	/* no links without a text (/proc/PID/fd/N): ELOOP */
#define LOOK_NO_LINKS	(1u << 6)	/* no links at all: ELOOP */
#define LOOK_BENEATH	(1u << 7)	/* not above where it begins, not even to come back: EXDEV */
#define LOOK_IN_ROOT	(1u << 8)	/* where it begins is the root */
#define LOOK_CACHED	(1u << 9)	/* only what the cache of names can answer: EAGAIN */

struct lookup {
	struct ncp	*lu_ncp;	/* the name, held; with LOOK_PARENT the directory's */
	/* LOOK_PARENT: last component, "" for "/", may be "." or ".." */
	char		lu_last[NAME_MAX_ + 1];
	uint32_t	lu_last_len;
	bool		lu_trailing;	/* path ended in a slash */
};
/*
 * start: where a relative path begins (held by the caller); NULL: cwd.
 * On success lu_ncp is positive, except with LOOK_PARENT.
 * ENOENT when it begins or ends above the context's top.
 */
int	name_lookup(struct ncp *start, const char *path, uint32_t flags, struct lookup *out);
/* The same with another root (NULL: the process's), for restricted lookups. */
int	name_lookup_in(struct ncp *root, struct ncp *start, const char *path, uint32_t flags,
	    struct lookup *out);
void	lookup_done(struct lookup *lu);
/* One component below a directory, `dir`'s vnode lock not held: positive or ENOENT. */
int	name_child(struct ncp *dir, const char *name, size_t len, struct ncp **out);
/* The same, but what is mounted there does not show. */
int	name_child_below(struct ncp *dir, const char *name, size_t len, struct ncp **out);
bool	name_is_dots(const char *name, size_t len);	/* "", "." or ".." */
/* Text of a name as seen from `root`; ENAMETOOLONG; *unreachable when not below it. */
int	name_path(struct ncp *n, struct ncp *root, char *buf, size_t size, bool *unreachable);

/* Open for kernel callers and sys_open alike.  flags O_*; returns a held name. */
int	name_open(struct ncp *start, const char *path, uint32_t flags, uint32_t mode, struct ncp **out);
/*
 * The same with restrictions: `look` is LOOK_NO_XDEV .. LOOK_IN_ROOT.  O_TRUNC is taken from flags
 * if the file was made.
 */
int	name_open_in(struct ncp *start, const char *path, uint32_t *flags, uint32_t mode, uint32_t look,
	    struct ncp **out);

/*
 * Changing a directory: `dir` held, one component.  Permissions, read-only mounts and
 * error order as Linux.  `slash`: the path ended in one.  out may be NULL.
 */
int	name_create(struct ncp *dir, const char *name, size_t len, bool slash, enum v_type type,
	    uint32_t mode,
	    uint64_t rdev, struct ncp **out);
int	name_symlink(struct ncp *dir, const char *name, size_t len, bool slash, const char *target);
int	name_link(struct ncp *dir, const char *name, size_t len, bool slash, struct ncp *target);
int	name_remove(struct ncp *dir, const char *name, size_t len, bool slash, bool directory);
int	name_rename(const struct lookup *from, const struct lookup *to, uint32_t flags);
/* A name outside the tree, for what has lost its own: shown as `text`.  Takes its own reference on vn. */
int	name_orphan(struct vnode *vn, const char *text, struct ncp **out);
int	name_orphan_in(struct ncp *dir, struct vnode *vn, const char *text, struct ncp **out);
/* setattr with Linux's rules: owner, capabilities, set-id bits, read-only mounts. */
int	name_setattr(struct ncp *n, struct vattr *va);
#define VA_TIME_NOW	(1u << 8)	/* atime and mtime: needs only write permission */
int	name_access(struct ncp *n, uint32_t want, const struct cred *cr);	/* EROFS, EACCES */
struct ncp *ncp_parent(struct ncp *n);		/* held; across mounts; NULL at the top */
bool	ncp_is_deleted(struct ncp *n);
void	ncp_trim(uint32_t n);			/* memory is short: forget up to n names */
struct ncache_stats { uint64_t names, bound; };
void	ncache_stats(struct ncache_stats *out);

struct fsctx *fsctx_create(struct fsctx *like);	/* NULL: no memory */
/* its cwd, root and top are dir; NULL: no memory */
struct fsctx *fsctx_jail(struct fsctx *like, struct ncp *dir);
void	fsctx_drop(struct fsctx *fc);
void	fsctx_get(struct fsctx *fc, struct ncp **cwd, struct ncp **root);	/* held; either may be NULL */
struct proc;
/* Of thread tid, if it is there, else of its process: held; NULL: that has ended. */
struct fsctx *fsctx_of(struct proc *p, int32_t tid);
struct fsctx *fsctx_own_of(struct proc *p, uint32_t i);	/* the i-th that a thread has for itself; or NULL */
/* The current thread gets its own copy; ENOMEM. */
int	fsctx_unshare(void);
void	fsctx_replace(struct fsctx *fc);	/* of the current process, of one thread; takes it over */
struct lwp;
int	fsctx_lwp_fork(struct lwp *from, struct lwp *l, uint64_t clone_flags);	/* for the file layer's hook */

/* Mounting. */
int	vfs_mount(const char *fstype, const char *source, struct ncp *on, uint32_t flags,
	    const char *options);
int	vfs_unmount(struct ncp *root_of_mount, uint32_t flags);
/* MS_REC: EINVAL when mounts would be left out */
int	vfs_bind(struct ncp *from, struct ncp *on, uint32_t flags);
int	vfs_move(struct ncp *root_of_mount, struct ncp *on);
int	vfs_remount(struct ncp *root_of_mount, uint32_t flags);
int	vfs_pivot(struct ncp *new_root, struct ncp *put_old, struct ncp **old_root);	/* old_root: held */
void	vfs_mount_foreach(void (*fn)(struct mount *mp, void *arg), void *arg);	/* fn may sleep, not mount */
struct mount *vfs_hidden_mount(void);	/* a tmpfs that is mounted nowhere */
/* One more of that kind, until: names below its mp_ncp can be used. */
int	vfs_mount_hidden(const char *fstype, struct mount **out);
void	vfs_unmount_hidden(struct mount *mp);	/* it goes when nobody uses it any more */
struct ncp *vfs_root(void);		/* the first mount's root */
/* at boot, on a directory of the root, made if need be */
int	vfs_mount_boot(const char *fstype, const char *name);
/* at boot: file-request devices, each where it wants to be; *which: the one that could not */
int	vfs_mount_devices(const char **which);
int	vfs_init(void);			/* kmain: root mounted, devfs, procfs registered */
int	initramfs_unpack(paddr_t pa, uint64_t bytes);	/* into the root; EINVAL: corrupt (says where) */

/* Devices: a character device number gets a constructor for open files. */
int	devfs_add(const char *name, uint32_t mode, uint64_t rdev, int (*open)(struct vnode *vn,
	    struct file *fp));
/* Block devices: one constructor for all of them, and the nodes, by name in /dev. */
void	devfs_set_block(int (*open)(struct vnode *vn, struct file *fp));
int	devfs_add_block(const char *name, uint32_t mode, uint64_t rdev);
void	devfs_remove_block(const char *name, uint64_t rdev);
#define MKDEV(maj, min) \
	(((uint64_t)((maj) & 0xfff) << 8) | ((min) & 0xff) | ((uint64_t)((min) & ~0xffu) << 12))
