/* SPDX-License-Identifier: BSD-2-Clause */
/* sigaction and the mask - what is stored, what is refused, what cannot be changed. */
#include "t.h"

struct kaction { void *handler; unsigned long flags; void *restorer; uint64_t mask; };

static volatile sig_atomic_t order[16], norder, depth, deepest;

static void
on_signal(int sig)
{
	(void)sig;
}

static void
errors(void)
{
	struct kaction a = { 0 }, old;
	uint64_t m = 0;

	a.handler = (void *)(uintptr_t)on_signal;
	T_SYS(rt_sigaction, 0, NULL, &old, 8);
	T_SYS(rt_sigaction, 65, NULL, &old, 8);
	T_SYS(rt_sigaction, -1, NULL, &old, 8);
	T_SYS(rt_sigaction, SIGKILL, &a, NULL, 8);
	T_SYS(rt_sigaction, SIGSTOP, &a, NULL, 8);
	T_SYS(rt_sigaction, SIGKILL, NULL, &old, 8);
	T_SYS(rt_sigaction, SIGUSR1, NULL, &old, 4);
	T_SYS(rt_sigaction, SIGUSR1, 8, NULL, 8);
	T_SYS(rt_sigaction, SIGUSR1, NULL, 8, 8);
	T_SYS(rt_sigprocmask, 77, &m, NULL, 8);
	T_SYS(rt_sigprocmask, 77, NULL, &m, 8);
	T_SYS(rt_sigprocmask, SIG_BLOCK, &m, NULL, 4);
	T_SYS(rt_sigprocmask, SIG_BLOCK, 8, NULL, 8);
	T_SYS(rt_sigprocmask, SIG_BLOCK, NULL, 8, 8);
	T_SYS(rt_sigpending, &m, 16);
	T_SYS(rt_sigpending, 8, 8);
	T_SYS(rt_sigsuspend, &m, 7);
	T_SYS(rt_sigsuspend, 8, 8);
	T_SYS(sigaltstack, 8, NULL);
	T_SYS(tgkill, 0, 0, 1);
	T_SYS(tgkill, getpid(), getpid(), 0);
	T_SYS(tgkill, getpid(), getpid(), 65);
	T_SYS(tgkill, getpid() + 1, getpid(), 0);
	T_SYS(tkill, getpid(), 0);
	T_SYS(tkill, -1, 0);
}

static void
stored(void)
{
	struct kaction a = { 0 }, old;

	a.handler = (void *)(uintptr_t)on_signal;
	a.flags = 0xffffffff;
	a.mask = ~0ull;
	T_SYS(rt_sigaction, SIGUSR1, &a, NULL, 8);
	T_SYS(rt_sigaction, SIGUSR1, NULL, &old, 8);
	t_say("flags %#lx mask %#llx same handler %d", old.flags, (unsigned long long)old.mask,
	    old.handler == a.handler);
	a.handler = NULL;
	a.flags = 0;
	a.mask = 0;
	T_SYS(rt_sigaction, SIGUSR1, &a, &old, 8);
	uint64_t m = ~0ull, now = 0;
	T_SYS(rt_sigprocmask, SIG_SETMASK, &m, &now, 8);
	t_say("old mask %#llx", (unsigned long long)now);
	m = 0;
	T_SYS(rt_sigprocmask, SIG_SETMASK, &m, &now, 8);
	t_say("everything but SIGKILL and SIGSTOP: %#llx", (unsigned long long)now);
}

/* A blocked SIGKILL still kills. */
static void
kill_cannot_be_blocked(void)
{
	if (t_child("SIGKILL through a full mask") == 0) {
		uint64_t m = ~0ull;

		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &m, NULL, 8);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
}

static void
note(int sig)
{
	if (norder < 16)
		order[norder++] = sig;
}

/* Of several pending signals the lowest number comes first; standard signals do not queue. */
static void
pending_order(void)
{
	sigset_t set;

	static const int sigs[] = { SIGUSR2, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, 34 + 5, 34 + 2, 34 + 2 };
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = note;
	sigfillset(&sa.sa_mask);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < T_COUNT(sigs); i++) {
		sigaction(sigs[i], &sa, NULL);
		kill(getpid(), sigs[i]);
	}
	sigpending(&set);
	for (int s = 1; s < 45; s++)
		if (sigismember(&set, s) == 1)
			t_say("pending %s", t_signal(s));
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (int i = 0; i < norder; i++)
		t_say("delivered %s", t_signal(order[i]));
}

static void
nest(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (depth < 5 && norder++ < 10)
		raise(sig);
	depth--;
}

static void
nesting(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	norder = 0;
	sa.sa_handler = nest;
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	t_say("SA_NODEFER nests %d deep", deepest);
	deepest = 0;
	t_handle(SIGUSR1, nest, 0);
	norder = 0;
	raise(SIGUSR1);
	t_say("without it %d, but all %d come", deepest, norder);
	norder = 0;
}

static void
reset_hand(void)
{
	struct sigaction sa;

	t_handle(SIGUSR1, note, SA_RESETHAND);
	norder = 0;
	raise(SIGUSR1);
	T(norder);
	sigaction(SIGUSR1, NULL, &sa);
	t_say("after one: %s, flags %#x", sa.sa_handler == SIG_DFL ? "default" : "kept",
	    (unsigned)(sa.sa_flags & ~0x04000000));
	if (t_child("the second one") == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
}

/* Setting a signal to ignore throws pending ones away. */
static void
ignore_discards(void)
{
	sigset_t set, pend;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	t_handle(SIGUSR2, note, 0);
	raise(SIGUSR2);
	sigpending(&pend);
	T(sigismember(&pend, SIGUSR2));
	signal(SIGUSR2, SIG_IGN);
	sigpending(&pend);
	T(sigismember(&pend, SIGUSR2));
	raise(SIGUSR2);
	sigpending(&pend);
	t_say("blocked and ignored: pending %d", sigismember(&pend, SIGUSR2));
	raise(SIGCHLD);
	sigpending(&pend);
	t_say("blocked, ignored by default: pending %d", sigismember(&pend, SIGCHLD));
	signal(SIGCHLD, SIG_DFL);
	sigpending(&pend);
	t_say("after setting the default: pending %d", sigismember(&pend, SIGCHLD));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
default_actions(void)
{
	static const int sigs[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
		SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH,
		SIGIO, SIGPWR, SIGSYS, 34, 64,
	};
	struct rlimit rl = { 0, 0 };

	setrlimit(RLIMIT_CORE, &rl);
	for (size_t i = 0; i < T_COUNT(sigs); i++)
		if (t_child(t_signal(sigs[i])) == 0) {
			for (int s = 1; s < 65; s++)
				signal(s, SIG_DFL);
			kill(getpid(), sigs[i]);
			_exit(0);
		}
}

int
main(void)
{
	errors();
	stored();
	kill_cannot_be_blocked();
	pending_order();
	nesting();
	reset_hand();
	ignore_discards();
	default_actions();
	return 0;
}
