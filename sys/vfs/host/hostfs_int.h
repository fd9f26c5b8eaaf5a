/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of hostfs share. */
#pragma once
#include <drv/fs.h>
#include <sys/lwkt/spin.h>
#include <sys/vfs/vnode.h>

#define HASH	1024u			/* power of two */

struct hmount {
	struct fsdev	*hm_dev;	/* const */
	_Atomic uint32_t hm_refs;	/* [atomic] nodes, and 1 while mounted */
	_Atomic uint32_t hm_changes;	/* [atomic] of our own, to any node */
	struct spin	hm_spin;
	struct hnode	*hm_hash[HASH];	/* [hm_spin] by h_id */
};

struct hnode {
	struct hmount	*h_mount;	/* const, counted */
	uint64_t	h_id;		/* const: the driver's */
	enum v_type	h_type;		/* const */
	uint32_t	h_refs;		/* [hm_spin] its vnode, its object, who looks at it */
	uint64_t	h_lookups;	/* [hm_spin] to be forgotten at the end */
	struct hnode	*h_next;	/* [hm_spin] */
	struct vnode	*h_vnode;	/* [hm_spin] not held; may be on its way out */
	struct vmobj	*h_obj;		/* [hm_spin] likewise; VREG */
	struct range_lock h_range;	/* contents: the bytes concerned; all of them to write back */
	struct spin	h_spin;
	struct fs_attr	h_attr;		/* [h_spin] as the driver told last */
	nsec_t		h_until;	/* [h_spin] how long that counts */
	uint32_t	h_changes;	/* [h_spin] of our own, begun or done: earlier questions are old */
	uint32_t	h_changing;	/* [h_spin] of our own under way: no answer counts but theirs */
};

#define vn_hnode(vn)	((struct hnode *)(vn)->v_data)

/* hostfs.c */
extern const struct vnode_ops hostfs_ops;
int	hreq_ask(struct hmount *hm, struct fs_req *r);	/* waits for the answer: its error */
/* One segment of kernel memory from kmalloc. */
void	hreq_buffer(struct fs_req *r, void *buf, size_t len);
/*
 * The vnode, held, of what a lookup or a creation found, hm_changes having been `changes` before.
 * The driver's count of lookups is accounted for whatever happens.
 */
int	hnode_vnode(struct mount *mp, const struct fs_req *r, uint32_t changes, struct vnode **out);
void	hnode_hold(struct hnode *h);
void	hnode_drop(struct hnode *h);
/*
 * Around each request that changes the file's own attributes or contents.
 * The answer's attributes, or NULL: it failed; sized: with the size (F3).
 */
void	hnode_change(struct hnode *h);
void	hnode_changed(struct hnode *h, const struct fs_attr *a, bool sized);
int	hnode_refresh(struct hnode *h);			/* attributes that count */
void	hnode_expire(struct hnode *h);			/* ask again next time */

/* hostfs_dir.c */
int	hdir_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out);
int	hdir_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode,
	    uint64_t rdev, const struct cred *cr, struct vnode **out);
int	hdir_symlink(struct vnode *dir, const char *name, size_t len, const char *target,
	    const struct cred *cr, struct vnode **out);
int	hdir_link(struct vnode *dir, const char *name, size_t len, struct vnode *target);
int	hdir_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int	hdir_rmdir(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int	hdir_rename(struct vnode *from, const char *fname, size_t flen, struct vnode *vn, struct vnode *to,
	    const char *tname, size_t tlen, struct vnode *to_victim, uint32_t flags);
int	hdir_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg);

/* hostfs_file.c */
int	hfile_object(struct hnode *h, struct vmobj **out);	/* the node's object, held */
int	hfile_read(struct vnode *vn, struct uio *u, uint32_t ioflag);
int	hfile_write(struct vnode *vn, struct uio *u, uint32_t ioflag);
int	hfile_resize(struct vnode *vn, uint64_t bytes);
int	hfile_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len);
int	hfile_seek(struct vnode *vn, uint64_t off, bool data, uint64_t *result);
int	hfile_fsync(struct vnode *vn);
/* Somebody else changed the contents: the pages are old. */
void	hfile_outdated(struct hnode *h);

/* hostfs_xattr.c */
int	hxattr_get(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len);
int	hxattr_set(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags);
int	hxattr_list(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len);
