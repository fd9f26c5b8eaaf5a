/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lockf - advisory locks on files.
 *
 * Two kinds that do not see each other: flock() locks a whole file for an
 * open file; fcntl() locks byte ranges for a descriptor table (POSIX) or an
 * open file (OFD).  All are kept as ranges with an owner, in a hash table by
 * file, since hardly any file has one.
 *
 * Invariants
 *   L1  ranges of one owner on one file do not overlap, and neighbours have
 *       different types (POSIX and OFD: they split and join).
 *   L2  ranges of different owners overlap only if both are read locks.
 *   L3  a process that would wait for itself through others gets EDEADLK:
 *       lockf_waits says who waits for whom (POSIX locks only).  Whoever
 *       changes his ranges of a file first cuts the waits for him there, so
 *       that nobody is refused for a wait that is over.
 *
 * Locking: a bucket's token guards its list; memory is taken before it is
 * held.  lockf_waits has a spin, so that the bucket's token is not lost.
 * Bounds: LOCKS_MAX ranges in all, ENOLCK beyond.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/file/lockf.h>
#include <sys/proc/proc.h>
#include <sys/vfs/vnode.h>
#include <sys/vm/kmem.h>

#define BUCKETS		64u
#define LOCKS_MAX	65536u
#define CHAIN_MAX	64		/* longest chain of waiters followed by L3 */
#define F_OFD_GETLK	36
#define F_OFD_SETLK	37
#define F_OFD_SETLKW	38

struct flock_range {
	struct list	r_link;		/* [bucket's token] */
	const void	*r_key;		/* const: the file */
	const void	*r_owner;	/* const */
	bool		r_flock;	/* const: of flock() */
	int32_t		r_pid;		/* const: of the locker; -1: OFD */
	int		r_type;		/* [bucket's token] F_RDLCK, F_WRLCK */
	int64_t		r_start, r_end;	/* [bucket's token] both included */
};
struct flock_wait {
	struct list	fw_link;	/* [waits_spin] */
	const void	*fw_key;	/* const: the file */
	const void	*fw_who;	/* const: owner */
	const void	*fw_for;	/* [waits_spin] owner; NULL: cut */
};
struct bucket {
	struct token	b_tok;
	struct list	b_ranges;	/* [b_tok] */
	struct waitq	b_waitq;	/* for a range of the bucket to go */
};

static struct bucket	lockf_bucket[BUCKETS];
static struct spin	waits_spin = SPIN_INIT(lockf_waits);
static struct list	lockf_waits = LIST_INIT(lockf_waits);	/* [waits_spin] */
static _Atomic uint32_t	lockf_ranges;				/* in existence: most closes see 0 and are done */

void
lockf_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		token_init(&lockf_bucket[i].b_tok, "lockf");
		list_init(&lockf_bucket[i].b_ranges);
		waitq_init(&lockf_bucket[i].b_waitq);
	}
}

static const void *
lockf_key(const struct file *fp)
{
	if (fp->f_vnode != NULL)
		return fp->f_vnode;
	return fp->f_data != NULL ? fp->f_data : fp;
}

static struct bucket *
lockf_find_bucket(const void *key)
{
	return &lockf_bucket[rt_hash(RT_HASH_SEED, &key, sizeof(key)) % BUCKETS];
}

static struct flock_range *
range_new(const struct flock_range *like)
{
	struct flock_range *r;

	if (atomic_fetch_add(&lockf_ranges, 1) < LOCKS_MAX && (r = kmalloc(sizeof(*r), KM_WAIT)) != NULL) {
		*r = *like;
		list_init(&r->r_link);
		return r;
	}
	atomic_fetch_sub(&lockf_ranges, 1);
	return NULL;
}

static void
range_free(struct flock_range *r)
{
	if (r == NULL)
		return;
	list_remove(&r->r_link);
	kfree(r);
	atomic_fetch_sub(&lockf_ranges, 1);
}

/* A range of somebody else that stands in the way of `want`; NULL: none. */
static struct flock_range *
range_conflict(struct bucket *b, const struct flock_range *want)
{
	token_assert_held(&b->b_tok);
	list_foreach(r, &b->b_ranges, struct flock_range, r_link) {
		if (r->r_key == want->r_key && r->r_flock == want->r_flock && r->r_owner != want->r_owner &&
		    r->r_start <= want->r_end && want->r_start <= r->r_end &&
		    (r->r_type == F_WRLCK || want->r_type == F_WRLCK))
			return r;
	}
	return NULL;
}

/* L3: the waits for `owner` on a file, who then look again. */
static void
waits_cut(struct bucket *b, const void *key, const void *owner)
{
	spin_lock(&waits_spin);
	list_foreach(w, &lockf_waits, struct flock_wait, fw_link) {
		if (w->fw_key == key && w->fw_for == owner)
			w->fw_for = NULL;
	}
	spin_unlock(&waits_spin);
	wake_all(&b->b_waitq);
}

/* L1: `add` (F_UNLCK: nothing) takes the place of what its owner has there.  `spare` serves a split. */
static void
range_apply(struct bucket *b, struct flock_range *add, struct flock_range *spare)
{
	const void *key = add->r_key, *owner = add->r_owner;

	token_assert_held(&b->b_tok);
	list_foreach_safe(r, &b->b_ranges, struct flock_range, r_link) {
		bool near = r->r_start <= (add->r_end == INT64_MAX ? INT64_MAX : add->r_end + 1) &&
		    (add->r_start == 0 || add->r_start - 1 <= r->r_end);
		bool over = r->r_start <= add->r_end && add->r_start <= r->r_end;

		if (r->r_key != add->r_key || r->r_flock != add->r_flock || r->r_owner != add->r_owner)
			continue;
		if (near && r->r_type == add->r_type) {
			add->r_start = r->r_start < add->r_start ? r->r_start : add->r_start;
			add->r_end = r->r_end > add->r_end ? r->r_end : add->r_end;
			range_free(r);
		} else if (over && r->r_start < add->r_start && r->r_end > add->r_end) {
			ASSERT(spare != NULL);
			*spare = *r;
			spare->r_start = add->r_end + 1;
			r->r_end = add->r_start - 1;
			list_push_front(&b->b_ranges, &spare->r_link);
			spare = NULL;
		} else if (over && r->r_start < add->r_start) {
			r->r_end = add->r_start - 1;
		} else if (over && r->r_end > add->r_end) {
			r->r_start = add->r_end + 1;
		} else if (over) {
			range_free(r);
		}
	}
	if (add->r_type != F_UNLCK)
		list_push_back(&b->b_ranges, &add->r_link);
	else
		range_free(add);
	range_free(spare);
	waits_cut(b, key, owner);
}

/* L3: does `owner`, directly or through those it waits for, wait for `me`?  [waits_spin] */
static bool
wait_would_deadlock(const void *me, const void *owner)
{
	for (int n = 0; n < CHAIN_MAX && owner != NULL; n++) {
		const void *next = NULL;

		if (owner == me)
			return true;
		list_foreach(w, &lockf_waits, struct flock_wait, fw_link) {
			if (w->fw_who == owner) {
				next = w->fw_for;
				break;
			}
		}
		owner = next;
	}
	return false;
}

static int
wait_record(struct flock_wait *fw, const struct flock_range *want, const struct flock_range *blocker)
{
	int error = 0;

	list_init(&fw->fw_link);
	if (want->r_flock || want->r_pid < 0)
		return 0;
	spin_lock(&waits_spin);
	if (wait_would_deadlock(want->r_owner, blocker->r_owner)) {
		error = EDEADLK;
	} else {
		fw->fw_key = want->r_key;
		fw->fw_who = want->r_owner;
		fw->fw_for = blocker->r_owner;
		list_push_back(&lockf_waits, &fw->fw_link);
	}
	spin_unlock(&waits_spin);
	return error;
}

static void
wait_forget(struct flock_wait *fw)
{
	spin_lock(&waits_spin);
	list_remove(&fw->fw_link);
	spin_unlock(&waits_spin);
}

/* Take the range or fail; `add` and `spare` are used up. */
static int
range_acquire(const void *key, struct flock_range *add, struct flock_range *spare, bool block)
{
	struct bucket *b = lockf_find_bucket(key);
	struct flock_range *blocker;
	struct flock_wait fw;
	struct waiter w;
	int error = 0;

	token_get(&b->b_tok);
	wait_begin(&b->b_waitq, &w);
	while (error == 0 && add->r_type != F_UNLCK && (blocker = range_conflict(b, add)) != NULL) {
		if (!block) {
			error = EAGAIN;
			break;
		}
		if ((error = wait_record(&fw, add, blocker)) != 0)
			break;
		error = wait_sleep(&w, NSEC_NEVER, WAIT_INTR) != 0 ? ERESTARTSYS : 0;
		wait_forget(&fw);
	}
	wait_end(&w);
	if (error == 0) {
		range_apply(b, add, spare);
	} else {
		range_free(add);
		range_free(spare);
	}
	token_release(&b->b_tok);
	return error;
}

/* The range that l describes, in absolute positions. */
static int
flock_range_of(struct file *fp, const struct k_flock *l, int64_t *start, int64_t *end)
{
	uint64_t base = 0;
	struct k_stat st;
	int error;

	if (l->l_whence == SEEK_CUR && fp->f_ops->fo_seek != NULL)
		error = file_seek(fp, 0, SEEK_CUR, &base);
	else if (l->l_whence == SEEK_END && (error = file_stat(fp, &st)) == 0)
		base = (uint64_t)st.st_size;
	else
		error = l->l_whence == SEEK_SET || l->l_whence == SEEK_CUR ? 0 : EINVAL;
	if (error != 0)
		return error;
	if (__builtin_add_overflow((int64_t)base, l->l_start, start))
		return EOVERFLOW;
	*end = INT64_MAX;
	if (*start < 0)
		return EINVAL;
	if (l->l_len > 0 && __builtin_add_overflow(*start, l->l_len - 1, end))
		return EOVERFLOW;
	if (l->l_len < 0) {
		*end = *start - 1;
		if (__builtin_add_overflow(*start, l->l_len, start) || *start < 0)
			return EINVAL;
	}
	return 0;
}

static int
lockf_get(const struct flock_range *want, struct k_flock *l)
{
	struct bucket *b = lockf_find_bucket(want->r_key);
	struct flock_range *r;

	token_get(&b->b_tok);
	r = range_conflict(b, want);
	if (r == NULL) {
		l->l_type = F_UNLCK;
	} else {
		l->l_type = (int16_t)r->r_type;
		l->l_whence = SEEK_SET;
		l->l_start = r->r_start;
		l->l_len = r->r_end == INT64_MAX ? 0 : r->r_end - r->r_start + 1;
		l->l_pid = r->r_pid;
	}
	token_release(&b->b_tok);
	return 0;
}

int
lockf_fcntl(struct file *fp, int cmd, struct k_flock *l)
{
	bool ofd = cmd >= F_OFD_GETLK, get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct flock_range want = {
		.r_key = lockf_key(fp), .r_owner = ofd ? (const void *)fp : fdtable_current(),
		.r_pid = ofd ? -1 : curproc->p_pid, .r_type = l->l_type,
	}, *add, *spare;
	int error;

	if (l->l_type != F_RDLCK && l->l_type != F_WRLCK && (l->l_type != F_UNLCK || get))
		return EINVAL;
	if (ofd && l->l_pid != 0)
		return EINVAL;
	if ((error = flock_range_of(fp, l, &want.r_start, &want.r_end)) != 0)
		return error;
	if (get)
		return lockf_get(&want, l);
	if ((l->l_type == F_RDLCK && !file_can_read(fp)) || (l->l_type == F_WRLCK && !file_can_write(fp)))
		return EBADF;
	if ((add = range_new(&want)) == NULL)
		return ENOLCK;
	if ((spare = range_new(&want)) == NULL) {
		range_free(add);
		return ENOLCK;
	}
	return range_acquire(want.r_key, add, spare, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

int
lockf_flock(struct file *fp, uint32_t op)
{
	struct flock_range want = { .r_key = lockf_key(fp), .r_owner = fp, .r_flock = true, .r_end = INT64_MAX }, *add;
	struct bucket *b = lockf_find_bucket(want.r_key);

	if ((op & LOCK_MAND) != 0)
		return 0;			/* mandatory locks: asked for, and never there */
	switch (op & ~LOCK_NB) {
	case LOCK_SH: want.r_type = F_RDLCK; break;
	case LOCK_EX: want.r_type = F_WRLCK; break;
	case LOCK_UN: want.r_type = F_UNLCK; break;
	default: return EINVAL;
	}
	if ((add = range_new(&want)) == NULL)
		return ENOLCK;
	/* A change of kind gives the old lock up first, as Linux does. */
	token_get(&b->b_tok);
	list_foreach_safe(r, &b->b_ranges, struct flock_range, r_link) {
		if (r->r_flock && r->r_owner == fp && r->r_type != want.r_type) {
			range_free(r);
			wake_all(&b->b_waitq);
		}
	}
	token_release(&b->b_tok);
	return range_acquire(want.r_key, add, NULL, (op & LOCK_NB) == 0);
}

static void
lockf_drop(struct file *fp, const void *owner, bool flock)
{
	struct bucket *b;
	bool found = false;

	if (atomic_load(&lockf_ranges) == 0)
		return;
	b = lockf_find_bucket(lockf_key(fp));
	token_get(&b->b_tok);
	list_foreach_safe(r, &b->b_ranges, struct flock_range, r_link) {
		if (r->r_owner == owner && r->r_flock == flock && r->r_key == lockf_key(fp)) {
			range_free(r);
			found = true;
		}
	}
	if (found)
		waits_cut(b, lockf_key(fp), owner);
	token_release(&b->b_tok);
}

void
lockf_drop_table(struct file *fp, const struct fdtable *ft)
{
	lockf_drop(fp, ft, false);
}

void
lockf_drop_file(struct file *fp)
{
	lockf_drop(fp, fp, false);
	lockf_drop(fp, fp, true);
}
