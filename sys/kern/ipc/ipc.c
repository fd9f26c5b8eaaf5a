/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc - what the three kinds of System V IPC have in common: a view, and in
 * it for each kind a table of objects by identifier and by key.
 *
 * An identifier is a place in the table and how often the place was used
 * before, so one that has been removed is not mistaken for its successor.
 * Places are used again in the order in which they became free.
 *
 * Invariants
 *   I1  an object is in its table exactly while io_gone is false; the table
 *       has one reference then.
 *   I2  at most one object in ii_keys has a given key; none has IPC_PRIVATE.
 *
 * Locking: io_lk of one object, then ii_lk.  Neither is held while memory is
 * allocated or user memory is touched: whoever would have to end for that
 * memory may need the lock on its way out.
 *
 * A jail has a view of its own, made when it first makes an object and emptied
 * when its first process ends.
 *
 * Bounds: objects per kind by the limits; kernel memory of all by a part of
 * RAM, because nobody dies to give it back.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

#include "ipc_int.h"

#define PLACE_BITS	15u			/* of an identifier, as Linux's */
#define PLACES_MAX	(1u << PLACE_BITS)
#define SEQ_MASK	0xffffu
#define NO_PLACE	UINT32_MAX
#define FIRST_PLACES	64u
#define MEMORY_SHARE	8u			/* of RAM for kernel memory of all views */

static struct ipc_view machine_ipc;		/* view_machine's */
static struct ipc_view no_ipc;			/* always empty: of jails that have made nothing */
static _Atomic uint64_t all_bytes;		/* [atomic] of ipc_alloc */
static const struct ipc_own *own;		/* const after boot */
static const struct ipc_class *const classes[IPC_KINDS] = { &shm_class, &sem_class, &msg_class };

/* --------------------------------------------------------------- views -- */

static const struct { uint64_t initial, least, most; } limits[IPC_LIMITS] = {
	[IPC_SHMMAX] = { UINT64_MAX - (1ull << 24), 0, UINT64_MAX },
	[IPC_SHMALL] = { UINT64_MAX - (1ull << 24), 0, UINT64_MAX },
	[IPC_SHMMNI] = { 4096, 0, PLACES_MAX },
	[IPC_MSGMAX] = { 8192, 0, INT32_MAX },
	[IPC_MSGMNB] = { 16384, 0, INT32_MAX },
	[IPC_MSGMNI] = { 32000, 0, PLACES_MAX },
	[IPC_MQ_QUEUES] = { 256, 0, INT32_MAX },
	[IPC_MQ_MAX] = { 10, 1, 65536 },
	[IPC_MQ_SIZE] = { 8192, 128, 16 << 20 },
	[IPC_MQ_DEFAULT_MAX] = { 10, 1, 65536 },
	[IPC_MQ_DEFAULT_SIZE] = { 8192, 128, 16 << 20 },
};

static void
view_init(struct ipc_view *iv)
{
	iv->iv_refs = 1;
	for (int k = 0; k < IPC_KINDS; k++) {
		lk_init(&iv->iv_ids[k].ii_lk, LR_ipc_ids);
		iv->iv_ids[k].ii_free = NO_PLACE;
	}
	for (int i = 0; i < IPC_LIMITS; i++)
		iv->iv_limit[i] = limits[i].initial;
}

struct ipc_view *
ipc_view(void)
{
	struct ipc_view *iv = __atomic_load_n(&view_current()->v_ipc, __ATOMIC_ACQUIRE);

	return iv == NULL ? &no_ipc : iv;
}

/* For who is about to make something.  NULL: no memory. */
static struct ipc_view *
view_make(void)
{
	struct ipc_view *iv = ipc_view();
	void *none = NULL;

	if (iv != &no_ipc)
		return iv;
	iv = kmalloc(sizeof *iv, KM_ZERO | KM_WAIT);
	if (iv == NULL)
		return NULL;
	view_init(iv);
	if (!__atomic_compare_exchange_n(&view_current()->v_ipc, &none, iv, false, __ATOMIC_ACQ_REL,
	    __ATOMIC_ACQUIRE))
		kfree(iv);
	return ipc_view();
}

static void
view_release(struct ipc_view *iv)
{
	if (atomic_fetch_sub_explicit(&iv->iv_refs, 1, memory_order_acq_rel) > 1)
		return;
	for (int k = 0; k < IPC_KINDS; k++)
		kfree(iv->iv_ids[k].ii_slot);
	kfree(iv);
}

/* Somebody outside may still show a segment: then its object lives on. */
static void
view_dropped(struct view *v)
{
	if (v->v_ipc != NULL)
		view_release(v->v_ipc);
}

void
ipc_own_set(const struct ipc_own *o)
{
	ASSERT(own == NULL);
	own = o;
}

/* Two may make it at once: one's goes again. */
int
ipc_own_get(void **out)
{
	struct ipc_view *iv = view_make();
	void *it, *have = NULL;
	int error;

	if (iv == NULL)
		return ENOMEM;
	it = iv->iv_own;
	if (it == NULL) {
		error = own->make(&it);
		if (error != 0)
			return error;
		if (!atomic_compare_exchange_strong(&iv->iv_own, &have, it)) {
			own->end(it);
			it = have;
		}
	}
	*out = it;
	return 0;
}

int64_t
ipc_now(void)
{
	return (int64_t)(time_wall() / NSEC_PER_SEC);
}

int32_t
ipc_pid(void)
{
	return curthread->td_lwp == NULL ? 0 : curproc->p_pid;
}

/* -------------------------------------------------------------- memory -- */

int
ipc_alloc(uint64_t bytes, void **out)
{
	struct page_stats st;

	page_stats(&st);
	if (atomic_fetch_add(&all_bytes, bytes) + bytes > st.total * PAGE_BYTES / MEMORY_SHARE)
		goto undo;
	*out = kmalloc(bytes, KM_ZERO | KM_WAIT);
	if (*out != NULL)
		return 0;
undo:
	atomic_fetch_sub(&all_bytes, bytes);
	return ENOMEM;
}

void
ipc_free(uint64_t bytes, void *p)
{
	atomic_fetch_sub(&all_bytes, bytes);
	kfree(p);
}

/* --------------------------------------------------------- permissions -- */

bool
ipc_may(const struct ipc_obj *o, uint32_t want)
{
	const struct cred *c = cred_current();
	uint32_t granted = o->io_mode;

	ASSERT(lk_held_excl(&o->io_lk));
	if (c->cr_euid == o->io_cuid || c->cr_euid == o->io_uid)
		granted >>= 6;
	else if (cred_in_group(c, o->io_cgid) || cred_in_group(c, o->io_gid))
		granted >>= 3;
	return (want & ~granted & 7) == 0 || cred_capable(c, CAP_IPC_OWNER);
}

void
ipc_perm_get(const struct ipc_obj *o, struct k_ipc_perm *out)
{
	*out = (struct k_ipc_perm){
		.key = __atomic_load_n(&o->io_key, __ATOMIC_RELAXED), .uid = o->io_uid, .gid = o->io_gid,
		.cuid = o->io_cuid, .cgid = o->io_cgid, .mode = o->io_mode,
		.seq = (uint16_t)((uint32_t)o->io_id >> PLACE_BITS),
	};
}

int
ipc_perm_set(struct ipc_obj *o, const struct k_ipc_perm *perm)
{
	ASSERT(lk_held_excl(&o->io_lk));
	if (perm->uid == UINT32_MAX || perm->gid == UINT32_MAX)
		return EINVAL;
	o->io_uid = perm->uid;
	o->io_gid = perm->gid;
	o->io_mode = (o->io_mode & ~0777u) | (perm->mode & 0777);
	o->io_ctime = ipc_now();
	return 0;
}

/* ------------------------------------------------------------- objects -- */

void
ipc_obj_init(struct ipc_obj *o, const struct ipc_class *ic, uint64_t size, uint32_t mode)
{
	const struct cred *c = cred_current();

	o->io_refs = 1;
	o->io_class = ic;
	o->io_view = ipc_view();
	atomic_fetch_add_explicit(&o->io_view->iv_refs, 1, memory_order_relaxed);
	lk_init(&o->io_lk, LR_ipc);
	o->io_uid = o->io_cuid = c->cr_euid;
	o->io_gid = o->io_cgid = c->cr_egid;
	o->io_mode = mode & 0777;
	o->io_ctime = ipc_now();
	o->io_size = size;
	o->io_gone = true;			/* I1: not in the table yet */
}

void
ipc_obj_done(struct ipc_obj *o)
{
	view_release(o->io_view);
}

void
ipc_obj_hold(struct ipc_obj *o)
{
	atomic_fetch_add_explicit(&o->io_refs, 1, memory_order_relaxed);
}

void
ipc_obj_drop(struct ipc_obj *o)
{
	uint32_t old = atomic_fetch_sub_explicit(&o->io_refs, 1, memory_order_acq_rel);

	ASSERT(old > 0);
	if (old == 1)
		o->io_class->ic_free(o);
}

static struct ipc_ids *
ids_of(const struct ipc_obj *o)
{
	return &o->io_view->iv_ids[o->io_class->ic_kind];
}

/* The object with this key, or where it would go.  ii_lk held. */
static struct ipc_obj *
key_find(struct ipc_ids *ids, int32_t key, struct rb_node **parent, struct rb_node ***link)
{
	*parent = NULL;
	*link = &ids->ii_keys.rb_root;
	while (**link != NULL) {
		struct ipc_obj *o = rb_entry(**link, struct ipc_obj, io_node);

		if (o->io_key == key)
			return o;
		*parent = **link;
		*link = key < o->io_key ? &(*parent)->rb_left : &(*parent)->rb_right;
	}
	return NULL;
}

/* ii_lk held. */
static void
key_forget(struct ipc_ids *ids, struct ipc_obj *o)
{
	if (o->io_key != IPC_PRIVATE)
		rb_remove(&ids->ii_keys, &o->io_node);
	__atomic_store_n(&o->io_key, IPC_PRIVATE, __ATOMIC_RELAXED);
}

void
ipc_forget_key(struct ipc_obj *o)
{
	struct ipc_ids *ids = ids_of(o);

	lk_excl(&ids->ii_lk);
	key_forget(ids, o);
	lk_release(&ids->ii_lk);
}

static void
place_free(struct ipc_ids *ids, uint32_t place)
{
	ids->ii_slot[place].is_obj = NULL;
	ids->ii_slot[place].is_next = NO_PLACE;
	if (ids->ii_free == NO_PLACE)
		ids->ii_free = place;
	else
		ids->ii_slot[ids->ii_free_last].is_next = place;
	ids->ii_free_last = place;
}

void
ipc_forget(struct ipc_obj *o)
{
	struct ipc_ids *ids = ids_of(o);
	uint32_t place = (uint32_t)o->io_id & (PLACES_MAX - 1);

	lk_excl(&ids->ii_lk);
	ASSERT(ids->ii_slot[place].is_obj == o);
	key_forget(ids, o);
	o->io_gone = true;
	ids->ii_used--;
	place_free(ids, place);
	while (ids->ii_top > 0 && ids->ii_slot[ids->ii_top - 1].is_obj == NULL)
		ids->ii_top--;
	lk_release(&ids->ii_lk);
	ipc_obj_drop(o);
}

/* ------------------------------------------------------------ creating -- */

static uint32_t
objects_max(const struct ipc_view *v, enum ipc_kind kind)
{
	return kind == IPC_SEM ? SEMMNI : (uint32_t)v->iv_limit[kind == IPC_SHM ? IPC_SHMMNI : IPC_MSGMNI];
}

/* Places beyond the present ones, unless somebody else made some meanwhile. */
static int
ids_grow(struct ipc_ids *ids, uint32_t have)
{
	uint32_t want = have == 0 ? FIRST_PLACES : (uint32_t)rt_min(2 * have, PLACES_MAX);
	struct ipc_slot *fresh = kmalloc_array(want, sizeof *fresh, KM_WAIT | KM_ZERO), *old = fresh;

	if (fresh == NULL)
		return ENOMEM;
	lk_excl(&ids->ii_lk);
	if (ids->ii_nslots == have) {
		old = ids->ii_slot;
		if (have > 0)
			memcpy(fresh, old, have * sizeof *fresh);
		ids->ii_slot = fresh;
		ids->ii_nslots = want;
		for (uint32_t i = have; i < want; i++)
			place_free(ids, i);
	}
	lk_release(&ids->ii_lk);
	kfree(old);
	return 0;
}

/* On success ii_lk is held and there is a free place. */
static int
ids_room(struct ipc_ids *ids, uint32_t max)
{
	int error = 0;

	while (error == 0) {
		uint32_t have;

		lk_excl(&ids->ii_lk);
		if (ids->ii_used < max && ids->ii_free != NO_PLACE)
			return 0;
		error = ids->ii_used >= rt_min(max, PLACES_MAX) ? ENOSPC : 0;
		have = ids->ii_nslots;
		lk_release(&ids->ii_lk);
		if (error == 0)
			error = ids_grow(ids, have);
	}
	return error;
}

/* ii_lk held, a place is free, the key is not taken. */
static void
ids_add(struct ipc_ids *ids, struct ipc_obj *o, int32_t key, struct rb_node *parent, struct rb_node **link)
{
	uint32_t place = ids->ii_free;
	struct ipc_slot *s = &ids->ii_slot[place];

	ASSERT(s->is_obj == NULL && o->io_gone);
	ids->ii_free = s->is_next;
	o->io_id = (int32_t)((s->is_seq++ & SEQ_MASK) << PLACE_BITS | place);
	o->io_key = key;
	o->io_gone = false;
	ipc_obj_hold(o);
	s->is_obj = o;
	if (key != IPC_PRIVATE)
		rb_insert(&ids->ii_keys, &o->io_node, parent, link);
	ids->ii_used++;
	ids->ii_top = (uint32_t)rt_max(ids->ii_top, place + 1);
}

/* An object with this key is there already: may the caller have it? */
static int
get_existing(struct ipc_obj *o, uint64_t size, uint32_t flags, int32_t *id)
{
	int error = 0;

	lk_excl(&o->io_lk);
	if ((flags & IPC_CREAT) != 0 && (flags & IPC_EXCL) != 0)
		error = EEXIST;
	else if (size > o->io_size)
		error = EINVAL;
	else if (!ipc_may(o, flags >> 6 | flags >> 3 | flags))
		error = EACCES;
	else
		*id = o->io_id;
	lk_release(&o->io_lk);
	return error;
}

int
ipc_get(const struct ipc_class *ic, int32_t key, uint64_t size, uint32_t flags, int32_t *id)
{
	struct rb_node *parent = NULL, **link = NULL;
	struct ipc_obj *o = NULL, *fresh = NULL;
	struct ipc_view *v = view_make();
	struct ipc_ids *ids;
	int error = 0;

	if (v == NULL)
		return ENOMEM;
	ids = &v->iv_ids[ic->ic_kind];
	if (key != IPC_PRIVATE) {
		lk_excl(&ids->ii_lk);
		o = key_find(ids, key, &parent, &link);
		if (o != NULL)
			ipc_obj_hold(o);
		lk_release(&ids->ii_lk);
		if (o == NULL && (flags & IPC_CREAT) == 0)
			return ENOENT;
	}
	if (o == NULL) {
		error = ic->ic_make(key, size, flags, &fresh);
		if (error != 0)
			return error;
		error = ids_room(ids, objects_max(v, ic->ic_kind));
		if (error == 0) {
			/* Somebody else may have made one with the key meanwhile. */
			if (key != IPC_PRIVATE && (o = key_find(ids, key, &parent, &link)) != NULL) {
				ipc_obj_hold(o);
			} else {
				ids_add(ids, fresh, key, parent, link);
				*id = fresh->io_id;
			}
			lk_release(&ids->ii_lk);
		}
		ipc_obj_drop(fresh);
	}
	if (o != NULL) {
		error = get_existing(o, size, flags, id);
		ipc_obj_drop(o);
	}
	return error;
}

/* ------------------------------------------------------------- finding -- */

static int
find(enum ipc_kind kind, int32_t id, bool index, struct ipc_obj **out)
{
	struct ipc_ids *ids = &ipc_view()->iv_ids[kind];
	uint32_t place = (uint32_t)id & (PLACES_MAX - 1);
	struct ipc_obj *o = NULL;
	int error = EINVAL;

	if (id < 0)
		return EINVAL;
	lk_excl(&ids->ii_lk);
	if (place < ids->ii_nslots)
		o = ids->ii_slot[place].is_obj;
	if (o != NULL) {
		error = !index && o->io_id != id ? EIDRM : 0;
		if (error == 0)
			ipc_obj_hold(o);
	}
	lk_release(&ids->ii_lk);
	if (error == 0)
		*out = o;
	return error;
}

static int
find_lock(enum ipc_kind kind, int32_t id, bool index, struct ipc_obj **out)
{
	int error = find(kind, id, index, out);

	if (error != 0)
		return error;
	lk_excl(&(*out)->io_lk);
	if (!(*out)->io_gone)
		return 0;
	ipc_unlock(*out);
	return EIDRM;
}

int
ipc_lock(enum ipc_kind kind, int32_t id, struct ipc_obj **out)
{
	return find_lock(kind, id, false, out);
}

void
ipc_unlock(struct ipc_obj *o)
{
	lk_release(&o->io_lk);
	ipc_obj_drop(o);
}

int
ipc_lock_access(enum ipc_kind kind, int32_t id, uint32_t want, struct ipc_obj **out)
{
	int error = ipc_lock(kind, id, out);

	if (error != 0 || ipc_may(*out, want))
		return error;
	ipc_unlock(*out);
	return EACCES;
}

int
ipc_lock_stat(enum ipc_kind kind, int32_t *id, bool index, bool any, struct ipc_obj **out)
{
	int error = find_lock(kind, *id, index, out);

	if (error != 0)
		return error;
	if (!any && !ipc_may(*out, 4)) {
		ipc_unlock(*out);
		return EACCES;
	}
	*id = (*out)->io_id;
	return 0;
}

int
ipc_lock_owner(enum ipc_kind kind, int32_t id, struct ipc_obj **out)
{
	const struct cred *c = cred_current();
	int error = ipc_lock(kind, id, out);

	if (error != 0 || c->cr_euid == (*out)->io_uid || c->cr_euid == (*out)->io_cuid ||
	    cred_capable(c, CAP_SYS_ADMIN))
		return error;
	ipc_unlock(*out);
	return EPERM;
}

/* ------------------------------------------------------------ commands -- */

int
ipc_remove(enum ipc_kind kind, int32_t id)
{
	struct ipc_obj *o;
	int error = ipc_lock_owner(kind, id, &o);

	if (error != 0)
		return error;
	o->io_class->ic_remove(o);
	ipc_unlock(o);
	return 0;
}

int
ipc_set(enum ipc_kind kind, int32_t id, const struct k_ipc_perm *perm)
{
	struct ipc_obj *o;
	int error = ipc_lock_owner(kind, id, &o);

	if (error != 0)
		return error;
	error = ipc_perm_set(o, perm);
	ipc_unlock(o);
	return error;
}

uint64_t
ipc_limit(enum ipc_limit which)
{
	return ipc_view()->iv_limit[which];
}

int
ipc_set_limit(enum ipc_limit which, uint64_t value)
{
	struct ipc_view *v = view_make();

	if (v == NULL)
		return ENOMEM;
	if (value < limits[which].least || value > limits[which].most)
		return EINVAL;
	v->iv_limit[which] = value;
	return 0;
}

/* ------------------------------------------------------- life of a process -- */

static int
proc_begins(struct proc *parent, struct proc *child, uint64_t flags)
{
	(void)parent;
	(void)flags;
	sem_proc_begins(child);
	return 0;
}

/* The last of a jail: nobody will ask for what is left. */
static void
jail_ends(struct ipc_view *iv)
{
	void *it = atomic_exchange(&iv->iv_own, NULL);

	if (it != NULL)
		own->end(it);
	for (int k = 0; k < IPC_KINDS; k++) {
		for (int32_t i = 0; i < (int32_t)iv->iv_ids[k].ii_top; i++) {
			struct ipc_obj *o;

			if (find_lock((enum ipc_kind)k, i, true, &o) != 0)
				continue;
			classes[k]->ic_remove(o);
			ipc_unlock(o);
			lwkt_poll();
		}
	}
}

static void
proc_ends(struct proc *p)
{
	sem_proc_ends(p);
	if (p == curproc && view_is_jail(view_current()) && view_current()->v_init == p->p_pid)
		jail_ends(ipc_view());
}

void
ipc_init(void)
{
	static struct proc_hooks hooks = { .ph_fork = proc_begins, .ph_exit = proc_ends };

	for (int k = 0; k < IPC_KINDS; k++)
		ASSERT(classes[k]->ic_kind == (enum ipc_kind)k);
	view_init(&machine_ipc);
	view_init(&no_ipc);
	view_machine.v_ipc = &machine_ipc;
	view_set_drop(view_dropped);
	proc_add_hooks(&hooks);
}
