/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_poll - poll, select and their variants.
 *
 * All are one wait: a list of files with wanted events.  The first look
 * queues a note with each file; any note wakes the waiter, which looks at all
 * again without queueing.  After the first look that finds something, no more
 * notes are queued.
 *
 * A list is as long as RLIMIT_NOFILE allows.  Signals: EINTR if a handler
 * ran; else the wait goes on with what is left of its time.
 */
#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/stat.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define LIMIT_NOFILE	7		/* RLIMIT_NOFILE's index in p_rlimit */
#define FEW		6		/* entries that live on the stack */
#define ALWAYS		(POLLERR | POLLHUP)
#define SELECT_IN	(POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT	(POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EX	POLLPRI
#define NSEC_PER_MSEC	1000000ull
#define NSEC_PER_USEC	1000ull

struct poll_entry {
	struct pollnote	pe_note;
	struct file	*pe_file;	/* held; NULL: ignored, or POLLNVAL */
	uint32_t	pe_want;
	uint32_t	pe_got;
	int		pe_fd;
};

static void
poll_wake(struct pollnote *n, uint32_t events)
{
	struct poll_entry *pe = container_of(n, struct poll_entry, pe_note);

	if (events == 0 || (events & (pe->pe_want | ALWAYS)) != 0)
		wake_all(n->pn_arg);
}

/* Look at every entry; queue notes if `q` is given.  Returns how many have something. */
static uint32_t
poll_look(struct poll_entry *pe, uint32_t n, struct waitq *q)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct pollnote *note = NULL;

		if (pe[i].pe_file != NULL) {
			if (q != NULL && ready == 0) {
				note = &pe[i].pe_note;
				note->pn_fn = poll_wake;
				note->pn_arg = q;
			}
			pe[i].pe_got = file_poll(pe[i].pe_file, note) & (pe[i].pe_want | ALWAYS);
		}
		if (pe[i].pe_got != 0)
			ready++;
		if (i % 256 == 255)
			lwkt_poll();
	}
	return ready;
}

/* Wait until an entry has something: 0 and *ready, which is 0 after the deadline; EINTR. */
static int
poll_wait(struct poll_entry *pe, uint32_t n, nsec_t deadline, uint32_t *ready)
{
	struct waitq q;
	struct waiter w;
	int error = 0;

	waitq_init(&q);
	wait_begin(&q, &w);
	*ready = poll_look(pe, n, deadline == 0 ? NULL : &q);
	while (*ready == 0 && deadline != 0 && error == 0) {
		error = wait_sleep(&w, deadline, WAIT_INTR);
		*ready = poll_look(pe, n, NULL);
	}
	wait_end(&w);
	for (uint32_t i = 0; i < n; i++)
		if (pe[i].pe_file != NULL)
			poll_dequeue(&pe[i].pe_note);
	return error == ETIMEDOUT || *ready > 0 ? 0 : error;
}

static void
poll_free(struct poll_entry *pe, uint32_t n, struct poll_entry *few)
{
	for (uint32_t i = 0; i < n; i++)
		if (pe[i].pe_file != NULL)
			file_drop(pe[i].pe_file);
	if (pe != few)
		kfree(pe);
}

static int
poll_alloc(uint32_t n, struct poll_entry *few, struct poll_entry **out)
{
	*out = few;
	if (n > FEW && (*out = kmalloc_array(n, sizeof(**out), KM_WAIT)) == NULL)
		return ENOMEM;
	memset(*out, 0, n * sizeof(**out));
	return 0;
}

/* A relative time becomes a deadline; 0 stays 0: do not wait. */
static nsec_t
deadline_after(nsec_t ns)
{
	nsec_t when;

	if (ns == 0)
		return 0;
	return __builtin_add_overflow(time_now(), ns, &when) ? NSEC_NEVER : when;
}

static int
timespec_copyin(uaddr_t from, nsec_t unit, nsec_t *deadline)
{
	struct k_timespec ts;
	nsec_t ns;
	int error;

	*deadline = NSEC_NEVER;
	if (from == 0)
		return 0;
	if ((error = copyin(&ts, from, sizeof(ts))) != 0)
		return error;
	if (unit == NSEC_PER_USEC && ts.tv_nsec >= 1000000 && ts.tv_sec >= 0) {	/* select carries over */
		ts.tv_sec += ts.tv_nsec / 1000000;
		ts.tv_nsec %= 1000000;
	}
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || (uint64_t)ts.tv_nsec >= NSEC_PER_SEC / unit)
		return EINVAL;
	if (__builtin_mul_overflow((uint64_t)ts.tv_sec, NSEC_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (uint64_t)ts.tv_nsec * unit, &ns))
		ns = NSEC_NEVER - 1;
	*deadline = deadline_after(ns);
	return 0;
}

/* Linux tells what is left of the time.  An address that cannot take it does not undo the call. */
static bool
timespec_copyout(uaddr_t to, nsec_t unit, nsec_t deadline)
{
	nsec_t now = time_now(), left = deadline > now ? deadline - now : 0;
	struct k_timespec ts = { (int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC / unit) };

	return to == 0 || copyout(to, &ts, sizeof(ts)) == 0;
}

static int
mask_copyin(uaddr_t mask, size_t size)
{
	sigset_t set;
	int error;

	if (mask == 0)
		return 0;
	if (size != sizeof(set))
		return EINVAL;
	if ((error = copyin(&set, mask, sizeof(set))) != 0)
		return error;
	sig_temp_mask(curlwp, &set);
	return 0;
}

/* ---------------------------------------------------------------- poll -- */

static int
poll_copyin(struct poll_entry *pe, uaddr_t fds, uint32_t n)
{
	struct k_pollfd pfd;
	int error;

	for (uint32_t i = 0; i < n; i++) {
		if ((error = copyin(&pfd, fds + i * sizeof(pfd), sizeof(pfd))) != 0)
			return error;
		pe[i].pe_fd = pfd.fd;
		pe[i].pe_want = (uint16_t)pfd.events;
	}
	for (uint32_t i = 0; i < n; i++)
		if (pe[i].pe_fd >= 0 && fd_get(pe[i].pe_fd, &pe[i].pe_file) != 0)
			pe[i].pe_got = POLLNVAL;
	return 0;
}

static int
poll_copyout(const struct poll_entry *pe, uaddr_t fds, uint32_t n)
{
	int error = 0;

	for (uint32_t i = 0; i < n && error == 0; i++) {
		int16_t got = (int16_t)pe[i].pe_got;

		error = copyout(fds + i * sizeof(struct k_pollfd) + offsetof(struct k_pollfd, revents), &got, sizeof(got));
	}
	return error;
}

static int
poll_common(struct sysmsg *m, uaddr_t fds, uint32_t n, nsec_t deadline)
{
	struct poll_entry few[FEW], *pe;
	uint32_t ready;
	int error;

	if (n > curproc->p_rlimit[LIMIT_NOFILE][0])
		return EINVAL;
	if ((error = poll_alloc(n, few, &pe)) != 0)
		return error;
	error = poll_copyin(pe, fds, n);
	if (error == 0)
		error = poll_wait(pe, n, deadline, &ready);
	if (error == 0)
		error = poll_copyout(pe, fds, n);
	poll_free(pe, n, few);
	if (error == 0)
		m->sm_result = ready;
	return error;
}

/* A poll that a signal without a handler (a stop, say) ended goes on until its own deadline. */
static uint64_t
poll_restart(struct lwp *l)
{
	struct sysmsg m = { .sm_lwp = l };
	int error = poll_common(&m, l->l_restart_arg[0], (uint32_t)l->l_restart_arg[1], l->l_restart_arg[2]);

	if (error == EINTR) {
		l->l_restart = poll_restart;
		error = ERESTART_RESTARTBLOCK;
	}
	return error != 0 ? (uint64_t)-(int64_t)error : (uint64_t)m.sm_result;
}

int
sys_poll(struct sysmsg *m, uaddr_t fds, uint32_t nfds, int timeout)
{
	nsec_t deadline = timeout < 0 ? NSEC_NEVER : deadline_after((nsec_t)timeout * NSEC_PER_MSEC);
	int error = poll_common(m, fds, nfds, deadline);

	if (error != EINTR)
		return error;
	m->sm_lwp->l_restart = poll_restart;
	m->sm_lwp->l_restart_arg[0] = fds;
	m->sm_lwp->l_restart_arg[1] = nfds;
	m->sm_lwp->l_restart_arg[2] = deadline;
	return ERESTART_RESTARTBLOCK;
}

int
sys_ppoll(struct sysmsg *m, uaddr_t fds, uint32_t nfds, uaddr_t timeout, uaddr_t sigmask, size_t setsize)
{
	nsec_t deadline;
	int error;

	if ((error = timespec_copyin(timeout, 1, &deadline)) != 0 || (error = mask_copyin(sigmask, setsize)) != 0)
		return error;
	error = poll_common(m, fds, nfds, deadline);
	if (error == EINTR)
		error = ERESTARTNOHAND;
	if (timeout != 0 && !timespec_copyout(timeout, 1, deadline) && error == ERESTARTNOHAND)
		error = EINTR;
	if (error != ERESTARTNOHAND && error != EINTR)
		sig_temp_mask_end(m->sm_lwp);
	return error;
}

/* -------------------------------------------------------------- select -- */

struct select_sets {
	uint64_t	*ss_in[3];	/* read, write, except: what is asked */
	uint64_t	*ss_out[3];	/* what is found */
	uint32_t	ss_words;
};
static const uint32_t select_events[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };

static int
select_copyin(struct select_sets *ss, uint32_t n, const uaddr_t *user)
{
	uint64_t *words;
	int error = 0;

	ss->ss_words = (n + 63) / 64;
	words = kmalloc_array(ss->ss_words + 1, 6 * sizeof(*words), KM_ZERO | KM_WAIT);
	if (words == NULL)
		return ENOMEM;
	for (int i = 0; i < 3; i++) {
		ss->ss_in[i] = words + (uint32_t)i * ss->ss_words;
		ss->ss_out[i] = words + (uint32_t)(i + 3) * ss->ss_words;
		if (user[i] != 0 && error == 0)
			error = copyin(ss->ss_in[i], user[i], ss->ss_words * sizeof(*words));
	}
	if (error != 0)
		kfree(words);
	return error;
}

static uint32_t
select_wants(const struct select_sets *ss, uint32_t fd)
{
	uint32_t want = 0;

	for (int i = 0; i < 3; i++)
		if ((ss->ss_in[i][fd / 64] >> (fd % 64) & 1) != 0)
			want |= select_events[i];
	return want;
}

/* The entries for the n descriptors asked about.  EBADF when one is not open. */
static int
select_entries(const struct select_sets *ss, uint32_t n, struct poll_entry *pe)
{
	uint32_t want, k = 0;

	for (uint32_t fd = 0; fd < n; fd++) {
		if ((want = select_wants(ss, fd)) == 0)
			continue;
		pe[k].pe_fd = (int)fd;
		pe[k].pe_want = want;
		if (fd_get((int)fd, &pe[k].pe_file) != 0)
			return EBADF;
		k++;
	}
	return 0;
}

static uint32_t
select_results(struct select_sets *ss, const struct poll_entry *pe, uint32_t n)
{
	uint32_t bits = 0;

	for (uint32_t k = 0; k < n; k++) {
		uint32_t word = (uint32_t)pe[k].pe_fd / 64;
		uint64_t bit = 1ull << (pe[k].pe_fd % 64);

		for (int i = 0; i < 3; i++) {
			if ((ss->ss_in[i][word] & bit) != 0 && (pe[k].pe_got & select_events[i]) != 0) {
				ss->ss_out[i][word] |= bit;
				bits++;
			}
		}
	}
	return bits;
}

static int
select_wait(struct sysmsg *m, struct select_sets *ss, uint32_t n, nsec_t deadline)
{
	struct poll_entry few[FEW], *pe;
	uint32_t count = 0, ready;
	int error;

	for (uint32_t fd = 0; fd < n; fd++)
		count += select_wants(ss, fd) != 0;
	if ((error = poll_alloc(count, few, &pe)) != 0)
		return error;
	error = select_entries(ss, n, pe);
	if (error == 0)
		error = poll_wait(pe, count, deadline, &ready);
	if (error == 0)
		m->sm_result = select_results(ss, pe, count);
	poll_free(pe, count, few);
	return error;
}

static int
select_common(struct sysmsg *m, int nfds, const uaddr_t *user, nsec_t deadline)
{
	struct select_sets ss;
	uint32_t n;
	int error;

	if (nfds < 0)
		return EINVAL;
	n = (uint32_t)rt_min((uint64_t)nfds, fdtable_size());
	if ((error = select_copyin(&ss, n, user)) != 0)
		return error;
	error = select_wait(m, &ss, n, deadline);
	for (int i = 0; i < 3 && error == 0; i++)
		if (user[i] != 0)
			error = copyout(user[i], ss.ss_out[i], ss.ss_words * sizeof(uint64_t));
	kfree(ss.ss_in[0]);
	return error;
}

/* select and pselect differ in the unit of the time only. */
static int
select_timed(struct sysmsg *m, int nfds, const uaddr_t *user, uaddr_t timeout, nsec_t unit, nsec_t deadline)
{
	int error = select_common(m, nfds, user, deadline);

	if (error == EINTR)
		error = ERESTARTNOHAND;
	if (timeout != 0 && !timespec_copyout(timeout, unit, deadline) && error == ERESTARTNOHAND)
		error = EINTR;
	return error;
}

int
sys_select(struct sysmsg *m, int nfds, uaddr_t rfds, uaddr_t wfds, uaddr_t efds, uaddr_t timeout)
{
	const uaddr_t user[3] = { rfds, wfds, efds };
	nsec_t deadline;
	int error;

	if ((error = timespec_copyin(timeout, NSEC_PER_USEC, &deadline)) != 0)
		return error;
	return select_timed(m, nfds, user, timeout, NSEC_PER_USEC, deadline);
}

int
sys_pselect6(struct sysmsg *m, int nfds, uaddr_t rfds, uaddr_t wfds, uaddr_t efds, uaddr_t timeout, uaddr_t sig)
{
	const uaddr_t user[3] = { rfds, wfds, efds };
	struct { uint64_t mask, size; } arg = { 0, 0 };
	nsec_t deadline;
	int error;

	if (sig != 0 && (error = copyin(&arg, sig, sizeof(arg))) != 0)
		return error;
	if ((error = timespec_copyin(timeout, 1, &deadline)) != 0 || (error = mask_copyin(arg.mask, arg.size)) != 0)
		return error;
	error = select_timed(m, nfds, user, timeout, 1, deadline);
	if (error != ERESTARTNOHAND && error != EINTR)
		sig_temp_mask_end(m->sm_lwp);
	return error;
}
