/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine/cpu - CPUs, kernel contexts, idling, interrupts, the end.
 *
 * Interrupts never run kernel logic where they land: they set bits in the
 * CPU's mailbox word.  The kernel consumes them when it leaves a critical
 * section, on the way to user mode, in idle and in lwkt_poll().
 */
#pragma once
#include <machine/types.h>
#include <md/cpu.h>		/* md_percpu(): %gs:0, volatile */

/* Mailbox bits set by the platform.  The kernel's own start at MD_INTR_IPI. */
#define MD_INTR_TIMER	(1u << 0)
#define MD_INTR_CHR	(1u << 1)	/* a character device has news */
#define MD_INTR_POWER	(1u << 2)	/* somebody outside asks: md_power_events() */
#define MD_INTR_BEAT	(1u << 3)	/* nothing: while it is there the CPU has not shown that it lives */
#define MD_INTR_FS	(1u << 4)	/* a file-request device has answered */
#define MD_INTR_DEV	(1u << 5)	/* a device behind a bus: drv/pci.h */
#define MD_INTR_SAMPLE	(1u << 6)	/* this CPU was to be sampled, and ran a program */
#define MD_INTR_IPI	(1u << 8)

/* How the kernel's per-CPU area begins. */
struct md_percpu {
	void			*self;		/* %gs:0 reads this */
	_Atomic uint32_t	mailbox;
};
/*
 * Where another CPU is right now: kt_rip, kt_rsp, kt_rbp.  False: it does not
 * answer.  For panics: it goes on meanwhile.
 */
struct md_ktrap;
bool	md_cpu_inspect(uint32_t cpu, struct md_ktrap *out);
int	md_cpu_start(uint32_t cpu, struct md_percpu *area, uint64_t stack_top);	/* enters kmain_secondary() */
void	md_kick(uint32_t cpu, uint32_t bits);	/* OR into its mailbox (a full fence); 0 to not 0 ends its idle or its guest */
void	md_idle(void);				/* until this CPU's mailbox is not zero; may return early */
/* Up: the number of the CPU we run on. */
uint32_t kcpu_id(void);
/*
 * Stands in every loop that waits for another CPU.  `turns` counts this wait's
 * turns, from 0; a machine whose CPUs may be fewer than ours gives way
 * when the other one seems not to be running.
 */
void	md_spin(uint32_t *turns);

/*
 * Scheduling points: where the order of CPUs can make a difference.  In
 * deterministic mode (kernel.md 11) one of them runs at a time and changes
 * only here; `value` goes into the hash of events.  Otherwise nothing.
 */
enum md_point {
	MD_PT_TOKEN,		/* get, release, contended */
	MD_PT_SPIN,		/* a spin lock is about to be taken, or waited for */
	MD_PT_CRIT,		/* the outermost critical section was left */
	MD_PT_RING,		/* an IPI or a wake-up was put or taken */
	MD_PT_PORT,		/* a message was put or taken */
	MD_PT_KICK,
	MD_PT_PTE,		/* a page table entry was changed, a page made busy or free */
	MD_PT_COPY,		/* a chunk of user memory was copied */
	MD_PT_ENTER,		/* a guest is about to run */
	MD_PT_LEAVE,		/* it stopped */
	MD_PT_SYSCALL,		/* value: number and result */
};
extern bool md_deterministic;		/* const after boot */
void	md_point_slow(enum md_point what, uint64_t value);
static inline void
md_point(enum md_point what, uint64_t value)
{
	if (__builtin_expect(md_deterministic, 0))
		md_point_slow(what, value);
}

void	md_point_bytes_slow(enum md_point what, const void *bytes, size_t len);
static inline void
md_point_bytes(enum md_point what, const void *bytes, size_t len)
{
	if (__builtin_expect(md_deterministic, 0))
		md_point_bytes_slow(what, bytes, len);
}

/*
 * Kernel contexts: a stack pointer with everything else saved on the stack.
 * md_ctx_make() prepares `*sp` so that the first switch to it calls
 * fn(arg) on that stack; fn never returns.
 */
void	md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg);
void	md_ctx_switch(uint64_t *save_sp, uint64_t load_sp);
#define MD_CTX_RBP	0	/* word of a saved stack that holds the frame pointer */

enum {
	MD_POWER_OFF	= 1u << 0,	/* please shut down */
	MD_POWER_INT	= 1u << 1,	/* interrupt key pressed outside (console not ours) */
	MD_POWER_HUP	= 1u << 2,
	MD_POWER_QUIT	= 1u << 3,
	MD_POWER_WINCH	= 1u << 4,	/* the console changed its size */
};
uint32_t md_power_events(void);			/* MD_POWER_* since the last call */
/*
 * The end.  `status` is what the machine's starter gets to see, `how` tells a collision apart.
 * After MD_OUT_RESTART a machine that nobody started begins anew.  But for a panic and a hang
 * it is asked for by a thread that may wait.
 */
enum md_outcome { MD_OUT_EXIT, MD_OUT_SIGNAL, MD_OUT_PANIC, MD_OUT_HANG, MD_OUT_RESTART };
_Noreturn void md_power_off_as(enum md_outcome how, int status);
static inline _Noreturn void md_power_off(int status) { md_power_off_as(MD_OUT_EXIT, status); }

void	md_emergency(const char *text, size_t len);	/* last words, whatever the state */
void	md_entropy(void *buf, size_t len);

/* Up: a fault in kernel mode is a bug. */
struct md_ktrap {
	uint64_t	kt_rip, kt_rsp, kt_rbp, kt_addr;
	uint32_t	kt_trapno, kt_err;
};
_Noreturn void trap_kernel(const struct md_ktrap *t);
/*
 * Up, in the middle of anything that CPU may do, and it goes on there: it, or all that do
 * not answer, have used more than a second of their own time without a look at their mailbox.
 */
void	stuck_kernel(const struct md_ktrap *t);
/*
 * Up, in the middle of anything that CPU may do, and it goes on there: a sample of it.
 * In code of the machine's own [kt_rsp, kt_addr) is its stack there, and `rbp` the
 * kernel's frame that called it; else kt_addr is 0.
 */
void	sample_kernel(const struct md_ktrap *t, uint64_t rbp);
/* Up: how often they are wanted (abi/debug.h); a machine may do without. */
struct debug_sample;
extern struct debug_sample md_sample;
/* Up: nothing will ever go on.  `why` is said before what all threads wait for. */
_Noreturn void hang_kernel(const char *why);
