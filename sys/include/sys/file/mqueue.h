/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mqueue - POSIX message queues: files of a filesystem of which each IPC view
 * has its own.  Names are without the slash; the system call layer copies.
 */
#pragma once
#include <abi/mqueue.h>
#include <abi/signal.h>
#include <sys/file/file.h>

struct mqueue;
struct mqmsg;

int	mqueue_init(void);			/* kmain, once /dev is there: mounted on /dev/mqueue */

/*
 * flags O_*; attr NULL: as the limits say.  ENOENT, EEXIST, EACCES, ENAMETOOLONG; of one that
 * is to be made: EINVAL, EMFILE, ENOSPC.
 */
int	mqueue_open(const char *name, uint32_t flags, uint32_t mode, const struct k_mq_attr *attr,
	    struct file **out);
int	mqueue_unlink(const char *name);
struct mqueue *mqueue_of(struct file *fp);	/* not held: lives as long as fp; NULL: not one */

int	mqmsg_make(uint64_t bytes, uint32_t prio, struct mqmsg **out);	/* to be sent or freed; ENOMEM */
void	*mqmsg_text(struct mqmsg *m, uint64_t *bytes, uint32_t *prio);	/* each may be NULL */
void	mqmsg_free(struct mqmsg *m);

/* EAGAIN where one would have to wait and shall not; ETIMEDOUT, ERESTARTSYS. */
int	mqueue_send(struct mqueue *q, struct mqmsg *m, bool wait, nsec_t deadline);	/* 0: takes m over */
int	mqueue_receive(struct mqueue *q, bool wait, nsec_t deadline, struct mqmsg **out);
/* The current process is told, once, of a message in the empty queue.  NULL: no more.  EBUSY: another is. */
int	mqueue_notify(struct mqueue *q, const struct k_sigevent *ev);
void	mqueue_attr(struct mqueue *q, struct k_mq_attr *out);		/* but for mq_flags */
