/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait - sleeping without losing the wake-up.
 *
 * A waiter is on the queue before its owner looks at the condition, and a
 * wake-up marks the waiter before it wakes the thread.  So a wake-up that
 * comes between the look and the sleep is found by wait_sleep(), which looks
 * at the mark inside the critical section in which it goes to sleep.
 */
#include <abi/errno.h>
#include <stdatomic.h>
#include <sys/lwkt/wait.h>

#include "lwkt_int.h"

void
waitq_init(struct waitq *q)
{
	spin_init(&q->wq_spin, LR_waitq);
	list_init(&q->wq_list);
}

void
wait_begin(struct waitq *q, struct waiter *w)
{
	w->w_queue = q;
	w->w_thread = curthread;
	atomic_store_explicit(&w->w_woken, 0, memory_order_relaxed);
	spin_lock(&q->wq_spin);
	list_push_back(&q->wq_list, &w->w_link);
	spin_unlock(&q->wq_spin);
}

void
wait_end(struct waiter *w)
{
	spin_lock(&w->w_queue->wq_spin);
	list_remove(&w->w_link);
	spin_unlock(&w->w_queue->wq_spin);
}

/* One sleep of the current thread, in a critical section; tells why it ended.  0: perhaps for nothing. */
static int
sleep_once(struct thread *td, _Atomic uint32_t *woken, nsec_t deadline, uint32_t flags)
{
	bool timed = deadline != NSEC_NEVER;

	if (woken != NULL && atomic_exchange_explicit(woken, 0, memory_order_acquire) != 0)
		return 0;
	if ((flags & WAIT_INTR) != 0 && atomic_load_explicit(&td->td_intr, memory_order_acquire) != 0)
		return EINTR;

	td_flag(td, 0, TDF_TIMEDOUT);
	if ((flags & WAIT_INTR) != 0)
		td_flag(td, TDF_INTERRUPTIBLE, 0);
	if (timed) {
		td_flag(td, TDF_TIMED, 0);
		lwkt_needs.timeout_arm(td, deadline);
	}
	lwkt_sleep();
	td_flag(td, 0, TDF_INTERRUPTIBLE);

	if (woken != NULL && atomic_exchange_explicit(woken, 0, memory_order_acquire) != 0)
		return 0;
	if ((flags & WAIT_INTR) != 0 && atomic_load_explicit(&td->td_intr, memory_order_acquire) != 0)
		return EINTR;
	return (td->td_flags & TDF_TIMEDOUT) != 0 ? ETIMEDOUT : 0;
}

int
wait_sleep(struct waiter *w, nsec_t deadline, uint32_t flags)
{
	int error;

	ASSERT(w->w_thread == curthread && curthread->td_crit == 0);
	crit_enter();
	error = sleep_once(w->w_thread, &w->w_woken, deadline, flags);
	crit_exit();
	return error;
}

int
sleep_until(nsec_t deadline, uint32_t flags)
{
	int error;

	ASSERT(curthread->td_crit == 0);
	do {
		crit_enter();
		error = sleep_once(curthread, NULL, deadline, flags);
		crit_exit();
	} while (error == 0);
	return error == ETIMEDOUT ? 0 : error;
}

void
wake_all(struct waitq *q)
{
	spin_lock(&q->wq_spin);
	list_foreach(w, &q->wq_list, struct waiter, w_link) {
		atomic_store_explicit(&w->w_thread->td_waker, mycpuid, memory_order_relaxed);
		atomic_store_explicit(&w->w_woken, 1, memory_order_release);
		lwkt_wake(w->w_thread);
	}
	spin_unlock(&q->wq_spin);
}

void
wake_one(struct waitq *q)
{
	spin_lock(&q->wq_spin);
	list_foreach(w, &q->wq_list, struct waiter, w_link) {
		if (atomic_exchange_explicit(&w->w_woken, 1, memory_order_acq_rel) == 0) {
			atomic_store_explicit(&w->w_thread->td_waker, mycpuid, memory_order_relaxed);
			lwkt_wake(w->w_thread);
			break;
		}
	}
	spin_unlock(&q->wq_spin);
}
