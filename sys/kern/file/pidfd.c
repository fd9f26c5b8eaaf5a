/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pidfd - a process as a file: a name of it that is never given to another.
 *
 * The file holds the struct proc, which outlives its number.  It is readable
 * from the process's end on; who has it may send signals and wait.
 *
 * As with signalfd, notes are queued on heads that are there for ever, chosen
 * by number: whoever shares one looks in vain at worst.
 *
 * Not here: threads (PIDFD_THREAD), taking descriptors out of the process.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <sys/file/event.h>
#include <sys/proc/proc.h>

#define HEADS	64u

static struct pollhead heads[HEADS];

static struct pollhead *
head_of(const struct proc *p)
{
	return &heads[(uint32_t)p->p_pid % HEADS];
}

static void
pidfd_ended(struct proc *p)
{
	poll_notify(head_of(p), POLLIN | POLLRDNORM | POLLHUP);
}

static uint32_t
pidfd_poll(struct file *fp, struct pollnote *note)
{
	struct proc *p = fp->f_data;

	poll_queue(head_of(p), note);
	if (p->p_state == P_REAPED)
		return POLLIN | POLLRDNORM | POLLHUP;
	return p->p_state == P_ZOMBIE ? POLLIN | POLLRDNORM : 0;
}

static void
pidfd_close(struct file *fp)
{
	proc_drop(fp->f_data);
}

static const struct file_ops pidfd_ops = {
	.fo_poll = pidfd_poll,
	.fo_stat = anon_stat,
	.fo_close = pidfd_close,
	.fo_name = "[pidfd]",
};

int
pidfd_create(struct proc *p, uint32_t flags, struct file **out)
{
	int error = file_create(&pidfd_ops, O_RDWR | (flags & O_NONBLOCK), p, out);

	if (error == 0)
		proc_hold(p);
	return error;
}

struct proc *
pidfd_proc(struct file *fp)
{
	return fp->f_ops == &pidfd_ops ? fp->f_data : NULL;
}

void
pidfd_init(void)
{
	for (uint32_t i = 0; i < HEADS; i++)
		pollhead_init(&heads[i]);
	proc_set_ended(pidfd_ended);
}
