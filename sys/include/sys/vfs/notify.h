/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify - who watches files is told what is done to them.
 *
 * The layers that do something to a file say so here, in inotify's words
 * (IN_*); what a watcher makes of it is its own business.  An event belongs to
 * a vnode, to a name in a directory, or to both: what is done to a file by
 * its name is told to who watches the directory, with the name, and to who
 * watches the file.
 */
#pragma once
#include <abi/inotify.h>
#include <stdatomic.h>
#include <sys/vfs/name.h>

struct watch;
/* Called under a spin: may queue and wake, no more. */
struct watch_ops {
	void	(*wo_begin)(struct watch *w);	/* it counts from now on; sets w_id */
	/* mask: events and IN_ISDIR */
	void	(*wo_event)(struct watch *w, uint32_t mask, uint32_t cookie, const char *name, size_t len);
	void	(*wo_end)(struct watch *w);	/* it does not any more, and is the owner's to free */
};
struct watch {
	struct list	w_chain;	/* [notify] */
	const struct watch_ops *w_ops;	/* const */
	const void	*w_owner;	/* const */
	struct vnode	*w_vnode;	/* const once begun */
	uint32_t	w_mask;		/* [notify] events, IN_ISDIR, IN_EXCL_UNLINK, IN_ONESHOT */
	int32_t		w_id;		/* const once begun: of the owner's watches */
};

/*
 * fresh watches vn (held); or if its owner already does, that watch gets fresh's mask, which
 * IN_MASK_ADD adds to the old one: then *used is false.  EEXIST: IN_MASK_CREATE, and it does.
 */
int	notify_watch(struct vnode *vn, struct watch *fresh, int32_t *id, bool *used);
/* EINVAL: the owner has no such watch (any more).  vn need not exist. */
int	notify_unwatch(const struct vnode *vn, const void *owner, int32_t id);
/* vn, held, if the owner watches it so; else NULL. */
struct vnode *notify_find(const struct vnode *vn, const void *owner, int32_t id, uint32_t *mask);

/* Grows when somebody begins to watch, and when a name moves to where somebody does; 0: nobody ever has. */
extern _Atomic uint64_t notify_changes;

static inline bool
vnode_watched(const struct vnode *vn)
{
	return (atomic_load_explicit(&vn->v_refs, memory_order_relaxed) & VNODE_WATCHED) != 0;
}

void	notify_vnode(struct vnode *vn, uint32_t event);
/* A name in dir, whose v_lk is held. */
void	notify_entry(struct vnode *dir, uint32_t event, const char *name, size_t len);
/*
 * What n names, by that name.  False: nobody watches either.  With IN_EXCL_UNLINK it was done by
 * a file that was opened by that name, which may be gone since.
 */
bool	notify_name(struct ncp *n, uint32_t event);
/* vn has moved; v_lk of both directories held.  Further moves of the same rename have their own cookie. */
void	notify_moved(struct vnode *from, const char *fname, size_t flen, struct vnode *to, const char *tname,
	    size_t tlen, struct vnode *vn);
/* vn, held, has lost a name, or has one again.  `last`: it was certainly the last one. */
void	notify_unlinked(struct vnode *vn, bool last);
void	notify_linked(struct vnode *vn);
/* vn, held, is a directory that nobody can reach any more, though its filesystem may still need it. */
void	notify_ended(struct vnode *vn);
/* The event that belongs to a change of these attributes (VA_*); 0: none. */
uint32_t notify_of_attr(uint32_t mask);

/* For vnode.c and mount.c: only watches keep vn now (which may be gone); mp goes. */
void	notify_unused(struct vnode *vn);
void	notify_unmount(struct mount *mp);
void	notify_grown(void);
void	notify_init(void);
