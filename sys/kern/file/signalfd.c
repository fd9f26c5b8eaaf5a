/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signalfd - pending signals read as records instead of being delivered.
 *
 * A signalfd is a mask and nothing else: who reads or polls it sees the
 * signals that wait for itself, whoever made the file.  So what becomes ready
 * is a process, and its readers wait on one of WATCHES heads, chosen by
 * process number.  The heads are there for ever, so no note and no waiter can
 * outlive the thing it waits on; who shares a head is woken in vain at worst.
 *
 * Invariant: p_sig_watched is set before a process looks at what is pending
 * and then sleeps; the poster makes the signal pending before it looks at
 * p_sig_watched.
 *
 * Locking: sf_mask is atomic; the queues of signals are proc's.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/event.h>
#include <sys/lwkt/wait.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>

#define WATCHES		64u
#define UNREADABLE	(sigbit(SIGKILL) | sigbit(SIGSTOP))

struct watch {
	struct waitq	w_waitq;
	struct pollhead	w_poll;
};
struct signalfd {
	_Atomic sigset_t sf_mask;	/* [atomic] never UNREADABLE */
};
static struct watch watches[WATCHES];
static const struct file_ops signalfd_ops;

static struct watch *
watch_of(const struct proc *p)
{
	return &watches[(uint32_t)p->p_pid % WATCHES];
}

static void
signalfd_posted(struct proc *p)
{
	wake_all(&watch_of(p)->w_waitq);
	poll_notify(&watch_of(p)->w_poll, POLLIN | POLLRDNORM);
}

/* What the fields of a signal mean depends on who sent it. */
static void
record_fill(struct k_signalfd_siginfo *r, const struct k_siginfo *si)
{
	int code = si->si_code, sig = si->si_signo;
	bool own = code > SI_USER && code < SI_KERNEL;	/* the kernel's, with a meaning of the signal's own */

	memset(r, 0, sizeof(*r));
	r->ssi_signo = (uint32_t)sig;
	r->ssi_errno = si->si_errno;
	r->ssi_code = code;
	if (code == SI_TIMER) {
		r->ssi_tid = (uint32_t)si->u.timer.id;
		r->ssi_overrun = (uint32_t)si->u.timer.overrun;
		r->ssi_ptr = si->u.timer.value;
		r->ssi_int = (int32_t)si->u.timer.value;
	} else if (code == SI_SIGIO || (own && sig == SIGIO)) {
		r->ssi_band = (uint32_t)si->u.poll.band;
		r->ssi_fd = si->u.poll.fd;
	} else if (own && sig == SIGSYS) {
		r->ssi_call_addr = si->u.sys.call_addr;
		r->ssi_syscall = si->u.sys.nr;
		r->ssi_arch = si->u.sys.arch;
	} else if (own && (sigbit(sig) & (sigbit(SIGILL) | sigbit(SIGFPE) | sigbit(SIGSEGV) | sigbit(SIGBUS) |
	    sigbit(SIGTRAP))) != 0) {
		r->ssi_addr = si->u.fault.addr;
		r->ssi_addr_lsb = sig == SIGBUS ? (uint16_t)si->u.fault.lsb : 0;
	} else {
		r->ssi_pid = (uint32_t)si->u.chld.pid;
		r->ssi_uid = si->u.chld.uid;
		if (own && sig == SIGCHLD) {
			r->ssi_status = si->u.chld.status;
			r->ssi_utime = (uint64_t)si->u.chld.utime;
			r->ssi_stime = (uint64_t)si->u.chld.stime;
		} else if (code < SI_USER) {
			r->ssi_ptr = si->u.rt.value;
			r->ssi_int = (int32_t)si->u.rt.value;
		}
	}
}

/* The first record may be waited for; then as many as wait and fit. */
static int
signalfd_read(struct file *fp, struct uio *u)
{
	struct signalfd *sf = fp->f_data;
	struct k_signalfd_siginfo r;
	struct k_siginfo si;
	int error = 0, sig = 0;

	if (u->u_resid < sizeof(r))
		return EINVAL;
	atomic_store(&curproc->p_sig_watched, true);
	if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		error = (sig = sig_take(curlwp, atomic_load(&sf->sf_mask), &si)) == 0 ? EAGAIN : 0;
	else
		WAIT_FOR(&watch_of(curproc)->w_waitq,
		    (sig = sig_take(curlwp, atomic_load(&sf->sf_mask), &si)) != 0, NSEC_NEVER, WAIT_INTR, error);
	if (sig == 0)
		return error == EINTR ? ERESTARTSYS : error;
	do {
		record_fill(&r, &si);
		error = uio_move(&r, sizeof(r), u);
	} while (error == 0 && u->u_resid >= sizeof(r) &&
	    (sig = sig_take(curlwp, atomic_load(&sf->sf_mask), &si)) != 0);
	return error;
}

static uint32_t
signalfd_poll(struct file *fp, struct pollnote *note)
{
	struct signalfd *sf = fp->f_data;

	if (curlwp == NULL)
		return 0;
	atomic_store(&curproc->p_sig_watched, true);
	poll_queue(&watch_of(curproc)->w_poll, note);
	return (sig_pending_set(curlwp) & atomic_load(&sf->sf_mask)) != 0 ? POLLIN : 0;
}

static void
signalfd_close(struct file *fp)
{
	kfree(fp->f_data);
}

static const struct file_ops signalfd_ops = {
	.fo_read = signalfd_read,
	.fo_poll = signalfd_poll,
	.fo_stat = anon_stat,
	.fo_close = signalfd_close,
	.fo_name = "[signalfd]",
};

int
signalfd_create(sigset_t mask, uint32_t flags, struct file **out)
{
	struct signalfd *sf = kmalloc(sizeof(*sf), KM_WAIT);
	int error;

	if (sf == NULL)
		return ENOMEM;
	atomic_init(&sf->sf_mask, mask & ~UNREADABLE);
	if ((error = file_create(&signalfd_ops, O_RDWR | (flags & O_NONBLOCK), sf, out)) != 0)
		kfree(sf);
	return error;
}

int
signalfd_set(struct file *fp, sigset_t mask)
{
	struct signalfd *sf = fp->f_data;

	if (fp->f_ops != &signalfd_ops)
		return EINVAL;
	atomic_store(&sf->sf_mask, mask & ~UNREADABLE);
	signalfd_posted(curproc);		/* the new mask may have what waits already */
	return 0;
}

void
signalfd_init(void)
{
	for (uint32_t i = 0; i < WATCHES; i++) {
		waitq_init(&watches[i].w_waitq);
		pollhead_init(&watches[i].w_poll);
	}
	sig_set_watch(signalfd_posted);
}
