/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space - the life of a VM space
 *
 * A space is a stub: a host process whose memory below STUB_BASE belongs to
 * a guest.  Making one costs the host two clones, so a space that is given
 * back is emptied and kept in a pool for the next caller.  A record, once
 * made, and its mapping of the control region stay until hk_fini(): a stale
 * pointer is harmless, and a record without a stub is reused.
 *
 * Invariants
 *   P1  A slot counts as live only after the first trap of its thread, which
 *       comes from one known instruction (stub.S, I1).
 *   P2  A stub enters the pool only when nothing of its last guest is left:
 *       no mapping, no register of any thread, no byte of a slot.  A thread
 *       may still be running although its slot says it stopped, for a guest
 *       can write the slot; so each thread is taken by a signal that carries
 *       a random number, and the number arriving in the thread's own signal
 *       stack is the proof that it has left what it was doing.
 *   P3  A pid is used for a signal or a wait only before the process is
 *       reaped: it cannot be anybody else's.  A process that was killed is
 *       reaped by whoever waits for that, the owner of the space; one that
 *       dies by itself by hk_spaces_reap().  Both hold m_reap_lock then.
 *   P4  sp_dead is set once, before the process is killed or with
 *       m_reap_lock held when it has died, and whoever sleeps is woken after that.
 *       While it is clear there is a process: the pid is stored before and cleared after.
 *   P5  Each slot that a space ever had costs a signal when the space is
 *       emptied, and a thread that ran elsewhere costs both host CPUs an
 *       interrupt.  So a CPU gets spaces that it had before, and threads come
 *       to the CPU that empties them.
 *   P6  Nobody holds m_reap_lock while it waits.  A process ends when each of
 *       its threads has run once more, and a host that has much else to do
 *       can take seconds for that.
 *
 * Locking: sp_lock for the slots; m_pool_lock for pool and bare lists;
 * m_reap_lock for pids.  hk_space_kill() needs none from its caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hk_int.h"
#include "hk_stub.h"
#include "host.h"

_Static_assert(offsetof(struct hk_slot, s_vksleep) == S_VKSLEEP, "stublay.h");
_Static_assert(offsetof(struct hk_slot, s_gsleep) == S_GSLEEP, "stublay.h");
_Static_assert(offsetof(struct hk_slot, s_spin) == S_SPIN, "stublay.h");
_Static_assert(offsetof(struct hk_slot, s_info) == S_INFO, "stublay.h");
_Static_assert(offsetof(struct hk_slot, s_gsnew) == S_GSNEW, "stublay.h");
_Static_assert(CTL_SLOTS + HK_CPU_MAX * SLOT_SIZE <= CTL_REGION, "stublay.h");

#define SPIN_TURNS	2000u		/* of PAUSE: some tens of microseconds */
#define XSTATE_MAGIC	0x46505853u	/* the host's mark in a frame that has a whole XSAVE area */
#define FP_SW_OFF	464u		/* where, in the legacy area, the host describes it */
#define LAYOUT_MIN	0x5100u		/* frames begin above the middle of the stack (stub.S, reset) */

/* A frame of a thread that has done nothing yet, from f_uc to the end of a slot: what a clean slot starts from. */
static uint8_t clean_frame[SLOT_SIZE] __attribute__((aligned(64)));
static uint64_t clean_frsp, clean_uc;	/* as offsets in a slot; both constant once m_lay.f_known */

struct hk_slot *
hk_slot_of(const struct hk_space_rec *sp, uint32_t cpu)
{
	return (struct hk_slot *)(void *)(sp->sp_region + CTL_SLOTS + (size_t)cpu * SLOT_SIZE);
}

struct hk_space_rec *
hk_space_rec(hk_space s)
{
	struct hk_space_rec *sp;

	if (s < 0 || (uint32_t)s >= HK_SPACES)
		return NULL;
	sp = hk_m.m_space[s];
	return sp != NULL && sp->sp_used ? sp : NULL;
}

/* --------------------------------------------------------------- death - */

/* Wake everybody who could be waiting for this stub (P4). */
static void
wake_all(struct hk_space_rec *sp)
{
	uint32_t cpu;

	ASSERT(atomic_load(&sp->sp_dead));
	atomic_store(&sp->sp_cmd->c_done, ~0u);
	hk_futex_wake(&sp->sp_cmd->c_done, INT32_MAX);
	for (cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		struct hk_slot *s;

		if (!sp->sp_slot[cpu].sl_live)
			continue;
		s = hk_slot_of(sp, cpu);
		atomic_store(&s->s_vksleep, 0);
		hk_futex_wake(&s->s_vksleep, INT32_MAX);
	}
}

/* Wait for the process; `options` as for waitid.  True: it has ended. */
static bool
await(long pid, int options)
{
	siginfo_t si = { .si_signo = 0 };
	long r;

	ASSERT(pid > 0);
	do {
		r = HK_SYS5(SYS_waitid, P_PID, pid, &si, options | WEXITED | __WALL, 0);
	} while (r == -EINTR);
	return r < 0 || si.si_signo != 0;
}

void
hk_space_kill(struct hk_space_rec *sp)
{
	long pid;

	if (atomic_exchange(&sp->sp_dead, 1) == 0)
		atomic_fetch_add_explicit(&hk_m.n_killed, 1, memory_order_relaxed);
	hk_lock(&hk_m.m_reap_lock);
	pid = atomic_load(&sp->sp_pid);
	if (pid != 0)
		(void)HK_SYS2(SYS_kill, pid, SIGKILL);
	hk_unlock(&hk_m.m_reap_lock);
	wake_all(sp);
}

void
hk_space_kill_wait(struct hk_space_rec *sp)
{
	long pid;

	ASSERT(atomic_load(&sp->sp_dead));
	hk_lock(&hk_m.m_reap_lock);
	pid = atomic_load(&sp->sp_pid);
	hk_unlock(&hk_m.m_reap_lock);
	if (pid == 0)
		return;
	(void)await(pid, WNOWAIT);		/* it stays ours to reap: P3, P6 */
	hk_lock(&hk_m.m_reap_lock);
	(void)await(pid, 0);
	atomic_store(&sp->sp_pid, 0);
	hk_unlock(&hk_m.m_reap_lock);
}

void
hk_spaces_reap(void)
{
	uint32_t i, n;

	hk_lock(&hk_m.m_pool_lock);
	n = hk_m.m_nrecs;
	hk_unlock(&hk_m.m_pool_lock);
	for (i = 0; i < n; i++) {
		struct hk_space_rec *sp = hk_m.m_space[i];

		if (atomic_load(&sp->sp_dead))
			continue;
		hk_lock(&hk_m.m_reap_lock);
		if (!atomic_load(&sp->sp_dead) && await(atomic_load(&sp->sp_pid), WNOHANG)) {
			if (atomic_exchange(&sp->sp_dead, 1) == 0)
				atomic_fetch_add_explicit(&hk_m.n_killed, 1, memory_order_relaxed);
			atomic_store(&sp->sp_pid, 0);
			wake_all(sp);
		}
		hk_unlock(&hk_m.m_reap_lock);
	}
}

/* --------------------------------------------------------------- slots - */

/* Learn from the first thread ever born how this host lays out a frame.  No guest code has run in it. */
static bool
learn_layout(const struct hk_slot *s, uint64_t va)
{
	struct hk_frame_lay *lay = &hk_m.m_lay;
	const uint8_t *base = (const uint8_t *)s;
	uint64_t uc, info, fp, frsp;
	uint32_t magic, xbytes;

	uc = atomic_load_explicit(&s->s_uc, memory_order_relaxed) - va;
	info = atomic_load_explicit(&s->s_info, memory_order_relaxed) - va;
	frsp = atomic_load_explicit(&s->s_frsp, memory_order_relaxed) - va;
	if (frsp < LAYOUT_MIN || frsp > uc || uc > SLOT_SIZE - 512 || uc % 8 != 0 || info > SLOT_SIZE - 128)
		return false;
	memcpy(&fp, base + uc + UC_GREGS_OFF + UC_FP * 8, 8);
	fp -= va;
	if (fp > SLOT_SIZE - 576 || fp % 64 != 0)
		return false;
	memcpy(&magic, base + fp + FP_SW_OFF, 4);
	memcpy(&lay->f_xfeatures, base + fp + FP_SW_OFF + 8, 8);
	memcpy(&xbytes, base + fp + FP_SW_OFF + 16, 4);
	if (magic != XSTATE_MAGIC || xbytes < 576 || xbytes > SLOT_SIZE - fp)
		return false;
	memcpy(&lay->f_mxcsr_mask, base + fp + 28, 4);
	if (lay->f_mxcsr_mask == 0)
		lay->f_mxcsr_mask = 0xffbf;
	lay->f_uc = (uint32_t)uc;
	lay->f_info = (uint32_t)info;
	lay->f_fp = (uint32_t)fp;
	lay->f_xbytes = xbytes;
	clean_frsp = frsp;
	clean_uc = uc;
	memcpy(clean_frame + frsp, base + frsp, SLOT_SIZE - frsp);
	hk_fpu_learn();
	lay->f_known = true;
	return true;
}

/* The frame in the slot is that of a thread that has just trapped for the first time. */
static bool
is_birth(struct hk_slot *s, uint64_t va)
{
	_Atomic uint64_t *uc;
	const uint64_t rip = STUB_BASE - IMG_PARTS + (uint64_t)(hk_stub_born_end - hk_stub_image);

	if (!hk_m.m_lay.f_known && !learn_layout(s, va))
		return false;
	uc = hk_slot_uc(s);
	return atomic_load_explicit(&s->s_sig, memory_order_relaxed) == SIGSYS &&
	    atomic_load_explicit(&s->s_uc, memory_order_relaxed) == va + clean_uc &&
	    atomic_load_explicit(&uc[UC_RIP], memory_order_relaxed) == rip &&
	    atomic_load_explicit(&uc[UC_RAX], memory_order_relaxed) == STUB_NR_BORN;
}

bool
hk_slot_make(struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_slot_rec *sl = &sp->sp_slot[cpu];
	struct hk_slot *s = hk_slot_of(sp, cpu);

	ASSERT(cpu < hk_m.m_ncpu);
	if (sl->sl_live)
		return true;
	atomic_store_explicit(&s->s_spin, (hk_m.m_flags & HK_F_SPIN) != 0 ? SPIN_TURNS : 0, memory_order_relaxed);
	sl->sl_tid = hk_batch_clone(sp, cpu);
	if (sl->sl_tid <= 0)
		return false;
	sl->sl_live = true;		/* now, so that wake_all() finds us */
	sp->sp_nslots++;
	sl->sl_hostcpu = -1;
	sl->sl_fs = 0;
	sl->sl_gs = 0;
	sl->sl_gate = false;
	if (!hk_slot_wait(sp, cpu) || !is_birth(s, hk_slot_va(cpu))) {
		hk_space_kill(sp);
		return false;
	}
	return true;
}

/* ----------------------------------------------------------- recycling - */

/* Has the signal with this number arrived in the slot's own stack? */
static bool
proof_arrived(const struct hk_slot *s, uint64_t va, uint64_t number)
{
	uint64_t info = atomic_load_explicit(&s->s_info, memory_order_relaxed) - va;
	uint64_t value;

	if (info < SLOT_ALT || info > SLOT_SIZE - sizeof(siginfo_t))
		return false;
	memcpy(&value, (const uint8_t *)s + info + offsetof(siginfo_t, si_value), sizeof value);
	return value == number;
}

/* Send the signal that takes the thread back, with a number that no guest can guess. */
static bool
reset_send(struct hk_space_rec *sp, uint32_t cpu, uint64_t *number)
{
	siginfo_t si;

	hk_entropy(number, sizeof *number);
	memset(&si, 0, sizeof si);
	si.si_signo = STUB_SIG_RESET;
	si.si_code = SI_QUEUE;
	si.si_value.sival_ptr = (void *)(uintptr_t)*number;
	atomic_store(&hk_slot_of(sp, cpu)->s_state, ST_MAPPER);		/* not "stopped", and not "go" */
	return HK_SYS4(SYS_rt_tgsigqueueinfo, atomic_load(&sp->sp_pid), sp->sp_slot[cpu].sl_tid,
	    STUB_SIG_RESET, &si) == 0;
}

static bool
is_zero(const uint64_t page[HK_PAGE / 8])
{
	uint64_t any = 0;

	for (size_t i = 0; i < HK_PAGE / 8; i++)
		any |= page[i];
	return any == 0;
}

/*
 * Below the frame most slots have a page or none.  They are looked at through the file, so that a hole stays one; and
 * not made holes again, because that keeps all CPUs from the file, which every mapper writes to, and flushes their
 * translations.
 */
static void
slot_clean_below(struct hk_space_rec *sp, uint32_t cpu, size_t top)
{
	const uint64_t at = ((uint64_t)sp->sp_id + 1) * CTL_REGION + CTL_SLOTS + (uint64_t)cpu * SLOT_SIZE + SLOT_ALT;
	uint8_t *base = (uint8_t *)hk_slot_of(sp, cpu) + SLOT_ALT;
	uint64_t word[(SLOT_SIZE - SLOT_ALT) / 8];
	const size_t len = top - SLOT_ALT;

	if (HK_SYS4(SYS_pread64, hk_m.m_ctl_fd, word, len, at) != (long)len) {
		memset(base, 0, len);
		return;
	}
	for (size_t off = 0; off < len; off += HK_PAGE)
		if (!is_zero(word + off / 8))
			memset(base + off, 0, HK_PAGE);
}

/* The thread is parked and looks at nothing but s_state.  Make its slot that of a thread just born. */
static void
slot_clean(struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_slot *s = hk_slot_of(sp, cpu);
	struct hk_slot_rec *sl = &sp->sp_slot[cpu];
	uint8_t *base = (uint8_t *)s;
	uint64_t va = hk_slot_va(cpu);
	const size_t top = clean_frsp & ~(size_t)(HK_PAGE - 1);

	slot_clean_below(sp, cpu, top);
	memset(base + top, 0, clean_frsp - top);
	memcpy(base + clean_frsp, clean_frame + clean_frsp, SLOT_SIZE - clean_frsp);
	memset(base + S_KREQ, 0, SLOT_ALT - S_KREQ);
	memset(base + S_STATE + 4, 0, S_VKSLEEP - S_STATE - 4);
	memset(base + S_VKSLEEP, 0, S_GSLEEP - S_VKSLEEP);
	memset(base + S_GSLEEP + 4, 0, S_SPIN - S_GSLEEP - 4);
	atomic_store_explicit(&s->s_spin, (hk_m.m_flags & HK_F_SPIN) != 0 ? SPIN_TURNS : 0, memory_order_relaxed);
	atomic_store_explicit(&s->s_uc, va + clean_uc, memory_order_relaxed);
	atomic_store_explicit(&s->s_frsp, va + clean_frsp, memory_order_relaxed);
	atomic_store_explicit(&hk_slot_uc(s)[UC_FP], va + hk_m.m_lay.f_fp, memory_order_relaxed);
	sl->sl_fs = 0;
	sl->sl_gs = 0;
	sl->sl_gate = false;
}

/*
 * sp_lock held.  Empty the space of everything its guest had (P2).  The
 * signals go first: the threads take them while the mapper unmaps.
 */
static bool
space_clean(struct hk_space_rec *sp)
{
	uint64_t number[HK_CPU_MAX];
	uint32_t cpu;

	hk_place_gather(sp);			/* P5 */
	for (cpu = 0; cpu < hk_m.m_ncpu; cpu++)
		if (sp->sp_slot[cpu].sl_live && !reset_send(sp, cpu, &number[cpu]))
			return false;
	hk_batch_drop_all(sp);
	if (!hk_batch_commit(sp))
		return false;
	for (cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		if (!sp->sp_slot[cpu].sl_live)
			continue;
		if (!hk_slot_wait(sp, cpu))
			return false;
		if (!proof_arrived(hk_slot_of(sp, cpu), hk_slot_va(cpu), number[cpu]))
			return false;
	}
	/* Only now is nobody left who could write what we put there. */
	for (cpu = 0; cpu < hk_m.m_ncpu; cpu++)
		if (sp->sp_slot[cpu].sl_live)
			slot_clean(sp, cpu);
	return true;
}

/* -------------------------------------------------------------- making - */

/* A record: memory of its own, a mapping of its control region.  m_pool_lock held. */
static struct hk_space_rec *
record_make(void)
{
	struct hk_space_rec *sp;
	const size_t slots = hk_m.m_ncpu * sizeof(struct hk_slot_rec);
	const size_t region = CTL_SLOTS + (size_t)hk_m.m_ncpu * SLOT_SIZE;
	uint32_t id = hk_m.m_nrecs;
	long p, r;

	if (id == HK_SPACES)
		return NULL;
	p = HK_SYS6(SYS_mmap, 0, sizeof *sp + slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0 && p > -4096)
		return NULL;
	r = HK_SYS6(SYS_mmap, 0, region, PROT_READ | PROT_WRITE, MAP_SHARED, hk_m.m_ctl_fd,
	    (uint64_t)(id + 1) * CTL_REGION);
	if (r < 0 && r > -4096) {
		(void)HK_SYS2(SYS_munmap, p, sizeof *sp + slots);
		return NULL;
	}
	sp = (struct hk_space_rec *)p;
	sp->sp_id = (hk_space)id;
	sp->sp_region = (uint8_t *)r;
	sp->sp_cmd = (struct hk_cmd *)r;
	sp->sp_slot = (struct hk_slot_rec *)(sp + 1);
	atomic_store(&sp->sp_dead, 1);
	hk_m.m_space[id] = sp;
	hk_m.m_nrecs = id + 1;
	return sp;
}

static void
record_unmake(struct hk_space_rec *sp)
{
	const size_t slots = hk_m.m_ncpu * sizeof(struct hk_slot_rec);

	(void)HK_SYS2(SYS_munmap, sp->sp_region, CTL_SLOTS + (size_t)hk_m.m_ncpu * SLOT_SIZE);
	(void)HK_SYS2(SYS_munmap, sp, sizeof *sp + slots);
}

/* A dead record goes to the list of those that can be reused. */
static void
record_bare(struct hk_space_rec *sp)
{
	ASSERT(atomic_load(&sp->sp_pid) == 0);
	hk_lock(&hk_m.m_pool_lock);
	sp->sp_used = false;
	hk_m.m_bare[hk_m.m_nbare++] = (uint32_t)sp->sp_id;
	hk_unlock(&hk_m.m_pool_lock);
}

/* Give a bare record a stub with one slot, for `cpu`.  Nobody else knows the record. */
static hk_result
stub_make(struct hk_space_rec *sp, uint32_t cpu)
{
	const uint64_t region = ((uint64_t)sp->sp_id + 1) * CTL_REGION;
	long pid;
	bool ok;

	/* Zeroes everywhere: a hole, or else by hand. */
	if (HK_SYS4(SYS_fallocate, hk_m.m_ctl_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, region, CTL_REGION) < 0)
		memset(sp->sp_region, 0, CTL_SLOTS + (size_t)hk_m.m_ncpu * SLOT_SIZE);
	memset(sp->sp_slot, 0, hk_m.m_ncpu * sizeof sp->sp_slot[0]);
	sp->sp_nslots = 0;
	hk_batch_reset(sp);
	sp->sp_hostcpu = -1;
	atomic_store_explicit(&sp->sp_cmd->c_region, region, memory_order_relaxed);
	atomic_store_explicit(&sp->sp_cmd->c_spin, (hk_m.m_flags & HK_F_SPIN) != 0 ? SPIN_TURNS : 0,
	    memory_order_relaxed);

	pid = hk_zygote_clone(region);
	if (pid < 0)
		return hk_fail(hk_from_errno(pid), "no process for a space: %s", strerror((int)-pid));
	atomic_store(&sp->sp_pid, (int32_t)pid);
	atomic_store(&sp->sp_dead, 0);			/* P4 */
	hk_place_answers((int32_t)pid);
	hk_lock(&sp->sp_lock);
	ok = hk_slot_make(sp, cpu);
	hk_unlock(&sp->sp_lock);
	if (!ok) {
		hk_space_kill(sp);
		hk_space_kill_wait(sp);
		return hk_fail(HK_NOMEM, "no thread for a space");
	}
	atomic_fetch_add_explicit(&hk_m.n_made, 1, memory_order_relaxed);
	return HK_OK;
}

/* A new stub on a bare record, not in use. */
static hk_result
space_make(uint32_t cpu, struct hk_space_rec **out)
{
	struct hk_space_rec *sp;
	bool full;
	hk_result r;

	hk_lock(&hk_m.m_pool_lock);
	full = hk_m.m_nbare == 0 && hk_m.m_nrecs == HK_SPACES;
	sp = hk_m.m_nbare > 0 ? hk_m.m_space[hk_m.m_bare[--hk_m.m_nbare]] : record_make();
	hk_unlock(&hk_m.m_pool_lock);
	if (sp == NULL)
		return full ? hk_fail(HK_LIMIT, "%u spaces exist already", HK_SPACES)
			    : hk_fail(HK_NOMEM, "no memory for the record of a space");
	r = stub_make(sp, cpu);
	if (r != HK_OK) {
		record_bare(sp);
		return r;
	}
	*out = sp;
	return HK_OK;
}

/* m_pool_lock held.  The best in the pool for `cpu`: one that has its slot, and few others to be emptied later (P5). */
static uint32_t
pool_best(uint32_t cpu)
{
	uint32_t best = hk_m.m_npool - 1, least = UINT32_MAX;

	for (uint32_t i = hk_m.m_npool; i-- > 0 && least > 1;) {
		const struct hk_space_rec *sp = hk_m.m_space[hk_m.m_pool[i]];
		uint32_t slots = sp->sp_nslots + (sp->sp_slot[cpu].sl_live ? 0 : HK_CPU_MAX);

		if (slots < least) {
			best = i;
			least = slots;
		}
	}
	return best;
}

/* Take a stub from the pool that is still alive, or NULL. */
static struct hk_space_rec *
pool_take(uint32_t cpu, bool *low)
{
	struct hk_space_rec *sp;
	uint32_t i;

	for (;;) {
		sp = NULL;
		hk_lock(&hk_m.m_pool_lock);
		if (hk_m.m_npool > 0) {
			i = pool_best(cpu);
			sp = hk_m.m_space[hk_m.m_pool[i]];
			hk_m.m_npool--;
			memmove(&hk_m.m_pool[i], &hk_m.m_pool[i + 1], (hk_m.m_npool - i) * sizeof hk_m.m_pool[0]);
		}
		*low = hk_m.m_npool < hk_m.m_pool_low;
		hk_m.m_pool_cpu = cpu;
		if (sp != NULL)
			sp->sp_used = true;
		hk_unlock(&hk_m.m_pool_lock);
		if (sp == NULL || !atomic_load(&sp->sp_dead))
			return sp;
		hk_space_kill_wait(sp);
		record_bare(sp);
	}
}

static void
pool_put(struct hk_space_rec *sp)
{
	hk_lock(&hk_m.m_pool_lock);
	sp->sp_used = false;
	hk_m.m_pool[hk_m.m_npool++] = (uint32_t)sp->sp_id;
	hk_unlock(&hk_m.m_pool_lock);
}

hk_result
hk_space_create(hk_space *out)
{
	const struct hk_cpu_rec *self = hk_cpu_self();
	const uint32_t cpu = self != NULL ? self->c_index : 0;
	struct hk_space_rec *sp;
	bool low;
	hk_result r;

	sp = pool_take(cpu, &low);
	if (sp == NULL) {
		r = space_make(cpu, &sp);
		if (r != HK_OK)
			return r;
		sp->sp_used = true;
	}
	if (low)
		hk_serve_poke();
	hk_vpt_forget(sp);
	sp->sp_root = 0;
	*out = sp->sp_id;
	return HK_OK;
}

void
hk_space_destroy(hk_space s)
{
	struct hk_space_rec *sp = hk_space_rec(s);
	bool keep;

	ASSERT(sp != NULL);
	hk_lock(&hk_m.m_pool_lock);
	keep = hk_m.m_npool < hk_m.m_pool_high;
	hk_unlock(&hk_m.m_pool_lock);

	hk_lock(&sp->sp_lock);
	keep = keep && !atomic_load(&sp->sp_dead) && space_clean(sp);
	hk_vpt_forget(sp);
	hk_unlock(&sp->sp_lock);
	if (keep) {
		atomic_fetch_add_explicit(&hk_m.n_recycled, 1, memory_order_relaxed);
		pool_put(sp);
		return;
	}
	hk_space_kill(sp);
	hk_space_kill_wait(sp);
	record_bare(sp);
}

void
hk_spaces_refill(void)
{
	struct hk_space_rec *sp;
	uint32_t cpu;
	bool low;

	for (;;) {
		hk_lock(&hk_m.m_pool_lock);
		low = hk_m.m_npool < hk_m.m_pool_low;
		cpu = hk_m.m_pool_cpu;
		hk_unlock(&hk_m.m_pool_lock);
		if (!low || space_make(cpu, &sp) != HK_OK)
			return;
		pool_put(sp);
	}
}

/* ----------------------------------------------------- the whole machine - */

static hk_result
ctl_file(void)
{
	long fd, r;

	fd = HK_SYS2(SYS_memfd_create, "hk-ctl", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return hk_fail(hk_from_errno(fd), "memfd_create: %s", strerror((int)-fd));
	r = HK_SYS2(SYS_ftruncate, fd, (uint64_t)(HK_SPACES + 1) * CTL_REGION);
	if (r >= 0)
		r = HK_SYS3(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (r >= 0)
		r = HK_SYS6(SYS_mmap, 0, HK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r < 0 && r > -4096) {
		(void)HK_SYS1(SYS_close, fd);
		return hk_fail(hk_from_errno(r), "the control file: %s", strerror((int)-r));
	}
	hk_m.m_zyg = (uint8_t *)r;
	hk_m.m_ctl_fd = (int)fd;
	return HK_OK;
}

hk_result
hk_spaces_init(void)
{
	struct hk_space_rec *sp;
	hk_result r;

	r = ctl_file();
	if (r != HK_OK)
		return r;
	r = hk_zygote_start();
	if (r == HK_OK)
		r = space_make(0, &sp);		/* one at once: it shows that the host can do all of it */
	if (r != HK_OK) {
		hk_spaces_fini();
		return r;
	}
	pool_put(sp);
	return HK_OK;
}

void
hk_spaces_fini(void)
{
	uint32_t i;

	for (i = 0; i < hk_m.m_nrecs; i++)
		hk_space_kill(hk_m.m_space[i]);
	for (i = 0; i < hk_m.m_nrecs; i++) {
		hk_space_kill_wait(hk_m.m_space[i]);
		hk_vpt_free(hk_m.m_space[i]);
		record_unmake(hk_m.m_space[i]);
		hk_m.m_space[i] = NULL;
	}
	hk_zygote_stop();
	hk_m.m_nrecs = 0;
	hk_m.m_npool = 0;
	hk_m.m_nbare = 0;
	hk_m.m_lay.f_known = false;
	if (hk_m.m_ctl_fd >= 0) {
		(void)HK_SYS2(SYS_munmap, hk_m.m_zyg, HK_PAGE);
		(void)HK_SYS1(SYS_close, hk_m.m_ctl_fd);
		hk_m.m_ctl_fd = -1;
	}
}
