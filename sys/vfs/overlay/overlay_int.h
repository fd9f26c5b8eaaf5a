/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay - several trees as one.
 *
 * A directory shows what its upper layer has, and below that what its lower
 * layers have under the same path.  Nothing below is ever changed: a lower
 * file is copied up, whole, before its first change; a name that goes leaves
 * a whiteout (a character device 0:0) in the upper layer; an upper directory
 * that shall hide the lower ones of its name is opaque: it has a whiteout
 * named OVERLAY_OPAQUE, so no extended attributes are needed to say so.
 *
 * Layers are used through their names (name_create() and so on), so their own
 * caches stay right whoever else looks at them, and with all capabilities:
 * the caller's rights were checked against what the overlay shows.  What
 * somebody does to a layer behind the overlay's back may show or not, and
 * leads to errors at worst.
 *
 * Invariants
 *   V1  on_upper is set at most once.  on_lower never changes.
 *   V2  a node without on_upper is at on_home, on_name for as long as it has
 *       a name: lower files are copied up before they are moved, lower
 *       directories are not moved (EXDEV).
 *   V3  there is one node in use for an upper file, and one for a lower file
 *       at its place.  A node gets its upper key before the upper file gets
 *       its name, and its lower key goes when its place does; so whoever
 *       looks a name up finds the node, whichever layer he saw it in.
 *   V4  a node that was copied up stays (on_pin) while its upper file has a
 *       name: it alone knows the number that the file had before.
 *   V5  numbers do not change while a file exists.  A copy has the lower
 *       file's, unless that had several names, which copying separates.
 *
 * A lower layer may be an overlay itself; om_depth says how many are below
 * each other at most, this one included.
 *
 * Locking, outermost first: v_lk of the overlay's directories as for any
 * filesystem (ranked before the locks of its layers: by om_depth); on_lk of
 * one node, for copying it up or taking its name; then whatever the layers take.  No
 * directory lock is needed to copy up.  Not here: redirects, metadata-only
 * copies, an index of hard links, overlays as upper layers.
 */
#pragma once
#include <sys/proc/cred.h>
#include <sys/vfs/name.h>

#define OVERLAY_LOWER_MAX	16u
#define OVERLAY_DEPTH_MAX	3u
#define OVERLAY_BUCKETS		1024u	/* power of two */
#define OVERLAY_OPAQUE		".wh..wh..opq"
#define OVERLAY_OPAQUE_LEN	(sizeof OVERLAY_OPAQUE - 1)

enum on_key { ON_UPPER, ON_LOWER, ON_KEYS };
struct onode;
struct obucket {
	struct spin	b_spin;
	struct onode	*b_first[ON_KEYS];	/* [b_spin] */
};

struct omount {
	_Atomic uint64_t om_refs;	/* [atomic] nodes, and 1 while mounted */
	struct ncp	*om_upper, *om_work;	/* const while mounted, held; NULL: nothing can be written */
	uint32_t	om_depth;	/* const: 1 without overlays as layers */
	uint32_t	om_nlower;	/* const */
	struct ncp	*om_lower[OVERLAY_LOWER_MAX];	/* const while mounted, held; topmost first */
	uint32_t	om_ndev;	/* const */
	uint64_t	om_dev[OVERLAY_LOWER_MAX + 1];	/* const: filesystems of the layers */
	_Atomic uint64_t om_serial;	/* [atomic] names in om_work */
	struct spin	om_spin;
	struct list	om_pinned;	/* [om_spin] of on_pin; the last one first */
	struct obucket	om_bucket[OVERLAY_BUCKETS];
};

/* What a name is in each layer; held by whoever has the struct. */
struct olayers {
	struct ncp	*l_upper;	/* or NULL */
	uint32_t	l_nlower;
	struct ncp	*l_lower[OVERLAY_LOWER_MAX];
};

struct onode {
	struct vnode	*on_vnode;	/* const */
	struct omount	*on_mount;	/* const, counted */
	struct onode	*on_home;	/* const, held (v_needs): where it was found; NULL: the root */
	struct lk	on_lk;
	struct ncp	*_Atomic on_upper;	/* [on_lk to set] held; NULL: not copied up */
	_Atomic uint64_t on_ino;	/* [on_lk to change] */
	bool		on_gone;	/* [on_lk] it lost its name before it was copied up */
	bool		on_pinned;	/* [om_spin] */
	struct list	on_pin;		/* [om_spin] */
	struct vmobj	*on_old_obj;	/* [on_lk] held: the lower file's contents, after copying up */
	struct vnode	*on_key[ON_KEYS];	/* [bucket] NULL: not in the table by this key */
	struct onode	*on_next[ON_KEYS];	/* [bucket] */
	uint32_t	on_namelen;	/* const */
	uint32_t	on_nlower;	/* const */
	struct ncp	**on_lower;	/* const, held; topmost first */
	char		*on_name;	/* const */
};
#define vn_onode(vn)	((struct onode *)(vn)->v_data)
static inline struct ncp *on_real(struct onode *on)
{
	struct ncp *up = on->on_upper;

	return up != NULL ? up : on->on_lower[0];
}

/* The rank of `what` (rename, vnode, copy) of that mount. */
#define OVERLAY_RANK(om, what) ((om)->om_depth == 1 ? LR_overlay_##what : \
	(om)->om_depth == 2 ? LR_overlay2_##what : LR_overlay3_##what)

/* While a filesystem is used for the overlay itself. */
struct oact {
	struct cred	a_cred;
	const struct cred *a_was;
};
void	oact_begin(struct oact *a);
void	oact_end(struct oact *a);

extern const struct vnode_ops overlay_ops;

/* overlay_node.c */
int	onode_get(struct mount *mp, struct onode *home, const char *name, size_t len, const struct olayers *l,
	    struct vnode **out);
void	onode_key(struct onode *on, enum on_key k, struct vnode *key);
void	onode_unkey(struct onode *on, enum on_key k);
void	onode_pin(struct onode *on);
void	onode_unpin(struct onode *on);
void	overlay_inactive(struct vnode *vn);
void	omount_drop(struct omount *om);
uint64_t overlay_ino(struct omount *om, struct vnode *real, uint64_t ino);

/* overlay_copy.c.  Only the first `most` bytes of a file are copied. */
int	overlay_copy_up(struct onode *on, uint64_t most);
/* A new file in om_work: its name, positive, held, and in `text`. */
struct omake {
	enum v_type	m_type;
	uint32_t	m_mode;
	uint64_t	m_rdev;
	const char	*m_target;	/* VLNK */
	struct ncp	*m_link;	/* not NULL: another name for this file */
};
#define OWORK_TEXT	24u
int	overlay_make(struct ncp *dir, const char *name, size_t len, const struct omake *m, struct ncp **out);
int	overlay_work_make(struct omount *om, const struct omake *m, char text[OWORK_TEXT], struct ncp **out);
int	overlay_work_whiteout(struct omount *om, char text[OWORK_TEXT]);
void	overlay_work_remove(struct omount *om, const char *text, bool directory);
int	overlay_move(struct ncp *from, const char *fname, size_t flen, struct ncp *to, const char *tname,
	    size_t tlen, uint32_t flags);
extern const struct omake overlay_whiteout;

/* overlay_dir.c */
bool	overlay_is_whiteout(const struct ncp *n);
int	overlay_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out);
int	overlay_create(struct vnode *dir, const char *name, size_t len, enum v_type type, uint32_t mode,
	    uint64_t rdev, const struct cred *cr, struct vnode **out);
int	overlay_symlink(struct vnode *dir, const char *name, size_t len, const char *target,
	    const struct cred *cr, struct vnode **out);
int	overlay_link(struct vnode *dir, const char *name, size_t len, struct vnode *target);
int	overlay_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int	overlay_rmdir(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int	overlay_rename(struct vnode *from, const char *fname, size_t flen, struct vnode *vn, struct vnode *to,
	    const char *tname, size_t tlen, struct vnode *to_victim, uint32_t flags);

/* overlay_xattr.c */
int	overlay_getxattr(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len);
int	overlay_setxattr(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags);
int	overlay_listxattr(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len);
int	overlay_copy_xattrs(struct vnode *from, struct vnode *to);

/* overlay_read.c */
int	overlay_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg);
int	overlay_is_empty(struct vnode *dir);	/* ENOTEMPTY */
int	overlay_clear(struct ncp *dir);		/* takes whiteouts out of a layer's directory */
