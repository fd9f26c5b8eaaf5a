/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * panic - the kernel's last words: what, where by name and line, and what
 * every other thread was doing.
 *
 * It takes no lock and allocates nothing.  Only a thread's own stack is read for
 * its callers, so a damaged one ends the walk and not the report.  A panic inside
 * a panic ends at once.
 */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/cpu.h>
#include <stdatomic.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/callers.h>
#include <sys/debug/frames.h>
#include <sys/debug/kprint.h>
#include <sys/debug/report.h>
#include <sys/debug/symtab.h>
#include <sys/lwkt/ktr.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/token.h>

#define FRAMES_MAX	32
#define EVENTS		32		/* the last ones, told */
#define EXIT_PANIC	120
#define EXIT_HANG	121

extern _Atomic bool kprint_to_console;
_Atomic uint32_t panicking;

static void
print_pc(uint64_t pc, bool is_return)
{
	struct symtab_pos at;

	if (symtab_lookup(is_return ? pc - 1 : pc, &at))
		kprintf("  %#llx %s+%#llx (%s:%u)\n", (unsigned long long)pc, at.sp_func,
		    (unsigned long long)at.sp_off + (is_return ? 1 : 0), at.sp_file, at.sp_line);
	else
		kprintf("  %#llx\n", (unsigned long long)pc);
}

void
callers_print(const uint64_t *pc, uint32_t n)
{
	for (uint32_t i = 0; i < n && pc[i] != 0; i++)
		print_pc(pc[i], true);
}

static void
backtrace(uint64_t rbp, uint64_t low, uint64_t high)
{
	uint64_t pc[FRAMES_MAX];

	callers_print(pc, frames_walk(rbp, low, high, pc, FRAMES_MAX));
}

/* The boot stack is not from the stack allocator: be content with its vicinity. */
static uint64_t
stack_of_current(uint64_t rbp)
{
	struct thread *td = curthread;

	return td->td_stack != 0 ? td->td_stack : rbp;
}

uint32_t
callers_from(const void *frame, uint64_t *pc, uint32_t max)
{
	uint64_t rbp = (uint64_t)frame, low = stack_of_current(rbp);

	return frames_walk(rbp, low, low + LWKT_STACK_BYTES, pc, max);
}

static void
backtrace_current(uint64_t rbp)
{
	uint64_t low = stack_of_current(rbp);

	backtrace(rbp, low, low + LWKT_STACK_BYTES);
}

/* md_ctx_switch() leaves rbp at the top of what it saved. */
static void
other_thread(struct thread *td, void *arg)
{
	const uint64_t *saved = (const uint64_t *)td->td_sp;

	(void)arg;
	if (td_state(td) == TD_RUNNING || td_state(td) == TD_EXITED)
		return;
	kprintf("thread %llu %s (%s)\n", (unsigned long long)td->td_id, td->td_name,
	    td_state(td) == TD_SLEEPING ? "sleeping" : "ready");
	if (td->td_stack != 0 && td->td_sp > td->td_stack && td->td_sp < td->td_stack + LWKT_STACK_BYTES)
		backtrace(saved[MD_CTX_RBP], td->td_stack, td->td_stack + LWKT_STACK_BYTES);
}

/* What a CPU runs, with which tokens.  `at`: where it is; NULL: nobody knows. */
static void
print_cpu(const struct cpu *c, const struct md_ktrap *at)
{
	struct thread *td = c->c_curthread;

	kprintf("cpu %u runs thread %llu %s%s%s\n", c->c_id, (unsigned long long)td->td_id, td->td_name,
	    td->td_crit > 0 ? ", in a critical section" : "",
	    (atomic_load(&c->c_mailbox) & MD_INTR_BEAT) != 0 ? ", and does not take its mail" : "");
	for (uint32_t k = 0; k < td->td_ntok && k < TOKENS_MAX; k++)
		kprintf("  with token %s\n", td->td_tok[k]->t_name);
	if (at == NULL) {
		kprintf("  and does not answer\n");
		return;
	}
	if (at->kt_rip != 0)
		print_pc(at->kt_rip, false);
	if (td->td_stack != 0)
		backtrace(at->kt_rbp, td->td_stack, td->td_stack + LWKT_STACK_BYTES);
}

/* The others still run, or spin for something that we hold. */
static void
other_cpus(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct cpu *c = cpu_find(i);
		struct md_ktrap at;

		if (i != mycpuid && c->c_curthread != c->c_idle)
			print_cpu(c, md_cpu_inspect(i, &at) ? &at : NULL);
	}
}

/* One operand of an event, by its kind in abi/ktr.h. */
static void
print_operand(char what, uint64_t v)
{
	struct symtab_pos at;

	if (what == 'f' && symtab_lookup(v, &at))
		kprintf(" %s", at.sp_func);
	else if (what == 'x')
		kprintf(" %.8s", (const char *)&v);
	else if (what == 'i')
		kprintf(" %u, the pair's number %u", (uint32_t)(v >> 32), (uint32_t)v);
	else if (what == 'f' || what == 'a')
		kprintf(" %#llx", (unsigned long long)v);
	else if (what != '-')
		kprintf(" %llu", (unsigned long long)v);
}

static void
print_event(const struct ktr_event *e, uint32_t cpu, void *arg)
{
	uint64_t now = *(uint64_t *)arg;
	char what[2];
	const char *text = ktr_text(e->ke_type, what);

	if (text == NULL)
		return;
	kprintf("  -%llu cpu %u thread %u: %s", (unsigned long long)(now - e->ke_stamp), cpu, e->ke_thread,
	    text);
	print_operand(what[0], e->ke_b);
	print_operand(what[1], e->ke_c);
	kprintf("\n");
}

static void
last_events(void)
{
	uint64_t now = ktr_stamp();

	kprintf("last events, and how many ticks ago:\n");
	ktr_last(EVENTS, print_event, &now);
}

static void
begin(void)
{
	uint32_t nobody = 0, turns = 0;

	if (!atomic_compare_exchange_strong(&panicking, &nobody, mycpuid + 1)) {
		while (nobody != mycpuid + 1)		/* another CPU's is told first, and ends us all */
			md_spin(&turns);
		static const char again[] = "damselfly: panic inside a panic\n";

		md_emergency(again, sizeof again - 1);
		md_power_off_as(MD_OUT_PANIC, EXIT_PANIC);
	}
	curthread->td_crit++;
	atomic_store(&kprint_to_console, true);
}

static _Noreturn void
finish(enum md_outcome how, int status)
{
	last_events();
	other_cpus();
	kprintf("other threads:\n");
	lwkt_foreach(other_thread, NULL);
	md_power_off_as(how, status);
}

_Noreturn void
panic(const char *fmt, ...)
{
	struct thread *td = curthread;
	va_list ap;

	begin();
	kprintf("damselfly: panic: ");
	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
	kprintf("\ncpu %u, thread %llu %s\n", mycpuid, (unsigned long long)td->td_id, td->td_name);
	backtrace_current((uint64_t)__builtin_frame_address(0));
	finish(MD_OUT_PANIC, EXIT_PANIC);
}

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	panic("assertion failed: %s (%s:%d)", what, file, line);
}

_Noreturn void
trap_kernel(const struct md_ktrap *t)
{
	struct thread *td = curthread;

	begin();
	kprintf("damselfly: panic: fault in kernel mode: trap %u error %#x address %#llx\n", t->kt_trapno, t->kt_err,
	    (unsigned long long)t->kt_addr);
	kprintf("cpu %u, thread %llu %s\n", mycpuid, (unsigned long long)td->td_id, td->td_name);
	print_pc(t->kt_rip, false);
	backtrace_current(t->kt_rbp);
	finish(MD_OUT_PANIC, EXIT_PANIC);
}

_Noreturn void
hang_kernel(const char *why)
{
	begin();
	kprintf("damselfly: hang: %s\n", why);
	finish(MD_OUT_HANG, EXIT_HANG);
}

/*
 * Told once, and the machine goes on: perhaps only this is slow.  The kernel argument
 * `stuck-ends` ends it.  The CPU may be anywhere, so nothing here takes a lock.
 */
_Atomic bool stuck_told;

void
stuck_kernel(const struct md_ktrap *t)
{
	if (atomic_load(&panicking) != 0 || atomic_exchange(&stuck_told, true))
		return;
	kprint_apart(true);
	kprintf("damselfly: no progress: who does not take its mail is stuck, or waits for one that is\n");
	print_cpu(mycpu, t);
	other_cpus();
	if (boot_arg("stuck-ends", NULL, 0))
		md_power_off_as(MD_OUT_HANG, EXIT_HANG);
	kprint_apart(false);
}
