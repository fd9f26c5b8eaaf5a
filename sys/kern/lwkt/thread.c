/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread - light-weight kernel threads and their scheduler.
 *
 * The one idea: a thread is owned by a CPU, so the run queue needs no lock.
 * Making a thread of another CPU runnable is a message to its owner; only
 * the owner touches the queue, inside a critical section, which is a counter.
 *
 * That message is the thread itself: it is put on the owner's list of threads
 * to wake, at most once, so a wake-up never waits for room.
 *
 * A thread is RUNNING, READY (on exactly one run queue), SLEEPING, MOVING to
 * another CPU (both on none) or EXITED.  It leaves the processor only in lwkt_switch().
 *
 * Invariants
 *   T1  c_curthread is RUNNING and on no run queue.
 *   T2  bit p of c_runmask is set exactly when c_runq[p] is not empty.
 *   T3  td_crit is at least 1 from the choice of the next thread until that
 *       thread has left lwkt_switch(): no interrupt handler sees the middle.
 *   T4  a thread that switches away has given up its tokens, and holds them
 *       again when lwkt_switch() returns to it.
 *   T5  a stack is freed only by another thread, after its owner has left it.
 *   T6  td_cpu changes only from the CPU it names, after the thread has left
 *       its stack there: the next CPU finds it complete.
 *   T7  a thread with td_waking is on, or about to be put on, one list of
 *       wake-ups, and is not freed.
 *   T8  a deadline is armed only while the thread sleeps: so the timer is
 *       always its own CPU's.
 *
 * The struct thread lies at the upper end of its own stack.
 *
 * Locking: [cpu] fields by ownership; the list of all threads by a spin lock.
 */
#include <abi/errno.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/ktr.h>
#include <sys/lwkt/spin.h>

#include "lwkt_int.h"

struct lwkt_needs lwkt_needs;
uint32_t cpu_count;
struct cpu *cpus[CPU_MAX];		/* const after boot */
static struct spin all_spin = SPIN_INIT(threads);
struct list all_threads = LIST_INIT(all_threads);	/* [all_spin] */
static _Atomic uint64_t last_id;
static void (*idle_hook)(void);		/* const after boot */

struct cpu *
cpu_find(uint32_t id)
{
	ASSERT(id < cpu_count);
	return cpus[id];
}

int
lwkt_make_cpu(uint32_t id, struct cpu **out, uint64_t *stack_top)
{
	uint64_t stack = lwkt_needs.stack_alloc(LWKT_STACK_BYTES);
	struct cpu *c = lwkt_needs.mem_alloc(sizeof *c);
	struct thread *idle = lwkt_needs.mem_alloc(sizeof *idle);

	if (stack == 0 || c == NULL || idle == NULL)
		return ENOMEM;			/* at boot: nobody goes on */
	c->c_self = c;
	c->c_id = id;
	if (ktr_init_cpu(c) != 0)
		return ENOMEM;
	lwkt_boot_cpu(c, idle, stack);
	*out = c;
	*stack_top = stack + LWKT_STACK_BYTES;
	return 0;
}

void
lwkt_set_needs(const struct lwkt_needs *n)
{
	lwkt_needs = *n;
}

void
lwkt_set_idle_hook(void (*fn)(void))
{
	idle_hook = fn;
}

static void
thread_init(struct thread *td, struct cpu *c, uint64_t stack, uint32_t pri, const char *name)
{
	memset(td, 0, sizeof *td);
	td->td_cpu = c;
	td->td_pri = pri;
	td->td_stack = stack;
	td->td_id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	list_init(&td->td_runlink);
	list_init(&td->td_alllink);
	strlcpy(td->td_name, name, sizeof td->td_name);
}

static void
all_insert(struct thread *td)
{
	spin_lock(&all_spin);
	list_push_back(&all_threads, &td->td_alllink);
	spin_unlock(&all_spin);
}

void
lwkt_boot_cpu(struct cpu *c, struct thread *idle, uint64_t stack)
{
	char name[24];

	ASSERT(c->c_self == c && c->c_id < CPU_MAX && cpus[c->c_id] == NULL);
	for (uint32_t p = 0; p < LWKT_PRI_MAX; p++)
		list_init(&c->c_runq[p]);
	list_init(&c->c_reap);
	c->c_watch = md_deterministic ? CPU_WATCH_POINTS : 0;
	if (c->c_ktr == NULL)
		ktr_boot(c);
	rt_snprintf(name, sizeof name, "idle%u", c->c_id);
	thread_init(idle, c, stack, LWKT_PRI_IDLE, name);
	td_become(idle, TD_RUNNING);
	c->c_idle = c->c_curthread = idle;
	cpus[c->c_id] = c;
	if (c->c_id >= cpu_count)
		cpu_count = c->c_id + 1;
	all_insert(idle);
	ktr_name(idle);
}

/* ---------------------------------------------------------- run queue -- */

static void
runq_insert(struct cpu *c, struct thread *td)
{
	ASSERT(c == mycpu && c->c_curthread->td_crit > 0);
	ASSERT(list_empty(&td->td_runlink));
	td_become(td, TD_READY);
	list_push_back(&c->c_runq[td->td_pri], &td->td_runlink);
	c->c_runmask |= 1u << td->td_pri;
}

static void
runq_remove(struct cpu *c, struct thread *td)
{
	list_remove(&td->td_runlink);
	if (list_empty(&c->c_runq[td->td_pri]))
		c->c_runmask &= ~(1u << td->td_pri);
}

static struct thread *
runq_choose(struct cpu *c)
{
	struct thread *td;

	if (c->c_runmask == 0)
		return c->c_idle;
	td = list_first(&c->c_runq[31 - __builtin_clz(c->c_runmask)], struct thread, td_runlink);
	runq_remove(c, td);
	return td;
}

/* Would the scheduler prefer somebody else, given a chance to say so? */
static bool
better_is_ready(const struct cpu *c)
{
	return (c->c_runmask >> c->c_curthread->td_pri) > 1;
}

/* ------------------------------------------------------------- switch -- */

/*
 * On the stack of whoever runs now: the one before it has left its own.  If
 * it goes to another CPU, that one may have it now: T6.
 */
static void
switch_finish(void)
{
	struct thread *td = mycpu->c_left;

	mycpu->c_left = NULL;
	if (td == NULL)
		return;
	atomic_store_explicit(&td->td_cpu, td->td_dest, memory_order_release);
	lwkt_wake(td);
}

/* The switch itself; tokens are the caller's business.  In a critical section. */
void
lwkt_switch_bare(void)
{
	struct cpu *c = mycpu;
	struct thread *td = c->c_curthread, *next;

	ASSERT(td->td_crit > 0);
	ASSERT(td->td_state != TD_RUNNING || td == c->c_idle);
	if (td->td_leave != NULL)
		td->td_leave(td);				/* which may make another ready */
	next = runq_choose(c);
	if (next == td) {
		td_become(td, TD_RUNNING);
		return;
	}
	next->td_crit++;					/* T3: until it is out of here itself */
	figure_add(&c->c_switches, 1);
	ktr(KTR_SWITCH, next->td_id, td->td_state);
	c->c_left = td->td_state == TD_MOVING ? td : NULL;
	c->c_curthread = next;
	td_become(next, TD_RUNNING);
	md_ctx_switch(&td->td_sp, next->td_sp);
	switch_finish();					/* perhaps on another CPU than above */
	td->td_crit--;
}

/*
 * The current thread has been queued, put to sleep or has exited; run the
 * next one.  Returns when this thread is chosen again.
 */
void
lwkt_switch(void)
{
	struct thread *td = curthread;

	crit_enter();
	token_release_all(td);					/* T4 */
	lwkt_switch_bare();
	token_reacquire_all(td);
	crit_exit();
}

static void
thread_main(void *arg)
{
	struct thread *td = arg;

	switch_finish();
	td->td_crit--;			/* taken for us by the switch that came here */
	crit_enter();
	crit_exit();			/* look at the mailbox */
	td->td_fn(td->td_arg);
	lwkt_exit();
}

/* One that has ended and that nobody is about to wake; NULL: none. */
static struct thread *
reap_one(struct cpu *c)
{
	struct thread *found = NULL;

	crit_enter();
	list_foreach(td, &c->c_reap, struct thread, td_runlink) {
		if (atomic_load_explicit(&td->td_waking, memory_order_acquire) == 0) {	/* T7 */
			list_remove(&td->td_runlink);
			found = td;
			break;
		}
	}
	crit_exit();
	return found;
}

/* The critical section ends after each: there may be hundreds. */
static void
reap(struct cpu *c)
{
	struct thread *td;

	while ((td = reap_one(c)) != NULL)
		lwkt_needs.stack_free(td->td_stack, LWKT_STACK_BYTES);
}

int
lwkt_create(void (*fn)(void *), void *arg, uint32_t pri, const char *name, struct thread **out)
{
	return lwkt_create_on(mycpuid, fn, arg, pri, name, out);
}

int
lwkt_create_on(uint32_t cpu, void (*fn)(void *), void *arg, uint32_t pri, const char *name, struct thread **out)
{
	struct thread *td;
	uint64_t stack, top;

	ASSERT(pri < LWKT_PRI_MAX);
	reap(mycpu);
	stack = lwkt_needs.stack_alloc(LWKT_STACK_BYTES);
	if (stack == 0)
		return ENOMEM;
	top = (stack + LWKT_STACK_BYTES - sizeof *td) & ~63ull;
	td = (struct thread *)top;
	thread_init(td, cpu_find(cpu), stack, pri, name);
	td_become(td, TD_SLEEPING);
	td->td_fn = fn;
	td->td_arg = arg;
	md_ctx_make(&td->td_sp, top, thread_main, td);
	all_insert(td);
	ktr_name(td);
	*out = td;
	return 0;
}

void
lwkt_start(struct thread *td)
{
	lwkt_wake(td);
}

_Noreturn void
lwkt_exit(void)
{
	struct thread *td = curthread;

	ASSERT(td->td_crit == 0 && td->td_ntok == 0);
	spin_lock(&all_spin);
	list_remove(&td->td_alllink);
	spin_unlock(&all_spin);
	crit_enter();
	ktr(KTR_END, td->td_id, 0);
	td_become(td, TD_EXITED);
	list_push_back(&td->td_cpu->c_reap, &td->td_runlink);	/* T5: freed by whoever runs next on this CPU */
	lwkt_switch();
	panic("thread %s ran after its end", td->td_name);
}

void
lwkt_yield(void)
{
	struct thread *td = curthread;

	crit_enter();
	if (td != mycpu->c_idle && (mycpu->c_runmask >> td->td_pri) != 0) {
		runq_insert(mycpu, td);
		lwkt_switch();
	}
	crit_exit();
}

void
lwkt_sleep(void)
{
	ASSERT(curthread->td_crit > 0);
	td_become(curthread, TD_SLEEPING);
	lwkt_switch();
}

/* ------------------------------------------------------------ wake-up -- */

/* On its own CPU, in a critical section. */
static void
wake_here(struct thread *td)
{
	if (td->td_state != TD_SLEEPING && td->td_state != TD_MOVING)
		return;
	if ((td->td_flags & TDF_TIMED) != 0) {
		td_flag(td, 0, TDF_TIMED);
		lwkt_needs.timeout_disarm(td);		/* T8 */
	}
	if ((td->td_flags & TDF_INTERRUPTIBLE) != 0 && td->td_waits != NULL && td->td_waits(td))
		return;
	ktr(KTR_READY, td->td_id, 0);
	runq_insert(mycpu, td);
}

/* Put td on the list of its CPU.  td_waking is ours. */
static void
wake_there(struct thread *td, struct cpu *c)
{
	struct thread *first = atomic_load_explicit(&c->c_wakeups, memory_order_relaxed);

	ktr(KTR_WAKE, td->td_id, c->c_id);
	do {
		td->td_wakenext = first;
	} while (!atomic_compare_exchange_weak_explicit(&c->c_wakeups, &first, td,
	    memory_order_release, memory_order_relaxed));
	md_point(MD_PT_RING, td->td_id);
	md_kick(c->c_id, MD_INTR_IPI);
}

/*
 * While td_waking is set nobody else needs to do anything: whoever takes the
 * thread off the list clears it before looking at the state, and the thread
 * looks at what it waits for after it became SLEEPING and before it leaves
 * its CPU.
 */
void
lwkt_wake(struct thread *td)
{
	struct cpu *c;

	crit_enter();
	c = atomic_load_explicit(&td->td_cpu, memory_order_acquire);
	if (c == mycpu)
		wake_here(td);
	else if (atomic_exchange_explicit(&td->td_waking, 1, memory_order_acq_rel) == 0)
		wake_there(td, c);
	crit_exit();
}

/* MD_INTR_IPI: threads to make ready, oldest first. */
void
wakeups_take(struct cpu *c)
{
	struct thread *td = atomic_exchange_explicit(&c->c_wakeups, NULL, memory_order_acquire);
	struct thread *oldest = NULL, *next;

	for (; td != NULL; td = next) {
		next = td->td_wakenext;
		td->td_wakenext = oldest;
		oldest = td;
	}
	for (td = oldest; td != NULL; td = next) {
		struct cpu *owner = atomic_load_explicit(&td->td_cpu, memory_order_acquire);

		next = td->td_wakenext;
		if (owner != c) {
			wake_there(td, owner);		/* it has moved: after it */
			continue;
		}
		atomic_exchange_explicit(&td->td_waking, 0, memory_order_acq_rel);
		md_point(MD_PT_RING, td->td_id);
		wake_here(td);
	}
}

/*
 * The wake-up of a thread of another CPU interrupts that CPU whatever the
 * thread does, so a guest ends too.  If one is under way already, its end
 * comes after our store.
 */
void
lwkt_interrupt(struct thread *td)
{
	atomic_store_explicit(&td->td_intr, 1, memory_order_seq_cst);
	lwkt_wake(td);
}

void
lwkt_migrate(uint32_t cpu)
{
	struct thread *td = curthread;

	ASSERT(td->td_crit == 0);
	if (cpu == mycpuid)
		return;
	crit_enter();
	ktr(KTR_MIGRATE, td->td_id, cpu);
	td->td_dest = cpu_find(cpu);
	td_become(td, TD_MOVING);
	lwkt_switch();
	ASSERT(mycpu == td->td_cpu);
	crit_exit();
}

void
lwkt_timed_out(struct thread *td)
{
	td_flag(td, TDF_TIMEDOUT, TDF_TIMED);	/* a timer of our own CPU: T8 */
	lwkt_wake(td);
}

void
lwkt_poll(void)
{
	struct cpu *c = mycpu;
	struct thread *td = c->c_curthread;

	if (td->td_crit != 0)
		return;
	if ((atomic_load_explicit(&c->c_mailbox, memory_order_relaxed) | c->c_watch) != 0)
		crit_exit_slow();
	if (td->td_ntok == 0 && better_is_ready(c))
		lwkt_yield();
}

void
lwkt_foreach(void (*fn)(struct thread *, void *), void *arg)
{
	spin_lock(&all_spin);
	list_foreach(td, &all_threads, struct thread, td_alllink)
		fn(td, arg);
	spin_unlock(&all_spin);
}

static void
rest(struct cpu *c)
{
	nsec_t since = gap_pause(c);

	ktr(KTR_IDLE, md_now(), 0);
	md_idle();
	gap_resume(c, since);
}

/*
 * Idle: look at the mailbox, run what became ready, else sleep.  The sleep
 * ends at once if a bit was set after the look, so nothing is lost.
 */
_Noreturn void
lwkt_idle(void)
{
	struct cpu *c = mycpu;

	ASSERT(curthread == c->c_idle && curthread->td_crit == 0);
	for (;;) {
		if ((atomic_load_explicit(&c->c_mailbox, memory_order_relaxed) | c->c_watch) != 0)
			crit_exit_slow();
		if (c->c_runmask != 0)
			lwkt_switch();
		if (!list_empty(&c->c_reap))
			reap(c);		/* what ended just now, before we sleep */
		if (idle_hook != NULL && c->c_runmask == 0)
			idle_hook();
		if (c->c_runmask == 0)
			rest(c);
	}
}
