/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals of the Linux x86-64 ABI: numbers, layouts of what user space sees. */
#pragma once
#include <stdint.h>

#define NSIG		64
enum { SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
	SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ,
	SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS, SIGRTMIN };

typedef uint64_t sigset_t;			/* bit n-1 is signal n */
#define sigbit(n)	(1ull << ((n) - 1))

struct k_sigaction {
	uint64_t	sa_handler;		/* SIG_DFL 0, SIG_IGN 1 */
	uint64_t	sa_flags;
	uint64_t	sa_restorer;
	sigset_t	sa_mask;
};
#define SIG_DFL		0ull
#define SIG_IGN		1ull
#define SA_NOCLDSTOP	0x1ull
#define SA_NOCLDWAIT	0x2ull
#define SA_SIGINFO	0x4ull
#define SA_RESTORER	0x04000000ull
#define SA_ONSTACK	0x08000000ull
#define SA_RESTART	0x10000000ull
#define SA_NODEFER	0x40000000ull
#define SA_RESETHAND	0x80000000ull
#define SIG_BLOCK	0
#define SIG_UNBLOCK	1
#define SIG_SETMASK	2

struct k_sigaltstack {
	uint64_t	ss_sp;
	int32_t		ss_flags;
	int32_t		ss_pad;
	uint64_t	ss_size;
};
#define SS_ONSTACK	1
#define SS_DISABLE	2
#define SS_AUTODISARM	(1u << 31)
#define MINSIGSTKSZ	2048

struct k_siginfo {
	int32_t		si_signo, si_errno, si_code, si_pad0;
	union {
		struct { int32_t pid; uint32_t uid; int32_t status, pad; int64_t utime, stime; } chld;	/* and kill: pid, uid */
		struct { int32_t pid; uint32_t uid; uint64_t value; } rt;
		struct { int32_t id, overrun; uint64_t value; } timer;
		struct { uint64_t addr; int16_t lsb, pad[3]; } fault;
		struct { int64_t band; int32_t fd, pad; } poll;
		struct { uint64_t call_addr; int32_t nr; uint32_t arch; } sys;
		uint8_t pad[112];
	} u;
};
_Static_assert(sizeof(struct k_siginfo) == 128, "siginfo is 128 bytes");
struct k_sigevent {
	uint64_t	value;
	int32_t		signo, notify, tid, pad[11];
};
_Static_assert(sizeof(struct k_sigevent) == 64, "struct sigevent is 64 bytes");
#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD	2
#define SIGEV_THREAD_ID	4
/* What a read of a signalfd gives. */
struct k_signalfd_siginfo {
	uint32_t	ssi_signo;
	int32_t		ssi_errno, ssi_code;
	uint32_t	ssi_pid, ssi_uid;
	int32_t		ssi_fd;
	uint32_t	ssi_tid, ssi_band, ssi_overrun, ssi_trapno;
	int32_t		ssi_status, ssi_int;
	uint64_t	ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
	uint16_t	ssi_addr_lsb, ssi_pad2;
	int32_t		ssi_syscall;
	uint64_t	ssi_call_addr;
	uint32_t	ssi_arch;
	uint8_t		ssi_pad[28];
};
_Static_assert(sizeof(struct k_signalfd_siginfo) == 128, "signalfd_siginfo is 128 bytes");
#define SI_USER		0
#define SI_KERNEL	0x80
#define SI_QUEUE	(-1)
#define SI_TIMER	(-2)
#define SI_MESGQ	(-3)
#define SI_SIGIO	(-5)
#define SI_TKILL	(-6)
enum { ILL_ILLOPC = 1, ILL_ILLOPN, ILL_ILLADR, ILL_ILLTRP, ILL_PRVOPC };
enum { FPE_INTDIV = 1, FPE_INTOVF, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV };
enum { SEGV_MAPERR = 1, SEGV_ACCERR };
enum { BUS_ADRALN = 1, BUS_ADRERR, BUS_OBJERR };
enum { TRAP_BRKPT = 1, TRAP_TRACE };
enum { CLD_EXITED = 1, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED };

struct k_sigcontext {
	uint64_t	r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t	cs, gs, fs, ss;
	uint64_t	err, trapno, oldmask, cr2;
	uint64_t	fpstate;
	uint64_t	reserved[8];
};
struct k_ucontext {
	uint64_t	uc_flags, uc_link;
	struct k_sigaltstack uc_stack;
	struct k_sigcontext uc_mcontext;
	sigset_t	uc_sigmask;
};
_Static_assert(sizeof(struct k_ucontext) == 304, "as the kernel of Linux lays it out");
#define UC_FP_XSTATE			1
#define UC_SIGCONTEXT_SS		2
#define UC_STRICT_RESTORE_SS		4
#define FP_XSTATE_MAGIC1		0x46505853u
#define FP_XSTATE_MAGIC2		0x46505845u
