/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace(2) of the Linux x86-64 ABI. */
#pragma once
#include <abi/signal.h>
#include <stdint.h>

enum {
	PTRACE_TRACEME, PTRACE_PEEKTEXT, PTRACE_PEEKDATA, PTRACE_PEEKUSER, PTRACE_POKETEXT,
	PTRACE_POKEDATA, PTRACE_POKEUSER, PTRACE_CONT, PTRACE_KILL, PTRACE_SINGLESTEP,
	PTRACE_GETREGS = 12, PTRACE_SETREGS, PTRACE_GETFPREGS, PTRACE_SETFPREGS, PTRACE_ATTACH, PTRACE_DETACH,
	PTRACE_SYSCALL = 24,
	PTRACE_SETOPTIONS = 0x4200, PTRACE_GETEVENTMSG, PTRACE_GETSIGINFO, PTRACE_SETSIGINFO,
	PTRACE_GETREGSET, PTRACE_SETREGSET, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_LISTEN,
	PTRACE_PEEKSIGINFO, PTRACE_GETSIGMASK, PTRACE_SETSIGMASK,
	PTRACE_GET_SYSCALL_INFO = 0x420e,
};

enum {
	PTRACE_EVENT_FORK = 1, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC,
	PTRACE_EVENT_VFORK_DONE, PTRACE_EVENT_EXIT, PTRACE_EVENT_SECCOMP,
	PTRACE_EVENT_STOP = 128,
};
#define PTRACE_O_TRACESYSGOOD	1u
#define PTRACE_O_EVENT(event)	(1u << (event))
#define PTRACE_O_EXITKILL	(1u << 20)
/* No program has a seccomp filter, so TRACESECCOMP promises what never happens. */
#define PTRACE_O_KNOWN		(0xffu | PTRACE_O_EXITKILL)

#define PTRACE_EVENTMSG_SYSCALL_ENTRY	1
#define PTRACE_EVENTMSG_SYSCALL_EXIT	2
enum { PTRACE_SYSCALL_INFO_NONE, PTRACE_SYSCALL_INFO_ENTRY, PTRACE_SYSCALL_INFO_EXIT };
#define AUDIT_ARCH_X86_64	0xc000003eu

#define NT_PRSTATUS	1
#define NT_PRFPREG	2
#define NT_X86_XSTATE	0x202

/* As PTRACE_GETREGS and the beginning of struct user have them. */
struct k_user_regs {
	uint64_t	r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax,
	    rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
#define USER_AREA_BYTES		928u	/* struct user */
#define USER_DEBUGREGS		848u	/* eight words of it */

struct k_syscall_info {
	uint8_t		op, pad[3];
	uint32_t	arch;
	uint64_t	ip, sp;
	union {
		struct { uint64_t nr, args[6]; } entry;
		struct { int64_t rval; uint8_t is_error, pad[7]; } exit;
	} u;
};
struct k_peeksiginfo {
	uint64_t	off;
	uint32_t	flags;
	int32_t		nr;
};
#define PTRACE_PEEKSIGINFO_SHARED	1u
