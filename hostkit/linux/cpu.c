/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu - a host thread as a processor: mailbox, idle, timer, traps
 *
 * Everything that happens to a CPU is a bit in its mailbox, a word that the
 * caller owns.  Whoever sets the first bit also ends whatever the CPU is
 * waiting for, and that is all a wake-up does: it never runs anything.
 *
 * Sleeping is check-then-sleep, the pattern of Dekker:
 *
 *	the CPU                            whoever posts
 *	c_wait = word      (seq_cst)       mailbox |= bits     (seq_cst)
 *	mailbox == 0 ?     (seq_cst)       c_wait != NULL ?    (seq_cst)
 *	FUTEX_WAIT(word)                   spoil word, FUTEX_WAKE(word)
 *
 * Each side stores, then loads what the other stored.  With anything weaker
 * than a full fence between the two (x86 keeps stores in a buffer and lets
 * the load pass) both could see the old value, and the CPU would sleep with a
 * bit set.  An atomic or is such a fence; the store on the left is an
 * exchange, which is one too.  From the check to FUTEX_WAIT the kernel
 * compares the word once more: idling, the word is the mailbox itself and no
 * longer 0; waiting for a guest, it is a word of the guest's slot that must be
 * HK_WAITING and that the poster has set to 0.
 *
 * Timers: one POSIX timer per CPU signals the CPU's own thread.  Its handler
 * posts like anybody else.  A deadline that moves later leaves the host's
 * timer alone: it fires early, the handler sees that nothing is due and arms
 * it again, so a caller that moves its deadline with every switch of threads
 * pays for the host's timer once in a while and not every time.
 *
 * Invariants
 *   I1  c_mailbox, once published, points to a word that outlives the CPU.
 *   I2  c_wait is NULL or points to a word that is mapped until hk_fini().
 *   I3  the timer fires at or before c_timer_want, unless that is "never".
 *   I4  signal handlers touch atomics, their own frame and hk_sysops only.
 *
 * Locking: start_lock for starting and stopping; the rest is atomic or
 * belongs to the CPU's thread and its signal handlers, as hk_int.h says.
 * Not here: what runs on the CPU; how a guest is broken (run.c).
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <asm/prctl.h>

#include "fiber.h"
#include "host.h"

#define SIGSTACK_BYTES	(64u << 10)	/* AVX-512 and AMX frames, and a caller that prints a back trace */
#define NEVER		UINT64_MAX
#define HOST_STACK_MAX	(64u << 20)	/* a host thread's own stack is not larger */
#define INSPECT_NS	1000000000u
#define SAMPLE_HZ_MAX	10000u
#define IDLE_SPIN	20000u		/* HK_F_SPIN: about 50 us of looking before sleeping */

void	hk_stack_enter(uint64_t top, void (*entry)(void *), void *arg, uint64_t *saved);
_Noreturn void hk_stack_call(void (*entry)(void *), void *arg);
_Noreturn void hk_stack_leave(uint64_t saved);

_Thread_local uint64_t hk_host_stack;
static _Thread_local struct hk_cpu_rec *self_cpu;	/* NULL on threads that are no CPU */
static void (*_Atomic trap_handler)(const struct hk_trap *);

struct hk_cpu_rec *
hk_cpu_self(void)
{
	return self_cpu;
}

/* ------------------------------------------------------------- mailbox -- */

/* Make the CPU look at its mailbox, wherever it waits. */
static void
rouse(struct hk_cpu_rec *c)
{
	_Atomic uint32_t *word = atomic_load(&c->c_wait);

	if (word == NULL)
		return;
	if (word == atomic_load(&c->c_mailbox)) {
		/* It idles.  The mailbox is a futex of this process alone. */
		HK_SYS3(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX);
		return;
	}
	atomic_store(word, 0);
	hk_futex_wake(word, INT32_MAX);
}

void
hk_post(uint32_t cpu, uint32_t bits)
{
	struct hk_cpu_rec *c;
	_Atomic uint32_t *box;

	if (cpu >= HK_CPU_MAX || bits == 0)
		return;
	c = &hk_m.m_cpu[cpu];
	box = atomic_load(&c->c_mailbox);
	if (box == NULL) {
		/* Not started: leave the bits for hk_cpu_start(), unless it was faster than this store. */
		atomic_fetch_or(&c->c_early, bits);
		box = atomic_load(&c->c_mailbox);
		if (box == NULL)
			return;
		bits = atomic_exchange(&c->c_early, 0);
		if (bits == 0)
			return;
	}
	if (atomic_fetch_or(box, bits) == 0)
		rouse(c);
}

void
hk_rouse(uint32_t cpu)
{
	if (cpu < HK_CPU_MAX)
		rouse(&hk_m.m_cpu[cpu]);
}

void
hk_yield(void)
{
	if (self_cpu != NULL)
		atomic_store_explicit(&self_cpu->c_yields,
		    atomic_load_explicit(&self_cpu->c_yields, memory_order_relaxed) + 1, memory_order_relaxed);
	HK_SYS0(SYS_sched_yield);
}

void
hk_idle(uint32_t cpu)
{
	struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
	_Atomic uint32_t *box = atomic_load_explicit(&c->c_mailbox, memory_order_relaxed);
	uint64_t start_ns;

	ASSERT(c == self_cpu);
	hk_place_tick(c);
	if ((hk_m.m_flags & HK_F_SPIN) != 0)
		for (uint32_t i = 0; i < IDLE_SPIN; i++) {
			if (atomic_load_explicit(box, memory_order_relaxed) != 0)
				return;
			__builtin_ia32_pause();
		}
	start_ns = hk_clock_mono();
	atomic_exchange(&c->c_wait, box);
	if (atomic_load(box) == 0)
		HK_SYS2(SYS_futex, box, FUTEX_WAIT | FUTEX_PRIVATE_FLAG);
	atomic_store_explicit(&c->c_wait, NULL, memory_order_release);
	c->c_idle_ns += hk_clock_mono() - start_ns;
}

/* --------------------------------------------------------------- timer -- */

static void
arm(struct hk_cpu_rec *c, uint64_t abs_ns)
{
	struct itimerspec its = {
		.it_value = { (time_t)(abs_ns / 1000000000u), (long)(abs_ns % 1000000000u) },
	};

	if (abs_ns == 0)
		its.it_value.tv_nsec = 1;	/* all zero would disarm */
	HK_SYS3(SYS_timer_settime, c->c_timer_id, TIMER_ABSTIME, &its);
}

/*
 * Handler and hk_timer() run on the same thread, so "want, then armed" may be
 * cut anywhere: a handler in between sees the new wish and arms for it, and
 * arming twice is harmless.  I3
 */
void
hk_timer(uint32_t cpu, uint64_t abs_ns)
{
	struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];

	ASSERT(c == self_cpu);
	hk_place_tick(c);
	atomic_store_explicit(&c->c_timer_want, abs_ns, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (abs_ns >= atomic_load_explicit(&c->c_timer_armed, memory_order_relaxed))
		return;
	atomic_store_explicit(&c->c_timer_armed, abs_ns, memory_order_relaxed);
	arm(c, abs_ns);
}

static void
timer_fired(struct hk_cpu_rec *c)
{
	uint64_t want = atomic_load_explicit(&c->c_timer_want, memory_order_relaxed);
	int32_t inside = atomic_load_explicit(&c->c_space, memory_order_relaxed);

	if (inside >= 0)
		atomic_store_explicit(&c->c_place_space, inside, memory_order_relaxed);
	atomic_store_explicit(&c->c_timer_armed, NEVER, memory_order_relaxed);
	if (want == NEVER)
		return;
	if (want > hk_clock_mono()) {
		atomic_store_explicit(&c->c_timer_armed, want, memory_order_relaxed);
		arm(c, want);
		return;
	}
	atomic_store_explicit(&c->c_timer_want, NEVER, memory_order_relaxed);
	hk_post(c->c_index, HK_BIT_TIMER);
}

/* What did the signal interrupt? */
static struct hk_trap
interrupted(const struct hk_cpu_rec *c, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	uint64_t rsp = (uint64_t)g[REG_RSP], top = c->c_host_rsp;

	return (struct hk_trap){
		.rip = (uint64_t)g[REG_RIP],
		.rsp = rsp,
		.rbp = (uint64_t)g[REG_RBP],
		.addr = rsp < top && top - rsp < HOST_STACK_MAX ? top & ~15ull : 0,
	};
}

void
hk_on_sample(const _Atomic uint32_t *hz, void (*handler)(const struct hk_trap *))
{
	hk_m.m_sample_hz = hz;
	atomic_store(&hk_m.m_on_sample, handler);
}

void
hk_cpu_sample_rates(void)
{
	uint32_t hz;
	uint64_t ns;

	if (atomic_load(&hk_m.m_on_sample) == NULL)
		return;
	hz = atomic_load_explicit(hk_m.m_sample_hz, memory_order_relaxed);
	ns = hz == 0 ? 0 : hz < SAMPLE_HZ_MAX ? 1000000000u / hz : 1000000000u / SAMPLE_HZ_MAX;
	for (uint32_t cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
		struct timespec each = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
		struct itimerspec its = { .it_interval = each, .it_value = each };

		if (atomic_load(&c->c_state) != HK_CPU_RUNNING ||
		    atomic_exchange_explicit(&c->c_sample_ns, ns, memory_order_relaxed) == ns)
			continue;
		HK_SYS3(SYS_timer_settime, c->c_sample_id, 0, &its);
	}
}

/* Half of the time between two, so that one that comes a little early counts. */
static void
take_sample(struct hk_cpu_rec *c, const struct hk_trap *at)
{
	uint64_t ns = atomic_load_explicit(&c->c_sample_ns, memory_order_relaxed), now;
	_Atomic uint32_t *sleeps = atomic_load_explicit(&c->c_wait, memory_order_relaxed);
	void (*on_sample)(const struct hk_trap *) = atomic_load(&hk_m.m_on_sample);

	if (ns == 0 || on_sample == NULL)
		return;
	now = hk_clock_mono();
	if (now < c->c_sample_at)
		return;
	c->c_sample_at = now + ns / 2;
	if (atomic_load_explicit(&c->c_space, memory_order_relaxed) >= 0)
		hk_post(c->c_index, HK_BIT_SAMPLE);
	else if (sleeps == NULL)
		on_sample(at);
}

/*
 * Anybody may send this signal, and of two that come together the host
 * delivers one: so it says "look" and nothing else.
 */
static void
on_timer(int signo, siginfo_t *si, void *uc)
{
	void (*on_stuck)(const struct hk_trap *) = atomic_load(&hk_m.m_on_stuck);
	struct hk_cpu_rec *c = self_cpu;
	struct hk_trap at;

	(void)signo;
	(void)si;
	if (c == NULL)
		return;
	timer_fired(c);
	at = interrupted(c, uc);
	if (atomic_load(&c->c_inspect) == 1) {
		c->c_seen = at;
		atomic_store(&c->c_inspect, 2);
	}
	if (atomic_exchange(&c->c_stuck, false) && on_stuck != NULL)
		on_stuck(&at);
	take_sample(c, &at);
}

void
hk_on_stuck(void (*handler)(const struct hk_trap *))
{
	atomic_store(&hk_m.m_on_stuck, handler);
}

void
hk_cpu_tell_stuck(struct hk_cpu_rec *c)
{
	atomic_store(&c->c_stuck, true);
	HK_SYS3(SYS_tgkill, hk_m.m_pid, atomic_load(&c->c_hosttid), HK_SIGNO_TIMER);
}

hk_result
hk_cpu_inspect(uint32_t cpu, struct hk_trap *out)
{
	struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
	uint64_t end = hk_clock_mono() + INSPECT_NS;

	if (cpu >= HK_CPU_MAX || c == self_cpu || atomic_load(&c->c_state) != HK_CPU_RUNNING)
		return HK_INVAL;
	atomic_store(&c->c_inspect, 1);
	HK_SYS3(SYS_tgkill, hk_m.m_pid, atomic_load(&c->c_hosttid), HK_SIGNO_TIMER);
	while (atomic_load(&c->c_inspect) != 2 && hk_clock_mono() < end)
		hk_yield();
	if (atomic_exchange(&c->c_inspect, 0) != 2)
		return HK_AGAIN;
	*out = c->c_seen;
	return HK_OK;
}

/* --------------------------------------------------------------- traps -- */

/* Leave by `signo` as if we had never been here, but with the terminal as it was. */
void
hk_die_by(int signo)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t set;

	hk_stream_cook();
	sigaction(signo, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	HK_SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
	HK_SYS3(SYS_tgkill, HK_SYS6(SYS_getpid, 0, 0, 0, 0, 0, 0), HK_SYS6(SYS_gettid, 0, 0, 0, 0, 0, 0),
	    signo);
}

static void
on_fatal(int signo)
{
	hk_die_by(signo);
}

/* Every signal that ends a process by default and can be caught, but those that serve.c takes. */
static const int fatal[] = {
	SIGABRT, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGXCPU, SIGSYS, SIGIO, SIGSTKFLT, SIGPWR,
	SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
};

static void
swap_action(int signo, void (*was)(int), void (*is)(int))
{
	struct sigaction sa;

	sigaction(signo, NULL, &sa);
	if ((sa.sa_flags & SA_SIGINFO) != 0 || sa.sa_handler != was)
		return;			/* somebody else's business */
	sa.sa_handler = is;
	sa.sa_flags = SA_ONSTACK;
	sigaction(signo, &sa, NULL);
}

void
hk_catch_fatal(bool on)
{
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		swap_action(fatal[i], on ? SIG_DFL : on_fatal, on ? on_fatal : SIG_DFL);
}

static void
on_trap(int signo, siginfo_t *si, void *ucv)
{
	void (*handler)(const struct hk_trap *) = atomic_load(&trap_handler);
	const greg_t *g = ((const ucontext_t *)ucv)->uc_mcontext.gregs;
	struct hk_trap t = {
		.rip = (uint64_t)g[REG_RIP],
		.rsp = (uint64_t)g[REG_RSP],
		.rbp = (uint64_t)g[REG_RBP],
		.addr = (uint64_t)si->si_addr,
		.signo = (uint32_t)signo,
		.trapno = (uint32_t)g[REG_TRAPNO],
		.err = (uint32_t)g[REG_ERR],
	};

	/* A second trap inside the handler, or one on a thread that is no CPU, goes the host's way. */
	if (self_cpu != NULL && handler != NULL && !self_cpu->c_trapped) {
		self_cpu->c_trapped = true;
		handler(&t);
	}
	hk_die_by(signo);
}

void
hk_on_trap(void (*handler)(const struct hk_trap *))
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	atomic_store(&trap_handler, handler);
	sa.sa_sigaction = on_trap;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	if (handler == NULL)
		sa = (struct sigaction){ .sa_handler = SIG_DFL };
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

/* ---------------------------------------------------------- start, stop -- */

static struct hk_lock start_lock;	/* starting and collecting CPUs */

/* What hk_cpu_start() hands to the new thread; lives on the starter's stack until c_state leaves HK_CPU_STARTING. */
struct start {
	struct hk_cpu_rec	*s_cpu;
	uint64_t		s_gsbase, s_stack_top;
	void			(*s_entry)(void *);
	void			*s_arg;
	long			s_error;
};

/* The signals that a CPU's thread takes: its timer, and its own faults. */
static void
open_signals(void)
{
	static const int taken[] = { HK_SIGNO_TIMER, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT };
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigdelset(&set, taken[i]);
	HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &set, 0, 8);
}

/* A timer that signals the CPU's thread; *id -1: none.  0 or -errno. */
static long
timer_make(const struct hk_cpu_rec *c, int32_t *id)
{
	struct sigevent sev;

	memset(&sev, 0, sizeof(sev));
	sev.sigev_notify = SIGEV_THREAD_ID;
	sev.sigev_signo = HK_SIGNO_TIMER;
	sev._sigev_un._tid = c->c_hosttid;
	*id = -1;
	return HK_SYS3(SYS_timer_create, CLOCK_MONOTONIC, &sev, id);
}

static void
timers_delete(const struct hk_cpu_rec *c)
{
	if (c->c_timer_id >= 0)
		HK_SYS1(SYS_timer_delete, c->c_timer_id);
	if (c->c_sample_id >= 0)
		HK_SYS1(SYS_timer_delete, c->c_sample_id);
}

/* Give the calling thread what a CPU needs.  0 or -errno; on failure nothing is left. */
static long
dress(struct hk_cpu_rec *c, uint64_t gsbase)
{
	stack_t ss = { .ss_size = SIGSTACK_BYTES };
	long r;

	c->c_timer_id = c->c_sample_id = -1;
	r = HK_SYS5(SYS_mmap, 0, SIGSTACK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (r < 0)
		return r;
	c->c_sigstack = (uint64_t)r;
	ss.ss_sp = (void *)r;
	r = HK_SYS1(SYS_sigaltstack, &ss);
	if (r < 0)
		goto undo_stack;
	r = timer_make(c, &c->c_timer_id);
	if (r == 0)
		r = timer_make(c, &c->c_sample_id);
	if (r == 0)
		r = HK_SYS2(SYS_arch_prctl, ARCH_SET_GS, gsbase);
	if (r == 0)
		return 0;
	timers_delete(c);
	ss.ss_flags = SS_DISABLE;
	HK_SYS1(SYS_sigaltstack, &ss);
undo_stack:
	HK_SYS2(SYS_munmap, c->c_sigstack, SIGSTACK_BYTES);
	return r;
}

static void
undress(struct hk_cpu_rec *c)
{
	stack_t ss = { .ss_flags = SS_DISABLE };

	timers_delete(c);
	HK_SYS1(SYS_sigaltstack, &ss);
	HK_SYS2(SYS_munmap, c->c_sigstack, SIGSTACK_BYTES);
}

static void
set_state(struct hk_cpu_rec *c, uint32_t state)
{
	atomic_store(&c->c_state, state);
	HK_SYS3(SYS_futex, &c->c_state, FUTEX_WAKE, INT32_MAX);
}

/* The host visits an area for restartable sequences at every switch.  libc registers one; nothing here uses it. */
static void
drop_rseq(void)
{
	HK_SYS4(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, sizeof(struct rseq), RSEQ_FLAG_UNREGISTER,
	    RSEQ_SIG);
}

static _Thread_local struct fiber fiber;

/* The first function on the caller's stack. */
static void
on_stack(void *arg)
{
	const struct start *s = arg;

	fiber_entered(&fiber);
	hk_host_stack = s->s_cpu->c_host_rsp & ~15ull;
	hk_stack_call(s->s_entry, s->s_arg);
}

static void *
cpu_main(void *arg)
{
	struct start s = *(struct start *)arg;
	struct hk_cpu_rec *c = s.s_cpu;

	self_cpu = c;
	c->c_hosttid = (int)HK_SYS0(SYS_gettid);
	drop_rseq();
	open_signals();
	((struct start *)arg)->s_error = dress(c, s.s_gsbase);
	if (((struct start *)arg)->s_error < 0) {
		set_state(c, HK_CPU_FAILED);
		return NULL;
	}
	hk_place_start(c);
	set_state(c, HK_CPU_RUNNING);
	fiber_enter(&fiber, s.s_stack_top);
	hk_stack_enter(s.s_stack_top, on_stack, &s, &c->c_host_rsp);
	fiber_left(&fiber);

	/* hk_cpu_stop() brought us back. */
	hk_place_stop(c);
	undress(c);
	self_cpu = NULL;
	set_state(c, HK_CPU_STOPPED);
	return NULL;
}

static void
wait_while(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load(word) == value)
		HK_SYS3(SYS_futex, word, FUTEX_WAIT, value);
}

/* Wait for a thread that has ended or is about to. */
static void
collect(struct hk_cpu_rec *c)
{
	hk_sysops.join(c->c_thread);
	atomic_store(&c->c_mailbox, NULL);
	atomic_store(&c->c_state, HK_CPU_NONE);
}

hk_result
hk_cpu_start(uint32_t cpu, _Atomic uint32_t *mailbox, uint64_t gsbase, uint64_t stack_top,
    void (*entry)(void *), void *arg)
{
	struct start s = { .s_gsbase = gsbase, .s_stack_top = stack_top, .s_entry = entry, .s_arg = arg };
	struct hk_cpu_rec *c;
	uint32_t state;
	int error;

	if (cpu >= hk_m.m_ncpu || mailbox == NULL || entry == NULL || stack_top == 0)
		return HK_INVAL;
	c = s.s_cpu = &hk_m.m_cpu[cpu];
	hk_lock(&start_lock);
	state = atomic_load(&c->c_state);
	if (state == HK_CPU_STOPPED)
		collect(c);
	else if (state != HK_CPU_NONE) {
		hk_unlock(&start_lock);
		return HK_INVAL;
	}
	c->c_index = cpu;
	c->c_trapped = false;
	atomic_store(&c->c_timer_want, NEVER);
	atomic_store(&c->c_timer_armed, NEVER);
	atomic_store(&c->c_sample_ns, 0);
	atomic_store(&c->c_state, HK_CPU_STARTING);
	atomic_store(&c->c_mailbox, mailbox);
	error = hk_sysops.thread(cpu_main, &s, &c->c_thread);
	if (error == 0) {
		wait_while(&c->c_state, HK_CPU_STARTING);
		if (atomic_load(&c->c_state) == HK_CPU_FAILED) {
			error = (int)-s.s_error;
			collect(c);
		}
	}
	if (error != 0) {
		atomic_store(&c->c_mailbox, NULL);
		atomic_store(&c->c_state, HK_CPU_NONE);
		hk_unlock(&start_lock);
		return hk_fail_host("cannot start a CPU's thread", -error);
	}
	hk_unlock(&start_lock);
	hk_post(cpu, atomic_exchange(&c->c_early, 0));
	return HK_OK;
}

_Noreturn void
hk_cpu_stop(void)
{
	ASSERT(self_cpu != NULL);
	fiber_leave(&fiber);
	hk_stack_leave(self_cpu->c_host_rsp);
}

void
hk_cpus_init(void)
{
	struct sigaction sa;

	memset(hk_m.m_cpu, 0, sizeof(hk_m.m_cpu));
	for (uint32_t i = 0; i < HK_CPU_MAX; i++) {
		hk_m.m_cpu[i].c_index = i;
		atomic_store(&hk_m.m_cpu[i].c_space, HK_NOSPACE);
		atomic_store(&hk_m.m_cpu[i].c_place_space, HK_NOSPACE);
		atomic_store(&hk_m.m_cpu[i].c_hostcpu, -1);
	}
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_timer;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigaction(HK_SIGNO_TIMER, &sa, NULL);
}

void
hk_cpus_fini(void)
{
	for (uint32_t i = 0; i < HK_CPU_MAX; i++) {
		struct hk_cpu_rec *c = &hk_m.m_cpu[i];

		ASSERT(atomic_load(&c->c_state) != HK_CPU_STARTING);
		if (atomic_load(&c->c_state) != HK_CPU_NONE)
			collect(c);
	}
	sigaction(HK_SIGNO_TIMER, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	hk_catch_fatal(false);
	if (atomic_load(&trap_handler) != NULL)
		hk_on_trap(NULL);
	hk_on_stuck(NULL);
	hk_on_sample(NULL, NULL);
}

/* -------------------------------------------------------------- clocks -- */

/* The vDSO answers these two: no system call. */
static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
hk_clock_mono(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t
hk_clock_real(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t
hk_clock_cpu(void)
{
	struct timespec ts = { 0, 0 };

	HK_SYS2(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
