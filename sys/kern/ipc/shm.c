/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm - shared memory segments: a memory object with a key.
 *
 * Who shows a segment is known to the object: its map entries, which fork,
 * munmap, exec and exit make and remove.  So nothing is counted here that
 * could be forgotten, and the object tells of each change (vo_shown).
 *
 * Until it is removed a segment has a reference on its object.  Removing
 * (IPC_RMID) takes the key and this reference away: from then on the object
 * lives as long as somebody shows it, and takes the segment with it.
 * Meanwhile the identifier still works, as on Linux.
 *
 * Invariants
 *   M1  SHM_DEST is not set: sg_obj is held.  It is set: sg_obj is not held,
 *       and NULL as soon as the object is on its way to be freed.
 *   M2  the segment is in its table as long as sg_obj is not NULL.
 *
 * Bounds: the sizes of all segments are at most half of RAM, as nobody's end
 * would give it back.
 *
 * Not here: huge pages, shm_rmid_forced.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>
#include <sys/vm/uaccess.h>

#include "ipc_int.h"

#define SHMMIN	1u

struct segment {
	struct ipc_obj	sg_io;
	struct vmobj	*sg_obj;	/* [ii_lk to change, M1] */
	uint64_t	sg_pages;	/* const: charged to the view */
	int32_t		sg_key;		/* const: of its beginning */
	int32_t		sg_cpid;	/* const */
	_Atomic uint64_t sg_nattch;	/* [o_tok to change] */
	_Atomic int64_t	sg_atime, sg_dtime;	/* [o_tok to change] seconds */
	_Atomic int32_t	sg_lpid;	/* [o_tok to change] */
};

static _Atomic uint64_t all_pages;		/* [atomic] sizes of all segments of all views */

static struct segment *
seg_of(struct ipc_obj *o)
{
	ASSERT(o->io_class == &shm_class);
	return rb_entry(o, struct segment, sg_io);
}

/* ---------------------------------------------------------- the object -- */

static void
seg_shown(struct vmobj *o, bool more)
{
	struct segment *sg = o->o_arg;

	ASSERT(more || sg->sg_nattch > 0);
	sg->sg_nattch += more ? 1 : -1ull;
	*(more ? &sg->sg_atime : &sg->sg_dtime) = ipc_now();
	if (curthread->td_lwp != NULL)
		sg->sg_lpid = ipc_pid();
}

static void
seg_object_gone(struct vmobj *o)
{
	struct segment *sg = o->o_arg;
	struct ipc_ids *ids = &sg->sg_io.io_view->iv_ids[IPC_SHM];
	bool known;

	lk_excl(&ids->ii_lk);
	sg->sg_obj = NULL;
	known = !sg->sg_io.io_gone;
	lk_release(&ids->ii_lk);
	if (known)
		ipc_forget(&sg->sg_io);		/* M2; and the segment is freed */
}

static const struct vmobj_ops seg_ops = { .vo_free = seg_object_gone, .vo_shown = seg_shown };

/* Its object, held; NULL: the last one has just let go. */
static struct vmobj *
seg_object(struct segment *sg)
{
	struct ipc_ids *ids = &sg->sg_io.io_view->iv_ids[IPC_SHM];
	struct vmobj *o;

	lk_excl(&ids->ii_lk);
	o = sg->sg_obj;
	if (o != NULL && !vmobj_try_hold(o))
		o = NULL;
	lk_release(&ids->ii_lk);
	return o;
}

/* ------------------------------------------------------- making, ending -- */

static void
uncharge(struct ipc_view *v, uint64_t pages)
{
	atomic_fetch_sub(&v->iv_shm_pages, pages);
	atomic_fetch_sub(&all_pages, pages);
}

static int
charge(struct ipc_view *v, uint64_t pages)
{
	struct page_stats st;
	uint64_t mine, all;
	int error;

	page_stats(&st);
	if (pages > st.total)
		return ENOMEM;
	mine = atomic_fetch_add(&v->iv_shm_pages, pages) + pages;
	all = atomic_fetch_add(&all_pages, pages) + pages;
	error = mine > v->iv_limit[IPC_SHMALL] ? ENOSPC : all > st.total / 2 ? ENOMEM : 0;
	if (error != 0)
		uncharge(v, pages);
	return error;
}

static int
seg_make(int32_t key, uint64_t size, uint32_t flags, struct ipc_obj **out)
{
	struct ipc_view *v = ipc_view();
	uint64_t pages = page_round(size) >> PAGE_SHIFT;
	struct segment *sg;
	int error;

	if (size < SHMMIN || size > v->iv_limit[IPC_SHMMAX])
		return EINVAL;
	if (page_round(size) < size || pages > v->iv_limit[IPC_SHMALL])
		return ENOSPC;
	if ((flags & SHM_HUGETLB) != 0)
		return cred_capable(cred_current(), CAP_IPC_LOCK) ? ENOMEM : EPERM;
	error = charge(v, pages);
	if (error != 0)
		return error;
	sg = kmalloc(sizeof *sg, KM_ZERO | KM_WAIT);
	if (sg == NULL)
		goto undo_charge;
	if (vmobj_create(&seg_ops, sg, size, &sg->sg_obj) != 0)
		goto undo_alloc;
	ipc_obj_init(&sg->sg_io, &shm_class, size, flags);
	sg->sg_pages = pages;
	sg->sg_key = key;
	sg->sg_cpid = ipc_pid();
	*out = &sg->sg_io;
	return 0;

undo_alloc:
	kfree(sg);
undo_charge:
	uncharge(v, pages);
	return ENOMEM;
}

static void
seg_free(struct ipc_obj *o)
{
	struct segment *sg = seg_of(o);

	ASSERT(o->io_gone);
	if (sg->sg_obj != NULL)
		vmobj_drop(sg->sg_obj);		/* it never was in the table */
	uncharge(o->io_view, sg->sg_pages);
	ipc_obj_done(o);
	kfree(sg);
}

static void
seg_remove(struct ipc_obj *o)
{
	if ((o->io_mode & SHM_DEST) != 0)
		return;
	o->io_mode |= SHM_DEST;
	ipc_forget_key(o);
	vmobj_drop(seg_of(o)->sg_obj);		/* M1 */
}

const struct ipc_class shm_class = { IPC_SHM, seg_make, seg_remove, seg_free };

int
shm_get(int32_t key, uint64_t size, uint32_t flags, int32_t *id)
{
	return ipc_get(&shm_class, key, size, flags, id);
}

/* ------------------------------------------------------------ attaching -- */

int
shm_attach(int32_t id, uaddr_t *addr, uint32_t flags)
{
	uint32_t prot = PROT_READ, want = 4, max_prot = PROT_READ | PROT_WRITE | PROT_EXEC, how = MAP_SHARED;
	struct ipc_obj *o;
	struct vmobj *obj;
	int error;

	if (id < 0)
		return EINVAL;
	if ((*addr & PAGE_MASK) != 0) {
		if ((flags & SHM_RND) == 0)
			return EINVAL;
		*addr = page_trunc(*addr);
		if (*addr == 0 && (flags & SHM_REMAP) != 0)
			return EINVAL;
	}
	if (*addr != 0)
		how |= (flags & SHM_REMAP) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	else if ((flags & SHM_REMAP) != 0)
		return EINVAL;
	if ((flags & SHM_RDONLY) == 0) {
		prot |= PROT_WRITE;
		want |= 2;
	} else
		max_prot &= ~PROT_WRITE;
	if ((flags & SHM_EXEC) != 0) {
		prot |= PROT_EXEC;
		want |= 1;
	}
	error = ipc_lock_access(IPC_SHM, id, want, &o);
	if (error != 0)
		return error;
	obj = seg_object(seg_of(o));
	if (obj == NULL) {
		ipc_unlock(o);
		return EIDRM;
	}
	lk_release(&o->io_lk);
	error = vm_mmap(vmspace_current(), addr, o->io_size, prot, how, obj, 0, max_prot);
	vmobj_drop(obj);
	ipc_obj_drop(o);
	return error == EEXIST ? EINVAL : error;
}

int
shm_detach(uaddr_t addr)
{
	return (addr & PAGE_MASK) != 0 ? EINVAL : vm_unmap_object(vmspace_current(), addr, &seg_ops);
}

/* ------------------------------------------------------------- commands -- */

/* Pages that are there. */
static uint64_t
seg_resident(const struct segment *sg)
{
	struct ipc_ids *ids = &sg->sg_io.io_view->iv_ids[IPC_SHM];
	uint64_t n;

	lk_excl(&ids->ii_lk);
	n = sg->sg_obj == NULL ? 0 : __atomic_load_n(&sg->sg_obj->o_npages, __ATOMIC_RELAXED);
	lk_release(&ids->ii_lk);
	return n;
}

int
shm_stat(int32_t *id, int cmd, struct k_shmid_ds *out, uint64_t *resident)
{
	struct ipc_obj *o;
	struct segment *sg;
	int error = ipc_lock_stat(IPC_SHM, id, cmd != IPC_STAT, cmd == SHM_STAT_ANY, &o);

	if (error != 0)
		return error;
	sg = seg_of(o);
	*out = (struct k_shmid_ds){
		.shm_segsz = o->io_size, .shm_atime = sg->sg_atime, .shm_dtime = sg->sg_dtime,
		.shm_ctime = o->io_ctime, .shm_cpid = sg->sg_cpid, .shm_lpid = sg->sg_lpid,
		.shm_nattch = sg->sg_nattch,
	};
	ipc_perm_get(o, &out->shm_perm);
	if (resident != NULL)
		*resident = seg_resident(sg);
	ipc_unlock(o);
	return 0;
}

/* Nothing is ever paged out: locking only shows. */
int
shm_lock(int32_t id, bool on)
{
	const struct cred *c = cred_current();
	struct ipc_obj *o;
	uint64_t limit;
	int error;

	token_get(&curproc->p_tok);
	limit = curproc->p_rlimit[RLIMIT_MEMLOCK][0];
	token_release(&curproc->p_tok);
	error = ipc_lock(IPC_SHM, id, &o);
	if (error != 0)
		return error;
	if (!cred_capable(c, CAP_IPC_LOCK) &&
	    ((c->cr_euid != o->io_uid && c->cr_euid != o->io_cuid) || (on && limit == 0)))
		error = EPERM;
	else
		o->io_mode = on ? o->io_mode | SHM_LOCKED : o->io_mode & ~SHM_LOCKED;
	ipc_unlock(o);
	return error;
}

void
shm_info(struct k_shm_info *out, int32_t *highest)
{
	struct ipc_view *v = ipc_view();
	struct ipc_ids *ids = &v->iv_ids[IPC_SHM];

	*out = (struct k_shm_info){ .shm_tot = v->iv_shm_pages };
	lk_excl(&ids->ii_lk);
	out->used_ids = (int32_t)ids->ii_used;
	*highest = ids->ii_top == 0 ? 0 : (int32_t)ids->ii_top - 1;
	for (uint32_t i = 0; i < ids->ii_top; i++) {
		struct ipc_obj *o = ids->ii_slot[i].is_obj;

		if (o != NULL && seg_of(o)->sg_obj != NULL)
			out->shm_rss += __atomic_load_n(&seg_of(o)->sg_obj->o_npages, __ATOMIC_RELAXED);
		lwkt_poll();
	}
	lk_release(&ids->ii_lk);
}

bool
shm_name(const struct vmobj *o, int32_t *key, int32_t *id)
{
	const struct segment *sg = o->o_arg;

	if (o->o_ops != &seg_ops)
		return false;
	*key = sg->sg_key;
	*id = sg->sg_io.io_id;
	return true;
}
