/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * async - signals from open files: F_SETOWN, F_SETSIG, O_ASYNC.
 *
 * An object that can tell of itself has a struct asynchead, which its files find through
 * fo_async; it calls async_notify() when what Linux tells of has happened.
 */
#pragma once
#include <core/rt/list.h>
#include <machine/types.h>
#include <sys/lwkt/spin.h>

struct file;

struct asynchead {
	struct spin	ah_spin;
	struct list	ah_list;	/* [ah_spin] of files with an owner, or with O_ASYNC */
	_Atomic uint32_t ah_count;	/* [ah_spin to change] of them */
	/*
	 * const: whom O_ASYNC tells if nobody was named: the current process unless this says another.
	 * May be NULL: nobody then.
	 */
	void		(*ah_owner)(struct asynchead *h, int *type, int32_t *id);
};
void	asynchead_init(struct asynchead *h);
/*
 * POLLIN or POLLOUT: tell those files with O_ASYNC that can read, or write.  POLLHUP: all of these.
 * POLLPRI: SIGURG to all owners, too.  No spin is held.
 */
void	async_notify(struct asynchead *h, uint32_t event);

/* Of a file; descriptor fd is what the signal will tell.  ENOTTY: its type tells nothing. */
int	async_switch(struct file *fp, int fd, bool on);
void	async_end(struct file *fp);	/* the last reference is gone */

/* As fcntl(2) has them: type is F_OWNER_*, id 0 nobody.  ESRCH: no such process, thread or group. */
int	async_set_owner(struct file *fp, int type, int32_t id);
void	async_owner(struct file *fp, int *type, int32_t *id);
/* Both kinds in one number: negative, a group. */
int	async_set_owner_nr(struct file *fp, int32_t who);
int32_t	async_owner_nr(struct file *fp);
int	async_set_signal(struct file *fp, int sig);
int	async_signal(struct file *fp);
