/* SPDX-License-Identifier: BSD-2-Clause */
/* signalfd, timerfd, pidfd - signals, time and processes as files. */
#pragma once
#include <abi/signal.h>
#include <abi/time.h>
#include <sys/file/epoll.h>
#include <sys/file/file.h>

int	signalfd_create(sigset_t mask, uint32_t flags, struct file **out);	/* O_NONBLOCK */
int	signalfd_set(struct file *fp, sigset_t mask);				/* EINVAL: not one */
void	signalfd_init(void);

int	timerfd_create(bool realtime, uint32_t flags, struct file **out);	/* O_NONBLOCK */
/* EINVAL: not one.  flags TFD_*; what was set before is told. */
int	timerfd_set(struct file *fp, uint32_t flags, nsec_t value, nsec_t interval, nsec_t *left, nsec_t *old_interval);
int	timerfd_get(struct file *fp, nsec_t *left, nsec_t *interval);
void	timerfd_wall_set(void);			/* the wall clock was set */
void	timerfd_init(void);

int	pidfd_create(struct proc *p, uint32_t flags, struct file **out);	/* O_NONBLOCK */
struct proc *pidfd_proc(struct file *fp);	/* not held: lives as long as fp; NULL: no pidfd */
void	pidfd_init(void);
