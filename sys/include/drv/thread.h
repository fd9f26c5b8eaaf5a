/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/thread - what takes long, or waits, is done by a thread of the driver's.
 *
 * Interrupt handlers and whoever asks for something set an event; the thread
 * waits for it, with a deadline that is its clock.
 */
#pragma once
#include <machine/clock.h>
#include <machine/types.h>

struct drv_event {
	uint64_t	de_word[6];	/* a wait queue of the kernel's, and whether it is set */
};
void	drv_event_init(struct drv_event *e);
void	drv_event_set(struct drv_event *e);	/* any CPU, any context */
/* Waits until it is set, and clears it.  False: the deadline (md_now()'s time) passed. */
bool	drv_event_wait(struct drv_event *e, nsec_t deadline);

/* 0, ENOMEM.  It ends when fn returns. */
int	drv_thread(const char *name, void (*fn)(void *arg), void *arg);

/*
 * In a thread: looks again and again, first at once, then each millisecond.
 * False: it did not become true in time.
 */
bool	drv_poll(bool (*is_so)(void *arg), void *arg, nsec_t timeout);
void	drv_sleep(nsec_t ns);

/* A line in the kernel's log: "NAME: ..." */
void	drv_log(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
