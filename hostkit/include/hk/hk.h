/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hk - a Linux process as a small computer
 *
 * Three primitives, after DragonFly BSD's virtual kernels of 2006-2007
 * (vmspace_create and its RUN command, MAP_VPAGETABLE, SA_MAILBOX), built
 * here on an unmodified, unprivileged Linux host:
 *
 *   spaces     foreign address spaces that one thread at a time per CPU can
 *              enter.  hk_run() enters and *returns* with the reason why the
 *              guest stopped: system call, page fault, exception, interrupt.
 *   tables     a space is translated by x86-64 4-level page tables that the
 *              caller keeps in the machine's RAM.  The host's mappings are a
 *              cache of them, filled on faults, dropped by hk_invalidate().
 *   mailboxes  one 32-bit word per CPU.  Anybody may OR bits into it; idling
 *              and guest execution end when it is not zero.
 *
 * There is one machine per process.  Every object is a small integer, so
 * that a program whose whole state lies in the RAM of the machine holds
 * nothing of the host.  RAM is one memfd; a physical address is an offset
 * in it.
 *
 * Errors are hk_result, never errno.  Times are nanoseconds of the host's
 * CLOCK_MONOTONIC unless said otherwise.  Sizes are bytes.  This header uses
 * compiler headers only and may be read by freestanding code.
 *
 * Threads: a "CPU call" below must come from the host thread of that CPU.
 * All other calls may come from any thread of the process.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HK_CPU_MAX	256
#define HK_PAGE		4096u
#define HK_BLOCK	(2u << 20)	/* RAM is populated and returned in these */
#define HK_USER_MIN	0x10000ull	/* guest addresses: [MIN, MAX) */
#define HK_USER_MAX	0x7fffff000000ull

typedef enum hk_result {
	HK_OK = 0,
	HK_AGAIN,		/* would block: wait for the mailbox bit */
	HK_INVAL,		/* an argument is wrong; nothing was done */
	HK_NOMEM,		/* host memory, descriptors or processes exhausted */
	HK_LIMIT,		/* one of this library's own limits */
	HK_UNSUPPORTED,		/* this host lacks something needed: hk_why() says what */
	HK_HOST,		/* another host error: hk_why() says which */
	HK_EOF,			/* the stream has ended or its reader is gone */
	HK_GONE,		/* the object is dead (its stub was killed) */
} hk_result;

#define HK_MUST		__attribute__((warn_unused_result))

typedef int32_t hk_space;	/* >= 0; HK_NOSPACE is none */
#define HK_NOSPACE	((hk_space)-1)

/* ------------------------------------------------------------ machine -- */

enum {
	HK_F_SPIN	= 1u << 0,	/* the caller owns >= 2 host CPUs per CPU: spin before sleeping */
	HK_F_NO_HUGE	= 1u << 1,	/* never collapse RAM into huge pages */
	HK_F_NO_PLACE	= 1u << 2,	/* leave host CPU affinity alone */
	HK_F_TRAP_TSC	= 1u << 3,	/* a guest's RDTSC and RDTSCP are HK_TRAPs (general protection, 13) */
	HK_F_STAY	= 1u << 4,	/* a CPU that calls hk_exit() keeps its stack: no hk_fini() */
};

struct hk_config {
	uint32_t	ncpu;		/* 1..HK_CPU_MAX */
	uint32_t	flags;		/* HK_F_* */
	uint64_t	ram_bytes;	/* multiple of HK_BLOCK */
	uint64_t	ram_base;	/* where RAM appears in this process: multiple of HK_BLOCK; 0: library chooses */
	uint32_t	pool_low;	/* spaces kept ready; 0: default */
	uint32_t	pool_high;	/* spaces kept at most when recycled; 0: default */
	uint32_t	map_budget;	/* host mappings per space before eviction; 0: default */
	const char	*host_cpus;	/* "0-3,6": host CPUs to use; NULL: the caller's affinity mask */
};

/*
 * Make the machine.  Call once, from the main thread, before other threads
 * exist.  On failure nothing is left behind and hk_why() has one line of
 * text that names what the host refused.
 */
HK_MUST hk_result hk_init(const struct hk_config *cfg);
const char *hk_why(void);

/*
 * The main thread's loop: reaps stubs, runs the watchdog, forwards host
 * signals and stream readiness to mailboxes.  Returns the status given to
 * hk_exit().  The caller then leaves the process; no stub survives it.
 */
int	hk_serve(void);

/* Make hk_serve() return `status`; does not itself return.  Any thread. */
_Noreturn void hk_exit(int status);

/* Undo hk_init() (tests and embedders).  All CPUs must have returned. */
void	hk_fini(void);

/* --------------------------------------------------------------- RAM --- */

uint64_t hk_ram_base(void);	/* host address of physical address 0 */
uint64_t hk_ram_bytes(void);

/*
 * Map RAM [pa, pa+len) a second time, at exactly `va` (kernel data, stacks).
 * All page-aligned.  hk_ram_unmap leaves the range reserved and inaccessible,
 * and hk_ram_reserve() makes such a range: guard pages come from there.
 */
HK_MUST hk_result hk_ram_reserve(uint64_t va, size_t len);
HK_MUST hk_result hk_ram_map(uint64_t va, uint64_t pa, size_t len);
HK_MUST hk_result hk_ram_unmap(uint64_t va, size_t len);

/*
 * Hints.  prepare: [pa, pa+len) whole blocks, soon to be used: back them by
 * huge pages if the host can (unprivileged, by collapse).  That may take
 * milliseconds; hk_serve() does it, and the call returns at once.  release:
 * contents become zero and the host gets the memory back; no mapping of them
 * may be in use.
 */
void	hk_ram_prepare(uint64_t pa, size_t len);
void	hk_ram_release(uint64_t pa, size_t len);

/* -------------------------------------------------------------- CPUs --- */

/* Mailbox bits that the library itself sets; the others are the caller's. */
#define HK_BIT_TIMER	(1u << 0)	/* hk_timer()'s deadline has passed */
#define HK_BIT_STREAM	(1u << 1)	/* a stream that said HK_AGAIN, or an attribute of one, changed */
#define HK_BIT_SIGNAL	(1u << 2)	/* hk_signals() is not zero */
#define HK_BIT_BEAT	(1u << 3)	/* nothing: that the mailbox is emptied shows that the CPU lives */
#define HK_BIT_FILES	(1u << 4)	/* hk_files_done() has something */
#define HK_BIT_SAMPLE	(1u << 6)	/* hk_on_sample(): a guest was met */
#define HK_BIT_USER	(1u << 8)	/* first bit that is free */

/*
 * Start CPU `cpu` on a host thread of its own: entry(arg) runs on the stack
 * that ends at `stack_top` with GS base `gsbase`.  `mailbox` is its word, in
 * memory that outlives the CPU.  entry must not return; it ends by hk_exit()
 * or hk_cpu_stop().
 */
HK_MUST hk_result hk_cpu_start(uint32_t cpu, _Atomic uint32_t *mailbox,
    uint64_t gsbase, uint64_t stack_top, void (*entry)(void *), void *arg);
_Noreturn void hk_cpu_stop(void);		/* CPU call: end this host thread */

/*
 * OR `bits` into the mailbox of `cpu`; when it was zero, end its hk_idle()
 * or break the guest that it runs.  Async-signal-safe.
 */
void	hk_post(uint32_t cpu, uint32_t bits);

/*
 * The caller itself made the mailbox of `cpu` go from zero to not zero, by a
 * read-modify-write that is a full fence: the rest of hk_post().
 */
void	hk_rouse(uint32_t cpu);

/* Give the host's processor away for a moment: another CPU of ours is waited for and may not be running. */
void	hk_yield(void);

/* CPU call: sleep until the mailbox is not zero.  May return early. */
void	hk_idle(uint32_t cpu);

/* CPU call: set HK_BIT_TIMER at `abs_ns`, replacing the last request; UINT64_MAX: never. */
void	hk_timer(uint32_t cpu, uint64_t abs_ns);

uint64_t hk_clock_mono(void);		/* ns */
uint64_t hk_clock_real(void);		/* ns since 1970 */
uint64_t hk_clock_cpu(void);		/* CPU time of the calling host thread, ns */
void	hk_entropy(void *buf, size_t len);

/*
 * A synchronous fault (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP) on a CPU's
 * host thread, outside a guest, is a bug of the caller.  The handler runs on
 * the signal stack of that thread with the machine state at the fault and
 * must not return.
 */
struct hk_trap {
	uint64_t	rip, rsp, rbp, addr;
	uint32_t	signo, trapno, err;
};
void	hk_on_trap(void (*handler)(const struct hk_trap *));

/*
 * A CPU that uses more than a second of its own CPU time and does not empty
 * its mailbox is stuck.  One that is not running on the host is innocent, and
 * so, as long as there is such a one, is who may wait for it: the verdict is
 * passed when every CPU that does not answer has used that much, but for those
 * that give way (hk_yield) as long as there are others.  The handler then runs once, on the signal stack of one of them, with the state that the
 * signal met (as hk_cpu_inspect() tells it), and returns.  NULL: nobody is watched.
 */
void	hk_on_stuck(void (*handler)(const struct hk_trap *));

/*
 * While *hz is not zero each CPU's thread is interrupted about so often a
 * second, from at most a second after the change on.  A CPU that idles is left
 * alone; one whose guest runs gets HK_BIT_SAMPLE, so that hk_run() returns
 * soon; else the handler is called as that of hk_on_stuck() is.  Once, before
 * the first CPU starts.
 */
void	hk_on_sample(const _Atomic uint32_t *hz, void (*handler)(const struct hk_trap *));

/*
 * Where is CPU `cpu` right now?  Its rip, rsp and rbp, taken by a signal after
 * which it goes on.  In host code `addr` is the upper end of the host thread's
 * own stack, else 0.  Waits for at most a second.  HK_AGAIN: no answer; HK_INVAL: it does
 * not run, or is the caller.
 */
HK_MUST hk_result hk_cpu_inspect(uint32_t cpu, struct hk_trap *out);

/* ------------------------------------------------------------ spaces --- */

HK_MUST hk_result hk_space_create(hk_space *out);

/*
 * The caller promises that no CPU is inside or will enter.  When it returns
 * no host mapping of the space exists: its pages may be reused.
 */
void	hk_space_destroy(hk_space s);

/* CPU time, ns, of the host process that runs the space's guests.  It may have run others before: compare two. */
uint64_t hk_space_time(hk_space s);

/*
 * Translate by the tables whose root page is at `root_pa`.  Everything
 * cached is dropped.  Entries are the processor's: P, RW, US, A, D, PS, NX
 * are honoured, and A and D are set as the processor sets them, by compare
 * and swap, before the access completes.
 */
HK_MUST hk_result hk_space_root(hk_space s, uint64_t root_pa);

/*
 * Synchronous: on return no CPU can use an old translation, and pages that
 * were reachable only through one may be reused.  Cannot fail: if the host
 * refuses, the space is killed (hk_run() then says HK_DEAD).  Change the
 * tables first, then invalidate, then harvest A and D.
 */
enum hk_inval {
	HK_INVAL_DROP,		/* forget the range */
	HK_INVAL_WRPROTECT,	/* only write permission was removed: readers stay warm */
};
struct hk_range {
	uint64_t	va, len;	/* page-aligned, inside [HK_USER_MIN, HK_USER_MAX) */
};
void	hk_invalidate(hk_space s, const struct hk_range *r, size_t n, enum hk_inval how);

/*
 * Hint: install what the tables say for the range now, for programs about to
 * touch it (exec, a new stack); done by the next hk_run() in the space, on its
 * way.  Sets A; leaves writable pages with D clear read-only.
 */
void	hk_prefill(hk_space s, const struct hk_range *r, size_t n);

/* The guest's registers.  x86-64 names; rax is orig_rax on HK_SYSCALL. */
struct hk_frame {
	uint64_t	r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t	rax, rcx, rdx, rsi, rdi;
	uint64_t	rip, rsp, rflags, fsbase, gsbase;
	uint64_t	cr2;		/* HK_FAULT, HK_TRAP: as the processor reports */
	uint32_t	trapno, err;
};

enum hk_stop {
	HK_SYSCALL,	/* rip is past the instruction; rcx = rip, r11 = rflags */
	HK_FAULT,	/* the tables do not permit the access cr2/err */
	HK_TRAP,	/* processor exception trapno/err */
	HK_INTR,	/* the mailbox is not zero; may be spurious */
	HK_HOSTILE,	/* the guest attacked its stub: end it */
	HK_DEAD,	/* the stub is gone: out of host memory, killed, watchdog */
};

/*
 * CPU call: run the guest of space `s` on CPU `cpu` from *f until it stops.
 * Faults that the tables do permit are served inside.  *f is written back.
 * Single steps are rflags.TF: the debug exception comes back as HK_TRAP.
 *
 * Extended state (x87, SSE, AVX, ...) stays in the slot that CPU `cpu` has
 * in space `s`: after hk_run, hk_fpu_get() copies it out; before hk_run of
 * another thread in the same slot, hk_fpu_set() puts that thread's in.  The
 * image is an XSAVE area in standard form of hk_fpu_bytes() bytes, 64-byte
 * aligned; anything in a supplied one that the processor would refuse is
 * replaced by the initial state.  A new slot holds the initial state.
 */
enum hk_stop hk_run(uint32_t cpu, hk_space s, struct hk_frame *f);
/* From now on also stop, with HK_INTR, after each fault that was served: for who measures how long a CPU is away. */
void	hk_run_each_fault(void);
size_t	hk_fpu_bytes(void);
void	hk_fpu_init(void *image);
void	hk_fpu_get(uint32_t cpu, hk_space s, void *image);
void	hk_fpu_set(uint32_t cpu, hk_space s, const void *image);

/*
 * The call gate: a system call without an exception, for code that was made
 * or changed to call it.  Enter at HK_GATE with rax the number, rcx the
 * address to return to, and the GS base hk_gate_base(cpu) of the CPU that the
 * thread runs on (the caller of hk_run() puts it into gsbase); r11 is free.  hk_run() says
 * HK_SYSCALL with the frame that a SYSCALL before that address would give, and the
 * guest continues there with every register but rax unchanged, rcx the
 * address and r11 the flags.  The guest's stack is not used.
 *
 * It is fastest when the caller of hk_run() changes nothing but rax; it may
 * change anything.  A gate entered with another GS base is an attack or a
 * fault like any other of the guest's.
 */
#define HK_GATE		0x7fffff000800ull
static inline uint64_t
hk_gate_base(uint32_t cpu)
{
	return 0x7fffff100000ull + (uint64_t)cpu * 0x8000;
}

/* ----------------------------------------------------------- streams --- */

/* The process's standard streams, 0..2, each by its own kind. */
enum hk_stream_kind {
	HK_STREAM_NONE,		/* not open */
	HK_STREAM_TTY,
	HK_STREAM_PIPE,		/* pipe, socket or another character device */
	HK_STREAM_FILE,
	HK_STREAM_NULL,		/* /dev/null */
};
struct hk_stream_info {
	enum hk_stream_kind	kind;
	uint16_t		rows, cols;	/* TTY: now */
	uint32_t		same_as;	/* lowest stream with the same open file */
};
void	hk_stream_info(uint32_t stream, struct hk_stream_info *out);

/*
 * Never block.  *done counts what was moved.  HK_AGAIN: nothing was, and
 * HK_BIT_STREAM will be set in the mailbox of CPU 0 when something can be.
 */
HK_MUST hk_result hk_stream_read(uint32_t stream, void *buf, size_t len, size_t *done);
HK_MUST hk_result hk_stream_write(uint32_t stream, const void *buf, size_t len, size_t *done);

/* Raw mode on every terminal among the streams; put back by hk_exit, and on any way out that can be caught. */
void	hk_stream_raw(bool on);

/* Host signals sent to the process since the last call: bits of HK_SIG_*. */
#define HK_SIG_TERM	(1u << 0)	/* SIGTERM */
#define HK_SIG_INT	(1u << 1)	/* SIGINT (terminal not raw) */
#define HK_SIG_HUP	(1u << 2)
#define HK_SIG_QUIT	(1u << 3)
#define HK_SIG_WINCH	(1u << 4)	/* window size changed */
uint32_t hk_signals(void);

/* Last words: written to the host's stderr at once, whatever the state.  Async-signal-safe. */
void	hk_emergency(const char *text, size_t len);

/* ------------------------------------------------------------- files --- */

/*
 * Trees of the host's files, each beneath one directory.  A node is a small
 * integer that a lookup or a creation gave, good until as many lookups are
 * forgotten, though the file may lose its name by a request that says so
 * (q_victim).  Requests name files by a node, or by a directory's node and one
 * component; nothing here follows a symbolic link, and "..", "/" and device
 * nodes lead nowhere.  The caller keeps *q and what it names until it is done.
 */
enum hk_fop {
	HK_FOP_LOOKUP,		/* q_node, q_name: q_found, q_attr */
	HK_FOP_FORGET,		/* q_node; q_off: so many lookups */
	HK_FOP_GETATTR,		/* q_node: q_attr */
	HK_FOP_SETATTR,		/* q_node, q_mask, q_attr: q_attr */
	HK_FOP_OPEN,		/* q_node, q_flags HK_FQ_READ|WRITE: may it be? */
	HK_FOP_READ,		/* q_node, q_off, q_seg: q_done; less than asked: the end */
	HK_FOP_WRITE,		/* q_node, q_off, q_seg: q_done, q_attr; HK_FQ_APPEND: at the end */
	HK_FOP_FSYNC,		/* q_node */
	HK_FOP_READDIR,		/* q_node, q_off cookie, one q_seg: q_done bytes of getdents64's records */
	HK_FOP_READLINK,	/* q_node, one q_seg: q_done */
	HK_FOP_CREATE,		/* q_node, q_name or NULL, q_attr type, mode, owner: q_found, q_attr */
	HK_FOP_SYMLINK,		/* q_node, q_name, q_name2 text, q_attr owner: q_found, q_attr */
	HK_FOP_LINK,		/* q_moved file; q_node, q_name: q_attr of the file */
	HK_FOP_UNLINK,		/* q_node, q_name; q_victim */
	HK_FOP_RMDIR,		/* the same */
	HK_FOP_RENAME,		/* q_node, q_name to q_dir2, q_name2; q_moved, q_victim; q_mask: RENAME_* */
	HK_FOP_STATFS,		/* q_node: q_statfs */
	HK_FOP_ALLOCATE,	/* q_node, q_mask FALLOC_*, q_off, q_attr size: so many bytes; q_attr */
	HK_FOP_SEEK,		/* q_node, q_off, q_mask 0 data, 1 a hole: q_done where */
	HK_FOP_GETXATTR,	/* q_node, q_name, q_seg or none: q_done its length */
	HK_FOP_SETXATTR,	/* q_node, q_name, q_seg or none, q_mask XATTR_*; HK_FQ_REMOVE */
	HK_FOP_LISTXATTR,	/* q_node, q_seg or none: q_done the names' length */
	HK_FOP_COUNT
};
enum {				/* q_flags */
	HK_FQ_READ	= 1u << 0,
	HK_FQ_WRITE	= 1u << 1,
	HK_FQ_APPEND	= 1u << 2,
	HK_FQ_NOLINK	= 1u << 3,	/* what has no name shall never have one */
	HK_FQ_REMOVE	= 1u << 4,	/* there shall be no such attribute */
};
enum {				/* q_mask of SETATTR */
	HK_FA_MODE = 1, HK_FA_UID = 2, HK_FA_GID = 4, HK_FA_SIZE = 8, HK_FA_ATIME = 16, HK_FA_MTIME = 32,
};
struct hk_fattr {
	uint32_t	mode;		/* type and permissions */
	uint32_t	nlink, uid, gid;
	uint64_t	ino, size, blocks512, rdev;
	int64_t		atime, mtime, ctime, btime;	/* ns since 1970 */
	uint32_t	blksize, pad;
};
struct hk_fstatfs {
	uint64_t	bsize, blocks, bfree, bavail, files, ffree, namelen;
};
#define HK_FSEGS	16
struct hk_freq {
	uint32_t	q_op;		/* enum hk_fop */
	int32_t		q_error;	/* out: 0 or a Linux error number, the host's own */
	uint32_t	q_flags, q_mask;
	uint64_t	q_node, q_dir2;
	uint64_t	q_moved, q_victim;	/* 0: none */
	uint64_t	q_found;	/* out */
	const char	*q_name, *q_name2;
	uint64_t	q_off, q_done;
	uint32_t	q_nseg, q_pad;
	struct { uint64_t pa, len; } q_seg[HK_FSEGS];	/* of RAM */
	struct hk_fattr	q_attr;
	struct hk_fstatfs q_statfs;
};

/* Show the directory `path` as a tree; *root is its node.  read_only: no request changes it.  hk_why(). */
HK_MUST hk_result hk_files_open(const char *path, bool read_only, uint64_t *root);

/*
 * Answer *q.  HK_OK: done, q_error tells how.  HK_AGAIN: it may take long and
 * another thread does it (only if !wait); HK_BIT_FILES will be set in the
 * mailbox of CPU 0, and hk_files_done() returns it.
 */
HK_MUST hk_result hk_files_ask(struct hk_freq *q, bool wait);
struct hk_freq *hk_files_done(void);		/* NULL: none */

/* ------------------------------------------------------------- figures - */

struct hk_stats {
	uint64_t	spaces_made, spaces_recycled, spaces_killed;
	uint64_t	runs, syscalls, faults_served, faults_returned, kicks;
	uint64_t	maps, unmaps, protects, evictions;
};
void	hk_stats(struct hk_stats *out);
