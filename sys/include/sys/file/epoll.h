/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll, eventfd - files made of waiting. */
#pragma once
#include <abi/poll.h>
#include <abi/stat.h>
#include <sys/file/file.h>

int	eventfd_create(uint32_t count, uint32_t flags, struct file **out);	/* EFD_SEMAPHORE, O_NONBLOCK */
int	epoll_create(struct file **out);
/*
 * EINVAL: ep is none, or itself; EPERM: what cannot be waited for; EEXIST, ENOENT; ELOOP: an epoll that
 * would watch itself in the end, or too many that watch each other.
 */
int	epoll_change(struct file *ep, int op, int fd, struct file *target, const struct k_epoll_event *ev);
/*
 * Up to `max` events in an array that the caller kfree()s; *n 0, and none, after the deadline (0: do not
 * wait).  EINTR, ENOMEM.
 */
int	epoll_collect(struct file *ep, uint32_t max, nsec_t deadline, struct k_epoll_event **ev, uint32_t *n);
void	epoll_init(void);
void	epoll_file_gone(struct file *fp);	/* last reference: nobody waits for it any more */
int	anon_stat(struct file *fp, struct k_stat *st);	/* fo_stat of files that are in no filesystem */
