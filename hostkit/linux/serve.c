/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve - the main thread: what the host says to the whole process
 *
 * The main thread runs nothing of the machine.  It sleeps until the host has
 * something to say (a signal, a stream that became ready, a stub that died)
 * and turns that into mailbox bits; and once a second it is the heartbeat of
 * the watchdog.  It is the thread that made the stubs, so it must live as
 * long as they shall: their PDEATHSIG counts from it.
 *
 * Invariants
 *   I1  the signals of `taken` are blocked in every thread from hk_init() on
 *       and are read from one signalfd: no handler of ours runs for them,
 *       but for an interrupt's, which a debugger may keep for itself.
 *   I2  there is one reaper, this thread.
 *   I3  exit_status is set once, by the first who asks.
 *   I4  a pending signal bit is set before HK_BIT_SIGNAL is posted.
 *
 * Locking: none; what other threads touch is atomic.
 * Not here: what a signal or a byte means to the guest.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "host.h"

#define EVENTS_MAX	16
#define NOT_ASKED	INT64_MIN
#define TERM_WAIT_NS	5000000000ull	/* for which SIGTERM may lie untaken, in heartbeats that we had */

enum { TAG_WAKE = HK_STREAMS, TAG_SIGNAL };	/* smaller tags are streams */

static const struct {
	int		signo;
	uint32_t	bit;
} taken[] = {
	{ SIGTERM, HK_SIG_TERM },
	{ SIGINT, HK_SIG_INT },
	{ SIGHUP, HK_SIG_HUP },
	{ SIGQUIT, HK_SIG_QUIT },
	{ SIGWINCH, HK_SIG_WINCH },
	{ SIGCHLD, 0 },
	{ SIGTSTP, 0 },
	{ SIGCONT, HK_SIG_WINCH },	/* the window may have changed meanwhile */
};
#define NTAKEN	(sizeof(taken) / sizeof(taken[0]))

/* Signals whose default would kill us for something that is an error result here. */
static const int ignored[] = { SIGPIPE, SIGXFSZ };
#define NIGNORED	(sizeof(ignored) / sizeof(ignored[0]))

static int epfd = -1, wake_fd = -1, signal_fd = -1;	/* const from init to fini */
static sigset_t old_mask;				/* main thread */
static struct sigaction old_action[NIGNORED];		/* main thread */
static _Atomic int64_t exit_status = NOT_ASKED;		/* I3 */
static _Atomic uint32_t signals;			/* HK_SIG_* not yet taken */

int
hk_serve_epfd(void)
{
	return epfd;
}

/* -------------------------------------------------------------- making -- */

static void
close_all(void)
{
	int *fd[] = { &epfd, &wake_fd, &signal_fd };

	for (size_t i = 0; i < 3; i++) {
		if (*fd[i] >= 0)
			HK_SYS1(SYS_close, *fd[i]);
		*fd[i] = -1;
	}
}

static long
watch_fd(int fd, uint32_t tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data = { .u32 = tag } };

	return HK_SYS4(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &ev);
}

static long
open_all(const sigset_t *mask)
{
	long r;

	epfd = (int)(r = HK_SYS1(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (r < 0)
		return r;
	wake_fd = (int)(r = HK_SYS2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (r < 0)
		return r;
	signal_fd = (int)(r = HK_SYS4(SYS_signalfd4, -1, mask, 8, SFD_CLOEXEC | SFD_NONBLOCK));
	if (r < 0)
		return r;
	r = watch_fd(wake_fd, TAG_WAKE);
	return r < 0 ? r : watch_fd(signal_fd, TAG_SIGNAL);
}

hk_result
hk_serve_init(void)
{
	sigset_t mask;
	long r;

	sigemptyset(&mask);
	for (size_t i = 0; i < NTAKEN; i++)
		sigaddset(&mask, taken[i].signo);
	atomic_store(&exit_status, NOT_ASKED);
	atomic_store(&signals, 0);
	r = open_all(&mask);
	if (r >= 0)
		r = HK_SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old_mask, 8);
	if (r < 0) {
		close_all();
		return hk_fail_host("cannot watch for events", r);
	}
	for (size_t i = 0; i < NIGNORED; i++) {
		struct sigaction sa = { .sa_handler = SIG_IGN };

		sigaction(ignored[i], &sa, &old_action[i]);
	}
	return HK_OK;
}

void
hk_serve_fini(void)
{
	for (size_t i = 0; i < NIGNORED; i++)
		sigaction(ignored[i], &old_action[i], NULL);
	HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old_mask, 0, 8);
	close_all();
}

/* ------------------------------------------------------------- serving -- */

uint32_t
hk_signals(void)
{
	return atomic_exchange(&signals, 0);
}

/* The terminal's owner wants us to stop: give it back, stop, and take it again when we are continued. */
static void
suspend(void)
{
	hk_stream_cook();
	HK_SYS2(SYS_kill, HK_SYS0(SYS_getpid), SIGSTOP);
}

static volatile sig_atomic_t came;

static void
on_interrupt(int signo)
{
	(void)signo;
	came = 1;
}

/*
 * A debugger interrupts us by SIGINT, and sees what is delivered, not what is read from a descriptor.  So it
 * is delivered once more, in this thread; the debugger keeps it, or we have it.
 */
static bool
is_kept(int signo)
{
	struct sigaction sa = { .sa_handler = on_interrupt }, old;
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, signo);
	came = 0;
	sigaction(signo, &sa, &old);
	HK_SYS3(SYS_tgkill, HK_SYS0(SYS_getpid), HK_SYS0(SYS_gettid), signo);
	HK_SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &one, 0, 8);
	HK_SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &one, 0, 8);
	sigaction(signo, &old, NULL);
	return came == 0;
}

static void
take_signal(int signo)
{
	uint32_t bit = 0;

	if (signo == SIGINT && is_kept(signo))
		return;
	if (signo == SIGCHLD)
		hk_spaces_reap();
	else if (signo == SIGTSTP)
		suspend();
	else if (signo == SIGCONT)
		hk_stream_uncook();
	for (size_t i = 0; i < NTAKEN; i++)
		if (taken[i].signo == signo)
			bit = taken[i].bit;
	if (bit == 0)
		return;
	atomic_fetch_or(&signals, bit);		/* I4 */
	hk_post(0, HK_BIT_SIGNAL | (bit == HK_SIG_WINCH ? HK_BIT_STREAM : 0));
}

static void
take_signals(void)
{
	struct signalfd_siginfo si[8];
	long got;

	while ((got = HK_SYS3(SYS_read, signal_fd, si, sizeof(si))) > 0)
		for (size_t i = 0; i < (size_t)got / sizeof(si[0]); i++)
			take_signal((int)si[i].ssi_signo);
}

static void
take_event(uint32_t tag)
{
	uint64_t count;

	if (tag < HK_STREAMS)
		hk_stream_ready(tag);
	else if (tag == TAG_SIGNAL)
		take_signals();
	else
		HK_SYS3(SYS_read, wake_fd, &count, sizeof(count));
}

/*
 * A machine that does not even look at SIGTERM is stuck; whoever sent it still
 * wants an end.  Called at each heartbeat, `beat_ns` before the next.
 */
static void
insist_on_term(uint64_t beat_ns)
{
	static uint64_t waited_ns;

	if ((atomic_load(&signals) & HK_SIG_TERM) == 0) {
		waited_ns = 0;
	} else if ((waited_ns += beat_ns) > TERM_WAIT_NS) {
		int64_t none = NOT_ASKED;

		atomic_compare_exchange_strong(&exit_status, &none, 128 + SIGTERM);
	}
}

int
hk_serve(void)
{
	struct epoll_event ev[EVENTS_MAX];
	uint64_t due_ns = 0, now;

	while (atomic_load(&exit_status) == NOT_ASKED) {
		long n;

		now = hk_clock_mono();
		if (now >= due_ns) {
			uint64_t beat_ns = hk_watchdog();

			due_ns = now + beat_ns;
			insist_on_term(beat_ns);
		}
		n = HK_SYS4(SYS_epoll_wait, epfd, ev, EVENTS_MAX, (due_ns - now + 999999) / 1000000);
		ASSERT(n >= 0 || n == -EINTR);
		for (long i = 0; i < n; i++)
			take_event(ev[i].data.u32);
		hk_spaces_refill();
		hk_ram_work();
	}
	hk_stream_cook();
	return (int)atomic_load(&exit_status);
}

void
hk_serve_poke(void)
{
	uint64_t one = 1;

	/* A full counter is a wake-up that is still to be taken. */
	HK_SYS3(SYS_write, wake_fd, &one, sizeof(one));
}

_Noreturn void
hk_exit(int status)
{
	int64_t none = NOT_ASKED;

	atomic_compare_exchange_strong(&exit_status, &none, status);
	hk_serve_poke();
	if (hk_cpu_self() != NULL && (hk_m.m_flags & HK_F_STAY) == 0)
		hk_cpu_stop();
	for (;;)
		HK_SYS2(SYS_ppoll, NULL, 0);	/* the main thread ends the process */
}
