/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwkt - light-weight kernel threads (DragonFly BSD, 2003).
 *
 * A thread belongs to one CPU.  Only that CPU touches its run-queue state,
 * inside a critical section; other CPUs send messages.  A thread leaves the
 * processor only by its own call (switch, sleep, poll, or on its way to user
 * mode): there is no kernel preemption in the middle of a computation, so a
 * critical section is a counter and costs no instruction that locks.
 */
#pragma once
#include <core/rt/list.h>
#include <core/rt/rt.h>
#include <machine/types.h>
#include <stdatomic.h>
#include <sys/lwkt/cpu.h>

/* Priorities: higher runs first. */
#define LWKT_PRI_IDLE	0
#define LWKT_PRI_USER	8	/* kernel side of user threads; see proc/sched */
#define LWKT_PRI_KERN	16
#define LWKT_PRI_SOFT	24	/* timers, device completion */

#define TOKENS_MAX	32		/* token_get()s of a thread not yet released */
#ifndef LWKT_STACK_BYTES		/* sanitizers want more */
#define LWKT_STACK_BYTES	32768u	/* guard page below */
#endif

enum td_state { TD_RUNNING, TD_READY, TD_SLEEPING, TD_MOVING, TD_EXITED };

struct token;
struct lwp;

struct thread {
	uint64_t	td_sp;		/* [cpu] saved stack pointer while not running */
	struct cpu	*_Atomic td_cpu;	/* [cpu] owner; changed by it alone, when the thread has left its stack */
	struct cpu	*td_dest;	/* [cpu] where it goes, while TD_MOVING */
	_Atomic uint32_t td_waking;	/* [atomic] it is on some CPU's c_wakeups, or about to be */
	_Atomic uint32_t td_waker;	/* [atomic] hint: the CPU that last ended a wait of it by wake_all, wake_one */
	struct thread	*td_wakenext;	/* [td_waking] */
	uint32_t	td_crit;	/* [thread] critical section depth */
	uint32_t	td_pri;		/* [cpu] */
	enum td_state	td_state;	/* [cpu] changed by td_become(); others look by td_state() */
	uint32_t	td_flags;	/* [cpu] TDF_*, changed by td_flag(); others look by td_flags() */
	struct list	td_runlink;	/* [cpu] run queue or reap list */
	struct list	td_alllink;	/* [all threads' spin] */
	uint64_t	td_stack;	/* const: lowest address of the stack; the struct itself lies at its upper end */
	uint64_t	td_id;		/* const: serial number */
	struct token	*td_tok[TOKENS_MAX];	/* [thread] one for each unreleased token_get(), oldest first */
	uint32_t	td_ntok;	/* [thread] */
	struct lwp	*td_lwp;	/* const: user thread, or NULL */
	_Atomic uint32_t td_intr;	/* [atomic] somebody wants interruptible sleeps to end */
	void		(*td_leave)(struct thread *);	/* const: called when switched away (md_user_leave) */
	/*
	 * const: asked on its CPU, in a critical section, when an interruptible sleep ends.
	 * True: not yet; whoever says so calls lwkt_wake() when it may go on.
	 */
	bool		(*td_waits)(struct thread *);
	void		(*td_fn)(void *);
	void		*td_arg;
	uint64_t	td_timeout[12];	/* [cpu] the time layer's timer for this thread's sleeps */
	struct { const void *lock; uint32_t rank; } td_held[16];	/* [thread] witness.c */
	uint32_t	td_nheld;	/* [thread] */
	char		td_name[24];
};
static inline enum td_state td_state(const struct thread *td) { return __atomic_load_n(&td->td_state, __ATOMIC_RELAXED); }
static inline uint32_t td_flags(const struct thread *td) { return __atomic_load_n(&td->td_flags, __ATOMIC_RELAXED); }
static inline void td_become(struct thread *td, enum td_state s) { __atomic_store_n(&td->td_state, s, __ATOMIC_RELAXED); }
static inline void
td_flag(struct thread *td, uint32_t set, uint32_t clear)
{
	__atomic_store_n(&td->td_flags, (td->td_flags | set) & ~clear, __ATOMIC_RELAXED);
}
#define TDF_TIMED	(1u << 0)	/* a deadline is armed */
#define TDF_TIMEDOUT	(1u << 1)	/* the deadline of the sleep has passed */
#define TDF_INTERRUPTIBLE (1u << 2)	/* in a sleep that lwkt_interrupt() ends */

/* Not yet runnable; on this CPU, or on `cpu`. */
int	lwkt_create(void (*fn)(void *), void *arg, uint32_t pri, const char *name, struct thread **out);
int	lwkt_create_on(uint32_t cpu, void (*fn)(void *), void *arg, uint32_t pri, const char *name, struct thread **out);
void	lwkt_start(struct thread *td);		/* make it runnable on its CPU */
/* The current thread goes on on `cpu`.  The only way that a thread changes its CPU.  May switch: tokens are lost meanwhile. */
void	lwkt_migrate(uint32_t cpu);
_Noreturn void lwkt_exit(void);
void	lwkt_switch(void);			/* run another; the current thread is queued or asleep */
void	lwkt_yield(void);			/* let others of the same or higher priority run */
void	lwkt_sleep(void);			/* in a critical section: until any lwkt_wake() */
/*
 * A sleeping thread becomes ready.  Any CPU, any context; never waits.  The
 * caller knows that the thread cannot have ended before the call.  A wake-up
 * may reach a thread that already sleeps for another reason, so every
 * sleep looks again at what it waited for.
 */
void	lwkt_wake(struct thread *td);
/* End its interruptible sleep (EINTR) or its stay in user mode; stays set until lwkt_intr_clear. */
void	lwkt_interrupt(struct thread *td);
static inline bool lwkt_interrupted(struct thread *td) { return atomic_load_explicit(&td->td_intr,
    memory_order_relaxed) != 0; }
static inline void lwkt_intr_clear(struct thread *td) { atomic_store_explicit(&td->td_intr, 0, memory_order_relaxed); }
/*
 * Stands in every loop without a small constant bound and after every 64 KiB
 * of copying: takes pending mailbox bits, and yields to a thread of higher priority.
 */
void	lwkt_poll(void);			/* switches only when the caller holds no token and is not in a critical section */
/* Walk all threads (debug, ps): fn under a spin lock, must not block. */
void	lwkt_foreach(void (*fn)(struct thread *, void *), void *arg);

/* Kernel argument `gaps`: measure how long a CPU goes without looking at its mailbox, in its own CPU time. */
void	lwkt_watch_gaps(void);
#define GAP_FRAMES	4u
struct gap {
	nsec_t		g_ns;
	uint64_t	g_pc[GAP_FRAMES];	/* after the call that ended it, after the call of that function ...; or 0 */
};
/* The longest of all CPUs, one for each place, in no order.  How many; those of GAP_FLOOR_NS or less are left out. */
#define GAP_FLOOR_NS	(100 * 1000ull)
uint32_t lwkt_gaps(const struct gap **out);

/* Kernel argument `witness`: check the order of locks.  Before there is a second thread. */
void	witness_start(void);

/*
 * What lwkt needs from the layers above it, given at boot: memory for stacks,
 * and timers for sleeps with a deadline.
 */
struct lwkt_needs {
	uint64_t (*stack_alloc)(size_t bytes);		/* lowest address, 0: none */
	void	(*stack_free)(uint64_t stack, size_t bytes);
	void	*(*mem_alloc)(size_t bytes);		/* zeroed, for ever; NULL: none */
	void	(*timeout_arm)(struct thread *td, nsec_t deadline);	/* calls lwkt_timed_out(td) then */
	void	(*timeout_disarm)(struct thread *td);
};
void	lwkt_set_needs(const struct lwkt_needs *n);
void	lwkt_timed_out(struct thread *td);

void	lwkt_init(void);		/* once, on the boot CPU, after lwkt_boot_cpu() */
/* Called on a CPU each time before it idles, outside of critical sections; may make threads ready. */
void	lwkt_set_idle_hook(void (*fn)(void));
/* Boot: the running stack becomes this CPU's idle thread; the other one never returns and is its life. */
void	lwkt_boot_cpu(struct cpu *c, struct thread *idle, uint64_t stack);
/* Another CPU, with its idle thread: its area and the end of its stack, for md_cpu_start().  ENOMEM. */
int	lwkt_make_cpu(uint32_t id, struct cpu **out, uint64_t *stack_top);
_Noreturn void lwkt_idle(void);

static inline void crit_enter(void) { curthread->td_crit++; __asm__ volatile("" ::: "memory"); }
void	crit_exit_slow(void);			/* mailbox bits are waiting, or this CPU is watched */
static inline void
crit_exit(void)
{
	struct cpu *c = mycpu;
	struct thread *td = c->c_curthread;

	__asm__ volatile("" ::: "memory");
	ASSERT(td->td_crit > 0);
	if (--td->td_crit == 0 && (atomic_load_explicit(&c->c_mailbox, memory_order_relaxed) | c->c_watch) != 0)
		crit_exit_slow();
}
