/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions - which signal and si_code each kind of illegal act gives, where
 * si_addr points, and stepping by the trap flag.
 */
#include "t.h"
#include <ucontext.h>

static volatile long code, trapno, addr_is_rip, steps;
static volatile uintptr_t addr;
static volatile int signo;

/* Go on at the address that the test left in rbx. */
static void
on_fault(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	signo = sig;
	code = si->si_code;
	addr = (uintptr_t)si->si_addr;
	trapno = (long)uc->uc_mcontext.gregs[REG_TRAPNO];
	addr_is_rip = (greg_t)addr == uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_RIP] = uc->uc_mcontext.gregs[REG_RBX];
}

static void
on_step(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	code = si->si_code;
	trapno = (long)uc->uc_mcontext.gregs[REG_TRAPNO];
	if (++steps >= 5)
		uc->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
}

#define TRY(what, insns)	do {								\
	signo = 0;										\
	__asm__ volatile("lea 1f(%%rip), %%rbx; " insns "; 1:"					\
	    : : : "rax", "rbx", "rcx", "rdx", "rdi", "memory", "cc");				\
	t_say("%s: %s code %ld trap %ld addr is rip %ld", what, t_signal(signo), code, trapno, addr_is_rip);	\
} while (0)

static void
illegal(void)
{
	TRY("ud2", "ud2");
	TRY("hlt", "hlt");
	TRY("in", "in $0x80, %%al");
	TRY("cli", "cli");
	TRY("int3", "int3");
	TRY("int $3", ".byte 0xcd, 3");
	TRY("int $1", ".byte 0xcd, 1");
	TRY("int $4", ".byte 0xcd, 4");
	TRY("int $13", ".byte 0xcd, 13");
	TRY("int $0x81", ".byte 0xcd, 0x81");
	TRY("icebp", ".byte 0xf1");
	TRY("divide by zero", "xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx");
	TRY("divide overflow", "mov $-1, %%ecx; mov $0x80000000, %%eax; cltd; idiv %%ecx");
	TRY("rdmsr", "mov $0x10, %%ecx; rdmsr");
	TRY("mov to cr0", "xor %%eax, %%eax; mov %%rax, %%cr0");
	TRY("bad segment", "mov $0x1234, %%eax; mov %%eax, %%fs");
	TRY("non-canonical load", "mov $0x8000000000000000, %%rax; mov (%%rax), %%rcx");
	TRY("null load", "xor %%eax, %%eax; mov (%%rax), %%rcx");
	TRY("null call", "xor %%eax, %%eax; mov $0, %%edx; push %%rdx; mov (%%rsp), %%rdx; pop %%rdx; mov (%%rax), %%al");
	TRY("kernel address", "mov $0xffffffff81000000, %%rax; mov (%%rax), %%rcx");
}

static void
arithmetic(void)
{
	uint32_t mxcsr = 0x1f80 & ~(1u << 9), normal = 0x1f80;
	uint16_t cw = 0x037f & (uint16_t)~4, normal_cw = 0x037f;

	signo = 0;
	__asm__ volatile("lea 1f(%%rip), %%rbx; ldmxcsr %0; pxor %%xmm0, %%xmm0; mov $1, %%eax; cvtsi2sd %%eax, %%xmm1;"
	    "divsd %%xmm0, %%xmm1; 1:" : : "m"(mxcsr) : "rax", "rbx", "xmm0", "xmm1", "memory");
	t_say("SSE divide by zero: %s code %ld trap %ld", t_signal(signo), code, trapno);
	__asm__ volatile("ldmxcsr %0" : : "m"(normal));
	signo = 0;
	__asm__ volatile("lea 1f(%%rip), %%rbx; fninit; fldcw %0; fld1; fldz; fdivrp; fwait; 1: fnclex; fninit; fldcw %1"
	    : : "m"(cw), "m"(normal_cw) : "rbx", "memory");
	t_say("x87 divide by zero: %s code %ld trap %ld", t_signal(signo), code, trapno);
}

static void
stepping(void)
{
	t_handle_info(SIGTRAP, on_step, 0);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop; nop; nop; nop; nop; nop; nop"
	    : : : "memory", "cc");
	t_say("stepped %ld times, code %ld trap %ld", steps, code, trapno);
	/* Over a system call, and into the handler of another signal. */
	steps = 0;
	long r;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; syscall; nop; nop; nop; nop; nop"
	    : "=a"(r) : "a"(SYS_getppid) : "rcx", "r11", "memory", "cc");
	t_say("over a system call: %ld times, result right %d", steps, r == getppid());
}

static void
pages(void)
{
	char *p = t_pages(2);
	char *ro = mmap(NULL, T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p + T_PAGE, T_PAGE);
#define POKE(what, insn, where)	do {								\
	signo = 0;										\
	__asm__ volatile("lea 1f(%%rip), %%rbx; " insn "; 1:" : : "a"(where) : "rbx", "rcx", "memory");	\
	t_say("%s: %s code %ld offset %ld", what, t_signal(signo), code, (long)(addr - (uintptr_t)(where)));	\
} while (0)
	POKE("read of nothing", "mov (%%rax), %%cl", p + T_PAGE);
	POKE("write to nothing", "movb $1, (%%rax)", p + T_PAGE + 77);
	POKE("eight bytes across the end", "mov (%%rax), %%rcx", p + T_PAGE - 3);
	POKE("write to read-only", "movb $1, (%%rax)", ro + 5);
	POKE("jump into data", "jmp *%%rax", p);
	POKE("jump to nothing", "jmp *%%rax", p + T_PAGE);
	POKE("jump out of the world", "jmp *%%rax", (char *)0x7fffffffffff);
}

int
main(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

	for (size_t i = 0; i < T_COUNT(sigs); i++)
		t_handle_info(sigs[i], on_fault, 0);
	illegal();
	arithmetic();
	pages();
	stepping();
	return 0;
}
