/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of tmpfs share. */
#pragma once
#include <core/rt/rbtree.h>
#include <sys/lwkt/budget.h>
#include <sys/lwkt/spin.h>
#include <sys/vfs/vnode.h>

struct tmount {
	/* [atomic] nodes and objects alive, and 1 while mounted: 0 frees this */
	_Atomic uint64_t tm_nodes;
	struct budget	tm_pages, tm_inodes;
	struct tnode	*tm_root;	/* const */
};

struct tnode;
struct tentry {
	struct rb_node	e_byname;	/* [dir's v_lk] by hash, length, text */
	struct rb_node	e_bycookie;	/* [dir's v_lk] */
	struct tnode	*e_node;	/* [dir's v_lk] */
	/* const: grows with each entry made, so readdir never meets one twice */
	uint64_t	e_cookie;
	uint32_t	e_hash;		/* const */
	uint32_t	e_len;		/* const */
	char		e_name[];	/* const */
};

struct tnode {
	struct vnode	*t_vnode;	/* const; held by the node while t_nlink > 0 */
	struct tmount	*t_mount;	/* const, counted */
	uint64_t	t_ino;		/* const */
	struct spin	t_spin;
	_Atomic uint32_t t_mode, t_uid, t_gid;		/* [t_spin to change] */
	_Atomic uint32_t t_nlink;			/* [t_spin to change] */
	_Atomic nsec_t	t_atime, t_mtime, t_ctime;	/* [t_spin to change] */
	nsec_t		t_btime;	/* const */
	uint32_t	t_seals;	/* [v_lk] F_SEAL_*; only those of tmpfs_memfd() may be added to */
	bool		t_linkable;	/* [t_spin] made by O_TMPFILE, may get its first link */
	/* directory, all [v_lk] */
	struct rb_tree	t_names, t_cookies;
	uint64_t	t_last_cookie;
	_Atomic uint64_t t_nentries;	/* [v_lk to change] */
	struct tnode	*t_parent;	/* [v_lk of the parents, and t_spin, to change] */
	struct list	t_xattrs;	/* [v_lk] greatest name first */
	/* symbolic link, const */
	char		*t_target;
	uint32_t	t_target_len;
};

#define vn_tnode(vn)	((struct tnode *)(vn)->v_data)

extern const struct vnode_ops tmpfs_ops;
int	tnode_create(struct mount *mp, enum v_type type, uint32_t mode, uint64_t rdev, struct vnode **out);
/* nlink shrinks; at 0 the node's own reference goes */
void	tnode_unlinked(struct tnode *t, uint32_t links);
void	tnode_linked(struct tnode *t);
void	tnode_touch(struct tnode *t, uint32_t va_times);	/* VA_ATIME | VA_MTIME | VA_CTIME: now */
void	tmount_drop(struct tmount *tm);
int	tmpfs_mount(struct mount *mp, const char *source, const char *options);
int	devfs_mount(struct mount *mp, const char *source, const char *options);

/* tmpfs_dir.c */
int	tdir_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out);
int	tdir_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode,
	    uint64_t rdev,
	    const struct cred *cr, struct vnode **out);
int	tdir_symlink(struct vnode *dir, const char *name, size_t len, const char *target,
	    const struct cred *cr,
	    struct vnode **out);
int	tdir_link(struct vnode *dir, const char *name, size_t len, struct vnode *target);
int	tdir_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int	tdir_rmdir(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int	tdir_rename(struct vnode *from, const char *fname, size_t flen, struct vnode *vn, struct vnode *to,
	    const char *tname, size_t tlen, struct vnode *to_victim, uint32_t flags);
int	tdir_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg);
void	tdir_destroy(struct tnode *root);			/* unmount: everything below */
/* tmpfs_file.c */
int	tfile_read(struct vnode *vn, struct uio *u, uint32_t ioflag);
int	tfile_write(struct vnode *vn, struct uio *u, uint32_t ioflag);
int	tfile_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len);
int	tfile_resize(struct vnode *vn, uint64_t bytes);
/* tmpfs_xattr.c */
int	txattr_get(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len);
int	txattr_set(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags);
int	txattr_list(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len);
void	txattr_clear(struct tnode *t);
/* memfd.c: what seals forbid, EPERM; v_lk held. */
int	tseal_write(const struct tnode *t, uint64_t off, uint64_t *len);	/* *len may become less */
int	tseal_resize(const struct tnode *t, uint64_t bytes);
int	tmpfs_seal(struct vnode *vn, const uint32_t *add, uint32_t *now);
int	tfile_object(struct tmount *tm, struct vmobj **out);
