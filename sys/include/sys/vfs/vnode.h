/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfs/vnode - a file, as a filesystem offers it.
 *
 * Paths resolve in a tree of cached names above the filesystems (vfs/name.h),
 * so no operation here takes a path: directory operations take the directory
 * vnode and one component.  Operations are a table; what a filesystem leaves
 * NULL gets the default named beside it.
 *
 * Locking: the caller holds the directory's v_lk exclusively for operations
 * that change its entries (create .. rename), shared for lookup and readdir.
 * read and write lock for themselves, by v_range (range.c has the rules); a page
 * fault never takes a lock of this layer.
 */
#pragma once
#include <abi/stat.h>
#include <sys/lwkt/lock.h>
#include <sys/vfs/range.h>
#include <sys/vm/object.h>
#include <sys/vm/uio.h>

struct cred;
struct mount;
struct ncp;
struct vnode;
struct file;
struct pollnote;

enum v_type { VREG = 1, VDIR, VLNK, VCHR, VBLK, VFIFO, VSOCK };

/* Which attributes setattr changes. */
#define VA_MODE		(1u << 0)
#define VA_UID		(1u << 1)
#define VA_GID		(1u << 2)
#define VA_SIZE		(1u << 3)
#define VA_ATIME	(1u << 4)
#define VA_MTIME	(1u << 5)
#define VA_CTIME	(1u << 6)
struct vattr {
	uint32_t	va_mask;	/* setattr only */
	uint32_t	va_mode;	/* permission bits, without the type */
	uint32_t	va_uid, va_gid;
	uint32_t	va_nlink;
	uint64_t	va_ino, va_size, va_blocks512;
	uint64_t	va_rdev;
	nsec_t		va_atime, va_mtime, va_ctime, va_btime;	/* wall; signed */
	uint32_t	va_blksize;
};

/*
 * readdir calls this per entry; false: no room, the entry was not taken.  `next`: the cookie after it.
 * Where there are entries it is called, but not for all that there are: at the end it is not called.
 */
typedef bool (*dir_emit_fn)(void *arg, const char *name, size_t len, uint64_t ino, enum v_type type,
    uint64_t next);

/* Before each operation stands what one that is left NULL does. */
struct vnode_ops {
	/* ENOTDIR; a name that is not there is ENOENT */
	int	(*vop_lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **out);
	/* EPERM; any type but VLNK; name NULL: without a name (O_TMPFILE), and len 0: it shall never get one */
	int	(*vop_create)(struct vnode *dir, const char *name, size_t len, enum v_type type,
		    uint32_t mode, uint64_t rdev, const struct cred *cr, struct vnode **out);
	/* EPERM */
	int	(*vop_symlink)(struct vnode *dir, const char *name, size_t len, const char *target,
		    const struct cred *cr, struct vnode **out);
	/* EPERM */
	int	(*vop_link)(struct vnode *dir, const char *name, size_t len, struct vnode *target);
	/* EPERM */
	int	(*vop_unlink)(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
	/* EPERM; v_lk of the victim is held, too; ENOTEMPTY */
	int	(*vop_rmdir)(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
	/* EPERM; both directories locked; to_victim NULL or the vnode to replace; flags RENAME_EXCHANGE */
	int	(*vop_rename)(struct vnode *from, const char *fname, size_t flen, struct vnode *vn,
		    struct vnode *to, const char *tname, size_t tlen, struct vnode *to_victim,
		    uint32_t flags);
	/* ENOTDIR */
	int	(*vop_readdir)(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg);
	/* EINVAL */
	int	(*vop_readlink)(struct vnode *vn, char *buf, size_t size, size_t *len);
	/* The text is followed.  A link that leads to a name without it (/proc/PID/fd/N): held.  ENOENT */
	int	(*vop_jump)(struct vnode *vn, struct ncp **out);
	/* EIO */
	int	(*vop_getattr)(struct vnode *vn, struct vattr *out);
	/* EPERM */
	int	(*vop_setattr)(struct vnode *vn, const struct vattr *va);
	/* What the mode bits say; want: R 4 W 2 X 1 */
	int	(*vop_access)(struct vnode *vn, uint32_t want, const struct cred *cr);
	/* EINVAL, EISDIR */
	int	(*vop_read)(struct vnode *vn, struct uio *u, uint32_t ioflag);
	int	(*vop_write)(struct vnode *vn, struct uio *u, uint32_t ioflag);
	/* Success.  A regular file is about to be opened for writing; `truncate`: what is in it will go */
	int	(*vop_will_write)(struct vnode *vn, bool truncate);
	/* Nothing; for devices dev_open() */
	int	(*vop_open)(struct vnode *vn, struct file *fp);
	/* ENOTTY */
	int	(*vop_ioctl)(struct vnode *vn, uint32_t cmd, uaddr_t arg);
	/* Always ready */
	uint32_t (*vop_poll)(struct vnode *vn, struct pollnote *note);
	/* EOPNOTSUPP */
	int	(*vop_allocate)(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len);
	/* By v_obj; off is less than the size.  ENXIO: no data from there on */
	int	(*vop_seek)(struct vnode *vn, uint64_t off, bool data, uint64_t *result);
	/* EINVAL; F_SEAL_* to add (NULL: only ask); *now: those there are */
	int	(*vop_seal)(struct vnode *vn, const uint32_t *add, uint32_t *now);
	/*
	 * Extended attributes: EOPNOTSUPP; ENODATA.  Of get and list, *len is the length; ERANGE where
	 * that is more than size, unless size is 0.  A value of NULL takes it away; flags XATTR_*.
	 * list: the names, each with its NUL; trusted ones if asked for.
	 */
	int	(*vop_getxattr)(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len);
	int	(*vop_setxattr)(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags);
	int	(*vop_listxattr)(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len);
	/* Success */
	int	(*vop_fsync)(struct vnode *vn);
	/* Last reference: the filesystem frees its node when nlink is 0 or forgets it */
	void	(*vop_inactive)(struct vnode *vn);
};
int	dev_open(struct vnode *vn, struct file *fp);	/* by v_rdev: ENXIO when nobody registered it */
#define IO_APPEND	1u
#define IO_NONBLOCK	2u
#define IO_DIRECT	4u
#define IO_NOATIME	8u

#define VNODE_WATCHED	(1u << 31)	/* of v_refs: the references of all watches, see node/notify.c */
struct vnode {
	_Atomic uint32_t v_refs;
	enum v_type	v_type;		/* const */
	const struct vnode_ops *v_ops;	/* const */
	struct mount	*v_mount;	/* const, held */
	void		*v_data;	/* const: the filesystem's node */
	/* contents of a regular file, or NULL; may change once, and what it was stays as long as the vnode */
	struct vmobj	*_Atomic v_obj;
	struct lk	v_lk;		/* a directory's entries; before any v_range */
	struct range_lock v_range;	/* a regular file's bytes and size */
	uint64_t	v_rdev;		/* const: VCHR, VBLK */
	_Atomic uint32_t v_writers;	/* [atomic] open for writing: ETXTBSY */
	_Atomic uint32_t v_execs;	/* [atomic] mapped as a running program */
	_Atomic bool	v_nameless;	/* [atomic] while watched: its last name is gone */
	void		*v_fifo;	/* [file layer] */
	uint64_t	v_id;		/* const: born-here sequence number */
	struct vnode	*v_needs;	/* const once set: held, let go when this one is gone */
};
int	vnode_create(struct mount *mp, enum v_type type, const struct vnode_ops *ops, void *data,
	    struct vnode **out);
void	vnode_hold(struct vnode *vn);
/* false: its last reference is gone; the caller keeps its memory alive */
bool	vnode_try_hold(struct vnode *vn);
void	vnode_drop(struct vnode *vn);

/* Operations with defaults applied. */
int	vn_getattr(struct vnode *vn, struct vattr *out);
int	vn_setattr(struct vnode *vn, const struct vattr *va);
int	vn_access(struct vnode *vn, uint32_t want, const struct cred *cr);
int	vn_read(struct vnode *vn, struct uio *u, uint32_t ioflag);
/* RLIMIT_FSIZE is the caller's business */
int	vn_write(struct vnode *vn, struct uio *u, uint32_t ioflag);
int	vn_read_kernel(struct vnode *vn, void *buf, size_t len, uint64_t off, size_t *done);
int	vn_readlink(struct vnode *vn, char *buf, size_t size, size_t *len);
/* vop_open, or dev_open() for a device; may replace f_ops */
int	vn_open(struct vnode *vn, struct file *fp);
/* takes v_lk shared */
int	vn_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg);
int	vn_ioctl(struct vnode *vn, uint32_t cmd, uaddr_t arg);
uint32_t vn_poll(struct vnode *vn, struct pollnote *note);
int	vn_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len);
int	vn_seal(struct vnode *vn, const uint32_t *add, uint32_t *now);
int	vn_fsync(struct vnode *vn);
/* SEEK_DATA and SEEK_HOLE: ENXIO beyond the end. */
int	vn_seek(struct vnode *vn, uint64_t off, bool data, uint64_t *result);
/* What mode bits, owner and capabilities say: 0 or EACCES. */
int	vn_access_mode(enum v_type type, uint32_t mode, uint32_t uid, uint32_t gid, uint32_t want,
	    const struct cred *cr);
const struct cred *vfs_cred(void);		/* the current process's, or the kernel's own */
/* Until the next call vfs_cred() is `cr` for this thread; NULL: itself again.  Returns what it was. */
const struct cred *vfs_act_as(const struct cred *cr);
/* Contents in v_obj: for the read and write operations of memory filesystems.  The caller holds the range. */
int	vobj_read(struct vmobj *o, struct uio *u);
int	vobj_write(struct vmobj *o, struct uio *u);
/* [off, end) reads as zeros, whole pages in it go.  A cache's owner has seen to that already. */
int	vobj_punch(struct vmobj *o, uint64_t off, uint64_t end);
/* Everything from the smaller of `at` and the size on, exclusively. */
void	vobj_lock_size(struct vmobj *o, struct range_lock *rl, struct range *r, uint64_t at);
/* What a write needs: its bytes; all from the end on if the file gets longer, or off is UINT64_MAX. */
void	vobj_lock_write(struct vmobj *o, struct range_lock *rl, struct range *r, uint64_t off, uint64_t len);
void	vattr_to_stat(struct vnode *vn, const struct vattr *va, struct k_stat *out);

/* A filesystem. */
struct statfs_info { uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, flags; };
#define FS_NOCACHE	1u		/* names come and go by themselves: ask for each lookup */
#define FS_EXPIRES	8u		/* others change names too: one counts for NAME_VALID_NS */
#define NAME_VALID_NS	NSEC_PER_SEC
#define FS_NODEV	2u		/* needs no device: "nodev" in /proc/filesystems */
#define FS_SINGLE	4u		/* one tree: mounting again shows the same */
struct fs_ops {
	const char *fs_name;
	uint32_t fs_flags;		/* FS_* */
	int	(*fs_mount)(struct mount *mp, const char *source, const char *options);	/* sets mp_root */
	int	(*fs_unmount)(struct mount *mp);	/* nobody uses it any more */
	int	(*fs_statfs)(struct mount *mp, struct statfs_info *out);
	/* NULL: mounting makes a new one.  Else it shows this one, which lives on: mounted or hidden */
	int	(*fs_instance)(struct mount **out);
};
struct mount {
	_Atomic uint32_t mp_refs;
	const struct fs_ops *mp_ops;	/* const */
	struct vnode	*mp_root;	/* const after mount */
	void		*mp_data;	/* const: the filesystem's */
	uint64_t	mp_dev;		/* const: st_dev */
	_Atomic uint32_t mp_flags;	/* [mount list to change] MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC ... */
	/* [mount list] the name it is mounted on, held; NULL: the root, or unmounted */
	struct ncp	*mp_covers;
	/* const after mount: the name of its root; the mount holds it while mounted */
	struct ncp	*mp_ncp;
	struct lk	mp_rename_lk;	/* a rename between directories: before any v_lk of this mount */
	/* const: shows a folder of another mount, which keeps the filesystem */
	bool		mp_bind;
	_Atomic bool	mp_dead;	/* [atomic] unmounted: names go as soon as nobody holds them */
	_Atomic uint32_t mp_expires;	/* [atomic] marked: 1 and how often it was entered since */
	char		*mp_source;	/* const */
	struct list	mp_link;	/* [mount list] */
	uint32_t	mp_id;		/* const */
};
void	fs_register(const struct fs_ops *ops);		/* at boot */
void	fs_foreach(void (*fn)(const struct fs_ops *ops, void *arg), void *arg);
void	mount_hold(struct mount *mp);
void	mount_drop(struct mount *mp);
