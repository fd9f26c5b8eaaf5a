/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hk_int - what the files of hostkit/linux share
 *
 * One machine per process: one global, hk_m.  A space is a stub process
 * (stub.S) with one mapper thread and one guest thread per CPU that ever
 * entered it.  Who does what:
 *
 *   zygote.c  starts the zygote, asks it for stubs
 *   space.c   life of a space: pool, slots, recycling, death
 *   batch.c   lists of mmap/munmap/mprotect run by the mapper
 *   vpt.c     which list a page fault or an invalidation needs
 *   run.c     hk_run(): registers in and out, waiting, kicks
 *   cpu.c     host threads, mailboxes, timers; place.c: on which host CPU
 *   serve.c   the main thread's loop; watchdog.c: its tick
 *   sys.c     the one table of host system calls
 *
 * Locks, outermost first: sp_lock of a space; m_pool_lock; m_zyg_lock;
 * m_reap_lock.  None is ever taken by a signal handler.
 *
 * Words that are shared with a stub are C11 atomics.  What the guest can
 * write (struct hk_slot) is read once into a private copy, then checked.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hk/hk.h>
#include "stublay.h"

#define HK_SPACES	8192u			/* live and pooled, at most */
#define HK_BATCH_SPAN	(1ull << 30)		/* a filter rule: longest single command but "everything" */

/* ------------------------------------------------- host system calls --- */

/*
 * Every host system call of the library.  call: the raw call, result or
 * -errno, never touches errno, async-signal-safe.  thread: pthread_create
 * of a detached or joinable thread, 0 or a positive errno.  Tests replace
 * the members.
 */
struct hk_sysops {
	long	(*call)(long nr, long a0, long a1, long a2, long a3, long a4, long a5);
	int	(*thread)(void *(*entry)(void *), void *arg, uint64_t *handle);
	int	(*join)(uint64_t handle);
};
extern struct hk_sysops hk_sysops;

#define HK_SYS6(nr, a, b, c, d, e, f)	hk_sysops.call((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define HK_SYS5(nr, a, b, c, d, e)	HK_SYS6(nr, a, b, c, d, e, 0)
#define HK_SYS4(nr, a, b, c, d)		HK_SYS6(nr, a, b, c, d, 0, 0)
#define HK_SYS3(nr, a, b, c)		HK_SYS6(nr, a, b, c, 0, 0, 0)
#define HK_SYS2(nr, a, b)		HK_SYS6(nr, a, b, 0, 0, 0, 0)
#define HK_SYS1(nr, a)			HK_SYS6(nr, a, 0, 0, 0, 0, 0)
#define HK_SYS0(nr)			HK_SYS6(nr, 0, 0, 0, 0, 0, 0)

/* Futexes shared with stubs (never the private kind).  timeout_ns 0: none.  wait: 0, or -EAGAIN, -EINTR, -ETIMEDOUT. */
long	hk_futex_wait(_Atomic uint32_t *word, uint32_t val, uint64_t timeout_ns);
void	hk_futex_wake(_Atomic uint32_t *word, int count);

/* A lock: 0 free, 1 held, 2 held and somebody waits.  Never held by a signal handler. */
struct hk_lock {
	_Atomic uint32_t	l_word;
};
void	hk_lock(struct hk_lock *l);
bool	hk_trylock(struct hk_lock *l);
void	hk_unlock(struct hk_lock *l);

/* Set hk_why() (printf-like) and return `r`. */
hk_result hk_fail(hk_result r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* HK_NOMEM for ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC; HK_UNSUPPORTED for ENOSYS; else HK_HOST. */
hk_result hk_from_errno(long minus_errno);

/* ------------------------------------------------------ shared memory -- */

/* A slot, as the machine sees it.  Offsets: stublay.h.  The guest can write all of it at any time. */
struct hk_slot {
	_Atomic uint32_t	s_state;
	uint32_t		s_pad0[15];
	_Atomic uint32_t	s_vksleep;
	uint32_t		s_pad1[15];
	_Atomic uint32_t	s_gsleep;
	uint32_t		s_pad2[15];
	_Atomic uint32_t	s_spin, s_kreq, s_setfs, s_sig, s_kind, s_redo;
	_Atomic uint64_t	s_info, s_uc, s_frsp, s_fs, s_gs, s_fsnew, s_gsnew;
};

/* The command pages.  The stub has them read-only. */
struct hk_cmd_ent {
	uint64_t		e_nr, e_arg[6];
};
struct hk_cmd {
	_Atomic uint32_t	c_seq;
	uint32_t		c_pad0[15];
	_Atomic uint32_t	c_done, c_waiting;
	_Atomic uint32_t	c_res, c_pad1;
	uint32_t		c_pad2[12];
	_Atomic uint32_t	c_count, c_spin, c_failed, c_pad3;
	_Atomic uint64_t	c_region, c_resume;
	uint64_t		c_pad4[12];
	struct hk_cmd_ent	c_ent[C_ENT_MAX];
};

/* --------------------------------------------------------- the records - */

/* The machine's private view of one slot.  Guard: the CPU that owns it; sl_live and sl_tid: sp_lock to change. */
struct hk_slot_rec {
	bool		sl_live;	/* its thread exists and has trapped once */
	int32_t		sl_tid;
	int32_t		sl_hostcpu;	/* where place.c pinned the thread; -1: nowhere */
	uint64_t	sl_fs, sl_gs;	/* what the thread's registers hold */
	bool		sl_faulted;	/* the last run ended with HK_FAULT, here: */
	uint64_t	sl_fault_rip, sl_fault_va;
	bool		sl_gate;	/* it waits in the call gate, or was told to return from it; then: */
	struct hk_frame	sl_call;	/* the registers of that call as last seen or put */
};

/*
 * A space.  Records are never freed before hk_fini(), nor are the host's
 * mappings of their control regions: a stale pointer is harmless.
 */
struct hk_space_rec {
	struct hk_lock		sp_lock;	/* guards: the fields below that name it, and the batch */
	hk_space		sp_id;		/* constant */
	_Atomic uint32_t	sp_dead;	/* the stub is gone or going: hk_run() says HK_DEAD.  Set once */
	_Atomic int32_t		sp_pid;		/* of the stub; 0: none.  sp_lock, m_reap_lock to clear */
	bool			sp_used;	/* belongs to a caller (not pooled).  m_pool_lock */
	uint64_t		sp_root;	/* physical address of the root table.  sp_lock */
	uint32_t		sp_maps;	/* upper bound of host mappings in the guest's range.  sp_lock; vpt.c resets */
	bool			sp_mapped;	/* something was mapped since the last drop of everything.  sp_lock; batch.c */
	struct hk_vpt		*sp_vpt;	/* what vpt.c remembers of them; NULL: nothing yet.  sp_lock */
	int32_t			sp_hostcpu;	/* where place.c pinned the mapper; -1: nowhere.  sp_lock */
	uint32_t		sp_nslots;	/* that are live.  sp_lock */
	/* batch.c, under sp_lock */
	struct hk_cmd		*sp_cmd;
	uint32_t		sp_seq;		/* last batch given to the mapper */
	uint32_t		sp_noted;	/* last batch whose failure has been noted */
	uint32_t		sp_count;	/* commands collected since */
	_Atomic bool		sp_unsent;	/* [sp_lock to change] commands wait for the next hk_run() */
	bool			sp_failed;	/* a command failed since the last hk_batch_commit() */
	/* space.c */
	uint8_t			*sp_region;	/* host mapping of the control region.  constant */
	struct hk_slot_rec	*sp_slot;	/* one per CPU of the machine.  constant */
};

/* What a thread was seen to have used by place.c. */
struct hk_place_times {
	uint64_t	pt_run_ns, pt_wait_ns;
};
struct hk_place_seen {
	int32_t			ps_tid;		/* 0: nobody yet */
	struct hk_place_times	ps_times;
};

enum hk_cpu_state { HK_CPU_NONE, HK_CPU_STARTING, HK_CPU_RUNNING, HK_CPU_STOPPED, HK_CPU_FAILED };

/* watchdog.c: a thread of a stub that does not answer. */
struct hk_suspect {
	bool		q_seen;
	uint64_t	q_cpu_ns;	/* its CPU time when last seen */
	uint64_t	q_used_ns;	/* of that since first seen, as far as it counts */
	uint64_t	q_asleep_ns;	/* heartbeats that found it asleep */
};

/* Where cpu.c and run.c meet.  Guard: the CPU's own host thread, atomics excepted. */
struct hk_cpu_rec {
	_Atomic(_Atomic uint32_t *) c_mailbox;	/* the caller's word, or NULL.  Constant while the CPU runs */
	/*
	 * Not NULL while the CPU waits for a guest: the futex word it sleeps
	 * on.  hk_post() and the timer's handler, after OR-ing the mailbox,
	 * store 0 there and wake it; the CPU then kicks its guest itself.
	 */
	_Atomic(_Atomic uint32_t *) c_wait;
	_Atomic int32_t		c_hosttid;	/* 0: not started.  cpu.c */
	_Atomic int32_t		c_hostcpu;	/* host CPU it is pinned to, -1: none.  place.c */
	/* run.c and watchdog.c */
	_Atomic int32_t		c_space;	/* space it is inside, or HK_NOSPACE */
	_Atomic uint32_t	c_kick;		/* number of the kick not yet answered; 0: none */
	uint32_t		c_kicks;	/* kicks so far */
	/* watchdog.c: main thread only */
	uint32_t		w_kick;		/* the kick being watched */
	uint32_t		w_runs;		/* c_place_runs at the last heartbeat */
	struct hk_suspect	w_suspect;	/* who has not answered it */
	uint64_t		w_own_ns;	/* CPU time of the CPU's own thread at the last heartbeat */
	uint64_t		w_used_ns;	/* what it used since it was asked, or since it answered */
	uint32_t		w_yields;	/* c_yields at the last heartbeat */
	bool			w_asked;	/* HK_BIT_BEAT was posted and has not been seen gone */
	/* cpu.c's and place.c's own */
	uint32_t		c_index;	/* constant */
	_Atomic uint32_t	c_yields;	/* it waits for another CPU: how often it gave way */
	_Atomic uint32_t	c_early;	/* bits posted before c_mailbox was known */
	_Atomic uint32_t	c_state;	/* enum hk_cpu_state; futex word */
	_Atomic uint64_t	c_timer_want;	/* the caller's deadline; its thread and that thread's handler */
	_Atomic uint64_t	c_timer_armed;	/* the host's, or later than that fires; likewise */
	int32_t			c_timer_id;	/* the host's name of it */
	bool			c_trapped;	/* a trap was handed to the caller */
	_Atomic uint32_t	c_inspect;	/* 1: somebody wants c_seen; 2: it is there.  cpu.c */
	struct hk_trap		c_seen;		/* the handler's, until c_inspect is 2 */
	_Atomic bool		c_stuck;	/* its thread is to call m_on_stuck */
	int32_t			c_sample_id;	/* the host's name of the timer for samples */
	_Atomic uint64_t	c_sample_ns;	/* between two samples; 0: none.  The main thread's */
	uint64_t		c_sample_at;	/* not before this.  The handler's */
	uint64_t		c_thread;	/* handle for join */
	uint64_t		c_sigstack;	/* address of the signal stack */
	uint64_t		c_host_rsp;	/* the host thread's own stack, while it runs on the caller's */
	int32_t			c_guestcpu;	/* host CPU of the guests it runs: c_hostcpu, unless spinning */
	uint64_t		c_idle_ns;	/* time spent in hk_idle() */
	/* place.c: when it looked last; c_idle_ns then; CPU, guest and mapper then */
	uint64_t		c_place_seen_ns, c_place_idle_ns;
	struct hk_place_seen	c_place_seen[3];
	_Atomic int32_t		c_place_space;	/* the guest to look at; HK_NOSPACE: none */
	_Atomic uint32_t	c_place_runs;	/* hk_run()s so far */
	/* figures, as in struct hk_stats: written by the CPU itself, because CPUs that count in one place wait for it */
	_Atomic uint64_t	n_runs, n_syscalls, n_served, n_returned, n_kicks;
} __attribute__((aligned(64)));

/* Where the host puts things in a signal frame, learnt from the first thread ever born. */
struct hk_frame_lay {
	bool		f_known;
	uint32_t	f_uc, f_info, f_fp;	/* offsets in a slot */
	uint32_t	f_xbytes;		/* of the XSAVE area */
	uint64_t	f_xfeatures;
	uint32_t	f_mxcsr_mask;
	struct { uint32_t off, len; } f_comp[64];	/* of extended component i; len 0: not there.  hk_fpu_learn() */
};

struct hk_machine {
	/* init.c, constant after hk_init() */
	uint32_t		m_ncpu, m_flags;
	_Atomic bool		m_each_fault;	/* hk_run_each_fault().  Set once */
	uint32_t		m_pool_low, m_pool_high;
	uint32_t		m_map_budget;
	int			m_ram_fd, m_ctl_fd;
	uint64_t		m_ram_base, m_ram_bytes;
	int32_t			m_pid;		/* of this process */
	/* zygote.c */
	struct hk_lock		m_zyg_lock;
	int32_t			m_zyg_pid;	/* 0: none */
	uint8_t			*m_zyg;		/* control region 0 */
	/* space.c */
	struct hk_lock		m_pool_lock;
	struct hk_lock		m_reap_lock;
	struct hk_space_rec	*m_space[HK_SPACES];	/* NULL, or a record for ever.  m_pool_lock to set */
	uint32_t		m_nrecs;	/* records made.  m_pool_lock */
	uint32_t		m_npool;	/* ready and unused.  m_pool_lock */
	uint32_t		m_pool[HK_SPACES];
	uint32_t		m_pool_cpu;	/* the CPU that took one last.  m_pool_lock */
	uint32_t		m_nbare;	/* records without a stub.  m_pool_lock */
	uint32_t		m_bare[HK_SPACES];
	struct hk_frame_lay	m_lay;
	/* cpu.c */
	struct hk_cpu_rec	m_cpu[HK_CPU_MAX];
	void			(*_Atomic m_on_stuck)(const struct hk_trap *);	/* NULL: nobody wants to know */
	void			(*_Atomic m_on_sample)(const struct hk_trap *);	/* likewise */
	const _Atomic uint32_t	*m_sample_hz;	/* constant once m_on_sample is set */
	/* figures, each as in struct hk_stats */
	_Atomic uint64_t	n_made, n_recycled, n_killed, n_maps, n_unmaps, n_protects, n_evictions;
};
extern struct hk_machine hk_m;

/* ------------------------------------------------------- space.c ------- */

/* The record of a live space of the caller, or NULL. */
struct hk_space_rec *hk_space_rec(hk_space s);
/* After ram_fd exists, from the main thread: ctl file, zygote, low-water pool.  Fails with hk_why() set and nothing left. */
hk_result hk_spaces_init(void);
void	hk_spaces_fini(void);		/* kills and waits for every stub and the zygote */
/* serve.c calls this on SIGCHLD: waits for those stubs that died, by pid, marks them dead, wakes who waits. */
void	hk_spaces_reap(void);
/* Kill the stub and mark it dead; wakes who waits.  Any thread; no lock needed. */
void	hk_space_kill(struct hk_space_rec *sp);
/* Wait until a killed stub holds no page any more. */
void	hk_space_kill_wait(struct hk_space_rec *sp);
/* Fill the pool to its low-water mark.  serve.c, when poked by hk_serve_poke() or idle. */
void	hk_spaces_refill(void);
/* Make the slot of `cpu`, if it is missing.  sp_lock held. */
bool	hk_slot_make(struct hk_space_rec *sp, uint32_t cpu);
struct hk_slot *hk_slot_of(const struct hk_space_rec *sp, uint32_t cpu);

/* fpu.c: where the components of the XSAVE area are; once, when f_xfeatures is known. */
void	hk_fpu_learn(void);

/* ------------------------------------------------------- batch.c ------- */

/*
 * sp_lock held.  Commands are collected, and run by the mapper in order, up
 * to the first that fails.  A list that gets full is committed by itself;
 * its failure is remembered (sp_failed).  Ranges are page-aligned and inside
 * [HK_USER_MIN, HK_USER_MAX).  A munmap longer than HK_BATCH_SPAN may become
 * "everything"; mmap and mprotect of such lengths are split.
 * prot: PROT_* of the host.  sp_maps: +2 per mmap, +1 per munmap/mprotect,
 * 0 after hk_batch_drop_all().
 */
void	hk_batch_mmap(struct hk_space_rec *sp, uint64_t va, uint64_t len, uint64_t pa, int prot, bool populate);
void	hk_batch_munmap(struct hk_space_rec *sp, uint64_t va, uint64_t len);
void	hk_batch_mprotect(struct hk_space_rec *sp, uint64_t va, uint64_t len, int prot);
void	hk_batch_drop_all(struct hk_space_rec *sp);	/* munmap of the whole guest range */
/* Run what was collected, wait.  True: everything since the last commit or settle succeeded.  False: see sp_dead. */
bool	hk_batch_commit(struct hk_space_rec *sp);
/* Wait for a batch that hk_run() gave away with a resume.  As hk_batch_commit() without running anything new. */
bool	hk_batch_settle(struct hk_space_rec *sp);
/*
 * run.c: run what was collected; the mapper then resumes the slot of `cpu`,
 * or reports the same stop again if a command failed.
 */
void	hk_batch_resume(struct hk_space_rec *sp, uint32_t cpu);

/* --------------------------------------------------------- vpt.c ------- */

enum hk_fill {
	HK_FILL_SERVED,		/* the batch holds what is missing (may be empty: somebody else was faster) */
	HK_FILL_REFUSED,	/* the tables do not permit the access */
	HK_FILL_DEAD,		/* the space had to be killed */
};
/*
 * sp_lock held.  A fault of the guest at va with x86 error code `err`.  First
 * settles the batch before; a failed one means ENOMEM.
 */
enum hk_fill hk_vpt_fault(struct hk_space_rec *sp, uint64_t va, uint32_t err);
/* sp_lock held.  The space's host mappings are gone, its root too: forget what is remembered of them. */
void	hk_vpt_forget(struct hk_space_rec *sp);
/* hk_spaces_fini(), for every record: give back what hk_vpt_fault() allocated. */
void	hk_vpt_free(struct hk_space_rec *sp);

/* --------------------------------------------- cpu.c, place.c, serve.c - */

/*
 * While a CPU runs on its caller's stack: where the free part of its host
 * thread's own stack begins, 16-byte aligned.  A caller that wants none of our
 * frames on its stacks calls from there, with this set to 0 meanwhile.
 */
extern _Thread_local uint64_t hk_host_stack;

/* sp_lock not held.  Called by hk_run() when sl_hostcpu of the slot differs from c_hostcpu: pin slot thread and mapper. */
void	hk_place_follow(struct hk_space_rec *sp, uint32_t cpu);
/* sp_lock held.  Nobody is inside: all its threads come to the host CPU of the calling CPU, if that is one. */
void	hk_place_gather(struct hk_space_rec *sp);
/* Main thread, at each heartbeat: arm or stop the CPUs' timers for samples, if that was changed. */
void	hk_cpu_sample_rates(void);
/* Make the CPU's thread call m_on_stuck where it is. */
void	hk_cpu_tell_stuck(struct hk_cpu_rec *c);
/* Wake the main thread's loop so that it calls hk_spaces_refill() and hk_watchdog() soon.  Any thread. */
void	hk_serve_poke(void);

/* ---------------------------------------------------- watchdog.c ------- */

/*
 * A look at a thread of a stub that has not answered, since_ns after the last
 * one; *q is all zero before the first.  True: it does not want to.  It has
 * slept too long, or used too much CPU time, since the first look.
 */
bool	hk_is_guilty(struct hk_suspect *q, int32_t pid, int32_t tid, uint64_t since_ns);
/* The same for what was seen: its state in /proc, its CPU time. */
bool	hk_suspect_count(struct hk_suspect *q, char state, uint64_t cpu_ns, uint64_t since_ns);

/*
 * The main thread's heartbeat: once a second, sooner if the last call said
 * so.  Returns the nanoseconds after which it wants to be called again.
 */
uint64_t hk_watchdog(void);
