/* SPDX-License-Identifier: BSD-2-Clause */
/* signalfd, timerfd, pidfd, inotify - signals, time, processes and what happens to files, as files. */
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

enum inotify_limit { INOTIFY_INSTANCES, INOTIFY_WATCHES, INOTIFY_EVENTS, INOTIFY_LIMITS };
int	inotify_create(uint32_t flags, struct file **out);	/* O_NONBLOCK; EMFILE */
bool	file_is_inotify(struct file *fp);
struct vnode;
/* mask: as inotify_add_watch's.  ENOSPC; EEXIST: IN_MASK_CREATE.  fp is one. */
int	inotify_watch(struct file *fp, struct vnode *vn, uint32_t mask, int32_t *wd);
int	inotify_unwatch(struct file *fp, int32_t wd);	/* EINVAL: not one, or no such watch */
/* For /proc/PID/fdinfo: the watch with the smallest number >= *wd: what it watches, held; NULL: none. */
struct vnode *inotify_next(struct file *fp, int32_t *wd, uint32_t *mask);
uint64_t inotify_limit(enum inotify_limit which);
int	inotify_set_limit(enum inotify_limit which, uint64_t value);	/* EINVAL */
void	inotify_init(void);

int	pidfd_create(struct proc *p, uint32_t flags, struct file **out);	/* O_NONBLOCK */
struct proc *pidfd_proc(struct file *fp);	/* not held: lives as long as fp; NULL: no pidfd */
void	pidfd_init(void);
