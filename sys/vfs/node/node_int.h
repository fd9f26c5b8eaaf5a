/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of sys/vfs/node share among themselves. */
#pragma once
#include <sys/vfs/name.h>

/* ncache.c.  Everything that returns a name returns it held. */
int	ncp_create(struct ncp *parent, struct mount *mp, const char *name, size_t len, struct vnode *vn,
	    struct ncp **out);
/* A name of `mp` that stands for `real`, below `dir` or at its root. */
int	ncp_wrap(struct ncp *dir, struct mount *mp, const char *name, size_t len, struct ncp *real,
	    struct ncp **out);
static inline struct ncp *ncp_real(struct ncp *n) { return n->n_real != NULL ? n->n_real : n; }
struct ncp *ncache_find(struct ncp *dir, const char *name, size_t len);
struct ncp *ncache_insert(struct ncp *n);		/* takes over n; parent's v_lk held */
/* negative becomes positive; parent's v_lk exclusive */
void	ncache_bind(struct ncp *n, struct vnode *vn);
void	ncache_removed(struct ncp *n);			/* its file was unlinked; parent's v_lk exclusive */
/* the filesystem has something else there; parent's v_lk held */
void	ncache_replaced(struct ncp *n);
void	ncache_unhash(struct ncp *n);
/* The filesystem refused what the cache thought possible: ask again, where others change names. */
static inline void ncp_doubt(struct ncp *n) { n->n_until = 0; }
void	ncache_purge_children(struct ncp *n);		/* those that nobody holds */
/* memory for a name of that length; NULL: none is needed */
int	ncache_reserve(size_t len, char **text);
/* both v_lk exclusive */
void	ncache_move(struct ncp *n, struct ncp *parent, char *text, const char *name, size_t len);
void	ncache_swap(struct ncp *a, char *a_text, struct ncp *b, char *b_text);	/* exchange parent and name */
void	ncache_init(void);
void	mount_set_covers(struct mount *mp, struct ncp *n);
void	ncache_purge_mount(struct mount *mp);
void	ncp_cover(struct ncp *n, struct mount *mp);	/* NULL: no more; mount list held */
/* No more, unless somebody uses the mount: its root has more than `refs` references.  Mount list held. */
bool	ncp_uncover_idle(struct ncp *n, struct mount *mp, uint32_t refs);
/* The directory that n is in, held, if somebody watches it, and n's text there; else NULL. */
struct vnode *ncp_watched_dir(struct ncp *n, char text[NAME_MAX_ + 1], size_t *len);
struct ncp *ncp_above(struct ncp *n);			/* parent within the mount; NULL */
/* down into what is mounted here; takes over the reference */
struct ncp *ncp_cross(struct ncp *n);
struct ncp *ncp_uncross(struct ncp *n);			/* up to the covered name; takes over the reference */
/* Between the two calls with the same `mark` no name changed its place: true. */
uint32_t ncache_rename_mark(void);
bool	ncache_no_rename_since(uint32_t mark);

#define LOOK_LINK	(1u << 31)	/* the path is the text of a link in `start` */

/* name.c: one component with dir's v_lk held; may be negative. */
int	child_locked(struct ncp *dir, const char *name, size_t len, struct ncp **out);

/* Where a link without a text leads: held, crossed into mounts; restricted by LOOK_*. */
int	name_jump(struct ncp *link, uint32_t flags, struct ncp **out);

/* mount.c */
bool	mount_is_ro(const struct mount *mp);
void	mount_unused(struct mount *mp);			/* the last name of a mount is gone */
struct ncp *mount_name(struct mount *mp);		/* of its root; NULL: unmounted */
size_t	ncp_text(struct ncp *n, char *buf);		/* buf: PATH_MAX_ + 1 bytes */
