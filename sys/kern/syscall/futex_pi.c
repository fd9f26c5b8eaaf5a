/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * futex_pi - locks whose word names the owner: FUTEX_LOCK_PI and its like.
 *
 * The word holds the number of the thread that owns the lock, and a bit that says that others wait
 * here.  Who gives up such a lock hands it to the one who waits longest, by writing his number; an
 * owner that dies leaves it to him, too.  So the lock is never free while somebody waits, and
 * nobody takes it from the side.
 *
 * A struct pi exists while somebody waits for the word, and knows the owner as a thread.  The word is
 * the program's and may say anything: where the two differ the call fails.
 *
 * Invariants
 *   P1  pi_owner is alive: a thread that ends gives all of them to others (pi_exit), and is nobody's
 *       owner from then on (l_pi_gone).
 *   P2  l_pi_owned of a thread is how many pi_owner name it.
 *   P3  w_pi of who waits is the lock that it is on the list of; the owner of that may wait for another
 *       one, and so on: no such chain ends where it began.
 *   P4  after an owner's death the new one writes the word, for the dead has no memory any more.  It stays
 *       on the list until then, so that the struct pi keeps others from taking the lock.
 *
 * Locking: the bucket's lk, over looking at the word and changing it; the graph of owners and waiters
 * (pi_owner, w_pi, l_pi_wait, l_pi_gone) changes under pi_spin, too.
 * Not here: priority inheritance itself.  The scheduler has no priorities to lend: an owner is not
 * made faster by who waits.  FUTEX_WAKE does not look here, and wakes nobody who waits for such a lock.
 */
#include "futex_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/lock.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define BUCKETS		64u
#define CHAIN_MAX	1024u		/* as long as Linux follows one */

struct pibucket {
	struct lk	b_lk;
	struct list	b_list;		/* [b_lk] of pi_link */
};
struct pi {
	struct list	pi_link;	/* [bucket] */
	uint64_t	pi_key[2];	/* const */
	struct lwp	*pi_owner;	/* [bucket and pi_spin to change] P1 */
	bool		pi_died;	/* [bucket] the owner has yet to write the word: P4 */
	struct list	pi_waits;	/* [bucket] of w_link, the longest first */
};
struct piwait {
	struct list	w_link;		/* [bucket of w_key] */
	uint64_t	w_key[2];	/* const: of the lock */
	uaddr_t		w_addr;		/* const */
	struct lwp	*w_lwp;		/* const */
	struct pi	*w_pi;		/* [bucket] P3; NULL: not on a list */
	bool		w_died;		/* [bucket] P4 */
	_Atomic bool	w_granted;	/* [bucket to change] it is ours */
	struct waitq	w_waitq;
};
static struct pibucket buckets[BUCKETS];
static struct spin pi_spin;

const uint64_t *
pi_key(const struct piwait *w)
{
	return w->w_key;
}

static struct pibucket *
bucket_of(const uint64_t key[2])
{
	uint64_t h = rt_hash(RT_HASH_SEED, key, 2 * sizeof key[0]);

	return &buckets[(h ^ h >> 32) % BUCKETS];
}

static struct pi *
find(struct pibucket *b, const uint64_t key[2])
{
	ASSERT(lk_held_excl(&b->b_lk));
	list_foreach(pi, &b->b_list, struct pi, pi_link)
		if (pi->pi_key[0] == key[0] && pi->pi_key[1] == key[1])
			return pi;
	return NULL;
}

static int
wait_init(struct piwait *w, uaddr_t addr, bool private)
{
	*w = (struct piwait){ .w_addr = addr, .w_lwp = curlwp };
	list_init(&w->w_link);
	waitq_init(&w->w_waitq);
	return futex_key(addr, private, w->w_key);
}

/* ---------------------------------------------------------- who owns, who waits -- */

/* The bucket is held. */
static void
set_owner(struct pi *pi, struct lwp *l)
{
	spin_lock(&pi_spin);
	pi->pi_owner->l_pi_owned--;
	pi->pi_owner = l;
	l->l_pi_owned++;
	spin_unlock(&pi_spin);
}

/* Without anybody who waits the struct pi ends. */
static void
forget(struct pi *pi)
{
	if (!list_empty(&pi->pi_waits))
		return;
	spin_lock(&pi_spin);
	pi->pi_owner->l_pi_owned--;
	spin_unlock(&pi_spin);
	list_remove(&pi->pi_link);
	kfree(pi);
}

static void
waits_for(struct lwp *l, struct pi *pi)
{
	spin_lock(&pi_spin);
	l->l_pi_wait = pi;
	spin_unlock(&pi_spin);
}

/* w does not wait any more. */
static void
leave(struct piwait *w)
{
	struct pi *pi = w->w_pi;

	list_remove(&w->w_link);
	w->w_pi = NULL;
	waits_for(w->w_lwp, NULL);
	forget(pi);
}

static void
grant(struct piwait *w)
{
	atomic_store(&w->w_granted, true);
	wake_all(&w->w_waitq);
}

/* Would l wait for itself, if it waited for pi?  P3. */
static bool
is_circle(const struct pi *pi, const struct lwp *l)
{
	uint32_t n = 0;

	spin_lock(&pi_spin);
	while (pi != NULL && pi->pi_owner != l && n++ < CHAIN_MAX)
		pi = pi->pi_owner->l_pi_wait;
	spin_unlock(&pi_spin);
	return pi != NULL;
}

/* EDEADLK: P3. */
static int
join(struct pi *pi, struct piwait *w)
{
	if (is_circle(pi, w->w_lwp)) {
		forget(pi);
		return EDEADLK;
	}
	list_push_back(&pi->pi_waits, &w->w_link);
	w->w_pi = pi;
	waits_for(w->w_lwp, pi);
	return 0;
}

/* A thread of that number becomes the owner of pi, which nobody has seen.  ESRCH: there is none. */
static int
attach(struct pi *pi, uint32_t tid)
{
	struct proc *p = proc_find_tid((int32_t)tid);
	int error = ESRCH;

	if (p == NULL)
		return ESRCH;
	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (l->l_tid == (int32_t)tid) {
			spin_lock(&pi_spin);
			if (!l->l_pi_gone) {
				pi->pi_owner = l;
				l->l_pi_owned++;
				error = 0;
			}
			spin_unlock(&pi_spin);
			break;
		}
	spin_unlock(&p->p_sig);
	proc_drop(p);
	return error;
}

static int
make_pi(struct pibucket *b, const uint64_t key[2], uint32_t tid, struct pi **out)
{
	struct pi *pi = kmalloc(sizeof(*pi), KM_ZERO | KM_WAIT);
	int error;

	if (pi == NULL)
		return ENOMEM;
	pi->pi_key[0] = key[0];
	pi->pi_key[1] = key[1];
	list_init(&pi->pi_link);
	list_init(&pi->pi_waits);
	if ((error = attach(pi, tid)) != 0) {
		kfree(pi);
		return error;
	}
	list_push_back(&b->b_list, &pi->pi_link);
	*out = pi;
	return 0;
}

/* ---------------------------------------------------------------------- locking -- */

/* Does the word agree with what is known? */
static bool
agrees(const struct pi *pi, uint32_t word)
{
	uint32_t tid = word & FUTEX_TID_MASK;

	return pi->pi_died || tid == (uint32_t)pi->pi_owner->l_tid ||
	    (tid == 0 && (word & FUTEX_OWNER_DIED) != 0);
}

/*
 * The bucket is held.  w->w_lwp gets the lock (0), or the word says now that others wait (EAGAIN, and *pi is
 * whom for).  `more`: others will wait behind it at once.
 */
static int
take_or_mark(struct pibucket *b, struct piwait *w, bool more, struct pi **out)
{
	uint32_t me = (uint32_t)w->w_lwp->l_tid, was, now, seen;
	struct pi *pi = find(b, w->w_key);
	int error;

	for (error = uload32(w->w_addr, &was); error == 0; was = seen) {
		bool open = pi == NULL && (was & FUTEX_TID_MASK) == 0;

		if ((was & FUTEX_TID_MASK) == me)
			return EDEADLK;
		if (pi != NULL && !agrees(pi, was))
			return EINVAL;
		now = open ? (was & FUTEX_OWNER_DIED) | me | (more ? FUTEX_WAITERS : 0) : was | FUTEX_WAITERS;
		if ((error = ucas32(w->w_addr, was, now, &seen)) != 0)
			break;
		if (seen == was && open)
			return 0;
		if (seen == was && pi == NULL) {
			error = make_pi(b, w->w_key, was & FUTEX_TID_MASK, &pi);
			/* It may have died meanwhile, and said so. */
			if (error == ESRCH && uload32(w->w_addr, &seen) == 0 && seen != now)
				error = 0;
			else if (error != 0)
				break;
		}
		if (pi != NULL) {
			*out = pi;
			return EAGAIN;
		}
		lwkt_poll();
	}
	return error;
}

/* P4: the word of a lock that was left to us says so. */
static void
write_word(struct piwait *w)
{
	uint32_t was, seen, me = (uint32_t)w->w_lwp->l_tid;

	if (uload32(w->w_addr, &was) != 0)
		return;
	while (ucas32(w->w_addr, was, me | FUTEX_WAITERS | FUTEX_OWNER_DIED, &seen) == 0 && seen != was) {
		was = seen;
		lwkt_poll();
	}
}

/* w is on a list, or has the lock already.  0: it has. */
static int
wait_lock(struct piwait *w, nsec_t deadline)
{
	struct pibucket *b = bucket_of(w->w_key);
	int error;

	WAIT_FOR(&w->w_waitq, w->w_granted, deadline, WAIT_INTR, error);
	lk_excl(&b->b_lk);
	if (w->w_granted)
		error = 0;
	if (w->w_died) {
		write_word(w);
		w->w_pi->pi_died = false;
	}
	if (w->w_pi != NULL)
		leave(w);
	lk_release(&b->b_lk);
	return error;
}

int
pi_lock(uaddr_t addr, bool private, nsec_t deadline, bool try)
{
	struct pibucket *b;
	struct piwait w;
	struct pi *pi = NULL;
	int error = wait_init(&w, addr, private);

	if (error != 0)
		return error;
	b = bucket_of(w.w_key);
	lk_excl(&b->b_lk);
	error = take_or_mark(b, &w, false, &pi);
	if (pi != NULL && try)
		forget(pi);
	else if (pi != NULL)
		error = join(pi, &w);
	lk_release(&b->b_lk);
	if (pi == NULL || error != 0)
		return error;
	error = wait_lock(&w, deadline);
	return error == EINTR ? ERESTARTNOINTR : error;
}

/* The bucket is held; pi is the caller's.  The longest waiting gets it. */
static int
hand_over(struct pi *pi, uaddr_t addr, uint32_t was, uint32_t *seen)
{
	struct piwait *w = list_first(&pi->pi_waits, struct piwait, w_link);
	int error = ucas32(addr, was, FUTEX_WAITERS | (uint32_t)w->w_lwp->l_tid, seen);

	if (error != 0 || *seen != was)
		return error;
	set_owner(pi, w->w_lwp);
	leave(w);
	grant(w);
	return 0;
}

int
pi_unlock(uaddr_t addr, bool private)
{
	uint32_t was, seen = 0, me = (uint32_t)curlwp->l_tid;
	struct pibucket *b;
	uint64_t key[2];
	struct pi *pi;
	int error;

	if ((error = futex_key(addr, private, key)) != 0)
		return error;
	b = bucket_of(key);
	lk_excl(&b->b_lk);
	for (error = uload32(addr, &was); error == 0; was = seen) {
		if ((was & FUTEX_TID_MASK) != me)
			error = EPERM;
		else if ((pi = find(b, key)) != NULL && pi->pi_owner != curlwp)
			error = EINVAL;
		else
			error = pi != NULL ? hand_over(pi, addr, was, &seen) : ucas32(addr, was, 0, &seen);
		if (error != 0 || seen == was)
			break;
		lwkt_poll();
	}
	lk_release(&b->b_lk);
	return error;
}

/* ------------------------------------------------- from a condition to its lock -- */

int
pi_wait_requeue(uaddr_t addr, uint32_t expect, uaddr_t lock, bool private, nsec_t deadline)
{
	struct pibucket *b;
	struct piwait w;
	bool moved;
	int error;

	if (addr == lock)
		return EINVAL;
	if ((error = wait_init(&w, lock, private)) != 0)
		return error;
	error = futex_wait_on(addr, private, expect, UINT32_MAX, deadline, &w, &moved);
	if (!moved)
		return error == EINTR ? ERESTARTNOINTR : error;
	/* Who moves us holds the bucket until it is decided what becomes of us. */
	b = bucket_of(w.w_key);
	lk_excl(&b->b_lk);
	error = w.w_pi == NULL && !w.w_granted ? EAGAIN : 0;
	lk_release(&b->b_lk);
	if (error == 0)
		error = wait_lock(&w, deadline);
	return error == EINTR ? EAGAIN : error;		/* the word has changed since */
}

/* The bucket of the lock is held: w, who slept on a condition, has the lock or waits for it. */
static int
move_one(struct pibucket *b, struct piwait *w, bool more)
{
	struct pi *pi = NULL;
	int error = take_or_mark(b, w, more, &pi);

	if (error == 0)
		grant(w);
	return pi != NULL ? join(pi, w) : error;
}

int
pi_requeue(uaddr_t addr, uint32_t expect, uaddr_t lock, bool private, uint32_t max, uint32_t *done)
{
	uint64_t from[2], to[2];
	struct pibucket *b;
	struct piwait *w;
	uint32_t seen;
	int error;

	*done = 0;
	if (addr == lock)
		return EINVAL;
	if ((error = futex_key(addr, private, from)) != 0 || (error = futex_key(lock, private, to)) != 0)
		return error;
	b = bucket_of(to);
	lk_excl(&b->b_lk);
	error = uload32(addr, &seen);
	if (error == 0 && seen != expect)
		error = EAGAIN;
	while (error == 0 && *done < max && (error = futex_take_pi(from, to, &w)) == 0 && w != NULL) {
		/* The addresses may differ between processes, but the lock is ours to look at by our own. */
		uaddr_t theirs = w->w_addr;

		w->w_addr = lock;
		error = move_one(b, w, max > 1);
		w->w_addr = theirs;
		*done += error == 0;
		lwkt_poll();
	}
	lk_release(&b->b_lk);
	return *done > 0 ? 0 : error;
}

/* ---------------------------------------------------------------- a thread's end -- */

static void
give_all(struct pibucket *b, struct lwp *l)
{
	lk_excl(&b->b_lk);
	list_foreach(pi, &b->b_list, struct pi, pi_link)
		if (pi->pi_owner == l) {
			struct piwait *w = list_first(&pi->pi_waits, struct piwait, w_link);

			set_owner(pi, w->w_lwp);
			waits_for(w->w_lwp, NULL);
			pi->pi_died = w->w_died = true;
			grant(w);
		}
	lk_release(&b->b_lk);
}

void
pi_exit(struct lwp *l)
{
	uint32_t owned;

	spin_lock(&pi_spin);
	l->l_pi_gone = true;
	owned = l->l_pi_owned;
	spin_unlock(&pi_spin);
	for (uint32_t i = 0; i < BUCKETS && owned > 0; i++)
		give_all(&buckets[i], l);
	ASSERT(l->l_pi_owned == 0 && l->l_pi_wait == NULL);
}

void
pi_exec(struct lwp *l)
{
	spin_lock(&pi_spin);
	l->l_pi_gone = false;
	spin_unlock(&pi_spin);
}

void
pi_init(void)
{
	spin_init(&pi_spin, LR_futex_owners);
	for (uint32_t i = 0; i < BUCKETS; i++) {
		lk_init(&buckets[i].b_lk, LR_futex_pi);
		list_init(&buckets[i].b_list);
	}
}
