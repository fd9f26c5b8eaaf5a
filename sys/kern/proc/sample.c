/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample - where the CPUs are, so often a second: for flame graphs.
 *
 * While somebody outside wants it (md_sample) the machine interrupts each CPU.  One that is in the kernel is
 * looked at where it is, in the middle of anything: sample_kernel().  One whose program runs is told to
 * stop it, by a mailbox bit, and looked at when that is taken.  A sample has the kernel's frames and, below
 * them, those of the program that the thread serves, by its frame pointers: a program compiled without
 * them shows the place where it is and perhaps one more.
 *
 * Addresses of programs mean nothing later.  So who is sampled the first time, or has other code mapped
 * since, tells at its next way out what its addresses are, in a place where it may sleep.
 *
 * Invariants
 *   M1  only its own CPU writes c_samples, and what interrupts it there writes nothing: busy[].
 *   M2  sample_kernel() waits for nothing and changes nothing but the ring and v_usection (vm_peek).
 *   M3  as long as a thread has its lwp, that one's process has its space, or none.  Whoever takes
 *       a space out of use sets p_vmspace first; and nobody but its own thread takes td_lwp from a thread.
 */
#include <abi/debug.h>
#include <core/rt/rt.h>
#include <drv/intr.h>
#include <sys/debug/frames.h>
#include <sys/lwkt/ktr.h>
#include <sys/proc/sample.h>
#include <sys/vm/uaccess.h>

#include "proc_int.h"

#define KERNEL_MAX	60u
#define USER_MAX	60u
#define LETTERS		16u

struct debug_sample md_sample;

static volatile bool busy[CPU_MAX];	/* [cpu] M1 */
static void (*tell_fn)(struct proc *);	/* const after boot */

void
proc_set_sampled(void (*fn)(struct proc *))
{
	tell_fn = fn;
}

static bool
begin(void)
{
	if (mycpu->c_samples == NULL || busy[mycpuid])
		return false;
	busy[mycpuid] = true;
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

static void
end(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	busy[mycpuid] = false;
}

/* Between the two. */
static void
put(enum ktr_sample type, uint64_t b, uint64_t c)
{
	ktr_put(mycpu->c_samples, ktr_stamp(), type, (uint32_t)curthread->td_id, b, c);
}

/* Of this program in this process: addresses mean something else after exec. */
static uint64_t
key_of(const struct proc *p)
{
	return p->p_id << 16 | (p->p_execs & 0xffff);
}

/* What has been told of its space, or should be: changes with who wants to know, and with the code mapped. */
static uint64_t
told(struct vmspace *vs)
{
	return (uint64_t)md_sample.ds_session << 32 | (uint32_t)vm_code_pages(vs);
}

/* ------------------------------------------------------------ programs -- */

/* Return addresses by a program's frame pointers, upwards on its stack. */
static uint32_t
user_frames(struct vmspace *vs, const struct md_regs *r, uint64_t *pc)
{
	uint64_t rbp = r->rbp, frame[2];
	uint32_t n = 0;

	if (r->rip == 0)
		return 0;		/* a process of the kernel's making, before its program */
	pc[n++] = r->rip;
	while (n < USER_MAX && rbp >= r->rsp && (rbp & 7) == 0 && vm_peek(vs, rbp, frame) && frame[1] != 0) {
		pc[n++] = frame[1];
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	return n;
}

/* pc[]: the kernel's frames, with room for those of the program. */
static void
take(uint64_t *pc, uint32_t nkernel)
{
	struct lwp *l = curlwp;
	struct proc *p = l != NULL ? l->l_proc : NULL;
	struct vmspace *vs = p != NULL ? p->p_vmspace : NULL;	/* M3 */
	uint32_t nuser = 0;

	if (vs != NULL)
		nuser = user_frames(vs, &l->l_uf.uf_regs, pc + nkernel);
	put(SAMPLE_TAKEN, nkernel | (uint64_t)nuser << 32, nuser != 0 ? key_of(p) : 0);
	pc[nkernel + nuser] = 0;
	for (uint32_t i = 0; i < nkernel + nuser; i += 2)
		put(SAMPLE_FRAMES, pc[i], pc[i + 1]);
	if (nuser != 0 && p->p_sampled != told(vs))
		atomic_fetch_or(&p->p_border, PB_SAMPLED);
}

void
sample_kernel(const struct md_ktrap *t, uint64_t rbp)
{
	uint64_t pc[KERNEL_MAX + USER_MAX + 1], low = curthread->td_stack;
	uint32_t n = 0;

	if (curthread == mycpu->c_idle || !begin())
		return;
	pc[n++] = t->kt_rip;
	if (t->kt_addr != 0)
		n += frames_walk(t->kt_rbp, t->kt_rsp, t->kt_addr, pc + n, KERNEL_MAX - n);
	n += frames_walk(rbp, low, low + LWKT_STACK_BYTES, pc + n, KERNEL_MAX - n);
	take(pc, n);
	end();
}

/* The bit was set while a program ran; it is taken as soon as that has stopped, by the same thread. */
static void
sample_user(void *arg)
{
	uint64_t pc[USER_MAX + 1];

	(void)arg;
	if (curlwp == NULL || !begin())
		return;
	take(pc, 0);
	end();
}

/* ------------------------------------------------------------- telling -- */

static void
put_letters(const char *s, size_t n)
{
	for (size_t at = 0; at <= n; at += LETTERS) {
		uint64_t w[2] = { 0, 0 };

		memcpy(w, s + at, rt_min(n - at, LETTERS));
		put(SAMPLE_LETTERS, w[0], w[1]);
	}
}

void
sample_map(uaddr_t start, uaddr_t stop, uint64_t off, const char *name)
{
	crit_enter();
	if (begin()) {
		put(SAMPLE_MAP, start, stop);
		put(SAMPLE_FILE, key_of(curproc), off);
		put_letters(name, strlen(name));
		end();
	}
	crit_exit();
}

/* At the border, where it may sleep. */
void
sample_tell(struct proc *p)
{
	atomic_fetch_and(&p->p_border, ~PB_SAMPLED);
	p->p_sampled = told(p->p_vmspace);
	crit_enter();
	if (begin()) {
		put(SAMPLE_PROGRAM, key_of(p), (uint64_t)p->p_pid);
		put_letters(p->p_comm, strlen(p->p_comm));
		end();
	}
	crit_exit();
	if (tell_fn != NULL)
		tell_fn(p);
}

void
sample_init(void)
{
	intr_attach(MD_INTR_SAMPLE, sample_user, NULL);
}
