/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/thread - locks, events, threads, waiting and messages for drivers.
 *
 * A driver's objects are the kernel's own, in memory whose inside a driver
 * does not see.
 *
 * Invariant: an event that is set stays so until one wait takes it; so what
 * was set before the wait, or by several at once, ends one wait.
 */
#include <core/rt/rt.h>
#include <drv/lock.h>
#include <drv/thread.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>
#include <sys/time/time.h>

#define POLL_NS		1000000u
#define LINE_MAX	200u

/* ------------------------------------------------------------- locks -- */

_Static_assert(sizeof(struct spin) <= sizeof(struct drv_lock), "drv/lock.h");
_Static_assert(_Alignof(struct spin) <= _Alignof(struct drv_lock), "drv/lock.h");

static struct spin *
spin_of(struct drv_lock *l)
{
	return (struct spin *)(void *)l;
}

void
drv_lock(struct drv_lock *l)
{
	struct spin *s = spin_of(l);

	if (s->sp_rank == LR_none)
		s->sp_rank = LR_drv;		/* two at once write the same */
	spin_lock(s);
}

void
drv_unlock(struct drv_lock *l)
{
	spin_unlock(spin_of(l));
}

void drv_enter(void) { crit_enter(); }
void drv_leave(void) { crit_exit(); }

/* ------------------------------------------------------------ events -- */

struct event {
	struct waitq	e_waitq;
	_Atomic bool	e_is_set;	/* [atomic] */
};
_Static_assert(sizeof(struct event) <= sizeof(struct drv_event), "drv/thread.h");
_Static_assert(_Alignof(struct event) <= _Alignof(struct drv_event), "drv/thread.h");

static struct event *
event_of(struct drv_event *e)
{
	return (struct event *)(void *)e;
}

void
drv_event_init(struct drv_event *e)
{
	waitq_init(&event_of(e)->e_waitq);
	atomic_init(&event_of(e)->e_is_set, false);
}

void
drv_event_set(struct drv_event *e)
{
	atomic_store(&event_of(e)->e_is_set, true);
	wake_all(&event_of(e)->e_waitq);
}

bool
drv_event_wait(struct drv_event *de, nsec_t deadline)
{
	struct event *e = event_of(de);
	int error;

	WAIT_FOR(&e->e_waitq, atomic_exchange(&e->e_is_set, false), deadline, 0, error);
	return error == 0;
}

/* ----------------------------------------------------------- threads -- */

int
drv_thread(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *td;
	int error = lwkt_create(fn, arg, LWKT_PRI_SOFT, name, &td);

	if (error == 0)
		lwkt_start(td);
	return error;
}

void
drv_sleep(nsec_t ns)
{
	(void)sleep_until(time_now() + ns, 0);
}

bool
drv_poll(bool (*is_so)(void *arg), void *arg, nsec_t timeout)
{
	const nsec_t end = time_now() + timeout;

	while (!is_so(arg)) {
		if (time_now() >= end)
			return false;
		drv_sleep(POLL_NS);
	}
	return true;
}

void
drv_log(const char *name, const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)rt_vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	kprintf("%s: %s\n", name, line);
}
