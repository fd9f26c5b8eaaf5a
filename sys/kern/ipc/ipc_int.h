/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of sys/kern/ipc share: see ipc.c. */
#pragma once
#include <core/rt/rbtree.h>
#include <stdatomic.h>
#include <sys/ipc/ipc.h>
#include <sys/lwkt/lock.h>
#include <sys/proc/cred.h>
#include <sys/proc/proc.h>

struct ipc_ids;
struct ipc_obj;
struct ipc_class {
	enum ipc_kind	ic_kind;
	/* A fresh one, all of the kind's own fields set; one reference. */
	int	(*ic_make)(int32_t key, uint64_t size, uint32_t flags, struct ipc_obj **out);
	void	(*ic_remove)(struct ipc_obj *o);	/* IPC_RMID; io_lk held */
	void	(*ic_free)(struct ipc_obj *o);		/* the last reference is gone */
};

struct ipc_obj {
	_Atomic uint32_t io_refs;
	const struct ipc_class *io_class;	/* const */
	struct ipc_view	*io_view;	/* const, held */
	struct lk	io_lk;
	int32_t		io_id;		/* const once it can be found */
	int32_t		io_key;		/* [ii_lk] */
	_Atomic bool	io_gone;	/* [ii_lk to change] removed: no identifier any more */
	uint32_t	io_uid, io_gid;	/* [io_lk] */
	uint32_t	io_mode;	/* [io_lk] */
	uint32_t	io_cuid, io_cgid;	/* const */
	int64_t		io_ctime;	/* [io_lk] seconds */
	uint64_t	io_size;	/* const: bytes of a segment, semaphores of a set */
	struct rb_node	io_node;	/* [ii_lk] in ii_keys unless the key is IPC_PRIVATE */
};

struct ipc_slot {
	struct ipc_obj	*is_obj;	/* [ii_lk] NULL: free */
	uint32_t	is_seq;		/* [ii_lk] grows with each use: an old identifier finds nothing */
	uint32_t	is_next;	/* [ii_lk] free: the next free one */
};
struct ipc_ids {
	struct lk	ii_lk;
	struct rb_tree	ii_keys;	/* [ii_lk] */
	struct ipc_slot	*ii_slot;	/* [ii_lk] */
	uint32_t	ii_nslots;	/* [ii_lk] */
	uint32_t	ii_used;	/* [ii_lk] */
	uint32_t	ii_top;		/* [ii_lk] no index in use is >= this */
	uint32_t	ii_free, ii_free_last;	/* [ii_lk] used in the order in which they became free */
};

struct ipc_view {
	_Atomic uint32_t iv_refs;	/* [atomic] the view's, and one for each object */
	struct ipc_ids	iv_ids[IPC_KINDS];
	_Atomic uint64_t iv_limit[IPC_LIMITS];	/* [atomic] */
	_Atomic uint64_t iv_shm_pages;	/* [atomic] sizes of all segments */
	void		*_Atomic iv_own;	/* [atomic] ipc_own's; NULL: not made */
	_Atomic uint64_t iv_sems, iv_msgs, iv_msg_bytes;	/* [atomic] for the INFO commands */
};
struct ipc_view *ipc_view(void);		/* of the current process; an empty one if it has none yet */
int64_t	ipc_now(void);				/* seconds */
int32_t	ipc_pid(void);				/* of the caller; 0: a kernel thread */

void	ipc_obj_init(struct ipc_obj *o, const struct ipc_class *ic, uint64_t size, uint32_t mode);
int	ipc_get(const struct ipc_class *ic, int32_t key, uint64_t size, uint32_t flags, int32_t *id);
void	ipc_obj_done(struct ipc_obj *o);		/* by ic_free, before the memory goes */
void	ipc_obj_hold(struct ipc_obj *o);
void	ipc_obj_drop(struct ipc_obj *o);
/*
 * By identifier, held, io_lk held.  EINVAL: no such; EIDRM: its place has another now, or it went
 * meanwhile.
 */
int	ipc_lock(enum ipc_kind kind, int32_t id, struct ipc_obj **out);
/* The same, if the caller may: `want` is R 4 W 2 X 1.  EACCES */
int	ipc_lock_access(enum ipc_kind kind, int32_t id, uint32_t want, struct ipc_obj **out);
/* The same for *_STAT, _ANY or IPC_STAT: by index or identifier, *id becomes the identifier. */
int	ipc_lock_stat(enum ipc_kind kind, int32_t *id, bool index, bool any, struct ipc_obj **out);
/* The same for IPC_SET and IPC_RMID: owner, creator or CAP_SYS_ADMIN.  EPERM */
int	ipc_lock_owner(enum ipc_kind kind, int32_t id, struct ipc_obj **out);
void	ipc_unlock(struct ipc_obj *o);		/* and drop */
bool	ipc_may(const struct ipc_obj *o, uint32_t want);
void	ipc_perm_get(const struct ipc_obj *o, struct k_ipc_perm *out);
int	ipc_perm_set(struct ipc_obj *o, const struct k_ipc_perm *perm);	/* io_lk held */
/* No key leads to it any more. */
void	ipc_forget_key(struct ipc_obj *o);
/* No identifier either; drops the table's reference, the caller has one. */
void	ipc_forget(struct ipc_obj *o);

extern const struct ipc_class shm_class, sem_class, msg_class;
void	sem_proc_begins(struct proc *p);
void	sem_proc_ends(struct proc *p);
