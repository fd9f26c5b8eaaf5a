/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timerfd - a timer as a file: a read takes how often it has expired.
 *
 * A timer fires once.  A periodic one is set again by the first call that
 * looks at it afterwards, which counts the periods that have passed: a
 * period of a nanosecond costs nothing while nobody looks.
 *
 * An absolute time of the wall clock moves when that clock is set.  Such
 * timers are in one list, and who sets the clock arms each anew.
 *
 * Invariants
 *   T1  tf_timer is armed only while tf_next is not 0 and tf_expired is not set.
 *   T2  a timer is in wall_timers from its being set to an absolute wall time
 *       until it is set otherwise or closed.
 *
 * Locking: tf_lk for the setting, so that arming and cancelling take turns;
 * tf_spin, inside, for what firing changes.  wall_lk before tf_lk.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/event.h>
#include <sys/lwkt/spin.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>
#include <sys/proc/signal.h>
#include <sys/time/time.h>
#include <sys/vm/kmem.h>

struct timerfd {
	struct lk	tf_lk;
	struct timer	tf_timer;	/* [tf_lk to arm and cancel] */
	bool		tf_realtime;	/* const: of its clock */
	bool		tf_wall;	/* [tf_lk] absolute, by the wall clock: T2 */
	bool		tf_cancel;	/* [tf_lk] TFD_TIMER_CANCEL_ON_SET */
	nsec_t		tf_next;	/* [tf_lk] by the wall or the monotonic clock; 0: off */
	nsec_t		tf_interval;	/* [tf_lk] 0: once */
	struct list	tf_link;	/* [wall_lk] T2 */
	struct spin	tf_spin;
	uint64_t	tf_ticks;	/* [tf_spin] not yet read */
	bool		tf_expired;	/* [tf_spin] fired since it was armed */
	_Atomic bool	tf_canceled;	/* [atomic] the clock was set and nobody was told */
	struct waitq	tf_waitq;
	struct pollhead	tf_poll;
};

static struct lk wall_lk;
static struct list wall_timers;		/* [wall_lk] T2 */
static const struct file_ops timerfd_ops;

static nsec_t
timerfd_now(const struct timerfd *tf)
{
	return tf->tf_wall ? time_wall() : time_now();
}

static void
timerfd_wake(struct timerfd *tf)
{
	wake_all(&tf->tf_waitq);
	poll_notify(&tf->tf_poll, POLLIN | POLLRDNORM);
}

static void
timerfd_expire(struct timerfd *tf)
{
	spin_lock(&tf->tf_spin);
	tf->tf_expired = true;
	tf->tf_ticks++;
	spin_unlock(&tf->tf_spin);
	timerfd_wake(tf);
}

static void
timerfd_fired(struct timer *t)
{
	timerfd_expire(container_of(t, struct timerfd, tf_timer));
}

static void
timerfd_start(struct timerfd *tf, nsec_t now)
{
	nsec_t left = tf->tf_next > now ? tf->tf_next - now : 0;

	timer_arm(&tf->tf_timer, rt_min(time_now() + left, (nsec_t)INT64_MAX));
}

/* What is due already expires here: nobody should have to wait for an interrupt about the past. */
static void
timerfd_arm(struct timerfd *tf)
{
	nsec_t now = timerfd_now(tf);

	ASSERT(lk_held_excl(&tf->tf_lk));
	if (tf->tf_next == 0)
		return;
	if (tf->tf_next <= now)
		timerfd_expire(tf);
	else
		timerfd_start(tf, now);
}

/* The periods up to now, its interrupt having come or not; it runs again.  What a read may take is returned. */
static uint64_t
timerfd_catch_up(struct timerfd *tf, nsec_t now, bool take)
{
	bool again, late;
	uint64_t ticks, missed;

	ASSERT(lk_held_excl(&tf->tf_lk));
	spin_lock(&tf->tf_spin);
	late = tf->tf_next != 0 && tf->tf_next <= now && !tf->tf_expired;
	spin_unlock(&tf->tf_spin);
	if (late && timer_cancel(&tf->tf_timer))
		timerfd_expire(tf);
	spin_lock(&tf->tf_spin);
	again = tf->tf_expired && tf->tf_interval != 0;
	if (again) {
		missed = now > tf->tf_next ? (now - tf->tf_next) / tf->tf_interval : 0;
		tf->tf_next += (missed + 1) * tf->tf_interval;
		tf->tf_ticks += missed;
		tf->tf_expired = false;
	}
	ticks = tf->tf_ticks;
	if (take)
		tf->tf_ticks = 0;
	spin_unlock(&tf->tf_spin);
	if (again)
		timerfd_start(tf, now);
	return ticks;
}

/* 0: nothing to report yet. */
static bool
timerfd_take(struct timerfd *tf, uint64_t *ticks, int *error)
{
	bool canceled;

	lk_excl(&tf->tf_lk);
	canceled = atomic_exchange(&tf->tf_canceled, false);
	*ticks = timerfd_catch_up(tf, timerfd_now(tf), true);
	lk_release(&tf->tf_lk);
	*error = canceled ? ECANCELED : 0;
	return canceled || *ticks != 0;
}

static int
timerfd_read(struct file *fp, struct uio *u)
{
	struct timerfd *tf = fp->f_data;
	uint64_t ticks = 0;
	int error = 0, told = 0;

	if (u->u_resid < sizeof(ticks))
		return EINVAL;
	if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		error = timerfd_take(tf, &ticks, &told) ? 0 : EAGAIN;
	else
		WAIT_FOR(&tf->tf_waitq, timerfd_take(tf, &ticks, &told), NSEC_NEVER, WAIT_INTR, error);
	if (told != 0)
		return told;
	if (ticks == 0)
		return error == EINTR ? ERESTARTSYS : error;
	return uio_move(&ticks, sizeof(ticks), u);
}

static uint32_t
timerfd_poll(struct file *fp, struct pollnote *note)
{
	struct timerfd *tf = fp->f_data;
	bool ready;

	poll_queue(&tf->tf_poll, note);
	spin_lock(&tf->tf_spin);
	ready = tf->tf_ticks != 0;
	spin_unlock(&tf->tf_spin);
	return ready || atomic_load(&tf->tf_canceled) ? POLLIN : 0;
}

static void
timerfd_state(struct timerfd *tf, nsec_t *left, nsec_t *interval)
{
	const nsec_t now = timerfd_now(tf);

	(void)timerfd_catch_up(tf, now, false);
	*left = tf->tf_next > now ? tf->tf_next - now : 0;
	*interval = tf->tf_interval;
}

int
timerfd_get(struct file *fp, nsec_t *left, nsec_t *interval)
{
	struct timerfd *tf = fp->f_data;

	if (fp->f_ops != &timerfd_ops)
		return EINVAL;
	lk_excl(&tf->tf_lk);
	timerfd_state(tf, left, interval);
	lk_release(&tf->tf_lk);
	return 0;
}

int
timerfd_set(struct file *fp, uint32_t flags, nsec_t value, nsec_t interval, nsec_t *left,
    nsec_t *old_interval)
{
	struct timerfd *tf = fp->f_data;
	bool absolute = (flags & TFD_TIMER_ABSTIME) != 0;

	if (fp->f_ops != &timerfd_ops)
		return EINVAL;
	if (tf->tf_realtime)
		lk_excl(&wall_lk);
	lk_excl(&tf->tf_lk);
	timerfd_state(tf, left, old_interval);
	(void)timer_cancel(&tf->tf_timer);
	list_remove(&tf->tf_link);
	tf->tf_wall = absolute && tf->tf_realtime;
	tf->tf_cancel = tf->tf_wall && (flags & TFD_TIMER_CANCEL_ON_SET) != 0;
	if (tf->tf_wall)
		list_push_back(&wall_timers, &tf->tf_link);
	if (tf->tf_realtime)
		lk_release(&wall_lk);
	tf->tf_interval = interval;
	tf->tf_next = 0;
	if (value != 0)
		tf->tf_next = rt_min(value + (tf->tf_wall ? 0 : absolute ? time_boot() : time_now()),
		    (nsec_t)INT64_MAX);
	atomic_store(&tf->tf_canceled, false);
	spin_lock(&tf->tf_spin);
	tf->tf_ticks = 0;
	tf->tf_expired = false;
	spin_unlock(&tf->tf_spin);
	timerfd_arm(tf);
	lk_release(&tf->tf_lk);
	return 0;
}

/* The wall clock was set. */
void
timerfd_wall_set(void)
{
	lk_excl(&wall_lk);
	list_foreach(tf, &wall_timers, struct timerfd, tf_link) {
		lk_excl(&tf->tf_lk);
		if (timer_cancel(&tf->tf_timer))
			timerfd_arm(tf);
		if (tf->tf_cancel) {
			atomic_store(&tf->tf_canceled, true);
			timerfd_wake(tf);
		}
		lk_release(&tf->tf_lk);
		lwkt_poll();
	}
	lk_release(&wall_lk);
}

static void
timerfd_close(struct file *fp)
{
	struct timerfd *tf = fp->f_data;

	if (tf->tf_realtime) {
		lk_excl(&wall_lk);
		list_remove(&tf->tf_link);
		lk_release(&wall_lk);
	}
	(void)timer_cancel(&tf->tf_timer);
	kfree(tf);
}

static const struct file_ops timerfd_ops = {
	.fo_read = timerfd_read,
	.fo_poll = timerfd_poll,
	.fo_stat = anon_stat,
	.fo_close = timerfd_close,
	.fo_name = "[timerfd]",
};

int
timerfd_create(bool realtime, uint32_t flags, struct file **out)
{
	struct timerfd *tf = kmalloc(sizeof(*tf), KM_ZERO | KM_WAIT);
	int error;

	if (tf == NULL)
		return ENOMEM;
	lk_init(&tf->tf_lk, LR_timerfd);
	timer_init(&tf->tf_timer, timerfd_fired);
	tf->tf_realtime = realtime;
	list_init(&tf->tf_link);
	spin_init(&tf->tf_spin, LR_timerfd_ticks);
	waitq_init(&tf->tf_waitq);
	pollhead_init(&tf->tf_poll);
	if ((error = file_create(&timerfd_ops, O_RDWR | (flags & O_NONBLOCK), tf, out)) != 0)
		kfree(tf);
	return error;
}

void
timerfd_init(void)
{
	lk_init(&wall_lk, LR_timerfd_list);
	list_init(&wall_timers);
}
