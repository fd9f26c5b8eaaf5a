/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_futex - sleep until somebody changes a word of user memory and says so.
 *
 * A waiter is on the queue before the word is read: whoever changes the word
 * after that finds the waiter, so a wake-up cannot fall between.  A word in a
 * shared mapping is known by object and offset, any other by address space
 * and address.
 *
 * Invariants
 *   F1  f_queued exactly while the waiter is on the list of the bucket that
 *       f_key hashes to; who takes it off wakes it.
 *   F2  a waiter that was taken off counts as woken, also when its word had
 *       changed or its time was over.
 *
 * Locking: the bucket's spin lock; two of them in the order of addresses.
 * Not here: locks whose word names the owner (futex_pi.c).
 */
#include "futex_int.h"

#include <abi/errno.h>
#include <abi/time.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/uaccess.h>

#include "syscall_int.h"
#include "timespec.h"

#define BUCKETS		256u
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET = 9,
	FUTEX_LOCK_PI = 6, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAKE_BITSET = 10, FUTEX_WAIT_REQUEUE_PI,
	FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2 };
#define FUTEX_PRIVATE		128
#define FUTEX_CLOCK_REALTIME	256
#define FUTEX_CMD_MASK		127
#define ANY			UINT32_MAX	/* bitset */
#define ROBUST_MAX		2048u		/* entries of a list that are looked at */

struct bucket {
	struct spin	b_spin;
	struct list	b_list;		/* [b_spin] of f_link */
};
static struct bucket buckets[BUCKETS];

static struct bucket *
bucket_of(const uint64_t key[2])
{
	uint64_t h = rt_hash(RT_HASH_SEED, key, 2 * sizeof key[0]);

	return &buckets[(h ^ h >> 32) % BUCKETS];
}

int
futex_key(uaddr_t addr, bool private, uint64_t key[2])
{
	if ((addr & 3) != 0)
		return EINVAL;
	if (addr >= MD_USER_MAX)
		return EFAULT;
	vm_word_key(curproc->p_vmspace, addr, private, key);
	return 0;
}

/* ---------------------------------------------------------------- waking -- */

/* b_spin held. */
static void
take_off(struct fwait *f)
{
	list_remove(&f->f_link);
	__atomic_store_n(&f->f_queued, false, __ATOMIC_RELEASE);
	wake_all(&f->f_waitq);
}

static uint32_t
wake(const uint64_t key[2], uint32_t max, uint32_t bits)
{
	struct bucket *b = bucket_of(key);
	uint32_t n = 0;

	spin_lock(&b->b_spin);
	list_foreach_safe(f, &b->b_list, struct fwait, f_link) {
		if (n == max)
			break;
		if (f->f_key[0] != key[0] || f->f_key[1] != key[1] || (f->f_bits & bits) == 0)
			continue;
		if (f->f_pi != NULL)
			continue;
		take_off(f);
		n++;
	}
	spin_unlock(&b->b_spin);
	return n;
}

/* As Linux counts: after the first one woken. */
static uint32_t
at_least_one(uint32_t n)
{
	return (int32_t)n < 1 ? 1 : n;
}

static void
lock_two(struct bucket *a, struct bucket *b)
{
	spin_lock(a < b ? &a->b_spin : &b->b_spin);
	if (a != b)
		spin_lock(a < b ? &b->b_spin : &a->b_spin);
}

static void
unlock_two(struct bucket *a, struct bucket *b)
{
	if (a != b)
		spin_unlock(a < b ? &b->b_spin : &a->b_spin);
	spin_unlock(a < b ? &a->b_spin : &b->b_spin);
}

static uint32_t
requeue(const uint64_t from[2], const uint64_t to[2], uint32_t nwake, uint32_t nmove)
{
	struct bucket *a = bucket_of(from), *b = bucket_of(to);
	uint32_t woken = 0, moved = 0;

	lock_two(a, b);
	list_foreach_safe(f, &a->b_list, struct fwait, f_link) {
		if (f->f_key[0] != from[0] || f->f_key[1] != from[1] || f->f_pi != NULL)
			continue;
		if (woken < nwake) {
			take_off(f);
			woken++;
			continue;
		}
		if (moved == nmove)
			break;
		list_remove(&f->f_link);
		f->f_key[0] = to[0];
		f->f_key[1] = to[1];
		__atomic_store_n(&f->f_bucket, b, __ATOMIC_RELEASE);
		list_push_back(&b->b_list, &f->f_link);
		moved++;
	}
	unlock_two(a, b);
	return woken + moved;
}

int
futex_take_pi(const uint64_t key[2], const uint64_t to[2], struct piwait **out)
{
	struct bucket *b = bucket_of(key);
	int error = 0;

	*out = NULL;
	spin_lock(&b->b_spin);
	list_foreach(f, &b->b_list, struct fwait, f_link) {
		if (f->f_key[0] != key[0] || f->f_key[1] != key[1])
			continue;
		if (f->f_pi == NULL || pi_key(f->f_pi)[0] != to[0] || pi_key(f->f_pi)[1] != to[1]) {
			error = EINVAL;
		} else {
			*out = f->f_pi;
			take_off(f);
		}
		break;
	}
	spin_unlock(&b->b_spin);
	return error;
}

/* --------------------------------------------------------------- waiting -- */

static void
enqueue(struct fwait *f, const uint64_t key[2], uint32_t bits)
{
	struct bucket *b = bucket_of(key);

	f->f_key[0] = key[0];
	f->f_key[1] = key[1];
	f->f_bits = bits;
	f->f_bucket = b;
	f->f_queued = true;
	waitq_init(&f->f_waitq);
	spin_lock(&b->b_spin);
	list_push_back(&b->b_list, &f->f_link);
	spin_unlock(&b->b_spin);
}

/* True: nobody had woken us (F2).  A requeue may move us while we look. */
static bool
dequeue(struct fwait *f)
{
	struct bucket *b;
	bool was;

	for (;;) {
		b = __atomic_load_n(&f->f_bucket, __ATOMIC_ACQUIRE);
		spin_lock(&b->b_spin);
		if (b == f->f_bucket)
			break;
		spin_unlock(&b->b_spin);
	}
	was = f->f_queued;
	if (was)
		list_remove(&f->f_link);
	f->f_queued = false;
	spin_unlock(&b->b_spin);
	return was;
}

int
futex_wait_on(uaddr_t addr, bool private, uint32_t expect, uint32_t bits, nsec_t deadline, struct piwait *pi,
    bool *moved)
{
	struct fwait f = { .f_pi = pi };
	struct waiter w;
	uint64_t key[2];
	uint32_t seen = 0;
	int error = futex_key(addr, private, key);

	*moved = false;
	if (error != 0)
		return error;
	enqueue(&f, key, bits);
	wait_begin(&f.f_waitq, &w);
	error = uload32(addr, &seen);
	if (error == 0 && seen != expect)
		error = EAGAIN;
	while (error == 0 && __atomic_load_n(&f.f_queued, __ATOMIC_ACQUIRE))
		error = wait_sleep(&w, deadline, WAIT_INTR);
	if (!dequeue(&f)) {
		error = 0;
		*moved = true;
	}
	wait_end(&w);
	return error;
}

static int
wait_on(uaddr_t addr, bool private, uint32_t expect, uint32_t bits, nsec_t deadline)
{
	bool moved;

	return futex_wait_on(addr, private, expect, bits, deadline, NULL, &moved);
}

static uint64_t
wait_restart(struct lwp *l)
{
	int error = wait_on(l->l_restart_arg[0], l->l_restart_arg[3] >> 32 != 0, (uint32_t)l->l_restart_arg[1],
	    (uint32_t)l->l_restart_arg[3], l->l_restart_arg[2]);

	if (error != EINTR)
		return (uint64_t)error;
	l->l_restart = wait_restart;
	return ERESTART_RESTARTBLOCK;
}

static int
do_wait(uaddr_t addr, bool private, uint32_t expect, uint32_t bits, nsec_t deadline)
{
	struct lwp *l = curlwp;
	int error;

	if (bits == 0)
		return EINVAL;
	error = wait_on(addr, private, expect, bits, deadline);
	if (error != EINTR)
		return error;
	if (deadline == NSEC_NEVER)
		return ERESTARTSYS;
	l->l_restart = wait_restart;
	l->l_restart_arg[0] = addr;
	l->l_restart_arg[1] = expect;
	l->l_restart_arg[2] = deadline;
	l->l_restart_arg[3] = bits | (uint64_t)private << 32;
	return ERESTART_RESTARTBLOCK;
}

/* FUTEX_WAIT counts from now, FUTEX_WAIT_BITSET names an instant of a clock. */
static int
deadline_in(uaddr_t from, int op, nsec_t *deadline)
{
	nsec_t t, origin;
	int error;

	if (from == 0 || (op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		return timeout_copyin(from, deadline);
	error = timespec_copyin(from, &t);
	if (error != 0)
		return error;
	origin = (op & FUTEX_CLOCK_REALTIME) != 0 ? time_wall() : time_now() - time_boot();
	*deadline = t > origin ? time_now() + (t - origin) : time_now();
	return 0;
}

/* ---------------------------------------------------------------- wake_op -- */

static int
wake_op_apply(uaddr_t addr, uint32_t code, uint32_t *was)
{
	uint32_t op = code >> 28 & 7, arg = (uint32_t)((int32_t)(code << 8) >> 20), new, seen;
	int error;

	if ((code >> 31) != 0) {
		if (arg > 31)
			return EINVAL;
		arg = 1u << arg;
	}
	if (op > 4)
		return ENOSYS;
	error = uload32(addr, was);
	while (error == 0) {
		new = op == 0 ? arg : op == 1 ? *was + arg : op == 2 ? *was | arg : op == 3 ? *was & ~arg : *was ^ arg;
		error = ucas32(addr, *was, new, &seen);
		if (error != 0 || seen == *was)
			break;
		*was = seen;
		lwkt_poll();
	}
	return error;
}

static bool
wake_op_true(uint32_t code, uint32_t was)
{
	int32_t v = (int32_t)was, arg = (int32_t)(code << 20) >> 20;

	switch (code >> 24 & 15) {
	case 0:
		return v == arg;
	case 1:
		return v != arg;
	case 2:
		return v < arg;
	case 3:
		return v <= arg;
	case 4:
		return v > arg;
	default:
		return v >= arg;
	}
}

static int
do_wake_op(struct sysmsg *m, const uint64_t key[2], const uint64_t key2[2], uint32_t nwake, uint32_t nwake2,
    uaddr_t addr2, uint32_t code)
{
	uint32_t was, n;
	int error;

	if ((code >> 24 & 15) > 5)
		return ENOSYS;
	error = wake_op_apply(addr2, code, &was);
	if (error != 0)
		return error;
	n = wake(key, at_least_one(nwake), ANY);
	if (wake_op_true(code, was))
		n += wake(key2, at_least_one(nwake2), ANY);
	m->sm_result = n;
	return 0;
}

/* The operations of futex_pi.c. */
static int
do_pi(struct sysmsg *m, uaddr_t addr, int op, uint32_t val, uint64_t timeout, uaddr_t addr2, uint32_t val3)
{
	bool private = (op & FUTEX_PRIVATE) != 0;
	int cmd = op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME), error = 0;
	nsec_t deadline = NSEC_NEVER;
	uint32_t done;

	if (cmd == FUTEX_LOCK_PI)
		op |= FUTEX_CLOCK_REALTIME;
	if (cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI)
		error = deadline_in(timeout, op, &deadline);
	if (error != 0)
		return error;
	switch (cmd) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return pi_lock(addr, private, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return pi_lock(addr, private, NSEC_NEVER, true);
	case FUTEX_UNLOCK_PI:
		return pi_unlock(addr, private);
	case FUTEX_WAIT_REQUEUE_PI:
		return pi_wait_requeue(addr, val, addr2, private, deadline);
	}
	if (val != 1 || (int32_t)timeout < 0)
		return EINVAL;
	error = pi_requeue(addr, val3, addr2, private, (uint32_t)timeout + 1, &done);
	m->sm_result = done;
	return error;
}

int
sys_futex(struct sysmsg *m, uaddr_t addr, int op, uint32_t val, uint64_t timeout, uaddr_t addr2, uint32_t val3)
{
	bool private = (op & FUTEX_PRIVATE) != 0;
	int cmd = op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME), error;
	uint64_t key[2], key2[2];
	nsec_t deadline;
	uint32_t seen;

	if ((op & FUTEX_CLOCK_REALTIME) != 0 && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI &&
	    cmd != FUTEX_LOCK_PI2)
		return ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		error = deadline_in(timeout, op, &deadline);
		return error != 0 ? error : do_wait(addr, private, val, cmd == FUTEX_WAIT ? ANY : val3, deadline);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		if (cmd == FUTEX_WAKE_BITSET && val3 == 0)
			return EINVAL;
		error = futex_key(addr, private, key);
		if (error == 0)
			m->sm_result = wake(key, at_least_one(val), cmd == FUTEX_WAKE ? ANY : val3);
		return error;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
		error = futex_key(addr, private, key);
		if (error == 0)
			error = futex_key(addr2, private, key2);
		if (error != 0)
			return error;
		if (cmd == FUTEX_WAKE_OP)
			return do_wake_op(m, key, key2, val, (uint32_t)timeout, addr2, val3);
		if ((int32_t)val < 0 || (int32_t)timeout < 0)
			return EINVAL;
		if (cmd == FUTEX_CMP_REQUEUE) {
			error = uload32(addr, &seen);
			if (error != 0 || seen != val3)
				return error != 0 ? error : EAGAIN;
		}
		m->sm_result = requeue(key, key2, val, (uint32_t)timeout);
		return 0;
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
	case FUTEX_UNLOCK_PI:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_CMP_REQUEUE_PI:
		return do_pi(m, addr, op, val, timeout, addr2, val3);
	default:
		return ENOSYS;
	}
}

/* ------------------------------------------------------- a thread's end -- */

struct robust_head {
	uint64_t	next;		/* of the entries, whose first word is the next one; bit 0: IS_PI */
	int64_t		offset;		/* from an entry to its futex word */
	uint64_t	pending;	/* an entry that is just being taken or given back */
};

#define IS_PI(entry)	(((entry) & 1) != 0)	/* its word names the owner: who waits is pi_exit()'s */

/* The owner of this lock has died: say so in the word and wake one who waits. */
static void
owner_died(uaddr_t word, bool pi, uint32_t tid)
{
	uint32_t was, seen;
	uint64_t key[2];

	if ((word & 3) != 0 || uload32(word, &was) != 0)
		return;
	while ((was & FUTEX_TID_MASK) == tid) {
		if (ucas32(word, was, (was & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen) != 0)
			return;
		if (seen == was) {
			if ((was & FUTEX_WAITERS) != 0 && !pi && futex_key(word, false, key) == 0)
				(void)wake(key, 1, ANY);
			return;
		}
		was = seen;
		lwkt_poll();
	}
}

/* The list is the program's: as long as it likes, and ours only up to a bound. */
static void
robust_exit(struct lwp *l)
{
	uint32_t tid = (uint32_t)l->l_tid;
	struct robust_head head;
	uint64_t at;
	bool pi;

	if (l->l_robust_list == 0 || copyin(&head, l->l_robust_list, sizeof head) != 0)
		return;
	at = head.next & ~1ull;
	pi = IS_PI(head.next);
	for (uint32_t i = 0; i < ROBUST_MAX && at != l->l_robust_list; i++) {
		uint64_t next;
		int error = copyin(&next, at, sizeof next);	/* first: the lock may be freed once it is given up */

		if (at != (head.pending & ~1ull))
			owner_died(at + (uint64_t)head.offset, pi, tid);
		if (error != 0)
			break;
		at = next & ~1ull;
		pi = IS_PI(next);
		lwkt_poll();
	}
	if (head.pending != 0)
		owner_died((head.pending & ~1ull) + (uint64_t)head.offset, IS_PI(head.pending), tid);
}

/* A thread that ends clears the word it was told to, and wakes who waits for that. */
static void
futex_lwp_exit(struct lwp *l)
{
	struct proc *p = l->l_proc;
	uint64_t key[2];

	if (p->p_vmspace != NULL)
		robust_exit(l);
	l->l_robust_list = 0;
	pi_exit(l);
	if (p->p_vmspace == NULL)
		return;
	if (l->l_clear_tid == 0)
		return;
	if (p->p_nlwps == 1 && !p->p_vm_shared)
		return;			/* nobody is left to look; and a page copied for this would be dear */
	if (ustore32(l->l_clear_tid, 0) == 0 && futex_key(l->l_clear_tid, false, key) == 0)
		(void)wake(key, 1, ANY);
	l->l_clear_tid = 0;
}

static void
futex_exec(struct proc *p)
{
	(void)p;
	pi_exec(curlwp);
}

static struct proc_hooks futex_hooks = { .ph_lwp_exit = futex_lwp_exit, .ph_exec = futex_exec };

void
futex_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].b_spin, LR_futex);
		list_init(&buckets[i].b_list);
	}
	pi_init();
	proc_add_hooks(&futex_hooks);
}
