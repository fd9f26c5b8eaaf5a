/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfile_ask - who waits for the host
 *
 * A CPU that waits in a call of the host serves nobody meanwhile, so what
 * takes long is given to helper threads, made on first use.  What does not is
 * answered by who asks: handing it over costs more than most answers.
 *
 * Contents say for themselves whether they can be had at once; fsync never
 * can.  About the rest the host says nothing, so it is measured: a filesystem
 * that made somebody wait for QUICK_NS is slow for its next SLOW_REQUESTS,
 * which helpers get, and for as many again after each that took long.  So of
 * all its requests about one in SLOW_REQUESTS holds up a CPU.
 *
 * Locking: h_lock; slow[] is atomic, and a lost count does no harm.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "hostfile_int.h"

#define HELPERS_MAX	8u
#define QUEUE_MAX	64u
#define QUICK_NS	500000u
#define SLOW_REQUESTS	32u
#define DEVICES		64u			/* power of two */

static _Atomic uint32_t slow[DEVICES];		/* [atomic] requests that helpers still get, by device */

static struct {
	struct hk_lock	h_lock;
	_Atomic uint32_t h_work;	/* futex: grows with each request, and at the end */
	bool		h_stop;		/* [h_lock] */
	uint32_t	h_nthreads, h_idle;	/* [h_lock] */
	uint64_t	h_thread[HELPERS_MAX];	/* [h_lock] */
	uint32_t	h_out;		/* [h_lock] given and not yet fetched: at most QUEUE_MAX */
	struct hk_freq	*h_todo[QUEUE_MAX], *h_done[QUEUE_MAX];	/* [h_lock] rings */
	uint32_t	h_todo_put, h_todo_get, h_done_put, h_done_get;	/* [h_lock] */
} help;

static _Atomic uint32_t *
slow_of(const struct hk_freq *q)
{
	const struct node *n = hk_node_of(q->q_node);

	return &slow[n == NULL ? 0 : (n->n_dev * 0x9e3779b97f4a7c15ull >> 32) & (DEVICES - 1)];
}

/* Answered by this thread; whether that was quick is remembered.  blame: it could have been. */
static long
timed_answer(struct hk_freq *q, bool wait, bool blame)
{
	_Atomic uint32_t *left = slow_of(q);
	uint64_t before = hk_clock_mono();
	long r = hk_files_answer(q, wait);
	uint32_t n = atomic_load_explicit(left, memory_order_relaxed);

	if (hk_clock_mono() - before < QUICK_NS) {
		if (n > 0)
			atomic_compare_exchange_strong(left, &n, n - 1);
	} else if (blame) {
		atomic_store_explicit(left, SLOW_REQUESTS, memory_order_relaxed);
	}
	return r;
}

/* False: it may take long. */
static bool
answered_at_once(struct hk_freq *q, long *r)
{
	bool quick = atomic_load_explicit(slow_of(q), memory_order_relaxed) == 0;

	switch (q->q_op) {
	case HK_FOP_FSYNC:
		return false;
	case HK_FOP_READ:
		*r = timed_answer(q, false, true);
		if (*r == -EOPNOTSUPP && quick)
			*r = timed_answer(q, true, true);
		return *r != -EAGAIN && *r != -EOPNOTSUPP;
	case HK_FOP_FORGET:
		quick = true;
		break;
	}
	if (quick)
		*r = timed_answer(q, true, true);
	return quick;
}

/* ------------------------------------------------------------- helpers -- */

static void *
helper(void *arg)
{
	struct hk_freq *q;
	uint32_t seen;
	bool blame;

	(void)arg;
	hk_lock(&help.h_lock);
	while (!help.h_stop) {
		if (help.h_todo_get == help.h_todo_put) {
			seen = atomic_load(&help.h_work);
			help.h_idle++;
			hk_unlock(&help.h_lock);
			(void)hk_futex_wait(&help.h_work, seen, 0);
			hk_lock(&help.h_lock);
			help.h_idle--;
			continue;
		}
		q = help.h_todo[help.h_todo_get++ % QUEUE_MAX];
		hk_unlock(&help.h_lock);
		blame = q->q_op != HK_FOP_READ && q->q_op != HK_FOP_FSYNC;
		q->q_error = (int32_t)-timed_answer(q, true, blame);
		hk_lock(&help.h_lock);
		help.h_done[help.h_done_put++ % QUEUE_MAX] = q;
		hk_post(0, HK_BIT_FILES);
	}
	hk_unlock(&help.h_lock);
	return NULL;
}

/* A helper more, which takes no signals: those belong to others.  [h_lock] */
static void
add_helper(void)
{
	sigset_t all, old;

	sigfillset(&all);
	HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	if (hk_sysops.thread(helper, NULL, &help.h_thread[help.h_nthreads]) == 0)
		help.h_nthreads++;
	HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
}

/* False: no helper can be had. */
static bool
give_away(struct hk_freq *q)
{
	bool ok;

	hk_lock(&help.h_lock);
	if (help.h_idle == 0 && help.h_nthreads < HELPERS_MAX)
		add_helper();
	ok = help.h_nthreads > 0 && help.h_out < QUEUE_MAX;
	if (ok) {
		help.h_out++;
		help.h_todo[help.h_todo_put++ % QUEUE_MAX] = q;
		atomic_fetch_add(&help.h_work, 1);
	}
	hk_unlock(&help.h_lock);
	if (ok)
		hk_futex_wake(&help.h_work, 1);
	return ok;
}

struct hk_freq *
hk_files_done(void)
{
	struct hk_freq *q = NULL;

	hk_lock(&help.h_lock);
	if (help.h_done_get != help.h_done_put) {
		q = help.h_done[help.h_done_get++ % QUEUE_MAX];
		help.h_out--;
	}
	hk_unlock(&help.h_lock);
	return q;
}

hk_result
hk_files_ask(struct hk_freq *q, bool wait)
{
	long r;

	q->q_done = 0;
	if (wait || !answered_at_once(q, &r)) {
		if (!wait && give_away(q))
			return HK_AGAIN;
		r = hk_files_answer(q, true);
	}
	q->q_error = (int32_t)-r;
	return HK_OK;
}

void
hk_files_stop_helpers(void)
{
	hk_lock(&help.h_lock);
	help.h_stop = true;
	atomic_fetch_add(&help.h_work, 1);
	hk_unlock(&help.h_lock);
	hk_futex_wake(&help.h_work, INT32_MAX);
	for (uint32_t i = 0; i < help.h_nthreads; i++)
		hk_sysops.join(help.h_thread[i]);
	memset(&help, 0, sizeof(help));
	memset(slow, 0, sizeof(slow));
}
