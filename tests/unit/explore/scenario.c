/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario - what the explorer's CPUs do, and what must have come of it.
 *
 * Kernel world: the messages between CPUs are part of this file, threads,
 * interrupts and the platform's CPU are linked to it, all as they ship.
 * Each CPU runs its program on its idle thread, as a kernel boots, and then
 * idles for ever; a state in which all sleep is the end, and w_unfinished()
 * says whether it is a good one.
 */
#include "ipi.c"	/* the copy that is explored */

#include <machine/boot.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/spin.h>

#include "world.h"

struct cpu cpu0 = { .c_self = &cpu0 };	/* the boot CPU of the platform; not one of ours */


static uint32_t now;		/* const: the scenario */
static uint32_t seen[X_CPUS][X_CPUS];	/* [target] the next number */
static uint32_t back[X_CPUS][X_CPUS];	/* [target] likewise of answers and what was forwarded */
static _Atomic uint32_t flag;	/* what the worker waits for */
static struct thread *worker;	/* const: of CPU 0 */
static uint32_t worker_done, hooked[X_CPUS], alone, alone_now, called[X_CPUS];

/* ------------------------------------------------------------ messages -- */

static void
count(uint32_t *next, uint64_t number)
{
	if (*next != number)
		x_fail(number < *next ? "a message ran twice" : "a message was lost or overtaken");
	++*next;
}

static void
arrived(void *from, uint64_t number)
{
	count(&seen[mycpuid][(uintptr_t)from], number);
}

static void
came_back(void *from, uint64_t number)
{
	count(&back[mycpuid][(uintptr_t)from], number);
}

static void
answered(void *from, uint64_t number)
{
	arrived(from, number);
	ipi_send((uint32_t)(uintptr_t)from, came_back, (void *)(uintptr_t)mycpuid, number);
}

static void
forwarded(void *from, uint64_t number)
{
	arrived(from, number);
	ipi_send(3 - mycpuid - (uint32_t)(uintptr_t)from, came_back, (void *)(uintptr_t)mycpuid, number);
}

/* `passive`: bit n, number n may wait. */
static void
send_many(uint32_t to, ipi_fn *fn, uint32_t count, uint32_t passive)
{
	for (uint32_t n = 0; n < count; n++)
		if ((passive >> n & 1) != 0)
			ipi_send_passive(to, fn, (void *)(uintptr_t)mycpuid, n);
		else
			ipi_send(to, fn, (void *)(uintptr_t)mycpuid, n);
}

/* ------------------------------------------------------------ programs -- */

static void
flood(void)
{
	send_many(1 - mycpuid, arrived, mycpuid == 0 ? 5 : 4, mycpuid == 0 ? 2 : 5);
}

/* All but the last may wait: only the sender's own need of room makes the target look. */
static void
passive_flood(void)
{
	if (mycpuid == 0)
		send_many(1, arrived, 6, 0x1f);
}

static void
echo(void)
{
	send_many(1 - mycpuid, answered, 3, 0);
}

static void
one_way_echo(void)
{
	if (mycpuid == 0)
		send_many(1, answered, 4, 0);
}

static void
one_way_echo_more(void)
{
	if (mycpuid == 0)
		send_many(1, answered, 5, 0);
}

static void
triangle(void)
{
	if (mycpuid == 0)
		send_many(1, forwarded, 1, 0);
}

static void
around(void)
{
	send_many((mycpuid + 1) % 3, forwarded, 1, 0);
}

static void
two_at_one(void)
{
	if (mycpuid != 2)
		send_many(2, arrived, 2, 1);
}

static void
wake(void)
{
	if (mycpuid == 0) {
		lwkt_start(worker);
		return;
	}
	atomic_store_explicit(&flag, 1, memory_order_release);
	lwkt_wake(worker);
}

static void
wake_hooked(void)
{
	if (mycpuid == 0)
		lwkt_start(worker);
}

static void
count_call(void *target, uint64_t caller)
{
	(void)target;
	called[caller]++;
}

static void
call(void)
{
	ipi_call(1 - mycpuid, count_call, NULL, mycpuid);
	if (called[mycpuid] != 1)
		x_fail("a call returned before it ran");
}

static void
be_alone(void *unused)
{
	(void)unused;
	if (alone_now++ != 0)
		x_fail("two CPUs are alone at once");
	alone++;
	alone_now--;
}

static void
stop(void)
{
	if (mycpuid < 2)
		ipi_cpusync(be_alone, NULL);
}

static void
work(void *unused)
{
	(void)unused;
	while (atomic_load_explicit(&flag, memory_order_acquire) == 0) {
		crit_enter();
		curthread->td_state = TD_SLEEPING;
		lwkt_switch();
		crit_exit();
	}
	worker_done = 1;
	for (;;) {
		crit_enter();
		curthread->td_state = TD_SLEEPING;
		lwkt_switch();
		crit_exit();
	}
}

static void
raise_flag(void *unused, uint64_t value)
{
	(void)unused;
	(void)value;
	atomic_store_explicit(&flag, 1, memory_order_release);
	lwkt_wake(worker);
}

/*
 * Each CPU's hook sends once, in the window between "nothing to run" and
 * sleep; CPU 0's needs room that only comes while it answers, and one answer
 * makes its worker ready.
 */
static void
hook(void)
{
	if (hooked[mycpuid]++ != 0) {
		hooked[mycpuid] = 1;
		return;
	}
	if (mycpuid == 0)
		send_many(1, arrived, 5, 0);
	else
		ipi_send(0, raise_flag, NULL, 0);
}

static const struct program {
	struct x_scenario s;
	void	(*program)(void);
	void	(*hook)(void);
	uint32_t due[X_CPUS][X_CPUS], due_back[X_CPUS][X_CPUS];	/* [target][sender] */
	uint32_t worker, alone, calls;
} programs[] = {
	{ .s = { "a thread is woken", 2 }, .program = wake, .worker = 1 },
	{ .s = { "calls both ways", 2 }, .program = call, .calls = 1 },
	{ .s = { "two stop each other", 2 }, .program = stop, .alone = 2 },
	{ .s = { "passive flood", 2 }, .program = passive_flood, .due = { { 0 }, { 6 } } },
	{ .s = { "flood both ways", 2 }, .program = flood, .due = { { 0, 4 }, { 5 } } },
	{ .s = { "answered messages", 2 }, .program = one_way_echo, .due = { { 0 }, { 4 } }, .due_back = { { 0, 4 } } },
	{ .s = { "a hook that sends", 2 }, .program = wake_hooked, .hook = hook, .due = { { 0 }, { 5 } }, .worker = 1 },
	{ .s = { "two senders, one target", 3 }, .program = two_at_one, .due = { { 0 }, { 0 }, { 2, 2 } } },
	{ .s = { "three CPUs forward", 3 }, .program = triangle, .due = { { 0 }, { 1 } }, .due_back = { { 0 }, { 0 }, { 0, 1 } } },
	/* For the long test; the last two for bugs that need a full ring and nesting, too. */
	{ .s = { "longer: each forwards to the third", 3 }, .program = around, .due = { { 0, 0, 1 }, { 1 }, { 0, 1 } },
	    .due_back = { { 0, 0, 1 }, { 1 }, { 0, 1 } } },
	{ .s = { "longer: answered both ways", 2 }, .program = echo, .due = { { 0, 3 }, { 3 } },
	    .due_back = { { 0, 3 }, { 3 } } },
	{ .s = { "longer: more answered messages", 2 }, .program = one_way_echo_more, .due = { { 0 }, { 5 } },
	    .due_back = { { 0, 5 } } },
};

const struct x_scenario *
w_scenario(uint32_t i)
{
	return i < sizeof programs / sizeof programs[0] ? &programs[i].s : NULL;
}

/* ---------------------------------------------------------------- boot -- */

static void
track_thread(struct thread *td)
{
	x_track(&td->td_cpu, sizeof td->td_cpu, X_CONST, 0);
	x_track(td, offsetof(struct thread, td_alllink), X_SHARED, 0);
}

static void
track_cpu(struct cpu *c)
{
	struct ipi_cpu *me = c->c_ipi;

	x_track(&c->c_mailbox, sizeof c->c_mailbox, X_SHARED, 0);
	x_track(&c->c_wakeups, sizeof c->c_wakeups, X_SHARED, 0);
	x_track(&c->c_curthread, sizeof c->c_curthread, X_PLAIN, 0);
	x_track(&c->c_runmask, sizeof c->c_runmask, X_PLAIN, 0);
	x_track(&c->c_runq[LWKT_PRI_KERN], sizeof c->c_runq[0], X_PLAIN, 0);
	x_track(&c->c_left, sizeof c->c_left, X_PLAIN, 0);
	x_track(&me->i_from[0], sizeof me->i_from[0], X_SHARED, 0);
	x_track(&me->i_depth, sizeof me->i_depth, X_PLAIN, 0);
	x_track(&me->i_sent, 3 * sizeof me->i_sent, X_STAT, 0);
	track_thread(c->c_idle);
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct ipi_ring *r = me->i_ring[i];

		if (r == NULL)
			continue;
		x_track(&r->r_tail, sizeof r->r_tail, X_OWNED, i);
		x_track(&r->r_drain, sizeof r->r_drain, X_OWNED, i);
		x_track(&r->r_head, sizeof r->r_head, X_OWNED, c->c_id);
		x_track(r->r_entry, entries * sizeof r->r_entry[0], X_SHARED, 0);
	}
}

static void
track_own(void)
{
	x_track(seen, sizeof seen, X_PLAIN, 0);
	x_track(back, sizeof back, X_PLAIN, 0);
	x_track(&flag, sizeof flag, X_SHARED, 0);
	x_track(&worker_done, sizeof worker_done, X_PLAIN, 0);
	x_track(hooked, sizeof hooked, X_PLAIN, 0);
	x_track(&alone, sizeof alone, X_PLAIN, 0);
	x_track(&alone_now, sizeof alone_now, X_PLAIN, 0);
	x_track(called, sizeof called, X_PLAIN, 0);
	x_track(&sync_owner, sizeof sync_owner, X_SHARED, 0);
	x_track(&sync_stopped, sizeof sync_stopped, X_SHARED, 0);
	x_track(&sync_round, sizeof sync_round, X_SHARED, 0);
}

static void
stack_free(uint64_t stack, size_t bytes)
{
	(void)stack;
	(void)bytes;
}

void
w_boot(uint32_t scenario, uint64_t *stack_top)
{
	const struct program *p = &programs[scenario];
	struct lwkt_needs needs = { .stack_alloc = x_stack, .stack_free = stack_free, .mem_alloc = x_memory };
	struct cpu *c;

	now = scenario;
	lwkt_set_needs(&needs);
	for (uint32_t i = 0; i < p->s.ncpu; i++) {
		if (lwkt_make_cpu(i, &c, &stack_top[i]) != 0)
			x_fail("no memory");
		md_cpu_start(i, (struct md_percpu *)c, stack_top[i]);
	}
	for (uint32_t i = 0; i < cpu_count; i++)
		if (ipi_init_cpu(i, cpu_count) != 0)
			x_fail("no memory");
	lwkt_init();
	if (p->hook != NULL)
		lwkt_set_idle_hook(p->hook);
	track_own();
	for (uint32_t i = 0; i < cpu_count; i++)
		track_cpu(cpu_find(i));
}

/* With CPU 0's area in place. */
void
w_boot_threads(void)
{
	if (programs[now].worker == 0)
		return;
	if (lwkt_create_on(0, work, NULL, LWKT_PRI_KERN, "worker", &worker) != 0)
		x_fail("no memory");
	track_thread(worker);
}

void *
w_cpu(uint32_t i)
{
	return cpu_find(i);
}

/* Stacks are given out in order: one for each CPU's idle thread, then the worker's. */
uint64_t
w_thread_sp(uint32_t stack)
{
	return stack < cpu_count ? cpu_find(stack)->c_idle->td_sp : worker->td_sp;
}

uint64_t
w_thread_end(uint32_t stack)
{
	return stack < cpu_count ? 0 : (uint64_t)worker;	/* struct thread is tracked */
}

_Noreturn void
w_main(void *cpu_number)
{
	ASSERT(mycpuid == (uintptr_t)cpu_number);
	programs[now].program();
	lwkt_idle();
}

/* ---------------------------------------------------------- properties -- */

const char *
w_wrong(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct ipi_cpu *me = cpu_find(i)->c_ipi;

		if (me->i_depth > DEPTH_MAX)
			return "nested too deeply";
		for (uint32_t k = 0; k < cpu_count; k++) {
			const volatile struct ipi_ring *r = me->i_ring[k];

			if (r != NULL && *(const volatile uint32_t *)&r->r_tail - *(const volatile uint32_t *)&r->r_head > entries)
				return "a ring was overwritten";
		}
	}
	return NULL;
}

const char *
w_unfinished(void)
{
	const struct program *p = &programs[now];

	for (uint32_t i = 0; i < cpu_count; i++) {
		for (uint32_t k = 0; k < cpu_count; k++)
			if (seen[i][k] != p->due[i][k] || back[i][k] != p->due_back[i][k])
				return "all sleep, and a message is left";
		if (p->calls != 0 && called[i] != p->calls)
			return "all sleep, and a call is left";
	}
	if (worker_done != p->worker)
		return "all sleep, and a thread should run";
	return alone == p->alone ? NULL : "all sleep, and somebody was never alone";
}

/* ------------------------------------------ what the kernel also has -- */

uint32_t
kcpu_id(void)
{
	return mycpuid;
}

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	x_fail(what);
}

_Noreturn void
panic(const char *fmt, ...)
{
	x_fail(fmt);
}

_Noreturn void
kmain_secondary(uint32_t cpu)
{
	(void)cpu;
	x_fail("a CPU was started twice");
}

uint32_t stdio_power_events(void);
uint32_t
stdio_power_events(void)
{
	return 0;
}

/* Only boot takes this lock, and it is alone. */
void
spin_lock(struct spin *s)
{
	(void)s;
}

void
spin_unlock(struct spin *s)
{
	(void)s;
}

/* The threads here hold no tokens. */
void
token_release_all(struct thread *td)
{
	ASSERT(td->td_ntok == 0);
}

void
token_reacquire_all(struct thread *td)
{
	ASSERT(td->td_ntok == 0);
}

void
gap_note(struct cpu *c, const uint64_t *frame)
{
	(void)c;
	(void)frame;
}

nsec_t
gap_pause(const struct cpu *c)
{
	(void)c;
	return 0;
}

void
gap_resume(struct cpu *c, nsec_t since)
{
	(void)c;
	(void)since;
}
